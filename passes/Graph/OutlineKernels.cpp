//===- OutlineKernels.cpp - The pass graph-outline-kernels ----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Graph.h"
#include "dialects/TE/TEDialect.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/ShapeChecks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

namespace acc::graph {
#define GEN_PASS_DEF_GRAPHOUTLINEKERNELS
#include "passes/Graph/Passes.h.inc"
} // namespace acc::graph

using namespace mlir;
using namespace acc;
using namespace acc::graph;

namespace {

/// Whether an operation stays outside of kernels where no policy placed it.
bool staysOutside(Operation *op) {
  return isFree(op) || isa<te::LaunchOp, te::CheckOp>(op) ||
         isa<tensor::EmptyOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp,
             tensor::CastOp, tensor::DimOp, tensor::ExtractOp,
             tensor::ExtractSliceOp>(op) ||
         (isa<arith::ArithDialect>(op->getDialect()) &&
          llvm::none_of(op->getOperandTypes(), llvm::IsaPred<TensorType>)) ||
         op->hasTrait<OpTrait::ConstantLike>() ||
         op->hasTrait<OpTrait::IsTerminator>();
}

/// The operations of one kernel, in their order in the function.
struct Group {
  std::string name;
  te::TargetAttrInterface target;
  /// Whether the target has memories of its own.
  bool hasMemories = false;
  StringAttr reason;
  SetVector<Operation *> ops;

  /// What comes from outside. On a target with memories of its own every reader
  /// has an argument of its own, since each may want the tensor in another one;
  /// elsewhere the reader is null.
  SetVector<std::pair<Value, Operation *>> inputs;
  SetVector<Value> results;
  /// The initial value of each result, defined outside; null if there is none.
  SmallVector<Value> inits;

  bool contains(Operation *op) const { return op && ops.contains(op); }

  Operation *readerOf(Operation *op) const {
    return hasMemories ? op : nullptr;
  }

  /// The group's operation that `op` is or is nested in.
  Operation *findMember(Operation *op) const {
    while (op && !ops.contains(op))
      op = op->getParentOp();
    return op;
  }
};

/// Follows destinations from a result to a value that the group does not
/// define.
Value findInit(const Group &group, Value result) {
  Value value = result;
  while (Operation *op = value.getDefiningOp()) {
    if (!group.contains(op))
      return value.getType() == result.getType() ? value : Value();
    if (auto styled = dyn_cast<DestinationStyleOpInterface>(op))
      value = styled.getTiedOpOperand(cast<OpResult>(value))->get();
    else if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
      value = insert.getDest();
    else
      return {};
  }
  return {};
}

LogicalResult findInterface(Group &group) {
  Operation *last = group.ops.back();
  for (Operation *op : group.ops) {
    op->walk([&](Operation *nested) {
      for (Value operand : nested->getOperands()) {
        Operation *owner = operand.getDefiningOp();
        if (!owner)
          owner = operand.getParentBlock()->getParentOp();
        bool isInside = group.findMember(owner) != nullptr;
        // Scalars and empty tensors are cheaper to repeat than to pass.
        if (!isInside && !isa<tensor::EmptyOp, arith::ConstantOp>(owner))
          group.inputs.insert({operand, group.readerOf(op)});
      }
    });
    for (Value result : op->getResults())
      for (Operation *user : result.getUsers()) {
        if (group.findMember(user))
          continue;
        Operation *top = last->getBlock()->findAncestorOpInBlock(*user);
        if (!top || !last->isBeforeInBlock(top))
          return user->emitOpError("uses a result of kernel '")
                 << group.name << "' before the kernel is complete";
        group.results.insert(result);
      }
  }
  SmallPtrSet<Value, 4> taken;
  for (Value result : group.results) {
    Value init = findInit(group, result);
    if (init && !taken.insert(init).second)
      init = {};
    group.inits.push_back(init);
    if (init)
      group.inputs.remove_if(
          [&](const auto &input) { return input.first == init; });
  }
  return success();
}

/// Letters, digits, '_' and '.'; everything else becomes '_'.
std::string sanitize(StringRef name) {
  std::string text;
  for (char c : name)
    text += llvm::isAlnum(c) || c == '.' ? c : '_';
  return text.empty() ? "kernel" : text;
}

class Outliner {
public:
  explicit Outliner(ModuleOp module)
      : symbols(module), builder(module.getContext()),
        scope(module.getContext(), ShapeScope::Sees::Definitions) {}

  LogicalResult run(func::FuncOp function) {
    if (failed(insertShapeChecks(function, scope)))
      return failure();
    llvm::MapVector<StringRef, Group> groups;
    dropViews(function);
    for (Operation &op : function.getBody().front())
      if (PlacementAttr placement = getPlacement(&op)) {
        StringRef name = placement.getKernel();
        if (failed(addTo(groups[name], op, name)))
          return failure();
      }
    SmallVector<Group> all;
    for (Operation &op : function.getBody().front()) {
      PlacementAttr placement = getPlacement(&op);
      if (!placement && !staysOutside(&op)) {
        Group single;
        SetVector<StringAttr> names;
        collectNames(op.getLoc(), names);
        if (failed(addTo(single, op,
                         names.empty() ? op.getName().stripDialect()
                                       : names.front().getValue())))
          return failure();
        all.push_back(std::move(single));
      } else if (placement && groups[placement.getKernel()].ops.back() == &op) {
        all.push_back(std::move(groups[placement.getKernel()]));
      }
    }
    for (Group &group : all)
      if (failed(outline(group, function)))
        return failure();
    return success();
  }

private:
  /// Unassigns views that would be kernels of their own, which cost nothing.
  /// They are placed until here because conversions of layout are named after
  /// the kernels that compute what is converted.
  static void dropViews(func::FuncOp function) {
    llvm::StringMap<unsigned> sizes;
    for (Operation &op : function.getBody().front())
      if (PlacementAttr placement = getPlacement(&op))
        ++sizes[placement.getKernel()];
    for (auto slice : function.getBody().front().getOps<SliceOp>()) {
      PlacementAttr placement = getPlacement(slice);
      if (placement && sizes[placement.getKernel()] == 1 && isFree(slice))
        slice->removeAttr(GraphDialect::kPlacement);
    }
  }

  /// Adds an operation to the group that it is assigned to; the host runs what
  /// says nothing else.
  static LogicalResult addTo(Group &group, Operation &op, StringRef name) {
    PlacementAttr placement = getPlacement(&op);
    Attribute attribute = placement ? placement.getTarget() : Attribute();
    if (!attribute)
      attribute = te::HostAttr::get(op.getContext());
    auto target = dyn_cast<te::TargetAttrInterface>(attribute);
    if (!target)
      return op.emitOpError("is placed on ")
             << attribute << ", which is no target: expected one such as "
             << te::HostAttr::get(op.getContext());
    if (!group.ops.empty() && group.target != target)
      return op.emitOpError("is placed on ")
             << target << ", but its kernel '" << name << "' is on "
             << group.target;
    group.name = name.str();
    group.ops.insert(&op);
    group.target = target;
    group.hasMemories = !target.getMemories().empty();
    if (placement && placement.getReason())
      group.reason = placement.getReason();
    return success();
  }

  /// Gives the kernel's arguments names for sizes that are not known, equal
  /// names for equal sizes.
  void nameSizes(te::KernelOp kernel, const Group &group) {
    DenseMap<AffineExpr, StringAttr> names;
    unsigned count = 0;
    auto name = [&](unsigned index, Value value) {
      if (!isDynamic(value))
        return;
      SmallVector<Attribute> dims;
      for (AffineExpr size : scope.shapeOf(value).sizes) {
        StringAttr &known = names[size];
        if (getKnownSize(size))
          known = builder.getStringAttr("");
        else if (!known)
          known = builder.getStringAttr("d" + Twine(count++));
        dims.push_back(known);
      }
      kernel.setArgAttr(index, GraphDialect::kDims, builder.getArrayAttr(dims));
    };
    unsigned index = 0;
    for (auto [input, reader] : group.inputs)
      name(index++, input);
    for (Value result : group.results)
      name(index++, result);
  }

  LogicalResult outline(Group &group, func::FuncOp function) {
    if (failed(findInterface(group)))
      return failure();
    SmallVector<Location> locations;
    SetVector<StringAttr> names;
    for (Operation *op : group.ops) {
      locations.push_back(op->getLoc());
      collectNames(op->getLoc(), names);
    }
    Location loc = FusedLoc::get(builder.getContext(), locations);

    SmallVector<Type> arguments, results;
    SmallVector<Value> inputs;
    for (auto [input, reader] : group.inputs) {
      inputs.push_back(input);
      arguments.push_back(input.getType());
    }
    for (Value result : group.results)
      results.push_back(result.getType());
    llvm::append_range(arguments, results);

    builder.setInsertionPoint(function);
    auto kernel = te::KernelOp::create(
        builder, loc, builder.getStringAttr(sanitize(group.name)),
        TypeAttr::get(builder.getFunctionType(arguments, results)),
        group.target, /*schedule=*/Attribute(), getLayers(names),
        /*arg_attrs=*/ArrayAttr(), /*res_attrs=*/ArrayAttr());
    if (group.reason)
      kernel->setAttr(GraphDialect::kReason, group.reason);
    StringAttr symbol = symbols.insert(kernel);
    fillBody(kernel, group);
    nameSizes(kernel, group);

    builder.setInsertionPointAfter(group.ops.back());
    SmallVector<Value> inits;
    for (auto [result, init] : llvm::zip(group.results, group.inits))
      inits.push_back(init ? init : createInit(result, loc));
    auto call = te::LaunchOp::create(builder, loc, results,
                                     FlatSymbolRefAttr::get(symbol), inputs,
                                     inits, builder.getStringAttr(group.name));
    for (auto [original, replacement] :
         llvm::zip(group.results, call.getResults())) {
      Value result = original;
      if (isDynamic(result))
        scope.bind(replacement, scope.shapeOf(result));
      result.replaceUsesWithIf(replacement, [&](OpOperand &use) {
        return !group.findMember(use.getOwner());
      });
    }
    for (Operation *op : llvm::reverse(group.ops))
      op->erase();
    return success();
  }

  Value createInit(Value result, Location loc) {
    auto type = cast<RankedTensorType>(result.getType());
    SmallVector<Value> sizes;
    for (OpFoldResult size : scope.materialize(builder, loc, result))
      if (auto value = dyn_cast<Value>(size))
        sizes.push_back(value);
    return tensor::EmptyOp::create(builder, loc, type.getShape(),
                                   type.getElementType(), sizes);
  }

  ArrayAttr getLayers(const SetVector<StringAttr> &names) {
    SmallVector<Attribute> layers(names.begin(), names.end());
    return names.empty() ? ArrayAttr() : builder.getArrayAttr(layers);
  }

  void fillBody(te::KernelOp kernel, const Group &group) {
    Block *body = builder.createBlock(&kernel.getBody());
    IRMapping mapping;
    DenseMap<std::pair<Value, Operation *>, Value> arguments;
    for (auto input : group.inputs)
      arguments[input] =
          body->addArgument(input.first.getType(), input.first.getLoc());
    for (auto [result, init] : llvm::zip(group.results, group.inits)) {
      BlockArgument argument =
          body->addArgument(result.getType(), result.getLoc());
      if (init)
        mapping.map(init, argument);
    }
    builder.setInsertionPointToEnd(body);
    for (Operation *op : group.ops) {
      op->walk([&](Operation *nested) {
        for (Value operand : nested->getOperands()) {
          if (Value argument = arguments.lookup({operand, group.readerOf(op)}))
            mapping.map(operand, argument);
          Operation *owner = operand.getDefiningOp();
          if (owner && !group.findMember(owner) && !mapping.contains(operand))
            builder.clone(*owner, mapping);
        }
      });
      Operation *copy = builder.clone(*op, mapping);
      copy->removeAttr(GraphDialect::kPlacement);
      copy->removeAttr(GraphDialect::kReason);
    }
    SmallVector<Value> results;
    for (Value result : group.results)
      results.push_back(mapping.lookup(result));
    te::ReturnOp::create(builder, kernel.getLoc(), results);
  }

  SymbolTable symbols;
  OpBuilder builder;
  ShapeScope scope;
};

class GraphOutlineKernels
    : public graph::impl::GraphOutlineKernelsBase<GraphOutlineKernels> {
  void runOnOperation() override {
    for (auto function :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (function.isExternal())
        continue;
      if (!function.getBody().hasOneBlock()) {
        function.emitOpError("must have one block to be split into kernels");
        return signalPassFailure();
      }
      if (failed(Outliner(getOperation()).run(function)))
        return signalPassFailure();
    }
  }
};

} // namespace
