//===- Tile.cpp - Tile a kernel as its schedule says ----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TE/Footprint.h"
#include "passes/TE/Passes.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/Transforms/TileUsingInterface.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace acc::te {
#define GEN_PASS_DEF_TETILE
#include "passes/TE/Passes.h.inc"
} // namespace acc::te

using namespace mlir;
using namespace acc::te;

/// The operation that computes the kernel's result.
static FailureOr<TilingInterface> findLast(KernelOp kernel) {
  Operation *terminator = kernel.getBody().front().getTerminator();
  if (terminator->getNumOperands() != 1)
    return kernel.emitOpError("must have one result to be tiled, has ")
           << terminator->getNumOperands();
  Value value = terminator->getOperand(0);
  if (auto insert = value.getDefiningOp<tensor::InsertSliceOp>())
    value = insert.getSource();
  auto last = value.getDefiningOp<TilingInterface>();
  if (!last)
    return kernel.emitOpError("does not end in an operation that can be tiled");
  return last;
}

/// Marks the operation that further levels tile, which tiling copies.
static constexpr llvm::StringLiteral kAnchor = "te.tiled_anchor";

/// The operation that further levels tile: the anchor, else the last one.
static FailureOr<TilingInterface> findMarked(KernelOp kernel) {
  linalg::LinalgOp anchor, last;
  kernel.walk([&](linalg::LinalgOp op) {
    last = op;
    if (op->hasAttr(kAnchor))
      anchor = op;
  });
  if (!anchor)
    anchor = last;
  if (!anchor)
    return kernel.emitOpError("has no anchor to tile");
  return cast<TilingInterface>(anchor.getOperation());
}

/// Upstream's options for one level, and the axes of the loops it makes.
static FailureOr<std::pair<scf::SCFTilingOptions, SmallVector<int64_t>>>
makeOptions(TilingInterface op, TileAttr tile, bool reductions) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op.getOperation());
  if (!linalgOp)
    return op.emitOpError("is not a linalg operation: it cannot be tiled");
  SmallVector<int64_t> extents = linalgOp.getStaticLoopRanges();
  SmallVector<utils::IteratorType> kinds = linalgOp.getIteratorTypesArray();
  ArrayRef<int64_t> given = tile.getSizes().asArrayRef();
  if (given.size() > extents.size())
    return op.emitOpError("has ")
           << extents.size() << " loops, but its schedule gives "
           << given.size() << " tile sizes";
  MLIRContext *context = op.getContext();
  Builder builder(context);
  SmallVector<OpFoldResult> sizes(extents.size(), builder.getIndexAttr(0));
  SmallVector<int64_t> axes;
  for (int64_t axis : tile.getLoopOrder()) {
    bool whole =
        !ShapedType::isDynamic(extents[axis]) && given[axis] >= extents[axis];
    if (whole)
      continue;
    if (!reductions && kinds[axis] != utils::IteratorType::parallel)
      return op.emitOpError("axis ")
             << axis << " reduces: it cannot be tiled in the first level";
    sizes[axis] = builder.getIndexAttr(given[axis]);
    axes.push_back(axis);
  }
  SmallVector<int64_t> interchange(axes);
  for (int64_t axis = 0, e = extents.size(); axis < e; ++axis)
    if (!llvm::is_contained(axes, axis))
      interchange.push_back(axis);
  scf::SCFTilingOptions options;
  options.setTileSizes(sizes);
  options.setInterchange(interchange);
  options.setLoopType(scf::SCFTilingOptions::LoopType::ForOp);
  return std::make_pair(options, axes);
}

static void labelLoops(ArrayRef<LoopLikeOpInterface> loops, int64_t level,
                       ArrayRef<int64_t> axes) {
  for (auto [loop, axis] : llvm::zip_equal(loops, axes))
    loop->setAttr(TEDialect::kLoop,
                  DenseI64ArrayAttr::get(loop->getContext(), {level, axis}));
}

/// Removes what fusion left without users and merges what it computed twice.
static LogicalResult cleanUp(RewriterBase &rewriter, KernelOp kernel) {
  RewritePatternSet patterns(kernel.getContext());
  tensor::populateFoldTensorEmptyPatterns(patterns);
  affine::AffineApplyOp::getCanonicalizationPatterns(patterns,
                                                     kernel.getContext());
  affine::AffineMinOp::getCanonicalizationPatterns(patterns,
                                                   kernel.getContext());
  tensor::DimOp::getCanonicalizationPatterns(patterns, kernel.getContext());
  tensor::EmptyOp::getCanonicalizationPatterns(patterns, kernel.getContext());
  if (failed(applyPatternsGreedily(kernel, std::move(patterns))))
    return failure();
  DominanceInfo dominance(kernel);
  eliminateCommonSubExpressions(rewriter, dominance, kernel);
  return success();
}

/// Tiles `op` and computes its linalg producers inside of the loops, but for
/// what `op` itself begins with, unless `fuseInits`.
static LogicalResult tileAndFuse(RewriterBase &rewriter, KernelOp kernel,
                                 TilingInterface op,
                                 const scf::SCFTilingOptions &tiling,
                                 int64_t level, ArrayRef<int64_t> axes,
                                 bool fuseInits) {
  scf::SCFTileAndFuseOptions fusing;
  fusing.setTilingOptions(tiling);
  fusing.setFusionControlFn(
      [fuseInits](tensor::ExtractSliceOp slice, OpResult producer, bool isInit)
          -> std::optional<scf::SCFTileAndFuseOptions::ControlFnResult> {
        bool begins =
            isInit && llvm::any_of(slice->getUsers(), [](Operation *user) {
              return user->hasAttr(kAnchor);
            });
        if (!isa<linalg::LinalgOp>(producer.getOwner()) ||
            (begins && !fuseInits))
          return std::nullopt;
        return scf::SCFTileAndFuseOptions::ControlFnResult{};
      });
  rewriter.setInsertionPoint(op);
  FailureOr<scf::SCFTileAndFuseResult> result =
      scf::tileConsumerAndFuseProducersUsingSCF(rewriter, op, fusing);
  if (failed(result))
    return op.emitOpError("could not be tiled");
  labelLoops(result->loops, level, axes);
  for (auto [value, replacement] : result->replacements)
    rewriter.replaceAllUsesWith(value, replacement);
  return cleanUp(rewriter, kernel);
}

static LogicalResult tileFirstLevel(RewriterBase &rewriter, KernelOp kernel,
                                    TileAttr tile) {
  FailureOr<TilingInterface> last = findLast(kernel);
  if (failed(last))
    return failure();
  auto options = makeOptions(*last, tile, /*reductions=*/false);
  if (failed(options))
    return failure();
  auto &[tiling, axes] = *options;
  if (axes.empty())
    return success();
  return tileAndFuse(rewriter, kernel, *last, tiling, /*level=*/0, axes,
                     /*fuseInits=*/true);
}

static LogicalResult tileAnchor(RewriterBase &rewriter, KernelOp kernel,
                                TileAttr tile, int64_t level) {
  FailureOr<TilingInterface> anchor = findMarked(kernel);
  if (failed(anchor))
    return failure();
  auto options = makeOptions(*anchor, tile, /*reductions=*/true);
  if (failed(options))
    return failure();
  auto &[tiling, axes] = *options;
  if (axes.empty())
    return success();
  // What initialises the accumulation stays in front of the loops.
  return tileAndFuse(rewriter, kernel, *anchor, tiling, level, axes,
                     /*fuseInits=*/false);
}

namespace {
struct Tile : acc::te::impl::TeTileBase<Tile> {
  void runOnOperation() override {
    KernelOp kernel = getOperation();
    ScheduleAttr schedule = getScheduleOnTensors(kernel);
    if (!schedule)
      return;
    IRRewriter rewriter(kernel.getContext());
    addUnitLoops(kernel);
    for (LevelKind kind :
         {LevelKind::Vector, LevelKind::Register, LevelKind::Parallel})
      if (schedule.getLevel(kind)) {
        kernel.emitOpError("has a level of kind ")
            << stringifyLevelKind(kind)
            << " in its schedule, which only the host has";
        return signalPassFailure();
      }
    if (linalg::LinalgOp anchor = findAnchor(kernel))
      anchor->setAttr(kAnchor, UnitAttr::get(&getContext()));
    for (auto [level, tile] : llvm::enumerate(schedule.getSerialLevels()))
      if (failed(level == 0 ? tileFirstLevel(rewriter, kernel, tile)
                            : tileAnchor(rewriter, kernel, tile, level)))
        return signalPassFailure();
    kernel.walk([](linalg::LinalgOp op) { op->removeAttr(kAnchor); });
  }
};
} // namespace
