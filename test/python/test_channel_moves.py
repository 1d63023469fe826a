"""Channels that are joined, split and shuffled on the accelerator: no kernels, and the same bits as native code."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import acc
from acc.report import LayerReport
from acc.targets.vta.lanes import Read, order_of
from channel_networks import ChannelNetwork, channel_network
from test_quantized_zoo import check_against_onnx_runtime, feeds

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


@pytest.mark.parametrize("seed", range(20, 24))
def test_random_networks_with_narrow_weights(seed: int) -> None:
    log_weights = 1 + seed % 2
    config = {"LOG_WGT_WIDTH": log_weights, "LOG_WGT_BUFF_SIZE": 15 + log_weights, "LOG_INP_BUFF_SIZE": 12}
    check(channel_network(seed, 1 << log_weights), config, seed)


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


@pytest.mark.parametrize("log_weights", [3, 2, 1])
def test_a_tensor_in_two_concatenations_is_copied_by_the_accelerator(log_weights: int) -> None:
    net = ChannelNetwork(np.random.default_rng(5))
    net.weight_bits = 1 << log_weights
    a = net.conv(net.input((1, 16, 7, 7)), 24, activation="relu")
    b = net.conv(a, 7, activation="relu")
    # As in DenseNet, and the first once more with a border of another value.
    c = net.concat([net.concat([a, b]), net.conv(b, 5, activation="relu")])
    d = net.concat([b, net.max_pool(a, 3, 1, 1)])
    # Weights of 4 and 2 bits copy as those of 8 do.
    config = {"LOG_WGT_WIDTH": log_weights, "LOG_WGT_BUFF_SIZE": 15 + log_weights}
    assert not check(net.build(net.conv(c, 8), net.conv(d, 8)), config, 5)


def test_images_of_a_batch_are_joined_by_the_accelerator() -> None:
    # Two tiles of one image each, whose operands lie in two pieces.
    net = ChannelNetwork(np.random.default_rng(7))
    x = net.conv(net.input((2, 3, 6, 5)), 7, activation="relu")
    x = net.shuffle(net.concat([net.conv(x, 17), net.max_pool(x, 3, 1, 1), x]))
    assert not check(net.build(net.conv(x, 9, strides=(2, 2))), None, 7)


def test_outputs_in_the_middle() -> None:
    net = ChannelNetwork(np.random.default_rng(6))
    x = net.shuffle(net.concat([net.conv(net.input((1, 16, 5, 5)), c) for c in (7, 17)]))
    parts = net.split(x)
    check(net.build(x, *parts, *(net.conv(part, 3) for part in parts)), None, 6)


@pytest.mark.parametrize("seed", (0, 3, 9))
def test_layers_agree_with_onnx_runtime(seed: int) -> None:
    check_against_onnx_runtime(seed, channel_network)


def test_channels_that_are_read_together_lie_together() -> None:
    even = np.arange(58) % 2 == 0
    lanes = order_of(58, [Read(even, 10.0), Read(~even, 10.0)], 1.0, 16)
    assert sorted(lanes[lanes >= 0].tolist()) == list(range(58))
    assert all(read.blocks(lanes, 16) == 2 for read in (Read(even, 1.0), Read(~even, 1.0)))
    # Beside another operand of a concatenation, the channels that are read with some of its own are next to it.
    behind = order_of(58, [Read(even, 10.0, before=True)], 1.0, 16)
    assert set(behind[:32]) - {-1} == set(np.flatnonzero(even))
    # A tensor that is read as a whole keeps its order, and does not grow.
    assert order_of(20, [Read(np.ones(20, bool), 5.0)], 1.0, 16).tolist() == [*range(20), *[-1] * 12]
