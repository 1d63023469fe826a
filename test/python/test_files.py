"""Files are written whole or not at all, whatever ends the writing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from acc import files
from acc.errors import RunError
from acc.files import replacing


@pytest.mark.parametrize("unnamed", [True, False])
def test_replaces(tmp_path: Path, unnamed: bool, monkeypatch: pytest.MonkeyPatch):
    if not unnamed:
        monkeypatch.setattr(files.os, "O_TMPFILE", os.O_DIRECTORY)
    target = tmp_path / "file"
    for text in (b"first", b"second"):
        with replacing(target) as file:
            file.write(text)
        assert target.read_bytes() == text
    mask = os.umask(0)
    os.umask(mask)
    assert target.stat().st_mode & 0o777 == 0o666 & ~mask
    with pytest.raises(ZeroDivisionError), replacing(target) as file:
        file.write(b"third")
        _ = 1 // 0
    assert target.read_bytes() == b"second"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_errors_name_the_file(tmp_path: Path):
    for target in (tmp_path / "no" / "file", tmp_path, Path("/dev/full/file"), Path("/proc/file")):
        with pytest.raises(RunError, match=f"cannot write '{target}'"), replacing(target, RunError) as file:
            file.write(b"text")
    assert not list(tmp_path.iterdir())


def test_links_stay_and_devices_are_written_to(tmp_path: Path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with replacing(tmp_path / "link") as file:
        file.write(b"text")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_bytes() == b"text"
    (tmp_path / "null").symlink_to("/dev/null")
    with replacing(tmp_path / "null") as file:
        file.write(b"text")
    assert Path("/dev/null").is_char_device()
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(RunError, match=r"No space.*acc doctor"), replacing(tmp_path / "full", RunError) as file:
        file.write(b"text")
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("path", [None, 5, "a\0b", b"bytes"])
def test_what_is_no_path(path: object):
    with pytest.raises(RunError, match="not a path"), replacing(path, RunError) as file:  # type: ignore[arg-type]
        file.write(b"text")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_killed_process_leaves_nothing(tmp_path: Path, number: signal.Signals):
    code = """
import sys, time
from acc.files import replacing
with replacing(sys.argv[1]) as file:
    file.write(b"x" * 100000)
    file.flush()
    print("writing", flush=True)
    time.sleep(60)
"""
    target = tmp_path / "file"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(target)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        # Jobs in the background of a shell ignore interrupts, and so do their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None and process.stdout.readline() == b"writing\n"
    time.sleep(0.05)
    process.send_signal(number)
    process.wait()
    process.stdout.close()
    assert not list(tmp_path.iterdir())
