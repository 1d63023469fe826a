//===- Body.cpp - The body of a function in C -----------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/C/Body.h"

#include "dialects/TE/TEDialect.h"
#include "passes/C/Types.h"

#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace acc;
using namespace acc::c;

/// The strides of a buffer, if all are known.
static FailureOr<SmallVector<int64_t>> getStrides(MemRefType type) {
  SmallVector<int64_t> strides;
  int64_t offset = 0;
  if (failed(type.getStridesAndOffset(strides, offset)) ||
      !type.hasStaticShape() ||
      llvm::is_contained(strides, ShapedType::kDynamic))
    return failure();
  return strides;
}

static LogicalResult failForSize(Operation *op) {
  return op->emitError("needs sizes and strides that are known");
}

bool acc::c::Body::isOnlyRead(Value buffer) {
  return llvm::all_of(buffer.getUses(), [](OpOperand &use) {
    Operation *user = use.getOwner();
    if (isa<memref::LoadOp, memref::DimOp>(user))
      return true;
    if (isa<ViewLikeOpInterface>(user))
      return isOnlyRead(user->getResult(0));
    if (auto copy = dyn_cast<memref::CopyOp>(user))
      return copy.getTarget() != use.get();
    return false;
  });
}

/// Whether a pointer in C may only be read through, by the name of its type.
bool acc::c::Body::isConst(Value buffer) {
  Value pointer = mapping.lookup(buffer);
  Type type = pointer.getType();
  if (auto plain = dyn_cast<emitc::PointerType>(type))
    type = plain.getPointee();
  if (isa<emitc::ArrayType>(type))
    return pointer.getDefiningOp<emitc::GetGlobalOp>() != nullptr;
  auto opaque = dyn_cast<emitc::OpaqueType>(type);
  return opaque && opaque.getValue().starts_with("const ");
}

Value acc::c::Body::at(Location loc, Type element, bool isRead, Value base,
                       Value bytes) {
  std::string name = (isRead ? "const " : "") + getStoredName(element);
  auto arguments =
      builder.getArrayAttr({emitc::OpaqueAttr::get(builder.getContext(), name),
                            builder.getIndexAttr(0), builder.getIndexAttr(1)});
  return emitc::CallOpaqueOp::create(
             builder, loc, getPointerType(element, isRead, "const"), "ACC_AT",
             ValueRange{base, bytes}, arguments)
      .getResult(0);
}

Value acc::c::Body::variable(Location loc, Type type) {
  return emitc::VariableOp::create(
      builder, loc, emitc::LValueType::get(type),
      emitc::OpaqueAttr::get(builder.getContext(), ""));
}

Value acc::c::Body::read(Value variable) {
  auto type = cast<emitc::LValueType>(variable.getType()).getValueType();
  return emitc::LoadOp::create(builder, variable.getLoc(), type, variable);
}

void acc::c::Body::write(Value variable, Value value) {
  emitc::AssignOp::create(builder, variable.getLoc(), variable, value);
}

FailureOr<SmallVector<Value>> acc::c::Body::variables(Operation *op,
                                                      TypeRange types) {
  SmallVector<Value> result;
  for (Type type : types) {
    Type value = getValueType(type);
    if (!value)
      return op->emitError("has a value of type ")
             << type << ", which C does not have";
    result.push_back(variable(op->getLoc(), value));
  }
  return result;
}

void acc::c::Body::yield(ValueRange values, ValueRange variables) {
  // All are known before any variable changes.
  for (auto [value, variable] : llvm::zip(values, variables))
    write(variable, mapping.lookup(value));
}

void acc::c::Body::readResults(Operation *op, ValueRange variables) {
  for (auto [result, variable] : llvm::zip(op->getResults(), variables))
    if (!result.use_empty())
      mapping.map(result, read(variable));
}

Value acc::c::Body::index(Location loc, ArrayRef<OpFoldResult> positions,
                          ArrayRef<int64_t> strides) {
  Value sum;
  int64_t known = 0;
  Type type = emitc::SizeTType::get(builder.getContext());
  auto add = [&](Value term) {
    sum = sum ? emitc::AddOp::create(builder, loc, type, sum, term).getResult()
              : term;
  };
  for (auto [position, stride] : llvm::zip(positions, strides)) {
    if (std::optional<int64_t> number = getConstantIntValue(position)) {
      known += *number * stride;
      continue;
    }
    Value term = mapping.lookup(cast<Value>(position));
    if (stride != 1)
      term = emitc::MulOp::create(builder, loc, type, term,
                                  scalars.size(loc, stride));
    add(term);
  }
  if (known != 0 || !sum)
    add(scalars.size(loc, known));
  return sum;
}

Value acc::c::Body::element(Location loc, Value buffer, MemRefType type,
                            Value index) {
  Value pointer = mapping.lookup(buffer);
  if (!isa<emitc::OpaqueType>(pointer.getType()))
    pointer = at(loc, type.getElementType(), isConst(buffer), pointer,
                 scalars.size(loc, 0));
  return emitc::SubscriptOp::create(
      builder, loc,
      emitc::LValueType::get(getStoredType(type.getElementType())), pointer,
      index);
}

Value acc::c::Body::load(Location loc, Value buffer, MemRefType type,
                         Value index) {
  Value stored = read(element(loc, buffer, type, index));
  Type wanted = getValueType(type.getElementType());
  if (wanted.isInteger(1))
    return scalars.compare(loc, emitc::CmpPredicate::ne, stored,
                           scalars.literal(loc, stored.getType(), "0"));
  return scalars.cast(stored, wanted);
}

void acc::c::Body::store(Location loc, Value value, Value buffer,
                         MemRefType type, Value index) {
  Type stored = getStoredType(type.getElementType());
  if (value.getType().isInteger(1) || isa<emitc::SizeTType>(value.getType()))
    value = scalars.cast(value, stored);
  write(element(loc, buffer, type, index), value);
}

LogicalResult acc::c::Body::view(Operation *op, Value source,
                                 ArrayRef<OpFoldResult> offsets,
                                 ArrayRef<int64_t> strides) {
  Value pointer = mapping.lookup(source);
  Location loc = op->getLoc();
  Type element = cast<MemRefType>(source.getType()).getElementType();
  bool isRead = isConst(source);
  bool moves = llvm::any_of(llvm::zip(offsets, strides), [](auto pair) {
    return getConstantIntValue(std::get<0>(pair)) != 0 &&
           std::get<1>(pair) != 0;
  });
  if (moves) {
    if (!isa<emitc::OpaqueType>(pointer.getType()))
      pointer = at(loc, element, isRead, pointer, scalars.size(loc, 0));
    pointer = emitc::AddOp::create(builder, loc,
                                   getPointerType(element, isRead, "const"),
                                   pointer, index(loc, offsets, strides));
  }
  mapping.map(op->getResult(0), pointer);
  return success();
}

LogicalResult acc::c::Body::copy(memref::CopyOp op) {
  Location loc = op.getLoc();
  auto source = cast<MemRefType>(op.getSource().getType()),
       target = cast<MemRefType>(op.getTarget().getType());
  FailureOr<SmallVector<int64_t>> from = getStrides(source),
                                  to = getStrides(target);
  if (failed(from) || failed(to) || !getStoredType(source.getElementType()))
    return failForSize(op);
  if (te::isContiguous(source) && te::isContiguous(target)) {
    int64_t bytes =
        source.getNumElements() *
        (getStoredType(source.getElementType()).getIntOrFloatBitWidth() / 8);
    emitc::CallOpaqueOp::create(builder, loc, TypeRange(), "memcpy",
                                ValueRange{mapping.lookup(op.getTarget()),
                                           mapping.lookup(op.getSource()),
                                           scalars.size(loc, bytes)});
    return success();
  }
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Value> positions;
  SmallVector<OpFoldResult> at;
  for (int64_t extent : source.getShape()) {
    if (extent == 1) {
      at.push_back(builder.getIndexAttr(0));
      continue;
    }
    auto loop =
        emitc::ForOp::create(builder, loc, scalars.size(loc, 0),
                             scalars.size(loc, extent), scalars.size(loc, 1));
    positions.push_back(loop.getInductionVar());
    at.push_back(loop.getInductionVar());
    builder.setInsertionPointToStart(loop.getBody());
  }
  // The counters are values of C already.
  IRMapping outer = mapping;
  for (Value position : positions)
    mapping.map(position, position);
  Value value = load(loc, op.getSource(), source, index(loc, at, *from));
  store(loc, value, op.getTarget(), target, index(loc, at, *to));
  mapping = outer;
  return success();
}

LogicalResult acc::c::Body::lowerMemory(Operation *op) {
  Location loc = op->getLoc();
  auto stridesOf = [](Value buffer) {
    return getStrides(cast<MemRefType>(buffer.getType()));
  };
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](memref::LoadOp load) -> LogicalResult {
        auto strides = stridesOf(load.getMemref());
        if (failed(strides) || !getValueType(load.getType()))
          return failForSize(op);
        SmallVector<OpFoldResult> at = getAsOpFoldResult(load.getIndices());
        mapping.map(load.getResult(),
                    this->load(loc, load.getMemref(), load.getMemRefType(),
                               index(loc, at, *strides)));
        return success();
      })
      .Case([&](memref::StoreOp store) -> LogicalResult {
        auto strides = stridesOf(store.getMemref());
        if (failed(strides) || !getValueType(store.getValue().getType()))
          return failForSize(op);
        SmallVector<OpFoldResult> at = getAsOpFoldResult(store.getIndices());
        this->store(loc, mapping.lookup(store.getValue()), store.getMemref(),
                    store.getMemRefType(), index(loc, at, *strides));
        return success();
      })
      .Case([&](memref::CopyOp copied) { return copy(copied); })
      .Case([&](memref::SubViewOp subview) -> LogicalResult {
        auto strides = stridesOf(subview.getSource());
        if (failed(strides) || failed(stridesOf(subview.getResult())))
          return failForSize(op);
        return view(op, subview.getSource(), subview.getMixedOffsets(),
                    *strides);
      })
      .Case([&](memref::ReinterpretCastOp reinterpreted) -> LogicalResult {
        if (failed(stridesOf(reinterpreted.getResult())))
          return failForSize(op);
        // Its offset begins where the buffer does that its source is a view of.
        auto source = cast<MemRefType>(reinterpreted.getSource().getType());
        if (source.getRank() != 0 && !source.getLayout().isIdentity())
          return failForSize(op);
        return view(op, reinterpreted.getSource(),
                    reinterpreted.getMixedOffsets().front(), int64_t{1});
      })
      .Case<memref::ExpandShapeOp, memref::CollapseShapeOp, memref::CastOp,
            memref::TransposeOp, memref::AssumeAlignmentOp>(
          [&](auto) -> LogicalResult {
            if (failed(stridesOf(op->getResult(0))))
              return failForSize(op);
            return view(op, op->getOperand(0), {}, {});
          })
      .Case([&](memref::ViewOp viewed) -> LogicalResult {
        Type element = viewed.getType().getElementType();
        if (failed(stridesOf(viewed.getResult())) || !getStoredType(element))
          return failForSize(op);
        mapping.map(viewed.getResult(),
                    at(loc, element, isConst(viewed.getSource()),
                       mapping.lookup(viewed.getSource()),
                       mapping.lookup(viewed.getByteShift())));
        return success();
      })
      .Case([&](te::BitcastOp bitcast) -> LogicalResult {
        Type element = cast<MemRefType>(bitcast.getType()).getElementType();
        if (!getStoredType(element))
          return failForSize(op);
        mapping.map(bitcast.getResult(),
                    at(loc, element, isConst(bitcast.getSource()),
                       mapping.lookup(bitcast.getSource()),
                       scalars.size(loc, 0)));
        return success();
      })
      .Case([&](memref::AllocaOp alloca) -> LogicalResult {
        MemRefType type = alloca.getType();
        if (failed(getStrides(type)) || !getStoredType(type.getElementType()))
          return failForSize(op);
        auto array =
            emitc::ArrayType::get(std::max<int64_t>(type.getNumElements(), 1),
                                  getStoredType(type.getElementType()));
        Value memory = emitc::VariableOp::create(
            builder, loc, array,
            emitc::OpaqueAttr::get(builder.getContext(), ""));
        mapping.map(alloca.getResult(),
                    at(loc, type.getElementType(), /*isRead=*/false, memory,
                       scalars.size(loc, 0)));
        return success();
      })
      .Case([&](memref::DimOp dim) -> LogicalResult {
        auto type = cast<MemRefType>(dim.getSource().getType());
        std::optional<int64_t> axis = dim.getConstantIndex();
        if (!axis || type.isDynamicDim(*axis))
          return failForSize(op);
        mapping.map(dim.getResult(), scalars.size(loc, type.getDimSize(*axis)));
        return success();
      })
      .Default([](Operation *op) -> LogicalResult {
        return op->emitError("'") << op->getName() << "' has no form in C";
      });
}

LogicalResult acc::c::Body::lowerFor(scf::ForOp op) {
  Location loc = op.getLoc();
  FailureOr<SmallVector<Value>> carried =
      variables(op, op.getInitArgs().getTypes());
  if (failed(carried))
    return failure();
  yield(op.getInitArgs(), *carried);
  Value low = mapping.lookup(op.getLowerBound()),
        high = mapping.lookup(op.getUpperBound()),
        step = mapping.lookup(op.getStep());
  // Bounds are signed. Only those that are known not to be negative may be
  // compared as what a size is in C.
  auto isPositive = [](Value bound) {
    std::optional<int64_t> number = getConstantIntValue(bound);
    return number && *number >= 0;
  };
  Type counter = low.getType();
  if (isa<emitc::SizeTType>(counter) &&
      !(isPositive(op.getLowerBound()) && isPositive(op.getUpperBound())))
    counter = emitc::PtrDiffTType::get(builder.getContext());
  auto bound = [&](Value number, Value inC) {
    std::optional<int64_t> known = getConstantIntValue(number);
    return known ? scalars.literal(loc, counter, std::to_string(*known))
                 : scalars.cast(inC, counter);
  };
  auto loop = emitc::ForOp::create(builder, loc, bound(op.getLowerBound(), low),
                                   bound(op.getUpperBound(), high),
                                   bound(op.getStep(), step));
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    mapping.map(op.getInductionVar(),
                scalars.cast(loop.getInductionVar(), low.getType()));
    for (auto [argument, variable] :
         llvm::zip(op.getRegionIterArgs(), *carried))
      mapping.map(argument, read(variable));
    if (failed(lower(*op.getBody())))
      return failure();
    yield(op.getYieldedValues(), *carried);
  }
  readResults(op, *carried);
  return success();
}

LogicalResult acc::c::Body::lowerIf(scf::IfOp op) {
  FailureOr<SmallVector<Value>> results = variables(op, op.getResultTypes());
  if (failed(results))
    return failure();
  bool hasElse = !op.getElseRegion().empty();
  auto branch = emitc::IfOp::create(
      builder, op.getLoc(), mapping.lookup(op.getCondition()),
      /*addThenBlock=*/true, /*addElseBlock=*/hasElse);
  auto fill = [&](Block &from, Region &to) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&to.front());
    if (failed(lower(from)))
      return failure();
    yield(from.getTerminator()->getOperands(), *results);
    if (to.front().empty() ||
        !to.front().back().hasTrait<OpTrait::IsTerminator>())
      emitc::YieldOp::create(builder, op.getLoc());
    return success();
  };
  if (failed(fill(*op.thenBlock(), branch.getThenRegion())) ||
      (hasElse && failed(fill(*op.elseBlock(), branch.getElseRegion()))))
    return failure();
  readResults(op, *results);
  return success();
}

LogicalResult acc::c::Body::lowerSwitch(scf::IndexSwitchOp op) {
  // A chain of comparisons; compilers make of it what they like.
  FailureOr<SmallVector<Value>> results = variables(op, op.getResultTypes());
  if (failed(results))
    return failure();
  OpBuilder::InsertionGuard guard(builder);
  Operation *first = nullptr;
  auto fill = [&](Block &from) {
    if (failed(lower(from)))
      return failure();
    yield(from.getTerminator()->getOperands(), *results);
    return success();
  };
  Value argument = mapping.lookup(op.getArg());
  for (auto [number, region] : llvm::zip(op.getCases(), op.getCaseRegions())) {
    Value is = scalars.compare(op.getLoc(), emitc::CmpPredicate::eq, argument,
                               scalars.size(op.getLoc(), number));
    auto branch = emitc::IfOp::create(builder, op.getLoc(), is,
                                      /*addThenBlock=*/true,
                                      /*addElseBlock=*/true);
    if (!first)
      first = branch;
    Block &then = branch.getThenRegion().front();
    Block &otherwise = branch.getElseRegion().front();
    for (Block *block : {&then, &otherwise})
      if (block->empty()) {
        builder.setInsertionPointToStart(block);
        emitc::YieldOp::create(builder, op.getLoc());
      }
    builder.setInsertionPointToStart(&then);
    if (failed(fill(region.front())))
      return failure();
    builder.setInsertionPointToStart(&otherwise);
  }
  if (failed(fill(op.getDefaultRegion().front())))
    return failure();
  if (first)
    builder.setInsertionPointAfter(first);
  readResults(op, *results);
  return success();
}

LogicalResult acc::c::Body::lowerWhile(scf::WhileOp op) {
  Location loc = op.getLoc();
  FailureOr<SmallVector<Value>> carried =
      variables(op, op.getInits().getTypes());
  FailureOr<SmallVector<Value>> results = variables(op, op.getResultTypes());
  if (failed(carried) || failed(results))
    return failure();
  yield(op.getInits(), *carried);
  Value again = variable(loc, builder.getI1Type());
  auto loop = emitc::DoOp::create(builder, loc);
  Block &body = loop.getBodyRegion().emplaceBlock();
  Block &test = loop.getConditionRegion().emplaceBlock();
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&body);
    for (auto [argument, variable] :
         llvm::zip(op.getBeforeArguments(), *carried))
      mapping.map(argument, read(variable));
    if (failed(lower(*op.getBeforeBody())))
      return failure();
    write(again, mapping.lookup(op.getConditionOp().getCondition()));
    yield(op.getConditionOp().getArgs(), *results);
    auto branch = emitc::IfOp::create(builder, loc, read(again),
                                      /*addThenBlock=*/true,
                                      /*addElseBlock=*/false);
    Block &then = branch.getThenRegion().front();
    if (then.empty()) {
      builder.setInsertionPointToStart(&then);
      emitc::YieldOp::create(builder, loc);
    }
    builder.setInsertionPointToStart(&then);
    for (auto [argument, variable] :
         llvm::zip(op.getAfterArguments(), *results))
      mapping.map(argument, read(variable));
    if (failed(lower(*op.getAfterBody())))
      return failure();
    yield(op.getYieldOp().getOperands(), *carried);
    builder.setInsertionPointToStart(&test);
    auto condition = emitc::ExpressionOp::create(
        builder, loc, builder.getI1Type(), ValueRange(again));
    emitc::YieldOp::create(builder, loc, condition.getResult());
    Block &inside = condition.createBody();
    builder.setInsertionPointToStart(&inside);
    emitc::YieldOp::create(builder, loc, read(inside.getArgument(0)));
  }
  readResults(op, *results);
  return success();
}

LogicalResult acc::c::Body::lower(Operation *op) {
  FailureOr<bool> known = others(op);
  if (failed(known))
    return failure();
  if (*known)
    return success();
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](scf::ForOp loop) { return lowerFor(loop); })
      .Case([&](scf::WhileOp loop) { return lowerWhile(loop); })
      .Case([&](scf::IfOp branch) { return lowerIf(branch); })
      .Case([&](scf::IndexSwitchOp choice) { return lowerSwitch(choice); })
      .Default([&](Operation *other) {
        if (isa<arith::ArithDialect, math::MathDialect>(other->getDialect()))
          return scalars.lower(other, mapping);
        return lowerMemory(other);
      });
}

LogicalResult acc::c::Body::lower(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(lower(&op)))
      return failure();
  return success();
}
