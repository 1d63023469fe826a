"""What the circuit does per cycle, counted in simulation: the tables of docs/hardware.md.

python benchmarks/circuit.py

Every figure is a slope: the cycles that further steps, beats or instructions add, without what starts and ends a
stream.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

from acc._lib import _runtime
from acc.hardware import simulator
from acc.hardware.package import Circuit

ONE_UOP = ".uop dst=0 src=0 wgt=0"


def cycles(device: Any, config: Any, body: str, uops: str = ONE_UOP) -> int:
    """Cycles of a stream on `device`: it loads the micro-ops to 0, then runs `body`, whose DRAM is zero."""
    count = uops.count(".uop ")
    head = f'.config {config.to_json()}\n.buffer "uop" {4 * count}\n.uop_buffer 0\n{uops}\n'
    program = _runtime.Program.parse(f"{head}load.uop sram=0 dram=@0+0 y=1 x={count} stride={count}\n{body}\nfinish")
    program.insert_tokens()
    memory = np.zeros(1 << 20, np.uint8)
    memory[: 4 * count] = np.frombuffer(program.uops, np.uint8)
    device.attach_at(0, memory)
    try:
        result = device.run(program.link([0]))
    finally:
        device.detach(0)
    assert result["ok"], result["message"]
    return result["cycles"]


def per_step(device: Any, config: Any, line: str, uops: str = ONE_UOP, few: int = 20, many: int = 120) -> float:
    """Cycles that each further step of an instruction costs; `line` says {n} where their number goes."""
    times = [cycles(device, config, line.format(n=n), uops) for n in (few, many)]
    return (times[1] - times[0]) / (many - few)


def per_instruction(device: Any, config: Any, lines: str) -> float:
    """Cycles that a further repetition of instructions costs."""
    times = [cycles(device, config, "\n".join([lines] * n)) for n in (4, 20)]
    return (times[1] - times[0]) / 16


GEMM_SAME = "gemm uop=0:1 iter=1,{n} dst=0,0 src=0,0 wgt=0,0"
GEMM = "gemm uop=0:1 iter={n},1 dst=1,0 src=1,0 wgt=0,0"
ALU = "alu.{op} uop=0:1 iter=1,{{n}} dst=0,1 src=0,0 use_imm=1 imm=3"
ALU_TWO = "alu.{op} uop=0:1 iter=1,{{n}} dst=0,1 src=0,1 use_imm=0"
REQUANTIZE = "alu.requantize uop=0:1 iter=1,{n} dst=0,1 src=0,0"


def throughputs(device: Any, config: Any, port: int) -> dict[str, float]:
    """Figure by name: cycles per step, bytes per cycle, idle cycles between instructions."""
    far = f".uop dst=0 src={config.depth('acc') // 2} wgt=0"
    result = {
        "GEMM, the same entry": per_step(device, config, GEMM_SAME),
        "GEMM, entry after entry": per_step(device, config, GEMM),
        "ALU, immediate": per_step(device, config, ALU.format(op="add")),
        "ALU, two operands": per_step(device, config, ALU_TWO.format(op="max"), far),
    }
    if config.alu_requantize:
        result["ALU, requantize"] = per_step(device, config, REQUANTIZE, far)
    beat = port // 8
    for memory in ("inp", "wgt", "acc", "acc8"):
        size = config.element_bytes(memory)
        row = max(1, beat // size)
        load = f"load.{memory} sram=0 dram=0 "
        steps = (16, 64) if config.depth(memory) >= 128 else (4, config.depth(memory) // 2)
        result[f"load {memory}, one row"] = size / per_step(
            device, config, load + "y=1 x={n} stride=1", ONE_UOP, *steps
        )
        rows = per_step(device, config, load + f"y={{n}} x={row} stride={2 * row}", ONE_UOP, *steps)
        result[f"load {memory}, rows of {max(1, size // beat)} beats"] = row * size / rows
    size = config.element_bytes("out")
    row = max(1, beat // size)
    store = "store.out sram=0 dram=0 "
    result["store, one row"] = size / per_step(device, config, store + "y=1 x={n} stride=1", ONE_UOP, 16, 112)
    rows = per_step(device, config, store + f"y={{n}} x={row} stride={2 * row}", ONE_UOP, 16, 112)
    result[f"store, rows of {max(1, size // beat)} beats"] = row * size / rows
    return result


def gaps(device: Any, config: Any, port: int) -> dict[str, float]:
    """Idle cycles between an instruction and the next."""
    size = config.element_bytes("inp") * 8 / port
    out = config.element_bytes("out") * 8 / port
    gemm, alu = GEMM.format(n=40), ALU.format(op="max").format(n=40)
    both = f"{gemm}\n{alu}"
    return {
        "GEMM after GEMM": per_instruction(device, config, gemm) - 40,
        "ALU after ALU": per_instruction(device, config, alu) - 40,
        "ALU after GEMM after ALU": (per_instruction(device, config, both) - 80) / 2,
        "LOAD after LOAD": per_instruction(device, config, "load.inp sram=0 dram=0 y=1 x=64 stride=64") - 64 * size,
        "STORE after STORE": per_instruction(device, config, "store.out sram=0 dram=0 y=1 x=64 stride=64") - 64 * out,
    }


def speed(device: Any, config: Any) -> float:
    """Simulated cycles per second of processor time while the GEMM core is busy."""
    start = time.process_time()
    n = 16000
    count = cycles(device, config, "\n".join([GEMM_SAME.format(n=n)] * 40))
    return count / (time.process_time() - start)


def main() -> int:
    for keys, port in (
        ({}, 64),
        ({"LOG_BATCH": 1, "LOG_BLOCK": 3, "LOG_WGT_BUFF_SIZE": 16, "LOG_ACC_BUFF_SIZE": 15}, 128),
    ):
        config = _runtime.Config(json.dumps(keys))
        device = simulator.device(config, Circuit(port))
        print(f"{config.batch}x{config.block_in}x{config.block_out}, port of {port} bits, memory latency 64 cycles")
        for name, value in throughputs(device, config, port).items():
            unit = "cycles per step" if name[0] in "GA" else f"bytes per cycle (port: {port // 8})"
            print(f"  {name:28} {value:6.2f} {unit}")
        for name, value in gaps(device, config, port).items():
            print(f"  {name:28} {value:6.2f} idle cycles")
        print(f"  {'simulation':28} {speed(device, config) / 1e6:6.2f} million cycles per second")
    return 0


if __name__ == "__main__":
    sys.exit(main())
