"""Schedules are legal by construction: whatever the policy chooses compiles and computes the right bits."""

from __future__ import annotations

import os

import numpy as np
import pytest

import te_kernels
import te_pipeline
from acc import ir
from acc.schedule import Options

DEFAULT = {"LOG_BLOCK": 4}
COUNT = int(os.environ.get("ACC_TE_TESTS", "12"))


def random_config(rng: np.random.Generator) -> dict[str, int]:
    """A legal configuration, from the default down to scratchpads of a few elements."""
    batch, block_in, block_out = (int(v) for v in (rng.integers(0, 3), rng.integers(1, 5), rng.integers(1, 5)))
    inp, wgt, acc = (int(v) for v in rng.integers(0, 8, 3))
    return {
        "LOG_BATCH": batch,
        "LOG_BLOCK_IN": block_in,
        "LOG_BLOCK_OUT": block_out,
        "LOG_UOP_BUFF_SIZE": int(rng.integers(4, 13)),
        "LOG_INP_BUFF_SIZE": batch + block_in + inp,
        "LOG_WGT_BUFF_SIZE": block_in + block_out + wgt,
        "LOG_ACC_BUFF_SIZE": batch + block_out + 2 + acc,
    }


def check(kernel: te_kernels.Kernel, config: dict[str, int], options: Options | None = None) -> bool:
    """Compiles, runs and compares; whether there was a schedule."""
    with ir.Context():
        module, (decision,) = te_pipeline.schedule(kernel.text, options)
        if decision.schedule is None:
            assert decision.reason
            return False
        text = decision.schedule
        try:
            program = te_pipeline.assemble(te_pipeline.compile_kernel(module))
        except Exception as error:
            raise AssertionError(f"{kernel.description}\n{text}\n{error}") from error
        result = te_pipeline.run_program(program, config, kernel.arguments)
        assert result["ok"], f"{kernel.description}\n{text}\n{result['message']} {result['diagnostics'][:5]}"
        wrong = np.argwhere(kernel.arguments[-1] != kernel.expected)
        assert wrong.size == 0, f"{kernel.description}\n{text}\n{len(wrong)} wrong, first {wrong[0]}"
        moved = result["total"]["dram_bytes"]
        planned = text.dram_bytes
        assert moved["inp"] == planned.get("inp", 0), f"{kernel.description}\n{text}\n{moved}"
        assert moved["wgt"] == planned.get("wgt", 0), f"{kernel.description}\n{text}\n{moved}"
    return True


@pytest.mark.parametrize("kind", te_kernels.KINDS)
@pytest.mark.parametrize("seed", range(COUNT))
def test_default_config(kind: str, seed: int) -> None:
    rng = np.random.default_rng([seed, 1])
    assert check(te_kernels.KINDS[kind](DEFAULT, rng, size=20), DEFAULT)


@pytest.mark.parametrize("kind", te_kernels.KINDS)
@pytest.mark.parametrize("seed", range(COUNT))
def test_any_config(kind: str, seed: int) -> None:
    rng = np.random.default_rng([seed, 2])
    config = random_config(rng)
    check(te_kernels.KINDS[kind](config, rng), config)
