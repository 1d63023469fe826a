"""What a report says of a quantized model and of each of its layers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["Histogram", "LayerReport", "OutputReport", "Report", "ratio"]


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
