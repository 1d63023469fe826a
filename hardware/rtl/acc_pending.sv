//===- acc_pending.sv - Instructions whose data is awaited ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The LOADs whose requests are on their way, for acc_fill: what it does not look
// at is zero and takes no place. Of addresses it needs the bits below a burst.
import acc_pkg::*;

module acc_pending #(
    // log2 elements in a beat, the most of all kinds.
    parameter int LOG_EPB = 0
) (
    input  logic         clk,
    input  logic         rst,
    input  logic         in_valid,
    output logic         in_ready,
    input  logic [127:0] in_insn,
    output logic         out_valid,
    input  logic         out_ready,
    output logic [127:0] out_insn
);
  localparam int NEAR = LOG_EPB + LOG_MAX_BURST;
  logic [127:0] kept;
  logic [  2:0] count;
  always_comb begin
    kept = in_insn;
    kept[2:0] = '0;
    kept[F_POP_PREV] = 1'b0;
    kept[F_POP_NEXT] = 1'b0;
    kept[F_MEM_DRAM_BASE+NEAR+:32-NEAR] = '0;
    kept[F_MEM_DRAM_BASE+32+:F_MEM_Y_SIZE-F_MEM_DRAM_BASE-32] = '0;
    kept[F_MEM_X_STRIDE+NEAR+:16-NEAR] = '0;
  end
  acc_fifo #(
      .WIDTH(128),
      .LOG_DEPTH(2)
  ) fifo (
      .clk,
      .rst,
      .in_valid,
      .in_ready,
      .in_data(kept),
      .out_valid,
      .out_ready,
      .out_data(out_insn),
      .count
  );
  wire unused = &{1'b0, in_insn, count};
endmodule
