"""The VTA: a tensor accelerator with a matrix unit, a vector unit and explicit scratchpads, any legal configuration."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acc.targets.vta.target import Vta, VtaOptions

__all__ = ["Vta", "VtaOptions"]


def __getattr__(name: str) -> Any:
    # The command line asks this package for its flags, which must not take the time to load the compiler.
    if name in __all__:
        return getattr(importlib.import_module("acc.targets.vta.target"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
