"""Runs what the compiler makes on the circuit too: every program of a test, on random data, against fsim and csim.

A network shows only what reaches its outputs. Here each program runs by itself, every buffer full of random bytes, and
all of DRAM is compared, the space between the buffers included.
"""

from __future__ import annotations

import contextlib
import re
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from acc import _mlir
from acc._lib import _runtime
from acc.hardware import cycle_model, simulator
from acc.hardware.package import PORTS, Circuit

# Between buffers, which start at multiples of it.
PAGE = 4096
# Configurations of which the circuit was found to agree, and programs, in this process.
circuits: set[Any] = set()
programs: set[tuple[bytes, str]] = set()


@contextlib.contextmanager
def recorded() -> Iterator[list[Any]]:
    """Collects the `_runtime.Program`s that are compiled meanwhile."""
    found: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        write, assemble = _mlir.write_program, _mlir.assemble_program

        def written(op: Any) -> bytes:
            data = write(op)
            found.append(_runtime.read_program(data))
            return data

        def assembled(op: Any) -> str:
            text = assemble(op)
            found.append(_runtime.Program.parse(text))
            return text

        patch.setattr(_mlir, "write_program", written)
        patch.setattr(_mlir, "assemble_program", assembled)
        yield found


def _can_be_built(config: Any) -> bool:
    # Larger multiplications take a C++ compiler minutes.
    small = config.batch * config.block_in * config.block_out <= 1 << 11
    return small and all(config.depth(memory) >= 2 for memory in ("uop", "inp", "wgt", "acc"))


def _circuit(config: Any, everywhere: bool) -> tuple[Circuit, dict[str, int]]:
    """Port and memory: those that other tests build of a configuration, or drawn from all there are."""
    if not everywhere:
        return Circuit(), {"optimize": 0, "jitter": 30}
    rng = np.random.default_rng(zlib.crc32(config.to_json().encode()))
    port, latency, jitter = (int(rng.choice(n)) for n in (PORTS, (1, 8, 64, 200), (0, 0, 10, 100)))
    return Circuit(port), {"latency": latency, "jitter": jitter, "optimize": 1}


def check(program: Any, *, everywhere: bool, one_in: int = 1) -> None:
    """Runs a program on both devices and compares; once per process for programs that are the same.

    Of the configurations, only one in `one_in` is built.
    """
    config, stream = program.config, program.encode()
    key = (stream, config.to_json())
    if key in programs or not _can_be_built(config) or zlib.crc32(config.to_json().encode()) % one_in:
        return
    circuit, options = _circuit(config, everywhere)
    rng = np.random.default_rng(zlib.crc32(stream))
    # Somewhere within the reach of a dram_base of micro-ops.
    start = int(rng.integers(1 << 12)) << 20
    addresses, end = [], PAGE
    for _, size in program.buffers:
        addresses.append(start + end)
        end += -(-max(size, 1) // PAGE) * PAGE + PAGE
    before = rng.integers(0, 256, end).astype(np.uint8)
    if uop_buffer := re.search(r"^\.uop_buffer (\d+)", str(program), re.MULTILINE):
        at = addresses[int(uop_buffer[1])] - start
        before[at : at + len(program.uops)] = np.frombuffer(program.uops, np.uint8)

    devices = {
        "fsim": _runtime.Device("fsim", config),
        "tsim": simulator.device(config, circuit, **options),
        "csim": cycle_model.device(config, circuit, latency=options.get("latency", 64)),
    }
    after, cycles = {}, {}
    for name, device in devices.items():
        after[name] = before.copy()
        device.attach_at(start, after[name])
        result = device.run_program(program, addresses)
        assert result["ok"], f"{name}: {result['message']}"
        cycles[name] = result.get("cycles")
    about = f"{config}, {circuit}, {options}: the circuit differs"
    np.testing.assert_array_equal(after["tsim"], after["fsim"], err_msg=about)
    # Jitter is nothing that the model knows of.
    assert options["jitter"] or cycles["csim"] == cycles["tsim"], f"{about} from the model: {cycles}"
    programs.add(key)
    circuits.add(config)
