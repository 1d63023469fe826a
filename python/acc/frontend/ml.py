"""Operators of ai.onnx.ml on numbers, and TfIdfVectorizer: written with operators that the graph dialect has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from acc import ir
from acc.frontend.call import PLAIN, Attr, Call, Tensor, dtype_of, element_of, shape_of
from acc.frontend.problems import Unsupported


def _cast(call: Call, value: ir.Value, dtype: np.dtype) -> ir.Value:
    if dtype_of(element_of(value)) == dtype:
        return value
    return call.emit_as(call.tensor_type(shape_of(value), dtype), "cast", value)


def _reshape(call: Call, value: ir.Value, shape: Sequence[int]) -> ir.Value:
    return call.emit_as(call.tensor_type(shape, element_of(value)), "reshape", value)


def convert_binarizer(call: Call) -> list[Tensor]:
    """1 where a number is above the threshold, else 0."""
    value = call.operand(0)
    dtype = dtype_of(element_of(value))
    threshold = call.literal(np.asarray(call.attributes["threshold"], dtype))
    return [_cast(call, call.emit("greater", [value, threshold]), dtype)]


def convert_tfidf_vectorizer(call: Call) -> list[Tensor]:
    """How often each n-gram of a pool appears in every row, with up to `max_skip_count` elements between its own."""
    if "pool_strings" in call.attributes:
        raise Unsupported("string pools are not supported")
    value = call.operand(0)
    if len(shape_of(value)) not in (1, 2):
        raise Unsupported(f"input {list(shape_of(value))} is neither a row nor a matrix")
    rows = 1 if len(shape_of(value)) == 1 else shape_of(value)[0]
    length = shape_of(value)[-1]
    value = _reshape(call, value, [rows, length])
    dtype = dtype_of(element_of(value))
    pool = np.array(call.integer_list("pool_int64s"), np.int64)
    starts = call.integer_list("ngram_counts")
    places = call.integer_list("ngram_indexes")
    least, most, skips = (call.integer(name) for name in ("min_gram_length", "max_gram_length", "max_skip_count"))
    mode = call.attributes["mode"]
    if mode not in ("TF", "IDF", "TFIDF"):
        raise Unsupported(f"attribute 'mode' is '{mode}'")
    width = max(places) + 1
    counts: list[ir.Value] = []
    targets: list[int] = []
    first = 0
    for size in range(1, len(starts) + 1):
        begin, end = starts[size - 1], starts[size] if size < len(starts) else len(pool)
        grams = pool[begin:end].reshape(-1, size)
        ids = places[first : first + len(grams)]
        first += len(grams)
        if not least <= size <= most or not len(grams):
            continue
        # Without elements to skip, single elements are the same for every distance.
        for distance in range(1, (skips if size > 1 else 0) + 2):
            positions = length - distance * (size - 1)
            if positions < 1:
                continue
            counts.append(_count_grams(call, value, grams.astype(dtype), positions, distance))
            targets += ids
    weights = np.ones(width, np.float32)
    if "weights" in call.attributes and mode != "TF":
        weights[places] = np.array(call.attributes["weights"], np.float32)[: len(places)]
    shape = [rows, width] if len(call.shape(0)) == 2 else [width]
    if not counts:
        return [np.zeros(shape, np.float32)]
    found = counts[0] if len(counts) == 1 else call.emit("concat", counts, axis=1)
    matrix = np.zeros((len(targets), width), np.float32)
    matrix[np.arange(len(targets)), targets] = 1
    result = call.emit("mat_mul", [found, call.literal(matrix)])
    if mode == "IDF":
        zero = call.literal(np.zeros(1, np.float32))
        result = _cast(call, call.emit("greater", [result, zero]), np.dtype(np.float32))
    if mode != "TF":
        result = call.emit("mul", [result, call.literal(weights)])
    return [_reshape(call, result, shape)]


def _count_grams(call: Call, value: ir.Value, grams: np.ndarray, positions: int, distance: int) -> ir.Value:
    """How often each row of `grams` appears in each row of `value`, of elements `distance` apart."""
    rows = shape_of(value)[0]
    matches: ir.Value | None = None
    for at in range(grams.shape[1]):
        part = call.emit("slice", [value], starts=[0, at * distance], sizes=[rows, positions], steps=[1, 1])
        part = _reshape(call, part, [rows, positions, 1])
        equal = call.emit("equal", [part, call.literal(grams[:, at])])
        matches = equal if matches is None else call.emit("and", [matches, equal])
    assert matches is not None
    numbers = _cast(call, matches, np.dtype(np.float32))
    # A product with ones is a sum over all positions.
    ones = call.literal(np.ones((1, positions), np.float32))
    return _reshape(call, call.emit("mat_mul", [ones, numbers]), [rows, len(grams)])


_TERM_NAMES = ("max_gram_length", "max_skip_count", "min_gram_length", "mode", "ngram_counts", "ngram_indexes")

TERMS: dict[str, Attr] = {name: PLAIN for name in (*_TERM_NAMES, "pool_int64s", "pool_strings", "weights")}
