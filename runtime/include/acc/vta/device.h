//===- device.h - Devices that execute VTA streams --------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// What the devices of the VTA share: they are made for a hardware
/// configuration, and execute raw instruction streams on a DRAM. Programs are
/// linked to the addresses of their buffers and become such streams. The
/// functional simulator, the cycle model and the simulated circuit implement
/// it; boards are meant to.

#ifndef ACC_VTA_DEVICE_H
#define ACC_VTA_DEVICE_H

#include "acc/devices.h"
#include "acc/dram.h"
#include "acc/vta/isa/Counters.h"
#include "acc/vta/isa/Verify.h"

namespace acc {

using vta::isa::Counters;

/// More that devices of the VTA can be capable of: to check a stream for a
/// dialect, and to write waveforms.
inline constexpr std::string_view kDialects = "dialects";
inline constexpr std::string_view kTrace = "trace";

struct StreamOptions {
  /// Check for reads of uninitialised scratchpads and hazards that no token
  /// orders; fsim only. Slower.
  bool sanitize = false;
  /// With sanitize: also check that DRAM is read only within these byte ranges
  /// [begin, end) or where the stream has stored. No list: not checked.
  std::optional<std::vector<std::pair<uint64_t, uint64_t>>> initialised;
  /// Refuse what is not part of it; fsim only. Amounts of shifts that come from
  /// accumulators are looked at too.
  vta::isa::Dialect dialect = vta::isa::Dialect::Acc;
  /// Layer names, and per instruction an index into them or -1.
  std::span<const std::string> layers;
  std::span<const int32_t> layerOf;
  /// Record when each instruction started and retired, on devices with a notion
  /// of time.
  bool events = false;

  /// The layer of an instruction, an index into layers, or -1.
  int32_t layer(int64_t instruction) const {
    if (instruction < 0 || static_cast<size_t>(instruction) >= layerOf.size())
      return -1;
    int32_t index = layerOf[instruction];
    return index >= 0 && static_cast<size_t>(index) < layers.size() ? index
                                                                    : -1;
  }
  /// The name of that layer, or "".
  std::string_view layerName(int64_t instruction) const {
    int32_t index = layer(instruction);
    return index < 0 ? std::string_view() : layers[index];
  }
};

struct StreamResult {
  /// Empty if the stream ran to its end without complaint.
  std::vector<vta::isa::Diagnostic> diagnostics;
  /// The diagnostics as lines of text for people; empty if none.
  std::string message;
  Counters total;
  /// One per layer name of the options.
  std::vector<Counters> layers;
  std::optional<Timing> timing;
  /// With StreamOptions::initialised: these and what the stream has stored.
  std::vector<std::pair<uint64_t, uint64_t>> initialised;

  bool ok() const { return diagnostics.empty(); }
  /// Counts what an instruction of the stream did, for its layer too.
  void count(const Counters &one, int64_t instruction,
             const StreamOptions &options) {
    total += one;
    if (int32_t layer = options.layer(instruction); layer >= 0)
      layers[layer] += one;
  }
};

class StreamDevice : public Device {
public:
  explicit StreamDevice(const vta::isa::Config &config)
      : configuration(config) {}

  const vta::isa::Config &config() const { return configuration; }

  /// Shows host memory to the device and returns its DRAM byte address,
  /// aligned to the largest element of the configuration.
  uint64_t attach(void *host, uint64_t bytes) override;
  void detach(uint64_t address) override;
  Dram &dram() { return memory; }

  std::unique_ptr<DeviceProgram> load(std::string_view bytes,
                                      std::span<const ProgramBuffer> buffers,
                                      const LoadOptions &options,
                                      std::string *error) override;
  RunResult run(DeviceProgram &program, std::span<void *const> buffers,
                const RunOptions &options) override;

  /// Zeroes the scratchpads, as they are in a device that was just made. They
  /// keep their contents from one stream to the next otherwise. Tokens do not:
  /// a stream pops none but its own.
  void reset() override = 0;

  /// Runs a stream to its FINISH. Never hangs: a stream that cannot finish is
  /// refused with the reason. After a failure the contents of memory that the
  /// stream writes, and those of the scratchpads, are unspecified.
  virtual StreamResult runStream(std::span<const vta::isa::Word128> stream,
                                 const StreamOptions &options = {}) = 0;

  /// Links \p program to the buffers' addresses and runs it with its layer
  /// names.
  StreamResult runProgram(const vta::isa::Program &program,
                          std::span<const uint64_t> addresses,
                          bool sanitize = false);

protected:
  vta::isa::Config configuration;
  Dram memory;
};

/// A kind of device that executes VTA streams, made for a configuration.
struct StreamDeviceKind {
  const char *name, *summary;
  std::vector<std::string> capabilities;
  std::vector<DeviceOption> options;
  /// Null and a message if the configuration is illegal, or the device cannot
  /// be had.
  std::unique_ptr<StreamDevice> (*create)(const vta::isa::Config &config,
                                          const DeviceOptions &options,
                                          std::string *error);
};

/// The kinds of device for VTA programs, the default one first.
std::vector<DeviceKind> vtaDevices();

/// Makes one of them for a configuration. Null and a message if there is none
/// of that name, it has no such option, or it cannot be had.
std::unique_ptr<StreamDevice>
createStreamDevice(std::string_view name, const vta::isa::Config &config,
                   const DeviceOptions::Texts &options = {},
                   std::string *error = nullptr);

} // namespace acc

#endif // ACC_VTA_DEVICE_H
