//===- InterleaveUnits.cpp - Compute in the order in which units are free -===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A list scheduler. It follows a stream with a simple model of the circuit:
// when each unit of the compute module, each bank of the accumulators, and load
// and store are free again. Of the next instructions of compute whose operands
// need no other of them, the one goes first that can start first. The model
// only chooses between legal orders: what depends on what is known from the
// ranges of entries and bytes that instructions touch.
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Passes.h"

#include "acc/vta/isa/Program.h"

#include <deque>
#include <optional>

namespace acc::vta {
#define GEN_PASS_DEF_VTAINTERLEAVEUNITS
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::vta;

namespace {

/// Entries of a scratchpad, or bytes of a buffer in DRAM (no memory), from the
/// first to the last that an instruction touches.
struct Access {
  std::optional<isa::Memory> memory;
  int32_t buffer;
  uint64_t begin, end;
  bool isWrite;

  bool conflicts(const Access &other) const {
    return (isWrite || other.isWrite) && memory == other.memory &&
           buffer == other.buffer && begin < other.end && other.begin < end;
  }
};

/// What executes an instruction: one of the units of the compute module, or
/// another module. Nothing moves across a barrier.
enum Unit { Alu, AccLoad, Gemm, kNumUnits, Load = kNumUnits, Store, Barrier };

struct Node {
  Operation *op;
  Unit unit;
  SmallVector<Access, 4> accesses;
  /// Which banks of the accumulators it touches, a bit each.
  uint32_t banks = 0;
  /// For how long it keeps its unit busy, and how much later its results are
  /// there, in cycles.
  uint64_t cycles = 0, latency = 0;
  /// Earlier nodes that have to go first and had not when it came.
  SmallVector<Node *, 8> before;
  /// When it is done, once it has gone.
  uint64_t end = 0;
  bool isDone = false;

  bool isCompute() const { return unit < kNumUnits; }
};

/// Nodes in the order of the stream, from the first on that has not gone.
using Pending = llvm::iterator_range<std::deque<Node>::iterator>;

struct InterleaveUnits : vta::impl::VTAInterleaveUnitsBase<InterleaveUnits> {
  using VTAInterleaveUnitsBase::VTAInterleaveUnitsBase;

  void runOnOperation() override {
    ProgramOp program = getOperation();
    // Units wait for each other anyway.
    if (logBanks == 0 || program.getCached())
      return;
    config = ConfigAttr::lookup(program).getConfig();
    uops = program.getUopsAttr();
    unitFree = {};
    bankFree = {};
    dispatched = loadFree = storeFree = 0;
    std::deque<Node> nodes;
    size_t first = 0;
    Block &body = program.getBody().front();
    SmallVector<Operation *> ops, order;
    for (Operation &op : body)
      ops.push_back(&op);
    size_t next = 0, computes = 0;
    while (next < ops.size() || first < nodes.size()) {
      while (next < ops.size() &&
             (first == nodes.size() || nodes.back().unit != Barrier)) {
        Node node = describe(ops[next]);
        if (node.isCompute() && computes == window)
          break;
        computes += node.isCompute();
        enter(node, llvm::make_range(nodes.begin() + first, nodes.end()));
        nodes.push_back(std::move(node));
        ++next;
      }
      Pending pending = llvm::make_range(nodes.begin() + first, nodes.end());
      Node *chosen = choose(pending);
      if (!chosen) // Nothing is left to compute in front of the barrier.
        chosen = &nodes[first];
      computes -= chosen->isCompute();
      emit(*chosen, order);
      emitStores(pending, order);
      while (first < nodes.size() && nodes[first].isDone)
        ++first;
    }
    for (auto [old, op] : llvm::zip_equal(ops, order))
      numMoved += old != op;
    for (Operation *op : order)
      op->moveBefore(&body, body.end());
  }

private:
  isa::Config config;
  UopsAttr uops;
  /// When units are free, and banks of what each unit does there.
  std::array<uint64_t, kNumUnits> unitFree;
  std::array<std::array<uint64_t, 32>, kNumUnits> bankFree;
  /// When the last instruction of compute started, the others were done.
  uint64_t dispatched, loadFree, storeFree;

  //===--------------------------------------------------------------------===//
  // What instructions touch
  //===--------------------------------------------------------------------===//

  static void addMem(Node &node, const isa::MemInsn &mem, int32_t buffer,
                     const isa::Config &config) {
    const bool isAcc = mem.memory == isa::Memory::Acc ||
                       mem.memory == isa::Memory::Acc8 ||
                       mem.memory == isa::Memory::Out;
    const isa::Memory memory = isAcc ? isa::Memory::Acc : mem.memory;
    node.unit = mem.store ? Store : isAcc ? AccLoad : Load;
    node.accesses.push_back({memory, 0, mem.sramBase,
                             uint64_t(mem.sramBase) + mem.sramEntries(),
                             !mem.store});
    if (!mem.movesData())
      return;
    const uint64_t bytes = config.elementBytes(mem.memory);
    const uint64_t last =
        mem.dramBase + uint64_t(mem.ySize - 1) * mem.xStride + mem.xSize;
    node.accesses.push_back(
        {std::nullopt, buffer, mem.dramBase * bytes, last * bytes, mem.store});
  }

  /// Adds what the loops of an instruction reach from \p entry of its micro-ops
  /// on, \p count neighbours each.
  void addLoop(Node &node, const isa::MicroLoop &loop, isa::Memory memory,
               uint32_t isa::Uop::*entry, uint32_t outer, uint32_t inner,
               uint32_t count, bool isWrite) const {
    uint64_t least = ~uint64_t(0), most = 0;
    for (uint32_t u = loop.uopBgn; u < loop.uopEnd; ++u) {
      const isa::Uop uop = uops[u];
      least = std::min<uint64_t>(least, uop.*entry);
      most = std::max<uint64_t>(most, uop.*entry);
    }
    most += uint64_t(loop.iterOut - 1) * outer +
            uint64_t(loop.iterIn - 1) * inner + count;
    node.accesses.push_back({memory, 0, least, most, isWrite});
  }

  /// Describes an instruction.
  Node describe(Operation *op) const {
    int32_t buffer;
    const isa::Instruction insn = getInstruction(op, &buffer);
    Node node;
    node.op = op;
    node.unit = Barrier;
    if (const isa::MemInsn *mem = insn.mem()) {
      if (mem->isNop() || mem->memory == isa::Memory::Uop)
        return node;
      addMem(node, *mem, buffer, config);
      const uint64_t bytes =
          uint64_t(mem->ySize) * mem->xSize * config.elementBytes(mem->memory);
      node.cycles = llvm::divideCeil(bytes, portBytes);
      node.latency = latency;
    } else if (const isa::MicroLoop *loop = insn.loop();
               loop && loop->steps() != 0) {
      const isa::GemmInsn *gemm = insn.gemm();
      const isa::AluInsn *alu = insn.alu();
      node.unit = gemm ? Gemm : Alu;
      node.cycles = loop->steps();
      addLoop(node, *loop, isa::Memory::Acc, &isa::Uop::dst, loop->dstOut,
              loop->dstIn, 1, true);
      if (gemm && !gemm->reset) {
        addLoop(node, *loop, isa::Memory::Inp, &isa::Uop::src, loop->srcOut,
                loop->srcIn, gemm->sources(config), false);
        addLoop(node, *loop, isa::Memory::Wgt, &isa::Uop::wgt, gemm->wgtOut,
                gemm->wgtIn, 1, false);
      }
      if (alu && alu->sources() != 0) {
        addLoop(node, *loop, isa::Memory::Acc, &isa::Uop::src, loop->srcOut,
                loop->srcIn, alu->sources(), false);
        // Both operands come from the accumulators, one after the other.
        if (alu->op != isa::AluOp::Requantize)
          node.cycles *= 2;
      }
    }
    const uint64_t size = config.depth(isa::Memory::Acc) >> logBanks;
    for (const Access &access : node.accesses)
      if (access.memory == isa::Memory::Acc)
        for (uint64_t bank = access.begin / size;
             bank <= (access.end - 1) / size && bank < 32; ++bank)
          node.banks |= uint32_t(1) << bank;
    return node;
  }

  /// Notes which of \p pending have to go before \p node, which comes next.
  static void enter(Node &node, Pending pending) {
    for (Node &other : pending)
      if (!other.isDone && dependsOn(node, other))
        node.before.push_back(&other);
  }

  static bool dependsOn(const Node &node, const Node &other) {
    return node.unit == Barrier || other.unit == Barrier ||
           llvm::any_of(node.accesses, [&](const Access &access) {
             return llvm::any_of(other.accesses, [&](const Access &earlier) {
               return access.conflicts(earlier);
             });
           });
  }

  //===--------------------------------------------------------------------===//
  // When they can start
  //===--------------------------------------------------------------------===//

  /// When what \p node depends on will be done, if no instruction of compute
  /// has to go first: what has to be loaded and stored goes with it.
  std::optional<uint64_t> getReady(const Node &node) const {
    uint64_t ready = 0;
    for (const Node *earlier : node.before) {
      if (earlier->isDone) {
        ready = std::max(ready, earlier->end);
        continue;
      }
      if (earlier->isCompute())
        return std::nullopt;
      std::optional<uint64_t> start = getReady(*earlier);
      if (!start)
        return std::nullopt;
      uint64_t free = earlier->unit == Load ? loadFree : storeFree;
      ready = std::max(ready, std::max(*start, free) + earlier->cycles +
                                  earlier->latency);
    }
    return ready;
  }

  /// When \p node of the compute module can start, being ready.
  uint64_t getStart(const Node &node, uint64_t ready) const {
    uint64_t start = std::max({ready, dispatched, unitFree[node.unit]});
    for (unsigned unit = 0; unit < kNumUnits; ++unit)
      for (unsigned bank = 0; unit != node.unit && bank < 32; ++bank)
        if (node.banks >> bank & 1)
          start = std::max(start, bankFree[unit][bank]);
    return start;
  }

  /// The instruction of compute that can start first. Of several that which
  /// multiplies is last, as it takes longest, and the others run beside it.
  Node *choose(Pending pending) const {
    Node *best = nullptr;
    std::pair<uint64_t, bool> least;
    for (Node &node : pending) {
      if (node.isDone || !node.isCompute())
        continue;
      std::optional<uint64_t> ready = getReady(node);
      if (!ready)
        continue;
      std::pair<uint64_t, bool> start = {getStart(node, *ready),
                                         node.unit == Gemm};
      if (!best || start < least) {
        best = &node;
        least = start;
      }
    }
    return best;
  }

  /// Appends \p node, behind what has to go first, to \p order.
  void emit(Node &node, SmallVectorImpl<Operation *> &order) {
    llvm::sort(node.before,
               [](Node *a, Node *b) { return a->op->isBeforeInBlock(b->op); });
    uint64_t ready = 0;
    for (Node *earlier : node.before) {
      if (!earlier->isDone)
        emit(*earlier, order);
      ready = std::max(ready, earlier->end);
    }
    order.push_back(node.op);
    node.isDone = true;
    if (!node.isCompute()) {
      uint64_t &free = node.unit == Load ? loadFree : storeFree;
      free = std::max(free, ready) + node.cycles;
      node.end = free + node.latency;
      return;
    }
    dispatched = getStart(node, ready);
    node.end = dispatched + node.cycles + node.latency;
    unitFree[node.unit] = dispatched + node.cycles;
    for (unsigned bank = 0; bank < 32; ++bank)
      if (node.banks >> bank & 1)
        bankFree[node.unit][bank] = node.end;
  }

  /// Appends the STOREs whose results are there, in their order.
  void emitStores(Pending pending, SmallVectorImpl<Operation *> &order) {
    for (Node &node : pending)
      if (!node.isDone && node.unit == Store &&
          llvm::all_of(node.before, [](Node *n) { return n->isDone; }))
        emit(node, order);
  }
};

} // namespace
