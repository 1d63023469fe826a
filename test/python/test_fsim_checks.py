"""What the verifier, the simulator and its sanitizer say about streams that are wrong."""

from __future__ import annotations

import re

import numpy as np
import pytest

from acc._lib import _runtime
from test_fsim_random import draw
from vta_model import random_config

GOOD = """
.buffer "uop" 8
.buffer "x" 64
.buffer "w" 256
.buffer "y" 64
.uop_buffer 0
.uop dst=0 src=0 wgt=0
.layer "conv1"
load.uop sram=0 dram=@0+0 y=1 x=1 stride=1
gemm.reset uop=0:1 iter=1,4 dst=0,1
load.inp sram=0 dram=@1+0 y=1 x=4 stride=4
load.wgt sram=0 dram=@2+0 y=1 x=1 stride=1 push=next
gemm uop=0:1 iter=1,4 dst=0,1 src=0,1 pop=prev push=next
store.out sram=0 dram=@3+0 y=1 x=4 stride=4 pop=prev push=prev
.layer ""
finish pop=next
"""


def parse(text: str) -> _runtime.Program:
    return _runtime.Program.parse(text, _runtime.Config())


def run(text: str, sanitize: bool = False) -> dict:
    """Runs a program on zeroed buffers of the sizes it declares."""
    program = parse(text)
    device = _runtime.Device("fsim", program.config)
    arrays = [np.zeros(size, np.uint8) for _, size in program.buffers]
    uops = np.frombuffer(program.uops, np.uint8)
    arrays[0][: len(uops)] = uops
    return device.run_program(program, [device.attach(a) for a in arrays], sanitize)


def verify(text: str, uninitialised: bool = False) -> list[str]:
    return [message for _, _, message in parse(text).verify(uninitialised)]


def test_a_good_stream_has_no_complaints() -> None:
    assert verify(GOOD, uninitialised=True) == []
    result = run(GOOD, sanitize=True)
    assert result["ok"], result["message"]
    counts = {"load": 3, "store": 1, "gemm": 2, "finish": 1, "alu": 0, "gemm_set": 0, "gemm_window": 0}
    assert result["total"]["instructions"] == counts
    assert result["total"]["dram_bytes"] == {"uop": 4, "wgt": 256, "inp": 64, "acc": 0, "out": 64, "acc8": 0}
    assert result["layers"]["conv1"]["gemm_steps"] == 4
    assert result["layers"]["conv1"]["instructions"]["finish"] == 0


# Out of range, flags without neighbour, no end: refused in every mode.
ALWAYS = [
    ("load.inp sram=0 dram=@1", "load.inp sram=2045 dram=@1", "inp[2048]", 2),
    ("load.wgt sram=0", "load.wgt sram=1024", "wgt[1024]", 3),
    ("src=0,1 pop=prev", "src=0,683 pop=prev", "inp[2049]", 4),
    ("gemm uop=0:1 iter=1,4 dst=0,1", "gemm uop=0:1 iter=1,4 dst=0,683", "acc[2049]", 4),
    ("gemm uop=0:1", "gemm uop=8191:8193", "uop[8192]", 4),
    ("iter=1,4 dst=0,1 src=0,1 pop", "iter=1,4 dst=0,1 src=0,1 wgt=0,400 pop", "wgt[1200]", 4),
    ("store.out sram=0", "store.out sram=2045", "out[2048]", 5),
    ("store.out", "store.acc", "STORE takes only out", 5),
    ("load.inp", "load.out", "LOAD cannot write out", 2),
    ("stride=4 pop=prev push=prev", "stride=4 pad=1,0,0,0 pop=prev push=prev", "STORE cannot pad", 5),
    ("dram=@1+0 y=1 x=4 stride=4", "dram=@1+1 y=1 x=4 stride=4", None, 2),
    ("dram=@3+0 y=1 x=4", "dram=@3+0 y=2 x=4", None, 5),
    ("push=next\ngemm uop", "push=next pop=prev\ngemm uop", "nothing precedes load", 3),
    ("push=prev\n", "push=prev,next\n", "nothing follows store", 5),
]


@pytest.mark.parametrize(("old", "new", "mention", "instruction"), ALWAYS)
def test_illegal_instructions(old: str, new: str, mention: str | None, instruction: int) -> None:
    assert GOOD.count(old) == 1
    text = GOOD.replace(old, new)
    messages = verify(text)
    assert messages and f"instruction {instruction} (" in messages[0], messages
    for sanitize in (False, True):
        result = run(text, sanitize)
        assert not result["ok"]
        assert result["diagnostics"][0][:2] == (instruction, "conv1")
        assert "layer 'conv1'" in result["message"]
        if mention:
            assert mention in result["message"]
            assert mention in messages[0]


def test_missing_and_misplaced_finish() -> None:
    for text in (GOOD.replace("finish pop=next", ""), "", GOOD.replace("gemm.reset", "finish\ngemm.reset")):
        assert "FINISH" in verify(text)[0]
        assert "FINISH" in run(text or '.buffer "uop" 4')["message"]


@pytest.mark.parametrize(
    ("old", "new", "waiting"),
    [
        (" push=next\ngemm uop", "\ngemm uop", "compute waits at instruction 4 (GEMM) for a token from load"),
        (" pop=prev push=next\nstore", " pop=prev\nstore", "store waits at instruction 5 (STORE out)"),
        ("stride=4\nload.wgt", "stride=4 pop=next\nload.wgt", "load waits at instruction 2 (LOAD inp)"),
    ],
)
def test_deadlock_names_who_waits_for_whom(old: str, new: str, waiting: str) -> None:
    assert GOOD.count(old) == 1
    text = GOOD.replace(old, new)
    assert "deadlock" in verify(text)[0] and waiting in verify(text)[0]
    message = run(text)["message"]
    assert "deadlock" in message and waiting in message


def test_a_cycle_of_waiting_is_a_deadlock() -> None:
    text = GOOD.replace("stride=4\nload.wgt", "stride=4 pop=next\nload.wgt").replace(
        "src=0,1 pop=prev push=next", "src=0,1 pop=prev push=prev,next"
    )
    assert "load waits" in run(text)["message"]
    assert "compute, which is at instruction 4" in run(text)["message"]


HAZARDS = [
    # RAW on inp and wgt: nobody tells compute that they are there.
    (
        GOOD.replace(" push=next\ngemm uop", "\ngemm uop").replace(" pop=prev push=next\nst", " push=next\nst"),
        4,
        "reads",
    ),
    # RAW on acc: store does not wait for compute.
    (
        GOOD.replace("pop=prev push=next\nstore", "pop=prev\nstore").replace(
            "stride=4 pop=prev push=prev", "stride=4 push=prev"
        ),
        5,
        "reads acc[",
    ),
    # WAR on inp: loaded anew while compute may still read.
    (
        GOOD.replace(
            "store.out",
            "load.inp sram=3 dram=@1+0 y=1 x=1 stride=1 push=next\n"
            "gemm uop=0:1 iter=1,4 dst=0,1 src=0,1 pop=prev push=next\nstore.out",
        ).replace("pop=prev push=next\nload.inp", "pop=prev\nload.inp"),
        5,
        "overwrites inp[3] read by instruction 4 (GEMM)",
    ),
    # WAR on acc: compute overwrites what store may still read.
    (GOOD.replace('.layer ""', "gemm.reset uop=0:1"), 6, "overwrites acc[0] read by instruction 5 (STORE out)"),
    # RAW through DRAM.
    (
        GOOD.replace('.layer ""', "load.inp sram=8 dram=@3+1 y=1 x=1 stride=1 push=next").replace(
            "pop=next", "pop=prev,next"
        ),
        6,
        "reads DRAM byte",
    ),
]


@pytest.mark.parametrize(("text", "instruction", "mention"), HAZARDS)
def test_hazards_that_no_token_orders(text: str, instruction: int, mention: str) -> None:
    messages = [m for m in verify(text) if "no token orders" in m]
    assert messages and f"instruction {instruction} (" in messages[0] and mention in messages[0], verify(text)
    result = run(text, sanitize=True)
    where = [d for d in result["diagnostics"] if "no token orders" in d[2]]
    assert where and where[0][:2] == (instruction, "conv1") and mention in where[0][2]
    assert run(text)["ok"]


def test_store_over_an_earlier_load_is_ordered_by_a_chain() -> None:
    # Store waits for compute, which waited for load: transitively ordered.
    assert verify(GOOD.replace("@3+0", "@1+0")) == []


def test_finish_waits_for_everything() -> None:
    text = GOOD.replace("finish pop=next", "finish").replace("pop=prev push=prev", "pop=prev")
    assert "FINISH does not wait for instruction 5 (STORE out)" in verify(text)[0]
    assert "FINISH does not wait" in run(text, sanitize=True)["message"]


def test_unbalanced_tokens() -> None:
    text = GOOD.replace("gemm.reset uop=0:1", "gemm.reset uop=0:1 push=prev,next")
    assert any("compute->load" in m for m in verify(text))
    message = run(text, sanitize=True)["message"]
    assert "compute->load" in message and "compute->store" in message


@pytest.mark.parametrize(
    ("line", "mention"),
    [
        ("gemm.reset uop=0:1 iter=1,4 dst=0,1\n", "reads acc[0]"),
        ("load.inp sram=0 dram=@1+0 y=1 x=4 stride=4\n", "reads inp[0]"),
    ],
)
def test_uninitialised_reads(line: str, mention: str) -> None:
    text = GOOD.replace(line, "")
    assert verify(text) == []
    assert any(mention in m and "nothing has written" in m for m in verify(text, uninitialised=True))
    message = run(text, sanitize=True)["message"]
    assert mention in message and "nothing has written" in message and "layer 'conv1'" in message
    assert run(text)["ok"]


def test_unknown_micro_ops() -> None:
    text = GOOD.replace("load.uop sram=0 dram=@0+0 y=1 x=1 stride=1", "load.uop sram=1 dram=@0+0 y=1 x=1 stride=1")
    assert "micro-op 0" in verify(text)[0]
    assert "uop[0]" in run(text, sanitize=True)["message"]


def test_uninitialised_dram() -> None:
    program = parse(GOOD)
    device = _runtime.Device("fsim", program.config)
    memory = np.zeros(4096, np.uint8)
    device.attach_at(0, memory)
    memory[:4] = np.frombuffer(program.uops, np.uint8)
    stream = program.link([0, 256, 512, 1024])
    good = device.run(stream, sanitize=True, initialised=[(0, 4), (256, 320), (512, 768)])
    assert good["ok"], good["message"]
    bad = device.run(stream, sanitize=True, initialised=[(0, 4), (256, 319), (512, 768)])
    assert "DRAM byte 319" in bad["message"]


def test_undefined_instruction_in_a_raw_stream() -> None:
    device = _runtime.Device("fsim", _runtime.Config())
    result = device.run(np.array([3, 0, 7, 0], np.uint64).tobytes())
    assert result["message"] == "instruction 1: undefined opcode 7"


def tokens(lines: list[str]) -> dict[str, tuple[list[int], list[int]]]:
    """Per queue, the lines that push to and pop from it, in order."""
    queues: dict[str, tuple[list[int], list[int]]] = {}
    for n, line in enumerate(lines):
        head = line.split()[0]
        if head.startswith("."):
            continue
        module = "load" if head in ("load.inp", "load.wgt") else "store" if head == "store.out" else "compute"
        order = ["load", "compute", "store"]
        for flag in ("pop", "push"):
            found = re.search(rf"{flag}=([a-z,]+)", line)
            for side in found.group(1).split(",") if found else []:
                other = order[order.index(module) + (1 if side == "next" else -1)]
                pair = (other, module) if flag == "pop" else (module, other)
                queues.setdefault("->".join(pair), ([], []))[flag == "pop"].append(n)
    return queues


def without(line: str, flag: str, side: str) -> str:
    def drop(match: re.Match[str]) -> str:
        sides = [s for s in match.group(1).split(",") if s != side]
        return f" {flag}={','.join(sides)}" if sides else ""

    return re.sub(rf" {flag}=([a-z,]+)", drop, line)


@pytest.mark.parametrize("seed", range(12))
def test_every_planned_token_is_needed(seed: int) -> None:
    """Taking any one token away leaves a hazard (or the end) unordered: there are none too many."""
    rng = np.random.default_rng(seed)
    _, _, text = draw(rng, random_config(rng), 15)
    program = _runtime.Program.parse(text)
    program.insert_tokens()
    lines = [line.split(" ; ")[0] for line in str(program).splitlines()]
    for queue, (pushes, pops) in tokens(lines).items():
        assert len(pushes) == len(pops)
        producer, consumer = queue.split("->")
        forward = (producer, consumer) in (("load", "compute"), ("compute", "store"))
        for push, pop in zip(pushes, pops, strict=True):
            fewer = list(lines)
            fewer[push] = without(fewer[push], "push", "next" if forward else "prev")
            fewer[pop] = without(fewer[pop], "pop", "prev" if forward else "next")
            assert _runtime.Program.parse("\n".join(fewer)).verify(), (queue, push, pop)
