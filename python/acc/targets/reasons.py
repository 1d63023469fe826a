"""Why the CPU runs an operator: what every accelerator can say of operators that it has no rules for.

A kernel may hold several operators that the CPU runs. The reason that `acc info` prints for it is that of the operator
which is to blame, not that of what only comes with it, such as the quantization of an operand.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from acc import ir
from acc._mlir import onnx_name
from acc.dtypes import BY_MLIR, ElementType

__all__ = ["AT_BORDERS", "ENTERS", "MOVES", "Blame", "Reason", "element_of", "explain", "title_of"]

ENTERS = "enters the integer part of the network"

AT_BORDERS: Mapping[str, str] = {
    "graph.quantize_linear": ENTERS,
    "graph.dequantize_linear": "leaves the integer part of the network",
    "graph.rebase": "converts between uint8 and int8",
    "graph.cast": "converts element types",
}
"""What comes with other operators, which are to blame if there are any."""

MOVES = frozenset(
    f"graph.{name}"
    for name in (
        *("concat", "transpose", "pad", "slice", "expand", "tile", "trilu", "reverse_sequence", "index_tensor"),
        *("where", "gather", "gather_elements", "gather_nd", "scatter_elements", "scatter_nd", "tensor_scatter"),
    )
)
"""Operators that only move data."""


class Blame(enum.IntEnum):
    """How much an operator is to blame for its kernel's place on the CPU, where another could be."""

    NONE = 0
    BORDER = 1
    MOVE = 2
    FLOAT = 3
    RULE = 4


@dataclass(frozen=True)
class Reason:
    """Why the CPU runs an operator; an empty text if an accelerator can."""

    text: str = ""
    blame: Blame = Blame.NONE

    def __bool__(self) -> bool:
        return bool(self.text)


def title_of(op: ir.Operation) -> str:
    """What an operator is called in messages."""
    if op.name == "graph.weighted_sum" and len(op.operands) == 1:
        return "rescaling"
    if op.name == "graph.lookup":
        return "look-up"
    return onnx_name(op.name)


def element_of(op: ir.Operation) -> ElementType:
    """The element type that an operator computes on; integers for quantized tensors."""
    value = op.operands[0] if op.operands else op.result
    element = ir.RankedTensorType(value.type).element_type
    return BY_MLIR["i8" if isinstance(element, ir.QuantizedType) else str(element)]


def explain(op: ir.Operation) -> Reason:
    """Why the CPU runs `op`, for which the accelerator has no rules: it moves data, is not quantized, ..."""
    if op.name in ("graph.if", "graph.loop"):
        return Reason("control flow that a run decides on", Blame.RULE)
    if (known := op.attributes.get("graph.reason")) is not None:
        return Reason(str(known.value), Blame.RULE)
    if op.name == "graph.dequantize_linear":
        producer = op.operands[0].owner
        if isinstance(producer, ir.Operation) and producer.name == "graph.constant":
            return Reason("dequantizes a constant for floating point", Blame.BORDER)
    if op.name in AT_BORDERS:
        return Reason(AT_BORDERS[op.name], Blame.BORDER)
    if op.name in MOVES:
        return Reason("moves data", Blame.MOVE)
    if element_of(op).kind == "float":
        return Reason(f"not quantized: {title_of(op)} in floating point", Blame.FLOAT)
    return Reason(f"{title_of(op)} on {element_of(op).name}, which the accelerator does not have", Blame.FLOAT)
