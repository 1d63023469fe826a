"""How long the native kernels of a compiled model take, over repeated runs, beside what the machine could do.

profile = native_profile.profile("model.so")
profile.kernels[0].median, profile.kernels[0].spread     # seconds
print(profile.table())
profile.write_timeline("runs.json")                      # ui.perfetto.dev
"""

from __future__ import annotations

import dataclasses
import os
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acc import timeline
from acc.dtypes import BY_NAME
from acc.errors import RunError
from acc.executable import Executable, load
from acc.report import LayerReport, format_table

if TYPE_CHECKING:
    from acc.inspect.machine_rate import MachineRate

__all__ = ["KernelTime", "NativeProfile", "profile", "zeros"]

FEWEST, MOST, LONG_ENOUGH = 5, 100, 2.0
"""How many runs there are if nobody says: as many as take these seconds, but no fewer and no more."""


@dataclasses.dataclass(frozen=True)
class KernelTime:
    """A native kernel: what the compiler knows of it, and the seconds of every run."""

    layer: LayerReport
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Seconds between the first and the third quartile."""
        low, high = np.quantile(self.seconds, (0.25, 0.75))
        return float(high - low)

    @property
    def is_integer(self) -> bool:
        """Whether its products are of 8-bit integers."""
        return self.layer.saturates is not None

    @property
    def rate(self) -> float | None:
        """Operations a second, two for each multiply-accumulate; None if it has none or nobody knows how many."""
        return 2 * self.layer.macs / self.median if self.layer.macs and self.median else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible: the fields of LayerReport, and what was measured."""
        measured = {"seconds": list(self.seconds), "median": self.median, "spread": self.spread, "rate": self.rate}
        return {"name": self.layer.name, **self.layer.to_dict(), **measured}


@dataclasses.dataclass(frozen=True)
class NativeProfile:
    """Runs of a model: its native kernels in the order in which they run, and the seconds of whole runs.

    accelerated: how many kernels are not native, whose time is a simulator's and is left out. machine: what one of the
    threads could do.
    """

    model: str
    kernels: tuple[KernelTime, ...]
    seconds: tuple[float, ...]
    threads: int
    accelerated: int
    machine: MachineRate

    @property
    def median(self) -> float:
        """Seconds of a whole run."""
        return statistics.median(self.seconds)

    def part_of_bound(self, kernel: KernelTime) -> float | None:
        """Which part of the operations that all threads could do a kernel does, if that is known."""
        bound = self.machine.integers if kernel.is_integer else self.machine.floats
        return kernel.rate / (bound * self.threads) if kernel.rate is not None else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible; times are seconds, rates are for a second."""
        kernels = [{**kernel.to_dict(), "part_of_bound": self.part_of_bound(kernel)} for kernel in self.kernels]
        whole = {"seconds": list(self.seconds), "median": self.median, "threads": self.threads}
        return {"model": self.model, **whole, "machine": dataclasses.asdict(self.machine), "kernels": kernels}

    def table(self) -> str:
        """For people."""
        total = sum(kernel.median for kernel in self.kernels)
        rows = []
        for kernel in self.kernels:
            moved, part = kernel.layer.operand_bytes, self.part_of_bound(kernel)
            rows.append(
                [
                    kernel.layer.name,
                    f"{kernel.median * 1e6:,.2f}",
                    f"{kernel.spread * 1e6:,.2f}",
                    f"{kernel.median / total:.1%}" if total else "",
                    f"{kernel.rate / 1e9:.1f}" if kernel.rate is not None else "",
                    f"{part:.0%}" if part is not None else "",
                    f"{moved / 1e6:.3f}" if moved is not None else "?",
                    f"{moved / kernel.median / 1e9:.1f}" if moved is not None and kernel.median else "",
                ]
            )
        header = ["native kernel", "us", "+-", "share", "GOP/s", "of bound", "MB", "GB/s"]
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        machine, count = self.machine, len(self.seconds)
        said = [
            format_table(rows, header),
            "",
            f"{count} runs on {threads}, {self.median * 1e6:,.1f} us each; us are medians, +- is from quartile to "
            "quartile, MB what a kernel's tensors take.",
            f"Bound of a thread, measured here: {machine.floats / 1e9:.0f} GFLOP/s, {machine.integers / 1e9:.0f} GOP/s "
            f"of 8-bit integers; copies beyond the caches move {machine.bytes / 1e9:.1f} GB/s.",
        ]
        if self.accelerated:
            said.append(f"{self.accelerated} kernels are not native: acc profile without --native counts their cycles.")
        return "\n".join(said)

    def events(self) -> Iterator[dict[str, Any]]:
        """Trace events: a slice per run, and its kernels one behind the other; microseconds."""
        yield {"ph": "M", "name": "process_name", "pid": 1, "tid": 0, "args": {"name": self.model}}
        for track, name in enumerate(("runs", "native kernels")):
            yield {"ph": "M", "name": "thread_name", "pid": 1, "tid": track, "args": {"name": name}}
        begin = 0.0
        for number, whole in enumerate(self.seconds):
            yield {"ph": "X", "name": f"run {number}", "pid": 1, "tid": 0, "ts": begin * 1e6, "dur": whole * 1e6}
            at = begin
            for kernel in self.kernels:
                seconds, layer = kernel.seconds[number], kernel.layer
                arguments = {"layers": list(layer.layers), "MACs": layer.macs, "bytes": layer.operand_bytes}
                yield {
                    **{"ph": "X", "name": layer.name, "pid": 1, "tid": 1, "ts": at * 1e6, "dur": seconds * 1e6},
                    "args": arguments,
                }
                at += seconds
            begin += whole

    def write_timeline(self, path: str | os.PathLike[str]) -> None:
        """Writes all runs for ui.perfetto.dev, whole or not at all; raises RunError."""
        timeline.write_events(path, self.events(), {"model": self.model, "threads": self.threads})


def zeros(model: Executable) -> dict[str, np.ndarray]:
    """Inputs of a model, all zero; raises RunError if it leaves sizes open."""
    inputs = {}
    for info in model.inputs:
        if info.fixed_shape is None:
            raise RunError(f"input '{info.name}' ({info}) has no fixed size: give one with --input")
        inputs[info.name] = np.zeros(info.fixed_shape, BY_NAME[info.dtype].dtype)
    return inputs


def profile(
    path: str | os.PathLike[str],
    *,
    inputs: Mapping[str, np.ndarray] | None = None,
    runs: int | None = None,
    threads: int | None = None,
) -> NativeProfile:
    """Runs a compiled model repeatedly, after two runs that are not counted; without `inputs`, on zeros.

    runs: how often; None is for two seconds. threads: those of native code; None is what the model was compiled for.
    Raises RunError for a model without native kernels, for inputs that do not fit, and for numbers that cannot be.
    """
    # The bound is measured by what is compiled, which counting cycles can do without.
    from acc.inspect.machine_rate import measure

    if runs is not None and not 1 <= runs <= 1_000_000:
        raise RunError(f"{runs} runs cannot be timed: the number is from 1 to 1,000,000")
    whole: list[float] = []
    taken: list[list[float]] = []
    with load(path, profile=True, threads=threads) as model:
        layers = model.report()
        native = [number for number, layer in enumerate(layers) if layer.program is None]
        if not native:
            raise RunError(f"'{os.fspath(path)}' has no native kernels to time")
        given = zeros(model) if inputs is None else inputs
        for _ in range(2):
            model.run(given)
        wanted = runs or MOST
        while len(whole) < wanted and (runs is not None or len(whole) < FEWEST or sum(whole) < LONG_ENOUGH):
            model.run(given)
            said = model.statistics
            whole.append(float(said["seconds"]))
            taken.append([float(value) for value in said["layer_seconds"]])
        used = int(model.statistics["threads"])
    kernels = tuple(KernelTime(layers[number], tuple(times[number] for times in taken)) for number in native)
    return NativeProfile(Path(path).name, kernels, tuple(whole), used, len(layers) - len(native), measure())
