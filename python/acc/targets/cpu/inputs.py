"""Which inputs native code may read where the caller has them, however they lie in memory.

Vectors that cross lines of the cache take two reads instead of one. What is read once or a few times is not worth a
copy for that; an operand of a product, every vector of which is read for every row, is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from acc import _mlir, ir

__all__ = ["MOST_READS", "readable_anywhere"]

MOST_READS = 16
"""So often, at most, an element is read where it is: windows of 3x3 are, products are not."""

_VIEWS = ("memref.subview", "memref.expand_shape", "memref.collapse_shape", "memref.reinterpret_cast", "memref.cast")


def readable_anywhere(module: ir.Module) -> tuple[bool, ...]:
    """For each argument of main, whether it need not be aligned if it is an input; of a module on buffers."""
    kernels = {
        op.attributes["sym_name"].value: op
        for op in module.body
        if op.name == "te.kernel" and op.attributes["target"].value == "cpu"
    }
    function = next(op for op in module.body if op.name == "func.func")
    arguments = function.regions[0].blocks[0].arguments
    return tuple(all(_reads_little(use, kernels) for use in argument.uses) for argument in arguments)


def _reads_little(use: ir.OpOperand, kernels: Mapping[str, ir.Operation]) -> bool:
    op, number = use.owner, use.operand_number
    if op.name in _VIEWS:
        return all(_reads_little(inner, kernels) for inner in op.results[0].uses)
    if op.name == "te.launch":
        kernel = kernels.get(op.attributes["kernel"].value)
        if kernel is None:
            # The program of an accelerator: it has memory of its own.
            return False
        parameters = kernel.regions[0].blocks[0].arguments
        return number < len(parameters) and all(_reads_little(inner, kernels) for inner in parameters[number].uses)
    # An image is copied to where a tile wants it, or its elements are read one by one.
    if op.name == "cpu.contract":
        return number == 0
    if op.name in ("memref.load", "memref.dim"):
        return True
    loops = _mlir.loops_of(op)
    if loops is None:
        return False
    shape = ir.shape_of(op.operands[number])
    extents = [extent for extent, _ in loops]
    if extents.count(-1) > list(shape).count(-1):
        return False
    reads = math.prod(extent for extent in extents if extent > 0)
    return reads <= MOST_READS * math.prod(size for size in shape if size > 0)
