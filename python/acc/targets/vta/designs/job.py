"""What a worker does to know how a model runs on a configuration: compile it, and count on the cycle model."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from acc import _mlir, ir
from acc._lib import _runtime
from acc.compiler import compile_contents, make_pipeline
from acc.container import write_model
from acc.devices import DeviceSpec
from acc.errors import AccError
from acc.exploration.design import Figures, Layer
from acc.pipeline import Options, Pipeline
from acc.schedule import IllegalSchedule, Unschedulable
from acc.targets.base import Accelerator
from acc.targets.vta import launches, timing
from acc.targets.vta.profile import profile
from acc.tuning import network
from acc.tuning.jobs import Outcome, count_native

__all__ = ["CountJob", "ProfileJob"]

NO_PROGRAM = "nothing of the model runs on it"


@dataclass(frozen=True)
class _Job(ABC):
    """model: the bytes of an ONNX model. options: shapes and values, as acc.compile takes them."""

    accelerator: Accelerator
    device: str
    model: bytes
    options: Mapping[str, Any]

    def run(self) -> Figures | Outcome:
        """Does it; what goes wrong is an Outcome that says so."""
        try:
            return self._figures()
        except (AccError, IllegalSchedule, Unschedulable) as error:
            return Outcome(None, str(error).splitlines()[0] if str(error) else type(error).__name__)
        except MemoryError:
            return Outcome(None, "out of memory")

    @abstractmethod
    def _figures(self) -> Figures | Outcome: ...

    def _shapes_and_values(self) -> tuple[Any, Any]:
        return self.options.get("shapes"), self.options.get("values")


@dataclass(frozen=True)
class CountJob(_Job):
    """Compiles what the accelerator runs, and nothing else."""

    def _figures(self) -> Figures | Outcome:
        pipeline = make_pipeline([self.accelerator], Options())
        (accelerator,) = pipeline.options.accelerators
        graph = pipeline.import_graph(onnx.load_model_from_string(self.model), *self._shapes_and_values())
        prepared = network.prepare(pipeline, accelerator, graph, {})
        module = ir.Module.parse(prepared.module, ir.Context())
        Pipeline(Options(accelerators=(accelerator,), cpu=pipeline.options.cpu)).make_programs(module)
        programs = {str(op.attributes["sym_name"].value): op for op in module.body if op.name == "vta.program"}
        spec = DeviceSpec.parse(self.device)[0]
        total: Counter[str] = Counter()
        cycles = 0
        for symbol, times in Counter(binding.symbol for binding in launches.read_bindings(module)).items():
            program = _runtime.read_program(_mlir.write_program(programs[symbol]))
            result = timing.run(spec, program)
            cycles += times * int(result["cycles"])
            counted = _counts(result["total"]) | {"requantize_steps": _requantizations(program.instructions)}
            total.update({name: times * count for name, count in counted.items()})
        if not cycles:
            return Outcome(None, NO_PROGRAM)
        return Figures(cycles, count_native(module), dict(total))


@dataclass(frozen=True)
class ProfileJob(_Job):
    """Compiles all of it, and counts by layer. tuning: a log that the compilation obeys, or ""."""

    tuning: str = ""

    def _figures(self) -> Figures | Outcome:
        compilation = compile_contents(
            onnx.load_model_from_string(self.model),
            self.accelerator,
            None,
            *self._shapes_and_values(),
            tuning=self.tuning or (),
            tuning_device=self.device,
        )
        with tempfile.TemporaryDirectory(prefix="acc-explore-") as folder:
            path = Path(folder, "model.so")
            write_model(path, compilation.contents)
            measured = profile(path, device=self.device)
        total: Counter[str] = Counter()
        layers = []
        for layer in measured.layers:
            counts = _counts(vars(layer))
            total.update(counts)
            layers.append(Layer(layer.name, layer.cycles, counts))
        runs = [launch.run for launch in measured.launches if launch.run is not None]
        total["requantize_steps"] = sum(_requantizations(run.instructions) for run in runs)
        native = tuple(
            " + ".join(known.layers) or known.kernel for known in compilation.layers if known.program is None
        )
        return Figures(measured.cycles, len(native), dict(total), tuple(layers), native)


def _requantizations(instructions: Any) -> int:
    return sum(insn["alu_steps"] for insn in instructions if insn["name"] == "ALU requantize")


def _counts(counted: Mapping[str, Any]) -> dict[str, int]:
    steps = {name: int(counted[name]) for name in ("gemm_steps", "reset_steps", "alu_steps")}
    return steps | {f"dram_{memory}": int(moved) for memory, moved in counted["dram_bytes"].items() if moved}
