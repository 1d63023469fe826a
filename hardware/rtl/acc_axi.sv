//===- acc_axi.sv - The accelerator on a bus ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// What an interconnect takes: the core's memory port with all signals of AXI4,
// and its registers behind AXI4-Lite.
//
//   AW, W -> [write pulse] -> B         AR -> registers -> [R]
//   cycle 0   1               1         0                  1
//
// A register is written when its address and its data are there, and read in a
// cycle in which none is written, as both share the core's address. Registers
// are written as a whole: a write of some bytes only changes nothing and is
// answered with SLVERR. One answer of a kind at a time, so a register takes two
// cycles, which is of no account.
import acc_pkg::*;

module acc_axi (
    input  logic              clk,
    input  logic              rst,
    output logic              done,
    output logic              error,
    // Registers: AXI4-Lite, byte addresses.
    input  logic              s_awvalid,
    output logic              s_awready,
    input  logic [       6:0] s_awaddr,
    input  logic              s_wvalid,
    output logic              s_wready,
    input  logic [      31:0] s_wdata,
    input  logic [       3:0] s_wstrb,
    output logic              s_bvalid,
    input  logic              s_bready,
    output logic [       1:0] s_bresp,
    input  logic              s_arvalid,
    output logic              s_arready,
    input  logic [       6:0] s_araddr,
    output logic              s_rvalid,
    input  logic              s_rready,
    output logic [      31:0] s_rdata,
    output logic [       1:0] s_rresp,
    // Memory: AXI4.
    output logic              m_arvalid,
    input  logic              m_arready,
    output logic [       1:0] m_arid,
    output logic [  ADDR-1:0] m_araddr,
    output logic [       7:0] m_arlen,
    output logic [       2:0] m_arsize,
    output logic [       1:0] m_arburst,
    input  logic              m_rvalid,
    output logic              m_rready,
    input  logic [       1:0] m_rid,
    input  logic [  PORT-1:0] m_rdata,
    input  logic [       1:0] m_rresp,
    input  logic              m_rlast,
    output logic              m_awvalid,
    input  logic              m_awready,
    output logic [       1:0] m_awid,
    output logic [  ADDR-1:0] m_awaddr,
    output logic [       7:0] m_awlen,
    output logic [       2:0] m_awsize,
    output logic [       1:0] m_awburst,
    output logic              m_wvalid,
    input  logic              m_wready,
    output logic [  PORT-1:0] m_wdata,
    output logic [PORT/8-1:0] m_wstrb,
    output logic              m_wlast,
    input  logic              m_bvalid,
    output logic              m_bready,
    input  logic [       1:0] m_bid,
    input  logic [       1:0] m_bresp
);
  localparam logic [1:0] OKAY = 2'b00, SLVERR = 2'b10, INCR = 2'b01;

  // --- registers ---
  logic reg_write, write, read;
  logic [4:0] reg_addr;
  logic [31:0] reg_rdata;
  assign write = s_awvalid && s_wvalid && !s_bvalid;
  assign read = s_arvalid && !s_rvalid && !write;
  assign {s_awready, s_wready} = {2{write}};
  assign s_arready = read;
  assign reg_write = write && (&s_wstrb);
  assign reg_addr = write ? s_awaddr[6:2] : s_araddr[6:2];
  assign s_rresp = OKAY;
  always_ff @(posedge clk) begin
    if (rst) s_bvalid <= 1'b0;
    else if (write) s_bvalid <= 1'b1;
    else if (s_bready) s_bvalid <= 1'b0;
    if (write) s_bresp <= reg_write ? OKAY : SLVERR;
    if (rst) s_rvalid <= 1'b0;
    else if (read) s_rvalid <= 1'b1;
    else if (s_rready) s_rvalid <= 1'b0;
    if (read) s_rdata <= reg_rdata;
  end

  // --- memory: bursts of whole beats at increasing addresses ---
  assign m_arsize = 3'(LOG_PORT_BYTES);
  assign m_awsize = 3'(LOG_PORT_BYTES);
  assign m_arburst = INCR;
  assign m_awburst = INCR;
  assign m_awid = 2'd0;

  acc_core core (
      .clk,
      .rst,
      .reg_write,
      .reg_addr,
      .reg_wdata(s_wdata),
      .reg_rdata,
      .done,
      .error,
      .events(),
      .m_arvalid,
      .m_arready,
      .m_arid,
      .m_araddr,
      .m_arlen,
      .m_rvalid,
      .m_rready,
      .m_rid,
      .m_rdata,
      .m_rresp,
      .m_awvalid,
      .m_awready,
      .m_awaddr,
      .m_awlen,
      .m_wvalid,
      .m_wready,
      .m_wdata,
      .m_wstrb,
      .m_wlast,
      .m_bvalid,
      .m_bready,
      .m_bresp
  );
  wire unused = &{1'b0, s_awaddr[1:0], s_araddr[1:0], m_rlast, m_bid};
endmodule
