"""Compares the layers of a quantized model on the same inputs, each by itself.

Comparing only final outputs mixes the errors of all layers; here each layer gets exactly the integers that the
reference computed for its inputs, so a difference of more than one quantization step has a name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

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


def _walk_back(
    end: int, values: Container[str], reads: Callable[[int], Iterable[str]], producer: Mapping[str, int]
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The nodes that compute what node `end` makes of `values`, in order, and which of these they read.

    reads: the names that a node reads. producer: the node that computes a name.
    """
    members: set[int] = set()
    sources: dict[str, None] = {}
    pending = [end]
    while pending:
        index = pending.pop()
        if index in members:
            continue
        members.add(index)
        for name in reads(index):
            if name in values:
                sources[name] = None
            elif name in producer:
                pending.append(producer[name])
    return tuple(sorted(members)), tuple(sources)


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
    values = graph_inputs | set(ends)
    for output, end in ends.items():
        members, sources = _walk_back(end, values, lambda index: graph.node[index].input, producer)
        nodes = [graph.node[index] for index in members]
        inner = [n for n in nodes if n.op_type not in ("QuantizeLinear", "DequantizeLinear")]
        layers.append(
            Layer(
                name=inner[0].name if inner else graph.node[end].name,
                op_types=tuple(n.op_type for n in inner) or ("QuantizeLinear",),
                nodes=members,
                inputs=sources,
                output=output,
            )
        )
    return layers


_TRANSPARENT = ("DequantizeLinear", "Identity")


def all_layers(model: onnx.ModelProto) -> list[Layer]:
    """Those of `split_layers`, and of what is in none of them every node for itself, in topological order.

    A node with several outputs is as many layers. What is no tensor, such as a sequence, is part of the layers that
    read it; so are dequantizations, identities and what is computed of constants alone.
    """
    graph = model.graph
    constants = {item.name for item in graph.initializer}
    graph_inputs = {item.name for item in graph.input} - constants
    active = set(graph_inputs)
    for node in graph.node:
        if active.intersection(_reads(node)):
            active.update(node.output)
    quantized = split_layers(model)
    inside = {index for layer in quantized for index in layer.nodes}
    ends = {layer.output for layer in quantized}
    wanted = {name for node in graph.node for name in _reads(node)} | {item.name for item in graph.output}
    no_tensors = _no_tensors(model)
    producer = {name: index for index, node in enumerate(graph.node) for name in node.output}
    # Where a layer may start: what has a value that can be fed.
    values = set(ends) | graph_inputs
    singles: list[tuple[str, int]] = []
    leaving = {item.name for item in graph.output}
    for index, node in enumerate(graph.node):
        for name in node.output:
            is_own = index not in inside and (node.op_type not in _TRANSPARENT or name in leaving)
            if is_own and name in active and name in wanted and name not in no_tensors and name not in ends:
                values.add(name)
                singles.append((name, index))
    layers = [(layer.nodes[-1], layer) for layer in quantized]
    for output, end in singles:
        members, sources = _walk_back(end, values, lambda index: _reads(graph.node[index]), producer)
        node = graph.node[end]
        layers.append((end, Layer(node.name or output, (node.op_type,), members, sources, output)))
    return [layer for _, layer in sorted(layers, key=lambda item: item[0])]


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    """What a node reads, also in the graphs of its branches and loops."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            own = {item.name for item in (*graph.input, *graph.initializer)}
            own.update(name for inner in graph.node for name in inner.output)
            read = [name for inner in graph.node for name in _reads(inner)] + [item.name for item in graph.output]
            yield from (name for name in read if name not in own)


def _no_tensors(model: onnx.ModelProto) -> set[str]:
    """Sequences and optional values, as far as inference knows them."""
    try:
        inferred = onnx.shape_inference.infer_shapes(model).graph
    except Exception:
        # What ONNX cannot infer is refused by whoever runs the model, with a reason.
        return set()
    return {
        item.name
        for item in (*inferred.value_info, *inferred.output)
        if item.type.WhichOneof("value") not in (None, "tensor_type")
    }


def expose(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """The model with the tensors `names` as its outputs."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    return expose_in(exposed, names)


def expose_in(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """As `expose`, but changes the model itself."""
    del model.graph.output[:]
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    return model


def _computed(name: str) -> str:
    """The output of a layer, where its name is that of an input already."""
    return f"{name}/computed"


def cut_out(model: onnx.ModelProto, layers: Sequence[Layer], values: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """A model of `layers`, of which later ones read what earlier ones compute; its output is that of the last.

    values: arrays by name of all tensors that the layers read or make, of which dtypes and shapes are taken.
    """
    made = {layer.output for layer in layers}
    inputs = dict.fromkeys(name for layer in layers for name in layer.inputs if name not in made)
    return _piece(model, layers, list(inputs), {layers[-1].output: layers[-1].output}, values)


def take_apart(model: onnx.ModelProto, layers: Sequence[Layer], values: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """A model of `layers` side by side: none reads what another computes.

    Its inputs are all that the layers read; the output of a layer has "/computed" behind its name. values: arrays by
    name, of which dtypes and shapes are taken.
    """
    inputs = dict.fromkeys(name for layer in layers for name in layer.inputs)
    return _piece(model, layers, list(inputs), {layer.output: _computed(layer.output) for layer in layers}, values)


def _piece(
    model: onnx.ModelProto,
    layers: Sequence[Layer],
    inputs: Sequence[str],
    outputs: Mapping[str, str],
    values: Mapping[str, np.ndarray],
) -> onnx.ModelProto:
    """A model of the nodes of `layers`, whose `outputs` have other names where they are computed."""
    graph, nodes, used = model.graph, [], set()
    for index in sorted({index for layer in layers for index in layer.nodes}):
        node = onnx.NodeProto()
        node.CopyFrom(graph.node[index])
        node.output[:] = [outputs.get(name, name) for name in node.output]
        used.update(_reads(node))
        nodes.append(node)

    def declare(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)

    pieces = helper.make_graph(
        nodes,
        "layers",
        [declare(name, values[name]) for name in inputs],
        [declare(computed, values[name]) for name, computed in outputs.items()],
        [item for item in graph.initializer if item.name in used],
    )
    return helper.make_model(
        pieces, opset_imports=model.opset_import, ir_version=model.ir_version, functions=model.functions
    )


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
    """ONNX Runtime as a runner (optional dependency). as_written: see `onnx_runtime_options`."""
    import onnxruntime

    options = onnx_runtime_options(as_written=as_written)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return {name: np.asarray(value) for name, value in zip(names, session.run(names, dict(feeds)), strict=True)}


def onnx_runtime_options(*, as_written: bool) -> Any:
    """Options of a session of ONNX Runtime, single-threaded.

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
    return options
