"""The convolutions of ResNet-18 that the public stack numbers C2 to C11, each a quantized model of its own."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Convolution(NamedTuple):
    """A square convolution with "same" padding, and what the streams that the public stack tuned for it take.

    `public_cycles` are those of the published circuit (1x16x16, 64-bit port, latency 64); they requantize by shifts.
    """

    size: int
    inputs: int
    outputs: int
    kernel: int
    stride: int
    public_cycles: int

    @property
    def compulsory_bytes(self) -> int:
        """Every weight, every result and every input that a window meets, once."""
        extent = self.size // self.stride
        read = min(self.size, extent * self.kernel)
        return read**2 * self.inputs + self.inputs * self.outputs * self.kernel**2 + extent**2 * self.outputs


CONVOLUTIONS = {
    "C2": Convolution(56, 64, 64, 3, 1, 537_702),
    "C3": Convolution(56, 64, 128, 3, 2, 275_526),
    "C4": Convolution(56, 64, 128, 1, 2, 77_186),
    "C5": Convolution(28, 128, 128, 3, 1, 495_969),
    "C6": Convolution(28, 128, 256, 3, 2, 251_905),
    "C7": Convolution(28, 128, 256, 1, 2, 53_372),
    "C8": Convolution(14, 256, 256, 3, 1, 475_376),
    "C9": Convolution(14, 256, 512, 3, 2, 242_830),
    "C10": Convolution(14, 256, 512, 1, 2, 39_945),
    "C11": Convolution(7, 512, 512, 3, 1, 468_331),
}
PUBLIC_BYTES = 715_000
"""DRAM bytes of the public streams, geometric mean."""


def quantized(conv: Convolution, powers_of_two: bool, seed: int = 0) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """DequantizeLinear, Conv with a bias, Relu, QuantizeLinear from int8 to int8; and an input by name.

    powers_of_two: scales are, and zero points are 0, as the public streams have it; else both are as a quantizer makes
    them behind a Relu.
    """
    rng = np.random.default_rng(seed)
    shape = (conv.outputs, conv.inputs, conv.kernel, conv.kernel)
    weight = np.clip(np.round(rng.normal(0, 30, shape)), -127, 127).astype(np.int8)
    zero = 0 if powers_of_two else -128
    x_scale, w_scale = (2.0**-5, 2.0**-9) if powers_of_two else (0.0231, 0.00187)
    deviation = x_scale * w_scale * 30 * 60 * math.sqrt(conv.inputs * conv.kernel**2)
    y_scale = 2.0 ** math.ceil(math.log2(deviation / 42)) if powers_of_two else deviation * 3 / 255
    constants = {
        "weight": weight,
        "bias": rng.integers(-3000, 3000, conv.outputs).astype(np.int32),
        **{f"{name}_zero": np.int8(value) for name, value in (("x", zero), ("w", 0), ("y", zero))},
        **{f"{name}_scale": np.float32(value) for name, value in (("x", x_scale), ("w", w_scale), ("y", y_scale))},
        "b_scale": np.float32(x_scale) * np.float32(w_scale),
        "b_zero": np.int32(0),
    }
    sizes = {"kernel_shape": [conv.kernel] * 2, "strides": [conv.stride] * 2, "pads": [conv.kernel // 2] * 4}
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "x_scale", "x_zero"], ["xf"], name="x_dequantize"),
        helper.make_node("DequantizeLinear", ["weight", "w_scale", "w_zero"], ["wf"], name="w_dequantize"),
        helper.make_node("DequantizeLinear", ["bias", "b_scale", "b_zero"], ["bf"], name="b_dequantize"),
        helper.make_node("Conv", ["xf", "wf", "bf"], ["yf"], name="conv", **sizes),
        helper.make_node("Relu", ["yf"], ["rf"], name="relu"),
        helper.make_node("QuantizeLinear", ["rf", "y_scale", "y_zero"], ["y"], name="y_quantize"),
    ]
    extent = conv.size // conv.stride
    graph = helper.make_graph(
        nodes,
        "convolution",
        [helper.make_tensor_value_info("x", TensorProto.INT8, (1, conv.inputs, conv.size, conv.size))],
        [helper.make_tensor_value_info("y", TensorProto.INT8, (1, conv.outputs, extent, extent))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    x = rng.integers(zero, 128, (1, conv.inputs, conv.size, conv.size)).astype(np.int8)
    return model, {"x": x}
