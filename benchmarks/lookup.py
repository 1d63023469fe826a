"""Native look-ups in tables of 256 bytes: nanoseconds for each element, for the instruction sets that this machine has.

    python benchmarks/lookup.py [--elements N] [--repeats N]

A Sigmoid of int8 between quantized tensors, which has one table, and a PRelu, which has one for each of 64 channels, on
as many elements as given (1 MiB by default). The processors take turns, and of each the least time counts.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

import numpy as np

sys.path[:0] = [str(pathlib.Path(__file__).parent.parent / folder) for folder in ("test/python", "test/support")]

import acc  # noqa: E402
from acc.compiler import compile_contents  # noqa: E402
from native_levels import runnable  # noqa: E402
from test_lookup_tables import table_model  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--elements", type=int, default=1 << 20)
    parser.add_argument("--repeats", type=int, default=50)
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    for op_type, shape in (("Sigmoid", (args.elements,)), ("PRelu", (1, 64, args.elements // 64))):
        model = table_model(op_type, shape, 3)
        x = {"x": rng.integers(-128, 128, shape).astype(np.int8)}
        compiled = {
            cpu: acc.Executable.from_contents(compile_contents(model, cpu=cpu).contents, profile=True, threads=1)
            for cpu in runnable()
        }
        least = dict.fromkeys(compiled, float("inf"))
        for _ in range(args.repeats):
            for cpu, executable in compiled.items():
                executable.run(x)
                least[cpu] = min(least[cpu], *executable.statistics["layer_seconds"])
        plain = next(iter(least.values()))
        for cpu, seconds in least.items():
            print(f"{op_type:8} {cpu:10} {seconds / np.prod(shape) * 1e9:6.3f} ns per element, {plain / seconds:5.2f}x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
