//===- Gemm.h - Matrix product engines --------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// The matrix product of the functional simulator.
///
/// An engine keeps inputs and weights in the form its inner loop wants; they
/// are repacked when loaded, which happens far less often than they are used.
/// Accumulators stay int32 in the order of the specification. Sums wrap, so the
/// steps of one GEMM instruction may be done in any order: they read only inp
/// and wgt and add to acc.

#ifndef ACC_RUNTIME_VTA_FSIM_GEMM_H
#define ACC_RUNTIME_VTA_FSIM_GEMM_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace acc::vta::fsim {

struct Shape {
  int batch, blockIn, blockOut;
};

/// One product to sum up: an inp and a wgt entry.
struct Term {
  uint32_t src, wgt;
};

/// Places that receive the same sum of terms, displaced: acc[dst + p.dst] +=
/// sum over terms of inp[src + p.src] @ wgt[wgt + p.wgt].
struct Position {
  uint32_t dst, src;
};

class GemmEngine {
public:
  explicit GemmEngine(Shape shape) : shape(shape) {}
  virtual ~GemmEngine();

  /// Bytes of one packed entry.
  virtual size_t inpBytes() const = 0;
  virtual size_t wgtBytes() const = 0;
  /// Packs consecutive entries, given as int8 in the order of the
  /// specification. \p dst is 64-byte aligned for weights.
  virtual void packInp(uint8_t *dst, const int8_t *src,
                       size_t entries) const = 0;
  virtual void packWgt(uint8_t *dst, const int8_t *src,
                       size_t entries) const = 0;

  /// The byte that packed inputs of zero consist of; for weights it is 0.
  virtual uint8_t zeroInpByte() const { return 0; }

  /// For each position: acc[p.dst] += sum of inp[p.src + t.src] @ wgt[t.wgt +
  /// wgtOffset]. Positions may repeat a dst.
  virtual void multiply(const Position *positions, size_t numPositions,
                        const Term *terms, size_t numTerms, uint32_t wgtOffset,
                        const uint8_t *inp, const uint8_t *wgt,
                        int32_t *acc) const = 0;

protected:
  Shape shape;
};

std::unique_ptr<GemmEngine> createPortable(Shape shape);
/// Null where the machine lacks the instructions.
std::unique_ptr<GemmEngine> createAvx2(Shape shape);
std::unique_ptr<GemmEngine> createAvx512Vnni(Shape shape);

/// By name, or the best if \p name is empty; null if it cannot be had.
std::unique_ptr<GemmEngine> createEngine(std::string_view name, Shape shape);

} // namespace acc::vta::fsim

#endif // ACC_RUNTIME_VTA_FSIM_GEMM_H
