"""What is to be known of a tensor for the sake of its readers: the axis of channels, and how much each counts."""

from __future__ import annotations

import numpy as np

from acc.quantization.calibration import Watch
from acc.quantization.model import FloatModel
from acc.quantization.placement import Layer, Placement
from acc.quantization.weights import WeightForm

__all__ = ["energies", "watch"]


def watch(model: FloatModel, placement: Placement, root: str) -> Watch:
    """How `root` is to be watched.

    An error of a channel reaches the outputs of a convolution or product times the weights of the channel: so much it
    counts. Readers count alike, whatever the size of their weights.
    """
    rank = model.rank(root)
    if not rank:
        return Watch()
    readers = [layer for layer in placement.layers if root in layer.inputs]
    with_weights = [layer for layer in readers if layer.weight is not None]
    axis = _axis(with_weights, rank)
    size = (model.shapes.get(root) or [None] * rank)[axis]
    total = np.zeros(0)
    for layer in with_weights:
        found = energies(model, layer)
        if total.size == 0:
            total = np.zeros(len(found))
        if len(found) != len(total) or (isinstance(size, int) and size != len(total)):
            return Watch(axis)
        mean = found.mean()
        total += found / mean if mean > 0 else 1.0
    if total.size == 0 or not total.any():
        return Watch(axis)
    others = len(readers) - len(with_weights)
    return Watch(axis, (total + others) / (len(with_weights) + others))


def _axis(layers: list[Layer], rank: int) -> int:
    """The axis of the channels that readers sum over; that of images if there are none."""
    for layer in layers:
        return 1 if layer.node.op_type in ("Conv", "ConvTranspose") else rank - 1
    return 1 if rank >= 4 else rank - 1


def energies(model: FloatModel, layer: Layer) -> np.ndarray:
    """The sum of the squares of the weights that every input channel of a layer meets."""
    assert layer.weight is not None
    weight = model.constants[layer.weight]
    form = WeightForm.of(layer.node, weight.shape)
    rows = form.rows(weight).astype(np.float64)
    squares = (rows**2).reshape(form.groups, -1, rows.shape[1]).sum(1)
    channels = int(form.channel.max()) + 1
    return np.stack([np.bincount(form.channel, group, channels) for group in squares]).reshape(-1)
