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


IMAGE = np.random.default_rng(2).uniform(0.5, 2, (2, 3, 4, 5)).astype(np.float32)
CHANNELS = np.array([1, 2, 3], np.float32)
COLUMN = CHANNELS[:, None, None]


def old_model(op_type: str, inputs: dict[str, np.ndarray], opset: int, opened: bool = False, **attributes: object):
    model = node_model(op_type, {"x": IMAGE}, inputs, opset=opset, **attributes)
    model.ir_version = 3
    if opened:
        for axis, size in enumerate(model.graph.input[0].type.tensor_type.shape.dim):
            size.dim_param = f"size {axis}"
    return model


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize(
    ("op_type", "opset", "inputs", "attributes", "expected"),
    [
        ("Add", 6, {"b": CHANNELS}, {"broadcast": 1, "axis": 1}, IMAGE + COLUMN),
        ("Sub", 1, {"b": CHANNELS}, {"broadcast": 1, "axis": -3, "consumed_inputs": [0, 0]}, IMAGE - COLUMN),
        ("Mul", 6, {"b": IMAGE[0, 0]}, {"broadcast": 1}, IMAGE * IMAGE[0, 0]),
        ("Div", 6, {"b": IMAGE[0, :, :, 0]}, {"broadcast": 1, "axis": 1}, IMAGE / IMAGE[0, :, :, :1]),
        ("Pow", 1, {"b": np.float32(2)}, {"broadcast": 1}, IMAGE**2),
        ("Less", 6, {"b": CHANNELS}, {"broadcast": 1, "axis": 1}, IMAGE < COLUMN),
        ("PRelu", 6, {"b": CHANNELS}, {}, IMAGE),
        ("Pad", 1, {}, {"paddings": [0, 0, 1, 0, 0, 0, 0, 2]}, np.pad(IMAGE, ((0, 0), (0, 0), (1, 0), (0, 2)))),
        ("Cast", 1, {}, {"to": "INT32"}, IMAGE.astype(np.int32)),
        ("Relu", 1, {}, {"consumed_inputs": [1]}, IMAGE),
        ("Dropout", 6, {}, {"is_test": 1, "ratio": 0.3}, IMAGE),
        ("Tile", 1, {"t": np.float32(2), "a": np.float32(3)}, {}, np.tile(IMAGE, (1, 1, 1, 2))),
        ("Upsample", 1, {}, {"height_scale": 2.0, "width_scale": 3.0}, IMAGE.repeat(2, 2).repeat(3, 3)),
        ("Upsample", 7, {}, {"scales": [1.0, 1.0, 2.0, 1.0], "mode": "nearest"}, IMAGE.repeat(2, 2)),
        ("GlobalLpPool", 1, {}, {"p": 2.0}, np.sqrt((IMAGE**2).sum((2, 3), keepdims=True))),
        ("ImageScaler", 6, {}, {"scale": 2.0, "bias": [1.0, 2.0, 3.0]}, IMAGE * 2 + COLUMN),
        ("Crop", 6, {}, {"border": [1, 2, 1, 0]}, IMAGE[:, :, 2:, 1:-1]),
        ("Selu", 1, {}, {}, IMAGE * np.float32(1.0507)),
    ],
)
def test_forms_before_9(
    op_type: str,
    opset: int,
    inputs: dict[str, np.ndarray],
    attributes: dict[str, object],
    expected: np.ndarray,
    opened: bool,
) -> None:
    if opened and op_type in ("PRelu", "Selu", "GlobalLpPool", "Dropout", "Relu", "Cast"):
        pytest.skip("nothing of it depends on sizes")
    (result,) = acc.compile(old_model(op_type, inputs, opset, opened, **attributes)).run({"x": IMAGE}).values()
    np.testing.assert_allclose(result, expected, rtol=1e-5)


@pytest.mark.parametrize("spatial", [0, 1])
def test_batch_normalization_before_9(spatial: int) -> None:
    shape = IMAGE.shape[1:] if not spatial else (3,)
    rng = np.random.default_rng(5)
    inputs = {name: rng.uniform(0.5, 2, shape).astype(np.float32) for name in ("scale", "bias", "mean", "variance")}
    model = old_model("BatchNormalization", inputs, 6, spatial=spatial, is_test=1)
    (result,) = acc.compile(model).run({"x": IMAGE}).values()
    scale, bias, mean, variance = (value if not spatial else value[:, None, None] for value in inputs.values())
    np.testing.assert_allclose(result, (IMAGE - mean) / np.sqrt(variance + 1e-5) * scale + bias, rtol=1e-5)


def test_reshape_and_split_before_5() -> None:
    nodes = [
        helper.make_node("Reshape", ["x"], ["r"], shape=[0, -1]),
        helper.make_node("Split", ["r"], ["y", "z"], axis=1, split=[20, 40]),
    ]
    model = make_model(nodes, {"x": IMAGE}, {}, ["y", "z"], opset=1)
    (y, z) = acc.compile(model).run({"x": IMAGE}).values()
    np.testing.assert_array_equal(np.concatenate([y, z], 1), IMAGE.reshape(2, -1))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (old_model("Add", {"b": CHANNELS}, 6, broadcast=1, axis=4), "does not fit one of rank 4 from axis 4 on"),
        (old_model("Cast", {}, 1, to="TEXT"), "element type undefined is not supported"),
        (old_model("GlobalLpPool", {}, 1, p=2.5), "'p'"),
        (old_model("Relu", {}, 6, consumed_inputs=[0], other=1), "attribute 'other' does not exist"),
    ],
)
def test_malformed_nodes_before_9(model: onnx.ModelProto, reason: str) -> None:
    with pytest.raises(acc.ModelError, match=reason):
        acc.import_onnx(model)
