"""What weights meet, and how it goes together: E[x x'] of the columns of layers, in passes of bounded memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from acc.quantization.calibration import Programs, Progress, Runner
from acc.quantization.data import Samples
from acc.quantization.model import FloatModel, attribute
from acc.quantization.placement import Layer
from acc.quantization.positions import Positions
from acc.quantization.weights import WeightForm

__all__ = ["MAX_COLUMNS", "Products", "collect", "windows"]

MAX_COLUMNS = 6144
"""Layers with more columns are not looked at: the matrix of one would take some hundred megabytes."""

_MEMORY = 256 << 20
"""Bytes of matrices that are collected in one pass over the samples."""

_ROWS_PER_COLUMN = 6
"""Rows x that are enough to know E[x x'], in multiples of its size."""

_ENOUGH_ROWS = 4096
"""Rows x that are never too many."""

_AT_ONCE = 512
"""Rows x that are multiplied together: each product reads and writes the whole matrix."""


@dataclass
class Products:
    """Sums of x x' of the rows x that a layer meets, of every other sample: what is made of one half can be judged by
    the other.

    halves: float32 (groups, columns, columns) each, or none if no sample of the half was seen. rows: how many there are
    in each.
    """

    halves: list[np.ndarray | None] = field(default_factory=lambda: [None, None])
    rows: list[int] = field(default_factory=lambda: [0, 0])
    _waiting: list[list[np.ndarray]] = field(default_factory=lambda: [[], []], repr=False)

    def add(self, half: int, rows: np.ndarray) -> None:
        """Takes rows (groups, rows, columns) of a sample into account."""
        self._waiting[half].append(rows)
        self.rows[half] += rows.shape[1]
        if sum(part.shape[1] for part in self._waiting[half]) >= _AT_ONCE:
            self._multiply(half)

    def finish(self) -> None:
        """Takes into account what waits for more."""
        for half in range(2):
            self._multiply(half)

    def _multiply(self, half: int) -> None:
        waiting, self._waiting[half] = self._waiting[half], []
        if not waiting:
            return
        rows = waiting[0] if len(waiting) == 1 else np.concatenate(waiting, 1)
        products, known = np.matmul(rows.transpose(0, 2, 1), rows), self.halves[half]
        if known is None:
            self.halves[half] = products
        else:
            known += products

    def mean(self, *halves: int) -> np.ndarray | None:
        """E[x x'] of these halves; None if nothing was seen of one of them."""
        found = [part for half in halves if (part := self.halves[half]) is not None]
        if len(found) < len(halves):
            return None
        total = found[0] if len(found) == 1 else found[0] + found[1]
        return total / np.float32(max(sum(self.rows[half] for half in halves), 1))

    @property
    def of_all(self) -> np.ndarray | None:
        """E[x x'] of all rows."""
        return self.mean(*(half for half in range(2) if self.rows[half]))


def collect(
    model: FloatModel,
    layers: Sequence[Layer],
    samples: Samples,
    limit: int,
    progress: Progress | None = None,
    programs: Programs | None = None,
    more: Sequence[str] = (),
    positions: Positions | None = None,
) -> Iterator[tuple[Layer, Products]]:
    """What every layer meets, in passes over at most `limit` samples. Layers that meet the same share it.

    programs, more: see Runner. positions: which of them count; None if all do.
    """
    forms = {layer.name: WeightForm.of(layer.node, model.constants[layer.weight or ""].shape) for layer in layers}
    wanted: dict[str, list[Layer]] = {}
    for layer in layers:
        if len(forms[layer.name].channel) <= MAX_COLUMNS:
            wanted.setdefault(_meets(layer, forms[layer.name]), []).append(layer)
    left = list(wanted.values())
    while left:
        taken, memory = [], 0
        while left and (not taken or memory + _bytes(forms[left[0][0].name]) <= _MEMORY):
            memory += _bytes(forms[left[0][0].name])
            taken.append(left.pop(0))
        yield from _collect_some(
            model, taken, forms, samples, limit, progress, programs, more, positions or Positions((), (), "")
        )


def _bytes(form: WeightForm) -> int:
    return 2 * form.groups * len(form.channel) ** 2 * 4


def _meets(layer: Layer, form: WeightForm) -> str:
    """What layers have in common that meet the same."""
    node, matters = layer.node, ("group", "strides", "dilations", "pads", "auto_pad", "transA", "output_padding")
    given = sorted((item.name, item.SerializeToString()) for item in node.attribute if item.name in matters)
    kind = node.op_type if "Conv" in node.op_type else "rows"
    return f"{layer.inputs[0]} {kind} {form.groups} {form.shape[2:] if kind != 'rows' else ''} {given}"


def _collect_some(
    model: FloatModel,
    together: Sequence[Sequence[Layer]],
    forms: dict[str, WeightForm],
    samples: Samples,
    limit: int,
    progress: Progress | None,
    programs: Programs | None,
    more: Sequence[str],
    positions: Positions,
) -> Iterator[tuple[Layer, Products]]:
    found = [Products() for _ in together]
    read = dict.fromkeys(layers[0].inputs[0] for layers in together)
    runner = Runner(model, list(read | dict.fromkeys(positions.needed)), programs=programs, more=more)
    total = limit if samples.count is None else min(limit, samples.count)
    for number, sample in enumerate(itertools.islice(samples, limit)):
        values = runner.run(sample)
        counted = positions.counted(runner, sample, values)
        for layers, products in zip(together, found, strict=True):
            form = forms[layers[0].name]
            enough = max(_ROWS_PER_COLUMN * len(form.channel), _ENOUGH_ROWS)
            # All samples have their share of the rows.
            share = max(16, -(-enough // total)) if total else enough
            if sum(products.rows) < 4 * enough:
                parts = list(counted(layers[0].inputs[0], values[layers[0].inputs[0]]))
                whole = sum(part.size for part in parts)
                for part in parts:
                    products.add(number % 2, windows(layers[0], form, part, -(-share * part.size // whole)))
        del values, counted
        if progress:
            progress("rounding weights", number + 1, total)
    for layers in together:
        products = found.pop(0)
        products.finish()
        if any(products.rows):
            yield from ((layer, products) for layer in layers)


def windows(layer: Layer, form: WeightForm, array: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the rows that the weights of a layer meet in its input, float32 (groups, rows, columns)."""
    if layer.node.op_type == "ConvTranspose":
        return _transposed_windows(layer, form, array, most)
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
    rows = _rows_of(padded, kernel, strides, dilations, most)
    return np.ascontiguousarray(rows.reshape(len(rows), form.groups, -1).transpose(1, 0, 2), np.float32)


def _transposed_windows(layer: Layer, form: WeightForm, array: np.ndarray, most: int) -> np.ndarray:
    """As `windows`, of a transposed convolution: the input with zeros between its elements, seen through the taps from
    behind. What pads cut off counts if they follow from sizes alone.
    """
    node, kernel = layer.node, form.shape[2:]
    rank = len(kernel)
    strides = attribute(node, "strides", [1] * rank)
    dilations = attribute(node, "dilations", [1] * rank)
    pads = attribute(node, "pads", [0] * (2 * rank))
    sizes = [(n - 1) * s + 1 for n, s in zip(array.shape[2:], strides, strict=True)]
    wide = np.zeros((*array.shape[:2], *sizes), np.float32)
    wide[(slice(None), slice(None), *(slice(None, None, s) for s in strides))] = array
    around = [d * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
    whole = np.pad(wide, [(0, 0), (0, 0), *((n, n) for n in around)])
    kept = [slice(begin, -end or None) for begin, end in zip(pads[:rank], pads[rank:], strict=True)]
    cut = whole[(slice(None), slice(None), *kept)]
    if any(n <= around[axis] for axis, n in enumerate(cut.shape[2:])):
        cut = whole
    taken = _rows_of(cut, kernel, [1] * rank, dilations, most).reshape(-1, array.shape[1], *kernel)
    behind = taken[(slice(None), slice(None), *(slice(None, None, -1) for _ in kernel))]
    rows = behind.reshape(len(behind), -1)
    if (groups := attribute(node, "group", 1)) > 1:
        # A row of weights is an output of every group, each of which meets the inputs of its own.
        own = np.arange(rows.shape[1]) * groups // rows.shape[1] == np.arange(groups)[:, None]
        rows = (rows * own[:, None]).reshape(-1, rows.shape[1])
    return np.ascontiguousarray(rows[None], np.float32)


def _rows_of(
    padded: np.ndarray,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    most: int,
) -> np.ndarray:
    """At most `most` of the windows of a padded input (batch, channels, ...): (windows, channels, taps...)."""
    rank = len(kernel)
    reach = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    view = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=tuple(range(2, 2 + rank)))
    steps = tuple(slice(None, None, s) for s in strides)
    taps = tuple(slice(None, None, d) for d in dilations)
    view = view[(slice(None), slice(None), *steps, *taps)]
    # (batch, channels, places..., taps...): some of the places, then channels and taps as columns.
    batch = view.shape[0]
    places = view.shape[2 : 2 + rank]
    chosen = _spread(np.arange(batch * int(np.prod(places))), most)
    index = np.unravel_index(chosen, (batch, *places))
    moved = np.moveaxis(view, 1, 1 + rank)
    return moved[index]


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
