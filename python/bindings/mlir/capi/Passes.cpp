//===- Passes.cpp - What pass managers and diagnostics are asked for ------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "capi/Acc.h"

#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Pass.h"
#include "mlir/CAPI/Support.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "mlir/Pass/PassManager.h"

#include <chrono>
#include <map>
#include <mutex>

using namespace mlir;

namespace {

/// Measures every pass and tells of its end.
class PassEnds : public PassInstrumentation {
public:
  using Ended = void (*)(MlirStringRef, MlirOperation, double, bool, void *);

  PassEnds(Ended ended, void (*destroy)(void *), void *userData)
      : ended(ended), destroy(destroy), userData(userData) {}
  ~PassEnds() override { destroy(userData); }

  void runBeforePass(Pass *pass, Operation *op) override {
    if (isAdaptor(pass))
      return;
    std::lock_guard lock(mutex);
    started[{pass, op}] = std::chrono::steady_clock::now();
  }
  void runAfterPass(Pass *pass, Operation *op) override {
    tell(pass, op, false);
  }
  void runAfterPassFailed(Pass *pass, Operation *op) override {
    tell(pass, op, true);
  }

private:
  /// Adaptors nest pipelines; they are no passes of their own.
  static bool isAdaptor(Pass *pass) {
    return pass->getName().contains("OpToOpPassAdaptor");
  }

  void tell(Pass *pass, Operation *op, bool failed) {
    auto now = std::chrono::steady_clock::now();
    if (isAdaptor(pass))
      return;
    std::chrono::duration<double> spent{};
    {
      std::lock_guard lock(mutex);
      auto it = started.find({pass, op});
      if (it != started.end()) {
        spent = now - it->second;
        started.erase(it);
      }
    }
    StringRef name =
        pass->getArgument().empty() ? pass->getName() : pass->getArgument();
    ended(wrap(name), wrap(op), spent.count(), failed, userData);
  }

  Ended ended;
  void (*destroy)(void *);
  void *userData;
  std::mutex mutex;
  std::map<std::pair<Pass *, Operation *>,
           std::chrono::steady_clock::time_point>
      started;
};

} // namespace

void accPassManagerOnPassEnd(MlirPassManager manager,
                             void (*ended)(MlirStringRef, MlirOperation, double,
                                           bool, void *),
                             void (*destroy)(void *), void *userData) {
  unwrap(manager)->addInstrumentation(
      std::make_unique<PassEnds>(ended, destroy, userData));
}

void accContextPrintOperationsInDiagnostics(MlirContext context, bool print) {
  unwrap(context)->printOpOnDiagnostic(print);
}
