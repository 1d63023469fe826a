"""Integer arithmetic against exact rational rounding and against ONNX Runtime, on random single quantized operators."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from acc import reference
from acc.layerwise import onnx_runtime
from acc.passmanager import PassManager
from test_lowering import CONFIGS, lower
from upstream_native import run_native

PIPELINE = "builtin.module(canonicalize,func.func(graph-legalize-quantization),canonicalize)"
TIES_UP = PIPELINE.replace("quantization)", "quantization{ties-up=true})")
INTEGER_ONLY = {"dequantize_linear", "quantize_linear"}


@dataclasses.dataclass(frozen=True)
class Parameters:
    """How a tensor is quantized: one scale, or one for each channel, and a zero point of type `dtype`."""

    scale: np.ndarray
    zero_point: int
    dtype: np.dtype

    @property
    def least(self) -> int:
        return int(np.iinfo(self.dtype).min)

    @property
    def most(self) -> int:
        return int(np.iinfo(self.dtype).max)


@dataclasses.dataclass
class Case:
    """A model of one quantized operator, its inputs, and its exact result as integer times rational, by where ties go.

    With `powers_of_two` all scales are such, and float32 computes the same.
    """

    model: onnx.ModelProto
    feeds: dict[str, np.ndarray]
    exact: Callable[[str], np.ndarray]
    powers_of_two: bool = False


class Builder:
    """Draws parameters from a seed and assembles DequantizeLinear -> operators -> QuantizeLinear."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.powers_of_two = self.rng.random() < 0.25
        self.dtype = np.dtype(self.rng.choice([np.int8, np.uint8]))
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.feeds: dict[str, np.ndarray] = {}

    def scale(self, magnitude: float, count: int | None = None) -> np.ndarray:
        factors = self.rng.uniform(0.6, 1.6, count)
        if count and self.rng.random() < 0.3:
            factors = factors * 2.0 ** self.rng.uniform(-6, 0, count)
        scales = magnitude * factors
        if self.powers_of_two:
            scales = 2.0 ** np.round(np.log2(scales))
        return np.asarray(scales, np.float32)

    def parameters(self, magnitude: float, zero_point: int | None = None) -> Parameters:
        info = np.iinfo(self.dtype)
        if zero_point is None:
            near = (info.min + info.max + 1) // 2
            zero_point = int(self.rng.choice([near, info.min, info.max, self.rng.integers(info.min, info.max + 1)]))
        return Parameters(self.scale(magnitude), zero_point, self.dtype)

    def constant(self, value: np.ndarray) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, op_type: str, inputs: list[str], **attributes: object) -> str:
        name = f"{op_type.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], name=name, **attributes))
        return name

    def dequantize(self, name: str, p: Parameters, axis: int = 0) -> str:
        zero_points = np.full(p.scale.shape, p.zero_point, p.dtype)
        return self.node("DequantizeLinear", [name, self.constant(p.scale), self.constant(zero_points)], axis=axis)

    def input(self, shape: tuple[int, ...], p: Parameters) -> tuple[np.ndarray, str]:
        name = f"input{len(self.inputs)}"
        values = self.rng.integers(p.least, p.most + 1, shape).astype(p.dtype)
        self.inputs.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(p.dtype), shape))
        self.feeds[name] = values
        return values, self.dequantize(name, p)

    def activation(self, value: str, deviation: float) -> tuple[str, float, float]:
        """Sometimes a Relu or Clip; the bounds that it enforces."""
        kind = self.rng.choice(["none", "relu", "clip"])
        if kind == "relu":
            return self.node("Relu", [value]), 0.0, np.inf
        if kind == "clip":
            low, high = np.sort(self.rng.normal(0, deviation, 2)).astype(np.float32)
            return self.node("Clip", [value, self.constant(low), self.constant(high)]), float(low), float(high)
        return value, -np.inf, np.inf

    def finish(self, value: str, p: Parameters, exact: Callable[[str], np.ndarray]) -> Case:
        output = self.node("QuantizeLinear", [value, self.constant(p.scale), self.constant(p.dtype.type(p.zero_point))])
        result = helper.make_tensor_value_info(output, helper.np_dtype_to_tensor_dtype(p.dtype), None)
        graph = helper.make_graph(self.nodes, "case", self.inputs, [result], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return Case(model, self.feeds, exact, self.powers_of_two)


def round_exactly(
    total: np.ndarray,
    scale: list[Fraction],
    p: Parameters,
    low: float = -np.inf,
    high: float = np.inf,
    zero_point_first: bool = False,
    ties: str = "even",
) -> np.ndarray:
    """saturate(round(clip(total * scale)) + zero_point), rationally; `scale` is one, or one per channel.

    Ties go to even or "up". With `zero_point_first` they are decided after the zero point is added, as ONNX Runtime's
    fused operators do.
    """
    y_scale = Fraction(float(p.scale))
    channels = np.arange(total.shape[1]).reshape(1, -1, *[1] * (total.ndim - 2)) % len(scale)
    channels = np.broadcast_to(channels, total.shape).ravel()
    quantized: dict[tuple[int, int], int] = {}

    def quantize(value: int, channel: int) -> int:
        real = value * scale[channel]
        real = max(real, Fraction(low)) if np.isfinite(low) else real
        real = min(real, Fraction(high)) if np.isfinite(high) else real
        inside, outside = (p.zero_point, 0) if zero_point_first else (0, p.zero_point)
        rounded = round(real / y_scale + inside)
        if ties == "up":
            rounded = math.floor(real / y_scale + inside + Fraction(1, 2))
        return min(max(rounded + outside, p.least), p.most)

    keys = [(int(value), int(channel)) for value, channel in zip(total.ravel(), channels, strict=True)]
    for key in keys:
        if key not in quantized:
            quantized[key] = quantize(*key)
    return np.array([quantized[key] for key in keys], np.int64).reshape(total.shape)


def products(x: Parameters, w: Parameters) -> list[Fraction]:
    return [Fraction(float(x.scale)) * Fraction(float(scale)) for scale in w.scale.ravel()]


def centered(values: np.ndarray, p: Parameters) -> np.ndarray:
    return values.astype(np.int64) - p.zero_point


def draw_weights(b: Builder, shape: tuple[int, ...], channels: int) -> tuple[np.ndarray, Parameters]:
    count = channels if b.rng.random() < 0.5 else None
    if b.dtype == np.uint8 and b.rng.random() < 0.3 and count is None:
        return b.rng.integers(0, 256, shape).astype(np.uint8), Parameters(b.scale(0.01), 128, np.dtype(np.uint8))
    return b.rng.integers(-127, 128, shape).astype(np.int8), Parameters(b.scale(0.01, count), 0, np.dtype(np.int8))


def draw_bias(b: Builder, x: Parameters, w: Parameters, channels: int, size: float) -> tuple[np.ndarray, str]:
    scales = np.broadcast_to((x.scale * w.scale).astype(np.float32), channels if w.scale.size > 1 else ())
    values = b.rng.normal(0, size, channels).astype(np.int32)
    return values, b.dequantize(b.constant(values), Parameters(scales, 0, np.dtype(np.int32)))


def conv(seed: int) -> Case:
    b = Builder(seed)
    c, o = int(b.rng.choice([1, 3, 16, 64])), int(b.rng.choice([8, 24]))
    k, s, d = int(b.rng.choice([1, 3])), int(b.rng.integers(1, 3)), int(b.rng.integers(1, 3))
    pads = [int(v) for v in b.rng.integers(0, 2, 4)]
    x = b.parameters(2.0 ** b.rng.uniform(-12, 4))
    values, name = b.input((1, c, 15, 14), x)
    weights, w = draw_weights(b, (o, c, k, k), o)
    # In units of one accumulator step with the mean weight scale.
    deviation = 74 * 74 * np.sqrt(c * k * k)
    inputs = [name, b.dequantize(b.constant(weights), w)]
    bias = np.zeros(o, np.int64)
    if b.rng.random() < 0.7:
        bias, bias_name = draw_bias(b, x, w, o, deviation)
        inputs.append(bias_name)
    unit = float(x.scale) * float(np.mean(w.scale))
    y = b.parameters(unit * deviation / b.rng.uniform(10, 60))
    node = b.node("Conv", inputs, kernel_shape=[k, k], strides=[s, s], dilations=[d, d], pads=pads)
    value, low, high = b.activation(node, unit * deviation)

    def exact(ties: str) -> np.ndarray:
        total = reference_conv(centered(values, x), centered(weights, w), s, d, pads) + bias.reshape(-1, 1, 1)
        return round_exactly(total, products(x, w), y, low, high, ties=ties)

    return b.finish(value, y, exact)


def reference_conv(x: np.ndarray, w: np.ndarray, stride: int, dilation: int, pads: list[int]) -> np.ndarray:
    padded = np.pad(x, [(0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])])
    reach = dilation * (w.shape[2] - 1)
    height, width = ((n - reach - 1) // stride + 1 for n in padded.shape[2:])
    total = np.zeros((1, w.shape[0], height, width), np.int64)
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            top, left = i * dilation, j * dilation
            window = padded[:, :, top : top + stride * height : stride, left : left + stride * width : stride]
            total += np.einsum("oc,nchw->nohw", w[:, :, i, j], window[:, :, :height, :width])
    return total


def gemm(seed: int, extreme: bool = False) -> Case:
    """With `extreme`, scales and bias are so far apart that nearly all results saturate or vanish."""
    b = Builder(seed)
    rows, depth, features = 64, int(b.rng.choice([1, 16, 200, 600])), 32
    x = b.parameters(2.0 ** b.rng.uniform(-20, 20) if extreme else 2.0 ** b.rng.uniform(-12, 4))
    values, name = b.input((rows, depth), x)
    weights, w = draw_weights(b, (features, depth), features)
    deviation = 74 * 74 * np.sqrt(depth)
    unit = float(x.scale) * float(np.mean(w.scale))
    bias, bias_name = draw_bias(b, x, w, features, 10.0 ** b.rng.uniform(0, 8) if extreme else deviation)
    if b.rng.random() < 0.4:
        product = b.node("MatMul", [name, b.dequantize(b.constant(weights.T.copy()), w, axis=1)])
        node = b.node("Add", [product, bias_name])
    else:
        node = b.node("Gemm", [name, b.dequantize(b.constant(weights), w), bias_name], transB=1)
    y = b.parameters(unit * (2.0 ** b.rng.uniform(-12, 36) if extreme else deviation / b.rng.uniform(10, 60)))
    value, low, high = b.activation(node, unit * deviation)

    def exact(ties: str) -> np.ndarray:
        return round_exactly(
            centered(values, x) @ centered(weights, w).T + bias, products(x, w), y, low, high, ties=ties
        )

    return b.finish(value, y, exact)


def combine(seed: int, op_type: str) -> Case:
    b = Builder(seed)
    count = 3 if op_type == "Sum" else 2
    shape = (1, 8, 20, 20)
    drawn = [b.parameters(2.0 ** b.rng.uniform(-5, 1)) for _ in range(count)]
    operands = [b.input(shape, p) for p in drawn]
    node = b.node(op_type, [name for _, name in operands])
    spread = float(np.sqrt(sum(float(p.scale) ** 2 for p in drawn)))
    y = b.parameters(spread * 2.0 ** b.rng.uniform(-2, 3))
    value, low, high = b.activation(node, 74 * spread)

    def exact(ties: str) -> np.ndarray:
        scales = [Fraction(float(p.scale)) for p in drawn]
        unit = Fraction(1, int(np.lcm.reduce([s.denominator for s in scales], dtype=object)))
        signs = [1, -1] if op_type == "Sub" else [1] * count
        total = sum(
            sign * centered(v, p).astype(object) * int(s / unit)
            for sign, (v, _), p, s in zip(signs, operands, drawn, scales, strict=True)
        )
        plain = op_type == "Add" and np.isinf(low) and np.isinf(high)
        return round_exactly(np.asarray(total), [unit], y, low, high, zero_point_first=plain, ties=ties)

    return b.finish(value, y, exact)


def rescale(seed: int, extreme: bool = False) -> Case:
    b = Builder(seed)
    x = b.parameters(0.1)
    values, name = b.input((1, 8, 20, 20), x)
    value, low, high = b.activation(name, 7.4)
    y = b.parameters(0.1 * 2.0 ** (b.rng.uniform(-20, 12) if extreme else b.rng.uniform(-3, 3)))

    def exact(ties: str) -> np.ndarray:
        return round_exactly(centered(values, x), [Fraction(float(x.scale))], y, low, high, ties=ties)

    return b.finish(value, y, exact)


def global_average_pool(seed: int) -> Case:
    b = Builder(seed)
    size = tuple(int(v) for v in b.rng.integers(2, 12, 2))
    x = b.parameters(0.1)
    values, name = b.input((8, 128, *size), x)
    y = b.parameters(0.1 * 2.0 ** b.rng.uniform(-3, 0))
    node = b.node("GlobalAveragePool", [name])

    def exact(ties: str) -> np.ndarray:
        total = centered(values, x).sum(axis=(2, 3), keepdims=True)
        return round_exactly(total, [Fraction(float(x.scale)) / (size[0] * size[1])], y, ties=ties)

    return b.finish(node, y, exact)


def average_pool(seed: int) -> Case:
    b = Builder(seed)
    k, stride = int(b.rng.integers(2, 4)), int(b.rng.integers(1, 3))
    x = b.parameters(0.1)
    values, name = b.input((1, 4, 21, 21), x)
    y = b.parameters(0.1 * 2.0 ** b.rng.uniform(-2, 0.5))
    if b.powers_of_two and k == 3:
        # Ties in eighteenths are not exact in binary: they cannot be decided after an odd zero point is added.
        y = dataclasses.replace(y, zero_point=y.zero_point // 2 * 2)
    node = b.node("AveragePool", [name], kernel_shape=[k, k], strides=[stride, stride])

    def exact(ties: str) -> np.ndarray:
        ones = np.broadcast_to(np.eye(4, dtype=np.int64)[:, :, None, None], (4, 4, k, k))
        total = reference_conv(centered(values, x), ones, stride, 1, [0, 0, 0, 0])
        return round_exactly(total, [Fraction(float(x.scale)) / (k * k)], y, zero_point_first=True, ties=ties)

    return b.finish(node, y, exact)


def concat(seed: int) -> Case:
    b = Builder(seed)
    drawn = [b.parameters(0.1) for _ in range(3)]
    operands = [b.input((1, 4, 12, 12), p) for p in drawn]
    node = b.node("Concat", [name for _, name in operands], axis=1)
    y = b.parameters(0.1)

    def exact(ties: str) -> np.ndarray:
        parts = [
            round_exactly(centered(v, p), [Fraction(float(p.scale))], y, ties=ties)
            for (v, _), p in zip(operands, drawn, strict=True)
        ]
        return np.concatenate(parts, axis=1)

    return b.finish(node, y, exact)


CASES: dict[str, Callable[[int], Case]] = {
    "conv": conv,
    "gemm": gemm,
    "add": lambda seed: combine(seed, "Add"),
    "sub": lambda seed: combine(seed, "Sub"),
    "sum": lambda seed: combine(seed, "Sum"),
    "rescale": rescale,
    "extreme_gemm": lambda seed: gemm(seed, extreme=True),
    "extreme_rescale": lambda seed: rescale(seed, extreme=True),
    "global_average_pool": global_average_pool,
    "average_pool": average_pool,
    "concat": concat,
}


def run_integers(model: onnx.ModelProto, feeds: dict[str, np.ndarray], pipeline: str = PIPELINE) -> np.ndarray:
    """The result of the legalized graph, which must not contain anything but integer operators."""
    module = acc.import_onnx(model)
    with module.context:
        PassManager.parse(pipeline).run(module)
        (function,) = (op for op in module.body.operations if op.name == "func.func")
        names = {op.name.removeprefix("graph.") for op in function.regions[0].blocks[0]}
        assert not names & INTEGER_ONLY, f"not legalized: {function}"
        return next(iter(reference.results_by_name(function, feeds).values()))


def agreement(actual: np.ndarray, expected: np.ndarray) -> tuple[float, int]:
    difference = np.abs(actual.astype(np.int64) - expected.astype(np.int64))
    return float((difference == 0).mean()), int(difference.max())


# Where nothing is divided by a number of elements and no accumulator is beyond the integers of float32: with powers of
# two as scales, all results are ONNX Runtime's.
EXACT = dict.fromkeys(("rescale", "concat", "conv", "gemm", "add", "sub", "sum"), 1)


def check(kind: str, seed: int) -> None:
    case = CASES[kind](seed)
    actual = run_integers(case.model, case.feeds)
    expected = next(iter(onnx_runtime(case.model, case.feeds).values()))
    least = EXACT.get(kind, 0.98) if case.powers_of_two else 0.98
    for name, other in [("exact", case.exact("even")), ("ONNX Runtime", expected)]:
        equal, largest = agreement(actual, other)
        assert largest <= 1 and equal >= least, f"{kind} {seed} against {name}: {equal:.4f} equal, difference {largest}"


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("seed", range(4))
def test_integers_agree(kind: str, seed: int) -> None:
    check(kind, seed)


@pytest.mark.long
@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("seed", range(1000, 1060))
def test_integers_agree_long(kind: str, seed: int) -> None:
    check(kind, seed)


@pytest.mark.parametrize("kind", EXACT)
def test_ties_go_up_where_they_are_told_to(kind: str) -> None:
    """Of scales that are powers of two, all of them, and nothing else moves."""
    found = [CASES[kind](seed) for seed in range(12)]
    cases = [case for case in found if case.powers_of_two]
    assert cases
    for case in cases:
        np.testing.assert_array_equal(run_integers(case.model, case.feeds, TIES_UP), case.exact("up"))


@pytest.mark.parametrize("kind", CASES)
def test_other_scales_stay_within_one_step_with_ties_up(kind: str) -> None:
    case = CASES[kind](3)
    equal, largest = agreement(run_integers(case.model, case.feeds, TIES_UP), case.exact("even"))
    assert largest <= 1 and equal >= 0.9


@pytest.mark.parametrize("seed", range(6))
def test_no_product_wraps(seed: int) -> None:
    """Inputs with which the accumulators of all channels reach both ends of their ranges."""
    case = gemm(seed)
    (values,) = case.feeds.values()
    (weights,) = (array for array in map(numpy_helper.to_array, case.model.graph.initializer) if array.ndim == 2)
    if weights.shape[1] != values.shape[1]:
        weights = weights.T
    signs = weights.astype(int) - (128 if weights.dtype == np.uint8 else 0) > 0
    limits = np.iinfo(values.dtype)
    for row, channel in enumerate(range(signs.shape[0])):
        values[row] = np.where(signs[channel], limits.max, limits.min)
        values[row + signs.shape[0]] = np.where(signs[channel], limits.min, limits.max)
    _, largest = agreement(run_integers(case.model, case.feeds), case.exact("even"))
    assert largest <= 1, f"seed {seed}"


def requantization_of(scale: float, output: float, weights: np.ndarray, per_channel: bool = False) -> dict[str, object]:
    """The attributes of the requantization behind a product with `weights` (features, depth) whose scale is `scale`."""
    b = Builder(1)
    features = weights.shape[0]
    x = Parameters(np.float32(1), 0, np.dtype(np.int8))
    w = np.full(features, scale, np.float32) * (1 + np.arange(features, dtype=np.float32) / features)
    _, name = b.input((1, weights.shape[1]), x)
    scales = Parameters(w if per_channel else np.float32(scale), 0, np.dtype(np.int8))
    node = b.node("Gemm", [name, b.dequantize(b.constant(weights), scales)], transB=1)
    y = Parameters(np.float32(output), -3, np.dtype(np.int8))
    module = acc.import_onnx(b.finish(node, y, lambda ties: np.empty(0)).model)
    with module.context:
        PassManager.parse(PIPELINE).run(module)
        (function,) = (op for op in module.body.operations if op.name == "func.func")
        (op,) = (op for op in function.regions[0].blocks[0] if op.name == "graph.requantize")
        return {key: op.attributes[key].value for key in op.attributes}


def count_vectors(attributes: dict[str, object]) -> int:
    """How many of the steps have a value per channel."""
    return sum(isinstance(value, list | tuple) and len(value) > 1 for value in attributes.values())


@pytest.mark.parametrize("depth", [9, 64, 256])
def test_few_steps(depth: int) -> None:
    """One accumulator step is a small part of an output step: no additions, and one vector at most."""
    weights = np.random.default_rng(depth).integers(-127, 128, (32, depth)).astype(np.int8)
    output = 74 * 74 * np.sqrt(depth) / 30
    one = requantization_of(1.1, output, weights)
    assert str(one["rounding"]) == "down" and one["zero_point"] == 0 and not count_vectors(one)
    many = requantization_of(1.1, output, weights, per_channel=True)
    assert str(many["rounding"]) == "down" and many["zero_point"] == 0 and count_vectors(many) == 1
    assert {"out_lo", "out_hi"} <= many.keys()


@pytest.mark.parametrize("shift", [7, 8, 11])
def test_ties_of_powers_of_two_go_to_even(shift: int) -> None:
    weights = np.full((4, 64), 127, np.int8)
    found = requantization_of(2.0**-shift, 1, weights)
    assert (str(found["rounding"]), found["multiplier"], found["post_shift"]) == ("half_even", [1], [shift])


@pytest.mark.parametrize("signed", [True, False])
def test_four_bit_weights(signed: bool) -> None:
    b = Builder(11)
    x = Parameters(np.float32(0.05), 3, np.dtype(np.int8))
    y = Parameters(np.float32(0.2), -5, np.dtype(np.int8))
    _, name = b.input((64, 15), x)
    kind = TensorProto.INT4 if signed else TensorProto.UINT4
    values = b.rng.integers(*((-8, 8) if signed else (0, 16)), (15, 7))
    b.initializers.append(helper.make_tensor("w", kind, values.shape, values.ravel()))
    b.initializers.append(helper.make_tensor("z", kind, (7,), np.full(7, 0 if signed else 8)))
    scales = b.constant(b.scale(0.02, 7))
    weights = b.node("DequantizeLinear", ["w", scales, "z"], axis=1)
    case = b.finish(b.node("MatMul", [name, weights]), y, lambda ties: np.empty(0))
    case.model.opset_import[0].version, case.model.ir_version = 21, 10
    actual = run_integers(case.model, case.feeds)
    equal, largest = agreement(actual, next(iter(onnx_runtime(case.model, case.feeds).values())))
    assert largest <= 1 and equal >= 0.98


@pytest.mark.parametrize("kind", ["conv", "gemm", "add", "global_average_pool"])
def test_lowered_operators_compute_the_reference(kind: str, tmp_path: pathlib.Path) -> None:
    check_lowered(kind, 3, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("seed", range(2000, 2006))
def test_lowered_operators_compute_the_reference_long(kind: str, seed: int, tmp_path: pathlib.Path) -> None:
    check_lowered(kind, seed, tmp_path)


def check_lowered(kind: str, seed: int, folder: pathlib.Path) -> None:
    """Native kernels and accelerator kernels, before they are scheduled, agree with the reference bit for bit."""
    case = CASES[kind](seed)
    expected = run_integers(case.model, case.feeds)
    for config in ("", CONFIGS["default"]):
        (actual,) = run_native(lower(case.model, config), folder, list(case.feeds.values()))
        np.testing.assert_array_equal(actual.view(expected.dtype), expected)
