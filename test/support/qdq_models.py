"""Random quantized (QDQ) models, seeded: what the differential tests draw their cases from."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclasses.dataclass(frozen=True)
class Quantized:
    """A quantized tensor of the model under construction: its ONNX name, shape and parameters."""

    name: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int


class QdqModel:
    """Appends quantized layers, each DequantizeLinear -> operator -> QuantizeLinear, to one ONNX graph."""

    def __init__(self, rng: np.random.Generator, signed: bool = True, powers_of_two: bool = False) -> None:
        self.rng = rng
        self.dtype = np.dtype(np.int8 if signed else np.uint8)
        self.weight_bits = 8
        self.powers_of_two = powers_of_two
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.graph_inputs: list[onnx.ValueInfoProto] = []
        self._count = 0

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"

    def _constant(self, value: np.ndarray) -> str:
        name = self._name("c")
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def _node(self, op_type: str, inputs: list[str], **attributes: object) -> str:
        name = self._name(op_type.lower())
        self.nodes.append(helper.make_node(op_type, inputs, [f"{name}_out"], name=name, **attributes))
        return f"{name}_out"

    def scale(self, magnitude: float) -> float:
        """A scale near magnitude, as float32 holds it; a power of two when the model uses those."""
        if self.powers_of_two:
            return float(2.0 ** np.round(np.log2(magnitude)))
        return float(np.float32(magnitude * self.rng.uniform(0.7, 1.4)))

    def zero_point(self, choice: str = "any") -> int:
        info = np.iinfo(self.dtype)
        if choice == "min":
            return int(info.min)
        return int(self.rng.choice([0, info.min, int(self.rng.integers(info.min, info.max + 1))]))

    def _quantize(self, value: str, shape: tuple[int, ...], scale: float, zero_point: int) -> Quantized:
        parameters = [self._constant(np.float32(scale)), self._constant(np.array(zero_point, self.dtype))]
        return Quantized(self._node("QuantizeLinear", [value, *parameters]), shape, scale, zero_point)

    def dequantize(self, x: Quantized) -> str:
        parameters = [self._constant(np.float32(x.scale)), self._constant(np.array(x.zero_point, self.dtype))]
        return self._node("DequantizeLinear", [x.name, *parameters])

    def input(self, shape: tuple[int, ...]) -> Quantized:
        name = self._name("input")
        self.graph_inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return self._quantize(name, shape, self.scale(1 / 64), self.zero_point())

    def weight_values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Random int8 weights on both sides of zero, as many values as `weight_bits` holds."""
        most = (1 << self.weight_bits - 1) - 1
        return self.rng.integers(-most, most + 1, shape).astype(np.int8)

    def _weights(self, shape: tuple[int, ...], per_channel: bool) -> tuple[str, np.ndarray]:
        values = self.weight_values(shape)
        count = shape[0] if per_channel else 1
        scales = np.array([self.scale(2.0**-8) for _ in range(count)], np.float32)
        if not per_channel:
            scales = scales.reshape(())
        zeros = np.zeros(scales.shape, np.int8)
        inputs = [self._constant(values), self._constant(scales), self._constant(zeros)]
        return self._node("DequantizeLinear", inputs, axis=0), scales

    def _bias(self, size: int, x_scale: float, w_scales: np.ndarray) -> str:
        scales = (np.float32(x_scale) * w_scales).astype(np.float32)
        values = self.rng.integers(-2000, 2001, size).astype(np.int32)
        inputs = [self._constant(values), self._constant(scales), self._constant(np.zeros(scales.shape, np.int32))]
        return self._node("DequantizeLinear", inputs, axis=0)

    def _activation(self, value: str, activation: str) -> str:
        if activation == "relu":
            return self._node("Relu", [value])
        if activation == "clip":
            return self._node("Clip", [value, self._constant(np.float32(0)), self._constant(np.float32(6))])
        return value

    def conv(
        self,
        x: Quantized,
        channels: int,
        kernel: tuple[int, int] = (3, 3),
        strides: tuple[int, int] = (1, 1),
        pads: tuple[int, int, int, int] = (1, 1, 1, 1),
        dilations: tuple[int, int] = (1, 1),
        group: int = 1,
        per_channel: bool = False,
        bias: bool = True,
        activation: str = "",
    ) -> Quantized:
        n, c, h, w = x.shape
        weight, w_scales = self._weights((channels, c // group, *kernel), per_channel)
        inputs = [self.dequantize(x), weight]
        if bias:
            inputs.append(self._bias(channels, x.scale, w_scales))
        size = [
            (extent + before + after - d * (k - 1) - 1) // s + 1
            for extent, before, after, d, k, s in zip(
                (h, w), pads[:2], pads[2:], dilations, kernel, strides, strict=True
            )
        ]
        y = self._node(
            "Conv", inputs, kernel_shape=kernel, strides=strides, pads=pads, dilations=dilations, group=group
        )
        # The deviation of a sum of products of the integers drawn above decides a scale that uses the output's range.
        deviation = x.scale * float(w_scales.mean()) * 73 * 73 * np.sqrt(c // group * kernel[0] * kernel[1])
        zero_point = self.zero_point("min" if activation else "any")
        return self._quantize(
            self._activation(y, activation), (n, channels, *size), self.scale(deviation / 40), zero_point
        )

    def gemm(self, x: Quantized, features: int, per_channel: bool = False, activation: str = "") -> Quantized:
        rows, depth = x.shape
        weight, w_scales = self._weights((features, depth), per_channel)
        y = self._node("Gemm", [self.dequantize(x), weight, self._bias(features, x.scale, w_scales)], transB=1)
        deviation = x.scale * float(w_scales.mean()) * 73 * 73 * np.sqrt(depth)
        return self._quantize(
            self._activation(y, activation), (rows, features), self.scale(deviation / 40), self.zero_point()
        )

    def rows(self, x: Quantized, features: int, per_channel: bool = False, bias: str = "") -> Quantized:
        """MatMul of a sequence (..., depth) by weights (depth, features).

        bias: "" for none, "float" in one sum with the product, or "own" for a sum that is quantized by itself.
        """
        depth = x.shape[-1]
        weight, w_scales = self._weights((features, depth), per_channel)
        y = self._node("MatMul", [self.dequantize(x), self._node("Transpose", [weight], perm=[1, 0])])
        deviation = x.scale * float(w_scales.mean()) * 73 * 73 * np.sqrt(depth)
        scale, shape = self.scale(deviation / 40), (*x.shape[:-1], features)
        if bias == "float":
            y = self._node("Add", [y, self._constant(self.rng.normal(0, deviation, features).astype(np.float32))])
        result = self._quantize(y, shape, scale, self.zero_point())
        return self.add_constant(result) if bias == "own" else result

    def add_constant(self, x: Quantized) -> Quantized:
        """The sum with a quantized constant for every channel, the last axis."""
        info = np.iinfo(self.dtype)
        values = self.rng.integers(info.min, info.max + 1, x.shape[-1]).astype(self.dtype)
        constant = Quantized(self._constant(values), values.shape, self.scale(x.scale / 2), self.zero_point())
        y = self._node("Add", [self.dequantize(constant), self.dequantize(x)])
        return self._quantize(y, x.shape, self.scale(x.scale), self.zero_point())

    def product(self, a: Quantized, b: Quantized) -> Quantized:
        """MatMul of two computed tensors."""
        y = self._node("MatMul", [self.dequantize(a), self.dequantize(b)])
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        deviation = a.scale * b.scale * 73 * 73 * np.sqrt(a.shape[-1])
        return self._quantize(y, (*batch, a.shape[-2], b.shape[-1]), self.scale(deviation / 40), self.zero_point())

    def reshape(self, x: Quantized, shape: tuple[int, ...]) -> Quantized:
        value = self._node("Reshape", [self.dequantize(x), self._constant(np.array(shape, np.int64))])
        return self._quantize(value, shape, x.scale, x.zero_point)

    def transpose(self, x: Quantized, perm: tuple[int, ...]) -> Quantized:
        value = self._node("Transpose", [self.dequantize(x)], perm=perm)
        return self._quantize(value, tuple(x.shape[axis] for axis in perm), x.scale, x.zero_point)

    def softmax(self, x: Quantized) -> Quantized:
        value = self._node("Softmax", [self.dequantize(x)], axis=-1)
        return self._quantize(value, x.shape, float(np.float32(1 / 255)), int(np.iinfo(self.dtype).min))

    def attention(self, x: Quantized, heads: int, per_channel: bool = False, bias: str = "own") -> Quantized:
        """Self-attention of sequences (batch, positions, channels) with a residual connection."""
        batch, positions, channels = x.shape
        parts = []
        for perm in ((0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3)):
            part = self.rows(x, channels, per_channel, bias)
            taken = self.reshape(part, (batch, positions, heads, channels // heads))
            parts.append(self.transpose(taken, perm))
        scores = self.product(parts[0], parts[1])
        mixed = self.product(self.softmax(scores), parts[2])
        joined = self.reshape(self.transpose(mixed, (0, 2, 1, 3)), x.shape)
        return self.add(self.rows(joined, channels, per_channel, bias), x)

    def add(self, x: Quantized, y: Quantized, activation: str = "") -> Quantized:
        value = self._activation(self._node("Add", [self.dequantize(x), self.dequantize(y)]), activation)
        zero_point = self.zero_point("min" if activation else "any")
        return self._quantize(value, x.shape, self.scale(x.scale + y.scale), zero_point)

    def function(self, x: Quantized, op_type: str, *constants: np.ndarray, **attributes: object) -> Quantized:
        """An operator that computes every element by itself, and does not make it much larger."""
        value = self._node(op_type, [self.dequantize(x), *map(self._constant, constants)], **attributes)
        return self._quantize(value, x.shape, self.scale(x.scale), self.zero_point())

    def gated(self, x: Quantized, op_type: str, quantized: bool = False) -> Quantized:
        """x * gate(x): with "Sigmoid" SiLU, with "Erf" nearly GELU; `quantized`: the gate by itself, too."""
        value = self.dequantize(x)
        gate = self._node(op_type, [value])
        if quantized:
            gate = self.dequantize(self._quantize(gate, x.shape, self.scale(1 / 128), self.zero_point()))
        return self._quantize(self._node("Mul", [value, gate]), x.shape, self.scale(x.scale), self.zero_point())

    def scaled(self, x: Quantized, gate: Quantized) -> Quantized:
        """The product of an image with one number for each channel."""
        value = self._node("Mul", [self.dequantize(x), self.dequantize(gate)])
        return self._quantize(value, x.shape, self.scale(x.scale), self.zero_point())

    def max_pool(self, x: Quantized, kernel: int, stride: int, pad: int) -> Quantized:
        value = self._node(
            "MaxPool", [self.dequantize(x)], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4
        )
        size = [(extent + 2 * pad - kernel) // stride + 1 for extent in x.shape[2:]]
        return self._quantize(value, (*x.shape[:2], *size), x.scale, x.zero_point)

    def average_pool(self, x: Quantized, kernel: int) -> Quantized:
        """Over windows beside each other, whose sums are exact."""
        value = self._node("AveragePool", [self.dequantize(x)], kernel_shape=[kernel] * 2, strides=[kernel] * 2)
        size = [extent // kernel for extent in x.shape[2:]]
        return self._quantize(value, (*x.shape[:2], *size), self.scale(x.scale / 2), self.zero_point())

    def concat(self, xs: list[Quantized]) -> Quantized:
        """Channels one after the other, in the coarsest of the scales."""
        value = self._node("Concat", [self.dequantize(x) for x in xs], axis=1)
        shape = (xs[0].shape[0], sum(x.shape[1] for x in xs), *xs[0].shape[2:])
        return self._quantize(value, shape, max(x.scale for x in xs), xs[0].zero_point)

    def global_average_pool(self, x: Quantized) -> Quantized:
        value = self._node("GlobalAveragePool", [self.dequantize(x)])
        return self._quantize(value, (*x.shape[:2], 1, 1), self.scale(x.scale / 2), self.zero_point())

    def flatten(self, x: Quantized) -> Quantized:
        value = self._node("Flatten", [self.dequantize(x)], axis=1)
        return self._quantize(value, (x.shape[0], int(np.prod(x.shape[1:]))), x.scale, x.zero_point)

    def build(self, *outputs: Quantized) -> onnx.ModelProto:
        """The checked model; its outputs are the dequantized tensors `outputs`, float32."""
        names = [self.dequantize(x) for x in outputs]
        graph = helper.make_graph(
            self.nodes,
            "random_qdq",
            self.graph_inputs,
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape)
                for name, x in zip(names, outputs, strict=True)
            ],
            self.initializers,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model


def random_network(seed: int) -> onnx.ModelProto:
    """A small residual network with everything drawn from the seed: shapes, kernels, scales, zero points, types."""
    rng = np.random.default_rng(seed)
    net = QdqModel(rng, signed=bool(rng.integers(2)), powers_of_two=rng.random() < 0.25)
    height, width = (int(v) for v in rng.integers(5, 20, 2))
    x = net.input((1, int(rng.choice([1, 3, 8, 16, 20])), height, width))
    for _ in range(int(rng.integers(1, 4))):
        kernel = tuple(int(v) for v in rng.choice([1, 2, 3, 5], 2))
        dilations = tuple(int(v) for v in rng.choice([1, 2], 2, p=[0.8, 0.2]))
        reach = [d * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
        pads = tuple(int(rng.integers(0, r + 1)) for r in (*reach, *reach))
        fits = all(extent + pads[i] + pads[i + 2] > reach[i] for i, extent in enumerate(x.shape[2:]))
        if not fits:
            kernel, dilations, pads = (1, 1), (1, 1), (0, 0, 0, 0)
        x = net.conv(
            x,
            int(rng.choice([3, 16, 24, 40])),
            kernel,  # type: ignore[arg-type]
            tuple(int(v) for v in rng.choice([1, 2, 3], 2, p=[0.6, 0.3, 0.1])),  # type: ignore[arg-type]
            pads,  # type: ignore[arg-type]
            dilations,  # type: ignore[arg-type]
            per_channel=bool(rng.integers(2)),
            bias=rng.random() < 0.8,
            activation=str(rng.choice(["", "relu", "clip"])),
        )
        if rng.random() < 0.6:
            branch = net.conv(x, x.shape[1], activation="relu", per_channel=bool(rng.integers(2)))
            x = net.add(branch, x, str(rng.choice(["", "relu"])))
        if rng.random() < 0.4 and min(x.shape[2:]) >= 3:
            x = net.max_pool(x, 3, int(rng.integers(1, 3)), int(rng.integers(0, 2)))
    x = net.flatten(net.global_average_pool(x))
    return net.build(net.gemm(x, int(rng.integers(2, 40)), per_channel=bool(rng.integers(2))))


def power_of_two_network(seed: int) -> onnx.ModelProto:
    """A residual network whose scales are powers of two, as are the numbers of elements that are averaged.

    ONNX Runtime's float32 arithmetic is exact on it, and many results are ties.
    """
    rng = np.random.default_rng(seed)
    net = QdqModel(rng, signed=bool(rng.integers(2)), powers_of_two=True)
    x = net.input((1, int(rng.choice([3, 16, 20])), 8, 8))
    for layer in range(3):
        x = net.conv(
            x,
            int(rng.choice([8, 16, 24])),
            per_channel=bool(rng.integers(2)),
            bias=bool(rng.integers(2)),
            activation=str(rng.choice(["", "relu", "clip"])),
        )
        branch = net.conv(x, x.shape[1], (1, 1), pads=(0, 0, 0, 0), per_channel=bool(rng.integers(2)))
        kind = rng.choice(["add", "relu", "concat"])
        x = net.concat([branch, x]) if kind == "concat" else net.add(branch, x, "relu" if kind == "relu" else "")
        if layer == 1:
            x = net.max_pool(x, 2, 2, 0) if rng.integers(2) else net.average_pool(x, 2)
    x = net.flatten(net.global_average_pool(x))
    return net.build(net.gemm(x, 10, per_channel=True))
