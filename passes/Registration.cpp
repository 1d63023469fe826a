//===- Registration.cpp - Everything acc adds to MLIR ---------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Also the plugin entry points, so that the stock mlir-opt can load libacc.so.
//
//===----------------------------------------------------------------------===//

#include "passes/Registration.h"

#include "dialects/CPU/CPUDialect.h"
#include "dialects/Graph/Graph.h"
#include "dialects/TE/TEDialect.h"
#include "dialects/VTA/VTADialect.h"
#include "passes/C/Passes.h"
#include "passes/Graph/Passes.h"
#include "passes/Host/Passes.h"
#include "passes/TE/Passes.h"
#include "passes/VTA/Kernels/Target.h"
#include "passes/VTA/Passes.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

void acc::registerDialects(mlir::DialectRegistry &registry) {
  registry.insert<graph::GraphDialect, te::TEDialect, cpu::CPUDialect,
                  vta::VTADialect>();
  te::registerBufferizationModels(registry);
  cpu::registerBufferizationModels(registry);
  vta::registerTarget(registry);
}

void acc::loadDialects(mlir::MLIRContext &context) {
  context.loadDialect<graph::GraphDialect, te::TEDialect, cpu::CPUDialect,
                      vta::VTADialect>();
}

void acc::registerPasses() {
  graph::registerGraphPasses();
  te::registerTEPasses();
  vta::registerVTAPasses();
  host::registerHostPasses();
  c::registerCPasses();
}

void acc::registerEverything(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registerDialects(registry);
  static const bool once = [] {
    mlir::registerAllPasses();
    registerPasses();
    return true;
  }();
  (void)once;
}

extern "C" LLVM_ATTRIBUTE_WEAK mlir::DialectPluginLibraryInfo
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "acc", LLVM_VERSION_STRING,
          [](mlir::DialectRegistry *registry) {
            acc::registerDialects(*registry);
          }};
}

extern "C" LLVM_ATTRIBUTE_WEAK mlir::PassPluginLibraryInfo
mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "acc", LLVM_VERSION_STRING,
          [] { acc::registerPasses(); }};
}
