//===- TEOps.td - Operators of the te dialect --------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_TE_TEOPS_TD
#define ACC_DIALECTS_TE_TEOPS_TD

include "dialects/TE/TEDialect.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def TE_KernelOp : TE_Op<"kernel", [
    IsolatedFromAbove, FunctionOpInterface, AffineScope, AutomaticAllocationScope]> {
  let summary = "One fused computation, assigned to a target";
  let description = [{
    An anchor (such as a convolution) with its prologue and epilogue, written
    in upstream linalg, tensor and arith. Destination-passing: the trailing
    arguments, as many as there are results, are the initial values of the
    results. After bufferization arguments are memrefs and there are no
    results.

    `target` names who executes the kernel, `schedule` how, and `layers` lists
    the ONNX nodes that it stands for.

    ```mlir
    te.kernel @relu(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32>
        attributes {target = "cpu", layers = ["relu_0"]} {
      ...
      te.return %y : tensor<8xf32>
    }
    ```
  }];
  let arguments = (ins
    SymbolNameAttr:$sym_name,
    TypeAttrOf<FunctionType>:$function_type,
    StrAttr:$target,
    OptionalAttr<AnyAttr>:$schedule,
    OptionalAttr<StrArrayAttr>:$layers,
    OptionalAttr<DictArrayAttr>:$arg_attrs,
    OptionalAttr<DictArrayAttr>:$res_attrs);
  let regions = (region AnyRegion:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::ArrayRef<::mlir::Type> getArgumentTypes() {
      return getFunctionType().getInputs();
    }
    ::mlir::ArrayRef<::mlir::Type> getResultTypes() {
      return getFunctionType().getResults();
    }
    ::mlir::Region *getCallableRegion() { return &getBody(); }
    /// Number of arguments that are inputs rather than initial results.
    unsigned getNumInputs() {
      return getFunctionType().getNumInputs() -
             getFunctionType().getNumResults();
    }
  }];
}

def TE_ReturnOp : TE_Op<"return", [
    Pure, Terminator, ReturnLike, HasParent<"KernelOp">]> {
  let summary = "Returns the results of a te.kernel";
  let arguments = (ins Variadic<AnyType>:$operands);
  let assemblyFormat = "attr-dict ($operands^ `:` type($operands))?";
  let builders = [OpBuilder<(ins), [{ }]>];
  let hasVerifier = 1;
}

def TE_LaunchOp : TE_Op<"launch", [
    AttrSizedOperandSegments, DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "Runs a te.kernel";
  let description = [{
    Destination-passing, as the kernel is: `outs` are the initial values of
    the results on tensors, the written buffers on memrefs.

    ```mlir
    %y = te.launch @relu ins(%x : tensor<8xf32>) outs(%init : tensor<8xf32>)
        -> tensor<8xf32>
    ```
  }];
  let arguments = (ins
    FlatSymbolRefAttr:$kernel,
    Variadic<AnyType>:$inputs,
    Variadic<AnyType>:$inits);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    $kernel (`ins` `(` $inputs^ `:` type($inputs) `)`)?
    `outs` `(` $inits `:` type($inits) `)` attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return getInitsMutable();
    }
  }];
}

#endif // ACC_DIALECTS_TE_TEOPS_TD
