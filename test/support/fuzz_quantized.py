"""Random quantized graphs, seeded: what quantizers make of networks, and what they might.

A graph grows node by node from values that are known, as in fuzz_graphs; every result is quantized by the range of its
values. Types, zero points and scales are mostly the usual ones, and now and then any that ONNX allows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fuzz_graphs import evaluate, make_info

MAX_ELEMENTS = 20_000
BITS = {"int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "int4": 4, "uint4": 4}
ONNX_TYPES = {name: getattr(TensorProto, name.upper()) for name in (*BITS, "int32")}


@dataclass(frozen=True)
class Grid:
    """Scales and zero points of a quantized tensor, one each or one for every index of `axis`."""

    dtype: str
    scale: np.ndarray
    zero: np.ndarray
    axis: int | None = None

    @property
    def limits(self) -> tuple[int, int]:
        bits = BITS.get(self.dtype, 32)
        return (0, 2**bits - 1) if self.dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    def _along(self, parameter: np.ndarray, rank: int) -> np.ndarray:
        if self.axis is None:
            return parameter
        shape = [1] * rank
        shape[self.axis] = -1
        return parameter.reshape(shape)

    def quantize(self, array: np.ndarray) -> np.ndarray:
        """The stored integers of reals, as int64."""
        scale, zero = self._along(self.scale, array.ndim), self._along(self.zero, array.ndim)
        return np.clip(np.rint(array.astype(np.float32) / scale) + zero, *self.limits).astype(np.int64)

    def dequantize(self, stored: np.ndarray) -> np.ndarray:
        scale, zero = self._along(self.scale, stored.ndim), self._along(self.zero, stored.ndim)
        return ((stored - zero).astype(np.float32) * scale).astype(np.float32)


@dataclass(frozen=True)
class Quantized:
    """A quantized tensor of the graph: its name, how it is quantized, and the reals it holds for the inputs drawn."""

    name: str
    grid: Grid
    array: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def rank(self) -> int:
        return self.array.ndim


@dataclass(frozen=True)
class Network:
    """A model with inputs to run it on; `expected` is what it computes of them, up to a few steps of `steps` each."""

    model: onnx.ModelProto
    feeds: dict[str, np.ndarray]
    expected: dict[str, np.ndarray]
    steps: dict[str, float]


class NotFitting(Exception):
    """The layer drawn cannot be applied to any value."""


class Builder:
    """A graph under construction."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.opset = int(rng.choice((13, 17, 19, 21, 23)))
        self.dtype = str(rng.choice(("int8", "uint8")))
        self.odd = bool(rng.random() < 0.3)
        self.shares = bool(rng.random() < 0.5)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.feeds: dict[str, np.ndarray] = {}
        self.values: list[Quantized] = []
        self.used: set[str] = set()
        self.dequantized: dict[str, str] = {}
        self.count = 0

    def name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}_{self.count}"

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def integer(self, low: int, high: int) -> int:
        """Both ends included."""
        return int(self.rng.integers(low, high + 1))

    def pick(self, items: Sequence[object]) -> object:
        return items[int(self.rng.integers(len(items)))]

    def value(
        self, ranks: Sequence[int] = range(1, 6), accept: Callable[[Quantized], bool] = lambda _: True
    ) -> Quantized:
        """A value of one of the ranks, a recent one rather than an old one."""
        fitting = [value for value in self.values if value.rank in ranks and accept(value)]
        if not fitting:
            raise NotFitting
        weights = np.arange(1, len(fitting) + 1, dtype=float) ** 3
        return fitting[self.rng.choice(len(fitting), p=weights / weights.sum())]

    def constant(self, array: np.ndarray, dtype: str | None = None) -> str:
        """A new initializer, of a type that numpy lacks if that is named."""
        name = self.name("c")
        if dtype in ("int4", "uint4"):
            tensor = helper.make_tensor(name, ONNX_TYPES[dtype], array.shape, array.reshape(-1).tolist())
        else:
            tensor = numpy_helper.from_array(np.asarray(array, dtype), name)
        self.initializers.append(tensor)
        return name

    def node(self, op_type: str, inputs: Sequence[str], outputs: int = 1, **attributes: object) -> list[str]:
        name = self.name(op_type)
        names = [f"{name}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(op_type, list(inputs), names, name=name, **attributes))
        return names

    def grid(self, array: np.ndarray, weights: bool = False, axis: int | None = None) -> Grid:
        """How a quantizer would quantize values; per axis if there is one."""
        rng = self.rng
        dtype = "int8" if weights and self.chance(0.8) else self.dtype
        if self.odd and self.opset >= 21 and self.chance(0.2):
            dtype = str(self.pick(list(BITS)))
        if axis is None and self.odd and array.ndim and array.shape[-1] and self.chance(0.04):
            axis = self.integer(0, array.ndim - 1)
        moved = np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1) if axis is not None else array.reshape(1, -1)
        low, high = np.minimum(moved.min(1, initial=0), 0), np.maximum(moved.max(1, initial=0), 0)
        grid = Grid(dtype, np.float32(1), np.int64(0))
        least, most = grid.limits
        symmetric = self.chance(0.9 if weights else 0.3) and not dtype.startswith("u")
        if symmetric:
            scale = np.maximum(np.abs(low), np.abs(high)) / most
            zero = np.zeros_like(scale)
        else:
            scale = (high - low) / (most - least)
            zero = np.clip(np.rint(least - low / np.where(scale > 0, scale, 1)), least, most)
        scale = np.where(scale > 0, scale, 1 / 64) * (1 if weights else rng.uniform(0.8, 1.3))
        if self.chance(0.15):
            scale = 2.0 ** np.rint(np.log2(scale))
        if self.odd and self.chance(0.15):
            zero = np.full_like(zero, self.pick((least, most, 0 if least < 0 else 1, self.integer(least, most))))
        if self.odd and self.chance(0.04):
            scale = scale * float(self.pick((1e-5, 0.01, 30.0, 1e4)))
        scale = np.clip(scale, 1e-30, 1e30).astype(np.float32)
        if axis is None:
            return Grid(dtype, scale.reshape(()), zero.astype(np.int64).reshape(()))
        return Grid(dtype, scale, zero.astype(np.int64), axis)

    def parameters(self, grid: Grid) -> tuple[list[str], dict[str, object]]:
        names = [self.constant(grid.scale, "float32"), self.constant(grid.zero, grid.dtype)]
        return names, {} if grid.axis is None else {"axis": grid.axis}

    def quantize(self, name: str, array: np.ndarray) -> Quantized:
        """The tensor `name`, which holds `array`, quantized; a new value."""
        if not np.isfinite(array).all() or np.abs(array).max(initial=0) > 1e6 or array.size > MAX_ELEMENTS:
            raise NotFitting
        grid = self.grid(array)
        names, attributes = self.parameters(grid)
        quantized = Quantized(
            self.node("QuantizeLinear", [name, *names], **attributes)[0], grid, grid.dequantize(grid.quantize(array))
        )
        self.values.append(quantized)
        return quantized

    def real(self, value: Quantized) -> str:
        """The reals of a value, for an operator to read."""
        self.used.add(value.name)
        if not self.shares or value.name not in self.dequantized:
            names, attributes = self.parameters(value.grid)
            self.dequantized[value.name] = self.node("DequantizeLinear", [value.name, *names], **attributes)[0]
        return self.dequantized[value.name]

    def weights(self, shape: Sequence[int], axis: int, deviation: float) -> tuple[str, np.ndarray, Grid]:
        """A quantized constant of random weights: the name of its reals, these, and how they are quantized."""
        array = self.rng.normal(0, deviation, tuple(shape)).astype(np.float32)
        if self.odd and self.chance(0.1):
            array *= 0  # A dead layer.
        grid = self.grid(array, weights=True, axis=axis if self.chance(0.5) else None)
        stored = grid.quantize(array)
        names, attributes = self.parameters(grid)
        name = self.node("DequantizeLinear", [self.constant(stored, grid.dtype), *names], **attributes)[0]
        return name, grid.dequantize(stored), grid

    def bias(self, size: int, x: Grid, w: Grid, scale: float) -> tuple[str, np.ndarray]:
        array = self.rng.normal(0, scale, size).astype(np.float32)
        # A depthwise image may have a scale for each of its channels, which are not those of the results.
        if self.chance(0.3) or x.axis is not None or (x.scale * w.scale).size not in (1, size):
            return self.constant(array), array
        grid = Grid("int32", (x.scale * w.scale).astype(np.float32), np.zeros_like(w.zero), 0 if w.scale.ndim else None)
        stored = grid.quantize(array)
        names, attributes = self.parameters(grid)
        return self.node("DequantizeLinear", [self.constant(stored, "int32"), *names], **attributes)[
            0
        ], grid.dequantize(stored)

    def apply(
        self,
        op_type: str,
        reals: Sequence[tuple[str, np.ndarray] | None],
        constants: Sequence[np.ndarray] = (),
        **attributes: object,
    ) -> tuple[str, np.ndarray]:
        """Adds an operator on tensors given as name and elements, with `constants` behind them."""
        operands = list(reals) + [(self.constant(array), array) for array in constants]
        while operands and operands[-1] is None:
            operands.pop()
        (name,) = self.node(op_type, [operand[0] if operand else "" for operand in operands], **attributes)
        # The reference implementation makes wrong shapes of some pools.
        compute = _run_onnxruntime if op_type.endswith("Pool") else evaluate
        results = compute(self.nodes[-1], {operand[0]: operand[1] for operand in operands if operand}, self.opset)
        if results is None or results[0].size > MAX_ELEMENTS or not np.isfinite(results[0]).all():
            raise NotFitting
        return name, np.asarray(results[0], np.float32)

    def pair(self, value: Quantized) -> tuple[str, np.ndarray]:
        return self.real(value), value.array

    def activated(self, result: tuple[str, np.ndarray], probability: float = 0.5) -> tuple[str, np.ndarray]:
        """Perhaps with an activation that quantizers keep together with what it follows."""
        if not self.chance(probability):
            return result
        if self.chance(0.7):
            return self.apply("Relu", [result])
        bounds = [np.float32(self.pick((0, -1))), np.float32(self.pick((6, 1, 3e38)))]
        return self.apply("Clip", [result], constants=bounds)


def _run_onnxruntime(proto: onnx.NodeProto, arrays: dict[str, np.ndarray], opset: int) -> list[np.ndarray] | None:
    """The outputs of a node by ONNX Runtime, None if it refuses."""
    import onnxruntime

    inputs = [make_info(name, array) for name, array in arrays.items()]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in proto.output]
    graph = helper.make_graph([proto], "node", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        return list(session.run(None, arrays))
    except Exception:
        return None


LAYERS: list[Callable[[Builder], None]] = []


def _layer(weight: int = 1) -> Callable[[Callable[[Builder], None]], Callable[[Builder], None]]:
    def add(function: Callable[[Builder], None]) -> Callable[[Builder], None]:
        LAYERS.extend([function] * weight)
        return function

    return add


@_layer(6)
def convolution(b: Builder) -> None:
    x = b.value((3, 4, 4, 4, 5))
    channels, spatial = x.shape[1], x.shape[2:]
    if channels == 0:
        raise NotFitting
    divisors = [group for group in range(1, channels + 1) if channels % group == 0]
    group = int(b.pick((1, 1, channels, b.pick(divisors))))  # type: ignore[call-overload]
    outputs = group * b.integer(1, max(1, 12 // group))
    kernel = [int(b.pick((1, 1, 3, 3, 2, 5))) for _ in spatial]  # type: ignore[call-overload]
    dilations = [int(b.pick((1, 1, 1, 2))) for _ in spatial]  # type: ignore[call-overload]
    pads = [b.integer(0, k // 2) for k in kernel] * 2
    if b.chance(0.2):
        pads = [b.integer(0, k) for k in kernel * 2]
    attributes: dict[str, object] = {"pads": pads, "dilations": dilations, "group": group}
    attributes["strides"] = [int(b.pick((1, 1, 2, 3))) for _ in spatial]  # type: ignore[call-overload]
    if b.chance(0.1):
        attributes = {"auto_pad": str(b.pick(("SAME_UPPER", "VALID"))), "group": group}
    transposed = b.chance(0.08)
    taps = math.prod(kernel) * channels // group
    shape = [channels, outputs // group, *kernel] if transposed else [outputs, channels // group, *kernel]
    name, array, grid = b.weights(shape, 1 if transposed and group == 1 else 0, taps**-0.5)
    operands: list[tuple[str, np.ndarray] | None] = [b.pair(x), (name, array)]
    if b.chance(0.7):
        scale = float(np.abs(x.array).mean()) if x.array.size else 1.0
        operands.append(
            b.bias(outputs, x.grid, grid if not transposed else Grid("int8", np.float32(1), np.int64(0)), scale)
        )
    result = b.apply("ConvTranspose" if transposed else "Conv", operands, **attributes)
    b.quantize(*b.activated(result))


@_layer(4)
def product_with_weights(b: Builder) -> None:
    x = b.value((2, 3, 3))
    depth, features = x.shape[-1], b.integer(1, 24)
    transposed = x.rank == 2 and b.chance(0.5)
    shape = [features, depth] if transposed else [depth, features]
    name, array, grid = b.weights(shape, 0 if transposed else 1, max(depth, 1) ** -0.5)
    if x.rank == 2 and b.chance(0.6):
        operands: list[tuple[str, np.ndarray] | None] = [b.pair(x), (name, array)]
        if b.chance(0.6):
            operands.append(b.bias(features, x.grid, grid, 0.5))
        result = b.apply("Gemm", operands, transB=int(transposed))
    elif transposed:
        raise NotFitting
    else:
        result = b.apply("MatMul", [b.pair(x), (name, array)])
        if b.chance(0.5):
            bias = b.rng.normal(0, 0.5, features).astype(np.float32)
            operands = [result, (b.constant(bias), bias)]
            result = b.apply("Add", operands[:: -1 if b.chance(0.3) else 1])
    b.quantize(*b.activated(result, 0.3))


@_layer(2)
def product_of_values(b: Builder) -> None:
    x = b.value((3, 4))
    y = b.value((x.rank,), lambda v: v.shape[:-2] == x.shape[:-2] and x.shape[-1] in v.shape[-2:])
    other = b.pair(y)
    if y.shape[-2] != x.shape[-1] or (b.chance(0.3) and y.shape[-1] == x.shape[-1]):
        other = b.apply("Transpose", [other], perm=[*range(x.rank - 2), x.rank - 1, x.rank - 2])
        if b.chance(0.5):
            other = b.pair(b.quantize(*other))
    b.quantize(*b.apply("MatMul", [b.pair(x), other]))


@_layer(3)
def binary(b: Builder) -> None:
    x = b.value()
    y = b.value((x.rank, max(x.rank - 1, 1)), lambda v: _broadcasts(v, x))
    op_type = str(b.pick(("Add", "Add", "Add", "Sub", "Mul", "Mul", "Max", "Min", "Div")))
    if op_type == "Div":
        y = b.value((x.rank,), lambda v: _broadcasts(v, x) and bool(np.abs(v.array).min(initial=1) > 0.05))
    operands = [b.pair(x), b.pair(y)]
    b.quantize(*b.activated(b.apply(op_type, operands[:: -1 if b.chance(0.3) else 1]), 0.3))


def _broadcasts(a: Quantized, c: Quantized) -> bool:
    try:
        return math.prod(np.broadcast_shapes(a.shape, c.shape)) <= MAX_ELEMENTS
    except ValueError:
        return False


@_layer(2)
def with_constant(b: Builder) -> None:
    x = b.value()
    shape = [size if b.chance(0.5) else 1 for size in x.shape][b.integer(0, x.rank) :]
    array = b.rng.normal(0, 1, shape).astype(np.float32)
    if b.chance(0.5):
        other = (b.constant(array), array)
    else:
        grid = b.grid(array, weights=True)
        stored = grid.quantize(array)
        names, attributes = b.parameters(grid)
        name = b.node("DequantizeLinear", [b.constant(stored, grid.dtype), *names], **attributes)[0]
        other = (name, grid.dequantize(stored))
    b.quantize(*b.apply(str(b.pick(("Add", "Mul", "Sub"))), [b.pair(x), other]))


UNARY = ("Relu", "Sigmoid", "Tanh", "HardSigmoid", "LeakyRelu", "Erf", "Softplus", "Elu", "Abs", "Neg", "HardSwish")


@_layer(2)
def unary(b: Builder) -> None:
    op_type = str(b.pick(UNARY))
    if op_type == "HardSwish" and b.opset < 14:
        raise NotFitting
    b.quantize(*b.apply(op_type, [b.pair(b.value())]))


@_layer()
def swish(b: Builder) -> None:
    x = b.pair(b.value())
    b.quantize(*b.apply("Mul", [x, b.apply("Sigmoid", [x])]))


@_layer(3)
def pool(b: Builder) -> None:
    x = b.value((3, 4, 4, 4, 5))
    spatial = x.shape[2:]
    kernel = [b.integer(1, max(1, min(4, size))) for size in spatial]
    pads = [b.integer(0, (k - 1) // 2) for k in kernel * 2] if b.chance(0.5) else [0] * 2 * len(kernel)
    attributes: dict[str, object] = {"kernel_shape": kernel, "pads": pads, "strides": [b.integer(1, 3) for _ in kernel]}
    op_type = str(b.pick(("MaxPool", "MaxPool", "AveragePool")))
    if op_type == "AveragePool":
        attributes["count_include_pad"] = b.integer(0, 1)
    if b.chance(0.15):
        attributes["ceil_mode"] = 1
    b.quantize(*b.apply(op_type, [b.pair(x)], **attributes))


@_layer(4)
def global_pool(b: Builder) -> None:
    x = b.value((3, 4, 4, 4, 5))
    if b.chance(0.6):
        result = b.apply(str(b.pick(("GlobalAveragePool", "GlobalAveragePool", "GlobalMaxPool"))), [b.pair(x)])
    else:
        result = _reduced(b, b.pair(x), list(range(2, x.rank)), b.integer(0, 1), "ReduceMean")
    b.quantize(*b.activated(result, 0.2))


def _reduced(
    b: Builder, x: tuple[str, np.ndarray], axes: Sequence[int], keepdims: int, op_type: str
) -> tuple[str, np.ndarray]:
    if b.opset >= 18 or op_type == "ReduceSum":
        return b.apply(op_type, [x], constants=[np.array(axes, np.int64)], keepdims=keepdims)
    return b.apply(op_type, [x], axes=list(axes), keepdims=keepdims)


@_layer()
def reduction(b: Builder) -> None:
    x = b.value(range(2, 6))
    axes = sorted({b.integer(0, x.rank - 1) for _ in range(b.integer(1, 2))})
    if len(axes) == x.rank:
        raise NotFitting
    op_type = str(b.pick(("ReduceMean", "ReduceSum", "ReduceMax")))
    if b.opset < 13:
        raise NotFitting
    b.quantize(*_reduced(b, b.pair(x), axes, b.integer(0, 1), op_type))


@_layer()
def squeeze_and_excite(b: Builder) -> None:
    x = b.value((4,))
    if x.shape[1] == 0:
        raise NotFitting
    pooled = b.quantize(*b.apply("GlobalAveragePool", [b.pair(x)]))
    name, array, _ = b.weights([x.shape[1], x.shape[1], 1, 1], 0, x.shape[1] ** -0.5)
    gate = b.quantize(*b.apply("Conv", [b.pair(pooled), (name, array)]))
    gate = b.quantize(*b.apply(str(b.pick(("Sigmoid", "HardSigmoid"))), [b.pair(gate)]))
    b.quantize(*b.apply("Mul", [b.pair(x), b.pair(gate)]))


@_layer(2)
def softmax(b: Builder) -> None:
    x = b.value(range(2, 6))
    b.quantize(*b.apply("Softmax", [b.pair(x)], axis=b.integer(-x.rank, x.rank - 1)))


@_layer(2)
def layer_normalization(b: Builder) -> None:
    x = b.value((3,))
    if b.opset < 17 or x.shape[-1] == 0:
        raise NotFitting
    scale, bias = b.rng.normal(1, 0.2, (2, x.shape[-1])).astype(np.float32)
    b.quantize(*b.apply("LayerNormalization", [b.pair(x)], constants=[scale, bias]))


@_layer(4)
def movement(b: Builder) -> None:
    x = b.value(range(2, 6))
    kind = b.integer(0, 7)
    pair = b.pair(x)
    if kind == 0:
        result = b.apply("Transpose", [pair], perm=[int(axis) for axis in b.rng.permutation(x.rank)])
    elif kind == 1:
        result = b.apply("Flatten", [pair], axis=b.integer(0, x.rank))
    elif kind == 2:
        kept = b.integer(0, x.rank - 1)
        result = b.apply("Reshape", [pair], constants=[np.array([0] * kept + [-1], np.int64)])
    elif kind == 3:
        pads = [int(b.pick((0, 0, 1, 2))) for _ in range(2 * x.rank)]  # type: ignore[call-overload]
        mode = str(b.pick(("constant", "constant", "edge", "reflect")))
        result = b.apply("Pad", [pair], constants=[np.array(pads, np.int64)], mode=mode)
    elif kind == 4:
        axis = b.integer(0, x.rank - 1)
        bounds = [np.array([value], np.int64) for value in (b.integer(0, 1), b.integer(2, 9), axis, b.integer(1, 2))]
        result = b.apply("Slice", [pair], constants=bounds)
    elif kind == 5 and x.rank == 4:
        scales = np.array([1, 1, b.pick((1, 2)), b.pick((2, 3))], np.float32)
        empty = np.zeros(0, np.float32)
        result = b.apply("Resize", [pair], constants=[empty, scales], mode=str(b.pick(("nearest", "linear"))))
    elif kind == 6:
        axes = np.array([b.integer(0, x.rank)], np.int64)
        result = b.apply("Unsqueeze", [pair], constants=[axes])
    else:
        result = b.apply("Reshape", [pair], constants=[np.array(x.shape, np.int64)[::-1]])
        if not b.chance(0.3):  # Sizes that are written down go with one batch only.
            raise NotFitting
    b.quantize(*result)


@_layer(2)
def concat(b: Builder) -> None:
    x = b.value(range(2, 6))
    axis = b.integer(0, x.rank - 1)
    rest = [size for index, size in enumerate(x.shape) if index != axis]
    others = [v for v in b.values if v.rank == x.rank and [s for i, s in enumerate(v.shape) if i != axis] == rest]
    chosen = [x, *(others[b.integer(0, len(others) - 1)] for _ in range(b.integer(1, 2)))]
    b.quantize(*b.apply("Concat", [b.pair(value) for value in chosen], axis=axis))


@_layer()
def to_sequence(b: Builder) -> None:
    """An image as a sequence of its pixels, as vision transformers do."""
    x = b.value((4,))
    flat = b.apply("Reshape", [b.pair(x)], constants=[np.array([0, x.shape[1], -1], np.int64)])
    b.quantize(*b.apply("Transpose", [flat], perm=[0, 2, 1]))


@_layer(2)
def attention(b: Builder) -> None:
    x = b.value((3,))
    width = x.shape[-1]
    if width == 0:
        raise NotFitting
    parts = []
    for _ in range(3):
        name, array, _ = b.weights([width, width], 1, width**-0.5)
        parts.append(b.quantize(*b.apply("MatMul", [b.pair(x), (name, array)])))
    keys = b.apply("Transpose", [b.pair(parts[1])], perm=[0, 2, 1])
    scores = b.quantize(*b.apply("MatMul", [b.pair(parts[0]), b.pair(b.quantize(*keys))]))
    shares = b.quantize(*b.apply("Softmax", [b.pair(scores)], axis=-1))
    mixed = b.quantize(*b.apply("MatMul", [b.pair(shares), b.pair(parts[2])]))
    b.quantize(*b.apply("Add", [b.pair(mixed), b.pair(x)]))


@_layer(2)
def quantized_operator(b: Builder) -> None:
    """QLinearConv and QLinearMatMul, on stored integers."""
    x = b.value((2, 3, 4), lambda v: BITS[v.grid.dtype] == 8 and v.grid.axis is None)
    convolves = x.rank == 4 or (x.rank == 3 and b.chance(0.3))
    depth = x.shape[1] if convolves else x.shape[-1]
    if depth == 0:
        raise NotFitting
    features = b.integer(1, 12)
    shape = [features, depth, *[int(b.pick((1, 3)))] * (x.rank - 2)] if convolves else [depth, features]  # type: ignore[call-overload]
    array = b.rng.normal(0, math.prod(shape) ** -0.5 * features**0.5, shape).astype(np.float32)
    grid = b.grid(array, weights=True, axis=(0 if convolves else None) if b.chance(0.5) else None)
    if BITS[grid.dtype] != 8 or grid.axis not in (None, 0 if convolves else None):
        raise NotFitting
    stored = grid.quantize(array)
    attributes: dict[str, object] = {"pads": [1] * 2 * (x.rank - 2)} if convolves and shape[-1] == 3 else {}
    reference = helper.make_node("Conv" if convolves else "MatMul", ["x", "w"], ["y"], **attributes)
    results = evaluate(reference, {"x": x.array, "w": grid.dequantize(stored)}, b.opset)
    if results is None or results[0].size > MAX_ELEMENTS or results[0].size == 0:
        raise NotFitting
    target = b.grid(results[0])
    if BITS[target.dtype] != 8 or target.axis is not None:
        raise NotFitting
    b.used.add(x.name)
    operands = [x.name, *b.parameters(x.grid)[0], b.constant(stored, grid.dtype), *b.parameters(grid)[0]]
    operands += b.parameters(target)[0]
    (name,) = b.node("QLinearConv" if convolves else "QLinearMatMul", operands, **attributes)
    b.values.append(Quantized(name, target, target.dequantize(target.quantize(results[0]))))


@_layer()
def dynamic_quantization(b: Builder) -> None:
    """DynamicQuantizeLinear and MatMulInteger, scaled back to reals."""
    x = b.value((2, 3))
    depth, features = x.shape[-1], b.integer(1, 12)
    if not x.array.size or not np.abs(x.array).max() > 0:
        raise NotFitting
    array = b.rng.normal(0, depth**-0.5, (depth, features)).astype(np.float32)
    grid = Grid("int8", np.float32(max(np.abs(array).max() / 127, 1e-6)), np.int64(0))
    stored = grid.quantize(array)
    name, scale, zero = b.node("DynamicQuantizeLinear", [b.real(x)], 3)
    (total,) = b.node("MatMulInteger", [name, b.constant(stored, "int8"), zero])
    (real,) = b.node("Cast", [total], to=TensorProto.FLOAT)
    (factor,) = b.node("Mul", [scale, b.constant(grid.scale, "float32")])
    (result,) = b.node("Mul", [real, factor])
    b.quantize(result, x.array @ grid.dequantize(stored))


def generate(seed: int) -> Network:
    """The quantized graph of a seed, with 1 to 10 layers."""
    rng = np.random.default_rng([seed, 3])
    b = Builder(rng)
    for index in range(1 + int(rng.random() < 0.3)):
        _add_input(b, index)
    wanted, tries = b.integer(1, 10), 0
    for _ in range(wanted):
        while tries < 200:
            tries += 1
            state = (len(b.nodes), len(b.initializers), len(b.values), dict(b.dequantized), set(b.used))
            try:
                LAYERS[int(rng.integers(len(LAYERS)))](b)
                break
            except NotFitting:
                nodes, initializers, values, b.dequantized, b.used = state
                del b.nodes[nodes:], b.initializers[initializers:], b.values[values:]
    return _finish(b)


def _add_input(b: Builder, index: int) -> None:
    rank = int(b.rng.choice((2, 3, 4, 5), p=(0.15, 0.3, 0.5, 0.05)))
    sizes = (1, 2, 3, 4, 5, 7, 8, 9, 16, 17) if rank < 5 else (1, 2, 3, 4)
    shape = [b.integer(1, 3), *(int(b.pick(sizes)) for _ in range(rank - 1))]  # type: ignore[call-overload]
    if rank == 4:
        shape[1] = int(b.pick((1, 3, 4, 8, 16, 17)))  # type: ignore[call-overload]
    array = b.rng.normal(0, float(b.pick((1.0, 0.1, 20.0))), shape).astype(np.float32)  # type: ignore[arg-type]
    name = f"x{index}"
    if b.chance(0.2):
        grid = b.grid(array)
        if BITS[grid.dtype] >= 8 and grid.axis is None:
            stored = grid.quantize(array)
            b.inputs.append(make_info(name, stored.astype(grid.dtype)))
            b.feeds[name] = stored.astype(grid.dtype)
            b.values.append(Quantized(name, grid, grid.dequantize(stored)))
            return
    b.inputs.append(make_info(name, array))
    b.feeds[name] = array
    b.quantize(name, array)


def _finish(b: Builder) -> Network:
    ends = [value for value in b.values if value.name not in b.used] or b.values[-1:]
    ends += [value for value in b.values if value.name in b.used and value.name not in b.feeds and b.chance(0.1)]
    infos, expected, steps = [], {}, {}
    for value in ends:
        if BITS[value.grid.dtype] >= 8 and value.grid.axis is None and value.name not in b.feeds and b.chance(0.3):
            name, array = value.name, value.grid.quantize(value.array).astype(value.grid.dtype)
            steps[name] = 1.0
        else:
            names, attributes = b.parameters(value.grid)
            name = b.node("DequantizeLinear", [value.name, *names], **attributes)[0]
            array = value.array
            steps[name] = float(np.max(value.grid.scale))
        infos.append(make_info(name, array, [None] * array.ndim))  # type: ignore[list-item]
        expected[name] = array
    graph = helper.make_graph(b.nodes, "fuzz_quantized", b.inputs, infos, b.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", b.opset)], ir_version=10)
    return Network(model, b.feeds, expected, steps)
