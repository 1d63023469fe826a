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


class Interpreter:
    """Runs programs of the toy; see `acc.devices.PythonDevice`."""

    def load(self, data: bytes) -> Any:
        return program.read(data)

    def run(self, loaded: Any, buffers: list[np.ndarray], options: Mapping[str, bool]) -> Mapping[str, int]:
        sizes, instructions = loaded
        memories = {name: np.zeros(size, _TYPES[name]) for name, size in sizes.items()}
        flat = [buffer.reshape(-1) for buffer in buffers]
        counts = dict.fromkeys(("loads", "stores", "copies", "dots"), 0)
        for name, memory, f in instructions:
            if name in ("load", "store"):
                box = _window(flat[f["buffer"][0]], f["offset"][0], f["sizes"], f["strides"])
                around = (
                    [a + s + b for a, s, b in zip(f["low"], f["sizes"], f["high"], strict=True)]
                    if "low" in f
                    else f["sizes"]
                )
                view = _window(memories[memory], f["at"][0], around, f["by"])
                if name == "load":
                    view[...] = 0
                    view[tuple(slice(a, a + s) for a, s in zip(f["low"], f["sizes"], strict=True))] = box
                else:
                    box[...] = view
                counts[f"{name}s"] += 1
                continue
            bounds, to = f["bounds"], f["to"]
            if name == "copy":
                x = _window(memories["sums"], f["x"][0], bounds, f["by"])
                _window(memories["sums"], f["y"][0], bounds, to)[...] = x
                counts["copies"] += math.prod(bounds)
                continue
            x = _window(memories["inputs"], f["x"][0], [*bounds, 8], [*f["by"], 1])
            w = _window(memories["weights"], f["w"][0], [*bounds, 8], [*f["along"], 1])
            products = np.einsum("...i,...i->...", x, w, dtype=np.int32)
            summed = tuple(axis for axis, stride in enumerate(to) if stride == 0)
            outer = [1 if stride == 0 else bound for bound, stride in zip(bounds, to, strict=True)]
            y = _window(memories["sums"], f["y"][0], outer, to)
            y += products.sum(axis=summed, keepdims=True, dtype=np.int32)
            counts["dots"] += math.prod(bounds)
        return counts
