"""What a converter sees of the node it converts, and how operators declare what they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

import numpy as np
from onnx import AttributeProto

from acc import ir
from acc.frontend.emitter import Emitter, Quantization
from acc.frontend.model import Node
from acc.frontend.problems import Unsupported

Tensor = np.ndarray | ir.Value
"""What an ONNX value is during import: known, or computed at run time."""

Elements = Literal["float", "number", "any"]
"""Element types of operands: floats; floats and integers; these and quantized types."""

REQUIRED = object()

_KINDS = {
    "int": AttributeProto.INT,
    "bool": AttributeProto.INT,
    "axis": AttributeProto.INT,
    "float": AttributeProto.FLOAT,
    "string": AttributeProto.STRING,
    "tensor": AttributeProto.TENSOR,
    "ints": AttributeProto.INTS,
    "floats": AttributeProto.FLOATS,
}


@dataclass(frozen=True)
class Attr:
    """An attribute of an ONNX operator.

    Attributes:
        kind: its type; "bool" is an int used as one, "axis" an int that counts from the end when negative.
        default: its value when the node has none, in Python's form; None when the operator then does without.
        only: the values that are supported, if not all are.
        ignored: true when it makes no difference to the result.
    """

    kind: Literal["int", "bool", "axis", "float", "string", "tensor", "ints", "floats"]
    default: object = None
    only: tuple[object, ...] | None = None
    ignored: bool = False


@dataclass(frozen=True)
class Operator:
    """An ONNX operator: what of it is supported, and what becomes of it.

    Attributes:
        graph: mnemonic of the graph operator; empty for operators that leave no trace.
        inputs: least and largest number of inputs; None for no limit.
        attributes: those that are supported, by name.
        elements: element types of the operands.
        convert: builds the outputs; by default the graph operator on all operands with all attributes.
        keeps_constants: true if constant inputs are handed on as they are, without evaluation.
    """

    graph: str
    inputs: tuple[int, int | None] = (1, 1)
    attributes: Mapping[str, Attr] = field(default_factory=dict)
    elements: Elements = "float"
    convert: Callable[[Call], Sequence[Tensor]] | None = None
    keeps_constants: bool = False


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
    ) -> None:
        self.node = node
        self.operator = operator
        self.inputs = list(inputs)
        self.opset = opset
        self.attributes = read_attributes(node, operator)
        self._emitter = emitter
        self._materialize = materialize

    def has(self, index: int) -> bool:
        return index < len(self.inputs) and self.inputs[index] is not None

    def tensor(self, index: int, what: str = "") -> Tensor:
        """An input that must be there."""
        tensor = self.inputs[index] if index < len(self.inputs) else None
        if tensor is None:
            raise Unsupported(f"needs {what or f'input {index}'}")
        return tensor

    def constant(self, index: int, what: str) -> np.ndarray:
        """An input that must be known at import."""
        tensor = self.tensor(index, what)
        if not isinstance(tensor, np.ndarray):
            raise Unsupported(f"{what} ('{self.node.inputs[index]}') is not constant")
        return tensor

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
        return shape_of(self.tensor(index))

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
        tensor = self.tensor(index)
        name = self.node.inputs[index]
        value = self._materialize(name, None) if isinstance(tensor, np.ndarray) else tensor
        element = element_of(value)
        if isinstance(element, ir.QuantizedType):
            if self.operator.elements == "any" and element.axis is None:
                return value
            return self.storage(value)
        if self.operator.elements == "float" and not isinstance(element, ir.FloatType):
            raise Unsupported(f"operand '{name}' has elements of {element} but only floats are supported")
        return value

    def operands(self) -> list[ir.Value]:
        """All inputs; trailing optional ones may be absent."""
        inputs = self.inputs
        while inputs and inputs[-1] is None:
            inputs = inputs[:-1]
        return [self.operand(index) for index in range(len(inputs))]

    def quantized_constant(self, index: int, quantization: Quantization) -> ir.Value:
        return self._materialize(self.node.inputs[index], quantization)

    def storage(self, value: ir.Value) -> ir.Value:
        """The integers of a quantized tensor; other tensors as they are."""
        element = element_of(value)
        if not isinstance(element, ir.QuantizedType):
            return value
        integer = storage_of(element)
        return self.emit_as(self.tensor_type(shape_of(value), integer), "storage_cast", value)

    def tensor_type(self, shape: Sequence[int], element: np.dtype | Quantization | ir.Type) -> ir.Type:
        return self._emitter.tensor_type(shape, element)

    def emit(self, operator: str, operands: Sequence[ir.Value], **attributes: object) -> ir.Value:
        """Appends a graph operator at this node's location; its result type is inferred."""
        return self._emitter.emit(operator, operands, attributes, self.node.name)

    def emit_as(self, result: ir.Type, operator: str, operand: ir.Value) -> ir.Value:
        """Appends a graph operator whose result type is not inferred."""
        return self._emitter.emit(operator, [operand], {}, self.node.name, result)

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
    return tensor.shape if isinstance(tensor, np.ndarray) else tuple(cast(ir.RankedTensorType, tensor.type).shape)


def element_of(value: ir.Value) -> ir.Type:
    return cast(ir.RankedTensorType, value.type).element_type


def storage_of(element: ir.QuantizedType) -> np.dtype:
    """The element type of the integers of a quantized tensor."""
    return np.dtype(f"{'i' if element.is_signed else 'u'}{cast(ir.IntegerType, element.storage_type).width // 8}")


def check_node(node: Node, operator: Operator, used: frozenset[str]) -> list[str]:
    """What is unsupported about a node, as far as that shows without its operands."""
    reasons = []
    least, most = operator.inputs
    if not least <= len(node.inputs) or (most is not None and len(node.inputs) > most):
        wanted = f"{least}" if least == most else f"{least} to {most}" if most is not None else f"at least {least}"
        reasons.append(f"has {len(node.inputs)} inputs instead of {wanted}")
    elif "" in node.inputs[:least]:
        reasons.append(f"needs input {node.inputs.index('')}")
    try:
        read_attributes(node, operator)
    except Unsupported as error:
        reasons.append(str(error))
    return reasons


def read_attributes(node: Node, operator: Operator) -> dict[str, object]:
    """The attributes that matter, with defaults; absent ones without a default are left out."""
    unknown = [name for name in node.attributes if name not in operator.attributes]
    if unknown:
        raise Unsupported(f"attribute '{unknown[0]}' is not supported")
    values: dict[str, object] = {}
    for name, declared in operator.attributes.items():
        proto = node.attributes.get(name)
        if declared.ignored:
            continue
        if proto is None:
            if declared.default is REQUIRED:
                raise Unsupported(f"needs the attribute '{name}'")
            if declared.default is not None and declared.only is None:
                values[name] = declared.default
            continue
        if proto.ref_attr_name or proto.type != _KINDS[declared.kind]:
            raise Unsupported(f"attribute '{name}' is not of type {declared.kind}")
        value = _read_attribute(declared.kind, proto)
        if declared.only is None:
            values[name] = value
        elif value not in declared.only:
            raise Unsupported(f"attribute '{name}' is {value!r}, supported is {' or '.join(map(repr, declared.only))}")
    return values


def _read_attribute(kind: str, proto: AttributeProto) -> object:
    match kind:
        case "int" | "axis":
            return proto.i
        case "bool":
            return proto.i != 0
        case "float":
            return proto.f
        case "string":
            return proto.s.decode("utf-8", "replace")
        case "ints":
            return list(proto.ints)
        case "floats":
            return list(proto.floats)
    return proto.t
