/* Runs a model that is C: `make run`. Nothing of acc is linked. */
#include "digits.h"

#include <stdio.h>

static DIGITS_ARENA(arena);

int main(void) {
  float image[DIGITS_INPUT_SIZE], scores[DIGITS_OUTPUT_SIZE];
  /* A vertical stroke: a one. */
  for (int i = 0; i < DIGITS_INPUT_SIZE; ++i)
    image[i] = i % 8 == 3 || i % 8 == 4 ? 16.0f : 0.0f;
  if (digits_run(image, scores, arena) != 0)
    return 1;
  for (int digit = 0; digit < DIGITS_OUTPUT_SIZE; ++digit)
    printf("%d: %f\n", digit, (double)scores[digit]);
  return 0;
}
