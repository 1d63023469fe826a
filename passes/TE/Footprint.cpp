//===- Footprint.cpp - What a kernel needs, for any tile sizes ------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Goes from the result of a kernel back to its arguments, carrying what one
// tile needs of every value, by the rules of te-tile and te-cache.
//
//===----------------------------------------------------------------------===//

#include "passes/TE/Footprint.h"

#include "passes/TE/ArgumentSlice.h"

#include "mlir/Analysis/FlatLinearValueConstraints.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace acc::te;

static void addUnitLoops(Builder &builder, linalg::GenericOp op) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (op.getNumDpsInits() != 1)
    return;
  AffineMap out = maps.back();
  SmallVector<unsigned> constants;
  for (auto [position, expr] : llvm::enumerate(out.getResults()))
    if (auto constant = dyn_cast<AffineConstantExpr>(expr))
      if (constant.getValue() == 0)
        constants.push_back(position);
  if (constants.empty())
    return;
  // The new loops stand where the result has them, before the reductions.
  SmallVector<utils::IteratorType> kinds = op.getIteratorTypesArray();
  unsigned first = 0;
  while (first < kinds.size() && kinds[first] == utils::IteratorType::parallel)
    ++first;
  unsigned count = constants.size(), loops = kinds.size() + count;
  SmallVector<AffineExpr> shifted;
  for (unsigned dim = 0; dim < kinds.size(); ++dim)
    shifted.push_back(
        builder.getAffineDimExpr(dim < first ? dim : dim + count));
  for (AffineMap &map : maps)
    map = map.replaceDimsAndSymbols(shifted, {}, loops, 0);
  SmallVector<AffineExpr> results(maps.back().getResults());
  for (auto [index, position] : llvm::enumerate(constants))
    results[position] = builder.getAffineDimExpr(first + index);
  maps.back() = AffineMap::get(loops, 0, results, op.getContext());
  kinds.insert(kinds.begin() + first, count, utils::IteratorType::parallel);
  op.setIndexingMapsAttr(builder.getAffineMapArrayAttr(maps));
  op.setIteratorTypesAttr(builder.getArrayAttr(
      llvm::map_to_vector(kinds, [&](utils::IteratorType kind) -> Attribute {
        return linalg::IteratorTypeAttr::get(op.getContext(), kind);
      })));
}

bool acc::te::isStore(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1)
    return false;
  Value init = op.getDpsInits()[0];
  while (auto slice = init.getDefiningOp<tensor::ExtractSliceOp>())
    init = slice.getSource();
  // Other operations than loops and kernels define values of their own.
  return isa<BlockArgument>(init) &&
         op.getBlock()->getTerminator()->getOperand(0) ==
             op.getBlock()->getArgument(0) &&
         llvm::all_of(op.getIndexingMapsArray(),
                      [](AffineMap map) { return map.isIdentity(); });
}

void acc::te::addUnitLoops(KernelOp kernel) {
  Builder builder(kernel.getContext());
  kernel.walk([&](linalg::GenericOp op) { ::addUnitLoops(builder, op); });
}

/// The memory of a role; an empty one if the target has none for it.
static Memory findMemory(TargetAttrInterface target, Role role) {
  Attribute space = target.getMemorySpace(role);
  for (const Memory &memory : target.getMemories())
    if (memory.space == space)
      return memory;
  return {};
}

bool acc::te::isProduct(linalg::LinalgOp op, TargetAttrInterface target) {
  SmallVector<OpOperand *> inputs = op.getDpsInputOperands();
  // What the body does not read only says how long loops are.
  llvm::erase_if(inputs, [&](OpOperand *input) {
    return op.getMatchingBlockArgument(input).use_empty();
  });
  auto holds = [&](OpOperand *input, Role role) {
    return getElementTypeOrSelf(input->get().getType()) ==
           findMemory(target, role).type;
  };
  return inputs.size() == 2 && holds(inputs[0], Role::Input) &&
         holds(inputs[1], Role::Weight);
}

/// The role of an operand: products have inputs and weights, everything else is
/// computed on what is accumulated.
static Role getRole(OpOperand &operand, bool isProduct) {
  auto op = cast<linalg::LinalgOp>(operand.getOwner());
  if (!isProduct || op.isDpsInit(&operand))
    return Role::Accumulator;
  return operand.getOperandNumber() == 0 ? Role::Input : Role::Weight;
}

SmallVector<unsigned> acc::te::getOuterReductions(linalg::LinalgOp op,
                                                  TargetAttrInterface target) {
  bool multiplies = acc::te::isProduct(op, target);
  llvm::SmallDenseSet<unsigned> inner;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    bool counts = op.isDpsInit(&operand) ||
                  !op.getMatchingBlockArgument(&operand).use_empty();
    size_t rank = findMemory(target, getRole(operand, multiplies)).shape.size();
    if (!counts || map.getNumResults() < rank)
      continue;
    for (AffineExpr expr : map.getResults().take_back(rank))
      for (unsigned dim = 0; dim < map.getNumDims(); ++dim)
        if (expr.isFunctionOfDim(dim))
          inner.insert(dim);
  }
  SmallVector<unsigned> outer;
  for (auto [index, kind] : llvm::enumerate(op.getIteratorTypesArray()))
    if (kind == utils::IteratorType::reduction && !inner.contains(index))
      outer.push_back(index);
  return outer;
}

linalg::LinalgOp acc::te::findAnchor(KernelOp kernel) {
  linalg::LinalgOp anchor;
  int64_t most = 0;
  TargetAttrInterface target = kernel.getTargetInterface();
  for (auto op : kernel.getBody().front().getOps<linalg::LinalgOp>()) {
    if (getOuterReductions(op, target).empty())
      continue;
    int64_t work = 1;
    for (int64_t extent : op.getStaticLoopRanges())
      work *= ShapedType::isDynamic(extent) ? 1 : extent;
    if (!anchor || work >= most) {
      anchor = op;
      most = work;
    }
  }
  return anchor;
}

namespace {

using Forms = SmallVector<AffineExpr>;

class Reader {
public:
  Reader(KernelOp kernel, std::string &reason)
      : kernel(kernel), target(kernel.getTargetInterface()), reason(reason),
        context(kernel.getContext()) {}

  FailureOr<Footprint> run();

private:
  LogicalResult fail(const Twine &why) {
    reason = why.str();
    return failure();
  }

  /// The number of dimensions inside of an element of what plays `role`.
  size_t elementRank(Role role) {
    return findMemory(target, role).shape.size();
  }

  ArrayRef<int64_t> outerShape(Value value, Role role = Role::Accumulator) {
    return cast<RankedTensorType>(value.getType())
        .getShape()
        .drop_back(elementRank(role));
  }

  int64_t elementBytes(Value value, Role role = Role::Accumulator) {
    auto type = cast<RankedTensorType>(value.getType());
    int64_t bits = type.getElementTypeBitWidth();
    for (int64_t size : type.getShape().take_back(elementRank(role)))
      bits *= size;
    return bits / 8;
  }

  /// Positions are linear in the axes, and behind them in what operations
  /// beside the anchor reduce, of which a tile has all.
  unsigned getNumDims() const {
    return footprint.axes.size() + reducedWhole.size();
  }

  void setPlace(Staged &staged, ArrayRef<AffineExpr> forms);

  AffineMap locate(Value value, Forms forms);
  LogicalResult checkLinear(linalg::LinalgOp op);
  /// Whether a loop moves an operand from one element to another.
  bool leadsOutside(linalg::LinalgOp op, unsigned loop);
  LogicalResult addAxes(Value result, linalg::LinalgOp anchor);
  LogicalResult visit(linalg::LinalgOp op, bool isAnchor);
  LogicalResult visitInputs(linalg::LinalgOp op, bool isAnchor,
                            ArrayRef<AffineExpr> byLoop);
  LogicalResult need(Value value, const Forms &forms, Role role, bool mutated,
                     bool forAnchor);

  KernelOp kernel;
  TargetAttrInterface target;
  std::string &reason;
  MLIRContext *context;
  Footprint footprint;
  /// Positions of a tile's slice, per value that it needs.
  DenseMap<Value, Forms> needs;
  /// The axis of each reduction of the anchor, by the number of its loop.
  DenseMap<unsigned, AffineExpr> reductions;
  /// The different extents of what operations beside the anchor reduce.
  SmallVector<int64_t> reducedWhole;
  DenseSet<Value> mutated;
  /// The slices of arguments that are staged.
  SmallVector<std::tuple<unsigned, AffineMap, Role>> read;
};

} // namespace

LogicalResult Reader::checkLinear(linalg::LinalgOp op) {
  bool multiplies = isProduct(op, target);
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    // Inside of an element nothing is tiled.
    size_t inside = std::min<size_t>(elementRank(getRole(operand, multiplies)),
                                     map.getNumResults());
    for (AffineExpr expr : map.getResults().drop_back(inside)) {
      SmallVector<int64_t> coefficients;
      if (failed(getFlattenedAffineExpr(expr, map.getNumDims(),
                                        map.getNumSymbols(), &coefficients)) ||
          coefficients.size() != map.getNumDims() + 1) {
        std::string text;
        llvm::raw_string_ostream(text) << map;
        return fail("an operand is accessed by " + text +
                    ", which is not linear");
      }
    }
  }
  return success();
}

bool Reader::leadsOutside(linalg::LinalgOp op, unsigned loop) {
  bool multiplies = isProduct(op, target);
  return llvm::any_of(op.getDpsInputOperands(), [&](OpOperand *input) {
    AffineMap map = op.getMatchingIndexingMap(input);
    size_t inside = std::min<size_t>(elementRank(getRole(*input, multiplies)),
                                     map.getNumResults());
    return !op.getMatchingBlockArgument(input).use_empty() &&
           llvm::any_of(
               map.getResults().drop_back(inside),
               [&](AffineExpr expr) { return expr.isFunctionOfDim(loop); });
  });
}

/// The outer dimensions of the result are the parallel axes; the reductions of
/// the anchor outside of an element are the others.
LogicalResult Reader::addAxes(Value result, linalg::LinalgOp anchor) {
  if (cast<RankedTensorType>(result.getType()).getRank() <=
      static_cast<int64_t>(elementRank(Role::Accumulator)))
    return fail("its result is not packed into hardware elements");
  Forms forms;
  for (auto [index, size] : llvm::enumerate(outerShape(result))) {
    footprint.axes.push_back({size, static_cast<unsigned>(index), false});
    forms.push_back(getAffineDimExpr(index, context));
  }
  needs[result] = forms;
  if (!anchor)
    return success();
  footprint.isProduct = isProduct(anchor, target);
  SmallVector<int64_t> extents = anchor.getStaticLoopRanges();
  auto add = [&](unsigned index, bool isWhole) {
    reductions[index] = getAffineDimExpr(footprint.axes.size(), context);
    footprint.axes.push_back({extents[index], index, true, isWhole});
  };
  for (unsigned index : getOuterReductions(anchor, target))
    add(index, false);
  // Of others that lead from one element to the next, tiles have all of it.
  for (auto [index, kind] : llvm::enumerate(anchor.getIteratorTypesArray()))
    if (kind == utils::IteratorType::reduction && !reductions.contains(index) &&
        leadsOutside(anchor, index))
      add(index, true);
  return success();
}

/// Says where a buffer is: a linear form of the axes per dimension, and how far
/// it reaches beyond by what is reduced whole.
void Reader::setPlace(Staged &staged, ArrayRef<AffineExpr> forms) {
  const unsigned numAxes = footprint.axes.size();
  SmallVector<AffineExpr> first(getNumDims(),
                                getAffineConstantExpr(0, context));
  for (unsigned axis = 0; axis < numAxes; ++axis)
    first[axis] = getAffineDimExpr(axis, context);
  SmallVector<AffineExpr> places;
  for (AffineExpr form : forms) {
    places.push_back(simplifyAffineExpr(form.replaceDims(first), numAxes, 0));
    SmallVector<int64_t> coefficients;
    int64_t &reach = staged.reach.emplace_back(0);
    if (succeeded(getFlattenedAffineExpr(form, getNumDims(), 0, &coefficients)))
      for (auto [index, extent] : llvm::enumerate(reducedWhole))
        reach += std::abs(coefficients[numAxes + index]) * (extent - 1);
  }
  staged.map = AffineMap::get(numAxes, 0, places, context);
}

/// Where in a kernel argument the positions of `value`, a slice of it, are.
AffineMap Reader::locate(Value value, Forms forms) {
  for (; Operation *op = value.getDefiningOp(); value = op->getOperand(0)) {
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
      for (auto [form, offset, stride] :
           llvm::zip(forms, slice.getStaticOffsets(), slice.getStaticStrides()))
        form = form * stride + offset;
    else
      for (auto [form, low] :
           llvm::zip(forms, cast<tensor::PadOp>(op).getStaticLow()))
        form = form - low;
  }
  return AffineMap::get(getNumDims(), 0, forms, context);
}

/// Notes that a tile needs a slice of `value`: a kernel argument is read, an
/// intermediate value is computed by its producer.
LogicalResult Reader::need(Value value, const Forms &forms, Role role,
                           bool isMutated, bool forAnchor) {
  BlockArgument argument = findArgument(value);
  if (!argument) {
    const Forms &known = needs.try_emplace(value, forms).first->second;
    if (known != forms)
      return fail("a value is read by two operations in different tiles");
    return success();
  }
  // Identical read-only slices are staged once.
  auto key =
      std::make_tuple(argument.getArgNumber(), locate(value, forms), role);
  bool isKnown = llvm::is_contained(read, key);
  if (isKnown && !isMutated)
    return success();
  if (!isKnown)
    read.push_back(key);
  Staged buffer;
  buffer.role = role;
  buffer.argument = argument.getArgNumber();
  buffer.elementBytes = elementBytes(value, role);
  buffer.isMutated = isMutated;
  buffer.isForAnchor = forAnchor;
  buffer.sizes = llvm::to_vector(outerShape(value, role));
  size_t rank = forms.size();
  buffer.low.assign(rank, 0);
  buffer.padded.assign(rank, false);
  Forms positions = forms;
  for (; Operation *op = value.getDefiningOp(); value = op->getOperand(0)) {
    bool isPadded = llvm::is_contained(buffer.padded, true);
    if (auto pad = dyn_cast<tensor::PadOp>(op)) {
      if (isPadded)
        return fail("an argument is padded twice");
      for (size_t dim = 0; dim < rank; ++dim) {
        buffer.low[dim] = pad.getStaticLow()[dim];
        buffer.padded[dim] = buffer.low[dim] != 0 || pad.getStaticHigh()[dim];
      }
      buffer.extents = llvm::to_vector(outerShape(pad.getSource(), role));
    } else if (!isPadded) {
      // Slices before the padding only shrink what is padded.
      auto slice = cast<tensor::ExtractSliceOp>(op);
      if (!slice.hasUnitStride()) {
        // What is left out between its elements counts as little as what is
        // beyond them.
        buffer.isStrided = true;
        buffer.extents = llvm::to_vector(outerShape(slice, role));
        break;
      }
      for (size_t dim = 0; dim < rank; ++dim)
        positions[dim] = positions[dim] + slice.getStaticOffsets()[dim];
      buffer.extents = llvm::to_vector(outerShape(slice.getSource(), role));
    }
  }
  if (buffer.extents.empty())
    buffer.extents = buffer.sizes;
  setPlace(buffer, positions);
  footprint.buffers.push_back(std::move(buffer));
  return success();
}

LogicalResult Reader::visitInputs(linalg::LinalgOp op, bool isAnchor,
                                  ArrayRef<AffineExpr> byLoop) {
  bool isWidened = !isAnchor && isOnlyCast<arith::ExtSIOp>(op);
  bool multiplies = isProduct(op, target);
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (!isa<RankedTensorType>(input->get().getType()) ||
        op.getMatchingBlockArgument(input).use_empty())
      continue;
    AffineMap map = op.getMatchingIndexingMap(input);
    Role role = getRole(*input, multiplies);
    Forms forms;
    for (AffineExpr expr : map.getResults().drop_back(
             std::min<size_t>(elementRank(role), map.getNumResults()))) {
      for (unsigned dim = 0; dim < map.getNumDims(); ++dim)
        if (expr.isFunctionOfDim(dim) && !byLoop[dim])
          return fail("an operand is not packed into hardware elements");
      // A dimension that no loop moves in is read whole, wherever the operation
      // looks.
      if (isa<AffineConstantExpr>(expr))
        expr = getAffineConstantExpr(0, context);
      forms.push_back(
          simplifyAffineExpr(expr.replaceDims(byLoop), getNumDims(), 0));
    }
    bool isMutated = isWidened && mutated.contains(op->getResult(0));
    if (failed(need(input->get(), forms, role, isMutated, isAnchor)))
      return failure();
  }
  return success();
}

LogicalResult Reader::visit(linalg::LinalgOp op, bool isAnchor) {
  Value result = op->getResult(0);
  auto known = needs.find(result);
  if (known == needs.end())
    return success();
  Forms forms = known->second;
  // Where each loop is, in terms of the axes; null inside of an element.
  SmallVector<AffineExpr> byLoop(op.getNumLoops());
  OpOperand *init = op.getDpsInitOperand(0);
  for (auto [expr, form] :
       llvm::zip(op.getMatchingIndexingMap(init).getResults(), forms)) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim)
      return fail("its results are not accessed loop by loop");
    byLoop[dim.getPosition()] = form;
  }
  if (isAnchor)
    for (auto [loop, axis] : reductions)
      byLoop[loop] = axis;
  else
    for (unsigned loop : getOuterReductions(op, target)) {
      auto *extent = llvm::find(reducedWhole, op.getStaticLoopRanges()[loop]);
      byLoop[loop] = getAffineDimExpr(
          footprint.axes.size() + (extent - reducedWhole.begin()), context);
    }

  bool isFill = isa<linalg::FillOp>(op.getOperation());
  bool widens = isOnlyCast<arith::ExtSIOp>(op),
       stores = isOnlyCast<arith::TruncIOp>(op) || isStore(op);
  footprint.steps += !isFill && !isAnchor && !widens && !stores;
  if (failed(visitInputs(op, isAnchor, byLoop)))
    return failure();
  Operation *initial = init->get().getDefiningOp();
  if (stores) {
    Staged store;
    store.role = Role::Output;
    setPlace(store, forms);
    store.elementBytes = elementBytes(result);
    store.extents = llvm::to_vector(outerShape(result));
    footprint.stores.push_back(std::move(store));
    return success();
  }
  if (!initial)
    return fail("it accumulates into one of its arguments");
  if (!isa<tensor::EmptyOp>(initial))
    return need(init->get(), forms, Role::Accumulator, /*isMutated=*/true,
                /*forAnchor=*/false);
  // What an argument is widened into is the target of its read.
  if (widens && findArgument(op.getDpsInputs()[0]))
    return success();
  // Every use of an initial value changes it in place, in a buffer of its own.
  size_t count = isFill ? llvm::range_size(result.getUses()) : 1;
  Staged buffer;
  setPlace(buffer, forms);
  buffer.sizes = llvm::to_vector(outerShape(result));
  footprint.buffers.insert(footprint.buffers.end(), count, buffer);
  return success();
}

FailureOr<Footprint> Reader::run() {
  Block &block = kernel.getBody().front();
  Operation *terminator = block.getTerminator();
  if (terminator->getNumOperands() != 1)
    return fail("it has " + Twine(terminator->getNumOperands()) +
                " results, not one");
  Value result = terminator->getOperand(0);
  if (auto insert = result.getDefiningOp<tensor::InsertSliceOp>())
    result = insert.getSource();
  SmallVector<linalg::LinalgOp> ops;
  for (auto op : block.getOps<linalg::LinalgOp>()) {
    if (op->getNumResults() != 1)
      return fail("one of its operations has several results");
    ops.push_back(op);
    if (failed(checkLinear(op)))
      return failure();
  }
  linalg::LinalgOp anchor = findAnchor(kernel);
  if (ops.empty() || result.getDefiningOp() != ops.back())
    return fail("its result is not computed by its last operation");
  for (linalg::LinalgOp op : ops)
    for (OpOperand &use : op->getResult(0).getUses())
      if (auto user = dyn_cast<linalg::GenericOp>(use.getOwner()))
        if (user.isDpsInit(&use))
          mutated.insert(op->getResult(0));
  if (failed(addAxes(result, anchor)))
    return failure();
  for (linalg::LinalgOp op : ops)
    if (op != anchor)
      for (unsigned loop : getOuterReductions(op, target))
        if (int64_t extent = op.getStaticLoopRanges()[loop];
            !llvm::is_contained(reducedWhole, extent))
          reducedWhole.push_back(extent);
  for (linalg::LinalgOp op : llvm::reverse(ops))
    if (failed(visit(op, op == anchor)))
      return failure();
  return std::move(footprint);
}

FailureOr<Footprint> acc::te::describe(KernelOp kernel, std::string &reason) {
  // As te-tile will see it; the kernel itself stays what it is.
  OwningOpRef<KernelOp> copy(cast<KernelOp>(kernel->clone()));
  addUnitLoops(*copy);
  return Reader(*copy, reason).run();
}
