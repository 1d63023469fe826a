"""Quantized networks with sizes that only a run knows: the same bits as with fixed sizes, whatever is open."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from fuzz import AXES, make_case, names_of, run_graphs
from open_sizes import own_name, with_open_sizes
from qdq_models import random_network
from test_quantized_networks import feeds


def check(model: onnx.ModelProto, inputs: dict[str, np.ndarray], axis: int | None) -> None:
    """Compares the model as it is with one whose sizes along an axis of all inputs, or along all, are open."""
    opened = with_open_sizes(model, lambda value, at: own_name(value, at) if axis in (None, at) else None)
    with acc.compile(model) as executable:
        expected = executable.run(inputs)
    with acc.compile(opened) as executable:
        actual = executable.run(inputs)
    for name, array in expected.items():
        np.testing.assert_array_equal(actual[name], array, err_msg=name)


@pytest.mark.parametrize("seed, what", [(0, "all sizes"), *((9037, what) for what in AXES)])
def test_random_networks(seed: int, what: str) -> None:
    """In 9037 a global pool of open sizes once divided by another number than one of fixed sizes."""
    model = random_network(seed)
    check(model, feeds(model, seed), AXES[what])


def pool(op_type: str, shape: Sequence[int | str], scales: Sequence[float], zeros: Sequence[int]) -> onnx.ModelProto:
    """A quantized mean over all spatial axes, int8."""
    constants = {"xs": scales[0], "ys": scales[1]}
    tensors = [numpy_helper.from_array(np.float32(value), name) for name, value in constants.items()]
    points = zip(("xz", "yz"), zeros, strict=True)
    tensors += [numpy_helper.from_array(np.array(value, np.int8), name) for name, value in points]
    attributes = {"axes": [2, 3]} if op_type == "ReduceMean" else {}
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "xs", "xz"], ["real"]),
        helper.make_node(op_type, ["real"], ["mean"], "mean", **attributes),
        helper.make_node("QuantizeLinear", ["mean", "ys", "yz"], ["y"]),
    ]
    infos = [helper.make_tensor_value_info("x", TensorProto.INT8, shape)]
    results = [helper.make_tensor_value_info("y", TensorProto.INT8, None)]
    graph = helper.make_graph(nodes, "pool", infos, results, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("op_type", ["GlobalAveragePool", "ReduceMean"])
@pytest.mark.parametrize(
    "scales, zeros",
    [
        ((0.02, 0.01), (3, -4)),
        ((0.03, 0.03), (0, 1)),  # Many ties where the number of elements is even.
        ((2.0**-5, 2.0**-6), (-128, -127)),  # Powers of two: ties that float32 decides exactly.
        ((0.02, 1e-5), (127, 127)),  # Everything saturates.
        ((1e-4, 10.0), (-7, 5)),  # Everything is the zero point.
    ],
)
def test_means_of_any_number_of_elements(op_type: str, scales: Sequence[float], zeros: Sequence[int]) -> None:
    rng = np.random.default_rng(5)
    with acc.compile(pool(op_type, ["n", "c", "h", "w"], scales, zeros)) as executable:
        for n, c, h, w in ((1, 32, 7, 7), (2, 3, 1, 1), (1, 64, 8, 8), (3, 16, 2, 3), (1, 8, 33, 64)):
            x = rng.integers(-128, 128, (n, c, h, w)).astype(np.int8)
            with acc.compile(pool(op_type, [n, c, h, w], scales, zeros)) as fixed:
                np.testing.assert_array_equal(executable.run({"x": x})["y"], fixed.run({"x": x})["y"])


def test_a_mean_of_nothing_is_refused() -> None:
    model = pool("GlobalAveragePool", ["n", 3, "h", "w"], (0.1, 0.1), (0, 0))
    with acc.compile(model) as executable, pytest.raises(acc.RunError, match="node 'mean'"):
        executable.run({"x": np.zeros((1, 3, 0, 4), np.int8)})


def test_scales_along_an_axis_tell_its_size() -> None:
    scales, zeros = np.array([0.1, 0.2, 0.3], np.float32), np.array([0, 5, 250], np.uint8)
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"], "quantize", axis=1)
    tensors = [numpy_helper.from_array(scales, "s"), numpy_helper.from_array(zeros, "z")]
    infos = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["a", "b"])]
    results = [helper.make_tensor_value_info("y", TensorProto.UINT8, None)]
    graph = helper.make_graph([node], "axis", infos, results, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    x = np.random.default_rng(3).normal(0, 4, (5, 3)).astype(np.float32)
    with acc.compile(model) as executable:
        wanted = np.clip(np.rint(x / scales) + zeros, 0, 255).astype(np.uint8)
        np.testing.assert_array_equal(executable.run({"x": x})["y"], wanted)
        with pytest.raises(acc.RunError, match="3 scales"):
            executable.run({"x": np.zeros((2, 4), np.float32)})


@pytest.mark.parametrize("seed", [0, 5, 52])
def test_random_graphs(seed: int) -> None:
    """In 52 a product whose depth is open once became floating point."""
    network = make_case(f"quantized/{seed}")
    check(network.model, network.feeds, None)


@pytest.mark.long
@pytest.mark.parametrize("first", range(20_000, 20_600, 100))
def test_random_graphs_long(first: int) -> None:
    outcomes = run_graphs(names_of(range(first, first + 100), ["quantized"]), jobs=2)
    assert not [outcome for outcome in outcomes if outcome.failed]


@pytest.mark.long
@pytest.mark.parametrize("what", AXES)
@pytest.mark.parametrize("seed", range(9000, 9080))
def test_random_networks_long(seed: int, what: str) -> None:
    model = random_network(seed)
    check(model, feeds(model, seed), AXES[what])
