//===- Tsim.cpp - Simulator made of the circuit ---------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/vta/tsim.h"
#include "CircuitErrors.h"
#include "acc/vta/circuit.h"
#include "acc/vta/csim.h"

#include <dlfcn.h>
#include <filesystem>
#include <limits>
#include <type_traits>

using namespace acc;
using namespace acc::vta;
using namespace acc::vta::tsim;
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
    if (!version)
      return fail("'" + path + "' is not one");
    if (version() != ACC_CIRCUIT_VERSION)
      return fail("'" + path + "' was built by another version of acc");
    auto model = std::make_unique<Model>();
    auto find = [&](auto &function, const char *name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(
          dlsym(handle, name));
      return function != nullptr;
    };
    if (!find(model->create, "acc_circuit_create") ||
        !find(model->execute, "acc_circuit_execute") ||
        !find(model->destroy, "acc_circuit_destroy"))
      return fail("'" + path + "' is not one");
    return model;
  }
  decltype(&acc_circuit_create) create;
  decltype(&acc_circuit_execute) execute;
  decltype(&acc_circuit_destroy) destroy;
};

class Tsim final : public StreamDevice {
public:
  Tsim(const isa::Config &config, std::unique_ptr<Model> model, Options options)
      : StreamDevice(config), model(std::move(model)),
        options(std::move(options)) {}
  ~Tsim() override { reset(); }

  std::string_view name() const override { return "tsim"; }

  /// Scratchpads are zero when a circuit is configured, so the next run is on
  /// another one.
  void reset() override {
    if (circuit)
      model->destroy(circuit);
    circuit = nullptr;
  }

  StreamResult runStream(std::span<const isa::Word128> stream,
                         const StreamOptions &runOptions) override;

private:
  std::string traceFile() const {
    if (options.trace.empty() || circuits == 0)
      return options.trace;
    std::filesystem::path path(options.trace);
    std::string name = path.stem().string() + "-" + std::to_string(circuits) +
                       path.extension().string();
    return path.replace_filename(name).string();
  }

  std::unique_ptr<Model> model;
  Options options;
  /// Made by the first run after a reset.
  acc_circuit *circuit = nullptr;
  /// The file for its waveforms, and how many circuits there have been.
  std::string trace;
  size_t circuits = 0;
};

/// Gathers the circuit's events by instruction: each module starts and retires
/// its own in order.
class Recorder {
public:
  explicit Recorder(const std::vector<std::optional<Instruction>> &insns)
      : started(insns.size()), retired(insns.size()) {
    for (size_t i = 0; i < insns.size(); ++i)
      if (insns[i])
        order[static_cast<size_t>(insns[i]->module())].push_back(i);
  }
  static void record(void *user, uint64_t cycle, unsigned events) {
    auto *self = static_cast<Recorder *>(user);
    for (size_t m = 0; m < isa::kNumModules; ++m)
      for (size_t kind = 0; kind < 2; ++kind) {
        size_t &next = self->next[m][kind];
        if ((events >> (2 * m + kind) & 1) && next < self->order[m].size())
          // The first cycle that the circuit counts is the second one after
          // its start.
          (kind ? self->retired : self->started)[self->order[m][next++]] =
              cycle - 1;
      }
  }
  std::vector<uint64_t> started, retired;

private:
  std::array<std::vector<size_t>, isa::kNumModules> order;
  size_t next[isa::kNumModules][2] = {};
};

StreamResult Tsim::runStream(std::span<const isa::Word128> stream,
                             const StreamOptions &runOptions) {
  StreamResult result;
  result.layers.resize(runOptions.layers.size());
  isa::Codec codec(configuration);
  std::vector<std::optional<Instruction>> insns;
  insns.reserve(stream.size());
  // Why the first instruction is none, which the circuit says in fewer words.
  std::string reason;
  size_t undefined = stream.size();
  for (const isa::Word128 &word : stream) {
    std::string why;
    insns.push_back(codec.decode(word, &why));
    if (!insns.back() && undefined == stream.size()) {
      undefined = insns.size() - 1;
      reason = std::move(why);
    }
  }

  auto report = [&](isa::Diagnostic diagnostic) {
    diagnostic.layer = runOptions.layerName(diagnostic.instruction);
    result.message = circuitMessage(diagnostic, insns);
    result.diagnostics.push_back(std::move(diagnostic));
  };
  if (auto problem = checkDram(configuration, memory, insns)) {
    report(std::move(*problem));
    return result;
  }
  if (!circuit) {
    trace = traceFile();
    circuit = model->create(trace.empty() ? nullptr : trace.c_str());
    ++circuits;
  }
  if (!circuit) {
    report({-1,
            "cannot write waveforms to '" + trace +
                "', or the simulator was built without",
            ""});
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
  Recorder recorder(insns);
  if (runOptions.events) {
    request.event = Recorder::record;
    request.event_user = &recorder;
  }
  model->execute(circuit, &request);
  memory.unmap(address);

  const uint32_t *r = request.registers;
  Timing &timing = result.timing.emplace();
  timing.cycles = r[ACC_REG_CYCLES_LO] | uint64_t(r[ACC_REG_CYCLES_HI]) << 32;
  constexpr const char *names[] = ACC_COUNTER_NAMES;
  for (size_t i = 0; i < std::size(names); ++i)
    timing.counters.emplace_back(names[i], r[ACC_REG_COUNTERS + i]);
  if (runOptions.events) {
    timing.started = std::move(recorder.started);
    timing.retired = std::move(recorder.retired);
  }
  if (r[ACC_REG_STATUS] >> ACC_BIT_STATUS_ERROR & 1) {
    isa::Diagnostic problem =
        circuitError(r[ACC_REG_ERROR], r[ACC_REG_PLACE], r[ACC_REG_WAITING],
                     r + ACC_REG_COUNTERS, configuration, insns);
    if (problem.instruction == static_cast<int64_t>(undefined))
      problem.message = std::move(reason);
    report(std::move(problem));
    // It may still be asking for memory that is gone when the next run starts.
    reset();
    return result;
  }
  for (size_t i = 0; i < insns.size(); ++i)
    result.count(isa::count(*insns[i], configuration), static_cast<int64_t>(i),
                 runOptions);
  return result;
}

} // namespace

std::unique_ptr<StreamDevice>
tsim::create(const isa::Config &config, Options options, std::string *error) {
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

const StreamDeviceKind &tsim::kind() {
  constexpr int64_t most = std::numeric_limits<int64_t>::max();
  static const StreamDeviceKind kind = {
      "tsim",
      "the simulated circuit",
      {std::string(kTimed), std::string(kTrace)},
      {csim::latencyOption(),
       DeviceOption::makeNumber(
           "jitter", "up to so many cycles more, at random", 0, 0, 1 << 20),
       DeviceOption::makeNumber("seed", "seed of the jitter", 1, 0, most),
       DeviceOption::makeText("trace", "file for waveforms (.fst)"),
       DeviceOption::makeText("model", "shared object with the circuit")},
      [](const isa::Config &config, const DeviceOptions &options,
         std::string *error) -> std::unique_ptr<StreamDevice> {
        if (options.text("model").empty()) {
          if (error)
            *error = "device 'tsim' needs the circuit of the configuration " +
                     config.toJson() +
                     " as its option 'model': acc.Device('tsim') builds it";
          return nullptr;
        }
        return create(config,
                      {options.text("model"), options.as<uint32_t>("latency"),
                       options.as<uint32_t>("jitter"),
                       options.as<uint64_t>("seed"), options.text("trace")},
                      error);
      }};
  return kind;
}
