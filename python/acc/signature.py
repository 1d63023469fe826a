"""The inputs and outputs of a model, read from its main function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from acc import ir
from acc.container import TensorInfo
from acc.dtypes import BY_MLIR
from acc.errors import CompileError

__all__ = ["read_signature"]


def read_signature(module: ir.Module) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
    """The inputs and outputs of main, while its types still have what only ONNX knows (signs)."""
    function = next(op for op in module.body if op.name == "func.func")
    block = function.regions[0].blocks[0]
    returned = block.operations[len(block.operations) - 1].operands

    def infos(attribute: str, values: Sequence[ir.Value]) -> tuple[TensorInfo, ...]:
        if not values:
            return ()
        result = []
        for entry, value in zip(function.attributes[attribute].value, values, strict=True):
            kind = ir.ShapedType(value.type)
            element = BY_MLIR.get(str(kind.element_type))
            name = str(entry["graph.name"])
            if element is None:
                raise CompileError(f"'{name}' has elements of {kind.element_type}, which no array can hold")
            result.append(TensorInfo(name, element.name, _sizes(kind, entry)))
        return tuple(result)

    return infos("arg_attrs", list(block.arguments)), infos("res_attrs", list(returned))


def _sizes(kind: ir.ShapedType, entry: Any) -> tuple[int | str, ...]:
    """The shape, with the names that `graph.dims` gives to sizes that are not fixed."""
    names = [str(name) for name in entry["graph.dims"]] if "graph.dims" in entry else []
    names += [""] * (kind.rank - len(names))
    return tuple((name or "?") if size < 0 else size for size, name in zip(kind.shape, names, strict=True))
