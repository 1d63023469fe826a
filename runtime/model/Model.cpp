#include "Model.h"
#include "Processor.h"

#include "threads/ThreadPool.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>

using namespace acc;
using nlohmann::json;

static double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Why a device cannot look for faults, and which could.
static std::string withoutSanitizer(const DeviceKind &kind) {
  std::string others;
  for (const DeviceKind &other : deviceKinds())
    if (other.instructionSet == kind.instructionSet && other.can(kSanitizer))
      others += (others.empty() ? "'" : ", '") + other.name + "'";
  return "device '" + kind.name + "' has no sanitizer" +
         (others.empty() ? "" : ": " + others + " does");
}

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

Model::Model(const std::string &path, const ModelOptions &options)
    : Model(path, options, ModelFile(path)) {}

Model::Model(const std::string &path, const ModelOptions &options,
             const ModelFile &file)
    : metadataText(file.metadata()), options(options),
      metadata(Metadata::parse(file, path)), units(makeUnits(path, file)),
      programs(loadPrograms(path, file)), arena(file, metadata, tableBytes()),
      image(file.image().substr(metadata.code.offset, metadata.code.bytes),
            path),
      pool(metadata.alignment, metadata.guardBytes),
      shapes(metadata.inputs.size()), results(metadata.outputs.size()),
      layerSeconds(metadata.layers.size()) {
  if (auto feature = missingFeature(metadata.cpuFeatures))
    throw ModelError(ACC_ERROR_VERSION,
                     "'" + path + "' was compiled for a processor with " +
                         *feature +
                         ", which this one lacks: compile it with --cpu native "
                         "on this machine, or for a processor with less");
  setThreads(options.threads    ? options.threads
             : metadata.threads ? metadata.threads
                                : usableCores());
  for (size_t i = 0; i < results.size(); ++i)
    results[i] = {metadata.outputs[i].dims, metadata.outputs[i].bytes,
                  arena.outputs[i]};
  for (size_t i = 0; i < programs.size(); ++i)
    if (const std::string &table = programs[i].program->table; !table.empty())
      std::memcpy(arena.tables[i], table.data(), table.size());
  for (Unit &unit : units)
    unit.arenaAddress = unit.device->attach(arena.begin(), arena.bytes());
}

std::vector<Model::Unit> Model::makeUnits(const std::string &path,
                                          const ModelFile &file) const {
  std::string error;
  auto specs = DeviceSpec::parse(options.device, &error);
  if (!specs)
    throw ModelError(ACC_ERROR_DEVICE, error);
  std::vector<std::string> sets;
  std::vector<Section> first;
  for (const ProgramInfo &program : metadata.programs)
    if (std::find(sets.begin(), sets.end(), program.instructionSet) ==
        sets.end()) {
      sets.push_back(program.instructionSet);
      first.push_back(program.bytes);
    }
  auto chosen = chooseDevices(*specs, sets, "'" + path + "'", &error);
  if (!chosen)
    throw ModelError(ACC_ERROR_DEVICE, error);
  std::vector<Unit> made;
  for (size_t i = 0; i < sets.size(); ++i) {
    const DeviceKind &kind = (*chosen)[i].kind;
    if (options.sanitize && !kind.can(kSanitizer))
      throw ModelError(ACC_ERROR_DEVICE, withoutSanitizer(kind));
    auto device = kind.create(
        (*chosen)[i].options,
        file.programs().substr(first[i].offset, first[i].bytes), &error);
    if (!device)
      throw ModelError(ACC_ERROR_DEVICE, error);
    made.push_back({sets[i], std::move(device)});
  }
  return made;
}

std::vector<Model::LoadedProgram> Model::loadPrograms(const std::string &path,
                                                      const ModelFile &file) {
  std::vector<LoadedProgram> loaded;
  for (const ProgramInfo &info : metadata.programs) {
    auto unit = std::find_if(units.begin(), units.end(), [&](const Unit &u) {
      return u.instructionSet == info.instructionSet;
    });
    std::string error;
    auto program = unit->device->load(
        file.programs().substr(info.bytes.offset, info.bytes.bytes),
        info.buffers, {options.verify}, &error);
    if (!program)
      throw ModelError(ACC_ERROR_FORMAT, "accelerator program " +
                                             std::to_string(loaded.size()) +
                                             " of '" + path + "' " + error);
    loaded.emplace_back();
    loaded.back().unit = &*unit;
    loaded.back().program = std::move(program);
    loaded.back().clear();
  }
  return loaded;
}

void Model::setThreads(int64_t threads) {
  if (std::string wrong = checkThreads(threads); !wrong.empty())
    throw ModelError(ACC_ERROR_ARGUMENT, wrong);
  wantedThreads = static_cast<int32_t>(threads);
}

std::vector<uint64_t> Model::tableBytes() const {
  std::vector<uint64_t> sizes;
  for (const LoadedProgram &loaded : programs)
    sizes.push_back(loaded.program->table.size());
  return sizes;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

void Model::LoadedProgram::clear() {
  total = program->counts;
  layers.clear();
  seconds = 0;
  launches = 0;
  cycles.reset();
}

bool Model::bind(int32_t index, void *const *buffers, int32_t count,
                 std::vector<void *> &all) {
  const DeviceProgram &program = *programs[index].program;
  int32_t given = 0;
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    // The code passes every buffer but the program's own table.
    auto *at = static_cast<uint8_t *>(arena.tables[index]);
    if (static_cast<int32_t>(i) != program.tableBuffer) {
      if (given == count)
        break;
      at = static_cast<uint8_t *>(buffers[given++]);
    }
    if (at < arena.begin() ||
        at + program.buffers[i].bytes > arena.begin() + arena.bytes()) {
      fail(ACC_ERROR_RUN,
           "buffer " + std::to_string(i) + " of accelerator program " +
               std::to_string(index) + " is outside of the model's memory");
      return false;
    }
    all.push_back(at);
  }
  if (given == count && all.size() == program.buffers.size())
    return true;
  fail(ACC_ERROR_RUN,
       "accelerator program " + std::to_string(index) + " is launched with " +
           std::to_string(count) + " buffers instead of " +
           std::to_string(program.buffers.size() -
                          (program.tableBuffer != DeviceProgram::kNone)));
  return false;
}

std::string Model::kernelName() const {
  bool known = currentLayer >= 0 &&
               static_cast<size_t>(currentLayer) < metadata.layers.size();
  return known ? metadata.layers[static_cast<size_t>(currentLayer)] : "";
}

int32_t Model::launch(int32_t index, void *const *buffers, int32_t count) {
  auto fail = [&](const std::string &reason) {
    std::string kernel = kernelName();
    this->fail(ACC_ERROR_RUN,
               (kernel.empty() ? "" : "kernel '" + kernel + "': ") +
                   "accelerator program " + std::to_string(index) + ": " +
                   reason);
    return 1;
  };
  if (index < 0 || static_cast<size_t>(index) >= programs.size())
    return fail("the model has no such program");
  std::vector<void *> all;
  if (!bind(index, buffers, count, all))
    return 1;
  LoadedProgram &loaded = programs[index];
  Device &device = *loaded.unit->device;
  if (options.onLaunch)
    tellLaunch(index, all, /*after=*/false);
  // A launch depends on nothing but its buffers.
  device.reset();
  double start = now();
  RunResult result =
      device.run(*loaded.program, all, {options.sanitize, options.events});
  loaded.seconds += now() - start;
  ++loaded.launches;
  add(loaded.total, result.total);
  if (result.timing)
    loaded.cycles = loaded.cycles.value_or(0) + result.timing->cycles;
  for (const auto &[name, counts] : result.layers) {
    auto known = std::find_if(
        loaded.layers.begin(), loaded.layers.end(),
        [&, &name = name](const auto &l) { return l.first == name; });
    if (known == loaded.layers.end())
      loaded.layers.emplace_back(name, counts);
    else
      add(known->second, counts);
  }
  if (!result.ok())
    return fail(result.message);
  if (options.onLaunch)
    tellLaunch(index, all, /*after=*/true);
  if (options.events && result.timing)
    launches.push_back({index, currentLayer, std::move(*result.timing)});
  return 0;
}

void Model::tellLaunch(int32_t index, std::span<void *const> all,
                       bool after) const {
  std::vector<acc_buffer> buffers;
  for (size_t i = 0; i < all.size(); ++i)
    buffers.push_back({all[i], programs[index].program->buffers[i].bytes});
  options.onLaunch(options.onLaunchUser, index, after, buffers.data(),
                   static_cast<int32_t>(buffers.size()));
}

//===----------------------------------------------------------------------===//
// Statistics
//===----------------------------------------------------------------------===//

static json toJson(const Counts &counts) {
  json result = json::object();
  for (const auto &[name, value] : counts) {
    size_t dot = name.find('.');
    if (dot == name.npos)
      result[name] = value;
    else
      result[name.substr(0, dot)][name.substr(dot + 1)] = value;
  }
  return result;
}

static json toJson(const Timing &timing) {
  json counters = json::object(), activity = json::object();
  for (const auto &[name, value] : timing.counters)
    counters[name] = value;
  for (const Activity &one : timing.activity) {
    json waits = json::object();
    for (const auto &[whom, cycles] : one.waits)
      if (cycles != 0)
        waits[whom] = cycles;
    activity[one.module] = {{"busy", one.busy},
                            {"memory", one.memory},
                            {"waits", waits},
                            {"idle", one.idle}};
  }
  json result = {{"cycles", timing.cycles},
                 {"circuit", counters},
                 {"dispatched", timing.dispatched},
                 {"started", timing.started},
                 {"retired", timing.retired}};
  if (!timing.activity.empty())
    result["activity"] = activity;
  return result;
}

std::string Model::statistics() {
  std::lock_guard lock(mutex);
  json result = {{"runs", runs}, {"seconds", runSeconds}};
  if (!metadata.cpu.empty())
    result["cpu"] = metadata.cpu;
  json list = json::array();
  std::optional<uint64_t> cycles;
  for (const LoadedProgram &loaded : programs) {
    json layers = json::object();
    for (const auto &[name, counts] : loaded.layers)
      layers[name] = toJson(counts);
    list.push_back({{"instruction_set", loaded.unit->instructionSet},
                    {"device", loaded.unit->device->name()},
                    {"seconds", loaded.seconds},
                    {"launches", loaded.launches},
                    {"total", toJson(loaded.total)},
                    {"layers", layers}});
    if (loaded.cycles) {
      list.back()["cycles"] = *loaded.cycles;
      cycles = cycles.value_or(0) + *loaded.cycles;
    }
  }
  if (cycles)
    result["cycles"] = *cycles;
  std::string names;
  for (const Unit &unit : units)
    names += (names.empty() ? "" : ", ") + std::string(unit.device->name());
  result["threads"] = runThreads;
  result["device"] = units.empty() ? "cpu" : names;
  result["programs"] = list;
  if (options.profile)
    result["layer_seconds"] = layerSeconds;
  if (options.events) {
    json list = json::array();
    for (const Launch &launch : launches) {
      list.push_back(toJson(launch.timing));
      list.back()["program"] = launch.program;
      list.back()["layer"] = launch.layer;
    }
    result["launches"] = list;
  }
  // Names are the user's, and need not be UTF-8.
  return result.dump(-1, ' ', false, json::error_handler_t::replace);
}
