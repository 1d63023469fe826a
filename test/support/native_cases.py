"""Runs single operators through native code, next to ONNX Runtime or ONNX's reference implementation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

import acc
from graph_as_onnx import node_model, run

OPSET = 22


def compute(
    op_type: str,
    inputs: Mapping[str, np.ndarray],
    constants: Mapping[str, np.ndarray] | None = None,
    *,
    opset: int = OPSET,
    order: list[str] | None = None,
    outputs: int = 1,
    runtime: bool = False,
    expected: list[np.ndarray] | None = None,
    **attributes: object,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What acc and ONNX compute.

    The latter is what ONNX Runtime computes with `runtime`, else ONNX's reference implementation, unless `expected`
    is given, where both lack the operator or are too coarse.
    """
    model = node_model(op_type, dict(inputs), dict(constants or {}), opset, order, outputs, **attributes)
    if expected is None and runtime:
        expected = list(run(model, dict(inputs)).values())
    elif expected is None:
        expected = [np.asarray(array) for array in ReferenceEvaluator(model).run(None, dict(inputs))]
    executable = acc.compile(with_output_types(model, expected))
    found = executable.run(dict(inputs))
    return [found[f"y{index}"] for index in range(outputs)], expected


def with_output_types(model: onnx.ModelProto, arrays: list[np.ndarray]) -> onnx.ModelProto:
    """The model with the types that its outputs turn out to have."""
    for value, array in zip(model.graph.output, arrays, strict=True):
        dtype = onnx.helper.np_dtype_to_tensor_dtype(np.asarray(array).dtype)
        value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, dtype, np.asarray(array).shape))
    return model


def compare(found: list[np.ndarray], expected: list[np.ndarray], rtol: float = 1e-4, atol: float = 1e-5) -> None:
    """Asserts that integers are equal and floats close; f16 only as close as it can be."""
    for array, wanted in zip(found, expected, strict=True):
        assert (array.dtype, array.shape) == (wanted.dtype, wanted.shape)
        if wanted.dtype == np.float16:
            np.testing.assert_allclose(array.astype(np.float32), wanted.astype(np.float32), rtol=4e-3, atol=4e-3)
        elif wanted.dtype.kind == "f":
            np.testing.assert_allclose(array, wanted, rtol=rtol, atol=atol)
        else:
            np.testing.assert_array_equal(array, wanted)
