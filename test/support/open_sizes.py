"""Models whose sizes are only known at run time, made of models whose sizes are fixed."""

from __future__ import annotations

from collections.abc import Callable

import onnx


def own_name(value: onnx.ValueInfoProto, axis: int) -> str:
    """A name for every axis of every input."""
    return f"{value.name}_{axis}"


def with_open_sizes(
    model: onnx.ModelProto, name: Callable[[onnx.ValueInfoProto, int], str | None] = own_name
) -> onnx.ModelProto:
    """The same model with sizes of inputs left open.

    `name` gives the size of an axis its name, "" to leave it without one, or None for a size that stays as it is.
    Nothing is said about the sizes of other tensors, which follow from those of the inputs.
    """
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    constants = {tensor.name for tensor in opened.graph.initializer}
    for value in opened.graph.input:
        if value.name in constants or not value.type.HasField("tensor_type"):
            continue
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if (new := name(value, axis)) is not None:
                dim.Clear()
                if new:
                    dim.dim_param = new
    for value in opened.graph.output:
        if value.type.HasField("tensor_type") and value.type.tensor_type.HasField("shape"):
            for dim in value.type.tensor_type.shape.dim:
                dim.Clear()
    del opened.graph.value_info[:]
    return opened
