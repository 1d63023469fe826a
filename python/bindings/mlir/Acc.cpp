//===- Acc.cpp - The module _acc of acc.mlir ------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The native half of acc.mlir.additions and of the attribute classes in
// acc.mlir.dialects, over the C interface and upstream's classes.
//
//===----------------------------------------------------------------------===//

#include "capi/Acc.h"
#include "Guards.h"

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
using namespace mlir::python::acc_mlir;

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

namespace {

struct AttributeClass {
  std::string name;
  AccAttributeClass handle;
};

/// Values from Python as parameters, with what these borrow.
class Parameters {
public:
  Parameters(const AttributeClass &described, nb::tuple given) {
    intptr_t expected = accAttributeClassGetNumParameters(described.handle);
    if (intptr_t(given.size()) != expected)
      throw nb::type_error(("#" + described.name + " has " +
                            std::to_string(expected) + " parameters")
                               .c_str());
    for (intptr_t i = 0; i < expected; ++i)
      values.push_back(convert(
          given[i], accAttributeClassGetParameterKind(described.handle, i)));
  }
  const AccParameter *data() const { return values.data(); }

private:
  MlirStringRef text(nb::handle given) {
    strings.push_back(nb::cast<std::string>(given));
    return mlirStringRefCreate(strings.back().data(), strings.back().size());
  }

  AccParameter convert(nb::handle given, AccParameterKind kind) {
    AccParameter value{};
    if (given.is_none())
      return value;
    value.kind = kind;
    switch (kind) {
    case AccParameterNone:
      break;
    case AccParameterInteger:
      value.integer = nb::cast<int64_t>(nb::int_(given));
      break;
    case AccParameterString:
      value.string = text(given);
      break;
    case AccParameterAttribute:
      value.attribute = nb::cast<PyAttribute &>(given);
      break;
    case AccParameterType:
      value.type = nb::cast<PyType &>(given);
      break;
    case AccParameterIntegers: {
      auto &array = integers.emplace_back();
      for (nb::handle element : given)
        array.push_back(nb::cast<int64_t>(nb::int_(element)));
      value.integers = array.data();
      value.size = array.size();
      break;
    }
    case AccParameterStrings: {
      auto &array = stringArrays.emplace_back();
      for (nb::handle element : given)
        array.push_back(text(element));
      value.strings = array.data();
      value.size = array.size();
      break;
    }
    case AccParameterAttributes: {
      auto &array = attributes.emplace_back();
      for (nb::handle element : given)
        array.push_back(nb::cast<PyAttribute &>(element));
      value.attributes = array.data();
      value.size = array.size();
      break;
    }
    }
    return value;
  }

  std::vector<AccParameter> values;
  // Deques, whose elements stay where they are.
  std::deque<std::string> strings;
  std::deque<std::vector<int64_t>> integers;
  std::deque<std::vector<MlirStringRef>> stringArrays;
  std::deque<std::vector<MlirAttribute>> attributes;
};

/// A parameter on its way to Python.
struct Result {
  PyMlirContextRef &context;
  nb::object object;

  nb::object wrap(MlirAttribute attribute) {
    return PyAttribute(context, attribute).maybeDownCast();
  }

  void set(const AccParameter &value) {
    switch (value.kind) {
    case AccParameterNone:
      object = nb::none();
      break;
    case AccParameterInteger:
      object = nb::int_(value.integer);
      break;
    case AccParameterString:
      object = nb::str(value.string.data, value.string.length);
      break;
    case AccParameterAttribute:
      object = wrap(value.attribute);
      break;
    case AccParameterType:
      object = PyType(context, value.type).maybeDownCast();
      break;
    case AccParameterIntegers:
      object = list(value.size, [&](intptr_t i) -> nb::object {
        return nb::int_(value.integers[i]);
      });
      break;
    case AccParameterStrings:
      object = list(value.size, [&](intptr_t i) -> nb::object {
        return nb::str(value.strings[i].data, value.strings[i].length);
      });
      break;
    case AccParameterAttributes:
      object = list(value.size, [&](intptr_t i) -> nb::object {
        return wrap(value.attributes[i]);
      });
      break;
    }
  }

private:
  template <typename Element> nb::list list(intptr_t size, Element element) {
    nb::list made;
    for (intptr_t i = 0; i < size; ++i)
      made.append(element(i));
    return made;
  }
};

} // namespace

static nb::object getAttribute(const AttributeClass &self,
                               DefaultingPyMlirContext context,
                               nb::tuple values) {
  Parameters parameters(self, values);
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

static nb::object getParameter(const AttributeClass &self,
                               PyAttribute &attribute, intptr_t index) {
  Result result{attribute.getContext(), {}};
  accAttributeGetParameter(
      self.handle, attribute, index,
      [](AccParameter value, void *userData) {
        static_cast<Result *>(userData)->set(value);
      },
      &result);
  return result.object;
}

static void bindAttributes(nb::module_ &m) {
  nb::class_<AttributeClass>(
      m, "AttributeClass",
      "The attributes of one class that acc's dialects define.")
      .def(
          "__init__",
          [](AttributeClass *self, const std::string &name) {
            AccAttributeClass found =
                accAttributeClassFind(toMlirStringRef(name));
            if (!found.ptr)
              throw nb::key_error(name.c_str());
            new (self) AttributeClass{name, found};
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
      .def("parameter", &getParameter, "attribute"_a, "index"_a,
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
