//===- Evaluator.cpp - Compile-time evaluation of kernels -----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Program/Evaluator.h"

#include "dialects/TE/TEDialect.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace acc;
using namespace acc::vta;

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

int64_t Evaluator::getInteger(Value value) const {
  return integers.lookup(value);
}

int64_t Evaluator::getInteger(OpFoldResult value) const {
  if (auto attribute = dyn_cast<Attribute>(value))
    return cast<IntegerAttr>(attribute).getInt();
  return getInteger(cast<Value>(value));
}

SmallVector<int64_t>
Evaluator::getIntegers(ArrayRef<OpFoldResult> values) const {
  return llvm::map_to_vector(values,
                             [&](OpFoldResult v) { return getInteger(v); });
}

const View &Evaluator::getView(Value value) const {
  return views.find(value)->second;
}

void Evaluator::assign(Value to, Value from) {
  if (mlir::isa<BaseMemRefType>(to.getType())) {
    View view = getView(from);
    views[to] = std::move(view);
  } else {
    integers[to] = getInteger(from);
  }
}

void Evaluator::assignAll(ValueRange to, ValueRange from) {
  // The sources may be among the destinations (a loop that swaps), so that all
  // are read first.
  SmallVector<std::pair<int64_t, View>> values;
  for (Value value : from) {
    bool isMemRef = mlir::isa<BaseMemRefType>(value.getType());
    values.emplace_back(isMemRef ? 0 : getInteger(value),
                        isMemRef ? getView(value) : View());
  }
  for (auto [value, read] : llvm::zip(to, values)) {
    if (mlir::isa<BaseMemRefType>(value.getType()))
      views[value] = read.second;
    else
      integers[value] = read.first;
  }
}

int64_t Evaluator::evaluate(AffineExpr expr, ValueRange operands,
                            unsigned numDims) const {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return constant.getValue();
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return getInteger(operands[dim.getPosition()]);
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return getInteger(operands[numDims + symbol.getPosition()]);
  auto binary = cast<AffineBinaryOpExpr>(expr);
  int64_t lhs = evaluate(binary.getLHS(), operands, numDims);
  int64_t rhs = evaluate(binary.getRHS(), operands, numDims);
  // Affine division by what is not positive is undefined; any value will do.
  if (rhs <= 0 && expr.getKind() != AffineExprKind::Add &&
      expr.getKind() != AffineExprKind::Mul)
    return 0;
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return lhs + rhs;
  case AffineExprKind::Mul:
    return lhs * rhs;
  case AffineExprKind::FloorDiv:
    return llvm::divideFloorSigned(lhs, rhs);
  case AffineExprKind::CeilDiv:
    return llvm::divideCeilSigned(lhs, rhs);
  default:
    return llvm::mod(lhs, rhs);
  }
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

LogicalResult Evaluator::run(FunctionOpInterface kernel, Visitor visitor) {
  visit = visitor;
  Block &entry = kernel.getFunctionBody().front();
  for (BlockArgument argument : entry.getArguments()) {
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type || !type.hasStaticShape() || !type.getLayout().isIdentity())
      return emitError(argument.getLoc())
             << "argument #" << argument.getArgNumber() << " of kernel '"
             << kernel.getName() << "' must be a memref with static shape and "
             << "identity layout, but is " << argument.getType();
    View view;
    view.buffer = argument.getArgNumber();
    view.sizes.assign(type.getShape().begin(), type.getShape().end());
    auto [strides, offset] = type.getStridesAndOffset();
    view.strides.assign(strides.begin(), strides.end());
    views[argument] = std::move(view);
  }
  return runBlock(entry);
}

LogicalResult
Evaluator::measure(FunctionOpInterface kernel,
                   llvm::DenseMap<Operation *, int64_t> &entries) {
  measured = &entries;
  LogicalResult result = run(kernel, [](Operation *) { return success(); });
  measured = nullptr;
  return result;
}

LogicalResult Evaluator::runBlock(Block &block) {
  for (Operation &op : block)
    if (failed(runOp(op)))
      return failure();
  return success();
}

/// Whether a loop tiles the anchor of a kernel in place. Its iterations update
/// different accumulators, or the same by sums that wrap around or by maxima.
static bool tilesAnchor(scf::ForOp loop) {
  auto axis = loop->getAttrOfType<DenseI64ArrayAttr>(te::TEDialect::kLoop);
  return axis && axis[0] > 0 && loop.getInitArgs().empty();
}

LogicalResult Evaluator::runFor(Operation &op) {
  auto loop = cast<scf::ForOp>(op);
  int64_t lower = getInteger(loop.getLowerBound());
  int64_t upper = getInteger(loop.getUpperBound());
  int64_t step = getInteger(loop.getStep());
  if (step <= 0)
    return loop.emitError() << "step " << step << " is not positive";
  assignAll(loop.getRegionIterArgs(), loop.getInitArgs());
  Operation *yield = loop.getBody()->getTerminator();
  int64_t count =
      upper > lower ? llvm::divideCeilSigned(upper - lower, step) : 0;
  bool isBackwards = turned.erase(loop);
  if (alternate && !isBackwards && tilesAnchor(loop))
    turned.insert(loop);
  for (int64_t i = 0; i < count; ++i) {
    integers[loop.getInductionVar()] =
        lower + (isBackwards ? count - 1 - i : i) * step;
    if (failed(runBlock(*loop.getBody())))
      return failure();
    assignAll(loop.getRegionIterArgs(), yield->getOperands());
  }
  assignAll(loop.getResults(), loop.getRegionIterArgs());
  return success();
}

LogicalResult Evaluator::runOp(Operation &op) {
  if (mlir::isa<LoadOp, StoreOp, GemmOp, ResetOp, AluOp>(op))
    return visit(&op);
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    if (auto value = dyn_cast<IntegerAttr>(constant.getValue()))
      integers[constant] = constant.getType().isInteger(1)
                               ? int64_t(value.getValue().getBoolValue())
                               : value.getInt();
    return success();
  }
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op)) {
    AffineMap map = apply.getAffineMap();
    integers[apply] =
        evaluate(map.getResult(0), apply.getOperands(), map.getNumDims());
    return success();
  }
  if (mlir::isa<affine::AffineMinOp, affine::AffineMaxOp>(op)) {
    bool isMin = mlir::isa<affine::AffineMinOp>(op);
    AffineMap map = isMin ? cast<affine::AffineMinOp>(op).getMap()
                          : cast<affine::AffineMaxOp>(op).getMap();
    int64_t best = 0;
    for (auto [index, result] : llvm::enumerate(map.getResults())) {
      int64_t value = evaluate(result, op.getOperands(), map.getNumDims());
      best = index == 0 ? value
             : isMin    ? std::min(best, value)
                        : std::max(best, value);
    }
    integers[op.getResult(0)] = best;
    return success();
  }
  if (mlir::isa<scf::ForOp>(op))
    return runFor(op);
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    Region &region = getInteger(branch.getCondition()) ? branch.getThenRegion()
                                                       : branch.getElseRegion();
    if (region.empty())
      return success();
    if (failed(runBlock(region.front())))
      return failure();
    assignAll(branch.getResults(),
              region.front().getTerminator()->getOperands());
    return success();
  }
  if (mlir::isa<memref::MemRefDialect>(op.getDialect()))
    return runMemRefOp(op);
  if (op.hasTrait<OpTrait::IsTerminator>())
    return success();

  auto binary = [&](auto compute) {
    integers[op.getResult(0)] =
        compute(getInteger(op.getOperand(0)), getInteger(op.getOperand(1)));
    return success();
  };
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case<arith::AddIOp>([&](auto) { return binary(std::plus<int64_t>()); })
      .Case<arith::SubIOp>([&](auto) { return binary(std::minus<int64_t>()); })
      .Case<arith::MulIOp>(
          [&](auto) { return binary(std::multiplies<int64_t>()); })
      .Case<arith::MinSIOp>([&](auto) {
        return binary([](int64_t a, int64_t b) { return std::min(a, b); });
      })
      .Case<arith::MaxSIOp>([&](auto) {
        return binary([](int64_t a, int64_t b) { return std::max(a, b); });
      })
      .Case<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtSIOp,
            arith::ExtUIOp>([&](Operation *cast) {
        integers[cast->getResult(0)] = getInteger(cast->getOperand(0));
        return success();
      })
      .Case<arith::CmpIOp>([&](arith::CmpIOp compare) {
        return binary([&](int64_t a, int64_t b) -> int64_t {
          return arith::applyCmpPredicate(
              compare.getPredicate(), APInt(64, a, true), APInt(64, b, true));
        });
      })
      .Case<arith::SelectOp>([&](arith::SelectOp select) {
        assign(select, getInteger(select.getCondition())
                           ? select.getTrueValue()
                           : select.getFalseValue());
        return success();
      })
      .Default([&](Operation *other) { return runFold(*other); });
}

LogicalResult Evaluator::runFold(Operation &op) {
  auto fail = [&] {
    return op.emitError() << "'" << op.getName() << "' cannot be evaluated at "
                          << "compile time in a kernel of the accelerator";
  };
  if (!isMemoryEffectFree(&op) || op.getNumRegions() != 0)
    return fail();
  SmallVector<Attribute> operands;
  for (Value operand : op.getOperands()) {
    if (!operand.getType().isIntOrIndex())
      return fail();
    operands.push_back(
        IntegerAttr::get(operand.getType(), getInteger(operand)));
  }
  SmallVector<OpFoldResult> results;
  // Folding may move operands around, which is undone by working on a copy.
  Operation *copy = op.clone();
  LogicalResult folded = copy->fold(operands, results);
  bool known = succeeded(folded) && results.size() == op.getNumResults();
  for (auto [result, value] : llvm::zip(op.getResults(), results)) {
    if (!known)
      break;
    if (auto attribute = dyn_cast<Attribute>(value)) {
      auto integer = dyn_cast<IntegerAttr>(attribute);
      known = bool(integer);
      if (integer)
        integers[result] = integer.getValue().getBitWidth() == 1
                               ? int64_t(integer.getValue().getBoolValue())
                               : integer.getValue().getSExtValue();
    } else {
      integers[result] = getInteger(cast<Value>(value));
    }
  }
  copy->destroy();
  return known ? success() : LogicalResult(fail());
}
