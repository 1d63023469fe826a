"""Activations as steps of the vector unit: taken only where they are the table, and then the same bits everywhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest

import acc
from acc import ir
from acc.targets.vta import Vta, VtaOptions
from acc.targets.vta.activations import Activation, find_activation
from qdq_models import QdqModel
from qdq_zoo import random_config
from test_quantized_zoo import feeds

Function = Callable[[np.ndarray], np.ndarray]


def leaky(slope: float) -> Function:
    return lambda x: np.where(x < 0, np.float32(slope) * x, x)


def hard_sigmoid(x: np.ndarray) -> np.ndarray:
    return np.clip(np.float32(1 / 6) * x + np.float32(0.5), 0, 1)


FUNCTIONS: dict[str, Function] = {
    "leaky 0.1": leaky(0.1),
    "leaky 0.01": leaky(0.01),
    "slope above one": leaky(1.7),
    "negative slope": leaky(-0.3),
    "abs": np.abs,
    "hard sigmoid": hard_sigmoid,
    "hard swish": lambda x: x * hard_sigmoid(x),
}


def draw(rng: np.random.Generator, function: Function) -> tuple[np.ndarray, float, int]:
    """A table over random scales that use most of the range, with the scale and the zero point of its input."""
    scale, zero_point = float(np.float32(np.exp(rng.uniform(-4.6, -1.6)))), int(rng.integers(-128, 128))
    y = function(((np.arange(-128, 128) - zero_point) * np.float32(scale)).astype(np.float32))
    step = np.float32((y.max() - y.min()) * rng.uniform(0.6, 1.1) / 255)
    shift = int(np.clip(round(-128 - float(y.min() / step)), -128, 127))
    return np.clip(np.rint(y / step) + shift, -128, 127).astype(np.int8), scale, zero_point


def find(table: np.ndarray, scale: float | None = None, zero_point: int | None = None) -> Activation | None:
    """What is found for a graph.lookup with that table, of one row or one for each channel."""
    rows = table.reshape(-1, 256)
    said = "" if scale is None else f"{{input_scale = {scale!r} : f64, input_zero_point = {zero_point} : i32}} "
    kind = f"tensor<{len(rows)}x256xi8>"
    image = f"tensor<1x{max(len(rows), 2)}x2x2xi8>"
    text = (
        f"func.func @f(%x: {image}) -> {image} {{\n"
        f'%t = graph.constant dense<"0x{rows.tobytes().hex()}"> : {kind} : {kind}\n'
        f"%y = graph.lookup %x, %t {said}: ({image}, {kind}) -> {image}\n return %y : {image} }}"
    )
    with ir.Context():
        module = ir.Module.parse(text)
        (function,) = module.body
        return find_activation(next(op for op in function.regions[0].blocks[0] if op.name == "graph.lookup"))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nearly_all_scales_have_steps(name: str) -> None:
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(12):
        table, scale, zero_point = draw(rng, FUNCTIONS[name])
        steps = find(table, scale, zero_point)
        if steps is not None:
            np.testing.assert_array_equal(steps.evaluate()[0], table)
            found += 1
    assert found >= 11


def test_what_is_no_line_has_none() -> None:
    rng = np.random.default_rng(6)
    for function in (np.tanh, lambda x: x / (1 + np.exp(-x)), np.sin):
        assert find(*draw(rng, function)) is None
    assert find(np.random.default_rng(7).integers(-128, 128, 256).astype(np.int8)) is None
    # Of halves, which go to even, every other one goes up.
    assert find(np.rint(np.arange(-128, 128) / 2).astype(np.int8)) is None
    constant = find(np.full(256, 3, np.int8))
    assert constant is not None and (constant.evaluate() == 3).all()


def test_slopes_of_channels() -> None:
    rng = np.random.default_rng(8)
    x = (np.arange(-128, 128) + 20) * np.float32(0.05)
    rows = [np.clip(np.rint(leaky(slope)(x) / np.float32(0.047)) - 30, -128, 127) for slope in rng.uniform(0, 0.9, 7)]
    table = np.array(rows).astype(np.int8)
    steps = find(table, 0.05, -20)
    assert steps is not None
    np.testing.assert_array_equal(steps.evaluate(), table)


def network(seed: int) -> onnx.ModelProto:
    """Activations behind convolutions and between them, of odd numbers of channels, on images and matrices."""
    rng = np.random.default_rng(seed)
    net = QdqModel(rng, signed=bool(seed % 2))
    x = net.input((1, 3, 9, 10))
    x = net.function(net.conv(x, 17), "LeakyRelu", alpha=0.1)
    x = net.conv(x, 7, per_channel=True)
    x = net.function(x, "PRelu", rng.uniform(0.05, 0.6, (7, 1, 1)).astype(np.float32))
    y = net.function(net.conv(net.function(net.conv(x, 7), "HardSwish"), 7), "HardSigmoid")
    x = net.add(y, net.function(net.conv(x, 7), "Abs"))
    x = net.flatten(net.global_average_pool(net.conv(x, 20)))
    return net.build(net.function(net.gemm(x, 21), "LeakyRelu", alpha=0.3))


@pytest.mark.parametrize("seed", range(2))
def test_the_same_bits_without_a_look_up_between(seed: int) -> None:
    model = network(seed)
    x = feeds(model, seed)
    (native,) = acc.compile(model).run(x).values()
    for config in (None, random_config(seed)):
        with acc.compile(model, Vta(VtaOptions(config))) as exe:
            (result,) = exe.run(x).values()
            np.testing.assert_array_equal(result, native)
            layers = exe.report()
        tables = [layer for layer in layers if any("relu" in name or "hard" in name for name in layer.layers)]
        assert tables
        assert all(layer.target == "vta" for layer in tables), [layer.reason for layer in tables]
    assert not any("256 entries" in layer.reason for layer in layers)
    # What alone reads a convolution continues its kernel.
    assert any("conv" in layer.layers[0] and "leakyrelu" in "".join(layer.layers) for layer in tables)


def test_channels_joined_in_place_are_an_input_of_steps() -> None:
    """An activation behind channels that lie side by side is computed where they lie, as any other kernel."""
    net = QdqModel(np.random.default_rng(11))
    x = net.input((1, 16, 6, 5))
    y = net.concat([net.conv(x, 17), net.conv(x, 5)])
    model = net.build(net.conv(net.function(y, "LeakyRelu", alpha=0.1), 8))
    values = feeds(model, 11)
    (native,) = acc.compile(model).run(values).values()
    with acc.compile(model, "vta") as exe:
        np.testing.assert_array_equal(next(iter(exe.run(values).values())), native)
        layer = next(layer for layer in exe.report() if "leakyrelu" in "".join(layer.layers))
    assert layer.target == "vta", layer.reason


def test_the_user_says_how_long_they_may_take() -> None:
    """What takes longer is looked up by the host, in the layout of the accelerator; the results are the same."""
    model = network(0)
    x = feeds(model, 0)
    (native,) = acc.compile(model).run(x).values()
    on_host: dict[int, set[str]] = {}
    for cycles in (0, 8, 100):
        with acc.compile(model, "vta", activation_cycles=cycles) as exe:
            np.testing.assert_array_equal(next(iter(exe.run(x).values())), native)
            layers = [layer for layer in exe.report() if f"'activation_cycles' allows {cycles}" in layer.reason]
        on_host[cycles] = {name.rstrip("0123456789_") for layer in layers for name in layer.layers}
    assert {"leakyrelu", "prelu", "hardswish", "hardsigmoid", "abs"} <= on_host[0]
    assert {"leakyrelu", "abs"} <= on_host[8] and "hardsigmoid" not in on_host[8]
    assert not on_host[100]
    for wrong in (-1, "many"):
        with pytest.raises(acc.CompileError, match="activation_cycles is"):
            acc.compile(model, "vta", activation_cycles=wrong)


def test_a_look_up_that_reads_an_input_stays_native() -> None:
    net = QdqModel(np.random.default_rng(3))
    model = net.build(net.conv(net.function(net.input((1, 16, 4, 4)), "LeakyRelu", alpha=0.1), 16))
    with acc.compile(model, "vta") as exe:
        layer = next(layer for layer in exe.report() if "leakyrelu" in "".join(layer.layers))
        assert layer.target == "cpu"


def test_the_public_dialect_has_no_products() -> None:
    net = QdqModel(np.random.default_rng(4), powers_of_two=True)
    model = net.build(net.function(net.conv(net.input((1, 16, 4, 4)), 16), "LeakyRelu", alpha=0.25))
    with acc.compile(model, "vta", vta_dialect="public") as exe:
        layer = next(layer for layer in exe.report() if "leakyrelu" in "".join(layer.layers))
        assert layer.target == "cpu" and "multiplication" in layer.reason
