"""Bias correction (Nagel et al., Data-free quantization through weight equalization and bias correction, 2019).

Rounded weights W' do not only scatter the outputs of a layer, but move their mean by (W' - W) E[x]. The means of inputs
are known from calibration, so the bias can take that back.
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from acc.quantization.model import FloatModel, attribute
from acc.quantization.placement import Layer
from acc.quantization.weights import QuantizedWeight, chunks

__all__ = ["correct_bias"]


def correct_bias(model: FloatModel, layer: Layer, weight: QuantizedWeight, channel_means: np.ndarray) -> bool:
    """Moves the bias of a layer by what rounding its weights does to the mean of its outputs; makes one if it has none.

    channel_means: of its inputs. Returns whether there is a bias that can be moved.
    """
    node = layer.node
    if node.op_type == "ConvTranspose" and attribute(node, "group", 1) > 1:
        return False
    if node.op_type == "Gemm" and (attribute(node, "alpha", 1.0) != 1 or attribute(node, "beta", 1.0) != 1):
        return False
    rows = weight.form.rows(model.constants[node.input[1]])
    columns = weight.form.per_column(channel_means)
    moved = np.empty(len(rows))
    for at in chunks(rows):
        means = columns[np.arange(len(rows))[at] * len(columns) // len(rows)] if len(columns) > 1 else columns
        moved[at] = np.einsum("ok,ok->o", rows[at] - weight.part(at).real, np.broadcast_to(means, rows[at].shape))
    if node.op_type == "ConvTranspose":
        # An output meets one tap of so many.
        strides = attribute(node, "strides", [1])
        moved = moved / np.prod(strides)
    return add_to_bias(model, layer, moved)


def add_to_bias(model: FloatModel, layer: Layer, moved: np.ndarray) -> bool:
    """Adds numbers, one for each output, to the bias of a layer."""
    node, holder, position = layer.node, layer.node, 2
    if layer.bias is None:
        if node.op_type == "MatMul" or (len(node.input) > 2 and node.input[2]):
            return False
        bias = np.zeros(moved.shape, np.float32)
    else:
        bias = model.constants[layer.bias]
        if bias.size != moved.size:
            return False
        holder, position = _holder(layer)
    name = model.fresh(f"{layer.bias or node.name + '_bias'}_corrected")
    model.set(name, (bias + moved.reshape(bias.shape)).astype(np.float32))
    while len(holder.input) <= position:
        holder.input.append("")
    holder.input[position] = name
    layer.bias = name
    return True


def _holder(layer: Layer) -> tuple[NodeProto, int]:
    """The node that reads the bias, and where."""
    for node in (layer.node, *layer.chain):
        for position, name in enumerate(node.input):
            if name == layer.bias:
                return node, position
    raise KeyError(layer.bias)
