"""What the integer operators of the graph dialect compute, in numpy: the measure for every target.

The functions are named after the operators and follow their descriptions in `dialects/Graph/GraphInteger.td` step
by step, with 32-bit arithmetic that wraps. `evaluate` runs a whole function of graph operators, so that rewrites of
the graph can be compared with ONNX Runtime before any code is generated for them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from acc import ir
from acc.dtypes import BY_MLIR
from acc.evaluate import evaluate as evaluate_natively

__all__ = [
    "compute",
    "conv_integer",
    "evaluate",
    "gemm_integer",
    "global_sum_integer",
    "lookup",
    "matmul_integer",
    "max_pool",
    "mul_integer",
    "pack",
    "rebase",
    "requantize",
    "results_by_name",
    "scale_integer",
    "weighted_sum",
]


def _wrap(values: np.ndarray) -> np.ndarray:
    """int64 or whole float64 numbers below 2**53 as int32, modulo 2**32."""
    return values.astype(np.int64).astype(np.int32)


def _windows(
    x: np.ndarray,
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    fill: Any,
) -> list[np.ndarray]:
    """For each element of the kernel, in row-major order, what it meets: arrays (N, C, output sizes...)."""
    rank = len(kernel)
    padded = np.pad(x, [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)], constant_values=fill)
    size = [
        (extent - d * (k - 1) - 1) // s + 1
        for extent, k, s, d in zip(padded.shape[2:], kernel, strides, dilations, strict=True)
    ]

    def window(at: Sequence[int]) -> np.ndarray:
        starts = [position * d for position, d in zip(at, dilations, strict=True)]
        slices = [slice(b, b + (n - 1) * s + 1, s) for b, n, s in zip(starts, size, strides, strict=True)]
        return padded[(slice(None), slice(None), *slices)]

    return [window(at) for at in itertools.product(*(range(k) for k in kernel))]


def conv_integer(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    *,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    group: int = 1,
    pad_value: int = 0,
) -> np.ndarray:
    """(N, C, D...) int8, (O, C / group, K...) int8, (O,) int32 -> (N, O, ...) int32; stored integers are multiplied."""
    outputs = weight.shape[0]
    taps = weight.reshape(group, outputs // group, weight.shape[1], -1).astype(np.float64)
    total: np.ndarray | None = None
    for index, window in enumerate(_windows(x, weight.shape[2:], strides, pads, dilations, pad_value)):
        columns = window.reshape(x.shape[0], group, weight.shape[1], -1).astype(np.float64)
        part = np.matmul(taps[None, ..., index], columns).reshape(x.shape[0], outputs, *window.shape[2:])
        total = part if total is None else total + part
    assert total is not None
    return _wrap(total + bias.reshape(-1, *[1] * (x.ndim - 2)))


def gemm_integer(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """(M, K) int8, (N, K) int8, (N,) int32 -> (M, N) int32."""
    return _wrap(x.astype(np.float64) @ weight.T.astype(np.float64) + bias)


def matmul_integer(
    a: np.ndarray,
    b: np.ndarray,
    *,
    a_zero_point: int = 0,
    b_zero_point: int = 0,
    offset: int = 0,
    transB: bool = False,
) -> np.ndarray:
    """(..., M, K) int8, (..., K, N) int8 or (..., N, K) with `transB` -> (..., M, N) int32; leading axes broadcast."""
    right = np.swapaxes(b, -1, -2) if transB else b
    products = np.matmul(a.astype(np.float64) - a_zero_point, right.astype(np.float64) - b_zero_point)
    return _wrap(products + offset)


def weighted_sum(*inputs: np.ndarray, multipliers: Sequence[int], bias: int = 0) -> np.ndarray:
    """bias + sum of input * multiplier over int8 tensors that broadcast -> int32."""
    total = np.int64(bias)
    for x, multiplier in zip(inputs, multipliers, strict=True):
        total = total + x.astype(np.int64) * multiplier
    return _wrap(np.asarray(total))


def mul_integer(
    lhs: np.ndarray, rhs: np.ndarray, *, lhs_offset: int = 0, rhs_offset: int = 0, offset: int = 0
) -> np.ndarray:
    """(lhs + lhs_offset) * (rhs + rhs_offset) + offset of int8 tensors that broadcast -> int32."""
    return _wrap((lhs.astype(np.int64) + lhs_offset) * (rhs.astype(np.int64) + rhs_offset) + offset)


def scale_integer(acc: np.ndarray, *factors: np.ndarray, offset: int = 0) -> np.ndarray:
    """offset + acc * every factor; int32, factors broadcast to the shape of acc -> int32."""
    for factor in factors:
        acc = _wrap(acc.astype(np.int64) * factor)
    return _wrap(acc.astype(np.int64) + offset)


def global_sum_integer(x: np.ndarray, *, offset: int = 0) -> np.ndarray:
    """(N, C, D...) int8 -> (N, C, 1...) int32."""
    return _wrap(x.astype(np.int64).sum(axis=tuple(range(2, x.ndim)), keepdims=True) + offset)


def requantize(
    acc: np.ndarray,
    *,
    pre_shift: Sequence[int],
    multiplier: Sequence[int],
    post_shift: Sequence[int],
    addend: int = 0,
    mid_shift: int = 0,
    zero_point: int = 0,
    clip_lo: Sequence[int] | None = None,
    clip_hi: Sequence[int] | None = None,
    rounding: str = "half_up",
    out_lo: int | None = None,
    out_hi: int | None = None,
    bits: int = 8,
) -> np.ndarray:
    """int32 -> int8 of the same shape; sequences hold one value, or one per channel (axis 1).

    bits: how many the results fit, as whoever chose the numbers promises.
    """

    def spread(values: Sequence[int]) -> np.ndarray:
        array = np.asarray(values, np.int64)
        return array if array.size == 1 else array.reshape(-1, *[1] * (acc.ndim - 2))

    a = acc.astype(np.int64)
    if clip_lo is not None:
        a = np.maximum(a, spread(clip_lo))
    if clip_hi is not None:
        a = np.minimum(a, spread(clip_hi))
    shift = spread(pre_shift)
    a = _wrap((a >> np.maximum(shift, 0)) << np.maximum(-shift, 0)).astype(np.int64)
    p = _wrap(a * spread(multiplier)).astype(np.int64)
    last = spread(post_shift)
    if rounding == "half_even":
        t = _wrap(p + addend).astype(np.int64) >> mid_shift
        y = ((t - ((t >> last) & 1)) >> last) + zero_point
    elif rounding == "down":
        y = (p >> last) + zero_point
    elif post_shift[0] == 0:
        y = p + zero_point
    else:
        y = ((p >> (last - 1)) + 2 * zero_point + 1) >> 1
    if out_lo is not None:
        y = np.maximum(y, out_lo)
    if out_hi is not None:
        y = np.minimum(y, out_hi)
    assert bits == 8 or ((-(1 << (bits - 1)) <= y) & (y < 1 << (bits - 1))).all()
    return y.astype(np.int8)


def lookup(x: np.ndarray, table: np.ndarray) -> np.ndarray:
    """(N, C, D...) int8, (1 or C, 256) int8 -> int8 of the shape of x: the entries at x + 128."""
    entries = x.astype(np.int64) + 128
    if len(table) == 1:
        return table[0][entries]
    return table[np.arange(len(table)).reshape(-1, *[1] * (x.ndim - 2)), entries]


def rebase(x: np.ndarray) -> np.ndarray:
    """uint8 -> int8 by subtracting 128, or int8 -> uint8 by adding it."""
    return (x ^ x.dtype.type(-128 if x.dtype == np.int8 else 128)).view(np.uint8 if x.dtype == np.int8 else np.int8)


def max_pool(
    x: np.ndarray, *, kernel_shape: Sequence[int], strides: Sequence[int], pads: Sequence[int], dilations: Sequence[int]
) -> np.ndarray:
    """Maximum over windows of (N, C, D...), any type; padding never wins."""
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    return np.maximum.reduce(_windows(x, kernel_shape, strides, pads, dilations, least))


def _quantization(type_: ir.Type) -> tuple[ir.QuantizedType, np.ndarray, np.ndarray]:
    """Scales (float32) and zero points of a tensor type, in a shape that broadcasts over the tensor."""
    tensor = ir.RankedTensorType(type_)
    quantized = ir.QuantizedType(tensor.element_type)
    shape = [1] * tensor.rank
    if quantized.axis is not None:
        shape[quantized.axis] = -1
    scales, zero_points = np.array(quantized.scales, np.float32), np.array(quantized.zero_points, np.int64)
    return quantized, scales.reshape(shape), zero_points.reshape(shape)


def _quantize(op: ir.Operation, x: np.ndarray) -> np.ndarray:
    quantized, scales, zero_points = _quantization(op.results[0].type)
    rounded = np.rint(x / scales).astype(np.float64) + zero_points
    limited = np.clip(rounded, quantized.storage_type_min, quantized.storage_type_max)
    width = ir.IntegerType(quantized.storage_type).width
    return limited.astype(f"{'i' if quantized.is_signed else 'u'}{width // 8}")


def _dequantize(op: ir.Operation, x: np.ndarray) -> np.ndarray:
    _, scales, zero_points = _quantization(op.operands[0].type)
    return (x.astype(np.int64) - zero_points).astype(np.float32) * scales


def _pad(op: ir.Operation, x: np.ndarray) -> np.ndarray:
    pads = op.attributes["pads"].value
    widths = list(zip(pads[: x.ndim], pads[x.ndim :], strict=True))
    mode = op.attributes.get("mode")
    if mode is not None and "constant" not in str(mode):
        raise NotImplementedError(f"graph.pad with {mode}")
    fill = op.attributes.get("constant_value")
    return np.pad(x, widths, constant_values=0 if fill is None else x.dtype.type(fill.value))


def _clip(op: ir.Operation, x: np.ndarray) -> np.ndarray:
    low, high = op.attributes.get("min"), op.attributes.get("max")
    return np.clip(x, None if low is None else low.value, None if high is None else high.value).astype(x.dtype)


def _attributes(op: ir.Operation) -> dict[str, Any]:
    found = {}
    for name, attribute in op.attributes.items():
        if name == "rounding":
            found[name] = str(attribute.value)
        elif "." not in name:
            found[name] = attribute.value
    return found


def _direct(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    return lambda op, *inputs: function(*inputs, **_attributes(op))


def _reshape(op: ir.Operation, x: np.ndarray) -> np.ndarray:
    return x.reshape(ir.shape_of(op.results[0]))


def _native(op: ir.Operation, *inputs: np.ndarray) -> np.ndarray:
    """A float operator, which is no matter of this module, as native code computes it."""
    known = dict(zip(op.operands, inputs, strict=True))
    return evaluate_natively(list(op.results), known)[0]


def _axis_pad(x: np.ndarray, widths: Mapping[int, tuple[int, int]], value: int) -> np.ndarray:
    return np.pad(x, [widths.get(axis, (0, 0)) for axis in range(x.ndim)], constant_values=value)


def pack(
    x: np.ndarray,
    *,
    tiles: Sequence[int],
    halo: Sequence[int] = (0, 0, 0, 0),
    pad_value: int = 0,
    window: Sequence[int] = (1, 1),
    strides: Sequence[int] = (1, 1),
    dilations: Sequence[int] = (1, 1),
) -> np.ndarray:
    """(A, B, H, W) in tiles of [a, b], (A / a, B / b, H, W, a, b); (N, A, B) as images of A / a rows and one column."""
    a, b = tiles
    if x.ndim == 3:
        whole = _axis_pad(x, {1: (0, -x.shape[1] % a), 2: (0, -x.shape[2] % b)}, pad_value)
        rows = whole.reshape(x.shape[0], -1, a, whole.shape[2] // b, b).transpose(0, 3, 1, 2, 4)
        return _axis_pad(rows, {2: (halo[0], halo[2])}, pad_value)[:, :, :, None]
    x = np.concatenate(_windows(x, window, strides, halo, dilations, pad_value), axis=1)
    whole = _axis_pad(x, {0: (0, -x.shape[0] % a), 1: (0, -x.shape[1] % b)}, pad_value)
    blocks = whole.reshape(whole.shape[0] // a, a, whole.shape[1] // b, b, *x.shape[2:])
    return blocks.transpose(0, 2, 4, 5, 1, 3)


def _unpack(op: ir.Operation, x: np.ndarray) -> np.ndarray:
    top, left, bottom, right = op.attributes["halo"].value if "halo" in op.attributes else (0, 0, 0, 0)
    x = x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right]
    shape = ir.shape_of(op.results[0])
    if len(shape) == 3:
        whole = x[:, :, :, 0].transpose(0, 2, 3, 1, 4).reshape(x.shape[0], x.shape[2] * x.shape[4], -1)
    else:
        moved = x.transpose(0, 4, 1, 5, 2, 3)
        whole = moved.reshape(x.shape[0] * x.shape[4], x.shape[1] * x.shape[5], *x.shape[2:4])
    return whole[tuple(map(slice, shape))]


_OPERATORS: dict[str, Callable[..., np.ndarray]] = {
    "conv_integer": _direct(conv_integer),
    "gemm_integer": _direct(gemm_integer),
    "matmul_integer": _direct(matmul_integer),
    "weighted_sum": _direct(weighted_sum),
    "global_sum_integer": _direct(global_sum_integer),
    "mul_integer": _direct(mul_integer),
    "scale_integer": _direct(scale_integer),
    "requantize": _direct(requantize),
    # The other attributes say what the table was made of.
    "lookup": lambda op, x, table: lookup(x, table),
    "max_pool": _direct(max_pool),
    "rebase": lambda op, x: rebase(x),
    "storage_cast": lambda op, x: x,
    "quantize_linear": _quantize,
    "dequantize_linear": _dequantize,
    "reshape": _reshape,
    "flatten": _reshape,
    "squeeze": _reshape,
    "unsqueeze": _reshape,
    "transpose": lambda op, x: x.transpose(op.attributes["perm"].value),
    "concat": lambda op, *inputs: np.concatenate(inputs, axis=op.attributes["axis"].value),
    "pack": _direct(pack),
    "unpack": _unpack,
    "pad": _pad,
    "relu": lambda op, x: np.maximum(x, x.dtype.type(0)),
    "clip": _clip,
    "add": lambda op, x, y: x + y,
    "sub": lambda op, x, y: x - y,
    "mul": lambda op, x, y: x * y,
    "div": lambda op, x, y: x / y,
    "sum": lambda op, *inputs: np.asarray(sum(inputs)),
    "conv": _native,
    "gemm": _native,
    "mat_mul": lambda op, x, y: np.matmul(x, y),
    "average_pool": _native,
    "global_average_pool": _native,
    "softmax": _native,
}


def _constant(op: ir.Operation) -> np.ndarray:
    return np.asarray(op.attributes["value"].value)


def compute(op: ir.Operation, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The results of one operator of the graph; raises NotImplementedError for one that is not known here."""
    name = op.name.removeprefix("graph.")
    if name == "constant":
        return [_constant(op)]
    if name in _REGIONS:
        return _REGIONS[name](op, inputs)
    if name not in _OPERATORS:
        raise NotImplementedError(op.name)
    return [_OPERATORS[name](op, *inputs)]


def evaluate(function: ir.Operation, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Runs a func.func of graph operators on one array for each argument; quantized tensors are their integers.

    Raises NotImplementedError for an operator it does not know.
    """
    return _run(function.regions[0].blocks[0], inputs)


def _run(block: ir.Block, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What the terminator of a block hands on for these arguments."""
    values: dict[ir.Value, np.ndarray] = dict(zip(block.arguments, inputs, strict=True))
    for op in block:
        operands = [values[operand] for operand in op.operands]
        if op.name in ("func.return", "graph.yield"):
            return operands
        values.update(zip(op.results, compute(op, operands), strict=True))
    raise ValueError("the block has no terminator")


def _loop(op: ir.Operation, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Slices of turns that are not taken are zeros."""
    has_count, has_condition, has_capacity, sizes, states, _ = op.attributes["operandSegmentSizes"].value
    given = iter(operands)
    count = int(next(given)) if has_count else None
    goes_on = bool(next(given)) if has_condition else True
    capacity = int(next(given)) if has_capacity else 0
    open_sizes = iter([int(next(given)) for _ in range(sizes)])
    rest = list(given)
    carried, captures = rest[:states], rest[states:]
    slices = []
    for result in op.results[1 + states :]:
        first, *others = ir.shape_of(result)
        shape = [capacity if first < 0 else first]
        shape += [next(open_sizes) if size < 0 else size for size in others]
        count = shape[0] if count is None else min(count, shape[0])
        slices.append(np.zeros(shape, BY_MLIR[str(ir.RankedTensorType(result.type).element_type)].dtype))
    turn = 0
    while goes_on and (count is None or turn < count):
        yielded = _run(op.regions[0].blocks[0], [np.array(turn), *carried, *captures])
        if has_condition:
            goes_on = bool(yielded.pop(0))
        carried = yielded[:states]
        for whole, row in zip(slices, yielded[states:], strict=True):
            whole[turn] = row
        turn += 1
    return [np.array(turn), *carried, *slices]


def _if(op: ir.Operation, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
    _, sizes, _ = op.attributes["operandSegmentSizes"].value
    return _run(op.regions[0 if operands[0] else 1].blocks[0], operands[1 + sizes :])


_REGIONS: dict[str, Callable[[ir.Operation, Sequence[np.ndarray]], list[np.ndarray]]] = {"loop": _loop, "if": _if}


def results_by_name(function: ir.Operation, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`evaluate` with the names of the ONNX model's inputs and outputs."""

    def names(attribute: str) -> list[str]:
        return [str(entry["graph.name"]) for entry in function.attributes[attribute].value]

    outputs = evaluate(function, [inputs[name] for name in names("arg_attrs")])
    return dict(zip(names("res_attrs"), outputs, strict=True))
