"""Operators into which ONNX Runtime's optimizer fuses several, domain com.microsoft, defined by ONNX's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from acc.frontend.definitions import Builder, Definition, Definitions
from acc.frontend.problems import Unsupported

__all__ = ["FUSED_OPERATORS"]

# Activations with the attributes that their parameters are, in order.
_ACTIVATIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("Relu", "Tanh", "Sigmoid", "Softplus", "Softsign", "HardSwish", "Erf"), ()),
    **dict.fromkeys(("Elu", "LeakyRelu", "ThresholdedRelu"), ("alpha",)),
    "HardSigmoid": ("alpha", "beta"),
    "Selu": ("alpha", "gamma"),
}


def _activate(b: Builder, value: str, parameters: dict[str, float], listed: list[float]) -> str:
    """An activation that an attribute names; its parameters are given by name or in their order."""
    kind = b.attribute("activation", "")
    if not kind:
        return value
    if kind == "Clip" and len(listed) == 2:
        limits = [b.number(limit, b.dtype(0)) for limit in listed]
        return b.op("Clip", value, *limits)
    if kind not in _ACTIVATIONS:
        raise Unsupported(f"attribute 'activation' is '{kind}', which is not supported")
    given: dict[str, Any] = dict(zip(_ACTIVATIONS[kind], listed, strict=False)) | {
        name: number for name, number in parameters.items() if name in _ACTIVATIONS[kind]
    }
    return b.op(kind, value, **given)


def _named_parameters(b: Builder) -> dict[str, float]:
    found = {name: b.attribute(f"activation_{name}") for name in ("alpha", "beta", "gamma")}
    return {name: number for name, number in found.items() if number is not None}


def _conv(b: Builder) -> str:
    operands = [b.input(0), b.input(1), *([b.input(2)] if b.has(2) else [])]
    result = b.op("Conv", *operands, passed=_WINDOW)
    if b.has(3):
        result = b.op("Add", result, b.input(3))
    return _activate(b, result, {}, list(b.attribute("activation_params", ())))


def _gemm(b: Builder) -> str:
    operands = [b.input(0), b.input(1), *([b.input(2)] if b.has(2) else [])]
    return _activate(b, b.op("Gemm", *operands, passed=_GEMM), _named_parameters(b), [])


def _turned(b: Builder, index: int, letter: str) -> str:
    """A factor whose axes are to be exchanged: the first with the batches, and the last two."""
    order = list(range(b.rank(index)))
    if len(order) > 1 and b.attribute(f"transBatch{letter}", 0):
        order = [*order[1:-1], order[0], order[-1]]
    if len(order) > 1 and b.attribute(f"trans{letter}", 0):
        order[-2:] = order[:-3:-1]
    return b.transpose(b.input(index), *order)


def _product(b: Builder) -> str:
    result = b.op("MatMul", _turned(b, 0, "A"), _turned(b, 1, "B"))
    alpha = b.attribute("alpha", 1.0)
    return result if alpha == 1 else b.op("Mul", result, b.number(alpha, b.dtype(0)))


def _activated_product(b: Builder) -> str:
    return _activate(b, _product(b), _named_parameters(b), [])


def _biased(b: Builder, index: int = 1) -> str:
    return b.op("Add", b.input(0), b.input(index)) if b.has(index) else b.input(0)


def _gelu(approximate: str) -> Callable[[Builder], str]:
    return lambda b: b.op("Gelu", _biased(b), approximate=approximate)


def _quick_gelu(b: Builder) -> str:
    factor = b.number(b.attribute("alpha", 1.702), b.dtype(0))
    return b.op("Mul", b.input(0), b.op("Sigmoid", b.op("Mul", b.input(0), factor)))


def _bias_softmax(b: Builder) -> str:
    axis, rank = b.attribute("axis", 1), b.rank(0)
    axis += rank if axis < 0 else 0
    bias = b.input(1)
    if b.rank(1) == rank or b.attribute("is_inner_broadcast", 1) == 0:
        value = b.op("Add", b.input(0), bias)
    else:
        # Its rows belong to the outer axes, of which the bias has only some: the inner ones of them are repeated.
        missing = rank - b.rank(1)
        bias = b.op("Unsqueeze", bias, b.integers(*range(axis - missing, axis)))
        value = b.op("Add", b.input(0), bias)
    if axis == rank - 1:
        return b.op("Softmax", value, axis=axis)
    rows = b.op("Softmax", b.op("Flatten", value, axis=axis), axis=1)
    return b.op("Reshape", rows, b.op("Shape", value))


def _layer_normalization(b: Builder, value: str, scale: str, bias: str, epsilon: float) -> list[str]:
    """The normalization over the last axis, its mean and the inverse of its deviation."""
    operands = [value, scale, *([bias] if bias else [])]
    return b.ops("LayerNormalization", operands, 3, axis=-1, epsilon=epsilon)


_EPSILON = 1e-12


def _skipped(b: Builder, bias: int) -> str:
    """The sum of the operand, what skips it and a bias."""
    total = b.op("Add", b.input(0), b.input(1))
    return b.op("Add", total, b.input(bias)) if b.has(bias) else total


def _skip_layer_normalization(b: Builder) -> list[str]:
    total = _skipped(b, 4)
    results = _layer_normalization(b, total, b.input(2), b.optional(3), b.attribute("epsilon", _EPSILON))
    return [*results, total]


def _skip_rms_normalization(b: Builder) -> list[str]:
    total = _skipped(b, 3)
    return [
        b.op("RMSNormalization", total, b.input(2), axis=-1, epsilon=b.attribute("epsilon", _EPSILON)),
        "",
        "",
        total,
    ]


def _rms_normalization(b: Builder) -> str:
    axis, epsilon = b.attribute("axis", -1), b.attribute("epsilon", 1e-5)
    return b.op("RMSNormalization", b.input(0), b.input(1), axis=axis, epsilon=epsilon)


def _embedding(b: Builder) -> list[str]:
    words = b.op("Gather", b.input(2), b.input(0))
    if b.has(8):
        places = b.op("Gather", b.input(3), b.input(8))
    else:
        places = b.op("Slice", b.input(3), b.integers(0), b.size(b.input(0), 1), b.integers(0))
    total = b.op("Add", words, places)
    if b.has(1):
        total = b.op("Add", total, b.op("Gather", b.input(4), b.input(1)))
    result = _layer_normalization(b, total, b.input(5), b.input(6), b.attribute("epsilon", _EPSILON))[0]
    if b.has(7):
        count = b.op("ReduceSum", b.cast(b.input(7), np.int32), b.integers(1), keepdims=0)
    else:
        count = b.op("Expand", b.number(0, np.int32), b.size(b.input(0), 0))
    return [result, count, total]


def _distance(b: Builder) -> str:
    """Distances between all rows of two matrices, from their products."""
    metric = b.attribute("metric", "sqeuclidean")
    if metric not in ("sqeuclidean", "euclidean"):
        raise Unsupported(f"attribute 'metric' is '{metric}', which is not supported")
    squares = [b.op("ReduceSumSquare", b.input(index), b.integers(1), keepdims=1) for index in (0, 1)]
    products = b.op("MatMul", b.input(0), b.transpose(b.input(1), 1, 0))
    both = b.op("Add", squares[0], b.transpose(squares[1], 1, 0))
    twice = b.op("Add", products, products)
    result = b.op("Relu", b.op("Sub", both, twice))
    return b.op("Sqrt", result) if metric == "euclidean" else result


def _range(b: Builder) -> str:
    return b.op("Range", b.input(0), b.input(1), b.input(2) if b.has(2) else b.number(1, b.dtype(0)))


def _same(op_type: str, *attributes: str) -> Definition:
    """An operator that means what the standard's of that name does."""

    def build(b: Builder) -> str:
        operands = [b.optional(index) for index in range(len(b.node.inputs))]
        return b.op(op_type, *operands, passed=attributes)

    return Definition.of(build, *attributes)


_WINDOW = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
_GEMM = ("alpha", "beta", "transA", "transB")
_FUSED = ("alpha", "transA", "transB", "transBatchA", "transBatchB")
_NAMED = ("activation", "activation_alpha", "activation_beta", "activation_gamma")

FUSED_OPERATORS: Definitions = {
    "FusedConv": Definition.of(_conv, *_WINDOW, "activation", "activation_params"),
    "FusedGemm": Definition.of(_gemm, *_GEMM, *_NAMED),
    "FusedMatMul": Definition.of(_product, *_FUSED),
    "TransposeMatMul": Definition.of(_product, *_FUSED),
    "FusedMatMulActivation": Definition.of(_activated_product, *_FUSED, *_NAMED, ignored=("activation_axis",)),
    "Gelu": Definition.of(_gelu("none")),
    "BiasGelu": Definition.of(_gelu("none")),
    "FastGelu": Definition.of(_gelu("tanh")),
    "QuickGelu": Definition.of(_quick_gelu, "alpha"),
    "BiasAdd": Definition.of(lambda b: b.op("Add", _biased(b), b.input(2))),
    "BiasSoftmax": Definition.of(_bias_softmax, "axis", "is_inner_broadcast"),
    "SkipLayerNormalization": Definition.of(_skip_layer_normalization, "epsilon"),
    "SkipSimplifiedLayerNormalization": Definition.of(_skip_rms_normalization, "epsilon"),
    "SimplifiedLayerNormalization": Definition.of(_rms_normalization, "axis", "epsilon", ignored=("stash_type",)),
    "EmbedLayerNormalization": Definition.of(_embedding, "epsilon", ignored=("mask_index_type",)),
    "CDist": Definition.of(_distance, "metric"),
    "Pad": _same("Pad", "mode"),
    "Trilu": _same("Trilu", "upper"),
    "GatherND": _same("GatherND"),
    "Range": Definition.of(_range),
    "ExpandDims": _same("Unsqueeze"),
}
