"""Tokens that a stream does not need: more work for the token queues, and other orders among the modules."""

from __future__ import annotations

from typing import Any

import numpy as np

# Token queues: (module that pushes, side, module that pops, side).
QUEUES = (
    ("load", "next", "compute", "prev"),
    ("compute", "prev", "load", "next"),
    ("compute", "next", "store", "prev"),
    ("store", "prev", "compute", "next"),
)


def _module(line: str) -> str:
    """Which module executes an instruction, given its text."""
    head = line.split()[0]
    return "load" if head in ("load.inp", "load.wgt") else "store" if head.startswith("store") else "compute"


def spare_tokens(program: Any, rng: np.random.Generator, most: int = 4) -> Any:
    """A `_runtime.Program` with tokens more, up to `most` per queue, and all of its own still where they were.

    A new token's push and pop have the same rank in their queue, so that whatever was ordered before still is.
    """
    from acc._lib import _runtime

    lines = str(program).split("\n")
    insns = [i for i, line in enumerate(lines) if line and not line.startswith(".")]
    modules = [_module(lines[i]) for i in insns]
    flags: list[dict[str, set[str]]] = []
    for i in insns:
        words = dict(word.split("=") for word in lines[i].partition(" ;")[0].split()[1:])
        flags.append({end: set(filter(None, words.get(end, "").split(","))) for end in ("pop", "push")})
    for pusher, to, popper, back in QUEUES:
        for _ in range(int(rng.integers(most + 1))):
            at = int(rng.integers(len(insns)))
            rank = sum(m == pusher and to in f["push"] for m, f in zip(modules[:at], flags[:at], strict=True))
            pops = np.cumsum([m == popper and back in f["pop"] for m, f in zip(modules, flags, strict=True)])
            takers = [
                k
                for k in range(at + 1, len(insns))
                if modules[k] == popper and back not in flags[k]["pop"] and pops[k] == rank
            ]
            if modules[at] == pusher and to not in flags[at]["push"] and takers:
                flags[at]["push"].add(to)
                flags[takers[int(rng.integers(len(takers)))]]["pop"].add(back)
    for i, ends in zip(insns, flags, strict=True):
        words = [word for word in lines[i].partition(" ;")[0].split() if not word.startswith(("pop=", "push="))]
        lines[i] = " ".join([*words, *(f"{end}={','.join(sorted(s))}" for end, s in ends.items() if s)])
    return _runtime.Program.parse("\n".join(lines))
