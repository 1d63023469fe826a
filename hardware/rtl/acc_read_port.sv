//===- acc_read_port.sv - Read half of the memory port ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Shares the AXI4 read channels among fetch (0), compute (1) and load (2).
//
//   requests -> [two entries each] -> priority: fetch, compute, load -> [AR] -> AR
//   R -> [two-entry skid buffer] -> client named by RID
//
// Fetch and compute ask for little and wait for it; load asks for much and
// ahead of time, so it comes last. Adds two cycles to a request, one to data. A response other
// than OKAY raises `fault`.
import acc_pkg::*;

module acc_read_port (
    input  logic                       clk,
    input  logic                       rst,
    input  logic [                2:0] req_valid,
    output logic [                2:0] req_ready,
    input  logic [    3*BEAT_ADDR-1:0] req_addr,
    input  logic [3*LOG_MAX_BURST-1:0] req_len,
    output logic [                2:0] beat_valid,
    input  logic [                2:0] beat_ready,
    output logic [           PORT-1:0] beat_data,
    output logic                       fault,
    output logic [                1:0] fault_client,
    output logic                       m_arvalid,
    input  logic                       m_arready,
    output logic [                1:0] m_arid,
    output logic [           ADDR-1:0] m_araddr,
    output logic [                7:0] m_arlen,
    input  logic                       m_rvalid,
    output logic                       m_rready,
    input  logic [                1:0] m_rid,
    input  logic [           PORT-1:0] m_rdata,
    input  logic [                1:0] m_rresp
);
  // --- requests ---
  // Queues in between, so that nobody's readiness depends on the others.
  localparam int REQUEST = BEAT_ADDR + LOG_MAX_BURST;
  logic free;
  logic [2:0] waiting, chosen;
  logic [3*REQUEST-1:0] requests;
  logic [REQUEST-1:0] request;
  for (genvar c = 0; c < 3; c++) begin : g_client
    logic [1:0] count;
    acc_fifo #(
        .WIDTH(REQUEST),
        .LOG_DEPTH(1)
    ) queue (
        .clk,
        .rst,
        .in_valid(req_valid[c]),
        .in_ready(req_ready[c]),
        .in_data({req_len[c*LOG_MAX_BURST+:LOG_MAX_BURST], req_addr[c*BEAT_ADDR+:BEAT_ADDR]}),
        .out_valid(waiting[c]),
        .out_ready(free && chosen[c]),
        .out_data(requests[c*REQUEST+:REQUEST]),
        .count
    );
    wire unused = &{1'b0, count};
  end
  assign free = !m_arvalid || m_arready;
  assign chosen = waiting[0] ? 3'b001 : waiting[1] ? 3'b010 : 3'b100;
  assign request = chosen[0] ? requests[0+:REQUEST] : chosen[1] ? requests[REQUEST+:REQUEST] :
      requests[2*REQUEST+:REQUEST];
  always_ff @(posedge clk) begin
    if (rst) m_arvalid <= 1'b0;
    else if (free) m_arvalid <= waiting != 3'b000;
    if (free) begin
      m_arid   <= chosen[0] ? 2'd0 : chosen[1] ? 2'd1 : 2'd2;
      m_araddr <= {request[BEAT_ADDR-1:0], {LOG_PORT_BYTES{1'b0}}};
      m_arlen  <= 8'(request[REQUEST-1:BEAT_ADDR]);
    end
  end

  // --- data ---
  logic take, spare_valid;
  logic [1:0] next_id, spare_id;
  logic [PORT-1:0] spare_data;
  assign m_rready = !spare_valid;
  assign next_id = spare_valid ? spare_id : m_rid;
  assign take = beat_valid == 3'b000 || (beat_valid & beat_ready) != 3'b000;
  always_ff @(posedge clk) begin
    if (rst) begin
      beat_valid <= 3'b000;
      spare_valid <= 1'b0;
    end else begin
      if (take) beat_valid <= spare_valid || m_rvalid ? 3'b001 << next_id : 3'b000;
      spare_valid <= (spare_valid || m_rvalid) && !take;
    end
    if (take) beat_data <= spare_valid ? spare_data : m_rdata;
    if (m_rready) begin
      spare_id   <= m_rid;
      spare_data <= m_rdata;
    end
    fault <= !rst && m_rvalid && m_rready && m_rresp != 2'b00;
    fault_client <= m_rid;
  end
endmodule
