//===- CPUBufferization.cpp - cpu operators on buffers --------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/CPU/CPUDialect.h"

#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace acc::cpu;

namespace {

struct ContractModel
    : DstBufferizableOpInterfaceExternalModel<ContractModel, ContractOp> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const AnalysisState &) const {
    return !cast<ContractOp>(op).isDpsInit(&operand);
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto contract = cast<ContractOp>(op);
    SmallVector<Value> buffers;
    for (Value operand : op->getOperands()) {
      FailureOr<Value> buffer = getBuffer(rewriter, operand, options, state);
      if (failed(buffer))
        return failure();
      buffers.push_back(*buffer);
    }
    OperationState created(op->getLoc(), op->getName());
    created.addOperands(buffers);
    created.propertiesAttr = op->getPropertiesAsAttribute();
    created.attributes = op->getDiscardableAttrDictionary();
    Region *body = created.addRegion();
    body->takeBody(contract.getBody());
    Operation *replacement = rewriter.create(created);
    replaceOpWithBufferizedValues(rewriter, op,
                                  cast<ContractOp>(replacement).getInit());
    return success();
  }
};

} // namespace

void acc::cpu::registerBufferizationModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, CPUDialect *) {
    ContractOp::attachInterface<ContractModel>(*context);
  });
}
