//===- Windows.h - Checks shared by sliding windows -------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_WINDOWS_H
#define ACC_DIALECTS_GRAPH_WINDOWS_H

#include "dialects/Graph/Shape.h"

namespace acc::graph {

/// Refuses an attribute that has not `count` values, none below `least`, none
/// so large that arithmetic on sizes could overflow.
inline llvm::LogicalResult checkWindowValues(ShapeContext &c,
                                             llvm::StringRef name,
                                             llvm::ArrayRef<int64_t> values,
                                             size_t count, int64_t least) {
  constexpr int64_t most = int64_t(1) << 31;
  if (values.size() != count)
    return c.error("'", name, "' has ", values.size(), " values instead of ",
                   count);
  for (int64_t value : values)
    if (value < least || value > most)
      return c.error("'", name, "' holds ", value, ", which is not within ",
                     least, " and ", most);
  return llvm::success();
}

/// All attributes of windows over as many axes as `kernel` has.
inline llvm::LogicalResult checkWindows(ShapeContext &c,
                                        llvm::ArrayRef<int64_t> kernel,
                                        llvm::ArrayRef<int64_t> strides,
                                        llvm::ArrayRef<int64_t> pads,
                                        llvm::ArrayRef<int64_t> dilations) {
  size_t rank = kernel.size();
  if (failed(checkWindowValues(c, "kernel_shape", kernel, rank, 1)) ||
      failed(checkWindowValues(c, "strides", strides, rank, 1)) ||
      failed(checkWindowValues(c, "pads", pads, 2 * rank, 0)))
    return llvm::failure();
  return checkWindowValues(c, "dilations", dilations, rank, 1);
}

} // namespace acc::graph

#endif // ACC_DIALECTS_GRAPH_WINDOWS_H
