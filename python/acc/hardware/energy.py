"""Energy of a run: what each operation and each byte takes, from a table that can be replaced.

The table that ships with acc (`data/energy.toml`) is for 45 nm at 0.9 V, from M. Horowitz, "Computing's energy problem
(and what we can do about it)", ISSCC 2014, figure 1.1.9: good to compare designs with each other, not to promise watts.
"""

from __future__ import annotations

import importlib.resources
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from acc.errors import ConfigError

__all__ = ["EnergyTable", "read_table"]

SCALARS = ("multiply_8", "add_32", "vector_32", "requantize", "register_byte", "dram_byte", "static_watts")


@dataclass(frozen=True)
class EnergyTable:
    """Picojoules.

    multiply_8: a product of two numbers of 8 bits; others scale with the product of their widths. add_32: of 32 bits.
    vector_32, requantize: an operation of a lane of the vector unit, and all of a requantization. register_byte: a byte
    through the queues and registers between memory port and scratchpad. dram_byte: a byte of memory. sram: bytes of a
    memory, ascending, and what a byte read or written takes of one so large; in between, lines on logarithmic axes.
    static_watts: what is there in every second, watts. source: for people.
    """

    multiply_8: float
    add_32: float
    vector_32: float
    requantize: float
    register_byte: float
    dram_byte: float
    static_watts: float
    sram: tuple[tuple[float, float], ...]
    source: str

    def sram_byte(self, size: float) -> float:
        """A byte read from or written to a memory of `size` bytes."""
        sizes, energies = np.log(np.array(self.sram)).T
        return float(np.exp(np.interp(np.log(max(size, 1.0)), sizes, energies)))

    def joules(self, config: Any, counts: Mapping[str, int], seconds: float) -> float:
        """A run of a program on the accelerator of an `acc._lib._runtime.Config`.

        counts: "gemm_steps", "reset_steps", "alu_steps", "requantize_steps" (part of the alu_steps), and bytes moved
        from or to memory, "dram_inp" and so on by scratchpad.
        """
        lanes = config.batch * config.block_out
        products = lanes * config.block_in
        byte = {
            memory: self.sram_byte(config.depth(memory) * config.element_bytes(memory))
            for memory in ("uop", "inp", "wgt", "acc")
        }
        element = {memory: config.element_bytes(memory) for memory in ("uop", "inp", "wgt", "acc")}
        multiply = self.multiply_8 * config.inp_bits * config.wgt_bits / 64
        accumulators = 2 * element["acc"] * byte["acc"]
        gemm = products * (multiply + self.add_32) + accumulators + element["uop"] * byte["uop"]
        gemm += element["inp"] * byte["inp"] + element["wgt"] * byte["wgt"]
        requantized = counts["requantize_steps"]
        vector = lanes * self.vector_32 + accumulators + element["uop"] * byte["uop"]
        picojoules = counts["gemm_steps"] * gemm + counts["reset_steps"] * accumulators / 2
        picojoules += (counts["alu_steps"] - requantized) * vector
        picojoules += requantized * (lanes * self.requantize + accumulators)
        for name, moved in counts.items():
            if name.startswith("dram_"):
                memory = name.removeprefix("dram_")
                scratchpad = byte["acc" if memory in ("out", "acc8") else memory]
                picojoules += moved * (self.dram_byte + self.register_byte + scratchpad)
        return 1e-12 * picojoules + self.static_watts * seconds


def _problem(data: Mapping[str, Any]) -> str:
    """What is wrong with a table, or ""."""
    known = {*SCALARS, "sram", "source"}
    if unknown := data.keys() - known:
        return f"there is no '{min(unknown)}' in it: it has {', '.join(sorted(known))}"
    for name in SCALARS:
        value = data.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < float("inf"):
            return f"'{name}' is {value!r}, not a number from 0 on"
    sram = data.get("sram")
    if not isinstance(sram, Sequence) or isinstance(sram, str) or not sram:
        return "'sram' is no list of pairs: bytes of a memory, and picojoules for a byte"
    for pair in sram:
        if not (
            isinstance(pair, Sequence)
            and len(pair) == 2
            and all(isinstance(number, int | float) and 0 < number < float("inf") for number in pair)
        ):
            return f"'sram' has {pair!r}, not bytes of a memory and picojoules for a byte"
    if sorted(pair[0] for pair in sram) != [pair[0] for pair in sram]:
        return "the sizes in 'sram' do not ascend"
    return ""


def read_table(path: str | os.PathLike[str] | None = None) -> EnergyTable:
    """The table of a file, or the one that ships with acc; raises ConfigError that says what is wrong with it."""
    file = Path(str(importlib.resources.files("acc"))) / "hardware" / "data" / "energy.toml" if path is None else path
    try:
        data = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read '{os.fspath(file)}': {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigError(f"'{os.fspath(file)}' is no table of energies: {error}") from None
    if problem := _problem(data):
        raise ConfigError(f"'{os.fspath(file)}' is no table of energies: {problem}")
    sram = tuple((float(size), float(energy)) for size, energy in data["sram"])
    numbers = {name: float(data[name]) for name in SCALARS}
    return EnergyTable(**numbers, sram=sram, source=str(data.get("source", os.fspath(file))))
