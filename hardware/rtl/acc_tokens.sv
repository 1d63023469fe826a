//===- acc_tokens.sv - Token queue ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A queue of dependence tokens between two modules. Tokens carry nothing, so
// the queue is a count. A push is visible to `available` in the next cycle.
module acc_tokens #(
    parameter int LOG_DEPTH = 8
) (
    input  logic clk,
    input  logic rst,
    input  logic push,
    input  logic pop,
    output logic available,
    output logic overflow
);
  logic [LOG_DEPTH-1:0] count;

  assign overflow  = push && !pop && (&count);

  always_ff @(posedge clk) begin
    if (rst) begin
      count <= '0;
      available <= 1'b0;
    end else if (push != pop) begin
      // One more or, all ones, one less.
      count <= count + {{LOG_DEPTH - 1{pop}}, 1'b1};
      available <= push || count != LOG_DEPTH'(1);
    end
  end
endmodule
