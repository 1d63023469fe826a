"""Ctrl-C ends every command at once, whatever it is at, and leaves nothing behind: no file, no folder, no process."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pathlib
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from acc._lib import _runtime
from acc.hardware.toolchain import ToolError, verilator
from qdq_models import QdqModel

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What a busy machine may take; the programs themselves are written to need less than a second.
SECONDS = 15

# The command line, which says on standard output in which stage a compilation is, and when native code begins.
PROGRAM = """
import sys
import acc.executable
from acc.cli import compile, main
from acc.targets.vta.cli import sim
from acc.interruptible import interruptible
def announced(work):
    def run():
        print("native", flush=True)
        return work()
    return interruptible(run)
acc.executable.interruptible = sim.interruptible = announced
compile.Progress.__call__ = lambda self, stage: print(stage, flush=True)
sys.exit(main(sys.argv[1:]))
"""


class Command:
    """A command that runs in a folder of its own for temporary files."""

    def __init__(self, arguments: Sequence[object], folder: pathlib.Path, program: str = PROGRAM) -> None:
        self.mark = uuid.uuid4().hex
        self.temporary = folder / f"temporary-{self.mark[:6]}"
        self.temporary.mkdir()
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "python"),
            "TMPDIR": str(self.temporary),
            "ACC_TEST_MARK": self.mark,
            "XDG_CACHE_HOME": str(folder / "cache"),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    def wait_for(self, stage: str) -> None:
        """Until the command is in a stage."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == stage:
                return
        raise AssertionError(f"never came to '{stage}': {self.process.communicate()}")

    def wait_for_child(self) -> None:
        """Until the command has started another program."""
        while len(self.alive()) < 2:
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.05)

    def alive(self) -> list[int]:
        """The processes that the command consists of."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and self.mark.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
        return found

    def interrupt(self) -> float:
        """Sends Ctrl-C, and checks how the command ends; how long that took, in seconds."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=120)
        seconds = time.monotonic() - started
        # What the command was at may stand in front.
        assert self.process.returncode == 130 and errors.endswith("acc: interrupted\n"), errors
        assert "Traceback" not in errors and "Exception" not in errors, errors
        assert list(self.temporary.iterdir()) == []
        limit = time.monotonic() + SECONDS
        while self.alive():
            assert time.monotonic() < limit, "left a process behind"
            time.sleep(0.05)
        print(f"{seconds:.2f} s")
        assert seconds < SECONDS
        return seconds


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    before = set(tmp_path.iterdir())
    yield tmp_path
    left = {path.name for path in set(tmp_path.iterdir()) - before if not path.name.startswith(("temporary-", "cache"))}
    assert left <= {"model.onnx", "model.so", "x.npy", "insns.bin"}


def many_kernels(count: int) -> onnx.ModelProto:
    """Convolutions of different shapes, none of which shares code with another."""
    nodes, constants, value = [], [], "x"
    rng = np.random.default_rng(0)
    channels = 8
    for index in range(count):
        wanted = 8 + (index * 7) % 61
        weight = rng.standard_normal((wanted, channels, 3, 3)).astype(np.float32)
        constants.append(numpy_helper.from_array(weight, f"w{index}"))
        nodes.append(helper.make_node("Conv", [value, f"w{index}"], [f"c{index}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Sigmoid", [f"c{index}"], [f"s{index}"]))
        value, channels = f"s{index}", wanted
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, 16, 16])],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, None)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("stage", ["import", "kernels", "native kernels", "llvm", "object code"])
def test_compile(stage: str, folder: pathlib.Path) -> None:
    onnx.save(many_kernels(150), folder / "model.onnx")
    command = Command(["compile", folder / "model.onnx", "-o", folder / "model.so"], folder)
    command.wait_for(stage)
    # Somewhere inside of the stage.
    time.sleep(0.1)
    command.interrupt()
    assert not (folder / "model.so").exists()


def test_schedules(folder: pathlib.Path) -> None:
    net = QdqModel(np.random.default_rng(0))
    value = net.input((1, 16, 64, 64))
    onnx.save(net.build(*[net.conv(value, 16 * (1 + index)) for index in range(20)]), folder / "model.onnx")
    command = Command(["compile", folder / "model.onnx", "-o", folder / "model.so", "--target", "vta"], folder)
    command.wait_for("kernels")
    time.sleep(0.3)
    command.interrupt()
    assert not (folder / "model.so").exists()


def test_run(folder: pathlib.Path) -> None:
    """Native code does not even return between two of its kernels."""
    nodes = [helper.make_node("MatMul", [f"t{i}" if i else "x", "x"], [f"t{i + 1}"]) for i in range(20)]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2048, 2048])],
        [helper.make_tensor_value_info("t20", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    np.save(folder / "x.npy", np.zeros((2048, 2048), np.float32))
    done = subprocess.run(
        [sys.executable, "-m", "acc", "compile", folder / "model.onnx", "-o", folder / "model.so"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
    )
    assert done.returncode == 0
    command = Command(["run", folder / "model.so", "--input", folder / "x.npy", "-o", folder / "y.npz"], folder)
    # The model is loaded, then run.
    command.wait_for("native")
    command.wait_for("native")
    time.sleep(0.1)
    command.interrupt()
    assert not (folder / "y.npz").exists()


def long_stream(count: int) -> bytes:
    """Instructions of 2^28 products each."""
    gemm = "gemm uop=0:1 iter=16383,16383 dst=0,0 src=0,0 wgt=0,0\n"
    text = "load.uop sram=0 dram=0 y=1 x=1 stride=1\n" + gemm * count + "finish\n"
    return _runtime.Program.parse(text).encode()


@pytest.mark.parametrize("device", ["fsim", "csim", "tsim"])
def test_sim(device: str, folder: pathlib.Path) -> None:
    (folder / "insns.bin").write_bytes(long_stream(4000))
    if device == "tsim":
        try:
            verilator()
        except ToolError as error:
            pytest.skip(str(error))
    command = Command(
        ["sim", "--device", device, "--insns", folder / "insns.bin", "--dump", f"0:64={folder}/out.bin"], folder
    )
    if device == "tsim":
        # While the simulator of the circuit is built.
        command.wait_for_child()
        time.sleep(1)
    else:
        command.wait_for("native")
        time.sleep(0.1)
    command.interrupt()
    assert not (folder / "out.bin").exists()


@pytest.mark.skipif(importlib.util.find_spec("pyosys") is None, reason="yosys is not installed")
def test_synthesis(folder: pathlib.Path) -> None:
    """The other tool, nextpnr, is not needed to come so far."""
    program = f"from acc.hardware import synthesis; synthesis._tool = lambda module: '1.0'\n{PROGRAM}"
    command = Command(["hw", "synth"], folder, program)
    command.wait_for_child()
    time.sleep(0.5)
    command.interrupt()
