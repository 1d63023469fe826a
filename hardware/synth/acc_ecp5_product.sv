//===- acc_ecp5_product.sv - Multiplier in lookup tables of the ECP5 ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The product of two signed numbers without DSP blocks or registers.
//
//   p = sum over k of 4^k * (a * b[2k] + 2 * a * b[2k+1])
//
// The lookup tables of one row of carry cells form both partial products of a
// pair of bits of b and their sum; a tree adds the rows. For 8 by 8 bits: 4 rows
// of 10 and adders of 10, 10 and 12 bits. b's highest bit counts negatively: its
// row adds the complement, and 1 as the first carry.
module acc_ecp5_product #(
    parameter int A_BITS = 8,
    parameter int B_BITS = 8
) (
    input  logic [       A_BITS-1:0] a,
    input  logic [       B_BITS-1:0] b,
    output logic [A_BITS+B_BITS-1:0] p
);
  localparam int PAIRS = (B_BITS + 1) / 2;
  localparam int CELLS = (A_BITS + 3) / 2;  // of two bits each, in a row
  localparam int ROW = 2 * CELLS;
  localparam int LEVELS = $clog2(PAIRS);
  localparam int TOTAL = ROW + 2 * ((1 << LEVELS) - 1);
  // (A & B) ^ (C & D), and the same with the first product complemented.
  localparam logic [15:0] ADD = 16'h7888, SUBTRACT = 16'h8777;

  logic [2*PAIRS-1:0] multiplier;
  logic [ROW:0] extended;  // 2 * a
  assign multiplier = (2 * PAIRS)'($signed(b));
  assign extended   = {(ROW)'($signed(a)), 1'b0};

  for (genvar l = 0; l <= LEVELS; l++) begin : g_level
    for (genvar i = 0; i < (PAIRS + (1 << l) - 1) >> l; i++) begin : g_node
      logic [ROW+2*((1<<l)-1)-1:0] v;
      if (l == 0) begin : g_row
        localparam logic [15:0] INIT = i == PAIRS - 1 ? SUBTRACT : ADD;
        logic [CELLS:0] carry;
        assign carry[0] = i == PAIRS - 1;
        for (genvar c = 0; c < CELLS; c++) begin : g_cell
          CCU2C #(
              .INIT0(INIT),
              .INIT1(INIT),
              .INJECT1_0("NO"),
              .INJECT1_1("NO")
          ) bits (
              .CIN (carry[c]),
              .A0  (extended[2*c]),
              .B0  (multiplier[2*i+1]),
              .C0  (extended[2*c+1]),
              .D0  (multiplier[2*i]),
              .A1  (extended[2*c+1]),
              .B1  (multiplier[2*i+1]),
              .C1  (extended[2*c+2]),
              .D1  (multiplier[2*i]),
              .S0  (v[2*c]),
              .S1  (v[2*c+1]),
              .COUT(carry[c+1])
          );
        end
        wire unused = carry[CELLS];
      end else begin : g_sum
        // The right half counts 4^(half the pairs); the bits below are the left half's alone.
        localparam int SHIFT = 1 << l;
        localparam int WIDTH = ROW + 2 * ((1 << l) - 1);
        localparam int HALF = ROW + 2 * ((1 << (l - 1)) - 1);
        if (2 * i + 1 < (PAIRS + (1 << (l - 1)) - 1) >> (l - 1)) begin : g_both
          assign v[SHIFT-1:0] = g_level[l-1].g_node[2*i].v[SHIFT-1:0];
          assign v[WIDTH-1:SHIFT] = (WIDTH - SHIFT)'($signed(g_level[l-1].g_node[2*i].v[HALF-1:SHIFT])) +
              (WIDTH - SHIFT)'($signed(g_level[l-1].g_node[2*i+1].v));
        end else begin : g_left
          assign v = WIDTH'($signed(g_level[l-1].g_node[2*i].v));
        end
      end
    end
  end
  logic [TOTAL-1:0] total;
  assign total = g_level[LEVELS].g_node[0].v;
  assign p = (A_BITS + B_BITS)'($signed(total));
  wire unused = &{1'b0, total};
endmodule
