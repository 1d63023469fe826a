"""Accelerator programs outside of the model that they were compiled for: a folder each, for `acc sim` or another VTA.

A folder holds the instruction stream, the micro-ops and the constants as they lie in DRAM, the program as assembly
text, and `memory.json`, which says where everything lies and what it is. Addresses are the same on every device: they
are part of the instructions.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from acc.errors import AccError, ModelFileError, RunError
from acc.files import check_new_folder, creating_folder, read_bytes
from acc.targets.vta.programs import decode

MEMORY_MAP = "memory.json"
FORMAT = "acc-program"
VERSION = 1
# Where DRAM begins to be used, and what every region is aligned to at least.
PAGE = 4096


@dataclass(frozen=True)
class Region:
    """A piece of DRAM: what is where, and where the file with its contents is.

    `role` is "micro-ops", "constant", "input", "output", "result" (read and written) or "scratch" (of tensors that the
    program computes and reads again, described in `tensors`, which may take turns). `file` holds its contents before
    the run, `expected` those after it, as far as they are known. `buffers` are the program's buffers that it is.
    """

    name: str
    role: str
    address: int
    bytes: int
    buffers: tuple[int, ...]
    file: str = ""
    expected: str = ""
    tensor: str = ""
    nodes: tuple[str, ...] = ()
    element: str = ""
    shape: tuple[int, ...] = ()
    axes: tuple[str, ...] = ()
    border: tuple[tuple[int, int], tuple[int, int]] | None = None
    tensors: tuple[Mapping[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if value not in ("", (), None)}

    @property
    def is_written(self) -> bool:
        return self.role in ("output", "result", "scratch")


@dataclass(frozen=True)
class Extracted:
    """A program in a folder. `dram_bytes` is where the last region ends."""

    folder: Path
    config: dict[str, Any]
    stream: bytes
    regions: tuple[Region, ...]
    dram_bytes: int
    description: dict[str, Any] = field(default_factory=dict)

    def contents(self, name: str) -> bytes:
        """The bytes of a file of the folder; raises RunError."""
        return read_bytes(self.folder / name, RunError)

    def region(self, name: str) -> Region:
        """The region of that name; raises RunError."""
        for region in self.regions:
            if region.name == name:
                return region
        known = ", ".join(region.name for region in self.regions)
        raise RunError(f"'{self.folder}' has no region '{name}': there are {known}")


# Writing


def extract(
    path: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    inputs: Mapping[str, np.ndarray] | None = None,
    only: int | None = None,
) -> list[Path]:
    """Writes a folder `kernelN` for the N-th launch of an accelerator program, and returns these.

    With `inputs` the model runs on them, on the functional simulator, and the folders hold what every launch reads and
    writes. `only` is the number of the one program that is wanted. The folder appears whole or not at all; it must not
    be there, or be empty. Raises ModelFileError or RunError.
    """
    from acc.container import read_model

    check_new_folder(folder, RunError)
    model = read_model(path)
    launches = model.metadata.get("launches", [])
    if model.programs and not launches:
        raise ModelFileError(f"'{path}' does not say what its programs are given: compile it again")
    if only is not None and only not in range(len(model.programs)):
        raise ModelFileError(f"'{path}' has no program {only}: it has {len(model.programs)}")
    recorded = _record(path, inputs) if inputs is not None else []
    names = []
    with creating_folder(folder, RunError) as work:
        for number, launch in enumerate(launches):
            if only is not None and launch["program"] != only:
                continue
            name = f"kernel{number}"
            (work / name).mkdir()
            before, after = recorded[number] if recorded else (None, None)
            _Writer(model, launch, work / name).write(number, before, after)
            names.append(name)
    return [Path(folder) / name for name in names]


def _record(path: str | os.PathLike[str], inputs: Mapping[str, np.ndarray]) -> list[tuple[list[bytes], list[bytes]]]:
    """The buffers of every launch before and after it, in a run of the model."""
    from acc.executable import Executable

    pending: list[list[bytes]] = []
    recorded: list[tuple[list[bytes], list[bytes]]] = []

    def note(_: int, after: bool, buffers: list[bytes]) -> None:
        if after:
            recorded.append((pending.pop(), buffers))
        else:
            pending.append(buffers)

    with Executable(path, on_launch=note) as executable:
        executable.run(inputs)
    return recorded


class _Writer:
    """Writes the folder of one launch."""

    def __init__(self, model: Any, launch: Mapping[str, Any], folder: Path) -> None:
        self.model, self.launch, self.folder = model, launch, folder
        self.program = decode(model, launch["program"])
        # The micro-op table is a buffer of the program, but not of the launch.
        self.table = self.program.uop_buffer
        self.given = [i for i in range(len(self.program.buffers)) if i != self.table]
        if len(self.given) != len(launch["buffers"]):
            raise ModelFileError(f"'{model.path}' says of a program that it has other buffers than it has")
        self.memories: list[set[str]] = [set() for _ in self.program.buffers]
        for insn in self.program.instructions:
            if insn["buffer"] >= 0:
                self.memories[insn["buffer"]].add(insn["memory"])

    def write(self, number: int, before: list[bytes] | None, after: list[bytes] | None) -> None:
        regions, files = [], {}
        address = PAGE
        addresses = [0] * len(self.program.buffers)
        alignment = max(PAGE, int(self.model.metadata["alignment"]))
        for buffers, region in self._regions():
            address = -(-address // alignment) * alignment
            for buffer in buffers:
                addresses[buffer] = address
            size = self.program.buffers[buffers[0]][1]
            name, contents, expected = region.name, self._contents(region, buffers, before), b""
            if region.is_written and after is not None:
                expected = after[buffers[0]]
            if contents:
                files[f"{name}.bin"] = contents
            if expected:
                files[f"{name}.expected.bin"] = expected
            regions.append(
                Region(
                    **{
                        **asdict(region),
                        "address": address,
                        "bytes": size,
                        "file": f"{name}.bin" if contents else "",
                        "expected": f"{name}.expected.bin" if expected else "",
                    }
                )
            )
            address += size
        placed = self.program.at(addresses)
        stream = placed.link()
        files |= {"insns.bin": stream, "program.s": str(placed).encode()}
        description = {
            "format": FORMAT,
            "version": VERSION,
            "launch": number,
            "program": self.launch["program"],
            "kernels": self.launch["kernels"],
            "nodes": self.launch["nodes"],
            "config": json.loads(self.program.config.to_json()),
            "dialect": self.model.metadata.get("vta_dialect", "acc"),
            "instructions": {"file": "insns.bin", "count": len(stream) // 16},
            "assembly": "program.s",
            "dram_bytes": address,
            "regions": [region.to_dict() for region in regions],
        }
        files[MEMORY_MAP] = (json.dumps(description, indent=1) + "\n").encode()
        for file, data in files.items():
            (self.folder / file).write_bytes(data)

    def _regions(self) -> list[tuple[list[int], Region]]:
        """The program's buffers by the memory that they are, each with what is known of it."""
        found: list[tuple[list[int], Region]] = []
        if self.table >= 0:
            found.append(([self.table], Region("uops", "micro-ops", 0, 0, (self.table,), element="uint32")))
        grouped: dict[int, list[int]] = {}
        for buffer, entry in zip(self.given, self.launch["buffers"], strict=True):
            grouped.setdefault(entry["memory"], []).append(buffer)
        for buffers in grouped.values():
            entries = [self.launch["buffers"][self.given.index(buffer)] for buffer in buffers]
            roles = {entry["role"] for entry in entries}
            role = next(iter(roles)) if len(roles) == 1 else "result"
            # The one that is written knows best where it comes from.
            entry = next((e for e in entries if e["role"] in ("output", "result", "scratch")), entries[0])
            memories = set().union(*(self.memories[buffer] for buffer in buffers))
            tensor = entry.get("tensor", "")
            if role == "constant":
                tensor = entry.get("weights", "") if "wgt" in memories else ""
            region = Region(
                name=f"{role}{buffers[0]}",
                role=role,
                address=0,
                bytes=0,
                buffers=tuple(buffers),
                tensor=tensor,
                nodes=tuple(entry.get("nodes", self.launch["nodes"])),
                element=str(NAMES.get(entry["element"], entry["element"])),
                shape=tuple(entry["shape"]),
                axes=() if role == "scratch" else _axes(entry["shape"], memories),
                border=entry.get("border"),
                tensors=tuple(
                    {
                        **part,
                        "element": NAMES.get(part["element"], part["element"]),
                        "axes": _axes(part["shape"], set()),
                    }
                    for part in entry.get("tensors", ())
                ),
            )
            found.append((buffers, region))
        return found

    def _contents(self, region: Region, buffers: list[int], before: list[bytes] | None) -> bytes:
        if region.role == "micro-ops":
            return self.program.uops
        entry = self.launch["buffers"][self.given.index(buffers[0])]
        if "constant" in entry:
            return constant_bytes(self.model, entry["constant"])
        return before[buffers[0]] if before is not None else b""


# Types of elements in the IR, as numpy calls them.
NAMES = {"i8": "int8", "i32": "int32", "i4": "int4", "i2": "int2"}


def constant_bytes(model: Any, number: int) -> bytes:
    """A constant of a model (`acc.container.ModelFile`)."""
    entry = model.metadata["constants"][number]
    if "splat" in entry:
        element = bytes.fromhex(entry["splat"])
        return element * (entry["bytes"] // len(element))
    return bytes(model.constants[entry["offset"] : entry["offset"] + entry["bytes"]])


def _axes(shape: list[int], memories: set[str]) -> tuple[str, ...]:
    """What the dimensions of a buffer are: tensors are cut into the accelerator's elements, of the last two."""
    if "wgt" in memories and len(shape) == 6:
        outputs, inputs = shape[4:]
        return (
            f"output channel / {outputs}",
            f"input channel / {inputs}",
            "row of the window",
            "column of the window",
            f"output channel % {outputs}",
            f"input channel % {inputs}",
        )
    if len(shape) in (6, 7):
        batch, channels = shape[-2:]
        sections = [f"channel / {shape[2] * channels}"] if len(shape) == 7 else []
        return (
            f"batch / {batch}",
            *sections,
            f"channel / {channels}" + (f" % {shape[2]}" if sections else ""),
            "row",
            "column",
            f"batch % {batch}",
            f"channel % {channels}",
        )
    if len(shape) == 3:
        return (f"channel / {shape[2]}", "row of the batch, all alike", f"channel % {shape[2]}")
    return ()


# Reading


def read(folder: str | os.PathLike[str]) -> Extracted:
    """Reads what `extract` wrote for one launch; raises RunError naming what is wrong with it."""
    path = Path(folder) / MEMORY_MAP
    try:
        text = read_bytes(path, RunError).decode()
    except UnicodeDecodeError:
        raise RunError(f"'{path}' is no memory map: not UTF-8 text") from None
    try:
        data = json.loads(text)
        if data.get("format") != FORMAT or data.get("version") != VERSION:
            raise ValueError(f"its format is not {FORMAT} {VERSION}")
        regions = tuple(_region(entry) for entry in data["regions"])
        file, end = str(data["instructions"]["file"]), int(data["dram_bytes"])
        config = dict(data["config"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"'{path}' is no memory map: {_said(error)}") from None
    extracted = Extracted(Path(folder), config, b"", regions, end, data)
    for region in regions:
        if region.address < 0 or region.bytes < 0 or region.address + region.bytes > end:
            raise RunError(f"'{path}' is no memory map: region '{region.name}' lies outside of its {end} bytes")
    return Extracted(Path(folder), config, extracted.contents(file), regions, end, data)


def _said(error: Exception) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)


def _region(entry: Mapping[str, Any]) -> Region:
    known: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    unknown = set(known) - set(Region.__dataclass_fields__)
    if unknown:
        raise ValueError(f"a region has '{sorted(unknown)[0]}'")
    return Region(**known)


def fill(extracted: Extracted, dram: np.ndarray, given: Mapping[str, bytes]) -> None:
    """Puts the regions into DRAM: what the folder has of them, and what is `given` by name; raises RunError."""
    for name, data in given.items():
        region = extracted.region(name)
        if region.role in ("micro-ops", "constant"):
            raise RunError(f"region '{name}' holds the {region.role} of the program, not an input")
        if len(data) != region.bytes:
            raise RunError(f"region '{name}' has {region.bytes} bytes, but {len(data)} are given")
    for region in extracted.regions:
        data = given.get(region.name, extracted.contents(region.file) if region.file else b"")
        if data and len(data) != region.bytes:
            raise RunError(
                f"'{extracted.folder / region.file}' has {len(data)} bytes, but region '{region.name}' {region.bytes}"
            )
        dram[region.address : region.address + len(data)] = np.frombuffer(data, np.uint8)


def compare(extracted: Extracted, dram: np.ndarray) -> None:
    """Compares DRAM with what a run of the model left there; raises AccError naming the first difference."""
    known = [region for region in extracted.regions if region.expected]
    if not known:
        raise RunError(f"'{extracted.folder}' does not say what comes out: acc disasm --binary has it with --input")
    for region in known:
        want = np.frombuffer(extracted.contents(region.expected), np.uint8)
        got = dram[region.address : region.address + region.bytes]
        shared = min(len(want), region.bytes)
        different = np.flatnonzero(want[:shared] != got[:shared])
        if different.size or len(want) != region.bytes:
            at = int(different[0]) if different.size else shared
            raise AccError(f"region '{region.name}' is not as the model left it: byte {at} differs")
