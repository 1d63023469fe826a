//===- Sizes.cpp - Sizes that are known at run time only ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"

#include "dialects/Graph/Shape.h"

#include "mlir/IR/Builders.h"

using namespace nb::literals;
using acc::graph::ShapeScope;

namespace {

/// A scope with the context that it needs.
struct Sizes {
  acc::python::ContextRef context;
  ShapeScope scope;
  explicit Sizes(const acc::python::ContextRef &context)
      : context(context), scope(context->get(), ShapeScope::Sees::Definitions) {
  }
};
using SizesRef = std::shared_ptr<Sizes>;

/// A size that is not known: everything known is a Python int.
struct Size {
  SizesRef sizes;
  mlir::AffineExpr expr;
};

/// What a comparison raises that the sizes do not decide.
struct UnknownSize : std::runtime_error {
  using std::runtime_error::runtime_error;
};

nb::object wrapSize(const SizesRef &sizes, mlir::AffineExpr expr) {
  expr = acc::graph::normalizeSize(expr);
  if (std::optional<int64_t> number = acc::graph::getKnownSize(expr))
    return nb::int_(*number);
  return nb::cast(Size{sizes, expr});
}

mlir::AffineExpr unwrapSize(const SizesRef &sizes, nb::handle value) {
  if (nb::isinstance<Size>(value)) {
    const Size &size = nb::cast<const Size &>(value);
    if (size.sizes != sizes)
      throw nb::value_error("sizes of different models do not mix");
    return size.expr;
  }
  if (!PyIndex_Check(value.ptr()))
    throw nb::type_error("sizes are integers");
  return mlir::getAffineConstantExpr(nb::cast<int64_t>(nb::int_(value)),
                                     sizes->context->get());
}

using Combine = mlir::AffineExpr (*)(Sizes &, mlir::AffineExpr,
                                     mlir::AffineExpr);

mlir::AffineExpr add(Sizes &, mlir::AffineExpr a, mlir::AffineExpr b) {
  return a + b;
}
mlir::AffineExpr subtract(Sizes &, mlir::AffineExpr a, mlir::AffineExpr b) {
  return a - b;
}
mlir::AffineExpr multiply(Sizes &, mlir::AffineExpr a, mlir::AffineExpr b) {
  return a * b;
}
mlir::AffineExpr checkDivisor(Sizes &sizes, mlir::AffineExpr b) {
  if (acc::graph::getKnownSize(b) == 0)
    throw nb::value_error("division by zero");
  if (!sizes.scope.isNeverNegative(b))
    throw UnknownSize("divides by what may be negative");
  return b;
}
mlir::AffineExpr divide(Sizes &sizes, mlir::AffineExpr a, mlir::AffineExpr b) {
  return a.floorDiv(checkDivisor(sizes, b));
}
mlir::AffineExpr modulo(Sizes &sizes, mlir::AffineExpr a, mlir::AffineExpr b) {
  return a % checkDivisor(sizes, b);
}
mlir::AffineExpr minimum(Sizes &sizes, mlir::AffineExpr a, mlir::AffineExpr b) {
  return sizes.scope.min(a, b);
}
mlir::AffineExpr maximum(Sizes &sizes, mlir::AffineExpr a, mlir::AffineExpr b) {
  return sizes.scope.max(a, b);
}
mlir::AffineExpr broadcast(Sizes &sizes, mlir::AffineExpr a,
                           mlir::AffineExpr b) {
  return sizes.scope.broadcast(a, b);
}

template <Combine combine>
nb::object apply(const Size &self, nb::handle other) {
  return wrapSize(self.sizes, combine(*self.sizes, self.expr,
                                      unwrapSize(self.sizes, other)));
}
template <Combine combine>
nb::object applyReversed(const Size &self, nb::handle other) {
  return wrapSize(
      self.sizes,
      combine(*self.sizes, unwrapSize(self.sizes, other), self.expr));
}
template <Combine combine>
nb::object applyStatic(const SizesRef &self, nb::handle a, nb::handle b) {
  return wrapSize(self,
                  combine(*self, unwrapSize(self, a), unwrapSize(self, b)));
}

/// Whether a <= b, if that is the same for all sizes.
std::optional<bool> isAtMost(Sizes &sizes, mlir::AffineExpr a,
                             mlir::AffineExpr b) {
  auto decide = [&](mlir::AffineExpr expr) {
    return sizes.scope.isNeverNegative(acc::graph::normalizeSize(expr));
  };
  if (decide(b - a))
    return true;
  if (decide(a - b - 1))
    return false;
  return std::nullopt;
}

bool decided(std::optional<bool> answer) {
  if (!answer)
    throw UnknownSize("depends on sizes that are not known before run time");
  return *answer;
}

bool isEqual(const Size &self, nb::handle other) {
  if (!nb::isinstance<Size>(other) && !PyIndex_Check(other.ptr()))
    return false;
  Sizes &sizes = *self.sizes;
  mlir::AffineExpr a = self.expr, b = unwrapSize(self.sizes, other);
  if (a == b)
    return true;
  std::optional<bool> below = isAtMost(sizes, a, b),
                      above = isAtMost(sizes, b, a);
  if (below == false || above == false)
    return false;
  return decided(std::nullopt);
}

} // namespace

void acc::python::bindSizes(nb::module_ &m) {
  nb::exception<UnknownSize>(m, "UnknownSizeError", PyExc_ValueError);

  nb::class_<Size>(m, "Size")
      .def("__add__", apply<add>)
      .def("__radd__", apply<add>)
      .def("__sub__", apply<subtract>)
      .def("__rsub__", applyReversed<subtract>)
      .def("__mul__", apply<multiply>)
      .def("__rmul__", apply<multiply>)
      .def("__floordiv__", apply<divide>)
      .def("__rfloordiv__", applyReversed<divide>)
      .def("__mod__", apply<modulo>)
      .def("__rmod__", applyReversed<modulo>)
      .def("__neg__",
           [](const Size &self) { return wrapSize(self.sizes, -self.expr); })
      .def("__eq__", isEqual)
      .def("__ne__", [](const Size &self,
                        nb::handle other) { return !isEqual(self, other); })
      .def("__le__",
           [](const Size &self, nb::handle other) {
             return decided(isAtMost(*self.sizes, self.expr,
                                     unwrapSize(self.sizes, other)));
           })
      .def("__ge__",
           [](const Size &self, nb::handle other) {
             return decided(isAtMost(*self.sizes, unwrapSize(self.sizes, other),
                                     self.expr));
           })
      .def("__lt__",
           [](const Size &self, nb::handle other) {
             return decided(isAtMost(*self.sizes, self.expr + 1,
                                     unwrapSize(self.sizes, other)));
           })
      .def("__gt__",
           [](const Size &self, nb::handle other) {
             return decided(isAtMost(
                 *self.sizes, unwrapSize(self.sizes, other) + 1, self.expr));
           })
      .def("__bool__",
           [](const Size &self) { return !isEqual(self, nb::int_(0)); })
      .def("__index__",
           [](const Size &) -> int64_t {
             throw UnknownSize(
                 "depends on sizes that are not known before run time");
           })
      .def("__hash__",
           [](const Size &self) {
             return static_cast<Py_ssize_t>(hash_value(self.expr) >> 1);
           })
      .def("__repr__", [](const Size &) { return "?"; });

  nb::class_<Sizes>(m, "Sizes")
      .def(
          "__init__",
          [](Sizes *self, const ContextRef &context) {
            new (self) Sizes(context);
          },
          "context"_a)
      .def(
          "shape",
          [](const SizesRef &self, const Value &tensor) {
            nb::list sizes;
            for (mlir::AffineExpr size :
                 self->scope.shapeOf(tensor.value).sizes)
              sizes.append(wrapSize(self, size));
            return sizes;
          },
          "tensor"_a, "The sizes of a tensor, those that are known as ints.")
      .def(
          "value",
          [](const SizesRef &self, const Value &index) {
            return wrapSize(self, self->scope.valueOf(index.value));
          },
          "index"_a, "The value of an index.")
      .def(
          "bind",
          [](const SizesRef &self, const Value &tensor, const Value &other) {
            self->scope.bind(tensor.value, self->scope.shapeOf(other.value));
          },
          "tensor"_a, "other"_a, "Lets a tensor have the shape of another.")
      .def(
          "describe",
          [](const SizesRef &self, nb::handle size) {
            return self->scope.describe(unwrapSize(self, size));
          },
          "size"_a,
          "A formula in the names of the arguments' sizes, in parentheses "
          "where "
          "a factor needs them; None if the size depends on anything else.")
      .def(
          "sample",
          [](const SizesRef &self, nb::handle size, int64_t number) {
            return self->scope.sample(unwrapSize(self, size), number);
          },
          "size"_a, "number"_a,
          "The value of a size if every size that is not known were `number`.")
      .def("minimum", applyStatic<minimum>, "a"_a, "b"_a)
      .def("maximum", applyStatic<maximum>, "a"_a, "b"_a)
      .def("broadcast", applyStatic<broadcast>, "a"_a, "b"_a,
           "b where a is 1, else a.")
      .def(
          "emit",
          [](const SizesRef &self, nb::handle size, const Block &block,
             const Location &location) {
            mlir::OpBuilder builder(self->context->get());
            builder.setInsertionPointToEnd(block.block);
            mlir::OpFoldResult value = self->scope.materialize(
                builder, location.loc, unwrapSize(self, size));
            mlir::Value index = llvm::dyn_cast<mlir::Value>(value);
            if (!index)
              index = mlir::arith::ConstantIndexOp::create(
                  builder, location.loc, *mlir::getConstantIntValue(value));
            return wrap(block.owner, index);
          },
          "size"_a, "block"_a, "location"_a,
          "The size as an index, computed at the end of `block`.");
}
