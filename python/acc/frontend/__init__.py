"""From ONNX files to the graph dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acc.frontend.importer import import_onnx

__all__ = ["import_onnx"]


def __getattr__(name: str) -> object:
    # The importer needs the compiler, which those who only read ONNX files do not.
    if name == "import_onnx":
        from acc.frontend.importer import import_onnx

        return import_onnx
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
