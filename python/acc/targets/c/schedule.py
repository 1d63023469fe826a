"""The order of loops in C: the policy that lets compilers vectorize sums of products.

A sum in a register is the fastest loop for one number at a time. Vectors want it the other way round: the innermost
loop walks along a row of the result, adds to all of its elements, and what is summed up is outside. Compilers
vectorize such a loop without being allowed to reorder sums of floats.
"""

from __future__ import annotations

from collections.abc import Iterator

from acc import ir
from acc.dialects.te import ScheduleAttr, TileAttr

__all__ = ["LANES", "choose_order", "make_c_schedules"]

LANES = 8
"""Rows of fewer elements are no vectors: a register of 16 bytes has 4, and the loop around it costs something too."""

LARGEST_STEP = 2
"""Elements that are further apart are loaded one by one."""


def make_c_schedules(module: ir.Operation, lanes: int = LANES) -> None:
    """Writes the order of loops, a `te.schedule`, on linalg operations on buffers that sum up and have better ones.

    lanes: how many elements a row must have to be walked along innermost; 0 leaves all sums in registers.
    """
    for kernel in module.regions[0].blocks[0].operations:
        if kernel.name != "te.kernel":
            continue
        for op in _generics(kernel):
            order = choose_order(op, lanes) if lanes else None
            if order is not None:
                tile = TileAttr.get([1] * len(order), order=order, context=op.context)
                op.attributes["te.schedule"] = ScheduleAttr.get([tile], context=op.context)


def _generics(op: ir.Operation) -> Iterator[ir.Operation]:
    for region in op.regions:
        for block in region.blocks:
            for inner in block.operations:
                if inner.name == "linalg.generic":
                    yield inner
                else:
                    yield from _generics(inner)


def choose_order(op: ir.Operation, lanes: int = LANES) -> list[int] | None:
    """The axes of a linalg.generic, outermost first; None for the order that they have.

    Sums whose result lies in long rows that all operands are read along, or do not depend on, have their innermost loop
    along the rows.
    """
    kinds = [str(kind) for kind in op.attributes["iterator_types"].value]
    maps = [item if isinstance(item, ir.AffineMap) else item.value for item in op.attributes["indexing_maps"].value]
    operands = list(op.operands)
    sums = [axis for axis, kind in enumerate(kinds) if "reduction" in kind]
    if not sums or len(operands) != len(maps):
        return None
    steps = [_steps(map_, operand) for map_, operand in zip(maps, operands, strict=True)]
    rows = [axis for axis, step in enumerate(steps[-1]) if step == 1 and axis not in sums]
    for axis in rows:
        if _extent(axis, maps, operands) < lanes:
            continue
        moves = [step[axis] for step in steps]
        if all(move is not None and 0 <= move <= LARGEST_STEP for move in moves):
            outer = [other for other in range(len(kinds)) if other != axis and other not in sums]
            order = [*outer, *sums, axis]
            return order if order != list(range(len(kinds))) else None
    return None


def _steps(map_: ir.AffineMap, operand: ir.Value) -> list[int | None]:
    """By axis, how many elements further the next one is: 0 for the same, None for somewhere else."""
    shape = ir.ShapedType(operand.type).shape
    # The innermost axis of the buffer that has a size.
    last = max((position for position, size in enumerate(shape) if size != 1), default=-1)
    origin = [result.evaluate([0] * map_.n_dims) for result in map_.results]
    found: list[int | None] = []
    for axis in range(map_.n_dims):
        point = [int(axis == other) for other in range(map_.n_dims)]
        moves = [result.evaluate(point) - start for result, start in zip(map_.results, origin, strict=True)]
        elsewhere = any(move for position, move in enumerate(moves) if position != last and shape[position] != 1)
        found.append(None if elsewhere else moves[last] if last >= 0 else 0)
    return found


def _extent(axis: int, maps: list[ir.AffineMap], operands: list[ir.Value]) -> int:
    """How long an axis is that an operand is read along one by one."""
    for map_, operand in zip(maps, operands, strict=True):
        for result, size in zip(map_.results, ir.ShapedType(operand.type).shape, strict=True):
            if isinstance(result, ir.AffineDimExpr) and result.position == axis:
                return size
    return 0
