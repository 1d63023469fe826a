"""Numbers by which channels of a tensor are divided, and weights on either side multiplied: what all methods share
that make channels alike. Nothing of what the float model computes changes but by rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from acc.quantization.calibration import Statistics
from acc.quantization.model import FloatModel, attribute
from acc.quantization.options import QuantizeOptions
from acc.quantization.placement import Layer
from acc.quantization.weights import WeightForm, block_size, largest

__all__ = [
    "Reading",
    "balance",
    "can_multiply_rows",
    "floored",
    "form_of",
    "multiply_columns",
    "multiply_rows",
    "reads_channels",
]

_EXPONENTS = (0.25, 0.35, 0.5, 0.65, 0.75, 1.0)

_WORTH = 0.9
"""What a change must bring the error to, at least, to be made."""

_LEAST = 0.02
"""The smallest magnitude of a channel, in parts of the largest: what was never seen is not zero elsewhere."""


def form_of(model: FloatModel, layer: Layer) -> WeightForm:
    """How the weights of a layer that has some are a matrix."""
    return WeightForm.of(layer.node, model.constants[layer.weight or ""].shape)


def reads_channels(model: FloatModel, layer: Layer, channels: int) -> bool:
    """Whether the weights of a layer meet so many channels of its input, each apart from the others."""
    if layer.weight is None or layer.node.op_type == "ConvTranspose":
        return False
    if layer.node.op_type == "Gemm" and attribute(layer.node, "transA", 0):
        return False
    form = form_of(model, layer)
    return form.groups * (int(form.channel.max(initial=-1)) + 1) == channels


@dataclass(frozen=True)
class Reading:
    """A tensor whose channels can be scaled: what was seen of it, and the layers with weights that read it.

    whole: whether others read it as it is, such as sums, to which all channels matter alike.
    """

    seen: Statistics
    layers: Sequence[Layer]
    whole: bool = False


def balance(model: FloatModel, readings: Sequence[Reading], options: QuantizeOptions) -> np.ndarray | None:
    """The numbers by which to divide the channels of tensors, the same for all of them; None for none.

    As in SmoothQuant, they are |x|^a / |w|^(1 - a) of the largest inputs and weights of a channel. Of several a, that
    is taken for which the errors of the outputs that rounded inputs and rounded weights cause are the least in sum,
    if errors are independent.
    """
    found = [_Balance(model, reading, options) for reading in readings]
    weights = [item.weights for item in found if item.weights is not None]
    reaches = [magnitudes for item in found if (magnitudes := floored(item.seen.magnitudes)) is not None]
    if not weights or len(reaches) < len(found):
        return None
    # Of several tensors, channels count as the part of the largest one that they are.
    inputs = np.maximum.reduce([reach / reach.max() for reach in reaches])
    sized = [weight / weight.max() for weight in weights if weight.max() > 0]
    largest_weights = floored(np.maximum.reduce(sized)) if sized else None
    if largest_weights is None:
        return None

    before = np.array([item.error(np.ones_like(inputs)) for item in found])
    if not ((before > 0) & np.isfinite(before)).all():
        return None
    tried = [inputs**a / largest_weights ** (1 - a) for a in _EXPONENTS]
    # Readers count alike, whatever the size of what they make.
    errors = [float(np.mean(np.array([item.error(scales) for item in found]) / before)) for scales in tried]
    best = int(np.argmin(errors))
    if not errors[best] < _WORTH:
        return None
    scales = tried[best]
    return scales / np.exp(np.log(scales).mean())


class _Balance:
    """The errors that a tensor and the weights that it meets cause, as a function of the scales of channels."""

    def __init__(self, model: FloatModel, reading: Reading, options: QuantizeOptions) -> None:
        self.seen, self.options = reading.seen, options
        self.matrices = []
        for layer in reading.layers:
            form = form_of(model, layer)
            rows = np.abs(form.rows(model.constants[layer.weight or ""]))
            bits = options.weight_bits(layer.name)
            # Of columns that share a scale, the largest counts.
            block = (block_size(layer, form, options.block) if bits < 8 else 0) or rows.shape[1]
            self.matrices.append((form, rows, largest(bits), block))
        self.weights: np.ndarray | None = None
        self.energies = np.zeros(len(self.seen.sums))
        if self.matrices:
            self.weights = np.maximum.reduce([_per_channel(form, rows, np.max) for form, rows, _, _ in self.matrices])
            self.energies = np.sum([_per_channel(form, rows**2, np.sum) for form, rows, _, _ in self.matrices], axis=0)
        if reading.whole or not self.matrices:
            self.energies = self.energies + max(float(self.energies.mean()), 1e-30)

    def error(self, scales: np.ndarray) -> float:
        """Of what is made of the tensor, but for a factor."""
        seen, options = self.seen, self.options
        low, high = (seen.minima / scales).min(initial=0), (seen.maxima / scales).max(initial=0)
        found = ((high - low) / 255) ** 2 * float(np.sum(self.energies * scales**2))
        for form, rows, steps, block in self.matrices:
            columns = form.per_column(scales)
            power = form.per_column(seen.mean_squares / scales**2).reshape(len(columns), 1, -1, block).sum(3)
            parts = rows.reshape(len(columns), -1, rows.shape[1])
            reach = (parts * columns[:, None]).reshape(*parts.shape[:2], -1, block).max(3)
            if not options.per_channel and options.weights == "int8":
                reach = np.full_like(reach, reach.max())
            found += float(np.sum((reach / steps) ** 2 * power))
        return found


def floored(magnitudes: np.ndarray) -> np.ndarray | None:
    """Magnitudes none of which is nearly zero; None if all are, or if there are none."""
    top = magnitudes.max(initial=0)
    return np.maximum(magnitudes, top * _LEAST) if top > 0 and np.isfinite(top) else None


def _per_channel(form: WeightForm, rows: np.ndarray, reduce: object) -> np.ndarray:
    """The maximum or sum of the weights that every input channel meets."""
    parts = rows.reshape(form.groups, -1, rows.shape[1])
    channels = int(form.channel.max()) + 1
    taps = rows.shape[1] // channels
    parts = parts.reshape(form.groups, -1, channels, taps)
    return reduce(parts, axis=(1, 3)).reshape(-1)  # type: ignore[operator]


def multiply_columns(model: FloatModel, layer: Layer, factors: np.ndarray) -> None:
    """Multiplies the weights that every input channel meets."""
    form = form_of(model, layer)
    rows = form.rows(model.constants[layer.weight or ""])
    columns = np.repeat(form.per_column(factors), len(rows) // form.groups, axis=0)
    _replace(model, layer.node, 1, form.restore((rows * columns).astype(np.float32)))
    layer.weight = layer.node.input[1]


def multiply_rows(model: FloatModel, layer: Layer, factors: np.ndarray) -> None:
    """Multiplies the weights of every output, and its bias."""
    form = form_of(model, layer)
    rows = form.rows(model.constants[layer.weight or ""])
    _replace(model, layer.node, 1, form.restore((rows * factors[:, None]).astype(np.float32)))
    layer.weight = layer.node.input[1]
    if layer.bias is None:
        return
    for node in (layer.node, *layer.chain):
        for position, name in enumerate(node.input):
            if name == layer.bias:
                bias = model.constants[name]
                _replace(model, node, position, (bias * factors.reshape(bias.shape)).astype(np.float32))
                layer.bias = node.input[position]
                return


def can_multiply_rows(model: FloatModel, layer: Layer, channels: int) -> bool:
    """Whether the outputs of a layer are multiplied by positive numbers if its weights and bias are."""
    if layer.weight is None or layer.node.op_type not in ("Conv", "Gemm", "MatMul"):
        return False
    if any(node.op_type not in ("Add", "Relu") for node in layer.chain):
        return False
    if len(layer.node.input) > 2 and layer.node.input[2] and layer.bias is None:
        return False
    bias = None if layer.bias is None else model.constants[layer.bias]
    form = form_of(model, layer)
    return form.shape[form.axis] == channels and (bias is None or bias.size == channels)


def _replace(model: FloatModel, node: onnx.NodeProto, position: int, value: np.ndarray) -> None:
    """A constant of one node gets another value; other readers keep theirs."""
    old = node.input[position]
    base = old if old.endswith("_scaled") else f"{old}_scaled"
    name = old if old == base and len(model.read_by(old)) <= 1 else model.fresh(base)
    model.replace(old, name, value)
    node.input[position] = name
