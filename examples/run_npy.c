/* Runs a compiled model on arrays of numpy: run_npy model.so OUT input0.npy input1.npy ...
 * writes the outputs to OUT0.npy, OUT1.npy, ... Inputs are in the model's order; sizes that the model leaves open are
 * those of the arrays. Elements that numpy has no name for (bfloat16, ...) are bytes to it.
 * Build: cc run_npy.c -I runtime/include -L python/acc/_lib -lacc_runtime -Wl,-rpath,python/acc/_lib */
#include <acc/runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ARRAYS = 256, MOST_DIMS = 32 };

/* How numpy names the elements of acc_dtype; those without a name of its own are raw bytes. */
static const char *const descriptions[] = {"<f4", "<f8", "<f2", "|V2", "|i1", "<i2", "<i4",
                                           "<i8", "|u1", "<u2", "<u4", "<u8", "|b1"};

static int fail(const char *what, const char *detail) {
  fprintf(stderr, "run_npy: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
  return 2;
}

static const char *describe(acc_dtype type) {
  return (size_t)type < sizeof(descriptions) / sizeof(*descriptions) ? descriptions[type] : "|V1";
}

/* The elements of an array and its sizes, which have to be as many as the model says; null if it is no such array. */
static void *read_array(const char *path, const acc_tensor_info *info, int64_t *dims) {
  unsigned char head[10];
  FILE *file = fopen(path, "rb");
  if (!file || fread(head, 1, 10, file) != 10 || memcmp(head, "\x93NUMPY\x01", 7))
    return NULL;
  size_t length = head[8] + 256u * head[9];
  char *text = calloc(1, length + 1);
  if (!text || fread(text, 1, length, file) != length || strstr(text, "'fortran_order': True"))
    return NULL;
  const char *name = strstr(text, "'descr': '"), *shape = strstr(text, "'shape': (");
  const char *wanted = describe(info->dtype);
  if (!name || !shape || strncmp(name + 10, wanted, 3) || info->rank > MOST_DIMS)
    return NULL;
  shape += strlen("'shape': (");
  size_t bytes = (size_t)(wanted[2] - '0');
  int32_t rank = 0;
  for (; *shape && *shape != ')'; shape += strspn(shape, ", ")) {
    char *end;
    long long size = strtoll(shape, &end, 10);
    if (end == shape || rank == info->rank || size < 0)
      return NULL;
    dims[rank++] = size;
    bytes *= (size_t)size;
    shape = end;
  }
  void *data = aligned_alloc(64, (bytes / 64 + 1) * 64);
  if (rank != info->rank || !data || fread(data, 1, bytes, file) != bytes)
    return NULL;
  free(text);
  fclose(file);
  return data;
}

static int write_array(const char *path, const acc_tensor_info *info, const void *data) {
  char text[1024];
  int length = snprintf(text, sizeof(text), "{'descr': '%s', 'fortran_order': False, 'shape': (", describe(info->dtype));
  for (int32_t i = 0; i < info->rank; ++i)
    length += snprintf(text + length, sizeof(text) - (size_t)length, "%lld,", (long long)info->dims[i]);
  length += snprintf(text + length, sizeof(text) - (size_t)length, "), }\n");
  unsigned char head[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(length & 255), (unsigned char)(length >> 8)};
  FILE *file = fopen(path, "wb");
  return file && fwrite(head, 1, 10, file) == 10 && fwrite(text, 1, (size_t)length, file) == (size_t)length &&
         fwrite(data, 1, info->bytes, file) == info->bytes && !fclose(file);
}

int main(int argc, char **argv) {
  acc_model *model;
  const void *inputs[MOST_ARRAYS] = {0};
  static int64_t sizes[MOST_ARRAYS][MOST_DIMS];
  const int64_t *shapes[MOST_ARRAYS];
  if (argc < 3)
    return fail("usage: run_npy model.so OUT input0.npy ...", NULL);
  if (acc_model_load(argv[1], NULL, &model))
    return fail(acc_last_error(), NULL);
  int32_t count = acc_model_num_inputs(model);
  if (count != argc - 3 || count > MOST_ARRAYS)
    return fail("the model has another number of inputs", NULL);
  for (int32_t i = 0; i < count; ++i) {
    acc_tensor_info info;
    if (acc_model_input(model, i, &info))
      return fail(acc_last_error(), NULL);
    if (!(inputs[i] = read_array(argv[3 + i], &info, sizes[i])))
      return fail("no array of the input's type and rank can be read", argv[3 + i]);
    for (int32_t d = 0; d < info.rank; ++d)
      if (info.dims[d] >= 0 && info.dims[d] != sizes[i][d])
        return fail("the array has another size than the input", argv[3 + i]);
    shapes[i] = sizes[i];
  }
  if (acc_model_run_shapes(model, inputs, shapes, NULL, NULL))
    return fail(acc_last_error(), NULL);
  for (int32_t i = 0; i < acc_model_num_outputs(model); ++i) {
    acc_tensor_info info;
    char path[4096];
    if (acc_model_result(model, i, &info))
      return fail(acc_last_error(), NULL);
    snprintf(path, sizeof(path), "%s%d.npy", argv[2], (int)i);
    if (!write_array(path, &info, acc_model_output_data(model, i)))
      return fail("the file cannot be written", path);
  }
  acc_model_free(model);
  return 0;
}
