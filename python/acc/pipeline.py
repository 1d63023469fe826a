"""How a model becomes programs, stage by stage: flat lists of passes, with the Python policies between them.

    import_graph  ONNX -> graph dialect, simplified, quantization legalized to integer operators
    make_kernels  -> kernels of linalg in te.kernel, each on its target, accelerator kernels scheduled
    lower         -> programs of the accelerators; native kernels and main as an image

Every stage returns its product, and a later one starts from the product of the one before. A policy (partition,
schedules) reads the IR and writes attributes; the passes obey them. Nothing else decides.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from acc import ir
from acc.arena import Moment, find_largest_moment
from acc.container import Constant, TensorInfo
from acc.errors import AccError, CompileError, Fault, MLIRError
from acc.files import why
from acc.frontend import import_onnx
from acc.frontend.importer import TENSORS
from acc.frontend.specialize import Values
from acc.partition import Options as PartitionOptions
from acc.partition import Placement, partition
from acc.passes import graph as graph_passes
from acc.passes import te, upstream
from acc.passmanager import PassManager
from acc.report import Launch, read_launches, read_order
from acc.signature import read_signature
from acc.targets.base import Accelerator, Decision, Program, Tensors
from acc.targets.cpu import CpuOptions, stages
from acc.wording import is_plain, plain

__all__ = ["Graph", "Kernels", "Lowered", "Options", "Pipeline", "Reached", "Stage", "in_order"]

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Options:
    """What is compiled for, and how.

    accelerators: those that may be used beside the CPU, in the order of preference. cpu: the processor of native code.
    ties: where integer arithmetic rounds one half to on all targets, one of `acc.targets.base.TIES`.
    dump: a folder for the IR after every pass, one sub-folder per stage. progress: called with the name of every stage
    before it runs. stop: the stage after which there is nothing more to do, which `Reached` says. tuning: logs of
    `acc.tune` that are obeyed (`acc.tuning.choose`), measured on `tuning_device`; "" is the choice of the target.
    fixed_sizes: whether all sizes must be known although no accelerator wants it.
    """

    accelerators: tuple[Accelerator, ...] = ()
    cpu: CpuOptions = field(default_factory=CpuOptions)
    ties: str = "even"
    partition: PartitionOptions = field(default_factory=PartitionOptions)
    dump: Path | None = None
    progress: Callable[[str], None] | None = None
    stop: str | None = None
    tuning: tuple[str | os.PathLike[str], ...] = ()
    tuning_device: str = ""
    fixed_sizes: bool = False


class Reached(Exception):
    """The stage at which a compilation is to stop is over; its module is as it was left."""


@dataclass(frozen=True)
class Stage:
    """How long a stage took, in seconds."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Graph:
    """A model in the graph dialect, and its inputs and outputs as ONNX sees them.

    tensors: the operator, inputs and outputs of every ONNX node, by its name; empty unless an accelerator asks for it.
    """

    module: ir.Module
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    tensors: Tensors = field(default_factory=dict)


@dataclass(frozen=True)
class Kernels:
    """A model as te.kernels: what the policies decided, and the launches of main in order.

    described: what every accelerator, by name, wants to remember of its kernels until they are programs. moment: when
    most of the computed tensors are in memory, of a model for accelerators.
    """

    module: ir.Module
    placements: tuple[Placement, ...]
    decisions: tuple[Decision, ...]
    launches: tuple[Launch, ...]
    described: Mapping[str, object] = field(default_factory=dict)
    moment: Moment | None = None


@dataclass(frozen=True)
class Lowered:
    """What runs: the programs of accelerators, the shared object of native code, the constants that it reads, and the
    bytes of scratch memory that it wants.

    order: the kernels in the order in which main runs them, as policies call them; empty if it is that of
    `Kernels.launches`. metadata: what the model file says of the programs beside what they are. uses_threads: whether
    native code runs loops in parallel; parallel: which, by kernel as policies call it. anywhere: whether native code
    reads an input where the caller has it, however it lies in memory.
    """

    programs: tuple[Program, ...]
    image: bytes
    constants: tuple[Constant, ...]
    workspace_bytes: int
    order: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    uses_threads: bool = False
    parallel: Mapping[str, str] = field(default_factory=dict)
    anywhere: tuple[bool, ...] = ()


_REPORT = "this is a fault of acc, please report it with the model"


def _report(accelerators: Iterable[Accelerator], error: BaseException | None = None) -> str:
    """Whose fault it is that a stage fails: that of the package of an accelerator whose code raised `error`, or acc's.

    Without an error a pass refused IR, which any of them may have made.
    """
    others = {type(item).__module__.split(".")[0]: item.name for item in accelerators}
    others.pop("acc", None)
    running: set[str] = set()
    trace = error.__traceback__ if error is not None else None
    while trace is not None:
        running.add(str(trace.tb_frame.f_globals.get("__name__", "")).split(".")[0])
        trace = trace.tb_next
    blamed = running & others.keys() if error is not None else others.keys()
    if not blamed:
        return _REPORT
    whose = " and ".join(f"target '{others[name]}' (package {name})" for name in sorted(blamed))
    if error is None:
        return f"this is a fault of acc or of {whose}, please report it with the model"
    return f"this is a fault of {whose}, please report it there with the model"


def _fault(stage: str, error: MLIRError, report: str = _REPORT) -> Fault:
    """What a pass or a verifier said, as far as it is in words that users know; the rest is the error's cause."""
    first = next((said for said in error.diagnostics if said.severity == "error"), None)
    where = f" at '{first.name}'" if first is not None and first.name else ""
    # Operators of the graph dialect are ONNX's; what is said of others is not for users.
    inside = first is None or re.match(r"'(?!graph\.)\w+\.", first.message)
    reason = "" if inside or first is None else plain(first.message)
    return Fault(f"stage '{stage}' failed{where}: " + (f"{reason}: " if reason and is_plain(reason) else "") + report)


class Pipeline:
    """One compilation: its stages in order and how long each took."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.stages: list[Stage] = []

    def _stage(self, name: str, work: Callable[[], object]) -> None:
        if self.options.progress:
            self.options.progress(name)
        started = time.perf_counter()
        try:
            work()
        except MLIRError as error:
            raise _fault(name, error, _report(self.options.accelerators)) from error
        except (AccError, OSError, MemoryError):
            raise
        except Exception as error:
            report = _report(self.options.accelerators, error)
            raise Fault(f"stage '{name}' failed: {type(error).__name__}: {error}: {report}") from error
        self.stages.append(Stage(name, time.perf_counter() - started))

    def _passes(self, name: str, module: ir.Module, build: Callable[[PassManager], None]) -> None:
        if self.options.dump:
            folder = self.options.dump / f"{len(self.stages):02d}-{name.replace(' ', '-')}"
            self._stage(name, lambda: build(_SteppingManager(module, folder)))
        else:
            pm = PassManager("builtin.module", module.context)
            build(pm)
            self._stage(name, lambda: pm.run(module))
        if name == self.options.stop:
            raise Reached

    def transform(self, name: str, module: ir.Module, build: Callable[[PassManager], None]) -> None:
        """Runs a stage of a target's own on a module, in place; raises Fault if a pass refuses it."""
        self._passes(name, module, build)

    def import_graph(
        self,
        model: str | os.PathLike[str] | onnx.ModelProto,
        shapes: Shapes | None = None,
        values: Values | None = None,
    ) -> Graph:
        """Imports and simplifies; raises ModelError for what cannot be imported."""
        return self.simplify(self.import_module(model, shapes, values))

    def import_module(
        self,
        model: str | os.PathLike[str] | onnx.ModelProto,
        shapes: Shapes | None = None,
        values: Values | None = None,
    ) -> ir.Module:
        """Imports, for the accelerators of the options; raises ModelError for what cannot be imported."""
        fixed = self.options.fixed_sizes or any(accelerator.fixed_sizes for accelerator in self.options.accelerators)
        recorded = any(accelerator.wants_tensors for accelerator in self.options.accelerators)
        imported: list[ir.Module] = []
        self._stage(
            "import",
            lambda: imported.append(
                import_onnx(model, shapes, values, symbolic=not fixed, cpu=self.options.cpu, record_nodes=recorded)
            ),
        )
        return imported[0]

    def simplify(self, module: ir.Module) -> Graph:
        """Simplifies an imported graph in place and legalizes its quantization."""
        tensors: Tensors = {}
        attributes = module.operation.attributes
        if TENSORS in attributes:
            nodes = attributes[TENSORS].value
            tensors = {name: (kind, tuple(inputs), tuple(outputs)) for name, kind, inputs, outputs in nodes}
            del attributes[TENSORS]

        def tables(_: ir.Operation) -> None:
            # These are compiled themselves.
            from acc.lookup_tables import compute_tables

            compute_tables(module, self.options.cpu)

        def passes(pm: PassManager) -> None:
            pm.add(upstream.canonicalize())
            pm.add(graph_passes.fold_batch_norm().on("func.func"))
            pm.add(upstream.canonicalize())
            pm.add(graph_passes.legalize_quantization(ties_up=self.options.ties == "up"))
            pm.add(graph_passes.split_conv_transpose().on("func.func"))
            pm.add(upstream.canonicalize())
            pm.add(upstream.cse())
            pm.add(tables, "compute-tables")
            pm.add(upstream.canonicalize())

        self._passes("graph", module, passes)
        # Read here, because later types do not have what only ONNX knows (signs).
        return Graph(module, *read_signature(module), tensors)

    def make_kernels(self, graph: Graph) -> Kernels:
        """Decides targets and kernels and outlines these, accelerator kernels in their layout and scheduled.

        The module of `graph` is changed in place.
        """
        if self.options.tuning:
            # Tuning is built on this module.
            from acc.tuning.choose import obey

            self.options = obey(self.options, graph)
        accelerators = self.options.accelerators
        placements: list[Placement] = []
        decisions: list[Decision] = []

        def place(_: ir.Operation) -> None:
            for accelerator in accelerators:
                accelerator.prepare(graph.module)
            placements.extend(partition(graph.module, accelerators, self.options.partition))

        def passes(pm: PassManager) -> None:
            if any(accelerator.wants_images for accelerator in accelerators):
                pm.add(graph_passes.make_images().on("func.func"))
            pm.add(place, "partition")
            for accelerator in accelerators:
                accelerator.add_layout(pm)
            pm.add(graph_passes.outline_kernels())
            pm.add(graph_passes.to_linalg())
            pm.add(te.hoist_operands())
            for accelerator in accelerators:
                accelerator.add_outlined(pm)
            pm.add(te.merge_operands())
            for accelerator in accelerators:
                pm.add(_scheduling(accelerator, graph.module, decisions), f"schedule-{accelerator.name}")
            for accelerator in accelerators:
                accelerator.add_scheduled(pm)

        self._passes("kernels", graph.module, passes)
        return Kernels(
            graph.module,
            tuple(placements),
            tuple(decisions),
            tuple(read_launches(graph.module)),
            {accelerator.name: accelerator.describe_kernels(graph) for accelerator in accelerators},
            find_largest_moment(graph.module) if accelerators else None,
        )

    def make_programs(self, module: ir.Module) -> None:
        """Lowers the module of `Kernels`, in place, until kernels of accelerators are programs and main is on buffers.

        What is left is the business of the host.
        """
        accelerators, cpu = self.options.accelerators, self.options.cpu

        def kernel_passes(pm: PassManager) -> None:
            # Those of every target, since the passes of te take the kernels of all.
            pm.add(te.declare_intrins())
            for accelerator in accelerators:
                accelerator.add_kernels(pm)

        def program_passes(pm: PassManager) -> None:
            for accelerator in accelerators:
                accelerator.add_programs(pm)

        if accelerators:
            self._passes("accelerator kernels", module, kernel_passes)
        self._passes("native kernels", module, lambda pm: stages.make_te(pm, cpu))
        self._passes("buffers", module, lambda pm: stages.make_buffers(pm, cpu))
        if accelerators:
            self._passes("instructions", module, program_passes)

    def lower(self, kernels: Kernels) -> Lowered:
        """Makes the programs of accelerators, and native code of the rest. The module is changed in place."""
        module, accelerators, cpu = kernels.module, self.options.accelerators, self.options.cpu
        self.make_programs(module)
        programs: list[Program] = []
        metadata: dict[str, object] = {}
        order: list[str] = []
        if accelerators:
            made = {accelerator.name: accelerator.programs(module) for accelerator in accelerators}
            programs = in_order(module, made.values())
            order = read_order(module, accelerators)
            numbers = {program.symbol: number for number, program in enumerate(programs)}
            for accelerator in accelerators:
                described = kernels.described[accelerator.name]
                metadata |= accelerator.describe_programs(module, made[accelerator.name], described, numbers)
        parallel = stages.parallel_loops(module)
        anywhere = stages.readable_anywhere(module)
        self._passes("llvm", module, lambda pm: stages.make_llvm(pm, cpu))
        images: list[bytes] = []
        self._stage("object code", lambda: images.append(stages.make_image(module, cpu)))
        return Lowered(
            tuple(programs),
            images[0],
            stages.constants(module),
            stages.workspace_bytes(module),
            tuple(order),
            metadata,
            stages.uses_threads(module),
            parallel,
            anywhere,
        )


def in_order(module: ir.Module, programs: Iterable[Sequence[Program]]) -> list[Program]:
    """The programs of all accelerators in the order of the module, which is that of their numbers in native code."""
    by_symbol = {program.symbol: program for made in programs for program in made}
    symbols = (op.attributes.get("sym_name") for op in module.body)
    return [by_symbol[symbol.value] for symbol in symbols if symbol is not None and symbol.value in by_symbol]


def _scheduling(
    accelerator: Accelerator, module: ir.Module, decisions: list[Decision]
) -> Callable[[ir.Operation], None]:
    """The schedule policy of an accelerator as a pass."""

    def schedule(_: ir.Operation) -> None:
        decisions.extend(accelerator.schedule(module))

    return schedule


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
            # With the names of ONNX nodes, by which `acc view` groups operations.
            asm = self._module.operation.get_asm
            path.write_text(asm(large_elements_limit=16, large_resource_limit=16, enable_debug_info=True))
        except OSError as error:
            raise CompileError(f"cannot write '{path}': {why(error)}") from None
        self._count += 1
