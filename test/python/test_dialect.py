"""The public dialect of the instruction set: what is checked of a stream, and what is compiled for it."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import onnx
import pytest

import acc
from acc import container
from acc._lib import _runtime
from acc.cli import main
from acc.compiler import compile_contents
from qdq_models import QdqModel, Quantized, random_network
from qdq_zoo import random_zoo
from test_quantized_zoo import feeds

HEAD = '.buffer "uop" 64\n.uop_buffer 0\n'
TABLE = "\n".join(
    f".uop dst={d} src={s} wgt={w}" for d, s, w in ((0, 0, 0), (1, 1, 1), (2, 2, 2), (0, 3, 3), (5, 0, 0))
)
LOADS = f"""
{HEAD}{TABLE}
load.uop sram=0 dram=@0+0 y=1 x=5 stride=5
load.inp sram=0 dram=0 y=1 x=64 stride=64
load.wgt sram=0 dram=0 y=1 x=16 stride=16 push=next
load.acc sram=0 dram=0 y=1 x=64 stride=64 pop=prev
"""


def said(line: str) -> list[str]:
    program = _runtime.Program.parse(f"{LOADS}{line}\nfinish")
    assert program.verify() == []
    return [message.partition(": ")[2] for _, _, message in program.verify(dialect="public")]


@pytest.mark.parametrize(
    "line",
    [
        "gemm uop=0:3 iter=1,1",
        "gemm uop=0:3 iter=1,9 src=0,1",
        "gemm uop=0:1 iter=1,9 dst=0,1",
        "gemm uop=0:1 iter=9,1 dst=1,0",
        "gemm uop=0:1 iter=3,3 dst=0,1",
        "gemm uop=0:2 iter=1,4 dst=0,2",
        "gemm.reset uop=0:1 iter=9,9",
        "gemm uop=0:1 iter=1,1",
        "gemm uop=4:1 iter=9,9",
        "gemm uop=0:1 iter=0,9",
        "alu.add uop=0:3 iter=1,1",
        "alu.add uop=0:3 iter=1,1 imm=5 use_imm=1",
        "alu.max uop=0:3 iter=2,3 dst=9,3 src=9,3 imm=-5 use_imm=1",
        # Factors of a loop that turns once mean nothing.
        "alu.min uop=0:3 iter=1,3 dst=9,3 src=0,3 imm=-5 use_imm=1",
        "alu.shr uop=0:3 iter=1,1 imm=31 use_imm=1",
        "alu.shr uop=0:3 iter=1,1",
        "alu.mul uop=3:3 iter=1,1",
        "load.acc8 sram=0 dram=0 y=1 x=0 stride=0",
        "load.acc sram=0 dram=0 y=1 x=1 stride=0",
    ],
)
def test_public(line: str) -> None:
    assert said(line) == []


@pytest.mark.parametrize(
    ("line", "mention"),
    [
        ("alu.mul uop=0:1 iter=1,1 imm=3 use_imm=1", "multiplies"),
        ("alu.mul uop=0:1 iter=1,1", "multiplies"),
        ("alu.shr uop=0:1 iter=1,1 imm=-1 use_imm=1", "shifts to the left"),
        ("alu.shr uop=0:1 iter=1,1 imm=32 use_imm=1", "shifts by 32"),
        ("load.acc8 sram=0 dram=0 y=1 x=1 stride=0", "acc8"),
        ("alu.add uop=3:4 iter=1,1 imm=1 use_imm=1", "source that is not its destination"),
        ("alu.add uop=0:1 iter=1,2 dst=0,1 imm=1 use_imm=1", "source that is not its destination"),
        ("alu.add uop=0:1 iter=2,1 src=1,0 imm=1 use_imm=1", "source that is not its destination"),
        # The same entry in the next step, and in the one after it: by micro-ops, by loops and by both.
        ("gemm uop=0:1 iter=1,2", "acc[0] again after one step"),
        ("gemm uop=0:1 iter=2,1", "acc[0] again after one step"),
        ("gemm uop=0:1 iter=2,2 dst=1,1", "acc[1] again after one step"),
        ("gemm uop=0:2 iter=1,2", "acc[0] again after two steps"),
        ("gemm uop=0:2 iter=1,2 dst=0,1", "acc[1] again after one step"),
        ("gemm uop=2:4 iter=2,1", "acc[2] again after two steps"),
        ("gemm uop=1:4 iter=1,2 dst=0,1", "acc[2] again after two steps"),
        ("gemm uop=1:4 iter=2,2 dst=5,4", "acc[6] again after two steps"),
        ("gemm uop=0:1 iter=2,2 dst=0,1", "acc[0] again after two steps"),
    ],
)
def test_not_public(line: str, mention: str) -> None:
    messages = said(line)
    assert len(messages) == 1 and mention in messages[0], messages


@pytest.mark.parametrize("seed", range(60))
def test_repetitions_are_found_like_by_hand(seed: int) -> None:
    """Random loops against the definition: no two of three steps in a row have the same destination."""
    rng = np.random.default_rng(seed)
    for _ in range(40):
        count = int(rng.integers(1, 5))
        dsts = rng.integers(0, 4, count).tolist()
        outs, ins = (int(v) for v in rng.integers(1, 5, 2))
        factors = [int(v) for v in rng.integers(0, 4, 2)]
        uops = "\n".join(f".uop dst={d}" for d in dsts)
        program = _runtime.Program.parse(
            f"{HEAD}{uops}\nload.uop sram=0 dram=@0+0 y=1 x={count} stride=0\n"
            f"gemm uop=0:{count} iter={outs},{ins} dst={factors[0]},{factors[1]}\nfinish"
        )
        steps = [d + o * factors[0] + i * factors[1] for o in range(outs) for i in range(ins) for d in dsts]
        repeated = any(steps[k] in steps[max(k - 2, 0) : k] for k in range(len(steps)))
        found = [m for _, _, m in program.verify(dialect="public") if "again after" in m]
        assert bool(found) == repeated, (seed, dsts, outs, ins, factors)


def test_amounts_in_accumulators_are_looked_at_as_the_stream_runs() -> None:
    program = _runtime.Program.parse(
        f"{HEAD}.uop dst=0 src=8\nload.uop sram=0 dram=0 y=1 x=1 stride=1\n"
        "load.acc sram=0 dram=64 y=1 x=16 stride=16\nalu.shr uop=0:1 iter=1,4 dst=0,1 src=0,1\nfinish"
    )
    device = _runtime.Device("fsim", program.config)
    memory = np.zeros(1 << 14, np.uint8)
    memory[:4] = np.frombuffer(program.uops, np.uint8)
    amounts = memory[64 * 64 :].view(np.int32)[: 16 * 16]
    device.attach_at(0, memory)
    for amount, mention in ((0, ""), (31, ""), (-1, "shifts by -1, an amount in acc[11]"), (32, "shifts by 32")):
        amounts[11 * 16 + 3] = amount
        result = device.run(program.encode(), dialect="public")
        assert result["ok"] == (not mention)
        assert mention in result["message"]
        assert device.run(program.encode())["ok"]


@pytest.mark.parametrize(("dialect", "code"), [("acc", 0), ("public", 2), ("private", 2)])
def test_sim_checks_the_dialect(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], dialect: str, code: int
) -> None:
    stream = _runtime.Program.parse("load.acc8 sram=0 dram=0 y=1 x=1 stride=1\nfinish").encode()
    (tmp_path / "s").write_bytes(stream)
    assert main(["sim", "--insns", f"{tmp_path}/s", "--vta-dialect", dialect]) == code
    err = capsys.readouterr().err
    assert {"acc": "", "public": "acc8", "private": "acc or public"}[dialect] in err
    assert main(["sim", "--insns", f"{tmp_path}/s", "--vta-dialect", "public", "--device", "csim"]) == 2
    assert "'csim' has no check of dialects: 'fsim' does" in capsys.readouterr().err


def test_third_party_streams(vectors: pathlib.Path) -> None:
    """They were made for the public designs, but not with this in mind: only their matrix products are too close."""
    for folder in sorted(path for path in vectors.iterdir() if path.is_dir()):
        stream = (folder / "instructions.bin").read_bytes()
        program = _runtime.Program.decode(_runtime.Config(), stream)
        assert len(program) > 3


# --- compiled programs ---


def compiled(model: onnx.ModelProto, config: dict[str, int] | None = None) -> tuple[acc.Executable, list[dict]]:
    """For the public dialect, every program verified to be of it."""
    contents = compile_contents(model, "vta", config, vta_dialect="public").contents
    for data in (program.data for program in contents.programs):
        program = _runtime.read_program(data)
        assert program.verify(uninitialised=True, dialect="public") == []
    return acc.Executable.from_contents(contents, sanitize=True), list(contents.metadata["layers"])


def check(model: onnx.ModelProto, seed: int = 0, config: dict[str, int] | None = None) -> list[dict]:
    """Compares with native code; returns the layers."""
    inputs = feeds(model, seed)
    executable, layers = compiled(model, config)
    expected = acc.compile(model).run(inputs)
    for name, value in executable.run(inputs).items():
        np.testing.assert_array_equal(value, expected[name])
    return layers


def powers_of_two(seed: int, signed: bool = True) -> onnx.ModelProto:
    """Convolutions of several forms and a matrix product, all scales powers of two."""
    net = QdqModel(np.random.default_rng(seed), signed=signed, powers_of_two=True)
    x = net.input((1, 20, 9, 9))
    y = net.conv(x, 40, (3, 3), (2, 2), activation="relu")
    z = net.conv(y, 16, (1, 1), pads=(0, 0, 0, 0), per_channel=seed % 2 == 1)
    # A window as large as the image leaves one accumulator per tile.
    return net.build(net.conv(z, 16, (5, 5), pads=(0, 0, 0, 0)))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("signed", [True, False])
def test_powers_of_two_run_on_the_accelerator(seed: int, signed: bool) -> None:
    model = powers_of_two(seed, signed)
    layers = check(model, seed)
    convolutions = [layer for layer in layers if layer["layers"] and layer["layers"][0].startswith("conv")]
    assert sum(layer["target"] == "vta" for layer in convolutions) >= 2
    assert all(layer["target"] == "vta" or "dialect 'public'" in layer["reason"] for layer in convolutions)


@pytest.mark.parametrize(
    "config",
    [
        {"LOG_BLOCK": 2, "LOG_INP_BUFF_SIZE": 9, "LOG_WGT_BUFF_SIZE": 10, "LOG_ACC_BUFF_SIZE": 9},
        {
            "LOG_BATCH": 1,
            "LOG_BLOCK": 3,
            "LOG_UOP_BUFF_SIZE": 7,
            "LOG_INP_BUFF_SIZE": 13,
            "LOG_WGT_BUFF_SIZE": 14,
            "LOG_ACC_BUFF_SIZE": 15,
        },
        # A table of two micro-ops cannot name three accumulators in turn.
        {
            "LOG_BLOCK": 3,
            "LOG_UOP_BUFF_SIZE": 3,
            "LOG_INP_BUFF_SIZE": 12,
            "LOG_WGT_BUFF_SIZE": 14,
            "LOG_ACC_BUFF_SIZE": 14,
        },
    ],
    ids=json.dumps,
)
def test_small_hardware(config: dict[str, int]) -> None:
    check(powers_of_two(1), 1, config)


@pytest.mark.parametrize("seed", range(4))
def test_random_networks(seed: int) -> None:
    check(random_network(seed), seed)
    check(random_zoo(seed), seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4, 40))
def test_more_random_networks(seed: int) -> None:
    check(random_network(seed), seed)
    check(random_zoo(seed), seed)


def everything() -> onnx.ModelProto:
    net = QdqModel(np.random.default_rng(2))
    x: Quantized = net.input((1, 16, 8, 8))
    a = net.conv(x, 16)
    b = net.add(a, net.conv(a, 16))
    c = net.max_pool(b, 2, 2, 0)
    return net.build(net.global_average_pool(c))


def test_reasons(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every layer says what it lacks, be it fused or not; so does acc info, of a compiled model and of an ONNX one."""
    onnx.save(everything(), tmp_path / "m.onnx")
    arguments = [
        "compile",
        f"{tmp_path}/m.onnx",
        "-o",
        f"{tmp_path}/m.so",
        "--target",
        "vta",
        "--vta-dialect",
        "public",
    ]
    assert main(arguments) == 0
    assert container.read_model(tmp_path / "m.so").metadata["vta_dialect"] == "public"
    capsys.readouterr()
    for options in ([f"{tmp_path}/m.so"], [f"{tmp_path}/m.onnx", "--target", "vta", "--vta-dialect", "public"]):
        assert main(["info", *options]) == 0
        text = capsys.readouterr().out
        assert "dialect public" in text
        assert main(["info", *options, "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        assert facts["vta_dialect"] == "public"
        reasons = {name: layer["reason"] for layer in facts["layers"] for name in layer["layers"]}
        for kind, reason in (
            ("conv", "the dialect 'public' has no multiplication"),
            ("add", "the dialect 'public' has no multiplication"),
            ("maxpool", "needs to load int8 into accumulators, which the dialect 'public' has no instruction for"),
            ("globalaveragepool", "needs to load int8"),
        ):
            said = [value for name, value in reasons.items() if name.startswith(kind)]
            assert said and all(reason in value for value in said), (kind, reasons)
            assert all(value in text for value in said)


def test_without_it_everything_runs_on_the_accelerator(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contents = compile_contents(everything(), "vta").contents
    assert contents.metadata["vta_dialect"] == "acc"
    on_it = [layer for layer in contents.metadata["layers"] if layer["target"] == "vta"]
    assert len(on_it) == 4
    # There are no immediates whose source is not their destination, though.
    for data in (program.data for program in contents.programs):
        complaints = [m for _, _, m in _runtime.read_program(data).verify(dialect="public")]
        assert complaints and not any("has an immediate and a source" in message for message in complaints)


@pytest.mark.parametrize(
    ("arguments", "mention"),
    [
        (["--vta-dialect", "public"], "is for target 'vta'"),
        (["--target", "vta", "--vta-dialect", "privat"], "no dialect 'privat'"),
    ],
)
def test_bad_options(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], arguments: list[str], mention: str
) -> None:
    onnx.save(powers_of_two(0), tmp_path / "m.onnx")
    for command in (["compile", f"{tmp_path}/m.onnx", "-o", f"{tmp_path}/m.so"], ["info", f"{tmp_path}/m.onnx"]):
        assert main([*command, *arguments]) == 2
        assert mention in capsys.readouterr().err
    assert not (tmp_path / "m.so").exists()


@pytest.mark.parametrize("seed", range(3))
def test_ties_are_decided_as_in_the_other_dialect(seed: int) -> None:
    """Powers of two make ties frequent; the public dialect decides them without a shift to the left."""
    model = powers_of_two(seed)
    inputs = feeds(model, 5)
    executable, layers = compiled(model)
    other = acc.compile(model, target="vta")
    assert any(layer["target"] == "vta" for layer in layers)
    for name, value in executable.run(inputs).items():
        np.testing.assert_array_equal(value, other.run(inputs)[name])
