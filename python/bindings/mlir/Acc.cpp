//===- Acc.cpp - The module _acc of acc.mlir ------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The native half of acc.mlir.additions and of the attribute classes in
// acc.mlir.dialects, over the C interface and upstream's classes.
//
//===----------------------------------------------------------------------===//

#include "Guards.h"
#include "Parameters.h"

#include "mlir/Bindings/Python/IRCore.h"
#include "mlir/Bindings/Python/NanobindAdaptors.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <deque>
#include <memory>
#include <mutex>

namespace nb = nanobind;
using namespace nb::literals;
using namespace acc::python;
using namespace mlir::python::acc_mlir;

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

namespace {

/// Upstream's Python classes.
struct Classes {
  PyMlirContextRef context;

  MlirAttribute attribute(nb::handle given) const {
    return nb::cast<PyAttribute &>(given);
  }
  MlirType type(nb::handle given) const { return nb::cast<PyType &>(given); }
  nb::object wrap(MlirAttribute attribute) const {
    return PyAttribute(context, attribute).maybeDownCast();
  }
  nb::object wrap(MlirType type) const {
    return PyType(context, type).maybeDownCast();
  }
};

} // namespace

static nb::object getAttribute(const AttributeClass &self,
                               DefaultingPyMlirContext context,
                               nb::tuple values) {
  Classes classes{context->getRef()};
  Parameters<Classes> parameters(classes, self, values);
  PyMlirContext::ErrorCapture errors(context->getRef());
  MlirAttribute made =
      accAttributeGet(self.handle, context->get(), parameters.data());
  if (mlirAttributeIsNull(made))
    throw MLIRError("#" + self.name + " is not valid", errors.take());
  return PyAttribute(context->getRef(), made).maybeDownCast();
}

static bool isInstance(const AttributeClass &self, PyAttribute &attribute) {
  return mlirTypeIDEqual(mlirAttributeGetTypeID(attribute),
                         accAttributeClassGetTypeID(self.handle));
}

static void bindAttributes(nb::module_ &m) {
  nb::class_<AttributeClass>(
      m, "AttributeClass",
      "The attributes of one class that acc's dialects define.")
      .def(
          "__init__",
          [](AttributeClass *self, const std::string &name) {
            new (self) AttributeClass(findAttributeClass(name));
          },
          "name"_a, "The class of attributes such as #te.schedule, by name.")
      .def_prop_ro("name", [](AttributeClass &self) { return self.name; })
      .def_prop_ro("typeid",
                   [](AttributeClass &self) {
                     return PyTypeID(accAttributeClassGetTypeID(self.handle));
                   })
      .def("isinstance", &isInstance, "attribute"_a)
      .def("get", &getAttribute, "context"_a.none(), "values"_a,
           "Makes an attribute of all its parameters; raises MLIRError.")
      .def(
          "parameter",
          [](const AttributeClass &self, PyAttribute &attribute,
             intptr_t index) {
            return getParameter(Classes{attribute.getContext()}, self,
                                attribute, index);
          },
          "attribute"_a, "index"_a,
          "A parameter of an attribute, which must be of this class.");
}

//===----------------------------------------------------------------------===//
// Passes
//===----------------------------------------------------------------------===//

namespace {

/// What the passes of a manager took, written by the threads that run them.
struct PassTimes {
  std::mutex mutex;
  std::vector<std::pair<std::string, double>> passes;
};

} // namespace

/// Returns the list that grows while the manager runs.
static std::shared_ptr<PassTimes> timePasses(MlirPassManager manager) {
  auto times = std::make_shared<PassTimes>();
  accPassManagerOnPassEnd(
      manager,
      [](MlirStringRef pass, MlirOperation, double seconds, bool,
         void *userData) {
        auto &times = **static_cast<std::shared_ptr<PassTimes> *>(userData);
        std::lock_guard lock(times.mutex);
        times.passes.emplace_back(std::string(pass.data, pass.length), seconds);
      },
      [](void *userData) {
        delete static_cast<std::shared_ptr<PassTimes> *>(userData);
      },
      new std::shared_ptr<PassTimes>(times));
  return times;
}

static void bindPasses(nb::module_ &m) {
  nb::class_<PassTimes>(m, "PassTimes", "What passes took, see time_passes.")
      .def_prop_ro(
          "passes",
          [](PassTimes &self) {
            std::lock_guard lock(self.mutex);
            return self.passes;
          },
          "Name and wall-clock seconds of every pass, in the order in which "
          "they ended.")
      .def("clear", [](PassTimes &self) {
        std::lock_guard lock(self.mutex);
        self.passes.clear();
      });
  m.def("time_passes", &timePasses, "manager"_a,
        "Measures the passes of every run of a manager from now on.");
}

//===----------------------------------------------------------------------===//
// Resources
//===----------------------------------------------------------------------===//

/// The bytes of a resource as an array that shares them and keeps the context
/// alive, in which they are.
static nb::ndarray<nb::numpy, const uint8_t, nb::ndim<1>>
resourceBytes(nb::handle_t<PyAttribute> attribute) {
  size_t size = 0;
  const void *data =
      accDenseResourceGetData(nb::cast<PyAttribute &>(attribute), &size);
  if (!data)
    throw nb::value_error("not a dense_resource, or one without data: the IR "
                          "was printed without its resources");
  return {static_cast<const uint8_t *>(data), {size}, attribute};
}

NB_MODULE(_acc, m) {
  m.doc() = "What acc adds to MLIR; use acc.mlir.additions.";
  nb::set_leak_warnings(false);
  acc::python::installGuards(
      nb::module_::import_("acc.mlir._mlir_libs._mlir").attr("ir"));
  m.def("register_dialects",
        [](MlirDialectRegistry registry) { accRegisterEverything(registry); });
  bindAttributes(m);
  bindPasses(m);
  m.def("resource_bytes", &resourceBytes, "attribute"_a);
  m.def("print_operations_in_diagnostics",
        [](PyMlirContext &context, bool print) {
          accContextPrintOperationsInDiagnostics(context.get(), print);
        });
}
