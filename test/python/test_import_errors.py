"""What is not supported is named: every node at once, with operator and reason."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import acc
from graph_as_onnx import main_function, make_model, node_model, operators

X = np.ones((1, 2, 4), np.float32)


def refusal(model: onnx.ModelProto, **options: object) -> str:
    with pytest.raises(acc.ModelError) as error:
        acc.import_onnx(model, **options)
    return str(error.value)


def test_every_unsupported_node_is_listed() -> None:
    nodes = [
        helper.make_node("RegexFullMatch", ["x", "x"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"], name="innocent"),
        helper.make_node("Softmax", ["b"], ["c"], name="second", axis=1, foo=3),
        helper.make_node("Sampling", ["c"], ["d"], name="third", domain="com.microsoft"),
        helper.make_node("MaxPool", ["x"], ["e"], name="fourth"),
        helper.make_node("Relu", ["x", "x"], ["f"]),
        helper.make_node("Conv", ["x", "x"], ["g"], name="fifth", group="two"),
        helper.make_node("Add", ["x", ""], ["h"], name="sixth"),
        helper.make_node("Sum", ["d", "e", "f", "g", "h"], ["y"]),
    ]
    text = refusal(make_model(nodes, {"x": X}, {}, ["y"]))
    for line in [
        "the model: 7 problems",
        "node 'first' (RegexFullMatch): unsupported operator",
        "node 'second' (Softmax): attribute 'foo' does not exist in operator set 21",
        "node 'third' (Sampling): unsupported operator of domain 'com.microsoft'",
        "node 'fourth' (MaxPool): needs the attribute 'kernel_shape'",
        "node 'Relu_5' (Relu): has 2 inputs instead of 1",
        "node 'fifth' (Conv): attribute 'group' is not of type int",
        "node 'sixth' (Add): needs input 1",
    ]:
        assert line in text
    assert "innocent" not in text


def test_sequences_are_refused_with_what_to_do() -> None:
    nodes = [
        helper.make_node("SplitToSequence", ["x"], ["s"], axis=0),
        helper.make_node("ConcatFromSequence", ["s"], ["y"], axis=0),
    ]
    assert "(SplitToSequence): unsupported operator: it has sequences" in refusal(
        make_model(nodes, {"x": X}, {}, ["y"])
    )


def test_nodes_that_no_output_needs_are_dropped() -> None:
    nodes = [
        helper.make_node("Constant", [], ["text"], value_string=b"text"),
        helper.make_node("NotAnOperator", ["x", "text", "texts"], ["unused"], name="n"),
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("Softmax", ["y", "unused"], ["unused, too"]),
    ]
    model = make_model(nodes, {"x": X}, {}, ["y"])
    model.graph.initializer.append(helper.make_tensor("texts", TensorProto.STRING, [1], [b"text"]))
    assert [op.name for op in operators(acc.import_onnx(model))] == ["graph.relu"]
    # What a branch does not hand on is no part of it.
    for proto in nodes[1:2]:
        proto.input[:] = ["x"]
    branch = helper.make_graph(nodes, "branch", [], [helper.make_empty_tensor_value_info("y")])
    chosen = helper.make_node("If", ["true"], ["z"], then_branch=branch, else_branch=branch)
    module = acc.import_onnx(make_model([chosen], {"x": X}, {"true": np.array(True)}, ["z"]))
    assert [op.name for op in operators(module)] == ["graph.relu"]


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([("Relu", ["z"], ["y"])], "node 'Relu_0' (Relu): reads 'z', which nothing produces"),
        ([("Relu", ["y"], ["z"]), ("Relu", ["z"], ["y"])], "node 'Relu_0' (Relu): is part of a cycle"),
        ([("Relu", ["x"], ["y"]), ("Relu", ["x"], ["y"])], "produces 'y', which is already defined"),
        ([("Relu", ["x"], ["x"]), ("Relu", ["x"], ["y"])], "produces 'x', which is already defined"),
        ([("Relu", ["x"], ["z"])], "the graph's outputs: read 'y', which nothing produces"),
    ],
)
def test_graphs_without_meaning(nodes: list[tuple[str, list[str], list[str]]], reason: str) -> None:
    protos = [helper.make_node(*node) for node in nodes]
    assert reason in refusal(make_model(protos, {"x": X}, {}, ["y"]))


def test_unsorted_nodes_are_sorted() -> None:
    nodes = [helper.make_node("Relu", ["a"], ["y"]), helper.make_node("Relu", ["x"], ["a"])]
    acc.import_onnx(make_model(nodes, {"x": X}, {}, ["y"]))


def test_no_outputs() -> None:
    assert "the graph: has no outputs" in refusal(make_model([], {"x": X}, {}, []))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (node_model("Dropout", {"x": X}, {"r": np.float32(0.5), "t": np.array(True)}), "training mode"),
        (node_model("MaxPool", {"x": X}, kernel_shape=[5]), "the window spans 5 elements but the padded input has 4"),
        (node_model("MaxPool", {"x": X}, kernel_shape=[2, 2]), "does not fit 1 spatial axes"),
        (
            node_model(
                "MatMulInteger",
                {"b": np.ones((5, 4), np.uint8)},
                {"a": np.ones((3, 5), np.uint8), "z": np.ones(2, np.uint8)},
                order=["a", "b", "z"],
            ),
            "zero point 'z' has shape [2], which does not fit 'a' [3, 5]",
        ),
        (node_model("MaxPool", {"x": X}, kernel_shape=[2], strides=[0]), "attribute 'strides' is [0]"),
        (node_model("MaxPool", {"x": X}, kernel_shape=[2], pads=[-1, 0]), "attribute 'pads' is [-1, 0]"),
        (node_model("MaxPool", {"x": X}, kernel_shape=[2], pads=[2, 2]), "window 0 along spatial axis 0 holds"),
        (node_model("MaxPool", {"x": X}, kernel_shape=[1 << 40]), "is not within 1 and"),
        (node_model("MaxPool", {"x": X}, kernel_shape=[2], auto_pad="SOME"), "'auto_pad' is 'SOME'"),
        (node_model("Conv", {"x": X}, {"w": np.ones((2, 3, 1), np.float32)}), "weight has 3 input channels"),
        (
            node_model("Conv", {"x": X}, {"w": np.ones((2, 2, 1), np.float32)}, kernel_shape=[3]),
            "'kernel_shape' is [3]",
        ),
        (node_model("Add", {"x": X}, {"b": np.ones(3, np.float32)}), "shapes do not broadcast"),
        (node_model("Add", {"x": X}, {"b": np.ones(4, np.float64)}), "different element types"),
        (node_model("LpPool", {"x": np.ones((1, 2, 2), np.int32)}, kernel_shape=[2]), "only floats"),
        (node_model("Reshape", {"x": X}, {"s": np.array([3, -1])}), "[1, 2, 4] cannot be reshaped to [3, -1]"),
        (node_model("Squeeze", {"x": X, "a": np.array([0])}), "axes ('a') is not constant"),
        (node_model("Transpose", {"x": X}, perm=[0, 0, 1]), "'perm' is not a permutation"),
        (node_model("Softmax", {"x": X}, axis=3), "axis 3 does not exist in rank 3"),
        (node_model("Squeeze", {"x": X}, {"a": np.array([1])}), "axis 1 has size 2 and cannot be dropped"),
        (node_model("Unsqueeze", {"x": X}, {"a": np.array([0, 0])}), "name an axis twice"),
        (node_model("Concat", {"x": X}, {"b": np.ones((1, 3, 4), np.float32)}, axis=0), "do not fit together"),
        (node_model("Pad", {"x": X}, {"p": np.array([0, 0, 4, 0, 0, 0])}, mode="reflect"), "mode reflect cannot pad"),
        (node_model("Pad", {"x": X}, {"p": np.array([0, 0, 1 << 50, 0, 0, 0])}), "out of range along axis 2"),
        (node_model("LRN", {"x": X}, size=-1), "'size' is -1 but must be positive"),
        (node_model("BatchNormalization", {"x": X}, dict.fromkeys("sbmv", np.ones(3, np.float32))), "scale is [3] but"),
        (node_model("Cast", {"x": X}, to=TensorProto.STRING), "element type string is not supported"),
        (node_model("Cast", {"x": X}, to=999), "element type number 999 is not supported"),
        (node_model("ConstantOfShape", {}, {"s": np.array([1 << 30, 1 << 30])}), "cannot have the shape"),
        (node_model("Constant", {}), "has 0 values instead of one"),
        (node_model("Constant", {}, value_string="text"), "attribute 'value_string' is not supported"),
    ],
)
def test_reasons(model: onnx.ModelProto, reason: str) -> None:
    text = refusal(model)
    assert reason in text
    assert "node 'node' (" in text


@pytest.mark.parametrize(
    ("scale", "zero", "attributes", "reason"),
    [
        (np.float32(0), np.int8(0), {}, "the scale 's' holds 0.0, which is not a positive number"),
        (np.float32(-1), np.int8(0), {}, "holds -1.0"),
        (np.float32("nan"), np.int8(0), {}, "holds nan"),
        (np.float32("inf"), np.int8(0), {}, "holds inf"),
        (np.ones(3, np.float32), np.zeros(3, np.int8), {}, "there are 3 scales but axis 1 has 2 elements"),
        (np.ones(2, np.float32), np.zeros(3, np.int8), {}, "there are 2 scales but 3 zero points"),
        (
            np.ones((1, 2, 4), np.float32),
            np.zeros((1, 2, 4), np.int8),
            {"axis": 2, "block_size": 2},
            "blocks of 2 elements need scales of shape [1, 2, 2]",
        ),
        (np.ones((2, 2), np.float32), np.zeros((2, 2), np.int8), {}, "need the attribute 'block_size'"),
        (np.float32(1), np.int64(0), {}, "quantization to int64 is not supported"),
        (np.ones(0, np.float32), np.zeros(0, np.int8), {}, "the scale is empty"),
        (np.ones(2, np.float32), np.zeros(2, np.int8), {"axis": 3}, "axis 3 does not exist in rank 3"),
        (np.float32(1), np.int8(0), {"output_dtype": TensorProto.UINT8}, "'output_dtype' is uint8"),
        (np.float32(1), np.int8(0), {"output_dtype": TensorProto.FLOAT8E5M2}, "'output_dtype' is float8_e5m2"),
    ],
)
def test_quantization_reasons(scale: np.ndarray, zero: np.ndarray, attributes: dict[str, int], reason: str) -> None:
    text = refusal(
        node_model("QuantizeLinear", {"x": X}, {"s": np.asarray(scale), "z": np.asarray(zero)}, **attributes)
    )
    assert "node 'node' (QuantizeLinear)" in text
    assert reason in text


def dynamic_model(*dims: int | str | None) -> onnx.ModelProto:
    model = node_model("Relu", {"x": X})
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, dims))
    return model


def test_unknown_shapes() -> None:
    text = refusal(dynamic_model("N", 3, None, "W"))
    assert "input 'x': has unknown sizes (N, 3, ?, W)" in text
    assert 'shapes={"x": (1, 3, 224, 224)}' in text
    assert "--shape x=1,3,224,224" in text
    function = main_function(acc.import_onnx(dynamic_model("N", 3, None, "W"), shapes={"x": (2, 3, 5, 7)}))
    assert function.regions[0].blocks[0].arguments[0].type.shape == [2, 3, 5, 7]


def test_unknown_rank() -> None:
    model = dynamic_model()
    model.graph.input[0].type.tensor_type.ClearField("shape")
    assert "input 'x': has unknown rank" in refusal(model)
    acc.import_onnx(model, shapes={"x": [5]})


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        ({"y": (1,)}, "shapes for 'y': the model has no such input; its inputs are 'x'"),
        ({"x": (1, 4)}, "is declared as (N, 3), which shape (1, 4) does not fit"),
        ({"x": (1, 3, 1)}, "which shape (1, 3, 1) does not fit"),
        ({"x": (0, 3)}, "has a size that is not positive"),
        ({"x": (1.5, 3)}, "not positive"),
        ({"x": ("a", 3)}, "is not a sequence of integers"),
        ({"x": 3}, "is not a sequence of integers"),
    ],
)
def test_wrong_shapes(shapes: dict[str, object], reason: str) -> None:
    assert reason in refusal(dynamic_model("N", 3), shapes=shapes)


def test_inputs_of_other_types() -> None:
    model = dynamic_model(2)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    assert "input 'x': element type string is not supported" in refusal(model)
    model.graph.input[0].CopyFrom(helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [2]))
    assert "input 'x': is not a tensor" in refusal(model)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dims": [5]}, "initializer 'b': has 12 bytes but its shape [5] of float32 needs 20"),
        ({"dims": [-3]}, "has a negative size"),
        ({"dims": [1 << 62, 1 << 62]}, "has 12 bytes but"),
        ({"data_type": TensorProto.STRING}, "element type string"),
        ({"data_type": 77}, "element type number 77"),
        ({"raw_data": b""}, "has 0 bytes"),
    ],
)
def test_initializers_of_the_wrong_size(change: dict[str, object], reason: str) -> None:
    model = node_model("Add", {"x": np.ones(3, np.float32)}, {"b": np.ones(3, np.float32)})
    tensor = model.graph.initializer[0]
    for key, value in change.items():
        if key == "dims":
            del tensor.dims[:]
            tensor.dims.extend(value)
        else:
            setattr(tensor, key, value)
    assert reason in refusal(model)


def test_typed_data_of_the_wrong_size() -> None:
    model = node_model("Add", {"x": np.ones(3, np.float32)}, {"b": np.ones(3, np.float32)})
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.float_data.extend([1.0, 2.0])
    assert "has 2 elements but its shape [3] of float32 needs 3" in refusal(model)
    tensor.float_data.append(3.0)
    acc.import_onnx(model)


def test_large_results_are_not_folded() -> None:
    """An Expand of a constant to terabytes is an error, not an attempt."""
    constants = {"one": np.ones(1, np.float32), "shape": np.array([1 << 21, 1 << 20])}
    nodes = [helper.make_node("Expand", ["one", "shape"], ["e"]), helper.make_node("Add", ["x", "e"], ["y"])]
    assert "(Expand): result has more than" in refusal(make_model(nodes, {"x": X}, constants, ["y"]))


def test_consequences_of_unknown_shapes_are_not_listed() -> None:
    """Gather is no operator of acc, but it would have been evaluated if the sizes had been known."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Concat", ["n", "minus"], ["shape"], axis=0),
        helper.make_node("Reshape", ["x", "shape"], ["y"]),
    ]
    model = make_model(nodes, {"x": X}, {"zero": np.array([0]), "minus": np.array([-1])}, ["y"])
    acc.import_onnx(model)
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4]))
    text = refusal(model)
    assert "input 'x': has unknown sizes (N, 4)" in text
    assert "Gather" not in text


def test_names_that_are_not_text() -> None:
    data = node_model("Relu", {"x": X}).SerializeToString()
    model = onnx.ModelProto()
    model.ParseFromString(data.replace(b"node", b"no\xffe"))
    assert "is not UTF-8 text" in refusal(model)
