"""LLVM stores the lanes that it is told to, at every instruction set: random functions on vectors (native_lanes.py)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import machine_accesses
import native_lanes
from native_lanes import Case, Mask, compile_cases, draw
from native_levels import runnable

ROOT = Path(__file__).resolve().parents[2]
SUPPORT = ROOT / "test" / "support"
SOURCE, TARGET = "%rdi", "%rsi"


def run(cpu: str, seed: int, count: int, opt_level: int = 2) -> None:
    """Runs the functions of a seed in a process of their own, as one that reads too much ends it."""
    command = [
        sys.executable,
        str(SUPPORT / "native_lanes.py"),
        "--cpu",
        cpu,
        "--seed",
        str(seed),
        "--count",
        str(count),
    ]
    paths = os.pathsep.join([str(ROOT / "python"), str(SUPPORT)])
    done = subprocess.run(
        [*command, "--opt-level", str(opt_level)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    lines = done.stdout.splitlines()
    wrong = [line for line in lines if line.startswith("WRONG")]
    last = f"seed {seed}, {cpu}: ended with {done.returncode} while {lines[-1] if lines else 'starting'}: {done.stderr}"
    assert not wrong and done.returncode == 0, "\n".join(wrong) or last


def check_statically(cases: list[Case], cpu: str) -> None:
    """Looks at the machine code: without a mask, nothing may be written but the lanes that are stored, and nothing
    read before the first or behind the last of them."""
    found = machine_accesses.accesses(compile_cases(cases, cpu))
    for case in cases:
        if case.mask.kind == "runtime":
            continue
        size = native_lanes.BITS[case.target] // 8
        width = native_lanes.BITS[case.source] // 8 * case.stride
        stored = [i for i, bit in enumerate(case.mask.lanes) if bit]
        for access in found[case.name]:
            touched = range(access.offset, access.offset + access.size)
            if access.register == TARGET and access.is_store:
                good = touched.start >= 0 and all(byte // size in stored for byte in touched)
            elif access.register == SOURCE:
                first = stored[0] * width if case.stride == 1 else 0
                last = stored[-1] * width + native_lanes.BITS[case.source] // 8
                good = first <= touched.start and touched.stop <= last
            else:
                continue
            assert good, f"{cpu}: {case}: {access.instruction}"


@pytest.mark.parametrize("cpu", runnable())
def test_functions_on_lanes(cpu: str) -> None:
    run(cpu, seed=runnable().index(cpu), count=120)


@pytest.mark.parametrize("opt_level", [0, 1])
def test_functions_on_lanes_with_less_optimization(opt_level: int) -> None:
    run("native", 50 + opt_level, 60, opt_level)


@pytest.mark.long
@pytest.mark.parametrize("cpu", runnable())
@pytest.mark.parametrize("seed", range(100, 140))
def test_functions_on_lanes_long(seed: int, cpu: str) -> None:
    run(cpu, seed, 400, opt_level=(2, 2, 1, 0)[seed % 4])


@pytest.mark.parametrize("cpu", ["x86-64-v4", "sapphirerapids"])
def test_machine_code_of_lanes(cpu: str) -> None:
    check_statically(draw(len(cpu), 120), cpu)


@pytest.mark.long
@pytest.mark.parametrize("cpu", ["x86-64", "x86-64-v3", "x86-64-v4", "knl", "znver4", "sapphirerapids"])
@pytest.mark.parametrize("seed", range(200, 220))
def test_machine_code_of_lanes_long(seed: int, cpu: str) -> None:
    check_statically(draw(seed, 400), cpu)


@pytest.mark.parametrize("kind", ["constant", "folded"])
@pytest.mark.parametrize("lane", [0, 1, 7])
def test_one_lane_of_what_was_narrowed(lane: int, kind: str) -> None:
    """What LLVM 22.1.8 gets wrong: the store has the width from before the truncation."""
    if kind == "folded" and lane:
        pytest.skip("a number of lanes stands for the first ones")
    mask = Mask(kind, tuple(i == lane for i in range(8)))
    narrowed = [("i64", "i32"), ("i64", "i16"), ("i64", "i8"), ("i32", "i16"), ("i32", "i8"), ("i16", "i8")]
    computed = [(False, ""), (False, "add"), (False, "clamp"), (True, "clamp"), (False, "shift")]
    cases: list[Case] = []
    for middle, target in narrowed:
        for unsigned, operation in computed:
            source = target if operation else middle
            cases.append(Case(f"f{len(cases)}", source, middle, target, unsigned, operation, 1, mask))
    check_statically(cases, "x86-64-v4")
