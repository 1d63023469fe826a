"""The cycle model against the circuit that it models, and what it says about bad streams.

If `test_agrees_with_the_circuit` fails, the RTL's latencies have changed: `python test/support/calibration.py` shows
the instructions in which the two differ, runtime/vta/csim/Parameters.h is where the latencies stand.
"""

from __future__ import annotations

import pathlib
from dataclasses import replace

import numpy as np
import pytest

from acc._lib import _runtime
from acc.errors import AccError
from acc.hardware import cycle_model
from acc.hardware.package import PORTS, Circuit, package
from acc.hardware.random_stream import random_stream
from calibration import compare, devices, random, third_party
from circuits import BESIDE, EARLY, SMALL, STAGED, Case, banked, case, extended, random_case, staged

CONFIG = SMALL[0].config
# Everything as small as it can be, so that everything has to wait for room.
CRAMPED = Circuit(64, log_queue=1, log_tokens=12, log_max_burst=1, log_outstanding=2)


def agree(config: object, circuit: Circuit, latency: int, seeds: range, length: int = 30) -> None:
    """The model is cycle-exact, which is more than the 2 % that are promised."""
    pair = devices(config, circuit, latency)
    for seed in seeds:
        stream = random(config, seed, length, 1 << circuit.log_acc_banks)
        difference = compare(pair, stream)
        assert abs(difference.error) <= difference.allowed, difference.describe(stream.program)
        assert difference.exact, difference.describe(stream.program)


@pytest.mark.parametrize("latency", [0, 3, 64, 500])
@pytest.mark.parametrize("case", [*SMALL, extended(SMALL[0])], ids=str)
def test_agrees_with_the_circuit(case: Case, latency: int) -> None:
    agree(case.config, Circuit(case.port), latency, range(8))


@pytest.mark.parametrize("latency", [3, 64])
@pytest.mark.parametrize(("case", "log_banks"), BESIDE, ids=str)
def test_agrees_where_gemm_and_alu_run_beside_each_other(case: Case, log_banks: int, latency: int) -> None:
    agree(case.config, banked(case, log_banks).circuit, latency, range(6), 40)


@pytest.mark.parametrize("case", [*STAGED[:2], *(pytest.param(c, marks=pytest.mark.long) for c in STAGED[2:])], ids=str)
def test_agrees_with_pipelines_of_other_lengths(case: Case) -> None:
    for latency in (3, 64):
        agree(case.config, case.circuit, latency, range(6), 40)


@pytest.mark.parametrize("case", [EARLY[0], *(pytest.param(c, marks=pytest.mark.long) for c in EARLY[1:])], ids=str)
def test_agrees_where_micro_ops_are_loaded_early(case: Case) -> None:
    """And it takes no longer than otherwise."""
    other = replace(case.circuit, early_uops=0)
    sooner = 0
    for latency in (3, 64):
        agree(case.config, case.circuit, latency, range(10), 60)
        for seed in range(10):
            stream = random_stream(case.config, seed, 60, regions=1 << case.circuit.log_acc_banks)
            pair = [cycle_model.device(case.config, circuit, latency=latency) for circuit in (case.circuit, other)]
            early, late = (stream.cycles(device) for device in pair)
            sooner += early < late
    assert sooner


@pytest.mark.parametrize("latency", [1, 100])
def test_agrees_when_everything_is_cramped(latency: int) -> None:
    agree(CONFIG, CRAMPED, latency, range(20, 30))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(24))
def test_agrees_with_random_circuits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    burst = int(rng.integers(0, 7))
    outstanding = int(rng.integers(max(burst + 1, 2), 11))
    circuit = Circuit(
        int(rng.choice(PORTS)), log_queue=int(rng.integers(1, 7)), log_max_burst=burst, log_outstanding=outstanding
    )
    config = random_case(seed).config
    for latency in (0, int(rng.integers(1, 30)), int(rng.integers(30, 501))):
        agree(config, circuit, latency, range(100 * seed, 100 * seed + 12), 60)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(24))
def test_agrees_with_random_circuits_of_several_banks(seed: int) -> None:
    case, log_banks = random_case(seed), 1 + seed % 4
    if _runtime.acc_bank_problem(case.config, log_banks, case.port):
        pytest.skip("too few accumulators")
    for latency in (0, 20, 300):
        agree(case.config, banked(case, log_banks).circuit, latency, range(100 * seed, 100 * seed + 12), 60)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(24))
def test_agrees_with_random_circuits_of_other_lengths(seed: int) -> None:
    """Every third one has banks."""
    rng = np.random.default_rng(seed)
    stages = [int(rng.integers(low, high)) for low, high in ((0, 3), (1, 7), (1, 6))]
    case = random_case(seed)
    if seed % 3 == 0 and not _runtime.acc_bank_problem(case.config, 1, case.port):
        case = banked(case, 1)
    case = staged(case, *stages)
    for latency in (0, 20, 300):
        agree(case.config, case.circuit, latency, range(100 * seed, 100 * seed + 12), 60)


@pytest.mark.parametrize("seed", range(3))
def test_data_are_those_of_fsim(seed: int) -> None:
    stream = random_stream(CONFIG, seed)
    expected, actual = (stream.run(_runtime.Device(name, CONFIG)) for name in ("fsim", "csim"))
    np.testing.assert_array_equal(actual, expected)


def test_time_alone_leaves_memory_alone() -> None:
    stream = random_stream(CONFIG, 1)
    np.testing.assert_array_equal(stream.run(cycle_model.device(CONFIG, functional=False)), stream.dram)


def test_activity_adds_up() -> None:
    """Every module is doing something, or known not to, in every cycle."""
    device = _runtime.Device("csim", CONFIG)
    for seed in range(8):
        stream = random_stream(CONFIG, seed)
        device.attach_at(0, stream.dram.copy())
        result = device.run(stream.linked())
        device.detach(0)
        assert list(result["activity"]) == ["fetch", "load", "compute", "store"]
        for time in result["activity"].values():
            assert min(time["busy"], time["memory"], time["idle"], *time["waits"].values()) >= 0
            assert time["busy"] + time["memory"] + time["idle"] + sum(time["waits"].values()) == result["cycles"]


# --- bad input ---

UOP = "load.uop sram=0 dram=0 y=1 x=1 stride=1\n"


def message(text: str, circuit: Circuit | None = None) -> str:
    """What the model says about a stream, which it must refuse."""
    device = cycle_model.device(CONFIG, circuit)
    memory = np.zeros(4096, np.uint8)
    memory[:4] = np.frombuffer(_runtime.Program.parse(".uop dst=255 src=255 wgt=127", CONFIG).uops, np.uint8)
    device.attach_at(0, memory)
    result = device.run(_runtime.Program.parse(text, CONFIG).encode())
    assert not result["ok"]
    assert "cycles" not in result
    return result["message"]


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("", ["FINISH"]),
        ("load.inp sram=0 dram=0 y=1 x=1 stride=1", ["FINISH"]),
        ("finish\nfinish", ["instruction 0", "FINISH"]),
        ("load.inp sram=250 dram=0 y=1 x=7 stride=7\nfinish", ["instruction 0 (LOAD inp)", "256"]),
        (UOP + "gemm uop=0:1 iter=1,2 dst=0,1 src=0,0 wgt=0,0\nfinish", ["instruction 1 (GEMM)", "dst"]),
        ("load.inp sram=0 dram=4294967295 y=1 x=1 stride=1\nfinish", ["DRAM bytes 17179869180"]),
        ("load.inp sram=0 dram=0 y=1 x=1 stride=1 pop=next\nfinish", ["deadlock", "load waits", "compute"]),
        ("store.out sram=0 dram=0 y=1 x=1 stride=1 pop=prev\nfinish pop=next", ["compute waits", "store waits"]),
        ("finish pop=prev", ["compute waits at instruction 0", "load, which has ended"]),
    ],
)
def test_bad_streams(text: str, mentions: list[str]) -> None:
    said = message(text)
    for mention in mentions:
        assert mention in said


def test_deadlock_of_a_full_queue() -> None:
    """What load waits for stands behind more LOADs than its queue holds, which no count of tokens shows."""
    load = "load.inp sram=0 dram=0 y=1 x=1 stride=1"
    text = f"{load} pop=next\n" + f"{load}\n" * 8 + "load.acc sram=0 dram=0 y=1 x=0 stride=0 push=prev\nfinish"
    said = message(text, Circuit(log_queue=2))
    assert "load waits at instruction 0 for a token from compute" in said
    assert "fetch waits for room in the queue of load" in said


def test_too_many_tokens() -> None:
    text = "load.inp sram=0 dram=0 y=1 x=0 stride=0 push=next\n" * 5
    text += "load.acc sram=0 dram=0 y=4 x=16 stride=0\nfinish pop=prev"
    assert "more tokens than their queue holds lie between load" in message(text, Circuit(log_tokens=2))


def test_random_bytes_never_crash() -> None:
    rng = np.random.default_rng(7)
    device = _runtime.Device("csim", CONFIG)
    device.attach_at(0, rng.integers(0, 256, 1 << 14).astype(np.uint8))
    finish = np.array([3, 0], np.uint64).tobytes()
    for _ in range(300):
        words = rng.integers(0, 1 << 63, (8, 2)).astype(np.uint64)
        words[:, 0] = (words[:, 0] & np.uint64(0x0003801FFFE00380)) | rng.choice([0, 1, 2, 4], 8).astype(np.uint64)
        words[:, 1] &= np.uint64(0x0000000F000F000F)
        result = device.run(words.tobytes() + finish)
        assert result["ok"] == (result["message"] == "") == ("cycles" in result)


def test_circuits_that_cannot_be() -> None:
    tiny = case(0, 2, 2, 3, 3, (10, 10, 11, 6)).config
    banks = Circuit(log_acc_banks=2)
    with pytest.raises(AccError, match="96 bits"):
        _runtime.Device("csim", CONFIG, mem_width=96)
    with pytest.raises(AccError, match="log_acc_banks is 5"):
        Circuit(log_acc_banks=5)
    with pytest.raises(AccError, match=r"tree_levels is 0.*alu_stages is 6"):
        Circuit(tree_levels=0, alu_stages=6)
    for make in (lambda: cycle_model.device(tiny, banks), lambda: package(tiny, banks)):
        with pytest.raises(AccError, match="4 entries, too few for 4 banks of rows of 2"):
            make()
    with pytest.raises(AccError, match=r"log_outstanding \(4\) must exceed log_max_burst \(5\)"):
        _runtime.Device("csim", CONFIG, log_outstanding=4, log_max_burst=5)


def test_calibration_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import calibration

    monkeypatch.setattr("sys.argv", ["calibration.py", "--count", "2"])
    assert calibration.main() == 0
    assert "2 streams, largest error 0.000 %" in capsys.readouterr().out


def test_differences_are_described() -> None:
    """What a drifting table would look like."""
    stream = random(CONFIG, 0)
    pair = devices(CONFIG, Circuit(), 64)
    difference = compare((pair[0], cycle_model.device(CONFIG, latency=65, functional=False)), stream)
    assert not difference.exact
    assert difference.error > 0
    said = difference.describe(stream.program)
    assert "instructions differ" in said
    assert "started" in said


def test_third_party_streams(vectors: pathlib.Path) -> None:
    """On the default circuit; that these results are right is checked by `acc sim`."""
    pair = devices(_runtime.Config(), Circuit(), 64, optimize=None)
    for name in ("16x16", "16x16_relu", "lenet5_conv1"):
        stream = third_party(vectors / name)
        difference = compare(pair, stream)
        assert difference.exact, difference.describe(stream.program)
