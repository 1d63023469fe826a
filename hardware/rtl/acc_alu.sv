//===- acc_alu.sv - One lane of the tensor ALU ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// One 32-bit lane of the tensor ALU: min, max, add, arithmetic shift in both
// directions, multiply.
//
//   a, b -> [operands, amount] -> [add, less, products, coarse shift]
//   cycle 0          1                           2
//        -> [sum of products, fine shift, choice] -> r
//                        3
//
// Latency 3, one operation per cycle. One shifter serves both directions: to
// shift left, the operand is reversed before and after. A shift by 32 or more
// leaves the sign (right) or zero (left).
//
// In cycles in which it has nothing to shift or to multiply, acc_requantize may
// use its shifter and its multipliers.
import acc_pkg::*;

module acc_alu #(
    // Multiplies in three DSP blocks.
    parameter bit DSP = 1
) (
    input  logic        clk,
    input  logic [ 2:0] en,
    input  logic [ 2:0] op,
    input  logic [31:0] a,
    input  logic [31:0] b,
    output logic [31:0] r,
    // For acc_requantize, by stage: what is shifted to the right, and what that
    // gives, in stage 3.
    input  logic [ 1:0] shifts,
    input  logic [31:0] biased,
    input  logic [ 4:0] pre_shift,
    output logic [31:0] pre_shifted,
    // A signed factor and one that is not, and the products with the low and the
    // high half of the former, a cycle later.
    input  logic        multiplies,
    input  logic [31:0] factor,
    input  logic [14:0] multiplier,
    output logic [33:0] low,
    output logic [31:0] high
);
  function automatic logic [31:0] reversed(input logic [31:0] v);
    for (int i = 0; i < 32; i++) reversed[i] = v[31-i];
  endfunction

  // --- 1: operands ---
  logic [31:0] a1, b1, magnitude, s1;
  logic [2:0] op1;
  logic [4:0] amount1;
  logic left1, fill1, flush1, other;
  assign other = HAS_REQUANTIZE && shifts[0];
  assign magnitude = b[31] ? -b : b;
  always_ff @(posedge clk)
    if (en[0] || other || !GATE_IDLE) begin
      a1 <= a;
      b1 <= b;
      op1 <= op;
      amount1 <= other ? pre_shift : magnitude[4:0];
      flush1 <= !other && magnitude[31:5] != '0;
      left1 <= b[31];
      fill1 <= other ? biased[31] : !b[31] && a[31];
      s1 <= other ? biased : b[31] ? reversed(a) : a;
    end

  // --- 2 ---
  logic [31:0] a2, b2, sum2, shift2, cross2, cross2b;
  logic [33:0] low2;
  logic [2:0] op2;
  logic [1:0] amount2;
  logic less2, left2, fill2, flush2;
  always_ff @(posedge clk)
    if (en[1] || (HAS_REQUANTIZE && shifts[1]) || !GATE_IDLE) begin
      a2 <= a1;
      b2 <= b1;
      op2 <= op1;
      sum2 <= a1 + b1;
      less2 <= $signed(a1) < $signed(b1);
      shift2 <= 32'($signed({fill1, s1}) >>> {amount1[4:2], 2'b00});
      amount2 <= amount1[1:0];
      left2 <= left1;
      fill2 <= fill1;
      flush2 <= flush1;
    end
  logic [31:0] left;
  logic [15:0] right;
  logic multiply;
  assign multiply = en[1] || (HAS_REQUANTIZE && multiplies);
  assign left = HAS_REQUANTIZE && multiplies ? factor : a1;
  assign right = HAS_REQUANTIZE && multiplies ? {1'b0, multiplier} : b1[15:0];
  assign low = low2;
  assign high = cross2;
  // Of the cross products, only the low halves matter, which do not depend on
  // signs.
  acc_mul #(
      .A_BITS(17),
      .B_BITS(17),
      .DSP(DSP)
  ) mul_low (
      .clk,
      .en(multiply),
      .a({1'b0, left[15:0]}),
      .b({1'b0, right}),
      .p(low2)
  );
  acc_mul #(
      .A_BITS(16),
      .B_BITS(16),
      .DSP(DSP)
  ) mul_cross (
      .clk,
      .en(multiply),
      .a(left[31:16]),
      .b(right),
      .p(cross2)
  );
  acc_mul #(
      .A_BITS(16),
      .B_BITS(16),
      .DSP(DSP)
  ) mul_crossb (
      .clk,
      .en(en[1]),
      .a(a1[15:0]),
      .b(b1[31:16]),
      .p(cross2b)
  );

  // --- 3 ---
  logic [31:0] fine;
  assign pre_shifted = fine;
  assign fine = flush2 ? {32{fill2}} : 32'($signed({fill2, shift2}) >>> amount2);
  always_ff @(posedge clk)
    if (en[2] || !GATE_IDLE) begin
      case (op2)
        ALU_MIN: r <= less2 ? a2 : b2;
        ALU_MAX: r <= less2 ? b2 : a2;
        ALU_ADD: r <= sum2;
        ALU_SHR: r <= left2 ? reversed(fine) : fine;
        default: r <= low2[31:0] + {cross2[15:0] + cross2b[15:0], 16'd0};
      endcase
    end
  wire unused = &{1'b0, en, shifts, biased, pre_shift, multiplies, factor, multiplier, low2[33:32], cross2[31:16], cross2b[31:16]};
endmodule
