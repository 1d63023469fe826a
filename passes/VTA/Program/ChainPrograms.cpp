//===- ChainPrograms.cpp - Consecutive programs become one ----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Why the result is right: the joined stream has the instructions of the
// programs in the order of their launches, each addressing the bytes that it
// did, and vta-insert-tokens orders whatever conflicts on an entry of a
// scratchpad or on a byte of a buffer. What it does not see are bytes that two
// buffers share. There are none: a buffer of the joined program is a whole
// allocation or argument of main, never a view, and those that share workspace
// later on (host-plan-memory) are not in use at the same time, while all
// buffers of a launch are. Buffers that only the chain uses would take much
// room that way. They are placed here, in one allocation, by the launches that
// use them. To the tracker of hazards this is one buffer, in which it knows
// every byte. Buffers that vta-join-buffers has made parts of one allocation
// are parts of one buffer, too.
//
//===----------------------------------------------------------------------===//

#include "passes/Support/Placement.h"
#include "passes/VTA/Passes.h"
#include "passes/VTA/Program/Buffers.h"
#include "passes/VTA/Program/Streams.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/MapVector.h"

namespace acc::vta {
#define GEN_PASS_DEF_VTACHAINPROGRAMS
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::vta;

/// The allocation or argument that a buffer is a view of, wherever the view
/// begins.
static Value getBase(Value value) {
  while (auto view = value.getDefiningOp<ViewLikeOpInterface>())
    value = view.getViewSource();
  return value;
}

namespace {

/// What operations read and write.
struct Accesses {
  llvm::DenseSet<Value> reads, writes, results;
  /// Whether they do more than what is known.
  bool unknown = false;

  bool conflictsWith(const Accesses &other) const {
    auto meet = [](const auto &a, const auto &b) {
      return llvm::any_of(a, [&](Value value) { return b.contains(value); });
    };
    return unknown || other.unknown || meet(writes, other.writes) ||
           meet(writes, other.reads) || meet(reads, other.writes);
  }

  void add(const Accesses &other) {
    reads.insert(other.reads.begin(), other.reads.end());
    writes.insert(other.writes.begin(), other.writes.end());
    results.insert(other.results.begin(), other.results.end());
    unknown |= other.unknown;
  }
};

/// Launches that become one. `later` is what stands between them and has to
/// come after those that were there before it.
struct Chain {
  SmallVector<LaunchOp> launches;
  Accesses accesses, later;
  int64_t instructions = 0;
};

struct ChainPrograms : vta::impl::VTAChainProgramsBase<ChainPrograms> {
  using VTAChainProgramsBase::VTAChainProgramsBase;

  void runOnOperation() override {
    SymbolTableCollection collection;
    symbols = &collection.getSymbolTable(getOperation());
    summaries.clear();
    SmallVector<ProgramOp> programs(getOperation().getOps<ProgramOp>());
    for (ProgramOp program : programs)
      if (!program.getCached())
        summarize(program);
    SmallVector<Block *> blocks;
    for (auto function : getOperation().getOps<FunctionOpInterface>())
      if (!function.isExternal() && function.getFunctionBody().hasOneBlock())
        blocks.push_back(&function.getFunctionBody().front());
    for (Block *block : blocks)
      if (failed(chain(*block)))
        return signalPassFailure();
    // What is left of programs that nobody launches any more.
    for (ProgramOp program : programs)
      if (joined.contains(program) &&
          SymbolTable::symbolKnownUseEmpty(program, getOperation()))
        program.erase();
  }

private:
  /// What a program does with each of its buffers, and how long it is.
  struct Summary {
    llvm::SmallBitVector reads, writes;
    int64_t instructions = 0;
  };

  void summarize(ProgramOp program) {
    Summary summary;
    unsigned buffers = program.getBuffers().size();
    summary.reads.resize(buffers);
    summary.writes.resize(buffers);
    for (Operation &op : program.getBody().front()) {
      ++summary.instructions;
      int32_t buffer;
      isa::Instruction insn = getInstruction(&op, &buffer);
      const isa::MemInsn *mem = insn.mem();
      if (!mem || buffer < 0 || buffer >= int32_t(buffers))
        continue;
      (mem->store ? summary.writes : summary.reads).set(buffer);
    }
    summaries[program.getSymNameAttr()] = std::move(summary);
  }

  const Summary *lookup(LaunchOp launch) const {
    auto it = summaries.find(launch.getProgramAttr().getAttr());
    return it == summaries.end() ? nullptr : &it->second;
  }

  /// Whether the buffers of a launch are known well enough.
  bool canChain(LaunchOp launch) const {
    return lookup(launch) && llvm::all_of(launch.getOperands(), [](Value v) {
             Value root = findPlace(v).root;
             return root && getBytes(root);
           });
  }

  Accesses getAccesses(Operation *op) const {
    Accesses result;
    result.results.insert(op->result_begin(), op->result_end());
    auto launch = dyn_cast<LaunchOp>(op);
    if (const Summary *summary = launch ? lookup(launch) : nullptr) {
      for (auto [index, operand] : llvm::enumerate(launch.getOperands())) {
        if (summary->reads.test(index))
          result.reads.insert(getBase(operand));
        if (summary->writes.test(index))
          result.writes.insert(getBase(operand));
      }
      return result;
    }
    if (isMemoryEffectFree(op) && !op->hasTrait<OpTrait::IsTerminator>())
      return result;
    auto interface = dyn_cast<MemoryEffectOpInterface>(op);
    if (!interface || op->getNumRegions()) {
      result.unknown = true;
      return result;
    }
    SmallVector<MemoryEffects::EffectInstance> effects;
    interface.getEffects(effects);
    for (const MemoryEffects::EffectInstance &effect : effects) {
      if (mlir::isa<MemoryEffects::Allocate>(effect.getEffect()))
        continue;
      Value value = effect.getValue();
      Value base = value ? getBase(value) : Value();
      // A result of anything else may be a view of whatever there is.
      if (!base ||
          (base.getDefiningOp() && !base.getDefiningOp<memref::AllocOp>())) {
        result.unknown = true;
        return result;
      }
      bool reads = mlir::isa<MemoryEffects::Read>(effect.getEffect());
      (reads ? result.reads : result.writes).insert(base);
    }
    return result;
  }

  LogicalResult chain(Block &block) {
    Chain current;
    for (Operation &op : llvm::make_early_inc_range(block)) {
      Accesses accesses = getAccesses(&op);
      bool isLater = op.hasTrait<OpTrait::IsTerminator>() ||
                     accesses.conflictsWith(current.later) ||
                     llvm::any_of(op.getOperands(), [&](Value operand) {
                       return current.later.results.contains(operand);
                     });
      auto launch = dyn_cast<LaunchOp>(op);
      if (launch && canChain(launch)) {
        int64_t size = lookup(launch)->instructions;
        if (isLater || current.launches.empty() ||
            current.instructions + size > maxInstructions) {
          if (failed(join(current)))
            return failure();
          current = {};
        } else {
          op.moveAfter(current.launches.back());
        }
        current.launches.push_back(launch);
        current.accesses.add(accesses);
        current.instructions += size;
      } else if (!current.launches.empty()) {
        if (isLater || accesses.conflictsWith(current.accesses))
          current.later.add(accesses);
        else
          op.moveBefore(current.launches.front());
      }
    }
    return join(current);
  }

  /// Whether only launches of the chain use an allocation, be it by views.
  static bool isInside(Value buffer, const llvm::DenseSet<Operation *> &chain) {
    return llvm::all_of(buffer.getUsers(), [&](Operation *user) {
      if (mlir::isa<ViewLikeOpInterface>(user))
        return isInside(user->getResult(0), chain);
      return chain.contains(user);
    });
  }

  /// Where the buffers of a chain are.
  struct Buffers {
    SmallVector<Value> operands;
    llvm::DenseMap<Value, Streams::Place> places;
  };

  Buffers placeBuffers(Chain &chain, OpBuilder &builder) {
    llvm::DenseSet<Operation *> inside(chain.launches.begin(),
                                       chain.launches.end());
    llvm::MapVector<Value, Piece> local;
    Buffers result;
    uint64_t alignment = 1;
    for (auto [index, launch] : llvm::enumerate(chain.launches))
      for (Value operand : launch.getOperands()) {
        Value root = findPlace(operand).root;
        auto alloc = root.getDefiningOp<memref::AllocOp>();
        if (!alloc || !isInside(root, inside)) {
          auto number = int32_t(result.operands.size());
          if (result.places.try_emplace(root, Streams::Place{number, 0}).second)
            result.operands.push_back(root);
          continue;
        }
        auto [piece, isNew] = local.try_emplace(root);
        if (isNew) {
          piece->second.size = *getBytes(root);
          piece->second.first = index;
        }
        piece->second.last = index;
        alignment =
            std::max<uint64_t>(alignment, alloc.getAlignment().value_or(1));
      }
    if (local.empty())
      return result;
    SmallVector<Piece> pieces;
    for (auto &[root, piece] : local)
      pieces.push_back(piece);
    isa::Config config = ConfigAttr::lookup(getOperation()).getConfig();
    alignment = llvm::alignTo(alignment, config.alignment());
    int64_t bytes = placePieces(pieces, {int64_t(alignment)});
    auto type = MemRefType::get({bytes}, builder.getI8Type());
    auto number = int32_t(result.operands.size());
    result.operands.push_back(
        memref::AllocOp::create(builder, chain.launches.front().getLoc(), type,
                                builder.getI64IntegerAttr(alignment)));
    for (auto [entry, piece] : llvm::zip(local, pieces))
      result.places[entry.first] = {number, piece.offset};
    return result;
  }

  LogicalResult join(Chain &chain) {
    // A launch alone stays as it is, unless it must address a part of a buffer.
    if (chain.launches.empty() ||
        (chain.launches.size() == 1 &&
         llvm::all_of(chain.launches.front().getOperands(), [](Value operand) {
           return findPlace(operand).offset == 0;
         })))
      return success();
    ConfigAttr config = ConfigAttr::lookup(getOperation());
    LaunchOp first = chain.launches.front();
    OpBuilder builder(first);
    Buffers buffers = placeBuffers(chain, builder);

    Streams streams(config.getConfig());
    SmallVector<Attribute> parts;
    SmallVector<Location> locations;
    for (LaunchOp launch : chain.launches) {
      auto program = symbols->lookup<ProgramOp>(launch.getProgram());
      SmallVector<Streams::Place> places;
      SmallVector<int64_t> numbers, offsets;
      for (Value operand : launch.getOperands()) {
        auto [root, offset] = findPlace(operand);
        places.push_back(buffers.places.at(root));
        places.back().offset += offset;
        numbers.push_back(places.back().buffer);
        offsets.push_back(places.back().offset);
      }
      if (failed(streams.append(program, places)))
        return failure();
      joined.insert(program);
      locations.push_back(launch.getLoc());
      auto known = launch.getParts()
                       ? mlir::cast<PartAttr>((*launch.getParts())[0])
                       : PartAttr();
      parts.push_back(PartAttr::get(
          &getContext(), launch.getProgramAttr().getAttr(),
          known ? known.getLabel() : launch.getProgramAttr().getAttr(),
          builder.getDenseI64ArrayAttr(numbers),
          builder.getDenseI64ArrayAttr(offsets)));
      ++numChained;
    }
    streams.hoistLoads();

    auto space = MemorySpaceAttr::get(&getContext(), MemorySpace::Dram);
    SmallVector<Type> types;
    for (Value operand : buffers.operands) {
      auto type = mlir::cast<MemRefType>(operand.getType());
      types.push_back(MemRefType::get(type.getShape(), type.getElementType(),
                                      MemRefLayoutAttrInterface(), space));
    }
    auto firstProgram = symbols->lookup<ProgramOp>(first.getProgram());
    OpBuilder outside(firstProgram);
    auto program =
        ProgramOp::create(outside, FusedLoc::get(&getContext(), locations),
                          (first.getProgram() + "_chain").str(), types);
    symbols->insert(program);
    streams.write(program, chain.launches.back().getLoc());

    auto launch = LaunchOp::create(builder, program.getLoc(),
                                   program.getSymName(), buffers.operands);
    launch.setPartsAttr(builder.getArrayAttr(parts));
    for (LaunchOp old : chain.launches)
      old.erase();
    // Views and allocations that are no longer used.
    for (auto &[root, place] : buffers.places)
      if (auto alloc = root.getDefiningOp<memref::AllocOp>())
        eraseUnused(alloc);
    return success();
  }

  static void eraseUnused(Operation *op) {
    for (Operation *user : llvm::make_early_inc_range(op->getUsers()))
      if (mlir::isa<ViewLikeOpInterface>(user))
        eraseUnused(user);
    if (op->use_empty())
      op->erase();
  }

  SymbolTable *symbols = nullptr;
  llvm::DenseMap<StringAttr, Summary> summaries;
  llvm::DenseSet<ProgramOp> joined;
};

} // namespace
