//===- ecp5_cells.sv - Primitives of the ECP5 ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Two primitives of Lattice's ECP5 that the RTL places by name where ACC_ECP5
// is defined: black boxes to synthesis, and to Verilator models of what the RTL
// uses of them, by which the circuit so built is tested too. Behaviour as in
// Lattice's "ECP5 and ECP5-5G sysDSP Usage Guide" and "Family Data Sheet".

// Signed 18x18 multiplier; the RTL uses its output register.
(* blackbox *)
module MULT18X18D #(
    parameter REG_OUTPUT_CLK = "NONE"
) (
    input logic A0, A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16, A17,
    input logic B0, B1, B2, B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, B13, B14, B15, B16, B17,
    input logic SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CE0, RST0,
    output logic P0, P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11, P12, P13, P14, P15, P16, P17,
    output logic P18, P19, P20, P21, P22, P23, P24, P25, P26, P27, P28, P29, P30, P31, P32, P33, P34, P35
);
`ifdef VERILATOR
  logic [17:0] a, b;
  logic [35:0] p;
  assign a = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
  assign b = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
  assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
          P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = p;
  initial if (REG_OUTPUT_CLK != "CLK0") $fatal(1, "only MULT18X18D with an output register is modelled");
  always_ff @(posedge CLK0)
    if (RST0) p <= '0;
    else if (CE0) p <= $signed({SIGNEDA && a[17], a}) * $signed({SIGNEDB && b[17], b});
  wire unused = &{1'b0, SOURCEA, SOURCEB};
`endif
endmodule

// Two bits of an adder, each behind a lookup table: the table's output is the
// bit's propagate signal, its value for C = D = 0 what is carried otherwise.
(* blackbox *)
module CCU2C #(
    parameter [15:0] INIT0 = 16'h0000,
    parameter [15:0] INIT1 = 16'h0000,
    parameter INJECT1_0 = "YES",
    parameter INJECT1_1 = "YES"
) (
    input  logic CIN, A0, B0, C0, D0, A1, B1, C1, D1,
    output logic S0, S1, COUT
);
`ifdef VERILATOR
  logic carry, propagate0, propagate1;
  initial if (INJECT1_0 != "NO" || INJECT1_1 != "NO") $fatal(1, "only CCU2C that adds is modelled");
  assign propagate0 = INIT0[{D0, C0, B0, A0}];
  assign propagate1 = INIT1[{D1, C1, B1, A1}];
  assign S0 = propagate0 ^ CIN;
  assign carry = propagate0 ? CIN : INIT0[{2'b00, B0, A0}];
  assign S1 = propagate1 ^ carry;
  assign COUT = propagate1 ? carry : INIT1[{2'b00, B1, A1}];
`endif
endmodule
