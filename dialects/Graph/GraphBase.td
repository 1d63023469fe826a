//===- GraphBase.td - What every operator shares -----------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHBASE_TD
#define ACC_DIALECTS_GRAPH_GRAPHBASE_TD

include "dialects/Graph/GraphDialect.td"
include "mlir/Dialect/Quant/IR/QuantBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

// Signless integers carry ONNX's signed types, ui* its unsigned ones; i1 is
// its bool.
def Graph_Integer : AnyTypeOf<[AnySignlessInteger, UI<8>, UI<16>, UI<32>, UI<64>],
                              "integer">;

def Graph_AnyTensor
    : StaticShapeTensorOf<[AnyFloat, Graph_Integer, quant_QuantizedType]>;
def Graph_FloatTensor : StaticShapeTensorOf<[AnyFloat]>;
def Graph_NumberTensor : StaticShapeTensorOf<[AnyFloat, Graph_Integer]>;
def Graph_IntegerTensor : StaticShapeTensorOf<[Graph_Integer]>;
def Graph_QuantizedTensor : StaticShapeTensorOf<[quant_QuantizedType]>;

// An operator whose result type follows from its operands and attributes.
// Inference is where operands and attributes are checked against each other:
// the importer and the verifier then report the same mistakes in the same
// words.
class Graph_InferredOp<string mnemonic, list<Trait> traits = []>
    : Graph_Op<mnemonic, !listconcat([Pure, InferTypeOpAdaptor], traits)> {
  let assemblyFormat =
      "operands attr-dict `:` functional-type(operands, results)";
}

// An operator that changes values but neither shape nor element type.
class Graph_ShapePreservingOp<string mnemonic, list<Trait> traits = []>
    : Graph_Op<mnemonic, !listconcat([Pure, AllTypesMatch<["input", "result"]>],
                                     traits)> {
  let assemblyFormat =
      "operands attr-dict `:` functional-type(operands, results)";
}

#endif // ACC_DIALECTS_GRAPH_GRAPHBASE_TD
