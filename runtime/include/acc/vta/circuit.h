//===- circuit.h - Interface of a compiled circuit ----------------*- C -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// What the runtime and a shared object made of the RTL (harness.cpp and
/// Verilator's output) know of each other.

#ifndef ACC_VTA_CIRCUIT_H
#define ACC_VTA_CIRCUIT_H

#include "acc/vta/circuit_registers.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ACC_CIRCUIT_VERSION 2

/// Memory as the circuit sees it: a port with a latency, in order, reads and
/// writes independent of each other.
struct acc_circuit_memory {
  /// Host memory of [address, address + bytes), or null.
  uint8_t *(*lookup)(void *user, uint64_t address, uint64_t bytes);
  void *user;
  /// Cycles from a request to its first beat, and from the last beat written
  /// to the acknowledgement.
  uint32_t latency;
  /// Up to so many cycles more, drawn anew for each request; beats and
  /// requests are also held back at random if it is not 0.
  uint32_t jitter;
  uint64_t seed;
};

struct acc_circuit_run {
  uint64_t stream;
  uint32_t count;
  /// Cycles without progress after which the circuit gives up.
  uint32_t limit;
  struct acc_circuit_memory memory;
  /// Called when an instruction starts (even bits) or retires (odd bits) in
  /// load (0, 1), compute (2, 3) or store (4, 5); may be null.
  void (*event)(void *user, uint64_t cycle, unsigned events);
  void *event_user;
  /// The registers after the run.
  uint32_t registers[ACC_REG_END];
};

/// A circuit that has been configured. What it keeps from one run to the next
/// is its scratchpads.
struct acc_circuit;

/// Each shared object exports these.
uint32_t acc_circuit_version(void);
/// Makes a circuit fresh from configuration. \p trace is a file for waveforms,
/// or null; null is returned if the shared object was built without tracing, or
/// the file cannot be written.
struct acc_circuit *acc_circuit_create(const char *trace);
/// Runs a stream. Memory need not outlive a run that ends well; after one that
/// does not, the next may only be given the same memory.
void acc_circuit_execute(struct acc_circuit *circuit,
                         struct acc_circuit_run *run);
/// Completes the file for waveforms.
void acc_circuit_destroy(struct acc_circuit *circuit);

#ifdef __cplusplus
}
#endif

#endif // ACC_VTA_CIRCUIT_H
