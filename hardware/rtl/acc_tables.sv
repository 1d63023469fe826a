//===- acc_tables.sv - Tables of the ALU ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The tables of the ALU's operation `table`: for every lane the low bits of the
// last micro-ops, of which this is a copy. One block RAM with two ports serves
// two lanes, and its ports write when micro-ops are loaded: nothing is looked up
// then.
//
//   r_table, r_index -> [RAM] -> q -> [output register] -> (bank) -> r_data
//   cycle 0                      1                         2
//
// A RAM takes two micro-ops per cycle. Where a beat of the memory port has more,
// there are NB banks, entry e in bank e mod NB; all of them are read. Lane l of a
// beat writes the entry w_base + l: bank b takes the lanes l and l + NB for which
// that is b mod NB.
import acc_pkg::*;

module acc_tables (
    input  logic                                       clk,
    input  logic                                       w_en,
    input  logic [          16:0]                      w_base,
    input  logic [(1<<LOG_EPB_UOP)-1:0]                w_lanes,
    input  logic [      PORT-1:0]                      w_data,
    input  logic                                       r_en,
    input  logic [TABLE_BITS-1:0]                      r_table,
    input  logic [BATCH*BLOCK_OUT-1:0][LOG_TABLE_ENTRIES-1:0] r_index,
    output logic [BATCH*BLOCK_OUT-1:0][7:0]            r_data
);
  localparam int LANES = BATCH * BLOCK_OUT;
  localparam int LOG_NB = LOG_EPB_UOP > 1 ? LOG_EPB_UOP - 1 : 0;
  localparam int NB = 1 << LOG_NB;
  localparam bit TWO = LOG_EPB_UOP > 0;  // A beat has two micro-ops for a bank.
  localparam int WORDS = LOG_TABLES + LOG_TABLE_ENTRIES;  // log2 of all entries.
  localparam int ROWS = WORDS - LOG_NB;
  localparam int LOG_PICK = LOG_NB > 0 ? LOG_NB : 1;

  // --- what is written: two micro-ops for each bank ---
  logic [NB-1:0][1:0] writes;
  logic [NB-1:0][1:0][ROWS-1:0] rows;
  logic [NB-1:0][1:0][7:0] values;
  for (genvar b = 0; b < NB; b++) begin : g_write
    logic [LOG_PICK-1:0] first;
    assign first = LOG_NB > 0 ? LOG_PICK'(b) - w_base[LOG_PICK-1:0] : '0;
    for (genvar p = 0; p < 2; p++) begin : g_port
      if (p == 0 || TWO) begin : g_used
        int lane;
        logic [16:0] entry;
        assign lane = int'(first) + p * NB;
        assign entry = w_base + 17'(lane);
        // The tables are the last micro-ops.
        assign writes[b][p] = w_en && w_lanes[lane] && (&entry[LOG_UOP_DEPTH-1:WORDS]);
        assign rows[b][p] = entry[LOG_NB+:ROWS];
        assign values[b][p] = w_data[lane*32+:8];
        wire unused = &{1'b0, entry};
      end else begin : g_unused
        assign writes[b][p] = 1'b0;
        assign rows[b][p] = '0;
        assign values[b][p] = '0;
      end
    end
  end

  // --- lookups ---
  logic [LANES-1:0][WORDS-1:0] entries;
  for (genvar l = 0; l < LANES; l++) begin : g_entry
    assign entries[l] = WORDS'({r_table, r_index[l]});
  end
  for (genvar l = 0; l < LANES; l += 2) begin : g_pair
    localparam bit BOTH = l + 1 < LANES;
    localparam int OTHER = BOTH ? l + 1 : l;
    logic [NB*16-1:0] found;
    logic [2*LOG_PICK-1:0] pick1, pick2;
    for (genvar b = 0; b < NB; b++) begin : g_bank
      logic [ROWS-1:0] at, other_at;
      assign at = w_en ? rows[b][0] : entries[l][LOG_NB+:ROWS];
      assign other_at = w_en ? rows[b][1] : entries[OTHER][LOG_NB+:ROWS];
      acc_ram_dual #(
          .WIDTH(8),
          .LOG_DEPTH(ROWS)
      ) ram (
          .clk,
          .en({2{w_en || r_en || !GATE_IDLE}}),
          .w_en(writes[b]),
          .addr({other_at, at}),
          .w_data(values[b]),
          .r_data(found[b*16+:16])
      );
    end
    always_ff @(posedge clk) begin
      pick1 <= {entries[OTHER][LOG_PICK-1:0], entries[l][LOG_PICK-1:0]};
      pick2 <= pick1;
    end
    wire unused_pick = &{1'b0, pick2};
    assign r_data[l] = found[(LOG_NB > 0 ? int'(pick2[LOG_PICK-1:0]) : 0)*16+:8];
    if (BOTH) begin : g_both
      assign r_data[OTHER] = found[(LOG_NB > 0 ? int'(pick2[LOG_PICK+:LOG_PICK]) : 0)*16+8+:8];
    end else begin : g_one
      wire unused = &{1'b0, found, pick2};
    end
  end
  wire unused = &{1'b0, w_data};
endmodule
