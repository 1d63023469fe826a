//===- CacheUops.cpp - Place micro-op sequences in their memory -----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Passes.h"
#include "passes/VTA/Program/Sequences.h"

#include <map>
#include <set>

namespace acc::vta {
#define GEN_PASS_DEF_VTACACHEUOPS
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::vta;

namespace {

/// The micro-op memory, or the part of it that tables have, as a cache of
/// sequences. All uses are known, so what is evicted is what will not be needed
/// for longest, which is optimal but for fragmentation.
class Cache {
public:
  /// Positions [bgn, end) of the table.
  using Range = std::pair<uint32_t, uint32_t>;
  struct Load {
    uint32_t sram, bgn, size;
  };

  explicit Cache(uint32_t depth) : depth(depth) {}

  /// Announces the next use of a sequence; all uses are announced first.
  void announce(Range range, uint32_t when) { uses[range].push_back(when); }

  /// Where the sequence is at its use \p when, and the LOAD needed before it.
  uint32_t use(Range range, uint32_t when, std::optional<Load> &load) {
    auto resident = residents.find(range);
    if (resident == residents.end()) {
      uint32_t size = range.second - range.first;
      auto [start, room] = makeRoom(size);
      load = Load{start, range.first, size};
      place(range, start, when);
      room -= size;
      // What follows in the table was first used later on: it comes along if
      // there is room, or if what is there will be needed later still. A LOAD
      // of its own would keep compute waiting for memory once more.
      for (auto next = uses.upper_bound(range); next != uses.end(); ++next) {
        auto [bgn, end] = next->first;
        uint32_t needed = nextUse(next->first, when);
        if (bgn != load->bgn + load->size || residents.count(next->first) ||
            needed == kNever ||
            !extendRoom(start + load->size, end - bgn, needed, room))
          break;
        place(next->first, start + load->size, when);
        load->size += end - bgn;
        room -= end - bgn;
      }
      resident = residents.find(range);
    }
    uint32_t start = resident->second;
    Block &block = blocks[start];
    byNextUse.erase({block.nextUse, start});
    block.nextUse = nextUse(range, when);
    byNextUse.insert({block.nextUse, start});
    return start;
  }

private:
  static constexpr uint32_t kNever = ~0u;
  struct Block {
    Range range;
    uint32_t size, nextUse;
  };

  uint32_t nextUse(Range range, uint32_t after) const {
    const std::vector<uint32_t> &all = uses.at(range);
    auto next = std::upper_bound(all.begin(), all.end(), after);
    return next == all.end() ? kNever : *next;
  }

  void place(Range range, uint32_t start, uint32_t when) {
    Block block = {range, range.second - range.first, nextUse(range, when)};
    blocks[start] = block;
    byNextUse.insert({block.nextUse, start});
    residents[range] = start;
  }

  /// A free place of at least \p size entries: its start, and how many there
  /// are.
  std::pair<uint32_t, uint32_t> makeRoom(uint32_t size) {
    uint32_t top = blocks.empty()
                       ? 0
                       : blocks.rbegin()->first + blocks.rbegin()->second.size;
    if (top + size <= depth)
      return {top, depth - top};
    while (true) {
      // Of several, the first: those behind it may make room for more.
      auto farthest = byNextUse.lower_bound({byNextUse.rbegin()->first, 0});
      auto block = blocks.find(farthest->second);
      byNextUse.erase(farthest);
      residents.erase(block->second.range);
      auto next = blocks.erase(block);
      uint32_t end = next == blocks.end() ? depth : next->first;
      uint32_t start = 0;
      if (next != blocks.begin()) {
        auto previous = std::prev(next);
        start = previous->first + previous->second.size;
      }
      if (end - start >= size)
        return {start, end - start};
    }
  }

  /// Makes \p room, which begins at \p from, at least \p size large by evicting
  /// what is behind it, if that is needed after \p needed; returns whether.
  bool extendRoom(uint32_t from, uint32_t size, uint32_t needed,
                  uint32_t &room) {
    while (room < size) {
      auto block = blocks.lower_bound(from);
      if (block == blocks.end() || block->second.nextUse <= needed)
        return false;
      byNextUse.erase({block->second.nextUse, block->first});
      residents.erase(block->second.range);
      block = blocks.erase(block);
      room = (block == blocks.end() ? depth : block->first) - from;
    }
    return true;
  }

  uint32_t depth;
  std::map<Range, std::vector<uint32_t>> uses;
  std::map<Range, uint32_t> residents;
  std::map<uint32_t, Block> blocks;
  std::set<std::pair<uint32_t, uint32_t>> byNextUse;
};

/// So many micro-ops could be loaded in the time in which a LOAD waits for the
/// first of them: 64 cycles, of a port of 64 bits.
constexpr uint32_t kLoadEntries = 128;

/// A program in which micro-ops, and the tables behind them, have their places.
class Placement {
public:
  /// \p slots tables may be in the scratchpad at a time, behind everything
  /// else; all of \p program must fit beside them.
  Placement(ProgramOp op, const isa::Program &program, uint32_t slots)
      : op(op), program(program), slots(slots),
        room(program.config.depth(isa::Memory::Uop) -
             slots * isa::Config::kTableEntries),
        sequences(room), tables(slots) {
    result.config = program.config;
  }

  void run();
  /// Makes it the instructions of the program.
  void write() { op.setInstructions(result, locations); }
  /// What loading all of it takes, in micro-ops.
  uint64_t getCost() const { return numLoaded + numLoads * kLoadEntries; }

  uint64_t numLoads = 0, numLoaded = 0;

private:
  static bool looksUp(const isa::Instruction &insn) {
    return insn.alu() && insn.alu()->op == isa::AluOp::Table;
  }
  /// The immediate is the number of a table; in units of tables, the cache of
  /// which has them as it has sequences in units of micro-ops.
  static Cache::Range getTable(const isa::Instruction &insn) {
    uint32_t number = insn.alu()->imm;
    return {number, number + 1};
  }
  /// What is loaded as a whole if its part \p loop is needed.
  Cache::Range getUnit(const isa::MicroLoop &loop) const {
    Cache::Range run = *std::prev(runs.upper_bound(loop.uopBgn));
    return run.second - run.first <= room
               ? run
               : Cache::Range(loop.uopBgn, loop.uopEnd);
  }
  void appendLoad(const Cache::Load &load, Location location);
  void placeLoop(isa::MicroLoop &loop, uint32_t index, Location location);
  void placeTable(isa::Instruction &insn, uint32_t index, Location location);

  ProgramOp op;
  const isa::Program &program;
  uint32_t slots, room;
  Cache sequences, tables;
  std::map<uint32_t, uint32_t> runs;
  isa::Program result;
  SmallVector<Location> locations;
};

void Placement::appendLoad(const Cache::Load &load, Location location) {
  // One more entry than the size field can hold is possible.
  constexpr uint32_t kMaxSize = isa::limits::kXSize;
  for (uint32_t done = 0; done < load.size; done += kMaxSize) {
    isa::MemInsn mem;
    mem.memory = isa::Memory::Uop;
    mem.sramBase = load.sram + done;
    mem.dramBase = load.bgn + done;
    mem.ySize = 1;
    mem.xSize = mem.xStride = std::min(load.size - done, kMaxSize);
    result.append({mem, {}}, op.getUopBuffer());
    locations.push_back(location);
    ++numLoads;
  }
  numLoaded += load.size;
}

void Placement::placeLoop(isa::MicroLoop &loop, uint32_t index,
                          Location location) {
  std::optional<Cache::Load> load;
  Cache::Range unit = getUnit(loop);
  uint32_t moved = sequences.use(unit, index, load) - unit.first;
  loop.uopBgn += moved;
  loop.uopEnd += moved;
  if (load)
    appendLoad(*load, location);
}

void Placement::placeTable(isa::Instruction &insn, uint32_t index,
                           Location location) {
  constexpr uint32_t size = isa::Config::kTableEntries;
  std::optional<Cache::Load> load;
  uint32_t slot = tables.use(getTable(insn), index, load);
  if (load)
    appendLoad({room + load->sram * size,
                uint32_t(program.uops.size()) + load->bgn * size,
                load->size * size},
               location);
  std::get<isa::AluInsn>(insn.body).imm =
      (1 << program.config.logTables()) - slots + slot;
}

void Placement::run() {
  Block &body = op.getBody().front();
  bool fits = program.uops.size() <= room;
  if (fits && !body.empty())
    appendLoad({0, 0, uint32_t(program.uops.size())}, body.front().getLoc());
  runs = findRuns(program.insns);
  for (auto [index, insn] : llvm::enumerate(program.insns)) {
    if (const isa::MicroLoop *loop = insn.loop();
        loop && loop->uopCount() > 0 && !fits)
      sequences.announce(getUnit(*loop), index);
    if (slots && looksUp(insn))
      tables.announce(getTable(insn), index);
  }
  for (auto [index, insnOp] : llvm::enumerate(body)) {
    isa::Instruction insn = program.insns[index];
    auto *loop = const_cast<isa::MicroLoop *>(insn.loop());
    if (loop && loop->uopCount() > 0 && !fits)
      placeLoop(*loop, index, insnOp.getLoc());
    if (slots && looksUp(insn))
      placeTable(insn, index, insnOp.getLoc());
    result.append(insn, program.bufferOfInsn(index));
    locations.push_back(insnOp.getLoc());
  }
}

struct CacheUops : vta::impl::VTACacheUopsBase<CacheUops> {
  void runOnOperation() override {
    ProgramOp op = getOperation();
    if (op.getCached() || !op.getUops())
      return;
    isa::Program program = op.getProgram();
    const uint32_t depth = program.config.depth(isa::Memory::Uop);
    // At most all tables that the program has, or that the circuit can have;
    // fewer where micro-ops need the room more.
    uint32_t least = 0, most = 0;
    if (ArrayAttr tables = op.getTablesAttr()) {
      least = 1;
      most = std::min<uint32_t>(tables.size(), 1 << program.config.logTables());
    }
    for (auto [insn, insnOp] : llvm::zip(program.insns, op.getBody().front())) {
      const isa::MicroLoop *loop = insn.loop();
      const uint32_t room = depth - least * isa::Config::kTableEntries;
      if (!loop || loop->uopCount() <= room) {
        const uint32_t count = loop ? loop->uopCount() : 0;
        most = std::min(most, (depth - count) / isa::Config::kTableEntries);
        continue;
      }
      insnOp.emitOpError() << "executes " << loop->uopCount()
                           << " micro-ops, but there is room for " << room;
      return signalPassFailure();
    }
    if (most == (op.getTables() ? op.getTables()->size() : 0) &&
        program.uops.size() + most * isa::Config::kTableEntries <= depth)
      least = most; // There is room for everything.
    std::optional<Placement> best;
    for (uint32_t slots = least; slots <= most; ++slots) {
      Placement placement(op, program, slots);
      placement.run();
      if (!best || placement.getCost() <= best->getCost())
        best.emplace(std::move(placement));
    }
    if (op.getTables())
      appendTables(op);
    best->write();
    op.setCached(true);
    numLoads += best->numLoads;
    numLoaded += best->numLoaded;
  }

  /// Makes micro-ops of the tables, in the order of the bytes that are looked
  /// up: what is not negative comes first.
  static void appendTables(ProgramOp op) {
    SmallVector<int32_t> uops(op.getUopsAttr().getValues());
    for (auto table : op.getTablesAttr().getAsRange<DenseI8ArrayAttr>()) {
      ArrayRef<int8_t> entries = table.asArrayRef();
      for (size_t byte = 0; byte < entries.size(); ++byte)
        uops.append({uint8_t(entries[byte ^ (entries.size() / 2)]), 0, 0});
    }
    op.setUopsAttr(UopsAttr::get(op.getContext(), uops));
    op.removeTablesAttr();
  }
};

} // namespace
