"""Channels that are joined, split and shuffled on the accelerator: no kernels, and the same bits as native code."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import acc
from acc.report import LayerReport
from channel_networks import ChannelNetwork, channel_network
from test_quantized_zoo import feeds

CONFIGS: dict[str, dict[str, int] | None] = {
    "default": None,
    "block4": {"LOG_BLOCK": 2, "LOG_INP_BUFF_SIZE": 12, "LOG_WGT_BUFF_SIZE": 13, "LOG_ACC_BUFF_SIZE": 14},
    "block8": {
        **{"LOG_BATCH": 1, "LOG_BLOCK": 3},
        **{"LOG_INP_BUFF_SIZE": 12, "LOG_WGT_BUFF_SIZE": 13, "LOG_ACC_BUFF_SIZE": 14},
    },
    "block32": {"LOG_BLOCK": 5},
    "unequal": {"LOG_BLOCK_IN": 3, "LOG_BLOCK_OUT": 4, "LOG_INP_BUFF_SIZE": 12, "LOG_ACC_BUFF_SIZE": 14},
}


def check(model: onnx.ModelProto, config: dict[str, int] | None, seed: int) -> list[LayerReport]:
    """Compares the accelerator with native code; returns what is native between its first and last kernel."""
    inputs = feeds(model, seed)
    expected = acc.compile(model).run(inputs)
    executable = acc.compile(model, target="vta", config=config)
    for name, values in executable.run(inputs).items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)
    layers = executable.report()
    used = [index for index, layer in enumerate(layers) if layer.target == "vta"]
    return [layer for layer in layers[used[0] : used[-1]] if layer.target != "vta"]


@pytest.mark.parametrize("seed", range(10))
def test_random_networks(seed: int) -> None:
    print("seed", seed)
    check(channel_network(seed), list(CONFIGS.values())[seed % len(CONFIGS)], seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 1200))
def test_random_networks_long(seed: int) -> None:
    check(channel_network(seed), list(CONFIGS.values())[seed % len(CONFIGS)], seed)


@pytest.mark.parametrize(
    ("channels", "config"), [(58, "default"), (17, "block4"), (7, "block8"), (3, "block32"), (1, "default")]
)
def test_units_of_shuffle_net_are_all_on_the_accelerator(channels: int, config: str) -> None:
    """Halves that are convolved or not, joined and shuffled, twice; with a border and at the end a stride."""
    net = ChannelNetwork(np.random.default_rng(channels))
    x = net.conv(net.input((1, 3, 6, 5)), 2 * channels, activation="relu")
    for _ in range(2):
        left, right = net.halves(x)
        right = net.conv(right, channels, (1, 1), pads=(0, 0, 0, 0), activation="relu")
        right = net.conv(right, channels, group=channels, activation="relu")
        x = net.shuffle(net.concat([left, net.conv(right, channels, (1, 1), pads=(0, 0, 0, 0))]))
    assert not check(net.build(net.conv(x, 9, strides=(2, 2))), CONFIGS[config], channels)


def test_a_tensor_in_two_concatenations_is_copied_by_the_accelerator() -> None:
    net = ChannelNetwork(np.random.default_rng(5))
    a = net.conv(net.input((1, 16, 7, 7)), 24, activation="relu")
    b = net.conv(a, 7, activation="relu")
    # As in DenseNet, and the first once more with a border of another value.
    c = net.concat([net.concat([a, b]), net.conv(b, 5, activation="relu")])
    d = net.concat([b, net.max_pool(a, 3, 1, 1)])
    assert not check(net.build(net.conv(c, 8), net.conv(d, 8)), None, 5)


def test_outputs_in_the_middle() -> None:
    net = ChannelNetwork(np.random.default_rng(6))
    x = net.shuffle(net.concat([net.conv(net.input((1, 16, 5, 5)), c) for c in (7, 17)]))
    parts = net.split(x)
    check(net.build(x, *parts, *(net.conv(part, 3) for part in parts)), None, 6)
