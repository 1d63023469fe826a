"""QDQ models with activations of 4 or 2 bits, made of those with 8."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_KINDS = {
    (4, True): TensorProto.INT4,
    (4, False): TensorProto.UINT4,
    (2, True): 26,
    (2, False): 25,
}
"""TensorProto.INT2 and UINT2 have no name in all releases of onnx that acc reads models of."""

_OPSETS = {4: (21, 10), 2: (25, 13)}
"""The first operator set and file version that have integers of so many bits."""


def narrow_activations(model: onnx.ModelProto, bits: int) -> onnx.ModelProto:
    """A copy of a model with quantized activations of `bits` bits where they had 8.

    Scales grow so that they hold a quarter of the range, which few of the numbers that random models compute leave.
    Weights and biases stay as they are.
    """
    narrow = onnx.ModelProto()
    narrow.CopyFrom(model)
    graph = narrow.graph
    constants = {item.name: item for item in graph.initializer}
    factor = 1 << (8 - bits)
    growth = np.float32(max(factor / 4, 1))
    changed: dict[str, int] = {}
    count = 0

    def constant(tensor: onnx.TensorProto) -> str:
        nonlocal count
        count += 1
        tensor.name = f"narrow_{count}"
        graph.initializer.append(tensor)
        return tensor.name

    for node in graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear") or node.input[0] in constants:
            continue
        zero = numpy_helper.to_array(constants[node.input[2]])
        if zero.dtype.itemsize != 1 or zero.ndim:
            continue
        kind = _KINDS[bits, zero.dtype == np.int8]
        changed[node.output[0] if node.op_type == "QuantizeLinear" else node.input[0]] = kind
        scale = numpy_helper.to_array(constants[node.input[1]])
        node.input[1] = constant(numpy_helper.from_array(np.asarray(scale * growth)))
        node.input[2] = constant(helper.make_tensor("", kind, [], [int(zero) // factor]))
    for value in (*graph.input, *graph.output):
        if value.name in changed:
            value.type.tensor_type.elem_type = changed[value.name]
    read = {name for node in graph.node for name in node.input}
    kept = [item for item in graph.initializer if item.name in read]
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(kept)
    opset, version = _OPSETS[bits]
    del narrow.opset_import[:]
    narrow.opset_import.append(helper.make_opsetid("", opset))
    narrow.ir_version = version
    return narrow
