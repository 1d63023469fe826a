//===- MeanParameters.cpp - Requantization of means at run time -----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Linked into the code of models, which has neither LLVM nor the C++ library:
// nothing here allocates or throws.
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/MeanParameters.h"

#include "passes/Graph/Requantization.h"

using namespace acc::graph;

namespace {

/// A vector of at most one element: there is one scale for all channels.
template <typename T> class Single {
public:
  using value_type = T;

  void assign(size_t size, T with) {
    count = size;
    value = with;
  }
  void push_back(T with) { assign(1, with); }
  T *begin() { return &value; }
  T *end() { return &value + count; }
  const T *begin() const { return &value; }
  const T *end() const { return &value + count; }
  T &operator[](size_t) { return value; }
  const T &operator[](size_t) const { return value; }
  T &front() { return value; }
  T &back() { return value; }
  bool empty() const { return count == 0; }
  size_t size() const { return count; }

private:
  size_t count = 0;
  T value = {};
};

} // namespace

int64_t acc_mean_parameter(int32_t parameter, int64_t count, double inputScale,
                           int32_t inputZeroPoint, int32_t inputLo,
                           int32_t inputHi, double outputScale,
                           int32_t outputZeroPoint, int32_t outputLo,
                           int32_t outputHi, int32_t tiesUp) {
  MeanScale mean = getMeanScale(inputScale, inputZeroPoint, inputLo, inputHi,
                                outputScale, count);
  Scale scale(std::min(mean.scale, kLargestScale));
  Ties ties;
  ties.up = tiesUp != 0;
  auto point = chooseParameters<Single>(
      scale, mean.range, {outputZeroPoint, outputLo, outputHi}, ties);
  auto amount = [](int32_t shift) { return int64_t(std::clamp(shift, 0, 63)); };
  switch (MeanParameter(parameter)) {
  case MeanParameter::Offset:
    return point.offset[0] + mean.offset;
  case MeanParameter::Limit:
    // So many output steps that their number does not matter, few enough for
    // their product with the multiplier.
    return int64_t(std::min(0x1p12 / scale.value + 1, 0x1p56));
  case MeanParameter::LeftShift:
    return amount(-point.preShift[0]);
  case MeanParameter::RightShift:
    return amount(point.preShift[0]);
  case MeanParameter::Multiplier:
    return point.multiplier[0];
  case MeanParameter::Addend:
    return point.rounding == RoundingForm::HalfUp
               ? (int64_t(1) << point.postShift[0]) >> 1
               : point.addend;
  case MeanParameter::MidShift:
    return point.midShift;
  case MeanParameter::PostShift:
    return point.postShift[0];
  case MeanParameter::IsHalfEven:
    return point.rounding == RoundingForm::HalfEven;
  case MeanParameter::ZeroPoint:
    return point.zeroPoint;
  }
  return 0;
}
