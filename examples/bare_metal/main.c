/* Runs a model on a processor without an operating system, and prints the
   results, digit by digit, in thousandths. */
#include "digits.h"

static DIGITS_ARENA(arena);

/* The serial port of qemu's machine "virt". */
static void put(char c) { *(volatile uint8_t *)0x10000000 = (uint8_t)c; }

static void put_number(int32_t number) {
  char digits[12];
  int count = 0;
  uint32_t rest = number < 0 ? 0u - (uint32_t)number : (uint32_t)number;
  do
    digits[count++] = (char)('0' + rest % 10);
  while (rest /= 10);
  if (number < 0)
    put('-');
  while (count)
    put(digits[--count]);
}

int main(void) {
  float image[DIGITS_INPUT_SIZE], scores[DIGITS_OUTPUT_SIZE];
  /* A vertical stroke: a one. */
  for (int i = 0; i < DIGITS_INPUT_SIZE; ++i)
    image[i] = i % 8 == 3 || i % 8 == 4 ? 16.0f : 0.0f;
  if (digits_run(image, scores, arena) != 0)
    return 1;
  for (int digit = 0; digit < DIGITS_OUTPUT_SIZE; ++digit) {
    put_number(digit);
    put(':');
    put(' ');
    put_number((int32_t)(scores[digit] * 1000.0f));
    put('\n');
  }
  return 0;
}
