//===- Buffers.h - Where buffers of main lie --------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_PROGRAM_BUFFERS_H
#define ACC_PASSES_VTA_PROGRAM_BUFFERS_H

#include "dialects/TE/TEDialect.h"

namespace acc::vta {

/// The allocation or argument that a buffer is a part of, and the byte that it
/// begins with; the root is null if that is not known.
struct BufferPlace {
  mlir::Value root;
  int64_t offset = 0;
};
BufferPlace findPlace(mlir::Value buffer);

/// The size of a buffer of integers without gaps, if it is known.
std::optional<int64_t> getBytes(mlir::Value buffer);

/// The value that a kernel of the host fills its one argument with, if that is
/// all it does.
std::optional<int64_t> getFilledValue(te::KernelOp kernel);

} // namespace acc::vta

#endif // ACC_PASSES_VTA_PROGRAM_BUFFERS_H
