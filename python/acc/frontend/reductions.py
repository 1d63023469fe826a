"""Reductions, scans and normalizations: one form for what ONNX wrote in several ways over the years."""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from acc import ir
from acc.frontend.call import BOOL, PLAIN, Attr, Call, Tensor, dtype_of, element_of, shape_of
from acc.frontend.problems import Unsupported
from acc.frontend.sizes import are_same, is_empty
from acc.frontend.source import read_dtype
from acc.frontend.windows import quantized_pool

REDUCE = {"axes": PLAIN, "keepdims": BOOL, "noop_with_empty_axes": BOOL}
ARG = {"axis": PLAIN, "keepdims": BOOL, "select_last_index": BOOL}
SCAN = {"exclusive": BOOL, "reverse": BOOL}
NORMALIZATION = {"axis": PLAIN, "epsilon": PLAIN, "stash_type": PLAIN}
BATCH = {"epsilon": PLAIN, "momentum": PLAIN, "spatial": Attr(only=(1,)), "training_mode": PLAIN}

_OVER_NOTHING = {
    "reduce_mean": math.nan,
    "reduce_max": -math.inf,
    "reduce_min": math.inf,
    "reduce_prod": 1,
    "reduce_log_sum": -math.inf,
    "reduce_log_sum_exp": -math.inf,
}
"""What reductions give where there is no element; the others give zero. Infinite is the end of an integer type."""


def reshape(call: Call, value: ir.Value, shape: list[int]) -> ir.Value:
    """The same elements under another shape."""
    return value if are_same(shape_of(value), shape) else call.reshape(value, shape)


def cast_to(call: Call, value: ir.Value, element: ir.Type | np.dtype) -> ir.Value:
    """The value with elements of another type."""
    type = call.tensor_type(shape_of(value), element)
    return value if value.type == type else call.emit_as(type, "cast", value)


def convert_reduce(call: Call) -> list[Tensor]:
    value = call.operand(0)
    shape = shape_of(value)
    given = call.attributes.get("axes")
    if given is None and call.has(1):
        given = call.integers(1, "axes")
    axes = call.axes(cast(list[int], given), len(shape)) if given else []
    if not axes and not call.attributes.get("noop_with_empty_axes"):
        axes = list(range(len(shape)))
    keepdims = bool(call.attributes["keepdims"])
    sizes = [1 if axis in axes else size for axis, size in enumerate(shape) if keepdims or axis not in axes]
    if is_empty(shape) and all(isinstance(size, int) and size for size in sizes):
        return [_reduce_nothing(call, dtype_of(element_of(value)), sizes)]
    pool = {"reduce_max": "max_pool", "reduce_mean": "global_average_pool"}.get(call.operator.graph)
    if pool and keepdims and sorted(axes) == list(range(2, len(shape))):
        pooled = quantized_pool(call, pool)
        if pooled is not None:
            return [pooled]
    return [call.emit(call.operator.graph, [value], axes=axes, keepdims=keepdims)]


def _reduce_nothing(call: Call, dtype: np.dtype, shape: list[int]) -> np.ndarray:
    neutral = float(_OVER_NOTHING.get(call.operator.graph, 0))
    if dtype.kind in "iu":
        if math.isnan(neutral):
            raise Unsupported("takes the mean of no integers")
        limits = np.iinfo(dtype)
        neutral = min(max(neutral, limits.min), limits.max)
    if dtype.kind == "b":
        neutral = neutral > 0
    return np.broadcast_to(np.asarray(neutral).astype(dtype), shape)


def convert_arg(call: Call) -> list[Tensor]:
    value = call.operand(0)
    axis = call.axis(call.integer("axis"), len(shape_of(value)))
    return [call.emit(call.operator.graph, [value], **{**call.attributes, "axis": axis})]


def convert_scan(call: Call) -> list[Tensor]:
    value = call.operand(0)
    axis = call.axis(int(call.scalar(1, "axis")), len(shape_of(value)))
    return [call.emit(call.operator.graph, [value], axis=axis, **call.attributes)]


def convert_softmax(call: Call) -> list[Tensor]:
    """Softmax, LogSoftmax and Hardmax."""
    value = call.operand(0)
    shape = shape_of(value)
    axis = call.integer("axis")
    if call.opset >= 13:
        return [call.emit(call.operator.graph, [value], axis=call.axis(axis, len(shape)))]
    axis = axis if axis == len(shape) else call.axis(axis, len(shape))
    if axis < len(shape) and all(isinstance(size, int) and size == 1 for size in shape[axis + 1 :]):
        return [call.emit(call.operator.graph, [value], axis=axis)]
    # Older operator sets normalize over all axes from `axis` on together.
    flat = reshape(call, value, [math.prod(shape[:axis]), math.prod(shape[axis:])])
    return [reshape(call, call.emit(call.operator.graph, [flat], axis=1), list(shape))]


def convert_layer_normalization(call: Call) -> list[Tensor]:
    """LayerNormalization and RMSNormalization."""
    operands = call.operands()
    value = operands[0]
    element = element_of(value)
    rank = len(shape_of(value))
    axes = list(range(call.axis(call.integer("axis"), rank), rank))
    epsilon = call.attributes["epsilon"]
    if call.operator.graph == "rms_normalization":
        # The scale may be more precise than the input; the result then is.
        wanted = element_of(operands[1])
        widest = max(element, wanted, key=lambda e: cast(ir.FloatType, e).width)
        values = [cast_to(call, operand, widest) for operand in operands]
        return [cast_to(call, call.emit(call.operator.graph, values, axes=axes, epsilon=epsilon), wanted)]
    results = call.emit_all(call.operator.graph, operands, axes=axes, epsilon=epsilon)
    stash = read_dtype(call.integer("stash_type"))
    used = len(call.node.outputs)
    return [results[0], *(cast_to(call, result, stash) for result in results[1:used])]


def _per_channel(call: Call, value: ir.Value, spatial: int) -> ir.Value:
    """A vector along the axis before `spatial` others."""
    return reshape(call, value, [*shape_of(value), *[1] * spatial])


def convert_instance_normalization(call: Call) -> list[Tensor]:
    value, scale, bias = call.operands()
    rank = len(shape_of(value))
    if rank < 2:
        raise Unsupported(f"input has rank {rank} but needs a batch and a channel axis")
    parameters = [_per_channel(call, vector, rank - 2) for vector in (scale, bias)]
    axes = list(range(2, rank))
    epsilon = call.attributes["epsilon"]
    return [call.emit_all("mean_variance_normalization", [value, *parameters], axes=axes, epsilon=epsilon)[0]]


def convert_group_normalization(call: Call) -> list[Tensor]:
    """Groups of channels become an axis; parameters are per group before operator set 21, per channel since."""
    value, scale, bias = call.operands()
    shape = list(shape_of(value))
    groups = call.integer("num_groups")
    if len(shape) < 2 or groups < 1 or shape[1] % groups:
        raise Unsupported(f"input {shape} does not have channels in {groups} groups")
    split = [shape[0], groups, shape[1] // groups, *shape[2:]]
    per_group = [1] * (len(shape) - 1) if call.opset < 21 else [shape[1] // groups, *[1] * (len(shape) - 2)]
    for name, vector in (("scale", scale), ("bias", bias)):
        wanted = groups if call.opset < 21 else shape[1]
        if list(shape_of(vector)) != [wanted]:
            raise Unsupported(f"{name} has the shape {list(shape_of(vector))} instead of {[wanted]}")
    parameters = [reshape(call, vector, [groups, *per_group]) for vector in (scale, bias)]
    result = call.emit_all(
        "mean_variance_normalization",
        [reshape(call, value, split), *parameters],
        axes=list(range(2, len(split))),
        epsilon=call.attributes["epsilon"],
    )[0]
    return [reshape(call, result, shape)]


def convert_mean_variance_normalization(call: Call) -> list[Tensor]:
    value = call.operand(0)
    axes = call.axes(call.integer_list("axes"), len(shape_of(value)))
    # ONNX adds 1e-9 to the deviation, which is no different unless the variance is zero; then so is the result.
    return [call.emit_all("mean_variance_normalization", [value], axes=axes, epsilon=1e-18)[0]]


def convert_lp_normalization(call: Call) -> list[Tensor]:
    value = call.operand(0)
    axis = call.axis(call.integer("axis"), len(shape_of(value)))
    return [call.emit("lp_normalization", [value], axis=axis, p=call.integer("p"))]


def convert_batch_normalization(call: Call) -> list[Tensor]:
    """Where operands differ in precision, as newer operator sets allow, all of it happens in the best of them."""
    operands = call.operands()
    elements = [element_of(value) for value in operands]
    shape = list(shape_of(operands[0]))
    widest = max(elements, key=lambda element: cast(ir.FloatType, element).width)
    value, *vectors = (cast_to(call, operand, widest) for operand in operands)
    if len(shape) == 1:
        value = reshape(call, value, [*shape, 1])
    if call.attributes.get("training_mode"):
        return _train_batch_normalization(call, value, vectors, elements)
    if len(call.node.outputs) > 1 and any(call.node.outputs[1:]):
        raise Unsupported("statistics of a batch are outputs of training only")
    result = call.emit("batch_normalization", [value, *vectors], epsilon=call.attributes["epsilon"])
    return [cast_to(call, reshape(call, result, shape), elements[0])]


def _train_batch_normalization(
    call: Call, value: ir.Value, vectors: list[ir.Value], elements: list[ir.Type]
) -> list[Tensor]:
    """The statistics are the batch's; the running ones move toward them by 1 - momentum."""
    shape = list(shape_of(value))
    scale, bias, mean, variance = vectors
    axes = [axis for axis in range(len(shape)) if axis != 1]
    parameters = [_per_channel(call, vector, len(shape) - 2) for vector in (scale, bias)]
    epsilon = call.attributes["epsilon"]
    result, batch_mean, _ = call.emit_all(
        "mean_variance_normalization", [value, *parameters], axes=axes, epsilon=epsilon
    )
    centred = call.emit("sub", [value, cast_to(call, batch_mean, element_of(value))])
    batch_variance = call.emit("reduce_mean", [call.emit("mul", [centred, centred])], axes=axes, keepdims=False)
    batch_mean = reshape(call, cast_to(call, batch_mean, element_of(value)), [shape[1]])
    momentum = cast(float, call.attributes["momentum"])
    dtype = dtype_of(element_of(value))

    def scaled(vector: ir.Value, factor: float) -> ir.Value:
        return call.emit("mul", [vector, call.literal(np.asarray(factor, dtype))])

    outputs: list[Tensor] = [cast_to(call, reshape(call, result, list(call.shape(0))), elements[0])]
    for old, new, element in ((mean, batch_mean, elements[3]), (variance, batch_variance, elements[4])):
        moved = call.emit("add", [scaled(old, momentum), scaled(new, 1 - momentum)])
        outputs.append(cast_to(call, moved, element))
    return outputs
