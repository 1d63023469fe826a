"""The instruction set in numpy, straight from its description: what the runtime is tested against.

Instructions are those of the assembly text, as Python objects; memory is one flat array. Also: random
configurations, and random streams free of hazards but for those that `insert_tokens` is to order.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np

from acc._lib import _runtime, isa
from acc.hardware.package import alu_operations


def random_config(rng: np.random.Generator) -> _runtime.Config:
    """A legal configuration: BATCH 1 to 8, BLOCK 1 to 64 (not always square), all widths, small buffers."""
    from acc.errors import ConfigError

    while True:
        keys = {
            "LOG_INP_WIDTH": int(rng.choice([3, 3, 3, 2, 1])),
            "LOG_WGT_WIDTH": int(rng.choice([3, 3, 2, 1])),
            "LOG_BATCH": int(rng.choice([0, 0, 1, 2, 3])),
            "LOG_BLOCK_IN": int(rng.integers(0, 7)),
            "LOG_BLOCK_OUT": int(rng.integers(0, 7)),
            "LOG_UOP_BUFF_SIZE": int(rng.integers(6, 14)),
            "LOG_INP_BUFF_SIZE": int(rng.integers(8, 16)),
            "LOG_WGT_BUFF_SIZE": int(rng.integers(8, 19)),
            "LOG_ACC_BUFF_SIZE": int(rng.integers(10, 18)),
        }
        if rng.random() < 0.5:
            keys |= {"ALU_REQUANTIZE": 1, "GEMM_SET": 1}
            if keys["LOG_BLOCK_IN"] == keys["LOG_BLOCK_OUT"]:
                keys["GEMM_WINDOW"] = int(rng.integers(1, min(8, 1 << keys["LOG_BLOCK_IN"]) + 1))
        if rng.random() < 0.3:
            keys["ALU_TABLE"] = 1
        if rng.random() < 0.5:
            keys["LOG_BLOCK"] = keys.pop("LOG_BLOCK_IN")
            del keys["LOG_BLOCK_OUT"]
        try:
            config = _runtime.Config(json.dumps(keys))
        except ConfigError:
            continue
        if all(config.depth(m) >= 8 for m in ("uop", "inp", "wgt", "acc")):
            return config


TABLE_ENTRIES = 256


def unpack(data: np.ndarray, bits: int) -> np.ndarray:
    """Signed elements of `bits` bits, low bits first, from uint8; int64."""
    per = 8 // bits
    values = (data[:, None] >> (np.arange(per) * bits)) & ((1 << bits) - 1)
    values = values.reshape(-1).astype(np.int64)
    return np.where(values >= 1 << (bits - 1), values - (1 << bits), values)


def pack(values: np.ndarray, bits: int) -> np.ndarray:
    """The inverse of `unpack`, keeping the low bits."""
    per = 8 // bits
    low = (values.reshape(-1, per) & ((1 << bits) - 1)) << (np.arange(per) * bits)
    return low.sum(axis=1).astype(np.uint8)


def wrap(values: np.ndarray) -> np.ndarray:
    """int64 to the int32 range, modulo 2^32."""
    return (values + (1 << 31)) % (1 << 32) - (1 << 31)


@dataclass
class Insn:
    """One instruction: the head of its assembly line and its numeric fields."""

    head: str
    fields: dict[str, int | tuple[int, ...]] = field(default_factory=dict)

    def text(self) -> str:
        def show(key: str, value: int | tuple[int, ...]) -> str:
            if isinstance(value, int):
                return f"{key}={value}"
            return f"{key}={(':' if key == 'uop' else ',').join(map(str, value))}"

        return " ".join([self.head, *(show(k, v) for k, v in self.fields.items())])


class Model:
    """Executes instructions one by one, in the order given."""

    def __init__(self, config: _runtime.Config, dram: np.ndarray) -> None:
        self.c, self.dram = config, dram
        b, i, o = config.batch, config.block_in, config.block_out
        self.uop = np.zeros((config.depth("uop"), 3), np.int64)
        self.inp = np.zeros((config.depth("inp"), b, i), np.int64)
        self.wgt = np.zeros((config.depth("wgt"), o, i), np.int64)
        self.acc = np.zeros((config.depth("acc"), b, o), np.int64)

    def element(self, memory: str, index: int) -> np.ndarray:
        size = self.c.element_bytes(memory)
        return self.dram[index * size : (index + 1) * size]

    def decode(self, memory: str, index: int) -> np.ndarray:
        data = self.element(memory, index)
        b, i, o = self.c.batch, self.c.block_in, self.c.block_out
        if memory == "uop":
            word = int(data.view(np.uint32)[0])
            acc, inp = (int(self.c.depth(m)).bit_length() - 1 for m in ("acc", "inp"))
            wgt = int(self.c.depth("wgt")).bit_length() - 1
            src = max(acc, inp)
            return np.array(
                [word % (1 << acc), (word >> acc) % (1 << src), (word >> (acc + src)) % (1 << wgt)], np.int64
            )
        if memory == "inp":
            return unpack(data, self.c.inp_bits).reshape(b, i)
        if memory == "wgt":
            return unpack(data, self.c.wgt_bits).reshape(o, i)
        if memory == "acc":
            return data.view(np.int32).astype(np.int64).reshape(b, o)
        return unpack(data, self.c.inp_bits).reshape(b, o)

    def execute(self, insn: Insn) -> None:
        kind, _, suffix = insn.head.partition(".")
        f = insn.fields
        if kind == "load":
            self.load(suffix, **f)
        elif kind == "store":
            for y in range(f["y"]):
                for x in range(f["x"]):
                    values = self.acc[f["sram"] + y * f["x"] + x].reshape(-1)
                    self.element("out", f["dram"] + y * f["stride"] + x)[:] = pack(values, self.c.inp_bits)
        elif kind != "finish":
            self.loop(kind, suffix, **f)

    def load(self, memory, sram, dram, y, x, stride, pad=(0, 0, 0, 0)) -> None:
        store = {"acc8": self.acc}.get(memory)
        store = getattr(self, memory) if store is None else store
        at = sram
        for row in range(-pad[0], y + pad[1]):
            for col in range(-pad[2], x + pad[3]):
                inside = 0 <= row < y and 0 <= col < x
                store[at] = self.decode(memory, dram + row * stride + col) if inside else 0
                at += 1

    def loop(self, kind, suffix, uop, iter, dst, src, wgt=(0, 0), imm=0, use_imm=0) -> None:
        source, parameters = None, None
        for o in range(iter[0]):
            for i in range(iter[1]):
                for u in range(*uop):
                    d, s, w = self.uop[u] + np.array([[f[0] * o + f[1] * i] for f in (dst, src, wgt)]).reshape(3)
                    if suffix.startswith("window"):
                        t = int(self.c.gemm_window)
                        products = self.inp[s : s + t] * self.wgt[w].T[:t, np.newaxis]
                        before = 0 if suffix.endswith("set") else self.acc[d]
                        self.acc[d] = wrap(before + products.sum(axis=0))
                    elif kind == "gemm":
                        before = 0 if suffix == "set" else self.acc[d]
                        self.acc[d] = 0 if suffix == "reset" else wrap(before + self.inp[s] @ self.wgt[w].T)
                    elif suffix == "table":
                        self.acc[d] = self.table(imm)[self.acc[d] & 255]
                    elif suffix == "requantize":
                        if s != source:
                            source, parameters = s, self.acc[s : s + 3].copy()
                        self.acc[d] = self.requantize(self.acc[d], *parameters)
                    else:
                        self.acc[d] = self.alu(suffix, self.acc[d], np.int64(imm) if use_imm else self.acc[s])

    def table(self, imm: int) -> np.ndarray:
        """What becomes of each byte: the low bits of the destinations of some of the last micro-ops."""
        first = self.c.table_begin(imm)
        return self.uop[first : first + TABLE_ENTRIES, 0].astype(np.uint8).view(np.int8).astype(np.int64)

    @staticmethod
    def requantize(a: np.ndarray, bias: np.ndarray, scaling: np.ndarray, bounds: np.ndarray) -> np.ndarray:
        def signed(at: int) -> np.ndarray:
            return (bounds >> at & 255).astype(np.uint8).view(np.int8).astype(np.int64)

        post, middle = scaling >> 20 & 31, bounds >> 24 & 15
        half, even, odd = (bounds >> at & 1 for at in (28, 29, 30))
        product = (wrap(a + bias) >> (scaling >> 15 & 31)) * (scaling & 0x7FFF)
        product += half * (((1 << post) >> 1) + ((1 << middle) >> 1))
        result = product >> post
        # Bits from `middle` up to `post`, which does not count.
        dropped = product - (result << post) >> np.minimum(middle, post)
        down = even * (dropped == 0) * ((result + odd) % 2)
        return np.minimum(np.maximum(result - down + signed(0), signed(8)), signed(16))

    @staticmethod
    def alu(op: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        b = np.broadcast_to(b, a.shape)
        if op == "shr":
            right = a >> np.clip(b, 0, 31)
            left = np.where(b <= -32, 0, a << np.clip(-b, 0, 31))
            return np.where(b >= 0, right, wrap(left))
        return {"min": np.minimum, "max": np.maximum, "add": lambda x, y: wrap(x + y), "mul": lambda x, y: wrap(x * y)}[
            op
        ](a, b)


class Streams:
    """Draws streams whose indices are all in range."""

    def __init__(self, rng: np.random.Generator, config: _runtime.Config, dram_bytes: int) -> None:
        self.rng, self.c, self.bytes = rng, config, dram_bytes
        self.regions: dict[str, tuple[int, int]] = {}
        # One region of DRAM for micro-ops, which are not random bits; one for everything else.
        self.uops = min(config.depth("uop"), 24)

    def pick(self, low: int, high: int) -> int:
        """Uniform in [low, high]."""
        return int(self.rng.integers(low, high + 1))

    def uop_table(self, stream_max: int) -> list[tuple[int, int, int]]:
        return [
            (
                self.pick(0, self.c.depth("acc") // 2 - 1),
                self.pick(0, min(self.c.depth("inp"), self.c.depth("acc")) // 2 - 1),
                self.pick(0, self.c.depth("wgt") // 2 - 1),
            )
            for _ in range(stream_max)
        ]

    def tables(self) -> tuple[list[tuple[int, int, int]], list[Insn]]:
        """Entries of tables, as micro-ops that follow those of `uop_table` in DRAM, and the LOADs of all tables."""
        if not self.c.alu_table:
            return [], []
        entries = [(self.pick(0, TABLE_ENTRIES - 1), 0, 0) for _ in range(2 * TABLE_ENTRIES)]
        loads = []
        for number in range(1 << self.c.log_tables):
            first = self.uops + self.pick(0, TABLE_ENTRIES)
            fields = {"sram": self.c.table_begin(number), "dram": first, "y": 1, "x": TABLE_ENTRIES}
            loads.append(Insn("load.uop", {**fields, "stride": TABLE_ENTRIES}))
        return entries, loads

    def copy(self, memory: str, base: int, size: int) -> Insn:
        """A LOAD or STORE within DRAM bytes [base, base + size)."""
        depth, bytes_ = self.c.depth(memory), self.c.element_bytes(memory)
        pad = (0, 0, 0, 0)
        if memory not in ("out", "uop") and self.rng.random() < 0.4:
            pad = tuple(self.pick(0, 2) for _ in range(4))
        first, count = -(-base // bytes_), size // bytes_ - 1
        for _ in range(100):
            y, x = self.pick(1, 4), self.pick(1, 6)
            stride = x if self.rng.random() < 0.3 else self.pick(0, 12)
            if memory == "out":
                stride = max(stride, x)
            entries = (pad[0] + y + pad[1]) * (pad[2] + x + pad[3])
            extent = (y - 1) * stride + x
            if entries <= depth and extent <= count:
                break
        else:
            y = x = stride = 1
            pad, entries, extent = (0, 0, 0, 0), 1, 1
        fields: dict[str, int | tuple[int, ...]] = {
            "sram": self.pick(0, depth - entries),
            "dram": first + self.pick(0, count - extent),
            "y": y,
            "x": x,
            "stride": stride,
        }
        if any(pad):
            fields["pad"] = pad
        return Insn(("store." if memory == "out" else "load.") + memory, fields)

    def loops(self, table: list[tuple[int, int, int]]) -> Insn:
        """A GEMM or ALU instruction over micro-ops that are in the scratchpad."""
        begin = self.pick(0, self.uops - 1)
        end = self.pick(begin, self.uops)
        outs, ins = self.pick(1, 4), self.pick(1, 5)
        if self.rng.random() < 0.05:
            outs = 0
        sets = ["gemm.set"] if self.c.gemm_set else []
        sets += ["gemm.window", "gemm.window.set"] if self.c.gemm_window else []
        kind = self.rng.choice(["gemm", "gemm", "gemm", "gemm.reset", "alu", "alu", *sets])

        def factors(depth: int, top: int) -> tuple[int, int]:
            if self.rng.random() < 0.25:
                return (0, 0)
            room = depth - 1 - top
            a = self.pick(0, min(room // max(outs, 1), 40)) if self.rng.random() < 0.7 else 0
            b = self.pick(0, min((room - a * max(outs - 1, 0)) // max(ins, 1), 40)) if self.rng.random() < 0.8 else 0
            return (a, b)

        used = table[begin:end] or [(0, 0, 0)]
        top = [max(u[k] for u in used) for k in range(3)]
        fields: dict[str, int | tuple[int, ...]] = {
            "uop": (begin, end),
            "iter": (outs, ins),
            "dst": factors(self.c.depth("acc"), top[0]),
        }
        if kind.startswith("gemm"):
            further = max(int(self.c.gemm_window) - 1, 0) if "window" in kind else 0
            if top[1] + further >= self.c.depth("inp"):
                kind, further = "gemm.reset", 0
            fields["src"] = factors(self.c.depth("inp") - further, top[1])
            fields["wgt"] = factors(self.c.depth("wgt"), top[2])
            return Insn(str(kind), fields)
        op = str(self.rng.choice(alu_operations(self.c)))
        further = isa.ALU_SOURCES[op] - 1
        if top[1] + further >= self.c.depth("acc"):
            op, further = "mul", 0
        fields["src"] = factors(self.c.depth("acc") - max(further, 0), top[1])
        fields["use_imm"] = int(further < 0) if further else self.pick(0, 1)
        fields["imm"] = self.pick(-40, 40) if op == "shr" else self.pick(-32768, 32767)
        return Insn(f"alu.{op}", fields)
