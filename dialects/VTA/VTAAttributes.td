//===- VTAAttributes.td - Attributes of the vta dialect ----*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_VTA_VTAATTRIBUTES_TD
#define ACC_DIALECTS_VTA_VTAATTRIBUTES_TD

include "dialects/VTA/VTADialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

def VTA_MemorySpace : I32EnumAttr<"MemorySpace", "a memory of the accelerator", [
    I32EnumAttrCase<"Uop", 0, "uop">,
    I32EnumAttrCase<"Wgt", 1, "wgt">,
    I32EnumAttrCase<"Inp", 2, "inp">,
    I32EnumAttrCase<"Acc", 3, "acc">,
    I32EnumAttrCase<"Dram", 4, "dram">]> {
  let genSpecializedAttr = 0;
  let cppNamespace = "::acc::vta";
}

def VTA_MemAttr : EnumAttr<VTA_Dialect, VTA_MemorySpace, "mem"> {
  let summary = "Memory space of a memref: a scratchpad or DRAM";
  let assemblyFormat = "`<` $value `>`";
}

// Numbered as the instruction set encodes them.
def VTA_AluKind : I32EnumAttr<"AluKind", "an operation of the vector unit", [
    I32EnumAttrCase<"Min", 0, "min">,
    I32EnumAttrCase<"Max", 1, "max">,
    I32EnumAttrCase<"Add", 2, "add">,
    I32EnumAttrCase<"Shr", 3, "shr">,
    I32EnumAttrCase<"Mul", 4, "mul">]> {
  let genSpecializedAttr = 0;
  let cppNamespace = "::acc::vta";
}

def VTA_AluKindAttr : EnumAttr<VTA_Dialect, VTA_AluKind, "alu_op">;

#endif // ACC_DIALECTS_VTA_VTAATTRIBUTES_TD
