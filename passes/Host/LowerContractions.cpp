//===- LowerContractions.cpp - cpu.contract to register tiles
//--------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/CPU/CPUDialect.h"
#include "dialects/TE/TEDialect.h"
#include "passes/Host/ContractionTile.h"
#include "passes/Host/Passes.h"

using namespace mlir;

namespace acc::host {
#define GEN_PASS_DEF_HOSTLOWERCONTRACTIONS
#include "passes/Host/Passes.h.inc"
} // namespace acc::host

using namespace acc;
using namespace acc::host;

namespace {

/// The number of images, or of rows of a product.
Value outermostSize(OpBuilder &builder, cpu::ContractOp op) {
  return builder.createOrFold<memref::DimOp>(op.getLoc(), op.getInput(), 0);
}

/// Emits tiles of `width` columns, and of fewer for what is left, which is
/// taken apart into powers of two where it is not known.
void emitTiles(IndexBuilder &index, Value columns, int64_t width,
               function_ref<void(Value, int64_t)> emit) {
  index.loop(index.div(columns, width),
             [&](Value c) { emit(index.mul(c, width), width); });
  Value rest = index.rem(columns, width);
  if (std::optional<int64_t> known = getConstantIntValue(rest)) {
    if (*known)
      emit(index.sub(columns, rest), *known);
    return;
  }
  for (auto part = static_cast<int64_t>(llvm::bit_floor(
           static_cast<uint64_t>(std::max<int64_t>(width - 1, 1))));
       part > 0; part /= 2) {
    Value start = index.sub(columns, rest);
    index.loop(index.div(rest, part), [&](Value c) {
      emit(index.add(start, index.mul(c, part)), part);
    });
    rest = index.rem(rest, part);
  }
}

/// Tiles of outputs, chunks of them at the same time if the schedule says so:
/// of all `lines`, or of `linesOfChunk` if that is not 0. `emit` is given a
/// tile and the start and the number of lines, which is a constant where it is
/// known and the lines `areColumns`, the code for which depends on it.
void forTiles(IndexBuilder &index, cpu::ContractOp op, ContractionTile &tile,
              int64_t tiles, Value lines, int64_t linesOfChunk, bool areColumns,
              function_ref<void(Value, Value, Value)> emit) {
  Value zero = index.constant(0);
  if (op.getChunkOutputs() == 0)
    return index.loop(tiles, [&](Value t) { emit(t, zero, lines); });
  int64_t size = op.getChunkOutputs() / tile.size;
  Value extent = index.constant(tiles), pieces = index.constant(1);
  if (linesOfChunk > 0)
    pieces = index.ceilDiv(lines, linesOfChunk);
  Value chunks = index.mul(index.ceilDiv(extent, size), pieces);
  tile.parallel(chunks, Value(), [&](Value chunk, Value) {
    Value start = index.mul(index.div(chunk, pieces), size);
    Value count = index.constant(size);
    if (tiles % size)
      count = index.min(count, index.sub(extent, start));
    index.loop(count, [&](Value i) {
      Value t = index.add(start, i);
      if (linesOfChunk == 0)
        return emit(t, zero, lines);
      Value piece = index.rem(chunk, pieces);
      auto emitPiece = [&](Value first, Value some) { emit(t, first, some); };
      if (areColumns)
        return index.piece(piece, lines, linesOfChunk, emitPiece);
      (void)index.takeChunk(piece, lines, linesOfChunk, /*isOutermost=*/true,
                            emitPiece);
    });
  });
}

/// A convolution whose output is cut into blocks of rows (or, where rows are
/// of no importance, of pixels) that share a packed copy of their input. Images
/// and their number may have any size.
class ConvolutionLowering {
public:
  ConvolutionLowering(OpBuilder &builder, cpu::ContractOp op,
                      ContractionTile &tile)
      : builder(builder), op(op), tile(tile), index(builder, op.getLoc()) {}

  void emit() {
    ArrayRef<int64_t> x = op.getInputType().getShape();
    ArrayRef<int64_t> y = op.getInitType().getShape();
    ArrayRef<int64_t> w = op.getWeightsType().getShape();
    w = w.drop_front(op.getGroups() > 1 || hasGroupDimension() ? 1 : 0);
    outputs = y[1] / op.getGroups();
    tiles = w[0];
    channels = x[1] / op.getGroups();
    sums = w[1];
    kernel = {w[2], w[3]};
    strides = *op.getStrides();
    dilations = *op.getDilations();
    pads = *op.getPads();
    for (int dim : {0, 1}) {
      in[dim] = sizeOf(op.getInput(), 2 + dim);
      out[dim] = sizeOf(op.getInit(), 2 + dim);
    }
    int64_t rows = op.getRows();
    bool padded = llvm::any_of(pads, [](int64_t p) { return p != 0; });
    // Where sizes are open, equal ones are all that there can be.
    bool isSame = ShapedType::isDynamicShape(x.drop_front(2)) ||
                  ShapedType::isDynamicShape(y.drop_front(2)) ||
                  x.drop_front(2) == y.drop_front(2);
    flat = !padded && kernel[0] * kernel[1] == 1 && strides[0] == 1 &&
           strides[1] == 1 && isSame && tile.joinRows();
    if (flat)
      in = out = {index.constant(1), index.mul(in[0], in[1])};
    packed = padded || op.convertsInput() || rows > 0;
    if (rowsAreChunks())
      rows = op.getChunkRows();
    if (flat)
      rows *= tile.width;
    Value extent = flat ? out[1] : out[0];
    std::optional<int64_t> known = getConstantIntValue(extent);
    Value block = extent;
    if (rows > 0)
      block = index.constant(known ? std::min(rows, *known) : rows);
    if (packed)
      allocatePanel(block);
    tile.setKernel(sums, kernel, strides, dilations);
    tile.emitStarts(op.getGroups() * tiles, /*isFused=*/false);

    Value images = outermostSize(builder, op);
    if (rowsAreChunks())
      return emitBlocksInParallel(images, extent, rows);
    index.loop(images, [&](Value n) {
      index.loop(op.getGroups(),
                 [&](Value group) { emitBlocks(n, group, extent, block); });
    });
  }

private:
  /// Whether a block is a chunk, with a packed copy of its own.
  bool rowsAreChunks() {
    return op.getChunkRows() > 0 && op.getChunkOutputs() == 0;
  }

  bool hasGroupDimension() {
    return op.getWeightsType().getRank() - (op.isInteger() ? 1 : 0) == 6;
  }

  Value sizeOf(Value buffer, int64_t dim) {
    return builder.createOrFold<memref::DimOp>(op.getLoc(), buffer, dim);
  }

  /// Input rows and columns that a block of output rows and columns reads.
  Value reach(int dim, Value count) {
    return index.add(index.mul(index.add(count, -1), strides[dim]),
                     ((kernel[dim] - 1) * dilations[dim]) + 1);
  }

  void allocatePanel(Value block) {
    // What has no rows or columns at all needs no panel, but a size.
    Value one = index.constant(1);
    panelRows = reach(0, flat ? one : index.max(block, one));
    panelColumns = reach(1, index.max(flat ? block : out[1], one));
    Value size =
        index.mul(index.mul(panelRows, panelColumns), sums * op.getPack());
    std::optional<int64_t> known = getConstantIntValue(size);
    auto type = MemRefType::get({known.value_or(ShapedType::kDynamic)},
                                tile.getPanelType());
    panel = memref::AllocOp::create(builder, op.getLoc(), type,
                                    known ? ValueRange() : ValueRange(size),
                                    builder.getI64IntegerAttr(64));
  }

  /// Blocks of all images and groups at the same time, each thread with a
  /// packed copy of its own.
  void emitBlocksInParallel(Value images, Value extent, int64_t rows) {
    Value blocks = index.ceilDiv(extent, rows);
    Value shared = panel;
    tile.parallel(index.mul(index.mul(images, op.getGroups()), blocks), panel,
                  [&](Value chunk, Value own) {
                    panel = own;
                    Value whole = index.div(chunk, blocks);
                    Value n = index.div(whole, op.getGroups());
                    Value group = index.rem(whole, op.getGroups());
                    index.piece(index.rem(chunk, blocks), extent, rows,
                                [&](Value start, Value count) {
                                  emitBlock(n, group, start, count);
                                });
                  });
    panel = shared;
  }

  void emitBlocks(Value n, Value group, Value extent, Value block) {
    std::optional<int64_t> known = getConstantIntValue(extent),
                           size = getConstantIntValue(block);
    if (extent == block || (known && size && *known == *size))
      return emitBlock(n, group, index.constant(0), extent);
    if (!known) {
      index.loop(index.div(index.add(extent, *size - 1), *size), [&](Value b) {
        Value start = index.mul(b, block);
        emitBlock(n, group, start, index.min(block, index.sub(extent, start)));
      });
      return;
    }
    index.loop(*known / *size, [&](Value b) {
      emitBlock(n, group, index.mul(b, block), block);
    });
    if (int64_t rest = *known % *size)
      emitBlock(n, group, index.constant(*known - rest), index.constant(rest));
  }

  void emitBlock(Value n, Value group, Value start, Value count) {
    Value zero = index.constant(0), one = index.constant(1);
    Value rows = flat ? one : count, columns = flat ? count : out[1];
    Value row = flat ? zero : start, column = flat ? start : zero;
    Value base =
        index.add(index.mul(n, tile.input.strides[0]),
                  index.mul(index.mul(group, channels), tile.input.strides[1]));
    if (packed) {
      fillPanel(base, index.mul(row, strides[0]), column, reach(0, rows),
                reach(1, columns));
      tile.setSource(panel, index.mul(panelRows, panelColumns), panelColumns,
                     one);
      base = zero;
    } else {
      base = index.add(base,
                       index.mul(index.mul(row, strides[0]), tile.rowStride()));
      base = index.add(base, index.mul(column, strides[1]));
      tile.setSource(tile.input.memref, tile.input.strides[1], tile.rowStride(),
                     tile.input.strides[3]);
    }
    int64_t lines = op.getChunkRows() * (flat ? tile.width : 1);
    auto emit = [&](Value t, Value first, Value some) {
      Value filters = index.add(index.mul(group, tiles), t);
      Value channel = index.mul(t, tile.size);
      index.loop(flat ? one : some, [&](Value line) {
        Value r = flat ? zero : index.add(first, line);
        Value rowBase = index.add(
            base, index.mul(index.mul(r, strides[0]), tile.sourceStrides[1]));
        Value left = flat ? first : zero;
        emitTiles(index, flat ? some : columns, tile.width,
                  [&](Value behind, int64_t width) {
                    Value c = index.add(left, behind);
                    Value source =
                        index.add(rowBase, index.mul(index.mul(c, strides[1]),
                                                     tile.sourceStrides[2]));
                    tile.emit(source, filters, width,
                              {n, index.add(index.mul(group, outputs), channel),
                               index.add(row, r), index.add(column, c)},
                              channel, outputs);
                  });
      });
    };
    forTiles(index, op, tile, tiles, flat ? columns : rows, lines, flat, emit);
  }

  /// Copies the rows that a block needs, padded.
  void fillPanel(Value base, Value firstRow, Value firstColumn, Value rows,
                 Value columns) {
    Location loc = op.getLoc();
    Value zero = index.constant(0);
    auto loop = [&](function_ref<void(Value)> body) {
      // Where outputs are computed at the same time, they share the copy.
      if (op.getChunkOutputs() == 0)
        return index.loop(sums, body);
      index.parallel(index.constant(sums), Value(),
                     [&](Value sum, Value) { body(sum); });
    };
    loop([&](Value sum) {
      index.loop(rows, [&](Value r) {
        Value target = index.mul(index.add(index.mul(sum, panelRows), r),
                                 index.mul(panelColumns, op.getPack()));
        auto pad = [&](Value from, Value to) {
          copyRow(target, from, to, sum, Value(), Value());
        };
        Value left = index.min(index.constant(pads[1]), columns);
        Value right =
            index.max(left, index.min(columns, index.add(in[1], pads[1])));
        if (flat || (pads[1] == 0 && pads[3] == 0))
          right = columns;
        auto copy = [&](Value row) {
          Value source = index.add(base, index.mul(row, tile.rowStride()));
          source = index.add(source, firstColumn);
          if (pads[1] != 0)
            pad(zero, left);
          copyRow(target, left, right, sum, source, index.constant(-pads[1]));
          if (right != columns)
            pad(right, columns);
        };
        Value row = index.add(index.add(firstRow, r), -pads[0]);
        if (pads[0] == 0 && pads[2] == 0)
          return copy(row);
        Value valid = arith::CmpIOp::create(
            builder, loc, arith::CmpIPredicate::ult, row, in[0]);
        auto choice = scf::IfOp::create(builder, loc, valid, /*withElse=*/true);
        OpBuilder::InsertionGuard guard(builder);
        builder.setInsertionPoint(choice.thenBlock()->getTerminator());
        copy(row);
        builder.setInsertionPoint(choice.elseBlock()->getTerminator());
        pad(zero, columns);
      });
    });
  }

  /// Writes the columns [from, to) of a panel's row, from `source` or, when
  /// there is none, of padding.
  void copyRow(Value target, Value from, Value to, Value sum, Value source,
               Value shift) {
    Location loc = op.getLoc();
    int64_t pack = op.getPack();
    index.loop(index.sub(to, from), [&](Value i) {
      Value column = index.add(i, from);
      for (int64_t k = 0; k < pack; ++k) {
        Value value =
            source ? loadChannel(sum, k,
                                 index.add(source, index.add(column, shift)))
                   : arith::ConstantOp::create(
                         builder, loc,
                         tile.toPanel(static_cast<int64_t>(op.getPadValue())));
        memref::StoreOp::create(
            builder, loc, value, panel,
            index.add(target, index.add(index.mul(column, pack), k)));
      }
    });
  }

  Value loadChannel(Value sum, int64_t k, Value offset) {
    Location loc = op.getLoc();
    if (!op.isInteger())
      return tile.toPanel(memref::LoadOp::create(
          builder, loc, tile.input.memref,
          index.add(offset, index.mul(sum, tile.input.strides[1]))));
    // Of channels that do not exist, which would complete the last pair or four
    // of them, weights are zero: any value in range may be read for it.
    Value channel = index.add(index.mul(sum, op.getPack()), k);
    if (k > 0 && channels % op.getPack())
      channel = arith::MinSIOp::create(builder, loc, channel,
                                       index.constant(channels - 1));
    Value value = memref::LoadOp::create(
        builder, loc, tile.input.memref,
        index.add(offset, index.mul(channel, tile.input.strides[1])));
    return tile.toPanel(value);
  }

  OpBuilder &builder;
  cpu::ContractOp op;
  ContractionTile &tile;
  IndexBuilder index;
  int64_t outputs = 0, tiles = 0, channels = 0, sums = 0;
  std::array<int64_t, 2> kernel;
  std::array<Value, 2> in, out;
  ArrayRef<int64_t> strides, dilations, pads;
  bool flat = false, packed = false;
  Value panel, panelRows, panelColumns;
};

/// Copies the input as what the instruction takes.
void copyRows(OpBuilder &builder, cpu::ContractOp op, ContractionTile &tile,
              Value rows) {
  Location loc = op.getLoc();
  IndexBuilder index(builder, loc);
  int64_t depth = op.getInputType().getDimSize(1);
  int64_t sums = op.getWeightsType().getDimSize(1);
  int64_t columns = sums * op.getPack();
  Value size = index.mul(rows, columns);
  std::optional<int64_t> known = getConstantIntValue(size);
  auto type = MemRefType::get({known.value_or(ShapedType::kDynamic)},
                              tile.getPanelType());
  Value copy = memref::AllocOp::create(builder, loc, type,
                                       known ? ValueRange() : ValueRange(size),
                                       builder.getI64IntegerAttr(64));
  auto loop = [&](function_ref<void(Value)> body) {
    if (!op.getChunks())
      return index.loop(rows, body);
    index.parallel(rows, Value(), [&](Value m, Value) { body(m); });
  };
  loop([&](Value m) {
    Value target = index.mul(m, columns);
    Value source = index.mul(m, tile.input.strides[0]);
    index.loop(depth, [&](Value k) {
      Value value = memref::LoadOp::create(
          builder, loc, tile.input.memref,
          index.add(source, index.mul(k, tile.input.strides[1])));
      memref::StoreOp::create(builder, loc, tile.toPanel(value), copy,
                              index.add(target, k));
    });
    for (int64_t k = depth; k < columns; ++k)
      memref::StoreOp::create(
          builder, loc,
          arith::ConstantOp::create(builder, loc, tile.toPanel(int64_t{0})),
          copy, index.add(target, k));
  });
  tile.setSource(copy, index.constant(1), index.constant(0),
                 index.constant(sums));
}

/// Rows of the input times packed columns; all but f32 are copied first.
void emitProduct(OpBuilder &builder, cpu::ContractOp op,
                 ContractionTile &tile) {
  Location loc = op.getLoc();
  IndexBuilder index(builder, loc);
  Value rows = outermostSize(builder, op);
  int64_t tiles = op.getWeightsType().getDimSize(0);
  int64_t sums = op.getWeightsType().getDimSize(1);
  if (op.convertsInput())
    copyRows(builder, op, tile, rows);
  else
    tile.setSource(tile.input.memref, tile.input.strides[1], index.constant(0),
                   tile.input.strides[0]);
  const int64_t one[] = {1, 1};
  tile.setKernel(sums, {1, 1}, one, one);
  // A few rows take registers for one more without a spill.
  constexpr int64_t few = 8;
  std::optional<int64_t> count = getConstantIntValue(rows);
  tile.emitStarts(tiles, count && *count <= std::min(tile.width, few));
  auto emitRows = [&](Value start, Value count) {
    auto emit = [&](Value t, Value, Value) {
      Value column = index.mul(t, tile.size);
      emitTiles(index, count, tile.width, [&](Value row, int64_t width) {
        Value m = index.add(start, row);
        tile.emit(index.mul(m, tile.sourceStrides[2]), t, width, {m, column},
                  column, op.getInitType().getDimSize(1));
      });
    };
    forTiles(index, op, tile, tiles, count, /*linesOfChunk=*/0,
             /*areColumns=*/true, emit);
  };
  int64_t size = op.getChunkRows();
  if (size == 0)
    return emitRows(index.constant(0), rows);
  tile.parallel(index.ceilDiv(rows, size), Value(), [&](Value chunk, Value) {
    index.piece(chunk, rows, size, emitRows);
  });
}

struct LowerContractionsPass
    : host::impl::HostLowerContractionsBase<LowerContractionsPass> {
  void runOnOperation() override {
    SmallVector<cpu::ContractOp> contractions;
    getOperation().walk(
        [&](cpu::ContractOp op) { contractions.push_back(op); });
    for (cpu::ContractOp op : contractions) {
      OpBuilder builder(op);
      FailureOr<ContractionTile> tile = ContractionTile::create(builder, op);
      if (failed(tile)) {
        op.emitError("cannot be lowered: its operands must be buffers with "
                     "static strides, and its epilogue elementwise");
        return signalPassFailure();
      }
      if (op.isConvolution())
        ConvolutionLowering(builder, op, *tile).emit();
      else
        emitProduct(builder, op, *tile);
      op.erase();
    }
  }
};

} // namespace
