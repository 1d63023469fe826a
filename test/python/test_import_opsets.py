"""Operators whose form depends on the version of the operator set have one form in the graph dialect."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

import acc
from graph_as_onnx import make_model, node_model, operators, run, to_onnx

X = np.random.default_rng(1).standard_normal((2, 1, 3, 4)).astype(np.float32)
VALUES = {
    "Clip": {"min": -0.5, "max": 0.5},
    "Pad": {"pads": [0, 0, 1, 0, 0, 0, 0, 2], "value": 1.5},
    "Squeeze": {"axes": [1]},
    "Unsqueeze": {"axes": [0, 5]},
    "Softmax": {"axis": 2},
    "Dropout": {"ratio": 0.3},
}


@pytest.mark.parametrize("opset", [9, 10, 11, 12, 13, 18, 21])
@pytest.mark.parametrize("op_type", VALUES)
def test_old_and_new_forms(op_type: str, opset: int) -> None:
    since = {"Clip": 11, "Pad": 11, "Squeeze": 13, "Unsqueeze": 13, "Dropout": 12, "Softmax": 99}[op_type]
    values = VALUES[op_type]
    if opset < since:
        model = node_model(op_type, {"x": X}, opset=opset, **values)
    else:
        dtype = {"pads": np.int64, "axes": np.int64}
        constants = {name: np.array(value, dtype.get(name, np.float32)) for name, value in values.items()}
        model = node_model(op_type, {"x": X}, constants, opset=opset)
    (expected,) = run(model, {"x": X}).values()
    (result,) = run(to_onnx(acc.import_onnx(model)), {"x": X}).values()
    np.testing.assert_allclose(result, expected, rtol=1e-5)


@pytest.mark.parametrize("opset", [9, 12])
def test_softmax_flattens_before_13(opset: int) -> None:
    model = node_model("Softmax", {"x": X}, opset=opset)
    names = [op.name for op in operators(acc.import_onnx(model))]
    assert names == ["graph.reshape", "graph.softmax", "graph.reshape"]
    last = node_model("Softmax", {"x": X}, opset=opset, axis=3)
    assert [op.name for op in operators(acc.import_onnx(last))] == ["graph.softmax"]


@pytest.mark.parametrize("opset", [0, onnx.defs.onnx_opset_version() + 1])
def test_other_opsets_are_refused(opset: int) -> None:
    with pytest.raises(acc.ModelError, match=f"operator set {opset}, supported are 1 to"):
        acc.import_onnx(node_model("Relu", {"x": X}, opset=opset))


def test_newest_opset() -> None:
    acc.import_onnx(node_model("Relu", {"x": X}, opset=onnx.defs.onnx_opset_version()))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (node_model("Clip", {"x": X}, min=0.0), "attribute 'min' does not exist in operator set 21"),
        (node_model("Squeeze", {"x": X}, {"a": np.array([1])}, opset=11), "has 2 inputs instead of 1"),
        (node_model("Squeeze", {"x": X}, axes=[1]), "attribute 'axes' does not exist in operator set 21"),
        (node_model("Pad", {"x": X}, pads=[0] * 8), "attribute 'pads' does not exist in operator set 21"),
        (node_model("QuantizeLinear", {"x": X}, {"s": np.float32(1)}, opset=9), "does not exist in operator set 9"),
        (node_model("Pad", {"x": X}, opset=9), "needs the attribute 'pads'"),
    ],
)
def test_forms_of_other_opsets_are_refused(model: onnx.ModelProto, reason: str) -> None:
    with pytest.raises(acc.ModelError, match=reason):
        acc.import_onnx(model)


def test_initializers_that_are_inputs_too() -> None:
    """Before version 4 of the format every initializer had to be declared as an input."""
    model = node_model("Add", {"x": X}, {"b": X})
    model.graph.input.append(helper.make_tensor_value_info("b", onnx.TensorProto.FLOAT, X.shape))
    function = acc.import_onnx(model).body.operations[0]
    assert len(function.regions[0].blocks[0].arguments) == 1


def test_local_functions_are_inlined() -> None:
    nodes = [
        helper.make_node("Relu", ["a"], ["t"]),
        helper.make_node("Add", ["t", "a"], ["b"]),
    ]
    body = helper.make_function("local", "Twice", ["a"], ["b"], nodes, [helper.make_opsetid("", 21)])
    model = make_model([helper.make_node("Twice", ["x"], ["y"], domain="local")], {"x": X}, {}, ["y"])
    model.functions.append(body)
    model.opset_import.append(helper.make_opsetid("local", 1))
    assert [op.name for op in operators(acc.import_onnx(model))] == ["graph.relu", "graph.add"]
