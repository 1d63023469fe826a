"""Operators on images: resizing, sampling, regions of interest and blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from acc import ir
from acc.dialects import graph
from acc.frontend.call import BOOL, PLAIN, Call, Tensor, element_of, shape_of
from acc.frontend.problems import NotStatic, Unsupported
from acc.frontend.sizes import are_same

RESIZE = {
    **dict.fromkeys(("axes", "coordinate_transformation_mode", "cubic_coeff_a", "extrapolation_value"), PLAIN),
    **dict.fromkeys(("keep_aspect_ratio_policy", "mode", "nearest_mode"), PLAIN),
    **dict.fromkeys(("antialias", "exclude_outside"), BOOL),
}

_MODES = {"nearest": "nearest", "linear": "linear", "bilinear": "linear", "cubic": "cubic", "bicubic": "cubic"}


def _enumerated(call: Call, name: str, values: Sequence[str], default: str = "") -> str:
    value = call.attributes.get(name, default)
    if value not in values:
        raise Unsupported(f"attribute '{name}' is '{value}'")
    return cast(str, value)


def _values(call: Call, index: int, what: str, count: int) -> list[float] | None:
    """A constant vector of `count` finite numbers, or None if it is absent or empty."""
    if not call.has(index):
        return None
    array = call.constant(index, what).reshape(-1)
    if array.size == 0:
        return None
    if array.size != count:
        raise Unsupported(f"{what} has {array.size} values for {count} axes")
    if not np.all(np.isfinite(array)):
        raise Unsupported(f"{what} holds a value that is not finite")
    return [float(value) for value in array]


def _resize(
    call: Call,
    value: ir.Value,
    axes: Sequence[int],
    sizes: Sequence[int],
    scales: Sequence[float] | None,
    roi: Sequence[float] | None,
    common: Mapping[str, object],
) -> ir.Value:
    """graph.resize along those of `axes` that change."""
    shape = shape_of(value)
    changed = [
        number
        for number, axis in enumerate(axes)
        if roi is not None
        or (scales is not None and scales[number] != 1)
        or not are_same([sizes[number]], [shape[axis]])
    ]
    changed.sort(key=lambda number: axes[number])
    if not changed:
        return value
    attributes: dict[str, object] = dict(common)
    attributes["axes"] = [axes[number] for number in changed]
    attributes["static_sizes"] = [sizes[number] for number in changed]
    if scales is not None:
        attributes["scales"] = np.array([scales[number] for number in changed], np.float64)
    if roi is not None:
        ends = [roi[number + len(axes)] for number in changed]
        attributes["roi"] = np.array([roi[number] for number in changed] + ends, np.float64)
    return call.emit("resize", [value], **attributes)


def _scaled(size: int, scale: float) -> int:
    """The size that a scale gives, in the arithmetic of ONNX's shape inference."""
    if not isinstance(size, int):
        eighths = scale * 8
        if eighths != int(eighths):
            raise Unsupported(f"scale {scale} needs a size that is known")
        return size * int(eighths) // 8
    return int(np.floor(np.float32(size) * np.float32(scale)))


def convert_upsample(call: Call) -> list[Tensor]:
    """Upsample, and Resize of operator set 10: outputs start where inputs do; downwards, the next input is taken."""
    mode = _MODES[_enumerated(call, "mode", list(_MODES))]
    value = call.operand(0)
    shape = call.shape(0)
    scales = _values(call, 1, "scales", len(shape))
    if scales is None or any(scale <= 0 for scale in scales):
        raise Unsupported(f"scales are {scales} instead of positive numbers")
    if mode == "cubic":
        raise Unsupported("cubic interpolation does not exist before operator set 11")
    common: dict[str, object] = {
        "mode": graph.ResizeMode.named(mode),
        "coordinate_transformation_mode": graph.CoordinateMode.Asymmetric,
    }
    for nearest, shrinks in (("floor", False), ("ceil", True)):
        axes = [axis for axis, scale in enumerate(scales) if (scale < 1) == shrinks]
        sizes = [_scaled(shape[axis], scales[axis]) for axis in axes]
        factors = [scales[axis] for axis in axes]
        common["nearest_mode"] = graph.NearestMode.named(nearest)
        value = _resize(call, value, axes, sizes, factors, None, common)
    return [value]


def convert_resize(call: Call) -> list[Tensor]:
    if call.opset < 11:
        return convert_upsample(call)
    shape, value = call.shape(0), call.operand(0)
    rank = len(shape)
    axes = [call.axis(axis, rank) for axis in call.integer_list("axes")] if "axes" in call.attributes else range(rank)
    if len(set(axes)) != len(axes):
        raise Unsupported(f"axes {list(axes)} name an axis twice")
    mode = _MODES[_enumerated(call, "mode", ("nearest", "linear", "cubic"))]
    coordinates = _enumerated(
        call,
        "coordinate_transformation_mode",
        (
            *("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners"),
            *("asymmetric", "tf_crop_and_resize", "tf_half_pixel_for_nn"),
        ),
    )
    nearest = _enumerated(call, "nearest_mode", ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"))
    roi = None
    if coordinates == "tf_crop_and_resize":
        roi = _values(call, 1, "roi", 2 * len(axes))
        if roi is None:
            raise Unsupported("tf_crop_and_resize needs roi")
    scales = _values(call, 2, "scales", len(axes))
    given = call.sizes(3, "sizes") if call.has(3) else []
    if (scales is None) == (not given):
        raise Unsupported("needs either scales or sizes")
    current = [shape[axis] for axis in axes]
    if scales is not None:
        if any(scale <= 0 for scale in scales):
            raise Unsupported(f"scales are {scales} instead of positive numbers")
        extents = [1.0] * len(axes) if roi is None else [b - a for a, b in zip(roi, roi[len(axes) :], strict=False)]
        factors = [extent * scale for extent, scale in zip(extents, scales, strict=True)]
        sizes = [_scaled(size, factor) for size, factor in zip(current, factors, strict=True)]
    else:
        sizes, scales = _fit(call, current, given)
    if any(size < 0 for size in sizes if isinstance(size, int)):
        raise Unsupported(f"sizes are {sizes}")
    attributes: dict[str, object] = {
        "mode": graph.ResizeMode.named(mode),
        "coordinate_transformation_mode": graph.CoordinateMode.named(coordinates),
        "nearest_mode": graph.NearestMode.named(nearest),
    }
    for name in ("cubic_coeff_a", "extrapolation_value", "exclude_outside", "antialias"):
        if name in call.attributes:
            attributes[name] = call.attributes[name]
    return [_resize(call, value, axes, sizes, scales, roi, attributes)]


def _fit(call: Call, current: Sequence[int], given: Sequence[int]) -> tuple[list[int], list[float] | None]:
    """The sizes, and scales unless they are quotients of sizes, that `keep_aspect_ratio_policy` makes of `given`."""
    if len(given) != len(current):
        raise Unsupported(f"sizes has {len(given)} values for {len(current)} axes")
    policy = call.attributes.get("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return list(given), None
    if policy not in ("not_larger", "not_smaller"):
        raise Unsupported(f"attribute 'keep_aspect_ratio_policy' is '{policy}'")
    if not all(isinstance(size, int) for size in [*current, *given]):
        raise NotStatic("keeps the aspect ratio of sizes that are not known")
    if 0 in current:
        raise Unsupported("has no aspect ratio without elements")
    ratios = [wanted / size for wanted, size in zip(given, current, strict=True)]
    scale = min(ratios) if policy == "not_larger" else max(ratios)
    return [int(scale * size + 0.5) for size in current], [scale] * len(current)


def convert_grid_sample(call: Call) -> list[Tensor]:
    mode = _MODES[_enumerated(call, "mode", list(_MODES))]
    padding = _enumerated(call, "padding_mode", ("zeros", "border", "reflection"))
    value = call.operand(0)
    if mode != "nearest" and not isinstance(element_of(value), ir.FloatType):
        raise Unsupported(f"interpolates elements of {element_of(value)}")
    attributes = {"mode": graph.ResizeMode.named(mode), "padding_mode": graph.PaddingMode.named(padding)}
    align = bool(call.attributes["align_corners"])
    return [call.emit("grid_sample", [value, call.operand(1)], align_corners=align, **attributes)]


def convert_roi_align(call: Call) -> list[Tensor]:
    mode = _enumerated(call, "mode", ("avg", "max"))
    # Before operator set 16 nothing was moved.
    coordinates = _enumerated(
        call, "coordinate_transformation_mode", ("half_pixel", "output_half_pixel"), "output_half_pixel"
    )
    names = ("output_height", "output_width", "sampling_ratio", "spatial_scale")
    attributes = {name: call.attributes[name] for name in names}
    operands = [call.operand(0), call.operand(1), call.operand(2)]
    attributes["mode"] = graph.RoiMode.named(mode)
    return [call.emit("roi_align", operands, half_pixel=coordinates == "half_pixel", **attributes)]


def _split(call: Call, axes: str, shape: Sequence[int], perm: Sequence[int], result: Sequence[int]) -> list[Tensor]:
    """Reshape, transpose, reshape; `axes` names what must be divisible, for the message."""
    value = call.operand(0)
    if math.prod(shape) != math.prod(call.shape(0)):
        raise Unsupported(f"blocks of {call.attributes['blocksize']} do not divide {axes} of {list(call.shape(0))}")
    moved = call.emit("transpose", [call.reshape(value, shape)], perm=list(perm))
    return [call.reshape(moved, result)]


def _image(call: Call) -> tuple[int, int, int, int, int]:
    """The block size and the four sizes of input 0."""
    shape, block = call.shape(0), call.integer("blocksize")
    if len(shape) != 4 or block < 1:
        raise Unsupported(f"blocks of {block} do not divide an input {list(shape)}")
    return block, shape[0], shape[1], shape[2], shape[3]


def convert_depth_to_space(call: Call) -> list[Tensor]:
    b, n, c, h, w = _image(call)
    deep = c // (b * b)
    result = [n, deep, h * b, w * b]
    if _enumerated(call, "mode", ("DCR", "CRD"), "DCR") == "DCR":
        return _split(call, "the channels", [n, b, b, deep, h, w], [0, 3, 4, 1, 5, 2], result)
    return _split(call, "the channels", [n, deep, b, b, h, w], [0, 1, 4, 2, 5, 3], result)


def convert_space_to_depth(call: Call) -> list[Tensor]:
    b, n, c, h, w = _image(call)
    shape = [n, c, h // b, b, w // b, b]
    result = [n, c * b * b, h // b, w // b]
    if _enumerated(call, "mode", ("DCR", "CRD"), "DCR") == "DCR":
        return _split(call, "the image", shape, [0, 3, 5, 1, 2, 4], result)
    return _split(call, "the image", shape, [0, 1, 3, 5, 2, 4], result)
