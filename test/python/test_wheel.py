"""The wheels, where nothing of LLVM can be found: in environments of their own, and in a system that has only Python.

Slow, since a wheel is built if dist/ has none for a version of Python that is newer than the sources: run
make test-long. There are wheels for the versions that this machine has.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import runpy
import shutil
import subprocess
import sys
from collections.abc import Mapping

import numpy as np
import onnx
import pytest

from c_programs import check_example

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ("python", "passes", "dialects", "runtime", "cmake", "tools", "hardware", "pyproject.toml", "CMakeLists.txt")
VERSIONS = ("python3.11", "python3.12", "python3.13")

COMMANDS = """
acc --version
acc doctor
acc info digits.onnx
acc compile digits.onnx -o cpu.so
acc run cpu.so --input x.npy -o cpu.npz
acc quantize digits.onnx --data data.npz --target vta -o quantized.onnx
acc info quantized.onnx --target vta
acc compile quantized.onnx --target vta -o vta.so
acc compile quantized.onnx -o native.so
acc run vta.so --input x.npy -o vta.npz
acc run native.so --input x.npy -o native.npz
acc profile vta.so --device csim
acc import digits.onnx -o digits.mlir
acc-opt digits.mlir -o again.mlir
acc config --json
"""

MAPPED = """
import os, numpy, acc, acc.mlir.ir
acc.compile("digits.onnx")
ours = ("LLVM", "MLIR", "libacc", "libz3")
with open("/proc/self/maps") as maps:
    print(*{line.split()[-1] for line in maps if any(name in line for name in ours)})
"""


@dataclasses.dataclass(frozen=True)
class Wheel:
    """A wheel and an interpreter that it is for."""

    path: pathlib.Path
    python: pathlib.Path


def find_python(name: str) -> pathlib.Path | None:
    """An interpreter that extensions can be built against, where `make wheel` looks for them."""
    return runpy.run_path(str(ROOT / "scripts" / "wheel.py"))["find"](name)


@pytest.fixture(scope="module", params=VERSIONS)
def wheel(request: pytest.FixtureRequest) -> Wheel:
    """The wheel for a version of Python."""
    python = find_python(request.param)
    if python is None:
        pytest.skip(f"this machine has no {request.param} with headers")
    tag = request.param.replace("python3.", "cp3")
    newest = max(
        path.stat().st_mtime
        for part in SOURCES
        for path in ([ROOT / part] if (ROOT / part).is_file() else (ROOT / part).rglob("*"))
        if path.is_file() and not {"__pycache__", "_lib", "_mlir_libs"} & set(path.parts)
    )
    found = [path for path in (ROOT / "dist").glob(f"*-{tag}-{tag}-*.whl") if path.stat().st_mtime > newest]
    if not found:
        command = [sys.executable, ROOT / "scripts" / "wheel.py", "--no-sdist", "--python", python]
        subprocess.run(command, check=True, cwd=ROOT)
        found = list((ROOT / "dist").glob(f"*-{tag}-{tag}-*.whl"))
    return Wheel(max(found, key=lambda path: path.stat().st_mtime), python)


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with the model of the demo, and data for it."""
    shutil.copy(ROOT / "demo" / "digits.onnx", tmp_path)
    (entry,) = onnx.load(tmp_path / "digits.onnx").graph.input
    shape = [size.dim_value or 1 for size in entry.type.tensor_type.shape.dim]
    rng = np.random.default_rng(1)
    np.save(tmp_path / "x.npy", rng.random(shape, dtype=np.float32))
    np.savez(tmp_path / "data.npz", **{entry.name: rng.random((64, *shape[1:]), dtype=np.float32)})
    return tmp_path


def run_all(prefix: list[str], environment: Mapping[str, str], folder: pathlib.Path) -> None:
    """Runs the commands; the accelerator's results and native ones are equal."""
    for line in COMMANDS.strip().splitlines():
        done = subprocess.run(
            [*prefix, *line.split()], env=environment, cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    vta, native = np.load(folder / "vta.npz"), np.load(folder / "native.npz")
    assert vta.files == native.files
    for name in vta.files:
        np.testing.assert_array_equal(vta[name], native[name])


@pytest.mark.long
def test_in_an_environment_of_its_own(wheel: Wheel, folder: pathlib.Path, tmp_path: pathlib.Path):
    venv = tmp_path / "venv"
    subprocess.run([wheel.python, "-m", "venv", venv], check=True)
    subprocess.run([venv / "bin" / "pip", "install", "--quiet", wheel.path], check=True)
    environment = {"PATH": str(venv / "bin"), "HOME": str(tmp_path)}
    run_all(["/usr/bin/env"], environment, folder)
    maps = subprocess.run(
        [venv / "bin" / "python", "-c", MAPPED], env=environment, cwd=folder, capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(maps) > 4 and all(path.startswith(str(venv)) for path in maps), maps
    check_example(folder, "cpu.so", "acc", {**environment, "PATH": f"{venv / 'bin'}:{os.environ['PATH']}"})


@pytest.mark.long
def test_in_a_system_that_has_only_python(wheel: Wheel, folder: pathlib.Path, tmp_path: pathlib.Path):
    if os.getuid() != 0 or shutil.which("debootstrap") is None:
        pytest.skip("debootstrap makes the system, as root")
    if "-cp311-" not in wheel.path.name:
        pytest.skip("Debian 12 has Python 3.11")
    root = tmp_path / "root"
    packages = "--include=python3,python3-venv,ca-certificates"
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", packages, "bookworm", root], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
    # Programs find their libraries by their own place, for which the loader asks /proc.
    subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)
    try:
        # pip runs outside, where the package index is reached; the system sees files only.
        wheels = root / "wheels"
        subprocess.run([wheel.python, "-m", "pip", "download", "--quiet", "-d", wheels, wheel.path], check=True)
        bare = ["chroot", str(root), "/usr/bin/env", "-i", "HOME=/root", "PATH=/venv/bin:/usr/bin:/bin"]
        subprocess.run([*bare, "python3", "-m", "venv", "/venv"], check=True)
        install = ["pip", "install", "--quiet", "--no-index", "--find-links", "/wheels", "acc-compiler"]
        subprocess.run([*bare, *install], check=True)
        shutil.copytree(folder, root / "work", ignore=shutil.ignore_patterns("root"))
        run_all([*bare, "env", "--chdir=/work"], {"PATH": os.environ["PATH"]}, root / "work")
        # Processes come and go in /proc meanwhile.
        folders = [path for path in root.iterdir() if path.name != "proc"]
        left = [path for folder in folders for path in folder.rglob("*LLVM*.so*") if "venv" not in path.parts]
        assert not left, left
    finally:
        subprocess.run(["umount", "--lazy", root / "proc"], check=True)
        shutil.rmtree(root, ignore_errors=True)
