//===- StaggerThreads.cpp - One thread rescales while another multiplies --===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Passes.h"
#include "passes/VTA/Program/Kernels.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/ADT/SetVector.h"

#include <numeric>

namespace acc::vta {
#define GEN_PASS_DEF_VTASTAGGERTHREADS
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::vta;

namespace {

Value rootOf(Value value) {
  while (auto view = value.getDefiningOp<ViewLikeOpInterface>())
    value = view.getViewSource();
  return value;
}

/// Operations on the same results by the same unit, one behind the other.
struct Segment {
  SmallVector<Operation *> ops;
  Value result;
  bool isAlu = false;
};

struct StaggerThreads : vta::impl::VTAStaggerThreadsBase<StaggerThreads> {
  using VTAStaggerThreadsBase::VTAStaggerThreadsBase;

  void runOnOperation() override {
    getOperation().walk([&](FunctionOpInterface function) {
      if (getTarget(function))
        function.walk([&](Block *block) { stagger(*block); });
      return WalkResult::skip();
    });
  }

private:
  void stagger(Block &block) {
    SmallVector<Segment> segments;
    for (Operation &op : block) {
      Value result;
      if (auto alu = dyn_cast<AluOp>(op))
        result = alu.getDst();
      else if (auto gemm = dyn_cast<GemmOp>(op))
        result = gemm.getAcc();
      else if (auto reset = dyn_cast<ResetOp>(op))
        result = reset.getAcc();
      else if (op.getNumRegions() != 0)
        segments.clear();
      if (!result)
        continue;
      result = rootOf(result);
      const bool isAlu = mlir::isa<AluOp>(op);
      if (segments.empty() || segments.back().result != result ||
          segments.back().isAlu != isAlu) {
        advance(segments);
        segments.push_back({{}, result, isAlu});
      }
      segments.back().ops.push_back(&op);
    }
    advance(segments);
  }

  /// Moves operations of the last segment in front of the one before, if that
  /// one waits for products and this one does not.
  void advance(SmallVectorImpl<Segment> &segments) {
    if (segments.size() < 3)
      return;
    auto [products, waiting, last] =
        std::tie(segments.end()[-3], segments.end()[-2], segments.end()[-1]);
    if (products.isAlu || !waiting.isAlu || !last.isAlu ||
        products.result != waiting.result || last.result == waiting.result ||
        reads(last, waiting.result) || reads(waiting, last.result))
      return;
    // As many as fit beside the products; what waits should not wait for more.
    Segment first{{}, last.result, true};
    int64_t left = steps(products.ops);
    for (Operation *op : last.ops) {
      if (left <= 0)
        break;
      first.ops.push_back(op);
      left -= steps(op);
    }
    Operation *before = waiting.ops.front();
    llvm::SetVector<Operation *> moved;
    if (!collect(first, before, moved))
      return;
    for (Operation &op : llvm::make_early_inc_range(
             llvm::make_range(before->getIterator(),
                              std::next(first.ops.back()->getIterator()))))
      if (moved.contains(&op))
        op.moveBefore(before);
    ++numMoved;
    last.ops.erase(last.ops.begin(), last.ops.begin() + first.ops.size());
    const bool isAll = last.ops.empty();
    if (isAll)
      segments.pop_back();
    segments.insert(std::prev(segments.end(), isAll ? 1 : 2), std::move(first));
  }

  /// About the cycles of an operation: the points of its domain.
  static int64_t steps(Operation *op) {
    ArrayRef<int64_t> bounds;
    if (auto alu = dyn_cast<AluOp>(op))
      bounds = alu.getStaticBounds();
    else if (auto gemm = dyn_cast<GemmOp>(op))
      bounds = gemm.getStaticBounds();
    int64_t points = 1;
    for (int64_t bound : bounds)
      points *= ShapedType::isDynamic(bound) ? 1 : bound;
    return points;
  }
  static int64_t steps(ArrayRef<Operation *> ops) {
    return std::accumulate(
        ops.begin(), ops.end(), int64_t(0),
        [](int64_t sum, Operation *op) { return sum + steps(op); });
  }

  static bool reads(const Segment &segment, Value buffer) {
    return llvm::any_of(segment.ops, [&](Operation *op) {
      Value source = mlir::cast<AluOp>(op).getSrc();
      return source && rootOf(source) == buffer;
    });
  }

  /// Finds everything from \p before on that \p segment needs, itself included;
  /// false if something else stands in the way.
  static bool collect(const Segment &segment, Operation *before,
                      llvm::SetVector<Operation *> &needed) {
    Operation *last = segment.ops.back();
    auto isBetween = [&](Operation *op) {
      return op->getBlock() == before->getBlock() &&
             !op->isBeforeInBlock(before) && !last->isBeforeInBlock(op);
    };
    needed.insert_range(segment.ops);
    for (size_t i = 0; i < needed.size(); ++i)
      for (Value operand : needed[i]->getOperands()) {
        Operation *definition = operand.getDefiningOp();
        if (!definition || !isBetween(definition))
          continue;
        if (!mlir::isa<LoadOp>(definition) && !isPureOrBuffer(definition))
          return false;
        needed.insert(definition);
      }
    // What is loaded for it, and what that needs. Operations may work in
    // place, on what a LOAD has put into their results.
    llvm::SmallPtrSet<Value, 4> sources = {segment.result};
    for (Operation *op : segment.ops)
      if (Value source = mlir::cast<AluOp>(op).getSrc())
        sources.insert(rootOf(source));
    for (Operation &op :
         llvm::make_range(before->getIterator(), last->getIterator())) {
      auto load = dyn_cast<LoadOp>(op);
      if (!load || !sources.contains(rootOf(load.getTarget())))
        continue;
      // Who reads what was there before would see it.
      for (Operation *user : rootOf(load.getTarget()).getUsers())
        if (isBetween(user) && user->isBeforeInBlock(&op) &&
            !mlir::isa<ViewLikeOpInterface>(user))
          return false;
      needed.insert(&op);
      for (Value operand : op.getOperands()) {
        SmallVector<Operation *> work = {operand.getDefiningOp()};
        while (!work.empty()) {
          Operation *definition = work.pop_back_val();
          if (!definition || !isBetween(definition))
            continue;
          if (!isPureOrBuffer(definition))
            return false;
          needed.insert(definition);
          for (Value further : definition->getOperands())
            work.push_back(further.getDefiningOp());
        }
      }
    }
    return true;
  }

  static bool isPureOrBuffer(Operation *op) {
    return isPure(op) || mlir::isa<memref::AllocOp>(op);
  }
};

} // namespace
