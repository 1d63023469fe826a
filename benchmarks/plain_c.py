"""Models as C beside native code on one thread: how many times as long C takes, by compiler and its flags.

    python benchmarks/plain_c.py [--lanes N ...] [--model model.onnx ...] [--repeats N]

Convolutions, a product and the digits, or the models that are given, on random inputs. All take turns, and of each the
least time counts; native code and C are called from Python in the same way.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import tempfile
import time

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test" / "support"))

import acc  # noqa: E402
from plain_c import Source, draw, write_source  # noqa: E402

COMPILERS = {
    "gcc -O3 -march=native": ("gcc", ["-O3", "-march=native"]),
    "gcc -O2": ("gcc", ["-O2"]),
    "clang -O3": ("clang-22", ["-O3"]),
}


def layer(operator: str, given: tuple[int, ...], weights: tuple[int, ...], **attributes: object) -> onnx.ModelProto:
    """A model of one layer with random weights."""
    values = np.random.default_rng(0).normal(0, 0.1, weights).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "w"], ["y"], **attributes)],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, given)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(values, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


MODELS = {
    "Conv 3x3, 32 -> 32, 32x32": lambda: layer("Conv", (1, 32, 32, 32), (32, 32, 3, 3), pads=[1] * 4),
    "Conv 1x1, 64 -> 64, 28x28": lambda: layer("Conv", (1, 64, 28, 28), (64, 64, 1, 1)),
    "Conv 3x3/2, 3 -> 32, 64x64": lambda: layer("Conv", (1, 3, 64, 64), (32, 3, 3, 3), pads=[1] * 4, strides=[2, 2]),
    "MatMul 64 x 256 x 256": lambda: layer("MatMul", (64, 256), (256, 256)),
    "digits": lambda: onnx.load(ROOT / "demo" / "digits.onnx"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lanes", type=int, nargs="+", default=[8])
    parser.add_argument("--model", nargs="+", default=[])
    parser.add_argument("--repeats", type=int, default=30)
    args = parser.parse_args()
    models = {path: (lambda path=path: onnx.load(path)) for path in args.model} or MODELS
    for name, make in models.items():
        model = make()
        executable = acc.compile(model)
        inputs = draw(executable)
        with tempfile.TemporaryDirectory() as folder:
            running = {"model.so": executable.run}
            for lanes in args.lanes:
                options = ["--option", f"lanes={lanes}"]
                made = write_source(model, pathlib.Path(folder), f"lanes{lanes}", options)
                for label, (compiler, flags) in COMPILERS.items():
                    running[f"{label}, lanes={lanes}"] = Source(made, executable, compiler, flags).run
            least = dict.fromkeys(running, float("inf"))
            for _ in range(args.repeats):
                for label, run in running.items():
                    started = time.perf_counter()
                    run(inputs)
                    least[label] = min(least[label], time.perf_counter() - started)
        for label, seconds in least.items():
            print(f"{name:28} {label:32} {seconds * 1e3:8.3f} ms  {seconds / least['model.so']:5.1f}x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
