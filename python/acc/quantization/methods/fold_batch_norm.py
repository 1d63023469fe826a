"""Normalizations with known statistics become part of the layer before them, or a product and a sum."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from acc.quantization.model import FloatModel, attribute, infer

__all__ = ["fold_batch_norm"]


def fold_batch_norm(model: FloatModel, *, into_layers: bool = True) -> int:
    """Removes the BatchNormalization nodes of `model`; returns how many nodes became part of a layer.

    into_layers: whether they may, and with them sums and products with a constant for each channel, as some exporters
    write biases. If not, or where there is no layer to take one, a normalization becomes a product and a sum with
    constants.
    """
    folded = 0
    nodes: list[onnx.NodeProto] = []
    # Layers take over what follows them, one node after the other: the producers as they are by then.
    producers: dict[str, onnx.NodeProto] = {}
    for node in model.nodes:
        affine = _normalization(model, node) or (_arithmetic(model, node) if into_layers else None)
        if affine is not None:
            operand, factor, offset = affine
            before = producers.get(operand)
            alone = into_layers and model.only_reader(operand) is node
            if before is not None and alone and _scale_layer(model, before, factor, offset):
                # The layer takes the place of what it was normalized by.
                before.output[0] = node.output[0]
                producers[node.output[0]] = before
                folded += 1
                continue
            if node.op_type == "BatchNormalization":
                nodes += _as_arithmetic(model, node, factor, offset)
                continue
        nodes.append(node)
        producers.update((name, node) for name in node.output)
    # Nodes that are kept change places, and with it identity.
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.nodes[:]
    model.nodes.extend(copies)
    infer(model)
    return folded


_Affine = tuple[str, np.ndarray, np.ndarray]
"""What is multiplied by the first array, of a number or one for each channel, and then added to the second."""


def _normalization(model: FloatModel, node: onnx.NodeProto) -> _Affine | None:
    if not _is_known(model, node):
        return None
    scale, bias, mean, variance = (model.constants[name].astype(np.float64) for name in node.input[1:5])
    factor = scale / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
    return node.input[0], factor, bias - mean * factor


def _arithmetic(model: FloatModel, node: onnx.NodeProto) -> _Affine | None:
    """A sum, difference, product or quotient with a constant for each channel."""
    if node.op_type not in ("Add", "Sub", "Mul", "Div") or node.domain not in ("", "ai.onnx"):
        return None
    constant = [name in model.constants for name in node.input]
    if constant not in ([False, True], [True, False]) or (constant[0] and node.op_type in ("Sub", "Div")):
        return None
    operand, name = (node.input[1], node.input[0]) if constant[0] else (node.input[0], node.input[1])
    value = model.constants[name]
    before = model.producers.get(operand)
    rank = model.rank(operand)
    if before is None or rank is None or value.dtype != np.float32 or value.ndim > rank or not np.isfinite(value).all():
        return None
    axis = 1 if before.op_type in ("Conv", "ConvTranspose") else rank - 1
    shape = (1,) * (rank - value.ndim) + value.shape
    if any(size != 1 for place, size in enumerate(shape) if place != axis):
        return None
    numbers = value.reshape(-1).astype(np.float64)
    if node.op_type == "Add":
        return operand, np.ones(1), numbers
    if node.op_type == "Sub":
        return operand, np.ones(1), -numbers
    if not numbers.all():
        return None
    return operand, numbers if node.op_type == "Mul" else 1 / numbers, np.zeros(1)


def _is_known(model: FloatModel, node: onnx.NodeProto) -> bool:
    return (
        node.op_type == "BatchNormalization"
        and node.domain in ("", "ai.onnx")
        and not attribute(node, "training_mode", 0)
        and all(name in model.constants for name in node.input[1:5])
        and all(not name for name in node.output[1:])
        and model.is_float(node.input[0])
        and model.rank(node.input[0]) is not None
    )


def _scale_layer(model: FloatModel, node: onnx.NodeProto, factor: np.ndarray, offset: np.ndarray) -> bool:
    """Multiplies the outputs of a layer by `factor` and adds `offset`, if it is one that can."""
    if node.op_type not in ("Conv", "ConvTranspose", "Gemm") or node.input[1] not in model.constants:
        return False
    if node.op_type == "Gemm" and (attribute(node, "alpha", 1.0) != 1 or attribute(node, "beta", 1.0) != 1):
        return False
    has_bias = len(node.input) > 2 and bool(node.input[2])
    weight = model.constants[node.input[1]].astype(np.float64)
    channels = _channels(node, weight.shape)
    if factor.size not in (1, channels) or offset.size not in (1, channels) or model.is_float(node.input[1]) is False:
        return False
    if has_bias and model.constants.get(node.input[2], np.empty(0)).size not in (1, channels):
        return False
    factor, offset = np.broadcast_to(factor, channels), np.broadcast_to(offset, channels)
    groups = attribute(node, "group", 1)
    if node.op_type == "ConvTranspose":
        # Outputs of a group are its second axis, groups of inputs the first.
        inputs, outputs = weight.shape[:2]
        split = weight.reshape(groups, inputs // groups, outputs, -1) * factor.reshape(groups, 1, outputs, 1)
        weight = split.reshape(weight.shape)
    else:
        axis = 1 if node.op_type == "Gemm" and not attribute(node, "transB", 0) else 0
        along = [1] * weight.ndim
        along[axis] = -1
        weight = weight * factor.reshape(along)
    bias = model.constants[node.input[2]].reshape(-1).astype(np.float64) if has_bias else np.zeros(1)
    names = [f"{node.name}/folded_{what}" for what in ("weight", "bias")]
    # What is folded once more takes the place of what was.
    names = [name if name in node.input else model.fresh(name) for name in names]
    model.replace(node.input[1], names[0], weight.astype(np.float32))
    model.replace(node.input[2] if has_bias else "", names[1], (bias * factor + offset).astype(np.float32))
    inputs = [node.input[0], *names]
    del node.input[:]
    node.input.extend(inputs)
    return True


def _channels(node: onnx.NodeProto, shape: tuple[int, ...]) -> int:
    """How many outputs a layer with weights of this shape has."""
    if node.op_type == "ConvTranspose":
        return shape[1] * attribute(node, "group", 1)
    return shape[0] if node.op_type == "Conv" or attribute(node, "transB", 0) else shape[1]


def _as_arithmetic(
    model: FloatModel, node: onnx.NodeProto, factor: np.ndarray, offset: np.ndarray
) -> list[onnx.NodeProto]:
    rank = model.rank(node.input[0]) or 0
    along = (-1, *[1] * (rank - 2))
    names = model.fresh(f"{node.name}_factor"), model.fresh(f"{node.name}_offset")
    for name, value in zip(names, (factor, offset), strict=True):
        model.set(name, value.astype(np.float32).reshape(along))
    scaled = model.fresh(f"{node.output[0]}_scaled")
    return [
        helper.make_node("Mul", [node.input[0], names[0]], [scaled], name=f"{node.name}_mul"),
        helper.make_node("Add", [scaled, names[1]], [node.output[0]], name=node.name),
    ]
