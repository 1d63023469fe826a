//===- Verify.cpp - Stream verifier ---------------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/vta/isa/Verify.h"

using namespace acc::vta::isa;

namespace {

class Verifier {
public:
  Verifier(const Program &program, const VerifyOptions &options,
           UopReader reader)
      : program(program), options(options), codec(program.config),
        tracker(program.config,
                reader ? std::move(reader) : tableReader(program)) {
    tracker.restrictTo(program);
  }

  std::vector<Diagnostic> run() {
    checkForm();
    if (!diagnostics.empty())
      return std::move(diagnostics);
    Schedule order = schedule(program.insns, /*wantClocks=*/true);
    if (order.deadlock)
      report(order.blocked, *order.deadlock);
    else
      for (std::string &problem : balanceComplaints(order))
        report(-1, std::move(problem));
    for (uint32_t i : order.order)
      if (diagnostics.size() >= options.maxDiagnostics ||
          !checkDataflow(i, order.before[i]))
        return std::move(diagnostics);
    if (!order.deadlock)
      for (std::string &problem :
           finishComplaints(program.insns, order.before.back()))
        report(program.insns.size() - 1, std::move(problem));
    return std::move(diagnostics);
  }

private:
  void report(int64_t insn, std::string message) {
    if (diagnostics.size() >= options.maxDiagnostics)
      return;
    std::string layer(insn < 0 ? "" : program.layerOfInsn(insn));
    diagnostics.push_back({insn, std::move(message), std::move(layer)});
  }

  /// What can be seen of each instruction by itself.
  void checkForm() {
    for (size_t i = 0; i < program.insns.size(); ++i) {
      const Instruction &insn = program.insns[i];
      if (auto problem = codec.check(insn))
        report(i, *problem);
      int32_t buffer = program.bufferOfInsn(i);
      if (buffer != Program::kNone &&
          (buffer < 0 || static_cast<size_t>(buffer) >= program.buffers.size()))
        report(i, "refers to buffer " + std::to_string(buffer) + " of " +
                      std::to_string(program.buffers.size()));
    }
    acc::vta::isa::checkForm(program.insns,
                             [&](int64_t index, std::string problem) {
                               report(index, std::move(problem));
                             });
  }

  /// Ranges and hazards; false where nothing further can be known.
  bool checkDataflow(uint32_t i, const Clock &before) {
    const Instruction &insn = program.insns[i];
    int32_t buffer = program.bufferOfInsn(i);
    const Buffer *region =
        buffer == Program::kNone ? nullptr : &program.buffers[buffer];
    if (auto problem =
            checkRanges(program.config, insn, tracker.uops(), region)) {
      report(i, *problem);
      // The scratchpads can no longer be followed.
      return false;
    }
    // Micro-ops that are not known are reported below.
    auto foreign = checkDialect(options.dialect, insn, tracker.uops());
    HazardTracker::Conflict conflict = tracker.visit(i, insn, buffer);
    if (conflict.uninitialised &&
        conflict.uninitialised->first == Memory::Uop) {
      report(i, "executes micro-op " +
                    std::to_string(conflict.uninitialised->second) +
                    ", whose contents are not known");
      return false;
    }
    if (foreign)
      report(i, *foreign);
    for (std::string &problem :
         complaints(conflict, before, program.insns, options.uninitialised))
      report(i, std::move(problem));
    return true;
  }

  const Program &program;
  const VerifyOptions &options;
  Codec codec;
  HazardTracker tracker;
  std::vector<Diagnostic> diagnostics;
};

} // namespace

std::vector<Diagnostic> acc::vta::isa::verify(const Program &program,
                                              const VerifyOptions &options,
                                              UopReader reader) {
  std::vector<std::string> problems = program.config.validate();
  if (!problems.empty()) {
    std::vector<Diagnostic> diagnostics;
    for (std::string &problem : problems)
      diagnostics.push_back({-1, std::move(problem), ""});
    return diagnostics;
  }
  return Verifier(program, options, std::move(reader)).run();
}

std::string acc::vta::isa::format(const Diagnostic &diagnostic,
                                  const Program &program) {
  if (diagnostic.instruction < 0)
    return diagnostic.message;
  std::string text = "instruction " + std::to_string(diagnostic.instruction);
  if (static_cast<size_t>(diagnostic.instruction) < program.insns.size())
    text +=
        " (" + describe(program.insns[diagnostic.instruction]) +
        (diagnostic.layer.empty() ? "" : ", layer '" + diagnostic.layer + "'") +
        ")";
  return text + ": " + diagnostic.message;
}
