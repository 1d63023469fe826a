"""Tables of the vector unit (ALU_TABLE): functions of one tensor in kernels, the same bits as native code."""

from __future__ import annotations

import itertools
import pathlib
import re
from collections.abc import Mapping

import numpy as np
import onnx
import pytest

import acc
import calibration
import compiled_programs
from acc._lib import _runtime
from acc.compiler import compile_contents
from acc.container import read_model
from acc.executable import Executable
from acc.hardware.package import Circuit
from acc.targets.vta import Vta, VtaOptions
from acc.targets.vta.profile import profile
from acc.targets.vta.programs import decode
from acc.targets.vta.schedule import Options as ScheduleOptions
from narrow_models import narrow_activations
from qdq_models import QdqModel, Quantized
from test_quantized_zoo import feeds

# From 11 on there is room for a table, and 256 accumulators.
SMALL = {"LOG_BLOCK": 2, "LOG_UOP_BUFF_SIZE": 11, "LOG_INP_BUFF_SIZE": 10, "LOG_WGT_BUFF_SIZE": 10}
SMALL |= {"LOG_ACC_BUFF_SIZE": 12}
CONFIGS: dict[str, dict[str, int]] = {
    "4": {**SMALL, "ALU_REQUANTIZE": 1},
    "8": {**SMALL, "LOG_BLOCK": 3, "LOG_UOP_BUFF_SIZE": 12, "GEMM_SET": 1, "LOG_ACC_BUFF_SIZE": 14},
    "16": {"ALU_REQUANTIZE": 1, "GEMM_SET": 1},
    "2x8x8": {**SMALL, "LOG_BATCH": 1, "LOG_BLOCK": 3, "LOG_ACC_BUFF_SIZE": 14},
    "8 in, 4 out": {**SMALL, "LOG_BLOCK_IN": 3, "LOG_BLOCK_OUT": 2},
}
CONFIGS["8 in, 4 out"].pop("LOG_BLOCK")


def with_tables(name: str) -> dict[str, int]:
    return {**CONFIGS[name], "ALU_TABLE": 1}


def activate(net: QdqModel, x: Quantized) -> Quantized:
    """One of the functions that networks have."""
    rng = net.rng
    kind = str(rng.choice(["silu", "gelu", "Sigmoid", "Tanh", "HardSwish", "LeakyRelu", "Elu"]))
    if kind in ("silu", "gelu"):
        return net.gated(x, {"silu": "Sigmoid", "gelu": "Erf"}[kind], quantized=bool(rng.integers(2)))
    return net.function(x, kind, **({"alpha": 0.1} if kind == "LeakyRelu" else {}))


def random_network(seed: int) -> onnx.ModelProto:
    """Functions behind convolutions, sums, pools and products with a gate, of odd numbers of channels."""
    rng = np.random.default_rng(seed)
    net = QdqModel(rng, signed=bool(rng.integers(2)))
    x = net.input((int(rng.integers(1, 3)), int(rng.choice([1, 3, 7])), *map(int, rng.integers(6, 11, 2))))

    def channels() -> int:
        return int(rng.choice([1, 3, 7, 17]))

    x = activate(net, net.conv(x, channels(), per_channel=bool(rng.integers(2))))
    for _ in range(int(rng.integers(2, 4))):
        kind = str(rng.choice(["conv", "sum", "pool", "gate", "depthwise", "twice", "joined"]))
        if kind == "sum":
            x = activate(net, net.add(net.conv(x, x.shape[1], per_channel=True), x))
        elif kind == "pool":
            x = activate(net, net.max_pool(x, 3, 1, 1))
        elif kind == "gate":
            gate = net.function(net.conv(net.global_average_pool(x), x.shape[1], (1, 1), pads=(0, 0, 0, 0)), "Sigmoid")
            x = activate(net, net.conv(net.scaled(x, gate), channels()))
        elif kind == "depthwise":
            x = activate(net, net.conv(x, x.shape[1], group=x.shape[1], per_channel=True))
        elif kind == "twice":
            # What others read too is stored in between.
            a = net.conv(x, 7)
            x = net.add(activate(net, a), a)
        elif kind == "joined":
            x = activate(net, net.concat([net.conv(x, 5), net.conv(x, 8)]))
        else:
            x = activate(net, net.conv(x, channels(), per_channel=bool(rng.integers(2))))
    x = net.flatten(net.global_average_pool(net.conv(x, 20)))
    return net.build(activate(net, net.gemm(x, 21, per_channel=bool(rng.integers(2)))))


def native_result(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    return next(iter(acc.compile(model).run(inputs).values()))


# What programs are laid out for, in turns: a model remembers it, so that csim is such a circuit.
CIRCUITS: list[dict[str, int]] = [{}, {"log_acc_banks": 1}, {"alu_stages": 5, "log_acc_banks": 1, "early_uops": 1}]


def check(seed: int, name: str) -> acc.Executable:
    """Native code, fsim and csim agree."""
    model = random_network(seed)
    inputs = feeds(model, seed)
    expected = native_result(model, inputs)
    circuit = CIRCUITS[seed % len(CIRCUITS)]
    contents = compile_contents(model, Vta(VtaOptions(with_tables(name), circuit=circuit))).contents
    for device in ("fsim", "csim"):
        exe = Executable.from_contents(contents, device=device)
        np.testing.assert_array_equal(next(iter(exe.run(inputs).values())), expected, err_msg=device)
    return exe


def reasons(exe: acc.Executable) -> list[str]:
    return [layer.reason for layer in exe.report() if layer.target != "vta" and layer.reason]


@pytest.mark.parametrize(("seed", "name"), list(zip(range(10), itertools.cycle(CONFIGS), strict=False)))
def test_random_networks(seed: int, name: str) -> None:
    exe = check(seed, name)
    assert not any("256 entries" in reason for reason in reasons(exe)), reasons(exe)


@pytest.mark.long
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("start", range(100, 160, 20))
def test_more_random_networks(start: int, name: str) -> None:
    for seed in range(start, start + 20):
        check(seed, name)


@pytest.mark.parametrize(("seed", "bits"), [(2, 4), (4, 2)])
def test_narrow_activations(seed: int, bits: int) -> None:
    """Tables whose inputs and results have fewer bits than their entries."""
    model = narrow_activations(random_network(seed), bits)
    inputs = feeds(model, seed)
    exe = acc.compile(model, Vta(VtaOptions({**with_tables("4"), "LOG_INP_WIDTH": bits.bit_length() - 1})))
    np.testing.assert_array_equal(next(iter(exe.run(inputs).values())), native_result(model, inputs))
    assert not any("256 entries" in reason for reason in reasons(exe)), reasons(exe)


def test_the_circuit_computes_the_same() -> None:
    """Every program on random bytes: memory is as fsim leaves it."""
    with compiled_programs.recorded() as programs:
        acc.compile(random_network(2), Vta(VtaOptions(with_tables("4"))))
    assert any("alu.table" in str(program) for program in programs)
    for program in programs:
        compiled_programs.check(program, everywhere=False)


def test_the_circuit_takes_as_long_as_the_model_says(tmp_path: pathlib.Path) -> None:
    """Every instruction starts and retires when it does in csim, also where GEMM works beside the ALU."""
    path = tmp_path / "model.so"
    acc.compile(random_network(4), Vta(VtaOptions(with_tables("4"), circuit={"log_acc_banks": 1}))).save(path)
    streams = calibration.compiled(path)
    assert any("alu.table" in str(stream.program) for stream in streams)
    pair = calibration.devices(streams[0].program.config, Circuit(log_acc_banks=1), 64)
    for stream in streams:
        difference = calibration.compare(pair, stream)
        assert difference.exact, difference.describe(stream.program)


def many(count: int) -> onnx.ModelProto:
    """A chain of `count` different functions, each of which another layer follows."""
    net = QdqModel(np.random.default_rng(1))
    x = net.input((1, 4, 6, 6))
    for _ in range(count):
        x = net.gated(net.conv(x, 4), "Sin")
    return net.build(x)


def loads_of_tables(exe: acc.Executable, path: pathlib.Path) -> list[int]:
    """The sizes of the LOADs that write where tables are."""
    exe.save(path)
    found = []
    for program in programs_of(path):
        config = program.config
        first = config.table_begin(0)
        for fields in re.findall(r"load\.uop sram=(\d+) .*x=(\d+)", str(program)):
            sram, size = map(int, fields)
            if sram >= first and size >= 256:
                found.append(size // 256)
    return found


def programs_of(path: pathlib.Path) -> list[_runtime.Program]:
    model = read_model(path)
    return [decode(model, number) for number in range(len(model.programs))]


@pytest.mark.parametrize(("log_uops", "count"), [(15, 3), (15, 11), (12, 3), (11, 3)])
def test_tables_are_exchanged_where_there_are_more(log_uops: int, count: int, tmp_path: pathlib.Path) -> None:
    model = many(count)
    inputs = feeds(model, 0)
    exe = acc.compile(model, Vta(VtaOptions({**SMALL, "ALU_TABLE": 1, "LOG_UOP_BUFF_SIZE": log_uops})))
    np.testing.assert_array_equal(next(iter(exe.run(inputs).values())), native_result(model, inputs))
    loads = loads_of_tables(exe, tmp_path / "model.so")
    assert sum(loads) == count and len({layer.program for layer in exe.report() if layer.program is not None}) == 1
    if log_uops == 15 and count <= 8:
        # All are loaded at once.
        assert loads == [count]


def test_equal_tables_are_one(tmp_path: pathlib.Path) -> None:
    """Kernels of one program share a table where scales and zero points are the same."""
    net = QdqModel(np.random.default_rng(1))
    net.scale = lambda magnitude: 1 / 32  # type: ignore[method-assign]
    net.zero_point = lambda choice="any": 3  # type: ignore[method-assign]
    x = net.input((1, 4, 20, 20))
    for _ in range(3):
        x = net.gated(net.conv(x, 4), "Sigmoid")
    exe = acc.compile(net.build(x), Vta(VtaOptions({"ALU_TABLE": 1})))
    assert loads_of_tables(exe, tmp_path / "model.so") == [1]


def test_a_table_is_taken_where_it_takes_fewer_cycles(tmp_path: pathlib.Path) -> None:
    """HardSwish takes 15 cycles for a vector; of few vectors, loading a table takes longer than that."""
    cycles = {}
    for size, looks_up in ((20, True), (2, False)):
        net = QdqModel(np.random.default_rng(1))
        model = net.build(net.function(net.conv(net.input((1, 16, size, size)), 16), "HardSwish"))
        for tables in (0, 1):
            path = tmp_path / f"{size}{tables}.so"
            acc.compile(model, Vta(VtaOptions({"ALU_TABLE": tables}))).save(path)
            cycles[tables] = profile(path).cycles
            has = any("alu.table" in str(program) for program in programs_of(path))
            assert has == (looks_up and bool(tables))
        assert cycles[1] < cycles[0] if looks_up else cycles[1] == cycles[0]


def test_what_has_no_room_runs_on_the_host_with_the_same_bits() -> None:
    """A kernel that no schedule makes fit looks up in a constant."""
    net = QdqModel(np.random.default_rng(1))
    x = net.input((1, 3, 8, 8))
    model = net.build(net.gated(net.conv(x, 40, (3, 3)), "Sigmoid"))
    inputs = feeds(model, 1)
    exe = acc.compile(model, Vta(VtaOptions(with_tables("4"), schedule=ScheduleOptions(max_instructions=10))))
    np.testing.assert_array_equal(next(iter(exe.run(inputs).values())), native_result(model, inputs))
    assert all(layer.target == "cpu" for layer in exe.report())


def test_what_a_table_cannot_do_says_why() -> None:
    net = QdqModel(np.random.default_rng(1))
    x = net.function(net.conv(net.input((1, 3, 8, 8)), 2), "PRelu", np.array([[[0.1]], [[0.3]]], np.float32))
    y = net.function(x, "Mul", np.array([[[0.1]], [[0.3]]], np.float32))
    model = net.build(net.function(y, "Tanh"))
    with acc.compile(model, Vta(VtaOptions({"ALU_TABLE": 1}))) as exe:
        said = reasons(exe)
    assert not any("which the vector unit does not have" in reason for reason in said)
    assert any("a table of 256 entries for each channel" in reason for reason in said), said
    with acc.compile(many(1), Vta(VtaOptions({"ALU_TABLE": 1}, dialect="public"))) as exe:
        assert any("'public'" in reason for reason in reasons(exe))
    with acc.compile(many(1), Vta(VtaOptions({"ALU_TABLE": 1}, activation_cycles=0))) as exe:
        assert any("takes 1 cycle of the vector unit" in reason for reason in reasons(exe))
    with pytest.raises(acc.CompileError, match="alu_stages is 2"):
        acc.compile(many(1), Vta(VtaOptions({"ALU_TABLE": 1}, circuit={"alu_stages": 2})))
