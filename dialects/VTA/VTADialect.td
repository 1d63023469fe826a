//===- VTADialect.td - The vta dialect ---------------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_VTA_VTADIALECT_TD
#define ACC_DIALECTS_VTA_VTADIALECT_TD

include "mlir/IR/OpBase.td"

def VTA_Dialect : Dialect {
  let name = "vta";
  let cppNamespace = "::acc::vta";
  let summary = "The accelerator: scratchpads, tensor instructions, programs";
  let dependentDialects = [];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let extraClassDeclaration = [{
    /// Attribute of a convolution whose input the host packs: rows and columns
    /// of its window that go side by side into lanes, an array of two.
    static constexpr ::llvm::StringLiteral kFold = "vta.fold";
    /// Attribute of what may write its channels in any order (a convolution or a
    /// matrix product with constant weights, a multiple of one tensor, and those
    /// operands of a concatenation that are copied): the channel that every lane
    /// of its result holds, -1 for none, an array.
    static constexpr ::llvm::StringLiteral kLanes = "vta.lanes";
    /// Attribute of a convolution of each channel by itself that the products of
    /// windows compute, a unit.
    static constexpr ::llvm::StringLiteral kWindow = "vta.window";
    /// Attribute of a graph.max_pool that takes maxima along one axis of its
    /// windows, for several windows at once, and then along the other: the
    /// first axis, 0 for rows or 1 for columns, an i64.
    static constexpr ::llvm::StringLiteral kSeparate = "vta.separate";
    /// The steps that compute a graph.lookup, a #vta.activation.
    static constexpr ::llvm::StringLiteral kActivation = "vta.activation";
    /// Attribute of a graph.lookup that the vector unit does by a table of its
    /// own, one for all channels; a unit.
    static constexpr ::llvm::StringLiteral kTable = "vta.table";

    void registerAttributes();
  }];
}

class VTA_Op<string mnemonic, list<Trait> traits = []>
    : Op<VTA_Dialect, mnemonic, traits>;

#endif // ACC_DIALECTS_VTA_VTADIALECT_TD
