//===- acc_compute.sv - Compute module ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Executes LOADs of uop, acc and acc8, GEMM, ALU and FINISH, in order.
//
//                      .--> acc_walk --> read requests
//   head of queue -----+--> acc_fill <-- beats ------------> uop, acc, out
//   (tokens there?)    '--> acc_sequence --> acc_execute --> acc, out
//
// GEMM and ALU instructions follow each other without a gap and retire from the
// end of the pipeline. LOADs follow each other as in acc_load. A LOAD sends its
// requests as soon as the last micro-op before it is on its way and writes when
// the pipeline is empty; GEMM and ALU wait for LOADs to end.
//
// `out` is a copy of the low bits of the accumulator for the store module, so
// that the two never compete for a port.
import acc_pkg::*;

module acc_compute (
    input  logic                     clk,
    input  logic                     rst,
    input  logic                     insn_valid,
    output logic                     insn_ready,
    input  logic [            127:0] insn,
    // A LOAD or STORE of nothing.
    input  logic                      nop,
    input  logic                     token_load,
    input  logic                     token_store,
    output logic                     pop_load,
    output logic                     pop_store,
    output logic                     push_load,
    output logic                     push_store,
    output logic                     req_valid,
    input  logic                     req_ready,
    output logic [    BEAT_ADDR-1:0] req_addr,
    output logic [LOG_MAX_BURST-1:0] req_len,
    input  logic                     beat_valid,
    output logic                     beat_ready,
    input  logic [         PORT-1:0] beat_data,
    // From the load module.
    input  logic                     l_en,
    input  logic                     l_zero,
    input  logic [              1:0] l_kind,
    input  logic [             16:0] l_entry,
    input  logic [             16:0] l_base,
    input  logic [   LOAD_LANES-1:0] l_lanes,
    input  logic [LOG_MAX_BEATS-1:0] l_slice,
    input  logic [         PORT-1:0] l_data,
    // Read port of out, for the store module: a group of lanes.
    input  logic                     out_en,
    input  logic [ LOG_OUT_ADDR-1:0] out_entry,
    output logic [OUT_LANES*OUT_ELEM-1:0] out_data,
    output logic                     waits_load,
    output logic                     waits_store,
    output logic                     started,
    output logic                     retired,
    output logic                     finished,
    output logic                     fault,
    output logic [              2:0] fault_code,
    output logic [             15:0] fault_number,
    output logic                     overflow,
    // A LOAD writes.
    output logic                     load_step,
    output logic                     gemm_step,
    output logic                     reset_step,
    output logic                     alu_step,
    output logic                     busy
);
  // --- dispatch ---
  logic is_load, accept, room, walk_ready, walk_busy, sequence_ready, sequence_idle, loads_done;
  logic [1:0] kind;
  logic [2:0] memory;
  assign memory = insn[F_MEM_MEMORY+:3];
  assign is_load = insn[2:0] == OP_LOAD;
  assign kind = memory == MEM_UOP ? 2'd0 : memory == MEM_ACC ? 2'd1 : 2'd2;
  assign waits_load = insn_valid && insn[F_POP_PREV] && !token_load;
  assign waits_store = insn_valid && insn[F_POP_NEXT] && !token_store;
  assign accept = insn_valid && !waits_load && !waits_store &&
      (is_load ? sequence_idle && room && (nop || walk_ready) : sequence_ready && loads_done);
  assign insn_ready = accept;
  assign pop_load = accept && insn[F_POP_PREV];
  assign pop_store = accept && insn[F_POP_NEXT];
  assign started = accept;

  // Instructions of either kind that have not retired.
  logic [3:0] loads;
  logic [4:0] executing;
  logic load_retired, execute_retired;
  logic [2:0] execute_push;
  logic [1:0] load_push;
  // `hold` may lag behind: nothing is executed while there are loads, and a
  // load takes longer than that to reach its first write.
  logic executing_room, hold;
  always_ff @(posedge clk) begin
    if (rst) begin
      loads <= '0;
      executing <= '0;
    end else begin
      loads <= loads + 4'(accept && is_load) - 4'(load_retired);
      executing <= executing + 5'(accept && !is_load) - 5'(execute_retired);
    end
    hold <= executing != '0;
  end
  assign loads_done = loads == '0 && executing_room;
  assign executing_room = !(&executing);

  // --- loads ---
  logic fill_valid, fill_ready, fill_busy, push_room, push_valid;
  logic [127:0] fill_insn;
  logic [2:0] fill_count;
  logic [3:0] push_count;
  logic w_en, w_zero;
  logic [1:0] w_kind;
  logic [16:0] w_entry, w_base;
  logic [FILL_LANES-1:0] w_lanes;
  logic [LOG_MAX_BEATS-1:0] w_slice;
  logic [PORT-1:0] w_data;

  acc_walk #(
      .LB0(LOG_UOP_BYTES),
      .LB1(LOG_ACC_BYTES),
      .LB2(LOG_OUT_BYTES),
      .LOG_LIMIT(LOG_OUTSTANDING)
  ) walk (
      .clk,
      .rst,
      .start(accept && is_load && !nop),
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

  acc_fifo #(
      .WIDTH(128),
      .LOG_DEPTH(2)
  ) pending (
      .clk,
      .rst,
      .in_valid(accept && is_load),
      .in_ready(room),
      .in_data(insn),
      .out_valid(fill_valid),
      .out_ready(fill_ready && push_room),
      .out_data(fill_insn),
      .count(fill_count)
  );

  logic [2:0] fill_memory;
  assign fill_memory = fill_insn[F_MEM_MEMORY+:3];
  acc_fill #(
      .EPB0(LOG_EPB_UOP),
      .EPB1(LOG_EPB_ACC),
      .EPB2(LOG_EPB_OUT),
      .BPE0(0),
      .BPE1(LOG_BPE_ACC),
      .BPE2(LOG_BPE_OUT),
      .DEPTH0(LOG_UOP_DEPTH),
      .DEPTH1(LOG_ACC_DEPTH),
      .DEPTH2(LOG_ACC_DEPTH),
      .LANES(FILL_LANES)
  ) fill (
      .clk,
      .rst,
      .start(fill_valid && push_room),
      .ready(fill_ready),
      .kind(fill_memory == MEM_UOP ? 2'd0 : fill_memory == MEM_ACC ? 2'd1 : 2'd2),
      .insn(fill_insn),
      .hold,
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
      .done(load_retired),
      .overflow,
      .busy(fill_busy)
  );

  acc_fifo #(
      .WIDTH(2),
      .LOG_DEPTH(3)
  ) pushes (
      .clk,
      .rst,
      .in_valid(fill_valid && fill_ready),
      .in_ready(push_room),
      .in_data({fill_insn[F_PUSH_NEXT], fill_insn[F_PUSH_PREV]}),
      .out_valid(push_valid),
      .out_ready(load_retired),
      .out_data(load_push),
      .count(push_count)
  );

  // --- micro-ops ---
  logic uop_en;
  logic [LOG_UOP_DEPTH-1:0] uop_addr;
  logic [31:0] uop;
  localparam int UOP_ROT = LOG_EPB_UOP > 0 ? LOG_EPB_UOP : 1;
  acc_pad #(
      .ELEM(32),
      .LOG_DEPTH(LOG_UOP_DEPTH),
      .LOG_NB(LOG_EPB_UOP)
  ) uops (
      .clk,
      .w_en(w_en && w_kind == 2'd0),
      .w_entry(LOG_UOP_DEPTH'(w_entry)),
      .w_rot(UOP_ROT'(w_base)),
      .w_lanes(w_lanes[(1<<LOG_EPB_UOP)-1:0]),
      .w_slices(1'b1),
      .w_data,
      .r_en(uop_en),
      .r_entry(uop_addr),
      .r_data(uop)
  );

  // --- execution ---
  logic x_valid, x_set, x_source, x_use_imm, x_last;
  logic [1:0] x_kind, x_which;
  logic [LOG_ACC_DEPTH-1:0] x_read, x_dst;
  logic [LOG_INP_DEPTH-1:0] x_inp;
  logic [LOG_WGT_DEPTH-1:0] x_wgt;
  logic [2:0] x_alu_op, x_push;
  logic [15:0] x_imm;
  acc_sequence sequence_ops (
      .clk,
      .rst,
      .start(accept && !is_load),
      .ready(sequence_ready),
      .insn,
      .idle(sequence_idle),
      .uop_en,
      .uop_addr,
      .uop,
      .x_valid,
      .x_kind,
      .x_source,
      .x_set,
      .x_which,
      .x_read,
      .x_dst,
      .x_inp,
      .x_wgt,
      .x_alu_op,
      .x_use_imm,
      .x_imm,
      .x_last,
      .x_push,
      .fault,
      .fault_code,
      .fault_number
  );

  logic inp_en, wgt_en, acc_en, x_en;
  logic [LOG_INP_DEPTH-1:0] inp_addr;
  logic [LOG_WGT_DEPTH-1:0] wgt_addr;
  logic [LOG_ACC_DEPTH-1:0] acc_addr, x_entry;
  logic [INP_ELEM-1:0] inp_data;
  logic [WGT_ELEM-1:0] wgt_data;
  logic [ACC_ELEM-1:0] acc_data, x_data;
  acc_execute execute (
      .clk,
      .rst,
      .x_valid,
      .x_kind,
      .x_source,
      .x_set,
      .x_which,
      .x_read,
      .x_dst,
      .x_inp,
      .x_wgt,
      .x_alu_op,
      .x_use_imm,
      .x_imm,
      .x_last,
      .x_push,
      .inp_en,
      .inp_addr,
      .inp_data,
      .wgt_en,
      .wgt_addr,
      .wgt_data,
      .acc_en,
      .acc_addr,
      .acc_data,
      .w_en(x_en),
      .w_entry(x_entry),
      .w_data(x_data),
      .retired(execute_retired),
      .retired_push(execute_push),
      .gemm_step,
      .reset_step,
      .alu_step
  );

  // --- inputs and weights ---
  localparam int INP_NS = 1 << LOG_BPE_INP, WGT_NS = 1 << LOG_BPE_WGT;
  localparam int INP_NB = 1 << LOG_EPB_INP, WGT_NB = 1 << LOG_EPB_WGT;
  localparam int INP_ROT = LOG_EPB_INP > 0 ? LOG_EPB_INP : 1;
  localparam int WGT_ROT = LOG_EPB_WGT > 0 ? LOG_EPB_WGT : 1;
  logic [INP_NS-1:0] inp_slices;
  logic [WGT_NS-1:0] wgt_slices;
  for (genvar s = 0; s < INP_NS; s++) begin : g_inp_slice
    assign inp_slices[s] = l_zero || INP_NS == 1 || l_slice == LOG_MAX_BEATS'(s);
  end
  for (genvar s = 0; s < WGT_NS; s++) begin : g_wgt_slice
    assign wgt_slices[s] = l_zero || WGT_NS == 1 || l_slice == LOG_MAX_BEATS'(s);
  end
  acc_pad #(
      .ELEM(INP_ELEM),
      .LOG_DEPTH(LOG_INP_DEPTH),
      .LOG_NB(LOG_EPB_INP),
      .NS(INP_NS)
  ) inps (
      .clk,
      .w_en(l_en && l_kind == 2'd0),
      .w_entry(LOG_INP_DEPTH'(l_entry)),
      .w_rot(INP_ROT'(l_base)),
      .w_lanes(l_lanes[INP_NB-1:0]),
      .w_slices(inp_slices),
      .w_data({INP_NS{l_data}}),
      .r_en(inp_en),
      .r_entry(inp_addr),
      .r_data(inp_data)
  );
  acc_pad #(
      .ELEM(WGT_ELEM),
      .LOG_DEPTH(LOG_WGT_DEPTH),
      .LOG_NB(LOG_EPB_WGT),
      .NS(WGT_NS)
  ) wgts (
      .clk,
      .w_en(l_en && l_kind == 2'd1),
      .w_entry(LOG_WGT_DEPTH'(l_entry)),
      .w_rot(WGT_ROT'(l_base)),
      .w_lanes(l_lanes[WGT_NB-1:0]),
      .w_slices(wgt_slices),
      .w_data({WGT_NS{l_data}}),
      .r_en(wgt_en),
      .r_entry(wgt_addr),
      .r_data(wgt_data)
  );

  // --- accumulators and outputs ---
  // Banks for beats of outputs (acc8 is the form with the most entries per
  // beat), slices for beats of accumulators.
  localparam int NB = OUT_LANES;
  localparam int NS = 1 << LOG_BPE_ACC;
  localparam int ROT = LOG_EPB_OUT > 0 ? LOG_EPB_OUT : 1;
  localparam int WORDS = BATCH * BLOCK_OUT;  // of 32 bits in an entry
  localparam int BEAT_OUTS = PORT / OUT_BITS;  // outputs in a beat
  localparam int BEAT_ACCS = PORT / 32;
  localparam int NS8 = NS >> LOG_BPE_OUT;  // slices that a beat of acc8 fills

  logic [NB*ACC_ELEM-1:0] load_data, acc_w_data;
  logic [NB*OUT_ELEM-1:0] out_w_data;
  logic [NB-1:0] acc_w_lanes;
  logic [NS-1:0] acc_w_slices;
  logic [ROT-1:0] acc_w_rot;
  logic acc_w_en, load_w_en, is_acc8;
  logic [LOG_ACC_DEPTH-1:0] acc_w_entry;
  assign load_step = w_en;
  assign is_acc8   = w_kind == 2'd2;
  assign load_w_en = w_en && w_kind != 2'd0;
  // Word w of lane l: of a beat of accumulators, and of a beat of outputs.
  for (genvar l = 0; l < NB; l++) begin : g_lane
    for (genvar w = 0; w < WORDS; w++) begin : g_word
      localparam int WIDE = (l * WORDS + w) % BEAT_ACCS;
      localparam int NARROW = (l * WORDS + w) % BEAT_OUTS;
      assign load_data[(l*WORDS+w)*32+:32] = is_acc8 ?
          32'($signed(w_data[NARROW*OUT_BITS+:OUT_BITS])) : w_data[WIDE*32+:32];
    end
    assign acc_w_data[l*ACC_ELEM+:ACC_ELEM] = load_w_en ? load_data[l*ACC_ELEM+:ACC_ELEM] : x_data;
    for (genvar w = 0; w < WORDS; w++) begin : g_out
      assign out_w_data[(l*WORDS+w)*OUT_BITS+:OUT_BITS] = acc_w_data[(l*WORDS+w)*32+:OUT_BITS];
    end
  end
  for (genvar s = 0; s < NS; s++) begin : g_slice
    assign acc_w_slices[s] = !load_w_en || w_zero || NS == 1 ||
        (is_acc8 ? w_slice == LOG_MAX_BEATS'(s / NS8) : w_slice == LOG_MAX_BEATS'(s));
  end
  assign acc_w_en = load_w_en || x_en;
  assign acc_w_entry = load_w_en ? LOG_ACC_DEPTH'(w_entry) : x_entry;
  assign acc_w_rot = load_w_en ? ROT'(w_base) : ROT'(x_entry);
  assign acc_w_lanes = load_w_en ? w_lanes[NB-1:0] : NB'(1);

  acc_pad #(
      .ELEM(ACC_ELEM),
      .LOG_DEPTH(LOG_ACC_DEPTH),
      .LOG_NB(LOG_EPB_OUT),
      .NS(NS)
  ) accs (
      .clk,
      .w_en(acc_w_en),
      .w_entry(acc_w_entry),
      .w_rot(acc_w_rot),
      .w_lanes(acc_w_lanes),
      .w_slices(acc_w_slices),
      .w_data(acc_w_data),
      .r_en(acc_en),
      .r_entry(acc_addr),
      .r_data(acc_data)
  );
  acc_pad #(
      .ELEM(OUT_ELEM),
      .LOG_DEPTH(LOG_OUT_ADDR),
      .LOG_NB(LOG_EPB_OUT),
      .NS(NS),
      .GROUP(1)
  ) outs (
      .clk,
      .w_en(acc_w_en),
      .w_entry(LOG_OUT_ADDR'(acc_w_entry)),
      .w_rot(acc_w_rot),
      .w_lanes(acc_w_lanes),
      .w_slices(acc_w_slices),
      .w_data(out_w_data),
      .r_en(out_en),
      .r_entry(out_entry),
      .r_data(out_data)
  );

  // --- retirement ---
  assign retired = load_retired || execute_retired;
  assign push_load = (load_retired && load_push[0]) || (execute_retired && execute_push[0]);
  assign push_store = (load_retired && load_push[1]) || (execute_retired && execute_push[1]);
  assign finished = execute_retired && execute_push[2];
  assign busy = loads != '0 || executing != '0 || walk_busy || fill_busy;
  wire unused = &{1'b0, l_entry, l_base, l_lanes, w_entry, w_base, w_lanes, fill_count, push_count, push_valid};
endmodule
