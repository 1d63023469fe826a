//===- Seams.cpp - Between upstream's bindings and the C interface --------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Upstream's bindings are compiled as they are, but linked with --wrap: where
// they call mlirFoo, __wrap_mlirFoo of this file is called, which calls
// __real_mlirFoo, the function of the C interface. What is added this way:
//
// - Pass managers run without the GIL. Python callables among their passes take
//   it, can be nested and cloned, and what they raise reaches the caller of run
//   once the passes have ended, instead of unwinding MLIR.
// - References to what is erased turn invalid (References.h).
//
//===----------------------------------------------------------------------===//

#include "References.h"

#include "mlir-c/Dialect/Transform/Interpreter.h"
#include "mlir-c/IR.h"
#include "mlir-c/Pass.h"
#include "mlir-c/Rewrite.h"
#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Pass.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/DenseSet.h"

#include <nanobind/nanobind.h>

#include <atomic>
#include <mutex>
#include <optional>

namespace nb = nanobind;
using namespace mlir;
using namespace acc::python;

/// Declares __real_NAME and begins the definition of __wrap_NAME.
#define SEAM(result, name, parameters)                                         \
  extern "C" result __real_##name parameters;                                  \
  extern "C" MLIR_CAPI_EXPORTED result __wrap_##name parameters

//===----------------------------------------------------------------------===//
// Runs of pass managers
//===----------------------------------------------------------------------===//

namespace {

/// Diagnostics of a context while no Python code may be called. Upstream's
/// handlers are Python code; they get them afterwards, in the same order.
class HeldDiagnostics {
public:
  explicit HeldDiagnostics(MLIRContext *context)
      : engine(context->getDiagEngine()) {
    id = engine.registerHandler([this](Diagnostic &diagnostic) {
      if (passingOn)
        return failure();
      std::lock_guard lock(mutex);
      held.push_back(std::move(diagnostic));
      return success();
    });
  }
  ~HeldDiagnostics() { engine.eraseHandler(id); }

  /// Hands them to the handlers below. To be called with the GIL.
  void passOn() {
    passingOn = true;
    for (Diagnostic &diagnostic : held)
      engine.emit(std::move(diagnostic));
    held.clear();
    passingOn = false;
  }

private:
  /// Whether this thread passes diagnostics on: the handlers of other threads'
  /// runs in the same context let these through.
  static thread_local bool passingOn;

  DiagnosticEngine &engine;
  DiagnosticEngine::HandlerID id;
  std::mutex mutex;
  std::vector<Diagnostic> held;
};

thread_local bool HeldDiagnostics::passingOn = false;

/// A run of a pass manager, known to the callables in it by its root.
class Run {
public:
  explicit Run(Operation *root) : root(root) {
    std::lock_guard lock(mutex());
    outer = latest();
    latest() = this;
  }
  ~Run() {
    std::lock_guard lock(mutex());
    Run **at = &latest();
    while (*at != this)
      at = &(*at)->outer;
    *at = outer;
  }

  /// The innermost run whose root contains an operation, or null.
  static Run *of(Operation *op) {
    std::lock_guard lock(mutex());
    for (; op; op = op->getParentOp())
      for (Run *run = latest(); run; run = run->outer)
        if (run->root == op)
          return run;
    return nullptr;
  }

  /// Keeps the first exception. To be called with the GIL.
  void keep(std::exception_ptr exception) {
    if (!thrown)
      thrown = exception;
  }

  Operation *const root;
  std::exception_ptr thrown;

private:
  static std::mutex &mutex() {
    static std::mutex all;
    return all;
  }
  static Run *&latest() {
    static Run *run = nullptr;
    return run;
  }

  Run *outer;
};

} // namespace

SEAM(MlirLogicalResult, mlirPassManagerRunOnOp,
     (MlirPassManager manager, MlirOperation op)) {
  invalidateReferences(op, /*itself=*/false);
  Run run(unwrap(op));
  HeldDiagnostics diagnostics(unwrap(op)->getContext());
  MlirLogicalResult result;
  {
    nb::gil_scoped_release release;
    result = __real_mlirPassManagerRunOnOp(manager, op);
  }
  // An exception says more than the failure that it made of the pass.
  if (run.thrown)
    std::rethrow_exception(run.thrown);
  diagnostics.passOn();
  return result;
}

//===----------------------------------------------------------------------===//
// Python callables as passes
//===----------------------------------------------------------------------===//

namespace {

/// User data of an external pass in place of upstream's, which is the callable.
/// All clones of a pass share it.
struct Callable {
  MlirExternalPassCallbacks upstream;
  void *userData;
  /// Passes refer to the name of the operation that they are for; upstream's
  /// is gone when the pass has been made.
  std::string opName;
  std::atomic<int> uses = 0;
};

} // namespace

/// Calls the callable with the GIL.
static void runCallable(MlirOperation op, MlirExternalPass pass, void *data) {
  auto *callable = static_cast<Callable *>(data);
  nb::gil_scoped_acquire acquire;
  Run *run = Run::of(unwrap(op));
  if (!run) {
    callable->upstream.run(op, pass, callable->userData);
    return;
  }
  ScopedReferences references(wrap(run->root), ScopedReferences::InsideRoot);
  try {
    callable->upstream.run(op, pass, callable->userData);
  } catch (...) {
    run->keep(std::current_exception());
    mlirExternalPassSignalFailure(pass);
  }
}

SEAM(MlirPass, mlirCreateExternalPass,
     (MlirTypeID passID, MlirStringRef name, MlirStringRef argument,
      MlirStringRef description, MlirStringRef opName,
      intptr_t nDependentDialects, MlirDialectHandle *dependentDialects,
      MlirExternalPassCallbacks callbacks, void *userData)) {
  auto *callable = new Callable{callbacks, userData,
                                std::string(opName.data, opName.length)};
  MlirExternalPassCallbacks ours{};
  ours.construct = [](void *data) {
    auto *callable = static_cast<Callable *>(data);
    if (callable->uses++ == 0)
      callable->upstream.construct(callable->userData);
  };
  ours.destruct = [](void *data) {
    auto *callable = static_cast<Callable *>(data);
    if (--callable->uses)
      return;
    if (Py_IsInitialized()) {
      nb::gil_scoped_acquire acquire;
      callable->upstream.destruct(callable->userData);
    }
    delete callable;
  };
  ours.clone = [](void *data) { return data; };
  ours.run = runCallable;
  return __real_mlirCreateExternalPass(
      passID, name, argument, description,
      mlirStringRefCreate(callable->opName.data(), callable->opName.size()),
      nDependentDialects, dependentDialects, ours, callable);
}

// A pass for another operation than the manager's is nested; MLIR would stop
// the process.
SEAM(void, mlirPassManagerAddOwnedPass,
     (MlirPassManager manager, MlirPass pass)) {
  std::optional<StringRef> anchor = unwrap(manager)->getOpName();
  std::optional<StringRef> wanted = unwrap(pass)->getOpName();
  if (anchor && wanted && *anchor != *wanted)
    unwrap(manager)->nest(*wanted).addPass(std::unique_ptr<Pass>(unwrap(pass)));
  else
    __real_mlirPassManagerAddOwnedPass(manager, pass);
}

//===----------------------------------------------------------------------===//
// Erasing
//===----------------------------------------------------------------------===//

/// The operations of modules that Python has got hold of. They are destroyed
/// with their module.
static llvm::DenseSet<void *> &moduleOperations() {
  static auto *all = new llvm::DenseSet<void *>;
  return *all;
}

SEAM(MlirOperation, mlirModuleGetOperation, (MlirModule module)) {
  MlirOperation op = __real_mlirModuleGetOperation(module);
  moduleOperations().insert(op.ptr);
  return op;
}

/// Throws if an operation cannot be erased: if it is a module's, or if results
/// are still used, since their users would refer to what is gone.
static void checkErasable(MlirOperation op) {
  if (moduleOperations().contains(op.ptr))
    throw nb::value_error("the operation of a module lives as long as it");
  if (!unwrap(op)->use_empty())
    throw nb::value_error(("the results of " +
                           unwrap(op)->getName().getStringRef().str() +
                           " are still used")
                              .c_str());
}

SEAM(void, mlirOperationDestroy, (MlirOperation op)) {
  // Python drops the last reference to a detached operation: that cannot fail.
  // One whose results are used lives on as long as the process.
  if (isDeallocatingReference()) {
    if (!unwrap(op)->use_empty())
      return;
  } else {
    checkErasable(op);
  }
  invalidateReferences(op, /*itself=*/true);
  __real_mlirOperationDestroy(op);
}

SEAM(void, mlirModuleDestroy, (MlirModule module)) {
  MlirOperation op = __real_mlirModuleGetOperation(module);
  moduleOperations().erase(op.ptr);
  invalidateReferences(op, /*itself=*/true);
  __real_mlirModuleDestroy(module);
}

SEAM(void, mlirSymbolTableErase,
     (MlirSymbolTable symbolTable, MlirOperation op)) {
  invalidateReferences(op, /*itself=*/true);
  __real_mlirSymbolTableErase(symbolTable, op);
}

SEAM(void, mlirRewriterBaseEraseOp,
     (MlirRewriterBase rewriter, MlirOperation op)) {
  checkErasable(op);
  invalidateReferences(op, /*itself=*/true);
  __real_mlirRewriterBaseEraseOp(rewriter, op);
}

SEAM(void, mlirRewriterBaseReplaceOpWithValues,
     (MlirRewriterBase rewriter, MlirOperation op, intptr_t nValues,
      MlirValue const *values)) {
  invalidateReferences(op, /*itself=*/true);
  __real_mlirRewriterBaseReplaceOpWithValues(rewriter, op, nValues, values);
}

SEAM(void, mlirRewriterBaseReplaceOpWithOperation,
     (MlirRewriterBase rewriter, MlirOperation op, MlirOperation newOp)) {
  invalidateReferences(op, /*itself=*/true);
  __real_mlirRewriterBaseReplaceOpWithOperation(rewriter, op, newOp);
}

//===----------------------------------------------------------------------===//
// Transformations that call Python back
//===----------------------------------------------------------------------===//

SEAM(MlirLogicalResult, mlirApplyPatternsAndFoldGreedily,
     (MlirModule module, MlirFrozenRewritePatternSet patterns,
      MlirGreedyRewriteDriverConfig config)) {
  invalidateReferences(mlirModuleGetOperation(module), /*itself=*/false);
  ScopedReferences references(mlirModuleGetOperation(module),
                              ScopedReferences::All);
  return __real_mlirApplyPatternsAndFoldGreedily(module, patterns, config);
}

SEAM(MlirLogicalResult, mlirApplyPatternsAndFoldGreedilyWithOp,
     (MlirOperation op, MlirFrozenRewritePatternSet patterns,
      MlirGreedyRewriteDriverConfig config)) {
  invalidateReferences(op, /*itself=*/false);
  ScopedReferences references(op, ScopedReferences::All);
  return __real_mlirApplyPatternsAndFoldGreedilyWithOp(op, patterns, config);
}

SEAM(void, mlirWalkAndApplyPatterns,
     (MlirOperation op, MlirFrozenRewritePatternSet patterns)) {
  invalidateReferences(op, /*itself=*/false);
  ScopedReferences references(op, ScopedReferences::All);
  __real_mlirWalkAndApplyPatterns(op, patterns);
}

SEAM(MlirLogicalResult, mlirTransformApplyNamedSequence,
     (MlirOperation payload, MlirOperation transformRoot,
      MlirOperation transformModule, MlirTransformOptions options)) {
  invalidateReferences(payload, /*itself=*/false);
  ScopedReferences references(payload, ScopedReferences::All);
  return __real_mlirTransformApplyNamedSequence(payload, transformRoot,
                                                transformModule, options);
}
