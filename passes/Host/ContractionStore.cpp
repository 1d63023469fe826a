//===- ContractionStore.cpp - Epilogue and stores of a register tile ------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Host/ContractionTile.h"

using namespace mlir;
using namespace acc;
using namespace acc::host;

/// A matrix product: what one row holds is contiguous in the output.
void ContractionTile::storeRows(ArrayRef<Value> sums, int64_t columns,
                                ArrayRef<Value> position, Value channel,
                                int64_t outputs) {
  Location loc = op.getLoc();
  IndexBuilder index(*builder, loc);
  int64_t vectors = size / lanes;
  for (auto [i, value] : llvm::enumerate(sums))
    vector::StoreOp::create(*builder, loc, value, stage,
                            ValueRange{index.constant(i * lanes)});
  index.loop(columns, [&](Value p) {
    index.loop(vectors, [&](Value v) {
      Value value = vector::LoadOp::create(
          *builder, loc, VectorType::get(lanes, op.getAccumulatorType()), stage,
          ValueRange{index.mul(index.add(index.mul(p, vectors), v), lanes)});
      Value first = index.mul(v, lanes);
      Value mask;
      if (outputs % size) {
        Value left = arith::SubIOp::create(
            *builder, loc, index.constant(outputs), index.add(channel, first));
        mask = vector::CreateMaskOp::create(
            *builder, loc, VectorType::get(lanes, builder->getI1Type()), left);
      }
      finish(value, mask, lanes,
             {index.add(position[0], p), index.add(position[1], first)});
    });
  });
}

/// A convolution: the output is contiguous along pixels, the tile along
/// channels.
void ContractionTile::storeColumns(ArrayRef<Value> sums, int64_t columns,
                                   ArrayRef<Value> position, Value channel,
                                   int64_t outputs) {
  Location loc = op.getLoc();
  IndexBuilder index(*builder, loc);
  int64_t vectors = size / lanes;
  auto n = static_cast<int64_t>(llvm::PowerOf2Ceil(columns));
  int64_t square = std::min(n, lanes);
  for (int64_t v = 0; v < vectors; ++v)
    for (int64_t block = 0; block < lanes; block += square)
      for (int64_t first = 0; first < n; first += square) {
        SmallVector<Value> rows;
        for (int64_t p = first; p < first + square; ++p)
          rows.push_back(
              p < columns ? vector::ExtractStridedSliceOp::create(
                                *builder, loc, sums[(p * vectors) + v],
                                ArrayRef<int64_t>{block},
                                ArrayRef<int64_t>{square}, ArrayRef<int64_t>{1})
                                .getResult()
                          : rows.front());
        for (auto [i, row] :
             llvm::enumerate(transposeVectors(*builder, loc, rows)))
          vector::StoreOp::create(
              *builder, loc, row, stage,
              ValueRange{index.constant(
                  (((v * lanes) + block + static_cast<int64_t>(i)) * n) +
                  first)});
      }
  Value mask;
  if (n != columns)
    mask = constantMask(*builder, loc, n, columns);
  auto storeChannel = [&](Value r) {
    Value value = vector::LoadOp::create(
        *builder, loc, VectorType::get(n, op.getAccumulatorType()), stage,
        ValueRange{index.mul(r, n)});
    finish(value, mask, n,
           {position[0], index.add(position[1], r), position[2], position[3]});
  };
  if (outputs % size == 0)
    return index.loop(size, storeChannel);
  Value left =
      arith::SubIOp::create(*builder, loc, index.constant(outputs), channel);
  Value count =
      arith::MinSIOp::create(*builder, loc, left, index.constant(size));
  auto loop = scf::ForOp::create(*builder, loc, index.constant(0), count,
                                 index.constant(1));
  OpBuilder::InsertionGuard guard(*builder);
  builder->setInsertionPoint(loop.getBody()->getTerminator());
  storeChannel(loop.getInductionVar());
}

Value ContractionTile::loadOperand(const OpenView &view, Value mask,
                                   int64_t vectorLanes,
                                   ArrayRef<Value> position) {
  Location loc = op.getLoc();
  IndexBuilder index(*builder, loc);
  Value offset = index.constant(0);
  for (auto [stride, i] : llvm::zip(view.strides, position))
    offset = index.add(offset, index.mul(i, stride));
  Type element = cast<MemRefType>(view.memref.getType()).getElementType();
  auto type = VectorType::get(vectorLanes, element);
  int64_t stride = *view.getStride(view.strides.size() - 1);
  if (stride == 0)
    return vector::BroadcastOp::create(
        *builder, loc, type,
        memref::LoadOp::create(*builder, loc, view.memref, offset));
  Value zero =
      arith::ConstantOp::create(*builder, loc, builder->getZeroAttr(type));
  if (stride == 1 && !mask)
    return vector::LoadOp::create(*builder, loc, type, view.memref,
                                  ValueRange{offset});
  if (stride == 1)
    return vector::MaskedLoadOp::create(*builder, loc, type, view.memref,
                                        ValueRange{offset}, mask, zero);
  auto indexType = VectorType::get(vectorLanes, builder->getI64Type());
  SmallVector<int64_t> steps;
  for (int64_t i = 0; i < vectorLanes; ++i)
    steps.push_back(i * stride);
  Value indices = arith::ConstantOp::create(
      *builder, loc, DenseElementsAttr::get(indexType, ArrayRef(steps)));
  if (!mask)
    mask = constantMask(*builder, loc, vectorLanes, vectorLanes);
  return vector::GatherOp::create(*builder, loc, type, view.memref,
                                  ValueRange{offset}, indices, mask, zero);
}

/// Puts one vector of sums through the epilogue and writes it.
void ContractionTile::finish(Value sum, Value mask, int64_t vectorLanes,
                             ArrayRef<Value> position) {
  Location loc = op.getLoc();
  IndexBuilder index(*builder, loc);
  SmallVector<Value> arguments = {sum};
  for (const OpenView &view : operands)
    arguments.push_back(loadOperand(view, mask, vectorLanes, position));
  Value value =
      vectorizeBody(*builder, op.getBody().front(), arguments, vectorLanes)[0];
  Value offset = index.constant(0);
  for (auto [stride, i] : llvm::zip(output.strides, position))
    offset = index.add(offset, index.mul(i, stride));
  storeLanes(*builder, loc, value, output.memref, offset, mask);
}
