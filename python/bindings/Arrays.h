//===- Arrays.h - Between numpy arrays and elements attributes --*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PYTHON_BINDINGS_ARRAYS_H
#define ACC_PYTHON_BINDINGS_ARRAYS_H

#include "Bindings.h"

namespace acc::python {

/// A numpy array or numpy scalar as an attribute; null for anything else.
mlir::Attribute numpyToAttribute(const ContextRef &context, nb::handle value);

/// A dense attribute of an array's elements; one repeated element becomes a
/// splat. `type` overrides the element type (of the same width) or is null.
mlir::DenseElementsAttr denseFromNumpy(const ContextRef &context,
                                       nb::object array, mlir::Type type);

/// A resource attribute over the memory of an array, which the context keeps
/// alive. Memory that is not aligned to 64 bytes is copied once.
mlir::DenseResourceElementsAttr resourceFromNumpy(const ContextRef &context,
                                                  nb::object array,
                                                  const std::string &name,
                                                  mlir::Type type);

/// A read-only array of an attribute's elements, without a copy unless the
/// elements are packed bits. Splats are broadcast from one element.
nb::object toNumpy(const ContextRef &context, mlir::ElementsAttr attr);

} // namespace acc::python

#endif // ACC_PYTHON_BINDINGS_ARRAYS_H
