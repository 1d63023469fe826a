"""Encoders: BERT (Devlin et al. 2018) behind its embedding, and ViT-S/16 (Dosovitskiy et al. 2020)."""

from __future__ import annotations

import math

import numpy as np
import onnx

from networks.builder import NetworkBuilder


def _attention(net: NetworkBuilder, name: str, x: str, heads: int, scale: bool) -> str:
    """Self-attention as PyTorch's exporter writes it; scale: by dividing the scores, else both factors are scaled."""
    n, length, features = net.shapes[x]
    size = features // heads

    def project(part: str, perm: tuple[int, ...]) -> str:
        y = net.reshape(f"{name}/{part}/heads", net.linear(f"{name}/{part}", x, features), (n, length, heads, size))
        return net.transpose(f"{name}/{part}/transpose", y, perm)

    q, k, v = project("q", (0, 2, 1, 3)), project("k", (0, 2, 3, 1)), project("v", (0, 2, 1, 3))
    if scale:
        root = net.weights(f"{net.name}/root", np.float32(math.sqrt(size)))
        scores = net.same("Div", f"{name}/scale", net.matmul(f"{name}/scores", q, k), root)
    else:
        root = net.weights(f"{net.name}/root", np.float32(size**-0.25))
        scores = net.matmul(f"{name}/scores", net.mul(f"{name}/q/scale", q, root), net.mul(f"{name}/k/scale", k, root))
    y = net.matmul(f"{name}/context", net.softmax(f"{name}/softmax", scores), v)
    y = net.reshape(f"{name}/join", net.transpose(f"{name}/transpose", y, (0, 2, 1, 3)), (n, length, features))
    return net.linear(f"{name}/output", y, features)


def _feed_forward(net: NetworkBuilder, name: str, x: str) -> str:
    features = net.shapes[x][-1]
    return net.linear(
        f"{name}/fc2", net.gelu(f"{name}/gelu", net.linear(f"{name}/fc1", x, 4 * features)), features, 2.0
    )


def bert(length: int = 128, width: float = 1.0, seed: int = 0, *, layers: int = 1) -> onnx.ModelProto:
    """Layers of BERT-base on what its embedding gives, without a mask.

    Float32 model, input and output (1, length, 768), with 12 heads; fewer heads of 64 with a smaller width.
    """
    heads = max(1, round(12 * width))
    net = NetworkBuilder("bert", (1, length, 64 * heads), seed=seed, width=width)
    x = "input"
    for index in range(net.deep(layers)):
        name = f"layer{index}"
        y = _attention(net, f"{name}/attention", x, heads, True)
        x = net.layer_norm(f"{name}/norm1", net.add(f"{name}/add1", y, x))
        x = net.layer_norm(f"{name}/norm2", net.add(f"{name}/add2", _feed_forward(net, name, x), x))
    return net.build(x)


def vit_s(size: int = 224, width: float = 1.0, seed: int = 0, *, layers: int = 12) -> onnx.ModelProto:
    """ViT-S/16 with a class token: float32 model, input (1, 3, size, size), output (1, 1000)."""
    heads = max(1, round(6 * width))
    features, patches = 64 * heads, (size // 16) ** 2
    net = NetworkBuilder("vit_s", (1, 3, size, size), seed=seed, width=width)
    x = net.reshape("flatten", net.conv("patches", "input", features, 16, 16, pad=0), (1, features, patches))
    token = net.weights("token", net.draw((1, 1, features), 1.0))
    net.shapes[token] = (1, 1, features)
    x = net.concat("tokens", (token, net.transpose("transpose", x, (0, 2, 1))))
    x = net.add("positions", x, net.weights("position_embedding", net.draw((1, patches + 1, features), 0.5)))
    for index in range(net.deep(layers)):
        name = f"block{index}"
        y = _attention(net, f"{name}/attention", net.layer_norm(f"{name}/norm1", x), heads, False)
        x = net.add(f"{name}/add1", x, y)
        x = net.add(f"{name}/add2", x, _feed_forward(net, name, net.layer_norm(f"{name}/norm2", x)))
    x = net.layer_norm("norm", x)
    first = net.constant("first", np.array(0, np.int64))
    return net.build(net.dense("head", net.node("Gather", "class", [x, first], (1, features), axis=1), 1000))
