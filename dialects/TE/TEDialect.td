//===- TEDialect.td - The te dialect -----------------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_TE_TEDIALECT_TD
#define ACC_DIALECTS_TE_TEDIALECT_TD

include "mlir/IR/OpBase.td"

def TE_Dialect : Dialect {
  let name = "te";
  let cppNamespace = "::acc::te";
  let summary = "How to compute it: kernels of linalg and their schedules";
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let extraClassDeclaration = [{
    /// Discardable attribute of an scf.for: how many consecutive iterations
    /// are virtual threads.
    static constexpr ::llvm::StringLiteral kVThread = "te.vthread";
    /// Discardable attribute of an scf.for, [level, axis]: the level of the
    /// schedule that made it and the axis it tiles.
    static constexpr ::llvm::StringLiteral kLoop = "te.loop";
    /// Discardable attribute of a linalg operation in a kernel of the host: the
    /// #te.schedule that it is lowered by.
    static constexpr ::llvm::StringLiteral kSchedule = "te.schedule";
    /// Discardable attribute of a kernel of the host with one result, [low...,
    /// high...] with as many elements as the result has dimensions: what lies so
    /// far from the beginnings and ends of the dimensions holds one value, which
    /// does not depend on the inputs.
    static constexpr ::llvm::StringLiteral kBorder = "te.border";
  }];
}

class TE_Op<string mnemonic, list<Trait> traits = []>
    : Op<TE_Dialect, mnemonic, traits>;

#endif // ACC_DIALECTS_TE_TEDIALECT_TD
