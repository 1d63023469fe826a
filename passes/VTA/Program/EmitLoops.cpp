//===- EmitLoops.cpp - GEMM and ALU instructions of a domain --------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The hardware runs two loops around a sequence of micro-ops. Dimensions that
// advance all operands as one longer dimension would are merged, the two
// longest of those that remain become the loops, and the rest is unrolled into
// micro-ops, which makes their number least.
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Program/Emitter.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace acc;
using namespace acc::vta;

static constexpr int64_t kMaxIterations =
    std::min(isa::limits::kIterOut, isa::limits::kIterIn);
/// In the dialect `public`, so many steps of a GEMM have different
/// accumulators.
static constexpr int64_t kGemmStepsApart = 3;

/// Merges pairs of dimensions of which one continues where the other ends. The
/// order of points does not matter, so any pair will do.
static void mergeDims(SmallVectorImpl<LoopDim> &dims) {
  llvm::erase_if(dims, [](const LoopDim &dim) { return dim.size == 1; });
  auto mergeOne = [&] {
    for (size_t i = 0; i < dims.size(); ++i)
      for (size_t j = 0; j < dims.size(); ++j) {
        LoopDim &outer = dims[i], &inner = dims[j];
        if (i == j || llvm::any_of(llvm::seq(3), [&](int role) {
              return outer.strides[role] != inner.strides[role] * inner.size;
            }))
          continue;
        inner.size *= outer.size;
        dims.erase(dims.begin() + i);
        return true;
      }
    return false;
  };
  while (mergeOne())
    ;
}

/// Makes all strides of a dimension non-negative by running it backwards, if
/// that is possible.
static void orient(LoopDim &dim, std::array<int64_t, 3> &bases) {
  if (llvm::any_of(dim.strides, [](int64_t stride) { return stride > 0; }))
    return;
  for (int role = 0; role < 3; ++role) {
    bases[role] += dim.strides[role] * (dim.size - 1);
    dim.strides[role] = -dim.strides[role];
  }
}

/// What a product meets again, it adds to.
static void addFromNowOn(isa::Instruction &insn) {
  if (auto *gemm = std::get_if<isa::GemmInsn>(&insn.body))
    gemm->set = false;
}

void Emitter::emitDomain(isa::Instruction insn, std::array<int64_t, 3> bases,
                         SmallVector<LoopDim> dims) {
  mergeDims(dims);
  for (size_t i = 0; i < dims.size(); ++i) {
    orient(dims[i], bases);
    if (dims[i].size <= kMaxIterations)
      continue;
    // Too long for one hardware loop: two nested ones, and what is left over.
    LoopDim inner = dims[i], outer = dims[i], rest = dims[i];
    inner.size = kMaxIterations;
    outer.size = dims[i].size / kMaxIterations;
    rest.size = dims[i].size % kMaxIterations;
    std::array<int64_t, 3> restBases = bases;
    for (int role = 0; role < 3; ++role) {
      outer.strides[role] *= kMaxIterations;
      restBases[role] += outer.strides[role] * outer.size;
    }
    SmallVector<LoopDim> others = dims;
    if (rest.size > 0) {
      others[i] = rest;
      emitDomain(insn, restBases, others);
      if (rest.strides[0] == 0)
        addFromNowOn(insn);
    }
    dims[i] = inner;
    if (outer.size > 1)
      dims.insert(dims.begin() + i, outer);
    break;
  }
  const isa::GemmInsn *gemm = insn.gemm();
  bool reduces = llvm::any_of(
      dims, [](const LoopDim &dim) { return dim.strides[0] == 0; });
  if (dialect == isa::Dialect::Public && gemm && !gemm->reset)
    emitSeparated(insn, bases, std::move(dims), kGemmStepsApart);
  else if (gemm && gemm->window)
    emitWindow(insn, bases, std::move(dims));
  else if (insn.alu() && insn.alu()->sources() > 1)
    emitHeld(insn, bases, std::move(dims));
  else if (insn.alu() && reduces)
    emitSeparated(insn, bases, std::move(dims), aluStepsApart);
  else
    emitNest(insn, bases, std::move(dims), {});
}

/// Emits an operation such that no accumulator is met again within \p apart
/// steps. Dimensions that move the accumulator are taken to reach different
/// ones. Of GEMM that is a promise; of the ALU, which waits, as good as it
/// gets.
void Emitter::emitSeparated(const isa::Instruction &insn,
                            std::array<int64_t, 3> bases,
                            SmallVector<LoopDim> dims, int64_t apart) {
  // A part of such a dimension becomes the innermost one, as small a part as
  // possible, since it is unrolled into micro-ops.
  LoopDim *best = nullptr;
  int64_t part = longestSequence;
  for (LoopDim &dim : dims) {
    if (dim.strides[0] == 0)
      continue;
    int64_t size = apart;
    while (size < dim.size && dim.size % size != 0)
      ++size;
    if (size <= dim.size && size <= part) {
      best = &dim;
      part = size;
    }
  }
  if (best) {
    LoopDim inner = *best;
    inner.size = part;
    best->size /= part;
    for (int64_t &stride : best->strides)
      stride *= part;
    if (best->size == 1)
      dims.erase(best);
    return emitNest(insn, bases, std::move(dims), inner);
  }

  if (insn.alu()) {
    // Short dimensions are left, all of which together stay innermost.
    auto moves = [](const LoopDim &dim) { return dim.strides[0] != 0; };
    SmallVector<LoopDim> innermost(llvm::make_filter_range(dims, moves));
    llvm::erase_if(dims, moves);
    return emitNest(insn, bases, std::move(dims), innermost);
  }

  // Dimensions of two at most are left: an instruction for every term.
  auto reduction = llvm::find_if(
      dims, [](const LoopDim &dim) { return dim.strides[0] == 0; });
  if (reduction == dims.end())
    return emitNest(insn, bases, std::move(dims), {});
  LoopDim terms = *reduction;
  dims.erase(reduction);
  for (int64_t i = 0; i < terms.size; ++i) {
    emitSeparated(insn, bases, dims, apart);
    for (int role = 0; role < 3; ++role)
      bases[role] += terms.strides[role];
  }
}

/// Emits an operation that reads its source only where it is another one than
/// that of the step before: it moves in the outer loop alone.
void Emitter::emitHeld(const isa::Instruction &insn,
                       std::array<int64_t, 3> bases,
                       SmallVector<LoopDim> dims) {
  auto moves = [](const LoopDim &dim) { return dim.strides[1] != 0; };
  auto isShorter = [](const LoopDim &a, const LoopDim &b) {
    return a.size < b.size;
  };
  if (llvm::count_if(dims, moves) > 1) {
    SmallVector<LoopDim> moving(llvm::make_filter_range(dims, moves));
    LoopDim shortest = *llvm::min_element(moving, isShorter);
    dims.erase(llvm::find_if(dims, [&](const LoopDim &dim) {
      return dim.size == shortest.size && dim.strides == shortest.strides;
    }));
    for (int64_t i = 0; i < shortest.size; ++i) {
      emitHeld(insn, bases, dims);
      for (int role = 0; role < 3; ++role)
        bases[role] += shortest.strides[role];
    }
    return;
  }
  SmallVector<LoopDim> loops(llvm::make_filter_range(dims, moves));
  llvm::erase_if(dims, moves);
  if (!dims.empty()) {
    auto *longest = llvm::max_element(dims, isShorter);
    loops.push_back(*longest);
    dims.erase(longest);
  }
  emitNest(insn, bases, std::move(loops), dims);
}

/// Emits products of windows, which are read anew but where each lies a little
/// beyond the one before: the dimension that moves them so, the longest of
/// such, is the inner loop, the longest of the others the outer one, and for
/// the rest there are instructions.
void Emitter::emitWindow(const isa::Instruction &insn,
                         std::array<int64_t, 3> bases,
                         SmallVector<LoopDim> dims) {
  auto take = [&](auto mayBe) {
    const LoopDim *longest = nullptr;
    for (const LoopDim &dim : dims)
      if (llvm::all_of(dim.strides, [](int64_t s) { return s >= 0; }) &&
          dim.strides[0] != 0 && mayBe(dim) &&
          (!longest || dim.size > longest->size))
        longest = &dim;
    LoopDim taken = longest ? *longest : LoopDim{1, {0, 0, 0}};
    if (longest)
      dims.erase(dims.begin() + (longest - dims.begin()));
    return taken;
  };
  const int64_t sources = insn.gemm()->sources(config);
  LoopDim in = take([&](const LoopDim &dim) {
    return dim.strides[1] > 0 && dim.strides[1] < sources;
  });
  LoopDim out = take([](const LoopDim &) { return true; });
  // What sums comes first, so that the first of it may set.
  emitRepeated(insn, bases, dims, out, in, {});
}

/// Emits a domain whose dimensions fit the hardware loops; \p innermost are
/// further ones, which become micro-ops.
void Emitter::emitNest(const isa::Instruction &insn,
                       std::array<int64_t, 3> bases, SmallVector<LoopDim> dims,
                       ArrayRef<LoopDim> innermost) {
  // The loops: the two longest dimensions that the factor fields can express,
  // in the order in which they were given.
  SmallVector<size_t, 2> loops;
  for (size_t i = 0; i < dims.size(); ++i)
    if (dims[i].size <= kMaxIterations &&
        llvm::all_of(dims[i].strides,
                     [](int64_t stride) { return stride >= 0; }))
      loops.push_back(i);
  llvm::stable_sort(
      loops, [&](size_t a, size_t b) { return dims[a].size > dims[b].size; });
  loops.truncate(std::min<size_t>(loops.size(), 2));
  llvm::sort(loops);
  std::array<LoopDim, 2> chosen = {LoopDim{1, {0, 0, 0}},
                                   LoopDim{1, {0, 0, 0}}};
  for (size_t i = 0; i < loops.size(); ++i)
    chosen[2 - loops.size() + i] = dims[loops[i]];
  auto [out, in] = chosen;
  for (size_t loop : llvm::reverse(loops))
    dims.erase(dims.begin() + loop);
  dims.append(innermost.begin(), innermost.end());

  // A sequence must fit in the micro-op memory; dimensions are taken out of it
  // from the outermost on.
  int64_t count = 1;
  for (const LoopDim &dim : dims)
    count *= dim.size;
  size_t outside = 0;
  int64_t room = longestSequence;
  SmallVector<LoopDim> repeated;
  while (count > room) {
    LoopDim &dim = dims[outside];
    count /= dim.size;
    // As much of this dimension as there is room for stays inside.
    int64_t inside = std::max<int64_t>(room / count, 1);
    while (dim.size % inside != 0)
      --inside;
    LoopDim outer = dim;
    outer.size = dim.size / inside;
    for (int64_t &stride : outer.strides)
      stride *= inside;
    repeated.push_back(outer);
    dim.size = inside;
    count *= inside;
    ++outside;
  }

  emitRepeated(insn, bases, repeated, out, in, dims);
}

void Emitter::emitRepeated(isa::Instruction insn, std::array<int64_t, 3> bases,
                           ArrayRef<LoopDim> repeated, const LoopDim &out,
                           const LoopDim &in, ArrayRef<LoopDim> unrolled) {
  if (repeated.empty()) {
    if (insn.gemm() && insn.gemm()->set)
      return emitSet(insn, bases, out, in, unrolled);
    return emitSequence(insn, bases, out, in, unrolled);
  }
  for (int64_t i = 0; i < repeated.front().size; ++i) {
    emitRepeated(insn, bases, repeated.drop_front(), out, in, unrolled);
    for (int role = 0; role < 3; ++role)
      bases[role] += repeated.front().strides[role];
    if (repeated.front().strides[0] == 0)
      addFromNowOn(insn);
  }
}

static SmallVector<isa::Uop> unroll(std::array<int64_t, 3> bases,
                                    ArrayRef<LoopDim> unrolled) {
  SmallVector<isa::Uop> uops = {
      {uint32_t(bases[0]), uint32_t(bases[1]), uint32_t(bases[2])}};
  for (const LoopDim &dim : unrolled) {
    SmallVector<isa::Uop> longer;
    longer.reserve(uops.size() * dim.size);
    for (const isa::Uop &uop : uops)
      for (int64_t i = 0; i < dim.size; ++i)
        longer.push_back({uint32_t(uop.dst + i * dim.strides[0]),
                          uint32_t(uop.src + i * dim.strides[1]),
                          uint32_t(uop.wgt + i * dim.strides[2])});
    uops = std::move(longer);
  }
  return uops;
}

void Emitter::emitSet(const isa::Instruction &insn,
                      std::array<int64_t, 3> bases, LoopDim out, LoopDim in,
                      ArrayRef<LoopDim> unrolled) {
  isa::Instruction adding = insn;
  addFromNowOn(adding);
  // Of a loop that sums, the first iteration sets.
  for (LoopDim *loop : {&out, &in}) {
    if (loop->size == 1 || loop->strides[0] != 0)
      continue;
    LoopDim others = *loop;
    --others.size;
    loop->size = 1;
    emitSet(insn, bases, out, in, unrolled);
    *loop = others;
    for (int role = 0; role < 3; ++role)
      bases[role] += others.strides[role];
    return emitSequence(adding, bases, out, in, unrolled);
  }
  // So does the first of the micro-ops for a destination.
  llvm::DenseSet<uint32_t> met;
  SmallVector<isa::Uop> first, others;
  for (const isa::Uop &uop : unroll(bases, unrolled))
    (met.insert(uop.dst).second ? first : others).push_back(uop);
  emitUops(insn, first, out, in);
  if (!others.empty())
    emitUops(adding, others, out, in);
}

void Emitter::emitSequence(const isa::Instruction &insn,
                           std::array<int64_t, 3> bases, const LoopDim &out,
                           const LoopDim &in, ArrayRef<LoopDim> unrolled) {
  emitUops(insn, unroll(bases, unrolled), out, in);
}

void Emitter::emitUops(const isa::Instruction &insn, ArrayRef<isa::Uop> uops,
                       const LoopDim &out, const LoopDim &in) {
  isa::Instruction result = insn;
  Sequences::Reads reads = insn.alu()           ? Sequences::Entries
                           : insn.gemm()->reset ? Sequences::Destinations
                                                : Sequences::Everything;
  auto fill = [&](isa::MicroLoop &loop) {
    loop.uopBgn = sequences.intern(uops, reads);
    loop.uopEnd = loop.uopBgn + uops.size();
    loop.iterOut = out.size;
    loop.iterIn = in.size;
    loop.dstOut = out.strides[0];
    loop.dstIn = in.strides[0];
    loop.srcOut = out.strides[1];
    loop.srcIn = in.strides[1];
  };
  if (auto *gemm = std::get_if<isa::GemmInsn>(&result.body)) {
    fill(*gemm);
    gemm->wgtOut = out.strides[2];
    gemm->wgtIn = in.strides[2];
  } else {
    fill(std::get<isa::AluInsn>(result.body));
  }
  append(result);
}

void Emitter::placeSequences() {
  table = sequences.makeTable(longestSequence);
  for (isa::Instruction &insn : program.insns)
    if (auto *loop = const_cast<isa::MicroLoop *>(insn.loop())) {
      uint32_t size = loop->uopEnd - loop->uopBgn;
      loop->uopBgn = sequences.getPosition(loop->uopBgn);
      loop->uopEnd = loop->uopBgn + size;
    }
}
