//===- prove_fetch.sv - What fetch must do ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The beats of the stream are asked for in order, each once, and nothing else;
// the instructions are handed on in the order of the stream, each once, to one
// queue, and stay until they are taken. When fetch is idle and has not found a
// fault, all of them are.
//
// Memory answers in order, whenever it likes. It writes the number of every
// instruction, or half of one where a beat is that narrow, into its upper bits;
// everything else in the instructions is arbitrary.
import acc_pkg::*;

module prove_fetch #(
    // log2 of the instructions of a stream, which the solver's time depends on.
    parameter int LOG_LENGTH = 4
) (
    input logic            clk,
    input logic            rst,
    input logic            start,
    input logic [ADDR-1:0] address,
    input logic [    31:0] count,
    input logic            req_ready,
    input logic            beat_valid,
    input logic [PORT-1:0] beat_data,
    input logic [     2:0] queue_ready
);
  localparam int CHUNK = PORT < 128 ? PORT : 128;
  localparam int PER_BEAT = PORT / CHUNK;
  localparam int PER_INSN = 128 / CHUNK;
  localparam int TAG = 4;
  localparam int N = LOG_LENGTH + 3;  // Bits of a count of beats or chunks.
  localparam int MAX_BURST = 1 << LOG_MAX_BURST;
  logic req_valid, beat_ready, fault, busy;
  logic [BEAT_ADDR-1:0] req_addr;
  logic [LOG_MAX_BURST-1:0] req_len;
  logic [2:0] queue_valid, waits_queue;
  logic [127:0] queue_insn;
  logic [3:0] fault_code;
  logic [31:0] number;
  acc_fetch fetch (.*);

  // --- what memory was asked for, what it has sent ---
  logic began = 1'b0, running, failed, fire, come;
  logic [31:0] length;
  logic [BEAT_ADDR-1:0] first;
  logic [N-1:0] asked, came, taken, total;
  assign fire  = req_valid && req_ready;
  assign come  = beat_valid && beat_ready;
  assign total = (N'(length) * N'(PER_INSN) + N'(PER_BEAT - 1)) / N'(PER_BEAT);
  always_ff @(posedge clk) begin
    began <= 1'b1;
    if (rst) running <= 1'b0;
    else if (start) running <= 1'b1;
    failed <= !rst && (failed || fault);
    if (start) begin
      length <= count;
      first  <= BEAT_ADDR'(address >> LOG_PORT_BYTES);
    end
    asked <= rst || start ? '0 : asked + (fire ? N'(req_len) + N'(1) : '0);
    came  <= rst || start ? '0 : came + N'(come);
    taken <= rst || start ? '0 : taken + N'(fetch.take);
  end

  // --- numbers ---
  function automatic logic carries(input logic [PORT-1:0] data, input logic [N-1:0] which);
    carries = 1'b1;
    for (int c = 0; c < PER_BEAT; c++)
      if (data[(c+1)*CHUNK-1-:TAG] != TAG'(which * N'(PER_BEAT) + N'(c))) carries = 1'b0;
  endfunction
  function automatic logic is_number(input logic [127:0] insn, input logic [31:0] which);
    is_number = 1'b1;
    for (int c = 0; c < PER_INSN; c++)
      if (insn[(c+1)*CHUNK-1-:TAG] != TAG'(which * 32'(PER_INSN) + 32'(c))) is_number = 1'b0;
  endfunction

  logic kept;
  logic [130:0] kept_queue;
  logic [N-1:0] loaded;  // Instructions that have left the FIFO.
  assign loaded = N'(length) - N'(fetch.left);
  always_ff @(posedge clk) begin
    kept <= !rst && queue_valid != '0 && (queue_valid & queue_ready) == '0;
    kept_queue <= {queue_valid, queue_insn};
  end

  localparam int LOG_FIFO = LOG_MAX_BURST + 2;  // as in acc_fetch
  logic [LOG_FIFO-1:0] span;
  assign span = fetch.fifo.tail - fetch.fifo.head;
  for (genvar i = 0; i < (1 << LOG_FIFO); i++) begin : g_word
    logic [LOG_FIFO-1:0] place;
    assign place = fetch.fifo.head + LOG_FIFO'(i);
    always_comb
      if (began && running)
        assert (32'(fetch.fifo_count) <= 32'(i) || carries(PORT'(fetch.fifo.mem[place]), taken + N'(i)));
  end

  always_comb begin
    assume (began || rst);
    // Started once after a reset, with a stream that starts where an instruction and a beat do.
    assume (!start || !running);
    assume (count < 32'(1 << LOG_LENGTH));
    assume (address[LOG_PORT_BYTES-1:0] == '0 && address[3:0] == '0);
    assume (!beat_valid || (running && came < asked && carries(beat_data, came)));
    if (began) begin
      // Requests.
      if (req_valid) begin
        assert (running);
        assert (req_addr == first + BEAT_ADDR'(asked));
        assert (asked + N'(req_len) < total);
        assert (32'(req_addr[LOG_MAX_BURST-1:0]) + 32'(req_len) < 32'(MAX_BURST));
      end
      assert (!beat_valid || beat_ready);
      // Instructions.
      if (queue_valid != '0) begin
        assert (number < length && is_number(queue_insn, number));
        assert (queue_valid == 3'b001 || queue_valid == 3'b010 || queue_valid == 3'b100);
      end
      assert (!kept || kept_queue == {queue_valid, queue_insn});
      if (running && !busy && !failed && !fault) assert (number == length);

      // The states there are.
      assert (fetch.fifo_count <= (LOG_FIFO + 1)'(1 << LOG_FIFO));
      assert (span == fetch.fifo_count[LOG_FIFO-1:0]);
      assert (fetch.fifo_valid == (fetch.fifo_count != '0));
      assert (!fetch.fifo_valid || fetch.fifo.out_data == fetch.fifo.mem[fetch.fifo.head]);
      assert (fetch.q_valid || queue_valid == '0);
      if (!running)
        assert (!fetch.asking && fetch.fifo_count == '0 && fetch.reserved == '0 && !fetch.d_valid && !fetch.q_valid);
      else begin
        assert (length < 32'(1 << LOG_LENGTH) && number <= length);
        assert (asked <= total && came <= asked && taken <= came);
        assert (N'(fetch.reserved) == asked - taken && fetch.reserved <= (LOG_FIFO + 1)'(1 << LOG_FIFO));
        assert (N'(fetch.fifo_count) == came - taken);
        if (fetch.asking) begin
          assert (fetch.rest == 34'(total - asked) && fetch.rest != '0);
          assert (fetch.addr == first + BEAT_ADDR'(asked));
          assert (32'(fetch.room) == 32'(MAX_BURST) - 32'(fetch.addr[LOG_MAX_BURST-1:0]));
        end else assert (asked == total);
        assert (fetch.left <= length);
        assert (N'(number) + N'(fetch.q_valid) + N'(fetch.d_valid) + N'(fetch.left) == N'(length));
        assert (!fetch.d_valid || is_number(fetch.d, 32'(loaded - N'(1))));
        assert (!fetch.d_valid || fetch.d_last == (fetch.left == '0));
        assert (!fetch.q_valid || is_number(queue_insn, number));
        assert (!fetch.q_valid || queue_valid != '0 || failed || fault);
        assert (length != '0 || failed || fault);
      end
    end
  end
  if (PER_INSN == 2) begin : g_halves
    always_comb
      if (began && running) begin
        assert (taken == loaded * N'(2) + N'(fetch.g_gather.half));
        assert (!fetch.g_gather.half || fetch.g_gather.low[CHUNK-1-:TAG] == TAG'(loaded * N'(2)));
      end else if (began) assert (!fetch.g_gather.half);
  end else if (PER_BEAT == 1) begin : g_whole
    always_comb if (began && running) assert (taken == loaded);
  end else begin : g_several
    // Of the last beat, what is behind the stream is passed over.
    always_comb
      if (began && running) begin
        if (fetch.left != '0) assert (taken * N'(PER_BEAT) + N'(fetch.g_split.which) == loaded);
        else assert (taken == total || (taken + N'(1) == total && N'(fetch.g_split.which) != '0));
      end else if (began) assert (fetch.g_split.which == '0);
  end
endmodule
