//===- acc_load.sv - Load module ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Executes LOADs of inp and wgt.
//
//   head of queue -- tokens there? --> acc_walk --> read requests
//                         |                            ... memory ...
//                         '--> small queue --> acc_fill <-- beats --> scratchpads
//
// Requests of an instruction follow those of the one before without waiting
// for its data, so the memory's latency shows once, not per instruction.
// Tokens are popped before the first request and pushed with the last write.
import acc_pkg::*;

module acc_load (
    input  logic                     clk,
    input  logic                     rst,
    input  logic                     insn_valid,
    output logic                     insn_ready,
    input  logic [            127:0] insn,
    // A LOAD or STORE of nothing.
    input  logic                      nop,
    input  logic                     token_compute,
    output logic                     pop_compute,
    output logic                     push_compute,
    output logic                     req_valid,
    input  logic                     req_ready,
    output logic [    BEAT_ADDR-1:0] req_addr,
    output logic [LOG_MAX_BURST-1:0] req_len,
    input  logic                     beat_valid,
    output logic                     beat_ready,
    input  logic [         PORT-1:0] beat_data,
    // Write port of the scratchpads; w_kind is 0 for inp, 1 for wgt.
    output logic                     w_en,
    output logic                     w_zero,
    output logic [              1:0] w_kind,
    output logic [             16:0] w_entry,
    output logic [             16:0] w_base,
    output logic [   LOAD_LANES-1:0] w_lanes,
    output logic [LOG_MAX_BEATS-1:0] w_slice,
    output logic [         PORT-1:0] w_data,
    output logic                     waits_compute,
    output logic                     started,
    output logic                     retired,
    output logic                     overflow,
    output logic                     busy
);
  logic walk_ready, walk_busy, room, accept;
  logic [1:0] kind;
  assign kind = insn[F_MEM_MEMORY+:3] == MEM_INP ? 2'd0 : 2'd1;
  assign waits_compute = insn_valid && insn[F_POP_NEXT] && !token_compute;
  assign accept = insn_valid && !waits_compute && room && (nop || walk_ready);
  assign insn_ready = accept;
  assign pop_compute = accept && insn[F_POP_NEXT];
  assign started = accept;

  acc_walk #(
      .LB0(LOG_INP_BYTES),
      .LB1(LOG_WGT_BYTES),
      .LB2(LOG_WGT_BYTES),
      .LOG_LIMIT(LOG_OUTSTANDING)
  ) walk (
      .clk,
      .rst,
      .start(accept && !nop),
      .ready(walk_ready),
      .kind,
      .base(insn[F_MEM_DRAM_BASE+:32]),
      .rows(insn[F_MEM_Y_SIZE+:16]),
      .cols(insn[F_MEM_X_SIZE+:16]),
      .stride(insn[F_MEM_X_STRIDE+:16]),
      .req_valid,
      .req_ready,
      .req_addr,
      .req_len,
      .req_last(),
      .beat(beat_valid && beat_ready),
      .busy(walk_busy)
  );

  logic fill_valid, fill_ready, fill_busy;
  logic push_room, push_flag, push_valid;
  logic [3:0] push_count;
  logic [127:0] fill_insn;
  acc_pending #(
      .LOG_EPB(LOG_EPB_INP > LOG_EPB_WGT ? LOG_EPB_INP : LOG_EPB_WGT)
  ) pending (
      .clk,
      .rst,
      .in_valid(accept),
      .in_ready(room),
      .in_insn(insn),
      .out_valid(fill_valid),
      .out_ready(fill_ready && push_room),
      .out_insn(fill_insn)
  );

  acc_fill #(
      .EPB0(LOG_EPB_INP),
      .EPB1(LOG_EPB_WGT),
      .EPB2(LOG_EPB_WGT),
      .BPE0(LOG_BPE_INP),
      .BPE1(LOG_BPE_WGT),
      .BPE2(LOG_BPE_WGT),
      .DEPTH0(LOG_INP_DEPTH),
      .DEPTH1(LOG_WGT_DEPTH),
      .DEPTH2(LOG_WGT_DEPTH),
      .LANES(LOAD_LANES)
  ) fill (
      .clk,
      .rst,
      .start(fill_valid && push_room),
      .ready(fill_ready),
      .kind(fill_insn[F_MEM_MEMORY+:3] == MEM_INP ? 2'd0 : 2'd1),
      .insn(fill_insn),
      .hold(1'b0),
      .beat_valid,
      .beat_ready,
      .beat_data,
      .w_en,
      .w_zero,
      .w_kind,
      .w_entry,
      .w_base,
      .w_lanes,
      .w_slice,
      .w_data,
      .w_burst_end(),
      .burst_end(),
      .done(retired),
      .overflow,
      .busy(fill_busy)
  );

  // The token to push, in the order of execution, until the last write.
  acc_fifo #(
      .WIDTH(1),
      .LOG_DEPTH(3)
  ) pushes (
      .clk,
      .rst,
      .in_valid(fill_valid && fill_ready),
      .in_ready(push_room),
      .in_data(fill_insn[F_PUSH_NEXT]),
      .out_valid(push_valid),
      .out_ready(retired),
      .out_data(push_flag),
      .count(push_count)
  );
  assign push_compute = retired && push_flag;
  assign busy = walk_busy || fill_busy || fill_valid;
  wire unused = &{1'b0, insn, push_count, push_valid};
endmodule
