/* Runs a compiled model and prints its largest float32 output: run_model model.so [input.bin]
 * Build: cc run_model.c -I runtime/include -L python/acc/_lib -lacc_runtime -Wl,-rpath,python/acc/_lib
 * The file holds the elements of the first input; without it, every input is zero. */
#include <acc/runtime.h>
#include <stdio.h>

static int fail(const char *message) {
  fprintf(stderr, "run_model: %s\n", message);
  return 2;
}

int main(int argc, char **argv) {
  acc_model *model;
  acc_tensor_info input, output;
  if (argc < 2)
    return fail("usage: run_model model.so [input.bin]");
  if (acc_model_load(argv[1], NULL, &model) || acc_model_input(model, 0, &input) || acc_model_output(model, 0, &output))
    return fail(acc_last_error());
  if (!acc_model_input_data(model, 0))
    return fail("the input's size is not fixed: this example would have to choose one for acc_model_run_shapes");
  FILE *file = argc > 2 ? fopen(argv[2], "rb") : NULL;
  if (argc > 2 && (!file || fread(acc_model_input_data(model, 0), 1, input.bytes, file) != input.bytes))
    return fail("the input file cannot be read or is too short");
  if (acc_model_run(model, NULL, NULL))
    return fail(acc_last_error());
  if (acc_model_result(model, 0, &output))
    return fail(acc_last_error());
  if (output.dtype != ACC_FLOAT32)
    return fail("the output is not float32");
  const float *scores = acc_model_output_data(model, 0);
  size_t best = 0, count = output.bytes / sizeof(float);
  for (size_t i = 1; i < count; ++i)
    best = scores[i] > scores[best] ? i : best;
  printf("%s: %g, the largest of %zu, at %zu\n", output.name, scores[best], count, best);
  acc_model_free(model);
  return 0;
}
