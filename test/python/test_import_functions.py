"""Functions, of the model and of the standard, and the branches of an If are imported in place of the node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from acc.frontend import functions
from graph_as_onnx import make_model, operators, run, to_onnx

X = np.arange(-6, 6, dtype=np.float32).reshape(3, 4)
DEFAULT = helper.make_opsetid("", 21)
LOCAL = helper.make_opsetid("local", 1)


def function(name: str, inputs: Sequence[str], outputs: Sequence[str], nodes: Sequence[onnx.NodeProto], **more: Any):
    return helper.make_function("local", name, inputs, outputs, nodes, [DEFAULT, LOCAL], **more)


def model_of(nodes: Sequence[onnx.NodeProto], *functions: onnx.FunctionProto, **constants: np.ndarray):
    model = make_model(list(nodes), {"x": X}, constants, ["y"])
    model.functions.extend(functions)
    model.opset_import.append(LOCAL)
    return model


def call(name: str, inputs: Sequence[str], outputs: Sequence[str] = ("y",), **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(name, inputs, outputs, name=f"call_{name}", domain="local", **attributes)


def reference(attribute: str, kind: int, to: str) -> onnx.AttributeProto:
    return onnx.AttributeProto(name=attribute, type=kind, ref_attr_name=to)  # pyright: ignore


def check(model: onnx.ModelProto, expected: np.ndarray) -> None:
    (result,) = run(to_onnx(acc.import_onnx(model)), {"x": X}).values()
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def flatten(attributes: Sequence[str] = (), **more: Any) -> onnx.FunctionProto:
    node = helper.make_node("Flatten", ["a"], ["b"], name="inner")
    node.attribute.append(reference("axis", onnx.AttributeProto.INT, "from"))
    return function("Flat", ["a"], ["b"], [node], attributes=attributes, **more)


def test_attributes_of_the_call() -> None:
    check(model_of([call("Flat", ["x"], **{"from": 0})], flatten(["from"])), X.reshape(1, 12))
    check(model_of([call("Flat", ["x"])], flatten(["from"])), X)
    defaults = [helper.make_attribute("from", 0)]
    check(model_of([call("Flat", ["x"])], flatten(attribute_protos=defaults)), X.reshape(1, 12))


def test_functions_call_functions() -> None:
    twice = function("Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"], name="sum")])
    nodes = [call("Twice", ["a"], ["t"]), call("Twice", ["t"], ["b"])]
    four = function("Four", ["a"], ["b"], nodes)
    model = model_of([call("Four", ["x"], ["t"]), call("Four", ["t"])], twice, four)
    check(model, X * 16)
    places = [str(op.location) for op in operators(acc.import_onnx(model))]
    assert len(places) == 4
    assert all("call_Four" in place and "call_Twice" in place and "sum" in place for place in places)


def test_what_a_function_hands_on() -> None:
    pair = function("Pair", ["a", "b"], ["b", "c"], [helper.make_node("Relu", ["a"], ["c"])])
    nodes = [call("Pair", ["x", "k"], ["s", "t"]), helper.make_node("Add", ["s", "t"], ["y"])]
    check(model_of(nodes, pair, k=np.float32(1)), np.maximum(X, 0) + 1)


def test_operators_that_the_model_redefines() -> None:
    other = helper.make_function("", "Relu", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [DEFAULT])
    check(model_of([helper.make_node("Relu", ["x"], ["y"])], other), X * 2)


def test_functions_of_other_operator_sets() -> None:
    squeeze = helper.make_node("Squeeze", ["a"], ["b"], axes=[1])
    old = helper.make_function("local", "Old", ["a"], ["b"], [squeeze], [helper.make_opsetid("", 11)])
    nodes = [helper.make_node("Unsqueeze", ["x", "axes"], ["u"]), call("Old", ["u"])]
    check(model_of(nodes, old, axes=np.array([1])), X)


def cyclic() -> onnx.ModelProto:
    functions = [function(a, ["a"], ["b"], [call(b, ["a"], ["b"])]) for a, b in (("F", "G"), ("G", "F"))]
    return model_of([call("F", ["x"])], *functions)


def bomb() -> onnx.ModelProto:
    functions = [
        function(
            f"F{i}", ["a"], ["b"], [call(f"F{i + 1}", ["a" if j == 0 else f"t{j}"], [f"t{j + 1}"]) for j in range(9)]
        )
        for i in range(9)
    ]
    for proto in functions:
        proto.output[0] = "t9"
    functions.append(function("F9", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])]))
    return model_of([call("F0", ["x"])], *functions)


RELU = [helper.make_node("Relu", ["a"], ["b"])]


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (cyclic(), "node 'call_F' .*100 deep: does it call itself"),
        (model_of([call("F", ["x"])]), r"node 'call_F' \(F\): unsupported operator of domain 'local'"),
        (model_of([call("F", ["x"])], function("F", ["a"], ["c"], RELU)), "output 'c' nothing produces"),
        (model_of([call("F", ["x"])], function("F", ["c"], ["b"], RELU)), "reads 'a', which nothing produces"),
        (model_of([call("F", ["x"])], function("F", ["a", "a"], ["b"], RELU)), "defines a name twice"),
        (model_of([call("F", ["x"])], function("F", ["b"], ["b"], RELU)), "defines a name twice"),
        (model_of([call("F", ["x"])], *[function("F", ["a"], ["b"], RELU)] * 2), "function 'F': is defined twice"),
        (model_of([call("F", ["x", "x"])], function("F", ["a"], ["b"], RELU)), "has 2 inputs and 1 outputs"),
        (
            model_of([call("F", ["x"])], function("F", ["a"], ["b"], [helper.make_node("What", ["a"], ["b"])])),
            r"node 'call_F' \(F\), in its expansion What: unsupported operator",
        ),
        (
            model_of(
                [call("F", ["x"])], helper.make_function("local", "F", ["a"], ["b"], RELU, [helper.make_opsetid("", 0)])
            ),
            "calls a function of operator set 0",
        ),
        (
            model_of(
                [call("F", ["x"])],
                function(
                    "F",
                    ["a"],
                    ["b"],
                    [helper.make_node("Add", ["a", "c"], ["b"]), helper.make_node("Relu", ["b"], ["c"])],
                ),
            ),
            "part of a cycle",
        ),
    ],
)
def test_malformed_functions(model: onnx.ModelProto, reason: str) -> None:
    with pytest.raises(acc.ModelError, match=reason):
        acc.import_onnx(model)


def test_functions_that_grow_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "MAX_NODES", 1000)
    with pytest.raises(acc.ModelError, match="stand for more than 1000 nodes"):
        acc.import_onnx(bomb())


def test_names_that_are_not_text() -> None:
    model = model_of([call("F", ["x"])], function("F", ["a"], ["b"], RELU))
    data = model.SerializeToString().replace(b"\x01a\x12\x01b", b"\x01\xff\x12\x01b")
    with pytest.raises(acc.ModelError):
        acc.import_onnx(onnx.ModelProto.FromString(data))


def test_standard_functions() -> None:
    node = helper.make_node("ThresholdedRelu", ["x"], ["y"], name="t", alpha=2.0)
    try:
        module = acc.import_onnx(model_of([node]))
    except acc.ModelError as error:
        assert "node 't' (ThresholdedRelu), in its expansion" in str(error)
        return
    assert all("t" in str(op.location) for op in operators(module))


def branch(name: str, nodes: Sequence[onnx.NodeProto], output: str, **constants: np.ndarray) -> onnx.GraphProto:
    tensors = [numpy_helper.from_array(array, key) for key, array in constants.items()]
    return helper.make_graph(nodes, name, [], [helper.make_empty_tensor_value_info(output)], tensors)


def if_node(condition: str, then_output: str = "r") -> onnx.NodeProto:
    then = branch("then", [helper.make_node("Add", ["t", "k"], ["r"])], then_output, k=np.float32(3))
    other = branch("else", [helper.make_node("NotAnOperator", ["t"], ["r"])], "r")
    return helper.make_node("If", [condition], ["y"], name="if", then_branch=then, else_branch=other)


def test_if_with_a_known_condition() -> None:
    """The other branch does not matter; names of the branch do not clash with those outside."""
    nodes = [helper.make_node("Relu", ["x"], ["t"]), if_node("c")]
    check(model_of(nodes, c=np.array(True), k=np.float32(1)), np.maximum(X, 0) + 3)
    check(model_of([nodes[0], if_node("c", "t")], c=np.array([True])), np.maximum(X, 0))
    with pytest.raises(acc.ModelError, match=r"node 'if' \(If\), in its expansion NotAnOperator: unsupported operator"):
        acc.import_onnx(model_of(nodes, c=np.array(False)))


def test_names_of_bodies_are_nobody_elses() -> None:
    """What the branch calls r would be called if/r, but that is taken."""
    nodes = [
        helper.make_node("Relu", ["x"], ["if/r"]),
        if_node("c"),
        helper.make_node("Add", ["y", "if/r"], ["z"]),
    ]
    model = model_of(nodes, c=np.array(True), t=X, k=np.float32(1))
    model.graph.output[0].name = "z"
    check(model, X + 3 + np.maximum(X, 0))


def test_if_in_a_function() -> None:
    body = [helper.make_node("Relu", ["a"], ["t"]), if_node("c")]
    chosen = function("F", ["a", "c"], ["y"], body)
    check(model_of([call("F", ["x", "yes"])], chosen, yes=np.array(True)), np.maximum(X, 0) + 3)


def loop_model(turns: int, stop_at: int | None = None) -> onnx.ModelProto:
    """Adds the number of the turn to x."""
    inputs = [helper.make_empty_tensor_value_info(name) for name in ("number", "before", "sum")]
    outputs = [helper.make_empty_tensor_value_info(name) for name in ("after", "sum_out")]
    nodes = [
        helper.make_node("Cast", ["number"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["sum", "float"], ["sum_out"], name="add"),
        helper.make_node("Less", ["number", "last"], ["after"]),
    ]
    node = helper.make_node(
        "Loop", ["turns", "", "x"], ["y"], name="loop", body=helper.make_graph(nodes, "b", inputs, outputs)
    )
    last = turns if stop_at is None else stop_at
    return model_of([node], turns=np.array(turns), last=np.array(last))


def test_loops_whose_turns_are_known() -> None:
    check(loop_model(4), X + 6)
    check(loop_model(0), X)
    check(loop_model(10, stop_at=2), X + 3)
    assert "graph.loop" in [op.name for op in operators(acc.import_onnx(loop_model(1000)))]


def test_scan() -> None:
    inputs = [helper.make_empty_tensor_value_info(name) for name in ("state", "slice")]
    outputs = [helper.make_empty_tensor_value_info(name) for name in ("sum", "copy")]
    nodes = [helper.make_node("Add", ["state", "slice"], ["sum"]), helper.make_node("Identity", ["sum"], ["copy"])]
    body = helper.make_graph(nodes, "b", inputs, outputs)
    node = helper.make_node("Scan", ["zero", "x"], ["last", "y"], name="scan", body=body, num_scan_inputs=1)
    model = model_of([node], zero=np.zeros(4, np.float32))
    try:
        check(model, np.cumsum(X, 0))
    except acc.ModelError as error:
        assert "in its expansion Gather: unsupported" in str(error)


def test_if_with_an_unknown_condition() -> None:
    model = model_of([helper.make_node("Relu", ["x"], ["t"]), if_node("c")])
    model.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    with pytest.raises(acc.NeedsValue, match=r"node 'if' \(If\): the condition \('c'\) is not constant") as error:
        acc.import_onnx(model)
    assert error.value.inputs == ("c",)
    acc.import_onnx(model, values={"c": True})


@pytest.mark.parametrize("opset", [14, 21, 23, 28])
def test_definitions_count_until_the_next_version(opset: int) -> None:
    """What the standard says of an operator set goes on in later ones."""
    target = np.array([1, 0, 3])
    nodes = [helper.make_node("NegativeLogLikelihoodLoss", ["x", "t"], ["y"], reduction="sum")]
    model = make_model(nodes, {"x": X}, {"t": target}, ["y"], opset=opset)
    np.testing.assert_allclose(next(iter(acc.compile(model).run({"x": X}).values())), -X[np.arange(3), target].sum())
    if opset > 23:
        nodes = [helper.make_node("RotaryEmbedding", ["x", "c", "s"], ["y"])]
        constants = {"c": np.zeros((1, 1, 1), np.float32), "s": np.ones((1, 1, 1), np.float32)}
        image = np.array([[[[3, 4]]]], np.float32)
        model = make_model(nodes, {"x": image}, constants, ["y"], opset=opset)
        (result,) = acc.compile(model).run({"x": image}).values()
        np.testing.assert_array_equal(result, [[[[-4, 3]]]])


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("size", [(1, 1, 2, 3), (1, 2, 1, 4), (1, 1, 2, 3, 4), (2, 1, 3, 3)])
def test_affine_grid(size: tuple[int, ...], corners: int) -> None:
    axes = len(size) - 2
    theta = np.random.default_rng(0).standard_normal((size[0], axes, axes + 1)).astype(np.float32)
    nodes = [helper.make_node("AffineGrid", ["theta", "size"], ["y"], align_corners=corners)]
    model = make_model(nodes, {"theta": theta}, {"size": np.array(size)}, ["y"], opset=20)
    (result,) = acc.compile(model).run({"theta": theta}).values()
    along = [np.linspace(-1, 1, count) if corners else (2 * np.arange(count) + 1) / count - 1 for count in size[:1:-1]]
    points = np.stack([*np.meshgrid(*along[::-1], indexing="ij")[::-1], np.ones(size[2:])], -1)
    np.testing.assert_allclose(result, np.einsum("nij,...j->n...i", theta, points), atol=1e-6)


def chosen(condition: str, then: Sequence[onnx.NodeProto], other: Sequence[onnx.NodeProto]) -> onnx.NodeProto:
    branches = {"then_branch": branch("then", then, "r"), "else_branch": branch("else", other, "s")}
    return helper.make_node("If", [condition], ["y"], name="if", **branches)


RELU_OR_SUM = (
    [helper.make_node("Relu", ["x"], ["r"])],
    [helper.make_node("Constant", [], ["k"], value_float=2.0), helper.make_node("Add", ["x", "k"], ["s"])],
)


@pytest.mark.parametrize("opset", [8, 21])
@pytest.mark.parametrize("opened", [False, True])
def test_if_with_a_condition_that_a_run_computes(opened: bool, opset: int) -> None:
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["t"], keepdims=1),
        helper.make_node("Greater", ["t", "zero"], ["c"]),
        chosen("c", *RELU_OR_SUM),
    ]
    if opset < 21:
        constant = helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(np.array([2], np.float32)))
        nodes[-1].attribute[0].g.node[0].CopyFrom(constant)
    model = make_model(nodes, {"x": X}, {"zero": np.zeros(1, np.float32)}, ["y"], opset=opset)
    if opened:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "n"
    with acc.compile(model) as compiled:
        for value in (X, X + 1):
            (result,) = compiled.run({"x": value}).values()
            np.testing.assert_array_equal(result, np.maximum(value, 0) if value.sum() > 0 else value + 2)


def test_if_in_an_if() -> None:
    inner = chosen("d", *RELU_OR_SUM)
    inner.output[0] = "r"
    outer = chosen("c", [inner], [helper.make_node("Neg", ["x"], ["s"])])
    model = model_of([outer])
    model.graph.input.extend(helper.make_tensor_value_info(name, TensorProto.BOOL, [1]) for name in "cd")
    with acc.compile(model) as compiled:
        for c, d, expected in ((True, True, np.maximum(X, 0)), (True, False, X + 2), (False, True, -X)):
            (result,) = compiled.run({"x": X, "c": np.array([c]), "d": np.array([d])}).values()
            np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    ("then", "other"),
    [
        # Of different shapes or types.
        (RELU_OR_SUM[0], [helper.make_node("Transpose", ["x"], ["s"])]),
        (RELU_OR_SUM[0], [helper.make_node("Cast", ["x"], ["s"], to=TensorProto.INT32)]),
        # One that a run may be refused for, whatever the other one is.
        (RELU_OR_SUM[0], [helper.make_node("Add", ["x", "z"], ["s"])]),
        (RELU_OR_SUM[0], [helper.make_node("NotAnOperator", ["x"], ["s"])]),
    ],
)
def test_if_that_cannot_be_a_choice(then: Sequence[onnx.NodeProto], other: Sequence[onnx.NodeProto]) -> None:
    model = make_model([chosen("c", then, other)], {"x": X, "z": X, "c": np.array(True)}, {}, ["y"])
    for value in model.graph.input[:2]:
        for axis, size in enumerate(value.type.tensor_type.shape.dim):
            size.dim_param = f"{value.name}{axis}"
    with pytest.raises(acc.NeedsValue, match=r"node 'if' \(If\): the condition \('c'\) is not constant") as error:
        acc.compile(model)
    assert error.value.inputs == ("c",)


@pytest.mark.parametrize("reduce", ["ReduceSumSquare", "ReduceSum", "ReduceMax"])
@pytest.mark.parametrize("opset", [11, 18])
def test_scan_of_turns_that_do_not_depend_on_each_other(reduce: str, opset: int) -> None:
    """Distances as converters of nearest neighbours and Gaussian processes write them, for any number of rows."""
    old = opset < (13 if reduce == "ReduceSum" else 18)
    axes = {"axes": [1]} if old else {}
    nodes = [
        helper.make_node("Identity", ["state"], ["kept"]),
        helper.make_node("Sub", ["state", "slice"], ["d"]),
        helper.make_node("Mul", ["d", "w"], ["e"]),
        helper.make_node(reduce, ["e"] if old else ["e", "axis"], ["row"], keepdims=0, **axes),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("state", "slice")]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("kept", "row")]
    body = helper.make_graph(nodes, "b", inputs, outputs)
    node = helper.make_node("Scan", ["z", "x"], ["", "y"], name="scan", body=body, num_scan_inputs=1)
    constants = {"w": np.array([1, 2, 3, 4], np.float32), "axis": np.array([1])}
    z = np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32)
    given = {name: constants[name] for name in ("w", *([] if old else ["axis"]))}
    model = make_model([node], {"x": X, "z": z}, given, ["y"], opset=opset)
    for value in model.graph.input[:2]:
        value.type.tensor_type.shape.dim[0].dim_param = value.name
    with acc.compile(model) as compiled:
        for x, y in ((X, z), (z, X), (z, z)):
            (result,) = compiled.run({"x": x, "z": y}).values()
            difference = (y[None] - x[:, None]) * constants["w"]
            expected = {
                "ReduceSumSquare": (difference**2).sum(2),
                "ReduceSum": difference.sum(2),
                "ReduceMax": difference.max(2),
            }
            np.testing.assert_allclose(result, expected[reduce], rtol=1e-5, atol=1e-4)
