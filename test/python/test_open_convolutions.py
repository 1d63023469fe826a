"""Convolutions of images whose sizes only a run knows, compiled once and run at many, beside ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc

SIZES = ((7, 9), (1, 1), (16, 33), (5, 64), (29, 2))


def _model(rng: np.random.Generator, kernel: tuple[int, ...], channels: int, outputs: int, **attributes: Any) -> Any:
    """A convolution with bias, a ReLU, and the sum with a tensor that varies along rows only."""
    group = attributes.get("group", 1)
    weight = rng.normal(0, 1, (outputs, channels // group, *kernel)).astype(np.float32)
    spatial = ["h", "w"][: len(kernel)]
    axes = [1] * len(kernel)
    nodes = [
        helper.make_node("Conv", ["x", "weight", "bias"], ["c"], **attributes),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("ReduceMean", ["r"], ["m"], axes=[len(kernel) + 1]),
        helper.make_node("Add", ["r", "m"], ["s"]),
        helper.make_node("Add", ["s", "shift"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "open",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", channels, *spatial])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(rng.normal(0, 1, outputs).astype(np.float32), "bias"),
            numpy_helper.from_array(rng.normal(0, 1, (outputs, *axes)).astype(np.float32), "shift"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _compare(model: onnx.ModelProto, shapes: list[tuple[int, ...]]) -> None:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    rng = np.random.default_rng(1)
    with acc.compile(model) as executable:
        for shape in shapes:
            x = rng.normal(0, 1, shape).astype(np.float32)
            (expected,) = session.run(None, {"x": x})
            got = executable.run({"x": x})["y"]
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4, err_msg=str(shape))


CONVOLUTIONS: dict[str, tuple[tuple[int, ...], int, int, dict[str, Any]]] = {
    "points": ((1, 1), 19, 37, {}),
    "strided points": ((1, 1), 3, 20, {"strides": [2, 3]}),
    "padded": ((3, 3), 3, 17, {"pads": [1, 1, 1, 1]}),
    "uneven": ((2, 5), 4, 6, {"pads": [1, 3, 0, 2], "strides": [2, 1], "dilations": [1, 2]}),
    "groups": ((3, 3), 6, 10, {"pads": [1, 1, 1, 1], "group": 2}),
    "depthwise": ((5, 5), 7, 7, {"pads": [2, 2, 2, 2], "group": 7}),
    "depthwise strided": ((3, 3), 3, 3, {"pads": [1, 1, 1, 1], "strides": [2, 2], "group": 3}),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_images(name: str) -> None:
    kernel, channels, outputs, attributes = CONVOLUTIONS[name]
    model = _model(np.random.default_rng(0), kernel, channels, outputs, **attributes)
    padded = "pads" in attributes
    sizes = [size for size in SIZES if (padded and name != "uneven") or min(size) > 4]
    _compare(model, [(batch, channels, *size) for batch, size in zip((1, 2, 1, 3, 1), sizes, strict=False)])


def test_signals() -> None:
    model = _model(np.random.default_rng(2), (5,), 4, 18, pads=[2, 2])
    _compare(model, [(2, 4, length) for length in (1, 16, 100)])


@pytest.mark.parametrize("is_open", [False, True])
def test_columns(is_open: bool) -> None:
    """Images of one column are computed along their rows."""
    rng = np.random.default_rng(3)
    weight = rng.normal(0, 1, (18, 5, 4, 1)).astype(np.float32)
    attributes = {"pads": [1, 0, 2, 0], "strides": [2, 1]}
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "weight"], ["y"], **attributes)],
        "columns",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 5, "h" if is_open else 31, 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    _compare(model, [(2, 5, 31, 1), (2, 5, 3, 1)] if is_open else [(2, 5, 31, 1)])


TRANSPOSED: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "stride of the kernel": ((3, 5), (3, 4, 2, 2), {"strides": [2, 2]}),
    "generator": ((4, 3), (5, 3, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "output padding": ((5, 4), (2, 7, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
    "groups": ((6, 2), (6, 2, 3, 2), {"strides": [3, 1], "group": 3}),
    "dilations": ((4, 6), (3, 4, 3, 2), {"strides": [2, 3], "dilations": [2, 3], "pads": [3, 0, 1, 2]}),
    "no stride": ((4, 6), (3, 4, 3, 3), {}),
    "taps further apart than the stride": ((3, 3), (2, 2, 1, 2), {"strides": [3, 2]}),
    "signal": ((9,), (4, 5, 6), {"strides": [4], "pads": [2, 1]}),
    "volume": ((2, 3, 2), (2, 3, 2, 3, 2), {"strides": [2, 1, 2]}),
}


@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed(name: str) -> None:
    """Sizes open and known."""
    size, shape, attributes = TRANSPOSED[name]
    rng = np.random.default_rng(4)
    outputs = shape[1] * attributes.get("group", 1)
    for is_open in (False, True):
        known = [1, shape[0], *size]
        sizes = ["n", shape[0], *(f"s{i}" for i in range(len(size)))] if is_open else known
        graph = helper.make_graph(
            [helper.make_node("ConvTranspose", ["x", "weight", "bias"], ["y"], **attributes)],
            "transposed",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [
                numpy_helper.from_array(rng.normal(0, 1, shape).astype(np.float32), "weight"),
                numpy_helper.from_array(rng.normal(0, 1, outputs).astype(np.float32), "bias"),
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        shapes = [tuple(known)]
        if is_open:
            shapes += [(2, shape[0], *(n + 7 for n in size)), (1, shape[0], *(2 for _ in size))]
        _compare(model, shapes)


def test_concatenation_of_many_tensors() -> None:
    """What grows with the third power of the number of operands would take minutes here."""
    count = 400
    graph = helper.make_graph(
        [helper.make_node("Concat", [f"x{i}" for i in range(count)], ["y"], axis=1)],
        "many",
        [helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, ["n", 1 + i % 3]) for i in range(count)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    feeds = {f"x{i}": np.full((2, 1 + i % 3), i, np.float32) for i in range(count)}
    with acc.compile(model) as executable:
        np.testing.assert_array_equal(executable.run(feeds)["y"], np.concatenate(list(feeds.values()), 1))


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"])
def test_long_reductions(op: str) -> None:
    """Partial results of several vectors are joined, of which the last may be incomplete."""
    graph = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"], keepdims=0)],
        "reduction",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    reference = {"ReduceSum": np.sum, "ReduceMax": np.max, "ReduceMin": np.min, "ReduceProd": np.prod}[op]
    rng = np.random.default_rng(5)
    with acc.compile(model) as executable:
        for length in (1, 15, 63, 64, 65, 127, 128, 129, 500, 1000):
            x = rng.uniform(0.98, 1.02, length).astype(np.float32)
            got = executable.run({"x": x})["y"]
            np.testing.assert_allclose(got, reference(x.astype(np.float64)), rtol=1e-5, err_msg=str(length))
            if op in ("ReduceMax", "ReduceMin"):
                x[length // 2] = np.nan
                assert np.isnan(executable.run({"x": x})["y"])


@pytest.mark.parametrize(
    ("kernel", "stride", "pads", "lengths"),
    [(1, 1, (0, 0), (1, 2, 7)), (2, 3, (2, 0), (1, 2, 5)), (3, 2, (3, 3), (2, 3, 9))],
)
def test_dilated_pools_of_short_axes(kernel: int, stride: int, pads: tuple[int, int], lengths: tuple[int, ...]) -> None:
    """Every window has an element, though an axis may be shorter than the dilation."""
    dilation = 2
    node = helper.make_node(
        "MaxPool", ["x"], ["y"], kernel_shape=[kernel], dilations=[dilation], strides=[stride], pads=list(pads)
    )
    graph = helper.make_graph(
        [node],
        "pool",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, "n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    rng = np.random.default_rng(6)
    with acc.compile(model) as executable:
        for length in lengths:
            x = rng.normal(0, 1, (1, 2, length)).astype(np.float32)
            count = (length + sum(pads) - (kernel - 1) * dilation - 1) // stride + 1
            expected = np.full((1, 2, count), -np.inf, np.float32)
            for window in range(count):
                for tap in range(kernel):
                    at = window * stride + tap * dilation - pads[0]
                    if 0 <= at < length:
                        expected[:, :, window] = np.maximum(expected[:, :, window], x[:, :, at])
            np.testing.assert_array_equal(executable.run({"x": x})["y"], expected)


def test_reshapes_of_nothing() -> None:
    """An axis that is known to be empty, beside one whose size only a run knows."""
    for op, shape, constants, attributes in (
        ("Unsqueeze", [8, 0, "n", 2], {"a": np.array([2, 1])}, {}),
        ("Flatten", ["n", 0, "m"], {}, {"axis": 2}),
        ("Reshape", ["n", 0, 4], {"a": np.array([0, 0, 2, 2])}, {}),
    ):
        graph = helper.make_graph(
            [helper.make_node(op, ["x", *constants], ["y"], **attributes)],
            "nothing",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        _compare(model, [tuple(size if isinstance(size, int) else 5 for size in shape)])
