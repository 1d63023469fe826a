"""QuantizeLinear and DequantizeLinear in every form, against ONNX's reference implementation."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import acc
from acc.dtypes import BY_NAME, element_type

OPSET = onnx.defs.onnx_opset_version()
TARGETS = ["int8", "uint8", "int16", "uint16", "int4", "uint4", "int2", "uint2"]
TARGETS += ["float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float6_e2m3fn", "float4_e2m1fn"]
LAYOUTS = {"tensor": ((), None, 0), "axis": ((6,), 1, 0), "last axis": ((4,), -1, 0), "blocks": ((2, 2, 4), 1, 3)}
SHAPE = (2, 6, 4)


def build(
    op_type: str, inputs: dict[str, np.ndarray], constants: dict[str, np.ndarray], **attributes: object
) -> onnx.ModelProto:
    infos = [helper.make_tensor_value_info(n, element_type(a.dtype).onnx, a.shape) for n, a in inputs.items()]
    output = helper.make_value_info("y", onnx.TypeProto())
    output.type.tensor_type.elem_type = TensorProto.UNDEFINED
    tensors = [numpy_helper.from_array(a, n) for n, a in constants.items()]
    names = [*inputs, *constants]
    node = helper.make_node(op_type, names, ["y"], **attributes)  # pyright: ignore[reportArgumentType]
    graph = helper.make_graph([node], "quantization", infos, [output], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])


def run(
    op_type: str, x: np.ndarray, parameters: dict[str, np.ndarray], constant: bool, **attributes: object
) -> np.ndarray:
    """What acc makes of one node, with parameters that are known or not."""
    inputs = {"x": x} if constant else {"x": x, **parameters}
    return acc.compile(build(op_type, inputs, parameters if constant else {}, **attributes)).run(inputs)["y"]


def check(
    op_type: str, x: np.ndarray, parameters: dict[str, np.ndarray], constant: bool, **attributes: object
) -> np.ndarray:
    """As `run`, and compares."""
    got = run(op_type, x, parameters, constant, **attributes)
    inputs = {"x": x, **parameters}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        (expected,) = ReferenceEvaluator(build(op_type, inputs, {}, **attributes)).run(None, inputs)
    expected = np.asarray(expected)
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    np.testing.assert_allclose(got.astype(np.float64), expected.astype(np.float64), rtol=2**-9)
    return got


@pytest.mark.parametrize("constant", [True, False], ids=["constant", "run-time"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("target", TARGETS)
def test_quantize_and_back(target: str, layout: str, constant: bool) -> None:
    rng = np.random.default_rng(TARGETS.index(target))
    element = BY_NAME[target]
    shape, axis, block = LAYOUTS[layout]
    attributes = {} if axis is None else {"axis": axis}
    attributes |= {"block_size": block} if block else {}
    # Powers of two, so that no rounding of a quotient decides.
    scale = np.exp2(rng.integers(-4, 2, shape)).astype(np.float32)
    x = (rng.integers(-400, 400, SHAPE) / 16).astype(np.float32)
    parameters = {"s": np.asarray(scale)}
    if element.kind == "float":
        zero = np.zeros(shape, element.dtype)
    else:
        zero = rng.integers(-2 if element.kind == "int" else 0, 2, shape)
        zero = np.asarray(zero).astype(element.dtype)
    parameters["z"] = zero
    y = check("QuantizeLinear", x, parameters, constant, **attributes)
    check("DequantizeLinear", y, parameters, constant, **attributes)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("target", ["int8", "uint16", "int4", "float8_e4m3fn"])
def test_parameters_of_half_precision(kind: str, target: str) -> None:
    rng = np.random.default_rng(1)
    element, half = BY_NAME[target], BY_NAME[kind].dtype
    x = (rng.integers(-400, 400, SHAPE) / 16).astype(half)
    parameters = {"s": np.array([0.25, 0.5, 1, 2], half), "z": np.zeros(4, element.dtype)}
    y = check("QuantizeLinear", x, parameters, False, axis=-1)
    assert check("DequantizeLinear", y, parameters, False, axis=-1).dtype == half


def test_declared_types() -> None:
    x = np.linspace(-9, 9, 48, dtype=np.float32).reshape(SHAPE)
    y = check("QuantizeLinear", x, {"s": np.array(0.5, np.float32)}, True, output_dtype=TensorProto.INT4)
    check("DequantizeLinear", y, {"s": np.array(0.5, np.float32)}, True, output_dtype=TensorProto.FLOAT16)
    check("QuantizeLinear", x, {"s": np.array(0.5, np.float16)}, False, precision=TensorProto.FLOAT)


@pytest.mark.parametrize("constant", [True, False], ids=["constant", "run-time"])
@pytest.mark.parametrize("target", ["int8", "int4", "uint16", "float8_e4m3fn"])
@pytest.mark.parametrize(("axis", "block"), [(1, 4), (1, 5), (0, 3), (2, 16)])
def test_the_last_block_may_be_short(target: str, constant: bool, axis: int, block: int) -> None:
    """Blocks are as many as are begun. The expected numbers are those of parameters for every element."""
    rng = np.random.default_rng(3)
    element = BY_NAME[target].dtype
    sizes = [*SHAPE]
    sizes[axis] = -(-sizes[axis] // block)
    scale = np.exp2(rng.integers(-4, 2, sizes)).astype(np.float32)
    zero = rng.integers(0, 2 if BY_NAME[target].kind == "int" else 1, sizes).astype(element)
    x = (rng.integers(-400, 400, SHAPE) / 16).astype(np.float32)
    block_of = np.arange(SHAPE[axis]) // block
    whole = {"s": np.take(scale, block_of, axis), "z": np.take(zero, block_of, axis)}
    attributes = {"axis": axis, "block_size": block}
    quantized = run("QuantizeLinear", x, {"s": scale, "z": zero}, constant, **attributes)
    expected = run("QuantizeLinear", x, whole, constant, axis=axis, block_size=1)
    assert quantized.shape == SHAPE
    np.testing.assert_array_equal(quantized.astype(np.float32), expected.astype(np.float32))
    reals = run("DequantizeLinear", quantized, {"s": scale, "z": zero}, constant, **attributes)
    numbers = quantized.astype(np.float32) - whole["z"].astype(np.float32)
    np.testing.assert_array_equal(reals, numbers * whole["s"])


@pytest.mark.parametrize("constant", [True, False], ids=["constant", "run-time"])
@pytest.mark.parametrize("target", ["int8", "uint8", "int16", "uint16"])
def test_what_is_not_a_number_becomes_the_least(target: str, constant: bool) -> None:
    """As ONNX Runtime has it, whether the parameters are known or not."""
    x = np.array([np.nan, np.inf, -np.inf, 1], np.float32)
    parameters = {"s": np.array(0.5, np.float32), "z": np.array(3, target)}
    inputs = {"x": x} if constant else {"x": x, **parameters}
    infos = [helper.make_tensor_value_info(n, element_type(a.dtype).onnx, a.shape) for n, a in inputs.items()]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(target))
    tensors = [numpy_helper.from_array(a, n) for n, a in parameters.items()] if constant else []
    graph = helper.make_graph(
        [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])],
        "not a number",
        infos,
        [helper.make_tensor_value_info("y", kind, x.shape)],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    limits = np.iinfo(target)
    expected = np.array([limits.min, limits.max, limits.min, 5], target)
    np.testing.assert_array_equal(acc.compile(model).run(inputs)["y"], expected)
