"""How a model becomes a program, stage by stage: flat lists of passes, with the Python policies between them.

    make_graph  ONNX -> graph dialect, simplified, quantization legalized to integer operators
    make_te     -> kernels of linalg in te.kernel, each on its target, accelerator kernels scheduled
    make_vta    -> accelerator kernels tiled, interleaved and tensorized: the structured vta dialect
    make_llvm   -> accelerator programs of instructions; native kernels and main in the LLVM dialect

A policy (partition, schedules) reads the IR and writes attributes; the passes obey them. Nothing else decides.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import onnx

from acc import backend_cpu, ir, launches
from acc.backend_cpu import CpuOptions
from acc.errors import AccError, CompileError, Fault, MLIRError
from acc.frontend import import_onnx
from acc.frontend.importer import TENSORS
from acc.frontend.specialize import Values
from acc.partition import Options as PartitionOptions
from acc.partition import Placement, partition
from acc.passmanager import PassManager
from acc.schedule import Decision, make_vta_schedules
from acc.schedule import Options as ScheduleOptions
from acc.wording import is_plain, plain

__all__ = ["Options", "Pipeline", "Stage"]

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Options:
    """What is compiled for, and how.

    target: "cpu" or "vta". config: a complete vta_config.json (see `acc.config.read_config`). dialect: what programs of
    the accelerator may use, "acc" or "public". dump: a folder for the IR after every pass, one sub-folder per stage.
    progress: called with the name of every stage before it runs.
    """

    target: str = "cpu"
    config: Mapping[str, object] = field(default_factory=dict)
    dialect: str = "acc"
    cpu: CpuOptions = field(default_factory=CpuOptions)
    partition: PartitionOptions = field(default_factory=PartitionOptions)
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    dump: Path | None = None
    progress: Callable[[str], None] | None = None


@dataclass(frozen=True)
class Stage:
    """How long a stage took, in seconds."""

    name: str
    seconds: float


_REPORT = "this is a fault of acc, please report it with the model"


def _fault(stage: str, error: MLIRError) -> Fault:
    """What a pass or a verifier said, as far as it is in words that users know; the rest is the error's cause."""
    first = next((said for said in error.diagnostics if said.severity == "error"), None)
    where = f" at '{first.name}'" if first is not None and first.name else ""
    # Operators of the graph dialect are ONNX's; what is said of others is not for users.
    inside = first is None or re.match(r"'(?!graph\.)\w+\.", first.message)
    reason = "" if inside or first is None else plain(first.message)
    return Fault(f"stage '{stage}' failed{where}: " + (f"{reason}: " if reason and is_plain(reason) else "") + _REPORT)


class Pipeline:
    """One compilation: its stages in order, what the policies decided and how long everything took."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.stages: list[Stage] = []
        self.placements: list[Placement] = []
        self.decisions: list[Decision] = []
        self.tensors: launches.Tensors = {}
        self.launches: list[launches.Launch] = []
        self.bindings: list[tuple[str, list[tuple[int | None, int]]]] = []

    def _stage(self, name: str, work: Callable[[], object]) -> None:
        if self.options.progress:
            self.options.progress(name)
        started = time.perf_counter()
        try:
            work()
        except MLIRError as error:
            raise _fault(name, error) from error
        except (AccError, OSError, MemoryError):
            raise
        except Exception as error:
            raise Fault(f"stage '{name}' failed: {type(error).__name__}: {error}: {_REPORT}") from error
        self.stages.append(Stage(name, time.perf_counter() - started))

    def _passes(self, name: str, module: ir.Module, build: Callable[[PassManager], None]) -> None:
        if self.options.dump:
            folder = self.options.dump / f"{len(self.stages):02d}-{name.replace(' ', '-')}"
            self._stage(name, lambda: build(_SteppingManager(module, folder)))
            return
        pm = PassManager("builtin.module", module.context)
        build(pm)
        self._stage(name, lambda: pm.run(module))

    def make_graph(
        self,
        model: str | os.PathLike[str] | onnx.ModelProto,
        shapes: Shapes | None = None,
        values: Values | None = None,
    ) -> ir.Module:
        """Imports and simplifies; raises ModelError for what cannot be imported."""
        imported: list[ir.Module] = []
        symbolic = self.options.target == "cpu"
        self._stage(
            "import",
            lambda: imported.append(
                import_onnx(model, shapes, values, symbolic=symbolic, cpu=self.options.cpu, record_nodes=not symbolic)
            ),
        )
        self.simplify(imported[0])
        return imported[0]

    def simplify(self, module: ir.Module) -> None:
        """Simplifies an imported graph and legalizes its quantization."""

        def passes(pm: PassManager) -> None:
            pm.add("canonicalize")
            pm.add("func.func(graph-fold-batch-norm)")
            pm.add("canonicalize")
            pm.add("func.func(graph-legalize-quantization)")
            pm.add("canonicalize")
            pm.add("cse")

        attributes = module.operation.attributes
        if TENSORS in attributes:
            nodes = attributes[TENSORS].value
            self.tensors = {name: (kind, tuple(inputs), tuple(outputs)) for name, kind, inputs, outputs in nodes}
            del attributes[TENSORS]
        self._passes("graph", module, passes)

    def make_te(self, module: ir.Module) -> None:
        """Decides targets and kernels and outlines these, accelerator kernels on its layout and scheduled."""
        vta = self.options.target == "vta"

        def place(_: ir.Operation) -> None:
            options = replace(self.options.partition, dialect=self.options.dialect)
            self.placements = partition(module, self.options.target, self.options.config, options)

        def schedule(_: ir.Operation) -> None:
            self.decisions = make_vta_schedules(module, options=self.options.schedule)

        def passes(pm: PassManager) -> None:
            pm.add(place, "partition")
            if vta:
                pm.add("graph-pack-layout")
            pm.add("graph-outline-kernels")
            pm.add("graph-to-linalg")
            pm.add("te-hoist-operands")
            if vta:
                pm.add(schedule, "schedule-vta")

        if vta:
            module.operation.attributes["vta.config"] = ir.Attribute.parse(
                _config_attribute(self.options.config, self.options.dialect), module.context
            )
        self._passes("kernels", module, passes)
        if vta:
            self.launches = launches.read_kernels(module)

    def make_vta(self, module: ir.Module) -> None:
        """Brings scheduled accelerator kernels to the structured vta dialect."""

        def passes(pm: PassManager) -> None:
            pm.add("te-declare-intrins")
            pm.add("te.kernel(te-tile,te-vthread,te-cache,te-bufferize,te-multi-buffer)")
            pm.add("te-tensorize")
            pm.add("te.kernel(te-dma,te-lower-vthread)")

        if self.options.target == "vta":
            self._passes("accelerator kernels", module, passes)

    def make_llvm(self, module: ir.Module) -> None:
        """Makes accelerator programs of instructions, and brings the rest to the LLVM dialect."""
        self._passes("native kernels", module, lambda pm: backend_cpu.make_te(pm, self.options.cpu))
        self._passes("buffers", module, lambda pm: backend_cpu.make_buffers(pm, self.options.cpu))

        def programs(pm: PassManager) -> None:
            pm.add("vta-allocate-scratchpads")
            pm.add("vta-expand")
            pm.add("vta.program(vta-cache-uops,vta-insert-tokens,vta-verify-program)")

        if self.options.target == "vta":
            self._passes("instructions", module, programs)
            self.bindings = list(launches.read_bindings(module))
        self._passes("llvm", module, lambda pm: backend_cpu.make_llvm(pm, self.options.cpu))

    def make_image(self, module: ir.Module) -> bytes:
        """The shared object with the native code."""
        images: list[bytes] = []
        self._stage("object code", lambda: images.append(backend_cpu.make_image(module, self.options.cpu)))
        return images[0]


class _SteppingManager(PassManager):
    """Runs every pass as soon as it is added, to dump the IR once after each, not once for every kernel."""

    def __init__(self, module: ir.Module, folder: Path) -> None:
        super().__init__(context=module.context)
        self._module = module
        self._folder = folder
        self._count = 0

    def add(self, passes: str | Callable[[ir.Operation], object], name: str | None = None) -> None:
        manager = PassManager(context=self.context)
        manager.add(passes, name)
        text = passes.split("{")[0] if isinstance(passes, str) else name or "python"
        label = text.replace("(", "-").replace(",", "-").rstrip(")")
        try:
            manager.run(self._module)
        except Exception:
            self._dump(f"{label}-failed")
            raise
        self._dump(label)

    def _dump(self, label: str) -> None:
        path = self._folder / f"{self._count:02d}-{label}.mlir"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_text(self._module.operation.get_asm(large_elements_limit=16, large_resource_limit=16))
        except OSError as error:
            raise CompileError(f"cannot write '{path}': {error.strerror or error}") from None
        self._count += 1


def _config_attribute(config: Mapping[str, object], dialect: str) -> str:
    fields = [f"{key.lower()} = {value}" for key, value in config.items() if key.startswith("LOG_")]
    return f"#vta.config<{', '.join([*fields, f'dialect = {dialect}'])}>"
