"""Where the cycle model (csim) and the circuit (tsim) differ, instruction by instruction.

python test/python/calibration.py [--seed N] [--port BITS] [--latency CYCLES] ...

runs random streams on both and prints the instructions in which they part. The tests use its functions.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from typing import Any

import numpy as np

from acc._lib import _runtime
from acc.hardware import cycle_model, simulator
from acc.hardware.package import Circuit
from acc.hardware.random_stream import random_stream
from circuits import SMALL, random_case


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
        """What issue 4 asks for."""
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


def devices(config: Any, circuit: Circuit, latency: int, *, optimize: int | None = 0) -> tuple[Any, Any]:
    """tsim and csim of a circuit."""
    simulator.provide(config, circuit, latency=latency, optimize=optimize)
    cycle_model.provide(config, circuit, latency=latency, functional=False)
    return _runtime.Device("tsim", config), _runtime.Device("csim", config)


def compare(pair: tuple[Any, Any], stream: bytes, dram: np.ndarray) -> Difference:
    """Runs a linked stream on both; `dram` is memory from address 0 on."""
    results = []
    for device in (pair[1], pair[0]):
        device.attach_at(0, dram)
        try:
            result = device.run(stream, events=True)
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
        stream = random_stream(config, seed, args.length)
        difference = compare(pair, stream.linked(), stream.dram.copy())
        worst = max(worst, abs(difference.error))
        if not difference.exact:
            print(f"seed {seed}: {100 * difference.error:+.3f} %\n{difference.describe(stream.program)}")
    print(f"{args.count} streams, largest error {100 * worst:.3f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
