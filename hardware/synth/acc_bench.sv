//===- acc_bench.sv - The core behind few pins ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// What is placed and routed to learn the core's area and frequency: its ports
// are more than a package has pins, so inputs come from a shift register and
// outputs are folded into one bit, with registers on both sides. The paths
// between registers are then the core's own. Costs a register per input, and
// two registers and a LUT per output, which reports count with the rest.
import acc_pkg::*;

module acc_bench (
    input  logic clk,
    input  logic in,
    output logic out
);
  localparam int INPUTS = 1 + 1 + 5 + 32 + 1 + 1 + 2 + PORT + 2 + 1 + 1 + 1 + 2;
  localparam int OUTPUTS = 32 + 1 + 1 + 6 + 1 + 2 + ADDR + 8 + 1 + 1 + ADDR + 8 + 1 + PORT + PORT / 8 + 1 + 1;
  logic [INPUTS-1:0] chain, held;
  logic [OUTPUTS-1:0] outputs, taken, fold;
  always_ff @(posedge clk) begin
    chain <= {chain[INPUTS-2:0], in};
    held  <= chain;
    taken <= outputs;
    fold  <= {fold[OUTPUTS-2:0], fold[OUTPUTS-1]} ^ taken;
    out   <= fold[0];
  end

  logic rst, reg_write, done, error, m_arvalid, m_arready, m_rvalid, m_rready, m_awvalid, m_awready, m_wvalid;
  logic m_wready, m_wlast, m_bvalid, m_bready;
  logic [4:0] reg_addr;
  logic [31:0] reg_wdata, reg_rdata;
  logic [5:0] events;
  logic [1:0] m_arid, m_rid, m_rresp, m_bresp;
  logic [ADDR-1:0] m_araddr, m_awaddr;
  logic [7:0] m_arlen, m_awlen;
  logic [PORT-1:0] m_rdata, m_wdata;
  logic [PORT/8-1:0] m_wstrb;
  assign {rst, reg_write, reg_addr, reg_wdata, m_arready, m_rvalid, m_rid, m_rdata, m_rresp, m_awready, m_wready,
          m_bvalid, m_bresp} = held;
  assign outputs = {
    reg_rdata, done, error, events, m_arvalid, m_arid, m_araddr, m_arlen, m_rready, m_awvalid, m_awaddr, m_awlen,
    m_wvalid, m_wdata, m_wstrb, m_wlast, m_bready
  };
  acc_core core (.*);
endmodule
