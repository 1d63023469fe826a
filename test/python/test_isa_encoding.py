"""Configuration, encoding and assembly text."""

from __future__ import annotations

import json
import pathlib
import re

import numpy as np
import pytest

from acc._lib import _runtime
from acc.cli import main
from acc.errors import ConfigError, ConfigWarning, RunError
from acc.targets.vta.config import read_config
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
        ({"ALU_OPCODE_4": "SHL"}, ["ALU_OPCODE_4"]),
        ({"TARGET": 3}, ["TARGET", "string"]),
        ({"LOG_UOP_WIDTH": 6}, ["LOG_UOP_WIDTH", "32-bit"]),
        ({"LOG_BLOCK_INN": 4, "log_batch": 1}, ["'LOG_BLOCK_IN'", "'LOG_BATCH'"]),
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


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "line 1, column 1"),
        ("{", "line 1, column 2"),
        ('{"LOG_BATCH": }', "line 1, column 15"),
        ('{\n  "LOG_BATCH": 0,\n}', "line 3, column 1"),
        ('{\n  "LOG_BATCH": 0\n  "LOG_BLOCK": 4\n}', "line 3, column 3"),
        ('{"LOG_BATCH": 1e999}', "line 1, column 15"),
        ("{'LOG_BATCH': 0}", "line 1, column 2"),
        ('{"LOG_BATCH": 0} x', "line 1, column 18"),
    ],
)
def test_invalid_json_has_a_place(text: str, place: str) -> None:
    with pytest.raises(ConfigError, match=f"not valid JSON: {place}") as error:
        _runtime.Config(text)
    assert "json.exception" not in str(error.value)


@pytest.mark.parametrize("version", ["0.0.1", "", "2.0", 2, 0.2, None, True, [1]])
def test_any_hardware_version_is_accepted(version: object) -> None:
    """Nothing public reads it."""
    config, warnings = _runtime.Config.read(json.dumps({"HW_VER": version}))
    assert warnings == []
    written = version if isinstance(version, str) else json.dumps(version, separators=(",", ":"))
    assert json.loads(config.to_json())["HW_VER"] == written
    assert _runtime.Config(config.to_json()) == config


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        *((name.lower(), name) for name in ("LOG_BLOCK", "LOG_INP_WIDTH", "LOG_UOP_BUFF_SIZE", "TARGET", "HW_VER")),
        *((name.title(), name) for name in ("LOG_BLOCK", "LOG_BLOCK_OUT", "ALU_OPCODE_4")),
        *((name.removeprefix("LOG_"), name) for name in ("LOG_BLOCK", "LOG_BATCH", "LOG_WGT_BUFF_SIZE")),
        ("block", "LOG_BLOCK"),
        ("inp_width", "LOG_INP_WIDTH"),
        ("log-batch", "LOG_BATCH"),
        ("VTA_LOG_BLOCK_IN", "LOG_BLOCK_IN"),
        ("LOG_BLCOK", "LOG_BLOCK"),
        ("LGO_BLOCK", "LOG_BLOCK"),
        ("LOG_INP_BUF_SIZE", "LOG_INP_BUFF_SIZE"),
        ("LOG_OUT_WDTH", "LOG_OUT_WIDTH"),
    ],
)
def test_a_key_that_is_meant_to_be_another_is_refused(key: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown key '{key}': did you mean '{meant}'"):
        _runtime.Config(json.dumps({key: 4}))


def test_unknown_sizes_stay_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown key 'LOG_SOMETHING_ELSE'$"):
        _runtime.Config('{"LOG_SOMETHING_ELSE": 4}')


def test_a_key_that_is_given_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="'LOG_BATCH' is given twice"):
        _runtime.Config('{"LOG_BATCH": 0, "LOG_BLOCK": 4, "LOG_BATCH": 1}')
    # Elsewhere it is nobody's business.
    assert _runtime.Config('{"X": {"LOG_BATCH": 0, "LOG_BATCH": 1}}') == _runtime.Config()


def test_keys_of_other_tools_are_named_in_a_warning() -> None:
    """As in the configurations of Intel's designs."""
    others = {
        **{"SHL_MEM_AXI_DATA_BITS": 64, "DPI_DELAY": 16, "ENABLE_VTHREAD": 1, "VTHREAD_NAME": "x", "HW_FREQ": 100},
        **{"LOG_BUS_WIDTH": 6, "LOG_INP_FACTOR_RESTRICT": 0, "GEMM_II": 2, "lowercase": {"more": []}},
    }
    known = {"LOG_BLOCK_IN": 3, "LOG_BLOCK_OUT": 5, "LOG_UOP_WIDTH": 5, "LOG_OUT_WIDTH": 3}
    config, warnings = _runtime.Config.read(json.dumps({**known, **others}))
    assert (config.block_in, config.block_out) == (8, 32)
    assert len(warnings) == 1
    assert all(key in warnings[0] for key in others) and not any(key in warnings[0] for key in known)
    with pytest.warns(ConfigWarning, match="the configuration: ignored, as it says nothing about the accelerator: HW_"):
        assert read_config({"HW_CLK_TARGET": 8})["LOG_BLOCK"] == 4


def test_what_is_not_followed_is_a_warning() -> None:
    config, warnings = _runtime.Config.read('{"LOG_WGT_FACTOR_RESTRICT": 1}')
    assert config == _runtime.Config()
    assert len(warnings) == 1 and "LOG_WGT_FACTOR_RESTRICT" in warnings[0] and "not followed" in warnings[0]


def test_warnings_on_the_command_line(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.json").write_text('{"HW_VER": "0.0.1", "HW_FREQ": 100}')
    (tmp_path / "s.bin").write_bytes((3).to_bytes(16, "little"))
    assert main(["sim", "--config", f"{tmp_path}/c.json", "--insns", f"{tmp_path}/s.bin", "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == (
        f"acc: warning: {tmp_path}/c.json: ignored, as it says nothing about the accelerator: HW_FREQ\n"
    )
    assert json.loads(captured.out)["instructions"]["finish"] == 1


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
        ("load.inp spare=1,0", "spare"),
        ("load.inp spare=0x10000000000000000,0", "out of range"),
        ("load.inp spare=-1,0", "number"),
        (".uop spare=1", "spare"),
        (".config {}\n.config {}", "one program"),
        ("load.inp dram=@0+1", "buffer"),
        (".uop_buffer 3", "buffer"),
        ('.buffer "a" 64 4096\n.buffer "b" 64', "address"),
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
    assert "line 2" in str(error.value) or "line 3" in str(error.value)


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("loda.inp sram=0", 1),
        ("  load.inp sram=0 y=z", 21),
        ("load.inp sram=0 speed=1", 17),
        ("load.inp sram 0", 14),
        ("gemm uop=0:1 pop=left", 18),
        ("alu.add imm=40000", 13),
        ('.layer "open', 13),
        (".uop dst=1 src=a", 16),
        ("load.inp sram=0 sram=0", 17),
    ],
)
def test_wrong_assembly_names_the_column(line: str, column: int) -> None:
    with pytest.raises(RunError, match=f"line 2, column {column}: "):
        _runtime.Program.parse(f"finish\n{line}")


def test_bits_that_belong_to_no_field_survive() -> None:
    """From bytes to text and back, for every instruction and for micro-ops with room to spare."""
    rng = np.random.default_rng(3)
    for config in (_runtime.Config(), _runtime.Config('{"LOG_UOP_BUFF_SIZE": 9, "LOG_WGT_BUFF_SIZE": 12}')):
        at, width = config.layout["alu"]["op"]
        for _ in range(50):
            words = np.frombuffer(rng.bytes(80), np.uint64).reshape(5, 2).copy()
            words[:, 0] = (words[:, 0] & ~np.uint64(7)) | np.arange(5, dtype=np.uint64)
            # An operation of the ALU that there is.
            words[4, 1] &= ~np.uint64(((1 << width) - 1) << (at - 64))
            uops = rng.bytes(36)
            program = _runtime.Program.decode(config, words.tobytes()).with_uops(uops)
            again = _runtime.Program.parse(str(program))
            assert again.encode() == words.tobytes()
            assert again.uops == uops


@pytest.mark.parametrize(
    ("words", "mention"),
    [([5, 0], "opcode 5"), ([4, 7 << 44], "ALU operation 7")],
)
def test_undefined_encodings(words: list[int], mention: str) -> None:
    with pytest.raises(RunError, match=mention):
        _runtime.Program.decode(_runtime.Config(), np.array(words, np.uint64).tobytes())


def test_undefined_memories_are_for_nothing_only() -> None:
    copies, moves_nothing = ([6 << 7, 1 | 1 << 16], [6 << 7, 1 << 16])
    for words, complaints in ((copies, ["undefined memory type 6"]), (moves_nothing, [])):
        stream = np.array([*words, 3, 0], np.uint64).tobytes()
        program = _runtime.Program.decode(_runtime.Config(), stream)
        assert [message.partition(": ")[2] for _, _, message in program.verify()] == complaints
        assert "load.mem6" in str(program) and program.encode() == stream


def test_partial_instruction() -> None:
    with pytest.raises(RunError, match="16-byte"):
        _runtime.Program.decode(_runtime.Config(), b"123")
