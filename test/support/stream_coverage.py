"""What instruction streams reach: which fields took which of their extreme values, by kind of instruction."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from acc._lib import isa

OPCODES = tuple(isa.OPCODES)
MEMORIES = (*isa.MEMORIES, *isa.NO_MEMORIES)
# Those that a copy may name; others stand for nothing to be moved, seldom enough that not all get every flag.
COPIES = ("load.uop", "load.wgt", "load.inp", "load.acc", "load.acc8", "store.out")
ALU_OPS = tuple(isa.ALU_OPS)
# What the modules at the ends, and FINISH in a stream that ends, cannot have.
NO_FLAGS = {
    "load.inp": ("pop_prev", "push_prev"),
    "load.wgt": ("pop_prev", "push_prev"),
    "store.out": ("pop_next", "push_next"),
    "finish": ("push_prev", "push_next"),
}
MAX_ITER, MAX_16, MAX_32, MAX_PAD = (isa.MOST[name] for name in ("iter_out", "x_size", "dram_base", "x_pad_0"))
LEAST_IMM, MOST_IMM = isa.LEAST["imm"], isa.MOST["imm"]
# Shift amounts around the ends of what a shifter can do.
AMOUNTS = (LEAST_IMM, -33, -32, -31, -1, 0, 1, 31, 32, 33, MOST_IMM)


class Coverage:
    """Counts goals such as "load.inp x_stride at its limit" over streams.

    `goals` are all that there are of the kinds of instructions seen.
    """

    def __init__(self) -> None:
        self.reached: Counter[str] = Counter()
        self.goals: set[str] = set()

    def add(self, config: Any, stream: bytes, uops: bytes) -> None:
        """Counts what a linked stream and its table of micro-ops reach."""
        layout = config.layout
        table = np.frombuffer(uops, np.uint32)
        for memory, name in (("acc", "dst"), ("inp", "src"), ("wgt", "wgt")):
            at, width = layout["uop"][name]
            values = table >> at & ((1 << width) - 1)
            self._count(
                f"uop {name}", {"0": (values == 0).any(), "at its limit": (values == config.depth(memory) - 1).any()}
            )
        for at in range(0, len(stream), 16):
            word = int.from_bytes(stream[at : at + 16], "little")
            opcode = OPCODES[word & ((1 << isa.OPCODE_BITS) - 1)]
            kind, conditions = opcode, {}
            if opcode in ("load", "store"):
                kind, conditions = self._copy(config, opcode, word)
            elif opcode != "finish":
                kind, conditions = self._loop(config, opcode, word)
            self._count(kind, conditions)
            flags = {flag: word >> bit & 1 for flag, bit in isa.FLAGS.items()}
            if opcode not in ("load", "store") or kind in COPIES:
                self._count(kind, {flag: on for flag, on in flags.items() if flag not in NO_FLAGS.get(kind, ())})
            if opcode == "alu":
                self._count(*self._immediate(config, word))

    def missing(self) -> list[str]:
        return sorted(goal for goal in self.goals if not self.reached[goal])

    def _count(self, kind: str, conditions: dict[str, object]) -> None:
        self.goals.update(f"{kind}: {goal}" for goal in conditions)
        self.reached.update(f"{kind}: {goal}" for goal, holds in conditions.items() if holds)

    @staticmethod
    def _fields(layout: dict[str, tuple[int, int]], word: int) -> dict[str, int]:
        return {name: word >> at & ((1 << width) - 1) for name, (at, width) in layout.items()}

    def _copy(self, config: Any, opcode: str, word: int) -> tuple[str, dict[str, object]]:
        f = self._fields(config.layout["mem"], word)
        memory = MEMORIES[f["memory"]]
        kind = f"{opcode}.{memory}"
        if kind not in COPIES:
            return kind, {"x_size 0": f["x_size"] == 0, "y_size 0": f["x_size"] > 0 and f["y_size"] == 0}
        depth = config.depth(memory)
        x, y, stride, dram = f["x_size"], f["y_size"], f["x_stride"], f["dram_base"]
        pads = [f["y_pad_0"], f["y_pad_1"], f["x_pad_0"], f["x_pad_1"]]
        entries = 0 if x == 0 else (y + pads[0] + pads[1]) * (x + pads[2] + pads[3])
        names = ("above", "below", "left", "right")
        conditions = {
            "sram_base first": f["sram_base"] == 0,
            "sram_base last": f["sram_base"] == depth - 1 and entries == 1,
            "ends at the last entry": entries > 1 and f["sram_base"] + entries == depth,
            "whole scratchpad": entries == depth,
            "one entry": entries == 1,
            "dram_base 0": dram == 0,
            "dram_base at its limit": dram == MAX_32,
            "row beyond 2^32 elements": x and y > 1 and dram <= MAX_32 < dram + (y - 1) * stride + x - 1,
            "x_size 0": x == 0,
            "x_size 0, all else at its limit": x == 0 and (y, stride, f["sram_base"]) == (MAX_16,) * 3,
            "y_size 0": y == 0 and x > 0,
            "no rows, columns of padding": y == 0 and x > 0 and not any(pads[:2]) and any(pads[2:]),
            "x_size at its limit": x == MAX_16,
            "y_size at its limit": y == MAX_16,
            "x_stride 0, several rows": stride == 0 and y > 1 and x,
            "x_stride at its limit": stride == MAX_16,
            "x_stride at its limit, several rows": stride == MAX_16 and y > 1 and x,
            "rows overlap": 0 < stride < x and y > 1,
            "rows with gaps": stride > x > 1 and y > 1,
            "rows without gaps": stride == x > 1 and y > 1,
            "rows of one element": x == 1 and y > 1,
        }
        if memory != "out":
            conditions |= {
                "nothing but zeros": x and y == 0 and pads[0] + pads[1] > 0,
                "nothing but zeros, one row": x and y == 0 and pads[0] + pads[1] == 1,
                "rows with gaps and all four pads": stride > x and y > 1 and x > 1 and all(pads),
                "all four pads at their limits": x and y and pads == [MAX_PAD] * 4,
                **{
                    f"pad {name} only": bool(pads[k] and x and y and sum(pads) == pads[k])
                    for k, name in enumerate(names)
                },
                **{f"pad {name} at its limit": pads[k] == MAX_PAD and x > 0 for k, name in enumerate(names)},
            }
        return kind, conditions

    def _loop(self, config: Any, opcode: str, word: int) -> tuple[str, dict[str, object]]:
        f = self._fields(config.layout["gemm"], word)
        kind = "gemm.reset" if f["reset"] else "gemm"
        if opcode != "gemm":
            kind = opcode.replace("_", ".") + (".set" if opcode == "gemm_window" and f["reset"] else "")
        if opcode == "alu":
            f |= self._fields(config.layout["alu"], word)
            kind = "alu imm" if f["use_imm"] else "alu"
        count = max(f["uop_end"] - f["uop_bgn"], 0)
        outs, ins = f["iter_out"], f["iter_in"]
        some = count * outs * ins > 0
        uop_depth = config.depth("uop")
        depths = {"dst": config.depth("acc"), "src": config.depth("acc" if opcode == "alu" else "inp")}
        if opcode.startswith("gemm"):
            depths["wgt"] = config.depth("wgt")
        factors = {f"{name}_{loop}": depth - 1 for name, depth in depths.items() for loop in ("out", "in")}
        if opcode == "gemm_window":
            # The last input of the window is the last there is.
            factors |= {name: depths["src"] - config.gemm_window for name in ("src_out", "src_in")}
        conditions = {
            "uop_bgn first": some and f["uop_bgn"] == 0,
            "uop_bgn last": some and f["uop_bgn"] == uop_depth - 1,
            "uop_end at its limit": some and f["uop_end"] == uop_depth,
            "all micro-ops": some and count == uop_depth,
            "uop_bgn = uop_end": f["uop_bgn"] == f["uop_end"],
            "uop_bgn > uop_end": f["uop_bgn"] > f["uop_end"],
            "no micro-ops, iterations at their limits": count == 0 and outs == ins == MAX_ITER,
            "uop_end beyond, no iterations": f["uop_end"] == 2 * uop_depth - 1 and not some,
            "iter_out 0": outs == 0,
            "iter_in 0": ins == 0,
            "iter_out at its limit": some and outs == MAX_ITER,
            "iter_in at its limit": some and ins == MAX_ITER,
            "all three loops": count > 1 and outs > 1 and ins > 1,
            "one step": count * outs * ins == 1,
            **{f"{name} 0": some and f[name] == 0 for name in factors},
            **{f"{name} at its limit": f[name] == limit for name, limit in factors.items()},
            **{
                f"{name} at its limit, used": f[name] == limit and some and (outs, ins)[name.endswith("in")] == 2
                for name, limit in factors.items()
            },
        }
        return kind, conditions

    def _immediate(self, config: Any, word: int) -> tuple[str, dict[str, object]]:
        f = self._fields(config.layout["alu"], word)
        imm = f["imm"] if f["imm"] <= MOST_IMM else f["imm"] - (1 << isa.WIDTHS["imm"])
        kind = f"alu.{ALU_OPS[f['op']]}"
        if not f["use_imm"]:
            return kind, {"two operands": True}
        return kind, {
            f"imm {value}": imm == value for value in (AMOUNTS if kind == "alu.shr" else (LEAST_IMM, -1, 0, MOST_IMM))
        }
