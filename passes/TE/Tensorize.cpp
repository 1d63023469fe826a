//===- Tensorize.cpp - Replace linalg by declared intrinsics --------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TE/IntrinsicMatch.h"
#include "passes/TE/Passes.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace acc::te {
#define GEN_PASS_DEF_TETENSORIZE
#include "passes/TE/Passes.h.inc"
} // namespace acc::te

using namespace mlir;
using namespace acc::te;

/// Where buffers can be zeroed, but not set, fill(c) becomes fill(0) and an
/// addition.
static void splitFill(linalg::FillOp fill, TargetAttrInterface target,
                      RewriterBase &rewriter) {
  APInt value;
  if (!matchPattern(fill.getInputs()[0], m_ConstantInt(&value)) ||
      value.isZero() || target.canFill(value))
    return;
  Location loc = fill.getLoc();
  Value buffer = fill.getOutputs()[0];
  auto type = cast<MemRefType>(buffer.getType());
  rewriter.setInsertionPoint(fill);
  Value zero = arith::ConstantOp::create(
      rewriter, loc, rewriter.getZeroAttr(type.getElementType()));
  linalg::FillOp::create(rewriter, loc, zero, buffer);
  SmallVector<utils::IteratorType> kinds(type.getRank(),
                                         utils::IteratorType::parallel);
  Value constant = fill.getInputs()[0];
  linalg::GenericOp::create(
      rewriter, loc, TypeRange(), ValueRange(), buffer,
      rewriter.getMultiDimIdentityMap(type.getRank()), kinds,
      [&](OpBuilder &builder, Location nested, ValueRange args) {
        Value sum = arith::AddIOp::create(builder, nested, args[0], constant);
        linalg::YieldOp::create(builder, nested, sum);
      });
  rewriter.eraseOp(fill);
}

/// Whether the operation leaves its buffer as it was: folding makes such of a
/// shift by 0 or a product with 1.
static bool isIdentity(linalg::LinalgOp op) {
  return op.getNumDpsInits() == 1 && op.getBlock()->getTerminator()->getOperand(
                                         0) == op.getRegionOutputArgs()[0];
}

static LogicalResult tensorize(linalg::LinalgOp op, ArrayRef<IntrinOp> intrins,
                               TargetAttrInterface target,
                               FlatSymbolRefAttr anchor,
                               RewriterBase &rewriter) {
  if (isIdentity(op)) {
    rewriter.eraseOp(op);
    return success();
  }
  SmallVector<std::string> reasons, encodings;
  for (IntrinOp intrin : intrins) {
    std::string reason;
    FailureOr<IntrinsicMatch> match = matchIntrinsic(op, intrin, reason);
    if (failed(match)) {
      reasons.push_back(("@" + intrin.getSymName() + ": " + reason).str());
      continue;
    }
    if (anchor && op.getNumReductionLoops() > 0 &&
        anchor.getValue() != intrin.getSymName())
      return op->emitOpError("is @")
             << intrin.getSymName() << ", but the schedule wants " << anchor;
    rewriter.setInsertionPoint(op);
    for (Range range : op.createLoopRanges(rewriter, op.getLoc()))
      match->bounds.push_back(range.size);
    match->bounds.resize(match->outerLoops);
    if (failed(target.emitIntrinsic(rewriter, op.getLoc(), intrin, *match))) {
      encodings.push_back(("@" + intrin.getSymName() +
                           ": its operands cannot be encoded in " +
                           intrin.getEmits())
                              .str());
      continue;
    }
    rewriter.eraseOp(op);
    return success();
  }
  InFlightDiagnostic error =
      op->emitOpError("is no declared intrinsic of the target");
  // Where one matched but for its operands, the others do not matter.
  for (const std::string &reason : encodings.empty() ? reasons : encodings)
    error.attachNote() << reason;
  return error;
}

namespace {
struct Tensorize : acc::te::impl::TeTensorizeBase<Tensorize> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<IntrinOp> intrins(module.getOps<IntrinOp>());
    IRRewriter rewriter(&getContext());
    for (KernelOp kernel : module.getOps<KernelOp>()) {
      ScheduleAttr schedule = getSchedule(kernel);
      if (!schedule)
        continue;
      SmallVector<linalg::FillOp> fills;
      kernel.walk([&](linalg::FillOp op) { fills.push_back(op); });
      for (linalg::FillOp fill : fills)
        splitFill(fill, kernel.getTargetInterface(), rewriter);
      SmallVector<linalg::LinalgOp> ops;
      kernel.walk([&](linalg::LinalgOp op) { ops.push_back(op); });
      for (linalg::LinalgOp op : ops)
        if (failed(tensorize(op, intrins, kernel.getTargetInterface(),
                             schedule.getIntrinsic(), rewriter)))
          return signalPassFailure();
      RewritePatternSet patterns(&getContext());
      memref::DimOp::getCanonicalizationPatterns(patterns, &getContext());
      memref::AllocOp::getCanonicalizationPatterns(patterns, &getContext());
      if (failed(applyPatternsGreedily(kernel, std::move(patterns))))
        return signalPassFailure();
    }
  }
};
} // namespace
