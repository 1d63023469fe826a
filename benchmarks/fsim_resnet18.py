"""Simulated GOP/s of the functional simulator on the ten distinct convolutions of ResNet-18.

One core, the default configuration (1x16x16, int8); 2 operations per multiply-accumulate; the time is that
of the whole stream: DMA, GEMM, requantization and stores. The median of several runs.

python benchmarks/fsim_resnet18.py [--kernel NAME] [--json]
"""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import sys
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "test" / "support")]

from acc._lib import _runtime  # noqa: E402
from conv_stream import RESNET18, Conv, generate, reference  # noqa: E402


def measure(conv: Conv, kernel: str, seconds: float = 0.3) -> float:
    """GOP/s of one convolution; its result is checked first."""
    config = _runtime.Config()
    program = generate(conv, config)
    rng = np.random.default_rng(conv.macs)
    b = config.block_in
    x = rng.integers(-128, 128, (conv.inputs // b, conv.size, conv.size, b)).astype(np.int8)
    shape = (conv.outputs // b, conv.inputs // b, conv.kernel, conv.kernel, b, b)
    w = rng.integers(-128, 128, shape).astype(np.int8)
    y = np.zeros((conv.outputs // b, conv.out_size, conv.out_size, b), np.int8)

    device = _runtime.Device("fsim", config, kernel=kernel)
    uops = np.frombuffer(program.uops, np.uint8).copy()
    addresses = [device.attach(a.reshape(-1).view(np.uint8)) for a in (uops, x, w, y)]
    stream = program.link(addresses)
    result = device.run(stream)
    if not result["ok"]:
        sys.exit(f"{conv.name}: {result['message']}")
    if not np.array_equal(y, reference(conv, x, w)):
        sys.exit(f"{conv.name}: wrong result")

    times: list[float] = []
    while sum(times) < seconds or len(times) < 5:
        start = time.perf_counter()
        device.run(stream)
        times.append(time.perf_counter() - start)
    return 2 * conv.macs / statistics.median(times) / 1e9


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", default="", help=f"one of {', '.join(_runtime.fsim_kernels())}")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures = {conv.name: measure(conv, args.kernel) for conv in RESNET18}
    total = sum(2 * c.macs for c in RESNET18) / sum(2 * c.macs / figures[c.name] for c in RESNET18)
    if args.json:
        print(json.dumps({"kernel": args.kernel or _runtime.fsim_kernels()[0], "gops": figures, "all": total}))
        return 0
    print(f"functional simulator, kernel {args.kernel or _runtime.fsim_kernels()[0]}, one core")
    for name, gops in figures.items():
        print(f"  {name:32} {gops:8.1f} GOP/s")
    print(f"  {'all ten':32} {total:8.1f} GOP/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
