//===- acc_fifo_ram.sv - FIFO in a block RAM ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// As acc_fifo, cycle by cycle, for words that are wide or many: the words lie in
// a block RAM, whose output register holds the head.
//
//   in -> [array] -> [q] ----.
//    '--> [late] ------------'-> out
//   cycle 0          1
//
// A block RAM does not give what is being written, so a word that becomes the
// head in the cycle in which it is pushed comes from `late`, and is read in the
// cycle behind that. The output comes late in its cycle, whatever a block RAM's
// clock-to-output is: a register should be near.
module acc_fifo_ram #(
    parameter int WIDTH = 8,
    parameter int LOG_DEPTH = 2
) (
    input  logic               clk,
    input  logic               rst,
    input  logic               in_valid,
    output logic               in_ready,
    input  logic [  WIDTH-1:0] in_data,
    output logic               out_valid,
    input  logic               out_ready,
    output logic [  WIDTH-1:0] out_data,
    output logic [LOG_DEPTH:0] count
);
  (* ram_style = "block", no_rw_check *) logic [WIDTH-1:0] mem[0:(1<<LOG_DEPTH)-1];
  logic [WIDTH-1:0] q, late;
  logic [LOG_DEPTH-1:0] head, tail, next_head;
  logic push, pop, is_late;

  // The count's top bit is set exactly when the FIFO is full.
  assign in_ready  = !count[LOG_DEPTH];
  assign push      = in_valid && in_ready;
  assign pop       = out_valid && out_ready;
  assign next_head = head + LOG_DEPTH'(pop);
  assign out_data  = is_late ? late : q;

  always_ff @(posedge clk) begin
    if (push) begin
      mem[tail] <= in_data;
      late <= in_data;
    end
    // The head changes with a pop, and what was late is there by now.
    if (pop || is_late) q <= mem[next_head];
  end

  always_ff @(posedge clk) begin
    if (rst) begin
      head <= '0;
      tail <= '0;
      count <= '0;
      out_valid <= 1'b0;
      is_late <= 1'b0;
    end else begin
      head <= next_head;
      if (push) tail <= tail + 1'b1;
      if (push != pop) begin
        // One more or, all ones, one less.
        count <= count + {{LOG_DEPTH{pop}}, 1'b1};
        out_valid <= push || count != (LOG_DEPTH + 1)'(1);
      end
      is_late <= push && (!out_valid || (pop && count == (LOG_DEPTH + 1)'(1)));
    end
  end
endmodule
