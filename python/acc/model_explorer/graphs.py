"""A module of any stage as graphs of nodes: main, and one for each kernel or program that it launches.

Nodes are grouped by the ONNX node that they come from, whose slashes make groups within groups, and by the operations
whose regions they are in. Operations that only have effects, such as instructions, follow one another; where there are
too many of them to look at, those of a layer that do the same are one node.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence

from acc import ir, targets
from acc.errors import CompileError
from acc.stages import parse
from acc.targets.base import Accelerator, Target

__all__ = ["MAIN", "Edge", "Node", "View", "read_views", "views_of"]

MAIN = "(main)"
"""The id of main's view, which comes first where views are sorted by their ids."""

MOST_EFFECTS = 2000
"""Operations that only have effects, in one block, that are shown one by one."""

LONGEST = 300
"""Characters of an attribute's text that are shown."""

HIDDEN = ("operandSegmentSizes", "resultSegmentSizes", "sym_name", "function_type", "arg_attrs", "res_attrs")


@dataclasses.dataclass(frozen=True)
class Edge:
    """What a node reads: the number of an output of another node, as its operand `operand`."""

    source: str
    output: int
    operand: int


@dataclasses.dataclass
class Node:
    """An operation, or an argument of a function.

    group: the groups that it is in, outermost first, with slashes between. layers: the ONNX nodes that it comes from.
    outputs: the types of its results. opens: the ids of views that show what it launches. kernels: what reports call
    these.
    """

    id: str
    label: str
    group: str
    layers: tuple[str, ...] = ()
    attributes: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    edges: list[Edge] = dataclasses.field(default_factory=list)
    outputs: list[str] = dataclasses.field(default_factory=list)
    opens: list[str] = dataclasses.field(default_factory=list)
    kernels: tuple[str, ...] = ()


@dataclasses.dataclass
class View:
    """A graph: main, a kernel or a program."""

    id: str
    nodes: list[Node] = dataclasses.field(default_factory=list)


def read_views(path: str | os.PathLike[str]) -> list[View]:
    """What is shown of a file of IR, main first; raises CompileError for what is none."""
    views = views_of(parse(path))
    if not views:
        raise CompileError(f"'{os.fspath(path)}' has no function, kernel or program that could be shown")
    return views


def views_of(module: ir.Module) -> list[View]:
    """What is shown of a module, main first."""
    loaded = [kind for name in targets.names() if (kind := targets.load(name)) is not None]
    accelerators = [kind.from_options({}) for kind in loaded if issubclass(kind, Accelerator)]
    symbols = {str(op.attributes["sym_name"].value): op for op in module.body if "sym_name" in op.attributes}
    shown = {name: op for name, op in symbols.items() if _has_body(op) and not op.name.endswith(".intrin")}
    order = sorted(shown, key=lambda name: name != "main")
    return [_Builder(name, shown, accelerators).build(shown[name]) for name in order]


def _has_body(op: ir.Operation) -> bool:
    """Whether there is anything in it; programs are empty once they have become bytes."""
    return any(len(block.operations) for region in op.regions for block in region.blocks)


def _layers(op: ir.Operation) -> tuple[str, ...]:
    """The ONNX nodes that an operation says it comes from."""
    if "layers" in op.attributes:
        return tuple(str(name) for name in op.attributes["layers"].value)
    return tuple(dict.fromkeys(name for name in op.location.names if name))


def _text(value: object) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


class _Builder:
    """Makes one view."""

    def __init__(self, name: str, symbols: Mapping[str, ir.Operation], accelerators: Sequence[Target]) -> None:
        self._view = View(MAIN if name == "main" else name)
        self._accelerators = [item for item in accelerators if isinstance(item, Accelerator)]
        self._symbols = symbols
        self._numbers = itertools.count()
        self._sources: dict[ir.Value, tuple[str, int]] = {}

    def build(self, function: ir.Operation) -> View:
        layers = _layers(function)
        for region in function.regions:
            for index, block in enumerate(region.blocks):
                if index == 0:
                    for number, argument in enumerate(block.arguments):
                        name = _argument_name(function, number)
                        self._sources[argument] = (self._add(name, "", (), outputs=[argument.type]).id, 0)
                group = f"block {index}" if len(region.blocks) > 1 else ""
                self._add_block(block, group, () if function.name == "func.func" else layers)
        return self._view

    def _add(self, label: str, group: str, layers: tuple[str, ...], outputs: Iterable[ir.Type] = ()) -> Node:
        node = Node(str(next(self._numbers)), label, group, layers, outputs=[_text(type_) for type_ in outputs])
        self._view.nodes.append(node)
        return node

    def _add_block(self, block: ir.Block, group: str, layers: tuple[str, ...]) -> None:
        operations = list(block.operations)
        effects = [op for op in operations if _is_effect(op)]
        if len(effects) > MOST_EFFECTS:
            self._add_groups(effects, group, layers)
            operations = [op for op in operations if not _is_effect(op)]
        # Constants have no name of their own, and go with what reads them.
        previous: Node | None = None
        for op in operations:
            node = self._add_operation(op, group, layers)
            if _is_effect(op):
                if previous is not None:
                    node.edges.append(Edge(previous.id, 0, 0))
                previous = node

    def _add_groups(self, effects: Sequence[ir.Operation], group: str, layers: tuple[str, ...]) -> None:
        counts: dict[tuple[tuple[str, ...], str], int] = {}
        for op in effects:
            key = (_layers(op) or layers, op.name)
            counts[key] = counts.get(key, 0) + 1
        previous: Node | None = None
        for (own, name), count in counts.items():
            node = self._add(f"{name} x {count:,}", _join(group, _group(own)), own)
            node.attributes.append(("count", f"{count:,}"))
            if previous is not None:
                node.edges.append(Edge(previous.id, 0, 0))
            previous = node

    def _add_operation(self, op: ir.Operation, group: str, layers: tuple[str, ...]) -> Node:
        launched = [name for name in _symbols_of(op) if name in self._symbols]
        own = _layers(op) or next((_layers(self._symbols[name]) for name in launched), ()) or _layers_of_reader(op)
        inside = own or layers
        # Within a layer's kernel, all of it is that layer.
        place = _join(group, _group(own)) if own != layers else group
        label = str(op.attributes["label"].value) if "label" in op.attributes else op.name
        node = self._add(label, place, inside, outputs=[result.type for result in op.results])
        node.opens = launched
        if launched:
            named = (label,) if "label" in op.attributes else ()
            node.kernels = (*named, *(name for item in self._accelerators for name in item.launched(op)))
        node.attributes = [("operation", op.name)]
        node.attributes += [(name, _text(value)) for name, value in op.attributes.items() if name not in HIDDEN]
        if _is_effect(op):
            node.attributes.append(("text", _text(op)))
        for number, operand in enumerate(op.operands):
            if operand in self._sources:
                node.edges.append(Edge(*self._sources[operand], number))
        self._sources.update((result, (node.id, number)) for number, result in enumerate(op.results))
        within = _join(place, f"{op.name} {node.id}")
        for region in op.regions:
            for block in region.blocks:
                self._sources.update((argument, (node.id, 0)) for argument in block.arguments)
                self._add_block(block, within, inside)
        return node


def _argument_name(function: ir.Operation, number: int) -> str:
    entries = function.attributes.get("arg_attrs")
    # One by one, as the numbers of constants may have been left out of the text.
    entry = ir.DictAttr(ir.ArrayAttr(entries)[number]) if entries is not None else None
    return str(entry["graph.name"].value) if entry is not None and "graph.name" in entry else f"argument {number}"


def _is_effect(op: ir.Operation) -> bool:
    return not op.operands and not op.results and not op.regions


def _symbols_of(op: ir.Operation) -> list[str]:
    return [
        str(value.value)
        for name, value in op.attributes.items()
        if ir.FlatSymbolRefAttr.isinstance(value) and name != "sym_name"
    ]


def _layers_of_reader(op: ir.Operation) -> tuple[str, ...]:
    """The layer of the only reader of something that reads nothing itself, such as a constant."""
    if op.operands or op.regions or len(op.results) != 1 or not op.results[0].has_one_use():
        return ()
    return _layers(op.results[0].uses[0].owner)


def _group(layers: Sequence[str]) -> str:
    """The groups of what comes from these ONNX nodes: the parts of a name are groups within groups."""
    if not layers:
        return ""
    first = "/".join(part for part in layers[0].split("/") if part)
    return first if len(layers) == 1 else f"{first} + {len(layers) - 1}"


def _join(outer: str, inner: str) -> str:
    return "/".join(part for part in (outer, inner) if part)
