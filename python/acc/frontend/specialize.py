"""Inputs whose values are given at compile time.

ONNX lets a model compute what other compilers want fixed: axes, permutations, sizes. Where acc must know such
a value and it is an input of the model, the user may give it; the input then becomes an initializer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import numpy_helper

from acc.dtypes import BY_ONNX
from acc.frontend.model import Graph, Node
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


def depends_on(graph: Graph, producers: Mapping[str, Node], known: Callable[[str], bool], name: str) -> Sequence[str]:
    """The inputs that fix the value called `name`; none if fixing them could mean to compute the model.

    producers: the nodes that produce values, by the values' names. known: whether a value is constant as it is.
    """
    if any(value.name == name for value in graph.inputs):
        return [name]
    sources = _sources(graph, producers, known, [name])
    return [value.name for value in sources] if all(map(_is_parameter, sources)) else []


def parameters(
    graph: Graph, producers: Mapping[str, Node], known: Callable[[str], bool], names: Sequence[str]
) -> Sequence[str]:
    """The inputs that parametrize the computation of the values called `names`: see `depends_on`."""
    return [value.name for value in _sources(graph, producers, known, names) if _is_parameter(value)]


def _sources(
    graph: Graph, producers: Mapping[str, Node], known: Callable[[str], bool], names: Sequence[str]
) -> Sequence[onnx.ValueInfoProto]:
    """The inputs that values are computed from."""
    reached, stack = set(names), list(names)
    while stack:
        node = producers.get(stack.pop())
        for source in (*node.inputs, *node.captures) if node else ():
            if source and source not in reached and not known(source):
                reached.add(source)
                stack.append(source)
    return [value for value in graph.inputs if value.name in reached]


def _is_parameter(value: onnx.ValueInfoProto) -> bool:
    """Whether the input is a scalar, or a vector of integers, as sizes and axes are."""
    tensor = value.type.tensor_type
    element = BY_ONNX.get(tensor.elem_type)
    if element is None or not tensor.HasField("shape"):
        return False
    return len(tensor.shape.dim) <= (0 if element.kind == "float" else 1)


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
