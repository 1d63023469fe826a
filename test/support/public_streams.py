"""Instruction streams in the manner of the public VTA runtime, built by hand as 128-bit words.

That runtime keeps the tokens that the next instruction of a stage shall pop, lets the last instruction push where it
can, and writes an instruction that does nothing where it cannot: a STORE of micro-ops for the store stage, a LOAD of
inputs or of micro-ops for the others. Bits without a meaning are whatever lay in memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

LOAD, COMPUTE, STORE = "load", "compute", "store"
STAGES = (LOAD, COMPUTE, STORE)
OPCODES = {"load": 0, "store": 1, "gemm": 2, "finish": 3, "alu": 4}
UOP, WGT, INP, ACC, OUT, ACC8 = range(6)


class Stream:
    """Appends instructions for `config` (an `acc._lib._runtime.Config`); `junk` fills the bits that have no meaning."""

    def __init__(self, config: Any, junk: np.random.Generator | None = None) -> None:
        self.layout = config.layout
        self.junk = junk
        self.words: list[int] = []
        self.stages: list[str] = []
        self.pending: dict[str, set[str]] = {stage: set() for stage in STAGES}

    # --- tokens ---

    def pop(self, producer: str, consumer: str) -> None:
        """The next instruction of `consumer` waits for a token of `producer`."""
        self.pending[consumer].add(_side(consumer, producer))

    def push(self, producer: str, consumer: str) -> None:
        """Makes the last instruction push a token if it is of `producer` and does not already, else a new one."""
        bit = 1 << _flag("push", _side(producer, consumer))
        if self.stages and self.stages[-1] == producer and not self.words[-1] & bit:
            self.words[-1] |= bit
        else:
            self.nothing(producer)
            self.words[-1] |= bit

    def nothing(self, stage: str) -> None:
        """What the runtime writes for the sake of tokens alone."""
        opcode = "store" if stage == STORE else "load"
        self._append(stage, opcode, {"memory": INP if stage == LOAD else UOP, "x_size": 0, "y_size": 0})

    # --- work ---

    def load(
        self, memory: int, sram: int, dram: int, y: int, x: int, stride: int, pad: tuple[int, ...] = (0,) * 4
    ) -> None:
        stage = LOAD if memory in (INP, WGT) else COMPUTE
        names = ("y_pad_0", "y_pad_1", "x_pad_0", "x_pad_1")
        copy = {"memory": memory, "sram_base": sram, "dram_base": dram, "y_size": y, "x_size": x, "x_stride": stride}
        self._append(stage, "load", copy | dict(zip(names, pad, strict=True)))

    def store(self, sram: int, dram: int, y: int, x: int, stride: int) -> None:
        copy = {"memory": OUT, "sram_base": sram, "dram_base": dram, "y_size": y, "x_size": x, "x_stride": stride}
        self._append(STORE, "store", copy | {f"{axis}_pad_{side}": 0 for axis in "xy" for side in (0, 1)})

    def gemm(
        self, uops: tuple[int, int], iters: tuple[int, int] = (1, 1), *, reset: bool = False, **factors: int
    ) -> None:
        self._append(COMPUTE, "gemm", {"reset": int(reset)} | _loop(uops, iters, ("dst", "src", "wgt"), factors))

    def alu(self, op: int, uops: tuple[int, int], iters: tuple[int, int], imm: int | None, **factors: int) -> None:
        fields = _loop(uops, iters, ("dst", "src"), factors)
        fields |= {"op": op, "use_imm": int(imm is not None)} | ({} if imm is None else {"imm": imm & 0xFFFF})
        self._append(COMPUTE, "alu", fields)

    def finish(self) -> None:
        """Ends a stream as the runtime does when it synchronises: everything has been done when FINISH retires."""
        self.push(STORE, COMPUTE)
        self.push(LOAD, COMPUTE)
        self.pop(STORE, COMPUTE)
        self.pop(LOAD, COMPUTE)
        self.nothing(COMPUTE)
        self._append(COMPUTE, "finish", {})

    def encode(self) -> bytes:
        return b"".join(word.to_bytes(16, "little") for word in self.words)

    def _append(self, stage: str, opcode: str, fields: dict[str, int]) -> None:
        word, meant = OPCODES[opcode], 127
        for side in self.pending[stage]:
            word |= 1 << _flag("pop", side)
        self.pending[stage] = set()
        sections = {"load": ("mem",), "store": ("mem",), "gemm": ("gemm",), "alu": ("gemm", "alu"), "finish": ()}[
            opcode
        ]
        places = {name: place for section in sections for name, place in self.layout[section].items()}
        for name, value in fields.items():
            at, width = places[name]
            assert 0 <= value < 1 << width, (opcode, name, value)
            word |= value << at
            meant |= ((1 << width) - 1) << at
        if self.junk is not None:
            noise = int.from_bytes(self.junk.bytes(16), "little")
            word |= noise & ~meant
        self.words.append(word)
        self.stages.append(stage)


def _loop(
    uops: tuple[int, int], iters: tuple[int, int], names: tuple[str, ...], factors: dict[str, int]
) -> dict[str, int]:
    fields = {"uop_bgn": uops[0], "uop_end": uops[1], "iter_out": iters[0], "iter_in": iters[1]}
    return fields | {f"{name}_{loop}": factors.get(f"{name}_{loop}", 0) for name in names for loop in ("out", "in")}


def _side(stage: str, other: str) -> str:
    """Whether `other` is the previous or the next neighbour of `stage`."""
    return "prev" if STAGES.index(other) < STAGES.index(stage) else "next"


def _flag(end: str, side: str) -> int:
    """The bit of a dependence flag."""
    return 3 + ("pop", "push").index(end) * 2 + ("prev", "next").index(side)


def uop(config: Any, dst: int, src: int = 0, wgt: int = 0) -> int:
    """An encoded micro-op."""
    word = 0
    for name, value in (("dst", dst), ("src", src), ("wgt", wgt)):
        at, width = config.layout["uop"][name]
        assert 0 <= value < 1 << width
        word |= value << at
    return word
