//===- acc_fifo.sv - Small FIFO ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A FIFO in distributed RAM, or in registers if it holds two words, which is
// less than a RAM of 16 words. The head is visible while out_valid, one cycle
// after it was pushed at the earliest.
module acc_fifo #(
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
  logic push, pop;
  // The count's top bit is set exactly when the FIFO is full.
  assign in_ready  = !count[LOG_DEPTH];
  assign push      = in_valid && in_ready;
  assign pop       = out_valid && out_ready;

  if (LOG_DEPTH == 1) begin : g_registers
    logic [WIDTH-1:0] first, second;
    logic becomes_first;
    assign becomes_first = pop || !out_valid;
    assign out_data = first;
    always_ff @(posedge clk) begin
      if (becomes_first) first <= count[1] ? second : in_data;
      if (push) second <= in_data;
    end
  end else begin : g_ram
    // Not in a block RAM, whose output comes late in a cycle.
    (* ram_style = "distributed" *) logic [WIDTH-1:0] mem[0:(1<<LOG_DEPTH)-1];
    logic [LOG_DEPTH-1:0] head, tail;
    assign out_data = mem[head];
    always_ff @(posedge clk) begin
      if (push) mem[tail] <= in_data;
      if (rst) begin
        head <= '0;
        tail <= '0;
      end else begin
        if (push) tail <= tail + 1'b1;
        if (pop) head <= head + 1'b1;
      end
    end
  end

  always_ff @(posedge clk) begin
    if (rst) begin
      count <= '0;
      out_valid <= 1'b0;
    end else if (push != pop) begin
      // One more or, all ones, one less.
      count <= count + {{LOG_DEPTH{pop}}, 1'b1};
      out_valid <= push || count != (LOG_DEPTH + 1)'(1);
    end
  end
endmodule
