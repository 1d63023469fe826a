"""QuantizeLinear and DequantizeLinear: scales and zero points move into the types of tensors."""

from __future__ import annotations

import numpy as np

from acc import ir
from acc.frontend.call import IGNORED, PLAIN, Attr, Call, element_of, shape_of, storage_of
from acc.frontend.emitter import Quantization
from acc.frontend.problems import Unsupported
from acc.frontend.source import DTYPES, dtype_name

QUANTIZE = {
    "axis": PLAIN,
    "block_size": Attr(only=(0,)),
    "output_dtype": PLAIN,
    "precision": Attr(only=(0, 1)),
    "saturate": IGNORED,
}
DEQUANTIZE = {
    "axis": PLAIN,
    "block_size": Attr(only=(0,)),
    "output_dtype": Attr(only=(0, 1)),
}

_STORAGE = ("int8", "uint8", "int16", "uint16", "int32")


def _stored(dtype: np.dtype) -> np.dtype:
    """The bytes that hold narrower integers, for which every value of the byte means what it says."""
    return {"int4": np.dtype(np.int8), "uint4": np.dtype(np.uint8)}.get(dtype.name, dtype)


def _read_quantization(call: Call, storage: np.dtype) -> Quantization:
    """The quantization that inputs 1 (scale) and 2 (zero point) describe, for input 0."""
    if storage.name not in _STORAGE:
        raise Unsupported(f"quantization to {storage} is not supported")
    scales = call.constant(1, "the scale")
    if scales.dtype != np.float32:
        raise Unsupported(f"the scale has elements of {scales.dtype}, supported is float32")
    if not np.all(np.isfinite(scales)) or not np.all(scales > 0):
        wrong = scales[~(np.isfinite(scales) & (scales > 0))].reshape(-1)[0]
        raise Unsupported(f"the scale '{call.node.inputs[1]}' holds {wrong}, which is not a positive number")
    zeros = np.zeros(scales.shape, storage)
    if call.has(2):
        zeros = call.constant(2, "the zero point")
        if _stored(zeros.dtype) != storage:
            raise Unsupported(f"the zero point has elements of {zeros.dtype} but the integers are {storage}")
        if zeros.size != scales.size:
            raise Unsupported(f"there are {scales.size} scales but {zeros.size} zero points")
    if scales.ndim > 1:
        raise Unsupported(f"the scale has rank {scales.ndim}: block quantization is not supported")
    if scales.size == 0:
        raise Unsupported("the scale is empty")
    axis = None
    if scales.size != 1:
        shape = call.shape(0)
        # Before operator set 13 there was no axis: several scales belonged to axis 1 of nothing.
        if "axis" not in call.attributes:
            raise Unsupported("quantization per axis does not exist before operator set 13")
        axis = call.axis(call.integer("axis"), len(shape))
        if shape[axis] != scales.size:
            raise Unsupported(f"there are {scales.size} scales but axis {axis} has {shape[axis]} elements")
    return Quantization(storage, tuple(map(float, scales.reshape(-1))), tuple(map(int, zeros.reshape(-1))), axis)


def convert_quantize(call: Call) -> list[ir.Value]:
    declared = call.integer("output_dtype") if "output_dtype" in call.attributes else 0
    if declared and declared not in DTYPES:
        raise Unsupported(f"quantization to {dtype_name(declared)} is not supported")
    storage = np.dtype(np.uint8)
    if call.has(2):
        storage = call.constant(2, "the zero point").dtype
        if declared and DTYPES[declared] != storage:
            raise Unsupported(f"attribute 'output_dtype' is {DTYPES[declared]} but the zero point is {storage}")
    elif declared:
        storage = DTYPES[declared]
    operand = call.operand(0)
    quantization = _read_quantization(call, storage)
    return [call.emit_as(call.tensor_type(shape_of(operand), quantization), "quantize_linear", operand)]


def convert_dequantize(call: Call) -> list[ir.Value]:
    tensor = call.tensor(0)
    if isinstance(tensor, np.ndarray):
        value = call.quantized_constant(0, _read_quantization(call, _stored(tensor.dtype)))
        return [call.emit("dequantize_linear", [value])]
    element = element_of(tensor)
    if isinstance(element, ir.QuantizedType):
        storage = storage_of(element)
    elif isinstance(element, ir.IntegerType):
        storage = np.dtype(f"{'u' if element.is_unsigned else 'i'}{max(element.width // 8, 1)}")
    else:
        raise Unsupported(f"the operand has elements of {element} instead of integers")
    wanted = call.tensor_type(shape_of(tensor), _read_quantization(call, storage))
    if wanted != tensor.type:
        tensor = call.emit_as(wanted, "storage_cast", call.storage(tensor))
    return [call.emit("dequantize_linear", [tensor])]
