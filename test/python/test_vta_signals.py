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


def test_a_network_over_one_axis(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    net = QdqModel(rng)
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
    model = net.build(net.gemm(net.flatten(y), 10))
    inputs = {model.graph.input[0].name: rng.normal(0, 1, x.shape).astype(np.float32)}
    (expected,) = acc.compile(model).run(inputs).values()
    path = tmp_path / "model.so"
    acc.compile(model, target="vta").save(path)
    executable = acc.load(path, sanitize=True)
    (actual,) = executable.run(inputs).values()
    np.testing.assert_array_equal(actual, expected)
    native = {layer.name: layer.reason for layer in executable.report() if layer.target != "vta" and layer.macs}
    assert not native
    outside = [layer.name for layer in executable.report() if layer.target != "vta" and layer.layers]
    assert all("quantizelinear" in name for name in outside), outside
