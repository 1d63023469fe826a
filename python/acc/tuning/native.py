"""`acc.tune` for native code: what `acc.targets.cpu.tuning` searches, with the log and the limits of the rest."""

from __future__ import annotations

import os
import time
from typing import Any

import onnx

from acc.compiler import Model
from acc.errors import CompileError
from acc.frontend.specialize import Values
from acc.pipeline import Pipeline, Shapes
from acc.targets.cpu import tuning
from acc.targets.cpu.schedule import Processor, Tile
from acc.targets.cpu.target import CpuOptions
from acc.tuning.log import Key, Log, Record, Writer, canonical, version
from acc.tuning.options import KernelResult, Options, Progress, Status, TuningResult
from acc.tuning.workers import Processes

__all__ = ["NATIVE", "find_tiles", "tune_native"]

NATIVE = "cpu"
"""What lines of the log call native code."""


def _key(cpu: CpuOptions, what: str) -> Key:
    return Key(version(), NATIVE, canonical(tuning.describe(cpu)), "kernel", what)


def find_tiles(log: Log, cpu: CpuOptions) -> tuple[tuple[str, Tile], ...]:
    """The quickest tiles that a log knows for a processor, where they are quicker than the default."""
    found = []
    for record in log.matching(NATIVE, canonical(tuning.describe(cpu))):
        if record.key.kind != "kernel" or record.cost is None or record.cost >= 1:
            continue
        try:
            found.append((record.key.what, Tile.from_dict(record.choice)))
        except ValueError:
            continue
    return tuple(sorted(found, key=lambda known: known[0]))


def tune_native(
    pipeline: Pipeline,
    model: Model,
    shapes: Shapes | None,
    values: Values | None,
    options: Options,
    log: Log,
    writer: Writer,
    progress: Progress | None,
) -> TuningResult:
    """Searches tiles for the native kernels of a model; see `acc.tuning.tune`."""
    if options.ray is not None:
        raise CompileError("native code is measured on this machine, not on a Ray cluster")
    cpu = pipeline.options.cpu
    graph = pipeline.import_graph(model, shapes, values)
    contractions = tuning.read_contractions(pipeline, graph)
    if not contractions:
        raise CompileError("the model has no convolutions or products with tiles, so there is nothing to tune")
    known: dict[str, list[Tile]] = {}
    for contraction in contractions.values():
        key = _key(cpu, contraction.identity)
        records = [record for record in (log.best(key), *log.others(key)) if record is not None]
        for record in records:
            try:
                known.setdefault(contraction.identity, []).append(Tile.from_dict(record.choice))
            except ValueError:
                continue

    def note(identity: str, name: str, tile: Tile, cost: float) -> None:
        writer.append(Record(_key(cpu, identity), tile.to_dict(), cost, name))

    processor = Processor.from_features(cpu.all_features())
    search = tuning.Tuning(contractions, processor, known, options.seed, note)
    sent = os.path.abspath(model) if isinstance(model, str | os.PathLike) else _serialize(model)
    started = time.monotonic()
    trials = failed = 0
    last = tuning.Ratios({}, {})
    workers = Processes(1)

    def measure(candidate: tuple[tuple[str, Tile], ...], best: tuple[tuple[str, Tile], ...]) -> tuning.Ratios:
        job = tuning.NativeJob(sent, shapes, values, pipeline.options.ties, cpu, best, candidate)
        workers.submit(None, job)
        while True:
            for _, outcome in workers.outcomes(1.0):
                if isinstance(outcome, tuning.Ratios):
                    return outcome
                return tuning.Ratios({}, {}, outcome.error)

    def left() -> bool:
        if options.trials is not None and trials >= options.trials:
            return False
        return options.seconds is None or time.monotonic() - started < options.seconds

    try:
        first = measure((), ())
        if first.error:
            raise CompileError(f"the model cannot be measured: {first.error}")
        while left() and (candidate := search.next()) is not None:
            outcome = measure(candidate, search.best)
            trials += 1
            failed += bool(outcome.error)
            search.observe(candidate, outcome)
            if progress is not None:
                progress(_status(search, first, trials, started, options))
        last = measure(search.best, ())
        lost = workers.lost
    finally:
        workers.close()
    default = last.seconds.get("", first.seconds[""])
    results = [
        KernelResult(
            search.kernels[identity][0],
            found.count,
            found.seconds or sum(first.seconds.get(name, 0.0) for name in search.kernels[identity]),
            (found.seconds or sum(first.seconds.get(name, 0.0) for name in search.kernels[identity])) * found.cost,
            0.0,
            len(found.waiting) + found.tried + 1,
            found.tried,
            f"tile {found.best.width}x{found.best.vectors * found.best.lanes}, rows {found.best.rows}",
        )
        for identity, found in search.searches.items()
    ]
    elapsed = time.monotonic() - started
    best = default * last.ratios.get("", 1.0)
    return TuningResult(NATIVE, "seconds", default, best, 0.0, tuple(results), trials, failed, lost, elapsed)


def _status(search: tuning.Tuning, first: tuning.Ratios, trials: int, started: float, options: Options) -> Status:
    elapsed = time.monotonic() - started
    rate = trials / elapsed if elapsed > 0 else 0.0
    left: list[float] = []
    if options.seconds is not None:
        left.append(max(0.0, options.seconds - elapsed))
    if options.trials is not None and rate:
        left.append((options.trials - trials) / rate)
    saved = sum(found.seconds * (1 - found.cost) for found in search.searches.values())
    return Status("native code", trials, rate, min(left, default=None), first.seconds[""], first.seconds[""] - saved)


def _serialize(model: Any) -> bytes:
    if not isinstance(model, onnx.ModelProto):
        raise CompileError(f"a model is a path or a ModelProto, not {type(model).__name__}")
    return model.SerializeToString()
