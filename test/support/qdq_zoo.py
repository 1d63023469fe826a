"""Random quantized models of everything a QDQ model may have, wider than the residual networks of `qdq_models`."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from qdq_models import QdqModel, Quantized

CHANNELS = (1, 2, 3, 5, 8, 12, 16, 17, 24, 31, 32, 48, 64)
KERNELS = ((1, 1), (3, 3), (2, 2), (5, 5), (7, 7), (11, 11), (1, 3), (3, 1), (1, 7), (7, 1), (2, 3), (4, 1))


class ZooModel(QdqModel):
    """A random model under construction; `budget` bounds the multiply-accumulates of a convolution."""

    budget = 4_000_000

    def integer_input(self, shape: tuple[int, ...]) -> Quantized:
        """A graph input that is quantized already."""
        name = self._name("input")
        kind = helper.np_dtype_to_tensor_dtype(self.dtype)
        self.graph_inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return Quantized(name, shape, self.scale(1 / 64), self.zero_point())

    def any_conv(self, x: Quantized) -> Quantized:
        """A convolution of any kind that x has room for."""
        rng = self.rng
        n, c, h, w = x.shape
        for _ in range(20):
            kernel = KERNELS[int(rng.choice(len(KERNELS), p=_favour(len(KERNELS), 2)))]
            dilations = tuple(int(v) for v in rng.choice([1, 2, 3], 2, p=[0.85, 0.1, 0.05]))
            reach = [d * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
            style = rng.random()
            if style < 0.5:
                pads = (reach[0] // 2, reach[1] // 2, reach[0] - reach[0] // 2, reach[1] - reach[1] // 2)
            elif style < 0.65:
                pads = (0, 0, 0, 0)
            else:
                pads = tuple(int(rng.integers(0, r + 2)) for r in (*reach, *reach))
            strides = tuple(int(v) for v in rng.choice([1, 2, 3, 4], 2, p=[0.6, 0.3, 0.05, 0.05]))
            size = [
                (extent + pads[i] + pads[i + 2] - reach[i] - 1) // strides[i] + 1 for i, extent in enumerate((h, w))
            ]
            if min(size) < 1 or min(h + pads[0] + pads[2] - reach[0], w + pads[1] + pads[3] - reach[1]) < 1:
                continue
            divisors = [g for g in range(2, c + 1) if c % g == 0]
            group = int(rng.choice([*divisors, c])) if divisors and rng.random() < 0.25 else 1
            channels = group * int(rng.choice([1, 1, 2, 3])) if group > 1 else int(rng.choice(CHANNELS))
            if n * channels * size[0] * size[1] * (c // group) * kernel[0] * kernel[1] > self.budget:
                continue
            return self.conv(
                x,
                channels,
                kernel,
                strides,  # type: ignore[arg-type]
                pads,  # type: ignore[arg-type]
                dilations,  # type: ignore[arg-type]
                group,
                per_channel=bool(rng.integers(2)),
                bias=rng.random() < 0.8,
                activation=str(rng.choice(["", "", "relu", "clip"])),
            )
        return self.conv(x, 8, (1, 1), (1, 1), (0, 0, 0, 0))

    def binary(self, kind: str, x: Quantized, y: Quantized, activation: str = "") -> Quantized:
        value = self._activation(self._node(kind, [self.dequantize(x), self.dequantize(y)]), activation)
        scale = x.scale * y.scale * 64 if kind == "Mul" else x.scale + y.scale
        shape = np.broadcast_shapes(x.shape, y.shape)
        return self._quantize(value, shape, self.scale(scale), self.zero_point("min" if activation else "any"))

    def function(self, x: Quantized) -> Quantized:
        """A function of every element, written in one of the ways of exporters and quantizers."""
        real = self.dequantize(x)
        kind = str(self.rng.choice(["Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "LeakyRelu", "silu", "times"]))
        if kind == "silu":
            gate = self._quantize(self._node("Sigmoid", [real]), x.shape, 1 / 256, int(np.iinfo(self.dtype).min))
            value = self._node("Mul", [real, self.dequantize(gate)])
        elif kind == "times":
            factors = self.rng.uniform(-1, 1, x.shape[1] if self.rng.random() < 0.5 else 1).astype(np.float32)
            value = self._node("Mul", [real, self._constant(factors.reshape(-1, 1, 1))])
        else:
            value = self._node(kind, [real])
        magnitude = 1 / 128 if kind in ("Sigmoid", "Tanh", "HardSigmoid") else x.scale
        return self._quantize(value, x.shape, self.scale(magnitude), self.zero_point())

    def pool_image(self, x: Quantized, kind: str) -> Quantized:
        """GlobalMaxPool, or ReduceMax or ReduceMean over the image, whose axes stay."""
        attributes = {} if kind == "GlobalMaxPool" else {"axes": [-2, -1], "keepdims": 1}
        value = self._node(kind, [self.dequantize(x)], **attributes)
        scale = self.scale(x.scale / 2) if kind == "ReduceMean" else x.scale
        return self._quantize(value, (*x.shape[:2], 1, 1), scale, x.zero_point)

    def gate(self, x: Quantized) -> Quantized:
        """Squeeze and excite: x times a function of its means."""
        squeezed = self.global_average_pool(x)
        return self.binary("Mul", x, self.function(self.conv(squeezed, x.shape[1], (1, 1), pads=(0, 0, 0, 0))))

    def rescale(self, x: Quantized, activation: str = "") -> Quantized:
        """The same numbers in another scale."""
        value = self._activation(self.dequantize(x), activation)
        return self._quantize(value, x.shape, self.scale(x.scale * 1.5), self.zero_point())

    def average_pool(self, x: Quantized) -> Quantized:
        rng = self.rng
        kernel = [int(rng.integers(1, min(4, extent) + 1)) for extent in x.shape[2:]]
        pads = [int(rng.integers(0, k)) for k in (*kernel, *kernel)] if rng.random() < 0.4 else [0] * 2 * len(kernel)
        strides = [int(rng.integers(1, 3)) for _ in kernel]
        value = self._node(
            *("AveragePool", [self.dequantize(x)]),
            **{"kernel_shape": kernel, "strides": strides, "pads": pads, "count_include_pad": int(rng.integers(2))},
        )
        size = [(e + pads[i] + pads[i + len(kernel)] - kernel[i]) // strides[i] + 1 for i, e in enumerate(x.shape[2:])]
        return self._quantize(value, (*x.shape[:2], *size), self.scale(x.scale), self.zero_point())

    def any_max_pool(self, x: Quantized) -> Quantized:
        rng = self.rng
        kernel = [int(rng.integers(1, min(5, extent) + 1)) for extent in x.shape[2:]]
        pads = [int(rng.integers(0, (k + 1) // 2)) for k in (*kernel, *kernel)]
        strides = [int(rng.integers(1, 4)) for _ in kernel]
        value = self._node("MaxPool", [self.dequantize(x)], kernel_shape=kernel, strides=strides, pads=pads)
        size = [(e + pads[i] + pads[i + len(kernel)] - kernel[i]) // strides[i] + 1 for i, e in enumerate(x.shape[2:])]
        return self._quantize(value, (*x.shape[:2], *size), x.scale, x.zero_point)

    def move(self, x: Quantized) -> Quantized:
        """A transpose, padding or slice-free movement of data that keeps four axes."""
        rng = self.rng
        n, c, h, w = x.shape
        kind = rng.integers(3)
        if kind == 0:
            value = self._node("Transpose", [self.dequantize(x)], perm=[0, 1, 3, 2])
            shape = (n, c, w, h)
        elif kind == 1:
            value = self._node("Reshape", [self.dequantize(x), self._constant(np.array([n, c, w, h], np.int64))])
            shape = (n, c, w, h)
        else:
            pads = [0, 0, *(int(v) for v in rng.integers(0, 3, 2)), 0, 0, *(int(v) for v in rng.integers(0, 3, 2))]
            value = self._node("Pad", [self.dequantize(x), self._constant(np.array(pads, np.int64))])
            shape = (n, c, h + pads[2] + pads[6], w + pads[3] + pads[7])
        return self._quantize(value, shape, x.scale, x.zero_point)

    def dense(self, x: Quantized) -> Quantized:
        """A Gemm or MatMul, with or without bias, weights in either order."""
        rng = self.rng
        rows, depth = x.shape
        features = int(rng.choice([1, 2, 7, 10, 16, 33, 64, 100]))
        per_channel = bool(rng.integers(2))
        kind = rng.integers(3)
        if kind == 0:
            return self.gemm(x, features, per_channel, str(rng.choice(["", "relu"])))
        deviation = x.scale * 2.0**-8 * 73 * 73 * np.sqrt(depth)
        values = self.weight_values((depth, features))
        scales = np.array([self.scale(2.0**-8) for _ in range(features if per_channel else 1)], np.float32)
        scales = scales if per_channel else scales.reshape(())
        zeros = np.zeros(scales.shape, np.int8)
        inputs = [self._constant(values), self._constant(scales), self._constant(zeros)]
        weight = self._node("DequantizeLinear", inputs, axis=1)
        if kind == 1:
            value = self._node("Gemm", [self.dequantize(x), weight])
        else:
            value = self._node("MatMul", [self.dequantize(x), weight])
            if rng.integers(2):
                bias = rng.normal(0, deviation / 4, features).astype(np.float32)
                value = self._node("Add", [value, self._constant(bias)])
        return self._quantize(
            self._activation(value, str(rng.choice(["", "relu"]))),
            (rows, features),
            self.scale(deviation / 40),
            self.zero_point(),
        )

    def softmax(self, x: Quantized) -> Quantized:
        value = self._node("Softmax", [self.dequantize(x)], axis=1)
        low = int(np.iinfo(self.dtype).min)
        return self._quantize(value, x.shape, 1 / 256, low)

    def finish(self, outputs: list[Quantized]) -> onnx.ModelProto:
        """The checked model; some of the outputs stay quantized."""
        infos = []
        for x in outputs:
            if self.rng.random() < 0.3:
                name, kind = x.name, helper.np_dtype_to_tensor_dtype(self.dtype)
            else:
                name, kind = self.dequantize(x), TensorProto.FLOAT
            infos.append(helper.make_tensor_value_info(name, kind, x.shape))
        graph = helper.make_graph(self.nodes, "random_zoo", self.graph_inputs, infos, self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model


def _favour(count: int, first: int) -> np.ndarray:
    """Half of the probability for the first few."""
    p = np.full(count, 0.5 / (count - first))
    p[:first] = 0.5 / first
    return p


def random_zoo(seed: int, weight_bits: int = 8) -> onnx.ModelProto:
    """A random graph: several inputs and outputs, branches that join, every operator that may be quantized."""
    rng = np.random.default_rng([seed, 1])
    net = ZooModel(rng, signed=bool(rng.integers(2)), powers_of_two=rng.random() < 0.25)
    net.weight_bits = weight_bits
    batch = int(rng.choice([1, 2, 3, 4], p=[0.55, 0.2, 0.1, 0.15]))
    size = tuple(int(v) for v in rng.choice([1, 2, 4, 5, 7, 8, 11, 13, 14, 16, 17, 23], 2))
    images: list[Quantized] = []
    for _ in range(1 + (rng.random() < 0.2)):
        make = net.integer_input if rng.random() < 0.25 else net.input
        images.append(make((batch, int(rng.choice(CHANNELS)), *size)))
    for _ in range(int(rng.integers(1, 7))):
        x = images[-1] if rng.random() < 0.7 else images[int(rng.integers(len(images)))]
        twins = [y for y in images if y.shape == x.shape]
        planes = [y for y in images if y.shape[2:] == x.shape[2:]]
        kind = rng.choice(
            ["conv", "add", "sub", "mul", "concat", "max", "average", "rescale", "move"],
            p=[0.5, 0.13, 0.03, 0.05, 0.09, 0.07, 0.05, 0.04, 0.04],
        )
        activation = str(rng.choice(["", "relu", "clip"]))
        if kind in ("add", "sub", "mul"):
            y = twins[int(rng.integers(len(twins)))]
            if y is x and rng.random() < 0.8:
                y = net.conv(x, x.shape[1], activation="relu", per_channel=bool(rng.integers(2)))
            images.append(net.binary(str(kind).capitalize(), x, y, activation))
        elif kind == "concat":
            images.append(net.concat([x, *planes[: int(rng.integers(1, 3))]]))
        elif kind == "max":
            images.append(net.any_max_pool(x))
        elif kind == "average":
            images.append(net.average_pool(x))
        elif kind == "rescale":
            images.append(net.rescale(x, activation))
        elif kind == "move":
            images.append(net.move(x))
        else:
            images.append(net.any_conv(x))
    read = {name for node in net.nodes for name in node.input}
    outputs = [x for x in images if x.name not in read][:3]
    if rng.random() < 0.7:
        x = images[-1]
        if rng.random() < 0.6:
            x = net.global_average_pool(x)
        x = net.flatten(x)
        if x.shape[1] <= 20_000:
            x = net.dense(x)
            if rng.random() < 0.4:
                x = net.dense(x)
        if rng.random() < 0.3:
            x = net.softmax(x)
        outputs = [*outputs[:-1], x] if outputs and outputs[-1] is images[-1] else [*outputs, x]
    elif rng.random() < 0.3:
        outputs.append(images[int(rng.integers(len(images)))])
    produced = {name for node in net.nodes for name in node.output}
    outputs = list({x.name: x for x in outputs if x.name in produced}.values())
    return net.finish(outputs or [net.rescale(images[-1])])


ODD_PLANES = (1, 2, 3, 5, 6, 7, 9, 11, 13, 15, 17, 19, 31, 33)
"""Widths of images whose rows and planes no vector register divides; most leave a rest of one element."""


def inverted_residuals(seed: int) -> onnx.ModelProto:
    """Blocks of a mobile network on small odd planes: expand, depthwise convolution, project, add."""
    rng = np.random.default_rng([seed, 3])
    net = ZooModel(rng, signed=bool(rng.integers(2)), powers_of_two=rng.random() < 0.2)
    size = int(rng.choice(ODD_PLANES))
    height, width = (size, size) if rng.random() < 0.6 else (size, int(rng.choice(ODD_PLANES)))
    channels = int(rng.choice([3, 8, 16, 24]))
    make = net.integer_input if rng.random() < 0.3 else net.input
    x = make((int(rng.choice([1, 1, 2])), channels, height, width))
    point = {"kernel": (1, 1), "pads": (0, 0, 0, 0)}
    for _ in range(int(rng.integers(1, 4))):
        wide = int(rng.choice([1, 2, 3, 6])) * x.shape[1]
        kernel = int(rng.choice([3, 3, 5]))
        stride = int(rng.choice([1, 1, 2]))
        activation = str(rng.choice(["relu", "clip", ""]))
        per_channel = bool(rng.integers(2))
        y = net.conv(x, wide, **point, per_channel=per_channel, activation=activation)
        y = net.conv(
            *(y, wide, (kernel, kernel), (stride, stride), (kernel // 2,) * 4),
            **{"group": wide, "per_channel": per_channel, "activation": activation},
        )
        keeps = stride == 1 and rng.random() < 0.8
        y = net.conv(y, x.shape[1] if keeps else int(rng.choice([8, 17, 24])), **point, per_channel=per_channel)
        x = net.binary("Add", x, y) if keeps else y
    if rng.random() < 0.5:
        x = net.dense(net.flatten(net.global_average_pool(x)))
    return net.finish([x])


def gated_network(seed: int) -> onnx.ModelProto:
    """Convolutions with functions behind them, gates, and sums and products of images that broadcast."""
    rng = np.random.default_rng([seed, 4])
    net = ZooModel(rng, signed=bool(rng.integers(2)), powers_of_two=rng.random() < 0.2)
    height, width = (int(v) for v in rng.choice(ODD_PLANES[:10], 2))
    x = net.input((int(rng.choice([1, 1, 2, 3])), int(rng.choice([1, 3, 16, 17, 24])), height, width))
    for _ in range(int(rng.integers(1, 4))):
        x = net.conv(x, int(rng.choice([1, 7, 16, 24, 33])), per_channel=bool(rng.integers(2)))
        kind = rng.random()
        if kind < 0.35:
            x = net.function(x)
        elif kind < 0.65:
            x = net.gate(x)
        else:
            n, c, h, w = x.shape
            shape = (n if rng.random() < 0.8 else 1, c, *(s if rng.random() < 0.4 else 1 for s in (h, w)))
            y = net.conv(net.input(shape), c, (1, 1), pads=(0, 0, 0, 0))
            x = net.binary(str(rng.choice(["Add", "Sub", "Mul"])), *((x, y) if rng.random() < 0.6 else (y, x)))
    return net.finish([x])


def random_config(seed: int) -> dict[str, int]:
    """A configuration of any shape, from tiny scratchpads to large ones; it may be illegal."""
    rng = np.random.default_rng([seed, 2])
    config = {
        "LOG_BATCH": int(rng.choice([0, 0, 0, 1, 2])),
        "LOG_BLOCK_IN": int(rng.integers(2, 7)),
        "LOG_BLOCK_OUT": int(rng.integers(2, 7)),
    }
    if rng.random() < 0.5:
        config = {"LOG_BATCH": config["LOG_BATCH"], "LOG_BLOCK": int(rng.integers(2, 7))}
    block_in, block_out = (config.get(f"LOG_BLOCK_{d}", config.get("LOG_BLOCK", 4)) for d in ("IN", "OUT"))
    element = {
        "INP": config["LOG_BATCH"] + block_in,
        "WGT": block_in + block_out,
        "ACC": config["LOG_BATCH"] + block_out + 2,
    }
    small = rng.random() < 0.5
    for name, log_bytes in element.items():
        depth = int(rng.integers(2, 6) if small else rng.integers(5, 12))
        config[f"LOG_{name}_BUFF_SIZE"] = log_bytes + depth
    config["LOG_UOP_BUFF_SIZE"] = int(rng.integers(4, 9) if small else rng.integers(8, 16))
    if rng.random() < 0.06:
        config["LOG_WGT_WIDTH"] = int(rng.integers(1, 3))
    if rng.random() < 0.04:
        config["LOG_INP_WIDTH"] = int(rng.integers(0, 3))
    for key in ("ALU_REQUANTIZE", "GEMM_SET"):
        if rng.random() < 0.4:
            config[key] = 1
    # A table has 256 entries, among the micro-ops, and so many accumulators must a micro-op be able to name.
    has_room = config["LOG_UOP_BUFF_SIZE"] >= 11 and config["LOG_ACC_BUFF_SIZE"] - element["ACC"] >= 8
    if has_room and rng.random() < 0.4:
        config["ALU_TABLE"] = 1
    return config
