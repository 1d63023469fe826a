"""A detector as YOLOv5n is (Ultralytics 2020): cross stage partial blocks, a pyramid of max pools, three heads."""

from __future__ import annotations

import onnx

from networks.builder import NetworkBuilder

ANCHORS, CLASSES = 3, 80


def _csp(net: NetworkBuilder, name: str, x: str, outputs: int, depth: int, residual: bool = True) -> str:
    half = outputs // 2
    left = net.conv(f"{name}/cv1", x, half, 1, act="silu")
    for index in range(net.deep(depth)):
        y = net.conv(f"{name}/m{index}/cv1", left, half, 1, act="silu")
        y = net.conv(f"{name}/m{index}/cv2", y, half, 3, act="silu")
        left = net.add(f"{name}/m{index}/add", left, y) if residual else y
    right = net.conv(f"{name}/cv2", x, half, 1, act="silu")
    return net.conv(f"{name}/cv3", net.concat(f"{name}/concat", (left, right)), outputs, 1, act="silu")


def _pyramid_of_pools(net: NetworkBuilder, name: str, x: str, outputs: int) -> str:
    parts = [net.conv(f"{name}/cv1", x, outputs // 2, 1, act="silu")]
    for index in range(3):
        parts.append(net.max_pool(f"{name}/pool{index}", parts[-1], 5, 1, 2))
    return net.conv(f"{name}/cv2", net.concat(f"{name}/concat", parts), outputs, 1, act="silu")


def _head(net: NetworkBuilder, name: str, x: str) -> str:
    """(1, anchors * h * w, 5 + classes): what is found at every place, all values between 0 and 1."""
    y = net.conv(f"{name}/conv", x, ANCHORS * (5 + CLASSES), 1)
    n, _, h, w = net.shapes[y]
    y = net.transpose(f"{name}/swap", net.reshape(f"{name}/split", y, (n, ANCHORS, 5 + CLASSES, h, w)), (0, 1, 3, 4, 2))
    return net.reshape(f"{name}/join", net.sigmoid(f"{name}/sigmoid", y), (n, ANCHORS * h * w, 5 + CLASSES))


def yolo(size: int = 640, width: float = 1.0, seed: int = 0) -> onnx.ModelProto:
    """Float32 model, input (1, 3, size, size), output (1, 3 * (size² / 64 + size² / 256 + size² / 1024), 85)."""
    net = NetworkBuilder("yolo", (1, 3, size, size), seed=seed, width=width)
    c1, c2, c3, c4, c5 = (net.wide(channels) for channels in (16, 32, 64, 128, 256))
    x = net.conv("b0", "input", c1, 6, 2, act="silu", pad=2)
    x = _csp(net, "b2", net.conv("b1", x, c2, 3, 2, act="silu"), c2, 1)
    third = _csp(net, "b4", net.conv("b3", x, c3, 3, 2, act="silu"), c3, 2)
    fourth = _csp(net, "b6", net.conv("b5", third, c4, 3, 2, act="silu"), c4, 3)
    x = _csp(net, "b8", net.conv("b7", fourth, c5, 3, 2, act="silu"), c5, 1)
    top = net.conv("h10", _pyramid_of_pools(net, "b9", x, c5), c4, 1, act="silu")
    x = _csp(net, "h13", net.concat("h12", (net.upsample("h11", top), fourth)), c4, 1, residual=False)
    middle = net.conv("h14", x, c3, 1, act="silu")
    small = _csp(net, "h17", net.concat("h16", (net.upsample("h15", middle), third)), c3, 1, residual=False)
    x = net.concat("h19", (net.conv("h18", small, c3, 3, 2, act="silu"), middle))
    medium = _csp(net, "h20", x, c4, 1, residual=False)
    x = net.concat("h22", (net.conv("h21", medium, c4, 3, 2, act="silu"), top))
    large = _csp(net, "h23", x, c5, 1, residual=False)
    heads = [_head(net, f"detect{index}", x) for index, x in enumerate((small, medium, large))]
    return net.build(net.concat("detections", heads))
