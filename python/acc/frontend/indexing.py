"""Operators that choose elements by indices, or look for elements."""

from __future__ import annotations

import math

import numpy as np

from acc import ir
from acc.dialects import graph
from acc.frontend.call import Call, Tensor, dtype_of, element_of, shape_of
from acc.frontend.problems import Unsupported


def _indices(call: Call, index: int) -> ir.Value:
    """An operand of indices, which other integers (and floats) become."""
    value = call.storage(call.operand(index))
    if dtype_of(element_of(value)) in (np.int32, np.int64):
        return value
    return call.emit_as(call.tensor_type(shape_of(value), np.dtype(np.int64)), "cast", value)


def convert_gather(call: Call) -> list[Tensor]:
    axis = call.axis(call.integer("axis"), len(call.shape(0)))
    return [call.emit(call.operator.graph, [call.operand(0), _indices(call, 1)], axis=axis)]


def convert_gather_nd(call: Call) -> list[Tensor]:
    batch = call.attributes.get("batch_dims", 0)
    return [call.emit("gather_nd", [call.operand(0), _indices(call, 1)], batch_dims=batch)]


def _scatter(call: Call, operator: str, updates: int = 2, **attributes: object) -> ir.Value:
    data, indices, update = call.operand(0), _indices(call, 3 - updates), call.operand(updates)
    reduction = call.attributes.get("reduction", "none")
    if reduction not in ("none", "add", "mul", "max", "min"):
        raise Unsupported(f"attribute 'reduction' is '{reduction}'")
    if reduction != "none" or element_of(data) != element_of(update):
        data, update = call.storage(data), call.storage(update)
    attributes["reduction"] = graph.ScatterReduction.named(str(reduction))
    return call.emit(operator, [data, indices, update], **attributes)


def convert_scatter_elements(call: Call) -> list[Tensor]:
    axis = call.axis(call.integer("axis"), len(call.shape(0)))
    return [_scatter(call, "scatter_elements", axis=axis)]


def convert_scatter_nd(call: Call) -> list[Tensor]:
    return [_scatter(call, "scatter_nd")]


def convert_tensor_scatter(call: Call) -> list[Tensor]:
    axis = call.axis(call.integer("axis"), len(call.shape(0)))
    mode = call.attributes["mode"]
    if mode not in ("linear", "circular"):
        raise Unsupported(f"attribute 'mode' is '{mode}'")
    data, update = call.operand(0), call.operand(1)
    if element_of(data) != element_of(update):
        data, update = call.storage(data), call.storage(update)
    operands = [data, update]
    if call.has(2):
        operands.append(_indices(call, 2))
    return [call.emit("tensor_scatter", operands, axis=axis, circular=mode == "circular")]


def convert_one_hot(call: Call) -> list[Tensor]:
    depth = int(call.scalar(1, "the depth"))
    if depth < 0:
        raise Unsupported(f"the depth is {depth}")
    axis = call.axis(call.integer("axis"), len(call.shape(0)) + 1)
    operands = [_indices(call, 0), call.operand(2)]
    return [call.emit("one_hot", operands, depth=depth, axis=axis)]


def convert_reverse_sequence(call: Call) -> list[Tensor]:
    rank = len(call.shape(0))
    batch = call.axis(call.integer("batch_axis"), rank, "batch_axis")
    time = call.axis(call.integer("time_axis"), rank, "time_axis")
    operands = [call.operand(0), _indices(call, 1)]
    return [call.emit("reverse_sequence", operands, batch_axis=batch, time_axis=time)]


def convert_top_k(call: Call) -> list[Tensor]:
    value = call.operand(0)
    axis = call.axis(call.integer("axis"), len(shape_of(value)))
    k = call.integer("k") if "k" in call.attributes else int(call.scalar(1, "k"))
    length = shape_of(value)[axis]
    if isinstance(length, int) and not 0 <= k <= length:
        raise Unsupported(f"k is {k} but there are {shape_of(value)[axis]} elements along axis {axis}")
    largest = bool(call.attributes.get("largest", True))
    return list(call.emit_all("top_k", [value], k=k, axis=axis, largest=largest))


def convert_array_feature_extractor(call: Call) -> list[Tensor]:
    data = call.operand(0)
    shape = shape_of(data)
    indices = _indices(call, 1)
    count = math.prod(shape_of(indices))
    flat = call.reshape(indices, [count])
    if not shape:
        raise Unsupported("input is a scalar")
    result = call.emit("gather", [data, flat], axis=len(shape) - 1)
    if len(shape) > 1:
        return [result]
    return [call.reshape(result, [1, count])]


def convert_non_zero(call: Call) -> list[Tensor]:
    value = call.storage(call.operand(0))
    shape = shape_of(value)
    found, count = call.emit_all("non_zero", [value])
    if not shape:
        # A scalar has no axes: its result has no rows, and one column if the scalar is not zero.
        return [call.found(found, count, [0, None])]
    return [call.found(found, count, [len(shape), None])]


def _flat(call: Call, value: ir.Value) -> ir.Value:
    return call.reshape(value, [math.prod(shape_of(value))])


def _axis(call: Call, value: ir.Value) -> tuple[ir.Value, int]:
    """A tensor and the axis along which it is taken apart; without `axis`, all its elements in a row."""
    if "axis" not in call.attributes:
        return _flat(call, value), 0
    return value, call.axis(call.integer("axis"), len(shape_of(value)))


def convert_compress(call: Call) -> list[Tensor]:
    value, axis = _axis(call, call.operand(0))
    found, count = call.emit_all("compress", [value, call.operand(1)], axis=axis)
    shape: list[int | None] = list(shape_of(value))
    shape[axis] = None
    return [call.found(found, count, shape)]


def convert_unique(call: Call) -> list[Tensor]:
    value, axis = _axis(call, call.storage(call.operand(0)))
    is_sorted = bool(call.integer("sorted"))
    found, firsts, inverse, counts, count = call.emit_all("unique", [value], axis=axis, sorted=is_sorted)
    shape: list[int | None] = list(shape_of(value))
    shape[axis] = None
    return [
        call.found(found, count, shape),
        call.found(firsts, count, [None]),
        inverse,
        call.found(counts, count, [None]),
    ]


def convert_non_max_suppression(call: Call) -> list[Tensor]:
    boxes, scores = call.operand(0), call.operand(1)

    def limit(index: int, default: np.generic) -> ir.Value:
        if not call.has(index):
            return call.literal(np.asarray(default))
        value = call.operand(index)
        if math.prod(shape_of(value)) != 1:
            raise Unsupported(f"input '{call.node.inputs[index]}' is not a scalar")
        return call.reshape(value, [])

    # Without a number of boxes there are none; without a threshold every score will do.
    limits = [limit(2, np.int64(0)), limit(3, np.float32(0)), limit(4, np.float32(-np.inf))]
    center = bool(call.integer("center_point_box"))
    found, count = call.emit_all("non_max_suppression", [boxes, scores, *limits], center_point_box=center)
    return [call.found(found, count, [None, 3])]
