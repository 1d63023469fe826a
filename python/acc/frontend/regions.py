"""Control flow that a run decides on: Loop, Scan and If as operators of the graph dialect with regions.

What is carried from turn to turn keeps the sizes that it has to begin with, and all sizes in a body follow from those
outside of it. Other loops are unrolled (`acc.frontend.control`) or refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from onnx import NodeProto, helper

from acc import ir
from acc.dtypes import BY_MLIR
from acc.frontend.call import Tensor, element_of, shape_of, storage_of
from acc.frontend.control import MAX_TURNS, Loop, Scan, check_done
from acc.frontend.definitions import OPSET
from acc.frontend.emitter import EQUAL, Emitter, block_of, needed_operations
from acc.frontend.functions import Body, Expander
from acc.frontend.model import Node
from acc.frontend.problems import NotStatic, Unsupported
from acc.frontend.selection import cannot_fail
from acc.frontend.sizes import Size, UnknownSizeError, are_same, current, is_symbolic, maximum, size_array
from acc.frontend.trial import TRIED, sampled
from acc.macs import Macs, count_macs

__all__ = ["Importer", "import_branches", "import_loop", "import_scan", "is_costly"]

_MAX_ROOM = 1 << 31
"""Elements of slices that are made room for where a run decides how many there are."""

_MAX_MACS = 1 << 16
"""Multiply-accumulates that may be done for nothing."""

_OPEN = 64
"""What an open size is taken for in that."""

_CONTROL = frozenset(("graph.if", "graph.loop"))


@dataclass(frozen=True)
class Importer:
    """What the importer does for regions.

    look: what is known of a value. bind: lets a name stand for a value. value: the value called so, a constant too.
    run: imports nodes.
    """

    emitter: Emitter
    expander: Expander
    look: Callable[[str], Tensor | None]
    bind: Callable[[str, Tensor], None]
    value: Callable[[str], ir.Value]
    run: Callable[[Body], None]

    def apply(self, node: Node, *protos: NodeProto) -> None:
        """Imports nodes that belong to `node`."""
        self.run(Body(tuple(self.expander.nodes(node, protos, OPSET))))

    def name(self, node: Node, wanted: str, tensor: Tensor) -> str:
        """A new name for a tensor."""
        name = self.expander.name(node, wanted)
        self.bind(name, tensor)
        return name

    def scalar(self, node: Node, source: str, what: str) -> ir.Value:
        """A value of one element, as a scalar tensor."""
        tensor = self.look(source)
        if tensor is None or not are_same([math.prod(shape_of(tensor))], [1]):
            raise Unsupported(f"needs {what}, of one element")
        if not shape_of(tensor):
            return self.value(source)
        shape = self.name(node, "shape", np.zeros(0, np.int64))
        result = self.expander.name(node, what.split(" ")[-1])
        self.apply(node, helper.make_node("Reshape", [source, shape], [result]))
        return self.value(result)


def import_loop(importer: Importer, node: Node) -> None:
    """Imports a Loop whose turns a run counts, or that has many."""
    loop = Loop.of(importer.expander, node)
    count = _Count.absent()
    if loop.count:
        tensor = importer.look(loop.count)
        if isinstance(tensor, ir.Value) and str(element_of(tensor)) != "i64":
            raise Unsupported("the number of turns is not an int64")
        count = _Count.of(importer, node, loop.count)
    initial = importer.look(loop.condition) if loop.condition else np.array(True)
    starts = None
    if not isinstance(initial, np.ndarray):
        starts = importer.scalar(node, loop.condition, "the condition")
    elif initial.size != 1:
        raise Unsupported("needs the condition, of one element")
    elif not initial.reshape(-1)[0]:
        count = _Count.of(importer, node, importer.name(node, "count", np.array(0)))

    def body(number: str, states: list[str]) -> list[str]:
        # While a turn is under way, the condition held.
        goes_on = importer.name(node, "condition", np.array(True))
        inner, results = importer.expander.instance(node, loop.graph, [number, goes_on, *states])
        importer.run(inner)
        check_done(importer.look, results)
        if len(results) < 1 + len(states):
            raise Unsupported(f"has a body with {len(results)} outputs instead of at least {1 + len(states)}")
        return results

    results = _emit(importer, node, loop.states, count, starts, body)
    _hand_on(importer, node, results)


def import_scan(importer: Importer, node: Node) -> None:
    """Imports a Scan of many turns, or of which a run knows the number."""
    scan = Scan.of(importer.expander, node, importer.look)
    rows = [
        _reversed(importer, node, name, axis) if back else name
        for name, axis, back in zip(scan.scanned, scan.axes, scan.backwards, strict=True)
    ]
    length = importer.name(node, "length", size_array([scan.length(importer.look)]))
    count = _Count.of(importer, node, length)

    def body(number: str, states: list[str]) -> list[str]:
        slices = []
        for name, axis in zip(rows, scan.axes, strict=True):
            slices.append(importer.expander.name(node, "slice"))
            importer.apply(node, helper.make_node("Gather", [name, number], [slices[-1]], axis=axis))
        inner, results = importer.expander.instance(node, scan.graph, [*states, *slices])
        importer.run(inner)
        check_done(importer.look, results)
        return [importer.name(node, "condition", np.array(True)), *results]

    results = _emit(importer, node, scan.states, count, None, body)
    states, stacks = results[: len(scan.states)], results[len(scan.states) :]
    for index, (axis, back) in enumerate(scan.outputs([_rank(importer, name) for name in stacks])):
        if back:
            stacks[index] = _reversed(importer, node, stacks[index], 0)
        if axis:
            order = list(range(1, _rank(importer, stacks[index])))
            order.insert(axis, 0)
            moved = importer.expander.name(node, "stack")
            importer.apply(node, helper.make_node("Transpose", [stacks[index]], [moved], perm=order))
            stacks[index] = moved
    _hand_on(importer, node, [*states, *stacks])


def _rank(importer: Importer, name: str) -> int:
    tensor = importer.look(name)
    assert tensor is not None
    return len(shape_of(tensor))


def _reversed(importer: Importer, node: Node, source: str, axis: int) -> str:
    """A tensor from its end along an axis."""
    numbers = [importer.name(node, "end", np.array([number])) for number in (-1, np.iinfo(np.int64).min, axis, -1)]
    result = importer.expander.name(node, "reversed")
    importer.apply(node, helper.make_node("Slice", [source, *numbers], [result]))
    return result


def import_branches(importer: Importer, node: Node) -> None:
    """Imports an If as graph.if: only the branch that is taken is computed.

    Raises Unsupported where a branch has what a region may not have, or the branches differ.
    """
    condition = importer.scalar(node, node.inputs[0], "the condition")
    regions: list[tuple[ir.Block, list[ir.Value]]] = []
    wanted = [index for index, name in enumerate(node.outputs) if name]
    for branch in (True, False):
        names = [importer.expander.name(node, "result") if name else "" for name in node.outputs]
        with importer.emitter.region(hoists=False) as block:
            body = importer.expander.branch(replace(node, outputs=tuple(names)), branch)
            importer.run(body)
            check_done(importer.look, names)
            yielded = [_value(importer, names[index], f"output {index}") for index in wanted]
            _check(block, yielded)
        regions.append((block, yielded))
    sizes: list[ir.Value] = []
    for one, other in zip(*(yielded for _, yielded in regions), strict=True):
        if element_of(one) != element_of(other) or not are_same(shape_of(one), shape_of(other)):
            raise Unsupported("has branches with results of different types or shapes")
        sizes += [importer.emitter.index(size) for size in shape_of(one) if isinstance(size, Size)]
    types = [value.type for value in regions[0][1]]
    results = importer.emitter.with_region("if", [[condition], sizes], types, regions, node.name)
    for index, result in zip(wanted, results, strict=True):
        importer.bind(node.outputs[index], result)


def is_costly(operations: Sequence[ir.Operation]) -> bool:
    """Whether operators should not be computed for nothing."""
    macs = sum((count_macs(op, current()) for op in operations), Macs())
    return any(op.name in _CONTROL for op in operations) or macs.fixed + sum(macs.per.values()) * _OPEN > _MAX_MACS


@dataclass(frozen=True)
class _Count:
    """How many turns there are at most: the operand for it, None if nothing says so, and the same as a size."""

    operand: ir.Value | None
    size: int | None

    @staticmethod
    def absent() -> _Count:
        return _Count(None, None)

    @staticmethod
    def of(importer: Importer, node: Node, name: str) -> _Count:
        tensor = importer.look(name)
        operand = importer.scalar(node, name, "the number of turns")
        if isinstance(tensor, np.ndarray):
            (number,) = tensor.reshape(-1)
            return _Count(operand, max(int(number), 0) if not is_symbolic(tensor) else number)
        return _Count(operand, maximum(importer.emitter.element(operand, [], node.name), 0))


def _emit(
    importer: Importer,
    node: Node,
    initial: Sequence[str],
    count: _Count,
    starts: ir.Value | None,
    body: Callable[[str, list[str]], list[str]],
) -> list[str]:
    """Appends a graph.loop; returns the names of the states after it and of what its slices make.

    initial: the states before the first turn. starts: the condition for the first turn, if a run decides. body: imports
    a turn, given the names of its number and of the states; returns those of the condition, the states and slices.
    """
    emitter = importer.emitter
    states = [_value(importer, name, f"state '{name}'") for name in initial]
    scalar = emitter.tensor_type([], np.dtype(np.int64))
    with emitter.region(hoists=True) as block:
        arguments = [
            block.add_argument(type, emitter.location(node.name)) for type in (scalar, *(s.type for s in states))
        ]
        for argument, state in zip(arguments[1:], states, strict=True):
            current().bind(argument, state)
        names = [importer.name(node, "state", argument) for argument in arguments]
        goes_on, *results = body(names[0], names[1:])
        last = importer.look(goes_on)
        always = isinstance(last, np.ndarray) and last.size == 1 and bool(last.reshape(-1)[0])
        yielded = [] if always and starts is None else [importer.scalar(node, goes_on, "the condition")]
        after = [_value(importer, name, "a result of its body") for name in results]
        kept = zip(initial, states, after[: len(states)], strict=True)
        after[: len(states)] = [_kept(importer, node, name, old, new) for name, old, new in kept]
        slices = after[len(states) :]
        yielded += after
        _check(block, yielded)
    ends = always and starts is None
    if ends and count.operand is None:
        raise Unsupported("has neither a number of turns nor a condition that ends it")
    condition = (
        [] if ends else [starts if starts is not None else importer.value(importer.name(node, "start", np.array(True)))]
    )
    room = count.size
    if slices:
        _check_room(room, slices, exact=ends)
    open_room = [emitter.index(room)] if slices and isinstance(room, Size) else []
    open_sizes = [emitter.index(size) for value in slices for size in shape_of(value) if isinstance(size, Size)]
    types = [scalar, *(state.type for state in states)]
    for value in slices:
        types.append(emitter.tensor_type([cast(int, room), *shape_of(value)], element_of(value)))
    operands = [[] if count.operand is None else [count.operand], condition, open_room, open_sizes, states]
    turns, *values = emitter.with_region("loop", operands, types, [(block, yielded)], node.name)
    for index, value in enumerate(slices, len(states)):
        if not ends:
            values[index] = _found(importer, node, values[index], turns, shape_of(value))
    return [importer.name(node, "last", value) for value in values]


def _kept(importer: Importer, node: Node, name: str, old: ir.Value, new: ir.Value) -> ir.Value:
    """What a turn makes of a state, whose sizes must stay; where they only might, a run checks them."""
    emitter = importer.emitter
    before, after = shape_of(old), shape_of(new)
    wrong = element_of(old) != element_of(new) or len(before) != len(after)
    for axis, (a, b) in enumerate(zip(before, after, strict=False)):
        try:
            wrong |= a != b
        except UnknownSizeError:
            # What grows is as large as before at most where there is nothing.
            wrong |= all(sampled(a, number) != sampled(b, number) for number in TRIED)
            what = f"node '{node.name}': its state '{name}' has size "
            emitter.check(EQUAL, b, a, [what, f" along axis {axis} after a turn but ", " before it"], node.name)
    if wrong:
        raise Unsupported(
            f"its state '{name}' is a tensor of {_show(old)} before a turn and of {_show(new)} after it: "
            f"only loops of at most {MAX_TURNS} turns that are known at import may do that"
        )
    return new if new.type == old.type else emitter.reshape(new, before, node.name)


def _found(importer: Importer, node: Node, buffer: ir.Value, turns: ir.Value, shape: Sequence[int]) -> ir.Value:
    """The slices of the turns that were taken, of a buffer with room for more."""
    emitter = importer.emitter
    number = emitter.element(turns, [], node.name)
    starts, steps = [0] * (len(shape) + 1), [1] * (len(shape) + 1)
    sizes = {"starts": starts, "sizes": [number, *shape], "steps": steps}
    return emitter.emit("slice", [buffer], sizes, node.name)


def _check_room(room: int | None, slices: Sequence[ir.Value], *, exact: bool) -> None:
    """Refuses loops whose outputs grow with turns of which nothing says how many there may be."""
    if room is None:
        raise Unsupported(
            "has outputs that grow from turn to turn, but no number of turns that says how large they may become"
        )
    if exact or isinstance(room, Size):
        return
    sizes = [[_OPEN if isinstance(size, Size) else size for size in shape_of(value)] for value in slices]
    if any(room * math.prod(each) > _MAX_ROOM for each in sizes):
        raise Unsupported(
            f"has outputs that grow from turn to turn, up to {room} times: a loop that a condition ends needs a "
            f"smaller number of turns, for which there is memory"
        )


def _value(importer: Importer, name: str, what: str) -> ir.Value:
    """A value that enters or leaves a region."""
    value = importer.value(name)
    if reason := _refused(value):
        raise Unsupported(f"{what} {reason}, which loops and branches that a run decides on do not have")
    return value


def _refused(value: ir.Value) -> str:
    """Why a region may not have a tensor; empty if it may."""
    element = element_of(value)
    if isinstance(element, ir.QuantizedType):
        return "is quantized"
    known = BY_MLIR[str(element)]
    return "" if known.computes else f"has elements of {known.name}"


def _check(block: ir.Block, yielded: Sequence[ir.Value]) -> None:
    """Refuses operators that regions may not have: for their elements, or because nobody can check their sizes.

    Sizes are checked in front of the outermost region, where only what is computed outside of it is known.
    """
    for op in needed_operations(block, yielded):
        tensors = [value for value in (*op.operands, *op.results) if ir.RankedTensorType.isinstance(value.type)]
        where = next(iter(op.location.names), op.name)
        if reasons := list(filter(None, map(_refused, tensors))):
            raise Unsupported(
                f"its body {reasons[0]} at '{where}', which loops and branches that a run decides on do not have"
            )
        if op.name == "tensor.extract" and block_of(op.operands[0]) == block:
            raise Unsupported(f"its body computes sizes from numbers of its own, at '{where}'")
        inner = [each for region in op.regions for each in region.blocks[0].operations]
        if any(each.name in _CONTROL for each in inner) or not cannot_fail(inner):
            raise NotStatic(f"has sizes in a body of its body, at '{where}', that are not known before run time")


def _hand_on(importer: Importer, node: Node, results: Sequence[str]) -> None:
    importer.run(Body(tuple(importer.expander.results(node, results))))


def _show(value: ir.Value) -> str:
    element = element_of(value)
    kind = storage_of(element) if isinstance(element, ir.QuantizedType) else element
    return f"{kind}[{', '.join(map(str, shape_of(value)))}]"
