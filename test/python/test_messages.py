"""What a user is told is in the words of ONNX: nodes, element types and shapes, and never acc's IR."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, defs, helper

import acc
from acc.errors import Fault, MLIRError
from acc.ir import Diagnostic
from acc.pipeline import _fault
from acc.wording import is_plain, listing, plain
from onnx_mutations import broken_file

FLOAT = TensorProto.FLOAT


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "'graph.sin' op operand #0 must be ranked tensor of float of 16 to 64 bits values, "
            "but got 'tensor<1x?xi8>'",
            "operand 0 must be float of 16 to 64 bits, but is int8[1, ?]",
        ),
        ("takes -9223372036854775808 steps of 2", "takes ? steps of 2"),
        ("elements of !quant.uniform<u8<0:255>:f32:1, {1.0:3,2.0}> here", "elements of quantized uint8 here"),
        ("'tensor<4x!quant.uniform<i8:f32, 1.0>>' is wrong", "quantized int8[4] is wrong"),
        ("input holds 'f32' and f8E5M2", "input holds float32 and float8_e5m2"),
        ("'memref<4x?xbf16, strided<[?, 1], offset: ?>>' is", "bfloat16[4, ?] is"),
        ("'tensor<i1>' and i64", "bool[] and int64"),
        ("'i32' is no name, but 'conv_i32' and 'a f32' are", "int32 is no name, but 'conv_i32' and 'a f32' are"),
        (
            "inferred type(s) 'tensor<2xf32>' are incompatible with return type(s) of operation 'tensor<3xf32>'",
            "the result is float32[3] and not float32[2]",
        ),
        (
            "has 0 index operands but 2 values that are not constant",
            "depends on sizes that are not known before run time",
        ),
        ("axis 3 does not exist in rank 2", "axis 3 does not exist in rank 2"),
    ],
)
def test_plain(text: str, words: str) -> None:
    assert plain(text) == words
    assert is_plain(words)


@pytest.mark.parametrize(
    "text",
    [
        "'memref.collapse_shape' op is invalid",
        "tensor<?x3xf32>",
        "!quant.uniform<i8:f32, 1.0>",
        "see current operation: %0 = arith.addi",
        "-9223372036854775808",
        "inferred type(s)",
        "/project/onnx/common/ir.h:283: find",
        "#graph.pad_mode<edge>",
    ],
)
def test_marks_are_seen(text: str) -> None:
    assert not is_plain(text)


def test_listing() -> None:
    assert [listing(list("abcde")[:count], 3) for count in range(1, 6)] == [
        "a",
        "a and b",
        "a, b and c",
        "a, b, c and 1 more",
        "a, b, c and 2 more",
    ]


def refusal(model: onnx.ModelProto, symbolic: bool) -> str:
    """Why a model is refused; empty if it is not."""
    try:
        acc.import_onnx(model, symbolic=symbolic)
    except acc.AccError as error:
        return str(error)
    return ""


def check(text: str) -> None:
    assert is_plain(text) and "fault of acc" not in text, text


def typed_cases(cases: list[Any], seed: int, one_in: int) -> Iterator[tuple[str, onnx.ModelProto]]:
    """Models of one operator on element types that it was not made for, with open sizes or fixed ones."""
    rng = random.Random(seed)
    types = [number for number in TensorProto.DataType.values() if number not in (TensorProto.UNDEFINED,)]
    for case in cases:
        if rng.randrange(one_in):
            continue
        model = onnx.ModelProto()
        model.CopyFrom(case.model)
        number = rng.choice(types)
        for value in model.graph.input:
            if not value.type.HasField("tensor_type"):
                continue
            if rng.random() < 0.7:
                value.type.tensor_type.elem_type = number
            for dim in value.type.tensor_type.shape.dim:
                if rng.random() < 0.3:
                    dim.Clear()
                elif rng.random() < 0.1:
                    dim.dim_value += 1
        yield case.name, model


def test_operators_on_other_element_types_and_sizes(node_cases: list[Any]) -> None:
    seed, said = 11, 0
    for name, model in typed_cases(node_cases, seed, one_in=8):
        text = refusal(model, symbolic=True)
        said += bool(text)
        assert is_plain(text) and "fault of acc" not in text, f"seed {seed}, {name}: {text}"
    assert said > 50


def test_broken_models() -> None:
    for seed in range(150):
        model = onnx.ModelProto()
        try:
            model.ParseFromString(broken_file(seed)[0])
        except Exception:
            continue
        for symbolic in (False, True):
            text = refusal(model, symbolic)
            # Names of broken models may be anything.
            assert "fault of acc" not in text and "Assertion" not in text, f"seed {seed}: {text}"


def old_models() -> Iterator[onnx.ModelProto]:
    """One node of every operator of the operator sets 1 to 8, on operands that few of them take."""
    for schema in defs.get_all_schemas_with_history():
        if schema.domain or schema.since_version > 8 or schema.deprecated:
            continue
        inputs = [f"i{index}" for index in range(max(schema.min_input, 1))]
        outputs = [f"o{index}" for index in range(max(schema.min_output, 1))]
        graph = helper.make_graph(
            [helper.make_node("Relu", ["i0"], ["r"], "fine"), helper.make_node(schema.name, inputs, outputs, "old")],
            "g",
            [helper.make_tensor_value_info(name, FLOAT, [1, 2, 3, 4]) for name in inputs],
            [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        )
        yield helper.make_model(graph, opset_imports=[helper.make_opsetid("", schema.since_version)], ir_version=4)


def test_what_is_refused_of_old_operators() -> None:
    """Forms of the first operator sets are taken, or refused in words about the node."""
    refused = 0
    for model in old_models():
        text = refusal(model, symbolic=True)
        if not text:
            continue
        check(text)
        assert "node 'old' (" in text and "fault of acc" not in text, text
        refused += 1
    assert refused < 60


def test_an_unforeseen_failure_is_a_fault_of_acc(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the node, says what to do, and keeps the details for those who mend it."""
    from acc.frontend import operators
    from acc.frontend.call import Call, Operator, Tensor

    def fail(call: Call) -> list[Tensor]:
        raise KeyError("unforeseen")

    monkeypatch.setitem(operators.OPERATORS, "Relu", Operator("relu", convert=fail))
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"], "culprit")],
        "g",
        [helper.make_tensor_value_info("x", FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", FLOAT, None)],
    )
    with pytest.raises(
        Fault, match=r"node 'culprit' \(Relu\): .*fault of acc: please report it \(KeyError: 'unforeseen'\)"
    ):
        acc.import_onnx(helper.make_model(graph), symbolic=True)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("'graph.conv' op input has rank 2 instead of 4", ": input has rank 2 instead of 4: "),
        ("'memref.collapse_shape' op invalid source layout", ": "),
        ("'graph.conv' op cannot be made of affine_map<(d0) -> (d0)>", ": "),
        ("failed to legalize operation 'te.kernel'", ": "),
    ],
)
def test_a_pass_that_fails_is_a_fault_of_acc(message: str, reason: str) -> None:
    cause = MLIRError("a pass failed", (Diagnostic("error", message, name="conv1"),))
    error = _fault("kernels", cause)
    wanted = f"stage 'kernels' failed at 'conv1'{reason}this is a fault of acc, please report it with the model"
    assert str(error) == wanted and isinstance(error, acc.CompileError)
    check_words = str(error).replace("fault of acc", "")
    assert is_plain(check_words)


def reshape_model(shape: Any = (2, 3)) -> onnx.ModelProto:
    constants = [onnx.numpy_helper.from_array(np.array(shape), "s")]
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "s"], ["y"], "r")],
        "g",
        [helper.make_tensor_value_info("x", FLOAT, ["n", 6])],
        [helper.make_tensor_value_info("y", FLOAT, None)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def one_node(op: str, inputs: dict[str, tuple[Any, ...]], constants: dict[str, Any] | None = None, **attributes: Any):
    names = [*inputs, *(constants or {})]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], "n", **attributes)],
        "g",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("y", FLOAT, None)],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


W = np.ones((2, 3, 3, 3), np.float32)


@pytest.mark.parametrize(
    ("model", "shapes", "words"),
    [
        (reshape_model(), {"x": (2, 6)}, "node 'r': input [2, 6] has 12 elements, but the result [2, 3] has 6"),
        (
            one_node("Add", {"a": ("n", 4), "b": ("m", 4)}),
            {"a": (2, 4), "b": (3, 4)},
            "node 'n': shapes do not broadcast: size 3 meets size 2 at axis -2 from the end",
        ),
        (
            one_node("MatMul", {"a": ("n", "k"), "b": ("l", 2)}),
            {"a": (2, 4), "b": (3, 2)},
            "node 'n': sums over 4 elements of a but 3 elements of b",
        ),
        (
            one_node("Concat", {"a": ("n", "k"), "b": ("m", "l")}, axis=1),
            {"a": (2, 4), "b": (3, 2)},
            "node 'n': operands [2, 4] and [3, 2] do not fit together along axis 1",
        ),
        (
            one_node("Conv", {"x": (1, "c", "h", "w")}, {"k": W}),
            {"x": (1, 4, 8, 8)},
            "node 'n': weight has 3 input channels per group but the input has 4",
        ),
        (
            one_node("Conv", {"x": (1, 3, "h", "w")}, {"k": W}),
            {"x": (1, 3, 2, 8)},
            "node 'n': the window spans 3 elements but the padded input has 2 along spatial axis 0",
        ),
        (
            one_node("Squeeze", {"x": ("a", "b")}, {"axes": [0]}),
            {"x": (2, 3)},
            "node 'n': axis 0 has size 2 and cannot be dropped",
        ),
        (
            one_node("Add", {"a": ("n",), "b": ("n",)}),
            {"a": (2,), "b": (3,)},
            "input 'b' of shape [n] has 3 for 'n', but input 'a' has 2",
        ),
    ],
)
def test_run_time_messages_have_numbers(model: onnx.ModelProto, shapes: dict[str, tuple[int, ...]], words: str) -> None:
    with acc.compile(model) as executable, pytest.raises(acc.RunError) as error:
        executable.run({name: np.ones(shape, np.float32) for name, shape in shapes.items()})
    assert str(error.value) == words
