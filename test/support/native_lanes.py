"""Random functions on vectors, each a load, a computation and a store of some lanes, through acc's code generator.

Every function is run with its data in the middle of other bytes, at the end of the last page that may be touched, and
at the start of the first, and compared with numpy: no byte that a mask leaves out may be written, and none behind
what is read or written may be touched. What is drawn: element types before, in and after the computation, 1 to 64
lanes, masks that are constant, known at run time only, or constant after optimization, and the distance of elements.

    python test/support/native_lanes.py --cpu x86-64-v3 --seed 7 --count 300
"""

from __future__ import annotations

import argparse
import ctypes
import mmap
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from acc import _mlir, ir
from acc.container import link

DTYPES = {
    "i8": np.int8,
    "i16": np.int16,
    "i32": np.int32,
    "i64": np.int64,
    "f16": np.float16,
    "f32": np.float32,
    "f64": np.float64,
}
BITS = {name: np.dtype(dtype).itemsize * 8 for name, dtype in DTYPES.items()}
PAGE = mmap.PAGESIZE


@dataclass(frozen=True)
class Mask:
    """Which lanes are stored. kind: "constant", "runtime" (a number of lanes that the caller passes) or "folded" (such
    a number, which the optimizer finds out)."""

    kind: str
    lanes: tuple[bool, ...]

    @property
    def count(self) -> int:
        return sum(self.lanes)


@dataclass(frozen=True)
class Case:
    """One function: lanes of `source` are loaded, `stride` elements apart, computed with in `middle`, stored as
    `target`. unsigned: how integers are widened; operation: "", "add", "clamp", "compare" or "shift"."""

    name: str
    source: str
    middle: str
    target: str
    unsigned: bool
    operation: str
    stride: int
    mask: Mask

    @property
    def lanes(self) -> int:
        return len(self.mask.lanes)

    @property
    def has_floats(self) -> bool:
        return "f" in (self.source[0], self.middle[0], self.target[0])

    @property
    def reach(self) -> int:
        """Elements of the source from the first to the last that is read."""
        last = max(i for i, stored in enumerate(self.mask.lanes) if stored)
        return last * self.stride + 1

    def __str__(self) -> str:
        mask = "".join("01"[stored] for stored in self.mask.lanes)
        return (
            f"{self.name}: {self.source} -> {self.middle}{' unsigned' if self.unsigned else ''} {self.operation} -> "
            f"{self.target}, stride {self.stride}, {self.mask.kind} mask {mask}"
        )


def _draw_mask(rng: np.random.Generator, lanes: int) -> Mask:
    kind = str(rng.choice(["constant", "runtime", "folded"]))
    # One lane is the shortest rest of a row, and what compilers treat in a way of its own.
    count = 1 if rng.random() < 0.3 else int(rng.integers(1, lanes + 1))
    bits = np.arange(lanes) < count
    if kind == "constant" and rng.random() < 0.3:
        bits = rng.random(lanes) < rng.random()
        if rng.random() < 0.4 or not bits.any():
            bits = np.arange(lanes) == rng.integers(lanes)
    return Mask(kind, tuple(bool(bit) for bit in bits))


def draw(seed: int, count: int) -> list[Case]:
    """The functions that a seed stands for."""
    rng = np.random.default_rng(seed)
    cases: list[Case] = []
    while len(cases) < count:
        source, middle, target = (str(t) for t in rng.choice(list(DTYPES), 3))
        lanes = int(2 ** rng.integers(1, 7))
        operation = str(rng.choice(["", "add", "clamp", "compare", "shift"]))
        if operation == "compare":
            target = "i8"
        # f16 is computed in f32, and four registers are more than a vector of native code has.
        if middle == "f16" or BITS[middle] < BITS[source] or lanes * BITS[middle] > 2048:
            continue
        if operation == "shift" and "f" in (source[0], middle[0], target[0]):
            continue
        stride = int(rng.choice([1, 1, 1, 2, 3, 4]))
        if lanes * stride > 64:
            continue
        unsigned = bool(rng.integers(2)) and "f" not in (source[0], middle[0], target[0])
        mask = _draw_mask(rng, lanes)
        cases.append(Case(f"f{len(cases)}", source, middle, target, unsigned, operation, stride, mask))
    return cases


class _Function:
    """The text of one function of the LLVM dialect."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, text: str) -> str:
        name = f"%{len(self.lines)}"
        self.lines.append(f"  {name} = {text}")
        return name

    def constant(self, values: Sequence[object], element: str) -> str:
        kind = f"vector<{len(values)}x{element}>"
        return self.add(f"llvm.mlir.constant(dense<[{', '.join(map(str, values))}]> : {kind}) : {kind}")

    def mask(self, kind: str, bits: Sequence[bool], step: int = 1) -> str:
        """A mask with these lanes set; one of the kind "runtime" has (n - 1) * step + 1."""
        if kind == "constant":
            return self.constant(["true" if bit else "false" for bit in bits], "i1")
        number = "%n"
        if kind == "folded":
            number = self.add(f"llvm.mlir.constant({sum(bits)} : i64) : i64")
        elif step > 1:
            one, factor = (self.add(f"llvm.mlir.constant({value} : i64) : i64") for value in (1, step))
            less = self.add(f"llvm.sub {number}, {one} : i64")
            number = self.add(f"llvm.add {self.add(f'llvm.mul {less}, {factor} : i64')}, {one} : i64")
        kind = f"vector<{len(bits)}xi64>"
        iota = self.constant(range(len(bits)), "i64")
        empty, zero = self.add(f"llvm.mlir.poison : {kind}"), self.add("llvm.mlir.constant(0 : i32) : i32")
        first = self.add(f"llvm.insertelement {number}, {empty}[{zero} : i32] : {kind}")
        splat = self.add(f"llvm.shufflevector {first}, {empty} [{', '.join(['0'] * len(bits))}] : {kind}")
        return self.add(f'llvm.icmp "slt" {iota}, {splat} : {kind}')


def _convert(f: _Function, value: str, lanes: int, source: str, target: str, unsigned: bool) -> str:
    if source == target:
        return value
    integer = (source[0] == "i", target[0] == "i")
    if integer == (True, True):
        wider = "zext" if unsigned else "sext"
        name = wider if BITS[target] > BITS[source] else "trunc"
    elif integer == (False, False):
        name = "fpext" if BITS[target] > BITS[source] else "fptrunc"
    else:
        name = "sitofp" if integer[0] else "fptosi"
    return f.add(f"llvm.{name} {value} : vector<{lanes}x{source}> to vector<{lanes}x{target}>")


def _bounds(case: Case) -> tuple[int, int]:
    """What "clamp" keeps: what the target holds, so that it is a saturating conversion where there is one."""
    if case.target[0] == "f" or case.middle[0] == "f" or BITS[case.target] >= BITS[case.middle]:
        return -90, 100
    low, high = np.iinfo(DTYPES[case.target]).min, np.iinfo(DTYPES[case.target]).max
    return (0, 2 * int(high) + 1) if case.unsigned else (int(low), int(high))


def text(case: Case) -> str:
    """The function in the LLVM dialect: (source, target, number of lanes)."""
    f, lanes = _Function(), case.lanes
    wide = lanes if case.stride == 1 else 1 << (lanes * case.stride - 1).bit_length()
    bits = case.mask.lanes if case.stride == 1 else [i < case.reach for i in range(wide)]
    in_lanes, loaded = f.mask(case.mask.kind, bits, case.stride), f"vector<{wide}x{case.source}>"
    zero = f.add(f"llvm.mlir.zero : {loaded}")
    value = f.add(
        f"llvm.intr.masked.load %source, {in_lanes}, {zero} {{alignment = 1 : i32}} : "
        f"(!llvm.ptr, vector<{wide}xi1>, {loaded}) -> {loaded}"
    )
    if case.stride > 1:
        picks = ", ".join(str(i * case.stride) for i in range(lanes))
        value = f.add(f"llvm.shufflevector {value}, {zero} [{picks}] : {loaded}")
    middle = f"vector<{lanes}x{case.middle}>"
    value = _convert(f, value, lanes, case.source, case.middle, case.unsigned)
    is_float = case.middle[0] == "f"

    def splat(number: int) -> str:
        text = f"{number}.0" if is_float else str(number)
        return f.add(f"llvm.mlir.constant(dense<{text}> : {middle}) : {middle}")

    result = case.middle
    if case.operation == "add":
        value = f.add(f"llvm.{'fadd' if is_float else 'add'} {value}, {splat(3)} : {middle}")
    elif case.operation == "shift":
        value = f.add(f"llvm.lshr {value}, {splat(BITS[case.middle] // 2)} : {middle}")
    elif case.operation == "clamp":
        names = ("maxnum", "minnum") if is_float else ("smax", "smin")
        for name, bound in zip(names, _bounds(case), strict=True):
            value = f.add(f"llvm.intr.{name}({value}, {splat(bound)}) : ({middle}, {middle}) -> {middle}")
    elif case.operation == "compare":
        name = 'llvm.fcmp "olt"' if is_float else 'llvm.icmp "slt"'
        bits = f.add(f"{name} {value}, {splat(5)} : {middle}")
        value = f.add(f"llvm.zext {bits} : vector<{lanes}xi1> to vector<{lanes}xi8>")
        result = "i8"
    value = _convert(f, value, lanes, result, case.target, case.unsigned)
    out_lanes = f.mask(case.mask.kind, case.mask.lanes)
    f.lines.append(
        f"  llvm.intr.masked.store {value}, %target, {out_lanes} {{alignment = 1 : i32}} : "
        f"vector<{lanes}x{case.target}>, vector<{lanes}xi1> into !llvm.ptr"
    )
    body = "\n".join(f.lines)
    return f"llvm.func @{case.name}(%source: !llvm.ptr, %target: !llvm.ptr, %n: i64) {{\n{body}\n  llvm.return\n}}\n"


def compile_cases(cases: Sequence[Case], cpu: str, opt_level: int = 2) -> list[bytes]:
    """Object files with the functions."""
    module = ir.Module.parse("\n".join(map(text, cases)), ir.Context())
    return _mlir.emit_objects(module, cpu=cpu, opt_level=opt_level)


def _as(values: np.ndarray, name: str, unsigned: bool) -> np.ndarray:
    if values.dtype.kind == "i" and name[0] == "i" and unsigned:
        values = values.view(values.dtype.str.replace("i", "u"))
    return values.astype(DTYPES[name])


def expected(case: Case, source: np.ndarray) -> np.ndarray:
    """What every lane would store."""
    values = _as(source, case.middle, case.unsigned)
    if case.operation == "add":
        values = values + DTYPES[case.middle](3)
    elif case.operation == "shift":
        bits = BITS[case.middle]
        values = (values.view(f"u{bits // 8}") >> np.array(bits // 2, f"u{bits // 8}")).view(values.dtype)
    elif case.operation == "clamp":
        low, high = _bounds(case)
        values = np.clip(values, DTYPES[case.middle](low), DTYPES[case.middle](high))
    elif case.operation == "compare":
        values = (values < 5).astype(np.int8)
    return _as(values, case.target, case.unsigned)


class Arena:
    """Some pages between two that nobody may touch."""

    def __init__(self) -> None:
        pages = 4
        self._map = mmap.mmap(-1, (pages + 2) * PAGE)
        anchor = ctypes.c_char.from_buffer(self._map)
        base = ctypes.addressof(anchor)
        libc = ctypes.CDLL(None, use_errno=True)
        for page in (0, pages + 1):
            if libc.mprotect(ctypes.c_void_p(base + page * PAGE), ctypes.c_size_t(PAGE), 0):
                raise OSError(ctypes.get_errno(), "mprotect")
        self.bytes = np.frombuffer(self._map, np.uint8, pages * PAGE, PAGE)
        self.address = base + PAGE

    def places(self, size: int) -> Iterator[int]:
        """Offsets for `size` bytes: in the middle, at the end and at the start."""
        yield self.bytes.size // 2 + 3
        yield self.bytes.size - size
        yield 0


def check(case: Case, function: object, rng: np.random.Generator, arenas: tuple[Arena, Arena]) -> str:
    """Runs a function wherever its data may be; returns what is wrong, or nothing."""
    last = max(i for i, stored in enumerate(case.mask.lanes) if stored)
    target_dtype, source_dtype = np.dtype(DTYPES[case.target]), np.dtype(DTYPES[case.source])
    # What all types hold, where rounding is of no importance.
    low, high = (-100, 101) if case.has_floats else (np.iinfo(source_dtype).min, np.iinfo(source_dtype).max)
    values = rng.integers(low, high, case.reach, np.int64).astype(source_dtype)
    target_bytes = (last + 1) * target_dtype.itemsize
    lanes = np.zeros(case.lanes, source_dtype)
    lanes[: last + 1] = np.where(case.mask.lanes[: last + 1], values[:: case.stride], 0)
    results = expected(case, lanes)
    source, target = arenas
    for at_source, at_target in zip(source.places(values.nbytes), target.places(target_bytes), strict=True):
        source.bytes[:] = 0x77
        source.bytes[at_source : at_source + values.nbytes] = values.view(np.uint8)
        target.bytes[:] = rng.integers(0, 256, target.bytes.size, np.uint8)
        wanted = target.bytes.copy()
        view = wanted[at_target : at_target + target_bytes].reshape(last + 1, -1)
        stored = np.array(case.mask.lanes[: last + 1])
        view[stored] = results[: last + 1].view(np.uint8).reshape(last + 1, -1)[stored]
        function(source.address + at_source, target.address + at_target, case.mask.count)  # type: ignore[operator]
        wrong = np.flatnonzero(wanted != target.bytes) - at_target
        if wrong.size:
            where = "outside of" if (wrong < 0).any() or (wrong >= target_bytes).any() else "in"
            return f"bytes {wrong[:8].tolist()} of the target are wrong, {where} its {target_bytes}"
    return ""


def run(cpu: str, seed: int, count: int, opt_level: int = 2) -> int:
    """Compiles and runs the functions of a seed; prints what is wrong and returns how many are."""
    cases = draw(seed, count)
    with tempfile.TemporaryDirectory(prefix="acc-lanes-") as folder:
        path = Path(folder, "lanes.so")
        path.write_bytes(link(compile_cases(cases, cpu, opt_level)))
        library = ctypes.CDLL(str(path))
    rng, arenas, failures = np.random.default_rng(seed), (Arena(), Arena()), 0
    for case in cases:
        function = library[case.name]
        function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64], None
        # Before it runs: it may end the process.
        print(f"running {case}", flush=True)
        if problem := check(case, function, rng, arenas):
            failures += 1
            print(f"WRONG: seed {seed}, {cpu}: {case}: {problem}", flush=True)
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu", default="native")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--opt-level", type=int, default=2)
    options = parser.parse_args()
    return min(run(options.cpu, options.seed, options.count, options.opt_level), 99)


if __name__ == "__main__":
    sys.exit(main())
