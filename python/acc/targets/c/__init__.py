"""Plain C: a model as one source and one header, for whatever has a C compiler."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acc.targets.c.target import C

__all__ = ["C"]


def __getattr__(name: str) -> Any:
    # The command line asks this package for its flags, which must not take the time to load the compiler.
    if name in __all__:
        return getattr(importlib.import_module("acc.targets.c.target"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
