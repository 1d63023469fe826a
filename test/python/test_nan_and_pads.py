"""Orders in which NaN has a rank, and pads of which some are negative, against ONNX Runtime."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import acc
from graph_as_onnx import node_model, run

NUMBERS = [1, np.nan, 5, -np.inf, np.inf, 2, np.nan, 0.0, -0.0, 5, np.nan, -0.0, 0.0]


def same(actual: dict[str, np.ndarray], expected: dict[str, np.ndarray], message: str = "") -> None:
    for name, wanted in expected.items():
        assert actual[name].shape == wanted.shape, f"{name} {message}"
        np.testing.assert_array_equal(actual[name], wanted, err_msg=f"{name} {message}")


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_top_k_ranks_nan_above_all(dtype: str, largest: int) -> None:
    x = np.array([NUMBERS, NUMBERS[::-1]], dtype)
    for k in (1, 4, len(NUMBERS)):
        model = node_model("TopK", {"x": x}, {"k": np.array([k])}, 21, outputs=2, largest=largest)
        same(acc.compile(model).run({"x": x}), run(model, {"x": x}), f"k = {k}")


def test_top_k_of_bfloat16() -> None:
    x = np.array(NUMBERS, ml_dtypes.bfloat16)
    model = node_model("TopK", {"x": x}, {"k": np.array([len(NUMBERS)])}, 24, outputs=2)
    wide = node_model("TopK", {"x": x.astype(np.float32)}, {"k": np.array([len(NUMBERS)])}, 21, outputs=2)
    expected = run(wide, {"x": x.astype(np.float32)})
    np.testing.assert_array_equal(acc.compile(model).run({"x": x})["y1"], expected["y1"])


@pytest.mark.parametrize("seed", range(3))
def test_top_k_of_random_numbers_with_nan(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-9, 9, (7, 40)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    model = node_model("TopK", {"x": x}, {"k": np.array([17])}, 21, outputs=2, axis=1, largest=int(rng.integers(2)))
    same(acc.compile(model).run({"x": x}), run(model, {"x": x}), f"seed {seed}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("attributes", [{}, {"axis": 0}])
def test_unique_has_nan_as_a_value(dtype: str, attributes: dict[str, int]) -> None:
    """As in numpy; ONNX Runtime counts NaN as whatever comes first."""
    x = np.array(NUMBERS, dtype)
    model = node_model("Unique", {"x": x}, {}, 21, outputs=4, **attributes)
    actual = acc.compile(model).run({"x": x})
    expected = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    for index, wanted in enumerate(expected):
        np.testing.assert_array_equal(actual[f"y{index}"], wanted)


def test_suppression_ignores_scores_that_are_no_numbers() -> None:
    boxes = np.array([[[0, 0, 1, 1], [0, 2, 1, 3], [0, 4, 1, 5], [0, 0.1, 1, 1.1]]], np.float32)
    scores = np.array([[[0.5, np.nan, 0.9, 0.7]]], np.float32)
    limits = {"most": np.array([4]), "iou": np.array([0.5], np.float32), "least": np.array([0.0], np.float32)}
    model = node_model("NonMaxSuppression", {"b": boxes, "s": scores}, limits, 11)
    feeds = {"b": boxes, "s": scores}
    same(acc.compile(model).run(feeds), run(model, feeds))


def pad_model(shape: list[int | str], pads: list[int], mode: str) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Pad", ["x", "p"], ["y"], mode=mode)],
        "pad",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array(pads, np.int64), "p")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize("opens", [False, True])
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
def test_pads_of_mixed_signs(mode: str, opens: bool) -> None:
    """What is cropped is gone before the rest is copied."""
    x = np.arange(35, dtype=np.float32).reshape(5, 7)
    for pads in ([-1, 2, 2, -3], [-2, -1, 2, 4], [1, 3, -2, -2], [-1, -2, -1, -1]):
        model = pad_model(["n", "m"] if opens else [5, 7], pads, mode)
        same(acc.compile(model).run({"x": x}), run(model, {"x": x}), f"pads {pads}")


@pytest.mark.parametrize("mode", ["edge", "wrap"])
def test_pads_longer_than_what_is_left(mode: str) -> None:
    x = np.arange(5, dtype=np.float32)
    for pads in ([-3, 6], [5, -3], [-4, 4]):
        model = pad_model([5], pads, mode)
        same(acc.compile(model).run({"x": x}), run(model, {"x": x}), f"pads {pads}")
