"""Quantized models that move images over space: pads, slices, repeated pixels, interleaved channels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx

from qdq_models import QdqModel, Quantized


class MovingModel(QdqModel):
    """Layers between which images move."""

    def pad(self, x: Quantized, pads: Sequence[int], value: float | None = None, mode: str = "constant") -> Quantized:
        """Rows and columns before (top, left) and behind (bottom, right), negative ones cut off."""
        inputs = [self.dequantize(x), self._constant(np.array([0, 0, *pads[:2], 0, 0, *pads[2:]], np.int64))]
        if value is not None:
            inputs.append(self._constant(np.float32(value)))
        n, c, h, w = x.shape
        shape = (n, c, h + pads[0] + pads[2], w + pads[1] + pads[3])
        return self._quantize(self._node("Pad", inputs, mode=mode), shape, x.scale, x.zero_point)

    def slice(self, x: Quantized, starts: Sequence[int], ends: Sequence[int], steps: Sequence[int]) -> Quantized:
        """Rows and columns."""
        inputs = [self.dequantize(x)]
        inputs += [self._constant(np.array(numbers, np.int64)) for numbers in (starts, ends, (2, 3), steps)]
        sizes = [len(range(*bounds)) for bounds in zip(starts, ends, steps, strict=True)]
        return self._quantize(self._node("Slice", inputs), (*x.shape[:2], *sizes), x.scale, x.zero_point)

    def split(self, x: Quantized, axis: int, sizes: tuple[int, ...]) -> list[Quantized]:
        name = self._name("split")
        outputs = [f"{name}_out{index}" for index in range(len(sizes))]
        inputs = [self.dequantize(x), self._constant(np.array(sizes, np.int64))]
        self.nodes.append(onnx.helper.make_node("Split", inputs, outputs, name=name, axis=axis))
        shapes = [(*x.shape[:axis], size, *x.shape[axis + 1 :]) for size in sizes]
        return [self._quantize(y, s, x.scale, x.zero_point) for y, s in zip(outputs, shapes, strict=True)]

    def resize(
        self,
        x: Quantized,
        factors: Sequence[int],
        mode: str = "nearest",
        coordinates: str = "asymmetric",
        nearest: str = "floor",
        scale: float | None = None,
    ) -> Quantized:
        scales = self._constant(np.array([1, 1, *factors], np.float32))
        value = self._node(
            "Resize",
            [self.dequantize(x), "", scales],
            mode=mode,
            coordinate_transformation_mode=coordinates,
            nearest_mode=nearest,
        )
        shape = (*x.shape[:2], *(size * factor for size, factor in zip(x.shape[2:], factors, strict=True)))
        return self._quantize(value, shape, x.scale if scale is None else scale, x.zero_point)

    def join(self, xs: list[Quantized], axis: int) -> Quantized:
        """One after the other along an axis, in the scale of the first."""
        value = self._node("Concat", [self.dequantize(x) for x in xs], axis=axis)
        shape = list(xs[0].shape)
        shape[axis] = sum(x.shape[axis] for x in xs)
        return self._quantize(value, tuple(shape), xs[0].scale, xs[0].zero_point)

    def conv_transpose(
        self,
        x: Quantized,
        channels: int,
        kernel: Sequence[int] = (2, 2),
        strides: Sequence[int] = (2, 2),
        pads: Sequence[int] = (0, 0, 0, 0),
        extra: Sequence[int] = (0, 0),
        dilations: Sequence[int] = (1, 1),
        group: int = 1,
        activation: str = "",
    ) -> Quantized:
        n, c, h, w = x.shape
        values = self.weight_values((c, channels // group, *kernel))
        w_scale = np.array(self.scale(2.0**-8), np.float32)
        weight = self._node("DequantizeLinear", [self._constant(v) for v in (values, w_scale, np.array(0, np.int8))])
        inputs = [self.dequantize(x), weight, self._bias(channels, x.scale, w_scale)]
        value = self._node(
            "ConvTranspose",
            inputs,
            kernel_shape=kernel,
            strides=strides,
            pads=pads,
            output_padding=extra,
            dilations=dilations,
            group=group,
        )
        size = [
            (extent - 1) * s + more + d * (k - 1) + 1 - before - after
            for extent, s, more, d, k, before, after in zip(
                (h, w), strides, extra, dilations, kernel, pads[:2], pads[2:], strict=True
            )
        ]
        taps = math.prod(k / s for k, s in zip(kernel, strides, strict=True))
        deviation = x.scale * float(w_scale) * 73 * 73 * np.sqrt(max(c // group * taps, 1))
        return self._quantize(
            self._activation(value, activation), (n, channels, *size), self.scale(deviation / 40), self.zero_point()
        )

    def depth_to_space(self, x: Quantized, block: int, mode: str) -> Quantized:
        n, c, h, w = x.shape
        value = self._node("DepthToSpace", [self.dequantize(x)], blocksize=block, mode=mode)
        return self._quantize(value, (n, c // block**2, h * block, w * block), x.scale, x.zero_point)

    def point(self, x: Quantized, channels: int | None = None) -> Quantized:
        """A convolution of single pixels."""
        return self.conv(x, channels or x.shape[1], (1, 1), pads=(0, 0, 0, 0))


def random_moves(seed: int) -> onnx.ModelProto:
    """Convolutions and pools with movements of images between them; some tensors in the middle are outputs too."""
    rng = np.random.default_rng(seed)
    net = MovingModel(rng, signed=bool(rng.integers(2)), powers_of_two=rng.random() < 0.2)
    channels = int(rng.choice([1, 3, 7, 8, 16, 17, 32]))
    shape = (int(rng.choice([1, 1, 2, 3])), channels, *(int(v) for v in rng.integers(3, 9, 2)))
    x = net.conv(net.input(shape), channels)
    outputs = []
    for _ in range(int(rng.integers(2, 5))):
        x = _move(net, x)
        if rng.random() < 0.2:
            outputs.append(x)
        if max(x.shape[2:]) > 24:
            size = x.shape[2:]
            x = net.slice(x, (1, 0), (min(size[0], 18), min(size[1], 19)), (2, 1))
        if rng.random() < 0.6:
            x = _compute(net, x)
    return net.build(*outputs, net.conv(x, channels, (1, 1), pads=(0, 0, 0, 0)))


def _compute(net: MovingModel, x: Quantized) -> Quantized:
    rng, kind = net.rng, net.rng.integers(5)
    c, h, w = x.shape[1:]
    if kind == 0:
        return net.conv(x, c, activation="relu")
    if kind == 1:
        return net.conv(x, c, (3, 2), pads=(1, 0, 2, 1), strides=(1, 1), group=c)
    if kind == 2:
        return net.max_pool(x, 2 if min(h, w) > 1 else 1, 1, int(rng.integers(2)) if min(h, w) > 1 else 0)
    if kind == 3:
        return net.add(x, net.point(x))
    return net.conv(x, int(rng.choice([3, 8, 16, 20])))


def _move(net: MovingModel, x: Quantized) -> Quantized:
    rng = net.rng
    c, h, w = x.shape[1:]
    kind = str(rng.choice(["pad", "border", "crop", "stride", "split", "nearest", "linear", "join", "up", "depth"]))
    if kind == "pad":
        value = None if rng.random() < 0.5 else float(rng.normal(0, 1))
        return net.pad(x, tuple(int(v) for v in rng.integers(0, 3, 4)), value)
    if kind == "border" and min(h, w) > 2:
        return net.pad(x, tuple(int(v) for v in rng.integers(0, 3, 4)), mode=str(rng.choice(["edge", "reflect"])))
    if kind == "crop" and min(h, w) > 3:
        return net.pad(x, (-1, int(rng.integers(0, 2)), int(rng.integers(-1, 2)), -1))
    if kind == "stride":
        return net.slice(x, (int(rng.integers(min(h, 2))), 0), (h, w), (2, int(rng.integers(1, 3))))
    if kind == "split" and h > 2:
        a, b = net.split(x, 2, (h - h // 2, h // 2))
        return net.join([net.point(b), a], 2)
    if kind == "nearest":
        factors = tuple(int(v) for v in rng.integers(1, 4, 2))
        coordinates, nearest = rng.choice(["asymmetric", "half_pixel"]), rng.choice(["floor", "round_prefer_floor"])
        return net.resize(x, factors, coordinates=str(coordinates), nearest=str(nearest))
    if kind == "linear":
        factors = tuple(int(v) for v in rng.choice([1, 2, 2, 3], 2))
        scale = None if rng.random() < 0.5 else net.scale(x.scale)
        return net.resize(x, factors, "linear", str(rng.choice(["asymmetric", "half_pixel"])), scale=scale)
    if kind == "join":
        return net.join([x, net.point(x), x], int(rng.integers(2, 4)))
    if kind == "up":
        strides = tuple(int(v) for v in rng.integers(1, 4, 2))
        kernel = tuple(int(v) for v in rng.integers(1, 5, 2))
        extra = tuple(int(rng.integers(s)) for s in strides)
        pads = tuple(int(rng.integers(k)) if min(h, w) > 2 else 0 for k in (*kernel, *kernel))
        group = c if rng.random() < 0.3 else 1
        return net.conv_transpose(x, c, kernel, strides, pads, extra, group=group)
    if kind == "depth":
        return net.depth_to_space(net.point(x, 4 * c), 2, str(rng.choice(["DCR", "CRD"])))
    return x
