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
    void registerAttributes();
  }];
}

class VTA_Op<string mnemonic, list<Trait> traits = []>
    : Op<VTA_Dialect, mnemonic, traits>;

#endif // ACC_DIALECTS_VTA_VTADIALECT_TD
