#include "Model.h"

#include "acc/isa/ProgramFile.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstring>

using namespace acc;
using nlohmann::json;

static double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

Model::Model(const std::string &path, const ModelOptions &options)
    : Model(path, options, ModelFile(path)) {}

Model::Model(const std::string &path, const ModelOptions &options,
             const ModelFile &file)
    : metadataText(file.metadata()), options(options),
      metadata(Metadata::parse(file, path)), programs(loadPrograms(path, file)),
      arena(file, metadata, uopBytes()), image(file.image(), path),
      pool(metadata.alignment, metadata.guardBytes),
      shapes(metadata.inputs.size()), results(metadata.outputs.size()),
      layerSeconds(metadata.layers.size()) {
  if (auto feature = missingFeature(metadata.cpuFeatures))
    throw ModelError(ACC_ERROR_VERSION,
                     "'" + path + "' was compiled for a processor with " +
                         *feature + ", which this one lacks");
  for (size_t i = 0; i < results.size(); ++i)
    results[i] = {metadata.outputs[i].dims, metadata.outputs[i].bytes,
                  arena.outputs[i]};
  std::string error;
  if (programs.empty()) {
    // Nothing will run on it, but a name that means nothing is a mistake.
    if (!isDevice(options.device) &&
        !createDevice(options.device, isa::Config(), &error))
      throw ModelError(ACC_ERROR_DEVICE, error);
    return;
  }
  for (size_t i = 0; i < programs.size(); ++i)
    if (const std::vector<uint32_t> &uops = programs[i].program.uops;
        !uops.empty())
      std::memcpy(arena.uops[i], uops.data(), uops.size() * sizeof(uint32_t));
  device =
      createDevice(options.device, programs.front().program.config, &error);
  if (!device)
    throw ModelError(ACC_ERROR_DEVICE, error);
  arenaAddress = device->attach(arena.begin(), arena.bytes());
}

std::vector<Model::LoadedProgram>
Model::loadPrograms(const std::string &path, const ModelFile &file) const {
  std::vector<LoadedProgram> loaded;
  for (const Section &range : metadata.programs) {
    std::string name = "accelerator program " + std::to_string(loaded.size()) +
                       " of '" + path + "'";
    std::string error;
    auto program = isa::readProgram(
        file.programs().substr(range.offset, range.bytes), &error);
    if (!program)
      throw ModelError(ACC_ERROR_FORMAT, name + " is malformed: " + error);
    if (!loaded.empty() && !(loaded.front().program.config == program->config))
      throw ModelError(ACC_ERROR_FORMAT,
                       name + " is for another hardware configuration");
    if (options.verify) {
      auto diagnostics = isa::verify(*program);
      if (!diagnostics.empty())
        throw ModelError(ACC_ERROR_FORMAT,
                         name + " is not well formed: " +
                             isa::format(diagnostics.front(), *program));
    }
    loaded.push_back({});
    loaded.back().program = std::move(*program);
  }
  return loaded;
}

std::vector<uint64_t> Model::uopBytes() const {
  std::vector<uint64_t> sizes;
  for (const LoadedProgram &loaded : programs)
    sizes.push_back(loaded.program.uops.size() * sizeof(uint32_t));
  return sizes;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

bool Model::bind(int32_t index, void *const *buffers, int32_t count,
                 std::vector<uint64_t> &addresses) {
  const isa::Program &program = programs[index].program;
  int32_t given = 0;
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    // The code passes every buffer but the micro-op table.
    auto *at = static_cast<uint8_t *>(arena.uops[index]);
    if (static_cast<int32_t>(i) != program.uopBuffer) {
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
    addresses.push_back(arenaAddress +
                        static_cast<uint64_t>(at - arena.begin()));
  }
  if (given == count && addresses.size() == program.buffers.size())
    return true;
  fail(ACC_ERROR_RUN,
       "accelerator program " + std::to_string(index) + " is launched with " +
           std::to_string(count) + " buffers instead of " +
           std::to_string(program.buffers.size() -
                          (program.uopBuffer != isa::Program::kNone)));
  return false;
}

int32_t Model::launch(int32_t index, void *const *buffers, int32_t count) {
  auto fail = [&](const std::string &reason) {
    this->fail(ACC_ERROR_RUN,
               "accelerator program " + std::to_string(index) + ": " + reason);
    return 1;
  };
  if (index < 0 || static_cast<size_t>(index) >= programs.size())
    return fail("the model has no such program");
  std::vector<uint64_t> addresses;
  if (!bind(index, buffers, count, addresses))
    return 1;
  LoadedProgram &loaded = programs[index];
  const isa::Program &program = loaded.program;
  // The plan of the memory is static: in general this happens once.
  if (loaded.stream.empty() || loaded.addresses != addresses) {
    std::string error;
    auto stream = program.link(addresses, &error);
    if (!stream)
      return fail(error);
    loaded.stream = std::move(*stream);
    loaded.addresses = std::move(addresses);
  }
  RunOptions runOptions;
  runOptions.sanitize = options.sanitize;
  runOptions.layers = program.layers;
  runOptions.layerOf = program.layerOf;
  runOptions.events = options.events;
  if (options.onLaunch)
    tellLaunch(index, /*after=*/false);
  // A launch depends on nothing but its buffers.
  device->reset();
  double start = now();
  RunResult result = device->run(loaded.stream, runOptions);
  loaded.seconds += now() - start;
  ++loaded.launches;
  loaded.total += result.total;
  if (result.timing)
    loaded.cycles = loaded.cycles.value_or(0) + result.timing->cycles;
  loaded.layers.resize(result.layers.size());
  for (size_t i = 0; i < result.layers.size(); ++i)
    loaded.layers[i] += result.layers[i];
  if (!result.ok())
    return fail(result.message);
  if (options.onLaunch)
    tellLaunch(index, /*after=*/true);
  if (options.events && result.timing)
    launches.push_back({index, currentLayer, std::move(*result.timing)});
  return 0;
}

void Model::tellLaunch(int32_t index, bool after) const {
  const LoadedProgram &loaded = programs[index];
  std::vector<acc_buffer> buffers;
  for (size_t i = 0; i < loaded.addresses.size(); ++i)
    buffers.push_back({arena.begin() + (loaded.addresses[i] - arenaAddress),
                       loaded.program.buffers[i].bytes});
  options.onLaunch(options.onLaunchUser, index, after, buffers.data(),
                   static_cast<int32_t>(buffers.size()));
}

//===----------------------------------------------------------------------===//
// Statistics
//===----------------------------------------------------------------------===//

static json toJson(const Counters &counters) {
  constexpr const char *opcodes[] = {"load", "store", "gemm", "finish", "alu"};
  json instructions = json::object(), dram = json::object();
  for (size_t i = 0; i < counters.instructions.size(); ++i)
    instructions[opcodes[i]] = counters.instructions[i];
  for (size_t i = 0; i < counters.dramBytes.size(); ++i)
    dram[isa::memoryName(static_cast<isa::Memory>(i))] = counters.dramBytes[i];
  return {{"instructions", instructions},
          {"dram_bytes", dram},
          {"gemm_steps", counters.gemmSteps},
          {"reset_steps", counters.resetSteps},
          {"alu_steps", counters.aluSteps}};
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
  json list = json::array();
  std::optional<uint64_t> cycles;
  for (const LoadedProgram &loaded : programs) {
    json layers = json::object();
    size_t known = std::min(loaded.program.layers.size(), loaded.layers.size());
    for (size_t i = 0; i < known; ++i)
      layers[loaded.program.layers[i]] = toJson(loaded.layers[i]);
    list.push_back({{"seconds", loaded.seconds},
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
  result["device"] = device ? std::string(device->name()) : "cpu";
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
