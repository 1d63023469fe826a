//===- HostInterface.h - Calls of the runtime -------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_HOST_HOSTINTERFACE_H
#define ACC_PASSES_HOST_HOSTINTERFACE_H

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace acc::host {

/// What an element of a buffer takes; those of type index take 64 bits.
int64_t getElementBytes(mlir::Type element);

/// Arguments of acc_model_main.
enum class MainArgument { Api, Context, Inputs, Outputs, Constants, Workspace };

/// Members of acc_host_api (runtime/include/acc/runtime.h), in their order.
enum class Hook {
  Launch,
  Layer,
  Size,
  Allocate,
  Release,
  Output,
  Fail,
  Guard,
  Check,
  Row,
  Parallel
};

/// Builds calls of the runtime in acc_model_main, at the builder's position.
class HostInterface {
public:
  HostInterface(mlir::OpBuilder &builder, mlir::func::FuncOp main)
      : builder(builder), main(main) {}

  mlir::Value argument(MainArgument which) {
    return main.getArgument(static_cast<unsigned>(which));
  }
  /// The pointer at a position of a table of pointers.
  mlir::Value loadPointer(mlir::Location loc, mlir::Value table, int64_t index);
  mlir::Value offsetPointer(mlir::Location loc, mlir::Value base,
                            int64_t bytes);
  mlir::Value constant(mlir::Location loc, unsigned bits, int64_t value);

  /// Calls a hook with the context and `operands`; null where there is no
  /// result.
  mlir::Value call(mlir::Location loc, Hook hook, mlir::Type result,
                   mlir::ValueRange operands);
  /// Memory on the stack that holds the values, of one type of 8 bytes.
  mlir::Value makeArray(mlir::Location loc, mlir::ValueRange values);

  /// The hooks for buffers whose sizes, of type index, are known at run time.
  mlir::Value inputSize(mlir::Location loc, int64_t input, int64_t dim);
  mlir::Value allocate(mlir::Location loc, mlir::ValueRange sizes,
                       int64_t elementBytes);
  mlir::Value output(mlir::Location loc, int64_t index, mlir::ValueRange sizes);
  void release(mlir::Location loc, mlir::Value pointer);
  /// Says why the run fails: texts with a number, of type index, between each
  /// two.
  void fail(mlir::Location loc, llvm::ArrayRef<llvm::StringRef> parts,
            mlir::ValueRange numbers = {});

  /// The address of a text that the image holds, ended by a zero.
  mlir::Value text(mlir::Location loc, llvm::StringRef text);

  /// Ends the block: returns `status` if `condition` holds. Goes on in a new
  /// block, to which what follows has been moved.
  void returnIf(
      mlir::Location loc, mlir::Value condition, mlir::Value status,
      llvm::function_ref<void()> before = [] {});
  void returnIfNull(mlir::Location loc, mlir::Value pointer);

private:
  mlir::Value toIntegers(mlir::Location loc, mlir::ValueRange sizes);

  mlir::OpBuilder &builder;
  mlir::func::FuncOp main;
  unsigned messages = 0;
  /// The global that holds a text.
  llvm::StringMap<mlir::LLVM::GlobalOp> texts;
};

} // namespace acc::host

#endif // ACC_PASSES_HOST_HOSTINTERFACE_H
