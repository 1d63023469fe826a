//===- Attributes.cpp - Attributes and their Python values ----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Arrays.h"
#include "Bindings.h"

#include "dialects/TE/TEDialect.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/AffineMap.h"

using namespace acc::python;

namespace {

/// Python classes of attributes, as for types.
template <typename MlirAttr> struct AttrOf : acc::python::Attribute {
  AttrOf(ContextRef context, MlirAttr attr)
      : acc::python::Attribute{std::move(context), attr} {}
  MlirAttr get() const { return mlir::cast<MlirAttr>(attr); }
};

} // namespace

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

template <typename... Attrs>
static nb::object wrapAs(const ContextRef &context, mlir::Attribute attr) {
  nb::object result;
  ((!result.is_valid() && mlir::isa<Attrs>(attr)
        ? (void)(result =
                     nb::cast(AttrOf<Attrs>(context, mlir::cast<Attrs>(attr))))
        : (void)0),
   ...);
  return result.is_valid() ? result : wrapRegistered(context, attr);
}

nb::object acc::python::wrap(const ContextRef &context, mlir::Attribute attr) {
  if (!attr)
    return nb::none();
  return wrapAs<mlir::BoolAttr, mlir::IntegerAttr, mlir::FloatAttr,
                mlir::StringAttr, mlir::FlatSymbolRefAttr, mlir::SymbolRefAttr,
                mlir::ArrayAttr, mlir::DictionaryAttr, mlir::TypeAttr,
                mlir::UnitAttr, mlir::DenseI64ArrayAttr,
                mlir::DenseI32ArrayAttr, mlir::DenseI8ArrayAttr,
                mlir::DenseBoolArrayAttr, mlir::DenseF32ArrayAttr,
                mlir::DenseF64ArrayAttr, mlir::DenseElementsAttr,
                mlir::DenseResourceElementsAttr, mlir::AffineMapAttr>(context,
                                                                      attr);
}

static mlir::Attribute sequenceToAttribute(const ContextRef &context,
                                           nb::handle value) {
  mlir::MLIRContext *ctx = context->get();
  bool bools = true, ints = true, floats = true;
  for (nb::handle item : value) {
    bool isBool = PyBool_Check(item.ptr());
    bools &= isBool;
    ints &= !isBool && PyLong_CheckExact(item.ptr());
    floats &= PyFloat_CheckExact(item.ptr());
  }
  if (nb::len(value) != 0) {
    if (bools)
      return mlir::DenseBoolArrayAttr::get(
          ctx,
          llvm::to_vector(llvm::map_range(nb::cast<std::vector<int>>(value),
                                          [](int item) { return item != 0; })));
    if (ints)
      return mlir::DenseI64ArrayAttr::get(
          ctx, nb::cast<std::vector<int64_t>>(value));
    if (floats)
      return mlir::DenseF64ArrayAttr::get(ctx,
                                          nb::cast<std::vector<double>>(value));
  }
  llvm::SmallVector<mlir::Attribute> items;
  for (nb::handle item : value)
    items.push_back(toAttribute(context, item));
  return mlir::ArrayAttr::get(ctx, items);
}

mlir::Attribute acc::python::toAttribute(const ContextRef &context,
                                         nb::handle value) {
  mlir::MLIRContext *ctx = context->get();
  PyObject *object = value.ptr();
  if (nb::isinstance<acc::python::Attribute>(value)) {
    auto &given = nb::cast<acc::python::Attribute &>(value);
    if (given.context != context)
      throw nb::value_error("the attribute is of another context");
    return given.attr;
  }
  if (nb::isinstance<acc::python::AffineMap>(value)) {
    auto &given = nb::cast<acc::python::AffineMap &>(value);
    if (given.context != context)
      throw nb::value_error("the map is of another context");
    return mlir::AffineMapAttr::get(given.map);
  }
  if (nb::isinstance<acc::python::Type>(value)) {
    auto &given = nb::cast<acc::python::Type &>(value);
    if (given.context != context)
      throw nb::value_error("the type is of another context");
    return mlir::TypeAttr::get(given.type);
  }
  if (PyBool_Check(object))
    return mlir::BoolAttr::get(ctx, object == Py_True);
  if (PyLong_CheckExact(object))
    return mlir::IntegerAttr::get(mlir::IntegerType::get(ctx, 64),
                                  nb::cast<int64_t>(value));
  if (PyFloat_CheckExact(object))
    return mlir::FloatAttr::get(mlir::Float64Type::get(ctx),
                                nb::cast<double>(value));
  if (PyUnicode_Check(object))
    return mlir::StringAttr::get(ctx, nb::cast<std::string>(value));
  if (PyDict_Check(object)) {
    llvm::SmallVector<mlir::NamedAttribute> entries;
    for (auto [key, item] : nb::cast<nb::dict>(value))
      entries.emplace_back(
          mlir::StringAttr::get(ctx, nb::cast<std::string>(key)),
          toAttribute(context, item));
    return mlir::DictionaryAttr::get(ctx, entries);
  }
  if (PyList_Check(object) || PyTuple_Check(object))
    return sequenceToAttribute(context, value);
  if (mlir::Attribute attr = numpyToAttribute(context, value))
    return attr;
  std::string message = "no attribute for a Python value of type ";
  message += pythonText(value.type());
  throw nb::type_error(message.c_str());
}

template <typename Array> static nb::object toList(Array array) {
  nb::list items;
  for (auto item : array)
    items.append(nb::cast(item));
  return items;
}

static nb::object integerToPython(mlir::IntegerAttr attr) {
  if (attr.getType().isInteger(1))
    return nb::bool_(!attr.getValue().isZero());
  const llvm::APInt &value = attr.getValue();
  llvm::SmallString<32> text;
  bool isSigned = !attr.getType().isUnsignedInteger();
  if (isSigned ? value.getSignificantBits() <= 64 : value.getActiveBits() <= 63)
    return nb::cast(isSigned ? value.getSExtValue()
                             : int64_t(value.getZExtValue()));
  value.toString(text, 10, isSigned);
  return nb::steal(PyLong_FromString(text.c_str(), nullptr, 10));
}

nb::object acc::python::toPython(const ContextRef &context,
                                 mlir::Attribute attr) {
  return llvm::TypeSwitch<mlir::Attribute, nb::object>(attr)
      .Case([&](mlir::IntegerAttr a) { return integerToPython(a); })
      .Case([&](mlir::FloatAttr a) { return nb::cast(a.getValueAsDouble()); })
      .Case([&](mlir::StringAttr a) { return nb::cast(a.getValue().str()); })
      .Case([&](mlir::SymbolRefAttr a) {
        std::string text = a.getRootReference().getValue().str();
        for (mlir::FlatSymbolRefAttr nested : a.getNestedReferences())
          text += "::" + nested.getValue().str();
        return nb::cast(text);
      })
      .Case([&](mlir::ArrayAttr a) {
        nb::list items;
        for (mlir::Attribute item : a)
          items.append(toPython(context, item));
        return nb::object(items);
      })
      .Case([&](mlir::DictionaryAttr a) {
        nb::dict items;
        for (mlir::NamedAttribute item : a)
          items[nb::cast(item.getName().str())] =
              toPython(context, item.getValue());
        return nb::object(items);
      })
      .Case([&](mlir::TypeAttr a) { return wrap(context, a.getValue()); })
      .Case([&](mlir::UnitAttr) { return nb::object(nb::bool_(true)); })
      .Case([&](acc::te::TargetAttrInterface a) {
        return nb::cast(a.getTargetName().str());
      })
      .Case([&](mlir::DenseI64ArrayAttr a) { return toList(a.asArrayRef()); })
      .Case([&](mlir::DenseI32ArrayAttr a) { return toList(a.asArrayRef()); })
      .Case([&](mlir::DenseI16ArrayAttr a) { return toList(a.asArrayRef()); })
      .Case([&](mlir::DenseI8ArrayAttr a) {
        nb::list items;
        for (int8_t item : a.asArrayRef())
          items.append(nb::cast(int(item)));
        return nb::object(items);
      })
      .Case([&](mlir::DenseBoolArrayAttr a) { return toList(a.asArrayRef()); })
      .Case([&](mlir::DenseF32ArrayAttr a) { return toList(a.asArrayRef()); })
      .Case([&](mlir::DenseF64ArrayAttr a) { return toList(a.asArrayRef()); })
      .Case<mlir::DenseElementsAttr, mlir::DenseResourceElementsAttr>(
          [&](mlir::ElementsAttr a) { return toNumpy(context, a); })
      .Default([&](mlir::Attribute a) { return wrap(context, a); });
}

//===----------------------------------------------------------------------===//
// Bindings
//===----------------------------------------------------------------------===//

/// A class of attributes with upstream's cast constructor, `isinstance` and a
/// plain Python `value`.
template <typename MlirAttr, typename... Base>
static auto bindClass(nb::module_ &m, const char *name) {
  using Py = AttrOf<MlirAttr>;
  nb::class_<Py, acc::python::Attribute> cls(m, name);
  cls.def(
      "__init__",
      [name](Py *self, const acc::python::Attribute &other) {
        auto attr = mlir::dyn_cast<MlirAttr>(other.attr);
        if (!attr)
          throw nb::value_error(
              (toString(other.attr) + " is not of class " + name).c_str());
        new (self) Py(other.context, attr);
      },
      nb::arg("cast_from"));
  cls.def_static(
      "isinstance",
      [](const acc::python::Attribute &other) {
        return mlir::isa<MlirAttr>(other.attr);
      },
      nb::arg("other"));
  return cls;
}

static void bindBase(nb::module_ &m) {
  using acc::python::Attribute;
  nb::class_<Attribute>(m, "Attribute")
      .def(nb::init<const Attribute &>(), nb::arg("cast_from"))
      .def_static(
          "parse",
          [](const std::string &text, nb::object context) {
            ContextRef owner = resolveContext(context);
            DiagnosticCollector collector(owner->get());
            mlir::Attribute attr = mlir::parseAttribute(text, owner->get());
            if (!attr)
              collector.raise("malformed attribute");
            return wrap(owner, attr);
          },
          nb::arg("asm"), nb::arg("context") = nb::none())
      .def_static(
          "from_python",
          [](nb::handle value, nb::object context) {
            ContextRef owner = resolveContext(context);
            return wrap(owner, toAttribute(owner, value));
          },
          nb::arg("value"), nb::arg("context") = nb::none())
      .def_prop_ro("context", [](Attribute &self) { return self.context; })
      .def_prop_ro(
          "value",
          [](Attribute &self) { return toPython(self.context, self.attr); })
      .def_prop_ro("type",
                   [](Attribute &self) -> nb::object {
                     if (auto typed = dyn_cast<mlir::TypedAttr>(self.attr))
                       return wrap(self.context, typed.getType());
                     return nb::none();
                   })
      .def(
          "__eq__",
          [](Attribute &self, nb::object other) {
            return nb::isinstance<Attribute>(other) &&
                   nb::cast<Attribute &>(other).attr == self.attr;
          },
          nb::arg("other").none())
      .def("__hash__",
           [](Attribute &self) { return size_t(mlir::hash_value(self.attr)); })
      .def("__str__", [](Attribute &self) { return toString(self.attr); })
      .def("__repr__", [](Attribute &self) {
        if (auto elements = dyn_cast<mlir::ElementsAttr>(self.attr))
          return "Attribute(... : " + toString(elements.getType()) + ")";
        return "Attribute(" + toString(self.attr) + ")";
      });
}

static void bindScalars(nb::module_ &m) {
  bindClass<mlir::BoolAttr>(m, "BoolAttr")
      .def_static(
          "get",
          [](bool value, nb::object context) {
            ContextRef owner = resolveContext(context);
            return wrap(owner, mlir::BoolAttr::get(owner->get(), value));
          },
          nb::arg("value"), nb::arg("context") = nb::none());
  bindClass<mlir::IntegerAttr>(m, "IntegerAttr")
      .def_static(
          "get",
          [](const acc::python::Type &type, int64_t value) {
            if (!mlir::isa<mlir::IntegerType, mlir::IndexType>(type.type))
              throw nb::value_error(
                  ("not an integer type: " + toString(type.type)).c_str());
            unsigned width = mlir::IndexType::kInternalStorageBitWidth;
            if (auto integer = dyn_cast<mlir::IntegerType>(type.type))
              width = integer.getWidth();
            if (width < 64 && !llvm::isIntN(width, value) &&
                !(value >= 0 && llvm::isUIntN(width, value)))
              throw nb::value_error((std::to_string(value) +
                                     " does not fit in " + toString(type.type))
                                        .c_str());
            llvm::APInt bits(width, value, /*isSigned=*/true,
                             /*implicitTrunc=*/true);
            return wrap(type.context, mlir::IntegerAttr::get(type.type, bits));
          },
          nb::arg("type"), nb::arg("value"));
  auto makeFloat = [](mlir::Type type, double value, const ContextRef &owner) {
    return wrap(owner, mlir::FloatAttr::get(type, value));
  };
  bindClass<mlir::FloatAttr>(m, "FloatAttr")
      .def_static(
          "get",
          [makeFloat](const acc::python::Type &type, double value) {
            if (!mlir::isa<mlir::FloatType>(type.type))
              throw nb::value_error(
                  ("not a float type: " + toString(type.type)).c_str());
            return makeFloat(type.type, value, type.context);
          },
          nb::arg("type"), nb::arg("value"))
      .def_static(
          "get_f32",
          [makeFloat](double value, nb::object context) {
            ContextRef owner = resolveContext(context);
            return makeFloat(mlir::Float32Type::get(owner->get()), value,
                             owner);
          },
          nb::arg("value"), nb::arg("context") = nb::none())
      .def_static(
          "get_f64",
          [makeFloat](double value, nb::object context) {
            ContextRef owner = resolveContext(context);
            return makeFloat(mlir::Float64Type::get(owner->get()), value,
                             owner);
          },
          nb::arg("value"), nb::arg("context") = nb::none());
  bindClass<mlir::StringAttr>(m, "StringAttr")
      .def_static(
          "get",
          [](const std::string &value, nb::object context) {
            ContextRef owner = resolveContext(context);
            return wrap(owner, mlir::StringAttr::get(owner->get(), value));
          },
          nb::arg("value"), nb::arg("context") = nb::none());
  bindClass<mlir::SymbolRefAttr>(m, "SymbolRefAttr")
      .def_static(
          "get",
          [](const std::vector<std::string> &symbols, nb::object context) {
            ContextRef owner = resolveContext(context);
            if (symbols.empty())
              throw nb::value_error("a symbol reference needs a symbol");
            llvm::SmallVector<mlir::FlatSymbolRefAttr> nested;
            for (const std::string &symbol : llvm::drop_begin(symbols))
              nested.push_back(
                  mlir::FlatSymbolRefAttr::get(owner->get(), symbol));
            return wrap(owner, mlir::SymbolRefAttr::get(owner->get(),
                                                        symbols[0], nested));
          },
          nb::arg("symbols"), nb::arg("context") = nb::none());
  bindClass<mlir::FlatSymbolRefAttr>(m, "FlatSymbolRefAttr")
      .def_static(
          "get",
          [](const std::string &symbol, nb::object context) {
            ContextRef owner = resolveContext(context);
            return wrap(owner,
                        mlir::FlatSymbolRefAttr::get(owner->get(), symbol));
          },
          nb::arg("value"), nb::arg("context") = nb::none());
  bindClass<mlir::TypeAttr>(m, "TypeAttr")
      .def_static(
          "get",
          [](const acc::python::Type &type) {
            return wrap(type.context, mlir::TypeAttr::get(type.type));
          },
          nb::arg("value"));
  bindClass<mlir::UnitAttr>(m, "UnitAttr")
      .def_static(
          "get",
          [](nb::object context) {
            ContextRef owner = resolveContext(context);
            return wrap(owner, mlir::UnitAttr::get(owner->get()));
          },
          nb::arg("context") = nb::none());
  bindClass<mlir::AffineMapAttr>(m, "AffineMapAttr")
      .def_prop_ro("num_dims",
                   [](AttrOf<mlir::AffineMapAttr> &self) {
                     return self.get().getValue().getNumDims();
                   })
      .def_prop_ro("num_results",
                   [](AttrOf<mlir::AffineMapAttr> &self) {
                     return self.get().getValue().getNumResults();
                   })
      .def_prop_ro("value",
                   [](AttrOf<mlir::AffineMapAttr> &self) {
                     return acc::python::AffineMap{self.context,
                                                   self.get().getValue()};
                   })
      .def_static(
          "get",
          [](const acc::python::AffineMap &map) {
            return wrap(map.context, mlir::AffineMapAttr::get(map.map));
          },
          nb::arg("map"));
}

template <typename ArrayAttr, typename Element>
static void bindDenseArray(nb::module_ &m, const char *name) {
  bindClass<ArrayAttr>(m, name)
      .def_static(
          "get",
          [](const std::vector<Element> &values, nb::object context) {
            ContextRef owner = resolveContext(context);
            llvm::SmallVector<typename std::remove_cvref_t<
                decltype(std::declval<ArrayAttr>()[0])>>
                copied(values.begin(), values.end());
            return wrap(owner, ArrayAttr::get(owner->get(), copied));
          },
          nb::arg("values"), nb::arg("context") = nb::none())
      .def("__len__",
           [](AttrOf<ArrayAttr> &self) { return self.get().size(); });
}

static void bindContainers(nb::module_ &m) {
  bindClass<mlir::ArrayAttr>(m, "ArrayAttr")
      .def_static(
          "get",
          [](nb::handle values, nb::object context) {
            ContextRef owner = resolveContext(context);
            llvm::SmallVector<mlir::Attribute> items;
            for (nb::handle value : values)
              items.push_back(toAttribute(owner, value));
            return wrap(owner, mlir::ArrayAttr::get(owner->get(), items));
          },
          nb::arg("values"), nb::arg("context") = nb::none())
      .def("__len__",
           [](AttrOf<mlir::ArrayAttr> &self) { return self.get().size(); })
      .def(
          "__getitem__",
          [](AttrOf<mlir::ArrayAttr> &self, int64_t index) {
            int64_t size = self.get().size();
            if (index < 0)
              index += size;
            if (index < 0 || index >= size)
              throw nb::index_error();
            return wrap(self.context, self.get()[index]);
          },
          nb::arg("index"));
  bindClass<mlir::DictionaryAttr>(m, "DictAttr")
      .def_static(
          "get",
          [](nb::dict values, nb::object context) {
            ContextRef owner = resolveContext(context);
            return wrap(owner, toAttribute(owner, values));
          },
          nb::arg("value"), nb::arg("context") = nb::none())
      .def("__len__",
           [](AttrOf<mlir::DictionaryAttr> &self) { return self.get().size(); })
      .def(
          "__contains__",
          [](AttrOf<mlir::DictionaryAttr> &self, const std::string &name) {
            return self.get().contains(name);
          },
          nb::arg("name"))
      .def(
          "__getitem__",
          [](AttrOf<mlir::DictionaryAttr> &self, const std::string &name) {
            mlir::Attribute attr = self.get().get(name);
            if (!attr)
              throw nb::key_error(name.c_str());
            return wrap(self.context, attr);
          },
          nb::arg("name"));
  bindDenseArray<mlir::DenseI64ArrayAttr, int64_t>(m, "DenseI64ArrayAttr");
  bindDenseArray<mlir::DenseI32ArrayAttr, int32_t>(m, "DenseI32ArrayAttr");
  bindDenseArray<mlir::DenseI8ArrayAttr, int8_t>(m, "DenseI8ArrayAttr");
  bindDenseArray<mlir::DenseBoolArrayAttr, int>(m, "DenseBoolArrayAttr");
  bindDenseArray<mlir::DenseF32ArrayAttr, float>(m, "DenseF32ArrayAttr");
  bindDenseArray<mlir::DenseF64ArrayAttr, double>(m, "DenseF64ArrayAttr");
}

static void bindElements(nb::module_ &m) {
  bindClass<mlir::DenseElementsAttr>(m, "DenseElementsAttr")
      .def_static(
          "get",
          [](nb::object array, std::optional<acc::python::Type> type,
             nb::object context) {
            ContextRef owner = type ? type->context : resolveContext(context);
            return wrap(owner,
                        mlir::Attribute(denseFromNumpy(
                            owner, array, type ? type->type : mlir::Type())));
          },
          nb::arg("array"), nb::arg("type") = nb::none(),
          nb::arg("context") = nb::none())
      .def_static(
          "get_splat",
          [](const acc::python::Type &type,
             const acc::python::Attribute &element) {
            auto shaped = dyn_cast<mlir::ShapedType>(type.type);
            auto typed = dyn_cast<mlir::TypedAttr>(element.attr);
            if (!shaped || !shaped.hasStaticShape() || !typed ||
                typed.getType() != shaped.getElementType())
              throw nb::value_error("a splat needs a static shape and a value "
                                    "of the element type");
            return wrap(type.context,
                        mlir::DenseElementsAttr::get(shaped, element.attr));
          },
          nb::arg("shaped_type"), nb::arg("element_attr"))
      .def_prop_ro("is_splat",
                   [](AttrOf<mlir::DenseElementsAttr> &self) {
                     return self.get().isSplat();
                   })
      .def("get_splat_value",
           [](AttrOf<mlir::DenseElementsAttr> &self) {
             if (!self.get().isSplat())
               throw nb::value_error("the attribute is not a splat");
             return wrap(self.context,
                         self.get().getSplatValue<mlir::Attribute>());
           })
      .def("__array__",
           [](AttrOf<mlir::DenseElementsAttr> &self, nb::args, nb::kwargs) {
             return toNumpy(self.context, self.get());
           });
  bindClass<mlir::DenseResourceElementsAttr>(m, "DenseResourceElementsAttr")
      .def_static(
          "get",
          [](nb::object array, const std::string &name,
             std::optional<acc::python::Type> type, nb::object context) {
            ContextRef owner = type ? type->context : resolveContext(context);
            return wrap(owner, mlir::Attribute(resourceFromNumpy(
                                   owner, array, name,
                                   type ? type->type : mlir::Type())));
          },
          nb::arg("array"), nb::arg("name") = "weights",
          nb::arg("type") = nb::none(), nb::arg("context") = nb::none())
      .def_prop_ro("name",
                   [](AttrOf<mlir::DenseResourceElementsAttr> &self) {
                     return self.get().getRawHandle().getKey().str();
                   })
      .def("__array__",
           [](AttrOf<mlir::DenseResourceElementsAttr> &self, nb::args,
              nb::kwargs) { return toNumpy(self.context, self.get()); });
}

void acc::python::bindAttributes(nb::module_ &m) {
  bindBase(m);
  bindScalars(m);
  bindContainers(m);
  bindElements(m);
}
