"""Reductions, scans, normalizations and sums of products in native code compute what ONNX's do."""

from __future__ import annotations

import numpy as np
import pytest

import acc
from graph_as_onnx import node_model
from native_cases import compare, compute

REDUCTIONS = ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
SEEDS = range(4)


def draw(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Positive numbers near one, so that sums, logarithms and products all make sense."""
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if np.dtype(dtype).kind in "iu":
        return rng.integers(1, 4, shape).astype(dtype)
    return (rng.random(shape) * 0.5 + 0.75).astype(dtype)


def draw_shape(rng: np.random.Generator, least: int = 0, most: int = 4) -> tuple[int, ...]:
    return tuple(int(size) for size in rng.choice([1, 2, 3, 5, 17], rng.integers(least, most + 1)))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "uint64", "int8", "bool"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name: str, dtype: str, seed: int) -> None:
    if dtype in ("int8", "bool") and name not in ("Max", "Min"):
        pytest.skip("not a type of the operator")
    if dtype in ("int32", "uint64") and name in ("LogSum", "LogSumExp", "SumSquare"):
        pytest.skip("not what the reference implementation can do")
    rng = np.random.default_rng([seed, len(name)])
    shape = draw_shape(rng)
    axes = [int(axis) for axis in range(len(shape)) if rng.random() < 0.5]
    axes = [axis - len(shape) if rng.random() < 0.5 else axis for axis in axes]
    x = draw(rng, shape, dtype)
    found, expected = compute(
        f"Reduce{name}",
        {"x": x},
        {"axes": np.array(axes, np.int64)} if axes else None,
        keepdims=int(rng.integers(2)),
    )
    compare(found, expected, rtol=1e-3 if dtype == "float16" else 1e-5)


def test_reductions_of_integers_by_way_of_reals() -> None:
    x = np.array([[3, 4], [6, 8]], np.int32)
    axes = {"axes": np.array([1])}
    exact = {"LogSum": np.log(x.sum(1)), "LogSumExp": np.log(np.exp(x).sum(1)), "SumSquare": (x * x).sum(1)}
    for name, wanted in exact.items():
        found, _ = compute(
            f"Reduce{name}", {"x": x.astype(np.int32)}, axes, keepdims=0, expected=[wanted.astype(x.dtype)]
        )
        compare(found, [wanted.astype(x.dtype)])


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_over_nothing(name: str) -> None:
    if name == "Mean":
        pytest.skip("the mean of nothing is not a number, which numpy warns about")
    found, expected = compute(f"Reduce{name}", {"x": np.zeros((2, 0, 3), np.float32)}, {"axes": np.array([1])})
    compare(found, expected)


@pytest.mark.parametrize("name", ["SumSquare", "LogSum", "L2", "Max"])
def test_reductions_of_no_axes(name: str) -> None:
    x = draw(np.random.default_rng(3), (2, 3), "float32")
    found, _ = compute(f"Reduce{name}", {"x": x}, noop_with_empty_axes=1)
    wanted = {"SumSquare": x * x, "LogSum": np.log(x), "L2": np.abs(x), "Max": x}[name]
    compare(found, [wanted])


def test_reductions_with_axes_as_attribute() -> None:
    x = draw(np.random.default_rng(1), (2, 3, 4), "float32")
    found, expected = compute("ReduceMax", {"x": x}, opset=11, axes=[-1, 0], keepdims=0)
    compare(found, expected)


def test_log_sum_exp_is_stable() -> None:
    x = np.array([[1000, 1000], [-np.inf, -np.inf], [np.inf, 0]], np.float32)
    found, _ = compute("ReduceLogSumExp", {"x": x}, {"axes": np.array([1])}, keepdims=0)
    compare(found, [np.array([1000 + np.log(2), -np.inf, np.inf], np.float32)])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8"])
@pytest.mark.parametrize("name", ["ArgMax", "ArgMin"])
def test_arg(name: str, dtype: str, seed: int) -> None:
    rng = np.random.default_rng([seed, 5])
    x = rng.integers(0, 4, draw_shape(rng, 1)).astype(dtype)
    found, expected = compute(
        name,
        {"x": x},
        axis=int(rng.integers(-x.ndim, x.ndim)),
        keepdims=int(rng.integers(2)),
        select_last_index=int(rng.integers(2)),
    )
    compare(found, expected)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "int32"])
@pytest.mark.parametrize("name", ["CumSum", "CumProd"])
def test_scans(name: str, dtype: str, seed: int) -> None:
    if dtype == "float16" and name == "CumSum":
        dtype = "float64"
    rng = np.random.default_rng([seed, 6])
    x = draw(rng, draw_shape(rng, 1, 3), dtype)
    axis = np.array(rng.integers(-x.ndim, x.ndim), np.int64)
    exclusive, reverse = (int(flag) for flag in rng.integers(2, size=2))
    found, expected = compute(name, {"x": x}, {"axis": axis}, opset=26, exclusive=exclusive, reverse=reverse)
    compare(found, expected)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax", "Hardmax"])
def test_softmax(name: str, dtype: str, seed: int) -> None:
    rng = np.random.default_rng([seed, 7])
    x = (rng.standard_normal(draw_shape(rng, 1)) * 20).astype(dtype)
    axis = int(rng.integers(-x.ndim, x.ndim))
    found, expected = compute(name, {"x": x}, axis=axis)
    if name == "LogSoftmax":
        exact = x.astype(np.float64)
        exact = exact - exact.max(axis, keepdims=True)
        expected = [(exact - np.log(np.exp(exact).sum(axis, keepdims=True))).astype(dtype)]
    compare(found, expected, atol=1e-4)


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax", "Hardmax"])
def test_softmax_before_13(name: str) -> None:
    x = np.random.default_rng(2).standard_normal((2, 3, 4)).astype(np.float32)
    found, expected = compute(name, {"x": x}, opset=11, axis=1, runtime=True)
    compare(found, expected)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_layer_normalization(dtype: str, seed: int) -> None:
    rng = np.random.default_rng([seed, 8])
    x = (rng.standard_normal(draw_shape(rng, 1)) * 3 + 1).astype(dtype)
    axis = int(rng.integers(-x.ndim, x.ndim))
    inputs = {"x": x, "s": draw(rng, x.shape[axis:], dtype)}
    if seed % 2:
        inputs["b"] = draw(rng, x.shape[axis:], dtype)
    found, expected = compute("LayerNormalization", inputs, outputs=3 if dtype == "float32" else 1, axis=axis)
    compare(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_rms_normalization(dtype: str) -> None:
    rng = np.random.default_rng(9)
    x = (rng.standard_normal((3, 5, 33)) * 3).astype(dtype)
    found, expected = compute("RMSNormalization", {"x": x, "s": draw(rng, (33,), dtype)}, opset=23)
    compare(found, expected)


@pytest.mark.parametrize("opset", [18, 21])
def test_group_normalization(opset: int) -> None:
    rng = np.random.default_rng(10)
    x = rng.standard_normal((2, 6, 3, 5)).astype(np.float32)
    scale, bias = (draw(rng, (3 if opset == 18 else 6,), "float32") for _ in range(2))
    found, _ = compute("GroupNormalization", {"x": x, "s": scale, "b": bias}, opset=opset, expected=[x], num_groups=3)
    groups = x.reshape(2, 3, -1)
    normal = (groups - groups.mean(2, keepdims=True)) / np.sqrt(groups.var(2, keepdims=True) + 1e-5)
    scale, bias = (np.repeat(vector, 6 // len(vector))[:, None, None] for vector in (scale, bias))
    compare(found, [normal.reshape(x.shape) * scale + bias])


def test_instance_and_mean_variance_normalization() -> None:
    rng = np.random.default_rng(11)
    x = rng.standard_normal((2, 6, 3, 5)).astype(np.float32)
    parameters = {name: draw(rng, (6,), "float32") for name in ("s", "b")}
    compare(*compute("InstanceNormalization", {"x": x, **parameters}, runtime=True))
    compare(*compute("MeanVarianceNormalization", {"x": x}, axes=[0, 3], runtime=True))


@pytest.mark.parametrize("p", [1, 2])
def test_lp_normalization(p: int) -> None:
    x = np.random.default_rng(12).standard_normal((3, 4, 5)).astype(np.float32)
    x[:, 1] = 0
    found, _ = compute("LpNormalization", {"x": x}, axis=-1, p=p, expected=[x])
    norm = np.linalg.norm(x, ord=p, axis=-1, keepdims=True)
    compare(found, [np.divide(x, norm, out=np.zeros_like(x), where=norm != 0)])


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(3, 4), (4, 5)]),
        ("bij,bjk", [(2, 3, 4), (2, 4, 5)]),
        ("...ij,...jk->...ik", [(2, 1, 3, 4), (5, 4, 2)]),
        ("ii->i", [(4, 4)]),
        ("iji", [(3, 2, 3)]),
        ("i,j,k->kij", [(2,), (3,), (4,)]),
        ("ab,bc,cd->ad", [(2, 3), (3, 4), (4, 5)]),
        ("...a,a->...", [(2, 3, 4), (4,)]),
        ("bhqd,bhkd->bhqk", [(2, 3, 4, 8), (2, 3, 5, 8)]),
        ("ij->", [(3, 4)]),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "int32", "float16"])
def test_einsum(equation: str, shapes: list[tuple[int, ...]], dtype: str) -> None:
    rng = np.random.default_rng(13)
    inputs = {f"x{index}": draw(rng, shape, dtype) for index, shape in enumerate(shapes)}
    exact = np.einsum(equation, *(array.astype(np.float64) for array in inputs.values()))
    expected = [np.asarray(exact).astype(dtype)]
    compare(*compute("Einsum", inputs, equation=equation, expected=expected))


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_det(size: int) -> None:
    x = np.random.default_rng(size).standard_normal((2, 3, size, size)).astype(np.float32)
    x[0, 0, :, 0] = 0
    found, expected = compute("Det", {"x": x})
    compare(found, expected)


@pytest.mark.parametrize("onesided", [0, 1])
@pytest.mark.parametrize("length", [None, 5, 12])
def test_dft(length: int | None, onesided: int) -> None:
    x = np.random.default_rng(14).standard_normal((2, 8, 3, 1)).astype(np.float32)
    constants = {} if length is None else {"n": np.array(length)}
    order = ["x", "n" if constants else "", "axis"]
    found, expected = compute("DFT", {"x": x}, {**constants, "axis": np.array(-3)}, order=order, onesided=onesided)
    compare(found, expected)
    inverse, expected = compute(
        "DFT", {"x": expected[0]}, {"axis": np.array(1)}, order=["x", "", "axis"], inverse=1, onesided=onesided
    )
    compare(inverse, expected)


def test_stft() -> None:
    rng = np.random.default_rng(15)
    signal = rng.standard_normal((2, 50, 1)).astype(np.float32)
    window = np.hanning(8).astype(np.float32)
    compare(*compute("STFT", {"x": signal, "w": window}, {"step": np.array(4)}, order=["x", "step", "w"], runtime=True))


@pytest.mark.parametrize("name", ["HannWindow", "HammingWindow", "BlackmanWindow"])
def test_windows(name: str) -> None:
    model = node_model(name, {"n": np.array(9)}, {})
    with pytest.raises(acc.AccError, match=r"constant|value"):
        acc.compile(model)
    executable = acc.compile(model, values={"n": np.array(9)})
    assert executable.run({})["y0"].shape == (9,)


@pytest.mark.parametrize("training", [0, 1])
def test_batch_normalization(training: int) -> None:
    rng = np.random.default_rng(16)
    inputs = {"x": rng.standard_normal((4, 3, 5)).astype(np.float32)}
    inputs |= {name: draw(rng, (3,), "float32") for name in ("scale", "bias", "mean", "var")}
    outputs = 3 if training else 1
    compare(*compute("BatchNormalization", inputs, outputs=outputs, training_mode=training, momentum=0.8))
