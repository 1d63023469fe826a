//===- acc_scoreboard.sv - What is under way in the compute module ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Knows which banks of the accumulators each unit of the compute module uses,
// and lets instructions retire in their order, whichever unit ends first.
//
//   dispatch --> per unit: banks of what has not ended --> used
//           '--> order ---------------------------------.
//   ends of instructions --> per unit: not yet retired --+--> retirement
//
// Units end their own instructions in order. As instructions retire in the
// order of the stream, a token says what it says where there is one unit: that
// everything before has been done.
import acc_pkg::*;

module acc_scoreboard (
    input  logic                 clk,
    input  logic                 rst,
    // Dispatch of an instruction to a unit, if there is room.
    output logic                 room,
    input  logic                 start,
    input  logic [          1:0] unit,
    input  logic [ACC_BANKS-1:0] banks,
    // Of a LOAD: it loads micro-ops.
    input  logic                 is_uop,
    // finish, push next, push previous
    input  logic [          2:0] push,
    // By unit: its oldest instruction ends.
    input  logic [          2:0] ends,
    output logic [3*ACC_BANKS-1:0] used,
    output logic                 uops_loaded,
    output logic                 retired,
    output logic [          2:0] retired_push,
    output logic                 busy
);
  localparam int LOG_DEPTH = LOG_UNRETIRED;
  localparam int N = LOG_DEPTH + 1;  // Bits of a number of instructions.

  logic [1:0] oldest;
  logic [2:0] ended, uop_ends;
  for (genvar k = 0; k < 3; k++) begin : g_unit
    logic takes, any, fits, given_uop;
    logic [ACC_BANKS-1:0] given;
    logic [N-1:0] count;
    assign takes = start && unit == 2'(k);
    assign uop_ends[k] = ends[k] && given_uop;
    acc_fifo #(
        .WIDTH(ACC_BANKS + 1),
        .LOG_DEPTH(LOG_DEPTH)
    ) masks (
        .clk,
        .rst,
        .in_valid(takes),
        .in_ready(fits),
        .in_data({is_uop, banks}),
        .out_valid(any),
        .out_ready(ends[k]),
        .out_data({given_uop, given}),
        .count
    );
    // How many of its instructions use a bank, and whether any does.
    for (genvar b = 0; b < ACC_BANKS; b++) begin : g_bank
      logic [N-1:0] users;
      logic more, less;
      assign more = takes && banks[b];
      assign less = ends[k] && given[b];
      always_ff @(posedge clk) begin
        if (rst) begin
          users <= '0;
          used[k*ACC_BANKS+b] <= 1'b0;
        end else if (more != less) begin
          users <= more ? users + 1'b1 : users - 1'b1;
          used[k*ACC_BANKS+b] <= more || users != N'(1);
        end
      end
    end
    // How many have ended and not retired.
    logic [N-1:0] waiting;
    logic leaves;
    assign leaves = retired && oldest == 2'(k);
    always_ff @(posedge clk) begin
      if (rst) begin
        waiting  <= '0;
        ended[k] <= 1'b0;
      end else if (ends[k] != leaves) begin
        waiting  <= ends[k] ? waiting + 1'b1 : waiting - 1'b1;
        ended[k] <= ends[k] || waiting != N'(1);
      end
    end
    wire unused = &{1'b0, any, fits, count};
  end

  logic [N-1:0] unretired;
  acc_fifo #(
      .WIDTH(5),
      .LOG_DEPTH(LOG_DEPTH)
  ) order (
      .clk,
      .rst,
      .in_valid(start),
      .in_ready(room),
      .in_data({unit, push}),
      .out_valid(busy),
      .out_ready(retired),
      .out_data({oldest, retired_push}),
      .count(unretired)
  );
  assign retired = busy && ended[oldest];
  assign uops_loaded = uop_ends != 3'b000;
  wire unused = &{1'b0, unretired};
endmodule
