"""MLIR in Python: contexts, types, attributes and operations, named and shaped after upstream's `mlir.ir`.

What differs from upstream, and why:

- A `Context` knows all dialects of acc and of upstream at once.
- There are no classes per operation: `Operation.create` builds any registered operation, checks the
  attributes it declares and infers its result types on request.
- Wherever an attribute is wanted a Python value will do. `int` is an `i64`, `float` an `f64`, numpy scalars keep
  their type; `str`, `bool`, `dict` and types map to their attributes. A list of only ints, floats or bools is a
  `DenseI64ArrayAttr`, `DenseF64ArrayAttr` or `DenseBoolArrayAttr`, any other (and an empty one) an `ArrayAttr`;
  a numpy array is a `DenseElementsAttr`, a splat if all its elements are equal. `attr.value` goes back.
- Attributes of acc's dialects are of the classes in `acc.dialects`, where these are imported.
- Errors are `MLIRError`, with the diagnostics and the ONNX node names in their locations.
- References to operations that were erased, or that a pass may have erased, raise `ValueError` when used. A pass
  manager's run invalidates every reference into the operation it ran on, but not that to the operation itself.
"""

from __future__ import annotations

from acc._mlir import (
    AffineAddExpr,
    AffineBinaryExpr,
    AffineCeilDivExpr,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineFloorDivExpr,
    AffineMap,
    AffineMapAttr,
    AffineModExpr,
    AffineMulExpr,
    AffineSymbolExpr,
    ArrayAttr,
    Attribute,
    BF16Type,
    Block,
    BlockArgument,
    BlockList,
    BoolAttr,
    Context,
    DenseBoolArrayAttr,
    DenseElementsAttr,
    DenseF32ArrayAttr,
    DenseF64ArrayAttr,
    DenseI8ArrayAttr,
    DenseI32ArrayAttr,
    DenseI64ArrayAttr,
    DenseResourceElementsAttr,
    DictAttr,
    F16Type,
    F32Type,
    F64Type,
    FlatSymbolRefAttr,
    FloatAttr,
    FloatType,
    FunctionType,
    IndexType,
    InsertionPoint,
    IntegerAttr,
    IntegerType,
    Location,
    MemRefType,
    Module,
    NoneType,
    OpAttributeMap,
    Operation,
    OperationList,
    OpOperand,
    OpResult,
    QuantizedType,
    RankedTensorType,
    Region,
    ShapedType,
    StringAttr,
    SymbolRefAttr,
    Type,
    TypeAttr,
    UnitAttr,
    Value,
    VectorType,
    WalkOrder,
    WalkResult,
)
from acc.errors import Diagnostic, MLIRError

__all__ = [
    "AffineAddExpr",
    "AffineBinaryExpr",
    "AffineCeilDivExpr",
    "AffineConstantExpr",
    "AffineDimExpr",
    "AffineExpr",
    "AffineFloorDivExpr",
    "AffineMap",
    "AffineMapAttr",
    "AffineModExpr",
    "AffineMulExpr",
    "AffineSymbolExpr",
    "ArrayAttr",
    "Attribute",
    "BF16Type",
    "Block",
    "BlockArgument",
    "BlockList",
    "BoolAttr",
    "Context",
    "DenseBoolArrayAttr",
    "DenseElementsAttr",
    "DenseF32ArrayAttr",
    "DenseF64ArrayAttr",
    "DenseI8ArrayAttr",
    "DenseI32ArrayAttr",
    "DenseI64ArrayAttr",
    "DenseResourceElementsAttr",
    "Diagnostic",
    "DictAttr",
    "F16Type",
    "F32Type",
    "F64Type",
    "FlatSymbolRefAttr",
    "FloatAttr",
    "FloatType",
    "FunctionType",
    "IndexType",
    "InsertionPoint",
    "IntegerAttr",
    "IntegerType",
    "Location",
    "MLIRError",
    "MemRefType",
    "Module",
    "NoneType",
    "OpAttributeMap",
    "OpOperand",
    "OpResult",
    "Operation",
    "OperationList",
    "QuantizedType",
    "RankedTensorType",
    "Region",
    "ShapedType",
    "StringAttr",
    "SymbolRefAttr",
    "SymbolTable",
    "Type",
    "TypeAttr",
    "UnitAttr",
    "Value",
    "VectorType",
    "WalkOrder",
    "WalkResult",
    "shape_of",
]


def shape_of(value: Value) -> list[int]:
    """The sizes of a tensor or memref; -1 where one is not known."""
    return list(ShapedType(value.type).shape)


class SymbolTable:
    """The symbols directly inside an operation such as a module, by name."""

    def __init__(self, operation: Operation | Module) -> None:
        self.operation = operation.operation

    def __contains__(self, name: str) -> bool:
        return self.operation.lookup_symbol(name) is not None

    def __getitem__(self, name: str) -> Operation:
        """The operation of that name; raises KeyError."""
        found = self.operation.lookup_symbol(name)
        if found is None:
            raise KeyError(name)
        return found

    def get(self, name: str) -> Operation | None:
        """The operation of that name, or None."""
        return self.operation.lookup_symbol(name)
