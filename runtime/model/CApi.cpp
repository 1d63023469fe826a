#include "Model.h"

#include <new>

using namespace acc;

struct acc_model : Model {
  using Model::Model;
};

static thread_local std::string lastError;

static acc_status report(acc_status status, const std::string &message) {
  lastError = message;
  return status;
}

/// Runs \p body; no exception leaves the library.
template <typename Body> static acc_status guarded(Body body) {
  try {
    body();
    return ACC_OK;
  } catch (const ModelError &error) {
    return report(error.status, error.what());
  } catch (const std::bad_alloc &) {
    return report(ACC_ERROR_MEMORY, "out of memory");
  } catch (const std::exception &error) {
    return report(ACC_ERROR_RUN, error.what());
  }
}

acc_status acc_model_load(const char *path, const acc_model_options *options,
                          acc_model **model) {
  if (!path || !model)
    return report(ACC_ERROR_ARGUMENT, "acc_model_load: a pointer is null");
  *model = nullptr;
  if (options && options->size != sizeof(acc_model_options))
    return report(ACC_ERROR_ARGUMENT,
                  "acc_model_load: the options are of another version; set "
                  "size to sizeof(acc_model_options)");
  return guarded([&] {
    ModelOptions chosen;
    if (options) {
      if (options->device)
        chosen.device = options->device;
      chosen.verify = !options->skip_verification;
      chosen.sanitize = options->sanitize;
      chosen.profile = options->profile;
      chosen.events = options->profile > 1;
      chosen.onLaunch = options->launch;
      chosen.onLaunchUser = options->launch_user;
      chosen.threads = options->threads;
    }
    *model = new acc_model(path, chosen);
  });
}

void acc_model_free(acc_model *model) { delete model; }

acc_status acc_model_set_threads(acc_model *model, int32_t threads) {
  if (!model)
    return report(ACC_ERROR_ARGUMENT,
                  "acc_model_set_threads: the model is null");
  return guarded([&] { model->setThreads(threads); });
}

int32_t acc_model_threads(const acc_model *model) {
  return model ? model->threads() : 0;
}

int32_t acc_model_num_inputs(const acc_model *model) {
  return model ? static_cast<int32_t>(model->info().inputs.size()) : 0;
}

int32_t acc_model_num_outputs(const acc_model *model) {
  return model ? static_cast<int32_t>(model->info().outputs.size()) : 0;
}

static acc_status describe(const std::vector<TensorInfo> &tensors,
                           int32_t index, acc_tensor_info *info,
                           const char *what) {
  if (!info || index < 0 || static_cast<size_t>(index) >= tensors.size())
    return report(ACC_ERROR_ARGUMENT, "the model has no " + std::string(what) +
                                          " " + std::to_string(index));
  const TensorInfo &tensor = tensors[index];
  *info = Model::describe(tensor, tensor.dims, tensor.bytes);
  return ACC_OK;
}

static const char *symbolOf(const std::vector<TensorInfo> &tensors,
                            int32_t index, int32_t dim) {
  if (index < 0 || static_cast<size_t>(index) >= tensors.size() || dim < 0 ||
      static_cast<size_t>(dim) >= tensors[index].symbols.size() ||
      tensors[index].symbols[dim].empty())
    return nullptr;
  return tensors[index].symbols[dim].c_str();
}

const char *acc_model_input_symbol(const acc_model *model, int32_t index,
                                   int32_t dim) {
  return model ? symbolOf(model->info().inputs, index, dim) : nullptr;
}

const char *acc_model_output_symbol(const acc_model *model, int32_t index,
                                    int32_t dim) {
  return model ? symbolOf(model->info().outputs, index, dim) : nullptr;
}

acc_status acc_model_input(const acc_model *model, int32_t index,
                           acc_tensor_info *info) {
  if (!model)
    return report(ACC_ERROR_ARGUMENT, "acc_model_input: the model is null");
  return describe(model->info().inputs, index, info, "input");
}

acc_status acc_model_output(const acc_model *model, int32_t index,
                            acc_tensor_info *info) {
  if (!model)
    return report(ACC_ERROR_ARGUMENT, "acc_model_output: the model is null");
  return describe(model->info().outputs, index, info, "output");
}

void *acc_model_input_data(acc_model *model, int32_t index) {
  if (!model || index < 0 || index >= acc_model_num_inputs(model))
    return nullptr;
  return model->input(index);
}

void *acc_model_output_data(acc_model *model, int32_t index) {
  if (!model || index < 0 || index >= acc_model_num_outputs(model))
    return nullptr;
  return model->output(index);
}

acc_status acc_model_run(acc_model *model, const void *const *inputs,
                         void *const *outputs) {
  if (!model)
    return report(ACC_ERROR_ARGUMENT, "acc_model_run: the model is null");
  return guarded([&] { model->run({inputs, nullptr, outputs}); });
}

acc_status acc_model_run_shapes(acc_model *model, const void *const *inputs,
                                const int64_t *const *dims,
                                acc_output_fn *output, void *user) {
  if (!model)
    return report(ACC_ERROR_ARGUMENT,
                  "acc_model_run_shapes: the model is null");
  return guarded([&] { model->run({inputs, dims, nullptr, output, user}); });
}

acc_status acc_model_result(const acc_model *model, int32_t index,
                            acc_tensor_info *info) {
  if (!model || !info || index < 0 || index >= acc_model_num_outputs(model))
    return report(ACC_ERROR_ARGUMENT,
                  "acc_model_result: a pointer is null or there is no output " +
                      std::to_string(index));
  *info = model->result(index);
  return ACC_OK;
}

const char *acc_model_metadata(const acc_model *model) {
  return model ? model->metadataText.c_str() : "{}";
}

const char *acc_model_statistics(acc_model *model) {
  if (!model)
    return "{}";
  if (guarded([&] { model->statisticsText = model->statistics(); }))
    return "{}";
  return model->statisticsText.c_str();
}

const char *acc_last_error(void) { return lastError.c_str(); }

const char *acc_version(void) { return "0.1.0"; }
