//===- Csim.cpp - The cycle model as a device -----------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../tsim/CircuitErrors.h"
#include "Machine.h"
#include "acc/fsim.h"

#include <map>
#include <mutex>

using namespace acc;
using namespace acc::csim;
using isa::Diagnostic;
using isa::Instruction;
using isa::MemInsn;
using isa::Module;

namespace {

using Insns = std::vector<std::optional<Instruction>>;

class Csim final : public Device {
public:
  Csim(const isa::Config &config, Options options,
       std::unique_ptr<Device> functional)
      : Device(config), options(options), functional(std::move(functional)),
        uops(config.depth(isa::Memory::Uop)) {}

  std::string_view name() const override { return "csim"; }

  void reset() override {
    std::fill(uops.begin(), uops.end(), isa::Uop());
    if (functional)
      functional->reset();
  }

  using Device::run;
  RunResult run(std::span<const isa::Word128> stream,
                const RunOptions &runOptions) override;

private:
  const Options options;
  /// Executes what is timed here; null if nobody cares for data.
  std::unique_ptr<Device> functional;
  /// The micro-op scratchpad: all that time depends on of what earlier streams
  /// left.
  std::vector<isa::Uop> uops;
};

/// What the circuit would refuse, in the order in which it is found: by fetch,
/// then by the modules. \p uops is the micro-op scratchpad before the run.
std::optional<Diagnostic>
checkStream(const isa::Config &config, std::span<const isa::Word128> stream,
            const Dram &dram, std::vector<isa::Uop> uops, Insns &insns) {
  const isa::Codec codec(config);
  for (size_t i = 0; i < stream.size(); ++i) {
    std::string reason;
    insns.push_back(codec.decode(stream[i], &reason));
    const int64_t at = static_cast<int64_t>(i);
    if (!insns.back())
      return Diagnostic{at, reason, ""};
    if (auto problem = isa::checkForm(*insns.back()))
      return Diagnostic{at, *problem, ""};
    if (insns.back()->isFinish() && i + 1 != stream.size())
      return Diagnostic{at, "FINISH is not the last instruction", ""};
  }
  if (insns.empty() || !insns.back()->isFinish())
    return Diagnostic{-1, "the stream does not end with FINISH", ""};
  if (auto problem = tsim::checkDram(config, dram, insns))
    return problem;
  for (size_t i = 0; i < insns.size(); ++i) {
    if (auto problem = isa::checkRanges(config, *insns[i], uops, nullptr))
      return Diagnostic{static_cast<int64_t>(i), *problem, ""};
    const MemInsn *mem = insns[i]->mem();
    if (mem && !mem->store && mem->memory == isa::Memory::Uop)
      readUops(*mem, dram, codec, uops);
  }
  return std::nullopt;
}

Timing timing(Report report, const isa::Counters &total, bool events) {
  Timing result;
  result.cycles = report.cycles;
  auto count = [&](std::string name, uint64_t value) {
    result.counters.emplace_back(std::move(name), value);
  };
  auto countAll = [&](const char *what, const auto &values) {
    for (size_t m = 0; m < isa::kNumModules; ++m)
      count(isa::moduleName(static_cast<Module>(m)) + std::string(what),
            values[m]);
  };
  // The names of the circuit's counters.
  countAll("_instructions", report.retired);
  countAll("_busy", report.busy);
  countAll("_waits", report.waits);
  count("gemm_steps", total.gemmSteps);
  count("reset_steps", total.resetSteps);
  count("alu_steps", total.aluSteps);
  count("read_beats", report.readBeats);
  count("write_beats", report.writtenBeats);

  auto activity = [&](const char *name, const ModuleTime &time) {
    Activity one{name, time.busy, time.memory, time.idle, {}};
    for (size_t m = 0; m < isa::kNumModules; ++m)
      one.waits.emplace_back(isa::moduleName(static_cast<Module>(m)),
                             time.waits[m]);
    result.activity.push_back(std::move(one));
  };
  activity("fetch", report.fetch);
  for (size_t m = 0; m < isa::kNumModules; ++m)
    activity(isa::moduleName(static_cast<Module>(m)), report.modules[m]);
  if (events) {
    result.dispatched = std::move(report.dispatched);
    result.started = std::move(report.starts);
    result.retired = std::move(report.ends);
  }
  return result;
}

RunResult Csim::run(std::span<const isa::Word128> stream,
                    const RunOptions &runOptions) {
  RunResult result;
  result.layers.resize(runOptions.layers.size());
  Insns decoded;
  auto refuse = [&](Diagnostic diagnostic) {
    if (int32_t layer = runOptions.layer(diagnostic.instruction); layer >= 0)
      diagnostic.layer = runOptions.layers[layer];
    result.message = tsim::circuitMessage(diagnostic, decoded);
    result.diagnostics.push_back(std::move(diagnostic));
    return std::move(result);
  };
  decoded.reserve(stream.size());
  if (auto problem = checkStream(configuration, stream, memory, uops, decoded))
    return refuse(*problem);

  std::vector<Instruction> insns;
  std::vector<Module> modules;
  insns.reserve(decoded.size());
  modules.reserve(decoded.size());
  for (const auto &insn : decoded) {
    insns.push_back(*insn);
    modules.push_back(insn->module());
  }
  // Before anything is executed, which might change micro-ops.
  Report report =
      Machine(configuration, options, memory, insns, modules, uops).run();
  if (report.standstill.kind != Standstill::None)
    return refuse(
        tsim::standstill(report.standstill.kind == Standstill::Deadlock,
                         report.standstill.waiting, report.standstill.pusher,
                         report.retired.data(), decoded));
  if (functional) {
    functional->dram() = memory;
    result = functional->run(stream, runOptions);
    if (!result.ok())
      return result;
  } else {
    for (size_t i = 0; i < insns.size(); ++i) {
      const isa::Counters one = isa::count(insns[i], configuration);
      result.total += one;
      if (int32_t layer = runOptions.layer(i); layer >= 0)
        result.layers[layer] += one;
    }
  }
  result.timing = timing(std::move(report), result.total, runOptions.events);
  return result;
}

/// What Python has chosen, by configuration.
struct Registry {
  std::mutex mutex;
  std::map<std::string, Options> entries;
};
Registry &registry() {
  static Registry instance;
  return instance;
}

/// As acc.hardware.package.Circuit refuses it.
std::optional<std::string> checkOptions(const Options &options) {
  const uint32_t port = options.portBits;
  if (port != 64 && port != 128 && port != 256 && port != 512)
    return "the memory port is " + std::to_string(port) +
           " bits wide, but can only be 64, 128, 256 or 512";
  const struct {
    const char *name;
    int value, low, high;
  } limits[] = {{"log_queue", options.logQueue, 1, 12},
                {"log_tokens", options.logTokens, 1, 16},
                {"log_max_burst", options.logBurst, 0, 6},
                {"log_outstanding", options.logOutstanding, 2, 10}};
  for (const auto &limit : limits)
    if (limit.value < limit.low || limit.value > limit.high)
      return std::string(limit.name) + " is " + std::to_string(limit.value) +
             ", but must be from " + std::to_string(limit.low) + " to " +
             std::to_string(limit.high);
  if (options.logOutstanding <= options.logBurst)
    return "log_outstanding must exceed log_max_burst";
  return std::nullopt;
}

} // namespace

std::unique_ptr<Device> csim::create(const isa::Config &config,
                                     const Options &options,
                                     std::string *error) {
  std::vector<std::string> problems = config.validate();
  std::optional<std::string> problem = checkOptions(options);
  if (!problems.empty())
    problem = "illegal configuration: " + problems.front();
  std::unique_ptr<Device> functional;
  if (!problem && options.functional) {
    functional = fsim::create(config, "", error);
    if (!functional)
      return nullptr;
  }
  if (!problem)
    return std::make_unique<Csim>(config, options, std::move(functional));
  if (error)
    *error = *problem;
  return nullptr;
}

void csim::provide(const isa::Config &config, const Options &options) {
  Registry &r = registry();
  std::lock_guard lock(r.mutex);
  r.entries[config.toJson()] = options;
}

Options csim::provided(const isa::Config &config) {
  Registry &r = registry();
  std::lock_guard lock(r.mutex);
  auto found = r.entries.find(config.toJson());
  return found == r.entries.end() ? Options() : found->second;
}
