"""The ONNX operators that acc imports.

One entry each: the graph operator, its inputs, attributes and element types. An operator whose form
differs between operator sets, or whose attributes need resolving, also names a function that converts it;
every other becomes the graph operator with the same operands and attributes.
"""

from __future__ import annotations

from acc.frontend import quantization, shapes, windows
from acc.frontend.call import REQUIRED, Attr, Operator

OPERATORS: dict[str, Operator] = {
    # Contractions and normalizations
    "Conv": Operator("conv", (2, 3), windows.WINDOW | {"group": Attr("int", 1)}, convert=windows.convert_conv),
    "Gemm": Operator(
        "gemm",
        (2, 3),
        {
            "alpha": Attr("float", 1.0),
            "beta": Attr("float", 1.0),
            "transA": Attr("bool", False),
            "transB": Attr("bool", False),
        },
    ),
    "MatMul": Operator("mat_mul", (2, 2)),
    "BatchNormalization": Operator(
        "batch_normalization",
        (5, 5),
        {
            "epsilon": Attr("float", 1e-5),
            "momentum": Attr("float", ignored=True),
            "spatial": Attr("int", 1, only=(1,)),
            "training_mode": Attr("int", 0, only=(0,)),
        },
    ),
    "LRN": Operator(
        "lrn",
        attributes={
            "alpha": Attr("float", 1e-4),
            "beta": Attr("float", 0.75),
            "bias": Attr("float", 1.0),
            "size": Attr("int", REQUIRED),
        },
    ),
    "Softmax": Operator("softmax", attributes={"axis": Attr("int")}, convert=shapes.convert_softmax),
    # Pools
    "MaxPool": Operator(
        "max_pool",
        attributes=windows.POOL | {"storage_order": Attr("int", ignored=True)},
        elements="any",
        convert=windows.convert_pool,
    ),
    "AveragePool": Operator(
        "average_pool",
        attributes=windows.POOL | {"count_include_pad": Attr("bool", False)},
        convert=windows.convert_pool,
    ),
    "GlobalAveragePool": Operator("global_average_pool"),
    # Element by element
    "Relu": Operator("relu", elements="number"),
    "Clip": Operator("clip", (1, 3), {"min": Attr("float"), "max": Attr("float")}, "number", shapes.convert_clip),
    "Add": Operator("add", (2, 2), elements="number"),
    "Sub": Operator("sub", (2, 2), elements="number"),
    "Mul": Operator("mul", (2, 2), elements="number"),
    "Div": Operator("div", (2, 2), elements="number"),
    "Sum": Operator("sum", (1, None), elements="number"),
    "Cast": Operator(
        "cast",
        attributes={
            "to": Attr("int", REQUIRED),
            "saturate": Attr("int", ignored=True),
            "round_mode": Attr("string", ignored=True),
        },
        elements="number",
        convert=shapes.convert_cast,
    ),
    # Data movement
    "Concat": Operator("concat", (1, None), {"axis": Attr("int", REQUIRED)}, "any", shapes.convert_concat),
    "Flatten": Operator("flatten", (1, 1), {"axis": Attr("int", 1)}, "any", shapes.convert_flatten),
    "Pad": Operator(
        "pad",
        (1, 4),
        {"mode": Attr("string", "constant"), "pads": Attr("ints"), "value": Attr("float")},
        "any",
        shapes.convert_pad,
    ),
    "Reshape": Operator("reshape", (2, 2), {"allowzero": Attr("bool", False)}, "any", shapes.convert_reshape),
    "Squeeze": Operator("squeeze", (1, 2), {"axes": Attr("ints")}, "any", shapes.convert_squeeze),
    "Unsqueeze": Operator("unsqueeze", (1, 2), {"axes": Attr("ints")}, "any", shapes.convert_unsqueeze),
    "Transpose": Operator("transpose", (1, 1), {"perm": Attr("ints")}, "any", shapes.convert_transpose),
    # Quantization
    "QuantizeLinear": Operator("quantize_linear", (2, 3), quantization.QUANTIZE, convert=quantization.convert_quantize),
    "DequantizeLinear": Operator(
        "dequantize_linear", (2, 3), quantization.DEQUANTIZE, "any", quantization.convert_dequantize
    ),
    # Without a trace
    "Identity": Operator("", convert=shapes.convert_identity, keeps_constants=True),
    "Dropout": Operator(
        "",
        (1, 3),
        {"ratio": Attr("float", ignored=True), "seed": Attr("int", ignored=True)},
        convert=shapes.convert_dropout,
        keeps_constants=True,
    ),
    "Constant": Operator(
        "",
        (0, 0),
        {
            "value": Attr("tensor"),
            "value_float": Attr("float"),
            "value_floats": Attr("floats"),
            "value_int": Attr("int"),
            "value_ints": Attr("ints"),
        },
        convert=shapes.convert_constant,
    ),
    "ConstantOfShape": Operator(
        "", attributes={"value": Attr("tensor")}, convert=shapes.convert_constant_of_shape, keeps_constants=True
    ),
    "Shape": Operator(
        "", attributes={"start": Attr("int", 0), "end": Attr("int")}, convert=shapes.convert_shape, keeps_constants=True
    ),
    "Size": Operator("", convert=shapes.convert_size, keeps_constants=True),
}
