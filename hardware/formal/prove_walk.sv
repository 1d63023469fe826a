//===- prove_walk.sv - What the burst generator must do ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The bursts of any one instruction (`mark` picks it) are, in order, the beats
// that its rows touch, each once, and nothing else: no request is outside of
// the window and none is missing. A burst does not cross a multiple of its
// greatest length, the last one says so, and no more beats are on their
// way than there is room for.
//
// What a row touches is said in bytes here, from `base`, `stride` and the size
// of an element, modulo the addresses there are.
import acc_pkg::*;

module prove_walk #(
    parameter int LB0 = LOG_UOP_BYTES,
    parameter int LB1 = LOG_ACC_BYTES,
    parameter int LB2 = LOG_OUT_BYTES,
    parameter int LOG_LIMIT = LOG_MAX_BURST + 2
) (
    input logic        clk,
    input logic        rst,
    input logic        start,
    input logic [ 1:0] kind,
    input logic [31:0] base,
    input logic [15:0] rows,
    input logic [15:0] cols,
    input logic [15:0] stride,
    input logic        req_ready,
    input logic        beat,
    input logic        mark
);
  localparam int COUNT = 17 + LOG_MAX_BEATS;
  localparam int MAX_BURST = 1 << LOG_MAX_BURST;
  logic ready, req_valid, req_last, busy;
  logic [BEAT_ADDR-1:0] req_addr;
  logic [LOG_MAX_BURST-1:0] req_len;
  acc_walk #(
      .LB0(LB0),
      .LB1(LB1),
      .LB2(LB2),
      .LOG_LIMIT(LOG_LIMIT)
  ) walk (
      .*
  );

  // --- the marked instruction: how many are ahead of it, what is left of it ---
  logic started = 1'b0, here;
  logic [1:0] wait_for, m_kind;
  logic [32:0] m_row;
  logic [15:0] m_left, m_cols, m_stride;
  logic [BEAT_ADDR-1:0] m_next;
  logic [COUNT-1:0] m_rest;

  function automatic int log_bytes(input logic [1:0] k);
    log_bytes = k == 2'd0 ? LB0 : k == 2'd1 ? LB1 : LB2;
  endfunction
  function automatic logic [BEAT_ADDR-1:0] first_of(input logic [32:0] row, input logic [1:0] k);
    first_of = BEAT_ADDR'((ADDR'(row) << log_bytes(k)) >> LOG_PORT_BYTES);
  endfunction
  // How many beats hold [row, row + n) elements.
  function automatic logic [COUNT-1:0] beats_of(input logic [32:0] row, input logic [15:0] n, input logic [1:0] k);
    logic [31:0] low;
    low = (32'(row[5:0]) << log_bytes(k)) & 32'((1 << LOG_PORT_BYTES) - 1);
    beats_of = COUNT'((low + (32'(n) << log_bytes(k)) + 32'((1 << LOG_PORT_BYTES) - 1)) >> LOG_PORT_BYTES);
  endfunction

  logic fire;
  logic [COUNT-1:0] beats;
  assign fire  = req_valid && req_ready;
  assign beats = COUNT'(req_len) + 1'b1;
  // What is left behind the burst that is offered.
  logic b_row_ends;
  logic [1:0] b_wait;
  logic [15:0] b_left;
  logic [32:0] b_row;
  logic [BEAT_ADDR-1:0] b_next;
  logic [COUNT-1:0] b_rest;
  always_comb begin
    b_wait = wait_for;
    b_row  = m_row;
    b_left = m_left;
    b_next = m_next;
    b_rest = m_rest;
    b_row_ends = beats == m_rest;
    if (walk.burst_valid && wait_for != '0) b_wait = wait_for - 2'(req_last);
    else if (walk.burst_valid) begin
      b_row  = b_row_ends ? m_row + 33'(m_stride) : m_row;
      b_left = m_left - 16'(b_row_ends);
      b_next = b_row_ends ? first_of(b_row, m_kind) : m_next + BEAT_ADDR'(beats);
      b_rest = b_row_ends ? beats_of(b_row, m_cols, m_kind) : m_rest - beats;
    end
  end
  // Instructions in the three stages.
  logic [1:0] stages;
  assign stages = 2'(walk.active) + 2'(walk.valid && walk.last_row) + 2'(walk.burst_valid && req_last);
  always_ff @(posedge clk) begin
    started <= 1'b1;
    if (rst) here <= 1'b0;
    else if (!here) here <= start && ready && mark;
    else if (fire && wait_for == '0 && req_last) here <= 1'b0;
    if (!here) begin
      wait_for <= stages - 2'(fire && req_last);
      m_kind <= kind;
      m_row <= 33'(base);
      m_left <= rows;
      m_cols <= cols;
      m_stride <= stride;
      m_next <= first_of(33'(base), kind);
      m_rest <= beats_of(33'(base), cols, kind);
    end else if (fire) begin
      wait_for <= b_wait;
      m_row <= b_row;
      m_left <= b_left;
      m_next <= b_next;
      m_rest <= b_rest;
    end
  end

  // --- where the marked instruction is ---
  logic in_rows, whole;
  assign in_rows = walk.active && walk.r_kind == m_kind && walk.r_cols == m_cols && walk.r_stride == m_stride;
  assign whole = m_next == first_of(m_row, m_kind) && m_rest == beats_of(m_row, m_cols, m_kind);
  logic [15:0] v_left;
  logic [32:0] v_row;
  assign v_left = b_left - 16'd1;
  assign v_row  = b_row + 33'(m_stride);
  always_comb begin
    assume (started || rst);
    // Nobody starts what moves nothing, and only beats that were asked for come.
    assume (rows != '0 && cols != '0);
    assume (!beat || walk.pending != '0);
    if (started) begin
      // The bursts of the marked instruction.
      if (here && wait_for == '0 && req_valid) begin
        assert (req_addr == m_next);
        assert (beats <= m_rest);
        assert (req_last == (m_left == 16'd1 && b_row_ends));
      end
      assert (!req_valid || COUNT'(req_addr[LOG_MAX_BURST-1:0]) + beats <= COUNT'(MAX_BURST));
      assert (walk.pending <= (LOG_LIMIT + 1)'(1 << LOG_LIMIT));
      assert (busy || stages == '0);

      // The states there are.
      assert (!walk.active || (walk.left != '0 && walk.r_cols != '0));
      assert (!walk.credit || walk.pending <= (LOG_LIMIT + 1)'((1 << LOG_LIMIT) - MAX_BURST));
      assert (!walk.burst_valid || COUNT'(req_addr[LOG_MAX_BURST-1:0]) + beats <= COUNT'(MAX_BURST));
      if (walk.valid) begin
        assert (walk.rest != '0);
        assert (32'(walk.room) == 32'(MAX_BURST) - 32'(walk.addr[LOG_MAX_BURST-1:0]));
        assert (walk.active || walk.last_row);
      end
      assert (!walk.burst_valid || req_last || walk.valid || walk.active);
      if (here) begin
        assert (m_left != '0 && m_cols != '0 && m_rest != '0);
        assert (wait_for < stages);
        if (walk.burst_valid && wait_for == '0) begin
          assert (req_addr == m_next);
          assert (beats <= m_rest);
          assert (req_last == (m_left == 16'd1 && b_row_ends));
        end else assert (wait_for == '0 || (whole && b_wait <= 2'd1));
        if (b_left != '0 && b_wait == '0) begin
          if (walk.valid) begin
            assert (walk.addr == b_next && walk.rest == b_rest);
            assert (walk.last_row == (v_left == '0));
            assert (v_left == '0 || (in_rows && walk.row == v_row && walk.left == v_left));
          end else begin
            assert (in_rows && walk.row == b_row && walk.left == b_left);
            assert (b_next == first_of(b_row, m_kind) && b_rest == beats_of(b_row, m_cols, m_kind));
          end
        end
        if (b_wait != '0) begin
          assert (walk.valid && walk.last_row);
          assert (in_rows && walk.row == m_row && walk.left == m_left);
        end
      end
    end
  end
endmodule
