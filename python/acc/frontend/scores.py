"""What the classifiers and regressors of ai.onnx.ml have in common: their scores and their labels.

Where the standard leaves open what is meant, most of all of two classes with one score, it is what ONNX Runtime makes
of it, for that is what the converters of scikit-learn, LightGBM and XGBoost are tested with.
"""

from __future__ import annotations

import math

import numpy as np

from acc.frontend.definitions import Builder
from acc.frontend.problems import Unsupported

__all__ = ["class_labels", "finish", "labels_of", "linear", "two_scores"]

POST_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
"""In the order of the numbers that TreeEnsemble has for them."""

# What counts as zero for SOFTMAX_ZERO.
_TINY = 1e-7


def finish(b: Builder, scores: str, count: int, transform: str, dtype: np.dtype) -> str:
    """The scores [rows, count] after a post_transform, which of a single one only PROBIT changes."""
    if transform not in POST_TRANSFORMS:
        raise Unsupported(f"attribute 'post_transform' is '{transform}'")
    if transform == "PROBIT":
        return _probit(b, scores, dtype)
    if transform == "NONE" or count == 1:
        return scores
    if transform == "LOGISTIC":
        return b.op("Sigmoid", scores)
    if transform == "SOFTMAX":
        return b.op("Softmax", scores, axis=-1)
    # Scores of zero stay zero.
    axis = b.integers(1)
    moved = b.op("Exp", b.op("Sub", scores, b.op("ReduceMax", scores, axis)))
    alive = b.op("Greater", b.op("Abs", scores), b.number(_TINY, dtype))
    kept = b.op("Where", alive, moved, b.number(0, dtype))
    return b.op("Div", kept, b.op("ReduceSum", kept, axis))


def _probit(b: Builder, scores: str, dtype: np.dtype) -> str:
    """sqrt(2) times the inverse of erf at 2 x - 1, by the approximation of S. Winitzki (2008), as in ONNX Runtime."""
    factor = 0.147

    def number(value: float) -> str:
        return b.number(value, dtype)

    value = b.op("Sub", b.op("Mul", scores, number(2)), number(1))
    logarithm = b.op("Log", b.op("Sub", number(1), b.op("Mul", value, value)))
    middle = b.op("Add", number(2 / (math.pi * factor)), b.op("Mul", logarithm, number(0.5)))
    inner = b.op("Sub", b.op("Mul", middle, middle), b.op("Mul", logarithm, number(1 / factor)))
    root = b.op("Sqrt", b.op("Sub", b.op("Sqrt", inner), middle))
    return b.op("Mul", b.op("Mul", b.op("Sign", value), root), number(math.sqrt(2)))


def two_scores(b: Builder, score: str, transform: str, dtype: np.dtype, complement: bool) -> str:
    """The scores of two classes of which one score [rows, 1] is known, that of the second.

    complement: whether the other one is what is missing to 1, instead of the negative one.
    """
    if transform not in POST_TRANSFORMS or transform == "PROBIT":
        raise Unsupported(f"attribute 'post_transform' is '{transform}', which is not supported for two classes")
    if transform == "LOGISTIC":
        return b.op("Sigmoid", b.op("Concat", b.op("Neg", score), score, axis=1))
    other = b.op("Sub", b.number(1, dtype), score) if complement else b.op("Neg", score)
    return b.op("Concat", other, score, axis=1)


def labels_of(b: Builder, *names: str) -> tuple[list[int], bool]:
    """The labels of the classes, and whether they are texts, which are replaced by their positions.

    names: the attributes that may hold them, that for integers first.
    """
    numbers, texts = (b.attribute(name) for name in names)
    if texts:
        return list(range(len(texts))), True
    if not numbers:
        raise Unsupported(f"needs the attribute '{names[0]}'")
    return list(numbers), False


def class_labels(b: Builder, place: str, labels: tuple[list[int], bool]) -> str:
    """The labels of the classes at places [rows]; nothing where labels are texts, which must not be asked for."""
    numbers, texts = labels
    if not texts:
        return b.op("Gather", b.constant(np.array(numbers, np.int64)), place)
    if b.wants(0):
        raise Unsupported(f"labels that are texts ('{b.node.outputs[0]}') are not supported")
    return ""


def linear(b: Builder, value: str, dtype: np.dtype, count: int, intercepts: str) -> str:
    """Products of rows with the attribute `coefficients`, [count, features], plus the attribute `intercepts`."""
    coefficients = np.array(b.attribute("coefficients", ()), dtype)
    if count < 1 or not coefficients.size or coefficients.size % count:
        raise Unsupported(f"{coefficients.size} coefficients are not those of {count} scores")
    result = b.op("MatMul", value, b.constant(np.ascontiguousarray(coefficients.reshape(count, -1).T)))
    constant = np.array(b.attribute(intercepts, ()), dtype)
    return b.op("Add", result, b.constant(constant)) if constant.size else result
