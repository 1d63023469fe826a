"""Computes the tables of graph.lookup: element-wise operators on all 256 integers, by acc's own native code.

graph-legalize-quantization leaves a table as the operators that make it from constants. A network has one such chain
for every activation, which differ in scales and little else: chains of one form are computed together, stacked along
an axis of their own along which their quantization differs, so that all tables of a model take one short compilation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from acc import ir
from acc.dtypes import element_type
from acc.evaluate import NumberedFunction, backward_slice
from acc.frontend.call import storage_of
from acc.targets.cpu import CpuOptions

__all__ = ["compute_tables"]


def compute_tables(module: ir.Module, cpu: CpuOptions | None = None) -> None:
    """Makes the tables of every graph.lookup in `module` constants, in place.

    cpu: the processor that the code is made for, if this machine can run it; else it is made for this machine.
    """
    wanted: dict[ir.Value, list[ir.Operation]] = {}
    for function in module.body.operations:
        for lookup in _lookups(function):
            table = lookup.operands[1]
            if isinstance(table.owner, ir.Operation) and table.owner.name != "graph.constant":
                wanted.setdefault(table, []).append(lookup)
    if not wanted:
        return
    groups: dict[object, list[_Chain]] = {}
    for table in wanted:
        chain = _Chain(table, backward_slice([table], {}))
        groups.setdefault(chain.form(), []).append(chain)
    for chain, array in _run([_Stack(chains) for chains in groups.values()], cpu):
        first = wanted[chain.table][0]
        constant = ir.Operation.create(
            "graph.constant",
            results=[chain.table.type],
            attributes={"value": array},
            loc=first.location,
            ip=ir.InsertionPoint(chain.operations[-1]),
        )
        chain.table.replace_all_uses_with(constant.result)


def _lookups(function: ir.Operation) -> Iterator[ir.Operation]:
    for region in function.regions:
        for block in region.blocks:
            for operation in block:
                if operation.name == "graph.lookup":
                    yield operation


@dataclass(frozen=True)
class _Chain:
    """A table and the operators that compute it from constants, producers first."""

    table: ir.Value
    operations: list[ir.Operation]

    def form(self) -> object:
        """What chains that can be stacked have in common: everything but scales, zero points and constants."""
        numbers: dict[ir.Value, int] = {}
        lines: list[object] = []
        for op in self.operations:
            attributes = {k: str(v) for k, v in _attributes(op).items() if op.name != "graph.constant"}
            operands = tuple(numbers[operand] for operand in op.operands)
            lines.append((op.name, tuple(sorted(attributes.items())), operands, _kind(op.result.type)))
            numbers[op.result] = len(numbers)
        return tuple(lines)


def _attributes(op: ir.Operation) -> dict[str, ir.Attribute]:
    return {name: value for name, value in op.attributes.items() if not name.startswith("graph.")}


def _kind(type: ir.Type) -> object:
    """A tensor type without its scales and zero points."""
    tensor = ir.RankedTensorType(type)
    if not isinstance(tensor.element_type, ir.QuantizedType):
        return str(type)
    element = tensor.element_type
    return (tuple(tensor.shape), storage_of(element), element.storage_type_min, element.storage_type_max)


class _Stack:
    """Chains of one form as one, on tensors with a leading axis for the chains."""

    def __init__(self, chains: list[_Chain]) -> None:
        self.chains = chains
        self.constants = [op for op in chains[0].operations if op.name == "graph.constant"]
        self.inputs: list[np.ndarray] = []
        for index, op in enumerate(chains[0].operations):
            if op.name == "graph.constant":
                values = [np.asarray(chain.operations[index].attributes["value"].value) for chain in chains]
                self.inputs.append(np.stack(values))

    def input_types(self) -> list[ir.Type]:
        """Types of the constants; of quantized ones, those of their integers."""
        types: list[ir.Type] = []
        for op in self.constants:
            tensor = ir.RankedTensorType(op.result.type)
            element = tensor.element_type
            if isinstance(element, ir.QuantizedType):
                element = _storage(element)
            types.append(ir.RankedTensorType.get([len(self.chains), *ir.shape_of(op.result)], element))
        return types

    def output_type(self) -> ir.Type:
        return self._stacked(len(self.chains[0].operations) - 1)

    def build(self, function: NumberedFunction, arguments: Sequence[ir.Value]) -> ir.Value:
        """Appends the operators to `function`; the stacked tables."""
        given = iter(arguments)
        values: dict[ir.Value, ir.Value] = {}
        for index, op in enumerate(self.chains[0].operations):
            type = self._stacked(index)
            if op.name == "graph.constant":
                value = next(given)
                if value.type != type:
                    value = self._create(function, "graph.storage_cast", type, [value]).result
            else:
                operands = [values[operand] for operand in op.operands]
                value = self._create(function, op.name, type, operands, _attributes(op)).result
            values[op.result] = value
        return values[self.chains[0].table]

    @staticmethod
    def _create(
        function: NumberedFunction,
        name: str,
        type: ir.Type,
        operands: Sequence[ir.Value],
        attributes: dict[str, ir.Attribute] | None = None,
    ) -> ir.Operation:
        location = ir.Location.unknown(type.context)
        return ir.Operation.create(name, [type], operands, attributes or {}, loc=location, ip=function.point)

    def _stacked(self, index: int) -> ir.Type:
        """The type of the result of operator `index`, with an axis for the chains in front."""
        tensors = [ir.RankedTensorType(chain.operations[index].result.type) for chain in self.chains]
        element = tensors[0].element_type
        if isinstance(element, ir.QuantizedType):
            elements = [ir.QuantizedType(tensor.element_type) for tensor in tensors]
            element = _quantized_by_chain(elements)
        return ir.RankedTensorType.get([len(self.chains), *tensors[0].shape], element)


def _storage(element: ir.QuantizedType) -> ir.Type:
    return ir.Type.parse(element_type(storage_of(element)).mlir, element.context)


def _quantized_by_chain(elements: Sequence[ir.QuantizedType]) -> ir.Type:
    first = elements[0]
    sign = "i" if first.is_signed else "u"
    storage = f"{sign}{element_type(storage_of(first)).bits}<{first.storage_type_min}:{first.storage_type_max}>"
    entries = ",".join(f"{element.scales[0]:.17e}:{element.zero_points[0]}" for element in elements)
    return ir.Type.parse(f"!quant.uniform<{storage}:f32:0, {{{entries}}}>", first.context)


def _run(stacks: Sequence[_Stack], cpu: CpuOptions | None) -> Iterator[tuple[_Chain, np.ndarray]]:
    """The table of every chain, all computed by one function."""
    types = [stack.input_types() for stack in stacks]
    function = NumberedFunction([t for each in types for t in each], [stack.output_type() for stack in stacks])
    arguments = iter(function.arguments)
    for stack, each in zip(stacks, types, strict=True):
        function.results.append(stack.build(function, [next(arguments) for _ in each]))
    results = function.run([array for stack in stacks for array in stack.inputs], cpu)
    for stack, tables in zip(stacks, results, strict=True):
        yield from zip(stack.chains, tables, strict=True)
