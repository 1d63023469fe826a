"""Pass managers, named and shaped after upstream's `mlir.passmanager`.

pm = PassManager.parse("builtin.module(canonicalize,cse)")
pm.add(te.tile())            # a function of acc.passes
pm.add(my_function)          # called with the operation; raising fails the pass and reaches the caller of run
pm.run(module)               # raises MLIRError with the diagnostics; other Python threads run meanwhile
pm.timings                   # [("canonicalize", seconds), ...] of the last run
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from acc import _mlir
from acc._mlir import Context, InsertionPoint, Location, Module, Operation
from acc.interruptible import interruptible

__all__ = ["PassManager"]


class PassManager:
    """A pipeline of passes over one kind of operation."""

    def __init__(self, anchor_op: str = "builtin.module", context: Context | None = None) -> None:
        """An empty pipeline for operations called `anchor_op` ("any" for any)."""
        self._native = _mlir.PassManager(anchor_op, context)

    @classmethod
    def parse(cls, pipeline: str, context: Context | None = None) -> PassManager:
        """A pipeline from its text, such as "builtin.module(canonicalize)"; raises MLIRError."""
        manager = cls.__new__(cls)
        manager._native = _mlir.PassManager.parse(pipeline, context)
        return manager

    @property
    def context(self) -> Context:
        return self._native.context

    def add(self, passes: str | Callable[[Operation], object], name: str | None = None) -> None:
        """Appends passes by their text ("canonicalize,func.func(cse)") or one callable as a pass.

        The callable gets the operation and must not keep references into it. What it raises, `run` raises.
        """
        self._native.add(passes, name)

    def run(self, operation: Module | Operation) -> None:
        """Runs the pipeline; raises MLIRError with the diagnostics if a pass fails.

        Ctrl-C raises KeyboardInterrupt at once; the operation is of no use then, as passes may still be at it.
        """
        defaults = _mlir._defaults()

        def work() -> None:
            with _defaults(defaults):
                self._native.run(operation)

        interruptible(work, self._native.cancel)

    def enable_verifier(self, enable: bool = True) -> None:
        """Whether the IR is verified after every pass, which it is by default."""
        self._native.enable_verifier(enable)

    @property
    def timings(self) -> list[tuple[str, float]]:
        """Pass name and wall-clock seconds, in the order the passes of the last run ended."""
        return self._native.timings

    def __str__(self) -> str:
        return str(self._native)


@contextlib.contextmanager
def _defaults(frames: Sequence[tuple[Context, Location | None, InsertionPoint | None]]) -> Iterator[None]:
    """The `with` statements of another thread, in this one."""
    inside = bool(_mlir._defaults())
    for frame in () if inside else frames:
        _mlir._push_defaults(*frame)
    try:
        yield
    finally:
        for _ in () if inside else frames:
            _mlir._pop_defaults()
