"""The whole of a model as something to tune: its kernels under some choices, and descent in what is measured together.

Kernels that run one after the other overlap, so that the best schedule of a kernel alone need not be the best in its
place. From what was found for each alone, single decisions are changed and measured in the whole model; those that
gain are combined as far as they still gain together.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from acc import ir
from acc.pipeline import Graph, Kernels, Pipeline
from acc.schedule import Footprint, Hardware, Schedule
from acc.targets.base import Accelerator
from acc.tuning.jobs import NetworkJob, Outcome, extract_kernel, strip_weights
from acc.tuning.log import canonical

__all__ = ["Descent", "Prepared", "Scheduled", "State", "digest", "job", "prepare"]


@dataclasses.dataclass(frozen=True)
class State:
    """All decisions: values of choices that are not the default, and schedules by `Footprint.identity`."""

    choices: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    schedules: Mapping[str, Schedule] = dataclasses.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible; `from_dict` goes back."""
        schedules = {identity: schedule.to_dict() for identity, schedule in self.schedules.items()}
        return {"choices": dict(self.choices), "schedules": schedules}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> State:
        """Raises ValueError for what `to_dict` did not write."""
        choices, schedules = data.get("choices"), data.get("schedules")
        if not isinstance(choices, dict) or not isinstance(schedules, dict):
            raise ValueError("it has no choices and schedules")
        return State(choices, {identity: Schedule.from_dict(known) for identity, known in schedules.items()})


@dataclasses.dataclass(frozen=True)
class Scheduled:
    """A kernel: its symbol, its layers for people, what schedules must know of it and of the hardware, bytecode of a
    module with nothing else in it, and the default schedule with the instructions that it takes.
    """

    symbol: str
    name: str
    footprint: Footprint
    hardware: Hardware
    module: bytes
    schedule: Schedule
    instructions: int


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A model as kernels under some choices.

    module: bytecode without weights. scheduled: the kernels of the accelerator. reasons: why others are not on it.
    """

    accelerator: Accelerator
    module: bytes
    scheduled: tuple[Scheduled, ...]
    reasons: tuple[str, ...]


def prepare(pipeline: Pipeline, accelerator: Accelerator, graph: Graph, choices: Mapping[str, Any]) -> Prepared:
    """Makes kernels of a copy of a graph."""
    chosen = accelerator.tuned({}, choices)
    bare = dataclasses.replace(pipeline.options, accelerators=(chosen,), dump=None, progress=None, tuning=())
    kernels = Pipeline(bare).make_kernels(dataclasses.replace(graph, module=graph.module.clone()))
    scheduled = tuple(_read_scheduled(kernels, chosen))
    reasons = tuple(dict.fromkeys(placed.reason for placed in kernels.placements if placed.reason))
    return Prepared(chosen, strip_weights(kernels.module), scheduled, reasons)


def _read_scheduled(kernels: Kernels, accelerator: Accelerator) -> Iterator[Scheduled]:
    symbols = {str(op.attributes["sym_name"].value): op for op in kernels.module.body if op.name == "te.kernel"}
    for decision in kernels.decisions:
        footprint, schedule, expected = decision.footprint, decision.schedule, decision.estimate
        if footprint is None or expected is None or not isinstance(schedule, Schedule):
            continue
        kernel = symbols[decision.kernel]
        yield Scheduled(
            decision.kernel,
            " + ".join(decision.layers) or decision.kernel,
            footprint,
            accelerator.hardware_of(kernel.attributes["target"]),
            extract_kernel(kernel, accelerator),
            schedule,
            expected.instructions,
        )


# What constants hold is left out; where rounding goes and what operators do is not.
_LEFT_OUT = frozenset(("value", "graph.placement"))


def _describe(block: ir.Block) -> Iterator[str]:
    for op in block.operations:
        attributes = [f"{name}={op.attributes[name]}" for name in sorted(op.attributes) if name not in _LEFT_OUT]
        types = [str(value.type) for value in (*op.operands, *op.results)]
        yield f"{op.name}({', '.join([*op.location.names, *types, *attributes])})"
        for region in op.regions:
            for inner in region.blocks:
                yield from _describe(inner)


def digest(module: ir.Module) -> str:
    """Equal for graphs that differ in the values of their weights alone: 32 hexadecimal digits."""
    return hashlib.blake2b("\n".join(_describe(module.body)).encode(), digest_size=16).hexdigest()


Move = tuple[str, str, Any]
"""A change of one decision: "choice" or "schedule", its name or the kernel's identity, and the new value."""

HOPELESS = 0.003
"""A change that has cost this share of the whole is not tried again."""


def moved(state: State, moves: Sequence[Move]) -> State:
    """The state with some decisions changed."""
    choices, schedules = dict(state.choices), dict(state.schedules)
    for kind, name, value in moves:
        if kind == "choice":
            choices[name] = value
        else:
            schedules[name] = value
    return State(choices, schedules)


class Descent:
    """Goes from state to state as long as the whole model gets cheaper.

    measure: the outcomes of states, in order; None where there was no time. defaults: the values of choices that are
    those of nobody's doing.

    Attributes:
        state, cost: the best so far.
    """

    def __init__(
        self, measure: Callable[[Sequence[State]], Sequence[Outcome | None]], defaults: Mapping[str, Any]
    ) -> None:
        self._measure, self._defaults = measure, defaults
        self.state = State()
        self.cost = float("inf")
        self.native = 0
        self._hopeless: set[str] = set()

    def consider(self, states: Sequence[State]) -> list[float]:
        """Measures states and goes to the best if it is better; the costs, infinite for those that are none.

        A state that leaves more kernels to the host than the first one did is none.
        """
        costs = []
        for state, outcome in zip(states, self._measure(states), strict=True):
            cost = float("inf")
            if outcome is not None and outcome.measurement is not None:
                if self.cost == float("inf"):
                    self.native = outcome.native
                if outcome.native <= self.native:
                    cost = outcome.measurement.cycles
            costs.append(cost)
            if cost < self.cost:
                self.state, self.cost = state, cost
        return costs

    def step(self, moves: Sequence[Move]) -> bool:
        """Tries single changes of the present state, then the best of them together; whether anything was gained."""
        start, cost = self.state, self.cost
        known = [move for move in moves if canonical(_plain(move)) not in self._hopeless and not self._is(start, move)]
        costs = self.consider([moved(start, [move]) for move in known])
        winners: dict[tuple[str, str], tuple[float, Move]] = {}
        for move, got in zip(known, costs, strict=True):
            if cost * (1 + HOPELESS) < got < float("inf"):
                self._hopeless.add(canonical(_plain(move)))
            best = winners.get(move[:2])
            if got < cost and (best is None or got < best[0]):
                winners[move[:2]] = (got, move)
        ordered = [move for _, move in sorted(winners.values(), key=lambda won: won[0])]
        if len(ordered) > 1:
            lengths = sorted(
                {len(ordered), *(1 << k for k in range(1, len(ordered).bit_length()) if 1 << k < len(ordered))}
            )
            self.consider([moved(start, ordered[:length]) for length in lengths])
        return self.cost < cost

    def _is(self, state: State, move: Move) -> bool:
        kind, name, value = move
        if kind == "choice":
            return state.choices.get(name, self._defaults.get(name)) == value
        return state.schedules.get(name) == value


def _plain(move: Move) -> list[Any]:
    kind, name, value = move
    return [kind, name, value.to_dict() if isinstance(value, Schedule) else value]


def job(prepared: Prepared, pipeline: Pipeline, device: str, schedules: Mapping[str, Schedule]) -> NetworkJob:
    """What measures a state."""
    by_symbol = {
        kernel.symbol: schedules[kernel.footprint.identity]
        for kernel in prepared.scheduled
        if kernel.footprint.identity in schedules
    }
    return NetworkJob(prepared.accelerator, device, prepared.module, pipeline.options.cpu, by_symbol)
