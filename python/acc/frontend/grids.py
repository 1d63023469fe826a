"""AffineGrid, whose definition in the ONNX standard is wrong for one image and for an axis of one element."""

from __future__ import annotations

import numpy as np

from acc.frontend.definitions import Builder, Definition
from acc.frontend.problems import Unsupported

__all__ = ["AFFINE_GRID"]

_FLOAT = np.dtype(np.float32)


def _affine_grid(b: Builder) -> str:
    """The points [images, depth, height, width, axes] where transformed images are sampled, axes from the last on."""
    theta, dtype = b.input(0), b.dtype(0)
    axes = b.shape(0)[1]
    if b.rank(0) != 3 or axes not in (2, 3):
        raise Unsupported(f"transformations {b.shown(0)} are no matrices for two or three axes")
    # Coordinates are computed in a type that holds them.
    wide = dtype if dtype in (np.float32, np.float64) else _FLOAT
    if wide != dtype:
        theta = b.cast(theta, wide)
    sizes = b.cast(b.input(1), np.int64)
    columns = b.split(theta, 2, [1] * (axes + 1))
    ones = [1] * axes
    result = b.reshape(columns[axes], 0, *ones, axes)
    for axis in range(axes):
        count = b.op("Gather", sizes, b.integers(1 + axes - axis))
        places = _coordinates(b, count, wide, bool(b.attribute("align_corners", 0)))
        along = [-1 if at == axes - 1 - axis else 1 for at in range(axes)]
        column = b.reshape(columns[axis], 0, *ones, axes)
        result = b.op("Add", result, b.op("Mul", column, b.reshape(places, 1, *along, 1)))
    return b.cast(result, dtype) if wide != dtype else result


def _coordinates(b: Builder, count: str, dtype: np.dtype, corners: bool) -> str:
    """Where elements of an axis from -1 to 1 have their middles; with `corners` the first and the last are the ends."""

    def number(value: float) -> str:
        return b.number(value, dtype)

    places = b.cast(b.indices(count), dtype)
    if not corners:
        twice = b.op("Add", b.op("Mul", places, number(2)), number(1))
        return b.op("Sub", b.op("Div", twice, b.cast(count, dtype)), number(1))
    # A single element is at the beginning.
    last = b.cast(b.op("Max", b.op("Sub", count, b.integers(1)), b.integers(1)), dtype)
    return b.op("Sub", b.op("Div", b.op("Mul", places, number(2)), last), number(1))


AFFINE_GRID = Definition.of(_affine_grid, "align_corners")
