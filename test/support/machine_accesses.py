"""What x86 machine code reads and writes without a mask, as llvm-objdump shows it: also where it cannot be run."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

OBJDUMP = shutil.which("llvm-objdump-22") or "/usr/lib/llvm-22/bin/llvm-objdump"

_LANE = {"b": 1, "w": 2, "d": 4, "q": 8}
_FIXED = {
    **{f"{v}{name}": size for v in ("", "v") for name, size in (("movd", 4), ("movss", 4), ("movq", 8), ("movsd", 8))},
    **{f"{v}pextr{lane}": size for v in ("", "v") for lane, size in _LANE.items()},
    **{f"{v}pinsr{lane}": size for v in ("", "v") for lane, size in _LANE.items()},
    **{f"vpbroadcast{lane}": size for lane, size in _LANE.items()},
    **{f"{v}mov{half}p{kind}": 8 for v in ("", "v") for half in "lh" for kind in "sd"},
    **{f"{v}{name}": 4 for v in ("", "v") for name in ("extractps", "insertps", "cvtss2sd", "cvtsi2ssl", "cvtsi2sdl")},
    **{f"mov{sign}{kind}": _LANE[kind[0]] for sign in "sz" for kind in ("bl", "bw", "bq", "wl", "wq")},
    **{"movslq": 4, "vbroadcastss": 4, "vbroadcastsd": 8, "movddup": 8, "vmovddup": 8, "vmovsh": 2, "vmovw": 2},
    **{"movb": 1, "movw": 2, "movl": 4, "cvtsd2ss": 8, "vcvtsd2ss": 8},
    **{f"v{op}{kind}{shape}": size for op in ("extract", "insert", "broadcast") for kind in "fi"
       for shape, size in (("128", 16), ("32x4", 16), ("64x2", 16), ("32x8", 32), ("64x4", 32))},
}  # fmt: skip
"""Bytes in memory of instructions that do not say so by a register."""

_NARROW = re.compile(r"vpmov(?:s|us)?([wdq])([bwd])$")
_WIDEN = re.compile(r"v?pmov[sz]x([bwd])([wdq])$")
_SCALAR = re.compile(r"(s[sd])(?:2us?i|2si|$)|si2s[sd]([lq])|^(set)")
_CONVERT = re.compile(r"v?cvtt?(ph|ps|pd|u?dq|u?qq|u?w)2(ph|ps|pd|u?dq|u?qq|u?w)(x|y)?$")
_ELEMENT = {"ph": 2, "ps": 4, "pd": 8, "dq": 4, "udq": 4, "qq": 8, "uqq": 8, "w": 2, "uw": 2}
_MEMORY = re.compile(r"^(-?(?:0x)?[0-9a-f]*)\((%r[a-z0-9]+)\)(?:\{.*\})?$")


@dataclass(frozen=True)
class Access:
    """Bytes [offset, offset + size) behind what a register points to."""

    register: str
    offset: int
    size: int
    is_store: bool
    instruction: str


def _register_bytes(operands: list[str]) -> int:
    sizes = [64 if "%zmm" in o else 32 if "%ymm" in o else 16 if "%xmm" in o else 0 for o in operands]
    if any(sizes):
        return max(sizes)
    names = [o for o in operands if o.startswith("%")]
    return 8 if any(re.fullmatch(r"%r([a-z]{2}|[0-9]+)", name) for name in names) else 4 if names else 0


def _size(name: str, others: list[str], broadcast: int, is_store: bool) -> int:
    """Bytes in memory of an instruction; `broadcast` is to how many lanes one element goes, 0 if it is a vector."""
    register = _register_bytes(others)
    if match := _CONVERT.match(name):
        memory, other = (_ELEMENT[match[i]] for i in ((2, 1) if is_store else (1, 2)))
        # A narrowing conversion says how much it reads; in vcvtph2psx, the letter is a part of the name.
        known = {"x": 16, "y": 32}.get(match[3]) if memory > other else None
        return memory if broadcast else known or register * memory // other
    if match := _NARROW.match(name):
        return register * _LANE[match[2]] // _LANE[match[1]]
    if match := _WIDEN.match(name):
        return register * _LANE[match[1]] // _LANE[match[2]]
    size = _FIXED.get(name, 0)
    if not size and (scalar := _SCALAR.search(name)):
        return {"ss": 4, "l": 4, "sd": 8, "q": 8, "set": 1}[scalar[1] or scalar[2] or scalar[3]]
    size = size or register // max(broadcast, 1)
    assert size, f"teach machine_accesses.py the instruction {name} {others}"
    return size


def _operands(text: str) -> list[str]:
    return [part.strip() for part in re.split(r",\s*(?![^(]*\))", text) if part.strip()]


def accesses(objects: Sequence[bytes]) -> dict[str, list[Access]]:
    """Unmasked accesses to what a register points to, by function of object files.

    What is accessed after a jump, or at an address with an index, is left out: it depends on more than the code.
    """
    with tempfile.TemporaryDirectory(prefix="acc-objdump-") as folder:
        paths = [Path(folder, f"{number}.o") for number in range(len(objects))]
        for path, code in zip(paths, objects, strict=True):
            path.write_bytes(code)
        command = [OBJDUMP, "-d", "--no-show-raw-insn", "--x86-asm-syntax=att", *map(str, paths)]
        listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, list[Access]] = {}
    current: list[Access] = []
    for line in listing.splitlines():
        if label := re.match(r"[0-9a-f]+ <(\w+)>:$", line):
            current = found.setdefault(label[1], [])
        parts = line.split("#")[0].split("\t")
        if len(parts) < 2 or ":" not in parts[0]:
            continue
        name, text = parts[1].strip(), parts[2].strip() if len(parts) > 2 else ""
        if name.startswith("j"):
            # The rest of the function is of no interest, until the next label.
            current = []
        operands = _operands(text)
        for i, operand in enumerate(operands):
            memory = _MEMORY.match(operand)
            if not memory or name.startswith(("lea", "nop", "vmaskmov", "vpmaskmov")) or "{%k" in text:
                continue
            others = operands[:i] + operands[i + 1 :]
            is_store = i == len(operands) - 1 and (len(operands) > 1 or name.startswith("set"))
            offset = int(memory[1], 0) if memory[1] else 0
            broadcast = int(operand.split("{1to")[1].split("}")[0]) if "{1to" in operand else 0
            size = _size(name, others, broadcast, is_store)
            current.append(Access(memory[2], offset, size, is_store, f"{name} {text}"))
    return found
