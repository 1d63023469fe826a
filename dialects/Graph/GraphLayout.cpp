//===- GraphLayout.cpp - Conversions between layouts -------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphLayout.h"
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Inference.h"

#include <cstring>

using namespace mlir;
using namespace acc::graph;

static bool isNegative(int64_t value) { return value < 0; }

static int64_t ceilDivide(int64_t value, int64_t divisor) {
  return (value + divisor - 1) / divisor;
}

/// The shape that packing gives, which pack infers and unpack checks.
static FailureOr<SmallVector<int64_t>> inferPacked(InferenceSite site,
                                                   ArrayRef<int64_t> shape,
                                                   ArrayRef<int64_t> tiles,
                                                   ArrayRef<int64_t> halo) {
  if (shape.size() != 3 && shape.size() != 4)
    return site.error("needs a tensor with 3 or 4 axes, has ", shape.size());
  if (tiles.size() != 2 || llvm::any_of(tiles, [](int64_t t) { return t < 1; }))
    return site.error("needs two positive tiles");
  if (halo.size() != 4 || llvm::any_of(halo, isNegative))
    return site.error("halo must be four sizes that are not negative");
  if (shape.size() == 3 && (halo[1] != 0 || halo[3] != 0))
    return site.error("sequences have no halo on the left or right");
  if (shape.size() == 3)
    return SmallVector<int64_t>{shape[0],
                                ceilDivide(shape[2], tiles[1]),
                                ceilDivide(shape[1], tiles[0]) + halo[0] +
                                    halo[2],
                                1,
                                tiles[0],
                                tiles[1]};
  return SmallVector<int64_t>{ceilDivide(shape[0], tiles[0]),
                              ceilDivide(shape[1], tiles[1]),
                              shape[2] + halo[0] + halo[2],
                              shape[3] + halo[1] + halo[3],
                              tiles[0],
                              tiles[1]};
}

//===----------------------------------------------------------------------===//
// pack
//===----------------------------------------------------------------------===//

LogicalResult PackOp::inferReturnTypes(MLIRContext *,
                                       std::optional<Location> location,
                                       Adaptor adaptor,
                                       SmallVectorImpl<Type> &types) {
  InferenceSite site{location, getOperationName()};
  auto type = cast<RankedTensorType>(adaptor.getInput().getType());
  FailureOr<SmallVector<int64_t>> shape =
      inferPacked(site, type.getShape(), adaptor.getTiles(), adaptor.getHalo());
  if (failed(shape))
    return failure();
  ArrayRef<int64_t> window = adaptor.getWindow(),
                    strides = adaptor.getStrides(),
                    dilations = adaptor.getDilations();
  for (ArrayRef<int64_t> sizes : {window, strides, dilations})
    if (sizes.size() != 2 ||
        llvm::any_of(sizes, [](int64_t size) { return size < 1; }))
      return site.error("window, strides and dilations must be two positive "
                        "sizes each");
  if (type.getRank() == 3) {
    for (ArrayRef<int64_t> sizes : {window, strides, dilations})
      if (llvm::any_of(sizes, [](int64_t size) { return size != 1; }))
        return site.error("sequences have no window");
    return inferTensor(site, *shape, type.getElementType(), types);
  }
  for (unsigned axis = 0; axis < 2; ++axis) {
    int64_t &size = (*shape)[axis + 2];
    int64_t rest = size - (window[axis] - 1) * dilations[axis] - 1;
    if (rest < 0)
      return site.error("window is larger than the input and its halo");
    size = rest / strides[axis] + 1;
  }
  (*shape)[1] = ceilDivide(type.getDimSize(1) * window[0] * window[1],
                           adaptor.getTiles()[1]);
  return inferTensor(site, *shape, type.getElementType(), types);
}

namespace {
/// Writes the bytes of a packed constant.
struct Packer {
  ArrayRef<char> source;
  /// Elements of a splat are all at the same place.
  bool isSplat;
  size_t bytes;
  ArrayRef<int64_t> shape, packed, halo, window, strides, dilations;

  void write(MutableArrayRef<char> target) const {
    for (int64_t a = 0; a < shape[0]; ++a)
      for (int64_t c = 0; c < shape[1]; ++c)
        for (int64_t i = 0; i < window[0]; ++i)
          for (int64_t j = 0; j < window[1]; ++j)
            for (int64_t u = 0; u < packed[2]; ++u) {
              int64_t h = u * strides[0] + i * dilations[0] - halo[0];
              if (h >= 0 && h < shape[2])
                writeRow(target, a, c, i, j, u, h);
            }
  }

  /// Writes row u of a tap of the window, which is row h of the source.
  void writeRow(MutableArrayRef<char> target, int64_t a, int64_t c, int64_t i,
                int64_t j, int64_t u, int64_t h) const {
    int64_t tileA = packed[4], tileB = packed[5];
    int64_t channel = (i * window[1] + j) * shape[1] + c;
    int64_t row = (a / tileA * packed[1] + channel / tileB) * packed[2] + u;
    int64_t lane = a % tileA * tileB + channel % tileB;
    char *out =
        target.data() + (row * packed[3] * tileA * tileB + lane) * bytes;
    const char *in = source.data();
    if (!isSplat)
      in += ((a * shape[1] + c) * shape[2] + h) * shape[3] * bytes;
    for (int64_t v = 0; v < packed[3]; ++v, out += tileA * tileB * bytes) {
      int64_t w = v * strides[1] + j * dilations[1] - halo[1];
      if (w >= 0 && w < shape[3])
        std::memcpy(out, in + (isSplat ? 0 : w * bytes), bytes);
    }
  }
};
} // namespace

/// Writes the packed bytes of sequences, one tile's part of a position at a
/// time.
static void packSequences(ArrayRef<char> source, bool isSplat,
                          MutableArrayRef<char> target, size_t bytes,
                          ArrayRef<int64_t> shape, ArrayRef<int64_t> packed,
                          ArrayRef<int64_t> halo) {
  int64_t positions = packed[2] * packed[4], tile = packed[5];
  for (int64_t n = 0; n < shape[0]; ++n)
    for (int64_t a = 0; a < shape[1]; ++a)
      for (int64_t c = 0; c < shape[2]; ++c) {
        int64_t row =
            (n * packed[1] + c / tile) * positions + halo[0] * packed[4] + a;
        const char *in = source.data();
        if (!isSplat)
          in += ((n * shape[1] + a) * shape[2] + c) * bytes;
        std::memcpy(target.data() + (row * tile + c % tile) * bytes, in, bytes);
      }
}

OpFoldResult PackOp::fold(FoldAdaptor adaptor) {
  auto isZero = [](int64_t size) { return size == 0; };
  bool hasHalo = !llvm::all_of(getHalo(), isZero);
  if (auto unpack = getInput().getDefiningOp<UnpackOp>())
    if (!hasHalo && !hasWindow() && llvm::all_of(unpack.getHalo(), isZero) &&
        unpack.getInput().getType() == getType())
      return unpack.getInput();
  auto value = dyn_cast_if_present<ElementsAttr>(adaptor.getInput());
  if (!value)
    return {};
  RankedTensorType type = getType();
  std::optional<ArrayRef<char>> source = getRawElements(value);
  if (!source)
    return {};
  ArrayRef<int64_t> shape = getInput().getType().getShape();
  size_t bytes = type.getElementTypeBitWidth() / 8;
  bool isComplete =
      !hasHalo && !hasWindow() &&
      type.getNumElements() == getInput().getType().getNumElements();
  if (value.isSplat() && isComplete)
    return reshapeElements(value, type.getShape());
  APInt pad(bytes * 8, static_cast<uint64_t>(int64_t(int8_t(getPadValue()))),
            /*isSigned=*/true, /*implicitTrunc=*/true);
  return makeElements(type, [&](MutableArrayRef<char> target) {
    if (!isComplete)
      for (size_t at = 0; at < target.size(); at += bytes)
        std::memcpy(target.data() + at, pad.getRawData(), bytes);
    if (shape.size() == 3)
      return packSequences(*source, value.isSplat(), target, bytes, shape,
                           type.getShape(), getHalo());
    Packer{*source,     value.isSplat(), bytes,
           shape,       type.getShape(), getHalo(),
           getWindow(), getStrides(),    getDilations()}
        .write(target);
  });
}

//===----------------------------------------------------------------------===//
// unpack
//===----------------------------------------------------------------------===//

LogicalResult UnpackOp::verify() {
  ArrayRef<int64_t> packed = getInput().getType().getShape();
  if (packed.size() != 6)
    return emitOpError("input must have 6 axes, has ") << packed.size();
  FailureOr<SmallVector<int64_t>> expected =
      inferPacked({getLoc(), getOperationName()}, getType().getShape(),
                  packed.take_back(2), getHalo());
  if (failed(expected))
    return failure();
  if (ArrayRef<int64_t>(*expected) != packed)
    return emitOpError("result of shape [")
           << getType().getShape() << "] is packed as [" << *expected
           << "], but the input has shape [" << packed << "]";
  if (getInput().getType().getElementType() != getType().getElementType())
    return emitOpError("must not change the element type");
  return success();
}

OpFoldResult UnpackOp::fold(FoldAdaptor) {
  if (auto pack = getInput().getDefiningOp<PackOp>())
    if (!pack.hasWindow() && pack.getInput().getType() == getType() &&
        pack.getHalo() == getHalo())
      return pack.getInput();
  return {};
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphLayout.cpp.inc"
