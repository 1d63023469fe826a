"""The ONNX operators that acc imports.

One entry each: the graph operator, the attributes that are supported and the element types. Numbers of
inputs, types and defaults of attributes, and what exists in which operator set, are ONNX's own declarations.
An operator whose form differs between operator sets, or whose attributes need resolving, also names a
function that converts it; every other becomes the graph operator with the same operands and attributes.
"""

from __future__ import annotations

from acc.frontend import (
    images,
    indexing,
    integers,
    ml,
    movement,
    quantization,
    recurrent,
    reductions,
    shapes,
    sums,
    training,
    windows,
)
from acc.frontend.call import AXIS, BOOL, IGNORED, PLAIN, Operator
from acc.frontend.elementwise import ELEMENTWISE
from acc.frontend.tables import TABLES

OPERATORS: dict[str, Operator] = {
    # Contractions and normalizations
    "Conv": Operator("conv", windows.WINDOW | {"group": PLAIN}, convert=windows.convert_conv),
    "ConvTranspose": Operator(
        "conv_transpose",
        windows.WINDOW | {"group": PLAIN, "output_padding": PLAIN, "output_shape": PLAIN},
        convert=windows.convert_conv_transpose,
    ),
    "DeformConv": Operator(
        "deform_conv",
        windows.WINDOW | {"group": PLAIN, "offset_group": PLAIN},
        convert=windows.convert_deform_conv,
    ),
    "ConvInteger": Operator("conv", windows.WINDOW | {"group": PLAIN}, "number", integers.convert_conv_integer),
    "QLinearConv": Operator("conv", windows.WINDOW | {"group": PLAIN}, "number", integers.convert_qlinear_conv),
    "Col2Im": Operator(
        "col2_im", dict.fromkeys(("dilations", "pads", "strides"), PLAIN), "number", windows.convert_col2im
    ),
    "Gemm": Operator(
        "gemm", {"alpha": PLAIN, "beta": PLAIN, "transA": BOOL, "transB": BOOL}, "number", sums.convert_gemm
    ),
    "MatMul": Operator("mat_mul", elements="number"),
    "MatMulInteger": Operator("mat_mul", elements="number", convert=integers.convert_mat_mul_integer),
    "QLinearMatMul": Operator("mat_mul", elements="number", convert=integers.convert_qlinear_mat_mul),
    "BatchNormalization": Operator(
        "batch_normalization", reductions.BATCH, convert=reductions.convert_batch_normalization
    ),
    "LRN": Operator("lrn", {"alpha": PLAIN, "beta": PLAIN, "bias": PLAIN, "size": PLAIN}, convert=windows.convert_lrn),
    "Softmax": Operator("softmax", {"axis": PLAIN}, convert=reductions.convert_softmax),
    "LogSoftmax": Operator("log_softmax", {"axis": PLAIN}, convert=reductions.convert_softmax),
    "Hardmax": Operator("hardmax", {"axis": PLAIN}, convert=reductions.convert_softmax),
    "LayerNormalization": Operator(
        "mean_variance_normalization", reductions.NORMALIZATION, convert=reductions.convert_layer_normalization
    ),
    "RMSNormalization": Operator(
        "rms_normalization", reductions.NORMALIZATION, convert=reductions.convert_layer_normalization
    ),
    "InstanceNormalization": Operator(
        "mean_variance_normalization", {"epsilon": PLAIN}, convert=reductions.convert_instance_normalization
    ),
    "GroupNormalization": Operator(
        "mean_variance_normalization",
        {"epsilon": PLAIN, "num_groups": PLAIN, "stash_type": IGNORED},
        convert=reductions.convert_group_normalization,
    ),
    "MeanVarianceNormalization": Operator(
        "mean_variance_normalization", {"axes": PLAIN}, convert=reductions.convert_mean_variance_normalization
    ),
    "LpNormalization": Operator(
        "lp_normalization", {"axis": PLAIN, "p": PLAIN}, convert=reductions.convert_lp_normalization
    ),
    # Reductions, scans and sums of products
    **{
        f"Reduce{name}": Operator(f"reduce_{graph}", reductions.REDUCE, "number", reductions.convert_reduce)
        for name, graph in (
            *(("Sum", "sum"), ("Mean", "mean"), ("Max", "max"), ("Min", "min"), ("Prod", "prod"), ("L1", "l1")),
            *(("L2", "l2"), ("LogSum", "log_sum"), ("LogSumExp", "log_sum_exp"), ("SumSquare", "sum_square")),
        )
    },
    "ArgMax": Operator("arg_max", reductions.ARG, "number", reductions.convert_arg),
    "ArgMin": Operator("arg_min", reductions.ARG, "number", reductions.convert_arg),
    "CumSum": Operator("cum_sum", reductions.SCAN, "number", reductions.convert_scan),
    "CumProd": Operator("cum_prod", reductions.SCAN, "number", reductions.convert_scan),
    "Det": Operator("det"),
    "Einsum": Operator("einsum", {"equation": PLAIN}, "number", sums.convert_einsum),
    "DFT": Operator("einsum", sums.DFT, convert=sums.convert_dft),
    "STFT": Operator("conv", {"onesided": BOOL}, convert=sums.convert_stft),
    **TABLES,
    # Recurrent networks
    "GRU": Operator("gru", recurrent.GRU, "number", recurrent.convert_recurrent),
    "LSTM": Operator("lstm", recurrent.LSTM, "number", recurrent.convert_recurrent),
    "RNN": Operator("rnn", recurrent.RNN, "number", recurrent.convert_recurrent),
    # Pools
    "MaxPool": Operator("max_pool", windows.POOL, "any", windows.convert_pool),
    "AveragePool": Operator("average_pool", windows.POOL, convert=windows.convert_pool),
    "LpPool": Operator("lp_pool", windows.POOL | {"p": PLAIN}, convert=windows.convert_pool),
    "GlobalAveragePool": Operator("global_average_pool"),
    "GlobalMaxPool": Operator("global_max_pool", convert=windows.convert_global_max_pool),
    "GlobalLpPool": Operator("global_lp_pool", {"p": PLAIN}),
    "MaxUnpool": Operator(
        "max_unpool",
        dict.fromkeys(("kernel_shape", "pads", "strides"), PLAIN),
        "number",
        windows.convert_max_unpool,
    ),
    # Images
    "Resize": Operator("resize", images.RESIZE, "number", images.convert_resize),
    "Upsample": Operator("resize", {"mode": PLAIN}, "number", images.convert_upsample),
    "GridSample": Operator(
        "grid_sample",
        dict.fromkeys(("align_corners", "mode", "padding_mode"), PLAIN),
        "number",
        images.convert_grid_sample,
    ),
    "RoiAlign": Operator(
        "roi_align",
        dict.fromkeys(
            (
                *("coordinate_transformation_mode", "mode", "output_height", "output_width"),
                *("sampling_ratio", "spatial_scale"),
            ),
            PLAIN,
        ),
        "number",
        images.convert_roi_align,
    ),
    "MaxRoiPool": Operator("max_roi_pool", {"pooled_shape": PLAIN, "spatial_scale": PLAIN}),
    "SpaceToDepth": Operator("reshape", {"blocksize": PLAIN, "mode": PLAIN}, "any", images.convert_space_to_depth),
    "DepthToSpace": Operator("reshape", {"blocksize": PLAIN, "mode": PLAIN}, "any", images.convert_depth_to_space),
    # Element by element
    **ELEMENTWISE,
    # Data movement
    "Concat": Operator("concat", {"axis": AXIS}, "any", shapes.convert_concat),
    "Flatten": Operator("flatten", {"axis": PLAIN}, "any", shapes.convert_flatten),
    "Pad": Operator("pad", {"mode": PLAIN, "pads": PLAIN, "value": PLAIN}, "any", shapes.convert_pad),
    "Reshape": Operator("reshape", {"allowzero": BOOL}, "any", shapes.convert_reshape),
    "Squeeze": Operator("squeeze", {"axes": PLAIN}, "any", shapes.convert_squeeze),
    "Unsqueeze": Operator("unsqueeze", {"axes": PLAIN}, "any", shapes.convert_unsqueeze),
    "Transpose": Operator("transpose", {"perm": PLAIN}, "any", shapes.convert_transpose),
    "Slice": Operator("slice", dict.fromkeys(("starts", "ends", "axes"), PLAIN), "any", convert=movement.convert_slice),
    "Split": Operator(
        "slice", {"axis": PLAIN, "split": PLAIN, "num_outputs": PLAIN}, "any", convert=movement.convert_split
    ),
    "Expand": Operator("expand", {}, "any", movement.convert_expand),
    "Tile": Operator("tile", {}, "any", movement.convert_tile),
    "Trilu": Operator("trilu", {"upper": PLAIN}, "number", movement.convert_trilu),
    "Range": Operator("range", {"stash_type": IGNORED}, "number", movement.convert_range),
    "EyeLike": Operator("", {"dtype": PLAIN, "k": PLAIN}, convert=movement.convert_eye_like, static=True),
    "CenterCropPad": Operator("pad", {"axes": PLAIN}, "any", movement.convert_center_crop_pad),
    # Elements chosen by indices
    "Gather": Operator("gather", {"axis": PLAIN}, "any", indexing.convert_gather),
    "GatherElements": Operator("gather_elements", {"axis": PLAIN}, "any", indexing.convert_gather),
    "GatherND": Operator("gather_nd", {"batch_dims": PLAIN}, "any", indexing.convert_gather_nd),
    "Scatter": Operator("scatter_elements", {"axis": PLAIN}, "any", indexing.convert_scatter_elements),
    "ScatterElements": Operator(
        "scatter_elements", {"axis": PLAIN, "reduction": PLAIN}, "any", indexing.convert_scatter_elements
    ),
    "ScatterND": Operator("scatter_nd", {"reduction": PLAIN}, "any", indexing.convert_scatter_nd),
    "TensorScatter": Operator("tensor_scatter", {"axis": PLAIN, "mode": PLAIN}, "any", indexing.convert_tensor_scatter),
    "OneHot": Operator("one_hot", {"axis": PLAIN}, "any", indexing.convert_one_hot),
    "ReverseSequence": Operator(
        "reverse_sequence", {"batch_axis": PLAIN, "time_axis": PLAIN}, "any", indexing.convert_reverse_sequence
    ),
    "TopK": Operator(
        "top_k",
        {"axis": PLAIN, "k": PLAIN, "largest": PLAIN, "sorted": IGNORED},
        "number",
        indexing.convert_top_k,
    ),
    "TfIdfVectorizer": Operator("equal", ml.TERMS, "number", ml.convert_tfidf_vectorizer),
    # What is found by looking at values
    "NonZero": Operator("non_zero", {}, "number", indexing.convert_non_zero),
    "Compress": Operator("compress", {"axis": PLAIN}, "any", indexing.convert_compress),
    "Unique": Operator("unique", {"axis": PLAIN, "sorted": PLAIN}, "number", indexing.convert_unique),
    "NonMaxSuppression": Operator(
        "non_max_suppression", {"center_point_box": PLAIN}, "number", indexing.convert_non_max_suppression
    ),
    # Quantization
    "QuantizeLinear": Operator("quantize_linear", quantization.QUANTIZE, "plain", quantization.convert_quantize),
    "DequantizeLinear": Operator(
        "dequantize_linear", quantization.DEQUANTIZE, "plain", quantization.convert_dequantize
    ),
    "DynamicQuantizeLinear": Operator("quantize_linear", {}, "float", quantization.convert_dynamic_quantize),
    # Without a trace
    "Constant": Operator(
        "",
        dict.fromkeys(("value", "value_float", "value_floats", "value_int", "value_ints"), PLAIN),
        convert=shapes.convert_constant,
        static=True,
    ),
    "ConstantOfShape": Operator("", {"value": PLAIN}, convert=shapes.convert_constant_of_shape, static=True),
    "Shape": Operator("", {"start": PLAIN, "end": PLAIN}, convert=shapes.convert_shape, static=True),
    "Size": Operator("", convert=shapes.convert_size, static=True),
}

ML_OPERATORS: dict[str, Operator] = {
    "ArrayFeatureExtractor": Operator("gather", {}, "any", indexing.convert_array_feature_extractor),
    "Binarizer": Operator("greater", {"threshold": PLAIN}, "number", ml.convert_binarizer),
}
"""Those of ai.onnx.ml that have a form of their own; `acc.frontend.learning_operators` defines more."""

TRAINING_OPERATORS: dict[str, Operator] = {
    "Adagrad": Operator("", training.ADAGRAD, "number", training.convert_adagrad),
    "Adam": Operator("", training.ADAM, "number", training.convert_adam),
    "Momentum": Operator("", training.MOMENTUM, "number", training.convert_momentum),
}
"""Those of ai.onnx.preview.training: one step of an optimizer."""

DOMAINS: dict[str, dict[str, Operator]] = {
    "": OPERATORS,
    "ai.onnx.ml": ML_OPERATORS,
    training.DOMAIN: TRAINING_OPERATORS,
}
