//===- ToLinalgBoxes.cpp - Suppression of overlapping boxes to loops ------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphSearch.h"
#include "passes/Graph/LoopNests.h"
#include "passes/Graph/ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

namespace {

/// The sides of a box, smaller coordinates first.
struct Box {
  Value low[2], high[2];
};

class NonMaxSuppressionPattern
    : public OpConversionPattern<NonMaxSuppressionOp> {
  using OpConversionPattern::OpConversionPattern;

  static Box readBox(Indices &i, Value boxes, bool isCentered, Value batch,
                     Value box) {
    Value numbers[4];
    for (int64_t entry = 0; entry < 4; ++entry)
      numbers[entry] = i.read(boxes, {batch, box, i.constant(entry)});
    Box result;
    for (int axis : {0, 1}) {
      Value a = numbers[axis], c = numbers[axis + 2];
      if (isCentered) {
        Type type = c.getType();
        Value two = arith::ConstantOp::create(i.b, FloatAttr::get(type, 2.0));
        Value half = arith::DivFOp::create(i.b, c, two);
        result.low[axis] = arith::SubFOp::create(i.b, a, half);
        result.high[axis] = arith::AddFOp::create(i.b, a, half);
      } else {
        result.low[axis] = arith::MinimumFOp::create(i.b, a, c);
        result.high[axis] = arith::MaximumFOp::create(i.b, a, c);
      }
    }
    return result;
  }

  static Value getArea(Indices &i, Box box) {
    return arith::MulFOp::create(
        i.b, arith::SubFOp::create(i.b, box.high[0], box.low[0]),
        arith::SubFOp::create(i.b, box.high[1], box.low[1]));
  }

  /// Whether the intersection of two boxes over their union is above a limit.
  static Value overlaps(Indices &i, Box x, Box y, Value limit) {
    Value zero = arith::ConstantOp::create(i.b, getZero(limit.getType()));
    Value sides[2];
    for (int axis : {0, 1}) {
      Value low = arith::MaximumFOp::create(i.b, x.low[axis], y.low[axis]);
      Value high = arith::MinimumFOp::create(i.b, x.high[axis], y.high[axis]);
      sides[axis] = arith::MaximumFOp::create(
          i.b, arith::SubFOp::create(i.b, high, low), zero);
    }
    Value common = arith::MulFOp::create(i.b, sides[0], sides[1]);
    Value all = arith::SubFOp::create(
        i.b, arith::AddFOp::create(i.b, getArea(i, x), getArea(i, y)), common);
    Value ratio = arith::DivFOp::create(i.b, common, all);
    auto above = [&](Value a, Value c) -> Value {
      return arith::CmpFOp::create(i.b, arith::CmpFPredicate::OGT, a, c);
    };
    // Nothing is divided by the area of boxes without any.
    return i.both(above(all, zero), above(ratio, limit));
  }

  LogicalResult
  matchAndRewrite(NonMaxSuppressionOp op, OpAdaptor operands,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Indices i(b);
    Value boxes = operands.getBoxes(), scores = operands.getScores();
    Value most = i.readIndex(operands.getMaxOutput(), {});
    Value iouThreshold = i.read(operands.getIouThreshold(), {});
    Value scoreThreshold = i.read(operands.getScoreThreshold(), {});
    bool isCentered = op.getCenterPointBox();
    Value zero = i.constant(0), one = i.constant(1), three = i.constant(3);
    Value count = i.size(scores, 2);

    // The next box of a class: taken if its score is high enough and it does
    // not overlap those taken so far, which are rows `start` to `end`.
    auto visit = [&](Indices &j, ValueRange place, Value box, Value buffer,
                     Value start, Value end) -> SmallVector<Value> {
      Value score = j.read(scores, {place[0], place[1], box});
      Value isWanted =
          j.both(arith::CmpFOp::create(j.b, arith::CmpFPredicate::OGT, score,
                                       scoreThreshold),
                 j.less(j.sub(end, start), most));
      Box candidate = readBox(j, boxes, isCentered, place[0], box);
      Value rows = j.select(isWanted, j.sub(end, start), zero);
      Value isTaken = createLoops(
          j, rows, isWanted,
          [&](Indices &l, ValueRange row,
              ValueRange carried) -> SmallVector<Value> {
            Value entry =
                l.add(l.mul(l.add(start, row[0]), three), l.constant(2));
            Value other = l.readIndex(buffer, entry);
            Value hit = overlaps(l, candidate,
                                 readBox(l, boxes, isCentered, place[0], other),
                                 iouThreshold);
            Value no = arith::ConstantOp::create(l.b, l.b.getBoolAttr(false));
            return {l.select(hit, no, carried[0])};
          })[0];
      return createIf(j, isTaken, {buffer, end}, [&](Indices &l) {
        Value rows = buffer, entry = l.mul(end, three);
        for (auto [offset, number] :
             llvm::enumerate(ArrayRef<Value>{place[0], place[1], box}))
          rows = l.write(rows, l.toInteger(number),
                         l.add(entry, l.constant(offset)));
        return SmallVector<Value>{rows, l.add(end, one)};
      });
    };

    Value empty = createEmptyResult(b, op->getResult(0), b.getI64Type());
    SmallVector<Value> results = createLoops(
        i, {i.size(scores, 0), i.size(scores, 1)}, {empty, zero},
        [&](Indices &j, ValueRange place, ValueRange outer) {
          Value order = createPartialSort(
              j, count, getAsOpFoldResult(count),
              [&](Indices &l, Value x, Value y) {
                Type type = op.getScores().getType().getElementType();
                Value a = l.read(scores, {place[0], place[1], x});
                Value c = l.read(scores, {place[0], place[1], y});
                Value better = createLess(l, type, c, a);
                Value worse = createLess(l, type, a, c);
                return l.select(better, better,
                                l.select(worse, better, l.less(x, y)));
              });
          Value start = outer[1];
          return createLoops(j, count, outer,
                             [&](Indices &l, ValueRange at, ValueRange inner) {
                               return visit(l, place, l.readIndex(order, at),
                                            inner[0], start, inner[1]);
                             });
        });
    Value scalar = createEmptyResult(b, op->getResult(1), b.getI64Type());
    rewriter.replaceOp(
        op, {results[0], i.write(scalar, i.toInteger(results[1]), {})});
    return success();
  }
};

} // namespace

void acc::graph::populateBoxesToLinalg(const TypeConverter &converter,
                                       RewritePatternSet &patterns) {
  patterns.add<NonMaxSuppressionPattern>(converter, patterns.getContext());
}
