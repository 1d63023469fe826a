"""`acc.tune`: schedules and choices for a model on an accelerator, found by measuring, and written to a log."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from acc.compiler import Config, Model, TargetChoice, make_pipeline, resolve_targets
from acc.devices import DeviceLike, DeviceSpec, one
from acc.errors import CompileError
from acc.frontend.specialize import Values
from acc.pipeline import Graph, Pipeline, Shapes
from acc.pipeline import Options as PipelineOptions
from acc.schedule import Schedule
from acc.targets.base import Accelerator, Timing
from acc.targets.cpu import CpuOptions
from acc.tuning import network
from acc.tuning.choose import read_logs
from acc.tuning.cost import Correction
from acc.tuning.jobs import KernelJob, Outcome
from acc.tuning.log import Key, Log, Record, Writer, canonical, version
from acc.tuning.native import tune_native
from acc.tuning.network import Descent, Prepared, State
from acc.tuning.options import KernelResult, Options, Progress, Status, TuningResult
from acc.tuning.search import KernelSearch
from acc.tuning.space import least_bytes
from acc.tuning.workers import Workers, start

__all__ = ["tune"]

KERNELS = 0.6
"""The share of trials or time after which kernels alone are left for the whole model."""
CANDIDATES = 6
"""How many schedules of each kernel are tried in the whole model."""
LEAST_INSTRUCTIONS = 20_000
"""Schedules with more instructions, and with more than four times those of the default, are left out."""
IN_FLIGHT = 2
"""Jobs per worker that are under way, so that none waits for the search."""


def tune(
    model: Model,
    target: TargetChoice,
    config: Config | None = None,
    shapes: Shapes | None = None,
    values: Values | None = None,
    *,
    output: str | os.PathLike[str],
    options: Options | None = None,
    device: DeviceLike = None,
    cpu: str = "native",
    cpu_features: str = "",
    progress: Progress | None = None,
    **target_options: object,
) -> TuningResult:
    """Searches schedules and whole-model choices for a model and adds what it measures to a log.

    model, target, config, shapes, values, cpu and target_options are those of `acc.compile`, which takes the log as
    `tuning`. output: the log; what it has already is not measured again. device: what counts cycles, otherwise the
    target's own choice; a log is for one device with its options. progress: called after every measurement. Native code
    (target "cpu") is timed on this machine, in one process.

    Whatever was measured is in the log when this returns or raises, KeyboardInterrupt included. Raises what
    `acc.compile` raises, and CompileError for a target that has no notion of time, a model of which nothing runs on it,
    and a log that cannot be read or written.
    """
    chosen = options or Options()
    pipeline = make_pipeline(
        resolve_targets(target, config, **target_options),
        PipelineOptions(cpu=CpuOptions(cpu=cpu, features=cpu_features)),
    )
    accelerators = pipeline.options.accelerators
    if len(accelerators) > 1:
        names = ", ".join(item.name for item in accelerators)
        raise CompileError(f"one accelerator is tuned at a time, and {names} are asked for")
    if not accelerators and device is not None:
        raise CompileError("native code is measured on this machine: there is no device to choose")
    spec = one(device) if device is not None else None
    accelerator = next(iter(accelerators), None)
    timing = accelerator.timing(spec) if accelerator is not None else None
    with Writer(output) as writer:
        log = read_logs(output) if os.path.isfile(output) else Log()
        if accelerator is None or timing is None:
            return tune_native(pipeline, model, shapes, values, chosen, log, writer, progress)
        graph = pipeline.import_graph(model, shapes, values)
        tuner = _Tuner(pipeline, accelerator, graph, spec, timing, chosen, log, writer, progress)
        return tuner.run()


class _Tuner:
    def __init__(
        self,
        pipeline: Pipeline,
        accelerator: Accelerator,
        graph: Graph,
        device: DeviceSpec | None,
        timing: Timing,
        options: Options,
        log: Log,
        writer: Writer,
        progress: Progress | None,
    ) -> None:
        self.pipeline, self.accelerator, self.graph, self.timing = pipeline, accelerator, graph, timing
        self.device = "" if device is None else str(device)
        self.options, self.log, self.writer, self.progress = options, log, writer, progress
        self.started = time.monotonic()
        self.trials = self.failed = 0
        self.correction = Correction()
        self.searches: dict[str, KernelSearch] = {}
        self.prepared: dict[str, Prepared] = {}
        self.default = 0.0
        self.computed = float("inf")
        self.network = self._key("network", network.digest(graph.module))
        self.choices = accelerator.choices(graph.module)
        self.descent = Descent(self._measure_states, {name: values[0] for name, values in self.choices.items()})
        self._workers: Workers | None = None
        self._why = ""

    # What is left to spend.

    def _spent(self) -> float:
        """The share of trials or time that is used; 0 without a limit."""
        shares = [0.0]
        if self.options.trials is not None:
            shares.append(self.trials / self.options.trials)
        if self.options.seconds is not None:
            shares.append((time.monotonic() - self.started) / self.options.seconds)
        return max(shares)

    def _left(self) -> bool:
        return self._spent() < 1

    @property
    def workers(self) -> Workers:
        if self._workers is None:
            self._workers = start(self.options.jobs, self.options.ray)
        return self._workers

    # The course of it.

    def run(self) -> TuningResult:
        first = self._prepare({})
        if not first.scheduled:
            raise CompileError(
                f"no kernel of the model runs on '{self.accelerator.name}', so there is nothing to tune"
                + "".join(f" (`acc info` says why: {reason})" for reason in first.reasons[:1])
            )
        try:
            self._tell("default")
            self._start(first)
            limit = KERNELS
            while True:
                self._search_kernels(limit)
                if not self._descend() or not self._left():
                    break
                limit = min(1.0, self._spent() + KERNELS * (1 - self._spent()))
            # What is left of a budget goes to the kernels, and what they find into the whole.
            if self._left() and self._search_kernels(0.9):
                self._descend()
        finally:
            lost = self._workers.lost if self._workers is not None else 0
            if self._workers is not None:
                self._workers.close()
        return self._result(lost)

    def _start(self, first: Prepared) -> None:
        """Measures the default, and what the log has for the whole model."""
        self._add_searches(first)
        self.descent.consider([State()])
        if self.descent.cost == float("inf"):
            raise CompileError(f"the model cannot be measured: {self._why}")
        self.default = self.descent.cost
        known = [record for record in (self.log.best(self.network), *self.log.others(self.network)) if record]
        states = []
        for record in known[:4]:
            try:
                states.append(State.from_dict(record.choice))
            except ValueError:
                continue
        self._consider(states)

    def _consider(self, states: Sequence[State]) -> None:
        if states:
            before = self.descent.cost
            self.descent.consider(states)
            self._note_network(before)

    def _prepare(self, choices: dict[str, Any]) -> Prepared:
        key = canonical(choices)
        if key not in self.prepared:
            self.prepared[key] = network.prepare(self.pipeline, self.accelerator, self.graph, choices)
        return self.prepared[key]

    def _add_searches(self, prepared: Prepared) -> None:
        """Begins a search for every kernel that has none."""
        counted: dict[str, int] = {}
        for kernel in prepared.scheduled:
            identity = kernel.footprint.identity
            counted[identity] = counted.get(identity, 0) + 1
            if identity in self.searches:
                continue
            search = KernelSearch(
                kernel.name,
                kernel.footprint,
                kernel.hardware,
                kernel.module,
                kernel.schedule,
                max(4 * kernel.instructions, LEAST_INSTRUCTIONS),
                self.correction,
                self.options.seed,
            )
            search.bound = least_bytes(kernel.footprint, kernel.hardware) / self.timing.bytes_per_cycle
            self.searches[identity] = search
            self._recall(search)
        for identity, search in self.searches.items():
            search.count = counted.get(identity, 0)

    def _recall(self, search: KernelSearch) -> None:
        """Takes what the log has of a kernel."""
        key = self._key("kernel", search.identity)
        for record in self.log.of(key):
            try:
                schedule = Schedule.from_dict(record.choice)
            except ValueError:
                continue
            search.observe(schedule, record.cost)
            search.tried -= not self.options.resume
            self.trials += self.options.resume
        for record in self.log.others(key)[:4]:
            try:
                search.suggest([Schedule.from_dict(record.choice)])
            except ValueError:
                continue

    # Kernels alone.

    def _search_kernels(self, limit: float) -> bool:
        """Measures kernels until the limit is reached or nothing is found any more; whether anything was found."""
        before = {identity: search.best for identity, search in self.searches.items()}
        flying: dict[int, tuple[KernelSearch, Schedule]] = {}
        ticket = 0
        finished: set[str] = set()
        while True:
            while self._spent() < limit and len(flying) < IN_FLIGHT * self.workers.capacity:
                if not self._has_trial(len(flying)):
                    break
                open_ = [s for s in self.searches.values() if s.count and s.identity not in finished]
                search = max(open_, key=lambda s: s.promise, default=None)
                if search is None:
                    break
                schedule = search.next()
                if schedule is None:
                    finished.add(search.identity)
                    continue
                flying[ticket] = (search, schedule)
                self.workers.submit(ticket, KernelJob(self.accelerator, self.device, search.module, schedule))
                ticket += 1
            if not flying:
                break
            for done, outcome in self.workers.outcomes(1.0):
                search, schedule = flying.pop(done)
                self._note_kernel(search, schedule, outcome)
            self._tell("kernels")
        return any(search.best < before.get(identity, float("inf")) for identity, search in self.searches.items())

    def _note_kernel(self, search: KernelSearch, schedule: Schedule, outcome: Outcome) -> None:
        cost = None if outcome.measurement is None else outcome.measurement.cycles
        self._count(outcome)
        search.observe(schedule, cost)
        if outcome.measurement is not None:
            search.computed = min(search.computed, outcome.measurement.computed)
        self._write(self._key("kernel", search.identity), schedule.to_dict(), cost, search.name)

    # The whole model.

    def _measure_states(self, states: Sequence[State]) -> list[Outcome | None]:
        outcomes: list[Outcome | None] = [None] * len(states)
        pending = list(enumerate(states))
        flying = 0
        while pending or flying:
            while pending and self._has_trial(flying) and flying < IN_FLIGHT * self.workers.capacity:
                number, state = pending.pop(0)
                prepared = self._prepare(dict(state.choices))
                self.workers.submit(number, network.job(prepared, self.pipeline, self.device, state.schedules))
                flying += 1
            if not flying:
                break
            for number, outcome in self.workers.outcomes(1.0):
                flying -= 1
                outcomes[number] = outcome
                self._count(outcome)
                self._why = outcome.error
                if outcome.measurement is not None:
                    self.computed = min(self.computed, outcome.measurement.computed)
            self._tell("whole model")
        return outcomes

    def _has_trial(self, flying: int) -> bool:
        """Whether another measurement may begin, beside so many that are under way."""
        few = self.options.trials is None or self.trials + flying < self.options.trials
        # The default has to be known, whatever it takes.
        return self.descent.cost == float("inf") or (few and self._left())

    def _descend(self) -> bool:
        """Improves the whole model until nothing does; whether there are new kernels to search."""
        self._consider([State(self.descent.state.choices, self._tuned())])
        for candidates in (CANDIDATES, CANDIDATES // 2, CANDIDATES // 2, CANDIDATES // 2):
            before = self.descent.cost
            gained = self.descent.step(self._moves(candidates))
            self._note_network(before)
            if not gained or not self._left():
                break
        known = set(self.searches)
        self._add_searches(self._prepare(dict(self.descent.state.choices)))
        return self.searches.keys() > known

    def _tuned(self) -> dict[str, Schedule]:
        found = ((identity, search.top(1)) for identity, search in self.searches.items())
        return {identity: best[0] for identity, best in found if best}

    def _moves(self, candidates: int) -> list[network.Move]:
        moves: list[network.Move] = [
            ("choice", name, value) for name, values in self.choices.items() for value in values
        ]
        weighty = sorted(self.searches.values(), key=lambda s: -s.count * (0 if s.best == float("inf") else s.best))
        for search in weighty:
            if search.count:
                moves += [("schedule", search.identity, s) for s in [*search.top(candidates), search.default]]
        return moves

    def _note_network(self, before: float) -> None:
        choice = self.descent.state.to_dict()
        known = {canonical(record.choice) for record in self.log.of(self.network)}
        if self.descent.cost < before and canonical(choice) not in known:
            self._write(self.network, choice, self.descent.cost, "")

    # What is kept and told.

    def _key(self, kind: str, what: str) -> Key:
        return Key(version(), self.accelerator.name, canonical(self.timing.description), kind, what)

    def _write(self, key: Key, choice: dict[str, Any], cost: float | None, name: str) -> None:
        self.writer.append(Record(key, choice, cost, name))

    def _count(self, outcome: Outcome) -> None:
        self.trials += 1
        self.failed += outcome.measurement is None

    def _tell(self, stage: str) -> None:
        if self.progress is None:
            return
        elapsed = time.monotonic() - self.started
        rate = self.trials / elapsed if elapsed > 0 else 0.0
        left = []
        if self.options.seconds is not None:
            left.append(max(0.0, self.options.seconds - elapsed))
        if self.options.trials is not None and rate:
            left.append(max(0, self.options.trials - self.trials) / rate)
        best = self.descent.cost if self.default else 0.0
        if stage == "kernels" and self.default:
            # What kernels alone promise, until it is measured.
            saved = (
                s.count * (s.default_cost - s.best) for s in self.searches.values() if s.default_cost < float("inf")
            )
            best = min(best, self.default - sum(saved))
        self.progress(Status(stage, self.trials, rate, min(left, default=None), self.default, best))

    def _result(self, lost: int) -> TuningResult:
        results = []
        for search in self.searches.values():
            if not search.count or search.default_cost == float("inf"):
                continue
            used = self.descent.state.schedules.get(search.identity, search.default)
            bound = max(search.bound, search.computed if search.computed < float("inf") else 0)
            results.append(
                KernelResult(
                    search.name,
                    search.count,
                    search.default_cost,
                    search.best,
                    bound,
                    search.size,
                    search.tried,
                    used.summary(),
                )
            )
        bound = max(self.computed, sum(s.count * s.bound for s in self.searches.values()))
        defaults = {name: values[0] for name, values in self.choices.items()}
        changed = {name: value for name, value in self.descent.state.choices.items() if value != defaults.get(name)}
        return TuningResult(
            self.accelerator.name,
            "cycles",
            self.default,
            self.descent.cost,
            bound,
            tuple(results),
            self.trials,
            self.failed,
            lost,
            time.monotonic() - self.started,
            changed,
        )
