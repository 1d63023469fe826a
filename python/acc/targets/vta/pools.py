"""Which max pools take maxima along one axis first: a decision that the layout pass obeys.

Windows beside each other have columns in common, whose maxima the vector unit can compute once for all of them
(`passes/VTA/Graph/SeparatedPools.cpp`). It takes two cycles for an element that is compared with another, and one to
begin with the least value where no element is loaded there. What a stride makes of the columns of an image are
elements apart from each other, which the memory port delivers one at a time. Where accumulators are few, tiles are
small, and what they have in common with those beside them is computed for each.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from acc import ir
from acc.schedule import Array
from acc.schedule.space import tile_sizes
from acc.targets.vta.config import Hardware
from acc.targets.vta.folding import is_on, operations_of
from acc.targets.vta.schedule import INSTRUCTION_CYCLES, LATENCY_CYCLES, PORT_BYTES, TRANSFER_CYCLES
from acc.targets.vta.schedule import Options as ScheduleOptions

__all__ = ["SEPARATE", "Pool", "Window", "choose_pools"]

SEPARATE = "vta.separate"
"""The attribute of a max pool that has the axis along which maxima are taken first: 0 for rows, 1 for columns."""

GAIN = 1 / 8
"""The share of the cycles that separate axes must save, by an estimate that knows no more than the vector unit."""


@dataclass(frozen=True)
class Window:
    """Windows along one axis: how many there are, their taps, and the elements from one to the next of either."""

    count: int
    taps: int
    stride: int
    dilation: int

    @property
    def phases(self) -> list[int]:
        """How many taps fall on the same elements, by the place of these between two strides."""
        period = self.stride // math.gcd(self.stride, self.dilation)
        return [-(-(self.taps - tap) // period) for tap in range(min(self.taps, period))]

    @property
    def begins(self) -> bool:
        """Whether elements that meet a single tap are what the others are compared with."""
        return 1 in self.phases

    @property
    def cycles(self) -> int:
        """What the vector unit takes for a maximum."""
        return 2 * (self.taps - 1) if self.begins else 1 + 2 * self.taps

    @property
    def steps(self) -> int:
        """The instructions of it."""
        return len(self.phases) - 1 if self.begins else len(self.phases) + 1

    def reach(self, windows: Array) -> Array:
        """Elements from the first that so many windows meet to the last."""
        return (windows - 1) * self.stride + (self.taps - 1) * self.dilation + 1

    def extent(self, windows: Array) -> Array:
        """The elements that so many windows meet, of all phases together."""
        step = self.dilation // math.gcd(self.stride, self.dilation)
        return len(self.phases) * windows + sum(taps - 1 for taps in self.phases) * step


@dataclass(frozen=True)
class Pool:
    """The windows of a max pool along rows and along columns."""

    rows: Window
    columns: Window

    @staticmethod
    def of(op: ir.Operation) -> Pool:
        """Reads a graph.max_pool of images."""
        rows, columns = (
            Window(*sizes)
            for sizes in zip(
                ir.shape_of(op.result)[2:],
                *(op.attributes[name].value for name in ("kernel_shape", "strides", "dilations")),
                strict=True,
            )
        )
        return Pool(rows, columns)

    def _whole(self, height: Array, width: Array, element_bytes: int) -> tuple[Array, Array]:
        """The accumulators and the cycles of a tile where a window is taken at once."""
        rows, columns = self.rows.reach(height), self.columns.reach(width)
        loading = LATENCY_CYCLES + TRANSFER_CYCLES + rows * -(-columns * element_bytes // PORT_BYTES)
        computing = 2 * INSTRUCTION_CYCLES + height * width * (1 + 2 * self.rows.taps * self.columns.taps)
        return rows * columns + height * width, loading + computing

    def _separate(self, height: Array, width: Array, first: int, element_bytes: int) -> tuple[Array, Array]:
        """The same, where maxima are taken along the axis `first` and then along the other."""
        (along, down), (across, over) = ((self.rows, height), (self.columns, width))[:: 1 - 2 * first]
        shared = across.extent(over)
        entries = along.extent(down) * shared
        if not along.begins:
            entries = entries + down * shared
        if not across.begins:
            entries = entries + down * over
        rows, columns = self.rows.extent(height), self.columns.extent(width)
        # The next phases are loaded when the last ones have been compared.
        loading = LATENCY_CYCLES * len(across.phases)
        if self.columns.stride == 1:
            loading = loading + TRANSFER_CYCLES * len(self.rows.phases)
            loading = loading + rows * -(-columns * element_bytes // PORT_BYTES)
        else:
            instructions = TRANSFER_CYCLES * len(self.columns.phases)
            loading = loading + rows * (instructions + columns * -(-element_bytes // PORT_BYTES))
        steps = len(across.phases) * along.steps + across.steps
        computing = INSTRUCTION_CYCLES * steps + down * (shared * along.cycles + over * across.cycles)
        return entries, loading + computing

    def cycles(self, first: int | None, element_bytes: int, accumulators: int) -> int | None:
        """About what an image of one block of channels takes, computing and loading; None if no tile fits.

        first: the axis of the maxima that are taken first, None for all of a window at once. element_bytes: of a
        vector of inputs. accumulators: those of a tile.
        """
        sizes = (np.array(tile_sizes(window.count), np.int64) for window in (self.rows, self.columns))
        height, width = (axis.ravel() for axis in np.meshgrid(*sizes))
        if first is None:
            entries, cycles = self._whole(height, width, element_bytes)
        else:
            entries, cycles = self._separate(height, width, first, element_bytes)
        tiles = -(-self.rows.count // height) * -(-self.columns.count // width)
        legal = (tiles * cycles)[entries <= accumulators]
        return int(legal.min()) if legal.size else None

    def first_axis(self, element_bytes: int, accumulators: int, vthreads: int) -> int | None:
        """The axis whose maxima are taken first, None if windows are about as quick.

        accumulators: what the accelerator has, for at most so many virtual threads.
        """
        if self.rows.taps * self.columns.taps == 1:
            return None
        best = None
        for halvings in range(vthreads.bit_length()):
            room = accumulators // (vthreads >> halvings)
            whole = self.cycles(None, element_bytes, room)
            if whole is None:
                continue
            limit = whole * (1 - GAIN)
            for first in (0, 1):
                cycles = self.cycles(first, element_bytes, room)
                if cycles is not None and cycles < limit:
                    best, limit = first, cycles
            break
        return best


def choose_pools(
    module: ir.Operation, hardware: Hardware, target: str = "vta", vthreads: int = ScheduleOptions.vthreads
) -> None:
    """Writes `vta.separate` on every max pool that the accelerator runs and that is quicker so."""
    config = hardware.config
    element_bytes = -(-config.batch * config.block_out * config.inp_bits // 8)
    for op in itertools.chain.from_iterable(operations_of(module)):
        if op.name != "graph.max_pool" or not is_on(op, target):
            continue
        first = Pool.of(op).first_axis(element_bytes, hardware.depth("acc"), vthreads)
        if first is not None:
            op.attributes[SEPARATE] = ir.IntegerAttr.get(ir.IntegerType.get_signless(64, op.context), first)
