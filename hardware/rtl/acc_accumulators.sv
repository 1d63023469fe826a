//===- acc_accumulators.sv - Accumulators of two units ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The accumulators and the copy of their low bits, `out`, in ACC_BANKS banks by
// the top bits of an entry, each with one port for reads and one for writes.
//
// GEMM, ALU and LOAD use them at once, each another bank: acc_compute does not
// start an instruction as long as another unit uses one of its banks. So a bank
// takes the address of whoever names it, and nobody ever waits.
//
//   r_entry -> [banks] -> q -> [output register] -> bank of the entry -> r_data
//   cycle 0               1                         2
//
// Within a bank it is what acc_pad is: rows of NB entries of which a beat
// writes any NB consecutive ones, also across the end of a bank, and slices of
// elements that are wider than a beat.
import acc_pkg::*;

module acc_accumulators #(
    parameter  int NB = 1,
    parameter  int NS = 1,
    localparam int DB = LOG_ACC_DEPTH,
    localparam int LOG_NB = LOG_EPB_OUT,
    localparam int ROT = LOG_NB > 0 ? LOG_NB : 1
) (
    input  logic                    clk,
    // A LOAD: a beat.
    input  logic                    load_en,
    input  logic [          DB-1:0] load_entry,
    input  logic [         ROT-1:0] load_rot,
    input  logic [          NB-1:0] load_lanes,
    input  logic [          NS-1:0] load_slices,
    input  logic [ NB*ACC_ELEM-1:0] load_data,
    // By unit, GEMM and ALU: an entry.
    input  logic [             1:0] w_en,
    input  logic [        2*DB-1:0] w_entry,
    input  logic [  2*ACC_ELEM-1:0] w_data,
    input  logic [             1:0] r_en,
    input  logic [        2*DB-1:0] r_entry,
    output logic [  2*ACC_ELEM-1:0] r_data,
    // Of `out`, for the store module: NB entries.
    input  logic                    out_en,
    input  logic [LOG_OUT_ADDR-1:0] out_entry,
    output logic [ NB*OUT_ELEM-1:0] out_data
);
  localparam int BB = LOG_ACC_BANKS;
  localparam int RB = DB - LOG_NB;  // Bits of a row's number.
  localparam int IB = RB - BB;  // Those of a row in its bank.
  localparam int LOG_ROWS = IB > 0 ? IB : 1;
  localparam int WORDS = ACC_ELEM / 32;

  // Rows are numbered with a bit more: a beat may end beyond the last one.
  function automatic logic [LOG_ROWS-1:0] row_of(input logic [RB-1:0] row);
    row_of = LOG_ROWS'(row & RB'((1 << IB) - 1));
  endfunction
  function automatic logic [ROT-1:0] low_of(input logic [DB-1:0] entry);
    low_of = ROT'(entry & DB'(NB - 1));
  endfunction

  logic [ACC_BANKS*NB*ACC_ELEM-1:0] acc_words;
  logic [ACC_BANKS*NB*OUT_ELEM-1:0] out_words;

  // By lane bank b: the row that a beat writes, that the store module reads.
  logic [NB*RB-1:0] load_row, out_row;
  logic [NB-1:0] load_lane;
  logic [NB*ACC_ELEM-1:0] load_value;
  for (genvar b = 0; b < NB; b++) begin : g_lane
    localparam bit [ROT-1:0] INDEX = ROT'(b);
    logic [ROT-1:0] lane;
    assign lane = NB == 1 ? '0 : INDEX - load_rot;
    assign load_lane[b] = load_lanes[lane];
    assign load_value[b*ACC_ELEM+:ACC_ELEM] = load_data[int'(lane)*ACC_ELEM+:ACC_ELEM];
    // The last bank never wraps, which is a comparison with a constant result.
    /* verilator lint_off CMPCONST */
    /* verilator lint_off UNSIGNED */
    assign load_row[b*RB+:RB] = RB'(load_entry >> LOG_NB) + RB'(INDEX < low_of(load_entry));
    assign out_row[b*RB+:RB] = RB'(out_entry >> LOG_NB) + RB'(INDEX < low_of(DB'(out_entry)));
    /* verilator lint_on UNSIGNED */
    /* verilator lint_on CMPCONST */
  end

  for (genvar t = 0; t < ACC_BANKS; t++) begin : g_bank
    localparam bit [BB-1:0] BANK = BB'(t);
    // Which unit names the bank; there is one at most.
    logic reads_alu, reads_gemm, writes_alu, writes_gemm;
    logic [DB-1:0] r_at, w_at;
    assign reads_gemm = r_en[0] && r_entry[0*DB+DB-1-:BB] == BANK;
    assign reads_alu = r_en[1] && r_entry[1*DB+DB-1-:BB] == BANK;
    assign writes_gemm = w_en[0] && w_entry[0*DB+DB-1-:BB] == BANK;
    assign writes_alu = w_en[1] && w_entry[1*DB+DB-1-:BB] == BANK;
    assign r_at = reads_alu ? r_entry[DB+:DB] : r_entry[0+:DB];
    assign w_at = writes_alu ? w_entry[DB+:DB] : w_entry[0+:DB];
    logic [ACC_ELEM-1:0] value;
    assign value = writes_alu ? w_data[ACC_ELEM+:ACC_ELEM] : w_data[0+:ACC_ELEM];
    for (genvar b = 0; b < NB; b++) begin : g_lane
      logic loads, executes;
      logic [LOG_ROWS-1:0] w_row;
      logic [ACC_ELEM-1:0] data;
      logic [OUT_ELEM-1:0] out;
      assign loads = load_en && load_lane[b] && load_row[b*RB+RB-1-:BB] == BANK;
      assign executes = (writes_gemm || writes_alu) && low_of(w_at) == ROT'(b);
      assign w_row = row_of(loads ? load_row[b*RB+:RB] : RB'(w_at >> LOG_NB));
      assign data = loads ? load_value[b*ACC_ELEM+:ACC_ELEM] : value;
      for (genvar w = 0; w < WORDS; w++) begin : g_word
        assign out[w*OUT_BITS+:OUT_BITS] = data[w*32+:OUT_BITS];
      end
      for (genvar s = 0; s < NS; s++) begin : g_slice
        localparam int SLICE = ACC_ELEM / NS, OUT_SLICE = OUT_ELEM / NS;
        logic en;
        assign en = (loads && load_slices[s]) || executes;
        acc_ram #(
            .WIDTH(SLICE),
            .LOG_DEPTH(LOG_ROWS)
        ) acc (
            .clk,
            .w_en(en),
            .w_addr(w_row),
            .w_data(data[s*SLICE+:SLICE]),
            .r_en(reads_gemm || reads_alu || !GATE_IDLE),
            .r_addr(row_of(RB'(r_at >> LOG_NB))),
            .r_data(acc_words[(t*NB+b)*ACC_ELEM+s*SLICE+:SLICE])
        );
        acc_ram #(
            .WIDTH(OUT_SLICE),
            .LOG_DEPTH(LOG_ROWS)
        ) low (
            .clk,
            .w_en(en),
            .w_addr(w_row),
            .w_data(out[s*OUT_SLICE+:OUT_SLICE]),
            .r_en(out_en),
            .r_addr(row_of(out_row[b*RB+:RB])),
            .r_data(out_words[(t*NB+b)*OUT_ELEM+s*OUT_SLICE+:OUT_SLICE])
        );
      end
    end
  end

  // Which bank and lane bank the data come from.
  for (genvar k = 0; k < 2; k++) begin : g_read
    logic [BB-1:0] bank1, bank2;
    logic [ROT-1:0] low1, low2;
    always_ff @(posedge clk) begin
      bank1 <= r_entry[k*DB+DB-1-:BB];
      bank2 <= bank1;
      low1  <= low_of(r_entry[k*DB+:DB]);
      low2  <= low1;
    end
    assign r_data[k*ACC_ELEM+:ACC_ELEM] = acc_words[(int'(bank2)*NB+int'(low2))*ACC_ELEM+:ACC_ELEM];
  end
  logic [NB*BB-1:0] out_bank1, out_bank2;
  logic [ROT-1:0] out_low1, out_low2;
  always_ff @(posedge clk) begin
    for (int b = 0; b < NB; b++) out_bank1[b*BB+:BB] <= out_row[b*RB+RB-1-:BB];
    out_bank2 <= out_bank1;
    out_low1  <= low_of(DB'(out_entry));
    out_low2  <= out_low1;
  end
  for (genvar l = 0; l < NB; l++) begin : g_out
    logic [ROT-1:0] b;
    assign b = NB == 1 ? '0 : out_low2 + ROT'(l);
    assign out_data[l*OUT_ELEM+:OUT_ELEM] = out_words[(int'(out_bank2[int'(b)*BB+:BB])*NB+int'(b))*OUT_ELEM+:OUT_ELEM];
  end
  wire unused = &{1'b0, load_rot, out_entry};
endmodule
