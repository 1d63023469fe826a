"""Runs two sides on the same samples, and says layer by layer how far they are apart."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from acc.comparison.sides import Arrays, CompareError, Run, Side, as_run
from acc.container import TensorInfo
from acc.layerwise import Layer, all_layers, cut_out, expose, take_apart
from acc.quantization.data import Data, open_samples
from acc.wording import listing

__all__ = ["Comparison", "Criteria", "Piece", "Row", "compare", "decibels", "next_tensors", "own_ratio"]

MAX_SAMPLES = 16


@dataclasses.dataclass(frozen=True)
class Criteria:
    """What counts as equal.

    Attributes:
        steps: integers may differ by so much. None is 0 where acc computes both, which has the same bits everywhere,
            and else 1.
        tolerance: floating-point numbers of one model may differ by so much of themselves, or of a hundredth of the
            largest of their tensor where that is more.
        sqnr: where the numbers are those of different models, or come behind quantized layers whose roundings add up,
            the least signal-to-noise ratio, in dB.
    """

    steps: int | None = None
    tolerance: float = 1e-3
    sqnr: float = 20.0


@dataclasses.dataclass
class _Difference:
    """What was found of a pair of tensors, over all samples."""

    elements: int = 0
    equal: int = 0
    largest: float = 0.0
    relative: float = 0.0
    signal: float = 0.0
    noise: float = 0.0
    other: float = 0.0
    product: float = 0.0
    is_integer: bool = True
    worst: int = 0
    noisiest: tuple[float, int] = (math.inf, 0)

    def add(self, a: np.ndarray, b: np.ndarray, sample: int) -> None:
        if a.dtype.kind not in "iufcb" or b.dtype.kind not in "iufcb":
            a, b = (a != b).astype(np.int8), np.zeros(a.shape, np.int8)
        integer = a.dtype.kind in "iub" and b.dtype.kind in "iub"
        self.is_integer &= integer
        x, y = a.astype(np.float64), b.astype(np.float64)
        # Numbers of 64 bits are told apart exactly.
        same = (a == b) | (np.isnan(x) & np.isnan(y))
        with np.errstate(invalid="ignore", over="ignore"):
            difference = np.where(same, 0.0, np.abs(x - y))
        difference = np.where(np.isnan(difference), np.inf, difference)
        if integer:
            difference = np.where(same, 0.0, np.maximum(difference, 1.0))
        finite = np.isfinite(x) & np.isfinite(y)
        floor = 1e-2 * float(np.abs(x[finite]).max(initial=0.0))
        with np.errstate(invalid="ignore", divide="ignore"):
            relative = np.where(difference == 0, 0.0, difference / np.maximum(np.where(finite, np.abs(x), 0.0), floor))
        largest, furthest = float(difference.max(initial=0.0)), float(relative.max(initial=0.0))
        if furthest > self.relative or largest > self.largest:
            self.worst = sample
        self.elements += a.size
        self.equal += int(same.sum())
        self.largest, self.relative = max(self.largest, largest), max(self.relative, furthest)
        x, y = np.where(finite, x, 0.0), np.where(finite, y, 0.0)
        signal, noise = float((x * x).sum()), math.inf if (~finite & ~same).any() else float(((x - y) ** 2).sum())
        self.noisiest = min(self.noisiest, (decibels(signal, noise), sample))
        self.signal += signal
        self.noise += noise
        self.other += float((y * y).sum())
        self.product += float((x * y).sum())

    @property
    def sqnr(self) -> float:
        """In dB; infinite where nothing differs."""
        return decibels(self.signal, self.noise)

    @property
    def cosine(self) -> float:
        lengths = math.sqrt(self.signal) * math.sqrt(self.other)
        return self.product / lengths if lengths else float(self.signal == self.other)


def decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return math.inf
    return -math.inf if signal == 0 or noise == math.inf else 10 * math.log10(signal / noise)


@dataclasses.dataclass(frozen=True)
class Row:
    """How far the two sides are apart at one tensor.

    Attributes:
        name: of the layer that makes it, with its operators.
        tensor: its name.
        elements, equal: how many there were, and the part of them that is the same.
        largest: the largest difference; in quantization steps where both are integers.
        relative: the largest difference in parts of the number, or of a hundredth of the largest one.
        sqnr: the ratio of the first side's signal to the difference, in dB; None where nothing differs.
        cosine: of the angle between the two.
        own: the ratio that this layer would have if what it reads were exact, in dB, estimated from the ratios before
            and behind it; None where it adds nothing, and where layers are compared each by itself.
        is_integer: whether both are integers.
        diverges: whether that is more than the criteria allow.
        worst: the sample that differs most, or whose ratio is the least where that counts.
    """

    name: str
    tensor: str
    elements: int
    equal: float
    largest: float
    relative: float
    sqnr: float | None
    cosine: float
    own: float | None
    is_integer: bool
    diverges: bool
    worst: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible: numbers that JSON lacks are strings."""
        values = dataclasses.asdict(self)
        return {k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


@dataclasses.dataclass(frozen=True)
class Piece:
    """The smallest part of the model that still diverges: what runs on either side, and on what.

    feeds: its inputs. expected, actual: what the sides make of them.
    """

    models: tuple[onnx.ModelProto, onnx.ModelProto]
    feeds: Arrays
    expected: Arrays
    actual: Arrays
    layers: tuple[str, ...]


@dataclasses.dataclass
class Comparison:
    """The result of `compare`.

    Attributes:
        sides: what was compared.
        samples: on how many.
        rows: the layers in topological order; empty where a side is known by its outputs alone.
        outputs: of the models as they are.
        first: the first row that diverges, among the layers if there is one.
        criterion: what counted as equal, in words.
        criteria: the same, as it was asked for.
        together: whether only layers that run together diverge, each being right by itself.
        make_piece: cuts out what diverges; None where nothing can be cut.
    """

    sides: tuple[Side, Side]
    samples: int
    rows: list[Row]
    outputs: list[Row]
    first: Row | None
    criterion: str
    criteria: Criteria
    together: bool = False
    make_piece: Callable[[], Piece] | None = None

    @property
    def is_equal(self) -> bool:
        return self.first is None

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible."""
        return {
            "a": self.sides[0].text,
            "b": self.sides[1].text,
            "samples": self.samples,
            "criterion": self.criterion,
            "equal": self.is_equal,
            "first": self.first.to_dict() if self.first else None,
            "together": self.together,
            "layers": [row.to_dict() for row in self.rows],
            "outputs": [row.to_dict() for row in self.outputs],
        }


def compare(
    a: Side,
    b: Side,
    data: Data,
    criteria: Criteria = Criteria(),
    *,
    limit: int = MAX_SAMPLES,
    record: dict | None = None,
) -> Comparison:
    """Compares two sides on samples.

    data: as `acc.quantization.data.open_samples` takes it; at most `limit` samples are used. record: takes the tensors
    of the first side, samples first.

    Raises CompareError, QuantizeError for data that the models do not take, and what the sides raise.
    """
    if a.is_recorded and b.is_recorded:
        raise CompareError("both sides are recorded tensors: one must be a model that runs")
    models = [side.read_model() if side.is_onnx else None for side in (a, b)]
    # Of a model that both have, layers are compared each by itself.
    if models[0] is not None and models[1] is not None and _same(models[0], models[1]):
        return _by_layers(a, b, models[0], data, criteria, limit, record)
    return _by_tensors((a, b), models, data, criteria, limit, record)


def _same(a: onnx.ModelProto, b: onnx.ModelProto) -> bool:
    """Whether two models compute the same in the same way; their texts may differ."""
    return a.graph.SerializeToString(deterministic=True) == b.graph.SerializeToString(deterministic=True)


# --- one model: layer by layer ---------------------------------------------------------------------------------------


def _by_layers(
    a: Side, b: Side, model: onnx.ModelProto, data: Data, criteria: Criteria, limit: int, record: dict | None
) -> Comparison:
    inputs = _inputs(model)
    samples = [as_run(inputs, s) for s in itertools.islice(open_samples(data, inputs).source(), limit)]
    layers = all_layers(model)
    given = {info.name for info in inputs}
    shown = [name for name in dict.fromkeys(layer.output for layer in layers) if name not in given]
    steps = _steps(criteria, a, b)
    wholes = [side.load(model) for side in (a, b)]
    exposed = a.load(expose(model, shown))
    found: dict[str, _Difference] = {}
    ends: dict[str, _Difference] = {}
    pieces: onnx.ModelProto | None = None
    run: Run | None = None
    for number, sample in enumerate(samples):
        values = {**sample, **exposed(sample)}
        _remember(record, values)
        usable = [layer for layer in layers if layer.output in values and all(n in values for n in layer.inputs)]
        if pieces is None or run is None or not _fits(pieces, values):
            pieces = take_apart(model, usable, values)
            run = b.load(pieces)
        got = run({value.name: values[value.name] for value in pieces.graph.input})
        for layer, value in zip(usable, pieces.graph.output, strict=True):
            if value.name in got:
                found.setdefault(layer.output, _Difference()).add(values[layer.output], got[value.name], number)
        expected, actual = (whole(sample) for whole in wholes)
        for name in expected:
            ends.setdefault(name, _Difference()).add(expected[name], actual[name], number)
    is_rounded = any(layer.op_types and _is_quantized(model, layer) for layer in layers)
    rows = [
        _row(_layer_name(layer), layer.output, found[layer.output], steps, criteria)
        for layer in layers
        if layer.output in found
    ]
    # Behind quantized layers, differences of a step that are allowed in every layer add up.
    adds_up = is_rounded and steps > 0
    outputs = [_row(name, name, item, steps, criteria, by_ratio=adds_up) for name, item in ends.items()]
    first = next((row for row in rows if row.diverges), None)
    comparison = Comparison((a, b), len(samples), rows, outputs, first, _criterion(steps, criteria, adds_up), criteria)
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


def _layer_name(layer: Layer) -> str:
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
            difference = _Difference()
            difference.add(expected[name], actual[name], 0)
            rows.append(_row(name, name, difference, steps, criteria))
        return any(row.diverges for row in rows)

    # The shortest beginning that diverges, then its shortest end.
    end = _least(1, len(order), lambda count: diverges(order[:count]))
    start = end - _least(1, end, lambda count: diverges(order[end - count : end]))
    chosen = order[start:end]
    return _cut(a, b, model, _needed(chosen, {layer.output: layer for layer in chosen}, chosen[-1]), values)


def _least(low: int, high: int, holds: Callable[[int], bool]) -> int:
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


# --- different models, compiled ones and recorded tensors: by name ---------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Tensor:
    """A tensor of a model by the name that a float model has for it.

    shown: what is read of the model. scale, zero_point, axis: if that is integers, what they stand for.
    """

    shown: str
    scale: np.ndarray | None = None
    zero_point: np.ndarray | None = None
    axis: int = 1

    def real(self, array: np.ndarray) -> np.ndarray:
        """The numbers that an array stands for."""
        if self.scale is None:
            return array
        shape = [1] * array.ndim
        if self.scale.size > 1:
            shape[self.axis] = -1
        zero = 0 if self.zero_point is None else self.zero_point.astype(np.float64).reshape(shape)
        return ((array.astype(np.float64) - zero) * self.scale.astype(np.float64).reshape(shape)).astype(np.float32)


def _tensors(model: onnx.ModelProto) -> dict[str, _Tensor]:
    """The activations of a model: where it quantizes one, what the integers stand for."""
    constants = {item.name: item for item in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            constants[node.output[0]] = node.attribute[0].t
    tensors = {layer.output: _Tensor(layer.output) for layer in all_layers(model)}
    for node in model.graph.node:
        if node.op_type != "QuantizeLinear" or node.output[0] not in tensors or node.input[1] not in constants:
            continue
        parameters = [onnx.numpy_helper.to_array(constants[name]) for name in node.input[1:3] if name in constants]
        axis = next((item.i for item in node.attribute if item.name == "axis"), 1)
        # The second quantization of a tensor, if there is one, is for other readers.
        if node.input[0] not in tensors or tensors[node.input[0]].scale is None:
            tensors[node.input[0]] = _Tensor(node.output[0], parameters[0], *parameters[1:], axis=axis)
    place = {name: index for index, node in enumerate(model.graph.node) for name in node.output}
    return dict(sorted(tensors.items(), key=lambda item: place.get(item[1].shown, -1)))


def _inputs(model: onnx.ModelProto) -> list[TensorInfo]:
    from acc.quantization.calibration import input_infos

    stored = {item.name for item in model.graph.initializer}
    return [info for info in input_infos(model) if info.name not in stored]


class _Tensors:
    """The tensors that a side can show, and what it shows of a sample."""

    def __init__(self, side: Side, model: onnx.ModelProto | None) -> None:
        self.side, self.model = side, model
        self._run: Run | None = None
        self.by_name: dict[str, _Tensor] = {}
        self.inputs: list[TensorInfo] | None = None
        self.outputs: list[str] = []
        if model is not None:
            self.by_name = _tensors(model)
            self.inputs = _inputs(model)
            self.outputs = [value.name for value in model.graph.output]
            self.by_name |= {name: self.by_name.get(name, _Tensor(name)) for name in self.outputs}
        elif side.is_recorded:
            self._recorded = side.read_recorded()
            self.by_name = {name: _Tensor(name) for name in self._recorded}
            self.outputs = list(self._recorded)
        else:
            self._executable = side.load_compiled()
            self.inputs = list(self._executable.inputs)
            self.outputs = [info.name for info in self._executable.outputs]
            self.by_name = {name: _Tensor(name) for name in self.outputs}

    def select(self, names: Sequence[str]) -> None:
        """Says which tensors are wanted."""
        self.names = list(names)
        if self.model is not None:
            given = {info.name for info in self.inputs or ()}
            shown = dict.fromkeys(self.by_name[name].shown for name in names)
            self._run = self.side.load(expose(self.model, [name for name in shown if name not in given]))

    def values(self, sample: Arrays, number: int) -> Arrays:
        """The tensors of a sample, as real numbers where integers stand for them."""
        if self.side.is_recorded:
            short = [name for name in self.names if number >= len(self._recorded[name])]
            if short:
                raise CompareError(
                    f"'{self.side.path}' has {len(self._recorded[short[0]])} samples, but sample {number} is asked for"
                )
            return {name: self._recorded[name][number] for name in self.names}
        own = {info.name: sample[info.name] for info in self.inputs or () if info.name in sample}
        shown = {**own, **(self._run(own) if self._run is not None else self._executable.run(own))}
        return {
            name: self.by_name[name].real(shown[self.by_name[name].shown])
            for name in self.names
            if self.by_name[name].shown in shown
        }

    def order(self) -> list[str]:
        return list(self.by_name)


def _by_tensors(
    sides: tuple[Side, Side],
    models: Sequence[onnx.ModelProto | None],
    data: Data,
    criteria: Criteria,
    limit: int,
    record: dict | None,
) -> Comparison:
    a, b = (_Tensors(side, model) for side, model in zip(sides, models, strict=True))
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
    found: dict[str, _Difference] = {}
    count = 0
    samples = [as_run(inputs, s) for s in itertools.islice(open_samples(data, inputs).source(), limit)]
    for number, sample in enumerate(samples):
        values, others = a.values(sample, number), b.values(sample, number)
        _remember(record, values)
        for name in common:
            if name not in values or name not in others:
                continue
            if values[name].shape != others[name].shape:
                raise CompareError(
                    f"'{name}' has shape {list(values[name].shape)} in '{sides[0].text}', but "
                    f"{list(others[name].shape)} in '{sides[1].text}'"
                )
            found.setdefault(name, _Difference()).add(values[name], others[name], number)
        count += 1
    model = models[0] if models[0] is not None else models[1]
    makers = _makers(models, (a, b))
    readers = next_tensors(model, set(found)) if model is not None else {}
    by_ratio = models[0] is not None and models[1] is not None
    steps = _steps(criteria, *sides)
    ratio = {name: item.sqnr for name, item in found.items()}
    sources: dict[str, list[str]] = {}
    for name, results in readers.items():
        for result in results:
            sources.setdefault(result, []).append(name)
    rows = []
    for name, item in found.items():
        before = min((ratio[source] for source in sources.get(name, ())), default=math.inf)
        own = own_ratio(before, ratio[name]) if by_ratio else None
        row = _row(makers.get(name, name), name, item, steps, criteria, by_ratio=by_ratio, own=own)
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
    comparison = Comparison(sides, count, layers, outputs, first, _criterion(steps, criteria, by_ratio), criteria)
    if first is not None and by_ratio:
        comparison.make_piece = lambda: _cut_by_name(
            (a, b), first, samples[first.worst], common, makers, lambda difference: difference.sqnr < criteria.sqnr
        )
    return comparison


def _cut_by_name(
    sides: tuple[_Tensors, _Tensors],
    first: Row,
    sample: Arrays,
    common: Sequence[str],
    names: Mapping[str, str],
    diverges: Callable[[_Difference], bool],
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
        part, difference = piece(count), _Difference()
        difference.add(part.expected[first.tensor], part.actual[first.tensor], 0)
        return diverges(difference)

    return piece(_least(1, max(1, len(before) - len(given) + 1), is_enough))


def own_ratio(before: float, after: float) -> float | None:
    """The signal-to-noise ratio of noise that comes on top: powers of noise add up, in parts of the signal's."""
    if not after < before or after == -math.inf:
        return None
    own = -10 * math.log10(10 ** (-after / 10) - 10 ** (-before / 10))
    # Beyond, it is rounding of the sums.
    return own if own < 100 else None


def _makers(models: Sequence[onnx.ModelProto | None], sides: Sequence[_Tensors]) -> dict[str, str]:
    """What to call the layers that make the tensors: a quantized layer has a name for all of its nodes."""
    names: dict[str, str] = {}
    for model, side in zip(models, sides, strict=True):
        if model is None:
            continue
        layers = {layer.output: layer for layer in all_layers(model)}
        for name, tensor in side.by_name.items():
            if tensor.shown in layers and (name not in names or tensor.scale is not None):
                names[name] = _layer_name(layers[tensor.shown])
    return names


def next_tensors(model: onnx.ModelProto, names: set[str]) -> dict[str, list[str]]:
    """Of every tensor of `names`, the next ones of `names` that are computed from it."""
    constants = {item.name for item in model.graph.initializer}
    # Which of the names a tensor is made of, going through what is not one of them.
    sources: dict[str, set[str]] = {name: {name} for name in names}
    readers: dict[str, list[str]] = {}
    for node in model.graph.node:
        made = set().union(*(sources.get(name, set()) for name in node.input if name not in constants), set())
        for name in node.output:
            if name in names:
                for source in made - {name}:
                    readers.setdefault(source, []).append(name)
            else:
                sources[name] = made
    return readers


def _between(
    model: onnx.ModelProto, starts: set[str], end: _Tensor, values: Mapping[str, np.ndarray], name: str
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


# --- common to both --------------------------------------------------------------------------------------------------


def _remember(record: dict[str, list[np.ndarray]] | None, values: Arrays) -> None:
    if record is not None:
        for name, array in values.items():
            record.setdefault(name, []).append(array)


def _steps(criteria: Criteria, a: Side, b: Side) -> int:
    if criteria.steps is not None:
        return criteria.steps
    return 0 if a.is_exact and b.is_exact else 1


def _row(
    name: str,
    tensor: str,
    item: _Difference,
    steps: int,
    criteria: Criteria,
    *,
    by_ratio: bool = False,
    own: float | None = None,
) -> Row:
    if by_ratio and not (item.is_integer and steps == 0):
        diverges = item.sqnr < criteria.sqnr
    elif item.is_integer:
        diverges = item.largest > steps
    else:
        diverges = item.relative > criteria.tolerance
    return Row(
        name=name,
        tensor=tensor,
        elements=item.elements,
        equal=item.equal / item.elements if item.elements else 1.0,
        largest=item.largest,
        relative=item.relative,
        sqnr=None if item.sqnr == math.inf else item.sqnr,
        cosine=item.cosine,
        own=own,
        is_integer=item.is_integer,
        diverges=diverges,
        worst=item.noisiest[1] if by_ratio else item.worst,
    )


def _criterion(steps: int, criteria: Criteria, by_ratio: bool) -> str:
    ratio = f"a signal-to-noise ratio of {criteria.sqnr:g} dB"
    integers = "integers equal" if steps == 0 else f"integers within {steps} step{'s' * (steps > 1)}"
    text = f"{integers}, other numbers within {criteria.tolerance:g} of themselves"
    return f"{text}; where roundings add up, {ratio}" if by_ratio else text
