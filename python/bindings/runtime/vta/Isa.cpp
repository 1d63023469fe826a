//===- Isa.cpp - Instruction set in Python --------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Vta.h"
#include "acc/vta/isa/Assembly.h"
#include "acc/vta/isa/ProgramFile.h"
#include "acc/vta/isa/Verify.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cctype>

namespace nb = nanobind;
using namespace nb::literals;
using namespace acc::vta::isa;
using namespace acc::python;

namespace {

Config parseConfig(const std::string &text,
                   std::vector<std::string> *warnings = nullptr) {
  std::vector<std::string> problems;
  std::optional<Config> config = Config::fromJson(text, problems, warnings);
  if (!config)
    raise("ConfigError", joined("illegal hardware configuration", problems));
  return *config;
}

Memory parseMemory(const std::string &name) {
  std::optional<Memory> memory = memoryFromName(name);
  if (!memory || !isDefined(*memory))
    throw nb::value_error(("unknown memory '" + name + "'").c_str());
  return *memory;
}

std::vector<Word128> words(nb::bytes stream) {
  if (stream.size() % sizeof(Word128) != 0)
    raise("RunError", "an instruction stream consists of 16-byte instructions, "
                      "but this one has " +
                          std::to_string(stream.size()) + " bytes");
  std::vector<Word128> result(stream.size() / sizeof(Word128));
  std::copy_n(stream.c_str(), stream.size(),
              reinterpret_cast<char *>(result.data()));
  return result;
}

template <typename T> nb::bytes toBytes(const std::vector<T> &values) {
  return nb::bytes(reinterpret_cast<const char *>(values.data()),
                   values.size() * sizeof(T));
}

/// {"mem": {"sram_base": (bit, width), ...}, "gemm": ..., "alu": ..., "uop":
/// ...}.
nb::dict layoutDict(const Config &config) {
  nb::dict result;
  forEachField(Layout(config),
               [&](const char *kind, const char *name, Field field) {
                 if (!result.contains(kind))
                   result[kind] = nb::dict();
                 result[kind][name] = nb::make_tuple(field.pos, field.width);
               });
  return result;
}

/// Makes the integer keys attributes in lower case.
void defineKeys(nb::class_<Config> &config) {
  for (const Config::Key &key : Config::keys()) {
    std::string name;
    for (const char *c = key.name; *c; ++c)
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(*c)));
    int Config::*member = key.member;
    config.def_prop_ro(name.c_str(),
                       [member](const Config &c) { return c.*member; });
  }
}

/// The neighbours that two flags of an instruction name.
nb::list neighbours(Module module, bool prev, bool next) {
  nb::list result;
  const int at = static_cast<int>(module);
  if (prev && at > 0)
    result.append(moduleName(static_cast<Module>(at - 1)));
  if (next && at + 1 < kNumModules)
    result.append(moduleName(static_cast<Module>(at + 1)));
  return result;
}

nb::list describeAll(const Program &program) {
  nb::list result;
  for (size_t i = 0; i < program.insns.size(); ++i) {
    const Instruction &insn = program.insns[i];
    const Counters counters = count(insn, program.config);
    nb::dict one;
    one["name"] = describe(insn);
    one["module"] = moduleName(insn.module());
    one["layer"] = std::string(program.layerOfInsn(i));
    one["assembly"] = printInstruction(insn, program.bufferOfInsn(i));
    one["buffer"] = program.bufferOfInsn(i);
    one["pops"] =
        neighbours(insn.module(), insn.deps.popPrev, insn.deps.popNext);
    one["pushes"] =
        neighbours(insn.module(), insn.deps.pushPrev, insn.deps.pushNext);
    uint64_t bytes = 0;
    for (uint64_t part : counters.dramBytes)
      bytes += part;
    one["memory"] = insn.mem() ? memoryName(insn.mem()->memory) : "";
    one["dram_bytes"] = bytes;
    one["gemm_steps"] = counters.gemmSteps;
    one["alu_steps"] = counters.aluSteps;
    one["reset_steps"] = counters.resetSteps;
    result.append(one);
  }
  return result;
}

using Message = std::tuple<int64_t, std::string, std::string>;

} // namespace

Dialect acc::python::parseDialect(const std::string &name) {
  std::optional<Dialect> dialect = dialectFromName(name);
  if (!dialect)
    raise("RunError", "there is no dialect '" + name +
                          "' of the instruction set: 'acc' is all of it, "
                          "'public' what the public designs agree on");
  return *dialect;
}

nb::dict acc::python::toDict(const Counters &counters) {
  nb::dict instructions, dram, result;
  for (size_t i = 0; i < counters.instructions.size(); ++i)
    instructions[opcodeName(static_cast<Opcode>(i))] = counters.instructions[i];
  for (size_t i = 0; i < counters.dramBytes.size(); ++i)
    dram[memoryName(static_cast<Memory>(i))] = counters.dramBytes[i];
  result["instructions"] = instructions;
  result["dram_bytes"] = dram;
  result["gemm_steps"] = counters.gemmSteps;
  result["reset_steps"] = counters.resetSteps;
  result["alu_steps"] = counters.aluSteps;
  return result;
}

void acc::python::registerIsa(nb::module_ &m) {
  nb::class_<Config> config(
      m, "Config", "A hardware configuration (vta_config.json). Immutable.");
  defineKeys(config);
  config
      .def(
          "__init__",
          [](Config *self, const std::string &text) {
            new (self) Config(parseConfig(text));
          },
          "text"_a = "{}",
          "Parses the text of a vta_config.json; absent keys take their "
          "defaults. Raises "
          "acc.ConfigError with every problem found.")
      .def_static(
          "read",
          [](const std::string &text) {
            std::vector<std::string> warnings;
            Config config = parseConfig(text, &warnings);
            return std::make_pair(config, warnings);
          },
          "text"_a,
          "The same, with a list of warnings: what the text says that is not "
          "followed.")
      .def("to_json", &Config::toJson, "pretty"_a = false)
      .def("__repr__",
           [](const Config &c) { return "Config('" + c.toJson() + "')"; })
      .def("__eq__", [](const Config &a, const Config &b) { return a == b; })
      .def("__hash__",
           [](const Config &c) { return std::hash<std::string>()(c.toJson()); })
      .def_ro("target", &Config::target)
      .def_prop_ro("layout", &layoutDict,
                   "Bit and width of every field: {'mem': {'sram_base': (10, "
                   "16), ...}, 'gemm', 'alu' (what differs from GEMM), 'uop'}.")
      .def_prop_ro("alignment", &Config::alignment,
                   "Bytes of the largest element in DRAM: where buffers of "
                   "any memory may start.")
      .def_prop_ro("batch", &Config::batch)
      .def_prop_ro("block_in", &Config::blockIn)
      .def_prop_ro("block_out", &Config::blockOut)
      .def_prop_ro("inp_bits", &Config::inpBits)
      .def_prop_ro("wgt_bits", &Config::wgtBits)
      .def_prop_ro("log_tables", &Config::logTables,
                   "log2 of the tables of the ALU, where there are any.")
      .def_prop_ro_static(
          "log_table_entries",
          [](nb::handle) { return Config::kLogTableEntries; },
          "log2 of the entries of each.")
      .def("table_begin", &Config::tableBegin, "imm"_a,
           "The micro-op that is the first entry of the table that the "
           "immediate of `table` names.")
      .def(
          "depth",
          [](const Config &c, const std::string &m) {
            return c.depth(parseMemory(m));
          },
          "memory"_a,
          "Entries of the scratchpad 'uop', 'wgt', 'inp', 'acc' ('out', "
          "'acc8').")
      .def(
          "element_bytes",
          [](const Config &c, const std::string &m) {
            return c.elementBytes(parseMemory(m));
          },
          "memory"_a, "Bytes of one element in DRAM.");

  nb::class_<Program>(m, "Program",
                      "An instruction stream with what is known about it.")
      .def_static(
          "decode",
          [](const Config &config, nb::bytes stream) {
            std::string error;
            std::optional<Program> program =
                Program::decode(config, words(stream), &error);
            if (!program)
              raise("RunError", error);
            return *program;
          },
          "config"_a, "stream"_a,
          "Reads a raw stream (16 bytes per instruction).")
      .def_static(
          "parse",
          [](const std::string &text, const Config &config) {
            std::vector<std::string> problems;
            std::optional<Program> program =
                parseProgram(text, config, problems);
            if (!program)
              raise("RunError", joined("cannot assemble", problems));
            return *program;
          },
          "text"_a, "config"_a = Config(),
          "Parses assembly text. Raises acc.RunError naming every wrong line.")
      .def("__len__", [](const Program &p) { return p.insns.size(); })
      .def("__str__", &printProgram)
      .def("__eq__", [](const Program &a, const Program &b) { return a == b; })
      .def_ro("config", &Program::config)
      .def_prop_ro(
          "uops", [](const Program &p) { return toBytes(p.uops); },
          "The micro-op table: 4 bytes each.")
      .def_prop_ro(
          "buffers",
          [](const Program &p) {
            std::vector<std::pair<std::string, uint64_t>> result;
            for (const Buffer &buffer : p.buffers)
              result.emplace_back(buffer.name, buffer.bytes);
            return result;
          },
          "Name and size in bytes (0: unknown) of each buffer.")
      .def_prop_ro("instructions", &describeAll,
                   "A dict per instruction: name, module, layer, assembly, the "
                   "modules whose tokens it pops and pushes, and what it does.")
      .def("layer", [](const Program &p,
                       size_t i) { return std::string(p.layerOfInsn(i)); })
      .def(
          "encode", [](const Program &p) { return toBytes(p.encode()); },
          "The stream as bytes, unrelocated.")
      .def(
          "link",
          [](const Program &p,
             const std::optional<std::vector<uint64_t>> &addresses) {
            std::string error;
            auto result = p.link(addresses.value_or(p.addresses), &error);
            if (!result)
              raise("RunError", error);
            return toBytes(*result);
          },
          "addresses"_a = nb::none(),
          "The stream as bytes, with the buffers at DRAM byte addresses; "
          "without any, at those that the program has.")
      .def_ro("uop_buffer", &Program::uopBuffer,
              "Which buffer holds the micro-ops; -1 if none does.")
      .def(
          "with_uops",
          [](const Program &p, nb::bytes table) {
            if (table.size() % sizeof(uint32_t) != 0)
              raise("RunError", "micro-ops have 4 bytes each, but the table "
                                "has " +
                                    std::to_string(table.size()));
            Program result = p;
            result.uops.resize(table.size() / sizeof(uint32_t));
            std::copy_n(table.c_str(), table.size(),
                        reinterpret_cast<char *>(result.uops.data()));
            return result;
          },
          "table"_a, "The program with this table of micro-ops, 4 bytes each.")
      .def(
          "at",
          [](const Program &p, const std::vector<uint64_t> &addresses) {
            Program placed = p;
            placed.addresses = addresses;
            return placed;
          },
          "addresses"_a, "The program with its buffers at these addresses.")
      .def_prop_ro(
          "addresses", [](const Program &p) { return p.addresses; },
          "DRAM byte addresses of the buffers, if it is settled where they "
          "lie; empty otherwise.")
      .def(
          "counters", [](const Program &p) { return toDict(count(p)); },
          "Instructions, DRAM bytes and steps of one execution.")
      .def(
          "counters_by_layer",
          [](const Program &p) {
            std::vector<Counters> counters(p.layers.size() + 1);
            for (size_t i = 0; i < p.insns.size(); ++i) {
              int32_t layer =
                  i < p.layerOf.size() ? p.layerOf[i] : Program::kNone;
              counters[layer == Program::kNone ? p.layers.size() : layer] +=
                  count(p.insns[i], p.config);
            }
            nb::dict result;
            for (size_t i = 0; i < p.layers.size(); ++i)
              result[p.layers[i].c_str()] = toDict(counters[i]);
            result[""] = toDict(counters.back());
            return result;
          },
          "The same by layer; under \"\" those of instructions without one.")
      .def(
          "insert_tokens", [](Program &p) { insertTokens(p); },
          "Replaces all dependence flags by the fewest that order every "
          "hazard.")
      .def(
          "verify",
          [](const Program &p, bool uninitialised, const std::string &dialect) {
            VerifyOptions options;
            options.uninitialised = uninitialised;
            options.dialect = parseDialect(dialect);
            std::vector<Diagnostic> diagnostics;
            {
              nb::gil_scoped_release release;
              diagnostics = verify(p, options);
            }
            std::vector<Message> result;
            for (const Diagnostic &d : diagnostics)
              result.emplace_back(d.instruction, d.layer, format(d, p));
            return result;
          },
          "uninitialised"_a = false, "dialect"_a = "acc",
          "What makes the program ill-formed, or is not part of the dialect "
          "'acc' or 'public': (instruction or -1, layer, message) each.");
  m.def(
      "write_program",
      [](const Program &program) {
        std::string bytes = writeProgram(program);
        return nb::bytes(bytes.data(), bytes.size());
      },
      "program"_a, "The program as compiled models carry it.");
  m.def(
      "read_program",
      [](nb::bytes bytes) {
        std::string error;
        auto program = readProgram({bytes.c_str(), bytes.size()}, &error);
        if (!program)
          raise("ModelFileError", error);
        return *program;
      },
      "data"_a, "Reads what write_program wrote.");
}
