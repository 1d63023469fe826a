//===- Assembly.h - Assembly text -------------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// Assembly text: one line per instruction, every field visible.
///
///     load.inp sram=0 dram=@1+64 y=8 x=16 stride=56 pad=1,0,1,1 pop=next
///     gemm.reset uop=9:10 iter=14,14 dst=14,1 src=0,0 wgt=0,0
///     gemm uop=0:9 iter=14,14 dst=14,1 src=16,1 wgt=0,0 pop=prev push=prev
///     alu.shr uop=10:11 iter=1,196 dst=0,1 src=0,1 imm=8 use_imm=1 push=next
///     store.out sram=0 dram=@2+0 y=1 x=196 stride=196 pop=prev push=prev
///     finish
///
/// `dram=@B+N` is element N of buffer B, `dram=N` an absolute element address.
/// Omitted fields are zero, an omitted iter is 1,1. `pad` is rows above, rows
/// below, elements left, elements right. `spare=LOW,HIGH` are the two words'
/// bits that belong to no field; a micro-op has one word of them.
///
/// Directives carry the rest of a Program: `.config {json}`, `.buffer "name"
/// bytes` or, if it is known where in DRAM it lies, `.buffer "name" bytes
/// address`, `.uop_buffer B`, `.uop dst=.. src=.. wgt=..`, `.layer "name"` (of
/// the lines that follow). `;` starts a comment.

#ifndef ACC_VTA_ISA_ASSEMBLY_H
#define ACC_VTA_ISA_ASSEMBLY_H

#include "acc/vta/isa/Program.h"

namespace acc::vta::isa {

/// One instruction, without newline. \p buffer as in Program::bufferOf.
std::string printInstruction(const Instruction &insn,
                             int32_t buffer = Program::kNone);
/// `.uop dst=.. src=.. wgt=..`
std::string printUop(const Uop &uop, uint32_t spare = 0);
/// The whole program: directives, micro-op table, then the instructions, each
/// with its index as a comment.
std::string printProgram(const Program &program);

/// Parses the text form. Without a `.config` line \p config is used. On
/// failure returns nothing and appends one message per wrong line
/// ("line 3, column 7: ...").
std::optional<Program> parseProgram(std::string_view text, const Config &config,
                                    std::vector<std::string> &problems);

} // namespace acc::vta::isa

#endif // ACC_VTA_ISA_ASSEMBLY_H
