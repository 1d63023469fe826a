//===- IntrinsicMatch.cpp - Structural match of intrinsics ----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TE/IntrinsicMatch.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace acc::te;

namespace {
class Matcher {
public:
  Matcher(linalg::LinalgOp op, IntrinOp intrin, std::string &reason)
      : op(op), intrin(intrin), definition(intrin.getDefinition()),
        reason(reason) {}

  FailureOr<IntrinsicMatch> run();

private:
  LogicalResult fail(const Twine &why) {
    reason = why.str();
    return failure();
  }
  LogicalResult matchOperand(OpOperand &mine, OpOperand &theirs);
  LogicalResult matchScalar(Value mine, Value theirs);
  LogicalResult matchValue(Value mine, Value theirs);

  linalg::LinalgOp op;
  IntrinOp intrin;
  linalg::LinalgOp definition;
  std::string &reason;
  IntrinsicMatch match;
  /// The body's arguments of `op` for those of the definition.
  DenseMap<Value, Value> arguments;
};
} // namespace

/// The innermost dimensions and loops of `mine` must be those of `theirs`, in
/// the same memory, and the other dimensions must not depend on these loops. In
/// the first of them `mine` may be longer, and outer loops may say where in it
/// the part begins that the intrinsic reads.
LogicalResult Matcher::matchOperand(OpOperand &mine, OpOperand &theirs) {
  auto type = dyn_cast<MemRefType>(mine.get().getType());
  auto element = dyn_cast<MemRefType>(theirs.get().getType());
  if (!type || !element)
    return type || element ? fail("a scalar stands for a memref")
                           : matchScalar(mine.get(), theirs.get());
  if (type.getElementType() != element.getElementType() ||
      type.getMemorySpace() != element.getMemorySpace())
    return fail("an operand has another element type or memory");
  int64_t inner = element.getRank(), outer = type.getRank() - inner;
  AffineMap map = op.getMatchingIndexingMap(&mine);
  AffineMap expected =
      definition.getMatchingIndexingMap(&theirs).shiftDims(match.outerLoops);
  SmallVector<AffineExpr> places(map.getResults());
  // A dimension that is longer counts as one outside of the elements, too.
  if (outer >= 0 && inner > 0 && places[outer] != expected.getResult(0)) {
    places[outer] = simplifyAffineExpr(places[outer] - expected.getResult(0),
                                       op.getNumLoops(), 0);
    --inner;
  }
  if (outer < 0 ||
      type.getShape().take_back(inner) != element.getShape().take_back(inner))
    return fail("an operand is not made of the intrinsic's elements");
  if (map.getResults().take_back(inner) !=
      expected.getResults().take_back(inner))
    return fail("the innermost loops access an operand in another way");
  places.resize(places.size() - inner);
  for (AffineExpr expr : places)
    for (unsigned dim = match.outerLoops; dim < op.getNumLoops(); ++dim)
      if (expr.isFunctionOfDim(dim))
        return fail("an outer dimension depends on an inner loop");
  auto position = cast<BlockArgument>(theirs.get()).getArgNumber();
  AffineMap outerMap =
      AffineMap::get(match.outerLoops, 0, places, op.getContext());
  // An operand that the definition reads in several ways is one here, too.
  if (match.operands[position] && (match.operands[position] != mine.get() ||
                                   match.maps[position] != outerMap))
    return fail("what should be one operand are several");
  match.operands[position] = mine.get();
  match.maps[position] = outerMap;
  return success();
}

/// Equal constants, or a constant for the intrinsic's immediate.
LogicalResult Matcher::matchScalar(Value mine, Value theirs) {
  APInt value, expected;
  if (!matchPattern(mine, m_ConstantInt(&value)))
    return fail("a scalar operand is not a constant");
  if (theirs.getParentBlock() == &intrin.getBody().front() &&
      isa<BlockArgument>(theirs)) {
    if (mine.getType() != theirs.getType())
      return fail("the immediate has another type");
    match.immediate = value.getSExtValue();
    return success();
  }
  if (!matchPattern(theirs, m_ConstantInt(&expected)) ||
      value.getBitWidth() != expected.getBitWidth() || value != expected)
    return fail("a constant differs");
  return success();
}

LogicalResult Matcher::matchValue(Value mine, Value theirs) {
  if (auto it = arguments.find(theirs); it != arguments.end())
    return it->second == mine ? success() : fail("the bodies differ");
  Operation *defined = theirs.getDefiningOp();
  if (!defined || defined->hasTrait<OpTrait::ConstantLike>())
    return matchScalar(mine, theirs);
  Operation *computed = mine.getDefiningOp();
  if (!computed || computed->getName() != defined->getName() ||
      computed->getResultTypes() != defined->getResultTypes())
    return fail("the bodies differ");
  for (NamedAttribute attribute : computed->getAttrs())
    if (!defined->getAttr(attribute.getName()))
      match.attributes.set(attribute.getName(), attribute.getValue());
  auto all = [&](ValueRange operands) {
    for (auto [operand, expected] : llvm::zip(operands, defined->getOperands()))
      if (failed(matchValue(operand, expected)))
        return failure();
    return success();
  };
  std::optional<int64_t> immediate = match.immediate;
  if (succeeded(all(computed->getOperands())))
    return success();
  if (!computed->hasTrait<OpTrait::IsCommutative>() ||
      computed->getNumOperands() != 2)
    return failure();
  match.immediate = immediate;
  return all({computed->getOperand(1), computed->getOperand(0)});
}

FailureOr<IntrinsicMatch> Matcher::run() {
  unsigned loops = definition.getNumLoops();
  if (op.getNumLoops() < loops)
    return fail("the intrinsic has more loops");
  match.outerLoops = op.getNumLoops() - loops;
  SmallVector<utils::IteratorType> mine = op.getIteratorTypesArray();
  if (ArrayRef(mine).take_back(loops) !=
      ArrayRef(definition.getIteratorTypesArray()))
    return fail("the innermost loops are of other kinds");
  if (ArrayRef(op.getStaticLoopRanges()).take_back(loops) !=
      ArrayRef(definition.getStaticLoopRanges()))
    return fail("the innermost loops have other extents");

  // Operands that the body ignores only shape the iteration space.
  SmallVector<OpOperand *> inputs, expected = definition.getDpsInputOperands();
  for (OpOperand *input : op.getDpsInputOperands())
    if (!op.getMatchingBlockArgument(input).use_empty())
      inputs.push_back(input);
  if (inputs.size() != expected.size() ||
      op.getNumDpsInits() != definition.getNumDpsInits())
    return fail("the number of operands differs");
  unsigned memrefs =
      llvm::count_if(intrin.getBody().front().getArgumentTypes(),
                     [](Type type) { return isa<MemRefType>(type); });
  match.operands.resize(memrefs);
  match.maps.resize(memrefs);

  SmallVector<std::pair<OpOperand *, OpOperand *>> pairs;
  for (auto [input, theirs] : llvm::zip(inputs, expected))
    pairs.push_back({input, theirs});
  for (int64_t i = 0; i < op.getNumDpsInits(); ++i)
    pairs.push_back({op.getDpsInitOperand(i), definition.getDpsInitOperand(i)});
  for (auto [operand, theirs] : pairs) {
    if (failed(matchOperand(*operand, *theirs)))
      return failure();
    arguments[definition.getMatchingBlockArgument(theirs)] =
        op.getMatchingBlockArgument(operand);
  }
  for (auto [value, theirs] :
       llvm::zip(op.getBlock()->getTerminator()->getOperands(),
                 definition.getBlock()->getTerminator()->getOperands()))
    if (failed(matchValue(value, theirs)))
      return failure();
  return match;
}

FailureOr<IntrinsicMatch> acc::te::matchIntrinsic(linalg::LinalgOp op,
                                                  IntrinOp intrin,
                                                  std::string &reason) {
  return Matcher(op, intrin, reason).run();
}
