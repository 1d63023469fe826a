"""Operators of ai.onnx.ml as converters of scikit-learn and its like write them, compared with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from acc.errors import ModelError, ModelWarning

onnxruntime.set_default_logger_severity(4)

FEATURES = 5


def make_model(
    op_type: str,
    inputs: Sequence[np.ndarray],
    results: Sequence[int] = (TensorProto.FLOAT,),
    more: Sequence[onnx.NodeProto] = (),
    outputs: Sequence[str] | None = None,
    version: int = 3,
    **attributes: Any,
) -> onnx.ModelProto:
    """A model of one operator, whose inputs have any number of rows, and of nodes behind it."""
    names = [f"i{index}" for index in range(len(inputs))]
    made = [f"o{index}" for index in range(len(results))]
    node = helper.make_node(op_type, names, made, "node", domain="ai.onnx.ml", **attributes)
    given = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), ["n", *array.shape[1:]] if array.ndim > 1 else ["n"]
        )
        for name, array in zip(names, inputs, strict=True)
    ]
    wanted = outputs or made
    types = dict(zip(made, results, strict=True))
    values = [helper.make_tensor_value_info(name, types.get(name, TensorProto.FLOAT), None) for name in wanted]
    graph = helper.make_graph([node, *more], "operator", given, values)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", version)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def check(model: onnx.ModelProto, inputs: Sequence[np.ndarray], atol: float = 1e-5) -> list[np.ndarray]:
    feeds = {f"i{index}": array for index, array in enumerate(inputs)}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    results = list(acc.compile(model).run(feeds).values())
    for result, expected in zip(results, map(np.asarray, session.run(None, feeds)), strict=True):
        assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=atol)
    return results


def rows(count: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, FEATURES)).astype(np.float32)


class Forest:
    """Random trees in the form of TreeEnsembleClassifier and TreeEnsembleRegressor."""

    def __init__(self, seed: int, trees: int, modes: Sequence[str], targets: Sequence[int], low: float) -> None:
        """targets: what a leaf can have scores of. low: the least score."""
        self.rng = np.random.default_rng(seed)
        self.nodes: dict[str, list[Any]] = {
            name: []
            for name in (
                *("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids"),
                "missing_value_tracks_true",
            )
        }
        self.leaves: list[tuple[int, int, int, float]] = []
        self.modes, self.targets, self.low = modes, targets, low
        for tree in range(trees):
            self._grow(tree, [0], 0)

    def _grow(self, tree: int, count: list[int], depth: int) -> int:
        at = count[0]
        count[0] += 1
        place = len(self.nodes["nodeids"])
        leaf = depth == 4 or (depth > 0 and self.rng.random() < 0.3)
        entry = {
            "treeids": tree,
            "nodeids": at,
            "featureids": int(self.rng.integers(FEATURES)),
            # Values that features have, too.
            "values": float(np.round(self.rng.standard_normal(), 1)),
            "modes": "LEAF" if leaf else str(self.rng.choice(self.modes)),
            "truenodeids": 0,
            "falsenodeids": 0,
            "missing_value_tracks_true": int(self.rng.integers(2)),
        }
        for name, value in entry.items():
            self.nodes[name].append(value)
        if leaf:
            for target in self.targets:
                self.leaves.append((tree, at, target, float(self.rng.uniform(self.low, 1))))
        else:
            self.nodes["truenodeids"][place] = self._grow(tree, count, depth + 1)
            self.nodes["falsenodeids"][place] = self._grow(tree, count, depth + 1)
        return at

    def attributes(self, prefix: str) -> dict[str, Any]:
        columns = zip(*self.leaves, strict=True)
        leaves = dict(zip(("treeids", "nodeids", "ids", "weights"), map(list, columns), strict=True))
        return {f"nodes_{name}": values for name, values in self.nodes.items()} | {
            f"{prefix}_{name}": values for name, values in leaves.items()
        }


LEQ, ALL = ["BRANCH_LEQ"], [f"BRANCH_{name}" for name in ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ")]
CLASSIFIED = (TensorProto.INT64, TensorProto.FLOAT)


@pytest.mark.parametrize(
    ("modes", "targets", "more"),
    [
        (LEQ, 1, {"base_values": [0.5]}),
        (ALL, 1, {"aggregate_function": "AVERAGE", "post_transform": "LOGISTIC"}),
        (LEQ, 3, {"aggregate_function": "MIN"}),
        (ALL, 2, {"aggregate_function": "MAX", "post_transform": "SOFTMAX", "base_values": [0.5, 1.0]}),
    ],
)
def test_tree_regressor(modes: list[str], targets: int, more: dict[str, Any]) -> None:
    forest = Forest(targets, 6, modes, range(targets), -1)
    value = np.round(rows(), 1)
    value[::5, 2] = np.nan
    attributes = forest.attributes("target") | {"n_targets": targets} | more
    check(make_model("TreeEnsembleRegressor", [value], **attributes), [value])


def test_trees_of_integers_and_doubles() -> None:
    attributes = Forest(7, 4, ALL, [0, 1], -1).attributes("class") | {"classlabels_int64s": [4, 5, 6]}
    for value in (np.arange(-10, 10).reshape(4, FEATURES), rows(9).astype(np.float64)):
        check(make_model("TreeEnsembleClassifier", [value], CLASSIFIED, **attributes), [value])


@pytest.mark.parametrize(
    ("labels", "targets", "low", "more"),
    [
        ([3, 7], [0], 0, {}),
        ([3, 7], [0], -1, {"post_transform": "LOGISTIC", "base_values": [0.1]}),
        ([3, 7], [0], -1, {}),
        ([3, 7], [1], 0, {"post_transform": "SOFTMAX"}),
        ([3, 7, 1], [0, 1, 2], -1, {"post_transform": "SOFTMAX", "base_values": [0.1, 0.2, -0.3]}),
        ([3, 7, 1], [2, 0], -1, {"post_transform": "SOFTMAX_ZERO"}),
        ([3, 7, 1], [0, 2], -2, {}),
    ],
)
def test_tree_classifier(labels: list[int], targets: list[int], low: float, more: dict[str, Any]) -> None:
    attributes = Forest(len(labels), 7, LEQ, targets, low).attributes("class") | {"classlabels_int64s": labels} | more
    check(make_model("TreeEnsembleClassifier", [rows()], CLASSIFIED, **attributes), [rows()])


def test_trees_that_each_know_one_class() -> None:
    # As gradient boosting has them.
    parts = [Forest(10 + target, 2, LEQ, [target], -1) for target in range(3)]
    attributes: dict[str, list[Any]] = {}
    for index, part in enumerate(parts):
        for name, values in part.attributes("class").items():
            if name.endswith("treeids"):
                values = [value + 2 * index for value in values]
            attributes[name] = attributes.get(name, []) + values
    more = {"classlabels_int64s": [0, 1, 2], "post_transform": "SOFTMAX"}
    check(make_model("TreeEnsembleClassifier", [rows()], CLASSIFIED, **attributes, **more), [rows()])


TRANSFORMS = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO")


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("scores", [1, 2, 3])
def test_linear_classifier(transform: str, scores: int) -> None:
    rng = np.random.default_rng(scores)
    attributes = {
        "coefficients": rng.standard_normal(scores * FEATURES).tolist(),
        "intercepts": rng.standard_normal(scores).tolist(),
        "classlabels_ints": [4, 2, 9][: max(scores, 2)],
        "post_transform": transform,
    }
    check(make_model("LinearClassifier", [rows()], CLASSIFIED, **attributes), [rows()])


def test_linear_regressor() -> None:
    coefficients = np.random.default_rng(0).standard_normal(2 * FEATURES).tolist()
    check(
        make_model("LinearRegressor", [rows()], coefficients=coefficients, intercepts=[1.0, 2.0], targets=2), [rows()]
    )
    check(make_model("LinearRegressor", [rows()], coefficients=coefficients[:FEATURES]), [rows()])


KERNELS = [
    ("LINEAR", [0.0, 0.0, 0.0]),
    ("POLY", [0.5, 0.2, 2.0]),
    ("RBF", [0.3, 0.0, 0.0]),
    ("SIGMOID", [0.1, 0.2, 0.0]),
]


def vectors(count: int) -> list[float]:
    # Far from the origin, where distances are differences of large numbers.
    return (rows(count, 5) + 20).reshape(-1).tolist()


@pytest.mark.parametrize(("kernel", "parameters"), KERNELS)
def test_support_vectors(kernel: str, parameters: list[float]) -> None:
    rng = np.random.default_rng(3)
    value = rows() + (20 if kernel == "RBF" else 0)
    common = {"kernel_type": kernel, "kernel_params": parameters}
    for more in ({}, {"one_class": 1}):
        attributes = {
            **common,
            **more,
            "support_vectors": vectors(9),
            "n_supports": 9,
            "coefficients": rng.standard_normal(9).tolist(),
            "rho": [0.1],
        }
        check(make_model("SVMRegressor", [value], **attributes), [value], atol=2e-3)
    for classes, sizes, more in (
        (2, [4, 5], {}),
        (3, [3, 4, 2], {}),
        (3, [3, 4, 2], {"prob_a": [-2.0, -1.5, -3.0], "prob_b": [0.3, 0.0, -0.1]}),
    ):
        attributes = {
            **common,
            **more,
            "support_vectors": vectors(9),
            "vectors_per_class": sizes,
            "coefficients": rng.standard_normal((classes - 1) * 9).tolist(),
            "rho": rng.standard_normal(classes * (classes - 1) // 2).tolist(),
            "classlabels_ints": list(range(5, 5 + classes)),
        }
        check(make_model("SVMClassifier", [value], CLASSIFIED, **attributes), [value], atol=2e-3)


INTEGERS = np.array([[1, 2, 3], [4, 9, -2]])
REALS = np.array([[-3, 1, 0.5], [0, 0, 0], [-2, -1, -4], [2, np.nan, 4]], np.float32)

PREPARED: dict[str, tuple[str, list[np.ndarray], dict[str, Any]]] = {
    "max": ("Normalizer", [REALS[:3]], {"norm": "MAX"}),
    "l1": ("Normalizer", [REALS[:3]], {"norm": "L1"}),
    "l2 of integers": ("Normalizer", [INTEGERS], {"norm": "L2"}),
    "scaler": ("Scaler", [REALS], {"offset": [1.0, 2.0, 3.0], "scale": [2.0, 0.5, -1.0]}),
    "scaler of integers": ("Scaler", [INTEGERS], {"offset": [0.5], "scale": [2.0]}),
    "imputer": ("Imputer", [REALS], {"imputed_value_floats": [7.0, 8.0, 9.0], "replaced_value_float": float("nan")}),
    "imputer of integers": ("Imputer", [INTEGERS], {"imputed_value_int64s": [7], "replaced_value_int64": 9}),
    "one-hot": ("OneHotEncoder", [INTEGERS], {"cats_int64s": [1, 9, 3], "zeros": 1}),
    "one-hot of floats": ("OneHotEncoder", [REALS[:2]], {"cats_int64s": [1, 0]}),
    "labels": ("LabelEncoder", [INTEGERS], {"keys_int64s": [9, 2, 1, 9], "values_floats": [0.5, 1.5, 2.5, 3.5]}),
    "labels far apart": (
        "LabelEncoder",
        [INTEGERS],
        {"keys_int64s": [9, 1 << 40], "values_floats": [0.5, 1.5], "default_float": 4.0},
    ),
    "labels of floats": (
        "LabelEncoder",
        [REALS],
        {"keys_floats": [1.0, -4.0, float("nan")], "values_floats": [5.0] * 3},
    ),
    "features": ("FeatureVectorizer", [REALS, REALS[:, :2].copy()], {"inputdimensions": [3, 2]}),
    "binarizer": ("Binarizer", [REALS[:3]], {"threshold": 0.2}),
}


@pytest.mark.parametrize("name", PREPARED)
def test_preparation(name: str) -> None:
    op_type, inputs, attributes = PREPARED[name]
    element = helper.np_dtype_to_tensor_dtype(INTEGERS.dtype)
    results = (element,) if name == "imputer of integers" else (TensorProto.FLOAT,)
    check(make_model(op_type, inputs, results, **attributes), inputs)


def test_labels_of_nan_since_version_4() -> None:
    keys = numpy_helper.from_array(np.array([np.nan, 1], np.float32), "keys")
    values = numpy_helper.from_array(np.array([5, 6], np.float32), "values")
    default = numpy_helper.from_array(np.array([-7], np.float32), "default")
    attributes = {"keys_tensor": keys, "values_tensor": values, "default_tensor": default}
    model = make_model("LabelEncoder", [REALS], version=4, **attributes)
    check(model, [REALS])


LINEAR = {"coefficients": [1.0, 2.0, 3.0, -1.0, 0.5, 1.0], "intercepts": [0.5, -0.5]}


def test_labels_that_are_texts_are_left_out() -> None:
    value = REALS[:3]
    texts = LINEAR | {"classlabels_strings": ["a", "b"]}
    model = make_model("LinearClassifier", [value], (TensorProto.STRING, TensorProto.FLOAT), **texts)
    with pytest.warns(ModelWarning, match="output 'o0' is left out, as its elements are texts"):
        (scores,) = acc.compile(model).run({"i0": value}).values()
    numbers = LINEAR | {"classlabels_ints": [0, 1]}
    (_, expected) = check(make_model("LinearClassifier", [value], CLASSIFIED, **numbers), [value])
    np.testing.assert_array_equal(scores, expected)
    del model.graph.output[1]
    with pytest.raises(ModelError, match=r"labels that are texts \('o0'\) are not supported"):
        acc.import_onnx(model, symbolic=True)


def test_maps_become_matrices() -> None:
    value, numbers = REALS[:3], LINEAR | {"classlabels_ints": [0, 1]}
    zipped = helper.make_node("ZipMap", ["o1"], ["map"], domain="ai.onnx.ml", classlabels_int64s=[0, 1])
    model = make_model("LinearClassifier", [value], CLASSIFIED, [zipped], ["o0", "map"], **numbers)
    of = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    model.graph.output[1].type.CopyFrom(helper.make_sequence_type_proto(of))
    with pytest.warns(ModelWarning, match="output 'map' is a matrix with a column for each label"):
        (_, scores) = acc.compile(model).run({"i0": value}).values()
    (_, expected) = check(make_model("LinearClassifier", [value], CLASSIFIED, **numbers), [value])
    np.testing.assert_array_equal(scores, expected)


@pytest.mark.parametrize(
    ("op_type", "attributes", "reason"),
    [
        ("LabelEncoder", {"keys_floats": [1.0], "values_strings": ["a"]}, "keys or values that are texts"),
        ("OneHotEncoder", {"cats_strings": ["a"]}, "categories that are texts"),
        ("Normalizer", {"norm": "L3"}, "attribute 'norm' is 'L3'"),
        ("LinearRegressor", {"coefficients": [1.0, 2.0], "targets": 3}, "2 coefficients are not those of 3 scores"),
        ("SVMRegressor", {"coefficients": [1.0], "rho": [1.0], "n_supports": 2}, "'coefficients' has 1 values"),
        ("TreeEnsembleRegressor", {"n_targets": 1}, "has no nodes"),
        ("CategoryMapper", {"cats_int64s": [1], "cats_strings": ["a"]}, "unsupported operator of domain 'ai.onnx.ml'"),
    ],
)
def test_refused(op_type: str, attributes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ModelError, match=f"'node'.*{reason}"):
        acc.import_onnx(make_model(op_type, [REALS], **attributes), symbolic=True)


def test_trees_in_a_circle() -> None:
    attributes = Forest(1, 2, LEQ, [0], 0).attributes("target")
    attributes["nodes_truenodeids"][0] = 0
    with pytest.raises(ModelError, match="the nodes of a tree do not follow from one"):
        acc.import_onnx(make_model("TreeEnsembleRegressor", [rows()], **attributes), symbolic=True)
