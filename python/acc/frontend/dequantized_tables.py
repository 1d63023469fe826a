"""Tables of constant integers that are dequantized and then gathered from, as of embeddings of quantized models.

Taken by its word, such a model dequantizes all of a table in every run, to look a few rows up. Both nodes become one,
which gathers integers and dequantizes what it has gathered; of four bits and less, several share a byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from onnx import AttributeProto, TensorProto, helper

from acc.dtypes import BY_ONNX
from acc.frontend.model import Graph, Node

__all__ = ["GatheredTable", "gather_integers"]


@dataclass(frozen=True)
class GatheredTable(Node):
    """A node that stands for both; `acc.frontend.block_operators.GATHER_DEQUANTIZED` is its meaning."""


def gather_integers(graph: Graph) -> Graph:
    """The graph with gathers of integers for what gathers from constants that nothing else wants dequantized."""
    if any(not domain and name in ("DequantizeLinear", "Gather") for domain, name, _ in graph.functions):
        # The model says itself what these are.
        return graph
    reads = Counter(name for node in graph.nodes for name in (*node.inputs, *node.captures))
    reads.update(graph.outputs)
    gathers: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if _is(node, "Gather") and len(node.inputs) == 2:
            gathers.setdefault(node.inputs[0], []).append(node)
    constants = graph.initializers | {
        node.outputs[0]: node.attributes["value"].t
        for node in graph.nodes
        if _is(node, "Constant") and "value" in node.attributes
    }
    joined: dict[int, Node | None] = {}
    for node in graph.nodes:
        if not _is(node, "DequantizeLinear") or len(node.outputs) != 1:
            continue
        readers = gathers.get(node.outputs[0], [])
        if not readers or reads[node.outputs[0]] != len(readers):
            continue
        found = [_join(node, reader, constants) for reader in readers]
        if all(found):
            joined |= {id(node): None} | {id(reader): new for reader, new in zip(readers, found, strict=True)}
    nodes = (joined.get(id(node), node) for node in graph.nodes)
    return replace(graph, nodes=tuple(node for node in nodes if node is not None))


def _is(node: Node, op_type: str) -> bool:
    return not node.domain and node.op_type == op_type


def _join(dequantize: Node, gather: Node, constants: Mapping[str, TensorProto]) -> Node | None:
    """A gather of integers; None for tables that it cannot have. What is wrong with these is said of the nodes."""
    given = [constants.get(name) for name in dequantize.inputs if name]
    known = gather.attributes.keys() <= {"axis"} and dequantize.attributes.keys() <= {"axis", "block_size"}
    attributes = (*gather.attributes.values(), *dequantize.attributes.values())
    if not known or any(attribute.type != AttributeProto.INT for attribute in attributes):
        return None
    if None in given or not 2 <= len(given) <= 3:
        return None
    table, scale, *zero = (tensor for tensor in given if tensor is not None)
    element, real = BY_ONNX.get(table.data_type), BY_ONNX.get(scale.data_type)
    if element is None or element.kind not in ("int", "uint") or element.bits > 8:
        return None
    if real is None or real.kind != "float" or not real.computes:
        return None
    if any(tensor.data_type != table.data_type or tensor.dims != scale.dims for tensor in zero):
        return None
    shape, scales = list(table.dims), list(scale.dims)
    along, axis = _integer(gather, "axis", 0), _integer(dequantize, "axis", 1)
    block = _integer(dequantize, "block_size", 0)
    rank = len(shape)
    if rank < 2 or 0 in shape or not -rank <= along < rank:
        return None
    along %= rank
    if scales in ([], [1]) and not block:
        axis = 0
    elif not -rank <= axis < rank or block < 0 or dequantize.opset < 13:
        return None
    axis %= rank
    if block:
        expected = [*shape[:axis], -(-shape[axis] // block), *shape[axis + 1 :]]
        if axis == along or scales != expected:
            return None
    elif scales not in ([], [1], [shape[axis]]):
        return None
    axes = {"gather_axis": along, "quantize_axis": axis, "block_size": block}
    both = replace(
        gather,
        op_type="DequantizeLinear and Gather",
        inputs=(dequantize.inputs[0], gather.inputs[1], *dequantize.inputs[1:]),
        attributes={name: helper.make_attribute(name, value) for name, value in axes.items()},
    )
    return GatheredTable(**{field.name: getattr(both, field.name) for field in fields(Node)})


def _integer(node: Node, name: str, default: int) -> int:
    return int(node.attributes[name].i) if name in node.attributes else default
