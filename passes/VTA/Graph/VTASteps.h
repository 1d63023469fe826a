//===- VTASteps.h - Kernels of one-instruction steps ------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds the bodies of accelerator kernels: linalg operations on packed
// tensors, each of which the hardware does in one kind of instruction.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_GRAPH_VTASTEPS_H
#define ACC_PASSES_VTA_GRAPH_VTASTEPS_H

#include "dialects/Graph/Graph.h"
#include "dialects/VTA/VTADialect.h"
#include "passes/Graph/TensorTypes.h"
#include "passes/VTA/Graph/Lanes.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace acc::vta {

/// What the vector unit computes; shifts to the left are shifts to the right by
/// a negative amount there.
enum class Step { Add, Mul, Max, Min, ShiftRight, ShiftLeft };

/// The tile of the accelerator's matrix unit, and the widths of its weights and
/// of its inputs, which are those of its outputs too; how many inputs a product
/// of windows meets, 0 where there is none.
struct Tiles {
  int64_t batch = 1, blockIn = 16, blockOut = 16;
  unsigned weightBits = 8, inputBits = 8;
  int64_t window = 0;

  /// The least input.
  int64_t getLeastInput() const { return -(int64_t(1) << (inputBits - 1)); }
  /// The largest magnitude of a weight that is used on both sides of zero.
  int64_t getLargestWeight() const {
    return (int64_t(1) << (weightBits - 1)) - 1;
  }
};

/// What not every vector unit does: products, shifts to the left, a whole
/// requantization in one operation, look-ups in tables.
struct VectorUnit {
  bool multiplies = true, shiftsLeft = true, requantizes = false,
       looksUp = false;
};

struct ChannelBlocks;

/// The body of a product: what is accumulated, x[2], and one term more.
mlir::Value addTerm(mlir::ImplicitLocOpBuilder &b, mlir::ValueRange x);

/// Emits steps on a running i32 tensor: rows of tiles by image, block of
/// channels (two axes where they lie in sections, see ChannelBlocks), row and
/// column.
class VTASteps {
public:
  VTASteps(mlir::ImplicitLocOpBuilder &builder, Tiles tiles, VectorUnit unit)
      : b(builder), tiles(tiles), unit(unit) {}

  /// Values of channels are given in the order of the channels. From now on
  /// accumulators have them in these lanes.
  void setLanes(const Lanes &newLanes) { lanes = newLanes; }

  /// acc = step(acc, value).
  mlir::Value apply(Step step, mlir::Value acc, int32_t value);
  /// acc = step(acc, values[channel]), or one value for all channels.
  mlir::Value apply(Step step, mlir::Value acc, llvm::ArrayRef<int32_t> values);
  /// acc = step(acc, values[row, column]); `sizes` are the rows and columns
  /// that have values of their own, one where all are alike.
  mlir::Value applyPositions(Step step, mlir::Value acc,
                             llvm::ArrayRef<int32_t> values,
                             std::array<int64_t, 2> sizes);
  /// acc = step(acc, operand), element by element; an operand of one row,
  /// column or image is that of all.
  mlir::Value applyTensor(Step step, mlir::Value acc, mlir::Value operand);

  // SideProducts.cpp
  /// acc = acc + values[channel], or one value for all channels, in the way
  /// that takes the fewest cycles.
  mlir::Value addBias(mlir::Value acc, llvm::ArrayRef<int32_t> values);
  /// acc = acc + input * factor, with an i8 input of the shape of acc or one
  /// that broadcasts as in applyTensor, if canAddScaled.
  mlir::Value addScaled(mlir::Value acc, mlir::Value input, int32_t factor);
  bool canAddScaled(int32_t factor) const;
  /// The sum of an i8 image, if canAddScaled(1).
  mlir::Value globalSum(mlir::Value input);

  // SequenceProducts.cpp
  /// What the zero points of the operands of a product of `depth` terms, and
  /// `offset`, add to it.
  struct ZeroPoints {
    int64_t input = 0, weight = 0, depth = 0;
    int32_t offset = 0;
  };
  /// A sum of products, and what is still to be added to it.
  struct MatrixSum {
    mlir::Value sum;
    int32_t rest = 0;
  };
  /// Multiplies computed matrices: input (n, blocks, positions, 1, BATCH,
  /// BLOCK_IN) by weight (n, blocks, outputs, BLOCK_OUT, BLOCK_IN). The lanes
  /// behind `depth` must be zero in one of them.
  MatrixSum matrixProduct(mlir::Value input, mlir::Value weight,
                          llvm::ArrayRef<int64_t> resultShape,
                          const ZeroPoints &zero);
  /// Swaps positions and channels of sequences given as weight tiles (n,
  /// channels, positions, lanes, lanes); the result (n, positions, channels,
  /// lanes / BATCH, BATCH, lanes) holds the same i8 values in i32.
  mlir::Value transpose(mlir::Value weight);

  mlir::Value fill(llvm::ArrayRef<int64_t> shape, int32_t value);
  mlir::Value copy(mlir::Value acc);
  /// i8 to i32 and back.
  mlir::Value widen(mlir::Value input);
  mlir::Value narrow(mlir::Value acc, mlir::Value destination);

  mlir::Value convolution(mlir::Value input, mlir::Value weight,
                          const ChannelBlocks &blocks,
                          llvm::ArrayRef<int64_t> resultShape,
                          llvm::ArrayRef<int64_t> strides,
                          llvm::ArrayRef<int64_t> dilations);
  /// A convolution of each channel by itself by products of windows. The tiles
  /// of weights (blocks, rows, groups of columns, lanes, columns) hold the taps
  /// of as many columns as a window has inputs.
  mlir::Value windowConvolution(mlir::Value input, mlir::Value weight,
                                llvm::ArrayRef<int64_t> resultShape,
                                llvm::ArrayRef<int64_t> strides,
                                int64_t rowDilation);
  /// A convolution whose window is the whole image, of images that become the
  /// positions of a sequence.
  mlir::Value flatten(mlir::Value input, mlir::Value weight,
                      llvm::ArrayRef<int64_t> resultShape);
  mlir::Value maxPool(mlir::Value wideInput,
                      llvm::ArrayRef<int64_t> resultShape,
                      llvm::ArrayRef<int64_t> window,
                      llvm::ArrayRef<int64_t> strides,
                      llvm::ArrayRef<int64_t> dilations);
  // SeparatedPools.cpp
  /// The same of an i8 input, along one axis of the window first (0 down, 1
  /// across) and then along the other.
  mlir::Value separatedMaxPool(mlir::Value input,
                               llvm::ArrayRef<int64_t> resultShape,
                               llvm::ArrayRef<int64_t> window,
                               llvm::ArrayRef<int64_t> strides,
                               llvm::ArrayRef<int64_t> dilations,
                               unsigned firstAxis);
  mlir::Value globalSumWide(mlir::Value wideInput);

  /// Everything that `op` does with acc + bias, one value or one per channel,
  /// but the narrowing; the result fits i8. `fits`: the sum is known not to
  /// wrap.
  mlir::Value requantize(graph::RequantizeOp op, mlir::Value acc,
                         llvm::ArrayRef<int32_t> bias, bool fits);

  // VTARequantize.cpp
  /// The steps of `how`, on values that fit i8; so does the result.
  mlir::Value activate(ActivationAttr how, mlir::Value acc);
  /// acc = the table's entry for acc, of 256 from that of -128 on, if the unit
  /// looks up.
  mlir::Value lookUp(mlir::DenseI8ArrayAttr table, mlir::Value acc);
  bool canLookUp() const { return unit.looksUp; }

private:
  // OnePassRequantize.cpp
  /// requantize() in one operation, if the vector unit has it and it computes
  /// exactly the same.
  std::optional<mlir::Value> requantizeAtOnce(graph::RequantizeOp op,
                                              mlir::Value acc,
                                              llvm::ArrayRef<int32_t> bias);
  static llvm::SmallVector<mlir::utils::IteratorType>
  getAllParallel(int64_t loops);
  mlir::Value applyAll(mlir::ArrayAttr steps, mlir::Value acc);
  /// acc = max(acc, wide) over so many taps along an axis, `step` elements
  /// apart.
  mlir::Value maxAlong(unsigned axis, mlir::Value acc, mlir::Value wide,
                       int64_t taps, int64_t step);
  /// The number of blocks of channels in a packed tensor, and which one the
  /// loops over its axes are at.
  static int64_t countBlocks(mlir::Value packed);
  mlir::AffineExpr getBlockIndex(mlir::Value packed);
  /// acc = acc * 2^times.
  mlir::Value multiplyByPower(mlir::Value acc, int32_t times);
  /// (acc - ((acc >> shift) & 1)) >> shift, with the shift of every channel.
  mlir::Value shiftHalfEven(mlir::Value acc, llvm::ArrayRef<int32_t> shifts);
  /// One value for every lane of `acc`.
  llvm::SmallVector<int32_t> toLanes(mlir::Value acc,
                                     llvm::ArrayRef<int32_t> values) const;
  mlir::Value applyVector(Step step, mlir::Value acc,
                          llvm::ArrayRef<int32_t> values);
  /// acc = acc + input * weight, for every tile of acc the product of one input
  /// and one weight tile at these positions.
  mlir::Value product(mlir::Value acc, mlir::Value input,
                      llvm::ArrayRef<mlir::AffineExpr> inputAt,
                      mlir::Value weight, mlir::AffineExpr weightAt);
  /// acc += input * weight, summed over blocks of lanes, the loop behind those
  /// of the result's tiles.
  mlir::Value sumProducts(mlir::Value acc, mlir::Value input,
                          llvm::ArrayRef<mlir::AffineExpr> inputAt,
                          mlir::Value weight,
                          llvm::ArrayRef<mlir::AffineExpr> weightAt);
  mlir::Value
  generic(mlir::Value destination, mlir::ValueRange inputs,
          llvm::ArrayRef<mlir::AffineMap> maps,
          llvm::ArrayRef<mlir::utils::IteratorType> iterators,
          llvm::function_ref<mlir::Value(mlir::ImplicitLocOpBuilder &,
                                         mlir::ValueRange)>
              body);
  /// Where an operand of the shape of acc, but for sizes of 1, is read.
  llvm::SmallVector<mlir::AffineExpr> getPlaces(mlir::Value acc,
                                                mlir::Value operand);
  mlir::Value emptyLike(llvm::ArrayRef<int64_t> shape, mlir::Type element);

  mlir::ImplicitLocOpBuilder &b;
  Tiles tiles;
  VectorUnit unit;
  Lanes lanes;
};

} // namespace acc::vta

#endif // ACC_PASSES_VTA_GRAPH_VTASTEPS_H
