//===- acc_ram.sv - Block RAM ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// One block RAM with a write and a read port, zero when configured.
//
//   r_addr -> [array] -> q -> [output register] -> r_data
//   cycle       0        1                         2
//
// Latency 2. The array's clock-to-output is most of a cycle, so nothing may
// stand between it and the block's own output register. Reading an entry in
// the cycle in which it is written gives either value: users forward or wait.
module acc_ram #(
    parameter int WIDTH = 8,
    parameter int LOG_DEPTH = 4
) (
    input  logic                 clk,
    input  logic                 w_en,
    input  logic [LOG_DEPTH-1:0] w_addr,
    input  logic [    WIDTH-1:0] w_data,
    input  logic                 r_en,
    input  logic [LOG_DEPTH-1:0] r_addr,
    output logic [    WIDTH-1:0] r_data
);
  (* no_rw_check *) logic [WIDTH-1:0] mem[0:(1<<LOG_DEPTH)-1];
  logic [WIDTH-1:0] q;

  initial for (int i = 0; i < (1 << LOG_DEPTH); i++) mem[i] = '0;

  always_ff @(posedge clk) begin
    if (w_en) mem[w_addr] <= w_data;
    if (r_en) q <= mem[r_addr];
    r_data <= q;
  end
endmodule
