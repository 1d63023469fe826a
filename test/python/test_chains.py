"""Kernels of the accelerator in one program: the same bits as one by one, fewer cycles and native kernels."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import onnx
import pytest

import acc
from acc.arena import Arena, Moment, check_fits
from acc.cli import main
from acc.errors import CompileError
from acc.targets.vta import Vta, VtaOptions
from acc.targets.vta.profile import profile
from qdq_models import QdqModel, random_network
from qdq_zoo import random_config
from test_quantized_zoo import feeds

BLOCKS = {"LOG_BATCH": 1, "LOG_BLOCK": 3, "LOG_INP_BUFF_SIZE": 12, "LOG_WGT_BUFF_SIZE": 13, "LOG_ACC_BUFF_SIZE": 14}


def residual_blocks() -> onnx.ModelProto:
    """Convolutions whose padding is not zero, a sum, a pool and a matrix product."""
    net = QdqModel(np.random.default_rng(11))
    a = net.conv(net.input((1, 16, 14, 14)), 32, (3, 3), (1, 1), activation="relu")
    b = net.add(a, net.conv(net.conv(a, 32, activation="relu"), 32))
    return net.build(net.gemm(net.flatten(net.max_pool(b, 2, 2, 0)), 20))


def compile_both(
    model: onnx.ModelProto, config: dict[str, int] | None, path: pathlib.Path, dialect: str = "acc"
) -> tuple[acc.Executable, acc.Executable]:
    """The model with a program per kernel, and with chains, both saved to `path` too."""
    made = []
    for chain in (False, True):
        made.append(acc.compile(model, Vta(VtaOptions(config, dialect, chain=chain))))
        made[-1].save(path / f"{chain}.so")
    return made[0], made[1]


def programs(executable: acc.Executable) -> int:
    return len({layer.program for layer in executable.report() if layer.program is not None})


@pytest.mark.parametrize("config", [None, BLOCKS], ids=["default", "blocks"])
def test_a_network_is_one_program(config: dict[str, int] | None, tmp_path: pathlib.Path) -> None:
    model = residual_blocks()
    single, chained = compile_both(model, config, tmp_path)
    assert programs(single) > 1 and programs(chained) == 1
    native = [layer.kernel for layer in chained.report() if layer.program is None]
    assert len(native) < sum(layer.program is None for layer in single.report())
    assert not any(name.endswith(":halo") for name in native)
    inputs = feeds(model, 3)
    for name, wanted in single.run(inputs).items():
        np.testing.assert_array_equal(chained.run(inputs)[name], wanted)
    assert profile(tmp_path / "True.so").cycles < profile(tmp_path / "False.so").cycles
    # Every kernel has its share of the work.
    for with_chain in chained.report():
        alone = next(layer for layer in single.report() if layer.kernel == with_chain.kernel)
        assert (with_chain.macs, with_chain.gemm_steps) == (alone.macs, alone.gemm_steps)


def test_a_chain_ends_where_it_would_be_too_long(tmp_path: pathlib.Path) -> None:
    model = residual_blocks()
    whole = acc.compile(model, Vta())
    short = acc.compile(model, Vta(VtaOptions(max_instructions=40)))
    assert programs(whole) == 1 < programs(short)
    inputs = feeds(model, 5)
    for name, wanted in whole.run(inputs).items():
        np.testing.assert_array_equal(short.run(inputs)[name], wanted)


@pytest.mark.parametrize("seed", range(6))
def test_random_networks(seed: int, tmp_path: pathlib.Path) -> None:
    print("seed", seed)
    model = random_network(seed)
    single, chained = compile_both(model, random_config(seed) if seed % 2 else None, tmp_path)
    assert programs(chained) <= programs(single)
    inputs = feeds(model, seed)
    for name, wanted in single.run(inputs).items():
        np.testing.assert_array_equal(chained.run(inputs)[name], wanted)


def test_reports_speak_of_the_chain(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    acc.compile(residual_blocks(), Vta()).save(tmp_path / "m.so")
    assert main(["profile", f"{tmp_path}/m.so"]) == 0
    table = capsys.readouterr().out
    assert "kernels)" in table and "fill borders" not in table
    assert main(["info", f"{tmp_path}/m.so"]) == 0
    assert "for tensors of a chain of kernels" in capsys.readouterr().out


def test_the_memory_of_a_model_is_known_and_limited(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = random_network(3)
    onnx.save(model, tmp_path / "m.onnx")
    command = ["compile", f"{tmp_path}/m.onnx", "-o", f"{tmp_path}/m.so", "--target", "vta"]
    assert main(command) == 0
    assert main(["info", f"{tmp_path}/m.so", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    arena = facts["arena"]
    assert arena["total"] == sum(arena[kind] for kind in ("constants", "inputs_and_outputs", "programs", "workspace"))
    assert arena["workspace"] >= facts["workspace_bytes"] >= arena["scratch"] == facts["scratch_bytes"]
    instructions = sum(layer["instructions"] for layer in facts["layers"])
    assert arena["programs"] >= 16 * instructions
    assert main(["info", f"{tmp_path}/m.so"]) == 0
    assert f"{arena['total']:,} bytes on the accelerator" in capsys.readouterr().out
    # One byte less than what it takes is too little, and nothing is written then.
    (tmp_path / "m.so").unlink()
    assert main([*command, "--option", f"dram={arena['total']}"]) == 0
    (tmp_path / "m.so").unlink()
    assert main([*command, "--option", f"dram={arena['total'] - 1}"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "bytes of the accelerator's memory" in said and "is computed: '" in said
    assert not (tmp_path / "m.so").exists()
    for wrong in ("0", "-4", "64M"):
        assert main([*command, "--option", f"dram={wrong}"]) == 2
        assert "bytes" in capsys.readouterr().err


def test_what_instructions_reach_is_a_limit_too() -> None:
    limit, why = Vta(VtaOptions()).memory_limit()
    # The smallest elements are micro-ops, of four bytes.
    assert limit == 4 << 32 and "instructions reach" in why
    with pytest.raises(CompileError, match=r"needs 60 bytes .*30 of constants, 20 of programs.*'a' 7 bytes"):
        check_fits(Arena(30, 0, 20, 10, 0), Moment("b", (("a", 7), ("c", 3))), 59, "there are 59")
