"""Sizes that are known at run time only.

A size is an int or a `Size`, which calculates as an int does (`+ - * // %`) and compares like one where the
answer is the same for all sizes; where it is not, it raises UnknownSizeError, which the importer reports. So a
converter that does not know of them either works or is refused, but is never wrong.

Shape arithmetic (Shape -> Gather -> Concat ...) is done on arrays of sizes, numpy's of objects (`acc.frontend.exact`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import cast

import numpy as np

from acc import ir
from acc._mlir import Size, Sizes, UnknownSizeError

__all__ = [
    "Size",
    "UnknownSizeError",
    "are_same",
    "current",
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
