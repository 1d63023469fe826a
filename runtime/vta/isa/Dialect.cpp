//===- Dialect.cpp - What a stream may use --------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/vta/isa/Dialect.h"

using namespace acc::vta::isa;

const char *acc::vta::isa::dialectName(Dialect dialect) {
  return dialect == Dialect::Public ? "public" : "acc";
}

std::optional<Dialect> acc::vta::isa::dialectFromName(std::string_view name) {
  for (Dialect dialect : {Dialect::Acc, Dialect::Public})
    if (name == dialectName(dialect))
      return dialect;
  return std::nullopt;
}

namespace {

/// Two steps of a GEMM with the same destination: how far apart, and which.
struct Repetition {
  int distance;
  int64_t entry;
};

} // namespace

/// The first two steps that are one or two apart and have the same destination,
/// or nothing.
///
/// Destinations are those of the micro-ops plus what the loops have added, so
/// steps within an iteration are compared once, and steps of neighbouring
/// iterations once for each way in which one iteration can follow another.
static std::optional<Repetition> findRepetition(const GemmInsn &gemm,
                                                std::span<const Uop> uops) {
  const size_t count = gemm.uopCount();
  auto dst = [&](size_t u) {
    return static_cast<int64_t>(uops[gemm.uopBgn + u].dst);
  };
  for (size_t u = 0; u < count; ++u)
    for (size_t distance : {1, 2})
      if (u + distance < count && dst(u) == dst(u + distance))
        return Repetition{static_cast<int>(distance), dst(u)};

  // What an iteration adds to the destinations of the one before it: within the
  // inner loop, and where the outer loop goes on, behind so much that the inner
  // loop has added.
  const bool inner = gemm.iterIn > 1, outer = gemm.iterOut > 1;
  const int64_t in = gemm.dstIn,
                turns = (static_cast<int64_t>(gemm.iterIn) - 1) * in,
                out = static_cast<int64_t>(gemm.dstOut) - turns;
  auto compare = [&](int64_t added, int64_t base) -> std::optional<Repetition> {
    if (dst(count - 1) == dst(0) + added)
      return Repetition{1, base + dst(count - 1)};
    if (count > 1 && dst(count - 2) == dst(0) + added)
      return Repetition{2, base + dst(count - 2)};
    if (count > 1 && dst(count - 1) == dst(1) + added)
      return Repetition{2, base + dst(count - 1)};
    return std::nullopt;
  };
  if (inner)
    if (auto found = compare(in, 0))
      return found;
  if (outer)
    if (auto found = compare(out, turns))
      return found;
  // Two iterations on is two steps on if there is one micro-op; twice the same
  // loop adds nothing only if once does not.
  if (count == 1 && inner && outer && in + out == 0)
    return Repetition{2, turns - in + dst(0)};
  return std::nullopt;
}

static std::optional<std::string> checkAlu(const AluInsn &alu,
                                           std::span<const Uop> uops) {
  if (alu.op == AluOp::Mul)
    return "multiplies, which only some designs do";
  if (kAluOpFacts[static_cast<int>(alu.op)].extension)
    return std::string("is ") + aluOpName(alu.op) +
           ", which no other design has";
  if (!alu.useImm)
    return std::nullopt;
  if (alu.op == AluOp::Shr && alu.imm < 0)
    return "shifts to the left: the sign of an amount is ignored by some "
           "designs";
  if (alu.op == AluOp::Shr && alu.imm > 31)
    return "shifts by " + std::to_string(alu.imm) +
           ", which nothing defines beyond 31";
  bool same = (alu.iterOut == 1 || alu.srcOut == alu.dstOut) &&
              (alu.iterIn == 1 || alu.srcIn == alu.dstIn);
  for (uint32_t u = alu.uopBgn; same && u < alu.uopEnd; ++u)
    same = uops[u].src == uops[u].dst;
  if (!same)
    return "has an immediate and a source that is not its destination, which "
           "some designs read instead";
  return std::nullopt;
}

std::optional<std::string>
acc::vta::isa::checkDialect(Dialect dialect, const Instruction &insn,
                            std::span<const Uop> uops) {
  if (dialect == Dialect::Acc)
    return std::nullopt;
  if (const MemInsn *mem = insn.mem()) {
    if (!mem->store && mem->memory == Memory::Acc8 && !mem->isNop())
      return "loads acc8, which only some designs do";
    return std::nullopt;
  }
  const MicroLoop *loop = insn.loop();
  if (!loop || loop->steps() == 0)
    return std::nullopt;
  if (const AluInsn *alu = insn.alu())
    return checkAlu(*alu, uops);
  const GemmInsn &gemm = *insn.gemm();
  if (gemm.window)
    return "multiplies the lanes of a window, which no other design does";
  if (gemm.set)
    return "sets what it multiplies, which no other design does";
  // A reset reads nothing that the steps before it may not have written yet.
  if (gemm.reset)
    return std::nullopt;
  if (auto found = findRepetition(gemm, uops))
    return "meets acc[" + std::to_string(found->entry) + "] again after " +
           (found->distance == 1 ? "one step" : "two steps") +
           ", too early for some designs";
  return std::nullopt;
}
