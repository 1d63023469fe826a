"""Splits a QDQ model into one small model per quantized layer, to compare layers on the same inputs.

Comparing only final outputs mixes the errors of all layers; here each layer gets exactly the integers that the
reference computed for its inputs, so a difference of more than one quantization step has a name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import onnx
from onnx import helper, shape_inference

Runner = Callable[[onnx.ModelProto, Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Layer:
    """One quantized layer: `model` maps quantized tensors (or graph inputs) to the quantized `output`."""

    name: str
    op_types: tuple[str, ...]
    model: onnx.ModelProto
    inputs: tuple[str, ...]
    output: str


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How far two runs of one layer differ: elements, fraction equal, largest difference in quantization steps."""

    layer: str
    elements: int
    equal: float
    largest: int


def split_layers(model: onnx.ModelProto) -> list[Layer]:
    """The layers of a QDQ model with static shapes, in topological order.

    A layer ends at every QuantizeLinear of an activation and starts at the quantized tensors (or float graph
    inputs) that it depends on.
    """
    graph = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    values = {v.name: v for v in [*graph.input, *graph.value_info, *graph.output]}
    constants = {i.name: i for i in graph.initializer}
    graph_inputs = {i.name for i in graph.input if i.name not in constants}
    producer = {output: node for node in graph.node for output in node.output}
    boundaries = {n.output[0] for n in graph.node if n.op_type == "QuantizeLinear" and n.input[0] not in constants}

    layers = []
    for quantize in graph.node:
        if quantize.op_type != "QuantizeLinear" or quantize.output[0] not in boundaries:
            continue
        members: set[int] = set()
        sources: dict[str, None] = {}
        pending = [quantize]
        while pending:
            node = pending.pop()
            if id(node) in members:
                continue
            members.add(id(node))
            for name in node.input:
                if name in boundaries or name in graph_inputs:
                    sources[name] = None
                elif name in producer:
                    pending.append(producer[name])
        nodes = [n for n in graph.node if id(n) in members]
        used = {name for n in nodes for name in n.input}
        output = quantize.output[0]
        inner = [n for n in nodes if n.op_type not in ("QuantizeLinear", "DequantizeLinear")]
        piece = helper.make_graph(
            nodes,
            f"layer_{len(layers)}",
            [values[name] for name in sources],
            [values[output]],
            [constants[name] for name in constants if name in used],
        )
        layers.append(
            Layer(
                name=inner[0].name if inner else quantize.name,
                op_types=tuple(n.op_type for n in inner) or ("QuantizeLinear",),
                model=helper.make_model(piece, opset_imports=model.opset_import, ir_version=model.ir_version),
                inputs=tuple(sources),
                output=output,
            )
        )
    return layers


def compare_layers(
    model: onnx.ModelProto, feeds: Mapping[str, np.ndarray], reference: Runner, candidate: Runner
) -> Iterator[Agreement]:
    """Runs every layer with both runners on the inputs that the reference computed, and compares them."""
    values: dict[str, np.ndarray] = dict(feeds)
    for layer in split_layers(model):
        inputs = {name: values[name] for name in layer.inputs}
        expected = reference(layer.model, inputs)[layer.output]
        actual = candidate(layer.model, inputs)[layer.output]
        values[layer.output] = expected
        difference = np.abs(actual.astype(np.int64) - expected.astype(np.int64))
        yield Agreement(
            layer=f"{layer.name} ({', '.join(layer.op_types)})",
            elements=difference.size,
            equal=float((difference == 0).mean()) if difference.size else 1.0,
            largest=int(difference.max(initial=0)),
        )


def onnx_runtime(model: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """ONNX Runtime as a runner (optional dependency); single-threaded, default graph optimisations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    # Without it, sums of products saturate in 16 bits on processors that lack VNNI.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return {name: np.asarray(value) for name, value in zip(names, session.run(names, dict(feeds)), strict=True)}
