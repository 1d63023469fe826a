"""Why a kernel is not on the accelerator: the reason is that of the operator which is to blame, in some 35 patterns."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from acc.compiler import compile_contents
from acc.partition import partition
from acc.pipeline import Options, Pipeline
from acc.targets.vta import Vta, VtaOptions
from qdq_models import QdqModel


class Net:
    """A graph of quantized tensors; every method returns the name of a value."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.rng = np.random.default_rng(3)

    def input(self, *shape: int, name: str = "x", dtype: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def constant(self, value: Any, dtype: Any = None) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def q(self, x: str, scale: float = 0.1, dtype: Any = np.int8) -> str:
        return self.op("QuantizeLinear", x, self.constant(scale, np.float32), self.constant(0, dtype))

    def dq(self, x: str, scale: float = 0.1, dtype: Any = np.int8) -> str:
        return self.op("DequantizeLinear", x, self.constant(scale, np.float32), self.constant(0, dtype))

    def qdq(self, x: str, scale: float = 0.1, dtype: Any = np.int8) -> str:
        return self.dq(self.q(x, scale, dtype), scale, dtype)

    def start(self, *shape: int, dtype: Any = np.int8, scale: float = 0.05) -> str:
        return self.qdq(self.input(*(shape or (1, 16, 8, 8))), scale, dtype)

    def weight(self, *shape: int) -> str:
        return self.dq(self.constant(self.rng.integers(-127, 128, shape), np.int8), 0.01)

    def conv(self, x: str, **attributes: Any) -> str:
        return self.op("Conv", x, self.weight(16, 16, 1, 1), **attributes)

    def model(self, *outputs: str, dtype: int = TensorProto.FLOAT) -> onnx.ModelProto:
        results = [helper.make_tensor_value_info(name, dtype, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "g", self.inputs, results, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


INT8, INT16, FLOAT = np.int8, np.int16, np.float32

Build = Callable[[Net], str]

PATTERNS: dict[str, tuple[Build, str]] = {
    "input": (lambda n: n.qdq(n.conv(n.start())), "enters the integer part of the network"),
    "output": (lambda n: n.qdq(n.conv(n.start())), "leaves the integer part of the network"),
    "rounding in floats": (
        lambda n: n.op("Softmax", n.start(1, 16)),
        "enters the integer part of the network, and leaves it at once",
    ),
    "quotient": (
        lambda n: n.qdq(n.op("Div", n.qdq(n.conv(x := n.start())), n.qdq(n.conv(x)))),
        "Div has no integer form",
    ),
    "product of sequences": (
        lambda n: n.qdq(n.op("Mul", n.start(1, 16, 8), n.qdq(n.input(1, 16, 8, name="z")))),
        "tensor of 3 axes, the accelerator has images and matrices: a reshape to (N, C, H, W) or (N, C) in the model "
        "would do",
    ),
    "swish": (
        lambda n: n.qdq(n.op("Mul", x := n.qdq(n.conv(n.start())), n.op("Sigmoid", x))),
        "computed by a table of 256 entries, which the vector unit does not have: a configuration with ALU_TABLE would "
        "do, or a function of lines (LeakyReLU, HardSwish) in its place",
    ),
    "convolution before a swish": (
        lambda n: n.qdq(n.op("Mul", c := n.conv(n.start()), n.op("Sigmoid", c))),
        "its result goes through Mul and Sigmoid before it is quantized",
    ),
    "convolution times a constant": (
        lambda n: n.qdq(n.op("Mul", n.conv(n.start()), n.constant(2.0, FLOAT))),
        "Conv: its result goes through Mul before it is quantized; Mul: an operand is not quantized",
    ),
    "sum with floats": (
        lambda n: n.qdq(n.op("Add", n.start(), n.op("Sin", n.input(1, 16, 8, 8, name="z")))),
        "an operand is not quantized",
    ),
    "sum that broadcasts": (
        lambda n: n.qdq(n.op("Add", n.start(), n.qdq(n.input(1, 1, 8, 8, name="z")))),
        "broadcasts channels, which are the lanes of the vector unit",
    ),
    "sum of two ranks": (
        lambda n: n.qdq(n.op("Add", n.start(), n.qdq(n.input(16, 1, 1, name="z")))),
        "broadcasts a tensor of 3 axes to 4",
    ),
    "clip on integers": (
        lambda n: n.dq(n.op("Clip", n.q(n.start()), n.constant(-3, INT8), n.constant(5, INT8))),
        "Clip on int8, which the accelerator does not have",
    ),
    "resize on integers": (
        lambda n: n.dq(n.op("Resize", n.q(n.start()), "", n.constant([1, 1, 2, 2], FLOAT), mode="nearest")),
        "moves data to the CPU",
    ),
    "resize that interpolates": (
        lambda n: n.dq(n.op("Resize", n.q(n.start()), "", n.constant([1, 1, 2, 2], FLOAT), mode="cubic")),
        "interpolates (cubic), which has an integer form for whole factors and linear weights of 8 bits only",
    ),
    "resize by other factors": (
        lambda n: n.dq(n.op("Resize", n.q(n.start()), "", n.constant([1, 1, 1.5, 1], FLOAT), mode="nearest")),
        "makes 12 of 8 rows or columns: only whole factors repeat all alike",
    ),
    "resize that repeats unevenly": (
        lambda n: n.dq(
            n.op(
                *("Resize", n.q(n.start()), "", n.constant([1, 1, 2, 2], FLOAT)),
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="ceil",
            )
        ),
        "does not repeat every pixel equally often (coordinate_transformation_mode, nearest_mode)",
    ),
    "slice of channels": (
        lambda n: n.dq(n.op("Slice", n.q(n.start()), n.constant([0]), n.constant([4]), n.constant([1]))),
        "takes images or channels apart, which are lanes and blocks of a tile",
    ),
    "slice on integers": (
        lambda n: n.dq(n.op("Slice", n.q(n.start()), n.constant([0]), n.constant([4]), n.constant([2]))),
        "moves data to the CPU",
    ),
    "gather on integers": (lambda n: n.dq(n.op("Gather", n.q(n.start()), n.constant([0, 2]), axis=2)), "moves data"),
    "transpose": (
        lambda n: n.qdq(n.op("Transpose", n.start(), perm=[0, 2, 3, 1])),
        "moves channels, which are the lanes of a tile and nothing that a transfer can address: it costs nothing where "
        "channels stay second, as in (N, C, H, W)",
    ),
    "transpose of images": (
        lambda n: n.qdq(n.op("Transpose", n.start(), perm=[0, 1, 3, 2])),
        "exchanges rows and columns, and a transfer reads the elements of a row one after the other: a stride between "
        "them would do, for which it has no field",
    ),
    "average pool of many sizes": (
        lambda n: n.qdq(n.op("AveragePool", n.start(1, 16, 60, 60), kernel_shape=[47, 47], pads=[23] * 4)),
        "its windows are of many sizes, up to 2209 elements, which no factors of 32 bits make alike",
    ),
    "convolution in 3D": (
        lambda n: n.qdq(n.op("Conv", n.start(1, 16, 4, 4, 4), n.weight(16, 16, 3, 3, 3))),
        "3 spatial axes, the accelerator has 2",
    ),
    "max pool in 3D": (
        lambda n: n.qdq(n.op("MaxPool", n.start(1, 16, 4, 4, 4), kernel_shape=[2, 2, 2])),
        "MaxPool: 3 spatial axes, the accelerator has 2; "
        "rescaling: tensor of 5 axes, the accelerator has images and matrices: a reshape to (N, C, H, W) or (N, C) in "
        "the model would do",
    ),
    "softmax": (lambda n: n.op("Softmax", n.start(1, 16)), "Softmax has no integer form"),
    "convolution to floats": (lambda n: n.conv(n.start()), "its result is not quantized"),
    "floats behind a convolution": (
        lambda n: n.op("Sigmoid", n.conv(n.start())),
        "not quantized: Sigmoid in floating point",
    ),
    "chain of floats": (
        lambda n: n.op("Add", n.op("Mul", n.op("Relu", n.input(1, 16)), c := n.constant(2.0, FLOAT)), c),
        "not quantized: Relu, Mul and Add in floating point",
    ),
    "constants for floats": (
        lambda n: n.op("Conv", n.input(1, 16, 8, 8), n.weight(16, 16, 1, 1)),
        "dequantizes a constant for floating point",
    ),
    "two readers": (
        lambda n: n.op("Add", n.qdq(c := n.conv(n.start())), n.op("Softmax", c)),
        "its float result has other uses",
    ),
    "16 bits": (
        lambda n: n.qdq(n.conv(n.start(dtype=INT16))),
        "an activation is quantized to 16 bits instead of 8",
    ),
    "rescaling to 16 bits": (
        lambda n: n.qdq(n.start(), 0.01, INT16),
        "an activation is quantized to 16 bits instead of 8",
    ),
    "weights from an input": (
        lambda n: n.qdq(n.op("Conv", n.start(), n.qdq(n.input(16, 16, 1, 1, name="w")))),
        "the weights are not constant",
    ),
    "float weights": (
        lambda n: n.qdq(n.op("Conv", n.start(), n.constant(np.ones((16, 16, 1, 1)), FLOAT))),
        "the weights are not quantized",
    ),
    "leaky": (
        lambda n: n.qdq(n.op("LeakyRelu", n.conv(n.start()))),
        "its result goes through LeakyRelu before it is quantized",
    ),
    "float convolution": (
        lambda n: n.op("Conv", n.input(1, 16, 8, 8), n.constant(np.ones((16, 16, 1, 1)), FLOAT)),
        "not quantized: Conv in floating point",
    ),
}  # fmt: skip


def reasons(model: onnx.ModelProto, config: dict[str, int] | None = None) -> list[str]:
    """The reasons of the kernels that are not on the accelerator, in order."""
    accelerators = (Vta(VtaOptions(config)),)
    module = Pipeline(Options(accelerators)).import_graph(model).module
    return [kernel.reason for kernel in partition(module, accelerators) if kernel.target == "cpu"]


@pytest.mark.parametrize("name", PATTERNS)
def test_reasons(name: str) -> None:
    build, wanted = PATTERNS[name]
    net = Net()
    assert wanted in reasons(net.model(build(net)))


def test_widths_of_the_configuration() -> None:
    net = Net()
    model = net.model(net.qdq(net.conv(net.start())))
    assert "weights reach from -127 to 121, the configuration has 4 bits (quantize them to int4)" in reasons(
        model, {"LOG_WGT_WIDTH": 2, "LOG_ACC_BUFF_SIZE": 16}
    )


def conversions(model: onnx.ModelProto, config: dict[str, int] | None = None) -> set[str]:
    """The reasons of the kernels that only convert layouts."""
    layers = compile_contents(model, "vta", config).layers
    return {layer.reason for layer in layers if layer.target == "cpu" and not layer.layers} - {""}


def test_conversions_that_another_circuit_or_shape_would_not_need() -> None:
    net = Net()
    model = net.model(net.qdq(net.conv(net.qdq(net.conv(net.start())))))
    assert not conversions(model)
    buffers = {"LOG_INP_BUFF_SIZE": 13, "LOG_WGT_BUFF_SIZE": 15, "LOG_ACC_BUFF_SIZE": 15}
    assert conversions(model, {"LOG_BLOCK_IN": 3, "LOG_BLOCK_OUT": 4, **buffers}) == {
        "converts blocks of 16 channels, in which it is computed, to blocks of 8, in which it is multiplied: BLOCK_IN "
        "and BLOCK_OUT alike would do"
    }


@pytest.mark.parametrize("heads", [2, 3])
def test_heads_that_fill_no_block(heads: int) -> None:
    """Of 48 channels: 24 for each of two heads are no whole blocks, 16 for each of three are."""
    net = QdqModel(np.random.default_rng(4))
    x = net.input((1, 20, 48))
    model = net.build(net.attention(x, heads))
    found = conversions(model)
    wanted = "moves positions and channels of sequences: heads of a multiple of 16 channels"
    assert any(reason.startswith(wanted) for reason in found) == (heads == 2), found


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"LOG_ACC_BUFF_SIZE": 6}, "elements of acc, "),
        ({"LOG_BLOCK": 4, "LOG_ACC_BUFF_SIZE": 6, "LOG_INP_BUFF_SIZE": 4}, "LOG_ACC_BUFF_SIZE"),
    ],
)
def test_scratchpads_that_are_too_small(config: dict[str, int], reason: str) -> None:
    """The reason says which, by how much, and which size would do; with that size there is a schedule."""
    net = Net()
    model = net.model(net.qdq(net.op("Add", net.qdq(net.conv(x := net.start())), x)))
    layers = compile_contents(model, "vta", config).layers
    texts = [layer.reason for layer in layers if "LOG_" in layer.reason]
    assert texts and any(reason in text for text in texts)
    for text in texts:
        larger = {key: int(size) for key, size in re.findall(r"(LOG_\w+_BUFF_SIZE) (\d+) instead of", text)}
        assert larger and all(size > config[key] for key, size in larger.items() if key in config)
        config = config | larger
    assert not any("LOG_" in layer.reason for layer in compile_contents(model, "vta", config).layers)
