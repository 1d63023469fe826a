//===- GemmAvx2.cpp - Matrix product with AVX2 ----------------------------===//
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

#define TARGET __attribute__((target("avx2")))

namespace {

/// VPMADDWD multiplies signed 16-bit numbers and adds pairs, which cannot
/// overflow for 8-bit values (the byte form, VPMADDUBSW, saturates). Inputs and
/// weights are therefore kept widened to 16 bits.
///
/// A packed weight holds, per 8 outputs, blockIn/2 vectors of [output][2
/// inputs]. Outputs and inputs that do not fill a vector are padded with zeros.
class Avx2 final : public GemmEngine {
public:
  explicit Avx2(Shape shape)
      : GemmEngine(shape), pairs((shape.blockIn + 1) / 2),
        panels((shape.blockOut + 7) / 8) {}

  size_t rowBytes() const { return size_t(pairs) * 4; }
  size_t inpBytes() const override { return shape.batch * rowBytes(); }
  size_t panelBytes() const { return size_t(pairs) * 32; }
  size_t wgtBytes() const override { return panels * panelBytes(); }

  TARGET void packInp(uint8_t *dst, const int8_t *src,
                      size_t entries) const override {
    // Locals, as the stores might alias the members.
    const size_t rows = entries * shape.batch, width = shape.blockIn,
                 stride = size_t(pairs) * 2;
    const bool dense = width == stride;
    const size_t run = dense ? rows * width : width;
    auto *wide = reinterpret_cast<int16_t *>(dst);
    for (size_t r = 0; r < (dense ? 1 : rows); ++r) {
      for (size_t k = 0; k < run; ++k)
        wide[r * stride + k] = src[r * width + k];
      if (!dense)
        wide[r * stride + width] = 0;
    }
  }

  TARGET void packWgt(uint8_t *dst, const int8_t *src,
                      size_t entries) const override {
    const size_t wgtStride = wgtBytes(), panelStride = panelBytes();
    const int blockIn = shape.blockIn, blockOut = shape.blockOut;
    if (blockIn % 2 != 0 || blockOut % 8 != 0)
      std::memset(dst, 0, entries * wgtStride);
    for (size_t e = 0; e < entries; ++e, dst += wgtStride)
      for (int o = 0; o < blockOut; ++o, src += blockIn) {
        auto *lane = reinterpret_cast<int16_t *>(dst + (o / 8) * panelStride) +
                     o % 8 * 2;
        int k = 0;
        for (; k + 2 <= blockIn; k += 2) {
          const int32_t two = static_cast<uint16_t>(src[k]) |
                              static_cast<int32_t>(src[k + 1]) << 16;
          std::memcpy(lane + k * 8, &two, 4);
        }
        if (k < blockIn)
          lane[k * 8] = src[k];
      }
  }

  /// Adds the sum of the terms to T rows of P panels, kept in registers.
  template <int T, int P>
  TARGET void tile(const uint8_t *const *rows, int32_t *const *sums,
                   const Term *terms, size_t numTerms, const uint8_t *wgt,
                   int outputs) const {
    const size_t inpStride = inpBytes(), wgtStride = wgtBytes(),
                 panelStride = panelBytes();
    __m256i total[T][P];
    for (auto &row : total)
      for (__m256i &sum : row)
        sum = _mm256_setzero_si256();
    for (size_t n = 0; n < numTerms; ++n) {
      const uint8_t *w = wgt + terms[n].wgt * wgtStride;
      const size_t at = terms[n].src * inpStride;
      for (int k = 0; k < pairs; ++k) {
        __m256i weights[P];
        for (int p = 0; p < P; ++p)
          weights[p] = _mm256_load_si256(
              reinterpret_cast<const __m256i *>(w + p * panelStride + k * 32));
#pragma clang loop unroll(full)
        for (int t = 0; t < T; ++t) {
          int32_t two;
          std::memcpy(&two, rows[t] + at + k * 4, 4);
          __m256i input = _mm256_set1_epi32(two);
          for (int p = 0; p < P; ++p)
            total[t][p] = _mm256_add_epi32(
                total[t][p], _mm256_madd_epi16(input, weights[p]));
        }
      }
    }
    for (int t = 0; t < T; ++t)
      for (int p = 0; p < P; ++p)
        addTo(sums[t] + p * 8, total[t][p], outputs - p * 8);
  }

  TARGET static void addTo(int32_t *sums, __m256i total, int outputs) {
    auto *vector = reinterpret_cast<__m256i *>(sums);
    if (outputs >= 8) {
      _mm256_storeu_si256(vector,
                          _mm256_add_epi32(_mm256_loadu_si256(vector), total));
      return;
    }
    __m256i lanes = _mm256_cmpgt_epi32(
        _mm256_set1_epi32(outputs), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    __m256i old = _mm256_maskload_epi32(sums, lanes);
    _mm256_maskstore_epi32(sums, lanes, _mm256_add_epi32(old, total));
  }

  void multiply(const Position *positions, size_t numPositions,
                const Term *terms, size_t numTerms, uint32_t wgtOffset,
                const uint8_t *inp, const uint8_t *wgt,
                int32_t *acc) const override {
    constexpr int kTile = 4;
    wgt += wgtOffset * wgtBytes();
    const int batch = shape.batch, blockOut = shape.blockOut;
    const size_t rows = numPositions * batch, inpStride = inpBytes(),
                 rowStride = rowBytes();
    const int step = panels > 1 ? 2 : 1;
    for (int panel = 0; panel < panels;
         panel += step, wgt += step * panelBytes(), acc += 16) {
      const int outputs = blockOut - panel * 8;
      const Position *p = positions;
      int b = 0;
      for (size_t done = 0; done < rows;) {
        const uint8_t *in[kTile];
        int32_t *out[kTile];
        int n = static_cast<int>(std::min<size_t>(kTile, rows - done));
        for (int t = 0; t < n; ++t) {
          in[t] = inp + p->src * inpStride + b * rowStride;
          out[t] = acc + (size_t(p->dst) * batch + b) * blockOut;
          if (++b == batch) {
            b = 0;
            ++p;
          }
        }
        if (n == kTile) {
          if (step == 2)
            tile<kTile, 2>(in, out, terms, numTerms, wgt, outputs);
          else
            tile<kTile, 1>(in, out, terms, numTerms, wgt, outputs);
        } else {
          for (int t = 0; t < n; ++t) {
            if (step == 2)
              tile<1, 2>(in + t, out + t, terms, numTerms, wgt, outputs);
            else
              tile<1, 1>(in + t, out + t, terms, numTerms, wgt, outputs);
          }
        }
        done += n;
      }
    }
  }

private:
  int pairs, panels;
};

} // namespace

std::unique_ptr<GemmEngine> acc::vta::fsim::createAvx2(Shape shape) {
  if (!__builtin_cpu_supports("avx2"))
    return nullptr;
  return std::make_unique<Avx2>(shape);
}

#else

std::unique_ptr<GemmEngine> acc::vta::fsim::createAvx2(Shape) {
  return nullptr;
}

#endif
