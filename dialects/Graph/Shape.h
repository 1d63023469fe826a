//===- Shape.h - Shapes of results, known now or to a run -------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An operator says once what shape its results have, as expressions of the
// sizes of its operands. Its result type, its verifier, the sizes of buffers at
// run time and the checks that a run makes all follow from that.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_SHAPE_H
#define ACC_DIALECTS_GRAPH_SHAPE_H

#include "dialects/Graph/Inference.h"
#include "dialects/Graph/SizeExpr.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/raw_ostream.h"

namespace acc::graph {

/// The sizes of a tensor: known numbers, or expressions of symbols.
struct TensorShape {
  llvm::SmallVector<mlir::AffineExpr> sizes;
  mlir::Type element;

  int64_t rank() const { return static_cast<int64_t>(sizes.size()); }
};

/// A message with sizes in it, of which some are only known to a run: `texts`
/// has one more entry than `sizes`, which stand between them.
struct ShapeMessage {
  llvm::SmallVector<std::string> texts = {""};
  llvm::SmallVector<mlir::AffineExpr> sizes;

  ShapeMessage() = default;
  ShapeMessage(const llvm::Twine &text) : texts({text.str()}) {}

  /// The whole message, with "?" for sizes that are not known.
  std::string str() const;

  void append(mlir::AffineExpr size);
  /// Sizes in brackets, as in [2, 3].
  void append(llvm::ArrayRef<mlir::AffineExpr> sizes);
  void append(const TensorShape &shape) {
    append(llvm::ArrayRef<mlir::AffineExpr>(shape.sizes));
  }
  template <typename T> void append(const T &part) {
    llvm::raw_string_ostream os(texts.back());
    if constexpr (std::is_convertible_v<T, mlir::Type>)
      os << '\'' << mlir::Type(part) << '\'';
    else
      os << part;
  }
};

/// What must hold of sizes that are not known before run time.
struct ShapeRequirement {
  enum class Kind {
    Equal,     ///< lhs == rhs
    AtLeast,   ///< lhs >= rhs
    Broadcast, ///< lhs == rhs, or one of them is 1
  };
  Kind kind;
  mlir::AffineExpr lhs, rhs;
  /// What is wrong otherwise, without the operator's name.
  ShapeMessage message;
};

/// The symbols of sizes and what they stand for.
class ShapeScope {
public:
  enum class Sees {
    Types,       ///< Every `?` is a size of its own.
    Definitions, ///< Sizes of results follow from those of operands.
  };
  explicit ShapeScope(mlir::MLIRContext *context, Sees sees = Sees::Types)
      : context(context), sees(sees) {}

  mlir::MLIRContext *getContext() const { return context; }

  /// The shape of a tensor; with Sees::Definitions, arguments whose attribute
  /// `graph.dims` gives axes the same name have the same size there.
  TensorShape shapeOf(mlir::Value tensor);
  /// The value of an index.
  mlir::AffineExpr valueOf(mlir::Value index);

  mlir::AffineExpr min(mlir::AffineExpr a, mlir::AffineExpr b);
  mlir::AffineExpr max(mlir::AffineExpr a, mlir::AffineExpr b);
  /// b where a is 1, else a.
  mlir::AffineExpr broadcast(mlir::AffineExpr a, mlir::AffineExpr b);

  /// Whether a size is at least 0 whatever its symbols are; indices may be
  /// negative, sizes of tensors may not.
  bool isNeverNegative(mlir::AffineExpr size) const;

  /// A formula for people, as a factor in Python, in the names that arguments
  /// give their sizes ("x[1]" for one without a name); none if the size depends
  /// on anything else.
  std::optional<std::string> describe(mlir::AffineExpr size) const;

  /// The value of a size if all that its symbols stand for were `number`.
  int64_t sample(mlir::AffineExpr size, int64_t number) const;

  /// The size as an attribute or a value at `builder`'s insertion point, where
  /// what its symbols stand for must be visible.
  mlir::OpFoldResult materialize(mlir::OpBuilder &builder, mlir::Location loc,
                                 mlir::AffineExpr size);
  /// Lets a tensor have the sizes that are given as attributes and indices, or
  /// those of another shape.
  void bind(mlir::Value tensor, llvm::ArrayRef<mlir::OpFoldResult> sizes);
  void bind(mlir::Value tensor, TensorShape shape) { shapes[tensor] = shape; }
  /// Lets an index have the value of another one.
  void bindIndex(mlir::Value index, mlir::Value value);

  /// All sizes of a tensor; attributes exactly where its type is static.
  llvm::SmallVector<mlir::OpFoldResult>
  materialize(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value tensor);
  /// Whether the requirement holds, as an i1.
  mlir::Value materialize(mlir::OpBuilder &builder, mlir::Location loc,
                          const ShapeRequirement &requirement);

private:
  enum class SymbolKind : unsigned { Dim, Index, Min, Max, Broadcast };
  /// A size of a tensor (value, axis), an index (value), or a choice.
  struct Symbol {
    SymbolKind kind;
    mlir::Value value;
    int64_t axis = 0;
    mlir::AffineExpr lhs = {}, rhs = {};
  };
  using Key = std::tuple<unsigned, const void *, const void *>;

  mlir::AffineExpr getSymbol(Key key, Symbol symbol);
  mlir::AffineExpr getDim(mlir::Value tensor, int64_t axis);
  mlir::AffineExpr choose(SymbolKind kind, mlir::AffineExpr a,
                          mlir::AffineExpr b);
  std::optional<TensorShape> follow(mlir::OpResult result);
  mlir::AffineExpr followIndex(mlir::Value index);
  mlir::Value build(mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::AffineExpr size);
  mlir::Value buildSymbol(mlir::OpBuilder &builder, mlir::Location loc,
                          const Symbol &symbol);
  bool write(llvm::raw_ostream &os, mlir::AffineExpr size,
             bool isFactor = false) const;
  bool write(llvm::raw_ostream &os, const Symbol &symbol) const;

  mlir::MLIRContext *context;
  Sees sees;
  llvm::SmallVector<Symbol> symbols;
  llvm::DenseMap<Key, unsigned> positions;
  llvm::DenseMap<mlir::Value, TensorShape> shapes;
  llvm::DenseMap<mlir::Value, mlir::AffineExpr> indices;
  llvm::DenseMap<mlir::AffineExpr, mlir::Value> built;
};

/// What an inference of shapes sees: the operands' shapes, arithmetic on sizes,
/// and where mistakes go.
class ShapeContext {
public:
  ShapeContext(ShapeScope &scope, InferenceSite site,
               llvm::SmallVectorImpl<ShapeRequirement> *requirements = nullptr)
      : scope(scope), site(site), requirements(requirements) {}

  mlir::MLIRContext *getContext() const { return scope.getContext(); }
  /// For helpers that check what has nothing to do with sizes.
  InferenceSite getSite() const { return site; }

  TensorShape shape(mlir::Value tensor) { return scope.shapeOf(tensor); }
  mlir::AffineExpr value(mlir::Value index) { return scope.valueOf(index); }
  /// An array whose kDynamic entries are the values of `dynamics`, in order.
  llvm::FailureOr<llvm::SmallVector<mlir::AffineExpr>>
  values(llvm::ArrayRef<int64_t> statics, mlir::ValueRange dynamics);
  /// The sizes of a tensor that must all be known.
  llvm::FailureOr<llvm::SmallVector<int64_t>> staticShape(mlir::Value tensor,
                                                          llvm::StringRef what);

  mlir::AffineExpr constant(int64_t value) const {
    return mlir::getAffineConstantExpr(value, getContext());
  }
  mlir::AffineExpr min(mlir::AffineExpr a, mlir::AffineExpr b) {
    return scope.min(a, b);
  }
  mlir::AffineExpr max(mlir::AffineExpr a, mlir::AffineExpr b) {
    return scope.max(a, b);
  }
  /// The number of elements of (a part of) a shape.
  mlir::AffineExpr product(llvm::ArrayRef<mlir::AffineExpr> sizes) const;
  /// The size that two sizes broadcast to; `fromEnd` is the axis, for messages.
  llvm::FailureOr<mlir::AffineExpr>
  broadcast(mlir::AffineExpr a, mlir::AffineExpr b, int64_t fromEnd = -1);
  /// The shape that all shapes broadcast to, as in numpy.
  llvm::FailureOr<llvm::SmallVector<mlir::AffineExpr>>
  broadcast(llvm::ArrayRef<llvm::ArrayRef<mlir::AffineExpr>> shapes);
  /// The spatial sizes that windows (convolutions, pools) produce.
  llvm::FailureOr<llvm::SmallVector<mlir::AffineExpr>>
  windows(llvm::ArrayRef<mlir::AffineExpr> spatial,
          llvm::ArrayRef<mlir::AffineExpr> kernel,
          llvm::ArrayRef<int64_t> strides, llvm::ArrayRef<int64_t> pads,
          llvm::ArrayRef<int64_t> dilations);

  /// Each of these fails at once if it does not hold of known sizes, and is
  /// checked at run time if it depends on unknown ones. The message is made of
  /// strings, numbers, types, sizes and shapes; a run that is refused says the
  /// numbers of sizes that are not known before. (Types would show "?".)
  template <typename... Args>
  llvm::LogicalResult requireEqual(mlir::AffineExpr a, mlir::AffineExpr b,
                                   Args &&...message) {
    return require(ShapeRequirement::Kind::Equal, a, b, message...);
  }
  template <typename... Args>
  llvm::LogicalResult requireAtLeast(mlir::AffineExpr a, mlir::AffineExpr b,
                                     Args &&...message) {
    return require(ShapeRequirement::Kind::AtLeast, a, b, message...);
  }
  template <typename... Args> llvm::LogicalResult error(Args &&...message) {
    return site.error(describe(message...).str());
  }

  /// The same element type everywhere.
  llvm::LogicalResult requireSameElements(mlir::ValueRange operands);

private:
  template <typename... Args>
  static ShapeMessage describe(const Args &...parts) {
    ShapeMessage message;
    (message.append(parts), ...);
    return message;
  }
  template <typename... Args>
  llvm::LogicalResult require(ShapeRequirement::Kind kind, mlir::AffineExpr a,
                              mlir::AffineExpr b, const Args &...message) {
    std::optional<bool> holds = decide(kind, a, b);
    if (!holds && requirements)
      requirements->push_back({kind, a, b, describe(message...)});
    return holds.value_or(true) ? mlir::success() : error(message...);
  }
  std::optional<bool> decide(ShapeRequirement::Kind kind, mlir::AffineExpr &a,
                             mlir::AffineExpr &b) const;

  ShapeScope &scope;
  InferenceSite site;
  llvm::SmallVectorImpl<ShapeRequirement> *requirements;
};

} // namespace acc::graph

#include "dialects/Graph/ShapeInterface.h.inc"

namespace acc::graph {

/// Element-wise operators: equal element types, shapes broadcast as in numpy.
llvm::LogicalResult inferBroadcast(ShapeContext &c, mlir::ValueRange operands,
                                   llvm::SmallVectorImpl<TensorShape> &results);

/// As above where only the operands `alike` must have equal element types; the
/// result has that type or, if it is not null, `element`.
llvm::LogicalResult
inferElementwise(ShapeContext &c, mlir::ValueRange operands,
                 mlir::ValueRange alike, mlir::Type element,
                 llvm::SmallVectorImpl<TensorShape> &results);

/// Appends the tensor types of shapes, unless a size is negative or a tensor
/// absurdly large.
llvm::LogicalResult appendTypes(InferenceSite site,
                                llvm::ArrayRef<TensorShape> shapes,
                                llvm::SmallVectorImpl<mlir::Type> &types);

/// The shapes of an operation's results. Where a type is more static than what
/// follows from the operands, the type counts and the rest is a requirement.
llvm::FailureOr<llvm::SmallVector<TensorShape>>
inferShapes(mlir::Operation *op, ShapeScope &scope,
            llvm::SmallVectorImpl<ShapeRequirement> *requirements = nullptr);

/// For operators whose result types are not inferred: whether these fit what is
/// known of the shapes.
llvm::LogicalResult verifyShapes(mlir::Operation *op);

/// ReifyRankedShapedTypeOpInterface for every operator.
llvm::LogicalResult reifyShapes(mlir::Operation *op, mlir::OpBuilder &builder,
                                mlir::ReifiedRankedShapedTypeDims &sizes);

/// Whether types differ at most in how many of their sizes are known.
bool areCompatible(mlir::TypeRange lhs, mlir::TypeRange rhs);

/// InferTypeOpInterface for operators with `inferResultShapes`.
template <typename Op>
llvm::LogicalResult inferTypes(mlir::MLIRContext *context,
                               std::optional<mlir::Location> location,
                               typename Op::Adaptor adaptor,
                               llvm::SmallVectorImpl<mlir::Type> &types) {
  ShapeScope scope(context);
  InferenceSite site{location, Op::getOperationName()};
  ShapeContext shapes(scope, site);
  llvm::SmallVector<TensorShape> results;
  if (failed(Op::inferResultShapes(shapes, adaptor, results)))
    return mlir::failure();
  return appendTypes(site, results, types);
}

/// Refuses per-axis quantized tensors where the axis would lose its meaning.
llvm::LogicalResult rejectPerAxis(ShapeContext &c, mlir::Value tensor);

/// Refuses an attribute `axis` that is no axis of a tensor of `rank`, which is
/// called `tensor` in the message.
llvm::LogicalResult checkAxis(ShapeContext &c, int64_t axis, int64_t rank,
                              llvm::StringRef tensor = "the input");

} // namespace acc::graph

#endif // ACC_DIALECTS_GRAPH_SHAPE_H
