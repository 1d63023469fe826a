"""`acc doctor`, `acc --version` and `acc completion`: what they say of a machine, good or bad."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from acc import caches, container
from acc.cli import main

DAY = 24 * 60 * 60


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own cache with simulators last used 40, 10 and 0 days ago, one of them in use, and a folder of objects."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "acc" / "tsim"
    (folder / "verilated-1").mkdir(parents=True)
    for name, days in (("old.so", 40), ("held.so", 41), ("young.so", 10), ("new.so", 0), ("verilated-1/a.o", 50)):
        path = folder / name
        path.write_bytes(b"x" * 1000)
        path.with_suffix(".lock").touch()
        os.utime(path, (time.time() - days * DAY,) * 2)
    (folder / "verilated-1" / "a.lock").unlink()
    os.utime(folder / "verilated-1" / "a.o", (time.time() - 50 * DAY,) * 2)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_caches_are_listed_and_pruned(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)["caches"][0]
    assert (first["entries"], first["bytes"], first["folder"]) == (5, 5000, str(cache))
    assert 49 < first["longest_unused_days"] < 51
    with open(cache / "held.lock", "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert main(["doctor", "--prune"]) == 0
        assert "removed 2 entries" in capsys.readouterr().out
    assert names(cache) == ["held.so", "new.so", "young.so"] and not (cache / "old.lock").exists()
    caches.mark_used(cache / "young.so")
    assert main(["doctor", "--prune", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"removed": [str(cache / "held.so")], "bytes": 1000}
    assert main(["doctor", "--prune", "0"]) == 0 and names(cache) == []
    assert main(["doctor", "--prune", "0"]) == 0


def test_what_is_found(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "compiles, links and runs" in text and "simulators of the circuit" in text and "GiB are free" in text
    monkeypatch.setenv("ACC_CXX", "no-such-compiler")
    from acc.hardware import toolchain

    toolchain.compiler.cache_clear()
    monkeypatch.setattr(container, "LINKERS", ("no-such-linker",))
    try:
        assert main(["doctor", "--json"]) == 1
    finally:
        toolchain.compiler.cache_clear()
    found = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert found["native code"]["state"] == "bad" and "ld.lld is missing" in found["native code"]["found"]
    compiler = found["C++ compiler for simulators"]
    assert compiler["state"] == "missing" and "no-such-compiler" in compiler["found"] and compiler["remedy"]


@pytest.mark.parametrize("folder", ["/proc/1/none", "/dev/null", "/dev/null/inside"])
def test_a_folder_that_cannot_be_used(
    folder: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", folder)
    main(["doctor", "--json"])
    found = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert found["room for the caches"]["remedy"]


def test_versions(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"None|0"):
        main(["--version"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("acc ") and any(line.split()[:3] == ["LLVM", "and", "MLIR"] for line in lines)
    assert "not loaded" not in "".join(lines)
    for name in ("numpy", "onnx", "Python", "linker", "processor"):
        assert any(line.startswith(f"  {name} ") for line in lines)


@pytest.mark.parametrize("days", ["-1", "nan", "inf", "soon"])
def test_bad_days(days: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["doctor", f"--prune={days}"])
    assert "not a number of days" in capsys.readouterr().err


def test_completion(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("shtab")
    for shell in ("bash", "zsh", "tcsh"):
        assert main(["completion", shell]) == 0
        script = capsys.readouterr().out
        assert "quantize" in script and "--dump-stages" in script
        if shell == "bash":
            (tmp_path / "acc.sh").write_text(script)
    # What bash offers behind words that were typed.
    probe = 'source "$1"; COMP_WORDS=("${@:2}"); COMP_CWORD=$(($# - 2)); '
    probe += 'f=$(complete -p acc | sed "s/.*-F \\([^ ]*\\).*/\\1/"); '
    probe += '"$f" acc "${@: -1}" acc; printf "%s\\n" "${COMPREPLY[@]}"'
    for words, offered in (
        (["acc", "comp"], {"compile", "compare", "completion"}),
        (["acc", "doctor", "--pr"], {"--prune"}),
    ):
        command = ["bash", "-c", probe, "bash", str(tmp_path / "acc.sh"), *words]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert offered <= set(run.stdout.split()), run


def test_completion_without_its_package(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert "pip install" in capsys.readouterr().err
