"""The graph of an ONNX model, made regular: every node named, in execution order.

ONNX stores a graph as lists of messages that refer to each other by name and guarantees little about
them. This module turns them into plain data and refuses what has no meaning: values that nothing
produces, values that two nodes produce, cycles.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import onnx
from onnx import AttributeProto, TensorProto, inliner, version_converter

from acc.errors import ModelError
from acc.frontend.problems import Problems

MIN_OPSET = 6

# Older models are brought to this operator set, from which on broadcasting is numpy's and tensors say their shape.
_CONVERTED_OPSET = 9


@dataclass(frozen=True)
class Node:
    """One ONNX node. Absent optional inputs and outputs are empty names."""

    name: str
    op_type: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, AttributeProto]
    proto: onnx.NodeProto

    def __str__(self) -> str:
        return f"node '{self.name}' ({self.op_type})"


@dataclass(frozen=True)
class Graph:
    """A regular graph.

    Attributes:
        opset: version of the default operator set.
        inputs: what the user feeds; initializers are not among them.
        outputs: names, in order.
        initializers: stored tensors by name.
        nodes: all of them, producers before consumers.
        used: names of the values that a node or an output reads.
    """

    opset: int
    inputs: tuple[onnx.ValueInfoProto, ...]
    outputs: tuple[str, ...]
    initializers: dict[str, TensorProto]
    nodes: tuple[Node, ...]
    used: frozenset[str]


def read_graph(model: onnx.ModelProto, problems: Problems) -> Graph:
    """The graph of `model`; structural problems are raised, all at once, as a ModelError."""
    _check_text(model, problems.source)
    model = _inline_functions(model, problems.source)
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

    inputs = tuple(value for value in graph.input if value.name not in initializers)
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

    nodes = _read_nodes(graph.node)
    order = _sort(nodes, seen | set(initializers), outputs, problems)
    problems.raise_if_any()
    if opset < _CONVERTED_OPSET:
        return read_graph(_convert(model, problems.source), problems)
    used = frozenset(name for node in order for name in node.inputs if name) | frozenset(outputs)
    return Graph(opset, inputs, outputs, initializers, tuple(order), used)


def _check_text(model: onnx.ModelProto, source: str) -> None:
    """Refuses names that are not UTF-8, which protobuf hands out as bytes."""
    graph = model.graph
    texts: list[object] = [entry.domain for entry in model.opset_import]
    for node in graph.node:
        texts += [node.name, node.op_type, node.domain, *node.input, *node.output]
        texts += [text for attribute in node.attribute for text in (attribute.name, attribute.ref_attr_name)]
    for tensor in graph.initializer:
        texts += [tensor.name, *(text for entry in tensor.external_data for text in (entry.key, entry.value))]
    texts += [sparse.values.name for sparse in graph.sparse_initializer]
    for value in (*graph.input, *graph.output):
        texts += [value.name, *(dim.dim_param for dim in value.type.tensor_type.shape.dim)]
    wrong = next((text for text in texts if not isinstance(text, str)), None)
    if wrong is not None:
        raise ModelError(f"{source}: the name {wrong!r} is not UTF-8 text")


def _inline_functions(model: onnx.ModelProto, source: str) -> onnx.ModelProto:
    if not model.functions:
        return model
    try:
        return inliner.inline_local_functions(model)
    except Exception as error:
        raise ModelError(f"{source}: its local functions cannot be inlined: {error}") from error


def _convert(model: onnx.ModelProto, source: str) -> onnx.ModelProto:
    """The model in a later operator set, under the names of its nodes and values."""
    named = onnx.ModelProto()
    named.CopyFrom(model)
    for node, entry in zip(named.graph.node, _read_nodes(model.graph.node), strict=True):
        node.name = entry.name
    try:
        return version_converter.convert_version(named, _CONVERTED_OPSET)
    except Exception as error:
        raise ModelError(
            f"{source}: cannot be converted to operator set {_CONVERTED_OPSET}: {str(error).strip()}"
        ) from error


def _read_opset(model: onnx.ModelProto, problems: Problems) -> int:
    newest = onnx.defs.onnx_opset_version()
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
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


def _read_nodes(protos: Iterable[onnx.NodeProto]) -> list[Node]:
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
        nodes.append(
            Node(
                name,
                proto.op_type,
                "" if proto.domain == "ai.onnx" else proto.domain,
                tuple(proto.input),
                tuple(proto.output),
                {attribute.name: attribute for attribute in proto.attribute},
                proto,
            )
        )
    return nodes


def _sort(nodes: list[Node], given: set[str], outputs: tuple[str, ...], problems: Problems) -> list[Node]:
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
        for name in set(node.inputs) - {""} - given:
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
