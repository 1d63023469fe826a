//===- Fsim.cpp - Functional simulator ------------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/vta/fsim.h"
#include "Alu.h"
#include "GemmPlan.h"
#include "Sanitizer.h"

#include <algorithm>

using namespace acc;
using namespace acc::vta;
using namespace acc::vta::fsim;
using isa::Instruction;

namespace {

constexpr size_t kMaxDiagnostics = 20;

/// The state of one run; scratchpads persist in the simulator.
class Run {
public:
  Run(const isa::Config &config, Dram &dram, Scratchpads &pads,
      isa::Initialised &initialised, GemmPlan &plan,
      const StreamOptions &options)
      : config(config), dram(dram), pads(pads), initialised(initialised),
        plan(plan), options(options) {
    result.layers.resize(options.layers.size());
  }

  StreamResult execute(std::span<const isa::Word128> stream) {
    if (decode(stream) && checkForm()) {
      isa::Schedule schedule = isa::schedule(insns, options.sanitize);
      if (schedule.deadlock)
        report(schedule.blocked, *schedule.deadlock);
      else
        executeAll(schedule);
    }
    for (const isa::Diagnostic &diagnostic : result.diagnostics)
      result.message += (result.message.empty() ? "" : "\n") + text(diagnostic);
    return std::move(result);
  }

private:
  void report(int64_t index, std::string message) {
    if (result.diagnostics.size() < kMaxDiagnostics)
      result.diagnostics.push_back(
          {index, std::move(message), std::string(options.layerName(index))});
  }

  std::string text(const isa::Diagnostic &diagnostic) const {
    if (diagnostic.instruction < 0)
      return diagnostic.message;
    std::string where = "instruction " + std::to_string(diagnostic.instruction);
    std::string details;
    if (static_cast<size_t>(diagnostic.instruction) < insns.size())
      details = describe(insns[diagnostic.instruction]);
    if (!diagnostic.layer.empty())
      details +=
          (details.empty() ? "" : ", ") + ("layer '" + diagnostic.layer + "'");
    return where + (details.empty() ? "" : " (" + details + ")") + ": " +
           diagnostic.message;
  }

  bool decode(std::span<const isa::Word128> stream) {
    isa::Codec codec(config);
    insns.reserve(stream.size());
    for (const isa::Word128 &word : stream) {
      std::string reason;
      std::optional<Instruction> insn = codec.decode(word, &reason);
      if (!insn) {
        report(insns.size(), reason);
        return false;
      }
      insns.push_back(*insn);
    }
    return true;
  }

  /// What has to hold before the modules can be scheduled at all.
  bool checkForm() {
    isa::checkForm(insns, [&](int64_t index, std::string problem) {
      report(index, std::move(problem));
    });
    return result.ok();
  }

  void executeAll(const isa::Schedule &schedule) {
    std::optional<Sanitizer> sanitizer;
    if (options.sanitize)
      sanitizer.emplace(config, dram, insns, schedule, options, initialised,
                        pads.uops);
    executeUntilProblem(schedule, sanitizer);
    if (!sanitizer)
      return;
    initialised = sanitizer->initialised();
    result.initialised = sanitizer->dram();
    if (result.diagnostics.size() < kMaxDiagnostics && !stopped)
      for (std::string &problem : sanitizer->finish())
        report(-1, std::move(problem));
  }

  /// Executes all instructions, or those before one that cannot be.
  void executeUntilProblem(const isa::Schedule &schedule,
                           std::optional<Sanitizer> &sanitizer) {
    stopped = true;
    for (uint32_t i : schedule.order) {
      if (auto problem =
              isa::checkRanges(config, insns[i], pads.uops, nullptr)) {
        report(i, *problem);
        return;
      }
      if (auto problem = checkDialect(insns[i]))
        report(i, *problem);
      if (sanitizer)
        for (std::string &problem : sanitizer->visit(i))
          report(i, std::move(problem));
      if (auto problem = executeOne(insns[i])) {
        report(i, *problem);
        return;
      }
      if (!sanitizer)
        initialised.fill(insns[i], pads.uops);
      result.count(isa::count(insns[i], config), i, options);
      if (result.diagnostics.size() >= kMaxDiagnostics)
        return;
    }
    stopped = false;
  }

  std::optional<std::string> checkDialect(const Instruction &insn) {
    if (options.dialect == isa::Dialect::Acc)
      return std::nullopt;
    if (auto problem = isa::checkDialect(options.dialect, insn, pads.uops))
      return problem;
    const isa::AluInsn *alu = insn.alu();
    if (!alu || alu->op != isa::AluOp::Shr || alu->useImm)
      return std::nullopt;
    for (uint32_t o = 0; o < alu->iterOut; ++o)
      for (uint32_t i = 0; i < alu->iterIn; ++i)
        for (uint32_t u = alu->uopBgn; u < alu->uopEnd; ++u) {
          const size_t entry =
              pads.uops[u].src + o * alu->srcOut + i * alu->srcIn;
          const int32_t *amounts = pads.acc() + entry * pads.lanes();
          for (size_t lane = 0; lane < pads.lanes(); ++lane)
            if (amounts[lane] < 0 || amounts[lane] > 31)
              return "shifts by " + std::to_string(amounts[lane]) +
                     ", an amount in acc[" + std::to_string(entry) +
                     "], which designs agree on from 0 to 31 only";
        }
    return std::nullopt;
  }

  std::optional<std::string> executeOne(const Instruction &insn) {
    if (const isa::MemInsn *mem = insn.mem())
      return pads.copy(*mem, dram);
    // An empty or reversed range of micro-ops, or no iteration, is legal and
    // does nothing.
    if (const isa::MicroLoop *loop = insn.loop(); !loop || loop->steps() == 0)
      return std::nullopt;
    if (const isa::GemmInsn *gemm = insn.gemm())
      plan.run(*gemm);
    else if (const isa::AluInsn *alu = insn.alu())
      runAlu(*alu, pads.uops.data(),
             alu->op == isa::AluOp::Table
                 ? pads.uops.data() + config.tableBegin(alu->imm)
                 : nullptr,
             pads.acc(), pads.lanes());
    return std::nullopt;
  }

  const isa::Config &config;
  Dram &dram;
  Scratchpads &pads;
  isa::Initialised &initialised;
  GemmPlan &plan;
  const StreamOptions &options;
  std::vector<Instruction> insns;
  StreamResult result;
  /// Some instruction was not executed.
  bool stopped = false;
};

class Fsim final : public StreamDevice {
public:
  Fsim(const isa::Config &config, std::unique_ptr<GemmEngine> gemmEngine)
      : StreamDevice(config), engine(std::move(gemmEngine)),
        pads(config, *engine), initialised(config),
        plan(config, pads, *engine) {}

  std::string_view name() const override { return "fsim"; }

  void reset() override {
    pads.clear();
    initialised.clear();
  }

  StreamResult runStream(std::span<const isa::Word128> stream,
                         const StreamOptions &options) override {
    return Run(configuration, memory, pads, initialised, plan, options)
        .execute(stream);
  }

private:
  std::unique_ptr<GemmEngine> engine;
  Scratchpads pads;
  /// What the scratchpads hold since the last reset, for the sanitizer.
  isa::Initialised initialised;
  GemmPlan plan;
};

} // namespace

const StreamDeviceKind &fsim::kind() {
  static const StreamDeviceKind kind = {
      "fsim",
      "the functional simulator",
      {std::string(kSanitizer), std::string(kDialects)},
      {DeviceOption::makeText("kernel", "implementation of the matrix product: "
                                        "avx512vnni, avx2 or portable")},
      [](const isa::Config &config, const DeviceOptions &options,
         std::string *error) {
        return create(config, options.text("kernel"), error);
      }};
  return kind;
}

std::unique_ptr<StreamDevice> acc::vta::fsim::create(const isa::Config &config,
                                                     std::string_view kernel,
                                                     std::string *error) {
  auto fail = [&](std::string message) {
    if (error)
      *error = std::move(message);
    return nullptr;
  };
  std::vector<std::string> problems = config.validate();
  if (!problems.empty())
    return fail("illegal configuration: " + problems.front());
  auto engine = createEngine(
      kernel, {config.batch(), config.blockIn(), config.blockOut()});
  if (!engine)
    return fail("the GEMM kernel '" + std::string(kernel) +
                "' cannot run on this machine");
  return std::make_unique<Fsim>(config, std::move(engine));
}
