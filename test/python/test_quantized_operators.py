"""Models in ONNX Runtime's format QOperator: quantized operators of com.microsoft, compared with ONNX Runtime."""

from __future__ import annotations

import pathlib

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization

import acc
from acc.compiler import describe
from acc.errors import ModelError

SHAPE = (1, 3, 12, 10)


def _float_model(rng: np.random.Generator) -> onnx.ModelProto:
    """A network of every kind of operator that the quantizer has a quantized one for."""
    constants: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []

    def constant(array: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(array.astype(np.float32), f"c{len(constants)}"))
        return constants[-1].name

    def node(op_type: str, *inputs: str, **attributes: object) -> str:
        name = f"{op_type}_{len(nodes)}"
        nodes.append(helper.make_node(op_type, inputs, [name], name=name, **attributes))
        return name

    def conv(x: str, channels: int, outputs: int, kernel: int) -> str:
        weight = constant(rng.normal(0, (channels * kernel**2) ** -0.5, (outputs, channels, kernel, kernel)))
        return node("Conv", x, weight, constant(rng.normal(0, 0.1, outputs)), pads=[kernel // 2] * 4)

    x = node("Relu", conv("x", 3, 16, 3))
    y = node("LeakyRelu", conv(x, 16, 16, 1), alpha=0.1)
    x = node("Add", x, y)
    x = node("Mul", x, node("Sigmoid", conv(x, 16, 16, 1)))
    x = node("Concat", x, node("MaxPool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1]), axis=1)
    x = node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = node("Flatten", node("GlobalAveragePool", conv(x, 32, 16, 3)))
    y = node("Gemm", x, constant(rng.normal(0, 0.25, (24, 16))), constant(rng.normal(0, 0.1, 24)), transB=1)
    y = node("MatMul", y, constant(rng.normal(0, 0.2, (24, 10))))
    y = node("Softmax", y, axis=-1)
    graph = helper.make_graph(
        nodes,
        "floats",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info(y, TensorProto.FLOAT, [1, 10])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class _Samples(quantization.CalibrationDataReader):
    def __init__(self, rng: np.random.Generator) -> None:
        self.samples = iter([{"x": rng.normal(0, 1, SHAPE).astype(np.float32)} for _ in range(4)])

    def get_next(self) -> dict[str, np.ndarray] | None:  # type: ignore[override]
        return next(self.samples, None)


def _quantize(folder: pathlib.Path, rng: np.random.Generator, signed: bool, per_channel: bool) -> onnx.ModelProto:
    source, target = folder / "float.onnx", folder / "quantized.onnx"
    onnx.save(_float_model(rng), source)
    kind = quantization.QuantType.QInt8 if signed else quantization.QuantType.QUInt8
    quantization.quantize_static(
        source,
        target,
        _Samples(rng),
        quant_format=quantization.QuantFormat.QOperator,
        activation_type=kind,
        weight_type=quantization.QuantType.QInt8,
        per_channel=per_channel,
    )
    return onnx.load(target)


def _onnx_runtime(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [np.asarray(result) for result in session.run(None, feeds)]


@pytest.mark.parametrize(("signed", "per_channel"), [(True, True), (False, False)])
def test_quantized_network(tmp_path: pathlib.Path, signed: bool, per_channel: bool) -> None:
    rng = np.random.default_rng(int(signed))
    model = _quantize(tmp_path, rng, signed, per_channel)
    kinds = {node.op_type for node in model.graph.node}
    assert {"QLinearConv", "QLinearAdd", "QLinearMul", "QLinearConcat", "QLinearSigmoid", "QGemm"} <= kinds
    feeds = {"x": rng.normal(0, 1, SHAPE).astype(np.float32)}
    ours = list(acc.compile(model).run(feeds).values())
    for result, expected in zip(ours, _onnx_runtime(model, feeds), strict=True):
        np.testing.assert_allclose(result, expected, atol=0.02)
    accelerated = acc.compile(model, "vta")
    for result, expected in zip(accelerated.run(feeds).values(), ours, strict=True):
        np.testing.assert_array_equal(result, expected)
    layers = describe(model, "vta")["layers"]
    contractions = {n.name for n in model.graph.node if n.op_type in ("QLinearConv", "QGemm", "QLinearMatMul")}
    assert contractions <= {name for layer in layers if layer["target"] == "vta" for name in layer["layers"]}


def _operator(op_type: str, inputs: list[object], shape: tuple[int, ...], **attributes: object) -> onnx.ModelProto:
    """A model of one operator; entries of `inputs` that are arrays are constants, "x", "y" and "z" are inputs."""
    constants, names, given = [], [], []
    for index, value in enumerate(inputs):
        if isinstance(value, str):
            names.append(value)
            if value:
                given.append(helper.make_tensor_value_info(value, TensorProto.UINT8, shape))
        else:
            names.append(f"c{index}")
            constants.append(numpy_helper.from_array(np.asarray(value), names[-1]))
    node = helper.make_node(op_type, names, ["out"], name="node", domain="com.microsoft", **attributes)
    result = onnx.ValueInfoProto(name="out")
    result.type.tensor_type.elem_type = TensorProto.UINT8
    graph = helper.make_graph([node], "operator", given, [result], constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def _scale(value: float) -> np.ndarray:
    return np.float32(value)  # type: ignore[return-value]


ZERO = np.uint8(120)
X = ["x", _scale(0.03), ZERO]
Y = ["y", _scale(0.05), np.uint8(100)]
TO = [_scale(0.0437), np.uint8(90)]

CASES: dict[str, tuple[str, list[object], dict[str, object]]] = {
    "add": ("QLinearAdd", [*X, *Y, *TO], {}),
    "mul": ("QLinearMul", [*X, *Y, *TO], {}),
    "sigmoid": ("QLinearSigmoid", [*X, *TO], {}),
    "leaky relu": ("QLinearLeakyRelu", [*X, *TO], {"alpha": 0.2}),
    "softmax": ("QLinearSoftmax", [*X, _scale(1 / 256), np.uint8(0)], {"axis": 1, "opset": 13}),
    "average pool": ("QLinearAveragePool", [*X, *TO], {"kernel_shape": [2, 3], "strides": [1, 2]}),
    "global average pool": ("QLinearGlobalAveragePool", [*X, *TO], {"channels_last": 0}),
    "concat": ("QLinearConcat", [*TO, *X, *Y], {"axis": 1}),
    "channels last": ("QLinearGlobalAveragePool", [*X, *TO], {"channels_last": 1}),
    "old softmax": ("QLinearSoftmax", [*X, _scale(1 / 256), np.uint8(0)], {"axis": 2, "opset": 11}),
}


@pytest.mark.parametrize("name", CASES)
def test_operator(name: str) -> None:
    op_type, inputs, attributes = CASES[name]
    model = _operator(op_type, inputs, (2, 5, 6, 7), **attributes)
    rng = np.random.default_rng(3)
    feeds = {value.name: rng.integers(0, 256, (2, 5, 6, 7)).astype(np.uint8) for value in model.graph.input}
    (ours,) = acc.compile(model).run(feeds).values()
    (theirs,) = _onnx_runtime(model, feeds)
    difference = np.abs(ours.astype(int) - theirs.astype(int))
    assert difference.max() <= 1 and (difference != 0).mean() <= 0.03


@pytest.mark.parametrize(
    ("op_type", "inputs", "attributes", "reason"),
    [
        ("QLinearSigmoid", [*X, _scale(0.1)], {}, "has no zero point for its result"),
        ("QLinearConcat", [*TO, *X[:2]], {"axis": 1}, "has 4 inputs, which are not a scale, a zero point and three"),
        ("QLinearAdd", [*X, *Y, *TO], {"beta": 1.0}, "attribute 'beta' is not supported"),
        ("QLinearReduceMax", [*X, *TO], {}, "unsupported operator of domain 'com.microsoft'"),
    ],
)
def test_refused(op_type: str, inputs: list[object], attributes: dict[str, object], reason: str) -> None:
    with pytest.raises(ModelError, match=f"'node'.*{reason}"):
        acc.import_onnx(_operator(op_type, inputs, (2, 5, 6, 7), **attributes))
