"""The language of schedules: what a policy decides for a kernel, and the #te.schedule that it becomes.

A `Schedule` speaks of axes by name and may leave out what has a natural default; `complete` fills that in and refuses
what no pass could obey. Whether it fits the hardware is another question (`acc.schedule.space`).
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from acc import ir
from acc.dialects import te
from acc.schedule.footprint import Axis, Buffer, Footprint
from acc.schedule.hardware import Hardware

__all__ = ["Cache", "IllegalSchedule", "Level", "Schedule", "complete", "schedule_attribute", "to_attribute"]


class IllegalSchedule(Exception):
    """A schedule that a kernel or the hardware cannot have; the message says what is wrong, for people."""


@dataclass(frozen=True)
class Schedule:
    """One decision.

    tiles: the size of a tile by axis; an axis without one is whole. order: parallel axes, outermost first; those left
    out follow in their own order. vthreads: so many iterations of the tiles over vthread_axis are interleaved, each in
    buffers of its own. levels: by argument, whether a tile of it is read for a whole tile of the result (0) or anew
    for every tile of what is summed (1); without an entry, as late as possible. slots: by argument, how many buffers
    take turns.
    """

    tiles: Mapping[str, int] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    vthread_axis: str | None = None
    vthreads: int = 1
    levels: Mapping[int, int] = field(default_factory=dict)
    slots: Mapping[int, int] = field(default_factory=dict)

    def summary(self) -> str:
        """One line for people: sizes of parallel and reduction tiles, and the virtual threads."""
        parallel = "x".join(str(size) for name, size in self.tiles.items() if name in self.order)
        reductions = "x".join(str(size) for name, size in self.tiles.items() if name not in self.order)
        text = "tile " + " by ".join(filter(None, (parallel, reductions)))
        return text + (f", {self.vthreads} virtual threads over {self.vthread_axis}" if self.vthread_axis else "")

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible; `from_dict` goes back."""
        return {
            "tiles": dict(self.tiles),
            "order": list(self.order),
            "vthreads": self.vthreads,
            "vthread_axis": self.vthread_axis,
            "levels": {str(arg): level for arg, level in self.levels.items()},
            "slots": {str(arg): count for arg, count in self.slots.items()},
        }

    @staticmethod
    def from_dict(data: Any) -> Schedule:
        """Reads what `to_dict` wrote; raises ValueError for anything that is of another form."""
        try:
            tiles, levels, slots = (dict(data[name]) for name in ("tiles", "levels", "slots"))
            order, axis, vthreads = tuple(data["order"]), data["vthread_axis"], data["vthreads"]
            by_argument = [{int(arg): value for arg, value in known.items()} for known in (levels, slots)]
        except (KeyError, TypeError, ValueError):
            raise ValueError("it is no schedule") from None
        names = [*tiles, *order, *([] if axis is None else [axis])]
        sizes = [vthreads, *(value for known in (tiles, levels, slots) for value in known.values())]
        if not all(isinstance(name, str) for name in names) or not all(type(size) is int for size in sizes):
            raise ValueError("it is no schedule")
        return Schedule(tiles, order, axis, vthreads, *by_argument)


def _integer(value: object, what: str) -> int:
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise IllegalSchedule(f"{what} is {value!r}, which is no integer") from None


def _axis(footprint: Footprint, name: object) -> Axis:
    axis = next((axis for axis in footprint.axes if axis.name == name), None)
    if axis is None:
        raise IllegalSchedule(f"it has no axis {name!r}, but {', '.join(axis.name for axis in footprint.axes)}")
    return axis


def _tiles(schedule: Schedule, footprint: Footprint) -> dict[str, int]:
    tiles = {axis.name: axis.extent for axis in footprint.axes}
    for name, value in schedule.tiles.items():
        axis = _axis(footprint, name)
        size = _integer(value, f"the size of a tile in axis '{name}'")
        if not 1 <= size <= axis.extent:
            raise IllegalSchedule(f"a tile of {size} in axis '{name}' is not between 1 and the extent, {axis.extent}")
        if axis.whole and size != axis.extent:
            raise IllegalSchedule(f"axis '{name}' lies within elements, so a tile has all {axis.extent} of it")
        tiles[axis.name] = size
    return tiles


def _order(schedule: Schedule, footprint: Footprint) -> tuple[str, ...]:
    for name in schedule.order:
        if _axis(footprint, name).reduction:
            raise IllegalSchedule(f"axis '{name}' is summed over, so it has no place in the order of parallel axes")
    if len(set(schedule.order)) != len(schedule.order):
        raise IllegalSchedule(f"an axis is twice in the order {', '.join(schedule.order)}")
    return (*schedule.order, *(axis.name for axis in footprint.parallel if axis.name not in schedule.order))


def _by_argument(values: Mapping[int, int], footprint: Footprint, what: str) -> dict[int, int]:
    reads = footprint.reads
    for arg in values:
        if arg not in reads:
            raise IllegalSchedule(
                f"argument {arg!r} has {what}, but only {', '.join(map(str, sorted(reads)))} are read"
            )
    return {arg: _integer(values[arg], f"{what} of argument {arg}") for arg in reads if arg in values}


def is_moved(buffer: Buffer, footprint: Footprint) -> bool:
    """Whether a buffer holds other elements for other tiles of what is summed."""
    return bool(buffer.axes & {axis.name for axis in footprint.reductions})


def _beside(buffer: Buffer, footprint: Footprint) -> list[Buffer]:
    """The buffers of the same argument, which has one level for all of them."""
    return [b for b in footprint.buffers if b is buffer or (b.arg is not None and b.arg == buffer.arg)]


def earliest_level(buffer: Buffer, footprint: Footprint) -> int:
    """The outermost level at which an argument's buffers can be filled, while what is summed is tiled."""
    return int(any(is_moved(b, footprint) and not b.anchor for b in _beside(buffer, footprint)))


def latest_level(buffer: Buffer, footprint: Footprint) -> int:
    """The innermost level at which an argument's buffers can be filled, while what is summed is tiled."""
    return int(any(is_moved(b, footprint) for b in _beside(buffer, footprint)))


def _levels(schedule: Schedule, footprint: Footprint, summed: bool) -> dict[int, int]:
    """summed: whether anything that is summed over is tiled."""
    given = _by_argument(schedule.levels, footprint, "a level")
    levels = {}
    for arg, buffer in footprint.reads.items():
        first, last = earliest_level(buffer, footprint), latest_level(buffer, footprint)
        level = given.get(arg, last)
        if level not in (0, 1):
            raise IllegalSchedule(f"argument {arg} is read at level {level}: there are 0 and 1")
        if summed and level < first:
            raise IllegalSchedule(
                f"argument {arg} must be read at level {first}, since it is not read by the sum itself"
            )
        levels[arg] = min(level, last) if summed else 0
    return levels


def _slots(schedule: Schedule, footprint: Footprint) -> dict[int, int]:
    slots = _by_argument(schedule.slots, footprint, "slots")
    for arg, count in slots.items():
        if count < 1:
            raise IllegalSchedule(f"argument {arg} has {count} slots: the least is 1")
        if count > 1 and not footprint.reads[arg].anchor:
            raise IllegalSchedule(f"argument {arg} has {count} slots, but only what is summed can have several")
    return {arg: slots.get(arg, 1) for arg in footprint.reads}


def complete(schedule: object, footprint: Footprint) -> Schedule:
    """The schedule with everything filled in that it leaves out; raises IllegalSchedule."""
    if not isinstance(schedule, Schedule):
        raise IllegalSchedule(f"it is of type {type(schedule).__name__}, not a Schedule")
    tiles = _tiles(schedule, footprint)
    order = _order(schedule, footprint)
    vthreads = _integer(schedule.vthreads, "the number of virtual threads")
    if schedule.vthread_axis is None:
        if vthreads != 1:
            raise IllegalSchedule(f"it has {vthreads} virtual threads, but no axis of them")
    else:
        axis = _axis(footprint, schedule.vthread_axis)
        trips = -(-axis.extent // tiles[axis.name])
        if axis.reduction:
            raise IllegalSchedule(
                f"axis '{axis.name}' of virtual threads is summed over, so its tiles depend on another"
            )
        if vthreads < 2:
            raise IllegalSchedule(f"it has {vthreads} virtual threads over axis '{axis.name}': the least is 2")
        if trips % vthreads:
            raise IllegalSchedule(
                f"the {trips} tiles over axis '{axis.name}' are no multiple of {vthreads} virtual threads"
            )
    summed = any(tiles[axis.name] < axis.extent for axis in footprint.reductions)
    levels = _levels(schedule, footprint, summed)
    return Schedule(tiles, order, schedule.vthread_axis, vthreads, levels, _slots(schedule, footprint))


@dataclass(frozen=True)
class Level:
    """#te.tile: sizes by the number of the iterator, 0 for one that is whole; order: numbers, outermost first."""

    sizes: tuple[int, ...]
    order: tuple[int, ...] = ()
    kind: te.LevelKind = te.LevelKind.Serial

    @staticmethod
    def of(sizes: Mapping[int, int], kind: te.LevelKind = te.LevelKind.Serial) -> Level:
        """The level of a kind with sizes by the number of the iterator."""
        return Level(tuple(sizes.get(axis, 0) for axis in range(1 + max(sizes, default=-1))), kind=kind)

    def attribute(self, context: ir.Context) -> ir.Attribute:
        """The #te.tile."""
        return te.TileAttr.get(list(self.sizes), order=list(self.order) or None, kind=self.kind, context=context)


@dataclass(frozen=True)
class Cache:
    """#te.cache: the memory and the level that an argument is staged at, and the buffers that take turns."""

    arg: int
    memory: ir.Attribute
    level: int
    slots: int = 1

    def attribute(self, context: ir.Context) -> ir.Attribute:
        """The #te.cache."""
        return te.CacheAttr.get(self.arg, self.memory, self.level, slots=self.slots, context=context)


def schedule_attribute(
    context: ir.Context,
    levels: Sequence[Level],
    caches: Sequence[Cache] | None = None,
    accumulator: ir.Attribute | None = None,
    intrinsic: str = "",
) -> ir.Attribute:
    """The #te.schedule. Nothing else of acc builds one."""
    return te.ScheduleAttr.get(
        [level.attribute(context) for level in levels],
        caches=None if caches is None else [cache.attribute(context) for cache in caches],
        accumulator=accumulator,
        intrinsic=intrinsic or None,
        context=context,
    )


def _level(schedule: Schedule, axes: Sequence[Axis], order: Sequence[str]) -> Level:
    """The tile sizes of some axes; one that is not in the order is whole."""
    sizes = [0] * (1 + max((axis.index for axis in axes), default=-1))
    numbers = {axis.name: axis.index for axis in axes}
    for name in order:
        sizes[numbers[name]] = schedule.tiles[name]
    indices = [numbers[name] for name in order]
    return Level(tuple(sizes), tuple(indices) if indices != sorted(indices) else ())


def to_attribute(schedule: Schedule, footprint: Footprint, hardware: Hardware, context: ir.Context) -> ir.Attribute:
    """The #te.schedule of a complete schedule."""
    levels = [_level(schedule, footprint.parallel, schedule.order)]
    if schedule.vthread_axis is not None:
        axis = _axis(footprint, schedule.vthread_axis)
        levels.append(Level.of({axis.index: schedule.vthreads}, te.LevelKind.VThread))
    tiled = [axis.name for axis in footprint.reductions if schedule.tiles[axis.name] < axis.extent]
    if tiled:
        levels.append(_level(schedule, footprint.reductions, tiled))
    caches = [
        Cache(arg, hardware.memory(buffer.role).space, schedule.levels[arg], schedule.slots[arg])
        for arg, buffer in sorted(footprint.reads.items())
    ]
    # What meets several elements at once is another intrinsic, which its form tells.
    is_plain = footprint.product and not any(axis.whole for axis in footprint.axes)
    intrinsic = hardware.intrinsic if is_plain else ""
    accumulator = hardware.memory("accumulator").space
    return schedule_attribute(context, levels, caches, accumulator, intrinsic)
