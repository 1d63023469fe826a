"""The core with memory and a serial port, as it becomes a bitstream: simulated, programmed through its wires."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acc._lib import _runtime
from acc.errors import RunError
from acc.hardware import board, simulator, toolchain
from acc.hardware.package import Circuit, package
from acc.hardware.random_stream import random_stream
from circuits import SMALL, Case, extended, staged

CLOCKS_PER_BIT, LOG_MEMORY = 4, 20
INSTRUCTION_BYTES = 16
HARNESS = Path(__file__).parents[1] / "support" / "board_harness.cpp"


def build(config: Any, circuit: Circuit, folder: Path) -> Path:
    """The program that simulates acc_board of `config`, built in `folder`."""
    tool, (cxx, _) = toolchain.verilator(), toolchain.compiler()
    (folder / "acc_pkg.sv").write_text(package(config, circuit, gate_idle=True))
    sources = simulator.sources()
    files = [*sorted((sources / "rtl").glob("acc_*.sv")), *sorted((sources / "board").glob("acc_*.sv"))]
    command = [tool.program, *simulator.VERILATE, "--Mdir", "cpp", "--top-module", "acc_board"]
    command += [f"-GCLOCKS_PER_BIT={CLOCKS_PER_BIT}", f"-GLOG_MEMORY={LOG_MEMORY}", "acc_pkg.sv", *files]
    subprocess.run(command, cwd=folder, env=tool.environment, check=True)
    parts = [*sorted((folder / "cpp").glob("*.cpp")), HARNESS]
    (folder / "all.cpp").write_text("".join(f'#include "{part}"\n' for part in parts))
    flags = [*simulator.compiler_flags(0, False), f"-DACC_CLOCKS_PER_BIT={CLOCKS_PER_BIT}", "-Icpp"]
    shared = simulator.support_objects(simulator.compiler_flags(0, False), False, simulator.Progress("acc_board"))
    program = folder / "board"
    subprocess.run([cxx, *flags, "all.cpp", *shared, "-o", program, "-lpthread"], cwd=folder, check=True)
    return program


class Pipes:
    """The serial port of a simulated board."""

    def __init__(self, program: Path) -> None:
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def read(self, size: int) -> bytes:
        assert self.process.stdout is not None
        data = b""
        while len(data) < size and (more := self.process.stdout.read(size - len(data))):
            data += more
        return data

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.mark.parametrize("case", [staged(extended(SMALL[0]), 1, 2, 3)], ids=str)
def test_programs_come_over_the_wire(case: Case, tmp_path: Path) -> None:
    """Memory is filled, a stream runs, and what is read back is what the functional simulator computes."""
    config = case.config
    pipes = Pipes(build(config, case.circuit, tmp_path))
    try:
        there = board.Board(pipes)
        at, code = 0, b""
        functional = _runtime.Device("fsim", config)
        for seed in range(2):
            stream = random_stream(config, seed, 12, max_steps=200)
            sizes = [size for _, size in stream.program.buffers]
            places = np.cumsum([0, *sizes])
            buffers = list(zip(stream.addresses, places, sizes, strict=False))
            code = stream.linked()
            at = -(-max(address + size for address, _, size in buffers) // 64) * 64
            assert at + len(code) <= 1 << LOG_MEMORY
            for address, place, size in buffers:
                there.write_memory(address, stream.dram[place : place + size].tobytes())
            there.write_memory(at, code)
            registers = there.run(at, len(code) // INSTRUCTION_BYTES)
            expected = stream.run(functional, fresh=seed == 0)
            for address, place, size in buffers:
                actual = np.frombuffer(there.read_memory(address, size), np.uint8)
                np.testing.assert_array_equal(actual, expected[place : place + size], err_msg=f"seed {seed}")
            assert registers["cycles_lo"] > 0
        # Beyond memory nobody answers but with an error, after which the board goes on.
        with pytest.raises(RunError, match="the core reports error"):
            there.run(1 << LOG_MEMORY, 4)
        assert there.read_memory(at, 16) == code[:16]
    finally:
        pipes.close()


def test_a_board_that_does_not_answer() -> None:
    class Silent:
        def write(self, data: bytes) -> None:
            pass

        def read(self, size: int) -> bytes:
            return b"\0" * (size - 1)

    with pytest.raises(RunError, match="answered with 3 bytes of 4"):
        board.Board(Silent()).read_register("status")
