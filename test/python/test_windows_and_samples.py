"""Random convolutions, pools, products, resizings and samplings, compiled, against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

import acc
from acc.pipeline import Options, Pipeline
from graph_as_onnx import operators

SEEDS = range(4)
Arrays = dict[str, np.ndarray]


def node_model(
    op_type: str, inputs: Arrays, constants: Arrays, outputs: int = 1, opset: int = 21, **attributes: Any
) -> onnx.ModelProto:
    """One node on the inputs and then the constants; an empty name is an input that is left out."""
    order = [name if not name.startswith("_") else "" for name in [*inputs, *constants]]
    names = [f"y{index}" for index in range(outputs)]
    node = helper.make_node(op_type, order, names, name="node", **attributes)
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in inputs.items()
    ]
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in constants.items() if name[0] != "_"]
    values = [helper.make_empty_tensor_value_info(name) for name in names]
    graph = helper.make_graph([node], "graph", infos, values, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def runtime(model: onnx.ModelProto, inputs: Arrays) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return list(session.run(None, inputs))


def check(model: onnx.ModelProto, inputs: Arrays, reference: bool = False, tolerance: float = 1e-4) -> None:
    expected = list(ReferenceEvaluator(model).run(None, inputs)) if reference else runtime(model, inputs)
    results = list(acc.compile(model, target="cpu").run(inputs).values())
    assert len(results) == len(expected)
    for result, wanted in zip(results, expected, strict=True):
        assert (result.dtype, result.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_allclose(result.astype(np.float64), wanted.astype(np.float64), rtol=tolerance, atol=tolerance)


class Draw:
    """Random parameters of one case."""

    def __init__(self, *seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def size(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def sizes(self, count: int, low: int, high: int) -> list[int]:
        return [self.size(low, high) for _ in range(count)]

    def choice(self, *options: Any) -> Any:
        return options[self.rng.integers(len(options))]

    def floats(self, *shape: int, dtype: Any = np.float32) -> np.ndarray:
        return self.rng.standard_normal(shape).astype(dtype)

    def integers(self, dtype: Any, *shape: int) -> np.ndarray:
        limits = np.iinfo(dtype)
        return self.rng.integers(limits.min, limits.max + 1, shape).astype(dtype)


def windows(draw: Draw, rank: int, pad: bool = True) -> dict[str, Any]:
    attributes: dict[str, Any] = {"strides": draw.sizes(rank, 1, 3), "dilations": draw.sizes(rank, 1, 2)}
    if pad:
        attributes["pads"] = draw.sizes(2 * rank, 0, 1)
    return attributes


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_conv(seed: int, rank: int) -> None:
    draw = Draw(1, seed, rank)
    group, kernel = draw.choice(1, 2, 3), draw.sizes(rank, 1, 3)
    inputs, outputs = group * draw.size(1, 3), group * draw.size(1, 3)
    attributes = windows(draw, rank)
    if seed == 3:
        # With dilations ONNX Runtime pads less than the standard says.
        attributes = {"strides": attributes["strides"], "auto_pad": draw.choice("SAME_UPPER", "SAME_LOWER", "VALID")}
    x = {"x": draw.floats(draw.size(1, 2), inputs, *draw.sizes(rank, 6, 9))}
    w = {"w": draw.floats(outputs, inputs // group, *kernel), "b": draw.floats(outputs)}
    check(node_model("Conv", x, w, group=group, **attributes), x)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_conv_transpose(seed: int, rank: int) -> None:
    draw = Draw(2, seed, rank)
    group, kernel = draw.choice(1, 2), draw.sizes(rank, 1, 4)
    inputs = group * draw.size(1, 3)
    attributes = windows(draw, rank)
    attributes["output_padding"] = [draw.size(0, stride - 1) for stride in attributes["strides"]]
    x = {"x": draw.floats(draw.size(1, 2), inputs, *draw.sizes(rank, 3, 5))}
    w = {"w": draw.floats(inputs, draw.size(1, 3), *kernel)}
    if seed % 2:
        w["b"] = draw.floats(w["w"].shape[1] * group)
    check(node_model("ConvTranspose", x, w, group=group, **attributes), x)


@pytest.mark.parametrize("op_type", ["MaxPool", "AveragePool", "LpPool"])
@pytest.mark.parametrize("seed", range(6))
def test_pool(seed: int, op_type: str) -> None:
    draw = Draw(3, seed, len(op_type))
    rank = draw.choice(1, 2, 3)
    kernel = draw.sizes(rank, 2, 3)
    attributes = windows(draw, rank, pad=op_type != "LpPool")
    if op_type != "LpPool":
        attributes["ceil_mode"] = draw.choice(0, 1)
    if op_type == "AveragePool":
        attributes["count_include_pad"] = draw.choice(0, 1)
    indices = op_type == "MaxPool" and seed % 2
    if indices:
        attributes["storage_order"] = draw.choice(0, 1)
    x = {"x": draw.floats(draw.size(1, 2), draw.size(1, 3), *draw.sizes(rank, 7, 10))}
    model = node_model(op_type, x, {}, 2 if indices else 1, 22, kernel_shape=kernel, **attributes)
    check(model, x, reference=op_type != "MaxPool")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3,), (3,)),
        ((3,), (2, 3, 4)),
        ((2, 1, 3, 5), (4, 5, 2)),
        ((2, 3, 4), (4,)),
        ((2, 3, 4), (4, 5)),
        ((0, 3), (3, 2)),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int32, np.uint64])
def test_mat_mul(a: tuple[int, ...], b: tuple[int, ...], dtype: Any) -> None:
    draw = Draw(4, len(a), len(b))
    inputs = {"a": (draw.floats(*a) * 9).astype(dtype), "b": (draw.floats(*b) * 9).astype(dtype)}
    check(node_model("MatMul", inputs, {}), inputs, True, 1e-2 if dtype == np.float16 else 1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("c", [(), (1,), (5,), (3, 1), (1, 5), (3, 5), None])
def test_gemm(c: tuple[int, ...] | None, dtype: Any) -> None:
    draw = Draw(5, len(c or ()))
    inputs = {"a": draw.floats(4, 3, dtype=dtype), "b": draw.floats(5, 4, dtype=dtype)}
    constants = {} if c is None else {"c": np.asarray(draw.floats(*c), dtype)}
    model = node_model("Gemm", inputs, constants, transA=1, transB=1, alpha=0.5, beta=1.5)
    check(model, inputs, tolerance=1e-2 if dtype == np.float16 else 1e-4)


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_quantized_operators(dtype: Any, constant: bool) -> None:
    """The same results whether parameters are constants or computed at run time."""
    draw = Draw(6, constant)
    zero, other = np.array(3, dtype), np.array(7, dtype)
    scales = {name: np.array(value, np.float32) for name, value in (("xs", 0.03), ("ws", 0.02), ("ys", 0.11))}

    def split(values: Arrays) -> tuple[Arrays, Arrays]:
        first = dict(list(values.items())[:1])
        return (first, {k: v for k, v in values.items() if k not in first}) if constant else (values, {})

    x, w = draw.integers(dtype, 1, 4, 7, 6), draw.integers(dtype, 6, 2, 3, 3)
    inputs, constants = split({"x": x, "w": w, "xz": zero, "wz": other})
    check(node_model("ConvInteger", inputs, constants, group=2, pads=[1, 0, 1, 2]), inputs)
    values = {"x": x, "xs": scales["xs"], "xz": zero, "w": w, "ws": scales["ws"], "wz": np.array(0, dtype)}
    inputs, constants = split({**values, "ys": np.array(2.2, np.float32), "yz": other})
    check(node_model("QLinearConv", inputs, constants, group=2, strides=[2, 1]), inputs, tolerance=1)
    a, b = draw.integers(dtype, 2, 3, 5), draw.integers(dtype, 5, 4)
    inputs, constants = split({"a": a, "b": b, "az": zero, "bz": other})
    check(node_model("MatMulInteger", inputs, constants), inputs)
    values = {"a": a, "as": scales["xs"], "az": zero, "b": b, "bs": scales["ws"], "bz": other}
    inputs, constants = split({**values, "ys": scales["ys"], "yz": zero})
    check(node_model("QLinearMatMul", inputs, constants), inputs, tolerance=1)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("seed", range(5))
def test_resize(seed: int, mode: str) -> None:
    draw = Draw(7, seed, len(mode))
    x = {"x": draw.floats(1, 2, *draw.sizes(2, 4, 7))}
    attributes: dict[str, Any] = {
        "mode": mode,
        "coordinate_transformation_mode": draw.choice(
            "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"
        ),
    }
    if mode == "nearest":
        attributes["nearest_mode"] = draw.choice("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    if mode == "cubic":
        attributes["exclude_outside"] = draw.choice(0, 1)
    if mode != "nearest":
        attributes["antialias"] = draw.choice(0, 1)
    if seed % 2:
        constants: Arrays = {"_roi": x["x"], "scales": np.array([1, 1, *draw.rng.uniform(0.4, 2.5, 2)], np.float32)}
    else:
        constants = {"_roi": x["x"], "_scales": x["x"], "sizes": np.array([1, 2, *draw.sizes(2, 2, 12)])}
    check(node_model("Resize", x, constants, **attributes), x, reference=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float16])
def test_resize_of_other_elements(dtype: Any) -> None:
    x = {"x": (np.arange(24).reshape(1, 1, 4, 6) * 5).astype(dtype)}
    constants = {"_roi": x["x"], "scales": np.array([1, 1, 2, 1.5], np.float32)}
    check(node_model("Resize", x, constants, mode="linear"), x, True, 1e-2)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_grid_sample(mode: str, padding: str) -> None:
    for align in (0, 1):
        draw = Draw(8, align)
        grid = draw.rng.uniform(-1.6, 1.6, (2, 4, 5, 2)).astype(np.float32)
        inputs = {"x": draw.floats(2, 3, 6, 5), "grid": grid}
        model = node_model("GridSample", inputs, {}, mode=mode, padding_mode=padding, align_corners=align)
        # ONNX Runtime moves both coordinates to the border if one of them is outside.
        check(model, inputs, reference=mode == "cubic")


@pytest.mark.parametrize("seed", SEEDS)
def test_regions(seed: int) -> None:
    draw = Draw(9, seed)
    count = draw.size(1, 4)
    corners = draw.rng.uniform(0, 8, (count, 2)).astype(np.float32)
    rois = np.concatenate([corners, corners + draw.rng.uniform(0.5, 8, (count, 2)).astype(np.float32)], axis=1)
    batch = draw.rng.integers(0, 2, count)
    inputs = {"x": draw.floats(2, 3, 9, 8), "rois": rois, "batch": batch}
    attributes = {"output_height": draw.size(1, 3), "output_width": draw.size(1, 3), "spatial_scale": 0.75}
    attributes["sampling_ratio"] = draw.choice(0, 2)
    mode, coordinates = draw.choice("avg", "max"), draw.choice("half_pixel", "output_half_pixel")
    check(
        node_model("RoiAlign", inputs, {}, mode=mode, coordinate_transformation_mode=coordinates, **attributes), inputs
    )
    inputs = {"x": inputs["x"], "rois": np.concatenate([batch[:, None].astype(np.float32), rois], axis=1)}
    check(node_model("MaxRoiPool", inputs, {}, pooled_shape=draw.sizes(2, 1, 3), spatial_scale=0.5), inputs)


@pytest.mark.parametrize("group", [1, 2])
def test_deform_conv(group: int) -> None:
    draw = Draw(10, group)
    inputs = {
        "x": draw.floats(2, 4, 6, 7),
        "w": draw.floats(4, 4 // group, 3, 2),
        "offset": draw.floats(2, 2 * 12, 3, 6) * np.float32(2),
        "b": draw.floats(4),
        "mask": draw.floats(2, 2 * 6, 3, 6),
    }
    attributes = {"group": group, "offset_group": 2, "strides": [2, 1], "pads": [1, 0, 0, 1], "dilations": [1, 2]}
    check(node_model("DeformConv", inputs, {}, **attributes), inputs, reference=True)


def test_pools_undo_pools() -> None:
    draw = Draw(11)
    x = draw.floats(1, 2, 6, 4)
    pool = node_model("MaxPool", {"x": x}, {}, 2, kernel_shape=[2, 2], strides=[2, 2])
    values, indices = runtime(pool, {"x": x})
    inputs = {"x": values, "indices": indices}
    check(node_model("MaxUnpool", inputs, {}, kernel_shape=[2, 2], strides=[2, 2]), inputs)


@pytest.mark.parametrize("op_type", ["QLinearConv", "QLinearMatMul"])
def test_constant_parameters_give_integer_operators(op_type: str) -> None:
    """The same that dequantize, compute, quantize becomes, so that the accelerator can take it."""
    draw = Draw(12)
    scale, zero = np.array(0.05, np.float32), np.array(0, np.int8)
    shapes = {"QLinearConv": ((1, 4, 6, 6), (8, 4, 3, 3)), "QLinearMatMul": ((3, 16), (16, 5))}[op_type]
    inputs = {"x": draw.integers(np.int8, *shapes[0])}
    constants = {"xs": scale, "xz": zero, "w": draw.integers(np.int8, *shapes[1]), "ws": scale, "wz": zero}
    constants |= {"ys": np.array(2.0, np.float32), "yz": np.array(3, np.int8)}
    model = node_model(op_type, inputs, constants)
    names = [op.name for op in operators(Pipeline(Options()).import_graph(model).module)]
    assert names == [
        "graph.conv_integer" if op_type == "QLinearConv" else "graph.gemm_integer",
        "graph.requantize",
    ]
    check(model, inputs, tolerance=1)
