"""Compiles one te.kernel to an instruction stream and runs it on the functional simulator."""

from __future__ import annotations

import json

import numpy as np

from acc import _mlir, ir
from acc._lib import _runtime as runtime
from acc.passmanager import PassManager
from acc.targets.base import Decision
from acc.targets.vta.schedule import Options, make_vta_schedules

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
