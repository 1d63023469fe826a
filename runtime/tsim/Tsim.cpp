//===- Tsim.cpp - Simulator made of the circuit ---------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/tsim.h"
#include "CircuitErrors.h"
#include "acc/circuit.h"

#include <dlfcn.h>
#include <filesystem>
#include <map>
#include <mutex>

using namespace acc;
using namespace acc::tsim;
using isa::Instruction;

namespace {

/// A shared object with a circuit in it.
class Model {
public:
  static std::unique_ptr<Model> open(const std::string &path,
                                     std::string *error) {
    auto fail = [&](std::string message) {
      if (error)
        *error = "cannot load the simulator of the circuit: " + message;
      return nullptr;
    };
    // Loaded once per path and never unloaded: many devices share it.
    void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle)
      return fail(dlerror());
    auto version = reinterpret_cast<decltype(&acc_circuit_version)>(
        dlsym(handle, "acc_circuit_version"));
    auto execute = reinterpret_cast<decltype(&acc_circuit_execute)>(
        dlsym(handle, "acc_circuit_execute"));
    if (!version || !execute)
      return fail("'" + path + "' is not one");
    if (version() != ACC_CIRCUIT_VERSION)
      return fail("'" + path + "' was built by another version of acc");
    auto model = std::make_unique<Model>();
    model->execute = execute;
    return model;
  }
  decltype(&acc_circuit_execute) execute;
};

class Tsim final : public Device {
public:
  Tsim(const isa::Config &config, std::unique_ptr<Model> model, Options options)
      : Device(config), model(std::move(model)), options(std::move(options)) {}

  std::string_view name() const override { return "tsim"; }

  using Device::run;
  RunResult run(std::span<const isa::Word128> stream,
                const RunOptions &runOptions) override;

private:
  /// The one thing the circuit cannot see: whether what it addresses exists. A
  /// port serves whole beats, of which a row may need only a part.
  std::optional<isa::Diagnostic>
  checkDram(const std::vector<std::optional<Instruction>> &insns) const;

  std::unique_ptr<Model> model;
  Options options;
};

std::optional<isa::Diagnostic>
Tsim::checkDram(const std::vector<std::optional<Instruction>> &insns) const {
  for (size_t i = 0; i < insns.size(); ++i) {
    const isa::MemInsn *mem = insns[i] ? insns[i]->mem() : nullptr;
    if (!mem || mem->isNop() || mem->ySize == 0)
      continue;
    const uint64_t element = configuration.elementBytes(mem->memory);
    const uint64_t row = mem->xSize * element;
    for (uint32_t y = 0; y < mem->ySize; ++y) {
      uint64_t address = (mem->dramBase + uint64_t(y) * mem->xStride) * element;
      if (!memory.lookup(address, row))
        return isa::Diagnostic{static_cast<int64_t>(i),
                               std::string(mem->store ? "writes" : "reads") +
                                   " DRAM bytes " + std::to_string(address) +
                                   " to " + std::to_string(address + row - 1) +
                                   ", which are outside of the memory there is",
                               ""};
    }
  }
  return std::nullopt;
}

RunResult Tsim::run(std::span<const isa::Word128> stream,
                    const RunOptions &runOptions) {
  RunResult result;
  result.layers.resize(runOptions.layers.size());
  isa::Codec codec(configuration);
  std::vector<std::optional<Instruction>> insns;
  insns.reserve(stream.size());
  for (const isa::Word128 &word : stream)
    insns.push_back(codec.decode(word));

  auto layerOf = [&](int64_t i) -> int32_t {
    if (i < 0 || static_cast<size_t>(i) >= runOptions.layerOf.size())
      return -1;
    int32_t layer = runOptions.layerOf[i];
    return layer >= 0 && static_cast<size_t>(layer) < runOptions.layers.size()
               ? layer
               : -1;
  };
  auto report = [&](isa::Diagnostic diagnostic) {
    if (int32_t layer = layerOf(diagnostic.instruction); layer >= 0)
      diagnostic.layer = runOptions.layers[layer];
    result.message = circuitMessage(diagnostic, insns);
    result.diagnostics.push_back(std::move(diagnostic));
  };
  if (auto problem = checkDram(insns)) {
    report(std::move(*problem));
    return result;
  }

  std::vector<isa::Word128> copy(stream.begin(), stream.end());
  // Room for the last beat of a wide port.
  copy.resize(copy.size() + 4);
  uint64_t address = memory.map(copy.data(), copy.size() * 16, 4096);
  acc_circuit_run request = {};
  request.stream = address;
  request.count = static_cast<uint32_t>(stream.size());
  request.limit = 4096 + 16 * (options.latency + options.jitter);
  request.memory.latency = options.latency;
  request.memory.jitter = options.jitter;
  request.memory.seed = options.seed;
  request.memory.user = &memory;
  request.memory.lookup = [](void *dram, uint64_t at, uint64_t bytes) {
    return static_cast<Dram *>(dram)->lookup(at, bytes);
  };
  request.trace = options.trace.empty() ? nullptr : options.trace.c_str();
  int status = model->execute(&request);
  memory.unmap(address);
  if (status != 0) {
    report({-1, "this simulator was built without tracing", ""});
    return result;
  }

  const uint32_t *r = request.registers;
  Timing &timing = result.timing.emplace();
  timing.cycles = r[ACC_REG_CYCLES_LO] | uint64_t(r[ACC_REG_CYCLES_HI]) << 32;
  constexpr const char *names[] = {
      "load_instructions", "compute_instructions", "store_instructions",
      "load_busy",         "compute_busy",         "store_busy",
      "gemm_steps",        "reset_steps",          "alu_steps",
      "read_beats",        "write_beats",          "load_waits",
      "compute_waits",     "store_waits"};
  for (size_t i = 0; i < std::size(names); ++i)
    timing.counters.emplace_back(names[i], r[ACC_REG_COUNTERS + i]);
  if (r[ACC_REG_STATUS] & 4) {
    report(circuitError(r[ACC_REG_ERROR], r[ACC_REG_PLACE], r[ACC_REG_WAITING],
                        r + ACC_REG_COUNTERS, configuration, insns));
    return result;
  }
  for (size_t i = 0; i < insns.size(); ++i) {
    Counters one = isa::count(*insns[i], configuration);
    result.total += one;
    if (int32_t layer = layerOf(i); layer >= 0)
      result.layers[layer] += one;
  }
  return result;
}

/// What Python has built, by configuration.
struct Registry {
  std::mutex mutex;
  std::map<std::string, Options> entries;
};
Registry &registry() {
  static Registry instance;
  return instance;
}

} // namespace

std::unique_ptr<Device> tsim::create(const isa::Config &config, Options options,
                                     std::string *error) {
  std::vector<std::string> problems = config.validate();
  if (!problems.empty()) {
    if (error)
      *error = "illegal configuration: " + problems.front();
    return nullptr;
  }
  std::unique_ptr<Model> model = Model::open(options.model, error);
  if (!model)
    return nullptr;
  return std::make_unique<Tsim>(config, std::move(model), std::move(options));
}

void tsim::provide(const isa::Config &config, Options options) {
  Registry &r = registry();
  std::lock_guard lock(r.mutex);
  r.entries[config.toJson()] = std::move(options);
}

std::optional<Options> tsim::provided(const isa::Config &config) {
  Registry &r = registry();
  std::lock_guard lock(r.mutex);
  auto found = r.entries.find(config.toJson());
  if (found == r.entries.end())
    return std::nullopt;
  return found->second;
}
