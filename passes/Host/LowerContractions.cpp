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

/// The one size that may be unknown.
Value outermostSize(OpBuilder &builder, cpu::ContractOp op) {
  return builder.createOrFold<memref::DimOp>(op.getLoc(), op.getInput(), 0);
}

/// A convolution whose output is cut into blocks of rows (or, where rows are
/// of no importance, of pixels) that share a packed copy of their input.
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
    in = {x[2], x[3]};
    out = {y[2], y[3]};
    int64_t rows = op.getRows();
    bool padded = llvm::any_of(pads, [](int64_t p) { return p != 0; });
    flat = !padded && kernel[0] * kernel[1] == 1 && strides[0] == 1 &&
           strides[1] == 1 && in == out && tile.joinRows();
    if (flat) {
      in = out = {1, in[0] * in[1]};
      rows *= tile.width;
    }
    packed = padded || op.isInteger() || rows > 0;
    int64_t extent = flat ? out[1] : out[0];
    int64_t block = rows > 0 ? std::min(rows, extent) : extent;
    if (packed)
      allocatePanel(block);

    index.loop(outermostSize(builder, op), [&](Value n) {
      index.loop(op.getGroups(), [&](Value group) {
        index.loop(extent / block, [&](Value b) {
          emitBlock(n, group, index.mul(b, block), block);
        });
        if (int64_t rest = extent % block)
          emitBlock(n, group, index.constant(extent - rest), rest);
      });
    });
  }

private:
  bool hasGroupDimension() {
    return op.getWeightsType().getRank() - (op.isInteger() ? 1 : 0) == 6;
  }

  /// Input rows and columns that a block of output rows and columns reads.
  int64_t reach(int dim, int64_t count) {
    return ((count - 1) * strides[dim]) + ((kernel[dim] - 1) * dilations[dim]) +
           1;
  }

  void allocatePanel(int64_t block) {
    panelRows = reach(0, flat ? 1 : block);
    panelColumns = reach(1, flat ? block : out[1]);
    int64_t pair = op.isInteger() ? 2 : 1;
    Type element = op.isInteger() ? builder.getI16Type()
                                  : op.getInputType().getElementType();
    auto type =
        MemRefType::get({sums * panelRows * panelColumns * pair}, element);
    panel = memref::AllocOp::create(builder, op.getLoc(), type, ValueRange(),
                                    builder.getI64IntegerAttr(64));
  }

  void emitBlock(Value n, Value group, Value start, int64_t count) {
    int64_t rows = flat ? 1 : count, columns = flat ? count : out[1];
    Value zero = index.constant(0);
    Value row = flat ? zero : start, column = flat ? start : zero;
    Value base =
        index.add(index.mul(n, tile.input.strides[0]),
                  index.mul(index.mul(group, channels), tile.input.strides[1]));
    if (packed) {
      fillPanel(base, index.mul(row, strides[0]), column, reach(0, rows),
                reach(1, columns));
      tile.setSource(panel, panelRows * panelColumns, panelColumns, 1);
      base = zero;
    } else {
      base = index.add(base, index.mul(row, strides[0] * tile.rowStride()));
      base = index.add(base, index.mul(column, strides[1]));
      tile.setSource(tile.input.memref, tile.input.strides[1], tile.rowStride(),
                     tile.input.strides[3]);
    }
    tile.setKernel(sums, kernel, strides, dilations);
    index.loop(tiles, [&](Value t) {
      Value filter = index.mul(index.add(index.mul(group, tiles), t),
                               sums * kernel[0] * kernel[1]);
      Value channel = index.mul(t, tile.size);
      index.loop(rows, [&](Value r) {
        Value rowBase =
            index.add(base, index.mul(r, strides[0] * tile.sourceStrides[1]));
        auto emitTile = [&](Value c, int64_t width) {
          Value source = index.add(
              rowBase, index.mul(c, strides[1] * tile.sourceStrides[2]));
          tile.emit(source, filter, width,
                    {n, index.add(index.mul(group, outputs), channel),
                     index.add(row, r), index.add(column, c)},
                    channel, outputs);
        };
        index.loop(columns / tile.width, [&](Value c) {
          emitTile(index.mul(c, tile.width), tile.width);
        });
        if (int64_t rest = columns % tile.width)
          emitTile(index.constant(columns - rest), rest);
      });
    });
  }

  /// Copies the rows that a block needs, padded.
  void fillPanel(Value base, Value firstRow, Value firstColumn, int64_t rows,
                 int64_t columns) {
    Location loc = op.getLoc();
    int64_t pair = op.isInteger() ? 2 : 1;
    index.loop(sums, [&](Value sum) {
      index.loop(rows, [&](Value r) {
        Value target = index.mul(index.add(index.mul(sum, panelRows), r),
                                 panelColumns * pair);
        auto pad = [&](int64_t from, int64_t to) {
          copyRow(target, from, to, sum, Value(), Value());
        };
        int64_t left = std::min(pads[1], columns);
        int64_t right = std::max(left, std::min(columns, in[1] + pads[1]));
        if (flat)
          right = columns;
        auto copy = [&](Value row) {
          Value source = index.add(base, index.mul(row, tile.rowStride()));
          source = index.add(source, firstColumn);
          pad(0, left);
          copyRow(target, left, right, sum, source, index.constant(-pads[1]));
          pad(right, columns);
        };
        Value row = index.add(index.add(firstRow, r), -pads[0]);
        if (pads[0] == 0 && pads[2] == 0)
          return copy(row);
        Value valid =
            arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult, row,
                                  index.constant(in[0]));
        auto choice = scf::IfOp::create(builder, loc, valid, /*withElse=*/true);
        OpBuilder::InsertionGuard guard(builder);
        builder.setInsertionPoint(choice.thenBlock()->getTerminator());
        copy(row);
        builder.setInsertionPoint(choice.elseBlock()->getTerminator());
        pad(0, columns);
      });
    });
  }

  /// Writes the columns [from, to) of a panel's row, from `source` or, when
  /// there is none, of padding.
  void copyRow(Value target, int64_t from, int64_t to, Value sum, Value source,
               Value shift) {
    if (from >= to)
      return;
    Location loc = op.getLoc();
    int64_t pair = op.isInteger() ? 2 : 1;
    index.loop(to - from, [&](Value i) {
      Value column = index.add(i, from);
      for (int64_t k = 0; k < pair; ++k) {
        Value value =
            source ? loadChannel(sum, k,
                                 index.add(source, index.add(column, shift)))
                   : arith::ConstantOp::create(builder, loc, padding());
        memref::StoreOp::create(
            builder, loc, value, panel,
            index.add(target, index.add(index.mul(column, pair), k)));
      }
    });
  }

  TypedAttr padding() {
    // Builder::getI16IntegerAttr makes an invalid attribute of a negative
    // value.
    if (op.isInteger())
      return builder.getIntegerAttr(builder.getI16Type(),
                                    static_cast<int64_t>(op.getPadValue()));
    return builder.getF32FloatAttr(0);
  }

  Value loadChannel(Value sum, int64_t k, Value offset) {
    Location loc = op.getLoc();
    if (!op.isInteger())
      return memref::LoadOp::create(
          builder, loc, tile.input.memref,
          index.add(offset, index.mul(sum, tile.input.strides[1])));
    // With an odd number of channels the last pair has one channel, whose
    // partner's weights are zero: any value in range may be read for it.
    Value channel = index.add(index.mul(sum, 2), k);
    if (k == 1 && channels % 2)
      channel = arith::MinSIOp::create(builder, loc, channel,
                                       index.constant(channels - 1));
    Value value = memref::LoadOp::create(
        builder, loc, tile.input.memref,
        index.add(offset, index.mul(channel, tile.input.strides[1])));
    return arith::ExtSIOp::create(builder, loc, builder.getI16Type(), value);
  }

  OpBuilder &builder;
  cpu::ContractOp op;
  ContractionTile &tile;
  IndexBuilder index;
  int64_t outputs = 0, tiles = 0, channels = 0, sums = 0;
  std::array<int64_t, 2> kernel, in, out;
  ArrayRef<int64_t> strides, dilations, pads;
  bool flat = false, packed = false;
  Value panel;
  int64_t panelRows = 0, panelColumns = 0;
};

/// Copies the input as pairs of 16-bit integers.
void widenRows(OpBuilder &builder, cpu::ContractOp op, ContractionTile &tile,
               Value rows) {
  Location loc = op.getLoc();
  IndexBuilder index(builder, loc);
  int64_t depth = op.getInputType().getDimSize(1);
  int64_t sums = op.getWeightsType().getDimSize(1);
  Value size = index.mul(rows, sums * 2);
  std::optional<int64_t> known = getConstantIntValue(size);
  auto type = MemRefType::get({known.value_or(ShapedType::kDynamic)},
                              builder.getI16Type());
  Value wide = memref::AllocOp::create(builder, loc, type,
                                       known ? ValueRange() : ValueRange(size),
                                       builder.getI64IntegerAttr(64));
  index.loop(rows, [&](Value m) {
    Value target = index.mul(m, sums * 2);
    Value source = index.mul(m, tile.input.strides[0]);
    index.loop(depth, [&](Value k) {
      Value value = memref::LoadOp::create(
          builder, loc, tile.input.memref,
          index.add(source, index.mul(k, tile.input.strides[1])));
      value = arith::ExtSIOp::create(builder, loc, builder.getI16Type(), value);
      memref::StoreOp::create(builder, loc, value, wide, index.add(target, k));
    });
    if (depth % 2)
      memref::StoreOp::create(
          builder, loc,
          arith::ConstantOp::create(
              builder, loc, builder.getIntegerAttr(builder.getI16Type(), 0)),
          wide, index.add(target, depth));
  });
  tile.setSource(wide, 1, 0, sums);
}

/// Rows of the input times packed columns; integers are widened first.
void emitProduct(OpBuilder &builder, cpu::ContractOp op,
                 ContractionTile &tile) {
  Location loc = op.getLoc();
  IndexBuilder index(builder, loc);
  Value rows = outermostSize(builder, op);
  int64_t tiles = op.getWeightsType().getDimSize(0);
  int64_t sums = op.getWeightsType().getDimSize(1);
  if (op.isInteger())
    widenRows(builder, op, tile, rows);
  else
    tile.setSource(tile.input.memref, tile.input.strides[1], 0,
                   tile.input.strides[0]);
  const int64_t one[] = {1, 1};
  tile.setKernel(sums, {1, 1}, one, one);
  index.loop(tiles, [&](Value t) {
    Value column = index.mul(t, tile.size);
    auto emitRows = [&](Value m, int64_t width) {
      tile.emit(index.mul(m, tile.sourceStrides[2]), index.mul(t, sums), width,
                {m, column}, column, op.getInitType().getDimSize(1));
    };
    index.loop(index.div(rows, tile.width), [&](Value m) {
      emitRows(index.mul(m, tile.width), tile.width);
    });
    Value rest = index.rem(rows, tile.width);
    if (std::optional<int64_t> known = getConstantIntValue(rest)) {
      if (*known)
        emitRows(index.sub(rows, rest), *known);
      return;
    }
    // A number of rows that is not known is taken apart into powers of two.
    for (auto width = static_cast<int64_t>(llvm::bit_floor(
             static_cast<uint64_t>(std::max<int64_t>(tile.width - 1, 1))));
         width > 0; width /= 2) {
      Value start = index.sub(rows, rest);
      index.loop(index.div(rest, width), [&](Value m) {
        emitRows(index.add(start, index.mul(m, width)), width);
      });
      rest = index.rem(rest, width);
    }
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
