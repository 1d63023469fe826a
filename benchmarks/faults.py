"""What was slow once, beside ONNX Runtime in the same run: operators of single kinds, and what compiling costs.

    python benchmarks/faults.py [NAME ...] [--runs N] [--compile] [--json]

Runs of acc and of ONNX Runtime (one thread each) alternate, so that a loaded machine slows both; a ratio is that of the
medians of processor time. `open` is the ratio of a model whose image sizes are open to the same with known sizes.
`--compile` adds the seconds of processor time and the peak memory that compiling takes, each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import acc
from acc.report import format_table

Build = Callable[[], "Case"]


@dataclass
class Case:
    """A model and what it is given. `open` is the same model with sizes that only a run knows."""

    model: onnx.ModelProto
    feeds: dict[str, np.ndarray]
    open: onnx.ModelProto | None = None


@dataclass
class Net:
    """Nodes and constants of a model that is being written."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def constant(self, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), f"c{len(self.constants)}"))
        return self.constants[-1].name

    def weight(self, *shape: int, dtype: type = np.float32) -> str:
        scale = float(np.sqrt(np.prod(shape[1:])))
        return self.constant((self.rng.standard_normal(shape) / scale).astype(dtype))

    def node(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        names = [f"v{len(self.nodes)}" if n == 0 else f"v{len(self.nodes)}_{n}" for n in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, **attributes))
        return names[0]

    def model(
        self, y: str, shape: tuple[Any, ...], dtype: int = TensorProto.FLOAT, result: int | None = None
    ) -> onnx.ModelProto:
        """Both types are those of elements; `result` is `dtype` unless it is given."""
        graph = helper.make_graph(
            self.nodes,
            "case",
            [helper.make_tensor_value_info("x", dtype, shape)],
            [helper.make_tensor_value_info(y, result or dtype, None)],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _sample(shape: tuple[int, ...], dtype: type = np.float32) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(1).standard_normal(shape).astype(dtype)}


def _image(op: str, shape: tuple[int, ...], weight: tuple[int, ...], **attributes: Any) -> Build:
    """A convolution of images, with sizes known and open."""

    def build() -> Case:
        net = Net()
        y = net.node(op, "x", net.weight(*weight), **attributes)
        return Case(net.model(y, shape), _sample(shape), net.model(y, ("n", shape[1], "h", "w")))

    return build


def _dynamic_product(rows: int, depth: int, columns: int) -> Build:
    def build() -> Case:
        net = Net()
        weights = net.constant(net.rng.integers(-127, 128, (depth, columns)).astype(np.int8))
        value = net.node("DynamicQuantizeLinear", "x", outputs=3)
        total = net.node("MatMulInteger", value, weights, f"{value}_2")
        real = net.node("Cast", total, to=TensorProto.FLOAT)
        y = net.node("Mul", real, net.node("Mul", f"{value}_1", net.constant(np.float32(0.01))))
        return Case(net.model(y, (rows, depth)), _sample((rows, depth)))

    return build


def _lstm(hidden: int, steps: int, batch: int) -> Build:
    def build() -> Case:
        net = Net()
        operands = [net.weight(2, 4 * hidden, hidden), net.weight(2, 4 * hidden, hidden), net.weight(2, 8 * hidden)]
        y = net.node("LSTM", "x", *operands, hidden_size=hidden, direction="bidirectional")
        return Case(net.model(y, (steps, batch, hidden)), _sample((steps, batch, hidden)))

    return build


def _half_product(rows: int, depth: int, columns: int) -> Build:
    def build() -> Case:
        net = Net()
        y = net.node("MatMul", "x", net.weight(depth, columns, dtype=np.float16))
        return Case(net.model(y, (rows, depth), TensorProto.FLOAT16), _sample((rows, depth), np.float16))

    return build


def _operator(op: str, shape: tuple[int, ...], *constants: Any, dtype: type = np.float32, **attributes: Any) -> Build:
    """One operator of an input and constants."""

    def build() -> Case:
        net = Net()
        y = net.node(op, "x", *(net.constant(value) for value in constants), **attributes)
        feeds = _sample(shape, dtype)
        if dtype is np.int8:
            feeds = {"x": np.random.default_rng(1).integers(-128, 128, shape).astype(np.int8)}
        if op == "Pow":
            feeds = {"x": np.abs(feeds["x"]) + np.float32(0.01)}
        result = TensorProto.INT64 if op == "ArgMax" else None
        return Case(net.model(y, shape, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), result), feeds)

    return build


def _gelu(shape: tuple[int, ...]) -> Build:
    """As exporters write it before opset 20."""

    def build() -> Case:
        net = Net()
        scaled = net.node("Div", "x", net.constant(np.float32(np.sqrt(2))))
        sum_ = net.node("Add", net.node("Erf", scaled), net.constant(np.float32(1)))
        y = net.node("Mul", net.node("Mul", "x", sum_), net.constant(np.float32(0.5)))
        return Case(net.model(y, shape), _sample(shape))

    return build


def _norm(shape: tuple[int, ...]) -> Build:
    def build() -> Case:
        net = Net()
        y = net.node("LayerNormalization", "x", net.weight(shape[-1]), net.weight(shape[-1]), axis=-1)
        return Case(net.model(y, shape), _sample(shape))

    return build


def _network(blocks: int) -> Build:
    """Inverted residuals, of which half of a convolutional network's time is depthwise."""

    def build() -> Case:
        net = Net()
        x = net.node("Relu", net.node("Conv", "x", net.weight(16, 3, 3, 3), strides=[2, 2], pads=[1] * 4))
        channels = 16
        for block in range(blocks):
            stride, outputs = 1 + block % 2, channels + 8
            wide = net.node("Relu", net.node("Conv", x, net.weight(6 * channels, channels, 1, 1)))
            depthwise = net.weight(6 * channels, 1, 3, 3)
            deep = net.node("Conv", wide, depthwise, group=6 * channels, strides=[stride] * 2, pads=[1] * 4)
            x = net.node("Conv", net.node("Relu", deep), net.weight(outputs, 6 * channels, 1, 1))
            channels = outputs
        y = net.node("GlobalAveragePool", x)
        shape = (1, 3, 112, 112)
        return Case(net.model(y, shape), _sample(shape), net.model(y, ("n", 3, "h", "w")))

    return build


CASES: dict[str, Build] = {
    "dynamically quantized product": _dynamic_product(197, 192, 768),
    "dynamically quantized row": _dynamic_product(1, 768, 3072),
    "depthwise 3x3 stride 2, 112x112": _image(
        "Conv", (1, 96, 112, 112), (96, 1, 3, 3), group=96, strides=[2, 2], pads=[1] * 4
    ),
    "depthwise 3x3, 56x56": _image("Conv", (1, 144, 56, 56), (144, 1, 3, 3), group=144, pads=[1] * 4),
    "depthwise 7x7, 56x56": _image("Conv", (1, 96, 56, 56), (96, 1, 7, 7), group=96, pads=[3] * 4),
    "convolution 5x1": _image("Conv", (1, 256, 508, 1), (512, 256, 5, 1)),
    "convolution 1x1, 7x7": _image("Conv", (1, 320, 7, 7), (1280, 320, 1, 1)),
    "convolution 3x3, 28x28": _image("Conv", (1, 64, 28, 28), (64, 64, 3, 3), pads=[1] * 4),
    "transposed 2x2": _image("ConvTranspose", (1, 64, 28, 28), (64, 32, 2, 2), strides=[2, 2]),
    "transposed 4x4": _image("ConvTranspose", (1, 256, 8, 8), (256, 128, 4, 4), strides=[2, 2], pads=[1] * 4),
    "LSTM, hidden 512": _lstm(512, 20, 1),
    "LSTM, hidden 64": _lstm(64, 37, 2),
    "product of float16": _half_product(128, 256, 256),
    "inverted residuals": _network(6),
    "transpose of a matrix": _operator("Transpose", (768, 768), perm=[1, 0]),
    "transpose of a matrix, odd": _operator("Transpose", (197, 193), perm=[1, 0]),
    "transpose of bytes": _operator("Transpose", (768, 768), perm=[1, 0], dtype=np.int8),
    "transpose of heads": _operator("Transpose", (1, 197, 12, 64), perm=[0, 2, 1, 3]),
    "transpose of keys": _operator("Transpose", (1, 197, 12, 64), perm=[0, 2, 3, 1]),
    "transpose NCHW to NHWC": _operator("Transpose", (1, 96, 56, 56), perm=[0, 2, 3, 1]),
    "transpose NHWC to NCHW, 3 channels": _operator("Transpose", (1, 224, 224, 3), perm=[0, 3, 1, 2]),
    "gather of rows": _operator("Gather", (1000, 384), np.arange(0, 1000, 3), axis=0),
    "gather of columns": _operator("Gather", (384, 1000), np.arange(0, 1000, 3), axis=1),
    "softmax": _operator("Softmax", (12, 197, 197), axis=-1),
    "softmax of 64": _operator("Softmax", (12 * 197, 64), axis=-1),
    "softmax of columns": _operator("Softmax", (8, 128, 64), axis=1),
    "GELU": _gelu((197, 3072)),
    "Erf": _operator("Erf", (197, 3072)),
    "Tanh": _operator("Tanh", (197, 768)),
    "Sigmoid": _operator("Sigmoid", (197, 768)),
    "Exp": _operator("Exp", (197, 768)),
    "Log": _operator("Log", (197, 768)),
    "Sin": _operator("Sin", (197, 768)),
    "Cos": _operator("Cos", (197, 768)),
    "Pow of 2": _operator("Pow", (197, 768), np.float32(2)),
    "Pow of 3": _operator("Pow", (197, 768), np.float32(3)),
    "Pow of 0.45": _operator("Pow", (197, 768), np.float32(0.45)),
    "Sqrt": _operator("Sqrt", (197, 768)),
    "layer norm": _norm((197, 768)),
    "mean of rows": _operator("ReduceMean", (197, 768), axes=[1]),
    "mean of columns": _operator("ReduceMean", (197, 768), axes=[0]),
    "maximum of rows": _operator("ReduceMax", (197, 768), axes=[1]),
    "index of maximum": _operator("ArgMax", (197, 768), axis=1),
    "resize 2x nearest": _operator(
        "Resize", (1, 64, 28, 28), np.zeros(0, np.float32), np.array([1, 1, 2, 2], np.float32)
    ),
    "maximum pool 3x3 stride 2": _operator(
        "MaxPool", (1, 64, 112, 112), kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4
    ),
    "average pool 3x3": _operator("AveragePool", (1, 64, 56, 56), kernel_shape=[3, 3], pads=[1] * 4),
}


def _concat(count: int) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Concat", [f"x{i}" for i in range(count)], ["y"], axis=0)],
        "concat",
        [helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, [2]) for i in range(count)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2 * count])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _networks() -> dict[str, Callable[[], onnx.ModelProto]]:
    from networks import NETWORKS

    def network(name: str) -> Callable[[], onnx.ModelProto]:
        return lambda: NETWORKS[name].make(NETWORKS[name].size, 1.0)

    return {
        "Concat of 100": lambda: _concat(100),
        "Concat of 300": lambda: _concat(300),
        "YOLOv8n": network("yolo"),
        "MobileNetV2": network("mobilenet_v2"),
        "EfficientNet-B0": network("efficientnet_b0"),
    }


def _median(run: Callable[[], object], others: Callable[[], object], runs: int) -> tuple[float, float]:
    """Median microseconds of processor time of both, run in turns after one to warm up."""
    run()
    others()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        for work, spent in zip((run, others), times, strict=True):
            started = time.process_time()
            work()
            spent.append((time.process_time() - started) * 1e6)
    return statistics.median(times[0]), statistics.median(times[1])


def measure(name: str, runs: int) -> dict[str, Any]:
    case = CASES[name]()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(case.model.SerializeToString(), options)
    with acc.compile(case.model, threads=1) as executable:
        (got,), (expected,) = executable.run(case.feeds).values(), session.run(None, case.feeds)
        own, peer = _median(lambda: executable.run(case.feeds), lambda: session.run(None, case.feeds), runs)
        row = {"case": name, "acc_us": own, "onnxruntime_us": peer, "ratio": own / peer}
        row["error"] = float(np.abs(np.float64(got) - expected).max() / np.abs(np.float64(expected)).max())
        if case.open is not None:
            with acc.compile(case.open, threads=1) as flexible:
                again, open_us = _median(lambda: executable.run(case.feeds), lambda: flexible.run(case.feeds), runs)
            row |= {"open_us": open_us, "open": open_us / again}
    return row


def compile_once(name: str) -> dict[str, Any]:
    """Compiles in this process."""
    model = _networks()[name]()
    started = time.process_time()
    acc.compile(model).close()
    seconds = time.process_time() - started
    # Not what getrusage says, which begins with what the parent process had.
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
    return {"compile": name, "cpu_seconds": seconds, "peak_mb": peak}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of the names of cases; all by default")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--compile", action="store_true", help="measure compilations, too")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(compile_once(args.one)))
        return
    onnxruntime.set_default_logger_severity(3)
    wanted = [name for name in CASES if not args.names or any(part in name for part in args.names)]
    rows = [measure(name, args.runs) for name in wanted]
    compiled: list[dict[str, Any]] = []
    if args.compile:
        for name in _networks():
            command = [sys.executable, __file__, "--one", name]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            compiled.append(json.loads(done.stdout))
    if args.json:
        print(json.dumps({"runs": rows, "compilations": compiled}, indent=1))
        return
    lines = []
    for row in rows:
        open_us, ratio = (f"{row['open_us']:.0f}", f"{row['open']:.2f}") if "open" in row else ("", "")
        numbers = [f"{row['acc_us']:.0f}", f"{row['onnxruntime_us']:.0f}", f"{row['ratio']:.2f}", open_us, ratio]
        lines.append([row["case"], *numbers, f"{row['error']:.1g}"])
    print(format_table(lines, ["case", "acc us", "ONNX Runtime us", "ratio", "open us", "open", "error"]))
    if compiled:
        lines = [[row["compile"], f"{row['cpu_seconds']:.2f}", f"{row['peak_mb']:.0f}"] for row in compiled]
        print(format_table(lines, ["compile", "CPU s", "peak MB"]))


if __name__ == "__main__":
    main()
