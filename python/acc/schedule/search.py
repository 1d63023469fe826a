"""Chooses the cheapest schedule of a kernel: the policy that targets have if nobody gives another.

For one kernel all combinations are enumerated of tile sizes (those that differ in their number of tiles), loop
orders, the level at which operands are staged, how many buffers take turns and the axis of virtual threads. Among
those whose buffers fit in the scratchpads the one is taken that costs least, as the hardware counts it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from acc.schedule.footprint import Footprint, Unschedulable
from acc.schedule.hardware import Hardware
from acc.schedule.language import Schedule
from acc.schedule.space import Space

__all__ = ["Search", "legal_schedules", "random_schedule"]


@dataclass(frozen=True)
class Search:
    """A policy: the cheapest legal schedule.

    vthreads: the number of virtual threads that is tried first, half of it next, and so on. They are given up before a
    kernel is, and the window of a convolution is split before that. Tuned kernels have four more often than two: what
    they compute begins sooner, and more of what they wait for is hidden than estimates know, so that fewer threads are
    not chosen for a lower estimate.
    """

    vthreads: int = 4

    def __call__(self, footprint: Footprint, hardware: Hardware) -> Schedule:
        """Raises Unschedulable with the reason if there is no legal schedule."""
        reason = ""
        for split_window in (False, True):
            for halvings in range(self.vthreads.bit_length()):
                count = self.vthreads >> halvings
                space = Space(footprint, hardware, count, split_window)
                best = space.find_cheapest()
                if best is not None:
                    return best
                reason = space.explain()
        raise Unschedulable(reason)


def legal_schedules(
    footprint: Footprint, hardware: Hardware, vthreads: int = 2, split_window: bool = False
) -> Iterator[Schedule]:
    """Every legal schedule of a kernel with that number of virtual threads: what a tuner tries."""
    for evaluation in Space(footprint, hardware, vthreads, split_window).evaluations():
        for index in np.flatnonzero(evaluation.legal):
            yield evaluation.schedule(int(index))


def random_schedule(
    footprint: Footprint,
    hardware: Hardware,
    rng: np.random.Generator,
    vthreads: int = 2,
    split_window: bool = False,
) -> Schedule | None:
    """A legal schedule at random, or None if there is none with that number of virtual threads."""
    evaluations = list(Space(footprint, hardware, vthreads, split_window).evaluations())
    if not evaluations:
        return None
    evaluation = evaluations[rng.integers(len(evaluations))]
    return evaluation.schedule(int(rng.choice(np.flatnonzero(evaluation.legal))))
