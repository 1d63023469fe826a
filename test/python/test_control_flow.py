"""Loops and branches that a run decides on: acc and ONNX Runtime agree, and what acc cannot have is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, numpy_helper

import acc
from acc import ir
from acc.macs import Macs
from acc.reference import results_by_name
from loops import GO_ON, I64, RNG, B, F, N, Shape, body, branches, check, floats, info, loop, model


@pytest.mark.parametrize("slices", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_a_loop_that_an_input_counts(known: bool, slices: bool) -> None:
    """States, a value and weights from outside, the number of the turn; no turn at all, too."""
    nodes = [
        GO_ON,
        N("Cast", ["number"], ["turn"], to=F),
        N("MatMul", ["s", "w"], ["p"]),
        N("Add", ["p", "x"], ["q"]),
        N("Add", ["q", "turn"], ["r"]),
        N("Tanh", ["r"], ["s_out"]),
        N("ReduceSum", ["s_out"], ["row"], keepdims=0),
    ]
    nodes.append(N("Identity", ["s_out"], ["copy"]))
    shapes: dict[str, Shape] = {"row": [], "copy": [2, 5]} if slices else {}
    graph = loop(nodes, ["s"], shapes)
    outputs = [info("last", F, [2, 5]), *(info(f"all_{name}") for name in shapes)]
    node = N("Loop", ["count", "", "x"], [output.name for output in outputs], name="loop", body=graph)
    inputs = [info("x", F, [2, 5])]
    constants = {"w": floats(5, 5)}
    counts: list[int] = [0, 1, 7, 200]
    if known:
        counts = [200]
        constants["count"] = np.array(200)
    else:
        inputs.append(info("count", I64, []))
    proto = model([node], inputs, outputs, **constants)
    x = floats(2, 5)
    feeds = [{"x": x} if known else {"x": x, "count": np.array(count)} for count in counts]
    assert "graph.loop" in check(proto, *feeds, tolerance=1e-4)


@pytest.mark.parametrize("count", [None, 50, "n"])
@pytest.mark.parametrize("slices", [False, True])
def test_a_loop_that_a_condition_ends(count: int | str | None, slices: bool) -> None:
    nodes = [
        N("Add", ["s", "x"], ["s_out"]),
        N("ReduceSum", ["s_out"], ["sum"], keepdims=0),
        N("Less", ["sum", "limit"], ["on"]),
    ]
    outputs = [info("last", F, [3]), *([info("all")] if slices else [])]
    graph = loop([*nodes, N("Identity", ["s_out"], ["row"])], ["s"], {"row": [3]} if slices else {})
    node = N("Loop", ["count" if count else "", "start", "x"], [o.name for o in outputs], name="loop", body=graph)
    inputs = [info("x", F, [3]), info("start", B, [])]
    constants = {"limit": np.array(40, np.float32)}
    if isinstance(count, int):
        constants["count"] = np.array(count)
    elif count:
        inputs.append(info("count", I64, []))
    proto = model([node], inputs, outputs, **constants)
    feeds = [
        {"x": np.array([1, 2, step], np.float32), "start": np.array(start)} for step in (1, 9, 90) for start in (1, 0)
    ]
    for feed in feeds:
        feed["start"] = feed["start"].astype(bool)
        if count == "n":
            feed["count"] = np.array(6)
    if slices and count is None:
        with pytest.raises(acc.ModelError, match="no number of turns that says how large they may become"):
            acc.compile(proto)
        return
    assert "graph.loop" in check(proto, *feeds)


def test_states_that_change_places() -> None:
    """Fibonacci's numbers, and states that are views of others."""
    nodes = [
        GO_ON,
        N("Identity", ["b"], ["a_out"]),
        N("Add", ["a", "b"], ["b_out"]),
        N("Identity", ["d"], ["c_out"]),
        N("Identity", ["c"], ["d_out"]),
        N("Reshape", ["f", "square"], ["e_out"]),
        N("Reshape", ["e", "flat"], ["f_out"]),
        N("Identity", ["k"], ["k_out"]),
    ]
    states = "abcdefk"
    node = N("Loop", ["n", "", *(f"{s}0" for s in states)], [f"{s}n" for s in states], body=loop(nodes, list(states)))
    shapes = {s: [2, 2] for s in states} | {"f": [4]}
    proto = model(
        [node],
        [info("n", I64, []), *(info(f"{s}0", F, shapes[s]) for s in states)],
        [info(f"{s}n", F, shapes[s]) for s in states],
        square=np.array([2, 2]),
        flat=np.array([4]),
    )
    given = {f"{s}0": floats(*shapes[s]) for s in states}
    check(proto, *({"n": np.array(n), **given} for n in (0, 1, 2, 3, 8)), tolerance=1e-4)


def test_an_lstm_cell_in_a_loop() -> None:
    """Of 300 steps over an input, as exporters of hand-written cells write it."""
    steps, inputs, hidden = 300, 6, 8
    nodes = [
        GO_ON,
        N("Gather", ["x", "number"], ["now"], axis=0),
        N("Gemm", ["now", "w", "bias"], ["gx"], transB=1),
        N("Gemm", ["h", "r"], ["gh"], transB=1),
        N("Add", ["gx", "gh"], ["gates"]),
        N("Split", ["gates"], ["i", "f", "o", "g"], axis=1, num_outputs=4),
        *(N("Sigmoid", [gate], [f"s{gate}"]) for gate in "ifo"),
        N("Tanh", ["g"], ["tg"]),
        N("Mul", ["sf", "c"], ["kept"]),
        N("Mul", ["si", "tg"], ["new"]),
        N("Add", ["kept", "new"], ["c_out"]),
        N("Tanh", ["c_out"], ["tc"]),
        N("Mul", ["so", "tc"], ["h_out"]),
        N("Identity", ["h_out"], ["row"]),
    ]
    node = N("Loop", ["steps", "", "h0", "c0"], ["h", "c", "y"], body=loop(nodes, ["h", "c"], {"row": [2, hidden]}))
    proto = model(
        [node],
        [info("x", F, [steps, 2, inputs])],
        [info("h", F, [2, hidden]), info("c", F, [2, hidden]), info("y", F, [steps, 2, hidden])],
        steps=np.array(steps),
        w=floats(4 * hidden, inputs),
        r=floats(4 * hidden, hidden),
        bias=floats(4 * hidden),
        h0=np.zeros((2, hidden), np.float32),
        c0=np.zeros((2, hidden), np.float32),
    )
    assert "graph.loop" in check(proto, {"x": floats(steps, 2, inputs)}, tolerance=1e-3)


def test_greedy_decoding_over_a_fixed_buffer() -> None:
    """Token after token until one ends it: integers and truth values are carried."""
    length, words = 20, 11
    nodes = [
        N("OneHot", ["token", "words", "offon"], ["hot"]),
        N("Gemm", ["hot", "table"], ["scores"]),
        N("ArgMax", ["scores"], ["best"], axis=1, keepdims=0),
        N("Identity", ["best"], ["token_out"]),
        N("Unsqueeze", ["number", "first"], ["at"]),
        N("Unsqueeze", ["at", "first"], ["where"]),
        N("ScatterND", ["buffer", "where", "best"], ["buffer_out"]),
        N("Equal", ["best", "end"], ["ends"]),
        N("Squeeze", ["ends"], ["end_scalar"]),
        N("Or", ["done", "end_scalar"], ["done_out"]),
        N("Not", ["end_scalar"], ["on"]),
    ]
    graph = loop(nodes, ["token", "buffer", "done"], token=I64, buffer=I64, done=B)
    node = N("Loop", ["length", "", "start", "empty", "no"], ["last", "tokens", "done"], body=graph)
    proto = model(
        [node],
        [info("start", I64, [1])],
        [info("last", I64, [1]), info("tokens", I64, [length]), info("done", B, [])],
        length=np.array(length),
        words=np.array(words),
        offon=np.array([0, 1], np.float32),
        table=floats(words, words),
        first=np.array([0]),
        end=np.array([3]),
        empty=np.full(length, -1),
        no=np.array(False),
    )
    check(proto, *({"start": np.array([word])} for word in range(words)))


def test_branches_that_are_too_much_to_compute_both() -> None:
    """Only the branch that is taken is computed: in the one that is not there is no end to a loop."""
    endless = loop([N("Add", ["s", "x"], ["s_out"]), N("Less", ["number", "limit"], ["on"])], ["s"])
    node = branches([N("Loop", ["", "", "x"], ["t"], body=endless)], [N("MatMul", ["x", "w"], ["e"])], "y")
    proto = model(
        [node],
        [info("c", B, [1]), info("x", F, [4, 4]), info("limit", I64, [])],
        [info("y", F, [4, 4])],
        w=floats(4, 4),
    )
    x = floats(4, 4)
    feeds = [{"c": np.array([True]), "x": x, "limit": np.array(limit)} for limit in (0, 1, 5, 400)]
    assert "graph.if" in check(proto, *feeds, tolerance=1e-3)
    with acc.compile(proto) as executable:
        limit = np.array(np.iinfo(np.int64).max)
        (y,) = executable.run({"c": np.array([False]), "x": x, "limit": limit}).values()
    np.testing.assert_allclose(y, x @ numpy_helper.to_array(proto.graph.initializer[0]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("open_rows", [False, True])
def test_branches_of_large_products(open_rows: bool) -> None:
    rows: int | str = "rows" if open_rows else 64
    then = [N("MatMul", ["x", "w"], ["p"]), N("Relu", ["p"], ["t"])]
    other = [N("MatMul", ["x", "v"], ["p"]), N("Neg", ["p"], ["e"])]
    proto = model(
        [N("ReduceSum", ["x"], ["sum"], keepdims=0), N("Greater", ["sum", "zero"], ["c"]), branches(then, other, "y")],
        [info("x", F, [rows, 32])],
        [info("y", F, [rows, 48])],
        w=floats(32, 48),
        v=floats(32, 48),
        zero=np.array(0, np.float32),
    )
    feeds = [{"x": floats(64, 32) + shift} for shift in (-1, 1)]
    assert "graph.if" in check(proto, *feeds, tolerance=1e-4)


def test_an_if_in_a_loop_in_an_if() -> None:
    inner = N(
        "If",
        ["odd"],
        ["s_out"],
        then_branch=body([N("Add", ["s", "x"], ["t"])], [], [info("t")]),
        else_branch=body([N("MatMul", ["s", "w"], ["m"]), N("Tanh", ["m"], ["e"])], [], [info("e")]),
    )
    nodes = [GO_ON, N("Mod", ["number", "two"], ["rest"]), N("Cast", ["rest"], ["odd"], to=B), inner]
    turns = N("Loop", ["n", "", "x"], ["t"], body=loop(nodes, ["s"]))
    proto = model(
        [branches([turns], [N("Neg", ["x"], ["e"])], "y")],
        [info("c", B, []), info("x", F, [64, 64]), info("n", I64, [])],
        [info("y", F, [64, 64])],
        w=floats(64, 64),
        two=np.array(2),
    )
    x = floats(64, 64)
    check(
        proto, *({"c": np.array(c), "x": x, "n": np.array(n)} for c, n in ((1, 0), (1, 5), (0, 5)) for c in [bool(c)])
    )


def test_a_loop_in_a_loop() -> None:
    """The inner one takes as many turns as the outer one has taken, and carries what the outer one carries."""
    inner = body(
        [N("Identity", ["was"], ["goes"]), N("Mul", ["u", "half"], ["v"]), N("Add", ["v", "s"], ["u_out"])],
        [info("turn", I64, []), info("was", B, []), info("u")],
        [info("goes", B, []), info("u_out")],
    )
    nodes = [GO_ON, N("Loop", ["number", "", "x"], ["s_out"], body=inner), N("Identity", ["s_out"], ["row"])]
    node = N("Loop", ["n", "", "x"], ["y", "all"], body=loop(nodes, ["s"], {"row": [3, 2]}))
    proto = model(
        [node],
        [info("n", I64, []), info("x", F, [3, 2])],
        [info("y", F, [3, 2]), info("all")],
        half=np.array(0.5, np.float32),
    )
    x = floats(3, 2)
    check(proto, *({"n": np.array(n), "x": x} for n in (0, 1, 2, 9)))


@pytest.mark.parametrize("open_steps", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_scan_of_many_turns(backwards: bool, open_steps: bool) -> None:
    """1,000 steps; two inputs along different axes, outputs along different axes."""
    steps = 1000
    graph = body(
        [
            N("Mul", ["s", "a"], ["p"]),
            N("Add", ["p", "b"], ["q"]),
            N("Tanh", ["q"], ["s_out"]),
            N("ReduceMax", ["s_out"], ["row"], keepdims=0),
            N("Identity", ["s_out"], ["copy"]),
        ],
        [info("s", F, [4]), info("a", F, [4]), info("b", F, [4])],
        [info("s_out", F, [4]), info("row", F, []), info("copy", F, [4])],
    )
    directions: dict[str, Any] = (
        {"scan_input_directions": [0, 1], "scan_output_directions": [1, 0]} if backwards else {}
    )
    attributes: dict[str, Any] = {"scan_input_axes": [0, 1], "scan_output_axes": [0, 1]} | directions
    node = N(
        "Scan", ["s0", "x", "z"], ["last", "rows", "all"], name="scan", num_scan_inputs=2, body=graph, **attributes
    )
    count: int | str = "n" if open_steps else steps
    proto = model(
        [node],
        [info("x", F, [count, 4]), info("z", F, [4, count]), info("s0", F, [4])],
        [info("last", F, [4]), info("rows"), info("all")],
    )
    lengths = [steps, 3] if open_steps else [steps]
    feeds = [{"x": floats(n, 4), "z": floats(4, n), "s0": floats(4)} for n in lengths]
    assert "graph.loop" in check(proto, *feeds, tolerance=1e-4)


def growing(count: str = "n") -> onnx.ModelProto:
    nodes = [GO_ON, N("Concat", ["s", "x"], ["s_out"], axis=0)]
    node = N("Loop", [count, "", "x"], ["y"], name="loop", body=loop(nodes, ["s"]))
    return model([node], [info("n", I64, []), info("x", F, [1, 2])], [info("y", F, ["rows", 2])], many=np.array(1000))


def quantized() -> onnx.ModelProto:
    nodes = [
        GO_ON,
        N("QuantizeLinear", ["s", "scale", "zero"], ["q"], name="quantize"),
        N("DequantizeLinear", ["q", "scale", "zero"], ["s_out"], name="dequantize"),
    ]
    node = N("Loop", ["n", "", "x"], ["y"], name="loop", body=loop(nodes, ["s"]))
    constants = {"scale": np.array(0.1, np.float32), "zero": np.array(0, np.int8)}
    return model([node], [info("n", I64, []), info("x", F, [2])], [info("y", F, [2])], **constants)


def unknown() -> onnx.ModelProto:
    nodes = [GO_ON, N("Multinomial", ["s"], ["m"], name="drawn"), N("Det", ["s"], ["s_out"])]
    node = N("Loop", ["n", "", "x"], ["y"], name="loop", body=loop(nodes, ["s"]))
    other = N("Multinomial", ["x"], ["z"], name="other")
    return model([node, other], [info("n", I64, []), info("x", F, [2, 2])], [info("y"), info("z", TensorProto.INT32)])


def many_slices() -> onnx.ModelProto:
    nodes = [N("Add", ["s", "x"], ["s_out"]), N("Less", ["s_out", "limit"], ["on"])]
    node = N(
        "Loop",
        ["many", "", "x"],
        ["y", "z"],
        name="loop",
        body=loop([*nodes, N("Identity", ["s_out"], ["row"])], ["s"], {"row": []}),
    )
    constants = {"many": np.array(np.iinfo(np.int64).max), "limit": np.array(9, np.float32)}
    return model([node], [info("x", F, [])], [info("y", F, []), info("z", F, ["n"])], **constants)


@pytest.mark.parametrize(
    ("proto", "error", "words"),
    [
        (
            growing(),
            acc.NeedsValue,
            [r"'loop'", r"'s?x'.*float32\[1, 2\] before a turn and of float32\[2, 2\] after it"],
        ),
        (
            growing("many"),
            acc.ModelError,
            [r"'loop'", r"float32\[1, 2\] before a turn and of float32\[2, 2\] after it"],
        ),
        (quantized(), acc.NeedsValue, [r"'loop'", "its body is quantized at 'loop/quantize'"]),
        (unknown(), acc.ModelError, ["2 problems", "Multinomial", "loop", "other"]),
        (many_slices(), acc.ModelError, ["'loop'", "up to 9223372036854775807 times"]),
    ],
)
def test_loops_that_are_refused(proto: onnx.ModelProto, error: type[Exception], words: Sequence[str]) -> None:
    with pytest.raises(error) as refused:
        acc.compile(proto)
    for word in words:
        assert re.search(word, str(refused.value)), str(refused.value)


def random_loop(seed: int) -> tuple[onnx.ModelProto, list[dict[str, np.ndarray]]]:
    """A loop whose states mix, change places and are views of each other, with a branch and slices at random."""
    rng = np.random.default_rng(seed)
    states = [f"s{index}" for index in range(rng.integers(1, 5))]
    shapes: dict[str, tuple[int, ...]] = {name: [(6,), (2, 3), (3, 2)][rng.integers(3)] for name in states}
    known = dict(shapes) | {"x": (2, 3)}
    nodes: list[NodeProto] = []

    def pick(shape: tuple[int, ...]) -> str:
        """A value of this shape: itself, reshaped or transposed."""
        name = str(rng.choice(list(known)))
        if known[name] == shape:
            return name
        made = f"v{len(nodes)}"
        if known[name] == shape[::-1] and rng.integers(2):
            nodes.append(N("Transpose", [name], [made], perm=[1, 0]))
        else:
            nodes.append(N("Reshape", [name, f"shape{len(shape)}{shape[0]}"], [made]))
        known[made] = shape
        return made

    for _ in range(rng.integers(1, 8)):
        shape = list(known.values())[rng.integers(len(known))]
        kind = str(rng.choice(["Add", "Sub", "Max", "Tanh", "If"]))
        operands = [pick(shape) for _ in range(1 if kind == "Tanh" else 2)]
        made = f"v{len(nodes)}"
        if kind == "If":
            parts = [
                body([N(op, [name], ["r"])], [], [info("r", F, shape)])
                for op, name in zip(("Neg", "Tanh"), operands, strict=True)
            ]
            nodes.append(N("If", ["odd"], [made], then_branch=parts[0], else_branch=parts[1]))
        else:
            nodes.append(N(kind, operands, [made]))
        known[made] = shape
    nodes += [N("Identity", [pick(shapes[name])], [f"{name}_out"]) for name in states]
    slices = [str(name) for name in rng.choice(list(known), rng.integers(3))]
    nodes += [N("Identity", [name], [f"row{index}"]) for index, name in enumerate(slices)]
    nodes += [N("Mod", ["number", "two"], ["rest"]), N("Cast", ["rest"], ["odd"], to=B)]
    ends = bool(rng.integers(2))
    nodes.append(N("Less", ["number", "last"], ["on"]) if ends else GO_ON)
    order = [nodes[-1], *nodes[-3:-1], *nodes[:-3]]
    graph = loop(order, states, {f"row{index}": known[name] for index, name in enumerate(slices)})
    outputs = [
        *(info(f"{name}_last", F, shapes[name]) for name in states),
        *(info(f"all{i}") for i, _ in enumerate(slices)),
    ]
    node = N(
        "Loop", ["count", "", *(f"{name}_first" for name in states)], [value.name for value in outputs], body=graph
    )
    inputs = [info("count", I64, []), info("last", I64, []), info("x", F, [2, 3])]
    inputs += [info(f"{name}_first", F, shapes[name]) for name in states]
    constants = {f"shape{len(shape)}{shape[0]}": np.array(shape) for shape in ((6,), (2, 3), (3, 2))}
    proto = model([node], inputs, outputs, two=np.array(2), **constants)
    feeds = []
    for count, last in ((0, 9), (1, 0), (5, 2), (6, 9)):
        feed = {"count": np.array(count), "last": np.array(last), "x": floats(2, 3)}
        feeds.append(feed | {f"{name}_first": floats(*shapes[name]) for name in states})
    return proto, feeds


@pytest.mark.parametrize("seed", range(12))
def test_random_loops(seed: int) -> None:
    proto, feeds = random_loop(seed)
    assert "graph.loop" in check(proto, *feeds, tolerance=1e-4)


def test_the_rest_of_a_network_goes_to_the_accelerator() -> None:
    """A loop between two quantized convolutions runs on the CPU, and results are those of native code."""

    def quantize(source: str, result: str, scale: str) -> list[NodeProto]:
        codes = f"{result}_codes"
        return [
            N("QuantizeLinear", [source, scale, "zero"], [codes]),
            N("DequantizeLinear", [codes, scale, "zero"], [result]),
        ]

    turn = loop([GO_ON, N("Tanh", ["s"], ["u"]), N("Mul", ["u", "half"], ["s_out"])], ["s"])
    nodes = [
        *quantize("x", "a", "fine"),
        N("DequantizeLinear", ["codes", "small", "zero"], ["w"]),
        N("Conv", ["a", "w"], ["b"], name="before", pads=[1, 1, 1, 1]),
        *quantize("b", "c", "coarse"),
        N("Loop", ["n", "", "c"], ["d"], name="loop", body=turn),
        *quantize("d", "e", "coarse"),
        N("Conv", ["e", "w"], ["f"], name="behind", pads=[1, 1, 1, 1]),
        *quantize("f", "y", "coarse"),
    ]
    constants = {"fine": 0.05, "coarse": 0.1, "small": 0.01, "half": 0.9}
    proto = model(
        nodes,
        [info("x", F, [1, 7, 6, 5]), info("n", I64, [])],
        [info("y", F, [1, 7, 6, 5])],
        zero=np.array(0, np.int8),
        codes=RNG.integers(-100, 100, (7, 7, 3, 3)).astype(np.int8),
        **{name: np.array(value, np.float32) for name, value in constants.items()},
    )
    x = floats(1, 7, 6, 5)
    with acc.compile(proto, target="vta") as accelerated, acc.compile(proto) as native:
        layers = {name: layer for layer in accelerated.report() for name in layer.layers}
        assert [layers[name].target for name in ("before", "loop", "behind")] == ["vta", "cpu", "vta"]
        assert layers["loop"].reason == "control flow that a run decides on"
        for count in (0, 1, 5):
            results = [executable.run({"x": x, "n": np.array(count)})["y"] for executable in (accelerated, native)]
            np.testing.assert_array_equal(*results)


REFERENCE = """
func.func @main(
    %n: tensor<i64> {graph.name = "n"}, %c: tensor<i1> {graph.name = "c"}, %x: tensor<3xf32> {graph.name = "x"}) -> (
    tensor<i64> {graph.name = "turns"}, tensor<3xf32> {graph.name = "y"}, tensor<4x3xf32> {graph.name = "rows"}) {
  %turns, %last, %rows = graph.loop times %n while %c from (%x) with (%x)
      : (tensor<i64>, tensor<i1>, tensor<3xf32>, tensor<3xf32>) -> (tensor<i64>, tensor<3xf32>, tensor<4x3xf32>) {
  ^bb0(%i: tensor<i64>, %s: tensor<3xf32>, %more: tensor<3xf32>):
    %next = graph.add %s, %more : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
    %on = graph.constant dense<true> : tensor<i1> : tensor<i1>
    graph.yield %on, %next, %s : tensor<i1>, tensor<3xf32>, tensor<3xf32>
  }
  %y = graph.if %c with (%last) : (tensor<i1>, tensor<3xf32>) -> tensor<3xf32> {
  ^bb0(%a: tensor<3xf32>):
    graph.yield %a : tensor<3xf32>
  } else {
  ^bb0(%a: tensor<3xf32>):
    %r = graph.relu %a : (tensor<3xf32>) -> tensor<3xf32>
    graph.yield %r : tensor<3xf32>
  }
  return %turns, %y, %rows : tensor<i64>, tensor<3xf32>, tensor<4x3xf32>
}
"""


@pytest.mark.parametrize(("count", "goes_on"), [(0, True), (2, True), (9, True), (9, False)])
def test_the_reference_evaluator_runs_regions(count: int, goes_on: bool) -> None:
    module = ir.Module.parse(REFERENCE, ir.Context())
    x = np.array([1, -2, 3], np.float32)
    feed = {"n": np.array(count), "c": np.array(goes_on), "x": x}
    results = results_by_name(module.body.operations[0], feed)
    # There is room for four slices, and so there are four turns at most.
    turns = min(count, 4) if goes_on else 0
    assert results["turns"] == turns
    np.testing.assert_array_equal(results["y"], x * (turns + 1) if goes_on else np.maximum(x, 0))
    np.testing.assert_array_equal(results["rows"], [x * (i + 1) if i < turns else x * 0 for i in range(4)])


def test_multiply_accumulates_of_loops_and_branches() -> None:
    """By turn where a run counts them; of branches those of the one that has more."""
    turn = loop([GO_ON, N("MatMul", ["s", "w"], ["s_out"])], ["s"])
    then, other = [N("MatMul", ["x", "w"], ["t"])], [N("MatMul", ["x", "w"], ["m"]), N("MatMul", ["m", "w"], ["e"])]
    for count, expected in (("n", "262,144*turn + 524,288"), ("many", "52,953,088")):
        nodes = [N("Loop", [count, "", "x"], ["y"], body=turn), branches(then, other, "z")]
        inputs = [info("n", I64, []), info("c", B, []), info("x", F, [64, 64])]
        outputs = [info("y", F, [64, 64]), info("z", F, [64, 64])]
        proto = model(nodes, inputs, outputs, w=floats(64, 64), many=np.array(200))
        with acc.compile(proto) as executable:
            assert str(sum((layer.all_macs for layer in executable.report()), Macs())) == expected


def test_a_scan_of_batches() -> None:
    """Operator set 8 gives a Scan a batch."""
    graph = body(
        [N("Add", ["s", "a"], ["s_out"]), N("Identity", ["s_out"], ["row"])],
        [info("s"), info("a")],
        [info("s_out"), info("row")],
    )
    node = N("Scan", ["", "s0", "x"], ["last", "all"], num_scan_inputs=1, directions=[1], body=graph)
    proto = model([node], [info("s0", F, [2, 3]), info("x", F, [2, 4, 3])], [info("last"), info("all")])
    proto.opset_import[0].version = 8
    feed = {"s0": floats(2, 3), "x": floats(2, 4, 3)}
    with acc.compile(proto) as executable:
        results = executable.run(feed)
    expected = feed["s0"][:, None] + np.cumsum(feed["x"][:, ::-1], 1)
    np.testing.assert_allclose(results["all"], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(results["last"], expected[:, -1], rtol=1e-5, atol=1e-5)
