"""The file of a compiled model, as bytes: writing, and reading without executing (docs/model-format.md).

A shared object with a payload behind it: metadata (JSON), accelerator programs and constants, each from a page
boundary, and a footer with sizes and a checksum. What the metadata means is the business of `acc.executable` and
the runtime; here are the mechanics.
"""

from __future__ import annotations

import json
import mmap
import os
import stat
import struct
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from acc.errors import CompileError, ModelFileError
from acc.files import replacing

MAGIC = b"ACCMODEL"
VERSION = 4
GUARDED_VERSION = 5
"""The version of models whose code calls what only this version of the runtime has, to look after its memory."""
PARALLEL_VERSION = 6
"""The same for loops that run in parallel, with guards or without."""
PAGE = 4096

_HEAD = struct.Struct("<8sI")
_CHECKSUM = struct.Struct("<I")
_SIZES = struct.Struct("<Q8Q")
FOOTER_BYTES = _HEAD.size + _CHECKSUM.size + _SIZES.size

LINKERS = (str(Path(__file__).parent / "_lib" / "ld.lld"), "ld.lld-22", "/usr/lib/llvm-22/bin/ld.lld", "ld.lld")
"""Where the linker is, the best first: a wheel has one of its own."""


@dataclass(frozen=True)
class TensorInfo:
    """An input or output: numpy dtype name ("float32", "int8", "bfloat16", ..., see acc.dtypes) and shape.

    A size that is not fixed has a name, by which it equals others, or is "?". anywhere: of an input, whether the code
    reads it where the caller has it, however it lies in memory.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    anywhere: bool = field(default=False, compare=False)

    @property
    def fixed_shape(self) -> tuple[int, ...] | None:
        """The shape if all sizes are fixed."""
        sizes = tuple(size for size in self.shape if isinstance(size, int))
        return sizes if len(sizes) == len(self.shape) else None

    @property
    def shape_text(self) -> str:
        """Like [batch, 3]."""
        return f"[{', '.join(map(str, self.shape))}]"

    def to_dict(self) -> dict[str, Any]:
        said = {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}
        return said | ({"anywhere": True} if self.anywhere else {})

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> TensorInfo:
        return TensorInfo(
            str(data["name"]),
            str(data["dtype"]),
            tuple(d if isinstance(d, str) else int(d) for d in data["shape"]),
            bool(data.get("anywhere", False)),
        )

    def __str__(self) -> str:
        return f"{self.dtype}{self.shape_text}"


@dataclass(frozen=True)
class ProgramBuffer:
    """A buffer that a program is given: dtype name and shape as in TensorInfo, and whether the program writes it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    written: bool = True

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype, "shape": list(self.shape), "written": self.written}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> ProgramBuffer:
        shape = tuple(int(size) for size in data["shape"])
        return ProgramBuffer(str(data["name"]), str(data["dtype"]), shape, bool(data.get("written", True)))


@dataclass(frozen=True)
class Program:
    """An accelerator program: what its bytes mean is known to the devices of its instruction set alone.

    buffers: what the code launches it with, in order; empty if the program says that by itself.
    """

    instruction_set: str
    data: bytes
    buffers: tuple[ProgramBuffer, ...] = ()


@dataclass(frozen=True)
class Splat:
    """A constant of `size` equal elements, stored as one; `element` is a numpy scalar or 0-d array."""

    element: np.ndarray | np.generic
    size: int


Constant = np.ndarray | Splat


@dataclass(frozen=True)
class Level:
    """The same model's code for a better processor, with what is its own: fields are those of ModelContents.

    cpu: the processor's name, as LLVM has it.
    """

    cpu: str
    image: bytes
    constants: Sequence[Constant]
    workspace_bytes: int
    cpu_features: Sequence[str]


@dataclass(frozen=True)
class ModelContents:
    """What goes into a model file.

    image: the ELF shared object that exports acc_model_main (see `link`).
    inputs, outputs: in the order in which the code takes them.
    constants: in the order in which the code takes them; arrays of any dtype and shape, C-contiguous or not.
    programs: accelerator programs, in the order of their numbers.
    workspace_bytes: scratch memory the code wants.
    alignment: bytes every buffer is aligned to: a power of two, at least 64 and the accelerator's largest element.
    guard_bytes: bytes before and behind every buffer that belong to nothing; 0 if the code has no guards.
    uses_threads: whether the code runs loops in parallel. threads: on how many threads, unless it is told otherwise
    where it runs; None is all cores that there are for it.
    cpu_features: features of the processor that the code uses, as LLVM names them ("avx2", ...).
    levels: code for further processors, from the least to the best. The loader takes the last that the machine runs,
    and without one the first code, which the other fields describe.
    metadata: anything else, JSON-compatible: "target", "config", "layers" (dicts of LayerReport), ...
    """

    image: bytes
    inputs: Sequence[TensorInfo]
    outputs: Sequence[TensorInfo]
    constants: Sequence[Constant] = ()
    programs: Sequence[Program] = ()
    workspace_bytes: int = 0
    alignment: int = 64
    guard_bytes: int = 0
    uses_threads: bool = False
    threads: int | None = None
    cpu_features: Sequence[str] = ()
    levels: Sequence[Level] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


# Writing


class _Stream:
    """A file that knows its offset and the checksum of what was written."""

    def __init__(self, file: BinaryIO) -> None:
        from acc._lib import _runtime

        self._crc32c = _runtime.crc32c
        self.file = file
        self.offset = 0
        self.checksum = 0

    def write(self, data: bytes | memoryview) -> None:
        if len(data):
            self.file.write(data)
            self.checksum = self._crc32c(data, self.checksum)
            self.offset += len(data)

    def align(self, alignment: int) -> int:
        self.write(bytes(-self.offset % alignment))
        return self.offset


def _raw(array: np.ndarray | np.generic) -> memoryview:
    """The bytes of an array in row-major order, without a copy if it is contiguous."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(np.uint8).data


Pieces = list[tuple[int, bytes | memoryview]]
"""Parts of a section, and where they begin in it."""


def _plan_constants(contents: ModelContents, constants: Sequence[Constant]) -> tuple[list[dict[str, Any]], Pieces]:
    """The metadata of the constants of one code, and the offset and bytes of those that are stored."""
    table: list[dict[str, Any]] = []
    stored: Pieces = []
    offset = 0
    for constant in constants:
        if isinstance(constant, Splat):
            element = bytes(_raw(constant.element))
            table.append({"bytes": len(element) * constant.size, "splat": element.hex()})
            continue
        data = _raw(constant)
        offset = -(-(offset + contents.guard_bytes) // contents.alignment) * contents.alignment
        table.append({"offset": offset, "bytes": len(data)})
        stored.append((offset, data))
        offset += len(data) + contents.guard_bytes
    return table, stored


def _end(pieces: Pieces) -> int:
    return max((offset + len(data) for offset, data in pieces), default=0)


def _plan_levels(contents: ModelContents) -> tuple[list[dict[str, Any]], Pieces, Pieces]:
    """For every code, the first one first, what is said of it; then the pieces of the images and of the constants."""
    plans: list[dict[str, Any]] = []
    images: Pieces = []
    constants: Pieces = []

    def append(section: Pieces, pieces: Pieces) -> dict[str, int]:
        start = -(-_end(section) // PAGE) * PAGE
        section.extend((start + offset, data) for offset, data in pieces)
        return {"offset": start, "bytes": _end(pieces)}

    for code in (contents, *contents.levels):
        table, stored = _plan_constants(contents, code.constants)
        image = append(images, [(0, code.image)])
        data = append(constants, stored)
        plans.append(
            {
                "cpu_features": list(code.cpu_features),
                "workspace_bytes": code.workspace_bytes,
                "constants": table,
                **({"cpu": code.cpu} if isinstance(code, Level) else {}),
                **({"code": image, "data": data} if contents.levels else {}),
            }
        )
    return plans, images, constants


def write_model(path: str | os.PathLike[str], contents: ModelContents, *, sync: bool = True) -> None:
    """Writes a model file, whole or not at all; raises ModelFileError if the file system refuses.

    Without `sync` the file may be lost if the machine goes down: right for temporary files.
    """
    plans, images, constants = _plan_levels(contents)
    programs: list[dict[str, Any]] = []
    offset = 0
    for program in contents.programs:
        entry = {"instruction_set": program.instruction_set, "offset": offset, "bytes": len(program.data)}
        buffers = [buffer.to_dict() for buffer in program.buffers]
        programs.append({**entry, **({"buffers": buffers} if buffers else {})})
        offset += -(-len(program.data) // 8) * 8
    metadata = {
        **contents.metadata,
        "inputs": [info.to_dict() for info in contents.inputs],
        "outputs": [info.to_dict() for info in contents.outputs],
        "alignment": contents.alignment,
        **({"guard_bytes": contents.guard_bytes} if contents.guard_bytes else {}),
        **({"threads": contents.threads} if contents.threads is not None else {}),
        **plans[0],
        **({"levels": plans[1:]} if contents.levels else {}),
        "programs": programs,
    }
    text = json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode()
    with replacing(path, ModelFileError, sync=sync) as file:
        _write(_Stream(file), contents, text, images, constants)


def _write(out: _Stream, contents: ModelContents, metadata: bytes, images: Pieces, constants: Pieces) -> None:
    sections: list[int] = []

    def section(pieces: Sequence[tuple[int, bytes | memoryview]]) -> None:
        start = out.align(PAGE)
        for offset, data in pieces:
            out.write(bytes(start + offset - out.offset))
            out.write(data)
        sections.extend((start, out.offset - start))

    section(images)
    section([(0, metadata)])
    offset, pieces = 0, []
    for program in contents.programs:
        pieces.append((offset, program.data))
        offset += -(-len(program.data) // 8) * 8
    section(pieces)
    section(constants)
    out.align(8)
    sizes = _SIZES.pack(out.offset + FOOTER_BYTES, *sections)
    # The checksum covers the whole file but itself.
    version = PARALLEL_VERSION if contents.uses_threads else GUARDED_VERSION if contents.guard_bytes else VERSION
    out.write(_HEAD.pack(MAGIC, version))
    checksum = out._crc32c(sizes, out.checksum)
    out.file.write(_CHECKSUM.pack(checksum))
    out.file.write(sizes)


def link(objects: Sequence[bytes | str | os.PathLike[str]], triple: str = "") -> bytes:
    """Links relocatable objects (bytes or paths) into the shared object of a model.

    It may refer to libc, libm, and what becomes part of it: acc's own functions for compiled code and the builtins of
    compilers. triple: what the objects were made for, "" for this machine. Raises CompileError with the linker's words,
    or if the C library of another architecture is not here.
    """
    with tempfile.TemporaryDirectory(prefix="acc-link-") as folder:
        paths: list[str] = []
        for number, item in enumerate(objects):
            if isinstance(item, bytes):
                path = Path(folder, f"{number}.o")
                path.write_bytes(item)
                paths.append(str(path))
            else:
                paths.append(os.fspath(item))
        output = Path(folder, "model.so")
        command = ["-shared", "-z", "defs", "-z", "relro", "-z", "now", "--hash-style=gnu", "--as-needed"]
        command += ["-soname", "acc-model", "-o", str(output), *paths, *_system_libraries(triple.split("-")[0])]
        for linker in LINKERS:
            try:
                done = subprocess.run([linker, *command], capture_output=True, text=True, check=False)
            except FileNotFoundError:
                continue
            if done.returncode:
                raise CompileError(
                    f"the model's code cannot be linked: {done.stderr.strip()}{_missing_archive(triple)}"
                )
            return output.read_bytes()
    raise CompileError("the linker ld.lld is missing: install lld-22")


DEBIAN_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "riscv64": "riscv64"}
"""Of the architectures that there is native code for."""


def _archives(machine: str) -> list[Path]:
    """What acc has of its own for models of an architecture, as far as it was built."""
    paths = (Path(__file__).parent / "_lib" / f"libacc_{name}-{machine}.a" for name in ("native", "builtins"))
    return [path for path in paths if path.exists()]


def _missing_archive(triple: str) -> str:
    """What to do where linking failed and acc was built without its functions for that architecture."""
    machine = triple.split("-")[0]
    if not machine or _archives(machine):
        return ""
    return (
        f" (acc was built without its own functions for {triple}: install "
        f"libstdc++-12-dev-{DEBIAN_ARCHITECTURES[machine]}-cross and build it again)"
    )


def _system_libraries(machine: str) -> list[str]:
    """Archives of acc, libm and libc themselves: a machine that runs programs may lack what linking by name takes."""
    machine = machine or os.uname().machine
    # Debian's libraries of its own architecture and of foreign ones, and those of its cross compilers.
    folders = [f"/lib/{machine}-linux-gnu", f"/usr/lib/{machine}-linux-gnu", f"/usr/{machine}-linux-gnu/lib"]
    is_own = machine == os.uname().machine
    if is_own:
        folders += ["/lib64", "/usr/lib64", "/lib", "/usr/lib"]
    found = [str(archive) for archive in _archives(machine)]
    for name in ("libm.so.6", "libc.so.6"):
        for folder in folders:
            if os.path.exists(f"{folder}/{name}"):
                found.append(f"{folder}/{name}")
                break
        else:
            if not is_own:
                raise CompileError(
                    f"{name} of {machine}-linux-gnu is not on this machine, and models are linked against it: "
                    f"install libc6-{DEBIAN_ARCHITECTURES[machine]}-cross, or the C library in {folders[-1]}"
                )
    return found


# Reading


@dataclass(frozen=True)
class ModelFile:
    """A model file that passed every check. Nothing of it is executed."""

    path: str
    metadata: dict[str, Any]
    image: memoryview
    programs: tuple[Program, ...]
    constants: memoryview

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        return tuple(TensorInfo.from_dict(item) for item in self.metadata["inputs"])

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        return tuple(TensorInfo.from_dict(item) for item in self.metadata["outputs"])

    @property
    def device_options(self) -> dict[str, Any]:
        """The options of devices that programs were made for, as far as somebody said (docs/model-format.md)."""
        return dict(self.metadata.get("device_options", {}))


def read_model(path: str | os.PathLike[str]) -> ModelFile:
    """Reads and checks a model file; raises ModelFileError saying what is wrong with it."""
    from acc._lib import _runtime

    name = os.fspath(path)
    data = _map(name)
    if bytes(data[:4]) != b"\x7fELF":
        raise ModelFileError(f"'{name}' is " + ("not a model compiled by acc" if len(data) else "empty"))
    if len(data) < FOOTER_BYTES:
        raise ModelFileError(f"'{name}' is not a model compiled by acc, or truncated")
    footer = data[len(data) - FOOTER_BYTES :]
    magic, version = _HEAD.unpack_from(footer)
    if magic != MAGIC:
        raise ModelFileError(f"'{name}' is a shared object but not a model compiled by acc, or truncated")
    if version not in (VERSION, GUARDED_VERSION, PARALLEL_VERSION):
        raise ModelFileError(
            f"'{name}' has version {version} of the model format, this acc reads versions {VERSION} to "
            f"{PARALLEL_VERSION}: compile the model again"
        )
    (checksum,) = _CHECKSUM.unpack_from(footer, _HEAD.size)
    file_bytes, *numbers = _SIZES.unpack_from(footer, _HEAD.size + _CHECKSUM.size)
    if file_bytes != len(data):
        raise ModelFileError(
            f"'{name}' is truncated or has bytes to spare: it was written with {file_bytes} bytes and has {len(data)}"
        )
    split = len(data) - FOOTER_BYTES + _HEAD.size
    actual = _runtime.crc32c(data[split + _CHECKSUM.size :], _runtime.crc32c(data[:split]))
    if actual != checksum:
        raise ModelFileError(f"'{name}' is corrupted: its checksum does not match its contents")
    sections = [data[start : start + size] for start, size in zip(numbers[::2], numbers[1::2], strict=True)]
    if any(len(section) != size for section, size in zip(sections, numbers[1::2], strict=True)):
        raise ModelFileError(f"'{name}' is malformed: a section lies outside of the file")
    image, text, programs, constants = sections
    try:
        metadata = json.loads(bytes(text))
        pieces = tuple(_program(entry, programs) for entry in metadata["programs"])
        model = ModelFile(name, metadata, image, pieces, constants)
        _ = model.inputs, model.outputs
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFileError(f"'{name}' has malformed metadata: {error}") from None
    return model


def _program(entry: Mapping[str, Any], section: memoryview) -> Program:
    from acc._lib import _runtime

    return Program(
        # Files from when there was one instruction set do not say.
        str(entry.get("instruction_set", _runtime.first_instruction_set())),
        bytes(section[entry["offset"] : entry["offset"] + entry["bytes"]]),
        tuple(ProgramBuffer.from_dict(buffer) for buffer in entry.get("buffers", ())),
    )


def _map(name: str) -> memoryview:
    try:
        # Not blocking: opening a FIFO must not wait for its other end.
        with open(os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError
            if os.fstat(file.fileno()).st_size == 0:
                return memoryview(b"")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise ModelFileError(f"cannot read '{name}': {error.strerror}") from None
    except ValueError:
        kind = "a directory" if os.path.isdir(name) else "not a regular file"
        raise ModelFileError(f"cannot read '{name}': it is {kind}") from None
