"""Broken ONNX files, seeded: small valid models with a few fields or bits changed, cut off or overwritten."""

from __future__ import annotations

import random

import numpy as np
import onnx
from onnx import AttributeProto, numpy_helper

import float_models
from qdq_models import random_network

INTEGERS = (0, -1, 1, 2, 3, -2, 7, 255, 1 << 15, 1 << 31, -(1 << 31), 1 << 32, 1 << 40, (1 << 63) - 1, -(1 << 63))
FLOATS = (float("nan"), float("inf"), -float("inf"), 0.0, -1.0, 1e-45, 1e38, -1e38, 3.0)
OPERATORS = (
    *(
        "Conv",
        "Gemm",
        "MatMul",
        "Add",
        "Relu",
        "Clip",
        "MaxPool",
        "AveragePool",
        "Softmax",
        "LRN",
        "Reshape",
        "Transpose",
    ),
    *(
        "Concat",
        "Pad",
        "Squeeze",
        "Unsqueeze",
        "Flatten",
        "Cast",
        "QuantizeLinear",
        "DequantizeLinear",
        "Identity",
        "Sum",
    ),
    *(
        "BatchNormalization",
        "Shape",
        "ConstantOfShape",
        "Dropout",
        "Mul",
        "Loop",
        "If",
        "NonZero",
        "Gather",
        "Constant",
    ),
    *("Size", "GlobalAveragePool", "Nothing"),
)


def _mutate_attribute(r: random.Random, attribute: AttributeProto) -> None:
    if attribute.type == AttributeProto.INT:
        attribute.i = r.choice(INTEGERS)
    elif attribute.type == AttributeProto.FLOAT:
        attribute.f = r.choice(FLOATS)
    elif attribute.type == AttributeProto.STRING:
        attribute.s = r.choice([b"", b"\xff\xfe", b"SAME_UPPER", b"reflect", b"wrap", b"x" * 1000])
    elif attribute.type == AttributeProto.TENSOR:
        attribute.t.dims[:] = [r.choice(INTEGERS)]
    elif attribute.type == AttributeProto.INTS and attribute.ints:
        index = r.randrange(len(attribute.ints))
        kind = r.randrange(4)
        if kind == 0:
            attribute.ints[index] = r.choice(INTEGERS)
        elif kind == 1:
            attribute.ints.append(r.choice(INTEGERS))
        elif kind == 2:
            attribute.ints.pop()
        else:
            attribute.ints[:] = [r.choice(INTEGERS)] * len(attribute.ints)


def _mutate_values(r: random.Random, tensor: onnx.TensorProto) -> None:
    array = numpy_helper.to_array(tensor).copy()
    if not array.size:
        return
    flat = array.reshape(-1)
    value = r.choice(FLOATS) if array.dtype.kind == "f" else r.choice(INTEGERS)
    with np.errstate(all="ignore"):
        flat[slice(None) if r.random() < 0.3 else r.randrange(flat.size)] = np.array(value).astype(array.dtype)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _mutate_sizes(r: random.Random, sizes: list[int]) -> list[int]:
    kind = r.randrange(3)
    if kind == 0 and sizes:
        sizes[r.randrange(len(sizes))] = r.choice([*INTEGERS, 4, 5, 6])
    elif kind == 1 and sizes:
        sizes.pop()
    else:
        sizes.append(r.choice(INTEGERS))
    return sizes


def _mutate_node(r: random.Random, graph: onnx.GraphProto, kind: int) -> None:
    node = r.choice(graph.node)
    names = ["", "x0", "nothing", r.choice(graph.node).output[0], *(tensor.name for tensor in graph.initializer)]
    if kind == 0:
        node.op_type = r.choice(OPERATORS)
    elif kind == 1 and node.input:
        node.input[r.randrange(len(node.input))] = r.choice(names)
    elif kind == 2:
        node.input.append(r.choice(names))
    elif kind == 3 and node.input:
        node.input.pop()
    elif kind == 4:
        node.output[0] = r.choice(names)
    else:
        graph.node.remove(node)


def _mutate(r: random.Random, model: onnx.ModelProto) -> None:
    graph = model.graph
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    kind = r.randrange(17)
    if kind <= 3 and attributes:
        _mutate_attribute(r, r.choice(attributes))
    elif kind == 4 and attributes:
        r.choice(attributes).type = r.randrange(16)  # type: ignore[assignment]
    elif kind <= 10 and graph.node:
        _mutate_node(r, graph, kind - 5)
    elif kind == 11 and graph.initializer:
        r.choice(graph.initializer).data_type = r.randrange(-1, 25)
    elif kind == 12 and graph.initializer:
        tensor = r.choice(graph.initializer)
        tensor.dims[:] = _mutate_sizes(r, list(tensor.dims))
    elif kind == 13 and graph.initializer:
        _mutate_values(r, r.choice(graph.initializer))
    elif kind == 14 and graph.input:
        dims = r.choice(graph.input).type.tensor_type.shape.dim
        sizes = _mutate_sizes(r, [dim.dim_value for dim in dims])
        del dims[:]
        for size in sizes:
            dims.add().dim_value = size
    elif kind == 15 and graph.input:
        r.choice(graph.input).type.tensor_type.elem_type = r.randrange(-1, 25)
    elif kind == 16:
        model.opset_import[0].version = r.choice([*INTEGERS, 8, 9, 10, 12, 14, 18, 22, 25])


def broken_file(seed: int) -> tuple[bytes, str]:
    """The bytes of a file, and the target to compile it for."""
    r = random.Random(seed)
    quantized = r.random() < 0.3
    if quantized:
        model = random_network(r.randrange(20))
    else:
        family = r.choice(float_models.FAMILIES)
        model, _ = float_models.random_case(family, r.randrange(1000), r.choice([9, 11, 13, 17, 21]))
    mode = r.randrange(10)
    if mode <= 6:
        for _ in range(r.choice([1, 1, 1, 2, 3])):
            try:
                _mutate(r, model)
            except (ValueError, TypeError, OverflowError, IndexError):
                # The mutations before this one made it impossible.
                break
    data = bytearray(model.SerializeToString())
    if mode == 7:
        del data[r.randrange(len(data)) :]
    elif mode == 8:
        for _ in range(r.choice([1, 1, 2, 5, 20])):
            data[r.randrange(len(data))] ^= 1 << r.randrange(8)
    elif mode == 9:
        start = r.randrange(len(data))
        data[start : start + r.randrange(30)] = r.randbytes(r.randrange(30))
    return bytes(data), "vta" if quantized and r.random() < 0.7 else "cpu"
