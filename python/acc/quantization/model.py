"""The float model made ready for quantization, and the view on it that all methods share.

Ready means: one graph without functions, of an operator set that has what quantized models need, nodes and constants
with names, everything that depends on constants alone computed, and shapes inferred as far as they are known.
"""

from __future__ import annotations

import math
import mmap
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import Message
from onnx import AttributeProto, TensorProto, helper, inliner, numpy_helper, version_converter

from acc.errors import ModelError
from acc.executable import ALIGNMENT, address, empty_aligned
from acc.frontend.problems import Unsupported
from acc.frontend.source import Storage, load_model, read_tensor
from acc.frontend.wire import varint
from acc.quantization.options import QuantizeError
from acc.wording import first_line, listing

__all__ = ["FloatModel", "Outline", "Reader", "attribute", "check", "prepare", "read_model", "serialized"]

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
_MAX_BYTES = (1 << 31) - (1 << 16)

_PAGES = 16 << 20
"""Bytes of a model's file that are in memory at once while it is read."""

_LARGE = 1024
"""Elements of a constant beyond which it decides on nothing but numbers."""

_MAX_ROUNDS = 8
"""How often shapes that depend on shapes are computed."""

_RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli")


@dataclass(frozen=True)
class Reader:
    """Who reads a tensor: a node, and which of its inputs the tensor is."""

    node: onnx.NodeProto
    position: int


@dataclass(frozen=True)
class Outline:
    """A model some of whose constants are inputs, and these inputs by name. So it can be handled, compiled for example,
    without their elements, and what was made of it is that of all models that only have other ones.
    """

    proto: onnx.ModelProto
    constants: Mapping[str, np.ndarray]


@dataclass
class FloatModel:
    """A model under preparation. `refresh` must be called after nodes changed; constants may be changed by `set`.

    There is one copy of the weights, however many models are made of it.

    Attributes:
        proto: the model without initializers. Once it is prepared, its nodes are in execution order and have names of
            their own.
        constants: initializers by name. Arrays are replaced, never written to.
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

    def replace(self, name: str, new: str, value: np.ndarray) -> None:
        """Makes a constant that the only reader of another one, if it has no more, is about to read instead of it."""
        if len(self.read_by(name)) <= 1 and name not in self.captured and name not in self.outputs:
            self.constants.pop(name, None)
        # Memory of arrays that are freed one by one is used again; that of all of them at once would be there twice.
        self.constants[new] = aligned(value)

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

    def used(self) -> set[str]:
        """The names of all tensors that something reads."""
        return {name for node in self.nodes for name in node.input} | self.captured | set(self.outputs)

    def build(self) -> onnx.ModelProto:
        """The model with its constants as initializers: a copy, with all of its weights."""
        built = onnx.ModelProto()
        built.CopyFrom(self.proto)
        used = self.used()
        for name, value in self.constants.items():
            if name in used:
                add_initializer(built.graph, name, value)
        return built

    def outline(self, inputs: Iterable[str]) -> Outline:
        """The model with these constants as inputs behind its own, in this order, as far as something reads them."""
        small = onnx.ModelProto()
        small.CopyFrom(self.proto)
        used = self.used()
        kept_out = self.captured | set(self.outputs)
        given = {name: self.constants[name] for name in inputs if name in used and name not in kept_out}
        small.graph.input.extend(_declare(name, value) for name, value in given.items())
        for name, value in self.constants.items():
            if name in used and name not in given:
                add_initializer(small.graph, name, value)
        return Outline(small, given)

    def with_large_as_inputs(self) -> onnx.ModelProto:
        """The model for what looks at its structure alone: all large constants are inputs."""
        small = onnx.ModelProto()
        small.CopyFrom(self.proto)
        # Before, all initializers were inputs.
        small.ir_version = max(small.ir_version, 4)
        for name, value in self.constants.items():
            if value.size > _LARGE:
                small.graph.input.append(_declare(name, value))
            else:
                add_initializer(small.graph, name, value)
        return small

    def snapshot(self) -> FloatModel:
        """The model as it is now; what is done to this one, or that one, does not show in the other."""
        proto = onnx.ModelProto()
        proto.CopyFrom(self.proto)
        copy = FloatModel(proto, dict(self.constants), dict(self.types), dict(self.shapes))
        copy.refresh()
        return copy


def add_initializer(graph: onnx.GraphProto, name: str, value: np.ndarray) -> None:
    """Gives a graph a constant."""
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name))


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """The value of a node's attribute."""
    for item in node.attribute:
        if item.name == name:
            return helper.get_attribute_value(item)
    return default


def read_model(model: str | os.PathLike[str] | onnx.ModelProto) -> FloatModel:
    """A copy of the model with all of its data, not prepared yet; raises ModelError if it is none."""
    if isinstance(model, onnx.ModelProto):
        source, given, storage = "the model", model, Storage()
    else:
        source = os.fspath(model)
        given, storage = load_model(source)
    read = FloatModel(_without_initializers(given))
    if given.graph.sparse_initializer:
        raise QuantizeError("the model has sparse initializers, which cannot be quantized")
    unread = 0
    for item in given.graph.initializer:
        if item.name in read.constants:
            raise ModelError(f"{source}: is not a valid ONNX model: initializer '{item.name}' is there twice")
        try:
            value = read_tensor(item, storage)
        except Unsupported as error:
            raise ModelError(f"{source}: initializer '{item.name}' {error}") from None
        read.constants[item.name] = _copy(value)
        # The file's pages are given back, a part of it after the other.
        unread += value.nbytes
        if unread > _PAGES and item.name in storage.detached:
            _give_back(storage.detached[item.name])
            unread = 0
    _drop_inputs(read)
    try:
        check(read.with_large_as_inputs())
    except Exception as error:
        raise ModelError(f"{source}: is not a valid ONNX model: {first_line(error)}") from None
    return read


def aligned(value: np.ndarray) -> np.ndarray:
    """The array, or a copy, where native code reads it without making one of its own."""
    return value if value.flags.c_contiguous and address(value) % ALIGNMENT == 0 else _copy(value)


def _copy(value: np.ndarray) -> np.ndarray:
    """A copy with memory of its own, aligned."""
    copy = empty_aligned(value.shape, value.dtype)
    copy[...] = value
    return copy


def _give_back(view: memoryview) -> None:
    """Drops what is in memory of a mapped file."""
    if isinstance(view.obj, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        view.obj.madvise(mmap.MADV_DONTNEED)


def check(model: onnx.ModelProto) -> None:
    """Raises what ONNX's checker finds wrong, but that outputs have no shape, which no runtime minds.

    The elements of large constants, which it would copy, are no matter of it.
    """
    known = _without_initializers(model)
    for item in model.graph.initializer:
        if math.prod(item.dims) > _LARGE:
            known.graph.input.append(helper.make_tensor_value_info(item.name, item.data_type, item.dims))
        else:
            known.graph.initializer.append(item)
    for value in known.graph.output:
        if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
            value.type.tensor_type.shape.SetInParent()
            value.type.tensor_type.elem_type = value.type.tensor_type.elem_type or TensorProto.FLOAT
    onnx.checker.check_model(known)


def serialized(model: onnx.ModelProto) -> Iterator[bytes]:
    """What `SerializeToString` returns, in parts of which none is larger than an initializer.

    Fields of a message are written in the order of their numbers: what comes before a field that is written in parts,
    and what comes behind it, are messages of their own.
    """

    def around(message: Any, kept_out: str) -> tuple[bytes, bytes]:
        number = message.DESCRIPTOR.fields_by_name[kept_out].number
        parts = type(message)(), type(message)()
        for entry, value in message.ListFields():
            if entry.number != number:
                _take(parts[entry.number > number], entry.name, value)
        return parts[0].SerializeToString(deterministic=True), parts[1].SerializeToString(deterministic=True)

    begin, end = around(model.graph, "initializer")
    sizes = [item.ByteSize() for item in model.graph.initializer]
    head = [_header(onnx.GraphProto, "initializer", size) for size in sizes]
    total = len(begin) + sum(len(part) + size for part, size in zip(head, sizes, strict=True)) + len(end)
    if total > _MAX_BYTES:
        raise ValueError("it is larger than the 2 GiB that a file of protobuf can hold")
    before, behind = around(model, "graph")

    def write() -> Iterator[bytes]:
        yield before + _header(onnx.ModelProto, "graph", total) + begin
        for part, item in zip(head, model.graph.initializer, strict=True):
            yield part
            yield item.SerializeToString(deterministic=True)
        yield end + behind

    return write()


def _header(kind: Any, name: str, size: int) -> bytes:
    """What stands before a message of so many bytes that is a field of another one."""
    return varint(kind.DESCRIPTOR.fields_by_name[name].number << 3 | 2) + varint(size)


def prepare(model: FloatModel, opset: int = MIN_OPSET) -> FloatModel:
    """Makes `model`, which becomes part of the result, ready.

    opset: the operator set that it must have at least. Raises QuantizeError for a model that is quantized already, or
    that cannot be brought to the operator set.
    """
    _refuse_quantized(model.proto)
    if model.proto.functions:
        _change(model, inliner.inline_local_functions)
    _upgrade(model, opset)
    recorded = list(model.proto.graph.value_info)
    _drop_identities(model)
    _fold_constants(model)
    _name_nodes(model)
    infer(model)
    for _ in range(_MAX_ROUNDS):
        # What exporters compute of sizes that are known decides on shapes that inference does not see.
        if not _fold_shapes(model):
            break
        _fold_constants(model)
        infer(model)
    for info in recorded:
        _record(model, info, known=False)
    return model


def infer(model: FloatModel) -> None:
    """Nodes that were added, types and shapes of all tensors, as far as ONNX's inference knows them; and `refresh`."""
    graph = model.proto.graph
    if model.added:
        nodes = [new for node in graph.node for new in (node, *model.added.get(node.name, ()))]
        model.added = {}
        del graph.node[:]
        graph.node.extend(nodes)
    del graph.value_info[:]
    try:
        # Weights decide no shapes: inference need not be given their data.
        inferred = onnx.shape_inference.infer_shapes(model.with_large_as_inputs(), data_prop=True)
    except Exception as error:
        raise ModelError(f"shapes cannot be inferred: {first_line(error)}") from error
    for info in (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output):
        _record(model, info, known=True)
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
    """A copy of the model whose graph has no initializers, made without copying them."""
    copy = onnx.ModelProto()
    for whole, part, left_out in ((model, copy, "graph"), (model.graph, copy.graph, "initializer")):
        for entry, value in whole.ListFields():
            if entry.name == left_out:
                continue
            _take(part, entry.name, value)
    return copy


def _take(message: Any, name: str, value: Any) -> None:
    """Gives a field of a message the value that it has in another one."""
    if isinstance(value, Message):
        getattr(message, name).CopyFrom(value)
    elif isinstance(value, str | bytes | int):
        setattr(message, name, value)
    else:
        getattr(message, name).extend(value)


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


def _upgrade(model: FloatModel, opset: int) -> None:
    version = next((entry.version for entry in model.proto.opset_import if entry.domain in ("", "ai.onnx")), None)
    if version is None:
        raise QuantizeError("the model uses no operators of ONNX, so that nothing in it can be quantized")
    if version < opset:
        try:
            _change(model, lambda whole: version_converter.convert_version(whole, opset))
        except Exception as error:
            raise QuantizeError(
                f"the model is of operator set {version}, and cannot be brought to {opset}, which it needs to be "
                f"quantized: {first_line(error)}"
            ) from None
    proto = model.proto
    proto.ir_version = max(proto.ir_version, helper.find_min_ir_version_for(list(proto.opset_import), True))


def _change(model: FloatModel, change: Callable[[onnx.ModelProto], onnx.ModelProto]) -> None:
    """Makes of the model what a function makes of it that only looks at the elements of small constants."""
    changed = change(model.with_large_as_inputs())
    model.proto = _without_initializers(changed)
    large = {name: value for name, value in model.constants.items() if value.size > _LARGE}
    model.constants = large | {item.name: aligned(numpy_helper.to_array(item)) for item in changed.graph.initializer}
    _drop_inputs(model)


def _drop_inputs(model: FloatModel) -> None:
    """Takes those inputs out that constants are the values of."""
    inputs = [value for value in model.proto.graph.input if value.name not in model.constants]
    del model.proto.graph.input[:]
    model.proto.graph.input.extend(inputs)


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
    # It takes long to import, and mostly nothing is to be computed.
    from onnx.reference import ReferenceEvaluator

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
