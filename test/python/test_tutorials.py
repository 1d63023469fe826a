"""The tutorials do what they say: their blocks of code are run in turn, in a folder that looks like a checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

TUTORIALS = ROOT / "docs" / "tutorials"

# What a tutorial needs that `make test` does not install; where it is missing, the tutorial is not run.
NEEDS = {"pytorch": ("torch", "onnxscript")}

# Those that take more than a few seconds.
LONG = {"profile"}


def script(text: str, folder: Path) -> str:
    """All blocks as one Python program; those of the shell are started from it, and end it when they fail."""
    parts = []
    for number, (language, block) in enumerate(re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)):
        assert language in ("python", "bash"), f"a block of {language} cannot be run"
        if language == "python":
            parts.append(block)
        else:
            file = folder / f"{number}.sh"
            file.write_text(f"set -eu\n{block}")
            parts.append(f"__import__('subprocess').run(['bash', {str(file)!r}], check=True)\n")
    return "\n".join(parts)


def prepared(folder: Path) -> dict[str, str]:
    """Makes the folders of a checkout that tutorials use visible in `folder`, and acc's commands on the path."""
    for name in ("demo", "examples"):
        (folder / name).symlink_to(ROOT / name)
    commands, site = folder / "bin", folder / "site"
    commands.mkdir()
    # It must be there when Python starts, which would not look for it again.
    site.mkdir()
    wrappers = {"acc": "-m acc", "pip": "-m pip --disable-pip-version-check"}
    for name, module in wrappers.items():
        # What pip installs goes to a folder of the test's own.
        install = f' install --target "{site}" "${{@:2}}"' if name == "pip" else ' "$@"'
        (commands / name).write_text(f'#!/bin/bash\nexec "{sys.executable}" {module}{install}\n')
        (commands / name).chmod(0o755)
    (commands / "acc-opt").symlink_to(ROOT / "python" / "acc" / "_lib" / "acc-opt")
    paths = [ROOT / "python", ROOT / "demo", site]
    return {
        **os.environ,
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
    }


def tutorials() -> list[object]:
    names = sorted(path.stem for path in TUTORIALS.glob("*.md"))
    return [pytest.param(name, marks=[pytest.mark.long] if name in LONG else [], id=name) for name in names]


@pytest.mark.parametrize("name", tutorials())
def test_tutorial(name: str, tmp_path: Path) -> None:
    for package in NEEDS.get(name, ()):
        pytest.importorskip(package)
    environment = prepared(tmp_path)
    program = tmp_path / "tutorial.py"
    program.write_text(script((TUTORIALS / f"{name}.md").read_text(), tmp_path))
    command = [sys.executable, program]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert result.returncode == 0, f"{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
