"""What quantization does to every layer of a model, in numbers.

The float model and the quantized one run side by side on some samples, natively, so that the errors are those of the
integer arithmetic that every target has.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import onnx

from acc.comparison.results import decibels, own_ratio
from acc.quantization.calibration import BINS, Runner, Statistics, Watch, input_infos
from acc.quantization.data import Data, open_samples
from acc.quantization.layer_reports import Histogram, LayerReport
from acc.quantization.positions import Positions
from acc.quantization.quantizer import LayerFacts, Quantized, TensorFacts

__all__ = ["Noise", "describe_layer", "measure", "weight_scales"]

MAX_CHANNELS = 256
"""Channels of a plot; of more, neighbours share a bar."""


@dataclasses.dataclass
class Noise:
    """Sums over all samples, of a tensor as a whole and of its channels; its numbers, and how many are out of range."""

    channels: int
    signal: np.ndarray
    noise: np.ndarray
    numbers: Statistics = dataclasses.field(default_factory=Statistics)
    beyond: int = 0
    other: float = 0.0
    product: float = 0.0

    @staticmethod
    def of(channels: int) -> Noise:
        return Noise(channels, np.zeros(channels), np.zeros(channels))

    def add(self, expected: np.ndarray, actual: np.ndarray, axis: int | None) -> None:
        x, y = expected.astype(np.float64), actual.astype(np.float64)
        self.other += float((y * y).sum())
        self.product += float((x * y).sum())
        over = tuple(i for i in range(x.ndim) if i != axis) if self.channels > 1 else None
        self.signal += (x * x).sum(over)
        self.noise += ((x - y) ** 2).sum(over)

    @property
    def sqnr(self) -> float:
        return decibels(float(self.signal.sum()), float(self.noise.sum()))

    @property
    def cosine(self) -> float:
        signal = float(self.signal.sum())
        lengths = math.sqrt(signal) * math.sqrt(self.other)
        return self.product / lengths if lengths else float(signal == self.other)

    def worst(self) -> tuple[int, float] | None:
        """The channel with the least ratio, of those that are not next to nothing, and the ratio."""
        if self.channels < 2:
            return None
        counts = self.signal > 1e-6 * self.signal.max()
        ratios = [decibels(s, n) if c else math.inf for s, n, c in zip(self.signal, self.noise, counts, strict=True)]
        least = int(np.argmin(ratios))
        return None if ratios[least] == math.inf else (least, ratios[least])


def measure(result: Quantized, data: Data, limit: int) -> tuple[dict[str, Noise], dict[str, Noise], int]:
    """The noise of the quantized tensors and of the outputs, and from how many samples it is."""
    quantizers = {node.input[0]: node.output[0] for node in result.model.graph.node if node.op_type == "QuantizeLinear"}
    outputs = [value.name for value in result.model.graph.output]
    shown = {name: quantizers[name] for name in result.tensors if name in quantizers}
    # The output of a model is what its integers stand for.
    sums = {name for name, facts in result.tensors.items() if facts.in_float}
    plain = [n for n in dict.fromkeys([*outputs, *result.tensors]) if (n in outputs or n in sums) and n not in shown]
    given = {value.name for value in result.source.proto.graph.input}
    inputs = input_infos(result.source.proto)
    positions = Positions(inputs, result.source.outputs, result.options.mask)
    floats = Runner(result.source, list(dict.fromkeys([*shown, *plain, *positions.needed])))
    integers = Runner(result.model, [*shown.values(), *plain])
    noises: dict[str, Noise] = {}
    count = 0
    samples = open_samples(data, inputs)
    for sample in itertools.islice(samples, limit):
        expected, actual = floats.run(sample), integers.run(sample)
        counted = positions.counted(floats, sample, expected)
        for name in (*shown, *plain):
            want, got = expected[name], actual[shown.get(name, name)]
            if want.dtype.kind != "f":
                continue
            facts = result.tensors.get(name)
            if facts and name in shown:
                got = (got.astype(np.float32) - np.float32(facts.zero_point)) * np.float32(facts.scale)
            axis = _channel_axis(facts, want)
            if name not in noises:
                noises[name] = Noise.of(1 if axis is None else want.shape[axis])
            for known, made in zip(counted(name, want, axis), counted(name, got, axis), strict=True):
                noises[name].add(known, made, axis)
                noises[name].numbers.add(known, Watch(axis))
                if facts and name in shown:
                    # A number is beyond the range if the next integer would be nearer to it.
                    margin = facts.scale / 2
                    beyond = (known < facts.range[0] - margin) | (known > facts.range[1] + margin)
                    noises[name].beyond += int(beyond.sum())
        count += 1
    ends = {name: noises[name] for name in outputs if name in noises}
    return {name: noise for name, noise in noises.items() if name in result.tensors or name in given}, ends, count


def _channel_axis(facts: TensorFacts | None, array: np.ndarray) -> int | None:
    """The axis that has as many entries as the statistics of the tensor have channels."""
    channels = 0 if facts is None else len(facts.statistics.sums)
    if channels < 2 or array.ndim < 2:
        return None
    # Channels stand behind the batch, or last; of two that fit, convolutions have the first.
    return next((axis for axis in (1, array.ndim - 1) if array.shape[axis] == channels), None)


def describe_layer(
    layer: LayerFacts,
    tensors: Mapping[str, TensorFacts],
    noise: Noise | None,
    before: float,
    lasting: float | None,
    scales: np.ndarray | None,
) -> LayerReport:
    """What became of a layer.

    before: the least lasting ratio of what it reads. lasting: that of its output. scales: of its weights.
    """
    facts = tensors[layer.output]
    worst = noise.worst() if noise else None
    seen, numbers = facts.statistics, noise.numbers if noise else facts.statistics
    # What is not quantized has no scale that channels would have to share.
    magnitudes = seen.magnitudes if len(seen.sums) > 1 and not facts.in_float else np.zeros(0)
    spread, widest = _spread(magnitudes)
    rows = np.abs(layer.weight).max(1, initial=0.0) if layer.weight is not None else np.zeros(0)
    weight_spread, weight_widest = _spread(rows)
    outlier, outlier_channel = _outlier(layer.weight)
    low, high = facts.range
    width = high - low
    used = (min(facts.seen[1], high) - max(facts.seen[0], low)) / width if width > 0 else 1.0
    return LayerReport(
        name=layer.name,
        op_type=layer.op_type,
        output=layer.output,
        sqnr=noise.sqnr if noise else None,
        cosine=noise.cosine if noise else None,
        lasting=lasting,
        own=own_ratio(before, lasting) if lasting is not None else None,
        seen=facts.seen,
        range=facts.range,
        clipped=0.0 if facts.in_float else _beyond(noise, facts),
        used=1.0 if facts.in_float else float(np.clip(used, 0.0, 1.0)),
        dense=1.0 if facts.in_float else _dense(numbers, width),
        channels=_shorten(magnitudes),
        spread=spread,
        widest=widest,
        worst_channel=worst[0] if worst else None,
        worst_sqnr=worst[1] if worst else None,
        weight_bits=layer.weight_bits,
        weight_sqnr=_weight_ratio(layer),
        weight_channels=_shorten(rows),
        weight_spread=weight_spread,
        weight_widest=weight_widest,
        outlier=outlier,
        outlier_channel=outlier_channel,
        ties=_ties(layer, tensors, scales),
        histogram=_histogram(numbers),
    )


def _spread(magnitudes: np.ndarray) -> tuple[float | None, int | None]:
    """How many times the median the largest is, and which that is."""
    if len(magnitudes) < 3:
        return None, None
    median = float(np.median(magnitudes))
    return (float(magnitudes.max()) / median if median > 0 else None), int(magnitudes.argmax())


def _outlier(weight: np.ndarray | None) -> tuple[float | None, int | None]:
    """The largest weight in root mean squares of those of its channel, and the channel."""
    if weight is None or weight.shape[1] < 8:
        return None, None
    root = np.sqrt((weight.astype(np.float64) ** 2).mean(1))
    peaks = np.abs(weight).max(1) / np.where(root > 0, root, np.inf)
    return float(peaks.max()), int(peaks.argmax())


def _weight_ratio(layer: LayerFacts) -> float | None:
    if layer.weight is None or layer.quantized_weight is None:
        return None
    weight, rounded = layer.weight.astype(np.float64), layer.quantized_weight.astype(np.float64)
    return decibels(float((weight**2).sum()), float(((weight - rounded) ** 2).sum()))


def _dense(seen: Statistics, width: float) -> float:
    """The part of a range of this width in which 99.9 % of the numbers are, the rest being shared by both ends."""
    total = float(seen.bins.sum())
    if total <= 0 or width <= 0:
        return 1.0
    passed = seen.bins.cumsum() / total
    first, last = int(np.searchsorted(passed, 0.0005)), int(np.searchsorted(passed, 0.9995))
    return min(1.0, (last - first + 1) * seen.width / width)


def _histogram(seen: Statistics, count: int = 64) -> Histogram | None:
    """The histogram from the least to the largest number, in `count` bins or fewer."""
    total = float(seen.bins.sum())
    filled = np.flatnonzero(seen.bins)
    if total <= 0 or len(filled) == 0:
        return None
    first, last = int(filled[0]), int(filled[-1]) + 1
    step = max(1, -(-(last - first) // count))
    padded = np.zeros(-(-(last - first) // step) * step)
    padded[: last - first] = seen.bins[first:last] / total
    low = (first - BINS // 2) * seen.width
    return Histogram(low, low + len(padded) * seen.width, tuple(padded.reshape(-1, step).sum(1).tolist()))


def _shorten(values: np.ndarray) -> tuple[float, ...]:
    """At most MAX_CHANNELS values: of neighbours the largest."""
    if len(values) <= MAX_CHANNELS:
        return tuple(float(value) for value in values)
    return tuple(float(part.max()) for part in np.array_split(values, MAX_CHANNELS))


def weight_scales(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """The scales of the weights by the names of the nodes that read them, one or one for each output channel."""
    constants = {item.name: item for item in model.graph.initializer}
    producers = {name: node for node in model.graph.node for name in node.output}
    scales = {}
    for node in model.graph.node:
        source = producers.get(node.input[1]) if len(node.input) > 1 else None
        if source is not None and source.op_type == "DequantizeLinear" and {*source.input[:2]} <= constants.keys():
            array = onnx.numpy_helper.to_array(constants[source.input[1]])
            # Weights in blocks are no single sum of integers.
            if array.ndim < 2:
                scales[node.name] = array.reshape(-1)
    return scales


def _beyond(noise: Noise | None, facts: TensorFacts) -> float:
    """The part of the numbers that are beyond the range."""
    return noise.beyond / noise.numbers.elements if noise and noise.numbers.elements else facts.clipped


def _ties(layer: LayerFacts, tensors: Mapping[str, TensorFacts], scales: np.ndarray | None) -> float | None:
    """The part of the results that lie in the middle of two integers, if sums of products are spread evenly.

    A sum s becomes s * p / q, in lowest terms. That is a half for one in q sums if q is even, and for none that is
    small enough otherwise. Scales that are powers of two have a small q; others have one beyond all sums.
    """
    if layer.quantized_weight is None or scales is None or not layer.inputs or not len(layer.quantized_weight):
        return None
    source, result = tensors[layer.inputs[0]], tensors[layer.output]
    if result.in_float:
        return None
    rows = layer.quantized_weight.astype(np.float64)
    shares = []
    for row, step in zip(rows, np.broadcast_to(scales, len(rows)), strict=True):
        largest = float(np.abs(row).sum() / step) * 255 if step else 0.0
        multiplier = Fraction(float(np.float32(source.scale))) * Fraction(float(step))
        multiplier /= Fraction(float(np.float32(result.scale)))
        half, odd = divmod(multiplier.denominator, 2)
        shares.append(1 / multiplier.denominator if not odd and half <= largest else 0.0)
    return float(np.mean(shares))
