"""Scales that stand for nothing: 0 for weights that are all zero, negative ones, ranges without an extent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from acc.layerwise import onnx_runtime

RNG = np.random.default_rng(5)


def make_model(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, tuple[int, list[int | str]]],
    outputs: dict[str, int],
    constants: dict[str, np.ndarray],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "scales",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


WEIGHTS = RNG.integers(-127, 128, (8, 16, 3, 3)).astype(np.int8)
DEAD = np.full(8, 0.01, np.float32)
DEAD[[3, 6]] = 0


def convolution(weights: np.ndarray, scales: np.ndarray, bias: str = "", quantize: bool = False) -> onnx.ModelProto:
    """DequantizeLinear -> Conv -> QuantizeLinear; with `quantize`, weights are reals and quantized by a node."""
    axis = {"axis": 0} if scales.ndim else {}
    zeros = np.zeros(scales.shape, np.int8)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "xs", "xz"], ["xd"]),
        *([helper.make_node("QuantizeLinear", ["w", "ws", "wz"], ["wq"], **axis)] if quantize else []),
        helper.make_node("DequantizeLinear", ["wq" if quantize else "w", "ws", "wz"], ["wd"], **axis),
        *([helper.make_node("DequantizeLinear", ["b", "bs", "bz"], ["bd"], **axis)] if bias == "integers" else []),
        helper.make_node("Conv", ["xd", "wd", *(["bd"] if bias else [])], ["c"], "conv"),
        helper.make_node("QuantizeLinear", ["c", "ys", "yz"], ["yq"]),
        helper.make_node("DequantizeLinear", ["yq", "ys", "yz"], ["y"]),
    ]
    constants = {
        **{"w": weights, "ws": scales, "wz": zeros, "xs": np.float32(0.05), "xz": np.int8(3)},
        **{"ys": np.float32(0.3), "yz": np.int8(-7)},
    }
    if bias == "integers":
        constants |= {"b": RNG.integers(-999, 999, 8).astype(np.int32), "bs": scales * np.float32(0.05)}
        constants["bz"] = np.zeros(scales.shape, np.int32)
    elif bias:
        constants["bd"] = RNG.normal(0, 3, 8).astype(np.float32)
    return make_model(nodes, {"x": (TensorProto.FLOAT, [1, 16, 8, 8])}, {"y": TensorProto.FLOAT}, constants)


def unoptimized(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """ONNX Runtime, operator by operator."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return {"y": np.asarray(session.run(["y"], feeds)[0])}


def check(
    model: onnx.ModelProto,
    feeds: dict[str, np.ndarray],
    on_accelerator: bool = True,
    judge: Callable[..., dict[str, np.ndarray]] = onnx_runtime,
) -> None:
    """cpu and vta compute alike, and what the judge does but for one step where float32 decides."""
    (expected,) = judge(model, feeds).values()
    results = {}
    for target in ("cpu", "vta"):
        executable = acc.compile(model, target=target)
        (results[target],) = executable.run(feeds).values()
        if target == "vta" and on_accelerator:
            assert [layer.target for layer in executable.report() if layer.macs] == ["vta"]
    np.testing.assert_array_equal(results["cpu"], results["vta"])
    assert (results["cpu"] != expected).mean() < 0.01
    step = 1 if np.issubdtype(expected.dtype, np.integer) else 0.31
    np.testing.assert_allclose(results["cpu"].astype(float), expected.astype(float), atol=step)


IMAGE = {"x": RNG.standard_normal((1, 16, 8, 8)).astype(np.float32)}


@pytest.mark.parametrize("bias", ["", "integers", "reals"])
@pytest.mark.parametrize("scales", [DEAD, np.zeros(8, np.float32), np.float32(0)], ids=["some", "all", "tensor"])
def test_dead_channels(scales: np.ndarray, bias: str) -> None:
    """Whatever integers they hold, channels of scale 0 are zero."""
    # ONNX Runtime quantizes a bias of reals itself, by the product of the scales, and loses it where that is 0.
    judge = unoptimized if bias == "reals" else onnx_runtime
    check(convolution(WEIGHTS, np.asarray(scales), bias), IMAGE, judge=judge)


def test_dead_channels_of_real_weights() -> None:
    """Fake quantization as PyTorch exports it: reals, quantized by a scale of 0 that 0 / 0 is no number for."""
    weights = (WEIGHTS * DEAD.reshape(8, 1, 1, 1)).astype(np.float32)
    check(convolution(weights, DEAD, quantize=True), IMAGE)


def test_dead_columns_of_a_product() -> None:
    scales = np.array([0.01, 0, 0.02, 0], np.float32)
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "xs", "xz"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=1),
        helper.make_node("MatMul", ["xd", "wd"], ["p"]),
        helper.make_node("QuantizeLinear", ["p", "ys", "yz"], ["y"]),
    ]
    constants = {
        **{"xs": np.float32(0.1), "xz": np.uint8(100), "w": RNG.integers(-127, 128, (16, 4)).astype(np.int8)},
        **{"ws": scales, "wz": np.zeros(4, np.int8), "ys": np.float32(0.4), "yz": np.uint8(130)},
    }
    model = make_model(nodes, {"x": (TensorProto.UINT8, [5, 16])}, {"y": TensorProto.UINT8}, constants)
    check(model, {"x": RNG.integers(0, 256, (5, 16)).astype(np.uint8)})


@pytest.mark.parametrize("bias", [False, True])
def test_dead_channels_of_qlinear_conv(bias: bool) -> None:
    inputs = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", *(["b"] if bias else [])]
    constants = {
        **{"xs": np.float32(0.1), "xz": np.uint8(100), "w": WEIGHTS, "ws": DEAD, "wz": np.zeros(8, np.int8)},
        **{"ys": np.float32(0.4), "yz": np.uint8(130), "b": RNG.integers(-999, 999, 8).astype(np.int32)},
    }
    model = make_model(
        [helper.make_node("QLinearConv", inputs, ["y"])],
        {"x": (TensorProto.UINT8, [1, 16, 6, 6])},
        {"y": TensorProto.UINT8},
        constants,
    )
    check(model, {"x": RNG.integers(0, 256, (1, 16, 6, 6)).astype(np.uint8)})


def test_dead_columns_of_qlinear_mat_mul() -> None:
    scales = np.array([0.01, 0, 0.02, 0], np.float32)
    constants = {
        **{"xs": np.float32(0.1), "xz": np.uint8(100), "w": RNG.integers(-127, 128, (16, 4)).astype(np.int8)},
        **{"ws": scales, "wz": np.zeros(4, np.int8), "ys": np.float32(0.4), "yz": np.uint8(130)},
    }
    model = make_model(
        [helper.make_node("QLinearMatMul", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"])],
        {"x": (TensorProto.UINT8, [5, 16])},
        {"y": TensorProto.UINT8},
        constants,
    )
    check(model, {"x": RNG.integers(0, 256, (5, 16)).astype(np.uint8)})


def one_node(op_type: str, scale: float, element: type) -> onnx.ModelProto:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(element))
    types = (TensorProto.FLOAT, kind) if op_type == "QuantizeLinear" else (kind, TensorProto.FLOAT)
    node = helper.make_node(op_type, ["x", "s", "z"], ["y"], name="the_node")
    constants = {"s": np.float32(scale), "z": element(3)}
    return make_model([node], {"x": (types[0], [4, 6])}, {"y": types[1]}, constants)


@pytest.mark.parametrize("scale", [-0.5, 0.0])
@pytest.mark.parametrize("element", [np.int8, np.uint8])
def test_any_finite_scale_dequantizes(scale: float, element: type) -> None:
    model = one_node("DequantizeLinear", scale, element)
    feeds = {"x": np.arange(24).reshape(4, 6).astype(element)}
    (actual,), (expected,) = acc.compile(model).run(feeds).values(), onnx_runtime(model, feeds).values()
    np.testing.assert_array_equal(actual, expected)


def test_negative_scales_of_weights() -> None:
    check(convolution(WEIGHTS, np.where(DEAD == 0, np.float32(-0.02), DEAD)), IMAGE, on_accelerator=False)


@pytest.mark.parametrize(
    ("op_type", "scale"),
    [*(("QuantizeLinear", scale) for scale in (0.0, -1.0, np.nan, np.inf)), ("DequantizeLinear", np.nan)],
)
def test_other_scales_are_refused(op_type: str, scale: float) -> None:
    with pytest.raises(acc.ModelError, match=rf"the_node.*scale 's' holds {scale}"):
        acc.compile(one_node(op_type, scale, np.int8))


INF, LARGEST, LEAST = np.inf, float(np.finfo(np.float32).max), float(np.finfo(np.float32).smallest_subnormal)
RANGES = [
    *(
        [0.0, 0.0],
        [-0.0],
        [],
        [1.0, 1.0],
        [-1.0, -1.0],
        [-3.0, -2.0],
        [2.0, 3.0],
        [-0.5, 254.5],
        [0.0, 0.5, 1.5, 255.0],
    ),
    *([0.0, INF], [-INF, 0.0], [-INF, INF], [LEAST, 0.0], [-LEAST, LEAST], [1e-40, 1e-39], [-1e-40, 1e-40]),
    *([-LARGEST, LARGEST], [LARGEST], [-LARGEST], [3e-43]),
]


def dynamic(constants: dict[str, np.ndarray] | None = None) -> onnx.ModelProto:
    return make_model(
        [helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"])],
        {} if constants else {"x": (TensorProto.FLOAT, ["n"])},
        {"q": TensorProto.UINT8, "s": TensorProto.FLOAT, "z": TensorProto.UINT8},
        constants or {},
    )


def test_dynamic_ranges() -> None:
    executable = acc.compile(dynamic())
    for numbers in RANGES:
        feeds = {"x": np.array(numbers, np.float32)}
        expected, actual = onnx_runtime(dynamic(), feeds), executable.run(feeds)
        for name in expected:
            np.testing.assert_array_equal(actual[name], expected[name], err_msg=f"{name} of {numbers}")


@pytest.mark.parametrize("numbers", [[0.0, 0.0], [-INF, 0.0], [2.0, 3.0]])
def test_dynamic_range_of_a_constant(numbers: list[float]) -> None:
    array = np.array(numbers, np.float32)
    expected, actual = onnx_runtime(dynamic(), {"x": array}), acc.compile(dynamic({"x": array})).run({})
    for name in expected:
        np.testing.assert_array_equal(actual[name], expected[name], err_msg=name)


@pytest.mark.parametrize("shape", [[], [0, 3], [2, 0, 4], [2, 3, 4]])
def test_dynamic_quantization_of_any_shape(shape: list[int]) -> None:
    model = dynamic()
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, shape))
    feeds = {"x": RNG.standard_normal(shape).astype(np.float32)}
    expected, actual = onnx_runtime(model, feeds), acc.compile(model).run(feeds)
    for name in expected:
        assert actual[name].shape == expected[name].shape
        np.testing.assert_array_equal(actual[name], expected[name], err_msg=name)
