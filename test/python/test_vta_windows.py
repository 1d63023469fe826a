"""Depthwise convolutions by products of windows: bit-equal to native code, and as few steps as they should take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import acc
from acc.targets.vta.profile import profile
from channel_networks import channel_network
from qdq_models import QdqModel
from test_quantized_zoo import check, feeds

EXTENSIONS = {"ALU_REQUANTIZE": 1, "GEMM_SET": 1}
BUFFERS = {"LOG_INP_BUFF_SIZE": 13, "LOG_WGT_BUFF_SIZE": 14, "LOG_ACC_BUFF_SIZE": 14}
TINY = {"LOG_INP_BUFF_SIZE": 9, "LOG_WGT_BUFF_SIZE": 10, "LOG_ACC_BUFF_SIZE": 11, "LOG_UOP_BUFF_SIZE": 6}
CONFIGS = [
    {"GEMM_WINDOW": 3, **EXTENSIONS},
    {"GEMM_WINDOW": 3, "LOG_BLOCK": 3, **BUFFERS},
    {"GEMM_WINDOW": 4, "LOG_BLOCK": 2, **TINY},
    {"GEMM_WINDOW": 5, "LOG_BLOCK": 3, "GEMM_SET": 1, **BUFFERS},
    {"GEMM_WINDOW": 8, "LOG_BLOCK": 3, "LOG_BATCH": 1, **BUFFERS},
    {"GEMM_WINDOW": 2, "LOG_BLOCK": 2, **TINY},
]
KERNELS = [(3, 3), (5, 5), (1, 3), (3, 1), (2, 4), (7, 2), (3, 7)]


def draw(seed: int) -> onnx.ModelProto:
    """Depthwise convolutions of any form, one after the other, and what reads and writes them."""
    rng = np.random.default_rng(seed)
    net = QdqModel(rng, signed=bool(seed % 2))
    channels = int(rng.choice([1, 3, 7, 8, 17, 33]))
    x = net.input((int(rng.integers(1, 3)), channels, int(rng.integers(5, 15)), int(rng.integers(3, 18))))
    if seed % 3 == 0:
        x = net.conv(x, channels, (1, 1), pads=(0, 0, 0, 0), activation="relu")
    for _ in range(3):
        kernel = KERNELS[int(rng.integers(len(KERNELS)))]
        pads = [int(rng.integers(0, kernel[axis % 2])) for axis in range(4)]
        dilations = (int(rng.integers(1, 3)), 1)
        extents = [
            x.shape[2 + axis] + pads[axis] + pads[axis + 2] - (kernel[axis] - 1) * dilations[axis] for axis in (0, 1)
        ]
        if min(extents) < 1:
            continue
        x = net.conv(
            x,
            channels,
            kernel,
            strides=(int(rng.integers(1, 3)), int(rng.integers(1, 4))),
            pads=(pads[0], pads[1], pads[2], pads[3]),
            dilations=dilations,
            group=channels,
            per_channel=bool(rng.integers(2)),
            activation=str(rng.choice(["", "relu", "clip"])),
        )
    if seed % 2:
        x = net.conv(x, int(rng.choice([5, 16])), (1, 1), pads=(0, 0, 0, 0))
    return net.build(x)


@pytest.mark.parametrize("seed", range(12))
def test_random_networks(seed: int, tmp_path: Path) -> None:
    check(draw(seed), CONFIGS[seed % len(CONFIGS)], tmp_path, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 200))
def test_random_networks_long(seed: int, tmp_path: Path) -> None:
    check(draw(seed), CONFIGS[seed % len(CONFIGS)], tmp_path, seed)


def test_devices_agree(tmp_path: Path) -> None:
    """fsim, csim and the circuit: the same results, and the latter two in the same cycles."""
    model = draw(2)
    inputs = feeds(model, 2)
    acc.compile(model, target="vta", config=CONFIGS[2]).save(tmp_path / "model.so")
    results = []
    for name in ("fsim", "csim", "tsim"):
        with acc.load(tmp_path / "model.so", device=name) as executable:
            results.append(executable.run(inputs))
    for other in results[1:]:
        for output, expected in results[0].items():
            np.testing.assert_array_equal(other[output], expected)
    measured = [profile(tmp_path / "model.so", device=name, inputs=inputs).cycles for name in ("csim", "tsim")]
    assert measured[0] == measured[1]


@pytest.mark.parametrize(
    ("window", "kernel", "stride", "steps"),
    # Steps for each row of 14 results, by GEMM where windows are no gain.
    [
        (3, (3, 3), 1, 3 * 14),
        (3, (5, 5), 1, 10 * 14),
        (5, (5, 5), 1, 5 * 14),
        (3, (3, 3), 4, 9 * 14),
        (3, (3, 1), 1, 42),
    ],
)
def test_steps(window: int, kernel: tuple[int, int], stride: int, steps: int, tmp_path: Path) -> None:
    """What the micro-ops of a layer are; an input that a window moves on by takes a cycle, but is no step."""
    net = QdqModel(np.random.default_rng(0))
    width = 13 * stride + kernel[1]
    x = net.conv(net.input((1, 16, 3 + kernel[0], width)), 16, kernel, strides=(1, stride), pads=(0, 0, 0, 0), group=16)
    layers = check(net.build(x), {"GEMM_WINDOW": window, **EXTENSIONS}, tmp_path)
    assert sum(layer.gemm_steps for layer in layers) == 4 * steps


def test_overlapping_average_pools(tmp_path: Path) -> None:
    net = QdqModel(np.random.default_rng(3))
    x = net.input((1, 20, 9, 12))
    value = net._node("AveragePool", [net.dequantize(x)], kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    model = net.build(net._quantize(value, x.shape, net.scale(x.scale / 2), 0))
    steps = [
        sum(layer.gemm_steps for layer in check(model, {**EXTENSIONS, **keys}, tmp_path))
        for keys in ({}, {"GEMM_WINDOW": 3})
    ]
    assert steps[0] - steps[1] == (9 - 3) * 2 * 9 * 12


def test_narrow_weights(tmp_path: Path) -> None:
    net = QdqModel(np.random.default_rng(5))
    net.weight_bits = 4
    x = net.conv(net.input((1, 24, 9, 9)), 24, (5, 3), pads=(1, 2, 0, 1), group=24, activation="relu")
    model = net.build(net.conv(x, 24, (3, 3), strides=(2, 2), group=24))
    layers = check(model, {"GEMM_WINDOW": 3, "GEMM_SET": 1, "LOG_WGT_WIDTH": 2, **BUFFERS}, tmp_path)
    assert all(layer.target == "vta" for layer in layers if layer.macs)


@pytest.mark.parametrize("seed", range(3))
def test_channels_that_move(seed: int, tmp_path: Path) -> None:
    """Lanes in any order stay where they are."""
    check(channel_network(seed), {"GEMM_WINDOW": 3, "LOG_BLOCK": 2 + seed, **BUFFERS}, tmp_path, seed)


def test_public_programs_have_none(tmp_path: Path) -> None:
    net = QdqModel(np.random.default_rng(4))
    model = net.build(net.conv(net.input((1, 16, 6, 6)), 16, group=16))
    check(model, {"GEMM_WINDOW": 3}, tmp_path, vta_dialect="public")
