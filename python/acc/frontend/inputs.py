"""What is known of a model's inputs: element types, sizes, and which sizes are equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from acc import ir
from acc.frontend.model import Graph
from acc.frontend.problems import NotStatic, Unsupported
from acc.frontend.source import read_dtype


def describe_arguments(
    graph: Graph, types: Mapping[str, tuple[Sequence[int | str], np.dtype]], context: ir.Context
) -> ir.Attribute:
    """The names of the arguments, and of their sizes where some are not known; "" is a size of its own."""
    entries = []
    for value in graph.inputs:
        entry: dict[str, object] = {"graph.name": value.name}
        shape = types[value.name][0] if value.name in types else ()
        if any(isinstance(size, str) for size in shape):
            entry["graph.dims"] = [size if isinstance(size, str) and size != "?" else "" for size in shape]
        entries.append(entry)
    return ir.ArrayAttr.get(entries, context=context)


def input_type(
    value: onnx.ValueInfoProto, given: Sequence[int] | None, symbolic: bool
) -> tuple[list[int | str], np.dtype]:
    """Shape and element type of an input, with the sizes that the user gave, or names of sizes if these may be open."""
    if not value.type.HasField("tensor_type"):
        raise Unsupported("is not a tensor")
    tensor = value.type.tensor_type
    dtype = read_dtype(tensor.elem_type)
    declared = _declared(value)
    if given is not None:
        shape = _check_given(given)
        if declared is not None:
            fits = len(shape) == len(declared) and all(
                isinstance(old, str) or old == new for old, new in zip(declared, shape, strict=True)
            )
            if not fits:
                raise Unsupported(f"is declared as {show(declared)}, which shape {show(shape)} does not fit")
        return [*shape], dtype
    if declared is not None and symbolic:
        return declared, dtype
    if declared is None or any(isinstance(size, str) for size in declared):
        raise NotStatic("has unknown rank" if declared is None else f"has unknown sizes {show(declared)}")
    return declared, dtype


def _declared(value: onnx.ValueInfoProto) -> list[int | str] | None:
    """The sizes of an input, names or "?" for those that are open; None if not even the rank is known."""
    if not value.type.tensor_type.HasField("shape"):
        return None
    return [
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else dim.dim_param or "?"
        for dim in value.type.tensor_type.shape.dim
    ]


def _check_given(given: Sequence[int]) -> list[int]:
    try:
        shape = [int(size) for size in given]
        whole = all(size == old for size, old in zip(shape, given, strict=True))
    except (TypeError, ValueError, OverflowError):
        raise Unsupported(f"shape {given!r} is not a sequence of integers") from None
    if not whole or any(not 0 < size < 2**31 for size in shape):
        raise Unsupported(f"shape {show(shape)} has a size that is not positive")
    return shape


def example_sizes(value: onnx.ValueInfoProto) -> list[int]:
    """Plausible sizes where the model leaves them open: a batch of one, images of 224x224."""
    declared = _declared(value)
    if declared is None:
        return [1, 3, 224, 224]
    usual = [1, 3, 224, 224] if len(declared) == 4 else [1] * len(declared)
    return [size if isinstance(size, int) else usual[axis] for axis, size in enumerate(declared)]


def show(shape: Sequence[int | str]) -> str:
    return f"({', '.join(map(str, shape))})"
