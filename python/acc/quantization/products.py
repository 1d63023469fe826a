"""What weights meet, and how it goes together: E[x x'] of the columns of layers, in passes of bounded memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from acc.quantization.calibration import Programs, Progress, Runner
from acc.quantization.data import Samples
from acc.quantization.model import FloatModel, attribute
from acc.quantization.placement import Layer
from acc.quantization.weights import WeightForm

__all__ = ["MAX_COLUMNS", "collect", "windows"]

MAX_COLUMNS = 6144
"""Layers with more columns are not looked at: the matrix of one would take some hundred megabytes."""

_MEMORY = 256 << 20
"""Bytes of matrices that are collected in one pass over the samples."""

_ROWS_PER_COLUMN = 6
"""Rows x that are enough to know E[x x'], in multiples of its size."""


def collect(
    model: FloatModel,
    layers: Sequence[Layer],
    samples: Samples,
    limit: int,
    progress: Progress | None = None,
    programs: Programs | None = None,
    more: Sequence[str] = (),
) -> Iterator[tuple[Layer, np.ndarray, int]]:
    """E[x x'] (groups, columns, columns), float32, of every layer, and of how many rows x, in passes over at most
    `limit` samples.

    programs, more: see Runner.
    """
    forms = {layer.name: WeightForm.of(layer.node, model.constants[layer.weight or ""].shape) for layer in layers}
    sizes = {name: form.groups * len(form.channel) ** 2 * 4 for name, form in forms.items()}
    wanted = [layer for layer in layers if _is_collectable(layer, forms[layer.name])]
    while wanted:
        taken, memory = [], 0
        while wanted and (not taken or memory + sizes[wanted[0].name] <= _MEMORY):
            memory += sizes[wanted[0].name]
            taken.append(wanted.pop(0))
        yield from _collect_some(model, taken, forms, samples, limit, progress, programs, more)


def _is_collectable(layer: Layer, form: WeightForm) -> bool:
    return layer.node.op_type in ("Conv", "Gemm", "MatMul") and len(form.channel) <= MAX_COLUMNS


def _collect_some(
    model: FloatModel,
    layers: Sequence[Layer],
    forms: dict[str, WeightForm],
    samples: Samples,
    limit: int,
    progress: Progress | None,
    programs: Programs | None,
    more: Sequence[str],
) -> Iterator[tuple[Layer, np.ndarray, int]]:
    sums: dict[str, np.ndarray] = {}
    counts = dict.fromkeys((layer.name for layer in layers), 0)
    runner = Runner(model, list(dict.fromkeys(layer.inputs[0] for layer in layers)), programs=programs, more=more)
    total = limit if samples.count is None else min(limit, samples.count)
    for number, sample in enumerate(itertools.islice(samples, limit)):
        values = runner.run(sample)
        for layer in layers:
            form = forms[layer.name]
            enough = _ROWS_PER_COLUMN * len(form.channel)
            # All samples have their share of the rows.
            share = max(16, -(-enough // total)) if total else enough
            if counts[layer.name] >= 4 * enough:
                continue
            found = windows(layer, form, values[layer.inputs[0]], share)
            product = np.matmul(found.transpose(0, 2, 1), found)
            sums[layer.name] = sums[layer.name] + product if layer.name in sums else product
            counts[layer.name] += found.shape[1]
        del values
        if progress:
            progress("rounding weights", number + 1, total)
    for layer in layers:
        if layer.name in sums:
            yield layer, sums.pop(layer.name) / np.float32(counts[layer.name]), counts[layer.name]


def windows(layer: Layer, form: WeightForm, array: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the rows that the weights of a layer meet in its input, float32 (groups, rows, columns)."""
    if layer.node.op_type != "Conv":
        if layer.node.op_type == "Gemm" and attribute(layer.node, "transA", 0):
            array = array.T
        rows = array.reshape(-1, array.shape[-1])
        return _spread(rows, most)[None].astype(np.float32)
    node, kernel = layer.node, form.shape[2:]
    rank = len(kernel)
    strides = attribute(node, "strides", [1] * rank)
    dilations = attribute(node, "dilations", [1] * rank)
    pads = _pads(node, array.shape[2:], kernel, strides, dilations)
    padded = np.pad(array, [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)])
    reach = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    view = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=tuple(range(2, 2 + rank)))
    steps = tuple(slice(None, None, s) for s in strides)
    taps = tuple(slice(None, None, d) for d in dilations)
    view = view[(slice(None), slice(None), *steps, *taps)]
    # (batch, channels, places..., taps...): some of the places, then channels and taps as columns.
    batch, channels = view.shape[:2]
    places = view.shape[2 : 2 + rank]
    chosen = _spread(np.arange(batch * int(np.prod(places))), most)
    index = np.unravel_index(chosen, (batch, *places))
    moved = np.moveaxis(view, 1, 1 + rank)
    rows = moved[index].reshape(len(chosen), form.groups, -1)
    assert rows.shape[2] == len(form.channel) and channels % form.groups == 0
    return np.ascontiguousarray(rows.transpose(1, 0, 2), np.float32)


def _spread(rows: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the rows, evenly from all."""
    if len(rows) <= most:
        return rows
    return rows[np.arange(most) * len(rows) // most]


def _pads(
    node: object, sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[int]:
    """The paddings of a convolution: begins, then ends."""
    auto = attribute(node, "auto_pad", b"NOTSET").decode()  # type: ignore[arg-type]
    rank = len(kernel)
    if auto in ("NOTSET", ""):
        return list(attribute(node, "pads", [0] * (2 * rank)))  # type: ignore[arg-type]
    if auto == "VALID":
        return [0] * (2 * rank)
    total = [
        max((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
        for size, k, s, d in zip(sizes, kernel, strides, dilations, strict=True)
    ]
    less, more = [t // 2 for t in total], [t - t // 2 for t in total]
    return [*less, *more] if auto == "SAME_UPPER" else [*more, *less]
