"""Compiles one te.kernel to an instruction stream and runs it on the functional simulator."""

from __future__ import annotations

import json
import re

import numpy as np

from acc import ir
from acc._lib import _runtime as runtime
from acc.passmanager import PassManager
from acc.schedule import Decision, Options, make_vta_schedules

TE_PASSES = (
    "te-declare-intrins,te.kernel(te-tile,te-vthread,te-cache,te-bufferize),"
    "te-tensorize,te.kernel(te-dma,te-lower-vthread)"
)
VTA_PASSES = "vta-allocate-scratchpads,vta-expand,vta.program(vta-cache-uops,vta-insert-tokens,vta-verify-program)"


def schedule(text: str, options: Options | None = None) -> tuple[ir.Module, list[Decision]]:
    module = ir.Module.parse(text)
    return module, make_vta_schedules(module, options=options)


def compile_kernel(module: ir.Module) -> ir.Operation:
    """Runs all passes on a scheduled module and returns its vta.program."""
    PassManager.parse(f"builtin.module({TE_PASSES},{VTA_PASSES})", module.context).run(module)
    return next(op for op in module.body if op.name == "vta.program")


def assemble(program: ir.Operation, config: dict[str, int]) -> runtime.Program:
    """The program as the runtime takes it, by way of the assembly text."""
    header, *lines = str(program).splitlines()
    uops = re.findall(r"\[(\d+), (\d+), (\d+)\]", header)
    buffers = header.count("memref<")
    text = [f'.buffer "b{i}" 0' for i in range(buffers + 1)] + [f".uop_buffer {buffers}"]
    text += [f".uop dst={d} src={s} wgt={w}" for d, s, w in uops]
    for line in lines:
        match = re.match(r"\s*vta\.insn\.(\w+)(.*)", line)
        if not match:
            continue
        name, rest = match.groups()
        fields: list[str] = []
        if name in ("load", "store"):
            memory = rest.split()[0]
            name += f".{memory}"
            sram, buffer, dram, y, x, stride = re.search(  # type: ignore[union-attr]
                r"sram (\d+) dram (\d+)\[(\d+)\] size \[(\d+), (\d+)\] stride (\d+)", rest
            ).groups()
            fields = [f"sram={sram}", f"dram=@{buffer}+{dram}", f"y={y}", f"x={x}", f"stride={stride}"]
            if pad := re.search(r"pad \[(.*?)\]", rest):
                fields.append("pad=" + pad.group(1).replace(" ", ""))
        elif name != "finish":
            if name == "gemm" and " reset" in rest:
                name = "gemm.reset"
            if name == "alu":
                name += "." + rest.split()[0]
                imm = re.search(r"imm (-?\d+)", rest)
                fields = [f"imm={imm.group(1) if imm else 0}", f"use_imm={int(imm is not None)}"]
            for key in ("uop", "iter", "dst", "src", "wgt"):
                if pair := re.search(rf"\b{key} \[(\d+), (\d+)\]", rest):
                    fields.append(f"{key}={':'.join(pair.groups()) if key == 'uop' else ','.join(pair.groups())}")
        for key in ("pop", "push"):
            if dependences := re.search(rf"{key}\((.*?)\)", rest):
                fields.append(f"{key}={dependences.group(1).replace(' ', '')}")
        text.append(" ".join([name, *fields]))
    return runtime.Program.parse("\n".join(text) + "\n", runtime.Config(json.dumps(config)))


def run_program(program: runtime.Program, config: dict[str, int], arguments: list[np.ndarray]) -> dict:
    """Runs on the functional simulator with its sanitizer; the last argument is written in place."""
    device = runtime.Device("fsim", runtime.Config(json.dumps(config)))
    arrays = [a.reshape(-1).view(np.uint8) for a in arguments]
    uops = np.frombuffer(bytes(program.uops), np.uint8)
    arrays.append(uops.copy() if uops.size else np.zeros(4, np.uint8))
    return device.run_program(program, [device.attach(a) for a in arrays], True)
