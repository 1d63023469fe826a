"""Runs the levels between the graph and instructions operation by operation, in numpy.

No pass takes part, so that a module is judged by what it says and not by what would be made of it. Tensors are arrays
that nobody changes, memrefs are arrays that are written to, and the body of a linalg operation is computed for all of
its parallel iterations at once. Operators of the graph are computed by `acc.reference`; what operations of a target's
own dialect compute, the target says (`Semantics`).

It is slow and knows what compiled models have between these levels, not all of MLIR: NotImplementedError names what it
does not know.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from acc import ir, reference
from acc.container import TensorInfo
from acc.dtypes import BY_MLIR, BY_NAME
from acc.errors import RunError
from acc.passes import upstream
from acc.passmanager import PassManager

__all__ = ["Interpreter", "Semantics", "box_of", "evaluate_expression", "mixed"]

Semantics = Callable[["Interpreter", ir.Operation, Sequence[Any]], "Sequence[Any] | None"]
"""What an operation computes: from the interpreter, the operation and its operands' values to those of its results.

Memrefs among the operands are arrays to be written to.
"""

DYNAMIC = -(1 << 63)
"""What stands in a static list where an operand says the number."""

AT_ONCE = 1 << 20
"""How many iterations of a sum are computed together."""


def mixed(static: Sequence[int], operands: Sequence[Any]) -> list[int]:
    """A list of numbers, some of which operands say; `operands` are those, in order."""
    left = iter(operands)
    return [int(next(left)) if value == DYNAMIC else int(value) for value in static]


def _dtype(type_: ir.Type) -> np.dtype:
    if ir.IndexType.isinstance(type_):
        return np.dtype(np.int64)
    if ir.QuantizedType.isinstance(type_):
        quantized = ir.QuantizedType(type_)
        bits = ir.IntegerType(quantized.storage_type).width
        return np.dtype(f"{'i' if quantized.is_signed else 'u'}{max(bits, 8) // 8}")
    element = BY_MLIR.get(str(type_))
    if element is None or (element.bits < 8 and element.kind != "bool"):
        raise NotImplementedError(f"elements of {type_}")
    return element.dtype


def _array_type(type_: ir.Type) -> tuple[list[int], np.dtype]:
    return list(ir.ShapedType(type_).shape), _dtype(ir.ShapedType(type_).element_type)


def evaluate_expression(expression: ir.AffineExpr, dims: Sequence[Any], symbols: Sequence[Any] = ()) -> Any:
    """An affine expression at numbers, or at arrays of them that broadcast."""
    if isinstance(expression, ir.AffineDimExpr):
        return dims[expression.position]
    if isinstance(expression, ir.AffineSymbolExpr):
        return symbols[expression.position]
    if isinstance(expression, ir.AffineConstantExpr):
        return expression.value
    assert isinstance(expression, ir.AffineBinaryExpr)
    left = evaluate_expression(expression.lhs, dims, symbols)
    right = evaluate_expression(expression.rhs, dims, symbols)
    if isinstance(expression, ir.AffineAddExpr):
        return left + right
    if isinstance(expression, ir.AffineMulExpr):
        return left * right
    if isinstance(expression, ir.AffineModExpr):
        return left % right
    return left // right if isinstance(expression, ir.AffineFloorDivExpr) else -(-left // right)


def box_of(sizes: Sequence[int]) -> list[np.ndarray]:
    """For each dimension of a box its positions, as arrays that broadcast to the box."""
    return list(np.ogrid[tuple(slice(size) for size in sizes)]) if sizes else []


class Interpreter:
    """Runs one module.

    semantics: of operations that are nobody's here, or instead of what is here. kept: results of kernels, by what they
    are and what they read, which interpreters of other modules made or will use.
    """

    def __init__(
        self,
        module: ir.Module,
        semantics: Mapping[str, Semantics] | None = None,
        kept: MutableMapping[bytes, list[np.ndarray]] | None = None,
    ) -> None:
        # Upstream's own definitions of matrix products, convolutions, pools and the like.
        manager = PassManager("builtin.module", module.context)
        manager.add(upstream.linalg_generalize_named_ops())
        self.module = module.clone()
        manager.run(self.module)
        self._semantics = {**_SEMANTICS, **(semantics or {})}
        self._kept = {} if kept is None else kept
        self._values: dict[ir.Value, Any] = {}
        self._texts: dict[str, str] = {}
        self._iteration: list[Any] = []
        self._symbols = {str(op.attributes["sym_name"].value): op for op in self.module.body if _is_symbol(op)}

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[TensorInfo]) -> dict[str, np.ndarray]:
        """What main computes, by name. Raises NotImplementedError, or RunError for a check that does not hold."""
        main = self._symbols["main"]
        block = main.regions[0].blocks[0]
        written: dict[int, np.ndarray] = {}
        values = []
        for argument, entry in zip(block.arguments, _entries(main, "arg_attrs"), strict=True):
            shape, dtype = _array_type(argument.type)
            if "cpu.output" in entry:
                if min(shape, default=0) < 0:
                    raise NotImplementedError("outputs whose sizes are known at run time only")
                values.append(np.zeros(shape, dtype))
                written[int(_plain(entry["cpu.output"]))] = values[-1]
            elif "cpu.constant" in entry:
                values.append(np.array(_plain(entry["cpu.constant"]), dtype).reshape(shape))
            else:
                array = np.ascontiguousarray(inputs[str(entry["graph.name"])])
                values.append(array if array.dtype == dtype else array.view(dtype))
        with np.errstate(all="ignore"):
            returned = self.run_block(block, values)
        for value, entry in zip(returned, _entries(main, "res_attrs") or [{}] * len(returned), strict=True):
            written[int(_plain(entry["cpu.output"])) if "cpu.output" in entry else len(written)] = value
        results = [written[index] for index in range(len(outputs))]
        return {
            info.name: np.ascontiguousarray(value).view(BY_NAME[info.dtype].dtype)
            for info, value in zip(outputs, results, strict=True)
        }

    def run_block(self, block: ir.Block, arguments: Sequence[Any]) -> list[Any]:
        """Runs a block on values for its arguments; returns the operands of its terminator."""
        values = self._values
        values.update(zip(block.arguments, arguments, strict=True))
        for op in block.operations:
            operands = [values[operand] for operand in op.operands]
            if op.name in _TERMINATORS:
                return operands
            results = self.compute(op, operands)
            if results is not None:
                values.update(zip(op.results, results, strict=True))
        return []

    def compute(self, op: ir.Operation, operands: Sequence[Any]) -> Sequence[Any] | None:
        """The results of one operation."""
        semantics = self._semantics.get(op.name)
        if semantics is not None:
            return semantics(self, op, operands)
        scalar = _SCALARS.get(op.name)
        if scalar is not None:
            return [np.asarray(scalar(*operands)).astype(_dtype(op.results[0].type))]
        if op.name.startswith("graph."):
            return reference.compute(op, operands)
        raise NotImplementedError(op.name)

    def default(self, op: ir.Operation, operands: Sequence[Any]) -> Sequence[Any] | None:
        """The results of an operation by what is known here, for a target that has something to add."""
        return _SEMANTICS[op.name](self, op, operands)

    def iterate(self, op: ir.Operation, dims: Sequence[Any], operands: Sequence[Any]) -> list[Any]:
        """The body of a linalg operation at iterations `dims`, on what its arguments are there."""
        outer, self._iteration = self._iteration, list(dims)
        try:
            return self.run_block(op.regions[0].blocks[0], operands)
        finally:
            self._iteration = outer

    def iteration(self, dim: int) -> Any:
        """Where the linalg operation that runs is, along one of its dimensions."""
        return self._iteration[dim]

    def launch(self, symbol: str, operands: Sequence[np.ndarray], outputs: int) -> list[np.ndarray]:
        """What a kernel makes of operands, the last `outputs` of which say where results go; none are changed."""
        kernel = self._symbols[symbol]
        if symbol not in self._texts:
            self._texts[symbol] = str(kernel)
        key = hashlib.sha256(self._texts[symbol].encode())
        for array in operands:
            key.update(repr((array.shape, array.dtype)).encode() + np.ascontiguousarray(array).tobytes())
        name = key.digest()
        if name not in self._kept:
            arrays = [*operands[:-outputs], *(array.copy() for array in operands[-outputs:])]
            returned = self.run_block(kernel.regions[0].blocks[0], arrays)
            self._kept[name] = returned or arrays[-outputs:]
        return self._kept[name]


def _is_symbol(op: ir.Operation) -> bool:
    return op.name in ("te.kernel", "func.func")


def _entries(main: ir.Operation, name: str) -> list[Mapping[str, Any]]:
    attribute = main.attributes.get(name)
    return [] if attribute is None else [_plain(entry) or {} for entry in attribute.value]


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, ir.Attribute) else value


# Operations that move numbers ----------------------------------------------------------------------------------------


def _constant(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    value = op.attributes["value"].value
    type_ = op.results[0].type
    if ir.ShapedType.isinstance(type_):
        shape, dtype = _array_type(type_)
        return [np.array(value).astype(dtype, copy=False).reshape(shape)]
    return [np.asarray(value).astype(_dtype(type_))]


def _empty(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    shape, dtype = _array_type(op.results[0].type)
    left = iter(operands)
    # Zeros instead of anything, so that equal kernels are seen to be equal.
    return [np.zeros([int(next(left)) if size < 0 else size for size in shape], dtype)]


def _slices(op: ir.Operation, operands: Sequence[Any]) -> tuple[list[slice], list[int]]:
    static = [op.attributes[f"static_{name}"].value for name in ("offsets", "sizes", "strides")]
    counts = [sum(value == DYNAMIC for value in values) for values in static]
    ends = list(itertools.accumulate(counts))
    offsets, sizes, strides = (
        mixed(values, operands[end - count : end]) for values, count, end in zip(static, counts, ends, strict=True)
    )
    for offset, size, stride in zip(offsets, sizes, strides, strict=True):
        if offset < 0 or size < 0 or stride < 1:
            raise RunError(f"a slice begins at {offset}, has {size} elements, {stride} apart")
    return [slice(o, o + n * s, s) for o, n, s in zip(offsets, sizes, strides, strict=True)], sizes


def _view(array: np.ndarray, slices: Sequence[slice], sizes: Sequence[int]) -> np.ndarray:
    view = array[tuple(slices)]
    if list(view.shape) != list(sizes):
        raise RunError(f"a slice of {list(sizes)} is not within {list(array.shape)}")
    return view


def _reduced(view: np.ndarray, type_: ir.Type) -> np.ndarray:
    """A slice without the dimensions of one element that its type does not have."""
    shape = list(ir.ShapedType(type_).shape)
    kept: list[int] = []
    for axis, size in enumerate(view.shape):
        want = shape[len(kept)] if len(kept) < len(shape) else None
        left = view.ndim - axis
        if want is not None and (size == want or want < 0) and (size != 1 or left >= len(shape) - len(kept)):
            kept.append(axis)
    if len(kept) != len(shape):
        raise NotImplementedError(f"a slice of {view.shape} as {type_}")
    return view[tuple(slice(None) if axis in kept else 0 for axis in range(view.ndim))]


def _extract_slice(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    slices, sizes = _slices(op, operands[1:])
    return [_reduced(_view(operands[0], slices, sizes), op.results[0].type)]


def _insert_slice(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    slices, sizes = _slices(op, operands[2:])
    result = operands[1].copy()
    _view(result, slices, sizes)[...] = operands[0].reshape(sizes)
    return [result]


def _pad(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    source, static_low = operands[0], op.attributes["static_low"].value
    count = sum(value == DYNAMIC for value in static_low)
    low = mixed(static_low, operands[1 : 1 + count])
    high = mixed(op.attributes["static_high"].value, operands[1 + count :])
    if min(*low, *high, 0) < 0:
        raise NotImplementedError("pads of less than nothing")
    sizes = [a + n + b for a, n, b in zip(low, source.shape, high, strict=True)]
    (value,) = self.run_block(op.regions[0].blocks[0], box_of(sizes))
    result = np.array(np.broadcast_to(value, sizes), dtype=source.dtype)
    result[tuple(slice(a, a + n) for a, n in zip(low, source.shape, strict=True))] = source
    return [result]


def _reshape(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    source: np.ndarray = operands[0]
    if "static_output_shape" in op.attributes:
        sizes = mixed(op.attributes["static_output_shape"].value, operands[1:])
    else:
        groups = [[int(_plain(axis)) for axis in _plain(group)] for group in op.attributes["reassociation"].value]
        sizes = [math.prod(source.shape[axis] for axis in group) for group in groups]
    view = source.reshape(sizes)
    if op.name.startswith("memref.") and source.size and not np.shares_memory(view, source):
        raise NotImplementedError(f"{op.name} of memory with gaps")
    return [view]


def _copy(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> None:
    operands[1][...] = operands[0]


def _load(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    return [np.asarray(operands[0][tuple(operands[1:])])]


def _store(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> None:
    operands[1][tuple(operands[2:])] = operands[0]


def _dim(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    return [np.int64(operands[0].shape[int(operands[1])])]


def _from_elements(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    shape, dtype = _array_type(op.results[0].type)
    return [np.array(operands, dtype).reshape(shape)]


def _pack(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    source, target = operands[0], operands[1]
    axes, tiles = list(op.attributes["inner_dims_pos"].value), list(op.attributes["static_inner_tiles"].value)
    order = op.attributes.get("outer_dims_perm")
    outer = list(order.value) if order is not None and len(order.value) else list(range(source.ndim))
    counts = [target.shape[outer.index(axis)] for axis in range(source.ndim)]
    sizes = [tiles[axes.index(axis)] if axis in axes else 1 for axis in range(source.ndim)]
    whole = [count * size for count, size in zip(counts, sizes, strict=True)]
    padded = np.full(whole, operands[2] if len(operands) > 2 else 0, source.dtype)
    padded[tuple(map(slice, source.shape))] = source
    split = padded.reshape([size for pair in zip(counts, sizes, strict=True) for size in pair])
    moved = split.transpose(
        [*(2 * axis for axis in outer), *(2 * axis + 1 for axis in axes), *_others(axes, source.ndim)]
    )
    return [moved.reshape(target.shape)]


def _others(axes: Sequence[int], rank: int) -> list[int]:
    """The dimensions of one element that an axis without tiles has been split into."""
    return [2 * axis + 1 for axis in range(rank) if axis not in axes]


# Control flow, kernels and linalg -------------------------------------------------------------------------------------


def _for(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    low, high, step = (int(value) for value in operands[:3])
    carried = list(operands[3:])
    for at in range(low, high, step):
        carried = self.run_block(op.regions[0].blocks[0], [np.int64(at), *carried])
    return carried


def _if(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    if np.ndim(operands[0]):
        raise NotImplementedError("scf.if within linalg")
    region = op.regions[0 if operands[0] else 1]
    return self.run_block(region.blocks[0], []) if len(region.blocks) else []


def _affine(choose: Callable[[Sequence[Any]], Any]) -> Semantics:
    def compute(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
        map_ = op.attributes["map"].value
        dims, symbols = operands[: map_.n_dims], operands[map_.n_dims :]
        return [np.asarray(choose([evaluate_expression(e, dims, symbols) for e in map_.results]))]

    return compute


def _launch(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> Sequence[Any] | None:
    outputs = op.attributes["operandSegmentSizes"].value[1]
    made = self.launch(str(op.attributes["kernel"].value), operands, outputs)
    if op.results:
        return made
    for target, value in zip(operands[-outputs:], made, strict=True):
        target[...] = value
    return None


def _cache_read(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> Sequence[Any] | None:
    source, target = operands[:2]
    static_low = op.attributes["static_low"].value
    count = sum(value == DYNAMIC for value in static_low)
    low = mixed(static_low, operands[2 : 2 + count])
    made = target if not op.results else np.zeros(target.shape, target.dtype)
    made[...] = 0
    made[tuple(slice(a, a + n) for a, n in zip(low, source.shape, strict=True))] = source
    return [made] if op.results else None


def _cache_write(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> Sequence[Any] | None:
    source, target = operands
    if op.results:
        return [source.astype(target.dtype)]
    target[...] = source.astype(target.dtype)
    return None


def _check(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> None:
    if not operands[0]:
        raise RunError("a check of sizes does not hold")


def _index(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    return [self.iteration(int(op.attributes["dim"].value))]


def _bounds(maps: Sequence[ir.AffineMap], arrays: Sequence[Any]) -> list[int]:
    """How often each dimension of a linalg operation is run: some operand has it as one of its own."""
    sizes: dict[int, int] = {}
    for map_, array in zip(maps, arrays, strict=True):
        for expression, size in zip(map_.results, np.shape(array), strict=True):
            if isinstance(expression, ir.AffineDimExpr):
                sizes.setdefault(expression.position, size)
    if len(sizes) < maps[0].n_dims:
        raise NotImplementedError("linalg with sizes that no operand has")
    return [sizes[dim] for dim in range(maps[0].n_dims)]


def _at(map_: ir.AffineMap, dims: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(evaluate_expression(expression, dims) for expression in map_.results)


def _is_sum(op: ir.Operation) -> bool:
    """Whether a linalg operation adds something to its only output that does not depend on it."""
    block = op.regions[0].blocks[0]
    total, yielded = block.arguments[-1], list(block.operations)[-1].operands
    owner = yielded[0].owner
    is_added = (
        isinstance(owner, ir.Operation) and owner.name in ("arith.addi", "arith.addf") and total in owner.operands
    )
    return len(yielded) == 1 and is_added and total.has_one_use()


def _generic(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> Sequence[Any] | None:
    inputs = op.attributes["operandSegmentSizes"].value[0]
    maps = [_plain(map_) for map_ in op.attributes["indexing_maps"].value]
    sizes = _bounds(maps, operands)
    arrays = [np.asarray(array) for array in operands]
    if op.results:
        arrays[inputs:] = [array.copy() for array in arrays[inputs:]]
    if 0 in sizes:
        return arrays[inputs:] if op.results else None
    # Dimensions of reductions are steps one after the other; sums take some of them at once, as far as memory allows.
    steps = [dim for dim, kind in enumerate(op.attributes["iterator_types"].value) if "reduction" in str(kind)]
    box = [1 if dim in steps else size for dim, size in enumerate(sizes)]
    summed: list[int] = []
    if steps and _is_sum(op):
        for dim in reversed(steps):
            if math.prod(box) * sizes[dim] <= AT_ONCE:
                summed.append(dim)
                box[dim] = sizes[dim]
    grid = box_of(box)
    first = [position if dim not in summed else 0 for dim, position in enumerate(grid)]
    for step in itertools.product(
        *(range(sizes[dim] if dim in steps and dim not in summed else 1) for dim in range(len(sizes)))
    ):
        dims = [position + at for position, at in zip(grid, step, strict=True)]
        values = [
            np.broadcast_to(array[_at(map_, dims)], box) for array, map_ in zip(arrays[:inputs], maps, strict=False)
        ]
        places = [_at(map_, [p + at for p, at in zip(first, step, strict=True)]) for map_ in maps[inputs:]]
        held = [array[place] for array, place in zip(arrays[inputs:], places, strict=True)]
        if summed:
            (made,) = self.iterate(op, dims, [*values, np.zeros((), held[0].dtype)])
            total = np.sum(np.broadcast_to(made, box), axis=tuple(summed), dtype=held[0].dtype, keepdims=True)
            results = [total + np.broadcast_to(held[0], total.shape)]
        else:
            results = self.iterate(op, dims, [*values, *(np.broadcast_to(value, box) for value in held)])
            results = [np.broadcast_to(result, box) for result in results]
        for array, place, old, result in zip(arrays[inputs:], places, held, results, strict=True):
            # Places that several iterations have in common do not occur along parallel dimensions.
            array[place] = result.reshape(np.shape(old))
    return arrays[inputs:] if op.results else None


def _fill(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> Sequence[Any] | None:
    if op.results:
        return [np.full_like(operands[1], operands[0])]
    operands[1][...] = operands[0]
    return None


# Scalars, and arrays of them within linalg ----------------------------------------------------------------------------


def _unsigned(x: Any) -> Any:
    x = np.asarray(x)
    return x.view(f"u{x.dtype.itemsize}") if x.dtype.kind == "i" else x


def _signed_bool(x: Any) -> Any:
    x = np.asarray(x)
    return -x.astype(np.int8) if x.dtype.kind == "b" else x


def _truncated_quotient(x: Any, y: Any) -> Any:
    quotient = np.abs(x.astype(np.int64)) // np.maximum(np.abs(np.asarray(y).astype(np.int64)), 1)
    return np.where((x < 0) != (y < 0), -quotient, quotient)


_INTEGER_ORDERS = (
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    *(lambda x, y, f=f: f(_unsigned(x), _unsigned(y)) for f in (np.less, np.less_equal, np.greater, np.greater_equal)),
)
_ORDERS = (np.equal, np.greater, np.greater_equal, np.less, np.less_equal, np.not_equal)


def _compare_integers(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    return [_INTEGER_ORDERS[int(op.attributes["predicate"].value)](*operands)]


def _compare_floats(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    # False, six orders and "ordered"; the same for "or unordered", and true.
    predicate = int(op.attributes["predicate"].value)
    unordered = np.isnan(operands[0]) | np.isnan(operands[1])
    if predicate in (0, 15):
        return [np.full(unordered.shape, predicate == 15)]
    if predicate < 8:
        return [~unordered & (_ORDERS[predicate - 1](*operands) if predicate < 7 else True)]
    return [unordered | (_ORDERS[predicate - 8](*operands) if predicate < 14 else False)]


def _select(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    if ir.ShapedType.isinstance(op.results[0].type) and not np.ndim(operands[0]):
        return [operands[1 if operands[0] else 2]]
    return [np.where(*operands)]


def _bitcast(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    type_ = op.results[0].type
    if ir.ShapedType.isinstance(type_):
        shape, dtype = _array_type(type_)
        return [np.ascontiguousarray(operands[0]).view(dtype).reshape(shape)]
    return [np.asarray(operands[0]).view(_dtype(type_))]


_SCALARS: dict[str, Callable[..., Any]] = {
    **{
        f"arith.{name}{suffix}": function
        for name, function in {"add": np.add, "mul": np.multiply}.items()
        for suffix in "if"
    },
    "arith.subi": np.subtract,
    "arith.subf": np.subtract,
    "arith.divf": np.divide,
    "arith.remf": np.fmod,
    "arith.negf": np.negative,
    "arith.andi": np.bitwise_and,
    "arith.ori": np.bitwise_or,
    "arith.xori": np.bitwise_xor,
    "arith.shli": np.left_shift,
    "arith.shrsi": np.right_shift,
    "arith.shrui": lambda x, y: np.right_shift(_unsigned(x), _unsigned(y)),
    "arith.divsi": _truncated_quotient,
    "arith.divui": lambda x, y: _unsigned(x) // _unsigned(y),
    "arith.remsi": lambda x, y: x - _truncated_quotient(x, y) * y,
    "arith.remui": lambda x, y: _unsigned(x) % _unsigned(y),
    "arith.floordivsi": np.floor_divide,
    "arith.ceildivsi": lambda x, y: x // y + (x % y != 0),
    "arith.maxsi": np.maximum,
    "arith.minsi": np.minimum,
    "arith.maxui": lambda x, y: np.maximum(_unsigned(x), _unsigned(y)),
    "arith.minui": lambda x, y: np.minimum(_unsigned(x), _unsigned(y)),
    "arith.maximumf": np.maximum,
    "arith.minimumf": np.minimum,
    "arith.maxnumf": np.fmax,
    "arith.minnumf": np.fmin,
    "arith.extsi": _signed_bool,
    "arith.extui": _unsigned,
    "arith.index_cast": _signed_bool,
    "arith.index_castui": _unsigned,
    "arith.sitofp": _signed_bool,
    "arith.uitofp": _unsigned,
    **{f"arith.{name}": np.asarray for name in ("trunci", "fptosi", "fptoui", "extf", "truncf")},
    "math.absf": np.abs,
    "math.absi": np.abs,
    "math.roundeven": np.rint,
    "math.trunc": np.trunc,
    "math.round": lambda x: np.copysign(np.floor(np.abs(x) + x.dtype.type(0.5)), x),
    "math.rsqrt": lambda x: 1 / np.sqrt(x),
    "math.powf": np.power,
    "math.fma": lambda x, y, z: x * y + z,
    "math.copysign": np.copysign,
    "math.erf": np.vectorize(math.erf, otypes=[np.float64]),
    **{
        f"math.{name}": getattr(np, numpy_name)
        for name, numpy_name in {
            **{
                name: name for name in ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt", "tanh")
            },
            **{name: name for name in ("sin", "cos", "tan", "sinh", "cosh", "ceil", "floor")},
            **{f"a{name}": f"arc{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
            "atan2": "arctan2",
        }.items()
    },
}


def _truncate(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    dtype = _dtype(op.results[0].type)
    value = np.asarray(operands[0])
    return [(value & 1).astype(bool) if dtype.kind == "b" else value.astype(dtype)]


def _same(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> list[Any]:
    return [operands[0]]


_TERMINATORS = frozenset(
    {"func.return", "te.return", "scf.yield", "linalg.yield", "tensor.yield", "cpu.yield", "graph.yield"}
)

_SEMANTICS: dict[str, Semantics] = {
    "arith.constant": _constant,
    "graph.constant": _constant,
    "arith.cmpi": _compare_integers,
    "arith.cmpf": _compare_floats,
    "arith.select": _select,
    "arith.bitcast": _bitcast,
    "arith.trunci": _truncate,
    "te.bitcast": _bitcast,
    "te.launch": _launch,
    "te.cache_read": _cache_read,
    "te.cache_write": _cache_write,
    "te.check": _check,
    "tensor.empty": _empty,
    "bufferization.alloc_tensor": _empty,
    "memref.alloc": _empty,
    "memref.alloca": _empty,
    "memref.dealloc": lambda self, op, operands: None,
    "memref.copy": _copy,
    "memref.load": _load,
    "memref.store": _store,
    "memref.subview": _extract_slice,
    "memref.cast": _same,
    "tensor.cast": _same,
    "memref.dim": _dim,
    "tensor.dim": _dim,
    "tensor.extract": _load,
    "tensor.extract_slice": _extract_slice,
    "tensor.insert_slice": _insert_slice,
    "tensor.from_elements": _from_elements,
    "tensor.pad": _pad,
    **{f"{kind}.{how}_shape": _reshape for kind in ("tensor", "memref") for how in ("expand", "collapse")},
    "scf.for": _for,
    "scf.if": _if,
    "affine.apply": _affine(lambda values: values[0]),
    "affine.min": _affine(lambda values: functools.reduce(np.minimum, values)),
    "affine.max": _affine(lambda values: functools.reduce(np.maximum, values)),
    "linalg.generic": _generic,
    "linalg.fill": _fill,
    "linalg.index": _index,
    "linalg.pack": _pack,
}
