"""Rounding weights: what layers meet, dampings, integers and scales that are moved, and layers that keep 8 bits."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

import acc
from acc.apart import compile_apart
from acc.errors import ModelError, NeedsShape
from acc.quantization.methods.gptq import choose_damping, damped, output_error, round_columns, scaled_best
from acc.quantization.methods.refine import move_integers, move_scales
from acc.quantization.placement import Layer, Role
from acc.quantization.products import Products, windows
from acc.quantization.weights import QuantizedWeight, WeightForm, quantize_rows
from float_networks import FloatNetwork, convolutional, images


def layer_of(op_type: str, **attributes: Any) -> Layer:
    node = helper.make_node(op_type, ["x", "w"], ["y"], name="layer", **attributes)
    return Layer(node, Role.ANCHOR, ("x",), "y", weight="w")


def run(layer: Layer, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    tensors = [helper.make_tensor_value_info(name, 1, None) for name in "xwy"]
    graph = helper.make_graph([layer.node], "layer", tensors[:2], tensors[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x, "w": weight})[0])


LAYERS = [
    ("Conv", (6, 2, 3, 3), {"group": 2, "strides": [2, 1], "pads": [1, 0, 0, 2], "dilations": [1, 2]}),
    ("Conv", (5, 4, 3, 2), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    ("Conv", (5, 4, 3), {"pads": [1, 1]}),
    ("ConvTranspose", (4, 5, 3, 2), {"strides": [2, 3], "pads": [1, 0, 2, 1]}),
    ("ConvTranspose", (4, 3, 3, 3), {"group": 2, "dilations": [2, 1], "strides": [1, 2]}),
    ("MatMul", (4, 7), {}),
    ("Gemm", (7, 4), {"transB": 1}),
    ("Gemm", (4, 7), {"transA": 1}),
]


@pytest.mark.parametrize(("op_type", "shape", "attributes"), LAYERS)
def test_outputs_are_rows_of_weights_times_what_they_meet(op_type: str, shape: tuple, attributes: dict) -> None:
    """All of the outputs are found among the products, in any order: the sum of their squares is the same."""
    random, layer = np.random.default_rng(4), layer_of(op_type, **attributes)
    rank = len(shape) - 2
    size = (2, 4, *(8, 7)[:rank]) if rank else ((4, 5) if attributes.get("transA") else (5, 4))
    x, weight = random.normal(size=size).astype(np.float32), random.normal(size=shape).astype(np.float32)
    form = WeightForm.of(layer.node, shape)
    met = windows(layer, form, x, 1 << 20)
    rows = form.rows(weight).reshape(len(met), -1, met.shape[2])
    sums = np.matmul(rows, met.transpose(0, 2, 1))
    exact = run(layer, x, weight)
    assert sums.size == exact.size
    np.testing.assert_allclose(np.sort(sums, axis=None), np.sort(exact, axis=None), rtol=1e-4, atol=1e-4)
    some = windows(layer, form, x, 3)
    assert some.shape[1] <= 3 * (attributes.get("group", 1) if op_type == "ConvTranspose" else 1)


def correlated(columns: int, rows: int, seed: int = 0) -> np.ndarray:
    """Rows x (1, rows, columns) that go together."""
    random = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(columns // 4, columns))
    return (random.normal(size=(1, rows, columns // 4)) @ mix + 0.3 * random.normal(size=(1, rows, columns))).astype(
        np.float32
    )


def products_of(first: np.ndarray, second: np.ndarray | None = None) -> Products:
    products = Products()
    products.add(0, first)
    if second is not None:
        products.add(1, second)
    products.finish()
    return products


def rounded(rows: int, columns: int, block: int = 0) -> tuple[np.ndarray, QuantizedWeight]:
    weight = np.random.default_rng(1).normal(size=(columns, rows)).astype(np.float32)
    found = quantize_rows(layer_of("MatMul"), weight, None, bits=4, block=block, per_channel=True)
    return found.form.rows(weight), found


@pytest.mark.parametrize("block", [0, 16])
def test_every_step_lessens_the_error_of_outputs(block: int) -> None:
    rows, weight = rounded(24, 64, block)
    x = correlated(64, 400)
    products = products_of(x[:, :200], x[:, 200:])
    mean = products.of_all
    assert mean is not None
    np.testing.assert_allclose(mean, np.matmul(x.transpose(0, 2, 1), x) / 400, rtol=1e-3, atol=1e-3)
    matrices = damped(mean, 0.01)
    errors = [output_error(rows, weight, matrices)]
    weight.values = round_columns(rows, weight, matrices)
    errors.append(output_error(rows, weight, matrices))
    if not block:
        scaled_best(rows, weight, matrices)
        errors.append(output_error(rows, weight, matrices))
    weight.values = move_integers(rows, weight, matrices)
    errors.append(output_error(rows, weight, matrices))
    weight.scales = move_scales(rows, weight, matrices)
    errors.append(output_error(rows, weight, matrices))
    assert errors[1] < 0.6 * errors[0]
    assert all(after <= before * 1.001 for before, after in itertools.pairwise(errors)), errors
    assert errors[-1] < 0.98 * errors[1], errors
    assert np.abs(weight.values).max() <= 8 and weight.scales.dtype == np.float32


def test_damping_is_chosen_by_samples_that_were_not_rounded_for() -> None:
    rows, weight = rounded(16, 64)
    x = correlated(64, 4000)
    assert choose_damping(rows, weight, products_of(x[:, :2000], x[:, 2000:])) == 0.01
    # A dozen rows say nothing of most directions.
    few = choose_damping(rows, weight, products_of(x[:, :12], x[:, 2000:]))
    assert few is not None and few > 0.01
    # What was seen is the opposite of what comes: to nearest is the best.
    seen = np.zeros((1, 64, 64), np.float32)
    seen[0, :, :2] = 1.0
    other = np.random.default_rng(3).normal(size=(1, 500, 64)).astype(np.float32)
    other[:, :, 1] = -other[:, :, 0]
    chosen = choose_damping(rows, weight, products_of(seen, other))
    assert chosen is None or chosen >= 0.07
    assert 0.02 <= (choose_damping(rows, weight, products_of(x[:, :12])) or 0) <= 0.5


def test_columns_that_were_never_met_are_rounded_to_nearest() -> None:
    rows, weight = rounded(8, 32)
    nearest = weight.values.copy()
    for products in (np.zeros((1, 32, 32), np.float32), np.full((1, 32, 32), np.nan, np.float32)):
        np.testing.assert_array_equal(round_columns(rows, weight, damped(products, 0.01)), nearest)


def square_error(exact: acc.Executable, quantized: onnx.ModelProto, x: np.ndarray) -> float:
    """Of the outputs for all of x, in sum."""
    other = acc.compile(quantized)
    pairs = [[next(iter(model.run({"x": one[None]}).values())) for model in (exact, other)] for one in x]
    return sum(float(np.square(a - b).sum()) for a, b in pairs)


def mixed_sizes() -> onnx.ModelProto:
    """A small first layer, through which everything goes, a large one, and a small last one."""
    net = FloatNetwork((1, 2, 8, 8))
    x = net.add("Relu", [net.conv("x", 2, 32)])
    x = net.add("Relu", [net.conv(x, 32, 32)])
    x = net.add("Relu", [net.conv(x, 32, 32)])
    return net.build(net.conv(x, 32, 3, kernel=1))


def test_small_layers_keep_eight_bits() -> None:
    model, data = mixed_sizes(), {"x": images(16, (2, 8, 8))}
    x = images(8, (2, 8, 8), seed=9)
    exact, errors = acc.compile(model), []
    for share in (0.0, None, 1.0):
        result = acc.quantize(model, data, weights="int4", wide_share=share)
        bits = [layer.weight_bits for layer in result.layers if layer.weight_bits]
        total = sum(layer.weight.size for layer in result.layers if layer.weight is not None)
        wide = sum(layer.weight.size for layer in result.layers if layer.weight is not None and layer.weight_bits == 8)
        assert wide <= total * (0.125 if share is None else share), bits
        errors.append(square_error(exact, result.model, x))
        if share is None:
            assert bits.count(8) >= 1 and bits.count(4) >= 2, bits
    assert errors[2] <= errors[1] < errors[0], errors


def test_interrupted_rounding_goes_on_to_the_same_bytes(tmp_path) -> None:
    model, data = mixed_sizes(), {"x": images(8, (2, 8, 8))}
    whole = acc.quantize(model, data, weights="int4").model.SerializeToString(deterministic=True)
    for stage in ("rounding weights", "measuring weights"):
        left = 3

        def stop(name: str, done: int, total: int | None, stage: str = stage) -> None:
            nonlocal left
            left -= name == stage
            if not left:
                raise KeyboardInterrupt

        place = tmp_path / "state"
        with pytest.raises(KeyboardInterrupt):
            acc.quantize(model, data, weights="int4", state=place, progress=stop)
        again = acc.quantize(model, data, weights="int4", state=place)
        assert again.model.SerializeToString(deterministic=True) == whole and not place.exists()


def test_transposed_convolutions_are_rounded_too() -> None:
    net = FloatNetwork((1, 8, 6, 6))
    weight = net.constant(np.random.default_rng(2).normal(0, 0.2, (8, 6, 3, 3)).astype(np.float32))
    model = net.build(net.add("ConvTranspose", ["x", weight], strides=[2, 2], pads=[1, 1, 0, 0]))
    mix = np.random.default_rng(8).normal(0, 1, (8, 2))
    x = np.einsum("ck,nkhw->nchw", mix, images(32, (2, 6, 6), seed=3)).astype(np.float32)
    exact, errors = acc.compile(model), []
    for rounding in ("nearest", "gptq"):
        result = acc.quantize(model, {"x": x}, weights="int4", round_weights=rounding, wide_share=0)
        errors.append(square_error(exact, result.model, x))
    assert errors[1] < 0.7 * errors[0], errors


def test_compiling_apart_makes_the_same_and_says_the_same() -> None:
    model, x = convolutional(), images(1)
    apart, here = (compiled.run({"x": x}) for compiled in (compile_apart(model), acc.compile(model)))
    for name, array in here.items():
        np.testing.assert_array_equal(apart[name], array)
    open_model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Reshape", ["x", "shape"], ["y"]), helper.make_node("NonZero", ["y"], ["z"])],
            "open",
            [helper.make_tensor_value_info("x", 1, ["n", 3])],
            [helper.make_tensor_value_info("z", 7, [2, None])],
            [numpy_helper.from_array(np.array([-1, 3]), "shape")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
    )
    messages = []
    for compiling in (acc.compile, compile_apart):
        try:
            compiling(open_model)
        except (ModelError, NeedsShape) as error:
            messages.append((type(error), str(error)))
        else:
            messages.append((None, ""))
    assert messages[0] == messages[1]


def test_quantizing_alone_needs_no_compiler_in_memory() -> None:
    """Nor does running compiled models."""
    program = "import sys, acc; from acc.quantization import quantize; from acc.executable import Executable; "
    found = subprocess.run(
        [sys.executable, "-c", program + "print([n for n in sys.modules if n in ('acc._mlir', 'acc.compiler')])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "[]", found.stdout
