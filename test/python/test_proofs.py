"""Properties of queues, tokens, bursts and fetch, proven for all inputs; and that what is broken is refuted."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from acc.hardware import simulator, synthesis
from acc.hardware.package import Circuit, package
from acc.hardware.toolchain import ToolError
from circuits import SMALL, WIDE, Case
from proofs import prove

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pyosys") is None, reason=f"yosys is not installed: {synthesis.REMEDY}"
)
REFUTED = "proof did fail"


def small(case: Case, port: int | None = None, log_max_burst: int = 1) -> str:
    """The package of a circuit with short bursts."""
    return package(case.config, Circuit(port or case.port, log_max_burst=log_max_burst, log_outstanding=4))


def broken(module: str, old: str, new: str) -> dict[str, str]:
    text = (simulator.sources() / "rtl" / f"acc_{module}.sv").read_text()
    assert text.count(old) == 1, old
    return {module: text.replace(old, new)}


FETCH = ("fifo_ram", "fetch")
STORE = ("fifo", "walk", "fill", "store")


def prove_fifo(
    module: str, folder: Path, width: int = 2, log_depth: int = 2, mutated: dict[str, str] | None = None
) -> None:
    defines = (f"FIFO=acc_{module}", *(["IN_RAM=1"] if module == "fifo_ram" else []))
    sizes = {"WIDTH": width, "LOG_DEPTH": log_depth}
    prove("prove_fifo", (module,), folder, parameters=sizes, defines=defines, mutated=mutated)


@pytest.mark.parametrize("module", ["fifo", "fifo_ram"])
@pytest.mark.parametrize(("width", "log_depth"), [(1, 1), (2, 2), (3, 3), (2, 4)])
def test_fifo(module: str, width: int, log_depth: int, tmp_path: Path) -> None:
    """No word is lost, doubled, changed or overtaken."""
    prove_fifo(module, tmp_path, width, log_depth)


@pytest.mark.parametrize(
    ("module", "log_depth", "old", "new"),
    [
        ("fifo", 2, "assign in_ready  = !count[LOG_DEPTH];", "assign in_ready  = 1'b1;"),
        ("fifo", 2, "count <= count + {{LOG_DEPTH{pop}}, 1'b1};", "count <= count + 1'b1;"),
        ("fifo", 2, "if (pop) head <= head + 1'b1;", "if (pop && !push) head <= head + 1'b1;"),
        ("fifo", 2, "if (push) mem[tail]", "if (in_valid) mem[tail]"),
        ("fifo", 2, "out_valid <= push || count != (LOG_DEPTH + 1)'(1);", "out_valid <= 1'b1;"),
        ("fifo", 1, "becomes_first = pop || !out_valid;", "becomes_first = pop || !count[1];"),
        ("fifo", 1, "first <= count[1] ? second : in_data;", "first <= out_valid ? second : in_data;"),
        ("fifo_ram", 2, "assign in_ready  = !count[LOG_DEPTH];", "assign in_ready  = 1'b1;"),
        ("fifo_ram", 2, "(!out_valid || (pop && count == (LOG_DEPTH + 1)'(1)))", "!out_valid"),
        ("fifo_ram", 2, "if (pop || is_late) q", "if (pop) q"),
        ("fifo_ram", 2, "q <= mem[next_head]", "q <= mem[head]"),
    ],
)
def test_broken_fifo_is_refuted(module: str, log_depth: int, old: str, new: str, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=REFUTED):
        prove_fifo(module, tmp_path, log_depth=log_depth, mutated=broken(module, old, new))


@pytest.mark.parametrize("log_depth", [1, 3, 12])
def test_tokens(log_depth: int, tmp_path: Path) -> None:
    """None is lost and none is made up; too many are said to be."""
    prove("prove_tokens", ("tokens",), tmp_path, parameters={"LOG_DEPTH": log_depth})


def test_broken_tokens_are_refuted(tmp_path: Path) -> None:
    lost = broken("tokens", "if (push != pop)", "if (push || pop)")
    with pytest.raises(ToolError, match=REFUTED):
        prove("prove_tokens", ("tokens",), tmp_path, mutated=lost)


@pytest.mark.parametrize("case", [SMALL[0]], ids=str)
def test_bursts(case: Case, tmp_path: Path) -> None:
    """What is asked for is what the rows touch, each beat once."""
    prove("prove_walk", ("walk",), tmp_path, small(case))


@pytest.mark.long
@pytest.mark.parametrize("case", [*SMALL[1:], WIDE], ids=str)
def test_more_bursts(case: Case, tmp_path: Path) -> None:
    for burst in (2, 4):
        prove("prove_walk", ("walk",), tmp_path, small(case, log_max_burst=burst))


@pytest.mark.parametrize(
    ("old", "new"),
    [("assign ends = rest <= COUNT'(room);", "assign ends = rest <= COUNT'(room) + 1'b1;")],
)
def test_broken_bursts_are_refuted(old: str, new: str, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=REFUTED):
        prove("prove_walk", ("walk",), tmp_path, small(SMALL[0]), mutated=broken("walk", old, new))


def test_fetch(tmp_path: Path) -> None:
    """Every instruction is handed on once, in the order of the stream."""
    prove("prove_fetch", FETCH, tmp_path, small(SMALL[0]), parameters={"LOG_LENGTH": 3})


@pytest.mark.long
@pytest.mark.parametrize("port", [64, 128, 256])
def test_fetch_of_other_widths(port: int, tmp_path: Path) -> None:
    prove("prove_fetch", FETCH, tmp_path, small(SMALL[0], port), parameters={"LOG_LENGTH": 4})


def test_broken_fetch_is_refuted(tmp_path: Path) -> None:
    """It hands on an instruction again when the next one is not there yet."""
    twice = broken("fetch", "else if (q_take) q_valid <= 1'b0;", "else if (q_take) q_valid <= number[0];")
    with pytest.raises(ToolError, match=REFUTED):
        prove("prove_fetch", FETCH, tmp_path, small(SMALL[0]), parameters={"LOG_LENGTH": 3}, mutated=twice)


@pytest.mark.long
@pytest.mark.parametrize("slow", [0, 1])
def test_stores_write_their_window(slow: int, tmp_path: Path) -> None:
    """All of it, once, and nothing else."""
    parameters = {"SLOW": slow}
    prove("prove_store", STORE, tmp_path, small(SMALL[0]), parameters=parameters, steps=24, bounded=True)
