//===- acc_fetch.sv - Fetch module ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Streams instructions from memory and hands them to the three queues.
//
//   address, count --> read requests ... beats --> FIFO --> [instruction]
//        --> checks --> [checked] --> queue of load, compute or store
//
// A beat of up to 128 bits per cycle; two cycles from the FIFO to a queue. What is wrong with an instruction by
// itself is found here, before any module sees it: undefined opcodes, memory
// types and ALU operations, flags that name no neighbour, pads where there are
// none, FINISH that is missing or not last. A LOAD or STORE that moves nothing
// may be of any memory: a STORE goes to the queue of store whatever its memory
// is, a LOAD of no memory there is to that of compute.
import acc_pkg::*;

module acc_fetch (
    input  logic                     clk,
    input  logic                     rst,
    input  logic                     start,
    input  logic [         ADDR-1:0] address,
    input  logic [             31:0] count,
    output logic                     req_valid,
    input  logic                     req_ready,
    output logic [    BEAT_ADDR-1:0] req_addr,
    output logic [LOG_MAX_BURST-1:0] req_len,
    input  logic                     beat_valid,
    output logic                     beat_ready,
    input  logic [         PORT-1:0] beat_data,
    output logic [              2:0] queue_valid,
    input  logic [              2:0] queue_ready,
    output logic [            127:0] queue_insn,
    output logic [              2:0] waits_queue,
    output logic                     fault,
    output logic [              3:0] fault_code,
    // The instruction that is dispatched next.
    output logic [             31:0] number,
    output logic                     busy
);
  localparam int LOG_FIFO = LOG_MAX_BURST + 2;
  localparam int LOG_INSN = 4;  // log2 bytes of an instruction
  localparam int LOG_PER_BEAT = LOG_PORT_BYTES > LOG_INSN ? LOG_PORT_BYTES - LOG_INSN : 0;
  localparam int MAX_BURST = 1 << LOG_MAX_BURST;

  // --- requests ---
  logic [BEAT_ADDR-1:0] addr;
  logic [33:0] rest, beats;
  logic [LOG_MAX_BURST:0] room, len;
  logic [LOG_FIFO:0] reserved;
  logic asking, ends, fire, take;
  if (LOG_PORT_BYTES < LOG_INSN) begin : g_halves
    assign beats = {1'b0, count, 1'b0};
  end else begin : g_whole
    assign beats = (34'(count) + 34'((1 << LOG_PER_BEAT) - 1)) >> LOG_PER_BEAT;
  end
  assign ends = rest <= 34'(room);
  assign len = ends ? (LOG_MAX_BURST + 1)'(rest) : room;
  assign req_addr = addr;
  assign req_len = LOG_MAX_BURST'(len - 1'b1);
  assign req_valid = asking && reserved <= (LOG_FIFO + 1)'((1 << LOG_FIFO) - MAX_BURST);
  assign fire = req_valid && req_ready;
  always_ff @(posedge clk) begin
    if (rst) asking <= 1'b0;
    else if (start) asking <= count != '0;
    else if (fire && ends) asking <= 1'b0;
    if (start) rest <= beats;
    else if (fire) rest <= rest - 34'(room);
    if (start) begin
      addr <= BEAT_ADDR'(address >> LOG_PORT_BYTES);
      room <= (LOG_MAX_BURST + 1)'(MAX_BURST) - (LOG_MAX_BURST + 1)'(address[LOG_PORT_BYTES+:LOG_MAX_BURST]);
    end else if (fire) begin
      addr <= {addr[BEAT_ADDR-1:LOG_MAX_BURST] + 1'b1, LOG_MAX_BURST'(0)};
      room <= (LOG_MAX_BURST + 1)'(MAX_BURST);
    end
    // Places of the FIFO that are taken or asked for.
    if (rst) reserved <= '0;
    else reserved <= reserved + (fire ? (LOG_FIFO + 1)'(len) : '0) - (LOG_FIFO + 1)'(take);
  end

  // --- beats to instructions ---
  // Whether a LOAD or STORE moves nothing: no columns, or no rows, of which a
  // LOAD may have some of padding. That is known before the FIFO, whose output
  // comes late in a cycle.
  localparam int CHUNK = PORT < 128 ? PORT : 128;
  localparam int CHUNKS = PORT / CHUNK;
  localparam int BELOW = 128 - CHUNK;  // These fields are in the upper half.
  logic fifo_valid;
  logic [PORT-1:0] head;
  logic [CHUNKS*3-1:0] in_none, head_none;
  logic [LOG_FIFO:0] fifo_count;
  for (genvar c = 0; c < CHUNKS; c++) begin : g_chunk
    localparam int AT = c * CHUNK - BELOW;
    logic no_cols, no_rows, no_pads;
    assign no_cols = beat_data[AT+F_MEM_X_SIZE+:16] == '0;
    assign no_rows = beat_data[AT+F_MEM_Y_SIZE+:16] == '0;
    assign no_pads = beat_data[AT+F_MEM_Y_PAD_0+:4] == '0 && beat_data[AT+F_MEM_Y_PAD_1+:4] == '0;
    assign in_none[c*3+:3] = {no_cols, no_rows, no_pads};
  end
  acc_fifo_ram #(
      .WIDTH(CHUNKS * 3 + PORT),
      .LOG_DEPTH(LOG_FIFO)
  ) fifo (
      .clk,
      .rst,
      .in_valid(beat_valid),
      .in_ready(beat_ready),
      .in_data({in_none, beat_data}),
      .out_valid(fifo_valid),
      .out_ready(take),
      .out_data({head_none, head}),
      .count(fifo_count)
  );

  logic d_valid, d_last, d_take, d_load, d_nop;
  logic no_cols, no_rows, no_pads;
  logic [127:0] d, d_next;
  logic [31:0] left;  // not yet in d
  if (LOG_PORT_BYTES < LOG_INSN) begin : g_gather
    logic half;
    logic [PORT-1:0] low;
    assign d_load = fifo_valid && half && (!d_valid || d_take);
    assign take   = fifo_valid && (!half || d_load);
    always_ff @(posedge clk) begin
      if (rst) half <= 1'b0;
      else if (take) half <= !half;
      if (take && !half) low <= head;
    end
    assign d_next = {head, low};
    assign {no_cols, no_rows, no_pads} = head_none;
  end else if (LOG_PER_BEAT == 0) begin : g_one
    assign d_load = fifo_valid && (!d_valid || d_take);
    assign take   = d_load;
    assign d_next = head;
    assign {no_cols, no_rows, no_pads} = head_none;
  end else begin : g_split
    logic [LOG_PER_BEAT-1:0] which;
    assign d_load = fifo_valid && left != '0 && (!d_valid || d_take);
    assign take   = fifo_valid && (left == '0 || (d_load && (&which)));
    always_ff @(posedge clk) begin
      if (rst || start) which <= '0;
      else if (d_load) which <= which + 1'b1;
    end
    assign d_next = head[int'(which)*128+:128];
    assign {no_cols, no_rows, no_pads} = head_none[int'(which)*3+:3];
  end
  always_ff @(posedge clk) begin
    if (d_load) begin
      d <= d_next;
      d_nop <= no_cols || (no_rows && (no_pads || d_next[2:0] == OP_STORE));
    end
  end
  always_ff @(posedge clk) begin
    if (rst) d_valid <= 1'b0;
    else if (d_load) d_valid <= 1'b1;
    else if (d_take) d_valid <= 1'b0;
    if (rst) left <= '0;
    else if (start) left <= count;
    else if (d_load) left <= left - 32'd1;
    if (d_load) d_last <= left == 32'd1;
  end

  // --- checks ---
  logic [2:0] opcode, memory, queue;
  logic bad_flags, pads;
  logic [3:0] problem;
  assign opcode = d[2:0];
  assign memory = d[F_MEM_MEMORY+:3];
  assign pads = d[F_MEM_Y_PAD_0+:16] != '0;
  logic to_load, copies;
  assign to_load = opcode == OP_LOAD && (memory == MEM_INP || memory == MEM_WGT);
  assign copies = (opcode == OP_LOAD || opcode == OP_STORE) && !d_nop;
  assign queue = to_load ? 3'b001 : opcode == OP_STORE ? 3'b100 : 3'b010;
  assign bad_flags = (to_load && (d[F_POP_PREV] || d[F_PUSH_PREV])) ||
      (opcode == OP_STORE && (d[F_POP_NEXT] || d[F_PUSH_NEXT]));
  // The operations of the ALU that there are: those of extensions have either
  // no immediate or nothing else.
  logic [7:0] operation, defined;
  assign defined = OP_DEFINED;
  assign operation = d[F_ALU_USE_IMM] ? ALU_IMMEDIATE : ALU_WITH_SOURCE;
  always_comb begin
    problem = FETCH_FINE;
    if (!defined[opcode] || (opcode == OP_GEMM_SET && d[F_LOOP_RESET])) problem = FETCH_OPCODE;
    else if (copies && memory > MEM_LAST) problem = FETCH_MEMORY;
    else if (copies && opcode == OP_LOAD && memory == MEM_OUT) problem = FETCH_LOAD_OUT;
    else if (copies && opcode == OP_STORE && memory != MEM_OUT) problem = FETCH_STORE_MEMORY;
    else if (copies && opcode == OP_STORE && pads) problem = FETCH_PADS;
    else if (opcode == OP_ALU && !operation[d[F_ALU_OP+:3]]) problem = FETCH_ALU_OP;
    else if (bad_flags) problem = FETCH_FLAGS;
    else if (opcode == OP_FINISH && !d_last) problem = FETCH_NOT_LAST;
    else if (opcode != OP_FINISH && d_last) problem = FETCH_NO_FINISH;
  end

  // --- checked: an instruction on its way to one queue, or to none if it is
  // at fault, which stops everything behind it ---
  logic q_valid, q_take;
  assign q_take = (queue_valid & queue_ready) != 3'b000;
  assign d_take = d_valid && (!q_valid || q_take);
  assign waits_queue = queue_valid & ~queue_ready;
  assign busy = asking || reserved != '0 || d_valid || q_valid;
  always_ff @(posedge clk) begin
    if (rst) q_valid <= 1'b0;
    else if (d_take) q_valid <= 1'b1;
    else if (q_take) q_valid <= 1'b0;
    if (rst) queue_valid <= 3'b000;
    else if (d_take) queue_valid <= problem == FETCH_FINE ? queue : 3'b000;
    else if (q_take) queue_valid <= 3'b000;
    if (d_take) queue_insn <= d;
    fault <= !rst && ((d_take && problem != FETCH_FINE) || (start && count == '0));
    fault_code <= d_valid ? problem : FETCH_NO_FINISH;
    if (rst || start) number <= '0;
    else if (q_take) number <= number + 32'd1;
  end
  wire unused = &{1'b0, d, fifo_count, left};
endmodule
