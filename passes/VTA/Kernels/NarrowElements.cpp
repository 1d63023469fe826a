//===- NarrowElements.cpp - Elements of less than a byte ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Up to here all activations are tensors of i8. An accelerator whose inputs and
// outputs are narrower has them without gaps in memory. This pass brings its
// kernels to such elements, and converts what passes between them and kernels
// of the host.
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Passes.h"

#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"
#include "dialects/TE/TEDialect.h"
#include "dialects/VTA/VTADialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace acc::vta {
#define GEN_PASS_DEF_VTANARROWELEMENTS
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::vta;

/// The bits of the elements of a tensor of integers below a byte, or 8.
static unsigned getBits(Type type) {
  Type element = getElementTypeOrSelf(type);
  bool isNarrow = element.isSignlessInteger() && !element.isInteger(1) &&
                  element.getIntOrFloatBitWidth() < 8;
  return isNarrow ? element.getIntOrFloatBitWidth() : 8;
}

static Type withBits(Type type, unsigned bits) {
  Type element = IntegerType::get(type.getContext(), bits);
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    return tensor.clone(element);
  return element;
}

static bool holdsBytes(Type type) {
  return getElementTypeOrSelf(type).isSignlessInteger(8);
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

using BitsOf = llvm::function_ref<unsigned(Value)>;

/// Gives every tensor and number of a kernel the bits that `bitsOf` says, 0 for
/// those that stay as they are.
static void retype(te::KernelOp kernel, BitsOf bitsOf) {
  auto change = [&](Value value) {
    if (unsigned bits = bitsOf(value))
      value.setType(withBits(value.getType(), bits));
  };
  kernel.getBody().walk([&](Operation *op) {
    for (Region &region : op->getRegions())
      for (BlockArgument argument : region.getArguments())
        change(argument);
    for (Value result : op->getResults())
      change(result);
    auto constant = dyn_cast<arith::ConstantOp>(op);
    if (!constant)
      return;
    if (auto number = dyn_cast<IntegerAttr>(constant.getValue());
        number && number.getType() != constant.getType())
      constant.setValueAttr(IntegerAttr::get(
          constant.getType(), number.getValue().sextOrTrunc(
                                  constant.getType().getIntOrFloatBitWidth())));
  });
  Block &body = kernel.getBody().front();
  for (BlockArgument argument : body.getArguments())
    change(argument);
  kernel.setFunctionType(
      FunctionType::get(kernel.getContext(), body.getArgumentTypes(),
                        body.getTerminator()->getOperandTypes()));
}

/// What the products of a kernel read as weights, back to its arguments.
static llvm::DenseSet<Value> findWeights(te::KernelOp kernel) {
  llvm::DenseSet<Value> weights;
  kernel.getBody().walk([&](linalg::GenericOp op) {
    auto isSmall = [](Value value) {
      Type element = getElementTypeOrSelf(value);
      return element.isSignlessInteger() &&
             element.getIntOrFloatBitWidth() <= 8;
    };
    if (op.getNumDpsInputs() != 2 || !llvm::all_of(op.getInputs(), isSmall))
      return;
    weights.insert(op.getRegionInputArgs()[1]);
    for (Value value = op.getInputs()[1]; value;) {
      weights.insert(value);
      Operation *view = value.getDefiningOp();
      value = view && view->getNumOperands() ? view->getOperand(0) : Value();
    }
  });
  return weights;
}

static void narrow(te::KernelOp kernel, const isa::Config &config) {
  llvm::DenseSet<Value> weights = findWeights(kernel);
  retype(kernel, [&](Value value) -> unsigned {
    if (!holdsBytes(value.getType()))
      return 0;
    return weights.contains(value) ? config.wgtBits() : config.inpBits();
  });
}

static void widen(te::KernelOp kernel) {
  retype(kernel, [](Value value) -> unsigned {
    return getBits(value.getType()) < 8 ? 8 : 0;
  });
}

/// The bytes of a tensor whose last axis is whole bytes, as the last axis; null
/// if it is not.
static RankedTensorType getBytesType(Type type, unsigned bits) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || tensor.getRank() == 0 || !tensor.hasStaticShape() ||
      tensor.getShape().back() * bits % 8 != 0)
    return {};
  SmallVector<int64_t> shape(tensor.getShape());
  shape.back() = shape.back() * bits / 8;
  return RankedTensorType::get(shape, IntegerType::get(type.getContext(), 8));
}

/// Whether a kernel does nothing but fill tensors and put whole last axes of
/// some into others.
static bool onlyMovesTiles(te::KernelOp kernel, unsigned bits) {
  Block &body = kernel.getBody().front();
  for (Type type : body.getArgumentTypes())
    if (!holdsBytes(type) || !getBytesType(type, bits))
      return false;
  return llvm::all_of(body, [](Operation &op) {
    if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
      auto from = insert.getSourceType(), to = insert.getDestType();
      return from.getRank() == to.getRank() &&
             from.getShape().back() == to.getShape().back() &&
             insert.getOffsets().empty() && insert.getSizes().empty() &&
             insert.getStrides().empty();
    }
    return mlir::isa<linalg::FillOp, linalg::CopyOp, arith::ConstantOp,
                     te::ReturnOp>(op);
  });
}

/// Lets such a kernel handle bytes that hold several elements each.
static void handleAsBytes(te::KernelOp kernel, unsigned bits) {
  Block &body = kernel.getBody().front();
  for (Operation &op : body) {
    if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
      SmallVector<int64_t> sizes(insert.getStaticSizes());
      sizes.back() = sizes.back() * bits / 8;
      insert.setStaticSizes(sizes);
    }
    for (Value result : op.getResults())
      if (RankedTensorType type = getBytesType(result.getType(), bits))
        result.setType(type);
    auto constant = dyn_cast<arith::ConstantOp>(op);
    auto number =
        constant ? dyn_cast<IntegerAttr>(constant.getValue()) : IntegerAttr();
    if (!number)
      continue;
    APInt element = number.getValue().trunc(bits);
    constant.setValueAttr(
        IntegerAttr::get(number.getType(), APInt::getSplat(8, element)));
  }
  for (BlockArgument argument : body.getArguments())
    argument.setType(getBytesType(argument.getType(), bits));
  kernel.setFunctionType(
      FunctionType::get(kernel.getContext(), body.getArgumentTypes(),
                        body.getTerminator()->getOperandTypes()));
}

//===----------------------------------------------------------------------===//
// What passes between kernels
//===----------------------------------------------------------------------===//

namespace {

class Boundaries {
public:
  Boundaries(ModuleOp module, SymbolTable &symbols, const isa::Config &config)
      : symbols(symbols), config(config), b(module.getLoc(), module) {}

  void convert(Block &block) {
    for (Operation &op : llvm::make_early_inc_range(block)) {
      b.setInsertionPoint(&op);
      b.setLoc(op.getLoc());
      if (auto launch = dyn_cast<te::LaunchOp>(op))
        convert(launch);
      else if (mlir::isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp,
                         tensor::ExtractSliceOp>(op))
        follow(&op);
      else if (auto bitcast = dyn_cast<te::BitcastOp>(op))
        keepBits(bitcast);
      else if (auto terminator = dyn_cast<func::ReturnOp>(op))
        for (OpOperand &operand : terminator->getOpOperands())
          operand.set(getWide(operand.get()));
    }
  }

private:
  te::KernelOp getKernel(te::LaunchOp launch) {
    return symbols.lookup<te::KernelOp>(launch.getKernel());
  }

  /// A view has the elements of what it is a view of.
  static void follow(Operation *view) {
    Type element = getElementTypeOrSelf(view->getOperand(0));
    Value result = view->getResult(0);
    result.setType(cast<RankedTensorType>(result.getType()).clone(element));
  }

  /// What the memory of narrow elements is a view of stays narrow.
  void keepBits(te::BitcastOp bitcast) {
    auto from = cast<RankedTensorType>(bitcast.getSource().getType()),
         to = cast<RankedTensorType>(bitcast.getType());
    unsigned bits = to.getNumElements() * to.getElementTypeBitWidth() /
                    from.getNumElements();
    if (bits < from.getElementTypeBitWidth())
      bitcast.getSourceMutable().assign(getNarrow(bitcast.getSource(), bits));
  }

  void convert(te::LaunchOp launch) {
    te::KernelOp kernel = getKernel(launch);
    if (!kernel)
      return;
    if (kernel.isOnHost()) {
      for (Value operand : launch.getInputs())
        if (unsigned bits = getBits(operand.getType());
            bits < 8 && onlyMovesTiles(kernel, bits))
          return moveBytes(launch, bits);
    }
    for (auto [operand, type] :
         llvm::zip(launch->getOpOperands(), kernel.getArgumentTypes()))
      if (operand.get().getType() != type)
        operand.set(convert(operand.get(), type));
    for (auto [result, type] :
         llvm::zip(launch.getResults(), kernel.getResultTypes()))
      result.setType(type);
  }

  Value convert(Value value, Type type) {
    return getBits(type) < 8 ? getNarrow(value, getBits(type)) : getWide(value);
  }

  /// Gives a launch of a kernel that only moves tiles their bytes.
  void moveBytes(te::LaunchOp launch, unsigned bits) {
    te::KernelOp kernel = getKernel(launch);
    b.setInsertionPoint(launch);
    b.setLoc(launch.getLoc());
    handleAsBytes(kernel, bits);
    for (auto [operand, type] :
         llvm::zip(launch->getOpOperands(), kernel.getArgumentTypes()))
      operand.set(bitcast(getNarrow(operand.get(), bits), type));
    b.setInsertionPointAfter(launch);
    for (auto [result, type] :
         llvm::zip(launch.getResults(), kernel.getResultTypes())) {
      Type narrow = withBits(result.getType(), bits);
      result.setType(type);
      Value elements = bitcast(result, narrow);
      result.replaceAllUsesExcept(elements, elements.getDefiningOp());
    }
  }

  Value bitcast(Value value, Type type) {
    return b.createOrFold<te::BitcastOp>(type, value);
  }

  /// `value` with elements of `bits` bits, without gaps.
  Value getNarrow(Value value, unsigned bits) {
    if (getBits(value.getType()) == bits)
      return value;
    Operation *op = value.getDefiningOp();
    Type type = withBits(value.getType(), bits);
    if (mlir::isa_and_present<tensor::EmptyOp>(op))
      return tensor::EmptyOp::create(
          b, cast<RankedTensorType>(type).getShape(),
          cast<RankedTensorType>(type).getElementType());
    if (auto constant = dyn_cast_if_present<graph::ConstantOp>(op))
      return retypeConstant(constant, type);
    // What is filled for one kernel.
    if (auto launch = dyn_cast_if_present<te::LaunchOp>(op);
        launch && launch.getInputs().empty() && value.hasOneUse() &&
        launch->getNumResults() == 1) {
      te::KernelOp kernel = getKernel(launch);
      if (kernel && kernel.isOnHost() && onlyMovesTiles(kernel, bits)) {
        OpBuilder::InsertionGuard guard(b);
        OpOperand &use = *value.use_begin();
        moveBytes(launch, bits);
        return use.get();
      }
    }
    Value &known = narrowed[value];
    if (known)
      return known;
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointAfterValue(value);
    int64_t perByte = 8 / bits,
            bytes = cast<RankedTensorType>(type).getNumElements() / perByte;
    Value elements =
        bitcast(value, RankedTensorType::get({bytes, perByte}, b.getI8Type()));
    Value joined = launchConversion("join", elements,
                                    RankedTensorType::get(bytes, b.getI8Type()),
                                    bits, &Boundaries::joinElements);
    return known = bitcast(joined, type);
  }

  /// `value` with a byte for each element.
  Value getWide(Value value) {
    unsigned bits = getBits(value.getType());
    if (bits == 8)
      return value;
    Operation *op = value.getDefiningOp();
    Type type = withBits(value.getType(), 8);
    if (mlir::isa_and_present<tensor::EmptyOp>(op))
      return tensor::EmptyOp::create(b, cast<RankedTensorType>(type).getShape(),
                                     b.getI8Type());
    if (auto constant = dyn_cast_if_present<graph::ConstantOp>(op))
      return retypeConstant(constant, type);
    Value &known = widened[value];
    if (known)
      return known;
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointAfterValue(value);
    if (auto slice = dyn_cast_if_present<tensor::ExtractSliceOp>(op)) {
      IRMapping mapping;
      mapping.map(slice.getSource(), getWide(slice.getSource()));
      Operation *copy = b.clone(*op, mapping);
      copy->getResult(0).setType(type);
      return widened[value] = copy->getResult(0);
    }
    int64_t perByte = 8 / bits,
            bytes = cast<RankedTensorType>(type).getNumElements() / perByte;
    Value joined = bitcast(value, RankedTensorType::get(bytes, b.getI8Type()));
    Value elements =
        launchConversion("spread", joined,
                         RankedTensorType::get({bytes, perByte}, b.getI8Type()),
                         bits, &Boundaries::spreadElements);
    return widened[value] = bitcast(elements, type);
  }

  Value retypeConstant(graph::ConstantOp constant, Type type) {
    std::optional<graph::ConstantBytes> bytes =
        graph::ConstantBytes::read(constant.getResult());
    assert(bytes && "elements of a byte or less");
    return graph::ConstantOp::create(
        b, constant.getLoc(), type,
        graph::makeElements(cast<ShapedType>(type),
                            [&](MutableArrayRef<char> data) {
                              for (auto [index, byte] : llvm::enumerate(data))
                                byte = (*bytes)[index];
                            }));
  }

  using Body = Value (Boundaries::*)(ImplicitLocOpBuilder &, Value, Value,
                                     unsigned);

  /// Runs a kernel of the host that makes a tensor of `type` of another.
  Value launchConversion(StringRef name, Value input, RankedTensorType type,
                         unsigned bits, Body body) {
    StringAttr layer, label;
    ArrayAttr layers;
    if (auto launch = findLaunch(input)) {
      label = launch.getLabelAttr();
      layers = getKernel(launch).getLayersAttr();
    }
    std::string what =
        ((label ? label.getValue() : "input") + ":" + name).str();
    std::string symbol;
    for (char c : what)
      symbol += llvm::isAlnum(c) || c == '.' ? c : '_';
    ImplicitLocOpBuilder outside(b.getLoc(), b);
    outside.setInsertionPoint(b.getInsertionBlock()->getParentOp());
    auto kernel = te::KernelOp::create(
        outside, outside.getStringAttr(symbol),
        TypeAttr::get(
            outside.getFunctionType({input.getType(), type}, Type(type))),
        te::HostAttr::get(b.getContext()), /*schedule=*/Attribute(), layers,
        /*arg_attrs=*/ArrayAttr(), /*res_attrs=*/ArrayAttr());
    kernel->setAttr(graph::GraphDialect::kReason,
                    b.getStringAttr("converts the layout of a tensor"));
    StringAttr unique = symbols.insert(kernel);
    Block *block = outside.createBlock(&kernel.getBody());
    Value from = block->addArgument(input.getType(), b.getLoc()),
          to = block->addArgument(type, b.getLoc());
    te::ReturnOp::create(outside, (this->*body)(outside, from, to, bits));
    Value init =
        tensor::EmptyOp::create(b, type.getShape(), type.getElementType());
    return te::LaunchOp::create(b, TypeRange(type),
                                FlatSymbolRefAttr::get(unique), input, init,
                                b.getStringAttr(what))
        .getResult(0);
  }

  /// The launch that computes a value, through views.
  static te::LaunchOp findLaunch(Value value) {
    while (Operation *op = value.getDefiningOp()) {
      if (auto launch = dyn_cast<te::LaunchOp>(op))
        return launch;
      if (!mlir::isa<te::BitcastOp, tensor::ExpandShapeOp,
                     tensor::CollapseShapeOp>(op))
        break;
      value = op->getOperand(0);
    }
    return {};
  }

  /// (bytes, elements of a byte) to (bytes).
  Value joinElements(ImplicitLocOpBuilder &inner, Value from, Value to,
                     unsigned bits) {
    unsigned perByte = 8 / bits;
    SmallVector<Value> inputs(perByte, from);
    SmallVector<AffineMap> maps;
    for (unsigned i = 0; i < perByte; ++i)
      maps.push_back(AffineMap::get(
          1, 0, {inner.getAffineDimExpr(0), inner.getAffineConstantExpr(i)},
          inner.getContext()));
    maps.push_back(inner.getMultiDimIdentityMap(1));
    return linalg::GenericOp::create(
               inner, TypeRange(to.getType()), inputs, ValueRange(to), maps,
               ArrayRef(utils::IteratorType::parallel),
               [&](OpBuilder &nested, Location loc, ValueRange x) {
                 ImplicitLocOpBuilder n(loc, nested);
                 Value byte;
                 for (unsigned i = 0; i < perByte; ++i) {
                   Value part = arith::AndIOp::create(
                       n, x[i], number(n, (1 << bits) - 1));
                   if (i > 0)
                     part = arith::ShLIOp::create(n, part, number(n, i * bits));
                   byte = byte ? arith::OrIOp::create(n, byte, part).getResult()
                               : part;
                 }
                 linalg::YieldOp::create(n, byte);
               })
        .getResult(0);
  }

  /// (bytes) to (bytes, elements of a byte).
  Value spreadElements(ImplicitLocOpBuilder &inner, Value from, Value to,
                       unsigned bits) {
    AffineMap rows =
        AffineMap::get(2, 0, {inner.getAffineDimExpr(0)}, inner.getContext());
    return linalg::GenericOp::create(
               inner, TypeRange(to.getType()), ValueRange(from), ValueRange(to),
               ArrayRef<AffineMap>{rows, inner.getMultiDimIdentityMap(2)},
               SmallVector<utils::IteratorType>(2,
                                                utils::IteratorType::parallel),
               [&](OpBuilder &nested, Location loc, ValueRange x) {
                 ImplicitLocOpBuilder n(loc, nested);
                 Value place = arith::IndexCastOp::create(
                     n, n.getI8Type(), linalg::IndexOp::create(n, 1));
                 // The element comes to the highest bits, and back with its
                 // sign.
                 Value left = arith::SubIOp::create(
                     n, number(n, 8 - bits),
                     arith::MulIOp::create(n, place, number(n, bits)));
                 Value high = arith::ShLIOp::create(n, x[0], left);
                 linalg::YieldOp::create(
                     n, arith::ShRSIOp::create(n, high, number(n, 8 - bits))
                            .getResult());
               })
        .getResult(0);
  }

  static Value number(ImplicitLocOpBuilder &b, int64_t value) {
    return arith::ConstantOp::create(b, b.getI8IntegerAttr(int8_t(value)));
  }

  SymbolTable &symbols;
  isa::Config config;
  ImplicitLocOpBuilder b;
  DenseMap<Value, Value> narrowed, widened;
};

struct NarrowElements : vta::impl::VTANarrowElementsBase<NarrowElements> {
  void runOnOperation() override {
    isa::Config config;
    bool isNarrow = false;
    for (auto kernel : getOperation().getOps<te::KernelOp>()) {
      if (kernel.getBody().empty())
        continue;
      if (kernel.isOnHost()) {
        if (llvm::any_of(kernel.getArgumentTypes(),
                         [](Type type) { return getBits(type) < 8; })) {
          widen(kernel);
          isNarrow = true;
        }
        continue;
      }
      auto accelerator = dyn_cast<ConfigAttr>(kernel.getTarget());
      if (!accelerator || accelerator.getConfig().inpBits() == 8)
        continue;
      config = accelerator.getConfig();
      narrow(kernel, config);
      isNarrow = true;
    }
    if (!isNarrow)
      return;
    SymbolTable symbols(getOperation());
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && function.getBody().hasOneBlock())
        Boundaries(getOperation(), symbols, config)
            .convert(function.getBody().front());
  }
};

} // namespace
