"""Chooses how each accelerator kernel is tiled, staged and interleaved: the policy behind #te.schedule.

For one kernel all combinations are enumerated of tile sizes (those that differ in their number of tiles), loop
orders, the level at which operands are staged, how many buffers take turns and the axis of virtual threads. A
combination is legal if its buffers fit in the scratchpads. What is legal here compiles: transfers and micro-ops of any
size and padding are split into as many instructions as they need. Among the legal ones the cheapest is taken: bytes
moved between DRAM and the scratchpads, plus what instructions cost. Everything is computed for all tile sizes at once,
as numpy arrays over the grid of candidates.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from acc import ir
from acc.kernel_model import Axis, Buffer, Form, KernelModel, Unschedulable, read_kernel

__all__ = ["Decision", "Hardware", "Options", "Schedule", "choose_schedule", "make_vta_schedules"]

Array = npt.NDArray[np.int64]

# What one instruction costs beside its transfer, in bytes that could have been moved meanwhile.
DMA_COST = 64
COMPUTE_COST = 16
# How many combinations of tile sizes are compared at most.
MAX_GRID = 100_000
# A transfer that nothing overlaps costs this fraction more.
EXPOSED_SHARE = 16


@dataclass(frozen=True)
class Options:
    """How schedules are chosen: the number of virtual threads that is tried first."""

    vthreads: int = 2


@dataclass(frozen=True)
class Hardware:
    """Scratchpad depths in elements, from a vta_config.json or the attribute of the same contents."""

    inp: int
    wgt: int
    acc: int
    int8: bool

    @staticmethod
    def from_config(config: Mapping[str, object]) -> Hardware:
        """Reads the keys of vta_config.json (upper or lower case); missing ones have the documented defaults."""
        values = {key.upper(): value for key, value in config.items()}

        def get(key: str, default: int) -> int:
            value = values.get(key, default)
            return int(value)  # type: ignore[call-overload]

        block = get("LOG_BLOCK", 4)
        batch, block_in, block_out = get("LOG_BATCH", 0), get("LOG_BLOCK_IN", block), get("LOG_BLOCK_OUT", block)
        inp, wgt, acc = get("LOG_INP_WIDTH", 3), get("LOG_WGT_WIDTH", 3), get("LOG_ACC_WIDTH", 5)

        def depth(key: str, default: int, log_element_bits: int) -> int:
            log_depth = get(key, default) + 3 - log_element_bits
            return 1 << log_depth if log_depth >= 0 else 0

        return Hardware(
            depth("LOG_INP_BUFF_SIZE", 15, inp + batch + block_in),
            depth("LOG_WGT_BUFF_SIZE", 18, wgt + block_in + block_out),
            depth("LOG_ACC_BUFF_SIZE", 17, acc + batch + block_out),
            (inp, wgt, acc) == (3, 3, 5),
        )

    @staticmethod
    def from_module(module: ir.Module) -> Hardware:
        """Reads the module's `vta.config`."""
        attribute = module.operation.attributes.get("vta.config")
        text = str(attribute) if attribute is not None else ""
        return Hardware.from_config({k: int(v) for k, v in re.findall(r"(log_\w+) = (-?\d+)", text)})


@dataclass(frozen=True)
class Schedule:
    """One decision: tile size per axis name, the order of parallel axes, virtual threads; per argument the memory
    and level it is staged at and the number of buffers that take turns.

    `dram_bytes` are the bytes that it moves by memory: inp, wgt, acc (loads) and out (stores).
    """

    tiles: dict[str, int]
    order: tuple[str, ...]
    vthread_axis: str | None
    vthreads: int
    levels: dict[int, tuple[str, int]]
    slots: dict[int, int]
    cost: int
    dram_bytes: dict[str, int]

    def summary(self) -> str:
        """One line for people: sizes of parallel and reduction tiles, and the virtual threads."""
        parallel = "x".join(str(self.tiles[name]) for name in sorted(self.order))
        reductions = "x".join(str(size) for name, size in sorted(self.tiles.items()) if name not in self.order)
        text = f"tile {parallel}" + (f" by {reductions}" if reductions else "")
        return text + (f", {self.vthreads} virtual threads over {self.vthread_axis}" if self.vthread_axis else "")

    def attribute(self, model: KernelModel) -> str:
        """The #te.schedule in its textual form."""

        def level(axes: Sequence[Axis], order: Sequence[str]) -> str:
            sizes = [0] * (1 + max((axis.index for axis in axes), default=-1))
            by_name = {axis.name: axis for axis in axes}
            for name in order:
                sizes[by_name[name].index] = self.tiles[name]
            text = f"sizes = {sizes}"
            if list(order) != sorted(order, key=lambda name: by_name[name].index):
                text += f", order = {[by_name[name].index for name in order]}"
            return f"#te.tile<{text}>"

        tiled = [a.name for a in model.reductions if self.tiles[a.name] < a.extent]
        levels = [level(model.parallel, self.order)]
        if tiled:
            levels.append(level(model.reductions, tiled))
        parts = [f"tiles = [{', '.join(levels)}]"]
        if self.vthread_axis is not None:
            index = next(a.index for a in model.parallel if a.name == self.vthread_axis)
            parts.append(f"vthread = #te.vthread<axis = {index}, count = {self.vthreads}>")
        caches = []
        for arg, (memory, at) in sorted(self.levels.items()):
            slots = f", slots = {self.slots[arg]}" if self.slots.get(arg, 1) > 1 else ""
            caches.append(f"#te.cache<arg = {arg}, memory = #vta.mem<{memory}>, level = {at}{slots}>")
        parts.append(f"caches = [{', '.join(caches)}]")
        parts.append("accumulator = #vta.mem<acc>")
        if model.gemm:
            parts.append("intrinsic = @vta_gemm")
        return f"#te.schedule<{', '.join(parts)}>"


@dataclass(frozen=True)
class Decision:
    """What was decided for a kernel: its schedule, or the reason why it goes to the CPU."""

    kernel: str
    layers: tuple[str, ...]
    schedule: Schedule | None
    reason: str = ""


def _tile_sizes(extent: int) -> list[int]:
    """One size for every possible number of tiles: the smallest that gives it."""
    return sorted({math.ceil(extent / count) for count in range(1, extent + 1)})


@dataclass(frozen=True)
class _Box:
    """A buffer for every combination of tile sizes: its size, and one pass of its transfers over all positions."""

    elements: Array
    moved: Array  # bytes
    instructions: Array


class _Grid:
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
class _Variant:
    """Everything of a schedule but the tile sizes."""

    order: tuple[str, ...]
    vthread_axis: str | None
    vthreads: int
    levels: tuple[int, ...]  # per buffer of the model
    slots: tuple[int, ...]


def _variants(model: KernelModel, vthreads: int, tiles_reductions: bool) -> Iterator[_Variant]:
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
                    yield _Variant((*fixed, *order), axis, vthreads, levels, slots)


class _Evaluation:
    """Legality and cost of one variant for all tile sizes of a grid."""

    def __init__(self, model: KernelModel, grid: _Grid, variant: _Variant, hardware: Hardware) -> None:
        self.model, self.grid, self.variant = model, grid, variant
        self.reductions = frozenset(axis.name for axis in model.reductions)
        self.dram: dict[str, Array] = {}
        self.cost = grid.compute_cost(model)
        self.legal = np.ones(grid.size, dtype=np.bool_)
        self.repetitions: dict[tuple[frozenset[str], bool, int], Array] = {}
        if variant.vthread_axis is not None:
            self.legal &= grid.trips[variant.vthread_axis] % variant.vthreads == 0
        used = {memory: np.zeros(grid.size, dtype=np.int64) for memory in ("inp", "wgt", "acc")}
        for buffer, level, slots in zip(model.buffers, variant.levels, variant.slots, strict=True):
            used[buffer.memory] = used[buffer.memory] + self._buffer(buffer, level, slots)
        self.fits = np.ones(grid.size, dtype=np.bool_)
        for memory, depth in (("inp", hardware.inp), ("wgt", hardware.wgt), ("acc", hardware.acc)):
            self.fits &= np.asarray(used[memory] <= depth)
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
        return moved


def _search(model: KernelModel, hardware: Hardware, vthreads: int, split_window: bool) -> Schedule | None:
    """The cheapest legal schedule with so many virtual threads, or None."""
    candidates: dict[str, list[int]] = {}
    for axis in model.axes:
        sizes = _tile_sizes(axis.extent)
        window = model.gemm and axis.reduction and axis.name != model.reductions[0].name
        if window:
            sizes = sorted({1, axis.extent}) if split_window else [axis.extent]
        candidates[axis.name] = sizes
    while math.prod(len(sizes) for sizes in candidates.values()) > MAX_GRID:
        widest = max(candidates, key=lambda name: len(candidates[name]))
        # The smallest size stays, so that what has a schedule keeps one.
        candidates[widest] = candidates[widest][:1] + candidates[widest][1:-1:2] + candidates[widest][-1:]
    grid = _Grid(model, candidates)
    # What does not fit once, staged as late as possible, never fits.
    levels = tuple(int(b.arg is not None and bool(model.reductions)) for b in model.buffers)
    order = tuple(axis.name for axis in model.parallel)
    grid.keep(_Evaluation(model, grid, _Variant(order, None, 1, levels, (1,) * len(levels)), hardware).fits)
    if grid.size == 0:
        return None
    best: tuple[int, _Variant, int, _Evaluation] | None = None
    for variant in _variants(model, vthreads, tiles_reductions=bool(model.reductions)):
        evaluation = _Evaluation(model, grid, variant, hardware)
        if not evaluation.legal.any():
            continue
        cost = np.where(evaluation.legal, evaluation.cost, np.iinfo(np.int64).max)
        winner = int(cost.argmin())
        if best is None or int(cost[winner]) < best[0]:
            best = (int(cost[winner]), variant, winner, evaluation)
    if best is None:
        return None
    cost, variant, winner, evaluation = best
    tiles = {name: int(tile[winner]) for name, tile in grid.tile.items()}
    whole = all(tiles[axis.name] >= axis.extent for axis in model.reductions)
    reads: dict[int, tuple[str, int]] = {}
    slots: dict[int, int] = {}
    for buffer, level, count in zip(model.buffers, variant.levels, variant.slots, strict=True):
        if buffer.arg is not None:
            reads[buffer.arg] = (buffer.memory, 0 if whole else level)
            slots[buffer.arg] = count
    return Schedule(
        tiles,
        variant.order,
        variant.vthread_axis,
        variant.vthreads,
        reads,
        slots,
        cost,
        {memory: int(moved[winner]) for memory, moved in evaluation.dram.items()},
    )


def choose_schedule(model: KernelModel, hardware: Hardware, options: Options | None = None) -> Schedule:
    """The best schedule of a kernel; raises Unschedulable with the reason if there is none.

    Virtual threads are given up before a kernel is, and a convolution's window is split before that.
    """
    if not hardware.int8:
        raise Unschedulable("the accelerator's elements are not int8 inputs and weights with int32 accumulators")
    arguments: dict[int, str] = {}
    for buffer in model.buffers:
        if buffer.arg is not None and arguments.setdefault(buffer.arg, buffer.memory) != buffer.memory:
            raise Unschedulable(f"argument {buffer.arg} is needed in two memories")
    wanted = (options or Options()).vthreads
    for split_window in (False, True):
        for vthreads in dict.fromkeys((wanted, 1)):
            schedule = _search(model, hardware, vthreads, split_window)
            if schedule is not None:
                return schedule
    raise Unschedulable(
        f"no tile of it fits in the scratchpads (inp {hardware.inp}, wgt {hardware.wgt}, acc {hardware.acc} elements)"
    )


def make_vta_schedules(
    module: ir.Module, config: Mapping[str, object] | None = None, options: Options | None = None
) -> list[Decision]:
    """Writes `schedule` on every te.kernel with target "vta" and reports the decisions.

    A kernel without a legal schedule gets target "cpu" instead, its decision the reason. `config` has the keys of
    vta_config.json; without it the module's `vta.config` is read.
    """
    hardware = Hardware.from_module(module) if config is None else Hardware.from_config(config)
    decisions = []
    known: dict[str, Schedule] = {}
    for kernel in module.body:
        if kernel.name != "te.kernel" or kernel.attributes["target"].value != "vta":
            continue
        name = kernel.attributes["sym_name"].value
        layers = kernel.attributes.get("layers")
        names = tuple(layers.value) if layers is not None else ()
        try:
            model = read_kernel(kernel)
            shape = model.signature
            if shape not in known:
                known[shape] = choose_schedule(model, hardware, options)
            schedule = known[shape]
        except Unschedulable as why:
            kernel.attributes["target"] = "cpu"
            decisions.append(Decision(name, names, None, str(why)))
            continue
        kernel.attributes["schedule"] = ir.Attribute.parse(schedule.attribute(model), kernel.context)
        decisions.append(Decision(name, names, schedule))
    return decisions
