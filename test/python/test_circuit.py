"""The RTL under Verilator against the functional simulator, its throughput, and what it says about bad streams."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import numpy as np
import pytest

from acc._lib import _runtime, isa
from acc.hardware import simulator, toolchain
from acc.hardware.package import alu_operations, package
from acc.hardware.random_stream import random_stream
from circuit import ALU, GEMM_SAME, REQUANTIZE, cycles, gaps, per_step, throughputs
from circuits import BESIDE, DEEP, EARLY, ROOMY, SMALL, STAGED, WIDE, Case, banked, check, extended, random_case
from conftest import ROOT
from stream_coverage import Coverage

CONFIG = SMALL[0].config
# Seeds of streams that together reach every field's limits.
COVERING = range(2000, 2300)


@pytest.fixture(scope="module")
def circuit() -> object:
    return simulator.device(CONFIG, optimize=0)


@pytest.mark.parametrize("case", [*SMALL, WIDE, extended(SMALL[0]), extended(WIDE)], ids=str)
def test_random_streams(case: Case) -> None:
    check(case, range(12))


@pytest.mark.parametrize("case", [*STAGED[:2], EARLY[0]], ids=str)
def test_random_streams_on_pipelines_of_other_lengths(case: Case) -> None:
    check(case, range(300, 320))


@pytest.mark.parametrize(("case", "log_banks"), BESIDE, ids=str)
def test_random_streams_where_gemm_and_alu_run_beside_each_other(case: Case, log_banks: int) -> None:
    check(banked(case, log_banks), range(12), 40)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(36))
def test_random_circuits(seed: int) -> None:
    check(random_case(seed), range(100 * seed, 100 * seed + 20), 40)


@pytest.mark.long
@pytest.mark.parametrize(
    "case",
    [*SMALL, WIDE, ROOMY, DEEP, *map(extended, (*SMALL, WIDE)), *(banked(*b) for b in BESIDE), *STAGED, *EARLY],
    ids=str,
)
def test_more_random_streams(case: Case) -> None:
    check(case, range(1000, 1200 if case != DEEP else 1020), 60, 1)


@pytest.mark.long
def test_streams_that_reach_everything() -> None:
    check(ROOMY, COVERING, 40, 1)
    check(extended(ROOMY), COVERING, 40, 1)


def test_random_streams_reach_every_limit() -> None:
    config, coverage = ROOMY.config, Coverage()
    for seed in COVERING:
        stream = random_stream(config, seed, 40, far=True)
        coverage.add(config, stream.linked(), stream.program.uops)
    # There are not enough micro-ops for rows so far apart.
    assert coverage.missing() == ["load.uop: x_stride at its limit, several rows"]
    kinds = {goal.partition(":")[0] for goal in coverage.goals}
    copies = {"load.uop", "load.inp", "load.wgt", "load.acc", "load.acc8", "store.out"}
    operations = {f"alu.{op}" for op in alu_operations(config)}
    assert kinds >= copies | operations | {"gemm", "gemm.reset", "alu", "alu imm", "finish"}


def test_random_streams_have_all_operations_that_are_declared() -> None:
    config, coverage = extended(ROOMY).config, Coverage()
    for seed in COVERING[:10]:
        stream = random_stream(config, seed, 40)
        coverage.add(config, stream.linked(), stream.program.uops)
    assert {goal.partition(":")[0] for goal in coverage.goals} >= {f"alu.{op}" for op in isa.ALU_OPS}


def test_memory_changes_times_only() -> None:
    """However late and irregular its answers."""
    case = SMALL[1]
    streams = [random_stream(case.config, seed) for seed in range(3)]
    expected = [stream.run(_runtime.Device("fsim", case.config)) for stream in streams]
    for latency in (0, 1, 5, 64, 1000):
        for jitter in (0, 1, 30, 1000):
            options = {"latency": latency, "jitter": jitter, "seed": jitter}
            device = simulator.device(case.config, case.circuit, **options, optimize=0)
            for stream, want in zip(streams, expected, strict=True):
                np.testing.assert_array_equal(stream.run(device), want, err_msg=f"latency {latency}, jitter {jitter}")


@pytest.mark.long
def test_streams_notice_whatever_is_broken() -> None:
    """One mutation of the RTL at a time; see the script if it says that a text is not there."""
    done = subprocess.run([sys.executable, ROOT / "scripts" / "mutate_rtl.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_streams_are_reproducible() -> None:
    first, second, other = (random_stream(CONFIG, seed) for seed in (5, 5, 6))
    assert first.linked() == second.linked()
    np.testing.assert_array_equal(first.dram, second.dram)
    assert first.linked() != other.linked()


@pytest.mark.parametrize(
    "case", [*SMALL, extended(SMALL[1]), Case((), 64), Case((), 512), *(banked(*b) for b in BESIDE)], ids=str
)
def test_lint(case: Case, tmp_path: pathlib.Path) -> None:
    tool = toolchain.verilator()
    (tmp_path / "acc_pkg.sv").write_text(package(case.config, case.circuit))
    rtl = simulator.sources() / "rtl"
    files = [rtl / "lint.vlt", tmp_path / "acc_pkg.sv", *sorted(rtl.glob("acc_*.sv"))]
    command = [tool.program, "--lint-only", "-Wall", "--quiet", "--top-module", "acc_axi", *files]
    done = subprocess.run(command, capture_output=True, text=True, env=tool.environment)
    assert done.returncode == 0, done.stderr


# --- throughput ---


def test_throughput(circuit: object) -> None:
    """A step of GEMM or ALU per cycle, and the port's whole width for data, however short the rows."""
    figures = throughputs(circuit, CONFIG, 64)
    assert figures.pop("ALU, two operands") == 2
    for name, figure in figures.items():
        assert figure == (8 if "row" in name else 1), name


@pytest.mark.parametrize("op", ["min", "max", "add", "shr", "mul"])
def test_every_alu_operation_takes_one_cycle(circuit: object, op: str) -> None:
    assert per_step(circuit, CONFIG, ALU.format(op=op)) == 1


def test_a_requantization_takes_one_cycle() -> None:
    """And three more where its parameters are others: here with every output, or with every tenth."""
    case = extended(SMALL[0])
    device = simulator.device(case.config, optimize=0)
    far = f".uop dst=0 src={case.config.depth('acc') // 2} wgt=0"
    assert per_step(device, case.config, REQUANTIZE, far) == 1
    assert per_step(device, case.config, REQUANTIZE.replace("src=0,0", "src=0,1"), far) == 4
    blocks = "alu.requantize uop=0:1 iter={n},10 dst=10,1 src=3,0"
    assert per_step(device, case.config, blocks, far, 2, 12) == 13


@pytest.mark.parametrize("latency", [1, 100])
def test_latency_is_hidden(latency: int) -> None:
    figures = throughputs(simulator.device(CONFIG, latency=latency, optimize=0), CONFIG, 64)
    assert all(figure == 8 for name, figure in figures.items() if "row" in name)


def test_instructions_follow_each_other_closely(circuit: object) -> None:
    for name, idle in gaps(circuit, CONFIG, 64).items():
        assert 0 <= idle <= 4, name


def test_stores_of_nothing_retire_in_order() -> None:
    """Also when memory acknowledges a later STORE in the cycle in which the one before them retires."""
    # Random delays let answers come in groups.
    device = simulator.device(CONFIG, latency=1, jitter=40, optimize=0)
    some = "store.out sram=0 dram=64 y=4 x=2 stride=2 push=prev"
    nothing = "store.out sram=0 dram=64 y=1 x=0 stride=0"
    for gap in range(5):
        stores = "\n".join([*[some] * 3, *[nothing] * gap] * 4)
        taken = "load.acc sram=0 dram=0 y=1 x=0 stride=0 pop=next\n" * 12
        memory = np.zeros(1024, np.uint8)
        device.attach_at(0, memory)
        result = device.run(_runtime.Program.parse(f"{stores}\n{taken}finish", CONFIG).encode())
        device.detach(0)
        assert result["ok"], result["message"]


def test_long_work_is_no_deadlock() -> None:
    """Zeroing all accumulators, one by one, and a GEMM that does the same thing for long."""
    config = DEEP.config
    device = simulator.device(config, latency=1, optimize=0)
    depth = config.depth("acc")
    zeros = f"load.acc sram=0 dram=0 y=0 x={depth} stride=0 pad=1,0,0,0"
    assert cycles(device, config, zeros) > depth > 3 * 4096
    assert cycles(device, config, GEMM_SAME.format(n=16383)) > 16383
