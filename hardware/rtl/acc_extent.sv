//===- acc_extent.sv - Which banks an instruction uses ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Finds, for each instruction of the compute module, the banks of the
// accumulators that it may touch, and puts both into a FIFO.
//
//   queue --> micro-ops: least and largest entry ---.
//        '--> loops or rows: by how much more ------+--> banks --> FIFO
//
// An instruction touches what lies between the least index of its micro-ops and
// the largest one plus what its loops add, (iterations - 1) * factor for each
// loop, a bit of the iterations per cycle. A micro-op takes a cycle, beside
// that. So instructions are examined while those before them wait or execute;
// FIFO entries are what has been examined ahead.
//
// Micro-ops must be those that the instruction will see: what follows a LOAD of
// them is examined when that has ended.
import acc_pkg::*;

module acc_extent (
    input  logic                     clk,
    input  logic                     rst,
    input  logic                     insn_valid,
    output logic                     insn_ready,
    input  logic [            127:0] insn,
    // A LOAD or STORE of nothing.
    input  logic                     nop,
    // A LOAD of micro-ops has ended.
    input  logic                     uops_loaded,
    output logic                     uop_en,
    output logic [LOG_UOP_DEPTH-1:0] uop_addr,
    input  logic [             31:0] uop,
    output logic                     out_valid,
    input  logic                     out_ready,
    output logic [            127:0] out_insn,
    output logic                     out_nop,
    output logic [    ACC_BANKS-1:0] out_banks
);
  localparam int DB = LOG_ACC_DEPTH;
  localparam int UB = LOG_UOP_DEPTH;
  localparam int BB = LOG_ACC_BANKS;
  localparam int ROWS = 17;  // Bits of a number of rows, padding included.

  // --- what the instruction is ---
  logic [2:0] opcode, memory;
  logic is_load, is_alu, is_uop, none, has_sources;
  logic [ROWS-1:0] rows;
  logic [UB:0] first_uop, end_uop;
  assign opcode = insn[2:0];
  assign memory = insn[F_MEM_MEMORY+:3];
  assign is_load = opcode == OP_LOAD;
  assign is_alu = opcode == OP_ALU;
  assign is_uop = is_load && memory == MEM_UOP;
  assign rows = ROWS'(insn[F_MEM_Y_SIZE+:16]) + ROWS'(insn[F_MEM_Y_PAD_0+:4]) + ROWS'(insn[F_MEM_Y_PAD_1+:4]);
  assign first_uop = {1'b0, insn[F_LOOP_UOP_BGN+:UB]};
  assign end_uop = insn[F_LOOP_UOP_END+:UB+1];
  assign has_sources = is_alu && (!insn[F_ALU_USE_IMM] || (HAS_REQUANTIZE && insn[F_ALU_OP+:3] == ALU_REQUANTIZE));
  // Touches no accumulator.
  always_comb begin
    if (is_load) none = is_uop || insn[F_MEM_X_SIZE+:16] == 16'd0 || rows == '0;
    else
      none = opcode == OP_FINISH || first_uop >= end_uop || insn[F_LOOP_ITER_OUT+:14] == 14'd0 ||
          insn[F_LOOP_ITER_IN+:14] == 14'd0;
  end

  // --- one at a time ---
  logic active, known, start, move, room, empty, reads, ends;
  // LOADs of micro-ops that have been passed on and have not ended.
  logic [3:0] uop_loads;
  assign start = insn_valid && !active && (is_load || uop_loads == 4'd0);
  assign move = known && room;
  assign insn_ready = move;

  // Micro-ops: the next one, and which ones come out of the memory.
  logic [UB:0] u, u_end;
  logic [2:1] coming;
  logic fetches;
  assign fetches = active && u != u_end;
  assign uop_en = fetches || !GATE_IDLE;
  assign uop_addr = u[UB-1:0];

  // Least (bank) and largest entry, and what the loops add to it: of
  // destinations and of sources.
  logic [BB-1:0] d_least, s_least;
  logic [DB-1:0] d_most, s_most, d, s;
  logic [DB:0] d_more, s_more, d_end, s_end;
  assign d = uop[F_UOP_DST+:DB];
  assign s = uop[F_UOP_SRC+:DB];
  assign d_end = {1'b0, d_most} + d_more;
  assign s_end = {1'b0, s_most} + s_more;

  // What is left of iterations - 1 of the inner loop, then of the outer one,
  // and the factors times the weight of the lowest bit.
  logic [ROWS-1:0] inner, outer;
  logic [DB:0] d_inner, d_outer, s_inner, s_outer;
  logic in_inner, adds;
  assign in_inner = inner != '0;
  assign adds = in_inner ? inner[0] : outer[0];
  assign ends = u == u_end && coming == 2'b00 && !in_inner && outer == '0;

  function automatic logic [ACC_BANKS-1:0] between(input logic [BB-1:0] least, input logic [DB:0] last);
    for (int b = 0; b < ACC_BANKS; b++)
      between[b] = BB'(b) >= least && (last[DB] || BB'(b) <= last[DB-1-:BB]);
  endfunction

  logic [ACC_BANKS-1:0] banks;
  always_ff @(posedge clk) begin
    if (rst) begin
      active <= 1'b0;
      known <= 1'b0;
      coming <= 2'b00;
      uop_loads <= 4'd0;
    end else begin
      active <= start || (active && !move);
      known <= active && ends && !move;
      coming <= {coming[1], fetches};
      uop_loads <= uop_loads + 4'(move && is_uop) - 4'(uops_loaded);
    end
    if (start) begin
      empty <= none;
      reads <= has_sources;
      u <= none || is_load ? '0 : first_uop;
      u_end <= none || is_load ? '0 : end_uop;
      inner <= none || is_load ? '0 : ROWS'(insn[F_LOOP_ITER_IN+:14] - 14'd1);
      outer <= none ? '0 : is_load ? rows - 1'b1 : ROWS'(insn[F_LOOP_ITER_OUT+:14] - 14'd1);
      d_inner <= (DB + 1)'(insn[F_LOOP_DST_IN+:DB]);
      s_inner <= (DB + 1)'(insn[F_ALU_SRC_IN+:DB]);
      d_least <= is_load ? insn[F_MEM_SRAM_BASE+DB-1-:BB] : '1;
      d_most <= is_load ? insn[F_MEM_SRAM_BASE+:DB] : '0;
      s_least <= '1;
      s_most <= '0;
      s_outer <= (DB + 1)'(insn[F_ALU_SRC_OUT+:DB]);
      // The further sources of `requantize`.
      s_more <= HAS_REQUANTIZE && insn[F_ALU_OP+:3] == ALU_REQUANTIZE ? (DB + 1)'(2) : '0;
      if (is_load) begin
        d_outer <= (DB + 1)'(insn[F_MEM_X_SIZE+:16]) + (DB + 1)'(insn[F_MEM_X_PAD_0+:4]) + (DB + 1)'(insn[F_MEM_X_PAD_1+:4]);
        d_more <= (DB + 1)'(insn[F_MEM_X_SIZE+:16]) + (DB + 1)'(insn[F_MEM_X_PAD_0+:4]) +
            (DB + 1)'(insn[F_MEM_X_PAD_1+:4]) - 1'b1;
      end else begin
        d_outer <= (DB + 1)'(insn[F_LOOP_DST_OUT+:DB]);
        d_more  <= '0;
      end
    end else begin
      if (fetches) u <= u + 1'b1;
      if (coming[2]) begin
        if (d[DB-1-:BB] < d_least) d_least <= d[DB-1-:BB];
        if (d > d_most) d_most <= d;
        if (s[DB-1-:BB] < s_least) s_least <= s[DB-1-:BB];
        if (s > s_most) s_most <= s;
      end
      if (adds) begin
        d_more <= d_more + (in_inner ? d_inner : d_outer);
        s_more <= s_more + (in_inner ? s_inner : s_outer);
      end
      if (in_inner) begin
        inner   <= inner >> 1;
        d_inner <= d_inner << 1;
        s_inner <= s_inner << 1;
      end else begin
        outer   <= outer >> 1;
        d_outer <= d_outer << 1;
        s_outer <= s_outer << 1;
      end
    end
    banks <= empty ? '0 : between(d_least, d_end) | (reads ? between(s_least, s_end) : '0);
  end

  logic [2:0] count;
  acc_fifo #(
      .WIDTH(129 + ACC_BANKS),
      .LOG_DEPTH(2)
  ) examined (
      .clk,
      .rst,
      .in_valid(known),
      .in_ready(room),
      .in_data({nop, banks, insn}),
      .out_valid,
      .out_ready,
      .out_data({out_nop, out_banks, out_insn}),
      .count
  );
  wire unused = &{1'b0, uop, count};
endmodule
