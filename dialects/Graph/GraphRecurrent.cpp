//===- GraphRecurrent.cpp - Recurrent networks ----------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphRecurrent.h"
#include "dialects/Graph/Shape.h"

using namespace mlir;
using namespace acc::graph;

/// Checks the shape of an operand, which may be absent.
static LogicalResult checkShape(ShapeContext &c, StringRef name, Value value,
                                ArrayRef<AffineExpr> wanted) {
  if (!value)
    return success();
  TensorShape shape = c.shape(value);
  if (shape.rank() != static_cast<int64_t>(wanted.size()))
    return c.error(name, " has rank ", shape.rank(), " instead of ",
                   wanted.size());
  for (auto [axis, size] : llvm::enumerate(wanted))
    if (failed(c.requireEqual(shape.sizes[axis], size, name, " has the size ",
                              shape.sizes[axis], " instead of ", size,
                              " along axis ", axis)))
      return failure();
  return success();
}

static constexpr StringLiteral knownActivations[] = {
    "affine",   "elu",        "hardsigmoid",    "leakyrelu",
    "relu",     "scaledtanh", "sigmoid",        "softplus",
    "softsign", "tanh",       "thresholdedrelu"};

/// Activations of one gate network: f; f and g; f, g and h.
template <int gates, typename Adaptor>
static LogicalResult checkChoices(ShapeContext &c, Adaptor adaptor,
                                  int64_t &directions) {
  StringRef direction = adaptor.getDirection();
  if (direction != "forward" && direction != "reverse" &&
      direction != "bidirectional")
    return c.error("'direction' is '", direction, "'");
  directions = direction == "bidirectional" ? 2 : 1;
  size_t count = directions * (gates == 1 ? 1 : gates - 1);
  if (adaptor.getActivations().size() != count ||
      adaptor.getActivationAlpha().size() != count ||
      adaptor.getActivationBeta().size() != count)
    return c.error("needs ", count, " activations with their constants");
  for (Attribute name : adaptor.getActivations())
    if (!llvm::is_contained(knownActivations,
                            cast<StringAttr>(name).getValue()))
      return c.error("there is no activation '",
                     cast<StringAttr>(name).getValue(), "'");
  return success();
}

template <int gates, typename Adaptor>
static LogicalResult inferRecurrent(ShapeContext &c, Adaptor adaptor,
                                    SmallVectorImpl<TensorShape> &results) {
  int64_t directions;
  if (failed(checkChoices<gates>(c, adaptor, directions)))
    return failure();
  TensorShape input = c.shape(adaptor.getInput());
  auto recurrence = cast<RankedTensorType>(adaptor.getRecurrence().getType());
  if (input.rank() != 3)
    return c.error("input has rank ", input.rank(), " instead of 3");
  if (recurrence.getRank() != 3 || recurrence.isDynamicDim(2) ||
      recurrence.getDimSize(2) == 0)
    return c.error("recurrence ", recurrence,
                   " needs three axes, the last of a known size");
  SmallVector<Value> floats;
  for (Value value : adaptor.getOperands())
    if (value != adaptor.getSequenceLens())
      floats.push_back(value);
  if (failed(c.requireSameElements(floats)))
    return failure();
  int64_t hidden = recurrence.getDimSize(2);
  AffineExpr steps = input.sizes[0], batch = input.sizes[1],
             both = c.constant(directions), rows = c.constant(gates * hidden);
  TensorShape state{{both, batch, c.constant(hidden)}, input.element};
  if (failed(checkShape(c, "weight", adaptor.getWeight(),
                        {both, rows, input.sizes[2]})) ||
      failed(checkShape(c, "recurrence", adaptor.getRecurrence(),
                        {both, rows, c.constant(hidden)})) ||
      failed(checkShape(c, "bias", adaptor.getBias(), {both, rows * 2})) ||
      failed(
          checkShape(c, "sequence_lens", adaptor.getSequenceLens(), {batch})) ||
      failed(checkShape(c, "initial_h", adaptor.getInitialH(), state.sizes)))
    return failure();
  if constexpr (gates == 4)
    if (failed(
            checkShape(c, "initial_c", adaptor.getInitialC(), state.sizes)) ||
        failed(checkShape(c, "peepholes", adaptor.getPeepholes(),
                          {both, c.constant(3 * hidden)})))
      return failure();
  TensorShape all = state;
  all.sizes.insert(all.sizes.begin(), steps);
  results.push_back(std::move(all));
  results.append(gates == 4 ? 2 : 1, state);
  return success();
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphRecurrent.cpp.inc"
