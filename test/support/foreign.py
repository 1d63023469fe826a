"""Runs models that were compiled for other processors, in QEMU's emulation of programs (package qemu-user).

The runtime is built for them by scripts/runtime_cross.sh, and examples/run_npy.c gives it arrays and takes them back.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx

from acc.compiler import Compilation, compile_contents
from acc.container import read_model, write_model

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Processor:
    """A processor that models are compiled for, and what QEMU calls the one that runs them.

    cpu, features, triple: as for `acc.compile`. emulated: QEMU's name.
    """

    name: str
    triple: str
    cpu: str
    features: str = ""
    emulated: str = "max"

    def __str__(self) -> str:
        return self.name

    @property
    def is_here(self) -> bool:
        """Whether the packages are installed that programs for it are built and run with."""
        return bool(shutil.which(self._qemu)) and Path(f"/usr/{self.triple}/include/c++").is_dir()

    @property
    def _qemu(self) -> str:
        return f"qemu-{self.triple.split('-')[0]}"

    def command(self) -> list[str]:
        """What runs a program of this processor, up to the program."""
        return [self._qemu, "-cpu", self.emulated, "-L", f"/usr/{self.triple}"]

    def compile(self, model: onnx.ModelProto | str, **options: object) -> Compilation:
        return compile_contents(model, cpu=self.cpu, cpu_features=self.features, triple=self.triple, **options)  # type: ignore[arg-type]

    def run(
        self, model: onnx.ModelProto | str, inputs: Mapping[str, np.ndarray], **options: object
    ) -> dict[str, np.ndarray]:
        """Compiles a model and runs it on arrays by input name; returns arrays by output name."""
        with tempfile.TemporaryDirectory(prefix="acc-foreign-") as folder:
            path = Path(folder, "model.so")
            write_model(path, self.compile(model, **options).contents, sync=False)
            return run_file(path, self, inputs)


PROCESSORS = (
    Processor("aarch64", "aarch64-linux-gnu", "generic", emulated="cortex-a53"),
    Processor("aarch64-dotprod", "aarch64-linux-gnu", "cortex-a76", emulated="cortex-a76"),
    Processor("riscv64", "riscv64-linux-gnu", "generic", emulated="rv64"),
    Processor("riscv64-v", "riscv64-linux-gnu", "generic", "+v", "rv64,v=true,vext_spec=v1.0,vlen=128"),
)
"""The kinds of code that there are: without a dot product and with one, without vectors and with them."""

MORE = (
    Processor("neoverse-v1", "aarch64-linux-gnu", "neoverse-v1"),
    Processor("riscv64-v256", "riscv64-linux-gnu", "generic", "+v,+zvl256b", "rv64,v=true,vext_spec=v1.0,vlen=256"),
    Processor("sifive-u74", "riscv64-linux-gnu", "sifive-u74", emulated="rv64,zba=true,zbb=true"),
)
"""Processors with more than that: wider vectors, SVE, which LLVM may use where acc does not."""


@lru_cache
def runtime(triple: str) -> Path:
    """The folder of the runtime for a triple, with the program run_npy in it; built if need be."""
    done = subprocess.run([ROOT / "scripts" / "runtime_cross.sh", triple], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = ROOT / "build" / f"runtime-{triple}"
    program = folder / "run_npy"
    source = ROOT / "examples" / "run_npy.c"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        command = ["clang-22", f"--target={triple}", "-O2", "-Wall", "-Wextra", "-Werror", "-fuse-ld=lld", str(source)]
        command += ["-I", str(ROOT / "runtime" / "include"), "-L", str(folder), "-lacc_runtime", "-Wl,-rpath,$ORIGIN"]
        subprocess.run([*command, "-o", str(program)], check=True)
    return folder


def start(path: Path, processor: Processor, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs the program run_npy on a compiled model."""
    command = [*processor.command(), str(runtime(processor.triple) / "run_npy"), str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def run_file(path: Path, processor: Processor, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Runs a compiled model; inputs and results by name."""
    model = read_model(path)
    with tempfile.TemporaryDirectory(prefix="acc-foreign-") as folder:
        arguments = [f"{folder}/out"]
        for index, info in enumerate(model.inputs):
            array = np.asarray(inputs[info.name], order="C")
            # What numpy has no name for is bytes.
            np.save(f"{folder}/in{index}.npy", array.view(f"V{array.itemsize}") if array.dtype.kind == "V" else array)
            arguments.append(f"{folder}/in{index}.npy")
        done = start(path, processor, arguments)
        assert done.returncode == 0, f"{processor}: {done.returncode} {done.stderr}"
        results: dict[str, np.ndarray] = {}
        for index, info in enumerate(model.outputs):
            array = np.load(f"{folder}/out{index}.npy")
            if array.dtype.kind == "V":
                array = array.view(getattr(ml_dtypes, info.dtype))
            results[info.name] = array
        return results
