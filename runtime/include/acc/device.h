//===- device.h - Interface of all devices ----------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// What every device offers, whatever its instruction set: it loads programs
/// from bytes and runs them on buffers in host memory. Devices are made by name
/// (acc/devices.h).

#ifndef ACC_DEVICE_H
#define ACC_DEVICE_H

#include "acc/runtime.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace acc {

/// What a device counts, by name. A name with a dot, "dram_bytes.inp", is one
/// of a group.
using Counts = std::vector<std::pair<std::string, uint64_t>>;

/// Adds counts to those of the same names; names that are new come last.
void add(Counts &sums, const Counts &more);

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
  Counts counters;
  /// The activity of each module; empty if the device does not know.
  std::vector<Activity> activity;
  /// With RunOptions::events, by instruction: the cycle in which fetch put it
  /// into its module's queue (if known), its module started and retired it.
  std::vector<uint64_t> dispatched, started, retired;
};

/// A buffer that a program is given when it runs. Type and shape are as the
/// model's file has them: bytes, if it says nothing.
struct ProgramBuffer {
  std::string name;
  uint64_t bytes = 0;
  acc_dtype dtype = ACC_UINT8;
  std::vector<int64_t> shape;
  /// Whether the program writes it.
  bool isWritten = true;
};

/// A program as a device has loaded it. Devices derive from it.
class DeviceProgram {
public:
  virtual ~DeviceProgram();

  static constexpr int32_t kNone = -1;
  /// All buffers in their order.
  std::vector<ProgramBuffer> buffers;
  /// The bytes that the buffer `tableBuffer` holds, which the program brings
  /// along: whoever runs it puts them into memory that the device reaches, and
  /// those who call the program do not pass it. kNone if there is none.
  std::string table;
  int32_t tableBuffer = kNone;
  /// What the device will count, with zeros.
  Counts counts;
};

struct LoadOptions {
  /// Check that the program is well formed.
  bool verify = true;
};

struct RunOptions {
  /// Check for reads of what was never written, and other faults that a run may
  /// survive. Slower; for devices that are capable of it.
  bool sanitize = false;
  /// Record when each instruction started and retired, on devices with a notion
  /// of time.
  bool events = false;
};

struct RunResult {
  /// Why the run failed; empty if it did not.
  std::string message;
  Counts total;
  /// By name of the layer, as far as the program has layers.
  std::vector<std::pair<std::string, Counts>> layers;
  std::optional<Timing> timing;

  bool ok() const { return message.empty(); }
};

class Device {
public:
  Device() = default;
  virtual ~Device();
  Device(const Device &) = delete;
  Device &operator=(const Device &) = delete;

  virtual std::string_view name() const = 0;

  /// Shows host memory to the device, which must outlive the device or be
  /// detached. Returns the address by which the device knows it.
  virtual uint64_t attach(void *host, uint64_t bytes) = 0;
  virtual void detach(uint64_t address) = 0;

  /// Loads a program of the device's instruction set. \p buffers are those that
  /// the model's file describes; none if it leaves that to the program. Null
  /// and a message if the bytes are no program, or not one for this device.
  virtual std::unique_ptr<DeviceProgram>
  load(std::string_view bytes, std::span<const ProgramBuffer> buffers,
       const LoadOptions &options, std::string *error) = 0;

  /// Runs a program that this device has loaded, on a pointer for each of its
  /// buffers, all within attached memory. Never hangs: what cannot finish is
  /// refused with the reason. After a failure the contents of what the program
  /// writes are unspecified.
  virtual RunResult run(DeviceProgram &program, std::span<void *const> buffers,
                        const RunOptions &options) = 0;

  /// Forgets what earlier runs have left in the device's own memory.
  virtual void reset() = 0;
};

} // namespace acc

#endif // ACC_DEVICE_H
