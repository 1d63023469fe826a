"""The host: native code through linalg, vector and LLVM, for the processor at hand or another one."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acc.targets.cpu.target import Cpu, CpuOptions

__all__ = ["Cpu", "CpuOptions"]


def __getattr__(name: str) -> Any:
    # The command line asks this package for its flags, which must not take the time to load the compiler.
    if name in __all__:
        return getattr(importlib.import_module("acc.targets.cpu.target"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
