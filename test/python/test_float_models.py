"""Float models in native code compute what ONNX Runtime computes: every operator, operator set and odd shape."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

import acc
from float_models import FAMILIES, random_case

NEWEST = onnx.defs.onnx_opset_version()


def reference(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray] | None:
    """What ONNX Runtime computes, without optimizations; None if it cannot."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        known = {value.name for value in session.get_inputs()}
        return session.run(None, {name: array for name, array in feeds.items() if name in known})
    except Exception:
        return None


def check(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> bool:
    """Compares; False if there is nothing to compare with."""
    expected = reference(model, feeds)
    if expected is None:
        return False
    actual = acc.compile(model, target="cpu").run(feeds)
    for value, want in zip(model.graph.output, expected, strict=True):
        have = actual[value.name]
        assert have.shape == want.shape and have.dtype == want.dtype, (value.name, have.shape, have.dtype, want.dtype)
        tolerance = {"rtol": 1e-3, "atol": 1e-4} if want.dtype.kind == "f" else {"rtol": 0, "atol": 0}
        if want.dtype == np.float16:
            tolerance = {"rtol": 1e-2, "atol": 1e-2}
        np.testing.assert_allclose(have, want, **tolerance, err_msg=f"{value.name} of\n{onnx.printer.to_text(model)}")
    return True


def sweep(family, seeds: range) -> None:
    compared = 0
    for seed in seeds:
        model, feeds = random_case(family, seed, 9 + seed % (NEWEST - 8))
        compared += check(model, feeds)
    assert compared >= len(seeds) // 3


@pytest.mark.parametrize("family", FAMILIES)
def test_random_models(family) -> None:
    sweep(family, range(6))


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_random_models_long(family) -> None:
    sweep(family, range(1000, 1150))


def build(nodes: list[onnx.NodeProto], inputs: dict[str, list[int]], outputs: list[str], **constants: object):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


WEIGHT = np.arange(3000, dtype=np.float32)


@pytest.mark.parametrize(
    "model",
    [
        build([], {"x": [2]}, ["x"]),
        build([], {}, ["c"], c=WEIGHT),
        build([helper.make_node("Relu", ["c"], ["y"])], {}, ["y", "c"], c=-WEIGHT),
        build([helper.make_node("Identity", ["x"], [name]) for name in "ab"], {"x": [2]}, ["a", "b", "x"]),
        build([helper.make_node("Relu", ["x"], ["y"])], {"x": [2], "unused": [5]}, ["y"]),
        build([helper.make_node("Add", ["x", "c"], ["y"])], {"x": []}, ["y"], c=np.float32(3)),
        build([helper.make_node("Add", ["x", "c"], ["y"])], {"x": [0, 3]}, ["y"], c=np.float32(3)),
        build([helper.make_node("Concat", ["x", "z"], ["y"], axis=0)], {"x": [2, 3], "z": [0, 3]}, ["y"]),
        build([helper.make_node("Softmax", ["x"], ["y"], axis=1)], {"x": [2, 0]}, ["y"]),
        build([helper.make_node("LRN", ["x"], ["y"], size=3)], {"x": [1, 2, 0, 4]}, ["y"]),
        build([helper.make_node("LRN", ["x"], ["y"], size=21, alpha=2.0)], {"x": [1, 4, 2, 2]}, ["y"]),
        build([helper.make_node("Pad", ["x", "p"], ["y"])], {"x": [0, 2]}, ["y"], p=np.array([1, 0, 1, 0])),
        build([helper.make_node("Relu", ["x"], ["y"])], {"x": [1] * 20}, ["y"]),
        build(
            [helper.make_node("Relu", ["x"], [f"y{i}"]) for i in range(100)], {"x": [3]}, [f"y{i}" for i in range(100)]
        ),
        build([helper.make_node("Relu", ['x:0/"é"\n'], ["\t"])], {'x:0/"é"\n': [3]}, ["\t"]),
    ],
)
def test_odd_graphs(model: onnx.ModelProto) -> None:
    rng = np.random.default_rng(0)
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in model.graph.input}
    assert check(model, {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})


def test_tensors_that_are_outputs_twice() -> None:
    model = build([helper.make_node("Relu", ["x"], ["y"])], {"x": [2]}, ["y", "y"])
    with acc.compile(model) as executable:
        np.testing.assert_array_equal(executable.run({"x": np.float32([-1, 2])})["y"], [0, 2])


def test_sums_over_nothing_are_zero() -> None:
    model = build([helper.make_node("MatMul", ["x", "z"], ["y"], name="product")], {"x": [2, 0], "z": [0, 3]}, ["y"])
    with acc.compile(model) as executable:
        feeds = {"x": np.zeros((2, 0), np.float32), "z": np.zeros((0, 3), np.float32)}
        np.testing.assert_array_equal(executable.run(feeds)["y"], np.zeros((2, 3)))


def test_batch_normalization_of_mixed_precision() -> None:
    parameters = {name: np.float32([0.5, 2, 1]) for name in ("scale", "bias", "mean", "variance")}
    model = build(
        [helper.make_node("BatchNormalization", ["x", *parameters], ["y"])], {"x": [2, 3]}, ["y"], **parameters
    )
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    x = np.float16([[1, 2, 3], [-1, 0, 4]])
    with acc.compile(model) as executable:
        result = executable.run({"x": x})["y"]
    assert result.dtype == np.float16
    want = (x - np.float32([0.5, 2, 1])) / np.sqrt(np.float32([0.5, 2, 1]) + 1e-5) * [0.5, 2, 1] + [0.5, 2, 1]
    np.testing.assert_allclose(result, want, rtol=1e-3)


def test_windows_larger_than_any_image() -> None:
    wide = helper.make_node("LRN", ["x"], ["y"], size=2**62 + 1)
    acc.compile(build([wide], {"x": [1, 9, 2, 2]}, ["y"])).close()
    padded = helper.make_node("Conv", ["x", "w"], ["y"], pads=[2**30, 1, 1, 1])
    assert acc.import_onnx(build([padded], {"x": [2, 20, 4, 6]}, ["y"], w=WEIGHT[:1800].reshape(10, 20, 3, 3)))
    twice = build([padded, helper.make_node("Pad", ["y", "p"], ["z"])], {"x": [2, 20, 4, 6]}, ["z"])
    for name, value in (("w", WEIGHT[:1800].reshape(10, 20, 3, 3)), ("p", np.array([0, 0, 0, 0, 0, 0, 0, 2**30]))):
        twice.graph.initializer.append(numpy_helper.from_array(value, name))
    with pytest.raises(acc.ModelError, match="more than 1099511627776 elements"):
        acc.import_onnx(twice)
