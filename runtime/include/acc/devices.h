//===- devices.h - Devices by name ------------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// The devices of a process: what each executes, can do and can be told, and
/// how it is made. A device is asked for by text: "csim:latency=200".

#ifndef ACC_DEVICES_H
#define ACC_DEVICES_H

#include "acc/device.h"

#include <functional>
#include <map>

namespace acc {

/// What devices can be capable of. Others may be added by name.
inline constexpr std::string_view kTimed = "timed";
inline constexpr std::string_view kSanitizer = "sanitizer";

/// An option of a device: a number within limits, or text.
struct DeviceOption {
  enum class Kind { Number, Text };

  std::string name;
  /// What it means, in a few words for the command line's help.
  std::string help;
  Kind kind = Kind::Text;
  int64_t number = 0, least = 0, most = 0;

  static DeviceOption makeNumber(std::string name, std::string help,
                                 int64_t initial, int64_t least, int64_t most) {
    return {std::move(name), std::move(help), Kind::Number,
            initial,         least,           most};
  }
  static DeviceOption makeText(std::string name, std::string help) {
    return {std::move(name), std::move(help)};
  }
};

/// The options that a device is made with: those given, and for the others
/// their defaults.
class DeviceOptions {
public:
  using Texts = std::map<std::string, std::string>;

  /// Nothing and a message if \p given has an option that is not among \p
  /// known, or a number that is none or out of range. \p device is the name for
  /// messages.
  static std::optional<DeviceOptions> check(std::string_view device,
                                            std::span<const DeviceOption> known,
                                            const Texts &given,
                                            std::string *error);

  /// The value of a number; it must be one of the device's options.
  int64_t number(const std::string &name) const { return numbers.at(name); }
  template <typename T> T as(const std::string &name) const {
    return static_cast<T>(number(name));
  }
  /// The value of a text, "" by default.
  const std::string &text(const std::string &name) const {
    return texts.at(name);
  }

  /// As they were given.
  Texts given;

private:
  std::map<std::string, int64_t> numbers;
  Texts texts;
};

/// A kind of device.
struct DeviceKind {
  std::string instructionSet;
  std::string name;
  /// What it is, in a few words.
  std::string summary;
  std::vector<std::string> capabilities;
  std::vector<DeviceOption> options;
  /// Makes a device for the machine that \p program was compiled for, which is
  /// one of those it will load. Null and a message if it cannot be had.
  std::function<std::unique_ptr<Device>(const DeviceOptions &options,
                                        std::string_view program,
                                        std::string *error)>
      create;

  bool can(std::string_view capability) const;
};

/// A device that somebody asks for.
struct DeviceSpec {
  /// "" for whichever has a device of that name.
  std::string instructionSet;
  std::string name;
  DeviceOptions::Texts options;

  /// Reads specs separated by semicolons, each
  /// [INSTRUCTION-SET/]NAME[:OPTION=VALUE,...], where a backslash takes the
  /// meaning from the character that follows. No text is no spec. Nothing and a
  /// message if it is malformed.
  static std::optional<std::vector<DeviceSpec>> parse(std::string_view text,
                                                      std::string *error);
};

/// Makes a kind of device known to the process, or replaces the one of the same
/// instruction set and name. The first one of an instruction set is its
/// default.
void registerDevice(DeviceKind kind);
/// All kinds of devices, by instruction set in the order of registration.
std::vector<DeviceKind> deviceKinds();

/// The instruction set of programs in files that do not say: that of the first
/// kind of device.
std::string firstInstructionSet();

/// What is called when a device or an instruction set is not known; it may
/// register more. Returns what went wrong meanwhile, for the message, or "".
using DeviceFinder = std::string (*)();
void setDeviceFinder(DeviceFinder finder);

/// The kinds of device that shall run programs of these instruction sets, each
/// with its options, in the same order. An instruction set that no spec is for
/// has its default device. Nothing and a message if a spec names no device, one
/// for none of the instruction sets, or an option that it does not have, or if
/// an instruction set has no device. Without instruction sets, the specs are
/// only checked. \p whose is "'m.so'", for messages.
struct DeviceChoice {
  DeviceKind kind;
  DeviceOptions options;
};
std::optional<std::vector<DeviceChoice>>
chooseDevices(std::span<const DeviceSpec> specs,
              std::span<const std::string> instructionSets,
              std::string_view whose, std::string *error);

} // namespace acc

#endif // ACC_DEVICES_H
