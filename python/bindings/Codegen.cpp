//===- Codegen.cpp - Object code ------------------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"

#include "passes/Host/ObjectEmission.h"

#include "mlir/Target/Cpp/CppEmitter.h"

using namespace acc::python;
using acc::host::TargetFacts;

static std::vector<nb::bytes> emitObjects(const Module &module,
                                          const std::string &cpu,
                                          const std::string &features,
                                          unsigned optLevel,
                                          const std::string &triple) {
  auto op = mlir::cast<mlir::ModuleOp>(module.op->get());
  DiagnosticCollector diagnostics(op.getContext());
  mlir::FailureOr<std::vector<acc::host::ObjectFile>> objects = mlir::failure();
  {
    nb::gil_scoped_release release;
    objects = acc::host::emitObjects(op, {triple, cpu, features, optLevel});
  }
  if (mlir::failed(objects))
    diagnostics.raise("no object code could be emitted");
  diagnostics.logRest();
  std::vector<nb::bytes> result;
  for (const acc::host::ObjectFile &object : *objects)
    result.emplace_back(object.data(), object.size());
  return result;
}

static nb::bytes emitC(const Module &module) {
  DiagnosticCollector diagnostics(module.op->get()->getContext());
  std::string text;
  mlir::LogicalResult result = mlir::failure();
  {
    nb::gil_scoped_release release;
    llvm::raw_string_ostream stream(text);
    result = mlir::emitc::translateToCpp(module.op->get(), stream);
  }
  if (mlir::failed(result))
    diagnostics.raise("no source could be written");
  diagnostics.logRest();
  return nb::bytes(text.data(), text.size());
}

static TargetFacts targetFacts(const std::string &cpu,
                               const std::string &features,
                               const std::string &triple) {
  std::string error;
  auto facts = acc::host::targetFacts({triple, cpu, features, 2}, error);
  if (mlir::failed(facts))
    throw nb::value_error(error.c_str());
  return *facts;
}

void acc::python::bindCodegen(nb::module_ &m) {
  m.def("emit_objects", &emitObjects, nb::arg("module"), nb::kw_only(),
        nb::arg("cpu") = "native", nb::arg("features") = "",
        nb::arg("opt_level") = 2, nb::arg("triple") = "",
        "Object files of what the module holds of the LLVM dialect, to be "
        "linked.");
  m.def("emit_c", &emitC, nb::arg("module"),
        "Source of what the module holds of the emitc dialect.");
  m.def("host_cpu", &acc::host::hostCpu,
        "This machine's processor, as LLVM names it.");
  nb::class_<TargetFacts>(m, "TargetFacts",
                          "What LLVM knows of a processor, after \"native\".")
      .def_ro("triple", &TargetFacts::triple)
      .def_ro("cpu", &TargetFacts::cpu)
      .def_ro("features", &TargetFacts::features, "All it has, sorted.");
  m.def("target_facts", &targetFacts, nb::arg("cpu") = "native",
        nb::arg("features") = "", nb::arg("triple") = "",
        "ValueError if there is no native code for the triple, or LLVM does "
        "not know the processor or a feature.");
}
