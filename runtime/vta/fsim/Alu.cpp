//===- Alu.cpp - Tensor ALU of the functional simulator -------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Alu.h"

#include "acc/vta/isa/Requantize.h"

#include <array>
#include <cstring>
#include <vector>

using namespace acc;
using namespace acc::vta;
using vta::isa::AluInsn;
using vta::isa::AluOp;
using vta::isa::Uop;

namespace {

// Vectors of the compiler: it splits them as the target of each copy of the
// code below requires.
template <int N> using Signed = int32_t __attribute__((vector_size(N * 4)));
template <int N> using Unsigned = uint32_t __attribute__((vector_size(N * 4)));

#define INLINE __attribute__((always_inline)) inline

template <AluOp Op, int N>
INLINE void apply(int32_t *dst, const int32_t *src, int lanes) {
  for (int at = 0; at < lanes; at += N) {
    Signed<N> a, b;
    std::memcpy(&a, dst + at, sizeof(a));
    std::memcpy(&b, src + at, sizeof(b));
    if constexpr (Op == AluOp::Min)
      a = a < b ? a : b;
    if constexpr (Op == AluOp::Max)
      a = a > b ? a : b;
    if constexpr (Op == AluOp::Add)
      a = (Signed<N>)((Unsigned<N>)a + (Unsigned<N>)b);
    if constexpr (Op == AluOp::Mul)
      a = (Signed<N>)((Unsigned<N>)a * (Unsigned<N>)b);
    if constexpr (Op == AluOp::Shr) {
      Signed<N> right = b > 31 ? (Signed<N>){} + 31 : b;
      right = right < 0 ? (Signed<N>){} : right;
      Unsigned<N> amount = (Unsigned<N>){} - (Unsigned<N>)b;
      Unsigned<N> left = (Unsigned<N>)a << (amount & 31);
      left = amount > 31 ? (Unsigned<N>){} : left;
      a = b < 0 ? (Signed<N>)left : a >> right;
    }
    std::memcpy(dst + at, &a, sizeof(a));
  }
}

template <AluOp Op, int N>
INLINE void loops(const AluInsn &alu, const Uop *uops, int32_t *acc,
                  int lanes) {
  int32_t imm[N];
  for (int32_t &lane : imm)
    lane = alu.imm;
  if (alu.useImm && alu.uopCount() == 1 && alu.dstIn == 1) {
    // Neighbouring entries, all treated alike, are one long row.
    for (uint32_t o = 0; o < alu.iterOut; ++o) {
      int32_t *row =
          acc + (size_t(uops[alu.uopBgn].dst) + o * alu.dstOut) * lanes;
      for (size_t at = 0; at < size_t(alu.iterIn) * lanes; at += N)
        apply<Op, N>(row + at, imm, N);
    }
    return;
  }
  for (uint32_t o = 0; o < alu.iterOut; ++o)
    for (uint32_t i = 0; i < alu.iterIn; ++i) {
      int32_t *dst = acc + size_t(o * alu.dstOut + i * alu.dstIn) * lanes;
      const int32_t *src = acc + size_t(o * alu.srcOut + i * alu.srcIn) * lanes;
      for (const Uop *u = uops + alu.uopBgn; u != uops + alu.uopEnd; ++u) {
        if (alu.useImm)
          for (int at = 0; at < lanes; at += N)
            apply<Op, N>(dst + size_t(u->dst) * lanes + at, imm, N);
        else
          apply<Op, N>(dst + size_t(u->dst) * lanes,
                       src + size_t(u->src) * lanes, lanes);
      }
    }
}

/// The parameters of `requantize`, a row of lanes for each.
class Parameters {
public:
  explicit Parameters(int lanes)
      : lanes(lanes), storage(size_t(kRows) * lanes) {}

  /// Takes them from the accumulators at \p source on.
  void load(const int32_t *source) {
    for (int lane = 0; lane < lanes; ++lane) {
      isa::Requantize::Words words;
      for (size_t k = 0; k < words.size(); ++k)
        words[k] = static_cast<uint32_t>(source[k * lanes + lane]);
      const auto p = isa::Requantize::decode(words);
      const int64_t values[kRows] = {
          p.bias,        p.preShift,  p.multiplier,
          p.getAddend(), p.postShift, p.tiesEven ? p.getTieMask() : -1,
          p.tiesOdd,     p.zeroPoint, p.lowest,
          p.highest,     p.tiesEven};
      for (int row = 0; row < kRows; ++row)
        storage[size_t(row) * lanes + lane] = values[row];
    }
  }

  /// As isa::Requantize does, in a form that compilers vectorize.
  INLINE void apply(int32_t *dst) const {
    auto row = [&](Row r) { return storage.data() + size_t(r) * lanes; };
    const int64_t *bias = row(Bias), *pre = row(PreShift),
                  *multiplier = row(Multiplier), *addend = row(Addend),
                  *post = row(PostShift), *mask = row(TieMask),
                  *odd = row(TiesOdd), *zero = row(ZeroPoint),
                  *lowest = row(Lowest), *highest = row(Highest),
                  *even = row(TiesEven);
    for (int lane = 0; lane < lanes; ++lane) {
      const int64_t x = static_cast<int32_t>(static_cast<uint32_t>(dst[lane]) +
                                             static_cast<uint32_t>(bias[lane]));
      const int64_t q = (x >> pre[lane]) * multiplier[lane] + addend[lane];
      const int64_t z = q >> post[lane];
      const int64_t tie = (q & mask[lane]) == 0 ? even[lane] : 0;
      int64_t y = z + zero[lane] - (tie & (z ^ odd[lane]) & 1);
      y = y < lowest[lane] ? lowest[lane] : y;
      y = y > highest[lane] ? highest[lane] : y;
      dst[lane] = static_cast<int32_t>(y);
    }
  }

private:
  enum Row {
    Bias,
    PreShift,
    Multiplier,
    Addend,
    PostShift,
    TieMask,
    TiesOdd,
    ZeroPoint,
    Lowest,
    Highest,
    TiesEven,
    kRows
  };
  const int lanes;
  std::vector<int64_t> storage;
};

INLINE void requantize(const AluInsn &alu, const Uop *uops, int32_t *acc,
                       int lanes) {
  Parameters parameters(lanes);
  // Parameters are kept as long as the source is the same, also where the
  // operation itself writes there.
  std::optional<uint32_t> source;
  for (uint32_t o = 0; o < alu.iterOut; ++o)
    for (uint32_t i = 0; i < alu.iterIn; ++i)
      for (const Uop *u = uops + alu.uopBgn; u != uops + alu.uopEnd; ++u) {
        const uint32_t from = u->src + o * alu.srcOut + i * alu.srcIn;
        if (source != from)
          parameters.load(acc + size_t(from) * lanes);
        source = from;
        const size_t entry = u->dst + o * alu.dstOut + i * alu.dstIn;
        parameters.apply(acc + entry * lanes);
      }
}

/// Looks up the low 8 bits of every lane; the entries are signed.
void lookUp(const AluInsn &alu, const Uop *uops, const Uop *table, int32_t *acc,
            int lanes) {
  std::array<int32_t, isa::Config::kTableEntries> values;
  for (size_t k = 0; k < values.size(); ++k)
    values[k] = static_cast<int8_t>(table[k].dst);
  for (uint32_t o = 0; o < alu.iterOut; ++o)
    for (uint32_t i = 0; i < alu.iterIn; ++i)
      for (const Uop *u = uops + alu.uopBgn; u != uops + alu.uopEnd; ++u) {
        const size_t entry = u->dst + o * alu.dstOut + i * alu.dstIn;
        for (int lane = 0; lane < lanes; ++lane) {
          int32_t &value = acc[entry * lanes + lane];
          value = values[static_cast<uint8_t>(value)];
        }
      }
}

template <int N>
INLINE void select(const AluInsn &alu, const Uop *uops, int32_t *acc,
                   int lanes) {
  switch (alu.op) {
  case AluOp::Min:
    return loops<AluOp::Min, N>(alu, uops, acc, lanes);
  case AluOp::Max:
    return loops<AluOp::Max, N>(alu, uops, acc, lanes);
  case AluOp::Add:
    return loops<AluOp::Add, N>(alu, uops, acc, lanes);
  case AluOp::Shr:
    return loops<AluOp::Shr, N>(alu, uops, acc, lanes);
  case AluOp::Mul:
    return loops<AluOp::Mul, N>(alu, uops, acc, lanes);
  case AluOp::Requantize:
    return requantize(alu, uops, acc, lanes);
  case AluOp::Table:
    break; // Nothing that vectors could do: runAlu() does it.
  }
}

/// The common case of exactly one vector gets a constant trip count.
INLINE void run(const AluInsn &alu, const Uop *uops, int32_t *acc, int lanes) {
  if (lanes == 16)
    select<16>(alu, uops, acc, 16);
  else if (lanes > 16)
    select<16>(alu, uops, acc, lanes);
  else if (lanes >= 4)
    select<4>(alu, uops, acc, lanes);
  else
    select<1>(alu, uops, acc, lanes);
}

using Run = void (*)(const AluInsn &, const Uop *, int32_t *, int);

void runPortable(const AluInsn &alu, const Uop *uops, int32_t *acc, int lanes) {
  run(alu, uops, acc, lanes);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) void
runAvx2(const AluInsn &alu, const Uop *uops, int32_t *acc, int lanes) {
  run(alu, uops, acc, lanes);
}
__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw"))) void
runAvx512(const AluInsn &alu, const Uop *uops, int32_t *acc, int lanes) {
  run(alu, uops, acc, lanes);
}
#endif

Run choose() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
    return runAvx512;
  if (__builtin_cpu_supports("avx2"))
    return runAvx2;
#endif
  return runPortable;
}

} // namespace

void vta::fsim::runAlu(const AluInsn &alu, const Uop *uops, const Uop *table,
                       int32_t *acc, size_t lanes) {
  if (alu.op == AluOp::Table)
    return lookUp(alu, uops, table, acc, static_cast<int>(lanes));
  static const Run best = choose();
  best(alu, uops, acc, static_cast<int>(lanes));
}
