"""GPTQ: weights are rounded so that the errors of one make up for those of others.

Frantar, Ashkboos, Hoefler and Alistarh, GPTQ: Accurate post-training quantization for generative pre-trained
transformers, 2022. The error of a layer's outputs is (w - w') H (w - w')' with H = E[x x'], x what a row of weights
meets. Columns are rounded one after the other; the error of each is taken to those that are still to come, in closed
form: with U the upper Cholesky factor of the inverse of H, column i's error over U[i, i], times U[i, i + 1:], is
subtracted from them.
"""

from __future__ import annotations

import numpy as np

from acc.quantization.weights import QuantizedWeight

__all__ = ["choose_damping", "round_columns"]

_TOGETHER = 128
"""Columns whose errors are taken to those behind them at once."""


def choose_damping(columns: int, rows: int) -> float:
    """Which part of the mean of the diagonal of E[x x'], of so many columns, is added to it if it is of so many rows x.

    The paper has a hundredth. But of few rows, directions look as if nothing came along them, and errors are taken
    there: with a hundredth, a hundred sentences are learnt by heart, and others lose more than by rounding to nearest.
    """
    return float(np.clip(columns / max(rows, 1), 0.02, 0.5))


def round_columns(rows: np.ndarray, weight: QuantizedWeight, products: np.ndarray, damping: float) -> np.ndarray:
    """The integers int8 (outputs, columns) for the scales and zero points of `weight`.

    rows: the weights, float32 (outputs, columns). products: E[x x'] of the columns, (groups, columns, columns); rows
    are groups one after the other. damping: the part of the mean of its diagonal that is added to it.
    """
    integers = np.empty(rows.shape, np.int8)
    outputs = len(rows) // len(products)
    scales, zeros = (np.broadcast_to(array, rows.shape) for array in weight.per_column())
    for group, product in enumerate(products):
        at = slice(group * outputs, (group + 1) * outputs)
        integers[at] = _round_group(rows[at], scales[at], zeros[at], product, weight.limits, damping)
    return integers


def _round_group(
    rows: np.ndarray,
    scales: np.ndarray,
    zeros: np.ndarray,
    products: np.ndarray,
    limits: tuple[int, int],
    damping: float,
) -> np.ndarray:
    # Columns that matter most come first: what they leave can be made up for by many others.
    order = np.argsort(-np.diag(products), kind="stable")
    factor = _factor(products[np.ix_(order, order)], damping)
    if factor is None:
        return np.clip(np.rint(rows / scales) + zeros, *limits).astype(np.int8)
    left, scales, zeros = rows[:, order].astype(np.float32), scales[:, order], zeros[:, order]
    rounded = np.empty(rows.shape, np.int8)
    columns = rows.shape[1]
    for begin in range(0, columns, _TOGETHER):
        end = min(begin + _TOGETHER, columns)
        part, errors = left[:, begin:end], np.empty((len(rows), end - begin), np.float32)
        for i in range(end - begin):
            column = begin + i
            q = np.clip(np.rint(part[:, i] / scales[:, column]) + zeros[:, column], *limits)
            rounded[:, column] = q.astype(np.int8)
            real = (q - zeros[:, column]) * scales[:, column]
            errors[:, i] = (part[:, i] - real) / factor[column, column]
            part[:, i + 1 :] -= np.outer(errors[:, i], factor[column, column + 1 : end])
        left[:, end:] -= errors @ factor[begin:end, end:]
    result = np.empty_like(rounded)
    result[:, order] = rounded
    return result


def _factor(products: np.ndarray, damping: float) -> np.ndarray | None:
    """The upper Cholesky factor of the inverse, float32; None if nothing was seen."""
    matrix = products.astype(np.float64)
    diagonal = np.diag(matrix)
    mean = diagonal.mean()
    if not mean > 0 or not np.isfinite(mean):
        return None
    matrix = matrix + np.diag(np.where(diagonal > 0, 0, mean) + damping * mean)
    inverse = np.linalg.inv(matrix)
    try:
        return np.linalg.cholesky((inverse + inverse.T) / 2).T.astype(np.float32)
    except np.linalg.LinAlgError:
        return None
