"""Networks from PyTorch in native code, compared with ONNX Runtime.

    python benchmarks/transformers.py FILE.onnx ... [--json]

Takes what torch_models.py writes. Where a model leaves sizes open, several are run with one compilation. A result
agrees if it is within 1e-3 of the element, or of a hundredth of the largest one where the element is smaller than that.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

import acc
from acc.report import format_table

# What open sizes are run with, one after the other.
SIZES = ({"batch": 1, "sequence": 128}, {"batch": 2, "sequence": 37}, {"batch": 3, "sequence": 1})
TOLERANCE = 1e-3


def make_feeds(model: onnx.ModelProto, sizes: dict[str, int], seed: int = 0) -> dict[str, np.ndarray]:
    """Inputs: token numbers, masks that hide the end of the last sequence, or normal numbers."""
    random = np.random.default_rng(seed)
    feeds = {}
    for value in model.graph.input:
        dims = value.type.tensor_type.shape.dim
        shape = [dim.dim_value if dim.HasField("dim_value") else sizes[dim.dim_param] for dim in dims]
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
            feeds[value.name] = random.standard_normal(shape).astype(np.float32)
        elif "mask" in value.name:
            feeds[value.name] = np.ones(shape, np.int64)
            feeds[value.name][-1, (shape[1] + 1) // 2 :] = 0
        else:
            feeds[value.name] = random.integers(0, 2 if "type" in value.name else 101, shape)
    return feeds


def difference(result: np.ndarray, expected: np.ndarray) -> float:
    """The largest error, relative to the element or, for small ones, to a hundredth of the largest element."""
    floor = 1e-2 * float(np.abs(expected).max(initial=1e-30))
    return float((np.abs(result - expected) / np.maximum(np.abs(expected), floor)).max(initial=0.0))


def measure(path: Path) -> list[dict[str, Any]]:
    """One row for every size: times in milliseconds, the difference, and what the compilation took."""
    model = onnx.load(path, load_external_data=False)
    started = time.perf_counter()
    try:
        executable = acc.compile(path, threads=1)
    except acc.AccError as error:
        return [{"model": path.stem, "sizes": "", "error": str(error)}]
    compiled = time.perf_counter() - started
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    is_open = any(dim.dim_param for value in model.graph.input for dim in value.type.tensor_type.shape.dim)
    rows = []
    for sizes in SIZES if is_open else SIZES[:1]:
        feeds = make_feeds(model, sizes)
        expected = session.run(None, feeds)
        started = time.perf_counter()
        try:
            results = list(executable.run(feeds).values())
        except acc.AccError as error:
            rows.append({"model": path.stem, "sizes": str(sizes), "error": str(error)})
            continue
        seconds = time.perf_counter() - started
        started = time.perf_counter()
        session.run(None, feeds)
        reference = time.perf_counter() - started
        worst = max(difference(result, wanted) for result, wanted in zip(results, expected, strict=True))
        rows.append(
            {
                "model": path.stem,
                "sizes": ", ".join(f"{name} {size}" for name, size in sizes.items()) if is_open else "fixed",
                "acc_ms": 1e3 * seconds,
                "ort_ms": 1e3 * reference,
                "compile_s": compiled,
                "difference": worst,
                "agrees": worst <= TOLERANCE,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    executable.close()
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description="Compares networks from PyTorch with ONNX Runtime.")
    parser.add_argument("models", nargs="+", type=Path, metavar="FILE.onnx")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = [row for path in args.models for row in measure(path)]
    if args.json:
        print(json.dumps(rows))
    else:
        good = [row for row in rows if "error" not in row]
        header = ("model", "sizes", "acc ms", "ORT ms", "compile s", "difference", "agrees")
        table = [
            (
                *(row["model"], row["sizes"], f"{row['acc_ms']:.1f}", f"{row['ort_ms']:.1f}"),
                *(f"{row['compile_s']:.1f}", f"{row['difference']:.1e}", "yes" if row["agrees"] else "NO"),
            )
            for row in good
        ]
        if table:
            print(format_table(table, header))
        for row in rows:
            if "error" in row:
                print(f"{row['model']} {row['sizes']}: {row['error']}")
    return 0 if all(row.get("agrees") for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
