//===- acc_dot.sv - Dot product ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// One output of the GEMM core: the dot product of a row of inputs and a row of
// weights.
//
//   x, w -> [products] -> [add, add] -> ... -> sum
//   cycle 0      1             2       1 + TREE
//
// TREE_LEVELS levels of the adder tree per stage. The products' registers are the
// output registers of the DSP blocks.
import acc_pkg::*;

module acc_dot #(
    // Number of the first multiplier, for the choice between DSP and logic.
    parameter int FIRST = 0
) (
    input  logic                         clk,
    input  logic [               TREE:0] en,
    input  logic [BLOCK_IN*INP_BITS-1:0] x,
    input  logic [BLOCK_IN*WGT_BITS-1:0] w,
    output logic [         SUM_BITS-1:0] sum
);
  // Level 0 holds the products, level l sums of 2^l; levels that end no stage
  // are combinational.
  for (genvar l = 0; l <= LOG_BLOCK_IN; l++) begin : g_level
    for (genvar i = 0; i < (BLOCK_IN >> l); i++) begin : g_node
      logic [SUM_BITS-1:0] v;
      if (l == 0) begin : g_product
        logic [INP_BITS+WGT_BITS-1:0] p;
        acc_mul #(
            .A_BITS(INP_BITS),
            .B_BITS(WGT_BITS),
            .DSP(FIRST + i < DSP_PRODUCTS)
        ) mul (
            .clk,
            .en(en[0]),
            .a(x[i*INP_BITS+:INP_BITS]),
            .b(w[i*WGT_BITS+:WGT_BITS]),
            .p
        );
        assign v = SUM_BITS'($signed(p));
      end else if (l % TREE_LEVELS == 0 || l == LOG_BLOCK_IN) begin : g_register
        always_ff @(posedge clk)
          if (en[(l+TREE_LEVELS-1)/TREE_LEVELS] || !GATE_IDLE) v <= g_level[l-1].g_node[2*i].v + g_level[l-1].g_node[2*i+1].v;
      end else begin : g_wire
        assign v = g_level[l-1].g_node[2*i].v + g_level[l-1].g_node[2*i+1].v;
      end
    end
  end
  assign sum = g_level[LOG_BLOCK_IN].g_node[0].v;
  wire unused = &{1'b0, en};
endmodule
