"""Images that move over space between kernels of the accelerator: bit-equal to native code, by addresses alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import acc
from acc.report import LayerReport
from moving_models import MovingModel, random_moves
from qdq_models import Quantized
from test_quantized_zoo import check, check_against_onnx_runtime, legal_configs

BUFFERS = {"LOG_INP_BUFF_SIZE": 13, "LOG_WGT_BUFF_SIZE": 15, "LOG_ACC_BUFF_SIZE": 15}
CONFIGS: dict[str, dict[str, int]] = {
    "published": {},
    "small": {"LOG_BLOCK": 2, "LOG_INP_BUFF_SIZE": 9, "LOG_WGT_BUFF_SIZE": 10, "LOG_ACC_BUFF_SIZE": 11},
    "batch": {"LOG_BATCH": 1, "LOG_BLOCK": 3, **BUFFERS},
    "wide": {"LOG_BLOCK": 5, **BUFFERS},
    "narrow in": {"LOG_BLOCK_IN": 3, "LOG_BLOCK_OUT": 4, **BUFFERS},
}


def native_inside(layers: list[LayerReport]) -> list[str]:
    """Native kernels between the first and the last kernel of the accelerator."""
    used = [index for index, layer in enumerate(layers) if layer.target == "vta"]
    return [layer.name for layer in layers[used[0] : used[-1]] if layer.target != "vta"]


@pytest.mark.parametrize("seed", range(3))
def test_random_movements(seed: int, tmp_path: Path) -> None:
    """Any sizes, on the published hardware and on another."""
    print("seed", seed)
    model = random_moves(seed)
    for config in ({}, next(legal_configs(seed))):
        check(model, config, tmp_path, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3, 120))
def test_more_random_movements(seed: int, tmp_path: Path) -> None:
    test_random_movements(seed, tmp_path)


@pytest.mark.parametrize("seed", range(2))
def test_random_movements_against_onnx_runtime(seed: int) -> None:
    check_against_onnx_runtime(seed, random_moves)


Move = Callable[[MovingModel, Quantized], Quantized]

MOVES: dict[str, Move] = {
    "pad": lambda net, x: net.pad(x, (1, 2, 0, 3)),
    "pad with a number": lambda net, x: net.pad(x, (1, 0, 0, 1), 0.3),
    "pad and crop": lambda net, x: net.pad(x, (-1, 2, 1, -2)),
    "edge": lambda net, x: net.pad(x, (1, 1, 2, 0), mode="edge"),
    "reflect": lambda net, x: net.pad(x, (2, 1, 0, 1), mode="reflect"),
    "slice": lambda net, x: net.slice(x, (1, 0), (5, 4), (1, 1)),
    "strided slice": lambda net, x: net.slice(x, (1, 0), (6, 5), (2, 3)),
    "split rows": lambda net, x: net.join([net.point(part) for part in net.split(x, 2, (2, 4))], 2),
    "join columns": lambda net, x: net.join([x, net.point(x), x], 3),
    "nearest": lambda net, x: net.resize(x, (2, 2)),
    "nearest, many times": lambda net, x: net.resize(x, (3, 4), coordinates="half_pixel", nearest="round_prefer_floor"),
    "linear": lambda net, x: net.resize(x, (2, 2), "linear", "half_pixel"),
    "linear, other scale": lambda net, x: net.resize(x, (2, 3), "linear", "half_pixel", scale=x.scale * 0.77),
    "linear, asymmetric": lambda net, x: net.resize(x, (2, 1), "linear", "asymmetric"),
    "transposed convolution": lambda net, x: net.conv_transpose(x, 7),
    "transposed, overlapping": lambda net, x: net.conv_transpose(x, 17, (4, 3), (2, 2), (1, 1, 1, 1), (0, 1)),
    "transposed, with gaps": lambda net, x: net.conv_transpose(x, 3, (1, 2), (2, 3), activation="relu"),
    "transposed, cropped": lambda net, x: net.conv_transpose(x, 16, (2, 2), (2, 2), (1, 1, 0, 1)),
    "transposed, in groups": lambda net, x: net.conv_transpose(x, x.shape[1], (3, 3), (2, 2), group=x.shape[1]),
    "depth to space": lambda net, x: net.depth_to_space(net.point(x, 4 * x.shape[1]), 2, "DCR"),
    "pixel shuffle": lambda net, x: net.depth_to_space(net.point(x, 4 * x.shape[1]), 2, "CRD"),
}


@pytest.mark.parametrize("name", MOVES)
def test_nothing_is_native(name: str, tmp_path: Path) -> None:
    """Between a convolution and two readers that pad with different numbers."""
    net = MovingModel(np.random.default_rng(list(MOVES).index(name)))
    x = MOVES[name](net, net.conv(net.input((1, 17, 6, 5)), 17, activation="relu"))
    y = net.conv(x, x.shape[1], activation="relu")
    layers = check(net.build(net.add(net.point(y), net.max_pool(x, 3, 1, 1))), {}, tmp_path)
    assert native_inside(layers) == []


@pytest.mark.parametrize(("config", "channels"), [*zip(CONFIGS, (1, 3, 17, 32, 9), strict=True)])
def test_movements_in_a_row(config: str, channels: int, tmp_path: Path) -> None:
    """Some tensors in the middle are outputs too."""
    net = MovingModel(np.random.default_rng(channels))
    x = net.conv(net.input((3, channels, 5, 4)), channels)
    x = net.pad(net.resize(net.slice(x, (0, 1), (5, 4), (2, 1)), (2, 2)), (1, 0, 1, 2))
    x = net.join([x, net.pad(x, (0, -1, 0, 1))], 2)
    check(net.build(net.conv(x, channels), x), CONFIGS[config], tmp_path)


def test_a_transposed_convolution_takes_no_more_products(tmp_path: Path) -> None:
    """Of 3 x 3 taps with stride 2, phases have 1, 2, 2 and 4."""
    net = MovingModel(np.random.default_rng(0))
    x = net.conv_transpose(net.conv(net.input((1, 16, 8, 8)), 16), 16, (3, 3), (2, 2), (1, 1, 1, 1), (1, 1))
    layers = check(net.build(net.point(x)), {}, tmp_path)
    steps = sum(layer.gemm_steps for layer in layers if any("convtranspose" in name for name in layer.layers))
    assert 9 * 64 <= steps < (9 + 4 * 3) * 64


def test_padding_becomes_that_of_its_readers() -> None:
    net = MovingModel(np.random.default_rng(1))
    x = net.conv(net.input((1, 8, 6, 6)), 8, activation="relu")
    y = net.conv(net.pad(x, (1, 1, 1, 1)), 8, pads=(0, 0, 0, 0))
    z = net.max_pool(net.pad(x, (1, 1, 1, 1), float("-inf")), 3, 1, 0)
    with acc.compile(net.build(net.add(y, z)), target="vta") as executable:
        assert not any("pad" in name for layer in executable.report() for name in layer.name.lower().split(" + ")[:1])


def test_the_public_dialect_copies_nothing(tmp_path: Path) -> None:
    """It loads no int8 into accumulators; what a convolution computes goes to its place all the same."""
    net = MovingModel(np.random.default_rng(2), powers_of_two=True)
    x = net.conv_transpose(net.conv(net.input((1, 16, 4, 4)), 16), 16)
    model = net.build(net.conv(net.pad(x, (1, 1, 1, 1), 0.5), 16))
    executable = acc.compile(model, target="vta", vta_dialect="public")
    reasons = {layer.name: layer.reason for layer in executable.report()}
    assert any("load int8 into accumulators" in reason for reason in reasons.values())
    assert not any(layer.reason for layer in executable.report() if "convtranspose" in layer.name)
    inputs = {net.graph_inputs[0].name: np.random.default_rng(3).normal(0, 1, (1, 16, 4, 4)).astype(np.float32)}
    for name, value in acc.compile(model).run(inputs).items():
        np.testing.assert_array_equal(executable.run(inputs)[name], value)
