//===- acc_board.sv - The core with memory and a serial port ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// What becomes a bitstream: the core, memory of its own in block RAM, and a
// serial port by which a computer fills the memory, writes the registers and
// reads both.
//
//   uart_rx -> acc_uart -> loader ---------> registers of acc_core
//   uart_tx <-     '------- |  ^                 |  memory port
//                           v  '----- memory <---'
//
// A command is nine bytes, then data (python/acc/hardware/board.py is the other
// side); numbers have four bytes, the lowest first:
//
//   'W' address, count, then so many bytes: they are written to memory
//   'R' address, count: answers with so many bytes of memory
//   'S' number, value: writes a register of the core
//   'G' number, 0: answers with the four bytes of a register
//
// Other commands are skipped. A computer sends the next command after the answer
// to the one before. The loader's accesses go before the core's; the two may
// overlap, which costs the core a cycle for each byte.
//
// Memory has 2^LOG_MEMORY bytes from address 0 on. What the core asks for beyond
// is answered with an error, which its registers show.
import acc_pkg::*;

module acc_board #(
    // Of a clock of 25 MHz: 115,200 bits per second.
    parameter int CLOCKS_PER_BIT = 217,
    parameter int LOG_MEMORY = 15
) (
    input  logic       clk,
    input  logic       reset_button,
    input  logic       uart_rx,
    output logic       uart_tx,
    // Error, done.
    output logic [1:0] led,
    // High, which tells the board's other processor to leave the FPGA alone.
    output logic       wifi_gpio0
);
  localparam int LOG_ROWS = LOG_MEMORY - LOG_PORT_BYTES;
  localparam int LANES = PORT / 8;
  assign wifi_gpio0 = 1'b1;

  // --- reset: after configuration, and by a button ---
  logic [3:0] since;
  logic [1:0] button;
  logic rst;
  initial since = '0;
  always_ff @(posedge clk) begin
    button <= {button[0], reset_button};
    if (button[1]) since <= '0;
    else if (!(&since)) since <= since + 1'b1;
    rst <= !(&since);
  end

  // --- core ---
  logic reg_write, done, error, m_arvalid, m_arready, m_rvalid, m_rready, m_awvalid, m_awready, m_wvalid;
  logic m_wready, m_wlast, m_bvalid, m_bready;
  logic [4:0] reg_addr;
  logic [31:0] reg_wdata, reg_rdata;
  logic [5:0] events;
  logic [1:0] m_arid, m_rid, m_rresp, m_bresp;
  logic [ADDR-1:0] m_araddr, m_awaddr;
  logic [7:0] m_arlen, m_awlen;
  logic [PORT-1:0] m_rdata, m_wdata;
  logic [PORT/8-1:0] m_wstrb;
  acc_core core (.*);
  always_ff @(posedge clk) led <= {error, done};

  // --- memory ---
  logic peek, poke;  // The loader reads, writes.
  logic [31:0] place;
  logic [7:0] poked;
  logic read_en, w_en;
  logic [LOG_ROWS-1:0] r_row, w_row, read_row, write_row;
  logic [LANES-1:0] w_lanes;
  logic [PORT-1:0] w_data, r_data;
  for (genvar l = 0; l < LANES; l++) begin : g_lane
    acc_ram #(
        .WIDTH(8),
        .LOG_DEPTH(LOG_ROWS)
    ) ram (
        .clk,
        .w_en(w_en && w_lanes[l]),
        .w_addr(w_row),
        .w_data(w_data[8*l+:8]),
        .r_en(1'b1),
        .r_addr(r_row),
        .r_data(r_data[8*l+:8])
    );
  end

  // Reads: a burst at a time, into a FIFO with room for what is on its way.
  logic reading, read_beyond, valid1, valid2, beyond1, beyond2, unused_ready;
  logic [7:0] read_left;
  logic [1:0] read_id, id1, id2;
  logic [3:0] waiting;
  assign m_arready = !reading;
  assign read_en = reading && !peek && waiting <= 4'd4;
  assign r_row = peek ? place[LOG_PORT_BYTES+:LOG_ROWS] : read_row;
  always_ff @(posedge clk) begin
    if (rst) reading <= 1'b0;
    else if (m_arready) reading <= m_arvalid;
    else if (read_en && read_left == 8'd0) reading <= 1'b0;
    if (m_arready) begin
      read_row <= m_araddr[LOG_PORT_BYTES+:LOG_ROWS];
      read_left <= m_arlen;
      read_id <= m_arid;
      read_beyond <= m_araddr[ADDR-1:LOG_MEMORY] != '0;
    end else if (read_en) begin
      read_row  <= read_row + 1'b1;
      read_left <= read_left - 8'd1;
    end
    {valid1, valid2} <= rst ? 2'b00 : {read_en, valid1};
    {id1, beyond1} <= {read_id, read_beyond};
    {id2, beyond2} <= {id1, beyond1};
  end
  acc_fifo #(
      .WIDTH(PORT + 3),
      .LOG_DEPTH(3)
  ) answers (
      .clk,
      .rst,
      .in_valid(valid2),
      .in_ready(unused_ready),
      .in_data({beyond2, id2, r_data}),
      .out_valid(m_rvalid),
      .out_ready(m_rready),
      .out_data({m_rresp[1], m_rid, m_rdata}),
      .count(waiting)
  );
  assign m_rresp[0] = 1'b0;

  // Writes: a burst at a time.
  logic writing, write_beyond;
  assign m_awready = !writing && !m_bvalid;
  assign m_wready = writing && !poke;
  assign m_bresp = {write_beyond, 1'b0};
  assign w_en = poke || (m_wvalid && m_wready && !write_beyond);
  assign w_row = poke ? place[LOG_PORT_BYTES+:LOG_ROWS] : write_row;
  assign w_lanes = poke ? LANES'(1) << place[LOG_PORT_BYTES-1:0] : m_wstrb;
  assign w_data = poke ? {LANES{poked}} : m_wdata;
  always_ff @(posedge clk) begin
    if (rst) begin
      writing  <= 1'b0;
      m_bvalid <= 1'b0;
    end else begin
      if (m_awready) writing <= m_awvalid;
      else if (m_wvalid && m_wready && m_wlast) writing <= 1'b0;
      if (m_wvalid && m_wready && m_wlast) m_bvalid <= 1'b1;
      else if (m_bready) m_bvalid <= 1'b0;
    end
    if (m_awready) begin
      write_row <= m_awaddr[LOG_PORT_BYTES+:LOG_ROWS];
      write_beyond <= m_awaddr[ADDR-1:LOG_MEMORY] != '0;
    end else if (m_wvalid && m_wready) write_row <= write_row + 1'b1;
  end

  // --- serial port and loader ---
  logic rx_valid, tx_valid, tx_ready;
  logic [31:0] said;
  logic [7:0] rx_data;
  acc_uart #(
      .CLOCKS_PER_BIT(CLOCKS_PER_BIT)
  ) uart (
      .clk,
      .rst,
      .rx(uart_rx),
      .tx(uart_tx),
      .rx_valid,
      .rx_data,
      .tx_valid,
      .tx_ready,
      .tx_data(said[7:0])
  );

  typedef enum logic [2:0] {
    COMMAND,  // bytes of a command come
    EXECUTE,
    WRITE,  // bytes for memory come
    READ,  // a byte of memory is asked for,
    AWAIT,  // on its way,
    HAVE,  // there
    SEND
  } state_t;
  state_t state;
  localparam int COMMAND_BYTES = 9;
  logic [8*COMMAND_BYTES-1:0] command;
  logic [3:0] missing;  // bytes of the command
  logic [31:0] left;  // bytes to write or to read
  logic [1:0] saying;  // bytes of `said` but for the first
  logic [7:0] operation;
  assign operation = command[7:0];
  assign reg_write = state == EXECUTE && operation == "S";
  assign reg_addr = command[12:8];
  assign reg_wdata = command[71:40];
  assign poke = state == WRITE && rx_valid;
  assign peek = state == READ;
  assign poked = rx_data;
  assign tx_valid = state == SEND;
  always_ff @(posedge clk) begin
    case (state)
      COMMAND:
      if (rx_valid) begin
        command <= {rx_data, command[8*COMMAND_BYTES-1:8]};
        missing <= missing - 4'd1;
        if (missing == 4'd1) state <= EXECUTE;
      end
      EXECUTE: begin
        missing <= 4'(COMMAND_BYTES);
        place <= command[39:8];
        left <= command[71:40];
        said <= reg_rdata;
        saying <= 2'd3;
        state <= COMMAND;
        if (operation == "G") state <= SEND;
        else if (command[71:40] != '0 && operation == "W") state <= WRITE;
        else if (command[71:40] != '0 && operation == "R") state <= READ;
      end
      WRITE:
      if (rx_valid) begin
        place <= place + 32'd1;
        left  <= left - 32'd1;
        if (left == 32'd1) state <= COMMAND;
      end
      READ: state <= AWAIT;
      AWAIT: state <= HAVE;
      HAVE: begin
        said <= 32'(r_data >> {place[LOG_PORT_BYTES-1:0], 3'd0});
        saying <= 2'd0;
        state <= SEND;
      end
      default:  // SEND
      if (tx_ready) begin
        said   <= said >> 8;
        saying <= saying - 2'd1;
        if (saying == 2'd0) begin
          place <= place + 32'd1;
          left  <= left - 32'd1;
          state <= operation == "R" && left != 32'd1 ? READ : COMMAND;
        end
      end
    endcase
    if (rst) begin
      state   <= COMMAND;
      missing <= 4'(COMMAND_BYTES);
    end
  end
  wire unused = &{1'b0, events, m_awlen, unused_ready, command};
endmodule
