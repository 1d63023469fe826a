//===- Footprint.h - What a kernel needs, for any tile sizes ----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_TE_FOOTPRINT_H
#define ACC_PASSES_TE_FOOTPRINT_H

#include "dialects/TE/TEDialect.h"

#include <optional>
#include <string>
#include <vector>

namespace acc::te {

/// A loop that a schedule can tile: its extent, and its number among the
/// iterators that its level numbers. One that moves within an element of one
/// operand while it leads to the next of another is known to schedules, but not
/// tiled.
struct Axis {
  int64_t extent = 0;
  unsigned index = 0;
  bool isReduction = false;
  bool isWhole = false;
};

/// A buffer that te-cache allocates per tile, or the slice of the result that a
/// tile is stored to. One entry per dimension outside of an element.
struct Staged {
  /// The kind of memory that it is in.
  Role role = Role::Accumulator;
  /// From the positions of a tile in the axes to that of its slice, in the
  /// padded argument.
  mlir::AffineMap map;
  /// How many elements more a slice has in each dimension, as an operation
  /// beside the anchor reduces these whole.
  llvm::SmallVector<int64_t> reach;
  /// The argument that is read; none for an intermediate value or a store.
  std::optional<unsigned> argument;
  /// Bytes of an element in the argument, 0 for an intermediate value.
  int64_t elementBytes = 0;
  /// The sizes of the argument, the padding in front, and which dimensions have
  /// padding at all.
  llvm::SmallVector<int64_t> extents, low;
  llvm::SmallVector<bool> padded;
  /// What is read where no axis of a dimension is tiled: all of it, even if no
  /// window reaches the end. Empty for a store.
  llvm::SmallVector<int64_t> sizes;
  /// Whether later steps change it in place, so that it must be read anew.
  bool isMutated = false;
  /// Whether the anchor reads it.
  bool isForAnchor = false;
  /// Whether elements next to each other in the buffer are not in the argument,
  /// so that a transfer moves one dimension less. Positions and sizes count the
  /// elements that are read.
  bool isStrided = false;
};

/// A kernel as a policy sees it: axes (parallel ones first), buffers, stores,
/// the number of steps beside the anchor and transfers, and whether the anchor
/// multiplies an input by weights.
struct Footprint {
  llvm::SmallVector<Axis> axes;
  std::vector<Staged> buffers, stores;
  int64_t steps = 0;
  bool isProduct = false;
};

/// Describes a kernel on packed tensors, as it is before te-tile. Fails, with
/// the reason for people, for a kernel that cannot be scheduled.
mlir::FailureOr<Footprint> describe(KernelOp kernel, std::string &reason);

/// Whether `op` multiplies elements of the target's input memory by elements of
/// its weight memory, as its matrix unit does. A kernel may have several such
/// operations: the anchor, and products with single elements beside it.
bool isProduct(mlir::linalg::LinalgOp op, TargetAttrInterface target);

/// The loops of `op` that reduce over several hardware elements; those inside
/// of one are a matter of the intrinsic. An operation that has any is the
/// anchor.
llvm::SmallVector<unsigned> getOuterReductions(mlir::linalg::LinalgOp op,
                                               TargetAttrInterface target);

/// The operation of a kernel whose reductions a schedule tiles, or null: of
/// those that reduce over several elements, the one with the most work, and
/// among equals the last. What others reduce is computed whole in every tile.
mlir::linalg::LinalgOp findAnchor(KernelOp kernel);

/// Whether the body of `op` is `yield cast(argument)` with the given cast, so
/// that the operation is a transfer rather than a step.
template <typename CastOp> bool isOnlyCast(mlir::linalg::LinalgOp op) {
  mlir::Block *body = op.getBlock();
  if (op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 ||
      !llvm::hasNItems(*body, 2))
    return false;
  auto cast = mlir::dyn_cast<CastOp>(body->front());
  return cast && cast.getIn() == body->getArgument(0) &&
         body->getTerminator()->getOperand(0) == cast.getOut() &&
         llvm::all_of(op.getIndexingMapsArray(),
                      [](mlir::AffineMap map) { return map.isIdentity(); });
}

/// Whether `op` copies its operand as it is to where a result of the kernel is
/// written, so that it is a transfer rather than a step.
bool isStore(mlir::linalg::LinalgOp op);

/// Upstream tiles through results accessed by permutations of the loops only. A
/// constant 0 in the result's map of a reduction becomes a loop of one
/// iteration, in every operation of the kernel.
void addUnitLoops(KernelOp kernel);

} // namespace acc::te

#endif // ACC_PASSES_TE_FOOTPRINT_H
