"""The report of a quantization as one HTML file: no script, and what `acc.page` says.

Each plot has a fixed coordinate system and is as wide as its column.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from acc.page import document, text
from acc.quantization.advice import SPREAD
from acc.quantization.layer_reports import Histogram, LayerReport, Report, ratio

__all__ = ["to_html"]

GOOD, FAIR = 30.0, 20.0
"""From which signal-to-noise ratio on, in dB, a layer is shown as good, and as fair."""

MAX_SENTENCES = 12
"""Of more, the rest is folded away."""

TOP = 60.0
"""The ratio at the upper end of plots, in dB."""

_STYLE = """
.overview svg { min-width: 34rem; } code { white-space: nowrap; font-size: .9em; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(17rem, 100%), 1fr)); gap: .75rem; }
.bar { fill: var(--fill); } .hot { fill: var(--bad); } .peak { fill: var(--mark); }
.range { stroke: var(--mark); fill: none; stroke-dasharray: 4 3; }
.curve { stroke: var(--mark); fill: none; stroke-width: 1.5; }
"""


def to_html(report: Report, title: str) -> str:
    """The page, a whole document. title: what was quantized, such as the name of its file."""
    shown = [layer for layer in report.layers if layer.is_shown]
    parts = [
        f"<h1>Quantization of {text(title)}</h1>",
        *(f"<p>{text(sentence)}</p>" for sentence in report.summary),
        *(f"<p class='dim'>{text(note[:1].upper() + note[1:])}.</p>" for note in report.notes),
        _advice(shown),
        "<h2>Noise, layer by layer</h2>",
        _overview(shown),
        _table(shown),
        "<h2>Every layer</h2>",
        *(_details(index, layer) for index, layer in enumerate(shown)),
        _in_float(report),
        _options(report),
    ]
    return document(f"Quantization of {title}", parts, _STYLE)


def _grade(value: float | None) -> str:
    if value is None or value >= GOOD:
        return "good"
    return "fair" if value >= FAIR else "bad"


def _number(value: float) -> str:
    return f"{value:.4g}"


def _advice(layers: Sequence[LayerReport]) -> str:
    """The sentences, each with a link to its layer; of many, those of the layers that add the most noise come first."""
    told = [(index, layer) for index, layer in enumerate(layers) if layer.sentence]
    if len(told) > MAX_SENTENCES:
        told.sort(key=lambda item: math.inf if item[1].own is None else item[1].own)
    items = [f"<li>{_linked(layer.sentence, layer.name, index)}</li>" for index, layer in told]
    if not items:
        return ""
    first, rest = "".join(items[:MAX_SENTENCES]), items[MAX_SENTENCES:]
    more = f"<details><summary>{len(rest)} more</summary><ul>{''.join(rest)}</ul></details>" if rest else ""
    return f"<h2>What would help</h2>\n<div class='card'><ul>{first}</ul>{more}</div>"


def _linked(sentence: str, name: str, index: int) -> str:
    return f"<a href='#layer{index}'>{text(name)}</a>{_marked(sentence.removeprefix(name))}"


def _marked(sentence: str) -> str:
    """A sentence with the options of the command line in it set as code."""
    return re.sub(r"--[a-z-]+( (minmax|mse|gptq|percentile)\b)?", r"<code>\g<0></code>", text(sentence))


def _overview(layers: Sequence[LayerReport]) -> str:
    """The ratio along the network as a curve, and of each layer its own as a dot."""
    # Dots of many layers stand side by side still; the figure is scrolled then.
    width, height, left, bottom = max(640, 8 * len(layers)), 230, 34, 18
    wide = f"style='min-width: {width}px'" if width > 640 else ""
    measured = [(index, layer) for index, layer in enumerate(layers) if layer.sqnr is not None]
    if not measured:
        return ""
    step = (width - left - 8) / max(1, len(layers) - 1)

    def place(index: int, value: float) -> tuple[float, float]:
        clamped = min(max(value, 0.0), TOP)
        return left + index * step, 8 + (height - bottom - 8) * (1 - clamped / TOP)

    def path() -> str:
        points = (place(index, layer.sqnr or 0.0) for index, layer in measured)
        return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)

    lines = []
    for value in range(0, int(TOP) + 1, 10):
        _, y = place(0, value)
        lines.append(f"<line class='axis' x1='{left}' y1='{y:.1f}' x2='{width}' y2='{y:.1f}'/>")
        lines.append(f"<text x='{left - 5}' y='{y + 4:.1f}' text-anchor='end'>{value}</text>")
    dots = []
    for index, layer in enumerate(layers):
        if layer.own is None:
            continue
        x, y = place(index, layer.own)
        label = f"{layer.name}: {ratio(layer.own)} dB of its own"
        dots.append(
            f"<a href='#layer{index}'><circle class='{_grade(layer.own)}' cx='{x:.1f}' cy='{y:.1f}' r='3.5'>"
            f"<title>{text(label)}</title></circle></a>"
        )
    return (
        f"<figure class='card'><div class='wide overview'><svg viewBox='0 0 {width} {height}' {wide} role='img' "
        f"aria-label='Signal-to-noise ratio by layer'>{''.join(lines)}<path class='curve' d='{path()}'/>{''.join(dots)}"
        f"<text x='{left}' y='{height - 3}'>first layer</text>"
        f"<text x='{width - 2}' y='{height - 3}' text-anchor='end'>last layer</text></svg></div>"
        "<figcaption>Signal-to-noise ratio in dB, more is better. The curve is that of the layers' outputs, with the "
        "noise of all layers before them. A dot is what a layer would have if what it reads were exact: the lowest "
        "dots are where noise comes from.</figcaption></figure>"
    )


def _table(layers: Sequence[LayerReport]) -> str:
    header = ("layer", "SQNR dB", "own dB", "cosine", "clipped", "range used", "worst channel", "ties")
    rows = []
    for index, layer in enumerate(layers):
        worst = "" if layer.worst_channel is None else f"{layer.worst_channel}: {ratio(layer.worst_sqnr)} dB"
        cells = (
            f"<a href='#layer{index}'>{text(layer.name)}</a> <span class='dim'>{text(layer.op_type)}</span>",
            f"<span class='{_grade(layer.sqnr)}'>{ratio(layer.sqnr)}</span>",
            f"<span class='{_grade(layer.own)}'>{ratio(layer.own)}</span>",
            "" if layer.cosine is None else f"{layer.cosine:.5f}",
            f"{100 * layer.clipped:.3f} %",
            f"{100 * layer.used:.0f} %",
            worst,
            "" if layer.ties is None else f"{100 * layer.ties:.1f} %",
        )
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{name}</th>" for name in header)
    return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"


def _details(index: int, layer: LayerReport) -> str:
    facts = [
        ("seen", f"{_number(layer.seen[0])} to {_number(layer.seen[1])}"),
        ("integers stand for", f"{_number(layer.range[0])} to {_number(layer.range[1])}"),
        ("cut off", f"{100 * layer.clipped:.3f} % of the numbers"),
        ("99.9 % of the numbers are in", f"{100 * layer.dense:.0f} % of the range"),
    ]
    if layer.spread is not None:
        facts.append(("widest channel", f"{layer.widest}, {layer.spread:.1f} times the median"))
    if layer.worst_channel is not None:
        facts.append(("worst channel", f"{layer.worst_channel}, {ratio(layer.worst_sqnr)} dB"))
    if layer.weight_sqnr is not None:
        facts.append(("weights", f"{layer.weight_bits} bits, {ratio(layer.weight_sqnr)} dB"))
    if layer.weight_spread is not None:
        facts.append(("largest weights", f"channel {layer.weight_widest}, {layer.weight_spread:.1f} times the median"))
    if layer.outlier is not None:
        facts.append(
            ("weight outlier", f"{layer.outlier:.1f} times the root mean square, in channel {layer.outlier_channel}")
        )
    if layer.ties is not None:
        facts.append(("requantization ties", f"{100 * layer.ties:.1f} % expected"))
    listed = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in facts)
    plots = [
        _histogram(layer.histogram, layer.range),
        _bars(layer.channels, layer.widest, layer.spread, "Largest numbers by channel of the output"),
        _bars(layer.weight_channels, layer.weight_widest, layer.weight_spread, "Largest weights by output channel"),
    ]
    sentence = f"<p>{_marked(layer.sentence)}</p>" if layer.sentence else ""
    noise = f"<span class='{_grade(layer.sqnr)}'>{ratio(layer.sqnr)} dB</span>" if layer.sqnr is not None else ""
    return (
        f"<details id='layer{index}'{' open' if layer.sentence else ''}><summary><b>{text(layer.name)}</b> "
        f"<span class='dim'>{text(layer.op_type)}</span> {noise}</summary>{sentence}<dl>{listed}</dl>"
        f"<div class='plots'>{''.join(filter(None, plots))}</div></details>"
    )


_WIDTH, _HEIGHT, _FLOOR = 320, 120, 100


def _figure(body: str, caption: str) -> str:
    return (
        f"<figure class='card'><svg viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img' aria-label='{text(caption)}'>{body}"
        f"<line class='axis' x1='0' y1='{_FLOOR}' x2='{_WIDTH}' y2='{_FLOOR}'/></svg>"
        f"<figcaption>{text(caption)}</figcaption></figure>"
    )


def _histogram(histogram: Histogram | None, limits: tuple[float, float]) -> str:
    """Shares on a scale of logarithms, over six decades, with the ends of the range as lines."""
    if histogram is None:
        return ""
    low, high = min(histogram.low, limits[0]), max(histogram.high, limits[1])
    if not high > low:
        return ""

    def place(value: float) -> float:
        return 4 + (_WIDTH - 8) * (value - low) / (high - low)

    size = (histogram.high - histogram.low) / len(histogram.shares)
    bars = []
    for index, share in enumerate(histogram.shares):
        if share <= 0:
            continue
        height = max(1.0, (_FLOOR - 6) * (1 + math.log10(share) / 6))
        start = histogram.low + index * size
        left, right = place(start), place(start + size)
        is_out = start + size <= limits[0] or start >= limits[1]
        bars.append(
            f"<rect class='{'hot' if is_out else 'bar'}' x='{left:.1f}' y='{_FLOOR - height:.1f}' "
            f"width='{max(0.5, right - left - 0.4):.1f}' height='{height:.1f}'/>"
        )
    ends = [
        f"<line class='range' x1='{place(limit):.1f}' y1='2' x2='{place(limit):.1f}' y2='{_FLOOR}'/>"
        for limit in limits
    ]
    labels = (
        f"<text x='2' y='{_HEIGHT - 5}'>{_number(low)}</text>"
        f"<text x='{_WIDTH - 2}' y='{_HEIGHT - 5}' text-anchor='end'>{_number(high)}</text>"
    )
    return _figure(
        "".join([*bars, *ends, labels]), "Numbers of the output (logarithmic), and the range of the integers"
    )


def _bars(values: Sequence[float], widest: int | None, spread: float | None, caption: str) -> str:
    """A bar for each channel; the widest is marked if every channel has its bar, and more so if it is far wider."""
    largest = max(values, default=0.0)
    if largest <= 0:
        return ""
    step = (_WIDTH - 8) / len(values)
    marked = widest if widest is not None and widest < len(values) and values[widest] == largest else None
    mark = "hot" if spread is not None and spread >= SPREAD else "peak"
    bars = [
        f"<rect class='{mark if index == marked else 'bar'}' x='{4 + index * step:.1f}' "
        f"y='{_FLOOR - (_FLOOR - 8) * value / largest:.1f}' width='{max(0.5, step * 0.85):.1f}' "
        f"height='{(_FLOOR - 8) * value / largest:.1f}'/>"
        for index, value in enumerate(values)
    ]
    labels = f"<text x='2' y='{_HEIGHT - 5}'>0 to {_number(largest)}</text>" + (
        f"<text x='{_WIDTH - 2}' y='{_HEIGHT - 5}' text-anchor='end'>largest: {marked}</text>"
        if marked is not None
        else ""
    )
    return _figure("".join(bars) + labels, caption)


def _in_float(report: Report) -> str:
    if not report.left_in_float:
        return ""
    reasons: dict[str, list[str]] = {}
    for name, reason in report.left_in_float:
        reasons.setdefault(reason, []).append(name)
    items = "".join(
        f"<li>{text(reason)} <span class='dim'>{text(', '.join(names))}</span></li>"
        for reason, names in reasons.items()
    )
    return f"<h2>In float</h2><ul>{items}</ul>"


def _options(report: Report) -> str:
    items = "".join(
        f"<dt>{text(name)}</dt><dd>{text('default' if value is None else value)}</dd>"
        for name, value in report.options.items()
    )
    return (
        f"<h2>How it was made</h2><dl><dt>calibrated on</dt><dd>{report.calibrated} samples</dd>"
        f"<dt>noise measured on</dt><dd>{report.measured} samples</dd>{items}</dl>"
    )
