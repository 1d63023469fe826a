//===- Machine.cpp - The circuit as a set of events -----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "acc/vta/circuit_registers.h"

#include <cstring>

using namespace acc;
using namespace acc::vta;
using namespace acc::vta::csim;
using isa::Instruction;
using isa::MemInsn;
using isa::Memory;
using isa::Module;

static constexpr size_t index(Module module) {
  return static_cast<size_t>(module);
}

void acc::vta::csim::readUops(const MemInsn &mem, const Dram &dram,
                              const isa::Codec &codec,
                              std::span<isa::Uop> uops) {
  if (mem.isNop())
    return;
  const uint64_t row = mem.xSize * sizeof(uint32_t);
  std::fill_n(uops.begin() + mem.sramBase, mem.sramEntries(), isa::Uop());
  for (uint32_t y = 0; y < mem.ySize; ++y) {
    const uint64_t element = mem.dramBase + uint64_t(y) * mem.xStride;
    const uint8_t *from = dram.lookup(element * sizeof(uint32_t), row);
    for (uint32_t x = 0; from && x < mem.xSize; ++x) {
      uint32_t word;
      std::memcpy(&word, from + x * sizeof word, sizeof word);
      uops[mem.sramBase + (mem.yPad0 + y) * mem.sramCols() + mem.xPad0 + x] =
          codec.decode(word);
    }
  }
}

Machine::Machine(const isa::Config &config, const Options &options,
                 const Dram &dram, const std::vector<Instruction> &insns,
                 const std::vector<Module> &modules,
                 std::vector<isa::Uop> &uops)
    : geometry(config, options, pipeline), dram(dram), codec(config),
      insns(insns), modules(modules), port(pipeline, options.latency),
      queues(isa::kNumModules, Queue(pipeline, geometry)),
      fetch(pipeline, geometry, modules, queues), loadWalk(pipeline, geometry),
      computeWalk(pipeline, geometry), loadFill(pipeline, pipeline.fifo),
      computeFill(pipeline, pipeline.fifo),
      sequence(pipeline, geometry, geometry.ahead),
      aluSequence(pipeline, geometry, 0),
      store(pipeline, geometry, options.latency), uops(uops),
      scoreboard(pipeline), waits(insns.size()) {
  report.starts.assign(insns.size(), kNever);
  report.ends.assign(insns.size(), kNever);
}

//===----------------------------------------------------------------------===//
// Acceptance
//===----------------------------------------------------------------------===//

Cycle Machine::token(bool wanted, int queue) const {
  if (!wanted)
    return 0;
  const Tokens &t = tokens[queue];
  return t.popped.size() < t.pushed.size()
             ? t.pushed[t.popped.size()] + pipeline.token
             : kNever;
}

Cycle Machine::popToken(bool wanted, int queue, Cycle cycle) {
  const Cycle there = token(wanted, queue);
  if (wanted)
    tokens[queue].popped.push_back(cycle);
  return there;
}

Cycle Machine::loadReady() const {
  const Queue &queue = queues[index(Module::Load)];
  if (queue.empty())
    return kNever;
  const Instruction &insn = insns[queue.head()];
  return std::max({queue.visible(), token(insn.deps.popNext, ComputeToLoad),
                   loadFill.room(),
                   insn.mem()->movesData() ? loadWalk.ready() : 0});
}

int64_t Machine::next(Module module) const {
  if (geometry.beside() && module == Module::Compute)
    return examined.empty() ? -1 : int64_t(examined.front().index);
  const Queue &queue = queues[index(module)];
  return queue.empty() ? -1 : int64_t(queue.head());
}

Cycle Machine::examineReady() {
  const Queue &queue = queues[index(Module::Compute)];
  if (queue.empty())
    return kNever;
  if (!known) {
    const Instruction &insn = insns[queue.head()];
    Cycle seen = queue.visible();
    if (!insn.mem()) {
      if (uopLoads != 0)
        return kNever;
      if (uopsLoaded != 0)
        seen = std::max(seen, uopsLoaded + 1);
    }
    const Extent extent = extentOf(insn, uops, pipeline, geometry);
    known = seen + extent.cycles;
    knownBanks = extent.banks;
  }
  if (examineCount < pipeline.examined)
    return *known;
  const uint64_t before = examineCount - pipeline.examined;
  if (before >= acceptCount)
    return kNever;
  return std::max(*known, accepts[before % accepts.size()] + pipeline.fifo);
}

void Machine::examine(Cycle cycle) {
  const uint32_t i = queues[index(Module::Compute)].head();
  examined.push_back({i, knownBanks, cycle});
  known.reset();
  ++examineCount;
  const MemInsn *mem = insns[i].mem();
  if (mem && mem->memory == Memory::Uop)
    ++uopLoads;
  leaveQueue(Module::Compute, cycle);
}

Cycle Machine::examinedVisible() const {
  const Cycle pushed = examined.front().pushed;
  return (acceptCount == 0
              ? pushed
              : std::max(pushed, accepts[(acceptCount - 1) % accepts.size()])) +
         pipeline.fifo;
}

Cycle Machine::besideReady() const {
  if (examined.empty())
    return kNever;
  const uint32_t banks = examined.front().banks;
  const Instruction &insn = insns[examined.front().index];
  const Unit unit = unitOf(insn);
  const Cycle at =
      std::max({examinedVisible(), token(insn.deps.popPrev, LoadToCompute),
                token(insn.deps.popNext, StoreToCompute),
                scoreboard.ready(unit, banks)});
  const MemInsn *mem = insn.mem();
  if (!mem)
    return std::max(at, unit == Unit::Alu ? aluReady : sequenceReady);
  Cycle read = 0;
  if (mem->memory == Memory::Uop) {
    const bool isOther =
        geometry.earlyUops && mem->ySize == 1 && !mem->hasPads();
    const uint32_t end = mem->sramBase + mem->xSize;
    read = std::max(sequence.readBy(mem->sramBase, end, isOther),
                    aluSequence.readBy(mem->sramBase, end, isOther));
    if (geometry.hasTables)
      read = std::max(read, scoreboard.quietFrom(Unit::Alu));
  }
  return std::max({at, read, computeFill.room(),
                   mem->movesData() ? computeWalk.ready() : 0});
}

Cycle Machine::computeReady() const {
  if (geometry.beside())
    return besideReady();
  const Queue &queue = queues[index(Module::Compute)];
  if (queue.empty())
    return kNever;
  const Instruction &insn = insns[queue.head()];
  Cycle at = std::max({queue.visible(), token(insn.deps.popPrev, LoadToCompute),
                       token(insn.deps.popNext, StoreToCompute)});
  if (const MemInsn *mem = insn.mem())
    return std::max({at, sequenceIdle, computeFill.room(),
                     mem->movesData() ? computeWalk.ready() : 0});
  if (loads != loadsRetired)
    return kNever;
  at = std::max(at, sequenceReady);
  if (loads != 0)
    at = std::max(at, lastLoad + 1);
  if (executed.size() >= pipeline.executing)
    at = std::max(at, executed[executed.size() - pipeline.executing] + 1);
  return at;
}

Cycle Machine::storeReady() const {
  const Queue &queue = queues[index(Module::Store)];
  if (queue.empty())
    return kNever;
  return std::max({queue.visible(),
                   token(insns[queue.head()].deps.popPrev, ComputeToStore),
                   store.ready()});
}

void Machine::leaveQueue(Module module, Cycle cycle) {
  queues[index(module)].pop(cycle);
  if (fetch.waitsFor() == static_cast<int>(module)) {
    fetch.advance();
    askFetch();
  }
}

uint32_t Machine::accept(Module module, Cycle cycle) {
  const uint32_t insn = static_cast<uint32_t>(next(module));
  report.starts[insn] = cycle;
  if (geometry.beside() && module == Module::Compute) {
    waits[insn].head = examinedVisible();
    accepts[acceptCount++ % accepts.size()] = cycle;
    return insn;
  }
  waits[insn].head = queues[index(module)].visible();
  leaveQueue(module, cycle);
  return insn;
}

void Machine::acceptLoad(Cycle cycle) {
  const uint32_t i = accept(Module::Load, cycle);
  const MemInsn &mem = *insns[i].mem();
  waits[i].token = popToken(insns[i].deps.popNext, ComputeToLoad, cycle);
  if (mem.movesData())
    loadWalk.start(cycle, mem, geometry);
  loadFill.accept(cycle, i, mem, geometry);
  drain(loadFill);
  ask(loadWalk, ReadPort::Loading);
}

void Machine::acceptCompute(Cycle cycle) {
  const uint32_t i = accept(Module::Compute, cycle);
  const Instruction &insn = insns[i];
  const Cycle load = popToken(insn.deps.popPrev, LoadToCompute, cycle);
  const Cycle stored = popToken(insn.deps.popNext, StoreToCompute, cycle);
  waits[i].token = std::max(load, stored);
  waits[i].whom = load > stored ? Module::Load : Module::Store;
  if (const MemInsn *mem = insn.mem()) {
    ++loads;
    if (mem->movesData())
      computeWalk.start(cycle, *mem, geometry);
    if (mem->memory == Memory::Uop)
      readUops(*mem, dram, codec, uops);
    Cycle hold = 0;
    if (geometry.beside()) {
      areUops.push_back(mem->memory == Memory::Uop);
      scoreboard.start(i, Unit::Load, examined.front().banks, kNever);
      examined.pop_front();
    } else if (!executed.empty()) {
      hold = executed.back() + pipeline.hold;
    }
    computeFill.accept(cycle, i, *mem, geometry, hold);
    drain(computeFill);
    ask(computeWalk, ReadPort::Computing);
    return;
  }
  if (geometry.beside()) {
    const Unit unit = unitOf(insn);
    const bool isAlu = unit == Unit::Alu;
    const Sequence::Times times =
        (isAlu ? aluSequence : sequence).run(cycle, insn, uops);
    (isAlu ? aluReady : sequenceReady) = times.ready;
    scoreboard.start(i, unit, examined.front().banks, times.ends);
    examined.pop_front();
    retireInOrder();
    return;
  }
  const Sequence::Times times = sequence.run(cycle, insn, uops);
  sequenceReady = times.ready;
  sequenceIdle = times.idle;
  executed.push_back(times.ends);
  retire(i, times.ends);
}

void Machine::retireInOrder() {
  while (scoreboard.settled()) {
    const Scoreboard::Retirement next = scoreboard.pop();
    retire(next.index, next.cycle);
  }
}

void Machine::acceptStore(Cycle cycle) {
  const uint32_t i = accept(Module::Store, cycle);
  waits[i].token = popToken(insns[i].deps.popPrev, ComputeToStore, cycle);
  retire(i, store.run(cycle, i, *insns[i].mem()));
}

void Machine::retire(uint32_t i, Cycle cycle) {
  report.ends[i] = cycle;
  const isa::Deps &deps = insns[i].deps;
  const bool isLoad = modules[i] == Module::Load;
  if (deps.pushPrev)
    tokens[modules[i] == Module::Store ? StoreToCompute : ComputeToLoad]
        .pushed.push_back(cycle);
  if (deps.pushNext)
    tokens[isLoad ? LoadToCompute : ComputeToStore].pushed.push_back(cycle);
}

void Machine::drain(Fill &fill) {
  while (fill.finished()) {
    const Fill::Finished done = fill.pop();
    if (geometry.beside() && &fill == &computeFill) {
      scoreboard.loadEnds(done.retires);
      if (areUops.front()) {
        --uopLoads;
        uopsLoaded = done.retires;
      }
      areUops.pop_front();
      retireInOrder();
      continue;
    }
    retire(done.index, done.retires);
    if (&fill == &computeFill) {
      ++loadsRetired;
      lastLoad = done.retires;
    }
  }
}

//===----------------------------------------------------------------------===//
// The read port
//===----------------------------------------------------------------------===//

void Machine::askFetch() {
  for (;;) {
    const Cycle room = port.room(ReadPort::Fetching);
    const Cycle at = room == kNever ? kNever : fetch.request(room);
    if (at == kNever)
      return;
    const unsigned beats = fetch.length();
    fetch.fire(at);
    port.ask(ReadPort::Fetching, at, beats, false);
  }
}

void Machine::ask(Walk &walk, ReadPort::Client client) {
  for (;;) {
    const Cycle at = walk.request(port.room(client));
    if (at == kNever)
      return;
    port.ask(client, at, walk.beats(), walk.endsRow());
    walk.fire(at);
  }
}

bool Machine::grantWalk(Walk &walk, Fill &fill) {
  const ReadPort::Client client = port.chosen();
  const Cycle ready = walk.ready();
  const uint64_t progress = fill.progress();
  Request request;
  const Cycle first = port.grant(fill.ready(), request);
  report.readBeats += request.beats;
  walk.arrived(request.beats, first + request.beats - 1);
  fill.take(first, request.beats, request.endsRow);
  drain(fill);
  ask(walk, client);
  return walk.ready() != ready || fill.progress() != progress;
}

bool Machine::grant() {
  if (port.chosen() == ReadPort::Computing)
    return grantWalk(computeWalk, computeFill);
  if (port.chosen() == ReadPort::Loading)
    return grantWalk(loadWalk, loadFill);
  Request request;
  const Cycle first = port.grant(0, request);
  report.readBeats += request.beats;
  fetch.arrive(first, request.beats);
  askFetch();
  return true;
}

Report Machine::run() {
  askFetch();
  Cycle load = kNever, compute = kNever, stored = kNever, examining = kNever;
  for (bool changed = true;;) {
    if (changed) {
      load = loadReady();
      compute = computeReady();
      stored = storeReady();
      if (geometry.beside())
        examining = examineReady();
    }
    const Cycle accepted = std::min({load, compute, stored, examining});
    if (port.grantable() != kNever && port.grantable() <= accepted) {
      changed = grant();
      continue;
    }
    if (accepted == kNever)
      break;
    if (load == accepted)
      acceptLoad(load);
    else if (compute == accepted)
      acceptCompute(compute);
    else if (examining == accepted)
      examine(examining);
    else
      acceptStore(stored);
    changed = true;
  }
  findStandstill();
  account();
  return std::move(report);
}

//===----------------------------------------------------------------------===//
// Afterwards
//===----------------------------------------------------------------------===//

void Machine::findStandstill() {
  // A queue of tokens overflows if another is pushed when it is full.
  const uint64_t full = (uint64_t(1) << geometry.logTokens) - 1;
  for (int q = 0; q < 4; ++q) {
    const auto &[pushed, popped] = tokens[q];
    for (size_t i = full, j = 0; i < pushed.size(); ++i) {
      while (j < popped.size() && popped[j] <= pushed[i])
        ++j;
      if (i - j >= full) {
        report.standstill.kind = Standstill::Overflow;
        report.standstill.pusher = q == LoadToCompute    ? Module::Load
                                   : q == StoreToCompute ? Module::Store
                                                         : Module::Compute;
        return;
      }
    }
  }
  for (size_t m = 0; m < queues.size(); ++m)
    report.retired[m] = static_cast<uint32_t>(queues[m].accepted());
  report.retired[index(Module::Compute)] -=
      static_cast<uint32_t>(examined.size());
  uint32_t waiting = 0;
  auto missing = [&](Module module, bool isa::Deps::*flag, int queue,
                     unsigned bit) {
    const int64_t head = next(module);
    if (head >= 0 && token(insns[head].deps.*flag, queue) == kNever)
      waiting |= 1u << bit;
  };
  missing(Module::Load, &isa::Deps::popNext, ComputeToLoad,
          ACC_BIT_WAITING_LOAD_FOR_COMPUTE);
  missing(Module::Compute, &isa::Deps::popPrev, LoadToCompute,
          ACC_BIT_WAITING_COMPUTE_FOR_LOAD);
  missing(Module::Compute, &isa::Deps::popNext, StoreToCompute,
          ACC_BIT_WAITING_COMPUTE_FOR_STORE);
  missing(Module::Store, &isa::Deps::popPrev, ComputeToStore,
          ACC_BIT_WAITING_STORE_FOR_COMPUTE);
  if (fetch.waitsFor() >= 0)
    waiting |= 1u << (ACC_BIT_WAITING_QUEUES + fetch.waitsFor());
  if (waiting != 0)
    report.standstill = {Standstill::Deadlock, waiting, Module::Load};
}

void Machine::account() {
  report.dispatched = fetch.dispatched();
  report.writtenBeats = store.beats;
  if (report.standstill.kind != Standstill::None)
    return;
  std::array<Cycle, isa::kNumModules> ended = {};
  for (size_t i = 0; i < insns.size(); ++i) {
    const size_t m = index(modules[i]);
    const Cycle start = report.starts[i], end = report.ends[i];
    ModuleTime &time = report.modules[m];
    const Wait &wait = waits[i];
    if (wait.token > wait.head) {
      report.waits[m] += wait.token - wait.head;
      // Only what is left when those before have retired.
      const Cycle from = std::max(wait.head, ended[m] + 1);
      if (wait.token > from)
        time.waits[index(wait.whom)] += wait.token - from;
    }
    report.busy[m] += end - std::max(start, ended[m]);
    ended[m] = end;
    report.cycles = std::max(report.cycles, end + pipeline.quiet + 1);
  }
  const std::array<Cycle, isa::kNumModules> memory = {
      loadFill.waited, computeFill.waited, store.waited};
  for (size_t m = 0; m < report.modules.size(); ++m) {
    ModuleTime &time = report.modules[m];
    time.memory = std::min(memory[m], report.busy[m]);
    time.busy = report.busy[m] - time.memory;
    time.idle = report.cycles - report.busy[m];
    for (Cycle waited : time.waits)
      time.idle -= waited;
  }
  report.fetch.waits = fetch.queueWaits;
  report.fetch.memory = fetch.waited;
  report.fetch.busy = fetch.end() - fetch.waited;
  report.fetch.idle = report.cycles - fetch.end();
  for (Cycle waited : fetch.queueWaits)
    report.fetch.busy -= waited;
}
