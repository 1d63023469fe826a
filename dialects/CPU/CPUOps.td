//===- CPUOps.td - Operators of the cpu dialect ------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_CPU_CPUOPS_TD
#define ACC_DIALECTS_CPU_CPUOPS_TD

include "dialects/CPU/CPUDialect.td"
include "mlir/IR/CommonAttrConstraints.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def CPU_ContractOp : CPU_Op<"contract", [
    DestinationStyleOpInterface, IsolatedFromAbove,
    SingleBlock, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "A convolution or matrix product on packed weights, with its epilogue";
  let description = [{
    What one register-tiled loop nest computes: every output element is the
    sum of products of its window and its filter, put through the scalar
    epilogue of the region. The region's first argument is the sum, the others
    are the elements of `epilogue` operands, each addressed by its map from the
    output's dimensions.

    The rank of `input` says what is computed:

    - 4: a convolution. `input` is (N, C, H, W), the output (N, O, OH, OW),
      `weights` ([G,] O/G/T, C/G, KH, KW, T): `T` output channels, the tile,
      are innermost. `pads` is [top, left, bottom, right]; padded elements
      read as `pad_value`.
    - 2: a matrix product. `input` is (M, K), the output (M, N) and `weights`
      (N/T, K, T).

    f32, f16 and bf16 are summed in f32, i8 in i32. Weights of i8 have one
    more innermost dimension: as many consecutive channels (or elements of K) as
    a lane of the instruction multiplies and adds at once.

    `tile` is [width, lanes]: how many output columns (rows of a matrix
    product) and how many lanes a vector register gets; T / lanes registers
    hold one column. `rows` output rows share one packed copy of the input
    window; 0 means that the input is read in place. `instruction` names a
    machine instruction for integers: of x86 "vpdpbusd" for four unsigned bytes
    with four signed ones, or "pmaddwd" for pairs of 16 bits; of AArch64 "sdot"
    for four bytes, or "sadalp" behind "smull" for pairs of them; of RISC-V
    "vwmacc" for one product of 16 bits, which is also the form of scalars.
    Without it products of pairs are multiplied and added in 32 bits.

    `chunks` is [outputs, rows]: pieces of so many outputs, a multiple of T, and of
    so many rows may be computed at the same time; 0 cuts nothing. With outputs,
    all pieces share a packed copy of the input; without them, every piece has
    its own, of exactly its rows. Where rows and columns are one dimension, rows
    are counted in widths of the tile, as `rows` counts them.

    The outermost dimension, N or M, may be of unknown size, and so may images.

    ```mlir
    %y = cpu.contract ins(%x, %w : tensor<1x3x8x8xf32>, tensor<1x3x3x3x32xf32>)
        epilogue(%bias : tensor<20xf32>) outs(%init : tensor<1x20x8x8xf32>)
        attributes {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>,
                    pads = array<i64: 1, 1, 1, 1>, tile = array<i64: 8, 16>, rows = 8,
                    maps = [affine_map<(n, c, h, w) -> (c)>]} {
    ^bb0(%sum: f32, %b: f32):
      %0 = arith.addf %sum, %b : f32
      cpu.yield %0 : f32
    } -> tensor<1x20x8x8xf32>
    ```
  }];
  let arguments = (ins
    AnyShaped:$input, AnyShaped:$weights, Variadic<AnyShaped>:$extras,
    AnyShaped:$init,
    AffineMapArrayAttr:$maps,
    DenseI64ArrayAttr:$tile,
    DefaultValuedAttr<I64Attr, "0">:$rows,
    DefaultValuedAttr<I64Attr, "0">:$pad_value,
    OptionalAttr<StrAttr>:$instruction,
    OptionalAttr<DenseI64ArrayAttr>:$strides,
    OptionalAttr<DenseI64ArrayAttr>:$dilations,
    OptionalAttr<DenseI64ArrayAttr>:$pads,
    OptionalAttr<DenseI64ArrayAttr>:$chunks);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `ins` `(` $input `,` $weights `:` type($input) `,` type($weights) `)`
    (`epilogue` `(` $extras^ `:` type($extras) `)`)?
    `outs` `(` $init `:` type($init) `)` attr-dict-with-keyword $body
    (`->` type($results)^)?
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
    ::mlir::ShapedType getInputType() {
      return ::mlir::cast<::mlir::ShapedType>(getInput().getType());
    }
    ::mlir::ShapedType getWeightsType() {
      return ::mlir::cast<::mlir::ShapedType>(getWeights().getType());
    }
    ::mlir::ShapedType getInitType() {
      return ::mlir::cast<::mlir::ShapedType>(getInit().getType());
    }
    bool isConvolution() { return getInputType().getRank() == 4; }
    bool isInteger() { return getInputType().getElementType().isInteger(); }
    /// Whether the sum reads a copy of the input whose elements are wider than
    /// the input's, or other ones.
    bool convertsInput() { return !getInputType().getElementType().isF32(); }
    /// How integers are summed.
    const ::acc::cpu::IntegerSum &getSum() {
      return *::acc::cpu::IntegerSum::find(getInstruction().value_or(""));
    }
    /// How many elements of the sum one lane takes at once.
    int64_t getPack() { return isInteger() ? getSum().pack : 1; }
    /// Output channels (or columns) of one tile.
    int64_t getTileSize();
    int64_t getGroups();
    ::mlir::Type getAccumulatorType();
    /// The outputs, and the rows, of a chunk; 0 where chunks are not cut so.
    int64_t getChunkOutputs() { return getChunks() ? (*getChunks())[0] : 0; }
    int64_t getChunkRows() { return getChunks() ? (*getChunks())[1] : 0; }
  }];
}

def CPU_YieldOp : CPU_Op<"yield", [Pure, Terminator, HasParent<"ContractOp">]> {
  let summary = "The value of one output element";
  let arguments = (ins AnyType:$value);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

def CPU_ParallelOp : CPU_Op<"parallel", [
    SingleBlock, NoTerminator, RecursiveMemoryEffects]> {
  let summary = "A loop whose iterations may run at the same time";
  let description = [{
    Runs its region for every number from 0 up to `count`, in any order, on any
    threads, and ends when all are done. What iterations write, no other one reads
    or writes. `own` is memory of which every thread has its own, of the same
    size, with anything in it; only the region uses it.

    ```mlir
    cpu.parallel %chunks own(%panel : memref<4096xf32>) {
    ^bb0(%chunk: index, %own: memref<4096xf32>):
      ...
    }
    ```
  }];
  let arguments = (ins Index:$count, Optional<AnyMemRef>:$own);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $count (`own` `(` $own^ `:` type($own) `)`)? attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "::mlir::Value":$count, CArg<"::mlir::Value", "{}">:$own)>];
  let skipDefaultBuilders = 1;
  let extraClassDeclaration = [{
    ::mlir::Value getChunk() { return getBody().getArgument(0); }
    /// A thread's own memory; there must be some.
    ::mlir::Value getOwnMemory() { return getBody().getArgument(1); }
  }];
}

#endif // ACC_DIALECTS_CPU_CPUOPS_TD
