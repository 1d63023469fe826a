"""What a schedule needs to know of a te.kernel: its axes, and the buffers that each of them needs.

A policy must foresee exactly what the te passes will allocate and transfer. This module reads a kernel's
linalg operations once and describes every scratchpad buffer by one linear form per dimension: which axes move
it, by how much. The size of a tile, the bytes of a transfer and the padding of a border then follow for any
tile sizes, without touching the IR again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

from acc import ir

__all__ = ["Axis", "Buffer", "Form", "KernelModel", "Unschedulable", "read_kernel"]

# The innermost dimensions of every packed tensor are one hardware element.
ELEMENT_RANK = 2
# Names of a packed tensor's outer dimensions, and of what is summed over: input channels and the window.
PARALLEL = ("n", "c", "h", "w")
REDUCTIONS = ("ci", "kh", "kw")


class Unschedulable(Exception):
    """A kernel that the accelerator cannot run; the message is the reason, for people."""


@dataclass(frozen=True)
class Axis:
    """A loop that can be tiled: its extent and its number among the iterators that its tile level numbers."""

    name: str
    extent: int
    index: int
    reduction: bool


@dataclass(frozen=True)
class Form:
    """The position of a slice in one dimension: offset + the sum of coefficient * position in the axis."""

    terms: tuple[tuple[str, int], ...] = ()
    offset: int = 0

    def scaled(self, factor: int) -> Form:
        return Form(tuple((axis, c * factor) for axis, c in self.terms if c * factor), self.offset * factor)

    def plus(self, other: Form) -> Form:
        sums = dict(self.terms)
        for axis, coefficient in other.terms:
            sums[axis] = sums.get(axis, 0) + coefficient
        return Form(tuple((a, c) for a, c in sums.items() if c), self.offset + other.offset)


@dataclass(frozen=True)
class Buffer:
    """A scratchpad buffer that the te passes allocate per tile.

    `arg` is the kernel argument that is read into it, None for an intermediate value. `forms` has one entry per
    outer dimension; they are positions in the padded argument, `low` the padding in front, and `extents` the
    argument's sizes in elements. `padded` says which dimensions have padding at all. `sizes` is what is read where
    no axis of a dimension is tiled: all of it, even if no window reaches the end.
    """

    memory: str
    forms: tuple[Form, ...]
    arg: int | None = None
    dram_bytes: int = 0
    extents: tuple[int, ...] = ()
    low: tuple[int, ...] = ()
    padded: tuple[bool, ...] = ()
    mutated: bool = False
    anchor: bool = False
    sizes: tuple[int, ...] = ()

    @cached_property
    def axes(self) -> frozenset[str]:
        """The axes that move the slice."""
        return frozenset(axis for form in self.forms for axis, _ in form.terms)


@dataclass
class KernelModel:
    """A kernel: its axes (parallel ones first), the buffers, the result's size and how much is computed."""

    name: str
    axes: list[Axis] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    stores: list[Buffer] = field(default_factory=list)
    alu_steps: int = 0
    gemm: bool = False

    @property
    def signature(self) -> str:
        """Equal for kernels that have the same schedules."""
        return repr((self.axes, self.buffers, self.stores, self.alu_steps, self.gemm))

    @property
    def parallel(self) -> list[Axis]:
        return [axis for axis in self.axes if not axis.reduction]

    @property
    def reductions(self) -> list[Axis]:
        return [axis for axis in self.axes if axis.reduction]


def _parse_map(attribute: ir.Attribute) -> tuple[int, list[tuple[dict[int, int], int]]]:
    """The number of dimensions and, per result, its coefficients by dimension and its constant."""
    text = str(attribute)
    match = re.fullmatch(r"affine_map<\((.*?)\) -> \((.*)\)>", text)
    if not match:
        raise Unschedulable(f"an operand is accessed by {text}, which is not linear")
    dims = [d.strip() for d in match.group(1).split(",") if d.strip()]
    results: list[tuple[dict[int, int], int]] = []
    for expr in (e.strip() for e in match.group(2).split(",")):
        if not expr:
            continue
        coefficients: dict[int, int] = {}
        constant = 0
        for term in expr.replace(" - ", " + -").split(" + "):
            product = re.fullmatch(r"(-?)d(\d+)(?: \* (-?\d+))?", term)
            if product:
                sign = -1 if product.group(1) else 1
                dim = int(product.group(2))
                coefficients[dim] = coefficients.get(dim, 0) + sign * int(product.group(3) or 1)
            elif re.fullmatch(r"-?\d+", term):
                constant += int(term)
            else:
                raise Unschedulable(f"an operand is accessed by {text}, which is not linear")
        results.append((coefficients, constant))
    return len(dims), results


def _owner(value: ir.Value) -> ir.Operation | None:
    return None if isinstance(value, ir.BlockArgument) else value.owner  # type: ignore[return-value]


def _shape(value: ir.Value) -> list[int]:
    return ir.ShapedType(value.type).shape


def _element_bits(value: ir.Value) -> int:
    return ir.IntegerType(ir.ShapedType(value.type).element_type).width


@dataclass
class _Loops:
    """A linalg operation as te-tile sees it: results accessed by constants have got loops of one iteration."""

    op: ir.Operation
    maps: list[list[tuple[dict[int, int], int]]]
    reductions: list[bool]

    @property
    def inputs(self) -> list[ir.Value]:
        return list(self.op.operands)[:-1]

    @property
    def init(self) -> ir.Value:
        return list(self.op.operands)[-1]

    @property
    def body(self) -> list[str]:
        return [inner.name for inner in self.op.regions[0].blocks[0]]

    def reads(self, index: int) -> bool:
        """Whether the body uses operand `index`."""
        return bool(self.op.regions[0].blocks[0].arguments[index].uses)


def _loops_of(op: ir.Operation) -> _Loops:
    if op.name == "linalg.fill":
        rank = len(_shape(op.operands[-1]))
        return _Loops(op, [[], [({i: 1}, 0) for i in range(rank)]], [False] * rank)
    maps = [_parse_map(attribute)[1] for attribute in _items(op.attributes["indexing_maps"])]
    reductions = ["reduction" in str(kind) for kind in _items(op.attributes["iterator_types"])]
    constants = [i for i, (coefficients, _) in enumerate(maps[-1]) if not coefficients]
    if constants:
        first = reductions.index(True) if True in reductions else len(reductions)
        count = len(constants)
        maps = [
            [({d if d < first else d + count: c for d, c in coefficients.items()}, k) for coefficients, k in results]
            for results in maps
        ]
        for number, position in enumerate(constants):
            maps[-1][position] = ({first + number: 1}, 0)
        reductions = [*reductions[:first], *[False] * count, *reductions[first:]]
    return _Loops(op, maps, reductions)


def _items(attribute: ir.Attribute) -> list[ir.Attribute]:
    array = ir.ArrayAttr(attribute)
    return [array[i] for i in range(len(array))]


class _Reader:
    """Goes from the result back to the arguments, carrying what one tile needs of every value."""

    def __init__(self, kernel: ir.Operation) -> None:
        self.block = kernel.regions[0].blocks[0]
        self.model = KernelModel(kernel.attributes["sym_name"].value)
        self.needs: dict[ir.Value, tuple[Form, ...]] = {}
        self.reductions: dict[int, str] = {}
        self.mutated: set[ir.Value] = set()
        self.read: set[tuple[int, tuple[Form, ...], str]] = set()

    def run(self) -> KernelModel:
        terminator = self.block.terminator
        assert terminator is not None
        if len(terminator.operands) != 1:
            raise Unschedulable(f"it has {len(terminator.operands)} results, not one")
        result = terminator.operands[0]
        insert = _owner(result)
        if insert is not None and insert.name == "tensor.insert_slice":
            result = insert.operands[0]
        linalg = [_loops_of(op) for op in self.block if op.name in ("linalg.generic", "linalg.fill")]
        if not linalg or _owner(result) != linalg[-1].op:
            raise Unschedulable("its result is not computed by its last operation")
        anchors = [loops for loops in linalg if any(loops.reductions)]
        if len(anchors) > 1:
            raise Unschedulable("several of its operations reduce")
        anchor = anchors[0] if anchors else None
        for loops in linalg:
            for use in loops.op.results[0].uses:
                consumer = use.owner
                if consumer.name == "linalg.generic" and use.operand_number == len(consumer.operands) - 1:
                    self.mutated.add(loops.op.results[0])

        shape = _shape(result)
        outer = len(shape) - ELEMENT_RANK
        if outer < 1:
            raise Unschedulable("its result is not packed into hardware elements")
        for index in range(outer):
            name = PARALLEL[index] if outer == len(PARALLEL) else f"p{index}"
            self.model.axes.append(Axis(name, shape[index], index, reduction=False))
        self.needs[result] = tuple(Form(((axis.name, 1),)) for axis in self.model.axes)
        if anchor is not None:
            self._add_reductions(anchor)
        for loops in reversed(linalg):
            self._visit(loops, loops is anchor)
        return self.model

    def _add_reductions(self, anchor: _Loops) -> None:
        extents = self._extents(anchor)
        inner = self._inner_loops(anchor)
        for index, reduction in enumerate(anchor.reductions):
            if reduction and index not in inner:
                self.reductions[index] = f"r{index}"
        if len(self.reductions) <= len(REDUCTIONS):
            self.reductions = dict(zip(self.reductions, REDUCTIONS[-len(self.reductions) :], strict=True))
        for index, name in self.reductions.items():
            self.model.axes.append(Axis(name, extents[index], index, reduction=True))
        self.model.gemm = len(anchor.inputs) == 2 and all(_element_bits(v) == 8 for v in anchor.inputs)

    def _extents(self, loops: _Loops) -> dict[int, int]:
        """Loop extents, from the dimensions that are accessed by a loop alone."""
        extents: dict[int, int] = {}
        for value, results in zip(loops.op.operands, loops.maps, strict=True):
            for size, (coefficients, _) in zip(_shape(value) if results else [], results, strict=True):
                if len(coefficients) == 1 and next(iter(coefficients.values())) == 1:
                    extents.setdefault(next(iter(coefficients)), size)
        return extents

    def _inner_loops(self, loops: _Loops) -> set[int]:
        """The loops inside of one hardware element."""
        inner: set[int] = set()
        for index, (value, results) in enumerate(zip(loops.op.operands, loops.maps, strict=True)):
            if len(results) > ELEMENT_RANK and (loops.reads(index) or value == loops.init):
                for coefficients, _ in results[-ELEMENT_RANK:]:
                    inner |= set(coefficients)
        return inner

    def _visit(self, loops: _Loops, is_anchor: bool) -> None:
        result = loops.op.results[0]
        forms = self.needs.get(result)
        if forms is None:
            return
        by_loop: dict[int, Form] = {}
        for (coefficients, _), form in zip(loops.maps[-1], forms, strict=False):
            by_loop[next(iter(coefficients))] = form
        inner = self._inner_loops(loops)
        for index, reduction in enumerate(loops.reductions):
            if reduction and index not in inner:
                by_loop[index] = Form(((self.reductions[index], 1),))
        if loops.op.name == "linalg.generic" and not is_anchor:
            self.model.alu_steps += 0 if loops.body[0] in ("arith.extsi", "arith.trunci") else 1
        widens = loops.op.name == "linalg.generic" and loops.body[0] == "arith.extsi" and not is_anchor
        narrows = loops.op.name == "linalg.generic" and loops.body[0] == "arith.trunci"
        for index, (value, results) in enumerate(zip(loops.inputs, loops.maps, strict=False)):
            if not isinstance(value.type, ir.RankedTensorType) or not loops.reads(index):
                continue
            needed = []
            for coefficients, constant in results[:-ELEMENT_RANK]:
                form = Form((), constant)
                for dim, coefficient in coefficients.items():
                    form = form.plus(by_loop[dim].scaled(coefficient))
                needed.append(form)
            memory = "acc"
            if is_anchor and self.model.gemm:
                memory = ("inp", "wgt")[index]
            self._need(value, tuple(needed), memory, mutated=widens and result in self.mutated, anchor=is_anchor)
        init = _owner(loops.init)
        if narrows:
            extents = tuple(_shape(result)[:-ELEMENT_RANK])
            self.model.stores.append(Buffer("out", forms, dram_bytes=self._element_bytes(result), extents=extents))
        elif init is not None and init.name == "tensor.empty":
            if not (widens and self._argument(loops.inputs[0]) is not None):
                # Every use of an initial value changes it in place, in a buffer of its own.
                count = len(result.uses) if loops.op.name == "linalg.fill" else 1
                sizes = tuple(_shape(result)[: len(forms)])
                self.model.buffers.extend([Buffer("acc", forms, sizes=sizes)] * count)
        elif init is not None:
            self._need(loops.init, forms, "acc", mutated=True, anchor=False)
        else:
            raise Unschedulable("it accumulates into one of its arguments")

    @staticmethod
    def _element_bytes(value: ir.Value) -> int:
        shape = _shape(value)
        count = 1
        for size in shape[-ELEMENT_RANK:]:
            count *= size
        return count * _element_bits(value) // 8

    def _argument(self, value: ir.Value) -> int | None:
        """The number of the kernel argument that `value` is a slice of, or None."""
        while (op := _owner(value)) is not None:
            if op.name not in ("tensor.extract_slice", "tensor.pad"):
                return None
            value = op.operands[0]
        return value.arg_number if isinstance(value, ir.BlockArgument) else None

    def _need(self, value: ir.Value, forms: tuple[Form, ...], memory: str, mutated: bool, anchor: bool) -> None:
        arg = self._argument(value)
        if arg is None:
            known = self.needs.setdefault(value, forms)
            if known != forms:
                raise Unschedulable("a value is read by two operations in different tiles")
            return
        # Identical read-only slices are staged once.
        key = (arg, forms, memory)
        if not mutated and key in self.read:
            return
        self.read.add(key)
        rank = len(forms)
        sizes = tuple(_shape(value)[:rank])
        low, padded = [0] * rank, [False] * rank
        extents = list(_shape(value)[:rank])
        dram_bytes = self._element_bytes(value)
        while (op := _owner(value)) is not None:
            source = op.operands[0]
            if op.name == "tensor.pad":
                if any(padded):
                    raise Unschedulable("an argument is padded twice")
                low = list(op.attributes["static_low"].value[:rank])
                high = list(op.attributes["static_high"].value[:rank])
                padded = [bool(a or b) for a, b in zip(low, high, strict=True)]
                extents = list(_shape(source)[:rank])
            elif any(padded):
                # Slices before the padding only shrink what is padded.
                pass
            else:
                offsets = op.attributes["static_offsets"].value[:rank]
                forms = tuple(f.plus(Form((), o)) for f, o in zip(forms, offsets, strict=True))
                extents = list(_shape(source)[:rank])
            value = source
        self.model.buffers.append(
            Buffer(memory, forms, arg, dram_bytes, tuple(extents), tuple(low), tuple(padded), mutated, anchor, sizes)
        )


def read_kernel(kernel: ir.Operation) -> KernelModel:
    """Describes a te.kernel on packed tensors, before te-tile; raises Unschedulable."""
    return _Reader(kernel).run()
