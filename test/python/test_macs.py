"""Multiply-accumulates in reports: of every operator that sums products, whatever sizes are open."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from acc.cli import main
from acc.macs import Macs
from acc.report import LayerReport, format_layers

Shape = Sequence[int | str | None]


def model(
    nodes: Sequence[onnx.NodeProto], inputs: Mapping[str, Shape], constants: Mapping[str, Shape], output: str = "y"
) -> onnx.ModelProto:
    """Nodes on float inputs and constants of these shapes."""
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    tensors = [numpy_helper.from_array(np.ones(shape, np.float32), name) for name, shape in constants.items()]  # type: ignore[arg-type]
    results = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
    graph = helper.make_graph(list(nodes), "macs", infos, results, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)


def total(proto: onnx.ModelProto) -> Macs:
    with acc.compile(proto) as executable:
        return sum((layer.all_macs for layer in executable.report()), Macs())


Case = tuple[str, dict[str, object], Mapping[str, Shape], Mapping[str, Shape], str]
CASES: dict[str, Case] = {
    "conv": ("Conv", {"pads": [1] * 4}, {"x": ["n", 8, 16, 16]}, {"w": [24, 8, 3, 3]}, "442,368*n"),
    "conv_transpose": ("ConvTranspose", {"strides": [2, 2]}, {"x": [2, 4, 5, 6], "w": [4, 3, 3, 3]}, {}, "6,480"),
    "conv_transpose, open": ("ConvTranspose", {}, {"x": ["n", 4, "h", 6], "w": [4, 3, 3, 3]}, {}, "648*n*h"),
    # Constant weights are split into convolutions, whose padding counts as that of others does.
    "conv_transpose, split": ("ConvTranspose", {"strides": [2, 2]}, {"x": [2, 4, 5, 6]}, {"w": [4, 3, 3, 3]}, "9,072"),
    "gemm": ("Gemm", {"transA": 1}, {"x": [3, "m"]}, {"w": [3, 5]}, "15*m"),
    "gemm of nothing": ("Gemm", {}, {"x": [0, 3]}, {"w": [3, 5]}, "0"),
    "mat_mul": ("MatMul", {}, {"x": ["b", 2, "t", 4], "z": ["b", 2, 4, "s"]}, {}, "8*b*t*s"),
    "mat_mul of vectors": ("MatMul", {}, {"x": ["k"], "z": ["k", 3]}, {}, "3*k"),
    "sizes without names": ("MatMul", {}, {"x": [None, None, 4]}, {"w": [4, 5]}, "20*x[0]*x[1]"),
    "einsum": ("Einsum", {"equation": "bij,bjk->bik"}, {"x": ["b", "i", 4], "z": ["b", 4, 5]}, {}, "20*b*i"),
    "einsum of one": ("Einsum", {"equation": "ij->i"}, {"x": ["n", 4]}, {}, "0"),
    "lstm": ("LSTM", {"hidden_size": 7}, {"x": [5, 2, 3]}, {"w": [1, 28, 3], "r": [1, 28, 7]}, "2,800"),
    "gru": ("GRU", {"hidden_size": 7}, {"x": ["t", 2, 3]}, {"w": [1, 21, 3], "r": [1, 21, 7]}, "420*t"),
    "rnn": (
        *("RNN", {"hidden_size": 4, "direction": "bidirectional"}, {"x": ["t", "n", 3]}),
        *({"w": [2, 4, 3], "r": [2, 4, 4]}, "56*t*n"),
    ),
    "attention": ("Attention", {}, {name: [2, 3, 4, 8] for name in "xzv"}, {}, "1,536"),
    "attention, open": (
        *("Attention", {}, {"x": ["n", 3, "t", 8], "k": ["n", 3, "s", 8], "v": ["n", 3, "s", 8]}, {}),
        "48*n*t*s",
    ),
    "deform_conv": (
        *("DeformConv", {"kernel_shape": [2, 2]}, {"x": ["n", 3, 5, 5], "w": [4, 3, 2, 2], "o": ["n", 8, 4, 4]}),
        *({}, "768*n"),
    ),
    "element by element": ("Mul", {}, {"x": ["n", 4]}, {"w": [4]}, "0"),
}


@pytest.mark.parametrize("name", CASES)
def test_every_operator_that_sums_products_counts(name: str) -> None:
    op_type, attributes, inputs, constants, expected = CASES[name]
    node = helper.make_node(op_type, [*inputs, *constants], ["y"], **attributes)
    assert str(total(model([node], inputs, constants))) == expected
    # With sizes given the formula has the value that the count of fixed sizes is.
    values = {"n": 2, "h": 5, "w": 6, "m": 3, "b": 2, "t": 4, "s": 3, "k": 5, "i": 3, "x[0]": 2, "x[1]": 3}
    fixed = {
        name: [
            values.get(size or f"{name}[{axis}]", 0) if not isinstance(size, int) else size
            for axis, size in enumerate(shape)
        ]
        for name, shape in inputs.items()
    }
    known = total(model([node], fixed, constants))
    formula = expected.replace(",", "").replace("x[0]", "2").replace("x[1]", "3")
    assert known.known == eval(formula, {}, values)


def test_windows_of_open_images() -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 1], group=2)
    proto = model([node], {"x": [1, 4, "h", "w"]}, {"w": [6, 2, 2, 1]})
    assert str(total(proto)) == "24*(h // 2)*w"


def test_integer_operators_count() -> None:
    inputs = [helper.make_tensor_value_info("a", TensorProto.INT8, ["m", 4])]
    weights = numpy_helper.from_array(np.ones((4, 5), np.int8), "b")
    node = helper.make_node("MatMulInteger", ["a", "b"], ["y"])
    outputs = [helper.make_tensor_value_info("y", TensorProto.INT32, None)]
    graph = helper.make_graph([node], "macs", inputs, outputs, [weights])
    assert str(total(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10))) == "20*m"


def test_what_depends_on_data_is_unknown() -> None:
    nodes = [
        helper.make_node("NonZero", ["a"], ["z"]),
        helper.make_node("Cast", ["z"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["b", "f"], ["c"]),
        helper.make_node("MatMul", ["d", "e"], ["g"]),
        helper.make_node("MatMul", ["e", "d"], ["h"]),
    ]
    proto = model(nodes, {"a": [4, 4], "b": [3, 2], "d": ["n", 4], "e": [4, "n"]}, {}, "c")
    for name in "gh":
        proto.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    with acc.compile(proto) as executable:
        layers = executable.report()
    by_name = {layer.name: layer for layer in layers}
    assert by_name["MatMul_2"].macs is None and by_name["MatMul_2"].macs_per == {}
    assert by_name["MatMul_3"].macs_per == {"n*n": 4}
    text = format_layers(layers)
    assert "4*n*n + 16*n + ?" in text and "MACs for each run" in text


def test_reports_of_open_sizes_as_text_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1] * 4),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "m"], ["g"]),
        helper.make_node("MatMul", ["m", "k"], ["q"]),
        helper.make_node("Add", ["g", "q"], ["y"]),
    ]
    proto = model(nodes, {"x": ["n", 8, 16, 16], "k": [5, 5]}, {"w": [24, 8, 3, 3], "m": [24, 5]})
    onnx.save(proto, tmp_path / "m.onnx")
    assert main(["compile", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "m.so")]) == 0
    capsys.readouterr()
    for path in ("m.onnx", "m.so"):
        assert main(["info", str(tmp_path / path), "--json"]) == 0
        layers = json.loads(capsys.readouterr().out)["layers"]
        assert [layer["macs"] for layer in layers if layer["layers"][0] in ("Conv_0", "MatMul_4")] == [None, 600]
        assert [layer["macs_per"] for layer in layers if layer["layers"] == ["Conv_0"]] == [{"n": 442368}]
        assert main(["info", str(tmp_path / path)]) == 0
        text = capsys.readouterr().out
        assert "442,368*n" in text and "442,488*n + 600" in text
        assert "names are sizes that are open." in text
    reports = [LayerReport.from_dict(layer) for layer in layers]
    assert math.prod(sum((report.all_macs for report in reports), Macs()).per.values()) == 442_488
