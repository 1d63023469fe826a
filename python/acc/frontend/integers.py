"""Convolutions and products of quantized operands: ConvInteger, QLinearConv, MatMulInteger, QLinearMatMul.

Where all parameters are constants the operators that also quantize their result become what they mean, dequantize,
compute, quantize, which is then legalized to integer arithmetic as any other quantized model. Otherwise stored bytes
are multiplied, and what zero points contribute, which a run may compute, is subtracted from the sums:

    sum (a - za) * (b - zb)  =  sum a * b  -  za * sum b  -  zb * sum (a - za)

all of it in int32, which wraps and is exact. What has no form of bytes, such as vectors and computed weights of a
convolution, is centred and multiplied in int32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from acc import ir
from acc.frontend.call import Call, Tensor, element_of, shape_of
from acc.frontend.emitter import Quantization
from acc.frontend.problems import Unsupported
from acc.frontend.sizes import are_same
from acc.frontend.windows import convolution_attributes, padded, surrounded

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


@dataclass(frozen=True)
class _Bytes:
    """An operand as signed bytes, unsigned ones 128 less than they are, and its zero point, likewise.

    zero: in int32, shaped such that it broadcasts with the operand; None if it is zero.
    """

    value: Tensor
    zero: Tensor | None


def _read_bytes(call: Call, index: int, zero: int, axis: int) -> _Bytes | None:
    """Operand `index` and its zero point, input `zero`, along `axis`; None if these are no bytes."""
    given = call.tensor(index)
    if isinstance(given, np.ndarray):
        return _known_bytes(call, given, index, zero, axis)
    value = call.operand(index)
    element = element_of(value)
    if not isinstance(element, ir.IntegerType) or element.width != 8:
        return None
    base = 128 if element.is_unsigned else 0
    if base:
        value = call.emit_as(call.tensor_type(shape_of(value), np.dtype(np.int8)), "rebase", value)
    known = call.tensor(zero) if call.has(zero) else np.zeros((), np.int32)
    rank = len(shape_of(value))
    if isinstance(known, np.ndarray):
        point = _int32(_aligned(call, zero, known, axis, rank).astype(np.int32) - base)
        return _Bytes(value, point if point.any() else None)
    moved = _parameter(call, zero, axis, rank, _INT32)
    return _Bytes(value, call.emit("sub", [moved, call.literal(np.asarray(base, np.int32))]) if base else moved)


def _known_bytes(call: Call, array: np.ndarray, index: int, zero: int, axis: int) -> _Bytes | None:
    """A constant operand, without its zero point where the difference is bytes, too."""
    known = call.tensor(zero) if call.has(zero) else np.zeros((), np.int32)
    if array.dtype not in (np.int8, np.uint8) or not isinstance(known, np.ndarray):
        return None
    aligned = _aligned(call, zero, known, axis, array.ndim).astype(np.int32)
    if any(size not in (1, whole) for size, whole in zip(aligned.shape, array.shape, strict=False)):
        point, operand = call.node.inputs[zero], call.node.inputs[index]
        raise Unsupported(
            f"zero point '{point}' has shape {list(known.shape)}, which does not fit '{operand}' {list(array.shape)}"
        )
    centred = array.astype(np.int16) - aligned.astype(np.int16)
    if centred.min(initial=0) >= -128 and centred.max(initial=0) <= 127:
        return _Bytes(centred.astype(np.int8), None)
    base = 128 if array.dtype == np.uint8 else 0
    return _Bytes((array.astype(np.int16) - base).astype(np.int8), _int32(aligned - base))


def _aligned(call: Call, index: int, array: np.ndarray, axis: int, rank: int) -> np.ndarray:
    """A known zero point, input `index`, shaped such that it broadcasts along `axis` of an operand of `rank`."""
    if array.size == 1:
        return array.reshape(())
    if array.ndim == 1:
        return array.reshape([-1 if a == axis else 1 for a in range(rank)])
    if array.ndim != rank:
        raise Unsupported(f"'{call.node.inputs[index]}' has rank {array.ndim} but its operand has rank {rank}")
    return array


def _int32(value: np.ndarray | np.generic) -> np.ndarray:
    """The low 32 bits of integers; an array also of one number."""
    return np.asarray(value).astype(np.int32)


def _value(call: Call, tensor: Tensor) -> ir.Value:
    return call.literal(tensor) if isinstance(tensor, np.ndarray) else tensor


def _times(call: Call, a: Tensor, b: Tensor) -> Tensor:
    """a * b in int32; known if both are."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return _int32(a.astype(np.int64) * b)
    return call.emit("mul", [_value(call, a), _value(call, b)])


def _minus(call: Call, a: Tensor, b: Tensor) -> Tensor:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return _int32(a.astype(np.int64) - b)
    return call.emit("sub", [_value(call, a), _value(call, b)])


def _sum(call: Call, tensor: Tensor, axis: int) -> Tensor:
    """Sums of bytes along an axis, which stays."""
    if isinstance(tensor, np.ndarray):
        return tensor.sum(axis, np.int64, keepdims=True).astype(np.int32)
    return call.emit("reduce_sum", [_cast(call, tensor, _INT32)], axes=[axis], keepdims=True)


def _mat_mul(call: Call, a: int, a_zero: int, b: int, b_zero: int) -> ir.Value:
    """The product of inputs `a` and `b` without their zero points, in int32."""
    shapes = call.shape(a), call.shape(b)
    depth = shapes[0][-1] if shapes[0] else 0
    left = right = None
    if min(map(len, shapes)) > 1 and isinstance(depth, int):
        left = _read_bytes(call, a, a_zero, len(shapes[0]) - 2)
        right = _read_bytes(call, b, b_zero, len(shapes[1]) - 1)
    if left is None or right is None:
        return call.emit("mat_mul", [_rows(call, a, a_zero), _columns(call, b, b_zero)])
    terms: list[Tensor] = []
    if left.zero is not None:
        terms.append(_times(call, left.zero, _sum(call, right.value, len(shapes[1]) - 2)))
    if right.zero is not None:
        rows = _sum(call, left.value, len(shapes[0]) - 1)
        if left.zero is not None:
            rows = _minus(call, rows, _times(call, left.zero, np.asarray(depth, np.int32)))
        terms.append(_times(call, right.zero, rows))
    total = call.emit("matmul_integer", [_value(call, left.value), _value(call, right.value)])
    for term in terms:
        total = call.emit("sub", [total, _value(call, term)])
    return total


def _conv(call: Call, x: int, x_zero: int, w: int, w_zero: int, bias: int | None) -> ir.Value:
    """The convolution of inputs `x` and `w` without their zero points, plus input `bias`, in int32."""
    attributes = convolution_attributes(call, w)
    outputs = call.shape(w)[0]
    weights = call.tensor(w)
    image = filters = None
    is_scalar = not call.has(x_zero) or math.prod(call.shape(x_zero)) == 1
    if isinstance(weights, np.ndarray) and weights.size and is_scalar:
        image, filters = _read_bytes(call, x, x_zero, 1), _read_bytes(call, w, w_zero, 0)
    if image is None or filters is None:
        value, attributes = padded(call, _centred(call, x, x_zero, 1), attributes)
        operands = [value, _centred(call, w, w_zero, 0)]
        if bias is not None:
            operands.append(_reshape(call, call.operand(bias), [outputs]))
        return call.emit("conv", operands, **attributes)
    assert isinstance(filters.value, np.ndarray)
    ones = [1] * (filters.value.ndim - 2)
    assert filters.zero is None or isinstance(filters.zero, np.ndarray)
    value = _value(call, image.value)
    zero = np.zeros((), np.int32) if image.zero is None else image.zero
    pads = cast(Sequence[int], attributes["pads"])
    if isinstance(zero, ir.Value) or not all(isinstance(pad, int) for pad in pads):
        # What stands for zero around the image is only known by name, or how much of it there is.
        element = zero.astype(np.int8) if isinstance(zero, np.ndarray) else _cast(call, zero, np.dtype(np.int8))
        value = surrounded(call, value, pads, element)
        attributes["pads"] = [0] * len(pads)
    else:
        attributes["pad_value"] = np.int8(zero)

    def products(kernels: np.ndarray) -> ir.Value:
        moved = _times(call, zero, -kernels.reshape(kernels.shape[0], -1).sum(1, np.int32))
        return call.emit("conv_integer", [value, call.literal(kernels), _value(call, moved)], **attributes)

    total = products(filters.value)
    if filters.zero is not None:
        # Groups differ in what they read.
        rows = outputs if attributes["group"] != 1 else 1
        sums = products(np.ones((rows, *filters.value.shape[1:]), np.int8))
        column = np.broadcast_to(filters.zero.reshape(-1), (outputs,)).reshape(-1, *ones)
        total = call.emit("sub", [total, _value(call, _times(call, np.ascontiguousarray(column), sums))])
    if bias is None:
        return total
    column = _reshape(call, call.operand(bias), [outputs, *ones])
    return call.emit("add", [total, column])


def convert_conv_integer(call: Call) -> list[ir.Value]:
    return [_conv(call, 0, 2, 1, 3, None)]


def convert_mat_mul_integer(call: Call) -> list[ir.Value]:
    return [_mat_mul(call, 0, 2, 1, 3)]


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
    total = _mat_mul(call, 0, 2, 3, 5)
    rank = len(shape_of(total))
    first = _parameter(call, 1, max(rank - 2, 0), rank, _FLOAT32)
    second = _parameter(call, 4, rank - 1, rank, _FLOAT32)
    return [_requantized(call, total, [first, second], 6, 7)]


def convert_qlinear_conv(call: Call) -> list[ir.Value]:
    attributes = convolution_attributes(call, 3)
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
    total = _conv(call, 0, 2, 3, 5, 8 if call.has(8) else None)
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
