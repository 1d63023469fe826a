"""Element-wise operators on random shapes, broadcasts and element types, against ONNX's reference implementation."""

from __future__ import annotations

import warnings
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, defs, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import acc
from acc.dtypes import BY_NAME, element_type
from acc.frontend.elementwise import ELEMENTWISE

OPSET = onnx.defs.onnx_opset_version()
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
UNARY = [name for name in ELEMENTWISE if defs.get_schema(name).max_input == 1 and not name.endswith("Cast")]
BINARY = ["Add", "Sub", "Mul", "Div", "Mod", "Max", "Min", "Sum", "Mean", "And", "Or", "Xor", "BitwiseAnd"]
BINARY += ["BitwiseOr", "BitwiseXor", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]


def allowed(op_type: str, dtype: str) -> bool:
    """Whether the first operand may have these elements."""
    if op_type not in ELEMENTWISE or op_type in ("Cast", "CastLike", "BitCast", "Identity", "Dropout"):
        return False
    names = {"float32": "float", "float64": "double"}
    schema = defs.get_schema(op_type)
    constraint = schema.inputs[0].type_str
    return any(
        f"tensor({names.get(dtype, dtype)})" in types.allowed_type_strs
        for types in schema.type_constraints
        if types.type_param_str == constraint
    )


def values(dtype: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Ordinary numbers with the special ones among them."""
    element = BY_NAME[dtype]
    if element.kind == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if element.kind == "float":
        array = (rng.standard_normal(shape) * 3).astype(element.dtype)
        special = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1, -1], element.dtype)
    else:
        limits = np.iinfo(element.dtype)
        array = rng.integers(-9 if element.kind == "int" else 0, 10, shape).astype(element.dtype)
        special = np.array([0, 1, limits.min, limits.max], element.dtype)
        if element.kind == "int":
            special = np.append(special, element.dtype.type(-1))
    chosen = rng.random(shape) < 0.3
    return np.where(chosen, special[rng.integers(0, len(special), shape)], array)


def shapes(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two shapes that broadcast, the second to the first as well for operators that need it."""
    rank = int(rng.integers(0, 5))
    full = tuple(int(size) for size in rng.choice([1, 2, 3, 5, 17], rank))
    other = tuple(size if rng.random() < 0.6 else 1 for size in full)
    return full, other[int(rng.integers(0, rank + 1)) :]


def evaluate(nodes: list[onnx.NodeProto], inputs: dict[str, np.ndarray]) -> None:
    """Compares all outputs of all nodes."""

    def model(arrays: dict[str, np.ndarray]) -> onnx.ModelProto:
        infos = [
            helper.make_tensor_value_info(name, element_type(array.dtype).onnx, array.shape)
            for name, array in arrays.items()
        ]
        outputs = [helper.make_value_info(node.output[0], onnx.TypeProto()) for node in nodes]
        for output in outputs:
            output.type.tensor_type.elem_type = TensorProto.UNDEFINED
        graph = helper.make_graph(nodes, "elementwise", infos, outputs)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])

    results = acc.compile(model(inputs)).run(inputs)
    # numpy computes small floats worse than in float32.
    wide = {
        name: array.astype(np.float32) if array.dtype.name in ("float16", "bfloat16") else array
        for name, array in inputs.items()
    }
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected = ReferenceEvaluator(model(wide)).run(None, wide)
    small = next((a.dtype for a in inputs.values() if a.dtype.name in ("float16", "bfloat16")), None)
    for node, (name, got), wanted in zip(nodes, results.items(), expected, strict=True):
        want = np.asarray(wanted)
        assert got.shape == want.shape, name
        message = f"{node.op_type} of {[f'{a.dtype}{a.shape}' for a in inputs.values()]}"
        if element_type(got.dtype).kind != "float":
            assert got.dtype == want.dtype, name
            np.testing.assert_array_equal(got, want, message)
            continue
        # float16 has no numbers beyond 65504.
        with np.errstate(all="ignore"):
            want = want.astype(got.dtype).astype(np.float64)
        tolerance = 2**-6 if small == ml_dtypes.bfloat16 else 2**-9 if small == np.float16 else 1e-4
        np.testing.assert_allclose(got.astype(np.float64), want, tolerance, 1e-6, err_msg=message)


DTYPES = ["float32", "float64", "float16", "bfloat16", "bool", *INTEGERS]


@pytest.mark.parametrize("dtype", DTYPES)
def test_unary(dtype: str) -> None:
    rng = np.random.default_rng(DTYPES.index(dtype))
    nodes = []
    for op_type in UNARY:
        # Of integers, the reference rounds what acc truncates.
        if not allowed(op_type, dtype) or (op_type in ("Erf", "Shrink") and dtype in INTEGERS):
            continue
        attributes: dict[str, Any] = {}
        if op_type in ("Elu", "Celu", "LeakyRelu", "ThresholdedRelu", "Swish"):
            attributes = {"alpha": 0.75}
        if op_type == "IsInf":
            attributes = {"detect_positive": 0}
        nodes.append(helper.make_node(op_type, ["x"], [op_type], **attributes))
    evaluate([*nodes, helper.make_node("Not", ["x"], ["n"])][: len(nodes)], {"x": values(dtype, (3, 37), rng)})


@pytest.mark.parametrize("dtype", DTYPES)
def test_binary(dtype: str) -> None:
    rng = np.random.default_rng(100 + DTYPES.index(dtype))
    for _ in range(3):
        left, right = shapes(rng)
        nodes = [helper.make_node(op, ["x", "y"], [op]) for op in BINARY if op != "Mod" and allowed(op, dtype)]
        fmods = [1] if dtype.endswith(("float16", "float32", "float64")) else [0, 1]
        if allowed("Mod", dtype):
            nodes += [helper.make_node("Mod", ["x", "y"], [f"mod{fmod}"], fmod=fmod) for fmod in fmods]
        if allowed("BitShift", dtype):
            nodes += [helper.make_node("BitShift", ["x", "y"], [side], direction=side) for side in ("LEFT", "RIGHT")]
        inputs = {"x": values(dtype, left, rng), "y": values(dtype, right, rng)}
        if dtype in INTEGERS:
            # The reference divides the least integer by -1 in its own way.
            inputs["x"] = np.where(inputs["x"] == np.iinfo(dtype).min, 3, inputs["x"]).astype(dtype)
        evaluate(nodes, inputs)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "uint64"])
def test_slopes(dtype: str) -> None:
    """Finite ones: the reference multiplies by them where x is not negative, too."""
    rng = np.random.default_rng(4)
    slopes = rng.integers(0, 5, (3, 1)).astype(dtype)
    evaluate([helper.make_node("PRelu", ["x", "y"], ["z"])], {"x": values(dtype, (2, 3, 19), rng), "y": slopes})


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("exponent", ["float32", "float64", "int8", "int32", "uint64"])
def test_pow(dtype: str, exponent: str) -> None:
    rng = np.random.default_rng(5)
    left, right = (4, 1, 3), (5, 1)
    base = rng.integers(1, 6, left).astype(dtype)
    powers = rng.integers(0, 5, right).astype(exponent)
    if dtype.startswith("float") and not exponent.startswith("u"):
        base, powers = base * 0.75, (powers - 2).astype(exponent)
    evaluate([helper.make_node("Pow", ["x", "y"], ["z"])], {"x": base.astype(dtype), "y": powers})


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_divide_without_a_trap(dtype: str) -> None:
    """x / 0 and x mod 0 are 0; the least integer by -1 is itself."""
    limits = np.iinfo(dtype)
    x = np.array([5, 0, limits.min, limits.max, limits.min], dtype)
    y = np.array([0, 0, 0, 0, limits.max if limits.min == 0 else -1], dtype)
    nodes = [
        helper.make_node("Div", ["x", "y"], ["q"]),
        helper.make_node("Mod", ["x", "y"], ["r"]),
        helper.make_node("Mod", ["x", "y"], ["f"], fmod=1),
    ]
    infos = [helper.make_tensor_value_info(n, BY_NAME[dtype].onnx, [5]) for n in "xy"]
    results = [helper.make_tensor_value_info(n, BY_NAME[dtype].onnx, [5]) for n in "qrf"]
    graph = helper.make_graph(nodes, "division", infos, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    got = acc.compile(model).run({"x": x, "y": y})
    np.testing.assert_array_equal(got["q"], np.array([0, 0, 0, 0, limits.min], dtype))
    np.testing.assert_array_equal(got["r"], np.zeros(5, dtype))
    np.testing.assert_array_equal(got["f"], np.zeros(5, dtype))


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64"])
def test_integer_powers_below_one(dtype: str) -> None:
    base = np.array([0, 1, -1, -1, 2, -3], dtype)
    exponent = np.array([-1, -5, -2, -3, -1, -2], dtype)
    infos = [helper.make_tensor_value_info(n, BY_NAME[dtype].onnx, [6]) for n in "xyz"]
    graph = helper.make_graph([helper.make_node("Pow", ["x", "y"], ["z"])], "power", infos[:2], infos[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    got = acc.compile(model).run({"x": base, "y": exponent})["z"]
    np.testing.assert_array_equal(got, [0, 1, 1, -1, 0, 0])


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "uint8"])
@pytest.mark.parametrize("given", ["both", "min", "max"])
@pytest.mark.parametrize("known", [True, False])
def test_clip(dtype: str, given: str, known: bool) -> None:
    """With bounds that are constants and bounds that are inputs, also where the least is the greater."""
    rng = np.random.default_rng(3)
    x = values(dtype, (4, 7), rng)
    names = ["x", "low" if given != "max" else "", "high" if given != "min" else ""]
    for low, high in ((1, 5), (5, 1)):
        bounds = {"low": np.array(low, dtype), "high": np.array(high, dtype)}
        bounds = {name: array for name, array in bounds.items() if name in names}
        inputs = {"x": x} if known else {"x": x, **bounds}
        infos = [helper.make_tensor_value_info(n, BY_NAME[dtype].onnx, a.shape) for n, a in inputs.items()]
        tensors = [numpy_helper.from_array(array, name) for name, array in bounds.items()] if known else []
        output = helper.make_tensor_value_info("y", BY_NAME[dtype].onnx, x.shape)
        graph = helper.make_graph([helper.make_node("Clip", names, ["y"])], "clip", infos, [output], tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        with np.errstate(all="ignore"):
            expected = np.clip(x, bounds.get("low"), bounds.get("high"))
        np.testing.assert_array_equal(acc.compile(model).run(inputs)["y"], expected)


def test_bounds_that_no_double_holds() -> None:
    x = np.array([2**53 + 1, 2**53 + 2, 2**53 + 4], np.int64)
    info = helper.make_tensor_value_info("x", TensorProto.INT64, [3])
    output = helper.make_tensor_value_info("y", TensorProto.INT64, [3])
    bound = numpy_helper.from_array(np.array(2**53 + 1, np.int64), "high")
    graph = helper.make_graph([helper.make_node("Clip", ["x", "", "high"], ["y"])], "clip", [info], [output], [bound])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    np.testing.assert_array_equal(acc.compile(model).run({"x": x})["y"], np.full(3, 2**53 + 1))


def test_any_number_of_rows() -> None:
    """Element-wise operators whose sizes are known at run time only."""
    info = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])
    names = ["y", "mask", "g", "q", "d", "c"]
    kinds = [TensorProto.FLOAT, TensorProto.BOOL, TensorProto.FLOAT, TensorProto.INT8, TensorProto.FLOAT]
    outputs = [
        helper.make_tensor_value_info(name, kind, ["batch", 3])
        for name, kind in zip(names, [*kinds, TensorProto.FLOAT], strict=True)
    ]
    nodes = [
        helper.make_node("Dropout", ["x"], ["y", "mask"]),
        helper.make_node("Gelu", ["x"], ["g"]),
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], axis=1),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], axis=1),
        helper.make_node("Clip", ["x", "low"], ["c"]),
    ]
    tensors = [
        numpy_helper.from_array(np.array([0.5, 1, 2], np.float16).astype(np.float32), "s"),
        numpy_helper.from_array(np.zeros(3, np.int8), "z"),
        numpy_helper.from_array(np.array(0.25, np.float32), "low"),
    ]
    graph = helper.make_graph(nodes, "rows", [info], outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    compiled = acc.compile(model)
    for rows in (1, 5):
        x = np.linspace(-3, 3, rows * 3, dtype=np.float32).reshape(rows, 3)
        got = compiled.run({"x": x})
        for name, want in zip(names, ReferenceEvaluator(model).run(None, {"x": x}), strict=True):
            np.testing.assert_allclose(got[name], np.asarray(want), rtol=1e-4, atol=1e-6, err_msg=name)
