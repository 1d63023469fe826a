"""Operations that a configuration declares beyond the published ones: what they compute, and who refuses them."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
import pytest

import acc
from acc._lib import _runtime, isa
from acc.cli import main
from acc.errors import AccError, ConfigError
from acc.hardware import simulator
from circuits import SMALL, extended
from qdq_models import QdqModel, power_of_two_network, random_network
from test_quantized_zoo import check

EXTENDED = {"ALU_REQUANTIZE": 1}
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
def test_an_operation_that_is_not_declared(name: str) -> None:
    text = "alu.requantize uop=0:1 iter=1,1 dst=0,0 src=0,0\nfinish"
    message = said(name, SMALL[0].config, text, CASE.config)
    for mention in ("instruction 0", "undefined ALU operation 5", "requantize", "ALU_REQUANTIZE"):
        assert mention in message
    # Or anything else: its place in the encoding is reserved.
    assert "undefined ALU operation 5" in said(name, SMALL[0].config, text.replace("iter=1,1", "iter=0,1"), CASE.config)


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
def test_a_source_beyond_the_accumulators(name: str) -> None:
    """Of the three, the last one is."""
    last = CASE.config.depth("acc") - 1
    for src, fine in ((last - 2, True), (last - 1, False)):
        text = f".uop dst=0 src={src} wgt=0"
        memory = np.zeros(4096, np.uint8)
        memory[:4] = np.frombuffer(_runtime.Program.parse(text, CASE.config).uops, np.uint8)
        unit = device(name, CASE.config)
        unit.attach_at(0, memory)
        stream = UOP + "alu.requantize uop=0:1 iter=1,1 dst=0,0 src=0,0\nfinish"
        result = unit.run(_runtime.Program.parse(stream, CASE.config).encode())
        assert result["ok"] == fine
        if not fine:
            assert "instruction 1 (ALU requantize)" in result["message"] and "src" in result["message"]


def test_the_assembler_says_so_too() -> None:
    with pytest.raises(AccError, match=r"line 1.*ALU_REQUANTIZE"):
        _runtime.Program.parse("alu.requantize uop=0:1 iter=1,1\nfinish", SMALL[0].config)


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


def test_streams_that_use_it_are_refused_by_the_command(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = _runtime.Program.parse("alu.requantize uop=0:0\nfinish", CASE.config).encode()
    (tmp_path / "s.bin").write_bytes(stream)
    (tmp_path / "c.json").write_text(SMALL[0].config.to_json())
    for name in ("fsim", "csim", "tsim"):
        assert main(["sim", "--device", name, "--config", f"{tmp_path}/c.json", "--insns", f"{tmp_path}/s.bin"]) == 2
        error = capsys.readouterr().err
        assert error.startswith("acc: error: ") and "instruction 0" in error and "ALU_REQUANTIZE" in error


def test_the_configuration_keeps_what_it_declares() -> None:
    config = _runtime.Config(json.dumps(EXTENDED))
    assert json.loads(config.to_json())["ALU_REQUANTIZE"] == 1
    assert "ALU_REQUANTIZE" not in _runtime.Config().to_json()
    assert _runtime.Config(config.to_json()) == config != _runtime.Config()


def test_public_programs_do_not_use_it() -> None:
    net = QdqModel(np.random.default_rng(0), powers_of_two=True)
    model = net.build(net.conv(net.input((1, 16, 4, 4)), 16))
    try:
        with acc.compile(model, "vta", config=EXTENDED, vta_dialect="public") as executable:
            assert [layer.alu_steps for layer in executable.report() if layer.alu_steps] != [16]
    except AccError as error:
        pytest.fail(str(error))
