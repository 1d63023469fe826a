//===- GraphBase.td - What every operator shares -----------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHBASE_TD
#define ACC_DIALECTS_GRAPH_GRAPHBASE_TD

include "dialects/Graph/GraphDialect.td"
include "dialects/Graph/ShapeInterface.td"
include "mlir/Dialect/Quant/IR/QuantBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

// What operators compute on. Signless integers carry ONNX's signed types, ui*
// its unsigned ones; i1 is its bool.
def Graph_Float : AnyTypeOf<[F16, BF16, F32, F64], "float of 16 to 64 bits">;
def Graph_Integer : AnyTypeOf<[I8, I16, I32, I64, UI<8>, UI<16>, UI<32>, UI<64>],
                              "integer of 8 to 64 bits">;
// What is only moved, cast and quantized.
def Graph_NarrowFloat
    : AnyTypeOf<[F8E4M3FN, F8E4M3FNUZ, F8E5M2, F8E5M2FNUZ, F8E8M0FNU, F6E2M3FN,
                 F6E3M2FN, F4E2M1FN], "float of at most 8 bits">;
def Graph_NarrowInteger : AnyTypeOf<[I<2>, I<4>, UI<2>, UI<4>],
                                    "integer of 2 or 4 bits">;

def Graph_BoolTensor : RankedTensorOf<[I1]>;
def Graph_FloatTensor : RankedTensorOf<[Graph_Float]>;
def Graph_AnyFloatTensor : RankedTensorOf<[Graph_Float, Graph_NarrowFloat]>;
def Graph_IntegerTensor : RankedTensorOf<[Graph_Integer]>;
def Graph_NumberTensor : RankedTensorOf<[Graph_Float, Graph_Integer]>;
def Graph_ValueTensor : RankedTensorOf<[Graph_Float, Graph_Integer, I1]>;
// Everything but quantized types.
def Graph_PlainTensor
    : RankedTensorOf<[Graph_Float, Graph_Integer, I1, Graph_NarrowFloat,
                           Graph_NarrowInteger]>;
def Graph_AnyTensor
    : RankedTensorOf<[Graph_Float, Graph_Integer, I1, Graph_NarrowFloat,
                           Graph_NarrowInteger, quant_QuantizedType]>;
def Graph_QuantizedTensor : RankedTensorOf<[quant_QuantizedType]>;

// An operator that only gives its operand's memory another type, or is memory
// that is there already: it costs nothing at run time and so is no kernel.
def Graph_IsFree : NativeOpTrait<"IsFree"> {
  let cppNamespace = "::acc::graph";
}

// An operator that says once what shape its results have, by
//
//   LogicalResult Op::inferResultShapes(ShapeContext &c, Adaptor adaptor,
//                                       SmallVectorImpl<TensorShape> &results);
//
// (or, where many share it, by `shapeInference`). Result types, verification,
// sizes at run time and checks at run time all follow from that.
class Graph_ShapedOp<string mnemonic, list<Trait> traits = []>
    : Graph_Op<mnemonic, !listconcat(
          [Pure, InferTypeOpAdaptorWithIsCompatible, Graph_ShapeInterface,
           DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface,
                                     ["reifyResultShapes"]>],
          traits)> {
  let assemblyFormat =
      "operands attr-dict `:` functional-type(operands, results)";
  // Definition of inferResultShapes, if it is not in a source file.
  code shapeInference = "";
  // What an operator adds to the class it becomes.
  code moreDeclarations = "";
  let extraClassDeclaration = [{
    static ::llvm::LogicalResult inferResultShapes(
        ::acc::graph::ShapeContext &c, Adaptor adaptor,
        ::llvm::SmallVectorImpl<::acc::graph::TensorShape> &results);
  }] # moreDeclarations;
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::inferReturnTypes(
        ::mlir::MLIRContext *context, std::optional<::mlir::Location> location,
        Adaptor adaptor, ::llvm::SmallVectorImpl<::mlir::Type> &types) {
      return ::acc::graph::inferTypes<$cppClass>(context, location, adaptor,
                                                 types);
    }
    bool $cppClass::isCompatibleReturnTypes(::mlir::TypeRange lhs,
                                            ::mlir::TypeRange rhs) {
      return ::acc::graph::areCompatible(lhs, rhs);
    }
    ::llvm::LogicalResult $cppClass::reifyResultShapes(
        ::mlir::OpBuilder &builder,
        ::mlir::ReifiedRankedShapedTypeDims &sizes) {
      return ::acc::graph::reifyShapes(getOperation(), builder, sizes);
    }
  }] # shapeInference;
}

// An operator whose result type is a parameter. It defines
//
//   LogicalResult Op::inferShapes(ShapeContext &c,
//                                 SmallVectorImpl<TensorShape> &results);
//
// which sees the results, and is verified against it.
class Graph_TypedOp<string mnemonic, list<Trait> traits = []>
    : Graph_Op<mnemonic, !listconcat(
          [Pure,
           DeclareOpInterfaceMethods<Graph_ShapeInterface, ["inferShapes"]>,
           DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface,
                                     ["reifyResultShapes"]>],
          traits)> {
  let assemblyFormat =
      "operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::verify() {
      return ::acc::graph::verifyShapes(getOperation());
    }
    ::llvm::LogicalResult $cppClass::reifyResultShapes(
        ::mlir::OpBuilder &builder,
        ::mlir::ReifiedRankedShapedTypeDims &sizes) {
      return ::acc::graph::reifyShapes(getOperation(), builder, sizes);
    }
  }];
}

// An operator that changes values but neither shape nor element type of its
// first operand.
class Graph_ShapePreservingOp<string mnemonic, list<Trait> traits = []>
    : Graph_ShapedOp<mnemonic, traits> {
  let shapeInference = [{
    ::llvm::LogicalResult $cppClass::inferResultShapes(
        ::acc::graph::ShapeContext &c, Adaptor adaptor,
        ::llvm::SmallVectorImpl<::acc::graph::TensorShape> &results) {
      results.push_back(c.shape(*adaptor.getOperands().begin()));
      return ::mlir::success();
    }
  }];
}

#endif // ACC_DIALECTS_GRAPH_GRAPHBASE_TD
