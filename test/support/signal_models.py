"""Quantized networks over one axis: signals (N, C, W), which accelerators take as images of one column."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx

from channel_networks import ChannelNetwork
from qdq_models import QdqModel, Quantized
from qdq_zoo import ZooModel


class SignalModel(ZooModel, ChannelNetwork):
    """A network of signals under construction. What needs no numbers of axes is as for images."""

    def convolution(
        self,
        x: Quantized,
        outputs: int,
        kernel: int,
        group: int = 1,
        stride: int = 1,
        pads: Sequence[int] = (0, 0),
        dilation: int = 1,
        activation: str = "relu",
    ) -> Quantized:
        weight, scales = self._weights((outputs, x.shape[1] // group, kernel), True)
        inputs = [self.dequantize(x), weight, self._bias(outputs, x.scale, scales)]
        attributes = {"group": group, "strides": [stride], "pads": list(pads), "dilations": [dilation]}
        y = self._activation(self._node("Conv", inputs, **attributes), activation)
        size = (x.shape[2] + sum(pads) - dilation * (kernel - 1) - 1) // stride + 1
        deviation = x.scale * float(scales.mean()) * 73 * 73 * np.sqrt(x.shape[1] // group * kernel)
        zero_point = self.zero_point("min" if activation else "any")
        return self._quantize(y, (x.shape[0], outputs, size), self.scale(deviation / 40), zero_point)

    def transposed(self, x: Quantized, kernel: int, stride: int, group: int = 1) -> Quantized:
        """A transposed convolution that keeps the number of channels."""
        n, c, size = x.shape
        scale = np.array(self.scale(2.0**-8), np.float32)
        values = self.weight_values((c, c // group, kernel))
        weight = self._node("DequantizeLinear", [self._constant(v) for v in (values, scale, np.array(0, np.int8))])
        inputs = [self.dequantize(x), weight, self._bias(c, x.scale, scale)]
        value = self._node("ConvTranspose", inputs, strides=[stride], group=group)
        deviation = x.scale * float(scale) * 73 * 73 * np.sqrt(max(c // group * kernel / stride, 1))
        shape = (n, c, (size - 1) * stride + kernel)
        return self._quantize(value, shape, self.scale(deviation / 40), self.zero_point())

    def moved(self, x: Quantized, size: int, op_type: str, *inputs: object, **attributes: object) -> Quantized:
        """What moves the positions of a signal, of which `size` are left; inputs are constants."""
        constants = [self._constant(np.asarray(value)) for value in inputs]
        value = self._node(op_type, [self.dequantize(x), *constants], **attributes)
        return self._quantize(value, (*x.shape[:2], size), x.scale, x.zero_point)

    def any_convolution(self, x: Quantized) -> Quantized:
        rng, channels = self.rng, x.shape[1]
        kernel = int(rng.integers(1, min(7, x.shape[2]) + 1))
        dilation = int(rng.choice([1, 1, 2])) if 2 * (kernel - 1) < x.shape[2] else 1
        pads = tuple(int(v) for v in rng.integers(0, kernel // 2 + 1, 2))
        group = int(rng.choice([1, 1, channels, 2 if channels % 2 == 0 else 1]))
        outputs = channels if group > 1 else int(rng.choice([3, 8, 16, 17, 24]))
        activation = str(rng.choice(["", "relu", "clip"]))
        return self.convolution(x, outputs, kernel, group, int(rng.choice([1, 1, 2])), pads, dilation, activation)

    def moved_positions(self, x: Quantized) -> Quantized:
        """A border, every second position, or each of them twice."""
        kind, size = self.rng.integers(3), x.shape[2]
        if kind == 0:
            before, after = (int(v) for v in self.rng.integers(0, 3, 2))
            return self.moved(x, size + before + after, "Pad", np.array([0, 0, before, 0, 0, after]))
        if kind == 1:
            return self.moved(x, -(-size // 2), "Slice", *(np.array([v]) for v in (0, size, 2, 2)))
        factors = np.array([1, 1, 2], np.float32)
        return self.moved(x, 2 * size, "Resize", np.zeros(0, np.float32), factors, mode="nearest")

    def channels(self, x: Quantized) -> Quantized:
        """Channels that are shuffled, split or joined."""
        if x.shape[1] < 2:
            return self.concat([x, self.convolution(x, 5, 1)])
        if self.rng.random() < 0.4:
            return self.shuffle(x)
        parts = self.split(x)
        return self.concat([self.convolution(parts[0], 7, 1), *parts[1:]])

    def residual(self, x: Quantized) -> Quantized:
        return self.binary(str(self.rng.choice(["Add", "Sub", "Mul"])), x, self.convolution(x, x.shape[1], 1))


_LAYERS: tuple[Callable[[SignalModel, Quantized], Quantized], ...] = (
    *(SignalModel.any_convolution, SignalModel.any_convolution, SignalModel.any_max_pool, SignalModel.average_pool),
    *(SignalModel.moved_positions, SignalModel.channels, SignalModel.residual, SignalModel.rescale),
    lambda net, x: net.transposed(x, int(net.rng.integers(1, 5)), int(net.rng.integers(1, 4))),
    lambda net, x: QdqModel.function(net, x, str(net.rng.choice(["LeakyRelu", "Sigmoid", "HardSwish", "Abs"]))),
)


def signal_network(seed: int) -> onnx.ModelProto:
    """A first convolution of few channels, then layers of any kind."""
    rng = np.random.default_rng([seed, 8])
    net = SignalModel(rng, signed=bool(rng.integers(2)), powers_of_two=rng.random() < 0.2)
    x = net.input((int(rng.choice([1, 1, 2, 3])), int(rng.choice([1, 2, 3, 8])), int(rng.integers(9, 60))))
    x = net.any_convolution(x)
    for _ in range(int(rng.integers(2, 7))):
        x = _LAYERS[int(rng.integers(len(_LAYERS)))](net, x)
        if x.shape[1] > 48:
            x = net.convolution(x, 20, 1)
        if x.shape[2] > 100:
            x = net.moved(x, 50, "Slice", *(np.array([v]) for v in (3, 53, 2)))
    return net.finish([net.convolution(x, 9, 1, activation="")])
