"""Small float models as exporters write them, with seeded weights: what tests quantize."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


class FloatNetwork:
    """Appends nodes and constants to one ONNX graph with the input `x`."""

    def __init__(self, shape: Sequence[int | str], seed: int = 0, opset: int = 17) -> None:
        self.rng = np.random.default_rng(seed)
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.inputs = [helper.make_tensor_value_info("x", FLOAT, list(shape))]

    def constant(self, value: np.ndarray, name: str = "") -> str:
        name = name or f"c{len(self.constants)}"
        self.constants[name] = value
        return name

    def weight(self, *shape: int, gain: float = 1.0) -> str:
        """Normal numbers, so small that sums of all but the first axis keep their size."""
        fan = int(np.prod(shape[1:])) or 1
        return self.constant(self.rng.normal(0, gain / np.sqrt(fan), shape).astype(np.float32))

    def vector(self, size: int, deviation: float = 0.1, mean: float = 0.0) -> str:
        return self.constant(self.rng.normal(mean, deviation, size).astype(np.float32))

    def add(self, op_type: str, inputs: Sequence[str], **attributes: object) -> str:
        name = f"{op_type.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, list(inputs), [f"{name}_out"], name=name, **attributes))
        return f"{name}_out"

    def conv(self, x: str, inputs: int, outputs: int, kernel: int = 3, group: int = 1, bias: bool = True) -> str:
        operands = [x, self.weight(outputs, inputs // group, kernel, kernel, gain=1.4)]
        if bias:
            operands.append(self.vector(outputs))
        return self.add("Conv", operands, kernel_shape=[kernel] * 2, pads=[kernel // 2] * 4, group=group)

    def batch_norm(self, x: str, channels: int) -> str:
        scale, bias, mean = self.vector(channels, 0.2, 1.0), self.vector(channels), self.vector(channels)
        variance = self.constant(self.rng.uniform(0.5, 2, channels).astype(np.float32))
        return self.add("BatchNormalization", [x, scale, bias, mean, variance])

    def linear(self, x: str, inputs: int, outputs: int) -> str:
        weight = self.constant(self.rng.normal(0, 1 / np.sqrt(inputs), (inputs, outputs)).astype(np.float32))
        return self.add("Add", [self.add("MatMul", [x, weight]), self.vector(outputs)])

    def gelu(self, x: str) -> str:
        """GELU as exporters take it apart."""
        root, one, half = (self.constant(np.array(v, np.float32)) for v in (2**0.5, 1, 0.5))
        erf = self.add("Erf", [self.add("Div", [x, root])])
        return self.add("Mul", [self.add("Mul", [x, self.add("Add", [erf, one])]), half])

    def build(self, *outputs: str) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "network",
            self.inputs,
            [helper.make_empty_tensor_value_info(name) for name in outputs],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        model = onnx.shape_inference.infer_shapes(model)
        onnx.checker.check_model(model)
        return model


def convolutional(seed: int = 0) -> onnx.ModelProto:
    """What quantized networks of images have: residuals, squeeze and excite, depthwise convolutions, branches."""
    net = FloatNetwork((1, 3, 16, 16), seed)
    x = net.add("Relu", [net.batch_norm(net.conv("x", 3, 16, bias=False), 16)])
    x = net.add("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    y = net.add("HardSwish", [net.conv(x, 16, 32, 1)])
    bounds = net.constant(np.float32(0)), net.constant(np.float32(6))
    y = net.add("Clip", [net.batch_norm(net.conv(y, 32, 32, group=32), 32), *bounds])
    gate = net.conv(net.add("GlobalAveragePool", [y]), 32, 8, 1)
    gate = net.add("HardSigmoid", [net.conv(net.add("Relu", [gate]), 8, 32, 1)])
    y = net.conv(net.add("Mul", [y, gate]), 32, 16, 1)
    x = net.add("Relu", [net.add("Add", [x, y])])
    a, b = net.conv(x, 16, 7, 1), net.add("LeakyRelu", [net.conv(x, 16, 17)], alpha=0.1)
    up = net.add("Resize", [net.add("Concat", [a, b], axis=1), "", net.constant(np.array([1, 1, 2, 2], np.float32))])
    z = net.conv(net.add("AveragePool", [up], kernel_shape=[2, 2], strides=[2, 2]), 24, 24)
    silu = net.add("Mul", [z, net.add("Sigmoid", [z])])
    t = net.add("ConvTranspose", [silu, net.weight(24, 5, 2, 2, gain=2.0)], kernel_shape=[2, 2], strides=[2, 2])
    flat = net.add("Flatten", [net.add("GlobalAveragePool", [net.conv(t, 5, 30)])])
    y = net.add("Gemm", [flat, net.weight(10, 30), net.vector(10)], transB=1)
    return net.build(net.add("Softmax", [y], axis=-1), y)


def transformer(seed: int = 0, open_sizes: bool = False) -> onnx.ModelProto:
    """A block of a transformer: attention with two heads, layer normalizations, a GELU."""
    sizes = ("batch", "length") if open_sizes else (1, 12)
    net = FloatNetwork((*sizes, 32), seed)

    def norm(x: str) -> str:
        return net.add("LayerNormalization", [x, net.vector(32, 0.5, 1.0), net.vector(32)], axis=-1)

    def heads(x: str, perm: list[int]) -> str:
        shape = net.constant(np.array([0, -1, 2, 16], np.int64))
        return net.add("Transpose", [net.add("Reshape", [net.linear(x, 32, 32), shape])], perm=perm)

    x = norm("x")
    scores = net.add("MatMul", [heads(x, [0, 2, 1, 3]), heads(x, [0, 2, 3, 1])])
    shares = net.add("Softmax", [net.add("Div", [scores, net.constant(np.float32(4))])], axis=-1)
    mixed = net.add("Transpose", [net.add("MatMul", [shares, heads(x, [0, 2, 1, 3])])], perm=[0, 2, 1, 3])
    joined = net.add("Reshape", [mixed, net.constant(np.array([0, -1, 32], np.int64))])
    x = net.add("Add", [net.linear(joined, 32, 32), "x"])
    y = net.linear(net.gelu(net.linear(norm(x), 32, 64)), 64, 32)
    return net.build(norm(net.add("Add", [x, y])))


def images(count: int, shape: Sequence[int] = (3, 16, 16), seed: int = 1) -> np.ndarray:
    """Normal numbers float32 (count, *shape)."""
    return np.random.default_rng(seed).normal(0, 1, (count, *shape)).astype(np.float32)
