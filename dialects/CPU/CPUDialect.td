//===- CPUDialect.td - The cpu dialect ---------------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_CPU_CPUDIALECT_TD
#define ACC_DIALECTS_CPU_CPUDIALECT_TD

include "mlir/IR/OpBase.td"

def CPU_Dialect : Dialect {
  let name = "cpu";
  let cppNamespace = "::acc::cpu";
  let summary = "What kernels of the host compute that linalg has no word for";
  let hasOperationAttrVerify = 1;
  let extraClassDeclaration = [{
    /// Attributes of the module for the writer of the container: an array of
    /// the constants, and the bytes of the workspace.
    static constexpr ::llvm::StringLiteral kConstants = "cpu.constants";
    static constexpr ::llvm::StringLiteral kWorkspace = "cpu.workspace";
    /// Attribute of the module, also for that: the code runs loops in parallel.
    static constexpr ::llvm::StringLiteral kParallel = "cpu.parallel";
    /// Attributes of the arguments of main: the constant that an argument is,
    /// and the number of the output that an argument or a result is.
    static constexpr ::llvm::StringLiteral kConstant = "cpu.constant";
    static constexpr ::llvm::StringLiteral kOutput = "cpu.output";
    /// Attribute of a kernel, for guards: offset and size in bytes of each piece
    /// of its scratch memory.
    static constexpr ::llvm::StringLiteral kScratch = "cpu.scratch";
  }];
}

class CPU_Op<string mnemonic, list<Trait> traits = []>
    : Op<CPU_Dialect, mnemonic, traits>;

#endif // ACC_DIALECTS_CPU_CPUDIALECT_TD
