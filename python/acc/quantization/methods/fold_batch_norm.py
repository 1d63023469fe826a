"""Normalizations with known statistics become part of the layer before them, or a product and a sum."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from acc.quantization.model import FloatModel, attribute, infer

__all__ = ["fold_batch_norm"]


def fold_batch_norm(model: FloatModel, *, into_layers: bool = True) -> int:
    """Removes the BatchNormalization nodes of `model`; returns how many became part of a layer.

    into_layers: whether they may; if not, or where there is none to take one, it becomes a product and a sum with a
    constant for each channel.
    """
    folded = 0
    nodes: list[onnx.NodeProto] = []
    for node in model.nodes:
        if not _is_known(model, node):
            nodes.append(node)
            continue
        scale, bias, mean, variance = (model.constants[name].astype(np.float64) for name in node.input[1:5])
        factor = scale / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
        offset = bias - mean * factor
        before = model.producers.get(node.input[0])
        takes = into_layers and before is not None and model.only_reader(node.input[0]) is node
        if before is not None and takes and _scale_layer(model, before, factor, offset):
            # The layer takes the place of what it was normalized by.
            before.output[0] = node.output[0]
            folded += 1
            continue
        nodes += _as_arithmetic(model, node, factor, offset)
    del model.nodes[:]
    model.nodes.extend(nodes)
    infer(model)
    return folded


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
    if has_bias and (node.input[2] not in model.constants or model.constants[node.input[2]].size != factor.size):
        return False
    weight = model.constants[node.input[1]].astype(np.float64)
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
    bias = model.constants[node.input[2]].reshape(-1).astype(np.float64) if has_bias else 0.0
    names = model.fresh(f"{node.name}_folded_weight"), model.fresh(f"{node.name}_folded_bias")
    model.set(names[0], weight.astype(np.float32))
    model.set(names[1], (bias * factor + offset).astype(np.float32))
    inputs = [node.input[0], *names]
    del node.input[:]
    node.input.extend(inputs)
    return True


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
