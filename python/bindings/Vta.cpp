//===- Vta.cpp - Programs of the accelerator ------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"

#include "acc/isa/Assembly.h"
#include "acc/isa/ProgramFile.h"
#include "dialects/VTA/VTADialect.h"

using namespace nb::literals;

namespace {

/// The program that a Python operation stands for.
acc::isa::Program getProgram(const acc::python::OpHandle &handle) {
  auto op = llvm::dyn_cast<acc::vta::ProgramOp>(handle.get());
  if (!op)
    throw nb::type_error(("expected a vta.program, not " +
                          handle.get()->getName().getStringRef().str())
                             .c_str());
  if (!acc::vta::ConfigAttr::lookup(op))
    throw nb::value_error("the vta.program is in no module with a vta.config");
  return op.getProgram();
}

} // namespace

void acc::python::bindVta(nb::module_ &m) {
  m.def(
      "write_program",
      [](const acc::python::OpHandle &handle) {
        std::string bytes = acc::isa::writeProgram(getProgram(handle));
        return nb::bytes(bytes.data(), bytes.size());
      },
      "op"_a, "A vta.program as the file of a compiled model carries it.");
  m.def(
      "assemble_program",
      [](const acc::python::OpHandle &handle) {
        return acc::isa::printProgram(getProgram(handle));
      },
      "op"_a, "A vta.program as assembly text.");
}
