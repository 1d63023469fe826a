//===- VTAStructuredOps.td - Tensor-level vta operators ----*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The upper floor of the dialect: transfers and tensor instructions on
// memrefs, inside ordinary loops. The innermost two dimensions of every memref
// are one hardware element ([BATCH, BLOCK_IN] of inp, [BLOCK_OUT, BLOCK_IN] of
// wgt, [BATCH, BLOCK_OUT] of acc); all dimensions outside of them are "outer".
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_VTA_VTASTRUCTUREDOPS_TD
#define ACC_DIALECTS_VTA_VTASTRUCTUREDOPS_TD

include "dialects/VTA/VTAAttributes.td"
include "dialects/VTA/VTADialect.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def VTA_LoadOp : VTA_Op<"load", [AttrSizedOperandSegments]> {
  let summary = "Copy from DRAM into a scratchpad, with zero padding";
  let description = [{
    Copies the whole of `source` (DRAM) to `target` (inp, wgt or acc), which has
    the same rank. Per outer dimension, `low` zero elements are written in
    front and `high` behind. The written box, `low + source + high` in every
    outer dimension, starts at the origin of `target` and must fit in it.
    A source of i8 or less for an acc target is sign-extended to i32.

    A box with a dimension of size 0 or less does nothing. If only the source
    is empty, the whole box is zero.

    ```mlir
    vta.load %src, %dst low [0, 0, 1, %lo] high [0, 0, 1, %hi]
        : memref<1x4x?x?x1x16xi8, strided<[?, ?, ?, 16, 16, 1], offset: ?>, #vta.mem<dram>>,
          memref<1x4x16x16x1x16xi8, #vta.mem<inp>>
    ```
  }];
  let arguments = (ins
    Arg<AnyMemRef, "", [MemRead]>:$source,
    Arg<AnyMemRef, "", [MemWrite]>:$target,
    Variadic<Index>:$low, Variadic<Index>:$high,
    DenseI64ArrayAttr:$static_low, DenseI64ArrayAttr:$static_high);
  let assemblyFormat = [{
    $source `,` $target
    `low` custom<DynamicIndexList>($low, $static_low)
    `high` custom<DynamicIndexList>($high, $static_high)
    attr-dict `:` type($source) `,` type($target)
  }];
  let builders = [
    OpBuilder<(ins "::mlir::Value":$source, "::mlir::Value":$target,
                   "::llvm::ArrayRef<::mlir::OpFoldResult>":$low,
                   "::llvm::ArrayRef<::mlir::OpFoldResult>":$high)>,
    // Without padding.
    OpBuilder<(ins "::mlir::Value":$source, "::mlir::Value":$target)>];
  let extraClassDeclaration = [{
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedLow();
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedHigh();
  }];
  let hasVerifier = 1;
}

def VTA_StoreOp : VTA_Op<"store"> {
  let summary = "Copy from the accumulators to DRAM, truncating";
  let description = [{
    Copies the box of `target`'s sizes from the origin of `source` (acc, i32) to
    `target` (DRAM, i8 or less), which has the same rank. The low bits are kept; nothing
    saturates. A box with a dimension of size 0 or less does nothing.

    ```mlir
    vta.store %acc, %out : memref<1x4x14x14x1x16xi32, #vta.mem<acc>>,
        memref<1x4x14x14x1x16xi8, #vta.mem<dram>>
    ```
  }];
  let arguments = (ins
    Arg<AnyMemRef, "", [MemRead]>:$source,
    Arg<AnyMemRef, "", [MemWrite]>:$target);
  let assemblyFormat = [{
    $source `,` $target attr-dict `:` type($source) `,` type($target)
  }];
  let hasVerifier = 1;
}

def VTA_GemmOp : VTA_Op<"gemm"> {
  let summary = "Accumulate products of elements over an iteration domain";
  let description = [{
    For every point of the domain `[0, bounds)`:

        acc[acc_map(point)] += inp[inp_map(point)] * transpose(wgt[wgt_map(point)])

    The maps (in the order inp, wgt, acc) go from the domain to the outer
    dimensions of the memrefs and must be sums of dimensions times constants,
    plus constants. i32 accumulation wraps. A bound of 0 or less means that
    there is nothing to do. With `window` it is the product of a GEMM_WINDOW of
    inputs that follow each other in the last outer dimension:

        acc[acc_map(point)][b, o] += sum over t of
            inp[inp_map(point) + t][b, o] * wgt[wgt_map(point)][o, t]

    ```mlir
    vta.gemm ins(%inp, %wgt : memref<4x16x16x1x16xi8, #vta.mem<inp>>,
                              memref<2x4x3x3x16x16xi8, #vta.mem<wgt>>)
        outs(%acc : memref<2x14x14x1x16xi32, #vta.mem<acc>>)
        bounds [2, 14, %ow, 4, 3, 3]
        maps [affine_map<(oc, oh, ow, ic, kh, kw) -> (ic, oh + kh, ow + kw)>,
              affine_map<(oc, oh, ow, ic, kh, kw) -> (oc, ic, kh, kw)>,
              affine_map<(oc, oh, ow, ic, kh, kw) -> (oc, oh, ow)>]
    ```
  }];
  let arguments = (ins
    Arg<AnyMemRef, "", [MemRead]>:$inp,
    Arg<AnyMemRef, "", [MemRead]>:$wgt,
    Arg<AnyMemRef, "", [MemRead, MemWrite]>:$acc,
    Variadic<Index>:$bounds,
    DenseI64ArrayAttr:$static_bounds,
    AffineMapArrayAttr:$maps,
    UnitAttr:$window);
  let assemblyFormat = [{
    (`window` $window^)? `ins` `(` $inp `,` $wgt `:` type($inp) `,` type($wgt) `)`
    `outs` `(` $acc `:` type($acc) `)`
    `bounds` custom<DynamicIndexList>($bounds, $static_bounds)
    `maps` $maps attr-dict
  }];
  let builders = [
    OpBuilder<(ins "::mlir::Value":$inp, "::mlir::Value":$wgt, "::mlir::Value":$acc,
                   "::llvm::ArrayRef<::mlir::OpFoldResult>":$bounds,
                   "::llvm::ArrayRef<::mlir::AffineMap>":$maps)>];
  let extraClassDeclaration = [{
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedBounds();
    ::mlir::AffineMap getMap(unsigned index);
  }];
  let hasVerifier = 1;
}

def VTA_ResetOp : VTA_Op<"reset"> {
  let summary = "Zero accumulators";
  let description = [{
    Sets every element of `acc` to zero.

    ```mlir
    vta.reset outs(%acc : memref<2x14x14x1x16xi32, #vta.mem<acc>>)
    ```
  }];
  let arguments = (ins Arg<AnyMemRef, "", [MemWrite]>:$acc);
  let assemblyFormat = "`outs` `(` $acc `:` type($acc) `)` attr-dict";
  let hasVerifier = 1;
}

def VTA_AluOp : VTA_Op<"alu", [AttrSizedOperandSegments]> {
  let summary = "Element-wise operation on accumulators over an iteration domain";
  let description = [{
    For every point of the domain `[0, bounds)`:

        dst[dst_map(point)] = op(dst[dst_map(point)], operand)

    where operand is either the immediate (16 signed bits) or
    `src[src_map(point)]`. `shr` is arithmetic, and shifts left by negative
    amounts. `maps` holds the map of dst, then that of src if there is one; they
    are as for `vta.gemm`. Where several points name the same dst (a reduction)
    the order of the points is not defined, so only `min`, `max` and `add`
    allow it. `requantize` has no immediate, and three sources: the dimension of
    src in front of the hardware element holds them, and src_map ends with 0.
    `table` has no operand but `table`: what becomes of the low 8 bits of dst,
    256 entries from that of -128 on.

    ```mlir
    vta.alu max outs(%acc : memref<2x14x14x1x16xi32, #vta.mem<acc>>) imm 0
        bounds [2, 14, 14] maps [affine_map<(d0, d1, d2) -> (d0, d1, d2)>]
    vta.alu add outs(%acc : memref<2x14x14x1x16xi32, #vta.mem<acc>>)
        ins(%bias : memref<2x1x16xi32, #vta.mem<acc>>) bounds [2, 14, 14]
        maps [affine_map<(d0, d1, d2) -> (d0, d1, d2)>,
              affine_map<(d0, d1, d2) -> (d0)>]
    vta.alu table outs(%acc : memref<2x14x14x1x16xi32, #vta.mem<acc>>)
        table [-128, -127, ...] bounds [2, 14, 14]
        maps [affine_map<(d0, d1, d2) -> (d0, d1, d2)>]
    ```
  }];
  let arguments = (ins
    VTA_AluKindAttr:$op,
    Arg<AnyMemRef, "", [MemRead, MemWrite]>:$dst,
    Arg<Optional<AnyMemRef>, "", [MemRead]>:$src,
    OptionalAttr<I32Attr>:$imm,
    OptionalAttr<DenseI8ArrayAttr>:$table,
    Variadic<Index>:$bounds,
    DenseI64ArrayAttr:$static_bounds,
    AffineMapArrayAttr:$maps);
  let assemblyFormat = [{
    $op `outs` `(` $dst `:` type($dst) `)` (`ins` `(` $src^ `:` type($src) `)`)?
    (`imm` $imm^)? (`table` $table^)?
    `bounds` custom<DynamicIndexList>($bounds, $static_bounds)
    `maps` $maps attr-dict
  }];
  let builders = [
    OpBuilder<(ins "AluKind":$op, "::mlir::Value":$dst, "::mlir::Value":$src,
                   "::llvm::ArrayRef<::mlir::OpFoldResult>":$bounds,
                   "::llvm::ArrayRef<::mlir::AffineMap>":$maps)>,
    OpBuilder<(ins "AluKind":$op, "::mlir::Value":$dst, "int32_t":$imm,
                   "::llvm::ArrayRef<::mlir::OpFoldResult>":$bounds,
                   "::mlir::AffineMap":$map)>,
    // By a table.
    OpBuilder<(ins "::mlir::Value":$dst, "::mlir::DenseI8ArrayAttr":$table,
                   "::llvm::ArrayRef<::mlir::OpFoldResult>":$bounds,
                   "::mlir::AffineMap":$map)>];
  let extraClassDeclaration = [{
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedBounds();
    ::mlir::AffineMap getMap(unsigned index);
  }];
  let hasVerifier = 1;
}

def VTA_RequantizeStepOp : VTA_Op<"requantize_step", [Pure]> {
  let summary = "One accumulator by `requantize` of the vector unit";
  let description = [{
    What the operation `requantize` computes of one accumulator and the three
    words of its parameters (acc/vta/isa/Requantize.h): the body of a kernel's
    linalg operation, which `vta.alu requantize` replaces.

    ```mlir
    %y = vta.requantize_step %a by %bias, %scaling, %bounds
    ```
  }];
  let arguments = (ins I32:$acc, I32:$bias, I32:$scaling, I32:$bounds);
  let results = (outs I32:$result);
  let assemblyFormat = "$acc `by` $bias `,` $scaling `,` $bounds attr-dict";
}

def VTA_LookupStepOp : VTA_Op<"lookup_step", [Pure]> {
  let summary = "One accumulator by a table of the vector unit";
  let description = [{
    What the operation `table` makes of the low 8 bits of one accumulator: its
    entry in a table of 256, from that of -128 on, extended to 32 bits. The body
    of a kernel's linalg operation, which `vta.alu table` replaces. Without a
    table it stands for a look-up in any, as in the definition of an intrinsic.

    ```mlir
    %y = vta.lookup_step %a in [-128, -127, ...]
    ```
  }];
  let arguments = (ins I32:$acc, OptionalAttr<DenseI8ArrayAttr>:$table);
  let results = (outs I32:$result);
  let assemblyFormat = "$acc (`in` $table^)? attr-dict";
  let hasVerifier = 1;
}

#endif // ACC_DIALECTS_VTA_VTASTRUCTUREDOPS_TD
