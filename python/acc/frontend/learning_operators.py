"""Operators of ai.onnx.ml on numbers, but for trees: linear models, support vectors, and what prepares features."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from onnx import numpy_helper

from acc.frontend.definitions import Builder, Definition, Definitions
from acc.frontend.problems import Unsupported
from acc.frontend.scores import class_labels, finish, labels_of, linear, two_scores
from acc.frontend.trees import TREE_OPERATORS

__all__ = ["LEARNING_OPERATORS"]

_FLOAT = np.dtype(np.float32)

# Labels of integers that lie in a range of this size are found in a table, others by comparison.
_MAX_TABLE = 1 << 16

# Rounds in which probabilities of classes settle, of which 4 were needed for up to 10 classes.
_ROUNDS = 6


def _real(b: Builder, index: int = 0) -> str:
    """An operand as float32, which is what these operators compute in."""
    return b.input(index) if b.dtype(index) == _FLOAT else b.cast(b.input(index), _FLOAT)


def _rows(b: Builder) -> str:
    """The operand as a matrix of float32, of which a vector is one row."""
    if b.rank(0) not in (1, 2):
        raise Unsupported(f"input {b.shown(0)} is neither a row nor a matrix")
    return _real(b) if b.rank(0) == 2 else b.reshape(_real(b), 1, -1)


def _linear_regressor(b: Builder) -> str:
    targets = b.attribute("targets", 1)
    scores = linear(b, _rows(b), _FLOAT, targets, "intercepts")
    return finish(b, scores, targets, b.attribute("post_transform", "NONE"), _FLOAT)


def _linear_classifier(b: Builder) -> list[str]:
    labels = labels_of(b, "classlabels_ints", "classlabels_strings")
    transform = b.attribute("post_transform", "NONE")
    count = len(b.attribute("intercepts", ())) or len(labels[0])
    scores = linear(b, _rows(b), _FLOAT, count, "intercepts")
    if count == 1 and len(labels[0]) == 2:
        above = b.op("Greater", scores, b.number(0, _FLOAT))
        label = b.reshape(b.cast(above, np.int64), -1)
        return [class_labels(b, label, labels), two_scores(b, scores, transform, _FLOAT, complement=True)]
    if count != len(labels[0]):
        raise Unsupported(f"has {count} scores for {len(labels[0])} labels")
    label = b.op("ArgMax", scores, axis=1, keepdims=0)
    return [class_labels(b, label, labels), finish(b, scores, count, transform, _FLOAT)]


def _kernel(b: Builder, value: str, vectors: np.ndarray) -> str:
    """How much rows are like each of `vectors`, [rows, vectors]."""
    kind = b.attribute("kernel_type", "LINEAR")
    gamma, constant, degree = [*b.attribute("kernel_params", ()), 0.0, 0.0, 0.0][:3]

    def number(value: float) -> str:
        return b.number(value, _FLOAT)

    if kind == "RBF":
        # Distances by products; what the vectors have in common is taken away first, as it only costs precision.
        middle = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        vectors = vectors - middle
        value = b.op("Sub", value, b.constant(middle))
        products = b.op("MatMul", value, b.constant(np.ascontiguousarray(vectors.T)))
        lengths = b.constant(np.square(vectors, dtype=np.float64).sum(axis=1).astype(np.float32))
        squares = b.op("Add", b.op("ReduceSumSquare", value, b.integers(1)), lengths)
        distance = b.op("Sub", squares, b.op("Add", products, products))
        return b.op("Exp", b.op("Mul", b.op("Relu", distance), number(-gamma)))
    products = b.op("MatMul", value, b.constant(np.ascontiguousarray(vectors.T)))
    if kind == "LINEAR":
        return products
    moved = b.op("Add", b.op("Mul", products, number(gamma)), number(constant))
    if kind == "SIGMOID":
        return b.op("Tanh", moved)
    if kind != "POLY":
        raise Unsupported(f"attribute 'kernel_type' is '{kind}'")
    return b.op("Pow", moved, number(degree))


def _vectors(b: Builder, count: int) -> np.ndarray:
    numbers = np.array(b.attribute("support_vectors", ()), np.float32)
    if not numbers.size or numbers.size % count:
        raise Unsupported(f"attribute 'support_vectors' has {numbers.size} values for {count} vectors")
    return numbers.reshape(count, -1)


def _check_vectors(values: np.ndarray, count: int, name: str) -> np.ndarray:
    if values.size != count:
        raise Unsupported(f"attribute '{name}' has {values.size} values instead of {count}")
    return values


def _vector_regressor(b: Builder) -> str:
    value, count = _rows(b), b.attribute("n_supports", 0)
    rho = _check_vectors(np.array(b.attribute("rho", ()), np.float32), 1, "rho")
    if count:
        coefficients = _check_vectors(np.array(b.attribute("coefficients", ()), np.float32), count, "coefficients")
        likeness = _kernel(b, value, _vectors(b, count))
        scores = b.op("Add", b.op("MatMul", likeness, b.constant(coefficients.reshape(-1, 1))), b.constant(rho))
    else:
        scores = linear(b, value, _FLOAT, 1, "rho")
    if b.attribute("one_class", 0):
        above = b.op("Greater", scores, b.number(0, _FLOAT))
        return b.op("Where", above, b.number(1, _FLOAT), b.number(-1, _FLOAT))
    return finish(b, scores, 1, b.attribute("post_transform", "NONE"), _FLOAT)


def _vector_classifier(b: Builder) -> list[str]:
    """One decision for each pair of classes, as in libsvm: the class that wins most of them is the label."""
    labels = labels_of(b, "classlabels_ints", "classlabels_strings")
    transform, value, classes = b.attribute("post_transform", "NONE"), _rows(b), len(labels[0])
    sizes = list(b.attribute("vectors_per_class", ()))
    rho = np.array(b.attribute("rho", ()), np.float32)
    if not sizes:
        scores = b.op("MatMul", value, b.constant(_coefficients(b, classes, None).T.copy()))
        scores = b.op("Add", scores, b.constant(rho[:1]))
        label = b.op("ArgMax", scores, axis=1, keepdims=0)
        return [class_labels(b, label, labels), finish(b, scores, classes, transform, _FLOAT)]
    if len(sizes) != classes or classes < 2:
        raise Unsupported(f"has vectors of {len(sizes)} classes but {classes} labels")
    pairs = list(itertools.combinations(range(classes), 2))
    total = sum(sizes)
    given = _coefficients(b, classes - 1, total)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    table = np.zeros((total, len(pairs)), np.float32)
    for column, (i, j) in enumerate(pairs):
        for own, other in ((i, j - 1), (j, i)):
            part = slice(starts[own], starts[own + 1])
            table[part, column] = given[other, part]
    _check_vectors(rho, len(pairs), "rho")
    likeness = _kernel(b, value, _vectors(b, total))
    decisions = b.op("Add", b.op("MatMul", likeness, b.constant(table)), b.constant(rho))
    label = b.op("ArgMax", _votes(b, decisions, pairs, classes), axis=1, keepdims=0)
    result = class_labels(b, label, labels)
    if b.attribute("prob_a"):
        scores = _probabilities(b, decisions, pairs, classes)
        return [result, finish(b, scores, classes, transform, _FLOAT)]
    if classes == 2:
        complement = transform.startswith("SOFTMAX")
        return [result, two_scores(b, decisions, transform, _FLOAT, complement)]
    return [result, finish(b, decisions, len(pairs), transform, _FLOAT)]


def _coefficients(b: Builder, count: int, width: int | None) -> np.ndarray:
    numbers = np.array(b.attribute("coefficients", ()), np.float32)
    if not numbers.size or numbers.size % count or (width is not None and numbers.size != count * width):
        raise Unsupported(f"attribute 'coefficients' has {numbers.size} values, which do not fit {count} rows")
    return numbers.reshape(count, -1)


def _votes(b: Builder, decisions: str, pairs: Sequence[tuple[int, int]], classes: int) -> str:
    """How many decisions every class wins."""
    wins = b.cast(b.op("Greater", decisions, b.number(0, _FLOAT)), _FLOAT)
    table = np.zeros((len(pairs), classes), np.float32)
    lost = np.zeros(classes, np.float32)
    for row, (i, j) in enumerate(pairs):
        table[row, i], table[row, j] = 1, -1
        lost[j] += 1
    return b.op("Add", b.op("MatMul", wins, b.constant(table)), b.constant(lost))


def _probabilities(b: Builder, decisions: str, pairs: Sequence[tuple[int, int]], classes: int) -> str:
    """Probabilities of classes by those of pairs: the second method of Wu, Lin and Weng (2004), as in libsvm.

    Its iteration has settled after few rounds, of which each is written down; what has settled for a row stays.
    """
    slope = _check_vectors(np.array(b.attribute("prob_a"), np.float32), len(pairs), "prob_a")
    shift = _check_vectors(np.array(b.attribute("prob_b", ()), np.float32), len(pairs), "prob_b")

    def number(value: float) -> str:
        return b.number(value, _FLOAT)

    moved = b.op("Add", b.op("Mul", decisions, b.constant(slope)), b.constant(shift))
    pairwise = b.op("Clip", b.op("Sigmoid", b.op("Neg", moved)), number(1e-7), number(1 - 1e-7))
    columns = b.split(pairwise, 1, [1] * len(pairs)) if len(pairs) > 1 else [pairwise]
    wins: dict[tuple[int, int], str] = {}
    for (i, j), column in zip(pairs, columns, strict=True):
        wins[i, j] = column
        wins[j, i] = b.op("Sub", number(1), column)
    rows: list[list[str]] = []
    for t in range(classes):
        others = [wins[j, t] for j in range(classes) if j != t]
        squares = [b.op("Mul", other, other) for other in others]
        row = [b.op("Neg", b.op("Mul", wins[j, t], wins[t, j])) if j != t else "" for j in range(classes)]
        row[t] = b.op("Sum", *squares) if len(squares) > 1 else squares[0]
        rows.append(row)
    diagonal = [rows[t][t] for t in range(classes)]
    whole = [b.op("Concat", *row, axis=1) for row in rows]
    start = b.op("Mul", b.op("Sub", pairwise, pairwise), number(0))
    start = b.op("Add", b.slice(start, 1, 0, 1), b.constant(np.full((1, classes), 1 / classes, np.float32)))
    result, axis = start, b.integers(1)
    for _ in range(_ROUNDS):
        products = b.op("Concat", *(b.op("ReduceSum", b.op("Mul", row, result), axis) for row in whole), axis=1)
        total = b.op("ReduceSum", b.op("Mul", result, products), axis)
        error = b.op("ReduceMax", b.op("Abs", b.op("Sub", products, total)), axis)
        settled = b.op("Less", error, number(0.005 / classes))
        turned = result
        for t in range(classes):
            unit = b.constant(np.eye(1, classes, t, dtype=np.float32))
            product = b.slice(products, 1, t, t + 1)
            step = b.op("Div", b.op("Sub", total, product), diagonal[t])
            grown = b.op("Add", step, number(1))
            twice = b.op("Add", b.op("Mul", step, diagonal[t]), b.op("Add", product, product))
            total = b.op("Div", b.op("Div", b.op("Add", total, b.op("Mul", step, twice)), grown), grown)
            products = b.op("Div", b.op("Add", products, b.op("Mul", step, whole[t])), grown)
            turned = b.op("Div", b.op("Add", turned, b.op("Mul", step, unit)), grown)
        result = b.op("Where", settled, result, turned)
    return result


def _normalizer(b: Builder) -> str:
    value, kind, axis = _real(b), b.attribute("norm", "MAX"), b.integers(-1)
    if kind == "MAX":
        size = b.op("ReduceMax", value, axis)
    elif kind == "L1":
        size = b.op("ReduceL1", value, axis)
    elif kind == "L2":
        size = b.op("ReduceL2", value, axis)
    else:
        raise Unsupported(f"attribute 'norm' is '{kind}'")
    # Rows of zeros stay as they are.
    nothing = b.op("Equal", size, b.number(0, _FLOAT))
    return b.op("Div", value, b.op("Where", nothing, b.number(1, _FLOAT), size))


def _scaler(b: Builder) -> str:
    value = _real(b)
    for op_type, name in (("Sub", "offset"), ("Mul", "scale")):
        numbers = np.array(b.attribute(name, ()), np.float32)
        if numbers.size:
            value = b.op(op_type, value, b.constant(numbers))
    return value


def _imputer(b: Builder) -> str:
    dtype = b.dtype(0)
    if dtype.kind == "f":
        filler, replaced = b.attribute("imputed_value_floats"), b.attribute("replaced_value_float", 0.0)
    else:
        filler, replaced = b.attribute("imputed_value_int64s"), b.attribute("replaced_value_int64", 0)
    if not filler:
        raise Unsupported(f"has no values to put in place of others in a tensor of {dtype}")
    value = b.input(0)
    found = b.op("IsNaN", value) if replaced != replaced else b.op("Equal", value, b.number(replaced, dtype))
    return b.op("Where", found, b.constant(np.array(filler, dtype)), value)


def _one_hot(b: Builder) -> str:
    """One column for each category; of what is in none, all are 0."""
    categories = b.attribute("cats_int64s")
    if not categories:
        raise Unsupported("categories that are texts are not supported")
    value = b.op("Unsqueeze", b.cast(b.input(0), np.int64), b.integers(b.rank(0)))
    return b.cast(b.op("Equal", value, b.constant(np.array(categories, np.int64))), _FLOAT)


def _entries(b: Builder, what: str) -> np.ndarray | None:
    """The keys or the values of a LabelEncoder; None where they are texts or not given."""
    tensor = b.attribute(f"{what}_tensor")
    if tensor is not None:
        return None if tensor.data_type == tensor.STRING else numpy_helper.to_array(tensor).reshape(-1)
    for name, dtype in ((f"{what}_int64s", np.int64), (f"{what}_floats", np.float32)):
        if b.attribute(name):
            return np.array(b.attribute(name), dtype)
    return None


def _label_encoder(b: Builder) -> str:
    keys, values = _entries(b, "keys"), _entries(b, "values")
    if keys is None or values is None:
        raise Unsupported("keys or values that are texts are not supported")
    if len(keys) != len(values):
        raise Unsupported(f"has {len(keys)} keys but {len(values)} values")
    tensor = b.attribute("default_tensor")
    if tensor is not None:
        default = numpy_helper.to_array(tensor).reshape(-1)[0]
    elif values.dtype.kind == "f":
        default = b.attribute("default_float", -0.0)
    else:
        default = b.attribute("default_int64", -1)
    table = np.append(values, np.array(default, values.dtype))
    value, count = b.input(0), len(keys)
    keys = keys.astype(b.dtype(0))
    if keys.dtype.kind in "iu" and int(keys.max()) - int(keys.min()) < _MAX_TABLE:
        # Where the range begins and ends there is a place for what is outside.
        low, high = int(keys.min()) - 1, int(keys.max()) + 1
        found = np.full(high - low + 1, default, values.dtype)
        found[keys[::-1].astype(np.int64) - low] = values[::-1]
        wide = b.cast(value, np.int64)
        inside = b.op("Clip", wide, b.number(low, np.int64), b.number(high, np.int64))
        return b.op("Gather", b.constant(found), b.op("Sub", inside, b.number(low, np.int64)))
    value = b.op("Unsqueeze", value, b.integers(b.rank(0)))
    equal = b.op("Equal", value, b.constant(keys))
    if keys.dtype.kind == "f" and b.node.opset >= 4 and np.isnan(keys).any():
        equal = b.op("Or", equal, b.op("And", b.op("IsNaN", value), b.constant(np.isnan(keys))))
    # The first key that fits, or the place behind all of them.
    places = b.op("Where", equal, b.constant(np.arange(count)), b.number(count, np.int64))
    return b.op("Gather", b.constant(table), b.op("ReduceMin", places, b.integers(-1), keepdims=0))


def _feature_vectorizer(b: Builder) -> str:
    widths = list(b.attribute("inputdimensions", ()))
    parts = []
    for index in range(len(b.node.inputs)):
        value = _real(b, index)
        if b.rank(index) == 1:
            value = b.reshape(value, -1, 1) if len(b.node.inputs) > 1 else b.reshape(value, 1, -1)
        width = b.shape(index)[-1] if b.rank(index) > 1 else None
        if index < len(widths) and width is not None and width != widths[index]:
            pads = b.integers(0, 0, 0, widths[index] - width)
            value = b.op("Pad", value, pads)
        parts.append(value)
    return b.op("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]


_VECTORS = ("coefficients", "kernel_params", "kernel_type", "post_transform", "rho", "support_vectors")
_LABELS = ("classlabels_ints", "classlabels_strings")

LEARNING_OPERATORS: Definitions = {
    **TREE_OPERATORS,
    "LinearRegressor": Definition.of(_linear_regressor, "coefficients", "intercepts", "post_transform", "targets"),
    "LinearClassifier": Definition.of(
        _linear_classifier, *_LABELS, "coefficients", "intercepts", "post_transform", ignored=("multi_class",)
    ),
    "SVMRegressor": Definition.of(_vector_regressor, *_VECTORS, "n_supports", "one_class"),
    "SVMClassifier": Definition.of(_vector_classifier, *_VECTORS, *_LABELS, "prob_a", "prob_b", "vectors_per_class"),
    "Normalizer": Definition.of(_normalizer, "norm"),
    "Scaler": Definition.of(_scaler, "offset", "scale"),
    "Imputer": Definition.of(
        _imputer,
        *("imputed_value_floats", "imputed_value_int64s", "replaced_value_float", "replaced_value_int64"),
    ),
    "OneHotEncoder": Definition.of(_one_hot, "cats_int64s", ignored=("cats_strings", "zeros")),
    "LabelEncoder": Definition.of(
        _label_encoder,
        *(f"{what}_{kind}" for what in ("keys", "values") for kind in ("floats", "int64s", "strings", "tensor")),
        *("default_float", "default_int64", "default_string", "default_tensor"),
    ),
    "FeatureVectorizer": Definition.of(_feature_vectorizer, "inputdimensions"),
    # A map from labels to scores, for every row: what is left of it are the scores.
    "ZipMap": Definition.of(
        lambda b: b.op("Identity", b.input(0)), ignored=("classlabels_int64s", "classlabels_strings")
    ),
}
