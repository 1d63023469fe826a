//===- acc_fifo.sv - Small FIFO ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A FIFO in distributed RAM. The head is visible while out_valid, one cycle
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
  // Not in a block RAM, whose output comes late in a cycle.
  (* ram_style = "distributed" *) logic [WIDTH-1:0] mem[0:(1<<LOG_DEPTH)-1];
  logic [LOG_DEPTH-1:0] head, tail;
  logic push, pop;

  // The count's top bit is set exactly when the FIFO is full.
  assign in_ready  = !count[LOG_DEPTH];
  assign push      = in_valid && in_ready;
  assign pop       = out_valid && out_ready;
  assign out_data  = mem[head];

  always_ff @(posedge clk) if (push) mem[tail] <= in_data;

  always_ff @(posedge clk) begin
    if (rst) begin
      head <= '0;
      tail <= '0;
      count <= '0;
      out_valid <= 1'b0;
    end else begin
      if (push) tail <= tail + 1'b1;
      if (pop) head <= head + 1'b1;
      if (push && !pop) begin
        count <= count + 1'b1;
        out_valid <= 1'b1;
      end
      if (pop && !push) begin
        count <= count - 1'b1;
        out_valid <= count != (LOG_DEPTH + 1)'(1);
      end
    end
  end
endmodule
