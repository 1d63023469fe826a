//===- acc-translate.cpp - Programs of targets in their own formats -------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every target has a file beside this one that registers its translations.
//
//===----------------------------------------------------------------------===//

#include "mlir/Tools/mlir-translate/MlirTranslateMain.h"

int main(int argc, char **argv) {
  return failed(mlir::mlirTranslateMain(argc, argv, "acc translation driver"));
}
