"""`acc report`: numbers that belong together, and a page that works in a browser."""

from __future__ import annotations

import functools
import html
import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import acc
from acc.cli import main
from acc.inspect.model_page import to_html
from acc.inspect.model_report import ModelReport, make_report
from browser import Balance, look
from qdq_models import random_network
from test_session import affine


@functools.cache
def accelerated() -> ModelReport:
    return make_report(random_network(0), target="vta", name="<b>&'net'.onnx")


@functools.cache
def native() -> ModelReport:
    return make_report(affine(3)[0])


def test_numbers_belong_together() -> None:
    report = accelerated()
    activity = report.activity
    assert activity is not None and activity.products_per_cycle == 256 and activity.bytes_per_cycle == 8
    on_it = [row for row in report.rows if not row.is_native]
    assert sum(row.cycles or 0 for row in on_it) == activity.cycles == sum(item.cycles for item in activity.launches)
    for row in on_it:
        # What a run moved is what the compiler said it would move.
        assert row.bytes == sum(row.layer.dram_bytes.values()) == sum(row.moved.values())
        assert row.bound in ("products", "vectors", "load", "store", "resets") and row.seconds is None
        if row.layer.macs:
            assert 0 < (row.utilisation or 0) <= (row.filled or 0) <= 1
            assert row.filled == pytest.approx(row.layer.macs / (row.layer.gemm_steps * 256))
    assert all(row.cycles is None and row.seconds is not None for row in report.rows if row.is_native)


def test_slices_and_memories_are_within_what_there_is() -> None:
    activity = accelerated().activity
    assert activity is not None
    for launch in activity.launches:
        assert set(launch.tracks) == {"fetch", "load", "compute", "store"}
        for track in launch.tracks.values():
            for before, after in itertools.pairwise(track):
                assert before.begin <= before.end <= activity.cycles and before.end <= after.end
    assert [memory.name for memory in activity.memories] == ["DRAM", "inputs", "weights", "accumulators", "micro-ops"]
    for memory in activity.memories:
        for use in memory.uses:
            assert 0 <= use.begin <= use.end <= activity.cycles and 0 <= use.low < use.high <= memory.bytes
        if memory.name == "DRAM":
            continue
        # Two things are never at the same place at the same time.
        for at, use in enumerate(memory.uses):
            for other in memory.uses[:at]:
                apart = use.high <= other.low or other.high <= use.low
                assert apart or use.end <= other.begin or other.end <= use.begin


def test_every_kernel_says_what_it_reads() -> None:
    for seed in range(4):
        for target in ("cpu", "vta"):
            layers = acc.compile(random_network(seed), target).report()
            assert any(-1 in layer.reads for layer in layers)
            for row, layer in enumerate(layers):
                assert all(-1 <= source < row for source in layer.reads) and layer.reads
            # Everything but what is returned is read by somebody.
            read = {source for layer in layers for source in layer.reads}
            assert set(range(len(layers) - 1)) <= read


@pytest.mark.parametrize("made", [accelerated, native])
def test_page_is_whole_and_has_the_numbers_of_the_json(made: Any) -> None:
    report = made()
    page = to_html(report)
    balance = Balance()
    balance.feed(page)
    assert not balance.open and not balance.outside and balance.links <= {f"#{name}" for name in balance.ids}
    found = re.search(r"<script type='application/json' id='data'>(.*?)</script>", page, re.DOTALL)
    assert found is not None and json.loads(found.group(1)) == json.loads(json.dumps(report.to_dict()))
    assert "<b>&'" not in page
    for number, row in enumerate(report.rows):
        line = page[page.index(f"<tr id='layer{number}'>") :]
        line = line[: line.index("</tr>")]
        assert html.escape(row.layer.name) in line
        for value in (row.cycles, row.bytes, row.layer.macs):
            assert not value or f">{value:,}<" in line
        assert row.layer.reason == "" or html.escape(row.layer.reason, quote=True) in page
    framed = report._repr_html_()
    assert framed.startswith("<iframe") and html.escape("<h2>Layers</h2>") in framed


def test_what_to_do_names_the_layers_that_take_most() -> None:
    report = accelerated()
    assert report.sentences[0].row is None and "MACs are done in a cycle" in report.sentences[0].text
    named = [sentence for sentence in report.sentences if sentence.row is not None]
    most = max(range(len(report.rows)), key=lambda at: report.rows[at].cycles or 0)
    assert named[0].row == most and named[0].text.startswith(report.rows[most].layer.name)
    share = 100 * (report.rows[most].cycles or 0) / (report.cycles or 1)
    assert f"takes {share:.0f} % of the cycles" in named[0].text
    assert any("runs natively" in sentence.text for sentence in report.sentences)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(random_network(0), tmp_path / "m.onnx")
    onnx.save(affine("rows")[0], tmp_path / "open.onnx")
    np.savez(tmp_path / "x.npz", x=np.zeros((5, 4), np.float32))
    assert main(["compile", str(tmp_path / "m.onnx"), "--target", "vta", "-o", str(tmp_path / "m.so")]) == 0
    results = []
    for arguments in ([str(tmp_path / "m.so")], [str(tmp_path / "m.onnx"), "--target", "vta"]):
        assert main(["report", *arguments, "--json", "-o", str(tmp_path / "r.html")]) == 0
        results.append(json.loads(capsys.readouterr().out))
        assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    assert results[0]["cycles"] == results[1]["cycles"] and results[0]["activity"] == results[1]["activity"]
    assert main(["report", str(tmp_path / "open.onnx"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert "x [rows, 4]; give inputs by --input" in facts["notes"][0] and facts["seconds"] is None
    assert main(["report", str(tmp_path / "open.onnx"), "--json", "--input", str(tmp_path / "x.npz")]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert not facts["notes"] and facts["seconds"] > 0 and facts["next"]


def test_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str], cpu: Path) -> None:
    (tmp_path / "bad.so").write_bytes(cpu.read_bytes()[:-100])
    (tmp_path / "bad.onnx").write_text("no model")
    np.savez(tmp_path / "y.npz", y=np.zeros(3))
    page = tmp_path / "r.html"
    for arguments, said in [
        ([str(tmp_path / "bad.so")], "not a model compiled by acc"),
        ([str(tmp_path / "bad.onnx")], "not an ONNX model"),
        ([str(tmp_path / "none.so")], "cannot read"),
        ([str(cpu), "--input", str(tmp_path / "y.npz")], "'x' (float32[4, 8]) is missing"),
        ([str(cpu), "--input", str(tmp_path / "none.npz")], "none.npz"),
        ([str(cpu), "--target", "vta"], "this one is compiled already"),
    ]:
        assert main(["report", *arguments, "-o", str(page)]) == 2
        assert said in capsys.readouterr().err and not page.exists()
    assert main(["report", str(cpu)]) == 2 and "-o report.html" in capsys.readouterr().err
    assert main(["report", str(cpu), "-o", str(tmp_path / "none" / "r.html")]) == 2
    assert "no folder" in capsys.readouterr().err


PROBE = """(() => {
  const button = name => [...page.querySelectorAll('th button')].find(item => item.textContent === name);
  const column = name => [...page.querySelectorAll('th')].findIndex(item => item.textContent === name);
  const rows = () => [...page.querySelectorAll('tbody tr')];
  const values = name => rows().map(row => Number(row.cells[column(name)].dataset.value));
  const first = values('cycles');
  button('cycles').click();
  const down = values('cycles');
  button('cycles').click();
  const up = values('cycles');
  button('layer').click();
  const again = values('cycles');
  const canvas = page.getElementById('timeline'), tip = page.getElementById('tip');
  const box = canvas.getBoundingClientRect();
  const hover = (x, y) => canvas.dispatchEvent(new inner.PointerEvent('pointermove', {clientX: x, clientY: y}));
  const texts = new Set();
  for (let x = 2; x < box.width; x += 3)
    for (let y = 5; y < box.height; y += 11) {
      hover(box.left + x, box.top + y);
      if (tip.style.display === 'block') texts.add(tip.textContent);
    }
  const shown = () => {
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    let count = 0;
    for (let at = 3; at < pixels.length; at += 4) count += pixels[at] > 0;
    return count / (canvas.width * canvas.height);
  };
  const wide = shown();
  page.querySelector('[data-zoom="0.5"]').click();
  return {scroll: page.documentElement.scrollWidth, inner: inner.innerWidth, first, down, up, again, texts: [...texts],
    wide, near: shown(), problems: inner.problems, canvases: page.querySelectorAll('canvas').length,
    nodes: page.querySelectorAll('svg .node').length, points: page.querySelectorAll('#roofline circle').length};
})()"""


@pytest.mark.parametrize("width", [360, 1280])
def test_page_in_a_browser(browser: str, width: int, tmp_path: Path) -> None:
    """Nothing is wider than the window, no script fails, the table sorts, pieces of the timeline say what they are."""
    report = accelerated()
    facts = look(browser, to_html(report), PROBE, width, tmp_path)
    assert facts["problems"] == [] and facts["inner"] == width and facts["scroll"] <= width, facts
    cycles = [row.cycles or 0 for row in report.rows]
    assert facts["first"] == facts["again"] == cycles
    assert facts["down"] == sorted(cycles, reverse=True) and facts["up"] == sorted(cycles)
    assert facts["canvases"] == 6 and facts["nodes"] == len(cycles) and facts["points"] >= 3
    assert 0.05 < facts["wide"] < 0.9 and 0.02 < facts["near"] < 0.95
    said = "\n".join(facts["texts"])
    assert "GEMM, cycles" in said and "waits for" in said and "LOAD" in said and "STORE" in said
    for row in report.rows:
        if (row.cycles or 0) > 2000:
            assert row.layer.name in said


def test_page_of_native_code_in_a_browser(browser: str, tmp_path: Path) -> None:
    probe = "{problems: inner.problems, rows: count('tbody tr'), canvases: count('canvas')}"
    probe = f"(count => ({probe}))(what => page.querySelectorAll(what).length)"
    facts = look(browser, to_html(native()), probe, 360, tmp_path)
    assert facts == {"problems": [], "rows": len(native().rows), "canvases": 0}
