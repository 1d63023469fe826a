"""Compiling in a process of its own, whose memory goes with it.

The compiler is some 130 MB of code and data, as much as what calibrates a large network takes beyond its weights.
Running what was compiled needs none of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import onnx

from acc.errors import ModelError, NeedsShape, NeedsValue
from acc.executable import Executable

__all__ = ["compile_apart"]

_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from acc.apart import main; main(sys.argv[2])"

_REFUSED = 3
"""The exit code that says that the reason is in a file."""


def compile_apart(model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Executable:
    """As `acc.compile`, for native code and the model's own inputs."""
    with tempfile.TemporaryDirectory(prefix="acc-compile-") as name:
        folder = Path(name)
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        (folder / "shapes.json").write_text(json.dumps({key: list(sizes) for key, sizes in (shapes or {}).items()}))
        arguments = [sys.executable, "-c", _START, json.dumps(sys.path), name]
        done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode == 0:
            return Executable(folder / "model.so")
        if done.returncode == _REFUSED:
            raise _read_error(json.loads((folder / "error.json").read_text()))
    # What went wrong there goes wrong here, too, where it can be told; or it was a matter of that process.
    from acc.compiler import compile

    return compile(model, shapes=shapes)


def _read_error(error: Mapping[str, object]) -> ModelError:
    message, inputs, values = str(error["message"]), _names(error["inputs"]), _names(error["values"])
    if error["kind"] == "NeedsShape":
        return NeedsShape(message, inputs, values)
    return NeedsValue(message, inputs) if error["kind"] == "NeedsValue" else ModelError(message)


def _names(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def main(name: str) -> None:
    """What the other process does: compiles the model of a folder, and leaves the result, or the reason, there."""
    from acc.compiler import compile_contents
    from acc.container import write_model

    folder = Path(name)
    shapes = {key: tuple(sizes) for key, sizes in json.loads((folder / "shapes.json").read_text()).items()}
    try:
        compilation = compile_contents(onnx.load(folder / "model.onnx"), shapes=shapes or None)
    except ModelError as error:
        reason = {
            "kind": type(error).__name__,
            "message": str(error),
            "inputs": list(getattr(error, "inputs", ())),
            "values": list(getattr(error, "values", ())),
        }
        (folder / "error.json").write_text(json.dumps(reason))
        sys.exit(_REFUSED)
    write_model(folder / "model.so", compilation.contents, sync=False)
