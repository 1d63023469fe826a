//===- PackWeights.cpp - Packing of constant weights ----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"
#include "dialects/TE/TEDialect.h"
#include "passes/Host/Passes.h"

using namespace mlir;

namespace acc::host {
#define GEN_PASS_DEF_HOSTPACKWEIGHTS
#include "passes/Host/Passes.h.inc"
} // namespace acc::host

using namespace acc;

/// The constant behind free reshapes, with the type of `value`.
static ElementsAttr getConstant(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  Operation *op = value.getDefiningOp();
  while (op && isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
    op = op->getOperand(0).getDefiningOp();
  if (!type || !op || !op->hasTrait<OpTrait::ConstantLike>())
    return {};
  auto data = op->getAttrOfType<ElementsAttr>("value");
  if (!data || data.getElementType() != type.getElementType())
    return {};
  return data.getShapedType() == type
             ? data
             : graph::reshapeElements(data, type.getShape());
}

namespace {

/// How far one step along a packed dimension goes in the source, and how far
/// along which dimension of it.
struct PackedDim {
  int64_t size, sourceDim, step;
};

SmallVector<PackedDim> packedDims(linalg::PackOp pack) {
  ArrayRef<int64_t> sizes = pack.getDestType().getShape();
  int64_t rank = pack.getSourceType().getRank();
  SmallVector<int64_t> tiles(rank, 1);
  for (auto [dim, tile] :
       llvm::zip(pack.getInnerDimsPos(), pack.getStaticInnerTiles()))
    tiles[dim] = tile;
  SmallVector<PackedDim> dims;
  for (int64_t i = 0; i < rank; ++i) {
    int64_t dim =
        pack.getOuterDimsPerm().empty() ? i : pack.getOuterDimsPerm()[i];
    dims.push_back({sizes[i], dim, tiles[dim]});
  }
  for (auto [i, dim] : llvm::enumerate(pack.getInnerDimsPos()))
    dims.push_back({sizes[rank + i], dim, 1});
  return dims;
}

/// Copies elements of `width` bytes; what lies outside of the source is zero.
void packBytes(linalg::PackOp pack, ArrayRef<char> source, size_t width,
               bool splat, MutableArrayRef<char> target) {
  ArrayRef<int64_t> shape = pack.getSourceType().getShape();
  SmallVector<int64_t> sourceStrides(shape.size(), 1);
  for (size_t i = shape.size() - 1; i > 0; --i)
    sourceStrides[i - 1] = sourceStrides[i] * shape[i];
  SmallVector<PackedDim> dims = packedDims(pack);
  SmallVector<int64_t> position(dims.size(), 0), coordinates(shape.size(), 0);
  const PackedDim &inner = dims.back();
  char *out = target.data();
  while (true) {
    std::fill(coordinates.begin(), coordinates.end(), 0);
    for (size_t i = 0; i + 1 < dims.size(); ++i)
      coordinates[dims[i].sourceDim] += position[i] * dims[i].step;
    bool inside = true;
    int64_t base = 0;
    for (size_t i = 0; i < shape.size(); ++i) {
      inside &= coordinates[i] < shape[i];
      base += coordinates[i] * sourceStrides[i];
    }
    int64_t left =
        inside ? shape[inner.sourceDim] - coordinates[inner.sourceDim] : 0;
    int64_t stride = sourceStrides[inner.sourceDim];
    for (int64_t i = 0; i < inner.size; ++i, out += width) {
      if (i >= left)
        std::memset(out, 0, width);
      else
        std::memcpy(out,
                    source.data() + (splat ? 0 : (base + i * stride) * width),
                    width);
    }
    size_t dim = dims.size() - 1;
    while (dim > 0 && ++position[dim - 1] == dims[dim - 1].size)
      position[--dim] = 0;
    if (dim == 0)
      return;
  }
}

/// Lanes of outputs that do not exist are never stored, so a splat may fill
/// them; a missing element of those that are summed at once must be zero.
bool staysSplat(linalg::PackOp pack) {
  ArrayRef<int64_t> positions = pack.getInnerDimsPos();
  return positions.size() == 1 ||
         pack.getSourceType().getDimSize(positions[1]) %
                 pack.getStaticInnerTiles()[1] ==
             0;
}

ElementsAttr packConstant(linalg::PackOp pack, ElementsAttr value) {
  std::optional<ArrayRef<char>> raw = graph::getRawElements(value);
  if (!raw)
    return {};
  auto type = RankedTensorType::get(pack.getDestType().getShape(),
                                    pack.getDestType().getElementType());
  bool splat = value.isSplat();
  if (splat && staysSplat(pack))
    return DenseElementsAttr::getFromRawBuffer(type, *raw);
  size_t width = type.getElementTypeBitWidth() / 8;
  return graph::makeElements(type, [&](MutableArrayRef<char> target) {
    packBytes(pack, *raw, width, splat, target);
  });
}

struct PackWeightsPass : host::impl::HostPackWeightsBase<PackWeightsPass> {
  using HostPackWeightsBase::HostPackWeightsBase;

  /// A pack of an argument that has no other use.
  static linalg::PackOp getPack(BlockArgument argument) {
    if (!argument.hasOneUse())
      return {};
    auto pack = dyn_cast<linalg::PackOp>(*argument.getUsers().begin());
    return pack && pack.getSource() == argument &&
                   pack.getDestType().hasStaticShape()
               ? pack
               : linalg::PackOp();
  }

  void packArgument(linalg::PackOp pack, BlockArgument argument,
                    ArrayRef<te::LaunchOp> launches) {
    unsigned index = argument.getArgNumber();
    SmallVector<ElementsAttr> packed;
    for (te::LaunchOp launch : launches) {
      ElementsAttr value = getConstant(launch.getOperand(index));
      if (!value)
        return;
      ElementsAttr &result =
          cache[{value, ArrayAttr::get(&getContext(),
                                       {TypeAttr::get(pack.getDestType()),
                                        pack->getAttrDictionary()})}];
      if (!result) {
        result = packConstant(pack, value);
        ++numPacked;
      }
      if (!result)
        return;
      packed.push_back(result);
    }
    for (auto [launch, value] : llvm::zip(launches, packed)) {
      OpBuilder builder(launch);
      Location loc = launch->getOperand(index).getLoc();
      launch->setOperand(index, graph::ConstantOp::create(
                                    builder, loc, pack.getDestType(), value));
    }
    argument.setType(pack.getDestType());
    pack.getResult().replaceAllUsesWith(argument);
    pack.erase();
  }

  void runOnOperation() override {
    DenseMap<StringAttr, SmallVector<te::LaunchOp>> launches;
    getOperation().walk([&](te::LaunchOp launch) {
      launches[launch.getKernelAttr().getAttr()].push_back(launch);
    });
    for (auto kernel : getOperation().getOps<te::KernelOp>()) {
      auto found = launches.find(kernel.getSymNameAttr());
      if (!kernel.isOnHost() || found == launches.end())
        continue;
      for (unsigned i = 0; i < kernel.getNumInputs(); ++i) {
        BlockArgument argument = kernel.getBody().getArgument(i);
        if (linalg::PackOp pack = getPack(argument))
          packArgument(pack, argument, found->second);
      }
      kernel.setFunctionType(
          FunctionType::get(&getContext(), kernel.getBody().getArgumentTypes(),
                            kernel.getFunctionType().getResults()));
    }
    cache.clear();
    lowerOthers();
  }

  /// What is not constant is packed when the kernel runs.
  void lowerOthers() {
    SmallVector<linalg::PackOp> packs;
    for (auto kernel : getOperation().getOps<te::KernelOp>())
      if (kernel.isOnHost())
        kernel.walk([&](linalg::PackOp op) { packs.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (linalg::PackOp pack : packs) {
      rewriter.setInsertionPoint(pack);
      if (failed(linalg::lowerPack(rewriter, pack))) {
        pack.emitError("cannot be lowered");
        return signalPassFailure();
      }
    }
  }

  /// One constant is packed once for one layout.
  DenseMap<std::pair<Attribute, Attribute>, ElementsAttr> cache;
};

} // namespace
