//===- ExpandSteps.cpp - Steps of the accelerator on the host -------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Passes.h"

#include "acc/vta/isa/Requantize.h"
#include "dialects/TE/TEDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace acc::vta {
#define GEN_PASS_DEF_VTAEXPANDSTEPS
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::vta;
using isa::Requantize;

namespace {

/// Computes a step in 64 bits, as isa::Requantize does.
class Expansion {
public:
  explicit Expansion(RequantizeStepOp op)
      : op(op), b(op.getLoc(), op), wide(b.getI64Type()) {}

  Value run() {
    Value sum = arith::AddIOp::create(b, op.getAcc(), op.getBias());
    Value scaled =
        arith::MulIOp::create(b, right(widen(sum), get(&Requantize::preShift)),
                              get(&Requantize::multiplier));
    Value post = get(&Requantize::postShift), mid = get(&Requantize::midShift);
    Value halves = arith::AddIOp::create(b, half(post), half(mid));
    Value q = arith::AddIOp::create(
        b, scaled,
        arith::MulIOp::create(b, get(&Requantize::addsHalf), halves));
    Value z = right(q, post);
    // A tie has no bit below `post` that is not below `mid`.
    Value mask =
        both(below(post), arith::XOrIOp::create(b, below(mid), number(-1)));
    Value tie = arith::ExtUIOp::create(
        b, wide,
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, both(q, mask),
                              number(0)));
    Value parity = arith::XOrIOp::create(b, z, get(&Requantize::tiesOdd));
    Value down =
        both(both(tie, get(&Requantize::tiesEven)), both(parity, number(1)));
    Value y = arith::SubIOp::create(
        b, arith::AddIOp::create(b, z, get(&Requantize::zeroPoint)), down);
    y = arith::MaxSIOp::create(b, y, get(&Requantize::lowest));
    y = arith::MinSIOp::create(b, y, get(&Requantize::highest));
    return arith::TruncIOp::create(b, b.getI32Type(), y);
  }

private:
  Value number(int64_t value) {
    return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
  }
  Value widen(Value value) { return arith::ExtSIOp::create(b, wide, value); }
  Value right(Value value, Value amount) {
    return arith::ShRSIOp::create(b, value, amount);
  }
  Value both(Value one, Value other) {
    return arith::AndIOp::create(b, one, other);
  }
  Value power(Value shift) {
    return arith::ShLIOp::create(b, number(1), shift);
  }
  Value half(Value shift) { return right(power(shift), number(1)); }
  Value below(Value shift) {
    return arith::SubIOp::create(b, power(shift), number(1));
  }

  /// A parameter, taken from the word that holds it.
  template <typename T> Value get(T Requantize::*member) {
    Requantize::Place place = Requantize::placeOf(member);
    Value word = op->getOperand(1 + place.source);
    auto amount = [&](int bits) {
      return arith::ConstantOp::create(b, b.getI32IntegerAttr(bits));
    };
    word = arith::ShLIOp::create(b, word, amount(32 - place.at - place.width));
    if (place.isSigned)
      return widen(arith::ShRSIOp::create(b, word, amount(32 - place.width)));
    return arith::ExtUIOp::create(
        b, wide, arith::ShRUIOp::create(b, word, amount(32 - place.width)));
  }

  RequantizeStepOp op;
  ImplicitLocOpBuilder b;
  Type wide;
};

/// Reads the entry of a table that lies in front of the operation whose body
/// the step is in.
static Value expandLookup(LookupStepOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  DenseI8ArrayAttr table = op.getTableAttr();
  auto type = RankedTensorType::get({table.size()}, b.getI8Type());
  Value tensor;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(op->getParentOp());
    tensor = arith::ConstantOp::create(
        b, DenseElementsAttr::get(type, table.asArrayRef()));
  }
  // Entries count from that of -128.
  Value byte = arith::TruncIOp::create(b, b.getI8Type(), op.getAcc());
  Value flip = arith::ConstantOp::create(b, b.getI8IntegerAttr(-128));
  Value entry = arith::IndexCastUIOp::create(
      b, b.getIndexType(), arith::XOrIOp::create(b, byte, flip));
  return arith::ExtSIOp::create(b, b.getI32Type(),
                                tensor::ExtractOp::create(b, tensor, entry));
}

struct ExpandSteps : vta::impl::VTAExpandStepsBase<ExpandSteps> {
  void runOnOperation() override {
    SmallVector<RequantizeStepOp> steps;
    SmallVector<LookupStepOp> lookups;
    for (auto kernel : getOperation().getOps<te::KernelOp>())
      if (kernel.getTargetInterface().isHost()) {
        kernel.walk([&](RequantizeStepOp step) { steps.push_back(step); });
        kernel.walk([&](LookupStepOp step) { lookups.push_back(step); });
      }
    for (RequantizeStepOp step : steps) {
      step.replaceAllUsesWith(Expansion(step).run());
      step.erase();
    }
    for (LookupStepOp step : lookups) {
      if (!step.getTable()) {
        step.emitOpError("has no table");
        return signalPassFailure();
      }
      step.replaceAllUsesWith(expandLookup(step));
      step.erase();
    }
  }
};

} // namespace
