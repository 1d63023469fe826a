//===- GraphLayout.td - Conversions between layouts -----*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHLAYOUT_TD
#define ACC_DIALECTS_GRAPH_GRAPHLAYOUT_TD

include "dialects/Graph/GraphBase.td"

def Graph_PackedTensor : StaticShapeTensorOf<[I8, I32]>;

class Graph_LayoutOp<string mnemonic, list<Trait> traits = []>
    : Graph_Op<mnemonic, !listconcat([Pure], traits)> {
  let assemblyFormat =
      "operands attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}

def Graph_PackOp : Graph_LayoutOp<"pack", [InferTypeOpAdaptor]> {
  let summary = "Tiles the first two of four axes, or the last two of three";
  let description = [{
    An image (A, B, H, W) becomes
    (A / a, B / b, top + H + bottom, left + W + right, a, b) for `tiles` = [a, b]
    and `halo` = [top, left, bottom, right]. What the input does not cover, the
    halo as well as the incomplete tiles, holds `pad_value`. Activations are
    packed by batch and channel, weights by output and input channel.

    Sequences (N, A, B), N of them with A positions, become
    (N, B / b, top + A / a + bottom, 1, a, b): an image whose rows are the
    positions, so that one after the other meets the same weights.

    With `window` = [KH, KW] the elements of a window become channels before
    they are tiled: position (u, v) of channel (i * KW + j) * B + c is that of
    channel c at row u * strides[0] + i * dilations[0] and column v * strides[1] +
    j * dilations[1] of the input with its halo. There are as many positions as
    the window has places.

    ```mlir
    %p = graph.pack %x {halo = array<i64: 1, 1, 1, 1>, pad_value = -128 : i8,
                        tiles = array<i64: 1, 16>}
        : (tensor<1x20x8x8xi8>) -> tensor<1x2x10x10x1x16xi8>
    %q = graph.pack %y {strides = array<i64: 2, 2>, tiles = array<i64: 1, 16>,
                        window = array<i64: 2, 2>}
        : (tensor<1x3x8x8xi8>) -> tensor<1x1x4x4x1x16xi8>
    ```
  }];
  let arguments = (ins Graph_PackedTensor:$input, DenseI64ArrayAttr:$tiles,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$halo,
                       DefaultValuedAttr<I8Attr, "0">:$pad_value,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$window,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$strides,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilations);
  let results = (outs Graph_PackedTensor:$result);
  let extraClassDeclaration = [{
    /// Whether elements of a window become channels.
    bool hasWindow() {
      auto isOne = [](int64_t size) { return size == 1; };
      return !llvm::all_of(getWindow(), isOne) ||
             !llvm::all_of(getStrides(), isOne);
    }
  }];
}

def Graph_UnpackOp : Graph_LayoutOp<"unpack"> {
  let summary = "The reverse of graph.pack";
  let description = [{
    What incomplete tiles and the halo hold is dropped.

    ```mlir
    %x = graph.unpack %p {halo = array<i64: 1, 1, 1, 1>}
        : (tensor<1x2x10x10x1x16xi8>) -> tensor<1x20x8x8xi8>
    ```
  }];
  let arguments = (ins Graph_PackedTensor:$input,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$halo);
  let results = (outs Graph_PackedTensor:$result);
  let hasVerifier = 1;
}

#endif // ACC_DIALECTS_GRAPH_GRAPHLAYOUT_TD
