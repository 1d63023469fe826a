"""Multiply-accumulates of operators: of everything that sums products of two tensors.

Element-wise operators, sums without products (pools) and interpolation (Resize, GridSample) count as none. Where sizes
are open the figure is a product of these, by the names that the model gives them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acc import ir
    from acc._mlir import Sizes

__all__ = ["Macs", "count_macs"]

Product = list[int]
"""Factors, of which each is a number or a Size."""


@dataclass(frozen=True)
class Macs:
    """A number of multiply-accumulates.

    fixed: what does not depend on open sizes. per: coefficients of products of open sizes, such as {"n*height": 96}.
    complete: false if some depend on what cannot be said in these terms.
    """

    fixed: int = 0
    per: Mapping[str, int] = field(default_factory=dict)
    complete: bool = True

    @property
    def known(self) -> int | None:
        """The number, None if it is another in every run."""
        return self.fixed if self.complete and not self.per else None

    def __add__(self, other: Macs) -> Macs:
        per = dict(self.per)
        for product, factor in other.per.items():
            per[product] = per.get(product, 0) + factor
        return Macs(self.fixed + other.fixed, per, self.complete and other.complete)

    def times(self, turns: int | None) -> Macs:
        """The number so many times over; None stands for what is only known to a run."""
        if turns is not None:
            per = {product: factor * turns for product, factor in self.per.items()}
            return Macs(self.fixed * turns, per, self.complete or not turns)
        per = {f"{product}*turn": factor for product, factor in self.per.items()}
        return Macs(0, per | ({"turn": self.fixed} if self.fixed else {}), self.complete)

    def __str__(self) -> str:
        terms = [f"{factor:,}*{product}" for product, factor in self.per.items() if factor]
        if self.fixed or not (terms or not self.complete):
            terms.append(f"{self.fixed:,}")
        return " + ".join([*terms, *([] if self.complete else ["?"])])


class _Shapes:
    """What the counts below read of an operator."""

    def __init__(self, op: ir.Operation, sizes: Sizes) -> None:
        self.op, self.sizes = op, sizes

    def operand(self, index: int) -> list[int]:
        return self.sizes.shape(self.op.operands[index])

    def result(self) -> list[int]:
        return self.sizes.shape(self.op.results[0])

    def attribute(self, name: str, default: object = None) -> object:
        attribute = self.op.attributes.get(name)
        return default if attribute is None else attribute.value


def _convolution(s: _Shapes) -> Iterator[Product]:
    yield [*s.result(), *s.operand(1)[1:]]


def _transposed_convolution(s: _Shapes) -> Iterator[Product]:
    yield [*s.operand(0), *s.operand(1)[1:]]


def _gemm(s: _Shapes) -> Iterator[Product]:
    yield [*s.result(), s.operand(0)[0 if s.attribute("transA", False) else 1]]


def _gemm_integer(s: _Shapes) -> Iterator[Product]:
    yield [*s.result(), s.operand(0)[1]]


def _mat_mul(s: _Shapes) -> Iterator[Product]:
    yield [*s.result(), s.operand(0)[-1]]


def _einsum(s: _Shapes) -> Iterator[Product]:
    terms = str(s.attribute("equation")).partition("->")[0].split(",")
    if len(terms) < 2:
        return
    extents: dict[str, int] = {}
    for index, term in enumerate(terms):
        for letter, size in zip(term, s.operand(index), strict=True):
            extents[letter] = s.sizes.broadcast(extents[letter], size) if letter in extents else size
    yield [*extents.values()]


def _recurrent(s: _Shapes) -> Iterator[Product]:
    steps, batch, elements = s.operand(0)
    directions, gates, hidden = s.operand(2)
    yield [steps, batch, directions, gates, elements + hidden]
    segments = s.op.attributes["operandSegmentSizes"].value
    if s.op.name == "graph.lstm" and segments[7]:
        yield [steps, batch, directions, 3, hidden]


_COUNTS: Mapping[str, Callable[[_Shapes], Iterable[Product]]] = {
    "graph.conv": _convolution,
    "graph.conv_integer": _convolution,
    "graph.conv_transpose": _transposed_convolution,
    "graph.deform_conv": _convolution,
    "graph.gemm": _gemm,
    "graph.gemm_integer": _gemm_integer,
    "graph.mat_mul": _mat_mul,
    "graph.matmul_integer": _mat_mul,
    "graph.einsum": _einsum,
    "graph.rnn": _recurrent,
    "graph.gru": _recurrent,
    "graph.lstm": _recurrent,
}


def count_macs(op: ir.Operation, sizes: Sizes) -> Macs:
    """Multiply-accumulates of an operator of the graph dialect, without padding to the hardware's blocks.

    Sequences of recurrent networks count with their full length, loops with as many turns as their number allows, in
    products with "turn" if a run knows it; of branches the one that has more counts.
    """
    total = Macs()
    if op.regions:
        parts = [_sum(region, sizes) for region in op.regions]
        if op.name == "graph.loop":
            return parts[0].times(_turns(op))
        return max(parts, key=lambda part: (not part.complete, bool(part.per), part.fixed))
    count = _COUNTS.get(op.name)
    for product in count(_Shapes(op, sizes)) if count else ():
        total += _evaluate(product, sizes)
    return total


def _sum(region: ir.Region, sizes: Sizes) -> Macs:
    return sum((count_macs(op, sizes) for op in region.blocks[0].operations), Macs())


def _turns(op: ir.Operation) -> int | None:
    """How many turns a graph.loop takes at most, if that is known."""
    from acc import ir

    has_count = op.attributes["operandSegmentSizes"].value[0]
    count = op.operands[0].owner if has_count else None
    if not isinstance(count, ir.Operation) or count.name != "graph.constant":
        return None
    return max(int(count.attributes["value"].value.item()), 0)


def _evaluate(product: Product, sizes: Sizes) -> Macs:
    # Reports of models that are compiled already need no compiler.
    from acc._mlir import Size

    fixed = math.prod(factor for factor in product if not isinstance(factor, Size))
    names = [sizes.describe(factor) for factor in product if isinstance(factor, Size)]
    if not names or not fixed:
        return Macs(fixed)
    if None in names:
        return Macs(complete=False)
    return Macs(per={"*".join(name for name in names if name is not None): fixed})
