//===- Target.cpp - The accelerator as a target ---------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Kernels/Target.h"

#include "passes/VTA/Kernels/Emission.h"

using namespace mlir;
using namespace acc;
using namespace acc::vta;

namespace {

Attribute getSpace(Attribute config, MemorySpace space) {
  return MemorySpaceAttr::get(config.getContext(), space);
}

struct TargetModel
    : te::TargetAttrInterface::ExternalModel<TargetModel, ConfigAttr> {
  StringRef getTargetName(Attribute) const { return "vta"; }

  SmallVector<te::Memory> getMemories(Attribute attribute) const {
    isa::Config config = mlir::cast<ConfigAttr>(attribute).getConfig();
    MLIRContext *context = attribute.getContext();
    auto memory = [&](MemorySpace space, isa::Memory kind, int rows,
                      int columns, int bits) {
      return te::Memory{getSpace(attribute, space),
                        {rows, columns},
                        IntegerType::get(context, bits),
                        int64_t(config.depth(kind))};
    };
    return {memory(MemorySpace::Inp, isa::Memory::Inp, config.batch(),
                   config.blockIn(), config.inpBits()),
            memory(MemorySpace::Wgt, isa::Memory::Wgt, config.blockOut(),
                   config.blockIn(), config.wgtBits()),
            memory(MemorySpace::Acc, isa::Memory::Acc, config.batch(),
                   config.blockOut(), 1 << config.logAccWidth)};
  }

  Attribute getMemorySpace(Attribute attribute, te::Role role) const {
    switch (role) {
    case te::Role::Argument:
      return getSpace(attribute, MemorySpace::Dram);
    case te::Role::Input:
      return getSpace(attribute, MemorySpace::Inp);
    case te::Role::Weight:
      return getSpace(attribute, MemorySpace::Wgt);
    case te::Role::Accumulator:
    case te::Role::Output:
      // A store takes the results from the accumulators.
      return getSpace(attribute, MemorySpace::Acc);
    }
    llvm_unreachable("all roles are handled");
  }

  std::string getIntrinsics(Attribute attribute) const {
    return vta::getIntrinsics(mlir::cast<ConfigAttr>(attribute).getConfig());
  }

  /// Accumulators can be zeroed, not set.
  bool canFill(Attribute, const APInt &value) const { return value.isZero(); }

  LogicalResult emitIntrinsic(Attribute, OpBuilder &builder, Location loc,
                              te::IntrinOp intrin,
                              const te::IntrinsicMatch &match) const {
    return vta::emitIntrinsic(builder, loc, intrin, match);
  }

  LogicalResult emitRead(Attribute, OpBuilder &builder,
                         te::CacheReadOp read) const {
    return emitLoad(builder, read);
  }

  LogicalResult emitWrite(Attribute, OpBuilder &builder,
                          te::CacheWriteOp write) const {
    return emitStore(builder, write);
  }
};

struct ProgramModel
    : te::ProgramOpInterface::ExternalModel<ProgramModel, ProgramOp> {};

struct LaunchModel
    : te::ProgramLaunchOpInterface::ExternalModel<LaunchModel, LaunchOp> {
  FlatSymbolRefAttr getProgramSymbol(Operation *op) const {
    return mlir::cast<LaunchOp>(op).getProgramAttr();
  }

  int64_t getNumKernels(Operation *op) const {
    std::optional<ArrayAttr> parts = mlir::cast<LaunchOp>(op).getParts();
    return parts ? int64_t(parts->size()) : 1;
  }
};

} // namespace

void acc::vta::registerTarget(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, VTADialect *) {
    ConfigAttr::attachInterface<TargetModel>(*context);
    ProgramOp::attachInterface<ProgramModel>(*context);
    LaunchOp::attachInterface<LaunchModel>(*context);
  });
}
