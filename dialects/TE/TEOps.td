//===- TEOps.td - Operators of the te dialect --------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_TE_TEOPS_TD
#define ACC_DIALECTS_TE_TEOPS_TD

include "dialects/TE/TEAttributes.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/ViewLikeInterface.td"

def TE_KernelOp : TE_Op<"kernel", [
    IsolatedFromAbove, FunctionOpInterface, AffineScope, AutomaticAllocationScope]> {
  let summary = "One fused computation, assigned to a target";
  let description = [{
    An anchor (such as a convolution) with its prologue and epilogue, written
    in upstream linalg, tensor and arith. Destination-passing: the trailing
    arguments, as many as there are results, are the initial values of the
    results. After bufferization arguments are memrefs and there are no
    results.

    `target` is who executes the kernel, an attribute that implements
    TargetAttrInterface; `schedule` says how, and `layers` lists the ONNX nodes
    that it stands for.

    ```mlir
    te.kernel @relu(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32>
        attributes {target = #te.host, layers = ["relu_0"]} {
      ...
      te.return %y : tensor<8xf32>
    }
    ```
  }];
  let arguments = (ins
    SymbolNameAttr:$sym_name,
    TypeAttrOf<FunctionType>:$function_type,
    AnyAttr:$target,
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
    /// The target with its interface.
    ::acc::te::TargetAttrInterface getTargetInterface();
    /// Whether the host runs the kernel itself.
    bool isOnHost();
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
    the results on tensors, the written buffers on memrefs. `label` is what
    policies call the kernel, if that is not its symbol.

    ```mlir
    %y = te.launch @relu ins(%x : tensor<8xf32>) outs(%init : tensor<8xf32>)
        -> tensor<8xf32>
    ```
  }];
  let arguments = (ins
    FlatSymbolRefAttr:$kernel,
    Variadic<AnyType>:$inputs,
    Variadic<AnyType>:$inits,
    OptionalAttr<StrAttr>:$label);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    $kernel (`ins` `(` $inputs^ `:` type($inputs) `)`)?
    `outs` `(` $inits `:` type($inits) `)` attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return getInitsMutable();
    }
    /// Whether another processor than the host runs the kernel.
    bool isElsewhere();
  }];
}

def TE_BitcastOp : TE_Op<"bitcast", [
    Pure, DeclareOpInterfaceMethods<ViewLikeOpInterface>]> {
  let summary = "The same memory with other elements and another shape";
  let description = [{
    Elements lie one after the other, without gaps: those of less than a byte
    too, the first in the lowest bits of a byte, as other processors than the
    host have them. The host handles such memory as bytes.

    ```mlir
    %bytes = te.bitcast %x : tensor<1x4x16xi4> to tensor<1x4x8xi8>
    ```
  }];
  let arguments = (ins AnyTypeOf<[AnyStaticShapeTensor, AnyStaticShapeMemRef]>:$source);
  let results = (outs AnyTypeOf<[AnyStaticShapeTensor, AnyStaticShapeMemRef]>:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `to` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def TE_CacheReadOp : TE_Op<"cache_read", [
    AttrSizedOperandSegments, DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "Stages a slice in another memory";
  let description = [{
    Copies `source` to `target`, whose allocation names the memory, with zeros
    around it: `low` in front and `high` behind, per dimension. The sizes of
    `target` are `low + source + high`. Integers are sign-extended when the
    target's are wider. `slots` asks for that many targets which take turns.

    ```mlir
    %buffer = bufferization.alloc_tensor() {memory_space = "input"}
        : tensor<1x4x10x58x1x16xi8>
    %tile = te.cache_read ins(%slice : tensor<1x4x?x57x1x16xi8>)
        outs(%buffer : tensor<1x4x10x58x1x16xi8>)
        low [0, 0, %lo, 1, 0, 0] high [0, 0, %hi, 0, 0, 0]
        -> tensor<1x4x10x58x1x16xi8>
    ```
  }];
  let arguments = (ins
    AnyTypeOf<[AnyRankedTensor, AnyMemRef]>:$source,
    AnyTypeOf<[AnyRankedTensor, AnyMemRef]>:$target,
    Variadic<Index>:$low, Variadic<Index>:$high,
    DenseI64ArrayAttr:$static_low, DenseI64ArrayAttr:$static_high,
    OptionalAttr<I64Attr>:$slots);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    `ins` `(` $source `:` type($source) `)`
    `outs` `(` $target `:` type($target) `)`
    `low` custom<DynamicIndexList>($low, $static_low)
    `high` custom<DynamicIndexList>($high, $static_high)
    attr-dict (`->` type($result)^)?
  }];
  let builders = [
    OpBuilder<(ins "::mlir::Value":$source, "::mlir::Value":$target,
                   "::llvm::ArrayRef<::mlir::OpFoldResult>":$low,
                   "::llvm::ArrayRef<::mlir::OpFoldResult>":$high)>];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return getTargetMutable();
    }
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedLow();
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedHigh();
  }];
  let hasVerifier = 1;
}

def TE_CacheWriteOp : TE_Op<"cache_write", [
    DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "Brings a staged slice back";
  let description = [{
    Copies `source` to `target`, of the same shape. Integers are truncated when
    the target's are narrower.

    ```mlir
    %q = te.cache_write ins(%acc : tensor<1x2x8x28x1x16xi32>)
        outs(%slice : tensor<1x2x8x28x1x16xi8>) -> tensor<1x2x8x28x1x16xi8>
    ```
  }];
  let arguments = (ins
    AnyTypeOf<[AnyRankedTensor, AnyMemRef]>:$source,
    AnyTypeOf<[AnyRankedTensor, AnyMemRef]>:$target);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    `ins` `(` $source `:` type($source) `)`
    `outs` `(` $target `:` type($target) `)`
    attr-dict (`->` type($result)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return getTargetMutable();
    }
  }];
  let hasVerifier = 1;
}

def TE_CheckOp : TE_Op<"check", [MemoryEffects<[MemWrite]>]> {
  let summary = "Ends the run unless a condition holds";
  let description = [{
    What only a run can check, of the sizes that it is given. The message is
    made of texts with numbers between them: one text more than there are
    numbers.

    ```mlir
    te.check %ok, ["node 'r': input has ", " elements, but the result has ", ""]
        (%given, %wanted)
    ```
  }];
  let arguments = (ins
    I1:$condition, StrArrayAttr:$message, Variadic<Index>:$numbers);
  let assemblyFormat = [{
    $condition `,` $message (`(` $numbers^ `)`)? attr-dict
  }];
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def TE_IntrinOp : TE_Op<"intrin", [
    IsolatedFromAbove, Symbol, NoTerminator, SingleBlock]> {
  let summary = "Declares a hardware intrinsic";
  let description = [{
    The body is one linalg operation on the block's arguments: its meaning. The
    arguments are the operands, one hardware element each, whose types say
    their layout and memory; a scalar argument is an immediate. `emits` names
    the operation that stands for it, and `with` the attributes it is given.
    Attributes that operations of the body do not have there may be any where it
    is used: whoever emits it reads them.

    `te-tensorize` replaces a linalg operation whose innermost iterators and
    body are those of an intrinsic; the outer iterators become the domain of
    the emitted operation.

    ```mlir
    te.intrin @max_immediate emits "npu.vector" with {op = "max"} {
    ^bb0(%acc: memref<1x16xi32, "sums">, %imm: i32):
      linalg.generic {indexing_maps = [affine_map<(b, o) -> (b, o)>],
                      iterator_types = ["parallel", "parallel"]}
          outs(%acc : memref<1x16xi32, "sums">) {
      ^bb0(%a: i32):
        %0 = arith.maxsi %a, %imm : i32
        linalg.yield %0 : i32
      }
    }
    ```
  }];
  let arguments = (ins
    SymbolNameAttr:$sym_name, StrAttr:$emits,
    OptionalAttr<DictionaryAttr>:$given);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `emits` $emits (`with` $given^)? attr-dict-with-keyword $body
  }];
  let extraClassDeclaration = [{
    /// The operation that is the intrinsic's meaning.
    ::mlir::linalg::LinalgOp getDefinition();
  }];
  let hasRegionVerifier = 1;
}

def TE_IssueOp : TE_Op<"issue", [
    AttrSizedOperandSegments, DeclareOpInterfaceMethods<SymbolUserOpInterface>,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "An intrinsic of a declared target, over a domain";
  let description = [{
    Runs a `te.intrin` once for every point of `bounds`, in any order. `maps` has, per
    operand, the position of the hardware element at a point, from the
    dimensions of the domain to those of the operand outside of one element.

    ```mlir
    te.issue @dot ins(%x, %w : memref<4x8xi8, "vectors">, memref<2x4x8x8xi8, "vectors">)
        outs(%y : memref<2x8xi32, "sums">) bounds [2, 4]
        maps [affine_map<(o, i) -> (i)>, affine_map<(o, i) -> (o, i)>, affine_map<(o, i) -> (o)>]
    ```
  }];
  let arguments = (ins
    FlatSymbolRefAttr:$intrinsic, Variadic<AnyMemRef>:$inputs,
    Variadic<AnyMemRef>:$outputs, Variadic<Index>:$bounds,
    DenseI64ArrayAttr:$static_bounds, AffineMapArrayAttr:$maps,
    OptionalAttr<I64Attr>:$immediate);
  let assemblyFormat = [{
    $intrinsic (`ins` `(` $inputs^ `:` type($inputs) `)`)?
    `outs` `(` $outputs `:` type($outputs) `)` (`immediate` $immediate^)?
    `bounds` custom<DynamicIndexList>($bounds, $static_bounds) `maps` $maps
    attr-dict
  }];
  let builders = [
    OpBuilder<(ins "::llvm::StringRef":$intrinsic, "::mlir::ValueRange":$inputs,
                   "::mlir::ValueRange":$outputs,
                   "::llvm::ArrayRef<::mlir::OpFoldResult>":$bounds,
                   "::llvm::ArrayRef<::mlir::AffineMap>":$maps,
                   "::std::optional<int64_t>":$immediate)>];
  let hasVerifier = 1;
}

def TE_ProgramOp : TE_Op<"program", [
    Symbol, DeclareOpInterfaceMethods<TE_ProgramOpInterface>]> {
  let summary = "The program of a kernel, as its target's devices read it";
  let description = [{
    What a backend outside of the compiler made of a `te.kernel`, whose name it
    takes over; `te.launch` runs it. `buffers` are what it is launched with, and
    the last `written` of them are those that it writes. What `data` means is known
    to the devices of `target` alone.

    ```mlir
    te.program @relu for #te.target<name = "toy", scratchpads = []>
        (memref<8xi8>, memref<8xi8>) written 1 data "..."
    ```
  }];
  let arguments = (ins
    SymbolNameAttr:$sym_name, AnyAttr:$target, TypeArrayAttr:$buffers,
    I64Attr:$written, StrAttr:$data);
  let assemblyFormat = [{
    $sym_name `for` $target custom<BufferTypes>($buffers) `written` $written
    `data` $data attr-dict
  }];
  let hasVerifier = 1;
}

#endif // ACC_DIALECTS_TE_TEOPS_TD
