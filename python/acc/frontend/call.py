"""What a converter sees of the node it converts, and how operators declare what they take."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

import numpy as np
from onnx import defs, helper

from acc import ir
from acc.dtypes import BY_MLIR
from acc.frontend.emitter import EQUAL, LESS, Emitter, Quantization
from acc.frontend.model import Node
from acc.frontend.problems import NotConstant, Unsupported
from acc.frontend.sizes import UnknownSizeError, is_symbolic, sizes_of

Tensor = np.ndarray | ir.Value
"""What an ONNX value is during import: known, or computed at run time."""

# What ONNX's schemas give as the number of inputs of variadic operators.
_UNLIMITED = 2**31 - 1

Elements = Literal["float", "number", "plain", "any"]
"""Element types of operands: floats or all numbers that are computed with; all that are stored; quantized ones too."""


@dataclass(frozen=True)
class Attr:
    """An attribute that is supported; its type, default and whether it is required are ONNX's.

    Attributes:
        kind: "plain" values are handed on; a "bool" is an int used as one, an "axis" an int that counts from
            the end when negative.
        only: the values that are supported, if not all are.
        ignored: true when it makes no difference to the result.
    """

    kind: Literal["plain", "bool", "axis"] = "plain"
    only: tuple[object, ...] | None = None
    ignored: bool = False


PLAIN = Attr()
BOOL = Attr("bool")
AXIS = Attr("axis")
IGNORED = Attr(ignored=True)


@dataclass(frozen=True)
class Operator:
    """An ONNX operator: what of it is supported, and what becomes of it.

    Attributes:
        graph: mnemonic of the graph operator; empty for operators that leave no trace.
        attributes: those that are supported, by name; of all operator sets together.
        elements: element types of the operands.
        convert: builds the outputs; by default the graph operator on all operands with all attributes.
        static: true if the outputs are known at import whatever the inputs are.
    """

    graph: str
    attributes: Mapping[str, Attr] = field(default_factory=dict)
    elements: Elements = "float"
    convert: Callable[[Call], Sequence[Tensor]] | None = None
    static: bool = False


class Call:
    """One node with its operator, its inputs and the means to build its outputs."""

    def __init__(
        self,
        node: Node,
        operator: Operator,
        inputs: Sequence[Tensor | None],
        opset: int,
        emitter: Emitter,
        materialize: Callable[[str, Quantization | None], ir.Value],
        known: Callable[[str, Tensor, bool], Tensor],
    ) -> None:
        self.node = node
        self.operator = operator
        self.inputs = list(inputs)
        self.opset = opset
        self.attributes = read_attributes(node, operator, opset)
        self._emitter = emitter
        self._materialize = materialize
        self._known = known

    def has(self, index: int) -> bool:
        return index < len(self.inputs) and self.inputs[index] is not None

    def tensor(self, index: int, what: str = "") -> Tensor:
        """An input that must be there: its elements, if it depends on constants alone."""
        given = self.given(index, what)
        tensor = self.inputs[index] = self._known(self.node.inputs[index], given, False)
        return tensor

    def given(self, index: int, what: str = "") -> Tensor:
        """An input that must be there, as it is."""
        tensor = self.inputs[index] if index < len(self.inputs) else None
        if tensor is None:
            raise Unsupported(f"needs {what or f'input {index}'}")
        return tensor

    def constant(self, index: int, what: str) -> np.ndarray:
        """An input that must be known at import."""
        name = self.node.inputs[index] if index < len(self.inputs) else ""
        tensor = self._known(name, self.given(index, what), True)
        if is_symbolic(tensor) or not isinstance(tensor, np.ndarray):
            raise NotConstant(f"{what} ('{name}') is not constant", name)
        return tensor

    def sizes(self, index: int, what: str) -> list[int]:
        """A vector (or scalar) of integers that say how large something is; some may be known at run time only."""
        tensor = self.tensor(index, what)
        if is_symbolic(tensor):
            return list(cast(np.ndarray, tensor).reshape(-1))
        if isinstance(tensor, np.ndarray):
            return self.integers(index, what)
        shape, element, name = shape_of(tensor), element_of(tensor), self.node.inputs[index]
        integer = isinstance(element, ir.IntegerType) and not element.is_unsigned and element.width >= 32
        if not integer or len(shape) > 1 or not all(isinstance(size, int) for size in shape):
            raise NotConstant(f"{what} ('{name}') is not constant", name)
        count = shape[0] if shape else 1
        return [self._emitter.element(tensor, [at] if shape else [], self.node.name) for at in range(count)]

    def number(self, tensor: ir.Value) -> int:
        """The integer of a scalar tensor as a size, read at run time."""
        return self._emitter.element(tensor, [], self.node.name)

    def sizes_behind(self, tensor: ir.Value) -> np.ndarray | None:
        """The sizes that a tensor of floats was cast from, if it was."""
        return self._emitter.cast_sizes.get(tensor)

    def note_cast(self, tensor: ir.Value, sizes: np.ndarray) -> None:
        """Keeps which sizes a tensor of floats is cast from: what they decide need not be read from it."""
        self._emitter.cast_sizes[tensor] = sizes

    def from_end(self, size: int, length: int) -> int:
        """`size` counted from the front, where negative ones count from the end, as far as is known."""
        try:
            return size + length if size < 0 else size
        except UnknownSizeError:
            return self._emitter.choose(LESS, size, 0, size + length, size, self.node.name)

    def choose_equal(self, a: int, b: int, then: int, otherwise: int) -> int:
        """`then` where a is b, else `otherwise`."""
        try:
            return then if a == b else otherwise
        except UnknownSizeError:
            return self._emitter.choose(EQUAL, a, b, then, otherwise, self.node.name)

    def reshape(self, value: ir.Value, shape: Sequence[int]) -> ir.Value:
        """The same elements under another shape."""
        return self._emitter.reshape(value, shape, self.node.name)

    def integers(self, index: int, what: str) -> list[int]:
        """A constant vector (or scalar) of integers."""
        array = self.constant(index, what)
        if array.dtype.kind not in "iu" or array.ndim > 1:
            raise Unsupported(f"{what} is not a vector of integers")
        return [int(value) for value in array.reshape(-1)]

    def scalar(self, index: int, what: str) -> np.generic:
        """A constant of one element."""
        array = self.constant(index, what)
        if array.size != 1:
            raise Unsupported(f"{what} has {array.size} elements instead of one")
        return array.reshape(-1)[0]

    def shape(self, index: int) -> tuple[int, ...]:
        return shape_of(self.given(index))

    def integer(self, name: str) -> int:
        """An attribute of kind int, bool or axis that the node has or that has a default."""
        return cast(int, self.attributes[name])

    def integer_list(self, name: str) -> list[int]:
        """An attribute of kind ints that the node has or that has a default."""
        return cast(list[int], self.attributes[name])

    def axis(self, value: int, rank: int, what: str = "axis") -> int:
        """`value` counted from the front; rank is what it counts in."""
        if not -rank <= value < rank:
            raise Unsupported(f"{what} {value} does not exist in rank {rank}")
        return value + rank if value < 0 else value

    def axes(self, values: Sequence[int], rank: int) -> list[int]:
        """Distinct axes, counted from the front, in order."""
        result = sorted(self.axis(value, rank) for value in values)
        if len(set(result)) != len(result):
            raise Unsupported(f"axes {list(values)} name an axis twice")
        return result

    def operand(self, index: int) -> ir.Value:
        """An input as a value of an element type that the operator takes."""
        tensor = self.given(index)
        name = self.node.inputs[index]
        value = self._materialize(name, None) if isinstance(tensor, np.ndarray) else tensor
        element = element_of(value)
        if isinstance(element, ir.QuantizedType):
            if self.operator.elements == "any" and element.axis is None:
                return value
            return self.storage(value)
        known = BY_MLIR[str(element)]
        if self.operator.elements == "float" and known.kind != "float":
            raise Unsupported(f"operand '{name}' has elements of {element} but only floats are supported")
        if self.operator.elements in ("float", "number") and not known.computes:
            raise Unsupported(
                f"operand '{name}' has elements of {known.name}, which are only moved, cast and quantized"
            )
        return value

    def operands(self) -> list[ir.Value]:
        """All inputs; trailing optional ones may be absent."""
        inputs = self.inputs
        while inputs and inputs[-1] is None:
            inputs = inputs[:-1]
        return [self.operand(index) for index in range(len(inputs))]

    def quantized_constant(self, index: int, quantization: Quantization) -> ir.Value:
        """The integers of a constant input as a quantized tensor."""
        array = self.tensor(index)
        assert isinstance(array, np.ndarray)
        alive, changed = quantization.without_zero_scales(array)
        if changed is quantization:
            return self._materialize(self.node.inputs[index], quantization)
        return self._emitter.constant(alive, self.node.inputs[index], changed)

    def storage(self, value: ir.Value) -> ir.Value:
        """The integers of a quantized tensor; other tensors as they are."""
        element = element_of(value)
        if not isinstance(element, ir.QuantizedType):
            return value
        integer = storage_of(element)
        return self.emit_as(self.tensor_type(shape_of(value), integer), "storage_cast", value)

    def found(self, buffer: ir.Value, count: ir.Value, shape: Sequence[int | None]) -> ir.Value:
        """The first elements of a flat buffer under a shape whose sizes of None are `count`, a scalar tensor."""
        number = self._emitter.element(count, [], self.node.name)
        sizes = [number if size is None else size for size in shape]
        part = self.emit("slice", [buffer], starts=[0], sizes=[math.prod(sizes)], steps=[1])
        return part if len(shape) == 1 else self.reshape(part, sizes)

    def tensor_type(self, shape: Sequence[int], element: np.dtype | Quantization | ir.Type) -> ir.Type:
        return self._emitter.tensor_type(shape, element)

    def emit(self, operator: str, operands: Sequence[ir.Value], **attributes: object) -> ir.Value:
        """Appends a graph operator at this node's location; its result type is inferred."""
        return self._emitter.emit(operator, operands, attributes, self.node.name)

    def emit_all(self, operator: str, operands: Sequence[ir.Value], **attributes: object) -> Sequence[ir.Value]:
        """All results of a graph operator at this node's location."""
        return self._emitter.emit_all(operator, operands, attributes, self.node.name)

    def literal(self, array: np.ndarray) -> ir.Value:
        """A constant that the model does not name."""
        return self._emitter.constant(array, self.node.name)

    def emit_as(self, result: ir.Type, operator: str, operand: ir.Value, **attributes: object) -> ir.Value:
        """Appends a graph operator whose result type is not inferred."""
        return self._emitter.emit(operator, [operand], attributes, self.node.name, result)

    def convert(self) -> Sequence[Tensor]:
        """The node's outputs."""
        if self.operator.convert is not None:
            return self.operator.convert(self)
        attributes = {}
        for name, value in self.attributes.items():
            if self.operator.attributes[name].kind == "axis" and isinstance(value, int):
                value = self.axis(value, len(self.shape(0)))
            attributes[name] = value
        return [self.emit(self.operator.graph, self.operands(), **attributes)]


def shape_of(tensor: Tensor) -> tuple[int, ...]:
    return tensor.shape if isinstance(tensor, np.ndarray) else sizes_of(tensor)


def element_of(value: ir.Value) -> ir.Type:
    return cast(ir.RankedTensorType, value.type).element_type


def storage_of(element: ir.QuantizedType) -> np.dtype:
    """The element type of the integers of a quantized tensor."""
    width = cast(ir.IntegerType, element.storage_type).width
    return BY_MLIR[f"{'i' if element.is_signed else 'ui'}{width}"].dtype


def dtype_of(element: ir.Type) -> np.dtype:
    """The numpy element type of a float or integer type."""
    return BY_MLIR[str(element)].dtype


def check_node(node: Node, operator: Operator, opset: int) -> list[str]:
    """What is unsupported about a node, as far as that shows without its operands."""
    try:
        schema = defs.get_schema(node.op_type, opset, node.domain)
    except defs.SchemaError:
        return [f"does not exist in operator set {opset}"]
    reasons = []
    least, most = schema.min_input, schema.max_input
    if not least <= len(node.inputs) <= most:
        wanted = f"{least}" if least == most else f"{least} to {most}" if most < _UNLIMITED else f"at least {least}"
        reasons.append(f"has {len(node.inputs)} inputs instead of {wanted}")
    elif "" in node.inputs[:least] or ("" in node.inputs and most >= _UNLIMITED):
        reasons.append(f"needs input {node.inputs.index('')}")
    try:
        read_attributes(node, operator, opset)
    except Unsupported as error:
        reasons.append(str(error))
    return reasons


def read_attributes(node: Node, operator: Operator, opset: int) -> dict[str, object]:
    """The attributes that matter, with ONNX's defaults; those that have none and are absent are left out."""
    declared = defs.get_schema(node.op_type, opset, node.domain).attributes
    for name in node.attributes:
        if name not in declared:
            raise Unsupported(f"attribute '{name}' does not exist in operator set {opset}")
        if name not in operator.attributes:
            raise Unsupported(f"attribute '{name}' is not supported")
    values: dict[str, object] = {}
    for name, attribute in operator.attributes.items():
        if name not in declared or attribute.ignored:
            continue
        wanted = declared[name]
        proto = node.attributes.get(name)
        if proto is None:
            if wanted.required:
                raise Unsupported(f"needs the attribute '{name}'")
            if not wanted.default_value.name:
                continue
            proto = wanted.default_value
        if proto.ref_attr_name or proto.type != wanted.type:
            kind = str(wanted.type).removeprefix("AttrType.").lower()
            raise Unsupported(f"attribute '{name}' is not of type {kind}")
        value = _plain(helper.get_attribute_value(proto))
        if attribute.only is not None:
            if value not in attribute.only:
                supported = " or ".join(map(repr, attribute.only))
                raise Unsupported(f"attribute '{name}' is {value!r}, supported is {supported}")
            continue
        values[name] = bool(value) if attribute.kind == "bool" else value
    return values


def _plain(value: object) -> object:
    """Text instead of bytes, lists instead of protobuf's containers."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return list(value) if isinstance(value, Sequence) else value
