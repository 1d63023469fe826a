"""Where integer arithmetic rounds what lies halfway between two integers."""

from __future__ import annotations

from acc.errors import CompileError

__all__ = ["TIES", "check_ties"]

TIES = ("even", "up")
"""To the even one, as ONNX Runtime does, or up, which takes fewer steps."""


def check_ties(ties: str) -> None:
    """Raises CompileError for what is not one of `TIES`."""
    if ties not in TIES:
        raise CompileError(f"ties do not go '{ties}': choose one of {', '.join(TIES)}")
