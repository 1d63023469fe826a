"""How schedules of one kernel are searched: analytic cost ranks, measurements decide and teach, evolution refines.

Each batch takes what the corrected estimate ranks first, neighbours of the best that were measured, and a few at
random, so that the correction also learns where it did not look. A small space is tried as a whole, in that order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from acc.schedule import Footprint, Hardware, Schedule
from acc.tuning.cost import Correction
from acc.tuning.log import canonical
from acc.tuning.space import KernelSpace, Point

__all__ = ["KernelSearch"]

RANKED, EVOLVED, DRAWN = 8, 6, 2
"""What a batch consists of: the best by estimate, neighbours of the best by measurement, and some at random."""
PARENTS = 4
"""Of how many schedules neighbours are looked at."""
PATIENCE = 8
"""After so many batches that find nothing a search ends."""
NEGLIGIBLE = 0.0005
"""The share of the cost by which a find counts as one."""


class KernelSearch:
    """The search for one kernel.

    Attributes:
        identity: `Footprint.identity` of the kernel.
        name: its layers.
        count: how often the model has it.
        module: its bytecode, for workers.
        default: the schedule that the policy chooses.
        bound: the least cost that any schedule can have, as far as what it must move decides.
        computed: the least that computes, of all that was measured; infinite before.
        tried: how many schedules were measured, failures included.
    """

    def __init__(
        self,
        name: str,
        footprint: Footprint,
        hardware: Hardware,
        module: bytes,
        default: Schedule,
        most_instructions: int,
        correction: Correction,
        seed: int,
    ) -> None:
        self.identity, self.name, self.module, self.default = footprint.identity, name, module, default
        self.count = 1
        self.bound = 0.0
        self.computed = float("inf")
        self.tried = 0
        self._footprint, self._hardware, self._most, self._seed = footprint, hardware, most_instructions, seed
        self._correction = correction
        self._costs: dict[str, tuple[float, Schedule]] = {}
        self._seen: set[str] = set()
        self._extents = {axis.name: axis.extent for axis in footprint.axes}
        self._queue: deque[tuple[Schedule, Point | None]] = deque([(default, None)])
        self._points: dict[str, Point] = {}
        self._space: KernelSpace | None = None
        self._pool: tuple[list[Point], np.ndarray] = ([], np.zeros((0, 0)))
        self._fresh: np.ndarray = np.zeros(0, dtype=np.bool_)
        self._since = 0
        self._batch_best = float("inf")
        self._exhausted = False

    # What is known.

    @property
    def best(self) -> float:
        """The least cost that was measured; infinite before."""
        return min((cost for cost, _ in self._costs.values()), default=float("inf"))

    @property
    def default_cost(self) -> float:
        """That of the default schedule; infinite before it is measured."""
        known = self._costs.get(canonical(self.default.to_dict()))
        return float("inf") if known is None else known[0]

    @property
    def size(self) -> int:
        """How many schedules there are."""
        return self._open().size

    @property
    def is_done(self) -> bool:
        """Whether nothing more is to be expected."""
        if self._exhausted:
            return True
        is_least = self.best <= self._floor * (1 + NEGLIGIBLE)
        return (self._since >= PATIENCE and not self._open().is_small) or is_least

    @property
    def promise(self) -> float:
        """How much there may be to gain, as far as anyone knows, the more the fewer batches have found nothing."""
        if self.best == float("inf"):
            return float("inf")
        return self.count * max(self.best - self._floor, 1.0) * 0.6**self._since

    @property
    def _floor(self) -> float:
        return max(self.bound, 0.0 if self.computed == float("inf") else self.computed)

    def top(self, count: int) -> list[Schedule]:
        """The cheapest that were measured, the best first."""
        ordered = sorted(self._costs.values(), key=lambda known: known[0])
        return [schedule for _, schedule in ordered[:count]]

    # What comes next.

    def suggest(self, schedules: Iterable[Schedule]) -> None:
        """Puts schedules in front of what the search itself comes up with."""
        self._queue.extend((schedule, None) for schedule in schedules)

    def next(self) -> Schedule | None:
        """A schedule to measure, each once; None if there is none left."""
        while True:
            if not self._queue:
                if self.is_done:
                    return None
                self._fill()
                if not self._queue:
                    self._exhausted = True
                    return None
            schedule, point = self._queue.popleft()
            if self._is_known(schedule):
                continue
            self._seen.add(self._essence(schedule))
            if point is not None:
                self._points[canonical(schedule.to_dict())] = point
            return schedule

    def _essence(self, schedule: Schedule) -> str:
        """Equal for schedules that do the same: loops that run once may stand anywhere."""
        order = [name for name in schedule.order if schedule.tiles.get(name, 0) < self._extents.get(name, 0)]
        return canonical({**schedule.to_dict(), "order": order})

    def _is_known(self, schedule: Schedule) -> bool:
        return self._essence(schedule) in self._seen

    def everything(self) -> Iterator[Schedule]:
        """Every schedule that there is, the few with too many instructions included."""
        return self._open().everything()

    def observe(self, schedule: Schedule, cost: float | None) -> None:
        """Takes note of a measurement; cost: None if it failed."""
        key = canonical(schedule.to_dict())
        self._seen.add(self._essence(schedule))
        self.tried += 1
        if cost is None:
            return
        self._costs[key] = (cost, schedule)
        if (point := self._points.get(key)) is not None:
            self._correction.learn(self.identity, self._open().features([point])[0], cost)

    def _open(self) -> KernelSpace:
        if self._space is None:
            self._space = KernelSpace(self._footprint, self._hardware, self._most, self._seed)
        return self._space

    def _fill(self) -> None:
        space = self._open()
        if not self._pool[0] and space.size:
            self._pool = space.ranked()
            self._fresh = np.ones(len(self._pool[0]), dtype=np.bool_)
        # How the last batch went.
        if self.best < self._batch_best * (1 - NEGLIGIBLE):
            self._since, self._batch_best = 0, self.best
        elif self.best < float("inf"):
            self._since += 1
        _, features = self._pool
        fresh = np.flatnonzero(self._fresh)
        if fresh.size:
            order = fresh[np.argsort(self._correction.predict(self.identity, features[fresh]), kind="stable")]
            rng = np.random.default_rng([self._seed, len(self._seen)])
            self._take(space, order, RANKED)
            self._take(space, rng.permutation(order), DRAWN)
        if not space.is_small:
            self._evolve(space)

    def _take(self, space: KernelSpace, order: np.ndarray, count: int) -> None:
        """Queues the first points of the pool in an order, so many that are new."""
        points, _ = self._pool
        new: set[str] = set()
        for index in order:
            if len(new) == count:
                return
            if not self._fresh[index]:
                continue
            self._fresh[index] = False
            schedule = space.schedule(points[index])
            essence = self._essence(schedule)
            if essence not in self._seen and essence not in new:
                new.add(essence)
                self._queue.append((schedule, points[index]))

    def _evolve(self, space: KernelSpace) -> None:
        """Queues the most promising neighbours of the best."""
        ordered = sorted(self._costs.items(), key=lambda known: known[1][0])
        parents = [self._points[key] for key, _ in ordered if key in self._points][:PARENTS]
        near = list(dict.fromkeys(point for parent in parents for point in space.neighbours(parent)))
        if not near:
            return
        features = space.features(near)
        few = np.flatnonzero(np.isfinite(features[:, 0]))
        predicted = self._correction.predict(self.identity, features[few])
        taken = 0
        for index in few[np.argsort(predicted, kind="stable")]:
            schedule = space.schedule(near[index])
            if self._is_known(schedule):
                continue
            self._queue.append((schedule, near[index]))
            taken += 1
            if taken == EVOLVED:
                return
