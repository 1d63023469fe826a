"""Random ONNX graphs compute what ONNX's reference implementation or ONNX Runtime computes, whatever sizes are open."""

from __future__ import annotations

import os
import pathlib
import re
import signal

import pytest

import fuzz
from fuzz import KINDS, names_of, run_graphs


def _check(seeds: range) -> None:
    outcomes = run_graphs(names_of(seeds), jobs=2)
    failed = [f"{outcome.name}: {outcome.kind}: {outcome.reason}" for outcome in outcomes if outcome.failed]
    assert not failed, "\n".join(failed)
    valid = [outcome for outcome in outcomes if not outcome.name.startswith("invented/")]
    refused = sum(outcome.kind == "refused" for outcome in valid)
    assert refused <= len(valid) // 10, f"{refused} of {len(valid)} graphs are refused"


def test_random_graphs() -> None:
    _check(range(100))


@pytest.mark.long
def test_many_random_graphs() -> None:
    _check(range(1000, 3000))


def test_what_ends_the_compiler_is_a_failure_of_its_seed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other graphs are judged all the same, and the failure says how to repeat it."""
    judge = fuzz.judge_network

    def crash(network: fuzz.Network, seed: int) -> tuple[str, str]:
        if seed == 6:
            os.kill(os.getpid(), signal.SIGKILL)
        return judge(network, seed)

    monkeypatch.setattr(fuzz, "judge_network", crash)
    monkeypatch.setattr("sys.argv", ["fuzz.py", "4", "--seed", "6", "--keep", str(tmp_path), "-j", "1"])
    assert fuzz.main() == 1
    text = capsys.readouterr().out
    assert re.search(r"^quantized/6: crash: SIGKILL$", text, re.MULTILINE)
    assert "float: 1 graphs: 1 passed" in text and "open: 1 graphs" in text
    assert text.rstrip().endswith("test/support/fuzz.py quantized/6")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["quantized-6.npz", "quantized-6.onnx"]
    monkeypatch.undo()
    monkeypatch.setattr("sys.argv", ["fuzz.py", "quantized/6", "--keep", str(tmp_path), "-j", "1"])
    assert fuzz.main() == 0
    assert "quantized: 1 graphs: 1 passed" in capsys.readouterr().out


def test_kinds_take_turns() -> None:
    assert names_of(range(2, 6)) == ["quantized/2", "invented/3", "float/4", "open/5"]
    assert names_of(range(2), ["open"]) == ["open/0", "open/1"]
    assert {name.split("/")[0] for name in names_of(range(4))} == set(KINDS)
