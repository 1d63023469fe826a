//===- acc_pad.sv - Scratchpad ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A scratchpad of elements of ELEM bits that takes a whole beat of the memory
// port per cycle, whatever the ratio of the two:
//
// - Elements narrower than a beat: NB banks, entry e in bank e mod NB, so that
//   any NB consecutive entries can be written or read at once. Lane l of the
//   data belongs to bank (l + rot) mod NB; `w_lanes` says which lanes count.
// - Elements wider than a beat: NS slices with a write enable each.
//
//   r_entry -> [banks] -> q -> [output register] -> rotate -> r_data
//   cycle 0               1                         2
//
// Read latency 2, and the bank multiplexer after it (none if NB is 1); writes
// take effect at the end of the cycle. With GROUP, r_data holds the NB entries
// from r_entry on; otherwise one entry.
module acc_pad #(
    parameter int ELEM = 8,
    parameter int LOG_DEPTH = 4,
    parameter int LOG_NB = 0,
    parameter int NS = 1,
    parameter bit GROUP = 0,
    localparam int NB = 1 << LOG_NB,
    localparam int LOG_ROT = LOG_NB > 0 ? LOG_NB : 1,
    localparam int READ = GROUP ? NB * ELEM : ELEM
) (
    input  logic                 clk,
    input  logic                 w_en,
    input  logic [LOG_DEPTH-1:0] w_entry,
    input  logic [  LOG_ROT-1:0] w_rot,
    input  logic [       NB-1:0] w_lanes,
    input  logic [       NS-1:0] w_slices,
    input  logic [  NB*ELEM-1:0] w_data,
    input  logic                 r_en,
    input  logic [LOG_DEPTH-1:0] r_entry,
    output logic [     READ-1:0] r_data
);
  localparam int SLICE = ELEM / NS;
  // At least one address bit, also where one row would hold all entries.
  localparam int LOG_ROWS = LOG_DEPTH > LOG_NB ? LOG_DEPTH - LOG_NB : 1;

  logic [NB*ELEM-1:0] banks;

  if (NB == 1) begin : g_single
    for (genvar s = 0; s < NS; s++) begin : g_slice
      acc_ram #(
          .WIDTH(SLICE),
          .LOG_DEPTH(LOG_ROWS)
      ) ram (
          .clk,
          .w_en(w_en && w_lanes[0] && w_slices[s]),
          .w_addr(w_entry),
          .w_data(w_data[s*SLICE+:SLICE]),
          .r_en,
          .r_addr(r_entry),
          .r_data(banks[s*SLICE+:SLICE])
      );
    end
    assign r_data = banks;
    wire unused = &{1'b0, w_rot};
  end else begin : g_banked
    logic [LOG_ROWS-1:0] w_row, r_row;
    logic [LOG_NB-1:0] w_low, r_low, r_low1, r_low2;
    assign w_row = LOG_ROWS'(w_entry >> LOG_NB);
    assign r_row = LOG_ROWS'(r_entry >> LOG_NB);
    assign w_low = LOG_NB'(w_entry);
    assign r_low = LOG_NB'(r_entry);
    always_ff @(posedge clk) begin
      r_low1 <= r_low;
      r_low2 <= r_low1;
    end
    for (genvar b = 0; b < NB; b++) begin : g_bank
      localparam bit [LOG_NB-1:0] INDEX = LOG_NB'(b);
      logic [LOG_NB-1:0] lane;
      logic [LOG_ROWS-1:0] w_at, r_at;
      logic [ELEM-1:0] value;
      assign lane  = INDEX - w_rot;
      assign value = w_data[int'(lane)*ELEM+:ELEM];
      // The last bank never wraps, which is a comparison with a constant result.
      /* verilator lint_off CMPCONST */
      assign w_at  = w_row + LOG_ROWS'(INDEX < w_low);
      assign r_at  = GROUP ? r_row + LOG_ROWS'(INDEX < r_low) : r_row;
      /* verilator lint_on CMPCONST */
      for (genvar s = 0; s < NS; s++) begin : g_slice
        acc_ram #(
            .WIDTH(SLICE),
            .LOG_DEPTH(LOG_ROWS)
        ) ram (
            .clk,
            .w_en(w_en && w_lanes[lane] && w_slices[s]),
            .w_addr(w_at),
            .w_data(value[s*SLICE+:SLICE]),
            .r_en,
            .r_addr(r_at),
            .r_data(banks[b*ELEM+s*SLICE+:SLICE])
        );
      end
    end
    for (genvar l = 0; l < READ / ELEM; l++) begin : g_lane
      logic [LOG_NB-1:0] bank;
      assign bank = r_low2 + LOG_NB'(l);
      assign r_data[l*ELEM+:ELEM] = banks[int'(bank)*ELEM+:ELEM];
    end
  end
endmodule
