"""Builds graph operators; the only module of the front end that touches the IR."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from acc import ir
from acc.dialects import graph
from acc.dialects._attributes import Enumeration
from acc.dtypes import element_type
from acc.errors import ModelError
from acc.frontend.problems import Unsupported
from acc.frontend.sizes import Size, current
from acc.frontend.splats import is_splat

CHECK = "te.check"
"""The operator that ends a run."""

EQUAL, LESS = 0, 2
"""Numbers of arith's predicates."""

# What stands for a size that an index operand gives, MLIR's ShapedType::kDynamic.
_UNKNOWN = -(2**63)

# What stands for a scale of 0 where there is no other scale.
_SMALL_SCALE = 2.0**-16

# Constants up to this size print inline; larger ones are resources, which share numpy's memory.
_MAX_INLINE_BYTES = 1024

# Elements of constants that a region has itself instead of reading them from outside.
_MAX_REPEATED = 16


@dataclass(frozen=True)
class Quantization:
    """How integers stand for reals: real = (integer - zero_point) * scale.

    Attributes:
        storage: an integer of at most 16 bits, or int32.
        scales, zero_points: one entry, or one per element of `axis`.
        axis: the quantized axis, or None per tensor.
    """

    storage: np.dtype
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None

    def __str__(self) -> str:
        """The type in MLIR's notation."""
        integer = element_type(self.storage)
        storage = f"{'u' if integer.kind == 'uint' else 'i'}{integer.bits}"
        # MLIR's grammar wants a point in every number, which repr leaves out at times.
        entries = [f"{scale:.17e}:{zero}" for scale, zero in zip(self.scales, self.zero_points, strict=True)]
        if self.axis is None:
            return f"!quant.uniform<{storage}:f32, {entries[0]}>"
        return f"!quant.uniform<{storage}:f32:{self.axis}, {{{','.join(entries)}}}>"

    def without_zero_scales(self, array: np.ndarray) -> tuple[np.ndarray, Quantization]:
        """Integers and a quantization that mean the same, but have no scale of 0.

        Exporters write such scales for channels whose weights are all zero. Whatever integers a channel of scale 0
        holds stand for 0: they become its zero point, under the largest scale of the other channels.
        """
        scales = np.array(self.scales)
        dead = scales == 0
        if not dead.any():
            return array, self
        scales[dead] = scales.max() or _SMALL_SCALE
        along = [1] * array.ndim
        if self.axis is not None:
            along[self.axis] = -1
        zeros = np.array(self.zero_points, self.storage).reshape(along)
        alive = np.where(dead.reshape(along), zeros, array.astype(self.storage))
        return alive, replace(self, scales=tuple(map(float, scales)))


@dataclass
class _Level:
    """A block that operators are appended to, at `point`; see `Emitter.region` for `hoists`."""

    block: ir.Block
    point: ir.InsertionPoint
    hoists: bool = False


class Emitter:
    """Appends operators to one block, or to that of a region of it."""

    def __init__(self, context: ir.Context, block: ir.Block) -> None:
        self.constants: dict[ir.Value, np.ndarray] = {}
        """The arrays of the constants that were appended, but for quantized ones."""
        self.cast_sizes: dict[ir.Value, np.ndarray] = {}
        """The sizes that tensors of floats were cast from."""
        self._context = context
        self._levels = [_Level(block, ir.InsertionPoint(block))]
        self._holders: list[ir.Operation] = []

    @property
    def block(self) -> ir.Block:
        """The innermost block that is being built."""
        return self._levels[-1].block

    @contextmanager
    def region(self, *, hoists: bool) -> Iterator[ir.Block]:
        """A block of its own for what is appended meanwhile, which may read all that there is outside of it.

        Constants go in front of it; with `hoists` so does whatever depends on nothing in it. What it is a region of is
        to be made afterwards, and takes the operators out of it.
        """
        outer = self._levels[-1]
        holder = ir.Operation.create("builtin.module", regions=1, loc=self.location("region"), ip=outer.point)
        self._holders.append(holder)
        block = holder.regions[0].blocks.append()
        before, outer.point = outer.point, ir.InsertionPoint(holder)
        self._levels.append(_Level(block, ir.InsertionPoint(block), hoists))
        try:
            yield block
        finally:
            self._levels.pop()
            outer.point = before

    def drop_regions(self) -> None:
        """Erases what is left of regions, after the last use of any value."""
        while self._holders:
            self._holders.pop().erase()

    def _point(self, operands: Sequence[ir.Value]) -> ir.InsertionPoint:
        """Where an operator on these operands goes."""
        depth = len(self._levels) - 1
        if depth:
            blocks = set(map(block_of, operands))
            while depth and (self._levels[depth].hoists or not operands) and self._levels[depth].block not in blocks:
                depth -= 1
        return self._levels[depth].point

    def location(self, name: str) -> ir.Location:
        return ir.Location.name(name, context=self._context)

    def tensor_type(self, shape: Sequence[int], element: np.dtype | Quantization | ir.Type) -> ir.Type:
        sizes = [None if isinstance(size, Size) else size for size in shape]
        if any(size is not None and size < 0 for size in sizes):
            raise Unsupported(f"a tensor cannot have the shape [{', '.join(map(str, shape))}]")
        return ir.RankedTensorType.get(sizes, self.element_type(element))

    def element_type(self, element: np.dtype | Quantization | ir.Type) -> ir.Type:
        if isinstance(element, Quantization):
            return ir.Type.parse(str(element), self._context)
        if not isinstance(element, np.dtype):
            return element
        return ir.Type.parse(element_type(element).mlir, self._context)

    def emit(
        self,
        operator: str,
        operands: Sequence[ir.Value],
        attributes: Mapping[str, object],
        name: str,
        result: ir.Type | None = None,
    ) -> ir.Value:
        """Appends `graph.<operator>` and returns its first result, whose type is inferred unless given.

        Raises Unsupported with the words of the verifier if the operator is not valid.
        """
        return self.emit_all(operator, operands, attributes, name, result)[0]

    def emit_all(
        self,
        operator: str,
        operands: Sequence[ir.Value],
        attributes: Mapping[str, object],
        name: str,
        result: ir.Type | None = None,
    ) -> Sequence[ir.Value]:
        """As `emit`, but returns all results."""
        unknown: list[Size] = []
        attributes = {key: _take_unknown(value, unknown) for key, value in attributes.items()}
        operands = [*operands, *(self.index(size) for size in unknown)]
        try:
            op = ir.Operation.create(
                f"graph.{operator}",
                operands=operands,
                attributes={key: self.attribute(value) for key, value in attributes.items()},
                results=None if result is None else [result],
                infer_type=result is None,
                loc=self.location(name),
                ip=self._point(operands),
            )
            op.verify()
        except ir.MLIRError as error:
            raise Unsupported(error.diagnostics[0].message if error.diagnostics else error.message) from error
        return list(op.results)

    def reshape(self, value: ir.Value, shape: Sequence[int], name: str) -> ir.Value:
        """The same elements under another shape."""
        sizes = [self.index(size) for size in shape if isinstance(size, Size)]
        element = ir.RankedTensorType(value.type).element_type
        return self.emit("reshape", [value, *sizes], {}, name, self.tensor_type(shape, element))

    def index(self, size: int | Size) -> ir.Value:
        """A size as a value of type index."""
        return current().emit(size, self.block, self.location("sizes"))

    def element(self, tensor: ir.Value, position: Sequence[int], name: str) -> int:
        """An integer of a tensor as a size, read at run time."""
        type = cast(ir.RankedTensorType, tensor.type).element_type
        read = self._raw("tensor.extract", [tensor, *map(self.index, position)], type, name)
        return current().value(self._raw("arith.index_cast", [read], ir.IndexType.get(self._context), name))

    def choose(self, predicate: int, a: int, b: int, then: int, otherwise: int, name: str) -> int:
        """`then` where a and b compare so (arith's number of the predicate), else `otherwise`, at run time."""
        index = ir.IndexType.get(self._context)
        condition = self._compare(predicate, [self.index(a), self.index(b)], name)
        operands = [condition, self.index(then), self.index(otherwise)]
        return current().value(self._raw("arith.select", operands, index, name))

    def check(self, predicate: int, a: int, b: int, message: Sequence[str], name: str) -> None:
        """Ends a run in which a and b do not compare so (arith's number of the predicate).

        message: three texts, with a and b between them.
        """
        numbers = [self.index(a), self.index(b)]
        operands = [self._compare(predicate, numbers, name), *numbers]
        ir.Operation.create(
            CHECK,
            operands=operands,
            attributes={"message": self.attribute(list(message))},
            results=[],
            loc=self.location(name),
            ip=self._point(operands),
        )

    def _compare(self, predicate: int, operands: Sequence[ir.Value], name: str) -> ir.Value:
        i1 = ir.IntegerType.get_signless(1, context=self._context)
        number = ir.IntegerAttr.get(ir.IntegerType.get_signless(64, context=self._context), predicate)
        return self._raw("arith.cmpi", operands, i1, name, {"predicate": number})

    def _raw(
        self,
        operator: str,
        operands: Sequence[ir.Value],
        result: ir.Type,
        name: str,
        attributes: Mapping[str, ir.Attribute] | None = None,
    ) -> ir.Value:
        """Appends an operator of another dialect."""
        op = ir.Operation.create(
            operator,
            operands=list(operands),
            attributes=dict(attributes or {}),
            results=[result],
            loc=self.location(name),
            ip=self._point(operands),
        )
        return op.results[0]

    def attribute(self, value: object) -> ir.Attribute:
        """The attribute of a value of Python.

        Integers are i64 attributes and floats f32, numpy bytes i8 and doubles f64. Sequences of integers and numpy
        arrays are dense arrays, sequences of texts are arrays; cases of an enumeration of `acc.dialects.graph` are its
        attributes.
        """
        match value:
            case Enumeration():
                return getattr(graph, f"{type(value).__name__}Attr").get(value, context=self._context)
            case bool():
                return ir.BoolAttr.get(value, context=self._context)
            case np.signedinteger() if value.dtype == np.int8:
                return ir.IntegerAttr.get(ir.IntegerType.get_signless(8, context=self._context), int(value))
            case np.float64():
                return ir.FloatAttr.get_f64(float(value), context=self._context)
            case int():
                return ir.IntegerAttr.get(ir.IntegerType.get_signless(64, context=self._context), value)
            case float():
                return ir.FloatAttr.get_f32(value, context=self._context)
            case str():
                return ir.StringAttr.get(value, context=self._context)
            case np.ndarray() if value.dtype == np.float64:
                return ir.DenseF64ArrayAttr.get(value.tolist(), context=self._context)
            case np.ndarray() if value.dtype == np.float32:
                return ir.DenseF32ArrayAttr.get(value.tolist(), context=self._context)
            case np.ndarray() if value.dtype == np.int32:
                return ir.DenseI32ArrayAttr.get(value.tolist(), context=self._context)
            case [str(), *_]:
                return ir.ArrayAttr.get(list(value), context=self._context)
            case list() | tuple():
                return ir.DenseI64ArrayAttr.get(list(value), context=self._context)
            case ir.Attribute():
                return value
        raise ModelError(f"no attribute for {value!r}")

    def constant(self, array: np.ndarray, name: str, quantization: Quantization | None = None) -> ir.Value:
        """Appends a graph.constant; with `quantization`, of a quantized type that stores `array`."""
        if array.dtype == object:
            vector = self.emit("index_tensor", [], {"values": list(array.reshape(-1))}, name)
            shape = list(array.shape)
            return self.emit("reshape", [vector], {}, name, self.tensor_type(shape, np.dtype(np.int64)))
        if quantization is not None:
            array = array.astype(quantization.storage, copy=False)
        element = quantization or array.dtype
        value = self._elements(array, name)
        result = self.emit("constant", [], {"value": value}, name, self.tensor_type(array.shape, element))
        if quantization is None:
            self.constants[result] = array
        return result

    def with_region(
        self,
        operator: str,
        operands: Sequence[Sequence[ir.Value]],
        results: Sequence[ir.Type],
        regions: Sequence[tuple[ir.Block, Sequence[ir.Value]]],
        name: str,
    ) -> Sequence[ir.Value]:
        """Appends an operator whose regions were built by `region`, and returns its results.

        operands: those of each of its groups but the last, which are what the regions read from outside.
        regions: the blocks, and what they yield. A block keeps its arguments; what it reads from outside follows them,
        but for small constants, which it has itself.
        """
        captured: dict[ir.Value, None] = {}
        for block, yielded in regions:
            read = (operand for op in needed_operations(block, yielded) for operand in op.operands)
            captured |= dict.fromkeys(v for v in (*read, *yielded) if block_of(v) != block and not _is_repeated(v))
        groups = [*operands, list(captured)]
        whole = [value for group in groups for value in group]
        try:
            op = ir.Operation.create(
                f"graph.{operator}",
                operands=whole,
                attributes={"operandSegmentSizes": ir.DenseI32ArrayAttr.get(list(map(len, groups)), self._context)},
                results=list(results),
                regions=len(regions),
                loc=self.location(name),
                ip=self._point(whole),
            )
            for region, (block, yielded) in zip(op.regions, regions, strict=True):
                self._fill(region, block, list(captured), yielded, name)
            op.verify()
        except ir.MLIRError as error:
            raise Unsupported(error.diagnostics[0].message if error.diagnostics else error.message) from error
        return list(op.results)

    def _fill(
        self, region: ir.Region, old: ir.Block, captured: Sequence[ir.Value], yielded: Sequence[ir.Value], name: str
    ) -> None:
        """Moves a block into a region, where what it reads from outside are arguments."""
        types = [value.type for value in (*old.arguments, *captured)]
        block = region.blocks.append(*types, arg_locs=[self.location(name)] * len(types))
        arguments = list(block.arguments)
        inside: dict[ir.Value, ir.Value] = dict(zip(captured, arguments[len(old.arguments) :], strict=True))
        inside |= zip(old.arguments, arguments, strict=False)

        def enter(value: ir.Value) -> ir.Value:
            if value not in inside and block_of(value) not in (old, block):
                assert isinstance(value.owner, ir.Operation)
                inside[value] = value.owner.clone(ir.InsertionPoint.at_block_begin(block)).results[0]
            return inside.get(value, value)

        for op in needed_operations(old, yielded):
            block.append(op.detach_from_parent())
            for index, operand in enumerate(op.operands):
                op.set_operand(index, enter(operand))
        results = [enter(value) for value in yielded]
        ir.Operation.create("graph.yield", operands=results, loc=self.location(name), ip=ir.InsertionPoint(block))

    def _elements(self, array: np.ndarray, name: str) -> ir.Attribute:
        type = self.tensor_type(array.shape, array.dtype)
        if is_splat(array):
            return ir.DenseElementsAttr.get_splat(type, self._scalar(array[(0,) * array.ndim]))
        if array.nbytes <= _MAX_INLINE_BYTES or array.dtype.kind == "b":
            return ir.DenseElementsAttr.get(array, type=type)
        return ir.DenseResourceElementsAttr.get(array, name, type=type)

    def _scalar(self, value: np.generic) -> ir.Attribute:
        element = self.element_type(value.dtype)
        kind = element_type(value.dtype).kind
        if kind == "float":
            return ir.FloatAttr.get(element, float(value))
        if kind == "bool":
            return ir.BoolAttr.get(bool(value), context=self._context)
        # Attributes carry bits: the upper half of uint64 is the negative half of int64.
        return ir.IntegerAttr.get(element, int(value.astype(np.int64)))


def _is_repeated(value: ir.Value) -> bool:
    """Whether a value is a constant so small that a region has one of its own."""
    owner = value.owner
    if not isinstance(owner, ir.Operation) or owner.name != "graph.constant":
        return False
    return ir.RankedTensorType(value.type).num_elements <= _MAX_REPEATED


def block_of(value: ir.Value) -> ir.Block:
    """The block that a value is defined in."""
    owner = value.owner
    if isinstance(owner, ir.Operation):
        assert owner.block is not None
        return owner.block
    return owner


def needed_operations(block: ir.Block, yielded: Sequence[ir.Value]) -> list[ir.Operation]:
    """What is computed in a block for these values, and what is checked. The rest is of attempts that were given up."""
    needed = set(yielded)
    operations = []
    for op in reversed(list(block.operations)):
        if op.name == CHECK or not needed.isdisjoint(op.results):
            operations.append(op)
            needed.update(op.operands)
    return operations[::-1]


def _take_unknown(value: object, unknown: list[Size]) -> object:
    """The attribute with a mark for every size that is not known, which go to `unknown` in order."""
    if isinstance(value, Size):
        unknown.append(value)
        return _UNKNOWN
    if not isinstance(value, list | tuple) or not any(isinstance(size, Size) for size in value):
        return value
    return [_take_unknown(size, unknown) for size in value]
