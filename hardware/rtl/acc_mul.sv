//===- acc_mul.sv - Multiplier ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A signed multiplier with a register behind it.
//
//   a, b -> [p]        latency 1
//
// Which multipliers become DSP blocks is decided by number (DSP_ALU_LANES,
// DSP_PRODUCTS), not left to the synthesis tool, which would use any number of
// them. It is for FPGAs of which hardware/synth has the wrappers (ACC_ECP5).
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
`ifdef ACC_ECP5
  if (DSP) begin : g_dsp
    logic [35:0] full;
    acc_ecp5_dsp dsp (
        .clk,
        .a({a, (18 - A_BITS)'(0)}),
        .b({b, (18 - B_BITS)'(0)}),
        .p(full)
    );
    assign p = full[35-:P_BITS];
    wire unused = &{1'b0, full};
  end else begin : g_rows
    logic [P_BITS-1:0] product;
    acc_ecp5_product #(
        .A_BITS(A_BITS),
        .B_BITS(B_BITS)
    ) rows (
        .a,
        .b,
        .p(product)
    );
    always_ff @(posedge clk) p <= product;
  end
  wire unused = en;
`else
  always_ff @(posedge clk) if (en || !GATE_IDLE) p <= P_BITS'($signed(a)) * P_BITS'($signed(b));
  wire unused = &{1'b0, en, DSP};
`endif
endmodule
