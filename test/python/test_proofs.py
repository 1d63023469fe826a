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


FIFO, FETCH = ("fifo",), ("fifo", "fetch")
STORE = ("fifo", "walk", "fill", "store")


@pytest.mark.parametrize(("width", "log_depth"), [(1, 1), (2, 2), (3, 3), (2, 4)])
def test_fifo(width: int, log_depth: int, tmp_path: Path) -> None:
    """No word is lost, doubled, changed or overtaken."""
    prove("prove_fifo", FIFO, tmp_path, parameters={"WIDTH": width, "LOG_DEPTH": log_depth})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("assign in_ready  = !count[LOG_DEPTH];", "assign in_ready  = 1'b1;"),
        ("count <= count - 1'b1;\n", "count <= count;\n"),
        ("if (pop) head <= head + 1'b1;", "if (pop && !push) head <= head + 1'b1;"),
        ("if (push) mem[tail]", "if (in_valid) mem[tail]"),
        ("out_valid <= count != (LOG_DEPTH + 1)'(1);", "out_valid <= 1'b1;"),
    ],
)
def test_broken_fifo_is_refuted(old: str, new: str, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=REFUTED):
        prove("prove_fifo", FIFO, tmp_path, mutated=broken("fifo", old, new))


@pytest.mark.parametrize("log_depth", [1, 3, 12])
def test_tokens(log_depth: int, tmp_path: Path) -> None:
    """None is lost and none is made up; too many are said to be."""
    prove("prove_tokens", ("tokens",), tmp_path, parameters={"LOG_DEPTH": log_depth})


def test_broken_tokens_are_refuted(tmp_path: Path) -> None:
    lost = broken("tokens", "else if (pop && !push) count", "else if (pop) count")
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
