"""acc, the accelerator compiler collection: ONNX models to native code or to an accelerator."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from acc.errors import (
    AccError,
    CompileError,
    ConfigError,
    ConfigWarning,
    ModelError,
    ModelFileError,
    ModelWarning,
    NeedsShape,
    NeedsValue,
    RunError,
    TuningWarning,
)

if TYPE_CHECKING:
    from acc.bundling import bundle
    from acc.codesigning import codesign
    from acc.compiler import compile
    from acc.devices import Device
    from acc.executable import Executable, load
    from acc.exploration import explore
    from acc.frontend import import_onnx
    from acc.quantization import quantize
    from acc.session import InferenceSession
    from acc.tuning import tune

__version__ = "0.1.0"

# What needs the compiler or the onnx package is imported on first use, so that `import acc` is quick.
_LAZY = {
    "Device": "acc.devices",
    "compile": "acc.compiler",
    "Executable": "acc.executable",
    "InferenceSession": "acc.session",
    "explore": "acc.exploration",
    "bundle": "acc.bundling",
    "codesign": "acc.codesigning",
    "import_onnx": "acc.frontend",
    "load": "acc.executable",
    "quantize": "acc.quantization",
    "tune": "acc.tuning",
}

__all__ = [
    "AccError",
    "CompileError",
    "ConfigError",
    "ConfigWarning",
    "Device",
    "Executable",
    "InferenceSession",
    "ModelError",
    "ModelFileError",
    "ModelWarning",
    "NeedsShape",
    "NeedsValue",
    "RunError",
    "TuningWarning",
    "bundle",
    "codesign",
    "compile",
    "explore",
    "import_onnx",
    "load",
    "quantize",
    "tune",
]


def __getattr__(name: str) -> object:
    if name == "torch":
        try:
            return importlib.import_module("acc.torch")
        except CompileError as error:
            raise AttributeError(str(error)) from error
    if name not in _LAZY:
        raise AttributeError(f"module 'acc' has no attribute '{name}'")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value
