"""Chooses squares of elements that loops turn round in registers: the policy behind transposed operands.

A vector of results is written at once, so its elements lie side by side. Where an operand's do not, but lie side by
side along another axis, as in a transpose, so many vectors of it are read along that axis as each has elements, and
the square is transposed in registers. Everything else is decided by the pass that emits the loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from acc.dialects import te
from acc.schedule.language import Level

__all__ = ["LARGEST_SIDE", "Loops", "Square", "Walks", "choose_square"]

Loops = Sequence[tuple[int, bool]]
"""The extent of every loop, -1 for one that only a run knows, and whether its iterations write to places of their own
(`acc._mlir.loops_of`)."""

Walks = Sequence[tuple[bool, int, Sequence[int | None]]]
"""Of every operand whether it is written, the bits of an element, and its steps by loop (`acc._mlir.steps_of`)."""

LARGEST_SIDE = 16
"""Squares have at most so many vectors, which are in registers all at once."""

NEAR = 4
"""Elements up to so far from each other come out of one wide read (kWidestShuffle of VectorNest)."""


@dataclass(frozen=True)
class Square:
    """Results are vectors along the axis `results`, operands are read along `reads`, `side` elements of both."""

    results: int
    reads: int
    side: int

    def levels(self) -> list[Level]:
        """The levels of a #te.schedule."""
        return [
            Level.of({self.reads: self.side}, te.LevelKind.Register),
            Level.of({self.results: self.side}, te.LevelKind.Vector),
        ]


def choose_square(loops: Loops, walks: Walks, vector_bytes: int) -> Square | None:
    """The square of an operation without reductions, of which some operand is not contiguous where results are."""
    if not all(own for _, own in loops):
        return None

    def steps(axis: int, written: bool) -> list[int | None]:
        return [by_loop[axis] for is_written, _, by_loop in walks if is_written is written]

    def is_near(step: int | None) -> bool:
        return step is not None and 0 <= step <= NEAR

    side = min(LARGEST_SIDE, vector_bytes * 8 // max(bits for _, bits, _ in walks))
    for results, (extent, _) in enumerate(loops):
        if extent in (0, 1) or any(step != 1 for step in steps(results, written=True)):
            continue
        far = [by_loop for is_written, _, by_loop in walks if not is_written and not is_near(by_loop[results])]
        if not far:
            return None
        for reads, (other, _) in enumerate(loops):
            if reads == results or other in (0, 1) or any(by_loop[reads] != 1 for by_loop in far):
                continue
            shortest = min(_joined_extent(loops, walks, axis) for axis in (results, reads))
            while side >= 2 * shortest:
                side //= 2
            return Square(results, reads, side) if side > 1 else None
    return None


def _joined_extent(loops: Loops, walks: Walks, axis: int) -> int:
    """The extent of a loop with those outside of it that walk on where it ends; the largest side if it is open."""
    extent = 1
    while axis >= 0:
        own = loops[axis][0]
        if own < 0:
            return LARGEST_SIDE
        extent *= own
        # As the pass joins them, loops of one iteration left out.
        outer = next((a for a in range(axis - 1, -1, -1) if loops[a][0] != 1), -1)
        steps = [(by_loop[outer], by_loop[axis]) for _, _, by_loop in walks]
        if outer < 0 or any(near is None or far != near * own for far, near in steps):
            break
        axis = outer
    return extent
