//===- Shape.cpp - Inference of shapes ------------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Shape.h"

#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace acc::graph;

#include "dialects/Graph/ShapeInterface.cpp.inc"

// Sizes beyond this cannot be meant; refusing them keeps all later arithmetic
// on sizes within 64 bits.
static constexpr int64_t maxWindowValue = int64_t(1) << 31;

//===----------------------------------------------------------------------===//
// ShapeMessage
//===----------------------------------------------------------------------===//

std::string ShapeMessage::str() const {
  std::string text = texts.front();
  for (const std::string &rest : ArrayRef(texts).drop_front())
    text += "?" + rest;
  return text;
}

void ShapeMessage::append(AffineExpr size) {
  size = normalizeSize(size);
  if (std::optional<int64_t> known = getKnownSize(size)) {
    texts.back() += std::to_string(*known);
    return;
  }
  sizes.push_back(size);
  texts.push_back("");
}

void ShapeMessage::append(ArrayRef<AffineExpr> shape) {
  texts.back() += "[";
  for (auto [index, size] : llvm::enumerate(shape)) {
    texts.back() += index ? ", " : "";
    append(size);
  }
  texts.back() += "]";
}

//===----------------------------------------------------------------------===//
// ShapeContext
//===----------------------------------------------------------------------===//

FailureOr<SmallVector<AffineExpr>>
ShapeContext::values(ArrayRef<int64_t> statics, ValueRange dynamics) {
  if (llvm::count_if(statics, ShapedType::isDynamic) !=
      static_cast<int64_t>(dynamics.size()))
    return error("has ", dynamics.size(), " index operands but ",
                 llvm::count_if(statics, ShapedType::isDynamic),
                 " values that are not constant");
  SmallVector<AffineExpr> result;
  size_t next = 0;
  for (int64_t number : statics)
    result.push_back(ShapedType::isDynamic(number) ? value(dynamics[next++])
                                                   : constant(number));
  return result;
}

FailureOr<SmallVector<int64_t>> ShapeContext::staticShape(Value tensor,
                                                          StringRef what) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.hasStaticShape())
    return error(what, " is ", Type(type), " but needs a static shape");
  return SmallVector<int64_t>(type.getShape());
}

AffineExpr ShapeContext::product(ArrayRef<AffineExpr> sizes) const {
  AffineExpr result = constant(1);
  for (AffineExpr size : sizes)
    result = normalizeSize(result * size);
  return result;
}

std::optional<bool> ShapeContext::decide(ShapeRequirement::Kind kind,
                                         AffineExpr &a, AffineExpr &b) const {
  a = normalizeSize(a);
  b = normalizeSize(b);
  if (a == b)
    return true;
  std::optional<int64_t> x = getKnownSize(a), y = getKnownSize(b);
  if (kind == ShapeRequirement::Kind::Broadcast && (x == 1 || y == 1))
    return true;
  if (kind == ShapeRequirement::Kind::AtLeast) {
    if (std::optional<int64_t> over = getKnownSize(normalizeSize(a - b)))
      return *over >= 0;
    if (scope.isNeverNegative(normalizeSize(a - b)))
      return true;
    return std::nullopt;
  }
  if (!x || !y)
    return std::nullopt;
  return false;
}

FailureOr<AffineExpr> ShapeContext::broadcast(AffineExpr a, AffineExpr b,
                                              int64_t fromEnd) {
  if (failed(require(ShapeRequirement::Kind::Broadcast, a, b,
                     "shapes do not broadcast: size ", b, " meets size ", a,
                     " at axis ", fromEnd, " from the end")))
    return failure();
  return scope.broadcast(a, b);
}

FailureOr<SmallVector<AffineExpr>>
ShapeContext::broadcast(ArrayRef<ArrayRef<AffineExpr>> shapes) {
  SmallVector<AffineExpr> result;
  for (ArrayRef<AffineExpr> shape : shapes) {
    if (shape.size() > result.size())
      result.insert(result.begin(), shape.size() - result.size(), constant(1));
    AffineExpr *aligned = result.end() - shape.size();
    for (auto [index, size] : llvm::enumerate(shape)) {
      FailureOr<AffineExpr> merged = broadcast(
          aligned[index], size,
          static_cast<int64_t>(index) - static_cast<int64_t>(shape.size()));
      if (failed(merged))
        return failure();
      aligned[index] = *merged;
    }
  }
  return result;
}

FailureOr<SmallVector<AffineExpr>>
ShapeContext::windows(ArrayRef<AffineExpr> spatial, ArrayRef<AffineExpr> kernel,
                      ArrayRef<int64_t> strides, ArrayRef<int64_t> pads,
                      ArrayRef<int64_t> dilations) {
  size_t rank = spatial.size();
  auto check = [&](StringRef name, ArrayRef<int64_t> values, size_t count,
                   int64_t least) -> LogicalResult {
    if (values.size() != count)
      return error("'", name, "' has ", values.size(), " values but ", rank,
                   " spatial axes need ", count);
    for (int64_t value : values)
      if (value < least || value > maxWindowValue)
        return error("'", name, "' holds ", value, ", which is not within ",
                     least, " and ", maxWindowValue);
    return success();
  };
  if (kernel.size() != rank)
    return error("'kernel_shape' has ", kernel.size(), " values but ", rank,
                 " spatial axes need ", rank);
  if (failed(check("strides", strides, rank, 1)) ||
      failed(check("pads", pads, 2 * rank, 0)) ||
      failed(check("dilations", dilations, rank, 1)))
    return failure();

  SmallVector<AffineExpr> result;
  for (size_t axis = 0; axis < rank; ++axis) {
    std::optional<int64_t> known = getKnownSize(kernel[axis]);
    if (known && (*known < 1 || *known > maxWindowValue))
      return error("'kernel_shape' holds ", *known, ", which is not within ", 1,
                   " and ", maxWindowValue);
    if (failed(requireAtLeast(kernel[axis], constant(1),
                              "the kernel is empty along spatial axis ", axis)))
      return failure();
    AffineExpr span = normalizeSize((kernel[axis] - 1) * dilations[axis] + 1);
    AffineExpr padded =
        normalizeSize(spatial[axis] + pads[axis] + pads[axis + rank]);
    if (failed(requireAtLeast(padded, span, "the window spans ", span,
                              " elements but the padded input has ", padded,
                              " along spatial axis ", axis)))
      return failure();
    result.push_back(
        normalizeSize((padded - span).floorDiv(strides[axis]) + 1));
  }
  return result;
}

LogicalResult ShapeContext::requireSameElements(ValueRange operands) {
  for (Value operand : operands)
    if (getElementTypeOrSelf(operand) != getElementTypeOrSelf(operands[0]))
      return error("operands have different element types: ",
                   getElementTypeOrSelf(operands[0]), " and ",
                   getElementTypeOrSelf(operand));
  return success();
}

//===----------------------------------------------------------------------===//
// Interfaces
//===----------------------------------------------------------------------===//

LogicalResult
acc::graph::inferBroadcast(ShapeContext &c, ValueRange operands,
                           SmallVectorImpl<TensorShape> &results) {
  return inferElementwise(c, operands, operands, {}, results);
}

LogicalResult
acc::graph::inferElementwise(ShapeContext &c, ValueRange operands,
                             ValueRange alike, Type element,
                             SmallVectorImpl<TensorShape> &results) {
  if (operands.empty())
    return c.error("needs at least one operand");
  if (failed(c.requireSameElements(alike)))
    return failure();
  SmallVector<TensorShape> shapes;
  for (Value operand : operands)
    shapes.push_back(c.shape(operand));
  SmallVector<ArrayRef<AffineExpr>> sizes;
  for (const TensorShape &shape : shapes)
    sizes.push_back(shape.sizes);
  FailureOr<SmallVector<AffineExpr>> merged = c.broadcast(sizes);
  if (failed(merged))
    return failure();
  if (!element)
    element = getElementTypeOrSelf(alike.front());
  results.push_back({std::move(*merged), element});
  return success();
}

LogicalResult acc::graph::appendTypes(InferenceSite site,
                                      ArrayRef<TensorShape> shapes,
                                      SmallVectorImpl<Type> &types) {
  for (const TensorShape &shape : shapes) {
    SmallVector<int64_t> sizes;
    for (AffineExpr size : shape.sizes)
      sizes.push_back(getStaticSize(normalizeSize(size)));
    if (failed(inferTensor(site, sizes, shape.element, types)))
      return failure();
  }
  return success();
}

FailureOr<SmallVector<TensorShape>>
acc::graph::inferShapes(Operation *op, ShapeScope &scope,
                        SmallVectorImpl<ShapeRequirement> *requirements) {
  auto known = dyn_cast<ShapeOpInterface>(op);
  SmallVector<TensorShape> results;
  InferenceSite site{op->getLoc(), op->getName().getStringRef()};
  ShapeContext context(scope, site, requirements);
  if (!known || failed(known.inferShapes(context, results)))
    return failure();
  if (results.size() != op->getNumResults())
    return context.error("has ", op->getNumResults(),
                         " results but shapes for ", results.size());
  for (auto [value, shape] : llvm::zip(op->getResults(), results)) {
    auto type = cast<RankedTensorType>(value.getType());
    if (type.getRank() != shape.rank())
      return context.error("result is ", Type(type), " but must have rank ",
                           shape.rank());
    for (auto [axis, size] : llvm::enumerate(shape.sizes)) {
      size = normalizeSize(size);
      if (type.isDynamicDim(axis))
        continue;
      AffineExpr declared = context.constant(type.getDimSize(axis));
      if (failed(context.requireEqual(size, declared, "result has size ", size,
                                      " instead of ", declared, " along axis ",
                                      axis)))
        return failure();
      size = declared;
    }
  }
  return results;
}

LogicalResult acc::graph::verifyShapes(Operation *op) {
  ShapeScope scope(op->getContext());
  FailureOr<SmallVector<TensorShape>> shapes = inferShapes(op, scope);
  if (failed(shapes))
    return failure();
  SmallVector<Type> types;
  if (failed(appendTypes({op->getLoc(), op->getName().getStringRef()}, *shapes,
                         types)))
    return failure();
  if (!areCompatible(types, op->getResultTypes()))
    return op->emitOpError("inferred type(s) ")
           << types << " are incompatible with return type(s) of operation "
           << op->getResultTypes();
  return success();
}

LogicalResult acc::graph::reifyShapes(Operation *op, OpBuilder &builder,
                                      ReifiedRankedShapedTypeDims &sizes) {
  ShapeScope scope(op->getContext());
  FailureOr<SmallVector<TensorShape>> shapes = inferShapes(op, scope);
  if (failed(shapes))
    return failure();
  for (const TensorShape &shape : *shapes) {
    SmallVector<OpFoldResult> &result = sizes.emplace_back();
    for (AffineExpr size : shape.sizes)
      result.push_back(scope.materialize(builder, op->getLoc(), size));
  }
  return success();
}

bool acc::graph::areCompatible(TypeRange lhs, TypeRange rhs) {
  if (lhs.size() != rhs.size())
    return false;
  return llvm::all_of(llvm::zip(lhs, rhs), [](auto pair) {
    auto [a, b] = pair;
    return getElementTypeOrSelf(a) == getElementTypeOrSelf(b) &&
           succeeded(verifyCompatibleShape(a, b));
  });
}

LogicalResult acc::graph::rejectPerAxis(ShapeContext &c, Value tensor) {
  if (isa<quant::UniformQuantizedPerAxisType>(
          getElementTypeOrSelf(tensor.getType())))
    return c.error("does not take per-axis quantized tensors; cast to the "
                   "storage type first");
  return success();
}

LogicalResult acc::graph::checkAxis(ShapeContext &c, int64_t axis, int64_t rank,
                                    StringRef tensor) {
  if (axis < 0 || axis >= rank)
    return c.error("'axis' is ", axis, " but ", tensor, " has rank ", rank);
  return success();
}
