"""All schedules of a kernel, with their legality and cost: what a search chooses from.

A schedule is a variant (order of loops, axis of virtual threads, level and number of buffers per operand) and one of
many combinations of tile sizes. Each variant is evaluated for all combinations at once, as numpy arrays over the grid
of candidates. What is legal here compiles.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from acc.schedule.footprint import Buffer, Footprint, Form
from acc.schedule.hardware import Array, Hardware, Memory, Transfer, Work
from acc.schedule.language import IllegalSchedule, Schedule, complete, earliest_level, is_moved, latest_level

__all__ = ["Estimate", "Evaluation", "Grid", "Space", "Variant", "estimate", "fits", "tile_sizes"]

_T = TypeVar("_T")

# How many combinations of tile sizes are compared at most.
MAX_GRID = 100_000


@dataclass(frozen=True)
class Estimate:
    """What a schedule makes a kernel do.

    cost: as the hardware counts it. dram_bytes: what is moved by role: "input", "weight" and "accumulator" are loaded,
    "output" is stored. instructions: of transfers and steps together, about. elements: what is needed of every memory,
    by its name.
    """

    cost: int
    dram_bytes: Mapping[str, int]
    instructions: int
    elements: Mapping[str, int]


def tile_sizes(extent: int) -> list[int]:
    """One size for every possible number of tiles, the smallest that gives it, in ascending order."""
    sizes, count = [extent], 1
    # Jumps to the next number of tiles that gives another size: quick for any extent.
    while (size := (extent - 1) // count) > 0:
        count = (extent - 1) // size + 1
        sizes.append((extent - 1) // count + 1)
    return sizes[::-1]


@dataclass(frozen=True)
class _Box:
    """A buffer for every combination of tile sizes: its size, and one pass of its transfers over all positions."""

    elements: Array
    moved: Array  # bytes
    instructions: Array
    pieces: Array


class Grid:
    """All combinations of tile sizes, flattened: for every axis an array of sizes and of candidate numbers."""

    def __init__(self, footprint: Footprint, candidates: dict[str, list[int]], hardware: Hardware) -> None:
        self.footprint, self.hardware, self.candidates = footprint, hardware, candidates
        self.extents = {axis.name: axis.extent for axis in footprint.axes}
        names = [axis.name for axis in footprint.axes]
        numbers = np.meshgrid(*(np.arange(len(candidates[name])) for name in names), indexing="ij")
        self.number: dict[str, Array] = {n: a.ravel().astype(np.int64) for n, a in zip(names, numbers, strict=True)}
        self._transfers: dict[tuple[Form, int, int, bool, frozenset[str]], Array] = {}
        self._derive()

    def _derive(self) -> None:
        self._boxes: dict[tuple[int, frozenset[str]], _Box] = {}
        self.shared: dict[Hashable, object] = {}
        self._steps: Array | None = None
        self.tile = {name: np.array(self.candidates[name], dtype=np.int64)[i] for name, i in self.number.items()}
        self.trips = {name: -(-self.extents[name] // tile) for name, tile in self.tile.items()}

    def keep(self, mask: npt.NDArray[np.bool_]) -> None:
        self.number = {name: i[mask] for name, i in self.number.items()}
        self._derive()

    @property
    def size(self) -> int:
        return next(iter(self.number.values())).size

    def length(self, form: Form, whole: frozenset[str]) -> Array:
        """Size of a tile in a dimension; the axes in `whole` are not tiled."""
        length = np.full(self.size, 1 + form.reach, dtype=np.int64)
        for axis, coefficient in form.terms:
            length = length + abs(coefficient) * ((self.extents[axis] if axis in whole else self.tile[axis]) - 1)
        return length

    def transfer(self, form: Form, low: int, extent: int, padded: bool, whole: frozenset[str]) -> Array:
        """Elements moved in one dimension, padding excluded, summed over all positions of the tiles."""
        key = (form, low, extent, padded, whole)
        if key not in self._transfers:
            self._transfers[key] = self._tabulate(*key)
        index = tuple(self.number[axis] for axis, _ in form.terms if axis not in whole)
        table = self._transfers[key]
        return table[index] if index else np.full(self.size, table[()], dtype=np.int64)

    def box(self, buffer: Buffer, whole: frozenset[str]) -> _Box:
        """A buffer of the footprint; the axes in `whole` are not tiled."""
        key = (id(buffer), whole)
        if key not in self._boxes:
            self._boxes[key] = self._measure(buffer, whole)
        return self._boxes[key]

    def _measure(self, buffer: Buffer, whole: frozenset[str]) -> _Box:
        elements = np.ones(self.size, dtype=np.int64)
        moved = np.full(self.size, buffer.dram_bytes, dtype=np.int64)
        pieces = np.ones(self.size, dtype=np.int64)
        instructions = np.ones(self.size, dtype=np.int64)
        moved_at_once = self.hardware.transfer_rank(buffer.role)
        repeated = 0 if moved_at_once is None else len(buffer.forms) - moved_at_once
        for dim, form in enumerate(buffer.forms):
            length = self.length(form, whole)
            if buffer.sizes:
                tiled = np.zeros(self.size, dtype=np.bool_)
                for axis, _ in form.terms:
                    if axis not in whole:
                        tiled |= self.trips[axis] > 1
                length = np.where(tiled, length, buffer.sizes[dim])
            elements = elements * length
            if not buffer.dram_bytes:
                continue
            padded = bool(buffer.padded) and buffer.padded[dim]
            low = buffer.low[dim] if padded else 0
            if buffer.sizes and not form.terms:
                # No axis moves it: all of it is read.
                moved = moved * (buffer.extents[dim] if padded else buffer.sizes[dim])
            else:
                moved = moved * self.transfer(form, low, buffer.extents[dim], padded, whole)
            for axis, _ in form.terms:
                if axis not in whole:
                    pieces = pieces * self.trips[axis]
            if dim < repeated:
                pieces = pieces * length
            elif moved_at_once is not None and dim < repeated + buffer.strided:
                instructions = instructions * length
        return _Box(elements, moved, instructions * pieces, pieces)

    @property
    def steps(self) -> Array:
        """How many operations are no transfers: those of every tile of the result, and of what is summed."""
        if self._steps is None:
            tiles = np.ones(self.size, dtype=np.int64)
            for axis in self.footprint.parallel:
                tiles = tiles * self.trips[axis.name]
            steps = tiles * (self.footprint.steps + 1)
            for axis in self.footprint.reductions:
                tiles = tiles * self.trips[axis.name]
            self._steps = steps + tiles
        return self._steps

    def _tabulate(self, form: Form, low: int, extent: int, padded: bool, whole: frozenset[str]) -> Array:
        terms = tuple(
            (coefficient, self.extents[axis], None if axis in whole else tuple(self.candidates[axis]))
            for axis, coefficient in form.terms
        )
        return _tabulate(terms, form.offset, 1 + form.reach, (low, extent) if padded else None)


@functools.lru_cache(maxsize=4096)
def _tabulate(
    terms: tuple[tuple[int, int, tuple[int, ...] | None], ...],
    offset: int,
    least: int,
    inside: tuple[int, int] | None,
) -> Array:
    """Elements moved in one dimension, summed over all positions of the tiles, for all sizes of these.

    terms: of every axis that moves the slice the coefficient, the extent and the sizes of tiles, None for an axis that
    is not tiled; the result has a dimension for each that is. least: the elements of a slice of one position. inside:
    the padding in front and the extent without any, where padding is not moved. Kernels of a network have most of
    these sums in common.
    """
    total = np.zeros(tuple(len(sizes) for _, _, sizes in terms if sizes is not None), np.int64)
    for index in np.ndindex(*total.shape):
        chosen = iter(index)
        starts: Array = np.array([offset], dtype=np.int64)
        lengths: Array = np.array([least], dtype=np.int64)
        for coefficient, extent, sizes in terms:
            size = extent if sizes is None else sizes[next(chosen)]
            begins = np.arange(0, extent, size, dtype=np.int64)
            reached = np.minimum(size, extent - begins)
            starts = (starts[:, None] + coefficient * begins[None, :]).ravel()
            lengths = (lengths[:, None] + abs(coefficient) * (reached[None, :] - 1)).ravel()
        if inside is not None:
            low, extent = inside
            lengths = np.clip(starts - low + lengths, 0, extent) - np.clip(starts - low, 0, extent)
        total[index] = lengths.sum()
    total.flags.writeable = False
    return total


@dataclass(frozen=True)
class Variant:
    """Everything of a schedule but the tile sizes."""

    order: tuple[str, ...]
    vthread_axis: str | None
    vthreads: int
    levels: tuple[int, ...]  # per buffer of the footprint
    slots: tuple[int, ...]


def _variants(footprint: Footprint, vthreads: int) -> Iterator[Variant]:
    """Orders of the parallel axes with the first (the batch) outermost, axes of virtual threads, levels, slots."""
    movable = [axis.name for axis in footprint.parallel[1:] if axis.extent > 1]
    fixed = [axis.name for axis in footprint.parallel if axis.name not in movable]
    leaders = footprint.leaders
    moves = [is_moved(buffer, footprint) for buffer in footprint.buffers]
    choices: list[tuple[int, ...]] = []
    for index, buffer in enumerate(footprint.buffers):
        first, last = earliest_level(buffer, footprint), latest_level(buffer, footprint)
        follows = buffer.arg is None or leaders[index] != index
        choices.append((0,) if follows else tuple(range(first, last + 1)))
    axes: list[str | None] = [None]
    if vthreads > 1:
        axes = [axis.name for axis in footprint.parallel if axis.extent > 1]
    for axis in axes:
        # Virtual threads that share what they read cannot fill it for the next round while they compute.
        shared = [
            (1, 2) if b.anchor and axis not in b.axes and leaders[i] == i else (1,)
            for i, b in enumerate(footprint.buffers)
        ]
        for slots in itertools.product(*shared):
            of_all = tuple(slots[leader] for leader in leaders)
            for order in itertools.permutations(movable):
                for levels in itertools.product(*choices):
                    # What tiles of the sum have in common is filled in front of them at any level.
                    of_each = tuple(levels[leader] * moved for leader, moved in zip(leaders, moves, strict=True))
                    yield Variant((*fixed, *order), axis, vthreads, of_each, of_all)


def _memories(footprint: Footprint, hardware: Hardware) -> dict[str, Memory]:
    """The memories that a kernel needs, by their names."""
    memories = {}
    for role in ("input", "weight", "accumulator"):
        if any(buffer.role == role for buffer in footprint.buffers):
            memory = hardware.memory(role)
            memories[memory.name] = memory
    return memories


class Evaluation:
    """Legality and cost of one variant for all tile sizes of a grid."""

    def __init__(self, grid: Grid, variant: Variant) -> None:
        self.grid, self.variant = grid, variant
        self._summed = frozenset(axis.name for axis in grid.footprint.reductions)
        self.fits = self._shared("fits", self._find_room)
        self.legal = self._shared("legal", self._find_legal)

    def _shared(self, what: str, make: Callable[[], _T]) -> _T:
        """What does not depend on the order of loops; `make` is called for the first variant that asks."""
        variant = self.variant
        key = (what, variant.levels, variant.slots, variant.vthread_axis, variant.vthreads)
        if key not in self.grid.shared:
            self.grid.shared[key] = make()
        return cast(_T, self.grid.shared[key])

    @cached_property
    def used(self) -> Mapping[str, Array]:
        """Elements needed of every memory."""
        grid, variant = self.grid, self.variant
        used = {name: np.zeros(grid.size, dtype=np.int64) for name in _memories(grid.footprint, grid.hardware)}
        for buffer, level, slots in zip(grid.footprint.buffers, variant.levels, variant.slots, strict=True):
            name = grid.hardware.memory(buffer.role).name
            apart = variant.vthread_axis is not None and name in grid.hardware.apart
            copies = slots * (variant.vthreads if apart or self._is_own(buffer) else 1)
            elements = self._box(buffer, level).elements
            used[name] = used[name] + (elements * copies if copies > 1 else elements)
        return used

    def _find_room(self) -> npt.NDArray[np.bool_]:
        memories = _memories(self.grid.footprint, self.grid.hardware)
        fits = np.ones(self.grid.size, dtype=np.bool_)
        for name, used in self.used.items():
            fits &= np.asarray(used <= memories[name].capacity)
        return fits

    def _find_legal(self) -> npt.NDArray[np.bool_]:
        axis = self.variant.vthread_axis
        return self.fits if axis is None else self.fits & (self.grid.trips[axis] % self.variant.vthreads == 0)

    def _is_own(self, buffer: Buffer) -> bool:
        """Whether every virtual thread has a buffer of its own."""
        axis = self.variant.vthread_axis
        return axis is not None and (buffer.arg is None or axis in buffer.axes)

    def _box(self, buffer: Buffer, level: int) -> _Box:
        return self.grid.box(buffer, self._summed if level == 0 or buffer.arg is None else frozenset())

    def _repetitions(self, buffer: Buffer, level: int, trips: Mapping[str, Array]) -> Array | int:
        """How often the same elements are read: loops that a read does not depend on, but stays inside of.

        trips: how often every loop runs.
        """
        variant = self.variant
        loops = list(variant.order)
        if level > 0:
            loops += [axis.name for axis in self.grid.footprint.reductions]
        repeated: Array | int = 1
        inside: npt.NDArray[np.bool_] | bool = buffer.mutated
        for name in reversed(loops):
            count = trips[name]
            if name in buffer.axes:
                inside = inside | (count > 1)
                continue
            if name == variant.vthread_axis:
                count = -(-count // variant.vthreads)
            repeated = repeated * np.where(inside, count, 1)
        return repeated

    def work(self, at: npt.NDArray[np.int64], read_once: bool = False) -> Work:
        """The transfers of all buffers, the stores of the results, and the steps, for the combinations `at`.

        read_once: as if no order of loops made the kernel read anything again.
        """
        transfers = []
        grid, variant, footprint = self.grid, self.variant, self.grid.footprint
        trips = {name: count[at] for name, count in grid.trips.items()}
        for buffer, level, slots in zip(footprint.buffers, variant.levels, variant.slots, strict=True):
            if buffer.arg is not None:
                box = self._box(buffer, level)
                repeated = 1 if read_once else self._repetitions(buffer, level, trips)
                exposed = slots == 1 and not self._is_own(buffer)
                moved, count, pieces = (each[at] * repeated for each in (box.moved, box.instructions, box.pieces))
                fill = box.elements[at] * buffer.dram_bytes
                transfers.append(Transfer(buffer.role, moved, count, pieces, exposed, fill, buffer.anchor))
        for store in footprint.stores:
            box = grid.box(store, frozenset())
            moved, count, pieces = box.moved[at], box.instructions[at], box.pieces[at]
            transfers.append(Transfer(store.role, moved, count, pieces, False, np.zeros_like(at)))
        results = math.prod(axis.extent for axis in footprint.parallel)
        points: Array | int = results * (footprint.terms + footprint.steps)
        if (window := footprint.window) and window.axis is not None:
            # Each row of a tile begins with a window that is read anew.
            rows = results // window.axis.extent * trips[window.axis.name] * footprint.terms // window.moves
            points = points + rows * (window.elements - window.moves)
        return Work(tuple(transfers), grid.steps[at], points)

    def _find_bounds(self) -> tuple[npt.NDArray[np.int64], Array]:
        """The legal combinations, and what each costs at least, whatever the order of loops."""
        at = np.flatnonzero(self.legal)
        return at, self.grid.hardware.cost(self.work(at, read_once=True))

    @property
    def bound(self) -> int:
        """What a legal combination costs at least."""
        return self._shared("bound", lambda: int(self._shared("bounds", self._find_bounds)[1].min()))

    def find_cheapest(self, most: int) -> tuple[int, int] | None:
        """The least cost of a legal combination, if it is at most `most`, and the first combination that has it."""
        at, bounds = self._shared("bounds", self._find_bounds)
        at = at[bounds <= most]
        if not at.size:
            return None
        costs = self.grid.hardware.cost(self.work(at))
        winner = int(costs.argmin())
        return int(costs[winner]), int(at[winner])

    def forget(self) -> None:
        """Frees the memory of what takes little to find again."""
        self.__dict__.pop("used", None)
        for key in [key for key in self.grid.shared if isinstance(key, tuple) and key[0] == "bounds"]:
            del self.grid.shared[key]

    def estimate(self, index: int) -> Estimate:
        """That of one combination of tile sizes."""
        work = self.work(np.array([index], dtype=np.int64))
        moved: dict[str, int] = {}
        for transfer in work.transfers:
            moved[transfer.role] = moved.get(transfer.role, 0) + int(transfer.bytes[0])
        counts = sum(int(transfer.count[0]) for transfer in work.transfers)
        elements = {name: int(used[index]) for name, used in self.used.items()}
        cost = int(self.grid.hardware.cost(work)[0])
        return Estimate(cost, moved, counts + int(work.steps[0]), elements)

    def schedule(self, index: int) -> Schedule:
        """The complete schedule that is one combination of tile sizes."""
        variant, footprint = self.variant, self.grid.footprint
        tiles = {name: int(tile[index]) for name, tile in self.grid.tile.items()}
        summed = any(tiles[axis.name] < axis.extent for axis in footprint.reductions)
        levels: dict[int, int] = {}
        slots: dict[int, int] = {}
        for buffer, level, count in zip(footprint.buffers, variant.levels, variant.slots, strict=True):
            if buffer.arg is not None:
                levels[buffer.arg] = max(level if summed else 0, levels.get(buffer.arg, 0))
                slots[buffer.arg] = count
        return Schedule(tiles, variant.order, variant.vthread_axis, variant.vthreads, levels, slots)


class Space:
    """The schedules of a kernel on an accelerator, with a number of virtual threads.

    With `split_window` the window of a convolution may be tiled to single taps; otherwise it stays whole. `least` are
    the elements that the smallest tile needs of every memory, by its name. Raises Unschedulable if the target lacks a
    memory that the kernel needs.
    """

    def __init__(self, footprint: Footprint, hardware: Hardware, vthreads: int = 1, split_window: bool = False) -> None:
        self.footprint, self.hardware, self.vthreads = footprint, hardware, vthreads
        self.grid = Grid(footprint, self._candidates(split_window), hardware)
        # What does not fit once, staged as late as possible, never fits.
        levels = tuple(int(b.arg is not None and bool(footprint.reductions)) for b in footprint.buffers)
        order = tuple(axis.name for axis in footprint.parallel)
        least = Evaluation(self.grid, Variant(order, None, 1, levels, (1,) * len(levels)))
        self.least = {name: int(used.min()) for name, used in least.used.items()}
        self.grid.keep(least.fits)

    def _candidates(self, split_window: bool) -> dict[str, list[int]]:
        footprint = self.footprint
        candidates: dict[str, list[int]] = {}
        for axis in footprint.axes:
            sizes = [axis.extent] if axis.whole else tile_sizes(axis.extent)
            if not axis.whole and footprint.product and axis.reduction and axis.name != footprint.reductions[0].name:
                sizes = sorted({1, axis.extent}) if split_window else [axis.extent]
            candidates[axis.name] = sizes
        while math.prod(len(sizes) for sizes in candidates.values()) > MAX_GRID:
            widest = max(candidates, key=lambda name: len(candidates[name]))
            # The smallest size stays, so that what has a schedule keeps one.
            candidates[widest] = candidates[widest][:1] + candidates[widest][1:-1:2] + candidates[widest][-1:]
        return candidates

    def evaluations(self) -> Iterator[Evaluation]:
        """Every variant that has a legal combination of tile sizes."""
        if self.grid.size == 0:
            return
        for variant in _variants(self.footprint, self.vthreads):
            evaluation = Evaluation(self.grid, variant)
            if evaluation.legal.any():
                yield evaluation

    def find_cheapest(self) -> Schedule | None:
        """The schedule that costs least, the first of those if there are several; None if the space is empty."""
        evaluations = list(self.evaluations())
        best: tuple[int, int, int] | None = None
        # Those that promise most come first, so that few of the others need to be looked at.
        for number in sorted(range(len(evaluations)), key=lambda i: evaluations[i].bound):
            evaluation = evaluations[number]
            most = np.iinfo(np.int64).max if best is None else best[0]
            if evaluation.bound > most:
                break
            if (found := evaluation.find_cheapest(int(most))) is not None:
                best = min(filter(None, (best, (found[0], number, found[1]))))
        return None if best is None else evaluations[best[1]].schedule(best[2])

    def explain(self) -> str:
        """Why the space is empty, and what to do if the hardware knows."""
        memories = _memories(self.footprint, self.hardware)
        missing = [(memories[name], least) for name, least in self.least.items() if least > memories[name].capacity]
        if not missing:
            return "no tile of it fits in all scratchpads at once"
        parts = [f"{least} elements of {m.name}, {least - m.capacity} more than there are" for m, least in missing]
        advice = list(filter(None, (self.hardware.advise(memory, least) for memory, least in missing)))
        return f"its smallest tile needs {' and '.join(parts)}" + (
            f": {' and '.join(advice)} would do" if advice else ""
        )


def estimate(schedule: Schedule, footprint: Footprint, hardware: Hardware) -> Estimate:
    """What a schedule makes a kernel do; raises IllegalSchedule if the kernel or the hardware cannot have it."""
    whole = complete(schedule, footprint)
    grid = Grid(footprint, {name: [size] for name, size in whole.tiles.items()}, hardware)
    levels = tuple(
        0 if buffer.arg is None else whole.levels[buffer.arg] * is_moved(buffer, footprint)
        for buffer in footprint.buffers
    )
    slots = tuple(1 if buffer.arg is None else whole.slots[buffer.arg] for buffer in footprint.buffers)
    evaluation = Evaluation(grid, Variant(whole.order, whole.vthread_axis, whole.vthreads, levels, slots))
    memories = _memories(footprint, hardware)
    short = [
        f"{int(used[0])} elements of {name}, which has {memories[name].capacity}"
        for name, used in evaluation.used.items()
        if used[0] > memories[name].capacity
    ]
    if short:
        raise IllegalSchedule(f"its buffers do not fit: they need {' and '.join(short)}")
    return evaluation.estimate(0)


def fits(schedule: Schedule, footprint: Footprint, hardware: Hardware) -> bool:
    """Whether the hardware has room for the buffers of a schedule, and the kernel can have it."""
    try:
        estimate(schedule, footprint, hardware)
    except IllegalSchedule:
        return False
    return True
