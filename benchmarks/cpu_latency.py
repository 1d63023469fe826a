"""Latency of native code beside ONNX Runtime's, on the nine light models of the onnx package.

    python benchmarks/cpu_latency.py [NAME ...] [--runs N] [--json]

acc runs one thread (`threads.py` is about more). Also printed: how long acc compiles, and how far its output is from
the stored one.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

import acc
from acc.report import format_table

LIGHT = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
NAMES = (
    *("bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50"),
    *("shufflenet", "squeezenet", "vgg19", "zfnet512"),
)


def ramp(shape: tuple[int, ...]) -> np.ndarray:
    """The input that the stored outputs belong to, as onnx's test runner makes it."""
    count = int(np.prod(shape))
    return (np.arange(count).reshape(shape) / count).astype(np.float32)


def fastest(run: Callable[[], object], runs: int) -> float:
    """Milliseconds of the fastest of `runs` runs, after one to warm up."""
    run()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times) * 1e3


def onnx_runtime(path: pathlib.Path, threads: int, feeds: dict[str, np.ndarray], runs: int) -> float:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return fastest(lambda: session.run(None, feeds), runs)


def measure(name: str, runs: int) -> dict[str, Any]:
    path = LIGHT / f"light_{name}.onnx"
    started = time.perf_counter()
    executable = acc.compile(path, threads=1)
    compiled = time.perf_counter() - started
    feeds = {info.name: ramp(info.shape) for info in executable.inputs}
    output = next(iter(executable.run(feeds).values()))
    stored = numpy_helper.to_array(onnx.load_tensor(str(LIGHT / f"light_{name}_output_0.pb")))
    milliseconds = fastest(lambda: executable.run(feeds), runs)
    executable.close()
    one, two = (onnx_runtime(path, threads, feeds, runs) for threads in (1, 2))
    return {
        "model": name,
        "acc_ms": milliseconds,
        "ort_1_thread_ms": one,
        "ort_2_threads_ms": two,
        "times_ort_1": milliseconds / one,
        "times_ort_2": milliseconds / two,
        "compile_s": compiled,
        "max_difference": float(np.abs(output - stored).max()),
        "largest_output": float(np.abs(stored).max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"models (default all: {', '.join(NAMES)})")
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="timed runs (default 20)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    unknown = set(args.names) - set(NAMES)
    if unknown:
        parser.error(f"unknown models: {', '.join(sorted(unknown))}")
    results = [measure(name, args.runs) for name in args.names or NAMES]
    if args.json:
        print(json.dumps(results))
        return
    header = ("model", "acc ms", "ORT 1 thread", "ORT 2 threads", "x ORT 1", "x ORT 2", "compile s", "max difference")
    rows = [
        [
            r["model"],
            *(f"{r[key]:.2f}" for key in ("acc_ms", "ort_1_thread_ms", "ort_2_threads_ms")),
            *(f"{r[key]:.2f}" for key in ("times_ort_1", "times_ort_2", "compile_s")),
            f"{r['max_difference']:.1e}",
        ]
        for r in results
    ]
    print(format_table(rows, header))


if __name__ == "__main__":
    main()
