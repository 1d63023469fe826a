"""The element types of tensors: one table for the names that ONNX, numpy and MLIR have for them.

Elements narrower than a byte take a byte each, in arrays, in compiled models and in the C interface: the element in
its low bits, as in ml_dtypes. The other bits are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

__all__ = ["BY_MLIR", "BY_NAME", "BY_ONNX", "ElementType", "element_type", "largest_of"]


@dataclass(frozen=True)
class ElementType:
    """One element type.

    Attributes:
        onnx: its number in TensorProto.DataType.
        name: of the numpy type; those that numpy does not have are ml_dtypes'.
        mlir: of the type in the graph dialect.
        kind: of what it holds.
        bits: of an element; in memory it takes whole bytes.
        computes: whether arithmetic takes it. The others are moved, cast and quantized.
    """

    onnx: int
    name: str
    mlir: str
    kind: Literal["float", "int", "uint", "bool"]
    bits: int
    computes: bool = True

    @property
    def dtype(self) -> np.dtype:
        """The numpy type; needs ml_dtypes for those that are its."""
        return _dtype(self.name)


@cache
def _dtype(name: str) -> np.dtype:
    if name in np.sctypeDict:
        return np.dtype(name)
    import ml_dtypes

    return np.dtype(getattr(ml_dtypes, name))


_ALL = (
    ElementType(1, "float32", "f32", "float", 32),
    ElementType(11, "float64", "f64", "float", 64),
    ElementType(10, "float16", "f16", "float", 16),
    ElementType(16, "bfloat16", "bf16", "float", 16),
    ElementType(3, "int8", "i8", "int", 8),
    ElementType(5, "int16", "i16", "int", 16),
    ElementType(6, "int32", "i32", "int", 32),
    ElementType(7, "int64", "i64", "int", 64),
    ElementType(2, "uint8", "ui8", "uint", 8),
    ElementType(4, "uint16", "ui16", "uint", 16),
    ElementType(12, "uint32", "ui32", "uint", 32),
    ElementType(13, "uint64", "ui64", "uint", 64),
    ElementType(9, "bool", "i1", "bool", 1),
    ElementType(17, "float8_e4m3fn", "f8E4M3FN", "float", 8, False),
    ElementType(18, "float8_e4m3fnuz", "f8E4M3FNUZ", "float", 8, False),
    ElementType(19, "float8_e5m2", "f8E5M2", "float", 8, False),
    ElementType(20, "float8_e5m2fnuz", "f8E5M2FNUZ", "float", 8, False),
    ElementType(24, "float8_e8m0fnu", "f8E8M0FNU", "float", 8, False),
    ElementType(27, "float6_e2m3fn", "f6E2M3FN", "float", 6, False),
    ElementType(28, "float6_e3m2fn", "f6E3M2FN", "float", 6, False),
    ElementType(23, "float4_e2m1fn", "f4E2M1FN", "float", 4, False),
    ElementType(22, "int4", "i4", "int", 4, False),
    ElementType(26, "int2", "i2", "int", 2, False),
    ElementType(21, "uint4", "ui4", "uint", 4, False),
    ElementType(25, "uint2", "ui2", "uint", 2, False),
)

BY_ONNX = {element.onnx: element for element in _ALL}
BY_NAME = {element.name: element for element in _ALL}
BY_MLIR = {element.mlir: element for element in _ALL}


def element_type(dtype: np.dtype) -> ElementType:
    """The element type of an array; raises KeyError for one that acc does not have."""
    return BY_NAME[dtype.name]


def largest_of(dtype: np.dtype) -> float:
    """The largest finite number of a float type."""
    if dtype.kind == "f":
        return float(np.finfo(dtype).max)
    import ml_dtypes

    return float(ml_dtypes.finfo(dtype).max)
