//===- ShapeChecks.cpp - What a run checks of its sizes -------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/ShapeChecks.h"

#include "dialects/Graph/GraphControl.h"
#include "dialects/Graph/GraphDialect.h"
#include "dialects/TE/TEDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
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

/// Sizes, and when they matter: what is required of them may be missed where
/// `excuse` holds, as in a branch that is not taken. Null if nothing excuses.
struct Place {
  ShapeScope &scope;
  Value excuse;
};

class Checker {
public:
  Checker(func::FuncOp function, ShapeScope &scope)
      : function(function), scope(scope), builder(function.getContext()) {}

  /// Ends the run with a message unless the condition holds.
  void check(Value condition, const ShapeMessage &message, Place place) {
    if (matchPattern(condition, m_One()))
      return;
    Location loc = condition.getLoc();
    SmallVector<Value> numbers;
    for (AffineExpr size : message.sizes)
      numbers.push_back(getValueOrCreateConstantIndexOp(
          builder, loc, place.scope.materialize(builder, loc, size)));
    SmallVector<StringRef> texts(message.texts.begin(), message.texts.end());
    te::CheckOp::create(builder, loc, excused(condition, place),
                        builder.getStrArrayAttr(texts), numbers);
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

  /// Makes the run check what an operation needs of sizes that it gets, and
  /// what those in its regions need of theirs, if they come to it.
  LogicalResult checkShapes(Operation &op) {
    builder.setInsertionPoint(&op);
    if (failed(checkOperation(op, {scope, {}})))
      return failure();
    if (auto branch = dyn_cast<IfOp>(op)) {
      ShapeScope inside(op.getContext(), ShapeScope::Sees::Definitions);
      auto isTaken = [&] { return extract(branch.getCondition()); };
      return failure(
          failed(checkRegion(branch.getTaken(), branch.getCaptures(), inside,
                             [&] { return negate(isTaken()); })) ||
          failed(checkRegion(branch.getOtherwise(), branch.getCaptures(),
                             inside, isTaken)));
    }
    if (auto loop = dyn_cast<LoopOp>(op)) {
      ShapeScope inside(op.getContext(), ShapeScope::Sees::Definitions);
      SmallVector<Value> given{Value()};
      llvm::append_range(given, loop.getStates());
      llvm::append_range(given, loop.getCaptures());
      return checkRegion(loop.getBody(), given, inside,
                         [&] { return takesNoTurn(loop); });
    }
    return success();
  }

private:
  Value excused(Value condition, Place place) {
    if (!place.excuse)
      return condition;
    return builder.createOrFold<arith::OrIOp>(condition.getLoc(), condition,
                                              place.excuse);
  }

  Value negate(Value condition) {
    Location loc = condition.getLoc();
    Value yes = arith::ConstantIntOp::create(builder, loc, 1, 1);
    return builder.createOrFold<arith::XOrIOp>(loc, condition, yes);
  }

  Value extract(Value scalar) {
    return tensor::ExtractOp::create(builder, scalar.getLoc(), scalar,
                                     ValueRange());
  }

  Value takesNoTurn(LoopOp loop) {
    Value none;
    if (Value count = loop.getCount()) {
      Value number = extract(count);
      Value zero = arith::ConstantIntOp::create(builder, loop.getLoc(),
                                                number.getType(), 0);
      none = arith::CmpIOp::create(builder, loop.getLoc(),
                                   arith::CmpIPredicate::sle, number, zero);
    }
    if (!loop.getCondition())
      return none;
    Value never = negate(extract(loop.getCondition()));
    return none ? builder.createOrFold<arith::OrIOp>(loop.getLoc(), none, never)
                : never;
  }

  LogicalResult checkOperation(Operation &op, Place place) {
    if (llvm::none_of(op.getOperands(), isDynamic) &&
        llvm::none_of(op.getResults(), isDynamic))
      return success();
    if (!isa<ShapeOpInterface>(op)) {
      if (isa<GraphDialect>(op.getDialect()) && !isa<YieldOp>(op))
        return op.emitOpError("needs sizes that are known before run time");
      return success();
    }
    SmallVector<ShapeRequirement> requirements;
    if (failed(inferShapes(&op, place.scope, &requirements)))
      return failure();
    for (ShapeRequirement &requirement : requirements) {
      std::string &start = requirement.message.texts.front();
      start = describe(&op) + ": " + start;
      check(place.scope.materialize(builder, op.getLoc(), requirement),
            requirement.message, place);
    }
    return success();
  }

  /// Checks in front of an operator with regions what is required in one of
  /// them. given: what the arguments of its block stand for, null for what has
  /// no sizes.
  LogicalResult checkRegion(Region &region, ValueRange given,
                            ShapeScope &inside,
                            llvm::function_ref<Value()> getExcuse) {
    Block &block = region.front();
    if (!mayRefuse(block))
      return success();
    IRMapping outside;
    for (auto [argument, value] : llvm::zip(block.getArguments(), given)) {
      if (!value)
        continue;
      outside.map(argument, value);
      if (isa<RankedTensorType>(value.getType()))
        inside.bind(argument, inside.shapeOf(value));
      else
        inside.bindIndex(argument, value);
    }
    Place place{inside, getExcuse()};
    for (Operation &op : llvm::make_early_inc_range(block)) {
      if (op.getNumRegions() != 0) {
        if (llvm::any_of(op.getRegions(),
                         [](Region &r) { return mayRefuse(r.front()); }))
          return op.emitOpError(
              "is in a region and has sizes that a run has to check");
      } else if (auto check = dyn_cast<te::CheckOp>(op)) {
        moveOut(check, place, outside);
        continue;
      } else if (!isa<GraphDialect>(op.getDialect()) &&
                 isMemoryEffectFree(&op)) {
        // What sizes are made of, as far as it comes from outside.
        if (llvm::all_of(op.getOperands(),
                         [&](Value v) { return outside.contains(v); }))
          for (auto [from, to] : llvm::zip(
                   op.getResults(), builder.clone(op, outside)->getResults()))
            if (isa<IndexType>(from.getType()))
              inside.bindIndex(from, to);
        continue;
      }
      if (failed(checkOperation(op, place)))
        return failure();
    }
    return success();
  }

  /// Whether a run may be refused for the sizes in a block.
  static bool mayRefuse(Block &block) {
    ShapeScope sizes(block.getParentOp()->getContext(),
                     ShapeScope::Sees::Definitions);
    return llvm::any_of(block, [&](Operation &op) {
      for (Region &region : op.getRegions())
        if (mayRefuse(region.front()))
          return true;
      if (isa<te::CheckOp>(op))
        return true;
      SmallVector<ShapeRequirement> requirements;
      return isa<ShapeOpInterface>(op) &&
             (llvm::any_of(op.getOperands(), isDynamic) ||
              llvm::any_of(op.getResults(), isDynamic)) &&
             (failed(inferShapes(&op, sizes, &requirements)) ||
              !requirements.empty());
    });
  }

  /// A comparison of sizes that a region checks is made in front of it.
  void moveOut(te::CheckOp check, Place place, IRMapping &outside) {
    Location loc = check.getLoc();
    auto size = [&](Value index) {
      return getValueOrCreateConstantIndexOp(
          builder, loc,
          place.scope.materialize(builder, loc, place.scope.valueOf(index)));
    };
    Value condition = outside.lookupOrNull(check.getCondition());
    if (!condition)
      if (auto compare = check.getCondition().getDefiningOp<arith::CmpIOp>())
        condition = builder.createOrFold<arith::CmpIOp>(
            loc, compare.getPredicate(), size(compare.getLhs()),
            size(compare.getRhs()));
    if (!condition)
      return;
    te::CheckOp::create(builder, loc, excused(condition, place),
                        check.getMessage(),
                        llvm::map_to_vector(check.getNumbers(), size));
    check.erase();
  }

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
