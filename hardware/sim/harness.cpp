//===- harness.cpp - The circuit, its clock and its memory ----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// Drives the simulated circuit: clock, registers, and a memory behind its
/// AXI4 port. Compiled together with what Verilator makes of the RTL.

#include "Vacc_core.h"
#include "acc/vta/circuit.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>

#ifdef ACC_TRACE
#include "verilated_fst_c.h"
#endif

namespace {

constexpr unsigned kBeatBytes = ACC_PORT_BITS / 8;

/// xorshift64*: reproducible on every machine.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed * 2 + 1) {}
  uint32_t below(uint32_t n) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return static_cast<uint32_t>((state * 0x2545F4914F6CDD1Dull) >> 33) % n;
  }

private:
  uint64_t state;
};

struct Burst {
  uint64_t address;
  unsigned beats, id;
  uint64_t ready;
  uint8_t *host;
  unsigned sent = 0;
};

/// A beat on its way to memory.
struct Written {
  uint64_t address, strobe;
  uint8_t *host;
  uint8_t bytes[kBeatBytes];
};

/// What memory says to a burst, from a cycle on.
struct Answer {
  uint64_t ready;
  unsigned beats, response;
};

class Memory {
public:
  explicit Memory(Vacc_core &dut) : dut(dut) {}

  /// Takes the memory of the run to come. Nothing is on its way.
  void start(const acc_circuit_memory &given) {
    parameters = given;
    // So that the times of a run do not depend on those before it.
    random = Random(given.seed);
  }

  /// Sets the circuit's inputs for the cycle to come, and takes note of what
  /// is going to be transferred in it.
  void drive(uint64_t cycle) {
    const bool held = parameters.jitter != 0;
    auto present = [&] { return !held || random.below(4) != 0; };

    // Requests.
    dut.m_arready = present();
    if (dut.m_arvalid && dut.m_arready)
      reads.push_back(
          burst(dut.m_araddr, dut.m_arlen + 1u, dut.m_arid, cycle, lastRead));
    dut.m_awready = present();
    if (dut.m_awvalid && dut.m_awready)
      writes.push_back({dut.m_awaddr, dut.m_awlen + 1u, 0, 0,
                        find(dut.m_awaddr, dut.m_awlen + 1u)});

    // A beat read stays until it is taken.
    if (!dut.m_rvalid || taken) {
      dut.m_rvalid = 0;
      if (!reads.empty() && reads.front().ready <= cycle && present())
        readBeat();
    }
    taken = dut.m_rvalid && dut.m_rready;

    dut.m_wready = !writes.empty() && present();
    if (dut.m_wvalid && dut.m_wready)
      writeBeat(cycle);

    dut.m_bvalid = !answers.empty() && answers.front().ready <= cycle;
    if (dut.m_bvalid)
      acknowledge();
  }

  /// Whether everything that was asked of it is done.
  bool isQuiet() const {
    return reads.empty() && writes.empty() && answers.empty();
  }

private:
  uint64_t delay() {
    return parameters.latency +
           (parameters.jitter ? random.below(parameters.jitter + 1) : 0);
  }
  uint8_t *find(uint64_t address, unsigned beats) {
    return parameters.lookup(parameters.user, address,
                             uint64_t(beats) * kBeatBytes);
  }
  Burst burst(uint64_t address, unsigned beats, unsigned id, uint64_t cycle,
              uint64_t &last) {
    // In order: never before the one in front of it.
    last = std::max(last, cycle + delay());
    return {address, beats, id, last, find(address, beats)};
  }

  void readBeat() {
    Burst &b = reads.front();
    uint8_t bytes[kBeatBytes] = {};
    bool any = true;
    if (b.host) {
      std::memcpy(bytes, b.host, kBeatBytes);
      b.host += kBeatBytes;
    } else {
      // Rows need not begin or end where beats do, so part of a beat may lie
      // outside of memory.
      any = false;
      for (unsigned i = 0; i < kBeatBytes; ++i)
        if (uint8_t *byte =
                parameters.lookup(parameters.user, b.address + i, 1)) {
          bytes[i] = *byte;
          any = true;
        }
    }
    std::memcpy(&dut.m_rdata, bytes, kBeatBytes);
    dut.m_rvalid = 1;
    dut.m_rid = b.id;
    dut.m_rresp = any ? 0 : 2;
    b.address += kBeatBytes;
    if (--b.beats == 0)
      reads.pop_front();
  }

  void writeBeat(uint64_t cycle) {
    Burst &b = writes.front();
    Written &beat = written.emplace_back();
    beat.address = b.address;
    beat.strobe = dut.m_wstrb;
    beat.host = b.host;
    std::memcpy(beat.bytes, &dut.m_wdata, kBeatBytes);
    if (!b.host)
      for (unsigned i = 0; i < kBeatBytes; ++i)
        if ((beat.strobe >> i & 1) &&
            !parameters.lookup(parameters.user, b.address + i, 1))
          b.id = 1;
    b.address += kBeatBytes;
    if (b.host)
      b.host += kBeatBytes;
    ++b.sent;
    // A burst of another length than announced is an error of the circuit.
    if ((--b.beats == 0) != bool(dut.m_wlast))
      b.id = 1;
    if (b.beats == 0) {
      lastAnswer = std::max(lastAnswer + 1, cycle + delay());
      answers.push_back({lastAnswer, b.sent, b.id ? 2u : 0u});
      writes.pop_front();
    }
  }

  /// Only now does memory show what was written: whoever reads it earlier reads
  /// what was there before.
  void acknowledge() {
    constexpr uint64_t kAll =
        kBeatBytes == 64 ? ~0ull : (1ull << (kBeatBytes % 64)) - 1;
    dut.m_bresp = answers.front().response;
    for (unsigned k = 0; k < answers.front().beats; ++k) {
      const Written &beat = written.front();
      if (beat.host && beat.strobe == kAll) {
        std::memcpy(beat.host, beat.bytes, kBeatBytes);
      } else {
        for (unsigned i = 0; i < kBeatBytes; ++i) {
          if (!(beat.strobe >> i & 1))
            continue;
          if (uint8_t *byte =
                  beat.host
                      ? beat.host + i
                      : parameters.lookup(parameters.user, beat.address + i, 1))
            *byte = beat.bytes[i];
        }
      }
      written.pop_front();
    }
    answers.pop_front();
  }

  acc_circuit_memory parameters = {};
  Vacc_core &dut;
  Random random = Random(0);
  std::deque<Burst> reads, writes;
  std::deque<Written> written;
  std::deque<Answer> answers;
  uint64_t lastRead = 0, lastAnswer = 0;
  bool taken = false;
};

} // namespace

/// The circuit with its clock and its memory.
struct acc_circuit {
public:
  acc_circuit() : dut(std::make_unique<Vacc_core>(&context)), memory(*dut) {}
  ~acc_circuit() {
#ifdef ACC_TRACE
    if (tracer)
      tracer->close();
#endif
    dut->final();
  }

  /// Whether the file can be written.
  bool trace(const char *file) {
#ifdef ACC_TRACE
    context.traceEverOn(true);
    tracer = std::make_unique<VerilatedFstC>();
    dut->trace(tracer.get(), 99);
    tracer->open(file);
    return tracer->isOpen();
#else
    (void)file;
    return false;
#endif
  }

  void configure() {
    dut->rst = 1;
    tick();
    tick();
    dut->rst = 0;
  }

  void execute(acc_circuit_run &request) {
    if (failed)
      settle();
    run = &request;
    memory.start(run->memory);
    perform();
    failed = !dut->done;
#ifdef ACC_TRACE
    if (tracer)
      tracer->flush();
#endif
    run = nullptr;
  }

private:
  void perform() {
    write(ACC_REG_STREAM_LO, static_cast<uint32_t>(run->stream));
    write(ACC_REG_STREAM_HI, static_cast<uint32_t>(run->stream >> 32));
    write(ACC_REG_COUNT, run->count);
    write(ACC_REG_LIMIT, run->limit);
    write(ACC_REG_CONTROL, 1u << ACC_BIT_CONTROL_START);
    started = cycle;
    // The circuit ends or gives up by itself; done and error take a few cycles
    // to be reset.
    for (int i = 0; i < 4; ++i)
      tick();
    while (!dut->done && !dut->error)
      tick();
    for (unsigned r = 0; r < ACC_REG_END; ++r) {
      dut->reg_addr = r;
      dut->eval();
      run->registers[r] = dut->reg_rdata;
    }
  }

  /// Waits until memory has answered what was asked before an error.
  void settle() {
    int quiet = 0;
    for (int i = 0; i < 100000 && quiet < 256; ++i) {
      tick();
      quiet = memory.isQuiet() ? quiet + 1 : 0;
    }
  }

  void tick() {
    memory.drive(cycle);
    dut->clk = 0;
    dut->eval();
    sample(2 * cycle);
    if (run && run->event && dut->events)
      run->event(run->event_user, cycle - started, dut->events);
    dut->clk = 1;
    dut->eval();
    sample(2 * cycle + 1);
    ++cycle;
  }

  void sample(uint64_t time) {
#ifdef ACC_TRACE
    if (tracer)
      tracer->dump(time);
#else
    (void)time;
#endif
  }

  void write(unsigned address, uint32_t value) {
    dut->reg_write = 1;
    dut->reg_addr = address;
    dut->reg_wdata = value;
    tick();
    dut->reg_write = 0;
  }

  acc_circuit_run *run = nullptr;
  VerilatedContext context;
  std::unique_ptr<Vacc_core> dut;
  Memory memory;
  uint64_t cycle = 0, started = 0;
  bool failed = false;
#ifdef ACC_TRACE
  std::unique_ptr<VerilatedFstC> tracer;
#endif
};

uint32_t acc_circuit_version(void) { return ACC_CIRCUIT_VERSION; }

acc_circuit *acc_circuit_create(const char *trace) {
  auto circuit = std::make_unique<acc_circuit>();
  if (trace && !circuit->trace(trace))
    return nullptr;
  circuit->configure();
  return circuit.release();
}

void acc_circuit_execute(acc_circuit *circuit, acc_circuit_run *run) {
  circuit->execute(*run);
}

void acc_circuit_destroy(acc_circuit *circuit) { delete circuit; }
