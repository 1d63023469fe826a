"""What element-wise operators make of a quantized tensor, as a function of numbers.

The error of a number that a GELU or a sigmoid reads is what becomes of it: far from zero, next to nothing. So the
range of such a tensor is chosen by the function's results.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import helper

from acc.quantization.model import FloatModel
from acc.quantization.placement import Placement

__all__ = ["function_of"]


def _run(evaluator: Any, name: str, values: np.ndarray) -> Any:
    return next(iter(evaluator.run(None, {name: values.astype(np.float32)})))


def function_of(model: FloatModel, placement: Placement, root: str) -> Callable[[np.ndarray], np.ndarray] | None:
    """The function of numbers that alone is made of `root`; None if more is made of it, or if channels differ."""
    functions = {node.name: node for node in placement.functions}
    sharing = [name for name in placement.readers(root)]
    if sharing != [root] or root in model.outputs or root in model.captured:
        return None
    inner = {root}
    nodes: list[onnx.NodeProto] = []
    results: set[str] = set()
    for node in model.nodes:
        reads = [name for name in node.input if name in inner]
        if not reads:
            continue
        if node.name not in functions:
            # A layer that reads a result of the function; what reads the tensor itself sees its errors as they are.
            if root in reads:
                return None
            results.update(reads)
            continue
        constants = [model.constants.get(name) for name in node.input if name and name not in inner]
        if any(value is None or value.size != 1 for value in constants):
            # Constants for each channel, as those of smoothing, do not tell numbers apart.
            if root in reads:
                return None
            results.update(reads)
            continue
        nodes.append(node)
        inner.update(node.output)
    if len(results) != 1 or not nodes:
        return None
    # It takes long to import, and many models have no functions.
    from onnx.reference import ReferenceEvaluator

    result = next(iter(results))
    graph = helper.make_graph(
        nodes,
        "function",
        [helper.make_tensor_value_info(root, onnx.TensorProto.FLOAT, None)],
        [helper.make_empty_tensor_value_info(result)],
        [
            onnx.numpy_helper.from_array(model.constants[name].reshape(()), name)
            for name in {name for node in nodes for name in node.input if name in model.constants}
        ],
    )
    opsets = [entry for entry in model.proto.opset_import if entry.domain in ("", "ai.onnx")]
    try:
        evaluator = ReferenceEvaluator(
            helper.make_model(graph, opset_imports=opsets, ir_version=model.proto.ir_version)
        )
        evaluator.run(None, {root: np.zeros(1, np.float32)})
    except Exception:
        # What the reference implementation lacks: errors count as they are.
        return None

    def function(values: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray(_run(evaluator, root, values), np.float64)

    return function
