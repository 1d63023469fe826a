"""How exact and how fast the cycle model is, beside the circuit itself under Verilator.

python benchmarks/csim.py [--random N] [--quick]

Errors: third-party streams, convolutions and compiled networks on the default circuit, random streams on random
circuits, all under several memory latencies. Speed: the model alone (checks of the stream included), and the circuit's
simulator, on the same streams and one core.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / folder) for folder in ("python", "test/support", "demo")]

import acc  # noqa: E402
from acc._lib import _runtime  # noqa: E402
from acc.hardware.package import PORTS, Circuit  # noqa: E402
from acc.report import format_table  # noqa: E402
from calibration import Difference, Stream, compare, compiled, devices, linked, random, third_party  # noqa: E402
from circuits import random_case  # noqa: E402
from conv_stream import RESNET18, generate  # noqa: E402
from qdq_models import random_network  # noqa: E402

LATENCIES = (3, 64, 500)


def run(device: Any, stream: Stream, seconds: float) -> float:
    """Seconds of processor time for a stream on a device: the best of as many runs as `seconds` has room for."""
    device.attach_at(0, stream.dram)
    times: list[float] = []
    while not times or sum(times) < seconds:
        start = time.process_time()
        result = device.run(stream.words)
        times.append(time.process_time() - start)
        assert result["ok"], result["message"]
    device.detach(0)
    return min(times)


class Table:
    """Errors by kind of stream."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = []
        self.errors: list[float] = []
        self.failed = 0

    def add(self, kind: str, differences: Iterable[Difference]) -> None:
        found = list(differences)
        errors = [abs(difference.error) for difference in found]
        long = sum(difference.cycles > 10_000 for difference in found)
        self.failed += sum(abs(difference.error) > difference.allowed for difference in found)
        self.errors += errors
        exact = sum(difference.exact for difference in found)
        cycles = sum(difference.cycles for difference in found)
        self.rows.append([kind, *map(str, (len(found), long, exact)), f"{cycles:,}", *spread(errors)])
        print(".", end="", file=sys.stderr, flush=True)


def spread(errors: list[float]) -> list[str]:
    """Median and worst, in percent."""
    return [f"{100 * statistics.median(errors):.3f}", f"{100 * max(errors):.3f}"]


def resnet18() -> Any:
    """QDQ ResNet-18 at 224x224, compiled for the default configuration."""
    from networks import load

    return acc.compile(load("resnet18")[0], target="vta")


def programs(executable: Any) -> list[Stream]:
    """The streams of a compiled network."""
    with tempfile.TemporaryDirectory() as folder:
        executable.save(pathlib.Path(folder, "model.so"))
        return compiled(pathlib.Path(folder, "model.so"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", type=int, default=12, metavar="N", help="random circuits (default: 12)")
    parser.add_argument("--quick", action="store_true", help="one latency for everything that is large")
    args = parser.parse_args()
    config = _runtime.Config()
    convolutions = [linked(conv.name, generate(conv, config)) for conv in RESNET18]
    network = programs(resnet18())
    small = [stream for seed in range(4) for stream in programs(acc.compile(random_network(seed), target="vta"))]
    table, speeds = Table(), []
    for latency in (64,) if args.quick else LATENCIES:
        pair = devices(config, Circuit(), latency, optimize=None)
        vectors = ROOT.parent / "shared" / "vectors"
        if vectors.is_dir():
            names = ("16x16", "16x16_relu", "lenet5_conv1")
            table.add(f"third-party, latency {latency}", [compare(pair, third_party(vectors / n)) for n in names])
        for kind, streams in (
            ("ResNet-18's convolutions by hand", convolutions),
            ("ResNet-18, compiled", network),
            ("random networks, compiled", small),
        ):
            found = [compare(pair, stream) for stream in streams]
            table.add(f"{kind}, latency {latency}", found)
            if latency == 64 and streams is not small:
                cycles = sum(difference.cycles for difference in found)
                model, circuit = (sum(run(d, s, limit) for s in streams) for d, limit in ((pair[1], 0.1), (pair[0], 0)))
                speeds.append([kind, f"{cycles:,}", cycles / model, cycles / circuit])
    for seed in range(args.random):
        rng = np.random.default_rng(1000 + seed)
        burst = int(rng.integers(0, 7))
        circuit = Circuit(
            PORTS[seed % len(PORTS)],
            log_queue=int(rng.integers(1, 7)),
            log_max_burst=burst,
            log_outstanding=int(rng.integers(max(burst + 1, 2), 11)),
        )
        case = random_case(1000 + seed)
        found = [
            compare(devices(case.config, circuit, latency), random(case.config, stream, 60))
            for latency in (0, *LATENCIES)
            for stream in range(10)
        ]
        name = f"{case.config.batch}x{case.config.block_in}x{case.config.block_out}, port {circuit.mem_data_width}"
        table.add(f"random, {name}, 4 latencies", found)
    print(file=sys.stderr)
    header = ["streams", "number", "> 10,000 cycles", "exact", "cycles", "median error %", "worst error %"]
    print(format_table([*table.rows, ["all", str(len(table.errors)), "", "", "", *spread(table.errors)]], header))
    print()
    rows = [[kind, cycles, f"{m / 1e6:,.0f}", f"{c / 1e6:.2f}", f"{m / c:,.0f}"] for kind, cycles, m, c in speeds]
    header = ["speed on one core", "cycles", "csim, million cycles/s", "tsim, million cycles/s", "ratio"]
    print(format_table(rows, header))
    return int(table.failed > 0)


if __name__ == "__main__":
    sys.exit(main())
