"""Configurations that circuits are built of in tests, from the smallest on."""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from acc._lib import _runtime, isa
from acc.errors import ConfigError
from acc.hardware import simulator
from acc.hardware.package import PORTS, Circuit
from acc.hardware.random_stream import random_stream


@dataclass(frozen=True)
class Case:
    """A configuration's keys, the port's width, the memory's latency and jitter in cycles, more of the circuit."""

    keys: tuple[tuple[str, int], ...]
    port: int = 64
    latency: int = 64
    jitter: int = 0
    more: tuple[tuple[str, int], ...] = ()

    @property
    def config(self) -> Any:
        return _runtime.Config(json.dumps(dict(self.keys)))

    @property
    def circuit(self) -> Circuit:
        return Circuit(self.port, **dict(self.more))

    def __str__(self) -> str:
        c = self.config
        widths = "" if (c.inp_bits, c.wgt_bits) == (8, 8) else f"-int{c.inp_bits}x{c.wgt_bits}"
        more = "-extended" if dict(self.keys).get("ALU_REQUANTIZE") else ""
        more += f"-{1 << self.circuit.log_acc_banks}banks" if self.circuit.log_acc_banks else ""
        named = dict(self.more)
        if any(name in named for name in STAGES):
            more += "-" + "".join(str(named[name]) for name in STAGES) + "stages"
        more += "-early" if self.circuit.early_uops else ""
        return f"{c.batch}x{c.block_in}x{c.block_out}{widths}-port{self.port}{more}"


def case(batch: int, block_in: int, block_out: int, inp: int, wgt: int, sizes: tuple[int, ...], *rest: int) -> Case:
    """All log2: tile, widths, buffers (uop, inp, wgt, acc in bytes); then port, latency, jitter."""
    names = ("LOG_BATCH", "LOG_BLOCK_IN", "LOG_BLOCK_OUT", "LOG_INP_WIDTH", "LOG_WGT_WIDTH")
    buffers = ("LOG_UOP_BUFF_SIZE", "LOG_INP_BUFF_SIZE", "LOG_WGT_BUFF_SIZE", "LOG_ACC_BUFF_SIZE")
    return Case(tuple(zip(names + buffers, (batch, block_in, block_out, inp, wgt, *sizes), strict=True)), *rest)


# Elements narrower and wider than a beat, several rows, int4 weights, a memory that stutters.
SMALL = [
    case(0, 2, 2, 3, 3, (10, 10, 11, 12), 64, 64, 0),
    case(1, 1, 2, 3, 2, (9, 8, 10, 12), 128, 20, 30),
    case(1, 3, 1, 2, 3, (8, 11, 9, 10), 64, 3, 0),
]


def extended(case: Case) -> Case:
    """The same with all extensions of the instruction set, and room for what they need.

    Windows are of three inputs, if there may be any.
    """
    needed = dict.fromkeys({*isa.ALU_NEEDS.values(), *isa.OPCODE_NEEDS.values()}, 1)
    config, keys = case.config, dict(case.keys)
    needed["GEMM_WINDOW"] = min(3, config.block_in) if config.block_in == config.block_out else 0
    for memory, depth in (("uop", 2 << config.log_table_entries), ("acc", 1 << config.log_table_entries)):
        least = (depth * config.element_bytes(memory)).bit_length() - 1
        key = f"LOG_{memory.upper()}_BUFF_SIZE"
        # A configuration without keys has room.
        if key in keys:
            keys[key] = max(keys[key], least)
    return replace(case, keys=(*keys.items(), *sorted(needed.items())))


def banked(case: Case, log_banks: int) -> Case:
    """The same with so many banks of accumulators, so that GEMM and ALU run beside each other."""
    return replace(case, more=(*case.more, ("log_acc_banks", log_banks)))


STAGES = ("operand_stages", "tree_levels", "alu_stages")


def staged(case: Case, *stages: int) -> Case:
    """The same with so many registers before the multipliers, levels of the tree in a stage, stages of the ALU.

    Without tables, if the ALU is too short for them.
    """
    if _runtime.alu_stages_problem(case.config, stages[2]):
        case = replace(case, keys=tuple((key, value) for key, value in case.keys if key != "ALU_TABLE"))
    return replace(case, more=(*case.more, *zip(STAGES, stages, strict=True)))


# All elements but micro-ops as wide as several beats.
WIDE = case(1, 3, 4, 3, 3, (8, 9, 12, 12), 64, 10, 0)
# Circuits in which GEMM and ALU run beside each other: log2 of the banks.
BESIDE = [(extended(SMALL[0]), 1), (extended(SMALL[1]), 2), (WIDE, 1), (SMALL[2], 3)]
# The shortest and the longest pipelines, with and without `requantize`, and what is in between.
STAGED = [
    staged(extended(SMALL[0]), 0, 12, 1),
    staged(extended(SMALL[0]), 2, 1, 5),
    staged(extended(SMALL[1]), 1, 2, 2),
    staged(extended(SMALL[1]), 1, 1, 4),
    staged(SMALL[2], 0, 3, 1),
    staged(WIDE, 2, 1, 5),
    staged(banked(extended(SMALL[0]), 1), 0, 1, 5),
    staged(banked(SMALL[1], 1), 2, 2, 1),
]
# LOADs of micro-ops that start early.
EARLY = [
    replace(given, more=(*given.more, ("early_uops", 1)))
    for given in (banked(extended(SMALL[0]), 1), banked(SMALL[1], 2), banked(WIDE, 1))
]
# Deep enough for everything that random streams do.
ROOMY = case(0, 2, 2, 3, 3, (12, 12, 14, 14), 64, 64, 0)


def write_copying_stream(config: Any, folder: pathlib.Path) -> list[object]:
    """Writes a stream that copies four elements, and its configuration; the arguments of `acc sim` for it."""
    program = _runtime.Program.parse(
        "load.acc8 sram=0 dram=0 y=1 x=4 stride=4\nstore.out sram=0 dram=4 y=1 x=4 stride=4\nfinish", config
    )
    program.insert_tokens()
    (folder / "insns.bin").write_bytes(program.encode())
    (folder / "c.json").write_text(config.to_json())
    return ["--insns", folder / "insns.bin", "--config", folder / "c.json"]


# Scratchpads so deep that zeroing one takes longer than the watchdog's patience.
DEEP = case(0, 1, 1, 3, 3, (6, 4, 4, 17))


def check(case: Case, seeds: range, length: int = 30, optimize: int = 0, circuit: Circuit | None = None) -> None:
    """Runs random streams on the circuit and on the functional simulator; DRAM and accumulators must agree.

    Every other one finds in the scratchpads what those before have left.
    """
    config = case.config
    options = {"latency": case.latency, "jitter": case.jitter, "optimize": optimize}
    used = circuit or case.circuit
    simulated = simulator.device(config, used, **options)
    functional = _runtime.Device("fsim", config)
    for seed in seeds:
        stream = random_stream(config, seed, length, far=True, regions=1 << used.log_acc_banks)
        assert stream.program.verify() == []
        expected = stream.run(functional, fresh=seed % 2 == 0)
        actual = stream.run(simulated, fresh=seed % 2 == 0)
        np.testing.assert_array_equal(actual, expected, err_msg=f"{case}, seed {seed}")


def random_case(seed: int) -> Case:
    """A circuit of up to 4x32x32 with any legal combination of the rest; every other one has queues of other sizes."""
    rng = np.random.default_rng(seed)
    while True:
        batch, block_in, block_out = (int(rng.choice(n)) for n in ((0, 0, 1, 2), (1, 2, 3, 4, 5), (1, 2, 3, 4, 5)))
        sizes = tuple(int(rng.integers(low, high)) for low, high in ((6, 14), (7, 15), (8, 17), (8, 16)))
        widths = (int(rng.choice([3, 3, 3, 2, 1])), int(rng.choice([3, 3, 2, 1])))
        drawn = case(
            batch,
            block_in,
            block_out,
            *widths,
            sizes,
            int(rng.choice(PORTS)),
            int(rng.choice([1, 8, 64, 200])),
            int(rng.choice([0, 0, 10, 100])),
        )
        try:
            config = drawn.config
        except ConfigError:
            continue
        # Larger multiplications take a C++ compiler minutes.
        if all(config.depth(m) >= 2 for m in ("uop", "inp", "wgt", "acc")) and batch + block_in + block_out <= 9:
            break
    if rng.random() < 0.5 and config.depth("acc") >= 4:
        drawn = extended(drawn)
    if seed % 2 == 0:
        return drawn
    burst = int(rng.integers(0, 7))
    more = {
        "log_queue": int(rng.integers(1, 7)),
        "log_max_burst": burst,
        "log_outstanding": int(rng.integers(max(burst + 1, 2), 11)),
    }
    return replace(drawn, more=tuple(more.items()))
