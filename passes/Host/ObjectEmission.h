//===- ObjectEmission.h - From LLVM dialect to object code ------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_HOST_OBJECTEMISSION_H
#define ACC_PASSES_HOST_OBJECTEMISSION_H

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace acc::host {

/// For which processor code is generated.
struct ObjectTarget {
  /// Empty: the machine's own.
  std::string triple;
  /// As LLVM names it; "native": the machine's own.
  std::string cpu = "native";
  /// As in "+avx2,-avx512f", on top of what the processor has.
  std::string features;
  /// 0 to 3.
  unsigned optLevel = 2;
};

/// The name LLVM gives this machine's processor.
std::string hostCpu();
/// All features that code for `target` may use, sorted; fails for an unknown
/// processor, with the reason in `error`.
mlir::FailureOr<std::vector<std::string>>
targetFeatures(const ObjectTarget &target, std::string &error);

/// Translates what `module` holds of the LLVM dialect to LLVM IR, optimizes it
/// and emits a relocatable, position independent object file. Reports errors at
/// the module.
mlir::LogicalResult emitObject(mlir::ModuleOp module,
                               const ObjectTarget &target,
                               llvm::SmallVectorImpl<char> &object);

} // namespace acc::host

#endif // ACC_PASSES_HOST_OBJECTEMISSION_H
