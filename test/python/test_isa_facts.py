"""The description of the instruction set, runtime/vta/isa/isa.toml: all languages say what it says, and only there."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import re
import subprocess
import sys
import tomllib
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from acc._lib import _runtime, isa
from acc.hardware.package import BITS, ENCODINGS, Circuit, package
from vta_model import random_config

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "runtime" / "vta" / "isa"
FACTS: dict[str, Any] = tomllib.loads((FOLDER / "isa.toml").read_text())
RTL = {path.name: path.read_text() for path in sorted((ROOT / "hardware" / "rtl").glob("*.sv"))}
# Bits that the RTL takes of an instruction by another width than the field's: all pads at once, and the address within
# a beat.
WIDER = {("Y_PAD_0", 16)}
NARROWER = {("DRAM_BASE", 16)}
EXTENDED = _runtime.Config(json.dumps({key: 1 for key in (*isa.ALU_NEEDS.values(), *isa.OPCODE_NEEDS.values())}))


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", FOLDER / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code(text: str) -> str:
    """C++, SystemVerilog, TableGen or Python without the comments that take the rest of a line."""
    return re.sub(r"//[^\n]*|^\s*#[^\n]*", "", text, flags=re.MULTILINE)


def test_what_is_built_is_what_is_described(generator: ModuleType) -> None:
    built = pathlib.Path(isa.__file__)
    assert built.read_text() == generator.python(FACTS), "run ninja -C build"
    header = built.parent / "include" / "acc" / "vta" / "circuit_registers.h"
    assert header.read_text() == generator.registers(FACTS)


@pytest.mark.parametrize("seed", range(30))
def test_fields_lie_where_the_description_says(seed: int) -> None:
    """The layout of the runtime against a packing of the described widths in Python."""
    config = random_config(np.random.default_rng(seed))
    depths = {memory: int(config.depth(memory)).bit_length() - 1 for memory in isa.MEMORIES}
    header = FACTS["header"]["opcode"] + len(FACTS["header"]["flags"])

    def pack(start: int, fields: list[dict[str, Any]], source: str = "acc") -> dict[str, tuple[int, int]]:
        at, places = start, {}
        for field in fields:
            width = eval(str(field["width"]), {"max": max, "source": depths[source], **depths})
            if at % 64 + width > 64:
                at = (at // 64 + 1) * 64
            places[field["name"]] = (at, width)
            at += width
        return places

    loop = FACTS["loop"]["fields"]
    gemm = pack(header, loop + FACTS["gemm"]["fields"], FACTS["gemm"]["source"])
    alu = pack(header, loop + FACTS["alu"]["fields"], FACTS["alu"]["source"])
    shared = isa.FIELDS["loop"]
    assert {name: gemm[name] for name in shared} == {name: alu[name] for name in shared}
    assert config.layout == {
        "mem": pack(header, FACTS["mem"]["fields"]),
        "gemm": gemm,
        "alu": {name: place for name, place in alu.items() if name not in shared},
        "uop": pack(0, FACTS["uop"]["fields"]),
    }


def test_the_configuration_is_the_described_one() -> None:
    default = _runtime.Config()
    for key, facts in FACTS["config"].items():
        assert getattr(default, key.lower()) == facts["default"]


def test_codes_are_those_of_the_description() -> None:
    """From assembly text, through the encoder, to bits."""
    alu_op = _runtime.Config().layout["alu"]["op"][0]
    heads = {"gemm": (isa.OPCODES["gemm"], 0), "finish": (isa.OPCODES["finish"], 0)}
    for name, operation in isa.ALU_OPS.items():
        immediate = "" if isa.ALU_SOURCES[name] else " use_imm=1"
        heads[f"alu.{name}{immediate}"] = (isa.OPCODES["alu"], operation << alu_op)
    memory_at = _runtime.Config().layout["mem"]["memory"][0]
    for name, memory in (isa.MEMORIES | isa.NO_MEMORIES).items():
        for opcode in ("load", "store"):
            heads[f"{opcode}.{name}"] = (isa.OPCODES[opcode], memory << memory_at)
    mask = (1 << isa.OPCODE_BITS) - 1
    for head, (opcode, bits) in heads.items():
        word = int.from_bytes(_runtime.Program.parse(head, EXTENDED).encode(), "little")
        assert word & mask == opcode and word & bits == bits, head
    for flag, bit in isa.FLAGS.items():
        kind, _, neighbour = flag.partition("_")
        word = int.from_bytes(_runtime.Program.parse(f"gemm {kind}={neighbour}").encode(), "little")
        assert word >> bit & 1, flag


def test_the_circuit_uses_every_fact_by_name() -> None:
    text = "\n".join(map(code, RTL.values()))
    used = set(re.findall(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b", text))
    constants = re.findall(r"localparam \w+ (?:\[\d+:0\] )?(\w+) =", package(_runtime.Config(), Circuit()))
    fields = {name for name in constants if name.startswith("F_")}
    # The last ALU operation and memory are what is left when the others are excluded.
    assert fields | set(BITS) | set(ENCODINGS) <= used | {"ALU_MUL", "MEM_ACC8"}


def test_the_circuit_names_no_register_or_code_by_number() -> None:
    names = "reg_addr|opcode|memory|fill_memory|op[0-9]?|alu_op|unit|code|fault_code|problem"
    for file, text in RTL.items():
        assert not re.search(rf"\b({names})\s*[=!<>]=?\s*\d*'[bdh]", code(text)), file
    assert "5'd" not in code(RTL["acc_core.sv"])


def test_the_circuit_takes_fields_by_their_width() -> None:
    widths = {field["name"]: field["width"] for part in ("mem", "loop", "alu") for field in FACTS[part]["fields"]}
    seen = set()
    for file, text in RTL.items():
        for name, width in re.findall(r"\bF_(?:MEM|LOOP|GEMM|ALU)_(\w+)\+:(\d+)\]", code(text)):
            seen.add(name)
            allowed = (name, int(width)) in WIDER | NARROWER or widths[name.lower()] == int(width)
            assert allowed, f"{file}: {name} has {widths[name.lower()]} bits, not {width}"
    assert len(seen) > 10
    low = isa.OPCODE_BITS - 1
    for file, text in RTL.items():
        for high in re.findall(r"\[(\d+):0\] == OP_", text):
            assert int(high) == low, file


# What a copy of a fact looks like.
COPIES = {
    "ALU operations": r'"min",\s*"max",\s*"add"',
    "memories": r'"uop",\s*"wgt",\s*"inp",\s*"acc"',
    "opcodes": r'"load",\s*"store",\s*"gemm"|"LOAD",\s*"STORE"',
    "modules": r'"load",\s*"compute",\s*"store"\}',
    "limits of fields": r"1 << 14\) - 1|16383|\(1 << 16\) - 1|-32768|\b65535\b",
    "texts of errors": r"undefined opcode|STORE cannot pad|does not end with FINISH",
    "counters": r'"compute_instructions"',
    "keys of configurations": r"LOG_INP_WIDTH\",|\"log_inp_width\"",
}


@pytest.mark.parametrize("what", COPIES)
def test_no_other_source_says_it_again(what: str) -> None:
    folders = ("runtime", "dialects/VTA", "passes/VTA", "python/acc/hardware", "python/bindings", "hardware")
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*"))]
    suffixes = (".cpp", ".h", ".td", ".py", ".sv")
    sources = {path: code(path.read_text()) for path in files if path.suffix in suffixes}
    assert not [str(path.relative_to(ROOT)) for path, text in sources.items() if re.search(COPIES[what], text)]


BROKEN = [
    ("mul = 4", "mul = 5", "[alu_ops]: codes must count from 0"),
    ('type = "alu_op"', 'type = "op"', "'op' has the unknown type 'op'"),
    ('name = "op", width = 3', 'name = "op", width = 2', "codes do not fit 2 bits"),
    ('width = "uop + 1"', 'width = "oup + 1"', "'uop_end' is as wide as the unknown 'oup'"),
    ('name = "iter_in"', 'name = "y_size"', "the field 'y_size' is one of [mem], too"),
    ('width = 16, type = "signed"', 'width = 16, type = "float"', "unknown type 'float'"),
    ('module = "compute", scratchpad', 'module = "core", scratchpad', "unknown module 'core'"),
    ("LOG_BATCH + LOG_BLOCK_OUT + LOG_ACC_WIDTH", "LOG_BATCHES", "unknown key LOG_BATCHES"),
    ('fields = ["x_stride"]', 'fields = ["stride"]', "'stride' of mem has the unknown field 'stride'"),
    ("place = { at = 7 }", "place = { at = 6 }", "[registers]: addresses must be"),
    ("unit = [4, 2]", "unit = [3, 2]", "the bits 'unit' of 'error' overlap"),
    ("memory = 12\n", "memory = 5\n", "is one of [fetch_errors] or [faults], too"),
    ("[kinds]", "[sorts]", "there is no [kinds]"),
]


@pytest.mark.parametrize(("old", "new", "mention"), BROKEN, ids=[mention for *_, mention in BROKEN])
def test_a_description_that_contradicts_itself(generator: ModuleType, old: str, new: str, mention: str) -> None:
    text = (FOLDER / "isa.toml").read_text()
    assert text.count(old) == 1
    complaints = list(generator.problems(tomllib.loads(text.replace(old, new))))
    assert any(mention in complaint for complaint in complaints), complaints


@pytest.mark.parametrize(
    ("text", "mention"), [("[opcodes]\n", "there is no [alu]"), ("[opcodes", "isa.toml: Expected")]
)
def test_nothing_is_made_of_a_broken_description(text: str, mention: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "isa.toml").write_text(text)
    command = [sys.executable, str(FOLDER / "generate.py"), str(tmp_path / "isa.toml"), "--cpp", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and mention in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert not (tmp_path / "out").exists()
