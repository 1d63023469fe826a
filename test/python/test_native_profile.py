"""`acc profile` for native kernels, and kernels by their names in debuggers and profilers."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest

import acc
from acc.cli import main
from acc.inspect import machine_rate, native_profile
from float_networks import FloatNetwork
from qdq_models import QdqModel


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A float model and a quantized one, for the CPU and for an accelerator."""
    folder = tmp_path_factory.mktemp("models")
    net = FloatNetwork((1, 3, 20, 17))
    onnx.save(net.build(net.add("Relu", [net.conv(net.conv("x", 3, 17), 17, 7)])), folder / "float.onnx")
    quantized = QdqModel(np.random.default_rng(3))
    x = quantized.conv(quantized.input((1, 3, 6, 5)), 17, (3, 3), activation="Relu")
    onnx.save(quantized.build(quantized.gemm(quantized.flatten(x), 7)), folder / "q.onnx")
    acc.compile(folder / "float.onnx").save(folder / "float.so")
    acc.compile(folder / "q.onnx").save(folder / "q.so")
    acc.compile(folder / "q.onnx", target="vta").save(folder / "vta.so")
    return folder


def test_kernels_are_timed(folder: pathlib.Path) -> None:
    profile = native_profile.profile(folder / "float.so", runs=7, threads=1)
    assert len(profile.seconds) == 7 and profile.threads == 1 and profile.accelerated == 0
    first, second = profile.kernels
    for kernel, inputs, outputs in ((first, 3, 17), (second, 17, 7)):
        assert len(kernel.seconds) == 7 and min(kernel.seconds) > 0 and kernel.spread >= 0
        assert kernel.layer.macs == inputs * outputs * 9 * 20 * 17
        assert kernel.rate == pytest.approx(2 * kernel.layer.macs / kernel.median)
        # An image in, weights, a bias, an image out, four bytes each.
        elements = (inputs + outputs) * 20 * 17 + inputs * outputs * 9 + outputs
        assert kernel.layer.operand_bytes == 4 * elements
    assert sum(kernel.median for kernel in profile.kernels) < 2 * profile.median
    part = profile.part_of_bound(second)
    assert part is not None and 0 < part < 1.5


def test_the_bound_of_integers(folder: pathlib.Path) -> None:
    profile = native_profile.profile(folder / "q.so", runs=3)
    assert [kernel.is_integer for kernel in profile.kernels] == [False, True, True]
    rate = machine_rate.measure()
    assert rate is machine_rate.measure() and rate.integers >= rate.floats > 1e8 and rate.bytes > 1e8


def test_command(folder: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    timeline = tmp_path / "runs.json"
    arguments = ["--runs", "4", "--json", "--timeline", str(timeline)]
    assert main(["profile", str(folder / "float.so"), *arguments]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert len(facts["seconds"]) == 4 and {"median", "spread", "rate", "part_of_bound"} <= set(facts["kernels"][0])
    events = json.loads(timeline.read_text())["traceEvents"]
    slices = [event for event in events if event["ph"] == "X"]
    runs = [event for event in slices if event["tid"] == 0]
    assert len(runs) == 4 and len(slices) == 4 * (1 + len(facts["kernels"]))
    assert all(one["ts"] + one["dur"] == pytest.approx(two["ts"]) for one, two in itertools.pairwise(runs))
    # Of a model for an accelerator, only what is native is timed, and only where that is asked for.
    assert main(["profile", str(folder / "vta.so"), "--native", "--runs", "2"]) == 0
    said = capsys.readouterr().out
    assert "GFLOP/s" in said and "2 kernels are not native" in said and "conv_16" not in said.partition("\n\n")[0]
    assert main(["profile", str(folder / "vta.so")]) == 0
    assert "cycles" in capsys.readouterr().out


RUN = """
import sys, numpy as np, acc
with acc.load(sys.argv[1]) as model:
    for _ in range(int(sys.argv[2])):
        model.run({"x": np.ones((1, 3, 20, 17), np.float32)})
"""


def test_kernels_have_names_in_files(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """With ACC_IMAGES, code is a file whose symbols are the kernels; without it, none is left."""
    if shutil.which("readelf") is None:
        pytest.skip("readelf lists symbols")
    command = [sys.executable, "-c", RUN, str(folder / "float.so"), "1"]
    subprocess.run(command, check=True, env={**os.environ, "ACC_IMAGES": str(tmp_path)})
    (image,) = tmp_path.glob("acc-model-*.so")
    symbols = subprocess.run(["readelf", "-sW", image], capture_output=True, text=True, check=True).stdout
    assert symbols.count(" kernel.conv") == 2
    done = subprocess.run(
        command, env={**os.environ, "ACC_IMAGES": str(tmp_path / "none")}, capture_output=True, text=True, check=False
    )
    assert done.returncode and "ACC_IMAGES" in done.stderr and "is no folder" in done.stderr


@pytest.mark.long
def test_perf_and_gdb_name_kernels(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    environment = {**os.environ, "ACC_IMAGES": str(tmp_path)}
    run = [sys.executable, "-c", RUN, str(folder / "float.so"), "3000"]
    if shutil.which("gdb") is not None:
        steps = ("set breakpoint pending on", "break 'kernel.conv1'", "run", "backtrace 2")
        commands = [part for step in steps for part in ("-ex", step)]
        gdb = ["gdb", "-q", "-batch", *commands, "--args", *run]
        said = subprocess.run(gdb, capture_output=True, text=True, env=environment, check=False).stdout
        assert "kernel.conv1 ()" in said, said[-2000:]
    data = tmp_path / "perf.data"
    recorded = (
        shutil.which("perf") is not None
        and not subprocess.run(
            ["perf", "record", "-e", "cpu-clock", "-o", data, "--", *run],
            capture_output=True,
            env=environment,
            check=False,
        ).returncode
    )
    if not recorded:
        pytest.skip("perf does not record here")
    said = subprocess.run(["perf", "report", "--stdio", "-i", data], capture_output=True, text=True, check=True).stdout
    assert "kernel.conv" in said, said[:3000]
