//===- GemmPlan.cpp - From GEMM instructions to products ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GemmPlan.h"

#include <algorithm>
#include <cstring>
#include <tuple>

using namespace acc;
using namespace acc::vta;
using namespace acc::vta::fsim;
using isa::Uop;

void GemmPlan::reset(const isa::GemmInsn &gemm) {
  size_t lanes = pads.lanes();
  uint32_t outs = gemm.dstOut ? gemm.iterOut : 1,
           ins = gemm.dstIn ? gemm.iterIn : 1;
  // Neighbouring entries are cleared at once.
  uint32_t run = gemm.dstIn == 1 ? ins : 1;
  for (uint32_t o = 0; o < outs; ++o)
    for (uint32_t i = 0; i < ins; i += run)
      for (uint32_t u = gemm.uopBgn; u < gemm.uopEnd; ++u) {
        size_t dst = pads.uops[u].dst + o * gemm.dstOut + i * gemm.dstIn;
        std::memset(pads.acc() + dst * lanes, 0, run * lanes * sizeof(int32_t));
      }
}

bool GemmPlan::meetsOnce(const isa::GemmInsn &gemm) {
  ++instruction;
  for (uint32_t o = 0; o < gemm.iterOut; ++o)
    for (uint32_t i = 0; i < gemm.iterIn; ++i)
      for (uint32_t u = gemm.uopBgn; u < gemm.uopEnd; ++u) {
        const uint32_t dst =
            pads.uops[u].dst + o * gemm.dstOut + i * gemm.dstIn;
        if (dst >= met.size())
          met.resize(dst + 1);
        if (std::exchange(met[dst], instruction) == instruction)
          return false;
      }
  return true;
}

void GemmPlan::runEach(const isa::GemmInsn &gemm) {
  for (uint32_t o = 0; o < gemm.iterOut; ++o)
    for (uint32_t i = 0; i < gemm.iterIn; ++i)
      for (uint32_t u = gemm.uopBgn; u < gemm.uopEnd; ++u) {
        const Uop &uop = pads.uops[u];
        const uint32_t dst = uop.dst + o * gemm.dstOut + i * gemm.dstIn;
        const Position position = {dst,
                                   uop.src + o * gemm.srcOut + i * gemm.srcIn};
        const Term term = {0, uop.wgt};
        std::memset(pads.acc() + size_t(dst) * pads.lanes(), 0,
                    pads.lanes() * sizeof(int32_t));
        engine.multiply(&position, 1, &term, 1,
                        o * gemm.wgtOut + i * gemm.wgtIn, pads.inp(),
                        pads.wgt(), pads.acc());
      }
}

void GemmPlan::runWindow(const isa::GemmInsn &gemm) {
  const size_t block = config.blockIn(), taps = gemm.sources(config),
               lanes = pads.lanes();
  for (uint32_t o = 0; o < gemm.iterOut; ++o)
    for (uint32_t i = 0; i < gemm.iterIn; ++i)
      for (uint32_t u = gemm.uopBgn; u < gemm.uopEnd; ++u) {
        const Uop &uop = pads.uops[u];
        int32_t *dst =
            pads.acc() +
            size_t(uop.dst + o * gemm.dstOut + i * gemm.dstIn) * lanes;
        const int8_t *src =
            pads.plainInp() +
            size_t(uop.src + o * gemm.srcOut + i * gemm.srcIn) * lanes;
        const int8_t *wgt =
            pads.plainWgt() +
            size_t(uop.wgt + o * gemm.wgtOut + i * gemm.wgtIn) * block * block;
        for (size_t lane = 0; lane < lanes; ++lane) {
          uint32_t sum = gemm.set ? 0 : static_cast<uint32_t>(dst[lane]);
          for (size_t t = 0; t < taps; ++t)
            sum += static_cast<uint32_t>(src[t * lanes + lane] *
                                         wgt[lane % block * block + t]);
          dst[lane] = static_cast<int32_t>(sum);
        }
      }
}

void GemmPlan::sortByDestination(const isa::GemmInsn &gemm) {
  sorted.assign(pads.uops.begin() + gemm.uopBgn,
                pads.uops.begin() + gemm.uopEnd);
  // Sums may be reordered; a canonical order lets equal sums be recognised.
  std::sort(sorted.begin(), sorted.end(), [](const Uop &a, const Uop &b) {
    return std::tie(a.dst, a.wgt, a.src) < std::tie(b.dst, b.wgt, b.src);
  });
  sortedTerms.clear();
  for (const Uop &uop : sorted)
    sortedTerms.push_back({uop.src, uop.wgt});
}

void GemmPlan::makeGroups(const isa::GemmInsn &gemm) {
  auto collect = [&](const Uop *uops, uint32_t count) {
    groups.clear();
    bool increasing = true;
    for (uint32_t u = 0; u < count; ++u) {
      if (u != 0 && uops[u].dst == groups.back().dst) {
        ++groups.back().count;
        continue;
      }
      if (u != 0)
        increasing &= uops[u].dst > groups.back().dst;
      groups.push_back({uops[u].dst, u, 1});
    }
    return increasing;
  };
  uint32_t count = static_cast<uint32_t>(gemm.uopCount());
  terms = pads.terms.data() + gemm.uopBgn;
  if (collect(pads.uops.data() + gemm.uopBgn, count) ||
      groups.size() * 4 < count)
    return;
  // Short runs that return to earlier destinations: bring them together.
  sortByDestination(gemm);
  terms = sortedTerms.data();
  collect(sorted.data(), count);
}

bool GemmPlan::sameTerms(const Group &a, const Group &b) const {
  if (a.count != b.count)
    return false;
  uint32_t shift = terms[b.first].src - terms[a.first].src;
  for (uint32_t t = 0; t < a.count; ++t) {
    const Term &x = terms[a.first + t], &y = terms[b.first + t];
    if (x.wgt != y.wgt || y.src - x.src != shift)
      return false;
  }
  return true;
}

void GemmPlan::product(const Group *first, size_t numGroups, Loop outer,
                       Loop inner) {
  // Positions are relative to the group that reads the lowest entries.
  const Group *base = std::min_element(
      first, first + numGroups, [&](const Group &a, const Group &b) {
        return terms[a.first].src < terms[b.first].src;
      });
  const Term *list = terms + base->first;
  size_t numTerms = base->count;

  // Loops that do not move the destination only add terms.
  constexpr size_t kMaxTerms = 1 << 16;
  for (Loop *loop : {&inner, &outer})
    if (loop->count > 1 && loop->dst == 0 &&
        numTerms * loop->count <= kMaxTerms) {
      std::vector<Term> longer;
      longer.reserve(numTerms * loop->count);
      for (uint32_t n = 0; n < loop->count; ++n)
        for (size_t t = 0; t < numTerms; ++t)
          longer.push_back(
              {list[t].src + n * loop->src, list[t].wgt + n * loop->wgt});
      expanded = std::move(longer);
      list = expanded.data();
      numTerms = expanded.size();
      loop->count = 1;
    }

  // Loops that move the weights, or add terms without end, run here; the rest
  // are positions.
  Loop outside[2] = {{1, 0, 0, 0}, {1, 0, 0, 0}};
  if (outer.count > 1 && (outer.wgt != 0 || outer.dst == 0))
    std::swap(outer, outside[0]);
  if (inner.count > 1 && (inner.wgt != 0 || inner.dst == 0))
    std::swap(inner, outside[1]);

  for (uint32_t a = 0; a < outside[0].count; ++a)
    for (uint32_t b = 0; b < outside[1].count; ++b) {
      uint32_t dst = a * outside[0].dst + b * outside[1].dst;
      uint32_t src = a * outside[0].src + b * outside[1].src;
      uint32_t wgt = a * outside[0].wgt + b * outside[1].wgt;
      size_t filled = 0;
      auto flush = [&] {
        engine.multiply(positions.data(), filled, list, numTerms, wgt,
                        pads.inp(), pads.wgt(), pads.acc());
        filled = 0;
      };
      for (const Group *group = first; group != first + numGroups; ++group) {
        uint32_t groupDst = dst + group->dst;
        uint32_t groupSrc =
            src + terms[group->first].src - terms[base->first].src;
        for (uint32_t o = 0; o < outer.count;
             ++o, groupDst += outer.dst, groupSrc += outer.src)
          for (uint32_t i = 0; i < inner.count;) {
            uint32_t end = static_cast<uint32_t>(
                std::min<size_t>(inner.count, i + (positions.size() - filled)));
            for (; i < end; ++i)
              positions[filled++] = {groupDst + i * inner.dst,
                                     groupSrc + i * inner.src};
            if (filled == positions.size())
              flush();
          }
      }
      if (filled)
        flush();
    }
}

void GemmPlan::run(const isa::GemmInsn &gemm) {
  if (gemm.steps() == 0)
    return;
  if (gemm.reset)
    return reset(gemm);
  if (gemm.window)
    return runWindow(gemm);
  if (gemm.set) {
    // What is met twice holds the last product alone.
    if (!meetsOnce(gemm))
      return runEach(gemm);
    reset(gemm);
  }
  makeGroups(gemm);
  Loop outer = {gemm.iterOut, gemm.dstOut, gemm.srcOut, gemm.wgtOut};
  Loop inner = {gemm.iterIn, gemm.dstIn, gemm.srcIn, gemm.wgtIn};
  for (size_t g = 0; g < groups.size();) {
    size_t end = g + 1;
    while (end < groups.size() && sameTerms(groups[g], groups[end]))
      ++end;
    product(&groups[g], end - g, outer, inner);
    g = end;
  }
}
