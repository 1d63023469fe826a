"""Constant weights as integers: a matrix with a row per output, a scale per row, or per block of a row."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx

from acc.quantization.model import attribute
from acc.quantization.placement import Layer

__all__ = ["QuantizedWeight", "WeightForm", "choose_scales", "quantize_rows"]

_TINY = float(np.finfo(np.float32).tiny)

_FRACTIONS = {
    8: (1.0, 0.97, 0.94, 0.9, 0.85, 0.8, 0.7),
    4: tuple(np.linspace(1.0, 0.3, 36).tolist()),
}
"""By bits: which parts of the largest weight are tried as what the largest integer stands for."""


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
    """

    form: WeightForm
    values: np.ndarray
    scales: np.ndarray
    block: int
    bits: int

    @property
    def real(self) -> np.ndarray:
        """What the integers stand for, float32 (outputs, columns)."""
        scales = np.repeat(self.scales, self.block, axis=1) if self.block else self.scales
        return self.values.astype(np.float32) * scales


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


def choose_scales(rows: np.ndarray, importance: np.ndarray, bits: int, block: int, per_channel: bool) -> np.ndarray:
    """The scales of the least square error of weights, each counted with `importance` (groups, columns).

    With the mean squares of inputs as importance, that is the error of the outputs, if inputs are independent.
    """
    outputs, columns = rows.shape
    weight = np.repeat(importance, outputs // len(importance), axis=0) if len(importance) > 1 else importance
    if not per_channel and not block:
        parts, weight = rows.reshape(1, 1, -1), np.broadcast_to(weight, rows.shape).reshape(1, 1, -1)
    else:
        size = block or columns
        parts = rows.reshape(outputs, -1, size)
        weight = weight.reshape(len(weight), -1, size)
    top = largest(bits)
    reach = np.abs(parts).max(-1, keepdims=True)
    best = np.full(reach.shape, np.inf)
    chosen = reach / top
    for fraction in _FRACTIONS[bits]:
        scale = np.maximum(reach * np.float32(fraction / top), np.float32(_TINY))
        difference = np.clip(np.rint(parts / scale), -top, top) * scale - parts
        error = np.einsum("obk,obk->ob", difference * weight, difference)[..., None]
        better = error < best * 0.995
        best, chosen = np.where(better, error, best), np.where(better, scale, chosen)
    return _usable(chosen[..., 0].astype(np.float32))


def _usable(scales: np.ndarray) -> np.ndarray:
    """Scales of which those of weights that are all zero are like the others, as any stands for zero."""
    zero = scales <= _TINY * 4
    if zero.all():
        return np.ones_like(scales)
    return np.where(zero, scales[~zero].max(), scales).astype(np.float32)


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
        found = form.per_column(mean_squares).astype(np.float32)
        mean = found.mean()
        # Inputs that calibration has not seen may be there elsewhere.
        importance = found / mean + np.float32(1e-3) if mean > 0 else importance
    size = block_size(layer, form, block) if bits < 8 else 0
    scales = choose_scales(rows, importance, bits, size, per_channel or bits < 8)
    return round_to(rows, form, scales, size, bits)


def round_to(rows: np.ndarray, form: WeightForm, scales: np.ndarray, block: int, bits: int) -> QuantizedWeight:
    """Weights rounded to nearest with these scales."""
    spread = np.repeat(scales, block, axis=1) if block else scales
    top = largest(bits)
    return QuantizedWeight(form, np.clip(np.rint(rows / spread), -top, top).astype(np.int8), scales, block, bits)
