//===- VTADialect.cpp - The vta dialect -----------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/VTA/VTADialect.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace acc::vta;

#include "dialects/VTA/VTADialect.cpp.inc"

namespace {
/// Every kernel carries the configuration of its accelerator: it is printed
/// once, and named from there on.
struct AsmInterface : OpAsmDialectInterface {
  using OpAsmDialectInterface::OpAsmDialectInterface;

  AliasResult getAlias(Attribute attr, raw_ostream &os) const override {
    if (!mlir::isa<ConfigAttr>(attr))
      return AliasResult::NoAlias;
    os << "vta_config";
    return AliasResult::FinalAlias;
  }
};
} // namespace

void VTADialect::initialize() {
  addInterfaces<AsmInterface>();
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "dialects/VTA/VTAOps.cpp.inc"
      >();
}

LogicalResult VTADialect::verifyOperationAttribute(Operation *op,
                                                   NamedAttribute attribute) {
  if (attribute.getName() == kFold) {
    auto taps = mlir::dyn_cast<DenseI64ArrayAttr>(attribute.getValue());
    if (taps && taps.size() == 2 &&
        llvm::all_of(taps.asArrayRef(), [](int64_t size) { return size > 0; }))
      return success();
    return op->emitError() << "attribute " << attribute.getName()
                           << " must be an array of two positive i64";
  }
  if (attribute.getName() == kLanes) {
    if (mlir::isa<DenseI64ArrayAttr>(attribute.getValue()))
      return success();
    return op->emitError() << "attribute " << attribute.getName()
                           << " must be an array of i64";
  }
  if (attribute.getName() == kWindow &&
      !mlir::isa<UnitAttr>(attribute.getValue()))
    return op->emitError() << "attribute " << attribute.getName()
                           << " must be a unit";
  if (attribute.getName() == kSeparate) {
    auto axis = mlir::dyn_cast<IntegerAttr>(attribute.getValue());
    if (axis && axis.getType().isInteger(64) &&
        (axis.getInt() == 0 || axis.getInt() == 1))
      return success();
    return op->emitError() << "attribute " << attribute.getName()
                           << " must be 0 or 1, an i64";
  }
  if (attribute.getName() == kActivation &&
      !mlir::isa<ActivationAttr>(attribute.getValue()))
    return op->emitError() << "attribute " << attribute.getName()
                           << " must be a #vta.activation";
  if (attribute.getName() == kTable &&
      !mlir::isa<UnitAttr>(attribute.getValue()))
    return op->emitError() << "attribute " << attribute.getName()
                           << " must be a unit";
  if (attribute.getName() != ConfigAttr::kName)
    return success();
  if (!mlir::isa<ConfigAttr>(attribute.getValue()))
    return op->emitError() << "attribute " << attribute.getName()
                           << " must be a #vta.config";
  return success();
}
