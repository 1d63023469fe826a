//===- acc_walk.sv - Burst generator ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Turns the rows of one LOAD or STORE into bursts: the request half of a DMA.
// The data half (acc_fill) walks the same rows by itself, so that nothing but a
// count of beats on their way connects the two.
//
//   instruction -> [rows] -> [row: address, -> [burst: split at  -> request
//                             beats left]       multiples of MAX_BURST beats]
//   cycle 0         1         2                 3
//
// One burst per cycle, also for rows of one beat; 3 cycles from start to the
// first request. Bursts never cross a multiple of 2^LOG_MAX_BURST beats, hence
// no 4 KiB page. Up to LIMIT beats are on their way.
import acc_pkg::*;

module acc_walk #(
    // log2 bytes of an element, by kind.
    parameter int LB0 = 0,
    parameter int LB1 = 0,
    parameter int LB2 = 0,
    parameter int LOG_LIMIT = 7
) (
    input  logic                     clk,
    input  logic                     rst,
    input  logic                     start,
    output logic                     ready,
    input  logic [              1:0] kind,
    input  logic [             31:0] base,
    input  logic [             15:0] rows,
    input  logic [             15:0] cols,
    input  logic [             15:0] stride,
    output logic                     req_valid,
    input  logic                     req_ready,
    output logic [    BEAT_ADDR-1:0] req_addr,
    output logic [LOG_MAX_BURST-1:0] req_len,
    // This burst is the last one of its instruction.
    output logic                     req_last,
    // A beat has arrived (or left).
    input  logic                     beat,
    output logic                     busy
);
  localparam int COUNT = 17 + LOG_MAX_BEATS;
  localparam int MAX_BURST = 1 << LOG_MAX_BURST;
  localparam int LIMIT = 1 << LOG_LIMIT;

  function automatic int up(input int lb);
    up = lb > LOG_PORT_BYTES ? lb - LOG_PORT_BYTES : 0;
  endfunction
  function automatic int down(input int lb);
    down = lb < LOG_PORT_BYTES ? LOG_PORT_BYTES - lb : 0;
  endfunction
  localparam int UP0 = up(LB0), UP1 = up(LB1), UP2 = up(LB2);
  localparam int DN0 = down(LB0), DN1 = down(LB1), DN2 = down(LB2);

  // --- rows ---
  logic active, take;
  logic [1:0] r_kind;
  logic [32:0] row;
  logic [15:0] left, r_cols, r_stride;
  logic [BEAT_ADDR-1:0] first;
  logic [COUNT-1:0] beats;

  // The first beat of a row, and how many it touches: elements narrower than a
  // beat may start within one. Only shifts differ by kind, so that the sum is
  // formed once.
  logic [COUNT-1:0] ahead, elements;
  function automatic logic [BEAT_ADDR-1:0] first_of(input logic [32:0] at, input int u, input int d);
    first_of = (BEAT_ADDR'(at >> d)) << u;
  endfunction
  // Elements of a beat in front of the row, and those that rounding up adds.
  function automatic logic [COUNT-1:0] room_of(input logic [5:0] low, input int d);
    room_of = (COUNT'(low) & COUNT'((1 << d) - 1)) + COUNT'((1 << d) - 1);
  endfunction
  function automatic logic [COUNT-1:0] beats_of(input logic [COUNT-1:0] n, input int u, input int d);
    beats_of = (n >> d) << u;
  endfunction
  always_comb begin
    case (r_kind)
      2'd0: ahead = room_of(row[5:0], DN0);
      2'd1: ahead = room_of(row[5:0], DN1);
      default: ahead = room_of(row[5:0], DN2);
    endcase
  end
  assign elements = COUNT'(r_cols) + ahead;
  always_comb begin
    case (r_kind)
      2'd0: begin
        first = first_of(row, UP0, DN0);
        beats = beats_of(elements, UP0, DN0);
      end
      2'd1: begin
        first = first_of(row, UP1, DN1);
        beats = beats_of(elements, UP1, DN1);
      end
      default: begin
        first = first_of(row, UP2, DN2);
        beats = beats_of(elements, UP2, DN2);
      end
    endcase
  end

  assign ready = !active;
  always_ff @(posedge clk) begin
    if (rst) active <= 1'b0;
    else if (start && ready) active <= 1'b1;
    else if (take && left == 16'd1) active <= 1'b0;
    if (start && ready) begin
      r_kind   <= kind;
      row      <= 33'(base);
      left     <= rows;
      r_cols   <= cols;
      r_stride <= stride;
    end else if (take) begin
      row  <= row + 33'(r_stride);
      left <= left - 16'd1;
    end
  end

  // --- bursts ---
  logic valid, last_row, ends, step, fire, credit, burst_valid;
  logic [BEAT_ADDR-1:0] addr;
  logic [COUNT-1:0] rest;
  logic [LOG_MAX_BURST:0] room, len;
  logic [LOG_LIMIT:0] pending;

  assign ends = rest <= COUNT'(room);
  assign len = ends ? (LOG_MAX_BURST + 1)'(rest) : room;
  assign req_valid = burst_valid && credit;
  assign fire = req_valid && req_ready;
  assign step = valid && (!burst_valid || fire);
  assign take = active && (!valid || (step && ends));
  assign busy = active || valid || burst_valid;

  always_ff @(posedge clk) begin
    if (rst) valid <= 1'b0;
    else if (take) valid <= 1'b1;
    else if (step && ends) valid <= 1'b0;
    if (take) begin
      addr <= first;
      room <= (LOG_MAX_BURST + 1)'(MAX_BURST) - (LOG_MAX_BURST + 1)'(first[LOG_MAX_BURST-1:0]);
      rest <= beats;
      last_row <= left == 16'd1;
    end else if (step) begin
      // The next burst, if there is one, starts at a multiple of MAX_BURST.
      addr <= {addr[BEAT_ADDR-1:LOG_MAX_BURST] + 1'b1, LOG_MAX_BURST'(0)};
      room <= (LOG_MAX_BURST + 1)'(MAX_BURST);
      rest <= rest - COUNT'(room);
    end
    if (rst) burst_valid <= 1'b0;
    else if (step) burst_valid <= 1'b1;
    else if (fire) burst_valid <= 1'b0;
    if (step) begin
      req_addr <= addr;
      req_len  <= LOG_MAX_BURST'(len - 1'b1);
      req_last <= ends && last_row;
    end
    // One burst may leave before this takes notice.
    credit <= !rst && pending <= (LOG_LIMIT + 1)'(LIMIT - 2 * MAX_BURST);
    if (rst) pending <= '0;
    else pending <= pending + (fire ? (LOG_LIMIT + 1)'(req_len) + 1'b1 : '0) - (LOG_LIMIT + 1)'(beat);
  end
endmodule
