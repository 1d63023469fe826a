"""Operators of ai.onnx.ml on numbers, and TfIdfVectorizer: written with operators that the graph dialect has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
from onnx import TensorProto, numpy_helper

from acc import ir
from acc.frontend.call import IGNORED, PLAIN, Attr, Call, Tensor, dtype_of, element_of, shape_of
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

_NODE_LISTS = ("falseleafs", "falsenodeids", "featureids", "missing_value_tracks_true", "modes", "splits")

TREES: dict[str, Attr] = {
    "nodes_hitrates": IGNORED,
    **{f"nodes_{name}": PLAIN for name in (*_NODE_LISTS, "trueleafs", "truenodeids")},
    **{name: PLAIN for name in ("aggregate_function", "post_transform", "membership_values", "n_targets")},
    **{name: PLAIN for name in ("leaf_targetids", "leaf_weights", "tree_roots")},
}

_COMPARISONS = {0: "less_or_equal", 1: "less", 2: "greater_or_equal", 3: "greater", 4: "equal"}
_NOT_EQUAL, _MEMBER = 5, 6


def convert_tree_ensemble(call: Call) -> list[Tensor]:
    """All trees for all rows at once, one level after the other; leaves are nodes that lead to themselves."""
    value = call.operand(0)
    if len(shape_of(value)) != 2:
        raise Unsupported(f"input {list(shape_of(value))} is not a matrix")
    if call.attributes.get("post_transform", 0) != 0 or call.attributes.get("aggregate_function", 1) not in (0, 1):
        raise Unsupported("only sums and averages without post_transform are supported")
    dtype = dtype_of(element_of(value))

    def tensor(name: str) -> np.ndarray:
        return numpy_helper.to_array(cast(TensorProto, call.attributes[name])).reshape(-1)

    features = np.array(call.integer_list("nodes_featureids"), np.int64)
    modes, splits = tensor("nodes_modes"), tensor("nodes_splits").astype(dtype)
    weights, owners = tensor("leaf_weights").astype(dtype), np.array(call.integer_list("leaf_targetids"), np.int64)
    nodes, leaves = len(features), len(weights)
    targets, roots = call.integer("n_targets"), call.integer_list("tree_roots")
    lists = {name: np.array(call.integer_list(f"nodes_{name}"), np.int64) for name in _LINKS}
    children = []
    for branch in ("true", "false"):
        ids, are_leaves = lists[f"{branch}nodeids"], lists[f"{branch}leafs"]
        if not len(ids) == len(are_leaves) == len(modes) == len(splits) == nodes:
            raise Unsupported("its lists of nodes have different lengths")
        if any(not 0 <= at < (leaves if leaf else nodes) for at, leaf in zip(ids, are_leaves, strict=True)):
            raise Unsupported("a node leads to one that does not exist")
        children.append(np.concatenate([ids + nodes * are_leaves, np.arange(nodes, nodes + leaves)]))
    if len(owners) != leaves or any(not 0 <= owner < targets for owner in owners):
        raise Unsupported("a leaf belongs to a target that does not exist")
    if any(not 0 <= root < nodes for root in roots) or any(not 0 <= at < shape_of(value)[1] for at in features):
        raise Unsupported("a tree or a feature does not exist")
    rows = shape_of(value)[0]
    place = call.literal(np.broadcast_to(np.array(roots, np.int64), (rows, len(roots))).copy())
    missing = np.array(call.attributes.get("nodes_missing_value_tracks_true", [0] * nodes), np.int64)

    def pick(table: np.ndarray, filler: object) -> ir.Value:
        """What every tree's node has in a table, which leaves do not have."""
        full = np.concatenate([table, np.full((leaves, *table.shape[1:]), filler, table.dtype)])
        return call.emit("gather", [call.literal(full), place], axis=0)

    for _ in range(_depth(children, roots, nodes)):
        entry = call.emit("gather_elements", [value, pick(features, 0)], axis=1)
        holds: ir.Value | None = None
        for mode in np.unique(modes):
            here = _compare(call, int(mode), entry, pick, splits, modes)
            holds = here if holds is None else call.emit("where", [pick(modes == mode, False), here, holds])
        assert holds is not None
        if missing.any():
            lost = call.emit("and", [call.emit("is_nan", [entry]), pick(missing != 0, False)])
            holds = call.emit("or", [holds, lost])
        yes, no = (call.emit("gather", [call.literal(table), place], axis=0) for table in children)
        place = call.emit("where", [holds, yes, no])
    spread = np.zeros((nodes + leaves, targets), dtype)
    spread[np.arange(nodes, nodes + leaves), owners] = weights
    found = call.emit("gather", [call.literal(spread), place], axis=0)
    scale = np.full((1, len(roots)), 1 / len(roots) if call.attributes.get("aggregate_function", 1) == 0 else 1, dtype)
    result = call.emit("mat_mul", [call.literal(scale), found])
    return [_reshape(call, result, [rows, targets])]


_LINKS = ("truenodeids", "falsenodeids", "trueleafs", "falseleafs")


def _depth(children: Sequence[np.ndarray], roots: Sequence[int], nodes: int) -> int:
    """How many steps lead to a leaf from every root."""
    level, depth = set(roots), 0
    while level := {at for at in level if at < nodes}:
        level = {int(table[at]) for at in level for table in children}
        depth += 1
        if depth > nodes:
            raise Unsupported("its nodes form a circle")
    return depth


def _compare(
    call: Call,
    mode: int,
    entry: ir.Value,
    pick: Callable[[np.ndarray, object], ir.Value],
    splits: np.ndarray,
    modes: np.ndarray,
) -> ir.Value:
    """Whether the condition of a node holds, if all nodes were of this mode."""
    if mode in _COMPARISONS:
        return call.emit(_COMPARISONS[mode], [entry, pick(splits, 0)])
    if mode == _NOT_EQUAL:
        return call.emit("not", [call.emit("equal", [entry, pick(splits, 0)])])
    if mode != _MEMBER:
        raise Unsupported(f"mode {mode} of nodes does not exist")
    members = numpy_helper.to_array(cast(TensorProto, call.attributes["membership_values"])).reshape(-1)
    # The sets of all such nodes follow one another, each ended by a NaN.
    ends = np.flatnonzero(np.isnan(members))
    sets = [part[~np.isnan(part)] for part in np.split(members, ends)]
    owners = np.flatnonzero(modes == _MEMBER)
    if len(sets) < len(owners):
        raise Unsupported(f"has {len(sets)} sets for {len(owners)} nodes")
    result: ir.Value | None = None
    for column in range(max(len(part) for part in sets)):
        table = np.full(len(modes), np.nan, splits.dtype)
        for owner, part in zip(owners, sets, strict=False):
            table[owner] = part[column] if column < len(part) else np.nan
        equal = call.emit("equal", [entry, pick(table, np.nan)])
        result = equal if result is None else call.emit("or", [result, equal])
    assert result is not None
    return result
