"""Configuration, encoding and assembly text."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from acc._lib import _runtime
from acc.errors import ConfigError, RunError
from vta_model import Streams, random_config


def test_defaults() -> None:
    config = _runtime.Config()
    assert [config.depth(m) for m in ("uop", "inp", "wgt", "acc", "out")] == [8192, 2048, 1024, 2048, 2048]
    assert [config.element_bytes(m) for m in ("uop", "inp", "wgt", "acc", "out", "acc8")] == [4, 16, 256, 64, 16, 16]
    assert _runtime.Config(config.to_json()) == config


def test_published_file_loads_unchanged() -> None:
    text = """{"TARGET": "pynq", "HW_VER": "0.0.2", "LOG_INP_WIDTH": 3, "LOG_WGT_WIDTH": 3, "LOG_ACC_WIDTH": 5,
      "LOG_BATCH": 0, "LOG_BLOCK": 4, "LOG_UOP_BUFF_SIZE": 15, "LOG_INP_BUFF_SIZE": 15, "LOG_WGT_BUFF_SIZE": 18,
      "LOG_ACC_BUFF_SIZE": 17}"""
    config = _runtime.Config(text)
    assert config.target == "pynq"
    assert config.block_in == config.block_out == 16


@pytest.mark.parametrize(
    ("keys", "mentions"),
    [
        ({"LOG_ACC_WIDTH": 4}, ["LOG_ACC_WIDTH", "32-bit"]),
        ({"LOG_INP_WIDTH": 0, "LOG_WGT_WIDTH": 4}, ["LOG_INP_WIDTH", "LOG_WGT_WIDTH"]),
        ({"LOG_BATCH": -1}, ["LOG_BATCH"]),
        ({"LOG_BATCH": "1"}, ["LOG_BATCH", "integer"]),
        ({"LOG_BATCH": 1.5}, ["LOG_BATCH", "integer"]),
        ({"LOG_BATCH": None, "LOG_BLOCK": True}, ["LOG_BATCH", "LOG_BLOCK"]),
        ({"LOG_BATCH": 10**30}, ["LOG_BATCH"]),
        ({"LOG_BATCH": 2**63}, ["LOG_BATCH"]),
        ({"LOG_BLOCKS": 4}, ["LOG_BLOCKS"]),
        ({"LOG_BLOCK": 4, "LOG_BLOCK_IN": 5}, ["LOG_BLOCK_IN", "LOG_BLOCK"]),
        ({"LOG_WGT_BUFF_SIZE": 5}, ["LOG_WGT_BUFF_SIZE", "cannot hold", "8 is the least"]),
        ({"LOG_INP_BUFF_SIZE": 3, "LOG_ACC_BUFF_SIZE": 4}, ["LOG_INP_BUFF_SIZE", "LOG_ACC_BUFF_SIZE"]),
        ({"LOG_ACC_BUFF_SIZE": 19}, ["micro-op"]),
        ({"LOG_UOP_BUFF_SIZE": 20}, ["LOG_UOP_BUFF_SIZE", "sram_base", "18 is the most"]),
        ({"LOG_INP_BUFF_SIZE": 20, "LOG_ACC_BUFF_SIZE": 13}, ["micro-op", "GEMM"]),
        ({"LOG_BATCH": 0, "LOG_BLOCK": 0, "LOG_INP_WIDTH": 2}, ["less than a byte"]),
        ({"HW_VER": "0.0.1"}, ["HW_VER"]),
        ({"HW_VER": 2}, ["HW_VER", "string"]),
        ({"ALU_OPCODE_4": "SHL"}, ["ALU_OPCODE_4"]),
    ],
)
def test_illegal_configurations_name_every_problem(keys: dict, mentions: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        _runtime.Config(json.dumps(keys))
    for mention in mentions:
        assert mention in str(error.value)


@pytest.mark.parametrize(
    "keys",
    [
        {"LOG_ACC_BUFF_SIZE": 19},
        {"LOG_INP_BUFF_SIZE": 18, "LOG_WGT_BUFF_SIZE": 20},
        {"LOG_UOP_BUFF_SIZE": 18, "LOG_INP_BUFF_SIZE": 17, "LOG_WGT_BUFF_SIZE": 20, "LOG_ACC_BUFF_SIZE": 19},
        {"LOG_WGT_WIDTH": 2},
    ],
)
def test_buffers_that_are_too_large_for_instructions(keys: dict[str, int]) -> None:
    """The message says which buffers would do, and the next larger ones would not."""
    with pytest.raises(ConfigError, match="make buffers smaller") as error:
        _runtime.Config(json.dumps(keys))
    found = {key: (int(a), int(b)) for key, a, b in re.findall(r"(LOG_\w+) (\d+) instead of (\d+)", str(error.value))}
    assert found
    _runtime.Config(json.dumps(keys | {key: wanted for key, (wanted, _) in found.items()}))
    for key, (wanted, now) in found.items():
        assert wanted < now
        with pytest.raises(ConfigError):
            _runtime.Config(json.dumps(keys | {k: w + (k == key) for k, (w, _) in found.items()}))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '{"LOG_BATCH": }', "\x00\x01"])
def test_not_a_configuration(text: str) -> None:
    with pytest.raises(ConfigError):
        _runtime.Config(text)


def test_default_layout_is_the_published_one() -> None:
    program = _runtime.Program.parse(
        "gemm uop=1:2 iter=3,4 dst=5,6 src=7,8 wgt=9,10 pop=prev push=next\n"
        "alu.shr uop=1:2 iter=3,4 dst=5,6 src=7,8 imm=-2 use_imm=1\n"
        "load.wgt sram=1 dram=2 y=3 x=4 stride=5 pad=6,7,8,9"
    )
    words = np.frombuffer(program.encode(), np.uint64).tolist()
    first = 1 << 8 | 2 << 21 | 3 << 35 | 4 << 49
    assert words[0] == 2 | 1 << 3 | 1 << 6 | first
    assert words[1] == 5 | 6 << 11 | 7 << 22 | 8 << 33 | 9 << 44 | 10 << 54
    assert words[2] == 4 | first
    assert words[3] == 5 | 6 << 11 | 7 << 22 | 8 << 33 | 3 << 44 | 1 << 47 | 0xFFFE << 48
    assert words[4] == 0 | 1 << 7 | 1 << 10 | 2 << 26
    assert words[5] == 3 | 4 << 16 | 5 << 32 | 6 << 48 | 7 << 52 | 8 << 56 | 9 << 60


def test_a_field_does_not_straddle_the_words() -> None:
    # A log depth of 14 makes the first word 65 bits long: iter_in moves to the second.
    config = _runtime.Config('{"LOG_UOP_BUFF_SIZE": 16, "LOG_ACC_BUFF_SIZE": 13, "LOG_WGT_BUFF_SIZE": 15}')
    program = _runtime.Program.parse("gemm uop=0:1 iter=3,5 dst=7,0", config)
    words = np.frombuffer(program.encode(), np.uint64).tolist()
    assert words == [2 | 1 << 22 | 3 << 37, 5 | 7 << 14]


@pytest.mark.parametrize("seed", range(40))
def test_round_trips(seed: int) -> None:
    rng = np.random.default_rng(seed)
    config = random_config(rng)
    streams = Streams(rng, config, 1 << 20)
    table = streams.uop_table(streams.uops)
    deps = ["", " pop=prev", " pop=next push=prev", " pop=prev,next push=prev,next", " push=next"]
    lines = [f'.buffer "buffer {i}" {i * 100}' for i in range(3)] + [".uop_buffer 1"]
    lines += [f".uop dst={d} src={s} wgt={w}" for d, s, w in table]
    for n in range(60):
        if n % 20 == 5:
            lines.append(f'.layer "conv \\"{n}\\""')
        memory = str(rng.choice(["uop", "inp", "wgt", "acc", "acc8", "out"]))
        insn = streams.copy(memory, 0, 1 << 20) if rng.random() < 0.5 else streams.loops(table)
        text = insn.text()
        if memory == "inp":
            text = text.replace("dram=", "dram=@2+")
        lines.append(text + deps[n % len(deps)])
    lines.append("finish")
    program = _runtime.Program.parse("\n".join(lines), config)
    assert _runtime.Program.parse(str(program)) == program
    stream = program.encode()
    again = _runtime.Program.decode(config, stream)
    assert again.encode() == stream
    assert len(again) == 61
    plain = [line for line in str(program).replace("@2+", "").splitlines() if not line.startswith(".")]
    assert [line for line in str(again).splitlines() if not line.startswith(".")] == plain


@pytest.mark.parametrize(
    ("text", "mention"),
    [
        ("load.foo sram=0", "foo"),
        ("loda.inp sram=0", "loda"),
        ("alu.div uop=0:1", "div"),
        ("gemm uop=0:1 speed=3", "speed"),
        ("gemm uop=0:1 uop=0:1", "twice"),
        ("gemm uop=0", "':'"),
        ("gemm iter=1,", "number"),
        ("finish x", "="),
        ("load.inp pop=left", "prev or next"),
        ("load.inp sram=65536", "sram_base"),
        ("load.inp pad=0,0,16,0", "x_pad_0"),
        ("gemm uop=0:1 dst=2048,0", "dst_factor_out"),
        ("alu.add imm=40000", "40000"),
        (".uop dst=5000", "dst"),
        ('.layer "open', "'\"'"),
        (".config {}}", "configuration"),
        (".nonsense", "nonsense"),
        ("load.inp dram=99999999999", "99999999999"),
        ("load.inp sram=-1", "-1"),
    ],
)
def test_wrong_assembly_names_line_and_reason(text: str, mention: str) -> None:
    with pytest.raises(RunError) as error:
        _runtime.Program.parse("finish\n" + text)
    assert mention in str(error.value)
    assert any(place in str(error.value) for place in ("line 2", "instruction 1", "micro-op 0"))


@pytest.mark.parametrize(
    ("words", "mention"),
    [([5, 0], "opcode 5"), ([6 << 7, 0], "memory type 6"), ([4, 7 << 44], "ALU operation 7")],
)
def test_undefined_encodings(words: list[int], mention: str) -> None:
    with pytest.raises(RunError, match=mention):
        _runtime.Program.decode(_runtime.Config(), np.array(words, np.uint64).tobytes())


def test_partial_instruction() -> None:
    with pytest.raises(RunError, match="16-byte"):
        _runtime.Program.decode(_runtime.Config(), b"123")
