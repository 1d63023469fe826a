"""Runs the circuit without the device around it: any memory, any patience, and its registers as they are."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from acc._lib import isa
from acc.hardware import simulator
from acc.hardware.package import ENCODINGS, Circuit

LOOKUP = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64)
EVENT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint)


class _Memory(ctypes.Structure):
    _fields_ = (
        ("lookup", LOOKUP),
        ("user", ctypes.c_void_p),
        ("latency", ctypes.c_uint32),
        ("jitter", ctypes.c_uint32),
        ("seed", ctypes.c_uint64),
    )


class _Run(ctypes.Structure):
    """acc_circuit_run of runtime/include/acc/vta/circuit.h."""

    _fields_ = (
        ("stream", ctypes.c_uint64),
        ("count", ctypes.c_uint32),
        ("limit", ctypes.c_uint32),
        ("memory", _Memory),
        ("event", EVENT),
        ("event_user", ctypes.c_void_p),
        ("registers", ctypes.c_uint32 * len(isa.REGISTERS)),
    )


@dataclass(frozen=True)
class Registers:
    """What the registers say after a run (see acc_core.sv)."""

    done: bool
    failed: bool
    code: str
    unit: str
    place: int
    waiting: int
    counters: tuple[int, ...]


def _name(prefix: str, value: int) -> str:
    return next(name for name, (_, code) in ENCODINGS.items() if name.startswith(prefix) and code == value)


def run(config: Any, stream: bytes, regions: Mapping[int, np.ndarray], **options: Any) -> Registers:
    """Runs a stream; see `run_all`."""
    return run_all(config, [stream], regions, **options)[0]


def run_all(
    config: Any,
    streams: Sequence[bytes],
    regions: Mapping[int, np.ndarray],
    *,
    at: int = 1 << 28,
    latency: int = 8,
    limit: int = 4096,
    count: int | None = None,
    circuit: Circuit | None = None,
) -> list[Registers]:
    """Runs streams that lie from byte `at` on, one after the other on a circuit that is configured once.

    There is memory only where there are `regions` (address to uint8 array). The circuit gives up after `limit` cycles
    in which nothing moves. `count` is what it believes a stream to have.
    """
    places = dict(regions)
    requests = (_Run * len(streams))()
    for request, stream in zip(requests, streams, strict=True):
        places[at] = np.frombuffer(stream + bytes(64), np.uint8).copy()
        request.stream, request.limit = at, limit
        request.count = len(stream) // 16 if count is None else count
        at += (len(stream) // 4096 + 2) * 4096

    def lookup(_: object, address: int, size: int) -> int | None:
        for begin, data in places.items():
            if begin <= address and address + size <= begin + len(data):
                return data.ctypes.data + address - begin
        return None

    memory = _Memory(LOOKUP(lookup), None, latency, 0, 1)
    library = ctypes.CDLL(os.fspath(simulator.build(config, circuit, optimize=0)))
    library.acc_circuit_create.restype = ctypes.c_void_p
    machine = ctypes.c_void_p(library.acc_circuit_create(None))
    for request in requests:
        request.memory = memory
        library.acc_circuit_execute(machine, ctypes.byref(request))
    library.acc_circuit_destroy(machine)
    return [_registers(request.registers) for request in requests]


def _registers(r: Any) -> Registers:
    def bits(register: str, name: str) -> int:
        low, count = isa.REGISTER_BITS[f"{register}_{name}"]
        return r[isa.REGISTERS[register]] >> low & (1 << count) - 1

    code, unit = bits("error", "code"), bits("error", "unit")
    failed = bool(bits("status", "error"))
    common = code in isa.ERRORS.values() and code != isa.ERRORS["faults"]
    prefix = "ERROR_" if common else "FETCH_" if unit == isa.UNITS["fetch"] else "FAULT_"
    name = _name(prefix, code - isa.ERRORS["faults"] if prefix == "FAULT_" else code) if failed else ""
    counters = tuple(r[isa.REGISTERS[counter]] for counter in ("cycles_lo", "cycles_hi", *isa.COUNTERS))
    place, waiting = r[isa.REGISTERS["place"]], r[isa.REGISTERS["waiting"]]
    return Registers(bool(bits("status", "done")), failed, name, _name("UNIT_", unit), place, waiting, counters)
