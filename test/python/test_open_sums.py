"""Operators of which a run finds out what sizes have to do with each other: parts, sums of products, nothing at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

import acc
from test_open_padding import check, open_model

RNG = np.random.default_rng(6)


def real(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("rows", "opset", "attributes", "split"),
    [
        ((5, 4, 7), 18, {"num_outputs": 2}, None),
        ((4, 4), 13, {}, [1, 3]),
    ],
)
def test_split(rows: tuple[int, ...], opset: int, attributes: dict[str, Any], split: list[int] | None) -> None:
    inputs = ["x", *(["parts"] if split else [])]
    nodes = [
        helper.make_node("Split", inputs, ["a", "b"], axis=0, **attributes),
        helper.make_node("Concat", ["b", "a"], ["y"], axis=0),
    ]
    runs = [{"x": real(count, 3)} for count in rows]
    constants = {"parts": np.array(split)} if split else {}
    model = open_model(nodes, runs[0], constants, fixed=[1], opset=opset)
    check(model, runs)
    if "num_outputs" not in attributes:
        with acc.compile(model) as compiled, pytest.raises(acc.RunError):
            compiled.run({"x": real(7, 3)})


def test_split_into_equal_parts() -> None:
    """What is a multiple of the number of parts whatever the sizes are, and what turns out to be one when it runs."""
    nodes = [
        helper.make_node("Concat", ["x", "x"], ["twice"], axis=0),
        helper.make_node("Split", ["twice"], ["a", "b"], axis=0),
        helper.make_node("Sub", ["b", "a"], ["y"]),
    ]
    runs = [{"x": real(count, 3)} for count in (4, 5)]
    check(open_model(nodes, runs[0], fixed=[1], opset=13), runs)
    nodes[1].input[0] = "x"
    runs = [{"x": real(count, 3)} for count in (4, 6)]
    model = open_model(nodes, runs[0], fixed=[1], opset=13)
    check(model, runs)
    with acc.compile(model) as compiled, pytest.raises(acc.RunError, match="input \\[5, 3\\] has 15 elements"):
        compiled.run({"x": real(5, 3)})


def test_split_into_parts_of_sizes() -> None:
    nodes = [
        helper.make_node("Shape", ["z"], ["n"], start=0, end=1),
        helper.make_node("Shape", ["x"], ["m"], start=0, end=1),
        helper.make_node("Sub", ["m", "n"], ["r"]),
        helper.make_node("Concat", ["n", "r"], ["parts"], axis=0),
        helper.make_node("Split", ["x", "parts"], ["a", "b"], axis=0),
        helper.make_node("Concat", ["b", "a"], ["y"], axis=0),
    ]
    runs = [{"x": real(count, 3), "z": real(first, 3)} for count, first in ((5, 2), (4, 4), (6, 0))]
    model = open_model(nodes, runs[0], fixed=[1])
    check(model, runs)
    # A part would have less than no elements.
    with acc.compile(model) as compiled, pytest.raises(acc.RunError):
        compiled.run({"x": real(2, 3), "z": real(5, 3)})


def test_split_into_parts_that_are_inputs() -> None:
    """Parts of nothing are nothing, whatever they are said to be."""
    nodes = [
        helper.make_node("Split", ["x", "parts"], ["a", "b"], axis=0),
        helper.make_node("Concat", ["b", "a"], ["y"], axis=0),
    ]
    for rows, parts in ((5, [2, 3]), (5, [5, 0]), (0, [0, 0])):
        feeds = {"x": real(rows, 3), "parts": np.array(parts)}
        check(open_model(nodes, feeds), [feeds])


def test_what_gemm_adds_may_be_repeated() -> None:
    node = helper.make_node("Gemm", ["x", "w", "c"], ["y"], beta=0.5, transB=1)
    runs = [{"x": real(3, 4), "c": real(count, 2)} for count in (1, 3)]
    check(open_model([node], runs[0], {"w": real(2, 4)}, fixed=[1]), runs)


@pytest.mark.parametrize("equation", ["ij,ij->ij", "ij,ij->j", "ij,ij,ik->jk"])
def test_letters_of_einsum_may_be_one(equation: str) -> None:
    terms = equation.split("->")[0].split(",")
    names = "abc"[: len(terms)]
    runs = [
        {name: real(counts[index], 4) for index, name in enumerate(names)}
        for counts in ((1, 3, 3), (3, 1, 1), (2, 2, 2))
    ]
    node = helper.make_node("Einsum", list(names), ["y"], equation=equation)
    check(open_model([node], runs[0], fixed=[1]), runs)


def test_one_element_of_open_sizes() -> None:
    node = helper.make_node("Reshape", ["x", "shape"], ["y"])
    for rank, dtype in ((1, np.float32), (2, np.float32), (1, np.bool_)):
        x = real(*[1] * rank).astype(dtype)
        model = open_model([node], {"x": x}, {"shape": np.zeros(0, np.int64)}, fixed=[])
        check(model, [{"x": x}])
        with acc.compile(model) as compiled, pytest.raises(acc.RunError):
            compiled.run({"x": real(*[2] * rank).astype(dtype)})


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("Unsqueeze", ["x", "axes"], ["y"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("Flatten", ["x"], ["y"], axis=2),
        helper.make_node("Transpose", ["x"], ["y"], perm=[3, 1, 0, 2]),
        helper.make_node("Softmax", ["x"], ["y"], axis=-1),
    ],
    ids=lambda node: node.op_type,
)
def test_nothing_along_one_axis_and_any_size_along_another(node: Any) -> None:
    runs = [{"x": real(3, 0, count, 2)} for count in (4, 1)]
    constants = {"axes": np.array([2, 1]), "w": real(2, 5)}
    given = {name: array for name, array in constants.items() if name in node.input}
    check(open_model([node], runs[0], given, fixed=[0, 1, 3]), runs)
