//===- ToLinalg.h - Shared by the lowering of graph to linalg ---*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One file per family of operators; each adds its patterns to one set.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_TOLINALG_H
#define ACC_PASSES_GRAPH_TOLINALG_H

#include "passes/Graph/Elements.h"
#include "passes/Graph/TensorTypes.h"

#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/DialectConversion.h"

namespace acc::graph {

/// Maps tensors of quantized, unsigned and signed elements to tensors of the
/// signless integers that arith and linalg compute on.
class StorageTypeConverter : public mlir::TypeConverter {
public:
  StorageTypeConverter();
};

/// A uniform view of the two quantized types: per tensor (one scale, axis -1)
/// and per axis.
struct QuantizedElement {
  llvm::SmallVector<double> scales;
  llvm::SmallVector<int64_t> zeroPoints;
  int64_t axis = -1;
  bool isUnsigned = false;
  int64_t minimum = 0, maximum = 0;
  /// Fails for quantized types that ONNX does not have (sub-channel, any).
  static mlir::FailureOr<QuantizedElement> get(mlir::Type elementType);
};

/// Computes one element from one element of each operand.
using ScalarBody = llvm::function_ref<mlir::Value(mlir::ImplicitLocOpBuilder &,
                                                  mlir::ValueRange)>;

/// Sizes of tensors, each an attribute or a value of type index.
using Sizes = llvm::SmallVector<mlir::OpFoldResult>;

mlir::OpFoldResult addSizes(mlir::ImplicitLocOpBuilder &b,
                            mlir::OpFoldResult lhs, mlir::OpFoldResult rhs);
mlir::OpFoldResult multiplySizes(mlir::ImplicitLocOpBuilder &b,
                                 llvm::ArrayRef<mlir::OpFoldResult> sizes);

/// The sizes of a tensor that is lowered already.
Sizes getSizes(mlir::ImplicitLocOpBuilder &b, mlir::Value tensor);

/// `sizes` as those of a tensor of `type`: attributes exactly where the type is
/// static, whatever more they tell. A size that is neither known nor given is
/// an error of the operator at hand, and zero from there on, so that no caller
/// ever meets a size that is missing.
Sizes completeSizes(mlir::ImplicitLocOpBuilder &b, mlir::RankedTensorType type,
                    Sizes sizes);

/// The sizes of a result of the graph operator `op` with these lowered
/// operands, one for each axis.
Sizes getResultSizes(mlir::ImplicitLocOpBuilder &b, mlir::Operation *op,
                     mlir::ValueRange operands, unsigned result = 0);

/// Whether two shapes certainly have equally many elements; of one size each:
/// whether the sizes are equal.
bool areEqualSizes(llvm::ArrayRef<mlir::OpFoldResult> lhs,
                   llvm::ArrayRef<mlir::OpFoldResult> rhs);

/// The shape that all shapes broadcast to, as in numpy.
Sizes broadcastSizes(mlir::ImplicitLocOpBuilder &b,
                     llvm::ArrayRef<Sizes> shapes);

/// Tensors to write to. `sizes` may be left out if the type is static.
mlir::Value createEmpty(mlir::ImplicitLocOpBuilder &b, mlir::Type tensorType,
                        llvm::ArrayRef<mlir::OpFoldResult> sizes = {});
mlir::Value createFilled(mlir::ImplicitLocOpBuilder &b, mlir::Type tensorType,
                         mlir::TypedAttr value,
                         llvm::ArrayRef<mlir::OpFoldResult> sizes = {});

mlir::Value createFilled(mlir::ImplicitLocOpBuilder &b,
                         llvm::ArrayRef<mlir::OpFoldResult> sizes,
                         mlir::TypedAttr value);

/// Zero or, for max pools, the least value of a type.
mlir::TypedAttr getZero(mlir::Type type);
mlir::TypedAttr getLowest(mlir::Type type, bool isUnsigned);

/// A linalg.generic with the last `reductions` dimensions of its maps reduced;
/// the last map is that of `init`, whose running value is the body's last
/// argument.
mlir::Value createGeneric(mlir::ImplicitLocOpBuilder &b, mlir::Value init,
                          mlir::ValueRange inputs,
                          llvm::ArrayRef<mlir::AffineMap> maps,
                          unsigned reductions, ScalarBody body);

/// Sizes of a tensor, or of the result of an operator with these lowered
/// operands: attributes exactly where its type is static.
Sizes getTypedSizes(mlir::ImplicitLocOpBuilder &b, mlir::Value tensor);
Sizes getTypedSizes(mlir::ImplicitLocOpBuilder &b, mlir::Operation *op,
                    mlir::ValueRange operands);

/// A tensor of floats in another precision; others as they are.
mlir::Value convertElements(mlir::ImplicitLocOpBuilder &b, mlir::Value tensor,
                            mlir::Type element);

/// An all-parallel linalg.generic whose operands broadcast to `resultType`
/// from the right, as numpy does. `sizes` are those of the result, which follow
/// from the operands if they are left out.
mlir::Value createElementwise(mlir::ImplicitLocOpBuilder &b,
                              mlir::RankedTensorType resultType,
                              mlir::ValueRange operands, ScalarBody body,
                              llvm::ArrayRef<mlir::OpFoldResult> sizes = {});

/// As above with one indexing map per operand; these do not broadcast.
mlir::Value createElementwise(mlir::ImplicitLocOpBuilder &b,
                              mlir::RankedTensorType resultType,
                              mlir::ValueRange operands,
                              llvm::ArrayRef<mlir::AffineMap> maps,
                              ScalarBody body,
                              llvm::ArrayRef<mlir::OpFoldResult> sizes = {});

/// Reduces `input` over `axes`, which disappear from the result.
mlir::Value createReduction(mlir::ImplicitLocOpBuilder &b, mlir::Value input,
                            llvm::ArrayRef<int64_t> axes, mlir::TypedAttr init,
                            mlir::Type elementType, ScalarBody body);

/// tensor.pad with a constant, or `input` itself if there is nothing to pad.
mlir::Value createPadded(mlir::ImplicitLocOpBuilder &b, mlir::Value input,
                         llvm::ArrayRef<int64_t> low,
                         llvm::ArrayRef<int64_t> high, mlir::TypedAttr value);

/// Zero pads in front of the spatial ones: ONNX lists only spatial pads, begins
/// first; the results cover every axis of a tensor of `rank`.
void splitSpatialPads(llvm::ArrayRef<int64_t> pads, int64_t rank,
                      llvm::SmallVectorImpl<int64_t> &low,
                      llvm::SmallVectorImpl<int64_t> &high);

/// The same elements under another shape, of which `shape` says what the type
/// knows; no copy.
mlir::Value createReshape(mlir::ImplicitLocOpBuilder &b, mlir::Value input,
                          llvm::ArrayRef<int64_t> shape,
                          llvm::ArrayRef<mlir::OpFoldResult> sizes);
/// The same, with a type that knows what `sizes` tell.
mlir::Value createReshape(mlir::ImplicitLocOpBuilder &b, mlir::Value input,
                          llvm::ArrayRef<mlir::OpFoldResult> sizes);
/// The same, to a shape of which all is known.
mlir::Value createReshape(mlir::ImplicitLocOpBuilder &b, mlir::Value input,
                          llvm::ArrayRef<int64_t> shape);

/// `value` plus the vector `bias` along `axis`.
mlir::Value createBiased(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                         mlir::Value bias, int64_t axis);

/// Adds a value per index of `axis`: a scalar when all are equal, otherwise an
/// extra operand and its map.
struct PerAxisOperand {
  /// Scalar constant, or null when the value is the next body argument.
  mlir::Value scalar;
};
PerAxisOperand addPerAxisOperand(mlir::ImplicitLocOpBuilder &b,
                                 llvm::ArrayRef<mlir::Attribute> values,
                                 int64_t axis, int64_t rank,
                                 llvm::SmallVectorImpl<mlir::Value> &operands,
                                 llvm::SmallVectorImpl<mlir::AffineMap> &maps);

/// An empty tensor for a result of a graph operator.
mlir::Value createEmptyResult(mlir::ImplicitLocOpBuilder &b,
                              mlir::OpResult result, mlir::Type element);

void populateElementwiseToLinalg(const mlir::TypeConverter &converter,
                                 mlir::RewritePatternSet &patterns);
void populateConvolutionToLinalg(const mlir::TypeConverter &converter,
                                 mlir::RewritePatternSet &patterns);
void populateContractionToLinalg(const mlir::TypeConverter &converter,
                                 mlir::RewritePatternSet &patterns);
void populateConvTransposeToLinalg(const mlir::TypeConverter &converter,
                                   mlir::RewritePatternSet &patterns);
void populateResizeToLinalg(const mlir::TypeConverter &converter,
                            mlir::RewritePatternSet &patterns);
void populateSamplingToLinalg(const mlir::TypeConverter &converter,
                              mlir::RewritePatternSet &patterns);
void populateNormalizationToLinalg(const mlir::TypeConverter &converter,
                                   mlir::RewritePatternSet &patterns);
void populateMaxPoolToLinalg(const mlir::TypeConverter &converter,
                             mlir::RewritePatternSet &patterns);
void populatePoolingToLinalg(const mlir::TypeConverter &converter,
                             mlir::RewritePatternSet &patterns);
void populateMovementToLinalg(const mlir::TypeConverter &converter,
                              mlir::RewritePatternSet &patterns);
void populateIndexingToLinalg(const mlir::TypeConverter &converter,
                              mlir::RewritePatternSet &patterns);
void populateScatterToLinalg(const mlir::TypeConverter &converter,
                             mlir::RewritePatternSet &patterns);
void populateSearchToLinalg(const mlir::TypeConverter &converter,
                            mlir::RewritePatternSet &patterns);
void populateBoxesToLinalg(const mlir::TypeConverter &converter,
                           mlir::RewritePatternSet &patterns);
void populateLayoutToLinalg(const mlir::TypeConverter &converter,
                            mlir::RewritePatternSet &patterns);
void populateQuantizationToLinalg(const mlir::TypeConverter &converter,
                                  mlir::RewritePatternSet &patterns);
void populateRecurrentToLinalg(const mlir::TypeConverter &converter,
                               mlir::RewritePatternSet &patterns);
void populateReductionToLinalg(const mlir::TypeConverter &converter,
                               mlir::RewritePatternSet &patterns);
void populateDeterminantToLinalg(const mlir::TypeConverter &converter,
                                 mlir::RewritePatternSet &patterns);
void populateSoftmaxToLinalg(const mlir::TypeConverter &converter,
                             mlir::RewritePatternSet &patterns);
void populateStandardizationToLinalg(const mlir::TypeConverter &converter,
                                     mlir::RewritePatternSet &patterns);
void populateScanToLinalg(const mlir::TypeConverter &converter,
                          mlir::RewritePatternSet &patterns);

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_TOLINALG_H
