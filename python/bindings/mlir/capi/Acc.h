//===- Acc.h - C interface to what acc adds to MLIR -------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// In the style of mlir-c, whose types it uses: strings and arrays are borrowed,
// null stands for nothing, errors are emitted as diagnostics of the context.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PYTHON_BINDINGS_MLIR_CAPI_ACC_H
#define ACC_PYTHON_BINDINGS_MLIR_CAPI_ACC_H

#include "mlir-c/IR.h"
#include "mlir-c/Pass.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Adds acc's and upstream's dialects and extensions to a registry, and
/// registers all passes of both.
MLIR_CAPI_EXPORTED void accRegisterEverything(MlirDialectRegistry registry);

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

/// What a parameter of an attribute is.
typedef enum AccParameterKind {
  /// An optional parameter that is absent.
  AccParameterNone,
  /// An integer, a truth value or a case of an enumeration.
  AccParameterInteger,
  AccParameterString,
  AccParameterAttribute,
  AccParameterType,
  AccParameterIntegers,
  AccParameterStrings,
  AccParameterAttributes,
} AccParameterKind;

/// The value of a parameter; which field holds it depends on the kind. `size`
/// is the number of elements of the kinds in the plural.
typedef struct AccParameter {
  AccParameterKind kind;
  int64_t integer;
  MlirStringRef string;
  MlirAttribute attribute;
  MlirType type;
  const int64_t *integers;
  const MlirStringRef *strings;
  const MlirAttribute *attributes;
  intptr_t size;
} AccParameter;

/// One class of attributes that acc's dialects define, such as #te.schedule.
typedef struct AccAttributeClass {
  const void *ptr;
} AccAttributeClass;

/// Finds a class by the name of its attributes, such as "te.schedule"; null if
/// there is none.
MLIR_CAPI_EXPORTED AccAttributeClass accAttributeClassFind(MlirStringRef name);

MLIR_CAPI_EXPORTED MlirTypeID
accAttributeClassGetTypeID(AccAttributeClass attributeClass);

MLIR_CAPI_EXPORTED intptr_t
accAttributeClassGetNumParameters(AccAttributeClass attributeClass);

/// The kind of a parameter that is present.
MLIR_CAPI_EXPORTED AccParameterKind accAttributeClassGetParameterKind(
    AccAttributeClass attributeClass, intptr_t index);

/// Makes an attribute of as many parameters as the class has. A parameter of
/// another kind than the class's, or an attribute that its verifier refuses, is
/// an error: null, with a diagnostic.
MLIR_CAPI_EXPORTED MlirAttribute
accAttributeGet(AccAttributeClass attributeClass, MlirContext context,
                const AccParameter *parameters);

/// Hands a parameter of an attribute of this class to \p callback; the arrays
/// that it borrows are gone when that returns.
MLIR_CAPI_EXPORTED void accAttributeGetParameter(
    AccAttributeClass attributeClass, MlirAttribute attribute, intptr_t index,
    void (*callback)(AccParameter, void *userData), void *userData);

//===----------------------------------------------------------------------===//
// Resources
//===----------------------------------------------------------------------===//

/// Returns the bytes of a `dense_resource` and their number. They live as long
/// as the context. Null if the attribute is another or its data was not parsed.
MLIR_CAPI_EXPORTED const void *accDenseResourceGetData(MlirAttribute attribute,
                                                       size_t *size);

//===----------------------------------------------------------------------===//
// Passes and diagnostics
//===----------------------------------------------------------------------===//

/// Calls \p ended after every pass of the manager, on the thread that ran it,
/// with its argument, the operation, the wall-clock seconds and whether it
/// failed. \p destroy is called with the user data when the manager dies.
MLIR_CAPI_EXPORTED void accPassManagerOnPassEnd(
    MlirPassManager manager,
    void (*ended)(MlirStringRef pass, MlirOperation operation, double seconds,
                  bool failed, void *userData),
    void (*destroy)(void *userData), void *userData);

/// Whether diagnostics on operations carry the operation's text as a note.
MLIR_CAPI_EXPORTED void
accContextPrintOperationsInDiagnostics(MlirContext context, bool print);

#ifdef __cplusplus
}
#endif

#endif // ACC_PYTHON_BINDINGS_MLIR_CAPI_ACC_H
