//===- prove_tokens.sv - What a token queue must do ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// There are as many tokens as were pushed and not yet popped, as long as nobody
// pops what is not there and no more are pushed than fit; one more is said to
// be too many.
module prove_tokens #(
    parameter int LOG_DEPTH = 2
) (
    input logic clk,
    input logic rst,
    input logic push,
    input logic pop
);
  logic available, overflow;
  acc_tokens #(.LOG_DEPTH(LOG_DEPTH)) tokens (.*);

  logic started = 1'b0;
  logic [LOG_DEPTH+1:0] pushed, popped, there;
  assign there = pushed - popped;
  always_ff @(posedge clk) begin
    started <= 1'b1;
    pushed  <= rst ? '0 : pushed + (LOG_DEPTH + 2)'(push);
    popped  <= rst ? '0 : popped + (LOG_DEPTH + 2)'(pop);
  end
  always_comb begin
    assume (started || rst);
    if (started) begin
      assume (!pop || available);
      // The core stops behind an overflow.
      assume (!overflow || rst);
      assert (available == (there != '0));
      assert (overflow == (push && !pop && there == (LOG_DEPTH + 2)'((1 << LOG_DEPTH) - 1)));
      assert (there < (LOG_DEPTH + 2)'(1 << LOG_DEPTH));
      assert (there[LOG_DEPTH-1:0] == tokens.count);
    end
  end
endmodule
