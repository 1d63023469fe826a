"""Products of sequences and of two computed tensors: native code, the accelerator, numpy and ONNX Runtime agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import acc
from acc.passmanager import PassManager
from acc.reference import results_by_name
from acc.report import LayerReport
from qdq_models import QdqModel, Quantized

BUFFERS = {"LOG_INP_BUFF_SIZE": 13, "LOG_WGT_BUFF_SIZE": 15, "LOG_ACC_BUFF_SIZE": 15}
CONFIGS: dict[str, dict[str, int]] = {
    "plain": {"LOG_BATCH": 0, "LOG_BLOCK": 4},
    "small": {"LOG_BLOCK": 3, "LOG_INP_BUFF_SIZE": 9, "LOG_WGT_BUFF_SIZE": 10, "LOG_ACC_BUFF_SIZE": 11},
    "in": {"LOG_BLOCK_IN": 3, "LOG_BLOCK_OUT": 4, **BUFFERS},
    "out": {"LOG_BLOCK_IN": 4, "LOG_BLOCK_OUT": 3, **BUFFERS},
    "batch": {"LOG_BATCH": 1, "LOG_BLOCK": 3, **BUFFERS},
    "more rows than lanes": {"LOG_BATCH": 3, "LOG_BLOCK": 2, **BUFFERS},
}


def make_inputs(model: onnx.ModelProto, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        value.name: rng.normal(0, 1, [d.dim_value for d in value.type.tensor_type.shape.dim]).astype(np.float32)
        for value in model.graph.input
    }


def run_natively(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    with acc.compile(model) as executable:
        return executable.run(inputs)


def run_on_vta(
    model: onnx.ModelProto, inputs: dict[str, np.ndarray], folder: Path, config: dict[str, int], device: str = "fsim"
) -> tuple[dict[str, np.ndarray], list[LayerReport]]:
    path = folder / "model.so"
    acc.compile(model, target="vta", config=config).save(path)
    with acc.load(path, device=device, sanitize=device == "fsim") as executable:
        return executable.run(inputs), executable.report()


def assert_near_ort(
    model: onnx.ModelProto, inputs: dict[str, np.ndarray], results: dict[str, np.ndarray], steps: dict[str, float]
) -> None:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    for output, expected in zip(session.get_outputs(), session.run(None, inputs), strict=True):
        away = np.abs(results[output.name] - expected) / steps[output.name]
        assert away.max(initial=0) < 1.01
        assert (away < 0.5).mean() >= 0.96


def draw_product(rng: np.random.Generator) -> tuple[onnx.ModelProto, Quantized]:
    """A product of two computed tensors: matrices, stacks, or what broadcasts, either operand transposed or not."""
    net = QdqModel(rng, signed=bool(rng.integers(2)), powers_of_two=rng.random() < 0.25)
    rows, depth, columns = (int(v) for v in rng.choice([1, 3, 7, 16, 17, 20, 33, 40], 3))
    batches = [((), ()), ((3,), (3,)), ((2, 2), (2, 2)), ((3,), ()), ((2, 1), (1, 3)), ((1,), (1,))]
    left, right = batches[int(rng.integers(len(batches)))]
    a = net.input((*left, rows, depth))
    if rng.random() < 0.5:
        b = net.input((*right, depth, columns))
    else:
        order = tuple(range(len(right)))
        b = net.transpose(net.input((*right, columns, depth)), (*order, len(right) + 1, len(right)))
    y = net.product(a, b)
    return net.build(y), y


@pytest.mark.parametrize("seed", range(12))
def test_products(seed: int) -> None:
    rng = np.random.default_rng([seed, 12])
    model, y = draw_product(rng)
    inputs = make_inputs(model, rng)
    results = run_natively(model, inputs)
    (name,) = results
    assert_near_ort(model, inputs, results, {name: y.scale})


@pytest.mark.parametrize("config", CONFIGS)
def test_products_on_the_accelerator(config: str, tmp_path: Path) -> None:
    for seed in range(4):
        rng = np.random.default_rng([seed, len(config), 13])
        model, _ = draw_product(rng)
        inputs = make_inputs(model, rng)
        expected = run_natively(model, inputs)
        actual, layers = run_on_vta(model, inputs, tmp_path, CONFIGS[config])
        for name, value in expected.items():
            np.testing.assert_array_equal(actual[name], value, err_msg=f"seed {seed}, {config}")
        placed = any(layer.target == "vta" for layer in layers)
        assert placed or any("broadcast" in layer.reason for layer in layers), [layer.reason for layer in layers]


# Positions, channels, heads: blocks of channels or not, complete tiles or not.
ATTENTIONS = [(1, 20, 32, 2), (1, 16, 48, 3), (1, 33, 40, 2), (2, 17, 32, 2), (1, 7, 16, 1)]


@pytest.mark.parametrize("shape", ATTENTIONS)
def test_attention(shape: tuple[int, int, int, int], tmp_path: Path) -> None:
    batch, positions, channels, heads = shape
    rng = np.random.default_rng(sum(shape))
    net = QdqModel(rng, signed=bool(rng.integers(2)))
    y = net.attention(net.input((batch, positions, channels)), heads, per_channel=positions % 2 == 1)
    model = net.build(y)
    inputs = make_inputs(model, rng)
    expected = run_natively(model, inputs)
    (name,) = expected
    for config in ("plain", "batch", "out"):
        actual, layers = run_on_vta(model, inputs, tmp_path, CONFIGS[config])
        np.testing.assert_array_equal(actual[name], expected[name], err_msg=config)
        placed = {name for layer in layers if layer.target == "vta" for name in layer.layers}
        assert {node.name for node in model.graph.node if node.op_type == "MatMul"} <= placed, config
    actual, _ = run_on_vta(model, inputs, tmp_path, CONFIGS["plain"], device="csim")
    np.testing.assert_array_equal(actual[name], expected[name])


def test_heads_are_reshapes_only(tmp_path: Path) -> None:
    """Between the projections and the products of queries and keys the host moves nothing, nor behind the last one."""
    rng = np.random.default_rng(5)
    net = QdqModel(rng)
    model = net.build(net.attention(net.input((1, 32, 64)), 4))
    _, layers = run_on_vta(model, make_inputs(model, rng), tmp_path, CONFIGS["plain"])
    moved = [layer.name for layer in layers if layer.name.rstrip("_)").endswith((":pack", ":unpack"))]
    # The input, the scores, the shares and the result.
    assert len(moved) == 4, moved
    turned = [layer.target for layer in layers if layer.name.rstrip("_)").endswith(":transpose")]
    assert turned == ["vta"]


@pytest.mark.parametrize("bias", ["", "float", "own"])
def test_sequences(bias: str, tmp_path: Path) -> None:
    """Products of sequences in a row, with biases of both kinds and a residual connection."""
    rng = np.random.default_rng(len(bias))
    net = QdqModel(rng, signed=False)
    x = net.input((2, 5, 24))
    y = net.add(net.rows(net.rows(x, 40, per_channel=True, bias=bias), 24, bias=bias), x)
    model = net.build(y)
    inputs = make_inputs(model, rng)
    expected = run_natively(model, inputs)
    for config in ("plain", "batch", "in", "small"):
        actual, layers = run_on_vta(model, inputs, tmp_path, CONFIGS[config])
        for name, value in expected.items():
            np.testing.assert_array_equal(actual[name], value, err_msg=config)
        placed = {name for layer in layers if layer.target == "vta" for name in layer.layers}
        assert {node.name for node in model.graph.node if node.op_type in ("MatMul", "Add")} <= placed, config


@pytest.mark.parametrize("config", CONFIGS)
def test_batches_of_images_become_sequences(config: str, tmp_path: Path) -> None:
    """Images in a batch that are flattened are the positions of what follows."""
    rng = np.random.default_rng(11)
    net = QdqModel(rng)
    x = net.conv(net.input((5, 3, 4, 4)), 20)
    y = net.gemm(net.gemm(net.gemm(net.flatten(x), 17), 40, per_channel=True), 10)
    z = net.gemm(net.flatten(net.global_average_pool(x)), 7)
    model = net.build(y, z)
    inputs = make_inputs(model, rng)
    expected = run_natively(model, inputs)
    actual, layers = run_on_vta(model, inputs, tmp_path, CONFIGS[config])
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value)
    for layer in layers:
        if any(name.startswith("gemm") for name in layer.layers):
            assert layer.target == "vta", layer.reason


def test_reference() -> None:
    """The numpy definition of graph.matmul_integer agrees with native code."""
    rng = np.random.default_rng(7)
    net = QdqModel(rng, signed=False)
    model = net.build(net.product(net.input((2, 5, 9)), net.transpose(net.input((2, 4, 9)), (0, 2, 1))))
    inputs = make_inputs(model, rng)
    module = acc.import_onnx(model)
    with module.context:
        PassManager.parse("builtin.module(func.func(graph-legalize-quantization),canonicalize)").run(module)
        (function,) = (op for op in module.body.operations if op.name == "func.func")
        assert "graph.matmul_integer" in str(function)
        expected = results_by_name(function, inputs)
    for name, value in run_natively(model, inputs).items():
        np.testing.assert_array_equal(value, expected[name])
