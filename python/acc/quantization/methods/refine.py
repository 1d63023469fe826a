"""Rounded weights and their scales, one after the other, are moved to where the layer's outputs have the least error.

Each integer goes to its best place, all others given, column by column: Behdin et al., QuantEase: Optimization-based
quantization for language models, 2023. Then scales do, all integers given, which is a least squares problem with as
many unknowns as a row has scales. Both can only lessen the error (w - w') H (w - w')' that GPTQ lessens, too.
"""

from __future__ import annotations

import numpy as np

from acc.quantization.weights import QuantizedWeight

__all__ = ["move_integers", "move_scales"]

_TOGETHER = 128
"""Columns whose changes are taken to all others at once."""

_FARTHEST = 0.25
"""By which part a scale may change; one that would change by more stays."""

_TRUST = 0.02
"""How much the scale there is counts, in parts of what the samples say of it."""


def move_integers(rows: np.ndarray, weight: QuantizedWeight, products: np.ndarray) -> np.ndarray:
    """The integers int8 (outputs, columns), each moved to its best place once.

    rows: the weights, float32 (outputs, columns). products: E[x x'], damped, (groups, columns, columns).
    """
    scales = np.broadcast_to(weight.per_column()[0], rows.shape)
    result = weight.values.copy()
    difference = weight.real - rows
    outputs = len(rows) // len(products)
    for group, product in enumerate(products):
        at = slice(group * outputs, (group + 1) * outputs)
        result[at] = _move_group(result[at], scales[at], difference[at], product, weight.limits)
    return result


def _move_group(
    values: np.ndarray, scales: np.ndarray, difference: np.ndarray, products: np.ndarray, limits: tuple[int, int]
) -> np.ndarray:
    diagonal = products.diagonal()
    order = np.argsort(-diagonal, kind="stable")
    # A column is a row here, whose elements lie side by side.
    integers, scales = values.T.astype(np.float32), np.ascontiguousarray(scales.T)
    errors = np.ascontiguousarray(difference.T, np.float32)
    for begin in range(0, len(order), _TOGETHER):
        columns = order[begin : begin + _TOGETHER]
        slopes, inner = products[columns] @ errors, products[np.ix_(columns, columns)]
        for i, column in enumerate(columns):
            best = integers[column] - np.rint(slopes[i] / (diagonal[column] * scales[column]))
            best = np.clip(best, *limits)
            moved = np.flatnonzero(best != integers[column])
            if moved.size:
                step = (best[moved] - integers[column, moved]) * scales[column, moved]
                slopes[i + 1 :, moved] += inner[i, i + 1 :, None] * step
                errors[column, moved] += step
                integers[column] = best
    return integers.T.astype(np.int8)


def move_scales(rows: np.ndarray, weight: QuantizedWeight, products: np.ndarray) -> np.ndarray:
    """The scales float32 (outputs, blocks) of the least error; those of a weight that has only one stay."""
    if weight.scales.size == 1:
        return weight.scales
    _, zeros = weight.per_column()
    found = weight.scales.astype(np.float64)
    blocks = found.shape[1]
    integers = weight.values - zeros
    outputs = len(rows) // len(products)
    for group, product in enumerate(products):
        at = slice(group * outputs, (group + 1) * outputs)
        units = integers[at].astype(np.float32)
        wanted = ((rows[at] @ product) * units).reshape(outputs, blocks, -1).sum(-1)
        matrix = np.empty((outputs, blocks, blocks))
        width = units.shape[1] // blocks
        for block in range(blocks):
            of = slice(block * width, (block + 1) * width)
            matrix[:, block] = ((units[:, of] @ product[of]) * units).reshape(outputs, blocks, width).sum(-1)
        trust = np.maximum(_TRUST * np.einsum("obb->ob", matrix), np.finfo(np.float32).tiny)
        matrix += trust[:, :, None] * np.eye(blocks)
        found[at] = np.linalg.solve(matrix, (wanted + trust * found[at])[..., None])[..., 0]
    near = np.abs(found / weight.scales - 1) <= _FARTHEST
    return np.where(near, found, weight.scales).astype(np.float32)
