//===- Devices.cpp - Devices by name --------------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/devices.h"
#include "acc/vta/device.h"

#include <algorithm>
#include <charconv>
#include <mutex>

using namespace acc;

DeviceProgram::~DeviceProgram() = default;
Device::~Device() = default;

void acc::add(Counts &sums, const Counts &more) {
  for (size_t i = 0; i < more.size(); ++i) {
    // Counts of one device have the same names in the same order.
    auto at =
        i < sums.size() && sums[i].first == more[i].first
            ? sums.begin() + static_cast<ptrdiff_t>(i)
            : std::find_if(
                  sums.begin(), sums.end(),
                  [&](const auto &sum) { return sum.first == more[i].first; });
    if (at == sums.end())
      sums.push_back(more[i]);
    else
      at->second += more[i].second;
  }
}

bool DeviceKind::can(std::string_view capability) const {
  return std::find(capabilities.begin(), capabilities.end(), capability) !=
         capabilities.end();
}

//===----------------------------------------------------------------------===//
// Registry
//===----------------------------------------------------------------------===//

namespace {

struct Registry {
  std::mutex mutex;
  std::vector<DeviceKind> kinds;
  DeviceFinder finder = nullptr;

  void add(DeviceKind kind) {
    auto isSame = [&](const DeviceKind &other) {
      return other.instructionSet == kind.instructionSet &&
             other.name == kind.name;
    };
    auto known = std::find_if(kinds.begin(), kinds.end(), isSame);
    if (known != kinds.end()) {
      *known = std::move(kind);
      return;
    }
    // Behind those of the same instruction set.
    auto last =
        std::find_if(kinds.rbegin(), kinds.rend(), [&](const DeviceKind &k) {
          return k.instructionSet == kind.instructionSet;
        });
    kinds.insert(last == kinds.rend() ? kinds.end() : last.base(),
                 std::move(kind));
  }
};

Registry &registry() {
  static Registry *instance = [] {
    // Never destroyed: models may outlive static objects.
    auto *made = new Registry;
    for (DeviceKind &kind : vtaDevices())
      made->add(std::move(kind));
    return made;
  }();
  return *instance;
}

/// "fsim, csim and tsim".
std::string listed(const std::vector<std::string> &names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return text;
}

std::vector<std::string> namesFor(const std::vector<DeviceKind> &kinds,
                                  std::string_view instructionSet) {
  std::vector<std::string> names;
  for (const DeviceKind &kind : kinds)
    if (kind.instructionSet == instructionSet)
      names.push_back(kind.name);
  return names;
}

/// "fsim, csim and tsim", or "fsim, csim and tsim for vta; it for that".
std::string listed(const std::vector<DeviceKind> &kinds) {
  std::vector<std::string> sets;
  for (const DeviceKind &kind : kinds)
    if (sets.empty() || sets.back() != kind.instructionSet)
      sets.push_back(kind.instructionSet);
  std::string text;
  for (const std::string &set : sets)
    text += (text.empty() ? "" : "; ") + listed(namesFor(kinds, set)) +
            (sets.size() > 1 ? " for " + set : "");
  return text;
}

} // namespace

void acc::registerDevice(DeviceKind kind) {
  Registry &r = registry();
  std::lock_guard lock(r.mutex);
  r.add(std::move(kind));
}

std::vector<DeviceKind> acc::deviceKinds() {
  Registry &r = registry();
  std::lock_guard lock(r.mutex);
  return r.kinds;
}

std::string acc::firstInstructionSet() {
  return deviceKinds().front().instructionSet;
}

void acc::setDeviceFinder(DeviceFinder finder) {
  Registry &r = registry();
  std::lock_guard lock(r.mutex);
  r.finder = finder;
}

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

std::optional<DeviceOptions>
DeviceOptions::check(std::string_view device,
                     std::span<const DeviceOption> known, const Texts &given,
                     std::string *error) {
  std::string problems;
  auto report = [&](const std::string &problem) {
    problems += (problems.empty() ? "" : "; ") + problem;
  };
  DeviceOptions options;
  options.given = given;
  std::vector<std::string> names;
  for (const DeviceOption &option : known) {
    names.push_back(option.name);
    if (option.kind == DeviceOption::Kind::Number)
      options.numbers[option.name] = option.number;
    else
      options.texts[option.name];
  }
  for (const auto &[name, text] : given) {
    auto option = std::find_if(
        known.begin(), known.end(),
        [&, &name = name](const DeviceOption &o) { return o.name == name; });
    if (option == known.end()) {
      report(
          "device '" + std::string(device) + "' has no option '" + name +
          "': " + (names.empty() ? "it has none" : "it has " + listed(names)));
      continue;
    }
    if (option->kind == DeviceOption::Kind::Text) {
      options.texts[name] = text;
      continue;
    }
    int64_t value = 0;
    auto [end, code] =
        std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc() || end != text.data() + text.size() ||
        value < option->least || value > option->most)
      report("option '" + name + "' of device '" + std::string(device) +
             "' is " + (text.empty() ? "empty" : text) +
             ", but must be a number from " + std::to_string(option->least) +
             " to " + std::to_string(option->most));
    options.numbers[name] = value;
  }
  if (problems.empty())
    return options;
  if (error)
    *error = problems;
  return std::nullopt;
}

std::optional<std::vector<DeviceSpec>> DeviceSpec::parse(std::string_view text,
                                                         std::string *error) {
  std::vector<DeviceSpec> specs;
  size_t at = 0;
  // The text up to one of these characters.
  auto take = [&](std::string_view ends) {
    std::string taken;
    for (; at < text.size() && ends.find(text[at]) == ends.npos; ++at) {
      if (text[at] == '\\' && at + 1 < text.size())
        ++at;
      taken += text[at];
    }
    return taken;
  };
  auto fail = [&](const std::string &reason) -> std::nullopt_t {
    if (error)
      *error = "'" + std::string(text) +
               "' is not a device, which is NAME:OPTION=VALUE,...: " + reason;
    return std::nullopt;
  };
  while (at < text.size()) {
    DeviceSpec spec;
    spec.name = take("/:;");
    if (at < text.size() && text[at] == '/') {
      ++at;
      spec.instructionSet = std::move(spec.name);
      spec.name = take(":;");
    }
    if (spec.name.empty())
      return fail("the name is missing");
    while (at < text.size() && text[at] != ';') {
      ++at;
      std::string option = take("=,;");
      if (at == text.size() || text[at] != '=')
        return fail(option.empty() ? "an option is missing"
                                   : "option '" + option + "' has no value");
      ++at;
      if (!spec.options.try_emplace(option, take(",;")).second)
        return fail("option '" + option + "' is there twice");
    }
    if (at < text.size())
      ++at;
    specs.push_back(std::move(spec));
  }
  return specs;
}

//===----------------------------------------------------------------------===//
// Choice
//===----------------------------------------------------------------------===//

std::optional<std::vector<DeviceChoice>>
acc::chooseDevices(std::span<const DeviceSpec> specs,
                   std::span<const std::string> instructionSets,
                   std::string_view whose, std::string *error) {
  std::vector<DeviceKind> kinds = deviceKinds();
  auto fail = [&](const std::string &reason) -> std::nullopt_t {
    if (error)
      *error = reason;
    return std::nullopt;
  };
  auto isFor = [](const DeviceSpec &spec, const DeviceKind &kind) {
    return spec.name == kind.name &&
           (spec.instructionSet.empty() ||
            spec.instructionSet == kind.instructionSet);
  };
  auto isKnown = [&](const DeviceSpec &spec) {
    return std::any_of(kinds.begin(), kinds.end(), [&](const DeviceKind &kind) {
      return isFor(spec, kind);
    });
  };
  auto hasDevice = [&](const std::string &instructionSet) {
    return !namesFor(kinds, instructionSet).empty();
  };
  std::string troubles;
  if (!std::all_of(specs.begin(), specs.end(), isKnown) ||
      !std::all_of(instructionSets.begin(), instructionSets.end(), hasDevice)) {
    DeviceFinder finder;
    {
      Registry &r = registry();
      std::lock_guard lock(r.mutex);
      finder = r.finder;
    }
    if (finder)
      troubles = finder();
    if (!troubles.empty())
      troubles = " (" + troubles + ")";
    kinds = deviceKinds();
  }
  for (const DeviceSpec &spec : specs)
    if (!isKnown(spec))
      return fail(
          "unknown device '" +
          (spec.instructionSet.empty() ? "" : spec.instructionSet + "/") +
          spec.name + "': available are " + listed(kinds) + troubles);
  for (const std::string &set : instructionSets)
    if (!hasDevice(set))
      return fail(std::string(whose) +
                  " has programs for the instruction set '" + set +
                  "', which no device here executes: available are " +
                  listed(kinds) + troubles);

  std::vector<DeviceChoice> chosen;
  std::vector<bool> used(specs.size());
  for (const std::string &set : instructionSets) {
    const DeviceKind *choice = nullptr;
    const DeviceSpec *wanted = nullptr;
    for (const DeviceKind &kind : kinds) {
      if (kind.instructionSet != set)
        continue;
      if (!choice)
        choice = &kind;
      for (size_t i = 0; i < specs.size(); ++i) {
        if (!isFor(specs[i], kind))
          continue;
        if (wanted)
          return fail("two devices are asked for '" + set + "': '" +
                      wanted->name + "' and '" + specs[i].name + "'");
        wanted = &specs[i];
        choice = &kind;
        used[i] = true;
      }
    }
    const DeviceOptions::Texts none;
    const DeviceOptions::Texts &given = wanted ? wanted->options : none;
    auto options =
        DeviceOptions::check(choice->name, choice->options, given, error);
    if (!options)
      return std::nullopt;
    chosen.push_back({*choice, std::move(*options)});
  }
  // Nothing will run on what is left, but a mistake is one all the same.
  for (size_t i = 0; i < specs.size(); ++i) {
    if (used[i])
      continue;
    const DeviceKind &kind =
        *std::find_if(kinds.begin(), kinds.end(),
                      [&](const DeviceKind &k) { return isFor(specs[i], k); });
    if (!DeviceOptions::check(kind.name, kind.options, specs[i].options, error))
      return std::nullopt;
    if (instructionSets.empty())
      continue;
    std::vector<std::string> sets(instructionSets.begin(),
                                  instructionSets.end());
    std::string known;
    for (const std::string &set : sets)
      known += (known.empty() ? "" : ", ") + listed(namesFor(kinds, set));
    return fail("device '" + kind.name + "' executes " + kind.instructionSet +
                ", but the programs of " + std::string(whose) + " are for " +
                listed(sets) + ": available are " + known);
  }
  return chosen;
}
