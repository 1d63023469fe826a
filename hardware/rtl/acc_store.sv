//===- acc_store.sv - Store module ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Executes STOREs.
//
//   head of queue --> acc_walk --> AW                          B --> count
//   (token there?)|     |allows                                       |
//                 '-> acc_fill --> out RAM -> [q] -> [out] -> FIFO --> W
//                     cycle 0      1           2      3        4
//
// The data of a burst leaves after its address was taken. An instruction
// retires, and pushes its token, when memory has acknowledged its last burst:
// compute may pass the token on to a LOAD of what was stored.
import acc_pkg::*;

module acc_store (
    input  logic                          clk,
    input  logic                          rst,
    input  logic                          insn_valid,
    output logic                          insn_ready,
    input  logic [                 127:0] insn,
    // A LOAD or STORE of nothing.
    input  logic                           nop,
    input  logic                          token_compute,
    output logic                          pop_compute,
    output logic                          push_compute,
    output logic                          out_en,
    output logic [      LOG_OUT_ADDR-1:0] out_entry,
    input  logic [OUT_LANES*OUT_ELEM-1:0] out_data,
    output logic                          m_awvalid,
    input  logic                          m_awready,
    output logic [              ADDR-1:0] m_awaddr,
    output logic [                   7:0] m_awlen,
    output logic                          m_wvalid,
    input  logic                          m_wready,
    output logic [              PORT-1:0] m_wdata,
    output logic [            PORT/8-1:0] m_wstrb,
    output logic                          m_wlast,
    input  logic                          m_bvalid,
    output logic                          m_bready,
    input  logic [                   1:0] m_bresp,
    output logic                          waits_compute,
    output logic                          started,
    output logic                          retired,
    output logic                          fault,
    output logic                          overflow,
    output logic                          busy
);
  localparam int BURSTS = LOG_OUTSTANDING + 2;  // Bits of a burst's number.

  // --- dispatch ---
  logic accept, walk_ready, fill_ready, order_room, walk_busy, fill_busy;
  assign waits_compute = insn_valid && insn[F_POP_PREV] && !token_compute;
  assign accept = insn_valid && !waits_compute && walk_ready && !walk_busy && fill_ready && order_room;
  assign insn_ready = accept;
  assign pop_compute = accept && insn[F_POP_PREV];
  assign started = accept;

  // --- addresses ---
  logic req_valid, req_ready, req_last, fire, acknowledged, push_flag;
  logic [BEAT_ADDR-1:0] req_addr;
  logic [LOG_MAX_BURST-1:0] req_len;
  logic [BURSTS-1:0] sent, answered;
  acc_walk #(
      .LB0(LOG_OUT_BYTES),
      .LB1(LOG_OUT_BYTES),
      .LB2(LOG_OUT_BYTES),
      .LOG_LIMIT(LOG_OUTSTANDING)
  ) walk (
      .clk,
      .rst,
      .start(accept && !nop),
      .ready(walk_ready),
      .kind(2'd0),
      .base(insn[F_MEM_DRAM_BASE+:32]),
      .rows(insn[F_MEM_Y_SIZE+:16]),
      .cols(insn[F_MEM_X_SIZE+:16]),
      .stride(insn[F_MEM_X_STRIDE+:16]),
      .req_valid,
      .req_ready,
      .req_addr,
      .req_len,
      .req_last,
      .beat(m_wvalid && m_wready),
      .busy(walk_busy)
  );
  // Bursts without an answer are bounded so that their numbers stay distinct.
  logic open_room;
  logic [BURSTS-1:0] open;
  assign open = sent - answered;
  always_ff @(posedge clk) open_room <= open < BURSTS'((1 << (BURSTS - 1)) - 2);
  assign req_ready = (!m_awvalid || m_awready) && open_room;
  assign fire = req_valid && req_ready;
  always_ff @(posedge clk) begin
    if (rst) m_awvalid <= 1'b0;
    else if (!m_awvalid || m_awready) m_awvalid <= fire;
    if (fire) begin
      m_awaddr <= {req_addr, {LOG_PORT_BYTES{1'b0}}};
      m_awlen  <= 8'(req_len);
    end
    if (rst) sent <= '0;
    else if (fire) sent <= sent + 1'b1;
    if (rst) answered <= '0;
    else if (m_bvalid) answered <= answered + 1'b1;
    if (accept) push_flag <= insn[F_PUSH_PREV];
    fault <= !rst && m_bvalid && m_bresp != 2'b00;
  end
  assign m_bready = 1'b1;

  // --- retirement: the number of each instruction's last burst ---
  logic order_valid, order_push;
  logic [BURSTS-1:0] order_target;
  logic [3:0] order_count;
  logic order_in;
  assign order_in = (accept && nop) || (fire && req_last);
  logic order_full;
  acc_fifo #(
      .WIDTH(BURSTS + 1),
      .LOG_DEPTH(3)
  ) order (
      .clk,
      .rst,
      .in_valid(order_in),
      .in_ready(order_full),
      .in_data({accept ? insn[F_PUSH_PREV] : push_flag, nop && accept ? sent : sent + 1'b1}),
      .out_valid(order_valid),
      .out_ready(acknowledged),
      .out_data({order_push, order_target}),
      .count(order_count)
  );
  // One more may be pushed by the instruction that is being walked.
  assign order_room = order_count < 4'd6;
  // One retires per cycle, so answers may have overtaken the number: compare
  // by the sign of the difference.
  logic [BURSTS-1:0] ahead;
  assign ahead = answered - order_target;
  assign acknowledged = order_valid && !ahead[BURSTS-1];
  assign retired = acknowledged;
  assign push_compute = acknowledged && order_push;

  // --- data ---
  // Bursts whose address memory has taken and whose data is not yet read.
  logic [LOG_OUTSTANDING:0] allowed;
  logic beat_ready, room, burst_end, any_allowed, one_more;
  logic w_en, w_burst_end;
  logic [16:0] w_base, w_entry;
  logic [OUT_LANES-1:0] w_lanes;
  logic [LOG_MAX_BEATS-1:0] w_slice;
  always_ff @(posedge clk) begin
    if (rst) begin
      allowed <= '0;
      any_allowed <= 1'b0;
    end else if (one_more && !burst_end) begin
      allowed <= allowed + 1'b1;
      any_allowed <= 1'b1;
    end else if (burst_end && !one_more) begin
      allowed <= allowed - 1'b1;
      any_allowed <= allowed != (LOG_OUTSTANDING + 1)'(1);
    end
  end
  assign one_more = m_awvalid && m_awready;
  acc_fill #(
      .EPB0(LOG_EPB_OUT),
      .BPE0(LOG_BPE_OUT),
      .DEPTH0(LOG_ACC_DEPTH),
      .LANES(OUT_LANES)
  ) fill (
      .clk,
      .rst,
      .start(accept && !nop),
      .ready(fill_ready),
      .kind(2'd0),
      .insn,
      .hold(1'b0),
      .beat_valid(any_allowed && room),
      .beat_ready,
      .beat_data('0),
      .w_en,
      .w_zero(),
      .w_kind(),
      .w_entry,
      .w_base,
      .w_lanes,
      .w_slice,
      .w_data(),
      .w_burst_end,
      .burst_end,
      .done(),
      .overflow,
      .busy(fill_busy)
  );
  assign out_en = w_en || !GATE_IDLE;
  assign out_entry = LOG_OUT_ADDR'(w_base);

  logic v1, v2, end1, end2;
  logic [OUT_LANES-1:0] lanes1, lanes2;
  logic [LOG_MAX_BEATS-1:0] slice1, slice2;
  always_ff @(posedge clk) begin
    v1 <= !rst && w_en;
    v2 <= !rst && v1;
    end1 <= w_burst_end;
    end2 <= end1;
    lanes1 <= w_lanes;
    lanes2 <= lanes1;
    slice1 <= w_slice;
    slice2 <= slice1;
  end

  // A beat is all lanes of narrow elements, or a slice of a wide one.
  localparam int NSO = 1 << LOG_BPE_OUT;
  localparam int LANE_BYTES = OUT_LANES > 1 ? OUT_ELEM / 8 : PORT / 8;
  logic [PORT-1:0] beat;
  logic [PORT/8-1:0] strobe;
  if (NSO == 1) begin : g_narrow
    assign beat = out_data;
    wire unused = &{1'b0, slice2};
  end else begin : g_wide
    localparam int LOG_NSO = LOG_BPE_OUT;
    logic [LOG_NSO-1:0] which;
    assign which = LOG_NSO'(slice2);
    assign beat  = out_data[int'(which)*PORT+:PORT];
  end
  for (genvar l = 0; l < OUT_LANES; l++) begin : g_strobe
    assign strobe[l*LANE_BYTES+:LANE_BYTES] = {LANE_BYTES{lanes2[l]}};
  end

  localparam int LOG_FIFO = 4;
  logic fifo_ready;
  logic [LOG_FIFO:0] fifo_count;
  acc_fifo #(
      .WIDTH(PORT + PORT / 8 + 1),
      .LOG_DEPTH(LOG_FIFO)
  ) data (
      .clk,
      .rst,
      .in_valid(v2),
      .in_ready(fifo_ready),
      .in_data({end2, strobe, beat}),
      .out_valid(m_wvalid),
      .out_ready(m_wready),
      .out_data({m_wlast, m_wstrb, m_wdata}),
      .count(fifo_count)
  );
  // Room for what is on its way to the FIFO.
  always_ff @(posedge clk) room <= !rst && fifo_count <= (LOG_FIFO + 1)'((1 << LOG_FIFO) - 7);

  assign busy = walk_busy || fill_busy || order_valid || m_awvalid || m_wvalid || v1 || v2;
  wire unused = &{1'b0, insn, w_entry, w_base, fifo_ready, order_full, beat_ready, slice2, ahead};
endmodule
