"""What workers do: compile a kernel or a network with given schedules, and count its cycles.

A job carries all it needs, so that any process of any machine can do it, and do it again if one is lost.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping, Sequence

from acc import ir
from acc.devices import DeviceSpec
from acc.errors import AccError
from acc.passes import te
from acc.passmanager import PassManager
from acc.pipeline import Options, Pipeline
from acc.schedule import IllegalSchedule, Schedule, Unschedulable, complete, read_footprint, to_attribute
from acc.targets.base import Accelerator, Measurement
from acc.targets.cpu import CpuOptions

__all__ = ["Job", "KernelJob", "NetworkJob", "Outcome", "count_native", "extract_kernel", "strip_weights"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """measurement: None if there is none, and `error` why. native: the kernels that the host runs."""

    measurement: Measurement | None
    error: str = ""
    native: int = 0
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class Job:
    """module: bytecode of te.kernels that are scheduled. device: as `DeviceSpec` reads it, "" for the target's own."""

    accelerator: Accelerator
    device: str
    module: bytes

    def run(self) -> Outcome:
        """Does it; what goes wrong is part of the outcome."""
        started = time.perf_counter()
        try:
            outcome = self._run()
        except (AccError, IllegalSchedule, Unschedulable) as error:
            outcome = Outcome(None, str(error) or type(error).__name__)
        except MemoryError:
            outcome = Outcome(None, "out of memory")
        return dataclasses.replace(outcome, seconds=time.perf_counter() - started)

    def _run(self) -> Outcome:
        raise NotImplementedError

    def _spec(self) -> DeviceSpec | None:
        return DeviceSpec.parse(self.device)[0] if self.device else None

    def _obey(self, kernel: ir.Operation, schedule: Schedule) -> None:
        footprint = read_footprint(kernel)
        hardware = self.accelerator.hardware_of(kernel.attributes["target"])
        kernel.attributes["schedule"] = to_attribute(complete(schedule, footprint), footprint, hardware, kernel.context)


@dataclasses.dataclass(frozen=True)
class KernelJob(Job):
    """Measures a module with one kernel."""

    schedule: Schedule

    def _run(self) -> Outcome:
        module = ir.Module.parse(self.module, ir.Context())
        for op in module.body:
            if op.name == "te.kernel":
                self._obey(op, self.schedule)
        pm = PassManager("builtin.module", module.context)
        pm.add(te.declare_intrins())
        self.accelerator.add_kernels(pm)
        self.accelerator.add_programs(pm)
        pm.run(module)
        return Outcome(self.accelerator.measure(module, self._spec()))


@dataclasses.dataclass(frozen=True)
class NetworkJob(Job):
    """Measures a whole model; schedules: by the symbols of kernels, the others have one already."""

    cpu: CpuOptions
    schedules: Mapping[str, Schedule]

    def _run(self) -> Outcome:
        module = ir.Module.parse(self.module, ir.Context())
        for op in module.body:
            if op.name == "te.kernel" and (symbol := str(op.attributes["sym_name"].value)) in self.schedules:
                self._obey(op, self.schedules[symbol])
        Pipeline(Options(accelerators=(self.accelerator,), cpu=self.cpu)).make_programs(module)
        return Outcome(self.accelerator.measure(module, self._spec()), native=count_native(module))


def count_native(module: ir.Module) -> int:
    """How many kernels the host runs, of a module of programs and main."""
    return sum(
        op.name == "te.launch"
        for function in module.body
        if function.name == "func.func" and len(function.regions[0].blocks)
        for op in function.regions[0].blocks[0]
    )


def extract_kernel(kernel: ir.Operation, accelerator: Accelerator) -> bytes:
    """Bytecode of a module with nothing but a kernel in it."""
    module = ir.Module.create(ir.Location.unknown(kernel.context), kernel.context)
    accelerator.prepare(module)
    kernel.clone(ir.InsertionPoint(module.body))
    return module.operation.write_bytecode()


SMALL = 64
"""Constants of at most so many elements stay what they are."""


def strip_weights(module: ir.Module) -> bytes:
    """Bytecode of a module in which large constants are zero: time does not depend on them."""
    bare = module.clone()
    for op in _constants(bare.body):
        shaped = ir.ShapedType(op.result.type)
        element = shaped.element_type
        if shaped.num_elements <= SMALL or not isinstance(element, ir.IntegerType):
            continue
        zero = ir.IntegerAttr.get(element, 0)
        op.attributes["value"] = ir.DenseElementsAttr.get_splat(op.result.type, zero)
    return bare.operation.write_bytecode()


def _constants(body: ir.Block) -> Iterable[ir.Operation]:
    functions: Sequence[ir.Operation] = [op for op in body if op.name == "func.func" and len(op.regions[0].blocks)]
    return [op for function in functions for op in function.regions[0].blocks[0] if op.name == "graph.constant"]
