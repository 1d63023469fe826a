"""Operators of the operator sets 1 to 8, in which some had another form than they have had since.

From operator set 9 on tensors say their shapes and broadcasting is numpy's, and converters know each operator as it is
since. What differed before ends here: attributes that changed are rewritten where a node is read
(`acc.frontend.renewal`), and what depends on the types of operands is defined by operators of today.
"""

from __future__ import annotations

import numpy as np

from acc.frontend.definitions import Builder, Definition, Definitions
from acc.frontend.problems import Unsupported

__all__ = ["OLD_OPERATORS"]


def _binary(op_type: str) -> Definition:
    """Two operands, of which the second may have the axes of the first from `axis` on."""

    def build(b: Builder) -> str:
        other = b.input(1)
        if b.attribute("broadcast", 0) and "axis" in b.node.attributes:
            rank, axis = b.rank(0), b.attribute("axis")
            axis += rank if axis < 0 else 0
            behind = rank - axis - b.rank(1)
            if not 0 <= axis < max(rank, 1) or behind < 0:
                raise Unsupported(f"an operand of rank {b.rank(1)} does not fit one of rank {rank} from axis {axis} on")
            if behind:
                other = b.op("Unsqueeze", other, b.integers(*range(-behind, 0)))
        return b.op(op_type, b.input(0), other)

    return Definition.of(build, "axis", "broadcast", ignored=("consumed_inputs",))


def _prelu(b: Builder) -> str:
    """Slopes that are a vector belong to the channels."""
    slope, rank = b.input(1), b.rank(0)
    if b.rank(1) == 1 and rank > 2 and b.shape(1) != [1]:
        slope = b.op("Unsqueeze", slope, b.integers(*range(1, rank - 1)))
    return b.op("PRelu", b.input(0), slope)


def _reshape(b: Builder) -> str:
    return b.op("Reshape", b.input(0), b.integers(*b.attribute("shape", ())))


def _split(b: Builder) -> list[str]:
    count, axis = len(b.node.outputs), b.attribute("axis", 0)
    sizes = b.attribute("split")
    if b.has(1):
        return b.ops("Split", [b.input(0), b.cast(b.input(1), np.int64)], count, axis=axis)
    if sizes:
        return b.split(b.input(0), axis, sizes)
    return b.ops("Split", [b.input(0)], count, axis=axis, num_outputs=count)


def _tile(b: Builder) -> str:
    axis = int(b.elements(2, "the axis").reshape(-1)[0])
    repeats = [b.integers(1)] * b.rank(0)
    repeats[axis] = b.reshape(b.cast(b.input(1), np.int64), 1)
    return b.op("Tile", b.input(0), b.op("Concat", *repeats, axis=0))


def _upsample(b: Builder) -> str:
    scales = b.attribute("scales")
    if scales is None:
        scales = [*[1.0] * (b.rank(0) - 2), b.attribute("height_scale", 1.0), b.attribute("width_scale", 1.0)]
    mode = {"bilinear": "linear"}.get(b.attribute("mode", "nearest"), b.attribute("mode", "nearest"))
    return b.op(
        "Resize",
        b.input(0),
        "",
        b.constant(np.array(scales, np.float32)),
        mode=mode,
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def _batch_normalization(b: Builder) -> str:
    if b.attribute("spatial", 1):
        return b.op("BatchNormalization", *(b.input(index) for index in range(5)), passed=("epsilon",))
    # A mean and a variance for every element of an image.
    scale, bias, mean, variance = (b.input(index) for index in range(1, 5))
    epsilon = b.number(b.attribute("epsilon", 1e-5), b.dtype(0))
    deviation = b.op("Sqrt", b.op("Add", variance, epsilon))
    return b.op("Add", b.op("Mul", b.op("Div", b.op("Sub", b.input(0), mean), deviation), scale), bias)


# Operators that never were part of the standard, but that converters of its first years wrote.


def _scaled_channels(b: Builder) -> str:
    bias = np.array(b.attribute("bias", ()), b.dtype(0)).reshape(-1, *[1] * (b.rank(0) - 2))
    return b.op("Add", b.op("Mul", b.input(0), b.number(b.attribute("scale", 1.0), b.dtype(0))), b.constant(bias))


def _affine(b: Builder) -> str:
    scaled = b.op("Mul", b.input(0), b.number(b.attribute("alpha", 1.0), b.dtype(0)))
    return b.op("Add", scaled, b.number(b.attribute("beta", 0.0), b.dtype(0)))


def _scaled_tanh(b: Builder) -> str:
    inner = b.op("Mul", b.input(0), b.number(b.attribute("beta", 1.0), b.dtype(0)))
    return b.op("Mul", b.op("Tanh", inner), b.number(b.attribute("alpha", 1.0), b.dtype(0)))


def _parametric_softplus(b: Builder) -> str:
    inner = b.op("Mul", b.input(0), b.number(b.attribute("beta", 1.0), b.dtype(0)))
    return b.op("Mul", b.op("Softplus", inner), b.number(b.attribute("alpha", 1.0), b.dtype(0)))


def _crop(b: Builder) -> str:
    left, top, right, bottom = b.attribute("border")
    scale = b.attribute("scale")
    ends = [top + scale[0], left + scale[1]] if scale else [-bottom or 2**31, -right or 2**31]
    return b.op("Slice", b.input(0), b.integers(top, left), b.integers(*ends), b.integers(2, 3))


_BINARY = ("Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor")

OLD_OPERATORS: Definitions = {
    **{name: _binary(name) for name in _BINARY},
    "BatchNormalization": Definition.of(
        _batch_normalization, "epsilon", "spatial", ignored=("consumed_inputs", "is_test", "momentum")
    ),
    "PRelu": Definition.of(_prelu, ignored=("consumed_inputs",)),
    "Reshape": Definition.of(_reshape, "shape", ignored=("consumed_inputs",)),
    "Split": Definition.of(_split, "axis", "split"),
    "Tile": Definition.of(_tile),
    "Upsample": Definition.of(_upsample, "height_scale", "mode", "scales", "width_scale"),
    "Affine": Definition.of(_affine, "alpha", "beta"),
    "Crop": Definition.of(_crop, "border", "scale"),
    "ImageScaler": Definition.of(_scaled_channels, "bias", "scale"),
    "ParametricSoftplus": Definition.of(_parametric_softplus, "alpha", "beta"),
    "ScaledTanh": Definition.of(_scaled_tanh, "alpha", "beta"),
}
