//===- acc_counters.sv - Counters of events ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// 16 counters of 32 bits that share an adder. Each has a few bits of its own,
// which one after the other are added to its word in a memory:
//
//   events -> [few bits each] -- turn --> [word, few bits] -> sum -> memory
//   cycle 0                      1                            2
//
// A word is up to date 20 cycles after the last of its events. A carry out of
// counter CARRY_FROM is an event of CARRY_TO, for counts of 64 bits.
module acc_counters #(
    parameter logic [3:0] CARRY_FROM = 4'd0,
    parameter logic [3:0] CARRY_TO   = 4'd1
) (
    input  logic        clk,
    input  logic        rst,
    input  logic [15:0] events,
    input  logic [ 3:0] which,
    output logic [31:0] value
);
  localparam int FEW = 5;  // Bits for the 16 events until it is a counter's turn again.
  (* ram_style = "distributed" *) logic [31:0] mem[0:15];
  logic [16*FEW-1:0] few;
  logic [3:0] turn, turn1;
  logic [FEW-1:0] few1;
  logic [31:0] word1, sum;
  // In the first round after a reset, what lies in the memory does not count.
  logic first_round, valid1, carry, carry1;
  assign {carry, sum} = 33'(word1) + 33'(few1);
  assign value = mem[which];

  for (genvar e = 0; e < 16; e++) begin : g_event
    logic happens;
    assign happens = events[e] || (4'(e) == CARRY_TO && carry1);
    always_ff @(posedge clk) begin
      if (rst) few[e*FEW+:FEW] <= '0;
      else if (turn == 4'(e)) few[e*FEW+:FEW] <= FEW'(happens);
      else few[e*FEW+:FEW] <= few[e*FEW+:FEW] + FEW'(happens);
    end
  end
  always_ff @(posedge clk) begin
    turn <= rst ? 4'd0 : turn + 4'd1;
    first_round <= rst || (first_round && turn != 4'd15);
    valid1 <= !rst;
    turn1 <= turn;
    few1 <= few[int'(turn)*FEW+:FEW];
    word1 <= first_round ? '0 : mem[turn];
    carry1 <= valid1 && carry && turn1 == CARRY_FROM;
    if (valid1) mem[turn1] <= sum;
  end
endmodule
