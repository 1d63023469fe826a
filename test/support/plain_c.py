"""Models as C: made, compiled by a C compiler, and called."""

from __future__ import annotations

import ctypes
import pathlib
import subprocess
from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from acc.cli import main
from acc.dtypes import BY_NAME

STRICT = ("-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror")
"""The flags without which no source is compiled: it has no warning."""


def write_source(
    model: onnx.ModelProto, folder: pathlib.Path, name: str = "m", options: Sequence[str] = ()
) -> pathlib.Path:
    """Makes C of a model, in a new folder below `folder`; returns that folder."""
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    made = folder / f"{name}_c"
    assert main(["compile", str(path), "--target", "c", "-o", str(made), *options]) == 0
    return made


class Source:
    """A model in C as a function of arrays.

    signature: the inputs and outputs of the model, as `Executable` has them.
    """

    def __init__(self, made: pathlib.Path, executable, compiler: str = "gcc", flags: Sequence[str] = ("-O1",)) -> None:
        self.text = next(made.glob("*.c"))
        prefix = self.text.stem
        header = (made / f"{prefix}.h").read_text()
        self.arena_bytes = int(header.split("_ARENA_BYTES ")[1].split()[0])
        library = made / f"{prefix}.{compiler}.so"
        command = [compiler, *STRICT, *flags, "-shared", "-fPIC", str(self.text), "-o", str(library), "-lm"]
        compiled = subprocess.run(command, capture_output=True, text=True)
        assert compiled.returncode == 0, compiled.stderr[:2000]
        self._run = getattr(ctypes.CDLL(str(library)), f"{prefix}_run")
        self._inputs, self._outputs = executable.inputs, executable.outputs

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name; the arena is full of rubbish before."""
        given = [np.ascontiguousarray(inputs[info.name]) for info in self._inputs]
        results = {info.name: np.zeros(info.fixed_shape, BY_NAME[info.dtype].dtype) for info in self._outputs}
        arena = np.full(self.arena_bytes + 16, 0xA5, np.uint8)
        start = arena.ctypes.data + -arena.ctypes.data % 16
        pointers = [array.ctypes.data for array in (*given, *results.values())]
        status = self._run(*map(ctypes.c_void_p, [*pointers, start]))
        assert status == 0, f"check {status} does not hold"
        assert np.all(arena[start - arena.ctypes.data + self.arena_bytes :] == 0xA5)
        return results
