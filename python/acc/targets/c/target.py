"""The target "c": a model as one source and one header of C11."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from acc import _mlir, ir
from acc.dtypes import BY_MLIR
from acc.errors import CompileError, Fault, MLIRError
from acc.files import creating_folder
from acc.pipeline import Graph, Kernels, Pipeline
from acc.report import LayerReport, make_reports
from acc.targets.base import SourceTarget, check_ties
from acc.targets.c.header import C_TYPES, identifier, make_header
from acc.targets.c.schedule import LANES
from acc.targets.c.stages import ALIGNMENT, make_loops, make_source
from acc.wording import plain

__all__ = ["C"]


@dataclass(frozen=True)
class C(SourceTarget):
    """C without a heap and without an operating system, for processors that LLVM does not know, or nobody wants to
    bring a runtime to.
    """

    name: ClassVar[str] = "c"
    title: ClassVar[str] = "C source"
    takes: ClassVar[Mapping[str, str]] = {
        "ties": "the rounding of ties",
        "lanes": "the length of rows from which on they are vectors",
    }

    rounding_of_ties: str = "even"
    lanes: int = LANES

    def __post_init__(self) -> None:
        """Raises CompileError for a rounding of ties that there is not, or a negative length of rows."""
        check_ties(self.rounding_of_ties)
        if self.lanes < 0:
            raise CompileError(f"lanes={self.lanes}: rows have no negative length; 0 is for none")

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> C:
        """See Target."""
        try:
            lanes = int(options.get("lanes", LANES))
        except (TypeError, ValueError):
            raise CompileError(f"lanes={options['lanes']}: a number of elements is wanted, such as {LANES}") from None
        return cls(rounding_of_ties=options.get("ties", "even"), lanes=lanes)

    @property
    def ties(self) -> str:
        """See Target."""
        return self.rounding_of_ties

    def write(
        self,
        pipeline: Pipeline,
        graph: Graph,
        folder: str | os.PathLike[str],
        model: str,
        kernels: Kernels | None = None,
    ) -> tuple[LayerReport, ...]:
        """See SourceTarget."""
        source = os.path.basename(model)
        prefix = identifier(Path(source).stem, "model")
        _refuse(graph, source)
        infos = (*graph.inputs, *graph.outputs)
        kernels = kernels or pipeline.make_kernels(graph)
        pipeline.transform("loops", kernels.module, lambda pm: make_loops(pm, self.lanes))
        types = [C_TYPES[info.dtype] for info in infos]
        try:
            pipeline.transform("C", kernels.module, lambda pm: make_source(pm, prefix, types))
        except Fault as fault:
            if reasons := _reasons(fault):
                raise _refusal(source, reasons) from fault
            raise
        arena_bytes = int(kernels.module.operation.attributes["cpu.workspace"].value)
        text = _mlir.emit_c(kernels.module)
        header = make_header(prefix, source, graph.inputs, graph.outputs, arena_bytes, ALIGNMENT)
        with creating_folder(folder, CompileError) as made:
            (made / f"{prefix}.c").write_bytes(text)
            (made / f"{prefix}.h").write_text(header, encoding="utf-8")
        return tuple(make_reports(kernels))


def _operations(owner: Any) -> Iterator[ir.Operation]:
    for region in owner.regions:
        for block in region.blocks:
            for op in block.operations:
                yield op
                yield from _operations(op)


def _refuse(graph: Graph, source: str) -> None:
    """Raises CompileError with everything in a model that cannot be in C, by the names of ONNX nodes."""
    reasons: dict[str, None] = {}
    for kind, infos in (("input", graph.inputs), ("output", graph.outputs)):
        for info in infos:
            if info.dtype not in C_TYPES:
                reasons[f"{kind} '{info.name}': C has no elements of type {info.dtype}"] = None
            elif info.fixed_shape is None:
                reasons[f"{kind} '{info.name}': its size is known at run time only"] = None
    for op in _operations(graph.module.operation):
        for value in op.results:
            if not isinstance(value.type, ir.ShapedType):
                continue
            where = f"node '{', '.join(op.location.names)}'" if op.location.names else f"operator {op.name}"
            element = BY_MLIR.get(str(value.type.element_type))
            if element is not None and element.name not in C_TYPES and op.name != "graph.constant":
                reasons[f"{where}: C has no elements of type {element.name}"] = None
            if any(size < 0 for size in value.type.shape):
                reasons[f"{where}: its result has a size that is known at run time only"] = None
    if reasons:
        raise _refusal(source, list(reasons))


def _refusal(source: str, reasons: list[str]) -> CompileError:
    lines = "\n".join(f"  {reason}" for reason in reasons)
    return CompileError(
        f"'{source}' cannot become C:\n{lines}\n"
        "fix sizes by --shape and inputs that decide on sizes by --value, or compile for target 'cpu'"
    )


def _reasons(fault: Fault) -> list[str]:
    """What the pass to C said, in the words of users; nothing for faults of another kind."""
    cause = fault.__cause__
    if not isinstance(cause, MLIRError):
        return []
    said = [item for item in cause.diagnostics if item.severity == "error"]
    return list(dict.fromkeys((f"node '{item.name}': " if item.name else "") + plain(item.message) for item in said))
