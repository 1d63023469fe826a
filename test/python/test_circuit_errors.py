"""What the circuit says about streams that are wrong: by itself, and in words."""

from __future__ import annotations

import numpy as np
import pytest

import raw_circuit
from acc._lib import _runtime
from acc.errors import ConfigError
from acc.hardware import simulator
from acc.hardware.package import Circuit, constants
from acc.hardware.random_stream import random_stream
from circuits import SMALL

CONFIG = SMALL[0].config


@pytest.fixture(scope="module")
def circuit() -> object:
    return simulator.device(CONFIG, optimize=0)


# --- streams in words ---


def message(circuit: object, text: str) -> str:
    """What the circuit says about a stream, which it must refuse. Micro-op 0 lies at byte 0, element 1 of inp at 4."""
    memory = np.zeros(4096, np.uint8)
    memory[:4] = np.frombuffer(_runtime.Program.parse(".uop dst=255 src=255 wgt=127", CONFIG).uops, np.uint8)
    circuit.attach_at(0, memory)
    result = circuit.run(_runtime.Program.parse(text, CONFIG).encode())
    circuit.detach(0)
    assert not result["ok"]
    return result["message"]


UOP = "load.uop sram=0 dram=0 y=1 x=1 stride=1\n"


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("", ["FINISH"]),
        ("load.inp sram=0 dram=0 y=1 x=1 stride=1", ["FINISH"]),
        ("finish\nfinish", ["instruction 0", "FINISH"]),
        ("load.inp sram=250 dram=0 y=1 x=7 stride=7\nfinish", ["instruction 0 (LOAD inp)", "256"]),
        ("load.acc sram=255 dram=0 y=1 x=1 stride=1 pad=0,1,0,0\nfinish", ["instruction 0 (LOAD acc)", "256"]),
        ("load.uop sram=255 dram=0 y=1 x=2 stride=2\nfinish", ["instruction 0 (LOAD uop)", "256"]),
        ("store.out sram=256 dram=0 y=1 x=1 stride=1\nfinish", ["instruction 0 (STORE out)", "256"]),
        (UOP + "gemm uop=0:1 iter=1,2 dst=0,1 src=0,0 wgt=0,0\nfinish", ["instruction 1 (GEMM)", "dst"]),
        (UOP + "gemm uop=0:1 iter=2,1 dst=0,0 src=1,0 wgt=0,0\nfinish", ["instruction 1 (GEMM)", "src", "inp"]),
        (UOP + "gemm uop=0:1 iter=1,2 dst=0,0 src=0,0 wgt=0,1\nfinish", ["instruction 1 (GEMM)", "wgt"]),
        (UOP + "alu.add uop=0:1 iter=1,2 dst=0,0 src=0,1 use_imm=0 imm=0\nfinish", ["ALU add", "src", "acc"]),
        ("gemm uop=0:257 iter=1,1 dst=0,0 src=0,0 wgt=0,0\nfinish", ["GEMM", "uop_end"]),
        ("load.inp sram=0 dram=4294967295 y=1 x=1 stride=1\nfinish", ["DRAM bytes 17179869180"]),
        ("load.inp sram=0 dram=0 y=1 x=1 stride=1 pop=next\nfinish", ["deadlock", "load waits", "compute"]),
        ("store.out sram=0 dram=0 y=1 x=1 stride=1 pop=prev\nfinish pop=next", ["compute waits", "store waits"]),
        ("finish pop=prev", ["compute waits at instruction 0", "load, which has ended"]),
    ],
)
def test_bad_streams(circuit: object, text: str, mentions: list[str]) -> None:
    said = message(circuit, text)
    for mention in mentions:
        assert mention in said


def test_random_bytes_never_hang(circuit: object) -> None:
    rng = np.random.default_rng(7)
    memory = rng.integers(0, 256, 1 << 14).astype(np.uint8)
    circuit.attach_at(0, memory)
    finish = np.array([3, 0], np.uint64).tobytes()
    for _ in range(60):
        words = rng.integers(0, 1 << 63, (6, 2)).astype(np.uint64)
        # Short loops, so that the test ends.
        words[:, 0] &= np.uint64(0x0001003FFFFFFFFF)
        words[:, 1] &= np.uint64(0xFFFF000F000F000F)
        result = circuit.run(words.tobytes() + finish)
        assert result["ok"] == (result["message"] == "")
    circuit.detach(0)


def test_sizes_that_make_no_circuit() -> None:
    with pytest.raises(ConfigError, match="64, 128, 256, 512"):
        Circuit(100)
    with pytest.raises(ConfigError, match=r"log_queue.*log_max_burst"):
        Circuit(log_queue=0, log_max_burst=9)
    with pytest.raises(ConfigError, match="inp has one"):
        constants(_runtime.Config('{"LOG_INP_BUFF_SIZE": 4}'), Circuit(), gate_idle=False)


# --- instructions that fetch refuses, as raw words ---

FINISH = (3).to_bytes(16, "little")


def word(**fields: int) -> bytes:
    """An instruction of fields by name: opcode, flags (4 bits), and those of the layout's part `of`."""
    value = fields.pop("opcode") | fields.pop("flags", 0) << 3
    layout = CONFIG.layout["alu" if value & 7 == 4 else "mem"]
    return (value | sum(number << layout[name][0] for name, number in fields.items())).to_bytes(16, "little")


@pytest.mark.parametrize(
    ("first", "code", "mention"),
    [
        *((word(opcode=n), "FETCH_OPCODE", "undefined opcode") for n in (5, 6, 7)),
        *((word(opcode=0, memory=n, x_size=1, y_size=1), "FETCH_MEMORY", "undefined memory type") for n in (6, 7)),
        (word(opcode=1, memory=7, x_size=1, y_size=1), "FETCH_MEMORY", "undefined memory type"),
        (word(opcode=0, memory=4, x_size=1, y_size=1), "FETCH_LOAD_OUT", "LOAD cannot write out"),
        # Rows of padding alone are something.
        *(
            (word(opcode=0, memory=7, x_size=1, **{name: 1}), "FETCH_MEMORY", "memory")
            for name in ("y_pad_0", "y_pad_1")
        ),
        *(
            (word(opcode=0, memory=4, x_size=1, **{name: 1}), "FETCH_LOAD_OUT", "out")
            for name in ("y_pad_0", "y_pad_1")
        ),
        *(
            (word(opcode=1, memory=n, x_size=1, y_size=1), "FETCH_STORE_MEMORY", "STORE takes only out")
            for n in (0, 1, 2, 3, 5)
        ),
        *(
            (word(opcode=1, memory=4, x_size=1, y_size=1, **{name: 1}), "FETCH_PADS", "STORE cannot pad")
            for name in ("y_pad_0", "y_pad_1", "x_pad_0", "x_pad_1")
        ),
        *((word(opcode=4, op=n), "FETCH_ALU_OP", "undefined ALU operation") for n in (5, 6, 7)),
        *((word(opcode=0, memory=n, flags=f), "FETCH_FLAGS", "flag") for n in (1, 2) for f in (1, 4)),
        *((word(opcode=1, memory=4, flags=f), "FETCH_FLAGS", "flag") for f in (2, 8)),
        (FINISH, "FETCH_NOT_LAST", "FINISH is not the last"),
    ],
)
def test_fetch_refuses(circuit: object, first: bytes, code: str, mention: str) -> None:
    """Behind an instruction that is fine, so that the place is known."""
    fine = word(opcode=0, memory=2)
    result = circuit.run(fine + first + FINISH)
    assert not result["ok"]
    assert "instruction 1" in result["message"] and mention in result["message"]
    registers = raw_circuit.run(CONFIG, fine + first + FINISH, {})
    assert (registers.code, registers.unit, registers.place) == (code, "UNIT_FETCH", 1)


def test_bits_without_a_meaning_are_ignored(circuit: object) -> None:
    for seed in range(4):
        stream = random_stream(CONFIG, seed)
        words = np.frombuffer(stream.linked(), np.uint8).reshape(-1, 16)
        noise = np.zeros_like(words)
        for i, opcode in enumerate(words[:, 0] & 7):
            part = {0: ("mem",), 1: ("mem",), 2: ("gemm",), 3: (), 4: ("gemm", "alu")}[int(opcode)]
            fields = [field for name in part for field in CONFIG.layout[name].items()]
            # The ALU has the fields of GEMM's first word and dst; what else GEMM has may lie on its own.
            meant = 127
            for name, (at, width) in fields:
                if (
                    part != ("gemm", "alu")
                    or name not in ("reset", "src_out", "src_in", "wgt_out", "wgt_in")
                    or ((name, (at, width)) in CONFIG.layout["alu"].items())
                ):
                    meant |= ((1 << width) - 1) << at
            noise[i] = np.frombuffer((((1 << 128) - 1) ^ meant).to_bytes(16, "little"), np.uint8)
        noisy = (words | noise).tobytes()
        assert noisy != stream.linked()
        np.testing.assert_array_equal(stream.run(circuit, noisy), stream.run(circuit), err_msg=f"seed {seed}")


# --- memory that is not there: the device looks before it runs, the circuit is told ---

LOAD, STORE = "load.{} sram=0 dram=1048576 y=1 x=1 stride=1", "store.out sram=0 dram=1048576 y=1 x=1 stride=1"


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        *((LOAD.format(memory), "UNIT_LOAD") for memory in ("inp", "wgt")),
        *((LOAD.format(memory), "UNIT_COMPUTE") for memory in ("uop", "acc", "acc8")),
        (STORE, "UNIT_STORE"),
    ],
)
def test_memory_that_is_not_there(text: str, unit: str) -> None:
    nothing = text.replace("x=1", "x=0")
    stream = _runtime.Program.parse(f"{nothing}\n{text}\nfinish", CONFIG).encode()
    registers = raw_circuit.run(CONFIG, stream, {0: np.zeros(4096, np.uint8)})
    assert registers.failed and not registers.done
    assert (registers.code, registers.unit) == ("ERROR_MEMORY", unit)
    assert registers.place == 1


def test_stream_that_is_not_there() -> None:
    registers = raw_circuit.run(CONFIG, word(opcode=0, memory=2), {}, count=1000)
    assert (registers.code, registers.unit) == ("ERROR_MEMORY", "UNIT_FETCH")


# --- one stream after the other ---


LOOP = "alu.add uop=0:1 iter=999,999 dst=1,1 src=0,0 use_imm=1 imm=1"
BROKEN = {
    "deadlocks": "load.inp sram=0 dram=0 y=1 x=4 stride=4 push=next\nload.inp sram=0 dram=0 y=1 x=0 stride=0 pop=next",
    "leaves tokens": "store.out sram=0 dram=0 y=1 x=0 stride=0 push=prev\n"
    + "load.inp sram=0 dram=0 y=1 x=4 stride=0 push=next",
    "is beyond": "load.wgt sram=120 dram=0 y=9 x=9 stride=9\nload.acc sram=0 dram=0 y=5 x=5 stride=7",
    "is beyond in a loop": f"{UOP}{LOOP}",
    "reads nothing": "load.inp sram=0 dram=1048576 y=4 x=4 stride=400\nload.acc sram=0 dram=0 y=5 x=5 stride=7",
    "has no end": "load.inp sram=0 dram=0 y=1 x=4 stride=4",
}


@pytest.mark.parametrize("trouble", BROKEN)
def test_a_start_forgets_all_but_the_scratchpads(trouble: str) -> None:
    """Whatever went wrong before: tokens, queues, loops and counters begin anew."""
    stream = random_stream(CONFIG, 3)
    fresh = stream.dram.copy()
    alone = raw_circuit.run(CONFIG, stream.linked(), {0: fresh})
    assert alone.done
    end = "\nfinish" if trouble != "has no end" else ""
    broken = _runtime.Program.parse(BROKEN[trouble] + end, CONFIG).encode()
    memory = stream.dram.copy()
    zero = "\n".join(
        f"load.{m} sram=0 dram=0 y=0 x={CONFIG.depth(m)} stride=0 pad=1,0,0,0 {'push=next' if m == 'wgt' else ''}"
        for m in ("inp", "wgt")
    )
    clean = _runtime.Program.parse(
        f"{zero}\nload.acc sram=0 dram=0 y=0 x={CONFIG.depth('acc')} stride=0 pad=1,0,0,0 pop=prev\nfinish", CONFIG
    ).encode()
    first, second, third, fourth = raw_circuit.run_all(CONFIG, [broken, clean, stream.linked(), clean], {0: memory})
    assert first.failed == (trouble != "leaves tokens")
    assert second.done and third.done and fourth.done and not (second.failed or third.failed or fourth.failed)
    np.testing.assert_array_equal(memory, fresh)
    assert third.counters == alone.counters and fourth.counters == second.counters


# --- the watchdog ---


def test_memory_that_takes_too_long() -> None:
    stream = _runtime.Program.parse("load.inp sram=0 dram=0 y=1 x=1 stride=1\nfinish", CONFIG).encode()
    memory = {0: np.zeros(64, np.uint8)}
    registers = raw_circuit.run(CONFIG, stream, memory, latency=500, limit=100)
    assert registers.code == "ERROR_WATCHDOG" and registers.waiting >> 7 & 1
    assert raw_circuit.run(CONFIG, stream, memory, latency=500, limit=600).done


NOTHING = {"load": "load.inp", "compute": "load.acc", "store": "store.out"}


def idle(module: str, flags: str = "") -> str:
    return f"{NOTHING[module]} sram=0 dram=0 y=1 x=0 stride=0 {flags}"


@pytest.mark.parametrize(
    ("lines", "mentions"),
    [
        ([idle("load", "pop=next")], ["load waits at instruction 0 for a token from compute, which has ended"]),
        ([idle("compute", "pop=prev")], ["compute waits at instruction 0 for a token from load, which has ended"]),
        ([idle("compute", "pop=next")], ["compute waits at instruction 0 for a token from store, which has ended"]),
        ([idle("store", "pop=prev")], ["store waits at instruction 0 for a token from compute, which has ended"]),
        # Two in a circle, on either side, and both at once.
        (
            [idle("load", "pop=next push=next"), idle("compute", "pop=prev push=prev")],
            [
                "load waits at instruction 0 for a token from compute",
                "compute waits at instruction 1 for a token from load",
            ],
        ),
        (
            [idle("store", "pop=prev push=prev"), idle("compute", "pop=next push=next")],
            ["store waits at instruction 0", "compute waits at instruction 1 for a token from store"],
        ),
        (
            [idle("load", "pop=next"), idle("store", "pop=prev"), idle("compute", "pop=prev,next push=prev,next")],
            ["load waits at instruction 0", "store waits at instruction 1", "from load", "from store"],
        ),
        # The second of two pops, and one behind others that are fine.
        ([idle("load", "push=next"), *[idle("compute", "pop=prev")] * 2], ["compute waits at instruction 2"]),
        ([*[idle("load")] * 9, idle("load", "pop=next")], ["load waits at instruction 9"]),
        # What would push lies behind more instructions than a queue holds.
        ([*[idle("store", "pop=prev")] * 40, *[idle("compute", "push=next")] * 40], ["queue of store", "store waits"]),
        ([*[idle("load", "pop=next")] * 40, *[idle("compute", "push=prev")] * 40], ["queue of load", "load waits"]),
    ],
)
def test_deadlocks_are_named(circuit: object, lines: list[str], mentions: list[str]) -> None:
    result = circuit.run(_runtime.Program.parse("\n".join([*lines, "finish"]), CONFIG).encode())
    assert not result["ok"]
    assert "deadlock: " in result["message"]
    for mention in mentions:
        assert mention in result["message"]


@pytest.mark.parametrize(
    ("module", "side", "unit"),
    [
        ("load", "next", "UNIT_LOAD"),
        ("compute", "prev", "UNIT_COMPUTE"),
        ("compute", "next", "UNIT_COMPUTE"),
        ("store", "prev", "UNIT_STORE"),
    ],
)
def test_more_tokens_than_a_queue_holds(module: str, side: str, unit: str) -> None:
    small = Circuit(log_tokens=3)
    for pushes in (7, 8):
        stream = "\n".join([*[idle(module, f"push={side}")] * pushes, "finish"])
        registers = raw_circuit.run(CONFIG, _runtime.Program.parse(stream, CONFIG).encode(), {}, circuit=small)
        if pushes == 7:
            assert registers.done
        else:
            assert (registers.code, registers.unit) == ("ERROR_TOKENS", unit)
