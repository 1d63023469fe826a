"""ResNet-18 (He et al. 2015, "Deep Residual Learning for Image Recognition") with seeded random weights.

The topology, shapes and operator counts are the real ones; the weights are drawn so that activations keep
their scale, which is all that compilation, simulation and agreement figures need.
"""

from __future__ import annotations

import numpy as np
import onnx

from onnx_builder import NetworkBuilder

STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))


def build_resnet18(seed: int = 0, size: int = 224, classes: int = 1000) -> onnx.ModelProto:
    """Float32 model, input (1, 3, size, size), output (1, classes)."""
    rng = np.random.default_rng(seed)
    net = NetworkBuilder("resnet18", (1, 3, size, size))

    def conv(name: str, x: str, inputs: int, outputs: int, kernel: int, stride: int = 1, gain: float = 2.0) -> str:
        deviation = np.sqrt(gain / (inputs * kernel * kernel))
        weight = rng.normal(0, deviation, (outputs, inputs, kernel, kernel))
        return net.conv(name, x, weight, rng.normal(0, 0.1, outputs), stride)

    x = net.relu("stem/relu", conv("stem/conv", "input", 3, 64, 7, 2))
    x = net.max_pool("stem/max_pool", x, 3, 2, 1)
    channels = 64
    for stage, (width, first_stride) in enumerate(STAGES, start=1):
        for block in range(2):
            name, stride = f"layer{stage}.{block}", first_stride if block == 0 else 1
            y = net.relu(f"{name}/relu1", conv(f"{name}/conv1", x, channels, width, 3, stride))
            # Halving the gain of the branch keeps the sum of branch and shortcut at the scale of its input.
            y = conv(f"{name}/conv2", y, width, width, 3, gain=1.0)
            if stride != 1 or channels != width:
                x = conv(f"{name}/downsample", x, channels, width, 1, stride, gain=1.0)
            x = net.relu(f"{name}/relu2", net.add(f"{name}/add", y, x))
            channels = width
    x = net.flatten("flatten", net.global_average_pool("global_average_pool", x))
    weight = rng.normal(0, np.sqrt(1.0 / channels), (classes, channels))
    return net.build(net.gemm("classify", x, weight, rng.normal(0, 0.1, classes)), (1, classes))
