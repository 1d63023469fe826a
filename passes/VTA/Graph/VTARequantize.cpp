//===- VTARequantize.cpp - Requantization in one-instruction steps --------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/VTASteps.h"

using namespace mlir;
using namespace acc::graph;
using namespace acc::vta;

Value VTASteps::multiplyByPower(Value acc, int32_t times) {
  if (unit.shiftsLeft)
    return apply(Step::ShiftLeft, acc, times);
  for (int32_t i = 0; i < times; ++i)
    acc = applyTensor(Step::Add, acc, acc);
  return acc;
}

Value VTASteps::shiftHalfEven(Value acc, ArrayRef<int32_t> shifts) {
  if (unit.shiftsLeft) {
    // The last bit of the result decides ties; there is no "and", but two
    // shifts isolate it, as 0 or -1. A shift to the left of each channel by its
    // own amount is a product.
    Value odd = copy(acc);
    if (llvm::all_equal(shifts))
      odd = apply(Step::ShiftLeft, odd, 31 - shifts.front());
    else
      odd =
          apply(Step::Mul, odd, llvm::map_to_vector(shifts, [](int32_t shift) {
                  return int32_t(1) << (31 - shift);
                }));
    odd = apply(Step::ShiftRight, odd, 31);
    return apply(Step::ShiftRight, applyTensor(Step::Add, acc, odd), shifts);
  }
  // Half the outputs are even: acc - ((acc >> s) & 1) >> s is the sum of
  // floor(acc / 2^(s + 1)) and ceil((acc - 2^s) / 2^(s + 1)). The latter is
  // taken in two divisions, so that immediates hold what makes them round up
  // and the sums stay in 32 bits.
  SmallVector<int32_t> first, second, all;
  for (int32_t shift : shifts) {
    first.push_back(std::max(shift - 15, 1));
    second.push_back(shift + 1 - first.back());
    all.push_back(shift + 1);
  }
  Value upper = copy(acc);
  upper = apply(Step::Add, upper, llvm::map_to_vector(first, [](int32_t bits) {
                  return (int32_t(1) << bits) - 1;
                }));
  upper = apply(Step::ShiftRight, upper, first);
  upper = apply(Step::Add, upper, llvm::map_to_vector(second, [](int32_t bits) {
                  return (int32_t(1) << (bits - 1)) - 1;
                }));
  upper = apply(Step::ShiftRight, upper, second);
  return applyTensor(Step::Add, apply(Step::ShiftRight, acc, all), upper);
}

Value VTASteps::requantize(RequantizeOp op, Value acc, ArrayRef<int32_t> bias,
                           bool fits) {
  if (std::optional<Value> whole = requantizeAtOnce(op, acc, bias))
    return *whole;
  ArrayRef<int32_t> shifts = op.getPreShift(), factors = op.getMultiplier();
  auto at = [](ArrayRef<int32_t> values, size_t channel) {
    return values[values.size() == 1 ? 0 : channel];
  };
  SmallVector<int32_t> right;
  for (int32_t shift : shifts)
    right.push_back(std::max(shift, 0));
  // (acc + (b << s)) >> s is (acc >> s) + b unless the sum wraps, and a small
  // bias takes fewer products.
  bool isWhole = fits && bias.size() >= right.size();
  for (auto [channel, value] : llvm::enumerate(bias))
    isWhole = isWhole && value % (int64_t(1) << at(right, channel)) == 0;
  SmallVector<int32_t> late;
  for (auto [channel, value] : llvm::enumerate(bias))
    late.push_back(isWhole ? value >> at(right, channel) : 0);
  if (!isWhole)
    acc = addBias(acc, bias);
  // Shifts to the right are monotone: bounds that are shifted as well give the
  // same result after the shift as the original ones before it, and are small
  // enough for an immediate.
  acc = addBias(apply(Step::ShiftRight, acc, right), late);
  auto clip = [&](Step step, std::optional<ArrayRef<int32_t>> bounds) {
    if (!bounds)
      return;
    SmallVector<int32_t> values;
    for (size_t c = 0, end = std::max(bounds->size(), right.size()); c < end;
         ++c)
      values.push_back(at(*bounds, c) >> at(right, c));
    acc = apply(step, acc, values);
  };
  clip(Step::Max, op.getClipLo());
  clip(Step::Min, op.getClipHi());
  // Shifts to the left are part of the multiplication, which wraps as they do;
  // a common one is cheaper by itself where the product is no immediate.
  SmallVector<int32_t> products;
  for (size_t c = 0, end = std::max(shifts.size(), factors.size()); c < end;
       ++c)
    products.push_back(static_cast<int32_t>(
        static_cast<uint32_t>(at(factors, c)) << std::max(-at(shifts, c), 0)));
  bool isPower = llvm::all_of(factors, [](int32_t f) { return f == 1; });
  if (shifts.size() == 1 && isPower && !unit.multiplies) {
    acc = multiplyByPower(acc, std::max(-shifts.front(), 0));
  } else if (shifts.size() == 1 && factors.size() == 1 &&
             !llvm::isInt<16>(products.front())) {
    acc = apply(Step::ShiftLeft, acc, -shifts.front());
    acc = apply(Step::Mul, acc, factors);
  } else {
    acc = apply(Step::Mul, acc, products);
  }

  ArrayRef<int32_t> postShift = op.getPostShift();
  int32_t s = postShift.front(), zeroPoint = op.getZeroPoint();
  if (op.getRounding() == Rounding::HalfEven) {
    // What an immediate cannot hold is added in two parts, before the shift and
    // behind it.
    int32_t addend = op.getAddend(), middle = op.getMidShift();
    int32_t behind = llvm::isInt<16>(addend) ? 0 : addend >> middle;
    acc = apply(Step::Add, acc, addend - (behind << middle));
    acc = apply(Step::ShiftRight, acc, middle);
    acc = apply(Step::Add, acc, behind);
    acc = shiftHalfEven(acc, postShift);
    acc = apply(Step::Add, acc, zeroPoint);
  } else if (op.getRounding() == Rounding::Down) {
    acc = apply(Step::ShiftRight, acc, postShift);
    acc = apply(Step::Add, acc, zeroPoint);
  } else if (s == 0) {
    acc = apply(Step::Add, acc, zeroPoint);
  } else {
    acc = apply(Step::ShiftRight, acc, s - 1);
    acc = apply(Step::Add, acc, 2 * zeroPoint + 1);
    acc = apply(Step::ShiftRight, acc, 1);
  }
  if (std::optional<int32_t> low = op.getOutLo())
    acc = apply(Step::Max, acc, *low);
  if (std::optional<int32_t> high = op.getOutHi())
    acc = apply(Step::Min, acc, *high);
  return acc;
}

static Step getStep(AluKind kind) {
  switch (kind) {
  case AluKind::Min:
    return Step::Min;
  case AluKind::Max:
    return Step::Max;
  case AluKind::Add:
    return Step::Add;
  case AluKind::Shr:
    return Step::ShiftRight;
  case AluKind::Mul:
    return Step::Mul;
  case AluKind::Requantize:
  case AluKind::Table:
    break;
  }
  llvm_unreachable("a step has one operand");
}

Value VTASteps::applyAll(ArrayAttr steps, Value acc) {
  for (auto step : steps.getAsRange<StepAttr>()) {
    SmallVector<int32_t> values(step.getValues().asArrayRef());
    acc = apply(getStep(step.getOp()), acc, values);
  }
  return acc;
}

Value VTASteps::lookUp(DenseI8ArrayAttr table, Value acc) {
  int64_t loops = typeOf(acc).getRank();
  return generic(
      acc, {}, b.getMultiDimIdentityMap(loops), getAllParallel(loops),
      [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
        return LookupStepOp::create(inner, inner.getI32Type(), x[0], table);
      });
}

Value VTASteps::activate(ActivationAttr how, Value acc) {
  acc = applyAll(how.getBefore(), acc);
  if (!how.getRight().empty()) {
    Value right = applyAll(how.getRight(), copy(acc));
    acc = applyTensor(getStep(how.getJoin()), applyAll(how.getLeft(), acc),
                      right);
  }
  return applyAll(how.getAfter(), acc);
}
