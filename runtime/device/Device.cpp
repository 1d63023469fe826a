//===- Device.cpp - Devices and their DRAM --------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/device.h"
#include "acc/csim.h"
#include "acc/fsim.h"
#include "acc/tsim.h"

#include <algorithm>

using namespace acc;

bool Dram::mapAt(uint64_t address, void *host, uint64_t bytes,
                 std::string *error) {
  auto at =
      std::lower_bound(regions.begin(), regions.end(), address,
                       [](const Region &r, uint64_t a) { return r.begin < a; });
  uint64_t end = address + bytes;
  bool overlaps = end < address || (at != regions.end() && at->begin < end) ||
                  (at != regions.begin() && std::prev(at)->end > address);
  if (overlaps) {
    if (error)
      *error = "DRAM bytes " + std::to_string(address) + " to " +
               std::to_string(end) + " overlap another region";
    return false;
  }
  regions.insert(at, {address, end, static_cast<uint8_t *>(host)});
  return true;
}

uint64_t Dram::map(void *host, uint64_t bytes, uint64_t alignment) {
  constexpr uint64_t kPage = 4096;
  alignment = std::max(alignment, kPage);
  // The first gap that fits, with a page to spare on either side.
  uint64_t address = alignment;
  for (const Region &region : regions) {
    if (address + bytes + kPage <= region.begin)
      break;
    address = std::max(address, (region.end + kPage + alignment - 1) /
                                    alignment * alignment);
  }
  mapAt(address, host, bytes);
  return address;
}

void Dram::unmap(uint64_t address) {
  std::erase_if(regions,
                [&](const Region &region) { return region.begin == address; });
}

uint8_t *Dram::lookup(uint64_t address, uint64_t bytes) const {
  auto at =
      std::upper_bound(regions.begin(), regions.end(), address,
                       [](uint64_t a, const Region &r) { return a < r.begin; });
  if (at == regions.begin())
    return nullptr;
  --at;
  if (address + bytes < address || address + bytes > at->end)
    return nullptr;
  return at->host + (address - at->begin);
}

Device::~Device() = default;

uint64_t Device::attach(void *host, uint64_t bytes) {
  uint64_t alignment = 1;
  for (isa::Memory m :
       {isa::Memory::Uop, isa::Memory::Wgt, isa::Memory::Inp, isa::Memory::Acc})
    alignment = std::max<uint64_t>(alignment, configuration.elementBytes(m));
  return memory.map(host, bytes, alignment);
}

void Device::detach(uint64_t address) { memory.unmap(address); }

RunResult Device::run(const isa::Program &program,
                      std::span<const uint64_t> addresses, bool sanitize) {
  std::string error;
  auto stream = program.link(addresses, &error);
  if (!stream) {
    RunResult result;
    result.diagnostics.push_back({-1, error, ""});
    result.message = error;
    return result;
  }
  RunOptions options;
  options.sanitize = sanitize;
  options.layers = program.layers;
  options.layerOf = program.layerOf;
  return run(*stream, options);
}

bool acc::isDevice(std::string_view name) {
  return name == "fsim" || name == "csim" || name == "tsim";
}

std::unique_ptr<Device> acc::createDevice(std::string_view name,
                                          const isa::Config &config,
                                          std::string *error) {
  if (name == "fsim")
    return fsim::create(config, "", error);
  if (name == "csim")
    return csim::create(config, csim::provided(config), error);
  if (name == "tsim") {
    if (std::optional<tsim::Options> options = tsim::provided(config))
      return tsim::create(config, *options, error);
    if (error)
      *error = "no circuit was built for the configuration " + config.toJson() +
               ": call acc.hardware.simulator.provide(config) first";
    return nullptr;
  }
  if (error)
    *error = "unknown device '" + std::string(name) +
             "': available are fsim, csim and tsim";
  return nullptr;
}
