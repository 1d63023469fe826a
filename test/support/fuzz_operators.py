"""How nodes are drawn, operator by operator, for fuzz_graphs: what each takes, and with which attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from onnx import TensorProto

from fuzz_graphs import Draw, Node, NoValue, Value

OPERATORS: list[Callable[[Draw], Node]] = []
"""One entry per chance: operators drawn often are listed more than once."""


def _register(weight: int = 1) -> Callable[[Callable[[Draw], Node]], Callable[[Draw], Node]]:
    def add(function: Callable[[Draw], Node]) -> Callable[[Draw], Node]:
        OPERATORS.extend([function] * weight)
        return function

    return add


SMOOTH = (
    *("Exp", "Log", "Sqrt", "Reciprocal", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Tanh"),
    *("Asinh", "Acosh", "Atanh", "Erf", "Sigmoid", "Softplus", "Softsign", "HardSwish", "Mish", "Gelu"),
)
PARAMETRIC: dict[str, dict[str, tuple[float, float]]] = {
    "LeakyRelu": {"alpha": (0.0, 0.5)},
    "Elu": {"alpha": (0.5, 2.0)},
    "Celu": {"alpha": (0.5, 2.0)},
    "Selu": {},
    "HardSigmoid": {"alpha": (0.1, 0.5), "beta": (0.0, 1.0)},
}
STEPS = {"ThresholdedRelu": {"alpha": (0.3, 0.6)}, "Shrink": {"lambd": (0.3, 0.6), "bias": (0.0, 0.0)}}


@_register(4)
def smooth(d: Draw) -> Node:
    op = str(d.choice(SMOOTH))
    attributes: dict[str, object] = {}
    if op == "Gelu":
        if d.opset < 20:
            raise NoValue
        attributes["approximate"] = str(d.choice(("none", "tanh")))
    return Node(op, [d.floats().name], attributes)


def _uniform(d: Draw, ranges: dict[str, tuple[float, float]]) -> dict[str, object]:
    return {name: float(d.rng.uniform(*bounds)) for name, bounds in ranges.items() if d.chance(0.8)}


@_register(2)
def parametric(d: Draw) -> Node:
    op = str(d.choice(list(PARAMETRIC)))
    return Node(op, [d.floats().name], _uniform(d, PARAMETRIC[op]))


@_register()
def step(d: Draw) -> Node:
    op = str(d.choice(list(STEPS)))
    return Node(op, [d.floats(exact=True).name], _uniform(d, STEPS[op]))


@_register(3)
def exact_unary(d: Draw) -> Node:
    op = str(d.choice(("Neg", "Abs", "Relu", "Sign", "Floor", "Ceil", "Round", "Identity", "Not", "BitwiseNot")))
    if op == "Not":
        return Node(op, [d.value(lambda v: v.kind == "b").name], exact=True)
    if op == "BitwiseNot":
        return Node(op, [d.value(lambda v: v.kind in "iu").name], exact=True)
    if op in ("Floor", "Ceil", "Round"):
        return Node(op, [d.floats(exact=True).name], exact=True)
    signed = op != "Sign"
    return Node(
        op,
        [d.value(lambda v: v.kind in ("fi" if op in ("Neg", "Relu") else "fiu") and (signed or v.exact)).name],
        exact=True,
    )


@_register(5)
def binary(d: Draw) -> Node:
    op = str(d.choice(("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Mod", "PRelu")))
    if op == "Pow":
        base = d.floats()
        return Node("Pow", [base.name, d.constant(np.array(d.choice((2, 3, 0.5, 1)), base.array.dtype))])
    if op == "PRelu":
        value = d.floats()
        shape = [size if d.chance() else 1 for size in value.shape][d.integer(0, value.rank) :]
        return Node("PRelu", [value.name, d.constant(d.quarters(shape, value.array.dtype))], exact=True)
    value = d.numbers(exact=op == "Mod")
    if op in ("Div", "Mod"):
        divisor = d.quarters(value.shape[d.integer(0, value.rank) :], value.array.dtype)
        divisor = np.where(divisor == 0, divisor.dtype.type(3), divisor)
        fmod = int(value.kind == "f" or d.chance())
        return Node(
            op,
            [value.name, d.constant(divisor)],
            {"fmod": fmod} if op == "Mod" else {},
            exact=op == "Mod" or value.kind != "f",
        )
    operands = [value.name, d.broadcast_operand(value)]
    return Node(op, operands[:: -1 if d.chance() else 1], exact=True)


@_register(2)
def logical(d: Draw) -> Node:
    op = str(d.choice(("And", "Or", "Xor", "BitwiseAnd", "BitwiseOr", "BitwiseXor")))
    value = d.value(lambda v: v.kind in ("iu" if op.startswith("Bitwise") else "b"))
    return Node(op, [value.name, d.broadcast_operand(value)], exact=True)


@_register(2)
def comparison(d: Draw) -> Node:
    value = d.numbers(exact=True)
    op = str(d.choice(("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")))
    other = d.constant(d.quarters(value.shape[d.integer(0, value.rank) :], value.array.dtype))
    return Node(op, [value.name, other], exact=True)


@_register(2)
def variadic(d: Draw) -> Node:
    op = str(d.choice(("Sum", "Mean", "Max", "Min")))
    value = d.floats()
    return Node(op, [value.name] + [d.broadcast_operand(value) for _ in range(d.integer(0, 3))], exact=op != "Mean")


@_register(2)
def where(d: Draw) -> Node:
    value = d.value()
    condition = d.constant(d.quarters(value.shape[d.integer(0, value.rank) :], "bool"))
    try:
        if d.chance(0.7):
            condition = d.value(lambda v: v.kind == "b" and _same(v, value)).name
    except NoValue:
        pass
    return Node("Where", [condition, value.name, d.broadcast_operand(value)], exact=True)


def _same(a: Value, b: Value) -> bool:
    return a.shape == b.shape


@_register(2)
def clip(d: Draw) -> Node:
    value = d.numbers()
    low, high = sorted((d.integer(0, 6), d.integer(0, 6)))
    bounds = [d.constant(np.array(bound, value.array.dtype)) if d.chance(0.8) else "" for bound in (low, high)]
    return Node("Clip", [value.name, *bounds], exact=True)


@_register(3)
def cast(d: Draw) -> Node:
    to = int(
        d.choice(
            (
                TensorProto.FLOAT,
                TensorProto.FLOAT,
                TensorProto.DOUBLE,
                TensorProto.FLOAT16,
                TensorProto.INT32,
                TensorProto.INT64,
                TensorProto.INT8,
                TensorProto.UINT8,
                TensorProto.BOOL,
            )
        )
    )
    floating = to in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
    value = d.value(
        lambda v: (
            (v.exact or floating) and (to != TensorProto.UINT8 or not (v.array < 0).any() if v.kind != "b" else True)
        )
    )
    return Node("Cast", [value.name], {"to": to}, exact=to != TensorProto.FLOAT16 or value.kind != "f")


REDUCTIONS = {
    "ReduceSum": True,
    "ReduceMax": True,
    "ReduceMin": True,
    "ReduceL1": True,
    "ReduceSumSquare": True,
    "ReduceMean": False,
    "ReduceL2": False,
    "ReduceProd": False,
    "ReduceLogSum": False,
    "ReduceLogSumExp": False,
}


@_register(4)
def reduction(d: Draw) -> Node:
    op = str(d.choice(list(REDUCTIONS)))
    value = d.value(lambda v: v.array.dtype.name in ("float32", "float64", "int32", "int64"))
    if op == "ReduceSumSquare" and value.kind != "f":
        raise NoValue  # The reference implementation makes int64 of int32.
    inputs = [value.name]
    if d.chance(0.8):
        inputs.append(d.constant(np.array(d.axes(value.rank), np.int64)))
    attributes: dict[str, object] = {"keepdims": d.integer(0, 1)}
    if d.chance(0.2):
        attributes["noop_with_empty_axes"] = 1
    return Node(op, inputs, attributes, exact=REDUCTIONS[op])


@_register(2)
def arg_reduction(d: Draw) -> Node:
    value = d.value(lambda v: v.kind != "b" and v.exact and v.rank > 0 and v.array.size > 0)
    attributes = {"axis": d.axis(value.rank), "keepdims": d.integer(0, 1), "select_last_index": d.integer(0, 1)}
    return Node(str(d.choice(("ArgMax", "ArgMin"))), [value.name], dict(attributes), exact=True)


@_register()
def cumulative(d: Draw) -> Node:
    value = d.value(lambda v: v.array.dtype.name in ("float32", "float64", "int32", "int64") and v.rank > 0)
    axis = d.constant(np.array(d.axis(value.rank), np.int64))
    return Node("CumSum", [value.name, axis], {"exclusive": d.integer(0, 1), "reverse": d.integer(0, 1)}, exact=True)


@_register(2)
def softmax(d: Draw) -> Node:
    op = str(d.choice(("Softmax", "LogSoftmax", "Hardmax")))
    value = d.value(lambda v: v.kind == "f" and v.rank > 0 and (op != "Hardmax" or v.exact))
    return Node(op, [value.name], {"axis": d.axis(value.rank)}, exact=op == "Hardmax")


@_register(3)
def normalization(d: Draw) -> Node:
    op = str(
        d.choice(
            (
                "LayerNormalization",
                "InstanceNormalization",
                "BatchNormalization",
                "LpNormalization",
                "LRN",
                "RMSNormalization",
                "MeanVarianceNormalization",
            )
        )
    )
    value = d.value(
        lambda v: (
            v.array.dtype == np.float32
            and 0 not in v.shape
            and v.rank >= (1 if op in ("LayerNormalization", "RMSNormalization", "LpNormalization") else 3)
        )
    )

    def parameter(shape: Sequence[int], positive: bool = False) -> str:
        array = d.quarters(shape)
        return d.constant(np.abs(array) + np.float32(0.5) if positive else array)

    if op in ("LayerNormalization", "RMSNormalization"):
        if op == "RMSNormalization" and d.opset < 23:
            raise NoValue
        axis = d.axis(value.rank)
        shape = value.shape[axis:]
        extra = [parameter(shape)] if op == "LayerNormalization" and d.chance() else []
        return Node(op, [value.name, parameter(shape), *extra], {"axis": axis, "epsilon": 1e-3})
    if op == "LpNormalization":
        return Node(op, [value.name], {"axis": d.axis(value.rank), "p": d.integer(1, 2)})
    if op == "LRN":
        # The reference implementation counts batches where it means channels.
        if value.rank != 4 or value.shape[0] != value.shape[1]:
            raise NoValue
        return Node(op, [value.name], {"size": d.integer(1, 5), "alpha": 0.01, "bias": 1.0})
    if op == "MeanVarianceNormalization":
        if value.rank != 4:
            raise NoValue
        return Node(op, [value.name])
    channel = [value.shape[1]]
    if op == "InstanceNormalization":
        return Node(op, [value.name, parameter(channel), parameter(channel)], {"epsilon": 1e-2})
    return Node(op, [value.name, parameter(channel), parameter(channel), parameter(channel), parameter(channel, True)])


@_register(4)
def mat_mul(d: Draw) -> Node:
    value = d.value(lambda v: v.array.dtype.name in ("float32", "float64", "int32", "int64") and v.rank > 0)
    columns = [] if d.chance(0.1) else [d.integer(1, 17)]
    batch = (
        [size if d.chance() else 1 for size in value.shape[:-2]][d.integer(0, max(value.rank - 2, 0)) :]
        if columns
        else []
    )
    other = d.constant(d.quarters([*batch, value.shape[-1], *columns], value.array.dtype, 4))
    try:
        if d.chance():
            other = d.value(
                lambda v: v.array.dtype == value.array.dtype and v.rank == 2 and v.shape[0] == value.shape[-1]
            ).name
    except NoValue:
        pass
    return Node("MatMul", [value.name, other], exact=True)


@_register(2)
def gemm(d: Draw) -> Node:
    value = d.value(lambda v: v.array.dtype.name in ("float32", "float64") and v.rank == 2)
    trans_a, trans_b, columns = d.integer(0, 1), d.integer(0, 1), d.integer(1, 16)
    rows, inner = value.shape[:: -1 if trans_a else 1]
    other = d.quarters((columns, inner) if trans_b else (inner, columns), value.array.dtype, 4)
    inputs = [value.name, d.constant(other)]
    if d.chance(0.7):
        shape = d.choice(([columns], [rows, columns], [1, columns], [rows, 1], [1], []))
        inputs.append(d.constant(d.quarters(shape, value.array.dtype)))
    attributes: dict[str, object] = {"transA": trans_a, "transB": trans_b}
    if d.chance():
        attributes |= {"alpha": 0.5, "beta": 2.0}
    return Node("Gemm", inputs, attributes, exact=True)


def _windows(d: Draw, spatial: Sequence[int]) -> dict[str, object]:
    """Kernel, strides, dilations and padding that fit."""
    dilations = [d.integer(1, 2) for _ in spatial]
    kernel = [
        d.integer(1, max(1, min(4, (size - 1) // step + 1))) for size, step in zip(spatial, dilations, strict=True)
    ]
    attributes: dict[str, object] = {
        "kernel_shape": kernel,
        "strides": [d.integer(1, 3) for _ in spatial],
        "dilations": dilations,
    }
    if d.chance(0.25):
        attributes["auto_pad"] = str(d.choice(("SAME_UPPER", "SAME_LOWER", "VALID")))
        # Neither implementation that results are compared with pads for dilated windows as ONNX says.
        attributes["dilations"] = [1] * len(kernel)
        # Nor do they agree on windows that leave gaps, whose padding would be negative.
        attributes["strides"] = [d.integer(1, min(3, size)) for size in kernel]
    elif d.chance(0.7):
        reach = [min((k - 1) * step, 3) for k, step in zip(kernel, dilations, strict=True)]
        attributes["pads"] = [d.integer(0, pad) for pad in (*reach, *reach)]
    return attributes


def _image(d: Draw, dtypes: Sequence[str] = ("float32", "float64", "float16")) -> Value:
    return d.value(lambda v: v.array.dtype.name in dtypes and 3 <= v.rank <= 5 and 0 not in v.shape)


@_register(4)
def conv(d: Draw) -> Node:
    value = _image(d, ("float32", "float64"))
    channels = value.shape[1]
    group = int(d.choice([g for g in range(1, channels + 1) if channels % g == 0]))
    attributes = _windows(d, value.shape[2:]) | {"group": group}
    kernel = attributes["kernel_shape"]
    # The reference implementation reads the weights of groups wrongly when it transposes.
    transposed = group == 1 and d.chance(0.3)
    outs = group * d.integer(1, 4)
    shape = [channels, outs // group, *kernel] if transposed else [outs, channels // group, *kernel]
    inputs = [value.name, d.constant(d.quarters(shape, value.array.dtype, 4))]
    if d.chance():
        inputs.append(d.constant(d.quarters([outs], value.array.dtype)))
    if transposed:
        attributes.pop("auto_pad", None)
        if d.chance(0.3):
            strides = attributes["strides"]
            attributes["output_padding"] = [d.integer(0, stride - 1) for stride in strides]
    return Node("ConvTranspose" if transposed else "Conv", inputs, attributes, exact=True)


@_register(3)
def pool(d: Draw) -> Node:
    op = str(d.choice(("MaxPool", "MaxPool", "AveragePool", "LpPool")))
    value = _image(d, ("float32", "float64", "int8", "uint8") if op == "MaxPool" else ("float32", "float64"))
    attributes = _windows(d, value.shape[2:])
    if op != "MaxPool" and d.opset < 19:
        del attributes["dilations"]
    if op == "AveragePool":
        attributes["count_include_pad"] = d.integer(0, 1)
    if "auto_pad" not in attributes and op != "LpPool" and d.chance(0.3):
        attributes["ceil_mode"] = 1
    outputs = 2 if op == "MaxPool" and d.chance(0.2) else 1
    if outputs == 2 and not value.exact:
        outputs = 1
    return Node(op, [value.name], attributes, outputs, exact=op == "MaxPool")


@_register()
def global_pool(d: Draw) -> Node:
    op = str(d.choice(("GlobalAveragePool", "GlobalMaxPool")))
    value = _image(d)
    if op == "GlobalMaxPool" and value.rank != 4:
        raise NoValue  # The reference implementation takes the wrong axes.
    return Node(op, [value.name], exact=op == "GlobalMaxPool")


@_register(4)
def reshape(d: Draw) -> Node:
    op = str(d.choice(("Reshape", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Transpose")))
    value = d.value(lambda v: op != "Transpose" or v.rank > 0)
    if op == "Reshape":
        shape = _factors(d, value.array.size)
        if shape and value.array.size and d.chance():
            shape[d.integer(0, len(shape) - 1)] = -1
        return Node(op, [value.name, d.constant(np.array(shape, np.int64))], exact=True)
    if op == "Flatten":
        return Node(op, [value.name], {"axis": d.integer(-value.rank, value.rank)}, exact=True)
    if op == "Transpose":
        return Node(op, [value.name], {"perm": [int(axis) for axis in d.rng.permutation(value.rank)]}, exact=True)
    if op == "Squeeze":
        ones = [axis for axis, size in enumerate(value.shape) if size == 1 and d.chance(0.7)]
        axes = [axis - (value.rank if d.chance(0.3) else 0) for axis in ones]
    else:
        count = d.integer(1, 2)
        axes = [int(axis) for axis in d.rng.permutation(value.rank + count)[:count]]
    return Node(op, [value.name, d.constant(np.array(axes, np.int64))], exact=True)


def _factors(d: Draw, size: int) -> list[int]:
    if size == 0:
        return [0, d.integer(1, 3)] if d.chance() else [0]
    shape = []
    while size > 1:
        factor = int(d.choice([f for f in range(2, size + 1) if size % f == 0]))
        shape.append(factor)
        size //= factor
    for _ in range(d.integer(0, 2)):
        shape.insert(d.integer(0, len(shape)), 1)
    return shape


@_register(2)
def slice_(d: Draw) -> Node:
    value = d.value(lambda v: v.rank > 0)
    axes = d.axes(value.rank) or [0]
    starts, ends, steps = [], [], []
    for axis in axes:
        size = value.shape[axis]
        starts.append(d.integer(-size - 2, size + 2))
        ends.append(d.integer(-size - 2, size + 2) if d.chance(0.7) else int(d.choice((1 << 40, -(1 << 40)))))
        steps.append(int(d.choice((1, 1, 2, 3, -1, -2))))
        if steps[-1] < 0:
            # In front of the axis the reference implementation takes nothing, the standard the first element.
            starts[-1] = max(starts[-1], -size)
    inputs = [np.array(numbers, np.int64) for numbers in (starts, ends, axes, steps)]
    return Node("Slice", [value.name, *map(d.constant, inputs)], exact=True)


@_register(2)
def pad(d: Draw) -> Node:
    value = d.value(lambda v: v.rank > 0 and 0 not in v.shape)
    modes = ("constant", "constant", "reflect", "edge", *(("wrap",) if d.opset >= 19 else ()))
    mode = str(d.choice(modes))
    limit = 3 if mode in ("constant", "edge") else max(0, min(value.shape) - 1)
    pads = [d.integer(-1 if mode == "constant" and d.chance(0.2) else 0, min(limit, 3)) for _ in range(2 * value.rank)]
    inputs = [value.name, d.constant(np.array(pads, np.int64))]
    if mode == "constant" and d.chance():
        inputs.append(d.constant(d.quarters([], value.array.dtype)))
    return Node("Pad", inputs, {"mode": mode}, exact=True)


@_register(3)
def combine(d: Draw) -> Node:
    op = str(d.choice(("Concat", "Concat", "Split", "Tile", "Expand")))
    value = d.value(lambda v: v.rank > 0)
    axis = d.axis(value.rank)
    if op == "Concat":
        names = [value.name]
        for _ in range(d.integer(0, 3)):
            shape = list(value.shape)
            shape[axis] = d.integer(0, 4)
            names.append(d.constant(d.quarters(shape, value.array.dtype)) if d.chance() else value.name)
        return Node("Concat", names, {"axis": axis}, exact=True)
    if op == "Split":
        size = value.shape[axis]
        first = d.integer(0, size)
        sizes = d.constant(np.array([first, size - first], np.int64))
        return Node("Split", [value.name, sizes], {"axis": axis}, outputs=2, exact=True)
    if op == "Tile":
        repeats = [d.integer(0 if d.chance(0.05) else 1, 3) for _ in value.shape]
        return Node("Tile", [value.name, d.constant(np.array(repeats, np.int64))], exact=True)
    shape = [d.integer(1, 4) if size == 1 else (size if d.chance() else 1) for size in value.shape]
    shape = [d.integer(1, 3) for _ in range(d.integer(0, 1))] + shape
    return Node("Expand", [value.name, d.constant(np.array(shape, np.int64))], exact=True)


@_register(3)
def gather(d: Draw) -> Node:
    op = str(d.choice(("Gather", "Gather", "GatherElements", "GatherND")))
    value = d.value(lambda v: v.rank > 0 and 0 not in v.shape)
    axis = d.axis(value.rank)
    size = value.shape[axis]
    dtype = np.int64 if d.chance() else np.int32
    if op == "Gather":
        shape = [d.integer(1, 4) for _ in range(d.integer(0, 2))]
        return Node(
            op, [value.name, d.constant(d.rng.integers(-size, size, shape).astype(dtype))], {"axis": axis}, exact=True
        )
    if op == "GatherElements":
        shape = [d.integer(1, extent) for extent in value.shape]
        return Node(
            op, [value.name, d.constant(d.rng.integers(-size, size, shape).astype(dtype))], {"axis": axis}, exact=True
        )
    depth = d.integer(1, value.rank)
    count = d.integer(1, 4)
    indices = np.stack([d.rng.integers(-extent, extent, count) for extent in value.shape[:depth]], axis=-1)
    return Node(op, [value.name, d.constant(indices.astype(np.int64))], exact=True)


@_register(2)
def scatter(d: Draw) -> Node:
    value = d.value(lambda v: v.rank > 0 and 0 not in v.shape and v.kind != "b")
    reduction_kind = str(d.choice(("none", "none", "add", "max", "min")))
    if d.chance():
        axis = d.axis(value.rank)
        shape = [d.integer(1, extent) for extent in value.shape]
        # Without a reduction, which of two writes to one place wins is not defined.
        order = np.argsort(d.rng.random(value.shape), axis=axis)[tuple(slice(extent) for extent in shape)]
        inputs = [value.name, d.constant(order.astype(np.int64)), d.constant(d.quarters(shape, value.array.dtype))]
        return Node("ScatterElements", inputs, {"axis": axis, "reduction": reduction_kind}, exact=True)
    depth = d.integer(1, value.rank)
    everything = np.stack(np.meshgrid(*map(np.arange, value.shape[:depth]), indexing="ij"), -1).reshape(-1, depth)
    indices = d.rng.permutation(everything)[: d.integer(1, len(everything))].astype(np.int64)
    updates = d.quarters([len(indices), *value.shape[depth:]], value.array.dtype)
    inputs = [value.name, d.constant(indices), d.constant(updates)]
    return Node("ScatterND", inputs, {"reduction": reduction_kind}, exact=True)


@_register(2)
def rearrange(d: Draw) -> Node:
    op = str(d.choice(("DepthToSpace", "SpaceToDepth", "Trilu", "OneHot", "TopK")))
    if op == "Trilu":
        value = d.value(lambda v: v.rank >= 2)
        return Node(
            op, [value.name, d.constant(np.array(d.integer(-3, 3), np.int64))], {"upper": d.integer(0, 1)}, exact=True
        )
    if op == "OneHot":
        value = d.value(lambda v: v.array.dtype.name in ("int32", "int64"))
        values = d.constant(np.array([0, 1], np.float32))
        return Node(
            op,
            [value.name, d.constant(np.array(d.integer(1, 6), np.int64)), values],
            {"axis": d.axis(value.rank + 1)},
            exact=True,
        )
    if op == "TopK":
        value = d.value(
            lambda v: v.rank > 0 and v.exact and v.array.dtype.name in ("float32", "float64", "int64", "int32")
        )
        axis = d.axis(value.rank)
        k = d.constant(np.array([d.integer(0, value.shape[axis])], np.int64))
        return Node(op, [value.name, k], {"axis": axis, "largest": d.integer(0, 1)}, outputs=2, exact=True)
    block = d.integer(2, 3)
    if op == "DepthToSpace":
        value = d.value(lambda v: v.kind == "f" and v.rank == 4 and v.shape[1] % (block * block) == 0)
        return Node(op, [value.name], {"blocksize": block, "mode": str(d.choice(("DCR", "CRD")))}, exact=True)
    value = d.value(lambda v: v.kind == "f" and v.rank == 4 and v.shape[2] % block == 0 and v.shape[3] % block == 0)
    return Node(op, [value.name], {"blocksize": block}, exact=True)


@_register(2)
def data_dependent(d: Draw) -> Node:
    op = str(d.choice(("NonZero", "Compress", "Unique")))
    value = d.value(
        lambda v: (
            v.rank > 0
            and v.exact
            and v.array.size > 0
            and v.array.dtype.name in ("float32", "int64", "int32", "uint8", "int8")
        )
    )
    if op == "NonZero":
        return Node(op, [value.name], exact=True)
    axis = d.axis(value.rank)
    if op == "Compress":
        return Node(op, [value.name, d.constant(d.quarters([value.shape[axis]], "bool"))], {"axis": axis}, exact=True)
    attributes: dict[str, object] = {"sorted": 1}
    if d.chance():
        attributes["axis"] = axis
    return Node(op, [value.name], attributes, outputs=4, exact=True)


@_register(2)
def quantize(d: Draw) -> Node:
    if d.chance():
        value = d.value(lambda v: v.array.dtype.name in ("int8", "uint8"))
        scale = d.constant(np.array(2.0 ** d.integer(-3, 0), np.float32))
        return Node("DequantizeLinear", [value.name, scale, d.constant(d.quarters([], value.array.dtype))], exact=True)
    value = d.value(lambda v: v.array.dtype == np.float32 and v.exact)
    scale = d.constant(np.array(2.0 ** d.integer(-3, 0), np.float32))
    zero = d.constant(d.quarters([], str(d.choice(("int8", "uint8")))))
    return Node("QuantizeLinear", [value.name, scale, zero], exact=True)


@_register()
def resize(d: Draw) -> Node:
    value = d.value(lambda v: v.array.dtype == np.float32 and 3 <= v.rank <= 4 and 0 not in v.shape)
    mode = str(d.choice(("nearest", "linear", "cubic") if value.rank == 4 else ("nearest", "linear")))
    sizes = [*value.shape[:2], *(max(1, size * d.integer(1, 3) // d.integer(1, 2)) for size in value.shape[2:])]
    transform = str(d.choice(("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")))
    attributes: dict[str, object] = {"mode": mode, "coordinate_transformation_mode": transform}
    return Node("Resize", [value.name, "", "", d.constant(np.array(sizes, np.int64))], attributes)


@_register()
def recurrent(d: Draw) -> Node:
    op, gates = d.choice((("LSTM", 4), ("GRU", 3), ("RNN", 1)))
    value = d.value(lambda v: v.array.dtype == np.float32 and v.rank == 3 and 0 not in v.shape)
    hidden, directions = d.integer(1, 5), d.integer(1, 2)
    w = d.quarters([directions, gates * hidden, value.shape[2]], "float32", 3)
    r = d.quarters([directions, gates * hidden, hidden], "float32", 3)
    attributes: dict[str, object] = {"hidden_size": hidden, "direction": ("forward", "bidirectional")[directions - 1]}
    return Node(str(op), [value.name, d.constant(w), d.constant(r)], attributes, outputs=2)
