//===- acc_fill.sv - Scratchpad side of a DMA ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Walks the scratchpad side of LOADs (and, with the data flowing the other
// way, STOREs): which entries, lanes and slices each beat fills, and which are
// zeroed for padding.
//
//   instruction -> [segment: rows above, left, -> [segment] -> [current segment:
//                   data, right, rows below]                    a beat or a group
//                   one per cycle                               of zeros per cycle]
//        -> w_*
//
// A beat taken in cycle 0 appears on the registered w_* in cycle 1. Rows follow
// each other without a gap. `done` accompanies the last write of an
// instruction, or stands alone if it writes nothing. While `hold`, nothing
// moves.
import acc_pkg::*;

module acc_fill #(
    // By kind: log2 elements per beat, log2 beats per element (one of them 0),
    // log2 entries.
    parameter int EPB0 = 0,
    parameter int EPB1 = 0,
    parameter int EPB2 = 0,
    parameter int BPE0 = 0,
    parameter int BPE1 = 0,
    parameter int BPE2 = 0,
    parameter int DEPTH0 = 4,
    parameter int DEPTH1 = 4,
    parameter int DEPTH2 = 4,
    parameter int LANES = 1
) (
    input  logic                     clk,
    input  logic                     rst,
    input  logic                     start,
    output logic                     ready,
    input  logic [              1:0] kind,
    input  logic [            127:0] insn,
    input  logic                     hold,
    input  logic                     beat_valid,
    output logic                     beat_ready,
    input  logic [         PORT-1:0] beat_data,
    output logic                     w_en,
    output logic                     w_zero,
    output logic [              1:0] w_kind,
    output logic [             16:0] w_entry,
    // The entry that lane 0 would belong to.
    output logic [             16:0] w_base,
    output logic [        LANES-1:0] w_lanes,
    output logic [LOG_MAX_BEATS-1:0] w_slice,
    output logic [         PORT-1:0] w_data,
    output logic                     w_burst_end,
    output logic                     burst_end,
    output logic                     done,
    output logic                     overflow,
    output logic                     busy
);
  localparam int L = 7;  // Bits of a lane number or count: beats have at most 64 bytes.

  // --- segments ---
  logic g_active, g_right_next, g_new, g_any_above, g_any_rows;
  logic [1:0] g_kind, g_sub;
  logic [3:0] g_above, g_below, g_x0, g_x1;
  logic [15:0] g_rows, g_cols, g_low, g_stride, g_sram;
  logic [17:0] g_width;
  logic g_empty, g_step, in_row, row_ends, g_last, g_zero;
  logic [17:0] g_count;

  localparam logic [1:0] LEFT = 2'd0, DATA = 2'd1, RIGHT = 2'd2;
  assign in_row = !g_any_above && g_any_rows;
  assign g_right_next = g_x1 != 4'd0;
  assign row_ends = g_sub == RIGHT || (g_sub == DATA && !g_right_next);
  assign g_zero = !in_row || g_sub != DATA;
  assign g_count = !in_row ? g_width : g_sub == LEFT ? 18'(g_x0) : g_sub == DATA ? 18'(g_cols) : 18'(g_x1);
  assign g_empty = g_cols == 16'd0 || (!g_any_above && !g_any_rows && g_below == 4'd0);
  always_comb begin
    if (g_empty) g_last = 1'b1;
    else if (g_any_above) g_last = g_above == 4'd1 && !g_any_rows && g_below == 4'd0;
    else if (in_row) g_last = row_ends && g_rows == 16'd1 && g_below == 4'd0;
    else g_last = g_below == 4'd1;
  end

  logic [3:0] x_pad_0, x_pad_1;
  assign x_pad_0 = insn[F_MEM_X_PAD_0+:4];
  assign x_pad_1 = insn[F_MEM_X_PAD_1+:4];
  assign ready   = !g_active;
  always_ff @(posedge clk) begin
    if (rst) g_active <= 1'b0;
    else if (start && ready) g_active <= 1'b1;
    else if (g_step && g_last) g_active <= 1'b0;
    if (start && ready) begin
      g_kind   <= kind;
      g_new    <= 1'b1;
      g_sram   <= insn[F_MEM_SRAM_BASE+:16];
      g_low    <= insn[F_MEM_DRAM_BASE+:16];
      g_rows   <= insn[F_MEM_Y_SIZE+:16];
      g_cols   <= insn[F_MEM_X_SIZE+:16];
      g_stride <= insn[F_MEM_X_STRIDE+:16];
      g_above  <= insn[F_MEM_Y_PAD_0+:4];
      g_any_above <= insn[F_MEM_Y_PAD_0+:4] != 4'd0;
      g_any_rows <= insn[F_MEM_Y_SIZE+:16] != 16'd0;
      g_below  <= insn[F_MEM_Y_PAD_1+:4];
      g_x0     <= x_pad_0;
      g_x1     <= x_pad_1;
      g_width  <= 18'(insn[F_MEM_X_SIZE+:16]) + 18'(x_pad_0) + 18'(x_pad_1);
      g_sub    <= x_pad_0 != 4'd0 ? LEFT : DATA;
    end else if (g_step) begin
      g_new <= 1'b0;
      if (g_any_above) begin
        g_above <= g_above - 4'd1;
        g_any_above <= g_above != 4'd1;
      end else if (in_row) begin
        g_sub <= row_ends ? (g_x0 != 4'd0 ? LEFT : DATA) : g_sub == LEFT ? DATA : RIGHT;
        if (row_ends) begin
          g_rows <= g_rows - 16'd1;
          g_any_rows <= g_rows != 16'd1;
          g_low  <= g_low + g_stride;
        end
      end else g_below <= g_below - 4'd1;
    end
  end

  // --- the next segments, ready to be taken ---
  logic s_valid, s_zero, s_last, s_empty, s_new, s_take, s_room;
  logic [ 1:0] s_kind, s_number;
  logic [17:0] s_count;
  logic [15:0] s_sram;
  logic [L-1:0] g_off, s_off, s_lanes;
  logic [LOG_MAX_BURST-1:0] g_beat, s_beat;
  function automatic logic [L-1:0] off_of(input logic [15:0] low, input int epb);
    off_of = L'(low & 16'((1 << epb) - 1));
  endfunction
  function automatic logic [LOG_MAX_BURST-1:0] beat_of(input logic [15:0] low, input int epb, input int bpe);
    beat_of = LOG_MAX_BURST'((low >> epb) << bpe);
  endfunction
  function automatic logic [L-1:0] lanes_of(input logic [1:0] k);
    lanes_of = k == 2'd0 ? L'(1 << EPB0) : k == 2'd1 ? L'(1 << EPB1) : L'(1 << EPB2);
  endfunction
  // Where the first beat of a row starts in its entry and in its burst.
  always_comb begin
    case (g_kind)
      2'd0: begin
        g_off  = off_of(g_low, EPB0);
        g_beat = beat_of(g_low, EPB0, BPE0);
      end
      2'd1: begin
        g_off  = off_of(g_low, EPB1);
        g_beat = beat_of(g_low, EPB1, BPE1);
      end
      default: begin
        g_off  = off_of(g_low, EPB2);
        g_beat = beat_of(g_low, EPB2, BPE2);
      end
    endcase
    if (g_zero) g_off = '0;
  end
  assign g_step = g_active && s_room;
  acc_fifo #(
      .WIDTH(40 + 2 * L + LOG_MAX_BURST),
      .LOG_DEPTH(1)
  ) segments (
      .clk,
      .rst,
      .in_valid(g_active),
      .in_ready(s_room),
      .in_data({g_zero, g_last, g_empty, g_new, g_kind, g_count, g_sram, g_off, lanes_of(g_kind) - g_off, g_beat}),
      .out_valid(s_valid),
      .out_ready(s_take),
      .out_data({s_zero, s_last, s_empty, s_new, s_kind, s_count, s_sram, s_off, s_lanes, s_beat}),
      .count(s_number)
  );

  // --- the current segment ---
  // What the next step does is decided a cycle ahead: whether it takes a beat
  // (c_data) or not (c_free), how many lanes there are for entries, whether the
  // rest of the segment fits them.
  logic c_data, c_free, c_zero, c_last, c_empty, c_fits, c_top;
  logic [1:0] c_kind;
  logic [17:0] c_left;
  logic [16:0] c_entry, c_depth;
  logic [L-1:0] c_off, c_lanes, c_per_beat;
  logic [LOG_MAX_BEATS-1:0] c_slice, c_top_slice;
  logic [LOG_MAX_BURST-1:0] c_beat;

  logic [L-1:0] n;
  logic [LOG_MAX_BEATS-1:0] top_slice, next_slice;
  logic [16:0] depth;
  logic step, ends;
  always_comb begin
    case (s_kind)
      2'd0: begin
        top_slice = LOG_MAX_BEATS'((1 << BPE0) - 1);
        depth = 17'(1 << DEPTH0);
      end
      2'd1: begin
        top_slice = LOG_MAX_BEATS'((1 << BPE1) - 1);
        depth = 17'(1 << DEPTH1);
      end
      default: begin
        top_slice = LOG_MAX_BEATS'((1 << BPE2) - 1);
        depth = 17'(1 << DEPTH2);
      end
    endcase
  end

  assign next_slice = c_top ? '0 : c_slice + 1'b1;
  assign n = c_fits ? L'(c_left) : c_lanes;
  // The last slice of an element (c_top) of the last group (c_fits); both are
  // set for a segment without entries.
  assign ends = c_fits && c_top;
  assign beat_ready = c_data && !hold;
  assign step = !hold && (c_free || (c_data && beat_valid));
  assign s_take = s_valid && (!(c_free || c_data) || (step && ends));
  assign burst_end = step && c_data && (ends || (&c_beat));
  assign busy = g_active || s_valid || c_free || c_data || w_en || done;

  always_ff @(posedge clk) begin
    if (rst) begin
      c_free <= 1'b0;
      c_data <= 1'b0;
    end else if (s_take) begin
      c_free <= s_zero || s_empty;
      c_data <= !s_zero && !s_empty;
    end else if (step && ends) begin
      c_free <= 1'b0;
      c_data <= 1'b0;
    end
    if (s_take) begin
      c_zero  <= s_zero;
      c_last  <= s_last;
      c_empty <= s_empty;
      c_kind  <= s_kind;
      c_left  <= s_count;
      c_off   <= s_off;
      c_lanes <= s_lanes;
      c_fits  <= s_empty || s_count <= 18'(s_lanes);
      c_slice <= '0;
      c_top   <= s_zero || s_empty || top_slice == '0;
      c_beat  <= s_beat;
      c_per_beat <= lanes_of(s_kind);
      c_top_slice <= top_slice;
      c_depth <= depth;
    end else if (step) begin
      if (c_top) begin
        c_left  <= c_left - 18'(c_lanes);
        c_lanes <= c_per_beat;
        c_fits  <= c_left <= 18'(c_lanes) + 18'(c_per_beat);
      end
      c_off   <= '0;
      c_slice <= next_slice;
      c_top   <= c_zero || next_slice == c_top_slice;
      c_beat  <= c_beat + 1'b1;
    end
    if (s_take && s_new) c_entry <= 17'(s_sram);
    else if (step && c_top && !c_empty && !overflow) c_entry <= c_entry + 17'(n);
  end

  // --- write ---
  always_ff @(posedge clk) begin
    w_en <= step && !c_empty && !rst;
    done <= step && c_last && ends && !rst;
    overflow <= !rst && (overflow || (step && !c_empty && 18'(c_entry) + 18'(n) > 18'(c_depth)));
    if (step || !GATE_IDLE) begin
      w_zero <= c_zero;
      w_kind <= c_kind;
      w_entry <= c_entry;
      w_base <= c_entry - 17'(c_off);
      w_lanes <= LANES'(((65'd1 << n) - 65'd1) << c_off);
      w_slice <= c_slice;
      w_data <= c_zero ? '0 : beat_data;
      w_burst_end <= burst_end;
    end
  end
  wire unused = &{1'b0, insn, s_number};
endmodule
