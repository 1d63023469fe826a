//===- Intrinsics.cpp - The te.intrins of the accelerator -----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Kernels/Emission.h"

#include "llvm/Support/FormatVariadic.h"

// {0}: BATCH, {1}: BLOCK_IN, {2}: BLOCK_OUT, {3}: width of weights.
static constexpr char kMatrix[] = R"mlir(
te.intrin @vta_gemm emits "vta.gemm" {{
^bb0(%inp: memref<{0}x{1}xi{4}, #vta.mem<inp>>, %wgt: memref<{2}x{1}xi{3}, #vta.mem<wgt>>,
     %acc: memref<{0}x{2}xi32, #vta.mem<acc>>):
  linalg.generic {{
      indexing_maps = [affine_map<(b, o, i) -> (b, i)>, affine_map<(b, o, i) -> (o, i)>,
                       affine_map<(b, o, i) -> (b, o)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%inp, %wgt : memref<{0}x{1}xi{4}, #vta.mem<inp>>, memref<{2}x{1}xi{3}, #vta.mem<wgt>>)
      outs(%acc : memref<{0}x{2}xi32, #vta.mem<acc>>) {{
  ^bb0(%x: i{4}, %w: i{3}, %a: i32):
    %0 = arith.extsi %x : i{4} to i32
    %1 = arith.extsi %w : i{3} to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %a, %2 : i32
    linalg.yield %3 : i32
  }
}
te.intrin @vta_reset emits "vta.reset" {{
^bb0(%acc: memref<{0}x{2}xi32, #vta.mem<acc>>):
  %zero = arith.constant 0 : i32
  linalg.fill ins(%zero : i32) outs(%acc : memref<{0}x{2}xi32, #vta.mem<acc>>)
}
)mlir";

// {0}: BATCH, {1}: BLOCK_IN and BLOCK_OUT, {2}: inputs of a window, {3} and
// {4}: widths of weights and inputs. A tile of weights has more columns than
// are read.
static constexpr char kWindow[] = R"mlir(
te.intrin @vta_gemm_window emits "vta.gemm" with {{window} {{
^bb0(%inp: memref<{2}x{0}x{1}xi{4}, #vta.mem<inp>>, %wgt: memref<{1}x{1}xi{3}, #vta.mem<wgt>>,
     %acc: memref<{0}x{1}xi32, #vta.mem<acc>>):
  linalg.generic {{
      indexing_maps = [affine_map<(b, o, t) -> (t, b, o)>, affine_map<(b, o, t) -> (o, t mod {1})>,
                       affine_map<(b, o, t) -> (b, o)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%inp, %wgt : memref<{2}x{0}x{1}xi{4}, #vta.mem<inp>>, memref<{1}x{1}xi{3}, #vta.mem<wgt>>)
      outs(%acc : memref<{0}x{1}xi32, #vta.mem<acc>>) {{
  ^bb0(%x: i{4}, %w: i{3}, %a: i32):
    %0 = arith.extsi %x : i{4} to i32
    %1 = arith.extsi %w : i{3} to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %a, %2 : i32
    linalg.yield %3 : i32
  }
}
)mlir";

// {0}: BATCH, {1}: BLOCK_OUT, {2}: name, {3}: arith operation, {4}: attributes.
static constexpr char kVector[] = R"mlir(
te.intrin @vta_{2} emits "vta.alu" with {{{4}} {{
^bb0(%acc: memref<{0}x{1}xi32, #vta.mem<acc>>, %operand: memref<{0}x{1}xi32, #vta.mem<acc>>):
  linalg.generic {{
      indexing_maps = [affine_map<(b, o) -> (b, o)>, affine_map<(b, o) -> (b, o)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%operand : memref<{0}x{1}xi32, #vta.mem<acc>>)
      outs(%acc : memref<{0}x{1}xi32, #vta.mem<acc>>) {{
  ^bb0(%v: i32, %a: i32):
    %0 = {3} %a, %v : i32
    linalg.yield %0 : i32
  }
}
)mlir";

static constexpr char kImmediate[] = R"mlir(
te.intrin @vta_{2}_imm emits "vta.alu" with {{{4}} {{
^bb0(%acc: memref<{0}x{1}xi32, #vta.mem<acc>>, %imm: i32):
  linalg.generic {{
      indexing_maps = [affine_map<(b, o) -> (b, o)>], iterator_types = ["parallel", "parallel"]}
      outs(%acc : memref<{0}x{1}xi32, #vta.mem<acc>>) {{
  ^bb0(%a: i32):
    %0 = {3} %a, %imm : i32
    linalg.yield %0 : i32
  }
}
)mlir";

// The operand's three elements hold parameters.
static constexpr char kRequantize[] = R"mlir(
te.intrin @vta_requantize emits "vta.alu" with {{op = #vta<alu_op requantize>} {{
^bb0(%acc: memref<{0}x{1}xi32, #vta.mem<acc>>, %parameters: memref<3x{0}x{1}xi32, #vta.mem<acc>>):
  linalg.generic {{
      indexing_maps = [affine_map<(b, o) -> (0, b, o)>, affine_map<(b, o) -> (1, b, o)>,
                       affine_map<(b, o) -> (2, b, o)>, affine_map<(b, o) -> (b, o)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%parameters, %parameters, %parameters : memref<3x{0}x{1}xi32, #vta.mem<acc>>,
          memref<3x{0}x{1}xi32, #vta.mem<acc>>, memref<3x{0}x{1}xi32, #vta.mem<acc>>)
      outs(%acc : memref<{0}x{1}xi32, #vta.mem<acc>>) {{
  ^bb0(%bias: i32, %scaling: i32, %bounds: i32, %a: i32):
    %0 = vta.requantize_step %a by %bias, %scaling, %bounds
    linalg.yield %0 : i32
  }
}
)mlir";

static constexpr char kTable[] = R"mlir(
te.intrin @vta_table emits "vta.alu" with {{op = #vta<alu_op table>} {{
^bb0(%acc: memref<{0}x{1}xi32, #vta.mem<acc>>):
  linalg.generic {{
      indexing_maps = [affine_map<(b, o) -> (b, o)>], iterator_types = ["parallel", "parallel"]}
      outs(%acc : memref<{0}x{1}xi32, #vta.mem<acc>>) {{
  ^bb0(%a: i32):
    %0 = vta.lookup_step %a
    linalg.yield %0 : i32
  }
}
)mlir";

namespace {
struct AluStep {
  const char *name, *op, *attributes;
  bool vector;
};
} // namespace

// A shift to the left is one to the right by a negative amount, which only an
// immediate can be made.
static constexpr AluStep kAluSteps[] = {
    {"min", "arith.minsi", "op = #vta<alu_op min>", true},
    {"max", "arith.maxsi", "op = #vta<alu_op max>", true},
    {"add", "arith.addi", "op = #vta<alu_op add>", true},
    {"mul", "arith.muli", "op = #vta<alu_op mul>", true},
    {"shr", "arith.shrsi", "op = #vta<alu_op shr>", true},
    {"shl", "arith.shli", "op = #vta<alu_op shr>, negate", false}};

std::string acc::vta::getIntrinsics(const vta::isa::Config &config) {
  int batch = config.batch(), blockIn = config.blockIn(),
      blockOut = config.blockOut();
  std::string text = llvm::formatv(kMatrix, batch, blockIn, blockOut,
                                   config.wgtBits(), config.inpBits())
                         .str();
  for (const AluStep &step : kAluSteps) {
    text += llvm::formatv(kImmediate, batch, blockOut, step.name, step.op,
                          step.attributes)
                .str();
    if (step.vector)
      text += llvm::formatv(kVector, batch, blockOut, step.name, step.op,
                            step.attributes)
                  .str();
  }
  if (config.gemmWindow)
    text += llvm::formatv(kWindow, batch, blockIn, config.gemmWindow,
                          config.wgtBits(), config.inpBits())
                .str();
  if (config.aluRequantize)
    text += llvm::formatv(kRequantize, batch, blockOut).str();
  if (config.aluTable)
    text += llvm::formatv(kTable, batch, blockOut).str();
  return text;
}
