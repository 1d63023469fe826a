//===- Images.cpp - Signals as images of one column -----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/Images.h"

#include "passes/VTA/Graph/PackedValues.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace acc::graph;
using namespace acc::vta;

namespace {

/// One element more, for the columns.
SmallVector<int64_t> append(ArrayRef<int64_t> sizes, int64_t last) {
  SmallVector<int64_t> result(sizes);
  result.push_back(last);
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
  /// Whether the accelerator computes a signal: by a window, or from another
  /// one. Other tensors of three axes are sequences.
  bool isSignal(Operation &op) const {
    if (!isAccelerated(&op) || op.getNumResults() != 1 ||
        typeOf(op.getResult(0)).getRank() != 3)
      return false;
    return mlir::isa<ConvIntegerOp, MaxPoolOp, GlobalSumIntegerOp>(op) ||
           llvm::any_of(op.getOperands(), [&](Value operand) {
             return images.contains(operand);
           });
  }

  /// A tensor of three axes as an image.
  Value getImage(ImplicitLocOpBuilder &b, Value value) {
    if (Value image = images.lookup(value))
      return image;
    auto type = typeOf(value);
    return b.createOrFold<ReshapeOp>(type.clone(append(type.getShape(), 1)),
                                     value);
  }

  Operation *createImageOp(ImplicitLocOpBuilder &b, Operation &op) {
    // Padding is that of the beginnings and then that of the ends.
    auto widenPads = [](ArrayRef<int64_t> pads) {
      return SmallVector<int64_t>{pads[0], 0, pads[1], 0};
    };
    if (auto conv = dyn_cast<ConvIntegerOp>(op)) {
      auto create = [&](ArrayRef<int64_t> sizes) {
        return b.getDenseI64ArrayAttr(sizes);
      };
      auto image = ConvIntegerOp::create(
          b, getImage(b, conv.getInput()), getImage(b, conv.getWeight()),
          conv.getBias(), create(append(conv.getStrides(), 1)),
          create(widenPads(conv.getPads())),
          create(append(conv.getDilations(), 1)), conv.getGroupAttr(),
          conv.getPadValueAttr());
      image->setDiscardableAttrs(llvm::to_vector(op.getDiscardableAttrs()));
      return image;
    }
    if (auto pool = dyn_cast<MaxPoolOp>(op)) {
      auto create = [&](ArrayRef<int64_t> sizes) {
        return b.getDenseI64ArrayAttr(sizes);
      };
      auto image = MaxPoolOp::create(b, getImage(b, pool.getInput()),
                                     create(append(pool.getKernelShape(), 1)),
                                     create(append(pool.getStrides(), 1)),
                                     create(widenPads(pool.getPads())),
                                     create(append(pool.getDilations(), 1)));
      image->setDiscardableAttrs(llvm::to_vector(op.getDiscardableAttrs()));
      return image;
    }
    // The others have no axes in their attributes.
    IRMapping mapping;
    for (Value operand : op.getOperands())
      if (typeOf(operand).getRank() == 3)
        mapping.map(operand, getImage(b, operand));
    Operation *image = b.clone(op, mapping);
    auto type = typeOf(op.getResult(0));
    image->getResult(0).setType(type.clone(append(type.getShape(), 1)));
    return image;
  }

  void rewrite(Operation &op) {
    ImplicitLocOpBuilder b(op.getLoc(), &op);
    Value image = createImageOp(b, op)->getResult(0);
    auto plain = ReshapeOp::create(b, typeOf(op.getResult(0)), image);
    images[plain] = image;
    reshapes.push_back(plain);
    op.getResult(0).replaceAllUsesWith(plain);
    op.erase();
  }

  Block &block;
  /// By tensor of three axes.
  DenseMap<Value, Value> images;
  SmallVector<Operation *> reshapes;
};

} // namespace

void acc::vta::makeImages(Block &block) { ImageMaker(block).run(); }
