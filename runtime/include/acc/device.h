//===- device.h - Interface of all devices ----------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// What every device offers: memory it can reach, and running an instruction
/// stream. The functional simulator, the cycle model and the simulated circuit
/// implement it; boards are meant to.

#ifndef ACC_DEVICE_H
#define ACC_DEVICE_H

#include "acc/isa/Counters.h"
#include "acc/isa/Verify.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace acc {

using isa::Counters;

/// The DRAM address space of a device: regions of host memory at DRAM byte
/// addresses. Nothing outside of the regions exists.
class Dram {
public:
  /// Shows \p bytes of host memory at \p address. The memory must outlive the
  /// mapping. False and a message if it would overlap another region.
  bool mapAt(uint64_t address, void *host, uint64_t bytes,
             std::string *error = nullptr);
  /// The same at a free address aligned to \p alignment (a power of two),
  /// which is returned. Regions placed so never adjoin, so that an access
  /// running off the end of one is noticed.
  uint64_t map(void *host, uint64_t bytes, uint64_t alignment);
  /// Removes the region that starts at \p address.
  void unmap(uint64_t address);

  /// Host memory of [address, address + bytes), or null if that is not within
  /// one region.
  uint8_t *lookup(uint64_t address, uint64_t bytes) const;

private:
  struct Region {
    uint64_t begin, end;
    uint8_t *host;
  };
  /// Sorted by address, disjoint.
  std::vector<Region> regions;
};

struct RunOptions {
  /// Check for reads of uninitialised scratchpads and hazards that no token
  /// orders. Slower.
  bool sanitize = false;
  /// With sanitize: also check that DRAM is read only within these byte ranges
  /// [begin, end) or where the stream has stored. No list: not checked.
  std::optional<std::vector<std::pair<uint64_t, uint64_t>>> initialised;
  /// Refuse what is not part of it; fsim only. Amounts of shifts that come from
  /// accumulators are looked at too.
  isa::Dialect dialect = isa::Dialect::Acc;
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
};

/// How a module spent the cycles of a run: working, waiting for memory, for a
/// token (fetch: for room in the queue) of another module, or with nothing to
/// do. All of them add up to the cycles of the run.
struct Activity {
  std::string module;
  uint64_t busy = 0, memory = 0, idle = 0;
  std::vector<std::pair<std::string, uint64_t>> waits;
};

/// How long a run took on a device with a notion of time.
struct Timing {
  uint64_t cycles = 0;
  /// What the device counts, by name.
  std::vector<std::pair<std::string, uint64_t>> counters;
  /// Of fetch, load, compute and store; empty if the device does not know.
  std::vector<Activity> activity;
  /// With RunOptions::events, by instruction: the cycle in which fetch put it
  /// into its module's queue (if known), its module started and retired it.
  std::vector<uint64_t> dispatched, started, retired;
};

struct RunResult {
  /// Empty if the stream ran to its end without complaint.
  std::vector<isa::Diagnostic> diagnostics;
  /// The diagnostics as lines of text for people; empty if none.
  std::string message;
  Counters total;
  /// One per layer name of the options.
  std::vector<Counters> layers;
  std::optional<Timing> timing;
  /// With RunOptions::initialised: these and what the stream has stored.
  std::vector<std::pair<uint64_t, uint64_t>> initialised;

  bool ok() const { return diagnostics.empty(); }
};

class Device {
public:
  explicit Device(const isa::Config &config) : configuration(config) {}
  virtual ~Device();
  Device(const Device &) = delete;
  Device &operator=(const Device &) = delete;

  const isa::Config &config() const { return configuration; }
  virtual std::string_view name() const = 0;

  /// Shows host memory to the device and returns its DRAM byte address,
  /// aligned to the largest element of the configuration.
  virtual uint64_t attach(void *host, uint64_t bytes);
  virtual void detach(uint64_t address);
  Dram &dram() { return memory; }

  /// Zeroes the scratchpads, as they are in a device that was just made. They
  /// keep their contents from one run to the next otherwise. Tokens do not: a
  /// stream pops none but its own.
  virtual void reset() = 0;

  /// Runs a stream to its FINISH. Never hangs: a stream that cannot finish is
  /// refused with the reason. After a failure the contents of memory that the
  /// stream writes, and those of the scratchpads, are unspecified.
  virtual RunResult run(std::span<const isa::Word128> stream,
                        const RunOptions &options = {}) = 0;

  /// Links \p program to the buffers' addresses and runs it with its layer
  /// names.
  RunResult run(const isa::Program &program,
                std::span<const uint64_t> addresses, bool sanitize = false);

protected:
  isa::Config configuration;
  Dram memory;
};

/// Whether createDevice knows devices of that name.
bool isDevice(std::string_view name);

/// Creates a device by name: "fsim", "csim", or "tsim" for configurations whose
/// circuit was provided (acc/tsim.h). Null and a message if there is none of
/// that name or the configuration is illegal.
std::unique_ptr<Device> createDevice(std::string_view name,
                                     const isa::Config &config,
                                     std::string *error = nullptr);

} // namespace acc

#endif // ACC_DEVICE_H
