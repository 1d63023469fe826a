"""GPTQ: weights are rounded so that the errors of one make up for those of others.

Frantar, Ashkboos, Hoefler and Alistarh, GPTQ: Accurate post-training quantization for generative pre-trained
transformers, 2022. The error of a layer's outputs is (w - w') H (w - w')' with H = E[x x'], x what a row of weights
meets. Columns are rounded one after the other; the error of each is taken to those that are still to come, in closed
form. That form is the one of Chee, Cai, Kuleshov and De Sa, QuIP: 2-bit quantization of large language models with
guarantees, 2023, who show that it is the same, and needs no inverse: with H = U D U', U upper triangular with ones on
the diagonal, column k is rounded behind an addition of the errors of all columns j before it times U[j, k].
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from acc.quantization.products import Products
from acc.quantization.weights import QuantizedWeight

__all__ = ["choose_damping", "damped", "output_error", "round_columns", "scaled_best"]

_TOGETHER = 128
"""Columns whose errors are taken to those behind them at once."""

_DAMPINGS = (0.01, 0.07, 0.3)
"""Which parts of the mean of the diagonal of E[x x'] may be added to it; the paper has a hundredth."""

_JUDGED = 64
"""Outputs by which dampings are judged."""

_GROUPS = 8
"""Groups by which they are."""

_FACTORS = (0.9, 1.1)
"""By which scales of rows are multiplied to see whether that is better."""

_MANY = 1 << 28
"""Outputs times columns squared beyond which that would take too long."""


def choose_damping(rows: np.ndarray, weight: QuantizedWeight, products: Products) -> float | None:
    """The damping of the least error of outputs: what one half of the samples rounds is judged by the other half.

    Where few rows x were seen, or these are unlike others, directions look as if nothing came along them, and errors
    are taken there: with a hundredth, a hundred sentences are learnt by heart, and others lose more than by rounding to
    nearest. Returns None if that is best.
    """
    seen, other = products.mean(0), products.mean(1)
    if seen is None or other is None:
        # Of a single sample nothing can be judged.
        return float(np.clip(rows.shape[1] / max(sum(products.rows), 1), 0.02, 0.5))
    groups = np.arange(min(len(seen), _GROUPS)) * len(seen) // min(len(seen), _GROUPS)
    outputs = len(rows) // len(seen)
    some = np.arange(min(outputs, _JUDGED)) * outputs // min(outputs, _JUDGED)
    chosen = (groups[:, None] * outputs + some).reshape(-1)
    part, judged = weight.part(chosen), rows[chosen]
    least, best = output_error(judged, part, other[groups]), None
    for damping in _DAMPINGS:
        part.values = round_columns(judged, part, damped(seen[groups], damping))
        error = output_error(judged, part, other[groups])
        if error < least:
            least, best = error, damping
    return best


def output_error(rows: np.ndarray, weight: QuantizedWeight, products: np.ndarray) -> float:
    """The square error of the outputs that integers cause. products: (groups, columns, columns)."""
    return float(_errors(rows, weight, products).sum())


def _errors(rows: np.ndarray, weight: QuantizedWeight, products: np.ndarray) -> np.ndarray:
    """Those of each output, (outputs, 1)."""
    difference = (weight.real - rows).reshape(len(products), -1, rows.shape[1])
    return np.einsum("gok,gok->go", np.matmul(difference, products), difference).reshape(-1, 1)


def damped(products: np.ndarray, damping: float) -> np.ndarray:
    """E[x x'] with this part of the mean of its diagonal added to it, float32 of the same shape.

    Columns that were never met count as others do.
    """
    result = products.copy()
    for matrix in result:
        diagonal = matrix.diagonal().copy()
        mean = diagonal.mean()
        if mean > 0 and np.isfinite(mean):
            np.fill_diagonal(matrix, diagonal + np.where(diagonal > 0, 0, mean) + damping * mean)
        else:
            matrix[...] = np.eye(len(matrix), dtype=np.float32)
    return result


def scaled_best(rows: np.ndarray, weight: QuantizedWeight, products: np.ndarray) -> None:
    """Gives each row of weights without blocks, which are rounded, the scale near its own that rounding makes most of.

    products: see `round_columns`.
    """
    if len(rows) * rows.shape[1] ** 2 > _MANY:
        return
    least, scales = _errors(rows, weight, products), weight.scales
    for factor in _FACTORS:
        tried = replace(weight, scales=scales * np.float32(factor))
        tried.values = round_columns(rows, tried, products)
        error = _errors(rows, tried, products)
        better = error < least
        least = np.where(better, error, least)
        weight.values = np.where(better, tried.values, weight.values)
        weight.scales = np.where(better, tried.scales, weight.scales)


def round_columns(rows: np.ndarray, weight: QuantizedWeight, products: np.ndarray) -> np.ndarray:
    """The integers int8 (outputs, columns) for the scales and zero points of `weight`.

    rows: the weights, float32 (outputs, columns). products: E[x x'] of the columns, damped, (groups, columns, columns);
    rows are groups one after the other.
    """
    integers = np.empty(rows.shape, np.int8)
    outputs = len(rows) // len(products)
    scales, zeros = (np.broadcast_to(array, rows.shape) for array in weight.per_column())
    for group, product in enumerate(products):
        at = slice(group * outputs, (group + 1) * outputs)
        integers[at] = _round_group(rows[at], scales[at], zeros[at], product, weight.limits)
    return integers


def _round_group(
    rows: np.ndarray, scales: np.ndarray, zeros: np.ndarray, products: np.ndarray, limits: tuple[int, int]
) -> np.ndarray:
    # Columns that matter most come first: what they leave can be made up for by many others.
    order = np.argsort(-products.diagonal(), kind="stable")
    factor = _factor(products[np.ix_(order, order)])
    if factor is None:
        return np.clip(np.rint(rows / scales) + zeros, *limits).astype(np.int8)
    # A column is a row here, whose elements lie side by side.
    real, scales, zeros = (np.ascontiguousarray(array[:, order].T, np.float32) for array in (rows, scales, zeros))
    wanted, rounded = real.copy(), np.empty(real.shape, np.int8)
    for begin in range(0, len(real), _TOGETHER):
        end = min(begin + _TOGETHER, len(real))
        errors = np.empty((end - begin, real.shape[1]), np.float32)
        for i, k in enumerate(range(begin, end)):
            q = np.clip(np.rint(wanted[k] / scales[k]) + zeros[k], *limits)
            rounded[k] = q
            errors[i] = real[k] - (q - zeros[k]) * scales[k]
            wanted[k + 1 : end] += factor[k, k + 1 : end, None] * errors[i]
        wanted[end:] += factor[begin:end, end:].T @ errors
    result = np.empty(rows.shape, np.int8)
    result[:, order] = rounded.T
    return result


def _factor(products: np.ndarray) -> np.ndarray | None:
    """U, float32; None if there is none."""
    try:
        # Seen from behind, an upper triangular matrix is a lower one.
        upper = np.linalg.cholesky(products[::-1, ::-1].astype(np.float64))[::-1, ::-1]
    except np.linalg.LinAlgError:
        return None
    return (upper / upper.diagonal()).astype(np.float32)
