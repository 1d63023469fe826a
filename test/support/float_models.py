"""Random float models, seeded: every operator the front end imports, over operator sets and odd shapes.

A case is one small model and its inputs. Where ONNX Runtime refuses a model there is nothing to compare with;
the tests skip such a case, so generators may aim beyond what is legal everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper


class Builder:
    """Collects the nodes, inputs and constants of one model."""

    def __init__(self, seed: int, opset: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: dict[str, np.ndarray] = {}
        self.constants: list[onnx.TensorProto] = []
        self.outputs: list[str] = []

    def array(self, *shape: int) -> np.ndarray:
        return self.rng.normal(size=shape).astype(np.float32)

    def input(self, array: np.ndarray) -> str:
        name = f"x{len(self.inputs)}"
        self.inputs[name] = array
        return name

    def constant(self, array: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def either(self, array: np.ndarray) -> str:
        """An input or a constant."""
        return self.input(array) if self.rng.random() < 0.6 else self.constant(array)

    def node(self, op_type: str, inputs: Sequence[str], **attributes: object) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, list(inputs), [name], name=f"n{len(self.nodes)}", **attributes))
        return name

    def output(self, name: str) -> None:
        self.outputs.append(name)

    def model(self) -> onnx.ModelProto:
        declared = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in self.inputs.items()
        ]
        outputs = [helper.make_empty_tensor_value_info(name) for name in self.outputs]
        graph = helper.make_graph(self.nodes, "random", declared, outputs, self.constants)
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=4 if self.opset == 9 else 8)

    # Draws

    def integer(self, low: int, high: int) -> int:
        """Both bounds included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability: float = 0.5) -> bool:
        return bool(self.rng.random() < probability)

    def shape(self, low: int = 1, high: int = 4, largest: int = 7) -> list[int]:
        return [self.integer(1, largest) for _ in range(self.integer(low, high))]

    def axis(self, rank: int, negative: bool = True) -> int:
        return self.integer(-rank if negative else 0, rank - 1)


def windows(b: Builder, rank: int, pool: bool) -> tuple[dict[str, object], list[int]]:
    """Attributes of a sliding window, and sizes of an image that it fits."""
    kernel = [b.integer(1, 4) for _ in range(rank)]
    attributes: dict[str, object] = {}
    if pool or b.chance():
        attributes["kernel_shape"] = kernel
    if b.chance(0.7):
        attributes["strides"] = [b.integer(1, 4) for _ in range(rank)]
    dilations = [1] * rank
    if b.chance(0.4):
        dilations = attributes["dilations"] = [b.integer(1, 3) for _ in range(rank)]
    choice = b.integer(0, 5)
    if choice <= 2:
        attributes["pads"] = [b.integer(0, (k - 1) if pool else 3) for k in kernel * 2]
    elif choice == 3:
        attributes["auto_pad"] = str(b.rng.choice(["SAME_UPPER", "SAME_LOWER", "VALID"]))
    sizes = [(k - 1) * d + 1 + b.integer(0, 9) for k, d in zip(kernel, dilations, strict=True)]
    attributes["_kernel"] = kernel
    return attributes, sizes


def conv(b: Builder) -> None:
    rank = b.integer(1, 3)
    attributes, sizes = windows(b, rank, pool=False)
    kernel = attributes.pop("_kernel")
    group = int(b.rng.choice([1, 1, 1, 2, 3, 5]))
    channels, filters = group * b.integer(1, 5), group * b.integer(1, 9)
    if group > 1 or b.chance(0.3):
        attributes["group"] = group
    x = b.input(b.array(b.integer(1, 3), channels, *sizes))
    inputs = [x, b.either(b.array(filters, channels // group, *kernel))]
    if b.chance():
        inputs.append(b.either(b.array(filters)))
    y = b.node("Conv", inputs, **attributes)
    if b.chance(0.4):
        y = b.node("Relu", [y])
    b.output(y)


def pool(b: Builder) -> None:
    rank = b.integer(1, 3)
    attributes, sizes = windows(b, rank, pool=True)
    attributes.pop("_kernel")
    average = b.chance()
    if attributes.get("dilations") and b.opset < (19 if average else 10):
        del attributes["dilations"]
    if b.opset >= 10 and b.chance(0.4):
        attributes["ceil_mode"] = 1
    if average and b.chance():
        attributes["count_include_pad"] = b.integer(0, 1)
    x = b.input(b.array(b.integer(1, 3), b.integer(1, 6), *sizes))
    b.output(b.node("AveragePool" if average else "MaxPool", [x], **attributes))


def gemm(b: Builder) -> None:
    m, n, k = (b.integer(1, 33) for _ in range(3))
    attributes: dict[str, object] = {}
    trans_a, trans_b = b.chance(0.4), b.chance(0.4)
    if trans_a:
        attributes["transA"] = 1
    if trans_b:
        attributes["transB"] = 1
    if b.chance(0.4):
        attributes["alpha"] = 0.5
    if b.chance(0.4):
        attributes["beta"] = 2.0
    inputs = [b.input(b.array(*((k, m) if trans_a else (m, k)))), b.either(b.array(*((n, k) if trans_b else (k, n))))]
    if b.chance(0.7) or b.opset < 11:
        shapes = [(n,), (1, n), (m, 1), (m, n), (1,), (), (1, 1)]
        inputs.append(b.either(b.array(*shapes[b.integer(0, len(shapes) - 1)])))
    b.output(b.node("Gemm", inputs, **attributes))


def mat_mul(b: Builder) -> None:
    m, n, k = (b.integer(1, 20) for _ in range(3))
    batch = b.shape(0, 2, 3)
    choice = b.integer(0, 5)
    left, right = [*batch, m, k], [*batch, k, n]
    if choice == 0:
        left = [k]
    elif choice == 1:
        right = [k]
    elif choice == 2:
        right = [k, n]
    elif choice == 3:
        left = [m, k]
    elif choice == 4 and batch:
        left = [1, *batch[1:], m, k]
        right = [2, *right]
    b.output(b.node("MatMul", [b.input(b.array(*left)), b.either(b.array(*right))]))


def broadcast_of(b: Builder, shape: Sequence[int]) -> list[int]:
    result = [size if b.chance(0.7) else 1 for size in shape]
    return result[b.integer(0, len(result)) if b.chance(0.4) else 0 :]


def arithmetic(b: Builder) -> None:
    shape = b.shape(0, 5, 5)
    op = str(b.rng.choice(["Add", "Sub", "Mul", "Div"]))
    one, two = broadcast_of(b, shape), broadcast_of(b, shape)
    if b.chance(0.3):
        one = shape
    kinds = [np.float32, np.float32, np.float32, np.float64, np.int32, np.int64]
    if b.opset >= 14:
        kinds += [np.int8, np.uint8, np.int16]
    dtype = np.dtype(kinds[b.integer(0, len(kinds) - 1)])

    def draw(shape: Sequence[int], nonzero: bool) -> np.ndarray:
        if dtype.kind == "f":
            return b.rng.normal(size=shape).astype(dtype) + dtype.type(3 if nonzero else 0)
        low = (1 if dtype.kind == "u" else -9) if not nonzero else 1
        return b.rng.integers(low, 10, shape).astype(dtype)

    x = b.input(draw(one, False))
    y = x if b.chance(0.1) and op != "Div" else b.either(draw(two, op == "Div"))
    z = b.node(op, [x, y] if b.chance(0.5) or op == "Div" else [y, x])
    b.output(z)
    if b.chance(0.3):
        b.output(b.node("Relu" if b.opset >= 14 or dtype == np.float32 else "Identity", [z]))


def sum_(b: Builder) -> None:
    shape = b.shape(0, 4, 5)
    names = [b.either(b.array(*broadcast_of(b, shape))) for _ in range(b.integer(1, 4))]
    names.append(b.input(b.array(*shape)))
    if b.chance(0.3):
        names.append(names[0])
    b.output(b.node("Sum", names))


def batch_normalization(b: Builder) -> None:
    shape = [b.integer(1, 3), b.integer(1, 9), *b.shape(0, 3, 6)]
    c = shape[1]
    x = b.input(b.array(*shape))
    if b.chance(0.5) and len(shape) > 2:
        x = b.node("Conv", [x, b.constant(b.array(c, c, *[1] * (len(shape) - 2)))])
    parameters = [b.either(b.array(c)), b.either(b.array(c)), b.either(b.array(c))]
    parameters.append(b.either(np.abs(b.array(c)) + np.float32(0.1)))
    attributes = {"epsilon": 1e-3} if b.chance() else {}
    y = b.node("BatchNormalization", [x, *parameters], **attributes)
    b.output(b.node("Relu", [y]) if b.chance() else y)


def lrn(b: Builder) -> None:
    attributes = {"size": int(b.rng.choice([1, 3, 5, 7]))}
    if b.chance():
        attributes |= {"alpha": 0.02, "beta": 0.6, "bias": 1.5}
    b.output(b.node("LRN", [b.input(b.array(b.integer(1, 2), b.integer(1, 9), *b.shape(2, 2, 6)))], **attributes))


def softmax(b: Builder) -> None:
    shape = b.shape(1, 5)
    x = b.input(b.array(*shape) * np.float32(b.integer(1, 60)))
    attributes = {} if b.chance(0.3) else {"axis": b.axis(len(shape), b.opset >= 11)}
    if not attributes and b.opset < 13 and len(shape) < 2:
        attributes = {"axis": 0}
    b.output(b.node("Softmax", [x], **attributes))


def clip(b: Builder) -> None:
    x = b.input(b.array(*b.shape(0, 4)))
    low, high = -0.5, 0.75
    if b.opset < 11:
        bounds = {key: value for key, value in (("min", low), ("max", high)) if b.chance(0.7)}
        b.output(b.node("Clip", [x], **bounds))
        return
    names = [b.constant(np.float32(value)) if b.chance(0.7) else "" for value in (low, high)]
    b.output(b.node("Clip", [x, *names] if names[1] else [x, *names[:1]] if names[0] else [x]))


def global_average_pool(b: Builder) -> None:
    b.output(b.node("GlobalAveragePool", [b.input(b.array(*b.shape(3, 5)))]))


def movement(b: Builder) -> None:
    """A chain of operators that only move data."""
    array = b.array(*b.shape(1, 5, 6))
    value, shape = b.input(array), list(array.shape)
    for _ in range(b.integer(1, 4)):
        kind = b.integer(0, 6)
        if kind == 0:
            perm = [int(axis) for axis in b.rng.permutation(len(shape))]
            value = b.node("Transpose", [value], perm=perm) if len(shape) else value
            shape = [shape[axis] for axis in perm]
        elif kind == 1:
            axis = b.integer(0 if b.opset < 11 else -len(shape), len(shape))
            value = b.node("Flatten", [value], axis=axis)
            split = axis + len(shape) if axis < 0 else axis
            shape = [int(np.prod(shape[:split])), int(np.prod(shape[split:]))]
        elif kind == 2:
            total = int(np.prod(shape))
            divisor = next(d for d in (5, 3, 2, 1) if total % d == 0)
            value = b.node("Reshape", [value, b.constant(np.array([divisor, -1], np.int64))])
            shape = [divisor, total // divisor]
        elif kind == 3 and len(shape) < 6:
            axis = b.integer(0 if b.opset < 11 else -len(shape) - 1, len(shape))
            if b.opset < 13:
                value = b.node("Unsqueeze", [value], axes=[axis])
            else:
                value = b.node("Unsqueeze", [value, b.constant(np.array([axis], np.int64))])
            shape.insert(axis + len(shape) + 1 if axis < 0 else axis, 1)
        elif kind == 4 and 1 in shape:
            axis = shape.index(1) - (len(shape) if b.opset >= 11 and b.chance() else 0)
            if b.chance(0.3):
                value = b.node("Squeeze", [value])
                shape = [size for size in shape if size != 1]
                continue
            if b.opset < 13:
                value = b.node("Squeeze", [value], axes=[axis])
            else:
                value = b.node("Squeeze", [value, b.constant(np.array([axis], np.int64))])
            shape.pop(axis)
        elif kind == 5 and shape:
            axis = b.axis(len(shape), b.opset >= 11)
            other = list(shape)
            other[axis] = b.integer(1, 4)
            names = [value, b.either(b.array(*other))]
            if b.chance(0.3):
                names.append(value)
                shape[axis] *= 2
            if b.chance():
                names.reverse()
            value = b.node("Concat", names, axis=axis)
            shape[axis] += other[axis]
        elif kind == 6 and shape:
            mode = str(b.rng.choice(["constant", "reflect", "edge"]))
            pads = [b.integer(0, min(3, size - 1) if mode == "reflect" else 3) for size in shape * 2]
            if mode == "constant" and b.chance(0.3):
                pads[b.integer(0, len(pads) - 1)] = 0 if min(shape) < 2 else -1
            if b.opset < 11:
                value = b.node("Pad", [value], mode=mode, pads=pads, **({"value": 1.5} if b.chance() else {}))
            else:
                more = [b.constant(np.float32(1.5))] if b.chance() else []
                value = b.node("Pad", [value, b.constant(np.array(pads, np.int64)), *more], mode=mode)
            shape = [s + p + q for s, p, q in zip(shape, pads[: len(shape)], pads[len(shape) :], strict=True)]
        if b.chance(0.2):
            b.output(value)
    b.output(b.node("Identity", [value]))


def cast(b: Builder) -> None:
    kinds = [np.float32, np.float64, np.int8, np.uint8, np.int16, np.int32, np.int64, np.bool_, np.float16]
    source, *targets = (np.dtype(kinds[b.integer(0, len(kinds) - 1)]) for _ in range(3))
    array = (np.abs(b.array(*b.shape(0, 3))) * 20).astype(source)
    value = b.input(array)
    for target in targets:
        value = b.node("Cast", [value], to=helper.np_dtype_to_tensor_dtype(target))
        b.output(value)


def quantization(b: Builder) -> None:
    """To integers and back, per tensor or per axis."""
    shape = b.shape(1, 4)
    dtype = np.dtype(np.int8 if b.chance() else np.uint8)
    attributes: dict[str, object] = {}
    scales: np.ndarray = np.float32(0.05)  # pyright: ignore[reportAssignmentType]
    zeros: np.ndarray = dtype.type(7)  # pyright: ignore[reportAssignmentType]
    if b.opset >= 13 and b.chance():
        axis = b.axis(len(shape))
        attributes["axis"] = axis
        scales = b.rng.uniform(0.01, 0.1, shape[axis]).astype(np.float32)
        zeros = b.rng.integers(0, 20, shape[axis]).astype(dtype)
    parameters = [b.constant(scales), b.constant(zeros)]
    quantized = b.node("QuantizeLinear", [b.input(b.array(*shape)), *parameters], **attributes)
    if b.chance():
        b.output(quantized)
    b.output(b.node("DequantizeLinear", [quantized, *parameters], **attributes))


def shapes(b: Builder) -> None:
    """Shape arithmetic that is static, constants and dropout."""
    x = b.input(b.array(2, 3, 4))
    shape = b.node("Shape", [x])
    filled = b.node("ConstantOfShape", [shape], value=numpy_helper.from_array(np.array([2.5], np.float32)))
    added = b.node("Add", [x, filled])
    part = b.node("Gather", [shape, b.constant(np.array([0, 1], np.int64))], axis=0)
    target = b.node("Concat", [part, b.constant(np.array([-1], np.int64))], axis=0)
    b.output(b.node("Reshape", [b.node("Dropout", [added]), target]))
    b.output(shape)
    b.output(b.node("Constant", [], value=numpy_helper.from_array(b.array(3))))


def plumbing(b: Builder) -> None:
    """Outputs that are inputs or constants, tensors used twice, inputs that nothing reads."""
    x = b.input(b.array(3, 5))
    unused = b.input(b.array(2))
    weight = b.constant(b.array(3, 5))
    y = b.node("Relu", [x])
    z = b.node("Add", [y, weight])
    square = b.node("Mul", [z, z])
    choices = [x, unused, weight, y, z, square, b.node("Identity", [x]), b.node("Identity", [weight])]
    chosen = b.rng.permutation(len(choices))[: b.integer(1, len(choices))]
    for index in chosen:
        b.output(choices[index])


def diamond(b: Builder) -> None:
    """A few operators on the same shapes with random connections."""
    shape = [b.integer(1, 2), b.integer(1, 20), b.integer(1, 9), b.integer(1, 9)]
    values = [b.input(b.array(*shape)) for _ in range(b.integer(1, 2))]
    for _ in range(b.integer(2, 8)):
        one, two = (values[b.integer(0, len(values) - 1)] for _ in range(2))
        kind = b.integer(0, 6)
        c = shape[1]
        if kind == 0:
            values.append(b.node("Conv", [one, b.constant(b.array(c, c, 3, 3)), b.constant(b.array(c))], pads=[1] * 4))
        elif kind == 1:
            values.append(b.node("MaxPool", [one], kernel_shape=[3, 3], pads=[1] * 4))
        elif kind == 2:
            values.append(b.node("AveragePool", [one], kernel_shape=[3, 3], pads=[1] * 4))
        elif kind == 3:
            values.append(b.node("Relu", [one]))
        elif kind == 4:
            mean = b.node("GlobalAveragePool", [one])
            values.append(b.node("Mul", [two, mean]))
        elif kind == 5:
            both = b.node("Concat", [one, two], axis=1)
            values.append(b.node("Conv", [both, b.constant(b.array(c, 2 * c, 1, 1))]))
        else:
            values.append(b.node("Add", [one, two]))
    b.output(values[-1])
    for value in values[:-1]:
        if b.chance(0.2):
            b.output(value)


FAMILIES: tuple[Callable[[Builder], None], ...] = (
    *(conv, pool, gemm, mat_mul, arithmetic, sum_, batch_normalization, lrn, softmax, clip, global_average_pool),
    *(movement, cast, quantization, shapes, plumbing, diamond),
)


def random_case(family: Callable[[Builder], None], seed: int, opset: int) -> tuple[onnx.ModelProto, dict]:
    """One model and its inputs by name."""
    builder = Builder(seed, opset)
    family(builder)
    return builder.model(), builder.inputs
