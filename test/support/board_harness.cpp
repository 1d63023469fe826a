//===- board_harness.cpp - The board; its serial port is stdin, stdout ----===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// Simulates acc_board: bytes from stdin go over its wire uart_rx, and what it
/// sends over uart_tx is written to stdout. Ends when stdin does and everything
/// has been sent.

#include "Vacc_board.h"

#include <poll.h>
#include <unistd.h>

static constexpr unsigned kClocks = ACC_CLOCKS_PER_BIT;

int main() {
  VerilatedContext context;
  Vacc_board dut(&context);
  // Line values that are still to be sent, and cycles until the next one.
  unsigned frame = 0, bits = 0, wait = 0;
  // What is being received: bits that are left, the byte, cycles to a sample.
  unsigned left = 0, byte = 0, sample = 0;
  dut.uart_rx = 1;
  dut.reset_button = 0;
  bool open = true;
  for (unsigned long long idle = 0; open || idle < 100000; ++idle) {
    dut.clk = 0;
    dut.eval();
    dut.clk = 1;
    dut.eval();

    if (wait)
      --wait;
    else if (bits) {
      dut.uart_rx = frame & 1;
      frame >>= 1;
      --bits;
      wait = kClocks - 1;
    } else if (open && idle > 100) {
      pollfd input = {STDIN_FILENO, POLLIN, 0};
      unsigned char next;
      if (poll(&input, 1, 0) > 0) {
        open = read(STDIN_FILENO, &next, 1) == 1;
        if (open)
          frame = next << 1 | 0x200, bits = 10;
      }
    }

    if (left == 0) {
      if (!dut.uart_tx)
        left = 9, sample = kClocks + kClocks / 2, byte = 0;
    } else if (--sample == 0) {
      sample = kClocks;
      if (--left)
        byte = byte >> 1 | dut.uart_tx << 7;
      else {
        unsigned char answer = byte;
        if (!dut.uart_tx || write(STDOUT_FILENO, &answer, 1) != 1)
          return 1;
      }
    }
  }
  return 0;
}
