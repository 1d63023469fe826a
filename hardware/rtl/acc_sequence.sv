//===- acc_sequence.sv - Micro-op sequencer ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Expands GEMM and ALU instructions into micro-operations with their scratchpad
// indices, one per cycle, and issues them when nothing they read is still on
// its way.
//
//   instruction -> [next] -> [loops: u, i, o; -> uop RAM -> [q] -> [out]
//                             index bases]
//   cycle 0         1         2                              3      4
//        -> [index sums] -> FIFO -> [head] -> hazard check -> [issue]
//            5                6        7                          8
//
// What is last in its loop, and which operations ahead have the same entry, is
// found a cycle before it is needed: both decide within one cycle whether the
// next instruction or operation moves up.
//
// An instruction without steps passes through as one empty operation, so that
// everything retires in order. FIFO credits, not a stall signal, hold the loops
// back.
//
// GEMM sums are forwarded to each other (acc_execute), so GEMM operations never
// wait for one another. An ALU operation waits until the entries it reads are
// written, WINDOW cycles after their operation was issued; one with two
// operands takes two cycles, the first of which reads the source. A GEMM
// operation waits for ALU operations on the same entry, and ALU_STAGES - 1
// cycles after any ALU operation, whose result takes so much longer.
//
// A GEMM with a window reads WINDOW_INPUTS neighbouring inputs, the last of them
// with its products and one in each cycle before. What the operation before it,
// in the same instruction, has left in the window is not read again.
//
// `requantize`, if there is one, reads three sources in the three cycles before
// it, but only where these are others than those of the operation before it in
// the same instruction: acc_requantize keeps them. Its results take
// REQUANTIZE_MORE cycles more than those of the ALU; so what is no such
// operation waits until all results are written in the order of issue.
import acc_pkg::*;

module acc_sequence #(
    // Which instructions it may be given.
    parameter bit GEMM = 1,
    parameter bit ALU = 1
) (
    input  logic                      clk,
    input  logic                      rst,
    input  logic                      start,
    output logic                      ready,
    input  logic [             127:0] insn,
    // How many it follows, if there are two sequencers.
    input  logic [              15:0] insn_number,
    // Has no instruction whose micro-ops are not all on their way.
    output logic                      idle,
    // Has one whose micro-ops, not all on their way, are among these.
    input  logic [              16:0] load_first,
    input  logic [              16:0] load_end,
    output logic                      meets_load,
    output logic                      uop_en,
    output logic [ LOG_UOP_DEPTH-1:0] uop_addr,
    input  logic [              31:0] uop,
    // The operation issued.
    output logic                      x_valid,
    output logic [               1:0] x_kind,
    // Of a GEMM: the product is not added to the old sum.
    output logic                      x_set,
    // Reads inp[x_inp], which moves the window on by one: with the last input of
    // the window, there is a product.
    output logic                      x_window,
    // Reads acc[x_read] as a source of the next operation, no more; which one.
    output logic                      x_source,
    output logic [               1:0] x_which,
    output logic [ LOG_ACC_DEPTH-1:0] x_read,
    output logic [ LOG_ACC_DEPTH-1:0] x_dst,
    output logic [ LOG_INP_DEPTH-1:0] x_inp,
    output logic [ LOG_WGT_DEPTH-1:0] x_wgt,
    output logic [               2:0] x_alu_op,
    output logic                      x_use_imm,
    output logic [              15:0] x_imm,
    output logic                      x_last,
    output logic [               2:0] x_push,
    output logic                      fault,
    output logic [               2:0] fault_code,
    output logic [              15:0] fault_number
);
  localparam int DB = LOG_ACC_DEPTH;
  localparam int SB = LOG_SRC_BITS;
  localparam int WB = LOG_WGT_DEPTH;
  localparam int UB = LOG_UOP_DEPTH;
  // Counts what an operation reads ahead of its own cycle.
  localparam int CB = HAS_WINDOW ? 3 : 2;
  localparam bit HAS_AHEAD = GEMM && HAS_WINDOW && WINDOW_INPUTS > 1;
  localparam int AHEAD = HAS_AHEAD ? WINDOW_INPUTS - 1 : 0;
  // Stages from the read of an entry to the write of an ALU operation's result.
  localparam int WINDOW = ALU_STAGES + 3;
  // The same for `requantize`.
  localparam bit HAS_LONG = ALU && HAS_REQUANTIZE;
  localparam int LONG = WINDOW + (HAS_LONG ? REQUANTIZE_MORE : 0);

  // --- the next instruction ---
  logic next_valid, take;
  logic [127:0] next;
  logic [15:0] next_number;
  assign ready = !next_valid;
  always_ff @(posedge clk) begin
    if (rst) next_valid <= 1'b0;
    else if (ready) next_valid <= start;
    else if (take) next_valid <= 1'b0;
    if (ready) next <= insn;
    if (ready) next_number <= insn_number;
  end

  // --- the instruction and its loops ---
  logic active, step, enough;
  logic is_alu, is_reset, is_set, is_window, use_imm, null_op, bad_uop, first_step;
  logic [2:0] alu_op, push;
  logic [15:0] imm, number;
  logic [UB-1:0] u, u_first;
  logic [UB:0] u_end;
  logic [13:0] i_left, o_left, i_count;
  logic u_last, i_last, o_last, u_once, i_once;
  // Index bases of the current iteration and of the current outer one. The top
  // bit says that the base is beyond the scratchpad.
  logic [DB:0] d_in, d_out;
  logic [SB:0] s_in, s_out;
  logic [WB:0] w_in, w_out;
  logic [DB-1:0] d_fo, d_fi;
  logic [SB-1:0] s_fo, s_fi;
  logic [WB-1:0] w_fo, w_fi;

  function automatic logic [DB:0] add_d(input logic [DB:0] a, input logic [DB-1:0] f);
    logic [DB:0] sum;
    sum = {1'b0, a[DB-1:0]} + {1'b0, f};
    add_d = {a[DB] | sum[DB], sum[DB-1:0]};
  endfunction
  function automatic logic [SB:0] add_s(input logic [SB:0] a, input logic [SB-1:0] f);
    logic [SB:0] sum;
    sum = {1'b0, a[SB-1:0]} + {1'b0, f};
    add_s = {a[SB] | sum[SB], sum[SB-1:0]};
  endfunction
  function automatic logic [WB:0] add_w(input logic [WB:0] a, input logic [WB-1:0] f);
    logic [WB:0] sum;
    sum = {1'b0, a[WB-1:0]} + {1'b0, f};
    add_w = {a[WB] | sum[WB], sum[WB-1:0]};
  endfunction

  logic [2:0] opcode;
  logic head_alu, head_null;
  logic [UB-1:0] head_begin;
  logic [UB:0] head_end;
  logic head_single;
  assign opcode = next[2:0];
  assign head_alu = ALU && (!GEMM || opcode == OP_ALU);
  assign head_begin = next[F_LOOP_UOP_BGN+:UB];
  assign head_end = next[F_LOOP_UOP_END+:UB+1];
  assign head_null = opcode == OP_FINISH || {1'b0, head_begin} >= head_end || next[F_LOOP_ITER_OUT+:14] == 14'd0 ||
      next[F_LOOP_ITER_IN+:14] == 14'd0;
  assign head_single = {1'b0, head_begin} + 1'b1 == head_end;

  assign step = active && enough;
  logic final_step;
  assign final_step = null_op || (u_last && i_last && o_last);
  assign take = next_valid && (!active || (step && final_step));
  assign idle = !active && !next_valid;
  assign meets_load = (next_valid && !head_null && load_first < 17'(head_end) && 17'(head_begin) < load_end) ||
      (active && !null_op && load_first < 17'(u_end) && 17'(u_first) < load_end);

  logic [DB:0] d_next;
  logic [SB:0] s_next;
  logic [WB:0] w_next;
  assign d_next = add_d(d_out, d_fo);
  assign s_next = add_s(s_out, s_fo);
  assign w_next = add_w(w_out, w_fo);

  always_ff @(posedge clk) begin
    if (rst) begin
      active  <= 1'b0;
      bad_uop <= 1'b0;
      number  <= '0;
    end else begin
      if (take) active <= 1'b1;
      else if (step && final_step) active <= 1'b0;
      if (take) number <= (GEMM && ALU ? number : next_number) + 16'd1;
      bad_uop <= take && !head_null && head_end > (UB + 1)'(1 << UB);
    end
    if (take) begin
      is_alu   <= head_alu;
      is_reset <= opcode == OP_GEMM && next[F_LOOP_RESET];
      is_set   <= (HAS_SET && opcode == OP_GEMM_SET) || (HAS_WINDOW && opcode == OP_GEMM_WINDOW && next[F_LOOP_RESET]);
      is_window <= GEMM && HAS_WINDOW && opcode == OP_GEMM_WINDOW;
      null_op  <= head_null;
      alu_op   <= next[F_ALU_OP+:3];
      use_imm  <= next[F_ALU_USE_IMM];
      imm      <= next[F_ALU_IMM+:16];
      push     <= {opcode == OP_FINISH, next[F_PUSH_NEXT], next[F_PUSH_PREV]};
      first_step <= 1'b1;
      u_last   <= head_single;
      u_once   <= head_single;
      i_last   <= next[F_LOOP_ITER_IN+:14] == 14'd1;
      i_once   <= next[F_LOOP_ITER_IN+:14] == 14'd1;
      o_last   <= next[F_LOOP_ITER_OUT+:14] == 14'd1;
      u        <= head_begin;
      u_first  <= head_begin;
      u_end    <= head_end;
      o_left   <= next[F_LOOP_ITER_OUT+:14];
      i_left   <= next[F_LOOP_ITER_IN+:14];
      i_count  <= next[F_LOOP_ITER_IN+:14];
      d_in     <= '0;
      d_out    <= '0;
      s_in     <= '0;
      s_out    <= '0;
      w_in     <= '0;
      w_out    <= '0;
      d_fo     <= next[F_LOOP_DST_OUT+:DB];
      d_fi     <= next[F_LOOP_DST_IN+:DB];
      s_fo     <= head_alu ? SB'(next[F_ALU_SRC_OUT+:DB]) : SB'(next[F_GEMM_SRC_OUT+:LOG_INP_DEPTH]);
      s_fi     <= head_alu ? SB'(next[F_ALU_SRC_IN+:DB]) : SB'(next[F_GEMM_SRC_IN+:LOG_INP_DEPTH]);
      w_fo     <= next[F_GEMM_WGT_OUT+:WB];
      w_fi     <= next[F_GEMM_WGT_IN+:WB];
    end else if (step) begin
      first_step <= 1'b0;
      if (!u_last) begin
        u <= u + 1'b1;
        u_last <= {1'b0, u} + (UB + 1)'(2) == u_end;
      end else begin
        u <= u_first;
        u_last <= u_once;
        if (!i_last) begin
          i_left <= i_left - 14'd1;
          i_last <= i_left == 14'd2;
          d_in   <= add_d(d_in, d_fi);
          s_in   <= add_s(s_in, s_fi);
          w_in   <= add_w(w_in, w_fi);
        end else begin
          i_left <= i_count;
          i_last <= i_once;
          o_left <= o_left - 14'd1;
          o_last <= o_left == 14'd2;
          d_in   <= d_next;
          d_out  <= d_next;
          s_in   <= s_next;
          s_out  <= s_next;
          w_in   <= w_next;
          w_out  <= w_next;
        end
      end
    end
  end

  // --- micro-op and indices ---
  assign uop_en   = step || !GATE_IDLE;
  assign uop_addr = u;

  typedef struct packed {
    logic        first;
    logic        last;
    logic [2:0]  push;
    logic        valid;
    logic        sets;
    logic        window;
    logic [1:0]  kind;
    logic        use_imm;
    logic [2:0]  alu_op;
    logic [15:0] imm;
  } op_t;
  op_t op0, op1, op2, op3;
  logic v1, v2, v3;
  logic [15:0] number1, number2, number3;
  logic [DB:0] d1, d2;
  logic [SB:0] s1, s2;
  logic [WB:0] w1, w2;
  logic [DB-1:0] d3;
  logic [SB-1:0] s3;
  logic [WB-1:0] w3;
  logic bad_d3, bad_s3, bad_w3;

  always_comb begin
    op0.first = first_step;
    op0.last = final_step;
    op0.push = push;
    op0.valid = !null_op;
    op0.sets = is_set;
    op0.window = is_window;
    op0.kind = is_alu ? KIND_ALU : is_reset ? KIND_RESET : KIND_GEMM;
    if (HAS_LONG && is_alu && alu_op == ALU_REQUANTIZE) op0.kind = KIND_REQUANTIZE;
    op0.use_imm = use_imm;
    op0.alu_op = alu_op;
    op0.imm = imm;
  end

  logic [DB:0] d_sum;
  logic [SB:0] s_sum;
  logic [WB:0] w_sum;
  assign d_sum = add_d(d2, uop[F_UOP_DST+:DB]);
  assign s_sum = add_s(s2, uop[F_UOP_SRC+:SB]);
  assign w_sum = add_w(w2, uop[F_UOP_WGT+:WB]);

  always_ff @(posedge clk) begin
    if (rst) begin
      v1 <= 1'b0;
      v2 <= 1'b0;
      v3 <= 1'b0;
    end else begin
      v1 <= step;
      v2 <= v1;
      v3 <= v2;
    end
    op1 <= op0;
    op2 <= op1;
    op3 <= op2;
    number1 <= number;
    number2 <= number1;
    number3 <= number2;
    d1 <= d_in;
    s1 <= s_in;
    w1 <= w_in;
    d2 <= d1;
    s2 <= s1;
    w2 <= w1;
    d3 <= d_sum[DB-1:0];
    s3 <= s_sum[SB-1:0];
    w3 <= w_sum[WB-1:0];
    bad_d3 <= d_sum[DB];
    bad_s3 <= s_sum[SB];
    bad_w3 <= w_sum[WB];
  end

  // A source index may fit its field and still be beyond the smaller of the two
  // memories that the field serves.
  logic beyond_acc, beyond_inp, reads_acc;
  assign reads_acc = op3.kind == KIND_REQUANTIZE || (op3.kind == KIND_ALU && !op3.use_imm);
  // The third source of `requantize` lies two entries further.
  assign beyond_acc = bad_s3 || (s3 >> LOG_ACC_DEPTH) != '0 || (op3.kind == KIND_REQUANTIZE && DB'(s3) >= DB'((1 << DB) - 2));
  // So does the last input of a window.
  assign beyond_inp = bad_s3 || (s3 >> LOG_INP_DEPTH) != '0 ||
      (HAS_AHEAD && op3.window && LOG_INP_DEPTH'(s3) >= LOG_INP_DEPTH'((1 << LOG_INP_DEPTH) - AHEAD));
  always_ff @(posedge clk) begin
    fault <= 1'b0;
    fault_code <= FAULT_UOP;
    fault_number <= number - 16'd1;
    if (rst) fault <= 1'b0;
    else if (v3 && op3.valid && reads_acc && beyond_acc) begin
      fault <= 1'b1;
      fault_code <= FAULT_SRC;
      fault_number <= number3 - 16'd1;
    end else if (v3 && op3.valid && op3.kind == KIND_GEMM && (beyond_inp || bad_w3)) begin
      fault <= 1'b1;
      fault_code <= beyond_inp ? FAULT_INP : FAULT_WGT;
      fault_number <= number3 - 16'd1;
    end else if (v3 && op3.valid && bad_d3) begin
      fault <= 1'b1;
      fault_code <= FAULT_DST;
      fault_number <= number3 - 16'd1;
    end else if (bad_uop) fault <= 1'b1;
  end

  // --- waiting room ---
  localparam int LOG_FIFO = 4;
  localparam int WIDTH = $bits(op3) + DB + SB + WB;
  logic f_valid, f_take, f_ready;
  logic [WIDTH-1:0] f_data;
  logic [LOG_FIFO:0] f_count;
  acc_fifo #(
      .WIDTH(WIDTH),
      .LOG_DEPTH(LOG_FIFO)
  ) waiting (
      .clk,
      .rst,
      .in_valid(v3),
      .in_ready(f_ready),
      .in_data({op3, d3, s3, w3}),
      .out_valid(f_valid),
      .out_ready(f_take),
      .out_data(f_data),
      .count(f_count)
  );
  // Room for what the FIFO holds and what the stages before it may add.
  always_ff @(posedge clk) enough <= !rst && f_count <= (LOG_FIFO + 1)'((1 << LOG_FIFO) - 8);

  logic h_valid, go;
  op_t h, f;
  logic [DB-1:0] h_dst;
  logic [SB-1:0] h_src;
  logic [WB-1:0] h_wgt;
  // Of the sources that it needs, so many have been read.
  logic [CB-1:0] sources, needed;
  logic reading;
  assign f = f_data[WIDTH-1-:$bits(op3)];
  assign f_take = !h_valid || (go && !reading);
  always_ff @(posedge clk) begin
    if (rst) h_valid <= 1'b0;
    else if (f_take) h_valid <= f_valid;
    if (f_take) {h, h_dst, h_src, h_wgt} <= f_data;
  end

  // --- hazards ---
  // By how many cycles ago it was issued: whether an operation was, one of the
  // ALU, and whether one was whose entry is the destination or the source of
  // the head (but for `in_flight` of the last cycle).
  logic [LONG:1] in_flight, in_flight_alu, in_flight_long, same_dst, same_src, same_alu;
  logic [DB-1:0] in_flight_dst[1:LONG];
  logic [DB-1:0] f_dst, f_src, last_src;
  logic meets_dst, meets_src, meets_alu, wait_alu, wait_long, is_short, is_long, other_source, f_three;
  // Behind WINDOW only `requantize` matters.
  logic [LONG:1] kept;
  for (genvar k = 1; k <= LONG; k++) begin : g_kept
    assign kept[k] = k != WINDOW || in_flight_long[k];
  end
  // Whether an entry is one of the sources that follow `source`.
  function automatic logic is_source(input logic [DB-1:0] entry, input logic [DB-1:0] source, input logic three);
    logic [DB-1:0] further;
    further   = entry - source;
    is_source = further == '0 || (HAS_LONG && three && further < DB'(3));
  endfunction
  assign f_three = HAS_LONG && f.kind == KIND_REQUANTIZE;
  assign f_src = DB'(f_data[WB+:SB]);
  assign f_dst = f_data[WB+SB+:DB];
  always_ff @(posedge clk) begin
    same_dst[1] <= f_take && f_dst == h_dst;
    same_src[1] <= f_take && is_source(h_dst, f_src, f_three);
    same_alu[1] <= f_take && f_dst == h_dst;
    for (int k = 2; k <= LONG; k++) begin
      same_dst[k] <= f_take ? in_flight[k-1] && kept[k-1] && f_dst == in_flight_dst[k-1] : same_dst[k-1] && kept[k-1] && (k != 2 || in_flight[1]);
      same_src[k] <= f_take ? in_flight[k-1] && kept[k-1] && is_source(in_flight_dst[k-1], f_src, f_three) : same_src[k-1] && kept[k-1] && (k != 2 || in_flight[1]);
      same_alu[k] <= f_take ? in_flight_alu[k-1] && kept[k-1] && f_dst == in_flight_dst[k-1] : same_alu[k-1] && kept[k-1] && (k != 2 || in_flight_alu[1]);
    end
    if (f_take && f_valid) last_src <= f_src;
    if (f_take) other_source <= f.first || f_src != last_src;
  end
  // What a window needs but for its last input.
  logic [CB-1:0] ahead;
  // Which input of the window is read.
  logic [CB-1:0] place;
  assign place = CB'(AHEAD) - needed + sources;
  if (HAS_AHEAD) begin : g_ahead
    logic [SB-1:0] last_inp, further;
    assign further = f_data[WB+:SB] - last_inp;
    always_ff @(posedge clk) begin
      if (f_take && f_valid) last_inp <= f_data[WB+:SB];
      if (f_take)
        ahead <= f.first || further == '0 || further > SB'(AHEAD) ? CB'(AHEAD) : CB'(further - 1'b1);
    end
  end else begin : g_none_ahead
    assign ahead = '0;
  end
  assign meets_dst = same_dst[LONG:2] != '0 || (same_dst[1] && in_flight[1]);
  assign meets_src = same_src[LONG:2] != '0 || (same_src[1] && in_flight[1]);
  assign meets_alu = same_alu[LONG:2] != '0 || (same_alu[1] && in_flight_alu[1]);
  assign is_short = ALU && h.valid && h.kind == KIND_ALU;
  assign is_long = HAS_LONG && h.valid && h.kind == KIND_REQUANTIZE;
  always_comb begin
    needed = '0;
    if (is_long) needed = other_source ? CB'(3) : '0;
    else if (is_short && !h.use_imm) needed = CB'(1);
    else if (HAS_AHEAD && h.valid && h.window) needed = ahead;
  end
  // Of an ALU with one stage no result is late; of `requantize` it is all the
  // same.
  if (ALU_STAGES + LONG - WINDOW > 1) begin : g_wait_alu
    logic late;
    always_comb begin
      late = in_flight_long[ALU_STAGES-1+LONG-WINDOW:1] != '0;
      for (int k = 1; k < ALU_STAGES; k++) late = late || in_flight_alu[k];
    end
    assign wait_alu = late;
  end else begin : g_no_late
    assign wait_alu = 1'b0;
  end
  if (LONG > WINDOW) begin : g_wait_long
    assign wait_long = in_flight_long[LONG-WINDOW:1] != '0;
  end else begin : g_no_wait
    assign wait_long = 1'b0;
  end
  always_comb begin
    if (sources != '0) go = 1'b1;
    else if (is_long || is_short)
      go = h_valid && !meets_dst && !(needed != '0 && meets_src) && (is_long || !wait_long);
    else go = h_valid && !wait_alu && !(GEMM && h.valid && h.kind == KIND_GEMM && meets_alu);
  end
  // A cycle before that of the operation itself.
  assign reading = sources != needed;

  always_ff @(posedge clk) begin
    if (rst) begin
      sources <= '0;
      in_flight <= '0;
      in_flight_alu <= '0;
      in_flight_long <= '0;
    end else begin
      sources <= go && reading ? sources + CB'(1) : '0;
      in_flight[1] <= go && h.valid && !reading;
      in_flight_alu[1] <= go && h.valid && !reading && (is_short || is_long);
      in_flight_long[1] <= go && !reading && is_long;
      for (int k = 2; k <= LONG; k++) begin
        in_flight[k] <= in_flight[k-1] && kept[k-1];
        in_flight_alu[k] <= in_flight_alu[k-1] && kept[k-1];
        in_flight_long[k] <= in_flight_long[k-1];
      end
    end
    in_flight_dst[1] <= h_dst;
    for (int k = 2; k <= LONG; k++) in_flight_dst[k] <= in_flight_dst[k-1];

    x_valid  <= !rst && go && h.valid && !reading;
    x_source <= !rst && go && reading && !(HAS_AHEAD && h.window);
    x_window <= !rst && go && HAS_WINDOW && h.valid && h.window;
    x_last   <= !rst && go && h.last && !reading;
    if (go || !GATE_IDLE) begin
      x_kind <= h.valid ? h.kind : KIND_GEMM;
      x_set <= h.sets;
      x_which <= sources[1:0];
      x_read <= reading ? DB'(h_src) + DB'(HAS_LONG ? sources : CB'(0)) : h_dst;
      x_dst <= h_dst;
      x_inp <= LOG_INP_DEPTH'(h_src) + (HAS_AHEAD && h.window ? LOG_INP_DEPTH'(place) : '0);
      x_wgt <= h_wgt;
      x_alu_op <= h.alu_op;
      x_use_imm <= h.use_imm;
      x_imm <= h.imm;
      x_push <= h.push;
    end
  end
  wire unused = &{1'b0, insn, insn_number, next_number, uop, f_ready, h, f};
endmodule
