//===- acc_requantize.sv - One lane of the requantization ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// From an accumulator to an output in one pass: bias, shift, product, rounding
// shift, zero point, bounds (acc/vta/isa/Requantize.h says what exactly).
//
//   a -> [x] -> [coarse shift] -> [shift] -> (products of acc_alu) -> [p]
//   cycle 0  1                2          3                        4      5
//     -> [q] -> [coarse shift] -> [z, within 10 bits] -> [y] -> r
//           6                 7                      8      9   10
//
// Latency 10 (REQUANTIZE_MORE more than acc_alu), one operation per cycle. The
// multipliers are those of acc_alu, which has no operation of its own within as
// many cycles behind one of these.
//
// Parameters are kept until others are loaded, one word per cycle, in the order
// in which they are used. So the words of the next operations may follow an
// operation at once: what it needs later than it reads it moves along with it.
import acc_pkg::*;

module acc_requantize (
    input  logic        clk,
    // By stage.
    input  logic [ 9:0] en,
    // The word of the parameters that `a` is; none for an accumulator.
    input  logic [ 2:0] load,
    input  logic [31:0] a,
    // To the multipliers, and what they say a cycle later: the product with the
    // low half, that with the high half.
    output logic [31:0] factor,
    output logic [14:0] multiplier,
    input  logic [33:0] low,
    input  logic [31:0] high,
    output logic [31:0] r
);
  localparam int P_BITS = 48;

  logic [31:0] first, scaling, bounds, bias;
  always_ff @(posedge clk) begin
    if (load[0]) first <= a;
    if (load[1]) scaling <= a;
    if (load[2]) bounds <= a;
  end
  logic [4:0] pre_shift;
  assign bias = first[F_REQUANTIZE_BIAS+:32];
  assign pre_shift = scaling[F_REQUANTIZE_PRE_SHIFT+:5];

  // --- 1 to 3: bias and shift ---
  logic [31:0] x1, x2, x3;
  logic [4:0] post3, post4, post5, post6;
  logic [1:0] post7;
  logic [14:0] multiplier3;
  always_ff @(posedge clk) begin
    if (en[0] || !GATE_IDLE) x1 <= a + bias;
    if (en[1] || !GATE_IDLE) x2 <= 32'($signed(x1) >>> {pre_shift[4:2], 2'b00});
    if (en[2] || !GATE_IDLE) begin
      x3 <= 32'($signed(x2) >>> pre_shift[1:0]);
      multiplier3 <= scaling[F_REQUANTIZE_MULTIPLIER+:15];
      post3 <= scaling[F_REQUANTIZE_POST_SHIFT+:5];
    end
  end
  assign factor = x3;
  assign multiplier = multiplier3;

  // --- 4: products; what is added to them ---
  logic [31:0] bounds4, bounds5, bounds6, bounds7, bounds8, bounds9;
  always_ff @(posedge clk)
    if (en[3] || !GATE_IDLE) begin
      post4   <= post3;
      bounds4 <= bounds;
    end

  // --- 5: one product ---
  function automatic logic [31:0] half_of(input logic [4:0] shift);
    half_of = (32'd1 << shift) >> 1;
  endfunction
  // The bits below a shift.
  function automatic logic [30:0] below(input logic [4:0] shift);
    below = 31'((32'd1 << shift) - 32'd1);
  endfunction
  logic [P_BITS-1:0] p5;
  logic [31:0] addend5;
  logic [ 3:0] mid4;
  assign mid4 = bounds4[F_REQUANTIZE_MID_SHIFT+:4];
  always_ff @(posedge clk)
    if (en[4] || !GATE_IDLE) begin
      p5 <= {high, 16'd0} + P_BITS'(low);
      addend5 <= bounds4[F_REQUANTIZE_ADDS_HALF] ? half_of(post4) + half_of({1'b0, mid4}) : '0;
      post5 <= post4;
      bounds5 <= bounds4;
    end

  // --- 6: half of what the shift drops ---
  logic [P_BITS-1:0] q6;
  logic [30:0] mask6;
  logic [ 3:0] mid5;
  assign mid5 = bounds5[F_REQUANTIZE_MID_SHIFT+:4];
  always_ff @(posedge clk)
    if (en[5] || !GATE_IDLE) begin
      q6 <= p5 + P_BITS'(addend5);
      mask6 <= below(post5) & ~below({1'b0, mid5});
      post6 <= post5;
      bounds6 <= bounds5;
    end

  // --- 7 and 8: shift ---
  logic [P_BITS-1:0] z7, shifted;
  logic [9:0] z8;
  logic tie7, tie8, fits;
  assign shifted = P_BITS'($signed(z7) >>> post7);
  // Values beyond are far outside of all bounds.
  assign fits = shifted[P_BITS-1:9] == '0 || (&shifted[P_BITS-1:9]);
  always_ff @(posedge clk) begin
    if (en[6] || !GATE_IDLE) begin
      z7 <= P_BITS'($signed(q6) >>> {post6[4:2], 2'b00});
      tie7 <= bounds6[F_REQUANTIZE_TIES_EVEN] && (q6[30:0] & mask6) == '0;
      post7 <= post6[1:0];
      bounds7 <= bounds6;
    end
    if (en[7] || !GATE_IDLE) begin
      z8 <= fits ? shifted[9:0] : {shifted[P_BITS-1], {9{!shifted[P_BITS-1]}}};
      tie8 <= tie7;
      bounds8 <= bounds7;
    end
  end

  // --- 9: zero point and ties; 10: bounds ---
  logic [10:0] y9, at_least;
  logic down8;
  assign down8 = tie8 && (z8[0] ^ bounds8[F_REQUANTIZE_TIES_ODD]);
  function automatic logic [10:0] wide(input logic [7:0] v);
    wide = 11'($signed(v));
  endfunction
  logic [10:0] lowest, highest;
  assign lowest   = wide(bounds9[F_REQUANTIZE_LOWEST+:8]);
  assign highest  = wide(bounds9[F_REQUANTIZE_HIGHEST+:8]);
  assign at_least = $signed(y9) < $signed(lowest) ? lowest : y9;
  always_ff @(posedge clk) begin
    if (en[8] || !GATE_IDLE) begin
      y9 <= 11'($signed(z8)) + wide(bounds8[F_REQUANTIZE_ZERO_POINT+:8]) - 11'(down8);
      bounds9 <= bounds8;
    end
    if (en[9] || !GATE_IDLE) r <= 32'($signed($signed(at_least) > $signed(highest) ? highest : at_least));
  end
  wire unused = &{1'b0, en, scaling, bounds4, bounds5, bounds6, bounds7, bounds8, bounds9};
endmodule
