//===- GraphDialect.cpp - The graph dialect -------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace acc::graph;

#include "dialects/Graph/GraphDialect.cpp.inc"

#include "dialects/Graph/GraphEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Graph/GraphAttributes.cpp.inc"

std::string acc::graph::getOnnxName(StringRef operation) {
  operation.consume_front("graph.");
  StringRef special = StringSwitch<StringRef>(operation)
                          .Case("conv_integer", "Conv")
                          .Case("gather_nd", "GatherND")
                          .Case("gemm_integer", "Gemm")
                          .Case("global_sum_integer", "GlobalAveragePool")
                          .Case("gru", "GRU")
                          .Case("is_nan", "IsNaN")
                          .Case("lrn", "LRN")
                          .Case("lstm", "LSTM")
                          .Case("matmul_integer", "MatMul")
                          .Case("mean_variance_normalization", "Normalization")
                          .Case("rms_normalization", "RMSNormalization")
                          .Case("rnn", "RNN")
                          .Case("scale_integer", "AveragePool")
                          .Case("scatter_nd", "ScatterND")
                          .Case("weighted_sum", "Add")
                          .Default("");
  if (!special.empty())
    return special.str();
  std::string name;
  SmallVector<StringRef> words;
  operation.split(words, '_');
  for (StringRef word : words)
    name += word.take_front().upper() + word.drop_front().str();
  return name;
}

void GraphDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Graph/GraphAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphConstant.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphContraction.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphControl.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphConvolution.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphElementwise.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphIndexing.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphInteger.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphLayout.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphMovement.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphNormalization.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphPooling.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphQuantization.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphRecurrent.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphReduction.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphResampling.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphSearch.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphSlicing.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

PlacementAttr acc::graph::getPlacement(Operation *op) {
  return op->getAttrOfType<PlacementAttr>(GraphDialect::kPlacement);
}

LogicalResult
PlacementAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                      StringAttr kernel, Attribute target, StringAttr reason) {
  if (kernel.empty())
    return emitError() << "a placement needs the name of a kernel";
  return success();
}

static bool areStrings(Attribute attribute) {
  auto array = dyn_cast<ArrayAttr>(attribute);
  return array && llvm::all_of(array, llvm::IsaPred<StringAttr>);
}

LogicalResult GraphDialect::verifyOperationAttribute(Operation *op,
                                                     NamedAttribute attribute) {
  StringRef name = attribute.getName().getValue();
  Attribute value = attribute.getValue();
  auto expect = [&](bool holds, StringRef what) -> LogicalResult {
    if (holds)
      return success();
    return op->emitOpError() << "has the attribute '" << name << "' = " << value
                             << ", which must be " << what;
  };
  if (name == kPlacement)
    return expect(isa<PlacementAttr>(value), "a #graph.placement");
  if (name == kReason)
    return expect(isa<StringAttr>(value), "a string");
  if (name == kPacked)
    return expect(
        isa<UnitAttr>(value) &&
            isa<ConcatOp, LookupOp, SliceOp, GatherOp, TransposeOp>(op),
        "a unit of a graph.concat, graph.lookup, graph.slice, "
        "graph.gather or graph.transpose");
  if (name == kTensors)
    return expect(isa<ArrayAttr>(value) && isa<ModuleOp>(op),
                  "an array of a module");
  return op->emitOpError() << "has the unknown attribute '" << name
                           << "'; the graph dialect has " << kPlacement << ", "
                           << kReason << ", " << kPacked << " and " << kTensors;
}

/// Verifies an attribute of an argument or a result, of the given type.
static LogicalResult verifyValueAttribute(Operation *op, StringRef kind,
                                          unsigned index, Type type,
                                          NamedAttribute attribute) {
  StringRef name = attribute.getName().getValue();
  Attribute value = attribute.getValue();
  auto error = [&] {
    return op->emitOpError() << kind << " " << index << " has the attribute '"
                             << name << "' = " << value;
  };
  if (name == GraphDialect::kName) {
    if (isa<StringAttr>(value))
      return success();
    return error() << ", which must be a string";
  }
  if (name == GraphDialect::kDims) {
    auto shaped = dyn_cast<ShapedType>(type);
    if (!areStrings(value))
      return error() << ", which must be an array of strings";
    if (shaped && shaped.hasRank() &&
        static_cast<int64_t>(cast<ArrayAttr>(value).size()) != shaped.getRank())
      return error() << ", which must have one name per dimension of " << type;
    return success();
  }
  return error() << ", which is unknown; the graph dialect has "
                 << GraphDialect::kName << " and " << GraphDialect::kDims;
}

LogicalResult GraphDialect::verifyRegionArgAttribute(Operation *op, unsigned,
                                                     unsigned argument,
                                                     NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return op->emitOpError() << "is no function, and so has no use for '"
                             << attribute.getName().getValue() << "'";
  return verifyValueAttribute(op, "argument", argument,
                              function.getArgumentTypes()[argument], attribute);
}

LogicalResult GraphDialect::verifyRegionResultAttribute(
    Operation *op, unsigned, unsigned result, NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return op->emitOpError() << "is no function, and so has no use for '"
                             << attribute.getName().getValue() << "'";
  return verifyValueAttribute(op, "result", result,
                              function.getResultTypes()[result], attribute);
}

Operation *GraphDialect::materializeConstant(OpBuilder &builder,
                                             Attribute value, Type type,
                                             Location loc) {
  auto elements = dyn_cast<ElementsAttr>(value);
  if (!elements || !isa<RankedTensorType>(type))
    return nullptr;
  return ConstantOp::create(builder, loc, type, elements);
}

bool acc::graph::isFree(Operation *op) {
  if (auto slice = dyn_cast<SliceOp>(op))
    return slice.isView();
  return op->hasTrait<IsFree>();
}
