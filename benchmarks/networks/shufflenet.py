"""ShuffleNet v2 x1.0 (Ma et al. 2018)."""

from __future__ import annotations

import onnx

from networks.builder import NetworkBuilder


def _shuffle(net: NetworkBuilder, name: str, x: str) -> str:
    """The channels of two halves, taken from one and the other in turn."""
    n, c, h, w = net.shapes[x]
    y = net.transpose(f"{name}/swap", net.reshape(f"{name}/split", x, (n, 2, c // 2, h, w)), (0, 2, 1, 3, 4))
    return net.reshape(f"{name}/join", y, (n, c, h, w))


def _unit(net: NetworkBuilder, name: str, x: str, outputs: int, stride: int) -> str:
    half = outputs // 2
    if stride == 1:
        left, right = net.halves(f"{name}/split", x)
    else:
        left = net.conv(f"{name}/left/depthwise", x, net.channels(x), 3, stride, groups=net.channels(x))
        left, right = net.conv(f"{name}/left/conv", left, half, 1, act="relu"), x
    right = net.conv(f"{name}/conv1", right, half, 1, act="relu")
    right = net.conv(f"{name}/depthwise", right, half, 3, stride, groups=half)
    right = net.conv(f"{name}/conv2", right, half, 1, act="relu")
    return _shuffle(net, f"{name}/shuffle", net.concat(f"{name}/concat", (left, right)))


def shufflenet_v2(size: int = 224, width: float = 1.0, seed: int = 0) -> onnx.ModelProto:
    """Float32 model, input (1, 3, size, size), output (1, 1000)."""
    net = NetworkBuilder("shufflenet_v2", (1, 3, size, size), seed=seed, width=width)
    x = net.conv("stem", "input", net.wide(24), 3, 2, act="relu")
    x = net.max_pool("pool", x, 3, 2, 1)
    for stage, (channels, depth) in enumerate(((116, 4), (232, 8), (464, 4)), start=2):
        for block in range(net.deep(depth)):
            x = _unit(net, f"stage{stage}.{block}", x, net.wide(channels), 2 if block == 0 else 1)
    return net.classifier(net.conv("head", x, net.wide(1024), 1, act="relu"), 1000)
