"""Loops and branches whose sizes only a run knows: acc and ONNX Runtime agree, and refuse the same runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import pytest
from onnx import NodeProto, helper

import acc
from loops import GO_ON, I64, B, F, N, body, branches, check, floats, info, loop, model


def refuses(proto: onnx.ModelProto, feed: Mapping[str, np.ndarray], *words: str) -> None:
    """A run is refused, in these words."""
    with acc.compile(proto) as executable, pytest.raises(acc.RunError) as error:
        executable.run(dict(feed))
    for word in words:
        assert word in str(error.value)


def one_of(then: Sequence[NodeProto], other: Sequence[NodeProto], **constants: np.ndarray) -> onnx.ModelProto:
    """y = t if c, else e, of x with sizes n and k."""
    inputs = [info("x", F, ["n", "k"]), info("c", B, [])]
    return model([branches(then, other, "y")], inputs, [info("y")], **constants)


def feeds(*shapes: tuple[int, ...]) -> list[dict[str, np.ndarray]]:
    return [{"x": floats(*shape), "c": np.array(c)} for shape in shapes for c in (True, False)]


def test_what_a_branch_needs_of_sizes_counts_where_it_is_taken() -> None:
    """4 rows fit one branch, 5 the other one; a run is refused where the branch that is taken does not fit."""
    proto = one_of(
        [N("Add", ["x", "four"], ["a"]), N("ReduceSum", ["a", "zero"], ["t"], keepdims=0)],
        [N("Sub", ["x", "five"], ["b"]), N("ReduceMax", ["b", "zero"], ["e"], keepdims=0)],
        four=floats(4, 1),
        five=floats(5, 1),
        zero=np.array([0]),
    )
    four, five = feeds((4, 3)), feeds((5, 3))
    operators = check(proto, four[0], five[1], *feeds((1, 3)))
    assert "graph.if" in operators
    refuses(proto, four[1], "Sub", "4", "5")
    refuses(proto, five[0], "Add", "4", "5")


@pytest.mark.parametrize("windows", ["Conv", "MaxPool"])
def test_windows_of_several_strides(windows: str) -> None:
    """As a network for two sampling rates; the windows of one do not fit into what is short enough for the other."""

    def rate(name: str, size: int) -> list[NodeProto]:
        made = f"{name}_windows"
        if windows == "Conv":
            nodes = [N("Conv", ["image", f"w{size}"], [made], strides=[size])]
        else:
            nodes = [N("MaxPool", ["image"], [made], kernel_shape=[size], strides=[size])]
        return [
            N("Unsqueeze", ["x", "one"], ["image"]),
            *nodes,
            N("ReduceMean", [made, "last"], [name], keepdims=0),
        ]

    constants = {"w2": floats(3, 1, 2), "w5": floats(3, 1, 5)} if windows == "Conv" else {}
    proto = one_of(rate("t", 2), rate("e", 5), one=np.array([1]), last=np.array([2]), **constants)
    assert "graph.if" in check(proto, *feeds((1, 20), (3, 33)), feeds((2, 4))[0])
    refuses(proto, feeds((2, 4))[1], "5", "4")


def test_sizes_that_would_be_negative_in_the_other_branch() -> None:
    proto = one_of(
        [N("Slice", ["x", "three", "end", "one"], ["a"]), N("ReduceSum", ["a", "one"], ["t"])],
        [
            N("Reshape", ["x", "pairs"], ["b"]),
            N("Exp", ["b"], ["b1"]),
            N("ReduceSum", ["b1", "both"], ["b2"]),
            N("Reshape", ["b2", "column"], ["e"]),
        ],
        three=np.array([3]),
        end=np.array([1 << 40]),
        one=np.array([1]),
        pairs=np.array([0, -1, 2]),
        both=np.array([1, 2]),
        column=np.array([0, 1]),
    )
    assert "graph.if" in check(proto, *feeds((2, 4), (3, 2), (1, 6)), feeds((2, 3))[0])
    refuses(proto, feeds((2, 3))[1], "Reshape", "3")


def test_scans_of_an_open_batch() -> None:
    """A recurrent cell: states, slices and the number of turns are open."""
    cell = body(
        [
            N("MatMul", ["row", "w"], ["a"]),
            N("MatMul", ["s", "u"], ["b"]),
            N("Add", ["a", "b"], ["c"]),
            N("Tanh", ["c"], ["s_out"]),
            N("Identity", ["s_out"], ["copy"]),
        ],
        [info("s", F, ["n", 5]), info("row", F, ["n", 3])],
        [info("s_out", F, ["n", 5]), info("copy", F, ["n", 5])],
    )
    node = N("Scan", ["s0", "x"], ["last", "all"], num_scan_inputs=1, body=cell, scan_output_axes=[1])
    inputs = [info("s0", F, ["n", 5]), info("x", F, ["t", "n", 3])]
    proto = model([node], inputs, [info("last"), info("all")], w=floats(3, 5), u=floats(5, 5) / 4)
    runs = [{"s0": floats(n, 5), "x": floats(t, n, 3)} for n in (1, 4) for t in (1, 2, 150)]
    assert "graph.loop" in check(proto, *runs, tolerance=1e-4)


@pytest.mark.parametrize("count", ["k", ""])
def test_loops_over_open_states(count: str) -> None:
    """A convolution in every turn, as often as an input says, or until nothing is large any more."""
    turn = loop(
        [
            N("Conv", ["s", "w"], ["a"], pads=[1, 1]),
            N("Tanh", ["a"], ["s_out"]),
            N("ReduceMax", ["s_out"], ["most"], keepdims=0),
            GO_ON if count else N("Greater", ["most", "small"], ["on"]),
        ],
        ["s"],
    )
    proto = model(
        [N("Loop", [count, "" if count else "yes", "x"], ["y"], body=turn)],
        [info("x", F, ["n", 2, "t"]), *([info("k", I64, [])] if count else [])],
        [info("y")],
        w=floats(2, 2, 3) / 4,
        small=np.array(0.05, np.float32),
        yes=np.array(True),
    )
    runs = [{"x": floats(n, 2, t)} for n in (1, 3) for t in (1, 7, 40)]
    if count:
        runs = [{**run, "k": np.array(k)} for run in runs for k in (0, 1, 5)]
    assert "graph.loop" in check(proto, *runs, tolerance=1e-4)


def test_as_many_turns_as_a_size_says() -> None:
    nodes = [
        N("Shape", ["x"], ["sizes"]),
        N("Gather", ["sizes", "zero"], ["n"]),
        N("Loop", ["n", "", "x"], ["y"], body=loop([GO_ON, N("Neg", ["s"], ["s_out"])], ["s"])),
        N("Scan", ["x"], ["z"], num_scan_inputs=1, scan_input_axes=[1], body=body(
            [N("Add", ["u", "sum"], ["v"])], [info("u", F, ["n"])], [info("v", F, ["n"])]
        )),
        N("ReduceSum", ["x"], ["sum"], keepdims=0),
    ]  # fmt: skip
    proto = model(
        [*nodes[:2], nodes[4], *nodes[2:4]], [info("x", F, ["n", "k"])], [info("y"), info("z")], zero=np.array(0)
    )
    check(proto, *({"x": floats(*shape)} for shape in ((1, 1), (2, 5), (3, 4))))


def test_sizes_in_a_body_count_if_there_is_a_turn() -> None:
    turn = loop([GO_ON, N("Add", ["s", "x"], ["a"]), N("ReduceSum", ["a", "zero"], ["s_out"])], ["s"])
    proto = model(
        [N("Loop", ["k", "", "first"], ["y"], body=turn)],
        [info("x", F, ["n", 3]), info("first", F, [1, 3]), info("k", I64, [])],
        [info("y")],
        zero=np.array([0]),
    )
    check(proto, *({"x": floats(n, 3), "first": floats(1, 3), "k": np.array(k)} for n in (1, 4) for k in (0, 3)))


def test_states_that_might_keep_their_sizes_are_checked() -> None:
    """What a turn makes of a state has its sizes if those of two inputs are equal, or if pairs leave nothing over."""
    turn = loop([GO_ON, N("Add", ["s", "z"], ["s_out"])], ["s"])
    proto = model(
        [N("Loop", ["k", "", "x"], ["y"], name="loop", body=turn)],
        [info("k", I64, []), info("x", F, ["n", 3]), info("z", F, ["m", 3])],
        [info("y")],
    )

    def run(n: int, m: int, k: int) -> dict[str, np.ndarray]:
        return {"x": floats(n, 3), "z": floats(m, 3), "k": np.array(k)}

    check(proto, run(4, 4, 2), run(4, 1, 3), run(1, 4, 0), run(2, 5, 0))
    refuses(proto, run(1, 4, 2), "'loop'", "state 'x' has size 4 along axis 0 after a turn but 1 before it")
    pairs = [N("Reshape", ["s", "two"], ["r"]), N("Exp", ["r"], ["t"]), N("Reshape", ["t", "flat"], ["s_out"])]
    proto = model(
        [N("Loop", ["k", "", "x"], ["y"], body=loop([GO_ON, *pairs], ["s"]))],
        [info("x", F, ["n"]), info("k", I64, [])],
        [info("y")],
        two=np.array([-1, 2]),
        flat=np.array([-1]),
    )
    check(proto, *({"x": -np.abs(floats(n)), "k": np.array(k)} for n in (2, 6) for k in (0, 2)))
    refuses(proto, {"x": floats(3), "k": np.array(1)}, "3")


def test_states_that_grow_with_open_sizes_are_refused() -> None:
    turn = loop([GO_ON, N("Concat", ["s", "x"], ["s_out"], axis=0)], ["s"])
    node = N("Loop", ["k", "", "x"], ["y"], name="loop", body=turn)
    with pytest.raises(acc.ModelError, match=r"before a turn and of .* after it"):
        acc.compile(model([node], [info("k", I64, []), info("x", F, ["n", 3])], [info("y")]))


def squeezed(then: Sequence[NodeProto]) -> onnx.ModelProto:
    """What PyTorch writes for squeeze(1) of a size that it does not know: an If whose branches differ in rank."""
    test = [
        N("Shape", ["x"], ["s"]),
        N("Gather", ["s", "one"], ["d"]),
        N("Equal", ["d", "one"], ["c1"]),
        N("Squeeze", ["c1"], ["c"]),
    ]
    node = branches([N("Squeeze", ["x", "one"], ["t"])], [N("Identity", ["x"], ["e"])], "q")
    node.name = "choice"
    return model([*test, node, *then], [info("x", F, ["n", "k", "m"])], [info("y")], one=np.array([1]))


@pytest.mark.parametrize(("order", "fits", "other"), [([1, 0], 1, 3), ([1, 0, 2], 3, 1)])
def test_branches_of_several_ranks_of_which_one_fits(order: list[int], fits: int, other: int) -> None:
    proto = squeezed([N("Transpose", ["q"], ["y"], perm=order)])
    check(proto, {"x": floats(2, fits, 4)}, {"x": floats(1, fits, 1)})
    refuses(proto, {"x": floats(2, other, 4)}, "'choice'", f"{other} == 1", "fix the sizes")


def test_branches_of_several_ranks_that_both_fit_need_sizes() -> None:
    proto = squeezed([N("Relu", ["q"], ["y"])])
    with pytest.raises(acc.NeedsShape, match="'choice'"):
        acc.compile(proto)
    for size in (1, 3):
        with acc.compile(proto, shapes={"x": (2, size, 4)}) as executable:
            assert executable.run({"x": floats(2, size, 4)})["y"].ndim == (2 if size == 1 else 3)


def test_a_question_about_sizes_in_a_branch_that_a_run_chooses() -> None:
    """As voice detectors for two sampling rates have it: what is assumed counts in the branch that asks."""
    inner = squeezed([N("Transpose", ["q"], ["t"], perm=[1, 0])]).graph
    graph = helper.make_graph(inner.node, "then", [], [info("t")])
    most = [N("ReduceMax", ["x", "one"], ["r"], keepdims=0), N("Transpose", ["r"], ["e"], perm=[1, 0])]
    rest = body(most, [], [info("e")])
    node = N("If", ["flag"], ["y"], name="outer", then_branch=graph, else_branch=rest)
    inputs = [info("x", F, ["n", "k", "m"]), info("flag", B, [])]
    proto = model([node], inputs, [info("y")], one=np.array([1]))
    yes, no = np.array(True), np.array(False)
    check(
        proto,
        {"x": floats(2, 1, 4), "flag": yes},
        {"x": floats(2, 3, 4), "flag": no},
        {"x": floats(2, 1, 4), "flag": no},
    )
    refuses(proto, {"x": floats(2, 3, 4), "flag": yes}, "'outer/choice'", "3 == 1")


def test_squeezing_all_axes_of_size_1() -> None:
    """The rank is that for sizes other than 1: a run that has another one is refused."""
    proto = model([N("Squeeze", ["x"], ["y"], name="squeeze")], [info("x", F, ["n", 1, "k"])], [info("y")])
    check(proto, {"x": floats(2, 1, 3)}, {"x": floats(5, 1, 2)}, {"x": floats(2, 1, 0)})
    refuses(proto, {"x": floats(1, 1, 3)}, "'squeeze'", "axis 0 has size 1", "fix its size")
    with acc.compile(proto, shapes={"x": (1, 1, 3)}) as executable:
        assert executable.run({"x": floats(1, 1, 3)})["y"].shape == (3,)
    flat = model(
        [N("Squeeze", ["x"], ["s"]), N("Reshape", ["s", "all"], ["y"])],
        [info("x", F, ["n", 1, "k"])],
        [info("y")],
        all=np.array([-1]),
    )
    refuses(flat, {"x": floats(1, 1, 3)}, "axis 0 has size 1")


def test_both_of_two_reshapes_must_fit() -> None:
    proto = model(
        [N("Reshape", ["x", "a"], ["r"], name="first"), N("Reshape", ["r", "b"], ["y"], name="second")],
        [info("x", F, ["n"]), info("a", I64, [2]), info("b", I64, [1])],
        [info("y")],
    )

    def run(first: list[int], second: int) -> dict[str, np.ndarray]:
        return {"x": floats(6), "a": np.array(first), "b": np.array([second])}

    check(proto, run([2, 3], 6), run([-1, 2], -1))
    refuses(proto, run([2, 2], 6), "'first'")
    refuses(proto, run([2, 3], 5), "'second'")


def test_names_of_a_branch_in_a_function() -> None:
    """A branch in a function has a name of its own that is that of the tensor which the function is called with."""
    then = helper.make_graph([N("Relu", ["x"], ["X"])], "then", [], [info("X")])
    other = helper.make_graph([N("Neg", ["x"], ["X"])], "else", [], [info("X")])
    function = helper.make_function(
        "own", "F", ["x", "c"], ["y"], [N("If", ["c"], ["y"], then_branch=then, else_branch=other)],
        [helper.make_opsetid("", 18)],
    )  # fmt: skip
    proto = model([N("F", ["X", "c"], ["y"], domain="own")], [info("X", F, ["n"]), info("c", B, [])], [info("y")])
    proto.functions.append(function)
    proto.opset_import.append(helper.make_opsetid("own", 1))
    check(proto, *({"X": floats(4), "c": np.array(c)} for c in (True, False)))
