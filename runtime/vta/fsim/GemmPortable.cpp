//===- GemmPortable.cpp - Matrix product in plain loops -------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Gemm.h"
#include "acc/vta/fsim.h"

#include <cstring>

using namespace acc::vta::fsim;

GemmEngine::~GemmEngine() = default;

namespace {

/// Plain loops over int8 in the order of the specification.
class Portable final : public GemmEngine {
public:
  using GemmEngine::GemmEngine;

  size_t inpBytes() const override {
    return size_t(shape.batch) * shape.blockIn;
  }
  size_t wgtBytes() const override {
    return size_t(shape.blockOut) * shape.blockIn;
  }
  void packInp(uint8_t *dst, const int8_t *src, size_t entries) const override {
    std::memcpy(dst, src, entries * inpBytes());
  }
  void packWgt(uint8_t *dst, const int8_t *src, size_t entries) const override {
    std::memcpy(dst, src, entries * wgtBytes());
  }

  void multiply(const Position *positions, size_t numPositions,
                const Term *terms, size_t numTerms, uint32_t wgtOffset,
                const uint8_t *inp, const uint8_t *wgt,
                int32_t *acc) const override {
    int in = shape.blockIn, out = shape.blockOut;
    for (size_t p = 0; p < numPositions; ++p)
      for (size_t t = 0; t < numTerms; ++t) {
        auto *a = reinterpret_cast<const int8_t *>(inp) +
                  size_t(positions[p].src + terms[t].src) * inpBytes();
        auto *w = reinterpret_cast<const int8_t *>(wgt) +
                  size_t(terms[t].wgt + wgtOffset) * wgtBytes();
        int32_t *c = acc + size_t(positions[p].dst) * shape.batch * out;
        for (int b = 0; b < shape.batch; ++b)
          for (int o = 0; o < out; ++o) {
            uint32_t sum = 0;
            for (int k = 0; k < in; ++k)
              sum += static_cast<uint32_t>(a[b * in + k] * w[o * in + k]);
            c[b * out + o] = static_cast<int32_t>(
                static_cast<uint32_t>(c[b * out + o]) + sum);
          }
      }
  }
};

} // namespace

std::unique_ptr<GemmEngine> acc::vta::fsim::createPortable(Shape shape) {
  return std::make_unique<Portable>(shape);
}

std::unique_ptr<GemmEngine> acc::vta::fsim::createEngine(std::string_view name,
                                                         Shape shape) {
  using Create = std::unique_ptr<GemmEngine> (*)(Shape);
  constexpr std::pair<std::string_view, Create> kinds[] = {
      {"avx512vnni", createAvx512Vnni},
      {"avx2", createAvx2},
      {"portable", createPortable}};
  for (auto [kind, create] : kinds)
    if (name.empty() || name == kind)
      if (auto engine = create(shape))
        return engine;
  return nullptr;
}

std::vector<std::string> acc::vta::fsim::availableKernels() {
  std::vector<std::string> names;
  for (const char *name : {"avx512vnni", "avx2", "portable"})
    if (createEngine(name, {1, 16, 16}))
      names.push_back(name);
  return names;
}
