"""In which order convolutions write their channels: a decision that the layout pass obeys.

Channels may lie in any lanes of a packed tensor, because the constants of readers follow. What reads a part of the
channels, behind a split or a shuffle, reads the blocks from the first to the last that hold one of them. So channels
that are read together should lie together, and begin with a block. The orders are chosen here and written as
`vta.lanes`, where they differ from that of the channels; operators without weights keep the lanes of their input.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from acc import ir
from acc._mlir import find_channel_move
from acc.targets.vta.config import Hardware
from acc.targets.vta.folding import is_on, operations_of

__all__ = ["Read", "choose_lanes", "is_depthwise", "order_of"]

LANES = "vta.lanes"

Channels = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

NONE = -1
"""What a lane holds that has no channel."""


@dataclasses.dataclass(frozen=True, eq=False)
class Read:
    """A reader of some channels of a tensor.

    Attributes:
        mask: which channels it reads.
        weight: its cycles for every block of lanes that it reads.
        before: whether it reads channels of a tensor that lies in front of this one in a concatenation, too.
        after: the same of one behind it.
    """

    mask: Mask
    weight: float
    before: bool = False
    after: bool = False

    def blocks(self, lanes: Channels, block: int) -> int:
        """How many blocks of a tensor with these lanes it reads."""
        used = np.flatnonzero(np.isin(lanes, np.flatnonzero(self.mask))) // block
        first = 0 if self.before else int(used[0])
        last = len(lanes) // block - 1 if self.after else int(used[-1])
        return last - first + 1


def in_order(channels: int, block: int) -> Channels:
    """The lanes of channels that lie one after the other."""
    lanes = np.full(-(-channels // block) * block, NONE)
    lanes[:channels] = np.arange(channels)
    return lanes


def _in_blocks(parts: Iterable[Channels], block: int) -> Channels:
    """The lanes of parts each of which begins with a block."""
    padded = [np.concatenate([part, np.full(-len(part) % block, NONE)]) for part in parts if len(part)]
    return np.concatenate(padded)


def _split(parts: list[Channels], read: Read, is_first: bool) -> list[Channels]:
    """Every part as two, of channels that are read and others, the former together where that is possible."""
    result: list[Channels] = []
    for number, part in enumerate(parts):
        inside = read.mask[part]
        begins = not read.after if is_first and (read.before or read.after) else number % 2 == 1
        chosen = (part[inside], part[~inside]) if begins else (part[~inside], part[inside])
        result += [piece for piece in chosen if len(piece)]
    return result


MOST_READS = 3
"""How many different sets of channels are told apart."""


def order_of(channels: int, reads: Iterable[Read], own: float, block: int) -> Channels:
    """The cheapest of some lanes for `channels` channels; own: the cycles that a block of them takes to compute."""
    known = [read for read in reads if read.mask.any()]
    partial = sorted((read for read in known if not read.mask.all()), key=lambda read: -read.weight)
    distinct: list[Read] = []
    for read in partial:
        if not any((read.mask == other.mask).all() for other in distinct):
            distinct.append(read)
    candidates = [in_order(channels, block)]
    parts = [np.arange(channels)]
    for number, read in enumerate(distinct[:MOST_READS]):
        parts = _split(parts, read, number == 0)
        candidates += [_in_blocks(parts, block), _in_blocks([np.concatenate(parts)], block)]

    def cost(lanes: Channels) -> float:
        return own * (len(lanes) // block) + sum(read.weight * read.blocks(lanes, block) for read in known)

    # Of equal ones the first, so that the order of the channels is kept where nothing is won.
    return min(candidates, key=cost)


def _view(lanes: Channels, moved: list[int], block: int) -> Channels:
    """The lanes of a tensor whose channel c is channel `moved[c]` of one with `lanes`, from its first block on."""
    names = np.full(int(lanes.max()) + 1, NONE)
    names[moved] = np.arange(len(moved))
    renamed = np.where(lanes == NONE, NONE, names[lanes])
    used = np.flatnonzero(renamed != NONE) // block
    return renamed[used[0] * block : (used[-1] + 1) * block]


KEEPING = frozenset(
    f"graph.{name}" for name in ("requantize", "weighted_sum", "mul_integer", "scale_integer", "max_pool", "lookup")
)
"""Operators whose results have their channels in the lanes of their operands."""
BYTES_PER_CYCLE = 8


class _Chooser:
    def __init__(self, operations: list[ir.Operation], hardware: Hardware, target: str) -> None:
        self.operations = operations
        self.target = target
        self.numbers: dict[ir.Value, int] = {
            op.result: number for number, op in enumerate(operations) if len(op.results) == 1
        }
        self.block = hardware.config.block_out
        self.most_weights = 1 << hardware.config.wgt_bits - 1
        self.lane_bytes = hardware.config.batch * self.block
        self.lanes: dict[ir.Value, Channels] = {}
        self.known_reads: dict[ir.Value, list[Read]] = {}

    def run(self) -> None:
        for op in self.operations:
            if len(op.results) != 1 or len(ir.shape_of(op.result)) != 4:
                continue
            self._visit(op)

    # What is known of values.

    def lanes_of(self, value: ir.Value) -> Channels:
        """The lanes of images whose producer has been visited."""
        known = self.lanes.get(value)
        if known is None:
            move = find_channel_move(value) if _is_moved(value) else None
            if move is not None:
                known = _view(self.lanes_of(move[0]), move[1], self.block)
            else:
                known = in_order(ir.shape_of(value)[1], self.block)
            self.lanes[value] = known
        return known

    def reads(self, value: ir.Value) -> list[Read]:
        """Who reads which channels of an image, be it behind operators that keep them where they are."""
        if value not in self.known_reads:
            self.known_reads[value] = list(self._find_reads(value))
        return self.known_reads[value]

    def _find_reads(self, value: ir.Value) -> Iterator[Read]:
        shape = ir.shape_of(value)
        positions = math.prod(shape) // shape[1]
        for name, moved in self._names(value):
            for use in name.uses:
                op = use.owner
                reads: list[Read] = []
                if op.name == "graph.concat" and "graph.packed" in op.attributes:
                    reads = self._reads_of_concat(op, use.operand_number)
                elif op.name == "graph.conv_integer" and not is_depthwise(op):
                    result = ir.shape_of(op.result)
                    taps = math.prod(ir.shape_of(op.operands[1])[2:])
                    blocks = -(-result[1] // self.block)
                    weight = (
                        math.prod(result) // result[1] * blocks * taps + positions * self.lane_bytes / BYTES_PER_CYCLE
                    )
                    reads = [Read(np.ones(len(moved), bool), weight)]
                elif op.name == "graph.weighted_sum" and self._may_rearrange(op):
                    reads = [Read(np.ones(len(moved), bool), 2.0 * positions * self.lane_bytes / BYTES_PER_CYCLE)]
                elif (op.name == "graph.conv_integer" or op.name in KEEPING) and is_image_of(op, len(moved)):
                    # A block that it need not read is neither computed nor stored.
                    weight = 2 * positions * self.lane_bytes / BYTES_PER_CYCLE
                    reads = [Read(np.ones(len(moved), bool), weight), *self.reads(op.result)]
                for read in reads:
                    mask = np.zeros(shape[1], bool)
                    mask[moved[read.mask]] = True
                    yield dataclasses.replace(read, mask=mask)

    def _names(self, value: ir.Value) -> Iterator[tuple[ir.Value, Channels]]:
        """The values that are made of `value` by moves of channels, with what is in each, and itself."""
        rest = [(value, np.arange(ir.shape_of(value)[1]))]
        while rest:
            name, channels = rest.pop()
            yield name, channels
            for end in _moves_of(name):
                move = find_channel_move(end)
                if move is not None and _is_moved(end):
                    rest.append((end, channels[move[1]]))

    def _reads_of_concat(self, concat: ir.Operation, number: int) -> list[Read]:
        """Who reads an operand of a concatenation, in terms of its channels."""
        sizes = [ir.shape_of(operand)[1] for operand in concat.operands]
        begin = sum(sizes[:number])
        end = begin + sizes[number]
        if not self._is_in_place(concat, number):
            # The copy is another tensor.
            positions = self._positions(concat)
            return [Read(np.ones(sizes[number], bool), 2.0 * positions * self.lane_bytes / BYTES_PER_CYCLE)]
        return [
            Read(
                read.mask[begin:end],
                read.weight,
                read.before or bool(read.mask[:begin].any()),
                read.after or bool(read.mask[end:].any()),
            )
            for read in self.reads(concat.result)
            if read.mask[begin:end].any()
        ]

    def _is_in_place(self, concat: ir.Operation, number: int) -> bool:
        """Whether an operand lies in the result of a concatenation: all of a tensor, and in no other before."""
        base, whole = self._base(concat.operands[number])
        if not whole or any(self._base(operand)[0] == base for operand in concat.operands[:number]):
            return False
        first = concat
        for name, moved in self._names(base):
            for use in name.uses:
                reader = use.owner
                joins = reader.name == "graph.concat" and "graph.packed" in reader.attributes
                if joins and len(moved) == ir.shape_of(base)[1] and self._before(reader, first):
                    first = reader
        return first == concat

    def _before(self, one: ir.Operation, other: ir.Operation) -> bool:
        return self.numbers[one.result] < self.numbers[other.result]

    def _base(self, value: ir.Value) -> tuple[ir.Value, bool]:
        """The tensor in whose memory a value lies if nothing is joined, and whether the value is all of it."""
        channels = ir.shape_of(value)[1]
        while _is_moved(value) and (move := find_channel_move(value)) is not None:
            value = move[0]
        return value, ir.shape_of(value)[1] == channels

    # Decisions.

    def _visit(self, op: ir.Operation) -> None:
        result = op.result
        channels = ir.shape_of(result)[1]
        if not is_on(op, self.target) and "graph.packed" not in op.attributes:
            return
        if op.name == "graph.conv_integer":
            lanes = self._lanes_of_convolution(op, channels)
            self.lanes[result] = lanes
            self._write(op, lanes, channels)
        elif op.name == "graph.concat" and "graph.packed" in op.attributes:
            self._visit_concat(op)
        elif op.name == "graph.weighted_sum" and self._may_rearrange(op):
            self.lanes[result] = self._lanes_of_multiple(op, channels)
        elif op.name in KEEPING:
            self.lanes[result] = self.lanes_of(_first_of_kernel(op))

    def _positions(self, op: ir.Operation) -> int:
        shape = ir.shape_of(op.result)
        return math.prod(shape) // shape[1]

    def _lanes_of_multiple(self, op: ir.Operation, channels: int) -> Channels:
        """Those of the operand, unless it is cheaper to put channels elsewhere."""
        source = self.lanes_of(op.operands[0])
        own = self._positions(op) * (2.0 + 2 * self.lane_bytes / BYTES_PER_CYCLE)
        reads = self.reads(op.result)
        moved = order_of(channels, reads, own + self._positions(op) * len(source) / self.block, self.block)
        costs = [
            len(lanes) // self.block * cost + sum(read.weight * read.blocks(lanes, self.block) for read in reads)
            for lanes, cost in ((source, own), (moved, own + self._positions(op) * len(source) / self.block))
        ]
        if costs[0] <= costs[1]:
            return source
        op.attributes[LANES] = ir.DenseI64ArrayAttr.get(moved.tolist(), op.context)
        return moved

    def _lanes_of_convolution(self, op: ir.Operation, channels: int) -> Channels:
        plain = in_order(channels, self.block)
        if is_depthwise(op):
            return self.lanes_of(op.operands[0])
        group = op.attributes.get("group")
        if group is not None and group.value != 1:
            return plain
        other = self._added_later(op)
        if other is not None and not np.array_equal(other, plain):
            return other
        taps = math.prod(ir.shape_of(op.operands[1])[2:])
        inputs = -(-ir.shape_of(op.operands[0])[1] // self.block)
        own = self._positions(op) * (taps * inputs + self.lane_bytes / BYTES_PER_CYCLE)
        return order_of(channels, self.reads(op.result), own, self.block)

    def _added_later(self, op: ir.Operation) -> Channels | None:
        """The lanes of a tensor that the kernel of a convolution adds to it, if they are known."""
        kernel = op.attributes.get("graph.placement")
        value = op.result
        while len(value.uses) == 1:
            user = value.uses[0].owner
            if user.attributes.get("graph.placement") != kernel or len(user.results) != 1:
                return None
            for operand in user.operands:
                if operand != value and len(ir.shape_of(operand)) == 4 and len(user.operands) == 2:
                    owner = operand.owner
                    if not isinstance(owner, ir.Operation) or self.numbers.get(operand, -1) < self.numbers[op.result]:
                        return self.lanes_of(operand)
            value = user.result
        return None

    def _may_rearrange(self, op: ir.Operation) -> bool:
        """Whether a sum is a multiple of one tensor in memory, which a product can put into any lanes."""
        if len(op.operands) != 1 or ir.shape_of(op.operands[0]) != ir.shape_of(op.result):
            return False
        factor = op.attributes["multipliers"].value[0]
        owner = op.operands[0].owner
        placement = op.attributes.get("graph.placement")
        continues = isinstance(owner, ir.Operation) and owner.attributes.get("graph.placement") == placement
        return -self.most_weights <= factor < self.most_weights and not continues

    def _visit_concat(self, op: ir.Operation) -> None:
        parts: list[Channels] = []
        begin, is_chosen = 0, False
        for number, operand in enumerate(op.operands):
            channels = ir.shape_of(operand)[1]
            lanes = self.lanes_of(operand)
            if not self._is_in_place(op, number):
                is_chosen = True
                reads = [
                    Read(
                        read.mask[begin : begin + channels],
                        read.weight,
                        bool(read.mask[:begin].any()),
                        bool(read.mask[begin + channels :].any()),
                    )
                    for read in self.reads(op.result)
                ]
                lanes = order_of(channels, reads, float(self._positions(op)), self.block)
            parts.append(np.where(lanes == NONE, NONE, lanes + begin))
            begin += channels
        lanes = np.concatenate(parts)
        self.lanes[op.result] = lanes
        if is_chosen:
            op.attributes[LANES] = ir.DenseI64ArrayAttr.get(lanes.tolist(), op.context)

    def _write(self, op: ir.Operation, lanes: Channels, channels: int) -> None:
        if not np.array_equal(lanes, in_order(channels, self.block)):
            op.attributes[LANES] = ir.DenseI64ArrayAttr.get(lanes.tolist(), op.context)


def is_depthwise(op: ir.Operation) -> bool:
    """Whether a convolution computes each channel from the one of its number."""
    group = op.attributes.get("group")
    channels = ir.shape_of(op.operands[0])[1]
    return group is not None and group.value == channels == ir.shape_of(op.result)[1]


def is_image_of(op: ir.Operation, channels: int) -> bool:
    """Whether the result of an operator is images of so many channels."""
    shape = ir.shape_of(op.result)
    return len(shape) == 4 and shape[1] == channels


def _is_moved(value: ir.Value) -> bool:
    """Whether a value is made by an operator that is marked as a move of channels."""
    op = value.owner
    if isinstance(op, ir.Operation) and op.name == "graph.reshape":
        op = op.operands[0].owner
    return isinstance(op, ir.Operation) and "graph.packed" in op.attributes


def _moves_of(value: ir.Value) -> Iterator[ir.Value]:
    """Results of operators that may be moves of the channels of `value`."""
    for use in value.uses:
        op = use.owner
        if op.name in ("graph.slice", "graph.gather"):
            yield op.result
        elif op.name == "graph.reshape":
            for inner in op.result.uses:
                if inner.owner.name == "graph.transpose":
                    yield from (
                        end.owner.result for end in inner.owner.result.uses if end.owner.name == "graph.reshape"
                    )


def _first_of_kernel(op: ir.Operation) -> ir.Value:
    """The operand whose lanes the result of an operator without weights has."""
    placement = op.attributes.get("graph.placement")
    for operand in op.operands:
        owner = operand.owner
        if isinstance(owner, ir.Operation) and owner.attributes.get("graph.placement") == placement:
            return operand
    return op.operands[0]


def choose_lanes(module: ir.Operation, hardware: Hardware, target: str = "vta") -> None:
    """Writes `vta.lanes` on the operators of `module` whose channels should not lie in order."""
    if hardware.config.block_in != hardware.config.block_out:
        return
    for operations in operations_of(module):
        if any("graph.packed" in op.attributes for op in operations):
            _Chooser(operations, hardware, target).run()
