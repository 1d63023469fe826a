"""Two ways of running one model: every layer is compared by itself, on what it read on the first side."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx

from acc.comparison.results import Comparison, Criteria, Difference, Piece, allowed_steps, describe, make_row
from acc.comparison.sides import Arrays, Run, Side, as_run
from acc.comparison.tensors import model_inputs, remember
from acc.layerwise import Layer, all_layers, cut_out, expose, take_apart
from acc.quantization.data import Data, open_samples

__all__ = ["compare_layer_by_layer", "layer_name", "least"]


def compare_layer_by_layer(
    a: Side, b: Side, model: onnx.ModelProto, data: Data, criteria: Criteria, limit: int, record: dict | None
) -> Comparison:
    inputs = model_inputs(model)
    samples = [as_run(inputs, s) for s in itertools.islice(open_samples(data, inputs).source(), limit)]
    layers = all_layers(model)
    given = {info.name for info in inputs}
    shown = [name for name in dict.fromkeys(layer.output for layer in layers) if name not in given]
    steps = allowed_steps(criteria, a, b)
    wholes = [side.load(model) for side in (a, b)]
    exposed = a.load(expose(model, shown))
    found: dict[str, Difference] = {}
    ends: dict[str, Difference] = {}
    pieces: onnx.ModelProto | None = None
    run: Run | None = None
    for number, sample in enumerate(samples):
        values = {**sample, **exposed(sample)}
        remember(record, values)
        usable = [layer for layer in layers if layer.output in values and all(n in values for n in layer.inputs)]
        if pieces is None or run is None or not _fits(pieces, values):
            pieces = take_apart(model, usable, values)
            run = b.load(pieces)
        got = run({value.name: values[value.name] for value in pieces.graph.input})
        for layer, value in zip(usable, pieces.graph.output, strict=True):
            if value.name in got:
                found.setdefault(layer.output, Difference()).add(values[layer.output], got[value.name], number)
        expected, actual = (whole(sample) for whole in wholes)
        for name in expected:
            ends.setdefault(name, Difference()).add(expected[name], actual[name], number)
    is_rounded = any(layer.op_types and _is_quantized(model, layer) for layer in layers)
    rows = [
        make_row(layer_name(layer), layer.output, found[layer.output], steps, criteria)
        for layer in layers
        if layer.output in found
    ]
    # Behind quantized layers, differences of a step that are allowed in every layer add up.
    adds_up = is_rounded and steps > 0
    outputs = [make_row(name, name, item, steps, criteria, by_ratio=adds_up) for name, item in ends.items()]
    first = next((row for row in rows if row.diverges), None)
    comparison = Comparison((a, b), len(samples), rows, outputs, first, describe(steps, criteria, adds_up), criteria)
    by_output = {layer.output: layer for layer in layers}
    if first is not None:
        layer, worst = by_output[first.tensor], first.worst

        def cut_layer() -> Piece:
            values = {**samples[worst], **exposed(samples[worst])}
            return _cut(a, b, model, [layer], values)

        comparison.make_piece = cut_layer
    else:
        comparison.first = next((row for row in outputs if row.diverges), None)
        if comparison.first is not None:
            comparison.together = True
            worst = comparison.first.worst

            def cut_together() -> Piece:
                values = {**samples[worst], **exposed(samples[worst])}
                return _shrink(a, b, model, layers, values, comparison.first.tensor, steps, criteria)  # type: ignore[union-attr]

            comparison.make_piece = cut_together
    return comparison


def _is_quantized(model: onnx.ModelProto, layer: Layer) -> bool:
    return (
        "Quantize" in model.graph.node[layer.nodes[-1]].op_type
        or "QLinear" in model.graph.node[layer.nodes[-1]].op_type
    )


def _fits(pieces: onnx.ModelProto, values: Mapping[str, np.ndarray]) -> bool:
    """Whether a model that was taken apart for one sample takes another."""
    return all(
        value.name in values
        and [dim.dim_value for dim in value.type.tensor_type.shape.dim] == list(values[value.name].shape)
        for value in pieces.graph.input
    )


def layer_name(layer: Layer) -> str:
    shown = [*layer.op_types[:3], *([f"{len(layer.op_types) - 3} more"] if len(layer.op_types) > 3 else [])]
    return f"{layer.name} ({', '.join(shown)})"


def _cut(a: Side, b: Side, model: onnx.ModelProto, layers: Sequence[Layer], values: Arrays) -> Piece:
    piece = cut_out(model, layers, values)
    feeds = {value.name: values[value.name] for value in piece.graph.input}
    expected, actual = a.load(piece)(feeds), b.load(piece)(feeds)
    return Piece((piece, piece), feeds, expected, actual, tuple(layer.name for layer in layers))


def _shrink(
    a: Side,
    b: Side,
    model: onnx.ModelProto,
    layers: Sequence[Layer],
    values: Arrays,
    output: str,
    steps: int,
    criteria: Criteria,
) -> Piece:
    """The fewest layers in a row, up to `output`, that diverge when they run together."""
    makers = {layer.output: layer for layer in layers}
    last = next((layer for layer in layers if layer.output == output), layers[-1])
    order = _needed(layers, makers, last)

    def diverges(chosen: Sequence[Layer]) -> bool:
        piece = cut_out(model, _needed(chosen, {layer.output: layer for layer in chosen}, chosen[-1]), values)
        feeds = {value.name: values[value.name] for value in piece.graph.input}
        expected, actual = a.load(piece)(feeds), b.load(piece)(feeds)
        rows = []
        for name in expected:
            difference = Difference()
            difference.add(expected[name], actual[name], 0)
            rows.append(make_row(name, name, difference, steps, criteria))
        return any(row.diverges for row in rows)

    # The shortest beginning that diverges, then its shortest end.
    end = least(1, len(order), lambda count: diverges(order[:count]))
    start = end - least(1, end, lambda count: diverges(order[end - count : end]))
    chosen = order[start:end]
    return _cut(a, b, model, _needed(chosen, {layer.output: layer for layer in chosen}, chosen[-1]), values)


def least(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The least number for which something holds, if it holds for all from it on; `high` if it holds nowhere else."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return high


def _needed(layers: Sequence[Layer], makers: Mapping[str, Layer], last: Layer) -> list[Layer]:
    """Those of `layers` that `last` depends on, and itself, in their order."""
    kept: set[str] = set()
    pending = [last]
    while pending:
        layer = pending.pop()
        if layer.output not in kept:
            kept.add(layer.output)
            pending += [makers[name] for name in layer.inputs if name in makers]
    return [layer for layer in layers if layer.output in kept]
