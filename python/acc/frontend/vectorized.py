"""A Scan whose turns do not depend on each other: all of them at once, with the turns as a leading axis.

That is so where every state is handed on as it came. The body is rewritten node by node: an operand that differs from
turn to turn has the turns as its first axis, others are what they are. It takes any number of turns, known or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from onnx import GraphProto, NodeProto, helper, numpy_helper

from acc.frontend.call import Tensor, shape_of
from acc.frontend.functions import Body, Expander
from acc.frontend.model import Node
from acc.frontend.sizes import are_same

__all__ = ["vectorize"]

Look = Callable[[str], Tensor | None]
Run = Callable[[Body], None]

# Element by element, of operands that broadcast.
_ELEMENTWISE = frozenset(
    (
        *("Abs", "Add", "And", "Cast", "Ceil", "Cos", "Div", "Equal", "Erf", "Exp", "Floor", "Greater"),
        *("GreaterOrEqual", "Identity", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max", "Min", "Mul", "Neg", "Not"),
        *("Or", "Pow", "Reciprocal", "Relu", "Sigmoid", "Sign", "Sin", "Sqrt", "Sub", "Sum", "Tanh", "Where"),
    )
)

_REDUCTIONS = frozenset(f"Reduce{name}" for name in ("L1", "L2", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"))

# Since these operator sets the axes of reductions are an operand.
_AXES_ARE_OPERANDS = {"ReduceSum": 13}
_AXES_ARE_OPERANDS_SINCE = 18


def vectorize(
    expander: Expander,
    node: Node,
    graph: GraphProto,
    states: Sequence[str],
    scanned: Sequence[str],
    look: Look,
    run: Run,
) -> list[str] | None:
    """The results of a body for all turns, those of the states first; None where that cannot be said.

    scanned: what is scanned, with the turns along the first axis. Results are stacked along their first axis.
    """
    kept = dict(zip((value.name for value in graph.output), (value.name for value in graph.input), strict=False))
    sources = {out: inner.input[0] for inner in graph.node if inner.op_type == "Identity" for out in inner.output}
    for name in [value.name for value in graph.output][: len(states)]:
        origin = name
        while origin in sources:
            origin = sources[origin]
        if origin != kept[name]:
            return None
    turns = [shape_of(tensor)[:1] for tensor in map(look, scanned) if tensor is not None]
    if len(turns) < len(scanned) or not all(size and are_same(size, turns[0]) for size in turns):
        return None
    body, results = expander.instance(node, graph, [*states, *scanned])
    differ = set(scanned)
    for inner in body.nodes:
        if not differ.isdisjoint(inner.inputs):
            if inner.op_type not in (*_ELEMENTWISE, *_REDUCTIONS) or inner.domain or inner.captures:
                return None
            differ.update(inner.outputs)
    # What is the same for all turns would have to be repeated.
    if any(name not in differ for name in results[len(states) :]):
        return None
    run(Body((), body.initializers, frozenset(body.initializers)))
    differ = set(scanned)
    for inner in body.nodes:
        if differ.isdisjoint(inner.inputs):
            run(Body((inner,), results=frozenset(filter(None, inner.outputs))))
            continue
        protos = _rewritten(expander, node, inner, differ, look)
        if protos is None:
            return None
        nodes = [replace(made, opset=inner.opset) for made in expander.nodes(node, protos, inner.opset)]
        run(Body(tuple(nodes), results=frozenset(filter(None, inner.outputs))))
        differ.update(inner.outputs)
        if any(name and look(name) is None for name in inner.outputs):
            return None
    return results


def _rewritten(expander: Expander, node: Node, inner: Node, differ: set[str], look: Look) -> list[NodeProto] | None:
    """A node of the body for all turns at once; None where its axes are not known."""

    def rank(name: str) -> int:
        tensor = look(name)
        return len(shape_of(tensor)) - (name in differ) if tensor is not None else 0

    proto = NodeProto()
    proto.CopyFrom(inner.proto)
    if inner.op_type in _REDUCTIONS:
        return _reduction(expander, node, inner, proto, differ, look, rank(inner.inputs[0]))
    protos: list[NodeProto] = []
    most = max(rank(name) for name in inner.inputs if name)
    for index, name in enumerate(inner.inputs):
        missing = most - rank(name) if name in differ else 0
        if missing:
            wide = expander.name(node, "wide")
            axes = list(range(1, 1 + missing))
            if inner.opset >= 13:
                constant = expander.name(node, "axes")
                value = numpy_helper.from_array(np.array(axes, np.int64))
                protos.append(helper.make_node("Constant", [], [constant], value=value))
                protos.append(helper.make_node("Unsqueeze", [name, constant], [wide]))
            else:
                protos.append(helper.make_node("Unsqueeze", [name], [wide], axes=axes))
            proto.input[index] = wide
    return [*protos, proto]


def _reduction(
    expander: Expander, node: Node, inner: Node, proto: NodeProto, differ: set[str], look: Look, rank: int
) -> list[NodeProto] | None:
    operand = inner.inputs[0]
    axes: list[int] | None = None
    if "axes" in inner.attributes:
        axes = list(inner.attributes["axes"].ints)
    elif len(inner.inputs) > 1 and inner.inputs[1]:
        known = look(inner.inputs[1])
        if inner.inputs[1] in differ or not isinstance(known, np.ndarray) or known.dtype == object:
            return None
        axes = [int(axis) for axis in known.reshape(-1)]
    if not axes:
        if "noop_with_empty_axes" in inner.attributes and inner.attributes["noop_with_empty_axes"].i:
            return None
        axes = list(range(rank))
    moved = [axis + 1 if axis >= 0 else axis for axis in axes]
    kept = [attribute for attribute in proto.attribute if attribute.name != "axes"]
    del proto.attribute[:]
    proto.attribute.extend(kept)
    if inner.opset < _AXES_ARE_OPERANDS.get(inner.op_type, _AXES_ARE_OPERANDS_SINCE):
        proto.attribute.append(helper.make_attribute("axes", moved))
        return [proto]
    constant = expander.name(node, "axes")
    value = numpy_helper.from_array(np.array(moved, np.int64))
    proto.input[:] = [operand, constant]
    return [helper.make_node("Constant", [], [constant], value=value), proto]
