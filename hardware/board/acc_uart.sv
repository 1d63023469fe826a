//===- acc_uart.sv - Serial port ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Bytes over two wires: a start bit (0), eight bits from the lowest on, a stop
// bit (1), CLOCKS_PER_BIT cycles each; the line is 1 between them.
//
//   rx -> [two registers] -> sampled in the middle of each bit -> rx_valid
//   tx_valid, tx_ready -> [shift register] -> tx
//
// A byte whose stop bit is missing is dropped. What is received must be taken in
// the cycle in which rx_valid says so.
module acc_uart #(
    parameter int CLOCKS_PER_BIT = 217
) (
    input  logic       clk,
    input  logic       rst,
    input  logic       rx,
    output logic       tx,
    output logic       rx_valid,
    output logic [7:0] rx_data,
    input  logic       tx_valid,
    output logic       tx_ready,
    input  logic [7:0] tx_data
);
  localparam int TICKS = $clog2(CLOCKS_PER_BIT + 1);
  localparam logic [TICKS-1:0] WHOLE = TICKS'(CLOCKS_PER_BIT - 1), HALF = TICKS'(CLOCKS_PER_BIT / 2);

  // --- receiver: start bit, eight bits, stop bit ---
  logic [1:0] line;
  logic [TICKS-1:0] rx_wait;
  logic [3:0] rx_left;
  logic receiving;
  always_ff @(posedge clk) begin
    line <= {line[0], rx};
    rx_valid <= 1'b0;
    if (rst) begin
      receiving <= 1'b0;
      line <= '1;
    end else if (!receiving) begin
      // From the edge to the middle of the start bit.
      receiving <= !line[1];
      rx_wait <= HALF;
      rx_left <= 4'd9;
    end else if (rx_wait != '0) rx_wait <= rx_wait - 1'b1;
    else begin
      rx_wait <= WHOLE;
      rx_left <= rx_left - 4'd1;
      if (rx_left == 4'd9) receiving <= !line[1];
      else if (rx_left != 4'd0) rx_data <= {line[1], rx_data[7:1]};
      else begin
        receiving <= 1'b0;
        rx_valid  <= line[1];
      end
    end
  end

  // --- sender ---
  logic [8:0] shift;
  logic [TICKS-1:0] tx_wait;
  logic [3:0] tx_left;
  assign tx_ready = tx_left == 4'd0;
  always_ff @(posedge clk) begin
    if (rst) begin
      tx <= 1'b1;
      tx_left <= 4'd0;
    end else if (tx_ready) begin
      tx <= !tx_valid;
      if (tx_valid) tx_left <= 4'd10;
      shift   <= {1'b1, tx_data};
      tx_wait <= WHOLE;
    end else if (tx_wait != '0) tx_wait <= tx_wait - 1'b1;
    else begin
      tx_wait <= WHOLE;
      tx_left <= tx_left - 4'd1;
      tx <= shift[0];
      shift <= {1'b1, shift[8:1]};
    end
  end
endmodule
