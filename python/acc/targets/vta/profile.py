"""Where the cycles of a compiled model go: by launch and by ONNX layer, as a device with a notion of time counts them.

Time on the accelerator does not depend on data, so any inputs do. What runs natively has no cycles; it is named.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from acc.container import read_model
from acc.devices import TIMED, DeviceSpec, differences, one
from acc.errors import RunError
from acc.executable import load
from acc.inspect.native_profile import zeros
from acc.report import LayerReport, chain_name, chains, format_table
from acc.targets.vta.programs import decode
from acc.timeline import Run, layer_cycles, layer_waits

COUNTS = ("gemm_steps", "reset_steps", "alu_steps")


@dataclasses.dataclass(frozen=True)
class LayerProfile:
    """An ONNX layer's part of a launch, or of all; `dram_bytes` by memory."""

    name: str
    cycles: int = 0
    gemm_steps: int = 0
    reset_steps: int = 0
    alu_steps: int = 0
    dram_bytes: dict[str, int] = dataclasses.field(default_factory=dict)

    def __add__(self, other: LayerProfile) -> LayerProfile:
        memories = sorted(self.dram_bytes.keys() | other.dram_bytes.keys())
        return LayerProfile(
            self.name,
            cycles=self.cycles + other.cycles,
            gemm_steps=self.gemm_steps + other.gemm_steps,
            reset_steps=self.reset_steps + other.reset_steps,
            alu_steps=self.alu_steps + other.alu_steps,
            dram_bytes={m: self.dram_bytes.get(m, 0) + other.dram_bytes.get(m, 0) for m in memories},
        )


@dataclasses.dataclass(frozen=True)
class LaunchProfile:
    """One launch of an accelerator program, made of one or more kernels, or a native kernel, which has no run."""

    kernels: list[LayerReport]
    run: Run | None = None

    @property
    def name(self) -> str:
        return chain_name(self.kernels)

    @property
    def cycles(self) -> int:
        return self.run.cycles if self.run else 0

    @property
    def layers(self) -> list[LayerProfile]:
        """What each ONNX layer has of it, in the order of their first instructions."""
        if self.run is None:
            return []
        cycles = layer_cycles(self.run)
        layers: dict[str, LayerProfile] = {}
        for insn in self.run.instructions:
            name = insn["layer"]
            moved = {insn["memory"]: insn["dram_bytes"]} if insn["dram_bytes"] else {}
            part = LayerProfile(name, dram_bytes=moved, **{count: insn[count] for count in COUNTS})
            layers[name] = layers[name] + part if name in layers else part
        return [dataclasses.replace(layer, cycles=cycles[name]) for name, layer in layers.items()]


@dataclasses.dataclass(frozen=True)
class Profile:
    """What a run of a model on `device` took; `macs_per_step` is what the GEMM core does in a cycle.

    note: how the circuit differs from the one that the model was compiled for; empty if it does not.
    """

    device: str
    config: Any
    launches: list[LaunchProfile]
    note: str = ""

    @property
    def cycles(self) -> int:
        return sum(launch.cycles for launch in self.launches)

    @property
    def macs_per_step(self) -> int:
        return self.config.batch * self.config.block_in * self.config.block_out

    @property
    def layers(self) -> list[LayerProfile]:
        """By ONNX layer, over all launches."""
        total: dict[str, LayerProfile] = {}
        for launch in self.launches:
            for layer in launch.layers:
                total[layer.name] = total[layer.name] + layer if layer.name in total else layer
        return list(total.values())

    def _figures(self, layer: LayerProfile) -> dict[str, Any]:
        return {
            "cycles": layer.cycles,
            "share": layer.cycles / self.cycles if self.cycles else 0.0,
            "gemm_utilisation": layer.gemm_steps / layer.cycles if layer.cycles else 0.0,
            "macs": layer.gemm_steps * self.macs_per_step,
            **{count: getattr(layer, count) for count in COUNTS},
            "dram_bytes": layer.dram_bytes,
        }

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        launches = []
        for launch in self.launches:
            first = launch.kernels[0]
            entry: dict[str, Any] = {"name": launch.name, "target": first.target}
            if launch.run is None:
                entry["reason"] = first.reason
            else:
                entry |= self._figures(_sum("", launch.layers))
                entry |= {key: launch.run.result[key] for key in ("activity", "circuit") if key in launch.run.result}
                entry["layers"] = {layer.name: self._figures(layer) for layer in launch.layers}
            launches.append(entry)
        return {
            "device": self.device,
            **({"note": self.note} if self.note else {}),
            **self._figures(_sum("", self.layers)),
            "launches": launches,
            "layers": {layer.name: self._figures(layer) for layer in self.layers},
        }

    def table(self) -> str:
        """For people: a line per launch and, if it is made of several, per ONNX layer.

        What compute waits for is the device's account for a launch; by layer it is known of tokens only.
        """
        waits = ("memory", "load", "store")
        header = ["layer", "cycles", "%", "GEMM %", "DRAM bytes", *(f"{who} wait %" for who in waits)]
        rows: list[list[str]] = []

        def row(name: str, layer: LayerProfile, stalls: list[str]) -> None:
            figures = self._figures(layer)
            percent = [f"{100 * figures[key]:.1f}" for key in ("share", "gemm_utilisation")]
            rows.append([name, f"{layer.cycles:,}", *percent, f"{sum(layer.dram_bytes.values()):,}", *stalls])

        native = []
        for launch in self.launches:
            if launch.run is None:
                native += launch.kernels
                continue
            row(launch.name, _sum("", launch.layers), _stalls(launch.run))
            if len(launch.layers) > 1:
                waited = layer_waits(launch.run)
                for layer in launch.layers:
                    row(f"  {layer.name or '(no layer)'}", layer, _layer_stalls(layer, waited.get(layer.name, {})))
        row("total", _sum("", self.layers), [""] * len(waits))
        if not any("activity" in launch.run.result for launch in self.launches if launch.run):
            kept = len(header) - len(waits)
            header, rows = header[:kept], [cells[:kept] for cells in rows]
        text = format_table(rows, header)
        text += f"\n\n{self.cycles:,} cycles on {self.device}; of each launch, what compute waits for"
        # Kernels that only fill borders of buffers are not worth a name each.
        names = [kernel.name for kernel in native if kernel.layers or not kernel.kernel.endswith(":halo")]
        if native:
            text += f"\nnot counted, {len(native)} native kernels: {', '.join(names)}"
            text += " and those that fill borders" if len(names) < len(native) else ""
        return f"{text}\nnote: {self.note}" if self.note else text


def _sum(name: str, layers: list[LayerProfile]) -> LayerProfile:
    return sum(layers, LayerProfile(name))


def _stalls(run: Run) -> list[str]:
    """In percent of a launch, how long compute waits: for memory, for tokens of load and of store."""
    if "activity" not in run.result:
        return []
    compute = run.result["activity"]["compute"]
    cycles = [compute["memory"], *(compute["waits"].get(whom, 0) for whom in ("load", "store"))]
    return [f"{100 * count / run.cycles:.1f}" for count in cycles]


def _layer_stalls(layer: LayerProfile, waits: Mapping[str, int]) -> list[str]:
    """The same for a layer, but for memory."""
    cycles = max(layer.cycles, 1)
    return ["", *(f"{100 * waits.get(whom, 0) / cycles:.1f}" for whom in ("load", "store"))]


def configuration(path: str | os.PathLike[str]) -> Any:
    """The hardware that a model was compiled for; raises RunError if it does not use any."""
    model = read_model(path)
    if not model.programs:
        raise RunError(
            f"'{os.fspath(path)}' has no accelerator programs, hence no cycles to count: "
            "`acc run --profile` measures native kernels"
        )
    return decode(model, 0).config


def profile(
    path: str | os.PathLike[str], *, device: str | DeviceSpec = "csim", inputs: Mapping[str, np.ndarray] | None = None
) -> Profile:
    """Runs a compiled model once on a device with a notion of time; without `inputs`, on zeros.

    The circuit is the one that the model was compiled for, where `device` says nothing else.
    """
    spec = one(device)
    spec.require(TIMED)
    config = configuration(path)
    file = read_model(path)
    programs = [decode(file, number) for number in range(len(file.programs))]
    with load(Path(path), device=spec, events=True) as model:
        model.run(zeros(model) if inputs is None else inputs)
        statistics = model.statistics
        kernels = model.report()
    instructions = {index: program.instructions for index, program in enumerate(programs)}
    launched: dict[int, list[LaunchProfile]] = {}
    groups: dict[int, list[LayerReport]] = {}
    for group in chains(kernels):
        groups[sum(map(len, groups.values()))] = group
    for record in statistics["launches"]:
        group = groups.get(record["layer"], [_unknown(record["program"])])
        run = Run(instructions[record["program"]], record, chain_name(group))
        launched.setdefault(record["layer"], []).append(LaunchProfile(group, run))
    launches = launched.pop(-1, [])
    for index, group in groups.items():
        launches += launched.get(index, [LaunchProfile(group)])
    return Profile(spec.name, config, launches, differences(spec, file.device_options))


def _unknown(program: int) -> LayerReport:
    return LayerReport(layers=(f"program {program}",), kernel="", target="?")
