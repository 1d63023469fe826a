//===- TEBufferization.cpp - te operators on buffers ----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/TE/TEDialect.h"

#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace acc::te;

bool acc::te::isContiguous(MemRefType type) {
  if (type.getLayout().isIdentity())
    return true;
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return false;
  // The distance that elements must have; none fits once it is not known.
  std::optional<int64_t> expected = 1;
  for (auto [size, stride] :
       llvm::reverse(llvm::zip_equal(type.getShape(), strides))) {
    if (size != 1 && (!expected || stride != *expected))
      return false;
    if (ShapedType::isDynamic(size))
      expected = std::nullopt;
    else if (expected)
      *expected *= size;
  }
  return true;
}

namespace {

/// Kernels are called with bare pointers, so their buffers must be contiguous:
/// other slices go through a copy.
struct LaunchModel
    : DstBufferizableOpInterfaceExternalModel<LaunchModel, LaunchOp> {
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto launch = cast<LaunchOp>(op);
    Location loc = op->getLoc();
    SmallVector<Value> buffers, results;
    SmallVector<std::pair<Value, Value>> copiesBack;
    for (OpOperand &operand : op->getOpOperands()) {
      Value buffer = operand.get();
      if (isa<TensorType>(buffer.getType())) {
        FailureOr<Value> found = getBuffer(rewriter, buffer, options, state);
        if (failed(found))
          return failure();
        buffer = *found;
      }
      if (launch.isDpsInit(&operand))
        results.push_back(buffer);
      auto type = dyn_cast<MemRefType>(buffer.getType());
      if (type && !isContiguous(type)) {
        auto compact = MemRefType::get(type.getShape(), type.getElementType());
        SmallVector<Value> sizes;
        for (int64_t dim = 0; dim < type.getRank(); ++dim)
          if (type.isDynamicDim(dim))
            sizes.push_back(memref::DimOp::create(rewriter, loc, buffer, dim));
        FailureOr<Value> copy =
            options.createAlloc(rewriter, loc, compact, sizes);
        if (failed(copy) ||
            failed(options.createMemCpy(rewriter, loc, buffer, *copy)))
          return failure();
        if (launch.isDpsInit(&operand))
          copiesBack.emplace_back(*copy, buffer);
        buffer = *copy;
      }
      buffers.push_back(buffer);
    }
    size_t inputs = launch.getInputs().size();
    auto created = LaunchOp::create(
        rewriter, loc, TypeRange(), launch.getKernelAttr(),
        ValueRange(buffers).take_front(inputs),
        ValueRange(buffers).drop_front(inputs), launch.getLabelAttr());
    created->setDiscardableAttrs(launch->getDiscardableAttrDictionary());
    for (auto [copy, buffer] : copiesBack)
      if (failed(options.createMemCpy(rewriter, loc, copy, buffer)))
        return failure();
    replaceOpWithBufferizedValues(rewriter, op, results);
    return success();
  }
};

/// A view of the whole buffer. What lies in it with gaps is copied.
struct BitcastModel
    : BufferizableOpInterface::ExternalModel<BitcastModel, BitcastOp> {
  bool bufferizesToMemoryRead(Operation *, OpOperand &,
                              const AnalysisState &) const {
    return false;
  }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &,
                               const AnalysisState &) const {
    return false;
  }
  AliasingValueList getAliasingValues(Operation *op, OpOperand &,
                                      const AnalysisState &) const {
    return {{op->getResult(0), BufferRelation::Equivalent}};
  }
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto bitcast = cast<BitcastOp>(op);
    FailureOr<Value> source =
        getBuffer(rewriter, bitcast.getSource(), options, state);
    if (failed(source))
      return failure();
    auto type = cast<MemRefType>(source->getType());
    if (!isContiguous(type)) {
      FailureOr<Value> copy = options.createAlloc(
          rewriter, op->getLoc(),
          MemRefType::get(type.getShape(), type.getElementType()), {});
      if (failed(copy) ||
          failed(options.createMemCpy(rewriter, op->getLoc(), *source, *copy)))
        return failure();
      source = copy;
    }
    auto tensor = cast<RankedTensorType>(bitcast.getType());
    replaceOpWithNewBufferizedOp<BitcastOp>(
        rewriter, op,
        MemRefType::get(tensor.getShape(), tensor.getElementType()), *source);
    return success();
  }
};

} // namespace

void acc::te::registerBufferizationModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, TEDialect *) {
    LaunchOp::attachInterface<LaunchModel>(*context);
    BitcastOp::attachInterface<BitcastModel>(*context);
  });
}
