"""Convolutions and products of quantized operands: ConvInteger, QLinearConv, MatMulInteger, QLinearMatMul.

Where all parameters are constants the operators that also quantize their result become what they mean, dequantize,
compute, quantize, which is then legalized to integer arithmetic as any other quantized model. Otherwise zero
points are subtracted and sums computed in int32, which is exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from acc import ir
from acc.frontend.call import Call, element_of, shape_of
from acc.frontend.emitter import Quantization
from acc.frontend.problems import Unsupported
from acc.frontend.sizes import are_same
from acc.frontend.windows import convolution_attributes, padded

_INT32 = np.dtype(np.int32)
_FLOAT32 = np.dtype(np.float32)


def _cast(call: Call, value: ir.Value, dtype: np.dtype) -> ir.Value:
    wanted = call.tensor_type(shape_of(value), dtype)
    return value if value.type == wanted else call.emit_as(wanted, "cast", value)


def _reshape(call: Call, value: ir.Value, shape: Sequence[int]) -> ir.Value:
    if are_same(shape_of(value), shape):
        return value
    return call.reshape(value, shape)


def _parameter(call: Call, index: int, axis: int, rank: int, dtype: np.dtype) -> ir.Value:
    """A scale or zero point, shaped such that it broadcasts along `axis` of an operand of `rank`."""
    value = _cast(call, call.operand(index), dtype)
    shape = list(shape_of(value))
    if math.prod(shape) == 1:
        return _reshape(call, value, [])
    if len(shape) == 1 and rank:
        column = [1] * rank
        column[axis] = shape[0]
        return _reshape(call, value, column)
    if len(shape) != rank:
        raise Unsupported(f"'{call.node.inputs[index]}' has rank {len(shape)} but its operand has rank {rank}")
    return value


def _centred(call: Call, index: int, zero: int, axis: int) -> ir.Value:
    """Operand `index` in int32 minus its zero point, input `zero`, which may have an element for each of `axis`."""
    element = element_of(call.operand(index))
    if not isinstance(element, ir.IntegerType) or element.width != 8:
        raise Unsupported(f"operand '{call.node.inputs[index]}' has elements of {element} instead of 8-bit integers")
    value = _cast(call, call.operand(index), _INT32)
    if not call.has(zero):
        return value
    return call.emit("sub", [value, _parameter(call, zero, axis, len(shape_of(value)), _INT32)])


def convert_conv_integer(call: Call) -> list[ir.Value]:
    attributes = convolution_attributes(call, 1)
    value, attributes = padded(call, _centred(call, 0, 2, 1), attributes)
    return [call.emit("conv", [value, _centred(call, 1, 3, 0)], **attributes)]


def convert_mat_mul_integer(call: Call) -> list[ir.Value]:
    return [call.emit("mat_mul", [_rows(call, 0, 2), _columns(call, 1, 3)])]


def _rows(call: Call, index: int, zero: int) -> ir.Value:
    return _centred(call, index, zero, max(len(call.shape(index)) - 2, 0))


def _columns(call: Call, index: int, zero: int) -> ir.Value:
    return _centred(call, index, zero, len(call.shape(index)) - 1)


def convert_qlinear_mat_mul(call: Call) -> list[ir.Value]:
    constants = (1, 2, 4, 5, 6, 7)
    if all(isinstance(call.tensor(index), np.ndarray) for index in constants):
        a = _read_quantization(call, 0, 1, 2, None)
        b = _read_quantization(call, 3, 4, 5, len(call.shape(3)) - 1)
        y = _read_quantization(call, None, 6, 7, None)
        if a and b and y:
            product = call.emit("mat_mul", [_dequantized(call, 0, a), _dequantized(call, 3, b)])
            return [_quantized(call, product, y)]
    total = call.emit("mat_mul", [_rows(call, 0, 2), _columns(call, 3, 5)])
    rank = len(shape_of(total))
    first = _parameter(call, 1, max(rank - 2, 0), rank, _FLOAT32)
    second = _parameter(call, 4, rank - 1, rank, _FLOAT32)
    return [_requantized(call, total, [first, second], 6, 7)]


def convert_qlinear_conv(call: Call) -> list[ir.Value]:
    attributes = convolution_attributes(call, 3)
    outputs = call.shape(3)[0]
    constants = (1, 2, 4, 5, 6, 7, *([8] if call.has(8) else []))
    if all(isinstance(call.tensor(index), np.ndarray) for index in constants):
        x = _read_quantization(call, 0, 1, 2, None)
        w = _read_quantization(call, 3, 4, 5, 0)
        y = _read_quantization(call, None, 6, 7, None)
        if x and w and y:
            operands = [_dequantized(call, 0, x), _dequantized(call, 3, w)]
            if call.has(8):
                scales = tuple(x.scales[0] * scale for scale in w.scales)
                axis = None if len(scales) == 1 else 0
                bias = Quantization(_INT32, scales, (0,) * len(scales), axis)
                operands.append(call.emit("dequantize_linear", [call.quantized_constant(8, bias)]))
            operands[0], attributes = padded(call, operands[0], attributes)
            return [_quantized(call, call.emit("conv", operands, **attributes), y)]
    operands = [_centred(call, 0, 2, 1), _centred(call, 3, 5, 0)]
    operands[0], attributes = padded(call, operands[0], attributes)
    if call.has(8):
        operands.append(_reshape(call, call.operand(8), [outputs]))
    total = call.emit("conv", operands, **attributes)
    rank = len(shape_of(total))
    scales = [_parameter(call, index, 1, rank, _FLOAT32) for index in (1, 4)]
    return [_requantized(call, total, scales, 6, 7)]


def _read_quantization(call: Call, value: int | None, scale: int, zero: int, axis: int | None) -> Quantization | None:
    """What constant parameters say about an operand, or None if that is no quantized type."""
    scales, zeros = call.constant(scale, "a scale"), call.constant(zero, "a zero point")
    if scales.dtype != np.float32 or zeros.dtype not in (np.int8, np.uint8) or zeros.size != scales.size:
        return None
    if scales.ndim > 1 or not scales.size or not np.all(np.isfinite(scales) & (scales >= 0)):
        return None
    # Types have positive scales; weights can have an equal one where theirs is 0.
    if not np.all(scales) and (value is None or not isinstance(call.tensor(value), np.ndarray)):
        return None
    if scales.size > 1 and (axis is None or value is None or call.shape(value)[axis] != scales.size):
        return None
    along = axis if scales.size > 1 else None
    return Quantization(zeros.dtype, tuple(map(float, scales.flat)), tuple(map(int, zeros.flat)), along)


def _dequantized(call: Call, index: int, quantization: Quantization) -> ir.Value:
    """The reals that operand `index` stands for."""
    tensor = call.tensor(index)
    if isinstance(tensor, np.ndarray):
        if tensor.dtype != quantization.storage:
            raise Unsupported(f"operand '{call.node.inputs[index]}' and its zero point have different types")
        return call.emit("dequantize_linear", [call.quantized_constant(index, quantization)])
    wanted = call.tensor_type(shape_of(tensor), quantization)
    if wanted != tensor.type:
        tensor = call.emit_as(wanted, "storage_cast", call.storage(tensor))
    return call.emit("dequantize_linear", [tensor])


def _quantized(call: Call, value: ir.Value, quantization: Quantization) -> ir.Value:
    return call.emit_as(call.tensor_type(shape_of(value), quantization), "quantize_linear", value)


def _requantized(call: Call, total: ir.Value, scales: Sequence[ir.Value], scale: int, zero: int) -> ir.Value:
    """saturate(round(total * scales / scale) + zero), with parameters that are only known at run time."""
    real = _cast(call, total, _FLOAT32)
    factor = call.emit("mul", list(scales))
    rank = len(shape_of(total))
    factor = call.emit("div", [factor, _parameter(call, scale, 0, rank, _FLOAT32)])
    real = call.emit("mul", [real, factor])
    # Quantization to int32 with scale 1 is rounding.
    whole = call.emit_as(
        call.tensor_type(shape_of(real), Quantization(_INT32, (1.0,), (0,), None)), "quantize_linear", real
    )
    element = element_of(call.operand(zero))
    if not isinstance(element, ir.IntegerType) or element.width != 8:
        raise Unsupported(f"the result has elements of {element} instead of 8-bit integers")
    moved = call.emit("add", [call.storage(whole), _parameter(call, zero, 0, rank, _INT32)])
    limits = np.iinfo(np.uint8 if element.is_unsigned else np.int8)
    clipped = call.emit("clip", [moved], min=np.float64(limits.min), max=np.float64(limits.max))
    return call.emit_as(call.tensor_type(shape_of(clipped), element), "cast", clipped)
