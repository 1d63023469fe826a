//===- DropLoads.cpp - No LOADs of what a scratchpad holds ----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Follows which element of which buffer every entry of the input and weight
// scratchpads holds. Elements of a buffer that are known to hold one value, as
// those of the border around an image do, are all the same to it: once a border
// is in its place, only what is inside of it is loaded.
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Passes.h"
#include "passes/VTA/Program/Buffers.h"

#include "dialects/TE/TEDialect.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

namespace acc::vta {
#define GEN_PASS_DEF_VTADROPLOADS
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::vta;

namespace {

/// What an entry of a scratchpad holds: an element of a buffer by its number,
/// any of those that hold the same value, or a zero of a LOAD's padding.
struct Content {
  static constexpr int32_t kNobody = -1, kPadding = -2;
  static constexpr int64_t kConstant = -1;

  int32_t buffer = kNobody;
  int64_t element = 0;

  bool isKnown() const { return buffer != kNobody; }
  bool operator==(const Content &) const = default;
};

/// Columns [begin, end) of a row that have to be loaded.
struct Span {
  uint32_t begin, end;
  uint32_t size() const { return end - begin; }
};

/// An argument of a program.
using Argument = std::pair<Operation *, int32_t>;

struct DropLoads : vta::impl::VTADropLoadsBase<DropLoads> {
  using VTADropLoadsBase::VTADropLoadsBase;

  void runOnOperation() override {
    ConfigAttr known = ConfigAttr::lookup(getOperation());
    if (!known)
      return;
    config = known.getConfig();
    unit = std::min(config.elementBytes(isa::Memory::Inp),
                    config.elementBytes(isa::Memory::Out));
    findConstants();
    getOperation().walk([&](ProgramOp program) {
      if (!program.getCached())
        rewrite(program);
    });
  }

private:
  isa::Config config;
  /// Bytes of which there is one bit in `constants`.
  uint64_t unit = 1;
  /// What holds one value, whatever is launched: a number of launches that this
  /// is known of, and the units.
  DenseMap<Argument, std::pair<unsigned, llvm::BitVector>> constants;

  //===--------------------------------------------------------------------===//
  // Elements that hold one value
  //===--------------------------------------------------------------------===//

  void findConstants() {
    constants.clear();
    SymbolTableCollection collection;
    SymbolTable &symbols = collection.getSymbolTable(getOperation());
    DenseMap<Operation *, unsigned> launches;
    getOperation().walk([&](LaunchOp launch) {
      if (Operation *program = symbols.lookup(launch.getProgram()))
        ++launches[program];
    });
    getOperation().walk([&](te::LaunchOp launch) {
      auto kernel = symbols.lookup<te::KernelOp>(launch.getKernel());
      if (kernel && kernel.isOnHost() && launch.getInits().size() == 1)
        if (std::optional<llvm::BitVector> alike = findAlike(kernel, launch))
          follow(launch, std::move(*alike), symbols);
    });
    for (auto &[argument, known] : constants)
      if (known.first != launches[argument.first])
        known.second.reset();
  }

  /// The units of a kernel's result that hold one value afterwards.
  std::optional<llvm::BitVector> findAlike(te::KernelOp kernel,
                                           te::LaunchOp launch) const {
    Value buffer = launch.getInits().front();
    std::optional<int64_t> bytes = getBytes(buffer);
    if (!bytes || *bytes % unit != 0 ||
        !buffer.getDefiningOp<memref::AllocOp>())
      return std::nullopt;
    llvm::BitVector alike(*bytes / unit, true);
    if (getFilledValue(kernel))
      return alike;
    auto border =
        kernel->getAttrOfType<DenseI64ArrayAttr>(te::TEDialect::kBorder);
    auto type = cast<MemRefType>(buffer.getType());
    if (!border || border.size() != 2 * type.getRank())
      return std::nullopt;
    // What is inside of the border, row by row of the innermost dimensions that
    // are inside as a whole.
    ArrayRef<int64_t> shape = type.getShape(),
                      low = border.asArrayRef().take_front(type.getRank()),
                      high = border.asArrayRef().take_back(type.getRank());
    int64_t run = type.getElementTypeBitWidth(), whole = type.getRank();
    while (whole > 0 && low[whole - 1] == 0 && high[whole - 1] == 0)
      run *= shape[--whole];
    SmallVector<int64_t> strides = computeSuffixProduct(shape);
    auto reset = [&](auto &self, int64_t dim, int64_t at) -> void {
      if (dim < whole) {
        for (int64_t i = low[dim]; i < shape[dim] - high[dim]; ++i)
          self(self, dim + 1, at + i * strides[dim]);
        return;
      }
      uint64_t begin = at * type.getElementTypeBitWidth() / 8;
      alike.reset(begin / unit, llvm::divideCeil(begin + run / 8, unit));
    };
    reset(reset, 0, 0);
    return alike;
  }

  /// How much of a buffer a value may be.
  enum class Part { None, Some, Whole };

  static Part findPart(Value value, Value buffer) {
    auto [root, offset] = findPlace(value);
    if (root && root != buffer)
      return Part::None;
    return root && offset == 0 && getBytes(value) == getBytes(buffer)
               ? Part::Whole
               : Part::Some;
  }

  /// Notes for all programs that use a buffer which of its units still hold the
  /// value that \p launch left there.
  void follow(te::LaunchOp launch, llvm::BitVector alike,
              SymbolTable &symbols) {
    Value buffer = launch.getInits().front();
    llvm::SetVector<Operation *> users;
    SmallVector<Value> views = {buffer};
    while (!views.empty())
      for (Operation *user : views.pop_back_val().getUsers()) {
        if (user->getBlock() != launch->getBlock())
          return;
        if (mlir::isa<ViewLikeOpInterface>(user))
          views.push_back(user->getResult(0));
        else if (launch->isBeforeInBlock(user))
          users.insert(user);
      }
    SmallVector<Operation *> order(users.getArrayRef());
    llvm::sort(order, [](Operation *a, Operation *b) {
      return a != b && a->isBeforeInBlock(b);
    });
    for (Operation *user : order) {
      if (auto native = dyn_cast<te::LaunchOp>(user)) {
        // The host may write all of what it is given to write to.
        if (llvm::any_of(native.getInits(), [&](Value value) {
              return findPart(value, buffer) != Part::None;
            }))
          return;
        continue;
      }
      auto run = dyn_cast<LaunchOp>(user);
      auto program =
          run ? symbols.lookup<ProgramOp>(run.getProgram()) : ProgramOp();
      if (!program)
        return;
      for (auto [number, operand] : llvm::enumerate(run.getOperands())) {
        Part part = findPart(operand, buffer);
        if (part == Part::None)
          continue;
        llvm::BitVector written = findWritten(program, number, alike.size());
        if (part == Part::Some) {
          // Nobody knows where in the buffer that is.
          if (written.any())
            return;
          continue;
        }
        alike.reset(written);
        auto [entry, isNew] =
            constants.try_emplace({program, int32_t(number)}, 1, alike);
        if (isNew)
          continue;
        ++entry->second.first;
        entry->second.second.resize(
            std::min(entry->second.second.size(), alike.size()));
        entry->second.second &= alike;
      }
    }
  }

  /// The units of an argument that a program stores to.
  llvm::BitVector findWritten(ProgramOp program, int32_t argument,
                              unsigned size) const {
    llvm::BitVector written(size);
    for (Operation &op : program.getBody().front()) {
      int32_t buffer;
      isa::Instruction insn = getInstruction(&op, &buffer);
      const isa::MemInsn *mem = insn.mem();
      if (buffer != argument || !mem || !mem->store || !mem->movesData())
        continue;
      uint64_t bytes = config.elementBytes(mem->memory);
      for (uint32_t row = 0; row < mem->ySize; ++row) {
        uint64_t begin = mem->dramBase + uint64_t(row) * mem->xStride;
        uint64_t end = std::min<uint64_t>((begin + mem->xSize) * bytes / unit,
                                          written.size());
        written.set(std::min(begin * bytes / unit, end), end);
      }
    }
    return written;
  }

  //===--------------------------------------------------------------------===//
  // Programs
  //===--------------------------------------------------------------------===//

  void rewrite(ProgramOp op) {
    isa::Program program = op.getProgram(), result;
    SmallVector<Location> locations;
    std::vector<Content> held[2] = {
        std::vector<Content>(config.depth(isa::Memory::Inp)),
        std::vector<Content>(config.depth(isa::Memory::Wgt))};
    bool isChanged = false;
    for (auto [number, nested] : llvm::enumerate(op.getBody().front())) {
      const isa::Instruction &insn = program.insns[number];
      int32_t buffer = program.bufferOfInsn(number);
      auto append = [&](const isa::Instruction &kept) {
        result.append(kept, buffer);
        locations.push_back(nested.getLoc());
      };
      const isa::MemInsn *mem = insn.mem();
      if (mem && mem->store)
        for (std::vector<Content> &entries : held)
          forget(entries, buffer);
      if (!mem || mem->store || insn.module() != isa::Module::Load ||
          mem->isNop()) {
        append(insn);
        continue;
      }
      std::vector<Content> &entries = held[mem->memory == isa::Memory::Wgt];
      SmallVector<Content> wanted = findWanted(op, *mem, buffer);
      if (mem->sramBase + wanted.size() > entries.size()) {
        append(insn);
        continue;
      }
      llvm::BitVector missing(wanted.size());
      for (auto [at, content] : llvm::enumerate(wanted))
        if (!content.isKnown() || entries[mem->sramBase + at] != content)
          missing.set(at);
      llvm::copy(wanted, entries.begin() + mem->sramBase);
      if (mem->hasPads() && missing.any()) {
        append(insn);
        continue;
      }
      unsigned before = result.insns.size();
      bool isWhole = false;
      forEachMissing(*mem, missing, [&](const isa::MemInsn &part) {
        isWhole = part == *mem;
        append({part, insn.deps});
      });
      isChanged |= !isWhole;
      numDropped += result.insns.size() == before;
      numShortened += result.insns.size() != before && !isWhole;
    }
    if (isChanged)
      op.setInstructions(result, locations);
  }

  /// What is stored to a buffer is not what was loaded from it. What is known
  /// to hold one value is not stored to.
  static void forget(std::vector<Content> &entries, int32_t buffer) {
    for (Content &entry : entries)
      if (entry.buffer == buffer && entry.element != Content::kConstant)
        entry = {};
  }

  /// What a LOAD puts into the entries that it writes.
  SmallVector<Content> findWanted(ProgramOp op, const isa::MemInsn &mem,
                                  int32_t buffer) const {
    SmallVector<Content> wanted(mem.sramEntries(), {Content::kPadding, 0});
    // Where an address is absolute, nobody knows what else changes it.
    if (buffer == isa::Program::kNone)
      return SmallVector<Content>(mem.sramEntries());
    auto known = constants.find({op, buffer});
    uint64_t bytes = config.elementBytes(mem.memory);
    for (uint32_t row = 0; row < mem.ySize; ++row)
      for (uint32_t column = 0; column < mem.xSize; ++column) {
        int64_t element = mem.dramBase + int64_t(row) * mem.xStride + column;
        Content &content =
            wanted[(mem.yPad0 + row) * mem.sramCols() + mem.xPad0 + column];
        content = {buffer, element};
        if (known == constants.end())
          continue;
        const llvm::BitVector &alike = known->second.second;
        uint64_t begin = element * bytes / unit,
                 end = llvm::divideCeil((element + 1) * bytes, unit);
        if (end <= alike.size() && alike.find_first_unset_in(begin, end) < 0)
          content.element = Content::kConstant;
      }
    return wanted;
  }

  /// The spans of a row that are to be loaded: what lies between two of them is
  /// loaded too, unless that takes longer than one more instruction.
  SmallVector<Span> findSpans(const isa::MemInsn &mem,
                              const llvm::BitVector &missing, uint32_t row,
                              uint32_t columns) const {
    SmallVector<Span> spans;
    uint64_t bytes = config.elementBytes(mem.memory);
    uint32_t end = (row + 1) * columns;
    for (int at = missing.find_first_in(row * columns, end); at >= 0;
         at = missing.find_first_in(at, end)) {
      int next = missing.find_first_unset_in(at, end);
      uint32_t begin = at - row * columns;
      at = next < 0 ? end : next;
      uint32_t last = at - row * columns;
      if (!spans.empty() &&
          (begin - spans.back().end) * bytes <= instructionBytes)
        spans.back().end = last;
      else
        spans.push_back({begin, last});
    }
    return spans;
  }

  /// Calls \p emit with the LOADs of what is missing, in order.
  void
  forEachMissing(const isa::MemInsn &mem, const llvm::BitVector &missing,
                 llvm::function_ref<void(const isa::MemInsn &)> emit) const {
    uint32_t rows = mem.ySize, columns = mem.xSize, stride = mem.xStride;
    if (missing.all())
      return emit(mem);
    if (missing.none())
      return;
    if (rows == 1 || (stride == columns &&
                      uint64_t(rows) * columns <= isa::limits::kXSize)) {
      columns *= rows;
      rows = 1;
    }
    auto emitPart = [&](uint32_t row, uint32_t count, Span span) {
      isa::MemInsn part = mem;
      part.sramBase = mem.sramBase + row * columns + span.begin;
      part.dramBase = mem.dramBase + row * stride + span.begin;
      part.ySize = count;
      part.xSize = span.size();
      part.xStride = count > 1 ? stride : part.xSize;
      emit(part);
    };
    // Rows that follow each other and have something missing are loaded as a
    // whole by one instruction, or only what is missing by several.
    uint64_t bytes = config.elementBytes(mem.memory);
    for (uint32_t first = 0; first < rows;) {
      SmallVector<SmallVector<Span>> group;
      uint64_t whole = 0, parts = 0;
      for (uint32_t row = first; row < rows; ++row) {
        SmallVector<Span> spans = findSpans(mem, missing, row, columns);
        if (spans.empty())
          break;
        for (Span span : spans)
          parts += span.size() * bytes + instructionBytes;
        whole += columns * bytes;
        group.push_back(std::move(spans));
      }
      if (rows > 1 && whole + instructionBytes <= parts)
        emitPart(first, group.size(), {0, columns});
      else
        for (auto [row, spans] : llvm::enumerate(group))
          for (Span span : spans)
            emitPart(first + row, 1, span);
      first += group.size() + 1;
    }
  }
};

} // namespace
