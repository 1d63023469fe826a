"""Reads what a waveform file (FST, as GTKWave's documentation describes it) says of itself: signals and times.

A file is a sequence of blocks: a byte for the kind, eight for the length with themselves, the contents.
"""

from __future__ import annotations

import pathlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

HEADER, HIERARCHY, CHANGES = 0, 6, (1, 5, 8)
# What an entry of the hierarchy begins with, beside the kinds of variables.
ATTRIBUTE, ATTRIBUTE_END, SCOPE, SCOPE_END = 252, 253, 254, 255


@dataclass(frozen=True)
class Waveform:
    """Signals by name, with the scopes they are in, and their bits; first and last time; all times of changes."""

    signals: dict[str, int]
    start: int
    end: int
    times: tuple[int, ...]


def _blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at + 1 : at + 9], "big")
        yield data[at], data[at + 9 : at + 1 + length]
        at += 1 + length


def _lz4(data: bytes) -> bytes:
    """A block in the LZ4 format."""
    out, at = bytearray(), 0

    def count(short: int) -> int:
        nonlocal at
        total = short
        while short == 15 or (total > 15 and data[at - 1] == 255):
            total += data[at]
            at += 1
            short = 0
        return total

    while at < len(data):
        token = data[at]
        at += 1
        literals = count(token >> 4)
        out += data[at : at + literals]
        at += literals
        if at == len(data):
            break
        back = int.from_bytes(data[at : at + 2], "little")
        at += 2
        for _ in range(count(token & 15) + 4):
            out.append(out[-back])
    return bytes(out)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits per byte, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def _signals(data: bytes) -> dict[str, int]:
    scopes: list[str] = []
    signals, at = {}, 0

    def name() -> str:
        nonlocal at
        end = data.index(0, at)
        text, at = data[at:end].decode(), end + 1
        return text

    while at < len(data):
        kind = data[at]
        at += 1
        if kind == SCOPE:
            at += 1
            scopes.append(name())
            name()
        elif kind == SCOPE_END:
            scopes.pop()
        elif kind == ATTRIBUTE:
            at += 2
            name()
            _, at = _number(data, at)
        elif kind != ATTRIBUTE_END:
            at += 1
            # The range of bits follows behind a space.
            signal = name().partition(" ")[0]
            bits, at = _number(data, at)
            _, at = _number(data, at)
            signals[".".join([*scopes, signal])] = bits
    return signals


def _times(data: bytes) -> list[int]:
    """Differences between the times of a block of changes, compressed, stand at its end."""
    size, compressed, count = (int.from_bytes(data[-n : len(data) - n + 8], "big") for n in (24, 16, 8))
    packed = data[-24 - compressed : -24]
    numbers = packed if size == compressed else zlib.decompress(packed)
    times, at, now = [], 0, 0
    for _ in range(count):
        step, at = _number(numbers, at)
        now += step
        times.append(now)
    return times


def read(path: pathlib.Path) -> Waveform:
    start = end = 0
    signals: dict[str, int] = {}
    times: list[int] = []
    for kind, data in _blocks(path.read_bytes()):
        if kind == HEADER:
            start, end = (int.from_bytes(data[at : at + 8], "big") for at in (0, 8))
        elif kind == HIERARCHY:
            signals = _signals(_lz4(data[8:]))
        elif kind in CHANGES:
            times += _times(data)
    return Waveform(signals, start, end, tuple(times))
