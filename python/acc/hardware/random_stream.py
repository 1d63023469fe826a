"""Constrained-random instruction streams: legal, free of hazards, and with every field at its limits now and then.

A stream ends by storing all accumulators, all 32 bits of them, so that whoever runs it shows its whole state in DRAM:
comparing DRAM after the run compares everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from acc._lib import isa
from acc.hardware.package import alu_operations, opcodes
from acc.hardware.spare_tokens import spare_tokens

MAX_ITER, MAX_16, MAX_32, MAX_PAD = (isa.MOST[name] for name in ("iter_out", "x_size", "dram_base", "x_pad_0"))
LEAST_IMM, MOST_IMM = isa.LEAST["imm"], isa.MOST["imm"]
# What a LOAD or STORE that moves nothing may name, among it what is no memory, by the module it goes to.
NAMED = {
    "load": tuple(sorted(memory for memory, module in isa.MODULE_OF.items() if module == "load")),
    "compute": tuple(m for m in (*isa.MEMORIES, *isa.NO_MEMORIES) if isa.MODULE_OF.get(m) != "load"),
    "store": (*isa.MEMORIES, *isa.NO_MEMORIES),
}
# How many sets of parameters of `requantize` there are in memory.
PARAMETERS = 16
# Around the ends of what a shifter can do.
AMOUNTS = (LEAST_IMM, -33, -32, -31, -1, 0, 1, 31, 32, 33, MOST_IMM)


@dataclass(frozen=True)
class RandomStream:
    """A program and the contents of its buffers before it runs, one behind the other in `dram`.

    `addresses` are the DRAM byte addresses of the buffers, the same as their places in `dram` unless some are far away.
    """

    program: Any
    dram: np.ndarray
    addresses: tuple[int, ...]

    def linked(self) -> bytes:
        """The stream with addresses filled in."""
        return self.program.link(list(self.addresses))

    def run(self, device: Any, stream: bytes | None = None, *, fresh: bool = True) -> np.ndarray:
        """The buffers after a run on `device` (an `acc._lib._runtime.Device`) of `stream`, by default the linked one.

        Unless `fresh`, it finds in the scratchpads what the streams before have left. Raises AssertionError if the
        device complains.
        """
        return self._run(device, self.linked() if stream is None else stream, fresh)[0]

    def cycles(self, device: Any) -> int:
        """How many a run on `device` takes, be it the circuit or its model; raises as `run` does."""
        return self._run(device, self.linked(), True)[1]["cycles"]

    def _run(self, device: Any, stream: bytes, fresh: bool) -> tuple[np.ndarray, dict[str, Any]]:
        if fresh:
            device.reset()
        memory = self.dram.copy()
        at = 0
        for address, (_, size) in zip(self.addresses, self.program.buffers, strict=True):
            device.attach_at(address, memory[at : at + size])
            at += size
        try:
            result = device.run(stream)
        finally:
            for address in self.addresses:
                device.detach(address)
        assert result["ok"], result["message"]
        return memory, result


def random_stream(
    config: Any, seed: int, length: int = 30, *, max_steps: int = 4000, far: bool = False, regions: int = 1
) -> RandomStream:
    """A stream of about `length` instructions for `config` (an `acc._lib._runtime.Config`), the same for every seed.

    `max_steps` bounds the micro-operations of one instruction, but for loops at the limit of their counters. With
    `far`, some streams have buffers around the last element that a dram_base reaches. With `regions`, most instructions
    keep to one of so many regions of the accumulators, as those of virtual threads do.
    """
    return _Generator(config, np.random.default_rng(seed), max_steps, far, regions).stream(length)


class _Generator:
    def __init__(self, config: Any, rng: np.random.Generator, max_steps: int, far: bool, regions: int) -> None:
        self.c, self.rng, self.max_steps, self.regions = config, rng, max_steps, regions
        self.operations = alu_operations(config)
        self.kinds = ["gemm"] * 5 + ["gemm.reset"] * 2 + ["alu"] * 5
        if "gemm_set" in opcodes(config):
            self.kinds += ["gemm.set"] * 3
        if "gemm_window" in opcodes(config):
            self.kinds += ["gemm.window"] * 3 + ["gemm.window.set"]
        self.depth = {m: int(config.depth(m)) for m in ("uop", "inp", "wgt", "acc", "acc8", "out")}
        self.bytes = {m: int(config.element_bytes(m)) for m in self.depth}
        self.page = int(config.alignment)
        # At least 24 of the largest element, and room for rows that start within a beat; now and then for the longest
        # stride there is.
        data = max(24 * self.page, 4096)
        if rng.random() < 0.1:
            data = max(data, min((MAX_16 + 64) * self.page, 4 << 20))
        self.data_bytes = -(-data // self.page) * self.page
        # The first, all zero, serves the end of the stream.
        self.table = self._uop_table(min(2 * self.depth["uop"], 160))
        self.table[0] = 0
        if "table" in self.operations:
            # Micro-ops that are entries of the ALU's tables, all of whose values are wanted.
            entries = np.zeros((2 << config.log_table_entries, 3), np.int64)
            entries[:, 0] = rng.integers(0, 1 << config.log_table_entries, len(entries))
            self.table = np.concatenate([self.table, entries])
        # How many of them a dram_base can name.
        self.reach = len(self.table)
        self.uops = np.zeros((self.depth["uop"], 3), np.int64)
        # Only what was loaded is known to who plans the tokens.
        self.known = np.zeros(self.depth["uop"] + 1, bool)
        # Buffers around the 2^32nd element of each size, the last that a dram_base reaches: elements before it, after.
        sizes = sorted({self.bytes[m] for m in ("inp", "wgt", "acc", "out")}) if far and rng.random() < 0.4 else []
        self.far = {size: (self.pick(24, 99), self.pick(24, 99)) for size in sizes}
        if far and rng.random() < 0.15:
            self.reach = self.pick(1, len(self.table))
            self.far.pop(4, None)

    def pick(self, low: int, high: int, *, edge: float = 0.15) -> int:
        """In [low, high], either end more often than the rest."""
        at = self.rng.random()
        if at < edge:
            return low
        if at < 2 * edge:
            return high
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def _uop_table(self, count: int) -> np.ndarray:
        """Micro-ops (dst, src, wgt), most of which are legal for GEMM and ALU alike and leave room for loops."""
        sources = [self.depth["inp"], self.depth["acc"]]
        rows = []
        for _ in range(count):
            tops = [self.depth["acc"], max(sources) if self.chance(0.03) else min(sources), self.depth["wgt"]]
            # Few distinct destinations let sums follow each other into the same entry.
            span = self.rng.choice([1, 2, 4, 2, 1 << 30])
            roomy = self.rng.random() < 0.8
            rows.append([self.pick(0, min(int(span), t // 2 if roomy else t) - 1) for t in tops])
        if self.regions > 1:
            self._spread(rows)
        return np.array(rows, np.int64)

    def _spread(self, rows: list[list[int]]) -> None:
        """Moves destinations, and half of the sources, into a region; that of the micro-op before for the most part."""
        region = 0
        for row in rows:
            if self.chance(0.1):
                region = self.pick(0, self.regions - 1)
            for at, top in ((0, self.depth["acc"]), (1, min(self.depth["inp"], self.depth["acc"]))):
                size = top // self.regions
                if size and (at == 0 or self.chance(0.5)):
                    row[at] = row[at] % size + region * size

    def _end(self, entry: int) -> int:
        """Where the accumulators end for an instruction that touches the entry: with its region, for the most part."""
        size = self.depth["acc"] // self.regions
        return (entry // size + 1) * size if self.regions > 1 and size and self.chance(0.8) else self.depth["acc"]

    # --- instructions: the text of each ---

    def load_uops(self) -> str:
        n = self.pick(1, min(len(self.table), self.depth["uop"]))
        y, x = 1, n
        if self.chance(0.3):
            y = self.pick(1, min(4, n))
            x = n // y
        elif self.chance(0.1):
            # All of the scratchpad, in rows that repeat.
            x = min(1 << (len(self.table).bit_length() - 1), self.depth["uop"])
            y = self.depth["uop"] // x
        y0 = y1 = x0 = x1 = 0
        if self.chance(0.4):
            # Micro-ops of zeros around those loaded.
            y0, y1, x0, x1 = self._pads()
            y, x = min(y, 5), min(x, self.pick(1, 6))
            if y0 + y1 and self.chance(0.2):
                y = 0
            if (y0 + y + y1) * (x0 + x + x1) > self.depth["uop"]:
                y, y0, y1, x0, x1 = 1, 0, 0, 0, 0
        stride = self.pick(0, (len(self.table) - x) // (y - 1)) if y > 1 else self.pick(0, MAX_16)
        width = x0 + x + x1
        entries = (y0 + y + y1) * width
        sram = self.pick(0, self.depth["uop"] - entries)
        first = min(self.pick(0, len(self.table) - x - (max(y, 1) - 1) * stride), self.reach - 1)
        self.uops[sram : sram + entries] = 0
        for row in range(y):
            at, to = first + row * stride, sram + (y0 + row) * width + x0
            self.uops[to : to + x] = self.table[at : at + x]
        self.known[sram : sram + entries] = True
        pad = f" pad={y0},{y1},{x0},{x1}" if y0 or y1 or x0 or x1 else ""
        return f"load.uop sram={sram} dram=@0+{first} y={y} x={x} stride={stride}{pad}"

    def nothing(self, memory: str) -> str:
        """A LOAD or STORE that does nothing, with all its other fields anything.

        It goes to the module that `memory` belongs to, but may name another memory, or none that there is.
        """
        store = memory == "out"
        if self.chance(0.5):
            module = "store" if store else "load" if memory in NAMED["load"] else "compute"
            memory = str(self.rng.choice(NAMED[module]))
        head = ("store." if store else "load.") + memory
        x, y = (0, self.pick(0, MAX_16)) if self.chance(0.5) else (self.pick(1, MAX_16), 0)
        if self.chance(0.2):
            pad = ",".join([str(MAX_PAD)] * 4)
            return f"{head} sram={MAX_16} dram={MAX_32} y={MAX_16} x=0 stride={MAX_16} pad={pad}"
        text = f"{head} dram={self.pick(0, MAX_32)} y={y} x={x} stride={self.pick(0, MAX_16)}"
        pads = [self.pick(0, MAX_PAD) for _ in range(4)]
        if x and not store:
            # Rows of padding would be something.
            pads[:2] = 0, 0
        pad = f" pad={','.join(map(str, pads))}" if self.chance(0.5) else ""
        return f"{text} sram={self.pick(0, MAX_16, edge=0.3)}{pad}"

    def _pads(self) -> tuple[int, int, int, int]:
        """Above, below, left, right."""
        if self.chance(0.05):
            return MAX_PAD, MAX_PAD, MAX_PAD, MAX_PAD
        limit = MAX_PAD if self.chance(0.1) else 2
        only = self.pick(0, 3) if self.chance(0.2) else None
        y0, y1, x0, x1 = (self.pick(0, limit) if only in (None, k) else 0 for k in range(4))
        return y0, y1, x0, x1

    def copy(self, memory: str) -> str:
        """A LOAD or STORE of any shape, among them zero fills, short rows and nothing at all."""
        if self.chance(0.04):
            return self.nothing(memory)
        size = self.bytes[memory]
        before, after = self.far[size] if size in self.far and self.chance(0.3) else (0, self.data_bytes // size)
        buffer = 3 + sorted(self.far).index(size) if before else 1
        depth, count = self.depth[memory], before + after
        y0 = y1 = x0 = x1 = 0
        if memory != "out" and self.chance(0.5):
            y0, y1, x0, x1 = self._pads()
        while True:
            y, x = self.pick(1, 6), self.pick(1, min(depth, count, MAX_16) if self.chance(0.15) else 6)
            if self.chance(0.08):
                y, x = self.pick(1, min(depth, MAX_16)), self.pick(1, 2)
            if y0 + y1 and self.chance(0.2):
                y = 0
            stride = self.pick(0, MAX_16) if y <= 1 else x if self.chance(0.3) else self.pick(0, 12)
            if y == 2 and count > MAX_16 and self.chance(0.5):
                stride = MAX_16
            entries = (y0 + y + y1) * (x0 + x + x1)
            extent = (y - 1) * stride + x if y else 1
            if entries <= depth and extent <= count:
                break
            if self.chance(0.5):
                y0 = y1 = x0 = x1 = 0
        sram = self.pick(0, depth - entries)
        # Rows may begin at the last element that a dram_base reaches, not behind it.
        first = min(self.pick(0, count - extent), before - 1) if before else self.pick(0, count - extent)
        head = ("store." if memory == "out" else "load.") + memory
        pad = f" pad={y0},{y1},{x0},{x1}" if y0 or y1 or x0 or x1 else ""
        return f"{head} sram={sram} dram=@{buffer}+{first} y={y} x={x} stride={stride}{pad}"

    def fill(self, memory: str) -> str:
        """A LOAD of a whole scratchpad, the same data again and again; accumulators get values whose sums wrap."""
        depth, count = self.depth[memory], self.data_bytes // self.bytes[memory]
        x = min(depth, 1 << self.pick(0, min(count.bit_length() - 1, 15)))
        x = max(x, depth >> 15)
        y = depth // x
        stride = self.pick(0, min(MAX_16, (count - x) // (y - 1))) if y > 1 else 0
        return f"load.{memory} sram=0 dram=@1+{self.pick(0, count - x - (y - 1) * stride)} y={y} x={x} stride={stride}"

    def _factors(self, depth: int, top: int, outs: int, ins: int) -> tuple[int, int]:
        """Outer and inner factor that keep top + (outs - 1) * outer + (ins - 1) * inner below depth."""
        room = depth - 1 - top
        # Either may take what room there is.
        limits = {}
        for name, n in (("inner", ins), ("outer", outs)) if self.chance(0.5) else (("outer", outs), ("inner", ins)):
            limits[name] = self.pick(0, min(depth - 1, room // (n - 1) if n > 1 else depth - 1))
            room -= limits[name] * (n - 1)
        return limits["outer"], limits["inner"]

    def _no_steps(self) -> str:
        """Micro-ops, loops and factors of an instruction that has none of the first or of the second."""
        depth = self.depth["uop"]
        begin, end = self.pick(0, depth - 1), self.pick(0, 2 * depth - 1)
        outs, ins = self.pick(0, MAX_ITER), self.pick(0, MAX_ITER)
        if self.chance(0.3):
            end = begin if self.chance(0.5) else self.pick(0, begin)
            outs, ins = (MAX_ITER, MAX_ITER) if self.chance(0.3) else (outs, ins)
        elif end > begin:
            outs, ins = (0, ins) if self.chance(0.5) else (outs, 0)
        factors = [self.pick(0, self.depth["acc"] - 1) for _ in range(2)]
        return f"uop={begin}:{end} iter={outs},{ins} dst={factors[0]},{factors[1]}"

    def _imm(self, op: str) -> int:
        if op == "table" and self.chance(0.5):
            return self.pick(0, (1 << self.c.log_tables) - 1)
        if self.chance(0.6 if op == "shr" else 0.2):
            return int(self.rng.choice(AMOUNTS)) if self.chance(0.5) else self.pick(-33, 33)
        return self.pick(LEAST_IMM, MOST_IMM)

    def loops(self) -> str:
        """A GEMM, reset or ALU instruction."""
        kind = str(self.rng.choice(self.kinds))
        depth = {name: self.depth[memory] for name, memory in (("dst", "acc"), ("inp", "inp"), ("wgt", "wgt"))}
        depth["acc"] = depth["dst"]
        op, use_imm = str(self.rng.choice(self.operations)), self.pick(0, 1)
        imm = self._imm(op) if op == "table" else None
        if imm is not None and not self._has_table(imm):
            op, imm = "max", None
        # The last entry that an operation reads lies so far behind the first.
        sources = isa.ALU_SOURCES[op] if kind == "alu" else int(self.c.gemm_window) if "window" in kind else 1
        further = max(sources - 1, 0)
        if kind == "alu" and sources != 1:
            use_imm = int(sources == 0)
        outs = ins = 0
        top = [0, 0, 0]
        if self.chance(0.06):
            text = self._no_steps()
        else:
            loaded = np.flatnonzero(self.known)
            begin = int(loaded[self.pick(0, len(loaded) - 1)])
            most = self.chance(0.1)
            if most:
                begin = int(loaded[0])
            limit = begin + int(np.argmin(self.known[begin:]))
            end = self.pick(begin + 1, limit) if most or self.chance(0.1) else min(limit, begin + self.pick(1, 12))
            outs, ins = self.pick(1, 4), self.pick(1, 6)
            if self.chance(0.04):
                outs, ins = ((MAX_ITER, 1), (1, MAX_ITER), (127, 129))[self.pick(0, 2)]
                end = begin + 1
            elif (end - begin) * outs * ins > self.max_steps:
                outs = ins = 1
                end = min(end, begin + self.max_steps)
            top = [int(t) for t in self.uops[begin:end].max(axis=0)]
            dst = self._factors(self._end(top[0]), top[0], outs, ins)
            text = f"uop={begin}:{end} iter={outs},{ins} dst={dst[0]},{dst[1]}"
            # Not every source index is one of both memories.
            if kind != "alu" and top[1] + further >= depth["inp"]:
                kind, further = "gemm.reset", 0
            if kind == "alu" and further and top[1] + further >= depth["acc"]:
                op, further = "add", 0
            use_imm = int(use_imm or top[1] >= depth["acc"])
        # What is not read may lie anywhere.
        ignored = not outs or (kind == "gemm.reset" if kind != "alu" else use_imm)
        source = self._end(min(top[1] + further, depth["acc"] - 1)) if kind == "alu" else depth["inp"]
        src = self._factors(source, 0, 1, 1) if ignored else self._factors(source - further, top[1], outs, ins)
        if kind == "alu":
            return (
                f"alu.{op} {text} src={src[0]},{src[1]} use_imm={use_imm} imm={self._imm(op) if imm is None else imm}"
            )
        if further and ins > 1 and self.chance(0.6):
            # A window that moves on by less than what it holds, for the most part.
            step = self.pick(1, 3)
            if top[1] + further + (ins - 1) * step < source:
                src = 0, step
        wgt = self._factors(depth["wgt"], 0 if ignored else top[2], *((1, 1) if ignored else (outs, ins)))
        return f"{kind} {text} src={src[0]},{src[1]} wgt={wgt[0]},{wgt[1]}"

    def _has_table(self, imm: int) -> bool:
        """Whether all entries of a table are known."""
        first = self.c.table_begin(imm)
        return bool(self.known[first : first + (1 << self.c.log_table_entries)].all())

    def tables(self) -> Iterator[str]:
        """Loads a table, in one piece or in rows, and looks things up at once."""
        size = 1 << self.c.log_table_entries
        imm = self._imm("table")
        sram = self.c.table_begin(imm)
        rows = 1 << self.pick(0, 4)
        x = size // rows
        last = min(len(self.table) - size, self.reach - 1)
        first = max(last - self.pick(0, size), 0)
        if rows > 1 and self.reach < len(self.table):
            rows, x = 1, size
        self.uops[sram : sram + size] = self.table[first : first + size]
        self.known[sram : sram + size] = True
        yield f"load.uop sram={sram} dram=@0+{first} y={rows} x={x} stride={x}"
        loaded = np.flatnonzero(self.known)
        at = int(loaded[self.pick(0, len(loaded) - 1)])
        dst = int(self.uops[at, 0])
        n = self.pick(1, min(12, self.depth["acc"] - dst))
        narrow = self.data_bytes // self.bytes["acc8"]
        yield f"load.acc8 sram={dst} dram=@1+{self.pick(0, narrow - n)} y=1 x={n} stride=0"
        yield f"alu.table uop={at}:{at + 1} iter=1,{n} dst=0,1 src=0,0 use_imm=1 imm={imm}"
        # What follows at once may load another one, too.
        if self.chance(0.3):
            yield self.load_uops()

    def shifts(self) -> Iterator[str]:
        """Shifts by amounts from accumulators that are small enough to tell one from another."""
        loaded = np.flatnonzero(self.known)
        at = int(loaded[self.pick(0, len(loaded) - 1)])
        dst, src, _ = (int(v) for v in self.uops[at])
        if src >= self.depth["acc"]:
            return
        n = self.pick(1, min(6, self.depth["acc"] - max(dst, src)))
        count = self.data_bytes // self.bytes["acc8"]
        yield f"load.acc8 sram={src} dram=@1+{self.pick(0, count - n)} y=1 x={n} stride=0"
        step = int(self.chance(0.5))
        yield f"alu.shr uop={at}:{at + 1} iter=1,{n} dst=0,{step} src=0,1 use_imm=0 imm=0"

    def requantizations(self) -> Iterator[str]:
        """Requantizations of accumulators that are small enough for results between the bounds, and for ties."""
        loaded = np.flatnonzero(self.known)
        at = int(loaded[self.pick(0, len(loaded) - 1)])
        dst, src, _ = (int(v) for v in self.uops[at])
        words = isa.ALU_SOURCES["requantize"]
        n = self.pick(1, 12)
        step = int(self.rng.choice([0, 0, words, self.pick(1, words)]))
        read = words + (n - 1) * step
        if dst + n > self.depth["acc"] or src + read > self.depth["acc"]:
            return
        narrow = self.data_bytes // self.bytes["acc8"]
        first = self.pick(0, PARAMETERS * words - read) if step % words else words * self.pick(0, PARAMETERS - n)
        parameters = 3 + len(self.far)
        yield f"load.acc sram={src} dram=@{parameters}+{first} y=1 x={read} stride=0"
        yield f"load.acc8 sram={dst} dram=@1+{self.pick(0, narrow - n)} y=1 x={n} stride=0"
        yield f"alu.requantize uop={at}:{at + 1} iter=1,{n} dst=0,1 src=0,{step} use_imm=0 imm={self._imm('add')}"
        # What follows at once must not overtake it.
        for _ in range(self.pick(0, 3)):
            yield self.loops()

    def parameters(self) -> np.ndarray:
        """Sources of `requantize` that make outputs of small accumulators, many of which are ties."""
        lanes = self.bytes["acc"] // 4
        result = np.zeros((PARAMETERS, isa.ALU_SOURCES["requantize"], lanes), np.uint32)
        post = self.rng.integers(0, 10, (PARAMETERS, lanes))
        values = {
            "bias": self.rng.integers(-300, 300, post.shape),
            "multiplier": self.rng.choice([0, 1, 2, 3, 5, 8, 24, 100, 0x7FFF], post.shape),
            "pre_shift": self.rng.choice([0, 0, 1, 2, 5, 31], post.shape),
            "post_shift": post,
            "zero_point": self.rng.integers(-128, 128, post.shape),
            "lowest": self.rng.choice([-128, -128, -20, 100], post.shape),
            "highest": self.rng.choice([127, 127, 30, -100], post.shape),
            "mid_shift": np.minimum(self.rng.integers(0, 10, post.shape), post + 1),
            "adds_half": self.rng.integers(0, 2, post.shape),
            "ties_even": self.rng.random(post.shape) < 0.8,
            "ties_odd": self.rng.integers(0, 2, post.shape),
        }
        for name, (source, at, width, _) in isa.REQUANTIZE.items():
            bits = values[name].astype(np.int64) & ((1 << width) - 1)
            result[:, source] |= (bits << at).astype(np.uint32)
        return result.reshape(-1)

    def body(self, length: int) -> Iterator[str]:
        yield self.load_uops()
        for memory in ("inp", "wgt", "acc"):
            if self.chance(0.8):
                yield self.fill(memory)
            yield self.copy(memory)
            yield self.copy(memory)
        for _ in range(length):
            if "requantize" in self.operations and self.chance(0.06):
                yield from self.requantizations()
            if "table" in self.operations and self.chance(0.06):
                yield from self.tables()
            kind = self.rng.random()
            memory = str(self.rng.choice(["inp", "inp", "wgt", "acc", "acc8", "out", "out"]))
            if kind < 0.08:
                yield self.load_uops()
            elif kind < 0.09:
                yield self.nothing("uop")
            elif kind < 0.105:
                # More than the queues between fetch and the modules hold.
                for _ in range(self.pick(20, 60)):
                    yield self.nothing(memory) if self.chance(0.5) else self.copy(memory)
            elif kind < 0.13:
                yield from self.shifts()
            elif kind < 0.14:
                yield self.fill(str(self.rng.choice(["inp", "wgt", "acc", "acc8"])))
            elif kind < 0.5:
                yield self.copy(memory)
            else:
                yield self.loops()

    def dump(self) -> Iterator[str]:
        """Stores all accumulators, OUT_WIDTH bits at a time, shifting them down in between."""
        depth, bits = self.depth["acc"], int(self.c.inp_bits)
        yield "load.uop sram=0 dram=@0+0 y=1 x=1 stride=1"
        inner = min(depth, 1 << 13)
        rows = depth // inner
        parts = 32 // bits
        for part in range(parts):
            yield f"store.out sram=0 dram=@2+{part * depth} y={rows} x={inner} stride={inner}"
            if part == parts - 1 and self.chance(0.5):
                # The last one to end is a STORE, then.
                return
            yield (
                f"alu.shr uop=0:1 iter={rows},{inner} dst={inner % depth if rows > 1 else 0},1 src=0,0 "
                f"use_imm=1 imm={bits}"
            )

    def stream(self, length: int) -> RandomStream:
        from acc._lib import _runtime

        uops = "\n".join(f".uop dst={d} src={s} wgt={w}" for d, s, w in self.table.tolist())
        uop_bytes = -(-len(self.table) * 4 // self.page) * self.page
        dump_bytes = self.depth["acc"] * self.bytes["out"] * (32 // int(self.c.inp_bits))
        sizes = {"uop": uop_bytes, "data": self.data_bytes, "end": dump_bytes}
        addresses = [0, uop_bytes, uop_bytes + self.data_bytes]
        if self.reach < len(self.table):
            addresses[0] = (4 << 32) - 4 * self.reach
        for size, (before, after) in sorted(self.far.items()):
            sizes[f"far{size}"] = (before + after) * size
            addresses.append((size << 32) - before * size)
        if "requantize" in self.operations:
            sizes["parameters"] = (
                -(-PARAMETERS * isa.ALU_SOURCES["requantize"] * self.bytes["acc"] // self.page) * self.page
            )
            addresses.append(-(-(addresses[2] + dump_bytes) // self.page) * self.page)
        head = [f".config {self.c.to_json()}", *(f'.buffer "{name}" {size}' for name, size in sizes.items())]
        text = [*head, ".uop_buffer 0", uops, *self.body(length), *self.dump(), "finish"]
        program = _runtime.Program.parse("\n".join(text))
        program.insert_tokens()
        if self.chance(0.3):
            program = spare_tokens(program, self.rng)
        dram = self.rng.integers(0, 256, sum(sizes.values())).astype(np.uint8)
        words = np.frombuffer(program.uops, np.uint8)
        dram[: len(words)] = words
        if "parameters" in sizes:
            made = self.parameters().view(np.uint8)
            at = len(dram) - sizes["parameters"]
            dram[at : at + len(made)] = made
        return RandomStream(program, dram, tuple(addresses))
