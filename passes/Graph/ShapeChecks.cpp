//===- ShapeChecks.cpp - What a run checks of its sizes -------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/ShapeChecks.h"

#include "dialects/Graph/GraphDialect.h"
#include "dialects/TE/TEDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace acc;
using namespace acc::graph;

bool acc::graph::isDynamic(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && !type.hasStaticShape();
}

/// The ONNX nodes that a location names, outermost first.
void acc::graph::collectNames(Location location, SetVector<StringAttr> &names) {
  if (auto name = dyn_cast<NameLoc>(location))
    names.insert(name.getName());
  else if (auto fused = dyn_cast<FusedLoc>(location))
    for (Location part : fused.getLocations())
      collectNames(part, names);
}

namespace {

/// What a message says of an operation: the ONNX node, if it is known.
std::string describe(Operation *op) {
  SetVector<StringAttr> names;
  collectNames(op->getLoc(), names);
  return names.empty() ? ("'" + op->getName().getStringRef() + "'").str()
                       : ("node '" + names.front().getValue() + "'").str();
}

class Checker {
public:
  Checker(func::FuncOp function, ShapeScope &scope)
      : function(function), scope(scope), builder(function.getContext()) {}

  /// Ends the run with a message unless the condition holds.
  void check(Value condition, const ShapeMessage &message) {
    if (matchPattern(condition, m_One()))
      return;
    Location loc = condition.getLoc();
    SmallVector<Value> numbers;
    for (AffineExpr size : message.sizes)
      numbers.push_back(getValueOrCreateConstantIndexOp(
          builder, loc, scope.materialize(builder, loc, size)));
    SmallVector<StringRef> texts(message.texts.begin(), message.texts.end());
    te::CheckOp::create(builder, loc, condition, builder.getStrArrayAttr(texts),
                        numbers);
  }

  /// Arguments with sizes of one name must have these sizes.
  void checkArguments() {
    builder.setInsertionPointToStart(&function.getBody().front());
    llvm::StringMap<std::pair<BlockArgument, int64_t>> first;
    for (BlockArgument argument : function.getArguments()) {
      auto names = function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(),
                                                        GraphDialect::kDims);
      auto type = dyn_cast<RankedTensorType>(argument.getType());
      if (!names || !type)
        continue;
      auto label = [&](BlockArgument of) {
        auto name = function.getArgAttrOfType<StringAttr>(of.getArgNumber(),
                                                          GraphDialect::kName);
        return name ? name.getValue() : StringRef();
      };
      for (auto [axis, attribute] : llvm::enumerate(names)) {
        auto name = dyn_cast<StringAttr>(attribute);
        if (!name || name.empty() || !type.isDynamicDim(axis))
          continue;
        auto [entry, isNew] = first.try_emplace(
            name.getValue(), std::pair(argument, int64_t(axis)));
        if (isNew)
          continue;
        auto [other, otherAxis] = entry->second;
        Location loc = argument.getLoc();
        Value size = tensor::DimOp::create(builder, loc, argument, axis);
        Value wanted = tensor::DimOp::create(builder, loc, other, otherAxis);
        Value isEqual = arith::CmpIOp::create(
            builder, loc, arith::CmpIPredicate::eq, size, wanted);
        std::string start = ("input '" + label(argument) + "' has size ").str();
        std::string middle = (" along axis " + Twine(axis) + " but input '" +
                              label(other) + "' has ")
                                 .str();
        std::string end = (" along axis " + Twine(otherAxis) +
                           ": both must be '" + name.getValue() + "'")
                              .str();
        te::CheckOp::create(builder, loc, isEqual,
                            builder.getStrArrayAttr({start, middle, end}),
                            ValueRange{size, wanted});
      }
    }
  }

  /// Makes the run check what an operation needs of sizes that it gets.
  LogicalResult checkShapes(Operation &op) {
    if (llvm::none_of(op.getOperands(), isDynamic) &&
        llvm::none_of(op.getResults(), isDynamic))
      return success();
    if (!isa<ShapeOpInterface>(op)) {
      if (isa<GraphDialect>(op.getDialect()))
        return op.emitOpError("needs sizes that are known before run time");
      return success();
    }
    SmallVector<ShapeRequirement> requirements;
    if (failed(inferShapes(&op, scope, &requirements)))
      return failure();
    builder.setInsertionPoint(&op);
    for (ShapeRequirement &requirement : requirements) {
      std::string &start = requirement.message.texts.front();
      start = describe(&op) + ": " + start;
      check(scope.materialize(builder, op.getLoc(), requirement),
            requirement.message);
    }
    return success();
  }

private:
  func::FuncOp function;
  ShapeScope &scope;
  OpBuilder builder;
};

} // namespace

LogicalResult acc::graph::insertShapeChecks(func::FuncOp function,
                                            ShapeScope &scope) {
  Checker checker(function, scope);
  checker.checkArguments();
  for (Operation &op : function.getBody().front())
    if (failed(checker.checkShapes(op)))
      return failure();
  return success();
}
