//===- StreamDevice.cpp - What the devices of the VTA share ---------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/vta/device.h"
#include "acc/vta/isa/ProgramFile.h"

using namespace acc;
using namespace acc::vta;

namespace {

/// A loaded program, and its stream as it was linked last.
struct StreamProgram final : DeviceProgram {
  vta::isa::Program program;
  std::vector<vta::isa::Word128> stream;
  std::vector<uint64_t> addresses;
};

Counts toCounts(const Counters &counters) {
  Counts counts;
  for (size_t i = 0; i < counters.instructions.size(); ++i)
    counts.emplace_back(
        std::string("instructions.") +
            vta::isa::opcodeName(static_cast<vta::isa::Opcode>(i)),
        counters.instructions[i]);
  for (size_t i = 0; i < counters.dramBytes.size(); ++i)
    counts.emplace_back(
        std::string("dram_bytes.") +
            vta::isa::memoryName(static_cast<vta::isa::Memory>(i)),
        counters.dramBytes[i]);
  counts.emplace_back("gemm_steps", counters.gemmSteps);
  counts.emplace_back("reset_steps", counters.resetSteps);
  counts.emplace_back("alu_steps", counters.aluSteps);
  return counts;
}

} // namespace

uint64_t StreamDevice::attach(void *host, uint64_t bytes) {
  return memory.map(host, bytes, configuration.alignment());
}

void StreamDevice::detach(uint64_t address) { memory.unmap(address); }

std::unique_ptr<DeviceProgram>
StreamDevice::load(std::string_view bytes, std::span<const ProgramBuffer>,
                   const LoadOptions &options, std::string *error) {
  std::string reason;
  auto fail = [&](const std::string &message) {
    if (error)
      *error = message;
    return nullptr;
  };
  auto program = vta::isa::readProgram(bytes, &reason);
  if (!program)
    return fail("is malformed: " + reason);
  if (!(program->config == configuration))
    return fail("is for another hardware configuration");
  if (options.verify) {
    auto diagnostics = vta::isa::verify(*program);
    if (!diagnostics.empty())
      return fail("is not well formed: " +
                  vta::isa::format(diagnostics.front(), *program));
  }
  auto loaded = std::make_unique<StreamProgram>();
  for (const vta::isa::Buffer &buffer : program->buffers)
    loaded->buffers.push_back({buffer.name,
                               buffer.bytes,
                               ACC_UINT8,
                               {static_cast<int64_t>(buffer.bytes)},
                               true});
  if (program->uopBuffer != vta::isa::Program::kNone) {
    loaded->tableBuffer = program->uopBuffer;
    loaded->table.assign(reinterpret_cast<const char *>(program->uops.data()),
                         program->uops.size() * sizeof(uint32_t));
  }
  loaded->counts = toCounts({});
  loaded->program = std::move(*program);
  return loaded;
}

RunResult StreamDevice::run(DeviceProgram &program,
                            std::span<void *const> buffers,
                            const RunOptions &options) {
  auto &loaded = static_cast<StreamProgram &>(program);
  RunResult result;
  std::vector<uint64_t> addresses;
  for (size_t i = 0; i < buffers.size(); ++i) {
    auto address = memory.addressOf(buffers[i], loaded.buffers[i].bytes);
    if (!address) {
      result.message =
          "buffer " + std::to_string(i) + " is not in the memory of the device";
      return result;
    }
    addresses.push_back(*address);
  }
  // The plan of a model's memory is static: in general this happens once.
  if (loaded.stream.empty() || loaded.addresses != addresses) {
    auto stream = loaded.program.link(addresses, &result.message);
    if (!stream)
      return result;
    loaded.stream = std::move(*stream);
    loaded.addresses = std::move(addresses);
  }
  StreamOptions streamOptions;
  streamOptions.sanitize = options.sanitize;
  streamOptions.events = options.events;
  streamOptions.layers = loaded.program.layers;
  streamOptions.layerOf = loaded.program.layerOf;
  StreamResult made = runStream(loaded.stream, streamOptions);
  result.message = std::move(made.message);
  result.total = toCounts(made.total);
  for (size_t i = 0; i < made.layers.size(); ++i)
    result.layers.emplace_back(loaded.program.layers[i],
                               toCounts(made.layers[i]));
  result.timing = std::move(made.timing);
  return result;
}

StreamResult StreamDevice::runProgram(const vta::isa::Program &program,
                                      std::span<const uint64_t> addresses,
                                      bool sanitize) {
  std::string error;
  auto stream = program.link(addresses, &error);
  if (!stream) {
    StreamResult result;
    result.diagnostics.push_back({-1, error, ""});
    result.message = error;
    return result;
  }
  StreamOptions options;
  options.sanitize = sanitize;
  options.layers = program.layers;
  options.layerOf = program.layerOf;
  return runStream(*stream, options);
}
