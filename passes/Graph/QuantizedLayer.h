//===- QuantizedLayer.h - A float operator between integers -----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_QUANTIZEDLAYER_H
#define ACC_PASSES_GRAPH_QUANTIZEDLAYER_H

#include "dialects/Graph/Graph.h"
#include "passes/Graph/QuantizedTensors.h"
#include "passes/Graph/Requantization.h"

namespace acc::graph {

/// An operator whose result passes through nothing but ReLUs and clips into a
/// quantize_linear: the unit that becomes integer arithmetic or stays float.
struct QuantizedLayer {
  QuantizeLinearOp quantize;
  mlir::Operation *anchor = nullptr;
  /// A bias addition behind the anchor, if that is the anchor's only use.
  AddOp biasAdd;
  llvm::SmallVector<mlir::Operation *> activations;
  /// The grid of the result, whose bounds the activations narrow.
  Grid output;
  /// Whether ties go up, and not to even.
  bool tiesUp = false;

  /// What the layer asks for ties, whatever its scales are.
  Ties getTies() const;
  /// The ONNX nodes that the layer consists of.
  mlir::Location getLoc() const;
};

/// The layer that ends in `quantize`. Fails with the reason, and with
/// `anchor` set to the operator to blame if there is one.
mlir::LogicalResult findLayer(QuantizeLinearOp quantize, QuantizedLayer &layer,
                              std::string &reason);

/// Builds the integer form of the layer and returns its i8 result, or says why
/// there is none.
mlir::FailureOr<mlir::Value> legalizeContraction(mlir::OpBuilder &builder,
                                                 QuantizedLayer &layer,
                                                 std::string &reason);
mlir::FailureOr<mlir::Value> legalizeProduct(mlir::OpBuilder &builder,
                                             QuantizedLayer &layer,
                                             std::string &reason);
mlir::FailureOr<mlir::Value> legalizeElementwise(mlir::OpBuilder &builder,
                                                 QuantizedLayer &layer,
                                                 std::string &reason);

mlir::FailureOr<mlir::Value> legalizeResize(mlir::OpBuilder &builder,
                                            QuantizedLayer &layer,
                                            std::string &reason);

/// Builds the layer as a table, if what is quantized depends on one quantized
/// tensor element by element; fails otherwise, having built nothing. What only
/// rescales is left to arithmetic.
mlir::FailureOr<mlir::Value> legalizeByTable(mlir::OpBuilder &builder,
                                             QuantizeLinearOp quantize);

/// Builds a convolution or matrix product of quantized operands whose sums,
/// though they are integers, are read as floats, and returns these floats; or
/// says why it has to be computed in floats.
mlir::FailureOr<mlir::Value> legalizeToFloat(mlir::OpBuilder &builder,
                                             mlir::Operation *op,
                                             std::string &reason);

/// Whether there is integer arithmetic for `op` between quantized tensors.
bool hasIntegerForm(mlir::Operation *op);

/// Whether `op` is a convolution or matrix product.
bool isContraction(mlir::Operation *op);

/// Whether `op` multiplies two tensors neither of which is a constant matrix of
/// weights.
bool isProductOfActivations(mlir::Operation *op);

/// The quantized tensor behind a dequantize_linear, or null.
mlir::Value getQuantizedSource(mlir::Value value);

/// A quantized tensor as the integers that are stored, and what they mean.
struct Operand {
  mlir::Value integers;
  Grid grid;
};

/// The quantized tensor behind a dequantize_linear, or the reason why there is
/// none.
mlir::FailureOr<Operand> readOperand(mlir::OpBuilder &builder,
                                     mlir::Location loc, mlir::Value value,
                                     std::string &reason);

/// Patterns that move quantize_linear up and dequantize_linear down through
/// operators that only move data or take maxima.
void populateMoveQuantizationPatterns(mlir::RewritePatternSet &patterns);

/// Patterns that leave only signed bytes of what has 8 bits or fewer at
/// quantize_linear and dequantize_linear.
void populateRebasePatterns(mlir::RewritePatternSet &patterns);

/// Patterns that move the reshape of rows to more axes behind integer sums and
/// tables, and transposes of matrices into their products.
void populateSinkReshapesPatterns(mlir::RewritePatternSet &patterns);

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_QUANTIZEDLAYER_H
