"""The report of a model as one HTML page: graph, table, roofline, timeline and memories (see `acc.page`).

What is drawn by script is drawn from the same data that `ModelReport.to_dict` returns, which the page has in it.
Without scripts, everything but the timeline and the memories is there, and the table is in the order of the model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from acc.inspect.model_report import ModelReport, Row
from acc.inspect.page_script import SCRIPT
from acc.page import document, text

__all__ = ["to_html"]

_STYLE = """
.tall { max-height: 34rem; overflow: auto; }
svg.graph { max-width: none; margin: 0 auto; }
svg .node { fill: var(--ground); stroke: var(--line); } svg .node.accelerated { stroke: var(--mark); stroke-width: 2; }
svg .name { fill: var(--ink); } svg .edge { stroke: var(--dim); fill: none; }
svg .roof { stroke: var(--mark); fill: none; stroke-width: 1.5; } svg .point { fill: var(--fair); }
th button { all: unset; cursor: pointer; } th button:focus-visible { outline: 2px solid var(--mark); }
th[aria-sort=descending] button::after { content: ' \\2193'; }
th[aria-sort=ascending] button::after { content: ' \\2191'; }
canvas { display: block; width: 100%; touch-action: pan-y; cursor: crosshair; }
.bar button { font: inherit; padding: .2rem .8rem; margin-right: .3rem; border: 1px solid var(--line);
  border-radius: .3rem; background: var(--ground); color: var(--ink); }
#tip { position: fixed; z-index: 1; pointer-events: none; display: none; max-width: 18rem; padding: .3rem .6rem;
  background: var(--ink); color: var(--ground); border-radius: .3rem; font-size: .8rem; }
"""

COLUMNS = ("layer", "target", "MACs", "cycles", "time", "bytes", "utilisation", "bound", "schedule")


def to_html(report: ModelReport) -> str:
    """The page, a whole document."""
    data = json.dumps(report.to_dict(), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    parts = [
        f"<h1>{text(report.model)}</h1>",
        _facts(report),
        *(f"<p class='dim'>{text(note[:1].upper() + note[1:])}.</p>" for note in report.notes),
        _next(report),
        "<h2>Layers</h2>",
        _table(report),
        "<h2>Network</h2>" if report.rows else "",
        _graph(report.rows),
        _roofline(report),
        _drawings(report),
        _reasons(report.rows),
        "<div id='tip' role='tooltip'></div>",
        f"<script type='application/json' id='data'>{data}</script>",
        f"<script>{SCRIPT}</script>",
    ]
    return document(f"Report of {report.model}", parts, _STYLE)


def _facts(report: ModelReport) -> str:
    facts = [("target", report.target)]
    facts += [("input", f"{info.name}: {info}") for info in report.inputs]
    facts += [("output", f"{info.name}: {info}") for info in report.outputs]
    if report.activity is not None:
        facts.append(("accelerator", f"{report.activity.cycles:,} cycles on {report.activity.device}"))
    if report.seconds is not None:
        facts.append(("native kernels", f"{_time(report.seconds)}, in one run on this machine"))
    facts.append(("file", ", ".join(f"{count:,} bytes of {name}" for name, count in report.sizes.items() if count)))
    if report.arena:
        facts.append(("memory", f"{report.arena['total']:,} bytes on the accelerator"))
    return "<dl>" + "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in facts) + "</dl>"


def _next(report: ModelReport) -> str:
    items = []
    for sentence in report.sentences:
        said = text(sentence.text)
        if sentence.row is not None:
            name = text(report.rows[sentence.row].layer.name)
            said = f"<a href='#layer{sentence.row}'>{name}</a>{said.removeprefix(name)}"
        items.append(f"<li>{said}</li>")
    return f"<h2>What to do next</h2>\n<div class='card'><ul>{''.join(items)}</ul></div>" if items else ""


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.3f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.1f} µs"


def _cells(row: Row) -> list[tuple[str, object]]:
    """What is shown, and what it is sorted by."""
    layer = row.layer
    macs = "?" if layer.macs is None else f"{layer.macs:,}" if layer.macs else ""
    percent = "" if row.utilisation is None else f"{100 * row.utilisation:.1f} %"
    return [
        (layer.target, layer.target),
        (macs, layer.macs or 0),
        ("" if row.cycles is None else f"{row.cycles:,}", row.cycles or 0),
        ("" if row.seconds is None else _time(row.seconds), row.seconds or 0),
        ("" if row.bytes is None else f"{row.bytes:,}", row.bytes or 0),
        (percent, row.utilisation or 0),
        (row.bound, row.bound),
        (layer.schedule, layer.schedule),
    ]


def _table(report: ModelReport) -> str:
    # Columns that are empty everywhere, such as cycles of native code, are left out.
    cells = [_cells(row) for row in report.rows]
    kept = [at for at in range(len(COLUMNS) - 1) if any(row[at][0] for row in cells)]
    heads = ["layer", *(COLUMNS[at + 1] for at in kept)]
    head = "".join(f"<th scope='col'><button type='button'>{name}</button></th>" for name in heads)
    body = []
    for number, (row, values) in enumerate(zip(report.rows, cells, strict=True)):
        name = f"<td data-value='{number}'>{text(row.layer.name)}</td>"
        shown = "".join(f"<td data-value='{text(values[at][1])}'>{text(values[at][0])}</td>" for at in kept)
        body.append(f"<tr id='layer{number}'>{name}{shown}</tr>")
    return (
        f"<div class='wide tall'><table id='layers'><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


_WIDE, _HIGH, _GAP = 216, 36, 18
"""Of a box of the graph, and between boxes."""


def _graph(rows: Sequence[Row]) -> str:
    """A box for each kernel, below those that it reads; the line to one further up goes round those in between."""
    if not rows:
        return ""
    ranks: list[int] = []
    for number, row in enumerate(rows):
        ranks.append(1 + max((ranks[source] for source in row.layer.reads if 0 <= source < number), default=-1))
    columns: dict[int, int] = {}
    places: list[tuple[float, float]] = []
    for rank in ranks:
        column = columns.get(rank, 0)
        columns[rank] = column + 1
        places.append((8 + column * (_WIDE + _GAP), 8 + rank * (_HIGH + _GAP)))
    width = 16 + max(columns.values()) * (_WIDE + _GAP) + 64
    height = 16 + (max(ranks) + 1) * (_HIGH + _GAP)
    edges, boxes = [], []
    for number, row in enumerate(rows):
        x, y = places[number]
        for source in row.layer.reads:
            if not 0 <= source < number:
                continue
            from_x, from_y = places[source]
            a, b = (from_x + _WIDE / 2, from_y + _HIGH), (x + _WIDE / 2, y)
            if ranks[number] - ranks[source] == 1:
                edges.append(f"<path class='edge' d='M{a[0]:.0f} {a[1]:.0f}L{b[0]:.0f} {b[1]:.0f}'/>")
            else:
                side = max(from_x, x) + _WIDE
                out = side + min(56, 16 + 4 * (ranks[number] - ranks[source]))
                from_side, to_side = (from_x + _WIDE, from_y + _HIGH / 2), (x + _WIDE, y + _HIGH / 2)
                edges.append(
                    f"<path class='edge' d='M{from_side[0]:.0f} {from_side[1]:.0f}C{out:.0f} {from_side[1]:.0f} "
                    f"{out:.0f} {to_side[1]:.0f} {to_side[0]:.0f} {to_side[1]:.0f}'/>"
                )
        boxes.append(_box(number, row, x, y))
    return (
        f"<figure class='card'><div class='wide tall'><svg class='graph' style='width:{width}px' "
        f"viewBox='0 0 {width} {height}' role='img' aria-label='The network'>{''.join(edges)}{''.join(boxes)}</svg>"
        "</div>"
        "<figcaption>Kernels with a thick border run on the accelerator; why the others do not is below, and where the "
        "pointer rests.</figcaption></figure>"
    )


def _box(number: int, row: Row, x: float, y: float) -> str:
    layer = row.layer
    name = layer.name if len(layer.name) <= 32 else f"…{layer.name[-31:]}"
    measured = f"{row.cycles:,} cycles" if row.cycles is not None else _time(row.seconds) if row.seconds else ""
    below = ", ".join(filter(None, (layer.target, measured)))
    title = "\n".join(filter(None, (layer.name, below, layer.reason, layer.schedule)))
    kind = "node" if row.is_native else "node accelerated"
    return (
        f"<a href='#layer{number}'><rect class='{kind}' x='{x:.0f}' y='{y:.0f}' width='{_WIDE}' height='{_HIGH}' "
        f"rx='5'>"
        f"<title>{text(title)}</title></rect><text class='name' x='{x + 8:.0f}' y='{y + 15:.0f}'>{text(name)}</text>"
        f"<text x='{x + 8:.0f}' y='{y + 29:.0f}'>{text(below)}</text></a>"
    )


def _roofline(report: ModelReport) -> str:
    """Products for each byte against products for each cycle, both logarithmic, below what the hardware can do."""
    activity = report.activity
    points = [
        (row.intensity, (row.layer.macs or 0) / row.cycles, number, row)
        for number, row in enumerate(report.rows)
        if row.intensity and row.cycles
    ]
    if activity is None or not points:
        return ""
    peak, slope = activity.products_per_cycle, activity.bytes_per_cycle
    knee = peak / slope
    low_x = math.floor(math.log10(min(knee, *(point[0] for point in points))))
    high_x = math.ceil(math.log10(max(knee, *(point[0] for point in points)) * 1.01))
    low_y = math.floor(math.log10(min(point[1] for point in points)))
    high_y = math.ceil(math.log10(peak * 1.01))
    width, height, left, bottom = 640, 320, 44, 34

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - low_x) / max(high_x - low_x, 1)
        up = (math.log10(y) - low_y) / max(high_y - low_y, 1)
        return left + across * (width - left - 24), height - bottom - up * (height - bottom - 10)

    parts = []
    for power in range(low_x, high_x + 1):
        x, _ = place(10.0**power, 10.0**low_y)
        parts.append(f"<line class='axis' x1='{x:.1f}' y1='10' x2='{x:.1f}' y2='{height - bottom}'/>")
        parts.append(f"<text x='{x:.1f}' y='{height - bottom + 14}' text-anchor='middle'>{10.0**power:g}</text>")
    for power in range(low_y, high_y + 1):
        _, y = place(10.0**low_x, 10.0**power)
        parts.append(f"<line class='axis' x1='{left}' y1='{y:.1f}' x2='{width - 24}' y2='{y:.1f}'/>")
        parts.append(f"<text x='{left - 5}' y='{y + 4:.1f}' text-anchor='end'>{10.0**power:g}</text>")
    # The slope enters the plot from below or from the left.
    start = max(10.0**low_x, 10.0**low_y / slope)
    corners = [place(start, start * slope), place(knee, peak), place(10.0**high_x, peak)]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in corners)
    dots = []
    for intensity, rate, number, row in points:
        x, y = place(intensity, rate)
        label = f"{row.layer.name}: {rate:.1f} MACs per cycle, {intensity:.1f} per byte, bound by {row.bound}"
        dots.append(
            f"<a href='#layer{number}'><circle class='point' cx='{x:.1f}' cy='{y:.1f}' r='4.5'>"
            f"<title>{text(label)}</title></circle></a>"
        )
    return (
        "<h2>Roofline</h2><figure class='card'><div class='wide'>"
        f"<svg id='roofline' style='min-width:28rem' viewBox='0 0 {width} {height}' role='img' aria-label='Roofline'>"
        f"{''.join(parts)}<path class='roof' d='{path}'/>{''.join(dots)}"
        f"<text x='{width - 10}' y='{height - 4}' text-anchor='end'>MACs per byte moved</text>"
        f"<text x='{left + 4}' y='20'>MACs per cycle</text></svg></div><figcaption>The line is what the hardware "
        f"can do: {peak:,} multiply-accumulates and {slope} bytes in a cycle. Layers far below it wait, or fill up "
        "blocks.</figcaption></figure>"
    )


def _drawings(report: ModelReport) -> str:
    if report.activity is None:
        return ""
    units = list(dict.fromkeys(unit for launch in report.activity.launches for unit in launch.tracks))
    memories = "".join(
        f"<figure class='card'><canvas data-memory='{number}' height='150' role='img' "
        f"aria-label='{text(memory.name)}'></canvas><figcaption>{text(memory.name)}: {memory.bytes:,} bytes"
        f"{'' if memory.uses else ', not used'}</figcaption></figure>"
        for number, memory in enumerate(report.activity.memories)
    )
    return (
        "<h2>Timeline</h2><div class='card'><p class='bar'><button type='button' data-zoom='0.5'>closer</button>"
        "<button type='button' data-zoom='2'>wider</button><button type='button' data-zoom='0'>all</button></p>"
        f"<canvas id='timeline' height='{44 * len(units) + 20}' data-units='{text(json.dumps(units))}' role='img' "
        "aria-label='Timeline'></canvas><p class='dim'>Colours are layers, pale pieces are waits. Drag to move, turn "
        "the wheel to come closer; rest to read.</p></div>"
        "<h2>Memories over time</h2><p class='dim'>From the bottom up by address: what lies where, from its load until "
        "something else takes its place; in DRAM, from the first access of a layer to its last. The same times as "
        f"above.</p>{memories}"
    )


def _reasons(rows: Sequence[Row]) -> str:
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.layer.reason:
            reasons.setdefault(row.layer.reason, []).append(row.layer.name)
    items = "".join(
        f"<li>{text(reason)} <span class='dim'>{text(', '.join(names))}</span></li>"
        for reason, names in reasons.items()
    )
    return f"<h2>On the CPU because</h2><ul>{items}</ul>" if items else ""
