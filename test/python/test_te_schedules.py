"""Schedules are legal by construction: whatever the policy chooses compiles and computes the right bits."""

from __future__ import annotations

import math
import os

import numpy as np
import pytest

import te_kernels
import te_pipeline
from acc import ir
from acc.schedule import (
    Schedule,
    estimate,
    random_schedule,
    read_footprint,
    to_attribute,
)
from acc.schedule.space import tile_sizes
from acc.targets.base import Decision
from acc.targets.vta.schedule import VtaHardware, make_vta_schedules

DEFAULT = {"LOG_BLOCK": 4}
COUNT = int(os.environ.get("ACC_TE_TESTS", "12"))


def check(kernel: te_kernels.Kernel, config: dict[str, int]) -> bool:
    """Runs a kernel with the schedule that is chosen for it; whether there was one."""
    with ir.Context():
        module, (decision,) = te_pipeline.schedule(kernel.text)
        if decision.schedule is None:
            assert decision.reason
            return False
        assert isinstance(decision.schedule, Schedule) and decision.estimate is not None
        te_pipeline.run_schedule(module, decision.schedule, decision.estimate, kernel, config)
    return True


@pytest.mark.circuit
@pytest.mark.parametrize("kind", te_kernels.KINDS)
@pytest.mark.parametrize("seed", range(COUNT))
def test_default_config(kind: str, seed: int) -> None:
    rng = np.random.default_rng([seed, 1])
    assert check(te_kernels.KINDS[kind](DEFAULT, rng, size=20), DEFAULT)


@pytest.mark.parametrize("kind", te_kernels.KINDS)
@pytest.mark.parametrize("seed", range(COUNT))
def test_any_config(kind: str, seed: int) -> None:
    rng = np.random.default_rng([seed, 2])
    config = te_kernels.random_config(rng)
    check(te_kernels.KINDS[kind](config, rng), config)


@pytest.mark.parametrize("kind", te_kernels.KINDS)
@pytest.mark.parametrize("seed", range(COUNT))
def test_any_schedule(kind: str, seed: int) -> None:
    """Not only the best schedule compiles, but every legal one."""
    rng = np.random.default_rng([seed, 3])
    config = te_kernels.random_config(rng)
    kernel = te_kernels.KINDS[kind](config, rng)
    with ir.Context():
        module = ir.Module.parse(kernel.text)
        operation = next(op for op in module.body if op.name == "te.kernel")
        footprint, hardware = read_footprint(operation), VtaHardware.of(operation.attributes["target"])
        vthreads = int(rng.integers(1, 4))
        schedule = random_schedule(footprint, hardware, rng, vthreads, split_window=bool(rng.integers(2)))
        if schedule is not None:
            expected = estimate(schedule, footprint, hardware)
            operation.attributes["schedule"] = to_attribute(schedule, footprint, hardware, module.context)
            te_pipeline.run_schedule(module, schedule, expected, kernel, config)


def decide(text: str) -> Decision:
    with ir.Context():
        return make_vta_schedules(ir.Module.parse(text))[0]


def test_reasons() -> None:
    def conv(**config: int) -> str:
        text = te_kernels.random_conv(DEFAULT, np.random.default_rng(0)).text
        keys = "".join(f", {key.lower()} = {value}" for key, value in config.items())
        return text.replace("#vta.config<log_block = 4", f"#vta.config<log_block = 4{keys}")

    wanted = (
        "its smallest tile needs 3 elements of acc, 2 more than there are: LOG_ACC_BUFF_SIZE 8 instead of 6 would do"
    )
    assert decide(conv(LOG_ACC_BUFF_SIZE=6)).reason == wanted
    with ir.Context():
        module = ir.Module.parse(conv(LOG_ACC_BUFF_SIZE=6))
        make_vta_schedules(module)
        kernel = next(op for op in module.body if op.name == "te.kernel")
        assert kernel.attributes["target"].value == "cpu"
        assert "schedule" not in kernel.attributes


def test_kernels_that_are_no_chain_of_steps() -> None:
    def reason(body: str) -> str:
        return decide(
            "te.kernel @k(%x: tensor<4x1x16xi32>, %out: tensor<4x1x16xi32>) -> tensor<4x1x16xi32>"
            f" attributes {{target = #vta.config<>}} {{ {body} }}"
        ).reason

    assert "not computed by its last operation" in reason("te.return %x : tensor<4x1x16xi32>")
    identity = "affine_map<(c, b, o) -> (c, b, o)>"
    add = (
        f"%0 = linalg.generic {{indexing_maps = [MAP, {identity}],"
        ' iterator_types = ["parallel", "parallel", "parallel"]}'
        " ins(%x : tensor<4x1x16xi32>) outs(%out : tensor<4x1x16xi32>) { ^bb0(%a: i32, %b: i32):"
        " %s = arith.addi %a, %b : i32 linalg.yield %s : i32 } -> tensor<4x1x16xi32>"
        " te.return %0 : tensor<4x1x16xi32>"
    )
    assert "accumulates into one of its arguments" in reason(add.replace("MAP", identity))
    assert "not linear" in reason(add.replace("MAP", "affine_map<(c, b, o) -> (c floordiv 2, b, o)>"))


def test_least_dram_traffic() -> None:
    """The 3x3 convolutions of ResNet-18 move hardly more than every byte once, with four virtual threads."""
    for size, channels in ((56, 64), (28, 128), (14, 256), (7, 512)):
        build = te_kernels.Builder(DEFAULT, np.random.default_rng(0))
        x = build.argument(np.zeros((1, channels // 16, size, size, 1, 16), np.int8))
        weights = build.argument(np.zeros((channels // 16, channels // 16, 3, 3, 16, 16), np.int8))
        acc = build.conv(build.pad(x, (1, 1), (1, 1)), weights, (1, 1), (1, 1), (size, size))
        decision = decide(build.finish(build.step("shrsi", acc, 8), (0, 0, 0, 0), "").text)
        assert isinstance(decision.schedule, Schedule) and decision.estimate is not None
        assert decision.schedule.vthreads == 4
        once = 2 * size * size * channels + 9 * channels * channels
        assert sum(decision.estimate.dram_bytes.values()) < 1.1 * once


def test_tile_sizes() -> None:
    for extent in range(1, 300):
        assert tile_sizes(extent) == sorted({math.ceil(extent / count) for count in range(1, extent + 1)})
    assert len(tile_sizes(1 << 31)) < 100_000
