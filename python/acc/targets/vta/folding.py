"""Which part of a convolution's window goes into lanes: a decision that the layout pass obeys.

The matrix unit multiplies BLOCK_IN channels at once. Where an input has fewer, and the host packs it anyway, taps of
the window can stand side by side in its lanes: a row of them, a square, or all. That takes fewer products of tiles, and
more bytes to load.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from acc import ir
from acc.dialects.graph import PlacementAttr
from acc.targets.vta.config import Hardware

__all__ = ["FOLD", "Convolution", "choose_folds", "fold_of", "folds_by_cycles", "is_on", "operations_of"]

FOLD = "vta.fold"
"""The attribute of a convolution that has the rows and columns of its window that are folded."""


@dataclass(frozen=True)
class Convolution:
    """The shapes that decide: (N, C, H, W), (O, C, KH, KW), rows and columns of the result, strides and dilations."""

    input: tuple[int, int, int, int]
    weight: tuple[int, int, int, int]
    output: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]

    @staticmethod
    def of(op: ir.Operation) -> Convolution:
        """Reads a graph.conv_integer on images."""
        n, c, h, w = ir.shape_of(op.operands[0])
        outputs, _, rows, columns = ir.shape_of(op.operands[1])
        _, _, height, width = ir.shape_of(op.result)
        (down, right), (below, beside) = (op.attributes[name].value for name in ("strides", "dilations"))
        return Convolution((n, c, h, w), (outputs, c, rows, columns), (height, width), (down, right), (below, beside))

    def cycles(self, fold: tuple[int, int], hardware: Hardware) -> float:
        """About how long it takes with `fold` taps in lanes: products and loads overlap, but not altogether."""
        config = hardware.config
        batches = -(-self.input[0] // config.batch)
        blocks = -(-self.input[1] * fold[0] * fold[1] // config.block_in)
        products, loads = batches * blocks * -(-self.weight[0] // config.block_out), batches * blocks
        for taps, whole, output, stride, dilation in zip(
            fold, self.weight[2:], self.output, self.strides, self.dilations, strict=True
        ):
            rest = -(-whole // taps)
            step = stride if rest == 1 else math.gcd(stride, taps * dilation)
            products *= output * rest
            loads *= ((output - 1) * stride + (rest - 1) * taps * dilation) // step + 1
        loads *= config.batch * config.block_in * config.inp_bits // 8
        port = loads / BYTES_PER_CYCLE
        return max(products, port) + min(products, port) * EXPOSED_SHARE


BYTES_PER_CYCLE = 8
"""What the memory port moves."""
EXPOSED_SHARE = 1 / 8
"""How much of the shorter of products and loads nothing overlaps."""


def fold_of(convolution: Convolution, hardware: Hardware) -> tuple[int, int]:
    """Rows and columns of the window in lanes, (1, 1) for none: the cheapest, and of equal ones the smallest."""
    return folds_by_cycles(convolution, hardware)[0]


def folds_by_cycles(convolution: Convolution, hardware: Hardware) -> list[tuple[int, int]]:
    """All that are possible, the cheapest first."""
    rows, columns = convolution.weight[2:]
    candidates = itertools.product(range(1, rows + 1), range(1, columns + 1))
    return sorted(candidates, key=lambda fold: (convolution.cycles(fold, hardware), fold[0] * fold[1]))


def operations_of(module: ir.Operation) -> Iterator[list[ir.Operation]]:
    """The operations of every function of a module."""
    for function in module.regions[0].blocks[0]:
        if function.name == "func.func" and len(function.regions[0].blocks):
            yield list(function.regions[0].blocks[0].operations)


def is_on(op: ir.Operation, target: str) -> bool:
    """Whether an operator is placed on a target."""
    placement = op.attributes.get("graph.placement")
    return isinstance(placement, PlacementAttr) and placement.target is not None and placement.target.value == target


def _is_packed_by_host(value: ir.Value, target: str) -> bool:
    """Whether the host converts the layout of `value` before the accelerator reads it."""
    owner = value.owner
    if not isinstance(owner, ir.Operation):
        return True
    if "graph.packed" in owner.attributes:
        return False
    if owner.name in RESHAPES:
        return _is_packed_by_host(owner.operands[0], target)
    return not is_on(owner, target)


RESHAPES = frozenset(f"graph.{name}" for name in ("reshape", "flatten", "squeeze", "unsqueeze"))


def choose_folds(
    module: ir.Operation,
    hardware: Hardware,
    target: str = "vta",
    given: Mapping[str, tuple[int, int]] | None = None,
) -> None:
    """Writes `vta.fold` on every convolution that the accelerator runs and that is cheaper so.

    given: what others have decided, by the names of the convolution's ONNX nodes, joined by "+".
    """
    for op in itertools.chain.from_iterable(operations_of(module)):
        if op.name != "graph.conv_integer" or not is_on(op, target):
            continue
        group = op.attributes.get("group")
        if (group is not None and group.value != 1) or not _is_packed_by_host(op.operands[0], target):
            continue
        convolution = Convolution.of(op)
        rows, columns = convolution.weight[2:]
        fold = (given or {}).get("+".join(op.location.names), (0, 0))
        if not (1 <= fold[0] <= rows and 1 <= fold[1] <= columns):
            fold = fold_of(convolution, hardware)
        if fold != (1, 1):
            op.attributes[FOLD] = ir.DenseI64ArrayAttr.get(list(fold), op.context)
