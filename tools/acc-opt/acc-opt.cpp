//===- acc-opt.cpp - The optimizer driver ---------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Registration.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

using namespace llvm;

static constexpr StringLiteral kUsage =
    R"(OVERVIEW: acc optimizer driver: reads IR, runs passes over it and prints it

USAGE: acc-opt [options] [passes] [input.mlir]

  acc-opt model.mlir -canonicalize -graph-legalize-quantization
  acc-opt kernels.mlir --pass-pipeline='builtin.module(te.kernel(te-tile,te-vthread))'

OPTIONS:
  -o <file>                       where the result goes (default: standard output)
  --pass-pipeline=<text>          passes with their nesting and options
  --split-input-file              runs each part between // ----- lines on its own
  --verify-diagnostics            checks errors against expected-error comments
  --mlir-print-ir-before-all, --mlir-print-ir-after-all, --mlir-print-ir-after-failure
                                  print the IR between passes
  --mlir-print-op-generic         prints operations in their generic form
  --mlir-elide-elementsattrs-if-larger=<n>, --mlir-elide-resource-strings-if-larger=<n>
                                  leave out large constants
  --mlir-timing                   how long passes take
  --show-dialects                 the dialects that can be read
  --help                          this text
  --help-hidden                   every option, and the passes of MLIR itself

PASSES OF ACC (those of MLIR, such as -canonicalize and -cse: --help-hidden):
)";

/// What somebody who works on acc looks for, and not the hundreds of options
/// and passes that MLIR comes with.
static void printHelp() {
  outs() << kUsage << '\n';
  acc::registerPasses();
  mlir::printRegisteredPasses();
}

int main(int argc, char **argv) {
  if (llvm::any_of(ArrayRef(argv, argc), [](StringRef argument) {
        return is_contained({"--help", "-help", "-h"}, argument);
      })) {
    printHelp();
    return 0;
  }
  mlir::DialectRegistry registry;
  acc::registerEverything(registry);
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "acc optimizer driver\n", registry));
}
