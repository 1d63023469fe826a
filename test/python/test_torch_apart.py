"""The tests that want PyTorch, in an environment of their own: it is too large for the one of all the others."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import subprocess
import tomllib
import venv

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TORCH = "torch==2.13.0+cpu"
"""192 MB; the package index's own wheels are for CUDA, 0.9 GB and as much as 3 GB of libraries besides."""
INDEX = "https://download.pytorch.org/whl/cpu"
TESTS = ("test_torch.py", "test_tutorials.py")


def environment() -> pathlib.Path:
    """Its Python; made once, and again when what it has to hold changes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [TORCH, *project["dependencies"], *extras["torch"], *extras["demo"], "pytest>=8", "hypothesis"]
    folder = ROOT / "build" / "environments" / "torch"
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text() != " ".join(wanted):
        venv.create(folder, clear=True, with_pip=True)
        command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--extra-index-url", INDEX, *wanted]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if "No matching distribution" in done.stderr:
            pytest.skip(f"pip does not reach an index that has {TORCH}")
        assert done.returncode == 0, done.stderr[-2000:]
        stamp.write_text(" ".join(wanted))
    return folder / "bin" / "python"


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="they run where PyTorch is installed")
def test_with_pytorch() -> None:
    command = [environment(), "-m", "pytest", "-q", "-rs", *(ROOT / "test" / "python" / name for name in TESTS)]
    paths = {"PYTHONPATH": str(ROOT / "python")}
    done = subprocess.run(
        [*command, "-k", "torch"], cwd=ROOT, env={**os.environ, **paths}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "passed" in done.stdout and "skipped" not in done.stdout, done.stdout[-4000:]
