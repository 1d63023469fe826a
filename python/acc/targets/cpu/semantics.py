"""What the operations of the host's own dialect compute, in numpy, for `acc.inspect.interpreter`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from acc import ir
from acc.inspect.interpreter import Interpreter, Semantics, box_of, evaluate_expression

__all__ = ["SEMANTICS"]


def _unpack(weights: np.ndarray, packed: int, groups: int, outputs: int, sums: int, window: int) -> np.ndarray:
    """(G, O / G, C / G, window...) of weights in tiles, which end with outputs and what a lane takes at once."""
    if weights.ndim == 2 + window + packed:
        weights = weights[None]
    kernel = list(range(3, 3 + window))
    tile = 3 + window
    order = [0, 1, tile, 2, *([tile + 1] if packed > 1 else []), *kernel]
    moved = weights.transpose(order)
    shape = [groups, weights.shape[1] * weights.shape[tile], -1, *(weights.shape[axis] for axis in kernel)]
    return moved.reshape(shape)[:, : outputs // groups, : sums // groups]


def _contract(self: Interpreter, op: ir.Operation, operands: Sequence[Any]) -> Sequence[Any] | None:
    x, weights, *extras, target = operands
    is_integer = x.dtype.kind == "i"
    is_image = x.ndim == 4
    # Integers in tiles have one more dimension, of the elements that one lane takes at once.
    packed = 2 if is_integer else 1
    groups = weights.shape[0] if weights.ndim == (4 if is_image else 2) + packed + 1 else 1
    window = 2 if is_image else 0
    taps = _unpack(weights, packed, groups, target.shape[1], x.shape[1], window).astype(np.float64)
    if not is_image:
        sums = x.astype(np.float64) @ taps[0].T
    else:
        strides, dilations, pads = (
            op.attributes[name].value if name in op.attributes else default
            for name, default in (("strides", [1, 1]), ("dilations", [1, 1]), ("pads", [0, 0, 0, 0]))
        )
        fill = op.attributes["pad_value"].value if "pad_value" in op.attributes else 0
        wide = np.pad(
            x.astype(np.float64),
            [(0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])],
            constant_values=fill,
        )
        grouped = wide.reshape(x.shape[0], groups, x.shape[1] // groups, *wide.shape[2:])
        height, width = target.shape[2:]
        sums = np.zeros(target.shape)
        for row in range(taps.shape[3]):
            for column in range(taps.shape[4]):
                top, left = row * dilations[0], column * dilations[1]
                seen = grouped[
                    ...,
                    top : top + (height - 1) * strides[0] + 1 : strides[0],
                    left : left + (width - 1) * strides[1] + 1 : strides[1],
                ]
                flat = seen.reshape(*seen.shape[:3], height * width)
                sums += np.matmul(taps[None, ..., row, column], flat).reshape(target.shape)
    total = sums.astype(np.int64).astype(np.int32) if is_integer else sums.astype(np.float32)
    points = box_of(target.shape)
    maps = [map_.value if isinstance(map_, ir.Attribute) else map_ for map_ in op.attributes["maps"].value]
    read = [
        np.broadcast_to(
            extra[tuple(evaluate_expression(expression, points) for expression in map_.results)], target.shape
        )
        for extra, map_ in zip(extras, maps, strict=True)
    ]
    (made,) = self.run_block(op.regions[0].blocks[0], [total, *read])
    result = np.broadcast_to(made, target.shape).astype(target.dtype)
    if op.results:
        return [result]
    target[...] = result
    return None


SEMANTICS: Mapping[str, Semantics] = {"cpu.contract": _contract}
