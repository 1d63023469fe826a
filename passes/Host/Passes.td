//===- Passes.td - Host passes ---------------------------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_HOST_PASSES_TD
#define ACC_PASSES_HOST_PASSES_TD

include "mlir/Pass/PassBase.td"

def HostShareKernels : Pass<"host-share-kernels", "::mlir::ModuleOp"> {
  let summary = "Keep one copy of equal native kernels";
  let description = [{
    Kernels that compute the same on arguments of the same types, whatever their
    names, layers and locations, become one.

    ```mlir
    te.kernel @relu1(...) attributes {target = #te.host} { ... }
    te.kernel @relu2(...) attributes {target = #te.host} { ... }
    te.launch @relu2 ...
    ```
    becomes
    ```mlir
    te.kernel @relu1(...) attributes {target = #te.host} { ... }
    te.launch @relu1 ...
    ```
  }];
  let statistics = [
    Statistic<"numShared", "shared", "Kernels that were dropped">
  ];
}

def HostSeparateUpdates : Pass<"host-separate-updates", "::acc::te::KernelOp"> {
  let summary = "Updates in place of what others read many times write elsewhere";
  let description = [{
    Kernels of an accelerator update tensors in place. Where one of them runs
    natively, an elementwise update whose result an operation reads several times
    (it broadcasts) gets a tensor of its own to write to: fused into its reader,
    as linalg-fuse-elementwise-ops does, it would update the same element
    several times.

    ```mlir
    %y = linalg.generic {indexing_maps = [(d0, d1) -> (d0, d1)], ...} outs(%x : tensor<1x4xi32>) {
    ^bb0(%out: i32):
      %0 = arith.addi %out, %c : i32
      linalg.yield %0 : i32
    }
    // read by a linalg.generic with the map (d0, d1) -> (0, d1)
    ```
    becomes
    ```mlir
    %empty = tensor.empty() : tensor<1x4xi32>
    %y = linalg.generic {...} ins(%x : tensor<1x4xi32>) outs(%empty : tensor<1x4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %0 = arith.addi %in, %c : i32
      linalg.yield %0 : i32
    }
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def HostFormContractions : Pass<"host-form-contractions", "::acc::te::KernelOp"> {
  let summary = "Turn convolutions and matrix products into cpu.contract";
  let description = [{
    A linalg convolution (NCHW, grouped too) or matrix product that starts from
    zero becomes one `cpu.contract`, with the tensor.pad before it and the
    elementwise ops after it folded in and its weights packed by the tile that
    its `te.schedule` names: columns and outputs in registers, outputs in a vector,
    the rows that share a packed copy of their input, and the outputs or rows that
    may be computed at the same time. In a convolution of one
    pixel rows and columns are one dimension, and `rows` are tiles of columns.
    Operations without a schedule are left alone.

    ```mlir
    te.kernel @k(...) attributes {target = #te.host} {
      %pad = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] ...
      %c = linalg.conv_2d_nchw_fchw {te.schedule = #te.schedule<tiles = [
          #te.tile<sizes = [0, 0, 8]>, #te.tile<sizes = [0, 32, 0, 14], kind = register>,
          #te.tile<sizes = [0, 16], kind = vector>]>} ins(%pad, %w) outs(%zero)
      %y = linalg.generic ins(%c, %bias) outs(%out) { addf, maximumf }
    ```
    becomes
    ```mlir
      %packed = linalg.pack %w inner_dims_pos = [0] inner_tiles = [32] ...
      %y = cpu.contract ins(%x, %packed) epilogue(%bias) outs(%out)
          attributes {pads = array<i64: 1, 1, 1, 1>, ...} { addf, maximumf }
    ```
  }];
  let options = [
    Option<"registers", "registers", "int64_t", "32", "Number of vector registers">
  ];
  let dependentDialects = ["::acc::cpu::CPUDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

def HostPackWeights : Pass<"host-pack-weights", "::mlir::ModuleOp"> {
  let summary = "Pack the constant weights of kernels at compile time";
  let description = [{
    Where a native kernel packs an argument that is a constant in every launch,
    the argument becomes the packed tensor and the constant is packed here. The
    packed copy of a splat is a splat.

    ```mlir
    te.kernel @k(%w: tensor<64x3x7x7xf32>, ...) {
      %p = linalg.pack %w inner_dims_pos = [0] inner_tiles = [32] ...
    ```
    becomes `te.kernel @k(%p: tensor<2x3x7x7x32xf32>, ...)`.

    Other packs become tensor.pad, tensor.expand_shape and linalg.transpose.
  }];
  let dependentDialects = ["::acc::graph::GraphDialect"];
  let statistics = [
    Statistic<"numPacked", "packed", "Constants that were packed">
  ];
}

def HostBufferize : Pass<"host-bufferize", "::mlir::ModuleOp"> {
  let summary = "Bufferize main and the native kernels";
  let description = [{
    Functions and kernels take their results as trailing buffers; values are
    computed in place where they can be. Weights become arguments of main:
    every constant tensor is an argument with the attribute `cpu.constant`,
    which holds its data, between the inputs and the outputs. Buffers are
    aligned to `alignment` bytes.

    ```mlir
    func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
      %w = graph.constant dense<1.0> : tensor<8xf32>
      %e = tensor.empty() : tensor<8xf32>
      %y = te.launch @k ins(%x, %w) outs(%e) -> tensor<8xf32>
      return %y
    ```
    becomes
    ```mlir
    func.func @main(%x: memref<8xf32>, %w: memref<8xf32> {cpu.constant = dense<1.0> : tensor<8xf32>},
                    %y: memref<8xf32>) {
      te.launch @k ins(%x, %w) outs(%y)
    ```
  }];
  let options = [
    Option<"alignment", "alignment", "int64_t", "64", "Alignment of buffers in bytes">
  ];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect", "::acc::cpu::CPUDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect"];
}

def HostLowerContractions : Pass<"host-lower-contractions", "::acc::te::KernelOp"> {
  let summary = "Lower cpu.contract to loops over register tiles";
  let description = [{
    Every tile of outputs stays in vector registers over the whole sum. The
    input is read in place or, where it is padded or its schedule says so, from
    a packed copy of the rows that a block of outputs needs. What its `chunks` say
    may be computed at the same time becomes a `cpu.parallel`.

    ```mlir
    cpu.contract ins(%x, %w) outs(%y) attributes {tile = array<i64: 14, 16>, ...}
    ```
    becomes
    ```mlir
    scf.for %t ... {      // tiles of output channels
      scf.for %r ... {    // rows
        scf.for %c ... {  // columns, 14 at a time
          %sums:28 = scf.for %k ... iter_args(...) { vector.load, vector.broadcast, mulf, addf }
          // transpose, epilogue, vector.maskedstore
    ```
  }];
  let dependentDialects = ["::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect",
                           "::mlir::LLVM::LLVMDialect", "::acc::cpu::CPUDialect"];
}

def HostJoinLoops : Pass<"host-join-loops", "::acc::te::KernelOp"> {
  let summary = "Compute a chunk of several operations before the next one";
  let description = [{
    Operations in a row whose schedule has a level of kind `serial` share one loop
    over chunks of that size, which may run at the same time (`cpu.parallel`):
    what one of them writes is in the cache when the next one reads it. A buffer
    that only they use, such as a padded copy of an image, becomes memory of each
    thread, of the size of a chunk. The policy chooses among the groups that
    findJoinableLoops finds: all on static buffers along the loop, of which no
    iteration uses what another one writes.

    ```mlir
    %p = memref.alloc() : memref<96x58x58xf32>
    linalg.fill {te.schedule = ...sizes = [2]...} ins(%zero : f32) outs(%p : memref<96x58x58xf32>)
    memref.copy %x, %inner {te.schedule = ...sizes = [2]...}
    linalg.depthwise_conv_2d_nchw_chw {te.schedule = ...sizes = [2]...} ins(%p, %w : ...) outs(%y : ...)
    ```
    becomes
    ```mlir
    %p = memref.alloc() : memref<2x58x58xf32>
    cpu.parallel %c48 own(%p : memref<2x58x58xf32>) {
      linalg.fill ...
      memref.copy ...
      linalg.depthwise_conv_2d_nchw_chw ...
    }
    ```
  }];
  let dependentDialects = ["::acc::cpu::CPUDialect", "::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect"];
}

def HostVectorizeLinalg : Pass<"host-vectorize-linalg", "::acc::te::KernelOp"> {
  let summary = "Lower linalg on buffers to loops over vectors";
  let description = [{
    Elementwise operations, pools, depthwise convolutions and reductions over
    outer dimensions become loops, one of which is vectorized; a rest is masked.
    Loops that walk through memory in one go are joined. Which loop it is, and how
    many rows of another are computed side by side, says the operation's
    `te.schedule` by its levels of kind `vector` and `register`: rows that read the
    same vectors, in the same turn of a reduction or, of windows that overlap, in
    another one, for which these are unrolled. What is filled with a number for
    one operation that adds to it is not written: the operation begins with the
    number. An operation
    without one is decided on by VectorNest::decide: the longest loop with
    contiguous results, or else the longest reduction, in partial results that are
    joined at the end. Sizes may be unknown. Reads of a table of 256 bytes at a
    byte become shuffles of registers that hold it, if there is an instruction for
    that (`lookup`). An operand that is contiguous along the axis of the level of
    kind `register`, and not along the vectors, is read in squares, which are
    transposed in registers; both levels have the same size then. What is left over is left for
    convert-linalg-to-loops.

    Where the schedule has a level of kind `parallel`, alone or beside the others,
    the loops that it names are cut into chunks of its sizes, which may run at the
    same time: a `cpu.parallel` surrounds the loops, plain ones too.

    ```mlir
    linalg.generic {...} ins(%a : memref<4x10xf32>) outs(%b : memref<4x10xf32>) { maximumf }
    ```
    becomes
    ```mlir
    scf.for %i = 0 to 2 { vector.load, maximumf, vector.store }
    vector.maskedload, maximumf, vector.maskedstore
    ```
  }];
  let options = [
    Option<"vectorBytes", "vector-bytes", "int64_t", "64", "Size of a vector register in bytes">,
    Option<"lookup", "lookup", "std::string", "", "Instruction that looks up bytes: pshufb, vpermi2b, tbl, or none">
  ];
  let dependentDialects = ["::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect",
                           "::mlir::LLVM::LLVMDialect", "::acc::cpu::CPUDialect"];
}

def HostForgetPrograms : Pass<"host-forget-programs", "::mlir::ModuleOp"> {
  let summary = "Empty the programs of accelerators, which have been written";
  let description = [{
    Native code knows programs by their number and needs nothing of what they
    contain; passes would walk over all instructions, one after the other. What
    stays is an empty program of the same name.

    ```mlir
    npu.program @relu(memref<4x1x16xi8>) {
      npu.load ...
      ...
    }
    ```
    becomes
    ```mlir
    npu.program @relu(memref<4x1x16xi8>) {
    }
    ```
  }];
}

def HostHoistAllocations : Pass<"host-hoist-allocations", "::mlir::ModuleOp"> {
  let summary = "Let main allocate what kernels need in a size known at run time";
  let description = [{
    Kernels do not allocate. Buffers of static size are left for
    host-plan-memory; those whose size follows from the sizes and scalars that a
    kernel is given become further arguments, allocated before every launch. With
    `all`, so do buffers of static size, each of which is an argument of its own
    then: compilers of other languages know that arguments do not overlap.

    ```mlir
    te.kernel @k(%x: memref<?xf32>, %out: memref<?xf32>) attributes {target = #te.host} {
      %n = memref.dim %x, %c0 : memref<?xf32>
      %t = memref.alloc(%n) : memref<?xf32>
    ```
    becomes
    ```mlir
    te.kernel @k(%x: memref<?xf32>, %out: memref<?xf32>, %t: memref<?xf32>) ...
    ...
    %n = memref.dim %a, %c0 : memref<?xf32>
    %t = memref.alloc(%n) : memref<?xf32>
    te.launch @k ins(%a : memref<?xf32>) outs(%b, %t : memref<?xf32>, memref<?xf32>)
    ```
  }];
  let options = [
    Option<"all", "all", "bool", "false", "Buffers of static size too">
  ];
  let dependentDialects = ["::mlir::memref::MemRefDialect"];
}

def HostExpandMath : Pass<"host-expand-math"> {
  let summary = "Compute functions of math by polynomials, which vectorize";
  let description = [{
    The listed functions of f32 become polynomials, arithmetic on scalars and
    vectors alike: upstream's approximations, but for exp, which is right to one
    unit in the last place, the smallest numbers included. Their relative error is
    below 1e-6, and infinities and NaNs come out right. `math.isinf` becomes a comparison. Everything else is
    left for LLVM and libm.

    ```mlir
    %1 = math.exp %0 : vector<16xf32>
    ```
    becomes
    ```mlir
    %k = arith.subf ... ; %p = arith.mulf, arith.addf ... ; %1 = arith.mulf %p, %power
    ```
  }];
  let options = [
    ListOption<"functions", "functions", "std::string", "Names of the operations to approximate, such as math.exp">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
                           "::mlir::vector::VectorDialect"];
}

def HostPlanMemory : Pass<"host-plan-memory", "::mlir::ModuleOp"> {
  let summary = "Place all intermediate buffers in one workspace";
  let description = [{
    Every allocation of main, and what its kernels allocate, becomes a piece of
    one workspace, a trailing argument of main. Pieces that are never in use at
    the same time share bytes: the largest are placed first, each as low as
    possible. Kernels get their scratch memory as a trailing argument. Buffers of
    main whose size is known at run time only stay; they are freed after their
    last use.

    With `guard-bytes`, so many bytes before and behind every piece belong to no
    other piece that is in use at the time. The buffers in a kernel's scratch
    memory have them too; where these are, the kernel's attribute `cpu.scratch`
    says (offset and size of each).

    ```mlir
    func.func @main(%x: memref<8xf32>, %y: memref<8xf32>) {
      %t = memref.alloc() : memref<8xf32>
    ```
    becomes
    ```mlir
    func.func @main(%x: memref<8xf32>, %y: memref<8xf32>, %workspace: memref<64xi8>) {
      %t = memref.view %workspace[%c0][] : memref<64xi8> to memref<8xf32>
    ```
  }];
  let options = [
    Option<"alignment", "alignment", "int64_t", "64", "Alignment of every piece in bytes">,
    Option<"guardBytes", "guard-bytes", "int64_t", "0", "Bytes left free around every piece">
  ];
  let statistics = [
    Statistic<"allocatedBytes", "allocated-bytes", "Bytes of all buffers">,
    Statistic<"workspaceBytes", "workspace-bytes", "Bytes of the workspace">
  ];
  let dependentDialects = ["::acc::cpu::CPUDialect", "::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect"];
}

def HostLowerABI : Pass<"host-lower-abi", "::mlir::ModuleOp"> {
  let summary = "Give main the C interface of a compiled model";
  let description = [{
    main becomes `acc_model_main(api, ctx, inputs, outputs, constants,
    workspace)`, all pointers, the middle three to arrays of pointers. Native
    kernels become functions on bare pointers and sizes, under names that no
    library's function has (kernels are called after nodes, which may be called
    "log"), a launch of a program a call of `api->launch(ctx, program, buffers,
    count)`, whose first non-zero status is returned.

    Sizes of inputs that are not static come from `api->size`, buffers of such
    sizes from `api->allocate` and `api->output`, and go to `api->release`; a
    `te.check` or `cf.assert` that does not hold ends the run by `api->fail`.

    Constants are numbered in the order of main's arguments; programs in the
    order of their symbols in the module. The module keeps what is needed to
    write the container: `cpu.constants`, an array of the constants, and
    `cpu.workspace`, the bytes of the workspace.

    The body of a `cpu.parallel` becomes a function of a range of iterations, and
    another one that takes its arguments from a table; `api->parallel` is given
    that. The module then has the attribute `cpu.parallel`.

    With `guard`, main tells the runtime what every kernel is given
    (`api->guard`) and lets it look afterwards whether the kernel has kept to it
    (`api->check`); in kernels, stores of narrowed elements to less than a
    register are surrounded by calls of `api->row`.

    ```mlir
    func.func @main(%x: memref<8xf32>, %y: memref<8xf32>, %ws: memref<0xi8>) {
      te.launch @relu ins(%x : memref<8xf32>) outs(%y : memref<8xf32>)
    ```
    becomes
    ```mlir
    func.func @acc_model_main(%api: !llvm.ptr, %ctx: !llvm.ptr, %inputs: !llvm.ptr, ...) -> i32 {
      %p = llvm.load %inputs : !llvm.ptr -> !llvm.ptr
      ...
      call @kernel.relu(%x, %y) : (!llvm.ptr, !llvm.ptr) -> ()
    ```
  }];
  let options = [
    Option<"guard", "guard", "bool", "false", "Let the runtime look for writes outside of buffers">
  ];
  let dependentDialects = ["::acc::cpu::CPUDialect", "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect",
                           "::mlir::cf::ControlFlowDialect", "::mlir::memref::MemRefDialect"];
}

#endif // ACC_PASSES_HOST_PASSES_TD
