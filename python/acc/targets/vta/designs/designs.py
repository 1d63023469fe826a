"""The designs of the accelerator for an FPGA: configuration, circuit and clock."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from acc._lib import _runtime
from acc.devices import kinds
from acc.errors import ConfigError
from acc.exploration.design import Design, Designs, Figures, Illegal, Knob
from acc.hardware import prediction, synthesis
from acc.hardware.energy import read_table
from acc.hardware.package import Circuit, constants
from acc.pipeline import Graph
from acc.targets.vta.designs.estimate import Workload, estimate, left_to_host, read_workload
from acc.targets.vta.designs.job import CountJob, ProfileJob
from acc.targets.vta.target import Vta

__all__ = ["VtaDesigns"]

TIMED = "csim"
MEMORY = "latency"
CLOCK = "target_mhz"
# What a circuit calls its options where the device that counts cycles calls them something else.
DEVICE_NAMES = {"mem_data_width": "mem_width"}

USUAL: dict[str, Sequence[int]] = {
    "LOG_BATCH": (0, 1),
    "LOG_BLOCK_IN": (1, 2, 3, 4, 5),
    "LOG_BLOCK_OUT": (1, 2, 3, 4, 5),
    "LOG_WGT_WIDTH": (2, 3),
    "LOG_UOP_BUFF_SIZE": (10, 11, 12, 13, 14),
    "LOG_INP_BUFF_SIZE": (11, 12, 13, 14, 15, 16),
    "LOG_WGT_BUFF_SIZE": (12, 13, 14, 15, 16, 17, 18),
    "LOG_ACC_BUFF_SIZE": (12, 13, 14, 15, 16, 17),
    "ALU_REQUANTIZE": (0, 1),
    "GEMM_SET": (0, 1),
    "mem_data_width": (64, 128, 256),
    "log_queue": (3, 5),
    "log_max_burst": (2, 4),
    "log_outstanding": (5, 6, 8),
    "log_acc_banks": (0, 1, 2),
}
"""The space where users give none, beside parts of the DSP blocks that there are."""
DSP_PARTS = 4
BLOCK = "LOG_BLOCK"
BLOCKS = ("LOG_BLOCK_IN", "LOG_BLOCK_OUT")


@functools.cache
def _configuration_knobs() -> dict[str, int]:
    """The numbers that a configuration can choose, with their defaults: what it knows by its attributes' names."""
    default = _runtime.Config("{}")
    found: dict[str, int] = {}
    for name in sorted(vars(type(default))):
        value = getattr(default, name, None)
        if name.startswith("_") or not isinstance(value, int):
            continue
        key, number = name.upper(), int(value)
        try:
            _, complaints = _runtime.Config.read(json.dumps({key: number}))
        except ConfigError:
            continue
        if not complaints:
            found[key] = number
    return found


class VtaDesigns(Designs):
    """See Designs. energy: a table of energies; None is the one that ships with acc.

    Raises ConfigError for a device that there is not.
    """

    def __init__(self, device: str, energy: str | os.PathLike[str] | None = None) -> None:
        if device not in synthesis.FPGAS:
            raise ConfigError(
                f"there is no device '{device}' to explore for: choose one of {', '.join(synthesis.FPGAS)}"
            )
        self.device = device
        self.capacity = synthesis.FPGAS[device].capacity
        self.table = read_table(energy)
        self._predictor = prediction.default_predictor()
        self._circuit = dataclasses.fields(Circuit)
        circuit = {
            field.name: self.capacity["dsp"] if field.default is None else int(field.default)  # type: ignore[arg-type]
            for field in self._circuit
        }
        latency = next(option.initial for option in self._kind().options if option.name == MEMORY)
        self.knobs = {
            **{name: Knob(name, value, "configuration") for name, value in _configuration_knobs().items()},
            BLOCK: Knob(BLOCK, _configuration_knobs()[BLOCKS[0]], "configuration, both blocks"),
            **{name: Knob(name, value, "circuit") for name, value in circuit.items()},
            MEMORY: Knob(MEMORY, int(latency), "memory, in cycles"),
            CLOCK: Knob(CLOCK, 0, "clock in MHz; 0 is the frequency that is predicted or routed"),
        }

    @staticmethod
    def _kind() -> Any:
        return next(kind for kind in kinds() if kind.name == TIMED)

    def usual(self) -> Mapping[str, Sequence[int]]:
        """See Designs."""
        blocks = self.capacity["dsp"]
        return {**USUAL, "dsp_blocks": tuple(part * blocks // DSP_PARTS for part in range(DSP_PARTS + 1))}

    @property
    def notes(self) -> Sequence[str]:  # type: ignore[override]
        """See Designs."""
        routed = sum(example.routed is not None for example in self._predictor.examples)
        return (
            f"area and frequency are predicted from {len(self._predictor.examples)} circuits that were synthesized, "
            f"of which {routed} were routed; energy is of a table ({self.table.source})",
        )

    def make(self, values: Mapping[str, int], *, must_fit: bool = True) -> Design:
        """See Designs."""
        whole = {name: values.get(name, knob.default) for name, knob in self.knobs.items()}
        if BLOCK in values:
            whole |= dict.fromkeys(BLOCKS, values[BLOCK])
        keys = {name: whole[name] for name in _configuration_knobs()}
        options = {field.name: whole[field.name] for field in self._circuit}
        try:
            config = _runtime.Config(json.dumps(keys))
        except ConfigError as error:
            raise Illegal(_rule(str(error)), str(error)) from None
        try:
            circuit = Circuit(**options)
            constants(config, circuit, gate_idle=False)
        except ConfigError as error:
            raise Illegal(_rule(str(error)), str(error)) from None
        predicted = self._predictor.predict(config, circuit)
        shares = {name: getattr(predicted, name) / have for name, have in self.capacity.items()}
        most = max(shares, key=lambda name: shares[name])
        if must_fit and shares[most] > 1:
            title = synthesis.RESOURCES[most][0]
            raise Illegal(
                f"{self.device} is too small: not enough {title}",
                f"it takes {getattr(predicted, most):,} {title}, and {self.device} has {self.capacity[most]:,}",
            )
        mhz = predicted.fmax_mhz
        if whole[CLOCK]:
            if must_fit and whole[CLOCK] > mhz:
                raise Illegal("it would not be as fast as target_mhz", f"{mhz:.0f} MHz instead of {whole[CLOCK]}")
            mhz = float(whole[CLOCK])
        return self._design(whole, config, circuit, predicted, shares, mhz)

    def _design(
        self,
        whole: Mapping[str, int],
        config: Any,
        circuit: Circuit,
        predicted: prediction.Prediction,
        shares: Mapping[str, float],
        mhz: float,
    ) -> Design:
        contents = json.loads(config.to_json())
        kind = self._kind()
        options = {DEVICE_NAMES.get(name, name): value for name, value in dataclasses.asdict(circuit).items()}
        options[MEMORY] = whole[MEMORY]
        told = {name: value for name, value in options.items() if value is not None and kind.has(name)}
        initial = {option.name: option.initial for option in kind.options}
        chosen = {name: told[name] for name in sorted(told) if name in Vta.takes and told[name] != initial[name]}
        device = f"{TIMED}:" + ",".join(f"{name}={value}" for name, value in sorted(told.items()))
        return Design(
            values=whole,
            identity={"config": {k: v for k, v in contents.items() if isinstance(v, int)}, "device": device, **chosen},
            accelerator=Vta.from_options({"config": contents, **chosen}),
            timing_device=device,
            compile_options=chosen,
            predicted=dataclasses.asdict(predicted),
            shares=shares,
            mhz=mhz,
            files={"vta_config.json": contents},
            circuit=dataclasses.asdict(circuit),
            summary=self._summary(whole, config),
        )

    def _summary(self, whole: Mapping[str, int], config: Any) -> str:
        """What tells a design from others: the tile, the types, the scratchpads, and whatever is not the default."""
        kilobytes = [
            f"{config.depth(memory) * config.element_bytes(memory) / 1024:g}" for memory in ("uop", "inp", "wgt", "acc")
        ]
        said = (BLOCK, *BLOCKS, "LOG_BATCH", "LOG_INP_WIDTH", "LOG_WGT_WIDTH")
        rest = [
            f"{name}={whole[name]}"
            for name, knob in self.knobs.items()
            if whole[name] != knob.default and name not in said and not name.endswith("_BUFF_SIZE")
        ]
        tile = f"{config.batch}x{config.block_in}x{config.block_out}"
        types = f"int{config.inp_bits} x int{config.wgt_bits}"
        return ", ".join([tile, types, "/".join(kilobytes) + " KiB", *rest])

    def workload(self, graph: Graph) -> Workload:
        """See Designs."""
        return read_workload(graph.module)

    def estimate(self, design: Design, workload: Workload) -> Figures:
        """See Designs."""
        config = self._config(design)
        cycles, counts = estimate(workload, config, Circuit(**design.circuit))
        return Figures(round(cycles), left_to_host(workload, config), counts)

    @staticmethod
    def _config(design: Design) -> Any:
        return _runtime.Config(json.dumps(design.files["vta_config.json"]))

    def job(self, design: Design, model: bytes, options: Mapping[str, Any]) -> CountJob:
        """See Designs."""
        return CountJob(design.accelerator, design.timing_device, model, options)

    def profile_job(self, design: Design, model: bytes, options: Mapping[str, Any], tuning: str) -> ProfileJob:
        """See Designs."""
        return ProfileJob(design.accelerator, design.timing_device, model, options, tuning)

    def energy(self, design: Design, figures: Figures, mhz: float) -> float:
        """See Designs."""
        return self.table.joules(self._config(design), figures.counts, figures.cycles / (1e6 * mhz))

    def route(self, design: Design, mhz: float, progress: Any) -> dict[str, Any]:
        """See Designs."""
        try:
            area = synthesis.synthesize(
                self._config(design), Circuit(**design.circuit), device=self.device, target_mhz=mhz, progress=progress
            )
        except ConfigError as error:
            raise Illegal("it does not fit after synthesis", str(error)) from None
        return {
            "config": area.config,
            "circuit": area.circuit,
            "device": area.device,
            "target_mhz": area.target_mhz,
            "seed": 1,
            "synthesized": None,
            "routed": {name: getattr(area, name) for name in synthesis.RESOURCES},
            "fmax_mhz": area.fmax_mhz,
        }

    def learn(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """See Designs."""
        examples = []
        for row in rows:
            try:
                examples.append(prediction.Example.read(row))
            except ValueError:
                continue
        if examples:
            self._predictor = prediction.Predictor([*self._predictor.examples, *examples])
        return len(examples)


def _rule(message: str) -> str:
    """What a message says without the numbers of one configuration: points are counted by the rule that they break."""
    text = " ".join(line.strip() for line in message.splitlines()[:2]).removeprefix("illegal hardware configuration: ")
    head = text.split(" (log2 depths")[0].split(": make")[0]
    return " ".join("N" if any(char.isdigit() for char in word) else word for word in head.split())
