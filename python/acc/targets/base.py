"""What a target is: something that runs kernels of a model, with the policies that bring kernels to it.

There are three kinds. The *host* makes native code and runs main and every kernel that nobody else takes
(acc.targets.cpu). An *accelerator* takes the operators that its rules allow; it says how their kernels are laid out,
scheduled and lowered, and what its programs are. A target of *source* makes a folder of files that users compile
themselves, and takes the place of the host. A stage asks the targets of a compilation and nothing else: outside of
its own room no module knows which targets exist.
"""

from __future__ import annotations

import dataclasses
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from acc import ir
from acc.errors import CompileError
from acc.passmanager import PassManager
from acc.report import LayerReport
from acc.targets.reasons import Reason
from acc.targets.ties import TIES, check_ties

if TYPE_CHECKING:
    import numpy as np

    from acc.container import ProgramBuffer
    from acc.devices import DeviceSpec
    from acc.exploration.design import Designs
    from acc.inspect.activity import Activity
    from acc.inspect.interpreter import Semantics
    from acc.pipeline import Graph, Kernels, Pipeline
    from acc.schedule import Estimate, Footprint, Hardware, Schedule
    from acc.targets.delivery import HardwareFiles, HardwareOrder

__all__ = [
    "TIES",
    "Accelerator",
    "Decision",
    "Measurement",
    "Program",
    "ScheduleSummary",
    "SourceTarget",
    "Target",
    "Tensors",
    "Timing",
    "check_ties",
]

Tensors = Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]]
"""The operator of each ONNX node, by its name, and the names of its inputs and outputs."""

MIN_ALIGNMENT = 64
"""Every buffer starts at a multiple of this: a cache line, and the widest vectors."""


class ScheduleSummary(Protocol):
    """What everybody wants to know of a schedule."""

    def summary(self) -> str:
        """One line for people."""
        ...


@dataclasses.dataclass(frozen=True)
class Decision:
    """What a schedule policy decided for a kernel: its schedule, or the reason why it goes to the host.

    estimate: what the schedule makes the kernel do, if the target knows. footprint: what was known of the kernel.
    """

    kernel: str
    layers: tuple[str, ...]
    schedule: ScheduleSummary | None
    reason: str = ""
    estimate: Estimate | None = None
    footprint: Footprint | None = None


@dataclasses.dataclass(frozen=True)
class Timing:
    """How an accelerator counts cycles.

    description: everything that the cycles of a program depend on, JSON-compatible. bytes_per_cycle: what its port to
    memory moves at most.
    """

    description: Mapping[str, Any]
    bytes_per_cycle: float


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What the programs of a module take: all cycles, those that no schedule could save because something is computed
    in each of them, and the bytes that are moved.
    """

    cycles: int
    computed: int
    dram_bytes: int


@dataclasses.dataclass(frozen=True)
class Program:
    """What an accelerator runs in one launch: its symbol, the target's name and the program's bytes.

    instruction_set: by which devices know the program; the target's name if empty. buffers: what main launches the
    program with, in order, if its bytes do not say that themselves. kernels: the symbols of the kernels that it is made
    of, if that is not one of the program's own.
    """

    symbol: str
    target: str
    data: bytes
    instruction_set: str = ""
    buffers: tuple[ProgramBuffer, ...] = ()
    kernels: tuple[str, ...] = ()


class Target(ABC):
    """A target with its options; immutable, so that one object may serve many compilations."""

    name: ClassVar[str]
    """By which users choose it."""
    title: ClassVar[str]
    """What it is, in a few words for `acc info`."""
    takes: ClassVar[Mapping[str, str]] = {}
    """The options that `acc.compile` and the command line may hand to it, by name, and what each of them is."""

    @classmethod
    @abstractmethod
    def from_options(cls, options: Mapping[str, Any]) -> Target:
        """The target as users ask for it by name, with options among those of `takes`.

        From the command line, values are strings. Raises CompileError or ConfigError for a value that is wrong.
        """

    @property
    def alignment(self) -> int:
        """Bytes that every buffer which it reads or writes is aligned to, a power of two."""
        return MIN_ALIGNMENT

    @property
    def ties(self) -> str:
        """Which of `TIES` it wants; "up" of one target is up for the whole model, so that all of them agree."""
        return "even"

    @property
    def metadata(self) -> dict[str, Any]:
        """What a model file keeps of the options, JSON-compatible."""
        return {}


class SourceTarget(Target):
    """A target whose product is a folder of source files; nothing of acc is needed to build and run them."""

    @abstractmethod
    def write(
        self,
        pipeline: Pipeline,
        graph: Graph,
        folder: str | os.PathLike[str],
        model: str,
        kernels: Kernels | None = None,
    ) -> tuple[LayerReport, ...]:
        """Writes the files of a model, of which `model` is the path, to a new folder; returns the layers.

        kernels: those of the graph if they have been made already. The module of `graph`, whose sizes are fixed as far
        as the importer can do it, becomes something else. Raises CompileError if there is something else than an empty
        folder, or for what the target cannot express, naming all ONNX nodes concerned; nothing is written then.
        """


class Accelerator(Target):
    """A target that takes some kernels of a model; the host runs the others."""

    fixed_sizes: ClassVar[bool] = True
    """Whether all sizes of a model must be known."""
    configuration_file: ClassVar[str] = ""
    """What its hardware configuration is called in the folder of a design; empty if it has no hardware to deliver."""
    wants_images: ClassVar[bool] = False
    """Whether it is given signals (N, C, W) of integers as images of one column, (N, C, W, 1)."""
    wants_tensors: ClassVar[bool] = False
    """Whether the importer records which tensors every ONNX node reads and makes, in `pipeline.Graph.tensors`."""

    optional: ClassVar[frozenset[str]] = frozenset()
    """Its passes that programs are right without, only slower: left out where a fault is looked for."""

    @abstractmethod
    def attribute(self, context: ir.Context) -> ir.Attribute:
        """What its kernels have as their `target`, an attribute that implements te's TargetAttrInterface."""

    def prepare(self, module: ir.Module) -> None:
        """Writes what the passes must know of the target on the module, before anything is placed."""

    def count_cycles(self, path: str | os.PathLike[str]) -> Mapping[str, int]:
        """The cycles that a compiled model takes on it, by ONNX layer; empty if it has no notion of time.

        Raises RunError if the model leaves sizes open, or has no programs for it.
        """
        return {}

    def inspect(
        self,
        path: str | os.PathLike[str],
        inputs: Mapping[str, np.ndarray] | None = None,
        device: DeviceSpec | None = None,
    ) -> Activity | None:
        """What it does in a run of a compiled model, on zeros without `inputs`; None if it has no notion of time.

        device: what counts its cycles, or its own choice.

        Raises RunError as `count_cycles` does.
        """
        return None

    def hardware_files(self, order: HardwareOrder) -> HardwareFiles:
        """The hardware as files: configuration, sources, constraints, and what tools made of them.

        Raises ConfigError for a circuit or a device that there is not, or if the circuit does not fit the device;
        CompileError if the target has no hardware to deliver.
        """
        raise CompileError(f"target '{self.name}' has no hardware that could be delivered")

    @abstractmethod
    def refuse(self, op: ir.Operation) -> Reason:
        """Why the target cannot run `op`, an operator of the graph dialect; an empty reason if it can.

        What `op` depends on is left aside. `acc.targets.reasons.explain` has the reasons for operators that are
        nobody's.
        """

    def timing(self, device: DeviceSpec | None = None) -> Timing:
        """How it counts cycles, on `device` or its own choice; CompileError or RunError if it cannot."""
        raise CompileError(f"target '{self.name}' has no notion of time, so nothing can be tuned for it")

    def measure(self, module: ir.Module, device: DeviceSpec | None = None) -> Measurement:
        """Counts the cycles of all launches of a module after `add_programs`, or of its programs if it has no main.

        Raises RunError for a program that the device refuses.
        """
        raise CompileError(f"target '{self.name}' has no notion of time")

    def hardware_of(self, attribute: ir.Attribute) -> Hardware:
        """What schedules must know of the target, from what `attribute` returned."""
        raise CompileError(f"target '{self.name}' does not say what its schedules must know")

    def choices(self, module: ir.Module) -> Mapping[str, Sequence[object]]:
        """The decisions for a whole model beside schedules, and what each can be, the default first.

        module: a graph before it is partitioned. Values are JSON-compatible and hashable.
        """
        return {}

    @classmethod
    def designs(cls, device: str, energy: str | os.PathLike[str] | None = None) -> Designs:
        """The hardware that it could be, for a kind of chip; energy: a table of energies other than acc's own.

        Raises ConfigError for a device that it does not know, CompileError if there is nothing to choose.
        """
        raise CompileError(f"target '{cls.name}' is what it is: it has no configurations to explore")

    def tuned(self, schedules: Mapping[str, Schedule], choices: Mapping[str, object]) -> Accelerator:
        """The target that obeys: schedules by `Footprint.identity`, and values of what `choices` lists.

        Names and values that it does not know are left out. Raises CompileError if it cannot be told.
        """
        raise CompileError(f"target '{self.name}' takes no tuning log")

    def can_continue(self, tail: ir.Operation, op: ir.Operation) -> bool:
        """Whether a kernel that ends with `tail` may go on with `op`, both of which the target runs."""
        return True

    def keep_layout(self, op: ir.Operation, placed: set[ir.Value]) -> bool:
        """Whether `op`, which the host runs, works on tensors in the target's layout, and marks it if so.

        placed: the values that the target computes or that are in its layout already.
        """
        return False

    def add_layout(self, pm: PassManager) -> None:
        """Adds the passes that bring placed operators to the target's layout, before kernels are outlined."""

    def add_outlined(self, pm: PassManager) -> None:
        """Adds the passes on outlined te.kernels of linalg, before they are scheduled."""

    @abstractmethod
    def schedule(self, module: ir.Module) -> Sequence[Decision]:
        """Writes a schedule on every te.kernel of the target, or gives the kernel to the host."""

    def add_scheduled(self, pm: PassManager) -> None:
        """Adds the passes on te.kernels of which it is decided who runs them: some that the target was to run may be
        the host's.
        """

    def add_refused(self, pm: PassManager) -> None:
        """Passes that make something the host can run of what only the accelerator has a word for.

        For kernels that it was to run and the host does: in the layout and the steps that they have by then.
        """

    @abstractmethod
    def add_kernels(self, pm: PassManager) -> None:
        """Adds the passes from scheduled te.kernels to the target's structured operations.

        Its intrinsics are declared already. Passes take the kernels of all targets; those of te leave alone what is
        past them.
        """

    @abstractmethod
    def add_programs(self, pm: PassManager) -> None:
        """Adds the passes from structured operations to programs; main and native kernels are on buffers by then."""

    @abstractmethod
    def programs(self, module: ir.Module) -> Sequence[Program]:
        """The target's programs in a module after `add_programs`."""

    def describe_kernels(self, graph: Graph) -> object:
        """What `describe_programs` will want to know of the scheduled kernels in `graph.module`."""
        return None

    def describe_programs(
        self, module: ir.Module, programs: Sequence[Program], kernels: object, numbers: Mapping[str, int]
    ) -> dict[str, object]:
        """What the model file says of `programs`, the target's, JSON-compatible.

        kernels: what `describe_kernels` returned. numbers: those of all programs in the file, by symbol.
        """
        return {}

    def launched(self, op: ir.Operation) -> Sequence[str]:
        """The kernels that `op`, an operation of main after `add_programs`, runs, as policies call them.

        Nothing for what is no launch of the target's own; that of a te.launch is known anyhow.
        """
        return ()

    def semantics(self) -> Mapping[str, Semantics]:
        """What the operations of its kernels compute before they are programs, by name, for one run of a module.

        Without them a fault in its passes is found in a range of these.
        """
        return {}

    def memory_limit(self) -> tuple[int, str] | None:
        """The bytes of memory that a model may take, and why no more in words behind "but"; None if nobody knows."""
        return None

    def program_bytes(self, program: Program) -> int:
        """What a program takes of the target's memory, with all that comes with it."""
        return len(program.data)

    def describe(self, reports: Sequence[LayerReport], program: Program) -> Sequence[LayerReport]:
        """The reports on the kernels of a program in order, with what it does for each."""
        return [dataclasses.replace(report, target=self.name) for report in reports]
