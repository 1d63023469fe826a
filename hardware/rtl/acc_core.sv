//===- acc_core.sv - The accelerator ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The whole accelerator: registers, memory port, and the modules.
//
//                 .-> queue -> load ------> inp, wgt --.
//   mem -> fetch -+-> queue -> compute <-> acc, uop <--'   tokens: load <-> compute
//                 '-> queue -> store <---- out <- compute          compute <-> store
//
// Registers of 32 bits. `reg_addr` counts words; the numbers of registers and
// bits are REG_* and B_* of the package, from runtime/vta/isa/isa.toml:
//
//   CONTROL   write bit START: start. Everything but the scratchpads is reset,
//             which keep what the streams before left. After an error, wait
//             until memory has answered what was asked.
//   STATUS    bits BUSY, DONE, ERROR; the counters below are complete with DONE
//             or ERROR, and up to 20 cycles late while BUSY
//   STREAM_LO, STREAM_HI   byte address of the stream, a multiple of the larger
//             of a beat and 16 bytes
//   COUNT     instructions
//   LIMIT     cycles without progress after which the watchdog gives up
//   ERROR     bits CODE (FETCH_*, FAULT_* + ERROR_FAULTS, ERROR_*), UNIT (UNIT_*)
//   PLACE     which instruction of that unit, counted from 0
//   WAITING   who waited for whom when the watchdog gave up: bits
//             LOAD_FOR_COMPUTE (load for a token of compute) and so on; QUEUES:
//             fetch for room in the queue of load, compute, store; MEMORY: it
//             has not answered; FINISHED: FINISH has retired
//   CYCLES_LO, CYCLES_HI
//   LOAD_INSTRUCTIONS, ...  instructions retired by load, compute, store
//   LOAD_BUSY, ...          cycles in which load, compute, store were busy
//   GEMM_STEPS, RESET_STEPS, ALU_STEPS   operations
//   READ_BEATS, WRITE_BEATS
//   LOAD_WAITS, ...         cycles in which load, compute, store waited for a
//             token
//
// `events` pulses: 0, 1 load starts, retires an instruction; 2, 3 compute; 4, 5
// store.
//
// Prefixes of signals, in all modules:
//
//   m_  the memory port (AXI4)          req_, beat_  a module's side of it
//   w_  write port of a memory          r_  its read port; in acc_walk, what is
//   l_  that of load, which writes          kept of the instruction
//       inp and wgt inside compute      x_  an operation on its way from
//   d_  acc_fetch: the instruction          acc_sequence to acc_execute
//       being decoded                   q_  acc_fetch: the one behind it
//   g_  acc_fill: the segment being generated, s_  the next, c_  the current one
//   acc_sequence: i_, o_, u_  inner loop, outer loop, micro-op;
//       d_, s_, w_  indices of destination, source, weight; f_  the operation at
//       the end of the FIFO; h_  the one behind it, which is issued next
//
// Blocks of `generate` are called g_*, too.
import acc_pkg::*;

module acc_core (
    input  logic              clk,
    input  logic              rst,
    input  logic              reg_write,
    input  logic [       4:0] reg_addr,
    input  logic [      31:0] reg_wdata,
    output logic [      31:0] reg_rdata,
    output logic              done,
    output logic              error,
    output logic [       5:0] events,
    output logic              m_arvalid,
    input  logic              m_arready,
    output logic [       1:0] m_arid,
    output logic [  ADDR-1:0] m_araddr,
    output logic [       7:0] m_arlen,
    input  logic              m_rvalid,
    output logic              m_rready,
    input  logic [       1:0] m_rid,
    input  logic [  PORT-1:0] m_rdata,
    input  logic [       1:0] m_rresp,
    output logic              m_awvalid,
    input  logic              m_awready,
    output logic [  ADDR-1:0] m_awaddr,
    output logic [       7:0] m_awlen,
    output logic              m_wvalid,
    input  logic              m_wready,
    output logic [  PORT-1:0] m_wdata,
    output logic [PORT/8-1:0] m_wstrb,
    output logic              m_wlast,
    input  logic              m_bvalid,
    output logic              m_bready,
    input  logic [       1:0] m_bresp
);
  // --- control ---
  logic start, launch, reset, running;
  logic [63:0] stream;
  logic [31:0] count, limit;
  assign start = reg_write && reg_addr == REG_CONTROL && reg_wdata[B_CONTROL_START];
  always_ff @(posedge clk) begin
    if (rst) limit <= 32'd65536;
    else if (reg_write && reg_addr == REG_LIMIT) limit <= reg_wdata;
    if (reg_write && reg_addr == REG_STREAM_LO) stream[31:0] <= reg_wdata;
    if (reg_write && reg_addr == REG_STREAM_HI) stream[63:32] <= reg_wdata;
    if (reg_write && reg_addr == REG_COUNT) count <= reg_wdata;
    reset  <= rst || start;
    launch <= !rst && start;
  end

  logic go;
  always_ff @(posedge clk) go <= launch && !rst;

  // --- memory port ---
  logic [2:0] req_valid, req_ready, beat_valid, beat_ready;
  logic [BEAT_ADDR-1:0] addr_f, addr_c, addr_l;
  logic [LOG_MAX_BURST-1:0] len_f, len_c, len_l;
  logic [PORT-1:0] beat_data;
  logic read_fault;
  logic [1:0] read_fault_client;
  acc_read_port port (
      .clk,
      .rst(reset),
      .req_valid,
      .req_ready,
      .req_addr({addr_l, addr_c, addr_f}),
      .req_len({len_l, len_c, len_f}),
      .beat_valid,
      .beat_ready,
      .beat_data,
      .fault(read_fault),
      .fault_client(read_fault_client),
      .m_arvalid,
      .m_arready,
      .m_arid,
      .m_araddr,
      .m_arlen,
      .m_rvalid,
      .m_rready,
      .m_rid,
      .m_rdata,
      .m_rresp
  );

  // --- fetch and the three queues ---
  logic [2:0] put_valid, put_ready, get_valid, get_ready, waits_queue;
  logic [127:0] put_insn, load_insn, compute_insn, store_insn;
  logic fetch_fault, fetch_busy;
  logic [3:0] fetch_code;
  logic [31:0] fetch_number;
  acc_fetch fetch (
      .clk,
      .rst(reset),
      .start(go),
      .address(ADDR'(stream)),
      .count,
      .req_valid(req_valid[0]),
      .req_ready(req_ready[0]),
      .req_addr(addr_f),
      .req_len(len_f),
      .beat_valid(beat_valid[0]),
      .beat_ready(beat_ready[0]),
      .beat_data,
      .queue_valid(put_valid),
      .queue_ready(put_ready),
      .queue_insn(put_insn),
      .waits_queue,
      .fault(fetch_fault),
      .fault_code(fetch_code),
      .number(fetch_number),
      .busy(fetch_busy)
  );
  logic [2:0] queue_empty, nop;
  acc_queue load_queue (
      .clk,
      .rst(reset),
      .in_valid(put_valid[0]),
      .in_ready(put_ready[0]),
      .in_insn(put_insn),
      .out_valid(get_valid[0]),
      .out_ready(get_ready[0]),
      .out_insn(load_insn),
      .out_nop(nop[0]),
      .empty(queue_empty[0])
  );
  acc_queue compute_queue (
      .clk,
      .rst(reset),
      .in_valid(put_valid[1]),
      .in_ready(put_ready[1]),
      .in_insn(put_insn),
      .out_valid(get_valid[1]),
      .out_ready(get_ready[1]),
      .out_insn(compute_insn),
      .out_nop(nop[1]),
      .empty(queue_empty[1])
  );
  acc_queue store_queue (
      .clk,
      .rst(reset),
      .in_valid(put_valid[2]),
      .in_ready(put_ready[2]),
      .in_insn(put_insn),
      .out_valid(get_valid[2]),
      .out_ready(get_ready[2]),
      .out_insn(store_insn),
      .out_nop(nop[2]),
      .empty(queue_empty[2])
  );

  // --- tokens: load to compute, compute to load, compute to store, store to compute ---
  logic [3:0] push, pop, token, token_overflow;
  for (genvar q = 0; q < 4; q++) begin : g_tokens
    acc_tokens #(
        .LOG_DEPTH(LOG_TOKENS)
    ) tokens (
        .clk,
        .rst(reset),
        .push(push[q]),
        .pop(pop[q]),
        .available(token[q]),
        .overflow(token_overflow[q])
    );
  end

  // --- modules ---
  logic l_en, l_zero;
  logic [1:0] l_kind;
  logic [16:0] l_entry, l_base;
  logic [LOAD_LANES-1:0] l_lanes;
  logic [LOG_MAX_BEATS-1:0] l_slice;
  logic [PORT-1:0] l_data;
  logic load_waits, load_started, load_retired, load_overflow, load_busy;
  acc_load load (
      .clk,
      .rst(reset),
      .insn_valid(get_valid[0]),
      .insn_ready(get_ready[0]),
      .insn(load_insn),
      .nop(nop[0]),
      .token_compute(token[1]),
      .pop_compute(pop[1]),
      .push_compute(push[0]),
      .req_valid(req_valid[2]),
      .req_ready(req_ready[2]),
      .req_addr(addr_l),
      .req_len(len_l),
      .beat_valid(beat_valid[2]),
      .beat_ready(beat_ready[2]),
      .beat_data,
      .w_en(l_en),
      .w_zero(l_zero),
      .w_kind(l_kind),
      .w_entry(l_entry),
      .w_base(l_base),
      .w_lanes(l_lanes),
      .w_slice(l_slice),
      .w_data(l_data),
      .waits_compute(load_waits),
      .started(load_started),
      .retired(load_retired),
      .overflow(load_overflow),
      .busy(load_busy)
  );

  logic out_en;
  logic [LOG_OUT_ADDR-1:0] out_entry;
  logic [OUT_LANES*OUT_ELEM-1:0] out_data;
  logic compute_waits_load, compute_waits_store, compute_started, compute_retired, finished, compute_fault;
  logic compute_overflow, load_step, gemm_step, reset_step, alu_step, compute_busy;
  logic [2:0] compute_code;
  logic [15:0] compute_number;
  acc_compute compute (
      .clk,
      .rst(reset),
      .insn_valid(get_valid[1]),
      .insn_ready(get_ready[1]),
      .insn(compute_insn),
      .nop(nop[1]),
      .token_load(token[0]),
      .token_store(token[3]),
      .pop_load(pop[0]),
      .pop_store(pop[3]),
      .push_load(push[1]),
      .push_store(push[2]),
      .req_valid(req_valid[1]),
      .req_ready(req_ready[1]),
      .req_addr(addr_c),
      .req_len(len_c),
      .beat_valid(beat_valid[1]),
      .beat_ready(beat_ready[1]),
      .beat_data,
      .l_en,
      .l_zero,
      .l_kind,
      .l_entry,
      .l_base,
      .l_lanes,
      .l_slice,
      .l_data,
      .out_en,
      .out_entry,
      .out_data,
      .waits_load(compute_waits_load),
      .waits_store(compute_waits_store),
      .started(compute_started),
      .retired(compute_retired),
      .finished,
      .fault(compute_fault),
      .fault_code(compute_code),
      .fault_number(compute_number),
      .overflow(compute_overflow),
      .load_step,
      .gemm_step,
      .reset_step,
      .alu_step,
      .busy(compute_busy)
  );

  logic store_waits, store_started, store_retired, store_fault, store_overflow, store_busy;
  acc_store store (
      .clk,
      .rst(reset),
      .insn_valid(get_valid[2]),
      .insn_ready(get_ready[2]),
      .insn(store_insn),
      .nop(nop[2]),
      .token_compute(token[2]),
      .pop_compute(pop[2]),
      .push_compute(push[3]),
      .out_en,
      .out_entry,
      .out_data,
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
      .m_bresp,
      .waits_compute(store_waits),
      .started(store_started),
      .retired(store_retired),
      .fault(store_fault),
      .overflow(store_overflow),
      .busy(store_busy)
  );

  // --- end, errors, watchdog ---
  logic finish_seen, quiet, moved, gave_up, failed;
  // A run has ended, and its last events reach the counters' words.
  logic [5:0] settling;
  logic [3:0] tokens_failed;
  logic [31:0] patience;  // cycles until the watchdog gives up
  logic [3:0] code;
  logic [1:0] unit;
  logic [31:0] waiting, waiting_now;
  logic [15:0] in_memory;  // beats and acknowledgements on their way
  logic [31:0] place;
  logic retired_is_place;
  logic moved_now;
  always_comb begin
    waiting_now = '0;
    waiting_now[B_WAITING_LOAD_FOR_COMPUTE] = load_waits;
    waiting_now[B_WAITING_COMPUTE_FOR_LOAD] = compute_waits_load;
    waiting_now[B_WAITING_COMPUTE_FOR_STORE] = compute_waits_store;
    waiting_now[B_WAITING_STORE_FOR_COMPUTE] = store_waits;
    waiting_now[B_WAITING_QUEUES+:3] = waits_queue;
    waiting_now[B_WAITING_MEMORY] = in_memory != '0;
    waiting_now[B_WAITING_FINISHED] = finish_seen;
  end
  always_ff @(posedge clk) begin
    quiet <= !fetch_busy && (&queue_empty) && !load_busy && !compute_busy && !store_busy;
    moved <= moved_now;
    gave_up <= !reset && patience == '0;
    tokens_failed <= reset ? 4'd0 : token_overflow;
  end
  assign moved_now = m_rvalid || m_bvalid || (m_arvalid && m_arready) || (m_awvalid && m_awready) ||
      (m_wvalid && m_wready) || load_started || load_retired || compute_started || compute_retired ||
      store_started || store_retired || gemm_step || reset_step || alu_step || l_en || load_step ||
      (put_valid & put_ready) != 3'b000;
  always_ff @(posedge clk) begin
    if (reset) begin
      running <= launch || go;
      settling <= '0;
      finish_seen <= 1'b0;
      patience <= limit;
      done <= 1'b0;
      error <= 1'b0;
      failed <= 1'b0;
      retired_is_place <= 1'b0;
      code <= '0;
      unit <= '0;
      place <= '0;
      waiting <= '0;
      in_memory <= '0;
    end else if (running) begin
      if (finished) finish_seen <= 1'b1;
      patience <= moved ? limit : patience - 32'd1;
      in_memory <= in_memory + (m_arvalid && m_arready ? 16'(m_arlen) + 16'd1 : 16'd0) +
          16'(m_awvalid && m_awready) - 16'(m_rvalid && m_rready) - 16'(m_bvalid);
      if (read_fault || store_fault || fetch_fault || compute_fault || load_overflow || compute_overflow ||
          store_overflow || tokens_failed != 4'd0 || gave_up) begin
        running <= 1'b0;
        failed  <= 1'b1;
        settling <= '1;
        waiting <= waiting_now;
        if (fetch_fault) begin
          code  <= fetch_code;
          unit  <= UNIT_FETCH;
          place <= fetch_number;
        end else if (compute_fault) begin
          code  <= 4'(compute_code) + ERROR_FAULTS;
          unit  <= UNIT_COMPUTE;
          place <= 32'(compute_number);
        end else if (load_overflow || compute_overflow || store_overflow) begin
          code <= ERROR_OVERFLOW;
          unit <= load_overflow ? UNIT_LOAD : compute_overflow ? UNIT_COMPUTE : UNIT_STORE;
          retired_is_place <= 1'b1;
        end else if (read_fault) begin
          code <= ERROR_MEMORY;
          unit <= read_fault_client;
          retired_is_place <= 1'b1;
        end else if (store_fault) begin
          code <= ERROR_MEMORY;
          unit <= UNIT_STORE;
          retired_is_place <= 1'b1;
        end else if (tokens_failed != 4'd0) begin
          code <= ERROR_TOKENS;
          unit <= tokens_failed[0] ? UNIT_LOAD : tokens_failed[3] ? UNIT_STORE : UNIT_COMPUTE;
        end else begin
          code <= ERROR_WATCHDOG;
        end
      end else if (finish_seen && quiet) begin
        running  <= 1'b0;
        settling <= '1;
      end
    end else if (settling != '0) begin
      settling <= settling - 1'b1;
      if (settling == 6'd1) begin
        done  <= !failed;
        error <= failed;
      end
    end
  end

  // --- counters ---
  // Their registers' numbers modulo 16 are different, and CYCLES_HI follows
  // CYCLES_LO. What modules say counts a cycle later, so that nothing does that
  // happens in the cycle of an error.
  logic [15:0] happened, counted;
  logic [ 3:0] counter;
  logic [31:0] counter_value;
  always_ff @(posedge clk) begin
    happened <= '0;
    happened[REG_LOAD_INSTRUCTIONS[3:0]] <= load_retired;
    happened[REG_COMPUTE_INSTRUCTIONS[3:0]] <= compute_retired;
    happened[REG_STORE_INSTRUCTIONS[3:0]] <= store_retired;
    happened[REG_LOAD_BUSY[3:0]] <= load_busy;
    happened[REG_COMPUTE_BUSY[3:0]] <= compute_busy;
    happened[REG_STORE_BUSY[3:0]] <= store_busy;
    happened[REG_GEMM_STEPS[3:0]] <= gemm_step;
    happened[REG_RESET_STEPS[3:0]] <= reset_step;
    happened[REG_ALU_STEPS[3:0]] <= alu_step;
    happened[REG_READ_BEATS[3:0]] <= m_rvalid && m_rready;
    happened[REG_WRITE_BEATS[3:0]] <= m_wvalid && m_wready;
    happened[REG_LOAD_WAITS[3:0]] <= load_waits;
    happened[REG_COMPUTE_WAITS[3:0]] <= compute_waits_load || compute_waits_store;
    happened[REG_STORE_WAITS[3:0]] <= store_waits;
    if (reset) happened <= '0;
  end
  always_comb begin
    counted = running ? happened : '0;
    counted[REG_CYCLES_LO[3:0]] = running;
  end
  acc_counters #(
      .CARRY_FROM(REG_CYCLES_LO[3:0]),
      .CARRY_TO  (REG_CYCLES_HI[3:0])
  ) counters (
      .clk,
      .rst(reset),
      .events(counted),
      .which(counter),
      .value(counter_value)
  );
  assign events = {
    store_retired, store_started, compute_retired, compute_started, load_retired, load_started
  };

  // PLACE of what counts no instructions itself is how many have retired.
  always_comb begin
    counter = reg_addr[3:0];
    if (reg_addr == REG_PLACE)
      counter = unit == UNIT_LOAD ? REG_LOAD_INSTRUCTIONS[3:0] :
          unit == UNIT_STORE ? REG_STORE_INSTRUCTIONS[3:0] : REG_COMPUTE_INSTRUCTIONS[3:0];
    reg_rdata = '0;
    case (reg_addr)
      REG_CONTROL: reg_rdata = '0;
      REG_STATUS: begin
        reg_rdata[B_STATUS_BUSY] = running || settling != '0;
        reg_rdata[B_STATUS_DONE] = done;
        reg_rdata[B_STATUS_ERROR] = error;
      end
      REG_STREAM_LO: reg_rdata = stream[31:0];
      REG_STREAM_HI: reg_rdata = stream[63:32];
      REG_COUNT: reg_rdata = count;
      REG_LIMIT: reg_rdata = limit;
      REG_ERROR: begin
        reg_rdata[B_ERROR_CODE+:4] = code;
        reg_rdata[B_ERROR_UNIT+:2] = unit;
      end
      REG_PLACE: reg_rdata = retired_is_place ? counter_value : place;
      REG_WAITING: reg_rdata = 32'(waiting);
      default: if (reg_addr <= REG_LAST) reg_rdata = counter_value;
    endcase
  end
  wire unused = &{1'b0, stream};
endmodule
