"""All schedules of a kernel, with their legality and cost: what the policy in `acc.targets.vta.schedule` chooses from.

A schedule is a variant (order of loops, axis of virtual threads, level and number of buffers per operand) and one of
many combinations of tile sizes. Each variant is evaluated for all combinations at once, as numpy arrays over the grid
of candidates.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from acc.targets.vta.config import Hardware
from acc.targets.vta.kernel_model import Buffer, Form, KernelModel

__all__ = ["Evaluation", "Grid", "Space", "Variant"]

Array = npt.NDArray[np.int64]

# What one instruction costs beside its transfer, in bytes that could have been moved meanwhile.
DMA_COST = 64
COMPUTE_COST = 16
# How many combinations of tile sizes are compared at most.
MAX_GRID = 100_000
# A transfer that nothing overlaps costs this fraction more.
EXPOSED_SHARE = 16


def _tile_sizes(extent: int) -> list[int]:
    """One size for every possible number of tiles: the smallest that gives it."""
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


class Grid:
    """All combinations of tile sizes, flattened: for every axis an array of sizes and of candidate numbers."""

    def __init__(self, model: KernelModel, candidates: dict[str, list[int]]) -> None:
        self.extents = {axis.name: axis.extent for axis in model.axes}
        self.candidates = candidates
        names = [axis.name for axis in model.axes]
        numbers = np.meshgrid(*(np.arange(len(candidates[name])) for name in names), indexing="ij")
        self.number: dict[str, Array] = {n: a.ravel().astype(np.int64) for n, a in zip(names, numbers, strict=True)}
        self._transfers: dict[tuple[Form, int, int, bool, frozenset[str]], Array] = {}
        self._derive()

    def _derive(self) -> None:
        self._boxes: dict[tuple[int, frozenset[str]], _Box] = {}
        self._compute_cost: Array | None = None
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
        length = np.ones(self.size, dtype=np.int64)
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
        """A buffer of the model; the axes in `whole` are not tiled."""
        key = (id(buffer), whole)
        if key not in self._boxes:
            self._boxes[key] = self._measure(buffer, whole)
        return self._boxes[key]

    def _measure(self, buffer: Buffer, whole: frozenset[str]) -> _Box:
        elements = np.ones(self.size, dtype=np.int64)
        moved = np.full(self.size, buffer.dram_bytes, dtype=np.int64)
        instructions = np.ones(self.size, dtype=np.int64)
        rank = len(buffer.forms)
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
            moved = moved * self.transfer(form, low, buffer.extents[dim], padded, whole)
            # One instruction moves two dimensions; contiguous weights are one.
            for axis, _ in form.terms:
                if axis not in whole:
                    instructions = instructions * self.trips[axis]
            if dim < rank - 2 and buffer.memory != "wgt":
                instructions = instructions * length
        return _Box(elements, moved, instructions)

    def compute_cost(self, model: KernelModel) -> Array:
        """What the steps cost that are no transfers."""
        if self._compute_cost is None:
            tiles = np.ones(self.size, dtype=np.int64)
            for axis in model.parallel:
                tiles = tiles * self.trips[axis.name]
            steps = tiles * (model.alu_steps + 1)
            for axis in model.reductions:
                tiles = tiles * self.trips[axis.name]
            self._compute_cost = COMPUTE_COST * (steps + tiles)
        return self._compute_cost

    def _tabulate(self, form: Form, low: int, extent: int, padded: bool, whole: frozenset[str]) -> Array:
        axes = [axis for axis, _ in form.terms if axis not in whole]
        total = np.zeros(tuple(len(self.candidates[axis]) for axis in axes), np.int64)
        for index in np.ndindex(*total.shape):
            tiles = {axis: self.candidates[axis][i] for axis, i in zip(axes, index, strict=True)}
            starts: Array = np.array([form.offset], dtype=np.int64)
            sizes: Array = np.array([1], dtype=np.int64)
            for axis, coefficient in form.terms:
                size = tiles.get(axis, self.extents[axis])
                begins = np.arange(0, self.extents[axis], size, dtype=np.int64)
                lengths = np.minimum(size, self.extents[axis] - begins)
                starts = (starts[:, None] + coefficient * begins[None, :]).ravel()
                sizes = (sizes[:, None] + abs(coefficient) * (lengths[None, :] - 1)).ravel()
            if padded:
                sizes = np.clip(starts - low + sizes, 0, extent) - np.clip(starts - low, 0, extent)
            total[index] = sizes.sum()
        return total


@dataclass(frozen=True)
class Variant:
    """Everything of a schedule but the tile sizes."""

    order: tuple[str, ...]
    vthread_axis: str | None
    vthreads: int
    levels: tuple[int, ...]  # per buffer of the model
    slots: tuple[int, ...]


def _variants(model: KernelModel, vthreads: int, tiles_reductions: bool) -> Iterator[Variant]:
    """Orders of the parallel axes with the first (the batch) outermost, axes of virtual threads, cache levels."""
    movable = [axis.name for axis in model.parallel[1:] if axis.extent > 1]
    fixed = [axis.name for axis in model.parallel if axis.name not in movable]
    reductions = {axis.name for axis in model.reductions}
    choices: list[tuple[int, ...]] = []
    for buffer in model.buffers:
        if buffer.arg is None or not (buffer.axes & reductions) or not tiles_reductions:
            choices.append((0,))
        else:
            choices.append((0, 1) if buffer.anchor else (1,))
    axes: list[str | None] = [None]
    if vthreads > 1:
        axes = [axis.name for axis in model.parallel if axis.extent > 1]
    for axis in axes:
        # Virtual threads that share what they read cannot fill it for the next round while they compute.
        shared = [(1, 2) if b.anchor and axis not in b.axes else (1,) for b in model.buffers]
        for slots in itertools.product(*shared):
            for order in itertools.permutations(movable):
                for levels in itertools.product(*choices):
                    yield Variant((*fixed, *order), axis, vthreads, levels, slots)


class Evaluation:
    """Legality and cost of one variant for all tile sizes of a grid."""

    def __init__(self, model: KernelModel, grid: Grid, variant: Variant, hardware: Hardware) -> None:
        self.model, self.grid, self.variant = model, grid, variant
        self.reductions = frozenset(axis.name for axis in model.reductions)
        self.dram: dict[str, Array] = {}
        self.cost = grid.compute_cost(model)
        self.instructions = self.cost // COMPUTE_COST
        self.legal = np.ones(grid.size, dtype=np.bool_)
        self.repetitions: dict[tuple[frozenset[str], bool, int], Array] = {}
        if variant.vthread_axis is not None:
            self.legal &= grid.trips[variant.vthread_axis] % variant.vthreads == 0
        self.used = {memory: np.zeros(grid.size, dtype=np.int64) for memory in ("inp", "wgt", "acc")}
        for buffer, level, slots in zip(model.buffers, variant.levels, variant.slots, strict=True):
            self.used[buffer.memory] = self.used[buffer.memory] + self._buffer(buffer, level, slots)
        self.fits = np.ones(grid.size, dtype=np.bool_)
        for memory, used in self.used.items():
            self.fits &= np.asarray(used <= hardware.depth(memory))
        self.legal &= self.fits
        for store in model.stores:
            self._transfer(store, grid.box(store, frozenset()), None)

    def _buffer(self, buffer: Buffer, level: int, slots: int) -> Array:
        """Elements that the buffer takes; counts its transfers."""
        axis = self.variant.vthread_axis
        box = self.grid.box(buffer, self.reductions if level == 0 or buffer.arg is None else frozenset())
        own = axis is not None and (buffer.arg is None or axis in buffer.axes)
        if buffer.arg is not None:
            moved = self._transfer(buffer, box, self._repetitions(buffer, level))
            if slots == 1 and not own:
                self.cost = self.cost + moved // EXPOSED_SHARE
        copies = slots * (self.variant.vthreads if own else 1)
        return box.elements * copies if copies > 1 else box.elements

    def _repetitions(self, buffer: Buffer, level: int) -> Array:
        """How often the same elements are read: loops that a read does not depend on, but stays inside of."""
        key = (buffer.axes, buffer.mutated, level)
        if key in self.repetitions:
            return self.repetitions[key]
        grid, variant = self.grid, self.variant
        loops = list(variant.order)
        if level > 0:
            loops += [axis.name for axis in self.model.reductions]
        repeated = np.ones(grid.size, dtype=np.int64)
        inside = np.full(grid.size, buffer.mutated)
        for name in reversed(loops):
            trips = grid.trips[name]
            if name in buffer.axes:
                inside = inside | (trips > 1)
                continue
            if name == variant.vthread_axis:
                trips = -(-trips // variant.vthreads)
            repeated = repeated * np.where(inside, trips, 1)
        self.repetitions[key] = repeated
        return repeated

    def _transfer(self, buffer: Buffer, box: _Box, repetitions: Array | None) -> Array:
        """Counts a transfer and returns its bytes."""
        moved, instructions = box.moved, box.instructions
        if repetitions is not None:
            moved, instructions = moved * repetitions, instructions * repetitions
        known = self.dram.get(buffer.memory)
        self.dram[buffer.memory] = moved if known is None else known + moved
        self.cost = self.cost + moved + DMA_COST * instructions
        self.instructions = self.instructions + instructions
        return moved


class Space:
    """The schedules of a kernel on an accelerator, with a number of virtual threads.

    With `split_window` the window of a convolution may be tiled to single taps; otherwise it stays whole. `least` are
    the elements that the smallest tile needs of every memory.
    """

    def __init__(self, model: KernelModel, hardware: Hardware, vthreads: int, split_window: bool) -> None:
        self.model, self.hardware, self.vthreads = model, hardware, vthreads
        self.grid = Grid(model, self._candidates(split_window))
        # What does not fit once, staged as late as possible, never fits.
        levels = tuple(int(b.arg is not None and bool(model.reductions)) for b in model.buffers)
        order = tuple(axis.name for axis in model.parallel)
        least = Evaluation(model, self.grid, Variant(order, None, 1, levels, (1,) * len(levels)), hardware)
        self.least = {memory: int(used.min()) for memory, used in least.used.items()}
        self.grid.keep(least.fits)

    def _candidates(self, split_window: bool) -> dict[str, list[int]]:
        model = self.model
        candidates: dict[str, list[int]] = {}
        for axis in model.axes:
            sizes = _tile_sizes(axis.extent)
            if model.gemm and axis.reduction and axis.name != model.reductions[0].name:
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
        for variant in _variants(self.model, self.vthreads, tiles_reductions=bool(self.model.reductions)):
            evaluation = Evaluation(self.model, self.grid, variant, self.hardware)
            if evaluation.legal.any():
                yield evaluation
