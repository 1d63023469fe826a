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
    if (rst) count <= '0;
    else if (push && !pop) count <= count + 1'b1;
    else if (pop && !push) count <= count - 1'b1;
    if (rst) available <= 1'b0;
    else if (push && !pop) available <= 1'b1;
    else if (pop && !push) available <= count != LOG_DEPTH'(1);
  end
endmodule
