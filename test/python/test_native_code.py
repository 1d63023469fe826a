"""Native code computes what ONNX Runtime computes: every operator, odd sizes, every processor's vectors."""

from __future__ import annotations

import pathlib

import numpy as np
import onnx
import onnxruntime
import pytest

import acc
from native_levels import runnable
from qdq_models import random_network
from test_lowering import FloatModel, contractions, elementwise_and_movement, lower, pools_and_normalizations
from upstream_native import run_native


def compare(model: FloatModel, cpu: str = "native") -> None:
    proto = model.build()
    expected = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, model.feeds)
    actual = acc.compile(proto, cpu=cpu).run(model.feeds)
    for node, want in zip(proto.graph.node, expected, strict=True):
        np.testing.assert_allclose(actual[node.output[0]], want, rtol=3e-5, atol=1e-5, err_msg=str(node))


def random_convolution(m: FloatModel) -> None:
    r = m.rng
    group = int(r.choice([1, 1, 2, 3]))
    kernel = [int(k) for k in r.integers(1, 5, 2)]
    strides, dilations = ([int(v) for v in r.integers(1, 4, 2)] for _ in range(2))
    pads = [int(v) for v in r.integers(0, 3, 4)] if r.random() < 0.6 else [0] * 4
    channels, outputs = group * int(r.integers(1, 20)), group * int(r.integers(1, 40))
    size = [(k - 1) * d + 1 + int(r.integers(0, 34)) for k, d in zip(kernel, dilations, strict=True)]
    x = m.input(int(r.integers(1, 3)), channels, *size)
    attributes = {"group": group, "strides": strides, "dilations": dilations, "pads": pads}
    bias = [m.weight(outputs)] if r.random() < 0.7 else []
    y = m.add("Conv", x, m.weight(outputs, channels // group, *kernel), *bias, **attributes)
    if r.random() < 0.5:
        m.add("Relu", y)


def random_product(m: FloatModel) -> None:
    r = m.rng
    rows, sums, columns = (int(v) for v in r.integers(1, 70, 3))
    if r.random() < 0.5:
        rows = 1
    transposed = int(r.integers(0, 2))
    b = m.weight(columns, sums) if transposed else m.weight(sums, columns)
    m.add("Gemm", m.input(rows, sums), b, m.weight(columns), transB=transposed)


def random_window(m: FloatModel) -> None:
    r = m.rng
    kernel, strides = ([int(v) for v in r.integers(1, high, 2)] for high in (4, 6))
    channels = int(r.integers(1, 6))
    x = m.input(1, channels, *(int(v) for v in r.integers(4, 40, 2)))
    pads = [min(int(p), kernel[i % 2] - 1) for i, p in enumerate(r.integers(0, 2, 4))]
    m.add(str(r.choice(["MaxPool", "AveragePool"])), x, kernel_shape=kernel, strides=strides, pads=pads)
    m.add("Conv", x, m.weight(channels, 1, *kernel), group=channels, strides=strides, pads=pads)


@pytest.mark.parametrize("family", [contractions, pools_and_normalizations, elementwise_and_movement])
def test_operators_agree_with_onnx_runtime(family) -> None:
    model = FloatModel(seed=len(family.__name__))
    family(model)
    compare(model)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("family", [random_convolution, random_product, random_window])
def test_random_shapes_agree_with_onnx_runtime(family, seed: int) -> None:
    model = FloatModel(seed)
    for _ in range(4):
        family(model)
    compare(model)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 140))
@pytest.mark.parametrize("family", [random_convolution, random_product, random_window])
def test_random_shapes_agree_with_onnx_runtime_long(family, seed: int) -> None:
    model = FloatModel(seed)
    for _ in range(6):
        family(model)
    compare(model)


@pytest.mark.parametrize("cpu", runnable())
def test_every_vector_width(cpu: str) -> None:
    model = FloatModel(seed=7)
    random_convolution(model)
    random_product(model)
    random_window(model)
    compare(model, cpu)


def check_quantized(seed: int, folder: pathlib.Path, cpu: str) -> None:
    model = random_network(seed)
    rng = np.random.default_rng(seed)
    feeds = {
        value.name: rng.normal(size=[d.dim_value for d in value.type.tensor_type.shape.dim]).astype(np.float32)
        for value in model.graph.input
    }
    expected = run_native(lower(model), folder, list(feeds.values()))
    actual = acc.compile(model, cpu=cpu).run(feeds)
    for have, want in zip(actual.values(), expected, strict=True):
        np.testing.assert_array_equal(have, want.view(have.dtype))


@pytest.mark.parametrize(("seed", "cpu"), [(0, "native"), (1, "native"), (2, "x86-64-v3"), (3, "x86-64-v2")])
def test_integers_are_exact(seed: int, cpu: str, tmp_path: pathlib.Path) -> None:
    check_quantized(seed, tmp_path, cpu)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 130))
def test_integers_are_exact_long(seed: int, tmp_path: pathlib.Path) -> None:
    check_quantized(seed, tmp_path, "native")


def test_unknown_processor() -> None:
    with pytest.raises(acc.CompileError, match="unknown processor 'abacus'"):
        acc.compile(small_model(), cpu="abacus")


@pytest.mark.parametrize("features", ["+abacus", "avx2"])
def test_unknown_feature(features: str) -> None:
    with pytest.raises(acc.CompileError, match="unknown processor feature"):
        acc.compile(small_model(), cpu_features=features)


def small_model() -> onnx.ModelProto:
    model = FloatModel(seed=0)
    model.add("Relu", model.input(4))
    return model.build()
