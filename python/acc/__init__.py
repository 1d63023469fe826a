"""acc, the accelerator compiler collection: ONNX models to native code or to a VTA accelerator."""

from acc.errors import (
    AccError,
    CompileError,
    ConfigError,
    ModelError,
    ModelFileError,
    RunError,
)

__version__ = "0.1.0"

__all__ = [
    "AccError",
    "CompileError",
    "ConfigError",
    "ModelError",
    "ModelFileError",
    "RunError",
]
