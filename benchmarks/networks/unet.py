"""U-Net (Ronneberger et al. 2015), padded so that the mask is as large as the image."""

from __future__ import annotations

import onnx

from networks.builder import NetworkBuilder


def unet(size: int = 256, width: float = 1.0, seed: int = 0, *, bilinear: bool = False) -> onnx.ModelProto:
    """Float32 model, input (1, 3, size, size), output (1, 2, size, size): 64 to 1024 channels.

    bilinear: goes up by interpolation and a 1x1 convolution instead of a transposed convolution.
    """
    net = NetworkBuilder("unet", (1, 3, size, size), seed=seed, width=width)

    def pair(name: str, x: str, outputs: int) -> str:
        x = net.conv(f"{name}/conv1", x, outputs, 3, act="relu")
        return net.conv(f"{name}/conv2", x, outputs, 3, act="relu")

    x, skipped = "input", []
    for level in range(4):
        x = pair(f"down{level}", x, net.wide(64 << level))
        skipped.append(x)
        x = net.max_pool(f"down{level}/pool", x, 2, 2)
    x = pair("bottom", x, net.wide(1024))
    for level in reversed(range(4)):
        outputs = net.wide(64 << level)
        if bilinear:
            x = net.conv(f"up{level}/conv", net.upsample(f"up{level}/resize", x, "linear"), outputs, 1)
        else:
            x = net.conv_transpose(f"up{level}/transpose", x, outputs, 2, 2)
        x = pair(f"up{level}", net.concat(f"up{level}/concat", (skipped[level], x)), outputs)
    return net.build(net.conv("mask", x, 2, 1))
