//===- VTAOps.cpp - Operators of the vta dialect --------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/VTA/VTADialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace acc::vta;

static ParseResult parseBufferTypes(OpAsmParser &parser, ArrayAttr &buffers) {
  SmallVector<Type> types;
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, [&] {
        return parser.parseType(types.emplace_back());
      }))
    return failure();
  buffers = parser.getBuilder().getTypeArrayAttr(types);
  return success();
}

static void printBufferTypes(OpAsmPrinter &printer, Operation *,
                             ArrayAttr buffers) {
  printer << "(";
  llvm::interleaveComma(buffers.getAsRange<TypeAttr>(), printer,
                        [&](TypeAttr type) { printer << type.getValue(); });
  printer << ")";
}

#define GET_OP_CLASSES
#include "dialects/VTA/VTAOps.cpp.inc"
