"""MobileNetV2 (Sandler et al. 2018), MobileNetV3-Large (Howard et al. 2019) and EfficientNet-B0 (Tan, Le 2019).

All three are chains of inverted residuals: 1x1 convolution to more channels, depthwise convolution, from the second on
squeeze and excite, 1x1 convolution to few channels without an activation.
"""

from __future__ import annotations

import onnx

from networks.builder import NetworkBuilder


def _inverted_residual(
    net: NetworkBuilder,
    name: str,
    x: str,
    expanded: int,
    outputs: int,
    kernel: int,
    stride: int,
    act: str,
    *,
    squeezed: int = 0,
    gates: tuple[str, str] = ("", ""),
) -> str:
    """squeezed: channels within squeeze and excite, 0 for none; gates: its two activations."""
    y = x
    if expanded != net.channels(x):
        y = net.conv(f"{name}/expand", y, expanded, 1, act=act)
    y = net.conv(f"{name}/depthwise", y, expanded, kernel, stride, act=act, groups=expanded)
    # A gate halves the values.
    gain = 1.0
    if squeezed:
        y, gain = net.squeeze_excite(f"{name}/se", y, squeezed, *gates), 4.0
    residual = stride == 1 and net.channels(x) == outputs
    y = net.conv(f"{name}/project", y, outputs, 1, gain=gain / 2 if residual else gain)
    return net.add(f"{name}/add", x, y) if residual else y


def mobilenet_v2(size: int = 224, width: float = 1.0, seed: int = 0) -> onnx.ModelProto:
    """Float32 model, input (1, 3, size, size), output (1, 1000)."""
    net = NetworkBuilder("mobilenet_v2", (1, 3, size, size), seed=seed, width=width)
    x = net.conv("stem", "input", net.wide(32), 3, 2, act="relu6")
    block = 0
    for factor, channels, depth, first_stride in (
        *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
        *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
    ):
        for index in range(net.deep(depth)):
            stride = first_stride if index == 0 else 1
            expanded, outputs = factor * net.channels(x), net.wide(channels)
            x = _inverted_residual(net, f"block{block}", x, expanded, outputs, 3, stride, "relu6")
            block += 1
    return net.classifier(net.conv("head", x, net.wide(1280), 1, act="relu6"), 1000)


# Kernel, expanded channels, channels, squeeze and excite, activation, stride.
_V3_LARGE = (
    (3, 16, 16, False, "relu", 1),
    (3, 64, 24, False, "relu", 2),
    (3, 72, 24, False, "relu", 1),
    (5, 72, 40, True, "relu", 2),
    (5, 120, 40, True, "relu", 1),
    (5, 120, 40, True, "relu", 1),
    (3, 240, 80, False, "hard_swish", 2),
    (3, 200, 80, False, "hard_swish", 1),
    (3, 184, 80, False, "hard_swish", 1),
    (3, 184, 80, False, "hard_swish", 1),
    (3, 480, 112, True, "hard_swish", 1),
    (3, 672, 112, True, "hard_swish", 1),
    (5, 672, 160, True, "hard_swish", 2),
    (5, 960, 160, True, "hard_swish", 1),
    (5, 960, 160, True, "hard_swish", 1),
)


def mobilenet_v3_large(size: int = 224, width: float = 1.0, seed: int = 0) -> onnx.ModelProto:
    """Float32 model, input (1, 3, size, size), output (1, 1000)."""
    net = NetworkBuilder("mobilenet_v3_large", (1, 3, size, size), seed=seed, width=width)
    x = net.conv("stem", "input", net.wide(16), 3, 2, act="hard_swish")
    for index, (kernel, expanded, outputs, excite, act, stride) in enumerate(_V3_LARGE):
        expanded = net.wide(expanded)
        squeezed = (expanded // 4 + 4) // 8 * 8 if excite else 0
        x = _inverted_residual(
            *(net, f"block{index}", x, expanded, net.wide(outputs), kernel, stride, act),
            squeezed=max(8, squeezed) if excite else 0,
            gates=("relu", "hard_sigmoid"),
        )
    x = net.conv("head", x, net.wide(960), 1, act="hard_swish")
    x = net.flatten("flatten", net.global_average_pool("global_average_pool", x))
    x = net.dense("classify1", x, net.wide(1280), act="hard_swish")
    return net.build(net.dense("classify2", x, 1000))


def efficientnet_b0(size: int = 224, width: float = 1.0, seed: int = 0) -> onnx.ModelProto:
    """Float32 model, input (1, 3, size, size), output (1, 1000)."""
    net = NetworkBuilder("efficientnet_b0", (1, 3, size, size), seed=seed, width=width)
    x = net.conv("stem", "input", net.wide(32), 3, 2, act="silu")
    block = 0
    for factor, kernel, first_stride, channels, depth in (
        *((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3)),
        *((6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)),
    ):
        for index in range(net.deep(depth)):
            inputs = net.channels(x)
            x = _inverted_residual(
                *(net, f"block{block}", x, factor * inputs, net.wide(channels), kernel),
                *(first_stride if index == 0 else 1, "silu"),
                squeezed=inputs // 4,
                gates=("silu", "sigmoid"),
            )
            block += 1
    return net.classifier(net.conv("head", x, net.wide(1280), 1, act="silu"), 1000)
