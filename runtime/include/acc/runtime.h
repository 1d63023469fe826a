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

/// Elements narrower than a byte take a byte each: the element is its low bits,
/// the others are ignored.
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
  ACC_BOOL = 12,
  ACC_FLOAT8E4M3FN = 13,
  ACC_FLOAT8E4M3FNUZ = 14,
  ACC_FLOAT8E5M2 = 15,
  ACC_FLOAT8E5M2FNUZ = 16,
  ACC_FLOAT8E8M0 = 17,
  ACC_FLOAT6E2M3 = 18,
  ACC_FLOAT6E3M2 = 19,
  ACC_FLOAT4E2M1 = 20,
  ACC_INT4 = 21,
  ACC_INT2 = 22,
  ACC_UINT4 = 23,
  ACC_UINT2 = 24
} acc_dtype;

typedef struct acc_model acc_model;

/// One input or output. The pointers live as long as the model.
typedef struct acc_tensor_info {
  const char *name;
  acc_dtype dtype;
  int32_t rank;
  /// A size that is not fixed is -1: inputs get it, and outputs have it, in a
  /// run.
  const int64_t *dims;
  /// Size of the elements, dense and in row-major order; 0 if it is not fixed.
  size_t bytes;
} acc_tensor_info;

/// Says where an output goes, as soon as its sizes are known; null leaves it in
/// the model's own memory.
typedef void *acc_output_fn(void *user, int32_t index,
                            const acc_tensor_info *info);

/// A buffer of an accelerator program.
typedef struct acc_buffer {
  const void *data;
  size_t bytes;
} acc_buffer;

/// Is told of a launch of an accelerator program, before it runs and `after` it
/// has: the program's buffers in their order, with the table that it brings
/// along, if any (such as micro-ops). They may be read until the function
/// returns.
typedef void acc_launch_fn(void *user, int32_t program, int32_t after,
                           const acc_buffer *buffers, int32_t count);

/// Set `size` to sizeof(acc_model_options) and the rest to zero for defaults.
typedef struct acc_model_options {
  size_t size;
  /// The device that runs accelerator programs, with its options:
  /// "csim:latency=200". Where programs are in several instruction sets,
  /// devices are separated by semicolons, and an instruction set that is not
  /// mentioned has its default device; so has each if this is null. A backslash
  /// takes the meaning from the character that follows.
  const char *device;
  /// Do not check the accelerator programs before the first run.
  int32_t skip_verification;
  /// Let the device report uninitialised reads and unordered hazards. Slow.
  int32_t sanitize;
  /// Measure the time of every kernel; if 2, also record when each instruction
  /// of accelerator programs starts and retires, on devices that know.
  int32_t profile;
  /// Called around every launch, with `launch_user`; may be null.
  acc_launch_fn *launch;
  void *launch_user;
  /// How many threads native code uses, as acc_model_set_threads takes them; 0
  /// for what the model was compiled for, or else the cores that the process
  /// may use.
  int32_t threads;
} acc_model_options;

/// Loads the model of a file. Null options are the defaults.
acc_status acc_model_load(const char *path, const acc_model_options *options,
                          acc_model **model);
void acc_model_free(acc_model *model);

/// How many threads native code uses from the next run on, the calling one
/// included: 1 to ACC_MOST_THREADS. Results are the same bits for any number.
/// All models of a process share their threads, which end with the process.
acc_status acc_model_set_threads(acc_model *model, int32_t threads);
int32_t acc_model_threads(const acc_model *model);
#define ACC_MOST_THREADS 256

int32_t acc_model_num_inputs(const acc_model *model);
int32_t acc_model_num_outputs(const acc_model *model);
acc_status acc_model_input(const acc_model *model, int32_t index,
                           acc_tensor_info *info);
acc_status acc_model_output(const acc_model *model, int32_t index,
                            acc_tensor_info *info);

/// What the model calls a size that is not fixed; null for one that is, or has
/// no name. Sizes of one name are equal.
const char *acc_model_input_symbol(const acc_model *model, int32_t index,
                                   int32_t dim);
const char *acc_model_output_symbol(const acc_model *model, int32_t index,
                                    int32_t dim);

/// The model's own memory of an input or output, 64-byte aligned. Inputs whose
/// sizes are not fixed have none (null); outputs have it from one run to the
/// next. A run that is given other memory need not use it.
void *acc_model_input_data(acc_model *model, int32_t index);
void *acc_model_output_data(acc_model *model, int32_t index);

/// Runs the model once, if the sizes of its inputs are fixed. The arrays hold a
/// pointer per input and output; a null array or pointer stands for the model's
/// own memory of it. Native code works on memory that is aligned as the model's
/// own is without copying it, and on inputs that it reads a few times however
/// they are aligned: the inputs must not change during the run, and
/// what a run that fails leaves in the outputs means nothing.
acc_status acc_model_run(acc_model *model, const void *const *inputs,
                         void *const *outputs);

/// Runs a model with inputs whose sizes are not fixed: `dims` holds the sizes
/// of every input, or null for one whose sizes are. `output` may be null. The
/// inputs must not change during the run.
acc_status acc_model_run_shapes(acc_model *model, const void *const *inputs,
                                const int64_t *const *dims,
                                acc_output_fn *output, void *user);

/// An output as the last run made it, all sizes known. The pointers live until
/// the next run.
acc_status acc_model_result(const acc_model *model, int32_t index,
                            acc_tensor_info *info);

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

/// Iterations [begin, end) of a loop. What `own` points to is the calling
/// thread's alone; whatever it holds is left by others.
typedef void acc_chunks_fn(const void *args, int64_t begin, int64_t end,
                           void *own);

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
  /// The size of an input in this run.
  int64_t (*size)(void *ctx, int32_t input, int32_t dim);
  /// Memory for elements of these sizes. Null is a failure, as for `launch`.
  void *(*allocate)(void *ctx, int32_t element_bytes, int32_t rank,
                    const int64_t *dims);
  /// Gives memory back before the run ends, when all of it is given back.
  void (*release)(void *ctx, void *memory);
  /// Memory for an output whose sizes were not fixed. Null is a failure.
  void *(*output)(void *ctx, int32_t index, int32_t rank, const int64_t *dims);
  /// Says why acc_model_main is about to return a failure: `count` numbers with
  /// texts around them. `texts` has one more than there are numbers, one after
  /// the other, each ended by a NUL.
  void (*fail)(void *ctx, const char *texts, int32_t count,
               const int64_t *numbers);
  /// The next three are called by models that are compiled with guards only
  /// (docs/runtime.md). Says that the next kernel is given a buffer, 64 bytes
  /// before and behind which belong to nothing. What it may write of it is
  /// `writable`, nothing if that is null. `name` is what messages call it.
  void (*guard)(void *ctx, const char *name, void *memory, int64_t bytes,
                void *writable, int64_t writable_bytes);
  /// Called before and `after` that kernel, which must have kept to it:
  /// anything but 0 is a failure.
  int32_t (*check)(void *ctx, int32_t after);
  /// Called before and `after` a store: nothing from `end` on may change.
  void (*row)(void *ctx, const void *end, int32_t after);
  /// Calls `body` for ranges that make up [0, count), in any order and from any
  /// threads, and returns when all are done. The calling thread uses the
  /// `own_bytes` bytes at `own`, every other one memory of the same size.
  void (*parallel)(void *ctx, acc_chunks_fn *body, const void *args,
                   int64_t count, void *own, int64_t own_bytes);
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
