//===- VTAInstructions.cpp - Ops as instructions, and back ----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Conversion between the operators of a vta.program and the structs of the
// instruction set library, which encodes, prints, verifies and runs them.
//
//===----------------------------------------------------------------------===//

#include "dialects/VTA/VTADialect.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace acc;
using namespace acc::vta;

static isa::Deps unpackDeps(int32_t bits) {
  return {bool(bits & 1), bool(bits & 2), bool(bits & 4), bool(bits & 8)};
}

static int32_t packDeps(const isa::Deps &deps) {
  return deps.popPrev | deps.popNext << 1 | deps.pushPrev << 2 |
         deps.pushNext << 3;
}

/// What all instructions have besides their body.
template <typename Fields>
static isa::Instruction withRest(const Fields &fields, isa::Instruction insn) {
  insn.deps = unpackDeps(fields.deps);
  insn.spare = {uint64_t(fields.spare_low), uint64_t(fields.spare_high)};
  return insn;
}

template <typename Fields>
static isa::Instruction unpackTransfer(const Fields &fields, bool store) {
  isa::MemInsn mem;
  mem.store = store;
  mem.memory = isa::Memory(fields.memory);
  mem.sramBase = fields.sram;
  mem.dramBase = uint32_t(fields.dram);
  mem.ySize = fields.y_size;
  mem.xSize = fields.x_size;
  mem.xStride = fields.x_stride;
  mem.yPad0 = fields.y_pad_0;
  mem.yPad1 = fields.y_pad_1;
  mem.xPad0 = fields.x_pad_0;
  mem.xPad1 = fields.x_pad_1;
  return withRest(fields, {mem, {}});
}

template <typename Fields>
static void packTransfer(Fields &fields, const isa::MemInsn &mem,
                         int32_t buffer) {
  fields.memory = int32_t(mem.memory);
  fields.sram = mem.sramBase;
  fields.buffer = buffer;
  fields.dram = mem.dramBase;
  fields.y_size = mem.ySize;
  fields.x_size = mem.xSize;
  fields.x_stride = mem.xStride;
  fields.y_pad_0 = mem.yPad0;
  fields.y_pad_1 = mem.yPad1;
  fields.x_pad_0 = mem.xPad0;
  fields.x_pad_1 = mem.xPad1;
}

template <typename Fields>
static void unpackLoop(const Fields &fields, isa::MicroLoop &loop) {
  loop.reset = fields.reset;
  loop.uopBgn = fields.uop_bgn;
  loop.uopEnd = fields.uop_end;
  loop.iterOut = fields.iter_out;
  loop.iterIn = fields.iter_in;
  loop.dstOut = fields.dst_out;
  loop.dstIn = fields.dst_in;
  loop.srcOut = fields.src_out;
  loop.srcIn = fields.src_in;
}

template <typename Fields>
static void packLoop(Fields &fields, const isa::MicroLoop &loop) {
  fields.reset = loop.reset;
  fields.uop_bgn = loop.uopBgn;
  fields.uop_end = loop.uopEnd;
  fields.iter_out = loop.iterOut;
  fields.iter_in = loop.iterIn;
  fields.dst_out = loop.dstOut;
  fields.dst_in = loop.dstIn;
  fields.src_out = loop.srcOut;
  fields.src_in = loop.srcIn;
}

isa::Instruction acc::vta::getInstruction(Operation *op, int32_t *buffer) {
  if (buffer)
    *buffer = isa::Program::kNone;
  if (auto load = dyn_cast<InsnLoadOp>(op)) {
    if (buffer)
      *buffer = load.getProperties().buffer;
    return unpackTransfer(load.getProperties(), /*store=*/false);
  }
  if (auto store = dyn_cast<InsnStoreOp>(op)) {
    if (buffer)
      *buffer = store.getProperties().buffer;
    return unpackTransfer(store.getProperties(), /*store=*/true);
  }
  if (auto gemm = dyn_cast<InsnGemmOp>(op)) {
    const auto &fields = gemm.getProperties();
    isa::GemmInsn insn;
    unpackLoop(fields, insn);
    insn.set = fields.set;
    insn.window = fields.window;
    insn.wgtOut = fields.wgt_out;
    insn.wgtIn = fields.wgt_in;
    return withRest(fields, {insn, {}});
  }
  if (auto alu = dyn_cast<InsnAluOp>(op)) {
    const auto &fields = alu.getProperties();
    isa::AluInsn insn;
    unpackLoop(fields, insn);
    insn.op = isa::AluOp(fields.alu_op);
    insn.useImm = fields.use_imm;
    insn.imm = fields.imm;
    return withRest(fields, {insn, {}});
  }
  return withRest(cast<InsnFinishOp>(op).getProperties(),
                  {isa::FinishInsn(), {}});
}

template <typename Op, typename Fill>
static Operation *createInsn(OpBuilder &builder, Location loc,
                             const isa::Instruction &insn, Fill fill) {
  OperationState state(loc, Op::getOperationName());
  auto &fields = state.getOrAddProperties<typename Op::Properties>();
  fill(fields);
  fields.deps = packDeps(insn.deps);
  fields.spare_low = int64_t(insn.spare[0]);
  fields.spare_high = int64_t(insn.spare[1]);
  return builder.create(state);
}

Operation *acc::vta::createInstruction(OpBuilder &builder, Location loc,
                                       const isa::Instruction &insn,
                                       int32_t buffer) {
  if (const isa::MemInsn *mem = insn.mem()) {
    auto fill = [&](auto &fields) { packTransfer(fields, *mem, buffer); };
    return mem->store ? createInsn<InsnStoreOp>(builder, loc, insn, fill)
                      : createInsn<InsnLoadOp>(builder, loc, insn, fill);
  }
  if (const isa::GemmInsn *gemm = insn.gemm())
    return createInsn<InsnGemmOp>(builder, loc, insn, [&](auto &fields) {
      packLoop(fields, *gemm);
      fields.set = gemm->set;
      fields.window = gemm->window;
      fields.wgt_out = gemm->wgtOut;
      fields.wgt_in = gemm->wgtIn;
    });
  if (const isa::AluInsn *alu = insn.alu())
    return createInsn<InsnAluOp>(builder, loc, insn, [&](auto &fields) {
      packLoop(fields, *alu);
      fields.alu_op = int32_t(alu->op);
      fields.use_imm = alu->useImm;
      fields.imm = alu->imm;
    });
  return createInsn<InsnFinishOp>(builder, loc, insn, [](auto &) {});
}

/// Appends the names in \p loc, outermost first, without repetition.
static void collectNames(Location loc, SmallVectorImpl<StringRef> &names) {
  auto add = [&](StringRef name) {
    if (!llvm::is_contained(names, name))
      names.push_back(name);
  };
  if (auto name = dyn_cast<NameLoc>(loc))
    add(name.getName());
  else if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      collectNames(part, names);
  else if (auto call = dyn_cast<CallSiteLoc>(loc))
    collectNames(call.getCallee(), names);
}

std::string acc::vta::getLayerName(Location loc) {
  SmallVector<StringRef> names;
  collectNames(loc, names);
  return llvm::join(names, "+");
}

isa::Program ProgramOp::getProgram() {
  isa::Program program;
  program.config = ConfigAttr::lookup(*this).getConfig();
  isa::Codec codec(program.config);
  for (auto [index, attribute] : llvm::enumerate(getBuffers())) {
    auto type = cast<MemRefType>(cast<TypeAttr>(attribute).getValue());
    uint64_t bits = type.getNumElements() * type.getElementTypeBitWidth();
    program.buffers.push_back({"arg" + std::to_string(index), (bits + 7) / 8});
  }
  if (UopsAttr uops = getUopsAttr()) {
    program.uopBuffer = program.buffers.size();
    program.buffers.push_back({"uops", uops.size() * sizeof(uint32_t)});
    for (size_t i = 0; i < uops.size(); ++i)
      program.uops.push_back(codec.encode(uops[i]));
  }
  // Neighbours mostly share a location.
  DenseMap<Location, int32_t> layers;
  for (Operation &op : *getBody().begin()) {
    auto [layer, isNew] = layers.try_emplace(op.getLoc(), isa::Program::kNone);
    if (isNew) {
      std::string name = getLayerName(op.getLoc());
      if (!name.empty())
        layer->second = program.addLayer(name);
    }
    int32_t buffer;
    isa::Instruction insn = getInstruction(&op, &buffer);
    program.append(insn, buffer, layer->second);
  }
  return program;
}

void ProgramOp::setInstructions(const isa::Program &program,
                                ArrayRef<Location> locations) {
  Block &body = getBody().front();
  body.clear();
  OpBuilder builder = OpBuilder::atBlockEnd(&body);
  for (size_t i = 0; i < program.insns.size(); ++i)
    createInstruction(builder, locations[i], program.insns[i],
                      program.bufferOfInsn(i));
}

FailureOr<ProgramOp> acc::vta::importProgram(OpBuilder &builder, Location loc,
                                             StringRef name,
                                             const isa::Program &program) {
  MLIRContext *context = builder.getContext();
  bool hasTable = program.uopBuffer != isa::Program::kNone;
  if (hasTable && size_t(program.uopBuffer) + 1 != program.buffers.size())
    return emitError(loc)
           << "the micro-op table must be the last buffer, but is "
           << "number " << program.uopBuffer << " of "
           << program.buffers.size();
  SmallVector<Type> buffers;
  auto space = MemorySpaceAttr::get(context, MemorySpace::Dram);
  for (const isa::Buffer &buffer :
       ArrayRef(program.buffers).drop_back(hasTable ? 1 : 0))
    buffers.push_back(MemRefType::get(int64_t(buffer.bytes),
                                      builder.getI8Type(),
                                      MemRefLayoutAttrInterface(), space));
  auto op = ProgramOp::create(builder, loc, name, buffers);
  if (hasTable) {
    isa::Codec codec(program.config);
    SmallVector<isa::Uop> uops;
    for (uint32_t word : program.uops)
      uops.push_back(codec.decode(word));
    op.setUopsAttr(UopsAttr::get(context, uops));
  }
  // The ranges of a stream from elsewhere are entries of the scratchpad.
  op.setCached(true);
  SmallVector<Location> locations;
  for (size_t i = 0; i < program.insns.size(); ++i) {
    std::string_view layer = program.layerOfInsn(i);
    locations.push_back(layer.empty()
                            ? loc
                            : Location(NameLoc::get(builder.getStringAttr(
                                  StringRef(layer.data(), layer.size())))));
  }
  op.setInstructions(program, locations);
  return op;
}
