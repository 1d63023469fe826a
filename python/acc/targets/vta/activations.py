"""Finds how the vector unit computes functions of i8 that are given by their tables (graph.lookup): how many steps.

Where the configuration declares tables (ALU_TABLE), one for all channels is a single step, but has to be loaded; steps
without one need nothing but their immediates. What takes fewer cycles is chosen.

A table is the result of float32 arithmetic that was rounded. Steps are integers: a product, a sum and a shift make a
line, two of which, joined by a maximum or a minimum, are what LeakyReLU, PReLU and Abs are; one with bounds is
HardSigmoid; the product of the input with a line between bounds is HardSwish. Nothing is approximated: steps are taken
only if they give the entry of the table for each of the 256 inputs.

For lines that is a matter of two unknowns. floor((m x + b) / 2^s) is T for all x of a domain only if

    (T_x - T_y - 1) / (x - y)  <  m / 2^s  <  (T_x + 1 - T_y) / (x - y)

for all pairs x > y, and b is then in an interval that follows from m. Where T is the least or the largest entry of the
table, bounds behind the line leave it free to go on.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from acc import ir
from acc.dialects.graph import PlacementAttr
from acc.dialects.vta import ActivationAttr, AluKind, StepAttr
from acc.targets.vta.config import Hardware
from acc.targets.vta.schedule import LATENCY_CYCLES, PORT_BYTES

__all__ = ["Activation", "Step", "TableStep", "choose_activation", "choose_activations", "find_activation", "find_ways"]

Ints = npt.NDArray[np.int64]

INPUTS: Ints = np.arange(-128, 128, dtype=np.int64)
ENTRIES = INPUTS.size
LARGEST_IMMEDIATE = 32767
WORD = 1 << 31
# How many factors of a line are tried for a shift: those that fit lie side by side.
MOST_FACTORS = 65
# How many units of the input are tried for HardSwish, and how fine they may be.
MOST_UNITS, FINEST_UNIT = 6, 128


@dataclass(frozen=True)
class Step:
    """value = op(value, values[channel]), or one value for all channels."""

    op: AluKind
    values: tuple[int, ...]

    @property
    def changes(self) -> bool:
        """Whether it does anything."""
        neutral = {AluKind.Add: 0, AluKind.Mul: 1, AluKind.Shr: 0}
        return set(self.values) != {neutral.get(self.op)}

    @property
    def cycles(self) -> int:
        """Cycles for a vector of results: a value that is no immediate is a second operand."""
        return 1 if len(self.values) == 1 and abs(self.values[0]) <= LARGEST_IMMEDIATE else 2

    def apply(self, value: Ints) -> Ints:
        """On rows of values, one for each channel; raises OverflowError beyond 32 bits."""
        return _apply(self.op, value, np.array(self.values, dtype=np.int64)[:, None])


def _apply(op: AluKind, a: Ints, b: Ints) -> Ints:
    functions: dict[AluKind, Callable[[Ints, Ints], Ints]] = {
        AluKind.Min: np.minimum,
        AluKind.Max: np.maximum,
        AluKind.Add: np.add,
        AluKind.Mul: np.multiply,
        AluKind.Shr: np.right_shift,
    }
    result = functions[op](a, b)
    if result.size and (result.max() >= WORD or result.min() < -WORD):
        raise OverflowError
    return result


@dataclass(frozen=True)
class Activation:
    """What #vta.activation is: join(left(x), right(x)) between what comes before and after."""

    before: tuple[Step, ...] = ()
    left: tuple[Step, ...] = ()
    right: tuple[Step, ...] = ()
    join: AluKind = AluKind.Max
    after: tuple[Step, ...] = ()

    @property
    def cycles(self) -> int:
        """Cycles of the vector unit for a vector of results; a second line is a copy (3) that is joined again (2)."""
        steps = (*self.before, *self.left, *self.right, *self.after)
        return sum(step.cycles for step in steps) + (5 if self.right else 0)

    def evaluate(self) -> Ints:
        """Its table, a row for each channel; raises OverflowError where a value exceeds 32 bits."""
        x = _run(self.before, INPUTS[None, :])
        if self.right:
            x = _apply(self.join, _run(self.left, x), _run(self.right, x))
        return _run(self.after, x)

    def attribute(self, context: ir.Context) -> ActivationAttr:
        """As an attribute."""

        def steps(of: Iterable[Step]) -> list[ir.Attribute]:
            return [StepAttr.get(step.op, list(step.values), context=context) for step in of]

        before, left, right, after = map(steps, (self.before, self.left, self.right, self.after))
        return ActivationAttr.get(before, left, right, self.join, after, context=context)


@dataclass(frozen=True)
class TableStep:
    """A look-up in a table that the vector unit has loaded."""

    @property
    def cycles(self) -> int:
        """Cycles of the vector unit for a vector of results, its loading aside."""
        return 1


def _run(steps: Iterable[Step], value: Ints) -> Ints:
    for step in steps:
        value = step.apply(value)
    return value


@dataclass(frozen=True)
class _Line:
    """floor((factor * x + addend) / 2^shift); any addend from `least` to `most` will do."""

    factor: int
    least: int
    most: int
    shift: int

    def parts(self) -> tuple[int, int, int, int]:
        """(x + a) * factor + b, shifted: a, factor, b and the shift, all of them immediates if possible."""
        near = -(-self.least // self.factor) if self.factor > 0 else self.least // self.factor
        if self.least <= near * self.factor <= self.most:
            return near, self.factor, 0, self.shift
        middle = (self.least + self.most) // 2
        if abs(middle) <= LARGEST_IMMEDIATE:
            return 0, self.factor, middle, self.shift
        near = middle // self.factor
        return near, self.factor, middle - near * self.factor, self.shift


def _find_line(x: Ints, table: Ints, lo: int, hi: int) -> _Line | None:
    """The line with the least shift whose floor is `table` at all `x`, in ascending order, but for what bounds do."""
    if not x.size:
        return None
    low = np.where(table <= lo, -np.inf, table.astype(float))
    high = np.where(table >= hi, np.inf, table + 1.0)
    if (np.isinf(low) & np.isinf(high)).all():
        return None
    later, earlier = np.tril_indices(x.size, -1)
    apart = x[later] - x[earlier]
    least = ((low[later] - high[earlier]) / apart).max(initial=-np.inf)
    most = ((high[later] - low[earlier]) / apart).min(initial=np.inf)
    if not least < most:
        return None
    reach = int(np.abs(x).max())
    for shift in range(31):
        scale = float(1 << shift)
        first, last = np.floor(least * scale) + 1, np.ceil(most * scale) - 1
        first, last = np.clip([first, last], -LARGEST_IMMEDIATE, LARGEST_IMMEDIATE)
        if first > last or (np.isinf(least) and np.isinf(most)):
            continue
        factors = np.unique(np.linspace(first, last, min(int(last - first) + 1, MOST_FACTORS)).round().astype(np.int64))
        addends = np.ceil((low * scale - factors[:, None] * x).max(axis=1))
        beyond = np.ceil((high * scale - factors[:, None] * x).min(axis=1))
        for at in np.flatnonzero((addends < beyond) & (factors != 0)):
            ends = [addends[at], beyond[at] - 1]
            # Half a line is free: any addend on that side.
            ends[0] = ends[1] if np.isinf(ends[0]) else ends[0]
            ends[1] = ends[0] if np.isinf(ends[1]) else ends[1]
            if max(map(abs, ends)) + abs(int(factors[at])) * reach < WORD:
                return _Line(int(factors[at]), int(ends[0]), int(ends[1]), shift)
    return None


def _steps(lines: Sequence[_Line]) -> tuple[Step, ...]:
    """Those of a line, or of one for each channel; in front of them, none that does nothing."""
    kinds = (AluKind.Add, AluKind.Mul, AluKind.Add, AluKind.Shr)
    columns = zip(*(line.parts() for line in lines), strict=True)
    steps = [Step(kind, _shared(values)) for kind, values in zip(kinds, columns, strict=True)]
    return tuple(step for step in steps if step.changes)


def _shared(values: Iterable[int]) -> tuple[int, ...]:
    values = tuple(values)
    return values[:1] if len(set(values)) == 1 else values


def _bounded(activation: Activation, table: Ints) -> Activation | None:
    """The activation with the bounds that it needs, if that is the table."""
    try:
        found = activation.evaluate()
        lo, hi = table.min(axis=1), table.max(axis=1)
        after = list(activation.after)
        if (found < lo[:, None]).any():
            after.append(Step(AluKind.Max, _shared(map(int, lo))))
        if (found > hi[:, None]).any():
            after.append(Step(AluKind.Min, _shared(map(int, hi))))
        whole = Activation(activation.before, activation.left, activation.right, activation.join, tuple(after))
        return whole if np.array_equal(np.broadcast_to(whole.evaluate(), table.shape), table) else None
    except OverflowError:
        return None


def _one_line(table: Ints) -> Activation | None:
    lines = [_find_line(INPUTS, row, int(row.min()), int(row.max())) for row in table]
    found = [line for line in lines if line is not None]
    return _bounded(Activation(after=_steps(found)), table) if len(found) == len(lines) else None


def _two_lines(table: Ints, turn: int) -> Activation | None:
    """A line for inputs below `turn`, and one from it on; at the turn itself they may meet on either side."""
    for at in (turn + 128, turn + 129):
        pairs: list[tuple[_Line, _Line]] = []
        for row in table:
            lo, hi = int(row.min()), int(row.max())
            left = _find_line(INPUTS[:at], row[:at], lo, hi)
            right = _find_line(INPUTS[at:], row[at:], lo, hi)
            if left is None or right is None:
                break
            pairs.append((left, right))
        else:
            sides = [_steps([pair[side] for pair in pairs]) for side in (0, 1)]
            # Steps on the right are what makes it two.
            sides.sort(key=bool)
            for join in (AluKind.Max, AluKind.Min):
                if found := _bounded(Activation((), sides[0], sides[1], join), table):
                    return found
    return None


def _find_turn(row: Ints) -> int | None:
    """Where a table may turn from one line to another: the end of the longest beginning that can be a line."""
    lo, hi = int(row.min()), int(row.max())
    low = np.where(row <= lo, -np.inf, row.astype(float))
    high = np.where(row >= hi, np.inf, row + 1.0)
    apart = INPUTS[:, None] - INPUTS[None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        least = np.where(apart > 0, (low[:, None] - high[None, :]) / apart, -np.inf).max(axis=1)
        most = np.where(apart > 0, (high[:, None] - low[None, :]) / apart, np.inf).min(axis=1)
    fits = np.maximum.accumulate(least) < np.minimum.accumulate(most)
    return None if fits.all() else int(np.argmin(fits)) - 128


def _hard_swish(table: Ints, scale: float, zero_point: int) -> Activation | None:
    """x * clamp(x + 3, 0, 6) / 6: the clamp in units of the input that are so fine that 3 is a whole number of them."""
    if not 3 / scale < WORD:
        return None
    row, x = table[0], INPUTS - zero_point
    three = 3 / scale
    units = np.arange(1, FINEST_UNIT + 1)
    off = np.abs(units * three - np.round(units * three)) / units
    for unit in units[np.argsort(off, kind="stable")][:MOST_UNITS]:
        half = round(unit * three)
        product = x * np.clip(x * unit + half, 0, 2 * half)
        if half < 1 or int(np.abs(product).max()) >= WORD:
            continue
        # What a line multiplies should be a word of 16 bits.
        drop = max(0, int(np.abs(product).max()).bit_length() - 16)
        line = _line_of(product >> drop, row)
        if line is None:
            continue
        clamp = (
            *(Step(AluKind.Mul, (int(unit),)), Step(AluKind.Add, (half,))),
            *(Step(AluKind.Max, (0,)), Step(AluKind.Min, (2 * half,))),
        )
        activation = Activation(
            _changing(Step(AluKind.Add, (-zero_point,))),
            (),
            _changing(*clamp),
            AluKind.Mul,
            (*_changing(Step(AluKind.Shr, (drop,))), *_steps([line])),
        )
        if found := _bounded(activation, table):
            return found
    return None


def _changing(*steps: Step) -> tuple[Step, ...]:
    return tuple(step for step in steps if step.changes)


def _line_of(values: Ints, row: Ints) -> _Line | None:
    """A line over values in any order, some of them the same; None where equal ones have different entries."""
    lo, hi = int(row.min()), int(row.max())
    known: dict[int, int] = {}
    for value, entry in zip(values.tolist(), row.tolist(), strict=True):
        if known.setdefault(value, entry) != entry:
            return None
    x = np.array(sorted(known), dtype=np.int64)
    return _find_line(x, np.array([known[int(value)] for value in x], dtype=np.int64), lo, hi)


@functools.lru_cache(maxsize=1024)
def _search(data: bytes, scale: float | None, zero_point: int | None) -> Activation | None:
    table = np.frombuffer(data, dtype=np.int8).reshape(-1, 256).astype(np.int64)
    if (table[:, :1] == table).all():
        constant = _shared(table[:, 0].tolist())
        return Activation(after=(Step(AluKind.Max, constant), Step(AluKind.Min, constant)))
    if (found := _one_line(table)) is not None:
        return found
    turn = zero_point
    if turn is not None and (found := _two_lines(table, turn)) is not None:
        return found
    if len(table) > 1:
        return None
    if scale is not None and zero_point is not None and (found := _hard_swish(table, scale, zero_point)) is not None:
        return found
    turn = _find_turn(table[0])
    return None if turn is None else _two_lines(table, turn)


def _read_table(op: ir.Operation) -> npt.NDArray[np.int8] | None:
    """The table of a graph.lookup, a row for all channels or one for each; None if it is not constant."""
    owner = op.operands[1].owner
    if not isinstance(owner, ir.Operation) or owner.name != "graph.constant":
        return None
    table = np.asarray(owner.attributes["value"].value, dtype=np.int8)
    return np.broadcast_to(table, ir.shape_of(op.operands[1]))


def find_activation(op: ir.Operation) -> Activation | None:
    """Steps that compute a graph.lookup, or None if none are known."""
    table = _read_table(op)
    if table is None:
        return None
    scale, zero_point = (op.attributes.get(name) for name in ("input_scale", "input_zero_point"))
    return _search(
        table.tobytes(),
        None if scale is None else float(scale.value),
        None if zero_point is None else int(zero_point.value),
    )


def _count_vectors(shape: Sequence[int], hardware: Hardware) -> int:
    """Vectors of results that the vector unit computes, of images (N, C, ...) or sequences (N, M, K)."""
    rows, channels = (1, 2) if len(shape) == 3 else (0, 1)
    sizes = list(shape)
    sizes[rows] = -(-sizes[rows] // hardware.config.batch)
    sizes[channels] = -(-sizes[channels] // hardware.config.block_out)
    return math.prod(sizes)


def find_ways(op: ir.Operation, hardware: Hardware) -> list[Activation | TableStep]:
    """How the vector unit can compute a graph.lookup, what takes the fewest cycles in all first."""
    if hardware.dialect == "public":
        return []
    vectors = _count_vectors(ir.shape_of(op.result), hardware)
    found: dict[Activation | TableStep, int] = {}
    if (steps := find_activation(op)) is not None:
        found[steps] = vectors * steps.cycles
    table = _read_table(op)
    if hardware.config.alu_table and table is not None and (table[:1] == table).all():
        loading = LATENCY_CYCLES + ENTRIES * hardware.config.element_bytes("uop") // PORT_BYTES
        found[TableStep()] = vectors * TableStep().cycles + loading
    return sorted(found, key=found.__getitem__)


def choose_activation(op: ir.Operation, hardware: Hardware) -> Activation | TableStep | None:
    """The best of these ways, of those that take no longer than the user allows."""
    limit = hardware.activation_cycles
    return next((way for way in find_ways(op, hardware) if limit is None or way.cycles <= limit), None)


def choose_activations(module: ir.Operation, hardware: Hardware, target: str = "vta") -> None:
    """Writes `vta.activation` or `vta.table` on every table that the accelerator computes."""
    for function in module.regions[0].blocks[0]:
        if function.name != "func.func" or not len(function.regions[0].blocks):
            continue
        for op in function.regions[0].blocks[0].operations:
            placement = op.attributes.get("graph.placement")
            if op.name != "graph.lookup" or not isinstance(placement, PlacementAttr) or placement.target is None:
                continue
            if placement.target.value != target or (chosen := choose_activation(op, hardware)) is None:
                continue
            if isinstance(chosen, TableStep):
                op.attributes["vta.table"] = ir.UnitAttr.get(op.context)
            else:
                op.attributes["vta.activation"] = chosen.attribute(op.context)
