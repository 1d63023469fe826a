"""Cross-layer equalisation (Nagel et al., Data-free quantization through weight equalization and bias correction,
2019).

Between two layers with nothing but a ReLU in between, a channel can be divided by a positive number in the first and
multiplied by it in the second. Channels of a tensor with one scale are made alike so. Weights of the first have a
scale for each channel and lose nothing; what the second's lose is weighed against it.
"""

from __future__ import annotations

from acc.quantization.calibration import Statistics
from acc.quantization.methods.channel_scales import (
    balance,
    can_multiply_rows,
    multiply_columns,
    multiply_rows,
    reads_channels,
)
from acc.quantization.model import FloatModel
from acc.quantization.options import QuantizeOptions
from acc.quantization.placement import Layer, Placement

__all__ = ["equalize", "pairs"]


def pairs(model: FloatModel, placement: Placement) -> dict[str, tuple[Layer, list[Layer]]]:
    """The tensors between a layer and those layers that alone read it, by name."""
    found = {}
    for layer in placement.layers:
        if layer.weight is None or layer.output in model.outputs or layer.output in model.captured:
            continue
        readers = [other for other in placement.layers if layer.output in other.inputs]
        if not readers or len(readers) != len(model.read_by(layer.output)):
            continue
        rows = model.constants[layer.weight].shape[_output_axis(layer)]
        if can_multiply_rows(model, layer, rows) and all(reads_channels(model, other, rows) for other in readers):
            found[layer.output] = (layer, readers)
    return found


def _output_axis(layer: Layer) -> int:
    from acc.quantization.model import attribute

    return 0 if layer.node.op_type == "Conv" or attribute(layer.node, "transB", 0) else -1


def equalize(
    model: FloatModel, placement: Placement, statistics: dict[str, Statistics], options: QuantizeOptions
) -> int:
    """Makes channels alike wherever it pays; returns between how many layers. statistics: of the tensors of `pairs`."""
    changed = 0
    for name, (layer, readers) in pairs(model, placement).items():
        seen = statistics.get(name)
        rows = len(seen.sums) if seen else 0
        if seen is None or not all(reads_channels(model, other, rows) for other in readers):
            continue
        scales = balance(model, readers, seen, options)
        if scales is None:
            continue
        multiply_rows(model, layer, 1 / scales)
        for other in readers:
            multiply_columns(model, other, scales)
        changed += 1
    return changed
