"""The functional simulator against a model in numpy, on random streams; the verifier and the planned tokens too."""

from __future__ import annotations

import numpy as np
import pytest

from acc._lib import _runtime
from conv_stream import RESNET18, Conv, generate, reference
from vta_model import Insn, Model, Streams, random_config


def draw(rng: np.random.Generator, config: _runtime.Config, length: int) -> tuple[list[Insn], np.ndarray, str]:
    """Instructions in program order, DRAM before, and the assembly text without tokens."""
    size = 64 * max(config.element_bytes(m) for m in ("inp", "wgt", "acc"))
    streams = Streams(rng, config, size)
    table = streams.uop_table(streams.uops)
    entries, loads = streams.tables()
    head = "\n".join(f".uop dst={d} src={s} wgt={w}" for d, s, w in table + entries)
    words = np.frombuffer(_runtime.Program.parse(head, config).uops, np.uint8)
    page = -(-len(words) // size) * size
    dram = rng.integers(0, 256, page + size).astype(np.uint8)
    dram[: len(words)] = words
    # Wrapping has to happen: accumulators start with large values.
    insns = [Insn("load.uop", {"sram": 0, "dram": 0, "y": 1, "x": len(table), "stride": len(table)}), *loads]
    for memory in ("inp", "wgt", "acc"):
        for _ in range(3):
            insns.append(streams.copy(memory, page, size))
    for _ in range(length):
        if rng.random() < 0.5:
            insns.append(streams.copy(str(rng.choice(["inp", "wgt", "acc", "acc8", "out", "out"])), page, size))
        else:
            insns.append(streams.loops(table))
    for _ in range(6):
        insns.append(streams.copy("out", page, size))
    insns.append(Insn("finish"))
    # As buffers, so that the verifier sees the micro-ops; here they lie one behind the other.
    lines = [f".config {config.to_json()}", f'.buffer "uop" {page}', f'.buffer "data" {size}', ".uop_buffer 0", head]
    for insn in insns:
        text = insn.text()
        if insn.head == "load.uop":
            text = text.replace("dram=", "dram=@0+")
        elif "dram=" in text:
            element = config.element_bytes(insn.head.partition(".")[2])
            text = text.replace(f"dram={insn.fields['dram']}", f"dram=@1+{insn.fields['dram'] - page // element}")
        lines.append(text)
    return insns, dram, "\n".join(lines)


def run_fsim(program: _runtime.Program, dram: np.ndarray, uop_bytes: int, kernel: str, sanitize: bool) -> np.ndarray:
    memory = dram.copy()
    device = _runtime.Device("fsim", program.config, kernel=kernel)
    device.attach_at(0, memory)
    result = device.run(program.link([0, uop_bytes]), sanitize=sanitize)
    problems = [message for _, _, message in result["diagnostics"] if "nothing has written" not in message]
    assert not problems
    assert result["ok"] or sanitize
    return memory


def check(seed: int, length: int) -> None:
    rng = np.random.default_rng(seed)
    config = random_config(rng)
    insns, dram, text = draw(rng, config, length)
    program = _runtime.Program.parse(text)
    program.insert_tokens()
    assert [message for _, _, message in program.verify()] == []
    expected = dram.copy()
    model = Model(config, expected)
    for insn in insns:
        model.execute(insn)
    uop_bytes = program.buffers[0][1]
    for kernel in _runtime.fsim_kernels():
        actual = run_fsim(program, dram, uop_bytes, kernel, sanitize=False)
        np.testing.assert_array_equal(actual, expected, err_msg=f"{kernel} {config}")
    run_fsim(program, dram, uop_bytes, "", sanitize=True)


@pytest.mark.parametrize("seed", range(60))
def test_random_streams(seed: int) -> None:
    check(seed, 25)


@pytest.mark.long
@pytest.mark.parametrize("start", range(1000, 1600, 200))
def test_more_random_streams(start: int) -> None:
    for seed in range(start, start + 200):
        check(seed, 40)


def parse_line(line: str, base: dict[str, int], config: _runtime.Config) -> tuple[Insn, list[str], list[str]]:
    """An instruction with absolute DRAM addresses, the sides it pops from and those it pushes to."""
    head, *words = line.split(" ; ")[0].split()
    fields: dict[str, int | tuple[int, ...]] = {}
    sides: dict[str, list[str]] = {"pop": [], "push": []}
    for key, _, value in (word.partition("=") for word in words):
        if key in sides:
            sides[key] = value.split(",")
        elif value.startswith("@"):
            buffer, _, offset = value[1:].partition("+")
            fields[key] = base[buffer] // config.element_bytes(head.partition(".")[2]) + int(offset)
        elif "," in value or ":" in value:
            fields[key] = tuple(int(v) for v in value.replace(":", ",").split(","))
        else:
            fields[key] = int(value)
    return Insn(head, fields), sides["pop"], sides["push"]


@pytest.mark.parametrize("seed", range(100, 130))
def test_every_order_that_tokens_allow_computes_the_same(seed: int) -> None:
    """Modules advance at random, held back by tokens alone; memory must end as in program order."""
    rng = np.random.default_rng(seed)
    config = random_config(rng)
    insns, dram, text = draw(rng, config, 25)
    program = _runtime.Program.parse(text)
    program.insert_tokens()
    base = {"0": 0, "1": program.buffers[0][1]}
    expected = dram.copy()
    reference_model = Model(config, expected)
    for insn in insns:
        reference_model.execute(insn)

    order = ["load", "compute", "store"]
    queues: dict[str, list[tuple[Insn, list[str], list[str]]]] = {m: [] for m in order}
    for line in str(program).splitlines():
        if not line.startswith("."):
            parsed = parse_line(line, base, config)
            head = parsed[0].head
            module = "load" if head in ("load.inp", "load.wgt") else "store" if head == "store.out" else "compute"
            queues[module].append(parsed)

    def other(module: str, side: str) -> str:
        return order[order.index(module) + (1 if side == "next" else -1)]

    for _ in range(4):
        actual = dram.copy()
        model = Model(config, actual)
        at = dict.fromkeys(order, 0)
        tokens: dict[tuple[str, str], int] = {}
        bias = rng.dirichlet([0.5] * 3)
        while any(at[m] < len(queues[m]) for m in order):
            ready = [
                m
                for m in order
                if at[m] < len(queues[m]) and all(tokens.get((other(m, side), m), 0) for side in queues[m][at[m]][1])
            ]
            weight = np.array([bias[order.index(m)] + 1e-6 for m in ready])
            module = ready[int(rng.choice(len(ready), p=weight / weight.sum()))]
            insn, pops, pushes = queues[module][at[module]]
            at[module] += 1
            for side in pops:
                tokens[other(module, side), module] -= 1
            if insn.fields.get("x") != 0:
                model.execute(insn)
            for side in pushes:
                tokens[module, other(module, side)] = tokens.get((module, other(module, side)), 0) + 1
        np.testing.assert_array_equal(actual, expected)
        assert not any(tokens.values())


def run_conv(conv: Conv, config: _runtime.Config, kernel: str) -> tuple[np.ndarray, np.ndarray, dict]:
    rng = np.random.default_rng(conv.macs)
    i, o, k = config.block_in, config.block_out, conv.kernel
    x = rng.integers(-128, 128, (conv.inputs // i, conv.size, conv.size, i)).astype(np.int8)
    w = rng.integers(-128, 128, (conv.outputs // o, conv.inputs // i, k, k, o, i)).astype(np.int8)
    y = np.zeros((conv.outputs // o, conv.out_size, conv.out_size, o), np.int8)
    program = generate(conv, config)
    device = _runtime.Device("fsim", config, kernel=kernel)
    uops = np.frombuffer(program.uops, np.uint8).copy()
    result = device.run_program(program, [device.attach(a.reshape(-1).view(np.uint8)) for a in (uops, x, w, y)], True)
    return y, reference(conv, x, w), result


@pytest.mark.parametrize("kernel", _runtime.fsim_kernels())
@pytest.mark.parametrize("block", [3, 4, 5])
def test_convolution(kernel: str, block: int) -> None:
    config = _runtime.Config(f'{{"LOG_BLOCK": {block}, "LOG_ACC_BUFF_SIZE": 15, "LOG_WGT_BUFF_SIZE": 16}}')
    for conv in (Conv(9, 64, 32, 3, 1), Conv(12, 32, 64, 3, 2), Conv(7, 32, 32, 1, 1)):
        actual, expected, result = run_conv(conv, config, kernel)
        assert result["ok"], result["message"]
        np.testing.assert_array_equal(actual, expected)
        steps = conv.macs // (config.block_in * config.block_out)
        assert result["total"]["gemm_steps"] == steps
        assert result["layers"][conv.name] == result["total"]


@pytest.mark.long
@pytest.mark.parametrize("conv", RESNET18, ids=lambda conv: conv.name)
def test_resnet18_convolutions(conv: Conv) -> None:
    actual, expected, result = run_conv(conv, _runtime.Config(), "")
    assert result["ok"], result["message"]
    np.testing.assert_array_equal(actual, expected)
