"""GEMM and ALU beside each other: circuits with several banks of accumulators, and what is compiled for them."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest

import acc
from acc._lib import _runtime
from acc.cli import main
from acc.hardware.package import Circuit
from acc.targets.vta.profile import profile
from calibration import Stream, compare, compiled, devices
from circuits import SMALL, banked, extended
from qdq_models import QdqModel, random_network
from qdq_zoo import random_zoo
from test_quantized_zoo import check

CASE = banked(extended(SMALL[0]), 1)
HALF = CASE.config.depth("acc") // 2
EXTENDED = {"ALU_REQUANTIZE": 1, "GEMM_SET": 1}


def events(text: str, *uops: tuple[int, int]) -> list[tuple[list[int], list[int]]]:
    """When the instructions start and retire, on the circuit and in the model; `uops` are pairs (dst, src)."""
    table = "".join(f".uop dst={dst} src={src} wgt=0\n" for dst, src in uops)
    load = f"load.uop sram=0 dram=0 y=1 x={len(uops)} stride={len(uops)}\n"
    program = _runtime.Program.parse(table + load + text + "\nfinish", CASE.config)
    dram = np.zeros(4096, np.uint8)
    dram[: len(program.uops)] = np.frombuffer(program.uops, np.uint8)
    stream = Stream("", program, program.encode(), dram)
    difference = compare(devices(CASE.config, CASE.circuit, 64), stream)
    return [
        ([int(t) for t in d["started"]], [int(t) for t in d["retired"]]) for d in (difference.circuit, difference.model)
    ]


GEMM = "gemm uop=0:1 iter=60,10 dst=1,0 src=0,0 wgt=0,0\n"
ADD = "alu.add uop=1:2 iter=60,10 dst=1,0 src=0,0 use_imm=1 imm=1\n"
MAX = "alu.max uop=1:2 iter=60,10 dst=1,0 src=0,0 use_imm=0 imm=0\n"
REQUANTIZE = "alu.requantize uop=1:2 iter=60,10 dst=1,0 src=0,0"
LOAD = "load.acc sram={} dram=0 y=2 x=3 stride=3\n"


@pytest.mark.parametrize(
    ("first", "second", "uops", "beside"),
    [
        (GEMM, ADD, [(0, 0), (HALF, 0)], True),
        (GEMM, ADD, [(0, 0), (HALF - 61, 0)], False),
        # Its last entry, or its source, is one of the other half.
        (GEMM, ADD, [(HALF, 0), (HALF - 60, 0)], True),
        (GEMM, ADD, [(HALF, 0), (HALF - 59, 0)], False),
        (GEMM, MAX, [(0, 0), (HALF, HALF + 1)], True),
        (GEMM, MAX, [(0, 0), (HALF, HALF - 1)], False),
        # It has three sources.
        (GEMM, REQUANTIZE, [(HALF, 0), (0, HALF - 3)], True),
        (GEMM, REQUANTIZE, [(HALF, 0), (0, HALF - 2)], False),
        (ADD, GEMM, [(HALF, 0), (0, 0)], True),
        (ADD, GEMM, [(0, 0), (0, 0)], False),
        (GEMM, LOAD.format(HALF), [(0, 0)], True),
        (GEMM, LOAD.format(HALF - 6), [(0, 0)], False),
        # Rows may end beyond it.
        (GEMM, LOAD.format(HALF - 5), [(HALF, 0)], False),
        (GEMM, LOAD.format(HALF - 6), [(HALF, 0)], True),
    ],
)
def test_what_waits(first: str, second: str, uops: list[tuple[int, int]], beside: bool) -> None:
    """An instruction starts at once if other units work in the other half, and when they have ended else."""
    for started, retired in events(first + second, *uops):
        _, one, two, _ = started
        assert two - one < 60 if beside else two > one + 600
        # Tokens say what they say where there is one unit: that all before has been done.
        assert retired == sorted(retired)


@pytest.mark.parametrize("seed", range(3))
def test_compiled_networks_keep_their_results(seed: int, tmp_path: pathlib.Path) -> None:
    for keys in ({}, EXTENDED, {**EXTENDED, "LOG_ACC_BUFF_SIZE": 12, "LOG_UOP_BUFF_SIZE": 8, "LOG_INP_BUFF_SIZE": 11}):
        check(random_network(seed), keys, tmp_path, seed, log_acc_banks=1)
        check(random_zoo(seed), keys, tmp_path, seed, log_acc_banks=2)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(40))
def test_more_compiled_networks_keep_their_results(seed: int, tmp_path: pathlib.Path) -> None:
    rng = np.random.default_rng(seed)
    sizes = {"ACC": (12, 18), "UOP": (8, 16), "INP": (11, 16), "WGT": (13, 19)}
    keys = {f"LOG_{name}_BUFF_SIZE": int(rng.integers(*limits)) for name, limits in sizes.items()}
    check(random_zoo(seed), keys | (EXTENDED if seed % 2 else {}), tmp_path, seed, log_acc_banks=1)


def test_a_thread_rescales_while_the_other_multiplies(tmp_path: pathlib.Path) -> None:
    """A quarter of what the ALU does takes no time then, at least; on the circuit it is as the model says."""
    net = QdqModel(np.random.default_rng(3))
    model = net.build(net.conv(net.input((1, 32, 28, 28)), 64, kernel=(3, 3), pads=(1, 1, 1, 1), per_channel=True))
    cycles = []
    for log_banks in (0, 1):
        path = tmp_path / f"{log_banks}.so"
        with acc.compile(model, "vta", config=EXTENDED, log_acc_banks=log_banks) as executable:  # type: ignore[arg-type]
            executable.save(path)
        measured = profile(path, device=f"csim:log_acc_banks={log_banks}")
        cycles.append(measured.cycles)
    steps = sum(layer.alu_steps for layer in measured.layers)
    assert cycles[0] - cycles[1] > steps / 4
    pair = devices(_runtime.Config(json.dumps(EXTENDED)), Circuit(log_acc_banks=1), 64)
    for stream in compiled(path):
        difference = compare(pair, stream)
        assert difference.exact, difference.describe(stream.program)


def test_a_sum_is_rescaled_beside_the_products_of_others(tmp_path: pathlib.Path) -> None:
    """What is rescaled, added and stored hides behind products of other threads and tiles; one bank has to wait."""
    net = QdqModel(np.random.default_rng(4))
    x = net.input((1, 64, 28, 28))
    wide = {"kernel": (1, 1), "pads": (0, 0, 0, 0), "per_channel": True}
    y = net.conv(net.conv(x, 64, **wide), 256, **wide)
    model = net.build(net.add(y, net.conv(x, 256, **wide)))
    share = []
    for log_banks in (0, 1):
        path = tmp_path / f"{log_banks}.so"
        acc.compile(model, "vta", config=EXTENDED, log_acc_banks=log_banks).save(path)  # type: ignore[arg-type]
        measured = profile(path)
        share.append(sum(layer.gemm_steps for layer in measured.layers) / measured.cycles)
    assert share[0] < 0.7 and share[1] > 0.85
    pair = devices(_runtime.Config(json.dumps(EXTENDED)), Circuit(log_acc_banks=1), 64)
    for stream in compiled(path):
        difference = compare(pair, stream)
        assert difference.exact, difference.describe(stream.program)


def test_models_remember_their_circuit(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is what cycles are counted for, where nobody says otherwise; who does is told."""
    net = QdqModel(np.random.default_rng(3))
    model = net.build(net.conv(net.input((1, 32, 14, 14)), 32, kernel=(3, 3), pads=(1, 1, 1, 1)))
    plain, made = tmp_path / "plain.so", tmp_path / "made.so"
    acc.compile(model, "vta").save(plain)
    acc.compile(model, "vta", log_acc_banks=1, alu_stages=5).save(made)
    same = profile(made, device="csim:log_acc_banks=1,alu_stages=5")
    assert profile(made).cycles == same.cycles and not same.note
    assert profile(plain).note == "" and profile(plain, device="csim:alu_stages=1").note == ""
    other = profile(made, device="csim:alu_stages=1")
    assert other.note == "the model was compiled for alu_stages=5, but runs with alu_stages=1"
    assert other.cycles == profile(made, device="csim:log_acc_banks=1,alu_stages=1").cycles < same.cycles
    assert main(["profile", str(made), "--device", "csim:log_acc_banks=0"]) == 0
    assert "note: the model was compiled for log_acc_banks=1, but runs with log_acc_banks=0" in capsys.readouterr().out
    with acc.load(made, device="csim", events=True) as loaded:
        loaded.run({loaded.inputs[0].name: np.zeros((1, 32, 14, 14), loaded.inputs[0].dtype)})
        assert sum(launch["cycles"] for launch in loaded.statistics["launches"]) == same.cycles


def test_maxima_keep_the_distance_of_the_circuit(tmp_path: pathlib.Path) -> None:
    """More accumulators take turns where the vector unit is longer; results are what they are."""
    net = QdqModel(np.random.default_rng(5))
    model = net.build(net.max_pool(net.input((1, 16, 30, 30)), 3, 2, 1))
    cycles = {}
    for stages in (3, 5):
        path = tmp_path / f"{stages}.so"
        acc.compile(model, "vta", alu_stages=stages).save(path)
        cycles[stages] = profile(path, device="csim:alu_stages=5").cycles
    assert cycles[5] < cycles[3]
    check(model, {}, tmp_path, 5, alu_stages=5)


@pytest.mark.parametrize("wrong", [-1, 5])
def test_banks_that_there_are_not(wrong: int) -> None:
    net = QdqModel(np.random.default_rng(0))
    model = net.build(net.conv(net.input((1, 8, 4, 4)), 8))
    with pytest.raises(acc.CompileError, match=f"log_acc_banks is {wrong}, but must be from 0 to 4"):
        acc.compile(model, "vta", log_acc_banks=wrong)
