"""A few lines over `onnx.helper` to write a network down layer by layer.

Batch normalisation is folded into the convolutions by whoever provides the weights, as every exporter does for
inference. Layers whose weights are not given draw them: normal numbers that keep the mean square of the activations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17

# By how much weights must be larger than 1 / inputs for the mean square to survive what follows the layer.
GAIN = {"": 1.0, "relu": 2.0, "relu6": 2.0, "silu": 2.8, "hard_swish": 2.8, "sigmoid": 1.0, "hard_sigmoid": 1.0}


class NetworkBuilder:
    """Appends nodes to one ONNX graph; every method returns the name of the tensor it produced.

    width: of the channels that `wide` is asked about, the part that is made; tests take narrow networks, in which a
    block is repeated once at most.
    """

    def __init__(self, name: str, input_shape: tuple[int, ...], *, seed: int = 0, width: float = 1.0) -> None:
        self.name = name
        self.random = np.random.default_rng(seed)
        self.width = width
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self.shapes: dict[str, tuple[int, ...]] = {"input": input_shape}

    # What the layers are made of

    def wide(self, channels: int) -> int:
        """So many channels, or a part of them: a multiple of eight."""
        return channels if self.width == 1 else max(8, round(channels * self.width / 8) * 8)

    def deep(self, blocks: int) -> int:
        """So many equal blocks one after the other, or two in narrow networks."""
        return blocks if self.width == 1 else min(blocks, 2)

    def channels(self, x: str) -> int:
        return self.shapes[x][1]

    def constant(self, name: str, value: np.ndarray) -> str:
        self.initializers[name] = numpy_helper.from_array(np.array(value, order="C"), name)
        return name

    def weights(self, name: str, value: np.ndarray) -> str:
        return self.constant(name, np.asarray(value, np.float32))

    def draw(self, shape: Sequence[int], deviation: float) -> np.ndarray:
        return self.random.normal(0, deviation, shape)

    def node(self, op_type: str, name: str, inputs: Sequence[str], shape: Sequence[int], **attributes: object) -> str:
        self.nodes.append(helper.make_node(op_type, list(inputs), [f"{name}_out"], name=name, **attributes))
        self.shapes[f"{name}_out"] = tuple(shape)
        return f"{name}_out"

    def same(self, op_type: str, name: str, *inputs: str, **attributes: object) -> str:
        """A node whose result has the shape of its first input."""
        return self.node(op_type, name, inputs, self.shapes[inputs[0]], **attributes)

    # Convolutions and matrix products

    def convolution(
        self,
        name: str,
        x: str,
        weight: np.ndarray,
        bias: np.ndarray,
        stride: int = 1,
        pad: int | None = None,
        groups: int = 1,
    ) -> str:
        """Convolution with given weights (out, in / groups, kh, kw) and bias (out,); "same" padded for odd kernels."""
        kernel = weight.shape[2:]
        pads = [k // 2 if pad is None else pad for k in kernel] * 2
        inputs = [x, self.weights(f"{name}_weight", weight), self.weights(f"{name}_bias", bias)]
        n, _, *image = self.shapes[x]
        image = [(size + 2 * p - k) // stride + 1 for size, p, k in zip(image, pads, kernel, strict=False)]
        attributes = {"group": groups} if groups > 1 else {}
        shape = (n, weight.shape[0], *image)
        sizes = {"kernel_shape": list(kernel), "strides": [stride] * 2, "pads": pads}
        return self.node("Conv", name, inputs, shape, **sizes, **attributes)

    def conv(
        self,
        name: str,
        x: str,
        outputs: int,
        kernel: int,
        stride: int = 1,
        *,
        act: str = "",
        gain: float | None = None,
        groups: int = 1,
        pad: int | None = None,
    ) -> str:
        """Convolution with weights of its own and the activation behind it; `gain` is that of the activation."""
        inputs = self.channels(x) // groups
        deviation = math.sqrt((GAIN[act] if gain is None else gain) / (inputs * kernel * kernel))
        weight = self.draw((outputs, inputs, kernel, kernel), deviation)
        y = self.convolution(name, x, weight, self.draw((outputs,), 0.1), stride, pad, groups)
        return self.activation(f"{name}/{act}", y, act)

    def conv_transpose(self, name: str, x: str, outputs: int, kernel: int, stride: int) -> str:
        n, inputs, *image = self.shapes[x]
        weight = self.draw((inputs, outputs, kernel, kernel), math.sqrt(stride**2 / (inputs * kernel * kernel)))
        operands = [x, self.weights(f"{name}_weight", weight), self.weights(f"{name}_bias", self.draw((outputs,), 0.1))]
        shape = (n, outputs, *((size - 1) * stride + kernel for size in image))
        return self.node(
            "ConvTranspose", name, operands, shape, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[0] * 4
        )

    def fully_connected(self, name: str, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
        """Fully connected layer of a matrix; weight (out, in), bias (out,)."""
        inputs = [x, self.weights(f"{name}_weight", weight), self.weights(f"{name}_bias", bias)]
        return self.node("Gemm", name, inputs, (self.shapes[x][0], len(bias)), transB=1)

    def dense(self, name: str, x: str, outputs: int, act: str = "") -> str:
        """A fully connected layer with weights of its own and the activation behind it."""
        inputs = self.channels(x)
        weight = self.draw((outputs, inputs), math.sqrt(GAIN[act] / inputs))
        y = self.fully_connected(name, x, weight, self.draw((outputs,), 0.1))
        return self.activation(f"{name}/{act}", y, act)

    def linear(self, name: str, x: str, outputs: int, gain: float = 1.0) -> str:
        """torch.nn.Linear on a sequence (n, length, features), as exporters write it: a product and a sum."""
        features = self.shapes[x][-1]
        weight = self.weights(f"{name}_weight", self.draw((features, outputs), math.sqrt(gain / features)))
        bias = self.weights(f"{name}_bias", self.draw((outputs,), 0.1))
        y = self.node("MatMul", name, [x, weight], (*self.shapes[x][:-1], outputs))
        return self.same("Add", f"{name}/bias", y, bias)

    def matmul(self, name: str, x: str, y: str) -> str:
        return self.node("MatMul", name, [x, y], (*self.shapes[x][:-1], self.shapes[y][-1]))

    # Activations

    def activation(self, name: str, x: str, act: str) -> str:
        """The activation `act`, a key of GAIN; none for ""."""
        return getattr(self, act)(name, x) if act else x

    def relu(self, name: str, x: str) -> str:
        return self.same("Relu", name, x)

    def relu6(self, name: str, x: str) -> str:
        bounds = self.weights(f"{name}_min", np.float32(0)), self.weights(f"{name}_max", np.float32(6))
        return self.same("Clip", name, x, *bounds)

    def sigmoid(self, name: str, x: str) -> str:
        return self.same("Sigmoid", name, x)

    def silu(self, name: str, x: str) -> str:
        return self.mul(name, x, self.sigmoid(f"{name}/sigmoid", x))

    def hard_sigmoid(self, name: str, x: str) -> str:
        return self.same("HardSigmoid", name, x, alpha=1 / 6, beta=0.5)

    def hard_swish(self, name: str, x: str) -> str:
        return self.same("HardSwish", name, x)

    def gelu(self, name: str, x: str) -> str:
        """GELU as exporters write it for operator sets that lack it."""
        half, one = (self.weights(f"{self.name}/{word}", np.float32(v)) for word, v in (("half", 0.5), ("one", 1)))
        root = self.weights(f"{self.name}/sqrt2", np.float32(math.sqrt(2)))
        y = self.same(
            "Add", f"{name}/add", self.same("Erf", f"{name}/erf", self.same("Div", f"{name}/div", x, root)), one
        )
        return self.mul(f"{name}/half", self.mul(f"{name}/mul", x, y), half)

    def softmax(self, name: str, x: str) -> str:
        return self.same("Softmax", name, x, axis=-1)

    def layer_norm(self, name: str, x: str) -> str:
        features = self.shapes[x][-1]
        scale = self.weights(f"{name}_scale", 1 + self.draw((features,), 0.1))
        bias = self.weights(f"{name}_bias", self.draw((features,), 0.1))
        return self.same("LayerNormalization", name, x, scale, bias, axis=-1, epsilon=1e-12)

    # Element by element, pools

    def add(self, name: str, x: str, y: str) -> str:
        return self.same("Add", name, x, y)

    def mul(self, name: str, x: str, y: str) -> str:
        return self.same("Mul", name, x, y)

    def squeeze_excite(self, name: str, x: str, squeezed: int, act: str, gate: str) -> str:
        """Scales channels by what two 1x1 convolutions make of their means."""
        y = self.conv(f"{name}/reduce", self.global_average_pool(f"{name}/pool", x), squeezed, 1, act=act)
        return self.mul(f"{name}/scale", x, self.conv(f"{name}/expand", y, self.channels(x), 1, act=gate))

    def max_pool(self, name: str, x: str, kernel: int, stride: int, pad: int = 0, ceil: bool = False) -> str:
        n, c, *image = self.shapes[x]
        spare = stride - 1 if ceil else 0
        shape = (n, c, *((size + 2 * pad - kernel + spare) // stride + 1 for size in image))
        attributes = {"ceil_mode": 1} if ceil else {}
        sizes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
        return self.node("MaxPool", name, [x], shape, **sizes, **attributes)

    def global_average_pool(self, name: str, x: str) -> str:
        return self.node("GlobalAveragePool", name, [x], (*self.shapes[x][:2], 1, 1))

    # Movement

    def concat(self, name: str, parts: Sequence[str], axis: int = 1) -> str:
        shape = list(self.shapes[parts[0]])
        shape[axis] = sum(self.shapes[part][axis] for part in parts)
        return self.node("Concat", name, parts, shape, axis=axis)

    def halves(self, name: str, x: str) -> tuple[str, str]:
        """The channels in two halves."""
        n, c, *image = self.shapes[x]
        sizes = self.constant(f"{name}_sizes", np.array([c // 2] * 2, np.int64))
        names = [f"{name}_out0", f"{name}_out1"]
        self.nodes.append(helper.make_node("Split", [x, sizes], names, name=name, axis=1))
        for part in names:
            self.shapes[part] = (n, c // 2, *image)
        return names[0], names[1]

    def upsample(self, name: str, x: str, mode: str = "nearest") -> str:
        """Twice as high and wide, as torch.nn.Upsample is exported."""
        n, c, h, w = self.shapes[x]
        scales = self.weights(f"{name}_scales", np.array([1, 1, 2, 2]))
        how = {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
        if mode != "nearest":
            how = {"coordinate_transformation_mode": "half_pixel"}
        return self.node("Resize", name, [x, "", scales], (n, c, 2 * h, 2 * w), mode=mode, **how)

    def flatten(self, name: str, x: str) -> str:
        n, *rest = self.shapes[x]
        return self.node("Flatten", name, [x], (n, math.prod(rest)), axis=1)

    def reshape(self, name: str, x: str, shape: Sequence[int]) -> str:
        return self.node("Reshape", name, [x, self.constant(f"{name}_shape", np.array(shape, np.int64))], shape)

    def transpose(self, name: str, x: str, perm: Sequence[int]) -> str:
        shape = [self.shapes[x][axis] for axis in perm]
        return self.node("Transpose", name, [x], shape, perm=list(perm))

    def classifier(self, x: str, classes: int) -> onnx.ModelProto:
        """Ends a network of images: the mean of every channel, a fully connected layer."""
        x = self.flatten("flatten", self.global_average_pool("global_average_pool", x))
        return self.build(self.dense("classify", x, classes))

    def build(self, output: str) -> onnx.ModelProto:
        """The checked model with one input "input" and one output "output"."""
        for node in self.nodes:
            node.output[:] = ["output" if name == output else name for name in node.output]
            node.input[:] = ["output" if name == output else name for name in node.input]
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, self.shapes["input"])],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, self.shapes[output])],
            list(self.initializers.values()),
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model
