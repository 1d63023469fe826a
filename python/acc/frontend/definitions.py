"""Operators that are defined by ONNX's own: how a definition is written down.

ONNX's standard defines some operators by functions of others. The operators of ONNX Runtime's domain and most of
ai.onnx.ml have no such functions, so acc has definitions for them, as Python that writes the nodes down. A definition
sees the node, the types of its operands and those operands that are constants, and so can say what a function cannot:
shapes that depend on the rank, tables that are computed from attributes, packed weights taken apart.

`acc.frontend.functions` imports the nodes in place of the operator, as the body of any other function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from onnx import FunctionProto, NodeProto, TypeProto, helper, numpy_helper

from acc.frontend.model import Node
from acc.frontend.problems import NotConstant, Unsupported

__all__ = ["OPSET", "Build", "Builder", "Definition"]

OPSET = 23
"""The operator set of the nodes that definitions are made of, whatever that of the model is."""

Operand = np.ndarray | None
"""The elements of an operand, if they are known."""


class Builder:
    """Writes the nodes of one definition down; values are named by texts.

    node: what is defined. types: those of its operands. known: the elements of those that are constants.
    """

    def __init__(self, node: Node, types: Sequence[TypeProto], known: Sequence[Operand]) -> None:
        self.node = node
        self.inputs = [f"in{index}" for index in range(len(node.inputs))]
        self.nodes: list[NodeProto] = []
        self._types = types
        self._known = known

    # What the node says

    def has(self, index: int) -> bool:
        """Whether an operand is given."""
        return index < len(self.node.inputs) and bool(self.node.inputs[index])

    def input(self, index: int, what: str = "") -> str:
        """An operand that must be given."""
        if not self.has(index):
            raise Unsupported(f"needs {what or f'input {index}'}")
        return self.inputs[index]

    def optional(self, index: int) -> str:
        """An operand, or the empty name that stands for none."""
        return self.inputs[index] if self.has(index) else ""

    def wants(self, index: int) -> bool:
        """Whether a result is given a name."""
        return index < len(self.node.outputs) and bool(self.node.outputs[index])

    def shape(self, index: int) -> list[int | None]:
        """The sizes of an operand, None for those that are left open."""
        self.input(index)
        dims = self._types[index].tensor_type.shape.dim
        return [dim.dim_value if dim.HasField("dim_value") else None for dim in dims]

    def shown(self, index: int) -> str:
        """The shape of an operand, for messages."""
        return f"[{', '.join('?' if size is None else str(size) for size in self.shape(index))}]"

    def rank(self, index: int) -> int:
        return len(self.shape(index))

    def dtype(self, index: int) -> np.dtype:
        """The element type of an operand."""
        self.input(index)
        return helper.tensor_dtype_to_np_dtype(self._types[index].tensor_type.elem_type)

    def elements(self, index: int, what: str) -> np.ndarray:
        """The elements of an operand that must be known."""
        self.input(index, what)
        array = self._known[index]
        if array is None:
            name = self.node.inputs[index]
            raise NotConstant(f"{what} ('{name}') is not constant", name)
        return array

    def known(self, index: int) -> np.ndarray | None:
        """The elements of an operand, if it is given and they are known."""
        return self._known[index] if self.has(index) else None

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute as Python has it; texts are decoded."""
        proto = self.node.attributes.get(name)
        if proto is None:
            return default
        value = helper.get_attribute_value(proto)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if isinstance(value, Sequence) and value and isinstance(value[0], bytes):
            return [text.decode("utf-8", "replace") for text in cast(Sequence[bytes], value)]
        return value

    # What it stands for

    def op(self, op_type: str, *inputs: str, passed: Sequence[str] = (), **attributes: Any) -> str:
        """Appends a node with one result; `passed` are attributes that are those of the node, if it has them."""
        return self.ops(op_type, inputs, 1, passed, **attributes)[0]

    def ops(
        self, op_type: str, inputs: Sequence[str], results: int, passed: Sequence[str] = (), **attributes: Any
    ) -> list[str]:
        """Appends a node with several results."""
        names = [f"v{len(self.nodes)}_{index}" for index in range(results)]
        node = helper.make_node(op_type, inputs, names, **attributes)
        node.attribute.extend(self.node.attributes[name] for name in passed if name in self.node.attributes)
        self.nodes.append(node)
        return names

    def constant(self, array: np.ndarray) -> str:
        return self.op("Constant", value=numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape)))

    def integers(self, *values: int) -> str:
        """A vector of int64."""
        return self.constant(np.array(values, np.int64))

    def number(self, value: float, dtype: np.dtype | type) -> str:
        """A scalar."""
        return self.constant(np.asarray(value, dtype))

    def cast(self, value: str, dtype: np.dtype | type) -> str:
        return self.op("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def size(self, value: str, axis: int) -> str:
        """One size of a value, as a vector of one int64."""
        return self.op("Gather", self.op("Shape", value), self.integers(axis))

    def reshape(self, value: str, *shape: int | str) -> str:
        """The value under a shape of numbers, as Reshape has them, and of sizes as `size` gives them."""
        if all(isinstance(size, int) for size in shape):
            return self.op("Reshape", value, self.integers(*cast(Sequence[int], shape)))
        parts = [self.integers(size) if isinstance(size, int) else size for size in shape]
        return self.op("Reshape", value, self.op("Concat", *parts, axis=0))

    def transpose(self, value: str, *perm: int) -> str:
        return value if list(perm) == sorted(perm) else self.op("Transpose", value, perm=perm)

    def split(self, value: str, axis: int, sizes: Sequence[int]) -> list[str]:
        return self.ops("Split", [value, self.integers(*sizes)], len(sizes), axis=axis)

    def slice(self, value: str, axis: int, start: int, end: int) -> str:
        return self.op("Slice", value, self.integers(start), self.integers(end), self.integers(axis))

    def indices(self, count: str) -> str:
        """0, 1, ... up to a number that is a scalar or a vector of one int64."""
        limit = self.op("Reshape", count, self.constant(np.zeros(0, np.int64)))
        return self.op("Range", self.number(0, np.int64), limit, self.number(1, np.int64))


def check_zero(b: Builder, *names: str) -> None:
    """Refuses what is switched on by one of these attributes."""
    for name in names:
        if b.attribute(name, 0):
            raise Unsupported(f"attribute '{name}' is {b.attribute(name)}, which is not supported")


Build = Callable[[Builder], Sequence[str]]
"""Writes a definition down and returns its results; an empty name stands for one that it does not define."""


@dataclass(frozen=True)
class Definition:
    """How an operator is defined.

    Attributes:
        build: writes the nodes down.
        attributes: those that it takes into account.
        ignored: attributes that make no difference to the results.
    """

    build: Build
    attributes: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()

    @staticmethod
    def of(
        build: Callable[[Builder], str | Sequence[str]], *attributes: str, ignored: Sequence[str] = ()
    ) -> Definition:
        """A definition of what `build` writes down, which may return its only result as it is."""

        def results(builder: Builder) -> Sequence[str]:
            found = build(builder)
            return [found] if isinstance(found, str) else found

        return Definition(results, frozenset(attributes), frozenset(ignored))

    def function(self, node: Node, types: Sequence[TypeProto], known: Sequence[Operand]) -> FunctionProto:
        """What a node stands for, as a function with as many inputs. Raises Unsupported if it cannot be said."""
        unknown = sorted(node.attributes.keys() - self.attributes - self.ignored)
        if unknown:
            raise Unsupported(f"attribute '{unknown[0]}' is not supported")
        builder = Builder(node, types, known)
        results = list(self.build(builder))
        for index, name in enumerate(node.outputs):
            if name and (index >= len(results) or not results[index]):
                raise Unsupported(f"output {index} ('{name}') is not supported")
        results = [name or f"none{index}" for index, name in enumerate(results)]
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_function(node.domain, node.op_type, builder.inputs, results, builder.nodes, opsets)


Definitions = Mapping[str, Definition]
"""Definitions by operator."""
