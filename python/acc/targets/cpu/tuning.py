"""Tuning of native code: tiles of contractions, measured on this machine.

A machine is noisy, so nothing is compared that did not run side by side: a candidate and the best so far take turns, on
one processor, and what counts is the middle of the ratios of neighbouring runs. A candidate replaces the best after it
was clearly quicker twice. Costs in the log are parts of the time that the default tile takes, which holds longer than
seconds do. Each trial changes the tiles of all contractions of the model at once, since every kernel is timed alone.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from acc.dtypes import BY_NAME
from acc.errors import AccError, CompileError
from acc.machine import processor
from acc.passes import host, te, upstream
from acc.passmanager import PassManager
from acc.pipeline import Graph, Options, Pipeline, Shapes
from acc.targets.cpu.schedule import Contraction, Processor, Tile, choose_tile, heaviest_contraction, legal_tiles
from acc.targets.cpu.target import CpuOptions

__all__ = ["NativeJob", "Ratios", "Tuning", "describe", "read_contractions"]

PAIRS = 7
"""How often candidate and best so far take turns in a trial."""
LEAST_SECONDS = 0.2
"""So long they take turns at least, if a run is short."""
BETTER = 0.98
"""The part of the time of the best so far below which a candidate is clearly quicker."""


def describe(cpu: CpuOptions) -> dict[str, Any]:
    """What native code's time depends on: the processor, and the features that code may use."""
    return {
        "processor": processor(),
        "features": sorted(cpu.all_features()),
        "opt_level": cpu.opt_level,
        "guard": cpu.guard,
    }


def read_contractions(pipeline: Pipeline, graph: Graph) -> dict[str, Contraction]:
    """The contraction of every native kernel of a model that has one, by what policies call the kernel."""
    kernels = pipeline.make_kernels(dataclasses.replace(graph, module=graph.module.clone()))
    module = kernels.module
    pm = PassManager("builtin.module", module.context)
    # As stages.make_te does before tiles are chosen.
    for step in (te.hoist_operands(), upstream.canonicalize(), host.separate_updates()):
        pm.add(step)
    pm.run(module)
    symbols = {str(op.attributes["sym_name"].value): op for op in module.body if op.name == "te.kernel"}
    found: dict[str, Contraction] = {}
    for launch in kernels.launches:
        kernel = symbols.get(launch.symbol)
        if kernel is not None and kernel.attributes["target"].value == "cpu":
            contraction = heaviest_contraction(kernel)
            if contraction is not None:
                found[launch.kernel] = contraction
    return found


@dataclasses.dataclass(frozen=True)
class Ratios:
    """What a trial has found: by kernel the time of the candidate over that of the best so far, and the latter's
    seconds; the same of the whole model under "".
    """

    ratios: Mapping[str, float]
    seconds: Mapping[str, float]
    error: str = ""


@dataclasses.dataclass(frozen=True)
class NativeJob:
    """Lets two versions of a model take turns. model: the ONNX file's bytes, or its path. best, candidate: tiles."""

    model: bytes | str
    shapes: Shapes | None
    values: Any
    ties: str
    cpu: CpuOptions
    best: tuple[tuple[str, Tile], ...]
    candidate: tuple[tuple[str, Tile], ...]

    def run(self) -> Ratios:
        """Does it; what goes wrong is part of the outcome."""
        try:
            return self._run()
        except (AccError, MemoryError) as error:
            return Ratios({}, {}, str(error) or type(error).__name__)

    def _run(self) -> Ratios:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        first, second = (_load(self, tiles) for tiles in (self.best, self.candidate))
        rng = np.random.default_rng(0)
        inputs = {info.name: _draw(info.fixed_shape, info.dtype, rng) for info in first.inputs}
        names = [layer.kernel for layer in first.report()]
        for model in (first, second):
            model.run(inputs)
        times: list[tuple[list[float], list[float]]] = []
        until = time.monotonic() + LEAST_SECONDS
        while len(times) < PAIRS or (time.monotonic() < until and len(times) < 50 * PAIRS):
            # Who comes first takes turns too.
            pair = [_time(model, inputs) for model in ((first, second) if len(times) % 2 else (second, first))]
            times.append((pair[0], pair[1]) if len(times) % 2 else (pair[1], pair[0]))
        ratios, seconds = {}, {}
        for index, name in enumerate([*names, ""]):
            ratios[name] = statistics.median(new[index] / max(old[index], 1e-9) for old, new in times)
            seconds[name] = statistics.median(old[index] for old, _ in times)
        return Ratios(ratios, seconds)


def _time(model: Any, inputs: Mapping[str, np.ndarray]) -> list[float]:
    """Seconds of every kernel, and of all together."""
    model.run(inputs)
    layers = [float(value) for value in model.statistics["layer_seconds"]]
    return [*layers, sum(layers)]


def _draw(shape: tuple[int, ...] | None, dtype: str, rng: np.random.Generator) -> np.ndarray:
    if shape is None:
        raise CompileError("sizes of the model's inputs are open: give them with --shape")
    known = BY_NAME[dtype].dtype
    if np.issubdtype(known, np.floating):
        return rng.normal(0, 1, shape).astype(known)
    return rng.integers(0, 2, shape).astype(known)


# The versions that were loaded last, of this process.
_loaded: dict[tuple[tuple[str, Tile], ...], Any] = {}


def _load(job: NativeJob, tiles: tuple[tuple[str, Tile], ...]) -> Any:
    from acc.compiler import compile_graph
    from acc.executable import Executable

    if tiles not in _loaded:
        for old in [known for known in _loaded if known != job.best]:
            _loaded.pop(old).close()
        pipeline = Pipeline(Options(cpu=dataclasses.replace(job.cpu, tuned=tiles), ties=job.ties))
        model = onnx.load_from_string(job.model) if isinstance(job.model, bytes) else job.model
        compilation = compile_graph(pipeline, pipeline.import_graph(model, job.shapes, job.values))
        _loaded[tiles] = Executable.from_contents(compilation.contents, profile=True)
    return _loaded[tiles]


@dataclasses.dataclass
class _Search:
    """The tiles of one contraction that are still to be tried; cost: of the best, in parts of the default's."""

    contraction: Contraction
    default: Tile
    best: Tile
    waiting: list[Tile]
    cost: float = 1.0
    tried: int = 0
    seconds: float = 0.0
    count: int = 0


class Tuning:
    """A search for a model's tiles.

    contractions: see `read_contractions`. known: tiles by identity that are worth a try first.

    Attributes:
        searches: by `Contraction.identity`.
    """

    def __init__(
        self,
        contractions: Mapping[str, Contraction],
        processor: Processor,
        known: Mapping[str, Sequence[Tile]],
        seed: int,
        note: Callable[[str, str, Tile, float], None],
    ) -> None:
        self.searches: dict[str, _Search] = {}
        self.kernels: dict[str, list[str]] = {}
        self._confirm: dict[str, Tile] = {}
        self._note = note
        rng = np.random.default_rng(seed)
        for kernel, contraction in contractions.items():
            identity = contraction.identity
            self.kernels.setdefault(identity, []).append(kernel)
            if identity in self.searches:
                continue
            tiles = legal_tiles(contraction, processor)
            default = choose_tile(contraction, processor)
            rest = [tile for tile in tiles if tile != default]
            # Near ones first: what the model of the processor says is seldom far off.
            rest.sort(key=lambda tile, own=default: (_distance(tile, own), rng.random()))
            first = [tile for tile in known.get(identity, ()) if tile in rest]
            waiting = list(dict.fromkeys([*first, *rest]))
            self.searches[identity] = _Search(contraction, default, default, waiting)
        for identity, search in self.searches.items():
            search.count = len(self.kernels[identity])

    @property
    def best(self) -> tuple[tuple[str, Tile], ...]:
        """The tiles that are not the default."""
        return tuple((name, s.best) for name, s in sorted(self.searches.items()) if s.best != s.default)

    def next(self) -> tuple[tuple[str, Tile], ...] | None:
        """A candidate for every contraction that has one left; None if none has."""
        chosen = {name: search.best for name, search in self.searches.items()}
        changed = False
        for name, search in self.searches.items():
            if name in self._confirm:
                chosen[name], changed = self._confirm[name], True
            elif search.waiting:
                chosen[name], changed = search.waiting.pop(0), True
        if not changed:
            return None
        return tuple((name, tile) for name, tile in sorted(chosen.items()) if tile != self.searches[name].default)

    def observe(self, candidate: tuple[tuple[str, Tile], ...], outcome: Ratios) -> None:
        """Takes note of a trial."""
        chosen = {name: search.default for name, search in self.searches.items()} | dict(candidate)
        for name, search in self.searches.items():
            tile = chosen[name]
            times = [(outcome.seconds[k], outcome.ratios[k]) for k in self.kernels[name] if k in outcome.ratios]
            total = sum(seconds for seconds, _ in times)
            if not times or tile == search.best or total <= 0:
                continue
            search.seconds = search.seconds or total
            search.tried += 1
            ratio = sum(seconds * ratio for seconds, ratio in times) / total
            if ratio >= BETTER:
                self._confirm.pop(name, None)
                self._note(name, self.kernels[name][0], tile, search.cost * max(ratio, 1.0))
            elif name not in self._confirm:
                self._confirm[name] = tile
            else:
                del self._confirm[name]
                search.best, search.cost = tile, search.cost * ratio
                self._note(name, self.kernels[name][0], tile, search.cost)


def _distance(tile: Tile, other: Tile) -> float:
    pairs = ((tile.width, other.width), (tile.vectors, other.vectors), (tile.rows + 1, other.rows + 1))
    return float(sum(abs(np.log2(a / b)) for a, b in pairs))
