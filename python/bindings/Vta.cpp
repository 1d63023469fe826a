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

#include <nanobind/stl/pair.h>

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

template <typename T> nb::bytes toBytes(const std::vector<T> &values) {
  return nb::bytes(reinterpret_cast<const char *>(values.data()),
                   values.size() * sizeof(T));
}

nb::dict encodeProgram(const acc::python::OpHandle &handle) {
  acc::isa::Program program = getProgram(handle);
  auto op = llvm::cast<acc::vta::ProgramOp>(handle.get());
  nb::list buffers;
  for (const acc::isa::Buffer &buffer : program.buffers)
    buffers.append(nb::make_tuple(buffer.name, buffer.bytes));
  program.bufferOf.resize(program.insns.size(), acc::isa::Program::kNone);
  program.layerOf.resize(program.insns.size(), acc::isa::Program::kNone);
  nb::dict result;
  result["name"] = op.getSymName().str();
  result["config"] = program.config.toJson();
  result["insns"] = toBytes(program.encode());
  result["relocations"] = toBytes(program.bufferOf);
  result["uops"] = toBytes(program.uops);
  result["uop_buffer"] = program.uopBuffer;
  result["buffers"] = buffers;
  result["layers"] = nb::cast(program.layers);
  result["layer_of"] = toBytes(program.layerOf);
  return result;
}

} // namespace

void acc::python::bindVta(nb::module_ &m) {
  m.def("encode_program", &encodeProgram, "op"_a,
        "A vta.program as data: a dict of name, config (vta_config.json text), "
        "insns (16 bytes each, dram_base relative to its buffer), relocations "
        "(int32 per instruction: index of that buffer, or -1), uops (4 bytes "
        "each), uop_buffer (index of the buffer they are bound to, or -1), "
        "buffers (name and bytes each; arguments of the launch, then the "
        "micro-ops), layers (names) and layer_of (int32 per instruction: index "
        "of its layer, or -1).");
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
