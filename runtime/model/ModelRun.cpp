#include "Model.h"

#include "threads/ThreadPool.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <iterator>
#include <map>
#include <utility>

using namespace acc;

static double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

static std::string toText(const int64_t *dims, size_t rank) {
  std::string text;
  for (size_t i = 0; i < rank; ++i)
    text += (i ? ", " : "") + std::to_string(dims[i]);
  return "[" + text + "]";
}

//===----------------------------------------------------------------------===//
// What compiled code calls
//===----------------------------------------------------------------------===//

/// The members of acc_host_api.
struct Model::Hooks {
  /// Compiled code cannot be unwound: what \p body throws becomes the reason
  /// why the run fails.
  template <typename T, typename Body>
  static T guarded(void *ctx, T failed, Body body) {
    auto *self = static_cast<Model *>(ctx);
    try {
      return body(*self);
    } catch (const std::exception &error) {
      self->fail(ACC_ERROR_RUN, error.what());
      return failed;
    }
  }

  static int32_t launch(void *ctx, int32_t program, void *const *buffers,
                        int32_t count) {
    return guarded(ctx, int32_t(1), [&](Model &model) {
      return model.launch(program, buffers, count);
    });
  }
  static void layer(void *ctx, int32_t layer) {
    static_cast<Model *>(ctx)->beginLayer(layer);
  }
  static int64_t size(void *ctx, int32_t input, int32_t dim) {
    return static_cast<Model *>(ctx)
        ->shapes[static_cast<size_t>(input)][static_cast<size_t>(dim)];
  }
  static void *allocate(void *ctx, int32_t elementBytes, int32_t rank,
                        const int64_t *dims) {
    return guarded(ctx, static_cast<void *>(nullptr), [&](Model &model) {
      return model.allocate(static_cast<uint64_t>(elementBytes), dims,
                            static_cast<size_t>(rank));
    });
  }
  static void release(void *ctx, void *memory) {
    static_cast<Model *>(ctx)->pool.release(memory);
  }
  static void *output(void *ctx, int32_t index, int32_t rank,
                      const int64_t *dims) {
    return guarded(ctx, static_cast<void *>(nullptr), [&](Model &model) {
      return model.placeOutput(index, dims, static_cast<size_t>(rank));
    });
  }
  static void fail(void *ctx, const char *texts, int32_t count,
                   const int64_t *numbers) {
    std::string message = texts;
    for (int32_t i = 0; i < count; ++i) {
      texts += std::strlen(texts) + 1;
      message += std::to_string(numbers[i]) + texts;
    }
    static_cast<Model *>(ctx)->fail(ACC_ERROR_RUN, message);
  }
  static void guard(void *ctx, const char *name, void *memory, int64_t bytes,
                    void *writable, int64_t writableBytes) {
    guarded(ctx, 0, [&](Model &model) {
      if (model.metadata.guardBytes)
        model.guards.add(name, memory, static_cast<uint64_t>(bytes), writable,
                         static_cast<uint64_t>(writableBytes));
      return 0;
    });
  }
  static int32_t check(void *ctx, int32_t after) {
    return guarded(ctx, int32_t(1), [&](Model &model) {
      if (after)
        return model.checkGuards();
      model.guards.begin();
      return 0;
    });
  }
  static void row(void *ctx, const void *end, int32_t after) {
    guarded(ctx, 0, [&](Model &model) {
      if (model.metadata.guardBytes)
        after ? model.guards.endRow(end) : model.guards.beginRow(end);
      return 0;
    });
  }
  static void parallel(void *ctx, acc_chunks_fn *body, const void *args,
                       int64_t count, void *own, int64_t ownBytes) {
    ThreadPool::get().run(static_cast<Model *>(ctx)->runThreads, body, args,
                          count, own, ownBytes);
  }
  static constexpr acc_host_api kTable = {launch,  layer,  size,    allocate,
                                          release, output, fail,    guard,
                                          check,   row,    parallel};
};

void Model::fail(acc_status status, const std::string &reason) {
  if (failure.empty()) {
    failure = reason;
    failureStatus = status;
  }
}

void *Model::allocate(uint64_t elementBytes, const int64_t *dims, size_t rank) {
  auto bytes = checkedBytes(elementBytes, dims, rank);
  void *memory = bytes ? pool.allocate(*bytes) : nullptr;
  if (memory)
    return memory;
  std::string shape = toText(dims, rank);
  if (std::any_of(dims, dims + rank, [](int64_t d) { return d < 0; }))
    fail(ACC_ERROR_RUN, "a tensor would have the shape " + shape);
  else
    fail(ACC_ERROR_MEMORY, "there is no memory for a tensor of shape " + shape +
                               " with elements of " +
                               std::to_string(elementBytes) + " bytes");
  return nullptr;
}

/// The kernel that was the last to begin has ended.
int32_t Model::checkGuards() {
  if (auto violation = guards.check()) {
    std::string name = kernelName();
    fail(ACC_ERROR_RUN,
         "kernel '" + (name.empty() ? std::to_string(currentLayer) : name) +
             "' " + *violation + "; acc miscompiled it");
  }
  return failure.empty() ? 0 : 1;
}

acc_tensor_info Model::describe(const TensorInfo &info,
                                const std::vector<int64_t> &dims,
                                uint64_t bytes) {
  return {info.name.c_str(), info.dtype, static_cast<int32_t>(dims.size()),
          dims.data(), bytes};
}

acc_tensor_info Model::result(size_t index) const {
  return describe(metadata.outputs[index], results[index].dims,
                  results[index].bytes);
}

void *Model::placeOutput(int32_t index, const int64_t *dims, size_t rank) {
  const TensorInfo &info = metadata.outputs.at(static_cast<size_t>(index));
  Result &placed = results[static_cast<size_t>(index)];
  auto bytes = info.bytesOf(dims);
  for (size_t i = 0; i < rank; ++i)
    if (info.dims[i] >= 0 && info.dims[i] != dims[i]) {
      fail(ACC_ERROR_RUN, "output '" + info.name + "' would have the shape " +
                              toText(dims, rank) + " instead of " +
                              info.shapeText());
      return nullptr;
    }
  placed.dims.assign(dims, dims + rank);
  placed.bytes = bytes.value_or(0);
  placed.memory = nullptr;
  // Nothing is known of what lies around memory of the caller: with guards, it
  // gets a copy when the run is over.
  if (bytes && request->output && !metadata.guardBytes) {
    acc_tensor_info now = describe(info, placed.dims, placed.bytes);
    placed.memory = request->output(request->user, index, &now);
  }
  if (!placed.memory)
    placed.memory = allocate(info.elementBytes(), dims, rank);
  return placed.memory;
}

//===----------------------------------------------------------------------===//
// A run
//===----------------------------------------------------------------------===//

/// Takes the sizes of the inputs, as far as they make sense.
void Model::setShapes(const int64_t *const *dims) {
  std::map<std::string, std::pair<int64_t, std::string>> known;
  for (size_t i = 0; i < metadata.inputs.size(); ++i) {
    const TensorInfo &info = metadata.inputs[i];
    auto refuse = [&](const std::string &reason) {
      throw ModelError(ACC_ERROR_ARGUMENT, "input '" + info.name +
                                               "' of shape " +
                                               info.shapeText() + " " + reason);
    };
    const int64_t *given = dims ? dims[i] : nullptr;
    if (!given && !info.isFixed())
      refuse("needs sizes: run it with acc_model_run_shapes");
    if (!given)
      given = info.dims.data();
    size_t rank = info.dims.size();
    if (!info.bytesOf(given))
      refuse("cannot have the shape " + toText(given, rank));
    for (size_t d = 0; d < rank; ++d) {
      if (info.dims[d] >= 0 && info.dims[d] != given[d])
        refuse("cannot have the shape " + toText(given, rank));
      if (info.symbols[d].empty())
        continue;
      auto [entry, isNew] =
          known.try_emplace(info.symbols[d], given[d], info.name);
      if (!isNew && entry->second.first != given[d])
        refuse("has " + std::to_string(given[d]) + " for '" + info.symbols[d] +
               "', but input '" + entry->second.second + "' has " +
               std::to_string(entry->second.first));
    }
    shapes[i].assign(given, given + rank);
  }
}

/// Whether code can work on this memory of the caller as it does on the
/// model's own, as which it should be aligned.
bool Model::isUsable(const void *memory, uint64_t alignment) const {
  return memory && !metadata.guardBytes &&
         reinterpret_cast<uintptr_t>(memory) % alignment == 0;
}

/// Inputs of fixed size are copied to where the accelerator reaches them, if
/// there is one; others are read where they are, if that is as aligned as the
/// code likes it and need not have guards.
std::vector<void *> Model::takeInputs(const void *const *inputs) {
  std::vector<void *> pointers = arena.inputs;
  for (size_t i = 0; i < pointers.size(); ++i) {
    const TensorInfo &info = metadata.inputs[i];
    const void *given = inputs ? inputs[i] : nullptr;
    uint64_t alignment =
        info.isAnywhere ? info.elementBytes() : metadata.alignment;
    if (pointers[i]) {
      if (programs.empty() && isUsable(given, alignment))
        pointers[i] = const_cast<void *>(given);
      else if (given && given != pointers[i])
        std::memcpy(pointers[i], given, info.bytes);
      continue;
    }
    uint64_t bytes = *info.bytesOf(shapes[i].data());
    if (!given && bytes == 0)
      given = arena.begin();
    if (!given)
      throw ModelError(ACC_ERROR_ARGUMENT,
                       "input '" + info.name + "' of shape " +
                           info.shapeText() + " has no memory of its own");
    pointers[i] = const_cast<void *>(given);
    if (isUsable(given, alignment))
      continue;
    pointers[i] =
        allocate(info.elementBytes(), shapes[i].data(), shapes[i].size());
    if (!pointers[i])
      throw ModelError(failureStatus, failure);
    std::memcpy(pointers[i], given, bytes);
  }
  return pointers;
}

/// Where the caller wants the outputs of fixed size; null for what has a
/// place of the model's own, or no fixed size.
std::vector<void *> Model::askForOutputs() {
  std::vector<void *> wanted(arena.outputs.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!arena.outputs[i])
      continue;
    const TensorInfo &info = metadata.outputs[i];
    wanted[i] = request->outputs ? request->outputs[i] : nullptr;
    if (request->output) {
      acc_tensor_info now = describe(info, info.dims, info.bytes);
      wanted[i] = request->output(request->user, static_cast<int32_t>(i), &now);
    }
  }
  return wanted;
}

/// Outputs of fixed size are made where the accelerator reaches them, if there
/// is one, and else where the caller wants them, unless something else lies
/// there.
std::vector<void *>
Model::chooseOutputs(const std::vector<void *> &wanted,
                     const std::vector<void *> &inputs) const {
  std::vector<void *> pointers = arena.outputs;
  if (!programs.empty())
    return pointers;
  std::map<uintptr_t, uintptr_t> taken;
  auto take = [&](const void *memory, uint64_t bytes) {
    auto begin = reinterpret_cast<uintptr_t>(memory);
    auto after = taken.lower_bound(begin);
    bool isFree = after == taken.end() || after->first >= begin + bytes;
    if (after != taken.begin())
      isFree &= std::prev(after)->second <= begin;
    uintptr_t &end = taken[begin];
    end = std::max<uintptr_t>(end, begin + bytes);
    return isFree;
  };
  for (size_t i = 0; i < inputs.size(); ++i)
    take(inputs[i], *metadata.inputs[i].bytesOf(shapes[i].data()));
  for (size_t i = 0; i < pointers.size(); ++i)
    if (pointers[i] && isUsable(wanted[i], metadata.alignment) &&
        take(wanted[i], metadata.outputs[i].bytes))
      pointers[i] = wanted[i];
  return pointers;
}

/// Hands over the outputs of fixed size, which lie at \p made, and those that
/// were not placed in memory of the caller because of their guards.
void Model::giveOutputs(const std::vector<void *> &made,
                        std::vector<void *> &wanted) {
  for (size_t i = 0; i < made.size(); ++i) {
    bool isFixed = made[i] != nullptr;
    if (isFixed)
      results[i] = {metadata.outputs[i].dims, metadata.outputs[i].bytes,
                    made[i]};
    else if (!metadata.guardBytes)
      continue;
    else if (request->output) {
      acc_tensor_info now = result(i);
      wanted[i] = request->output(request->user, static_cast<int32_t>(i), &now);
    }
    if (wanted[i] && wanted[i] != results[i].memory)
      std::memcpy(wanted[i], results[i].memory, results[i].bytes);
    if (wanted[i] && !isFixed)
      results[i].memory = wanted[i];
  }
}

void Model::run(const RunRequest &wanted) {
  std::lock_guard lock(mutex);
  request = &wanted;
  failure.clear();
  // What guards find is the fault of the one kernel, and store, that runs.
  runThreads = metadata.guardBytes ? 1 : wantedThreads.load();
  pool.reset();
  for (size_t i = 0; i < results.size(); ++i) {
    results[i] = {metadata.outputs[i].dims, 0, arena.outputs[i]};
    if (wanted.outputs && wanted.outputs[i] && !arena.outputs[i])
      throw ModelError(ACC_ERROR_ARGUMENT,
                       "output '" + metadata.outputs[i].name +
                           "' has no fixed size: run it with "
                           "acc_model_run_shapes");
  }
  setShapes(wanted.dims);
  std::vector<void *> pointers = takeInputs(wanted.inputs);
  std::vector<void *> asked = askForOutputs();
  std::vector<void *> made = chooseOutputs(asked, pointers);
  for (LoadedProgram &program : programs)
    program.clear();
  launches.clear();
  std::fill(layerSeconds.begin(), layerSeconds.end(), 0.0);
  currentLayer = -1;

  double start = now();
  int32_t code = image.entry(&Hooks::kTable, this, pointers.data(), made.data(),
                             arena.constants.data(), arena.workspace);
  beginLayer(-1);
  runSeconds = now() - start;
  if (code || !failure.empty())
    throw ModelError(failure.empty() ? ACC_ERROR_RUN : failureStatus,
                     failure.empty()
                         ? "the model failed with code " + std::to_string(code)
                         : failure);
  ++runs;
  giveOutputs(made, asked);
}

void Model::beginLayer(int32_t layer) {
  int32_t last = std::exchange(currentLayer, layer);
  if (!options.profile)
    return;
  double time = now();
  if (last >= 0 && static_cast<size_t>(last) < layerSeconds.size())
    layerSeconds[static_cast<size_t>(last)] += time - layerStart;
  layerStart = time;
}
