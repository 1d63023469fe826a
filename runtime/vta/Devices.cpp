//===- Devices.cpp - Devices that execute VTA streams ---------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/vta/csim.h"
#include "acc/vta/fsim.h"
#include "acc/vta/isa/ProgramFile.h"
#include "acc/vta/tsim.h"

#include <algorithm>

using namespace acc;
using namespace acc::vta;

/// All kinds of device; the first is the default.
static constexpr const StreamDeviceKind &(*kKinds[])() = {
    vta::fsim::kind, vta::csim::kind, vta::tsim::kind};

static constexpr const char *kInstructionSet = "vta";

std::vector<DeviceKind> acc::vtaDevices() {
  std::vector<DeviceKind> kinds;
  for (auto get : kKinds) {
    const StreamDeviceKind &kind = get();
    auto create = [&kind](const DeviceOptions &options,
                          std::string_view program,
                          std::string *error) -> std::unique_ptr<Device> {
      // What is no program is for `load` to say.
      return kind.create(
          vta::isa::readConfig(program).value_or(vta::isa::Config()), options,
          error);
    };
    kinds.push_back({kInstructionSet, kind.name, kind.summary,
                     kind.capabilities, kind.options, create});
  }
  return kinds;
}

std::unique_ptr<StreamDevice>
acc::createStreamDevice(std::string_view name, const vta::isa::Config &config,
                        const DeviceOptions::Texts &options,
                        std::string *error) {
  std::string known;
  for (auto get : kKinds) {
    const StreamDeviceKind &kind = get();
    known += (known.empty() ? "" : ", ") + std::string(kind.name);
    if (name != kind.name)
      continue;
    auto checked = DeviceOptions::check(name, kind.options, options, error);
    return checked ? kind.create(config, *checked, error) : nullptr;
  }
  if (error)
    *error =
        "unknown device '" + std::string(name) + "': available are " + known;
  return nullptr;
}
