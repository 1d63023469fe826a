"""Padding, windows and ranges whose extent follows from sizes that only a run knows, compared with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc

onnxruntime.set_default_logger_severity(4)

RNG = np.random.default_rng(4)


def open_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, np.ndarray],
    constants: dict[str, np.ndarray] | None = None,
    fixed: Sequence[int] = (0, 1),
    opset: int = 18,
) -> onnx.ModelProto:
    """A model whose inputs have open sizes but along some axes, and whose result is called y."""
    given = []
    for name, array in inputs.items():
        shape = [size if axis in fixed else f"{name}{axis}" for axis, size in enumerate(array.shape)]
        given.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), shape))
    stored = [numpy_helper.from_array(np.asarray(array), name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(nodes, "open", given, [onnx.ValueInfoProto(name="y")], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def check(model: onnx.ModelProto, runs: Sequence[dict[str, np.ndarray]], atol: float = 1e-5) -> None:
    """Compiles once and runs at several sizes."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    with acc.compile(model) as compiled:
        for feeds in runs:
            (result,) = compiled.run(feeds).values()
            expected = np.asarray(session.run(None, feeds)[0])
            assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
            np.testing.assert_allclose(result, expected, rtol=1e-4, atol=atol)


def images(dtype: Any = np.float32, channels: int = 3) -> list[dict[str, np.ndarray]]:
    shapes = ((11, 8), (7, 7), (4, 3), (6, 9))
    return [{"x": (RNG.uniform(-1, 1, (1, channels, *shape)) * 100).astype(dtype)} for shape in shapes]


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
def test_pads_that_follow_from_sizes(mode: str) -> None:
    # To a multiple of 4 behind, and half the size in front.
    nodes = [
        helper.make_node("Shape", ["x"], ["s"], start=2),
        helper.make_node("Neg", ["s"], ["n"]),
        helper.make_node("Mod", ["n", "four"], ["behind"]),
        helper.make_node("Div", ["s", "two"], ["front"]),
        helper.make_node("Concat", ["zeros", "front", "zeros", "behind"], ["p"], axis=0),
        helper.make_node("Pad", ["x", "p", "c"] if mode == "constant" else ["x", "p"], ["y"], mode=mode),
    ]
    constants = {"four": np.array([4]), "two": np.array([2]), "zeros": np.zeros(2, np.int64), "c": np.float32(7)}
    if mode != "constant":
        del constants["c"]
    runs = images()
    check(open_model(nodes, runs[0], constants, opset=19 if mode == "wrap" else 18), runs)


def test_pads_that_take_away() -> None:
    # As UNet crops what it joins: y is made as large as z.
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Shape", ["z"], ["t"]),
        helper.make_node("Sub", ["t", "s"], ["d"]),
        helper.make_node("Concat", ["zeros", "d"], ["p"], axis=0),
        helper.make_node("Pad", ["x", "p"], ["y"]),
    ]
    runs = [{**one, "z": other["x"]} for one, other in zip(images(), images()[::-1], strict=True)]
    check(open_model(nodes, runs[0], {"zeros": np.zeros(4, np.int64)}), runs)


WINDOWS: list[tuple[str, dict[str, Any]]] = [
    ("MaxPool", {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 3], "auto_pad": "SAME_LOWER"}),
    ("MaxPool", {"kernel_shape": [2, 1], "strides": [3, 1], "dilations": [2, 3], "pads": [1, 0, 0, 0]}),
    ("AveragePool", {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    (
        "AveragePool",
        {"kernel_shape": [2, 3], "strides": [2, 3], "auto_pad": "SAME_LOWER", "count_include_pad": 1},
    ),
    ("LpPool", {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER", "p": 2}),
]


@pytest.mark.parametrize(("op_type", "attributes"), WINDOWS)
def test_pools(op_type: str, attributes: dict[str, Any]) -> None:
    runs = images()
    check(open_model([helper.make_node(op_type, ["x"], ["y"], **attributes)], runs[0]), runs, atol=1e-3)


def test_pool_of_integers() -> None:
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")
    runs = images(np.int8)
    check(open_model([node], runs[0]), runs)


def test_short_axis_between_elements_far_apart() -> None:
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2], dilations=[2], strides=[3], pads=[2, 0])
    x = np.full((1, 1, 1), -3, np.float32)
    (result,) = acc.compile(open_model([node], {"x": x})).run({"x": x}).values()
    np.testing.assert_array_equal(result, x)


@pytest.mark.parametrize("padding", ["SAME_UPPER", "SAME_LOWER"])
def test_convolutions(padding: str) -> None:
    runs = images()
    weight = RNG.standard_normal((4, 3, 3, 2)).astype(np.float32)
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], strides=[2, 3], auto_pad=padding)
    model = open_model([node], runs[0], {"w": weight, "b": np.ones(4, np.float32)})
    check(model, runs, atol=1e-2)


def test_convolutions_of_integers() -> None:
    runs = images(np.uint8)
    weight = RNG.integers(0, 255, (4, 3, 3, 3)).astype(np.uint8)
    node = helper.make_node("ConvInteger", ["x", "w", "z"], ["y"], strides=[2, 2], auto_pad="SAME_UPPER")
    check(open_model([node], runs[0], {"w": weight, "z": np.uint8(9)}), runs)  # type: ignore[dict-item]
    scales = {name: np.float32(value) for name, value in (("xs", 0.1), ("ws", 0.02), ("ys", 5.0))}
    zeros = {name: np.uint8(value) for name, value in (("xz", 9), ("wz", 128), ("yz", 100))}
    inputs = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"]
    node = helper.make_node("QLinearConv", inputs, ["y"], strides=[2, 2], auto_pad="SAME_UPPER")
    check(open_model([node], runs[0], {"w": weight, **scales, **zeros}), runs, atol=1)  # type: ignore[dict-item]


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT32])
def test_ranges_of_sizes(dtype: int) -> None:
    element = helper.tensor_dtype_to_np_dtype(dtype)
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "three"], ["w"]),
        helper.make_node("Cast", ["w"], ["f"], to=dtype),
        helper.make_node("Range", ["from", "f", "step"], ["r"]),
        helper.make_node("Cast", ["r"], ["y"], to=TensorProto.FLOAT),
    ]
    for start, step in ((0, 1), (-3, 2), (20, -3)):
        constants = {"three": np.array(3), "from": np.array(start, element), "step": np.array(step, element)}
        runs = images()
        check(open_model(nodes, runs[0], constants), runs)


def test_range_is_as_long_as_the_axis() -> None:
    """Sizes that were floats in between are the sizes they were: no run need compare them."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"], start=3),
        helper.make_node("Squeeze", ["s"], ["w"]),
        helper.make_node("Cast", ["w"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Range", ["zero", "f", "one"], ["r"]),
        helper.make_node("Add", ["x", "r"], ["y"]),
    ]
    runs = images()
    check(open_model(nodes, runs[0], {"zero": np.float32(0), "one": np.float32(1)}), runs)  # type: ignore[dict-item]


def test_ranges_of_numbers_that_are_inputs() -> None:
    given = {name: np.array(0, np.float32) for name in ("a", "b", "c")}
    model = open_model([helper.make_node("Range", ["a", "b", "c"], ["y"])], given)
    bounds = ((0.5, 4.2, 0.7), (3, -1, -0.5), (1, 1, 1), (0, -1, 2))
    check(model, [dict(zip("abc", (np.array(value, np.float32) for value in entry), strict=True)) for entry in bounds])
