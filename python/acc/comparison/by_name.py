"""Different models, compiled ones and recorded tensors: what both sides have is compared by its name."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from acc.comparison.layers import layer_name, least
from acc.comparison.results import (
    Comparison,
    Criteria,
    Difference,
    Piece,
    Row,
    allowed_steps,
    describe,
    make_row,
    own_ratio,
)
from acc.comparison.sides import Arrays, CompareError, Side, as_run
from acc.comparison.tensors import Shown, SideTensors, next_tensors, remember
from acc.layerwise import all_layers
from acc.quantization.data import Data, open_samples
from acc.wording import listing

__all__ = ["compare_by_name"]


def compare_by_name(
    sides: tuple[Side, Side],
    models: Sequence[onnx.ModelProto | None],
    data: Data,
    criteria: Criteria,
    limit: int,
    record: dict | None,
) -> Comparison:
    a, b = (SideTensors(side, model) for side, model in zip(sides, models, strict=True))
    inputs = a.inputs if a.inputs is not None else b.inputs
    assert inputs is not None
    given = {info.name for info in inputs}
    common = [name for name in a.order() if name in b.by_name and name not in given]
    if not common:
        raise CompareError(
            f"'{sides[0].text}' and '{sides[1].text}' have no tensor of the same name: the outputs are "
            f"{listing(a.outputs, 4)}, and {listing(b.outputs, 4)}"
        )
    a.select(common)
    b.select(common)
    found: dict[str, Difference] = {}
    count = 0
    samples = [as_run(inputs, s) for s in itertools.islice(open_samples(data, inputs).source(), limit)]
    for number, sample in enumerate(samples):
        values, others = a.values(sample, number), b.values(sample, number)
        remember(record, values)
        for name in common:
            if name not in values or name not in others:
                continue
            if values[name].shape != others[name].shape:
                raise CompareError(
                    f"'{name}' has shape {list(values[name].shape)} in '{sides[0].text}', but "
                    f"{list(others[name].shape)} in '{sides[1].text}'"
                )
            found.setdefault(name, Difference()).add(values[name], others[name], number)
        count += 1
    model = models[0] if models[0] is not None else models[1]
    makers = _makers(models, (a, b))
    readers = next_tensors(model, set(found)) if model is not None else {}
    by_ratio = models[0] is not None and models[1] is not None
    steps = allowed_steps(criteria, *sides)
    ratio = {name: item.sqnr for name, item in found.items()}
    sources: dict[str, list[str]] = {}
    for name, results in readers.items():
        for result in results:
            sources.setdefault(result, []).append(name)
    rows = []
    for name, item in found.items():
        before = min((ratio[source] for source in sources.get(name, ())), default=math.inf)
        own = own_ratio(before, ratio[name]) if by_ratio else None
        row = make_row(makers.get(name, name), name, item, steps, criteria, by_ratio=by_ratio, own=own)
        # What all readers make up for, such as channels that are scaled alike in two layers, is no error.
        after = [ratio[result] for result in readers.get(name, ())]
        if by_ratio and row.diverges and after and min(after) >= criteria.sqnr:
            row = dataclasses.replace(row, diverges=False)
        rows.append(row)
    ends = set(a.outputs) & set(b.outputs)
    outputs = [row for row in rows if row.tensor in ends]
    layers = [row for row in rows if row.tensor not in ends or by_ratio] if models != [None, None] else []
    if not any(row.tensor not in ends for row in layers):
        layers = []
    first = next((row for row in rows if row.diverges), None)
    comparison = Comparison(sides, count, layers, outputs, first, describe(steps, criteria, by_ratio), criteria)
    if first is not None and by_ratio:
        comparison.make_piece = lambda: _cut_by_name(
            (a, b), first, samples[first.worst], common, makers, lambda difference: difference.sqnr < criteria.sqnr
        )
    return comparison


def _cut_by_name(
    sides: tuple[SideTensors, SideTensors],
    first: Row,
    sample: Arrays,
    common: Sequence[str],
    names: Mapping[str, str],
    diverges: Callable[[Difference], bool],
) -> Piece:
    """The last layers of either model, up to the tensor of `first`, that diverge on what the first side feeds them.

    Noise of several layers may have added up: as many of them are cut out as it takes. common: the tensors that both
    have, in topological order. names: what to call the layers that make them.
    """
    values = {**sample, **sides[0].values(sample, first.worst)}
    given = [info.name for info in sides[0].inputs or ()]
    before = [name for name in (*given, *common[: common.index(first.tensor)]) if name in values]

    def piece(count: int) -> Piece:
        """That of the last `count` layers."""
        starts = set(before[: len(before) - count + 1])
        models = []
        for side in sides:
            assert side.model is not None
            models.append(_between(side.model, starts, side.by_name[first.tensor], values, first.tensor))
        feeds = {value.name: values[value.name] for model in models for value in model.graph.input}
        expected, actual = (
            side.side.load(model)({value.name: feeds[value.name] for value in model.graph.input})
            for side, model in zip(sides, models, strict=True)
        )
        layers = [names.get(name, name) for name in before[len(before) - count + 1 :]]
        return Piece((models[0], models[1]), feeds, expected, actual, (*layers, first.name))

    def is_enough(count: int) -> bool:
        part, difference = piece(count), Difference()
        difference.add(part.expected[first.tensor], part.actual[first.tensor], 0)
        return diverges(difference)

    return piece(least(1, max(1, len(before) - len(given) + 1), is_enough))


def _makers(models: Sequence[onnx.ModelProto | None], sides: Sequence[SideTensors]) -> dict[str, str]:
    """What to call the layers that make the tensors: a quantized layer has a name for all of its nodes."""
    names: dict[str, str] = {}
    for model, side in zip(models, sides, strict=True):
        if model is None:
            continue
        layers = {layer.output: layer for layer in all_layers(model)}
        for name, tensor in side.by_name.items():
            if tensor.shown in layers and (name not in names or tensor.scale is not None):
                names[name] = layer_name(layers[tensor.shown])
    return names


def _between(
    model: onnx.ModelProto, starts: set[str], end: Shown, values: Mapping[str, np.ndarray], name: str
) -> onnx.ModelProto:
    """The part of a model from the tensors `starts` to one, which is a floating-point tensor called `name`."""
    constants = {item.name: item for item in model.graph.initializer}
    producers = {output: node for node in model.graph.node for output in node.output}
    nodes: list[onnx.NodeProto] = []
    inputs: dict[str, None] = {}
    used: set[str] = set()
    pending, seen = [end.shown], set()
    while pending:
        wanted = pending.pop()
        if wanted in constants:
            used.add(wanted)
        elif wanted in starts:
            inputs[wanted] = None
        elif wanted in producers and id(producers[wanted]) not in seen:
            node = producers[wanted]
            seen.add(id(node))
            nodes.append(node)
            pending += [read for read in node.input if read]
    order = {id(node): index for index, node in enumerate(model.graph.node)}
    nodes = sorted(nodes, key=lambda node: order[id(node)])
    copies = []
    result = end.shown
    for node in nodes:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copies.append(copy)
    if end.scale is not None:
        quantize = producers[end.shown]
        # The tensor's name is that of the real numbers, in both models.
        for copy in copies:
            copy.output[:] = [f"{name}/before" if output == name else output for output in copy.output]
            copy.input[:] = [f"{name}/before" if read == name else read for read in copy.input]
        attributes: dict[str, Any] = {"axis": end.axis} if end.scale.size > 1 else {}
        copies.append(
            onnx.helper.make_node(
                "DequantizeLinear", [end.shown, *quantize.input[1:3]], [name], f"{name}/dequantize", **attributes
            )
        )
        result = name
    assert result == name
    element = onnx.helper.np_dtype_to_tensor_dtype
    graph = onnx.helper.make_graph(
        copies,
        "layer",
        [onnx.helper.make_tensor_value_info(read, element(values[read].dtype), values[read].shape) for read in inputs],
        [onnx.helper.make_tensor_value_info(name, element(values[name].dtype), values[name].shape)],
        [constants[key] for key in constants if key in used],
    )
    return onnx.helper.make_model(
        graph, opset_imports=model.opset_import, ir_version=model.ir_version, functions=model.functions
    )
