"""Targets stay in their rooms: what no compiler checks of who may know whom (docs/architecture.md)."""

from __future__ import annotations

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Where a target may be named outside of its rooms: registration, and nothing else.
REGISTRATION = {
    "passes/Registration.cpp",
    "pyproject.toml",
    "python/acc/devices.py",
    "python/acc/targets/__init__.py",
    "runtime/device/Devices.cpp",
}
ELSEWHERE = ("docs/", "test/", "README.md", "examples/", "benchmarks/", "demo/", "hardware/", "mkdocs.yml")


def sources() -> list[str]:
    """The files of the repository, by their paths in it; skips the test outside of a checkout that git can read."""
    try:
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if listed.returncode != 0:
        pytest.skip(listed.stderr.strip() or "git cannot list the files")
    return [path for path in listed.stdout.splitlines() if (ROOT / path).is_file()]


def test_only_registration_names_a_target() -> None:
    naming = set()
    for path in sources():
        if path.startswith(ELSEWHERE) or re.search(r"(^|/)vta(/|\.)|/VTA/", path, re.IGNORECASE):
            continue
        if re.search(rb"\bvta\b", (ROOT / path).read_bytes(), re.IGNORECASE):
            naming.add(path)
    assert naming <= REGISTRATION


def test_common_passes_include_no_target() -> None:
    for path in sources():
        if re.match(r"passes/(TE|Graph|Support)/.*\.(cpp|h|td)$", path):
            included = re.findall(r'include "((?:dialects|passes)/\w+)', (ROOT / path).read_text())
            assert set(included) <= {f"{a}/{b}" for a in ("dialects", "passes") for b in ("TE", "Graph", "Support")}, (
                path
            )
