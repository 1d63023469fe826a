//===- Affine.cpp - Affine expressions and maps ---------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"

#include "llvm/Support/MathExtras.h"

using namespace acc::python;
using mlir::AffineExprKind;

namespace {

using Expr = acc::python::AffineExpr;
using Map = acc::python::AffineMap;

/// Python classes of expressions, as for types.
struct BinaryExpr : Expr {};
template <AffineExprKind kind>
struct ExprOf
    : std::conditional_t<(kind <= AffineExprKind::LAST_AFFINE_BINARY_OP),
                         BinaryExpr, Expr> {
  ExprOf(const ContextRef &owner, mlir::AffineExpr made) {
    this->context = owner;
    this->expr = made;
  }
};

} // namespace

template <AffineExprKind... kinds>
static nb::object wrapAs(const ContextRef &context, mlir::AffineExpr expr) {
  nb::object result;
  ((expr.getKind() == kinds
        ? (void)(result = nb::cast(ExprOf<kinds>(context, expr)))
        : (void)0),
   ...);
  return result;
}

nb::object acc::python::wrap(const ContextRef &context, mlir::AffineExpr expr) {
  return wrapAs<AffineExprKind::DimId, AffineExprKind::SymbolId,
                AffineExprKind::Constant, AffineExprKind::Add,
                AffineExprKind::Mul, AffineExprKind::Mod,
                AffineExprKind::FloorDiv, AffineExprKind::CeilDiv>(context,
                                                                   expr);
}

/// An expression or a Python integer as an expression.
static mlir::AffineExpr toExpr(const ContextRef &context, nb::handle given) {
  if (PyLong_CheckExact(given.ptr()))
    return mlir::getAffineConstantExpr(nb::cast<int64_t>(given),
                                       context->get());
  if (!nb::isinstance<Expr>(given))
    throw nb::type_error("an operand is an AffineExpr or an int");
  auto &expr = nb::cast<Expr &>(given);
  if (expr.context != context)
    throw nb::value_error("the expression is of another context");
  return expr.expr;
}

/// Combines two operands; raises ValueError for what is not affine.
static nb::object combine(AffineExprKind kind, const ContextRef &context,
                          nb::handle left, nb::handle right) {
  mlir::AffineExpr lhs = toExpr(context, left), rhs = toExpr(context, right);
  if (kind == AffineExprKind::Mul && !lhs.isSymbolicOrConstant() &&
      !rhs.isSymbolicOrConstant())
    throw nb::value_error("a factor of an affine expression must be free of "
                          "dimensions");
  if (kind == AffineExprKind::Mod || kind == AffineExprKind::FloorDiv ||
      kind == AffineExprKind::CeilDiv) {
    auto divisor = mlir::dyn_cast<mlir::AffineConstantExpr>(rhs);
    if (!rhs.isSymbolicOrConstant() || (divisor && divisor.getValue() < 1))
      throw nb::value_error("the divisor of an affine expression must be "
                            "positive and free of dimensions");
  }
  return wrap(context, mlir::getAffineBinaryOpExpr(kind, lhs, rhs));
}

/// The value of an expression; raises ValueError where it has none.
static int64_t evaluate(mlir::AffineExpr expr, llvm::ArrayRef<int64_t> dims,
                        llvm::ArrayRef<int64_t> symbols) {
  if (auto constant = mlir::dyn_cast<mlir::AffineConstantExpr>(expr))
    return constant.getValue();
  if (auto dim = mlir::dyn_cast<mlir::AffineDimExpr>(expr)) {
    if (dim.getPosition() >= dims.size())
      throw nb::value_error("a dimension has no value");
    return dims[dim.getPosition()];
  }
  if (auto symbol = mlir::dyn_cast<mlir::AffineSymbolExpr>(expr)) {
    if (symbol.getPosition() >= symbols.size())
      throw nb::value_error("a symbol has no value");
    return symbols[symbol.getPosition()];
  }
  auto binary = mlir::cast<mlir::AffineBinaryOpExpr>(expr);
  int64_t lhs = evaluate(binary.getLHS(), dims, symbols);
  int64_t rhs = evaluate(binary.getRHS(), dims, symbols);
  int64_t result = 0;
  if (expr.getKind() == AffineExprKind::Add ||
      expr.getKind() == AffineExprKind::Mul) {
    bool overflows = expr.getKind() == AffineExprKind::Add
                         ? llvm::AddOverflow(lhs, rhs, result)
                         : llvm::MulOverflow(lhs, rhs, result);
    if (overflows)
      throw nb::value_error("the value does not fit in 64 bits");
    return result;
  }
  if (rhs < 1)
    throw nb::value_error("a divisor is not positive");
  if (expr.getKind() == AffineExprKind::Mod)
    return llvm::mod(lhs, rhs);
  return expr.getKind() == AffineExprKind::FloorDiv
             ? llvm::divideFloorSigned(lhs, rhs)
             : llvm::divideCeilSigned(lhs, rhs);
}

/// Makes a map whose expressions use no dimensions and symbols but its own.
static Map makeMap(const ContextRef &context, unsigned dims, unsigned symbols,
                   llvm::ArrayRef<mlir::AffineExpr> results) {
  for (mlir::AffineExpr result : results)
    result.walk([&](mlir::AffineExpr expr) {
      auto dim = mlir::dyn_cast<mlir::AffineDimExpr>(expr);
      auto symbol = mlir::dyn_cast<mlir::AffineSymbolExpr>(expr);
      if ((dim && dim.getPosition() >= dims) ||
          (symbol && symbol.getPosition() >= symbols))
        throw nb::value_error("a result uses a dimension or symbol that the "
                              "map does not have");
    });
  return {context,
          mlir::AffineMap::get(dims, symbols, results, context->get())};
}

static void bindKinds(nb::module_ &m) {
  auto getPosition = [](Expr &self) {
    if (auto dim = mlir::dyn_cast<mlir::AffineDimExpr>(self.expr))
      return dim.getPosition();
    return mlir::cast<mlir::AffineSymbolExpr>(self.expr).getPosition();
  };
  nb::class_<ExprOf<AffineExprKind::DimId>, Expr>(m, "AffineDimExpr")
      .def_prop_ro("position", getPosition);
  nb::class_<ExprOf<AffineExprKind::SymbolId>, Expr>(m, "AffineSymbolExpr")
      .def_prop_ro("position", getPosition);
  nb::class_<ExprOf<AffineExprKind::Constant>, Expr>(m, "AffineConstantExpr")
      .def_prop_ro("value", [](Expr &self) {
        return mlir::cast<mlir::AffineConstantExpr>(self.expr).getValue();
      });
  nb::class_<BinaryExpr, Expr>(m, "AffineBinaryExpr")
      .def_prop_ro("lhs",
                   [](Expr &self) {
                     auto expr =
                         mlir::cast<mlir::AffineBinaryOpExpr>(self.expr);
                     return wrap(self.context, expr.getLHS());
                   })
      .def_prop_ro("rhs", [](Expr &self) {
        auto expr = mlir::cast<mlir::AffineBinaryOpExpr>(self.expr);
        return wrap(self.context, expr.getRHS());
      });
  nb::class_<ExprOf<AffineExprKind::Add>, BinaryExpr>(m, "AffineAddExpr");
  nb::class_<ExprOf<AffineExprKind::Mul>, BinaryExpr>(m, "AffineMulExpr");
  nb::class_<ExprOf<AffineExprKind::Mod>, BinaryExpr>(m, "AffineModExpr");
  nb::class_<ExprOf<AffineExprKind::FloorDiv>, BinaryExpr>(
      m, "AffineFloorDivExpr");
  nb::class_<ExprOf<AffineExprKind::CeilDiv>, BinaryExpr>(m,
                                                          "AffineCeilDivExpr");
}

static void bindExpressions(nb::module_ &m) {
  nb::class_<Expr> cls(m, "AffineExpr");
  auto leaf = [&](const char *name, auto make) {
    cls.def_static(
        name,
        [make](int64_t value, nb::object context) {
          ContextRef owner = resolveContext(context);
          return wrap(owner, make(value, owner->get()));
        },
        nb::arg("value"), nb::arg("context") = nb::none());
  };
  leaf("get_constant", [](int64_t value, mlir::MLIRContext *context) {
    return mlir::getAffineConstantExpr(value, context);
  });
  auto position = [](int64_t value) {
    if (value < 0 || value > std::numeric_limits<int>::max())
      throw nb::value_error("a position is not negative and fits in 31 bits");
    return unsigned(value);
  };
  leaf("get_dim", [position](int64_t value, mlir::MLIRContext *context) {
    return mlir::getAffineDimExpr(position(value), context);
  });
  leaf("get_symbol", [position](int64_t value, mlir::MLIRContext *context) {
    return mlir::getAffineSymbolExpr(position(value), context);
  });
  auto binary = [&](const char *name, const char *reflected,
                    AffineExprKind kind) {
    cls.def(
        name,
        [kind](Expr &self, nb::handle other) {
          return combine(kind, self.context, nb::cast(self), other);
        },
        nb::is_operator(), nb::arg("other"));
    if (reflected)
      cls.def(
          reflected,
          [kind](Expr &self, nb::handle other) {
            return combine(kind, self.context, other, nb::cast(self));
          },
          nb::is_operator(), nb::arg("other"));
  };
  binary("__add__", "__radd__", AffineExprKind::Add);
  binary("__mul__", "__rmul__", AffineExprKind::Mul);
  binary("__mod__", "__rmod__", AffineExprKind::Mod);
  binary("__floordiv__", "__rfloordiv__", AffineExprKind::FloorDiv);
  binary("ceil_div", nullptr, AffineExprKind::CeilDiv);
  cls.def("__neg__", [](Expr &self) { return wrap(self.context, -self.expr); })
      .def(
          "__sub__",
          [](Expr &self, nb::handle other) {
            return wrap(self.context, self.expr - toExpr(self.context, other));
          },
          nb::is_operator(), nb::arg("other"))
      .def(
          "__rsub__",
          [](Expr &self, nb::handle other) {
            return wrap(self.context, toExpr(self.context, other) - self.expr);
          },
          nb::is_operator(), nb::arg("other"))
      .def(
          "evaluate",
          [](Expr &self, const std::vector<int64_t> &dims,
             const std::vector<int64_t> &symbols) {
            return evaluate(self.expr, dims, symbols);
          },
          nb::arg("dims") = nb::make_tuple(),
          nb::arg("symbols") = nb::make_tuple())
      .def(
          "compose",
          [](Expr &self, const Map &map) {
            mlir::AffineExpr expr = self.expr;
            if (map.context != self.context)
              throw nb::value_error("the map is of another context");
            // A symbol of the expression would become one of the map's.
            expr.walk([&](mlir::AffineExpr part) {
              auto dim = mlir::dyn_cast<mlir::AffineDimExpr>(part);
              if (dim && dim.getPosition() >= map.map.getNumResults())
                throw nb::value_error("the map has no result for a dimension");
              if (mlir::isa<mlir::AffineSymbolExpr>(part))
                throw nb::value_error(
                    "an expression with symbols cannot be composed");
            });
            return wrap(self.context, expr.compose(map.map));
          },
          nb::arg("map"))
      .def_prop_ro("context", [](Expr &self) { return self.context; })
      .def(
          "is_function_of_dim",
          [](Expr &self, unsigned position) {
            return self.expr.isFunctionOfDim(position);
          },
          nb::arg("position"))
      .def(
          "__eq__",
          [](Expr &self, nb::object other) {
            return nb::isinstance<Expr>(other) &&
                   nb::cast<Expr &>(other).expr == self.expr;
          },
          nb::arg("other").none())
      .def("__hash__",
           [](Expr &self) { return size_t(mlir::hash_value(self.expr)); })
      .def("__str__", [](Expr &self) { return toString(self.expr); })
      .def("__repr__", [](Expr &self) {
        return "AffineExpr(" + toString(self.expr) + ")";
      });
}

static void bindMaps(nb::module_ &m) {
  nb::class_<Map>(m, "AffineMap")
      .def_static(
          "get",
          [](unsigned dims, unsigned symbols, nb::sequence results,
             nb::object context) {
            ContextRef owner = resolveContext(context);
            llvm::SmallVector<mlir::AffineExpr> exprs;
            for (nb::handle result : results)
              exprs.push_back(toExpr(owner, result));
            return makeMap(owner, dims, symbols, exprs);
          },
          nb::arg("dim_count"), nb::arg("symbol_count"), nb::arg("exprs"),
          nb::arg("context") = nb::none())
      .def_static(
          "get_identity",
          [](unsigned dims, nb::object context) {
            ContextRef owner = resolveContext(context);
            return Map{owner, mlir::AffineMap::getMultiDimIdentityMap(
                                  dims, owner->get())};
          },
          nb::arg("n_dims"), nb::arg("context") = nb::none())
      .def_static(
          "get_permutation",
          [](const std::vector<unsigned> &permutation, nb::object context) {
            ContextRef owner = resolveContext(context);
            std::vector<unsigned> sorted = permutation;
            llvm::sort(sorted);
            for (auto [index, position] : llvm::enumerate(sorted))
              if (index != position)
                throw nb::value_error("not a permutation");
            llvm::SmallVector<mlir::AffineExpr> exprs;
            for (unsigned position : permutation)
              exprs.push_back(mlir::getAffineDimExpr(position, owner->get()));
            return makeMap(owner, permutation.size(), 0, exprs);
          },
          nb::arg("permutation"), nb::arg("context") = nb::none())
      .def_prop_ro("context", [](Map &self) { return self.context; })
      .def_prop_ro("n_dims", [](Map &self) { return self.map.getNumDims(); })
      .def_prop_ro("n_symbols",
                   [](Map &self) { return self.map.getNumSymbols(); })
      .def_prop_ro("n_inputs",
                   [](Map &self) { return self.map.getNumInputs(); })
      .def_prop_ro("results",
                   [](Map &self) {
                     nb::list results;
                     for (mlir::AffineExpr expr : self.map.getResults())
                       results.append(wrap(self.context, expr));
                     return results;
                   })
      .def_prop_ro("is_permutation",
                   [](Map &self) { return self.map.isPermutation(); })
      .def_prop_ro("is_projected_permutation",
                   [](Map &self) { return self.map.isProjectedPermutation(); })
      .def(
          "get_submap",
          [](Map &self, const std::vector<unsigned> &results) {
            for (unsigned result : results)
              if (result >= self.map.getNumResults())
                throw nb::value_error("the map has fewer results");
            return Map{self.context, self.map.getSubMap(results)};
          },
          nb::arg("result_positions"))
      .def(
          "compose",
          [](Map &self, const Map &other) {
            if (self.context != other.context)
              throw nb::value_error("the map is of another context");
            if (self.map.getNumDims() != other.map.getNumResults())
              throw nb::value_error(
                  ("the map has " + std::to_string(self.map.getNumDims()) +
                   " dimensions, but the other " +
                   std::to_string(other.map.getNumResults()) + " results")
                      .c_str());
            return Map{self.context, self.map.compose(other.map)};
          },
          nb::arg("other"))
      .def(
          "evaluate",
          [](Map &self, const std::vector<int64_t> &dims,
             const std::vector<int64_t> &symbols) {
            if (dims.size() != self.map.getNumDims() ||
                symbols.size() != self.map.getNumSymbols())
              throw nb::value_error(
                  "as many values are wanted as there are dimensions and "
                  "symbols");
            std::vector<int64_t> values;
            for (mlir::AffineExpr expr : self.map.getResults())
              values.push_back(evaluate(expr, dims, symbols));
            return values;
          },
          nb::arg("dims") = nb::make_tuple(),
          nb::arg("symbols") = nb::make_tuple())
      .def(
          "__eq__",
          [](Map &self, nb::object other) {
            return nb::isinstance<Map>(other) &&
                   nb::cast<Map &>(other).map == self.map;
          },
          nb::arg("other").none())
      .def("__hash__",
           [](Map &self) { return size_t(mlir::hash_value(self.map)); })
      .def("__str__", [](Map &self) { return toString(self.map); })
      .def("__repr__",
           [](Map &self) { return "AffineMap(" + toString(self.map) + ")"; });
}

void acc::python::bindAffine(nb::module_ &m) {
  bindExpressions(m);
  bindKinds(m);
  bindMaps(m);
}
