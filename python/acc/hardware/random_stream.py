"""Constrained-random instruction streams: legal, free of hazards, and with every field at its limits now and then.

A stream ends by storing all accumulators, all 32 bits of them, so that whoever runs it shows its whole state in DRAM:
comparing DRAM after the run compares everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

MAX_ITER = (1 << 14) - 1
MAX_16 = (1 << 16) - 1
ALU_OPS = ("min", "max", "add", "shr", "mul")


@dataclass(frozen=True)
class RandomStream:
    """A program with three buffers (micro-ops, data, accumulators at the end) and DRAM before it runs.

    `addresses` are the buffers' places in `dram`, a uint8 array that starts at DRAM byte 0.
    """

    program: Any
    dram: np.ndarray
    addresses: tuple[int, ...]

    def linked(self) -> bytes:
        """The stream with addresses filled in."""
        return self.program.link(list(self.addresses))

    def run(self, device: Any) -> np.ndarray:
        """DRAM after a run on `device` (an `acc._lib._runtime.Device`); raises AssertionError if it complains."""
        memory = self.dram.copy()
        device.attach_at(0, memory)
        try:
            result = device.run(self.linked())
        finally:
            device.detach(0)
        assert result["ok"], result["message"]
        return memory


def random_stream(config: Any, seed: int, length: int = 30, *, max_steps: int = 4000) -> RandomStream:
    """A stream of about `length` instructions for `config` (an `acc._lib._runtime.Config`), the same for every seed.

    `max_steps` bounds the micro-operations of one instruction.
    """
    return _Generator(config, np.random.default_rng(seed), max_steps).stream(length)


class _Generator:
    def __init__(self, config: Any, rng: np.random.Generator, max_steps: int) -> None:
        self.c, self.rng, self.max_steps = config, rng, max_steps
        self.depth = {m: int(config.depth(m)) for m in ("uop", "inp", "wgt", "acc", "acc8", "out")}
        self.bytes = {m: int(config.element_bytes(m)) for m in self.depth}
        self.page = max(self.bytes.values())
        # At least 24 of the largest element, and room for rows that start within a beat.
        self.data_bytes = max(24 * self.page, -(-4096 // self.page) * self.page)
        self.table = self._uop_table(min(2 * self.depth["uop"], 160))
        self.uops = np.zeros((self.depth["uop"], 3), np.int64)
        # Only what was loaded is known to who plans the tokens.
        self.known = np.zeros(self.depth["uop"] + 1, bool)

    def pick(self, low: int, high: int, *, edge: float = 0.15) -> int:
        """In [low, high], either end more often than the rest."""
        at = self.rng.random()
        if at < edge:
            return low
        if at < 2 * edge:
            return high
        return int(self.rng.integers(low, high + 1))

    def _uop_table(self, count: int) -> np.ndarray:
        """Micro-ops (dst, src, wgt) that are legal for GEMM and ALU alike; most leave room for loops."""
        tops = [self.depth["acc"], min(self.depth["inp"], self.depth["acc"]), self.depth["wgt"]]
        rows = []
        for _ in range(count):
            # Few distinct destinations let sums follow each other into the same entry.
            span = self.rng.choice([1, 2, 4, 2, 1 << 30])
            roomy = self.rng.random() < 0.8
            rows.append([self.pick(0, min(int(span), t // 2 if roomy else t) - 1) for t in tops])
        return np.array(rows, np.int64)

    # --- instructions: the text of each ---

    def load_uops(self) -> str:
        n = self.pick(1, min(len(self.table), self.depth["uop"]))
        sram = self.pick(0, self.depth["uop"] - n)
        first = self.pick(0, len(self.table) - n)
        self.uops[sram : sram + n] = self.table[first : first + n]
        self.known[sram : sram + n] = True
        return f"load.uop sram={sram} dram=@0+{first} y=1 x={n} stride={self.pick(n, MAX_16)}"

    def copy(self, memory: str) -> str:
        """A LOAD or STORE of any shape, among them zero fills, short rows and nothing at all."""
        depth, count = self.depth[memory], self.data_bytes // self.bytes[memory]
        head = ("store." if memory == "out" else "load.") + memory
        if self.rng.random() < 0.03:
            return f"{head} sram={self.pick(0, depth - 1)} dram=@1+0 y={self.pick(0, MAX_16)} x=0 stride=0"
        y0 = y1 = x0 = x1 = 0
        while True:
            y, x = self.pick(1, 6), self.pick(1, min(depth, count, MAX_16) if self.rng.random() < 0.15 else 6)
            if memory != "out" and self.rng.random() < 0.5:
                limit = 15 if self.rng.random() < 0.1 else 2
                y0, y1, x0, x1 = (self.pick(0, limit) for _ in range(4))
                if self.rng.random() < 0.2:
                    y, y0 = 0, max(y0, 1)
            stride = self.pick(0, MAX_16) if y <= 1 else x if self.rng.random() < 0.3 else self.pick(0, 12)
            entries = (y0 + y + y1) * (x0 + x + x1)
            extent = (y - 1) * stride + x if y else 1
            if entries <= depth and extent <= count:
                break
            y0 = y1 = x0 = x1 = 0
        sram = self.pick(0, depth - entries)
        # Where nothing is read, any address does.
        dram = f"@1+{self.pick(0, count - extent)}"
        pad = f" pad={y0},{y1},{x0},{x1}" if y0 or y1 or x0 or x1 else ""
        return f"{head} sram={sram} dram={dram} y={y} x={x} stride={stride}{pad}"

    def fill(self, memory: str) -> str:
        """A LOAD of a whole scratchpad, the same data again and again; accumulators get values whose sums wrap."""
        depth, count = self.depth[memory], self.data_bytes // self.bytes[memory]
        x = min(depth, 1 << self.pick(0, count.bit_length() - 1))
        x = max(x, depth >> 15)
        y = depth // x
        stride = self.pick(0, (count - x) // (y - 1)) if y > 1 else 0
        return f"load.{memory} sram=0 dram=@1+{self.pick(0, count - x - (y - 1) * stride)} y={y} x={x} stride={stride}"

    def _factors(self, depth: int, top: int, outs: int, ins: int) -> tuple[int, int]:
        """Outer and inner factor that keep top + (outs - 1) * outer + (ins - 1) * inner below depth."""
        room = depth - 1 - top
        inner = self.pick(0, min(depth - 1, room // (ins - 1) if ins > 1 else depth - 1))
        room -= inner * (ins - 1)
        outer = self.pick(0, min(depth - 1, room // (outs - 1) if outs > 1 else depth - 1))
        return outer, inner

    def loops(self) -> str:
        """A GEMM, reset or ALU instruction."""
        loaded = np.flatnonzero(self.known)
        begin = int(loaded[self.pick(0, len(loaded) - 1)])
        limit = begin + int(np.argmin(self.known[begin:]))
        end = min(limit, begin + self.pick(1, 12)) if self.rng.random() < 0.8 else self.pick(begin, limit)
        if self.rng.random() < 0.03:
            end = self.pick(0, begin)
        count = max(end - begin, 0)
        outs, ins = self.pick(1, 4), self.pick(1, 6)
        if self.rng.random() < 0.04:
            outs, ins = ((MAX_ITER, 1), (1, MAX_ITER), (0, MAX_ITER), (MAX_ITER, 0))[self.pick(0, 3)]
        while count * outs * ins > self.max_steps and count > 1:
            end -= 1
            count -= 1
        if count * outs * ins > max(self.max_steps, MAX_ITER):
            outs = ins = 1
        used = self.uops[begin:end] if count else np.zeros((1, 3), np.int64)
        top = [int(t) for t in used.max(axis=0)]
        kind = str(self.rng.choice(["gemm"] * 5 + ["gemm.reset"] + ["alu"] * 5))
        if count * outs * ins == 0:
            outs, ins = min(outs, 1), min(ins, 1)
        dst = self._factors(self.depth["acc"], top[0], max(outs, 1), max(ins, 1))
        text = f"uop={begin}:{end} iter={outs},{ins} dst={dst[0]},{dst[1]}"
        if kind != "alu":
            src = self._factors(self.depth["inp"], top[1], max(outs, 1), max(ins, 1))
            wgt = self._factors(self.depth["wgt"], top[2], max(outs, 1), max(ins, 1))
            return f"{kind} {text} src={src[0]},{src[1]} wgt={wgt[0]},{wgt[1]}"
        src = self._factors(self.depth["acc"], top[1], max(outs, 1), max(ins, 1))
        op = str(self.rng.choice(ALU_OPS))
        small = op == "shr" and self.rng.random() < 0.7
        imm = self.pick(-33, 33) if small else self.pick(-(1 << 15), (1 << 15) - 1)
        return f"alu.{op} {text} src={src[0]},{src[1]} use_imm={self.pick(0, 1)} imm={imm}"

    def dump(self) -> Iterator[str]:
        """Stores all accumulators, OUT_WIDTH bits at a time, shifting them down in between."""
        depth, bits = self.depth["acc"], int(self.c.inp_bits)
        # The micro-op of a zero fill and of the shift: all indices 0.
        yield f"load.uop sram=0 dram=@0+{len(self.table)} y=1 x=1 stride=1"
        inner = min(depth, 1 << 13)
        rows = depth // inner
        for part in range(32 // bits):
            yield f"store.out sram=0 dram=@2+{part * depth} y={rows} x={inner} stride={inner}"
            yield (
                f"alu.shr uop=0:1 iter={rows},{inner} dst={inner % depth if rows > 1 else 0},1 src=0,0 "
                f"use_imm=1 imm={bits}"
            )

    def stream(self, length: int) -> RandomStream:
        from acc._lib import _runtime

        uops = "\n".join(f".uop dst={d} src={s} wgt={w}" for d, s, w in [*self.table.tolist(), (0, 0, 0)])
        body = [self.load_uops()]
        body += [self.fill(memory) for memory in ("inp", "wgt", "acc") if self.rng.random() < 0.8]
        body += [self.copy(memory) for memory in ("inp", "wgt", "acc") for _ in range(2)]
        for _ in range(length):
            kind = self.rng.random()
            if kind < 0.08:
                body.append(self.load_uops())
            elif kind < 0.5:
                body.append(self.copy(str(self.rng.choice(["inp", "inp", "wgt", "acc", "acc8", "out", "out"]))))
            else:
                body.append(self.loops())
        body += [*self.dump(), "finish"]
        uop_bytes = -(-(len(self.table) + 1) * 4 // self.page) * self.page
        dump_bytes = self.depth["acc"] * self.bytes["out"] * (32 // int(self.c.inp_bits))
        head = [f".config {self.c.to_json()}", f'.buffer "uop" {uop_bytes}', f'.buffer "data" {self.data_bytes}']
        head += [f'.buffer "end" {dump_bytes}', ".uop_buffer 0", uops]
        program = _runtime.Program.parse("\n".join([*head, *body]))
        program.insert_tokens()
        dram = self.rng.integers(0, 256, uop_bytes + self.data_bytes + dump_bytes).astype(np.uint8)
        words = np.frombuffer(program.uops, np.uint8)
        dram[: len(words)] = words
        return RandomStream(program, dram, (0, uop_bytes, uop_bytes + self.data_bytes))
