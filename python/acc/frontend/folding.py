"""Evaluation of nodes whose inputs are all known: shape arithmetic, mostly.

Exporters compute shapes with chains such as Shape -> Gather -> Concat -> Reshape. Once shapes are static
these are constants, whatever operators they are made of, and ONNX's reference implementation computes them.
It is only asked for small results: large constants are weights, which stay operators on constants.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import AttributeProto, helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from acc.dtypes import BY_NAME
from acc.frontend.model import Node

MAX_ELEMENTS = 1 << 16

# Results of these are no larger than their inputs, but their shape depends on values.
_SHRINKING = frozenset({"Compress", "NonZero", "Unique"})

# Left alone: they say where numbers are quantized, or differ from run to run, or the reference implementation
# leaves out some of them (lengths and directions of recurrent networks) or changes the type.
_KEPT = frozenset(
    {
        "Bernoulli",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "GRU",
        "LSTM",
        "Multinomial",
        "RNN",
        "QuantizeLinear",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        "ReduceSumSquare",
    }
)

# Where these overflow in the reference implementation, they do not by ONNX's definition.
_OVERFLOWING = frozenset({"Mish", "PRelu", "Softplus"})

_SUBGRAPHS = (AttributeProto.GRAPH, AttributeProto.GRAPHS)


def fold(
    node: Node, inputs: Mapping[str, np.ndarray], opset: int, limit: int = MAX_ELEMENTS
) -> Sequence[np.ndarray] | None:
    """The outputs of `node` on known `inputs`, or None if it is not to be evaluated here.

    That is so if inputs or outputs have more than `limit` elements.
    """
    if node.domain or node.op_type in _KEPT | _OVERFLOWING or not inputs:
        return None
    if sum(array.size for array in inputs.values()) > limit:
        return None
    if any(attribute.type in _SUBGRAPHS for attribute in node.attributes.values()):
        return None
    try:
        model = _single_node_model(node, inputs, opset)
        if node.op_type not in _SHRINKING and not _is_small(model, limit):
            return None
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = ReferenceEvaluator(model).run(None, {})
    except Exception:
        # The reference implementation refuses in many ways what is wrong or not implemented; the importer
        # then reports the node as any other.
        return None
    arrays = [np.asarray(result) for result in results]
    if any(array.dtype.name not in BY_NAME or array.size > limit for array in arrays):
        return None
    return [keep_splat(array) for array in arrays]


def keep_splat(array: np.ndarray) -> np.ndarray:
    """The array, broadcast from one element if all its bits are equal."""
    if array.size > 1 and array.tobytes() == array.tobytes()[: array.itemsize] * array.size:
        return np.broadcast_to(array.flat[0], array.shape)
    return array


def is_splat(array: np.ndarray) -> bool:
    """Whether the array is one element broadcast to its shape, without a look at the elements."""
    steps = zip(array.strides, array.shape, strict=True)
    return array.size > 1 and not any(stride for stride, size in steps if size > 1)


def _single_node_model(node: Node, inputs: Mapping[str, np.ndarray], opset: int) -> onnx.ModelProto:
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.outputs if name]
    tensors = [numpy_helper.from_array(array.copy(), name) for name, array in inputs.items()]
    graph = helper.make_graph([node.proto], "fold", [], outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def _is_small(model: onnx.ModelProto, limit: int) -> bool:
    """Whether all outputs have shapes that ONNX can tell, with few elements."""
    inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    for output in inferred.graph.output:
        if not output.type.HasField("tensor_type") or not output.type.tensor_type.HasField("shape"):
            return False
        dims = output.type.tensor_type.shape.dim
        if not all(dim.HasField("dim_value") for dim in dims):
            return False
        if math.prod(dim.dim_value for dim in dims) > limit:
            return False
    return True
