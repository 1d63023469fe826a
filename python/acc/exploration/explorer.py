"""`acc.explore`: hardware for a model, the best for several objectives, and a folder with all of them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx

import acc
from acc import targets
from acc.compiler import Model, make_pipeline
from acc.errors import CompileError, ConfigError, ModelError, TuningWarning
from acc.exploration import search
from acc.exploration.design import Design, Designs, Figures, Illegal
from acc.exploration.front import read_rows, write_front, write_row
from acc.exploration.options import OBJECTIVES, Front, Options, Point, Progress, Status
from acc.exploration.search import Counted, Strategy, front_of, objectives_of
from acc.exploration.space import Space, SpaceChoice, read_space
from acc.exploration.trials import Trial, Trials
from acc.files import read_bytes
from acc.frontend.specialize import Values
from acc.hardware.toolchain import ToolError
from acc.pipeline import Options as PipelineOptions
from acc.pipeline import Shapes
from acc.targets.base import Accelerator
from acc.tuning import Options as TuningOptions
from acc.tuning import tune
from acc.tuning.log import canonical
from acc.tuning.workers import Workers, start

__all__ = ["Exploration", "explore", "find_designs"]

BATCH = 8
"""Designs in a round of the search."""
NATIVE = "it leaves more of the model to the host than the default design"
SHOWN = 3
DEFAULT = "default"


def find_designs(device: str, target: str | None = None, energy: str | os.PathLike[str] | None = None) -> Designs:
    """What there is to explore: of a target, or of the only one that has anything. Raises CompileError, ConfigError."""
    if target is not None:
        found = targets.find(target)
        if not issubclass(found, Accelerator):
            raise CompileError(f"target '{target}' is no accelerator: there is no hardware to explore")
        return found.designs(device, energy)
    for name in targets.OWN:
        known = targets.find(name)
        if issubclass(known, Accelerator) and known.designs.__func__ is not Accelerator.designs.__func__:  # type: ignore[attr-defined]
            return known.designs(device, energy)
    raise CompileError("no target that is installed has hardware to explore")


def explore(
    model: Model,
    space: SpaceChoice | None = None,
    *,
    output: str | os.PathLike[str],
    device: str = "ecp5-85k",
    options: Options | None = None,
    energy: str | os.PathLike[str] | None = None,
    data: Sequence[str | os.PathLike[str]] = (),
    target: str | None = None,
    shapes: Shapes | None = None,
    values: Values | None = None,
    progress: Progress | None = None,
) -> Front:
    """Searches hardware for a model, and writes the best designs into a folder (docs/explore.md).

    model, shapes, values: as in `acc.compile`. space: a TOML file or what one contains, the values that knobs may have;
    None is the target's own. output: the folder, which must be empty unless options.resume. device: what the hardware
    is for. energy: a table of energies. data: files of circuits with area and frequency, beside those that ship with
    acc. target: whose hardware; None is the first target that has any.

    Whatever was counted is in the folder when this returns or raises, KeyboardInterrupt included, and options.resume
    goes on from it. Raises what `acc.compile` raises, and ConfigError for a space or a device that allow nothing.
    """
    chosen = options or Options()
    folder = Path(output)
    if chosen.strategy != "random":
        search.optuna()
    designs = find_designs(device, target, energy)
    for path in data:
        designs.learn(read_rows(path))
    known_space = read_space(space, designs)
    contents = _contents(model)
    with contextlib.ExitStack() as stack:
        _prepare_folder(folder, chosen.resume)
        exploration = Exploration(designs, known_space, contents, chosen, folder, shapes, values, progress)
        if not isinstance(model, onnx.ModelProto):
            exploration.digest = hashlib.sha256(read_bytes(model, ModelError)).hexdigest()
        stack.callback(exploration.close)
        return exploration.run()


def _contents(model: Model) -> bytes:
    if isinstance(model, onnx.ModelProto):
        return model.SerializeToString()
    try:
        # What is in files of its own belongs to it.
        return onnx.load(os.fspath(model)).SerializeToString()
    except OSError:
        read_bytes(model, ModelError)
        raise
    except Exception as error:
        raise ModelError(f"cannot read '{os.fspath(model)}': {str(error).splitlines()[0]}") from None


TRIALS = "trials.jsonl"
ROUTED = "routed.jsonl"


def _prepare_folder(folder: Path, resume: bool) -> None:
    try:
        if folder.is_dir() and any(folder.iterdir()):
            if not resume:
                raise CompileError(f"'{folder}' is not empty: --resume goes on from the exploration that is there")
            if not (folder / TRIALS).exists():
                raise CompileError(f"'{folder}' holds no exploration to go on from: it has no {TRIALS}")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CompileError(f"cannot write '{folder}': {error.strerror or error}") from None


class Exploration:
    """A search for one model; `run` does all of it. folder: None keeps nothing but what `trials` is given."""

    def __init__(
        self,
        designs: Designs,
        space: Space,
        model: bytes,
        options: Options,
        folder: Path,
        shapes: Shapes | None = None,
        values: Values | None = None,
        progress: Progress | None = None,
        trials: str | os.PathLike[str] | None = None,
    ) -> None:
        self.designs, self.space, self.model, self.options, self.folder = designs, space, model, options, folder
        self.inputs = {"shapes": dict(shapes or {}), "values": dict(values or {})}
        self.digest = hashlib.sha256(model).hexdigest()
        what = hashlib.sha256(model + json.dumps(self.inputs, sort_keys=True, default=str).encode()).hexdigest()
        self.trials = Trials(folder / TRIALS if trials is None else trials, what)
        self.progress = progress
        self.started = time.monotonic()
        self.counted: list[Counted] = []
        self.used = 0
        self.failed: Counter[str] = Counter()
        self._workers: Workers | None = None
        self._warn()

    def _warn(self) -> None:
        problems = self.trials.problems
        if problems:
            more = f"; and {len(problems) - SHOWN:,} more" if len(problems) > SHOWN else ""
            text = f"{len(problems):,} lines of the trials are skipped: {'; '.join(problems[:SHOWN])}{more}"
            warnings.warn(text, TuningWarning, stacklevel=3)
        if self.trials.foreign:
            text = f"{self.trials.foreign:,} trials in '{self.trials.path}' are of another model or version of acc"
            warnings.warn(text, TuningWarning, stacklevel=3)

    def close(self) -> None:
        """Ends the workers."""
        if self._workers is not None:
            self._workers.close()
            self._workers = None
        self.trials.close()

    @property
    def workers(self) -> Workers:
        if self._workers is None:
            self._workers = start(self.options.jobs, None)
        return self._workers

    # The course of it.

    def run(self) -> Front:
        """Searches, finishes the points, and writes the folder."""
        default = self.search()
        points, rejected = self._finish()
        return self._write(points, rejected, default)

    def search(self) -> Counted | None:
        """Counts designs until the budget is spent; returns the default design, if the model runs on it."""
        rows = read_rows(self.folder / ROUTED) if (self.folder / ROUTED).exists() else []
        self.designs.learn(rows)
        strategy = self._strategy()
        search.find_legal(strategy)
        default = self._count_default()
        self.native = None if default is None else default.figures.native
        if isinstance(strategy, search.Guided) and default is not None:
            strategy.native = self.designs.estimate(default.design, strategy.workload).native
        if self.options.resume:
            self._recall(strategy)
        while (room := self._room()) > 0:
            proposed = strategy.propose(min(BATCH, room))
            if not proposed:
                break
            self._count(strategy, proposed)
        for rule, count in strategy.refused.items():
            self.failed[rule] += count
        if not self.counted:
            reasons = "; ".join(f"{reason} ({count:,} designs)" for reason, count in self.failed.most_common(3))
            raise ConfigError(f"no design of the space can be used: {reasons}")
        return default

    def _strategy(self) -> Strategy:
        about = (self.designs, self.space, self.options.objectives, self.options.seed)
        if self.options.strategy == "random":
            return search.Random(*about)
        if self.options.strategy == "sampler":
            return search.Sampler(*about)
        accelerator = self.designs.make({}, must_fit=False).accelerator
        graph = make_pipeline([accelerator], PipelineOptions()).import_graph(
            onnx.load_model_from_string(self.model), self.inputs["shapes"], self.inputs["values"]
        )
        return search.Guided(*about, self.designs.workload(graph))

    def _room(self) -> int:
        if self.options.seconds is not None and time.monotonic() - self.started >= self.options.seconds:
            return 0
        return BATCH if self.options.trials is None else self.options.trials - self.used

    def _count_default(self) -> Counted | None:
        """The design that all defaults are, against which others are held; it need not fit."""
        try:
            design = self.designs.make({}, must_fit=False)
        except Illegal:
            return None
        self._tell("default")
        ((_, figures, error),) = self._figures([design])
        if figures is None:
            if not self._is_fault(error):
                raise CompileError(f"the model cannot be counted on the default design: {error}")
            return None
        return Counted(design, figures, objectives_of(self.designs, self.options.objectives, design, figures))

    @staticmethod
    def _is_fault(error: str) -> bool:
        return "fault of acc" in error or "workers" in error

    def _recall(self, strategy: Strategy) -> None:
        """Takes what the folder has for this space into account."""
        for trial in list(self.trials):
            if any(trial.values.get(name) not in values for name, values in self.space.items()):
                continue
            design = strategy.make({name: trial.values[name] for name in self.space})
            if design is None or self.trials.find(design.identity) is not trial:
                continue
            strategy.seen.add(design.key)
            self.used += 1
            self._note(strategy, design, trial.figures, trial.error)

    def _count(self, strategy: Strategy, proposed: Sequence[Design]) -> None:
        for design, figures, error in self._figures(proposed):
            self.used += 1
            self._note(strategy, design, figures, error)
            self._tell("search")

    def _note(self, strategy: Strategy, design: Design, figures: Figures | None, error: str) -> None:
        counted = None
        if figures is not None and self.native is not None and figures.native > self.native:
            error = NATIVE
        elif figures is not None:
            values = objectives_of(self.designs, self.options.objectives, design, figures)
            counted = Counted(design, figures, values)
            self.counted.append(counted)
        if counted is None:
            self.failed[error] += 1
        strategy.tell(design, counted)

    def _figures(self, wanted: Sequence[Design]) -> Iterator[tuple[Design, Figures | None, str]]:
        """The figures of designs in the order of the list, those that are known and those that workers count."""
        found: dict[int, Trial] = {}
        waiting = 0
        for number, design in enumerate(wanted):
            known = self.trials.find(design.identity)
            if known is not None:
                found[number] = known
            else:
                self.workers.submit(number, self.designs.job(design, self.model, self.inputs))
                waiting += 1
        while waiting:
            for number, outcome in self.workers.outcomes(1.0):
                waiting -= 1
                design = wanted[number]
                is_figures = isinstance(outcome, Figures)
                trial = Trial(design.values, outcome if is_figures else None, "" if is_figures else outcome.error)
                # What a worker died of may have been the machine's.
                if is_figures or not outcome.error.endswith("with it"):
                    self.trials.add(design.identity, trial)
                found[number] = trial
        for number, design in enumerate(wanted):
            yield design, found[number].figures, found[number].error

    def _tell(self, stage: str) -> None:
        if self.progress is None:
            return
        best = {
            name: min(item.objectives[index] for item in self.counted)
            for index, name in enumerate(self.options.objectives)
            if self.counted
        }
        seconds = time.monotonic() - self.started
        self.progress(Status(stage, self.used, self.options.trials, len(front_of(self.counted)), seconds, best))

    # What becomes of the front.

    def _finish(self) -> tuple[list[dict[str, Any]], list[str]]:
        """The points with all that is known of them: tuned, counted by layer, routed; and what fell out, and why."""
        chosen = _thin(front_of(self.counted), self.options.points)
        finished: list[dict[str, Any]] = []
        rejected: list[str] = []
        order = sorted(range(len(chosen)), key=lambda k: _product(chosen[k].objectives))
        routed = set(order[: self.options.route])
        logs = [self._tune(item, f"point-{k + 1}") for k, item in enumerate(chosen)]
        profiles = self._profiles(chosen, logs)
        for k, item in enumerate(chosen):
            figures, error = profiles[k]
            if figures is None:
                rejected.append(f"{item.design.summary}: {error}")
                continue
            row, mhz = None, item.design.mhz
            if k in routed:
                self._tell("place and route")
                try:
                    row, problem = self._route(item.design)
                except ToolError as error:
                    # The search was long, and what it found is as good as without.
                    rejected.append(f"{item.design.summary} is not routed: {error}")
                    row, problem = None, ""
                if problem:
                    rejected.append(f"{item.design.summary}: {problem}")
                    continue
            if row is not None and not item.design.values.get("target_mhz"):
                mhz = float(row["fmax_mhz"])
            finished.append({"design": item.design, "figures": figures, "row": row, "mhz": mhz, "log": logs[k]})
        return finished, rejected

    def _tune(self, item: Counted, name: str) -> Path | None:
        """The log of a tuner, in a hidden folder until the point is written."""
        if not self.options.tune:
            return None
        self._tell("tuning")
        path = self.folder / f".tuned-{hashlib.sha256(canonical(item.design.identity).encode()).hexdigest()[:16]}"
        tuning = TuningOptions(trials=self.options.tune, jobs=self.options.jobs, seed=self.options.seed, resume=True)
        try:
            tune(
                onnx.load_model_from_string(self.model),
                item.design.accelerator,
                None,
                self.inputs["shapes"],
                self.inputs["values"],
                output=path,
                options=tuning,
                device=item.design.timing_device,
            )
        except CompileError as error:
            warnings.warn(f"{name} is not tuned: {error}", TuningWarning, stacklevel=2)
            return None
        return path

    def _profiles(self, chosen: Sequence[Counted], logs: Sequence[Path | None]) -> dict[int, tuple[Any, str]]:
        found: dict[int, tuple[Any, str]] = {}
        for k, item in enumerate(chosen):
            log = logs[k]
            self.workers.submit(
                k, self.designs.profile_job(item.design, self.model, self.inputs, str(log.resolve()) if log else "")
            )
        while len(found) < len(chosen):
            self._tell("layers")
            for k, outcome in self.workers.outcomes(1.0):
                found[k] = (outcome, "") if isinstance(outcome, Figures) else (None, outcome.error)
        return found

    def _route(self, design: Design) -> tuple[dict[str, Any] | None, str]:
        """The row of a design that was routed, and why it is none any more; what was learned is kept."""
        wanted = design.values.get("target_mhz", 0)
        try:
            row = self.designs.route(design, float(wanted or round(design.mhz)), lambda step, detail: None)
        except Illegal as illegal:
            return None, str(illegal)
        write_row(self.folder / ROUTED, row)
        self.designs.learn([row])
        if wanted and row["fmax_mhz"] < wanted:
            return None, f"it fails timing: {row['fmax_mhz']:.1f} MHz after routing instead of {wanted}"
        return row, ""

    def _all_objectives(self, design: Design, figures: Figures, mhz: float | None = None) -> dict[str, float]:
        return dict(zip(OBJECTIVES, objectives_of(self.designs, tuple(OBJECTIVES), design, figures, mhz), strict=True))

    def _data(self, design: Design, figures: Figures, mhz: float, row: Any, tuning: str | None) -> dict[str, Any]:
        routed = None
        if row is not None:
            routed = {
                **row["routed"],
                "fmax_mhz": row["fmax_mhz"],
                "target_mhz": row["target_mhz"],
                "seed": row["seed"],
            }
        return {
            "format": "acc-point-1",
            "acc_version": acc.__version__,
            "model": self.digest,
            "device": self.designs.device,
            "summary": design.summary,
            "values": dict(design.values),
            "circuit": dict(design.circuit),
            "timing_device": design.timing_device,
            "compile_options": dict(design.compile_options),
            "cycles": figures.cycles,
            "native": list(figures.native_layers),
            "predicted": dict(design.predicted),
            "shares": dict(design.shares),
            "routed": routed,
            "target_mhz": round(design.mhz, 1) if row is None else row["target_mhz"],
            "mhz": mhz,
            **self._all_objectives(design, figures, mhz),
            "tuning": tuning,
            "layers": [
                {
                    "name": layer.name,
                    "cycles": layer.cycles,
                    "gemm_steps": layer.counts.get("gemm_steps", 0),
                    "dram_bytes": sum(count for name, count in layer.counts.items() if name.startswith("dram_")),
                }
                for layer in figures.layers
            ],
        }

    def _write(self, finished: list[dict[str, Any]], rejected: list[str], default: Counted | None) -> Front:
        """Keeps what is still on the front with final figures, the quickest first."""
        names = self.options.objectives
        rows = []
        for item in finished:
            tuning = None if item["log"] is None else "tuned.jsonl"
            data = self._data(item["design"], item["figures"], item["mhz"], item["row"], tuning)
            rows.append((data, item))
        kept = [
            (data, item)
            for data, item in rows
            if not any(
                search.dominates([other[name] for name in names], [data[name] for name in names]) for other, _ in rows
            )
        ]
        if not kept:
            raise ConfigError(f"no design is left: {'; '.join(rejected[:SHOWN])}")
        kept.sort(key=lambda pair: pair[0]["latency"])
        points = []
        for number, (data, item) in enumerate(kept, 1):
            files = dict(item["design"].files)
            if item["log"] is not None:
                files["tuned.jsonl"] = item["log"]
            points.append(Point(f"point-{number}", data, files))
        base = None
        if default is not None:
            design = default.design
            base = Point(DEFAULT, self._data(design, default.figures, design.mhz, None, None))
        evaluated = tuple(self._all_objectives(item.design, item.figures) for item in self.counted)
        front = Front(
            self.designs.device,
            self.digest,
            names,
            tuple(points),
            base,
            self.used,
            dict(self.failed),
            (*self.designs.notes, *rejected),
            round(time.monotonic() - self.started, 1),
            self.space,
            evaluated,
        )
        write_front(self.folder, front)
        return front


def _product(values: Sequence[float]) -> float:
    product = 1.0
    for value in values:
        product *= value
    return product


def _thin(front: list[Counted], most: int) -> list[Counted]:
    """At most so many of a front: the best of each objective, the best product, then what is farthest from them."""
    if len(front) <= most:
        return list(front)
    import numpy as np

    table = np.log(np.maximum(np.array([item.objectives for item in front]), 1e-30))
    spread = table.max(axis=0) - table.min(axis=0)
    table = table / np.where(spread > 0, spread, 1.0)
    kept = list(dict.fromkeys([int(table.sum(axis=1).argmin()), *(int(k) for k in table.argmin(axis=0))]))[:most]
    while len(kept) < most:
        distance = np.min(np.linalg.norm(table[:, None] - table[kept][None], axis=2), axis=1)
        kept.append(int(distance.argmax()))
    return [front[k] for k in sorted(kept)]
