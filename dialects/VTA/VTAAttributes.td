//===- VTAAttributes.td - Attributes of the vta dialect ----*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_VTA_VTAATTRIBUTES_TD
#define ACC_DIALECTS_VTA_VTAATTRIBUTES_TD

include "dialects/VTA/VTADialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "acc/vta/isa/Facts.td"

def VTA_MemorySpace : I32EnumAttr<"MemorySpace", "a memory of the accelerator",
    !listconcat(IsaScratchpads,
                [I32EnumAttrCase<"Dram", IsaNumScratchpads, "dram">])> {
  let genSpecializedAttr = 0;
  let cppNamespace = "::acc::vta";
}

def VTA_MemAttr : EnumAttr<VTA_Dialect, VTA_MemorySpace, "mem"> {
  let summary = "Memory space of a memref: a scratchpad or DRAM";
  let assemblyFormat = "`<` $value `>`";
}

// Numbered as the instruction set encodes them.
def VTA_AluKind : I32EnumAttr<"AluKind", "an operation of the vector unit",
                              IsaAluOps> {
  let genSpecializedAttr = 0;
  let cppNamespace = "::acc::vta";
}

def VTA_AluKindAttr : EnumAttr<VTA_Dialect, VTA_AluKind, "alu_op">;

class VTA_Attr<string name, string attrMnemonic> : AttrDef<VTA_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def VTA_ConfigParameter : AttrOrTypeParameter<"::acc::vta::isa::Config",
                                              "a hardware configuration"> {
  let cppAccessorType = "const ::acc::vta::isa::Config &";
}

def VTA_ConfigAttr : VTA_Attr<"Config", "config"> {
  let summary = "Description of the accelerator, as in vta_config.json";
  let description = [{
    The parameters are the keys of `vta_config.json` in lower case. Those not
    written have their documented defaults; `log_block` stands for both
    `log_block_in` and `log_block_out`. A configuration that the instruction set
    cannot express is refused with the reason.

    The module attribute `vta.config` holds the accelerator that a module is
    compiled for. `dialect = public` restricts its programs to what the public
    hardware designs agree on (acc/vta/isa/Dialect.h); without it they may use
    everything.

    ```mlir
    module attributes {vta.config = #vta.config<log_batch = 0, log_block = 4>} {}
    ```
  }];
  let parameters = (ins
    VTA_ConfigParameter:$config, "::acc::vta::isa::Dialect":$isaDialect);
  let builders = [
    // Of a program that may use the whole instruction set.
    AttrBuilder<(ins "const ::acc::vta::isa::Config &":$config), [{
      return $_get($_ctxt, config, ::acc::vta::isa::Dialect::Acc);
    }]>];
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The configuration that \p op is compiled for: the `vta.config` of the
    /// closest module that has one, or null.
    static ConfigAttr lookup(::mlir::Operation *op);
    /// Name of that module attribute.
    static constexpr ::llvm::StringLiteral kName = "vta.config";
  }];
}

def VTA_UopsAttr : VTA_Attr<"Uops", "uops"> {
  let summary = "A table of micro-ops";
  let description = [{
    Micro-ops as triples of accumulator, source and weight index.

    ```mlir
    #vta.uops<[0, 0, 0], [0, 1, 9]>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"int32_t">:$values);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    size_t size() const { return getValues().size() / 3; }
    ::acc::vta::isa::Uop operator[](size_t index) const;
  }];
  let builders = [
    AttrBuilder<(ins "::llvm::ArrayRef<::acc::vta::isa::Uop>":$uops)>];
}

def VTA_PartAttr : VTA_Attr<"Part", "part"> {
  let summary = "A kernel that a launch runs";
  let description = [{
    `kernel` is the symbol that the kernel had, `label` what policies call it. Its
    arguments lie in the buffers with the numbers `buffers`, each from the byte in
    `offsets` on.

    ```mlir
    #vta.part<kernel = "conv1", label = "layer1/conv1", buffers = [0, 1, 2], offsets = [0, 0, 4096]>
    ```
  }];
  let parameters = (ins
    "::mlir::StringAttr":$kernel, "::mlir::StringAttr":$label,
    "::mlir::DenseI64ArrayAttr":$buffers, "::mlir::DenseI64ArrayAttr":$offsets);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def VTA_StepAttr : VTA_Attr<"Step", "step"> {
  let summary = "An operation of the vector unit with a constant";
  let description = [{
    Changes a running value: `value = op(value, values[channel])`, or with one
    value for all channels.

    ```mlir
    #vta.step<op = shr, values = [12]>
    ```
  }];
  let parameters = (ins
    EnumParameter<VTA_AluKind>:$op, "::mlir::DenseI64ArrayAttr":$values);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// What becomes of a value in that channel, in 32 bits.
    int32_t evaluate(int32_t value, int64_t channel) const;
  }];
}

def VTA_ActivationAttr : VTA_Attr<"Activation", "activation"> {
  let summary = "A function of i8 as steps of the vector unit";
  let description = [{
    Stands for the table of a graph.lookup, as its attribute `vta.activation`:

        x = before(input)
        y = join(left(x), right(x)) or, without steps in `right`, y = x
        result = after(y)

    A policy finds the steps; vta-pack-layout refuses those that do not give the
    table's entry for every input.

    ```mlir
    // max(x, x / 8)
    #vta.activation<before = [], left = [], right = [#vta.step<op = shr, values = [3]>], join = max, after = []>
    ```
  }];
  let parameters = (ins
    "::mlir::ArrayAttr":$before, "::mlir::ArrayAttr":$left,
    "::mlir::ArrayAttr":$right, EnumParameter<VTA_AluKind>:$join,
    "::mlir::ArrayAttr":$after);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    int32_t evaluate(int32_t value, int64_t channel) const;
  }];
}

#endif // ACC_DIALECTS_VTA_VTAATTRIBUTES_TD
