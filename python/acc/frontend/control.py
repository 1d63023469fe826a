"""Control flow that is known at import: the branch of an If, and loops whose number of turns is known, unrolled.

Each turn is a copy of the body; what it computes may be known in turn, as the condition of the next one must be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from onnx import GraphProto, helper, numpy_helper

from acc.frontend.call import Tensor, shape_of
from acc.frontend.functions import Body, Expander
from acc.frontend.model import Node
from acc.frontend.problems import Failed, NotConstant, NotStatic, Unsupported
from acc.frontend.sizes import is_symbolic
from acc.frontend.vectorized import vectorize

MAX_TURNS = 128
"""Every turn is code of its own: what takes more is a loop that acc does not have."""

Look = Callable[[str], Tensor | None]
Run = Callable[[Body], None]


def import_if(expander: Expander, node: Node, look: Look, run: Run) -> None:
    """Imports the branch that is taken."""
    (name,) = node.inputs if len(node.inputs) == 1 else ("",)
    run(expander.branch(node, _truth(look, name, "the condition")))


def import_loop(expander: Expander, node: Node, look: Look, run: Run) -> None:
    """Imports the turns of a Loop, until the condition is false or all are done."""
    graph = expander.graph_of(node, "body")
    if len(node.inputs) < 2:
        raise Unsupported(f"has {len(node.inputs)} inputs instead of at least 2")
    turns = MAX_TURNS + 1
    if node.inputs[0]:
        count = _scalar(look, node.inputs[0], "the number of turns")
        if count.dtype.kind not in "iu":
            raise Unsupported("the number of turns is not an integer")
        turns = int(count)
    goes_on, states = node.inputs[1], list(node.inputs[2:])
    stacks: list[list[str]] = [[] for _ in graph.output[1 + len(states) :]]
    turn = 0
    while turn < turns and (not goes_on or _truth(look, goes_on, "the condition")):
        if turn == MAX_TURNS:
            raise Unsupported(f"takes more than {MAX_TURNS} turns")
        number = _constant(expander, node, run, "turn", np.array(turn))
        body, results = expander.instance(node, graph, [number, goes_on or _true(expander, node, run), *states])
        run(body)
        _check_done(look, results)
        if len(results) != 1 + len(states) + len(stacks):
            raise Unsupported(f"has a body with {len(results)} outputs instead of at least {1 + len(states)}")
        goes_on, states = results[0], results[1 : 1 + len(states)]
        for stack, name in zip(stacks, results[1 + len(states) :], strict=True):
            stack.append(name)
        turn += 1
    _finish(expander, node, run, states, [(stack, 0) for stack in stacks])


def import_scan(expander: Expander, node: Node, look: Look, run: Run) -> None:
    """Imports the turns of a Scan, one for every slice of its inputs."""
    if node.opset < 9:
        raise Unsupported("of operator set 8 takes batches, which is not supported")
    graph = expander.graph_of(node, "body")
    count = _integer(node, "num_scan_inputs")
    if not 0 < count <= len(node.inputs):
        raise Unsupported(f"scans {count} of {len(node.inputs)} inputs")
    states, scanned = list(node.inputs[:-count]), node.inputs[-count:]
    stacks: list[list[str]] = [[] for _ in graph.output[len(states) :]]
    axes = _integers(node, "scan_input_axes", count)
    back = _integers(node, "scan_input_directions", count)
    forward = not any(back) and not any(_integers(node, "scan_output_directions", len(stacks)))
    if forward and _import_at_once(expander, node, graph, (states, scanned, axes), look, run):
        return
    lengths = []
    for index, name in enumerate(scanned):
        tensor = look(name)
        assert tensor is not None
        axes[index] = _axis(axes[index], len(shape_of(tensor)))
        lengths.append(shape_of(tensor)[axes[index]])
        if not isinstance(lengths[-1], int) or lengths[-1] < 0:
            raise NotStatic("needs a number of turns that is known")
    if len(set(lengths)) != 1 or not 0 < lengths[0] <= MAX_TURNS:
        raise Unsupported(f"takes {' or '.join(map(str, lengths))} turns; supported are 1 to {MAX_TURNS}")
    for turn in range(lengths[0]):
        slices = []
        for index, name in enumerate(scanned):
            position = lengths[0] - 1 - turn if back[index] else turn
            number = _constant(expander, node, run, "position", np.array(position))
            slices.append(expander.name(node, "slice"))
            proto = helper.make_node("Gather", [name, number], [slices[-1]], axis=axes[index])
            run(Body(tuple(expander.nodes(node, [proto]))))
        body, results = expander.instance(node, graph, [*states, *slices])
        run(body)
        _check_done(look, results)
        if len(results) != len(states) + len(stacks):
            raise Unsupported(f"has a body with {len(results)} outputs instead of at least {len(states)}")
        states = results[: len(states)]
        for stack, name in zip(stacks, results[len(states) :], strict=True):
            stack.append(name)
    axes = _integers(node, "scan_output_axes", len(stacks))
    for index, stack in enumerate(stacks):
        tensor = look(stack[0])
        assert tensor is not None
        axes[index] = _axis(axes[index], len(shape_of(tensor)) + 1)
    back = _integers(node, "scan_output_directions", len(stacks))
    ordered = [stack[::-1] if backwards else stack for stack, backwards in zip(stacks, back, strict=True)]
    _finish(expander, node, run, states, list(zip(ordered, axes, strict=True)))


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
    run(Body(tuple(expander.results(node, [*states, *results[len(states) :]]))))
    return True


UNROLLED: dict[str, Callable[[Expander, Node, Look, Run], None]] = {
    "If": import_if,
    "Loop": import_loop,
    "Scan": import_scan,
}


def _finish(expander: Expander, node: Node, run: Run, states: list[str], stacks: list[tuple[list[str], int]]) -> None:
    """Puts the slices of every stacked output together and hands all outputs on."""
    results = list(states)
    for stack, axis in stacks:
        if not stack:
            raise Unsupported("takes no turn, so the shape of its outputs is unknown")
        numbers = _constant(expander, node, run, "axes", np.array([axis]))
        slices = [expander.name(node, "row") for _ in stack]
        protos = [
            helper.make_node("Unsqueeze", [name, numbers] if expander.opset >= 13 else [name], [row])
            for name, row in zip(stack, slices, strict=True)
        ]
        if expander.opset < 13:
            for proto in protos:
                proto.attribute.append(helper.make_attribute("axes", [axis]))
        results.append(expander.name(node, "stack"))
        protos.append(helper.make_node("Concat", slices, [results[-1]], axis=axis))
        run(Body(tuple(expander.nodes(node, protos))))
    run(Body(tuple(expander.results(node, results))))


def _check_done(look: Look, results: list[str]) -> None:
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


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise Unsupported(f"axis {axis} does not exist in rank {rank}")
    return axis % rank
