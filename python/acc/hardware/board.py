"""A computer's side of hardware/board: memory and registers of the core on an FPGA, through a serial port.

import serial  # pyserial, or anything else with `write` and `read`
board = Board(serial.Serial("/dev/ttyUSB0", 115200, timeout=10))
board.write_memory(0x1000, data)
registers = board.run(stream=0x4000, count=12)
"""

from __future__ import annotations

import time
from typing import Protocol

from acc._lib import isa
from acc.errors import RunError

__all__ = ["Board", "Port"]

# Seconds between two looks at whether the core is done.
POLL = 0.01


class Port(Protocol):
    """A serial port, as pyserial has it."""

    def write(self, data: bytes, /) -> object:
        """Sends bytes."""
        ...

    def read(self, size: int, /) -> bytes:
        """Waits for so many bytes; returns fewer if they do not come in time."""
        ...


class Board:
    """The core and the memory behind a serial port (acc_board.sv describes the commands)."""

    def __init__(self, port: Port) -> None:
        self._port = port

    def _command(self, operation: bytes, first: int, second: int, data: bytes = b"") -> None:
        self._port.write(operation + first.to_bytes(4, "little") + second.to_bytes(4, "little") + data)

    def _answer(self, size: int) -> bytes:
        data = self._port.read(size)
        if len(data) != size:
            raise RunError(f"the board answered with {len(data)} bytes of {size} before the serial port gave up")
        return data

    def write_memory(self, address: int, data: bytes) -> None:
        """Fills memory from a byte address on."""
        self._command(b"W", address, len(data), data)

    def read_memory(self, address: int, size: int) -> bytes:
        """So many bytes of memory; raises RunError if they do not come."""
        self._command(b"R", address, size)
        return self._answer(size)

    def write_register(self, name: str, value: int) -> None:
        """Writes a register of 32 bits, by its name in the description of the instruction set ("stream_lo")."""
        self._command(b"S", isa.REGISTERS[name], value)

    def read_register(self, name: str) -> int:
        """The value of a register; raises RunError if it does not come."""
        self._command(b"G", isa.REGISTERS[name], 0)
        return int.from_bytes(self._answer(4), "little")

    def run(self, stream: int, count: int, timeout: float = 60.0) -> dict[str, int]:
        """Runs `count` instructions that are in memory from address `stream` on; the registers when it ends, by name.

        Raises RunError if the core reports an error, or is not done after so many seconds.
        """
        self.write_register("stream_lo", stream)
        self.write_register("stream_hi", 0)
        self.write_register("count", count)
        self.write_register("control", 1 << isa.REGISTER_BITS["control_start"][0])
        done, error = (1 << isa.REGISTER_BITS[f"status_{bit}"][0] for bit in ("done", "error"))
        end = time.monotonic() + timeout
        while not (status := self.read_register("status")) & (done | error):
            if time.monotonic() > end:
                raise RunError(f"the core is not done after {timeout:g} seconds")
            time.sleep(POLL)
        registers = {name: self.read_register(name) for name in isa.REGISTERS}
        if status & error:
            low, width = isa.REGISTER_BITS["error_code"]
            code = registers["error"] >> low & ((1 << width) - 1)
            raise RunError(f"the core reports error {code} at instruction {registers['place']} of its unit")
        return registers
