"""Convolutions, pools and sums over one axis on the accelerator, which takes them as images of one column."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import acc
from qdq_models import Quantized
from signal_models import SignalModel


def average_pool(net: SignalModel, x: Quantized) -> Quantized:
    value = net._node("AveragePool", [net.dequantize(x)], kernel_shape=[3], pads=[1, 1])
    return net._quantize(value, x.shape, x.scale, x.zero_point)


def check(net: SignalModel, result: Quantized, folder: Path) -> list[str]:
    """Compares with native code, and returns the layers that the host computes or moves, conversions aside."""
    model = net.build(result)
    rng = np.random.default_rng(5)
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    inputs = {model.graph.input[0].name: rng.normal(0, 1, shape).astype(np.float32)}
    (expected,) = acc.compile(model).run(inputs).values()
    path = folder / "model.so"
    acc.compile(model, target="vta").save(path)
    executable = acc.load(path, sanitize=True)
    (actual,) = executable.run(inputs).values()
    np.testing.assert_array_equal(actual, expected)
    native = [layer for layer in executable.report() if layer.target != "vta" and layer.layers]
    return [layer.name for layer in native if "quantizelinear" not in layer.name]


def test_branches_are_joined_in_place(tmp_path: Path) -> None:
    """As images are: channels of several branches, one of them pooled, and a tensor that goes into two of them."""
    net = SignalModel(np.random.default_rng(2))
    x = net.convolution(net.input((1, 3, 40)), 20, 5, pads=(2, 2))
    branches = [net.convolution(x, 17, 1), net.convolution(x, 24, 3, pads=(1, 1)), average_pool(net, x)]
    y = net.concat(branches)
    y = net.concat([net.convolution(y, 16, 3, pads=(1, 1)), y])
    assert check(net, net.convolution(y, 9, 3, stride=2), tmp_path) == []


def test_positions_are_moved_by_addresses(tmp_path: Path) -> None:
    net = SignalModel(np.random.default_rng(3))
    x = net.convolution(net.input((1, 3, 30)), 20, 3, pads=(1, 1))
    padded = net.moved(x, 34, "Pad", np.array([0, 0, 1, 0, 0, 3]))
    part = net.moved(x, 15, "Slice", np.array([1]), np.array([30]), np.array([2]), np.array([2]))
    part = net.convolution(part, 20, 3, pads=(1, 1))
    twice = net.moved(part, 30, "Resize", np.zeros(0, np.float32), np.array([1, 1, 2], np.float32), mode="nearest")
    y = net.add(net.convolution(padded, 20, 5), net.convolution(twice, 20, 3, pads=(1, 1)))
    assert check(net, net.convolution(y, 9, 3), tmp_path) == []


def test_a_network_over_one_axis(tmp_path: Path) -> None:
    net = SignalModel(np.random.default_rng(1))
    x = net.input((2, 3, 61))
    y = net.convolution(x, 20, 7, stride=2, pads=(3, 2))
    y = net._quantize(
        net._node("MaxPool", [net.dequantize(y)], kernel_shape=[3], strides=[2], pads=[1, 0]),
        (2, 20, 14),
        y.scale,
        y.zero_point,
    )
    z = net.convolution(y, 20, 3, group=20, dilation=2, pads=(2, 2))
    y = net.global_average_pool(net.add(y, z))
    y = Quantized(y.name, (2, 20, 1), y.scale, y.zero_point)
    assert check(net, net.gemm(net.flatten(y), 10), tmp_path) == []
