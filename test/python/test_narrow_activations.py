"""Activations of 4 and 2 bits: integers natively, and on accelerators whose inputs and outputs are as narrow."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import acc
from narrow_models import narrow_activations
from qdq_zoo import random_zoo

RANGES = {"int4": (-8, 8), "uint4": (0, 16), "int2": (-2, 2), "uint2": (0, 4), "int8": (-128, 128), "uint8": (0, 256)}


def feeds(model: onnx.ModelProto, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    result: dict[str, np.ndarray] = {}
    for value in model.graph.input:
        shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        if dtype == np.float32:
            result[value.name] = rng.normal(0, 1, shape).astype(np.float32)
        else:
            result[value.name] = rng.integers(*RANGES[dtype.name], shape).astype(dtype)
    return result


# onnx's reference cannot pad the windows of average pools on one side: the seeds are of graphs without such.
@pytest.mark.parametrize("bits", [4, 2])
@pytest.mark.parametrize("seed", [4, 7, 8, 10, 12, 14])
def test_native_integers_are_those_of_the_reference(seed: int, bits: int) -> None:
    """But for what fixed point rounds the other way: a step, of one element in a hundred at most."""
    model = narrow_activations(random_zoo(seed), bits)
    inputs = feeds(model, seed)
    with acc.compile(model) as executable:
        actual = executable.run(inputs)
        assert not [layer.reason for layer in executable.report() if "not quantized" in layer.reason]
    for name, value in zip(actual, ReferenceEvaluator(model).run(None, inputs), strict=True):
        expected, found = np.asarray(value, np.float64), actual[name].astype(np.float64)
        assert np.mean(expected != found) <= 0.01, f"seed {seed}: {name}"


@pytest.mark.parametrize("name", ["int4", "uint4", "int2", "uint2"])
def test_bits_of_an_input_beyond_its_element_do_not_count(name: str) -> None:
    dtype = np.dtype(getattr(ml_dtypes, name))
    low, high = RANGES[name]
    kind = onnx.helper.np_dtype_to_tensor_dtype(dtype)
    zero = onnx.helper.make_tensor("zero", kind, [], [low + 1])
    scale = onnx.numpy_helper.from_array(np.float32(0.5), "scale")
    nodes = [
        onnx.helper.make_node("DequantizeLinear", ["x", "scale", "zero"], ["real"]),
        onnx.helper.make_node("Neg", ["real"], ["negative"]),
        onnx.helper.make_node("QuantizeLinear", ["negative", "scale", "zero"], ["y"]),
    ]
    values = [onnx.helper.make_tensor_value_info(n, kind, [1, high - low]) for n in "xy"]
    graph = onnx.helper.make_graph(nodes, "negative", values[:1], values[1:], [zero, scale])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 25)], ir_version=13)
    x = np.arange(low, high).reshape(1, -1)
    noise = np.array([0x00, 0xA0, 0xF0, 0x50], np.uint8)[np.arange(high - low) % 4]
    bits = (noise | (x.astype(np.uint8) & (high - low - 1))).astype(np.uint8).view(dtype)
    y = acc.compile(model).run({"x": bits})["y"]
    np.testing.assert_array_equal(y.astype(np.int64), np.clip(2 * (low + 1) - x, low, high - 1))
