"""How long compiled programs take: they run on a device with a notion of time, without data.

Time does not depend on data, so a model need not run: its programs are given buffers of zeros, and its host nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from acc import _mlir, ir
from acc._lib import _runtime
from acc.devices import TIMED, DeviceSpec, fitted
from acc.errors import RunError
from acc.hardware import devices
from acc.targets.base import Measurement, Timing
from acc.targets.vta import launches
from acc.targets.vta.config import Hardware
from acc.targets.vta.programs import INSTRUCTION_SET

__all__ = ["describe", "measure", "run"]

DEFAULT = "csim"
PORT_BITS = 64
BANKS = "log_acc_banks"
CIRCUIT: Mapping[str, int] = {}
PAGE = 4096
"""Where buffers start, so that bursts are the same wherever a buffer lies."""


def _timed(device: DeviceSpec | None, circuit: Mapping[str, int]) -> DeviceSpec:
    """The device, or the cycle model; raises RunError if it does not count cycles of these programs.

    circuit: the options of devices that programs are made for, which hold if nothing else is said.
    """
    spec = device or DeviceSpec(DEFAULT, instruction_set=INSTRUCTION_SET)
    if spec.kind.instruction_set != INSTRUCTION_SET:
        raise RunError(f"device '{spec.name}' runs programs for '{spec.kind.instruction_set}', not these")
    spec.require(TIMED)
    (spec,) = fitted([spec], circuit)
    # Data would only cost time.
    return spec.with_options(functional=0) if spec.kind.has("functional") else spec


def describe(hardware: Hardware, device: DeviceSpec | None, circuit: Mapping[str, int] = CIRCUIT) -> Timing:
    """The configuration, the dialect, the device and all of its options, with the defaults of those not given.

    circuit: the options of devices that programs are made for.
    """
    spec = _timed(device, circuit)
    keys = json.loads(hardware.config.to_json())
    options: dict[str, Any] = {
        option.name: int(option.initial) if option.is_number else ""
        for option in spec.kind.options
        if option.name not in ("functional", "trace")
    }
    options |= {name: value for name, value in spec.options.items() if name in options}
    description = {
        "config": {key: value for key, value in sorted(keys.items()) if isinstance(value, int)},
        "dialect": hardware.dialect,
        "banks of programs": circuit.get(BANKS, 0),
        "device": spec.name,
        "options": options,
    }
    return Timing(description, int(options.get("mem_width", PORT_BITS)) / 8)


def run(spec: DeviceSpec, program: Any) -> Any:
    """The counts of one run of a program (`_runtime.Program`) on a device that needs no data, with fresh memory.

    Raises RunError for a program that the device refuses.
    """
    return _run(devices.make(spec.with_options(functional=0), program.config), program)


def _run(device: Any, program: Any) -> Any:
    """The counts of one run of a program, on buffers in fresh memory."""
    addresses, end = [], PAGE
    alignment = max(PAGE, program.config.alignment)
    table = np.frombuffer(program.uops, np.uint8)
    for number, (_, size) in enumerate(program.buffers):
        addresses.append(end)
        size = max(size, table.size if number == program.uop_buffer else 0, 1)
        end += -(-size // alignment) * alignment
    # Pages that nobody touches take no memory.
    memory = np.zeros(end, np.uint8)
    if table.size:
        start = addresses[program.uop_buffer]
        memory[start : start + table.size] = table
    device.attach_at(0, memory)
    result = device.run_program(program, addresses, False)
    if not result["ok"]:
        raise RunError(result["message"])
    return result


def _computed(program: Any, port: int, is_beside: bool) -> int:
    """Cycles in which the module that computes can do nothing else: its steps, and what it loads by itself.

    A step of the vector unit with a second operand in memory takes two. port: bytes that memory delivers in a cycle.
    is_beside: products, vectors and loads of accumulators may take place at the same time, so that the longest counts.
    """
    products = vectors = loads = 0
    for insn in program.instructions:
        has_operand = "use_imm=1" not in insn["assembly"].split() and insn["name"] != "ALU requantize"
        products += insn["gemm_steps"] + insn["reset_steps"]
        vectors += insn["alu_steps"] * (1 + has_operand)
        if insn["memory"].startswith("acc"):
            loads += insn["dram_bytes"] // port
    return max(products, vectors, loads) if is_beside else products + vectors + loads


def measure(module: ir.Module, device: DeviceSpec | None, circuit: Mapping[str, int] = CIRCUIT) -> Measurement:
    """What all launches take, each by itself; of a module without any, all programs once. circuit: see `describe`."""
    programs = {str(op.attributes["sym_name"].value): op for op in module.body if op.name == "vta.program"}
    has_main = any(op.name == "func.func" for op in module.body)
    counts = Counter(
        (binding.symbol for binding in launches.read_bindings(module)) if has_main else dict.fromkeys(programs, 1)
    )
    spec = _timed(device, circuit)
    is_beside = int(spec.options.get(BANKS, 0)) > 0
    port = int(spec.options.get("mem_width", PORT_BITS)) // 8
    cycles = computed = moved = 0
    for symbol, count in counts.items():
        program = _runtime.read_program(_mlir.write_program(programs[symbol]))
        result = _run(devices.make(spec, program.config), program)
        cycles += count * result["cycles"]
        computed += count * _computed(program, port, is_beside)
        moved += count * sum(result["total"]["dram_bytes"].values())
    return Measurement(cycles, computed, moved)
