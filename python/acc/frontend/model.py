"""The graph of an ONNX model, made regular: every node named, in execution order.

ONNX stores a graph as lists of messages that refer to each other by name and guarantees little about
them. This module turns them into plain data and refuses what has no meaning: values that nothing
produces, values that two nodes produce, cycles.
"""

from __future__ import annotations

import heapq
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import onnx
from onnx import AttributeProto, TensorProto, version_converter

from acc.errors import ModelError, ModelWarning
from acc.frontend.problems import Problems
from acc.interruptible import interruptible
from acc.wording import is_plain

MIN_OPSET = 1

# Older models are brought to this operator set, from which on broadcasting is numpy's and tensors say their shape.
MIN_BODY_OPSET = 9

# Up to which size, in bytes, a model is searched for the node that cannot be converted.
_MAX_SEARCHED = 64 << 20


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
    outputs = _without_texts(graph, outputs, problems.source)

    opsets = {_domain(entry.domain): entry.version for entry in model.opset_import} | {"": opset}
    nodes = read_nodes(graph.node, opsets)
    order = sort_nodes(nodes, seen | set(initializers), outputs, problems)
    problems.raise_if_any()
    if opset < MIN_BODY_OPSET:
        return read_graph(_convert(model, problems.source), problems)
    order = needed_nodes(order, outputs)
    used = frozenset(name for node in order for name in (*node.inputs, *node.captures) if name) | frozenset(outputs)
    return Graph(opset, inputs, outputs, initializers, tuple(order), used, opsets, functions)


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


def _convert(model: onnx.ModelProto, source: str) -> onnx.ModelProto:
    """The model in a later operator set, under the names of its nodes and values."""
    scan = next((node for node in read_nodes(model.graph.node, {}) if node.op_type == "Scan"), None)
    if scan is not None:
        # It had batches then, which the converter does not know.
        raise ModelError(f"{source}: {scan}: cannot be converted to operator set {MIN_BODY_OPSET}")
    named = onnx.ModelProto()
    named.CopyFrom(model)
    for node, entry in zip(named.graph.node, read_nodes(model.graph.node, {}), strict=True):
        node.name = entry.name
    # The converter only knows initializers that are inputs too, as all were once.
    declared = {value.name for value in named.graph.input}
    named.graph.input.extend(
        onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in named.graph.initializer
        if tensor.name not in declared
    )
    try:
        converted = interruptible(lambda: version_converter.convert_version(named, MIN_BODY_OPSET))
        if _read_opset(model, Problems(source)) < 7 and any(node.op_type == "PRelu" for node in named.graph.node):
            _align_slopes(converted)
        return converted
    except Exception as error:
        node = _find_unconvertible(named)
        where = f"node '{node.name}' ({node.op_type}): " if node is not None else ""
        raise ModelError(
            f"{source}: {where}cannot be converted to operator set {MIN_BODY_OPSET}, as models of older ones must be: "
            f"{_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    """What onnx's converter says, which fails by assertions, without where in its source that is."""
    text = str(error).strip().split("\n")[0]
    text = text.rpartition("` failed: ")[2]
    if match := re.fullmatch(r"No Adapter (?:From Version \$?\d+ [Ff]or|For) (\w+)", text):
        return f"onnx has no conversion of {match.group(1)}"
    text = re.sub(r"^required undefined (attribute '\w+').*", r"it lacks the \1", text)
    return text if text and is_plain(text) and "Assertion" not in text else "onnx's converter fails at it"


def _find_unconvertible(model: onnx.ModelProto) -> onnx.NodeProto | None:
    """The first node, in the order of the file, up to which a model cannot be converted; None if that is not known."""
    if model.ByteSize() > _MAX_SEARCHED:
        return None
    part = onnx.ModelProto()
    part.CopyFrom(model)

    def converts(count: int) -> bool:
        del part.graph.node[:], part.graph.output[:]
        part.graph.node.extend(model.graph.node[:count])
        names = dict.fromkeys(name for node in part.graph.node for name in node.output if name)
        part.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
        try:
            version_converter.convert_version(part, MIN_BODY_OPSET)
            return True
        except Exception:
            return False

    good, bad = 0, len(model.graph.node)
    if bad == 0 or converts(bad):
        return None
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if converts(middle) else (good, middle)
    return model.graph.node[bad - 1]


def _align_slopes(model: onnx.ModelProto) -> None:
    """Slopes of PRelu were one for each channel before operator set 7, which the converter leaves to the last axis."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in (*graph.input, *graph.value_info, *graph.output)
        if value.type.tensor_type.HasField("shape")
    }
    ranks |= {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    nodes = []
    for node in model.graph.node:
        if node.op_type == "PRelu" and ranks.get(node.input[1]) == 1:
            if node.input[0] not in ranks:
                raise ValueError(f"node '{node.name}' (PRelu) has an operand of unknown rank")
            axes = list(range(1, ranks[node.input[0]] - 1))
            column = f"{node.name}/slope"
            if axes:
                nodes.append(onnx.helper.make_node("Unsqueeze", [node.input[1]], [column], column, axes=axes))
                node.input[1] = column
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


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
        nodes.append(
            Node(
                name,
                proto.op_type,
                _domain(proto.domain),
                tuple(proto.input),
                tuple(proto.output),
                {attribute.name: attribute for attribute in proto.attribute},
                proto,
                opsets.get(_domain(proto.domain), 0),
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
