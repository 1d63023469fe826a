"""Models between stages as files of IR: stopping a compilation, looking at it or editing it, and going on from there.

A file is a module in MLIR's text, with everything that a later stage wants: numbers of constants, names of ONNX nodes,
and in the attribute `acc.stage` what the compiler knows of the model beside its IR. Compiling goes on from files of
`STARTS`; what is behind these is for reading.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from acc import ir
from acc.container import TensorInfo
from acc.errors import CompileError, MLIRError
from acc.files import read_bytes, replacing
from acc.macs import Macs
from acc.partition import Placement
from acc.pipeline import Graph, Kernels, Pipeline, Reached
from acc.report import read_launches
from acc.signature import read_signature
from acc.targets.base import Decision

__all__ = ["STARTS", "STOPS", "Stage", "Start", "format_module", "parse", "read", "start", "stop_name", "write_after"]

STATE = "acc.stage"
"""The attribute of the module that says at which stage it is, and what is known of the model beside."""

STARTS = ("import", "graph", "te")
"""Stages from which compiling goes on: what the importer makes, the graph simplified, kernels placed and scheduled."""

STOPS = {
    "import": "import",
    "graph": "graph",
    "te": "kernels",
    "kernels": "accelerator kernels",
    "buffers": "buffers",
    "instructions": "instructions",
    "llvm": "llvm",
}
"""What a user calls the stages after which a compilation can stop, and what the pipeline calls them."""

ELIDED = 16
"""Constants of more elements are left out where IR is only to be read."""


@dataclasses.dataclass(frozen=True)
class Summary:
    """What is left of a schedule: its line for people."""

    text: str

    def summary(self) -> str:
        return self.text


@dataclasses.dataclass(frozen=True)
class Stage:
    """A module as a file had it: the name of its stage, and what was known of the model beside its IR."""

    name: str
    module: ir.Module
    state: Mapping[str, Any]
    source: str

    @property
    def targets(self) -> list[str]:
        """The accelerators that the module was made for, or "cpu"."""
        return [str(item["name"]) for item in self.state.get("targets", ())] or ["cpu"]


def _targets(pipeline: Pipeline) -> list[dict[str, Any]]:
    """The accelerators of a compilation, and everything that makes a difference to what is made for them."""
    return [
        {"name": item.name, "options": json.dumps(item.metadata, sort_keys=True), "ties": pipeline.options.ties}
        for item in pipeline.options.accelerators
    ]


def write_after(pipeline: Pipeline, begun: Start, stop: str, path: str | os.PathLike[str]) -> None:
    """Goes on with a compilation until the stage `stop`, one of `STOPS`, is over, and writes the IR there.

    Raises CompileError if that stage is over already, or there is none in this compilation.
    """
    order = list(STOPS)
    done = "te" if begun.kernels else "graph" if begun.graph else "import"
    if order.index(stop) < order.index(done):
        raise CompileError(f"what is compiled is past the stage '{stop}' already: it begins after '{done}'")
    if stop in ("kernels", "instructions") and not pipeline.options.accelerators:
        raise CompileError(f"there is no stage '{stop}' without an accelerator: choose one by --target")
    targets = {"targets": _targets(pipeline)}
    if stop == "import":
        return _write(path, stop, begun.module, targets)
    graph = begun.graph or pipeline.simplify(begun.module)
    if stop == "graph":
        return _write(path, stop, graph.module, targets | graph_state(graph))
    kernels = begun.kernels or pipeline.make_kernels(graph)
    if stop == "te":
        return _write(path, stop, graph.module, targets | graph_state(graph) | kernel_state(kernels))
    pipeline.options = dataclasses.replace(pipeline.options, stop=STOPS[stop])
    try:
        pipeline.lower(kernels)
    except Reached:
        return _write(path, stop, graph.module, targets)
    raise CompileError(f"the stage '{stop}' was not reached")


def stop_name(text: str, accelerators: Sequence[str] = ()) -> str:
    """The stage that a user calls `text`, one of `STOPS`: programs of an accelerator go by its name too."""
    if text in STOPS:
        return text
    if text in accelerators:
        return "instructions"
    known = [*STOPS, *accelerators]
    raise CompileError(f"there is no stage '{text}' to stop after: there are {', '.join(known)}")


def format_module(module: ir.Module, *, elide: bool = False) -> str:
    """The text of a module with the names of ONNX nodes; elide: without the numbers of large constants."""
    limit = ELIDED if elide else None
    return module.operation.get_asm(large_elements_limit=limit, large_resource_limit=limit, enable_debug_info=not elide)


def _write(path: str | os.PathLike[str], name: str, module: ir.Module, state: Mapping[str, Any]) -> None:
    """Writes a module after the stage `name`, whole or not at all; raises CompileError."""
    attributes = module.operation.attributes
    with module.context:
        attributes[STATE] = {"name": name, **state}
    try:
        text = format_module(module)
    finally:
        del attributes[STATE]
    with replacing(path, CompileError) as file:
        file.write(text.encode())


def graph_state(graph: Graph) -> dict[str, Any]:
    """What is to be known of a graph beside its module."""
    return {
        "inputs": [info.to_dict() for info in graph.inputs],
        "outputs": [info.to_dict() for info in graph.outputs],
        "tensors": [[name, kind, list(ins), list(outs)] for name, (kind, ins, outs) in graph.tensors.items()],
    }


def kernel_state(kernels: Kernels) -> dict[str, Any]:
    """What is to be known of kernels beside their module and the state of their graph."""

    def placement(item: Placement) -> dict[str, Any]:
        known = {} if item.saturates is None else {"saturates": item.saturates}
        macs = {"fixed": item.macs.fixed, "per": dict(item.macs.per), "complete": item.macs.complete}
        return {
            **{"kernel": item.kernel, "target": item.target, "layers": list(item.layers), "reason": item.reason},
            **{"macs": macs, **known},
        }

    def decision(item: Decision) -> dict[str, Any]:
        schedule = {} if item.schedule is None else {"schedule": item.schedule.summary()}
        return {"kernel": item.kernel, "layers": list(item.layers), "reason": item.reason, **schedule}

    return {
        "placements": list(map(placement, kernels.placements)),
        "decisions": list(map(decision, kernels.decisions)),
    }


def parse(path: str | os.PathLike[str]) -> ir.Module:
    """The module of a file; raises CompileError for what cannot be read."""
    try:
        # MLIR reads on behind the end of a text that ends within quotation marks and not with a line.
        return ir.Module.parse(read_bytes(path, CompileError) + b"\n", context=ir.Context())
    except MLIRError as error:
        said = error.diagnostics[0] if error.diagnostics else None
        where = f", line {said.line}, column {said.column}" if said is not None and said.line else ""
        reason = said.message if said is not None else error.message
        raise CompileError(f"'{os.fspath(path)}'{where} is not IR that acc can read: {reason}") from error


def read(path: str | os.PathLike[str]) -> Stage:
    """The module of a file; one without `acc.stage` is taken for a graph that was just imported.

    Raises CompileError for what cannot be read or is none of `STARTS`.
    """
    source = os.fspath(path)
    module = parse(path)
    attributes = module.operation.attributes
    state: dict[str, Any] = {}
    if STATE in attributes:
        value = attributes[STATE].value
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            raise CompileError(f"'{source}': the attribute {STATE} does not say which stage it is")
        state = {key: _plain(item) for key, item in value.items()}
        if not all(isinstance(item, dict) and "name" in item for item in state.get("targets", ())):
            raise CompileError(f"'{source}': the attribute {STATE} does not say which targets it is for")
        del attributes[STATE]
    name = str(state.get("name", "import"))
    if name not in STARTS:
        raise CompileError(
            f"'{source}' is IR after the stage '{name}', which is for reading: compiling goes on from "
            f"{', '.join(STARTS[:-1])} or {STARTS[-1]}"
        )
    kinds = {op.name for op in module.body}
    if name == "import" and kinds - {"func.func"}:
        raise CompileError(
            f"'{source}' has {', '.join(sorted(kinds - {'func.func'}))} beside functions, but no {STATE}: "
            "compiling goes on from files that `acc compile --to` wrote"
        )
    return Stage(name, module, state, source)


def _plain(value: Any) -> Any:
    """An attribute's value as numbers, texts, lists and dictionaries."""
    if isinstance(value, ir.Attribute):
        return _plain(value.value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


@dataclasses.dataclass(frozen=True)
class Start:
    """What a compilation has so far, one after the other: an imported module, a graph, and kernels."""

    module: ir.Module
    graph: Graph | None = None
    kernels: Kernels | None = None


def start(pipeline: Pipeline, stage: Stage) -> Start:
    """What a module that was read is; raises CompileError if it lacks anything, or is for other targets."""
    made, wanted = stage.state.get("targets"), _targets(pipeline)
    if made is not None and made != wanted:
        names = [",".join(item["name"] for item in items) or "cpu" for items in (made, wanted)]
        how = f"'{names[0]}', and not for '{names[1]}'" if names[0] != names[1] else f"'{names[0]}' with other options"
        raise CompileError(f"'{stage.source}' was made for {how}: give the --target, --config and options of then")
    try:
        if stage.name == "import":
            read_signature(stage.module)  # Says what is missing before a pass does.
            return Start(stage.module)
        graph = _graph(stage)
        return Start(stage.module, graph, _kernels(pipeline, stage, graph) if stage.name == "te" else None)
    except (KeyError, TypeError, ValueError, StopIteration, AttributeError) as error:
        reason = f": {error}" if str(error) else ""
        what = f"has no {error}" if isinstance(error, KeyError) else f"does not fit its IR{reason}"
        raise CompileError(
            f"'{stage.source}': what it says of the model {what}: "
            "a graph has a function main, whose arguments and results have names (graph.name)"
        ) from error


def _graph(stage: Stage) -> Graph:
    infos = ([TensorInfo.from_dict(item) for item in stage.state[key]] for key in ("inputs", "outputs"))
    inputs, outputs = map(tuple, infos)
    tensors = {name: (kind, tuple(ins), tuple(outs)) for name, kind, ins, outs in stage.state["tensors"]}
    return Graph(stage.module, inputs, outputs, tensors)


def _kernels(pipeline: Pipeline, stage: Stage, graph: Graph) -> Kernels:
    from acc.arena import find_largest_moment

    placements = tuple(
        Placement(
            *(item["kernel"], item["target"], tuple(item["layers"]), item["reason"]),
            Macs(item["macs"]["fixed"], item["macs"]["per"], item["macs"]["complete"]),
            item.get("saturates"),
        )
        for item in stage.state["placements"]
    )
    decisions = tuple(
        Decision(
            *(item["kernel"], tuple(item["layers"])),
            Summary(item["schedule"]) if "schedule" in item else None,
            item["reason"],
        )
        for item in stage.state["decisions"]
    )
    accelerators = pipeline.options.accelerators
    return Kernels(
        stage.module,
        placements,
        decisions,
        tuple(read_launches(stage.module)),
        {accelerator.name: accelerator.describe_kernels(graph) for accelerator in accelerators},
        find_largest_moment(stage.module) if accelerators else None,
    )
