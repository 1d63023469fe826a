"""Constant weights as integers: a matrix with a row per output, a scale per row, or per block of a row."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import onnx

from acc.quantization.model import attribute
from acc.quantization.placement import Layer

__all__ = ["QuantizedWeight", "WeightForm", "choose_grids", "choose_scales", "chunks", "importance_of", "quantize_rows"]

_TINY = float(np.finfo(np.float32).tiny)

_TOGETHER = 1 << 17
"""Elements that are looked at together."""

_FRACTIONS = {
    8: (1.0, 0.97, 0.94, 0.9, 0.85, 0.8, 0.7),
    4: tuple(np.linspace(1.0, 0.3, 36).tolist()),
}
"""By bits: which parts of the largest weight are tried as what the largest integer stands for."""

_ENDS = (1.0, 0.93, 0.86, 0.79, 0.72, 0.65, 0.55)
"""Which parts of the smallest and the largest weight of a block are tried as ends of its range."""


@dataclass(frozen=True)
class WeightForm:
    """How weights of an operator are a matrix (outputs, products of one output).

    Attributes:
        shape: of the weights.
        axis: of the outputs in it.
        groups: of inputs that rows read, in order of the rows; 1 if all rows read all of them.
        channel: of every column, the input channel within its group.
    """

    shape: tuple[int, ...]
    axis: int
    groups: int
    channel: np.ndarray

    @staticmethod
    def of(node: onnx.NodeProto, shape: tuple[int, ...]) -> WeightForm:
        """The form of the weights, input 1, of an operator."""
        if node.op_type == "Conv":
            taps = math.prod(shape[2:])
            return WeightForm(shape, 0, attribute(node, "group", 1), np.repeat(np.arange(shape[1]), taps))
        if node.op_type == "ConvTranspose":
            # A row is an output of every group, as its scale is one for all of them.
            taps = math.prod(shape[2:])
            return WeightForm(shape, 1, 1, np.repeat(np.arange(shape[0]), taps))
        axis = 0 if attribute(node, "transB", 0) else 1
        return WeightForm(shape, axis, 1, np.arange(shape[1 - axis]))

    def rows(self, weight: np.ndarray) -> np.ndarray:
        """The weights as the matrix."""
        return np.ascontiguousarray(np.moveaxis(weight, self.axis, 0).reshape(self.shape[self.axis], -1))

    def restore(self, rows: np.ndarray) -> np.ndarray:
        """The matrix in the shape of the weights."""
        rest = [size for axis, size in enumerate(self.shape) if axis != self.axis]
        return np.ascontiguousarray(np.moveaxis(rows.reshape(len(rows), *rest), 0, self.axis))

    def per_column(self, channels: np.ndarray) -> np.ndarray:
        """Numbers of all input channels as those of columns: (groups, columns), for each group of rows."""
        return channels.reshape(self.groups, -1)[:, self.channel]


@dataclass
class QuantizedWeight:
    """Weights as integers.

    Attributes:
        form: how they are a matrix.
        values: its integers, int8 (outputs, columns).
        scales: float32 (outputs, blocks) or (1, 1).
        block: columns that share a scale; 0 if all of a row do.
        bits: of an integer.
        zero_points: which integers stand for zero, int8 (outputs, blocks); None if zeros do. Weights with zero points
            are no integer arithmetic, but those in blocks are none anyway.
    """

    form: WeightForm
    values: np.ndarray
    scales: np.ndarray
    block: int
    bits: int
    zero_points: np.ndarray | None = None

    @property
    def real(self) -> np.ndarray:
        """What the integers stand for, float32 (outputs, columns)."""
        scales, zeros = self.per_column()
        return (self.values - zeros) * scales

    def per_column(self) -> tuple[np.ndarray, np.ndarray]:
        """The scales and zero points of all columns, float32, either (outputs, columns) or one that all share."""
        zeros = np.zeros((1, 1), np.int8) if self.zero_points is None else self.zero_points
        if self.block:
            return self._spread(self.scales), self._spread(zeros)
        return self.scales, zeros.astype(np.float32)

    def _spread(self, array: np.ndarray) -> np.ndarray:
        return np.repeat(array, self.block, axis=1).astype(np.float32) if array.size > 1 else array.astype(np.float32)

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest integer."""
        top = largest(self.bits)
        return (-top if self.zero_points is None else -top - 1), top

    def part(self, outputs: np.ndarray | slice) -> QuantizedWeight:
        """Some of the rows."""
        scales = self.scales if len(self.scales) == 1 else self.scales[outputs]
        zeros = None if self.zero_points is None else self.zero_points[outputs]
        return replace(self, values=self.values[outputs], scales=scales, zero_points=zeros)

    def round(self, rows: np.ndarray) -> None:
        """Rounds weights to nearest."""
        rounded = np.empty(rows.shape, np.int8)
        for at in chunks(rows):
            scales, zeros = self.part(at).per_column()
            rounded[at] = np.clip(np.rint(rows[at] / scales) + zeros, *self.limits)
        self.values = rounded


def chunks(rows: np.ndarray) -> Iterator[slice]:
    """Rows a part at a time, so that what is computed of them is in the cache, and takes no memory."""
    step = max(_TOGETHER // max(rows.shape[1], 1), 1)
    return (slice(begin, begin + step) for begin in range(0, len(rows), step))


def largest(bits: int) -> int:
    """The largest integer; the smallest is its negative."""
    return (1 << (bits - 1)) - 1


def block_size(layer: Layer, form: WeightForm, wanted: int) -> int:
    """How many columns share a scale: `wanted`, or a part of it, of matrix products whose columns it divides; or 0."""
    columns = len(form.channel)
    if layer.node.op_type not in ("MatMul", "Gemm") or not wanted:
        return 0
    block = math.gcd(wanted, columns)
    return block if 8 <= block < columns else 0


def choose_scales(rows: np.ndarray, importance: np.ndarray, bits: int, per_channel: bool) -> np.ndarray:
    """The scales (outputs, 1) or (1, 1) of the least square error of weights, each counted with `importance` (groups,
    columns).

    With the mean squares of inputs as importance, that is the error of the outputs, if inputs are independent.
    """
    weight = np.repeat(importance, len(rows) // len(importance), axis=0) if len(importance) > 1 else importance
    if not per_channel:
        rows, weight = rows.reshape(1, -1), np.broadcast_to(weight, rows.shape).reshape(1, -1)
    shared = len(weight) == 1
    found = [_scales_of(rows[at], weight if shared else weight[at], bits) for at in chunks(rows)]
    return _usable(np.concatenate(found).astype(np.float32))


def _scales_of(rows: np.ndarray, weight: np.ndarray, bits: int) -> np.ndarray:
    """Those of some rows, float32 (outputs, 1); of zeros, next to nothing."""
    top = largest(bits)
    reach = np.abs(rows).max(-1, keepdims=True)
    best = np.full(reach.shape, np.inf)
    chosen = reach / top
    for fraction in _FRACTIONS[bits]:
        scale = np.maximum(reach * np.float32(fraction / top), np.float32(_TINY))
        difference = np.clip(np.rint(rows / scale), -top, top) * scale - rows
        error = np.einsum("ok,ok->o", difference * weight, difference)[:, None]
        better = error < best * 0.995
        best, chosen = np.where(better, error, best), np.where(better, scale, chosen)
    return chosen


def choose_grids(rows: np.ndarray, importance: np.ndarray, bits: int, block: int) -> tuple[np.ndarray, np.ndarray]:
    """The scales and zero points (outputs, blocks) of blocks along the rows, of the least error as `choose_scales`.

    Few weights share a scale, and seldom reach as far to one side as to the other: zero points are worth more than what
    they take. Either end of the range may cut some off.
    """
    weight = np.broadcast_to(importance, (1, rows.shape[1])).reshape(1, -1, block)
    found = [_grids_of(rows[at].reshape(-1, rows.shape[1] // block, block), weight, bits) for at in chunks(rows)]
    scales, zeros = (np.concatenate(arrays)[..., 0] for arrays in zip(*found, strict=True))
    return _usable(scales.astype(np.float32)), zeros.astype(np.int8)


def _grids_of(parts: np.ndarray, weight: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Those of some rows (outputs, blocks, block): float (outputs, blocks, 1) each."""
    least, top = -largest(bits) - 1, largest(bits)
    low, high = (np.minimum(parts.min(-1), 0)[..., None], np.maximum(parts.max(-1), 0)[..., None])
    best = np.full(low.shape, np.inf)
    scales, zeros = np.ones(low.shape, np.float32), np.zeros(low.shape, np.float32)
    for below, above in itertools.product(_ENDS, _ENDS):
        scale = np.maximum((high * above - low * below) / np.float32(top - least), np.float32(_TINY))
        zero = np.clip(np.rint(least - low * below / scale), least, top)
        difference = (np.clip(np.rint(parts / scale) + zero, least, top) - zero) * scale - parts
        error = np.einsum("obk,obk->ob", difference * weight, difference)[..., None]
        better = error < best * 0.995
        best, scales, zeros = (
            np.where(better, new, old) for new, old in ((error, best), (scale, scales), (zero, zeros))
        )
    return scales, zeros


def _usable(scales: np.ndarray) -> np.ndarray:
    """Scales of which those of weights that are all zero are like the others, as any stands for zero."""
    zero = scales <= _TINY * 4
    if zero.all():
        return np.ones_like(scales)
    return np.where(zero, scales[~zero].max(), scales).astype(np.float32)


def importance_of(mean_squares: np.ndarray) -> np.ndarray:
    """How much errors of weights count, as float32 of the same shape. mean_squares: of what each column meets."""
    found = mean_squares.astype(np.float32)
    mean = found.mean()
    if not (mean > 0 and np.isfinite(mean)):
        return np.ones_like(found)
    # Inputs that calibration has not seen may be there elsewhere.
    return found / mean + np.float32(1e-3)


def quantize_rows(
    layer: Layer,
    weight: np.ndarray,
    mean_squares: np.ndarray | None,
    *,
    bits: int,
    block: int,
    per_channel: bool,
) -> QuantizedWeight:
    """The weights of a layer, rounded to nearest. mean_squares: of its input channels, None if they are not known."""
    form = WeightForm.of(layer.node, weight.shape)
    rows = form.rows(weight)
    importance = np.ones((1, rows.shape[1]), np.float32)
    if mean_squares is not None:
        importance = importance_of(form.per_column(mean_squares))
    size = block_size(layer, form, block) if bits < 8 else 0
    zeros = None
    if size:
        scales, zeros = choose_grids(rows, importance, bits, size)
    else:
        scales = choose_scales(rows, importance, bits, per_channel or bits < 8)
    result = QuantizedWeight(form, np.zeros(rows.shape, np.int8), scales, size, bits, zeros)
    result.round(rows)
    return result
