"""A broken ONNX file ends in one message and exit code 2, or compiles to what runs: never in anything else.

Every case runs in a child process with a limit on memory and time, so that a crash, a hang or a huge allocation
is a failure with a seed.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import pathlib
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest

import acc
from acc.cli import main
from onnx_mutations import broken_file

SECONDS = 120
MEMORY = 12 << 30
# Larger tensors are legal but take longer than a test should.
MOST_ELEMENTS = 1 << 22


def verdict(seed: int, folder: pathlib.Path) -> str:
    """What is wrong with how a file was treated; empty if nothing."""
    data, target = broken_file(seed)
    path, output = folder / "model.onnx", folder / "model.so"
    path.write_bytes(data)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["compile", str(path), "-o", str(output), "--target", target])
    if out.getvalue():
        return f"printed {out.getvalue()[:200]!r}"
    if code == 2:
        if not err.getvalue().startswith("acc: error: ") or "fault of acc" in err.getvalue():
            return f"no message for users: {err.getvalue()[:400]!r}"
        return "left an output" if output.exists() else ""
    if code or err.getvalue():
        return f"code {code}, {err.getvalue()[:400]!r}"
    try:
        with acc.load(output) as model:
            if sum(math.prod(info.shape) for info in (*model.inputs, *model.outputs)) < MOST_ELEMENTS:
                model.run({info.name: np.ones(info.shape, info.dtype) for info in model.inputs})
    except acc.ModelFileError as error:
        return "" if "reserve" in str(error) else str(error)
    finally:
        output.unlink()
    return ""


def run_child(first: int, last: int, folder: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for seed in range(first, last):
        signal.alarm(SECONDS)
        print(f"seed {seed}", flush=True)
        if problem := verdict(seed, pathlib.Path(folder)):
            print(problem)
            os._exit(1)
    os._exit(0)


def check(first: int, last: int, folder: pathlib.Path) -> None:
    command = [sys.executable, __file__, str(first), str(last), str(folder)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    lines = done.stdout.splitlines()
    at = max((index for index, line in enumerate(lines) if line.startswith("seed ")), default=0)
    assert done.returncode == 0, "\n".join([*lines[at:], f"exit code {done.returncode}", done.stderr[-2000:]])


def test_broken_files(tmp_path: pathlib.Path) -> None:
    check(0, 60, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("first", range(1000, 4000, 250))
def test_broken_files_long(first: int, tmp_path: pathlib.Path) -> None:
    check(first, first + 250, tmp_path)


if __name__ == "__main__":
    run_child(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
