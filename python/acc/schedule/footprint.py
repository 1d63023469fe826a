"""What a schedule must know of a te.kernel: its axes, and the buffers that each of them moves.

A policy must foresee exactly what the te passes will allocate and transfer. The compiler itself describes it
(`passes/TE/Footprint.h`): every buffer on the accelerator has one linear form per dimension, which axes move it, by how
much. The size of a tile, the bytes of a transfer and the padding of a border then follow for any tile sizes, without
touching the IR again.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from acc import _mlir, ir

__all__ = ["Axis", "Buffer", "Footprint", "Form", "Unschedulable", "read_footprint"]

# Names of a packed tensor's outer dimensions, whose channels may lie in sections, and of what is summed over: input
# channels and the window.
PARALLEL = {4: ("n", "c", "h", "w"), 5: ("n", "s", "c", "h", "w")}
REDUCTIONS = ("ci", "kh", "kw")
# What of these lies within an element of one operand, where there is one such axis.
WHOLE = "taps"


class Unschedulable(Exception):
    """A kernel that the accelerator cannot run; the message is the reason, for people."""


@dataclass(frozen=True)
class Axis:
    """A loop that can be tiled: its extent and its number among the iterators that its tile level numbers.

    One that is `whole` moves within an element of one operand while it leads to the next of another: tiles have all
    of it.
    """

    name: str
    extent: int
    index: int
    reduction: bool
    whole: bool = field(default=False, repr=False)


@dataclass(frozen=True)
class Form:
    """The position of a slice in one dimension: offset + the sum of coefficient * position in the axis.

    reach: how many elements more a slice has, as an operation beside the one that is tiled reduces them whole.
    """

    terms: tuple[tuple[str, int], ...] = ()
    offset: int = 0
    reach: int = 0


@dataclass(frozen=True)
class Buffer:
    """A buffer that the te passes allocate per tile, or what a tile of the result is stored to.

    `role` is what it is for: "input" or "weight" of a product, "accumulator", or "output" for a store; the hardware
    knows in which memory that is. `arg` is the kernel argument that is read into it, None for an intermediate value.
    `forms` has one entry per dimension outside of an element; they are positions in the padded argument, `low` the
    padding in front, and `extents` the argument's sizes in elements. `padded` says which dimensions have padding at
    all. `dram_bytes` is the size of an element in main memory. `sizes` is what is read where no axis of a dimension is
    tiled: all of it, even if no window reaches the end. `mutated`: later steps change it in place. `anchor`: it is
    read by the operation that sums. `strided`: elements next to each other in the buffer are not in main memory, so
    that a transfer moves one dimension less.
    """

    role: str
    forms: tuple[Form, ...]
    arg: int | None = None
    dram_bytes: int = 0
    extents: tuple[int, ...] = ()
    low: tuple[int, ...] = ()
    padded: tuple[bool, ...] = ()
    mutated: bool = False
    anchor: bool = False
    sizes: tuple[int, ...] = ()
    strided: bool = False

    @cached_property
    def axes(self) -> frozenset[str]:
        """The axes that move the slice."""
        return frozenset(axis for form in self.forms for axis, _ in form.terms)


@dataclass(frozen=True)
class Window:
    """How many elements a step of the matrix unit reads together, and how many of them the step before it has not.

    That is where steps follow each other in `axis`, the parallel axis whose positions are nearest; None if there is no
    such axis, so that each step reads all of them.
    """

    elements: int
    moves: int
    axis: Axis | None


@dataclass(frozen=True)
class Footprint:
    """A kernel as a policy sees it.

    `axes`: the parallel ones first. `buffers`: what a tile needs at the same time. `stores`: what it writes. `steps`:
    operations per tile beside the sum and the transfers. `product`: whether the sum is one of inputs times weights.
    `body`: a digest of the operations, so that kernels which compute other things can be told apart.
    """

    name: str
    axes: tuple[Axis, ...]
    buffers: tuple[Buffer, ...]
    stores: tuple[Buffer, ...]
    steps: int = 0
    product: bool = False
    body: str = ""

    @property
    def identity(self) -> str:
        """Equal for kernels that take the same time with the same schedule: a digest, 32 hexadecimal digits."""
        return hashlib.blake2b(f"{self.signature}{self.body}".encode(), digest_size=16).hexdigest()

    @property
    def signature(self) -> str:
        """Equal for kernels that have the same schedules."""
        return repr((self.axes, self.buffers, self.stores, self.steps, self.product))

    @property
    def parallel(self) -> list[Axis]:
        """The axes whose tiles are independent of each other."""
        return [axis for axis in self.axes if not axis.reduction]

    @property
    def reductions(self) -> list[Axis]:
        """The axes that are summed over."""
        return [axis for axis in self.axes if axis.reduction]

    @cached_property
    def window(self) -> Window | None:
        """What the axes that are whole make of a step, if there are any."""
        whole = [axis for axis in self.reductions if axis.whole]
        if not whole:
            return None
        parallel = {axis.name: axis for axis in self.parallel if axis.extent > 1}
        forms = [form for buffer in self.buffers for form in buffer.forms]
        moves = [
            (abs(coefficient), name)
            for form in forms
            if {name for name, _ in form.terms} & {axis.name for axis in whole}
            for name, coefficient in form.terms
            if name in parallel
        ]
        elements = math.prod(axis.extent for axis in whole)
        least, name = min(moves, default=(elements, ""))
        return Window(elements, min(least, elements), parallel.get(name))

    @property
    def terms(self) -> int:
        """How many steps of the matrix unit each result takes, those that only read an element included."""
        tiled = math.prod(axis.extent for axis in self.reductions if not axis.whole)
        return tiled * (self.window.moves if self.window else 1)

    @property
    def reads(self) -> dict[int, Buffer]:
        """By argument, the buffer that it is read into; of several, that of the operation that sums."""
        return {b.arg: self.buffers[i] for i, b in zip(self.leaders, self.buffers, strict=True) if b.arg is not None}

    @cached_property
    def leaders(self) -> tuple[int, ...]:
        """For every buffer the number of the one whose level and slots it has: an argument has one of each."""
        first: dict[int, int] = {}
        # Those of the sum come first.
        for index in sorted(range(len(self.buffers)), key=lambda i: not self.buffers[i].anchor):
            buffer = self.buffers[index]
            if buffer.arg is not None:
                first.setdefault(buffer.arg, index)
        return tuple(i if b.arg is None else first[b.arg] for i, b in enumerate(self.buffers))


def _name_axes(axes: list[_mlir.FootprintAxis]) -> list[str]:
    """The names of images and windows where the numbers of axes fit."""
    parallel = [axis for axis in axes if not axis.is_reduction]
    reductions = [axis for axis in axes if axis.is_reduction and not axis.is_whole]
    whole = [axis for axis in axes if axis.is_whole]
    names = PARALLEL.get(len(parallel)) or tuple(f"p{axis.index}" for axis in parallel)
    fits = len(reductions) <= len(REDUCTIONS)
    summed = REDUCTIONS[len(REDUCTIONS) - len(reductions) :] if fits else tuple(f"r{axis.index}" for axis in reductions)
    return [*names, *summed, *([WHOLE] if len(whole) == 1 else [f"{WHOLE}{axis.index}" for axis in whole])]


def _buffer(staged: _mlir.FootprintBuffer, names: list[str]) -> Buffer:
    forms = tuple(
        Form(tuple((name, c) for name, c in zip(names, coefficients, strict=True) if c), offset, reach)
        for (*coefficients, offset), reach in zip(staged.forms, staged.reach, strict=True)
    )
    return Buffer(
        staged.role,
        forms,
        staged.argument,
        staged.element_bytes,
        tuple(staged.extents),
        tuple(staged.low),
        tuple(staged.padded),
        staged.is_mutated,
        staged.is_for_anchor,
        tuple(staged.sizes),
        staged.is_strided,
    )


# What does not decide how long an operation takes: names, decisions, and the values of constants, which are data.
_LEFT_OUT = frozenset(("sym_name", "layers", "target", "schedule", "value", "graph.reason"))


def _describe_body(operation: ir.Operation) -> Iterator[str]:
    """What the operations inside of another one are, with their types and attributes."""
    for region in operation.regions:
        for block in region.blocks:
            for op in block.operations:
                attributes = [
                    f"{name}={op.attributes[name]}" for name in sorted(op.attributes) if name not in _LEFT_OUT
                ]
                types = [str(value.type) for value in (*op.operands, *op.results)]
                yield f"{op.name}({', '.join([*types, *attributes])})"
                yield from _describe_body(op)


def read_footprint(kernel: ir.Operation) -> Footprint:
    """Describes a te.kernel in its target's layout, before te-tile; raises Unschedulable."""
    try:
        footprint = _mlir.describe_kernel(kernel)
    except ValueError as why:
        raise Unschedulable(str(why)) from None
    names = _name_axes(footprint.axes)
    return Footprint(
        kernel.attributes["sym_name"].value,
        tuple(
            Axis(n, a.extent, a.index, a.is_reduction, a.is_whole) for n, a in zip(names, footprint.axes, strict=True)
        ),
        tuple(_buffer(staged, names) for staged in footprint.buffers),
        tuple(_buffer(staged, names) for staged in footprint.stores),
        footprint.steps,
        footprint.is_product,
        hashlib.blake2b("\n".join(_describe_body(kernel)).encode(), digest_size=16).hexdigest(),
    )
