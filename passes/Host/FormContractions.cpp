//===- FormContractions.cpp - linalg to cpu.contract
//-----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/CPU/CPUDialect.h"
#include "dialects/TE/TEDialect.h"
#include "passes/Host/Epilogue.h"
#include "passes/Host/Passes.h"
#include "passes/Host/Schedule.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"

using namespace mlir;

namespace acc::host {
#define GEN_PASS_DEF_HOSTFORMCONTRACTIONS
#include "passes/Host/Passes.h.inc"
} // namespace acc::host

using namespace acc;
using namespace acc::host;

namespace {

/// A contraction as cpu.contract wants it, before its weights are packed.
struct Contraction {
  Value input;
  Value weights;
  /// Dimension of `weights` that holds output channels, and the one summed.
  int64_t outputDim = 0, sumDim = 0;
  SmallVector<int64_t> outerPermutation;
  SmallVector<int64_t> strides, dilations, pads;
  int64_t padValue = 0;
  /// The sum as the epilogue sees it.
  Value result;
  ContractLoops loops;
};

/// Steps through a tensor.pad that cpu.contract can do itself.
void foldPad(Contraction &contraction, int64_t firstDim) {
  auto pad = contraction.input.getDefiningOp<tensor::PadOp>();
  if (!pad || !pad.getLow().empty() || !pad.getHigh().empty())
    return;
  Value padding = pad.getConstantPaddingValue();
  Attribute value;
  if (!padding || !matchPattern(padding, m_Constant(&value)))
    return;
  if (auto real = dyn_cast<FloatAttr>(value); real && !real.getValue().isZero())
    return;
  ArrayRef<int64_t> low = pad.getStaticLow(), high = pad.getStaticHigh();
  for (int64_t dim = 0; dim < firstDim; ++dim)
    if (low[dim] || high[dim])
      return;
  contraction.pads = {low[firstDim], low[firstDim + 1], high[firstDim],
                      high[firstDim + 1]};
  if (llvm::any_of(contraction.pads, [](int64_t p) { return p < 0; })) {
    contraction.pads = {0, 0, 0, 0};
    return;
  }
  if (auto integer = dyn_cast<IntegerAttr>(value))
    contraction.padValue = integer.getInt();
  contraction.input = pad.getSource();
}

/// Whether the contraction starts from zero.
bool startsFromZero(Value init) {
  auto fill = init.getDefiningOp<linalg::FillOp>();
  return fill && (matchPattern(fill.value(), m_Zero()) ||
                  matchPattern(fill.value(), m_AnyZeroFloat()));
}

template <typename ConvOp> Contraction describeConvolution(ConvOp conv) {
  Contraction c;
  c.input = conv.getDpsInputOperand(0)->get();
  c.weights = conv.getDpsInputOperand(1)->get();
  c.result = conv->getResult(0);
  c.strides = llvm::to_vector(conv.getStrides().template getValues<int64_t>());
  c.dilations =
      llvm::to_vector(conv.getDilations().template getValues<int64_t>());
  c.pads = {0, 0, 0, 0};
  // The image is followed by what is summed: channels and the window.
  int64_t parallel = conv.getNumParallelLoops();
  c.loops = {parallel - 3, parallel - 1, parallel - 2};
  return c;
}

FailureOr<Contraction> describeGrouped(linalg::Conv2DNgchwGfchwOp conv) {
  Contraction c = describeConvolution(conv);
  c.outputDim = 1;
  c.sumDim = 2;
  foldPad(c, 3);
  auto expand = c.input.getDefiningOp<tensor::ExpandShapeOp>();
  const int64_t splitChannels[] = {0, 1, 1, 2, 3};
  // An axis of one element may be said to belong to a neighbour as well.
  auto splits = [&](ArrayRef<ReassociationIndices> groups,
                    RankedTensorType split) {
    if (groups.size() != 4)
      return false;
    for (auto [index, group] : llvm::enumerate(groups))
      for (int64_t dim : group)
        if (splitChannels[dim] != static_cast<int64_t>(index) &&
            split.getDimSize(dim) != 1)
          return false;
    return true;
  };
  if (expand &&
      splits(expand.getReassociationIndices(), expand.getResultType())) {
    bool padded = llvm::any_of(c.pads, [](int64_t p) { return p != 0; });
    c.input = expand.getSrc();
    if (!padded)
      foldPad(c, 2);
  } else {
    OpBuilder builder(conv);
    const ReassociationIndices groups[] = {{0}, {1, 2}, {3}, {4}};
    c.input = tensor::CollapseShapeOp::create(builder, conv.getLoc(), c.input,
                                              groups);
  }
  if (!c.result.hasOneUse())
    return conv->emitRemark("has several uses of its result");
  auto collapse =
      dyn_cast<tensor::CollapseShapeOp>(*c.result.getUsers().begin());
  if (!collapse ||
      !splits(collapse.getReassociationIndices(), collapse.getSrcType()))
    return conv->emitRemark("has a result that is not joined to NCHW");
  c.result = collapse.getResult();
  return c;
}

FailureOr<Contraction> describeProduct(linalg::LinalgOp product) {
  MLIRContext *context = product->getContext();
  AffineExpr m, n, k;
  bindDims(context, m, n, k);
  auto is = [&](int64_t operand, AffineExpr row, AffineExpr column) {
    return product.getIndexingMapsArray()[operand] ==
           AffineMap::get(3, 0, {row, column}, context);
  };
  if (product.getNumLoops() != 3 || !linalg::isaContractionOpInterface(product))
    return failure();
  if (!is(0, m, k) || !is(2, m, n) || (!is(1, k, n) && !is(1, n, k)))
    return failure();
  Contraction c;
  c.input = product.getDpsInputOperand(0)->get();
  c.weights = product.getDpsInputOperand(1)->get();
  c.result = product->getResult(0);
  c.loops.outputs = 1;
  c.outputDim = is(1, k, n) ? 1 : 0;
  c.sumDim = 1 - c.outputDim;
  if (c.outputDim == 1)
    c.outerPermutation = {1, 0};
  return c;
}

FailureOr<Contraction> describe(linalg::LinalgOp op) {
  if (auto conv = dyn_cast<linalg::Conv2DNchwFchwOp>(op.getOperation())) {
    Contraction c = describeConvolution(conv);
    c.sumDim = 1;
    foldPad(c, 2);
    return c;
  }
  if (auto conv = dyn_cast<linalg::Conv2DNgchwGfchwOp>(op.getOperation()))
    return describeGrouped(conv);
  return describeProduct(op);
}

/// `pack` elements of the sum are beside each other, in a dimension of their
/// own unless it is 0.
Value packWeights(OpBuilder &builder, Location loc, const Contraction &c,
                  int64_t tile, int64_t pack) {
  SmallVector<int64_t> dims = {c.outputDim};
  SmallVector<OpFoldResult> tiles = {builder.getIndexAttr(tile)};
  if (pack > 0) {
    dims.push_back(c.sumDim);
    tiles.push_back(builder.getIndexAttr(pack));
  }
  auto type = cast<RankedTensorType>(c.weights.getType());
  Value zero = arith::ConstantOp::create(
      builder, loc, builder.getZeroAttr(type.getElementType()));
  Value empty = linalg::PackOp::createDestinationTensor(
      builder, loc, c.weights, tiles, dims, c.outerPermutation);
  return linalg::PackOp::create(builder, loc, c.weights, empty, dims, tiles,
                                zero, c.outerPermutation)
      .getResult();
}

/// The outermost size of input and result, and the size of images, alone may be
/// unknown, and there is something to compute.
bool hasStaticTiles(linalg::LinalgOp op) {
  bool isImage = isa<linalg::Conv2DNchwFchwOp, linalg::Conv2DNgchwGfchwOp>(*op);
  return llvm::all_of(op->getOpOperands(), [&](OpOperand &operand) {
    auto type = dyn_cast<RankedTensorType>(operand.get().getType());
    if (!type || llvm::is_contained(type.getShape(), 0))
      return false;
    ArrayRef<int64_t> known = type.getShape();
    if (&operand != op.getDpsInputOperand(1)) {
      known = known.drop_front();
      if (isImage)
        known = known.drop_back(2);
    }
    return llvm::none_of(known, ShapedType::isDynamic);
  });
}

/// The sizes of a result (N, O, H, W), or (M, N), that are not known, from
/// where its sums begin.
SmallVector<Value> getOpenSizes(OpBuilder &builder, Location loc,
                                RankedTensorType type, Value sums) {
  SmallVector<OpFoldResult> known;
  auto fill = sums.getDefiningOp<linalg::FillOp>();
  if (auto empty = fill.output().getDefiningOp<tensor::EmptyOp>())
    known = empty.getMixedSizes();
  else
    known = tensor::getMixedSizes(builder, loc, fill.output());
  SmallVector<Value> sizes;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (type.isDynamicDim(dim))
      // Groups have an axis of their own in front of the channels.
      sizes.push_back(getValueOrCreateConstantIndexOp(
          builder, loc,
          dim == 0 ? known.front()
                   : known[known.size() - type.getRank() + dim]));
  return sizes;
}

/// Whether lanes of an epilogue's operands are a known distance apart, whatever
/// the size of an image is.
bool hasKnownLanes(const Epilogue &epilogue, RankedTensorType type) {
  if (type.getRank() != 4 ||
      !ShapedType::isDynamicShape(type.getShape().drop_front(2)))
    return true;
  return llvm::all_of(epilogue.maps, [](AffineMap map) {
    for (AffineExpr expr :
         map.getResults().drop_back(std::min<unsigned>(1, map.getNumResults())))
      if (expr == getAffineDimExpr(3, map.getContext()))
        return false;
    return true;
  });
}

struct FormContractionsPass
    : host::impl::HostFormContractionsBase<FormContractionsPass> {
  using HostFormContractionsBase::HostFormContractionsBase;

  LogicalResult form(linalg::LinalgOp op, te::ScheduleAttr attribute) {
    // What cannot become a contraction has no use for its schedule.
    op->removeAttr(te::TEDialect::kSchedule);
    if (op.getNumDpsInputs() != 2 || !hasStaticTiles(op))
      return success();
    FailureOr<Contraction> contraction = describe(op);
    if (failed(contraction) || !startsFromZero(op.getDpsInits()[0]))
      return success();
    Type element = getElementTypeOrSelf(contraction->input.getType());
    Type sum = getElementTypeOrSelf(contraction->result.getType());
    bool integer = element.isInteger(8) && sum.isInteger(32);
    if (getElementTypeOrSelf(contraction->weights.getType()) != element ||
        (!integer &&
         !((element.isF32() || element.isF16() || element.isBF16()) &&
           sum.isF32())))
      return success();
    FailureOr<ContractSchedule> known =
        readContractSchedule(op, attribute, contraction->loops, registers);
    if (failed(known))
      return failure();
    const ContractSchedule &schedule = *known;

    Epilogue epilogue = collectEpilogue(contraction->result);
    if (!hasKnownLanes(epilogue,
                       cast<RankedTensorType>(epilogue.result.getType())))
      return success();
    OpBuilder builder(epilogue.insertionPoint);
    Location loc = epilogue.absorbed.empty()
                       ? op.getLoc()
                       : FusedLoc::get(builder.getContext(),
                                       {op.getLoc(), epilogue.result.getLoc()});
    StringRef instruction =
        schedule.instruction ? schedule.instruction.getValue() : "";
    Value weights = packWeights(
        builder, loc, *contraction, schedule.lanes * schedule.vectors,
        integer ? cpu::IntegerSum::find(instruction)->pack : 0);
    auto type = cast<RankedTensorType>(epilogue.result.getType());
    Value init = epilogue.init;
    if (!init) {
      SmallVector<Value> unknown =
          getOpenSizes(builder, loc, type, op.getDpsInits()[0]);
      init = tensor::EmptyOp::create(builder, loc, type.getShape(),
                                     type.getElementType(), unknown);
    }
    auto optional = [&](ArrayRef<int64_t> values) {
      return values.empty() ? DenseI64ArrayAttr()
                            : builder.getDenseI64ArrayAttr(values);
    };
    auto contract = cpu::ContractOp::create(
        builder, loc, TypeRange(type), contraction->input, weights,
        epilogue.operands, init, builder.getAffineMapArrayAttr(epilogue.maps),
        builder.getDenseI64ArrayAttr({schedule.width, schedule.lanes}),
        schedule.rows, contraction->padValue,
        integer ? schedule.instruction : StringAttr(),
        optional(contraction->strides), optional(contraction->dilations),
        optional(contraction->pads),
        schedule.chunkOutputs || schedule.chunkRows
            ? optional({schedule.chunkOutputs, schedule.chunkRows})
            : DenseI64ArrayAttr());
    buildEpilogueBody(builder, epilogue, sum, contract.getBody());
    epilogue.result.replaceAllUsesWith(contract->getResult(0));
    for (Operation *dead : llvm::reverse(epilogue.absorbed)) {
      absorbed.insert(dead);
      dead->erase();
    }
    return success();
  }

  void runOnOperation() override {
    auto kernel = getOperation();
    if (!kernel.isOnHost())
      return;
    SmallVector<std::pair<linalg::LinalgOp, te::ScheduleAttr>> candidates;
    kernel.walk([&](linalg::LinalgOp op) {
      if (auto schedule =
              op->getAttrOfType<te::ScheduleAttr>(te::TEDialect::kSchedule))
        candidates.push_back({op, schedule});
    });
    absorbed.clear();
    for (auto [op, schedule] : candidates)
      if (!absorbed.contains(op.getOperation()) && failed(form(op, schedule)))
        return signalPassFailure();
  }

private:
  /// What has become part of a contraction in front of it.
  llvm::DenseSet<Operation *> absorbed;
};

} // namespace
