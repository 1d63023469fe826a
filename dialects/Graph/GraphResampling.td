//===- GraphResampling.td - Operators that interpolate -----*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHRESAMPLING_TD
#define ACC_DIALECTS_GRAPH_GRAPHRESAMPLING_TD

include "dialects/Graph/GraphBase.td"


def Graph_ResizeModeAttr
    : I32EnumAttr<"ResizeMode", "how values between elements are found", [
        I32EnumAttrCase<"Nearest", 0, "nearest">,
        I32EnumAttrCase<"Linear", 1, "linear">,
        I32EnumAttrCase<"Cubic", 2, "cubic">]> {
  let cppNamespace = "::acc::graph";
  let genSpecializedAttr = 0;
}
def Graph_ResizeMode
    : EnumAttr<Graph_Dialect, Graph_ResizeModeAttr, "resize_mode"> {
  let assemblyFormat = "`<` $value `>`";
}

def Graph_CoordinateModeAttr
    : I32EnumAttr<"CoordinateMode", "which position an output stands for", [
        I32EnumAttrCase<"HalfPixel", 0, "half_pixel">,
        I32EnumAttrCase<"HalfPixelSymmetric", 1, "half_pixel_symmetric">,
        I32EnumAttrCase<"PytorchHalfPixel", 2, "pytorch_half_pixel">,
        I32EnumAttrCase<"AlignCorners", 3, "align_corners">,
        I32EnumAttrCase<"Asymmetric", 4, "asymmetric">,
        I32EnumAttrCase<"TfCropAndResize", 5, "tf_crop_and_resize">,
        I32EnumAttrCase<"TfHalfPixelForNn", 6, "tf_half_pixel_for_nn">]> {
  let cppNamespace = "::acc::graph";
  let genSpecializedAttr = 0;
}
def Graph_CoordinateMode
    : EnumAttr<Graph_Dialect, Graph_CoordinateModeAttr, "coordinate_mode"> {
  let assemblyFormat = "`<` $value `>`";
}

def Graph_NearestModeAttr
    : I32EnumAttr<"NearestMode", "which of two neighbours is the nearest", [
        I32EnumAttrCase<"RoundPreferFloor", 0, "round_prefer_floor">,
        I32EnumAttrCase<"RoundPreferCeil", 1, "round_prefer_ceil">,
        I32EnumAttrCase<"Floor", 2, "floor">,
        I32EnumAttrCase<"Ceil", 3, "ceil">]> {
  let cppNamespace = "::acc::graph";
  let genSpecializedAttr = 0;
}
def Graph_NearestMode
    : EnumAttr<Graph_Dialect, Graph_NearestModeAttr, "nearest_mode"> {
  let assemblyFormat = "`<` $value `>`";
}

def Graph_ResizeOp : Graph_ShapedOp<"resize"> {
  let summary = "Interpolation along some axes";
  let description = [{
    `axes` are resized to the sizes of `static_sizes`, whose dynamic entries are
    the operands `sizes`. `scales`, one for each of these axes, say how far
    apart outputs are; without them they are the quotients of the sizes. `roi`
    (all starts, then all ends) is there for tf_crop_and_resize only. Policies
    on aspect ratios and what scales mean for sizes is resolved before.

    ```mlir
    %y = graph.resize %x {axes = array<i64: 2, 3>,
        coordinate_transformation_mode = #graph.coordinate_mode<half_pixel>,
        mode = #graph.resize_mode<linear>, scales = array<f64: 2.0, 2.0>,
        static_sizes = array<i64: 16, 16>}
        : (tensor<1x3x8x8xf32>) -> tensor<1x3x16x16xf32>
    ```
  }];
  let arguments = (ins
      Graph_ValueTensor:$input, Variadic<Index>:$sizes, DenseI64ArrayAttr:$axes,
      DenseI64ArrayAttr:$static_sizes, OptionalAttr<DenseF64ArrayAttr>:$scales,
      OptionalAttr<DenseF64ArrayAttr>:$roi, Graph_ResizeMode:$mode,
      DefaultValuedAttr<Graph_CoordinateMode,
                        "::acc::graph::CoordinateMode::HalfPixel">
          :$coordinate_transformation_mode,
      DefaultValuedAttr<Graph_NearestMode,
                        "::acc::graph::NearestMode::RoundPreferFloor">
          :$nearest_mode,
      DefaultValuedAttr<F32Attr, "-0.75f">:$cubic_coeff_a,
      DefaultValuedAttr<F32Attr, "0.0f">:$extrapolation_value,
      DefaultValuedAttr<BoolAttr, "false">:$exclude_outside,
      DefaultValuedAttr<BoolAttr, "false">:$antialias);
  let results = (outs Graph_ValueTensor:$result);
}

def Graph_PaddingModeAttr
    : I32EnumAttr<"PaddingMode", "what lies beyond a sampled tensor", [
        I32EnumAttrCase<"Zeros", 0, "zeros">,
        I32EnumAttrCase<"Border", 1, "border">,
        I32EnumAttrCase<"Reflection", 2, "reflection">]> {
  let cppNamespace = "::acc::graph";
  let genSpecializedAttr = 0;
}
def Graph_PaddingMode
    : EnumAttr<Graph_Dialect, Graph_PaddingModeAttr, "padding_mode"> {
  let assemblyFormat = "`<` $value `>`";
}

def Graph_GridSampleOp : Graph_ShapedOp<"grid_sample"> {
  let summary = "Values at the positions that a grid holds";
  let description = [{
    input (N, C, D1...), grid (N, O1..., r) for r spatial axes, result
    (N, C, O1...). Positions are from -1 to 1, the last axis first.

    ```mlir
    %y = graph.grid_sample %x, %grid {mode = #graph.resize_mode<linear>}
        : (tensor<1x3x8x8xf32>, tensor<1x4x4x2xf32>) -> tensor<1x3x4x4xf32>
    ```
  }];
  let arguments = (ins
      Graph_ValueTensor:$input, Graph_FloatTensor:$grid,
      Graph_ResizeMode:$mode,
      DefaultValuedAttr<Graph_PaddingMode, "::acc::graph::PaddingMode::Zeros">
          :$padding_mode,
      DefaultValuedAttr<BoolAttr, "false">:$align_corners);
  let results = (outs Graph_ValueTensor:$result);
}

def Graph_RoiModeAttr
    : I32EnumAttr<"RoiMode", "how the samples of a bin become one value", [
        I32EnumAttrCase<"Avg", 0, "avg">, I32EnumAttrCase<"Max", 1, "max">]> {
  let cppNamespace = "::acc::graph";
  let genSpecializedAttr = 0;
}
def Graph_RoiMode : EnumAttr<Graph_Dialect, Graph_RoiModeAttr, "roi_mode"> {
  let assemblyFormat = "`<` $value `>`";
}

def Graph_RoiAlignOp : Graph_ShapedOp<"roi_align"> {
  let summary = "Pools of samples within regions of interest";
  let description = [{
    input (N, C, H, W), rois (R, 4) as x1, y1, x2, y2, batch_indices (R), result
    (R, C, output_height, output_width). A `sampling_ratio` of zero takes as many
    samples as a bin has elements. `half_pixel` moves regions by half an
    element.

    ```mlir
    %y = graph.roi_align %x, %rois, %batches {mode = #graph.roi_mode<avg>,
        output_height = 5 : i64, output_width = 5 : i64}
        : (tensor<1x1x10x10xf32>, tensor<3x4xf32>, tensor<3xi64>)
        -> tensor<3x1x5x5xf32>
    ```
  }];
  let arguments = (ins
      Graph_FloatTensor:$input, Graph_FloatTensor:$rois,
      Graph_IntegerTensor:$batch_indices,
      DefaultValuedAttr<Graph_RoiMode, "::acc::graph::RoiMode::Avg">:$mode,
      DefaultValuedAttr<BoolAttr, "true">:$half_pixel,
      DefaultValuedAttr<I64Attr, "1">:$output_height,
      DefaultValuedAttr<I64Attr, "1">:$output_width,
      DefaultValuedAttr<I64Attr, "0">:$sampling_ratio,
      DefaultValuedAttr<F32Attr, "1.0f">:$spatial_scale);
  let results = (outs Graph_FloatTensor:$result);
}

def Graph_MaxRoiPoolOp : Graph_ShapedOp<"max_roi_pool"> {
  let summary = "Maximum over the bins of regions of interest";
  let description = [{
    input (N, C, H, W), rois (R, 5) as batch, x1, y1, x2, y2, result
    (R, C, pooled_shape...). A bin without elements is zero.

    ```mlir
    %y = graph.max_roi_pool %x, %rois {pooled_shape = array<i64: 2, 2>}
        : (tensor<1x1x10x10xf32>, tensor<3x5xf32>) -> tensor<3x1x2x2xf32>
    ```
  }];
  let arguments = (ins
      Graph_FloatTensor:$input, Graph_FloatTensor:$rois,
      DenseI64ArrayAttr:$pooled_shape,
      DefaultValuedAttr<F32Attr, "1.0f">:$spatial_scale);
  let results = (outs Graph_FloatTensor:$result);
}

#endif // ACC_DIALECTS_GRAPH_GRAPHRESAMPLING_TD
