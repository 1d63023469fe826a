"""The circuit on a bus (acc_axi) under cocotb: its simulator, and random streams whose memory is cocotbext-axi's.

cocotb's run-time library, Verilator's and what Verilator makes of the RTL become one program, which loads Python and
runs `axi_master` in it. What goes in and out are files.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cocotb_tools.config
import find_libpython
import numpy as np

from acc._lib import isa
from acc.hardware import simulator, toolchain
from acc.hardware.package import Circuit, package
from acc.hardware.random_stream import RandomStream

INSTRUCTION_BYTES = 16
# Only the top's ports are seen from outside, so that everything else is as fast as in tsim.
PORTS = '`verilator_config\npublic_flat_rw -module "acc_axi" -var "*"\n'


@dataclass(frozen=True)
class Result:
    """Memory after a stream as `RandomStream.run` returns it, and all registers of the circuit by name."""

    dram: np.ndarray
    registers: dict[str, int]

    def has(self, bit: str) -> bool:
        return bool(self.registers["status"] >> isa.REGISTER_BITS[f"status_{bit}"][0] & 1)


def build(config: Any, circuit: Circuit, folder: Path) -> Path:
    """The program that simulates acc_axi of `config` under cocotb, built in `folder`."""
    tool, (cxx, _) = toolchain.verilator(), toolchain.compiler()
    (folder / "acc_pkg.sv").write_text(package(config, circuit, gate_idle=True))
    (folder / "ports.vlt").write_text(PORTS)
    rtl = sorted((simulator.sources() / "rtl").glob("acc_*.sv"))
    command = [
        tool.program,
        *simulator.VERILATE,
        "--vpi",
        "--prefix",
        "Vtop",
        "--Mdir",
        "cpp",
        "--top-module",
        "acc_axi",
    ]
    subprocess.run([*command, "ports.vlt", "acc_pkg.sv", *rtl], cwd=folder, env=tool.environment, check=True)
    # One compilation of all that is not shared with other simulators.
    main = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
    parts = [*sorted((folder / "cpp").glob("*.cpp")), tool.include / "verilated_vpi.cpp", main]
    (folder / "all.cpp").write_text("".join(f'#include "{part}"\n' for part in parts))
    flags = simulator.compiler_flags(0, False)
    shared = simulator.support_objects(flags, False, simulator.Progress("acc_axi"))
    libraries = cocotb_tools.config.libs_dir
    linked = [f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-lcocotbvpi_verilator", "-lpthread"]
    program = folder / "circuit"
    command = [cxx, *flags, "-Icpp", "all.cpp", *shared, "-o", program, *linked]
    subprocess.run(command, cwd=folder, check=True)
    return program


def _place_of(stream: RandomStream, length: int) -> int:
    """An address behind one of the buffers with room for the instructions."""
    ends = [(a, a + size) for a, (_, size) in zip(stream.addresses, stream.program.buffers, strict=True)]
    for _, end in ends:
        at = (end // 4096 + 1) * 4096
        if all(at + length <= low or high <= at for low, high in ends):
            return at
    raise AssertionError("no room for the instructions")


def run(
    program: Path,
    streams: list[RandomStream],
    *,
    seed: int,
    busy: float,
    latency: int,
    hidden: frozenset[int] = frozenset(),
) -> list[Result]:
    """Runs the streams one after the other on the same circuit; those in `hidden` find no buffers in memory.

    `busy` is the share of the time in which each channel stands still, and `latency` up to how many cycles memory
    takes for some of the beats, both drawn with `seed`.
    """
    given: dict[str, Any] = {"runs": len(streams), "seed": seed, "busy": busy, "latency": latency}
    for number, stream in enumerate(streams):
        code = stream.linked()
        sizes = [0 if number in hidden else size for _, size in stream.program.buffers]
        given |= {
            f"dram{number}": stream.dram,
            f"addresses{number}": np.array(stream.addresses, np.int64),
            f"sizes{number}": np.array(sizes, np.int64),
            f"places{number}": np.cumsum([0, *(size for _, size in stream.program.buffers)])[:-1],
            f"stream{number}": np.frombuffer(code, np.uint8),
            f"count{number}": len(code) // INSTRUCTION_BYTES,
            f"at{number}": _place_of(stream, len(code)),
        }
    folder = program.parent
    np.savez(folder / "streams.npz", **given)
    (folder / "results.npz").unlink(missing_ok=True)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYGPI_PYTHON_BIN": sys.executable,
        "GPI_USERS": f"{find_libpython.find_libpython()};{cocotb_tools.config.pygpi_entry_point()}",
        "COCOTB_TEST_MODULES": "axi_master",
        "COCOTB_TOPLEVEL": "acc_axi",
        "TOPLEVEL_LANG": "verilog",
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "COCOTB_LOG_LEVEL": "ERROR",
        "COCOTB_RANDOM_SEED": str(seed),
    }
    done = subprocess.run([program], cwd=folder, env=environment, capture_output=True, text=True)
    assert (folder / "results.npz").exists(), done.stdout + done.stderr
    made = np.load(folder / "results.npz")
    return [
        Result(made[f"dram{n}"], dict(zip(isa.REGISTERS, made[f"registers{n}"].tolist(), strict=True)))
        for n in range(len(streams))
    ]
