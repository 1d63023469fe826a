//===- Te.cpp - Kernels as policies see them ------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"

#include "passes/Host/JoinLoops.h"
#include "passes/Host/VectorNest.h"
#include "passes/TE/Footprint.h"

#include "mlir/Analysis/FlatLinearValueConstraints.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>

using namespace nb::literals;

namespace {

/// A result of an affine map as its coefficients, one per dimension, and then
/// its constant.
std::vector<int64_t> coefficients(mlir::AffineMap map, mlir::AffineExpr expr) {
  llvm::SmallVector<int64_t> flat;
  if (failed(mlir::getFlattenedAffineExpr(expr, map.getNumDims(),
                                          map.getNumSymbols(), &flat)) ||
      flat.size() != map.getNumDims() + 1)
    throw nb::value_error("an operand is accessed by what is not linear");
  return {flat.begin(), flat.end()};
}

const char *nameOf(acc::te::Role role) {
  switch (role) {
  case acc::te::Role::Argument:
    return "argument";
  case acc::te::Role::Input:
    return "input";
  case acc::te::Role::Weight:
    return "weight";
  case acc::te::Role::Accumulator:
    return "accumulator";
  case acc::te::Role::Output:
    return "output";
  }
  llvm_unreachable("all roles are handled");
}

/// The loops of an operation: extents, and whether what iterations write is
/// theirs alone.
std::optional<std::vector<std::pair<int64_t, bool>>>
loopsOf(const acc::python::OpHandle &handle) {
  auto known = [](int64_t size) {
    return mlir::ShapedType::isDynamic(size) ? -1 : size;
  };
  std::vector<std::pair<int64_t, bool>> loops;
  if (auto copy = llvm::dyn_cast<mlir::memref::CopyOp>(handle.get())) {
    auto type = llvm::dyn_cast<mlir::MemRefType>(copy.getTarget().getType());
    if (!type)
      return std::nullopt;
    for (int64_t size : type.getShape())
      loops.emplace_back(known(size), true);
    return loops;
  }
  auto op = llvm::dyn_cast<mlir::linalg::LinalgOp>(handle.get());
  if (!op || !op.hasPureBufferSemantics())
    return std::nullopt;
  auto kinds = op.getIteratorTypesArray();
  for (auto [axis, extent] : llvm::enumerate(op.getStaticLoopRanges())) {
    bool isOwn = kinds[axis] == mlir::utils::IteratorType::parallel;
    for (mlir::OpOperand &init : op.getDpsInitsMutable()) {
      mlir::AffineMap map = op.getMatchingIndexingMap(&init);
      isOwn &= map.isProjectedPermutation() && map.isFunctionOfDim(axis);
    }
    loops.emplace_back(known(extent), isOwn);
  }
  return loops;
}

/// How an operation walks through its operands: whether each is written, the
/// bits of an element, and the step of every loop, in elements.
using Walk = std::tuple<bool, unsigned, std::vector<std::optional<int64_t>>>;

std::optional<std::vector<Walk>> stepsOf(const acc::python::OpHandle &handle) {
  auto op = llvm::dyn_cast<mlir::linalg::LinalgOp>(handle.get());
  if (!op)
    return std::nullopt;
  auto operands = acc::host::describeSteps(op);
  if (failed(operands))
    return std::nullopt;
  std::vector<Walk> walks;
  for (const acc::host::OperandSteps &operand : *operands)
    walks.emplace_back(operand.isInit, operand.bits,
                       std::vector(operand.steps.begin(), operand.steps.end()));
  return walks;
}

/// The shared loop of an operation and of each of those behind it, its extent,
/// and the bytes of the largest buffer that only they use.
std::tuple<std::vector<int64_t>, int64_t, int64_t>
joinableLoops(const acc::python::OpHandle &handle, int64_t axis) {
  acc::host::JoinableLoops group =
      acc::host::findJoinableLoops(handle.get(), axis);
  std::vector<int64_t> axes;
  for (const acc::host::JoinedLoop &part : group.parts)
    axes.push_back(part.axis);
  return {axes, group.extent, group.ownBytes};
}

/// A memory of a target, with the names of the roles that it plays.
struct TargetMemory {
  acc::python::ContextRef context;
  acc::te::Memory memory;
  std::vector<std::string> roles;
};

std::vector<TargetMemory> memoriesOf(const acc::python::Attribute &handle) {
  using acc::te::Role;
  auto target =
      llvm::dyn_cast_or_null<acc::te::TargetAttrInterface>(handle.attr);
  if (!target)
    throw nb::type_error("expected the target of a te.kernel");
  std::vector<TargetMemory> memories;
  for (const acc::te::Memory &memory : target.getMemories()) {
    std::vector<std::string> roles;
    for (Role role : {Role::Argument, Role::Input, Role::Weight,
                      Role::Accumulator, Role::Output})
      if (target.getMemorySpace(role) == memory.space)
        roles.push_back(nameOf(role));
    memories.push_back({handle.context, memory, std::move(roles)});
  }
  return memories;
}

} // namespace

void acc::python::bindTe(nb::module_ &m) {
  using acc::te::Axis, acc::te::Footprint, acc::te::Staged;
  nb::class_<TargetMemory>(m, "TargetMemory")
      .def_prop_ro("space",
                   [](const TargetMemory &self) {
                     return wrap(self.context, self.memory.space);
                   })
      .def_prop_ro("shape",
                   [](const TargetMemory &self) {
                     return std::vector<int64_t>(self.memory.shape.begin(),
                                                 self.memory.shape.end());
                   })
      .def_prop_ro("type",
                   [](const TargetMemory &self) {
                     return wrap(self.context, self.memory.type);
                   })
      .def_prop_ro(
          "capacity",
          [](const TargetMemory &self) { return self.memory.capacity; })
      .def_ro("roles", &TargetMemory::roles);
  m.def("target_memories", &memoriesOf, "target"_a,
        "The memories of the target of a te.kernel, an attribute.");
  nb::class_<Axis>(m, "FootprintAxis")
      .def_ro("extent", &Axis::extent)
      .def_ro("index", &Axis::index)
      .def_ro("is_reduction", &Axis::isReduction)
      .def_ro("is_whole", &Axis::isWhole);
  nb::class_<Staged>(m, "FootprintBuffer")
      .def_prop_ro("role", [](const Staged &self) { return nameOf(self.role); })
      .def_prop_ro("forms",
                   [](const Staged &self) {
                     std::vector<std::vector<int64_t>> forms;
                     for (mlir::AffineExpr expr : self.map.getResults())
                       forms.push_back(coefficients(self.map, expr));
                     return forms;
                   })
      .def_prop_ro("reach",
                   [](const Staged &self) {
                     return std::vector<int64_t>(self.reach.begin(),
                                                 self.reach.end());
                   })
      .def_ro("argument", &Staged::argument)
      .def_ro("element_bytes", &Staged::elementBytes)
      .def_prop_ro("extents",
                   [](const Staged &self) {
                     return std::vector<int64_t>(self.extents.begin(),
                                                 self.extents.end());
                   })
      .def_prop_ro("low",
                   [](const Staged &self) {
                     return std::vector<int64_t>(self.low.begin(),
                                                 self.low.end());
                   })
      .def_prop_ro("padded",
                   [](const Staged &self) {
                     nb::list padded;
                     for (bool isPadded : self.padded)
                       padded.append(nb::bool_(isPadded));
                     return padded;
                   })
      .def_prop_ro("sizes",
                   [](const Staged &self) {
                     return std::vector<int64_t>(self.sizes.begin(),
                                                 self.sizes.end());
                   })
      .def_ro("is_mutated", &Staged::isMutated)
      .def_ro("is_for_anchor", &Staged::isForAnchor)
      .def_ro("is_strided", &Staged::isStrided);
  nb::class_<Footprint>(m, "Footprint")
      .def_prop_ro("axes",
                   [](const Footprint &self) {
                     return std::vector<Axis>(self.axes.begin(),
                                              self.axes.end());
                   })
      .def_ro("buffers", &Footprint::buffers)
      .def_ro("stores", &Footprint::stores)
      .def_ro("steps", &Footprint::steps)
      .def_ro("is_product", &Footprint::isProduct);
  m.def(
      "describe_kernel",
      [](const acc::python::OpHandle &handle) {
        auto kernel = llvm::dyn_cast<acc::te::KernelOp>(handle.get());
        if (!kernel)
          throw nb::type_error("expected a te.kernel");
        std::string reason;
        mlir::FailureOr<Footprint> footprint =
            acc::te::describe(kernel, reason);
        if (failed(footprint))
          throw nb::value_error(reason.c_str());
        return *footprint;
      },
      "op"_a,
      "What a te.kernel on packed tensors needs for any tile sizes. ValueError "
      "with the reason if it cannot be scheduled.");
  m.def(
      "loops_of", &loopsOf, "op"_a,
      "The loops of an operation of linalg, or a copy, on buffers: the extent "
      "of each, -1 if it is known at run time only, and whether its iterations "
      "write to places of their own. None for any other operation.");
  m.def("steps_of", &stepsOf, "op"_a,
        "The operands of an operation of linalg on buffers: whether each is "
        "written, the bits of an element (a byte's at least), and how many "
        "elements an iteration of every loop goes on, None where only a run "
        "knows. None for what cannot be computed in vectors.");
  m.def("joinable_loops", &joinableLoops, "op"_a, "axis"_a,
        "The longest group of an operation on buffers and those behind it that "
        "can share one loop over chunks, this one's `axis`: the loop of each, "
        "the extent, and the bytes of the largest buffer that only they use. "
        "Operations that have no loops do not count.");
}
