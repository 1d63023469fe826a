//===- Device.cpp - Devices in Python -------------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/vta/device.h"
#include "Vta.h"
#include "acc/vta/csim.h"
#include "acc/vta/fsim.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <map>

namespace nb = nanobind;
using namespace nb::literals;
using namespace acc;
using namespace acc::python;

namespace {

using Bytes = nb::ndarray<uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

/// A device that keeps the arrays alive which it shows to the accelerator.
class PyDevice {
public:
  PyDevice(const std::string &name, const vta::isa::Config &config,
           const nb::kwargs &options) {
    std::string error;
    device = createStreamDevice(name, config, toTexts(options), &error);
    if (!device)
      raise("RunError", error);
  }

  uint64_t attach(Bytes array) {
    uint64_t address = device->attach(array.data(), array.size());
    arrays[address] = array;
    return address;
  }
  void attachAt(uint64_t address, Bytes array) {
    std::string error;
    if (!device->dram().mapAt(address, array.data(), array.size(), &error))
      raise("RunError", error);
    arrays[address] = array;
  }
  void detach(uint64_t address) {
    device->detach(address);
    arrays.erase(address);
  }

  nb::dict run(nb::bytes stream, bool sanitize,
               const std::optional<std::vector<std::pair<uint64_t, uint64_t>>>
                   &initialised,
               const std::vector<std::string> &layers,
               const std::vector<int32_t> &layerOf, bool events,
               const std::string &dialect) {
    if (stream.size() % sizeof(vta::isa::Word128) != 0)
      raise("RunError", "an instruction stream consists of 16-byte "
                        "instructions, but this one has " +
                            std::to_string(stream.size()) + " bytes");
    std::vector<vta::isa::Word128> words(stream.size() /
                                         sizeof(vta::isa::Word128));
    std::copy_n(stream.c_str(), stream.size(),
                reinterpret_cast<char *>(words.data()));
    StreamResult result;
    StreamOptions options;
    options.dialect = parseDialect(dialect);
    {
      nb::gil_scoped_release release;
      options.sanitize = sanitize;
      options.initialised = initialised;
      options.layers = layers;
      options.layerOf = layerOf;
      options.events = events;
      result = device->runStream(words, options);
    }
    return toDict(result, layers);
  }

  nb::dict runProgram(const vta::isa::Program &program,
                      const std::vector<uint64_t> &addresses, bool sanitize) {
    StreamResult result;
    {
      nb::gil_scoped_release release;
      result = device->runProgram(program, addresses, sanitize);
    }
    return toDict(result, program.layers);
  }

  std::unique_ptr<StreamDevice> device;

private:
  static nb::dict toDict(const StreamResult &result,
                         const std::vector<std::string> &layers) {
    nb::list diagnostics;
    for (const vta::isa::Diagnostic &d : result.diagnostics)
      diagnostics.append(nb::make_tuple(d.instruction, d.layer, d.message));
    nb::dict perLayer, dict;
    for (size_t i = 0; i < layers.size() && i < result.layers.size(); ++i)
      perLayer[nb::str(layers[i].c_str())] =
          acc::python::toDict(result.layers[i]);
    dict["ok"] = result.ok();
    dict["message"] = result.message;
    dict["diagnostics"] = diagnostics;
    dict["total"] = acc::python::toDict(result.total);
    dict["layers"] = perLayer;
    dict["initialised"] = result.initialised;
    if (result.timing) {
      dict["cycles"] = result.timing->cycles;
      nb::dict counters;
      for (const auto &[name, value] : result.timing->counters)
        counters[name.c_str()] = value;
      dict["circuit"] = counters;
      if (!result.timing->activity.empty())
        dict["activity"] = toDict(result.timing->activity);
      if (!result.timing->started.empty()) {
        dict["dispatched"] = toArray(result.timing->dispatched);
        dict["started"] = toArray(result.timing->started);
        dict["retired"] = toArray(result.timing->retired);
      }
    }
    return dict;
  }

  static nb::dict toDict(const std::vector<Activity> &activity) {
    nb::dict modules;
    for (const Activity &one : activity) {
      nb::dict waits, fields;
      for (const auto &[whom, cycles] : one.waits)
        if (cycles != 0)
          waits[whom.c_str()] = cycles;
      fields["busy"] = one.busy;
      fields["memory"] = one.memory;
      fields["waits"] = waits;
      fields["idle"] = one.idle;
      modules[one.module.c_str()] = fields;
    }
    return modules;
  }
  static nb::object toArray(const std::vector<uint64_t> &values) {
    auto *copy = new std::vector<uint64_t>(values);
    nb::capsule owner(copy, [](void *p) noexcept {
      delete static_cast<std::vector<uint64_t> *>(p);
    });
    return nb::cast(nb::ndarray<nb::numpy, uint64_t, nb::ndim<1>>(
        copy->data(), {copy->size()}, owner));
  }

  std::map<uint64_t, Bytes> arrays;
};

} // namespace

void acc::python::registerDevice(nb::module_ &m) {
  m.def("fsim_kernels", &vta::fsim::availableKernels,
        "GEMM kernels of the functional simulator that this machine runs, best "
        "first.");
  nb::list ports;
  for (uint32_t width : vta::csim::kPorts)
    ports.append(width);
  m.attr("CIRCUIT_PORTS") = nb::tuple(ports);
  m.def(
      "circuit_options", [] { return vta::csim::circuitOptions(); },
      "The options that choose a circuit.");
  m.def(
      "circuit_problems",
      [](int64_t portBits, int logQueue, int logTokens, int logBurst,
         int logOutstanding, int logAccBanks, int operandStages, int treeLevels,
         int aluStages, int earlyUops) {
        vta::csim::Options options;
        options.portBits =
            static_cast<uint32_t>(std::clamp<int64_t>(portBits, 0, 1 << 20));
        options.logQueue = logQueue;
        options.logTokens = logTokens;
        options.logBurst = logBurst;
        options.logOutstanding = logOutstanding;
        options.logAccBanks = logAccBanks;
        options.operandStages = operandStages;
        options.treeLevels = treeLevels;
        options.aluStages = aluStages;
        options.earlyUops = earlyUops;
        return vta::csim::circuitProblems(options);
      },
      "mem_width"_a = vta::csim::Options().portBits,
      "log_queue"_a = vta::csim::Options().logQueue,
      "log_tokens"_a = vta::csim::Options().logTokens,
      "log_max_burst"_a = vta::csim::Options().logBurst,
      "log_outstanding"_a = vta::csim::Options().logOutstanding,
      "log_acc_banks"_a = vta::csim::Options().logAccBanks,
      "operand_stages"_a = vta::csim::Options().operandStages,
      "tree_levels"_a = vta::csim::Options().treeLevels,
      "alu_stages"_a = vta::csim::Options().aluStages,
      "early_uops"_a = vta::csim::Options().earlyUops,
      "Why there is no such circuit.");
  m.def("acc_bank_problem", &vta::csim::accBankProblem, "config"_a,
        "log_acc_banks"_a, "mem_data_width"_a,
        "Why the accumulators do not have so many banks; empty if they do.");
  m.def("alu_stages_problem", &vta::csim::aluStagesProblem, "config"_a,
        "alu_stages"_a,
        "Why an ALU of so many stages does not have what a configuration "
        "declares; empty if it does.");
  nb::class_<PyDevice>(m, "Device",
                       "Executes instruction streams on arrays it is shown.")
      .def(nb::init<const std::string &, const vta::isa::Config &,
                    const nb::kwargs &>(),
           "name"_a, "config"_a, "options"_a,
           "A device by name, with the options of its kind (see "
           "device_kinds).")
      .def_prop_ro(
          "name",
          [](const PyDevice &d) { return std::string(d.device->name()); })
      .def("attach", &PyDevice::attach, "array"_a,
           "Shows a contiguous uint8 array at a free DRAM byte address, which "
           "is returned.")
      .def("attach_at", &PyDevice::attachAt, "address"_a, "array"_a)
      .def("detach", &PyDevice::detach, "address"_a)
      .def("run", &PyDevice::run, "stream"_a, "sanitize"_a = false,
           "initialised"_a = nb::none(),
           "layers"_a = std::vector<std::string>(),
           "layer_of"_a = std::vector<int32_t>(), "events"_a = false,
           "dialect"_a = "acc",
           "Runs a raw stream (bytes) on what earlier runs left in the "
           "scratchpads. Returns a dict: ok, message, diagnostics "
           "(instruction, layer, message), total and layers (counters); of "
           "devices with a notion of time also cycles, circuit (its counters) "
           "and, with `events`, started and retired: the cycles of each "
           "instruction. With `sanitize` and `initialised`, the DRAM bytes "
           "[begin, end) that have contents, reads of others are reported and "
           "the result has `initialised`: these and what was stored. "
           "`dialect` is what the stream may use, 'acc' or 'public' (fsim).")
      .def(
          "reset", [](PyDevice &d) { d.device->reset(); },
          "Zeroes the scratchpads, as they are in a device that was just "
          "made.")
      .def("run_program", &PyDevice::runProgram, "program"_a, "addresses"_a,
           "sanitize"_a = false,
           "Links a Program to the DRAM addresses of its buffers and runs it.");
}
