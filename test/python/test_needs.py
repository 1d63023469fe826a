"""What fixed sizes or values would settle is refused as NeedsShape or NeedsValue, and the text says how to fix them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc

Shape = Sequence[int | str | None]


def info(name: str, array: np.ndarray | None, shape: Shape | None) -> onnx.ValueInfoProto:
    dtype = TensorProto.FLOAT if array is None else helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, dtype, shape)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[np.ndarray, Shape | None]],
    constants: Mapping[str, Any] | None = None,
    outputs: Sequence[str] = ("y",),
    opset: int = 17,
    domain: str = "",
) -> onnx.ModelProto:
    """A model whose inputs have the element types of arrays and the given, perhaps open, shapes."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [info(name, array, shape) for name, (array, shape) in inputs.items()],
        [info(name, None, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=8 if opset < 21 else 10)


def branch(op: str, output: str, *more: str) -> onnx.GraphProto:
    return helper.make_graph([helper.make_node(op, ["x", *more], [output])], op, [], [info(output, None, None)])


F = np.float32
FLOATS = np.ones((2, 3), F)


def open_if(condition: Sequence[onnx.NodeProto], inputs: Mapping[str, Any], **constants: Any) -> onnx.ModelProto:
    # Results of different shapes, of which none can be chosen at run time.
    then, other = branch("Neg", "t"), branch("Transpose", "e")
    node = helper.make_node("If", ["c"], ["y"], "if", then_branch=then, else_branch=other)
    return model([*condition, node], inputs, constants)


N = helper.make_node
SIZE = [N("Shape", ["x"], ["s"]), N("Gather", ["s", "zero"], ["d"])]
Case = tuple[onnx.ModelProto, dict[str, Any], set[str], set[str]]
"""A model, what it is run with, and which inputs' sizes and values the message must ask for."""


def recurrent(kind: str, gates: int) -> Case:
    feeds = {"x": np.ones((3, 2, 4), F), "w": np.ones((1, gates * 5, 4), F), "r": np.ones((1, gates * 5, 5), F)}
    node = N(kind, ["x", "w", "r"], ["y"], "rnn", hidden_size=5)
    return model([node], {name: (array, ["?"] * 3) for name, array in feeds.items()}, opset=14), feeds, {*feeds}, set()


CASES: dict[str, Case] = {
    "if on a size": (
        open_if([*SIZE, N("Equal", ["d", "two"], ["c"])], {"x": (FLOATS, ["a", "b"])}, zero=0, two=2),
        {"x": FLOATS},
        {"x"},
        set(),
    ),
    "if on an input": (
        open_if([N("Equal", ["sr", "k"], ["c"])], {"x": (FLOATS, [2, 3]), "sr": (np.array(1), [])}, k=16000),
        {"x": FLOATS, "sr": np.array(16000)},
        set(),
        {"sr"},
    ),
    "if on both": (
        open_if(
            [*SIZE, N("Equal", ["d", "n"], ["c"])], {"x": (FLOATS, ["a", 3]), "n": (np.array(1), [])}, zero=0
        ),
        {"x": FLOATS, "n": np.array(2)},
        {"x"},
        {"n"},
    ),
    "if on data": (
        open_if(
            [N("ReduceSum", ["x"], ["r"], keepdims=0), N("Greater", ["r", "zero"], ["c"])],
            {"x": (FLOATS, ["a", 3])},
            zero=F(0),
        ),
        {"x": FLOATS},
        set(),
        {"x"},
    ),
    "gather_nd": (
        model(
            [N("GatherND", ["x", "i"], ["y"], "n")],
            {"x": (FLOATS, [2, 3]), "i": (np.zeros((4, 2), np.int64), ["a", "b"])},
        ),
        {"x": FLOATS, "i": np.zeros((4, 2), np.int64)},
        {"i"},
        set(),
    ),
    "scatter_nd": (
        model(
            [N("ScatterND", ["x", "i", "u"], ["y"], "n")],
            {
                "x": (FLOATS, [2, 3]),
                "i": (np.zeros((1, 1), np.int64), ["a", "b"]),
                "u": (np.ones((1, 3), F), ["a", "c"]),
            },
        ),
        {"x": FLOATS, "i": np.zeros((1, 1), np.int64), "u": np.ones((1, 3), F)},
        {"i", "u"},
        set(),
    ),
    "one_hot": (
        model(
            [N("OneHot", ["i", "depth", "v"], ["y"], "n")],
            {"i": (np.zeros(3, np.int64), [3]), "v": (np.ones(2, F), ["k"])},
            {"depth": 4},
        ),
        {"i": np.zeros(3, np.int64), "v": np.array([0, 1], F)},
        {"v"},
        set(),
    ),
    "blocks": (
        model(
            [N("QuantizeLinear", ["x", "s"], ["q"], "n", axis=1, block_size=2), N("Cast", ["q"], ["y"], to=1)],
            {"x": (np.ones((2, 4), F), ["a", "b"])},
            {"s": np.ones((2, 2), F)},
            opset=21,
        ),
        {"x": np.ones((2, 4), F)},
        {"x"},
        set(),
    ),
    "fractional scale": (
        model(
            [N("Resize", ["x", "", "s"], ["y"], "n", mode="nearest")],
            {"x": (np.ones((1, 1, 5, 5), F), [1, 1, "h", "w"])},
            {"s": np.array([1, 1, 0.6, 0.6], F)},
        ),
        {"x": np.ones((1, 1, 5, 5), F)},
        {"x"},
        set(),
    ),
    "lstm": recurrent("LSTM", 4),
    "gru": recurrent("GRU", 3),
    "rnn": recurrent("RNN", 1),
    "col2im": (
        model(
            [N("Col2Im", ["x", "image", "block"], ["y"], "n")],
            {"x": (np.ones((1, 5, 5), F), ["a", "b", "c"])},
            {"image": np.array([5, 5]), "block": np.array([1, 5])},
            opset=18,
        ),
        {"x": np.ones((1, 5, 5), F)},
        {"x"},
        set(),
    ),
    "tf_idf": (
        model(
            [N("TfIdfVectorizer", ["x"], ["y"], "n", mode="TF", min_gram_length=2, max_gram_length=2, max_skip_count=0,
               ngram_counts=[0, 4], ngram_indexes=[0, 1, 2, 3, 4, 5, 6], pool_int64s=[2, 3, 5, 4, 5, 6, 7, 8, 6, 7])],
            {"x": (np.ones(12, np.int32), ["n"])},
        ),
        {"x": np.ones(12, np.int32)},
        {"x"},
        set(),
    ),
    "causal_conv": (
        model(
            [N("CausalConvWithState", ["x", "w", "b", "p"], ["y"], "n")],
            {"x": (np.ones((1, 4, 6), F), [1, 4, "l"]), "w": (np.ones((4, 1, 3), F), [4, 1, "k"])},
            {"b": np.ones(4, F), "p": np.zeros((1, 4, 2), F)},
            opset=27,
        ),
        {"x": np.ones((1, 4, 6), F), "w": np.ones((4, 1, 3), F)},
        {"x", "w"},
        set(),
    ),
    "axes from an input": (
        model(
            [N("Cast", ["a"], ["b"], to=TensorProto.INT64), N("Squeeze", ["x", "b"], ["y"], "n")],
            {"x": (np.ones((1, 3), F), [1, 3]), "a": (np.array([0], np.int32), [1])},
        ),
        {"x": np.ones((1, 3), F), "a": np.array([0], np.int32)},
        set(),
        {"a"},
    ),
}  # fmt: skip


def fixes(error: acc.ModelError, feeds: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Shapes and values that an error asks for."""
    if isinstance(error, acc.NeedsShape):
        values = {name: feeds[name] for name in error.values}
        return {name: feeds[name].shape for name in error.inputs if name not in values}, values
    assert isinstance(error, acc.NeedsValue)
    return {}, {name: feeds[name] for name in error.inputs}


@pytest.mark.parametrize("name", CASES)
def test_what_is_needed(name: str) -> None:
    onnx_model, feeds, shapes, values = CASES[name]
    with pytest.raises((acc.NeedsShape, acc.NeedsValue)) as caught:
        acc.import_onnx(onnx_model, symbolic=True)
    text = str(caught.value)
    given = fixes(caught.value, feeds)
    assert (set(given[0]), set(given[1])) == (shapes, values), text
    for option, names in (("--shape", shapes), ("--value", values)):
        assert all(f"{option} {n}=" in text and f"'{n}'" in text for n in names), text
    assert ("shapes={" in text) == bool(shapes) and ("values={" in text) == bool(values), text
    acc.import_onnx(onnx_model, *given, symbolic=True)


def test_sizes_and_values_stand_in_every_list() -> None:
    """Also where something else is wrong with the model, which then is no NeedsShape."""
    nodes = [
        N("GatherND", ["x", "i"], ["a"], "one"),
        N("NotAnOperator", ["x"], ["b"], "two"),
        N("Squeeze", ["x", "axes"], ["y"], "three"),
    ]
    inputs = {
        "x": (FLOATS, [2, 3]),
        "i": (np.zeros((4, 2), np.int64), ["a", "b"]),
        "axes": (np.array([0]), [1]),
    }
    with pytest.raises(acc.ModelError) as caught:
        acc.import_onnx(model(nodes, inputs, outputs=["a", "b", "y"]), symbolic=True)
    assert type(caught.value) is acc.ModelError
    lines = str(caught.value).splitlines()
    assert lines[0] == "the model: 3 problems"
    assert "node 'one'" in lines[1] and "the sizes of input 'i'" in lines[1] and "--shape i=1,1" in lines[1]
    assert "node 'two' (NotAnOperator): unsupported operator" in lines[2]
    assert "node 'three'" in lines[3] and "the value of input 'axes'" in lines[3] and "--value axes=..." in lines[3]


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (N("Sin", ["i"], ["y"], "n"), "operand 'i' has elements of int32 but only floats are supported"),
        (N("Softmax", ["x"], ["y"], "n", axis=5), "axis 5 does not exist in rank 2"),
        (N("Conv", ["x", "x"], ["y"], "n"), "do not make a convolution"),
        (N("Add", ["x", "i"], ["y"], "n"), "operands have different element types: float32 and int32"),
    ],
)
def test_what_no_size_settles_is_no_need(node: onnx.NodeProto, reason: str) -> None:
    inputs = {"x": (FLOATS, ["a", "b"]), "i": (FLOATS.astype(np.int32), ["a", "b"])}
    with pytest.raises(acc.ModelError) as caught:
        acc.import_onnx(model([node], inputs), symbolic=True)
    assert type(caught.value) is acc.ModelError
    assert reason in str(caught.value) and "--shape" not in str(caught.value)


def test_the_backend_fixes_what_is_needed() -> None:
    from acc import onnx_backend

    for name, (onnx_model, feeds, *_) in CASES.items():
        prepared = onnx_backend.prepare(onnx_model)
        prepared.run({value.name: feeds[value.name] for value in onnx_model.graph.input})
        assert prepared.executable is None, name


def opened(case: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every size of its inputs open."""
    copy = onnx.ModelProto()
    copy.CopyFrom(case)
    for value in copy.graph.input:
        for dim in value.type.tensor_type.shape.dim:
            dim.Clear()
    return copy


def arrays_of(case: Any) -> dict[str, np.ndarray]:
    arrays = {}
    for value, array in zip(case.model.graph.input, case.data_sets[0][0], strict=False):
        array = numpy_helper.to_array(array) if isinstance(array, TensorProto) else array
        if isinstance(array, np.ndarray | np.generic):
            arrays[value.name] = np.asarray(array)
    return arrays


def settle(onnx_model: onnx.ModelProto, feeds: Mapping[str, np.ndarray], compile: bool = False) -> str:
    """Imports a model, fixing what it asks for; the reason if it is refused for good."""
    shapes: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for _ in range(10):
        try:
            if compile:
                acc.compile(onnx_model, shapes=shapes, values=values).close()
            else:
                acc.import_onnx(onnx_model, shapes, values, symbolic=True)
        except (acc.NeedsShape, acc.NeedsValue) as error:
            more_shapes, more_values = fixes(error, feeds)
            assert not (more_shapes.items() <= shapes.items() and more_values.keys() <= values.keys()), error
            shapes, values = shapes | more_shapes, values | more_values
            shapes = {name: shape for name, shape in shapes.items() if name not in values}
        except acc.ModelError as error:
            return str(error)
        else:
            return ""
    raise AssertionError("asks for more and more")


def check_refusals(cases: Sequence[Any], compile: bool) -> None:
    """What sizes that are open make acc refuse, it takes when it gets what it asks for."""
    wrong = []
    for case in cases:
        feeds = arrays_of(case)
        if len(feeds) != len(case.model.graph.input) or any(0 in array.shape for array in feeds.values()):
            continue
        reason = settle(opened(case.model), feeds, compile)
        if reason and not settle(case.model, feeds, compile):
            wrong.append(f"{case.name}: {reason}")
    assert not wrong, "\n".join(wrong)


def test_operators_with_open_sizes(node_cases: list[Any]) -> None:
    """One in ten, and all that are known to need sizes; test_every_operator_with_open_sizes has the others."""
    needy = re.compile("gathernd|scatternd|onehot|lstm|gru|rnn|resize|tfidf|col2im|split|pool|loop|scan|blocked|causal")
    chosen = [case for index, case in enumerate(node_cases) if index % 10 == 0 or needy.search(case.name)]
    check_refusals([case for case in chosen if "_expanded" not in case.name], compile=False)


@pytest.mark.long
def test_every_operator_with_open_sizes(node_cases: list[Any]) -> None:
    check_refusals(node_cases, compile=True)
