"""Chooses what threads compute at the same time: the policy behind the levels of kind `parallel`.

A loop is cut into chunks that any thread may take. They are the same for any number of threads and no sum is divided
among them, so that results are the same bits. There are enough for a few threads to end at about the same time, however
unevenly they run, and none where a kernel is done before other threads would notice.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acc import ir
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
    """What one thread computes of a contraction at a time: so many outputs, or so many rows, counted as in `Tile.rows`.

    The other one is 0.
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
        return tile, Chunks(rows=math.ceil(lines / MANY) * tile.width)
    lines = math.ceil(problem.height * problem.width / tile.width) if problem.is_flat else problem.height
    if not tile.rows:
        # Nothing is copied: rows are cut at will.
        if lines * instances >= SOME or lines * instances >= tiles:
            rows = math.ceil(lines * instances / MANY)
            return tile, Chunks(rows=min(rows, lines)) if lines * instances > 1 else None
        return tile, by_outputs
    blocks = math.ceil(lines / tile.rows) * instances
    if blocks >= SOME:
        return tile, Chunks(rows=tile.rows)
    # Fewer outputs share one copy of the input, which threads make together; fewer rows copy their neighbours anew.
    if tiles >= SOME and instances == 1:
        return tile, by_outputs
    if not fixed and lines * instances > max(blocks, tiles):
        tile = dataclasses.replace(tile, rows=min(tile.rows, math.ceil(lines * instances / MANY)))
        return tile, Chunks(rows=tile.rows)
    if tiles > blocks:
        return tile, by_outputs
    return tile, Chunks(rows=tile.rows) if blocks > 1 else None


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
                yield f"{outputs} outputs" if outputs else f"{rows} rows"
