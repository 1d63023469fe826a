"""Models as C: made, compiled by a C compiler, and called."""

from __future__ import annotations

import ctypes
import pathlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from acc.cli import main
from acc.dtypes import BY_NAME

ROOT = pathlib.Path(__file__).resolve().parents[2]

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
        library = made / f"{prefix}.{compiler}{''.join(flags)}.so".replace(" ", "")
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


def draw(executable, seed: int = 0) -> dict[str, np.ndarray]:
    """Random inputs of a model: normal floats, small integers."""
    rng = np.random.default_rng(seed)
    return {
        info.name: rng.normal(0, 1, info.fixed_shape).astype(info.dtype)
        if info.dtype.startswith("float")
        else rng.integers(0, 100, info.fixed_shape).astype(info.dtype)
        for info in executable.inputs
    }


BARE_PROCESSORS = {"rv32imc": ("ilp32", "qemu-system-riscv32"), "rv64gc": ("lp64d", "qemu-system-riscv64")}
"""By the name of a processor without an operating system: how functions are called on it, and what runs it."""


def run_bare(made: pathlib.Path, executable, inputs: Mapping[str, np.ndarray], processor: str) -> dict[str, np.ndarray]:
    """Outputs by name, of a model in C in a program for a processor without an operating system, run by qemu.

    What is around it is that of examples/bare_metal.
    """
    name = next(made.glob("*.c")).stem
    given = [np.ascontiguousarray(inputs[info.name]) for info in executable.inputs]
    results = {info.name: np.zeros(info.fixed_shape, BY_NAME[info.dtype].dtype) for info in executable.outputs}
    lines = [f'#include "{name}.h"', f"static {name.upper()}_ARENA(arena);"]
    for number, array in enumerate(given):
        data = ", ".join(map(str, array.tobytes()))
        lines.append(f"static const _Alignas(8) unsigned char in{number}[] = {{{data}}};")
    lines += [
        f"static _Alignas(8) unsigned char out{number}[{array.nbytes}];"
        for number, array in enumerate(results.values())
    ]
    arguments = [f"(const void *)in{number}" for number in range(len(given))]
    arguments += [f"(void *)out{number}" for number in range(len(results))]
    lines += [
        'static void put(unsigned x) { *(volatile unsigned char *)0x10000000 = (unsigned char)"0123456789abcdef"[x]; }',
        "static void print(const unsigned char *data, unsigned count) {",
        "  for (unsigned i = 0; i < count; ++i) {",
        "    put(data[i] >> 4);",
        "    put(data[i] & 15);",
        "  }",
        "}",
        "int main(void) {",
        f"  if ({name}_run({', '.join(arguments)}, arena)) return 1;",
        *(f"  print(out{number}, sizeof out{number});" for number in range(len(results))),
        "  return 0;",
        "}",
    ]
    folder = made.parent / f"{made.name}_{processor}"
    shutil.copytree(ROOT / "examples" / "bare_metal", folder)
    shutil.copytree(made, folder / name)
    (folder / "main.c").write_text("\n".join(lines) + "\n")
    abi, qemu = BARE_PROCESSORS[processor]
    command = ["make", "-s", "run", f"NAME={name}", "MODEL=", f"ARCH={processor}", f"ABI={abi}", f"QEMU={qemu}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120)
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()
    data, start = bytes.fromhex(done.stdout.decode()), 0
    for info in executable.outputs:
        array = results[info.name]
        array[...] = np.frombuffer(data[start : start + array.nbytes], array.dtype).reshape(array.shape)
        start += array.nbytes
    assert start == len(data)
    return results
