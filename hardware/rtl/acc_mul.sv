//===- acc_mul.sv - Multiplier ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A signed multiplier with a register behind it. Which multipliers become DSP
// blocks is decided by number (DSP_MULTIPLIERS), not left to the synthesis
// tool, which would use any number of them.
//
//   a, b -> [p]        latency 1
module acc_mul
  import acc_pkg::*;
#(
    parameter int A_BITS = 8,
    parameter int B_BITS = 8,
    parameter bit DSP = 1
) (
    input  logic                            clk,
    input  logic                            en,
    input  logic signed [       A_BITS-1:0] a,
    input  logic signed [       B_BITS-1:0] b,
    output logic signed [A_BITS+B_BITS-1:0] p
);
  localparam int P_BITS = A_BITS + B_BITS;
`ifdef ACC_ECP5
  if (DSP) begin : g_dsp
    acc_ecp5_mul #(
        .A_BITS(A_BITS),
        .B_BITS(B_BITS)
    ) mul (
        .clk,
        .a,
        .b,
        .p
    );
  end else
`endif
  begin : g_plain
    always_ff @(posedge clk) if (en || !GATE_IDLE) p <= P_BITS'(a) * P_BITS'(b);
  end
  wire unused = &{1'b0, en, DSP};
endmodule
