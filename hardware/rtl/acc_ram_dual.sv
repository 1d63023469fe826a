//===- acc_ram_dual.sv - Block RAM with two ports ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// One block RAM with two ports, each of which writes or reads; zero when
// configured.
//
//   addr -> [array] -> q -> [output register] -> r_data
//   cycle     0        1                         2
//
// A port that writes keeps its q. Users do not write one entry from both ports,
// nor read in one what the other writes in the same cycle.
module acc_ram_dual #(
    parameter int WIDTH = 8,
    parameter int LOG_DEPTH = 4
) (
    input  logic                      clk,
    input  logic [1:0]                en,
    input  logic [1:0]                w_en,
    input  logic [2*LOG_DEPTH-1:0]    addr,
    input  logic [2*WIDTH-1:0]        w_data,
    output logic [2*WIDTH-1:0]        r_data
);
  (* no_rw_check *) logic [WIDTH-1:0] mem[0:(1<<LOG_DEPTH)-1];
  logic [WIDTH-1:0] q0, q1;

  initial for (int i = 0; i < (1 << LOG_DEPTH); i++) mem[i] = '0;

  always_ff @(posedge clk) begin
    if (en[0]) begin
      if (w_en[0]) mem[addr[0+:LOG_DEPTH]] <= w_data[0+:WIDTH];
      else q0 <= mem[addr[0+:LOG_DEPTH]];
    end
    if (en[1]) begin
      if (w_en[1]) mem[addr[LOG_DEPTH+:LOG_DEPTH]] <= w_data[WIDTH+:WIDTH];
      else q1 <= mem[addr[LOG_DEPTH+:LOG_DEPTH]];
    end
    r_data <= {q1, q0};
  end
endmodule
