"""The device of the toy: an interpreter in numpy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from acc_toy import program

_TYPES = {"inputs": np.int8, "weights": np.int8, "sums": np.int32}


def _window(values: np.ndarray, offset: int, sizes: Sequence[int], strides: Sequence[int]) -> np.ndarray:
    """A box of a flat array, as a view; raises ValueError for one that is not inside."""
    last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    if 0 not in sizes and not 0 <= offset <= last < values.size:
        raise ValueError(f"values {offset} to {last} of {values.size} are addressed")
    steps = [stride * values.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(values[offset:], sizes, steps)


class _Machine:
    """The memories and the buffers, and a method per instruction, which returns how often it did its work."""

    def __init__(self, sizes: Mapping[str, int], buffers: Sequence[np.ndarray]) -> None:
        self.memories = {name: np.zeros(size, _TYPES[name]) for name, size in sizes.items()}
        self.buffers = [buffer.reshape(-1) for buffer in buffers]

    def _box(self, f: program.Fields) -> np.ndarray:
        return _window(self.buffers[f["buffer"][0]], f["offset"][0], f["sizes"], f["strides"])

    def load(self, memory: str, f: program.Fields) -> int:
        around = [low + size + high for low, size, high in zip(f["low"], f["sizes"], f["high"], strict=True)]
        view = _window(self.memories[memory], f["at"][0], around, f["by"])
        view[...] = 0
        view[tuple(slice(low, low + size) for low, size in zip(f["low"], f["sizes"], strict=True))] = self._box(f)
        return 1

    def store(self, memory: str, f: program.Fields) -> int:
        self._box(f)[...] = _window(self.memories[memory], f["at"][0], f["sizes"], f["by"])
        return 1

    def copy(self, _: str, f: program.Fields) -> int:
        sums, bounds = self.memories["sums"], f["bounds"]
        _window(sums, f["y"][0], bounds, f["to"])[...] = _window(sums, f["x"][0], bounds, f["by"])
        return math.prod(bounds)

    def dot(self, _: str, f: program.Fields) -> int:
        bounds, to = f["bounds"], f["to"]
        x = _window(self.memories["inputs"], f["x"][0], [*bounds, 8], [*f["by"], 1])
        w = _window(self.memories["weights"], f["w"][0], [*bounds, 8], [*f["along"], 1])
        products = np.einsum("...i,...i->...", x, w, dtype=np.int32)
        # Points of the domain that have one sum in common.
        axes = tuple(axis for axis, stride in enumerate(to) if stride == 0)
        outer = [1 if stride == 0 else bound for bound, stride in zip(bounds, to, strict=True)]
        y = _window(self.memories["sums"], f["y"][0], outer, to)
        y += products.sum(axis=axes, keepdims=True, dtype=np.int32)
        return math.prod(bounds)


class Interpreter:
    """Runs programs of the toy; see `acc.devices.PythonDevice`."""

    def load(self, data: bytes) -> Any:
        return program.read(data)

    def run(self, loaded: Any, buffers: list[np.ndarray], options: Mapping[str, bool]) -> Mapping[str, int]:
        sizes, instructions = loaded
        machine = _Machine(sizes, buffers)
        counts: dict[str, int] = dict.fromkeys(("load", "store", "copy", "dot"), 0)
        for name, memory, fields in instructions:
            counts[name] += getattr(machine, name)(memory, fields)
        return counts
