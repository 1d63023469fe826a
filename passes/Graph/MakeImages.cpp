//===- MakeImages.cpp - The pass graph-make-images ------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A signal (N, C, W) lies in memory as an image of one column (N, C, W, 1)
// does. So what an accelerator can do with images it can do with signals, if it
// is given images.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Graph.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/TensorTypes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace acc::graph {
#define GEN_PASS_DEF_GRAPHMAKEIMAGES
#include "passes/Graph/Passes.h.inc"
} // namespace acc::graph

using namespace mlir;
using namespace acc::graph;

namespace {

/// One element more, for the columns.
SmallVector<int64_t> append(ArrayRef<int64_t> sizes, int64_t last) {
  SmallVector<int64_t> result(sizes);
  result.push_back(last);
  return result;
}

/// The same for what holds the beginnings of all axes and then the ends.
SmallVector<int64_t> appendToBoth(ArrayRef<int64_t> pads) {
  SmallVector<int64_t> result = append(pads.take_front(pads.size() / 2), 0);
  llvm::append_range(result, pads.take_back(pads.size() / 2));
  result.push_back(0);
  return result;
}

class ImageMaker {
public:
  explicit ImageMaker(Block &block) : block(block) {}

  void run() {
    for (Operation &op : llvm::make_early_inc_range(block))
      if (isSignal(op))
        rewrite(op);
    for (Operation *op : llvm::reverse(reshapes))
      if (op->use_empty())
        op->erase();
  }

private:
  /// Whether an operator makes an integer signal: by a window, or from another
  /// one. Other tensors of three axes are sequences.
  bool isSignal(Operation &op) const {
    if (op.getNumResults() != 1)
      return false;
    auto type = dyn_cast<RankedTensorType>(op.getResult(0).getType());
    if (!type || type.getRank() != 3 || !type.hasStaticShape() ||
        !(type.getElementType().isSignlessInteger(8) ||
          type.getElementType().isSignlessInteger(32)))
      return false;
    if (isa<ConvIntegerOp, MaxPoolOp, GlobalSumIntegerOp>(op))
      return true;
    auto isImage = [&](Value operand) { return images.contains(operand); };
    if (isa<WeightedSumOp, MulIntegerOp, ScaleIntegerOp, ConcatOp>(op))
      return llvm::any_of(op.getOperands(), isImage) &&
             llvm::all_of(op.getOperandTypes(), [](Type operand) {
               return cast<RankedTensorType>(operand).getRank() == 3;
             });
    return isa<RequantizeOp, LookupOp, SliceOp, PadOp, ResizeOp>(op) &&
           op.getNumOperands() <= 2 && isImage(op.getOperand(0));
  }

  /// A tensor of three axes as an image.
  Value getImage(ImplicitLocOpBuilder &b, Value value) {
    if (Value image = images.lookup(value))
      return image;
    auto type = cast<RankedTensorType>(value.getType());
    return b.createOrFold<ReshapeOp>(type.clone(append(type.getShape(), 1)),
                                     value);
  }

  /// The attributes of windows and parts, with an axis more.
  static void widen(Operation *op) {
    TypeSwitch<Operation *>(op)
        .Case<ConvIntegerOp, MaxPoolOp>([](auto window) {
          window.setStrides(append(window.getStrides(), 1));
          window.setDilations(append(window.getDilations(), 1));
          window.setPads(appendToBoth(window.getPads()));
          if constexpr (std::is_same_v<decltype(window), MaxPoolOp>)
            window.setKernelShape(append(window.getKernelShape(), 1));
        })
        .Case([](PadOp pad) { pad.setPads(appendToBoth(pad.getPads())); })
        .Case([](SliceOp slice) {
          slice.setStarts(append(slice.getStarts(), 0));
          slice.setSizes(append(slice.getSizes(), 1));
          slice.setSteps(append(slice.getSteps(), 1));
        });
  }

  void rewrite(Operation &op) {
    ImplicitLocOpBuilder b(op.getLoc(), &op);
    IRMapping mapping;
    for (Value operand : op.getOperands())
      if (auto type = dyn_cast<RankedTensorType>(operand.getType());
          type && type.getRank() == 3)
        mapping.map(operand, getImage(b, operand));
    Operation *image = b.clone(op, mapping);
    widen(image);
    auto type = cast<RankedTensorType>(op.getResult(0).getType());
    image->getResult(0).setType(type.clone(append(type.getShape(), 1)));
    auto plain = ReshapeOp::create(b, type, image->getResult(0));
    images[plain] = image->getResult(0);
    reshapes.push_back(plain);
    op.getResult(0).replaceAllUsesWith(plain);
    op.erase();
  }

  Block &block;
  /// By tensor of three axes.
  DenseMap<Value, Value> images;
  SmallVector<Operation *> reshapes;
};

struct MakeImages : acc::graph::impl::GraphMakeImagesBase<MakeImages> {
  void runOnOperation() override {
    if (!getOperation().isExternal())
      ImageMaker(getOperation().getBody().front()).run();
  }
};

} // namespace
