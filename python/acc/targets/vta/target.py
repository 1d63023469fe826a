"""The target "vta": its options, and where its rules, schedules, passes and reports are."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

from acc import _mlir, ir
from acc._lib import _runtime
from acc.devices import DeviceSpec
from acc.errors import CompileError
from acc.passes import te
from acc.passes import vta as vta_passes
from acc.passmanager import PassManager
from acc.report import LayerReport
from acc.schedule import Policy, Schedule
from acc.targets.base import (
    MIN_ALIGNMENT,
    Accelerator,
    Decision,
    Measurement,
    Program,
    Tensors,
    Timing,
    check_ties,
)
from acc.targets.reasons import Reason
from acc.targets.vta import launches, placement, timing
from acc.targets.vta.activations import choose_activations
from acc.targets.vta.choices import Choices, list_choices
from acc.targets.vta.config import Hardware, load_config, read_config
from acc.targets.vta.folding import choose_folds
from acc.targets.vta.lanes import choose_lanes
from acc.targets.vta.pools import choose_pools
from acc.targets.vta.schedule import LATENCY_CYCLES, PORT_BYTES, VtaHardware, make_vta_schedules
from acc.targets.vta.schedule import Options as ScheduleOptions
from acc.targets.vta.windows import choose_windows

if TYPE_CHECKING:
    import numpy as np

    from acc.exploration.design import Designs
    from acc.inspect.activity import Activity
    from acc.inspect.interpreter import Semantics
    from acc.pipeline import Graph
    from acc.targets.delivery import HardwareFiles, HardwareOrder

__all__ = ["Vta", "VtaOptions"]

DIALECTS = ("acc", "public")
INSTRUCTION_BYTES = 16
# Cycles after which an entry of the accumulators may be met again, the stages of the vector unit aside: `hazard` of
# runtime/vta/csim/Parameters.h.
ENTRY_CYCLES = 4
CIRCUIT: Mapping[str, Any] = {option.name: option for option in _runtime.circuit_options()}


@dataclasses.dataclass(frozen=True)
class VtaOptions:
    """How the accelerator is used.

    config: a vta_config.json or its contents; None is the published configuration. dialect: what programs may use,
    "acc", everything, or "public", what the public hardware designs agree on. ties: where one half goes, to "even"
    as ONNX Runtime does, or "up" in fewer steps (acc.targets.base.TIES). dram: the bytes of the accelerator's memory;
    None is all that its instructions reach. circuit: what is known of the circuit, by options of csim (see
    acc.hardware.package.Circuit), which a compiled model remembers: with log_acc_banks from 1 on virtual threads get
    banks of their own, so that one rescales while the other multiplies; by alu_stages steps of the vector unit that
    wait for each other keep their distance. activation_cycles: the most cycles, for each vector of results, that a
    function of one tensor (HardSwish takes about 15) may take the vector unit; longer ones are looked up by the host,
    0 leaves all to it, and None none that the vector unit can do. fuse_residual: let a sum of two
    tensors continue the kernel that computes one of them. chain: let kernels that run one after the other be one
    program, of at most `max_instructions` instructions: longer ones would take more memory and time to compile and to
    load than they save. schedule: how schedules are chosen, by options of the search or by a policy that replaces it.
    tuned: schedules that were found before, by `Footprint.identity`; no policy is asked for these kernels. choices:
    what else a tuner may decide.
    """

    config: str | os.PathLike[str] | Mapping[str, object] | None = None
    dialect: str = "acc"
    ties: str = "even"
    dram: int | None = None
    circuit: Mapping[str, int] = dataclasses.field(default_factory=dict)
    activation_cycles: int | None = None
    fuse_residual: bool = True
    chain: bool = True
    max_instructions: int = 1 << 18
    schedule: ScheduleOptions | Policy = dataclasses.field(default_factory=ScheduleOptions)
    tuned: Mapping[str, Schedule] = dataclasses.field(default_factory=dict)
    choices: Choices = dataclasses.field(default_factory=Choices)

    def __post_init__(self) -> None:
        """Raises CompileError for a dialect or a rounding that there is not, and for a schedule that is no policy."""
        check_ties(self.ties)
        if self.dram is not None and self.dram < 1:
            raise CompileError(f"the accelerator's memory has {self.dram} bytes: dram is a positive number of bytes")
        if unknown := self.circuit.keys() - CIRCUIT.keys():
            raise CompileError(f"a circuit has no {', '.join(sorted(unknown))}: it has {', '.join(CIRCUIT)}")
        if problems := _runtime.circuit_problems(**self.circuit):
            raise CompileError("; ".join(problems))
        if self.activation_cycles is not None and self.activation_cycles < 0:
            raise CompileError(f"activation_cycles is {self.activation_cycles}: it is a number of cycles, or 0")
        if self.dialect not in DIALECTS:
            raise CompileError(
                f"there is no dialect '{self.dialect}' of the accelerator's instructions: choose one of "
                f"{', '.join(DIALECTS)}"
            )
        if not (isinstance(self.schedule, ScheduleOptions) or callable(self.schedule)):
            raise CompileError(
                "VtaOptions.schedule is acc.targets.vta.schedule.Options, or a callable that is given the Footprint of "
                f"a kernel and the Hardware, not {type(self.schedule).__name__}"
            )


def _read_number(options: Mapping[str, Any], name: str, unit: str) -> int | None:
    """A whole number among the options, if it is there; raises CompileError for anything else."""
    value = options.get(name)
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        raise CompileError(f"{name} is a number of {unit}, not '{value}'") from None


@dataclasses.dataclass(frozen=True)
class Vta(Accelerator):
    """A VTA-class accelerator. Raises ConfigError on first use if its configuration is illegal."""

    name: ClassVar[str] = "vta"
    title: ClassVar[str] = "a VTA-class tensor accelerator, with native code for what it cannot do"
    takes: ClassVar[Mapping[str, str]] = {
        "config": "a hardware configuration",
        "vta_dialect": "a dialect of the accelerator's instructions",
        "ties": "the rounding of ties",
        "dram": "the size of the accelerator's memory",
        "activation_cycles": "the time that functions of one tensor may take the accelerator",
        **{name: f"the {option.help}" for name, option in CIRCUIT.items()},
    }
    configuration_file: ClassVar[str] = "vta_config.json"
    wants_images: ClassVar[bool] = True
    wants_tensors: ClassVar[bool] = True
    optional: ClassVar[frozenset[str]] = frozenset(
        f"vta-{name}"
        for name in ("write-borders", "join-buffers", "chain-programs", "split-loads", "hoist-loads", "drop-loads")
    )

    options: VtaOptions = dataclasses.field(default_factory=VtaOptions)

    def __reduce__(self) -> tuple[type[Vta], tuple[VtaOptions]]:
        """Processes are sent the options alone: the rest follows."""
        return Vta, (self.options,)

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Vta:
        """See Target."""
        dram = _read_number(options, "dram", "bytes")
        cycles = _read_number(options, "activation_cycles", "cycles")
        numbers = {name: _read_number(options, name, option.help) for name, option in CIRCUIT.items()}
        circuit = {name: value for name, value in numbers.items() if value is not None}
        dialect, ties = options.get("vta_dialect", "acc"), options.get("ties", "even")
        return cls(VtaOptions(options.get("config"), dialect, ties, dram, circuit, cycles))

    @cached_property
    def config(self) -> dict[str, object]:
        """The configuration, complete: the keys of vta_config.json."""
        return read_config(self.options.config)

    @property
    def alignment(self) -> int:
        """Addresses count elements, so every buffer must start at a multiple of the largest."""
        return max(MIN_ALIGNMENT, self._hardware.config.alignment)

    @property
    def ties(self) -> str:
        """See Target."""
        return self.options.ties

    @property
    def metadata(self) -> dict[str, Any]:
        """The configuration, the dialect, and the circuit if it is known."""
        known = {"device_options": dict(self.options.circuit)} if self.options.circuit else {}
        return {"config": self.config, "vta_dialect": self.options.dialect, **known}

    def attribute(self, context: ir.Context) -> ir.Attribute:
        """See Accelerator: #vta.config."""
        return self._hardware.attribute(context)

    def prepare(self, module: ir.Module) -> None:
        """Writes `vta.config`."""
        module.operation.attributes["vta.config"] = self.attribute(module.context)

    @property
    def _threads_apart(self) -> bool:
        """Whether virtual threads have accumulators of their own, as the circuit works on two banks at once."""
        return self.options.circuit.get(timing.BANKS, 0) > 0

    @property
    def _alu_steps_apart(self) -> int:
        """How many steps of the vector unit with two operands, two cycles each, hide how long a result takes."""
        stages = self.options.circuit.get("alu_stages", CIRCUIT["alu_stages"].initial)
        return -(-(ENTRY_CYCLES + int(stages)) // 2)

    @cached_property
    def _hardware(self) -> Hardware:
        hardware = Hardware.from_keys(self.config, self.options.dialect, self.options.activation_cycles)
        banks, width = (
            self.options.circuit.get(name, int(CIRCUIT[name].initial)) for name in (timing.BANKS, "mem_width")
        )
        stages = self.options.circuit.get("alu_stages", int(CIRCUIT["alu_stages"].initial))
        problems = (
            _runtime.acc_bank_problem(hardware.config, banks, width),
            _runtime.alu_stages_problem(hardware.config, stages),
        )
        if said := "; ".join(filter(None, problems)):
            raise CompileError(said)
        return hardware

    def count_cycles(self, path: str | os.PathLike[str]) -> Mapping[str, int]:
        """See Accelerator: as the cycle model of the circuit counts them."""
        from acc.targets.vta.profile import profile

        return {layer.name: layer.cycles for layer in profile(path).layers}

    def inspect(
        self,
        path: str | os.PathLike[str],
        inputs: Mapping[str, np.ndarray] | None = None,
        device: DeviceSpec | None = None,
    ) -> Activity:
        """See Accelerator: as the cycle model of the circuit counts it."""
        from acc.targets.vta.inspection import inspect

        return inspect(path, inputs, device or "csim")

    def hardware_files(self, order: HardwareOrder) -> HardwareFiles:
        """See Accelerator: for FPGAs."""
        from acc.targets.vta.hardware_files import make_hardware_files

        return make_hardware_files(load_config(self.options.config), order)

    def refuse(self, op: ir.Operation) -> Reason:
        """See Accelerator; the rules are those of `placement.RULES`."""
        return placement.refuse(op, self._hardware)

    def can_continue(self, tail: ir.Operation, op: ir.Operation) -> bool:
        """See Accelerator."""
        fuse = self.options.fuse_residual and "+".join(op.location.names) not in self.options.choices.apart
        return placement.can_continue(tail, op, fuse, self._hardware)

    def keep_layout(self, op: ir.Operation, placed: set[ir.Value]) -> bool:
        """See Accelerator; marks with `graph.packed`."""
        return placement.keep_layout(op, self._hardware, placed)

    def add_layout(self, pm: PassManager) -> None:
        """See Accelerator."""
        pm.add(vta_passes.assemble())
        choices = self.options.choices
        pm.add(lambda module: choose_folds(module, self._hardware, given=choices.folds), "fold-windows")
        pm.add(lambda module: choose_windows(module, self._hardware), "choose-windows")
        pm.add(lambda module: choose_pools(module, self._hardware), "choose-pools")
        if choices.lanes:
            pm.add(lambda module: choose_lanes(module, self._hardware), "order-lanes")
        pm.add(lambda module: choose_activations(module, self._hardware), "choose-activations")
        pm.add(vta_passes.pack_layout())

    def add_outlined(self, pm: PassManager) -> None:
        """See Accelerator."""
        pm.add(vta_passes.narrow_elements())

    def schedule(self, module: ir.Module) -> Sequence[Decision]:
        """See Accelerator."""
        return make_vta_schedules(module, self.options.schedule, self.options.tuned, threads_apart=self._threads_apart)

    def timing(self, device: DeviceSpec | None = None) -> Timing:
        """See Accelerator."""
        return timing.describe(self._hardware, device, self.options.circuit)

    def measure(self, module: ir.Module, device: DeviceSpec | None = None) -> Measurement:
        """See Accelerator."""
        return timing.measure(module, device, self.options.circuit)

    def hardware_of(self, attribute: ir.Attribute) -> VtaHardware:
        """See Accelerator."""
        return VtaHardware.of(attribute, threads_apart=self._threads_apart)

    @classmethod
    def designs(cls, device: str, energy: str | os.PathLike[str] | None = None) -> Designs:
        """See Accelerator: for FPGAs."""
        from acc.targets.vta.designs import VtaDesigns

        return VtaDesigns(device, energy)

    def choices(self, module: ir.Module) -> Mapping[str, Sequence[object]]:
        """See Accelerator."""
        return list_choices(module, self._hardware)

    def tuned(self, schedules: Mapping[str, Schedule], choices: Mapping[str, object]) -> Vta:
        """See Accelerator."""
        return Vta(dataclasses.replace(self.options, tuned=dict(schedules), choices=Choices.of(choices)))

    def add_scheduled(self, pm: PassManager) -> None:
        """See Accelerator."""
        pm.add(vta_passes.narrow_elements())

    def add_refused(self, pm: PassManager) -> None:
        """See Accelerator."""
        pm.add(vta_passes.expand_steps())

    def add_kernels(self, pm: PassManager) -> None:
        """See Accelerator."""
        self.add_refused(pm)
        pm.add(te.tile())
        pm.add(te.vthread())
        pm.add(te.cache())
        pm.add(te.bufferize())
        pm.add(te.multi_buffer())
        pm.add(te.tensorize())
        pm.add(te.dma())
        pm.add(te.lower_vthread())

    def add_programs(self, pm: PassManager) -> None:
        """See Accelerator."""
        choices = self.options.choices
        alternate = self.options.chain and choices.alternate
        pm.add(vta_passes.allocate_scratchpads(alternate=alternate, threads_apart=self._threads_apart))
        pm.add(vta_passes.expand(alternate=True, alu_steps_apart=self._alu_steps_apart))
        pm.add(vta_passes.drop_loads())
        if self.options.chain:
            pm.add(vta_passes.write_borders())
            pm.add(vta_passes.join_buffers())
            pm.add(vta_passes.chain_programs(max_instructions=self.options.max_instructions))
        if self._threads_apart:
            pm.add(
                vta_passes.interleave_units(
                    log_banks=self.options.circuit[timing.BANKS], port_bytes=PORT_BYTES, latency=LATENCY_CYCLES
                )
            )
        pm.add(vta_passes.cache_uops())
        pm.add(vta_passes.split_loads(port_bytes=PORT_BYTES, load_cycles=choices.part_cycles))
        pm.add(vta_passes.hoist_loads(distance=choices.prefetch))
        pm.add(vta_passes.insert_tokens())
        pm.add(vta_passes.verify_program())

    def programs(self, module: ir.Module) -> Sequence[Program]:
        """See Accelerator."""
        parts = {launch.symbol: launch.parts for launch in launches.read_bindings(module)}
        return [
            Program(symbol, self.name, _mlir.write_program(op), kernels=tuple(part.symbol for part in parts[symbol]))
            for op in module.body
            if op.name == "vta.program" and (symbol := str(op.attributes["sym_name"].value)) in parts
        ]

    def describe_kernels(self, graph: Graph) -> object:
        """See Accelerator: the launches, and which tensors of the ONNX model their buffers hold."""
        return launches.read_kernels(graph.module), graph.tensors

    def describe_programs(
        self, module: ir.Module, programs: Sequence[Program], kernels: object, numbers: Mapping[str, int]
    ) -> dict[str, object]:
        """See Accelerator: "launches" (docs/model-format.md)."""
        known, tensors = cast(tuple[list[launches.Launch], Tensors], kernels)
        return {"launches": launches.describe(known, list(launches.read_bindings(module)), numbers, tensors)}

    def launched(self, op: ir.Operation) -> Sequence[str]:
        """See Accelerator."""
        return [part.label for part in launches.read_parts(op)] if op.name == "vta.launch" else ()

    def semantics(self) -> Mapping[str, Semantics]:
        """See Accelerator."""
        from acc.targets.vta.semantics import make_semantics

        return make_semantics()

    def memory_limit(self) -> tuple[int, str] | None:
        """See Accelerator: instructions have 32 bits for the number of an element."""
        sizes = (self._hardware.config.element_bytes(memory) for memory in ("uop", "wgt", "inp", "acc", "out"))
        reach = min(sizes) << 32
        if self.options.dram is not None and self.options.dram < reach:
            return self.options.dram, f"there are {self.options.dram:,} (dram)"
        return reach, f"its instructions reach {reach:,}"

    def program_bytes(self, program: Program) -> int:
        """See Accelerator: instructions and micro-ops."""
        decoded = _runtime.read_program(program.data)
        return INSTRUCTION_BYTES * len(decoded) + len(decoded.uops)

    def describe(self, reports: Sequence[LayerReport], program: Program) -> Sequence[LayerReport]:
        """See Accelerator: instructions, DRAM bytes and steps."""
        counters = _runtime.read_program(program.data).counters_by_layer()
        groups: list[list[Mapping[str, Any]]] = [[] for _ in reports]
        for layer, counted in counters.items():
            groups[launches.kernel_of(layer, [report.layers for report in reports])].append(counted)
        return [self._describe(report, group) for report, group in zip(reports, groups, strict=True)]

    def _describe(self, report: LayerReport, counters: Sequence[Mapping[str, Any]]) -> LayerReport:
        def moved(*memories: str) -> int:
            return sum(c["dram_bytes"][memory] for c in counters for memory in memories)

        return dataclasses.replace(
            report,
            target=self.name,
            instructions=sum(sum(c["instructions"].values()) for c in counters),
            dram_bytes={
                "inp": moved("inp"),
                "wgt": moved("wgt"),
                "acc": moved("acc", "acc8"),
                "uop": moved("uop"),
                "out": moved("out"),
            },
            gemm_steps=sum(c["gemm_steps"] for c in counters),
            alu_steps=sum(c["alu_steps"] for c in counters),
        )
