"""What an accelerator does in a run of a model, in words that every target has: the data behind `acc report`.

Times are cycles from the start of the first launch; launches follow each other without a gap, since nobody counts what
the host does in between. Rows are the numbers of kernels in `exe.report()`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

__all__ = ["Activity", "KernelActivity", "LaunchActivity", "Memory", "Slice", "Use"]


@dataclasses.dataclass(frozen=True)
class Slice:
    """What a unit did from one cycle to another, for which kernel; `waits` is the unit that it waited for, if it did
    nothing else.
    """

    begin: int
    end: int
    row: int
    what: str
    waits: str = ""


@dataclasses.dataclass(frozen=True)
class Use:
    """Bytes from `low` to `high` of a memory that hold something from one cycle to another, for which kernel."""

    begin: int
    end: int
    low: int
    high: int
    row: int
    what: str = ""


@dataclasses.dataclass(frozen=True)
class Memory:
    """A memory of so many bytes, and what it holds when."""

    name: str
    bytes: int
    uses: tuple[Use, ...]


@dataclasses.dataclass(frozen=True)
class KernelActivity:
    """A kernel's part of a launch.

    products: multiply-accumulates that were done, with those that only fill up the hardware's blocks. steps: how many
    cycles the unit that computes is at it, by the kind of work. waits: for how many cycles that unit waited, by whom
    for. bytes: what was moved, by what it is ("weights", ...).
    """

    cycles: int
    products: int
    steps: Mapping[str, int]
    waits: Mapping[str, int]
    bytes: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class LaunchActivity:
    """A launch of a program, made of kernels, which are neighbours; `kernels` by their rows.

    busy: how many cycles each unit worked, and what else it did, by unit.
    """

    begin: int
    cycles: int
    kernels: Mapping[int, KernelActivity]
    units: Mapping[str, Mapping[str, int]]
    tracks: Mapping[str, tuple[Slice, ...]]


@dataclasses.dataclass(frozen=True)
class Activity:
    """A run.

    products_per_cycle: the most that the accelerator does. bytes_per_cycle: the most that its memory moves.
    """

    device: str
    cycles: int
    products_per_cycle: int
    bytes_per_cycle: int
    launches: tuple[LaunchActivity, ...]
    memories: tuple[Memory, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible; slices and uses are lists of their fields."""
        plain = dataclasses.asdict(self)
        for launch, source in zip(plain["launches"], self.launches, strict=True):
            launch["kernels"] = {str(row): dataclasses.asdict(kernel) for row, kernel in source.kernels.items()}
            launch["tracks"] = {
                unit: [list(dataclasses.astuple(item)) for item in track] for unit, track in source.tracks.items()
            }
        for memory, held in zip(plain["memories"], self.memories, strict=True):
            memory["uses"] = [list(dataclasses.astuple(use)) for use in held.uses]
        return plain
