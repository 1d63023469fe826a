"""Inputs whose values are given at compile time.

ONNX lets a model compute what other compilers want fixed: axes, permutations, sizes. Where acc must know such
a value and it is an input of the model, the user may give it; the input then becomes an initializer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import numpy_helper

from acc.dtypes import BY_ONNX
from acc.frontend.model import Graph
from acc.frontend.problems import Problems, Unsupported
from acc.frontend.source import dtype_name

Values = Mapping[str, ArrayLike]


def freeze(graph: Graph, values: Values, problems: Problems) -> Graph:
    """The graph with initializers in place of the inputs that `values` names; what does not fit is noted."""
    if not values:
        return graph
    declared = {value.name: value for value in graph.inputs}
    initializers = dict(graph.initializers)
    for name, given in values.items():
        if name not in declared:
            known = ", ".join(f"'{other}'" for other in declared) or "none"
            problems.add(f"a value for '{name}'", f"the model has no such input; its inputs are {known}")
            continue
        try:
            initializers[name] = numpy_helper.from_array(_check_value(declared[name], given), name)
            del declared[name]
        except Unsupported as error:
            problems.add(f"input '{name}'", str(error))
    return replace(graph, inputs=tuple(declared.values()), initializers=initializers)


def _check_value(declared: onnx.ValueInfoProto, given: ArrayLike) -> np.ndarray:
    """The value as an array of the declared element type and shape."""
    if not declared.type.HasField("tensor_type"):
        raise Unsupported("is not a tensor")
    tensor = declared.type.tensor_type
    element = BY_ONNX.get(tensor.elem_type)
    if element is None:
        raise Unsupported(f"element type {dtype_name(tensor.elem_type)} is not supported")
    dtype = element.dtype
    try:
        array = np.asarray(given)
        exact = array if isinstance(given, np.ndarray | np.generic) else array.astype(dtype)
        # Python's numbers have no element type of their own: they need only be held by the declared one.
        fits = exact.dtype == dtype and (exact is array or bool(np.all(exact == array)) or element.kind == "float")
    except (ValueError, TypeError, OverflowError) as error:
        raise Unsupported(f"is given a value that is not an array: {error}") from None
    if not fits:
        raise Unsupported(f"is {dtype}, which the given value of {array.dtype} does not fit")
    if tensor.HasField("shape"):
        known = [dim.dim_value for dim in tensor.shape.dim if dim.HasField("dim_value")]
        complete = len(known) == len(tensor.shape.dim)
        if isinstance(given, list) and exact.ndim == 1 and complete and math.prod(known) == exact.size:
            # The command line has no other way to say a scalar or a matrix.
            exact = exact.reshape(known)
        sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
        wanted = len(sizes) == exact.ndim and all(
            size in (None, actual) for size, actual in zip(sizes, exact.shape, strict=True)
        )
        if not wanted:
            shown = ", ".join("?" if size is None else str(size) for size in sizes)
            shape = list(exact.shape)
            raise Unsupported(f"is declared as ({shown}), which the given value of shape {shape} does not fit")
    return exact
