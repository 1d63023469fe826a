"""Streams as the public VTA runtime writes them: instructions that do nothing, bits without a meaning, padded
micro-ops, and programs that go on with what an earlier stream has left in the scratchpads.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
import pytest

from acc._lib import _runtime
from acc.cli import main
from acc.hardware import cycle_model, simulator
from circuits import SMALL
from public_streams import ACC, COMPUTE, INP, LOAD, STORE, UOP, WGT, Stream, uop

# 1x4x4, small enough for a circuit that is quick to build.
CONFIG = SMALL[0].config
DEVICES = ("fsim", "csim", "tsim")
MAX, SHR = 1, 3
FINISH = (3).to_bytes(16, "little")


def device(name: str) -> Any:
    return simulator.device(CONFIG, optimize=0) if name == "tsim" else _runtime.Device(name, CONFIG)


def word(**fields: int) -> bytes:
    """A LOAD or STORE of fields by name."""
    value = fields.pop("opcode") | fields.pop("flags", 0) << 3
    layout = CONFIG.layout["mem"]
    return (value | sum(number << layout[name][0] for name, number in fields.items())).to_bytes(16, "little")


# --- a small matrix product, in one stream or in two ---

BATCH, BLOCK = CONFIG.batch, CONFIG.block_in
INPUTS, WEIGHTS = 6, 3
# DRAM byte addresses.
AT = {"uop": 0, "inp": 1024, "wgt": 2048, "acc": 3072, "out": 4096, "end": 8192}


def element(memory: str) -> int:
    return AT[memory] // CONFIG.element_bytes(memory)


def memory(seed: int) -> np.ndarray:
    """DRAM before a run: data everywhere, and micro-ops that sum products of all weights into an entry per input."""
    dram = np.random.default_rng(seed).integers(0, 256, AT["end"]).astype(np.uint8)
    uops = np.array([uop(CONFIG, 0, 0, w) for w in range(WEIGHTS)], np.uint32).view(np.uint8)
    dram[: len(uops)] = uops
    return dram


def expected(dram: np.ndarray) -> np.ndarray:
    """The stored bytes: ReLU of (bias + input times each weight, transposed) shifted right by 4, truncated."""
    inp = dram[AT["inp"] :][: INPUTS * BLOCK].view(np.int8).reshape(INPUTS, BLOCK).astype(np.int64)
    wgt = dram[AT["wgt"] :][: WEIGHTS * BLOCK * BLOCK].view(np.int8).reshape(WEIGHTS, BLOCK, BLOCK).astype(np.int64)
    bias = dram[AT["acc"] :][: 4 * INPUTS * BLOCK].view(np.int32).reshape(INPUTS, BLOCK).astype(np.int64)
    total = bias + sum(inp @ w.T for w in wgt)
    return (np.maximum(total.astype(np.int32), 0) >> 4).astype(np.uint8)


def load_all(stream: Stream) -> None:
    """As the runtime does: tokens of its own accord, by instructions that do nothing, before there is any work."""
    stream.push(COMPUTE, LOAD)
    stream.push(STORE, COMPUTE)
    stream.pop(COMPUTE, LOAD)
    stream.load(INP, 0, element("inp"), 1, INPUTS, INPUTS)
    stream.load(WGT, 0, element("wgt"), 1, WEIGHTS, WEIGHTS)
    stream.push(LOAD, COMPUTE)
    stream.pop(STORE, COMPUTE)
    stream.load(UOP, 0, 0, 1, WEIGHTS, WEIGHTS)
    stream.load(ACC, 0, element("acc"), 1, INPUTS, INPUTS)


def compute_and_store(stream: Stream) -> None:
    stream.gemm((0, WEIGHTS), (1, INPUTS), dst_in=1, src_in=1)
    stream.alu(MAX, (0, 1), (1, INPUTS), 0, dst_in=1, src_in=1)
    stream.alu(SHR, (0, 1), (1, INPUTS), 4, dst_in=1, src_in=1)
    stream.push(COMPUTE, STORE)
    stream.pop(COMPUTE, STORE)
    stream.store(0, element("out"), 1, INPUTS, INPUTS)


def in_one(junk: int | None = None) -> bytes:
    stream = Stream(CONFIG, None if junk is None else np.random.default_rng(junk))
    load_all(stream)
    stream.pop(LOAD, COMPUTE)
    compute_and_store(stream)
    stream.finish()
    return stream.encode()


def in_two(junk: int | None = None) -> tuple[bytes, bytes]:
    """The same with a synchronisation in the middle."""
    rng = None if junk is None else np.random.default_rng(junk)
    first, second = Stream(CONFIG, rng), Stream(CONFIG, rng)
    load_all(first)
    # The token of the loads is popped by what the runtime writes before FINISH.
    first.words[-1] |= 0
    first.pop(LOAD, COMPUTE)
    first.nothing(COMPUTE)
    first.finish()
    compute_and_store(second)
    second.finish()
    return first.encode(), second.encode()


def check(dram: np.ndarray, before: np.ndarray) -> None:
    out = dram[AT["out"] :][: INPUTS * BLOCK].reshape(INPUTS, BLOCK)
    np.testing.assert_array_equal(out, expected(before))
    dram = dram.copy()
    dram[AT["out"] :][: INPUTS * BLOCK] = before[AT["out"] :][: INPUTS * BLOCK]
    np.testing.assert_array_equal(dram, before)


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("junk", [None, 1, 2])
def test_one_stream(name: str, junk: int | None) -> None:
    dram, before = memory(3), memory(3)
    it = device(name)
    it.attach_at(0, dram)
    result = it.run(in_one(junk))
    assert result["ok"], result["message"]
    check(dram, before)


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("junk", [None, 5])
def test_a_synchronisation_in_the_middle(name: str, junk: int | None) -> None:
    """What the first stream loads is still there for the second, unless the device is reset in between."""
    it = device(name)
    for resets in (False, True, False):
        dram, before = memory(4), memory(4)
        it.reset()
        it.attach_at(0, dram)
        for number, stream in enumerate(in_two(junk)):
            if number and resets:
                it.reset()
            result = it.run(stream)
            assert result["ok"], result["message"]
        it.detach(0)
        if not resets:
            check(dram, before)
        else:
            # Micro-ops, inputs and sums are zero then.
            assert not dram[AT["out"] :][: INPUTS * BLOCK].any()


def test_times_of_a_stream_do_not_depend_on_those_before() -> None:
    """csim counts the circuit's cycles, also of a stream whose micro-ops an earlier one has loaded."""
    cycles: dict[str, list[int]] = {}
    for name in ("csim", "tsim"):
        it = device(name)
        it.attach_at(0, memory(4))
        cycles[name] = [it.run(stream)["cycles"] for stream in (*in_two(), *in_two(), in_one())]
    assert cycles["csim"] == cycles["tsim"]
    assert cycles["csim"][:2] == cycles["csim"][2:4]


def test_csim_without_data_keeps_micro_ops() -> None:
    it = cycle_model.device(CONFIG, functional=False)
    it.attach_at(0, memory(4))
    bare = [it.run(stream)["cycles"] for stream in in_two()]
    it = device("csim")
    it.attach_at(0, memory(4))
    assert bare == [it.run(stream)["cycles"] for stream in in_two()]


def test_the_sanitizer_knows_what_earlier_streams_have_written() -> None:
    it = device("fsim")
    it.attach_at(0, memory(4))
    first, second = in_two()
    alone = it.run(second, sanitize=True)
    assert "reads" in alone["message"] and "nothing has written" in alone["message"]
    for sanitize in (False, True):
        it.reset()
        assert it.run(first, sanitize=sanitize)["ok"]
        result = it.run(second, sanitize=True)
        assert result["ok"], result["message"]
    it.reset()
    assert not it.run(second, sanitize=True)["ok"]


def test_a_sum_of_what_nothing_has_written_is_still_that() -> None:
    """An entry that was only computed with, not filled, is not initialised for a later stream."""
    it = device("fsim")
    it.attach_at(0, memory(4))
    stream = Stream(CONFIG)
    stream.load(UOP, 0, 0, 1, 1, 1)
    stream.alu(MAX, (0, 1), (1, 1), 5)
    stream.finish()
    assert it.run(stream.encode())["ok"]
    again = it.run(stream.encode(), sanitize=True)
    assert "acc[0]" in again["message"]


# --- instructions that do nothing ---


def nothings(seed: int) -> list[bytes]:
    """One of every opcode and memory, by columns and by rows; all other bits are anything, but for dependence flags."""
    rng = np.random.default_rng(seed)
    layout = CONFIG.layout["mem"]
    words = []
    for opcode in (0, 1):
        for number in range(8):
            for zero in ("x_size", "y_size"):
                value = int.from_bytes(rng.bytes(16), "little")
                clear = ["memory", zero]
                if zero == "y_size" and opcode == 0:
                    # Rows of padding would be something.
                    clear += ["y_pad_0", "y_pad_1"]
                value &= ~127
                for name in clear:
                    at, width = layout[name]
                    value &= ~(((1 << width) - 1) << at)
                value |= opcode | number << layout["memory"][0]
                words.append(value.to_bytes(16, "little"))
    return words


@pytest.mark.parametrize("name", DEVICES)
def test_what_moves_nothing_does_nothing(name: str) -> None:
    it = device(name)
    dram = memory(1)
    it.attach_at(0, dram)
    for seed in range(3):
        result = it.run(b"".join([*nothings(seed), FINISH]), **({"sanitize": True} if name == "fsim" else {}))
        # Only the sanitizer minds that FINISH waits for nobody.
        assert result["ok"] or (name == "fsim" and "FINISH does not wait" in result["message"]), result["message"]
        assert "instruction 0" not in result["message"]
    np.testing.assert_array_equal(dram, memory(1))


def test_what_moves_nothing_takes_the_same_time() -> None:
    stream = b"".join([*nothings(9), FINISH])
    assert device("csim").run(stream)["cycles"] == device("tsim").run(stream)["cycles"]


def test_verification_and_text_of_what_moves_nothing() -> None:
    program = _runtime.Program.decode(CONFIG, b"".join([*nothings(2), FINISH]))
    complaints = [message for _, _, message in program.verify()]
    assert all("FINISH does not wait" in message for message in complaints)
    text = str(program)
    assert "load.mem7" in text and "store.uop" in text and "spare=0x" in text
    again = _runtime.Program.parse(text)
    assert again.encode() == program.encode()
    modules = [insn["module"] for insn in program.instructions[:-1]]
    # A STORE is the store module's whatever it names; a LOAD of what the load module does not load is compute's.
    assert modules == [
        module
        for opcode in (0, 1)
        for n in range(8)
        for module in [STORE if opcode else LOAD if n in (1, 2) else COMPUTE] * 2
    ]
    assert sum(program.counters()["dram_bytes"].values()) == 0


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize(
    ("fields", "mention"),
    [
        *(({"opcode": 0, "memory": n, "x_size": 1, "y_size": 1}, "undefined memory type") for n in (6, 7)),
        *(({"opcode": 0, "memory": n, "x_size": 1, "y_pad_0": 1}, "undefined memory type") for n in (6, 7)),
        ({"opcode": 0, "memory": 4, "x_size": 1, "y_size": 1}, "LOAD cannot write out"),
        ({"opcode": 0, "memory": 4, "x_size": 1, "y_pad_1": 1}, "LOAD cannot write out"),
        *(({"opcode": 1, "memory": n, "x_size": 1, "y_size": 1}, "STORE takes only out") for n in (0, 1, 2, 3, 5)),
        ({"opcode": 1, "memory": 4, "x_size": 1, "y_size": 1, "x_pad_0": 1}, "STORE cannot pad"),
    ],
)
def test_what_moves_something_must_be_able_to(name: str, fields: dict[str, int], mention: str) -> None:
    result = device(name).run(word(**fields) + FINISH)
    assert not result["ok"]
    assert "instruction 0" in result["message"] and mention in result["message"]


@pytest.mark.parametrize("name", DEVICES)
def test_rows_of_padding_alone_are_something(name: str) -> None:
    """Also where the first of several such LOADs would leave memory, if it read any."""
    it = device(name)
    dram = memory(2)
    it.attach_at(0, dram)
    stream = Stream(CONFIG)
    stream.load(ACC, 0, element("acc"), 1, INPUTS, INPUTS)
    stream.load(ACC, 1, (1 << 32) - 1, 0, 1, 0, (1, 1, 0, 1))
    stream.push(COMPUTE, STORE)
    stream.pop(COMPUTE, STORE)
    stream.store(0, element("out"), 1, INPUTS, INPUTS)
    stream.finish()
    assert it.run(stream.encode())["ok"]
    out = dram[AT["out"] :][: INPUTS * BLOCK].reshape(INPUTS, BLOCK)
    loaded = memory(2)[AT["acc"] :][: 4 * INPUTS * BLOCK].view(np.int32).reshape(INPUTS, BLOCK).astype(np.uint8)
    loaded[1:5] = 0
    np.testing.assert_array_equal(out, loaded)


# --- micro-ops with padding ---


@pytest.mark.parametrize("name", DEVICES)
def test_padded_micro_ops(name: str) -> None:
    """Micro-ops of padding are zeros: they sum input 0 times weight 0 into entry 0."""
    it = device(name)
    dram = memory(6)
    it.attach_at(0, dram)
    table = np.array([uop(CONFIG, 1, 1, 1), uop(CONFIG, 2, 2, 2)], np.uint32).view(np.uint8)
    dram[: len(table)] = table
    stream = Stream(CONFIG)
    stream.load(INP, 0, element("inp"), 1, INPUTS, INPUTS)
    stream.load(WGT, 0, element("wgt"), 1, WEIGHTS, WEIGHTS)
    stream.push(LOAD, COMPUTE)
    # What was there before must be overwritten by the padding.
    stream.load(UOP, 0, 1, 8, 1, 0)
    stream.load(UOP, 0, 0, 2, 1, 1, (1, 1, 1, 0))
    stream.load(ACC, 0, element("acc"), 1, INPUTS, INPUTS)
    stream.pop(LOAD, COMPUTE)
    stream.gemm((0, 8))
    stream.push(COMPUTE, STORE)
    stream.pop(COMPUTE, STORE)
    stream.store(0, element("out"), 1, INPUTS, INPUTS)
    stream.finish()
    result = it.run(stream.encode(), **({"sanitize": True} if name == "fsim" else {}))
    assert result["ok"], result["message"]
    # One row above, one below, of two; in between a zero to the left of each.
    order = [0, 0, 0, 1, 0, 2, 0, 0]
    inp = dram[AT["inp"] :][: INPUTS * BLOCK].view(np.int8).reshape(INPUTS, BLOCK).astype(np.int64)
    wgt = dram[AT["wgt"] :][: WEIGHTS * BLOCK * BLOCK].view(np.int8).reshape(WEIGHTS, BLOCK, BLOCK).astype(np.int64)
    sums = dram[AT["acc"] :][: 4 * INPUTS * BLOCK].view(np.int32).reshape(INPUTS, BLOCK).astype(np.int64)
    for k in order:
        sums[k] += wgt[k] @ inp[k]
    out = dram[AT["out"] :][: INPUTS * BLOCK].reshape(INPUTS, BLOCK)
    np.testing.assert_array_equal(out, sums.astype(np.uint8))


def test_padded_micro_ops_are_known_to_the_verifier_and_timed() -> None:
    text = """
    .buffer "uop" 8
    .uop_buffer 0
    .uop dst=1 src=1
    .uop dst=2 src=2
    load.uop sram=3 dram=@0+0 y=1 x=2 stride=2 pad=1,2,3,1
    gemm.reset uop=3:27 iter=1,1
    finish
    """
    program = _runtime.Program.parse(text, CONFIG)
    assert program.verify(uninitialised=True) == []
    beyond = _runtime.Program.parse(text.replace("3:27", "3:28"), CONFIG)
    assert "micro-op 27" in beyond.verify()[0][2]
    cycles = {}
    for name in ("csim", "tsim"):
        it = device(name)
        cycles[name] = it.run_program(program, [it.attach(np.zeros(4096, np.uint8))])["cycles"]
    assert cycles["csim"] == cycles["tsim"]


# --- the command line ---


def files(folder: pathlib.Path) -> list[str]:
    """Options of `acc sim` that load DRAM and the configuration."""
    (folder / "c.json").write_text(CONFIG.to_json())
    (folder / "dram.bin").write_bytes(memory(7)[: AT["out"]].tobytes())
    return ["--config", f"{folder}/c.json", "--load", f"0={folder}/dram.bin"]


@pytest.mark.parametrize("options", [["--sanitize"], ["--device", "csim"], ["--device", "tsim"]], ids=" ".join)
def test_streams_in_sequence(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    arguments = files(tmp_path)
    for number, stream in enumerate(in_two()):
        (tmp_path / f"{number}.bin").write_bytes(stream)
        arguments += ["--insns", f"{tmp_path}/{number}.bin"]
    arguments += ["--dump", f"{AT['out']}:{INPUTS * BLOCK}={tmp_path}/out.bin", "--json", *options]
    assert main(["sim", *arguments]) == 0
    np.testing.assert_array_equal(
        np.fromfile(tmp_path / "out.bin", np.uint8).reshape(INPUTS, BLOCK), expected(memory(7))
    )
    figures = json.loads(capsys.readouterr().out)
    assert [run["stream"] for run in figures["runs"]] == [f"{tmp_path}/0.bin", f"{tmp_path}/1.bin"]
    for key in ("gemm_steps", "alu_steps", *(["cycles"] if "--device" in options else [])):
        assert figures[key] == sum(run[key] for run in figures["runs"]) > 0
    assert figures["instructions"]["finish"] == 2


def test_the_second_stream_alone_is_caught(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "1.bin").write_bytes(in_two()[1])
    assert main(["sim", *files(tmp_path), "--insns", f"{tmp_path}/1.bin", "--sanitize"]) == 2
    assert "nothing has written" in capsys.readouterr().err


def copying(source: int, target: int) -> bytes:
    """Copies an element of out from one place in DRAM to another."""
    program = _runtime.Program.parse(
        f"load.acc8 sram=0 dram={source} y=1 x=1 stride=1\nstore.out sram=0 dram={target} y=1 x=1 stride=1\nfinish",
        CONFIG,
    )
    program.insert_tokens()
    return program.encode()


def test_what_a_stream_stores_is_initialised_for_the_next(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.json").write_text(CONFIG.to_json())
    (tmp_path / "x").write_bytes(bytes(4))
    for name, places in (("a", (0, 100)), ("b", (100, 200)), ("c", (300, 400))):
        (tmp_path / name).write_bytes(copying(*places))
    common = ["sim", "--config", f"{tmp_path}/c.json", "--load", f"0={tmp_path}/x", "--sanitize"]
    assert main([*common, "--insns", f"{tmp_path}/a", "--insns", f"{tmp_path}/b"]) == 0
    for last in ("a", "c"):
        streams = ["--insns", f"{tmp_path}/b", "--insns", f"{tmp_path}/{last}"]
        assert main([*common, *streams]) == 2
        assert f"{tmp_path}/b: instruction 0 (LOAD acc8): reads DRAM byte 400" in capsys.readouterr().err
    assert main([*common, "--insns", f"{tmp_path}/a", "--insns", f"{tmp_path}/c"]) == 2
    assert f"{tmp_path}/c: instruction 0 (LOAD acc8): reads DRAM byte 1200" in capsys.readouterr().err


@pytest.mark.parametrize("loads", [[], ["empty"]])
def test_sanitize_checks_dram_without_anything_loaded(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], loads: list[str]
) -> None:
    (tmp_path / "c.json").write_text(CONFIG.to_json())
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "a").write_bytes(copying(0, 100))
    options = [part for name in loads for part in ("--load", f"0={tmp_path}/{name}")]
    assert main(["sim", "--config", f"{tmp_path}/c.json", "--insns", f"{tmp_path}/a", "--sanitize", *options]) == 2
    assert "reads DRAM byte 0, which nothing has written" in capsys.readouterr().err
