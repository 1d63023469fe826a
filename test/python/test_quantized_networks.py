"""Quantized networks end to end: native code and VTA agree bit for bit, and both with ONNX Runtime per layer."""

from __future__ import annotations

import functools
import pathlib
from typing import Any

import numpy as np
import onnx
import pytest

import acc
from acc.layerwise import compare_layers, onnx_runtime
from agreement import assert_near
from networks import NETWORKS, Quantization, load
from qdq_models import power_of_two_network, random_network

CONFIGS = {
    "default": {},
    "1x8x8": {"LOG_BLOCK": 3, "LOG_INP_BUFF_SIZE": 14, "LOG_WGT_BUFF_SIZE": 16, "LOG_ACC_BUFF_SIZE": 16},
    "1x32x32": {"LOG_BLOCK": 5, "LOG_WGT_BUFF_SIZE": 18, "LOG_ACC_BUFF_SIZE": 16},
    "2x16x16": {"LOG_BATCH": 1},
    "1x16x8": {"LOG_BLOCK_IN": 4, "LOG_BLOCK_OUT": 3, "LOG_WGT_BUFF_SIZE": 17, "LOG_ACC_BUFF_SIZE": 16},
    "1x4x4 small": {
        "LOG_BLOCK": 2,
        "LOG_UOP_BUFF_SIZE": 10,
        "LOG_INP_BUFF_SIZE": 11,
        "LOG_WGT_BUFF_SIZE": 11,
        "LOG_ACC_BUFF_SIZE": 12,
    },
}


def feeds(model: onnx.ModelProto, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        value.name: rng.normal(0, 1, [d.dim_value for d in value.type.tensor_type.shape.dim]).astype(np.float32)
        for value in model.graph.input
    }


def run_on(target: str, config: dict[str, int] | None = None):
    def run(model: onnx.ModelProto, inputs) -> dict[str, np.ndarray]:
        return acc.compile(model, target=target, config=config).run(dict(inputs))

    return run


def check_bit_for_bit(seed: int, config: dict[str, int]) -> None:
    model = random_network(seed)
    inputs = feeds(model, seed)
    native, accelerator = run_on("cpu")(model, inputs), run_on("vta", config)(model, inputs)
    for name in native:
        np.testing.assert_array_equal(native[name], accelerator[name], err_msg=f"seed {seed}, {config}")


def check_against_onnx_runtime(seed: int, target: str) -> None:
    model = random_network(seed)
    for agreement in compare_layers(model, feeds(model, seed), onnx_runtime, run_on(target)):
        assert_near(agreement, f"seed {seed}")


@pytest.mark.parametrize("config", [pytest.param("default", marks=pytest.mark.circuit), *list(CONFIGS)[1:]])
@pytest.mark.parametrize("seed", range(3))
def test_native_code_and_vta_agree_bit_for_bit(seed: int, config: str) -> None:
    check_bit_for_bit(seed, CONFIGS[config])


@pytest.mark.long
@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("seed", range(100, 140))
def test_native_code_and_vta_agree_bit_for_bit_long(seed: int, config: str) -> None:
    check_bit_for_bit(seed, CONFIGS[config])


@pytest.mark.parametrize("seed", range(4))
def test_layers_agree_with_onnx_runtime(seed: int) -> None:
    check_against_onnx_runtime(seed, "vta")


@pytest.mark.long
@pytest.mark.parametrize("seed", range(200, 260))
def test_layers_agree_with_onnx_runtime_long(seed: int) -> None:
    check_against_onnx_runtime(seed, "vta")


def check_powers_of_two(seed: int) -> None:
    """Where float32 is exact, so is the agreement: of whole networks, behind all their ties."""
    model = power_of_two_network(seed)
    inputs = feeds(model, seed)
    expected = onnx_runtime(model, inputs)
    for target in ("cpu", "vta"):
        for name, actual in run_on(target)(model, inputs).items():
            np.testing.assert_array_equal(actual, expected[name], err_msg=f"seed {seed} on {target}")


@pytest.mark.parametrize("seed", range(4))
def test_powers_of_two_equal_onnx_runtime(seed: int) -> None:
    check_powers_of_two(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(300, 360))
def test_powers_of_two_equal_onnx_runtime_long(seed: int) -> None:
    check_powers_of_two(seed)


NARROW = {"resnet18": "", "mobilenet_v2": "c", "shufflenet_v2": "cu", "bert": "u"}
"""Networks for every run of the tests: per channel (c) or per tensor, with uint8 (u) or int8 activations."""


def check_network(name: str, letters: str, **sizes: Any) -> None:
    """Layers are near to ONNX Runtime's; whole networks have equal bits anywhere."""
    model, inputs = load(name, Quantization("c" in letters, "u" in letters), **sizes)
    reference = functools.partial(onnx_runtime, as_written=True)
    for agreement in compare_layers(model, inputs, reference, run_on("vta")):
        assert_near(agreement, f"{name} {letters} {sizes}")
    native, accelerator = run_on("cpu")(model, inputs), run_on("vta")(model, inputs)
    for output in native:
        np.testing.assert_array_equal(native[output], accelerator[output], err_msg=f"{name} {letters} {sizes}")


@pytest.mark.parametrize("name", NARROW)
def test_narrow_networks_agree_with_onnx_runtime(name: str) -> None:
    check_network(name, NARROW[name], size=NETWORKS[name].small, width=0.25)


@pytest.mark.long
@pytest.mark.parametrize("letters", ["", "c", "u", "cu"])
@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "bert_base"])
def test_networks_agree_with_onnx_runtime_long(name: str, letters: str) -> None:
    check_network(name, letters)


@pytest.mark.long
@pytest.mark.parametrize("config", CONFIGS)
def test_on_the_circuit(config: str, tmp_path: pathlib.Path) -> None:
    """Whole networks on the simulated circuit, whose memory stutters, as on the functional simulator."""

    model = random_network(11)
    inputs = feeds(model, 11)
    compiled = acc.compile(model, target="vta", config=CONFIGS[config])
    compiled.save(tmp_path / "model.so")
    circuit = acc.Device("tsim", jitter=30)
    expected, actual = compiled.run(inputs), acc.load(tmp_path / "model.so", device=circuit).run(inputs)
    for name in expected:
        np.testing.assert_array_equal(actual[name], expected[name])
