"""SmoothQuant (Xiao et al., SmoothQuant: Accurate and efficient post-training quantization for large language models,
2022).

What a LayerNormalization or a GELU makes has channels that are a hundred times as large as others. Before it is
quantized for a product, channels are divided by numbers that the weights of the product are multiplied by. The
division becomes part of the normalization where nothing else reads that, and is a product with a constant otherwise,
in float, or in the table of a function. An accelerator has one table or one sequence of steps for all channels: where
scales are chosen for it, what functions make stays as it is.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from acc.quantization.calibration import Statistics
from acc.quantization.methods.channel_scales import Reading, balance, multiply_columns, reads_channels
from acc.quantization.model import FloatModel, attribute
from acc.quantization.options import QuantizeOptions
from acc.quantization.placement import Layer, Placement

__all__ = ["smooth", "tensors"]


def tensors(model: FloatModel, placement: Placement) -> dict[str, list[Layer]]:
    """The tensors that are made in float and read by products with weights, and these, by name."""
    made = {layer.output for layer in placement.layers}
    inputs = {value.name for value in model.proto.graph.input}
    found: dict[str, list[Layer]] = {}
    for layer in placement.layers:
        name = layer.inputs[0] if layer.inputs else ""
        if (
            layer.weight is None
            or name in made
            or name in inputs
            or layer.node.op_type not in ("MatMul", "Gemm", "Conv")
        ):
            continue
        if model.producers[name].op_type in ("Cast", "OneHot", "Softmax"):
            continue
        found.setdefault(name, []).append(layer)
    return found


def smooth(model: FloatModel, placement: Placement, statistics: dict[str, Statistics], options: QuantizeOptions) -> int:
    """Makes channels alike wherever it pays; returns of how many tensors. statistics: of those of `tensors`."""
    changed = 0
    functions = {node.name for node in placement.functions} if options.hardware_friendly else set[str]()
    for name, readers in tensors(model, placement).items():
        seen = statistics.get(name)
        if model.producers[name].name in functions:
            continue
        if seen is None or not all(reads_channels(model, layer, len(seen.sums)) for layer in readers):
            continue
        scales = balance(model, [Reading(seen, readers)], options)
        if scales is None:
            continue
        for layer in readers:
            multiply_columns(model, layer, scales)
        _divide(model, name, readers, scales)
        changed += 1
    return changed


def _divide(model: FloatModel, name: str, readers: list[Layer], scales: np.ndarray) -> None:
    """Divides the channels of what `readers` read."""
    producer = model.producers[name]
    everybody = len(model.read_by(name)) == len(readers) and name not in model.outputs and name not in model.captured
    if everybody and _divide_normalization(model, producer, scales):
        return
    rank = model.rank(name) or 1
    is_image = readers[0].node.op_type == "Conv"
    factors = (1 / scales).astype(np.float32).reshape((-1, *[1] * (rank - 2)) if is_image else (-1,))
    constant, divided = model.fresh(f"{name}_smoothing"), model.fresh(f"{name}_smooth")
    model.set(constant, factors)
    node = helper.make_node("Mul", [name, constant], [divided], name=f"{divided}/Mul")
    for layer in readers:
        layer.node.input[0] = divided
    model.add_after(producer, node)


def _divide_normalization(model: FloatModel, node: onnx.NodeProto, scales: np.ndarray) -> bool:
    """Makes the division a part of a LayerNormalization over the channels alone, if that is what `node` is."""
    if node.op_type != "LayerNormalization" or any(name not in model.constants for name in node.input[1:] if name):
        return False
    rank = model.rank(node.input[0])
    axis = attribute(node, "axis", -1)
    if rank is None or axis % rank != rank - 1:
        return False
    for position in range(1, len(node.input)):
        if node.input[position]:
            value = model.constants[node.input[position]]
            name = model.fresh(f"{node.input[position]}_smooth")
            model.set(name, (value / scales).astype(np.float32))
            node.input[position] = name
    return True
