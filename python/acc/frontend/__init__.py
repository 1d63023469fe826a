"""From ONNX files to the graph dialect."""

from acc.frontend.importer import import_onnx

__all__ = ["import_onnx"]
