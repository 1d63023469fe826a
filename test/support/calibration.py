"""Where the cycle model (csim) and the circuit (tsim) differ, instruction by instruction.

python test/support/calibration.py [--seed N] [--port BITS] [--latency CYCLES] ...

runs random streams on both and prints the instructions in which they part. The tests use its functions.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from acc._lib import _runtime
from acc.container import read_model
from acc.hardware import cycle_model, simulator
from acc.hardware.package import Circuit
from acc.hardware.random_stream import random_stream
from circuits import SMALL, random_case

PAGE = 4096


@dataclasses.dataclass(frozen=True)
class Difference:
    """What both devices say about a stream: cycles, and per instruction when it started and retired."""

    circuit: dict[str, Any]
    model: dict[str, Any]

    @property
    def cycles(self) -> int:
        return int(self.circuit["cycles"])

    @property
    def error(self) -> float:
        """Relative, signed."""
        return self.model["cycles"] / self.cycles - 1

    @property
    def allowed(self) -> float:
        """The error that is promised: more is a defect whatever the reason."""
        return 0.02 if self.cycles > 10_000 else 0.05

    @property
    def exact(self) -> bool:
        """Whether all times and counters agree."""
        same = all(np.array_equal(self.model[key], self.circuit[key]) for key in ("started", "retired"))
        return same and self.model["cycles"] == self.cycles and self.model["circuit"] == self.circuit["circuit"]

    def describe(self, program: Any, limit: int = 12) -> str:
        """The first instructions whose times differ, and all counters that do."""
        lines = [f"cycles: {self.cycles} on the circuit, {self.model['cycles']} in the model"]
        started, retired = (
            self.model[key].astype(np.int64) - self.circuit[key].astype(np.int64) for key in ("started", "retired")
        )
        text = [
            line.strip() for line in str(program).splitlines() if line.strip() and not line.lstrip().startswith(".")
        ]
        apart = np.flatnonzero((started != 0) | (retired != 0))
        lines.append(f"{len(apart)} of {len(started)} instructions differ")
        lines += [
            f"  {i}: started {self.circuit['started'][i]} {started[i]:+}, retired {self.circuit['retired'][i]} "
            f"{retired[i]:+}  {text[i]}"
            for i in apart[:limit]
        ]
        counters = self.circuit["circuit"]
        lines += [
            f"  {name}: {counters[name]} {self.model['circuit'][name] - counters[name]:+}"
            for name in counters
            if counters[name] != self.model["circuit"][name]
        ]
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class Stream:
    """A linked stream with memory from address 0 on."""

    name: str
    program: Any
    words: bytes
    dram: np.ndarray


def random(config: Any, seed: int, length: int = 30, regions: int = 1) -> Stream:
    """A constrained-random stream."""
    stream = random_stream(config, seed, length, regions=regions)
    return Stream(f"seed {seed}", stream.program, stream.linked(), stream.dram.copy())


def linked(name: str, program: Any) -> Stream:
    """A program with its buffers one behind the other, all zero but micro-ops: time depends on nothing else."""
    addresses, end = [], PAGE
    for _, size in program.buffers:
        addresses.append(end)
        end += (-(-size // PAGE) + 1) * PAGE
    dram = np.zeros(end, np.uint8)
    uops = np.frombuffer(program.uops, np.uint8)
    if len(uops):
        # The buffer of the micro-ops is the one that LOADs of them refer to.
        first = next(
            i["assembly"] for i in program.instructions if i["name"] == "LOAD uop" and "dram=@" in i["assembly"]
        )
        at = addresses[int(first.partition("dram=@")[2].partition("+")[0])]
        dram[at : at + len(uops)] = uops
    return Stream(name, program, program.link(addresses), dram)


def compiled(path: str | os.PathLike[str]) -> list[Stream]:
    """The accelerator programs of a compiled model."""
    programs = [_runtime.read_program(program.data) for program in read_model(path).programs]
    return [linked(f"program {i}", program) for i, program in enumerate(programs)]


def third_party(folder: Path) -> Stream:
    """One of the streams in ../shared/vectors."""
    dram, address = np.zeros(1 << 20, np.uint8), PAGE
    for region in ("input", "weight", "out", "uop", "accumulator"):
        data = np.fromfile(folder / f"{region}.bin", np.uint8)
        dram[address : address + len(data)] = data
        address += -(-len(data) // PAGE) * PAGE
    words = (folder / "instructions.bin").read_bytes()
    return Stream(folder.name, _runtime.Program.decode(_runtime.Config(), words), words, dram)


def devices(config: Any, circuit: Circuit, latency: int, *, optimize: int | None = 0) -> tuple[Any, Any]:
    """tsim and csim of a circuit."""
    simulated = simulator.device(config, circuit, latency=latency, optimize=optimize)
    return simulated, cycle_model.device(config, circuit, latency=latency, functional=False)


def compare(pair: tuple[Any, Any], stream: Stream) -> Difference:
    """Runs a stream on both."""
    results = []
    # Which changes DRAM: first the model, which does not.
    for device in (pair[1], pair[0]):
        device.attach_at(0, stream.dram)
        try:
            result = device.run(stream.words, events=True)
        finally:
            device.detach(0)
        assert result["ok"], f"{device.name}: {result['message']}"
        results.append(result)
    return Difference(results[1], results[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="0", help="a vta_config.json, N of circuits.SMALL, or rN, a random case")
    parser.add_argument("--seed", type=int, default=0, help="of the first stream")
    parser.add_argument("--count", type=int, default=10, help="streams")
    parser.add_argument("--length", type=int, default=30, help="instructions of a stream")
    parser.add_argument("--latency", type=int, default=64)
    for field in dataclasses.fields(Circuit):
        if field.name != "dsp_blocks":
            parser.add_argument("--" + field.name.replace("_", "-"), type=int, default=field.default)
    args = parser.parse_args()
    if args.config.isdigit():
        config = SMALL[int(args.config)].config
    elif args.config[0] == "r" and args.config[1:].isdigit():
        config = random_case(int(args.config[1:])).config
    else:
        with open(args.config) as file:
            config = _runtime.Config(file.read())
    sizes = {f.name: getattr(args, f.name) for f in dataclasses.fields(Circuit) if f.name != "dsp_blocks"}
    pair = devices(config, Circuit(**sizes), args.latency)
    worst = 0.0
    for seed in range(args.seed, args.seed + args.count):
        stream = random(config, seed, args.length, 1 << args.log_acc_banks)
        difference = compare(pair, stream)
        worst = max(worst, abs(difference.error))
        if not difference.exact:
            print(f"seed {seed}: {100 * difference.error:+.3f} %\n{difference.describe(stream.program)}")
    print(f"{args.count} streams, largest error {100 * worst:.3f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
