//===- CircuitErrors.cpp - Errors of the circuit in words -----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CircuitErrors.h"

#include "acc/vta/circuit_registers.h"

using namespace acc;
using namespace acc::vta;
using vta::isa::FormError;
using vta::isa::Instruction;
using vta::isa::Memory;
using vta::isa::Module;

namespace {

using Insns = std::vector<std::optional<Instruction>>;

#define GET_CIRCUIT_ERRORS
#include "acc/vta/isa/Facts.inc"

Module moduleOf(Unit unit) {
  return unit == Unit::Load    ? Module::Load
         : unit == Unit::Store ? Module::Store
                               : Module::Compute;
}

/// The stream's index of the \p k-th instruction for which \p wanted holds.
template <typename Wanted>
int64_t find(const Insns &insns, uint32_t k, Wanted wanted) {
  for (size_t i = 0; i < insns.size(); ++i)
    if (insns[i] && wanted(*insns[i]) && k-- == 0)
      return i;
  return -1;
}

int64_t nth(const Insns &insns, Module module, uint32_t k) {
  return find(insns, k,
              [&](const Instruction &insn) { return insn.module() == module; });
}

std::string beyond(const char *what, Memory memory,
                   const vta::isa::Config &config) {
  return std::string(what) + " is beyond the " +
         std::to_string(config.depth(memory)) + " entries of " +
         vta::isa::memoryName(memory);
}

/// Who waits for whom when nothing moves any more.
vta::isa::Diagnostic deadlock(uint32_t waiting, const uint32_t *retired,
                              const Insns &insns) {
  vta::isa::Diagnostic result;
  auto isSet = [&](unsigned bit) { return (waiting >> bit & 1) != 0; };
  if (isSet(ACC_BIT_WAITING_MEMORY)) {
    result.message = "memory does not answer";
    return result;
  }
  struct Wait {
    unsigned bit;
    Module who, whom;
  };
  constexpr Wait waits[] = {
      {ACC_BIT_WAITING_LOAD_FOR_COMPUTE, Module::Load, Module::Compute},
      {ACC_BIT_WAITING_COMPUTE_FOR_LOAD, Module::Compute, Module::Load},
      {ACC_BIT_WAITING_COMPUTE_FOR_STORE, Module::Compute, Module::Store},
      {ACC_BIT_WAITING_STORE_FOR_COMPUTE, Module::Store, Module::Compute}};
  std::string text;
  for (const Wait &wait : waits) {
    if (!isSet(wait.bit))
      continue;
    // Instructions are popped in order, so the one at the head of the queue
    // follows those that have retired.
    int64_t at = nth(insns, wait.who, retired[static_cast<unsigned>(wait.who)]);
    if (result.instruction < 0)
      result.instruction = at;
    text += (text.empty() ? "" : "; ") + std::string(moduleName(wait.who)) +
            " waits at instruction " + std::to_string(at) +
            " for a token from " + moduleName(wait.whom);
    if (nth(insns, wait.whom, retired[static_cast<unsigned>(wait.whom)]) < 0)
      text += ", which has ended";
  }
  for (unsigned i = 0; i < vta::isa::kNumModules; ++i)
    if (isSet(ACC_BIT_WAITING_QUEUES + i))
      text += "; fetch waits for room in the queue of " +
              std::string(moduleName(static_cast<Module>(i)));
  result.message = "deadlock: " + (text.empty() ? "nothing moves" : text);
  return result;
}

} // namespace

vta::isa::Diagnostic vta::tsim::circuitError(uint32_t error, uint32_t place,
                                             uint32_t waiting,
                                             const uint32_t *retired,
                                             const vta::isa::Config &config,
                                             const Insns &insns) {
  const uint32_t number = error >> ACC_BIT_ERROR_CODE & ACC_MASK_ERROR_CODE;
  const Error code = static_cast<Error>(number);
  const Unit unit =
      static_cast<Unit>(error >> ACC_BIT_ERROR_UNIT & ACC_MASK_ERROR_UNIT);
  if (code == Error::Watchdog || code == Error::Tokens)
    return standstill(code == Error::Watchdog, waiting, moduleOf(unit), retired,
                      insns);
  if (unit == Unit::Fetch) {
    if (code == Error::Memory)
      return {-1, "instructions lie outside of memory", ""};
    int64_t at = place < insns.size() ? int64_t(place) : -1;
    return {at,
            number < std::size(vta::isa::kFormErrorTexts)
                ? formErrorText(static_cast<FormError>(number))
                : "unknown error of fetch",
            ""};
  }
  if (code == Error::Memory)
    return {nth(insns, moduleOf(unit), place),
            "an access is outside of the memory there is", ""};
  if (code == Error::Overflow) {
    int64_t at = nth(insns, moduleOf(unit), place);
    const vta::isa::MemInsn *mem = at < 0 ? nullptr : insns[at]->mem();
    return {at, beyond("an entry", mem ? mem->memory : Memory::Acc, config),
            ""};
  }
  // Counted among the instructions that have micro-operations.
  int64_t at = find(insns, place, [](const Instruction &insn) {
    return insn.module() == Module::Compute && !insn.mem();
  });
  const unsigned fault = number - static_cast<unsigned>(Error::Faults);
  if (fault >= std::size(kFaults))
    return {at, "unknown error of compute", ""};
  return {at, beyond(kFaults[fault].what, kFaults[fault].memory, config), ""};
}

std::optional<vta::isa::Diagnostic>
vta::tsim::checkDram(const vta::isa::Config &config, const Dram &memory,
                     const Insns &insns) {
  for (size_t i = 0; i < insns.size(); ++i) {
    const vta::isa::MemInsn *mem = insns[i] ? insns[i]->mem() : nullptr;
    // What the circuit refuses anyway need not have an address.
    if (!mem || mem->isNop() || vta::isa::checkForm(*insns[i]))
      continue;
    const uint64_t element = config.elementBytes(mem->memory);
    const uint64_t row = mem->xSize * element;
    for (uint32_t y = 0; y < mem->ySize; ++y) {
      uint64_t address = (mem->dramBase + uint64_t(y) * mem->xStride) * element;
      if (!memory.lookup(address, row))
        return vta::isa::Diagnostic{
            static_cast<int64_t>(i),
            std::string(mem->store ? "writes" : "reads") + " DRAM bytes " +
                std::to_string(address) + " to " +
                std::to_string(address + row - 1) +
                ", which are outside of the memory there is",
            ""};
    }
  }
  return std::nullopt;
}

vta::isa::Diagnostic vta::tsim::standstill(bool deadlocked, uint32_t waiting,
                                           Module pusher,
                                           const uint32_t *retired,
                                           const Insns &insns) {
  if (deadlocked)
    return deadlock(waiting, retired, insns);
  return {-1,
          "more tokens than their queue holds lie between " +
              std::string(moduleName(pusher)) + " and its neighbour",
          ""};
}

std::string vta::tsim::circuitMessage(const vta::isa::Diagnostic &diagnostic,
                                      const Insns &insns) {
  if (diagnostic.instruction < 0)
    return diagnostic.message;
  std::string details;
  size_t at = diagnostic.instruction;
  if (at < insns.size() && insns[at])
    details = describe(*insns[at]);
  if (!diagnostic.layer.empty())
    details +=
        (details.empty() ? "" : ", ") + ("layer '" + diagnostic.layer) + "'";
  return "instruction " + std::to_string(at) +
         (details.empty() ? "" : " (" + details + ")") + ": " +
         diagnostic.message;
}
