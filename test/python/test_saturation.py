"""Whether pairs of 8-bit products can saturate in 16 bits: told from the weights, and shown by `acc info`."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from acc import ir
from acc.report import LayerReport, format_layers
from acc.saturation import pairs_can_saturate


def _gemm(weights: np.ndarray) -> ir.Operation:
    outputs, inputs = weights.shape
    text = f"""func.func @main(%x: tensor<1x{inputs}xi8>) -> tensor<1x{outputs}xi32> {{
      %w = graph.constant dense<{weights.tolist()}> : tensor<{outputs}x{inputs}xi8> : tensor<{outputs}x{inputs}xi8>
      %b = graph.constant dense<0> : tensor<{outputs}xi32> : tensor<{outputs}xi32>
      %y = graph.gemm_integer %x, %w, %b
        : (tensor<1x{inputs}xi8>, tensor<{outputs}x{inputs}xi8>, tensor<{outputs}xi32>) -> tensor<1x{outputs}xi32>
      return %y : tensor<1x{outputs}xi32>
    }}"""
    module = ir.Module.parse(text, ir.Context())
    return next(op for op in next(iter(module.body)).regions[0].blocks[0] if op.name == "graph.gemm_integer")


def _saturates(weights: np.ndarray) -> bool:
    """By trying all pairs with the inputs that make the most and the least of them."""
    for row in weights.astype(int):
        for pair in itertools.combinations(row, 2):
            sums = [255 * sum(max(w, 0) for w in pair), 255 * sum(min(w, 0) for w in pair)]
            if max(sums) > 32767 or min(sums) < -32768:
                return True
    return False


@pytest.mark.parametrize("seed", range(40))
def test_told_as_if_all_pairs_were_tried(seed: int) -> None:
    rng = np.random.default_rng(seed)
    most = int(rng.choice([40, 64, 65, 66, 80, 127]))
    weights = rng.integers(-most, most + 1, (int(rng.integers(1, 4)), int(rng.integers(1, 6)))).astype(np.int8)
    assert pairs_can_saturate(_gemm(weights)) == _saturates(weights)


@pytest.mark.parametrize(
    ("row", "saturates"),
    [([64, 64], False), ([65, 64], True), ([127, 1], False), ([127, 2], True), ([-64, -64], False), ([-128, -1], True)],
)
def test_limits(row: list[int], saturates: bool) -> None:
    assert pairs_can_saturate(_gemm(np.array([row], np.int8))) is saturates


def test_what_info_says() -> None:
    safe, unsafe = (LayerReport((name,), name, "cpu", saturates=flag) for name, flag in (("a", False), ("b", True)))
    assert "Of 2 layers, 1 can saturate" in format_layers([safe, unsafe]) and ": b." in format_layers([safe, unsafe])
    assert "Of 1 layers, none can saturate" in format_layers([safe])
    assert "Integers" not in format_layers([LayerReport(("c",), "c", "cpu")])
