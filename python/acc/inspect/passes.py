"""A compilation, pass by pass, with the model as it is in between, and the ways of running that.

*Plainly*: natively, by the shortest way down that there is, whatever the kernels were meant for; this works until
passes of an accelerator take kernels apart. *By the rest*: by the passes that are left, less those that only make
programs faster (`Accelerator.optional`). The two have few passes in common with what is looked at, which is the point.
*Interpreted*: by no pass at all, slowly.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from acc import ir
from acc.container import ModelContents, Program
from acc.executable import Executable
from acc.passes import graph as graph_passes
from acc.passes import te
from acc.passmanager import PassManager
from acc.pipeline import Graph, Pipeline
from acc.targets.cpu import stages

__all__ = ["PLAIN_STAGES", "Moment", "Recording", "Results", "record"]

Results = Mapping[str, np.ndarray]

PLAIN_STAGES = ("graph", "kernels", "accelerator kernels", "native kernels")
"""Stages in which a model may be run plainly."""


@dataclasses.dataclass(frozen=True)
class Step:
    """A pass of a compilation: its stage, what it is called, and what was added to a pass manager."""

    stage: str
    label: str
    passes: str | Callable[[ir.Operation], object]
    name: str | None = None

    def run(self, module: ir.Module) -> None:
        """Runs the pass; raises MLIRError."""
        manager = PassManager("builtin.module", module.context)
        manager.add(self.passes, self.name)
        manager.run(module)


@dataclasses.dataclass(frozen=True)
class Moment:
    """The model after a pass, or with None as it was imported."""

    step: Step | None
    module: ir.Module

    @property
    def label(self) -> str:
        return self.step.label if self.step is not None else "import"


class _Recorder(PassManager):
    """Runs every pass as soon as it is added, and keeps the module after it."""

    def __init__(self, module: ir.Module, stage: str, moments: list[Moment]) -> None:
        super().__init__(context=module.context)
        self._module, self._stage, self._moments = module, stage, moments

    def add(self, passes: str | Callable[[ir.Operation], object], name: str | None = None) -> None:
        label = passes.split("{")[0].rstrip() if isinstance(passes, str) else name or "python"
        if "(" in label:
            label = label.partition("(")[2].rstrip(")")
        step = Step(self._stage, label, passes, name)
        step.run(self._module)
        self._moments.append(Moment(step, self._module.clone()))


class _Recorded(Pipeline):
    """A pipeline that keeps every moment."""

    def __init__(self, other: Pipeline) -> None:
        super().__init__(other.options)
        self.moments: list[Moment] = []

    def _passes(self, name: str, module: ir.Module, build: Callable[[PassManager], None]) -> None:
        self._stage(name, lambda: build(_Recorder(module, name, self.moments)))


@dataclasses.dataclass(frozen=True)
class Recording:
    """All moments of a compilation in order, the first as it was imported, and the graph's inputs and outputs."""

    pipeline: Pipeline
    graph: Graph
    moments: Sequence[Moment]

    def is_plain(self, index: int) -> bool:
        """Whether a moment is in a stage where `run_plainly` may work; kernels that are taken apart it refuses."""
        step = self.moments[index].step
        return step is None or step.stage in PLAIN_STAGES

    def run_plainly(self, index: int, inputs: Sequence[Results], module: ir.Module | None = None) -> list[Results]:
        """The outputs for every set of inputs, natively. module: instead of the moment's own, which is consumed.

        Raises AccError where there is no such way.
        """
        step = self.moments[index].step
        module = module or self.moments[index].module.clone()
        cpu = self.pipeline.options.cpu
        _give_to_host(module)
        if not any(op.name == "te.kernel" for op in module.body):
            Pipeline(dataclasses.replace(self.pipeline.options, accelerators=(), dump=None)).make_kernels(
                dataclasses.replace(self.graph, module=module)
            )
        elif step is not None and step.stage == "kernels":
            manager = PassManager("builtin.module", module.context)
            for added in (graph_passes.to_linalg(), te.hoist_operands(), te.merge_operands()):
                manager.add(added)
            manager.run(module)
        manager = PassManager("builtin.module", module.context)
        for item in self.pipeline.options.accelerators:
            item.add_refused(manager)
        manager.add(te.hoist_operands())
        stages.make_buffers(manager, cpu)
        stages.make_llvm(manager, cpu)
        manager.run(module)
        return self._execute(module, (), inputs)

    def run_by_rest(
        self,
        index: int,
        inputs: Sequence[Results],
        *,
        module: ir.Module | None = None,
        without: Collection[str] = (),
    ) -> list[Results]:
        """The outputs by the passes behind a moment, but for those called as `without` says; raises AccError."""
        module = module or self.moments[index].module.clone()
        programs: list[Any] | None = None
        if self._is_past_programs(index):
            # The module has forgotten them by then.
            last = max(at for at in range(index) if not self._is_past_programs(at))
            programs = self._programs(self.moments[last].module.clone())
        for at in range(index + 1, len(self.moments)):
            step = self.moments[at].step
            assert step is not None
            if step.stage == "llvm" and programs is None:
                programs = self._programs(module)
            if step.label not in without:
                step.run(module)
        return self._execute(module, self._programs(module) if programs is None else programs, inputs)

    def interpret(self, index: int, inputs: Sequence[Results], kept: MutableMapping[bytes, Any]) -> list[Results]:
        """The outputs by what the operations of a moment compute, without a pass (`acc.inspect.interpreter`).

        kept: what kernels gave before, in this moment or another. Raises NotImplementedError for operations of which
        that is not known, AccError.
        """
        from acc.inspect.interpreter import Interpreter
        from acc.targets.cpu.semantics import SEMANTICS

        results = []
        for arrays in inputs:
            semantics = dict(SEMANTICS)
            for item in self.pipeline.options.accelerators:
                semantics.update(item.semantics())
            interpreter = Interpreter(self.moments[index].module, semantics, kept)
            results.append(interpreter.run(arrays, self.graph.outputs))
        return results

    def _is_past_programs(self, index: int) -> bool:
        step = self.moments[index].step
        return step is not None and step.stage == "llvm"

    @property
    def optional(self) -> frozenset[str]:
        """The passes that programs are right without."""
        return frozenset().union(*(item.optional for item in self.pipeline.options.accelerators))

    def _programs(self, module: ir.Module) -> list[Any]:
        from acc.pipeline import in_order

        return in_order(module, [item.programs(module) for item in self.pipeline.options.accelerators])

    def _execute(self, module: ir.Module, programs: Sequence[Any], inputs: Sequence[Results]) -> list[Results]:
        cpu = self.pipeline.options.cpu
        contents = ModelContents(
            image=stages.make_image(module, cpu),
            inputs=self.graph.inputs,
            outputs=self.graph.outputs,
            constants=stages.constants(module),
            programs=[Program(p.instruction_set or p.target, p.data, p.buffers) for p in programs],
            workspace_bytes=stages.workspace_bytes(module),
            alignment=cpu.alignment,
            guard_bytes=cpu.guard_bytes,
            cpu_features=cpu.all_features(),
        )
        with Executable.from_contents(contents) as executable:
            return [executable.run(arrays) for arrays in inputs]


def _give_to_host(module: ir.Module, but: Collection[str] = ()) -> None:
    """Takes kernels from accelerators, but for those of these symbols, and placements from operators."""
    host = ir.Attribute.parse("#te.host", module.context)
    for op in module.body:
        if op.name == "te.kernel" and str(op.attributes["sym_name"].value) not in but:
            op.attributes["target"] = host
            # Contractions have been formed as their schedule says, and are lowered by it.
            if "schedule" in op.attributes and not _has(op, "cpu.contract"):
                del op.attributes["schedule"]
        elif op.name == "func.func" and len(op.regions[0].blocks):
            for inner in op.regions[0].blocks[0].operations:
                if "graph.placement" in inner.attributes:
                    del inner.attributes["graph.placement"]


def _has(op: ir.Operation, name: str) -> bool:
    found: list[str] = []
    op.walk(lambda inner: found.append(inner.name) if inner.name == name else None)
    return bool(found)


def only_accelerated(module: ir.Module, *symbols: str) -> ir.Module:
    """A copy of a module in which these kernels alone are an accelerator's."""
    copy = module.clone()
    _give_to_host(copy, symbols)
    return copy


def record(pipeline: Pipeline, model: Any, shapes: Any = None, values: Any = None) -> Recording:
    """Compiles a model pass by pass; a pass that fails ends it, as what it made cannot be run.

    Raises ModelError for what cannot be imported, and whatever a stage raises.
    """
    recorded = _Recorded(pipeline)
    module = recorded.import_module(model, shapes, values)
    recorded.moments.append(Moment(None, module.clone()))
    graph = recorded.simplify(module)
    recorded.lower(recorded.make_kernels(graph))
    return Recording(recorded, graph, recorded.moments)
