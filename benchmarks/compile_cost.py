"""What compiling for the CPU costs: seconds on one core and peak memory, beside the size of the weights.

    python benchmarks/compile_cost.py [NAME | FILE.onnx ...] [--json]

NAME is one of the nine light models of the onnx package, all of them by default. Every model is compiled by a
process of its own, bound to one core; the peak is that process's, Python and LLVM included.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import onnx
from onnx import helper, numpy_helper

import acc
from acc.report import format_table
from cpu_latency import LIGHT, NAMES

MEGABYTE = 1 << 20


def weight_bytes(path: Path) -> int:
    """Bytes of all weights, those included that the light models fill with one number when they run."""
    graph = onnx.load(path, load_external_data=False).graph
    shapes = {tensor.name: tensor for tensor in graph.initializer if len(tensor.dims) == 1}
    shapes |= {node.output[0]: node.attribute[0].t for node in graph.node if node.op_type == "Constant"}
    total = 0
    for tensor in graph.initializer:
        total += math.prod(tensor.dims) * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    for node in graph.node:
        if node.op_type == "ConstantOfShape" and node.input[0] in shapes:
            total += 4 * math.prod(numpy_helper.to_array(shapes[node.input[0]]).tolist())
    return total


def measure(path: Path) -> dict[str, Any]:
    """Compiles in this process."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    started, used = time.perf_counter(), time.process_time()
    acc.compile(path).close()
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    weights = weight_bytes(path)
    return {
        "model": path.stem.removeprefix("light_"),
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_mb": peak / MEGABYTE,
        "weights_mb": weights / MEGABYTE,
        "limit_mb": 2 * weights / MEGABYTE + 500,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Seconds and memory that compiling takes.")
    parser.add_argument("models", nargs="*", default=list(NAMES), metavar="NAME | FILE.onnx")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    paths = [LIGHT / f"light_{name}.onnx" if name in NAMES else Path(name) for name in args.models]
    if args.one:
        print(json.dumps(measure(paths[0])))
        return 0
    rows = []
    for path in paths:
        command = [sys.executable, __file__, "--one", str(path)]
        run = subprocess.run(command, check=False, capture_output=True, text=True)
        if run.returncode:
            sys.exit(f"{path}: {run.stderr.strip().splitlines()[-1] if run.stderr.strip() else 'failed'}")
        rows.append(json.loads(run.stdout))
    if args.json:
        print(json.dumps(rows))
        return 0
    header = ("model", "seconds", "CPU s", "peak MB", "weights MB", "2 x weights + 500 MB")
    keys = ("seconds", "cpu_seconds", "peak_mb", "weights_mb", "limit_mb")
    print(format_table([(row["model"], *(f"{row[key]:.1f}" for key in keys)) for row in rows], header))
    return 0


if __name__ == "__main__":
    sys.exit(main())
