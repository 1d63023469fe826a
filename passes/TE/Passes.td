//===- Passes.td - TE passes ---------------------------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_TE_PASSES_TD
#define ACC_PASSES_TE_PASSES_TD

include "mlir/Pass/PassBase.td"

def TeHoistOperands : Pass<"te-hoist-operands", "::mlir::ModuleOp"> {
  let summary = "Move constants and reshapes of arguments out of kernels";
  let description = [{
    Tensor constants become arguments and live where the kernel is launched, so
    that kernels that differ only in them are equal. A reshape of an input is
    done by the caller, for which it is free, or even folded into a constant.

    ```mlir
    te.kernel @k(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32> ... {
      %c = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
    ```
    becomes
    ```mlir
    te.kernel @k(%x: tensor<4xf32>, %c: tensor<4xf32>, %out: tensor<4xf32>) ...
    ...
    %c = graph.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32> : tensor<4xf32>
    %y = te.launch @k ins(%x, %c : ...) outs(%e : ...) -> tensor<4xf32>
    ```
  }];
  let dependentDialects = ["::acc::graph::GraphDialect"];
}

def TeMergeOperands : Pass<"te-merge-operands", "::mlir::ModuleOp"> {
  let summary = "Pass what a kernel reads twice into one memory once";
  let description = [{
    On a target with memories of its own every reader of a tensor is an argument
    of its own, since each may want it in another memory. Arguments that all
    launches give the same value, and of which the same elements are read at the
    same place of products, become one, so that they are loaded once.

    ```mlir
    te.kernel @k(%x: tensor<4x1x16xi8>, %again: tensor<4x1x16xi8>, ...) {
      %0 = linalg.generic ... ins(%x, %a : ...)      // + x * a
      %1 = linalg.generic ... ins(%again, %b : ...)  // + x * b
    ```
    becomes
    ```mlir
    te.kernel @k(%x: tensor<4x1x16xi8>, ...) {
      %0 = linalg.generic ... ins(%x, %a : ...)
      %1 = linalg.generic ... ins(%x, %b : ...)
    ```
  }];
}

def TeTile : Pass<"te-tile", "::acc::te::KernelOp"> {
  let summary = "Tile a kernel as its schedule says";
  let description = [{
    The first level of the `#te.schedule` tiles the last operation of the kernel
    and fuses its producers into the tiles; each further level tiles the anchor
    (the operation that reduces, else the last one) in place. A size of at
    least the axis's extent makes no loop. Sizes need not divide the extent: the
    last tile is then smaller. Loops carry `te.loop = [level, axis]`. `tensor.pad`
    stays where it is and is read through slices.

    Before (anchor and epilogue, `tiles = [<sizes = [1, 2]>, <sizes = [0, 0, 4]>]`):
    ```mlir
    %conv = linalg.generic {...} ins(%x, %w) outs(%zero)
    %q = linalg.generic {...} ins(%conv) outs(%out)
    ```
    After:
    ```mlir
    %q = scf.for %oc = %c0 to %c8 step %c2 iter_args(%o = %out) {
      %fill = linalg.fill ...
      %conv = scf.for %ic = %c0 to %c16 step %c4 iter_args(%acc = %fill) {
        %xs = tensor.extract_slice %x[%ic]...
        linalg.generic {...} ins(%xs, %ws) outs(%acc)
      } {te.loop = array<i64: 1, 2>}
      %os = tensor.extract_slice %o[%oc]...
      %t = linalg.generic {...} ins(%conv) outs(%os)
      tensor.insert_slice %t into %o[%oc]...
    } {te.loop = array<i64: 0, 1>}
    ```
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::scf::SCFDialect"];
}

def TeVThread : Pass<"te-vthread", "::acc::te::KernelOp"> {
  let summary = "Mark the loop whose iterations are virtual threads";
  let description = [{
    Puts `te.vthread` on the loop of the first level that the schedule names.

    ```mlir
    scf.for ... {...} {te.loop = array<i64: 0, 1>, te.vthread = 2 : i64}
    ```
  }];
}

def TeCache : Pass<"te-cache", "::acc::te::KernelOp"> {
  let summary = "Stage slices of DRAM operands in scratchpads";
  let description = [{
    Every operand that is a slice of a kernel argument is read through a
    `te.cache_read` into the memory that the schedule names for the argument,
    inside the loops of the schedule's level but outside of those it does not
    depend on. A `tensor.pad` with zero on the way becomes the padding of the
    read. A generic that only sign-extends an argument is the read itself, one
    that only truncates into a kernel result is a `te.cache_write`.
    Intermediate values are allocated in the schedule's `accumulator`.

    Before:
    ```mlir
    %pad = tensor.pad %x low[0, 0, 1, 1, 0, 0] high[0, 0, 1, 1, 0, 0] {...}
    scf.for %oh = ... {
      %s = tensor.extract_slice %pad[0, 0, %oh, 0, 0, 0] [1, 4, 10, 58, 1, 16] ...
      linalg.generic {...} ins(%s, %w) outs(%acc)
    ```
    After:
    ```mlir
    scf.for %oh = ... {
      %s = tensor.extract_slice %x[0, 0, %start, 0, 0, 0] [1, 4, %size, 56, 1, 16] ...
      %b = bufferization.alloc_tensor() {memory_space = "input"} : tensor<1x4x10x58x1x16xi8>
      %c = te.cache_read ins(%s) outs(%b) low [0, 0, %lo, 1, 0, 0] high [0, 0, %hi, 1, 0, 0]
      linalg.generic {...} ins(%c, %cw) outs(%acc)
    ```
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect",
                           "::mlir::bufferization::BufferizationDialect"];
}

def TeBufferize : Pass<"te-bufferize", "::acc::te::KernelOp"> {
  let summary = "From tensors to memrefs";
  let description = [{
    Runs upstream's one-shot bufferization on the body of a scheduled kernel. The
    arguments become memrefs in the target's memory of arguments ("main" below);
    the results, which are computed in the trailing arguments, disappear. A value
    that would need a copy is an error: scratchpads are sized by the schedule.

    Before:
    ```mlir
    te.kernel @k(%x: tensor<4x1x16xi8>, %out: tensor<4x1x16xi8>) -> tensor<4x1x16xi8>
    ```
    After:
    ```mlir
    te.kernel @k(%x: memref<4x1x16xi8, "main">, %out: memref<4x1x16xi8, "main">)
    ```
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect",
                           "::mlir::memref::MemRefDialect"];
}

def TeMultiBuffer : Pass<"te-multi-buffer", "::acc::te::KernelOp"> {
  let summary = "Let several buffers of a cached read take turns";
  let description = [{
    The target of a `te.cache_read` with `slots = n` becomes one of `n` buffers,
    chosen by the iteration of the closest loop, so that one can be filled while
    another is still read. Sizes that differ between iterations are replaced by
    their upper bounds. The rewrite is upstream's `memref::multiBuffer`.

    Before:
    ```mlir
    scf.for %i = %c0 to %c8 step %c1 {
      %b = memref.alloc() : memref<4x1x16xi8, "input">
      te.cache_read ins(%s) outs(%b) low [0, 0, 0] high [0, 0, 0] {slots = 2 : i64}
    ```
    After:
    ```mlir
    %all = memref.alloc() : memref<2x4x1x16xi8, "input">
    scf.for %i = %c0 to %c8 step %c1 {
      %slot = affine.apply affine_map<(d0) -> (d0 mod 2)>(%i)
      %b = memref.subview %all[%slot, 0, 0, 0] [1, 4, 1, 16] [1, 1, 1, 1] ...
      te.cache_read ins(%s) outs(%b) low [0, 0, 0] high [0, 0, 0]
    ```
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::memref::MemRefDialect"];
}

def TeDeclareIntrins : Pass<"te-declare-intrins", "::mlir::ModuleOp"> {
  let summary = "Declare the intrinsics of the kernels' targets";
  let description = [{
    Adds the `te.intrin`s that the targets of the module's kernels have.
    Intrinsics that are declared already are left alone.

    After:
    ```mlir
    te.intrin @max_immediate emits "npu.vector" with {op = "max"} {...}
    te.kernel @k(...) attributes {target = #npu.target<...>} {...}
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::memref::MemRefDialect"];
}

def TeTensorize : Pass<"te-tensorize", "::mlir::ModuleOp"> {
  let summary = "Replace linalg operations by declared intrinsics";
  let description = [{
    Every linalg operation of a bufferized, scheduled kernel is compared with the
    module's `te.intrin`s: its innermost loops, the shape and memory of one
    element of each operand, and its body. The kernel's target emits the first
    that is equal, over the remaining, outer loops. None is an error that says why
    not. A value that the target cannot fill a buffer with is added to zero.

    Before:
    ```mlir
    linalg.generic {indexing_maps = [affine_map<(c, h, b, o) -> (c, h, b, o)>], ...}
        outs(%acc : memref<2x14x1x16xi32, "sums">) {
    ^bb0(%a: i32):
      %0 = arith.maxsi %a, %c0_i32 : i32
      linalg.yield %0 : i32
    }
    ```
    After:
    ```mlir
    npu.vector max outs(%acc : memref<2x14x1x16xi32, "sums">) immediate 0 bounds [2, 14]
        maps [affine_map<(d0, d1) -> (d0, d1)>]
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def TeDma : Pass<"te-dma", "::acc::te::KernelOp"> {
  let summary = "Lower cached transfers to the target's";
  let description = [{
    The kernel's target replaces each transfer by its own operation, or says why it
    has none.

    Before:
    ```mlir
    te.cache_read ins(%s) outs(%inp) low [0, 0, %lo, 1, 0, 0] high [0, 0, %hi, 1, 0, 0]
    te.cache_write ins(%acc) outs(%t)
    ```
    After:
    ```mlir
    npu.load %s, %inp low [0, 0, %lo, 1] high [0, 0, %hi, 1]
    npu.store %acc, %t
    ```
  }];
}

def TeLowerVThread : Pass<"te-lower-vthread", "::acc::te::KernelOp"> {
  let summary = "Interleave virtual threads";
  let description = [{
    A loop marked `te.vthread = n` becomes one that takes `n` of its iterations at
    a time. Statements that depend on the iteration are repeated for each, and
    the scratchpad buffers that they fill are allocated once per virtual thread:
    one loads, or stores, while the other computes. Statements and buffers that
    all virtual threads have in common stay single. Inner loops with the same
    bounds for all virtual threads, those of a reduction, are shared: in each of
    their iterations the threads take turns. What stands between such loops is
    written thread by thread, so that the results of one are stored during all
    steps of the next. Left-over iterations follow the loop.

    Before:
    ```mlir
    scf.for %i = %c0 to %c8 step %c2 {
      %b = memref.alloc() : memref<4x1x16xi8, "input">
      npu.load %x[%i], %b
      npu.product ins(%b, %w) outs(%acc) ...
    } {te.vthread = 2 : i64}
    ```
    After:
    ```mlir
    scf.for %i = %c0 to %c8 step %c4 {
      %j = affine.apply affine_map<(d0) -> (d0 + 2)>(%i)
      %b0 = memref.alloc() ...
      %b1 = memref.alloc() ...
      npu.load %x[%i], %b0
      npu.product ins(%b0, %w) ...
      npu.load %x[%j], %b1
      npu.product ins(%b1, %w) ...
    }
    ```
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::scf::SCFDialect"];
}

#endif // ACC_PASSES_TE_PASSES_TD
