//===- Vta.cpp - Programs of the accelerator ------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"

#include "acc/vta/isa/Assembly.h"
#include "acc/vta/isa/ProgramFile.h"
#include "dialects/VTA/VTADialect.h"
#include "llvm/ADT/StringExtras.h"

#include <nanobind/stl/pair.h>

using namespace nb::literals;

namespace {

/// The program that a Python operation stands for.
acc::vta::isa::Program getProgram(const acc::python::OpHandle &handle) {
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
      "make_vta_config",
      [](const std::string &text, const std::string &dialect,
         nb::object context) {
        std::vector<std::string> problems;
        auto config = acc::vta::isa::Config::fromJson(text, problems);
        auto known = acc::vta::isa::dialectFromName(dialect);
        if (!known)
          problems.push_back("there is no dialect '" + dialect + "'");
        if (!problems.empty())
          throw nb::value_error(llvm::join(problems, "; ").c_str());
        ContextRef owner = resolveContext(context);
        return wrap(owner,
                    acc::vta::ConfigAttr::get(owner->get(), *config, *known));
      },
      "config"_a, "dialect"_a = "acc", "context"_a = nb::none(),
      "The attribute #vta.config of the text of a vta_config.json.");
  m.def(
      "read_vta_config",
      [](const acc::python::Attribute &attribute) {
        auto config = llvm::dyn_cast<acc::vta::ConfigAttr>(attribute.attr);
        if (!config)
          throw nb::type_error(("expected a #vta.config, not " +
                                acc::python::toString(attribute.attr))
                                   .c_str());
        return std::make_pair(
            config.getConfig().toJson(),
            std::string(acc::vta::isa::dialectName(config.getIsaDialect())));
      },
      "attribute"_a,
      "The text of the vta_config.json and the dialect of a #vta.config.");
  m.def(
      "write_program",
      [](const acc::python::OpHandle &handle) {
        std::string bytes = acc::vta::isa::writeProgram(getProgram(handle));
        return nb::bytes(bytes.data(), bytes.size());
      },
      "op"_a, "A vta.program as the file of a compiled model carries it.");
  m.def(
      "assemble_program",
      [](const acc::python::OpHandle &handle) {
        return acc::vta::isa::printProgram(getProgram(handle));
      },
      "op"_a, "A vta.program as assembly text.");
}
