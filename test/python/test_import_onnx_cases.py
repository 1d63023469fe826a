"""The conformance cases that come with the onnx package: imported and rewritten, and compiled to native code.

Inputs that must be known at import (shapes, axes, scales) become initializers; the cases that are refused must
be refused for one of the reasons that are documented limits.
"""

from __future__ import annotations

import re
import warnings

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

import acc
from acc.frontend.operators import OPERATORS
from acc.passmanager import PassManager
from graph_as_onnx import run, to_onnx

PIPELINE = "builtin.module(canonicalize,graph-fold-batch-norm,canonicalize)"
LIMITS = re.compile(
    r"quantization to u?int4|element type (b?float(16|4|8)\w*|u?int[24]) is not supported"
    r"|training|'block_size' is|is not a tensor|output 1 \('z'\) is used"
)
STATIC = {"Reshape", "Pad", "Squeeze", "Unsqueeze", "Clip", "QuantizeLinear", "DequantizeLinear", "Dropout"}


# Rounding doubles to halves is a call into the compiler's runtime library, which compiled models do without.
NOT_COMPILED = {"test_cast_DOUBLE_to_FLOAT16", "test_castlike_DOUBLE_to_FLOAT16_expanded"}


def check(name: str, model: onnx.ModelProto, inputs: list[np.ndarray], expected: list[np.ndarray]) -> bool:
    """Whether the model was imported; that it computes what it should is asserted."""
    feeds, kept = {}, []
    op_type = model.graph.node[0].op_type
    initialized = {tensor.name for tensor in model.graph.initializer}
    declared = [value for value in model.graph.input if value.name not in initialized]
    for index, (value, array) in enumerate(zip(declared, inputs, strict=False)):
        if (index > 0 and op_type in STATIC) or op_type == "ConstantOfShape":
            model.graph.initializer.append(numpy_helper.from_array(array, value.name))
        else:
            feeds[value.name] = array
            kept.append(value)
    del model.graph.input[:]
    model.graph.input.extend(kept)
    try:
        module = acc.import_onnx(model)
    except acc.ModelError as error:
        assert LIMITS.search(str(error)) or not set(OPERATORS).issuperset(node.op_type for node in model.graph.node)
        return False
    PassManager.parse(PIPELINE, context=module.context).run(module)
    compare(name, run(to_onnx(module), feeds), expected)
    if name not in NOT_COMPILED:
        compare(name, acc.compile(model).run(feeds), expected)
    return True


def compare(name: str, results: dict[str, np.ndarray], expected: list[np.ndarray]) -> None:
    for result, array in zip(results.values(), expected, strict=True):
        assert result.dtype == array.dtype, name
        assert result.shape == array.shape, name
        np.testing.assert_allclose(result, array, rtol=1e-3, atol=1e-5, err_msg=name)


def as_array(value: object) -> np.ndarray:
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


@pytest.mark.long
def test_node_cases() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        cases = collect_testcases(None)
    imported = 0
    for case in cases:
        if case.model is None or not case.data_sets:
            continue
        if not set(OPERATORS).issuperset(node.op_type for node in case.model.graph.node):
            continue
        inputs, outputs = ([as_array(value) for value in values] for values in case.data_sets[0])
        if not any(array.dtype == object for array in inputs):
            imported += check(case.name, case.model, inputs, outputs)
    assert imported > 200
