"""What graph operators compute on known operands: their own native code, run in this process.

The operators are compiled with their operands as inputs, as any model is, so that a constant gives the bits that an
input of the same value gives. What is compiled is kept: graphs repeat themselves, and only the numbers differ.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from functools import lru_cache

import numpy as np

from acc import ir
from acc.compiler import compile_graph
from acc.executable import Executable
from acc.pipeline import Options, Pipeline
from acc.targets.cpu import CpuOptions

__all__ = ["NumberedFunction", "backward_slice", "evaluate"]

_KEPT = 64
"""Compiled graphs that are kept; each is some ten kilobytes of code."""


def evaluate(
    values: Sequence[ir.Value], known: Mapping[ir.Value, np.ndarray], cpu: CpuOptions | None = None
) -> list[np.ndarray]:
    """The tensors `values`, which depend on those of `known` alone, where these are the arrays.

    cpu: the processor that the code is made for, if this machine can run it; else it is made for this machine.

    Raises CompileError or RunError as compiling and running a model do.
    """
    operations = backward_slice(values, known)
    inputs = list(dict.fromkeys(operand for op in operations for operand in op.operands if operand in known))
    function = NumberedFunction([value.type for value in inputs], [value.type for value in values])
    copies: dict[ir.Value, ir.Value] = dict(zip(inputs, function.arguments, strict=True))
    for operation in operations:
        copy = operation.clone(function.point)
        for index, operand in enumerate(operation.operands):
            copy.set_operand(index, copies[operand])
        copies.update(zip(operation.results, copy.results, strict=True))
    function.results = [copies[value] for value in values]
    return function.run([known[value] for value in inputs], cpu)


def backward_slice(values: Sequence[ir.Value], known: Container[ir.Value]) -> list[ir.Operation]:
    """The operations that compute the values from those of `known`, producers first."""
    order: dict[ir.Operation, None] = {}
    stack = [(value.owner, False) for value in reversed(values) if value not in known]
    while stack:
        operation, is_placed = stack.pop()
        assert isinstance(operation, ir.Operation), "a value depends on more than those that are known"
        if operation in order:
            continue
        if is_placed:
            order[operation] = None
            continue
        stack.append((operation, True))
        stack += [(operand.owner, False) for operand in reversed(operation.operands) if operand not in known]
    return list(order)


class NumberedFunction:
    """A function `main` under construction, whose inputs and outputs are named by their numbers.

    arguments: its arguments. point: where its operators go. results: what it returns, to be set at last.
    """

    def __init__(self, inputs: Sequence[ir.Type], outputs: Sequence[ir.Type]) -> None:
        context = outputs[0].context
        self._location = ir.Location.unknown(context)
        self._module = ir.Module.create(self._location)
        self._count = len(outputs)
        function = ir.Operation.create(
            "func.func",
            attributes={
                "sym_name": "main",
                "function_type": ir.FunctionType.get(inputs, outputs, context=context),
                "arg_attrs": _names(len(inputs), context),
                "res_attrs": _names(len(outputs), context),
            },
            regions=1,
            loc=self._location,
            ip=ir.InsertionPoint(self._module.body),
        )
        block = function.regions[0].blocks.append()
        self.arguments = [block.add_argument(type, self._location) for type in inputs]
        self.point = ir.InsertionPoint(block)
        self.results: list[ir.Value] = []

    def run(self, inputs: Sequence[np.ndarray], cpu: CpuOptions | None = None) -> list[np.ndarray]:
        """The results for these inputs. cpu: as for `evaluate`."""
        ir.Operation.create("func.return", operands=self.results, loc=self._location, ip=self.point)
        executable = _compile(str(self._module), _runnable(cpu or CpuOptions()))
        results = executable.run({str(index): array for index, array in enumerate(inputs)})
        return [results[str(index)] for index in range(self._count)]


def _names(count: int, context: ir.Context) -> ir.Attribute:
    return ir.ArrayAttr.get([{"graph.name": str(index)} for index in range(count)], context=context)


@lru_cache(_KEPT)
def _compile(text: str, cpu: CpuOptions) -> Executable:
    pipeline = Pipeline(Options(cpu=cpu))
    graph = pipeline.simplify(ir.Module.parse(text, ir.Context()))
    return Executable.from_contents(compile_graph(pipeline, graph).contents)


@lru_cache
def _runnable(cpu: CpuOptions) -> CpuOptions:
    """The options, or those of this machine if it lacks a feature that they need."""
    own = CpuOptions()
    return cpu if set(cpu.all_features()) <= set(own.all_features()) else own
