"""Speed-up of native code from one thread to two (or more), beside ONNX Runtime's, on the light models of onnx.

    python benchmarks/threads.py [NAME ...] [--threads N] [--rounds N] [--json]

Everything takes turns in one process, and what counts is the median. A turn begins with a pause, in which threads of
the one before fall asleep, and a run that is not timed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime

import acc
from acc.machine import processor
from acc.report import format_table
from acc.threads import usable_cores
from cpu_latency import LIGHT, NAMES, ramp

PAUSE = 0.02
"""Seconds between turns."""
RUNS = 3
"""Timed runs of a turn, of which the fastest counts."""
FEATURES = ("avx2", "avx512f", "avx512vnni", "avxvnni", "amx-int8", "neon", "v")
"""What of the instruction set is worth a word."""


def turn(run: Callable[[], object]) -> float:
    """Milliseconds of one run."""
    time.sleep(PAUSE)
    run()
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times) * 1e3


def measure(name: str, threads: int, rounds: int) -> dict[str, Any]:
    """Medians of one model, in milliseconds, and speed-ups."""
    path = LIGHT / f"light_{name}.onnx"
    executable = acc.compile(path)
    feeds: dict[str, np.ndarray] = {info.name: ramp(info.fixed_shape or ()) for info in executable.inputs}

    def acc_on(count: int) -> Callable[[], object]:
        def run() -> object:
            executable.threads = count
            return executable.run(feeds)

        return run

    def onnx_runtime_on(count: int) -> Callable[[], object]:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = count
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return lambda: session.run(None, feeds)

    runs = {
        (who, count): make(count) for who, make in (("acc", acc_on), ("ort", onnx_runtime_on)) for count in (1, threads)
    }
    times: dict[tuple[str, int], list[float]] = {key: [] for key in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            times[key].append(turn(run))
    kernels = executable.report()
    features = [feature for feature in FEATURES if feature in executable.metadata["cpu_features"]]
    executable.close()
    medians = {f"{who}_{count}_ms": statistics.median(values) for (who, count), values in times.items()}
    return {
        "model": name,
        **medians,
        **{f"{who}_speed_up": medians[f"{who}_1_ms"] / medians[f"{who}_{threads}_ms"] for who in ("acc", "ort")},
        "parallel_kernels": sum(bool(kernel.parallel) for kernel in kernels),
        "kernels": len(kernels),
        "features": features,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"models (default all: {', '.join(NAMES)})")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="the number beside 1 (default 2)")
    parser.add_argument("--rounds", type=int, default=11, metavar="N", help="turns of each (default 11)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    unknown = set(args.names) - set(NAMES)
    if unknown:
        parser.error(f"unknown models: {', '.join(sorted(unknown))}")
    if args.threads < 2:
        parser.error("one thread is always measured: --threads is the other number, from 2 on")
    results = [measure(name, args.threads, args.rounds) for name in args.names or NAMES]
    machine = {"processor": processor(), "usable_cores": usable_cores(), "features": results[0]["features"]}
    if args.json:
        print(json.dumps({"machine": machine, "models": results}))
        return
    n = args.threads
    print(f"{machine['processor']}, {machine['usable_cores']} cores usable, {' '.join(machine['features'])}\n")
    header = [
        "model",
        "acc 1",
        f"acc {n}",
        "ORT 1",
        f"ORT {n}",
        "acc speed-up",
        "ORT speed-up",
        f"acc / ORT, {n}",
        "kernels",
    ]
    rows = [
        [
            r["model"],
            *(f"{r[key]:.2f}" for key in ("acc_1_ms", f"acc_{n}_ms", "ort_1_ms", f"ort_{n}_ms")),
            *(f"{r[key]:.2f}" for key in ("acc_speed_up", "ort_speed_up")),
            f"{r[f'acc_{n}_ms'] / r[f'ort_{n}_ms']:.2f}",
            f"{r['parallel_kernels']} of {r['kernels']}",
        ]
        for r in results
    ]
    print(format_table(rows, header))
    means = [statistics.geometric_mean(r[key] for r in results) for key in ("acc_speed_up", "ort_speed_up")]
    print(f"\nspeed-up, geometric mean: acc {means[0]:.2f}, ONNX Runtime {means[1]:.2f}")


if __name__ == "__main__":
    main()
