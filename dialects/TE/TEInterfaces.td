//===- TEInterfaces.td - What a target says of itself ------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_TE_TEINTERFACES_TD
#define ACC_DIALECTS_TE_TEINTERFACES_TD

include "mlir/IR/OpBase.td"

def TE_TargetAttrInterface : AttrInterface<"TargetAttrInterface"> {
  let cppNamespace = "::acc::te";
  let description = [{
    Who executes a kernel. The passes of te ask the attribute for everything
    that differs between targets: its memories, its intrinsics, and the
    operations that it has for them. What a target does not answer has a default
    that suits one without memories of its own.
  }];
  let methods = [
    InterfaceMethod<[{
        The name that users and policies know the target by.
      }], "::llvm::StringRef", "getTargetName">,
    InterfaceMethod<[{
        Whether kernels run where `main` runs, as native code.
      }], "bool", "isHost", (ins), [{}], [{ return false; }]>,
    InterfaceMethod<[{
        The memories that slices of a kernel's arguments can be staged in.
      }], "::llvm::SmallVector<::acc::te::Memory>", "getMemories", (ins),
      [{}], [{ return {}; }]>,
    InterfaceMethod<[{
        The memory space for what plays `role`; null is the default space.
      }], "::mlir::Attribute", "getMemorySpace",
      (ins "::acc::te::Role":$role), [{}], [{ return {}; }]>,
    InterfaceMethod<[{
        The target's `te.intrin`s, as text.
      }], "std::string", "getIntrinsics", (ins), [{}], [{ return {}; }]>,
    InterfaceMethod<[{
        Whether an intrinsic can set a buffer to `value`. What cannot be set is
        zeroed, and `value` is added.
      }], "bool", "canFill", (ins "const ::llvm::APInt &":$value), [{}],
      [{ return true; }]>,
    InterfaceMethod<[{
        Creates the operation that `intrin` emits, for the operands of `match`.
        Fails, without an error, if it cannot encode them.
      }], "::llvm::LogicalResult", "emitIntrinsic",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "::acc::te::IntrinOp":$intrin,
           "const ::acc::te::IntrinsicMatch &":$match), [{}],
      [{ return ::mlir::failure(); }]>,
    InterfaceMethod<[{
        Creates the operation that does what `read` does; `read` itself is
        erased by the caller. Fails with an error if there is none.
      }], "::llvm::LogicalResult", "emitRead",
      (ins "::mlir::OpBuilder &":$builder, "::acc::te::CacheReadOp":$read),
      [{}], [{ return read.emitOpError("has no counterpart on the target"); }]>,
    InterfaceMethod<[{
        Creates the operation that does what `write` does, in the same way.
      }], "::llvm::LogicalResult", "emitWrite",
      (ins "::mlir::OpBuilder &":$builder, "::acc::te::CacheWriteOp":$write),
      [{}], [{ return write.emitOpError("has no counterpart on the target"); }]>
  ];
}

def TE_ProgramOpInterface : OpInterface<"ProgramOpInterface"> {
  let cppNamespace = "::acc::te";
  let description = [{
    A program for a processor that the host does not run itself. The programs
    of a module are numbered in their order.
  }];
}

def TE_ProgramLaunchOpInterface : OpInterface<"ProgramLaunchOpInterface"> {
  let cppNamespace = "::acc::te";
  let description = [{
    Runs a program: the operands are its buffers, in order. In `main` it becomes
    a call of the runtime, as a `te.launch` of a program does.
  }];
  let methods = [
    InterfaceMethod<[{
        The symbol of the program.
      }], "::mlir::FlatSymbolRefAttr", "getProgramSymbol">,
    InterfaceMethod<[{
        How many kernels the program is made of: each is a layer of the report.
      }], "int64_t", "getNumKernels", (ins), [{}], [{ return 1; }]>
  ];
}

#endif // ACC_DIALECTS_TE_TEINTERFACES_TD
