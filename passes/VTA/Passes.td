//===- Passes.td - VTA passes ---------------------------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_PASSES_TD
#define ACC_PASSES_VTA_PASSES_TD

include "mlir/Pass/PassBase.td"

def VTAAssemble : Pass<"vta-assemble", "::mlir::ModuleOp"> {
  let summary = "Make addresses of what moves images over space";
  let description = [{
    Operators whose `graph.placement` has a `#vta.config` as its target, and that
    move rows and columns of images, become vta.assemble and slices: graph.pad
    in any mode, graph.resize that repeats pixels, graph.concat along rows or
    columns, and the graph.transpose that puts channels into rows and columns
    between two reshapes (a transposed convolution, a depth to space).

    Of the last of these, what a convolution computes for it alone is computed
    phase by phase: every phase is a convolution with a part of the outputs and
    with the taps that have weights, which stores to where the phase lies. Else
    the channels of a phase must follow each other, and are copied.

    A slice is read from where it lies. Readers that cannot, because they pad it
    with something else than zeros, get a copy.

    ```mlir
    #conv = #graph.placement<kernel = "up", target = #vta_config>
    #move = #graph.placement<kernel = "up_1", target = #vta_config>
    %a = graph.conv_integer %x, %w, %b {graph.placement = #conv, ...} : ... -> tensor<1x64x8x8xi32>
    %q = graph.requantize %a {graph.placement = #conv, ...}
    %s = graph.reshape %q : (tensor<1x64x8x8xi8>) -> tensor<1x2x2x16x8x8xi8>
    %t = graph.transpose %s {graph.placement = #move, perm = array<i64: 0, 3, 4, 1, 5, 2>}
    %y = graph.reshape %t : ... -> tensor<1x16x16x16xi8>
    ```
    becomes
    ```mlir
    %a0 = graph.conv_integer %x, %w0, %b0 {...} : ... -> tensor<1x16x8x8xi32>
    %q0 = graph.requantize %a0 {...} // and three more
    %y = vta.assemble %q0, %q1, %q2, %q3 {columns = array<i64: 0, 1, 0, 1>,
        rows = array<i64: 0, 0, 1, 1>, steps = array<i64: 2, 2>, ...}
        {graph.placement = #move} : ... -> tensor<1x16x16x16xi8>
    ```
  }];
}

def VTAPackLayout : Pass<"vta-pack-layout", "::mlir::ModuleOp"> {
  let summary = "Rewrite the accelerator's operators on its tiled layout";
  let description = [{
    Integer operators whose `graph.placement` has a `#vta.config` as its target become
    the body of its kernel: steps on packed tensors (see graph.pack), each of which
    the accelerator has an instruction for, and whose tiles are its hardware
    elements. Weights and vectors are packed at compile time; graph.pack and
    graph.unpack remain only where a tensor passes between the accelerator and
    the host.

    Padding by zero becomes tensor.pad, which folds into the DMA. Other padding
    is a halo: its producer writes the interior of a buffer that the host has
    filled.

    ```mlir
    #conv1 = #graph.placement<kernel = "conv1", target = #vta_config>
    %acc = graph.conv_integer %x, %w, %b {graph.placement = #conv1, ...} : (tensor<1x3x8x8xi8>, ...) -> tensor<1x4x8x8xi32>
    %y = graph.requantize %acc {graph.placement = #conv1, ...}
    ```
    becomes
    ```mlir
    %p = graph.pack %x {tiles = array<i64: 1, 16>} : ... -> tensor<1x1x8x8x1x16xi8>
    %a = linalg.generic ... ins(%p, %w : ...) {graph.placement = #conv1, ...}
    %s = linalg.generic ... // one per step
    %q = linalg.generic ... // to i8
    %y = graph.unpack %q : (tensor<1x1x8x8x1x16xi8>) -> tensor<1x4x8x8xi8>
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::acc::te::TEDialect", "::mlir::tensor::TensorDialect"];
}

def VTAExpandSteps : Pass<"vta-expand-steps", "::mlir::ModuleOp"> {
  let summary = "Compute steps of the accelerator on the host";
  let description = [{
    A kernel that no schedule makes fit the accelerator runs on the host, in the
    layout and the steps that it has. This replaces what only the accelerator
    has a word for: vta.requantize_step by arithmetic, vta.lookup_step by an
    element of a constant.

    ```mlir
    %y = vta.requantize_step %a by %bias, %scaling, %bounds
    ```
    becomes
    ```mlir
    %x = arith.addi %a, %bias : i32
    %w = arith.extsi %x : i32 to i64
    ... // shifts, the product, rounding and bounds
    %y = arith.trunci %r : i64 to i32
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
}

def VTANarrowElements : Pass<"vta-narrow-elements", "::mlir::ModuleOp"> {
  let summary = "Give kernels the elements of who runs them";
  let description = [{
    Where inputs and outputs of the accelerator have less than 8 bits, tensors of
    i8 in its kernels become tensors of such integers, which hold what the kernels
    are given and compute. Weights that are computed become as narrow as the
    accelerator's are; constant ones are already. In main such tensors lie without
    gaps. Kernels of the host keep a byte for each element, which kernels of their
    own spread and join, but for those that only fill or move whole tiles: they
    handle tiles as bytes (te.bitcast).

    A kernel that the accelerator does not run after all (its target has become
    #te.host) gets bytes back.

    ```mlir
    %p = te.launch @pack ins(%x : ...) outs(...) -> tensor<1x1x8x8x1x16xi8>
    %y = te.launch @conv ins(%p, ... : tensor<1x1x8x8x1x16xi8>, ...) outs(...) -> tensor<1x1x8x8x1x16xi8>
    ```
    becomes
    ```mlir
    %p = te.launch @pack ins(%x : ...) outs(...) -> tensor<1x1x8x8x1x16xi8>
    %b = te.bitcast %p : tensor<1x1x8x8x1x16xi8> to tensor<512x2xi8>
    %c = te.launch @join ins(%b : tensor<512x2xi8>) outs(...) -> tensor<512xi8>
    %n = te.bitcast %c : tensor<512xi8> to tensor<1x1x8x8x1x16xi4>
    %y = te.launch @conv ins(%n, ... : tensor<1x1x8x8x1x16xi4>, ...) outs(...) -> tensor<1x1x8x8x1x16xi4>
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::acc::graph::GraphDialect", "::acc::te::TEDialect",
    "::mlir::tensor::TensorDialect"];
}

def VTAAllocateScratchpads : Pass<"vta-allocate-scratchpads", "::mlir::ModuleOp"> {
  let summary = "Place scratchpad buffers of kernels in their memories";
  let description = [{
    Gives every `memref.alloc` in the inp, wgt or acc memory of a kernel (a
    function whose `target` is a `#vta.config`) an offset and a size in hardware
    elements.
    Buffers get ranges of their own as long as there is room, so that no
    transfer waits for a buffer that it does not need; where room is short,
    buffers that are never live together share. Of a dynamic size the kernel is
    evaluated to find the largest value.

    Kernels that will be one program (vta-chain-programs) `alternate`: every
    second one has its buffers from the end of a memory on. What a kernel uses
    first is as far from what the kernel before it uses last as it can be, so
    that it may be loaded while that one still computes.

    With `threads-apart`, for circuits in which GEMM and ALU run beside each
    other where they use other banks of the accumulators, each virtual thread of
    a kernel has a half of them: its results, and the parameters that they need.
    Parameters of both threads are loaded into either half. Kernels that do not
    fit, or have one thread, are placed as ever.

    Fails, naming kernel and buffer, if a memory cannot hold what is live.

    ```mlir
    %inp = memref.alloc() : memref<4x16x16x1x16xi8, #vta.mem<inp>>
    %acc = memref.alloc() : memref<2x14x14x1x16xi32, #vta.mem<acc>>
    // becomes
    %inp = memref.alloc() {vta.entries = 1024, vta.offset = 0} : memref<4x16x16x1x16xi8, #vta.mem<inp>>
    %acc = memref.alloc() {vta.entries = 392, vta.offset = 0} : memref<2x14x14x1x16xi32, #vta.mem<acc>>
    ```
  }];
  let options = [
    Option<"alternate", "alternate", "bool", "false",
           "Place the buffers of every second kernel from the end on">,
    Option<"threadsApart", "threads-apart", "bool", "false",
           "Give the accumulators of virtual threads a half each">];
}

def VTAExpand : Pass<"vta-expand", "::mlir::ModuleOp"> {
  let summary = "Evaluate kernels and emit their instructions";
  let description = [{
    Replaces every kernel (a function whose `target` is a `#vta.config`) by a
    `vta.program` of the same name, and the operations that refer to it by
    `vta.launch`. All control flow and index arithmetic of the kernel is
    evaluated. The target becomes the `vta.config` of a module that has none.

    A transfer becomes as few 2-D LOAD or STORE instructions as its contiguity
    allows, padding included. A tensor instruction becomes two hardware loops
    around the shortest sequence of micro-ops; equal sequences share one place
    in the table. Whatever exceeds a field of an instruction is split.
    Operations of size zero vanish. There are no tokens yet. An ALU instruction
    with an immediate has its destination as source too; that of a look-up is the
    number of its table among those of the program.

    With `alternate`, loops that tile an anchor in place (`te.loop`, any level but
    the first) run backwards every second time: what is loaded in the last
    iterations of one run is still there in the first of the next.

    An ALU operation waits for one on the same accumulator that is not done yet.
    Where sums are formed over source elements, the innermost micro-ops go through
    `alu-steps-apart` accumulators at least, if there are so many: the default is
    what hides the wait in a circuit with three stages of the ALU.

    In the dialect `public` no GEMM meets an accumulator again within two steps:
    the innermost micro-ops go through at least three accumulators, and a GEMM
    that has fewer is an instruction per term of its sums.

    ```mlir
    vta.load %src, %inp low [0] high [0] : memref<4x1x16xi8, #vta.mem<dram>>, memref<4x1x16xi8, #vta.mem<inp>>
    vta.gemm ins(%inp, %wgt : ...) outs(%acc : ...) bounds [2, 4]
        maps [affine_map<(o, i) -> (i)>, affine_map<(o, i) -> (o, i)>, affine_map<(o, i) -> (o)>]
    // becomes
    vta.insn.load inp sram 0 dram 0[0] size [1, 4] stride 4
    vta.insn.gemm uop [0, 1] iter [2, 4] dst [1, 0] src [0, 1] wgt [4, 1]
    ```
  }];
  let dependentDialects = ["::acc::vta::VTADialect"];
  let options = [
    Option<"alternate", "alternate", "bool", "false",
           "Whether loops around products run back and forth">,
    Option<"aluStepsApart", "alu-steps-apart", "uint64_t", "4",
           "ALU steps on different accumulators before one is met again">];
  let statistics = [
    Statistic<"numInstructions", "instructions", "Instructions emitted">,
    Statistic<"numUops", "uops", "Micro-ops in the tables">];
}

def VTADropLoads : Pass<"vta-drop-loads", "::mlir::ModuleOp"> {
  let summary = "Drop LOADs of what the scratchpads hold already";
  let description = [{
    Follows what every entry of the input and weight scratchpads holds. A LOAD of
    just that is dropped, and of others the parts that are there are cut off: rows
    above and below, and parts of rows if that saves more than one more instruction
    costs.

    Of some elements of a buffer it is known that they hold one value: what a
    kernel of the host filled and no program writes, and the border that a kernel
    of the host lays around what it packs (`te.border`). They are the same to
    this pass, wherever they are loaded from.

    ```mlir
    // Rows 0 and 5 of every image are its border.
    vta.insn.load inp sram 0 dram 0[0] size [6, 4] stride 4
    vta.insn.gemm ...
    vta.insn.load inp sram 0 dram 0[24] size [6, 4] stride 4
    vta.insn.gemm ...
    vta.insn.load inp sram 0 dram 0[24] size [6, 4] stride 4
    // becomes
    vta.insn.load inp sram 0 dram 0[0] size [6, 4] stride 4
    vta.insn.gemm ...
    vta.insn.load inp sram 4 dram 0[28] size [1, 16] stride 16
    vta.insn.gemm ...
    ```
  }];
  let dependentDialects = ["::acc::vta::VTADialect"];
  let options = [
    Option<"instructionBytes", "instruction-bytes", "uint64_t", "24",
           "Bytes that could be loaded in the time of one more LOAD: of the "
           "instruction itself, and what it takes to begin">];
  let statistics = [
    Statistic<"numDropped", "dropped", "LOADs dropped">,
    Statistic<"numShortened", "shortened", "LOADs that load less">];
}

def VTAWriteBorders : Pass<"vta-write-borders", "::mlir::ModuleOp"> {
  let summary = "Let the accelerator write the borders of buffers";
  let description = [{
    Where the host fills a buffer with a value and a program uses it next, that
    program writes the value, but only to what is read before anything else is
    written there: from at most `max-entries` accumulators that hold it. The
    host's kernel is gone, so that programs follow each other.

    ```mlir
    te.launch @fill outs(%x : memref<1x1x4x4x1x16xi8>)
    vta.launch @conv(%w, %x) : ... // stores rows 1 and 2 of columns 1 and 2
    // becomes
    vta.program @conv(...) {
      vta.insn.gemm reset uop [0, 1] iter [1, 5] dst [0, 1]
      vta.insn.alu add imm -128 uop [0, 1] iter [1, 5] dst [0, 1] src [0, 1]
      vta.insn.store out sram 0 dram 1[0] size [1, 5] stride 5
      vta.insn.store out sram 0 dram 1[7] size [1, 2] stride 2
      vta.insn.store out sram 0 dram 1[11] size [1, 5] stride 5
      ...
    }
    vta.launch @conv(%w, %x) : ...
    ```
  }];
  let dependentDialects = ["::acc::vta::VTADialect"];
  let options = [
    Option<"maxEntries", "max-entries", "int64_t", "256",
           "Accumulators that may hold the value">];
  let statistics = [
    Statistic<"numBorders", "borders", "Buffers whose border a program writes">];
}

def VTAJoinBuffers : Pass<"vta-join-buffers", "::mlir::ModuleOp"> {
  let summary = "Compute the operands of concatenations where the result lies";
  let description = [{
    Takes away kernels of the host that copy whole buffers to places of their
    own in another, each in one piece: the buffers become views of one
    allocation, which is the result. What is copied must be an allocation that
    nobody writes afterwards and that no other concatenation wants, and only
    kernels and programs may use it. Programs get such views as a whole
    allocation and an offset, by vta-chain-programs.

    ```mlir
    %a = memref.alloc() : memref<1x1x4x4x1x16xi8>
    vta.launch @first(%x, %a) : ...
    %b = memref.alloc() : memref<1x2x4x4x1x16xi8>
    vta.launch @second(%x, %b) : ...
    %c = memref.alloc() : memref<1x3x4x4x1x16xi8>
    te.launch @concat ins(%a, %b : ...) outs(%c : ...)
    // becomes
    %0 = memref.alloc() : memref<768xi8>
    %a = memref.view %0[%c0][] : memref<768xi8> to memref<1x1x4x4x1x16xi8>
    vta.launch @first(%x, %a) : ...
    %b = memref.view %0[%c256][] : memref<768xi8> to memref<1x2x4x4x1x16xi8>
    vta.launch @second(%x, %b) : ...
    %c = memref.view %0[%c0][] : memref<768xi8> to memref<1x3x4x4x1x16xi8>
    ```
  }];
  let dependentDialects = [
    "::acc::vta::VTADialect", "::mlir::arith::ArithDialect",
    "::mlir::memref::MemRefDialect"];
  let statistics = [
    Statistic<"numJoined", "joined", "Concatenations that are gone">];
}

def VTAChainPrograms : Pass<"vta-chain-programs", "::mlir::ModuleOp"> {
  let summary = "Join programs that run one after the other";
  let description = [{
    Launches in a row become one launch of one program, which has the
    instructions of theirs in order, so that the accelerator need not stop in
    between: it loads what a kernel needs while it computes the one before.
    Operations between launches that have nothing to do with them are moved
    ahead of them or behind them. The launch keeps which kernels it is made of
    (`parts`).

    The joined program has every allocation and argument of main as a buffer
    once. Allocations that nobody else uses become one, in which they share room
    if they are not in use at the same time. Micro-ops and tables that several
    programs have are there once. LOADs of constants at the beginning of a kernel go in
    front of those that wait for what the kernel before it stores.

    A chain ends where it would become longer than `max-instructions`. Programs
    must have no tokens yet.

    ```mlir
    %x = memref.alloc() : memref<4x1x16xi8>
    vta.launch @first(%a, %x) : ...
    vta.launch @second(%x, %w, %y) : ...
    // becomes
    %0 = memref.alloc() : memref<64xi8>
    vta.launch @first_chain(%a, %w, %y, %0) parts [
        #vta.part<kernel = "first", label = "first", buffers = [0, 3], offsets = [0, 0]>,
        #vta.part<kernel = "second", label = "second", buffers = [3, 1, 2], offsets = [0, 0, 0]>] : ...
    ```
  }];
  let dependentDialects = ["::acc::vta::VTADialect", "::mlir::memref::MemRefDialect"];
  let options = [
    Option<"maxInstructions", "max-instructions", "int64_t", "1 << 20",
           "The longest program that is made">];
  let statistics = [
    Statistic<"numChained", "chained", "Launches that became part of another">];
}

def VTAInterleaveUnits : Pass<"vta-interleave-units", "::acc::vta::ProgramOp"> {
  let summary = "Order instructions of compute by when their units are free";
  let description = [{
    For circuits in which GEMM and ALU run beside each other where they use other
    banks of the accumulators, but start instructions in order. Of the next
    `window` instructions of the compute module, the one goes first that can
    start first, with the LOADs that it needs, as a model of `port-bytes` per
    cycle and a memory that answers after `latency` cycles has it; STOREs follow
    what they store at once. So one virtual thread multiplies while another
    rescales, adds and stores, across tiles and across kernels. Order between
    instructions that touch the same entries or bytes stays. Micro-ops have no
    place yet. Does nothing if there is one bank (`log-banks`).

    ```mlir
    vta.insn.gemm uop [0, 1] iter [1, 64] dst [0, 1] src [0, 1]
    vta.insn.gemm uop [1, 2] iter [1, 64] dst [0, 1] src [0, 1]
    vta.insn.alu max imm 0 uop [0, 1] iter [1, 64] dst [0, 1] src [0, 1]
    vta.insn.gemm uop [2, 3] iter [1, 64] dst [0, 1] src [0, 1]
    // becomes, with micro-ops 0 and 1 for the first bank, 2 for the second,
    vta.insn.gemm uop [0, 1] iter [1, 64] dst [0, 1] src [0, 1]
    vta.insn.alu max imm 0 uop [0, 1] iter [1, 64] dst [0, 1] src [0, 1]
    vta.insn.gemm uop [2, 3] iter [1, 64] dst [0, 1] src [0, 1]
    vta.insn.gemm uop [1, 2] iter [1, 64] dst [0, 1] src [0, 1]
    ```
  }];
  let options = [
    Option<"logBanks", "log-banks", "uint64_t", "0",
           "How many banks the accumulators have, as a power of two">,
    Option<"portBytes", "port-bytes", "uint64_t", "8",
           "Bytes that the memory port moves in a cycle">,
    Option<"latency", "latency", "uint64_t", "64",
           "After how many cycles memory answers">,
    Option<"window", "window", "uint64_t", "24",
           "How many instructions of compute there are to choose from">];
  let statistics = [
    Statistic<"numMoved", "moved", "Instructions that have another place">];
}

def VTACacheUops : Pass<"vta-cache-uops", "::acc::vta::ProgramOp"> {
  let summary = "Place micro-op sequences in the micro-op memory";
  let description = [{
    Turns the micro-op ranges of instructions, which are positions in the table
    of the program, into entries of the micro-op memory, and inserts the LOADs
    that fill it. A table that fits is loaded once; otherwise a sequence is
    loaded when it is first needed, together with those that follow it in the
    table as far as there is free room, and evicted when it is the one whose
    next use is farthest away; of several, the first in the memory.

    Tables of a program (`tables`) become micro-ops behind all others, and their
    places are the last ones of the memory. As many of them stay there at a time
    as makes what is loaded, tables and micro-ops, least. Immediates of look-ups
    name places then.

    ```mlir
    vta.program @k() uops <[0, 0, 0], [0, 1, 9]> {
      vta.insn.gemm uop [0, 2]
    }
    // becomes
    vta.program @k() cached uops <[0, 0, 0], [0, 1, 9]> {
      vta.insn.load uop sram 0 dram 0[0] size [1, 2] stride 2
      vta.insn.gemm uop [0, 2]
    }
    ```
    With ALU_TABLE, and a micro-op memory of 8192 entries,
    ```mlir
    vta.program @k() uops <[0, 0, 0]> tables [array<i8: -128, -127, ...>] {
      vta.insn.alu table imm 0 uop [0, 1]
    }
    // becomes
    vta.program @k() cached uops <[0, 0, 0], [0, 0, 0], [1, 0, 0], ...> {
      vta.insn.load uop sram 0 dram 0[0] size [1, 1] stride 1
      vta.insn.load uop sram 7936 dram 0[1] size [1, 256] stride 256
      vta.insn.alu table imm 7 uop [0, 1]
    }
    ```
  }];
  let statistics = [
    Statistic<"numLoads", "uop-loads", "LOADs of micro-ops inserted">,
    Statistic<"numLoaded", "uops-loaded", "Micro-ops that they load">];
}

def VTASplitLoads : Pass<"vta-split-loads", "::acc::vta::ProgramOp"> {
  let summary = "Load first what is multiplied with first";
  let description = [{
    A LOAD of weights for several GEMMs lets the first of them wait for all of it.
    Where that would be longer than what it takes to load them in parts, each
    part is loaded in front of the GEMM that reads it first. Nothing of that
    counts while there is enough to compute meanwhile: steps of compute between
    the last instruction that a LOAD waits for and its first reader, at one cycle
    each, are compared with the LOADs between them. Micro-ops must have their
    places, and there are no tokens yet.

    ```mlir
    vta.insn.load wgt sram 0 dram 1[0] size [1, 576] stride 576
    vta.insn.load inp sram 0 dram 0[0] size [16, 16] stride 30
    vta.insn.gemm uop [0, 9] iter [196, 1] dst [1, 0] src [1, 0]
    vta.insn.gemm uop [9, 18] iter [196, 1] dst [1, 0] src [1, 0]
    // becomes, if the micro-ops read weights from 0 and from 288 on
    vta.insn.load inp sram 0 dram 0[0] size [16, 16] stride 30
    vta.insn.load wgt sram 0 dram 1[0] size [1, 288] stride 288
    vta.insn.gemm uop [0, 9] iter [196, 1] dst [1, 0] src [1, 0]
    vta.insn.load wgt sram 288 dram 1[288] size [1, 288] stride 288
    vta.insn.gemm uop [9, 18] iter [196, 1] dst [1, 0] src [1, 0]
    ```
  }];
  let options = [
    Option<"portBytes", "port-bytes", "uint64_t", "8",
           "Bytes that memory delivers in a cycle">,
    Option<"loadCycles", "load-cycles", "uint64_t", "16",
           "Cycles that a LOAD takes besides">];
  let statistics = [
    Statistic<"numParts", "parts", "LOADs made of others">];
}

def VTAHoistLoads : Pass<"vta-hoist-loads", "::acc::vta::ProgramOp"> {
  let summary = "Move LOADs ahead of what they need not wait for";
  let description = [{
    Instructions are fetched in order, and a module's queue holds a few. A LOAD
    behind many instructions of compute arrives at its module late, though the
    memory it fills may be free and the module idle. LOADs of inp and wgt
    therefore move, in their order, ahead of instructions of other modules, up to
    the last that reads what they overwrite. Ahead of none are more than
    `distance` of them. Micro-ops must have their places, and there are no tokens
    yet.

    ```mlir
    vta.insn.load inp sram 0 dram 0[0] size [1, 4] stride 4
    vta.insn.gemm uop [0, 1] iter [2, 4] dst [1, 0] src [0, 1]
    vta.insn.load inp sram 4 dram 0[4] size [1, 4] stride 4
    // becomes
    vta.insn.load inp sram 0 dram 0[0] size [1, 4] stride 4
    vta.insn.load inp sram 4 dram 0[4] size [1, 4] stride 4
    vta.insn.gemm uop [0, 1] iter [2, 4] dst [1, 0] src [0, 1]
    ```
  }];
  let options = [
    Option<"distance", "distance", "uint64_t", "8",
           "How many LOADs may go ahead of an instruction">];
  let statistics = [
    Statistic<"numHoisted", "hoisted", "LOADs that were moved">];
}

def VTAInsertTokens : Pass<"vta-insert-tokens", "::acc::vta::ProgramOp"> {
  let summary = "Order all hazards with the fewest dependence tokens";
  let description = [{
    Sets the dependence flags of every instruction from the exact dataflow of
    the stream on scratchpad entries and DRAM bytes: a token only where no chain
    of earlier tokens implies the order. Where load has to wait for store, which
    have no queue between them, a compute instruction passes the token on; if
    none stands between, one that does nothing is inserted.

    ```mlir
    vta.insn.load inp sram 0 dram 0[0] size [1, 4] stride 4
    vta.insn.gemm uop [0, 1] iter [2, 4] dst [1, 0] src [0, 1]
    vta.insn.finish
    // becomes
    vta.insn.load inp sram 0 dram 0[0] size [1, 4] stride 4 push(next)
    vta.insn.gemm uop [0, 1] iter [2, 4] dst [1, 0] src [0, 1] pop(prev)
    vta.insn.finish
    ```
  }];
  let statistics = [
    Statistic<"numTokens", "tokens", "Tokens inserted">,
    Statistic<"numNops", "nops", "Instructions inserted to pass tokens on">];
}

def VTAVerifyProgram : Pass<"vta-verify-program", "::acc::vta::ProgramOp"> {
  let summary = "Check that a program is well formed";
  let description = [{
    Fails, naming the instruction and its layer, unless every index and address
    is in range, tokens are balanced, execution cannot deadlock, every hazard is
    ordered, the stream ends with FINISH, and nothing is used that is not part
    of the dialect in `vta.config`. Changes nothing.
  }];
}

#endif // ACC_PASSES_VTA_PASSES_TD
