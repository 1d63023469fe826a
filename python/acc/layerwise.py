"""Compares the layers of a quantized model on the same inputs, each by itself.

Comparing only final outputs mixes the errors of all layers; here each layer gets exactly the integers that the
reference computed for its inputs, so a difference of more than one quantization step has a name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import onnx
from onnx import helper

Runner = Callable[[onnx.ModelProto, Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Layer:
    """What computes one quantized tensor, `output`, from others (or from graph inputs), `inputs`.

    nodes: their positions in the graph.
    """

    name: str
    op_types: tuple[str, ...]
    nodes: tuple[int, ...]
    inputs: tuple[str, ...]
    output: str


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How far two runs of one layer differ: elements, fraction equal, largest difference in quantization steps."""

    layer: str
    elements: int
    equal: float
    largest: int


def _quantizes(node: onnx.NodeProto) -> bool:
    """Whether a node makes quantized numbers: of floating-point ones, or by the arithmetic of QOperator models."""
    return node.op_type in ("QuantizeLinear", "QGemm") or node.op_type.startswith("QLinear")


def split_layers(model: onnx.ModelProto) -> list[Layer]:
    """The layers of a QDQ or QOperator model, in topological order.

    A layer ends where quantized numbers are made of activations, and starts at the quantized tensors (or graph inputs)
    that it depends on.
    """
    graph = model.graph
    constants = {item.name for item in graph.initializer}
    graph_inputs = {item.name for item in graph.input} - constants
    producer = {output: index for index, node in enumerate(graph.node) for output in node.output}
    ends = {n.output[0]: i for i, n in enumerate(graph.node) if _quantizes(n) and n.input[0] not in constants}

    layers = []
    for output, end in ends.items():
        members: set[int] = set()
        sources: dict[str, None] = {}
        pending = [end]
        while pending:
            index = pending.pop()
            if index in members:
                continue
            members.add(index)
            for name in graph.node[index].input:
                if name in ends or name in graph_inputs:
                    sources[name] = None
                elif name in producer:
                    pending.append(producer[name])
        nodes = [graph.node[index] for index in sorted(members)]
        inner = [n for n in nodes if n.op_type not in ("QuantizeLinear", "DequantizeLinear")]
        layers.append(
            Layer(
                name=inner[0].name if inner else graph.node[end].name,
                op_types=tuple(n.op_type for n in inner) or ("QuantizeLinear",),
                nodes=tuple(sorted(members)),
                inputs=tuple(sources),
                output=output,
            )
        )
    return layers


def expose(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """The model with the tensors `names` as its outputs."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    del exposed.graph.output[:]
    exposed.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    return exposed


def _computed(name: str) -> str:
    """The output of a layer, where its name is that of an input already."""
    return f"{name}/computed"


def take_apart(model: onnx.ModelProto, layers: Sequence[Layer], values: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """A model of `layers` side by side: none reads what another computes.

    Its inputs are all that the layers read; the output of a layer has "/computed" behind its name. values: arrays by
    name, of which dtypes and shapes are taken.
    """
    outputs = {layer.output for layer in layers}
    graph, nodes, used = model.graph, [], set()
    for index in sorted({index for layer in layers for index in layer.nodes}):
        node = onnx.NodeProto()
        node.CopyFrom(graph.node[index])
        node.output[:] = [_computed(name) if name in outputs else name for name in node.output]
        used.update(node.input)
        nodes.append(node)

    def declare(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)

    inputs = dict.fromkeys(name for layer in layers for name in layer.inputs)
    pieces = helper.make_graph(
        nodes,
        "layers",
        [declare(name, values[name]) for name in inputs],
        [declare(_computed(layer.output), values[layer.output]) for layer in layers],
        [item for item in graph.initializer if item.name in used],
    )
    return helper.make_model(pieces, opset_imports=model.opset_import, ir_version=model.ir_version)


def compare_layers(
    model: onnx.ModelProto, feeds: Mapping[str, np.ndarray], reference: Runner, candidate: Runner
) -> Iterator[Agreement]:
    """Runs the model with `reference`, every layer with `candidate` on the inputs that it had there, and compares them.

    Raises what the runners raise.
    """
    layers = split_layers(model)
    values = {**feeds, **reference(expose(model, [layer.output for layer in layers]), feeds)}
    pieces = take_apart(model, layers, values)
    actual = candidate(pieces, {value.name: values[value.name] for value in pieces.graph.input})
    for layer in layers:
        expected, got = values[layer.output], actual[_computed(layer.output)]
        difference = np.abs(got.astype(np.int64) - expected.astype(np.int64))
        yield Agreement(
            layer=f"{layer.name} ({', '.join(layer.op_types)})",
            elements=difference.size,
            equal=float((difference == 0).mean()) if difference.size else 1.0,
            largest=int(difference.max(initial=0)),
        )


def onnx_runtime(
    model: onnx.ModelProto, feeds: Mapping[str, np.ndarray], *, as_written: bool = False
) -> dict[str, np.ndarray]:
    """ONNX Runtime as a runner (optional dependency), single-threaded.

    as_written: operators are run one by one as the model has them, so QDQ models in floating point; else with the
    default graph optimisations, which make integer operators of them.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if as_written:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # Without it, sums of products saturate in 16 bits on processors that lack VNNI.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return {name: np.asarray(value) for name, value in zip(names, session.run(names, dict(feeds)), strict=True)}
