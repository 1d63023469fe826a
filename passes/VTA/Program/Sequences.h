//===- Sequences.h - The micro-op sequences of a program --------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_PROGRAM_SEQUENCES_H
#define ACC_PASSES_VTA_PROGRAM_SEQUENCES_H

#include "acc/vta/isa/Dialect.h"
#include "acc/vta/isa/Instruction.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/MapVector.h"

#include <map>
#include <unordered_map>
#include <vector>

namespace acc::vta {

/// The most micro-ops that a sequence may have: all that the scratchpad has
/// room for, beside one table where programs may look up in such.
uint32_t getLongestSequence(const isa::Config &config, isa::Dialect dialect);

/// The sequences of micro-ops that a program executes, each once, and their
/// places in one table.
class Sequences {
public:
  /// What an instruction reads of its micro-ops: a reset destinations alone, an
  /// ALU instruction sources too, a GEMM everything.
  enum Reads { Destinations, Entries, Everything };

  /// The number of a sequence.
  uint32_t intern(llvm::ArrayRef<isa::Uop> uops, Reads reads);

  /// Makes the table, in the order in which sequences were first used. One of
  /// which destinations alone are read shares the place of another that has
  /// them. If the table fits \p depth entries, so that all of it is loaded at
  /// once, a micro-op that is a sequence by itself shares that of a longer one.
  std::vector<isa::Uop> makeTable(uint32_t depth);

  /// Where a sequence is in that table.
  uint32_t getPosition(uint32_t number) const { return positions[number]; }

private:
  struct Sequence {
    std::vector<isa::Uop> uops;
    /// The most that any instruction reads of it.
    Reads reads;
  };
  std::vector<Sequence> all;
  std::vector<uint32_t> positions;
  /// Numbers of sequences by hash.
  std::unordered_multimap<size_t, uint32_t> byHash;
};

/// The tables that a program looks up in, each once.
class Tables {
public:
  /// The number of a table.
  int32_t intern(mlir::DenseI8ArrayAttr table) {
    auto [known, isNew] = numbers.try_emplace(table, numbers.size());
    return known->second;
  }

  /// All of them in the order of their numbers; null if there are none.
  mlir::ArrayAttr get() const {
    if (numbers.empty())
      return {};
    llvm::SmallVector<mlir::Attribute> tables;
    for (auto [table, number] : numbers)
      tables.push_back(table);
    return mlir::ArrayAttr::get(tables.front().getContext(), tables);
  }

private:
  llvm::MapVector<mlir::Attribute, int32_t> numbers;
};

/// The beginnings and ends of the runs of micro-ops that instructions execute,
/// as a whole or in parts: what is part of a longer sequence has its place with
/// it.
std::map<uint32_t, uint32_t> findRuns(llvm::ArrayRef<isa::Instruction> insns);

} // namespace acc::vta

#endif // ACC_PASSES_VTA_PROGRAM_SEQUENCES_H
