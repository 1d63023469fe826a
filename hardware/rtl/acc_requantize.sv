//===- acc_requantize.sv - One lane of the requantization ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// From an accumulator to an output in one pass: bias, shift, product, rounding
// shift, zero point, bounds (acc/vta/isa/Requantize.h says what exactly).
//
//   a -> a + bias -> (shifter of acc_alu) -> [x] -> (products of acc_alu) -> [p]
//   cycle 0 (ALU_IN 1) 1, 2                   3      4                        5
//     -> [p, groups] -> [coarse shift] -> [s and r, within 10 bits] -> [y] -> r
//         6              7                 8                           9   10
//
// Latency 10 where acc_alu has one register before its shifter (ALU_IN), one less
// or more where it has none or two, which is REQUANTIZE_MORE more than that of
// acc_alu; one operation per cycle.
// Shifter and multipliers are those of acc_alu: the former is used in the same
// cycles as by an operation of its own, the latter in cycles in which it has
// none, as none is within so many cycles behind one of these.
//
// What is rounded has few bits: to add half of what a shift drops is to add the
// highest bit dropped to what is left, and of what is left 10 bits matter, and
// whether there is more.
//
// Parameters are kept until others are loaded, one word per cycle, in the order
// in which they are used. So the words of the next operations may follow an
// operation at once: what it needs later than it reads it moves along with it.
import acc_pkg::*;

module acc_requantize (
    input  logic        clk,
    // By stage, counted as if ALU_IN were 1.
    input  logic [ 9:0] en,
    // The word of the parameters that `a` is; none for an accumulator.
    input  logic [ 2:0] load,
    input  logic [31:0] a,
    // To the shifter, and what it says two cycles later.
    output logic [31:0] biased,
    output logic [ 4:0] pre_shift,
    input  logic [31:0] pre_shifted,
    // To the multipliers, and what they say a cycle later: the product with the
    // low half, that with the high half.
    output logic [31:0] factor,
    output logic [14:0] multiplier,
    input  logic [33:0] low,
    input  logic [31:0] high,
    output logic [31:0] r
);
  localparam int P_BITS = 48;

  // --- 0: bias ---
  logic [31:0] first, scaling, bounds;
  always_ff @(posedge clk) begin
    if (load[0]) first <= a;
    if (load[1]) scaling <= a;
    if (load[2]) bounds <= a;
  end
  assign biased = a + first[F_REQUANTIZE_BIAS+:32];
  assign pre_shift = scaling[F_REQUANTIZE_PRE_SHIFT+:5];

  // A second register before the shifter makes the rest of an operation a cycle
  // later, when the words of the next one may be there.
  logic [31:0] scaling3, bounds3;
  if (ALU_IN > 1) begin : g_kept
    always_ff @(posedge clk) begin
      scaling3 <= scaling;
      bounds3  <= bounds;
    end
  end else begin : g_there
    assign scaling3 = scaling;
    assign bounds3  = bounds;
  end

  // --- 3: shifted; 4: products ---
  logic [4:0] post3, post4, post5, post6;
  logic [31:0] bounds4, bounds5, bounds6, bounds7, bounds8, bounds9;
  always_ff @(posedge clk) begin
    if (en[2] || !GATE_IDLE) begin
      factor <= pre_shifted;
      multiplier <= scaling3[F_REQUANTIZE_MULTIPLIER+:15];
      post3 <= scaling3[F_REQUANTIZE_POST_SHIFT+:5];
    end
    if (en[3] || !GATE_IDLE) begin
      post4   <= post3;
      bounds4 <= bounds3;
    end
  end

  // --- 5: one product, and half of what the shift in the middle drops ---
  logic [P_BITS-1:0] p5;
  logic [15:0] half4;
  assign half4 = bounds4[F_REQUANTIZE_ADDS_HALF] ? (16'd1 << bounds4[F_REQUANTIZE_MID_SHIFT+:4]) >> 1 : '0;
  always_ff @(posedge clk)
    if (en[4] || !GATE_IDLE) begin
      p5 <= {high, half4} + P_BITS'(low);
      post5 <= post4;
      bounds5 <= bounds4;
    end

  // --- 6: groups of four bits ---
  // The bits that are shifted, behind a zero: what the shift drops is what must
  // be zero for a tie, but for the lowest bit that is left, which rounds.
  localparam int GROUPS = 7;  // that the coarse shift may drop
  localparam int WORD = 4 * GROUPS + 14;  // what it looks at
  localparam int MIDDLE = 16;  // Bits below, of which the shift in the middle drops some.
  logic [MIDDLE-1:0] tail5, tail6;
  logic [WORD-1:0] word6;
  logic [4*GROUPS+2:0] dropped5;
  logic [GROUPS-1:0] any_dropped6;
  logic [GROUPS+1:0] any_beyond6;  // differs from the sign
  logic sign6, exempt6;
  logic [3:0] mid5;
  assign mid5  = bounds5[F_REQUANTIZE_MID_SHIFT+:4];
  assign tail5 = {p5[MIDDLE-2:0] & ~((15'd1 << mid5) - 15'd1), 1'b0};
  assign dropped5 = {p5[4*GROUPS+1:MIDDLE-1], tail5};
  always_ff @(posedge clk)
    if (en[5] || !GATE_IDLE) begin
      word6 <= {p5[WORD-2:0], 1'b0};
      tail6 <= tail5;
      for (int g = 0; g < GROUPS; g++) any_dropped6[g] <= dropped5[4*g+:4] != '0;
      for (int g = 0; g < GROUPS + 2; g++) any_beyond6[g] <= p5[4*g+12+:4] != {4{p5[P_BITS-1]}};
      sign6   <= p5[P_BITS-1];
      exempt6 <= {1'b0, mid5} >= post5;
      post6   <= post5;
      bounds6 <= bounds5;
    end

  // --- 7: coarse shift ---
  logic [13:0] c7;
  logic [2:0] low7, coarse6;
  logic [1:0] post7;
  logic [4*GROUPS+2:0] dropped6;
  logic beyond6, sticky6, beyond7, sticky7, sign7, exempt7;
  assign coarse6  = post6[4:2];
  assign dropped6 = {word6[4*GROUPS+2:MIDDLE], tail6};
  always_comb begin
    sticky6 = 1'b0;
    for (int g = 0; g < GROUPS; g++) if (32'(g) < 32'(coarse6)) sticky6 = sticky6 || any_dropped6[g];
    beyond6 = 1'b0;
    for (int g = 0; g < GROUPS + 2; g++) if (32'(g) >= 32'(coarse6)) beyond6 = beyond6 || any_beyond6[g];
  end
  always_ff @(posedge clk)
    if (en[6] || !GATE_IDLE) begin
      c7 <= 14'(word6 >> {coarse6, 2'b00});
      low7 <= 3'(dropped6 >> {coarse6, 2'b00});
      sticky7 <= sticky6;
      beyond7 <= beyond6;
      sign7 <= sign6;
      exempt7 <= exempt6;
      post7 <= post6[1:0];
      bounds7 <= bounds6;
    end

  // --- 8: shift ---
  logic [10:0] shifted;  // with the bit that rounds
  logic [9:0] s8;
  logic [2:0] fine_dropped, fine_beyond;
  logic fits, halves7, round8, tie8;
  assign shifted = 11'(c7 >> post7);
  assign fine_dropped = {post7 == 2'd3, post7[1], post7 != 2'd0};
  assign fine_beyond = {post7 != 2'd3, !post7[1], post7 == 2'd0};
  // Values beyond are far outside of all bounds, also when they are rounded.
  assign fits = !beyond7 && ((c7[12:10] ^ {3{sign7}}) & fine_beyond) == '0;
  assign halves7 = bounds7[F_REQUANTIZE_ADDS_HALF];
  always_ff @(posedge clk)
    if (en[7] || !GATE_IDLE) begin
      s8 <= fits ? shifted[10:1] : {sign7, {9{!sign7}}};
      round8 <= halves7 && shifted[0];
      tie8 <= bounds7[F_REQUANTIZE_TIES_EVEN] && !sticky7 && (low7 & fine_dropped) == '0 &&
          (exempt7 || shifted[0] == halves7);
      bounds8 <= bounds7;
    end

  // --- 9: zero point, rounding and ties; 10: bounds ---
  logic [10:0] y9, at_least;
  logic down8;
  assign down8 = tie8 && (s8[0] ^ round8 ^ bounds8[F_REQUANTIZE_TIES_ODD]);
  function automatic logic [10:0] wide(input logic [7:0] v);
    wide = 11'($signed(v));
  endfunction
  logic [10:0] lowest, highest, step8;
  assign lowest   = wide(bounds9[F_REQUANTIZE_LOWEST+:8]);
  assign highest  = wide(bounds9[F_REQUANTIZE_HIGHEST+:8]);
  assign at_least = $signed(y9) < $signed(lowest) ? lowest : y9;
  assign step8    = {{10{down8 && !round8}}, down8 != round8};
  always_ff @(posedge clk) begin
    if (en[8] || !GATE_IDLE) begin
      y9 <= 11'($signed(s8)) + wide(bounds8[F_REQUANTIZE_ZERO_POINT+:8]) + step8;
      bounds9 <= bounds8;
    end
    if (en[9] || !GATE_IDLE) r <= 32'($signed($signed(at_least) > $signed(highest) ? highest : at_least));
  end
  wire unused = &{1'b0, en, scaling, scaling3, bounds4, bounds5, bounds6, bounds7, bounds8, bounds9};
endmodule
