"""Convolutions and products of quantized operands whose result only floats read: integers up to the sums.

A result is float32(sum) * scale, where the sum is exact and the scale is the float32 product of the scales of the
operands; a bias in the steps of the sums is one of their terms, any other is added behind the scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnx.reference
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc

PRODUCTS: Mapping[str, tuple[str, tuple[int, ...], tuple[int, ...], int, dict[str, Any]]] = {
    "image": ("Conv", (2, 6, 7, 9), (8, 3, 3, 3), 0, {"pads": [1, 0, 2, 1], "group": 2, "strides": [1, 2]}),
    "depthwise": ("Conv", (1, 5, 6, 6), (5, 1, 3, 3), 0, {"pads": [1, 1, 1, 1], "group": 5}),
    "signal": ("Conv", (1, 3, 11), (7, 3, 4), 0, {"dilations": [2]}),
    "transposed": ("ConvTranspose", (1, 3, 4, 5), (3, 4, 3, 3), 1, {"strides": [2, 2]}),
    "rows": ("MatMul", (2, 5, 17), (17, 10), 1, {}),
    "matrix": ("Gemm", (5, 24), (7, 24), 0, {"transB": 1}),
    "columns": ("Gemm", (24, 3), (24, 5), 1, {"transA": 1}),
}
"""Operator, shapes of input and weights, the axis of the weights that holds outputs, attributes."""

WEIGHTS = ((np.int8, 0), (np.int8, 5), (np.uint8, 128), (np.uint8, 100))
BIASES = ("none", "integers", "floats")


class Model:
    """A quantized input, a product with quantized weights, and nothing behind it."""

    def __init__(
        self,
        product: str,
        weights: tuple[type, int],
        per_channel: bool,
        bias: str,
        is_open: bool = False,
        seed: int = 0,
    ) -> None:
        self.op, self.shape, shape, axis, self.attributes = PRODUCTS[product]
        rng = np.random.default_rng(seed)
        dtype, zero = weights
        self.outputs = shape[axis]
        limits = np.iinfo(dtype)
        self.weights = rng.integers(limits.min, limits.max + 1, shape).astype(dtype)
        self.zero, self.input_scale, self.input_zero = zero, np.float32(0.021), 117
        count = (self.outputs,) if per_channel else ()
        self.scales = rng.uniform(0.01, 0.1, count).astype(np.float32)
        self.bias = bias
        self.integers = rng.integers(-2000, 2000, self.outputs).astype(np.int32)
        self.floats = rng.normal(0, 2, self.outputs).astype(np.float32)
        self.proto = self._build(axis, is_open)

    def _build(self, axis: int, is_open: bool) -> onnx.ModelProto:
        along = {"axis": axis} if self.scales.ndim else {}
        zeros = np.full(self.scales.shape, self.zero, self.weights.dtype)
        constants = {
            "s": self.input_scale,
            "z": np.uint8(self.input_zero),
            "w": self.weights,
            "ws": self.scales,
            "wz": zeros,
        }
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["xr"]),
            helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wr"], **along),
        ]
        operands = ["xr", "wr"]
        if self.bias != "none":
            operands.append("b")
        if self.bias == "floats":
            constants["b"] = self.floats
        elif self.bias == "integers":
            constants |= {"bq": self.integers, "bs": self.input_scale * self.scales}
            nodes.append(helper.make_node("DequantizeLinear", ["bq", "bs"], ["b"], **({"axis": 0} if along else {})))
        if self.op == "MatMul" and self.bias != "none":
            nodes += [helper.make_node("MatMul", ["xr", "wr"], ["m"]), helper.make_node("Add", ["m", "b"], ["y"])]
        else:
            nodes.append(helper.make_node(self.op, operands, ["y"], **self.attributes))
        shape = ["n", *self.shape[1:]] if is_open else self.shape
        graph = helper.make_graph(
            nodes,
            "product",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def along_outputs(self, values: np.ndarray) -> np.ndarray:
        """A number for each output, such that it broadcasts."""
        if self.op.startswith("Conv") and values.ndim:
            return values.reshape(-1, *[1] * (len(self.shape) - 2))
        return values

    def expected(self, x: np.ndarray) -> np.ndarray:
        """Sums in float64, in which they are exact, then two roundings of float32; a third for a bias of floats."""
        quantized = np.clip(np.rint(x / self.input_scale) + self.input_zero, 0, 255) - self.input_zero
        weights = self.weights.astype(np.float64) - self.zero
        info = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in ("x", "w", "y")]
        graph = helper.make_graph(
            [helper.make_node(self.op, ["x", "w"], ["y"], **self.attributes)], "g", info[:2], info[2:]
        )
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        (sums,) = onnx.reference.ReferenceEvaluator(proto).run(None, {"x": quantized.astype(np.float64), "w": weights})
        is_term = self.bias == "integers" and self.op != "MatMul"
        if is_term:
            sums = sums + self.along_outputs(self.integers)
        y = sums.astype(np.float32) * self.along_outputs(self.input_scale * self.scales)
        if self.bias == "none" or is_term:
            return y
        bias = (
            self.floats
            if self.bias == "floats"
            else self.integers.astype(np.float32) * (self.input_scale * self.scales)
        )
        return y + self.along_outputs(bias)

    def sample(self, seed: int = 1) -> np.ndarray:
        return np.random.default_rng(seed).normal(0, 1.5, self.shape).astype(np.float32)


def _run(proto: onnx.ModelProto, x: np.ndarray, target: str = "cpu") -> np.ndarray:
    with acc.compile(proto, target=target) as executable:
        return executable.run({"x": x})["y"]


def _cases() -> list[Any]:
    """Each product with every kind of weights and bias."""
    return [
        pytest.param(product, weights, per_channel, bias, id=f"{product}-{weights[0].__name__}-{weights[1]}-{number}")
        for p, product in enumerate(PRODUCTS)
        for w, weights in enumerate(WEIGHTS)
        for number, (per_channel, bias) in enumerate((c, b) for c in (True, False) for b in BIASES)
        if (p + w + number) % 3 == 0
    ]


@pytest.mark.parametrize(("product", "weights", "per_channel", "bias"), _cases())
def test_sums_are_exact(product: str, weights: tuple[type, int], per_channel: bool, bias: str) -> None:
    model = Model(product, weights, per_channel, bias)
    x = model.sample()
    got = _run(model.proto, x)
    np.testing.assert_array_equal(got, model.expected(x))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    (peer,) = onnxruntime.InferenceSession(model.proto.SerializeToString(), options).run(None, {"x": x})
    np.testing.assert_allclose(got, peer, rtol=1e-5, atol=1e-5 * float(np.abs(peer).max()))


@pytest.mark.parametrize("product", ["image", "rows", "matrix"])
def test_open_sizes(product: str) -> None:
    model = Model(product, (np.uint8, 100), True, "integers", is_open=True)
    x = model.sample()
    np.testing.assert_array_equal(_run(model.proto, x), model.expected(x))


@pytest.mark.parametrize("product", ["image", "rows"])
def test_next_to_an_accelerator(product: str) -> None:
    """What an accelerator does not requantize runs on the host, with the same result."""
    model = Model(product, (np.int8, 0), True, "integers")
    x = model.sample()
    np.testing.assert_array_equal(_run(model.proto, x, "vta"), model.expected(x))


def test_two_activations() -> None:
    """Queries times keys, as attention has them, with zero points on both sides."""
    nodes = []
    for name, zero in (("a", "za"), ("b", "zb")):
        nodes.append(helper.make_node("QuantizeLinear", [name, "s", zero], [f"{name}q"]))
        nodes.append(helper.make_node("DequantizeLinear", [f"{name}q", "s", zero], [f"{name}r"]))
    nodes.append(helper.make_node("MatMul", ["ar", "br"], ["m"]))
    nodes.append(helper.make_node("Softmax", ["m"], ["y"]))
    shapes = {"a": (2, 3, 5, 19), "b": (2, 3, 19, 6)}
    graph = helper.make_graph(
        nodes,
        "scores",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("m", "y")],
        [
            numpy_helper.from_array(value, name)
            for name, value in (("s", np.float32(0.03)), ("za", np.array(-7, np.int8)), ("zb", np.array(11, np.int8)))
        ],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    rng = np.random.default_rng(0)
    feeds = {name: rng.normal(0, 1, shape).astype(np.float32) for name, shape in shapes.items()}
    scale = np.float32(0.03)
    a, b = (np.clip(np.rint(feeds[name] / scale) + zero, -128, 127) - zero for name, zero in (("a", -7), ("b", 11)))
    with acc.compile(proto) as executable:
        got = executable.run(feeds)["m"]
    np.testing.assert_array_equal(got, (a.astype(np.float64) @ b).astype(np.float32) * (scale * scale))
