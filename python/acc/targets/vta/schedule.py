"""Chooses how each accelerator kernel is tiled, staged and interleaved: the policy behind #te.schedule.

For one kernel all combinations are enumerated of tile sizes (those that differ in their number of tiles), loop
orders, the level at which operands are staged, how many buffers take turns and the axis of virtual threads. A
combination is legal if its buffers fit in the scratchpads. What is legal here compiles: transfers and micro-ops of any
size and padding are split into as many instructions as they need. Among the legal ones the cheapest is taken: bytes
moved between DRAM and the scratchpads, plus what instructions cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from acc import ir
from acc.dialects import te, vta
from acc.targets.base import Decision
from acc.targets.vta.config import Hardware
from acc.targets.vta.kernel_model import Axis, KernelModel, Unschedulable, read_kernel
from acc.targets.vta.schedule_space import Evaluation, Space

__all__ = [
    "Options",
    "Schedule",
    "choose_schedule",
    "legal_schedules",
    "make_vta_schedules",
    "random_schedule",
]


@dataclass(frozen=True)
class Options:
    """How schedules are chosen: the number of virtual threads that is tried first, and how many instructions the
    accelerator kernels of a model may have together, about: with tiny scratchpads they would not fit in memory.
    """

    vthreads: int = 2
    max_instructions: int = 1_500_000


@dataclass(frozen=True)
class Schedule:
    """One decision: tile size per axis name, the order of parallel axes, virtual threads; per argument the memory
    and level it is staged at and the number of buffers that take turns.

    `dram_bytes` are the bytes that it moves by memory: inp, wgt, acc (loads) and out (stores); `instructions` is the
    estimated number of instructions.
    """

    tiles: dict[str, int]
    order: tuple[str, ...]
    vthread_axis: str | None
    vthreads: int
    levels: dict[int, tuple[str, int]]
    slots: dict[int, int]
    cost: int
    dram_bytes: dict[str, int]
    instructions: int = 0

    def summary(self) -> str:
        """One line for people: sizes of parallel and reduction tiles, and the virtual threads."""
        parallel = "x".join(str(size) for name, size in self.tiles.items() if name in self.order)
        reductions = "x".join(str(size) for name, size in self.tiles.items() if name not in self.order)
        text = f"tile {parallel}" + (f" by {reductions}" if reductions else "")
        return text + (f", {self.vthreads} virtual threads over {self.vthread_axis}" if self.vthread_axis else "")

    def attribute(self, model: KernelModel, context: ir.Context) -> te.ScheduleAttr:
        """The schedule as the te passes obey it."""

        def memory(name: str) -> vta.MemorySpaceAttr:
            return vta.MemorySpaceAttr.get(vta.MemorySpace.named(name), context=context)

        def level(axes: Sequence[Axis], order: Sequence[str]) -> te.TileAttr:
            sizes = [0] * (1 + max((axis.index for axis in axes), default=-1))
            by_name = {axis.name: axis for axis in axes}
            for name in order:
                sizes[by_name[name].index] = self.tiles[name]
            indices = [by_name[name].index for name in order]
            return te.TileAttr.get(sizes, order=None if indices == sorted(indices) else indices, context=context)

        tiled = [a.name for a in model.reductions if self.tiles[a.name] < a.extent]
        levels = [level(model.parallel, self.order)]
        if tiled:
            levels.append(level(model.reductions, tiled))
        vthread = None
        if self.vthread_axis is not None:
            index = next(a.index for a in model.parallel if a.name == self.vthread_axis)
            vthread = te.VThreadAttr.get(index, self.vthreads, context=context)
        caches = [
            te.CacheAttr.get(arg, memory(name), at, slots=self.slots.get(arg, 1), context=context)
            for arg, (name, at) in sorted(self.levels.items())
        ]
        return te.ScheduleAttr.get(
            levels,
            vthread=vthread,
            caches=caches,
            accumulator=memory("acc"),
            intrinsic="vta_gemm" if model.gemm else None,
            context=context,
        )


def _schedule(evaluation: Evaluation, index: int) -> Schedule:
    """The schedule that is one combination of tile sizes of a variant."""
    model, grid, variant = evaluation.model, evaluation.grid, evaluation.variant
    tiles = {name: int(tile[index]) for name, tile in grid.tile.items()}
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
        int(evaluation.cost[index]),
        {memory: int(moved[index]) for memory, moved in evaluation.dram.items()},
        int(evaluation.instructions[index]),
    )


def _spaces(model: KernelModel, hardware: Hardware, vthreads: int) -> Iterator[Space]:
    """Spaces in the order of preference; raises Unschedulable for what has none.

    Virtual threads are given up before a kernel is, and a convolution's window is split before that.
    """
    if not hardware.int8:
        raise Unschedulable("the accelerator's elements are not int8 inputs and weights with int32 accumulators")
    arguments: dict[int, str] = {}
    for buffer in model.buffers:
        if buffer.arg is not None and arguments.setdefault(buffer.arg, buffer.memory) != buffer.memory:
            raise Unschedulable(f"argument {buffer.arg} is needed in two memories")
    for split_window in (False, True):
        for count in dict.fromkeys((vthreads, 1)):
            yield Space(model, hardware, count, split_window)


def _explain(space: Space) -> str:
    """Why a space is empty."""
    hardware = space.hardware
    missing = {memory: least for memory, least in space.least.items() if least > hardware.depth(memory)}
    if missing:
        parts = [
            f"{least} elements of {memory}, {least - hardware.depth(memory)} more than there are"
            for memory, least in missing.items()
        ]
        keys = [hardware.enlarged(memory, least) for memory, least in missing.items()]
        return f"its smallest tile needs {' and '.join(parts)}: {' and '.join(keys)} would do"
    return "no tile of it fits in all scratchpads at once"


def choose_schedule(model: KernelModel, hardware: Hardware, options: Options | None = None) -> Schedule:
    """The cheapest legal schedule of a kernel; raises Unschedulable with the reason if there is none."""
    reason = ""
    for space in _spaces(model, hardware, (options or Options()).vthreads):
        best: tuple[int, int, Evaluation] | None = None
        for evaluation in space.evaluations():
            cost = np.where(evaluation.legal, evaluation.cost, np.iinfo(np.int64).max)
            winner = int(cost.argmin())
            if best is None or int(cost[winner]) < best[0]:
                best = (int(cost[winner]), winner, evaluation)
        if best is not None:
            return _schedule(best[2], best[1])
        reason = _explain(space)
    raise Unschedulable(reason)


def legal_schedules(
    model: KernelModel, hardware: Hardware, options: Options | None = None, split_window: bool = False
) -> Iterator[Schedule]:
    """Every legal schedule of a kernel with that number of virtual threads: what a tuner tries."""
    for evaluation in Space(model, hardware, (options or Options()).vthreads, split_window).evaluations():
        for index in np.flatnonzero(evaluation.legal):
            yield _schedule(evaluation, int(index))


def random_schedule(
    model: KernelModel,
    hardware: Hardware,
    rng: np.random.Generator,
    options: Options | None = None,
    split_window: bool = False,
) -> Schedule | None:
    """A legal schedule at random, or None if there is none with that number of virtual threads."""
    evaluations = list(Space(model, hardware, (options or Options()).vthreads, split_window).evaluations())
    if not evaluations:
        return None
    evaluation = evaluations[rng.integers(len(evaluations))]
    return _schedule(evaluation, int(rng.choice(np.flatnonzero(evaluation.legal))))


def make_vta_schedules(
    module: ir.Module, config: Mapping[str, object] | None = None, options: Options | None = None
) -> list[Decision]:
    """Writes `schedule` on every te.kernel whose target is named "vta" and reports the decisions.

    A kernel without a legal schedule goes to the host instead, its decision the reason. `config` has the keys of
    vta_config.json; without it the module's `vta.config` is read.
    """
    hardware = Hardware.from_module(module) if config is None else Hardware.from_keys(config)
    decisions = []
    known: dict[str, Schedule] = {}
    left = limit = (options or Options()).max_instructions
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
            if schedule.instructions > left:
                raise Unschedulable(
                    f"its {schedule.instructions:,} instructions are too many: of {limit:,} for the whole model "
                    f"{left:,} are left; larger scratchpads (LOG_*_BUFF_SIZE) need fewer"
                )
        except Unschedulable as why:
            kernel.attributes["target"] = te.HostAttr.get(context=kernel.context)
            decisions.append(Decision(name, names, None, str(why)))
            continue
        left -= schedule.instructions
        kernel.attributes["schedule"] = schedule.attribute(model, kernel.context)
        decisions.append(Decision(name, names, schedule))
    return decisions
