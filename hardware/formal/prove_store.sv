//===- prove_store.sv - What the store module must write ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// From a reset on, a STORE of up to ROWS rows writes every byte of its window
// once and no byte outside of it, be memory as slow as it likes; addresses and
// data stay until they are taken, the last beat of a burst says so, and the
// STORE retires when all of it is acknowledged, not earlier. `byte_at` may be
// any byte, so what holds for it holds for all of them.
//
// A bounded proof: for so many cycles as the solver is told.
import acc_pkg::*;

module prove_store #(
    parameter int ROWS = 2,
    parameter int COLS = 3,
    // Whether memory may let wait.
    parameter bit SLOW = 1'b0
) (
    input logic                          clk,
    input logic                          rst,
    input logic [                 127:0] given,
    input logic [LOG_PORT_BYTES+LOG_MAX_BURST+1:0] byte_given,
    input logic [OUT_LANES*OUT_ELEM-1:0] out_data,
    input logic                          awready,
    input logic                          wready,
    input logic                          answers
);
  localparam int A = LOG_PORT_BYTES + LOG_MAX_BURST + 2;  // Bits of the addresses that occur.
  logic insn_valid, insn_ready, nop, pop_compute, push_compute, out_en, m_awvalid, m_awready;
  logic m_wvalid, m_wready, m_wlast, m_bvalid, m_bready, waits_compute, started, retired, fault, overflow, busy;
  logic [LOG_OUT_ADDR-1:0] out_entry;
  logic [ADDR-1:0] m_awaddr;
  logic [7:0] m_awlen;
  logic [PORT-1:0] m_wdata;
  logic [PORT/8-1:0] m_wstrb;
  logic [1:0] m_bresp;
  logic token_compute;
  logic [127:0] insn;
  acc_store store (.*);
  assign token_compute = 1'b1;
  assign m_bresp = 2'b00;
  assign m_awready = awready || !SLOW;

  // --- one instruction, behind a reset of one cycle ---
  logic began = 1'b0, done, over;
  logic [A-1:0] byte_at;
  always_ff @(posedge clk) begin
    began <= 1'b1;
    if (!began) begin
      insn <= given;
      byte_at <= byte_given;
    end
    done <= began && (done || (insn_valid && insn_ready));
    over <= began && (over || retired);
  end
  assign nop = 1'b0;
  assign insn_valid = began && !done;

  logic [15:0] rows, cols, stride;
  logic [31:0] base;
  assign rows = insn[F_MEM_Y_SIZE+:16];
  assign cols = insn[F_MEM_X_SIZE+:16];
  assign stride = insn[F_MEM_X_STRIDE+:16];
  assign base = insn[F_MEM_DRAM_BASE+:32];

  // --- memory: bursts whose address it has, the place of the next beat, answers it owes ---
  logic [3:0] bursts, owed;
  assign m_wready = (wready || !SLOW) && bursts != '0;
  logic [A-1:0] queue[0:15];
  logic [3:0] head, tail;
  logic [A-1:0] at;
  logic [7:0] beat;
  logic aw, w, written, hit;
  assign aw  = m_awvalid && m_awready;
  assign w   = m_wvalid && m_wready;
  assign at  = queue[head] + (A'(beat) << LOG_PORT_BYTES);
  assign hit = w && at[A-1:LOG_PORT_BYTES] == byte_at[A-1:LOG_PORT_BYTES] && m_wstrb[byte_at[LOG_PORT_BYTES-1:0]];
  assign m_bvalid = owed != '0 && (answers || !SLOW);
  logic [7:0] lens[0:15];
  always_ff @(posedge clk) begin
    if (aw) begin
      queue[tail] <= A'(m_awaddr);
      lens[tail]  <= m_awlen;
    end
    if (!began) begin
      head <= '0;
      tail <= '0;
      beat <= '0;
      bursts <= '0;
      owed <= '0;
      written <= 1'b0;
    end else begin
      tail <= tail + 4'(aw);
      head <= head + 4'(w && m_wlast);
      beat <= !w ? beat : m_wlast ? '0 : beat + 1'b1;
      bursts <= bursts + 4'(aw) - 4'(w && m_wlast);
      owed <= owed + 4'(w && m_wlast) - 4'(m_bvalid);
      written <= written || hit;
    end
  end

  // --- the window ---
  logic in_window;
  logic [31:0] first, last;
  always_comb begin
    in_window = 1'b0;
    for (int r = 0; r < ROWS; r++) begin
      first = (base + 32'(r) * 32'(stride)) << LOG_OUT_BYTES;
      last  = first + (32'(cols) << LOG_OUT_BYTES);
      if (16'(r) < rows && 32'(byte_at) >= first && 32'(byte_at) < last) in_window = 1'b1;
    end
  end

  logic kept_aw, kept_w;
  logic [ADDR+7:0] kept_address;
  logic [PORT+PORT/8:0] kept_data;
  always_ff @(posedge clk) begin
    kept_aw <= began && m_awvalid && !m_awready;
    kept_address <= {m_awaddr, m_awlen};
    kept_w <= began && m_wvalid && !m_wready;
    kept_data <= {m_wlast, m_wstrb, m_wdata};
  end
  always_comb begin
    assume (rst == !began);
    if (began) begin
      assume (rows != '0 && rows <= 16'(ROWS) && cols != '0 && cols <= 16'(COLS));
      // Rows do not overlap, and lie where addresses have few bits.
      assume (stride >= cols && stride <= 16'(COLS + 1) && base < 32'(4 << LOG_EPB_OUT));
      assume (insn[F_MEM_Y_PAD_0+:16] == '0 && insn[F_MEM_SRAM_BASE+:16] == '0);
      assert (!hit || (in_window && !written));
      assert (!w || (beat == lens[head]) == m_wlast);
      assert (!kept_aw || (m_awvalid && kept_address == {m_awaddr, m_awlen}));
      assert (!kept_w || (m_wvalid && kept_data == {m_wlast, m_wstrb, m_wdata}));
      assert (!retired || (written == in_window && bursts == '0 && owed == '0 && !m_awvalid && !m_wvalid));
      assert (!over || (!m_awvalid && !m_wvalid));
      assert (!fault && !overflow);
    end
  end
endmodule
