"""Random quantized networks of channels that are joined, split and shuffled, seeded."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
from onnx import helper

from qdq_models import QdqModel, Quantized

CHANNELS = (1, 3, 7, 16, 17, 32, 58, 116)


class ChannelNetwork(QdqModel):
    """A network under construction whose tensors have the same rows and columns, but for one stride."""

    def any_conv(self, x: Quantized) -> Quantized:
        """A convolution of any kind that keeps rows and columns."""
        rng, channels = self.rng, x.shape[1]
        kind = rng.choice(["point", "wide", "depthwise", "grouped"])
        if kind == "depthwise":
            return self.conv(x, channels, group=channels, activation="relu")
        if kind == "grouped":
            group = int(rng.choice([g for g in (1, 2, 3, 4, 7, 8) if channels % g == 0]))
            return self.conv(x, group * int(rng.choice([1, 2, 5])), group=group, per_channel=True)
        outputs = int(rng.choice(CHANNELS))
        if kind == "point":
            return self.conv(
                x, outputs, (1, 1), pads=(0, 0, 0, 0), activation="relu", per_channel=bool(rng.integers(2))
            )
        return self.conv(x, outputs, activation=str(rng.choice(["", "relu"])), per_channel=bool(rng.integers(2)))

    def _same(self, value: str, shape: tuple[int, ...], x: Quantized) -> Quantized:
        """A tensor quantized as `x` is or, at times, otherwise."""
        if self.rng.random() < 0.75:
            return self._quantize(value, shape, x.scale, x.zero_point)
        return self._quantize(value, shape, self.scale(x.scale), self.zero_point())

    def split(self, x: Quantized) -> list[Quantized]:
        """Channels in two or three parts, each quantized."""
        n, channels, *image = x.shape
        cuts = sorted({0, channels, *(int(c) for c in self.rng.integers(1, channels, int(self.rng.integers(1, 3))))})
        real = self.dequantize(x)
        parts = []
        for begin, end in itertools.pairwise(cuts):
            numbers = [self._constant(np.array([v], np.int64)) for v in (begin, end, 1)]
            value = self._node("Slice", [real, *numbers])
            parts.append(self._same(value, (n, end - begin, *image), x))
        return parts

    def halves(self, x: Quantized) -> list[Quantized]:
        """Channels in two halves by one Split, quantized as `x`."""
        name = self._name("split")
        names = [f"{name}_out0", f"{name}_out1"]
        n, channels, *image = x.shape
        sizes = self._constant(np.array([channels // 2] * 2, np.int64))
        self.nodes.append(helper.make_node("Split", [self.dequantize(x), sizes], names, name=name, axis=1))
        return [self._quantize(half, (n, channels // 2, *image), x.scale, x.zero_point) for half in names]

    def every_second(self, x: Quantized) -> Quantized:
        """Every second channel, from the last to the first."""
        n, channels, *image = x.shape
        numbers = [self._constant(np.array([v], np.int64)) for v in (channels - 1, -channels - 1, 1, -2)]
        value = self._node("Slice", [self.dequantize(x), *numbers])
        return self._same(value, (n, -(-channels // 2), *image), x)

    def shuffle(self, x: Quantized) -> Quantized:
        """Channels of groups taken in turn."""
        n, channels, *image = x.shape
        group = int(self.rng.choice([g for g in (2, 3, 4, 7, 1) if channels % g == 0]))
        shape = self._constant(np.array([n, group, channels // group, *image], np.int64))
        perm = [0, 2, 1, *range(3, 3 + len(image))]
        value = self._node("Transpose", [self._node("Reshape", [self.dequantize(x), shape])], perm=perm)
        value = self._node("Reshape", [value, self._constant(np.array(x.shape, np.int64))])
        return self._same(value, x.shape, x)


def channel_network(seed: int, weight_bits: int = 8) -> onnx.ModelProto:
    """Some layers, each of which may read any tensor before it; several results, in the middle too."""
    rng = np.random.default_rng(seed)
    net = ChannelNetwork(rng, signed=bool(rng.integers(2)))
    net.weight_bits = weight_bits
    size = tuple(int(v) for v in rng.integers(4, 9, 2))
    known = [net.any_conv(net.input((int(rng.choice([1, 1, 2])), int(rng.choice(CHANNELS)), *size)))]
    known.append(net.any_conv(known[0]))
    for _ in range(int(rng.integers(4, 9))):
        x, y = (known[-1 - min(int(rng.geometric(0.5)) - 1, len(known) - 1)] for _ in range(2))
        kind = rng.choice(
            ["concat", "split", "shuffle", "conv", "second", "add", "pool"], p=[0.3, 0.15, 0.15, 0.2, 0.05, 0.1, 0.05]
        )
        if kind == "concat" and x.shape[1] + y.shape[1] <= 256:
            known.append(net.concat([x, y] if rng.random() < 0.7 else [x, y, net.any_conv(x)]))
        elif kind == "split" and x.shape[1] > 1:
            known += net.split(x)
        elif kind == "shuffle":
            known.append(net.shuffle(x))
        elif kind == "second":
            known.append(net.every_second(x))
        elif kind == "add" and x.shape == y.shape and x is not y:
            known.append(net.add(x, y))
        elif kind == "pool":
            known.append(net.max_pool(x, 3, 1, 1))
        else:
            known.append(net.any_conv(x))
    last = net.conv(known[-1], 8, strides=(2, 2))
    results = [last, known[-1]] if rng.random() < 0.5 else [last]
    if rng.random() < 0.5:
        results.append(known[int(rng.integers(len(known)))])
    pooled = net.gemm(net.flatten(net.global_average_pool(known[-1])), 5)
    return net.build(*dict.fromkeys([*results, pooled]))
