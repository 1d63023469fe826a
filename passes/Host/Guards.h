//===- Guards.h - Code that looks after its own memory ----------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_HOST_GUARDS_H
#define ACC_PASSES_HOST_GUARDS_H

#include "passes/Host/HostInterface.h"

namespace acc::host {

/// The address of a buffer's first element.
mlir::Value getAddress(mlir::OpBuilder &builder, mlir::Location loc,
                       const mlir::LLVMTypeConverter &converter,
                       mlir::Value buffer);

/// Emits the calls around the launch of a kernel that let the runtime find
/// writes to what is not the kernel's (docs/runtime.md).
class LaunchGuard {
public:
  LaunchGuard(mlir::OpBuilder &builder, HostInterface &host,
              const mlir::LLVMTypeConverter &converter, mlir::Location loc)
      : builder(builder), host(host), converter(converter), loc(loc) {}

  /// A buffer that the kernel is given; values that are none are ignored.
  void add(mlir::Value operand, bool isWritten);
  /// Memory of which the kernel uses several buffers, each at an offset with a
  /// size in bytes.
  void addScratch(mlir::Value operand, llvm::ArrayRef<int64_t> pieces);

  void begin();
  /// Returns from main when something is wrong.
  void check();

private:
  /// Adds the bytes at `memory` to those that are checked. Null `writable`: the
  /// kernel must not write to any of them.
  void append(const std::string &name, mlir::Value memory, mlir::Value bytes,
              mlir::Value writable, mlir::Value writableBytes);
  mlir::Value callCheck(bool after);
  mlir::Value getBytes(mlir::Value buffer);

  mlir::OpBuilder &builder;
  HostInterface &host;
  const mlir::LLVMTypeConverter &converter;
  mlir::Location loc;
  unsigned reads = 0, writes = 0;
};

/// Surrounds what a kernel stores of less than a register, after narrowing it,
/// by calls with which the runtime sees to it that nothing behind it changes.
/// The kernel's first arguments are those of acc_model_main.
void guardRows(mlir::func::FuncOp kernel,
               const mlir::LLVMTypeConverter &converter);

} // namespace acc::host

#endif // ACC_PASSES_HOST_GUARDS_H
