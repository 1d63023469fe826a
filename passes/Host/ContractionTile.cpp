//===- ContractionTile.cpp - The register tile of cpu.contract
//-------------===//
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
                                                   cpu::ContractOp op) {
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
