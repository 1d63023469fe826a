"""Padding by numbers that are known at run time only.

Along one axis after another parts are put together, or elements are chosen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from acc import ir
from acc.frontend.call import Call, Tensor, dtype_of, element_of, shape_of
from acc.frontend.problems import Unsupported
from acc.frontend.sizes import UnknownSizeError, maximum, size_array

__all__ = ["pad_by_sizes"]


def pad_by_sizes(
    call: Call, value: ir.Value, begins: Sequence[int], ends: Sequence[int], mode: str, constant: Tensor
) -> ir.Value:
    """`value` with elements in front and behind along every axis; negative numbers take some away.

    mode: as the attribute of Pad. constant: the element of "constant", a scalar; one that a run computes has the type
    of `value`'s elements.
    """
    for axis, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        if _is_zero(begin) and _is_zero(end):
            continue
        if mode == "constant":
            value = _pad_axis(call, value, axis, begin, end, constant)
        else:
            value = _choose_along(call, value, axis, begin, end, mode)
    return value


def _is_zero(number: int) -> bool:
    return isinstance(number, int) and number == 0


def _is_positive(number: int) -> bool:
    """Whether a number is certainly not negative."""
    try:
        return number >= 0
    except UnknownSizeError:
        return False


def _pad_axis(call: Call, value: ir.Value, axis: int, begin: int, end: int, constant: Tensor) -> ir.Value:
    shape = list(shape_of(value))
    if not (_is_positive(begin) and _is_positive(end)):
        starts, sizes = [0] * len(shape), list(shape)
        starts[axis] = maximum(-begin, 0)
        sizes[axis] = maximum(shape[axis] - starts[axis] - maximum(-end, 0), 0)
        value = call.emit("slice", [value], starts=starts, sizes=sizes, steps=[1] * len(shape))
        begin, end = maximum(begin, 0), maximum(end, 0)
    element = constant
    if isinstance(element, np.ndarray):
        element = call.literal(np.asarray(element, dtype_of(element_of(value))))

    def part(size: int) -> list[ir.Value]:
        if _is_zero(size):
            return []
        sizes = list(shape_of(value))
        sizes[axis] = size
        return [call.emit("expand", [element], shape=sizes)]

    parts = [*part(begin), value, *part(end)]
    return parts[0] if len(parts) == 1 else call.emit("concat", parts, axis=axis)


def _choose_along(call: Call, value: ir.Value, axis: int, begin: int, end: int, mode: str) -> ir.Value:
    """Every place along an axis, of the result, chooses an element of `value`."""
    size = shape_of(value)[axis]

    def number(amount: int) -> ir.Value:
        return call.literal(size_array([amount]).reshape(()))

    count = maximum(size + begin + end, 0)
    place = call.emit("range", [number(0), number(1)], size=count)
    place = call.emit("sub", [place, number(begin)])
    if mode == "edge":
        place = call.emit("min", [call.emit("max", [place, number(0)]), number(maximum(size - 1, 0))])
    elif mode == "wrap":
        place = call.emit("mod", [place, number(maximum(size, 1))])
    elif mode == "reflect":
        # There and back again, without the elements at both ends twice.
        last = maximum(size - 1, 0)
        turn = call.emit("mod", [place, number(maximum(2 * last, 1))])
        place = call.emit("sub", [number(last), call.emit("abs", [call.emit("sub", [turn, number(last)])])])
    else:
        raise Unsupported(f"attribute 'mode' is '{mode}'")
    return call.emit("gather", [value, place], axis=axis)
