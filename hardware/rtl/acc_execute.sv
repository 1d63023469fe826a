//===- acc_execute.sv - GEMM core, ALU and accumulator ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Executes issued operations: one pipeline for GEMM and ALU, so that what they
// write appears in the order of issue.
//
//   issue -> inp/wgt RAM -> [q] -> [out] -> [operands].. -> [products] -> tree..
//   cycle 0                  1      2         3               A - TREE     A
//
//   acc RAM, so that the old sum meets the new product in cycle A:
//            read -> [q] -> [out] -> [old] -> [sum]              -> write (GEMM)
//            A - 3   A - 2  A - 1     A       A + 1
//                                     [operands] -> [ ] -> [r]   -> write (ALU)
//                                     A + 1         A + 2  A + 3
//
// With one register for operands, A is 4 + TREE. OPERAND_STAGES, TREE_LEVELS
// and ALU_STAGES, which are three above, say how many stages there are.
//
// Where there are windows, the last registers of the operands of the first
// WINDOW_INPUTS multipliers of a lane are its own: in a GEMM they hold the same
// inputs as those of other lanes; in a window they hold the lane's own inputs,
// which move on by one multiplier with each input read, and the other
// multipliers get zeros. Without registers for operands the multipliers take
// what the window is about to hold.
//
// Where there is `requantize`, it begins beside the ALU and writes
// REQUANTIZE_MORE cycles later.
//
// Forwarding: [sum] is used in the very next cycle by an operation on the same
// entry; [old] takes the sums of the operations two to four before, which the
// RAM did not show yet. ALU operations are issued only when the RAM shows what
// they read.
import acc_pkg::*;

module acc_execute #(
    // Which operations it may be given.
    parameter bit GEMM = 1,
    parameter bit ALU = 1
) (
    input  logic                     clk,
    input  logic                     rst,
    input  logic                     x_valid,
    input  logic [              1:0] x_kind,
    input  logic                     x_set,
    input  logic                     x_window,
    input  logic                     x_source,
    input  logic [              1:0] x_which,
    input  logic [LOG_ACC_DEPTH-1:0] x_read,
    input  logic [LOG_ACC_DEPTH-1:0] x_dst,
    input  logic [LOG_INP_DEPTH-1:0] x_inp,
    input  logic [LOG_WGT_DEPTH-1:0] x_wgt,
    input  logic [              2:0] x_alu_op,
    input  logic                     x_use_imm,
    input  logic [             15:0] x_imm,
    input  logic                     x_last,
    input  logic [              2:0] x_push,
    output logic                     inp_en,
    output logic [LOG_INP_DEPTH-1:0] inp_addr,
    input  logic [     INP_ELEM-1:0] inp_data,
    output logic                     wgt_en,
    output logic [LOG_WGT_DEPTH-1:0] wgt_addr,
    input  logic [     WGT_ELEM-1:0] wgt_data,
    output logic                     acc_en,
    output logic [LOG_ACC_DEPTH-1:0] acc_addr,
    input  logic [     ACC_ELEM-1:0] acc_data,
    // What acc_tables looks up: the entry, by lane, and the table. Two cycles
    // later, what it says.
    output logic                     t_en,
    output logic [     TABLE_BITS-1:0] t_table,
    output logic [BATCH*BLOCK_OUT-1:0][LOG_TABLE_ENTRIES-1:0] t_index,
    input  logic [BATCH*BLOCK_OUT-1:0][7:0] t_value,
    output logic                     w_en,
    output logic [LOG_ACC_DEPTH-1:0] w_entry,
    output logic [     ACC_ELEM-1:0] w_data,
    output logic                     retired,
    // finish, push next, push previous
    output logic [              2:0] retired_push,
    output logic                     gemm_step,
    output logic                     reset_step,
    output logic                     alu_step
);
  localparam int DB = LOG_ACC_DEPTH;
  localparam bit HAS_LONG = ALU && HAS_REQUANTIZE;
  localparam int READ = GEMM ? OPERAND_STAGES + TREE : 1;  // The stage in which acc is read.
  localparam int ADD = READ + 3;  // That in which old sum and product meet.
  localparam int END = ADD + ALU_STAGES;  // That in which the ALU's result is written.
  localparam int LONG = END + (HAS_LONG ? REQUANTIZE_MORE : 0);  // That of `requantize`.
  localparam int LAST = LONG > ADD + 2 ? LONG : ADD + 2;

  // --- control, by stage (0: x_*) ---
  logic [LAST:1] valid, is_source, last, use_imm, sets;
  logic [LAST:1][1:0] kind, which;
  logic [LAST:1][DB-1:0] dst, read;
  logic [LAST:1][2:0] alu_op, push;
  logic [LAST:1][15:0] imm;
  always_ff @(posedge clk) begin
    valid <= rst ? '0 : {valid[LAST-1:1], x_valid};
    is_source <= rst ? '0 : {is_source[LAST-1:1], x_source};
    last <= rst ? '0 : {last[LAST-1:1], x_last};
    kind <= {kind[LAST-1:1], x_kind};
    sets <= {sets[LAST-1:1], (HAS_SET || HAS_WINDOW) && x_set};
    which <= {which[LAST-1:1], x_which};
    dst <= {dst[LAST-1:1], x_dst};
    read <= {read[LAST-1:1], x_read};
    alu_op <= {alu_op[LAST-1:1], x_alu_op};
    use_imm <= {use_imm[LAST-1:1], x_use_imm};
    imm <= {imm[LAST-1:1], x_imm};
    push <= {push[LAST-1:1], x_push};
  end

  // By stage: whether a product is formed, a sum, an ALU result, an output.
  logic [ADD:0] is_gemm;
  logic [LAST:1] is_sum, is_alu, is_long;
  assign is_gemm[0] = GEMM && x_valid && x_kind == KIND_GEMM;
  for (genvar k = 1; k <= ADD; k++) begin : g_gemm
    assign is_gemm[k] = GEMM && valid[k] && kind[k] == KIND_GEMM;
  end
  for (genvar k = 1; k <= LAST; k++) begin : g_kind
    assign is_sum[k]  = GEMM && valid[k] && !is_alu[k] && !is_long[k];
    assign is_alu[k]  = ALU && valid[k] && kind[k] == KIND_ALU;
    assign is_long[k] = HAS_LONG && valid[k] && kind[k] == KIND_REQUANTIZE;
  end

  // --- operands and dot products ---
  // Registers before the window; by stage, whether an input is read that moves it on.
  localparam int BEFORE = OPERAND_STAGES > 0 ? OPERAND_STAGES - 1 : 0;
  logic [2+BEFORE:0] moves;
  assign moves[0] = GEMM && HAS_WINDOW && x_window;
  always_ff @(posedge clk) moves[2+BEFORE:1] <= rst ? '0 : moves[1+BEFORE:0];
  assign inp_en   = is_gemm[0] || moves[0] || !GATE_IDLE;
  assign wgt_en   = is_gemm[0] || !GATE_IDLE;
  assign inp_addr = x_inp;
  assign wgt_addr = x_wgt;
  logic [(OPERAND_STAGES+1)*INP_ELEM-1:0] inps;
  logic [(OPERAND_STAGES+1)*WGT_ELEM-1:0] wgts;
  logic [INP_ELEM-1:0] inp_reg;
  logic [WGT_ELEM-1:0] wgt_reg;
  assign inps[0+:INP_ELEM] = inp_data;
  assign wgts[0+:WGT_ELEM] = wgt_data;
  for (genvar k = 0; k < OPERAND_STAGES; k++) begin : g_operand
    always_ff @(posedge clk)
      if (is_gemm[2+k] || moves[2+k] || !GATE_IDLE) begin
        inps[(k+1)*INP_ELEM+:INP_ELEM] <= k == BEFORE && moves[2+k] ? '0 : inps[k*INP_ELEM+:INP_ELEM];
        wgts[(k+1)*WGT_ELEM+:WGT_ELEM] <= wgts[k*WGT_ELEM+:WGT_ELEM];
      end
  end
  assign inp_reg = OPERAND_STAGES == 0 && moves[2] ? '0 : inps[OPERAND_STAGES*INP_ELEM+:INP_ELEM];
  assign wgt_reg = wgts[OPERAND_STAGES*WGT_ELEM+:WGT_ELEM];

  // --- old sums ---
  assign acc_en   = (valid[READ] && kind[READ] != KIND_RESET) || is_source[READ];
  assign acc_addr = read[READ];

  // Whether the operation k stages ahead of that in stage READ + 1 writes the
  // sum it needs.
  logic [4:1] same;
  for (genvar k = 1; k <= 4; k++) begin : g_same
    assign same[k] = is_sum[READ+1+k] && dst[READ+1+k] == dst[READ+1];
  end
  logic [4:2] from;
  logic chain1, chain;
  always_ff @(posedge clk) begin
    from   <= {same[4] && same[3:2] == 2'b00, same[3] && !same[2], same[2]};
    chain1 <= same[1] && !sets[READ+1];
    chain  <= chain1;
  end

  logic [ACC_ELEM-1:0] old, sum1, sum2, sum3, source, r, out;
  logic moving;
  assign moving = valid[READ+2] || is_source[READ+2] || !GATE_IDLE;
  always_ff @(posedge clk) begin
    if (moving) old <= sets[READ+2] ? '0 : from[2] ? sum1 : from[3] ? sum2 : from[4] ? sum3 : acc_data;
    // The source of an operation with two operands comes one cycle before it.
    if (is_source[ADD] || !GATE_IDLE) source <= old;
    if (is_sum[ADD+1] || !GATE_IDLE) sum2 <= sum1;
    if (is_sum[ADD+2] || !GATE_IDLE) sum3 <= sum2;
  end

  for (genvar b = 0; b < BATCH; b++) begin : g_row
    for (genvar o = 0; o < BLOCK_OUT; o++) begin : g_lane
      localparam int LANE = b * BLOCK_OUT + o;
      logic [SUM_BITS-1:0] dot;
      logic [31:0] base, operand;
      if (GEMM) begin : g_gemm
        logic [BLOCK_IN*INP_BITS-1:0] x;
        if (HAS_WINDOW) begin : g_window
          logic [WINDOW_INPUTS*INP_BITS-1:0] own_q, own_d;
          assign own_d = moves[2+BEFORE] ?
              (WINDOW_INPUTS * INP_BITS)'({inps[BEFORE*INP_ELEM+LANE*INP_BITS+:INP_BITS], own_q} >> INP_BITS) :
              inps[BEFORE*INP_ELEM+b*BLOCK_IN*INP_BITS+:WINDOW_INPUTS*INP_BITS];
          always_ff @(posedge clk) if (moves[2+BEFORE] || is_gemm[2+BEFORE]) own_q <= own_d;
          always_comb begin
            x = inp_reg[b*BLOCK_IN*INP_BITS+:BLOCK_IN*INP_BITS];
            x[WINDOW_INPUTS*INP_BITS-1:0] = OPERAND_STAGES == 0 ? own_d : own_q;
          end
        end else begin : g_shared
          assign x = inp_reg[b*BLOCK_IN*INP_BITS+:BLOCK_IN*INP_BITS];
        end
        acc_dot #(
            .FIRST(LANE * BLOCK_IN)
        ) dot_product (
            .clk,
            .en (is_gemm[2+OPERAND_STAGES+:TREE+1]),
            .x,
            .w  (wgt_reg[o*BLOCK_IN*WGT_BITS+:BLOCK_IN*WGT_BITS]),
            .sum(dot)
        );
      end else begin : g_no_gemm
        assign dot = '0;
      end
      assign base = chain ? sum1[LANE*32+:32] : old[LANE*32+:32];
      always_ff @(posedge clk)
        if (is_sum[ADD] || !GATE_IDLE)
          sum1[LANE*32+:32] <= kind[ADD] == KIND_RESET ? '0 : base + 32'($signed(dot));

      logic [31:0] factor, high, biased, pre_shifted;
      logic [4:0] pre_shift;
      logic [ALU_IN:0] shifts;
      logic [14:0] multiplier;
      logic [33:0] low;
      logic multiplies;
      if (HAS_LONG) begin : g_requantize
        logic [2:0] load;
        for (genvar w = 0; w < 3; w++) begin : g_word
          assign load[w] = is_source[ADD] && kind[ADD] == KIND_REQUANTIZE && which[ADD] == 2'(w);
        end
        acc_requantize requantize (
            .clk,
            .en(is_long[ADD+ALU_IN-1+:10]),
            .load,
            .a(old[LANE*32+:32]),
            .biased,
            .pre_shift,
            .pre_shifted,
            .factor,
            .multiplier,
            .low,
            .high,
            .r(out[LANE*32+:32])
        );
        assign multiplies = is_long[ADD+ALU_IN+2];
        assign shifts = is_long[ADD+:ALU_IN+1];
      end else begin : g_none
        assign factor = '0;
        assign multiplier = '0;
        assign multiplies = 1'b0;
        assign biased = '0;
        assign pre_shift = '0;
        assign shifts = '0;
        assign out[LANE*32+:32] = '0;
        wire unused = &{1'b0, low, high, pre_shifted};
      end
      assign operand = use_imm[ADD] ? 32'($signed(imm[ADD])) : source[LANE*32+:32];
      if (ALU) begin : g_alu
        acc_alu #(
            .DSP(LANE < DSP_ALU_LANES)
        ) alu (
            .clk,
            .en(is_alu[ADD+:ALU_STAGES]),
            .op(alu_op[ADD]),
            .a (old[LANE*32+:32]),
            .b (operand),
            .r (r[LANE*32+:32]),
            .looked_up(t_value[LANE]),
            .shifts,
            .biased,
            .pre_shift,
            .pre_shifted,
            .multiplies,
            .factor,
            .multiplier,
            .low,
            .high
        );
      end else begin : g_no_alu
        assign r[LANE*32+:32] = '0;
        assign pre_shifted = '0;
        assign low = '0;
        assign high = '0;
        wire unused = &{1'b0, operand, shifts, biased, pre_shift, multiplies, factor, multiplier, t_value[LANE]};
      end
    end
  end

  // --- tables ---
  assign t_en = ALU && HAS_TABLE && is_alu[ADD] && alu_op[ADD] == ALU_TABLE;
  assign t_table = imm[ADD][TABLE_BITS-1:0];
  for (genvar l = 0; l < BATCH * BLOCK_OUT; l++) begin : g_index
    assign t_index[l] = old[l*32+:LOG_TABLE_ENTRIES];
  end

  // --- results ---
  // Never both in one cycle: see the waiting rules of acc_sequence.
  assign w_en = is_sum[ADD+1] || is_alu[END] || is_long[LONG];
  assign w_entry = is_long[LONG] ? dst[LONG] : is_alu[END] ? dst[END] : dst[ADD+1];
  assign w_data = is_long[LONG] ? out : is_alu[END] ? r : sum1;

  // Of an instruction without steps, which is no sum, there is the end.
  logic last_long, last_alu, last_sum;
  assign last_long = last[LONG] && is_long[LONG];
  assign last_alu = last[END] && is_alu[END];
  assign last_sum = last[ADD+1] && !is_alu[ADD+1] && !is_long[ADD+1];
  assign retired = last_long || last_alu || last_sum;
  assign retired_push = last_long ? push[LONG] : last_alu ? push[END] : last_sum ? push[ADD+1] : 3'b000;
  assign gemm_step = is_gemm[0];
  assign reset_step = x_valid && x_kind == KIND_RESET;
  assign alu_step = ALU && x_valid && (x_kind == KIND_ALU || (HAS_LONG && x_kind == KIND_REQUANTIZE));
  wire unused = &{1'b0, is_gemm, is_sum, is_alu, is_long, which, out, sets, x_window, inp_reg, wgt_reg, source, alu_op, use_imm, imm};
endmodule
