"""Ensembles of decision trees, ai.onnx.ml: all trees for all rows at once, one level after the other.

Every tree of every row is at a node, [trees, rows]; tables say of each node which feature it compares with what, and
where it leads. Leaves lead to themselves, so that trees of any depth go on together. Trees come first, so that scores
are summed tree by tree, in the order in which ONNX Runtime sums them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import numpy_helper

from acc.frontend.definitions import Builder, Definition, Definitions
from acc.frontend.problems import Unsupported
from acc.frontend.scores import POST_TRANSFORMS, class_labels, finish, labels_of, two_scores

__all__ = ["TREE_OPERATORS"]

_COMPARISONS = ("LessOrEqual", "Less", "GreaterOrEqual", "Greater", "Equal", "NotEqual", "Member")
_NAMES = {"LEQ": 0, "LT": 1, "GTE": 2, "GT": 3, "EQ": 4, "NEQ": 5}
_NOT_EQUAL, _MEMBER = 5, 6
_LEAF = -1

_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")


@dataclass
class _Forest:
    """Trees as tables by node; all nodes of all trees are numbered together.

    Attributes:
        features: what is compared; 0 for leaves.
        modes: the number of the comparison; `_LEAF` for leaves.
        splits: what it is compared with.
        missing: whether NaN leads to the true branch.
        true, false: the nodes that follow; leaves follow themselves.
        roots: the first node of every tree.
        weights: the scores of every node and target.
        scored: whether a node says anything of a target.
        members: for comparisons with sets, what is in the set of every node.
    """

    features: np.ndarray
    modes: np.ndarray
    splits: np.ndarray
    missing: np.ndarray
    true: np.ndarray
    false: np.ndarray
    roots: np.ndarray
    weights: np.ndarray
    scored: np.ndarray
    members: dict[int, np.ndarray]

    def leaves(self) -> list[list[int]]:
        """The leaves of every tree."""
        reached = [sorted(_reached([int(root)], self.true, self.false)) for root in self.roots]
        return [[at for at in nodes if self.modes[at] == _LEAF] for nodes in reached]

    def depth(self) -> int:
        """How many steps lead to a leaf from every root."""
        level, depth = set(map(int, self.roots)), 0
        while level := {at for at in level if self.modes[at] != _LEAF}:
            level = {int(table[at]) for at in level for table in (self.true, self.false)}
            depth += 1
            if depth > len(self.modes):
                raise Unsupported("the nodes of a tree form a circle")
        return depth


def _reached(roots: Sequence[int], true: np.ndarray, false: np.ndarray) -> set[int]:
    """The nodes that follow from some."""
    seen, stack = set(), list(roots)
    while stack:
        at = stack.pop()
        if at not in seen:
            seen.add(at)
            stack += [int(true[at]), int(false[at])]
    return seen


def _numbers(b: Builder, name: str) -> np.ndarray:
    """An attribute of floats, which may be a tensor under another name."""
    tensor = b.attribute(f"{name}_as_tensor")
    if tensor is not None:
        return numpy_helper.to_array(tensor).reshape(-1)
    return np.array(b.attribute(name, ()), np.float32)


def _listed(b: Builder, name: str, count: int | None = None) -> np.ndarray:
    """An attribute of integers, with a value for each of `count` things."""
    values = np.array(b.attribute(name, ()), np.int64)
    if count is not None and len(values) != count:
        raise Unsupported(f"attribute '{name}' has {len(values)} values instead of {count}")
    return values


def _forest(b: Builder, prefix: str, targets: int) -> _Forest:
    """The trees of TreeEnsembleClassifier and TreeEnsembleRegressor, whose nodes are listed with those of leaves."""
    modes = np.array([_mode(text) for text in b.attribute("nodes_modes", ())], np.int64)
    count = len(modes)
    if not count:
        raise Unsupported("has no nodes")
    trees, ids = _listed(b, "nodes_treeids", count), _listed(b, "nodes_nodeids", count)
    place = {(int(tree), int(at)): index for index, (tree, at) in enumerate(zip(trees, ids, strict=True))}
    if len(place) != count:
        raise Unsupported("a tree has two nodes of one number")
    own = np.arange(count)

    def follow(name: str) -> np.ndarray:
        given = _listed(b, name, count)
        keys = [(int(tree), int(at)) for tree, at in zip(trees, given, strict=True)]
        missing = [key for key, mode in zip(keys, modes, strict=True) if mode != _LEAF and key not in place]
        if missing:
            raise Unsupported(f"a node of tree {missing[0][0]} leads to {missing[0][1]}, which does not exist")
        return np.array([at if mode == _LEAF else place[key] for at, key, mode in zip(own, keys, modes, strict=True)])

    true, false = follow("nodes_truenodeids"), follow("nodes_falsenodeids")
    splits = _numbers(b, "nodes_values")
    if len(splits) != count:
        raise Unsupported(f"attribute 'nodes_values' has {len(splits)} values instead of {count}")
    missing = b.attribute("nodes_missing_value_tracks_true")
    inner = {int(at) for table in (true, false) for at in table[modes != _LEAF]}
    roots = [at for at in range(count) if at not in inner]
    reached = _reached(roots, true, false)
    if len(reached) != count or sorted(int(trees[at]) for at in roots) != sorted(set(trees.tolist())):
        raise Unsupported("the nodes of a tree do not follow from one")
    entries, weights = _listed(b, f"{prefix}_ids"), _numbers(b, f"{prefix}_weights")
    owners = zip(_listed(b, f"{prefix}_treeids"), _listed(b, f"{prefix}_nodeids"), strict=True)
    table, scored = np.zeros((count, targets), weights.dtype), np.zeros((count, targets), np.bool_)
    for (tree, at), target, weight in zip(owners, entries, weights, strict=True):
        if not 0 <= target < targets or (int(tree), int(at)) not in place:
            raise Unsupported("a leaf belongs to a target, or to a node, that does not exist")
        table[place[int(tree), int(at)], target] += weight
        scored[place[int(tree), int(at)], target] = True
    features = np.where(modes == _LEAF, 0, _listed(b, "nodes_featureids", count))
    return _Forest(
        features,
        modes,
        splits,
        np.array(missing if missing else [0] * count, np.bool_),
        true,
        false,
        np.array(roots, np.int64),
        table,
        scored,
        {},
    )


def _mode(text: str) -> int:
    if text == "LEAF":
        return _LEAF
    name = text.removeprefix("BRANCH_")
    if name not in _NAMES:
        raise Unsupported(f"mode '{text}' of nodes is not supported")
    return _NAMES[name]


def _walk(b: Builder, forest: _Forest, dtype: np.dtype) -> str:
    """The leaves [trees, rows] that rows of features lead to, in a matrix [rows, features] of `dtype`."""
    width = b.shape(0)[1]
    if width is not None and forest.features.max(initial=0) >= width:
        raise Unsupported(f"compares feature {forest.features.max()} of {width}")
    value = b.input(0) if b.dtype(0) == dtype else b.cast(b.input(0), dtype)
    columns = b.transpose(value, 1, 0)
    rows = b.size(columns, 1)
    trees = len(forest.roots)
    shape = b.op("Concat", b.integers(trees), rows, axis=0)
    place = b.op("Expand", b.constant(forest.roots.reshape(trees, 1)), shape)
    modes = [int(mode) for mode in np.unique(forest.modes) if mode != _LEAF]
    splits = forest.splits.astype(dtype)

    def pick(table: np.ndarray) -> str:
        return b.op("Gather", b.constant(table), place)

    for _ in range(forest.depth()):
        entry = b.op("GatherElements", columns, pick(forest.features), axis=0)
        holds = ""
        for mode in modes:
            here = _compare(b, mode, entry, splits, forest, pick)
            holds = here if not holds else b.op("Where", pick(forest.modes == mode), here, holds)
        if forest.missing.any():
            lost = b.op("And", b.op("IsNaN", entry), pick(forest.missing))
            holds = b.op("Or", holds, lost)
        place = b.op("Where", holds, pick(forest.true), pick(forest.false))
    return place


def _compare(b: Builder, mode: int, entry: str, splits: np.ndarray, forest: _Forest, pick: Any) -> str:
    """Whether the condition of a node holds, if all nodes were of this mode."""
    if mode == _NOT_EQUAL:
        return b.op("Not", b.op("Equal", entry, pick(splits)))
    if mode != _MEMBER:
        return b.op(_COMPARISONS[mode], entry, pick(splits))
    result = ""
    for column in range(max(len(members) for members in forest.members.values())):
        table = np.full(len(splits), np.nan, splits.dtype)
        for at, members in forest.members.items():
            if column < len(members):
                table[at] = members[column]
        equal = b.op("Equal", entry, pick(table))
        result = equal if not result else b.op("Or", result, equal)
    return result


def _total(b: Builder, forest: _Forest, place: str, aggregate: str, dtype: np.dtype) -> str:
    """The scores [rows, targets] that the trees agree on."""
    if aggregate not in _AGGREGATES:
        raise Unsupported(f"attribute 'aggregate_function' is '{aggregate}'")
    weights = forest.weights.astype(dtype)
    trees, targets = len(forest.roots), weights.shape[1]
    if aggregate in ("MIN", "MAX"):
        # Trees that say nothing of a target do not count.
        neutral = np.inf if aggregate == "MIN" else -np.inf
        found = b.op("Gather", b.constant(np.where(forest.scored, weights, dtype.type(neutral))), place)
        result = b.op("ReduceMin" if aggregate == "MIN" else "ReduceMax", found, b.integers(0), keepdims=0)
        return b.op("Where", b.op("IsInf", result), b.number(0, dtype), result)
    if aggregate == "AVERAGE":
        weights = weights / dtype.type(trees)
    owners = _owners(forest)
    if owners is not None:
        # A number for each leaf, and who it belongs to is known by the tree.
        found = b.op("Gather", b.constant(weights.sum(axis=1)), place)
        if targets == 1:
            return b.reshape(b.op("ReduceSum", found, b.integers(0), keepdims=0), -1, 1)
        spread = np.zeros((targets, trees), dtype)
        spread[owners, np.arange(trees)] = 1
        return b.transpose(b.op("MatMul", b.constant(spread), found), 1, 0)
    return b.op("ReduceSum", b.op("Gather", b.constant(weights), place), b.integers(0), keepdims=0)


def _owners(forest: _Forest) -> np.ndarray | None:
    """The one target that every tree has scores of; None if there is a tree with several."""
    owners = []
    for leaves in forest.leaves():
        used = np.flatnonzero(forest.scored[leaves].any(axis=0))
        if len(used) > 1:
            return None
        owners.append(int(used[0]) if len(used) else 0)
    return np.array(owners)


def _element(b: Builder) -> np.dtype:
    """The type that features are compared in."""
    return np.dtype(np.float64 if b.dtype(0) == np.float64 else np.float32)


def _check_matrix(b: Builder) -> None:
    if b.rank(0) != 2:
        raise Unsupported(f"input {b.shown(0)} is not a matrix")


def _regressor(b: Builder) -> str:
    _check_matrix(b)
    dtype, targets = _element(b), b.attribute("n_targets", 1)
    forest = _forest(b, "target", targets)
    scores = _total(b, forest, _walk(b, forest, dtype), b.attribute("aggregate_function", "SUM"), dtype)
    base = _numbers(b, "base_values")
    if base.size:
        scores = b.op("Add", scores, b.constant(base.astype(dtype)))
    result = finish(b, scores, targets, b.attribute("post_transform", "NONE"), dtype)
    return result if dtype == np.float32 else b.cast(result, np.float32)


def _classifier(b: Builder) -> list[str]:
    _check_matrix(b)
    dtype = _element(b)
    labels = labels_of(b, "classlabels_int64s", "classlabels_strings")
    count, transform = len(labels[0]), b.attribute("post_transform", "NONE")
    used = set(_listed(b, "class_ids").tolist())
    base = _numbers(b, "base_values").astype(dtype)
    single = count == 2 and len(used) == 1
    forest = _forest(b, "class", count)
    place = _walk(b, forest, dtype)
    scores = _total(b, forest, place, "SUM", dtype)
    if single:
        label, result = _two_classes(b, scores, used.pop(), base, transform, dtype)
    else:
        if base.size:
            scores = b.op("Add", scores, b.constant(base))
        label = b.op("ArgMax", _said(b, forest, place, scores, base), axis=1, keepdims=0)
        result = finish(b, scores, count, transform, dtype)
    return [class_labels(b, label, labels), result if dtype == np.float32 else b.cast(result, np.float32)]


def _two_classes(
    b: Builder, scores: str, of: int, base: np.ndarray, transform: str, dtype: np.dtype
) -> tuple[str, str]:
    """Labels and scores of two classes where leaves only have scores of the one called `of`."""
    positive = bool(np.all(_numbers(b, "class_weights") >= 0))
    score = b.slice(scores, 1, of, of + 1)
    if base.size > 1:
        raise Unsupported("has base values of two classes, but leaves of one")
    if of == 0 and base.size:
        score = b.op("Add", score, b.constant(base))
    above = b.op("Greater", score, b.number(0.5 if positive else 0, dtype))
    label = b.reshape(b.cast(above, np.int64), -1)
    if of == 0:
        return label, two_scores(b, score, transform, dtype, complement=positive)
    return label, finish(b, scores, 2, transform, dtype)


def _said(b: Builder, forest: _Forest, place: str, scores: str, base: np.ndarray) -> str:
    """The scores among which a label is chosen: classes of which no leaf says anything do not count."""
    certain = np.zeros(forest.scored.shape[1], np.bool_)
    for leaves in forest.leaves():
        certain |= forest.scored[leaves].all(axis=0)
    if certain.all() or base.size:
        return scores
    found = b.op("Gather", b.constant(forest.scored.astype(np.float32)), place)
    said = b.op("ReduceMax", found, b.integers(0), keepdims=0)
    lowest = b.number(-np.inf, forest.weights.dtype if forest.weights.dtype == np.float64 else np.float32)
    return b.op("Where", b.cast(said, np.bool_), b.cast(scores, np.float32), b.cast(lowest, np.float32))


def _ensemble(b: Builder) -> str:
    """TreeEnsemble, whose leaves are listed on their own."""
    _check_matrix(b)
    dtype = b.dtype(0)

    def tensor(name: str) -> np.ndarray:
        proto = b.attribute(name)
        if proto is None:
            raise Unsupported(f"needs the attribute '{name}'")
        return numpy_helper.to_array(proto).reshape(-1)

    modes, splits = tensor("nodes_modes").astype(np.int64), tensor("nodes_splits").astype(np.float64)
    nodes = len(modes)
    weights, owners = tensor("leaf_weights"), _listed(b, "leaf_targetids")
    leaves, targets = len(weights), b.attribute("n_targets")
    if len(owners) != leaves or any(not 0 <= owner < targets for owner in owners):
        raise Unsupported("a leaf belongs to a target that does not exist")
    if any(not 0 <= mode <= _MEMBER for mode in modes):
        raise Unsupported("a mode of nodes does not exist")
    children = []
    for branch in ("true", "false"):
        ids, are_leaves = _listed(b, f"nodes_{branch}nodeids", nodes), _listed(b, f"nodes_{branch}leafs", nodes)
        if any(not 0 <= at < (leaves if leaf else nodes) for at, leaf in zip(ids, are_leaves, strict=True)):
            raise Unsupported("a node leads to one that does not exist")
        children.append(np.concatenate([ids + nodes * are_leaves, np.arange(nodes, nodes + leaves)]))
    roots = _listed(b, "tree_roots")
    if not len(roots) or any(not 0 <= root < nodes for root in roots):
        raise Unsupported("a tree does not exist")
    missing = b.attribute("nodes_missing_value_tracks_true") or [0] * nodes
    table, scored = np.zeros((nodes + leaves, targets), weights.dtype), np.zeros((nodes + leaves, targets), np.bool_)
    table[np.arange(nodes, nodes + leaves), owners] = weights
    scored[np.arange(nodes, nodes + leaves), owners] = True
    rest = np.zeros(leaves, np.int64)
    forest = _Forest(
        np.concatenate([_listed(b, "nodes_featureids", nodes), rest]),
        np.concatenate([modes, rest + _LEAF]),
        np.concatenate([splits, rest]),
        np.concatenate([np.array(missing), rest]).astype(np.bool_),
        children[0],
        children[1],
        roots,
        table,
        scored,
        _members(b, modes),
    )
    aggregate = b.attribute("aggregate_function", 1)
    transform = b.attribute("post_transform", 0)
    if not 0 <= aggregate < len(_AGGREGATES) or not 0 <= transform < len(POST_TRANSFORMS):
        raise Unsupported("attribute 'aggregate_function' or 'post_transform' has a value that does not exist")
    scores = _total(b, forest, _walk(b, forest, dtype), _AGGREGATES[aggregate], dtype)
    return finish(b, scores, targets, POST_TRANSFORMS[transform], dtype)


def _members(b: Builder, modes: np.ndarray) -> dict[int, np.ndarray]:
    """The sets of the nodes that compare with one: they follow one another, each ended by a NaN."""
    owners = np.flatnonzero(modes == _MEMBER)
    if not len(owners):
        return {}
    proto = b.attribute("membership_values")
    values = numpy_helper.to_array(proto).reshape(-1) if proto is not None else np.zeros(0)
    sets: Sequence[np.ndarray] = [part[~np.isnan(part)] for part in np.split(values, np.flatnonzero(np.isnan(values)))]
    if len(sets) < len(owners):
        raise Unsupported(f"has {len(sets)} sets for {len(owners)} nodes")
    return {int(owner): part for owner, part in zip(owners, sets, strict=False)}


_NODES = (
    *("nodes_falsenodeids", "nodes_featureids", "nodes_missing_value_tracks_true", "nodes_modes", "nodes_nodeids"),
    *("nodes_treeids", "nodes_truenodeids", "nodes_values", "nodes_values_as_tensor", "base_values"),
    *("base_values_as_tensor", "post_transform"),
)


def _entries(prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}_{name}" for name in ("ids", "nodeids", "treeids", "weights", "weights_as_tensor"))


_RATES = ("nodes_hitrates", "nodes_hitrates_as_tensor")

TREE_OPERATORS: Definitions = {
    "TreeEnsembleRegressor": Definition.of(
        _regressor, *_NODES, *_entries("target"), "aggregate_function", "n_targets", ignored=_RATES
    ),
    "TreeEnsembleClassifier": Definition.of(
        _classifier, *_NODES, *_entries("class"), "classlabels_int64s", "classlabels_strings", ignored=_RATES
    ),
    "TreeEnsemble": Definition.of(
        _ensemble,
        *("aggregate_function", "leaf_targetids", "leaf_weights", "membership_values", "n_targets", "post_transform"),
        *("nodes_falseleafs", "nodes_falsenodeids", "nodes_featureids", "nodes_missing_value_tracks_true"),
        *("nodes_modes", "nodes_splits", "nodes_trueleafs", "nodes_truenodeids", "tree_roots"),
        ignored=_RATES,
    ),
}
