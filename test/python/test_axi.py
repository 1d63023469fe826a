"""The circuit on a bus, judged by a third party: cocotbext-axi drives its registers and is its memory."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import axi_bench
from acc._lib import _runtime, isa
from acc.hardware import cycle_model
from acc.hardware.random_stream import RandomStream, random_stream
from circuits import SMALL, WIDE, Case, extended, random_case


def short_streams(case: Case, first: int, count: int, most: int) -> list[RandomStream]:
    """The next streams that take at most so many cycles on a quick memory."""
    model = cycle_model.device(case.config, case.circuit, latency=8, functional=False)
    drawn = (random_stream(case.config, seed, 20, max_steps=200, far=True) for seed in itertools.count(first))
    return list(itertools.islice((stream for stream in drawn if stream.cycles(model) <= most), count))


def check(case: Case, folder: Path, first: int, count: int, most: int, loads: tuple[tuple[float, int], ...]) -> None:
    """Runs streams under each load: the share of time in which channels stand still, and the cycles memory takes."""
    program = axi_bench.build(case.config, case.circuit, folder)
    for number, (busy, latency) in enumerate(loads):
        streams = short_streams(case, first + 1000 * number, count, most)
        functional = _runtime.Device("fsim", case.config)
        results = axi_bench.run(program, streams, seed=first + number, busy=busy, latency=latency)
        for stream, result in zip(streams, results, strict=True):
            what = f"{case}, {busy} busy, latency {latency}: {result.registers}"
            assert result.has("done") and not result.has("error"), what
            # The scratchpads keep what the streams before have left.
            expected = stream.run(functional, fresh=stream is streams[0])
            np.testing.assert_array_equal(result.dram, expected, err_msg=what)


def test_streams_on_a_bus(tmp_path: Path) -> None:
    check(extended(SMALL[0]), tmp_path, 0, 4, 3000, ((0.0, 0), (0.4, 60)))


def test_memory_that_is_not_there(tmp_path: Path) -> None:
    """It answers with an error, which the registers show."""
    case = SMALL[1]
    program = axi_bench.build(case.config, case.circuit, tmp_path)
    good, bad = short_streams(case, 0, 2, 3000)
    first, second = axi_bench.run(program, [good, bad], seed=0, busy=0.2, latency=10, hidden=frozenset({1}))
    assert first.has("done") and not first.has("error")
    assert second.has("error") and not second.has("done")
    low, width = isa.REGISTER_BITS["error_code"]
    assert second.registers["error"] >> low & ((1 << width) - 1) == isa.ERRORS["memory"]


@pytest.mark.long
@pytest.mark.parametrize(
    "case",
    [*SMALL, WIDE, *map(extended, SMALL[1:]), replace(SMALL[0], port=512), replace(WIDE, port=256)],
    ids=str,
)
def test_more_streams_on_a_bus(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path, 100, 12, 8000, ((0.0, 0), (0.2, 10), (0.5, 200), (0.8, 30)))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(8))
def test_random_circuits_on_a_bus(seed: int, tmp_path: Path) -> None:
    check(random_case(seed), tmp_path, 100 * seed, 6, 8000, ((0.3, 40),))
