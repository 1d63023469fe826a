"""Nodes that stand for other nodes: calls of functions, and an If whose condition is known.

The functions are the model's own, those by which the ONNX standard defines some of its operators, and those by which
acc defines operators of other domains (`acc.frontend.defined`). The importer expands one when it comes to it, knowing
the types of its operands, and imports the body in its place.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from onnx import AttributeProto, FunctionProto, GraphProto, NodeProto, TensorProto, TypeProto, defs, helper

from acc.errors import ModelError
from acc.frontend.defined import definition_of
from acc.frontend.definitions import Operand
from acc.frontend.model import MIN_OPSET, Graph, Node, needed_nodes, read_nodes, sort_nodes
from acc.frontend.problems import Problems, Unsupported
from acc.wording import is_plain

# Far above what models have; functions that call each other could otherwise stand for any number of nodes.
MAX_NODES = 1 << 16
MAX_DEPTH = 100


@dataclass(frozen=True)
class Body:
    """What a node stands for, under names that no other node has.

    Attributes:
        nodes: in execution order; the last of them produce the outputs of the node.
        initializers: constants that the nodes read, by name.
        results: names that nodes elsewhere read.
    """

    nodes: tuple[Node, ...]
    initializers: dict[str, TensorProto] = field(default_factory=dict)
    results: frozenset[str] = frozenset()

    @property
    def used(self) -> frozenset[str]:
        """All that is read."""
        names = {name for node in self.nodes for name in (*node.inputs, *node.captures) if name}
        return self.results | names


class Expander:
    """Expands the nodes of one graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._count = 0
        self._copies: collections.Counter[str] = collections.Counter()
        self._taken = {*(value.name for value in graph.inputs), *graph.initializers, *graph.used}
        self._taken.update(name for node in graph.nodes for name in node.outputs)

    @property
    def opset(self) -> int:
        """The operator set of the nodes that `nodes` makes."""
        return self._graph.opset

    def is_local(self, node: Node) -> bool:
        """Whether the model itself defines the operator."""
        return _key(node.proto) in self._graph.functions

    def is_function(self, node: Node) -> bool:
        """Whether anything defines the operator by others."""
        return self.is_local(node) or definition_of(node) is not None or _schema(node) is not None

    def function(self, node: Node, types: Sequence[TypeProto], known: Sequence[Operand]) -> Body | None:
        """The body of the function that `node` calls; None if there is none.

        types: those of its operands. known: the elements of those operands that are constants.

        Raises Unsupported if the function is malformed.
        """
        local = self._graph.functions.get(_key(node.proto))
        if local is not None:
            return self._inline(node, local, f"{node.name}/", _bind(node, local))
        definition = definition_of(node)
        if definition is not None:
            return self._anonymous(node, definition.function(node, types, known), {})
        schema = _schema(node)
        if schema is None:
            return None
        function = _standard_body(node, schema, types)
        if function is None:
            return None
        binding = _bind(node, function)
        for name, attribute in schema.attributes.items():
            if name not in binding and attribute.default_value.name:
                binding[name] = attribute.default_value
        return self._anonymous(node, function, binding)

    def _anonymous(self, node: Node, function: FunctionProto, binding: Mapping[str, AttributeProto]) -> Body:
        """The body of a function whose nodes have names that nobody knows: what matters is the node they came from."""
        body = self._inline(node, function, "", binding)
        return replace(body, nodes=tuple(replace(inner, name=node.name) for inner in body.nodes))

    def branch(self, node: Node, condition: bool) -> Body:
        """The branch of an If. Raises Unsupported if it is malformed."""
        graph = self.graph_of(node, "then_branch" if condition else "else_branch")
        if graph.input:
            raise Unsupported("has a branch with inputs")
        body, results = self.instance(node, graph, [])
        return replace(body, nodes=(*body.nodes, *self.results(node, results)))

    def graph_of(self, node: Node, name: str) -> GraphProto:
        """An attribute that is a graph."""
        attribute = node.attributes.get(name)
        if attribute is None or attribute.type != AttributeProto.GRAPH:
            raise Unsupported(f"has no {name}")
        if attribute.g.sparse_initializer:
            raise Unsupported("has a body with sparse tensors, which is not supported")
        return attribute.g

    def instance(self, node: Node, graph: GraphProto, inputs: Sequence[str]) -> tuple[Body, list[str]]:
        """A copy of a graph of `node` on `inputs`, and what its outputs are called in it."""
        given = [value.name for value in graph.input]
        if len(given) != len(inputs):
            raise Unsupported(f"has a body with {len(given)} inputs instead of {len(inputs)}")
        stored = [tensor.name for tensor in graph.initializer]
        defined = [*stored, *(name for inner in graph.node for name in inner.output if name)]
        if len({*given, *stored}) != len(given) + len(stored) or any(name in given for name in ("", *defined)):
            raise Unsupported("has a body that defines a name twice")
        names = dict(zip(given, inputs, strict=True)) | self._rename(node, defined)
        opsets = {**self._graph.opsets, "": node.opset}
        nodes = self._rewrite(node, graph.node, names, {}, opsets, f"{node.name}/")
        own = {names[name] for name in defined}
        outer = {name for inner in nodes for name in (*inner.inputs, *inner.captures) if name} - own
        order = self._sort(node, nodes, outer | {names[name] for name in stored})
        results = [names.get(value.name, value.name) for value in graph.output]
        order = needed_nodes(order, results)
        initializers = {names[tensor.name]: tensor for tensor in graph.initializer}
        return Body(tuple(order), initializers, frozenset(filter(None, results))), results

    def nodes(self, node: Node, protos: Iterable[NodeProto], opset: int | None = None) -> list[Node]:
        """Nodes that belong to the expansion of `node`, by default of the operator set of the model."""
        inner = read_nodes(protos, {"": self._graph.opset if opset is None else opset})
        return [
            replace(entry, name=node.name, inside=node.inside or str(node), depth=node.depth + 1) for entry in inner
        ]

    def name(self, node: Node, wanted: str) -> str:
        """A name that nothing has."""
        return self._rename(node, [wanted])[wanted]

    def _inline(self, node: Node, function: FunctionProto, prefix: str, binding: Mapping[str, AttributeProto]) -> Body:
        if len(node.inputs) > len(function.input) or len(node.outputs) > len(function.output):
            raise Unsupported(
                f"has {len(node.inputs)} inputs and {len(node.outputs)} outputs, but its function has "
                f"{len(function.input)} and {len(function.output)}"
            )
        given = (*node.inputs, *[""] * (len(function.input) - len(node.inputs)))
        names = dict(zip(function.input, given, strict=True))
        produced = [name for inner in function.node for name in inner.output if name]
        if len(names) != len(function.input) or any(name in names for name in ("", *produced)):
            raise Unsupported("calls a function that defines a name twice")
        names |= self._rename(node, produced)
        # A body may leave out what the call does not ask for.
        wanted = zip(function.output, node.outputs, strict=False)
        missing = [name for name, given in wanted if given and name not in names]
        if missing:
            raise Unsupported(f"calls a function whose output '{missing[0]}' nothing produces")
        opsets = {entry.domain if entry.domain != "ai.onnx" else "": entry.version for entry in function.opset_import}
        opsets.setdefault("", self._graph.opset)
        newest = defs.onnx_opset_version()
        if not MIN_OPSET <= opsets[""] <= newest:
            raise Unsupported(f"calls a function of operator set {opsets['']}, supported are {MIN_OPSET} to {newest}")
        nodes = self._rewrite(node, function.node, names, binding, opsets, prefix)
        order = self._sort(node, nodes, {name for name in given if name})
        results = [names.get(name, "") for name in function.output[: len(node.outputs)]]
        order = needed_nodes(order, (name for name, wanted in zip(results, node.outputs, strict=True) if wanted))
        return Body((*order, *self.results(node, results)))

    def _rename(self, node: Node, names: Sequence[str]) -> dict[str, str]:
        """What `names` of a body are to be called, so that they are not those of anything else.

        Raises Unsupported where functions call themselves.
        """
        if node.depth >= MAX_DEPTH:
            raise Unsupported(f"is a function in a function, {MAX_DEPTH} deep: does it call itself?")
        scope, count = f"{node.name}/", self._copies[node.name]
        while True:
            count += 1
            renamed = {name: f"{scope}{count}/{name}" if count > 1 else f"{scope}{name}" for name in names}
            if self._taken.isdisjoint(renamed.values()):
                break
        self._copies[node.name] = count
        self._taken.update(renamed.values())
        return renamed

    def _rewrite(
        self,
        node: Node,
        protos: Iterable[NodeProto],
        names: Mapping[str, str],
        binding: Mapping[str, AttributeProto],
        opsets: Mapping[str, int],
        prefix: str,
    ) -> list[Node]:
        protos = [_substitute(proto, names, binding) for proto in protos]
        self._count += len(protos)
        if self._count > MAX_NODES:
            raise Unsupported(f"the model's functions stand for more than {MAX_NODES} nodes")
        inside = node.inside or str(node)
        return [
            replace(inner, name=prefix + inner.name, inside=inside, depth=node.depth + 1)
            for inner in read_nodes(protos, opsets)
        ]

    def _sort(self, node: Node, nodes: list[Node], given: set[str]) -> list[Node]:
        problems = Problems("its body")
        order = sort_nodes(nodes, given, (), problems)
        try:
            problems.raise_if_any()
        except ModelError as error:
            raise Unsupported(str(error)) from error
        return order

    def results(self, node: Node, results: Sequence[str]) -> list[Node]:
        """Nodes that hand results of the body on under the names of the node's outputs."""
        if len(results) < len(node.outputs):
            raise Unsupported(f"has {len(node.outputs)} outputs, but its body has {len(results)}")
        pairs = [(inner, outer) for inner, outer in zip(results, node.outputs, strict=False) if outer]
        missing = [outer for inner, outer in pairs if not inner]
        if missing:
            raise Unsupported(f"its body hands on an operand for '{missing[0]}' that it is not given")
        return self.nodes(node, [helper.make_node("Identity", [inner], [outer]) for inner, outer in pairs])


def _key(proto: NodeProto) -> tuple[str, str, str]:
    return (proto.domain if proto.domain != "ai.onnx" else "", proto.op_type, proto.overload)


def _schema(node: Node) -> Any:
    """The standard's definition of an operator that is a function, or None; onnx's types leave most of it out."""
    try:
        schema: Any = defs.get_schema(node.op_type, node.opset, node.domain)
    except defs.SchemaError:
        return None
    return schema if schema.has_function or schema.has_context_dependent_function else None


def _standard_body(node: Node, schema: Any, types: Sequence[TypeProto]) -> FunctionProto | None:
    try:
        if schema.has_function:
            data = schema.get_function_with_opset_version(_latest(schema.function_opset_versions, node.opset))
        else:
            data = schema.get_context_dependent_function_with_opset_version(
                _latest(schema.context_dependent_function_opset_versions, node.opset),
                node.proto.SerializeToString(),
                [type.SerializeToString() for type in types],
            )
    except Exception as error:
        said = str(error).strip().split("\n")[0]
        reason = f": {said}" if is_plain(said) and "Assertion" not in said else ""
        raise Unsupported(f"its definition by other operators fails{reason}") from error
    function = FunctionProto()
    function.ParseFromString(data)
    return function if function.node else None


def _latest(versions: Sequence[int], opset: int) -> int:
    """The last of the versions of a definition that an operator set has; the operator set if it has none."""
    return max((version for version in versions if version <= opset), default=opset)


def _bind(node: Node, function: FunctionProto) -> dict[str, AttributeProto]:
    """The attributes that the body may refer to, by name."""
    return {**{attribute.name: attribute for attribute in function.attribute_proto}, **node.attributes}


def _substitute(proto: NodeProto, names: Mapping[str, str], binding: Mapping[str, AttributeProto]) -> NodeProto:
    """The node under other names, with attributes in place of references to those of the call."""
    result = NodeProto()
    result.CopyFrom(proto)
    for values in (result.input, result.output):
        renamed = [names.get(name, name) for name in values]
        del values[:]
        values.extend(renamed)
    del result.attribute[:]
    for attribute in proto.attribute:
        if attribute.ref_attr_name:
            # What the call leaves out, and that has no default, is left out in the body.
            if attribute.ref_attr_name in binding:
                result.attribute.add().CopyFrom(binding[attribute.ref_attr_name])
                result.attribute[-1].name = attribute.name
            continue
        added = result.attribute.add()
        added.CopyFrom(attribute)
        for graph in (added.g, *added.graphs) if attribute.HasField("g") else added.graphs:
            _substitute_graph(graph, names, binding)
    return result


def _substitute_graph(graph: GraphProto, names: Mapping[str, str], binding: Mapping[str, AttributeProto]) -> None:
    """Renames what a nested graph reads from outside; its own names stay, unless they would hide that."""
    own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    own |= {name for node in graph.node for name in node.output}
    outer = {name: renamed for name, renamed in names.items() if name not in own}
    taken = own | set(outer.values())
    for name in sorted(own.intersection(outer.values())):
        renamed = f"{name}/own"
        while renamed in taken:
            renamed += "'"
        taken.add(renamed)
        outer[name] = renamed
    nodes = [_substitute(node, outer, binding) for node in graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    for value in (*graph.input, *graph.initializer, *graph.output):
        value.name = outer.get(value.name, value.name)
