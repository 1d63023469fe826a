//===- acc_mul.sv - Multiplier for Nexus FPGAs ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Takes the place of rtl/acc_mul.sv on Lattice's Nexus family, with the same
// ports and timing.
//
//   a, b -> [p]        latency 1
//
// There yosys makes a MULT18X18 of every product that is written as one. So
// only those that shall be in DSP blocks are, and the others are sums of rows.
import acc_pkg::*;

module acc_mul #(
    parameter int A_BITS = 8,
    parameter int B_BITS = 8,
    parameter bit DSP = 1
) (
    input  logic                     clk,
    input  logic                     en,
    input  logic [       A_BITS-1:0] a,
    input  logic [       B_BITS-1:0] b,
    output logic [A_BITS+B_BITS-1:0] p
);
  localparam int P_BITS = A_BITS + B_BITS;
  logic [P_BITS-1:0] product;
  if (DSP) begin : g_dsp
    assign product = P_BITS'($signed(a)) * P_BITS'($signed(b));
  end else begin : g_rows
    acc_nexus_product #(
        .A_BITS(A_BITS),
        .B_BITS(B_BITS)
    ) rows (
        .a,
        .b,
        .p(product)
    );
  end
  always_ff @(posedge clk) p <= product;
  wire unused = en;
endmodule

// The product of two signed numbers without DSP blocks or registers: a row for
// each bit of b, whose highest one counts negatively.
module acc_nexus_product #(
    parameter int A_BITS = 8,
    parameter int B_BITS = 8
) (
    input  logic [       A_BITS-1:0] a,
    input  logic [       B_BITS-1:0] b,
    output logic [A_BITS+B_BITS-1:0] p
);
  localparam int P_BITS = A_BITS + B_BITS;
  always_comb begin
    p = '0;
    for (int k = 0; k < B_BITS - 1; k++) p += b[k] ? P_BITS'($signed(a)) << k : '0;
    p -= b[B_BITS-1] ? P_BITS'($signed(a)) << (B_BITS - 1) : '0;
  end
endmodule
