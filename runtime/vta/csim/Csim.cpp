//===- Csim.cpp - The cycle model as a device -----------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../tsim/CircuitErrors.h"
#include "Machine.h"
#include "acc/vta/fsim.h"

#include <algorithm>

using namespace acc;
using namespace acc::vta;
using namespace acc::vta::csim;
using isa::Diagnostic;
using isa::Instruction;
using isa::MemInsn;
using isa::Module;

namespace {

using Insns = std::vector<std::optional<Instruction>>;

class Csim final : public StreamDevice {
public:
  Csim(const isa::Config &config, Options options,
       std::unique_ptr<StreamDevice> functional)
      : StreamDevice(config), options(options),
        functional(std::move(functional)),
        uops(config.depth(isa::Memory::Uop)) {}

  std::string_view name() const override { return "csim"; }

  void reset() override {
    std::fill(uops.begin(), uops.end(), isa::Uop());
    if (functional)
      functional->reset();
  }

  StreamResult runStream(std::span<const isa::Word128> stream,
                         const StreamOptions &runOptions) override;

private:
  const Options options;
  /// Executes what is timed here; null if nobody cares for data.
  std::unique_ptr<StreamDevice> functional;
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
      return Diagnostic{at, formErrorText(isa::FormError::NotLast), ""};
  }
  if (insns.empty() || !insns.back()->isFinish())
    return Diagnostic{-1, formErrorText(isa::FormError::NoFinish), ""};
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

StreamResult Csim::runStream(std::span<const isa::Word128> stream,
                             const StreamOptions &runOptions) {
  StreamResult result;
  result.layers.resize(runOptions.layers.size());
  Insns decoded;
  auto refuse = [&](Diagnostic diagnostic) {
    diagnostic.layer = runOptions.layerName(diagnostic.instruction);
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
    result = functional->runStream(stream, runOptions);
    if (!result.ok())
      return result;
  } else {
    for (size_t i = 0; i < insns.size(); ++i)
      result.count(isa::count(insns[i], configuration), static_cast<int64_t>(i),
                   runOptions);
  }
  result.timing = timing(std::move(report), result.total, runOptions.events);
  return result;
}

} // namespace

DeviceOption csim::latencyOption() {
  return DeviceOption::makeNumber("latency", "cycles until memory answers",
                                  Options().latency, 0, 1 << 20);
}

const std::vector<DeviceOption> &csim::circuitOptions() {
  constexpr Options initial;
  // Bursts of up to 2^6 beats stay within 4 KiB at every width.
  static const std::vector<DeviceOption> options = {
      DeviceOption::makeNumber("mem_width", "width of the memory port in bits",
                               initial.portBits, 0, 1 << 20),
      DeviceOption::makeNumber("log_queue",
                               "log2 of the instructions in each queue",
                               initial.logQueue, 1, 12),
      DeviceOption::makeNumber("log_tokens", "log2 of the tokens in each queue",
                               initial.logTokens, 1, 16),
      DeviceOption::makeNumber("log_max_burst", "log2 of the beats of a burst",
                               initial.logBurst, 0, 6),
      DeviceOption::makeNumber("log_outstanding",
                               "log2 of the beats on their way to each module",
                               initial.logOutstanding, 2, 10),
      DeviceOption::makeNumber("log_acc_banks",
                               "log2 of the banks of the accumulators",
                               initial.logAccBanks, 0, 4),
      DeviceOption::makeNumber("operand_stages",
                               "registers before the multipliers of GEMM",
                               initial.operandStages, 0, 2),
      DeviceOption::makeNumber("tree_levels",
                               "levels of the adder tree of GEMM per stage",
                               initial.treeLevels, 1, 12),
      DeviceOption::makeNumber("alu_stages", "stages of the ALU",
                               initial.aluStages, 1, 5),
      DeviceOption::makeNumber("early_uops",
                               "1 to load micro-ops beside users of others",
                               initial.earlyUops, 0, 1)};
  return options;
}

std::vector<std::string> csim::circuitProblems(const Options &options) {
  std::vector<std::string> problems;
  const uint32_t port = options.portBits;
  if (std::find(std::begin(kPorts), std::end(kPorts), port) ==
      std::end(kPorts)) {
    std::string widths;
    for (uint32_t width : kPorts)
      widths += (widths.empty() ? "" : ", ") + std::to_string(width);
    problems.push_back("the memory port is " + std::to_string(port) +
                       " bits wide, but can only be one of (" + widths + ")");
  }
  const int sizes[] = {
      options.logQueue,       options.logTokens,   options.logBurst,
      options.logOutstanding, options.logAccBanks, options.operandStages,
      options.treeLevels,     options.aluStages,   options.earlyUops};
  for (size_t i = 0; i < std::size(sizes); ++i) {
    const DeviceOption &option = circuitOptions()[i + 1];
    if (sizes[i] < option.least || sizes[i] > option.most)
      problems.push_back(option.name + " is " + std::to_string(sizes[i]) +
                         ", but must be from " + std::to_string(option.least) +
                         " to " + std::to_string(option.most));
  }
  if (options.earlyUops == 1 && options.logAccBanks == 0)
    problems.push_back("early_uops needs log_acc_banks of 1 or more, as "
                       "compute is in order without");
  if (options.logOutstanding <= options.logBurst)
    problems.push_back("log_outstanding (" +
                       std::to_string(options.logOutstanding) +
                       ") must exceed log_max_burst (" +
                       std::to_string(options.logBurst) + ")");
  return problems;
}

std::string csim::accBankProblem(const isa::Config &config, int logAccBanks,
                                 uint32_t portBits) {
  // A beat writes as many outputs as lie in it into a row, and a bank has at
  // least one row.
  const int outBits = config.logElementBits(isa::Memory::Out);
  const int logRow = std::max(Geometry::log2(portBits) - outBits, 0);
  const int logDepth = Geometry::log2(config.depth(isa::Memory::Acc));
  if (logAccBanks == 0 || logAccBanks + logRow <= logDepth)
    return "";
  return "the accumulators have " + std::to_string(1 << logDepth) +
         " entries, too few for " + std::to_string(1 << logAccBanks) +
         " banks of rows of " + std::to_string(1 << logRow) +
         ", which a beat of the memory port fills";
}

std::string csim::aluStagesProblem(const isa::Config &config, int aluStages) {
  if (config.aluTable == 0 || aluStages >= 3)
    return "";
  return "alu_stages is " + std::to_string(aluStages) +
         ", but looking up in tables (ALU_TABLE) takes 3 or more";
}

std::unique_ptr<StreamDevice> csim::create(const isa::Config &config,
                                           const Options &options,
                                           std::string *error) {
  std::vector<std::string> problems = config.validate();
  std::string message;
  if (!problems.empty())
    message = "illegal configuration: " + problems.front();
  else
    for (const std::string &problem : circuitProblems(options))
      message += (message.empty() ? "" : "; ") + problem;
  if (message.empty())
    message = accBankProblem(config, options.logAccBanks, options.portBits);
  if (message.empty())
    message = aluStagesProblem(config, options.aluStages);
  std::unique_ptr<StreamDevice> functional;
  if (message.empty() && options.functional) {
    functional = fsim::create(config, "", error);
    if (!functional)
      return nullptr;
  }
  if (message.empty())
    return std::make_unique<Csim>(config, options, std::move(functional));
  if (error)
    *error = message;
  return nullptr;
}

static std::vector<DeviceOption> allOptions() {
  std::vector<DeviceOption> options = {csim::latencyOption()};
  const std::vector<DeviceOption> &circuit = csim::circuitOptions();
  options.insert(options.end(), circuit.begin(), circuit.end());
  options.push_back(DeviceOption::makeNumber(
      "functional", "0 to leave data alone and only count cycles", 1, 0, 1));
  return options;
}

const StreamDeviceKind &csim::kind() {
  static const StreamDeviceKind kind = {
      "csim",
      "the cycle model",
      {std::string(kTimed)},
      allOptions(),
      [](const isa::Config &config, const DeviceOptions &options,
         std::string *error) {
        return create(
            config,
            {options.as<uint32_t>("latency"), options.as<uint32_t>("mem_width"),
             options.as<int>("log_queue"), options.as<int>("log_tokens"),
             options.as<int>("log_max_burst"),
             options.as<int>("log_outstanding"),
             options.as<int>("log_acc_banks"),
             options.as<int>("operand_stages"), options.as<int>("tree_levels"),
             options.as<int>("alu_stages"), options.as<int>("early_uops"),
             options.number("functional") != 0},
            error);
      }};
  return kind;
}
