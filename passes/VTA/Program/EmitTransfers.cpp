//===- EmitTransfers.cpp - LOAD and STORE instructions of a transfer ------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An instruction moves rows of contiguous DRAM elements, a constant distance
// apart, to consecutive scratchpad entries. Contiguous dimensions are merged
// until two are left to become rows and columns; a loop over the dimensions
// that remain outside emits one instruction each.
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Program/Emitter.h"

using namespace mlir;
using namespace acc;
using namespace acc::vta;

static constexpr int64_t kMaxSize =
    std::min({isa::limits::kXSize, isa::limits::kYSize, isa::limits::kXStride});
static constexpr int64_t kMaxPad =
    std::min({isa::limits::kXPad0, isa::limits::kXPad1, isa::limits::kYPad0,
              isa::limits::kYPad1});

/// Merges neighbouring dimensions that are contiguous both in DRAM and in the
/// scratchpad. Padding of the outer one becomes padding of the whole, as long
/// as one instruction can express that.
static void mergeDims(SmallVectorImpl<TransferDim> &dims) {
  llvm::erase_if(
      dims, [](const TransferDim &d) { return d.size == 1 && d.box() == 1; });
  for (size_t i = dims.size(); i-- > 1;) {
    TransferDim &outer = dims[i - 1], &inner = dims[i];
    bool inDram =
        outer.size <= 1 || outer.dramStride == inner.dramStride * inner.size;
    bool inSram = outer.sramStride == inner.sramStride * inner.size;
    if (!inDram || !inSram || inner.box() != inner.size ||
        outer.size * inner.size > kMaxSize ||
        outer.low * inner.size > kMaxPad || outer.high * inner.size > kMaxPad)
      continue;
    inner.low = outer.low * inner.size;
    inner.high = outer.high * inner.size;
    inner.size *= outer.size;
    dims.erase(dims.begin() + (i - 1));
  }
}

void Emitter::emitTransfer(isa::MemInsn insn, int32_t buffer, int64_t dram,
                           int64_t sram, SmallVector<TransferDim> dims) {
  if (llvm::any_of(dims, [](const TransferDim &d) { return d.size == 0; }))
    return emitZeros(insn, buffer, sram, dims);
  mergeDims(dims);

  // Columns must be contiguous on both sides, and rows must follow each other
  // in the scratchpad; where they do not, a dimension of one takes the place.
  const TransferDim unit = {1, 0, 0, 1, 1};
  TransferDim columns = unit, rows = unit;
  if (!dims.empty() && (dims.back().dramStride == 1 || dims.back().size == 1) &&
      (dims.back().sramStride == 1 || dims.back().box() == 1))
    columns = dims.pop_back_val();
  bool tooFar = !dims.empty() && dims.back().size > 1 &&
                dims.back().dramStride > kMaxSize;
  if (!dims.empty() && dims.back().sramStride == columns.box() && !tooFar &&
      dims.back().dramStride >= 0 && dims.back().size <= kMaxSize)
    rows = dims.pop_back_val();
  emitBoxes(insn, buffer, dram, sram, dims, rows, columns);
}

void Emitter::emitBoxes(isa::MemInsn insn, int32_t buffer, int64_t dram,
                        int64_t sram, ArrayRef<TransferDim> outer,
                        const TransferDim &rows, const TransferDim &columns) {
  if (outer.empty())
    return emitRows(insn, buffer, dram, sram, rows, columns);
  const TransferDim &dim = outer.front();
  SmallVector<TransferDim> inner(outer.drop_front());
  inner.append({rows, columns});
  // All the padding of a side at once, which may be contiguous.
  auto pad = [&](int64_t size, int64_t at) {
    if (size == 0)
      return;
    SmallVector<TransferDim> zeros = {{size, 0, 0, 0, dim.sramStride}};
    zeros.append(inner);
    emitZeros(insn, buffer, sram + at * dim.sramStride, zeros);
  };
  pad(dim.low, 0);
  for (int64_t i = 0; i < dim.size; ++i)
    emitBoxes(insn, buffer, dram + i * dim.dramStride,
              sram + (dim.low + i) * dim.sramStride, outer.drop_front(), rows,
              columns);
  pad(dim.high, dim.low + dim.size);
}

void Emitter::emitRows(isa::MemInsn insn, int32_t buffer, int64_t dram,
                       int64_t sram, TransferDim rows, TransferDim columns) {
  if (columns.low > kMaxPad || columns.high > kMaxPad ||
      columns.size > kMaxSize) {
    // Zero everything, then fill in what is not padding, row by row.
    if (rows.box() != rows.size || columns.box() != columns.size)
      emitZeros(insn, buffer, sram, {rows, columns});
    for (int64_t y = 0; y < rows.size; ++y)
      for (int64_t x = 0; x < columns.size; x += kMaxSize) {
        TransferDim part = {std::min(columns.size - x, kMaxSize), 0, 0, 1, 1};
        emitRows(insn, buffer, dram + y * rows.dramStride + x,
                 sram + (rows.low + y) * rows.sramStride + columns.low + x,
                 {1, 0, 0, 1, 1}, part);
      }
    return;
  }
  // Padding rows that the fields cannot express are instructions of their own.
  if (rows.low > kMaxPad) {
    emitZeros(insn, buffer, sram,
              {{rows.low, 0, 0, 0, rows.sramStride}, columns});
    sram += rows.low * rows.sramStride;
    rows.low = 0;
  }
  if (rows.high > kMaxPad) {
    emitZeros(insn, buffer, sram + (rows.low + rows.size) * rows.sramStride,
              {{rows.high, 0, 0, 0, rows.sramStride}, columns});
    rows.high = 0;
  }
  insn.sramBase = sram;
  insn.dramBase = dram;
  insn.ySize = rows.size;
  insn.xSize = columns.size;
  // A single row has no distance to the next.
  insn.xStride = rows.size > 1 ? rows.dramStride : columns.size;
  insn.yPad0 = rows.low;
  insn.yPad1 = rows.high;
  insn.xPad0 = columns.low;
  insn.xPad1 = columns.high;
  append({insn, {}}, buffer);
}

void Emitter::emitZeros(const isa::MemInsn &insn, int32_t buffer, int64_t sram,
                        ArrayRef<TransferDim> dims) {
  // Rows of padding around no rows at all write zeros and read nothing.
  SmallVector<TransferDim> boxes;
  for (const TransferDim &dim : dims)
    boxes.push_back({dim.box(), 0, 0, dim.sramStride, dim.sramStride});
  mergeDims(boxes);
  int64_t run = 1;
  if (!boxes.empty() && boxes.back().sramStride == 1)
    run = boxes.pop_back_val().size;
  auto fill = [&](auto &self, int64_t base,
                  ArrayRef<TransferDim> outer) -> void {
    if (!outer.empty()) {
      for (int64_t i = 0; i < outer.front().size; ++i)
        self(self, base + i * outer.front().sramStride, outer.drop_front());
      return;
    }
    for (int64_t done = 0; done < run; done += kMaxSize) {
      isa::MemInsn zeros;
      zeros.memory = insn.memory;
      zeros.sramBase = base + done;
      zeros.xSize = std::min(run - done, kMaxSize);
      zeros.xStride = zeros.xSize;
      zeros.yPad0 = 1;
      append({zeros, {}}, buffer);
    }
  };
  fill(fill, sram, boxes);
}
