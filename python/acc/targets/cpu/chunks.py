"""Chooses what threads compute at the same time: the policy behind the levels of kind `parallel`.

A loop is cut into chunks that any thread may take. They are the same for any number of threads and no sum is divided
among them, so that results are the same bits. There are enough for a few threads to end at about the same time, however
unevenly they run, and none where a kernel is done before other threads would notice.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from acc import _mlir, ir
from acc.dialects import te
from acc.schedule.language import Level, schedule_attribute
from acc.targets.cpu.vectors import Loops, Square, Walks, choose_square

if TYPE_CHECKING:
    from acc.targets.cpu.schedule import Contraction, Processor, Tile

__all__ = ["LEAST_CYCLES", "MANY", "Chunks", "choose_chunks", "contraction_cycles"]

LEAST_CYCLES = 40_000
"""Work that takes less is left to one thread: about ten microseconds, several times what it takes to share it."""

MANY = 16
"""So many chunks are enough."""

SOME = 8
"""With so many chunks nothing is changed to have more."""


@dataclasses.dataclass(frozen=True)
class Chunks:
    """What one thread computes of a contraction at a time: so many outputs and rows, counted as in `Tile.rows`.

    Of what is 0 it computes all. With outputs, all threads share a packed copy of the input; without, each has its own.
    """

    outputs: int = 0
    rows: int = 0


def contraction_cycles(problem: Contraction, processor: Processor, instances: int) -> float:
    """Roughly the cycles that one core takes for a contraction, `instances` times (images and groups)."""
    lanes = processor.vector_bytes // 4 * (processor.integers if problem.element_bytes == 1 else 1)
    window = problem.kernel[0] * problem.kernel[1]
    pixels = problem.height * problem.width * instances
    return pixels * problem.outputs * (problem.sums * window / (2 * lanes) + 1)


def choose_chunks(
    problem: Contraction, tile: Tile, processor: Processor, instances: int, fixed: bool = False
) -> tuple[Tile, Chunks | None]:
    """The chunks of a contraction, or None, with the tile, whose `rows` may become fewer unless it is `fixed`."""
    if contraction_cycles(problem, processor, instances) < LEAST_CYCLES:
        return tile, None
    size = tile.vectors * tile.lanes
    tiles = math.ceil(problem.outputs / size)
    by_outputs = Chunks(outputs=math.ceil(tiles / MANY) * size)
    if problem.product:
        lines = math.ceil(problem.width / tile.width)
        if tiles >= SOME or tiles >= lines > 0:
            return tile, by_outputs if tiles > 1 else None
        return tile, Chunks(rows=_part(lines, MANY) * tile.width)
    lines = math.ceil(problem.height * problem.width / tile.width) if problem.is_flat else problem.height
    if not tile.rows and (lines * instances >= SOME or lines * instances >= tiles):
        # Nothing is copied: rows are cut at will.
        rows = _part(lines, max(1, MANY // instances))
        return tile, Chunks(rows=rows) if rows < lines or instances > 1 else None
    blocks = math.ceil(lines / tile.rows) * instances if tile.rows else 0
    if blocks >= SOME:
        return tile, Chunks(rows=tile.rows)
    if problem.is_flat and not fixed and tiles < SOME and lines * instances > max(blocks, tiles):
        tile = dataclasses.replace(tile, rows=min(tile.rows, _part(lines, max(1, MANY // instances))))
        return tile, Chunks(rows=tile.rows)
    if contraction_cycles(problem, processor, 1) < LEAST_CYCLES * max(1, blocks // instances):
        # Blocks are too small for several threads.
        return tile, Chunks(rows=tile.rows) if blocks > 1 else None
    # Threads share a copy of the input, which they make together: with copies of their own, rows would be copied anew
    # for each that reads them.
    if tiles >= SOME or problem.is_flat:
        return tile, by_outputs if tiles > 1 else None
    rows = _part(min(tile.rows or lines, lines), math.ceil(MANY / tiles))
    return tile, Chunks(size, rows) if tiles > 1 or rows < lines else None


def _part(extent: int, parts: int) -> int:
    """A size that cuts an extent into about so many parts, or a few less, if possible into equal ones."""
    least = math.ceil(extent / parts)
    return next((size for size in range(least, 2 * least) if extent % size == 0), least)


_SLOW = {"exp": 12, "exp2": 12, "log": 12, "log1p": 12, "log2": 12, "tanh": 16, "erf": 16, "erfc": 20, "sqrt": 4}
"""What a function of math costs, in simple operations, where it is vectorized."""

CALL = 40
"""What other functions cost: calls of a library, element by element."""

BYTES = 16
"""What a core reads and writes in a cycle of data that is not in its nearest cache."""

MOST_LOOPS = 8
"""A kernel with more loops that could be cut is left to one thread."""

MANY_CACHES = 2
"""A buffer that is so many times as large as the cache is out of it when it is read again."""

LIKELY_PIXELS = 28 * 28
"""What open sizes of images are taken for, all together, where buffers of several operations are weighed."""

EVEN = 64
"""Chunks of a long axis have a multiple of so many elements: whole vectors, and lines of the cache."""


def _element_cost(op: ir.Operation) -> int:
    """What one iteration of an operation on buffers costs, in simple operations."""
    cost = 1 + len(op.operands) // 2
    for region in op.regions:
        for block in region.blocks:
            for inner in block.operations:
                dialect, _, name = inner.name.partition(".")
                if dialect == "math":
                    cost += _SLOW.get(name, CALL if name in _CALLED else 1)
                elif name.startswith(("div", "rem")):
                    cost += 4
                elif dialect in ("scf", "memref"):
                    cost += 8
                else:
                    cost += 1
    return cost


_CALLED = frozenset(
    ("powf", "sin", "cos", "tan", "sinh", "cosh", "asin", "acos", "atan", "atan2", "asinh", "acosh", "atanh", "cbrt")
)


def _known_bytes(op: ir.Operation) -> int:
    """The bytes of an operation's buffers, open sizes taken for one."""
    total = 0
    for value in op.operands:
        if ir.MemRefType.isinstance(value.type):
            element = ir.MemRefType(value.type).element_type
            width = element.width if isinstance(element, ir.IntegerType | ir.FloatType) else 64
            total += math.prod(max(size, 1) for size in ir.shape_of(value)) * -(-width // 8)
    return total


def _loop_cycles(loops: Loops, cost: int, moved: int, vector_bytes: int) -> float:
    """Cycles of an operation, with the arguments of `choose_loop_chunks`; open sizes are taken for one."""
    known = math.prod(extent for extent, _ in loops if extent > 0)
    return max(known * cost / (vector_bytes // 4), moved / BYTES)


def _outermost_first(loops: Sequence[tuple[int, bool]], walks: Walks | None) -> list[int]:
    """The loops of an operation by how far apart in memory is what their iterations write, the farthest first.

    Loops of named operations are in an order of their own: those of a depthwise convolution end with the channels.
    """
    order = list(range(len(loops)))
    written = [steps for is_written, _, steps in walks or () if is_written]
    if any(step is None for steps in written for step in steps):
        return order
    return sorted(order, key=lambda axis: -max((abs(steps[axis] or 0) for steps in written), default=0))


def choose_loop_chunks(
    loops: Sequence[tuple[int, bool]], order: Sequence[int], cost: int, moved: int, vector_bytes: int
) -> dict[int, int]:
    """The sizes of chunks by loop, of an operation whose loops have these extents, -1 for open ones; empty for none.

    loops: with each, whether its iterations write to places of their own, so that it may be cut. order: the loops, the
    outermost in memory first. cost: of an iteration,
    in simple operations, which are done for every element of a vector at once. moved: bytes of all buffers.
    """
    cycles = _loop_cycles(loops, cost, moved, vector_bytes)
    inner = [math.prod(extent for extent, _ in loops[axis + 1 :] if extent > 0) for axis in range(len(loops))]
    opened = [axis for axis, (extent, own) in enumerate(loops) if extent < 0 and own]
    if opened and all(extent != 0 for extent, _ in loops):
        # Their product is known in a run only: chunks have enough work to be worth it, and are as many as it takes.
        sizes = {axis: 1 for axis in opened}
        last = opened[-1]
        sizes[last] = max(1, math.ceil(LEAST_CYCLES / 2 / max(cycles, 1)))
        return sizes
    if cycles < LEAST_CYCLES:
        return {}
    candidates = [axis for axis in order if loops[axis][0] > 1 and loops[axis][1]]
    if not candidates:
        return {}
    # An outer axis keeps what a thread writes together, if there is enough of it.
    axis = next((a for a in candidates if loops[a][0] >= SOME), max(candidates, key=lambda a: loops[a][0]))
    extent = loops[axis][0]
    size = _part(extent, MANY)
    if axis == candidates[-1] and inner[axis] == 1 and extent >= 2 * EVEN:
        size = math.ceil(size / EVEN) * EVEN
    return {axis: size} if size < extent else {}


def make_loop_schedules(module: ir.Operation, processor: Processor) -> None:
    """Says of the loops of native kernels on buffers, of what is no contraction, how they are computed.

    Those in no loop themselves are cut into chunks, several in a row into the same ones where `choose_groups` says so;
    squares are chosen everywhere.
    """
    for kernel in module.regions[0].blocks[0].operations:
        if kernel.name != "te.kernel" or kernel.attributes["target"].value != "cpu":
            continue
        nests = list(_loop_nests(kernel))
        squares: dict[ir.Operation, Square] = {}
        orders: dict[ir.Operation, list[int]] = {}
        for op, loops, _ in nests:
            walks = _mlir.steps_of(op)
            orders[op] = _outermost_first(loops, walks)
            if walks and (square := choose_square(loops, walks, processor.vector_bytes)):
                squares[op] = square
        groups = choose_groups([(op, loops) for op, loops, nested in nests if not nested], processor)
        joined = {op for group in groups for op in group}
        outer: dict[ir.Operation, dict[int, int]] = {}
        for op, loops, nested in nests:
            if nested or op in joined:
                continue
            sizes = choose_loop_chunks(loops, orders[op], _element_cost(op), _known_bytes(op), processor.vector_bytes)
            for axis in sizes:
                # No thread has a part of a square.
                if op in squares and loops[axis][0] > 0 and axis in (squares[op].results, squares[op].reads):
                    sizes[axis] = -(-sizes[axis] // squares[op].side) * squares[op].side
            if any(size < loops[axis][0] or loops[axis][0] < 0 for axis, size in sizes.items()):
                outer[op] = sizes
        # Each becomes a function: a concatenation of hundreds of tensors would take long to compile.
        if len(outer) > MOST_LOOPS:
            outer = {}
        levels: dict[ir.Operation, list[Level]] = {op: [Level.of(sizes, _PARALLEL)] for op, sizes in outer.items()}
        for group in groups:
            levels |= {op: [Level.of(sizes), Level.of(sizes, _PARALLEL)] for op, sizes in group.items()}
        for op, square in squares.items():
            levels.setdefault(op, []).extend(square.levels())
        for op, own in levels.items():
            op.attributes["te.schedule"] = schedule_attribute(op.context, own)


_PARALLEL = te.LevelKind.Parallel


def choose_groups(
    nests: Sequence[tuple[ir.Operation, Loops]], processor: Processor
) -> list[dict[ir.Operation, dict[int, int]]]:
    """Groups of operations in a row that share one loop over chunks, with the size of these by axis.

    A buffer that only they use, such as a padded copy of images, is worth it if most of it would leave the cache
    otherwise, or if its size is open: chunks of it have strides that loops know more of. Of the loops that could be
    shared, the longest is cut.
    """
    groups: list[dict[ir.Operation, dict[int, int]]] = []
    start = 0
    while start < len(nests):
        op, loops = nests[start]
        found = [_mlir.joinable_loops(op, axis) for axis in range(len(loops))]
        axes, extent, size = max((g for g in found if g[2] > 0), key=lambda g: g[1], default=([], 0, 0))
        members = nests[start : start + len(axes)]
        opened = any(count < 0 for _, others in members for count, _ in others)
        cycles = sum(_loop_cycles(o, _element_cost(n), _known_bytes(n), processor.vector_bytes) for n, o in members)
        if opened:
            size *= LIKELY_PIXELS
            cycles *= LIKELY_PIXELS
        most = processor.l2_bytes // 4 * extent // max(size, 1)
        if (
            len(axes) > 1
            and (opened or size >= MANY_CACHES * processor.l2_bytes)
            and cycles >= LEAST_CYCLES
            and most >= 1
        ):
            most = min(most, max(1, extent // MANY))
            chunk = next(count for count in range(most, 0, -1) if extent % count == 0)
            groups.append({op: {axis: chunk} for (op, _), axis in zip(members, axes, strict=True)})
            start += len(axes)
        else:
            start += 1
    return groups


def _loop_nests(op: ir.Operation, nested: bool = False) -> Iterator[tuple[ir.Operation, Loops, bool]]:
    """The operations on buffers in another, with their loops, and whether they are in a loop."""
    for region in op.regions:
        for block in region.blocks:
            for inner in block.operations:
                loops = _mlir.loops_of(inner)
                if loops is None:
                    yield from _loop_nests(inner, nested=True)
                else:
                    yield inner, loops, nested


def parallel_loops(module: ir.Module) -> dict[str, str]:
    """What threads compute at the same time, in words, by kernel as policies call it; of a module on buffers."""
    words: dict[str, str] = {}
    launches: list[ir.Operation] = []
    for op in module.body:
        if op.name == "te.kernel" and (said := list(dict.fromkeys(_words(op)))):
            words[str(op.attributes["sym_name"].value)] = ", ".join(said)
        elif op.name == "func.func":
            launches += [inner for block in op.regions[0].blocks for inner in block if inner.name == "te.launch"]
    found: dict[str, str] = {}
    for launch in launches:
        symbol = str(launch.attributes["kernel"].value)
        if symbol in words:
            label = launch.attributes.get("label")
            found[symbol if label is None else str(label.value)] = words[symbol]
    return found


def _words(kernel: ir.Operation) -> Iterator[str]:
    """Of every loop of a kernel that is cut into chunks: what a chunk has."""
    for block in kernel.regions[0].blocks:
        for op in block.operations:
            if op.name == "cpu.contract" and (chunks := op.attributes.get("chunks")) is not None:
                outputs, rows = (int(size) for size in chunks.value)
                yield " x ".join([f"{outputs} outputs"] * (outputs > 0) + [f"{rows} rows"] * (rows > 0))
            elif (schedule := op.attributes.get("te.schedule")) is not None:
                for level in map(te.TileAttr, te.ScheduleAttr(schedule).tiles.value):
                    if level.kind is not te.LevelKind.Parallel:
                        continue
                    sizes = level.sizes.value
                    yield " x ".join(str(size) if size else "all" for size in sizes) + " iterations"
