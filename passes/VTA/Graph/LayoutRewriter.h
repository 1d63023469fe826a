//===- LayoutRewriter.h - Operators on packed tensors -----------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_GRAPH_LAYOUTREWRITER_H
#define ACC_PASSES_VTA_GRAPH_LAYOUTREWRITER_H

#include "passes/VTA/Graph/ChannelBlocks.h"
#include "passes/VTA/Graph/PackedValues.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace acc::vta {

/// The elements of a constant i32 vector.
std::optional<llvm::SmallVector<int32_t>> readVector(mlir::Value value);

/// The pads of a convolution or pool without what no window reaches; negative
/// where windows do not reach the end of the image.
template <typename WindowOp>
llvm::SmallVector<int64_t> getUsedPads(WindowOp op,
                                       llvm::ArrayRef<int64_t> kernel) {
  llvm::SmallVector<int64_t> pads(op.getPads());
  llvm::ArrayRef<int64_t> input = graph::shapeOf(op.getInput()).take_back(2),
                          output = graph::shapeOf(op.getResult()).take_back(2);
  for (unsigned axis = 0; axis < 2; ++axis) {
    int64_t used = (output[axis] - 1) * op.getStrides()[axis] +
                   (kernel.take_back(2)[axis] - 1) * op.getDilations()[axis] +
                   1;
    // At least one row stays, even if windows read padding only.
    pads[axis + 2] = std::max(used - pads[axis] - input[axis], 1 - input[axis]);
  }
  return pads;
}

/// Rewrites the operators of one function that are assigned to the accelerator.
class LayoutRewriter {
public:
  LayoutRewriter(mlir::func::FuncOp function, Tiles tiles, VectorUnit unit,
                 ConfigAttr accelerator)
      : block(function.getBody().front()), tagger(block),
        b(function.getLoc(), function.getContext()), tiles(tiles),
        steps(b, tiles, unit), values(b, tiles, steps, tagger, accelerator) {
    b.setListener(&tagger);
  }

  mlir::LogicalResult run();

private:
  // PackLayout.cpp
  mlir::LogicalResult rewrite(mlir::Operation *op);
  llvm::SmallVector<int64_t> packedResult(llvm::ArrayRef<int64_t> shape);
  llvm::SmallVector<int64_t> packedResult(llvm::ArrayRef<int64_t> shape,
                                          const Lanes &lanes);
  llvm::SmallVector<int64_t> packedResult(llvm::ArrayRef<int64_t> shape,
                                          const ChannelBlocks &blocks);
  mlir::LogicalResult rewriteOp(graph::RequantizeOp op);
  /// Makes the i8 result of `op` from the values in `acc`, which fit i8.
  mlir::LogicalResult finish(mlir::Operation *op, mlir::Value acc,
                             const Lanes &lanes);
  /// From last to first, so that users go before what they use. What others
  /// still read is unpacked.
  mlir::LogicalResult eraseOriginals();

  // PackedWindows.cpp
  /// A convolution of each channel by itself, by products of windows.
  mlir::LogicalResult rewriteWindowed(graph::ConvIntegerOp op);
  /// Its weights, in tiles as windowConvolution() wants them; null if they are
  /// not constant or do not fit.
  mlir::Value createWindows(mlir::Value weight, const Lanes &lanes);

  // PackedContractions.cpp
  mlir::Value createWeight(mlir::Value weight, llvm::ArrayRef<int64_t> shape);
  mlir::LogicalResult refuseWeights(mlir::Operation *op);
  /// Reads only the rows and columns that meet a window of one element, where
  /// the stride leaves others out and the image has no zeros around it. The
  /// stride becomes part of the transfer.
  mlir::Value skipUnread(mlir::Value input, llvm::ArrayRef<int64_t> weight,
                         llvm::MutableArrayRef<int64_t> strides);
  /// The lanes of the result of an operator with constant weights: in order,
  /// unless the policy has chosen others.
  mlir::FailureOr<Lanes> getResultLanes(mlir::Operation *op);
  mlir::LogicalResult setBiased(mlir::Operation *op, mlir::Value acc,
                                const Lanes &lanes, mlir::Value bias);
  /// The constant weights of a convolution or a matrix product as images, in
  /// tiles that meet the lanes of its inputs and outputs; null if they cannot
  /// be read.
  mlir::Value createWeight(mlir::Value weight, llvm::ArrayRef<int64_t> shape,
                           const ConvolutionChannels &channels,
                           const ChannelBlocks &blocks);
  mlir::LogicalResult rewriteOp(graph::ConvIntegerOp op);
  /// A convolution that has part of its window among the channels.
  mlir::LogicalResult rewriteFolded(graph::ConvIntegerOp op,
                                    llvm::ArrayRef<int64_t> taps);
  /// A matrix product is a convolution whose window is one position of a
  /// sequence. What flattens images in front of it disappears into a window
  /// that is the whole image.
  mlir::LogicalResult rewriteOp(graph::GemmIntegerOp op);
  mlir::LogicalResult rewriteOp(graph::MatMulIntegerOp op);
  /// Swaps positions and channels, in a kernel of its own.
  mlir::Value transpose(graph::MatMulIntegerOp reader, mlir::Value tiled);

  // PackedElements.cpp
  /// The i32 form of an i8 operand: what the kernel is just computing, or
  /// loaded, in the lanes that its channels have in the kernel.
  mlir::Value getWide(mlir::Value operand, const Lanes &lanes);
  /// The lanes in which a kernel computes with some operands: those of what it
  /// has computed already, or of the first that it loads.
  Lanes getKernelLanes(mlir::ValueRange operands);
  /// Whether what an operand has one of is one of whole tiles.
  bool isBroadcastable(mlir::Value operand, mlir::Value result);
  mlir::LogicalResult rewriteOp(graph::WeightedSumOp op);
  /// A multiple of one tensor whose channels go into other lanes: a product
  /// with a matrix that has the factor where a channel goes.
  mlir::LogicalResult rearrange(graph::WeightedSumOp op);
  mlir::LogicalResult rewriteOp(graph::MulIntegerOp op);
  /// Positions of an image have factors of their own, all channels the same.
  mlir::LogicalResult rewriteOp(graph::ScaleIntegerOp op);
  mlir::LogicalResult rewriteOp(graph::GlobalSumIntegerOp op);
  mlir::LogicalResult rewriteOp(graph::MaxPoolOp op);
  /// A table that the vector unit has, or that a policy knows steps for.
  mlir::LogicalResult rewriteOp(graph::LookupOp op);

  mlir::Block &block;
  KernelTagger tagger;
  mlir::ImplicitLocOpBuilder b;
  Tiles tiles;
  VTASteps steps;
  PackedValues values;
  /// What an accumulator consists of: a sum, and one value or one per channel
  /// that is still to be added. `depth` products of two i8 make the sum, if
  /// that is what it consists of.
  struct Accumulator {
    mlir::Value sum;
    llvm::SmallVector<int32_t> bias;
    std::optional<int64_t> depth;
    Lanes lanes;

    bool cannotWrap() const {
      int64_t largest = 0;
      for (int32_t value : bias)
        largest = std::max(largest, std::abs(int64_t(value)));
      return depth && llvm::isInt<32>(*depth * 128 * 128 + largest);
    }
  };
  /// By the operator result: i32 tensors, and those of which it is known that
  /// they fit i8.
  llvm::DenseMap<mlir::Value, Accumulator> accumulators;
  struct Narrowable {
    mlir::Value acc;
    Lanes lanes;
  };
  llvm::DenseMap<mlir::Value, Narrowable> narrowable;
  llvm::DenseSet<mlir::StringAttr> finished;
};

} // namespace acc::vta

#endif // ACC_PASSES_VTA_GRAPH_LAYOUTREWRITER_H
