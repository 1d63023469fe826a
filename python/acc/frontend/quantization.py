"""QuantizeLinear and DequantizeLinear.

Where scales and zero points are float32 and integer constants, per tensor or per axis, they move into the types of
tensors: that is what the quantization passes understand. Everything else ONNX allows becomes plain arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from acc import ir
from acc.dialects import graph
from acc.dtypes import BY_MLIR, BY_ONNX, ElementType, element_type
from acc.frontend.call import BOOL, PLAIN, Call, Tensor, element_of, shape_of, storage_of
from acc.frontend.emitter import Quantization
from acc.frontend.problems import Unsupported
from acc.frontend.sizes import are_same, is_empty
from acc.frontend.source import dtype_name

QUANTIZE = {"axis": PLAIN, "block_size": PLAIN, "output_dtype": PLAIN, "precision": PLAIN, "saturate": BOOL}
DEQUANTIZE = {"axis": PLAIN, "block_size": PLAIN, "output_dtype": PLAIN}

_STORAGE = ("int2", "uint2", "int4", "uint4", "int8", "uint8", "int16", "uint16", "int32")

_F32 = BY_ONNX[1]


def _element(tensor: Tensor) -> ElementType:
    """The element type of a tensor; of a quantized one, that of its integers."""
    if isinstance(tensor, np.ndarray):
        return element_type(tensor.dtype)
    element = element_of(tensor)
    return element_type(storage_of(element)) if isinstance(element, ir.QuantizedType) else BY_MLIR[str(element)]


def _stored(dtype: np.dtype) -> np.dtype:
    """The bytes that hold narrower integers, for which every value of the byte means what it says."""
    if element_type(dtype).kind == "float" or element_type(dtype).bits >= 8:
        return dtype
    return np.dtype(np.int8 if element_type(dtype).kind == "int" else np.uint8)


def _declared(call: Call, name: str) -> ElementType | None:
    """The element type that an attribute names; None if it leaves it open."""
    number = call.integer(name) if name in call.attributes else 0
    if number and number not in BY_ONNX:
        raise Unsupported(f"attribute '{name}' is {dtype_name(number)}, which is not supported")
    return BY_ONNX[number] if number else None


def _read_quantization(call: Call, storage: np.dtype) -> Quantization | None:
    """The quantization that inputs 1 (scale) and 2 (zero point) describe for input 0, if a type can hold it."""
    scales, zeros = call.tensor(1, "the scale"), call.tensor(2) if call.has(2) else None
    if storage.name not in _STORAGE or call.attributes.get("block_size"):
        return None
    if not isinstance(scales, np.ndarray) or isinstance(zeros, ir.Value):
        return None
    if scales.dtype != np.float32:
        return None
    if zeros is None:
        zeros = np.zeros(scales.shape, storage)
    if _stored(zeros.dtype) != _stored(storage):
        raise Unsupported(f"the zero point has elements of {zeros.dtype} but the integers are {storage}")
    axis = _axis(call, scales.shape)
    return Quantization(storage, tuple(map(float, scales.reshape(-1))), tuple(map(int, zeros.reshape(-1))), axis)


def _read_scales(call: Call) -> np.ndarray:
    """The scales that are known, all of them numbers; an empty array if none are."""
    scales = call.tensor(1, "the scale")
    if 0 in shape_of(scales):
        raise Unsupported("the scale is empty")
    if not isinstance(scales, np.ndarray) or element_type(scales.dtype).kind != "float":
        return np.empty(0, np.float32)
    numbers = scales.astype(np.float32)
    wrong = numbers[~np.isfinite(numbers)]
    if wrong.size:
        raise Unsupported(f"the scale '{call.node.inputs[1]}' holds {wrong[0]}, which is not a finite number")
    return numbers


def _check_divisors(call: Call, scales: np.ndarray) -> None:
    """Refuses scales that nothing can be quantized with, but 0 for weights: what these become stands for 0 anyway."""
    allows_zero = isinstance(call.tensor(0), np.ndarray)
    wrong = scales[~((scales > 0) | (allows_zero & (scales == 0)))]
    if wrong.size:
        raise Unsupported(f"the scale '{call.node.inputs[1]}' holds {wrong[0]}, which is not a positive number")


def _axis(call: Call, scales: tuple[int, ...]) -> int | None:
    """The axis along which there are several scales, of which blocks are none; None if there is one for all."""
    if call.has(2) and call.shape(2) != scales and (np.prod(scales) != 1 or np.prod(call.shape(2)) != 1):
        raise Unsupported(f"there are {np.prod(scales)} scales but {np.prod(call.shape(2))} zero points")
    if np.prod(scales) == 1:
        return None
    if len(scales) != 1 or 0 in scales:
        raise Unsupported(f"scales of shape {list(scales)} need the attribute 'block_size'")
    shape = call.shape(0)
    # Before operator set 13 there was no axis: several scales belonged to axis 1 of nothing.
    if "axis" not in call.attributes:
        raise Unsupported("quantization per axis does not exist before operator set 13")
    axis = call.axis(call.integer("axis"), len(shape))
    if isinstance(shape[axis], int) and shape[axis] != scales[0]:
        raise Unsupported(f"there are {scales[0]} scales but axis {axis} has {shape[axis]} elements")
    return axis


@dataclass(frozen=True)
class _Layout:
    """How data and parameters are reshaped so that they broadcast: blocks get an axis of their own.

    whole: the shape of data in which all blocks are complete.
    """

    whole: tuple[int, ...]
    data: tuple[int, ...]
    parameters: tuple[int, ...]

    def split(self, call: Call, value: ir.Value) -> ir.Value:
        """Numbers as they broadcast with parameters; what the last block lacks is zeros."""
        lacking = [0 if are_same([a], [b]) else a - b for a, b in zip(self.whole, shape_of(value), strict=True)]
        if any(lacking):
            pads = [0] * len(lacking) + lacking
            value = call.emit("pad", [value], pads=pads, mode=graph.PadMode.Constant, constant_value=np.float64(0))
        return _reshape(call, value, self.data)

    def join(self, call: Call, value: ir.Value) -> ir.Value:
        """The opposite of `split`."""
        value = _reshape(call, value, self.whole)
        shape = call.shape(0)
        if are_same(shape, self.whole):
            return value
        return call.emit("slice", [value], starts=[0] * len(shape), sizes=list(shape), steps=[1] * len(shape))


def _read_layout(call: Call) -> _Layout:
    shape, scales = call.shape(0), call.shape(1)
    block = call.integer("block_size") if "block_size" in call.attributes else 0
    if not block:
        axis = _axis(call, scales)
        if axis is None:
            return _Layout(shape, shape, ())
        return _Layout(shape, shape, (scales[0], *[1] * (len(shape) - axis - 1)))
    axis = call.axis(call.integer("axis"), len(shape))
    if not all(isinstance(size, int) for size in (*shape, *scales)):
        raise Unsupported("quantization by blocks needs static shapes")
    if block < 0 or len(scales) != len(shape):
        raise Unsupported(f"blocks of {block} elements do not fit scales of shape {list(scales)}")
    if call.has(2) and call.shape(2) != scales:
        raise Unsupported(f"scales have shape {list(scales)} but zero points {list(call.shape(2))}")
    expected = (*shape[:axis], -(-shape[axis] // block), *shape[axis + 1 :])
    if scales != expected:
        raise Unsupported(f"blocks of {block} elements need scales of shape {list(expected)}, not {list(scales)}")
    whole = (*shape[:axis], scales[axis] * block, *shape[axis + 1 :])
    data = (*shape[:axis], scales[axis], block, *shape[axis + 1 :])
    return _Layout(whole, data, (*scales[: axis + 1], 1, *scales[axis + 1 :]))


def _cast(call: Call, value: ir.Value, element: ElementType, saturate: bool = True) -> ir.Value:
    wanted = call.tensor_type(shape_of(value), element.dtype)
    attributes = {} if saturate else {"saturate": False}
    return value if value.type == wanted else call.emit_as(wanted, "cast", value, **attributes)


def _reshape(call: Call, value: ir.Value, shape: tuple[int, ...]) -> ir.Value:
    wanted = call.tensor_type(shape, element_of(value))
    return value if value.type == wanted else call.emit_as(wanted, "reshape", value)


def _promote(call: Call, *elements: ElementType) -> ElementType:
    """The float type to compute in: of operands of one type that type, else one that holds both."""
    if any(element.kind != "float" for element in elements):
        return BY_ONNX[11]
    if len(set(elements)) == 1 and elements[0].computes:
        return elements[0]
    return _F32


def _quantize_weights(reals: np.ndarray, quantization: Quantization) -> np.ndarray:
    """Constants of which some have a scale of 0: there all integers stand for 0, and the zero point is taken."""
    along = [1] * reals.ndim
    if quantization.axis is not None:
        along[quantization.axis] = -1
    scales = np.array(quantization.scales, np.float32).reshape(along)
    zeros = np.array(quantization.zero_points, np.int64).reshape(along)
    rounded = np.rint(reals / np.where(scales == 0, np.float32(np.inf), scales)).astype(np.float64)
    limits = np.iinfo(quantization.storage)
    return np.clip(rounded + zeros, limits.min, limits.max).astype(quantization.storage)


def convert_quantize(call: Call) -> list[Tensor]:
    declared = _declared(call, "output_dtype")
    target = _element(call.tensor(2)) if call.has(2) else declared or BY_ONNX[2]
    if declared and declared != target:
        raise Unsupported(f"attribute 'output_dtype' is {declared.name} but the zero point is {target.name}")
    if target.kind == "bool" or target.bits > 16 or target.name in ("bfloat16", "float16", "float8_e8m0fnu"):
        raise Unsupported(f"quantization to {target.name} is not supported")
    scales = _read_scales(call)
    _check_divisors(call, scales)
    source = _element(call.tensor(0))
    precision = _declared(call, "precision")
    quantization = None
    if source == _F32 and precision in (None, _F32) and target.dtype.name in _STORAGE:
        quantization = _read_quantization(call, target.dtype)
    given = call.tensor(0)
    if isinstance(given, np.ndarray) and not np.all(scales):
        if quantization is None:
            raise Unsupported(f"the scale '{call.node.inputs[1]}' holds 0.0, which is not a positive number")
        return [_quantize_weights(given, quantization)]
    value = call.operand(0)
    if quantization is not None:
        return [call.emit_as(call.tensor_type(shape_of(value), quantization), "quantize_linear", value)]

    layout, scale = _read_layout(call), call.operand(1)
    precision = precision or _promote(call, source, _element(scale))
    if precision.kind != "float" or not precision.computes:
        raise Unsupported(f"attribute 'precision' is {precision.name}, which is not supported")
    scale = _reshape(call, _cast(call, scale, precision), layout.parameters)
    real = call.emit("div", [layout.split(call, _cast(call, value, precision)), scale])
    zero = _reshape(call, call.operand(2), layout.parameters) if call.has(2) else None
    if target.kind == "float":
        # There, float8 has no zero point but zero.
        if zero is not None and target.bits < 8:
            real = call.emit("add", [real, _cast(call, zero, precision)])
        result = _cast(call, real, target, bool(call.attributes.get("saturate", True)))
        return [layout.join(call, result)]
    if precision.bits < 32:
        precision = _F32
    real = call.emit("round", [_cast(call, real, precision)])
    if zero is not None:
        real = call.emit("add", [real, _cast(call, zero, precision)])
    least = -(1 << (target.bits - 1)) if target.kind == "int" else 0
    if least < 0:
        # As `quantize_linear` has it; a cast makes a zero of what is not a number.
        lowest = call.literal(np.asarray(least, precision.dtype))
        real = call.emit("where", [call.emit("is_nan", [real]), lowest, real])
    bounds = {"min": np.float64(least), "max": np.float64(least + (1 << target.bits) - 1)}
    return [layout.join(call, _cast(call, call.emit("clip", [real], **bounds), target))]


def convert_dequantize(call: Call) -> list[ir.Value]:
    tensor = call.tensor(0)
    source, wanted = _element(tensor), _declared(call, "output_dtype")
    if source.kind == "bool" or (source.kind == "float" and source.computes):
        raise Unsupported(f"the operand has elements of {source.name} instead of integers")
    scales = _read_scales(call)
    known = isinstance(tensor, np.ndarray)
    storage = _stored(source.dtype) if known else source.dtype
    # Types have positive scales; weights can have an equal one where theirs is 0.
    has_type = np.all(scales >= 0 if known else scales > 0)
    quantization = _read_quantization(call, storage) if has_type and wanted in (None, _F32) else None
    if quantization is not None:
        if isinstance(tensor, np.ndarray):
            return [call.emit("dequantize_linear", [call.quantized_constant(0, quantization)])]
        type = call.tensor_type(shape_of(tensor), quantization)
        if type != tensor.type:
            tensor = call.emit_as(type, "storage_cast", call.storage(tensor))
        return [call.emit("dequantize_linear", [tensor])]

    layout, scale = _read_layout(call), call.operand(1)
    wanted = wanted or _element(scale)
    if wanted.kind != "float" or not wanted.computes:
        raise Unsupported(f"dequantization to {wanted.name} is not supported")
    real = layout.split(call, _cast(call, call.operand(0), _F32))
    if call.has(2) and (source.kind != "float" or source.bits == 6):
        zero = call.operand(2)
        if _element(zero) != source:
            raise Unsupported(f"the zero point has elements of {_element(zero).name} but the operand {source.name}")
        real = call.emit("sub", [real, _reshape(call, _cast(call, zero, _F32), layout.parameters)])
    real = call.emit("mul", [real, _reshape(call, _cast(call, scale, _F32), layout.parameters)])
    return [layout.join(call, _cast(call, real, wanted))]


def convert_dynamic_quantize(call: Call) -> list[Tensor]:
    """Integers, scale and zero point for the range of a tensor, which includes 0; where all of it is 0, the scale is 1.

    Where the range is no number, the zero point is the largest, as in ONNX Runtime.
    """
    value = call.operand(0)
    if _element(value) != _F32:
        raise Unsupported(f"the operand has elements of {_element(value).name} instead of {_F32.name}")
    shape = shape_of(value)
    axes = list(range(len(shape)))

    def number(real: float) -> ir.Value:
        return call.literal(np.asarray(real, np.float32))

    def bound(kind: str) -> ir.Value:
        if is_empty(shape):
            return number(0)
        return call.emit(kind, [call.emit(f"reduce_{kind}", [value], axes=axes, keepdims=False), number(0)])

    def whole(real: ir.Value) -> ir.Value:
        # Quantization with scale 1 rounds, saturates, and makes zeros of NaN.
        bytes_ = Quantization(np.dtype(np.uint8), (1.0,), (0,), None)
        return call.storage(call.emit_as(call.tensor_type(shape_of(real), bytes_), "quantize_linear", real))

    low, high = bound("min"), bound("max")
    step = call.emit("div", [call.emit("sub", [high, low]), number(255)])
    scale = call.emit("where", [call.emit("equal", [high, low]), number(1), step])
    middle = call.emit("div", [call.emit("neg", [low]), scale])
    middle = call.emit("where", [call.emit("is_nan", [middle]), number(255), middle])
    zero = whole(middle)
    moved = call.emit("add", [call.emit("round", [call.emit("div", [value, scale])]), _cast(call, zero, _F32)])
    return [whole(moved), scale, zero]
