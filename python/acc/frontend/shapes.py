"""Operators that move data, make constants or mix element types: their differences between operator sets end here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
from onnx import TensorProto

from acc import ir
from acc.dialects import graph
from acc.frontend.call import Call, Tensor, dtype_of, element_of, shape_of
from acc.frontend.padding import pad_by_sizes
from acc.frontend.problems import Unsupported
from acc.frontend.sizes import UnknownSizeError, is_empty, maximum, size_array
from acc.frontend.source import Storage, read_tensor


def _reshape(call: Call, value: ir.Value, shape: Sequence[int]) -> ir.Value:
    return call.reshape(value, shape)


def convert_constant(call: Call) -> list[Tensor]:
    given = list(call.attributes.items())
    if len(given) != 1:
        raise Unsupported(f"has {len(given)} values instead of one")
    name, value = given[0]
    if isinstance(value, TensorProto):
        if value.data_location == TensorProto.EXTERNAL:
            raise Unsupported("external data in attributes is not supported")
        return [read_tensor(value, Storage())]
    return [np.asarray(value, np.float32 if name.startswith("value_float") else np.int64)]


def convert_constant_of_shape(call: Call) -> list[Tensor]:
    value = cast(TensorProto | None, call.attributes.get("value"))
    element = np.zeros(1, np.float32) if value is None else read_tensor(value, Storage())
    if element.size != 1:
        raise Unsupported(f"attribute 'value' has {element.size} elements instead of one")
    shape = call.sizes(0, "the shape")
    if not all(isinstance(size, int) for size in shape):
        return [call.emit("expand", [call.literal(element.reshape(()))], shape=shape)]
    if any(size < 0 for size in shape) or math.prod(shape) > 1 << 40:
        raise Unsupported(f"a tensor cannot have the shape {shape}")
    return [np.broadcast_to(element.reshape(-1)[0], shape)]


def convert_shape(call: Call) -> list[Tensor]:
    shape = call.shape(0)
    rank = len(shape)
    # Bounds beyond the rank are as good as the rank, as in Python's slices.
    start = call.integer("start") if "start" in call.attributes else 0
    end = call.integer("end") if "end" in call.attributes else rank
    return [size_array(shape[start:end])]


def convert_size(call: Call) -> list[Tensor]:
    return [size_array([math.prod(call.shape(0))]).reshape(())]


def convert_concat(call: Call) -> list[Tensor]:
    values = call.operands()
    if len({element_of(value) for value in values}) > 1:
        values = [call.storage(value) for value in values]
    axis = call.axis(call.integer("axis"), len(call.shape(0)))
    values = [value for value in values if not is_empty(shape_of(value)[axis : axis + 1])] or values
    return [call.emit("concat", values, axis=axis)]


def convert_flatten(call: Call) -> list[Tensor]:
    rank = len(call.shape(0))
    axis = call.integer("axis")
    return [call.emit("flatten", [call.operand(0)], axis=axis if axis == rank else call.axis(axis, rank))]


def convert_pad(call: Call) -> Sequence[Tensor]:
    value = call.operand(0)
    rank = len(call.shape(0))
    pads = call.integer_list("pads") if "pads" in call.attributes else call.sizes(1, "pads")
    constant = cast(float, call.attributes.get("value", 0.0))
    if call.has(2):
        constant = call.scalar(2, "constant_value").item()
    axes = list(range(rank))
    if call.has(3):
        axes = [call.axis(axis, rank) for axis in call.integers(3, "axes")]
        call.axes(axes, rank)
    if len(pads) != 2 * len(axes):
        raise Unsupported(f"'pads' has {len(pads)} values but {len(axes)} axes need {2 * len(axes)}")
    full = [0] * 2 * rank
    for position, axis in enumerate(axes):
        full[axis] = pads[position]
        full[axis + rank] = pads[position + len(axes)]
    mode = call.attributes["mode"]
    if mode not in ("constant", "reflect", "edge", "wrap"):
        raise Unsupported(f"attribute 'mode' is '{mode}'")
    if not all(isinstance(pad, int) for pad in full):
        real = call.storage(value)
        return [pad_by_sizes(call, real, full[:rank], full[rank:], str(mode), np.asarray(constant))]
    if float(constant) != constant and constant == constant:
        raise Unsupported(f"pads with {constant}, which a double does not hold")
    return [
        call.emit("pad", [value], pads=full, mode=graph.PadMode.named(str(mode)), constant_value=np.float64(constant))
    ]


def convert_reshape(call: Call) -> list[Tensor]:
    value = call.operand(0)
    source = list(shape_of(value))
    shape = call.sizes(1, "the shape")
    if not shape and not all(isinstance(size, int) for size in source):
        return [_only_element(call, value)]
    if all(isinstance(size, int) for size in [*source, *shape]):
        return [_reshape(call, value, resolve_shape(source, shape, bool(call.attributes.get("allowzero"))))]
    known = [size for size in shape if isinstance(size, int)]
    if any(size < -1 for size in known) or known.count(-1) > 1:
        raise Unsupported(f"shape [{', '.join(map(str, shape))}] is not valid")
    if not call.attributes.get("allowzero"):
        for axis, size in enumerate(shape):
            # Sizes that are computed from sizes are meant as they are.
            if isinstance(size, int) or not _is_size(size):
                shape[axis] = call.choose_equal(size, 0, source[axis], size) if axis < len(source) else size
    unsure = [axis for axis, size in enumerate(shape) if not _is_size(size)]
    if unsure:
        others = math.prod(size if _is_size(size) else call.choose_equal(size, -1, 1, size) for size in shape)
        rest = math.prod(source) // (others if _is_size(others) else maximum(others, 1))
        for axis in unsure:
            shape[axis] = call.choose_equal(shape[axis], -1, rest, shape[axis])
    return [_reshape(call, value, shape)]


def _only_element(call: Call, value: ir.Value) -> ir.Value:
    """A scalar of a tensor of open sizes that has one element, which only a run can see.

    The stages behind know no reshape from open sizes to none, so the largest element is taken.
    """
    value = _reshape(call, call.storage(value), [1])
    truth = dtype_of(element_of(value)) == np.bool_
    if truth:
        value = call.emit_as(call.tensor_type([1], np.dtype(np.uint8)), "cast", value)
    result = call.emit("reduce_max", [value], axes=[0], keepdims=False)
    return call.emit_as(call.tensor_type([], np.dtype(np.bool_)), "cast", result) if truth else result


def _is_size(size: int) -> bool:
    """Whether a number is certainly not negative."""
    try:
        return size >= 0
    except UnknownSizeError:
        return False


def resolve_shape(source: list[int], shape: list[int], allowzero: bool) -> list[int]:
    """The shape that Reshape means by one with 0 and -1."""
    if not allowzero:
        if any(size == 0 for size in shape[len(source) :]):
            raise Unsupported(f"shape {shape} copies a size that the input {source} does not have")
        shape = [source[axis] if size == 0 else size for axis, size in enumerate(shape)]
    elif -1 in shape and 0 in shape:
        raise Unsupported(f"shape {shape} holds both 0 and -1 with allowzero")
    if any(size < -1 for size in shape) or shape.count(-1) > 1:
        raise Unsupported(f"shape {shape} is not valid")
    total = math.prod(source)
    if -1 in shape:
        known = math.prod(size for size in shape if size != -1)
        if known == 0 or total % known:
            raise Unsupported(f"input {source} cannot be reshaped to {shape}")
        shape = [total // known if size == -1 else size for size in shape]
    if math.prod(shape) != total:
        raise Unsupported(f"input {source} cannot be reshaped to {shape}")
    return shape


def _given_axes(call: Call) -> list[int] | None:
    """The axes of Squeeze and Unsqueeze, an attribute before operator set 13."""
    if "axes" in call.attributes:
        return call.integer_list("axes")
    return call.integers(1, "axes") if call.has(1) else None


def convert_squeeze(call: Call) -> list[Tensor]:
    value = call.operand(0)
    shape = shape_of(value)
    given = _given_axes(call)
    if given is not None:
        return [call.emit("squeeze", [value], axes=call.axes(given, len(shape)))]
    known = [axis for axis, size in enumerate(shape) if isinstance(size, int) and size == 1]
    # The rank of the result is that for open sizes other than 1; where a run meets another, it is refused.
    checked = {} if all(isinstance(size, int) for size in shape) else {"all": True}
    return [call.emit("squeeze", [value], axes=known, **checked)]


def convert_unsqueeze(call: Call) -> list[Tensor]:
    value = call.operand(0)
    given = _given_axes(call)
    assert given is not None
    return [call.emit("unsqueeze", [value], axes=call.axes(given, len(shape_of(value)) + len(given)))]


def convert_transpose(call: Call) -> list[Tensor]:
    value = call.operand(0)
    rank = len(shape_of(value))
    perm = call.attributes.get("perm", list(range(rank))[::-1])
    return [call.emit("transpose", [value], perm=perm)]
