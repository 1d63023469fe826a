"""Quantized transposed convolutions: integer arithmetic within one step of ONNX Runtime, alike on the accelerator."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import acc
from qdq_models import QdqModel, Quantized


def transposed(net: QdqModel, x: Quantized, outputs: int, per_channel: bool, **attributes: object) -> Quantized:
    """attributes: those of ConvTranspose, kernel_shape among them."""
    group = int(attributes.get("group", 1))  # type: ignore[call-overload]
    kernel = tuple(attributes["kernel_shape"])  # type: ignore[arg-type]
    values = net.rng.integers(-127, 128, (x.shape[1], outputs // group, *kernel)).astype(np.int8)
    scales = np.array([net.scale(2.0**-8) for _ in range(outputs // group if per_channel else 1)], np.float32)
    scales = scales if per_channel else scales.reshape(())
    constants = [net._constant(values), net._constant(scales), net._constant(np.zeros(scales.shape, np.int8))]
    weight = net._node("DequantizeLinear", constants, axis=1)
    deviation = x.scale * float(scales.mean()) * 73 * 73 * np.sqrt(x.shape[1] // group)
    bias = net._constant(net.rng.normal(0, deviation, outputs).astype(np.float32))
    y = net._node("Relu", [net._node("ConvTranspose", [net.dequantize(x), weight, bias], **attributes)])
    spatial = len(kernel)
    strides, dilations = (attributes.get(name, [1] * spatial) for name in ("strides", "dilations"))
    padding, pads = attributes.get("output_padding", [0] * spatial), attributes.get("pads", [0] * 2 * spatial)
    size = [
        (x.shape[2 + i] - 1) * strides[i]
        + padding[i]
        + (kernel[i] - 1) * dilations[i]
        + 1  # type: ignore[index]
        - pads[i]
        - pads[i + spatial]  # type: ignore[index]
        for i in range(spatial)
    ]
    return net._quantize(y, (x.shape[0], outputs, *size), net.scale(deviation / 40), net.zero_point("min"))


CASES = [
    {"kernel_shape": [2, 2], "strides": [2, 2]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
    {"kernel_shape": [4, 3], "strides": [2, 1], "pads": [1, 1, 1, 0]},
    {"kernel_shape": [3, 2], "strides": [3, 2], "pads": [2, 0, 1, 1], "dilations": [2, 3]},
    {"kernel_shape": [1, 1], "strides": [2, 3], "output_padding": [1, 0]},
    {"kernel_shape": [2, 1], "pads": [2, 3, 1, 0]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "group": 3},
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_images(case: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(case)
    net = QdqModel(rng, signed=bool(case % 2))
    x = net.input((int(rng.integers(1, 3)), 6, 7, 8))
    y = transposed(net, x, int(rng.choice([3, 9, 18])), bool(rng.integers(2)), **CASES[case])
    model = net.build(y)
    inputs = {model.graph.input[0].name: rng.normal(0, 1, x.shape).astype(np.float32)}
    expected = acc.compile(model).run(inputs)
    path = tmp_path / "model.so"
    acc.compile(model, target="vta").save(path)
    executable = acc.load(path, sanitize=True)
    for (name, value), actual in zip(expected.items(), executable.run(inputs).values(), strict=True):
        np.testing.assert_array_equal(actual, value, err_msg=f"case {case}: {name}")
    layer = next(layer for layer in executable.report() if any("convtranspose" in name for name in layer.layers))
    assert layer.target == "vta", layer.reason
    _compare_with_onnx_runtime(model, inputs, expected, y.scale)


@pytest.mark.parametrize("spatial", [1, 3])
def test_other_ranks(spatial: int) -> None:
    net = QdqModel(np.random.default_rng(spatial))
    x = net.input((2, 4, *[5, 4, 3][:spatial]))
    attributes = {"kernel_shape": [3] * spatial, "strides": [2] * spatial, "pads": [1, 0] * spatial}
    y = transposed(net, x, 6, True, **attributes)
    model = net.build(y)
    inputs = {model.graph.input[0].name: net.rng.normal(0, 1, x.shape).astype(np.float32)}
    executable = acc.compile(model)
    assert not any("integer form" in layer.reason for layer in executable.report())
    _compare_with_onnx_runtime(model, inputs, executable.run(inputs), y.scale)


def _compare_with_onnx_runtime(
    model: onnx.ModelProto, inputs: dict[str, np.ndarray], actual: dict[str, np.ndarray], step: float
) -> None:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    for (name, value), expected in zip(actual.items(), session.run(None, inputs), strict=True):
        steps = np.rint(np.abs(value - expected) / step)
        assert steps.max() <= 1, name
        assert np.count_nonzero(steps) <= max(0.02 * steps.size, 1), name


def test_taps_meet_every_phase() -> None:
    """Kernels, strides, dilations and paddings of one axis, small enough to be tried one by one."""
    rng = np.random.default_rng(1)
    for kernel, stride, dilation, pad in itertools.product((1, 3), (2, 3), (1, 2), (0, 1)):
        if (kernel - 1) * dilation + 1 <= 2 * pad:
            continue
        net = QdqModel(rng)
        x = net.input((1, 2, 4, 1))
        y = transposed(
            *(net, x, 3, False),
            **{"kernel_shape": [kernel, 1], "strides": [stride, 1], "dilations": [dilation, 1], "pads": [pad, 0] * 2},
        )
        model = net.build(y)
        inputs = {model.graph.input[0].name: rng.normal(0, 1, x.shape).astype(np.float32)}
        _compare_with_onnx_runtime(model, inputs, acc.compile(model).run(inputs), y.scale)
