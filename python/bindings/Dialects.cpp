//===- Dialects.cpp - The attributes of acc's dialects, by name -----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The native half of the classes in acc.dialects, which are generated.
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"
#include "Parameters.h"

#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Support.h"

using namespace acc::python;

namespace {

/// The Python classes of acc.ir.
struct Classes {
  ContextRef context;

  MlirAttribute attribute(nb::handle given) const {
    return ::wrap(toAttribute(context, given));
  }
  MlirType type(nb::handle given) const {
    if (!nb::isinstance<acc::python::Type>(given))
      throw nb::type_error("a parameter that is a type wants a Type");
    auto &type = nb::cast<acc::python::Type &>(given);
    if (type.context != context)
      throw nb::value_error("the type is of another context");
    return ::wrap(type.type);
  }
  nb::object wrap(MlirAttribute attribute) const {
    return acc::python::wrap(context, unwrap(attribute));
  }
  nb::object wrap(MlirType type) const {
    return acc::python::wrap(context, unwrap(type));
  }
};

} // namespace

/// The Python classes by the attributes that they are for. They live as long as
/// the process, like the modules that define them.
static llvm::DenseMap<mlir::TypeID, nb::handle> &registered() {
  static llvm::DenseMap<mlir::TypeID, nb::handle> classes;
  return classes;
}

nb::object acc::python::wrapRegistered(const ContextRef &context,
                                       mlir::Attribute attr) {
  nb::object base = nb::cast(acc::python::Attribute{context, attr});
  auto it = registered().find(attr.getTypeID());
  return it == registered().end() ? base : it->second(base);
}

static nb::object getAttribute(const AttributeClass &self, nb::object context,
                               nb::tuple values) {
  Classes classes{resolveContext(context)};
  Parameters<Classes> parameters(classes, self, values);
  DiagnosticCollector collector(classes.context->get());
  MlirAttribute made = accAttributeGet(
      self.handle, ::wrap(classes.context->get()), parameters.data());
  if (!made.ptr)
    collector.raise(("#" + self.name + " is not valid").c_str());
  return classes.wrap(made);
}

void acc::python::bindDialects(nb::module_ &m) {
  using acc::python::Attribute;
  nb::class_<AttributeClass>(m, "AttributeClass")
      .def(
          "__init__",
          [](AttributeClass *self, const std::string &name) {
            new (self) AttributeClass(findAttributeClass(name));
          },
          nb::arg("name"))
      .def(
          "register",
          [](const AttributeClass &self, nb::object cls) {
            registered()[unwrap(accAttributeClassGetTypeID(self.handle))] =
                cls.release();
          },
          nb::arg("cls"))
      .def(
          "isinstance",
          [](const AttributeClass &self, Attribute attribute) {
            return attribute.attr.getTypeID() ==
                   unwrap(accAttributeClassGetTypeID(self.handle));
          },
          nb::arg("attribute"))
      .def("get", &getAttribute, nb::arg("context").none(), nb::arg("values"))
      .def(
          "parameter",
          [](const AttributeClass &self, Attribute attribute, intptr_t index) {
            return getParameter(Classes{attribute.context}, self,
                                ::wrap(attribute.attr), index);
          },
          nb::arg("attribute"), nb::arg("index"));
}
