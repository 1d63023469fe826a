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

/// The micro-op memory as a cache of sequences. All uses are known, so what is
/// evicted is what will not be needed for longest, which is optimal but for
/// fragmentation.
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
      auto farthest = std::prev(byNextUse.end());
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

struct CacheUops : vta::impl::VTACacheUopsBase<CacheUops> {
  void runOnOperation() override {
    ProgramOp op = getOperation();
    if (op.getCached() || !op.getUops())
      return;
    isa::Program program = op.getProgram();
    uint32_t depth = program.config.depth(isa::Memory::Uop);
    isa::Program result;
    result.config = program.config;
    SmallVector<Location> locations;
    auto appendLoad = [&](const Cache::Load &load, Location location) {
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
    };

    Block &body = op.getBody().front();
    bool fits = program.uops.size() <= depth;
    if (fits && !body.empty())
      appendLoad({0, 0, uint32_t(program.uops.size())}, body.front().getLoc());
    Cache cache(depth);
    std::map<uint32_t, uint32_t> runs = findRuns(program.insns);
    auto getUnit = [&](const isa::MicroLoop &loop) -> Cache::Range {
      Cache::Range run = *std::prev(runs.upper_bound(loop.uopBgn));
      return run.second - run.first <= depth
                 ? run
                 : Cache::Range(loop.uopBgn, loop.uopEnd);
    };
    for (auto [index, insn] : llvm::enumerate(program.insns))
      if (const isa::MicroLoop *loop = insn.loop();
          loop && loop->uopCount() > 0)
        cache.announce(getUnit(*loop), index);
    for (auto [index, insnOp] : llvm::enumerate(body)) {
      isa::Instruction insn = program.insns[index];
      auto *loop = const_cast<isa::MicroLoop *>(insn.loop());
      if (loop && loop->uopCount() > 0 && !fits) {
        if (loop->uopCount() > depth) {
          insnOp.emitOpError() << "executes " << loop->uopCount()
                               << " micro-ops, but there is room for " << depth;
          return signalPassFailure();
        }
        std::optional<Cache::Load> load;
        Cache::Range unit = getUnit(*loop);
        uint32_t moved = cache.use(unit, index, load) - unit.first;
        loop->uopBgn += moved;
        loop->uopEnd += moved;
        if (load)
          appendLoad(*load, insnOp.getLoc());
      }
      result.append(insn, program.bufferOfInsn(index));
      locations.push_back(insnOp.getLoc());
    }
    op.setInstructions(result, locations);
    op.setCached(true);
  }
};

} // namespace
