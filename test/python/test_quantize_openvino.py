"""What acc quantize writes runs in OpenVINO as it does in ONNX Runtime. Skipped where OpenVINO is not installed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest

import acc
from float_networks import FloatNetwork, convolutional, images, transformer

openvino = pytest.importorskip("openvino")


def odd_product() -> onnx.ModelProto:
    """A product of an odd number of weights for each output, which are int8 among int4 ones."""
    net = FloatNetwork((1, 12, 33))
    return net.build(net.linear(net.add("Relu", [net.linear("x", 33, 32)]), 32, 8))


@pytest.mark.parametrize("weights", ["int8", "int4"])
@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (convolutional, ()),
        (transformer, (12, 32)),
        (lambda: transformer(open_sizes=True), (12, 32)),
        (odd_product, (12, 33)),
    ],
)
def test_the_same_results(build: Callable[[], onnx.ModelProto], shape: tuple[int, ...], weights: str) -> None:
    """But for how sums of floats and ties are rounded: one step of 255, here and there."""
    calibration = images(24, shape) if shape else images(24)
    model = acc.quantize(build(), {"x": calibration}, weights=weights).model
    x = images(1, shape, seed=3) if shape else images(1, seed=3)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = np.asarray(session.run(None, {"x": x})[-1])
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(model.SerializeToString()), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    found = compiled({"x": x})[compiled.outputs[-1]]
    reach = np.abs(expected).max()
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.02 * reach
