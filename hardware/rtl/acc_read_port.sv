//===- acc_read_port.sv - Read half of the memory port ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Shares the AXI4 read channels among fetch (0), compute (1) and load (2).
//
//   requests -> [priority: fetch, compute, load] -> AR register -> AR
//   R -> [two-entry skid buffer] -> client named by RID
//
// Fetch and compute ask for little and wait for it; load asks for much and
// ahead of time, so it comes last. Adds one cycle each way. A response other
// than OKAY raises `fault`.
module acc_read_port
  import acc_pkg::*;
(
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
  logic free;
  logic [1:0] chosen;
  assign free = !m_arvalid || m_arready;
  assign chosen = req_valid[0] ? 2'd0 : req_valid[1] ? 2'd1 : 2'd2;
  always_comb begin
    req_ready = 3'b000;
    req_ready[0] = free;
    req_ready[1] = free && !req_valid[0];
    req_ready[2] = free && !req_valid[0] && !req_valid[1];
  end
  always_ff @(posedge clk) begin
    if (rst) m_arvalid <= 1'b0;
    else if (free) m_arvalid <= req_valid != 3'b000;
    if (free) begin
      m_arid <= chosen;
      case (chosen)
        2'd0: begin
          m_araddr <= {req_addr[0+:BEAT_ADDR], {LOG_PORT_BYTES{1'b0}}};
          m_arlen  <= 8'(req_len[0+:LOG_MAX_BURST]);
        end
        2'd1: begin
          m_araddr <= {req_addr[BEAT_ADDR+:BEAT_ADDR], {LOG_PORT_BYTES{1'b0}}};
          m_arlen  <= 8'(req_len[LOG_MAX_BURST+:LOG_MAX_BURST]);
        end
        default: begin
          m_araddr <= {req_addr[2*BEAT_ADDR+:BEAT_ADDR], {LOG_PORT_BYTES{1'b0}}};
          m_arlen  <= 8'(req_len[2*LOG_MAX_BURST+:LOG_MAX_BURST]);
        end
      endcase
    end
  end

  // --- data ---
  logic valid, take, spare_valid;
  logic [1:0] id, spare_id;
  logic [PORT-1:0] spare_data;
  assign m_rready = !spare_valid;
  assign beat_valid = valid ? 3'b001 << id : 3'b000;
  assign take = (beat_valid & beat_ready) != 3'b000;
  always_ff @(posedge clk) begin
    if (rst) begin
      valid <= 1'b0;
      spare_valid <= 1'b0;
    end else begin
      if (!valid || take) valid <= spare_valid || m_rvalid;
      if (spare_valid) spare_valid <= valid && !take;
      else spare_valid <= m_rvalid && valid && !take;
    end
    if (!valid || take) begin
      id <= spare_valid ? spare_id : m_rid;
      beat_data <= spare_valid ? spare_data : m_rdata;
    end
    if (m_rready) begin
      spare_id   <= m_rid;
      spare_data <= m_rdata;
    end
    fault <= !rst && m_rvalid && m_rready && m_rresp != 2'b00;
    fault_client <= m_rid;
  end
endmodule
