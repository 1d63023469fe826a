"""Operations that a configuration declares beyond the published ones: what they compute, and who refuses them."""

from __future__ import annotations

import json
import pathlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import acc
from acc._lib import _runtime, isa
from acc.cli import main
from acc.errors import AccError, ConfigError
from acc.hardware import simulator
from acc.targets.vta.profile import profile
from circuit import per_step
from circuits import SMALL, Case, banked, extended, staged
from qdq_models import QdqModel, power_of_two_network, random_network
from test_quantized_zoo import check

EXTENDED = {"ALU_REQUANTIZE": 1, "GEMM_SET": 1}
REQUANTIZE = "alu.requantize uop=0:1 iter=1,1 dst=0,0 src=0,0"
SET = "gemm.set uop=0:1 iter=1,1"
TABLE = "alu.table uop=0:1 iter=1,1 use_imm=1 imm=0"
CASE = extended(SMALL[0])
UOP = "load.uop sram=0 dram=0 y=1 x=1 stride=1\n"


# --- what it computes ---


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("ties", ["even", "up"])
def test_targets_agree(seed: int, ties: str) -> None:
    """Also where scales are powers of two, so that ties are frequent."""
    for model in (power_of_two_network(seed), random_network(seed)):
        values = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input}
        x = {name: np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32) for name, shape in values.items()}
        results = []
        for target, config in (("cpu", None), ("vta", EXTENDED)):
            with acc.compile(model, target, config=config, ties=ties) as executable:  # type: ignore[arg-type]
                results.append(executable.run(x))
        for name, expected in results[0].items():
            np.testing.assert_array_equal(results[1][name], expected)


@pytest.mark.parametrize("channels", [1, 7, 16, 17, 40])
def test_a_layer_takes_an_operation_for_each_vector(channels: int, tmp_path: pathlib.Path) -> None:
    """However many channels, and with one scale or one for each of them."""
    for per_channel in (False, True):
        net = QdqModel(np.random.default_rng(channels))
        model = net.build(net.conv(net.input((1, 16, 6, 5)), channels, per_channel=per_channel, activation="relu"))
        layers = check(model, EXTENDED, tmp_path)
        assert [layer.alu_steps for layer in layers if layer.alu_steps] == [-(-channels // 16) * 30]


@pytest.mark.parametrize("seed", range(3))
def test_products_set_what_they_meet_first(seed: int, tmp_path: pathlib.Path) -> None:
    """Nothing is reset for them: windows of 3x3 and 1x1, tiles of one and of several input blocks."""
    for keys in (
        {},
        {"LOG_INP_BUFF_SIZE": 11, "LOG_ACC_BUFF_SIZE": 12, "LOG_WGT_BUFF_SIZE": 13, "LOG_UOP_BUFF_SIZE": 5},
    ):
        net = QdqModel(np.random.default_rng(seed))
        x = net.conv(net.input((1, 40, 9, 7)), 17, kernel=(3, 3), strides=(1 + seed % 2, 1), pads=(1, 1, 1, 1))
        model = net.build(net.conv(x, 33))
        check(model, keys | EXTENDED, tmp_path)
        measured = profile(tmp_path / "model.so")
        # What is left writes the border of the second layer's input.
        resets = sum(layer.reset_steps for layer in measured.layers)
        assert resets < sum(layer.alu_steps for layer in measured.layers) / 4


def test_a_product_that_meets_an_accumulator_twice_holds_the_last() -> None:
    """Also where the steps follow each other at once; on the circuit, too."""
    config = CASE.config
    text = """load.uop sram=0 dram=0 y=1 x=2 stride=2
load.inp sram=0 dram=16 y=1 x=8 stride=8
load.wgt sram=0 dram=8 y=1 x=1 stride=1
gemm uop=0:1 iter=1,4 dst=0,0 src=0,1 wgt=0,0
gemm.set uop=0:1 iter=1,4 dst=0,0 src=0,1 wgt=0,0
gemm.set uop=1:2 iter=1,3 dst=0,0 src=0,1 wgt=0,0
gemm uop=1:2 iter=1,2 dst=0,0 src=0,1 wgt=0,0
store.out sram=0 dram=128 y=1 x=2 stride=2
finish"""
    program = _runtime.Program.parse(text, config)
    program.insert_tokens()
    rows, weights = np.random.default_rng(0).integers(0, 8, (8, 4)), 1 + np.arange(16).reshape(4, 4) % 3
    uops = _runtime.Program.parse(".uop dst=0\n.uop dst=1", config).uops
    results = []
    for name in ("fsim", "tsim"):
        memory = np.zeros(1024, np.uint8)
        for at, part in ((0, np.frombuffer(uops, np.uint8)), (64, rows.reshape(-1)), (128, weights.reshape(-1))):
            memory[at : at + len(part)] = part
        unit = device(name, config)
        unit.attach_at(0, memory)
        assert unit.run(program.encode())["ok"]
        results.append(memory[512:520].copy())
    sums = [weights @ rows[3], weights @ (rows[2] + rows[0] + rows[1])]
    np.testing.assert_array_equal(results[0], np.concatenate(sums) & 255)
    np.testing.assert_array_equal(results[0], results[1])


LOOKUPS = [
    CASE,
    banked(CASE, 1),
    extended(SMALL[1]),
    # Several tables.
    replace(CASE, keys=(*CASE.keys, ("LOG_UOP_BUFF_SIZE", 13))),
    staged(CASE, 1, 2, 4),
    replace(staged(CASE, 1, 2, 5), more=(*staged(CASE, 1, 2, 5).more, ("log_acc_banks", 1), ("early_uops", 1))),
]


@pytest.mark.parametrize("case", LOOKUPS, ids=str)
def test_lookups(case: Case) -> None:
    """By the low 8 bits, signed entries; in a table that was loaded anew, at once; the immediate's low bits count."""
    config = case.config
    rng = np.random.default_rng(0)
    lanes = config.element_bytes("acc") // 4
    tables = rng.permuted(np.tile(np.arange(256), (2, 1)), axis=1)
    values = rng.integers(-(1 << 31), 1 << 31, (24, lanes), np.int32)
    values[:2, :3] = [[-1, -128, 127], [128, 255, 256]]
    text = f""".config {config.to_json()}
.buffer "uop" 4096
.buffer "acc" 4096
.buffer "out" 4096
load.uop sram=0 dram=@0+0 y=1 x=1 stride=1
load.acc sram=0 dram=@1+0 y=1 x=24 stride=24
load.uop sram={config.table_begin(-1)} dram=@0+1 y=1 x=256 stride=256
alu.table uop=0:1 iter=1,12 dst=0,1 use_imm=1 imm=-1
alu.table uop=0:1 iter=1,40 dst=0,0 use_imm=1 imm=-1
load.uop sram={config.table_begin(-1)} dram=@0+257 y=2 x=128 stride=128
alu.table uop=0:1 iter=3,4 dst=4,1 use_imm=1 imm={(1 << 14) - 1}
store.out sram=0 dram=@2+0 y=1 x=24 stride=24
finish"""
    uops = "\n".join(f".uop dst={dst}" for dst in [0, *tables.reshape(-1)])
    words = _runtime.Program.parse(uops, config).uops
    program = _runtime.Program.parse(text)
    program.insert_tokens()
    expected = values.astype(np.uint8)
    expected[:12] = tables[0][expected[:12]]
    # Each lookup waits for the one before, so that the next table comes while they are under way.
    for _ in range(40):
        expected[0] = tables[0][expected[0]]
    expected[:12] = tables[1][expected[:12]]
    results = []
    for name in ("fsim", "tsim"):
        unit = simulator.device(config, case.circuit, optimize=0) if name == "tsim" else device(name, config)
        memory = np.zeros(3 * 4096, np.uint8)
        memory[: len(words)] = np.frombuffer(words, np.uint8)
        memory[4096 : 4096 + values.nbytes] = values.view(np.uint8).reshape(-1)
        unit.attach_at(0, memory)
        result = unit.run(program.link([0, 4096, 8192]))
        assert result["ok"], result["message"]
        results.append(memory[8192 : 8192 + 24 * lanes].reshape(24, lanes))
    np.testing.assert_array_equal(results[0], expected)
    np.testing.assert_array_equal(results[1], expected)


def test_a_lookup_takes_one_cycle_for_each_entry() -> None:
    text = "alu.table uop=0:1 iter=1,{n} dst=0,1 use_imm=1 imm=0"
    for name in ("csim", "tsim"):
        assert per_step(device(name, CASE.config), CASE.config, text) == 1


def test_a_table_that_was_not_loaded() -> None:
    """All of it counts, as nobody knows what will be looked up."""
    config = CASE.config
    begin = config.table_begin(0)
    for entries, fine in ((256, True), (255, False)):
        text = f""".config {config.to_json()}
.buffer "uop" 4096
.uop_buffer 0
.uop dst=0
.uop dst=1
load.uop sram=0 dram=@0+0 y=1 x=1 stride=1
load.acc sram=0 dram=0 y=1 x=1 stride=1
load.uop sram={begin} dram=@0+0 y={entries} x=1 stride=0
{TABLE}
finish"""
        problems = _runtime.Program.parse(text).verify()
        assert (not problems) == fine, problems
    assert f"micro-op {begin + 255}" in str(problems)


def test_kernels_that_fit_no_scratchpad_run_on_the_host(tmp_path: pathlib.Path) -> None:
    """In the same steps."""
    keys = {"LOG_BLOCK": 3, "LOG_INP_BUFF_SIZE": 4, "LOG_WGT_BUFF_SIZE": 7, "LOG_ACC_BUFF_SIZE": 7}
    net = QdqModel(np.random.default_rng(3))
    model = net.build(net.add(x := net.conv(net.input((1, 8, 9, 9)), 8, kernel=(5, 5), pads=(2, 2, 2, 2)), x))
    layers = check(model, keys | EXTENDED, tmp_path)
    assert any("need" in layer.reason for layer in layers), [layer.reason for layer in layers]


# --- bad input ---


def device(name: str, config: Any) -> Any:
    return simulator.device(config, optimize=0) if name == "tsim" else _runtime.Device(name, config)


def said(name: str, config: Any, text: str, written_for: Any = None) -> str:
    """What a device says about a stream, which it must refuse."""
    unit = device(name, config)
    unit.attach_at(0, memory := np.zeros(4096, np.uint8))
    assert len(memory)
    result = unit.run(_runtime.Program.parse(text, written_for or config).encode())
    assert not result["ok"]
    return str(result["message"])


@pytest.mark.parametrize("name", ["fsim", "csim", "tsim"])
@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        (REQUANTIZE, ["undefined ALU operation 5", "requantize", "ALU_REQUANTIZE"]),
        (SET, ["undefined opcode 5", "gemm_set", "GEMM_SET"]),
        (TABLE, ["undefined ALU operation 6", "table", "ALU_TABLE"]),
    ],
)
def test_what_is_not_declared(name: str, text: str, mentions: list[str]) -> None:
    for stream in (text, text.replace("iter=1,1", "iter=0,1")):
        message = said(name, SMALL[0].config, f"{stream}\nfinish", CASE.config)
        for mention in ("instruction 0", *mentions):
            assert mention in message


@pytest.mark.parametrize("name", ["fsim", "csim", "tsim"])
def test_a_product_that_is_set_is_no_reset(name: str) -> None:
    config = CASE.config
    words = bytearray(_runtime.Program.parse("gemm.reset uop=0:0\nfinish", config).encode())
    words[0] |= isa.OPCODES["gemm_set"]
    words[0] &= 0xF8 | isa.OPCODES["gemm_set"]
    result = device(name, config).run(bytes(words))
    assert not result["ok"]
    assert "instruction 0" in result["message"] and "undefined opcode 5" in result["message"]


@pytest.mark.parametrize("name", ["fsim", "csim", "tsim"])
def test_requantize_has_no_immediate(name: str) -> None:
    # An operation of another code is made this one in the encoded stream.
    config, layout = CASE.config, CASE.config.layout["alu"]
    text = _runtime.Program.parse("alu.min uop=0:1 iter=1,1 use_imm=1 imm=3\nfinish", config).encode()
    words = bytearray(text)
    words[layout["op"][0] // 8] |= isa.ALU_OPS["requantize"] << layout["op"][0] % 8
    unit = device(name, config)
    result = unit.run(bytes(words))
    assert not result["ok"] and "instruction 0" in result["message"] and "no immediate" in result["message"]


@pytest.mark.parametrize("name", ["fsim", "csim", "tsim"])
def test_a_lookup_has_nothing_but_an_immediate(name: str) -> None:
    config, layout = CASE.config, CASE.config.layout["alu"]
    words = bytearray(_runtime.Program.parse(f"{TABLE}\nfinish", config).encode())
    at = layout["use_imm"][0]
    words[at // 8] &= ~(1 << at % 8) & 255
    result = device(name, config).run(bytes(words))
    assert not result["ok"] and "instruction 0" in result["message"] and "an immediate" in result["message"]


@pytest.mark.parametrize("name", ["fsim", "csim", "tsim"])
def test_a_source_beyond_the_accumulators(name: str) -> None:
    """Of the three, the last one is."""
    last = CASE.config.depth("acc") - 1
    for src, fine in ((last - 2, True), (last - 1, False)):
        text = f".uop dst=0 src={src} wgt=0"
        memory = np.zeros(4096, np.uint8)
        memory[:4] = np.frombuffer(_runtime.Program.parse(text, CASE.config).uops, np.uint8)
        unit = device(name, CASE.config)
        unit.attach_at(0, memory)
        stream = f"{UOP}{REQUANTIZE}\nfinish"
        result = unit.run(_runtime.Program.parse(stream, CASE.config).encode())
        assert result["ok"] == fine
        if not fine:
            assert "instruction 1 (ALU requantize)" in result["message"] and "src" in result["message"]


@pytest.mark.parametrize(("text", "key"), [(REQUANTIZE, "ALU_REQUANTIZE"), (SET, "GEMM_SET"), (TABLE, "ALU_TABLE")])
def test_the_assembler_says_so_too(text: str, key: str) -> None:
    with pytest.raises(AccError, match=rf"line 1.*{key}"):
        _runtime.Program.parse(f"{text}\nfinish", SMALL[0].config)


@pytest.mark.parametrize("keys", [{"LOG_ACC_BUFF_SIZE": 7}, {"LOG_ACC_BUFF_SIZE": 6, "LOG_BATCH": 0}])
def test_configurations_without_room_for_its_sources(keys: dict[str, int], tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match=r"ALU_REQUANTIZE is 1.*LOG_ACC_BUFF_SIZE.*8 is the least"):
        _runtime.Config(json.dumps(keys | EXTENDED))
    with pytest.raises(ConfigError, match="ALU_REQUANTIZE is 2, but must be from 0 to 1"):
        _runtime.Config(json.dumps({"ALU_REQUANTIZE": 2}))
    (tmp_path / "c.json").write_text(json.dumps(keys | EXTENDED))
    (tmp_path / "s.bin").write_bytes(_runtime.Program.parse("finish").encode())
    for name in ("fsim", "csim", "tsim"):
        assert main(["sim", "--device", name, "--config", f"{tmp_path}/c.json", "--insns", f"{tmp_path}/s.bin"]) == 2


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"LOG_UOP_BUFF_SIZE": 10}, r"ALU_TABLE is 1.*512 entries of uop.*LOG_UOP_BUFF_SIZE 10 gives 256: 11 is the"),
        ({"LOG_ACC_BUFF_SIZE": 13}, r"ALU_TABLE is 1.*256 entries of acc.*LOG_ACC_BUFF_SIZE 13 gives 128: 14 is the"),
    ],
)
def test_configurations_without_room_for_a_table(
    keys: dict[str, int], message: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = json.dumps(keys | {"ALU_TABLE": 1})
    with pytest.raises(ConfigError, match=message):
        _runtime.Config(text)
    (tmp_path / "c.json").write_text(text)
    (tmp_path / "s.bin").write_bytes(_runtime.Program.parse("finish").encode())
    for name in ("fsim", "csim", "tsim"):
        assert main(["sim", "--device", name, "--config", f"{tmp_path}/c.json", "--insns", f"{tmp_path}/s.bin"]) == 2
        assert "ALU_TABLE is 1" in capsys.readouterr().err


def test_an_alu_too_short_for_a_table(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "c.json"
    config.write_text(json.dumps({"ALU_TABLE": 1}))
    (tmp_path / "s.bin").write_bytes(_runtime.Program.parse("finish").encode())
    model = pathlib.Path(__file__).resolve().parents[2] / "demo" / "digits.onnx"
    for name in ("csim", "tsim"):
        device = f"{name}:alu_stages=2"
        assert main(["sim", "--device", device, "--config", str(config), "--insns", f"{tmp_path}/s.bin"]) == 2
        assert "alu_stages is 2, but looking up in tables (ALU_TABLE) takes 3 or more" in capsys.readouterr().err
    arguments = ["--target", "vta", "--config", str(config), "--option", "alu_stages=2", "-o", f"{tmp_path}/m.so"]
    assert main(["compile", str(model), *arguments]) == 2
    assert "alu_stages is 2" in capsys.readouterr().err


def test_streams_that_use_it_are_refused_by_the_command(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.json").write_text(SMALL[0].config.to_json())
    for text, key in ((REQUANTIZE, "ALU_REQUANTIZE"), (SET, "GEMM_SET"), (TABLE, "ALU_TABLE")):
        (tmp_path / "s.bin").write_bytes(_runtime.Program.parse(f"{text}\nfinish", CASE.config).encode())
        for name in ("fsim", "csim", "tsim"):
            arguments = ["--device", name, "--config", f"{tmp_path}/c.json", "--insns", f"{tmp_path}/s.bin"]
            assert main(["sim", *arguments]) == 2
            error = capsys.readouterr().err
            assert error.startswith("acc: error: ") and "instruction 0" in error and key in error


def test_the_configuration_keeps_what_it_declares() -> None:
    config = _runtime.Config(json.dumps(EXTENDED))
    assert json.loads(config.to_json()).items() >= EXTENDED.items()
    assert not EXTENDED.keys() & json.loads(_runtime.Config().to_json()).keys()
    assert _runtime.Config(config.to_json()) == config != _runtime.Config()


def test_public_programs_do_not_use_it() -> None:
    net = QdqModel(np.random.default_rng(0), powers_of_two=True)
    model = net.build(net.conv(net.input((1, 16, 4, 4)), 16))
    try:
        with acc.compile(model, "vta", config=EXTENDED, vta_dialect="public") as executable:
            assert [layer.alu_steps for layer in executable.report() if layer.alu_steps] != [16]
    except AccError as error:
        pytest.fail(str(error))
