//===- Blocks.cpp - Regions, blocks, values and insertion points ----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"
#include "IO.h"

#include "mlir/IR/AsmState.h"

using namespace acc::python;

namespace {

/// Values by class, as upstream has them.
struct OpResult : Value {};
struct BlockArgument : Value {};

/// `region.blocks` and `block.operations`: sequences that append.
struct BlockList {
  Region region;
};
struct OperationList {
  Block block;
};

struct OpOperand {
  OpRef owner;
  unsigned number;
};

} // namespace

static mlir::Value get(const Value &value) {
  value.owner->get();
  return value.value;
}

static mlir::Block *get(const Block &block) {
  block.owner->get();
  return block.block;
}

static mlir::Region *get(const Region &region) {
  region.owner->get();
  return region.region;
}

nb::object acc::python::wrap(const OpRef &near, mlir::Value value) {
  Tree &tree = *near->tree;
  if (auto result = dyn_cast<mlir::OpResult>(value))
    return nb::cast(OpResult{{tree.handle(result.getOwner()), value}});
  auto argument = mlir::cast<mlir::BlockArgument>(value);
  return nb::cast(
      BlockArgument{{tree.handle(argument.getOwner()->getParentOp()), value}});
}

void acc::python::insertAt(const InsertionPoint &point, const OpRef &op) {
  mlir::Block *block = get(point.block);
  if (op->get()->getBlock())
    throw nb::value_error("the operation is already inside a block");
  if (op->tree->root != op->get() || !op->tree->owned)
    throw nb::value_error("the operation belongs to another owner");
  if (point.block.owner->tree == op->tree)
    throw nb::value_error("an operation cannot be put into itself");
  if (point.block.owner->context() != op->context())
    throw nb::value_error("the operation is of another context");
  auto where = block->end();
  if (point.before) {
    mlir::Operation *before = (*point.before)->get();
    if (before->getBlock() != block)
      throw nb::value_error("the operation to insert before is no longer in "
                            "the block");
    where = before->getIterator();
  }
  block->getOperations().insert(where, op->get());
  op->tree->mergeInto(*point.block.owner->tree);
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

static std::string valueName(const Value &self, bool localScope) {
  mlir::Value value = get(self);
  std::string text;
  llvm::raw_string_ostream os(text);
  mlir::OpPrintingFlags flags;
  if (localScope)
    flags.useLocalScope();
  value.printAsOperand(os, flags);
  return text;
}

static void bindValues(nb::module_ &m) {
  nb::class_<OpOperand>(m, "OpOperand")
      .def_ro("owner", &OpOperand::owner)
      .def_ro("operand_number", &OpOperand::number);

  nb::class_<Value>(m, "Value")
      .def_prop_rw(
          "type",
          [](Value &self) {
            return wrap(self.owner->context(), get(self).getType());
          },
          [](Value &self, const acc::python::Type &type) {
            get(self).setType(type.type);
          })
      .def_prop_ro("context", [](Value &self) { return self.owner->context(); })
      .def_prop_ro("owner",
                   [](Value &self) -> nb::object {
                     if (auto arg = dyn_cast<mlir::BlockArgument>(get(self)))
                       return nb::cast(Block{self.owner, arg.getOwner()});
                     return nb::cast(self.owner);
                   })
      .def_prop_ro("location",
                   [](Value &self) {
                     return acc::python::Location{self.owner->context(),
                                                  get(self).getLoc()};
                   })
      .def_prop_ro("uses",
                   [](Value &self) {
                     std::vector<OpOperand> uses;
                     for (mlir::OpOperand &use : get(self).getUses())
                       uses.push_back({self.owner->tree->handle(use.getOwner()),
                                       use.getOperandNumber()});
                     return uses;
                   })
      .def("has_one_use", [](Value &self) { return get(self).hasOneUse(); })
      .def(
          "replace_all_uses_with",
          [](Value &self, const Value &with) {
            get(self).replaceAllUsesWith(get(with));
          },
          nb::arg("with_"))
      .def(
          "replace_all_uses_except",
          [](Value &self, const Value &with, const OpRef &except) {
            get(self).replaceAllUsesExcept(get(with), except->get());
          },
          nb::arg("with_"), nb::arg("exception"))
      .def("get_name", &valueName, nb::arg("use_local_scope") = false)
      .def(
          "__eq__",
          [](Value &self, nb::object other) {
            return nb::isinstance<Value>(other) &&
                   nb::cast<Value &>(other).value == self.value;
          },
          nb::arg("other").none())
      .def("__hash__",
           [](Value &self) { return size_t(mlir::hash_value(self.value)); })
      .def("__str__", [](Value &self) {
        return valueName(self, false) + " : " + toString(get(self).getType());
      });

  nb::class_<OpResult, Value>(m, "OpResult")
      .def_prop_ro("result_number", [](OpResult &self) {
        return mlir::cast<mlir::OpResult>(get(self)).getResultNumber();
      });
  nb::class_<BlockArgument, Value>(m, "BlockArgument")
      .def_prop_ro(
          "arg_number",
          [](BlockArgument &self) {
            return mlir::cast<mlir::BlockArgument>(get(self)).getArgNumber();
          })
      .def(
          "set_type",
          [](BlockArgument &self, const acc::python::Type &type) {
            get(self).setType(type.type);
          },
          nb::arg("type"));
}

//===----------------------------------------------------------------------===//
// Blocks and regions
//===----------------------------------------------------------------------===//

static Block appendBlock(const Region &region,
                         const std::vector<acc::python::Type> &types,
                         const std::vector<acc::python::Location> &locs) {
  if (!locs.empty() && locs.size() != types.size())
    throw nb::value_error("as many locations are needed as arguments");
  mlir::Region *parent = get(region);
  auto *block = new mlir::Block;
  parent->push_back(block);
  for (size_t i = 0; i < types.size(); ++i)
    block->addArgument(types[i].type, locs.empty()
                                          ? region.owner->get()->getLoc()
                                          : locs[i].loc);
  return {region.owner, block};
}

/// The item of a sequence, counted from the end if negative.
template <typename List> static auto at(List &list, int64_t index) {
  int64_t size = std::distance(list.begin(), list.end());
  if (index < 0)
    index += size;
  if (index < 0 || index >= size)
    throw nb::index_error();
  return std::next(list.begin(), index);
}

static void bindRegions(nb::module_ &m) {
  nb::class_<BlockList>(m, "BlockList")
      .def("__len__",
           [](BlockList &self) { return get(self.region)->getBlocks().size(); })
      .def(
          "__getitem__",
          [](BlockList &self, int64_t index) {
            return Block{self.region.owner, &*at(*get(self.region), index)};
          },
          nb::arg("index"))
      .def("__iter__",
           [](BlockList &self) {
             std::vector<Block> blocks;
             for (mlir::Block &block : *get(self.region))
               blocks.push_back({self.region.owner, &block});
             return nb::iter(nb::cast(blocks));
           })
      .def(
          "append",
          [](BlockList &self, nb::args types, nb::object locs) {
            std::vector<acc::python::Type> unwrapped;
            for (nb::handle type : types)
              unwrapped.push_back(nb::cast<acc::python::Type>(type));
            std::vector<acc::python::Location> places;
            if (!locs.is_none())
              places = nb::cast<std::vector<acc::python::Location>>(locs);
            return appendBlock(self.region, unwrapped, places);
          },
          nb::arg("args"), nb::arg("arg_locs") = nb::none());

  nb::class_<Region>(m, "Region")
      .def_prop_ro("blocks", [](Region &self) { return BlockList{self}; })
      .def_prop_ro("owner", [](Region &self) { return self.owner; });
}

static void bindBlock(nb::module_ &m) {
  nb::class_<OperationList>(m, "OperationList")
      .def("__len__",
           [](OperationList &self) {
             return get(self.block)->getOperations().size();
           })
      .def(
          "__getitem__",
          [](OperationList &self, int64_t index) {
            return self.block.owner->tree->handle(
                &*at(*get(self.block), index));
          },
          nb::arg("index"))
      .def("__iter__", [](OperationList &self) {
        // A snapshot, so that the loop may erase what it visits.
        std::vector<OpRef> ops;
        for (mlir::Operation &op : *get(self.block))
          ops.push_back(self.block.owner->tree->handle(&op));
        return nb::iter(nb::cast(ops));
      });

  nb::class_<Block>(m, "Block")
      .def_prop_ro("owner", [](Block &self) { return self.owner; })
      .def_prop_ro("arguments",
                   [](Block &self) {
                     nb::list result;
                     for (mlir::BlockArgument arg : get(self)->getArguments())
                       result.append(
                           nb::cast(BlockArgument{{self.owner, arg}}));
                     return result;
                   })
      .def_prop_ro("operations",
                   [](Block &self) { return OperationList{self}; })
      .def("__iter__",
           [](nb::object self) { return nb::iter(self.attr("operations")); })
      .def_prop_ro("terminator",
                   [](Block &self) -> std::optional<OpRef> {
                     mlir::Block *block = get(self);
                     if (block->empty() || !block->mightHaveTerminator())
                       return std::nullopt;
                     return self.owner->tree->handle(&block->back());
                   })
      .def(
          "add_argument",
          [](Block &self, const acc::python::Type &type, nb::object loc) {
            mlir::Location where = resolveLocation(loc, self.owner->context());
            return BlockArgument{
                {self.owner, get(self)->addArgument(type.type, where)}};
          },
          nb::arg("type"), nb::arg("loc") = nb::none())
      .def(
          "erase_argument",
          [](Block &self, unsigned index) {
            mlir::Block *block = get(self);
            if (index >= block->getNumArguments())
              throw nb::index_error();
            if (!block->getArgument(index).use_empty())
              throw nb::value_error("the argument is still used");
            block->eraseArgument(index);
          },
          nb::arg("index"))
      .def(
          "append",
          [](Block &self, const OpRef &op) {
            insertAt({self, std::nullopt}, op);
          },
          nb::arg("operation"))
      .def(
          "__eq__",
          [](Block &self, nb::object other) {
            return nb::isinstance<Block>(other) &&
                   nb::cast<Block &>(other).block == self.block;
          },
          nb::arg("other").none())
      .def("__hash__", [](Block &self) { return size_t(self.block); });
}

//===----------------------------------------------------------------------===//
// Insertion points
//===----------------------------------------------------------------------===//

static InsertionPoint before(const OpRef &op) {
  if (!op->get()->getBlock() || op->get() == op->tree->root)
    throw nb::value_error("the operation is not inside a block");
  return {{op->tree->handle(op->get()->getParentOp()), op->get()->getBlock()},
          op};
}

static InsertionPoint beforeOrEnd(const Block &block, mlir::Operation *op) {
  if (!op)
    return {block, std::nullopt};
  return {block, block.owner->tree->handle(op)};
}

static void bindInsertionPoint(nb::module_ &m) {
  nb::class_<InsertionPoint>(m, "InsertionPoint")
      .def(
          "__init__",
          [](InsertionPoint *self, const Block &block) {
            get(block);
            new (self) InsertionPoint{block, std::nullopt};
          },
          nb::arg("block"))
      .def(
          "__init__",
          [](InsertionPoint *self, const OpRef &op) {
            new (self) InsertionPoint(before(op));
          },
          nb::arg("beforeOperation"))
      .def_static(
          "at_block_begin",
          [](const Block &block) {
            mlir::Block *b = get(block);
            return beforeOrEnd(block, b->empty() ? nullptr : &b->front());
          },
          nb::arg("block"))
      .def_static(
          "at_block_terminator",
          [](const Block &block) {
            mlir::Block *b = get(block);
            if (b->empty() || !b->mightHaveTerminator())
              throw nb::value_error("the block has no terminator");
            return beforeOrEnd(block, &b->back());
          },
          nb::arg("block"))
      .def_static(
          "after",
          [](const OpRef &op) {
            InsertionPoint point = before(op);
            return beforeOrEnd(point.block, op->get()->getNextNode());
          },
          nb::arg("op"))
      .def_prop_ro_static("current",
                          [](nb::handle) { return Defaults::insertionPoint(); })
      .def_prop_ro("block", [](InsertionPoint &self) { return self.block; })
      .def_prop_ro("ref_operation",
                   [](InsertionPoint &self) { return self.before; })
      .def("insert", &insertAt, nb::arg("operation"))
      .def("__enter__",
           [](nb::object self) {
             Block &block = nb::cast<InsertionPoint &>(self).block;
             Defaults::push(nb::cast(block.owner->context()), nb::none(), self);
             return self;
           })
      .def(
          "__exit__",
          [](nb::object, nb::handle, nb::handle, nb::handle) {
            Defaults::pop();
          },
          nb::arg("type").none(), nb::arg("value").none(),
          nb::arg("traceback").none());
}

void acc::python::bindBlocks(nb::module_ &m) {
  bindValues(m);
  bindRegions(m);
  bindBlock(m);
  bindInsertionPoint(m);
}
