"""Estimates for chips, and FPGAs beside the ECP5: what tools are told, and what is said of bad input."""

from __future__ import annotations

import importlib.util
import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from acc.cli import main
from acc.errors import ConfigError
from acc.hardware import asic, nexus, synthesis
from acc.hardware.simulator import sources
from acc.hardware.toolchain import ToolError
from acc.targets.vta.config import load_config

DATA = Path(asic.__file__).parent / "data" / "osu018.toml"
TINY = {
    "LOG_BLOCK_IN": 1,
    "LOG_BLOCK_OUT": 1,
    "LOG_UOP_BUFF_SIZE": 9,
    "LOG_INP_BUFF_SIZE": 9,
    "LOG_WGT_BUFF_SIZE": 9,
    "LOG_ACC_BUFF_SIZE": 10,
}
YOSYS = importlib.util.find_spec("pyosys") is not None


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library whose cells are there, whatever is installed."""
    (tmp_path / "cells.lib").write_text("library (cells) {}\n")
    path = tmp_path / "own.toml"
    path.write_text(DATA.read_text().replace("/usr/share/qflow/tech/osu018/osu018_stdcells.lib", "cells.lib"))
    return path


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands in for yosys and OpenSTA; lists what was run."""
    runs: list[str] = []

    def run(script: str, arguments: Sequence[str], folder: Path, what: str, progress: Any) -> None:
        runs.append(what)
        if what == "timing":
            assert "create_clock -name clk -period 5.0 [" in (folder / "timing.tcl").read_text()
            (folder / "timing.log").write_text("worst slack -3.00\nTotal  1.0e-3 2.0e-3 1.0e-9 3.0e-3 100.0%\n")
            return
        job = json.loads((folder / "job.json").read_text())
        assert job["period_ps"] == 5000 and Path(job["liberty"]).name == "cells.lib"
        area = {"acc_dot": 1000.0, "acc_core": 50000.0}[job["top"]]
        cells = {"num_cells": 410, "area": area, "sequential_area": area / 4}
        (folder / "cells.json").write_text(json.dumps({"design": cells}))
        (folder / "memories.json").write_text("[[512, 64, 4], [32, 129, 6]]")

    monkeypatch.setattr(asic, "run_script", run)
    monkeypatch.setattr(asic, "_tool", lambda module: "1.0")
    monkeypatch.setattr(asic.shutil, "which", lambda name: f"/usr/bin/{name}")
    return runs


def test_estimate_adds_up(library: Path, tools: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hw", "synth", "--device", f"asic:{library}", "--target-mhz", "200", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert tools == ["synthesis of acc_dot", "synthesis of acc_core", "timing"]
    assert found["cells"] == 400 and found["cell_um2"] == 50000 and found["multipliers_um2"] == 16000
    # 5 ns and 3 ns too slow; power is of the frequency that is reached.
    assert found["fmax_mhz"] == pytest.approx(125) and found["cells_mw"] == pytest.approx(3 * 125 / 200)
    model = asic.read_library(f"asic:{library}")
    areas = 4 * model.sram_um2(512, 64) + 6 * model.sram_um2(32, 129)
    assert found["sram_um2"] == pytest.approx(areas)
    assert model.sram_um2(512, 64) == pytest.approx(512 * 64 * 9.3 / 0.6 + 10000)
    assert model.sram_ns(512) == pytest.approx(1 + 0.15 * math.log2(512))
    energy = 2 * (4 * model.sram_pj(512, 64) + 6 * model.sram_pj(32, 129))
    assert found["sram_mw"] == pytest.approx(energy * 125e6 * 1e-12 * 1e3)
    assert main(["hw", "synth", "--device", f"asic:{library}", "--target-mhz", "200"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("ESTIMATE: ") and "Gemmini" in said and "4.9 mm2" in said


def test_bad_libraries(library: Path, tools: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(device: str, *more: str) -> str:
        assert main(["hw", "synth", "--device", device, *more]) == 2
        error = capsys.readouterr().err
        assert error.startswith("acc: error: ") and error.count("\n") == 1
        return error

    assert "no library 'sky999'" in said("asic:sky999")
    assert "cannot read" in said(f"asic:{tmp_path / 'none.toml'}")
    assert "--target-mhz is 0" in said("asic", "--target-mhz", "0")
    text = library.read_text()
    for wrong, message in (
        (text + "[", "not TOML"),
        (text.replace("cells.lib", "none.lib"), "qflow-tech-osu018"),
        (text.replace("bit_um2 = 9.3", 'bit_um2 = "big"'), "no 'bit_um2'"),
        (text.replace("setup_ns = 0.3", "setup_ns = -1"), "no 'setup_ns'"),
        (text.replace("efficiency = 0.6", "efficiency = 0"), "a part of 1"),
    ):
        library.write_text(wrong)
        assert message in said(f"asic:{library}")
    assert not tools


def test_missing_tools(library: Path, tools: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asic.shutil, "which", lambda name: None)
    with pytest.raises(ToolError, match="apt-get install opensta"):
        asic.estimate_asic(load_config(TINY), device=f"asic:{library}")
    assert not tools


@pytest.mark.long
@pytest.mark.skipif(not YOSYS or shutil.which("sta") is None, reason="yosys or OpenSTA is not installed")
def test_estimate_of_a_tiny_core() -> None:
    try:
        asic.read_library("asic")
    except ToolError as error:
        pytest.skip(str(error))
    found = asic.estimate_asic(load_config(TINY))
    assert found.cells > 5000 and 0.1e6 < found.cell_um2 < 5e6 and found.sequential_um2 < found.cell_um2
    assert found.multipliers_um2 < found.cell_um2 and 20 < found.fmax_mhz < 1000
    assert found.memories and found.cells_mw > 0


def test_nexus_has_multipliers_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(script: str, arguments: Sequence[str], folder: Path, what: str, progress: Any) -> None:
        if what == "synthesis":
            assert script == nexus.SYNTHESIS
            names = [Path(name).name for name in arguments]
            assert len(set(names)) == len(names) and not any("ecp5" in name for name in names)
            assert str(sources() / "synth" / "nexus" / "acc_mul.sv") in arguments
            cells = {"LUT4": 6000, "CCU2": 1300, "FD1P3IX": 7800, "MULT18X18": 28, "PDPSC16K": 36}
            (folder / "cells.json").write_text(json.dumps({"design": {"num_cells_by_type": cells}}))
        else:
            assert script == nexus.ROUTING and "LIFCL-40-9BG400CES" in arguments
            assert "[get_ports clk]" in (folder / "constraints.pdc").read_text()
            used = {"OXIDE_COMB": 11000, "OXIDE_FF": 7800, "MULT18_CORE": 28, "OXIDE_EBR": 36}
            utilization = {name: {"used": n, "available": 1 << 20} for name, n in used.items()}
            report = {"utilization": utilization, "fmax": {"clk": {"achieved": 90.0, "constraint": 100}}}
            (folder / "report.json").write_text(json.dumps(report))

    monkeypatch.setattr(synthesis, "run_script", run)
    monkeypatch.setattr(synthesis, "_tool", lambda module: "1.0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert main(["hw", "synth", "--device", "nexus-40", "--json"]) == 0
    area = json.loads(capsys.readouterr().out)
    assert (area["lut"], area["ff"], area["dsp"], area["bram"]) == (11000, 7800, 28, 36)
    assert area["fmax_mhz"] == 90 and area["circuit"]["dsp_blocks"] == 56
    with pytest.raises(ConfigError, match=r"needs 85 block RAMs of 84 \(1 too many\)"):
        synthesis.fit({"lut": 0, "ff": 0, "dsp": 0, "bram": 85}, "nexus-40", load_config(None))


@pytest.mark.skipif(not YOSYS, reason="yosys is not installed")
@pytest.mark.parametrize("bits", [(8, 8), (4, 8), (5, 3), (2, 2), (8, 1)])
def test_products_in_rows_are_products(bits: tuple[int, int], tmp_path: Path) -> None:
    """Proves that multipliers without DSP blocks of the Nexus family multiply."""
    a, b = bits
    (tmp_path / "acc_pkg.sv").write_text("package acc_pkg; endpackage\n")
    (tmp_path / "top.sv").write_text(
        f"module top (input logic [{a - 1}:0] a, input logic [{b - 1}:0] b, output logic bad);\n"
        f"  logic [{a + b - 1}:0] p;\n"
        f"  acc_nexus_product #(.A_BITS({a}), .B_BITS({b})) rows (.a, .b, .p);\n"
        f"  assign bad = p != ({a + b})'($signed(a)) * ({a + b})'($signed(b));\n"
        "endmodule\n"
    )
    script = (
        "import sys; from pyosys import libyosys as ys; d = ys.Design()\n"
        "for c in ('read_slang --top top ' + ' '.join(sys.argv[1:]), 'proc; opt', 'flatten', "
        "'sat -prove bad 0 -verify top'):\n  ys.run_pass(c, d)\n"
    )
    files = ["acc_pkg.sv", "top.sv", str(sources() / "synth" / "nexus" / "acc_mul.sv")]
    synthesis.run_script(script, files, tmp_path, "proof", lambda step, detail: None)
