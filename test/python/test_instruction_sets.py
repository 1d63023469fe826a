"""Whole networks compute the same bits for every instruction set that this machine has, and on the accelerator.

Layer by layer is not enough: what one kernel writes where it should not is found out by another.
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import acc
from native_levels import runnable
from qdq_models import random_network
from qdq_zoo import inverted_residuals, random_zoo
from test_quantized_zoo import feeds

FAMILIES = {"blocks": inverted_residuals, "zoo": random_zoo, "residual": random_network}
LEVELS = runnable()


def check(model: onnx.ModelProto, seed: int, levels: list[str]) -> None:
    """Compares the accelerator, and native code for every level, on the same inputs."""
    inputs = feeds(model, seed)
    with acc.compile(model, target="vta") as executable:
        expected = executable.run(inputs)
    for cpu in levels:
        with acc.compile(model, cpu=cpu) as executable:
            # Twice: what the first run left behind in memory is of no importance.
            for _ in range(2):
                found = executable.run(inputs)
                for name, value in expected.items():
                    np.testing.assert_array_equal(found[name], value, err_msg=f"seed {seed}, {cpu}, {name}")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("family", FAMILIES)
def test_networks_agree_bit_for_bit(family: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # With the code as users get it; most other tests compile it with guards.
    monkeypatch.setenv("ACC_GUARD", "0")
    check(FAMILIES[family](seed), seed, LEVELS)


@pytest.mark.long
@pytest.mark.parametrize("guard", ["0", "1"])
@pytest.mark.parametrize("seed", range(3000, 3100))
@pytest.mark.parametrize("family", FAMILIES)
def test_networks_agree_bit_for_bit_long(family: str, seed: int, guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACC_GUARD", guard)
    check(FAMILIES[family](seed), seed, LEVELS)
