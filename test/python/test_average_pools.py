"""Average pools of any windows between quantized tensors: near to ONNX Runtime, and the same bits on every target."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

import acc
from acc import ir
from acc.passmanager import PassManager
from acc.reference import results_by_name
from qdq_models import QdqModel

BUFFERS = {"LOG_INP_BUFF_SIZE": 13, "LOG_WGT_BUFF_SIZE": 15, "LOG_ACC_BUFF_SIZE": 15}
CONFIGS = {
    "plain": {"LOG_BATCH": 0, "LOG_BLOCK": 4},
    "batch": {"LOG_BATCH": 1, "LOG_BLOCK": 3, **BUFFERS},
    "tiny": {"LOG_BLOCK": 2, "LOG_INP_BUFF_SIZE": 9, "LOG_WGT_BUFF_SIZE": 10, "LOG_ACC_BUFF_SIZE": 11},
    "in": {"LOG_BLOCK_IN": 3, "LOG_BLOCK_OUT": 4, **BUFFERS},
    "out": {"LOG_BLOCK_IN": 4, "LOG_BLOCK_OUT": 3, **BUFFERS},
}


def pool(
    shape: list[int], scales: tuple[float, float], zeros: tuple[int, int], dtype: type, **attributes: Any
) -> onnx.ModelProto:
    """x, quantized -> average pool -> y, quantized."""
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    constants = {"a": np.float32(scales[0]), "b": np.float32(scales[1]), "p": dtype(zeros[0]), "q": dtype(zeros[1])}
    graph = helper.make_graph(
        [
            helper.make_node("DequantizeLinear", ["x", "a", "p"], ["real"]),
            helper.make_node("AveragePool", ["real"], ["mean"], "pool", **attributes),
            helper.make_node("QuantizeLinear", ["mean", "b", "q"], ["y"]),
        ],
        "pool",
        [helper.make_tensor_value_info("x", element, shape)],
        [helper.make_tensor_value_info("y", element, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def random_pool(seed: int, spatial: int) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """Any legal windows; scales that are alike, powers of two or have nothing to do with each other."""
    rng = np.random.default_rng(seed)
    kernel = [int(rng.integers(1, 6)) for _ in range(spatial)]
    dilations = [int(rng.integers(1, 3)) if rng.random() < 0.3 else 1 for _ in kernel]
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    pads = [int(rng.integers(0, k)) for k in (*kernel, *kernel)]
    sizes = [span + int(rng.integers(0, 8)) for span in spans]
    shape = [int(rng.choice([1, 2])), int(rng.choice([1, 3, 7, 17, 40])), *sizes]
    scale = float(rng.uniform(0.01, 0.1))
    scales = [(scale, scale), (2.0**-4, 2.0**-5), (scale, float(rng.uniform(0.5, 1.5)) * scale)][rng.integers(3)]
    dtype = np.int8 if rng.integers(2) else np.uint8
    info = np.iinfo(dtype)
    zeros = (int(rng.integers(info.min, info.max + 1)), int(rng.integers(info.min + 90, info.max - 90)))
    dilated = {"dilations": dilations} if set(dilations) != {1} else {}
    model = pool(
        *(shape, scales, zeros, dtype),
        **dilated,
        kernel_shape=kernel,
        strides=[int(rng.integers(1, 4)) for _ in kernel],
        pads=pads,
        ceil_mode=int(rng.integers(2)),
        count_include_pad=int(rng.random() < 0.3),
    )
    return model, {"x": rng.integers(info.min, info.max + 1, shape).astype(dtype)}


def legalize(model: onnx.ModelProto) -> ir.Module:
    module = acc.import_onnx(model, symbolic=True)
    with module.context:
        PassManager.parse("builtin.module(func.func(graph-legalize-quantization),canonicalize)").run(module)
    return module


def integer_form(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> tuple[str, np.ndarray]:
    """The graph after legalization, and what its numpy reference computes."""
    module = legalize(model)
    with module.context:
        (function,) = (op for op in module.body.operations if op.name == "func.func")
        assert isinstance(function, ir.Operation)
        return str(function), results_by_name(function, inputs)["y"]


def is_fused(model: onnx.ModelProto) -> bool:
    """Whether ONNX Runtime may fuse a pool with its quantization: what results adds the zero point before it rounds.

    That operator does not know dilations (the session fails), and counts what ceil mode reaches for.
    """
    said = {a.name: helper.get_attribute_value(a) for node in model.graph.node for a in node.attribute}
    return "dilations" not in said and not (said.get("ceil_mode") and said.get("count_include_pad"))


def judge(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """What ONNX Runtime computes."""
    options = onnxruntime.SessionOptions()
    if not is_fused(model):
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    (result,) = onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, inputs)
    return np.asarray(result)


def check_against_onnx_runtime(model: onnx.ModelProto, inputs: dict[str, np.ndarray], ours: np.ndarray) -> None:
    theirs = judge(model, inputs)
    difference = np.abs(ours.astype(int) - theirs.astype(int))
    assert difference.max() <= 1
    # A result halfway between two outputs is rounded as float32 makes of it.
    assert (difference != 0).sum() <= max(2, 0.1 * ours.size) or not is_fused(model)


@pytest.mark.parametrize("spatial", [1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_native(seed: int, spatial: int) -> None:
    model, inputs = random_pool(1000 * spatial + seed, spatial)
    text, expected = integer_form(model, inputs)
    assert "graph.average_pool" not in text
    ours = acc.compile(model).run(inputs)["y"]
    np.testing.assert_array_equal(ours, expected)
    check_against_onnx_runtime(model, inputs, ours)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("seed", range(6))
def test_accelerator(seed: int, config: str, tmp_path: Path) -> None:
    model, inputs = random_pool(97 * seed + list(CONFIGS).index(config), 1 + min(seed % 3, 1))
    ties = "up" if seed % 3 == 2 else "even"
    expected = acc.compile(model, ties=ties).run(inputs)["y"]
    path = tmp_path / "model.so"
    acc.compile(model, target="vta", config=CONFIGS[config], ties=ties).save(path)
    for device in ("fsim", "csim"):
        executable = acc.load(path, sanitize=True) if device == "fsim" else acc.load(path, device=device)
        np.testing.assert_array_equal(executable.run(inputs)["y"], expected)
    pools = [layer for layer in executable.report() if "pool" in layer.layers and layer.macs]
    assert [layer.target for layer in pools] == ["vta"]


@pytest.mark.circuit
def test_a_block_of_inception_is_one_program(tmp_path: Path) -> None:
    """A pool whose border is that of the convolutions beside it, all of them joined, and nothing native in between."""
    rng = np.random.default_rng(8)
    net = QdqModel(rng)
    x = net.conv(net.input((1, 3, 12, 12)), 40, activation="relu")
    value = net._node("AveragePool", [net.dequantize(x)], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    pooled = net._quantize(value, x.shape, x.scale, x.zero_point)
    branches = [
        net.conv(x, 16, (1, 1), pads=(0, 0, 0, 0), activation="relu"),
        net.conv(x, 24, activation="relu"),
        net.conv(pooled, 20, (1, 1), pads=(0, 0, 0, 0), activation="relu"),
    ]
    model = net.build(net.conv(net.concat(branches), 16, activation="relu"))
    inputs = {model.graph.input[0].name: rng.normal(0, 1, (1, 3, 12, 12)).astype(np.float32)}
    (expected,) = acc.compile(model).run(inputs).values()
    path = tmp_path / "model.so"
    acc.compile(model, target="vta").save(path)
    for device in ("fsim", "csim"):
        with acc.load(path, device=device) as executable:
            np.testing.assert_array_equal(next(iter(executable.run(inputs).values())), expected)
    layers = [layer for layer in executable.report() if layer.target == "vta"]
    assert len({layer.program for layer in layers}) == 1
    assert not [layer for layer in executable.report() if layer.target != "vta" and layer.macs]


def test_same_scales_round_to_even(tmp_path: Path) -> None:
    """A quantizer gives a pool the scale of its input: sums of 2, 4 and 6 elements often lie halfway."""
    rng = np.random.default_rng(3)
    x = rng.integers(0, 256, (1, 16, 20, 20)).astype(np.uint8)
    for kernel, pad in ((2, 0), (2, 1), (3, 1)):
        attributes = {"kernel_shape": [kernel] * 2, "pads": [pad] * 4}
        model = pool([1, 16, 20, 20], (0.037, 0.037), (117, 117), np.uint8, **attributes)
        ours = acc.compile(model).run({"x": x})["y"]
        theirs = judge(model, {"x": x})
        assert (ours == theirs).mean() > 0.995
        summed = np.zeros(ours.shape)
        counts = np.zeros(ours.shape[2:])
        for offset in np.ndindex(kernel, kernel):
            for row, column in np.ndindex(*ours.shape[2:]):
                at = (row + offset[0] - pad, column + offset[1] - pad)
                if min(at) >= 0 and max(at) < 20:
                    summed[:, :, row, column] += x[:, :, *at].astype(int) - 117
                    counts[row, column] += 1
        np.testing.assert_array_equal(ours, np.round(summed / counts + 117))


def test_many_sizes_share_a_table() -> None:
    """Sizes without a common multiple of few bits get a factor for each position."""
    rng = np.random.default_rng(5)
    attributes = {"kernel_shape": [13, 11], "pads": [6, 5, 6, 5]}
    model = pool([1, 5, 30, 28], (0.02, 0.011), (-7, 5), np.int8, **attributes)
    inputs = {"x": rng.integers(-128, 128, (1, 5, 30, 28)).astype(np.int8)}
    text, expected = integer_form(model, inputs)
    assert "tensor<1x1x30x28xi32>" in text
    ours = acc.compile(model).run(inputs)["y"]
    np.testing.assert_array_equal(ours, expected)
    np.testing.assert_array_equal(acc.compile(model, target="vta").run(inputs)["y"], ours)
    check_against_onnx_runtime(model, inputs, ours)


@pytest.mark.parametrize(
    "model, reason",
    [
        (
            pool(["n", 3, "h", 9], (0.1, 0.1), (0, 0), np.int8, kernel_shape=[3, 3], pads=[1] * 4),  # type: ignore[list-item]
            "its padding does not count, and only a run knows where the images end",
        ),
        (
            pool([1, 1, 60, 60], (0.1, 0.1), (0, 0), np.int8, kernel_shape=[47, 47], pads=[23] * 4),
            "its windows are of many sizes, up to 2209 elements, which no factors of 32 bits make alike",
        ),
    ],
)
def test_what_stays_float_says_why(model: onnx.ModelProto, reason: str) -> None:
    executable = acc.compile(model)
    assert f'graph.reason = "{reason}"' in str(legalize(model))
    shape = [dim.dim_value or 12 for dim in model.graph.input[0].type.tensor_type.shape.dim]
    x = np.arange(math.prod(shape)).reshape(shape).astype(np.int8)
    theirs = judge(model, {"x": x})
    assert np.abs(executable.run({"x": x})["y"].astype(int) - theirs.astype(int)).max() <= 1


def test_the_public_dialect_has_no_products() -> None:
    """Windows of one size are divided by a shift, those of others need a product."""
    for pads, target in (([0] * 4, "vta"), ([1, 1, 0, 0], "cpu")):
        attributes = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": pads}
        model = pool([1, 16, 8, 8], (2.0**-4, 2.0**-4), (0, 0), np.int8, **attributes)
        layers = [layer for layer in acc.compile(model, target="vta", vta_dialect="public").report() if layer.macs]
        assert [layer.target for layer in layers] == [target]
        said = "its windows differ in size, and the dialect 'public' has no multiplication to make up for it"
        assert (layers[0].reason == said) == (target == "cpu"), layers[0].reason
