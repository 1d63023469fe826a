#!/usr/bin/env python
"""Breaks the circuit in one place at a time and sees whether the random streams notice.

python scripts/mutate_rtl.py [NAME ...] [--list] [--seeds N]

Every mutation is a text of hardware/rtl and what replaces it, in a copy. It is killed if a stream of
`acc.hardware.random_stream` ends differently than on the functional simulator (or not at all), or, where it concerns
what the circuit says about bad streams, how fast it is, what waits, or its bus, if a test of test/python/
test_circuit*.py, test_beside.py or test_axi.py fails. Exit code 1 if one survives, 2 if a text is no longer there.
"""

from __future__ import annotations

import argparse
import functools
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RTL = ROOT / "hardware" / "rtl"
# Seconds of processor time, a few times what a run takes in which nothing is noticed (280), after which one that no
# watchdog of the circuit ends is taken to hang.
LIMIT_SECONDS = 1000


@dataclass(frozen=True)
class Mutation:
    """`new` instead of `old`, which occurs once in hardware/rtl/acc_`file`.sv.

    `tests` selects tests of the circuit (as -k does) that must fail, instead of the random streams.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str = ""


MUTATIONS = (
    # Hazards and forwarding.
    Mutation("forwarding-one-off", "execute", "from[2] ? sum1 : from[3] ? sum2", "from[2] ? sum2 : from[3] ? sum2"),
    Mutation("forwarding-4-lost", "execute", "{same[4] && same[3:2] == 2'b00, ", "{1'b0, "),
    Mutation("chain-lost", "execute", "chain ? sum1[LANE*32+:32] : old", "chain1 ? sum1[LANE*32+:32] : old"),
    Mutation("window-one-short", "sequence", "WINDOW = ALU_STAGES + 3;", "WINDOW = ALU_STAGES + 2;"),
    Mutation("source-not-awaited", "sequence", " && !(needed != '0 && meets_src)", ""),
    Mutation("alu-not-awaited", "sequence", " && !(GEMM && h.valid && h.kind == KIND_GEMM && meets_alu)", ""),
    Mutation("alu-overtaken", "sequence", "k < ALU_STAGES; k++) late", "k < ALU_STAGES - 1; k++) late"),
    Mutation("requantize-overtaken", "sequence", "(is_long || !wait_long)", "1'b1"),
    Mutation(
        "requantize-overtaken-by-gemm",
        "sequence",
        "late = in_flight_long[ALU_STAGES-1+LONG-WINDOW:1] != '0",
        "late = 1'b0",
    ),
    Mutation("requantize-forgotten", "sequence", "k != WINDOW || in_flight_long[k]", "k != WINDOW"),
    Mutation("third-source-not-awaited", "sequence", "further < DB'(3)", "further < DB'(2)"),
    Mutation("parameters-kept", "sequence", "f.first || f_src != last_src", "f.first"),
    Mutation("parameters-of-the-one-before", "sequence", "f.first || f_src != last_src", "f_src != last_src"),
    Mutation("source-after-source", "sequence", "DB'(h_src) + DB'(HAS_LONG ? sources : CB'(0))", "DB'(h_src)"),
    Mutation("load-during-execution", "compute", "hold <= executing != '0;", "hold <= 1'b0;"),
    Mutation(
        "execution-during-load", "compute", "loads_done = loads == '0 && executing_room", "loads_done = executing_room"
    ),
    # GEMM, ALU and LOAD beside each other.
    Mutation(
        "alu-beside-its-gemm", "compute", "used[is_alu ? USER_GEMM : USER_ALU]", "used[is_alu ? USER_ALU : USER_ALU]"
    ),
    Mutation(
        "gemm-beside-its-alu", "compute", "used[is_alu ? USER_GEMM : USER_ALU]", "used[is_alu ? USER_GEMM : USER_GEMM]"
    ),
    Mutation("load-beside-its-user", "compute", "(banks & (used[USER_GEMM] | used[USER_ALU])) == '0", "1'b1"),
    Mutation("user-beside-its-load", "compute", "used[USER_LOAD] | ", ""),
    Mutation(
        "micro-ops-overwritten", "compute", "memory == MEM_UOP ? ((&idle) || spares)", "memory == MEM_UOP ? (1'b1)"
    ),
    Mutation("early-micro-ops-in-use", "sequence", "(active && !null_op && load_first", "(1'b0 && load_first"),
    Mutation(
        "early-micro-ops-of-the-next", "sequence", "(next_valid && !head_null && load_first", "(1'b0 && load_first"
    ),
    Mutation("early-rows-are-one", "compute", "is_row = head[F_MEM_Y_SIZE+:16] == 16'd1 &&", "is_row ="),
    Mutation("old-micro-ops-examined", "extent", "(is_load || uop_loads == 4'd0)", "1'b1"),
    Mutation("least-entry-unseen", "extent", "        if (d[DB-1-:BB] < d_least) d_least <= d[DB-1-:BB];\n", ""),
    Mutation("largest-entry-unseen", "extent", "        if (d > d_most) d_most <= d;\n", ""),
    Mutation("last-micro-op-unseen", "extent", "coming == 2'b00", "!coming[1]"),
    Mutation(
        "loops-unseen",
        "extent",
        "assign adds = in_inner ? inner[0] : outer[0];",
        "assign adds = !in_inner && outer[0];",
    ),
    Mutation("sources-unseen", "extent", "(reads ? between(s_least, s_end) : '0)", "'0"),
    Mutation(
        "further-sources-unseen",
        "extent",
        "ALU_REQUANTIZE ? (DB + 1)'(2) : '0;",
        "ALU_REQUANTIZE ? '0 : '0;",
        "what_waits",
    ),
    Mutation("rows-unseen", "extent", "is_load ? rows - 1'b1", "is_load ? '0"),
    Mutation("bank-released-early", "scoreboard", "more || users != N'(1)", "more"),
    Mutation("retires-before-its-end", "scoreboard", "busy && ended[oldest]", "busy"),
    Mutation("end-kept", "scoreboard", "ends[k] || waiting != N'(1)", "1'b1"),
    Mutation(
        "bank-of-the-next-entry", "accumulators", "      bank2 <= bank1;", "      bank2 <= r_entry[k*DB+DB-1-:BB];"
    ),
    Mutation("beat-within-a-row", "accumulators", " + RB'(INDEX < low_of(load_entry))", ""),
    Mutation("output-within-a-row", "accumulators", " + RB'(INDEX < low_of(DB'(out_entry)))", ""),
    Mutation("alu-result-lost", "accumulators", "writes_alu ? w_data[ACC_ELEM+:ACC_ELEM] : ", ""),
    # Loops and indices.
    Mutation("outer-base-kept", "sequence", "      s_out    <= '0;\n", ""),
    Mutation("inner-base-kept", "sequence", "          w_in   <= w_next;\n", ""),
    Mutation("inner-count-kept", "sequence", "          i_left <= i_count;\n", ""),
    Mutation("micro-op-start", "sequence", "        u <= u_first;", "        u <= '0;"),
    Mutation("empty-loop-runs", "sequence", "{1'b0, head_begin} >= head_end", "{1'b0, head_begin} > head_end"),
    Mutation("window-kept-between-instructions", "sequence", "f.first || further == '0", "further == '0"),
    # Which costs time, no more.
    Mutation(
        "window-that-stands-still",
        "sequence",
        "further == '0 || further > SB'(AHEAD)",
        "further > SB'(AHEAD)",
        "random_streams_on_the_circuit",
    ),
    Mutation("window-read-in-place", "sequence", "CB'(AHEAD) - needed + sources", "CB'(AHEAD) - needed"),
    Mutation(
        "window-does-not-set", "sequence", " || (HAS_WINDOW && opcode == OP_GEMM_WINDOW && next[F_LOOP_RESET])", ""
    ),
    Mutation("window-beyond-the-inputs", "sequence", "- AHEAD));", "- AHEAD + 1));", "a_window_that_ends"),
    Mutation("beyond-the-window", "execute", "k == BEFORE && moves[2+k]", "1'b0"),
    Mutation(
        "window-of-another-lane",
        "execute",
        "inps[BEFORE*INP_ELEM+LANE*INP_BITS+:INP_BITS], own_q",
        "inps[BEFORE*INP_ELEM+b*BLOCK_IN*INP_BITS+:INP_BITS], own_q",
    ),
    Mutation(
        "window-kept-in-gemm",
        "execute",
        "if (moves[2+BEFORE] || is_gemm[2+BEFORE]) own_q",
        "if (moves[2+BEFORE]) own_q",
    ),
    Mutation("window-moves-too-far", "sequence", "CB'(AHEAD) : CB'(further - 1'b1)", "CB'(AHEAD) : CB'(further)"),
    Mutation("set-adds", "execute", "sets[READ+2] ? '0 : from[2]", "from[2]"),
    Mutation("set-adds-what-is-forwarded", "execute", "same[1] && !sets[READ+1]", "same[1]"),
    Mutation("reset-adds", "execute", "kind[ADD] == KIND_RESET ? '0 : base", "base"),
    # Pipelines of other lengths.
    Mutation("words-of-the-next", "requantize", "if (ALU_IN > 1) begin : g_kept", "if (ALU_IN > 2) begin : g_kept"),
    Mutation("shift-of-the-next", "alu", "assign pre_shift0 = pre_shift;", "assign pre_shift0 = '0;"),
    Mutation(
        "operands-unpaired",
        "execute",
        "wgts[(k+1)*WGT_ELEM+:WGT_ELEM] <=",
        "if (k == 0) wgts[(k+1)*WGT_ELEM+:WGT_ELEM] <=",
    ),
    # Arithmetic.
    Mutation("immediate-unsigned", "execute", "32'($signed(imm[ADD]))", "32'(imm[ADD])"),
    Mutation("sum-unsigned", "execute", "base + 32'($signed(dot))", "base + 32'(dot)"),
    Mutation("compare-unsigned", "alu", "$signed(a1) < $signed(b1)", "a1 < b1"),
    Mutation("long-shift-kept", "alu", "magnitude[31:5] != '0;", "magnitude[31:6] != '0;"),
    Mutation("shift-amount-mask", "alu", "pre_shift0 : magnitude[4:0];", "pre_shift0 : {1'b0, magnitude[3:0]};"),
    Mutation("left-shift-fills", "alu", "!b0[31] && a0[31];", "a0[31];"),
    Mutation("factor-lost", "alu", "left = HAS_REQUANTIZE && multiplies ? factor : a1", "left = a1"),
    Mutation("half-lost", "requantize", "p5 <= {high, half4}", "p5 <= {high, 16'd0}"),
    Mutation("tie-mask", "requantize", " & ~((15'd1 << mid5) - 15'd1)", ""),
    Mutation("tie-parity", "requantize", "round8 ^ bounds8[F_REQUANTIZE_TIES_ODD]", "round8"),
    Mutation(
        "far-beyond-bounds",
        "requantize",
        "fits ? shifted[10:1] : {sign7, {9{!sign7}}}",
        "shifted[10:1]",
    ),
    Mutation("beyond-unseen", "requantize", "fits = !beyond7 && ", "fits = "),
    Mutation("dropped-unseen", "requantize", "&& !sticky7 &&", "&&"),
    Mutation("shifter-not-shared", "alu", "s0 = other ? biased0 :", "s0 ="),
    Mutation("zero-point-unsigned", "requantize", "11'($signed(v))", "11'(v)"),
    Mutation(
        "scaling-too-early",
        "requantize",
        "post3 <= scaling3[F_REQUANTIZE_POST_SHIFT+:5];",
        "post3 <= '0;",
    ),
    Mutation("bounds-too-late", "requantize", "bounds5 <= bounds4", "bounds5 <= bounds"),
    Mutation("bias-lost", "requantize", "biased = a + first[F_REQUANTIZE_BIAS+:32]", "biased = a"),
    Mutation("lookup-unsigned", "alu", "32'($signed(looked_up3))", "32'(looked_up3)"),
    Mutation("lookup-in-the-first-table", "execute", "t_table = imm[ADD][TABLE_BITS-1:0]", "t_table = '0", "lookups"),
    Mutation("table-anywhere", "tables", "w_lanes[lane] && (&entry[LOG_UOP_DEPTH-1:WORDS])", "w_lanes[lane]"),
    Mutation("table-beside-lanes", "tables", "w_en && w_lanes[lane] && (", "w_en && ("),
    Mutation("second-entry-of-a-beat", "tables", "lane = int'(first) + p * NB;", "lane = int'(first);"),
    Mutation("table-in-aligned-banks", "tables", "LOG_PICK'(b) - w_base[LOG_PICK-1:0]", "LOG_PICK'(b)", "lookups"),
    Mutation(
        "bank-of-the-other-lane",
        "tables",
        "pick2[LOG_PICK+:LOG_PICK]) : 0)*16+8",
        "pick2[LOG_PICK-1:0]) : 0)*16+8",
        "lookups",
    ),
    Mutation("table-overtaken", "compute", "!HAS_TABLE || used[USER_ALU] == '0", "1'b1", "lookups"),
    Mutation("cross-product-lost", "alu", "{cross2[15:0] + cross2b[15:0], 16'd0}", "{cross2[15:0], 16'd0}"),
    Mutation(
        "acc8-unsigned",
        "compute",
        "32'($signed(w_data[NARROW*OUT_BITS+:OUT_BITS]))",
        "32'(w_data[NARROW*OUT_BITS+:OUT_BITS])",
    ),
    # Transfers.
    Mutation("pad-value", "fill", "w_data <= c_zero ? '0 : beat_data;", "w_data <= beat_data;"),
    Mutation("pad-right-lost", "fill", "assign g_right_next = g_x1 != 4'd0;", "assign g_right_next = g_x1 > 4'd1;"),
    Mutation("pad-width", "fill", " + 18'(x_pad_0) + 18'(x_pad_1);", " + 18'(x_pad_0);"),
    Mutation(
        "last-beat-lanes",
        "fill",
        "w_lanes <= LANES'(((65'd1 << n) - 65'd1) << c_off);",
        "w_lanes <= LANES'({L{1'b1}} << c_off);",
    ),
    Mutation("strobe", "store", "{LANE_BYTES{lanes2[l]}}", "{LANE_BYTES{1'b1}}"),
    Mutation("address-bit", "walk", "row      <= 33'(base);", "row      <= 33'(base[30:0]);"),
    Mutation("address-carry", "walk", "row  <= row + 33'(r_stride);", "row  <= {row[32], row[31:0] + 32'(r_stride)};"),
    Mutation("start-within-beat", "walk", "(COUNT'(low) & COUNT'((1 << d) - 1)) + ", ""),
    Mutation(
        "burst-too-long", "walk", "assign ends = rest <= COUNT'(room);", "assign ends = rest <= COUNT'(room) + 1'b1;"
    ),
    Mutation("bank-row", "pad", "assign w_at  = w_row + LOG_ROWS'(INDEX < w_low);", "assign w_at  = w_row;"),
    Mutation("store-slice", "store", "assign which = LOG_NSO'(slice2);", "assign which = LOG_NSO'(slice1);"),
    Mutation("acc8-slice", "compute", "LOG_MAX_BEATS'(s / NS8)", "LOG_MAX_BEATS'(s % NS8)"),
    Mutation("slice-number", "fill", "w_slice <= c_slice;", "w_slice <= next_slice;"),
    # Instructions that move nothing.
    Mutation("nothing-refused", "fetch", "(opcode == OP_LOAD || opcode == OP_STORE) && !d_nop", "opcode[2:1] == 2'd0"),
    Mutation(
        "nothing-needs-no-columns", "fetch", "no_cols || (no_rows && (no_pads || d_next[2:0] == OP_STORE))", "no_cols"
    ),
    Mutation("nothing-has-no-pads", "fetch", "no_pads || d_next[2:0] == OP_STORE", "no_pads"),
    Mutation(
        "padding-is-nothing", "fetch", "(no_rows && (no_pads || d_next[2:0] == OP_STORE))", "no_rows", "fetch_refuses"
    ),
    Mutation(
        "store-by-memory", "fetch", "opcode == OP_STORE ? 3'b100", "opcode == OP_STORE && memory == MEM_OUT ? 3'b100"
    ),
    # Queues, tokens, the order of things.
    Mutation("token-ignored", "compute", "head_valid && head[F_POP_NEXT] && !token_store", "1'b0"),
    Mutation(
        "token-pushed-at-start",
        "load",
        "push_compute = retired && push_flag",
        "push_compute = accept && insn[F_PUSH_NEXT]",
    ),
    Mutation("token-lost", "tokens", "if (push != pop)", "if (push || pop)"),
    Mutation(
        "store-not-acknowledged",
        "store",
        "else if (m_bvalid) answered",
        "else if (m_wvalid && m_wready && m_wlast) answered",
    ),
    Mutation("store-retires-early", "store", "order_valid && !ahead[BURSTS-1]", "order_valid"),
    Mutation("fifo-overrun", "fifo", "assign in_ready  = !count[LOG_DEPTH];", "assign in_ready  = 1'b1;"),
    Mutation("late-word-forgotten", "fifo_ram", "if (pop || is_late) q", "if (pop) q"),
    Mutation("counter-carry", "counters", "carry1 <= valid1 && carry", "carry1 <= valid1 && !carry", "test_throughput"),
    Mutation("store-fifo-room", "store", "((1 << LOG_FIFO) - 7)", "((1 << LOG_FIFO) - 1)"),
    Mutation("spare-beat-lost", "read_port", "(spare_valid || m_rvalid) && !take", "spare_valid && !take"),
    # The bus.
    Mutation("register-written-in-part", "axi", "reg_write = write && (&s_wstrb)", "reg_write = write", "on_a_bus"),
    Mutation("register-read-late", "axi", "if (read) s_rdata <= reg_rdata;", "s_rdata <= reg_rdata;", "on_a_bus"),
    Mutation("size-of-beats", "axi", "m_arsize = 3'(LOG_PORT_BYTES)", "m_arsize = 3'd0", "on_a_bus"),
    # What is said about bad streams, and throughput.
    Mutation("index-unchecked", "sequence", "bad_d3 <= d_sum[DB];", "bad_d3 <= 1'b0;", "bad_streams"),
    Mutation(
        "entry-unchecked", "fill", "overflow <= !rst && (overflow ||", "overflow <= !rst && (overflow &&", "bad_streams"
    ),
    Mutation("flags-unchecked", "fetch", "else if (bad_flags) problem = FETCH_FLAGS;", "", "fetch_refuses"),
    Mutation("watchdog-asleep", "core", "gave_up <= !reset && patience == '0;", "gave_up <= 1'b0;", "bad_streams"),
    Mutation("watchdog-impatient", "core", "patience <= moved ? limit :", "patience <=", "long_work"),
    Mutation("tokens-kept", "tokens", "    if (rst) begin\n      count <= '0;\n", "    if (rst) begin\n", "forgets"),
    Mutation("slower-rows", "walk", "(!valid || (step && ends))", "!valid", "throughput"),
)


def changed(mutation: Mutation) -> str | None:
    """The text of the file after the mutation; nothing if the old text is not there once."""
    text = (RTL / f"acc_{mutation.file}.sv").read_text()
    return text.replace(mutation.old, mutation.new) if text.count(mutation.old) == 1 else None


def try_streams(seeds: int, tests: str) -> int:
    """In a process of its own, whose RTL is a copy: 0 if nothing is noticed."""
    sys.path[:0] = [str(ROOT / folder) for folder in ("python", "test/support", "benchmarks")]
    from acc.hardware import simulator

    hardware = Path(os.environ["ACC_MUTANT"])
    simulator.sources = lambda: hardware
    if tests:
        import pytest

        files = [
            str(ROOT / "test" / "python" / f"test_{part}.py")
            for part in ("circuit", "circuit_errors", "circuit_window", "axi", "beside", "extensions")
        ]
        return int(pytest.main(["-q", "-x", *files, "-k", tests]))
    from circuits import BESIDE, EARLY, ROOMY, SMALL, STAGED, WIDE, banked, check, extended

    for case in (extended(SMALL[0]), SMALL[0], WIDE, *SMALL[1:], ROOMY):
        check(case, range(seeds), 40)
    for case in (*(banked(*case) for case in BESIDE), *STAGED, *EARLY):
        check(case, range(seeds), 40)
    return 0


def kill(mutation: Mutation, text: str, seeds: int) -> str:
    """How the mutation was noticed; nothing if it was not."""
    with tempfile.TemporaryDirectory(prefix="acc-mutant-") as name:
        folder = Path(name)
        shutil.copytree(ROOT / "hardware", folder / "hardware")
        (folder / "runtime").mkdir()
        (folder / "runtime" / "include").symlink_to(ROOT / "runtime" / "include")
        (folder / "hardware" / "rtl" / f"acc_{mutation.file}.sv").write_text(text)
        # Mutants are not worth keeping, but what all simulators share is.
        cache = Path(os.environ.get("ACC_MUTANT_CACHE", folder / "cache"))
        environment = {**os.environ, "ACC_MUTANT": str(folder / "hardware"), "XDG_CACHE_HOME": str(cache)}
        command = [sys.executable, __file__, "--seeds", str(seeds), "--try", mutation.tests]
        limit = functools.partial(resource.setrlimit, resource.RLIMIT_CPU, (LIMIT_SECONDS, LIMIT_SECONDS))
        done = subprocess.run(command, env=environment, capture_output=True, text=True, preexec_fn=limit)
        if done.returncode == 0:
            return ""
        output = done.stdout + done.stderr
        if "building the simulator" in output:
            raise SystemExit(f"{mutation.name} does not build: {output.strip().splitlines()[-1]}")
        if done.returncode > 1:
            raise SystemExit(f"{mutation.name}: the tests '{mutation.tests}' did not run: {output}")
        if done.returncode < 0:
            hangs = -done.returncode in (signal.SIGXCPU, signal.SIGKILL)
            return "hangs" if hangs else f"ends with signal {-done.returncode}"
        # What the assertion says, in one line.
        said = " ".join(re.split(r"AssertionError:|^E  ", output, flags=re.MULTILINE)[-1].split())
        return said if len(said) < 100 else said[:97] + "..."


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these mutations")
    parser.add_argument("--list", action="store_true", help="name the mutations, and whether their text is there")
    parser.add_argument("--seeds", type=int, default=40, help="streams per circuit (default: 40)")
    parser.add_argument("--try", dest="tests", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.tests is not None:
        return try_streams(args.seeds, args.tests)
    known = {mutation.name: mutation for mutation in MUTATIONS}
    if unknown := set(args.names) - set(known):
        parser.error(f"unknown mutations: {', '.join(sorted(unknown))}")
    texts = {m: changed(m) for m in MUTATIONS if not args.names or m.name in args.names}
    if args.list:
        for mutation, text in texts.items():
            print(f"{mutation.name:24} acc_{mutation.file}.sv {'' if text else '(its text is not there, or not once)'}")
        return 0
    survivors, absent = [], []
    with tempfile.TemporaryDirectory(prefix="acc-mutants-") as cache:
        os.environ.setdefault("ACC_MUTANT_CACHE", cache)
        for mutation, text in texts.items():
            start = time.monotonic()
            how = "" if text is None else kill(mutation, text, args.seeds)
            (absent if text is None else survivors if not how else []).append(mutation.name)
            fate = "text is not there" if text is None else f"killed: {how}" if how else "SURVIVED"
            print(f"{mutation.name:24} {time.monotonic() - start:5.0f} s  {fate}", flush=True)
    print(f"{len(texts) - len(survivors) - len(absent)} of {len(texts)} killed")
    if absent:
        print(f"update {Path(__file__).name}, hardware/rtl has changed: {', '.join(absent)}")
    if survivors:
        print(f"survived: {', '.join(survivors)}")
    return 2 if absent else 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
