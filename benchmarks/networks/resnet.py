"""ResNets (He et al. 2015, "Deep Residual Learning for Image Recognition"): the one of 18 layers and that of 50."""

from __future__ import annotations

import onnx

from networks.builder import NetworkBuilder


def _stem(name: str, seed: int, size: int, width: float) -> tuple[NetworkBuilder, str]:
    net = NetworkBuilder(name, (1, 3, size, size), seed=seed, width=width)
    x = net.relu("stem/relu", net.conv("stem/conv", "input", net.wide(64), 7, 2, gain=2.0))
    return net, net.max_pool("stem/max_pool", x, 3, 2, 1)


def resnet18(size: int = 224, width: float = 1.0, seed: int = 0) -> onnx.ModelProto:
    """Float32 model, input (1, 3, size, size), output (1, 1000)."""
    net, x = _stem("resnet18", seed, size, width)
    for stage, (channels, first_stride) in enumerate(((64, 1), (128, 2), (256, 2), (512, 2)), start=1):
        channels = net.wide(channels)
        for block in range(2):
            name, stride = f"layer{stage}.{block}", first_stride if block == 0 else 1
            y = net.relu(f"{name}/relu1", net.conv(f"{name}/conv1", x, channels, 3, stride, gain=2.0))
            # Halving the gain of the branch keeps the sum of branch and shortcut at the scale of its input.
            y = net.conv(f"{name}/conv2", y, channels, 3, gain=1.0)
            if stride != 1 or net.channels(x) != channels:
                x = net.conv(f"{name}/downsample", x, channels, 1, stride, gain=1.0)
            x = net.relu(f"{name}/relu2", net.add(f"{name}/add", y, x))
    return net.classifier(x, 1000)


def resnet50(size: int = 224, width: float = 1.0, seed: int = 0) -> onnx.ModelProto:
    """Float32 model, input (1, 3, size, size), output (1, 1000); strides in the 3x3 convolutions."""
    net, x = _stem("resnet50", seed, size, width)
    for stage, (channels, depth) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=1):
        channels, outputs = net.wide(channels), net.wide(4 * channels)
        for block in range(net.deep(depth)):
            name, stride = f"layer{stage}.{block}", 2 if block == 0 and stage > 1 else 1
            y = net.relu(f"{name}/relu1", net.conv(f"{name}/conv1", x, channels, 1, gain=2.0))
            y = net.relu(f"{name}/relu2", net.conv(f"{name}/conv2", y, channels, 3, stride, gain=2.0))
            y = net.conv(f"{name}/conv3", y, outputs, 1, gain=0.5)
            if stride != 1 or net.channels(x) != outputs:
                x = net.conv(f"{name}/downsample", x, outputs, 1, stride, gain=1.0)
            x = net.relu(f"{name}/relu3", net.add(f"{name}/add", y, x))
    return net.classifier(x, 1000)
