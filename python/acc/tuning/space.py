"""The schedules of one kernel as something to search in: points, their features, and neighbours.

All of it is legal by construction: the points are those of `acc.schedule.Space` for one, two and four virtual threads,
and a neighbour is another point of these.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from acc.schedule import Footprint, Hardware, Schedule, Unschedulable, Work
from acc.schedule.space import Evaluation, Grid, Space, Variant

__all__ = ["FEATURES", "KernelSpace", "Point", "least_bytes"]

THREADS = (1, 2, 4)
ROLES = ("input", "weight", "accumulator", "output")
AXES = ("n", "s", "c", "h", "w", "ci", "kh", "kw")
FEATURES = (
    "cost",
    *(f"{what} {role}" for role in ROLES for what in ("bytes", "transfers")),
    "steps",
    "exposed",
    "first",
    "threads 1",
    "threads 4",
    "slots",
    *(f"tiles {axis}" for axis in AXES),
    *(f"threads {axis}" for axis in AXES[:5]),
    *(f"inner {axis}" for axis in AXES[:5]),
)
"""What a model of cost is told of a point, each a logarithm or a yes or no."""

KEPT, DRAWN = 24, 8
"""How many points of a variant are ranked: the cheapest, as the hardware counts, and some at random."""
PROMISING = 1.5
"""Variants are ranked whose cheapest point may cost so many times the cheapest of all, whatever the order of loops."""
EXHAUSTIVE = 512
"""Spaces of at most so many points are ranked, and tried if there is time, as a whole."""


@dataclass(frozen=True)
class Point:
    """A variant by its number, and a combination of tile sizes by its place in the grid."""

    variant: int
    place: int


def _columns(work: Work, costs: npt.NDArray[np.int64], grid: Grid, variant: Variant, at: npt.NDArray[np.int64]) -> list:
    """The features of the points of a variant, a column each."""
    zero = np.zeros(len(at))
    moved = {role: (zero, zero) for role in ROLES}
    exposed = first = zero
    for transfer in work.transfers:
        known = moved.get(transfer.role, (zero, zero))
        moved[transfer.role] = (known[0] + transfer.bytes, known[1] + transfer.count)
        if transfer.exposed:
            exposed = exposed + transfer.bytes
        if transfer.anchor:
            first = first + transfer.fill
    trips = {name: np.log(count[at]) for name, count in grid.trips.items()}
    inner = next((name for name in reversed(variant.order) if grid.extents[name] > 1), None)
    return [
        np.log(np.maximum(costs, 1)),
        *(np.log1p(column) for role in ROLES for column in moved[role]),
        np.log1p(work.steps),
        np.log1p(exposed),
        np.log1p(first),
        zero + (variant.vthreads == 1),
        zero + (variant.vthreads == 4),
        zero + math.log(sum(variant.slots)),
        *(trips.get(axis, zero) for axis in AXES),
        *(zero + (variant.vthread_axis == axis) for axis in AXES[:5]),
        *(zero + (inner == axis) for axis in AXES[:5]),
    ]


class KernelSpace:
    """All schedules of a kernel. most_instructions: points with more are left out, if others are left.

    Attributes:
        size: the number of points.
    """

    def __init__(self, footprint: Footprint, hardware: Hardware, most_instructions: int, seed: int) -> None:
        self._hardware = hardware
        self._most = most_instructions
        self._evaluations: list[Evaluation] = []
        for threads in THREADS:
            try:
                self._evaluations += Space(footprint, hardware, threads, split_window=True).evaluations()
            except Unschedulable:
                continue
        # Variants that differ in the order of loops alone share what is legal.
        places = {id(evaluation.legal): evaluation.legal for evaluation in self._evaluations}
        found = {key: np.flatnonzero(legal) for key, legal in places.items()}
        self._legal = [found[id(evaluation.legal)] for evaluation in self._evaluations]
        self.size = sum(map(len, self._legal))
        self._numbers = {self._variant(number): number for number in range(len(self._evaluations))}
        self._rng = np.random.default_rng(seed)

    def _variant(self, number: int) -> Variant:
        return self._evaluations[number].variant

    @property
    def is_small(self) -> bool:
        """Whether all of it can be tried."""
        return self.size <= EXHAUSTIVE

    def schedule(self, point: Point) -> Schedule:
        """The complete schedule of a point."""
        return self._evaluations[point.variant].schedule(point.place)

    def everything(self) -> Iterator[Schedule]:
        """The schedules of all points."""
        for number, legal in enumerate(self._legal):
            for place in legal:
                yield self.schedule(Point(number, int(place)))

    def ranked(self) -> tuple[list[Point], npt.NDArray[np.floating]]:
        """Points worth a look, all of a small space, with their features: a row each."""
        points: list[Point] = []
        rows = []
        bounds = [evaluation.bound for evaluation in self._evaluations]
        least = min(bounds, default=0)
        for number, (evaluation, legal) in enumerate(zip(self._evaluations, self._legal, strict=True)):
            if not self.is_small and bounds[number] > PROMISING * least:
                continue
            at = legal
            if not self.is_small and len(legal) > KEPT + DRAWN:
                costs = self._hardware.cost(evaluation.work(legal))
                kept = legal[np.argpartition(costs, KEPT)[:KEPT]]
                at = np.unique(np.concatenate([kept, self._rng.choice(legal, DRAWN, replace=False)]))
            found, features = self._features(number, at)
            points += [Point(number, int(place)) for place in at[found]]
            rows.append(features)
        for evaluation in self._evaluations:
            # A model may have a hundred kernels, whose spaces are all open.
            evaluation.forget()
        return points, np.concatenate(rows) if rows else np.zeros((0, len(FEATURES)), dtype=np.float32)

    def _features(
        self, number: int, at: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.floating]]:
        """Which of the points have few enough instructions, and their features."""
        evaluation = self._evaluations[number]
        work = evaluation.work(at)
        columns = _columns(work, self._hardware.cost(work), evaluation.grid, evaluation.variant, at)
        instructions = sum((transfer.count for transfer in work.transfers), work.steps)
        few = np.flatnonzero(instructions <= self._most)
        return few, np.stack(columns, axis=1)[few].astype(np.float32)

    def features(self, points: Sequence[Point]) -> npt.NDArray[np.floating]:
        """A row for each point; infinite cost for one with too many instructions."""
        table = np.full((len(points), len(FEATURES)), np.inf)
        by_variant: dict[int, list[int]] = {}
        for index, point in enumerate(points):
            by_variant.setdefault(point.variant, []).append(index)
        for number, indices in by_variant.items():
            at = np.array([points[index].place for index in indices], dtype=np.int64)
            few, rows = self._features(number, at)
            table[np.array(indices)[few]] = rows
        return table

    def neighbours(self, point: Point) -> Iterator[Point]:
        """Points that differ in one decision."""
        evaluation = self._evaluations[point.variant]
        grid, variant = evaluation.grid, evaluation.variant
        near = np.ones(grid.size, dtype=np.bool_)
        distance = np.zeros(grid.size, dtype=np.int64)
        for numbers in grid.number.values():
            steps = np.abs(numbers - numbers[point.place])
            near &= steps <= 2
            distance += steps > 0
        for place in np.flatnonzero(near & (distance == 1) & evaluation.legal):
            yield Point(point.variant, int(place))
        for other, number in self._numbers.items():
            changed = (
                (other.order != variant.order)
                + (other.levels != variant.levels)
                + (other.slots != variant.slots)
                + ((other.vthread_axis, other.vthreads) != (variant.vthread_axis, variant.vthreads))
            )
            # Threads decide which slots there can be.
            with_threads = changed == 2 and other.vthreads != variant.vthreads and other.slots != variant.slots
            if changed == 1 or with_threads:
                place = self._place(number, point)
                if place is not None:
                    yield Point(number, place)

    def _place(self, number: int, point: Point) -> int | None:
        """Where another variant has the tile sizes of a point, if they are legal there."""
        grid, other = self._evaluations[point.variant].grid, self._evaluations[number]
        if grid.size != other.grid.size or not other.legal[point.place]:
            return None
        return point.place


def least_bytes(footprint: Footprint, hardware: Hardware) -> int:
    """What any schedule must move: every element that is read, and every result, once."""
    grid = Grid(footprint, {axis.name: [axis.extent] for axis in footprint.axes}, hardware)
    count = len(footprint.buffers)
    order = tuple(axis.name for axis in footprint.parallel)
    whole = Evaluation(grid, Variant(order, None, 1, (0,) * count, (1,) * count))
    work = whole.work(np.zeros(1, dtype=np.int64), read_once=True)
    arguments: dict[object, int] = {}
    for index, transfer in enumerate(work.transfers):
        # An argument that is read into several buffers need be loaded once.
        reads = [buffer.arg for buffer in footprint.buffers if buffer.arg is not None]
        key = reads[index] if index < len(reads) else f"store {index}"
        arguments[key] = max(arguments.get(key, 0), int(transfer.bytes[0]))
    return sum(arguments.values())
