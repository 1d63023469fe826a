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
  /// Of 64-bit Linux with glibc; empty: the machine's own.
  std::string triple;
  /// As LLVM names it; "native": the machine's own, or, for another
  /// architecture, "generic", what distributions for it are compiled for.
  std::string cpu = "native";
  /// As in "+avx2,-avx512f", on top of what the processor has.
  std::string features;
  /// 0 to 3.
  unsigned optLevel = 2;
};

/// The name LLVM gives this machine's processor.
std::string hostCpu();

/// What LLVM knows of a target.
struct TargetFacts {
  /// As Debian writes it, "aarch64-linux-gnu".
  std::string triple;
  /// "native" and "generic" resolved.
  std::string cpu;
  /// All instructions that the code may use, by the names of features, sorted.
  std::vector<std::string> features;
};

/// Fails for a triple that models are not made for and an unknown processor or
/// feature, with the reason in `error`.
mlir::FailureOr<TargetFacts> targetFacts(const ObjectTarget &target,
                                         std::string &error);

using ObjectFile = llvm::SmallVector<char, 0>;

/// Translates what `module` holds of the LLVM dialect to LLVM IR, optimizes it
/// and emits relocatable, position independent object files, several at the
/// same time if there is much of it: they are to be linked together, and the
/// same for any number of threads. Reports errors at the module.
mlir::FailureOr<std::vector<ObjectFile>>
emitObjects(mlir::ModuleOp module, const ObjectTarget &target);

} // namespace acc::host

#endif // ACC_PASSES_HOST_OBJECTEMISSION_H
