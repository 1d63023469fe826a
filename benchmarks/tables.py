"""Rows of a table of embeddings: what its forms take in the compiled model and in memory, and how long a look-up takes.

    python benchmarks/tables.py [--rows N] [--columns N] [--indices N,N,...] [--repeats N]

The table is one of floats, or integers that DequantizeLinear makes floats of (int8 and int4 with a scale for each row,
int4 with one for each block of 32), or those of GatherBlockQuantized. MiB of constants in the model and of scratch
memory, and the least microseconds of a run for each number of indices, of which the forms take turns.
"""

from __future__ import annotations

import argparse
import sys
import time

import ml_dtypes
import numpy as np
import onnx
from onnx import helper, numpy_helper

import acc
from acc.compiler import compile_contents
from acc.report import format_table

BLOCK = 32


def make_models(rows: int, columns: int) -> dict[str, onnx.ModelProto]:
    """A model for each form of a random table, with an input `i` of any number of indices and an output `y`."""
    random = np.random.default_rng(1)
    bytes_ = random.integers(-128, 128, (rows, columns), np.int8)
    nibbles = (bytes_ >> 4).astype(ml_dtypes.int4)
    of_rows = random.uniform(0.01, 0.1, rows).astype(np.float32)
    of_blocks = random.uniform(0.01, 0.1, (rows, columns // BLOCK)).astype(np.float32)

    def model(nodes: list[onnx.NodeProto], **constants: np.ndarray) -> onnx.ModelProto:
        graph = helper.make_graph(
            nodes,
            "table",
            [helper.make_tensor_value_info("i", onnx.TensorProto.INT64, ["n"])],
            [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", columns])],
            [numpy_helper.from_array(array, name) for name, array in constants.items()],
        )
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def dequantized(integers: np.ndarray, scales: np.ndarray, axis: int, block: int = 0) -> onnx.ModelProto:
        dequantize = helper.make_node("DequantizeLinear", ["q", "s"], ["w"], axis=axis, block_size=block)
        return model([dequantize, helper.make_node("Gather", ["w", "i"], ["y"])], q=integers, s=scales)

    packed = bytes_[:, : columns // 2].view(np.uint8)
    gather = helper.make_node(
        "GatherBlockQuantized", ["q", "i", "s"], ["y"], domain="com.microsoft", block_size=BLOCK, bits=4
    )
    return {
        "float32": model([helper.make_node("Gather", ["w", "i"], ["y"])], w=bytes_ * of_rows[:, np.newaxis]),
        "int8, rows": dequantized(bytes_, of_rows, 0),
        "int4, rows": dequantized(nibbles, of_rows, 0),
        "int4, blocks": dequantized(nibbles, of_blocks, 1, BLOCK),
        "GatherBlockQuantized": model([gather], q=packed, s=of_blocks),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50257)
    parser.add_argument("--columns", type=int, default=768)
    parser.add_argument("--indices", default="1,128")
    parser.add_argument("--repeats", type=int, default=200)
    args = parser.parse_args()
    if args.columns <= 0 or args.columns % BLOCK:
        parser.error(f"--columns is a multiple of {BLOCK}")
    counts = [int(count) for count in args.indices.split(",")]
    contents = {name: compile_contents(model).contents for name, model in make_models(args.rows, args.columns).items()}
    compiled = {name: acc.Executable.from_contents(each, threads=1) for name, each in contents.items()}
    random = np.random.default_rng(2)
    least = {(name, count): float("inf") for name in compiled for count in counts}
    for count in counts:
        for _ in range(args.repeats):
            feeds = {"i": random.integers(0, args.rows, count)}
            for name, executable in compiled.items():
                started = time.perf_counter()
                executable.run(feeds)
                least[name, count] = min(least[name, count], time.perf_counter() - started)
    lines = [
        [
            name,
            f"{sum(array.nbytes for array in each.constants if isinstance(array, np.ndarray)) / 2**20:.1f}",
            f"{each.workspace_bytes / 2**20:.1f}",
            *(f"{least[name, count] * 1e6:.1f}" for count in counts),
        ]
        for name, each in contents.items()
    ]
    print(format_table(lines, ["table", "constants, MiB", "workspace, MiB", *(f"{count}, us" for count in counts)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
