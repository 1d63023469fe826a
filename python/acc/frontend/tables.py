"""Windows of signals and filter banks: constants that a few numbers describe, which must be known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from acc.frontend.call import PLAIN, Call, Operator, Tensor
from acc.frontend.problems import Unsupported
from acc.frontend.source import read_dtype

_MAX_ELEMENTS = 1 << 26

_WINDOWS = {
    "BlackmanWindow": (0.42, 0.5, 0.08),
    "HammingWindow": (25 / 46, 21 / 46, 0.0),
    "HannWindow": (0.5, 0.5, 0.0),
}
"""How much of a constant and of the first two waves, the first one negative, the windows have."""


def _integer(call: Call, index: int, what: str) -> int:
    number = call.scalar(index, what)
    if number.dtype.kind not in "iu":
        raise Unsupported(f"{what} is not an integer")
    return int(number)


def _check_size(*sizes: int) -> None:
    if any(size < 0 for size in sizes) or np.prod(np.array(sizes, np.float64)) > _MAX_ELEMENTS:
        raise Unsupported(f"a table cannot have the shape {list(sizes)}")


def _convert_window(call: Call) -> list[Tensor]:
    size = _integer(call, 0, "the size")
    _check_size(size)
    constant, first, second = _WINDOWS[call.node.op_type]
    with np.errstate(invalid="ignore"):
        # A symmetric window of one element is not a number, by the formula.
        angles = 2 * np.pi * np.arange(size) / np.float64(size if call.attributes["periodic"] else size - 1)
        table = constant - first * np.cos(angles) + second * np.cos(2 * angles)
        return [table.astype(read_dtype(call.integer("output_datatype")))]


def _convert_mel_weight_matrix(call: Call) -> list[Tensor]:
    """Triangles over the bins of a spectrum, whose corners are equally far from each other in mel."""
    filters, length, rate = (
        _integer(call, index, what)
        for index, what in enumerate(("the number of filters", "the length", "the sample rate"))
    )
    low, high = float(call.scalar(3, "the lower edge")), float(call.scalar(4, "the upper edge"))
    bins = length // 2 + 1
    _check_size(bins, filters)
    if rate <= 0 or not 0 <= low <= high:
        raise Unsupported(f"a sample rate of {rate} and edges at {low} and {high} do not make a filter bank")
    lowest, highest = (2595 * np.log10(1 + edge / 700) for edge in (low, high))
    # The step is that of ONNX, with which the last triangle ends below the upper edge.
    mels = lowest + np.arange(filters + 2) * (highest - lowest) / (filters + 2)
    corners = ((length + 1) * 700 * (10 ** (mels / 2595) - 1) // rate).astype(np.int64)
    if corners[-1] > bins:
        raise Unsupported(f"the upper edge at {high} lies beyond the spectrum")
    start, peak, end = corners[:-2], corners[1:-1], corners[2:]
    at = np.arange(bins)[:, None]
    rising = np.where((at >= start) & (at <= peak), (at - start) / np.maximum(peak - start, 1), 0)
    falling = np.where((at > peak) & (at < end), (end - at) / np.maximum(end - peak, 1), 0)
    table = np.where((at == peak), 1, rising + falling)
    return [table.astype(read_dtype(call.integer("output_datatype")))]


def _table(convert: Callable[[Call], list[Tensor]], *attributes: str) -> Operator:
    return Operator("", dict.fromkeys(("output_datatype", *attributes), PLAIN), "any", convert)


TABLES = {name: _table(_convert_window, "periodic") for name in _WINDOWS} | {
    "MelWeightMatrix": _table(_convert_mel_weight_matrix)
}
