"""Builds the simulator of a circuit (tsim): RTL -> Verilator -> C++ -> a shared object, kept per configuration.

Simulators lie in the user's cache folder under a name derived from everything they are made of, so that a change of
the RTL, the configuration, the tools or the processor makes a new one, and nothing else does.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import importlib.resources
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from acc.caches import mark_used
from acc.devices import Preparation
from acc.files import replacing
from acc.hardware.package import Circuit, package
from acc.hardware.toolchain import COMPILER_REMEDY, REMEDY, ToolError, compiler, started, verilator
from acc.machine import processor

# No clocked register is read before reset gave it a value, so that its first value need not be any in particular.
VERILATE = ("--cc", "--no-timing", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert", "-Wno-fatal")
CACHE_REMEDY = "let XDG_CACHE_HOME name a folder that can be written to"
# The C++ compiler's level; tests of small circuits save time with less.
DEFAULT_OPTIMIZE = 3
DEFINES = ("VM_COVERAGE=0", "VM_SC=0", "VM_TIMING=0", "VM_TRACE_VCD=0", "VM_TRACE_SAIF=0", "VL_THREADED=0")


def sources() -> Path:
    """The folder of `rtl`, `sim` and the headers: beside the package where it is installed, or in the source tree."""
    package_folder = Path(str(importlib.resources.files("acc")))
    for folder in (package_folder / "_hardware", package_folder.parents[1] / "hardware"):
        if (folder / "rtl").is_dir():
            return folder
    raise ToolError("the RTL, which a simulator of the circuit is built from, is not part of this installation")


def _headers(folder: Path) -> Path:
    inside = folder / "include"
    return inside if inside.is_dir() else folder.parent / "runtime" / "include"


def _generated() -> Path:
    """The folder of the header that is made of the description of the instruction set, register numbers."""
    return Path(str(importlib.resources.files("acc"))) / "_lib" / "include"


def cache_folder() -> Path:
    """Where simulators are kept: $XDG_CACHE_HOME/acc/tsim, or ~/.cache/acc/tsim; relative folders do not count."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if base.is_absolute():
        return base / "acc" / "tsim"
    try:
        return Path.home() / ".cache" / "acc" / "tsim"
    except RuntimeError:
        raise ToolError(f"there is no home folder to keep simulators in: {CACHE_REMEDY}") from None


def _run(command: list[str], folder: Path, what: str, remedy: str, environment: dict[str, str] | None = None) -> None:
    try:
        with started(command, folder, environment) as tool:
            output, _ = tool.communicate()
    except OSError as error:
        raise ToolError(f"cannot run '{command[0]}': {error.strerror}") from None
    if tool.returncode != 0:
        lines = [line for line in output.splitlines() if line.strip()]
        errors = [line for line in lines if "rror" in line] or lines[-5:]
        if any("lz4.h" in line or "zlib.h" in line for line in errors):
            raise ToolError(
                "waveforms need the headers of lz4 and zlib, which are missing: apt-get install liblz4-dev zlib1g-dev"
            )
        said = "; ".join(errors[:3]) or f"'{command[0]}' ended with {_status(tool.returncode)}: {remedy}"
        if os.strerror(errno.ENOSPC) in said:
            said += ": let TMPDIR name a folder with room"
        raise ToolError(f"building the simulator of the circuit failed: {what}: {said}")


def _status(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def _make(command: list[str], made: Path, what: str) -> None:
    """Runs the C++ compiler, which writes the file `made` in its folder; a compiler that does not is at fault."""
    _run([*command, "-o", made.name], made.parent, what, COMPILER_REMEDY)
    try:
        with open(made, "rb") as file:
            if file.read(4) == b"\x7fELF":
                return
    except FileNotFoundError:
        pass
    raise ToolError(
        f"building the simulator of the circuit failed: {what}: '{command[0]}' ended well, but made no object file: "
        f"{COMPILER_REMEDY}"
    )


# What is kept has a digest of itself at its end, where neither linker nor loader looks: a file that was cut or changed
# is made again.
_DIGEST = hashlib.sha256().digest_size


def _keep(made: Path, target: Path) -> None:
    data = made.read_bytes()
    with replacing(target, ToolError) as file:
        file.write(data + hashlib.sha256(data).digest())


def _intact(path: Path) -> bool:
    try:
        data = path.read_bytes()
    except OSError:
        return False
    return hashlib.sha256(data[:-_DIGEST]).digest() == data[-_DIGEST:]


@contextlib.contextmanager
def _workplace() -> Iterator[Path]:
    """A folder to build in, which vanishes."""
    try:
        with tempfile.TemporaryDirectory(prefix="acc-tsim-") as work:
            yield Path(work)
    except OSError as error:
        raise ToolError(
            f"cannot build the simulator of the circuit in '{tempfile.gettempdir()}': {error.strerror or error}: let "
            "TMPDIR name a folder with room"
        ) from None


class Progress:
    """Says on a terminal what takes so long; silent elsewhere."""

    def __init__(self, name: str) -> None:
        self.name, self.start, self.shown = name, time.monotonic(), sys.stderr.isatty()

    def step(self, what: str) -> None:
        if self.shown:
            seconds = time.monotonic() - self.start
            print(f"\r\x1b[Kbuilding the simulator of {self.name}: {what} ({seconds:.0f} s)", end="", file=sys.stderr)

    def clear(self) -> None:
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Only one process at a time builds the same thing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a")  # noqa: SIM115
    except OSError as error:
        raise ToolError(f"cannot keep simulators in '{path.parent}': {error.strerror}: {CACHE_REMEDY}") from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def compiler_flags(optimize: int, trace: bool) -> list[str]:
    """What the C++ compiler is told of all that belongs to a simulator."""
    include = verilator().include
    defines = (*DEFINES, f"VM_TRACE={int(trace)}", f"VM_TRACE_FST={int(trace)}")
    return [
        *(f"-O{optimize}", "-march=native", "-std=c++20", "-fPIC", "-w"),
        *(f"-I{include}", f"-I{include}/vltstd"),
        *(f"-D{define}" for define in defines),
    ]


def support_objects(flags: list[str], trace: bool, progress: Progress) -> list[Path]:
    """Verilator's own run-time code as objects, which all simulators share."""
    tool = verilator()
    names = ["verilated", "verilated_threads", *(["verilated_fst_c"] if trace else [])]
    cxx, cxx_version = compiler()
    digest = hashlib.sha256("\0".join([tool.version, cxx_version, *flags]).encode()).hexdigest()[:16]
    folder = cache_folder() / f"verilated-{digest}"
    objects = [folder / f"{name}.o" for name in names]
    with _locked(folder / "lock"), _workplace() as work:
        for name, target in zip(names, objects, strict=True):
            if _intact(target):
                mark_used(target)
                continue
            progress.step(f"compiling {name}")
            made = work / target.name
            _make([cxx, *flags, "-c", os.fspath(tool.include / f"{name}.cpp")], made, f"compiling {name}")
            _keep(made, target)
    return objects


def build(config: Any, circuit: Circuit | None = None, *, trace: bool = False, optimize: int | None = None) -> Path:
    """The shared object that simulates the circuit of `config` (an `acc._lib._runtime.Config`), built if need be.

    `optimize` is the C++ compiler's level; `trace` makes a slower simulator that can write waveforms. Raises
    ConfigError for a configuration that cannot be a circuit, ToolError if a tool is missing or fails.
    """
    circuit = circuit or Circuit()
    optimize = DEFAULT_OPTIMIZE if optimize is None else optimize
    text = package(config, circuit, gate_idle=True)
    folder = sources()
    rtl = sorted((folder / "rtl").glob("acc_*.sv"))
    if circuit.dsp_blocks is not None:
        rtl += [folder / "synth" / "ecp5_cells.sv", *sorted((folder / "synth").glob("acc_ecp5_*.sv"))]
    harness = folder / "sim" / "harness.cpp"
    headers = _headers(folder)
    tool, (_, cxx_version) = verilator(), compiler()
    flags = compiler_flags(optimize, trace)
    digest = hashlib.sha256()
    for part in (text, tool.version, cxx_version, processor("flags"), *VERILATE, *flags):
        digest.update(part.encode() + b"\0")
    for path in (
        *rtl,
        harness,
        *sorted(headers.rglob("circuit.h")),
        *sorted(_generated().rglob("circuit_registers.h")),
    ):
        digest.update(path.read_bytes() + b"\0")
    name = f"{config.batch}x{config.block_in}x{config.block_out}-{digest.hexdigest()[:20]}"
    target = cache_folder() / f"{name}.so"
    if _intact(target):
        mark_used(target)
        return target
    progress = Progress(name.partition("-")[0])
    try:
        support = support_objects(flags, trace, progress)
        with _locked(target.with_suffix(".lock")):
            if not _intact(target):
                with _workplace() as work:
                    _compile(work, text, rtl, harness, headers, flags, support, circuit, trace, target, progress)
    finally:
        progress.clear()
    return target


def _compile(
    work: Path,
    text: str,
    rtl: list[Path],
    harness: Path,
    headers: Path,
    flags: list[str],
    support: list[Path],
    circuit: Circuit,
    trace: bool,
    target: Path,
    progress: Progress,
) -> None:
    tool, (cxx, _) = verilator(), compiler()
    (work / "acc_pkg.sv").write_text(text)
    progress.step("translating the RTL")
    tracing = ["--trace-fst", "--trace-structs"] if trace else []
    # As on the FPGA: see acc_mul.
    defines = ["-DACC_ECP5"] if circuit.dsp_blocks is not None else []
    command = [os.fspath(tool.program), *VERILATE, *tracing, *defines]
    command += ["--Mdir", "cpp", "--top-module", "acc_core", "acc_pkg.sv"]
    _run([*command, *map(os.fspath, rtl)], work, "Verilator", REMEDY, tool.environment)
    made = sorted((work / "cpp").glob("*.cpp"))
    fast = [path.name for path in made if "Slow" not in path.name]
    slow = [path.name for path in made if "Slow" in path.name]
    units = {"fast": (flags, [*fast, harness]), "slow": ([*flags, "-O1"], slow)}
    objects = []
    for unit, (options, names) in units.items():
        progress.step(f"compiling the {unit} part")
        source, made_object = work / f"{unit}.cpp", work / f"{unit}.o"
        source.write_text("".join(f'#include "{name}"\n' for name in names))
        options = [*options, f"-I{work / 'cpp'}", f"-I{headers}", f"-I{_generated()}"]
        options += [f"-DACC_PORT_BITS={circuit.mem_data_width}"]
        options += ["-DACC_TRACE"] if trace else []
        _make([cxx, *options, "-c", source.name], made_object, "compiling what Verilator made")
        objects.append(os.fspath(made_object))
    progress.step("linking")
    libraries = ["-lz", "-llz4"] if trace else []
    linked = work / "model.so"
    command = [cxx, "-shared", *objects, *map(os.fspath, support), "-lpthread", *libraries, "-Wl,-Bsymbolic"]
    _make(command, linked, "linking")
    _keep(linked, target)


# The device


def options() -> tuple[Any, ...]:
    """What the device `tsim` can be told: of its own all but the shared object, which is built, and what to build."""
    from acc._lib import _runtime

    native = next(kind for kind in _runtime.device_kinds() if kind.name == "tsim")
    number = _runtime.DeviceOption.number
    return (
        *(option for option in native.options if option.name != "model"),
        *_runtime.circuit_options(),
        number("dsp_blocks", "DSP blocks for multipliers, -1 for any number", -1, -1, 1 << 20),
        number("optimize", "level of the C++ compiler", DEFAULT_OPTIMIZE, 0, 3),
    )


def prepare(given: Mapping[str, Any], config: Any) -> dict[str, Any]:
    """Builds the circuit that `options` describe, if need be; returns what the native device is to be told.

    Raises ConfigError, or ToolError if a tool is missing or fails.
    """
    own = {name: value for name, value in given.items() if name in ("latency", "jitter", "seed", "trace")}
    sizes = {name: int(value) for name, value in given.items() if name not in (*own, "optimize")}
    blocks = sizes.pop("dsp_blocks", -1)
    circuit = Circuit.of(sizes, None if blocks == -1 else blocks)
    trace = given.get("trace")
    if trace and os.path.exists(trace) and not os.path.isfile(trace):
        # The writer of waveforms goes back and forth in its file, and ends the process where it cannot.
        raise ToolError(f"cannot write waveforms to '{trace}': it is not a regular file")
    optimize = int(given["optimize"]) if "optimize" in given else None
    return {**own, "model": os.fspath(build(config, circuit, trace=bool(trace), optimize=optimize))}


def _prepare_for_program(given: Mapping[str, Any], program: bytes) -> dict[str, Any]:
    from acc._lib import _runtime

    return prepare(given, _runtime.read_program(program).config)


PREPARATION = Preparation(options(), _prepare_for_program)


def device(
    config: Any,
    circuit: Circuit | None = None,
    *,
    latency: int = 64,
    jitter: int = 0,
    seed: int = 1,
    trace: str | None = None,
    optimize: int | None = None,
) -> Any:
    """A `_runtime.Device` that simulates the circuit, whose simulator is built if need be.

    Memory answers after `latency` cycles and up to `jitter` more, drawn with `seed`; `trace` names a file (.fst) for
    waveforms. Raises as `build`.
    """
    from acc._lib import _runtime

    circuit = circuit or Circuit()
    sizes = {**circuit.options, "dsp_blocks": circuit.dsp_blocks}
    given = {"latency": latency, "jitter": jitter, "seed": seed, "trace": trace, "optimize": optimize, **sizes}
    return _runtime.Device("tsim", config, **prepare({k: v for k, v in given.items() if v is not None}, config))
