//===- TEAttributes.td - Attributes of the te dialect ------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_TE_TEATTRIBUTES_TD
#define ACC_DIALECTS_TE_TEATTRIBUTES_TD

include "dialects/TE/TEDialect.td"
include "dialects/TE/TEInterfaces.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class TE_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<TE_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
  let genVerifyDecl = 1;
}

def TE_HostAttr : AttrDef<TE_Dialect, "Host", [
    DeclareAttrInterfaceMethods<TE_TargetAttrInterface, ["isHost"]>]> {
  let mnemonic = "host";
  let summary = "The processor that runs main, as a target";
  let description = [{
    A kernel with this target becomes native code that `main` calls.

    ```mlir
    te.kernel @relu(...) attributes {target = #te.host} { ... }
    ```
  }];
}

def TE_MemoryAttr : TE_Attr<"Memory", "memory"> {
  let summary = "A memory of a declared target";
  let description = [{
    Addressed by elements of `shape` and `type`, the innermost dimensions of every
    buffer whose memory space is `space`; `capacity` of them fit.

    ```mlir
    #te.memory<space = "vectors", shape = [8], type = i8, capacity = 256>
    ```
  }];
  let parameters = (ins
    "::mlir::Attribute":$space, "::mlir::DenseI64ArrayAttr":$shape,
    "::mlir::Type":$type, "int64_t":$capacity);
  let assemblyFormat = "`<` struct(params) `>`";
}

def TE_TargetAttr : TE_Attr<"Target", "target", [
    DeclareAttrInterfaceMethods<TE_TargetAttrInterface, [
      "getMemories", "getMemorySpace", "canFill", "emitIntrinsic", "emitRead",
      "emitWrite"]>]> {
  let summary = "A target that is nothing but its declaration";
  let description = [{
    For an accelerator without a dialect of its own. `roles` says which memory
    space plays which role: `argument`, `input`, `weight`, `accumulator`, `output`;
    what it leaves out is in the default space. With `only_zero` buffers can be
    zeroed, but not set. The intrinsics are `te.intrin`s that the module declares.

    A kernel of such a target ends as loops around `te.cache_read`, `te.issue` and
    `te.cache_write` on buffers, which a backend outside of the compiler reads.

    ```mlir
    #te.target<name = "toy",
      scratchpads = [#te.memory<space = "vectors", shape = [8], type = i8, capacity = 256>,
                     #te.memory<space = "sums", shape = [8], type = i32, capacity = 64>],
      roles = {input = "vectors", weight = "vectors", accumulator = "sums", output = "sums"},
      only_zero = true>
    ```
  }];
  let parameters = (ins
    "::mlir::StringAttr":$name, "::mlir::ArrayAttr":$scratchpads,
    OptionalParameter<"::mlir::DictionaryAttr">:$roles,
    DefaultValuedParameter<"bool", "false">:$only_zero);
  let assemblyFormat = "`<` struct(params) `>`";
}

def TE_LevelKind : I32EnumAttr<"LevelKind", "what becomes of the loops of a tile level", [
    I32EnumAttrCase<"Serial", 0, "serial">,
    I32EnumAttrCase<"VThread", 1, "vthread">,
    I32EnumAttrCase<"Vector", 2, "vector">,
    I32EnumAttrCase<"Register", 3, "register">,
    I32EnumAttrCase<"Parallel", 4, "parallel">]> {
  let cppNamespace = "::acc::te";
}

def TE_LevelKindParameter : EnumParameter<TE_LevelKind> {
  let defaultValue = "::acc::te::LevelKind::Serial";
}

def TE_TileAttr : TE_Attr<"Tile", "tile"> {
  let summary = "Tile sizes of one level, per axis";
  let description = [{
    `sizes` holds one size per loop of the tiled operation, in the order of its
    iterators; 0, or nothing for the trailing ones, leaves a loop whole.
    `order` lists the tiled axes, outermost first; without it they nest in the
    order of the iterators. `kind` says what becomes of a tile:

    - `serial`: the body of loops that run one iteration after the other
    - `vthread`: so many tiles of the first level, along one axis, run
      interleaved, each with its own scratchpad buffers
    - `register`: it is unrolled and its results stay in registers
    - `vector`: the lanes of a vector
    - `parallel`: iterations that may run at the same time

    ```mlir
    #te.tile<sizes = [1, 2, 8, 28], order = [0, 2, 3, 1]>
    #te.tile<sizes = [0, 2], kind = vthread>
    ```
  }];
  let parameters = (ins
    "::mlir::DenseI64ArrayAttr":$sizes,
    OptionalParameter<"::mlir::DenseI64ArrayAttr">:$order,
    TE_LevelKindParameter:$kind);
  let assemblyFormat = "`<` struct(params) `>`";
  let extraClassDeclaration = [{
    /// The tiled axes, outermost first.
    ::llvm::SmallVector<int64_t> getLoopOrder();
    /// The size in an axis; 0 for one that is whole.
    int64_t getSizeOf(int64_t axis);
  }];
}

def TE_CacheAttr : TE_Attr<"Cache", "cache"> {
  let summary = "Where a kernel argument is staged";
  let description = [{
    Argument number `arg` of the kernel is read through slices in `memory`,
    taken inside the loops of the serial tile levels up to `level`, and outside of
    those among them that they do not depend on. With `slots` greater than 1 so many
    buffers take turns: one is filled while another is still read.

    ```mlir
    #te.cache<arg = 0, memory = "input", level = 1, slots = 2>
    ```
  }];
  let parameters = (ins
    "int64_t":$arg, "::mlir::Attribute":$memory, "int64_t":$level,
    DefaultValuedParameter<"int64_t", "1">:$slots);
  let assemblyFormat = "`<` struct(params) `>`";
}

def TE_ScheduleAttr : TE_Attr<"Schedule", "schedule"> {
  let summary = "The whole scheduling decision of a kernel, or of one operation";
  let description = [{
    Chosen by a policy, obeyed by the passes.

    - `tiles`: the levels, `#te.tile` each, outermost first. The first serial one
      tiles the last operation of the kernel over parallel axes and fuses its
      producers into the tiles; the other serial ones tile the anchor alone.
      There is at most one level of every other kind.
    - `caches`: `#te.cache` per staged argument; `accumulator` is the memory of
      every intermediate value.
    - `intrinsic`: the `te.intrin` that the anchor must become, or the host's
      instruction for it.

    On a kernel, as its `schedule`:

    ```mlir
    #te.schedule<
      tiles = [#te.tile<sizes = [1, 2, 8, 28]>, #te.tile<sizes = [0, 2], kind = vthread>,
               #te.tile<sizes = [0, 0, 0, 0, 2]>],
      caches = [#te.cache<arg = 0, memory = "input", level = 1>,
                #te.cache<arg = 1, memory = "weight", level = 0>],
      accumulator = "sums", intrinsic = @dot>
    ```

    On an operation of linalg in a kernel of the host, as `te.schedule`: blocks of 8
    rows, 14 columns of 32 channels in registers, 16 channels in a vector.

    ```mlir
    linalg.conv_2d_nchw_fchw {te.schedule = #te.schedule<
      tiles = [#te.tile<sizes = [0, 0, 8]>, #te.tile<sizes = [0, 32, 0, 14], kind = register>,
               #te.tile<sizes = [0, 16], kind = vector>]>} ...
    ```
  }];
  let parameters = (ins
    "::mlir::ArrayAttr":$tiles,
    OptionalParameter<"::mlir::ArrayAttr">:$caches,
    OptionalParameter<"::mlir::Attribute">:$accumulator,
    OptionalParameter<"::mlir::FlatSymbolRefAttr">:$intrinsic);
  let assemblyFormat = "`<` struct(params) `>`";
  let extraClassDeclaration = [{
    /// The levels that become loops, outermost first.
    ::llvm::SmallVector<::acc::te::TileAttr> getSerialLevels();
    /// The level of another kind, or null.
    ::acc::te::TileAttr getLevel(::acc::te::LevelKind kind);
    /// The entry for argument `arg`, or null.
    ::acc::te::CacheAttr getCacheOf(unsigned arg);
  }];
}

#endif // ACC_DIALECTS_TE_TEATTRIBUTES_TD
