//===- acc_queue.sv - Instruction queue ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The instructions that fetch has handed to a module: a FIFO and a register for
// its head, so that whether the module accepts an instruction is decided from
// registers. For the same reason it is known before the FIFO which of them move
// nothing.
//
//   in -> FIFO -> [head] -> out
//   cycle 0       1         2
//
// `out_nop` tells LOADs and STOREs that move nothing.
import acc_pkg::*;

module acc_queue (
    input  logic         clk,
    input  logic         rst,
    input  logic         in_valid,
    output logic         in_ready,
    input  logic [127:0] in_insn,
    output logic         out_valid,
    input  logic         out_ready,
    output logic [127:0] out_insn,
    output logic         out_nop,
    output logic         empty
);
  logic first_valid, first_nop, in_nop, move;
  logic [127:0] first;
  logic [LOG_QUEUE:0] count;
  assign in_nop = in_insn[F_MEM_X_SIZE+:16] == 16'd0 || in_insn[F_MEM_Y_SIZE+:16] == 16'd0;
  acc_fifo_ram #(
      .WIDTH(129),
      .LOG_DEPTH(LOG_QUEUE)
  ) fifo (
      .clk,
      .rst,
      .in_valid,
      .in_ready,
      .in_data({in_nop, in_insn}),
      .out_valid(first_valid),
      .out_ready(move),
      .out_data({first_nop, first}),
      .count
  );
  assign move  = !out_valid || out_ready;
  assign empty = !first_valid && !out_valid;
  always_ff @(posedge clk) begin
    if (rst) out_valid <= 1'b0;
    else if (move) out_valid <= first_valid;
    if (move) begin
      out_insn <= first;
      out_nop  <= first_nop;
    end
  end
  wire unused = &{1'b0, count};
endmodule
