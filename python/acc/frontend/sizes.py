"""Sizes that are known at run time only.

A size is an int or a `Size`, which calculates as an int does (`+ - * // %`) and compares like one where the
answer is the same for all sizes; where it is not, it raises UnknownSizeError, which the importer reports. So a
converter that does not know of them either works or is refused, but is never wrong.

Shape arithmetic (Shape -> Gather -> Concat ...) is done on arrays of sizes, numpy's of objects.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import cast

import numpy as np
from onnx import TensorProto

from acc import ir
from acc._mlir import Size, Sizes, UnknownSizeError
from acc.frontend.folding import fold
from acc.frontend.model import Node

__all__ = [
    "Size",
    "UnknownSizeError",
    "are_same",
    "broadcast",
    "current",
    "fold_sizes",
    "is_empty",
    "is_symbolic",
    "maximum",
    "minimum",
    "size_array",
    "sizes_of",
    "using",
]

_CURRENT: ContextVar[Sizes] = ContextVar("sizes")


@contextmanager
def using(context: ir.Context) -> Iterator[None]:
    """The sizes of the model that is imported meanwhile."""
    token = _CURRENT.set(Sizes(context))
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current() -> Sizes:
    return _CURRENT.get()


def sizes_of(value: ir.Value) -> tuple[int, ...]:
    """The sizes of a tensor; those that are not known are `Size`s in spite of the annotation."""
    shape = tuple(cast(ir.RankedTensorType, value.type).shape)
    return tuple(current().shape(value)) if -1 in shape else shape


def size_array(sizes: Sequence[int]) -> np.ndarray:
    """A vector of integers, of objects if some are not known."""
    known = all(isinstance(size, int) for size in sizes)
    array = np.empty(len(sizes), np.int64 if known else object)
    array[:] = sizes
    return array


def is_symbolic(array: object) -> bool:
    """Whether something is an array of sizes of which some are not known."""
    return isinstance(array, np.ndarray) and array.dtype == object


def is_empty(shape: Sequence[int]) -> bool:
    """Whether a tensor is known to have no elements."""
    return any(isinstance(size, int) and size == 0 for size in shape)


def are_same(a: Sequence[int], b: Sequence[int]) -> bool:
    """Whether two shapes are certainly the same."""
    try:
        return list(a) == list(b)
    except UnknownSizeError:
        return False


def minimum(a: int, b: int) -> int:
    return current().minimum(a, b)


def maximum(a: int, b: int) -> int:
    return current().maximum(a, b)


def broadcast(*shapes: Sequence[int]) -> list[int]:
    """The shape that shapes broadcast to; whether they do is checked by who uses it."""
    rank = max(len(shape) for shape in shapes)
    result = [1] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, rank - len(shape)):
            result[axis] = current().broadcast(result[axis], size)
    return result


def _divide(a: int, b: int) -> int:
    # ONNX rounds toward zero, sizes round down: the same unless something is negative.
    if a >= 0 and b >= 0:
        return a // b
    return -(-a // b) if b > 0 else -(a // -b)


_ARITHMETIC: Mapping[str, Callable[..., object]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "Div": _divide,
    "Neg": operator.neg,
    "Min": lambda *sizes: _reduce(minimum, sizes),
    "Max": lambda *sizes: _reduce(maximum, sizes),
    "Equal": operator.eq,
    "Less": operator.lt,
    "LessOrEqual": operator.le,
    "Greater": operator.gt,
    "GreaterOrEqual": operator.ge,
}

# The inputs that are only moved, by position; all of them where there is no entry's end.
_MOVEMENT: Mapping[str, tuple[int, ...] | None] = {
    "Concat": None,
    "Expand": (0,),
    "Flatten": (0,),
    "Gather": (0,),
    "GatherElements": (0,),
    "GatherND": (0,),
    "Reshape": (0,),
    "ScatterElements": (0, 2),
    "ScatterND": (0, 2),
    "Slice": (0,),
    "Split": (0,),
    "Squeeze": (0,),
    "Tile": (0,),
    "Transpose": (0,),
    "Unsqueeze": (0,),
    "Where": (1, 2),
}

_MAX_ELEMENTS = 4096


def fold_sizes(node: Node, inputs: Sequence[np.ndarray | None]) -> Sequence[np.ndarray] | None:
    """The outputs of a node of shape arithmetic, or None if it is not one or depends on unknown sizes otherwise."""
    arrays = [array for array in inputs if array is not None]
    if node.domain or sum(array.size for array in arrays) > _MAX_ELEMENTS:
        return None
    try:
        if node.op_type == "Cast":
            return [arrays[0]] if _casts_to(node) == TensorProto.INT64 else None
        if node.op_type in ("ReduceProd", "ReduceSum") and arrays[0].ndim == 1 and len(arrays) == 1:
            return _reduce_all(node, arrays[0])
        if node.op_type in _ARITHMETIC:
            function = np.frompyfunc(_ARITHMETIC[node.op_type], len(arrays), 1)
            return [_simplify(np.asarray(function(*arrays), dtype=object))]
        if node.op_type in _MOVEMENT:
            return _move(node, inputs)
    except (UnknownSizeError, ValueError, TypeError):
        return None
    return None


def _reduce(function: Callable[[int, int], int], sizes: Sequence[int]) -> int:
    result = sizes[0]
    for size in sizes[1:]:
        result = function(result, size)
    return result


def _casts_to(node: Node) -> int:
    return node.attributes["to"].i if "to" in node.attributes else 0


def _reduce_all(node: Node, array: np.ndarray) -> Sequence[np.ndarray]:
    combine = operator.mul if node.op_type == "ReduceProd" else operator.add
    result = np.empty((), object)
    result[()] = _reduce(combine, [int(size) if isinstance(size, np.integer) else size for size in array])
    keeps = node.attributes["keepdims"].i if "keepdims" in node.attributes else 1
    return [_simplify(result.reshape(1) if keeps else result)]


def _move(node: Node, inputs: Sequence[np.ndarray | None]) -> Sequence[np.ndarray] | None:
    """Moves numbers that stand for the elements, by ONNX's own implementation."""
    elements: list[object] = []
    moved = _MOVEMENT[node.op_type]
    numbered: dict[str, np.ndarray] = {}
    for position, (name, array) in enumerate(zip(node.inputs, inputs, strict=True)):
        if array is None:
            continue
        if moved is not None and position not in moved:
            if is_symbolic(array):
                return None
            numbered[name] = array
            continue
        if array.dtype not in (np.int64, object) or name in numbered:
            return None
        start = len(elements)
        elements += [int(size) if isinstance(size, np.integer) else size for size in array.reshape(-1)]
        numbered[name] = np.arange(start, len(elements), dtype=np.int64).reshape(array.shape)
    outputs = fold(node, numbered, node.opset)
    if outputs is None:
        return None
    results = []
    for output in outputs:
        result = np.empty(output.shape, object)
        for index in np.ndindex(*output.shape):
            result[index] = elements[output[index]]
        results.append(_simplify(result))
    return results


def _simplify(array: np.ndarray) -> np.ndarray:
    """An array of numbers if all of it is known."""
    if all(isinstance(size, bool) for size in array.flat) and array.size:
        return array.astype(np.bool_)
    if all(isinstance(size, int | np.integer) for size in array.flat):
        return array.astype(np.int64)
    return array
