//===- Attributes.cpp - The attributes of acc's dialects, by name ---------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A table of all attribute classes, generated from their definitions: per class
// its accessors, from whose types follows how parameters cross the interface.
//
//===----------------------------------------------------------------------===//

#include "capi/Acc.h"

#include "DialectHeaders.inc"
#include "passes/Registration.h"

#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Support.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Diagnostics.h"

#include <deque>
#include <functional>
#include <utility>

using namespace mlir;

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

namespace {

/// How a parameter of type T crosses the interface: `kind`, `write` from the
/// attribute to the interface, `read` back. Both keep what they borrow in the
/// arguments behind the value.
template <typename T, typename = void> struct Crossing;

template <typename T>
struct Crossing<T,
                std::enable_if_t<std::is_integral_v<T> || std::is_enum_v<T>>> {
  static constexpr AccParameterKind kind = AccParameterInteger;
  static void write(T value, AccParameter &to) { to.integer = int64_t(value); }
  static T read(const AccParameter &from) { return T(from.integer); }
};

template <> struct Crossing<StringRef> {
  [[maybe_unused]] static constexpr AccParameterKind kind = AccParameterString;
  static void write(StringRef value, AccParameter &to) {
    to.string = wrap(value);
  }
  static StringRef read(const AccParameter &from) {
    return unwrap(from.string);
  }
};

template <typename T>
struct Crossing<T, std::enable_if_t<std::is_base_of_v<Attribute, T>>> {
  static constexpr AccParameterKind kind = AccParameterAttribute;
  static void write(T value, AccParameter &to) {
    to.attribute = wrap(Attribute(value));
  }
  static T read(const AccParameter &from) {
    return dyn_cast_or_null<T>(unwrap(from.attribute));
  }
};

template <typename T>
struct Crossing<T, std::enable_if_t<std::is_base_of_v<Type, T>>> {
  static constexpr AccParameterKind kind = AccParameterType;
  static void write(T value, AccParameter &to) { to.type = wrap(Type(value)); }
  static T read(const AccParameter &from) {
    return dyn_cast_or_null<T>(unwrap(from.type));
  }
};

template <> struct Crossing<AffineMap> {
  [[maybe_unused]] static constexpr AccParameterKind kind =
      AccParameterAttribute;
  static void write(AffineMap value, AccParameter &to) {
    to.attribute = wrap(Attribute(AffineMapAttr::get(value)));
  }
  static AffineMap read(const AccParameter &from) {
    auto attr = dyn_cast_or_null<AffineMapAttr>(unwrap(from.attribute));
    return attr ? attr.getValue() : AffineMap();
  }
};

constexpr AccParameterKind plural(AccParameterKind kind) {
  return kind == AccParameterInteger  ? AccParameterIntegers
         : kind == AccParameterString ? AccParameterStrings
                                      : AccParameterAttributes;
}

/// Keeps arrays alive that a parameter borrows.
class Storage {
public:
  template <typename T> SmallVector<T> &array() {
    auto made = std::make_shared<SmallVector<T>>();
    kept.push_back(made);
    return *made;
  }

private:
  SmallVector<std::shared_ptr<void>> kept;
};

template <typename T> struct Crossing<ArrayRef<T>> {
  using Element = Crossing<T>;
  static constexpr AccParameterKind kind = plural(Element::kind);
  static_assert(Element::kind != AccParameterType,
                "arrays of types do not cross the C interface yet");

  static void write(ArrayRef<T> values, AccParameter &to, Storage &storage) {
    to.size = values.size();
    if constexpr (kind == AccParameterIntegers) {
      auto &array = storage.array<int64_t>();
      for (T value : values)
        array.push_back(int64_t(value));
      to.integers = array.data();
    } else if constexpr (kind == AccParameterStrings) {
      auto &array = storage.array<MlirStringRef>();
      for (T value : values)
        array.push_back(wrap(value));
      to.strings = array.data();
    } else {
      auto &array = storage.array<MlirAttribute>();
      for (T value : values)
        array.push_back(wrap(Attribute(value)));
      to.attributes = array.data();
    }
  }

  static ArrayRef<T> read(const AccParameter &from, Storage &storage) {
    auto &array = storage.array<T>();
    for (intptr_t i = 0; i < from.size; ++i) {
      AccParameter element{};
      if constexpr (kind == AccParameterIntegers)
        element.integer = from.integers[i];
      else if constexpr (kind == AccParameterStrings)
        element.string = from.strings[i];
      else
        element.attribute = from.attributes[i];
      array.push_back(Element::read(element));
    }
    return array;
  }
};

template <typename T>
void write(const T &value, AccParameter &to, Storage &storage) {
  to.kind = Crossing<T>::kind;
  if constexpr (requires { Crossing<T>::write(value, to, storage); })
    Crossing<T>::write(value, to, storage);
  else
    Crossing<T>::write(value, to);
  // Optional parameters are null when absent.
  if ((to.kind == AccParameterAttribute && !to.attribute.ptr) ||
      (to.kind == AccParameterType && !to.type.ptr))
    to.kind = AccParameterNone;
}

template <typename T> T read(const AccParameter &from, Storage &storage) {
  if constexpr (requires { Crossing<T>::read(from, storage); })
    return Crossing<T>::read(from, storage);
  else
    return Crossing<T>::read(from);
}

//===----------------------------------------------------------------------===//
// Classes
//===----------------------------------------------------------------------===//

struct Name {
  StringRef name;
  bool optional;
};

struct Parameter {
  Name name;
  AccParameterKind kind;
  void (*write)(Attribute, AccParameter &, Storage &);
  /// Whether an attribute or type is of the class that the parameter has.
  bool (*accepts)(const AccParameter &);
};

struct AttributeClass {
  StringRef name;
  TypeID id;
  SmallVector<Parameter> parameters;
  Attribute (*make)(MLIRContext *, function_ref<InFlightDiagnostic()>,
                    const AccParameter *, Storage &);
};

/// Whether integers fit the type of the parameter.
template <typename T> bool fits(const AccParameter &given) {
  if constexpr (std::is_same_v<T, bool>)
    return given.integer == 0 || given.integer == 1;
  else if constexpr (std::is_integral_v<T>)
    return std::in_range<T>(given.integer);
  return true;
}
template <> bool fits<ArrayRef<int32_t>>(const AccParameter &given) {
  return llvm::all_of(ArrayRef(given.integers, given.size),
                      [](int64_t value) { return llvm::isInt<32>(value); });
}

template <typename T> bool accepts(const AccParameter &given) {
  if (given.kind != Crossing<T>::kind)
    return false;
  if constexpr (std::is_base_of_v<Attribute, T>)
    return isa<T>(unwrap(given.attribute));
  else if constexpr (std::is_base_of_v<Type, T>)
    return isa<T>(unwrap(given.type));
  else if constexpr (std::is_same_v<AffineMap, T>)
    return isa<AffineMapAttr>(unwrap(given.attribute));
  else
    return fits<T>(given);
}

/// Describes the class Attr, whose parameters the accessors return; `verified`
/// if it has a verifier.
template <typename Attr, bool verified, auto... accessors>
AttributeClass describe(std::initializer_list<Name> names) {
  AttributeClass result;
  result.name = Attr::name;
  result.id = TypeID::get<Attr>();
  auto name = names.begin();
  (result.parameters.push_back(
       {*name++,
        Crossing<std::invoke_result_t<decltype(accessors), Attr>>::kind,
        [](Attribute attr, AccParameter &to, Storage &storage) {
          write(std::invoke(accessors, cast<Attr>(attr)), to, storage);
        },
        &accepts<std::invoke_result_t<decltype(accessors), Attr>>}),
   ...);
  result.make = [](MLIRContext *context,
                   function_ref<InFlightDiagnostic()> emitError,
                   const AccParameter *given, Storage &storage) -> Attribute {
    // Braces evaluate in order.
    std::tuple<std::invoke_result_t<decltype(accessors), Attr>...> values{
        read<std::invoke_result_t<decltype(accessors), Attr>>(*given++,
                                                              storage)...};
    return std::apply(
        [&](const auto &...value) {
          if constexpr (verified)
            return Attr::getChecked(emitError, context, value...);
          else
            return Attr::get(context, value...);
        },
        values);
  };
  return result;
}

/// Describes a class whose parameters Python reads by key from the text.
template <typename Attr> AttributeClass describeKeyed() {
  AttributeClass result;
  result.name = Attr::name;
  result.id = TypeID::get<Attr>();
  result.make = nullptr;
  return result;
}

} // namespace

static const llvm::StringMap<AttributeClass> &attributeClasses() {
  static const llvm::StringMap<AttributeClass> all = [] {
    llvm::StringMap<AttributeClass> made;
    for (AttributeClass &described : std::deque<AttributeClass>{
#include "DialectAttributes.inc"
         })
      made[described.name] = described;
    return made;
  }();
  return all;
}

static const AttributeClass &unwrap(AccAttributeClass wrapped) {
  return *static_cast<const AttributeClass *>(wrapped.ptr);
}

//===----------------------------------------------------------------------===//
// Interface
//===----------------------------------------------------------------------===//

void accRegisterEverything(MlirDialectRegistry registry) {
  acc::registerEverything(*unwrap(registry));
}

AccAttributeClass accAttributeClassFind(MlirStringRef name) {
  auto it = attributeClasses().find(unwrap(name));
  return {it == attributeClasses().end() ? nullptr : &it->second};
}

MlirTypeID accAttributeClassGetTypeID(AccAttributeClass attributeClass) {
  return wrap(unwrap(attributeClass).id);
}

intptr_t accAttributeClassGetNumParameters(AccAttributeClass attributeClass) {
  return unwrap(attributeClass).parameters.size();
}

AccParameterKind
accAttributeClassGetParameterKind(AccAttributeClass attributeClass,
                                  intptr_t index) {
  return unwrap(attributeClass).parameters[index].kind;
}

MlirAttribute accAttributeGet(AccAttributeClass attributeClass,
                              MlirContext context,
                              const AccParameter *parameters) {
  const AttributeClass &described = unwrap(attributeClass);
  MLIRContext *ctx = unwrap(context);
  auto emit = [&] { return emitError(UnknownLoc::get(ctx)); };
  for (auto [parameter, given] :
       llvm::zip_first(described.parameters,
                       ArrayRef(parameters, described.parameters.size()))) {
    if (given.kind == AccParameterNone) {
      if (parameter.name.optional)
        continue;
      emit() << "`" << parameter.name.name << "` is missing";
      return {nullptr};
    }
    if (!parameter.accepts(given)) {
      emit() << "wrong kind of value for `" << parameter.name.name << "`";
      return {nullptr};
    }
  }
  if (!described.make) {
    emit() << "#" << described.name << " is made from its text";
    return {nullptr};
  }
  Storage storage;
  return wrap(described.make(ctx, emit, parameters, storage));
}

void accAttributeGetParameter(AccAttributeClass attributeClass,
                              MlirAttribute attribute, intptr_t index,
                              void (*callback)(AccParameter, void *),
                              void *userData) {
  AccParameter value{};
  Storage storage;
  unwrap(attributeClass)
      .parameters[index]
      .write(unwrap(attribute), value, storage);
  callback(value, userData);
}
