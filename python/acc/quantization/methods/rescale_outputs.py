"""Scales for each channel of what a layer makes, where nothing but float operators reads it.

A quantized activation has one scale. Where one channel of a projection's output is a hundred times as large as the
others, as in the residual stream of transformers, these lose all they have. Weights have a scale for each output
anyway, so channels can be made alike in the layer at no loss; what reads them in float multiplies them back, by a
constant for each channel.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from acc.quantization.calibration import Statistics
from acc.quantization.methods.channel_scales import can_multiply_rows, floored, multiply_rows
from acc.quantization.model import FloatModel
from acc.quantization.placement import Layer, Placement

__all__ = ["rescale_outputs", "tensors"]

_USUAL = 0.9
"""The share of the channels that have one scale."""

_WORTH = 0.5
"""What the square error must come to, at least, for a product that nothing else needs."""


def sums(model: FloatModel, placement: Placement) -> set[str]:
    """What matrix products make that need not be rounded: for sums and normalizations in float (`tensors`), and for
    functions of numbers, whose results are rounded anyway.

    Native code computes such products with integers, and multiplies the sums by the scales: nothing is won by rounding
    what they make. One channel of a residual stream may be a hundred times as large as the others, and a GELU makes
    small numbers of most that it reads.
    """
    products = {
        layer.output: layer
        for layer in placement.layers
        if layer.weight is not None and layer.node.op_type in ("MatMul", "Gemm")
    }
    functions = {node.name for node in placement.functions}
    for_functions = {
        name
        for name in products
        if name not in model.outputs
        and name not in model.captured
        and (readers := model.read_by(name))
        and all(reader.node.name in functions for reader in readers)
    }
    return for_functions | (products.keys() & tensors(model, placement).keys())


def tensors(model: FloatModel, placement: Placement) -> dict[str, Layer]:
    """The outputs of layers with weights that only float operators read, by name, where sums or normalizations do.

    Those are the same features for every sample. Channels of a classifier are classes: one that the samples at hand do
    not show would be cut off when it comes.
    """
    integers = {layer.name for layer in placement.layers} | {node.name for node in placement.functions}
    found = {}
    for layer in placement.layers:
        name = layer.output
        if layer.weight is None or name in model.outputs or name in model.captured:
            continue
        readers = model.read_by(name)
        if any(reader.node.name in integers for reader in readers):
            continue
        if any(_is_sum(model, reader.node) or reader.node.op_type == "LayerNormalization" for reader in readers):
            found[name] = layer
    return found


def _is_sum(model: FloatModel, node: onnx.NodeProto) -> bool:
    """Whether a node adds two computed tensors."""
    return node.op_type == "Add" and not any(name in model.constants for name in node.input)


def rescale_outputs(model: FloatModel, placement: Placement, statistics: dict[str, Statistics]) -> int:
    """Makes channels alike wherever it pays; returns of how many layers. statistics: of outputs of `tensors`, but for
    those that stay as they are."""
    changed = 0
    for name, layer in tensors(model, placement).items():
        seen = statistics.get(name)
        if seen is None or not can_multiply_rows(model, layer, len(seen.sums)):
            continue
        reach = floored(seen.magnitudes)
        if reach is None:
            continue
        # Only channels that stand out get a scale of their own: the others may be as large for other samples, as are
        # the scores of classes that calibration has hardly seen.
        reach = np.maximum(reach, np.quantile(reach, _USUAL))
        factors = reach / reach.max()
        low, high = (seen.minima / factors).min(initial=0), (seen.maxima / factors).max(initial=0)
        before = (max(seen.high, 0.0) - min(seen.low, 0.0)) ** 2
        if not float(np.mean(((high - low) * factors) ** 2)) < _WORTH * before:
            continue
        multiply_rows(model, layer, 1 / factors)
        end = layer.chain[-1] if layer.chain else layer.node
        rank = model.rank(name) or 1
        along = (-1, *[1] * (rank - 2)) if layer.node.op_type == "Conv" else (-1,)
        constant, alike = model.fresh(f"{name}_channels"), model.fresh(f"{name}_alike")
        model.set(constant, factors.astype(np.float32).reshape(along))
        end.output[0] = alike
        model.add_after(end, helper.make_node("Mul", [alike, constant], [name], name=f"{name}/Mul"))
        changed += 1
    return changed
