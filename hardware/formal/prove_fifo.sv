//===- prove_fifo.sv - What a FIFO must do ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Any one word that is pushed comes out once, unchanged, behind exactly those
// that were ahead of it: `mark` may pick any push, so what holds for the marked
// word holds for all of them. And the FIFO is never shy: it takes words unless
// it is full, and shows them unless it is empty.
//
// FIFO names the module; IN_RAM is defined if it is the one in a block RAM.
//
// What speaks of `fifo.` says in which states it can be, as induction starts
// from any state that is not excluded.
module prove_fifo #(
    parameter int WIDTH = 2,
    parameter int LOG_DEPTH = 2
) (
    input logic             clk,
    input logic             rst,
    input logic             in_valid,
    input logic [WIDTH-1:0] in_data,
    input logic             out_ready,
    input logic             mark
);
  localparam int COUNT = LOG_DEPTH + 1;
  localparam logic [COUNT-1:0] DEPTH = COUNT'(1 << LOG_DEPTH);
  logic in_ready, out_valid, push, pop;
  logic [WIDTH-1:0] out_data;
  logic [COUNT-1:0] count;
  `FIFO #(
      .WIDTH(WIDTH),
      .LOG_DEPTH(LOG_DEPTH)
  ) fifo (
      .*
  );
  assign push = in_valid && in_ready;
  assign pop  = out_valid && out_ready;

  // The marked word while it is inside: its value, and how many are ahead.
  logic started = 1'b0, here;
  logic [COUNT-1:0] ahead;
  logic [WIDTH-1:0] value;
  always_ff @(posedge clk) begin
    started <= 1'b1;
    if (rst) here <= 1'b0;
    else if (!here) here <= push && mark;
    else if (pop && ahead == '0) here <= 1'b0;
    if (!here) begin
      ahead <= count - COUNT'(pop);
      value <= in_data;
    end else if (pop) ahead <= ahead - 1'b1;
  end

  // Where the marked word is.
  logic as_it_was, sound;
`ifdef IN_RAM
  localparam bit IN_RAM = 1'b1;
`else
  localparam bit IN_RAM = 1'b0;
`endif
  if (IN_RAM) begin : g_block
    logic [LOG_DEPTH-1:0] place;
    assign place = fifo.head + LOG_DEPTH'(ahead);
    assign as_it_was = fifo.mem[place] == value;
    assign sound = fifo.tail - fifo.head == count[LOG_DEPTH-1:0] && (!out_valid || out_data == fifo.mem[fifo.head]);
  end else if (LOG_DEPTH == 1) begin : g_registers
    assign as_it_was = (ahead == '0 ? fifo.g_registers.first : fifo.g_registers.second) == value;
    assign sound = 1'b1;
  end else begin : g_ram
    logic [LOG_DEPTH-1:0] place;
    assign place = fifo.g_ram.head + LOG_DEPTH'(ahead);
    assign as_it_was = fifo.g_ram.mem[place] == value;
    assign sound = fifo.g_ram.tail - fifo.g_ram.head == count[LOG_DEPTH-1:0];
  end
  always_comb begin
    assume (started || rst);
    if (started) begin
      assert (count <= DEPTH);
      assert (in_ready == (count != DEPTH));
      assert (out_valid == (count != '0));
      assert (!here || ahead < count);
      assert (!here || ahead != '0 || out_data == value);
      assert (sound && (!here || as_it_was));
    end
  end
endmodule
