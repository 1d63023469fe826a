"""Operators of ONNX Runtime on quantized tensors, domain com.microsoft, defined by ONNX's own.

Its quantizer writes them in models of the format "QOperator", beside QLinearConv and QLinearMatMul of the standard.
Each says in one node what the format "QDQ" says in several: dequantize the operands, compute, quantize the result. That
is what they become here, so that everything behind the importer knows one way to say it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from acc.frontend.definitions import Builder, Definition, Definitions
from acc.frontend.problems import Unsupported

__all__ = ["QUANTIZED_OPERATORS", "integer_product"]


def _real(b: Builder, value: int, **attributes: Any) -> str:
    """Operand `value`, dequantized with the scale and the zero point behind it."""
    zero = [b.inputs[value + 2]] if b.has(value + 2) else []
    return b.op("DequantizeLinear", b.input(value), b.input(value + 1), *zero, **attributes)


def _quantized(b: Builder, value: str, scale: int) -> str:
    """The result `value`, quantized with operand `scale` and the zero point behind it, which says of what type."""
    if not b.has(scale + 1):
        raise Unsupported("has no zero point for its result, which would say of what type it is")
    return b.op("QuantizeLinear", value, b.input(scale), b.input(scale + 1))


def _binary(op_type: str) -> Callable[[Builder], str]:
    return lambda b: _quantized(b, b.op(op_type, _real(b, 0), _real(b, 3)), 6)


def _unary(op_type: str, *passed: str) -> Callable[[Builder], str]:
    return lambda b: _quantized(b, b.op(op_type, _real(b, 0), passed=passed), 3)


def _to_front(rank: int) -> list[int]:
    """The permutation that brings the channels, which are last, in front of the spatial axes."""
    return [0, rank - 1, *range(1, rank - 1)]


def _to_back(rank: int) -> list[int]:
    return [0, *range(2, rank), 1]


def _pool(op_type: str, *passed: str) -> Callable[[Builder], str]:
    def build(b: Builder) -> str:
        if not b.attribute("channels_last", 0):
            return _unary(op_type, *passed)(b)
        rank = b.rank(0)
        value = b.op(op_type, b.transpose(_real(b, 0), *_to_front(rank)), passed=passed)
        return _quantized(b, b.transpose(value, *_to_back(rank)), 3)

    return build


def _convolution(b: Builder) -> str:
    last = bool(b.attribute("channels_last", 0))
    rank = b.rank(0)
    value = b.transpose(b.input(0), *_to_front(rank)) if last else b.input(0)
    operands = [value, *(b.optional(index) for index in range(1, 9))]
    while not operands[-1]:
        operands.pop()
    result = b.op("QLinearConv", *operands, passed=_WINDOW)
    return b.transpose(result, *_to_back(rank)) if last else result


def _softmax(b: Builder) -> str:
    opset = b.attribute("opset", 13)
    axis = b.attribute("axis", -1 if opset >= 13 else 1)
    if opset >= 13:
        return _quantized(b, b.op("Softmax", _real(b, 0), axis=axis), 3)
    # Once it was over all axes from this one on.
    value = _real(b, 0)
    rows = b.op("Softmax", b.op("Flatten", value, axis=axis), axis=1)
    return _quantized(b, b.op("Reshape", rows, b.op("Shape", value)), 3)


def _concat(b: Builder) -> str:
    count = len(b.node.inputs)
    if count < 5 or count % 3 != 2:
        raise Unsupported(f"has {count} inputs, which are not a scale, a zero point and three per operand")
    return _quantized(b, b.op("Concat", *(_real(b, at) for at in range(2, count, 3)), passed=("axis",)), 0)


def _where(b: Builder) -> str:
    return _quantized(b, b.op("Where", b.input(0), _real(b, 1), _real(b, 4)), 7)


def _mean(b: Builder) -> str:
    axes = b.integers(*b.attribute("axes", ()))
    return _quantized(b, b.op("ReduceMean", _real(b, 0), axes, passed=("keepdims",)), 3)


def _gemm(b: Builder) -> str:
    columns = 0 if b.attribute("transB", 0) else 1
    operands = [_real(b, 0), _real(b, 3, axis=columns)]
    if b.has(6):
        # Its scale is that of the products.
        scale = b.op("Mul", b.input(1), b.input(4))
        if (alpha := b.attribute("alpha", 1.0)) != 1:
            scale = b.op("Mul", scale, b.number(alpha, np.float32))
        operands.append(b.op("Mul", b.cast(b.input(6), np.float32), scale))
    product = b.op("Gemm", *operands, passed=("alpha", "transA", "transB"))
    return _quantized(b, product, 7) if b.has(7) else product


def _quantize(b: Builder) -> str:
    return b.op("QuantizeLinear", *filter(None, map(b.optional, range(3))), passed=("axis",))


def _dequantize(b: Builder) -> str:
    return b.op("DequantizeLinear", *filter(None, map(b.optional, range(3))), passed=("axis",))


def integer_product(b: Builder, a: str, weights: str, a_zero: str, zero: str, scales: tuple[str, str]) -> str:
    """A product of integers with zero points, empty names for none, as reals: scaled by both scales."""
    operands = [a, weights, a_zero, zero]
    while not operands[-1]:
        operands.pop()
    total = b.cast(b.op("MatMulInteger", *operands), np.float32)
    return b.op("Mul", total, b.op("Mul", *scales))


def _dynamic_product(b: Builder) -> str:
    value, scale, zero = b.ops("DynamicQuantizeLinear", [b.input(0)], 3)
    product = integer_product(b, value, b.input(1), zero, b.optional(3), (scale, b.input(2)))
    return b.op("Add", product, b.input(4)) if b.has(4) else product


def _integer_product(b: Builder) -> str:
    scale = b.input(2)
    if b.rank(2) == 1 and b.shape(2) != [1]:
        scale = b.reshape(scale, -1, 1)
    product = integer_product(b, b.input(0), b.input(1), b.optional(4), b.optional(5), (scale, b.input(3)))
    return b.op("Add", product, b.input(6)) if b.has(6) else product


def _lstm_weights(b: Builder, value: int, scale: int) -> str:
    """Weights [directions, inputs, 4 * hidden] of integers, as LSTM wants them: reals, transposed."""
    integers = b.transpose(b.input(value), 0, 2, 1)
    # One for each direction, or for each row of what is transposed.
    parameters = []
    for at in (scale, scale + 1):
        shape = (0, 1, 1) if b.rank(at) == 1 else (0, -1, 1)
        parameters.append(b.cast(b.reshape(b.input(at), *shape), np.float32))
    return b.op("Mul", b.op("Sub", b.cast(integers, np.float32), parameters[1]), parameters[0])


def _lstm(b: Builder) -> list[str]:
    """An LSTM on dequantized weights. Its input is rounded to 8 bits as in ONNX Runtime, its states are not."""
    value = b.op("DequantizeLinear", *b.ops("DynamicQuantizeLinear", [b.input(0)], 3))
    weights = [_lstm_weights(b, 1, 8), _lstm_weights(b, 2, 10)]
    operands = [value, *weights, *(b.optional(index) for index in range(3, 8))]
    while not operands[-1]:
        operands.pop()
    return b.ops("LSTM", operands, 3, passed=_LSTM)


_WINDOW = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
_POOL = ("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides")
_LSTM = ("activation_alpha", "activation_beta", "activations", "clip", "direction", "hidden_size", "input_forget")

QUANTIZED_OPERATORS: Definitions = {
    "QuantizeLinear": Definition.of(_quantize, "axis"),
    "DequantizeLinear": Definition.of(_dequantize, "axis"),
    "QLinearAdd": Definition.of(_binary("Add")),
    "QLinearMul": Definition.of(_binary("Mul")),
    "QLinearSigmoid": Definition.of(_unary("Sigmoid")),
    "QLinearLeakyRelu": Definition.of(_unary("LeakyRelu", "alpha"), "alpha"),
    "QLinearSoftmax": Definition.of(_softmax, "axis", "opset"),
    "QLinearAveragePool": Definition.of(_pool("AveragePool", *_POOL), *_POOL, "channels_last"),
    "QLinearGlobalAveragePool": Definition.of(_pool("GlobalAveragePool"), "channels_last"),
    "QLinearReduceMean": Definition.of(_mean, "axes", "keepdims"),
    "QLinearConcat": Definition.of(_concat, "axis"),
    "QLinearConv": Definition.of(_convolution, *_WINDOW, "channels_last"),
    "QLinearWhere": Definition.of(_where),
    "QGemm": Definition.of(_gemm, "alpha", "transA", "transB"),
    "DynamicQuantizeMatMul": Definition.of(_dynamic_product),
    "MatMulIntegerToFloat": Definition.of(_integer_product),
    "DynamicQuantizeLSTM": Definition.of(_lstm, *_LSTM),
}
