"""Control flow that is known at import: the branch of an If, and loops whose number of turns is known, unrolled.

Each turn is a copy of the body; what it computes may be known in turn, as the condition of the next one must be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import GraphProto, helper, numpy_helper

from acc.frontend.call import Tensor, shape_of
from acc.frontend.functions import Body, Expander
from acc.frontend.model import Node
from acc.frontend.problems import Failed, NotConstant, NotStatic, Unsupported
from acc.frontend.sizes import are_same, is_symbolic
from acc.frontend.vectorized import vectorize

MAX_TURNS = 128
"""Every turn is code of its own: what takes more is a loop of the graph dialect (`acc.frontend.regions`)."""

BATCHES_BEFORE = 9
"""The operator set from which on a Scan has no batch."""


class TooManyTurns(Unsupported):
    """A loop that cannot be unrolled, for the number of its turns."""


Look = Callable[[str], Tensor | None]
Run = Callable[[Body], None]


def import_if(expander: Expander, node: Node, look: Look, run: Run) -> None:
    """Imports the branch that is taken."""
    (name,) = node.inputs if len(node.inputs) == 1 else ("",)
    run(expander.branch(node, _truth(look, name, "the condition")))


@dataclass(frozen=True)
class Loop:
    """What a Loop says: its body, and the names of the number of turns, of the first condition and of the states."""

    graph: GraphProto
    count: str
    condition: str
    states: list[str]

    @staticmethod
    def of(expander: Expander, node: Node) -> Loop:
        graph = expander.graph_of(node, "body")
        if len(node.inputs) < 2:
            raise Unsupported(f"has {len(node.inputs)} inputs instead of at least 2")
        return Loop(graph, node.inputs[0], node.inputs[1], list(node.inputs[2:]))


def import_loop(expander: Expander, node: Node, look: Look, run: Run) -> None:
    """Imports the turns of a Loop, until the condition is false or all are done."""
    loop = Loop.of(expander, node)
    graph, goes_on, states = loop.graph, loop.condition, loop.states
    turns = MAX_TURNS + 1
    if loop.count:
        count = _scalar(look, loop.count, "the number of turns")
        if count.dtype.kind not in "iu":
            raise Unsupported("the number of turns is not an integer")
        turns = int(count)
    stacks: list[list[str]] = [[] for _ in graph.output[1 + len(states) :]]
    turn = 0
    while turn < turns and (not goes_on or _truth(look, goes_on, "the condition")):
        if turn == MAX_TURNS or (turn == 0 and turns > MAX_TURNS and not _has_condition(graph)):
            raise TooManyTurns(f"takes more than {MAX_TURNS} turns")
        number = _constant(expander, node, run, "turn", np.array(turn))
        body, results = expander.instance(node, graph, [number, goes_on or _true(expander, node, run), *states])
        run(body)
        check_done(look, results)
        if len(results) != 1 + len(states) + len(stacks):
            raise Unsupported(f"has a body with {len(results)} outputs instead of at least {1 + len(states)}")
        goes_on, states = results[0], results[1 : 1 + len(states)]
        for stack, name in zip(stacks, results[1 + len(states) :], strict=True):
            stack.append(name)
        turn += 1
    if not turn and stacks:
        raise TooManyTurns("takes no turn, so the shape of its outputs is unknown")
    stacked = [_stack(expander, node, run, stack, 0) for stack in stacks]
    _hand_on(expander, node, run, [*states, *stacked])


def _has_condition(graph: GraphProto) -> bool:
    """Whether the body of a Loop may say that it is over."""
    name = graph.output[0].name if graph.output else ""
    given = [value.name for value in graph.input[1:2]]
    sources = {out: inner.input[0] for inner in graph.node if inner.op_type == "Identity" for out in inner.output}
    while name in sources:
        name = sources[name]
    return name not in given


@dataclass(frozen=True)
class Scan:
    """What a Scan says: its body, the names of its states and of what it scans, along which axes and from which end."""

    node: Node
    graph: GraphProto
    states: list[str]
    scanned: list[str]
    axes: list[int]
    backwards: list[int]

    @staticmethod
    def of(expander: Expander, node: Node, look: Look) -> Scan:
        graph = expander.graph_of(node, "body")
        count = _integer(node, "num_scan_inputs")
        if not 0 < count <= len(node.inputs):
            raise Unsupported(f"scans {count} of {len(node.inputs)} inputs")
        states, scanned = list(node.inputs[:-count]), list(node.inputs[-count:])
        given = zip(_integers(node, "scan_input_axes", count), scanned, strict=True)
        axes = [_axis(axis, _rank(look, name)) for axis, name in given]
        return Scan(node, graph, states, scanned, axes, _integers(node, "scan_input_directions", count))

    def length(self, look: Look) -> int:
        """How many turns it takes, which need not be known: what it scans must certainly agree in it."""
        lengths = []
        for name, axis in zip(self.scanned, self.axes, strict=True):
            tensor = look(name)
            assert tensor is not None
            lengths.append(shape_of(tensor)[axis])
        if not are_same(lengths, lengths[:1] * len(lengths)):
            if all(isinstance(length, int) for length in lengths):
                raise Unsupported(f"takes {' or '.join(map(str, lengths))} turns")
            raise NotStatic("scans inputs of lengths that may differ")
        return lengths[0]

    def outputs(self, ranks: Sequence[int]) -> list[tuple[int, int]]:
        """Of outputs of these ranks that are stacked: along which axis, and whether from their end."""
        axes = _integers(self.node, "scan_output_axes", len(ranks))
        backwards = _integers(self.node, "scan_output_directions", len(ranks))
        return [(_axis(axis, rank), back) for axis, back, rank in zip(axes, backwards, ranks, strict=True)]


def import_scan(expander: Expander, node: Node, look: Look, run: Run) -> None:
    """Imports the turns of a Scan, one for every slice of its inputs."""
    if node.opset < BATCHES_BEFORE:
        return _import_batch(expander, node, look, run)
    scan = Scan.of(expander, node, look)
    stacks = len(scan.graph.output) - len(scan.states)
    forward = not any(scan.backwards) and not any(_integers(node, "scan_output_directions", stacks))
    operands = (scan.states, scan.scanned, scan.axes)
    if not forward or not _import_at_once(expander, node, scan.graph, operands, look, run):
        _hand_on(expander, node, run, _take_turns(expander, node, scan, look, run))


def _take_turns(expander: Expander, node: Node, scan: Scan, look: Look, run: Run) -> list[str]:
    """Imports the turns of a Scan; returns its last states and its stacks."""
    graph, states = scan.graph, scan.states
    stacks: list[list[str]] = [[] for _ in graph.output[len(states) :]]
    length = scan.length(look)
    if not isinstance(length, int) or not 0 < length <= MAX_TURNS:
        raise TooManyTurns(f"takes {length} turns; unrolled are 1 to {MAX_TURNS}")
    for turn in range(length):
        slices = []
        for name, axis, back in zip(scan.scanned, scan.axes, scan.backwards, strict=True):
            slices.append(_slice(expander, node, run, name, axis, length - 1 - turn if back else turn))
        body, results = expander.instance(node, graph, [*states, *slices])
        run(body)
        check_done(look, results)
        if len(results) != len(states) + len(stacks):
            raise Unsupported(f"has a body with {len(results)} outputs instead of at least {len(states)}")
        states = results[: len(states)]
        for stack, name in zip(stacks, results[len(states) :], strict=True):
            stack.append(name)
    order = scan.outputs([_rank(look, stack[0]) + 1 for stack in stacks])
    ordered = [(stack[::-1] if back else stack, axis) for stack, (axis, back) in zip(stacks, order, strict=True)]
    return [*states, *(_stack(expander, node, run, *stack) for stack in ordered)]


def _import_batch(expander: Expander, node: Node, look: Look, run: Run) -> None:
    """Imports a Scan of operator set 8: all that it is given and makes has a batch as its first axis."""
    graph, count = expander.graph_of(node, "body"), _integer(node, "num_scan_inputs")
    if node.inputs[:1] != ("",):
        raise Unsupported("has lengths of sequences, which is not supported")
    given = node.inputs[1:]
    if not 0 < count <= len(given):
        raise Unsupported(f"scans {count} of {len(given)} inputs")
    tensor = look(given[-1])
    size = shape_of(tensor)[0] if tensor is not None and shape_of(tensor) else 0
    if not isinstance(size, int):
        raise NotStatic("has a batch of a size that is not known")
    if not 0 < size <= MAX_TURNS:
        raise Unsupported(f"has a batch of {size}; supported are 1 to {MAX_TURNS}")
    rows: list[list[str]] = []
    for index in range(size):
        own = [_slice(expander, node, run, name, 0, index) for name in given]
        backwards = _integers(node, "directions", count)
        scan = Scan(node, graph, own[:-count], own[-count:], [0] * count, backwards)
        try:
            rows.append(_take_turns(expander, node, scan, look, run))
        except TooManyTurns as error:
            raise Unsupported(str(error)) from error
    _hand_on(expander, node, run, [_stack(expander, node, run, list(row), 0) for row in zip(*rows, strict=True)])


def _import_at_once(
    expander: Expander,
    node: Node,
    graph: GraphProto,
    operands: tuple[list[str], Sequence[str], list[int]],
    look: Look,
    run: Run,
) -> bool:
    """Imports a Scan whose turns do not depend on each other; false where it has to be unrolled.

    operands: states, what is scanned, and along which axes.
    """
    states, scanned, axes = operands
    outputs = _integers(node, "scan_output_axes", len(graph.output) - len(states))
    if any(outputs) or any(axes):
        return False
    results = vectorize(expander, node, graph, states, scanned, look, run)
    if results is None:
        return False
    _hand_on(expander, node, run, [*states, *results[len(states) :]])
    return True


UNROLLED: dict[str, Callable[[Expander, Node, Look, Run], None]] = {
    "If": import_if,
    "Loop": import_loop,
    "Scan": import_scan,
}


def _slice(expander: Expander, node: Node, run: Run, name: str, axis: int, position: int) -> str:
    number = _constant(expander, node, run, "position", np.array(position))
    result = expander.name(node, "slice")
    run(Body(tuple(expander.nodes(node, [helper.make_node("Gather", [name, number], [result], axis=axis)]))))
    return result


def _stack(expander: Expander, node: Node, run: Run, slices: list[str], axis: int) -> str:
    """Puts slices together along a new axis."""
    numbers = _constant(expander, node, run, "axes", np.array([axis]))
    rows = [expander.name(node, "row") for _ in slices]
    protos = [
        helper.make_node("Unsqueeze", [name, numbers] if expander.opset >= 13 else [name], [row])
        for name, row in zip(slices, rows, strict=True)
    ]
    if expander.opset < 13:
        for proto in protos:
            proto.attribute.append(helper.make_attribute("axes", [axis]))
    result = expander.name(node, "stack")
    protos.append(helper.make_node("Concat", rows, [result], axis=axis))
    run(Body(tuple(expander.nodes(node, protos))))
    return result


def _hand_on(expander: Expander, node: Node, run: Run, results: Sequence[str]) -> None:
    run(Body(tuple(expander.results(node, results))))


def check_done(look: Look, results: Sequence[str]) -> None:
    """Raises Failed where some of these results are not there, for reasons that are noted."""
    if any(name and look(name) is None for name in results):
        raise Failed("cannot go on after a turn that failed")


def _constant(expander: Expander, node: Node, run: Run, what: str, value: np.ndarray) -> str:
    name = expander.name(node, what)
    run(Body((), {name: numpy_helper.from_array(value, name)}, frozenset({name})))
    return name


def _true(expander: Expander, node: Node, run: Run) -> str:
    return _constant(expander, node, run, "condition", np.array(True))


def _scalar(look: Look, name: str, what: str) -> np.generic:
    """The value of an operand of one element, which must be known."""
    tensor = look(name) if name else None
    if tensor is not None and (is_symbolic(tensor) or not isinstance(tensor, np.ndarray)):
        raise NotConstant(f"{what} ('{name}') is not constant", name)
    if tensor is None or tensor.size != 1:
        raise Unsupported(f"needs {what}, of one element")
    return tensor.reshape(-1)[0]


def _truth(look: Look, name: str, what: str) -> bool:
    return bool(_scalar(look, name, what))


def _integer(node: Node, name: str) -> int:
    return node.attributes[name].i if name in node.attributes else 0


def _integers(node: Node, name: str, count: int) -> list[int]:
    """An attribute with a number for each of `count` things, zeros by default."""
    values = list(node.attributes[name].ints) if name in node.attributes else [0] * count
    if len(values) != count:
        raise Unsupported(f"attribute '{name}' has {len(values)} values instead of {count}")
    return values


def _rank(look: Look, name: str) -> int:
    tensor = look(name) if name else None
    if tensor is None:
        raise Unsupported("lacks an input")
    return len(shape_of(tensor))


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise Unsupported(f"axis {axis} does not exist in rank {rank}")
    return axis % rank
