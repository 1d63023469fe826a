//===- acc_alu.sv - One lane of the tensor ALU ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// One 32-bit lane of the tensor ALU: min, max, add, arithmetic shift in both
// directions, multiply; it may also take what acc_tables has looked up.
//
//   a, b -> [operands, amount] -> [add, less, products, coarse shift]
//   cycle 0          1                           2
//        -> [sum of products, fine shift, choice] -> r
//                        3
//
// Latency ALU_STAGES, of which the ones above are three; one operation per cycle.
// The first register is missing where ALU_IN is 0, and has another before it,
// ahead of the shifter's choices, where it is 2. The last one is missing where
// ALU_OUT is 0, and has another before it, between what is computed and what is
// chosen, where it is 2. One shifter serves both directions: to
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
    input  logic [ALU_STAGES-1:0] en,
    input  logic [ 2:0] op,
    input  logic [31:0] a,
    input  logic [31:0] b,
    output logic [31:0] r,
    // What the table says of operand a, two cycles later.
    input  logic [ 7:0] looked_up,
    // For acc_requantize, by stage: what is shifted to the right, and what that
    // gives, behind the coarse shift.
    input  logic [ALU_IN:0] shifts,
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

  localparam int MIDDLE = ALU_IN;  // The stage between the two groups of registers.

  // --- 0: operands as they come, or a register behind ---
  logic [31:0] a0, b0, biased0;
  logic [2:0] op0;
  logic [4:0] pre_shift0;
  if (ALU_IN > 1) begin : g_early
    always_ff @(posedge clk)
      if (en[0] || (HAS_REQUANTIZE && shifts[0]) || !GATE_IDLE) begin
        a0 <= a;
        b0 <= b;
        op0 <= op;
        biased0 <= biased;
        pre_shift0 <= pre_shift;
      end
  end else begin : g_direct
    assign a0 = a;
    assign b0 = b;
    assign op0 = op;
    assign biased0 = biased;
    assign pre_shift0 = pre_shift;
  end

  // --- 1: operands ---
  localparam int OPERANDS = MIDDLE > 0 ? MIDDLE - 1 : 0;
  logic [31:0] a1, b1, magnitude, s0, s1;
  logic [2:0] op1;
  logic [4:0] amount0, amount1;
  logic left1, fill0, fill1, flush0, flush1, other;
  assign other = HAS_REQUANTIZE && shifts[OPERANDS];
  assign magnitude = b0[31] ? -b0 : b0;
  assign amount0 = other ? pre_shift0 : magnitude[4:0];
  assign flush0 = !other && magnitude[31:5] != '0;
  assign fill0 = other ? biased0[31] : !b0[31] && a0[31];
  assign s0 = other ? biased0 : b0[31] ? reversed(a0) : a0;
  if (MIDDLE > 0) begin : g_operands
    always_ff @(posedge clk)
      if (en[OPERANDS] || other || !GATE_IDLE) begin
        a1 <= a0;
        b1 <= b0;
        op1 <= op0;
        amount1 <= amount0;
        flush1 <= flush0;
        left1 <= b0[31];
        fill1 <= fill0;
        s1 <= s0;
      end
  end else begin : g_no_operands
    assign a1 = a0;
    assign b1 = b0;
    assign op1 = op0;
    assign amount1 = amount0;
    assign flush1 = flush0;
    assign left1 = b0[31];
    assign fill1 = fill0;
    assign s1 = s0;
  end

  // --- 2 ---
  logic [31:0] a2, b2, sum2, shift2, cross2, cross2b;
  logic [33:0] low2;
  logic [2:0] op2;
  logic [1:0] amount2;
  logic less2, left2, fill2, flush2;
  always_ff @(posedge clk)
    if (en[MIDDLE] || (HAS_REQUANTIZE && shifts[MIDDLE]) || !GATE_IDLE) begin
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
  assign multiply = en[MIDDLE] || (HAS_REQUANTIZE && multiplies);
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
      .en(en[MIDDLE]),
      .a(a1[15:0]),
      .b(b1[31:16]),
      .p(cross2b)
  );

  // --- 3 ---
  logic [31:0] fine, product;
  assign product = low2[31:0] + {cross2[15:0] + cross2b[15:0], 16'd0};
  assign pre_shifted = fine;
  assign fine = flush2 ? {32{fill2}} : 32'($signed({fill2, shift2}) >>> amount2);
  // What there is to choose from.
  logic [31:0] simple3, shifted3, product3, chosen;
  logic [2:0] op3;
  logic [31:0] simple;
  always_comb begin
    case (op2)
      ALU_MIN: simple = less2 ? a2 : b2;
      ALU_MAX: simple = less2 ? b2 : a2;
      default: simple = sum2;
    endcase
  end
  if (ALU_OUT > 1) begin : g_choices
    always_ff @(posedge clk)
      if (en[MIDDLE+1] || !GATE_IDLE) begin
        op3 <= op2;
        simple3 <= simple;
        shifted3 <= left2 ? reversed(fine) : fine;
        product3 <= product;
      end
  end else begin : g_no_choices
    assign op3 = op2;
    assign simple3 = simple;
    assign shifted3 = left2 ? reversed(fine) : fine;
    assign product3 = product;
  end
  // Tables answer in stage 3 of three; where there are more, the answer waits.
  logic [7:0] looked_up3;
  if (HAS_TABLE && ALU_STAGES > 3) begin : g_answers
    logic [ALU_STAGES-4:0][7:0] answers;
    always_ff @(posedge clk) begin
      answers[0] <= looked_up;
      for (int k = 1; k < ALU_STAGES - 3; k++) answers[k] <= answers[k-1];
    end
    assign looked_up3 = answers[ALU_STAGES-4];
  end else begin : g_answer
    assign looked_up3 = looked_up;
  end
  always_comb begin
    case (op3)
      ALU_MIN, ALU_MAX, ALU_ADD: chosen = simple3;
      ALU_SHR: chosen = shifted3;
      ALU_TABLE: chosen = HAS_TABLE ? 32'($signed(looked_up3)) : product3;
      default: chosen = product3;
    endcase
  end
  if (ALU_OUT > 0) begin : g_result
    always_ff @(posedge clk) if (en[ALU_STAGES-1] || !GATE_IDLE) r <= chosen;
  end else begin : g_no_result
    assign r = chosen;
  end
  wire unused = &{1'b0, looked_up3, en, shifts, biased, pre_shift, multiplies, factor, multiplier, low2[33:32], cross2[31:16], cross2b[31:16]};
endmodule
