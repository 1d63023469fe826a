"""What runs inside the simulator under cocotb: registers and memory of the circuit are driven by cocotbext-axi.

Reads `streams.npz` in the current folder and writes `results.npz`; `axi_bench` makes the one and reads the other.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiResp, AxiSlave

from acc._lib import isa

# Bytes of a register, and cycles between two looks at the status.
WORD, PATIENCE = 4, 150


class Windows:
    """Memory that answers inside of windows only, and late now and then: what AxiSlave asks for.

    Rows need not begin or end where beats do, so a beat that is read may lie outside in part.
    """

    def __init__(self, clock: object, draw: random.Random, latency: int) -> None:
        self.clock, self.draw, self.latency = clock, draw, latency
        self.windows: list[tuple[int, np.ndarray]] = []

    async def _wait(self) -> None:
        if self.latency and self.draw.random() < 0.1:
            await ClockCycles(self.clock, self.draw.randint(1, self.latency))

    def _bytes(self, address: int, length: int) -> Iterator[tuple[int, np.ndarray, int]]:
        """Of each byte that is there: which, its window, its place."""
        for start, window in self.windows:
            low, high = max(address, start), min(address + length, start + len(window))
            for at in range(low, high):
                yield at - address, window, at - start

    async def read(self, address: int, length: int) -> bytes:
        await self._wait()
        data, found = bytearray(length), False
        for which, window, place in self._bytes(address, length):
            data[which], found = window[place], True
        if not found:
            raise LookupError(f"{length} bytes at {address:#x} are read, where there is no memory")
        return bytes(data)

    async def write(self, address: int, data: bytes) -> None:
        places = list(self._bytes(address, len(data)))
        if len(places) != len(data):
            raise LookupError(f"{len(data)} bytes at {address:#x} are written, where there is no memory")
        for which, window, place in places:
            window[place] = data[which]


def _pauses(seed: int, busy: float) -> Iterator[bool]:
    """For each cycle whether a channel stands still: in bursts, and for single cycles."""
    draw = random.Random(seed)
    while True:
        still = draw.random() < busy
        yield from itertools.repeat(still, draw.choice((1, 1, 2, 5)))


async def _watch(dut: object, valid: str, ready: str, *payload: str) -> None:
    """What the circuit offers on a channel stays until it is taken: AXI asks for it, cocotbext-axi does not look."""
    signals = [getattr(dut, name) for name in payload]
    valid_signal, ready_signal = getattr(dut, valid), getattr(dut, ready)
    offered: list[object] | None = None
    while True:
        await RisingEdge(dut.clk)
        now = [signal.value for signal in signals] if int(valid_signal.value) else None
        assert offered is None or offered == now, f"{valid}: {offered} became {now}"
        offered = None if now is None or int(ready_signal.value) else now


async def _write(master: AxiLiteMaster, register: str, value: int) -> None:
    await master.write_dword(WORD * isa.REGISTERS[register], value)


async def _read(master: AxiLiteMaster, register: str) -> int:
    return int(await master.read_dword(WORD * isa.REGISTERS[register]))


async def _run(master: AxiLiteMaster, dut: object, stream: int, count: int) -> dict[str, int]:
    """The registers after the run."""
    for register, value in (
        ("stream_lo", stream & 0xFFFFFFFF),
        ("stream_hi", stream >> 32),
        ("count", count),
        ("control", 1 << isa.REGISTER_BITS["control_start"][0]),
    ):
        await _write(master, register, value)
    done, error = (1 << isa.REGISTER_BITS[f"status_{bit}"][0] for bit in ("done", "error"))
    while not await _read(master, "status") & (done | error):
        await _read(master, "cycles_lo")
        await ClockCycles(dut.clk, PATIENCE)
    return {name: await _read(master, name) for name in isa.REGISTERS}


@cocotb.test()
async def streams(dut: object) -> None:
    given = np.load("streams.npz")
    seed, busy, latency = int(given["seed"]), float(given["busy"]), int(given["latency"])
    memory = Windows(dut.clk, random.Random(seed), latency)
    cocotb.start_soon(Clock(dut.clk, 2, "ns").start())
    dut.rst.value = 1
    slave = AxiSlave(AxiBus.from_prefix(dut, "m"), dut.clk, dut.rst, target=memory)
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s"), dut.clk, dut.rst)
    read, write = slave.read_if, slave.write_if
    channels = (read.ar_channel, read.r_channel, write.aw_channel, write.w_channel, write.b_channel)
    registers = (master.read_if.ar_channel, master.read_if.r_channel)
    registers += (master.write_if.aw_channel, master.write_if.w_channel, master.write_if.b_channel)
    if busy:
        for number, channel in enumerate((*channels, *registers)):
            channel.set_pause_generator(_pauses(10 * seed + number, busy))
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 2)
    for prefix, letter, payload in (
        ("s", "r", ("data", "resp")),
        ("s", "b", ("resp",)),
        ("m", "ar", ("id", "addr", "len")),
        ("m", "aw", ("addr", "len")),
        ("m", "w", ("data", "strb", "last")),
    ):
        names = (f"{prefix}_{letter}{signal}" for signal in ("valid", "ready", *payload))
        cocotb.start_soon(_watch(dut, *names))

    # A part of a register is not written, and whoever tries is told so.
    limit = await _read(master, "limit")
    answer = await master.write(WORD * isa.REGISTERS["limit"] + 1, b"\x55")
    assert answer.resp == AxiResp.SLVERR
    assert await _read(master, "limit") == limit

    results = {}
    for number in range(int(given["runs"])):
        addresses, sizes, places = (given[f"{name}{number}"] for name in ("addresses", "sizes", "places"))
        dram = given[f"dram{number}"].copy()
        memory.windows = [
            (int(address), dram[int(place) : int(place + size)])
            for address, size, place in zip(addresses, sizes, places, strict=True)
        ]
        stream, at = given[f"stream{number}"], int(given[f"at{number}"])
        memory.windows.append((at, stream.copy()))
        said = await _run(master, dut, at, int(given[f"count{number}"]))
        results[f"registers{number}"] = np.array([said[name] for name in isa.REGISTERS], np.int64)
        results[f"dram{number}"] = dram
        # After an error, memory answers what it was asked before the next start.
        await ClockCycles(dut.clk, 2000 if int(dut.error.value) else 1)
    np.savez("results.npz", **results)
