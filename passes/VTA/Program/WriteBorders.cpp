//===- WriteBorders.cpp - Borders of buffers, by the accelerator ----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The host fills a buffer with the value of its padding, then programs write
// what is inside of the border and others read all of it. What they write and
// read is in their STOREs and LOADs. What is read before it is written is
// little, and the accelerator can store it on its own: the value is put into a
// few accumulators, from which STOREs copy it wherever it is wanted, beside
// what compute does next.
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Passes.h"
#include "passes/VTA/Program/Buffers.h"

#include "dialects/TE/TEDialect.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

namespace acc::vta {
#define GEN_PASS_DEF_VTAWRITEBORDERS
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::vta;

namespace {

/// Elements [begin, begin + size), `rows` times, `stride` apart.
struct Strip {
  int64_t begin, size, rows = 1, stride = 0;
};

struct WriteBorders : vta::impl::VTAWriteBordersBase<WriteBorders> {
  using VTAWriteBordersBase::VTAWriteBordersBase;

  void runOnOperation() override {
    SymbolTableCollection collection;
    SymbolTable &symbols = collection.getSymbolTable(getOperation());
    SmallVector<te::LaunchOp> fills;
    getOperation().walk([&](te::LaunchOp launch) { fills.push_back(launch); });
    llvm::SetVector<Operation *> kernels;
    for (te::LaunchOp launch : fills) {
      auto kernel = symbols.lookup<te::KernelOp>(launch.getKernel());
      std::optional<int64_t> value =
          kernel ? getFilledValue(kernel) : std::nullopt;
      if (value && replace(launch, *value, symbols))
        kernels.insert(kernel);
    }
    for (Operation *kernel : kernels)
      if (SymbolTable::symbolKnownUseEmpty(kernel, getOperation()))
        kernel->erase();
  }

private:
  /// The first program that uses a filled buffer, as which of its arguments,
  /// and which elements must hold the value then.
  struct Border {
    ProgramOp program;
    int32_t argument = 0;
    llvm::BitVector wanted;
  };

  /// Lets the first program that uses a buffer write what others read of its
  /// value.
  bool replace(te::LaunchOp launch, int64_t value, SymbolTable &symbols) {
    ConfigAttr known = ConfigAttr::lookup(getOperation());
    if (!known || launch->getNumOperands() != 1 || !llvm::isInt<16>(value))
      return false;
    Value filled = launch->getOperand(0);
    auto type = dyn_cast<MemRefType>(filled.getType());
    auto [buffer, offset] = vta::findPlace(filled);
    isa::Config config = known.getConfig();
    if (!type || !buffer || !buffer.getDefiningOp<memref::AllocOp>() ||
        offset != 0 || !getBytes(buffer) ||
        getBytes(buffer) != getBytes(filled) ||
        !type.getElementType().isSignlessInteger(8))
      return false;
    // A byte holds several elements of less, all of which are equal.
    int64_t element = llvm::SignExtend64(value, config.outBits());
    for (int bit = 0; bit < 8; bit += config.outBits())
      if (llvm::SignExtend64(value >> bit, config.outBits()) != element)
        return false;
    std::optional<Border> border = findBorder(launch, buffer, config, symbols);
    if (!border)
      return false;
    prepend(*border, element, config, launch.getLoc());
    launch.erase();
    ++numBorders;
    return true;
  }

  /// Follows a buffer from where it is filled: nothing if a program cannot
  /// write all that is wanted.
  std::optional<Border> findBorder(te::LaunchOp launch, Value buffer,
                                   const isa::Config &config,
                                   SymbolTable &symbols) {
    llvm::SetVector<Operation *> users;
    SmallVector<Value> views = {buffer};
    while (!views.empty())
      for (Operation *user : views.pop_back_val().getUsers()) {
        if (user->getBlock() != launch->getBlock())
          return std::nullopt;
        if (mlir::isa<ViewLikeOpInterface>(user))
          views.push_back(user->getResult(0));
        else if (user != launch)
          users.insert(user);
      }
    SmallVector<Operation *> order(users.getArrayRef());
    llvm::sort(order, [](Operation *a, Operation *b) {
      return a != b && a->isBeforeInBlock(b);
    });

    int64_t bits = *getBytes(buffer) * 8;
    int64_t unit = 8 * config.elementBytes(isa::Memory::Out);
    if (bits % unit != 0)
      return std::nullopt;
    Border result;
    result.wanted.resize(bits / unit);
    llvm::BitVector written(bits / unit);
    for (Operation *user : order) {
      if (user->isBeforeInBlock(launch))
        return std::nullopt;
      auto run = dyn_cast<LaunchOp>(user);
      auto program =
          run ? symbols.lookup<ProgramOp>(run.getProgram()) : ProgramOp();
      if (!program || program.getCached() ||
          llvm::count(run.getOperands(), buffer) != 1) {
        // It may read everything.
        result.wanted |= written.flip();
        break;
      }
      auto argument = int32_t(llvm::find(run.getOperands(), buffer) -
                              run.getOperands().begin());
      if (!result.program) {
        if (!llvm::hasSingleElement(
                *SymbolTable::getSymbolUses(program, getOperation())))
          return std::nullopt;
        result.program = program;
        result.argument = argument;
      }
      follow(program, argument, config, written, result.wanted);
    }
    if (!result.program)
      return std::nullopt;
    return result;
  }

  /// Adds what a program writes, and what it wants because it reads it before
  /// anybody wrote it.
  static void follow(ProgramOp program, int32_t argument,
                     const isa::Config &config, llvm::BitVector &written,
                     llvm::BitVector &wanted) {
    uint64_t unit = config.elementBytes(isa::Memory::Out);
    for (Operation &op : program.getBody().front()) {
      int32_t buffer;
      isa::Instruction insn = getInstruction(&op, &buffer);
      const isa::MemInsn *mem = insn.mem();
      if (buffer != argument || !mem || !mem->movesData())
        continue;
      uint64_t bytes = config.elementBytes(mem->memory);
      for (uint32_t row = 0; row < mem->ySize; ++row) {
        uint64_t begin = mem->dramBase + uint64_t(row) * mem->xStride;
        uint64_t end = std::min<uint64_t>(
            llvm::divideCeil((begin + mem->xSize) * bytes, unit),
            written.size());
        begin = std::min(begin * bytes / unit, end);
        if (mem->store) {
          written.set(begin, end);
          continue;
        }
        for (int at = written.find_first_unset_in(begin, end); at >= 0;
             at = written.find_first_unset_in(at + 1, end))
          wanted.set(at);
      }
    }
  }

  /// What is wanted, as few strips as there may be: equal ones a constant
  /// distance apart are one.
  static SmallVector<Strip> findStrips(const llvm::BitVector &wanted) {
    SmallVector<Strip> strips;
    for (int begin = wanted.find_first(); begin >= 0;) {
      int end = wanted.find_next_unset(begin);
      if (end < 0)
        end = wanted.size();
      int64_t size = end - begin;
      Strip *last = strips.empty() ? nullptr : &strips.back();
      int64_t distance =
          last ? begin - last->begin - (last->rows - 1) * last->stride : 0;
      if (last && last->size == size &&
          (last->rows == 1 || last->stride == distance)) {
        last->stride = distance;
        ++last->rows;
      } else {
        strips.push_back({begin, size});
      }
      begin = end == int(wanted.size()) ? -1 : wanted.find_next(end);
    }
    return strips;
  }

  /// Finds accumulators that the program neither loads nor stores, so that the
  /// border's STOREs hold nothing up; failing that, some at an end.
  static int64_t findPlace(ProgramOp program, int64_t count, int64_t depth) {
    llvm::BitVector used(depth);
    for (Operation &op : program.getBody().front()) {
      isa::Instruction insn = getInstruction(&op);
      const isa::MemInsn *mem = insn.mem();
      if (!mem || mem->isNop() ||
          (!mem->store && mem->memory != isa::Memory::Acc &&
           mem->memory != isa::Memory::Acc8))
        continue;
      used.set(mem->sramBase, mem->sramBase + mem->sramEntries());
    }
    for (int64_t from = 0; from + count <= depth; ++from) {
      int next = used.find_next(from - 1);
      if (next < 0 || next >= from + count)
        return from;
      from = next;
    }
    return used.test(0) ? depth - count : 0;
  }

  void prepend(const Border &border, int64_t value, const isa::Config &config,
               Location location) {
    SmallVector<Strip> strips = findStrips(border.wanted);
    if (strips.empty())
      return;
    int64_t depth = config.depth(isa::Memory::Acc);
    int64_t room = std::clamp<int64_t>(maxEntries, 1, depth);
    int64_t count = 0;
    for (const Strip &strip : strips)
      count = std::max(count, std::min(room, strip.size * strip.rows));
    ProgramOp program = border.program;
    int64_t place = findPlace(program, count, depth);

    SmallVector<int32_t> uops;
    if (UopsAttr table = program.getUopsAttr())
      uops.append(table.getValues().begin(), table.getValues().end());
    uint32_t uop = uops.size() / 3;
    uops.append({int32_t(place), int32_t(place), 0});
    program.setUopsAttr(UopsAttr::get(&getContext(), uops));
    OpBuilder builder = OpBuilder::atBlockBegin(&program.getBody().front());
    auto loop = [&](auto insn) {
      insn.uopBgn = uop;
      insn.uopEnd = uop + 1;
      insn.iterOut = 1;
      insn.iterIn = count;
      insn.dstIn = 1;
      return insn;
    };
    isa::GemmInsn reset = loop(isa::GemmInsn());
    reset.reset = true;
    createInstruction(builder, location, {reset, {}});
    isa::AluInsn add = loop(isa::AluInsn());
    add.op = isa::AluOp::Add;
    add.srcIn = 1;
    add.useImm = true;
    add.imm = value;
    createInstruction(builder, location, {add, {}});

    auto store = [&](int64_t begin, int64_t size, int64_t rows,
                     int64_t stride) {
      isa::MemInsn mem;
      mem.store = true;
      mem.memory = isa::Memory::Out;
      mem.sramBase = place;
      mem.dramBase = begin;
      mem.ySize = rows;
      mem.xSize = size;
      mem.xStride = rows > 1 ? stride : size;
      createInstruction(builder, location, {mem, {}}, border.argument);
    };
    for (const Strip &strip : strips)
      if (strip.size > count || strip.stride > isa::limits::kXStride) {
        for (int64_t row = 0; row < strip.rows; ++row)
          for (int64_t done = 0; done < strip.size; done += count)
            store(strip.begin + row * strip.stride + done,
                  std::min(count, strip.size - done), 1, 0);
      } else {
        int64_t rows = count / strip.size;
        for (int64_t done = 0; done < strip.rows; done += rows)
          store(strip.begin + done * strip.stride, strip.size,
                std::min(rows, strip.rows - done), strip.stride);
      }
  }
};

} // namespace
