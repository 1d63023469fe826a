//===- Assemble.cpp - The pass vta-assemble -------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whatever moves images over space is a question of addresses: from where a
// kernel loads, and where it stores to. Images side by side, in a border or
// with every pixel repeated are vta.assemble, whose inputs are stored to their
// places; parts of images are graph.slice, which their readers load from where
// they lie.
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/PackedValues.h"
#include "passes/VTA/Graph/Phases.h"
#include "passes/VTA/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace acc::vta {
#define GEN_PASS_DEF_VTAASSEMBLE
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::graph;
using namespace acc::vta;

/// Up to so many repetitions of a pixel are stored at once; beyond, first rows
/// and then columns are repeated, which moves more bytes by fewer kernels.
static constexpr int64_t kMostRepetitions = 4;

namespace {

/// Elements [source, source + size) of an axis, which come to `place`.
struct Run {
  int64_t source, size, place;
};

/// One input of a vta.assemble.
struct Part {
  Value input;
  int64_t row = 0, column = 0, channel = 0;
};

class Assembler {
public:
  explicit Assembler(Block &block) : block(block) {}

  LogicalResult run();

private:
  LogicalResult rewrite(Operation *op);
  LogicalResult rewritePad(PadOp op);
  LogicalResult rewriteResize(ResizeOp op);
  LogicalResult rewriteConcat(ConcatOp op);
  LogicalResult rewriteInterleave(TransposeOp op);
  void copyWhereWanted(SliceOp op);

  /// `image` without what is beyond `rows` and `columns`.
  static Value cut(ImplicitLocOpBuilder &b, Operation *op, Value image,
                   const Run &rows, const Run &columns);
  static Value assemble(ImplicitLocOpBuilder &b, Operation *op,
                        ArrayRef<Part> parts, RankedTensorType type,
                        ArrayRef<int64_t> steps = {1, 1}, int8_t fill = 0);

  Block &block;
};

} // namespace

Value Assembler::cut(ImplicitLocOpBuilder &b, Operation *op, Value image,
                     const Run &rows, const Run &columns) {
  SmallVector<int64_t> sizes(shapeOf(image));
  if (sizes[2] == rows.size && sizes[3] == columns.size)
    return image;
  sizes[2] = rows.size;
  sizes[3] = columns.size;
  auto slice =
      SliceOp::create(b, typeOf(image).clone(sizes), image, ValueRange(),
                      ArrayRef<int64_t>{0, 0, rows.source, columns.source},
                      sizes, ArrayRef<int64_t>{1, 1, 1, 1});
  slice->setAttr(GraphDialect::kPlacement, getPlacement(op));
  return slice;
}

Value Assembler::assemble(ImplicitLocOpBuilder &b, Operation *op,
                          ArrayRef<Part> parts, RankedTensorType type,
                          ArrayRef<int64_t> steps, int8_t fill) {
  SmallVector<Value> inputs;
  SmallVector<int64_t> rows, columns, channels;
  for (const Part &part : parts) {
    inputs.push_back(part.input);
    rows.push_back(part.row);
    columns.push_back(part.column);
    channels.push_back(part.channel);
  }
  auto result =
      AssembleOp::create(b, type, inputs, rows, columns, channels, steps, fill);
  result->setAttr(GraphDialect::kPlacement, getPlacement(op));
  return result;
}

//===----------------------------------------------------------------------===//
// Borders
//===----------------------------------------------------------------------===//

/// Where element `at` of a padded axis comes from, counted from the first of
/// the `size` elements that negative pads leave; nothing if that is the
/// constant.
static std::optional<int64_t> getSource(PadMode mode, int64_t at,
                                        int64_t size) {
  if (at >= 0 && at < size)
    return at;
  switch (mode) {
  case PadMode::Constant:
    return std::nullopt;
  case PadMode::Edge:
    return at < 0 ? 0 : size - 1;
  case PadMode::Reflect:
    return at < 0 ? -at : 2 * (size - 1) - at;
  case PadMode::Wrap:
    return (at % size + size) % size;
  }
  llvm_unreachable("all modes are handled");
}

/// What a padded axis is made of.
static SmallVector<Run> findRuns(PadMode mode, int64_t size, int64_t begin,
                                 int64_t end) {
  int64_t first = std::max<int64_t>(-begin, 0),
          kept = size - first + std::min<int64_t>(end, 0);
  begin = std::max<int64_t>(begin, 0);
  end = std::max<int64_t>(end, 0);
  SmallVector<Run> runs;
  for (int64_t place = 0; place < begin + kept + end; ++place) {
    std::optional<int64_t> source = getSource(mode, place - begin, kept);
    if (!source)
      continue;
    Run *last = runs.empty() ? nullptr : &runs.back();
    if (last && last->place + last->size == place &&
        last->source + last->size == first + *source)
      ++last->size;
    else
      runs.push_back({first + *source, 1, place});
  }
  return runs;
}

LogicalResult Assembler::rewritePad(PadOp op) {
  ArrayRef<int64_t> shape = shapeOf(op.getInput()), pads = op.getPads();
  if (shape.size() != 4 || pads[0] || pads[1] || pads[4] || pads[5])
    return op.emitOpError("cannot run on the accelerator: it does not pad rows "
                          "and columns of images");
  ImplicitLocOpBuilder b(op.getLoc(), op);
  SmallVector<Part> parts;
  for (const Run &rows : findRuns(op.getMode(), shape[2], pads[2], pads[6]))
    for (const Run &columns :
         findRuns(op.getMode(), shape[3], pads[3], pads[7]))
      parts.push_back({cut(b, op, op.getInput(), rows, columns), rows.place,
                       columns.place});
  op.replaceAllUsesWith(
      assemble(b, op, parts, typeOf(op), {1, 1},
               int8_t(op.getConstantValue().convertToDouble())));
  op.erase();
  return success();
}

//===----------------------------------------------------------------------===//
// Repeated pixels, images side by side
//===----------------------------------------------------------------------===//

LogicalResult Assembler::rewriteResize(ResizeOp op) {
  ArrayRef<int64_t> from = shapeOf(op.getInput()), to = shapeOf(op.getResult());
  if (op.getMode() != ResizeMode::Nearest || from.size() != 4 ||
      from[0] != to[0] || from[1] != to[1] || to[2] % from[2] != 0 ||
      to[3] % from[3] != 0)
    return op.emitOpError("cannot run on the accelerator: it does not repeat "
                          "rows and columns of images");
  ImplicitLocOpBuilder b(op.getLoc(), op);
  auto repeat = [&](Value image, int64_t rows, int64_t columns) {
    SmallVector<Part> parts;
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < columns; ++column)
        parts.push_back({image, row, column});
    SmallVector<int64_t> shape(shapeOf(image));
    shape[2] *= rows;
    shape[3] *= columns;
    return assemble(b, op, parts, typeOf(image).clone(shape), {rows, columns});
  };
  int64_t rows = to[2] / from[2], columns = to[3] / from[3];
  Value result = op.getInput();
  if (rows * columns <= kMostRepetitions)
    result = repeat(result, rows, columns);
  else
    result = repeat(repeat(result, rows, 1), 1, columns);
  op.replaceAllUsesWith(result);
  op.erase();
  return success();
}

LogicalResult Assembler::rewriteConcat(ConcatOp op) {
  if (isPackedOnHost(op))
    return success();
  auto axis = int64_t(op.getAxis());
  if (typeOf(op).getRank() != 4 || axis < 2)
    return op.emitOpError("cannot run on the accelerator: it does not join "
                          "rows or columns of images");
  ImplicitLocOpBuilder b(op.getLoc(), op);
  SmallVector<Part> parts;
  int64_t at = 0;
  for (Value input : op.getInputs()) {
    parts.push_back({input, axis == 2 ? at : 0, axis == 3 ? at : 0});
    at += shapeOf(input)[axis];
  }
  op.replaceAllUsesWith(assemble(b, op, parts, typeOf(op)));
  op.erase();
  return success();
}

//===----------------------------------------------------------------------===//
// Channels that become pixels
//===----------------------------------------------------------------------===//

LogicalResult Assembler::rewriteInterleave(TransposeOp op) {
  std::optional<Phases> phases = Phases::find(op);
  if (!phases)
    return op.emitOpError("cannot run on the accelerator: it does not put "
                          "channels into rows and columns");
  auto type = typeOf(phases->result->getResult(0));
  SmallVector<Part> parts;
  for (int64_t row = 0; row < phases->steps[0]; ++row)
    for (int64_t column = 0; column < phases->steps[1]; ++column) {
      int64_t rows = phases->getExtent(0, row),
              columns = phases->getExtent(1, column);
      if (rows == 0 || columns == 0)
        continue;
      if (phases->convolution) {
        parts.push_back({phases->createConvolution(row, column), row, column});
        continue;
      }
      std::optional<int64_t> channel = phases->getFirstChannel(row, column);
      if (!channel)
        return op.emitOpError("cannot run on the accelerator: the channels of "
                              "a phase do not follow each other");
      ImplicitLocOpBuilder b(op.getLoc(), phases->result);
      parts.push_back(
          {cut(b, op, phases->source, {0, rows, 0}, {0, columns, 0}), row,
           column, *channel});
    }
  ImplicitLocOpBuilder b(op.getLoc(), phases->result);
  phases->result->getResult(0).replaceAllUsesWith(
      assemble(b, op, parts, type, phases->steps));
  phases->erase();
  return success();
}

//===----------------------------------------------------------------------===//
// Parts of images
//===----------------------------------------------------------------------===//

/// Whether `user` reads a slice from where it lies in a larger image: a border
/// around it can be of zeros, unless it leaves out rows or columns.
static bool canReadInPlace(SliceOp slice, Operation *user) {
  if (!isAccelerated(user))
    return false;
  bool isStrided =
      llvm::any_of(slice.getSteps(), [](int64_t step) { return step != 1; });
  auto hasBorder = [](ArrayRef<int64_t> pads) {
    return llvm::any_of(pads, [](int64_t pad) { return pad > 0; });
  };
  if (auto conv = dyn_cast<ConvIntegerOp>(user))
    return !hasBorder(conv.getPads()) ||
           (conv.getPadValue() == 0 && !isStrided);
  if (auto pool = dyn_cast<MaxPoolOp>(user))
    return !hasBorder(pool.getPads());
  return mlir::isa<WeightedSumOp, MulIntegerOp, GlobalSumIntegerOp, SliceOp,
                   AssembleOp>(user);
}

/// Gives readers that cannot read a slice from where it lies a copy.
void Assembler::copyWhereWanted(SliceOp op) {
  if (llvm::all_of(op->getUsers(),
                   [&](Operation *user) { return canReadInPlace(op, user); }))
    return;
  ImplicitLocOpBuilder b(op.getLoc(), op->getContext());
  b.setInsertionPointAfter(op);
  Value copy = assemble(b, op, {{op.getResult()}}, typeOf(op));
  op.getResult().replaceUsesWithIf(copy, [&](OpOperand &use) {
    return use.getOwner() != copy.getDefiningOp() &&
           !canReadInPlace(op, use.getOwner());
  });
}

//===----------------------------------------------------------------------===//
// Everything
//===----------------------------------------------------------------------===//

LogicalResult Assembler::rewrite(Operation *op) {
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](PadOp pad) { return rewritePad(pad); })
      .Case([&](ResizeOp resize) { return rewriteResize(resize); })
      .Case([&](ConcatOp concat) { return rewriteConcat(concat); })
      .Case([&](TransposeOp transpose) { return rewriteInterleave(transpose); })
      .Default([](Operation *) { return success(); });
}

LogicalResult Assembler::run() {
  SmallVector<Operation *> moves;
  for (Operation &op : block)
    if (isAccelerated(&op) &&
        mlir::isa<PadOp, ResizeOp, ConcatOp, TransposeOp>(op))
      moves.push_back(&op);
  for (Operation *op : moves)
    if (failed(rewrite(op)))
      return failure();
  // When every reader is what it will be.
  for (Operation &op : llvm::make_early_inc_range(block))
    if (auto slice = dyn_cast<SliceOp>(op); slice && isAccelerated(slice))
      copyWhereWanted(slice);
  return success();
}

namespace {
struct Assemble : vta::impl::VTAAssembleBase<Assemble> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() &&
          failed(Assembler(function.getBody().front()).run()))
        return signalPassFailure();
  }
};
} // namespace
