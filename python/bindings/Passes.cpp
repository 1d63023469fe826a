//===- Passes.cpp - Pass managers -----------------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"
#include "IO.h"

#include "mlir/IR/AsmState.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <nanobind/stl/pair.h>

#include <chrono>
#include <mutex>

using namespace acc::python;

namespace {

/// What the callables of one run share with it: the first exception.
struct RunState {
  std::mutex mutex;
  std::exception_ptr thrown;

  void keep(std::exception_ptr exception) {
    std::lock_guard lock(mutex);
    if (!thrown)
      thrown = exception;
  }
};

struct PassManager;

/// A Python callable as a pass. It sees the operation through a tree of its
/// own, whose references turn invalid when the callable returns.
class CallablePass
    : public mlir::PassWrapper<CallablePass, mlir::OperationPass<>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CallablePass)

  CallablePass(nb::object callable, std::string name, PassManager *manager)
      : callable(callable.release()), name(std::move(name)), manager(manager) {}
  CallablePass(const CallablePass &other)
      : PassWrapper(other), callable(other.callable), name(other.name),
        manager(other.manager) {
    nb::gil_scoped_acquire acquire;
    callable.inc_ref();
  }
  ~CallablePass() override {
    if (!Py_IsInitialized())
      return;
    nb::gil_scoped_acquire acquire;
    callable.dec_ref();
  }

  mlir::StringRef getName() const override { return name; }
  mlir::StringRef getArgument() const override { return name; }
  void runOnOperation() override;

  nb::handle callable;

private:
  std::string name;
  PassManager *manager;
};

struct PassManager {
  PassManager(ContextRef context, std::unique_ptr<mlir::PassManager> manager)
      : context(std::move(context)), manager(std::move(manager)) {}

  ContextRef context;
  RunState *state = nullptr;
  /// Callables owned by the passes, for the garbage collector.
  std::vector<nb::handle> callables;
  std::vector<std::pair<std::string, double>> timings;
  bool instrumented = false;
  std::unique_ptr<mlir::PassManager> manager;
};

/// Times every pass.
class Instrumentation : public mlir::PassInstrumentation {
public:
  explicit Instrumentation(PassManager *owner) : owner(owner) {}

  void runBeforePass(mlir::Pass *pass, mlir::Operation *op) override {
    if (isAdaptor(pass))
      return;
    std::lock_guard lock(mutex);
    started[{pass, op}] = std::chrono::steady_clock::now();
  }
  void runAfterPass(mlir::Pass *pass, mlir::Operation *op) override {
    record(pass, op);
  }
  void runAfterPassFailed(mlir::Pass *pass, mlir::Operation *op) override {
    record(pass, op);
  }

private:
  /// Adaptors nest pipelines; they are no passes of their own.
  static bool isAdaptor(mlir::Pass *pass) {
    return pass->getName().contains("OpToOpPassAdaptor");
  }

  void record(mlir::Pass *pass, mlir::Operation *op) {
    if (isAdaptor(pass))
      return;
    auto now = std::chrono::steady_clock::now();
    std::string name = pass->getArgument().empty() ? pass->getName().str()
                                                   : pass->getArgument().str();
    std::lock_guard lock(mutex);
    auto it = started.find({pass, op});
    if (it == started.end())
      return;
    std::chrono::duration<double> spent = now - it->second;
    owner->timings.emplace_back(name, spent.count());
    started.erase(it);
  }

  PassManager *owner;
  std::mutex mutex;
  std::map<std::pair<mlir::Pass *, mlir::Operation *>,
           std::chrono::steady_clock::time_point>
      started;
};

} // namespace

void CallablePass::runOnOperation() {
  nb::gil_scoped_acquire acquire;
  mlir::Operation *op = getOperation();
  auto tree = std::make_shared<Tree>(manager->context, op, /*owned=*/false);
  try {
    callable(tree->handle(op));
  } catch (...) {
    manager->state->keep(std::current_exception());
    signalPassFailure();
  }
  tree->invalidateAll();
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

static OpRef toOp(nb::handle given) {
  if (nb::isinstance<Module>(given))
    return nb::cast<Module &>(given).op;
  return nb::cast<OpRef>(given);
}

static void run(PassManager &self, nb::object given) {
  OpRef handle = toOp(given);
  mlir::Operation *op = handle->get();
  if (handle->context() != self.context)
    throw nb::value_error("the operation is of another context");
  if (self.state)
    throw std::runtime_error("the pass manager is already running");
  auto anchor = self.manager->getOpName();
  if (anchor && *anchor != op->getName().getStringRef() &&
      *anchor != mlir::PassManager::getAnyOpAnchorName())
    throw nb::value_error(("the pipeline is for " + anchor->str() + ", not " +
                           op->getName().getStringRef().str())
                              .c_str());
  if (!self.instrumented) {
    self.manager->addInstrumentation(std::make_unique<Instrumentation>(&self));
    self.instrumented = true;
  }
  self.timings.clear();
  handle->tree->invalidate(op, /*self=*/false);
  RunState state;
  self.state = &state;
  DiagnosticCollector collector(self.context->get());
  mlir::LogicalResult result = mlir::success();
  {
    nb::gil_scoped_release release;
    result = self.manager->run(op);
  }
  self.state = nullptr;
  self.context->isCancelled = false;
  if (state.thrown)
    std::rethrow_exception(state.thrown);
  if (failed(result))
    collector.raise("a pass failed");
  collector.logRest();
}

//===----------------------------------------------------------------------===//
// Bindings
//===----------------------------------------------------------------------===//

/// Runs a parser of pipelines; its complaints become the exception.
static void parseInto(mlir::OpPassManager &manager, const std::string &text,
                      bool anchored) {
  std::string errors;
  llvm::raw_string_ostream os(errors);
  if (anchored) {
    auto parsed = mlir::parsePassPipeline(text, os);
    if (succeeded(parsed)) {
      manager = std::move(*parsed);
      return;
    }
  } else if (succeeded(mlir::parsePassPipeline(text, manager, os))) {
    return;
  }
  nb::object cls = nb::module_::import_("acc.errors").attr("MLIRError");
  nb::object error = cls("the pipeline '" + text + "' is not valid: " +
                             llvm::StringRef(errors).rtrim().str(),
                         nb::tuple());
  PyErr_SetObject(cls.ptr(), error.ptr());
  throw nb::python_error();
}

static PassManager *parsePipeline(const std::string &text, nb::object context) {
  ContextRef owner = resolveContext(context);
  auto manager = std::make_unique<mlir::PassManager>(owner->get());
  parseInto(*manager, text, /*anchored=*/true);
  return new PassManager(owner, std::move(manager));
}

static void add(PassManager &self, nb::object pass, nb::object name) {
  if (nb::isinstance<nb::str>(pass)) {
    parseInto(*self.manager, nb::cast<std::string>(pass), /*anchored=*/false);
    return;
  }
  if (!PyCallable_Check(pass.ptr()))
    throw nb::type_error("a pass is a pipeline text or a callable");
  if (name.is_none())
    name = nb::getattr(pass, "__name__", nb::str("python-pass"));
  auto created =
      std::make_unique<CallablePass>(pass, nb::cast<std::string>(name), &self);
  self.callables.push_back(created->callable);
  self.manager->addPass(std::move(created));
}

static int traverse(PyObject *self, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self))
    return 0;
  auto *manager = nb::inst_ptr<PassManager>(self);
  for (nb::handle callable : manager->callables)
    Py_VISIT(callable.ptr());
  return 0;
}

static int clear(PyObject *self) {
  auto *manager = nb::inst_ptr<PassManager>(self);
  manager->callables.clear();
  manager->manager =
      std::make_unique<mlir::PassManager>(manager->context->get());
  return 0;
}

static PyType_Slot slots[] = {
    {Py_tp_traverse, reinterpret_cast<void *>(traverse)},
    {Py_tp_clear, reinterpret_cast<void *>(clear)},
    {0, nullptr},
};

void acc::python::bindPasses(nb::module_ &m) {
  nb::class_<PassManager>(m, "PassManager", nb::type_slots(slots))
      .def(
          "__init__",
          [](PassManager *self, const std::string &anchor, nb::object context) {
            ContextRef owner = resolveContext(context);
            new (self) PassManager(owner, std::make_unique<mlir::PassManager>(
                                              owner->get(), anchor));
          },
          nb::arg("anchor_op") = "builtin.module",
          nb::arg("context") = nb::none())
      .def_static("parse", &parsePipeline, nb::arg("pipeline"),
                  nb::arg("context") = nb::none(),
                  nb::rv_policy::take_ownership)
      .def("add", &add, nb::arg("pass"), nb::arg("name") = nb::none())
      .def("run", &run, nb::arg("operation"))
      .def("cancel",
           [](PassManager &self) {
             self.context->isCancelled = self.state != nullptr;
           })
      .def(
          "enable_verifier",
          [](PassManager &self, bool enable) {
            self.manager->enableVerifier(enable);
          },
          nb::arg("enable") = true)
      .def_prop_ro("context", [](PassManager &self) { return self.context; })
      .def_prop_ro("timings", [](PassManager &self) { return self.timings; })
      .def("__str__", [](PassManager &self) {
        std::string text;
        llvm::raw_string_ostream os(text);
        self.manager->printAsTextualPipeline(os);
        return text;
      });
}
