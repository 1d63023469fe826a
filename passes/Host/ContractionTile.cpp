//===- ContractionTile.cpp - The register tile of te.contract -------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Host/ContractionTile.h"

using namespace mlir;
using namespace acc;
using namespace acc::host;

FailureOr<ContractionTile> ContractionTile::create(OpBuilder &builder,
                                                   te::ContractOp op) {
  Location loc = op.getLoc();
  ContractionTile tile(builder, op);
  if (!op.getResults().empty() || !isVectorizable(op.getBody().front()))
    return failure();
  FailureOr<FlatView> input = flatten(builder, loc, op.getInput());
  FailureOr<FlatView> weights = flatten(builder, loc, op.getWeights());
  FailureOr<FlatView> output = flatten(builder, loc, op.getInit());
  if (failed(input) || failed(weights) || failed(output) ||
      output->strides.back() != 1 || input->strides.back() != 1)
    return failure();
  tile.input = *input;
  tile.weights = *weights;
  tile.output = *output;
  for (auto [operand, map] : llvm::zip(
           op.getExtras(), op.getMaps().getAsValueRange<AffineMapAttr>())) {
    FailureOr<FlatView> view = flatten(builder, loc, operand);
    if (failed(view))
      return failure();
    SmallVector<int64_t> byDimension(map.getNumDims(), 0);
    for (auto [expr, stride] : llvm::zip(map.getResults(), view->strides))
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        byDimension[dim.getPosition()] = stride;
    view->strides = byDimension;
    tile.operands.push_back(*view);
  }
  tile.width = op.getTile()[0];
  tile.lanes = op.getTile()[1];
  tile.size = op.getTileSize();

  OpBuilder::InsertionGuard guard(builder);
  auto kernel = op->getParentOfType<FunctionOpInterface>();
  if (!kernel)
    return failure();
  builder.setInsertionPointToStart(&kernel.getFunctionBody().front());
  auto type = MemRefType::get(
      {tile.size * static_cast<int64_t>(llvm::PowerOf2Ceil(tile.width))},
      op.getAccumulatorType());
  tile.stage = memref::AllocaOp::create(builder, loc, type,
                                        builder.getI64IntegerAttr(64));
  return tile;
}

void ContractionTile::setKernel(int64_t sums, std::array<int64_t, 2> window,
                                ArrayRef<int64_t> windowStrides,
                                ArrayRef<int64_t> windowDilations) {
  steps = sums;
  kernel = window;
  strides = llvm::to_vector(windowStrides);
  dilations = llvm::to_vector(windowDilations);
}

bool ContractionTile::joinRows() {
  auto joined = [](const FlatView &view, int64_t columns) {
    return view.strides[2] == columns * view.strides[3];
  };
  int64_t columns = op.getInitType().getDimSize(3);
  return joined(input, columns) && joined(output, columns) &&
         llvm::all_of(operands, [&](const FlatView &view) {
           return joined(view, columns);
         });
}

/// One element of the input for every lane; a pair of them for integers.
Value ContractionTile::loadInput(Value offset) {
  Location loc = op.getLoc();
  IndexBuilder index(*builder, loc);
  if (!op.isInteger()) {
    Value x = memref::LoadOp::create(*builder, loc, source, offset);
    return vector::BroadcastOp::create(*builder, loc,
                                       VectorType::get(lanes, x.getType()), x);
  }
  Value pair = vector::LoadOp::create(*builder, loc,
                                      VectorType::get(2, builder->getI16Type()),
                                      source, ValueRange{index.mul(offset, 2)});
  Value word = vector::BitCastOp::create(
      *builder, loc, VectorType::get(1, builder->getI32Type()), pair);
  Value words = vector::BroadcastOp::create(
      *builder, loc, VectorType::get(lanes, builder->getI32Type()),
      vector::ExtractOp::create(*builder, loc, word, int64_t{0}));
  return vector::BitCastOp::create(
      *builder, loc, VectorType::get(2 * lanes, builder->getI16Type()), words);
}

Value ContractionTile::multiplyAdd(Value x, Value w, Value acc) {
  Location loc = op.getLoc();
  if (!op.isInteger()) {
    auto contract = arith::FastMathFlagsAttr::get(
        builder->getContext(), arith::FastMathFlags::contract);
    Value product = arith::MulFOp::create(*builder, loc, x, w, contract);
    return arith::AddFOp::create(*builder, loc, product, acc, contract);
  }
  StringRef intrinsic;
  if (op.getInstruction() == "pmaddwd")
    intrinsic = llvm::StringSwitch<StringRef>(std::to_string(lanes))
                    .Case("16", "llvm.x86.avx512.pmaddw.d.512")
                    .Case("8", "llvm.x86.avx2.pmadd.wd")
                    .Case("4", "llvm.x86.sse2.pmadd.wd")
                    .Default("");
  Value sum;
  if (!intrinsic.empty()) {
    sum = LLVM::CallIntrinsicOp::create(*builder, loc, acc.getType(),
                                        builder->getStringAttr(intrinsic),
                                        ValueRange{x, w})
              .getResults();
  } else {
    auto wide = VectorType::get(2 * lanes, builder->getI32Type());
    Value product = arith::MulIOp::create(
        *builder, loc, arith::ExtSIOp::create(*builder, loc, wide, x),
        arith::ExtSIOp::create(*builder, loc, wide, w));
    auto halves = vector::DeinterleaveOp::create(*builder, loc, product);
    sum = arith::AddIOp::create(*builder, loc, halves.getRes1(),
                                halves.getRes2());
  }
  return arith::AddIOp::create(*builder, loc, acc, sum);
}

SmallVector<Value> ContractionTile::sum(Value base, Value filter,
                                        int64_t columns) {
  Location loc = op.getLoc();
  IndexBuilder index(*builder, loc);
  int64_t vectors = size / lanes, pair = op.isInteger() ? 2 : 1;
  auto accumulator = VectorType::get(lanes, op.getAccumulatorType());
  Value zero = arith::ConstantOp::create(*builder, loc,
                                         builder->getZeroAttr(accumulator));
  SmallVector<Value> init(columns * vectors, zero);
  Type element = op.getWeightsType().getElementType();
  auto step = [&](Value k, Value i, Value j, ValueRange sums) {
    Value tap = index.add(
        index.mul(index.add(index.mul(k, kernel[0]), i), kernel[1]), j);
    Value weightOffset = index.mul(index.add(filter, tap), size * pair);
    SmallVector<Value> filters;
    for (int64_t v = 0; v < vectors; ++v) {
      Value w = vector::LoadOp::create(
          *builder, loc, VectorType::get(lanes * pair, element), weights.memref,
          ValueRange{index.add(weightOffset, v * lanes * pair)});
      if (op.isInteger())
        w = arith::ExtSIOp::create(
            *builder, loc, VectorType::get(lanes * 2, builder->getI16Type()),
            w);
      filters.push_back(w);
    }
    Value offset = index.add(base, index.mul(k, sourceStrides[0]));
    offset = index.add(offset, index.mul(i, dilations[0] * sourceStrides[1]));
    offset = index.add(offset, index.mul(j, dilations[1] * sourceStrides[2]));
    SmallVector<Value> results;
    for (int64_t p = 0; p < columns; ++p) {
      Value x = loadInput(index.add(offset, p * strides[1] * sourceStrides[2]));
      for (int64_t v = 0; v < vectors; ++v)
        results.push_back(multiplyAdd(x, filters[v], sums[(p * vectors) + v]));
    }
    return results;
  };
  return index.loop(steps, init, [&](Value k, ValueRange outer) {
    return index.loop(kernel[0], outer, [&](Value i, ValueRange middle) {
      return index.loop(kernel[1], middle, [&](Value j, ValueRange inner) {
        return step(k, i, j, inner);
      });
    });
  });
}

void ContractionTile::emit(Value base, Value filter, int64_t columns,
                           ArrayRef<Value> position, Value channel,
                           int64_t outputs) {
  SmallVector<Value> sums = sum(base, filter, columns);
  if (op.isConvolution())
    storeColumns(sums, columns, position, channel, outputs);
  else
    storeRows(sums, columns, position, channel, outputs);
}

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

/// Turns square blocks of a tile round by interleaving halves.
static SmallVector<Value> transpose(OpBuilder &builder, Location loc,
                                    SmallVector<Value> rows) {
  auto n = static_cast<int64_t>(rows.size());
  SmallVector<int64_t> low, high;
  for (int64_t i = 0; i < n; ++i) {
    low.push_back((i / 2) + ((i % 2) * n));
    high.push_back((n / 2) + (i / 2) + ((i % 2) * n));
  }
  for (int64_t stage = 1; stage < n; stage *= 2) {
    SmallVector<Value> next;
    for (int64_t i = 0; i < n / 2; ++i)
      for (const auto &half : {low, high})
        next.push_back(vector::ShuffleOp::create(builder, loc, rows[i],
                                                 rows[i + (n / 2)], half));
    rows = next;
  }
  return rows;
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
        for (auto [i, row] : llvm::enumerate(transpose(*builder, loc, rows)))
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

Value ContractionTile::loadOperand(const FlatView &view, Value mask,
                                   int64_t vectorLanes,
                                   ArrayRef<Value> position) {
  Location loc = op.getLoc();
  IndexBuilder index(*builder, loc);
  Value offset = index.constant(0);
  for (auto [stride, i] : llvm::zip(view.strides, position))
    if (stride)
      offset = index.add(offset, index.mul(i, stride));
  Type element = cast<MemRefType>(view.memref.getType()).getElementType();
  auto type = VectorType::get(vectorLanes, element);
  int64_t stride = view.strides.back();
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
  for (const FlatView &view : operands)
    arguments.push_back(loadOperand(view, mask, vectorLanes, position));
  Value value =
      vectorizeBody(*builder, op.getBody().front(), arguments, vectorLanes)[0];
  Value offset = index.constant(0);
  for (auto [stride, i] : llvm::zip(output.strides, position))
    offset = index.add(offset, index.mul(i, stride));
  if (mask)
    vector::MaskedStoreOp::create(*builder, loc, output.memref,
                                  ValueRange{offset}, mask, value);
  else
    vector::StoreOp::create(*builder, loc, value, output.memref,
                            ValueRange{offset});
}
