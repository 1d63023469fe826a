"""What quantization does to every layer of a model, and what would help: the facts behind `acc quantize --report`.

The float model and the quantized one run side by side on some samples, natively, so that the errors are those of the
integer arithmetic that every target has. What is measured per layer is put into one sentence where something is to be
said; the rules for it are at the end of this file.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from acc.comparison.compare import decibels, next_tensors, own_ratio
from acc.files import replacing
from acc.quantization.calibration import BINS, Runner, Statistics, Watch, input_infos
from acc.quantization.data import Data, open_samples
from acc.quantization.options import QuantizeError
from acc.quantization.quantizer import LayerFacts, Quantized, TensorFacts
from acc.wording import listing

__all__ = ["Histogram", "LayerReport", "OutputReport", "Report", "check_report", "make_report", "ratio", "write_report"]

MAX_SAMPLES = 16
MAX_CHANNELS = 256
"""Channels of a plot; of more, neighbours share a bar."""


@dataclasses.dataclass(frozen=True)
class Histogram:
    """How often numbers occur: shares of all (bins,) between `low` and `high`."""

    low: float
    high: float
    shares: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class LayerReport:
    """What became of a layer. Ratios are in dB; None where there is nothing to be measured.

    Attributes:
        name, op_type: of its node. output: the tensor that it makes.
        sqnr: signal to noise of its output, with the noise of all layers before it; infinite where nothing differs.
        cosine: of the angle between the float and the quantized output.
        lasting: the ratio that is left behind the next layers, if that is better: a GELU, for example, makes nothing of
            most of what is cut off below zero, and weights may be small where a channel has much noise.
        own: the lasting ratio if what it reads were exact, estimated from the ratios before and behind it.
        seen, range: the least and the largest number of its output while calibrating, and those that integers stand
            for.
        clipped: the part of the numbers that are beyond the range.
        used: the part of the range in which there were numbers.
        dense: the part of the range in which 99.9 % of the numbers were.
        channels: the largest absolute value per channel of the output; empty if it has no channels.
        spread: of the channel with the largest numbers, how many times those of the median channel it has.
        widest: that channel.
        worst_channel, worst_sqnr: the channel of the output with the least ratio, and the ratio.
        weight_bits: of an integer. weight_sqnr: of the weights alone.
        weight_channels: the largest absolute weight per output channel.
        weight_spread, weight_widest: as `spread` and `widest`, of weights.
        outlier: the largest weight in root mean squares of the weights of its channel. outlier_channel: that channel.
        ties: the part of the results that requantization is expected to find in the middle of two integers, from the
            scales; None for what is not a product of quantized tensors and weights.
        histogram: of the output.
        sentence: what a person needs to know; empty if nothing is amiss.
    """

    name: str
    op_type: str
    output: str
    sqnr: float | None
    cosine: float | None
    lasting: float | None
    own: float | None
    seen: tuple[float, float]
    range: tuple[float, float]
    clipped: float
    used: float
    dense: float
    channels: tuple[float, ...]
    spread: float | None
    widest: int | None
    worst_channel: int | None
    worst_sqnr: float | None
    weight_bits: int | None
    weight_sqnr: float | None
    weight_channels: tuple[float, ...]
    weight_spread: float | None
    weight_widest: int | None
    outlier: float | None
    outlier_channel: int | None
    ties: float | None
    histogram: Histogram | None
    sentence: str = ""

    @property
    def is_shown(self) -> bool:
        """Whether there is anything to be said of it: layers that only move numbers add no noise."""
        return self.own is not None or bool(self.weight_channels) or bool(self.sentence)


@dataclasses.dataclass(frozen=True)
class OutputReport:
    """How far an output of the model is from the float model's; see LayerReport."""

    name: str
    sqnr: float | None
    cosine: float | None


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of a model.

    Attributes:
        layers: in execution order. outputs: of the model.
        left_in_float: names of nodes, and reasons.
        calibrated, measured: how many samples the ranges and the ratios are from.
        notes: what else a user may want to know.
        options: how the model was quantized.
        summary: the sentences that stand first.
    """

    layers: tuple[LayerReport, ...]
    outputs: tuple[OutputReport, ...]
    left_in_float: tuple[tuple[str, str], ...]
    calibrated: int
    measured: int
    notes: tuple[str, ...]
    options: Mapping[str, Any]
    summary: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible: ratios of what is exact are "inf"."""
        return _plain(dataclasses.asdict(self))

    def to_text(self) -> str:
        """For a terminal: summary, a table of the layers, and their sentences."""
        from acc.report import format_table

        header = ("layer", "SQNR dB", "own dB", "cosine", "clipped %", "used %", "worst channel", "ties %")
        rows = [
            (
                f"{layer.name} ({layer.op_type})",
                ratio(layer.sqnr),
                ratio(layer.own),
                "" if layer.cosine is None else f"{layer.cosine:.5f}",
                f"{100 * layer.clipped:.3f}",
                f"{100 * layer.used:.0f}",
                "" if layer.worst_channel is None else f"{layer.worst_channel}: {ratio(layer.worst_sqnr)} dB",
                "" if layer.ties is None else f"{100 * layer.ties:.1f}",
            )
            for layer in self.layers
            if layer.is_shown
        ]
        parts = ["\n".join(self.summary), format_table(rows, header)]
        sentences = [f"  {layer.sentence}" for layer in self.layers if layer.sentence]
        if sentences:
            parts.append("What would help:\n" + "\n".join(sentences))
        if self.left_in_float:
            parts.append("In float:\n" + "\n".join(f"  {name}: {reason}" for name, reason in self.left_in_float))
        return "\n\n".join(parts) + "\n"


def ratio(value: float | None) -> str:
    """A ratio in dB as one reads it."""
    if value is None:
        return ""
    return "exact" if value == math.inf else f"{value:.1f}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


@dataclasses.dataclass
class _Noise:
    """Sums over all samples, of a tensor as a whole and of its channels; its numbers, and how many are out of range."""

    channels: int
    signal: np.ndarray
    noise: np.ndarray
    numbers: Statistics = dataclasses.field(default_factory=Statistics)
    beyond: int = 0
    other: float = 0.0
    product: float = 0.0

    @staticmethod
    def of(channels: int) -> _Noise:
        return _Noise(channels, np.zeros(channels), np.zeros(channels))

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


def make_report(result: Quantized, data: Data, *, limit: int = MAX_SAMPLES) -> Report:
    """Runs the float and the quantized model on at most `limit` samples of `data`, and says what became of each layer.

    data: as for `acc.quantize`; samples that were not used to calibrate tell more. Raises what reading samples and
    running the models do.
    """
    noises, ends, count = _measure(result, data, limit)
    ratios = {name: noise.sqnr for name, noise in noises.items()}
    names = {layer.output: layer.name for layer in result.layers}
    after = next_tensors(result.source.proto, set(names))
    before: dict[str, list[str]] = {}
    for name, results in after.items():
        for other in results:
            before.setdefault(other, []).append(name)
    lasting = dict(ratios)
    for name, results in after.items():
        behind = [ratios[other] for other in results if other in ratios]
        if name in ratios and behind:
            lasting[name] = max(ratios[name], min(behind))

    def sources(layer: LayerFacts) -> list[str]:
        """The tensors before it: outputs of layers, or else what it reads."""
        found = before.get(layer.output) or list(layer.inputs)
        return [name for name in found if name in lasting]

    scales = _weight_scales(result.model)
    layers = tuple(
        _layer(
            layer,
            result.tensors,
            noises.get(layer.output),
            min((lasting[name] for name in sources(layer)), default=math.inf),
            lasting.get(layer.output),
            scales.get(layer.name),
        )
        for layer in result.layers
    )
    told = {layer.name for layer in _loudest(layers)[: max(3, len(layers) // 10)]}
    layers = tuple(
        dataclasses.replace(
            layer,
            sentence=_sentence(
                layer,
                result,
                [names[name] for name in after.get(layer.output, ())],
                layer.name in told,
            ),
        )
        for layer in layers
    )
    outputs = tuple(OutputReport(name, noise.sqnr, noise.cosine) for name, noise in ends.items())
    return Report(
        layers=layers,
        outputs=outputs,
        left_in_float=result.left_in_float,
        calibrated=result.samples,
        measured=count,
        notes=result.notes,
        options=result.options.to_dict(),
        summary=_summary(layers, outputs, result, count),
    )


def write_report(report: Report, path: str | os.PathLike[str], title: str) -> None:
    """Writes a report as what the name of the file asks for: .html, .json or .txt. title: what was quantized.

    Raises QuantizeError for another name, or for what cannot be written.
    """
    check_report(path)
    suffix = Path(path).suffix.lower()
    if suffix == ".html":
        from acc.quantization.page import to_html

        text = to_html(report, title)
    else:
        text = json.dumps(report.to_dict(), indent=1) + "\n" if suffix == ".json" else report.to_text()
    with replacing(path, QuantizeError) as file:
        file.write(text.encode())


def check_report(path: str | os.PathLike[str]) -> None:
    """Raises QuantizeError unless the name of the file says what kind of report it is."""
    if Path(path).suffix.lower() not in (".html", ".json", ".txt"):
        raise QuantizeError(f"a report is an .html, .json or .txt file, not '{os.fspath(path)}'")


def _loudest(layers: Sequence[LayerReport]) -> list[LayerReport]:
    """Layers by the noise that they add and that lasts, most of it first."""
    return sorted((layer for layer in layers if layer.own is not None), key=lambda layer: layer.own or 0.0)


def _measure(result: Quantized, data: Data, limit: int) -> tuple[dict[str, _Noise], dict[str, _Noise], int]:
    """The noise of the quantized tensors and of the outputs, and from how many samples it is."""
    quantizers = {node.input[0]: node.output[0] for node in result.model.graph.node if node.op_type == "QuantizeLinear"}
    outputs = [value.name for value in result.model.graph.output]
    shown = {name: quantizers[name] for name in result.tensors if name in quantizers}
    # The output of a model is what its integers stand for.
    plain = [name for name in dict.fromkeys([*outputs, *result.tensors]) if name in outputs and name not in shown]
    given = {value.name for value in result.source.proto.graph.input}
    floats = Runner(result.source, list(dict.fromkeys([*shown, *plain])))
    integers = Runner(result.model, [*shown.values(), *plain])
    noises: dict[str, _Noise] = {}
    count = 0
    samples = open_samples(data, input_infos(result.source.proto))
    for sample in itertools.islice(samples, limit):
        expected, actual = floats.run(sample), integers.run(sample)
        for name in (*shown, *plain):
            want, got = expected[name], actual[shown.get(name, name)]
            if want.dtype.kind != "f":
                continue
            if name in shown:
                facts = result.tensors[name]
                got = (got.astype(np.float32) - np.float32(facts.zero_point)) * np.float32(facts.scale)
                # A number is beyond the range if the next integer would be nearer to it.
                margin = facts.scale / 2
                beyond = int(((want < facts.range[0] - margin) | (want > facts.range[1] + margin)).sum())
            else:
                beyond = 0
            axis = _channel_axis(result.tensors.get(name), want)
            if name not in noises:
                noises[name] = _Noise.of(1 if axis is None else want.shape[axis])
            noises[name].add(want, got, axis)
            noises[name].numbers.add(want, Watch(axis))
            noises[name].beyond += beyond
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


def _layer(
    layer: LayerFacts,
    tensors: Mapping[str, TensorFacts],
    noise: _Noise | None,
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
    magnitudes = seen.magnitudes if len(seen.sums) > 1 else np.zeros(0)
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
        clipped=noise.beyond / noise.numbers.elements if noise and noise.numbers.elements else facts.clipped,
        used=float(np.clip(used, 0.0, 1.0)),
        dense=_dense(numbers, width),
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


def _weight_scales(model: onnx.ModelProto) -> dict[str, np.ndarray]:
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


def _ties(layer: LayerFacts, tensors: Mapping[str, TensorFacts], scales: np.ndarray | None) -> float | None:
    """The part of the results that lie in the middle of two integers, if sums of products are spread evenly.

    A sum s becomes s * p / q, in lowest terms. That is a half for one in q sums if q is even, and for none that is
    small enough otherwise. Scales that are powers of two have a small q; others have one beyond all sums.
    """
    if layer.quantized_weight is None or scales is None or not layer.inputs or not len(layer.quantized_weight):
        return None
    source, result = tensors[layer.inputs[0]], tensors[layer.output]
    rows = layer.quantized_weight.astype(np.float64)
    shares = []
    for row, step in zip(rows, np.broadcast_to(scales, len(rows)), strict=True):
        largest = float(np.abs(row).sum() / step) * 255 if step else 0.0
        multiplier = Fraction(float(np.float32(source.scale))) * Fraction(float(step))
        multiplier /= Fraction(float(np.float32(result.scale)))
        half, odd = divmod(multiplier.denominator, 2)
        shares.append(1 / multiplier.denominator if not odd and half <= largest else 0.0)
    return float(np.mean(shares))


# --- sentences -------------------------------------------------------------------------------------------------------

SPREAD = 8.0
"""From how many times the median on a channel's numbers are said to be large."""
CLIPPED = 0.005
OUTLIER = 12.0
DENSE = 0.1
QUIET = 40.0
"""Layers with less noise of their own than this, in dB, need no advice."""


def _sentence(layer: LayerReport, result: Quantized, readers: Sequence[str], loud: bool) -> str:
    """What is amiss with a layer, the gravest first, and what would help.

    readers: the layers behind it. loud: whether it is one of those that add most noise.
    """
    options = result.options
    if layer.seen[0] == layer.seen[1]:
        return f"{layer.name}: its output was {layer.seen[0]:g} for every sample; more varied samples would help"
    if layer.weight_spread is not None and layer.weight_spread >= SPREAD and not options.per_channel:
        return (
            f"{layer.name}: weights of channel {layer.weight_widest} are {layer.weight_spread:.0f} times as large as "
            "those of others, which share their scale; weights per channel (without --per-tensor) would help"
        )
    # Noise of small channels hardly shows in the whole tensor, whose signal is that of the large one.
    starved = layer.worst_sqnr is not None and layer.worst_sqnr < QUIET - 10
    if layer.spread is not None and layer.spread >= SPREAD and starved and layer.dense > DENSE:
        equalize = f"equalisation with {listing(readers, 2)}" if readers and not options.equalize else ""
        exclude = f"leaving {readers[0]} in float (--exclude)" if readers else ""
        helps = " or ".join(filter(None, [equalize, exclude]))
        return (
            f"{layer.name}: channel {layer.widest} has {layer.spread:.0f} times the range of the others, which share "
            f"its scale{f'; {helps} would help' if helps else ''}"
        )
    if layer.own is None or layer.own > QUIET:
        return ""
    wild = layer.outlier is not None and layer.outlier >= OUTLIER
    by_weights = layer.weight_sqnr is not None and layer.weight_sqnr < layer.own + 1.5
    if by_weights and (wild or loud):
        what = f"weights of {layer.weight_bits} bits cause most of its noise ({layer.weight_sqnr:.1f} dB)"
        if wild:
            what += f", and one of channel {layer.outlier_channel} is {layer.outlier:.0f} times their root mean square"
        helps = "--round-weights gptq" if options.rounding != "gptq" else f"--exclude {layer.name}"
        if layer.weight_bits is not None and layer.weight_bits < 8:
            helps = f"8 bits for this layer, a smaller --block, or {helps}"
        return f"{layer.name}: {what}; {helps} would help"
    # What a function behind it makes nothing of may well be cut off.
    harms = layer.lasting is None or layer.sqnr is None or layer.lasting < layer.sqnr + 3
    if layer.clipped >= CLIPPED and harms:
        return (
            f"{layer.name}: {100 * layer.clipped:.1f} % of its numbers are cut off at [{layer.range[0]:.3g}, "
            f"{layer.range[1]:.3g}], they reach [{layer.seen[0]:.3g}, {layer.seen[1]:.3g}]; --ranges minmax keeps them"
        )
    if layer.dense <= DENSE:
        exclude = f"--exclude {readers[0] if readers else layer.name}"
        return (
            f"{layer.name}: 99.9 % of its numbers are within {100 * layer.dense:.0f} % of the range, the rest takes "
            f"the integers from them; --ranges mse or percentile, or {exclude}, would help"
        )
    if layer.used <= 0.5 and options.symmetric:
        return f"{layer.name}: its numbers are of one sign and use half of the range; without --symmetric, all of it"
    if layer.used <= 0.5:
        return (
            f"{layer.name}: its numbers use {100 * layer.used:.0f} % of the range, which it shares with other tensors "
            "of an Add or Concat, or which other samples made wide"
        )
    if loud:
        return (
            f"{layer.name}: among the layers that add most noise ({layer.own:.1f} dB), for no reason that its ranges "
            "or weights show; in float (--exclude) it adds none"
        )
    return ""


def _summary(
    layers: Sequence[LayerReport], outputs: Sequence[OutputReport], result: Quantized, count: int
) -> tuple[str, ...]:
    sentences = []
    for output in outputs:
        if output.sqnr is not None and output.cosine is not None:
            sentences.append(
                f"Output {output.name}: signal-to-noise ratio {ratio(output.sqnr)} dB, cosine {output.cosine:.5f}, on "
                f"{count} sample{'s' * (count != 1)}."
            )
    loud = _loudest(layers)
    if loud:
        named = listing([f"{layer.name} ({ratio(layer.own)} dB)" for layer in loud[:3]])
        sentences.append(f"Most noise comes from {named}.")
    kept = len(result.left_in_float)
    sentences.append(
        f"{len(layers)} layers are integer arithmetic, {kept} node{'s' * (kept != 1)} stay{'s' * (kept == 1)} in float."
    )
    return tuple(sentences)
