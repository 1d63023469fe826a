"""MLIR's own Python bindings, with the dialects and passes of acc.

`acc.mlir.ir`, `acc.mlir.passmanager` and `acc.mlir.dialects` are upstream's, compiled over the MLIR that acc uses, so
what is written about `mlir.ir` holds. Every context knows acc's dialects, every pass manager its passes.

    from acc.mlir import ir
    from acc.mlir.dialects import te
    from acc.mlir.passmanager import PassManager
    from acc.passes import te as te_passes

    with ir.Context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        kernel = module.body.operations[0]          # a te.KernelOp
        kernel.attributes["schedule"] = te.ScheduleAttr.get([te.TileAttr.get([1, 2, 8])])
        manager = PassManager("builtin.module")
        manager.add(te_passes.tile())
        manager.run(module.operation)

`acc.mlir.additions` has what upstream lacks. Scripts that say `import mlir` run after `install_as_mlir()`, or as
`python -m acc.mlir script.py`.

This package imports nothing; its modules load MLIR, in about 0.2 seconds.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

__all__ = ["install_as_mlir"]


class _AsMlir(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `mlir` and all below it as the very modules of `acc.mlir`."""

    def __init__(self) -> None:
        self.specs: dict[str, importlib.machinery.ModuleSpec | None] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "mlir" and not fullname.startswith("mlir."):
            return None
        # None for what acc.mlir does not have, so that the error names what was asked for.
        if importlib.util.find_spec(f"acc.{fullname}") is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(f"acc.{spec.name}")
        self.specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has set the specification to that of the alias.
        assert module.__spec__ is not None
        module.__spec__ = self.specs.pop(module.__spec__.name)


def install_as_mlir() -> None:
    """Makes `import mlir` and `from mlir.dialects import ...` yield the modules of `acc.mlir` from now on.

    Raises ImportError if another package called mlir has been imported. Calling it twice does nothing.
    """
    if any(isinstance(finder, _AsMlir) for finder in sys.meta_path):
        return
    if "mlir" in sys.modules:
        raise ImportError("another package called mlir is already imported: call install_as_mlir before that")
    sys.meta_path.insert(0, _AsMlir())
