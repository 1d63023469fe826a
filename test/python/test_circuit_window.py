"""The declared GEMM whose lanes see a window of neighbouring inputs: the same results and cycles on every device."""

from __future__ import annotations

import json
import pathlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acc._lib import _runtime
from acc.cli import main
from acc.errors import AccError, ConfigError
from acc.hardware import simulator
from calibration import compare, devices, random
from circuits import SMALL, Case, case, check, extended

CASE = extended(SMALL[0])
# Batch, narrow weights and inputs, one and eight inputs.
CASES = [
    CASE,
    case(1, 3, 3, 3, 2, (9, 10, 10, 13), 64, 20, 30),
    case(0, 3, 3, 2, 3, (9, 9, 11, 12), 128, 3, 0),
    case(0, 2, 2, 3, 3, (10, 10, 11, 12), 64, 64, 0),
]
WINDOWS = [3, 5, 8, 1]


def windowed(case: Case, inputs: int) -> Case:
    return replace(case, keys=tuple((dict(case.keys) | {"GEMM_WINDOW": inputs}).items()))


@pytest.mark.parametrize(("case", "inputs"), list(zip(CASES, WINDOWS, strict=True)), ids=str)
def test_random_streams_on_the_circuit(case: Case, inputs: int) -> None:
    case = windowed(case, inputs)
    check(case, range(6), 40)
    pair = devices(case.config, case.circuit, case.latency)
    for seed in range(6):
        stream = random(case.config, seed, 40)
        difference = compare(pair, stream)
        assert difference.exact, difference.describe(stream.program)


def device(name: str, config: Any) -> Any:
    return simulator.device(config, optimize=0) if name == "tsim" else _runtime.Device(name, config)


def convolution(rows: int, width: int, stride: int) -> str:
    """Three rows of a kernel over inputs of `width` in a row, each an instruction."""
    wide = (width - 3) // stride + 1
    lines = [
        "load.uop sram=0 dram=0 y=1 x=3 stride=3",
        f"load.inp sram=0 dram=16 y=1 x={(rows + 2) * width} stride=1",
        "load.wgt sram=0 dram=128 y=1 x=3 stride=3",
    ]
    for row in range(3):
        loops = f"iter={rows},{wide} dst={wide},1 src={width},{stride}"
        lines += [f"gemm.window{'' if row else '.set'} uop={row}:{row + 1} {loops}"]
    return "\n".join([*lines, f"store.out sram=0 dram=2048 y=1 x={rows * wide} stride=1", "finish"])


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_cycles_of_a_depthwise_convolution(stride: int) -> None:
    """A kernel of 3x3 takes 3 cycles for each vector of results, 6 with strides of 2, beside those of new windows."""
    config = _runtime.Config(json.dumps(dict(CASE.keys) | {"LOG_INP_BUFF_SIZE": 13, "LOG_ACC_BUFF_SIZE": 14}))
    rows, width = 6, 60
    wide = (width - 3) // stride + 1
    program = _runtime.Program.parse(convolution(rows, width, stride), config)
    program.insert_tokens()
    rng = np.random.default_rng(stride)
    image = rng.integers(-128, 128, (rows + 2, width, 4)).astype(np.int8)
    # The last column is beyond the window and means nothing.
    taps = rng.integers(-128, 128, (3, 4, 4)).astype(np.int8)
    uops = _runtime.Program.parse("\n".join(f".uop src={r * width} wgt={r}" for r in range(3)), config).uops
    results = {}
    for name in ("fsim", "csim", "tsim"):
        unit = device(name, config)
        memory = np.zeros(16384, np.uint8)
        for at, part in ((0, np.frombuffer(uops, np.uint8)), (64, image.reshape(-1)), (2048, taps.reshape(-1))):
            memory[at : at + part.size] = part.view(np.uint8)
        unit.attach_at(0, memory)
        result = unit.run(program.encode(), events=name != "fsim")
        assert result["ok"], result["message"]
        results[name] = memory[8192 : 8192 + rows * wide * 4].copy(), result
    expected = np.zeros((rows, wide, 4), np.int64)
    for y in range(3):
        for x in range(3):
            part = image[y : y + rows, x : x + stride * (wide - 1) + 1 : stride].astype(np.int64)
            expected += part * taps[y, :, x]
    for name in results:
        np.testing.assert_array_equal(results[name][0], (expected & 255).reshape(-1), err_msg=name)
    circuit = results["tsim"][1]
    assert results["csim"][1]["cycles"] == circuit["cycles"]
    # Micro-ops, inputs and weights come first.
    taken = int(circuit["retired"][5]) - int(circuit["started"][3])
    cycles = 3 * rows * (min(stride, 3) * (wide - 1) + 3)
    assert cycles <= taken <= cycles + 30


@pytest.mark.parametrize(
    ("keys", "mentions"),
    [
        ({"GEMM_WINDOW": 5, "LOG_BLOCK": 2}, ["GEMM_WINDOW is 5", "no more than 4"]),
        ({"GEMM_WINDOW": 3, "LOG_BLOCK_IN": 3, "LOG_BLOCK_OUT": 4}, ["GEMM_WINDOW is 3", "LOG_BLOCK_OUT 4"]),
        ({"GEMM_WINDOW": 9}, ["GEMM_WINDOW"]),
        ({"GEMM_WINDOW": 4, "LOG_INP_BUFF_SIZE": 5}, ["GEMM_WINDOW is 4", "LOG_INP_BUFF_SIZE 5"]),
    ],
)
def test_configurations_that_forbid_it(keys: dict[str, int], mentions: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        _runtime.Config(json.dumps(keys))
    for mention in mentions:
        assert mention in str(error.value)


def test_streams_that_do_not_declare_it(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AccError, match=r"line 1.*GEMM_WINDOW"):
        _runtime.Program.parse("gemm.window uop=0:1\nfinish", SMALL[0].config)
    (tmp_path / "c.json").write_text(SMALL[0].config.to_json())
    for text in ("gemm.window uop=0:1", "gemm.window.set uop=0:1 iter=0,1"):
        (tmp_path / "s.bin").write_bytes(_runtime.Program.parse(f"{text}\nfinish", CASE.config).encode())
        for name in ("fsim", "csim", "tsim"):
            arguments = ["--device", name, "--config", f"{tmp_path}/c.json", "--insns", f"{tmp_path}/s.bin"]
            assert main(["sim", *arguments]) == 2
            error = capsys.readouterr().err
            assert error.startswith("acc: error: ") and "instruction 0" in error and "GEMM_WINDOW" in error


@pytest.mark.parametrize("name", ["fsim", "csim", "tsim"])
@pytest.mark.parametrize(("source", "fine"), [(0, True), (1, False)])
def test_a_window_that_ends_beyond_the_inputs(name: str, source: int, fine: bool) -> None:
    config = CASE.config
    last = config.depth("inp") - config.gemm_window + source
    unit = device(name, config)
    memory = np.zeros(64, np.uint8)
    memory[:4] = np.frombuffer(_runtime.Program.parse(f".uop src={last}", config).uops, np.uint8)
    unit.attach_at(0, memory)
    text = "load.uop sram=0 dram=0 y=1 x=1 stride=1\ngemm.window uop=0:1 iter=1,1\nfinish"
    result = unit.run(_runtime.Program.parse(text, config).encode())
    assert result["ok"] == fine
    if not fine:
        assert "instruction 1 (GEMM window)" in result["message"] and "src" in result["message"]
