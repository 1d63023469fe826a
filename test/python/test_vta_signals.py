"""Convolutions, pools and sums over one axis on the accelerator, which takes them as images of one column."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import acc
from qdq_models import QdqModel, Quantized


def convolution(net: QdqModel, x: Quantized, outputs: int, kernel: int, group: int = 1, **options: object) -> Quantized:
    weight, scales = net._weights((outputs, x.shape[1] // group, kernel), True)
    inputs = [net.dequantize(x), weight, net._bias(outputs, x.scale, scales)]
    y = net._node("Relu", [net._node("Conv", inputs, group=group, **options)])
    before, after = options.get("pads", (0, 0))  # type: ignore[misc]
    reach = int(options.get("dilations", [1])[0]) * (kernel - 1)  # type: ignore[index]
    size = (x.shape[2] + before + after - reach - 1) // int(options.get("strides", [1])[0]) + 1  # type: ignore[index]
    deviation = x.scale * float(scales.mean()) * 73 * 73 * np.sqrt(x.shape[1] // group * kernel)
    return net._quantize(y, (x.shape[0], outputs, size), net.scale(deviation / 40), net.zero_point("min"))


def average_pool(net: QdqModel, x: Quantized) -> Quantized:
    value = net._node("AveragePool", [net.dequantize(x)], kernel_shape=[3], pads=[1, 1])
    return net._quantize(value, x.shape, x.scale, x.zero_point)


def moved(net: QdqModel, x: Quantized, size: int, op_type: str, *inputs: object, **attributes: object) -> Quantized:
    """What moves the positions of a signal, of which `size` are left; inputs are constants."""
    constants = [net._constant(np.asarray(value)) for value in inputs]
    value = net._node(op_type, [net.dequantize(x), *constants], **attributes)
    return net._quantize(value, (*x.shape[:2], size), x.scale, x.zero_point)


def check(net: QdqModel, result: Quantized, folder: Path) -> list[str]:
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
    net = QdqModel(np.random.default_rng(2))
    x = convolution(net, net.input((1, 3, 40)), 20, 5, pads=(2, 2))
    branches = [convolution(net, x, 17, 1), convolution(net, x, 24, 3, pads=(1, 1)), average_pool(net, x)]
    y = net.concat(branches)
    y = net.concat([convolution(net, y, 16, 3, pads=(1, 1)), y])
    assert check(net, convolution(net, y, 9, 3, strides=[2]), tmp_path) == []


def test_positions_are_moved_by_addresses(tmp_path: Path) -> None:
    net = QdqModel(np.random.default_rng(3))
    x = convolution(net, net.input((1, 3, 30)), 20, 3, pads=(1, 1))
    padded = moved(net, x, 34, "Pad", np.array([0, 0, 1, 0, 0, 3]))
    part = moved(net, x, 15, "Slice", np.array([1]), np.array([30]), np.array([2]), np.array([2]))
    part = convolution(net, part, 20, 3, pads=(1, 1))
    twice = moved(net, part, 30, "Resize", np.zeros(0, np.float32), np.array([1, 1, 2], np.float32), mode="nearest")
    y = net.add(convolution(net, padded, 20, 5), convolution(net, twice, 20, 3, pads=(1, 1)))
    assert check(net, convolution(net, y, 9, 3), tmp_path) == []


def test_a_network_over_one_axis(tmp_path: Path) -> None:
    net = QdqModel(np.random.default_rng(1))
    x = net.input((2, 3, 61))
    y = convolution(net, x, 20, 7, strides=[2], pads=(3, 2))
    y = net._quantize(
        net._node("MaxPool", [net.dequantize(y)], kernel_shape=[3], strides=[2], pads=[1, 0]),
        (2, 20, 14),
        y.scale,
        y.zero_point,
    )
    z = convolution(net, y, 20, 3, group=20, dilations=[2], pads=(2, 2))
    y = net.global_average_pool(net.add(y, z))
    y = Quantized(y.name, (2, 20, 1), y.scale, y.zero_point)
    assert check(net, net.gemm(net.flatten(y), 10), tmp_path) == []
