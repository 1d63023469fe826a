//===- Parameters.h - Parameters of attributes as in Python -----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shared by acc.ir and acc.mlir, whose Python classes of attributes differ.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PYTHON_BINDINGS_MLIR_PARAMETERS_H
#define ACC_PYTHON_BINDINGS_MLIR_PARAMETERS_H

#include "capi/Acc.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <deque>
#include <string>
#include <vector>

namespace acc::python {

struct AttributeClass {
  std::string name;
  AccAttributeClass handle;
};

/// Values from Python as parameters, with what these borrow. `Classes` has
/// `attribute` and `type`, which take them out of Python objects.
template <typename Classes> class Parameters {
public:
  Parameters(const Classes &classes, const AttributeClass &described,
             nanobind::tuple given)
      : classes(classes) {
    intptr_t expected = accAttributeClassGetNumParameters(described.handle);
    if (intptr_t(given.size()) != expected)
      throw nanobind::type_error(("#" + described.name + " has " +
                                  std::to_string(expected) + " parameters")
                                     .c_str());
    for (intptr_t i = 0; i < expected; ++i)
      values.push_back(convert(
          given[i], accAttributeClassGetParameterKind(described.handle, i)));
  }
  const AccParameter *data() const { return values.data(); }

private:
  MlirStringRef text(nanobind::handle given) {
    if (!nanobind::isinstance<nanobind::str>(given))
      throw nanobind::type_error("a parameter that is text wants a str");
    strings.push_back(nanobind::cast<std::string>(given));
    return mlirStringRefCreate(strings.back().data(), strings.back().size());
  }

  AccParameter convert(nanobind::handle given, AccParameterKind kind) {
    AccParameter value{};
    if (given.is_none())
      return value;
    value.kind = kind;
    switch (kind) {
    case AccParameterNone:
      break;
    case AccParameterInteger:
      value.integer = nanobind::cast<int64_t>(nanobind::int_(given));
      break;
    case AccParameterString:
      value.string = text(given);
      break;
    case AccParameterAttribute:
      value.attribute = classes.attribute(given);
      break;
    case AccParameterType:
      value.type = classes.type(given);
      break;
    case AccParameterIntegers: {
      auto &array = integers.emplace_back();
      for (nanobind::handle element : given)
        array.push_back(nanobind::cast<int64_t>(nanobind::int_(element)));
      value.integers = array.data();
      value.size = array.size();
      break;
    }
    case AccParameterStrings: {
      auto &array = stringArrays.emplace_back();
      for (nanobind::handle element : given)
        array.push_back(text(element));
      value.strings = array.data();
      value.size = array.size();
      break;
    }
    case AccParameterAttributes: {
      auto &array = attributes.emplace_back();
      for (nanobind::handle element : given)
        array.push_back(classes.attribute(element));
      value.attributes = array.data();
      value.size = array.size();
      break;
    }
    }
    return value;
  }

  const Classes &classes;
  std::vector<AccParameter> values;
  // Deques, whose elements stay where they are.
  std::deque<std::string> strings;
  std::deque<std::vector<int64_t>> integers;
  std::deque<std::vector<MlirStringRef>> stringArrays;
  std::deque<std::vector<MlirAttribute>> attributes;
};

/// A parameter on its way to Python. `Classes` has `wrap` for attributes and
/// types.
template <typename Classes> struct Result {
  const Classes &classes;
  nanobind::object object;

  void set(const AccParameter &value) {
    switch (value.kind) {
    case AccParameterNone:
      object = nanobind::none();
      break;
    case AccParameterInteger:
      object = nanobind::int_(value.integer);
      break;
    case AccParameterString:
      object = nanobind::str(value.string.data, value.string.length);
      break;
    case AccParameterAttribute:
      object = classes.wrap(value.attribute);
      break;
    case AccParameterType:
      object = classes.wrap(value.type);
      break;
    case AccParameterIntegers:
      object = list(value.size, [&](intptr_t i) -> nanobind::object {
        return nanobind::int_(value.integers[i]);
      });
      break;
    case AccParameterStrings:
      object = list(value.size, [&](intptr_t i) -> nanobind::object {
        return nanobind::str(value.strings[i].data, value.strings[i].length);
      });
      break;
    case AccParameterAttributes:
      object = list(value.size, [&](intptr_t i) -> nanobind::object {
        return classes.wrap(value.attributes[i]);
      });
      break;
    }
  }

private:
  template <typename Element>
  nanobind::list list(intptr_t size, Element element) {
    nanobind::list made;
    for (intptr_t i = 0; i < size; ++i)
      made.append(element(i));
    return made;
  }
};

/// A parameter of an attribute of the class.
template <typename Classes>
nanobind::object getParameter(const Classes &classes,
                              const AttributeClass &described,
                              MlirAttribute attribute, intptr_t index) {
  Result<Classes> result{classes, {}};
  accAttributeGetParameter(
      described.handle, attribute, index,
      [](AccParameter value, void *userData) {
        static_cast<Result<Classes> *>(userData)->set(value);
      },
      &result);
  return result.object;
}

/// The class of that name; raises KeyError.
inline AttributeClass findAttributeClass(const std::string &name) {
  AccAttributeClass found =
      accAttributeClassFind(mlirStringRefCreate(name.data(), name.size()));
  if (!found.ptr)
    throw nanobind::key_error(name.c_str());
  return {name, found};
}

} // namespace acc::python

#endif // ACC_PYTHON_BINDINGS_MLIR_PARAMETERS_H
