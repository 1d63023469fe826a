"""Activations of 4 and 2 bits: integers natively, and on accelerators whose inputs and outputs are as narrow."""

from __future__ import annotations

import itertools
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import acc
from acc.report import LayerReport
from acc.targets.vta.config import read_config
from channel_networks import channel_network
from moving_models import random_moves
from narrow_models import narrow_activations
from qdq_models import QdqModel
from qdq_zoo import ZooModel, gated_network, random_config, random_zoo
from test_quantized_zoo import feeds


# onnx's reference cannot pad the windows of average pools on one side: the seeds are of graphs without such.
@pytest.mark.parametrize("bits", [4, 2])
@pytest.mark.parametrize("seed", [4, 7, 8, 10, 12, 14])
def test_native_integers_are_those_of_the_reference(seed: int, bits: int) -> None:
    """But for what fixed point rounds the other way: a step, of one element in a hundred at most."""
    model = narrow_activations(random_zoo(seed), bits)
    inputs = feeds(model, seed)
    with acc.compile(model) as executable:
        actual = executable.run(inputs)
        assert not [layer.reason for layer in executable.report() if "not quantized" in layer.reason]
    for name, value in zip(actual, ReferenceEvaluator(model).run(None, inputs), strict=True):
        expected, found = np.asarray(value, np.float64), actual[name].astype(np.float64)
        assert np.mean(expected != found) <= 0.01, f"seed {seed}: {name}"


@pytest.mark.parametrize("name", ["int4", "uint4", "int2", "uint2"])
def test_bits_of_an_input_beyond_its_element_do_not_count(name: str) -> None:
    dtype = np.dtype(getattr(ml_dtypes, name))
    low, high = ml_dtypes.iinfo(dtype).min, ml_dtypes.iinfo(dtype).max + 1
    kind = onnx.helper.np_dtype_to_tensor_dtype(dtype)
    zero = onnx.helper.make_tensor("zero", kind, [], [low + 1])
    scale = onnx.numpy_helper.from_array(np.float32(0.5), "scale")
    nodes = [
        onnx.helper.make_node("DequantizeLinear", ["x", "scale", "zero"], ["real"]),
        onnx.helper.make_node("Neg", ["real"], ["negative"]),
        onnx.helper.make_node("QuantizeLinear", ["negative", "scale", "zero"], ["y"]),
    ]
    values = [onnx.helper.make_tensor_value_info(n, kind, [1, high - low]) for n in "xy"]
    graph = onnx.helper.make_graph(nodes, "negative", values[:1], values[1:], [zero, scale])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 25)], ir_version=13)
    x = np.arange(low, high).reshape(1, -1)
    noise = np.array([0x00, 0xA0, 0xF0, 0x50], np.uint8)[np.arange(high - low) % 4]
    bits = (noise | (x.astype(np.uint8) & (high - low - 1))).astype(np.uint8).view(dtype)
    y = acc.compile(model).run({"x": bits})["y"]
    np.testing.assert_array_equal(y.astype(np.int64), np.clip(2 * (low + 1) - x, low, high - 1))


def narrow_config(seed: int, log_inputs: int, log_weights: int) -> dict[str, int]:
    """A random configuration with inputs and weights of these widths, whose scratchpads hold as much as with 8 bits."""
    for number in itertools.count():
        config = random_config(seed * 1000 + number)
        config |= {"LOG_INP_WIDTH": log_inputs, "LOG_WGT_WIDTH": log_weights}
        config["LOG_INP_BUFF_SIZE"] -= 3 - log_inputs
        config["LOG_WGT_BUFF_SIZE"] -= 3 - log_weights
        try:
            read_config(config)
        except acc.ConfigError:
            continue
        return config
    raise AssertionError


def check(
    model: onnx.ModelProto, config: dict[str, int], folder: Path, seed: int = 0, device: str = "fsim"
) -> list[LayerReport]:
    """Compares native code with the accelerator, bit for bit; returns the accelerator's layers."""
    inputs = feeds(model, seed)
    expected = acc.compile(model).run(inputs)
    path = folder / "model.so"
    with acc.compile(model, target="vta", config=config) as executable:
        executable.save(path)
    with acc.load(path, device=device, sanitize=device == "fsim") as executable:
        actual = executable.run(inputs)
        layers = executable.report()
    for name, value in expected.items():
        np.testing.assert_array_equal(
            actual[name].view(np.uint8), value.view(np.uint8), err_msg=f"seed {seed}: {name}, {config}"
        )
    for layer in layers:
        assert layer.target == "vta" or layer.reason or not layer.layers, f"{layer.name} is native for no reason"
    return layers


def check_random(seed: int, folder: Path, device: str = "fsim") -> None:
    rng = np.random.default_rng([seed, 5])
    log_inputs, kind = int(rng.choice([2, 2, 1])), str(rng.choice(["zoo", "zoo", "channels", "moves", "gates"]))
    log_weights = int(rng.choice([3, 2, 2, log_inputs]))
    if kind == "zoo":
        model = random_zoo(seed, weight_bits=1 << log_weights)
    else:
        draw = {"channels": channel_network, "moves": random_moves, "gates": gated_network}
        model, log_weights = draw[kind](seed), 3
    model = narrow_activations(model, 1 << log_inputs)
    check(model, narrow_config(seed, log_inputs, log_weights), folder, seed, device)


@pytest.mark.parametrize("seed", range(6))
def test_random_graphs_on_narrow_hardware(seed: int, tmp_path: Path) -> None:
    check_random(seed, tmp_path)


@pytest.mark.parametrize("seed", range(6, 8))
def test_the_cycle_model_computes_the_same(seed: int, tmp_path: Path) -> None:
    check_random(seed, tmp_path, "csim")


@pytest.mark.long
@pytest.mark.circuit(one_in=8)
@pytest.mark.parametrize("seed", range(4000, 4080))
def test_random_graphs_on_narrow_hardware_long(seed: int, tmp_path: Path) -> None:
    check_random(seed, tmp_path)


def four_bits(block: int, depth: int) -> dict[str, int]:
    """Inputs, weights and outputs of 4 bits, 2^depth elements of each in tiles of 2^block lanes."""
    return {
        **{"LOG_BLOCK": block, "LOG_INP_WIDTH": 2, "LOG_WGT_WIDTH": 2, "LOG_INP_BUFF_SIZE": block - 1 + depth},
        **{"LOG_WGT_BUFF_SIZE": 2 * block - 1 + depth, "LOG_ACC_BUFF_SIZE": block + 2 + depth},
        "LOG_UOP_BUFF_SIZE": 2 + depth,
    }


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("block", [2, 3, 4, 5])
def test_a_whole_network_of_4_bits(block: int, signed: bool, tmp_path: Path) -> None:
    """Borders of zero points, sums, pools, a concatenation and a depthwise convolution: nothing inside is native."""
    net = ZooModel(np.random.default_rng(12), signed=signed)
    net.weight_bits = 4
    x = net.conv(net.input((1, 3, 11, 11)), 17, per_channel=True, activation="relu")
    x = net.binary("Add", x, net.conv(x, 17, group=17, per_channel=True))
    joined = net.concat([net.conv(x, 32), net.conv(x, 17)])
    outputs = [net.dense(net.flatten(net.global_average_pool(x))), net.any_max_pool(net.conv(joined, 8))]
    layers = check(narrow_activations(net.finish(outputs), 4), four_bits(block, 9), tmp_path)
    assert not any(layer.name.endswith(":halo)") for layer in layers), "borders are written by the accelerator"
    inside = [layer.name for layer in layers if layer.target != "vta" and layer.layers]
    assert all(name.startswith(("quantizelinear", "dequantizelinear")) for name in inside), inside
    assert all(layer.target == "vta" for layer in layers if layer.macs)


@pytest.mark.parametrize("block", [2, 4])
def test_products_of_computed_tensors_of_4_bits(block: int, tmp_path: Path) -> None:
    """What is computed is as wide as weights: queries and keys are multiplied without a copy."""
    net = QdqModel(np.random.default_rng(3))
    net.weight_bits = 4
    x = net.input((1, 20, 32))
    model = net.build(net.attention(x, 2))
    layers = check(narrow_activations(model, 4), four_bits(block, 9), tmp_path)
    assert all(layer.target == "vta" for layer in layers if layer.macs), [layer.reason for layer in layers]


def test_kernels_that_fit_no_schedule_have_bytes(tmp_path: Path) -> None:
    net = ZooModel(np.random.default_rng(4))
    x = net.input((1, 4, 5, 5))
    model = narrow_activations(net.build(net.add(x, net.conv(net.conv(x, 4), 4))), 4)
    layers = check(model, four_bits(2, 0) | {"LOG_WGT_WIDTH": 3, "LOG_WGT_BUFF_SIZE": 4}, tmp_path)
    assert any(layer.target == "cpu" and "smallest tile" in layer.reason for layer in layers)


def test_wide_hardware_runs_narrow_activations(tmp_path: Path) -> None:
    net = ZooModel(np.random.default_rng(5), signed=False)
    model = narrow_activations(net.build(net.conv(net.conv(net.input((1, 8, 7, 7)), 16), 8)), 4)
    layers = check(model, {}, tmp_path)
    assert all(layer.target == "vta" for layer in layers if layer.macs)


@pytest.mark.parametrize("seed", [4, 8])
def test_extensions_of_narrow_circuits(seed: int) -> None:
    """What a configuration declares beside narrow elements changes no bit."""
    model = narrow_activations(random_zoo(seed), 4)
    inputs = feeds(model, seed)
    native = acc.compile(model).run(inputs)
    buffers = {"LOG_INP_BUFF_SIZE": 13, "LOG_WGT_BUFF_SIZE": 15, "LOG_ACC_BUFF_SIZE": 14}
    config = {"LOG_INP_WIDTH": 2, "LOG_WGT_WIDTH": 2, "ALU_REQUANTIZE": 1, "GEMM_SET": 1, **buffers}
    with acc.compile(model, "vta", config=config) as executable:
        actual = executable.run(inputs)
        assert any(layer.target == "vta" for layer in executable.report())
    for name, value in native.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=f"seed {seed}: {name}")
