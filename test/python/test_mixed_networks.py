"""Random networks of every kind of layer, one behind the other, on hardware of every kind.

Native code, the functional simulator with its sanitizer and the cycle model compute the same bits; of some seeds, the
circuit too. The name of a test holds the seed of its network.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mixed_networks import mixed_network
from narrow_models import narrow_activations
from signal_models import signal_network
from test_narrow_activations import check, four_bits, narrow_config
from test_quantized_zoo import check_against_onnx_runtime, legal_configs

CONFIGS: dict[str, dict[str, int]] = {
    **{
        f"{1 << block} lanes": {
            **{"LOG_BLOCK": block, "LOG_INP_BUFF_SIZE": block + 9, "LOG_WGT_BUFF_SIZE": 2 * block + 8},
            **{"LOG_ACC_BUFF_SIZE": block + 11, "LOG_UOP_BUFF_SIZE": 12},
        }
        for block in (2, 3, 4, 5)
    },
    "32 elements": {**four_bits(3, 5), "LOG_INP_WIDTH": 3, "LOG_WGT_WIDTH": 3}
    | {"LOG_INP_BUFF_SIZE": 8, "LOG_WGT_BUFF_SIZE": 11},
    "batch": {
        **{"LOG_BATCH": 1, "LOG_BLOCK_IN": 3, "LOG_BLOCK_OUT": 4, "LOG_INP_BUFF_SIZE": 12},
        **{"LOG_WGT_BUFF_SIZE": 15, "LOG_ACC_BUFF_SIZE": 15},
    },
}


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("seed", [0])
def test_on_hardware_of_every_block(seed: int, config: str, tmp_path: Path) -> None:
    check(mixed_network(100 * seed + list(CONFIGS).index(config)), CONFIGS[config], tmp_path, seed)


# A sum of matrices behind a product looks like a product itself, and became part of the other.
@pytest.mark.parametrize("seed", [24, 25])
def test_on_random_hardware(seed: int, tmp_path: Path) -> None:
    check(mixed_network(seed), next(legal_configs(seed)), tmp_path, seed)


@pytest.mark.parametrize("seed", [31, 32])
def test_the_cycle_model_computes_the_same(seed: int, tmp_path: Path) -> None:
    check(mixed_network(seed), CONFIGS["8 lanes"], tmp_path, seed, "csim")


def check_narrow(seed: int, folder: Path) -> None:
    """With weights of 4 or 2 bits, activations of 8, 4 or 2."""
    rng = np.random.default_rng([seed, 7])
    log_inputs, log_weights = int(rng.choice([3, 2, 1])), int(rng.choice([2, 1]))
    model = mixed_network(seed, weight_bits=1 << log_weights)
    if log_inputs < 3:
        model = narrow_activations(model, 1 << log_inputs)
    check(model, narrow_config(seed, log_inputs, log_weights), folder, seed)


@pytest.mark.parametrize("seed", [40, 41, 42])
def test_on_narrow_hardware(seed: int, tmp_path: Path) -> None:
    check_narrow(seed, tmp_path)


@pytest.mark.parametrize("seed", [50, 51])
def test_layers_agree_with_onnx_runtime(seed: int) -> None:
    check_against_onnx_runtime(seed, mixed_network, always_allowed=5)


@pytest.mark.parametrize("seed", range(6))
def test_signals(seed: int, tmp_path: Path) -> None:
    check(signal_network(seed), list(CONFIGS.values())[seed % len(CONFIGS)], tmp_path, seed)


@pytest.mark.parametrize("seed", [60, 61])
def test_layers_of_signals_agree_with_onnx_runtime(seed: int) -> None:
    check_against_onnx_runtime(seed, signal_network, always_allowed=5)


@pytest.mark.long
@pytest.mark.circuit(one_in=8)
@pytest.mark.parametrize("seed", range(5000, 5060))
def test_signals_long(seed: int, tmp_path: Path) -> None:
    check(signal_network(seed), next(legal_configs(seed)), tmp_path, seed)
    check(signal_network(seed), list(CONFIGS.values())[seed % len(CONFIGS)], tmp_path, seed)


@pytest.mark.long
@pytest.mark.circuit(one_in=8)
@pytest.mark.parametrize("seed", range(1000, 1120))
def test_on_hardware_of_every_kind_long(seed: int, tmp_path: Path) -> None:
    check(mixed_network(seed), next(legal_configs(seed)), tmp_path, seed)
    check(mixed_network(seed), list(CONFIGS.values())[seed % len(CONFIGS)], tmp_path, seed)


@pytest.mark.long
@pytest.mark.circuit(one_in=8)
@pytest.mark.parametrize("seed", range(2000, 2060))
def test_on_narrow_hardware_long(seed: int, tmp_path: Path) -> None:
    check_narrow(seed, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3000, 3060))
def test_layers_agree_with_onnx_runtime_long(seed: int) -> None:
    check_against_onnx_runtime(seed, mixed_network, always_allowed=5)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4000, 4030))
def test_the_cycle_model_computes_the_same_long(seed: int, tmp_path: Path) -> None:
    check(mixed_network(seed), list(CONFIGS.values())[seed % len(CONFIGS)], tmp_path, seed, "csim")
