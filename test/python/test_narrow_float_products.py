"""Products and convolutions of f16 and bf16: sums of f32, rounded once, at every instruction set."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from native_levels import runnable

ELEMENTS = {
    "f16": (np.dtype(np.float16), TensorProto.FLOAT16, 2.0**-10),
    "bf16": (np.dtype(ml_dtypes.bfloat16), TensorProto.BFLOAT16, 2.0**-7),
}
"""The element type, its number in ONNX, and its last digit beside 1."""


def _model(op: str, element: int, x: np.ndarray, w: np.ndarray, **attributes: Any) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node(op, ["x", "w"], ["y"], **attributes)],
        "sums",
        [helper.make_tensor_value_info("x", element, x.shape)],
        [helper.make_tensor_value_info("y", element, None)],
        [numpy_helper.from_array(w, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)


def _run(model: onnx.ModelProto, x: np.ndarray, cpu: str | None = None) -> np.ndarray:
    with acc.compile(model, **({"cpu": cpu} if cpu else {})) as executable:
        return np.asarray(executable.run({"x": x})["y"]).astype(np.float64)


@pytest.mark.parametrize("cpu", runnable())
@pytest.mark.parametrize("name", ELEMENTS)
def test_products(name: str, cpu: str) -> None:
    dtype, element, digit = ELEMENTS[name]
    rng = np.random.default_rng(9)
    for rows, depth, columns in ((1, 33, 17), (7, 5, 40), (30, 64, 33)):
        x, w = (rng.normal(0, 1, shape).astype(dtype) for shape in ((rows, depth), (depth, columns)))
        expected = x.astype(np.float64) @ w.astype(np.float64)
        got = _run(_model("MatMul", element, x, w), x, cpu)
        np.testing.assert_allclose(got, expected, rtol=digit, atol=1e-5 * depth)


@pytest.mark.parametrize("name", ELEMENTS)
def test_convolutions(name: str) -> None:
    dtype, element, digit = ELEMENTS[name]
    rng = np.random.default_rng(3)
    for group in (1, 2):
        x = rng.normal(0, 1, (2, 4, 7, 9)).astype(dtype)
        w = rng.normal(0, 1, (18, 4 // group, 3, 3)).astype(dtype)
        attributes = {"pads": [1, 1, 1, 1], "strides": [1, 2], "group": group}
        wide = _model("Conv", TensorProto.FLOAT, x.astype(np.float32), w.astype(np.float32), **attributes)
        expected = _run(wide, x.astype(np.float32))
        got = _run(_model("Conv", element, x, w, **attributes), x)
        np.testing.assert_allclose(got, expected, rtol=digit, atol=1e-4)
