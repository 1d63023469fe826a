//===- Context.cpp - Contexts, locations and diagnostics ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"

#include "passes/Registration.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/Action.h"
#include "mlir/IR/DialectRegistry.h"

#include <nanobind/stl/tuple.h>

using namespace acc::python;

//===----------------------------------------------------------------------===//
// Contexts
//===----------------------------------------------------------------------===//

acc::python::Context::Context() {
  // Registering is the slow part of a new context, so the registry is shared.
  static mlir::DialectRegistry *registry = [] {
    auto *all = new mlir::DialectRegistry;
    acc::registerEverything(*all);
    return all;
  }();
  mlir = std::make_unique<mlir::MLIRContext>(
      *registry, mlir::MLIRContext::Threading::ENABLED);
  // Diagnostics carry names and places; the operation's text would be noise and
  // could hold weights.
  mlir->printOpOnDiagnostic(false);
  // Every pass and every pattern is an action.
  mlir->registerActionHandler(
      [this](llvm::function_ref<void()> work, const mlir::tracing::Action &) {
        if (!isCancelled)
          work();
      });
  // Python passes create operations while passes run, when it is too late to
  // load a dialect; those that lowering meets are therefore loaded up front.
  for (const char *name :
       {"builtin", "func", "arith", "tensor", "linalg", "scf", "memref",
        "quant", "affine", "bufferization", "math", "vector", "cf", "llvm"})
    mlir->getOrLoadDialect(name);
  acc::loadDialects(*mlir);
}

acc::python::Context::~Context() {
  // Resource blobs may hold numpy arrays; their deleters take the GIL
  // themselves, and destroying a large context need not block other threads.
  if (Py_IsInitialized() && PyGILState_Check()) {
    nb::gil_scoped_release release;
    mlir.reset();
  } else {
    // At the end of the process: numpy arrays can no longer be released.
    (void)mlir.release();
  }
}

namespace {
struct Frame {
  nb::handle context, location, point;
};
} // namespace

// Handles, not objects: a thread that ends inside a `with` must not touch
// reference counts without the GIL.
static thread_local std::vector<Frame> frames;

void Defaults::push(nb::handle context, nb::handle location, nb::handle point) {
  for (nb::handle held : {context, location, point})
    held.inc_ref();
  frames.push_back({context, location, point});
}

void Defaults::pop() {
  if (frames.empty())
    throw nb::value_error("the stack of `with` statements is empty");
  Frame frame = frames.back();
  frames.pop_back();
  for (nb::handle held : {frame.context, frame.location, frame.point})
    held.dec_ref();
}

std::vector<std::tuple<nb::object, nb::object, nb::object>> Defaults::all() {
  std::vector<std::tuple<nb::object, nb::object, nb::object>> result;
  for (const Frame &frame : frames)
    result.emplace_back(nb::borrow(frame.context), nb::borrow(frame.location),
                        nb::borrow(frame.point));
  return result;
}

nb::object Defaults::context() {
  return frames.empty() ? nb::none() : nb::borrow(frames.back().context);
}

nb::object Defaults::location() {
  for (auto it = frames.rbegin(); it != frames.rend(); ++it) {
    if (!it->context.is(frames.back().context))
      break;
    if (!it->location.is_none())
      return nb::borrow(it->location);
  }
  return nb::none();
}

nb::object Defaults::insertionPoint() {
  for (auto it = frames.rbegin(); it != frames.rend(); ++it) {
    if (!it->context.is(frames.back().context))
      break;
    if (!it->point.is_none())
      return nb::borrow(it->point);
  }
  return nb::none();
}

ContextRef acc::python::resolveContext(const nb::object &given) {
  nb::object chosen = given.is_none() ? Defaults::context() : given;
  if (chosen.is_none())
    throw nb::value_error("no context: pass context=... or enter one with "
                          "`with Context():`");
  return nb::cast<ContextRef>(chosen);
}

mlir::Location acc::python::resolveLocation(const nb::object &given,
                                            const ContextRef &context) {
  nb::object chosen = given.is_none() ? Defaults::location() : given;
  if (chosen.is_none())
    return mlir::UnknownLoc::get(context->get());
  auto &location = nb::cast<acc::python::Location &>(chosen);
  if (location.context != context) {
    if (given.is_none())
      return mlir::UnknownLoc::get(context->get());
    throw nb::value_error("the location is of another context");
  }
  return location.loc;
}

//===----------------------------------------------------------------------===//
// Diagnostics
//===----------------------------------------------------------------------===//

DiagnosticCollector::DiagnosticCollector(mlir::MLIRContext *context)
    : handler(context, [this](mlir::Diagnostic &diagnostic) {
        diagnostics.push_back(std::move(diagnostic));
        return mlir::success();
      }) {}

bool DiagnosticCollector::hasErrors() const {
  for (const mlir::Diagnostic &diagnostic : diagnostics)
    if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error)
      return true;
  return false;
}

static const char *severityName(mlir::DiagnosticSeverity severity) {
  switch (severity) {
  case mlir::DiagnosticSeverity::Note:
    return "note";
  case mlir::DiagnosticSeverity::Warning:
    return "warning";
  case mlir::DiagnosticSeverity::Error:
    return "error";
  case mlir::DiagnosticSeverity::Remark:
    return "remark";
  }
  return "error";
}

static void findNameAndFile(mlir::Location loc, nb::object &name,
                            nb::object &file, nb::object &line,
                            nb::object &column) {
  std::vector<std::string> names;
  loc->walk([&](mlir::Location part) {
    if (auto named = dyn_cast<mlir::NameLoc>(part)) {
      names.push_back(named.getName().str());
    } else if (auto position = dyn_cast<mlir::FileLineColLoc>(part)) {
      if (file.is_none()) {
        file = nb::cast(position.getFilename().str());
        line = nb::cast(position.getLine());
        column = nb::cast(position.getColumn());
      }
    }
    return mlir::WalkResult::advance();
  });
  if (!names.empty())
    name = nb::cast(llvm::join(names, ", "));
}

static nb::object toDiagnostic(mlir::Diagnostic &diagnostic,
                               const nb::object &cls) {
  nb::object name = nb::none(), file = nb::none(), line = nb::none(),
             column = nb::none();
  findNameAndFile(diagnostic.getLocation(), name, file, line, column);
  nb::list notes;
  for (mlir::Diagnostic &note : diagnostic.getNotes())
    notes.append(toDiagnostic(note, cls));
  return cls(nb::arg("severity") = severityName(diagnostic.getSeverity()),
             nb::arg("message") = diagnostic.str(),
             nb::arg("location") = toString(diagnostic.getLocation()),
             nb::arg("file") = file, nb::arg("line") = line,
             nb::arg("column") = column, nb::arg("name") = name,
             nb::arg("notes") = nb::tuple(notes));
}

void DiagnosticCollector::raise(const char *fallback) {
  nb::module_ errors = nb::module_::import_("acc.errors");
  nb::object cls = errors.attr("Diagnostic");
  nb::list converted;
  for (mlir::Diagnostic &diagnostic : diagnostics)
    converted.append(toDiagnostic(diagnostic, cls));
  diagnostics.clear();
  nb::object error = errors.attr("MLIRError")(fallback, nb::tuple(converted));
  PyErr_SetObject(reinterpret_cast<PyObject *>(Py_TYPE(error.ptr())),
                  error.ptr());
  throw nb::python_error();
}

void DiagnosticCollector::logRest() {
  if (diagnostics.empty())
    return;
  nb::module_ errors = nb::module_::import_("acc.errors");
  nb::object cls = errors.attr("Diagnostic");
  for (mlir::Diagnostic &diagnostic : diagnostics)
    errors.attr("log_diagnostic")(toDiagnostic(diagnostic, cls));
  diagnostics.clear();
}

//===----------------------------------------------------------------------===//
// Bindings
//===----------------------------------------------------------------------===//

static void bindContextClass(nb::module_ &m) {
  nb::class_<acc::python::Context>(m, "Context")
      .def(nb::init<>())
      .def("__enter__",
           [](nb::object self) {
             Defaults::push(self, nb::none(), nb::none());
             return self;
           })
      .def(
          "__exit__",
          [](nb::object, nb::handle, nb::handle, nb::handle) {
            Defaults::pop();
          },
          nb::arg("type").none(), nb::arg("value").none(),
          nb::arg("traceback").none())
      .def_prop_ro_static("current",
                          [](nb::handle) { return Defaults::context(); })
      .def_prop_rw(
          "allow_unregistered_dialects",
          [](acc::python::Context &self) {
            return self->allowsUnregisteredDialects();
          },
          [](acc::python::Context &self, bool allow) {
            self->allowUnregisteredDialects(allow);
          })
      .def("enable_multithreading",
           [](acc::python::Context &self, bool enable) {
             self->disableMultithreading(!enable);
           })
      .def_prop_ro("available_dialects",
                   [](acc::python::Context &self) {
                     std::vector<std::string> names;
                     for (llvm::StringRef name : self->getAvailableDialects())
                       names.push_back(name.str());
                     return names;
                   })
      .def("load_dialect",
           [](acc::python::Context &self, const std::string &name) {
             if (!self->getOrLoadDialect(name))
               throw nb::value_error(("unknown dialect: " + name).c_str());
           })
      .def("is_registered_operation",
           [](acc::python::Context &self, const std::string &name) {
             self->getOrLoadDialect(llvm::StringRef(name).split('.').first);
             return self->isOperationRegistered(name);
           });
}

static acc::python::Location
makeFused(const std::vector<acc::python::Location> &parts,
          const nb::object &context, const nb::object &metadata) {
  ContextRef owner =
      parts.empty() ? resolveContext(context) : parts.front().context;
  llvm::SmallVector<mlir::Location> locs;
  for (const auto &part : parts) {
    if (part.context != owner)
      throw nb::value_error("the locations are of different contexts");
    locs.push_back(part.loc);
  }
  mlir::Attribute extra;
  if (!metadata.is_none())
    extra = toAttribute(owner, metadata);
  return {owner, mlir::FusedLoc::get(owner->get(), locs, extra)};
}

static void bindLocation(nb::module_ &m) {
  using acc::python::Location;
  nb::class_<Location>(m, "Location")
      .def_static(
          "unknown",
          [](nb::object context) -> Location {
            ContextRef owner = resolveContext(context);
            return {owner, mlir::UnknownLoc::get(owner->get())};
          },
          nb::arg("context") = nb::none())
      .def_static(
          "file",
          [](const std::string &filename, unsigned line, unsigned col,
             nb::object context) -> Location {
            ContextRef owner = resolveContext(context);
            return {owner, mlir::FileLineColLoc::get(owner->get(), filename,
                                                     line, col)};
          },
          nb::arg("filename"), nb::arg("line"), nb::arg("col"),
          nb::arg("context") = nb::none())
      .def_static(
          "name",
          [](const std::string &name, std::optional<Location> child,
             nb::object context) -> Location {
            ContextRef owner = child ? child->context : resolveContext(context);
            mlir::Location base =
                child ? child->loc
                      : mlir::Location(mlir::UnknownLoc::get(owner->get()));
            return {owner,
                    mlir::NameLoc::get(
                        mlir::StringAttr::get(owner->get(), name), base)};
          },
          nb::arg("name"), nb::arg("childLoc") = nb::none(),
          nb::arg("context") = nb::none())
      .def_static("fused", &makeFused, nb::arg("locations"),
                  nb::arg("context") = nb::none(),
                  nb::arg("metadata") = nb::none())
      .def_static(
          "parse",
          [](const std::string &text, nb::object context) -> Location {
            ContextRef owner = resolveContext(context);
            DiagnosticCollector collector(owner->get());
            // Locations have no parser entry of their own; as attributes they
            // do.
            auto attr = mlir::parseAttribute("loc(" + text + ")", owner->get());
            if (auto loc = dyn_cast_or_null<mlir::LocationAttr>(attr))
              return {owner, loc};
            collector.raise("malformed location");
          },
          nb::arg("text"), nb::arg("context") = nb::none())
      .def_prop_ro_static("current",
                          [](nb::handle) { return Defaults::location(); })
      .def_prop_ro("context", [](Location &self) { return self.context; })
      .def_prop_ro("names",
                   [](Location &self) {
                     std::vector<std::string> names;
                     self.loc->walk([&](mlir::Location part) {
                       if (auto named = dyn_cast<mlir::NameLoc>(part))
                         names.push_back(named.getName().str());
                       return mlir::WalkResult::advance();
                     });
                     return names;
                   })
      .def_prop_ro("attr",
                   [](Location &self) {
                     return wrap(self.context,
                                 mlir::Attribute(mlir::LocationAttr(self.loc)));
                   })
      .def("__enter__",
           [](nb::object self) {
             Defaults::push(nb::cast(nb::cast<Location &>(self).context), self,
                            nb::none());
             return self;
           })
      .def(
          "__exit__",
          [](nb::object, nb::handle, nb::handle, nb::handle) {
            Defaults::pop();
          },
          nb::arg("type").none(), nb::arg("value").none(),
          nb::arg("traceback").none())
      .def(
          "__eq__",
          [](Location &self, nb::object other) {
            return nb::isinstance<Location>(other) &&
                   nb::cast<Location &>(other).loc == self.loc;
          },
          nb::arg("other").none())
      .def("__hash__",
           [](Location &self) { return size_t(mlir::hash_value(self.loc)); })
      .def("__str__", [](Location &self) { return toString(self.loc); })
      .def("__repr__", [](Location &self) { return toString(self.loc); });
}

void acc::python::bindContext(nb::module_ &m) {
  bindContextClass(m);
  bindLocation(m);
  m.def("_defaults", &Defaults::all);
  m.def(
      "_push_defaults",
      [](nb::handle context, nb::handle location, nb::handle point) {
        Defaults::push(context, location, point);
      },
      nb::arg("context"), nb::arg("location").none(), nb::arg("point").none());
  m.def("_pop_defaults", &Defaults::pop);
}
