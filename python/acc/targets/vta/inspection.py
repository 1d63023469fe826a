"""A run on the accelerator in the words of `acc.inspect.activity`: what each unit did, for which kernel, and where
things lie in the scratchpads and in memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from acc.container import ModelFile, read_model
from acc.devices import DeviceSpec
from acc.inspect.activity import Activity, KernelActivity, LaunchActivity, Memory, Slice, Use
from acc.report import LayerReport
from acc.targets.vta.profile import COUNTS, LaunchProfile, profile
from acc.targets.vta.programs import decode
from acc.targets.vta.schedule import PORT_BYTES
from acc.timeline import Run, fetches, layer_cycles, layer_waits, slices

SCRATCHPADS = {"inp": "inputs", "wgt": "weights", "acc": "accumulators", "uop": "micro-ops"}
MOVED = {**SCRATCHPADS, "acc8": "accumulators", "out": "results"}


def inspect(
    path: str | os.PathLike[str],
    inputs: Mapping[str, np.ndarray] | None = None,
    device: str | DeviceSpec = "csim",
) -> Activity:
    """Runs a compiled model once, on zeros without `inputs`; raises RunError if it leaves sizes open then."""
    found = profile(path, device=device, inputs=inputs)
    file = read_model(path)
    rows = {id(kernel): row for row, kernel in enumerate(k for launch in found.launches for k in launch.kernels)}
    begin, launches = 0, []
    held: dict[str, list[Use]] = {name: [] for name in SCRATCHPADS}
    dram = _Dram(file)
    number = 0
    for launch in found.launches:
        if launch.run is None:
            continue
        of_layer = _rows_of_layers(launch, rows)
        launches.append(_launch(launch, of_layer, begin, found.macs_per_step))
        program = decode(file, launch.run.result["program"])
        _add_uses(held, launch.run, _memory_fields(program), of_layer, begin, program.config)
        dram.add(number, launch.run, program, of_layer, begin)
        begin += launch.run.cycles
        number += 1
    config = found.config
    memories = [Memory("DRAM", dram.bytes, tuple(dram.uses))]
    for name, uses in held.items():
        memories.append(Memory(SCRATCHPADS[name], config.depth(name) * config.element_bytes(name), tuple(uses)))
    return Activity(found.device, begin, found.macs_per_step, PORT_BYTES, tuple(launches), tuple(memories))


def _rows_of_layers(launch: LaunchProfile, rows: Mapping[int, int]) -> dict[str, int]:
    """The row of every text that instructions of a launch have for a layer: ONNX nodes, joined."""
    assert launch.run is not None
    found: dict[str, int] = {}
    first = rows[id(launch.kernels[0])]
    for text in dict.fromkeys(insn["layer"] for insn in launch.run.instructions):
        kernel = _kernel_of(text, launch.kernels)
        # What is nobody's comes at the beginning or the end of a program.
        found[text] = first if kernel is None else rows[id(kernel)]
    return found


def _kernel_of(text: str, kernels: Sequence[LayerReport]) -> LayerReport | None:
    """The kernel that has most of the nodes in a text."""

    def nodes(kernel: LayerReport) -> int:
        return sum(f"+{name}+" in f"+{text}+" for name in kernel.layers)

    best = max(kernels, key=nodes)
    return best if nodes(best) else None


def _launch(launch: LaunchProfile, of_layer: Mapping[str, int], begin: int, macs_per_step: int) -> LaunchActivity:
    run = launch.run
    assert run is not None
    cycles, waits = layer_cycles(run), layer_waits(run)
    kernels: dict[int, KernelActivity] = {}
    for layer in launch.layers:
        row = of_layer[layer.name]
        counts = {count: getattr(layer, count) for count in COUNTS}
        part = KernelActivity(
            cycles[layer.name],
            layer.gemm_steps * macs_per_step,
            {"products": counts["gemm_steps"], "resets": counts["reset_steps"], "vectors": counts["alu_steps"]},
            waits.get(layer.name, {}),
            _by_content(layer.dram_bytes),
        )
        kernels[row] = _joined(kernels[row], part) if row in kernels else part
    activity = run.result.get("activity", {})
    units = {
        unit: {**{key: value for key, value in facts.items() if key != "waits"}, **_named(facts.get("waits", {}))}
        for unit, facts in activity.items()
    }
    tracks: dict[str, tuple[Slice, ...]] = {
        "fetch": tuple(
            Slice(begin + since, begin + until, of_layer[run.instructions[at]["layer"]], f"{last - at + 1} fetched")
            for at, last, since, until in fetches(run)
        )
    }
    for module, track in slices(run).items():
        tracks[module] = tuple(_pieces(run, track, of_layer, begin))
    return LaunchActivity(begin, run.cycles, kernels, units, tracks)


def _by_content(moved: Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for memory, count in moved.items():
        if count:
            found[MOVED[memory]] = found.get(MOVED[memory], 0) + count
    return found


def _named(waits: Mapping[str, int]) -> dict[str, int]:
    return {f"waits for {unit}": cycles for unit, cycles in waits.items()}


def _pieces(run: Run, track: Iterable[Any], of_layer: Mapping[str, int], begin: int) -> Iterable[Slice]:
    for piece in track:
        insn = run.instructions[piece.index]
        row = of_layer[insn["layer"]]
        if piece.waits is not None and piece.waits[1] > piece.waits[0]:
            since, until, whom = piece.waits
            yield Slice(begin + since, begin + until, row, f"waits for {whom}", whom)
        yield Slice(begin + piece.begin, begin + piece.end, row, insn["name"])


def _joined(a: KernelActivity, b: KernelActivity) -> KernelActivity:
    def added(x: Mapping[str, int], y: Mapping[str, int]) -> dict[str, int]:
        return {key: x.get(key, 0) + y.get(key, 0) for key in dict.fromkeys((*x, *y))}

    return KernelActivity(
        *(a.cycles + b.cycles, a.products + b.products),
        *(added(a.steps, b.steps), added(a.waits, b.waits), added(a.bytes, b.bytes)),
    )


def _memory_fields(program: Any) -> list[dict[str, int]]:
    """Of every instruction the fields of a load or store; of others they mean nothing."""
    places = program.config.layout["mem"]
    stream = program.at([0] * len(program.buffers)).link()
    words = [int.from_bytes(stream[at : at + 16], "little") for at in range(0, len(stream), 16)]
    return [{name: word >> low & (1 << width) - 1 for name, (low, width) in places.items()} for word in words]


def _add_uses(
    held: dict[str, list[Use]],
    run: Run,
    fields: Sequence[Mapping[str, int]],
    of_layer: Mapping[str, int],
    begin: int,
    config: Any,
) -> None:
    """What loads put into scratchpads: from the load on until another takes its place, or the launch is over."""
    current: dict[str, list[tuple[int, int, int, int, str]]] = {name: [] for name in SCRATCHPADS}

    def end(name: str, low: int, high: int, at: int) -> None:
        kept = []
        for item in current[name]:
            if item[0] < high and low < item[1]:
                held[name].append(Use(begin + item[2], begin + max(at, item[2]), item[0], item[1], item[3], item[4]))
            else:
                kept.append(item)
        current[name] = kept

    for index, insn in enumerate(run.instructions):
        name = insn["memory"]
        if insn["module"] == "store" or name not in current or not insn["dram_bytes"]:
            continue
        place, size = fields[index], config.element_bytes(name)
        rows = place["y_size"] + place["y_pad_0"] + place["y_pad_1"]
        columns = place["x_size"] + place["x_pad_0"] + place["x_pad_1"]
        low = place["sram_base"] * size
        high = low + rows * columns * size
        since = int(run.result["started"][index])
        end(name, low, high, since)
        current[name].append((low, high, since, of_layer[insn["layer"]], insn["name"]))
    for name in SCRATCHPADS:
        end(name, 0, 1 << 62, run.cycles)


class _Dram:
    """The buffers of programs in the memory of the accelerator, one behind the other, and when they are accessed."""

    def __init__(self, file: ModelFile) -> None:
        self._launches = file.metadata.get("launches", [])
        self._places: dict[object, tuple[int, int]] = {}
        self.bytes = 0
        self.uses: list[Use] = []

    def add(self, number: int, run: Run, program: Any, of_layer: Mapping[str, int], begin: int) -> None:
        """Notes the accesses of a launch: for every buffer, from a kernel's first to its last."""
        described = self._launches[number]["buffers"] if number < len(self._launches) else []
        given = [index for index in range(len(program.buffers)) if index != program.uop_buffer]
        entries = dict(zip(given, described, strict=False))
        seen: dict[tuple[int, int], list[int]] = {}
        for index, insn in enumerate(run.instructions):
            if insn["buffer"] >= 0 and insn["dram_bytes"]:
                times = int(run.result["started"][index]), int(run.result["retired"][index])
                span = seen.setdefault((insn["buffer"], of_layer[insn["layer"]]), list(times))
                span[0], span[1] = min(span[0], times[0]), max(span[1], times[1])
        for (buffer, row), (since, until) in seen.items():
            entry = entries.get(buffer, {"role": "micro-ops"})
            # Constants are the same in every launch; other memory takes turns, and is shown launch by launch.
            key = ("constant", entry["constant"]) if "constant" in entry else (number, entry.get("memory", "uops"))
            low, high = self._place(key, program.buffers[buffer][1])
            what = entry.get("tensor") or entry.get("weights") or ""
            self.uses.append(Use(begin + since, begin + until, low, high, row, f"{entry['role']} {what}".strip()))

    def _place(self, key: object, size: int) -> tuple[int, int]:
        if key not in self._places:
            self._places[key] = self.bytes, self.bytes + size
            self.bytes += size
        return self._places[key]
