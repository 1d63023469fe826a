//===- Arrays.cpp - Between numpy arrays and elements attributes ----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// numpy is driven through Python: what matters is that bytes are never copied,
// not the microseconds of a call.
//
//===----------------------------------------------------------------------===//

#include "Arrays.h"

#include "dialects/Graph/Inference.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace acc::python;

/// What libacc and vector code want weights to be aligned to.
static constexpr size_t blobAlignment = 64;

static nb::module_ numpy() { return nb::module_::import_("numpy"); }

/// Bits of an element in memory: i1 takes a byte, as in numpy.
static unsigned storageBits(mlir::Type type) {
  if (auto quantized = dyn_cast<mlir::quant::QuantizedType>(type))
    return storageBits(quantized.getStorageType());
  if (mlir::isa<mlir::IndexType>(type))
    return 64;
  if (auto complex = dyn_cast<mlir::ComplexType>(type))
    return 2 * storageBits(complex.getElementType());
  return type.isIntOrFloat() ? llvm::alignTo<8>(type.getIntOrFloatBitWidth())
                             : 0;
}

/// Floats of at most a byte, which take a byte each.
static llvm::SmallVector<mlir::Type> narrowFloats(mlir::MLIRContext *ctx) {
  return {mlir::Float8E4M3FNType::get(ctx),  mlir::Float8E4M3FNUZType::get(ctx),
          mlir::Float8E5M2Type::get(ctx),    mlir::Float8E5M2FNUZType::get(ctx),
          mlir::Float8E8M0FNUType::get(ctx), mlir::Float6E2M3FNType::get(ctx),
          mlir::Float6E3M2FNType::get(ctx),  mlir::Float4E2M1FNType::get(ctx)};
}

/// ml_dtypes' name of such a type: f8E4M3FN is float8_e4m3fn.
static std::string narrowFloatName(mlir::Type type) {
  std::string name = llvm::StringRef(toString(type)).lower();
  return "float" + name.substr(1, 1) + "_" + name.substr(2);
}

static mlir::Type elementType(mlir::MLIRContext *ctx, llvm::StringRef dtype) {
  using Semantics = mlir::IntegerType::SignednessSemantics;
  unsigned width;
  // What numpy has from ml_dtypes.
  for (mlir::Type type : narrowFloats(ctx))
    if (dtype == narrowFloatName(type))
      return type;
  if (dtype == "bool")
    return mlir::IntegerType::get(ctx, 1);
  if (dtype == "float32")
    return mlir::Float32Type::get(ctx);
  if (dtype == "float64")
    return mlir::Float64Type::get(ctx);
  if (dtype == "float16")
    return mlir::Float16Type::get(ctx);
  if (dtype == "bfloat16")
    return mlir::BFloat16Type::get(ctx);
  if (dtype.consume_front("uint") && !dtype.getAsInteger(10, width))
    return mlir::IntegerType::get(ctx, width, Semantics::Unsigned);
  if (dtype.consume_front("int") && !dtype.getAsInteger(10, width))
    return mlir::IntegerType::get(ctx, width);
  throw nb::type_error(
      ("no element type for a numpy array of " + dtype.str()).c_str());
}

/// The numpy dtype of elements in memory.
static nb::object dtypeOf(mlir::Type type) {
  if (auto quantized = dyn_cast<mlir::quant::QuantizedType>(type))
    type = acc::graph::getStorageInteger(quantized);
  if (type.isInteger(1))
    return numpy().attr("dtype")("bool");
  if (type.isBF16())
    return nb::module_::import_("ml_dtypes").attr("bfloat16");
  if (mlir::isa<mlir::IndexType>(type))
    return numpy().attr("dtype")("int64");
  if (type.isF16() || type.isF32() || type.isF64())
    return numpy().attr("dtype")("float" +
                                 std::to_string(type.getIntOrFloatBitWidth()));
  if (mlir::isa<mlir::FloatType>(type) && type.getIntOrFloatBitWidth() <= 8)
    return numpy().attr("dtype")(
        nb::module_::import_("ml_dtypes").attr(narrowFloatName(type).c_str()));
  if (auto integer = dyn_cast<mlir::IntegerType>(type)) {
    std::string name = (integer.isUnsigned() ? "uint" : "int") +
                       std::to_string(integer.getWidth());
    if (llvm::is_contained({8u, 16u, 32u, 64u}, integer.getWidth()))
      return numpy().attr("dtype")(name);
    if (llvm::is_contained({2u, 4u}, integer.getWidth()))
      return numpy().attr("dtype")(
          nb::module_::import_("ml_dtypes").attr(name.c_str()));
  }
  throw nb::type_error(
      ("numpy has no element type for " + toString(type)).c_str());
}

namespace {
/// Memory of a context, in the form that numpy takes without a copy.
struct Bytes {
  ContextRef context;
  llvm::ArrayRef<char> bytes;
};

/// A C-contiguous array and its bytes.
struct ArrayBytes {
  ArrayBytes(const ContextRef &context, nb::object given, mlir::Type type) {
    array = numpy().attr("ascontiguousarray")(given);
    // ascontiguousarray turns scalars into vectors.
    array = array.attr("reshape")(numpy().attr("shape")(given));
    std::string dtype = nb::cast<std::string>(array.attr("dtype").attr("name"));
    std::vector<int64_t> sizes =
        nb::cast<std::vector<int64_t>>(array.attr("shape"));
    mlir::Type element = elementType(context->get(), dtype);
    this->type = mlir::RankedTensorType::get(sizes, element);
    if (type)
      use(type, dtype);
    itemSize = nb::cast<size_t>(array.attr("itemsize"));
    size_t size = nb::cast<size_t>(array.attr("nbytes"));
    auto address = nb::cast<uintptr_t>(array.attr("ctypes").attr("data"));
    bytes = {reinterpret_cast<const char *>(address), size};
  }

  /// Takes the given type, or the array's shape with the given element type.
  void use(mlir::Type given, const std::string &dtype) {
    auto shaped = dyn_cast<mlir::ShapedType>(given);
    if (!shaped)
      shaped = type.clone(given);
    if (shaped.getShape() != type.getShape())
      throw nb::value_error(("an array of shape " +
                             pythonText(nb::object(array.attr("shape"))) +
                             " cannot be a " + toString(given))
                                .c_str());
    if (storageBits(shaped.getElementType()) !=
            storageBits(type.getElementType()) ||
        shaped.getElementType().isInteger(1) !=
            type.getElementType().isInteger(1))
      throw nb::value_error(("an array of " + dtype + " cannot hold " +
                             toString(shaped.getElementType()))
                                .c_str());
    type = shaped;
  }

  nb::object array;
  mlir::ShapedType type;
  size_t itemSize;
  llvm::ArrayRef<char> bytes;
};
} // namespace

mlir::DenseElementsAttr acc::python::denseFromNumpy(const ContextRef &context,
                                                    nb::object given,
                                                    mlir::Type type) {
  ArrayBytes array(context, given, type);
  llvm::ArrayRef<char> bytes = array.bytes;
  // DenseElementsAttr stores the integers of a quantized constant.
  mlir::ShapedType stored = array.type;
  if (auto quantized =
          dyn_cast<mlir::quant::QuantizedType>(stored.getElementType()))
    stored = stored.clone(quantized.getStorageType());
  if (stored.getElementType().isInteger(1)) {
    llvm::SmallVector<bool> values;
    for (char byte : bytes)
      values.push_back(byte != 0);
    if (!values.empty() && llvm::all_equal(values))
      values.resize(1);
    return mlir::DenseElementsAttr::get(stored, values);
  }
  bool splat = bytes.size() > array.itemSize &&
               !std::memcmp(bytes.data(), bytes.data() + array.itemSize,
                            bytes.size() - array.itemSize);
  if (splat)
    bytes = bytes.take_front(array.itemSize);
  bool detected = false;
  if (!mlir::DenseElementsAttr::isValidRawBuffer(stored, bytes, detected))
    throw nb::value_error(
        ("the array does not fit " + toString(stored)).c_str());
  return mlir::DenseElementsAttr::getFromRawBuffer(stored, bytes);
}

mlir::DenseResourceElementsAttr
acc::python::resourceFromNumpy(const ContextRef &context, nb::object given,
                               const std::string &name, mlir::Type type) {
  ArrayBytes array(context, given, type);
  mlir::AsmResourceBlob blob;
  if (reinterpret_cast<uintptr_t>(array.bytes.data()) % blobAlignment == 0) {
    PyObject *owner = array.array.release().ptr();
    blob = mlir::AsmResourceBlob(
        array.bytes, blobAlignment,
        [owner](void *, size_t, size_t) {
          if (!Py_IsInitialized())
            return;
          nb::gil_scoped_acquire acquire;
          Py_DECREF(owner);
        },
        /*dataIsMutable=*/false);
  } else {
    blob = mlir::HeapAsmResourceBlob::allocateAndCopyWithAlign(
        array.bytes, blobAlignment, /*dataIsMutable=*/false);
  }
  return mlir::DenseResourceElementsAttr::get(array.type, name,
                                              std::move(blob));
}

mlir::Attribute acc::python::numpyToAttribute(const ContextRef &context,
                                              nb::handle value) {
  nb::module_ np = numpy();
  if (nb::isinstance(value, np.attr("ndarray")))
    return denseFromNumpy(context, nb::borrow(value), {});
  if (!nb::isinstance(value, np.attr("generic")))
    return {};
  mlir::Type type = elementType(
      context->get(), nb::cast<std::string>(value.attr("dtype").attr("name")));
  if (mlir::isa<mlir::FloatType>(type))
    return mlir::FloatAttr::get(type,
                                nb::cast<double>(value.attr("__float__")()));
  if (type.isInteger(1))
    return mlir::BoolAttr::get(context->get(),
                               nb::cast<bool>(value.attr("__bool__")()));
  unsigned width = type.getIntOrFloatBitWidth();
  nb::object masked =
      value.attr("__int__")().attr("__and__")(nb::cast(UINT64_MAX));
  return mlir::IntegerAttr::get(
      type, llvm::APInt(width, nb::cast<uint64_t>(masked), /*isSigned=*/false,
                        /*implicitTrunc=*/true));
}

nb::object acc::python::toNumpy(const ContextRef &context,
                                mlir::ElementsAttr attr) {
  auto type = mlir::cast<mlir::ShapedType>(attr.getType());
  nb::module_ np = numpy();
  nb::object dtype = dtypeOf(type.getElementType());
  nb::list sizes;
  for (int64_t size : type.getShape())
    sizes.append(size);
  nb::tuple shape(sizes);

  auto dense = dyn_cast<mlir::DenseElementsAttr>(attr);
  if (dense && type.getElementType().isInteger(1)) {
    std::string values;
    if (dense.isSplat()) {
      values.assign(1, dense.getSplatValue<bool>() ? 1 : 0);
    } else {
      for (bool value : dense.getValues<bool>())
        values.push_back(value ? 1 : 0);
    }
    nb::object flat =
        np.attr("frombuffer")(nb::bytes(values.data(), values.size()), dtype);
    return dense.isSplat() ? np.attr("broadcast_to")(
                                 flat.attr("reshape")(nb::tuple()), shape)
                           : flat.attr("reshape")(shape);
  }

  llvm::ArrayRef<char> bytes;
  bool splat = false;
  if (dense) {
    bytes = dense.getRawData();
    splat = dense.isSplat();
  } else {
    mlir::AsmResourceBlob *blob =
        mlir::cast<mlir::DenseResourceElementsAttr>(attr)
            .getRawHandle()
            .getBlob();
    if (!blob)
      throw nb::value_error("the resource of the attribute has no data: the IR "
                            "was printed without its resources");
    bytes = blob->getData();
    size_t expected =
        type.getNumElements() * storageBits(type.getElementType()) / 8;
    if (bytes.size() != expected)
      throw nb::value_error(
          ("the resource has " + std::to_string(bytes.size()) + " bytes, " +
           toString(type) + " needs " + std::to_string(expected))
              .c_str());
  }
  if (bytes.empty())
    return np.attr("zeros")(shape, dtype);
  // The array's base is an object that keeps the context alive.
  nb::object flat =
      np.attr("asarray")(nb::cast(Bytes{context, bytes})).attr("view")(dtype);
  return splat
             ? np.attr("broadcast_to")(flat.attr("reshape")(nb::tuple()), shape)
             : flat.attr("reshape")(shape);
}

void acc::python::bindArrays(nb::module_ &m) {
  nb::class_<Bytes>(m, "_Bytes")
      .def_prop_ro("__array_interface__", [](Bytes &self) {
        nb::dict interface;
        interface["version"] = 3;
        interface["typestr"] = "|u1";
        interface["shape"] = nb::make_tuple(self.bytes.size());
        interface["data"] = nb::make_tuple(
            reinterpret_cast<uintptr_t>(self.bytes.data()), true);
        return interface;
      });
}
