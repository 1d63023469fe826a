"""Convolutions with groups and average pools on the accelerator: bit-equal to native code, no work on zero tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import acc
from qdq_models import QdqModel, Quantized

PLAIN = {"LOG_BATCH": 0, "LOG_BLOCK": 4}
SMALL = {"LOG_BLOCK": 2, "LOG_INP_BUFF_SIZE": 9, "LOG_WGT_BUFF_SIZE": 10, "LOG_ACC_BUFF_SIZE": 11}
BUFFERS = {"LOG_INP_BUFF_SIZE": 13, "LOG_WGT_BUFF_SIZE": 15, "LOG_ACC_BUFF_SIZE": 15}
NARROW_IN = {"LOG_BLOCK_IN": 3, "LOG_BLOCK_OUT": 4, **BUFFERS}
NARROW_OUT = {"LOG_BLOCK_IN": 4, "LOG_BLOCK_OUT": 3, **BUFFERS}
BATCHED = {"LOG_BATCH": 1, "LOG_BLOCK": 3, **BUFFERS}
CONFIGS = {"plain": PLAIN, "small": SMALL, "in": NARROW_IN, "out": NARROW_OUT, "batch": BATCHED}


def run_on_both(
    model: onnx.ModelProto, folder: Path, config: dict[str, int] | None = None, seed: int = 0
) -> acc.Executable:
    """Compares the accelerator, under the sanitizer, with native code; all layers that compute must be on it."""
    rng = np.random.default_rng(seed)
    inputs = {
        value.name: rng.normal(0, 1, [d.dim_value for d in value.type.tensor_type.shape.dim]).astype(np.float32)
        for value in model.graph.input
    }
    expected = acc.compile(model).run(inputs)
    path = folder / "model.so"
    acc.compile(model, target="vta", config=config or PLAIN).save(path)
    executable = acc.load(path, sanitize=True)
    actual = executable.run(inputs)
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=f"{name}, {config}")
    for layer in executable.report():
        if any(name.startswith(("conv", "averagepool")) for name in layer.layers):
            assert layer.target == "vta", f"{layer.name}: {layer.reason}"
    return executable


def gemm_steps(executable: acc.Executable) -> int:
    return sum(layer.gemm_steps for layer in executable.report() if layer.target == "vta")


def convolution(net: QdqModel, x: Quantized, group: int, outputs: int, **options: object) -> Quantized:
    return net.conv(x, outputs, group=group, per_channel=True, **options)  # type: ignore[arg-type]


# Channels of inputs and outputs, groups, and how many tiles of inputs each tile of outputs takes at 16 x 16 (0: any).
GROUPS = [
    (32, 32, 32, 1),
    (48, 48, 3, 1),
    # One channel: the taps of the window lie side by side in one tile.
    (1, 1, 1, 0),
    (3, 3, 3, 1),
    (7, 7, 7, 1),
    (17, 17, 17, 1),
    (3, 9, 3, 1),
    (32, 64, 32, 1),
    (64, 32, 32, 2),
    (24, 24, 3, 1),
    (64, 64, 2, 2),
    (128, 64, 4, 2),
    (72, 72, 3, 3),
    (51, 51, 3, 0),
    (34, 17, 17, 0),
    (17, 51, 17, 0),
    (100, 20, 10, 0),
]


@pytest.mark.parametrize(("inputs", "outputs", "group", "tiles"), GROUPS)
def test_groups(inputs: int, outputs: int, group: int, tiles: int, tmp_path: Path) -> None:
    net = QdqModel(np.random.default_rng(inputs * 1000 + group))
    x = net.input((1, inputs, 5, 6))
    executable = run_on_both(net.build(convolution(net, x, group, outputs)), tmp_path)
    if tiles:
        # The bias is a product or two.
        products = gemm_steps(executable) / (5 * 6 * -(-outputs // 16))
        assert tiles * 9 <= products <= tiles * 9 + 2


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize(("inputs", "outputs", "group"), [(48, 48, 48), (40, 40, 5), (17, 34, 17), (64, 32, 2)])
def test_groups_on_other_hardware(name: str, inputs: int, outputs: int, group: int, tmp_path: Path) -> None:
    net = QdqModel(np.random.default_rng(inputs), signed=False)
    x = net.input((3, inputs, 6, 5))
    y = convolution(net, x, group, outputs, strides=(2, 1), pads=(1, 0, 2, 1), activation="relu")
    run_on_both(net.build(y), tmp_path, CONFIGS[name])


def test_depthwise_between_convolutions(tmp_path: Path) -> None:
    """An inverted residual; the depthwise convolution reads a border and the sum continues what projects."""
    net = QdqModel(np.random.default_rng(5))
    x = net.input((1, 24, 9, 9))
    y = net.conv(x, 72, (1, 1), pads=(0, 0, 0, 0), activation="clip")
    y = convolution(net, y, 72, 72, activation="clip")
    y = net.conv(y, 24, (1, 1), pads=(0, 0, 0, 0))
    run_on_both(net.build(net.add(x, y)), tmp_path)


def test_sections_with_border_and_sum(tmp_path: Path) -> None:
    """What groups of many blocks compute gets a border for its readers, and a sum is a kernel of its own."""
    net = QdqModel(np.random.default_rng(6))
    x = net.input((1, 64, 7, 7))
    y = convolution(net, x, 2, 64, activation="relu")
    z = convolution(net, y, 2, 64, dilations=(2, 1), pads=(2, 1, 2, 1), activation="relu")
    run_on_both(net.build(net.add(y, z)), tmp_path)


@pytest.mark.parametrize("counts_padding", [0, 1])
@pytest.mark.parametrize("channels", [3, 40])
def test_average_pool(channels: int, counts_padding: int, tmp_path: Path) -> None:
    net = QdqModel(np.random.default_rng(channels))
    x = net.input((1, channels, 9, 8))
    value = net._node(
        *("AveragePool", [net.dequantize(x)]),
        **{"kernel_shape": [3, 3], "pads": [1, 1, 1, 1] if counts_padding else [0] * 4, "strides": [2, 1]},
        count_include_pad=counts_padding,
    )
    shape = (1, channels, 5, 8) if counts_padding else (1, channels, 4, 6)
    y = net._quantize(value, shape, net.scale(x.scale), net.zero_point())
    run_on_both(net.build(y), tmp_path)
