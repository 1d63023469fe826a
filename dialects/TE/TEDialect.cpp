//===- TEDialect.cpp - The te dialect -------------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/TE/TEDialect.h"

#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace acc::te;

#include "dialects/TE/TEDialect.cpp.inc"

#include "dialects/TE/TEEnums.cpp.inc"

#include "dialects/TE/TEAttrInterfaces.cpp.inc"
#include "dialects/TE/TEOpInterfaces.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/TE/TEAttributes.cpp.inc"

/// Lets upstream's one-shot bufferization see the transfers as ordinary
/// destination-passing operations whose bufferized form is the same operation.
template <typename OpT>
struct TransferBufferization
    : bufferization::DstBufferizableOpInterfaceExternalModel<
          TransferBufferization<OpT>, OpT> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const bufferization::AnalysisState &) const {
    return !cast<OpT>(op).isDpsInit(&operand);
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const bufferization::BufferizationOptions &options,
                          bufferization::BufferizationState &state) const {
    auto transfer = cast<OpT>(op);
    FailureOr<Value> source =
        getBuffer(rewriter, transfer.getSource(), options, state);
    FailureOr<Value> target =
        getBuffer(rewriter, transfer.getTarget(), options, state);
    if (failed(source) || failed(target))
      return failure();
    IRMapping mapping;
    mapping.map(transfer.getSource(), *source);
    mapping.map(transfer.getTarget(), *target);
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(mapping.lookupOrDefault(operand));
    OperationState newState(op->getLoc(), op->getName(), operands, TypeRange(),
                            op->getAttrs());
    newState.propertiesAttr = op->getPropertiesAsAttribute();
    rewriter.create(newState);
    bufferization::replaceOpWithBufferizedValues(rewriter, op, *target);
    return success();
  }
};

void TEDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/TE/TEAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/TE/TEOps.cpp.inc"
      >();
  CacheReadOp::attachInterface<TransferBufferization<CacheReadOp>>(
      *getContext());
  CacheWriteOp::attachInterface<TransferBufferization<CacheWriteOp>>(
      *getContext());
}

LogicalResult TEDialect::verifyOperationAttribute(Operation *op,
                                                  NamedAttribute attribute) {
  if (attribute.getName() == kVThread || attribute.getName() == kLoop) {
    if (!isa<scf::ForOp>(op))
      return op->emitOpError() << "has '" << attribute.getName().getValue()
                               << "', which belongs on scf.for";
  }
  if (attribute.getName() == kVThread) {
    auto count = dyn_cast<IntegerAttr>(attribute.getValue());
    if (!count || count.getInt() < 1)
      return op->emitOpError("'te.vthread' must be a positive integer");
    return success();
  }
  if (attribute.getName() == kLoop) {
    auto loop = dyn_cast<DenseI64ArrayAttr>(attribute.getValue());
    if (!loop || loop.size() != 2)
      return op->emitOpError("'te.loop' must be [level, axis]");
    return success();
  }
  if (attribute.getName() == kSchedule) {
    if (!isa<linalg::LinalgOp, memref::CopyOp>(op))
      return op->emitOpError("has 'te.schedule', which belongs on operations "
                             "of linalg and copies");
    if (!isa<ScheduleAttr>(attribute.getValue()))
      return op->emitOpError("'te.schedule' must be a #te.schedule, not ")
             << attribute.getValue();
    return success();
  }
  if (attribute.getName() == kBorder) {
    if (!isa<KernelOp>(op))
      return op->emitOpError("has 'te.border', which belongs on te.kernel");
    auto border = dyn_cast<DenseI64ArrayAttr>(attribute.getValue());
    if (!border || llvm::any_of(border.asArrayRef(),
                                [](int64_t size) { return size < 0; }))
      return op->emitOpError("'te.border' must be [low..., high...]");
    return success();
  }
  return op->emitOpError() << "has the unknown attribute '"
                           << attribute.getName().getValue() << "'";
}
