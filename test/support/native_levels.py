"""The instruction sets that native code is compiled for, from the oldest to the newest, and those this machine has."""

from __future__ import annotations

from acc import _mlir

FEATURES = {
    "x86-64": ("sse2",),
    "x86-64-v2": ("sse4.2", "popcnt"),
    "x86-64-v3": ("avx2", "bmi2", "f16c", "fma", "lzcnt", "movbe"),
    "x86-64-v4": ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"),
}
"""Processors of those instruction sets, and what a machine has that runs their code."""


def runnable() -> list[str]:
    """Processors whose code this machine runs; the last is the machine itself."""
    have = set(_mlir.target_facts("native").features)
    return [*(cpu for cpu, needed in FEATURES.items() if have.issuperset(needed)), "native"]
