"""Compiles one te.kernel to an instruction stream and runs it on the functional simulator."""

from __future__ import annotations

import json

import numpy as np

import te_kernels
from acc import _mlir, ir
from acc._lib import _runtime as runtime
from acc.passmanager import PassManager
from acc.schedule import Estimate, Schedule
from acc.targets.base import Decision
from acc.targets.vta.schedule import MEMORIES, Options, make_vta_schedules

TE_PASSES = (
    "te-declare-intrins,te.kernel(te-tile,te-vthread,te-cache,te-bufferize,te-multi-buffer),"
    "te-tensorize,te.kernel(te-dma,te-lower-vthread)"
)
VTA_PASSES = "vta-allocate-scratchpads,vta-expand,vta.program(vta-cache-uops,vta-insert-tokens,vta-verify-program)"


def schedule(text: str, options: Options | None = None) -> tuple[ir.Module, list[Decision]]:
    module = ir.Module.parse(text)
    return module, make_vta_schedules(module, options)


def compile_kernel(module: ir.Module) -> ir.Operation:
    """Runs all passes on a scheduled module and returns its vta.program."""
    PassManager.parse(f"builtin.module({TE_PASSES},{VTA_PASSES})", module.context).run(module)
    return next(op for op in module.body if op.name == "vta.program")


def assemble(program: ir.Operation) -> runtime.Program:
    """The program as the runtime takes it."""
    return runtime.Program.parse(_mlir.assemble_program(program))


def run_program(program: runtime.Program, config: dict[str, int], arguments: list[np.ndarray]) -> dict:
    """Runs on the functional simulator with its sanitizer; the last argument is written in place."""
    device = runtime.Device("fsim", runtime.Config(json.dumps(config)))
    arrays = [a.reshape(-1).view(np.uint8) for a in arguments]
    uops = np.frombuffer(bytes(program.uops), np.uint8)
    arrays.append(uops.copy() if uops.size else np.zeros(4, np.uint8))
    return device.run_program(program, [device.attach(a) for a in arrays], True)


def run_schedule(
    module: ir.Module, schedule: Schedule, expected: Estimate, kernel: te_kernels.Kernel, config: dict[str, int]
) -> None:
    """Compiles a scheduled module, runs it, and compares the result and the bytes moved."""
    about = f"{kernel.description}\n{schedule}"
    try:
        program = assemble(compile_kernel(module))
    except Exception as error:
        raise AssertionError(f"{about}\n{error}") from error
    result = run_program(program, config, kernel.arguments)
    assert result["ok"], f"{about}\n{result['message']} {result['diagnostics'][:5]}"
    wrong = np.argwhere(kernel.arguments[-1] != kernel.expected)
    assert wrong.size == 0, f"{about}\n{len(wrong)} wrong, first {wrong[0]}"
    moved = result["total"]["dram_bytes"]
    moved["acc"] += moved["acc8"]
    for role, memory in MEMORIES.items():
        assert moved[memory] == expected.dram_bytes.get(role, 0), f"{about}\n{memory} of {moved}"
