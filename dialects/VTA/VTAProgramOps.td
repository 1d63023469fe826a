//===- VTAProgramOps.td - Programs and instructions --------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The lower floor of the dialect: one operator per 128-bit instruction, every
// field explicit. Fields are native properties rather than attributes, since a
// program has tens of thousands of instructions and nobody shares their
// integers.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_VTA_VTAPROGRAMOPS_TD
#define ACC_DIALECTS_VTA_VTAPROGRAMOPS_TD

include "dialects/VTA/VTAAttributes.td"
include "dialects/VTA/VTADialect.td"
include "mlir/IR/Properties.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def VTA_ProgramOp : VTA_Op<"program", [
    IsolatedFromAbove, NoRegionArguments, NoTerminator, SingleBlock, Symbol]> {
  let summary = "An instruction stream of the accelerator";
  let description = [{
    `buffers` are the DRAM regions that the program addresses, in the order of
    the operands of `vta.launch`. The micro-op table, if there is one, is the
    buffer that follows them, and whoever runs the program provides it.

    Until `cached` is set, the micro-op ranges of instructions are positions in
    the table; from then on they are entries of the micro-op scratchpad, filled
    by LOADs.

    Until then, too, the immediate of a `table` is a number among `tables`, if the
    program has such, each of 256 entries from that of -128 on. Afterwards tables
    are micro-ops as well, and immediates count those in the scratchpad.

    Everything is verified against the `vta.config` of the enclosing module.
    The layer of an instruction is its location.

    ```mlir
    vta.program @relu(memref<4x1x16xi8, #vta.mem<dram>>) cached uops #vta.uops<[0, 0, 0]> {
      vta.insn.load uop sram 0 dram 1[0] size [1, 1] stride 1
      vta.insn.load acc8 sram 0 dram 0[0] size [1, 4] stride 4
      vta.insn.alu max imm 0 uop [0, 1] iter [1, 4] dst [0, 1] src [0, 1] push(next)
      vta.insn.store sram 0 dram 0[0] size [1, 4] stride 4 pop(prev) push(prev)
      vta.insn.finish pop(next)
    }
    ```
  }];
  let arguments = (ins
    SymbolNameAttr:$sym_name,
    TypeArrayAttr:$buffers,
    UnitAttr:$cached,
    OptionalAttr<VTA_UopsAttr>:$uops,
    OptionalAttr<TypedArrayAttrBase<DenseI8ArrayAttr, "tables">>:$tables);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `` custom<BufferTypes>($buffers) (`cached` $cached^)? (`uops` $uops^)?
    (`tables` $tables^)? attr-dict-with-keyword $body
  }];
  let builders = [
    OpBuilder<(ins "::llvm::StringRef":$name, "::mlir::TypeRange":$buffers)>];
  let skipDefaultBuilders = 1;
  let extraClassDeclaration = [{
    /// The program as a struct of the instruction set library: what encoders,
    /// verifiers and simulators take. Requires that the op verified. Before
    /// `cached` is set, the ranges of micro-ops are positions in the table.
    ::acc::vta::isa::Program getProgram();
    /// Replaces the instructions: \p locations holds the location of each new
    /// one.
    void setInstructions(const ::acc::vta::isa::Program &program,
                         ::llvm::ArrayRef<::mlir::Location> locations);
    /// Index of the micro-op table as a buffer.
    int32_t getUopBuffer() { return getBuffers().size(); }
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def VTA_LaunchOp : VTA_Op<"launch", [
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Run a program on the accelerator";
  let description = [{
    The host side of a program: binds a memref to each of its buffers, runs it
    and waits for it to finish. `parts` are the kernels that the program was
    made of (#vta.part), in the order of their results; without them it is one,
    of the program's name.

    ```mlir
    vta.launch @relu(%x) : memref<4x1x16xi8>
    ```
  }];
  let arguments = (ins
    FlatSymbolRefAttr:$program,
    Arg<Variadic<AnyMemRef>, "", [MemRead, MemWrite]>:$operands,
    OptionalAttr<TypedArrayAttrBase<VTA_PartAttr, "kernels">>:$parts);
  let assemblyFormat = [{
    $program `(` $operands `)` (`parts` $parts^)? attr-dict (`:` type($operands)^)?
  }];
  let builders = [
    OpBuilder<(ins "::llvm::StringRef":$program, "::mlir::ValueRange":$operands)>];
  let hasVerifier = 1;
}

class VTA_InsnOp<string mnemonic> : VTA_Op<"insn." # mnemonic, [
    HasParent<"ProgramOp">]> {
  let hasCustomAssemblyFormat = 1;
}

def VTA_Zero : DefaultValuedProp<I32Prop, "0">;
def VTA_Zero64 : DefaultValuedProp<I64Prop, "0">;
def VTA_One : DefaultValuedProp<I32Prop, "1">;
def VTA_None : DefaultValuedProp<I32Prop, "-1">;

// `deps` are the four dependence flags as they are encoded, bit 0 first:
// pop_prev, pop_next, push_prev, push_next. `buffer` -1 is an absolute address.
// `spare_low` and `spare_high` are the bits of the two words that belong to no
// field; they mean nothing, but a stream from elsewhere stays as it is.
defvar VTA_TransferFields = (ins
    VTA_Zero:$memory, VTA_Zero:$sram, VTA_None:$buffer, VTA_Zero64:$dram,
    VTA_Zero:$y_size, VTA_Zero:$x_size, VTA_Zero:$x_stride,
    VTA_Zero:$y_pad_0, VTA_Zero:$y_pad_1, VTA_Zero:$x_pad_0, VTA_Zero:$x_pad_1,
    VTA_Zero:$deps, VTA_Zero64:$spare_low, VTA_Zero64:$spare_high);

def VTA_InsnLoadOp : VTA_InsnOp<"load"> {
  let summary = "LOAD: a 2-D strided, padded copy from DRAM to a scratchpad";
  let description = [{
    ```mlir
    vta.insn.load inp sram 0 dram 0[64] size [8, 14] stride 56 pad [1, 0, 1, 1] pop(next)
    ```
    `dram 0[64]` is element 64 of buffer 0, `dram [64]` the absolute element 64.
    `size` is rows and elements per row; `pad` rows above, rows below, elements
    left, elements right. What is not written is zero. A LOAD or STORE that moves
    nothing may name any memory, mem6 and mem7 included, which are none.
  }];
  let arguments = VTA_TransferFields;
}

def VTA_InsnStoreOp : VTA_InsnOp<"store"> {
  let summary = "STORE: a 2-D strided copy of truncated accumulators to DRAM";
  let description = [{
    ```mlir
    vta.insn.store out sram 0 dram 2[0] size [1, 196] stride 196 pop(prev) push(prev)
    ```
  }];
  let arguments = VTA_TransferFields;
}

def VTA_InsnGemmOp : VTA_InsnOp<"gemm"> {
  let summary = "GEMM: matrix products under two hardware loops";
  let description = [{
    ```mlir
    vta.insn.gemm uop [0, 9] iter [14, 14] dst [14, 1] src [16, 1] wgt [0, 0] pop(prev)
    vta.insn.gemm reset uop [9, 10] iter [1, 196] dst [0, 1]
    vta.insn.gemm set uop [0, 1] iter [14, 14] dst [14, 1] src [16, 1]
    vta.insn.gemm window set uop [0, 1] iter [14, 14] dst [14, 1] src [16, 1]
    ```
    With `set` the product is not added to what was there, which only a
    configuration that declares GEMM_SET has. With `window` each lane of the
    output has weights of its own for the same lane of neighbouring inputs, as
    many as GEMM_WINDOW declares; such an instruction may have `set`, too.
    Pairs are the factors of the outer and the inner loop; `iter` that is not
    written is [1, 1].
  }];
  let arguments = (ins
    VTA_Zero:$reset, VTA_Zero:$uop_bgn, VTA_Zero:$uop_end,
    VTA_One:$iter_out, VTA_One:$iter_in, VTA_Zero:$dst_out, VTA_Zero:$dst_in,
    VTA_Zero:$src_out, VTA_Zero:$src_in, VTA_Zero:$wgt_out, VTA_Zero:$wgt_in,
    VTA_Zero:$set, VTA_Zero:$window, VTA_Zero:$deps, VTA_Zero64:$spare_low, VTA_Zero64:$spare_high);
}

def VTA_InsnAluOp : VTA_InsnOp<"alu"> {
  let summary = "ALU: element-wise operation under two hardware loops";
  let description = [{
    ```mlir
    vta.insn.alu shr imm 8 uop [10, 11] iter [1, 196] dst [0, 1] src [0, 1]
    vta.insn.alu add uop [11, 12] iter [2, 196] dst [196, 1] src [1, 0]
    ```
  }];
  let arguments = (ins
    VTA_Zero:$reset, VTA_Zero:$uop_bgn, VTA_Zero:$uop_end,
    VTA_One:$iter_out, VTA_One:$iter_in, VTA_Zero:$dst_out, VTA_Zero:$dst_in,
    VTA_Zero:$src_out, VTA_Zero:$src_in,
    VTA_Zero:$alu_op, VTA_Zero:$use_imm, VTA_Zero:$imm,
    VTA_Zero:$deps, VTA_Zero64:$spare_low, VTA_Zero64:$spare_high);
}

def VTA_InsnFinishOp : VTA_InsnOp<"finish"> {
  let summary = "FINISH: the end of the stream";
  let arguments = (ins
    VTA_Zero:$deps, VTA_Zero64:$spare_low, VTA_Zero64:$spare_high);
}

#endif // ACC_DIALECTS_VTA_VTAPROGRAMOPS_TD
