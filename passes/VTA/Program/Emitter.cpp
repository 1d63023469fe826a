//===- Emitter.cpp - From evaluated operations to instructions ------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Program/Emitter.h"

#include "mlir/IR/AffineMap.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace acc;
using namespace acc::vta;

Emitter::Emitter(const isa::Config &config, isa::Dialect dialect,
                 int64_t aluStepsApart, Evaluator &evaluator, Location location)
    : config(config), dialect(dialect), aluStepsApart(aluStepsApart),
      longestSequence(getLongestSequence(config, dialect)),
      evaluator(evaluator), location(location) {
  program.config = config;
}

void Emitter::append(const isa::Instruction &insn, int32_t buffer) {
  program.append(insn, buffer);
  locations.push_back(location);
}

void Emitter::emitFinish(Location loc) {
  emitResets();
  location = loc;
  append({isa::FinishInsn(), {}});
  placeSequences();
}

/// Whether the operation has nothing to do with accumulators.
static bool loadsForProducts(Operation *op) {
  auto load = dyn_cast<LoadOp>(op);
  if (!load)
    return false;
  auto type = cast<MemRefType>(load.getTarget().getType());
  return cast<MemorySpaceAttr>(type.getMemorySpace()).getValue() !=
         MemorySpace::Acc;
}

LogicalResult Emitter::emit(Operation *op) {
  if (!mlir::isa<GemmOp, ResetOp>(op) && !loadsForProducts(op))
    emitResets();
  location = op->getLoc();
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](LoadOp load) { return emitLoad(load); })
      .Case([&](StoreOp store) { return emitStore(store); })
      .Case([&](ResetOp reset) { return emitReset(reset); })
      .Case([&](GemmOp gemm) { return emitGemm(gemm); })
      .Case([&](AluOp alu) { return emitAlu(alu); });
}

/// Rows and columns of the hardware element.
static std::pair<int64_t, int64_t> elementShape(const isa::Config &config,
                                                isa::Memory memory) {
  switch (memory) {
  case isa::Memory::Wgt:
    return {config.blockOut(), config.blockIn()};
  case isa::Memory::Inp:
    return {config.batch(), config.blockIn()};
  default:
    return {config.batch(), config.blockOut()};
  }
}

static int scalarBits(const isa::Config &config, isa::Memory memory) {
  switch (memory) {
  case isa::Memory::Wgt:
    return config.wgtBits();
  case isa::Memory::Acc:
    return 1 << config.logAccWidth;
  default:
    return config.inpBits();
  }
}

FailureOr<ElementView> Emitter::getElements(Operation *op, Value value,
                                            isa::Memory memory) {
  const View &view = evaluator.getView(value);
  auto [rows, columns] = elementShape(config, memory);
  size_t outer = view.sizes.size() - 2;
  int bits = cast<MemRefType>(value.getType()).getElementTypeBitWidth();
  auto fail = [&] {
    return op->emitError() << "operand of type " << value.getType()
                           << " does not consist of whole elements of "
                           << isa::memoryName(memory) << ", which are " << rows
                           << "x" << columns << " of i"
                           << scalarBits(config, memory);
  };
  if (view.sizes[outer] != rows || view.sizes[outer + 1] != columns ||
      bits != scalarBits(config, memory) ||
      (columns != 1 && view.strides[outer + 1] != 1) ||
      (rows != 1 && view.strides[outer] != columns) ||
      view.start() % (rows * columns) != 0)
    return fail();
  ElementView result;
  result.start = view.start() / (rows * columns);
  for (size_t dim = 0; dim < outer; ++dim) {
    if (view.strides[dim] % (rows * columns) != 0 && view.sizes[dim] > 1)
      return fail();
    result.sizes.push_back(view.sizes[dim]);
    result.strides.push_back(view.strides[dim] / (rows * columns));
  }
  return result;
}

LogicalResult Emitter::emitLoad(LoadOp op) {
  auto source = cast<MemRefType>(op.getSource().getType());
  auto target = cast<MemRefType>(op.getTarget().getType());
  isa::MemInsn insn;
  switch (cast<MemorySpaceAttr>(target.getMemorySpace()).getValue()) {
  case MemorySpace::Inp:
    insn.memory = isa::Memory::Inp;
    break;
  case MemorySpace::Wgt:
    insn.memory = isa::Memory::Wgt;
    break;
  default:
    insn.memory = source.getElementType() == target.getElementType()
                      ? isa::Memory::Acc
                      : isa::Memory::Acc8;
    break;
  }
  FailureOr<ElementView> from = getElements(op, op.getSource(), insn.memory);
  FailureOr<ElementView> to = getElements(
      op, op.getTarget(),
      insn.memory == isa::Memory::Acc8 ? isa::Memory::Acc : insn.memory);
  if (failed(from) || failed(to))
    return failure();
  SmallVector<int64_t> low = evaluator.getIntegers(op.getMixedLow());
  SmallVector<int64_t> high = evaluator.getIntegers(op.getMixedHigh());
  SmallVector<TransferDim> dims;
  bool isEmpty = false;
  for (size_t dim = 0; dim < low.size(); ++dim) {
    TransferDim d = {std::max<int64_t>(from->sizes[dim], 0), low[dim],
                     high[dim], from->strides[dim], to->strides[dim]};
    if (d.low < 0 || d.high < 0)
      return op.emitError() << "padding of dimension " << dim
                            << " is negative: " << d.low << " and " << d.high;
    isEmpty |= d.box() <= 0;
    if (d.box() > to->sizes[dim])
      return op.emitError() << "writes " << d.low << " + " << d.size << " + "
                            << d.high << " elements in dimension " << dim
                            << " of the target, which has " << to->sizes[dim];
    dims.push_back(d);
  }
  if (!isEmpty)
    emitTransfer(insn, evaluator.getView(op.getSource()).buffer, from->start,
                 to->start, std::move(dims));
  return success();
}

LogicalResult Emitter::emitStore(StoreOp op) {
  isa::MemInsn insn;
  insn.store = true;
  insn.memory = isa::Memory::Out;
  FailureOr<ElementView> from =
      getElements(op, op.getSource(), isa::Memory::Acc);
  FailureOr<ElementView> to = getElements(op, op.getTarget(), insn.memory);
  if (failed(from) || failed(to))
    return failure();
  SmallVector<TransferDim> dims;
  for (size_t dim = 0; dim < to->sizes.size(); ++dim) {
    if (to->sizes[dim] <= 0)
      return success();
    if (to->sizes[dim] > from->sizes[dim])
      return op.emitError()
             << "reads " << to->sizes[dim] << " elements in dimension " << dim
             << " of the source, which has " << from->sizes[dim];
    dims.push_back(
        {to->sizes[dim], 0, 0, to->strides[dim], from->strides[dim]});
  }
  emitTransfer(insn, evaluator.getView(op.getTarget()).buffer, to->start,
               from->start, std::move(dims));
  return success();
}

LogicalResult Emitter::emitLoops(Operation *op, isa::Instruction insn,
                                 ArrayRef<int64_t> bounds,
                                 ArrayRef<ElementView> operands, ArrayAttr maps,
                                 ArrayRef<unsigned> roles) {
  if (llvm::any_of(bounds, [](int64_t bound) { return bound <= 0; }))
    return success();
  std::array<int64_t, 3> bases = {0, 0, 0};
  SmallVector<LoopDim> dims;
  for (int64_t bound : bounds)
    dims.push_back({bound, {0, 0, 0}});
  for (auto [view, attribute, role] : llvm::zip(operands, maps, roles)) {
    AffineMap map = cast<AffineMapAttr>(attribute).getValue();
    bases[role] = view.start;
    for (auto [index, result] : llvm::enumerate(map.getResults())) {
      SmallVector<int64_t> coefficients =
          *getLinearCoefficients(result, bounds.size());
      int64_t low = coefficients.back(), high = low;
      bases[role] += low * view.strides[index];
      for (size_t dim = 0; dim < dims.size(); ++dim) {
        dims[dim].strides[role] += coefficients[dim] * view.strides[index];
        int64_t extent = coefficients[dim] * (bounds[dim] - 1);
        (extent < 0 ? low : high) += extent;
      }
      if (low < 0 || high >= view.sizes[index])
        return op->emitError()
               << "map " << attribute << " ranges over [" << low << ", " << high
               << "] in dimension " << index << " of an operand that has "
               << view.sizes[index] << " there";
    }
  }
  if (auto *gemm = std::get_if<isa::GemmInsn>(&insn.body))
    gemm->set = takeReset(bases[0], dims);
  emitDomain(insn, bases, std::move(dims));
  return success();
}

LogicalResult Emitter::emitReset(ResetOp op) {
  FailureOr<ElementView> acc = getElements(op, op.getAcc(), isa::Memory::Acc);
  if (failed(acc))
    return failure();
  resets.push_back({op.getLoc(), *acc});
  if (!config.gemmSet || dialect != isa::Dialect::Acc)
    emitResets();
  return success();
}

LogicalResult Emitter::emitGemm(GemmOp op) {
  FailureOr<ElementView> inp = getElements(op, op.getInp(), isa::Memory::Inp);
  FailureOr<ElementView> wgt = getElements(op, op.getWgt(), isa::Memory::Wgt);
  FailureOr<ElementView> acc = getElements(op, op.getAcc(), isa::Memory::Acc);
  if (failed(inp) || failed(wgt) || failed(acc))
    return failure();
  isa::GemmInsn gemm;
  gemm.window = op.getWindow();
  if (gemm.window) {
    if (!config.gemmWindow)
      return op.emitError("needs a configuration that declares GEMM_WINDOW");
    if (inp->sizes.empty() || inp->strides.back() != 1)
      return op.emitError("inputs of a window do not follow each other");
    // Where a window begins, it ends within the same row.
    inp->sizes.back() -= gemm.sources(config) - 1;
  }
  return emitLoops(op, {gemm, {}}, evaluator.getIntegers(op.getMixedBounds()),
                   {*inp, *wgt, *acc}, op.getMaps(), {1, 2, 0});
}

LogicalResult Emitter::emitAlu(AluOp op) {
  SmallVector<ElementView> operands;
  for (Value value : {op.getDst(), op.getSrc()}) {
    if (!value)
      continue;
    FailureOr<ElementView> view = getElements(op, value, isa::Memory::Acc);
    if (failed(view))
      return failure();
    operands.push_back(*view);
  }
  isa::AluInsn alu;
  alu.op = isa::AluOp(op.getOp());
  alu.useImm = op.getImm().has_value();
  alu.imm = alu.useImm ? int32_t(*op.getImm()) : 0;
  ArrayAttr maps = op.getMaps();
  if (DenseI8ArrayAttr table = op.getTableAttr()) {
    alu.useImm = true;
    alu.imm = tables.intern(table);
  }
  if (alu.useImm) {
    // Some designs read the source where there is an immediate.
    operands.push_back(operands.front());
    maps = ArrayAttr::get(op.getContext(), {maps[0], maps[0]});
  }
  return emitLoops(op, {alu, {}}, evaluator.getIntegers(op.getMixedBounds()),
                   operands, maps, {0, 1});
}
