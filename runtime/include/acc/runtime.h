/// The C interface of the runtime: loads and runs models that acc compiled.
///
/// Link with libacc_runtime alone. Functions that can fail return an
/// acc_status; acc_last_error() then says what went wrong, in the calling
/// thread. A model may be used by several threads; its runs take turns.

#ifndef ACC_RUNTIME_H
#define ACC_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum acc_status {
  ACC_OK = 0,
  /// The file cannot be opened or read.
  ACC_ERROR_IO = 1,
  /// Not a compiled model, or a corrupted one.
  ACC_ERROR_FORMAT = 2,
  /// A compiled model of another version of the format or another processor.
  ACC_ERROR_VERSION = 3,
  /// A null pointer or an index out of range.
  ACC_ERROR_ARGUMENT = 4,
  ACC_ERROR_MEMORY = 5,
  /// There is no such device, or it cannot be had.
  ACC_ERROR_DEVICE = 6,
  /// The model failed while it ran.
  ACC_ERROR_RUN = 7
} acc_status;

typedef enum acc_dtype {
  ACC_FLOAT32 = 0,
  ACC_FLOAT64 = 1,
  ACC_FLOAT16 = 2,
  ACC_BFLOAT16 = 3,
  ACC_INT8 = 4,
  ACC_INT16 = 5,
  ACC_INT32 = 6,
  ACC_INT64 = 7,
  ACC_UINT8 = 8,
  ACC_UINT16 = 9,
  ACC_UINT32 = 10,
  ACC_UINT64 = 11,
  ACC_BOOL = 12
} acc_dtype;

typedef struct acc_model acc_model;

/// One input or output. The pointers live as long as the model.
typedef struct acc_tensor_info {
  const char *name;
  acc_dtype dtype;
  int32_t rank;
  const int64_t *dims;
  /// Size of the elements, dense and in row-major order.
  size_t bytes;
} acc_tensor_info;

/// Set `size` to sizeof(acc_model_options) and the rest to zero for defaults.
typedef struct acc_model_options {
  size_t size;
  /// The device that runs accelerator programs; null is "fsim".
  const char *device;
  /// Do not check the accelerator programs before the first run.
  int32_t skip_verification;
  /// Let the device report uninitialised reads and unordered hazards. Slow.
  int32_t sanitize;
  /// Measure the time of every kernel.
  int32_t profile;
} acc_model_options;

/// Loads the model of a file. Null options are the defaults.
acc_status acc_model_load(const char *path, const acc_model_options *options,
                          acc_model **model);
void acc_model_free(acc_model *model);

int32_t acc_model_num_inputs(const acc_model *model);
int32_t acc_model_num_outputs(const acc_model *model);
acc_status acc_model_input(const acc_model *model, int32_t index,
                           acc_tensor_info *info);
acc_status acc_model_output(const acc_model *model, int32_t index,
                            acc_tensor_info *info);

/// The model's own memory of an input or output, 64-byte aligned.
void *acc_model_input_data(acc_model *model, int32_t index);
void *acc_model_output_data(acc_model *model, int32_t index);

/// Runs the model once. The arrays hold a pointer per input and output; a null
/// array or pointer stands for the model's own memory of it.
acc_status acc_model_run(acc_model *model, const void *const *inputs,
                         void *const *outputs);

/// JSON text: what the compiler recorded about the model.
const char *acc_model_metadata(const acc_model *model);
/// JSON text: times and device counters of the last run. Valid until the next
/// call of this function for the same model.
const char *acc_model_statistics(acc_model *model);

/// What went wrong in the last call of this thread that failed; never null.
const char *acc_last_error(void);
const char *acc_version(void);

//===----------------------------------------------------------------------===//
// What compiled code sees
//===----------------------------------------------------------------------===//

/// Handed to the compiled code, which has no undefined symbols but libm's and
/// libc's. New members are only ever appended.
typedef struct acc_host_api {
  /// Runs an accelerator program on `count` buffers of the model's memory.
  /// Anything but 0 is a failure, to be returned by acc_model_main at once.
  int32_t (*launch)(void *ctx, int32_t program, void *const *buffers,
                    int32_t count);
  /// Says that the kernel with this index (into the metadata's "layers")
  /// begins. Never null; cheap unless the model is profiled.
  void (*layer)(void *ctx, int32_t layer);
} acc_host_api;

/// The one symbol that the image of a compiled model exports: runs it once.
/// All memory belongs to one arena and is aligned as the metadata says.
typedef int32_t acc_model_main_fn(const acc_host_api *api, void *ctx,
                                  void *const *inputs, void *const *outputs,
                                  void *const *constants, void *workspace);
#define ACC_MODEL_MAIN "acc_model_main"

#ifdef __cplusplus
}
#endif

#endif // ACC_RUNTIME_H
