"""Every operator, imported and written back as ONNX, computes what ONNX Runtime computes."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.backend.test.loader import load_model_tests

import acc
from acc.frontend.operators import OPERATORS
from acc.passmanager import PassManager
from graph_as_onnx import make_model, node_model, operators, run, to_onnx

RNG = np.random.default_rng(7)
PIPELINE = "builtin.module(canonicalize,graph-fold-batch-norm,canonicalize)"


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def check(model: onnx.ModelProto, inputs: dict[str, np.ndarray], graph_op: str | None = None) -> None:
    """Imported, and again after the passes of the graph level, the model computes the same."""
    expected = run(model, inputs)
    module = acc.import_onnx(model)
    if graph_op is not None:
        assert f"graph.{graph_op}" in [op.name for op in operators(module)]
    compare(run(to_onnx(module), inputs), expected)
    PassManager.parse(PIPELINE, context=module.context).run(module)
    compare(run(to_onnx(module), inputs), expected)


def compare(results: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert list(results) == list(expected)
    for name, array in expected.items():
        assert results[name].dtype == array.dtype
        assert results[name].shape == array.shape
        if array.dtype.kind == "f":
            np.testing.assert_allclose(results[name], array, rtol=1e-4, atol=1e-5)
        else:
            np.testing.assert_array_equal(results[name], array)


X = floats(2, 4, 9, 7)
VECTORS = {name: np.abs(floats(4)) + 0.5 for name in ("scale", "bias", "mean", "var")}

CASES = {
    "conv": node_model("Conv", {"x": X}, {"w": floats(6, 2, 3, 3), "b": floats(6)}, group=2, pads=[1, 0, 2, 1]),
    "conv dilated": node_model("Conv", {"x": X}, {"w": floats(3, 4, 3, 2)}, dilations=[2, 3], strides=[2, 1]),
    "conv 1d": node_model("Conv", {"x": floats(1, 3, 8)}, {"w": floats(2, 3, 5)}, auto_pad="SAME_UPPER", strides=[3]),
    "conv 3d": node_model("Conv", {"x": floats(1, 2, 4, 5, 6)}, {"w": floats(3, 2, 2, 3, 1)}),
    "conv depthwise": node_model("Conv", {"x": X}, {"w": floats(8, 1, 3, 3)}, group=4),
    "conv weight at run time": node_model("Conv", {"x": X, "w": floats(2, 4, 2, 2)}, auto_pad="VALID"),
    "gemm": node_model("Gemm", {"a": floats(3, 5)}, {"b": floats(5, 4), "c": floats(4)}, alpha=0.5, beta=2.0),
    "gemm transposed": node_model("Gemm", {"a": floats(5, 3)}, {"b": floats(4, 5)}, transA=1, transB=1),
    "gemm column": node_model("Gemm", {"a": floats(3, 5)}, {"b": floats(5, 4), "c": floats(3, 1)}),
    "mat_mul": node_model("MatMul", {"a": floats(2, 1, 3, 5), "b": floats(4, 5, 2)}),
    "mat_mul vector": node_model("MatMul", {"a": floats(5), "b": floats(3, 5, 2)}),
    "batch_normalization": node_model("BatchNormalization", {"x": X}, VECTORS, epsilon=0.01),
    "lrn": node_model("LRN", {"x": X}, size=3, alpha=0.1, beta=0.5, bias=2.0),
    "softmax": node_model("Softmax", {"x": X}, axis=1),
    "max_pool": node_model("MaxPool", {"x": X}, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1]),
    "max_pool dilated": node_model("MaxPool", {"x": X}, kernel_shape=[2, 3], dilations=[3, 2], ceil_mode=1),
    "average_pool": node_model("AveragePool", {"x": X}, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "global_average_pool": node_model("GlobalAveragePool", {"x": X}),
    "global_max_pool": node_model("GlobalMaxPool", {"x": X}),
    "global_lp_pool": node_model("GlobalLpPool", {"x": X}, p=3),
    "lp_pool": node_model("LpPool", {"x": X}, kernel_shape=[2, 3], strides=[2, 1], pads=[0, 1, 1, 1]),
    "max_roi_pool": node_model(
        "MaxRoiPool",
        {"x": X},
        {"rois": np.array([[0, 0, 0, 4, 4], [1, 2, 1, 6, 8]], np.float32)},
        pooled_shape=[2, 3],
        spatial_scale=0.75,
    ),
    "conv_transpose": node_model(
        "ConvTranspose", {"x": X}, {"w": floats(4, 3, 3, 2)}, group=2, strides=[2, 3], pads=[1, 0, 2, 1]
    ),
    "relu": node_model("Relu", {"x": X}),
    "clip": node_model("Clip", {"x": X}, {"lo": np.float32(-0.5), "hi": np.float32(0.25)}),
    "clip below": node_model("Clip", {"x": X}, {"lo": np.float32(0.1)}),
    "clip above": node_model("Clip", {"x": X}, {"hi": np.float32(0.1)}, order=["x", "", "hi"]),
    "clip integers": node_model("Clip", {"x": np.arange(5, dtype=np.int8)}, {"lo": np.int8(2)}),
    "add": node_model("Add", {"a": floats(3, 1), "b": floats(2, 1, 4)}),
    "add integers": node_model("Add", {"a": np.arange(4)}, {"b": np.array(3)}),
    "sub": node_model("Sub", {"x": X}, {"b": floats(7)}),
    "mul": node_model("Mul", {"x": X, "b": floats(1, 4, 1, 1)}),
    "div": node_model("Div", {"x": X}, {"b": floats(4, 1, 1)}),
    "sum": node_model("Sum", {"a": floats(3, 1), "b": floats(4), "c": floats(2, 3, 4)}),
    "sum of one": node_model("Sum", {"a": floats(3, 1)}),
    "cast": node_model("Cast", {"x": floats(9) * 9}, to=helper.np_dtype_to_tensor_dtype(np.dtype(np.int32))),
    "cast bool": node_model("Cast", {"x": np.arange(3)}, to=helper.np_dtype_to_tensor_dtype(np.dtype(np.bool_))),
    "concat": node_model("Concat", {"a": floats(2, 3), "b": floats(2, 1)}, {"c": floats(2, 2)}, axis=-1),
    "flatten": node_model("Flatten", {"x": X}, axis=-2),
    "flatten all": node_model("Flatten", {"x": X}, axis=0),
    "pad": node_model(
        "Pad", {"x": floats(3, 4)}, {"pads": np.array([1, 0, -1, 2]), "v": np.float32(3), "axes": np.array([-1, 0])}
    ),
    "pad reflect": node_model("Pad", {"x": floats(3, 4)}, {"pads": np.array([2, 1, 0, 3])}, mode="reflect"),
    "pad edge": node_model("Pad", {"x": floats(3, 4)}, {"pads": np.array([2, 1, 0, 3])}, mode="edge"),
    "pad wrap": node_model("Pad", {"x": floats(3, 4)}, {"pads": np.array([2, 1, 0, 3])}, mode="wrap"),
    "reshape": node_model("Reshape", {"x": X}, {"shape": np.array([0, -1, 3])}),
    "squeeze": node_model("Squeeze", {"x": floats(1, 3, 1)}, {"axes": np.array([-1])}),
    "squeeze all": node_model("Squeeze", {"x": floats(1, 3, 1)}),
    "unsqueeze": node_model("Unsqueeze", {"x": floats(2, 3)}, {"axes": np.array([0, -1])}),
    "transpose": node_model("Transpose", {"x": X}, perm=[2, 0, 3, 1]),
    "transpose reversed": node_model("Transpose", {"x": X}),
    "quantize_linear": node_model("QuantizeLinear", {"x": X}, {"s": np.float32(0.02), "z": np.int8(-3)}),
    "quantize_linear default": node_model("QuantizeLinear", {"x": X}, {"s": np.float32(0.02)}),
    "dequantize_linear": node_model(
        "DequantizeLinear",
        {"q": np.arange(-6, 6, dtype=np.int8).reshape(3, 4)},
        {"s": np.array([0.5, 2, 1e-7], np.float32), "z": np.array([0, 0, 1], np.int8)},
        axis=-2,
    ),
    "max_pool integers": node_model(
        "MaxPool", {"q": np.arange(-6, 6, dtype=np.int8).reshape(1, 1, 12)}, kernel_shape=[3]
    ),
}


def inputs_of(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    inputs = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        shape = [dim.dim_value for dim in tensor.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        inputs[value.name] = (RNG.standard_normal(shape) * 3).astype(dtype)
    return inputs


@pytest.mark.parametrize("name", CASES)
def test_operator(name: str) -> None:
    model = CASES[name]
    check(model, inputs_of(model), name.split()[0])


def test_every_operator_has_a_case() -> None:
    """Here, or among those of the onnx package, which test_onnx_backend runs."""
    covered = {model.graph.node[0].op_type for model in CASES.values()}
    standard = {
        f"{node.domain}.{node.op_type}".lstrip(".")
        for case in load_model_tests(kind="node")
        for node in case.model.graph.node
    }
    assert set(OPERATORS) <= covered | standard


@pytest.mark.parametrize("op_type", OPERATORS)
def test_tables_know_every_attribute(op_type: str) -> None:
    """Of every operator set; what is not supported has to be said with `only`."""
    operator = OPERATORS[op_type]
    newest = onnx.defs.onnx_opset_version()
    domain, _, name = op_type.rpartition(".")
    # Other domains count their versions from 1.
    least = 1 if domain else 9
    versions = [opset for opset in range(least, newest + 1) if onnx.defs.has(name, opset, domain)]
    declared = {key for opset in versions for key in onnx.defs.get_schema(name, opset, domain).attributes}
    refused = {"sparse_value", "value_string", "value_strings"} if op_type == "Constant" else set()
    assert declared - refused == set(operator.attributes) & declared
    if operator.convert is None:
        assert declared == set(operator.attributes)


def test_operators_without_a_trace() -> None:
    nodes = [
        helper.make_node("Dropout", ["x"], ["d", "mask"]),
        helper.make_node("Identity", ["d"], ["i"]),
        helper.make_node("Constant", [], ["shape"], value_ints=[2, 3]),
        helper.make_node("ConstantOfShape", ["shape"], ["c"]),
        helper.make_node("Add", ["i", "c"], ["y"]),
        helper.make_node("Shape", ["y"], ["s"], start=-1),
        helper.make_node("Size", ["y"], ["n"]),
    ]
    model = make_model(nodes, {"x": floats(2, 3)}, {}, ["y", "s", "n", "mask"])
    check(model, {"x": floats(2, 3)})
    assert [op.name for op in operators(acc.import_onnx(model))] == ["graph.add"]


def test_shape_arithmetic_disappears() -> None:
    """Shape -> Gather -> Unsqueeze -> Concat -> Reshape, as exporters write x.view(x.size(0), -1)."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Unsqueeze", ["n", "axes"], ["n1"]),
        helper.make_node("Concat", ["n1", "minus"], ["shape"], axis=0),
        helper.make_node("Reshape", ["x", "shape"], ["y"]),
    ]
    constants = {"zero": np.array(0), "axes": np.array([0]), "minus": np.array([-1])}
    model = make_model(nodes, {"x": X}, constants, ["y"])
    check(model, {"x": X})
    assert [op.name for op in operators(acc.import_onnx(model))] == ["graph.reshape"]


def test_conv_with_padding_and_normalization_is_one_operator() -> None:
    nodes = [
        helper.make_node("Pad", ["x", "pads"], ["p"], name="pad"),
        helper.make_node("Conv", ["p", "w"], ["c"], name="conv"),
        helper.make_node("BatchNormalization", ["c", "scale", "bias", "mean", "var"], ["b"], name="bn"),
        helper.make_node("Mul", ["b", "m"], ["y"], name="mul"),
    ]
    constants = VECTORS | {"pads": np.array([0, 0, 1, 2, 0, 0, 0, 1]), "w": floats(4, 4, 3, 3), "m": floats(1, 4, 1, 1)}
    model = make_model(nodes, {"x": X}, constants, ["y"])
    check(model, {"x": X})
    module = acc.import_onnx(model)
    PassManager.parse(PIPELINE, context=module.context).run(module)
    (conv,) = operators(module)
    assert conv.name == "graph.conv"
    assert conv.location.names == ["pad", "conv", "bn", "mul"]


def test_quantized_tensors_keep_their_types() -> None:
    """QDQ patterns survive import and folding: integers move through data movement without arithmetic."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], name="q"),
        helper.make_node("Reshape", ["q", "shape"], ["r"], name="reshape"),
        helper.make_node("MaxPool", ["r"], ["p"], name="pool", kernel_shape=[2]),
        helper.make_node("DequantizeLinear", ["p", "s", "z"], ["d"], name="d"),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["dw"], name="dw", axis=0),
        helper.make_node("Conv", ["d", "dw"], ["c"], name="conv"),
        helper.make_node("QuantizeLinear", ["c", "s2", "z"], ["y"], name="q2"),
    ]
    constants = {
        "s": np.float32(0.05),
        "s2": np.float32(0.25),
        "z": np.uint8(120),
        "shape": np.array([1, 4, -1]),
        "w": RNG.integers(-128, 128, (3, 4, 2)).astype(np.int8),
        "ws": np.array([0.01, 0.02, 0.005], np.float32),
        "wz": np.zeros(3, np.int8),
    }
    x = floats(1, 4, 3, 2)
    model = make_model(nodes, {"x": x}, constants, ["y"])
    check(model, {"x": x})
    names = [op.name.removeprefix("graph.") for op in operators(acc.import_onnx(model))]
    dq = "dequantize_linear"
    assert names == ["quantize_linear", "reshape", "max_pool", dq, dq, "conv", "quantize_linear", "storage_cast"]


def test_requantization_by_another_scale() -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s2", "z"], ["y"]),
        helper.make_node("Add", ["q", "one"], ["t"]),
    ]
    constants = {"s": np.float32(0.5), "s2": np.float32(0.25), "z": np.int8(1), "one": np.int8(1)}
    nodes[2] = helper.make_node("Cast", ["q"], ["t"], to=helper.np_dtype_to_tensor_dtype(np.dtype(np.int32)))
    check(make_model(nodes, {"x": X}, constants, ["y", "q", "t"]), {"x": X})


def test_weights_of_four_bits() -> None:
    weights = RNG.integers(-8, 8, (3, 5)).astype(ml_dtypes.int4)
    nodes = [
        helper.make_node("Transpose", ["w"], ["t"]),
        helper.make_node("DequantizeLinear", ["t", "s", "z"], ["d"], axis=1),
        helper.make_node("MatMul", ["x", "d"], ["y"]),
    ]
    zeros = np.array([0, 7, -8]).astype(ml_dtypes.int4)
    constants = {"w": weights, "s": np.array([0.5, 2, 1], np.float32), "z": zeros}
    model = make_model(nodes, {"x": floats(2, 5)}, constants, ["y"])
    check(model, {"x": floats(2, 5)})


def test_names_become_locations() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"], name="same"),
        helper.make_node("Sub", ["a", "b"], ["c"], name="same"),
        helper.make_node("Relu", ["c"], ["y"], name="Relu_0"),
    ]
    module = acc.import_onnx(make_model(nodes, {"x": X}, {}, ["y"]))
    names = [op.location.names for op in operators(module)]
    assert names == [["Relu_0_2"], ["same"], ["same_2"], ["Relu_0"]]
