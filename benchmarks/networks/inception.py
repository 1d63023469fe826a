"""Inception v1, which is GoogLeNet (Szegedy et al. 2014), with batch normalisation in place of the local one."""

from __future__ import annotations

import onnx

from networks.builder import NetworkBuilder

# Channels of the branches: 1x1; 1x1 and 3x3; 1x1 and 5x5; pool and 1x1. Between them are max pools.
_BLOCKS = (
    ("3a", 64, 96, 128, 16, 32, 32),
    ("3b", 128, 128, 192, 32, 96, 64),
    "pool3",
    ("4a", 192, 96, 208, 16, 48, 64),
    ("4b", 160, 112, 224, 24, 64, 64),
    ("4c", 128, 128, 256, 24, 64, 64),
    ("4d", 112, 144, 288, 32, 64, 64),
    ("4e", 256, 160, 320, 32, 128, 128),
    "pool4",
    ("5a", 256, 160, 320, 32, 128, 128),
    ("5b", 384, 192, 384, 48, 128, 128),
)


def inception_v1(size: int = 224, width: float = 1.0, seed: int = 0) -> onnx.ModelProto:
    """Float32 model, input (1, 3, size, size), output (1, 1000)."""
    net = NetworkBuilder("inception_v1", (1, 3, size, size), seed=seed, width=width)

    def conv(name: str, x: str, outputs: int, kernel: int, stride: int = 1) -> str:
        return net.conv(name, x, net.wide(outputs), kernel, stride, act="relu")

    x = net.max_pool("pool1", conv("conv1", "input", 64, 7, 2), 3, 2, ceil=True)
    x = net.max_pool("pool2", conv("conv3", conv("conv2", x, 64, 1), 192, 3), 3, 2, ceil=True)
    for block in _BLOCKS:
        if isinstance(block, str):
            x = net.max_pool(block, x, 3, 2, ceil=True)
            continue
        name, one, before3, three, before5, five, pooled = block
        branches = [
            conv(f"{name}/1x1", x, one, 1),
            conv(f"{name}/3x3", conv(f"{name}/3x3_reduce", x, before3, 1), three, 3),
            conv(f"{name}/5x5", conv(f"{name}/5x5_reduce", x, before5, 1), five, 5),
            conv(f"{name}/pool_proj", net.max_pool(f"{name}/pool", x, 3, 1, 1), pooled, 1),
        ]
        x = net.concat(f"{name}/concat", branches)
    return net.classifier(x, 1000)
