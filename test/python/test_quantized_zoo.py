"""Random quantized graphs of every operator, on random hardware: native code and the accelerator agree bit for bit.

The simulator's sanitizer watches every compiled stream. Whatever a configuration cannot hold must run natively, with
a reason, and still be right.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest

import acc
from acc.layerwise import compare_layers, onnx_runtime
from acc.report import LayerReport
from acc.targets.vta import Vta, VtaOptions
from acc.targets.vta.config import read_config
from acc.targets.vta.schedule import Options as ScheduleOptions
from agreement import assert_near
from qdq_models import QdqModel, Quantized
from qdq_zoo import ZooModel, gated_network, random_config, random_zoo


def feeds(model: onnx.ModelProto, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    result: dict[str, np.ndarray] = {}
    for value in model.graph.input:
        shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        if dtype == np.float32:
            result[value.name] = rng.normal(0, 1, shape).astype(np.float32)
        else:
            info = ml_dtypes.iinfo(dtype)
            result[value.name] = rng.integers(info.min, info.max + 1, shape).astype(dtype)
    return result


def legal_configs(seed: int) -> Iterator[dict[str, int]]:
    for number in itertools.count():
        config = random_config(seed * 1000 + number)
        try:
            read_config(config)
        except acc.ConfigError:
            continue
        yield config


def check(
    model: onnx.ModelProto, config: dict[str, int], folder: Path, seed: int = 0, **options: object
) -> list[LayerReport]:
    """Compares native code with the accelerator, under the sanitizer; returns the accelerator's layers."""
    inputs = feeds(model, seed)
    expected = acc.compile(model).run(inputs)
    path = folder / "model.so"
    with acc.compile(model, target="vta", config=config, **options) as executable:  # type: ignore[arg-type]
        executable.save(path)
    with acc.load(path, sanitize=True) as executable:
        actual = executable.run(inputs)
        layers = executable.report()
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=f"{name}, {config}")
    for layer in layers:
        assert layer.target == "vta" or layer.reason or not layer.layers, f"{layer.name} is native for no reason"
    return layers


def _run_native(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return acc.compile(model).run(dict(inputs))


def check_against_onnx_runtime(
    seed: int, draw: Callable[[int], onnx.ModelProto] = random_zoo, always_allowed: int = 1
) -> None:
    model = draw(seed)
    for agreement in compare_layers(model, feeds(model, seed), onnx_runtime, _run_native):
        if "Softmax" in agreement.layer:
            # ONNX Runtime's softmax of integers is coarser than the exact one, and its 1.0 can wrap around to 0.
            continue
        assert_near(agreement, f"seed {seed}", always_allowed)


@pytest.mark.parametrize("seed", range(8))
def test_random_graphs_on_random_hardware(seed: int, tmp_path: Path) -> None:
    check(random_zoo(seed), next(legal_configs(seed)), tmp_path, seed)


@pytest.mark.long
@pytest.mark.circuit(one_in=8)
@pytest.mark.parametrize("seed", range(1000, 1150))
def test_random_graphs_on_random_hardware_long(seed: int, tmp_path: Path) -> None:
    for config in itertools.islice(legal_configs(seed), 3):
        check(random_zoo(seed), config, tmp_path, seed)


@pytest.mark.parametrize("seed", range(4))
def test_layers_agree_with_onnx_runtime(seed: int) -> None:
    check_against_onnx_runtime(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2000, 2080))
def test_layers_agree_with_onnx_runtime_long(seed: int) -> None:
    check_against_onnx_runtime(seed)


@pytest.mark.parametrize("seed", range(4))
def test_gates_and_functions_on_random_hardware(seed: int, tmp_path: Path) -> None:
    check(gated_network(seed), next(legal_configs(seed + 40)), tmp_path, seed)


@pytest.mark.long
@pytest.mark.circuit(one_in=8)
@pytest.mark.parametrize("seed", range(1000, 1060))
def test_gates_and_functions_on_random_hardware_long(seed: int, tmp_path: Path) -> None:
    for config in itertools.islice(legal_configs(seed), 3):
        check(gated_network(seed), config, tmp_path, seed)


@pytest.mark.parametrize("seed", range(3))
def test_gates_and_functions_agree_with_onnx_runtime(seed: int) -> None:
    check_against_onnx_runtime(seed, gated_network)


@pytest.mark.parametrize("config", [{"LOG_BLOCK": 4}, {"LOG_BATCH": 1, "LOG_BLOCK_IN": 3, "LOG_BLOCK_OUT": 4}])
def test_whole_tiles_broadcast_on_the_accelerator(config: dict[str, int], tmp_path: Path) -> None:
    """Rows, columns, images and both operands at once; images where they are not side by side in a tile."""
    net = ZooModel(np.random.default_rng(7))

    def image(*shape: int) -> Quantized:
        return net.conv(net.input(shape), 24, (1, 1), pads=(0, 0, 0, 0))

    whole, row, column, gate = image(2, 24, 9, 7), image(2, 24, 1, 7), image(2, 24, 9, 1), image(2, 24, 1, 1)
    other = image(1, 24, 9, 7)
    pairs = [(whole, row), (column, whole), (whole, gate), (column, row), (whole, other)]
    outputs = [net.binary(kind, *pair) for pair in pairs for kind in ("Add", "Mul")]
    layers = check(net.finish(outputs), {"LOG_ACC_BUFF_SIZE": 15, "LOG_INP_BUFF_SIZE": 13, **config}, tmp_path)
    placed = {name for layer in layers if layer.target == "vta" for name in layer.layers}
    expected = 2 * len(pairs) - (2 if "LOG_BATCH" in config else 0)
    assert sum(name.startswith(("add", "mul")) for name in placed) == expected


@pytest.mark.parametrize("kinds", list(itertools.product(("Add", "Mul"), repeat=2)))
@pytest.mark.parametrize("blocks", [(4, 4), (5, 3)])
def test_a_kernel_reads_the_same_tensor_twice(kinds: tuple[str, str], blocks: tuple[int, int], tmp_path: Path) -> None:
    """What is loaded for several operators would be shared, and none of them could change it: they are two kernels."""
    net = ZooModel(np.random.default_rng(3))
    again = net.conv(net.input((1, 8, 6, 5)), 8)
    x = net.conv(net.input((1, 8, 6, 5)), 8)
    for kind in kinds:
        x = net.binary(kind, again, x)
    layers = check(net.finish([x]), _few_elements(6, 0, *blocks), tmp_path)
    placed = {name for layer in layers if layer.target == "vta" for name in layer.layers}
    assert sum(name.startswith(("add", "mul")) for name in placed) == len(kinds)


def test_pools_of_whole_images(tmp_path: Path) -> None:
    """GlobalMaxPool, ReduceMax and ReduceMean run on the accelerator, as integers."""
    net = ZooModel(np.random.default_rng(11))
    x = net.conv(net.input((2, 24, 9, 7)), 24)
    outputs = [net.pool_image(net.conv(x, 17), kind) for kind in ("GlobalMaxPool", "ReduceMax", "ReduceMean")]
    model = net.finish(outputs)
    layers = check(model, {}, tmp_path)
    placed = {name for layer in layers if layer.target == "vta" for name in layer.layers}
    assert sum(name.startswith(("globalmaxpool", "reduce")) for name in placed) == len(outputs)
    for agreement in compare_layers(model, feeds(model, 0), onnx_runtime, _run_native):
        assert agreement.largest <= 1


def _few_elements(depth: int, batch: int = 0, block_in: int = 2, block_out: int = 2) -> dict[str, int]:
    """A configuration whose scratchpads hold 2^depth elements each."""
    return {
        "LOG_BATCH": batch,
        "LOG_BLOCK_IN": block_in,
        "LOG_BLOCK_OUT": block_out,
        "LOG_INP_BUFF_SIZE": batch + block_in + depth,
        "LOG_WGT_BUFF_SIZE": block_in + block_out + depth,
        "LOG_ACC_BUFF_SIZE": batch + block_out + 2 + depth,
        "LOG_UOP_BUFF_SIZE": 2 + depth,
    }


def _pool_that_skips_rows(net: QdqModel) -> Quantized:
    return net.max_pool(net.input((1, 4, 8, 8)), 2, 3, 0)


def _conv_that_skips_rows(net: QdqModel) -> Quantized:
    return net.conv(net.input((1, 4, 8, 8)), 4, (1, 1), (5, 5), (0, 0, 0, 0))


def _windows_in_padding(net: QdqModel) -> Quantized:
    return net.conv(net.input((1, 4, 1, 1)), 4, (2, 2), (9, 9), (5, 5, 1, 1))


@pytest.mark.parametrize("depth", range(1, 6))
@pytest.mark.parametrize("build", [_pool_that_skips_rows, _conv_that_skips_rows, _windows_in_padding])
def test_inputs_that_windows_do_not_reach(build, depth: int, tmp_path: Path) -> None:
    net = QdqModel(np.random.default_rng(4))
    check(net.build(build(net)), _few_elements(depth), tmp_path)


def test_scratchpads_of_one_element_send_all_to_the_cpu(tmp_path: Path) -> None:
    net = ZooModel(np.random.default_rng(4))
    x = net.input((1, 4, 5, 5))
    layers = check(net.build(net.add(x, net.conv(x, 4))), _few_elements(0), tmp_path)
    sums = [layer for layer in layers if "add" in " ".join(layer.layers)]
    assert sums and all(layer.target == "cpu" and layer.reason for layer in sums)


@pytest.mark.parametrize("scale", [0.02, 2.0**-6])
@pytest.mark.parametrize("pad", [0, 1])
@pytest.mark.parametrize("kernel", [[2, 2], [3, 2], [3, 3]])
@pytest.mark.parametrize("zero_point", [-128, -17, 17, 255])
def test_averages_between_two_outputs_round_to_even(zero_point: int, kernel: list[int], pad: int, scale: float) -> None:
    """As in ONNX Runtime where its sums of float32 are exact; elsewhere their errors decide some of the ties."""
    net = ZooModel(np.random.default_rng(4), signed=zero_point < 0)
    x = dataclasses.replace(net.integer_input((1, 8, 8, 8)), scale=scale, zero_point=zero_point)
    value = net._node("AveragePool", [net.dequantize(x)], kernel_shape=kernel, pads=[pad] * 4)
    size = [8 + 2 * pad - k + 1 for k in kernel]
    model = net.build(net._quantize(value, (1, 8, *size), scale, zero_point))
    agreements = list(compare_layers(model, feeds(model, 1), onnx_runtime, _run_native))
    (agreement,) = agreements
    assert agreement.largest <= 1
    assert agreement.equal == 1 if scale == 2.0**-6 else agreement.equal > 0.93


WIDTHS = [
    ({"LOG_WGT_WIDTH": 2}, "4 bits (quantize them to int4)"),
    ({"LOG_WGT_WIDTH": 1}, "2 bits (quantize them to int2)"),
    ({"LOG_INP_WIDTH": 2}, "inputs and outputs of 4 (quantize activations to int4"),
]


@pytest.mark.parametrize(("widths", "wanted"), WIDTHS)
def test_wide_numbers_on_narrow_elements_go_to_the_cpu(widths: dict[str, int], wanted: str, tmp_path: Path) -> None:
    net = ZooModel(np.random.default_rng(4))
    config = {**_few_elements(6), **widths}
    layers = check(net.build(net.conv(net.input((1, 4, 5, 5)), 8)), config, tmp_path)
    reasons = [layer.reason for layer in layers if layer.macs]
    assert reasons and all(wanted in reason for reason in reasons)


def _check_narrow(seed: int, folder: Path) -> list[LayerReport]:
    log_width = seed % 2 + 1
    config = {**next(legal_configs(seed)), "LOG_WGT_WIDTH": log_width}
    config.pop("LOG_INP_WIDTH", None)
    try:
        read_config(config)
    except acc.ConfigError:
        # Narrower weights are more than micro-ops can address.
        config["LOG_WGT_BUFF_SIZE"] -= 3 - log_width
    return check(random_zoo(seed, weight_bits=1 << log_width), config, folder, seed)


@pytest.mark.parametrize("seed", range(30, 36))
def test_narrow_weights_on_random_hardware(seed: int, tmp_path: Path) -> None:
    layers = _check_narrow(seed, tmp_path)
    assert not any("bits (quantize" in layer.reason for layer in layers)


@pytest.mark.long
@pytest.mark.circuit(one_in=8)
@pytest.mark.parametrize("seed", range(3000, 3060))
def test_narrow_weights_on_random_hardware_long(seed: int, tmp_path: Path) -> None:
    _check_narrow(seed, tmp_path)


@pytest.mark.parametrize("block", [2, 3, 4])
def test_int4_weights_of_a_whole_network(block: int, tmp_path: Path) -> None:
    """Biases, residual sums, global pools and depthwise convolutions have only small constants to multiply by."""
    net = ZooModel(np.random.default_rng(12))
    net.weight_bits = 4
    x = net.conv(net.input((1, 3, 11, 11)), 17, per_channel=True, activation="relu")
    x = net.binary("Add", x, net.conv(x, 17, group=17, per_channel=True))
    outputs = [net.dense(net.flatten(net.global_average_pool(x))), net.any_max_pool(x)]
    layers = check(net.finish(outputs), {**_few_elements(9, 0, block, block), "LOG_WGT_WIDTH": 2}, tmp_path)
    assert all(layer.target == "vta" for layer in layers if layer.macs)


@pytest.mark.parametrize("scale", [2.0**-30, 1e-4, 100.0, 1e6, 1e20])
def test_outputs_of_any_scale(scale: float, tmp_path: Path) -> None:
    """Too coarse a scale leaves the zero point only, too fine a one both ends of the range."""
    net = ZooModel(np.random.default_rng(4))
    x = net.input((1, 4, 5, 5))
    y = dataclasses.replace(net.conv(x, 4), scale=scale)
    z = net.add(x, dataclasses.replace(net.rescale(y), scale=scale))
    model = net.build(z, y)
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear" and node.output[0] == y.name:
            constant = next(i for i in model.graph.initializer if i.name == node.input[1])
            constant.CopyFrom(onnx.numpy_helper.from_array(np.float32(scale), constant.name))
    check(model, _few_elements(5), tmp_path)


def test_too_many_instructions_send_kernels_to_the_cpu() -> None:
    net = ZooModel(np.random.default_rng(4))
    model = net.build(net.conv(net.conv(net.input((1, 4, 9, 9)), 4), 64))
    inputs = feeds(model, 1)
    few = ScheduleOptions(max_instructions=2000)
    executable = acc.compile(model, target=Vta(VtaOptions(_few_elements(3), schedule=few)))
    layers = [layer for layer in executable.report() if layer.macs]
    assert [layer.target for layer in layers] == ["vta", "cpu"]
    assert "instructions are too many" in layers[1].reason
    np.testing.assert_array_equal(*(next(iter(e.run(inputs).values())) for e in (executable, acc.compile(model))))
