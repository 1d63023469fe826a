//===- VTATensorOps.cpp - Vta operators on plain tensors ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/VTA/VTADialect.h"

#include "llvm/ADT/BitVector.h"

using namespace mlir;
using namespace acc::vta;

static ArrayRef<int64_t> getShape(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

LogicalResult AssembleOp::verify() {
  ArrayRef<int64_t> result = getShape(getResult()), steps = getSteps();
  size_t count = getInputs().size();
  if (getRows().size() != count || getColumns().size() != count ||
      getChannels().size() != count)
    return emitOpError("needs a row, a column and a channel for each of its ")
           << count << " inputs";
  if (steps.size() != 2 || steps[0] < 1 || steps[1] < 1)
    return emitOpError("needs two positive steps, has [") << steps << "]";
  if (ShapedType::isDynamicShape(result))
    return emitOpError("has a result of open size");
  for (auto [index, input] : llvm::enumerate(getInputs())) {
    ArrayRef<int64_t> shape = getShape(input);
    int64_t channel = getChannels()[index];
    if (ShapedType::isDynamicShape(shape))
      return emitOpError("input ") << index << " has an open size";
    if (shape[0] != result[0] || channel < 0 || channel + result[1] > shape[1])
      return emitOpError("input ")
             << index << " has not the result's images or channels";
    for (auto [first, size, step, most] :
         {std::tuple(getRows()[index], shape[2], steps[0], result[2]),
          std::tuple(getColumns()[index], shape[3], steps[1], result[3])})
      if (first < 0 || (size > 0 && first + (size - 1) * step >= most))
        return emitOpError("input ") << index << " lies beyond the result";
  }
  return success();
}

bool AssembleOp::isCovered() {
  ArrayRef<int64_t> result = getShape(getResult()), steps = getSteps();
  llvm::BitVector covered(result[2] * result[3]);
  for (auto [input, row, column] :
       llvm::zip(getInputs(), getRows(), getColumns()))
    for (int64_t i = 0; i < getShape(input)[2]; ++i)
      for (int64_t j = 0; j < getShape(input)[3]; ++j)
        covered.set((row + i * steps[0]) * result[3] + column + j * steps[1]);
  return covered.all();
}
