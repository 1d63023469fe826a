//===- LegalizeQuantization.cpp - Float between integers to integers ------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/Passes.h"
#include "passes/Graph/QuantizedLayer.h"

#include "llvm/ADT/SetVector.h"

#include <cmath>

namespace acc::graph {
#define GEN_PASS_DEF_GRAPHLEGALIZEQUANTIZATION
#include "passes/Graph/Passes.h.inc"
} // namespace acc::graph

using namespace mlir;
using namespace acc::graph;

Value acc::graph::getQuantizedSource(Value value) {
  auto dequantize = value.getDefiningOp<DequantizeLinearOp>();
  return dequantize ? dequantize.getInput() : Value();
}

FailureOr<Operand> acc::graph::readOperand(OpBuilder &builder, Location loc,
                                           Value value, std::string &reason) {
  Value source = getQuantizedSource(value);
  if (!source) {
    reason = "an operand is not quantized";
    return failure();
  }
  FailureOr<Grid> grid = getGrid(source.getType(), reason);
  if (failed(grid))
    return failure();
  return Operand{toInteger(builder, loc, source), *grid};
}

Location QuantizedLayer::getLoc() const {
  SmallVector<Location> locations;
  if (!isa<DequantizeLinearOp>(anchor))
    locations.push_back(anchor->getLoc());
  if (biasAdd)
    locations.push_back(AddOp(biasAdd).getLoc());
  for (Operation *activation : activations)
    locations.push_back(activation->getLoc());
  if (locations.empty())
    locations.push_back(QuantizeLinearOp(quantize).getLoc());
  return FusedLoc::get(quantize->getContext(), locations);
}

Ties QuantizedLayer::getTies() const {
  Ties ties;
  ties.zeroPointFirst =
      QuantizeLinearOp(quantize).getRoundingOffset().value_or(0) != 0;
  ties.up = tiesUp;
  return ties;
}

/// Whether ONNX Runtime, which prefers uint8 on x86, turns an int8 tensor into
/// uint8: that takes a quantize_linear and nothing but one reader of reals.
static bool becomesUnsigned(Value quantized) {
  if (!quantized.getDefiningOp<QuantizeLinearOp>() || !quantized.hasOneUse())
    return false;
  auto reader = dyn_cast<DequantizeLinearOp>(*quantized.user_begin());
  return reader && reader->hasOneUse();
}

/// Whether ONNX Runtime fuses dequantize, `op`, quantize into one operator that
/// adds the zero point before it rounds. Of sums and averages it does, if it
/// has all tensors in one type.
static bool isFused(QuantizeLinearOp quantize) {
  Operation *op = quantize.getInput().getDefiningOp();
  auto result = dyn_cast<quant::UniformQuantizedType>(
      quantize.getType().getElementType());
  if (!isa_and_present<AddOp, AveragePoolOp>(op) || !op->hasOneUse() || !result)
    return false;
  return llvm::all_of(op->getOperands(), [&](Value operand) {
    Value source = getQuantizedSource(operand);
    auto type = source ? dyn_cast<quant::UniformQuantizedType>(
                             getElementTypeOrSelf(source))
                       : nullptr;
    return type && type.getStorageType() == result.getStorageType() &&
           type.isSigned() == result.isSigned() &&
           (!type.isSigned() ||
            becomesUnsigned(source) == becomesUnsigned(quantize.getResult()));
  });
}

/// Narrows the bounds of `grid`, which hold for what comes behind it, to what
/// passes through `activation`.
static void applyActivation(Operation *activation, Grid &grid) {
  int32_t lo = grid.lo, hi = grid.hi;
  if (isa<ReluOp>(activation)) {
    lo = std::max(lo, grid.quantize(0));
  } else {
    auto clip = cast<ClipOp>(activation);
    if (clip.getMin())
      lo = std::max(lo, grid.quantize(clip.getMin()->convertToDouble()));
    if (clip.getMax())
      hi = std::min(hi, grid.quantize(clip.getMax()->convertToDouble()));
  }
  // ONNX applies the upper bound last: it wins over a lower bound above it.
  // What follows has narrowed the grid already and wins over both.
  hi = std::max(hi, grid.lo);
  lo = std::min(std::min(lo, hi), grid.hi);
  grid.lo = lo;
  grid.hi = hi;
}

LogicalResult acc::graph::findLayer(QuantizeLinearOp quantize,
                                    QuantizedLayer &layer,
                                    std::string &reason) {
  layer.quantize = quantize;
  Value value = quantize.getInput();
  for (;;) {
    Operation *op = value.getDefiningOp();
    if (!op || isa<ConstantOp>(op)) {
      reason = "nothing to compute";
      return failure();
    }
    layer.anchor = op;
    if (isa<DequantizeLinearOp>(op))
      break;
    if (!op->hasOneUse()) {
      reason = "its float result has other uses";
      return failure();
    }
    if (!isa<ReluOp, ClipOp>(op))
      break;
    if (auto clip = dyn_cast<ClipOp>(op);
        clip && ((clip.getMin() && clip.getMin()->isNaN()) ||
                 (clip.getMax() && clip.getMax()->isNaN()))) {
      reason = "a bound is not a number";
      return failure();
    }
    layer.activations.push_back(op);
    value = op->getOperand(0);
  }
  FailureOr<Grid> output = getGrid(quantize.getType(), reason);
  if (failed(output))
    return failure();
  layer.output = *output;
  for (Operation *activation : layer.activations)
    applyActivation(activation, layer.output);
  std::reverse(layer.activations.begin(), layer.activations.end());

  // The sum of a product and a constant is a product with a bias.
  if (auto add = dyn_cast<AddOp>(layer.anchor))
    for (auto [product, bias] : {std::pair(add.getLhs(), add.getRhs()),
                                 std::pair(add.getRhs(), add.getLhs())}) {
      Value source = getQuantizedSource(bias);
      if (isContraction(product.getDefiningOp()) && product.hasOneUse() &&
          product.getType() == add.getType() &&
          matchPattern(source ? source : bias, m_Constant())) {
        layer.biasAdd = add;
        layer.anchor = product.getDefiningOp();
        break;
      }
    }
  return success();
}

namespace {

/// Writes on integer products that are built why nothing requantizes them.
struct ReasonListener : OpBuilder::Listener {
  StringAttr reason;

  explicit ReasonListener(StringAttr reason) : reason(reason) {}
  void notifyOperationInserted(Operation *op, OpBuilder::InsertPoint) override {
    if (isa<ConvIntegerOp, GemmIntegerOp, MatMulIntegerOp>(op))
      op->setAttr(GraphDialect::kReason, reason);
  }
};

struct GraphLegalizeQuantization
    : acc::graph::impl::GraphLegalizeQuantizationBase<
          GraphLegalizeQuantization> {
  using GraphLegalizeQuantizationBase::GraphLegalizeQuantizationBase;

  void runOnOperation() override {
    if (failed(checkScales()))
      return signalPassFailure();
    // This asks what the model looks like, so it comes first.
    getOperation().walk([](QuantizeLinearOp op) {
      if (!isFused(op))
        return;
      auto type =
          cast<quant::UniformQuantizedType>(op.getType().getElementType());
      if (int64_t zeroPoint = type.getZeroPoint())
        op.setRoundingOffset(int32_t(zeroPoint));
    });
    if (failed(rewrite(populateMoveQuantizationPatterns)))
      return signalPassFailure();
    IRRewriter rewriter(&getContext());
    SmallVector<QuantizeLinearOp> quantizes;
    getOperation().walk([&](QuantizeLinearOp op) { quantizes.push_back(op); });
    for (QuantizeLinearOp op : quantizes)
      legalize(rewriter, op);
    legalizeSums(rewriter);
    if (failed(rewrite(populateRebasePatterns)) ||
        failed(rewrite(populateSinkReshapesPatterns)))
      return signalPassFailure();
    explainRest();
  }

private:
  LogicalResult checkScales() {
    WalkResult result = getOperation().walk([](Operation *op) -> WalkResult {
      if (!isa<QuantizeLinearOp, DequantizeLinearOp>(op))
        return WalkResult::advance();
      Value value =
          isa<QuantizeLinearOp>(op) ? op->getResult(0) : op->getOperand(0);
      Type type = getElementTypeOrSelf(value);
      SmallVector<double> scales;
      if (auto uniform = dyn_cast<quant::UniformQuantizedType>(type))
        scales.push_back(uniform.getScale());
      if (auto perAxis = dyn_cast<quant::UniformQuantizedPerAxisType>(type))
        llvm::append_range(scales, perAxis.getScales());
      for (double scale : scales)
        if (!(scale > 0) || std::isinf(scale))
          return op->emitError("scale ")
                 << scale << " is not a positive finite number";
      return WalkResult::advance();
    });
    return failure(result.wasInterrupted());
  }

  LogicalResult rewrite(function_ref<void(RewritePatternSet &)> populate) {
    RewritePatternSet patterns(&getContext());
    populate(patterns);
    return applyPatternsGreedily(getOperation(), std::move(patterns));
  }

  void legalize(IRRewriter &rewriter, QuantizeLinearOp op) {
    QuantizedLayer layer;
    layer.tiesUp = tiesUp;
    std::string reason;
    rewriter.setInsertionPoint(op);
    FailureOr<Value> integers = legalizeByTable(rewriter, op);
    if (failed(integers) && succeeded(findLayer(op, layer, reason))) {
      if (isProductOfActivations(layer.anchor))
        integers = legalizeProduct(rewriter, layer, reason);
      else if (isContraction(layer.anchor))
        integers = legalizeContraction(rewriter, layer, reason);
      else
        integers = legalizeElementwise(rewriter, layer, reason);
    }
    if (failed(integers)) {
      if (!layer.anchor)
        return;
      if (isa<DequantizeLinearOp>(layer.anchor)) {
        op->setAttr(GraphDialect::kReason, rewriter.getStringAttr(reason));
        return;
      }
      layer.anchor->setAttr(GraphDialect::kReason,
                            rewriter.getStringAttr(reason));
      ++numFloat;
      return;
    }
    ++numInteger;
    rewriter.replaceOp(
        op, toQuantized(rewriter, op.getLoc(), *integers, op.getType()));
  }

  /// Convolutions and products of quantized tensors that end in no quantized
  /// tensor.
  void legalizeSums(IRRewriter &rewriter) {
    SmallVector<Operation *> products;
    getOperation().walk([&](Operation *op) {
      if (!isContraction(op))
        return;
      Value a = getQuantizedSource(op->getOperand(0)),
            b = getQuantizedSource(op->getOperand(1));
      if (a && b &&
          !(matchPattern(a, m_Constant()) && matchPattern(b, m_Constant())))
        products.push_back(op);
    });
    for (Operation *op : products) {
      auto known = op->getAttrOfType<StringAttr>(GraphDialect::kReason);
      ReasonListener listener(known ? known
                                    : rewriter.getStringAttr(explain(op)));
      std::string reason;
      OpBuilder builder(op, &listener);
      FailureOr<Value> floats = legalizeToFloat(builder, op, reason);
      if (succeeded(floats))
        rewriter.replaceOp(op, *floats);
    }
  }

  /// Why an operator that reads quantized tensors is no integer arithmetic,
  /// though nothing that ends in a quantized tensor starts with it.
  static std::string explain(Operation *op) {
    if (!hasIntegerForm(op))
      return getOnnxName(op->getName().getStringRef()) + " has no integer form";
    SetVector<Operation *> readers(op->user_begin(), op->user_end());
    if (llvm::any_of(readers, llvm::IsaPred<QuantizeLinearOp>))
      return "its float result has other uses";
    // What is made of it may yet be quantized, not far behind.
    constexpr size_t most = 16;
    std::string through;
    for (auto [index, reader] : llvm::enumerate(readers))
      through += (index ? " and " : "") +
                 getOnnxName(reader->getName().getStringRef());
    for (size_t next = 0; next < std::min(readers.size(), most); ++next) {
      if (isa<QuantizeLinearOp>(readers[next]))
        return "its result goes through " + through + " before it is quantized";
      readers.insert(readers[next]->user_begin(), readers[next]->user_end());
    }
    return "its result is not quantized";
  }

  /// Whether floats are made of a tensor because products end in floats, and
  /// not because the model says so.
  static bool isSumOfProducts(Value source) {
    auto cast = source.getDefiningOp<StorageCastOp>();
    return cast && getElementTypeOrSelf(cast.getInput()).isInteger(32);
  }

  /// Operators that read quantized tensors but do not end in one.
  void explainRest() {
    getOperation().walk([](Operation *op) {
      if (!isa_and_present<GraphDialect>(op->getDialect()) ||
          isa<QuantizeLinearOp, DequantizeLinearOp>(op) ||
          op->hasAttr(GraphDialect::kReason))
        return;
      if (llvm::any_of(op->getOperands(), [](Value operand) {
            Value source = getQuantizedSource(operand);
            return source && !matchPattern(source, m_Constant()) &&
                   !isSumOfProducts(source);
          }))
        op->setAttr(GraphDialect::kReason,
                    StringAttr::get(op->getContext(), explain(op)));
    });
  }
};

} // namespace
