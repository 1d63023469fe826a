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
from graph_as_onnx import make_model, node_model, run

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
        # The standard's bounds where there are none, which infinities are beyond.
        limits = np.finfo(x.dtype) if x.dtype.kind == "f" else np.iinfo(x.dtype)
        with np.errstate(all="ignore"):
            expected = np.clip(x, bounds.get("low", limits.min), bounds.get("high", limits.max))
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


def specials(dtype: str) -> np.ndarray:
    """Numbers at the ends and in the middle of a float type."""
    element = BY_NAME[dtype].dtype
    limits = ml_dtypes.finfo(element)
    ends = [float(limits.max), float(limits.tiny), float(limits.smallest_subnormal)]
    numbers = [*ends, *(-end for end in ends), np.inf, -np.inf, np.nan, 0.0, -0.0, 1, -1, 0.5, 3, -3, 6, 7, 100, -100]
    return np.array(numbers, np.float64).astype(element)


def equal_to_onnx_runtime(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> None:
    """Bit for bit, but for the payload of NaN."""
    actual, expected = acc.compile(model).run(feeds), run(model, feeds)
    for name, wanted in expected.items():
        np.testing.assert_array_equal(actual[name], wanted)
        if wanted.dtype.kind == "f":
            numbers = ~np.isnan(wanted)
            np.testing.assert_array_equal(np.signbit(actual[name])[numbers], np.signbit(wanted)[numbers])


LARGEST = float(np.finfo(np.float32).max)
BOUNDS = [
    *((0.0, 6.0), (-1.0, 1.0), (3.0, -3.0), (0.0, -0.0), (-0.0, 0.0), (None, None), (None, 2.0), (2.0, None)),
    *((-LARGEST, LARGEST), (-np.inf, np.inf), (np.inf, np.inf), (-np.inf, -np.inf), (np.nan, 1.0), (-1.0, np.nan)),
]


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_clip_at_the_ends(dtype: str, constant: bool) -> None:
    """One model of all bounds: absent ones are the largest numbers, which infinities are beyond."""
    x = specials(dtype)
    nodes, arrays = [], {"x": x}
    for index, bounds in enumerate(BOUNDS):
        names = ["x"]
        for kind, bound in zip(("low", "high"), bounds, strict=True):
            names.append("" if bound is None else f"{kind}{index}")
            if bound is not None:
                with np.errstate(over="ignore"):
                    arrays[names[-1]] = np.asarray(bound, np.float64).astype(x.dtype)
        nodes.append(helper.make_node("Clip", [*names], [f"y{index}"]))
    bounds = {name: array for name, array in arrays.items() if name != "x"}
    outputs = [node.output[0] for node in nodes]
    model = make_model(nodes, {"x": x} if constant else arrays, bounds if constant else {}, outputs, 21)
    equal_to_onnx_runtime(model, {"x": x} if constant else arrays)


@pytest.mark.parametrize("attributes", [{}, {"min": 0.0}, {"max": 6.0}, {"min": -LARGEST, "max": LARGEST}])
def test_clip_of_older_operator_sets(attributes: dict[str, float]) -> None:
    x = specials("float32")
    equal_to_onnx_runtime(node_model("Clip", {"x": x}, opset=9, **attributes), {"x": x})


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
def test_clip_of_integers(dtype: str) -> None:
    limits = np.iinfo(dtype)
    x = np.array([limits.min, limits.max, 0, 1, 5, limits.max - 1], dtype)
    for low, high in ((None, 5), (1, None), (5, 1), (limits.min, limits.max), (limits.max - 1, limits.max)):
        constants = {} if low is None else {"low": np.asarray(low, dtype)}
        constants |= {} if high is None else {"high": np.asarray(high, dtype)}
        order = ["x", "" if low is None else "low", *([] if high is None else ["high"])]
        equal_to_onnx_runtime(node_model("Clip", {"x": x}, constants, 21, order), {"x": x})


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_special_numbers(dtype: str) -> None:
    """What is exact is ONNX Runtime's, down to the sign of zero."""
    x = specials(dtype)
    # ONNX Runtime has no number for the sign of NaN in float16.
    ops = ("Abs", "Neg", "Relu", "Floor", "Ceil", "Round", "Sqrt", *(() if dtype == "float16" else ("Sign",)))
    nodes = [helper.make_node(op, ["x"], [op]) for op in ops]
    equal_to_onnx_runtime(make_model(nodes, {"x": x}, {}, [*ops], 21), {"x": x})


def test_special_numbers_of_activations() -> None:
    x = specials("float32")
    exact = {"LeakyRelu": {"alpha": 0.25}, "ThresholdedRelu": {}, "HardSwish": {}, "HardSigmoid": {"alpha": 0.25}}
    nodes = [helper.make_node(op, ["x"], [op], **attributes) for op, attributes in exact.items()]
    model = make_model(nodes, {"x": x}, {}, [*exact], 21)
    actual, expected = acc.compile(model).run({"x": x}), run(model, {"x": x})
    for name in exact:
        np.testing.assert_allclose(actual[name], expected[name], 1e-6, err_msg=name)
    for op in ("Erf", "Tanh", "Sigmoid", "Elu", "Selu", "Softplus", "Softsign", "Gelu", "Mish"):
        (y,) = acc.compile(node_model(op, {"x": x})).run({"x": x}).values()
        (wanted,) = run(node_model(op, {"x": x}), {"x": x}).values()
        np.testing.assert_allclose(y, wanted, 1e-4, 1e-8, err_msg=op)


def test_exp_is_right_to_a_unit_in_the_last_place() -> None:
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, -103.97, -103.98, 88.7228, 88.73, -87.34, 1e-30, 3e38, -3e38]
    x = np.concatenate([np.linspace(-104, 89, 200_003), np.linspace(-1, 1, 50_000), special]).astype(np.float32)
    (got,) = acc.compile(node_model("Exp", {"x": x})).run({"x": x}).values()
    with np.errstate(over="ignore"):
        exact = np.exp(x.astype(np.float64))
        rounded = exact.astype(np.float32)
    finite = np.isfinite(rounded)
    np.testing.assert_array_equal(got[~finite], rounded[~finite])
    # Between subnormal numbers lies the smallest of them.
    units = np.abs(got[finite].astype(np.float64) - exact[finite]) / np.spacing(rounded[finite]).astype(np.float64)
    assert units.max() < 1
