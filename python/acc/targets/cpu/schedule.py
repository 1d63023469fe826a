"""Chooses how contractions of native kernels are tiled: the policy behind cpu.contract.

A convolution or matrix product keeps a tile of its result in vector registers over the whole sum: `width` columns
times `vectors` registers of `lanes` output channels. Every step of the sum loads `vectors` registers of weights and
broadcasts `width` inputs. A simple model of a core with two multiply-add units and two load units, run over all
tiles that fit the register file, decides; so does one of cache traffic for the number of `rows` of output that
share a packed copy of their input. The decision is the `te.schedule` of the operation, which host-form-contractions
obeys.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from acc import ir
from acc.dialects import te
from acc.schedule.language import Level, schedule_attribute
from acc.targets.cpu.chunks import Chunks, choose_chunks

__all__ = [
    "Contraction",
    "Processor",
    "Tile",
    "choose_tile",
    "heaviest_contraction",
    "legal_tiles",
    "make_cpu_schedules",
]


SUMS = {"": (2, 2), "vpdpbusd": (4, 1), "pmaddwd": (2, 2), "sdot": (4, 1), "sadalp": (2, 1), "vwmacc": (1, 2)}
"""Products that one lane of an instruction adds at once, and the bytes that an input's element is copied to."""

MOST_VECTOR_BITS = 512
"""Wider registers are used in part: rows are seldom long enough, and masked stores end at a guard of 64 bytes."""


@dataclass(frozen=True)
class Processor:
    """What the model knows of a processor.

    vector_bytes: size of a vector register; registers: how many there are; l2_bytes: what a core has of fast cache.
    sums: the instruction that multiplies integers and adds the products to a lane, a key of `SUMS`. bytes: the one that
    looks up bytes in registers, or "". rounds: whether there is one that rounds floats in any direction, which is
    integer arithmetic otherwise. integer_registers: as registers, for sums of integers, if these are in others.
    """

    vector_bytes: int = 64
    registers: int = 32
    l2_bytes: int = 1 << 20
    sums: str = ""
    bytes: str = ""
    rounds: bool = False
    integer_registers: int = 0

    @property
    def integers(self) -> int:
        """How many products of integers a lane adds at once."""
        return SUMS[self.sums][0]

    @property
    def integer_bytes(self) -> int:
        """The size of an integer in a packed copy of an input."""
        return SUMS[self.sums][1]

    @staticmethod
    def from_features(features: Sequence[str]) -> Processor:
        """Reads LLVM's feature names, of any architecture."""
        shuffle = "pshufb" if "ssse3" in features else ""
        if "avx512f" in features and "avx512bw" in features:
            sums = "vpdpbusd" if "avx512vnni" in features else "pmaddwd"
            lookup = "vpermi2b" if "avx512vbmi" in features else shuffle
            return Processor(64, 32, sums=sums, bytes=lookup, rounds=True)
        if "avx2" in features:
            sums = "vpdpbusd" if "avxvnni" in features else "pmaddwd"
            return Processor(32, 16, 1 << 19, sums=sums, bytes=shuffle, rounds=True)
        if "sse2" in features:
            return Processor(16, 16, 1 << 18, sums="pmaddwd", bytes=shuffle, rounds="sse4.1" in features)
        if "neon" in features:
            # Without the dot product, pairs of bytes are multiplied (smull) and added (sadalp).
            sums = "sdot" if "dotprod" in features else "sadalp"
            return Processor(16, 32, 1 << 18, sums=sums, bytes="tbl", rounds=True)
        # Vectors of a known size are used where LLVM knows the least size of registers, and 128 bits at least.
        sizes = [int(name[3:-1]) for name in features if name.startswith("zvl") and name.endswith("b")]
        if "v" in features and sizes:
            return Processor(min(max(sizes), MOST_VECTOR_BITS) // 8, 32, 1 << 18, sums="vwmacc")
        # One element after the other. Addresses and counters take about half of the registers that integers are in.
        return Processor(4, 32, 1 << 18, sums="vwmacc", integer_registers=16)


@dataclass(frozen=True)
class Contraction:
    """A convolution, or a matrix product as one of 1x1: `outputs` per group, `sums` channels summed per group.

    `height` and `width` are the output's; a product has its rows as width. `element_bytes` is that of the input.
    """

    outputs: int
    sums: int
    height: int
    width: int
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    padded: bool = False
    product: bool = False
    element_bytes: int = 4

    @property
    def identity(self) -> str:
        """A digest, 32 hexadecimal digits."""
        return hashlib.blake2b(repr(self).encode(), digest_size=16).hexdigest()

    @property
    def is_flat(self) -> bool:
        """Whether rows and columns can be walked through as one dimension."""
        return not self.padded and self.kernel == (1, 1) and self.strides == (1, 1) and not self.product


@dataclass(frozen=True)
class Tile:
    """The decision: `width` columns of `vectors` times `lanes` outputs are in registers.

    rows: of output, or tiles of columns where rows and columns are one dimension, that share a packed copy of their
    input; 0 reads it in place. instruction: what multiplies and adds integers, or "".
    """

    width: int
    lanes: int
    vectors: int
    rows: int
    instruction: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible; `from_dict` goes back."""
        return asdict(self)

    @staticmethod
    def from_dict(data: Any) -> Tile:
        """Reads what `to_dict` wrote; raises ValueError for anything else."""
        names = ("width", "lanes", "vectors", "rows")
        if not isinstance(data, Mapping) or any(type(data.get(n)) is not int or data[n] < 0 for n in names):
            raise ValueError("it is no tile")
        if min(data["width"], data["lanes"], data["vectors"]) < 1 or not isinstance(data.get("instruction"), str):
            raise ValueError("it is no tile")
        return Tile(data["width"], data["lanes"], data["vectors"], data["rows"], data["instruction"])

    def attribute(self, op: ir.Operation, chunks: Chunks | None = None) -> ir.Attribute:
        """The #te.schedule of a convolution or matrix product, whose loops it numbers."""
        # Those of an image come last among the parallel ones: outputs, rows, columns.
        product = op.name in ("linalg.matmul", "linalg.generic")
        rank = len(ir.shape_of(op.results[0]))
        outputs, rows, columns = (1, None, 0) if product else (rank - 3, rank - 2, rank - 1)
        levels = [
            Level.of({columns: self.width, outputs: self.vectors * self.lanes}, te.LevelKind.Register),
            Level.of({outputs: self.lanes}, te.LevelKind.Vector),
        ]
        if rows is not None and self.rows:
            levels.insert(0, Level.of({rows: self.rows}))
        if chunks:
            lines = columns if rows is None else rows
            sizes = {axis: size for axis, size in ((outputs, chunks.outputs), (lines, chunks.rows)) if size}
            levels.insert(0, Level.of(sizes, te.LevelKind.Parallel))
        return schedule_attribute(op.context, levels, intrinsic=self.instruction)


def _tile_cycles(width: int, vectors: int, steps: int, transposed: bool) -> float:
    """Cycles of one tile: a chain of sums has a latency of 4, stores and shuffles come on top."""
    step = max(width * vectors / 2, (width + vectors) / 2, 4)
    square = 1 << (width - 1).bit_length()
    shuffles = square * math.log2(square) * vectors if transposed and square > 1 else 0
    return steps * step + shuffles + 16 * vectors * 2 + 20


def _candidates(problem: Contraction, processor: Processor, lanes: int) -> Iterator[tuple[int, int]]:
    # One register broadcasts an input, the others beside the sums hold weights.
    columns = problem.width * (problem.height if problem.is_flat else 1)
    widest = columns if problem.product or lanes == 1 else min(columns, lanes)
    integer = problem.element_bytes == 1
    registers = (integer and processor.integer_registers) or processor.registers
    for vectors in range(1, 9):
        if vectors > 1 and (vectors - 1) * lanes >= problem.outputs:
            break
        for width in range(1, widest + 1):
            if width * vectors + vectors + 1 <= registers:
                yield width, vectors


MOST_ROWS = 4096
"""Blocks of more rows than this are not considered, except all of them."""


def _choose_rows(problem: Contraction, processor: Processor, width: int, tile_outputs: int) -> int:
    """Rows of output (or tiles of pixels) per packed copy of the input; 0 reads it in place."""
    if problem.product:
        return 0
    # Bytes stay bytes where the instruction takes four of them; other floats become f32.
    size = processor.integer_bytes if problem.element_bytes == 1 else 4
    weights = problem.outputs * problem.sums * problem.kernel[0] * problem.kernel[1] * size
    tiles = math.ceil(problem.outputs / tile_outputs)
    flat = problem.is_flat
    whole = math.ceil(problem.height * problem.width / width) if flat else problem.height
    if not problem.padded and problem.element_bytes == 4 and (not flat or tiles < 2):
        return 0

    def traffic(rows: int) -> tuple[float, int]:
        if flat:
            panel = problem.sums * rows * width * size
        else:
            reach = [
                (count - 1) * stride + (kernel - 1) * dilation + 1
                for count, stride, kernel, dilation in zip(
                    (rows, problem.width), problem.strides, problem.kernel, problem.dilations, strict=True
                )
            ]
            panel = problem.sums * reach[0] * reach[1] * size
        blocks = math.ceil(whole / rows)
        cost = blocks * panel
        if weights > processor.l2_bytes // 2:
            cost += blocks * weights
        if panel > processor.l2_bytes // 2:
            cost += blocks * panel * tiles
        return cost, rows

    # Beyond the cache more rows gain nothing, so that images of any size are decided quickly.
    return min(traffic(rows) for rows in (*range(1, min(whole, MOST_ROWS) + 1), whole))[1]


def choose_tile(problem: Contraction, processor: Processor) -> Tile:
    """The tile with the fewest cycles in the model."""
    lanes = processor.vector_bytes // 4
    integer = problem.element_bytes == 1
    steps = problem.kernel[0] * problem.kernel[1] * math.ceil(problem.sums / (processor.integers if integer else 1))
    columns = problem.width * (problem.height if problem.is_flat else 1)
    rows = 1 if problem.is_flat or problem.product else problem.height

    def cycles(candidate: tuple[int, int]) -> tuple[float, int]:
        width, vectors = candidate
        tiles = math.ceil(problem.outputs / (vectors * lanes)) * rows
        rest = columns % width
        cost = (columns // width) * _tile_cycles(width, vectors, steps, not problem.product)
        if rest:
            cost += _tile_cycles(rest, vectors, steps, not problem.product)
        return tiles * cost, -vectors

    width, vectors = min(_candidates(problem, processor, lanes), key=cycles)
    if columns == 1:
        # Weights are read once, so it is their stream that counts.
        vectors = max(v for w, v in _candidates(problem, processor, lanes) if w == 1)
    block = _choose_rows(problem, processor, width, vectors * lanes)
    return Tile(width, lanes, vectors, block, processor.sums if integer else "")


LIKELY_ROWS = 128
"""What the number of a product's rows is taken to be when it is known at run time only."""

LIKELY_SIDE = 28
"""The same for rows and columns of images."""


def _pair(op: ir.Operation, name: str) -> tuple[int, int]:
    first, second = (int(v) for v in op.attributes[name].value.flatten())
    return first, second


def _is_padded(value: ir.Value) -> bool:
    owner = value.owner
    while isinstance(owner, ir.Operation) and owner.name == "tensor.expand_shape":
        owner = owner.operands[0].owner
    return isinstance(owner, ir.Operation) and owner.name == "tensor.pad"


def _element_bytes(value: ir.Value) -> int:
    """The size of elements that there are register tiles for; 4 for others."""
    return {"i8": 1, "f16": 2, "bf16": 2}.get(str(ir.ShapedType(value.type).element_type), 4)


def _read(op: ir.Operation) -> Contraction | None:
    """The contraction that an operation of linalg is, or None.

    Its outermost size, and those of images, may be unknown; none is zero.
    """
    if op.name in ("linalg.conv_2d_nchw_fchw", "linalg.conv_2d_ngchw_gfchw"):
        x, w = op.operands[0], ir.shape_of(op.operands[1])
        out = ir.shape_of(op.results[0])
        if min(*w, *out[1:-2]) < 1 or 0 in out:
            return None
        height, width = (LIKELY_SIDE if size < 0 else size for size in out[-2:])
        return Contraction(
            outputs=w[-4],
            sums=w[-3],
            height=height,
            width=width,
            kernel=(w[-2], w[-1]),
            strides=_pair(op, "strides"),
            dilations=_pair(op, "dilations"),
            padded=_is_padded(x),
            element_bytes=_element_bytes(x),
        )
    if op.name in ("linalg.matmul", "linalg.generic") and len(op.operands) == 3 and len(op.results) == 1:
        a, b, out = (ir.shape_of(v) for v in op.operands)
        if not len(a) == len(b) == len(out) == 2 or a[0] != out[0] or sorted([a[1], out[1]]) != sorted(b):
            return None
        if min(*b, *out[1:]) < 1 or out[0] == 0:
            return None
        rows = LIKELY_ROWS if out[0] < 0 else out[0]
        return Contraction(out[1], a[1], 1, rows, product=True, element_bytes=_element_bytes(op.operands[0]))
    return None


def _problems(op: ir.Operation, in_loop: bool = False) -> Iterator[tuple[ir.Operation, Contraction, bool]]:
    """The contractions in an operation, and whether they are in a loop, where only those of integers are any.

    Steps of recurrent networks are none.
    """
    for region in op.regions:
        for block in region.blocks:
            for inner in block.operations:
                problem = _read(inner)
                if problem and (not in_loop or problem.element_bytes == 1):
                    yield inner, problem, in_loop
                if inner.name == "scf.for":
                    yield from _problems(inner, in_loop=True)


def legal_tiles(problem: Contraction, processor: Processor) -> list[Tile]:
    """All tiles of a contraction that fit the registers, with a few numbers of rows each, the default one first."""
    default = choose_tile(problem, processor)
    lanes = processor.vector_bytes // 4
    tiles = [default]
    for width, vectors in _candidates(problem, processor, lanes):
        rows = {_choose_rows(problem, processor, width, vectors * lanes)}
        if not problem.product:
            whole = math.ceil(problem.height * problem.width / width) if problem.is_flat else problem.height
            in_place = not problem.padded and problem.element_bytes != 1
            rows |= {0} if in_place else set()
            rows |= {count for count in (1, 2, 4, 8, 16, 32, whole) if count <= whole}
        tiles += [Tile(width, lanes, vectors, count, default.instruction) for count in sorted(rows)]
    return list(dict.fromkeys(tiles))


def heaviest_contraction(kernel: ir.Operation) -> Contraction | None:
    """The contraction whose tile all of a kernel have; None if it has none."""
    problems = [problem for _, problem, _ in _problems(kernel)]
    return max(problems, key=lambda p: p.outputs * p.sums * p.kernel[0] * p.kernel[1], default=None)


def make_cpu_schedules(module: ir.Operation, processor: Processor, tuned: Mapping[str, Tile] | None = None) -> None:
    """Writes `te.schedule` on every convolution and matrix product in a te.kernel of the host.

    Several in one kernel have the tile of the heaviest. tuned: tiles that were found before, by `Contraction.identity`;
    one that does not fit the processor is left out.
    """
    tuned = tuned or {}
    for kernel in module.regions[0].blocks[0].operations:
        if kernel.name != "te.kernel" or kernel.attributes["target"].value != "cpu":
            continue
        problems = list(_problems(kernel))
        if not problems:
            continue
        heaviest = heaviest_contraction(kernel)
        assert heaviest is not None
        tile = tuned.get(heaviest.identity)
        is_tuned = tile is not None and tile in legal_tiles(heaviest, processor)
        if tile is None or not is_tuned:
            tile = choose_tile(heaviest, processor)
        for op, problem, in_loop in problems:
            own, chunks = tile, None
            if not in_loop:
                own, chunks = choose_chunks(problem, tile, processor, _instances(op), fixed=is_tuned)
            op.attributes["te.schedule"] = own.attribute(op, chunks)


def _instances(op: ir.Operation) -> int:
    """How often a contraction is computed: for every image and group, as far as their number is known."""
    if op.name in ("linalg.matmul", "linalg.generic"):
        return 1
    return math.prod(max(size, 1) for size in ir.shape_of(op.results[0])[:-3])
