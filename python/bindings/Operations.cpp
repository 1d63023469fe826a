//===- Operations.cpp - Operations, modules and their text ----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"
#include "IO.h"

#include "dialects/Graph/ChannelMoves.h"
#include "dialects/Graph/ElementBits.h"
#include "dialects/Graph/GraphDialect.h"

#include <nanobind/stl/pair.h>

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"

using namespace acc::python;

namespace {

/// `op.attributes`, a view like a dict.
struct AttributeMap {
  OpRef op;
};

/// What Operation.create was given.
struct Creation {
  std::string name;
  std::optional<std::vector<acc::python::Type>> results;
  std::optional<std::vector<Value>> operands;
  std::optional<nb::dict> attributes;
  size_t regions;
  nb::object loc, ip, context;
  bool infer;
};

} // namespace

//===----------------------------------------------------------------------===//
// Creation
//===----------------------------------------------------------------------===//

static ContextRef contextOf(const Creation &request) {
  if (request.operands && !request.operands->empty())
    return request.operands->front().owner->context();
  if (request.results && !request.results->empty())
    return request.results->front().context;
  if (!request.loc.is_none())
    return nb::cast<acc::python::Location &>(request.loc).context;
  if (nb::isinstance<InsertionPoint>(request.ip))
    return nb::cast<InsertionPoint &>(request.ip).block.owner->context();
  return resolveContext(request.context);
}

/// Checks the attributes that the op declares; an unfit one would otherwise
/// be dropped silently when it is stored.
static void checkAttributes(mlir::OperationState &state,
                            DiagnosticCollector &collector) {
  auto info = state.name.getRegisteredInfo();
  if (!info)
    return;
  auto emit = [&] {
    return mlir::emitError(state.location)
           << "'" << state.name.getStringRef() << "' op ";
  };
  if (failed(info->verifyInherentAttrs(state.attributes, emit)))
    collector.raise("an attribute does not fit the operation");
}

static void inferTypes(mlir::OperationState &state,
                       DiagnosticCollector &collector) {
  auto info = state.name.getRegisteredInfo();
  auto *interface =
      info ? info->getInterface<mlir::InferTypeOpInterface>() : nullptr;
  if (!interface)
    throw nb::value_error((state.name.getStringRef().str() +
                           " cannot infer its result types: pass results=[...]")
                              .c_str());
  mlir::MLIRContext *ctx = state.getContext();
  mlir::DictionaryAttr attributes = state.attributes.getDictionary(ctx);
  // The op does not exist yet; its properties are put in a buffer of ours.
  std::vector<char> storage(info->getOpPropertyByteSize() + 15);
  void *aligned = reinterpret_cast<void *>(
      llvm::alignTo(reinterpret_cast<uintptr_t>(storage.data()), 16));
  mlir::OpaqueProperties properties(nullptr);
  if (info->getOpPropertyByteSize()) {
    properties = mlir::OpaqueProperties(aligned);
    info->initOpProperties(properties, nullptr);
  }
  bool ok = true;
  if (properties) {
    auto emit = [&] {
      return mlir::emitError(state.location)
             << "'" << state.name.getStringRef() << "' op ";
    };
    ok = succeeded(info->setOpPropertiesFromAttribute(state.name, properties,
                                                      attributes, emit));
  }
  ok = ok && succeeded(interface->inferReturnTypes(
                 ctx, state.location, state.operands, attributes, properties,
                 state.regions, state.types));
  if (properties)
    info->destroyOpProperties(properties);
  if (!ok)
    collector.raise("the result types cannot be inferred");
}

static OpRef create(const Creation &request) {
  ContextRef context = contextOf(request);
  mlir::Location loc = resolveLocation(request.loc, context);
  context->get()->getOrLoadDialect(
      llvm::StringRef(request.name).split('.').first);
  mlir::OperationState state(loc, request.name);
  if (!state.name.isRegistered() &&
      !context->get()->allowsUnregisteredDialects())
    throw nb::value_error(("unknown operation: " + request.name).c_str());
  for (const Value &operand : request.operands.value_or(std::vector<Value>())) {
    operand.owner->get();
    state.operands.push_back(operand.value);
  }
  if (request.attributes)
    for (auto [key, value] : *request.attributes)
      state.addAttribute(nb::cast<std::string>(key),
                         toAttribute(context, value));
  for (size_t i = 0; i < request.regions; ++i)
    state.addRegion();

  DiagnosticCollector collector(context->get());
  checkAttributes(state, collector);
  if (request.infer) {
    inferTypes(state, collector);
  } else {
    for (const auto &type :
         request.results.value_or(std::vector<acc::python::Type>()))
      state.types.push_back(type.type);
  }
  OpRef op = makeRoot(context, mlir::Operation::create(state));
  if (collector.hasErrors())
    collector.raise("the operation cannot be created");

  // ip=False means: leave it detached.
  nb::object point =
      request.ip.is_none() ? Defaults::insertionPoint() : request.ip;
  if (nb::isinstance<InsertionPoint>(point))
    insertAt(nb::cast<InsertionPoint &>(point), op);
  return op;
}

//===----------------------------------------------------------------------===//
// Editing
//===----------------------------------------------------------------------===//

static void eraseOp(const OpRef &self) {
  mlir::Operation *op = self->get();
  for (mlir::OpResult result : op->getResults())
    if (!result.use_empty())
      throw nb::value_error(
          ("cannot erase " + op->getName().getStringRef() + ": its result #" +
           llvm::Twine(result.getResultNumber()) + " is still used")
              .str()
              .c_str());
  std::shared_ptr<Tree> tree = self->tree;
  tree->invalidate(op, /*self=*/true);
  if (tree->root == op) {
    if (!tree->owned)
      throw nb::value_error("the operation that a pass runs on cannot be "
                            "erased");
    tree->root = nullptr;
  }
  op->erase();
}

static OpRef cloneOp(const OpRef &self, nb::object ip) {
  OpRef copy = makeRoot(self->context(), self->get()->clone());
  nb::object point = ip.is_none() ? Defaults::insertionPoint() : ip;
  if (nb::isinstance<InsertionPoint>(point))
    insertAt(nb::cast<InsertionPoint &>(point), copy);
  return copy;
}

static void detach(const OpRef &self) {
  mlir::Operation *op = self->get();
  if (!op->getBlock())
    throw nb::value_error("the operation is not inside a block");
  op->remove();
  auto tree = std::make_shared<Tree>(self->context(), op, /*owned=*/true);
  // Handles into the detached part move with it.
  std::shared_ptr<Tree> old = self->tree;
  llvm::SmallVector<OpHandle *> moved;
  for (auto [held, handle] : old->handles)
    if (op->isAncestor(held))
      moved.push_back(handle);
  for (OpHandle *handle : moved) {
    old->handles.erase(handle->op);
    handle->tree = tree;
    tree->handles[handle->op] = handle;
  }
}

static void moveOp(const OpRef &self, const OpRef &other, bool after) {
  mlir::Operation *op = self->get(), *anchor = other->get();
  if (op->isAncestor(anchor))
    throw nb::value_error("an operation cannot move into itself");
  if (!anchor->getBlock())
    throw nb::value_error("the other operation is not inside a block");
  if (op->getBlock())
    detach(self);
  insertAt(
      {{other->tree->handle(anchor->getParentOp()), anchor->getBlock()}, other},
      self);
  if (after)
    op->moveAfter(anchor);
}

enum class WalkOrder { PreOrder, PostOrder };
enum class WalkAnswer { Advance, Interrupt, Skip };

static void walk(const OpRef &self, nb::callable callback, WalkOrder order) {
  std::shared_ptr<Tree> tree = self->tree;
  // MLIR's walk is not meant to be unwound by exceptions.
  std::exception_ptr thrown;
  auto visit = [&](mlir::Operation *op) {
    try {
      nb::object answer = callback(tree->handle(op));
      if (answer.is_none())
        return mlir::WalkResult::advance();
      switch (nb::cast<WalkAnswer>(answer)) {
      case WalkAnswer::Advance:
        return mlir::WalkResult::advance();
      case WalkAnswer::Interrupt:
        return mlir::WalkResult::interrupt();
      case WalkAnswer::Skip:
        return mlir::WalkResult::skip();
      }
      return mlir::WalkResult::advance();
    } catch (...) {
      thrown = std::current_exception();
      return mlir::WalkResult::interrupt();
    }
  };
  if (order == WalkOrder::PreOrder)
    self->get()->walk<mlir::WalkOrder::PreOrder>(visit);
  else
    self->get()->walk<mlir::WalkOrder::PostOrder>(visit);
  if (thrown)
    std::rethrow_exception(thrown);
}

static void replaceAllUses(const OpRef &self, nb::object with) {
  std::vector<Value> values;
  if (nb::isinstance<OpHandle>(with)) {
    OpRef other = nb::cast<OpRef>(with);
    for (mlir::OpResult result : other->get()->getResults())
      values.push_back({other, result});
  } else if (nb::isinstance<Value>(with)) {
    values.push_back(nb::cast<Value>(with));
  } else {
    values = nb::cast<std::vector<Value>>(with);
  }
  mlir::Operation *op = self->get();
  if (values.size() != op->getNumResults())
    throw nb::value_error("as many values are needed as the operation has "
                          "results");
  for (auto [result, value] : llvm::zip(op->getResults(), values)) {
    value.owner->get();
    result.replaceAllUsesWith(value.value);
  }
}

static bool verifyOp(const OpRef &self) {
  DiagnosticCollector collector(self->context()->get());
  mlir::LogicalResult result = mlir::success();
  {
    mlir::Operation *op = self->get();
    nb::gil_scoped_release release;
    result = mlir::verify(op);
  }
  if (failed(result))
    collector.raise("verification failed");
  collector.logRest();
  return true;
}

//===----------------------------------------------------------------------===//
// Bindings
//===----------------------------------------------------------------------===//

static void bindAttributeMap(nb::module_ &m) {
  auto names = [](AttributeMap &self) {
    std::vector<std::string> result;
    for (mlir::NamedAttribute attr : self.op->get()->getAttrDictionary())
      result.push_back(attr.getName().str());
    return result;
  };
  auto lookup = [](AttributeMap &self, const std::string &name) {
    return self.op->get()->getAttrDictionary().get(name);
  };
  nb::class_<AttributeMap>(m, "OpAttributeMap")
      .def("__len__",
           [](AttributeMap &self) {
             return self.op->get()->getAttrDictionary().size();
           })
      .def(
          "__contains__",
          [lookup](AttributeMap &self, const std::string &name) {
            return bool(lookup(self, name));
          },
          nb::arg("name"))
      .def(
          "__getitem__",
          [lookup](AttributeMap &self, const std::string &name) {
            mlir::Attribute attr = lookup(self, name);
            if (!attr)
              throw nb::key_error(name.c_str());
            return wrap(self.op->context(), attr);
          },
          nb::arg("name"))
      .def(
          "get",
          [lookup](AttributeMap &self, const std::string &name,
                   nb::object fallback) {
            mlir::Attribute attr = lookup(self, name);
            return attr ? wrap(self.op->context(), attr) : fallback;
          },
          nb::arg("name"), nb::arg("default") = nb::none())
      .def(
          "__setitem__",
          [](AttributeMap &self, const std::string &name, nb::handle value) {
            mlir::Operation *op = self.op->get();
            mlir::Attribute attr = toAttribute(self.op->context(), value);
            if (auto info = op->getRegisteredInfo()) {
              DiagnosticCollector collector(op->getContext());
              mlir::NamedAttrList list;
              list.set(name, attr);
              if (failed(info->verifyInherentAttrs(
                      list, [&] { return op->emitError(); })))
                collector.raise("the attribute does not fit the operation");
            }
            op->setAttr(name, attr);
          },
          nb::arg("name"), nb::arg("value"))
      .def(
          "__delitem__",
          [](AttributeMap &self, const std::string &name) {
            if (!self.op->get()->removeAttr(name))
              throw nb::key_error(name.c_str());
          },
          nb::arg("name"))
      .def("keys", names)
      .def("__iter__",
           [names](AttributeMap &self) {
             return nb::iter(nb::cast(names(self)));
           })
      .def("values",
           [](AttributeMap &self) {
             nb::list result;
             for (mlir::NamedAttribute attr :
                  self.op->get()->getAttrDictionary())
               result.append(wrap(self.op->context(), attr.getValue()));
             return result;
           })
      .def("items", [](AttributeMap &self) {
        nb::list result;
        for (mlir::NamedAttribute attr : self.op->get()->getAttrDictionary())
          result.append(nb::make_tuple(
              attr.getName().str(), wrap(self.op->context(), attr.getValue())));
        return result;
      });
}

static nb::list listValues(const OpRef &self, mlir::ValueRange values) {
  nb::list result;
  for (mlir::Value value : values)
    result.append(wrap(self, value));
  return result;
}

static void bindStructure(nb::class_<OpHandle> &cls) {
  cls.def_prop_ro("name",
                  [](const OpRef &self) {
                    return self->get()->getName().getStringRef().str();
                  })
      .def_prop_ro("context", [](const OpRef &self) { return self->context(); })
      .def_prop_ro("operation", [](nb::object self) { return self; })
      .def_prop_ro("opview", [](nb::object self) { return self; })
      .def_prop_ro("is_valid", [](const OpRef &self) { return !!self->op; })
      .def_prop_ro("attached",
                   [](const OpRef &self) { return !!self->get()->getBlock(); })
      .def_prop_ro("attributes",
                   [](const OpRef &self) {
                     self->get();
                     return AttributeMap{self};
                   })
      .def_prop_rw(
          "location",
          [](const OpRef &self) {
            return acc::python::Location{self->context(),
                                         self->get()->getLoc()};
          },
          [](const OpRef &self, const acc::python::Location &loc) {
            self->get()->setLoc(loc.loc);
          })
      .def_prop_ro("operands",
                   [](const OpRef &self) {
                     return listValues(self, self->get()->getOperands());
                   })
      .def_prop_ro("results",
                   [](const OpRef &self) {
                     return listValues(self, self->get()->getResults());
                   })
      .def_prop_ro("result",
                   [](const OpRef &self) {
                     if (self->get()->getNumResults() != 1)
                       throw nb::value_error(
                           (self->get()->getName().getStringRef() + " has " +
                            llvm::Twine(self->get()->getNumResults()) +
                            " results, not one")
                               .str()
                               .c_str());
                     return wrap(self, mlir::Value(self->get()->getResult(0)));
                   })
      .def(
          "set_operand",
          [](const OpRef &self, unsigned index, const Value &value) {
            if (index >= self->get()->getNumOperands())
              throw nb::index_error();
            value.owner->get();
            self->get()->setOperand(index, value.value);
          },
          nb::arg("index"), nb::arg("value"))
      .def_prop_ro("regions",
                   [](const OpRef &self) {
                     std::vector<Region> regions;
                     for (mlir::Region &region : self->get()->getRegions())
                       regions.push_back({self, &region});
                     return regions;
                   })
      .def_prop_ro("parent",
                   [](const OpRef &self) -> std::optional<OpRef> {
                     if (self->get() == self->tree->root)
                       return std::nullopt;
                     return self->tree->handle(self->get()->getParentOp());
                   })
      .def_prop_ro(
          "block",
          [](const OpRef &self) -> std::optional<Block> {
            if (self->get() == self->tree->root || !self->get()->getBlock())
              return std::nullopt;
            return Block{self->tree->handle(self->get()->getParentOp()),
                         self->get()->getBlock()};
          })
      .def(
          "lookup_symbol",
          [](const OpRef &self,
             const std::string &name) -> std::optional<OpRef> {
            if (!self->get()->hasTrait<mlir::OpTrait::SymbolTable>())
              throw nb::value_error((self->get()->getName().getStringRef() +
                                     " is not a symbol table")
                                        .str()
                                        .c_str());
            if (auto *op = mlir::SymbolTable::lookupSymbolIn(self->get(), name))
              return self->tree->handle(op);
            return std::nullopt;
          },
          nb::arg("name"));
}

static void bindEditing(nb::class_<OpHandle> &cls) {
  cls.def_static(
         "create",
         [](std::string name,
            std::optional<std::vector<acc::python::Type>> results,
            std::optional<std::vector<Value>> operands,
            std::optional<nb::dict> attributes, size_t regions, nb::object loc,
            nb::object ip, bool infer, nb::object context) {
           return create({std::move(name), std::move(results),
                          std::move(operands), std::move(attributes), regions,
                          loc, ip, context, infer});
         },
         nb::arg("name"), nb::arg("results") = nb::none(),
         nb::arg("operands") = nb::none(), nb::arg("attributes") = nb::none(),
         nb::arg("regions") = 0, nb::arg("loc") = nb::none(),
         nb::arg("ip") = nb::none(), nb::arg("infer_type") = false,
         nb::arg("context") = nb::none())
      .def("erase", &eraseOp)
      .def("clone", &cloneOp, nb::arg("ip") = nb::none())
      .def("detach_from_parent",
           [](const OpRef &self) {
             detach(self);
             return self;
           })
      .def(
          "move_before",
          [](const OpRef &self, const OpRef &other) {
            moveOp(self, other, /*after=*/false);
          },
          nb::arg("other"))
      .def(
          "move_after",
          [](const OpRef &self, const OpRef &other) {
            moveOp(self, other, /*after=*/true);
          },
          nb::arg("other"))
      .def("replace_all_uses_with", &replaceAllUses, nb::arg("values"))
      .def("walk", &walk, nb::arg("callback"),
           nb::arg("walk_order") = WalkOrder::PostOrder)
      .def("verify", &verifyOp);
}

static void bindText(nb::class_<OpHandle> &cls) {
  auto text = [](const OpRef &self) { return printOp(self, {}); };
  cls.def("__str__", text)
      .def("__repr__",
           [](const OpRef &self) {
             return self->op ? "<Operation " +
                                   self->op->getName().getStringRef().str() +
                                   " at " + toString(self->op->getLoc()) + ">"
                             : std::string("<Operation: gone>");
           })
      .def("get_asm", &getAsm, nb::arg("binary") = false,
           nb::arg("large_elements_limit") = nb::none(),
           nb::arg("large_resource_limit") = nb::none(),
           nb::arg("enable_debug_info") = false,
           nb::arg("pretty_debug_info") = false,
           nb::arg("print_generic_op_form") = false,
           nb::arg("use_local_scope") = false,
           nb::arg("assume_verified") = false, nb::arg("skip_regions") = false)
      .def("write_bytecode", &writeBytecode, nb::arg("path") = nb::none())
      .def(
          "__eq__",
          [](const OpRef &self, nb::object other) {
            return nb::isinstance<OpHandle>(other) &&
                   nb::cast<OpRef>(other).get() == self.get();
          },
          nb::arg("other").none())
      .def("__hash__", [](const OpRef &self) { return size_t(self.get()); });
}

static void bindModule(nb::module_ &m) {
  auto body = [](Module &self) {
    auto op = mlir::cast<mlir::ModuleOp>(self.op->get());
    return Block{self.op, op.getBody()};
  };
  nb::class_<Module>(m, "Module")
      .def_static("parse", &parseModule, nb::arg("asm"),
                  nb::arg("context") = nb::none())
      .def_static("parse_file", &parseModuleFile, nb::arg("path"),
                  nb::arg("context") = nb::none())
      .def_static(
          "create",
          [](nb::object loc, nb::object context) {
            ContextRef owner =
                !loc.is_none() ? nb::cast<acc::python::Location &>(loc).context
                               : resolveContext(context);
            return Module{makeRoot(
                owner, mlir::ModuleOp::create(resolveLocation(loc, owner)))};
          },
          nb::arg("loc") = nb::none(), nb::arg("context") = nb::none())
      .def_static(
          "from_operation",
          [](const OpRef &op) {
            if (!mlir::isa<mlir::ModuleOp>(op->get()))
              throw nb::value_error("the operation is not a builtin.module");
            return Module{op};
          },
          nb::arg("op"))
      .def_prop_ro("operation", [](Module &self) { return self.op; })
      .def_prop_ro("context", [](Module &self) { return self.op->context(); })
      .def_prop_ro("body", body)
      .def("clone",
           [](Module &self) {
             return Module{
                 makeRoot(self.op->context(), self.op->get()->clone())};
           })
      .def("__str__", [](Module &self) { return printOp(self.op, {}); });
}

void acc::python::bindOperations(nb::module_ &m) {
  m.def(
      "onnx_name",
      [](const std::string &operation) {
        return acc::graph::getOnnxName(operation);
      },
      nb::arg("operation"),
      "What ONNX calls an operator of the graph dialect, for messages.");
  m.def(
      "is_free", [](const OpRef &op) { return acc::graph::isFree(op->get()); },
      nb::arg("operation"),
      "Whether an operator of the graph dialect costs nothing at run time.");
  m.def(
      "find_channel_move",
      [](const Value &value)
          -> std::optional<std::pair<nb::object, std::vector<int64_t>>> {
        auto move = acc::graph::findChannelMove(value.value);
        if (!move)
          return std::nullopt;
        return std::pair(
            wrap(value.owner, move->source),
            std::vector<int64_t>(move->channels.begin(), move->channels.end()));
      },
      nb::arg("value"),
      "The tensor of images that `value` has its channels from, and which of "
      "them, if an operator only chooses or permutes channels.");
  m.def(
      "count_bits",
      [](const Value &value) { return acc::graph::countBits(value.value); },
      nb::arg("value"),
      "How many bits hold every element of a tensor of the integer graph.");
  nb::enum_<WalkOrder>(m, "WalkOrder")
      .value("PRE_ORDER", WalkOrder::PreOrder)
      .value("POST_ORDER", WalkOrder::PostOrder);
  nb::enum_<WalkAnswer>(m, "WalkResult")
      .value("ADVANCE", WalkAnswer::Advance)
      .value("INTERRUPT", WalkAnswer::Interrupt)
      .value("SKIP", WalkAnswer::Skip);
  bindAttributeMap(m);
  nb::class_<OpHandle> cls(m, "Operation");
  bindStructure(cls);
  bindEditing(cls);
  bindText(cls);
  bindModule(m);
}
