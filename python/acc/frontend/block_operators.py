"""Weights of a few bits that ONNX Runtime packs into bytes, with scales of blocks, defined by ONNX's own operators.

Tables from which rows are gathered stay packed, in the compiled model and in memory: a run unpacks the rows that it
gathers. Weights of products become floats, which products of floats compute with. Source of the meanings: the
operators' documentation in ONNX Runtime (docs/ContribOperators.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from acc.dtypes import element_type
from acc.frontend.definitions import Builder, Definition, Definitions, check_zero
from acc.frontend.problems import Unsupported

__all__ = ["BLOCK_OPERATORS", "GATHER_DEQUANTIZED"]


def _unpacked(packed: np.ndarray, bits: int, count: int) -> np.ndarray:
    """The integers that rows of bytes hold, from the lowest bits on."""
    if bits not in (2, 4, 8):
        raise Unsupported(f"weights of {bits} bits are not supported")
    parts = [packed >> shift & ((1 << bits) - 1) for shift in range(0, 8, bits)]
    return np.stack(parts, axis=-1).reshape(*packed.shape[:-1], -1)[..., :count]


def _block_product(b: Builder) -> str:
    """A product with weights of a few bits, which become reals here: what computes them is a product of floats."""
    check_zero(b, "weight_prepacked")
    bits, block = b.attribute("bits", 4), b.attribute("block_size")
    rows, columns = b.attribute("N"), b.attribute("K")
    blocks = -(-columns // block)
    packed = b.elements(1, "weights of a few bits")
    scales = b.elements(2, "the scales").astype(np.float32)
    if packed.size != rows * blocks * block * bits // 8 or scales.size != rows * blocks:
        raise Unsupported(
            f"weights of shape {list(packed.shape)} do not hold {rows} x {columns} numbers of {bits} bits"
        )
    integers = _unpacked(packed.reshape(rows, blocks, -1), bits, block).reshape(rows, -1).astype(np.float32)
    scales = scales.reshape(rows, blocks)
    zeros = np.full((rows, blocks), 1 << (bits - 1), np.float32)
    if b.has(3):
        given = b.elements(3, "the zero points")
        if given.dtype == np.uint8:
            given = _unpacked(given.reshape(rows, -1), bits, blocks)
        zeros = given.astype(np.float32).reshape(rows, blocks)
    group = np.arange(columns) // block
    if b.has(4):
        group = b.elements(4, "the groups").reshape(-1)[:columns]
    weights = (integers[:, :columns] - zeros[:, group]) * scales[:, group]
    dtype = b.dtype(0)
    product = b.op("MatMul", b.input(0), b.constant(weights.T.astype(dtype)))
    return b.op("Add", product, b.input(5)) if b.has(5) else product


@dataclass(frozen=True)
class _Table:
    """Integers in blocks along an axis: (integer - zero of its block) * scale of its block.

    Attributes:
        integers: all of them, none of which is negative, in the shape of the table.
        bits: how many each needs.
        scales, zeros: in the shape of the table, but with one element for each block along `axis`, and one for all
            along other axes where it is the same.
        axis: along which there are blocks.
        block: how many elements a block has, the last one maybe fewer.
    """

    integers: np.ndarray
    bits: int
    scales: np.ndarray
    zeros: np.ndarray
    axis: int
    block: int

    def reals(self) -> np.ndarray:
        """What the integers stand for, of the type of the scales."""
        block_of = np.arange(self.integers.shape[self.axis]) // self.block
        real = self.integers.astype(np.float32) - np.take(self.zeros, block_of, self.axis).astype(np.float32)
        return (real * np.take(self.scales, block_of, self.axis).astype(np.float32)).astype(self.scales.dtype)

    @property
    def parts(self) -> int:
        """How many integers share a byte."""
        return 8 // self.bits

    def packed(self) -> np.ndarray:
        """Bytes, in which the axis of blocks is followed by one of what a block holds.

        A block is cut into as many pieces as a byte has integers. The lowest bits of a block's bytes are its first
        piece, so that unpacking a block gives one piece after the other and moves nothing.
        """
        axis, size = self.axis, self.integers.shape[self.axis]
        blocks, piece = -(-size // self.block), -(-self.block // self.parts)
        missing = [(0, 0)] * self.integers.ndim
        missing[axis] = (0, blocks * self.block - size)
        before, behind = self.integers.shape[:axis], self.integers.shape[axis + 1 :]
        whole = np.pad(self.integers, missing).reshape(*before, blocks, self.block, *behind)
        missing = [(0, 0)] * whole.ndim
        missing[axis + 1] = (0, piece * self.parts - self.block)
        pieces = np.pad(whole, missing).reshape(*before, blocks, self.parts, piece, *behind)
        shifts = np.arange(self.parts, dtype=np.uint8) * np.uint8(self.bits)
        shifted = np.moveaxis(pieces, axis + 1, -1).astype(np.uint8) << shifts
        return np.bitwise_or.reduce(shifted, axis=-1)


def _block_size(block: int, size: int) -> int:
    """How many elements a block has that may be said to be longer than the axis."""
    return max(1, min(block, size))


def _read_table(b: Builder) -> _Table:
    table, scales = b.elements(0, "the table"), b.elements(2, "the scales")
    packed = table.dtype == np.uint8
    element = element_type(table.dtype)
    bits = b.attribute("bits", 4) if packed else element.bits
    if packed and table.ndim:
        table = _unpacked(table, bits, table.shape[-1] * 8 // bits)
    axis, block = b.attribute("quantize_axis", 1), b.attribute("block_size", 128)
    if not -table.ndim <= axis < table.ndim or block <= 0:
        raise Unsupported(f"blocks of {block} along axis {axis} do not fit a table of shape {list(table.shape)}")
    axis %= table.ndim
    # The least integer becomes 0.
    least = 0 if packed or element.kind == "uint" else -(1 << (bits - 1))
    zeros = np.full(scales.shape, 1 << (bits - 1) if packed else 0, np.int16)
    if b.has(3):
        zeros = b.elements(3, "the zero points")
        if packed and zeros.ndim and scales.ndim:
            zeros = _unpacked(zeros, bits, scales.shape[-1])
    expected = (*table.shape[:axis], -(-table.shape[axis] // block), *table.shape[axis + 1 :])
    if scales.shape != expected:
        raise Unsupported(f"blocks of {block} elements need scales of shape {list(expected)}, not {list(scales.shape)}")
    if zeros.shape != expected:
        raise Unsupported(f"scales have shape {list(expected)} but zero points {list(zeros.shape)}")
    integers, zeros = (array.astype(np.int16) - least for array in (table, zeros))
    return _Table(integers.astype(np.uint8), bits, scales, zeros, axis, _block_size(block, table.shape[axis]))


def _gather_blocks(b: Builder) -> str:
    table, along = _read_table(b), b.attribute("gather_axis", 0)
    rank = table.integers.ndim
    if not -rank <= along < rank:
        raise Unsupported(f"there is no axis {along} in a table of shape {list(table.integers.shape)}")
    along %= rank
    if along == table.axis:
        # Elements of a block go to different places, each of which would have to look its scale up.
        return b.op("Gather", b.constant(table.reals()), b.input(1), axis=along)
    return _gather_rows(b, table, along)


def _gather_rows(b: Builder, table: _Table, along: int) -> str:
    """What indices, input 1, say of a table along another axis than that of blocks. Only that becomes reals."""
    rank = table.integers.ndim

    def rows(array: np.ndarray, axis: int = along) -> str:
        return b.op("Gather", b.constant(array), b.input(1), axis=axis)

    # The axis of blocks in what is gathered, and the axes behind it.
    more = b.rank(1) - 1
    axis = table.axis + (more if along < table.axis else 0)
    behind = rank - table.axis - 1 + (more if along > table.axis else 0)

    def of_blocks(array: np.ndarray) -> str:
        """One number for each block, as it broadcasts with the pieces of blocks."""
        if array.size and np.all(array == array.flat[0]):
            return b.number(float(np.float32(array.flat[0])), np.float32)
        if array.shape[along] == 1:
            shape = [*array.shape[:along], *[1] * b.rank(1), *array.shape[along + 1 :]]
            shape[axis + 1 : axis + 1] = [1, 1]
            return b.constant(array.reshape(shape).astype(np.float32))
        return b.op("Unsqueeze", b.cast(rows(array), np.float32), b.integers(axis + 1, axis + 2))

    # [..., blocks, pieces, size of a piece, ...]
    packed = table.packed()
    pieces = b.op("Unsqueeze", rows(packed, along + (along > table.axis)), b.integers(axis + 1))
    if table.parts > 1:
        shifts = np.arange(table.parts, dtype=np.uint8) * np.uint8(table.bits)
        pieces = b.op("BitShift", pieces, b.constant(shifts.reshape(-1, 1, *[1] * behind)), direction="RIGHT")
        pieces = b.op("BitwiseAnd", pieces, b.number((1 << table.bits) - 1, np.uint8))
    real = b.op("Sub", b.cast(pieces, np.float32), of_blocks(table.zeros.astype(np.uint8)))
    real = b.cast(b.op("Mul", real, of_blocks(table.scales)), table.scales.dtype)

    def join(value: str, at: int, whole: int, size: int) -> str:
        """Makes one axis of `at` and the next, of whose `whole` elements the first `size` are kept."""
        shape = b.op("Shape", value)
        sizes = [b.slice(shape, 0, 0, at), b.integers(-1), b.slice(shape, 0, at + 2, rank + b.rank(1) + 2)]
        joined = b.op("Reshape", value, b.op("Concat", *sizes, axis=0))
        return b.slice(joined, at, 0, size) if size != whole else joined

    blocks, piece = packed.shape[table.axis : table.axis + 2]
    real = join(real, axis + 1, table.parts * piece, table.block)
    return join(real, axis, blocks * table.block, table.integers.shape[table.axis])


def _gather_dequantized(b: Builder) -> str:
    """What DequantizeLinear makes of constants and Gather then chooses from (`acc.frontend.dequantized_tables`)."""
    integers, scales = b.elements(0, "the table"), b.elements(2, "the scale")
    wrong = scales[~np.isfinite(scales.astype(np.float32))]
    if wrong.size:
        raise Unsupported(f"the scale '{b.node.inputs[2]}' holds {wrong[0]}, which is not a finite number")
    zeros = b.elements(3, "the zero point") if b.has(3) else np.zeros(scales.shape, integers.dtype)
    along, axis, block = b.attribute("gather_axis"), b.attribute("quantize_axis"), b.attribute("block_size")
    if not block:
        # Any axis but that of the indices can be the one of blocks. Blocks are short only if all others have one scale.
        shape = [1] * integers.ndim
        if scales.size > 1:
            shape[axis] = scales.size
        scales, zeros = scales.reshape(shape), zeros.reshape(shape)
        others = [other for other in range(integers.ndim) if other != along]
        axis = max(others, key=lambda other: (shape[other] == 1, other))
        block = integers.shape[axis] if shape[axis] == 1 else 1
    element = element_type(integers.dtype)
    least = 0 if element.kind == "uint" else -(1 << (element.bits - 1))
    integers, zeros = (array.astype(np.int16) - least for array in (integers, zeros))
    # Integers with a scale of their own have no neighbour to share a byte with.
    bits = element.bits if block > 1 else 8
    block = _block_size(block, integers.shape[axis])
    return _gather_rows(b, _Table(integers.astype(np.uint8), bits, scales, zeros, axis, block), along)


BLOCK_OPERATORS: Definitions = {
    "MatMulNBits": Definition.of(
        _block_product, *("N", "K", "bits", "block_size", "weight_prepacked"), ignored=("accuracy_level",)
    ),
    "GatherBlockQuantized": Definition.of(_gather_blocks, "bits", "block_size", "quantize_axis", "gather_axis"),
}

GATHER_DEQUANTIZED = Definition.of(_gather_dequantized, "gather_axis", "quantize_axis", "block_size")
"""Inputs: a table of constant integers, indices, scales and zero points, as DequantizeLinear and Gather have them.

Attributes: the axis of Gather, that of DequantizeLinear, its size of blocks or 0, none of them negative. Blocks do not
lie along the axis of Gather, and a table has another axis.
"""
