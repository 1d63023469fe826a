"""Which designs to count next.

A count on the cycle model takes a second, a prediction of area, frequency, energy and time a tenth of a millisecond. So
designs are first bred on what is predicted, by NSGA-II (Deb et al., IEEE Transactions on Evolutionary Computation 6,
2002) of Optuna, with thousands of trials; of what comes out, those are counted that are best for weighted objectives
with weights drawn anew for each (as in ParEGO: Knowles, IEEE Transactions on Evolutionary Computation 10, 2006). What
was counted corrects the prediction for the next round (`acc.tuning.cost.Correction`).
"""

from __future__ import annotations

import dataclasses
import importlib
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from acc.errors import CompileError, ConfigError
from acc.exploration.design import Design, Designs, Figures, Illegal
from acc.exploration.space import Space
from acc.tuning.cost import Correction
from acc.tuning.log import canonical

__all__ = ["Counted", "Guided", "Random", "Sampler", "Strategy", "dominates", "front_of", "objectives_of", "optuna"]

Values = Mapping[str, int]

INNER = 320
"""Trials on predictions in each round."""
POPULATION = 40
FRESH = 200
"""Legal points that are drawn in each round, of which the best are the first generation."""
DRAWS = 4000
"""How many points are drawn at most until one is legal."""


def optuna() -> Any:
    """The library, silent; raises CompileError if it is not installed."""
    try:
        library: Any = importlib.import_module("optuna")
    except ImportError:
        raise CompileError("Optuna, which searches, is not installed: pip install 'acc-compiler[explore]'") from None
    library.logging.set_verbosity(library.logging.ERROR)
    return library


@dataclasses.dataclass(frozen=True)
class Counted:
    """A design with its figures, and the values of the objectives, of which less is better."""

    design: Design
    figures: Figures
    objectives: tuple[float, ...]


def objectives_of(
    designs: Designs, names: Sequence[str], design: Design, figures: Figures, mhz: float | None = None
) -> tuple[float, ...]:
    """The values of objectives (options.OBJECTIVES). mhz: another clock than the design's."""
    clock = mhz or design.mhz
    found = {
        "latency": lambda: figures.cycles / (1e6 * clock),
        "area": lambda: design.area,
        "energy": lambda: designs.energy(design, figures, clock),
    }
    return tuple(found[name]() for name in names)


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether one is nowhere worse, and somewhere better."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and any(a < b for a, b in zip(one, other, strict=True))


def front_of(counted: Sequence[Counted]) -> list[Counted]:
    """Those that none dominates; of equal ones the first."""
    kept: list[Counted] = []
    for item in counted:
        if any(dominates(other.objectives, item.objectives) or other.objectives == item.objectives for other in kept):
            continue
        kept = [other for other in kept if not dominates(item.objectives, other.objectives)]
        kept.append(item)
    return kept


class Strategy:
    """Proposes points of a space; `tell` says what became of them.

    Attributes:
        refused: how many points that were drawn break which rule.
    """

    def __init__(self, designs: Designs, space: Space, names: Sequence[str], seed: int) -> None:
        self.designs, self.space, self.names = designs, space, tuple(names)
        self.rng = random.Random(seed)
        self.seed = seed
        self.refused: Counter[str] = Counter()
        self._made: dict[str, Design | str] = {}
        self.seen: set[str] = set()

    def make(self, values: Values) -> Design | None:
        """The design of a point, None for what is none."""
        key = canonical(dict(values))
        if key not in self._made:
            try:
                self._made[key] = self.designs.make(values)
            except Illegal as illegal:
                self._made[key] = illegal.rule
                self.refused[illegal.rule] += 1
        found = self._made[key]
        return None if isinstance(found, str) else found

    def draw(self) -> Values:
        """Any point, legal or not."""
        return {name: self.rng.choice(values) for name, values in self.space.items()}

    def draw_legal(self) -> Design | None:
        """A legal point that has not been proposed; None if there seems to be none."""
        for _ in range(DRAWS):
            design = self.make(self.draw())
            if design is not None and design.key not in self.seen:
                return design
        return None

    def propose(self, count: int) -> list[Design]:
        """At most so many designs that have not been proposed before; none if the space is at its end."""
        raise NotImplementedError

    def tell(self, design: Design, counted: Counted | None) -> None:
        """What became of a design that was proposed: None if it failed."""

    def _take(self, design: Design) -> bool:
        is_new = design.key not in self.seen
        self.seen.add(design.key)
        return is_new


class Random(Strategy):
    """Legal points at random."""

    def propose(self, count: int) -> list[Design]:
        """See Strategy."""
        found = []
        for _ in range(count):
            design = self.draw_legal()
            if design is None:
                break
            self._take(design)
            found.append(design)
        return found


class Sampler(Strategy):
    """Optuna as it is: its default sampler for these objectives, one point after the other, told of illegal ones."""

    def __init__(self, designs: Designs, space: Space, names: Sequence[str], seed: int) -> None:
        super().__init__(designs, space, names, seed)
        self.library = optuna()
        kind = self.library.samplers.NSGAIISampler if len(names) > 1 else self.library.samplers.TPESampler
        self.study = self.library.create_study(directions=["minimize"] * len(names), sampler=kind(seed=seed))
        self.open: dict[str, Any] = {}

    def propose(self, count: int) -> list[Design]:
        """See Strategy."""
        found: list[Design] = []
        for _ in range(DRAWS):
            if len(found) == count:
                break
            trial = self.study.ask()
            values = {name: trial.suggest_categorical(name, list(known)) for name, known in self.space.items()}
            design = self.make(values)
            if design is None or not self._take(design):
                self.study.tell(trial, state=self.library.trial.TrialState.FAIL)
                continue
            self.open[design.key] = trial
            found.append(design)
        return found

    def tell(self, design: Design, counted: Counted | None) -> None:
        """See Strategy."""
        trial = self.open.pop(design.key, None)
        if trial is None:
            return
        if counted is None:
            self.study.tell(trial, state=self.library.trial.TrialState.FAIL)
        else:
            self.study.tell(trial, list(counted.objectives))


class Guided(Strategy):
    """See the module."""

    def __init__(self, designs: Designs, space: Space, names: Sequence[str], seed: int, workload: Any) -> None:
        super().__init__(designs, space, names, seed)
        self.library = optuna()
        self.workload = workload
        self.counted: list[Counted] = []
        self.native: int | None = None
        self._estimates: dict[str, Figures] = {}
        self._known: dict[str, Figures] = {}
        # Cycles and energy are corrected; area and frequency of a prediction are what is reported, too.
        self._corrections = {"latency": Correction(), "energy": Correction()}
        self._pool: dict[str, Design] = {}

    def tell(self, design: Design, counted: Counted | None) -> None:
        """See Strategy."""
        if counted is None:
            return
        self.counted.append(counted)
        self._known[canonical(design.identity)] = counted.figures
        for name, correction in self._corrections.items():
            (actual,) = objectives_of(self.designs, [name], design, counted.figures)
            correction.learn("model", self._features(name, design), actual)

    def _estimate(self, design: Design) -> Figures:
        key = canonical(design.identity)
        if key not in self._estimates:
            self._estimates[key] = self.designs.estimate(design, self.workload)
        return self._estimates[key]

    def _features(self, name: str, design: Design) -> Any:
        """The logarithm of the estimate, and where the point lies between the ends of each knob, and its square."""
        (expected,) = objectives_of(self.designs, [name], design, self._estimate(design))
        places = []
        for knob, values in self.space.items():
            if len(values) > 1:
                place = (design.values[knob] - values[0]) / (values[-1] - values[0])
                places += [place, place * place]
        return np.array([np.log(max(expected, 1e-30)), *places])

    def predict(self, designs: Sequence[Design]) -> Any:
        """The objectives that are expected, a row for each design."""
        # Designs that differ in nothing that cycles depend on take as many as the one that was counted.
        known = [self._known.get(canonical(design.identity)) for design in designs]
        rows = [
            objectives_of(self.designs, self.names, design, figures or self._estimate(design))
            for design, figures in zip(designs, known, strict=True)
        ]
        table = np.array(rows, dtype=float).reshape(len(designs), len(self.names))
        unknown = [index for index, figures in enumerate(known) if figures is None]
        for name, correction in self._corrections.items():
            if name in self.names and self.counted and unknown:
                features = np.stack([self._features(name, designs[index]) for index in unknown])
                table[unknown, self.names.index(name)] = np.exp(correction.predict("model", features))
        return np.maximum(table, 1e-30)

    def _is_promising(self, design: Design) -> bool:
        """Not if more of the model than of the default's is expected to be left to the host."""
        return self.native is None or self._estimate(design).native <= self.native

    def propose(self, count: int) -> list[Design]:
        """See Strategy."""
        pool = self._breed()
        found: list[Design] = []
        if pool:
            table = np.log(self.predict(pool))
            scaled = _scaled(table)
            for number in range(count):
                for index in self._order(scaled, table, number):
                    if self._take(pool[index]):
                        found.append(pool[index])
                        break
        while len(found) < count:
            design = self.draw_legal()
            if design is None:
                break
            self._take(design)
            if self._is_promising(design):
                found.append(design)
        return found

    def _order(self, scaled: Any, table: Any, number: int) -> Any:
        """The designs of a pool, the best first: by the product of all objectives, of two, or weighted."""
        objectives = table.shape[1]
        if number % 2 == 0:
            return np.argsort(table.sum(axis=1), kind="stable")
        if number % 4 == 1 and objectives > 2:
            left_out = self.rng.randrange(objectives)
            return np.argsort(np.delete(table, left_out, axis=1).sum(axis=1), kind="stable")
        weights = np.array([self.rng.expovariate(1.0) for _ in range(objectives)])
        weights /= weights.sum()
        values = (scaled * weights).max(axis=1) + 0.05 * (scaled * weights).sum(axis=1)
        return np.argsort(values, kind="stable")

    def _breed(self) -> list[Design]:
        """All designs that have come up so far: drawn, bred by prediction, neighbours of the best that were counted."""
        for _ in range(FRESH):
            self._keep(self.draw_legal())
        best = front_of(self.counted)
        for item in best:
            for values in self._neighbours(item.design.values):
                self._keep(self.make(values))
        pool = list(self._pool.values())
        if not pool:
            return []
        table = np.log(self.predict(pool))
        first = [int(k) for k in np.argsort(table.sum(axis=1), kind="stable")[: POPULATION // 2]]
        spread = [int(self._order(_scaled(table), table, 3)[0]) for _ in range(POPULATION // 2)]
        sampler = self.library.samplers.NSGAIISampler(population_size=POPULATION, seed=self.rng.randrange(1 << 31))
        study = self.library.create_study(directions=["minimize"] * len(self.names), sampler=sampler)
        for index in dict.fromkeys([*first, *spread]):
            values = pool[index].values
            study.enqueue_trial({name: known.index(values[name]) for name, known in self.space.items()})
        for _ in range(INNER):
            trial = study.ask()
            indices = {name: trial.suggest_int(name, 0, len(values) - 1) for name, values in self.space.items()}
            design = self.make({name: self.space[name][index] for name, index in indices.items()})
            if self._keep(design) and design is not None:
                study.tell(trial, self.predict([design])[0].tolist())
            else:
                study.tell(trial, state=self.library.trial.TrialState.FAIL)
        return list(self._pool.values())

    def _keep(self, design: Design | None) -> bool:
        """Whether a design is one that may be counted, which it is remembered for."""
        if design is None or not self._is_promising(design):
            return False
        self._pool[design.key] = design
        return True

    def _neighbours(self, values: Values) -> Iterator[Values]:
        inside = {name: values[name] for name in self.space}
        for name, known in self.space.items():
            index = known.index(inside[name])
            for other in (index - 1, index + 1):
                if 0 <= other < len(known):
                    yield {**inside, name: known[other]}


def _scaled(table: Any) -> Any:
    """Every column from 0 to 1."""
    low, high = table.min(axis=0), table.max(axis=0)
    return (table - low) / np.where(high > low, high - low, 1.0)


def find_legal(strategy: Strategy, refuse: Callable[[str], Exception] = ConfigError) -> None:
    """Raises ConfigError with the rules that points break if a space seems to have no legal one."""
    if strategy.draw_legal() is not None:
        return
    total = sum(strategy.refused.values())
    rules = "; ".join(f"{rule} ({100 * count / total:.0f} %)" for rule, count in strategy.refused.most_common(3))
    raise refuse(f"the space has no legal point: of {total:,} that were tried, {rules}")
