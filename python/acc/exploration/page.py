"""front.html: the front of an exploration as one page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from acc.exploration.options import OBJECTIVES, Front, Point, show
from acc.page import document, text

__all__ = ["make_page"]

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 380, 56, 40

STYLE = """
svg .all { fill: var(--line); } svg .front { fill: var(--mark); } svg .default { fill: var(--bad); }
svg .front:hover { fill: var(--good); } svg .stairs { fill: none; stroke: var(--mark); stroke-width: 1; }
.bar { background: var(--fill); height: .7rem; border-radius: .2rem; }
td.bars { width: 40%; min-width: 6rem; }
"""


def make_page(front: Front) -> str:
    """The page."""
    title = f"Hardware for {front.device}"
    parts = [f"<h1>{text(title)}</h1>", _summary(front)]
    pairs = [("latency", "area"), ("latency", "energy"), ("area", "energy")]
    shown = [pair for pair in pairs if set(pair) <= set(front.objectives)] or [("latency", "area")]
    parts += [_plot(front, *pair) for pair in shown[:3]]
    parts.append("<h2>The front</h2>")
    parts.append(_table(front))
    parts += [_point(point) for point in front.points]
    if front.default is not None:
        parts.append("<h2>The default configuration</h2>")
        parts.append(_point(front.default))
    parts.append("<h2>How it was found</h2>")
    parts.append(_search(front))
    return document(title, parts, STYLE)


def _summary(front: Front) -> str:
    routed = sum(point.data["routed"] is not None for point in front.points)
    items = [
        f"{len(front.points)} designs, none of which another one beats in all of: {', '.join(front.objectives)}",
        f"{front.trials:,} designs counted on the cycle model in {front.seconds:.0f} s",
        f"{routed} of the front placed and routed; the frequency and area of the others are predicted",
        f"model: SHA-256 {front.model}",
    ]
    return "<ul>" + "".join(f"<li>{text(item)}</li>" for item in items) + "</ul>"


class _Axis:
    """Logarithmic, from the least to the largest value with some room."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        low, high = math.log10(min(values)), math.log10(max(values))
        room = 0.05 * (high - low) or 0.1
        self.low, self.high, self.start, self.end = low - room, high + room, start, end

    def at(self, value: float) -> float:
        return self.start + (math.log10(value) - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        steps = (1, 2, 5) if self.high - self.low < 2.5 else (1,)
        exponents = range(math.floor(self.low), math.ceil(self.high) + 1)
        ticks = [step * 10.0**exponent for exponent in exponents for step in steps]
        ticks = [tick for tick in ticks if self.low <= math.log10(tick) <= self.high]
        if len(ticks) > 2:
            return ticks
        # So near to each other that steps may be equal.
        first, last = 10**self.low, 10**self.high
        unit = 10.0 ** math.floor(math.log10(last - first))
        step = next(unit * part for part in (0.2, 0.5, 1) if (last - first) / (unit * part) <= 6 or part == 1)
        return [step * number for number in range(math.ceil(first / step), math.floor(last / step) + 1)]


def _plot(front: Front, across: str, up: str) -> str:
    everything = list(front.evaluated)
    chosen = [point.data for point in front.points]
    default = [front.default.data] if front.default is not None else []
    scales = {name: OBJECTIVES[name][1] for name in (across, up)}
    values = [*everything, *chosen, *default]
    x = _Axis([value[across] * scales[across] for value in values], LEFT, WIDTH - 10)
    y = _Axis([value[up] * scales[up] for value in values], HEIGHT - BOTTOM, 10)

    def at(value: Mapping[str, Any]) -> tuple[float, float]:
        return x.at(value[across] * scales[across]), y.at(value[up] * scales[up])

    drawn = []
    for tick in x.ticks():
        drawn.append(f"<line class='axis' x1='{x.at(tick):.1f}' x2='{x.at(tick):.1f}' y1='10' y2='{HEIGHT - BOTTOM}'/>")
        drawn.append(f"<text x='{x.at(tick):.1f}' y='{HEIGHT - BOTTOM + 15}' text-anchor='middle'>{tick:g}</text>")
    for tick in y.ticks():
        drawn.append(f"<line class='axis' x1='{LEFT}' x2='{WIDTH - 10}' y1='{y.at(tick):.1f}' y2='{y.at(tick):.1f}'/>")
        drawn.append(f"<text x='{LEFT - 5}' y='{y.at(tick) + 4:.1f}' text-anchor='end'>{tick:g}</text>")
    for value in everything:
        drawn.append("<circle class='all' r='3' cx='{:.1f}' cy='{:.1f}'/>".format(*at(value)))
    for point in [*front.points, *([front.default] if front.default is not None else [])]:
        kind = "default" if point is front.default else "front"
        place = "cx='{:.1f}' cy='{:.1f}'".format(*at(point.data))
        about = f"<title>{text(point.name)}: {text(point.data['summary'])}</title>"
        drawn.append(f"<a href='#{text(point.name)}'><circle class='{kind}' r='5' {place}>{about}</circle></a>")
    names = [f"{name}, {OBJECTIVES[name][0]}" for name in (across, up)]
    drawn.append(f"<text x='{WIDTH - 10}' y='{HEIGHT - 6}' text-anchor='end'>{text(names[0])}</text>")
    drawn.append(f"<text x='{LEFT}' y='{HEIGHT - 6}'>{text(names[1])} (upwards)</text>")
    caption = "Blue: the front. Red: the default configuration. Grey: the others that were counted."
    return (
        f"<figure><svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{text(' against '.join(names))}'>"
        + "".join(drawn)
        + f"</svg><figcaption>{caption}</figcaption></figure>"
    )


def _figures(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return data["routed"] or data["predicted"]


def _amount(value: float) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def _rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{text(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _table(front: Front) -> str:
    resources = [name for name in front.points[0].data["predicted"]]
    header = ["point", "cycles", *(f"{name}, {OBJECTIVES[name][0]}" for name in OBJECTIVES), *resources, ""]
    rows = []
    for point in [*front.points, *([front.default] if front.default is not None else [])]:
        data = point.data
        rows.append(
            [
                f"<a href='#{text(point.name)}'>{text(point.name)}</a>: {text(data['summary'])}",
                f"{data['cycles']:,}",
                *(f"{data[name] * OBJECTIVES[name][1]:,.4g}" for name in OBJECTIVES),
                *(_amount(_figures(data)[name]) for name in resources),
                "routed" if data["routed"] else "predicted",
            ]
        )
    return _rows(header, rows)


def _point(point: Point) -> str:
    data = point.data
    values = [f"{name} {show(name, data[name])}" for name in OBJECTIVES]
    configuration = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in data["values"].items())
    shares = "".join(
        f"<dt>{text(name)}</dt><dd>{_amount(_figures(data)[name])}, {share:.1%} of the device</dd>"
        for name, share in data["shares"].items()
    )
    most = max((layer["cycles"] for layer in data["layers"]), default=1)
    layers = [
        [
            text(layer["name"] or "(no layer)"),
            f"{layer['cycles']:,}",
            f"{layer['cycles'] / data['cycles']:.1%}",
            f"{layer['gemm_steps'] / max(layer['cycles'], 1):.1%}",
            f"{layer['dram_bytes']:,}",
            f"<div class='bar' style='width:{100 * layer['cycles'] / most:.1f}%'></div>",
        ]
        for layer in data["layers"]
    ]
    table = _rows(["layer", "cycles", "part", "multipliers used", "bytes of memory", ""], layers) if layers else ""
    native = ""
    if data["native"]:
        native = f"<p class='dim'>Left to the host: {text(', '.join(data['native']))}</p>"
    clock = f"{data['mhz']:.1f} MHz, {'routed' if data['routed'] else 'predicted'}"
    return (
        f"<details id='{text(point.name)}'{' open' if point.name == 'point-1' else ''}>"
        f"<summary><b>{text(point.name)}</b>: {text(data['summary'])}; {text(', '.join(values))}</summary>"
        f"<div class='card'><p>{data['cycles']:,} cycles at {text(clock)}</p><dl>{shares}</dl>"
        f"<details><summary>Configuration and circuit</summary><dl>{configuration}</dl></details></div>"
        f"{table}{native}</details>"
    )


def _search(front: Front) -> str:
    space = "".join(
        f"<dt>{text(name)}</dt><dd>{text(', '.join(map(str, values)))}</dd>" for name, values in front.space.items()
    )
    left_out = "".join(
        f"<li>{count:,}: {text(reason)}</li>"
        for reason, count in sorted(front.failed.items(), key=lambda item: -item[1])
    )
    notes = "".join(f"<p>{text(note)}</p>" for note in front.notes)
    return (
        f"{notes}<details><summary>The space</summary><dl>{space}</dl></details>"
        f"<details><summary>What was left out</summary><ul>{left_out}</ul></details>"
    )
