"""The float model made ready for quantization, and the view on it that all methods share.

Ready means: one graph without functions, of an operator set that has what quantized models need, nodes and constants
with names, everything that depends on constants alone computed, and shapes inferred as far as they are known.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, inliner, numpy_helper, version_converter
from onnx.reference import ReferenceEvaluator

from acc.errors import ModelError
from acc.frontend.source import load_model
from acc.quantization.options import QuantizeError
from acc.wording import listing

__all__ = ["FloatModel", "Reader", "attribute", "check", "prepare", "read_model"]

MIN_OPSET = 13
"""From which on QuantizeLinear and DequantizeLinear have an axis."""

INT4_OPSET = 21
"""From which on they have 4 bits and blocks."""

# Nodes on constants are computed up to this many elements of a result, or what their operands have together.
_MAX_FOLDED = 1 << 16

_QUANTIZED = (
    "QuantizeLinear",
    "DequantizeLinear",
    "ConvInteger",
    "MatMulInteger",
    "DynamicQuantizeLinear",
    "MatMulNBits",
)
_MAX_ROUNDS = 8
"""How often shapes that depend on shapes are computed."""

_RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli")


@dataclass(frozen=True)
class Reader:
    """Who reads a tensor: a node, and which of its inputs the tensor is."""

    node: onnx.NodeProto
    position: int


@dataclass
class FloatModel:
    """A model under preparation. `refresh` must be called after nodes changed; constants may be changed by `set`.

    Attributes:
        proto: the model. Its nodes are in execution order and have names of their own.
        constants: initializers by name.
        types: element type (a number of TensorProto.DataType) by tensor.
        shapes: sizes by tensor, as far as they are known; a size is a number, or a name, or None.
    """

    proto: onnx.ModelProto
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, tuple[int | str | None, ...]] = field(default_factory=dict)
    producers: dict[str, onnx.NodeProto] = field(default_factory=dict)
    readers: dict[str, list[Reader]] = field(default_factory=dict)
    captured: set[str] = field(default_factory=set)
    added: dict[str, list[onnx.NodeProto]] = field(default_factory=dict)

    @property
    def nodes(self) -> Any:
        return self.proto.graph.node

    @property
    def opset(self) -> int:
        return next(entry.version for entry in self.proto.opset_import if entry.domain in ("", "ai.onnx"))

    @property
    def outputs(self) -> list[str]:
        return [value.name for value in self.proto.graph.output]

    def refresh(self) -> None:
        """Reads producers and readers anew."""
        self.producers = {name: node for node in self.nodes for name in node.output if name}
        readers: dict[str, list[Reader]] = defaultdict(list)
        self.captured = set()
        for node in self.nodes:
            for position, name in enumerate(node.input):
                if name:
                    readers[name].append(Reader(node, position))
            for graph in _subgraphs(node):
                self.captured |= set(_names_read(graph))
        self.readers = dict(readers)

    def add_after(self, node: onnx.NodeProto, new: onnx.NodeProto) -> None:
        """Puts a node behind another one at the next `infer`; until then nodes stay where they are."""
        self.added.setdefault(node.name, []).append(new)

    def read_by(self, name: str) -> list[Reader]:
        return self.readers.get(name, [])

    def set(self, name: str, value: np.ndarray) -> None:
        """Gives a constant another value, or makes a new one."""
        self.constants[name] = value

    def fresh(self, name: str) -> str:
        """A tensor's name that is not used yet, near to `name`."""
        new = {output for nodes in self.added.values() for node in nodes for output in node.output}
        taken = new | self.constants.keys() | self.producers.keys() | {value.name for value in self.proto.graph.input}
        candidate, count = name, 0
        while candidate in taken:
            count += 1
            candidate = f"{name}_{count}"
        return candidate

    def rank(self, name: str) -> int | None:
        if name in self.constants:
            return self.constants[name].ndim
        return len(self.shapes[name]) if name in self.shapes else None

    def is_float(self, name: str) -> bool:
        if name in self.constants:
            return self.constants[name].dtype == np.float32
        return self.types.get(name) == TensorProto.FLOAT

    def only_reader(self, name: str) -> onnx.NodeProto | None:
        """The node that alone reads a tensor, once; None if there is none, or the tensor leaves the graph."""
        readers = self.read_by(name)
        if len(readers) != 1 or name in self.captured or name in self.outputs:
            return None
        return readers[0].node

    def build(self) -> onnx.ModelProto:
        """The model with its constants as initializers; the nodes are shared."""
        used = {name for node in self.nodes for name in node.input} | self.captured | set(self.outputs)
        graph = self.proto.graph
        del graph.initializer[:]
        graph.initializer.extend(
            numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name)
            for name, value in self.constants.items()
            if name in used
        )
        return self.proto


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """The value of a node's attribute."""
    for item in node.attribute:
        if item.name == name:
            return helper.get_attribute_value(item)
    return default


def read_model(model: str | os.PathLike[str] | onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model with all of its data; raises ModelError if it is none."""
    if isinstance(model, onnx.ModelProto):
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        source = "the model"
    else:
        source = os.fspath(model)
        load_model(source)  # Says what is wrong with the file.
        try:
            copy = onnx.load(source)
        except Exception as error:
            raise ModelError(f"{source}: cannot be read: {_first_line(error)}") from error
    try:
        check(copy)
    except Exception as error:
        raise ModelError(f"{source}: is not a valid ONNX model: {_first_line(error)}") from None
    return copy


def check(model: onnx.ModelProto) -> None:
    """Raises what ONNX's checker finds wrong, but that outputs have no shape, which no runtime minds."""
    known = onnx.ModelProto()
    known.CopyFrom(model)
    for value in known.graph.output:
        if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
            value.type.tensor_type.shape.SetInParent()
            value.type.tensor_type.elem_type = value.type.tensor_type.elem_type or TensorProto.FLOAT
    onnx.checker.check_model(known)


def prepare(model: onnx.ModelProto, opset: int = MIN_OPSET) -> FloatModel:
    """Makes `model`, which becomes part of the result, ready.

    opset: the operator set that it must have at least. Raises QuantizeError for a model that is quantized already, or
    that cannot be brought to the operator set.
    """
    _refuse_quantized(model)
    if model.functions:
        model = inliner.inline_local_functions(model)
    model = _upgrade(model, opset)
    graph = model.graph
    stored = {item.name for item in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    del graph.input[:]
    graph.input.extend(inputs)
    ready = FloatModel(model)
    if graph.sparse_initializer:
        raise QuantizeError("the model has sparse initializers, which cannot be quantized")
    ready.constants = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    recorded = list(graph.value_info)
    _drop_identities(ready)
    _fold_constants(ready)
    _name_nodes(ready)
    infer(ready)
    for _ in range(_MAX_ROUNDS):
        # What exporters compute of sizes that are known decides on shapes that inference does not see.
        if not _fold_shapes(ready):
            break
        _fold_constants(ready)
        infer(ready)
    for info in recorded:
        _record(ready, info, known=False)
    return ready


def infer(model: FloatModel) -> None:
    """Nodes that were added, types and shapes of all tensors, as far as ONNX's inference knows them; and `refresh`."""
    graph = model.proto.graph
    if model.added:
        nodes = [new for node in graph.node for new in (node, *model.added.get(node.name, ()))]
        model.added = {}
        del graph.node[:]
        graph.node.extend(nodes)
    # Weights decide no shapes: inference need not be given their data.
    small = onnx.ModelProto()
    small.CopyFrom(_without_initializers(model.proto))
    for name, value in model.constants.items():
        if value.size <= 1024:
            small.graph.initializer.append(numpy_helper.from_array(value, name))
        else:
            small.graph.input.append(
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
            )
    try:
        inferred = onnx.shape_inference.infer_shapes(small, data_prop=True)
    except Exception as error:
        raise ModelError(f"shapes cannot be inferred: {_first_line(error)}") from error
    for info in (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output):
        _record(model, info, known=True)
    del graph.value_info[:]
    model.refresh()


def _record(model: FloatModel, info: onnx.ValueInfoProto, known: bool) -> None:
    """Takes over what a declaration says of a tensor; if it is not `known`, only what nothing else says."""
    if not info.type.HasField("tensor_type"):
        return
    tensor = info.type.tensor_type
    if known or info.name not in model.types:
        model.types[info.name] = tensor.elem_type
    if tensor.HasField("shape") and (known or info.name not in model.shapes):
        model.shapes[info.name] = tuple(
            dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None for dim in tensor.shape.dim
        )


def _drop_identities(model: FloatModel) -> None:
    """Takes out what does nothing, and has its readers read what it reads."""
    outputs = set(model.outputs)
    captured = {name for node in model.nodes for graph in _subgraphs(node) for name in _names_read(graph)}
    same: dict[str, str] = {}
    kept: list[onnx.NodeProto] = []
    for node in model.nodes:
        for position, name in enumerate(node.input):
            if name in same:
                node.input[position] = same[name]
        nothing = node.op_type == "Identity" or (node.op_type == "Dropout" and len(node.input) < 3)
        taken = {name for name in node.output if name} & (outputs | captured)
        if node.domain in ("", "ai.onnx") and nothing and not taken and not any(node.output[1:]):
            same[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    del model.nodes[:]
    model.nodes.extend(kept)


def _fold_shapes(model: FloatModel) -> int:
    """Computes Shape nodes of tensors all of whose sizes are known; returns how many."""
    outputs, kept, folded = set(model.outputs), [], 0
    for node in model.nodes:
        shape = model.shapes.get(node.input[0]) if node.op_type == "Shape" else None
        sizes = [size for size in shape or () if isinstance(size, int)]
        if shape is None or len(sizes) < len(shape) or node.output[0] in outputs:
            kept.append(node)
            continue
        begin, end = attribute(node, "start", 0), attribute(node, "end", None)
        model.constants[node.output[0]] = np.array(sizes[begin:end], np.int64)
        folded += 1
    if folded:
        del model.nodes[:]
        model.nodes.extend(kept)
    return folded


def _without_initializers(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model whose graph has no initializers and no recorded shapes."""
    graph = onnx.GraphProto(name=model.graph.name)
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _refuse_quantized(model: onnx.ModelProto) -> None:
    nodes = [node for graph in _all_graphs(model) for node in graph.node]
    found = [n for n in nodes if n.op_type in _QUANTIZED or n.op_type.startswith(("QLinear", "QGemm"))]
    if found:
        kinds = list(dict.fromkeys(node.op_type for node in found))
        raise QuantizeError(
            f"the model is quantized already: it has {len(found)} nodes of {listing(kinds)}; quantize the float model"
        )


def _all_graphs(model: onnx.ModelProto) -> Iterator[Any]:
    pending: list[Any] = [model.graph, *model.functions]
    while pending:
        graph = pending.pop()
        yield graph
        pending += [inner for node in graph.node for inner in _subgraphs(node)]


def _subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for item in node.attribute:
        if item.type == AttributeProto.GRAPH:
            yield item.g
        yield from item.graphs


def _names_read(graph: onnx.GraphProto) -> Iterator[str]:
    for node in graph.node:
        yield from node.input
        for inner in _subgraphs(node):
            yield from _names_read(inner)
    for value in graph.output:
        yield value.name


def _upgrade(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    version = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), None)
    if version is None:
        raise QuantizeError("the model uses no operators of ONNX, so that nothing in it can be quantized")
    if version < opset:
        try:
            model = version_converter.convert_version(model, opset)
        except Exception as error:
            raise QuantizeError(
                f"the model is of operator set {version}, and cannot be brought to {opset}, which it needs to be "
                f"quantized: {_first_line(error)}"
            ) from None
    model.ir_version = max(model.ir_version, helper.find_min_ir_version_for(list(model.opset_import), True))
    return model


def _fold_constants(model: FloatModel) -> None:
    """Computes nodes whose inputs are all constant, and takes them out of the graph."""
    kept: list[onnx.NodeProto] = []
    outputs = set(model.outputs)
    for node in model.nodes:
        values = _fold(model, node)
        if values is None or outputs & set(node.output):
            kept.append(node)
        else:
            model.constants.update(zip((name for name in node.output if name), values, strict=False))
    del model.nodes[:]
    model.nodes.extend(kept)


def _fold(model: FloatModel, node: onnx.NodeProto) -> list[np.ndarray] | None:
    """What a node computes, if all it reads is constant and the result is no larger than what it is made of."""
    names = [name for name in node.input if name]
    if node.domain not in ("", "ai.onnx") or node.op_type in _RANDOM or any(_subgraphs(node)):
        return None
    if not all(name in model.constants for name in names):
        return None
    opsets = [entry for entry in model.proto.opset_import if entry.domain in ("", "ai.onnx")]
    graph = helper.make_graph(
        [node],
        "constant",
        [_declare(name, model.constants[name]) for name in dict.fromkeys(names)],
        [helper.make_empty_tensor_value_info(name) for name in node.output if name],
    )
    try:
        single = helper.make_model(graph, opset_imports=opsets, ir_version=model.proto.ir_version)
        values = ReferenceEvaluator(single).run(None, {name: model.constants[name] for name in names})
    except Exception:
        # What the reference implementation lacks stays in the model.
        return None
    arrays = [np.asarray(value) for value in values]
    limit = max(_MAX_FOLDED, sum(model.constants[name].size for name in names))
    if any(array.dtype == object or array.size > limit for array in arrays):
        return None
    return arrays


def _declare(name: str, value: np.ndarray) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)


def _name_nodes(model: FloatModel) -> None:
    """Gives every node a name of its own."""
    taken: set[str] = set()
    for node in model.nodes:
        base = node.name or (node.output[0] if node.output else node.op_type)
        name, count = base, 0
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        node.name = name
        taken.add(name)
