//===- GemmAvx512.cpp - Matrix product with AVX-512 VNNI ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Gemm.h"

#include <algorithm>
#include <cstring>

using namespace acc::vta::fsim;

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

namespace {

/// VPDPBUSD multiplies unsigned by signed bytes, four to a lane, and wraps.
/// Inputs are kept with 128 added (sign bit flipped) as the unsigned side; the
/// excess, 128 times the sum of a weight's row, is stored with the weight and
/// subtracted once per term.
///
/// A packed weight holds, per 16 outputs, blockIn/4 vectors of [output][4
/// inputs] followed by the vector of corrections. Outputs and inputs that do
/// not fill a vector are padded with zero weights.
class Avx512Vnni final : public GemmEngine {
public:
  explicit Avx512Vnni(Shape shape)
      : GemmEngine(shape), quads((shape.blockIn + 3) / 4),
        panels((shape.blockOut + 15) / 16) {}

  size_t rowBytes() const { return size_t(quads) * 4; }
  size_t inpBytes() const override { return shape.batch * rowBytes(); }
  size_t panelBytes() const { return size_t(quads + 1) * 64; }
  size_t wgtBytes() const override { return panels * panelBytes(); }

  uint8_t zeroInpByte() const override { return 0x80; }

  TARGET void packInp(uint8_t *dst, const int8_t *src,
                      size_t entries) const override {
    // Locals, as the stores through a byte pointer might alias the members.
    const size_t rows = entries * shape.batch, width = shape.blockIn,
                 stride = rowBytes();
    const bool dense = width == stride;
    const size_t run = dense ? rows * width : width;
    for (size_t r = 0; r < (dense ? 1 : rows); ++r)
      for (size_t k = 0; k < run; ++k)
        dst[r * stride + k] = static_cast<uint8_t>(src[r * width + k]) ^ 0x80;
  }

  /// 16 x 16 weights: a transposition of 16 x 4 groups of four.
  TARGET static void packSquare(uint8_t *dst, const int8_t *src) {
    const __m512i rows[4] = {
        _mm512_loadu_si512(src), _mm512_loadu_si512(src + 64),
        _mm512_loadu_si512(src + 128), _mm512_loadu_si512(src + 192)};
    const __m512i first = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 4,
                                            8, 12, 16, 20, 24, 28);
    const __m512i ones = _mm512_set1_epi8(1);
    __m512i sum = _mm512_setzero_si512();
    for (int q = 0; q < 4; ++q) {
      const __m512i pick = _mm512_add_epi32(first, _mm512_set1_epi32(q));
      const __m512i low = _mm512_permutex2var_epi32(rows[0], pick, rows[1]);
      const __m512i high = _mm512_permutex2var_epi32(rows[2], pick, rows[3]);
      const __m512i quad = _mm512_mask_mov_epi32(low, 0xff00, high);
      sum = _mm512_dpbusd_epi32(sum, ones, quad);
      _mm512_store_si512(dst + q * 64, quad);
    }
    _mm512_store_si512(dst + 256, _mm512_sub_epi32(_mm512_setzero_si512(),
                                                   _mm512_slli_epi32(sum, 7)));
  }

  void packWgt(uint8_t *dst, const int8_t *src, size_t entries) const override {
    const size_t wgtStride = wgtBytes(), panelStride = panelBytes();
    const int blockIn = shape.blockIn, blockOut = shape.blockOut,
              last = quads * 64;
    if (blockIn == 16 && blockOut == 16) {
      for (size_t e = 0; e < entries; ++e, dst += wgtStride, src += 256)
        packSquare(dst, src);
      return;
    }
    std::memset(dst, 0, entries * wgtStride);
    for (size_t e = 0; e < entries; ++e, dst += wgtStride)
      for (int o = 0; o < blockOut; ++o, src += blockIn) {
        uint8_t *panel = dst + (o / 16) * panelStride;
        const int lane = o % 16;
        int sum = 0;
        for (int k = 0; k < blockIn; ++k) {
          panel[k / 4 * 64 + lane * 4 + k % 4] = static_cast<uint8_t>(src[k]);
          sum += src[k];
        }
        sum *= -128;
        std::memcpy(panel + last + lane * 4, &sum, 4);
      }
  }

  /// Adds the sum of the terms to \p T rows at a time, kept in registers.
  template <int T, int Quads>
  TARGET void tile(const uint8_t *const *rows, int32_t *const *sums,
                   const Term *terms, size_t numTerms, const uint8_t *wgt,
                   __mmask16 lanes) const {
    const int quads = Quads ? Quads : this->quads;
    const size_t inpStride = inpBytes(), wgtStride = wgtBytes();
    __m512i total[T];
    for (int t = 0; t < T; ++t)
      total[t] = _mm512_setzero_si512();
    // Corrections collect apart: one addition per term instead of T.
    __m512i correction = _mm512_setzero_si512();
    for (size_t n = 0; n < numTerms; ++n) {
      const uint8_t *w = wgt + terms[n].wgt * wgtStride;
      const size_t at = terms[n].src * inpStride;
      for (int q = 0; q < quads; ++q) {
        __m512i weights = _mm512_load_si512(w + q * 64);
#pragma clang loop unroll(full)
        for (int t = 0; t < T; ++t) {
          int32_t four;
          std::memcpy(&four, rows[t] + at + q * 4, 4);
          total[t] =
              _mm512_dpbusd_epi32(total[t], _mm512_set1_epi32(four), weights);
        }
      }
      correction =
          _mm512_add_epi32(correction, _mm512_load_si512(w + quads * 64));
    }
    for (int t = 0; t < T; ++t)
      addTo(sums[t], _mm512_add_epi32(total[t], correction), lanes);
  }

  /// Masked accesses would defeat store forwarding where they are not needed.
  TARGET static void addTo(int32_t *sums, __m512i total, __mmask16 lanes) {
    if (lanes == 0xffff)
      _mm512_storeu_si512(sums,
                          _mm512_add_epi32(_mm512_loadu_si512(sums), total));
    else
      _mm512_mask_storeu_epi32(
          sums, lanes,
          _mm512_add_epi32(_mm512_maskz_loadu_epi32(lanes, sums), total));
  }

  /// One row: the quads go to separate registers, or each product would wait
  /// for the one before.
  TARGET void single(const uint8_t *row, int32_t *sums, const Term *terms,
                     size_t numTerms, const uint8_t *wgt,
                     __mmask16 lanes) const {
    const size_t inpStride = inpBytes(), wgtStride = wgtBytes();
    __m512i total[4];
    for (__m512i &t : total)
      t = _mm512_setzero_si512();
    __m512i correction = _mm512_setzero_si512();
    auto product = [&](__m512i sum, const uint8_t *w,
                       const uint8_t *in) TARGET {
      int32_t four;
      std::memcpy(&four, in, 4);
      return _mm512_dpbusd_epi32(sum, _mm512_set1_epi32(four),
                                 _mm512_load_si512(w));
    };
    for (size_t n = 0; n < numTerms; ++n) {
      const uint8_t *w = wgt + terms[n].wgt * wgtStride;
      const uint8_t *in = row + terms[n].src * inpStride;
      int q = 0;
      for (; q + 4 <= quads; q += 4)
        for (int j = 0; j < 4; ++j)
          total[j] = product(total[j], w + (q + j) * 64, in + (q + j) * 4);
      for (; q < quads; ++q)
        total[0] = product(total[0], w + q * 64, in + q * 4);
      correction =
          _mm512_add_epi32(correction, _mm512_load_si512(w + quads * 64));
    }
    __m512i sum = _mm512_add_epi32(_mm512_add_epi32(total[0], total[1]),
                                   _mm512_add_epi32(total[2], total[3]));
    addTo(sums, _mm512_add_epi32(sum, correction), lanes);
  }

  void multiply(const Position *positions, size_t numPositions,
                const Term *terms, size_t numTerms, uint32_t wgtOffset,
                const uint8_t *inp, const uint8_t *wgt,
                int32_t *acc) const override {
    constexpr int kTile = 8;
    wgt += wgtOffset * wgtBytes();
    const int batch = shape.batch, blockOut = shape.blockOut;
    const size_t rows = numPositions * batch, inpStride = inpBytes(),
                 rowStride = rowBytes();
    const int lastLanes = blockOut - (panels - 1) * 16;
    for (int panel = 0; panel < panels;
         ++panel, wgt += panelBytes(), acc += 16) {
      const __mmask16 lanes =
          panel + 1 < panels ? 0xffff : (1u << lastLanes) - 1;
      const Position *p = positions;
      int b = 0;
      const uint8_t *in[kTile];
      int32_t *out[kTile];
      for (size_t done = 0; done < rows;) {
        int n = static_cast<int>(std::min<size_t>(kTile, rows - done));
        for (int t = 0; t < n; ++t) {
          in[t] = inp + p->src * inpStride + b * rowStride;
          out[t] = acc + (size_t(p->dst) * batch + b) * blockOut;
          if (++b == batch) {
            b = 0;
            ++p;
          }
        }
        // Each row's sum is loaded, added to and stored in turn at the end, so
        // that rows which repeat a destination add up.
        int t = 0;
        if (n == kTile) {
          if (quads == 4)
            tile<kTile, 4>(in, out, terms, numTerms, wgt, lanes);
          else
            tile<kTile, 0>(in, out, terms, numTerms, wgt, lanes);
          t = kTile;
        }
        for (; t + 4 <= n; t += 4) {
          if (quads == 4)
            tile<4, 4>(in + t, out + t, terms, numTerms, wgt, lanes);
          else
            tile<4, 0>(in + t, out + t, terms, numTerms, wgt, lanes);
        }
        for (; t < n; ++t)
          single(in[t], out[t], terms, numTerms, wgt, lanes);
        done += n;
      }
    }
  }

private:
  int quads, panels;
};

} // namespace

std::unique_ptr<GemmEngine> acc::vta::fsim::createAvx512Vnni(Shape shape) {
  if (!__builtin_cpu_supports("avx512f") ||
      !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl") ||
      !__builtin_cpu_supports("avx512vnni"))
    return nullptr;
  return std::make_unique<Avx512Vnni>(shape);
}

#else

std::unique_ptr<GemmEngine> acc::vta::fsim::createAvx512Vnni(Shape) {
  return nullptr;
}

#endif
