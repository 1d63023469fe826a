//===- Types.cpp - Types --------------------------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/Quant/IR/QuantTypes.h"

#include <nanobind/make_iterator.h>

using namespace acc::python;

namespace {

/// Python classes of types: one C++ class each, so that nanobind can tell them
/// apart; all of them hold nothing but a Type.
template <typename MlirType> struct TypeOf : acc::python::Type {
  TypeOf(ContextRef context, MlirType type)
      : acc::python::Type{std::move(context), type} {}
  MlirType get() const { return mlir::cast<MlirType>(type); }
};

using PyIntegerType = TypeOf<mlir::IntegerType>;
using PyIndexType = TypeOf<mlir::IndexType>;
using PyNoneType = TypeOf<mlir::NoneType>;
using PyFloatType = TypeOf<mlir::FloatType>;
using PyFunctionType = TypeOf<mlir::FunctionType>;
using PyShapedType = TypeOf<mlir::ShapedType>;
using PyQuantizedType = TypeOf<mlir::quant::QuantizedType>;

template <typename MlirType> struct ShapedTypeOf : PyShapedType {
  ShapedTypeOf(ContextRef context, MlirType type)
      : PyShapedType(std::move(context), mlir::cast<mlir::ShapedType>(type)) {}
  MlirType get() const { return mlir::cast<MlirType>(type); }
};
using PyRankedTensorType = ShapedTypeOf<mlir::RankedTensorType>;
using PyMemRefType = ShapedTypeOf<mlir::MemRefType>;
using PyVectorType = ShapedTypeOf<mlir::VectorType>;

/// Python classes of single float types, as upstream has them.
template <typename MlirType> struct FloatTypeOf : PyFloatType {
  FloatTypeOf(ContextRef context, MlirType type)
      : PyFloatType(std::move(context), type) {}
};

} // namespace

template <typename PyType, typename MlirType>
static nb::object make(const ContextRef &context, MlirType type) {
  return nb::cast(PyType(context, type));
}

nb::object acc::python::wrap(const ContextRef &context, mlir::Type type) {
  if (!type)
    return nb::none();
  return llvm::TypeSwitch<mlir::Type, nb::object>(type)
      .Case(
          [&](mlir::IntegerType t) { return make<PyIntegerType>(context, t); })
      .Case([&](mlir::IndexType t) { return make<PyIndexType>(context, t); })
      .Case([&](mlir::NoneType t) { return make<PyNoneType>(context, t); })
      .Case([&](mlir::Float32Type t) {
        return make<FloatTypeOf<mlir::Float32Type>>(context, t);
      })
      .Case([&](mlir::Float64Type t) {
        return make<FloatTypeOf<mlir::Float64Type>>(context, t);
      })
      .Case([&](mlir::Float16Type t) {
        return make<FloatTypeOf<mlir::Float16Type>>(context, t);
      })
      .Case([&](mlir::BFloat16Type t) {
        return make<FloatTypeOf<mlir::BFloat16Type>>(context, t);
      })
      .Case([&](mlir::FloatType t) { return make<PyFloatType>(context, t); })
      .Case([&](mlir::FunctionType t) {
        return make<PyFunctionType>(context, t);
      })
      .Case([&](mlir::RankedTensorType t) {
        return make<PyRankedTensorType>(context, t);
      })
      .Case([&](mlir::MemRefType t) { return make<PyMemRefType>(context, t); })
      .Case([&](mlir::VectorType t) { return make<PyVectorType>(context, t); })
      .Case([&](mlir::quant::QuantizedType t) {
        return make<PyQuantizedType>(context, t);
      })
      .Case([&](mlir::ShapedType t) { return make<PyShapedType>(context, t); })
      .Default([&](mlir::Type t) {
        return nb::cast(acc::python::Type{context, t});
      });
}

/// Builds a type with its checked builder; MLIR's diagnostics are raised.
template <typename Build>
static auto checked(const ContextRef &context, Build build) {
  DiagnosticCollector collector(context->get());
  mlir::Location loc = mlir::UnknownLoc::get(context->get());
  auto result = build([&] { return mlir::emitError(loc); });
  if (!result)
    collector.raise("invalid type");
  return result;
}

/// `Class(value)` casts, as upstream's classes do; raises ValueError.
template <typename PyType, typename MlirType, typename... Bases>
static void defCast(nb::class_<PyType, Bases...> &cls, const char *name) {
  cls.def(
      "__init__",
      [name](PyType *self, const acc::python::Type &other) {
        auto type = mlir::dyn_cast<MlirType>(other.type);
        if (!type)
          throw nb::value_error(
              (toString(other.type) + " is not of class " + name).c_str());
        new (self) PyType(other.context, type);
      },
      nb::arg("cast_from"));
  cls.def_static(
      "isinstance",
      [](const acc::python::Type &other) {
        return mlir::isa<MlirType>(other.type);
      },
      nb::arg("other"));
}

template <typename MlirType>
static void bindFloat(nb::module_ &m, const char *name) {
  using Py = FloatTypeOf<MlirType>;
  nb::class_<Py, PyFloatType> cls(m, name);
  defCast<Py, MlirType>(cls, name);
  cls.def_static(
      "get",
      [](nb::object context) {
        ContextRef owner = resolveContext(context);
        return Py(owner, MlirType::get(owner->get()));
      },
      nb::arg("context") = nb::none());
}

static void bindBase(nb::module_ &m) {
  using acc::python::Type;
  nb::class_<Type>(m, "Type")
      .def_static(
          "parse",
          [](const std::string &text, nb::object context) {
            ContextRef owner = resolveContext(context);
            DiagnosticCollector collector(owner->get());
            mlir::Type type = mlir::parseType(text, owner->get());
            if (!type)
              collector.raise("malformed type");
            return wrap(owner, type);
          },
          nb::arg("asm"), nb::arg("context") = nb::none())
      .def_prop_ro("context", [](Type &self) { return self.context; })
      .def(
          "__eq__",
          [](Type &self, nb::object other) {
            return nb::isinstance<Type>(other) &&
                   nb::cast<Type &>(other).type == self.type;
          },
          nb::arg("other").none())
      .def("__hash__",
           [](Type &self) { return size_t(mlir::hash_value(self.type)); })
      .def("__str__", [](Type &self) { return toString(self.type); })
      .def("__repr__",
           [](Type &self) { return "Type(" + toString(self.type) + ")"; });
}

template <mlir::IntegerType::SignednessSemantics signedness>
static PyIntegerType makeInteger(unsigned width, const nb::object &context) {
  ContextRef owner = resolveContext(context);
  return {owner, checked(owner, [&](auto emit) {
            return mlir::IntegerType::getChecked(emit, owner->get(), width,
                                                 signedness);
          })};
}

static void bindScalars(nb::module_ &m) {
  nb::class_<PyIntegerType, acc::python::Type> integer(m, "IntegerType");
  defCast<PyIntegerType, mlir::IntegerType>(integer, "IntegerType");
  using Semantics = mlir::IntegerType::SignednessSemantics;
  integer
      .def_static("get_signless", &makeInteger<Semantics::Signless>,
                  nb::arg("width"), nb::arg("context") = nb::none())
      .def_static("get_signed", &makeInteger<Semantics::Signed>,
                  nb::arg("width"), nb::arg("context") = nb::none())
      .def_static("get_unsigned", &makeInteger<Semantics::Unsigned>,
                  nb::arg("width"), nb::arg("context") = nb::none())
      .def_prop_ro("width",
                   [](PyIntegerType &self) { return self.get().getWidth(); })
      .def_prop_ro("is_signless",
                   [](PyIntegerType &self) { return self.get().isSignless(); })
      .def_prop_ro("is_signed",
                   [](PyIntegerType &self) { return self.get().isSigned(); })
      .def_prop_ro("is_unsigned",
                   [](PyIntegerType &self) { return self.get().isUnsigned(); });

  nb::class_<PyIndexType, acc::python::Type> index(m, "IndexType");
  defCast<PyIndexType, mlir::IndexType>(index, "IndexType");
  index.def_static(
      "get",
      [](nb::object context) {
        ContextRef owner = resolveContext(context);
        return PyIndexType(owner, mlir::IndexType::get(owner->get()));
      },
      nb::arg("context") = nb::none());

  nb::class_<PyNoneType, acc::python::Type> none(m, "NoneType");
  defCast<PyNoneType, mlir::NoneType>(none, "NoneType");
  none.def_static(
      "get",
      [](nb::object context) {
        ContextRef owner = resolveContext(context);
        return PyNoneType(owner, mlir::NoneType::get(owner->get()));
      },
      nb::arg("context") = nb::none());

  nb::class_<PyFloatType, acc::python::Type> floating(m, "FloatType");
  defCast<PyFloatType, mlir::FloatType>(floating, "FloatType");
  floating.def_prop_ro("width",
                       [](PyFloatType &self) { return self.get().getWidth(); });
  bindFloat<mlir::Float32Type>(m, "F32Type");
  bindFloat<mlir::Float64Type>(m, "F64Type");
  bindFloat<mlir::Float16Type>(m, "F16Type");
  bindFloat<mlir::BFloat16Type>(m, "BF16Type");
}

static std::vector<nb::object> wrapAll(const ContextRef &context,
                                       llvm::ArrayRef<mlir::Type> types) {
  std::vector<nb::object> result;
  for (mlir::Type type : types)
    result.push_back(wrap(context, type));
  return result;
}

static llvm::SmallVector<mlir::Type>
unwrapAll(const std::vector<acc::python::Type> &types) {
  llvm::SmallVector<mlir::Type> result;
  for (const auto &type : types)
    result.push_back(type.type);
  return result;
}

static void bindFunction(nb::module_ &m) {
  nb::class_<PyFunctionType, acc::python::Type> function(m, "FunctionType");
  defCast<PyFunctionType, mlir::FunctionType>(function, "FunctionType");
  function
      .def_static(
          "get",
          [](const std::vector<acc::python::Type> &inputs,
             const std::vector<acc::python::Type> &results,
             nb::object context) {
            ContextRef owner = !inputs.empty()    ? inputs[0].context
                               : !results.empty() ? results[0].context
                                                  : resolveContext(context);
            return PyFunctionType(
                owner, mlir::FunctionType::get(owner->get(), unwrapAll(inputs),
                                               unwrapAll(results)));
          },
          nb::arg("inputs"), nb::arg("results"),
          nb::arg("context") = nb::none())
      .def_prop_ro("inputs",
                   [](PyFunctionType &self) {
                     return wrapAll(self.context, self.get().getInputs());
                   })
      .def_prop_ro("results", [](PyFunctionType &self) {
        return wrapAll(self.context, self.get().getResults());
      });
}

/// Sizes from Python: -1 or None is a dynamic one.
static llvm::SmallVector<int64_t>
toShape(const std::vector<std::optional<int64_t>> &shape) {
  llvm::SmallVector<int64_t> sizes;
  for (std::optional<int64_t> size : shape)
    sizes.push_back(!size || *size == -1 ? mlir::ShapedType::kDynamic : *size);
  return sizes;
}

static void bindShaped(nb::module_ &m) {
  nb::class_<PyShapedType, acc::python::Type> shaped(m, "ShapedType");
  defCast<PyShapedType, mlir::ShapedType>(shaped, "ShapedType");
  shaped
      .def_prop_ro("element_type",
                   [](PyShapedType &self) {
                     return wrap(self.context, self.get().getElementType());
                   })
      .def_prop_ro("has_rank",
                   [](PyShapedType &self) { return self.get().hasRank(); })
      .def_prop_ro("rank",
                   [](PyShapedType &self) {
                     if (!self.get().hasRank())
                       throw nb::value_error("the type has no rank");
                     return self.get().getRank();
                   })
      .def_prop_ro("shape",
                   [](PyShapedType &self) {
                     if (!self.get().hasRank())
                       throw nb::value_error("the type has no rank");
                     std::vector<int64_t> sizes;
                     for (int64_t size : self.get().getShape())
                       sizes.push_back(
                           mlir::ShapedType::isDynamic(size) ? -1 : size);
                     return sizes;
                   })
      .def_prop_ro(
          "has_static_shape",
          [](PyShapedType &self) { return self.get().hasStaticShape(); })
      .def_prop_ro("num_elements", [](PyShapedType &self) {
        if (!self.get().hasStaticShape())
          throw nb::value_error("the shape is not static");
        return self.get().getNumElements();
      });

  nb::class_<PyRankedTensorType, PyShapedType> tensor(m, "RankedTensorType");
  defCast<PyRankedTensorType, mlir::RankedTensorType>(tensor,
                                                      "RankedTensorType");
  tensor
      .def_static(
          "get",
          [](const std::vector<std::optional<int64_t>> &shape,
             const acc::python::Type &element,
             std::optional<acc::python::Attribute> encoding) {
            return PyRankedTensorType(
                element.context, checked(element.context, [&](auto emit) {
                  return mlir::RankedTensorType::getChecked(
                      emit, toShape(shape), element.type,
                      encoding ? encoding->attr : mlir::Attribute());
                }));
          },
          nb::arg("shape"), nb::arg("element_type"),
          nb::arg("encoding") = nb::none())
      .def_prop_ro("encoding", [](PyRankedTensorType &self) -> nb::object {
        mlir::Attribute encoding = self.get().getEncoding();
        return encoding ? wrap(self.context, encoding) : nb::none();
      });

  nb::class_<PyMemRefType, PyShapedType> memref(m, "MemRefType");
  defCast<PyMemRefType, mlir::MemRefType>(memref, "MemRefType");
  memref
      .def_static(
          "get",
          [](const std::vector<std::optional<int64_t>> &shape,
             const acc::python::Type &element,
             std::optional<acc::python::Attribute> space) {
            return PyMemRefType(element.context,
                                checked(element.context, [&](auto emit) {
                                  return mlir::MemRefType::getChecked(
                                      emit, toShape(shape), element.type,
                                      mlir::MemRefLayoutAttrInterface(),
                                      space ? space->attr : mlir::Attribute());
                                }));
          },
          nb::arg("shape"), nb::arg("element_type"),
          nb::arg("memory_space") = nb::none())
      .def_prop_ro("memory_space", [](PyMemRefType &self) -> nb::object {
        mlir::Attribute space = self.get().getMemorySpace();
        return space ? wrap(self.context, space) : nb::none();
      });

  nb::class_<PyVectorType, PyShapedType> vector(m, "VectorType");
  defCast<PyVectorType, mlir::VectorType>(vector, "VectorType");
  vector.def_static(
      "get",
      [](const std::vector<std::optional<int64_t>> &shape,
         const acc::python::Type &element) {
        return PyVectorType(element.context,
                            checked(element.context, [&](auto emit) {
                              return mlir::VectorType::getChecked(
                                  emit, toShape(shape), element.type);
                            }));
      },
      nb::arg("shape"), nb::arg("element_type"));
}

static void bindQuantized(nb::module_ &m) {
  namespace quant = mlir::quant;
  nb::class_<PyQuantizedType, acc::python::Type> cls(m, "QuantizedType");
  defCast<PyQuantizedType, quant::QuantizedType>(cls, "QuantizedType");
  cls.def_prop_ro("storage_type",
                  [](PyQuantizedType &self) {
                    return wrap(self.context, self.get().getStorageType());
                  })
      .def_prop_ro("expressed_type",
                   [](PyQuantizedType &self) {
                     return wrap(self.context, self.get().getExpressedType());
                   })
      .def_prop_ro("is_signed",
                   [](PyQuantizedType &self) { return self.get().isSigned(); })
      .def_prop_ro(
          "storage_type_min",
          [](PyQuantizedType &self) { return self.get().getStorageTypeMin(); })
      .def_prop_ro(
          "storage_type_max",
          [](PyQuantizedType &self) { return self.get().getStorageTypeMax(); })
      .def_prop_ro(
          "axis",
          [](PyQuantizedType &self) -> std::optional<int> {
            if (auto perAxis =
                    dyn_cast<quant::UniformQuantizedPerAxisType>(self.get()))
              return perAxis.getQuantizedDimension();
            return std::nullopt;
          })
      .def_prop_ro("scales",
                   [](PyQuantizedType &self) {
                     std::vector<double> scales;
                     if (auto one =
                             dyn_cast<quant::UniformQuantizedType>(self.get()))
                       scales = {one.getScale()};
                     else if (auto perAxis =
                                  dyn_cast<quant::UniformQuantizedPerAxisType>(
                                      self.get()))
                       scales.assign(perAxis.getScales().begin(),
                                     perAxis.getScales().end());
                     return scales;
                   })
      .def_prop_ro("zero_points", [](PyQuantizedType &self) {
        std::vector<int64_t> points;
        if (auto one = dyn_cast<quant::UniformQuantizedType>(self.get()))
          points = {one.getZeroPoint()};
        else if (auto perAxis =
                     dyn_cast<quant::UniformQuantizedPerAxisType>(self.get()))
          points.assign(perAxis.getZeroPoints().begin(),
                        perAxis.getZeroPoints().end());
        return points;
      });
}

void acc::python::bindTypes(nb::module_ &m) {
  bindBase(m);
  bindScalars(m);
  bindFunction(m);
  bindShaped(m);
  bindQuantized(m);
}
