#include "Gemm.h"

#include <algorithm>
#include <cstring>

using namespace acc::fsim;

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

  void packInp(uint8_t *dst, const int8_t *src, size_t entries) const override {
    size_t rows = entries * shape.batch;
    if (shape.blockIn % 4 == 0) {
      for (size_t i = 0; i < rows * rowBytes(); ++i)
        dst[i] = static_cast<uint8_t>(src[i]) ^ 0x80;
      return;
    }
    for (size_t r = 0; r < rows; ++r)
      for (int k = 0; k < shape.blockIn; ++k)
        dst[r * rowBytes() + k] =
            static_cast<uint8_t>(src[r * shape.blockIn + k]) ^ 0x80;
  }

  void packWgt(uint8_t *dst, const int8_t *src, size_t entries) const override {
    std::memset(dst, 0, entries * wgtBytes());
    for (size_t e = 0; e < entries; ++e, dst += wgtBytes())
      for (int o = 0; o < shape.blockOut; ++o, src += shape.blockIn) {
        uint8_t *panel = dst + (o / 16) * panelBytes();
        int lane = o % 16, sum = 0;
        if (shape.blockIn % 4 == 0)
          for (int q = 0; q < quads; ++q)
            std::memcpy(panel + q * 64 + lane * 4, src + q * 4, 4);
        else
          for (int k = 0; k < shape.blockIn; ++k)
            panel[k / 4 * 64 + lane * 4 + k % 4] = static_cast<uint8_t>(src[k]);
        for (int k = 0; k < shape.blockIn; ++k)
          sum += src[k];
        sum *= -128;
        std::memcpy(panel + quads * 64 + lane * 4, &sum, 4);
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
    for (int t = 0; t < T; ++t) {
      __m512i sum = _mm512_maskz_loadu_epi32(lanes, sums[t]);
      sum = _mm512_add_epi32(sum, _mm512_add_epi32(total[t], correction));
      _mm512_mask_storeu_epi32(sums[t], lanes, sum);
    }
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
    sum = _mm512_add_epi32(sum, correction);
    sum = _mm512_add_epi32(sum, _mm512_maskz_loadu_epi32(lanes, sums));
    _mm512_mask_storeu_epi32(sums, lanes, sum);
  }

  void multiply(const Position *positions, size_t numPositions,
                const Term *terms, size_t numTerms, uint32_t wgtOffset,
                const uint8_t *inp, const uint8_t *wgt,
                int32_t *acc) const override {
    constexpr int kTile = 8;
    wgt += wgtOffset * wgtBytes();
    const size_t rows = numPositions * shape.batch;
    const int lastLanes = shape.blockOut - (panels - 1) * 16;
    for (int panel = 0; panel < panels; ++panel, wgt += panelBytes()) {
      const __mmask16 lanes =
          panel + 1 < panels ? 0xffff : (1u << lastLanes) - 1;
      size_t p = 0;
      int b = 0;
      const uint8_t *in[kTile];
      int32_t *out[kTile];
      for (size_t done = 0; done < rows;) {
        int n = static_cast<int>(std::min<size_t>(kTile, rows - done));
        for (int t = 0; t < n; ++t) {
          in[t] = inp + positions[p].src * inpBytes() + b * rowBytes();
          out[t] =
              acc +
              (size_t(positions[p].dst) * shape.batch + b) * shape.blockOut +
              panel * 16;
          if (++b == shape.batch) {
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

std::unique_ptr<GemmEngine> acc::fsim::createAvx512Vnni(Shape shape) {
  if (!__builtin_cpu_supports("avx512f") ||
      !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl") ||
      !__builtin_cpu_supports("avx512vnni"))
    return nullptr;
  return std::make_unique<Avx512Vnni>(shape);
}

#else

std::unique_ptr<GemmEngine> acc::fsim::createAvx512Vnni(Shape) {
  return nullptr;
}

#endif
