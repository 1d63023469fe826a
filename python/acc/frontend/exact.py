"""Evaluation of operators whose meaning is exact, on arrays that are known but for sizes at most.

Exporters compute shapes, axes and indices with chains such as Shape -> Gather -> Concat -> Reshape. What moves
elements, and arithmetic of integers, is evaluated here and at once, with the results of native code, bit for bit
(test_constants.py). Every other operator on constants is left to `acc.frontend.folding`.

Elements that are sizes, known at run time only, are moved and calculated with like numbers: arrays of int64 that hold
such sizes are numpy's arrays of objects (`acc.frontend.sizes`).

An operator is evaluated only if all of the node is understood: each entry of the table says which attributes, how
many inputs and which versions it takes into account, and a node that has more is declined.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import AttributeProto, defs, helper

from acc.dtypes import BY_ONNX
from acc.frontend.model import Node
from acc.frontend.movement import chosen_by_slice, split_parts
from acc.frontend.problems import Unsupported
from acc.frontend.shapes import resolve_shape
from acc.frontend.sizes import UnknownSizeError, is_symbolic, maximum, minimum
from acc.frontend.splats import keep_splat

__all__ = ["EVALUATORS", "MAX_ELEMENTS", "Evaluator", "evaluate"]

MAX_ELEMENTS = 1 << 16
"""Elements of what is evaluated at import: larger constants are weights, which stay operators on constants."""


class Declined(Exception):
    """The node is not to be evaluated here."""


class Arguments:
    """What an evaluator sees of a node: operands, each an array or None, and attributes."""

    def __init__(self, arrays: Sequence[np.ndarray | None], attributes: Mapping[str, Any], outputs: int) -> None:
        self.arrays = arrays
        self.attributes = attributes
        self.outputs = outputs

    def has(self, index: int) -> bool:
        return index < len(self.arrays) and self.arrays[index] is not None

    def array(self, index: int) -> np.ndarray:
        array = self.arrays[index] if index < len(self.arrays) else None
        if array is None:
            raise Declined
        return array

    def same(self, *indices: int) -> list[np.ndarray]:
        """Operands of one element type; all of them are sizes if any is. Without `indices`, all operands."""
        arrays = [self.array(index) for index in indices or range(len(self.arrays))]
        if any(map(is_symbolic, arrays)):
            if any(array.dtype not in (np.int64, object) for array in arrays):
                raise Declined
            return [array.astype(object) for array in arrays]
        if len({array.dtype for array in arrays}) != 1:
            raise Declined
        return arrays

    def integers(self, *indices: int) -> list[np.ndarray]:
        """As `same`, of operands that must be integers, or sizes."""
        arrays = self.same(*indices)
        if arrays[0].dtype.kind not in "iuO":
            raise Declined
        return arrays

    def vector(self, index: int) -> list[int]:
        """An operand that is a vector of known integers."""
        array = self.array(index)
        if array.dtype.kind not in "iu" or array.ndim > 1:
            raise Declined
        return [int(number) for number in array.reshape(-1)]


@dataclass(frozen=True)
class Evaluator:
    """How an operator is evaluated.

    Attributes:
        compute: the outputs. It may raise Declined, or what numpy raises of operands that do not fit.
        newest: the last version of the operator that `compute` was written for.
        attributes: names of those that `compute` takes into account.
        inputs: how many operands it takes into account at most.
        sizes: positions of the operands that may hold sizes; None: all.
    """

    compute: Callable[[Arguments], Sequence[np.ndarray]]
    newest: int
    attributes: tuple[str, ...] = ()
    inputs: int = 1
    sizes: tuple[int, ...] | None = None


def evaluate(node: Node, inputs: Sequence[np.ndarray | None]) -> Sequence[np.ndarray] | None:
    """The outputs of a node on known operands, which may hold sizes; None if it is not to be evaluated here."""
    evaluator = EVALUATORS.get(node.op_type) if not node.domain else None
    if evaluator is None or sum(array.size for array in inputs if array is not None) > MAX_ELEMENTS:
        return None
    try:
        arguments = _read(node, evaluator, inputs)
        with np.errstate(all="ignore"):
            return [_simplify(array) for array in evaluator.compute(arguments)]
    except (Declined, Unsupported, UnknownSizeError, ValueError, TypeError, IndexError, ArithmeticError):
        # What is wrong with the node is said by its converter, or by the run of the compiled model.
        return None


def _read(node: Node, evaluator: Evaluator, inputs: Sequence[np.ndarray | None]) -> Arguments:
    """The arguments of an evaluator that takes all of the node into account."""
    try:
        schema = defs.get_schema(node.op_type, node.opset)
    except defs.SchemaError:
        raise Declined from None
    if schema.since_version > evaluator.newest or len(inputs) > evaluator.inputs:
        raise Declined
    for position, array in enumerate(inputs):
        open_ = evaluator.sizes is None or position in evaluator.sizes
        if array is not None and is_symbolic(array) and not open_:
            raise Declined
    attributes: dict[str, Any] = {}
    for name, declared in schema.attributes.items():
        default = declared.default_value if declared.default_value.name else None
        given = node.attributes.get(name, default)
        if name in evaluator.attributes:
            if given is not None:
                attributes[name] = _value(given)
        elif given is not None and (default is None or _value(given) != _value(default)):
            raise Declined
    if any(name not in schema.attributes for name in node.attributes):
        raise Declined
    return Arguments(inputs, attributes, len(node.outputs))


def _value(attribute: AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    return list(value) if isinstance(value, Sequence) and not isinstance(value, bytes) else value


def _simplify(array: np.ndarray) -> np.ndarray:
    """An array of numbers if all of it is known; of one element if all are equal."""
    if array.dtype != object:
        return keep_splat(array)
    if all(isinstance(size, bool) for size in array.flat) and array.size:
        return array.astype(np.bool_)
    if all(isinstance(size, int | np.integer) for size in array.flat):
        return array.astype(np.int64)
    return array


def _check_count(shape: Sequence[int]) -> None:
    if math.prod(shape) > MAX_ELEMENTS:
        raise Declined


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise Declined
    return axis % rank


# Arithmetic


def _wrap(number: object) -> object:
    """A number as int64 holds it: sizes and truth values as they are."""
    if isinstance(number, bool) or not isinstance(number, int):
        return number
    return (number + 2**63) % 2**64 - 2**63


def _apply(
    arrays: Sequence[np.ndarray], known: Callable[..., Any], sizes: Callable[..., object]
) -> Sequence[np.ndarray]:
    """Element by element: `known` of arrays of integers, `sizes` of integers and sizes."""
    _check_count(np.broadcast_shapes(*(array.shape for array in arrays)))
    if arrays[0].dtype != object:
        return [np.asarray(known(*arrays))]
    function = np.frompyfunc(lambda *numbers: _wrap(sizes(*numbers)), len(arrays), 1)
    return [np.asarray(function(*arrays), dtype=object)]


def _elementwise(
    newest: int, known: Callable[..., Any], sizes: Callable[..., object], inputs: int = 2, bools: bool = False
) -> Evaluator:
    def compute(arguments: Arguments) -> Sequence[np.ndarray]:
        arrays = arguments.same() if bools else arguments.integers()
        if arrays[0].dtype.kind not in "biuO":
            raise Declined
        return _apply(arrays, known, sizes)

    return Evaluator(compute, newest, inputs=inputs)


def _logical(newest: int, known: Callable[..., Any], inputs: int = 2) -> Evaluator:
    def compute(arguments: Arguments) -> Sequence[np.ndarray]:
        arrays = arguments.same()
        if arrays[0].dtype != np.bool_:
            raise Declined
        return _apply(arrays, known, known)

    return Evaluator(compute, newest, inputs=inputs)


def _variadic(newest: int, known: np.ufunc, sizes: Callable[[int, int], int]) -> Evaluator:
    def compute(arguments: Arguments) -> Sequence[np.ndarray]:
        return _apply(
            arguments.integers(),
            lambda *arrays: functools.reduce(known, arrays),
            lambda *numbers: functools.reduce(sizes, numbers),
        )

    return Evaluator(compute, newest, inputs=MAX_ELEMENTS)


def _divide(a: int, b: int) -> int:
    """ONNX rounds toward zero where sizes round down."""
    if a >= 0:
        return a // b if b >= 0 else -(a // -b)
    return -(-a // b) if b > 0 else -a // -b


def _remainder(a: int, b: int) -> int:
    """The remainder with the sign of the dividend, as C has it."""
    return a - _divide(a, b) * b


def _check_divisor(a: np.ndarray, b: np.ndarray) -> None:
    """Declines quotients that int64 does not hold: what these give is for native code to say."""
    if np.any(b == 0) or (a.dtype.kind == "i" and np.any(b == -1) and np.any(a == np.iinfo(a.dtype).min)):
        raise Declined


def _known_quotient(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    _check_divisor(a, b)
    down = a // b
    return down + ((down * b != a) & ((a < 0) != (b < 0))).astype(a.dtype)


def _mod(arguments: Arguments) -> Sequence[np.ndarray]:
    a, b = arguments.integers()
    as_c = bool(arguments.attributes["fmod"])
    if a.dtype != object:
        _check_divisor(a, b)
    return _apply([a, b], np.fmod if as_c else np.mod, _remainder if as_c else operator.mod)


def _cast(arguments: Arguments) -> Sequence[np.ndarray]:
    array, element = arguments.array(0), BY_ONNX.get(arguments.attributes["to"])
    if element is None or element.kind == "float" or not element.computes:
        raise Declined
    if array.dtype == object:
        if element.dtype != np.int64:
            raise Declined
        return [array]
    if array.dtype.kind not in "biu":
        raise Declined
    return [array.astype(element.dtype)]


def _range(arguments: Arguments) -> Sequence[np.ndarray]:
    numbers = arguments.integers()
    start, limit, delta = (int(array.reshape(())) for array in numbers)
    if delta == 0:
        raise Declined
    count = max(-((limit - start) // -delta), 0)
    _check_count([count])
    return [np.array([start + delta * index for index in range(count)], numbers[0].dtype)]


def _where(arguments: Arguments) -> Sequence[np.ndarray]:
    condition, values = arguments.array(0), arguments.same(1, 2)
    if condition.dtype != np.bool_:
        raise Declined
    _check_count(np.broadcast_shapes(condition.shape, *(value.shape for value in values)))
    return [np.where(condition, *values)]


def _reduction(newest: int, known: np.ufunc, sizes: Callable[[int, int], int], neutral: int | None) -> Evaluator:
    def compute(arguments: Arguments) -> Sequence[np.ndarray]:
        (array,) = arguments.integers(0)
        given = arguments.attributes.get("axes")
        if given is None and arguments.has(1):
            given = arguments.vector(1)
        if not given and arguments.attributes.get("noop_with_empty_axes"):
            return [array]
        axes = tuple(_axis(axis, array.ndim) for axis in given or range(array.ndim))
        keeps = bool(arguments.attributes["keepdims"])
        if len(set(axes)) != len(axes) or (neutral is None and array.size == 0):
            raise Declined
        if array.dtype != object:
            # Sums of small integers are of their type, where numpy would take a larger one.
            return [np.asarray(known.reduce(array, axis=axes, dtype=array.dtype, keepdims=keeps))]
        function: Any = np.frompyfunc(lambda a, b: _wrap(sizes(a, b)), 2, 1)
        # One axis after the other, the last first: numpy may not change the order of functions of Python.
        result = array
        for axis in sorted(axes, reverse=True):
            result = function.reduce(result, axis=axis, keepdims=keeps)
        return [np.asarray(result, dtype=object)]

    return Evaluator(compute, newest, ("axes", "keepdims", "noop_with_empty_axes"), 2, sizes=(0,))


# Movement


def _concat(arguments: Arguments) -> Sequence[np.ndarray]:
    return [np.concatenate(arguments.same(), axis=arguments.attributes["axis"])]


def _expand(arguments: Arguments) -> Sequence[np.ndarray]:
    array, wanted = arguments.array(0), arguments.vector(1)
    shape = np.broadcast_shapes(array.shape, tuple(wanted))
    _check_count(shape)
    return [np.broadcast_to(array, shape)]


def _flatten(arguments: Arguments) -> Sequence[np.ndarray]:
    array, axis = arguments.array(0), arguments.attributes["axis"]
    axis = axis if axis == array.ndim else _axis(axis, array.ndim)
    return [array.reshape(math.prod(array.shape[:axis]), math.prod(array.shape[axis:]))]


def _indices(arguments: Arguments, index: int) -> np.ndarray:
    array = arguments.array(index)
    if array.dtype.kind not in "iu":
        raise Declined
    return array.astype(np.int64)


def _gather(arguments: Arguments) -> Sequence[np.ndarray]:
    array, indices = arguments.array(0), _indices(arguments, 1)
    axis = _axis(arguments.attributes["axis"], array.ndim)
    _check_count([*array.shape[:axis], *indices.shape, *array.shape[axis + 1 :]])
    return [np.asarray(np.take(array, indices, axis=axis), array.dtype)]


def _positions(indices: np.ndarray, axis: int, length: int) -> tuple[np.ndarray, ...]:
    """Where in the data the elements are that indices of its own rank choose along an axis."""
    if np.any((indices < -length) | (indices >= length)):
        raise Declined
    positions: list[np.ndarray] = list(np.indices(indices.shape, sparse=True))
    positions[axis] = indices % max(length, 1)
    return tuple(positions)


def _gather_elements(arguments: Arguments) -> Sequence[np.ndarray]:
    array, indices = arguments.array(0), _indices(arguments, 1)
    axis = _axis(arguments.attributes["axis"], array.ndim)
    if indices.ndim != array.ndim:
        raise Declined
    return [array[_positions(indices, axis, array.shape[axis])]]


def _gather_nd(arguments: Arguments) -> Sequence[np.ndarray]:
    array, indices = arguments.array(0), _indices(arguments, 1)
    batch = arguments.attributes.get("batch_dims", 0)
    if not 0 <= batch < min(array.ndim, indices.ndim) or array.shape[:batch] != indices.shape[:batch]:
        raise Declined
    depth = indices.shape[-1]
    if not 0 < depth <= array.ndim - batch:
        raise Declined
    _check_count([*indices.shape[:-1], *array.shape[batch + depth :]])
    leading = np.indices(indices.shape[:-1], sparse=True)[:batch]
    return [np.asarray(array[(*leading, *np.moveaxis(indices, -1, 0))], array.dtype)]


_SCATTERED: Mapping[bytes, tuple[Any, Callable[[int, int], int]]] = {
    b"add": (np.add, operator.add),
    b"mul": (np.multiply, operator.mul),
    b"max": (np.maximum, maximum),
    b"min": (np.minimum, minimum),
}


def _scatter(arguments: Arguments, positions: Any) -> Sequence[np.ndarray]:
    """The data with updates at some places, one after the other."""
    reduction = arguments.attributes.get("reduction", b"none")
    data, updates = arguments.same(0, 2) if reduction == b"none" else arguments.integers(0, 2)
    result = data.copy()
    if reduction == b"none":
        result[positions] = updates
        return [result]
    if reduction not in _SCATTERED:
        raise Declined
    known, sizes = _SCATTERED[reduction]
    function = np.frompyfunc(lambda a, b: _wrap(sizes(a, b)), 2, 1) if data.dtype == object else known
    function.at(result, positions, updates)
    return [result]


def _scatter_elements(arguments: Arguments) -> Sequence[np.ndarray]:
    data, indices, updates = arguments.array(0), _indices(arguments, 1), arguments.array(2)
    axis = _axis(arguments.attributes["axis"], data.ndim)
    if indices.ndim != data.ndim or indices.shape != updates.shape:
        raise Declined
    return _scatter(arguments, _positions(indices, axis, data.shape[axis]))


def _scatter_nd(arguments: Arguments) -> Sequence[np.ndarray]:
    data, indices, updates = arguments.array(0), _indices(arguments, 1), arguments.array(2)
    depth = indices.shape[-1]
    if not 0 < depth <= data.ndim or updates.shape != (*indices.shape[:-1], *data.shape[depth:]):
        raise Declined
    return _scatter(arguments, tuple(np.moveaxis(indices, -1, 0)))


def _reshape(arguments: Arguments) -> Sequence[np.ndarray]:
    array = arguments.array(0)
    allowzero = bool(arguments.attributes.get("allowzero"))
    return [array.reshape(resolve_shape(list(array.shape), arguments.vector(1), allowzero))]


def _slice(arguments: Arguments) -> Sequence[np.ndarray]:
    array = arguments.array(0)
    if "starts" in arguments.attributes:
        starts, ends = arguments.attributes["starts"], arguments.attributes["ends"]
        axes, steps = arguments.attributes.get("axes"), None
    else:
        starts, ends = arguments.vector(1), arguments.vector(2)
        axes = arguments.vector(3) if arguments.has(3) else None
        steps = arguments.vector(4) if arguments.has(4) else None
    axes = [_axis(axis, array.ndim) for axis in (range(len(starts)) if axes is None else axes)]
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(set(axes)) == len(steps) or 0 in steps:
        raise Declined
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        chosen = chosen_by_slice(start, end, step, array.shape[axis])
        array = np.take(array, np.fromiter(chosen, np.int64), axis=axis)
    return [array]


def _split(arguments: Arguments) -> Sequence[np.ndarray]:
    array = arguments.array(0)
    axis = _axis(arguments.attributes["axis"], array.ndim)
    given = arguments.attributes.get("split")
    if given is None and arguments.has(1):
        given = arguments.vector(1)
    wanted = arguments.attributes.get("num_outputs")
    parts = split_parts(array.shape[axis], arguments.outputs, given, wanted)
    return np.split(array, np.cumsum(parts)[:-1], axis=axis)


def _axes(arguments: Arguments) -> list[int] | None:
    if "axes" in arguments.attributes:
        return arguments.attributes["axes"]
    return arguments.vector(1) if arguments.has(1) else None


def _squeeze(arguments: Arguments) -> Sequence[np.ndarray]:
    array, axes = arguments.array(0), _axes(arguments)
    return [np.squeeze(array, None if axes is None else tuple(axes))]


def _unsqueeze(arguments: Arguments) -> Sequence[np.ndarray]:
    axes = _axes(arguments)
    if axes is None:
        raise Declined
    return [np.expand_dims(arguments.array(0), tuple(axes))]


def _tile(arguments: Arguments) -> Sequence[np.ndarray]:
    array, repeats = arguments.array(0), arguments.vector(1)
    if len(repeats) != array.ndim or any(repeat < 0 for repeat in repeats):
        raise Declined
    _check_count([size * repeat for size, repeat in zip(array.shape, repeats, strict=True)])
    return [np.tile(array, repeats)]


def _transpose(arguments: Arguments) -> Sequence[np.ndarray]:
    return [np.transpose(arguments.array(0), arguments.attributes.get("perm"))]


def _non_zero(arguments: Arguments) -> Sequence[np.ndarray]:
    array = arguments.array(0)
    if array.dtype.kind not in "biu" or array.ndim == 0:
        raise Declined
    return [np.stack(np.nonzero(array)).astype(np.int64)]


EVALUATORS: Mapping[str, Evaluator] = {
    "Add": _elementwise(14, np.add, operator.add),
    "Sub": _elementwise(14, np.subtract, operator.sub),
    "Mul": _elementwise(14, np.multiply, operator.mul),
    "Div": _elementwise(14, _known_quotient, _divide),
    "Mod": Evaluator(_mod, 28, ("fmod",), 2),
    "Neg": _elementwise(13, np.negative, operator.neg, 1),
    "Abs": _elementwise(13, np.abs, lambda size: size if size >= 0 else -size, 1),
    "Min": _variadic(13, np.minimum, minimum),
    "Max": _variadic(13, np.maximum, maximum),
    "Equal": _elementwise(19, np.equal, operator.eq, bools=True),
    "Less": _elementwise(13, np.less, operator.lt),
    "LessOrEqual": _elementwise(16, np.less_equal, operator.le),
    "Greater": _elementwise(13, np.greater, operator.gt),
    "GreaterOrEqual": _elementwise(16, np.greater_equal, operator.ge),
    "And": _logical(7, np.logical_and),
    "Or": _logical(7, np.logical_or),
    "Xor": _logical(7, np.logical_xor),
    "Not": _logical(1, np.logical_not, 1),
    "Where": Evaluator(_where, 16, inputs=3, sizes=(1, 2)),
    # Neither attribute makes a difference to integers.
    "Cast": Evaluator(_cast, 28, ("to", "saturate", "round_mode")),
    # As `stash_type` makes none here: it is about floats.
    "Range": Evaluator(_range, 27, ("stash_type",), 3, sizes=()),
    "ReduceSum": _reduction(13, np.add, operator.add, 0),
    "ReduceProd": _reduction(18, np.multiply, operator.mul, 1),
    "ReduceMax": _reduction(20, np.maximum, maximum, None),
    "ReduceMin": _reduction(20, np.minimum, minimum, None),
    "Concat": Evaluator(_concat, 13, ("axis",), MAX_ELEMENTS),
    "Expand": Evaluator(_expand, 13, inputs=2, sizes=(0,)),
    "Flatten": Evaluator(_flatten, 25, ("axis",)),
    "Gather": Evaluator(_gather, 13, ("axis",), 2, sizes=(0,)),
    "GatherElements": Evaluator(_gather_elements, 13, ("axis",), 2, sizes=(0,)),
    "GatherND": Evaluator(_gather_nd, 13, ("batch_dims",), 2, sizes=(0,)),
    "NonZero": Evaluator(_non_zero, 13, sizes=()),
    "Reshape": Evaluator(_reshape, 25, ("allowzero",), 2, sizes=(0,)),
    "ScatterElements": Evaluator(_scatter_elements, 18, ("axis", "reduction"), 3, sizes=(0, 2)),
    "ScatterND": Evaluator(_scatter_nd, 18, ("reduction",), 3, sizes=(0, 2)),
    "Slice": Evaluator(_slice, 13, ("starts", "ends", "axes"), 5, sizes=(0,)),
    "Split": Evaluator(_split, 18, ("axis", "split", "num_outputs"), 2, sizes=(0,)),
    "Squeeze": Evaluator(_squeeze, 25, ("axes",), 2, sizes=(0,)),
    "Tile": Evaluator(_tile, 13, inputs=2, sizes=(0,)),
    "Transpose": Evaluator(_transpose, 25, ("perm",)),
    "Unsqueeze": Evaluator(_unsqueeze, 25, ("axes",), 2, sizes=(0,)),
}
"""By the operator's name, of the default domain."""
