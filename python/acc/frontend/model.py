"""The graph of an ONNX model, made regular: every node named, in execution order.

ONNX stores a graph as lists of messages that refer to each other by name and guarantees little about
them. This module turns them into plain data and refuses what has no meaning: values that nothing
produces, values that two nodes produce, cycles.
"""

from __future__ import annotations

import heapq
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import onnx
from onnx import AttributeProto, TensorProto

from acc.errors import ModelError, ModelWarning
from acc.frontend.problems import Problems
from acc.frontend.renewal import renewed

MIN_OPSET = 1


@dataclass(frozen=True)
class Node:
    """One ONNX node. Absent optional inputs and outputs are empty names.

    Attributes:
        opset: version of the operator set of its domain.
        captures: what graphs in its attributes read from outside of them.
        inside: the node whose expansion it belongs to, for messages; empty for nodes of the model itself.
        depth: how many expansions it is in.
    """

    name: str
    op_type: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, AttributeProto]
    proto: onnx.NodeProto
    opset: int
    captures: tuple[str, ...] = ()
    inside: str = ""
    depth: int = 0

    def __str__(self) -> str:
        if self.inside:
            return f"{self.inside}, in its expansion {self.op_type}"
        return f"node '{self.name}' ({self.op_type})"


@dataclass(frozen=True)
class Graph:
    """A regular graph.

    Attributes:
        opset: version of the default operator set.
        inputs: what the user feeds; initializers are not among them.
        outputs: names, in order.
        initializers: stored tensors by name.
        nodes: those that an output depends on, producers before consumers.
        used: names of the values that a node or an output reads.
        opsets: versions of all operator sets, by domain.
        functions: those of the model, by domain, name and overload.
    """

    opset: int
    inputs: tuple[onnx.ValueInfoProto, ...]
    outputs: tuple[str, ...]
    initializers: dict[str, TensorProto]
    nodes: tuple[Node, ...]
    used: frozenset[str]
    opsets: dict[str, int] = field(default_factory=dict)
    functions: dict[tuple[str, str, str], onnx.FunctionProto] = field(default_factory=dict)


def read_graph(model: onnx.ModelProto, problems: Problems) -> Graph:
    """The graph of `model`; structural problems are raised, all at once, as a ModelError."""
    _check_text(model, problems.source)
    functions = _read_functions(model, problems)
    opset = _read_opset(model, problems)
    graph = model.graph
    initializers: dict[str, TensorProto] = {}
    for tensor in graph.initializer:
        if not tensor.name:
            problems.add("an initializer", "has no name")
        elif tensor.name in initializers:
            problems.add(f"initializer '{tensor.name}'", "is defined twice")
        initializers[tensor.name] = tensor
    for sparse in graph.sparse_initializer:
        problems.add(f"initializer '{sparse.values.name}'", "sparse tensors are not supported")

    inputs = _fed(graph)
    seen: set[str] = set()
    for value in inputs:
        if not value.name:
            problems.add("an input", "has no name")
        elif value.name in seen:
            problems.add(f"input '{value.name}'", "is declared twice")
        seen.add(value.name)
    outputs = tuple(value.name for value in graph.output)
    if not outputs:
        problems.add("the graph", "has no outputs")
    outputs = _without_texts(graph, outputs, problems.source)

    opsets = {_domain(entry.domain): entry.version for entry in model.opset_import} | {"": opset}
    nodes = read_nodes(graph.node, opsets)
    order = sort_nodes(nodes, seen | set(initializers), outputs, problems)
    problems.raise_if_any()
    order = needed_nodes(order, outputs)
    used = frozenset(name for node in order for name in (*node.inputs, *node.captures) if name) | frozenset(outputs)
    return Graph(opset, inputs, outputs, initializers, tuple(order), used, opsets, functions)


def _fed(graph: onnx.GraphProto) -> tuple[onnx.ValueInfoProto, ...]:
    """The inputs that users feed: those with an initializer have a value already."""
    stored = {tensor.name for tensor in graph.initializer}
    return tuple(value for value in graph.input if value.name not in stored)


def input_names(model: onnx.ModelProto) -> tuple[str, ...]:
    """The names of the inputs that users feed, in order; nothing is checked."""
    return tuple(value.name for value in _fed(model.graph))


def _without_texts(graph: onnx.GraphProto, outputs: tuple[str, ...], source: str) -> tuple[str, ...]:
    """The outputs that acc can have: classifiers give labels, which may be texts, beside scores."""
    texts = {value.name for value in graph.output if value.type.tensor_type.elem_type == TensorProto.STRING}
    kept = tuple(name for name in outputs if name not in texts)
    if not kept:
        return outputs
    for name in outputs:
        if name in texts:
            _warn(f"{source}: output '{name}' is left out, as its elements are texts")
    for node in graph.node:
        if node.op_type == "ZipMap" and node.output[0] in kept:
            what = "a matrix with a column for each label, in their order, instead of a map for every row"
            _warn(f"{source}: output '{node.output[0]}' is {what}")
    return kept


def _warn(message: str) -> None:
    warnings.warn(message, ModelWarning, stacklevel=2)


def needed_nodes(order: Sequence[Node], outputs: Iterable[str]) -> list[Node]:
    """Those of `order`, producers before consumers, that outputs depend on. Exporters leave others behind."""
    wanted, needed = set(outputs), []
    for node in reversed(order):
        if not wanted.isdisjoint(filter(None, node.outputs)):
            wanted.update(node.inputs, node.captures)
            needed.append(node)
    return needed[::-1]


def _check_text(model: onnx.ModelProto, source: str) -> None:
    """Refuses names that are not UTF-8, which protobuf hands out as bytes."""
    graph = model.graph
    texts: list[object] = [entry.domain for entry in model.opset_import]
    texts += _node_texts(graph.node)
    for function in model.functions:
        texts += [function.name, function.domain, *function.input, *function.output, *function.attribute]
        texts += [entry.domain for entry in function.opset_import] + _node_texts(function.node)
        texts += [attribute.name for attribute in function.attribute_proto]
    for tensor in graph.initializer:
        texts += [tensor.name, *(text for entry in tensor.external_data for text in (entry.key, entry.value))]
    texts += [sparse.values.name for sparse in graph.sparse_initializer]
    for value in (*graph.input, *graph.output):
        texts += [value.name, *(dim.dim_param for dim in value.type.tensor_type.shape.dim)]
    wrong: object = next((text for text in texts if not isinstance(text, str)), None)
    if wrong is not None:
        raise ModelError(f"{source}: the name {wrong!r} is not UTF-8 text")


def _node_texts(nodes: Iterable[onnx.NodeProto]) -> list[object]:
    """The names in nodes, and in the graphs of their attributes."""
    texts: list[object] = []
    for node in nodes:
        texts += [node.name, node.op_type, node.domain, node.overload, *node.input, *node.output]
        for attribute in node.attribute:
            texts += [attribute.name, attribute.ref_attr_name]
            for graph in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                texts += [value.name for value in (*graph.input, *graph.output)]
                texts += [tensor.name for tensor in graph.initializer] + _node_texts(graph.node)
    return texts


def _read_functions(model: onnx.ModelProto, problems: Problems) -> dict[tuple[str, str, str], onnx.FunctionProto]:
    functions: dict[tuple[str, str, str], onnx.FunctionProto] = {}
    for function in model.functions:
        key = (_domain(function.domain), function.name, function.overload)
        if key in functions:
            problems.add(f"function '{function.name}'", "is defined twice")
        functions[key] = function
    return functions


def _domain(name: str) -> str:
    """The default domain has two names."""
    return "" if name == "ai.onnx" else name


def _read_opset(model: onnx.ModelProto, problems: Problems) -> int:
    newest = onnx.defs.onnx_opset_version()
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if not versions and all(_domain(node.domain) for node in model.graph.node):
        return newest
    if len(set(versions)) != 1:
        what = "declares no version" if not versions else "declares several versions"
        problems.add("the model", f"{what} of the default operator set")
        return newest
    if not MIN_OPSET <= versions[0] <= newest:
        problems.add(
            "the model",
            f"uses operator set {versions[0]}, supported are {MIN_OPSET} to {newest}; "
            "convert it with onnx.version_converter",
        )
    return versions[0]


# ONNX Runtime has these in the default domain since operator set 1, and its optimizers write them into any model;
# with the operator set in which they came into the standard.
_WRITTEN_EARLIER = {"LayerNormalization": 17}


def read_nodes(protos: Iterable[onnx.NodeProto], opsets: Mapping[str, int]) -> list[Node]:
    """The nodes with a name each, in the order of the file; `opsets` are versions by domain."""
    nodes = []
    given: set[str] = {proto.name for proto in protos}
    taken: set[str] = set()
    repeated: Counter[str] = Counter()
    for index, proto in enumerate(protos):
        name = base = proto.name or f"{proto.op_type}_{index}"
        # A name stands for one node in reports; later nodes of the same name give way.
        while name in taken or (name in given and name != proto.name):
            repeated[base] += 1
            name = f"{base}_{repeated[base] + 1}"
        taken.add(name)
        domain = _domain(proto.domain)
        opset = opsets.get(domain, 0)
        if not domain:
            proto, opset = renewed(proto, max(opset, _WRITTEN_EARLIER.get(proto.op_type, 0)))
        nodes.append(
            Node(
                name,
                proto.op_type,
                domain,
                tuple(proto.input),
                tuple(proto.output),
                {attribute.name: attribute for attribute in proto.attribute},
                proto,
                opset,
                tuple(sorted(_captures(proto))),
            )
        )
    return nodes


def _captures(proto: onnx.NodeProto) -> set[str]:
    """What the graphs in the attributes of a node read and do not define."""
    names: set[str] = set()
    for attribute in proto.attribute:
        for graph in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
            defined = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
            defined |= {tensor.values.name for tensor in graph.sparse_initializer}
            defined |= {name for node in graph.node for name in node.output}
            read = {value.name for value in graph.output}
            for node in graph.node:
                read |= set(node.input) | _captures(node)
            names |= read - defined - {""}
    return names


def sort_nodes(nodes: list[Node], given: set[str], outputs: tuple[str, ...], problems: Problems) -> list[Node]:
    """Producers first, otherwise in the order of the file."""
    producer: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in node.outputs:
            if not name:
                continue
            if name in producer or name in given:
                problems.add(str(node), f"produces '{name}', which is already defined")
            producer[name] = index

    for name in outputs:
        if name not in producer and name not in given:
            problems.add("the graph's outputs", f"read '{name}', which nothing produces")
    consumers: dict[int, set[int]] = {}
    waiting = [0] * len(nodes)
    for index, node in enumerate(nodes):
        for name in {*node.inputs, *node.captures} - {""} - given:
            if name not in producer:
                problems.add(str(node), f"reads '{name}', which nothing produces")
            elif index not in consumers.setdefault(producer[name], set()):
                consumers[producer[name]].add(index)
                waiting[index] += 1

    ready = [index for index, count in enumerate(waiting) if count == 0]
    order: list[Node] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(nodes[index])
        for reader in consumers.get(index, ()):
            waiting[reader] -= 1
            if waiting[reader] == 0:
                heapq.heappush(ready, reader)
    for index, count in enumerate(waiting):
        if count > 0:
            problems.add(str(nodes[index]), "is part of a cycle, or depends on one")
    return order
