/* Runs a compiled model: run_model model.so [input.bin]
 * Build: cc run_model.c -I runtime/include -L python/acc/_lib -lacc_runtime -lm
 * The file holds the first input's elements; without it, all inputs are zero. */
#include <acc/runtime.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
  acc_model *model = NULL;
  acc_tensor_info in, out;
  if (argc < 2 || acc_model_load(argv[1], NULL, &model)) {
    fprintf(stderr, "%s\n", argc < 2 ? "usage: run_model model.so [input.bin]" : acc_last_error());
    return 2;
  }
  acc_model_input(model, 0, &in);
  acc_model_output(model, 0, &out);
  if (argc > 2) {
    FILE *file = fopen(argv[2], "rb");
    if (!file || fread(acc_model_input_data(model, 0), 1, in.bytes, file) != in.bytes) {
      fprintf(stderr, "%s must hold %zu bytes\n", argv[2], in.bytes);
      return 2;
    }
    fclose(file);
  }
  if (acc_model_run(model, NULL, NULL)) {
    fprintf(stderr, "%s\n", acc_last_error());
    return 2;
  }
  const void *data = acc_model_output_data(model, 0);
  size_t best = 0, count = out.bytes / (out.dtype == ACC_FLOAT32 ? sizeof(float) : 1);
  for (size_t i = 1; i < count; ++i)
    if (out.dtype == ACC_FLOAT32 ? ((const float *)data)[i] > ((const float *)data)[best]
                                 : ((const int8_t *)data)[i] > ((const int8_t *)data)[best])
      best = i;
  printf("%s: largest at %zu of %zu\n", out.name, best, count);
  acc_model_free(model);
  return 0;
}
