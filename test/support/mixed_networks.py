"""Random quantized networks in which everything that a network may have follows everything else, seeded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx

from channel_networks import ChannelNetwork
from moving_models import MovingModel
from qdq_models import Quantized
from qdq_zoo import ZooModel

_POINT: dict[str, tuple[int, ...]] = {"kernel": (1, 1), "pads": (0, 0, 0, 0)}
_MOST = 12_000
"""Elements of an image behind which a network goes on with a smaller one."""


class MixedModel(ZooModel, MovingModel, ChannelNetwork):
    """A network under construction: images of any size, and sequences at its end."""

    budget = 600_000

    def stem(self) -> Quantized:
        """A first convolution of few channels, whose window may go into the lanes of a tile."""
        rng = self.rng
        size = tuple(int(v) for v in rng.integers(6, 18, 2))
        channels = int(rng.choice([1, 2, 3, 4, 8]))
        make = self.integer_input if rng.random() < 0.25 else self.input
        x = make((int(rng.choice([1, 1, 1, 2, 3])), channels, *size))
        kernel = tuple(int(v) for v in rng.integers(1, 6, 2))
        strides = tuple(int(v) for v in rng.integers(1, 4, 2))
        pads = tuple(int(rng.integers(0, (k + 1) // 2 + 1)) for k in (*kernel, *kernel))
        outputs = int(rng.choice([3, 8, 16, 17, 24]))
        activation = str(rng.choice(["", "relu", "clip"]))
        return self.conv(x, outputs, kernel, strides, pads, activation=activation)  # type: ignore[arg-type]

    def element(self, x: Quantized) -> Quantized:
        """A function of every element: steps of the vector unit for some scales, a table for others."""
        rng = self.rng
        kind = str(rng.choice(["LeakyRelu", "PRelu", "HardSwish", "HardSigmoid", "Abs", "Clip", "any"]))
        if kind == "any":
            return self.function(x)
        inputs, attributes = [self.dequantize(x)], {}
        if kind == "LeakyRelu":
            attributes = {"alpha": float(rng.uniform(0.01, 0.5))}
        elif kind == "PRelu":
            inputs.append(self._constant(rng.uniform(0, 0.5, (x.shape[1], 1, 1)).astype(np.float32)))
        elif kind == "Clip":
            inputs += [self._constant(np.float32(v * x.scale)) for v in (-30, 60)]
        scale = 1 / 256 if kind == "HardSigmoid" else x.scale
        return self._quantize(self._node(kind, inputs, **attributes), x.shape, self.scale(scale), self.zero_point())

    def broadcast(self, x: Quantized) -> Quantized:
        """A sum, difference or product with a tensor that is as large, or has one row, column or image."""
        rng = self.rng
        n, c, h, w = x.shape
        shape = (n if rng.random() < 0.8 else 1, c, *(s if rng.random() < 0.5 else 1 for s in (h, w)))
        y = self.conv(x if shape == x.shape else self.input(shape), c, **_POINT)  # type: ignore[arg-type]
        pair = (x, y) if rng.random() < 0.6 else (y, x)
        return self.binary(str(rng.choice(["Add", "Sub", "Mul"])), *pair, str(rng.choice(["", "relu"])))

    def resized(self, x: Quantized) -> Quantized:
        factors = tuple(int(v) for v in self.rng.choice([1, 2, 2, 3], 2))
        if self.rng.random() < 0.5:
            return self.resize(x, factors)
        coordinates = str(self.rng.choice(["asymmetric", "half_pixel"]))
        return self.resize(x, factors, "linear", coordinates, scale=self.scale(x.scale))

    def transposed(self, x: Quantized) -> Quantized:
        rng, c = self.rng, x.shape[1]
        strides, kernel = (tuple(int(v) for v in rng.integers(1, most, 2)) for most in (4, 5))
        extra = tuple(int(rng.integers(s)) for s in strides)
        group = c if rng.random() < 0.3 else 1
        return self.conv_transpose(x, c, kernel, strides, (0, 0, 0, 0), extra, group=group)

    def bordered(self, x: Quantized) -> Quantized:
        rng = self.rng
        pads = tuple(int(v) for v in rng.integers(0, 3, 4))
        modes = ["constant", "edge", "reflect"] if min(x.shape[2:]) > 2 else ["constant", "edge"]
        mode = str(rng.choice(modes))
        return self.pad(x, pads, float(rng.normal()) if mode == "constant" and rng.random() < 0.5 else None, mode)

    def part(self, x: Quantized) -> Quantized:
        """Some rows and columns, every second ones at times."""
        h, w = x.shape[2:]
        begin = tuple(int(self.rng.integers(min(s, 2))) for s in (h, w))
        return self.slice(x, begin, (h, w), tuple(int(v) for v in self.rng.integers(1, 3, 2)))

    def sides(self, x: Quantized) -> Quantized:
        """Images beside each other or one below the other, a half of one computed anew."""
        axis = int(self.rng.integers(2, 4))
        if x.shape[axis] < 3:
            return self.join([x, self.point(x)], axis)
        a, b = MovingModel.split(self, x, axis, (x.shape[axis] - 1, 1))
        return self.join([self.point(b), a], axis)

    def some_channels(self, x: Quantized) -> Quantized:
        """Channels that are split, shuffled, left out or joined."""
        rng, kind = self.rng, self.rng.integers(4)
        if x.shape[1] < 2:
            return self.concat([x, self.point(x, 5)])
        if kind == 0:
            return self.shuffle(x)
        if kind == 1:
            return self.every_second(x)
        parts = ChannelNetwork.split(self, x)
        if kind == 2:
            return self.point(parts[int(rng.integers(len(parts)))], 12)
        return self.concat([self.point(parts[0]), *parts[1:]])

    def sequence(self, x: Quantized) -> Quantized:
        """The positions of an image as a sequence, through products with weights and of computed tensors."""
        rng = self.rng
        n, c, h, w = x.shape
        x = self.transpose(self.reshape(x, (n, c, h * w)), (0, 2, 1))
        heads = int(rng.choice([1, 2]))
        x = self.rows(x, heads * int(rng.choice([8, 12, 16])), bool(rng.integers(2)), str(rng.choice(["", "own"])))
        if rng.random() < 0.6:
            return self.attention(x, heads)
        y = self.rows(x, x.shape[-1], bias=str(rng.choice(["", "float", "own"])))
        if rng.random() < 0.5:
            return self.add(x, y)
        return self.product(x, self.transpose(y, (0, 2, 1)))


_LAYERS: dict[str, tuple[float, Callable[[MixedModel, Quantized], Quantized]]] = {
    "conv": (4, MixedModel.any_conv),
    "element": (2, MixedModel.element),
    "broadcast": (2, MixedModel.broadcast),
    "gate": (0.5, MixedModel.gate),
    "average": (1, MixedModel.average_pool),
    "max": (1, MixedModel.any_max_pool),
    "rescale": (0.5, MixedModel.rescale),
    "resize": (1, MixedModel.resized),
    "transposed": (1, MixedModel.transposed),
    "depth": (
        0.5,
        lambda net, x: net.depth_to_space(net.point(x, 4 * x.shape[1]), 2, str(net.rng.choice(["DCR", "CRD"]))),
    ),
    "border": (1, MixedModel.bordered),
    "part": (1, MixedModel.part),
    "sides": (1, MixedModel.sides),
    "channels": (2, MixedModel.some_channels),
}
"""How often layers are drawn, and what they are."""


def mixed_network(seed: int, weight_bits: int = 8) -> onnx.ModelProto:
    """A stem, some layers of any kind, and at times a sequence at the end; tensors in the middle may be outputs too."""
    rng = np.random.default_rng([seed, 6])
    net = MixedModel(rng, signed=bool(rng.integers(2)), powers_of_two=rng.random() < 0.2)
    net.weight_bits = weight_bits
    x = net.stem()
    chances = np.array([chance for chance, _ in _LAYERS.values()])
    outputs: list[Quantized] = []
    for _ in range(int(rng.integers(2, 7))):
        name = str(rng.choice(list(_LAYERS), p=chances / chances.sum()))
        x = _LAYERS[name][1](net, x)
        if np.prod(x.shape) > _MOST or max(x.shape[2:]) > 24:
            x = net.any_max_pool(net.slice(x, (0, 0), (min(x.shape[2], 12), min(x.shape[3], 11)), (1, 1)))
        if x.shape[1] > 48:
            x = net.point(x, 20)
        if rng.random() < 0.15:
            outputs.append(x)
    ending = rng.random()
    if ending < 0.3 and x.shape[2] * x.shape[3] <= 64:
        x = net.sequence(x)
    elif ending < 0.6:
        x = net.dense(net.flatten(net.global_average_pool(x)))
    else:
        x = net.point(x, 8)
    return net.finish(list({y.name: y for y in (*outputs, x)}.values()))
