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
  logic head_valid, head_nop;
  logic [127:0] head;
  logic is_load, accept, may_start, room, walk_ready, walk_busy, hold;
  logic [1:0] kind;
  logic [2:0] memory;
  assign memory = head[F_MEM_MEMORY+:3];
  assign is_load = head[2:0] == OP_LOAD;
  assign kind = memory == MEM_UOP ? 2'd0 : memory == MEM_ACC ? 2'd1 : 2'd2;
  assign waits_load = head_valid && head[F_POP_PREV] && !token_load;
  assign waits_store = head_valid && head[F_POP_NEXT] && !token_store;
  assign accept = head_valid && !waits_load && !waits_store && may_start;
  assign pop_load = accept && head[F_POP_PREV];
  assign pop_store = accept && head[F_POP_NEXT];
  assign started = accept;
  // finish, push next, push previous
  logic [2:0] push;
  assign push = {head[2:0] == OP_FINISH, head[F_PUSH_NEXT], head[F_PUSH_PREV]};

  // --- loads ---
  logic fill_valid, fill_ready, fill_busy, push_room, push_valid, load_retired;
  logic [1:0] load_push;
  logic [127:0] fill_insn;
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
      .start(accept && is_load && !head_nop),
      .ready(walk_ready),
      .kind,
      .base(head[F_MEM_DRAM_BASE+:32]),
      .rows(head[F_MEM_Y_SIZE+:16]),
      .cols(head[F_MEM_X_SIZE+:16]),
      .stride(head[F_MEM_X_STRIDE+:16]),
      .req_valid,
      .req_ready,
      .req_addr,
      .req_len,
      .req_last(),
      .beat(beat_valid && beat_ready),
      .busy(walk_busy)
  );

  acc_pending #(
      .LOG_EPB(LOG_EPB_UOP > LOG_EPB_OUT ? LOG_EPB_UOP : LOG_EPB_OUT)
  ) pending (
      .clk,
      .rst,
      .in_valid(accept && is_load),
      .in_ready(room),
      .in_insn(head),
      .out_valid(fill_valid),
      .out_ready(fill_ready && push_room),
      .out_insn(fill_insn)
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
  // A copy for each reader: a sequencer, or two and acc_extent.
  localparam int UNITS = BESIDE ? 2 : 1;
  localparam int UOP_READERS = BESIDE ? 3 : 1;
  logic [UOP_READERS-1:0] uop_en;
  logic [UOP_READERS-1:0][LOG_UOP_DEPTH-1:0] uop_addr;
  logic [UOP_READERS-1:0][31:0] uop;
  localparam int UOP_ROT = LOG_EPB_UOP > 0 ? LOG_EPB_UOP : 1;
  for (genvar k = 0; k < UOP_READERS; k++) begin : g_uops
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
        .r_en(uop_en[k]),
        .r_entry(uop_addr[k]),
        .r_data(uop[k])
    );
  end

  // --- execution ---
  // One sequencer and pipeline for both GEMM and ALU, or one for each.
  // What a LOAD of micro-ops overwrites, if it is a row without padding.
  logic [16:0] load_first, load_end;
  assign load_first = 17'(head[F_MEM_SRAM_BASE+:16]);
  assign load_end = load_first + 17'(head[F_MEM_X_SIZE+:16]);
  logic [UNITS-1:0] start, ready, idle, meets_load, faults, acc_en, x_en, execute_retired, gemm_steps, reset_steps, alu_steps;
  logic [UNITS-1:0][2:0] fault_codes, execute_push;
  logic [UNITS-1:0][15:0] fault_numbers;
  logic [15:0] executed;
  logic [UNITS-1:0][LOG_ACC_DEPTH-1:0] acc_addr, x_entry;
  logic [UNITS-1:0][ACC_ELEM-1:0] acc_data, x_data;
  logic [UNITS-1:0] inp_ens, wgt_ens, table_ens;
  logic [UNITS-1:0][TABLE_BITS-1:0] table_numbers;
  logic [UNITS-1:0][BATCH*BLOCK_OUT-1:0][LOG_TABLE_ENTRIES-1:0] table_indices;
  logic [BATCH*BLOCK_OUT-1:0][7:0] table_values;
  logic [UNITS-1:0][LOG_INP_DEPTH-1:0] inp_addrs;
  logic [UNITS-1:0][LOG_WGT_DEPTH-1:0] wgt_addrs;
  logic [INP_ELEM-1:0] inp_data;
  logic [WGT_ELEM-1:0] wgt_data;
  for (genvar k = 0; k < UNITS; k++) begin : g_unit
    localparam bit GEMM = k == 0, ALU = k == UNITS - 1;
    logic x_valid, x_set, x_window, x_source, x_use_imm, x_last;
    logic [1:0] x_kind, x_which;
    logic [LOG_ACC_DEPTH-1:0] x_read, x_dst;
    logic [LOG_INP_DEPTH-1:0] x_inp;
    logic [LOG_WGT_DEPTH-1:0] x_wgt;
    logic [2:0] x_alu_op, x_push;
    logic [15:0] x_imm;
    acc_sequence #(
        .GEMM(GEMM),
        .ALU(ALU)
    ) sequence_ops (
        .clk,
        .rst,
        .start(start[k]),
        .ready(ready[k]),
        .insn(head),
        .insn_number(executed),
        .idle(idle[k]),
        .load_first,
        .load_end,
        .meets_load(meets_load[k]),
        .uop_en(uop_en[k]),
        .uop_addr(uop_addr[k]),
        .uop(uop[k]),
        .x_valid,
        .x_kind,
        .x_source,
        .x_set,
        .x_window,
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
        .fault(faults[k]),
        .fault_code(fault_codes[k]),
        .fault_number(fault_numbers[k])
    );
    acc_execute #(
        .GEMM(GEMM),
        .ALU(ALU)
    ) execute (
        .clk,
        .rst,
        .x_valid,
        .x_kind,
        .x_source,
        .x_set,
        .x_window,
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
        .inp_en(inp_ens[k]),
        .inp_addr(inp_addrs[k]),
        .inp_data,
        .wgt_en(wgt_ens[k]),
        .wgt_addr(wgt_addrs[k]),
        .wgt_data,
        .acc_en(acc_en[k]),
        .acc_addr(acc_addr[k]),
        .acc_data(acc_data[k]),
        .t_en(table_ens[k]),
        .t_table(table_numbers[k]),
        .t_index(table_indices[k]),
        .t_value(table_values),
        .w_en(x_en[k]),
        .w_entry(x_entry[k]),
        .w_data(x_data[k]),
        .retired(execute_retired[k]),
        .retired_push(execute_push[k]),
        .gemm_step(gemm_steps[k]),
        .reset_step(reset_steps[k]),
        .alu_step(alu_steps[k])
    );
  end
  if (HAS_TABLE) begin : g_tables
    acc_tables tables (
        .clk,
        .w_en(w_en && w_kind == 2'd0),
        .w_base,
        .w_lanes(w_lanes[(1<<LOG_EPB_UOP)-1:0]),
        .w_data,
        .r_en(table_ens[UNITS-1]),
        .r_table(table_numbers[UNITS-1]),
        .r_index(table_indices[UNITS-1]),
        .r_data(table_values)
    );
  end else begin : g_no_tables
    assign table_values = '0;
  end
  assign fault = faults != '0;
  assign fault_code = faults[0] ? fault_codes[0] : fault_codes[UNITS-1];
  assign fault_number = faults[0] ? fault_numbers[0] : fault_numbers[UNITS-1];
  assign gemm_step = gemm_steps != '0;
  assign reset_step = reset_steps != '0;
  assign alu_step = alu_steps != '0;

  // --- what may start, what has retired ---
  if (BESIDE) begin : g_beside
    logic [ACC_BANKS-1:0] banks;
    logic [2:0][ACC_BANKS-1:0] used;
    logic is_alu, clear, ends_room, uops_loaded, unretired;
    logic [2:0] retired_push;
    acc_extent extent (
        .clk,
        .rst,
        .insn_valid,
        .insn_ready,
        .insn,
        .nop,
        .uops_loaded,
        .uop_en(uop_en[UOP_READERS-1]),
        .uop_addr(uop_addr[UOP_READERS-1]),
        .uop(uop[UOP_READERS-1]),
        .out_valid(head_valid),
        .out_ready(accept),
        .out_insn(head),
        .out_nop(head_nop),
        .out_banks(banks)
    );
    localparam logic [1:0] USER_GEMM = 2'd0, USER_ALU = 2'd1, USER_LOAD = 2'd2;
    assign is_alu = head[2:0] == OP_ALU;
    acc_scoreboard scoreboard (
        .clk,
        .rst,
        .room(ends_room),
        .start(accept),
        .unit(is_load ? USER_LOAD : is_alu ? USER_ALU : USER_GEMM),
        .banks,
        .is_uop(is_load && memory == MEM_UOP),
        .push,
        .ends({load_retired, execute_retired[UNITS-1], execute_retired[0]}),
        .used,
        .uops_loaded,
        .retired,
        .retired_push,
        .busy(unretired)
    );
    // No other unit uses a bank of the instruction; micro-ops are overwritten
    // when all those to be executed have been read, or, with EARLY_UOPS, if they
    // are others; and no table that may lie among them is in use.
    logic is_row, spares, tables_free;
    assign is_row = head[F_MEM_Y_SIZE+:16] == 16'd1 && head[F_MEM_Y_PAD_0+:4] == 4'd0 && head[F_MEM_Y_PAD_1+:4] == 4'd0 &&
        head[F_MEM_X_PAD_0+:4] == 4'd0 && head[F_MEM_X_PAD_1+:4] == 4'd0;
    assign spares = EARLY_UOPS && is_row && meets_load == '0;
    assign tables_free = !HAS_TABLE || used[USER_ALU] == '0;
    always_comb begin
      if (is_load)
        clear = memory == MEM_UOP ? ((&idle) || spares) && tables_free : (banks & (used[USER_GEMM] | used[USER_ALU])) == '0;
      else clear = (banks & (used[USER_LOAD] | used[is_alu ? USER_GEMM : USER_ALU])) == '0;
    end
    assign may_start = clear && ends_room &&
        (is_load ? room && (head_nop || walk_ready) : is_alu ? ready[UNITS-1] : ready[0]);
    assign start = accept && !is_load ? (is_alu ? UNITS'(2) : UNITS'(1)) : '0;
    // Nothing that a LOAD may write is in use once it has started.
    assign hold = 1'b0;
    always_ff @(posedge clk) begin
      if (rst) executed <= '0;
      else executed <= executed + 16'(accept && !is_load);
    end
    assign push_load = retired && retired_push[0];
    assign push_store = retired && retired_push[1];
    assign finished = retired && retired_push[2];
    assign busy = unretired || walk_busy || fill_busy;
    wire unused = &{1'b0, load_push, execute_push[0], execute_push[UNITS-1]};
  end else begin : g_together
    assign head_valid = insn_valid;
    assign head = insn;
    assign head_nop = nop;
    assign insn_ready = accept;
    // Instructions of either kind that have not retired.
    logic [3:0] loads;
    logic [4:0] executing;
    // `hold` may lag behind: nothing is executed while there are loads, and a
    // load takes longer than that to reach its first write.
    logic loads_done, executing_room;
    always_ff @(posedge clk) begin
      if (rst) begin
        loads <= '0;
        executing <= '0;
      end else begin
        loads <= loads + 4'(accept && is_load) - 4'(load_retired);
        executing <= executing + 5'(accept && !is_load) - 5'(execute_retired[0]);
      end
      hold <= executing != '0;
    end
    assign loads_done = loads == '0 && executing_room;
    assign executing_room = !(&executing);
    assign may_start = is_load ? idle[0] && room && (head_nop || walk_ready) : ready[0] && loads_done;
    assign start = UNITS'(accept && !is_load);
    assign executed = '0;
    assign retired = load_retired || execute_retired[0];
    assign push_load = (load_retired && load_push[0]) || (execute_retired[0] && execute_push[0][0]);
    assign push_store = (load_retired && load_push[1]) || (execute_retired[0] && execute_push[0][1]);
    assign finished = execute_retired[0] && execute_push[0][2];
    assign busy = loads != '0 || executing != '0 || walk_busy || fill_busy;
    wire unused = &{1'b0, push, meets_load};
  end

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
      .r_en(inp_ens[0]),
      .r_entry(inp_addrs[0]),
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
      .r_en(wgt_ens[0]),
      .r_entry(wgt_addrs[0]),
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

  logic [NB*ACC_ELEM-1:0] load_data;
  logic [NS-1:0] load_slices;
  logic load_w_en, is_acc8;
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
  end
  for (genvar s = 0; s < NS; s++) begin : g_slice
    assign load_slices[s] = w_zero || NS == 1 ||
        (is_acc8 ? w_slice == LOG_MAX_BEATS'(s / NS8) : w_slice == LOG_MAX_BEATS'(s));
  end

  if (BESIDE) begin : g_banks
    acc_accumulators #(
        .NB(NB),
        .NS(NS)
    ) accs (
        .clk,
        .load_en(load_w_en),
        .load_entry(LOG_ACC_DEPTH'(w_entry)),
        .load_rot(ROT'(w_base)),
        .load_lanes(w_lanes[NB-1:0]),
        .load_slices,
        .load_data,
        .w_en(x_en),
        .w_entry(x_entry),
        .w_data(x_data),
        .r_en(acc_en),
        .r_entry(acc_addr),
        .r_data(acc_data),
        .out_en,
        .out_entry,
        .out_data
    );
  end else begin : g_bank
    logic [NB*ACC_ELEM-1:0] acc_w_data;
    logic [NB*OUT_ELEM-1:0] out_w_data;
    logic [NB-1:0] acc_w_lanes;
    logic [NS-1:0] acc_w_slices;
    logic [ROT-1:0] acc_w_rot;
    logic acc_w_en;
    logic [LOG_ACC_DEPTH-1:0] acc_w_entry;
    for (genvar l = 0; l < NB; l++) begin : g_lane
      assign acc_w_data[l*ACC_ELEM+:ACC_ELEM] = load_w_en ? load_data[l*ACC_ELEM+:ACC_ELEM] : x_data[0];
      for (genvar w = 0; w < WORDS; w++) begin : g_out
        assign out_w_data[(l*WORDS+w)*OUT_BITS+:OUT_BITS] = acc_w_data[(l*WORDS+w)*32+:OUT_BITS];
      end
    end
    assign acc_w_slices = load_w_en ? load_slices : '1;
    assign acc_w_en = load_w_en || x_en[0];
    assign acc_w_entry = load_w_en ? LOG_ACC_DEPTH'(w_entry) : x_entry[0];
    assign acc_w_rot = load_w_en ? ROT'(w_base) : ROT'(x_entry[0]);
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
        .r_en(acc_en[0] || !GATE_IDLE),
        .r_entry(acc_addr[0]),
        .r_data(acc_data[0])
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
  end
  wire unused = &{1'b0, insn_valid, nop, l_entry, l_base, l_lanes, w_entry, w_base, w_lanes, push_count,
      push_valid, inp_ens, wgt_ens, table_ens, table_numbers, table_indices, inp_addrs[UNITS-1], wgt_addrs[UNITS-1]};
endmodule
