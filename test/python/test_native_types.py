"""Native kernels compute with every element type, whatever instructions the processor has."""

from __future__ import annotations

import math
from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest

from acc.targets.cpu import CpuOptions
from acc.targets.cpu.stages import APPROXIMATED
from native_te import Case, compile_te, elementwise

FLOATS = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}
INTS = {f"i{bits}": np.dtype(f"int{bits}").type for bits in (8, 16, 32, 64)}
TYPES = {**FLOATS, **INTS, "i1": np.bool_}
TOLERANCE = {"f16": 1e-3, "bf16": 8e-3, "f32": 1e-6, "f64": 1e-14}

Checked = tuple[Case, Callable[..., np.ndarray]]


def values(kind: str, rng: np.random.Generator, count: int = 37) -> np.ndarray:
    if kind == "i1":
        return rng.integers(0, 2, count).astype(bool)
    if kind in INTS:
        return rng.integers(-100, 100, count).astype(INTS[kind])
    return (rng.normal(size=count) * 3).astype(FLOATS[kind])


def check(inputs: dict[str, str], cases: list[Checked], tolerance: float, cpu: str) -> None:
    rng = np.random.default_rng(3)
    model = compile_te(elementwise(inputs, [case for case, _ in cases], [37]), CpuOptions(cpu=cpu))
    arrays = {name: values(kind, rng) for name, kind in inputs.items()}
    results = model.run(arrays)
    for index, ((body, _), function) in enumerate(cases):
        with np.errstate(all="ignore"):
            want = np.asarray(function(*arrays.values()))
        got = results[f"r{index}"].astype(np.float64)
        np.testing.assert_allclose(got, want.astype(np.float64), rtol=tolerance, atol=0, err_msg=str(body))


def unsigned(array: np.ndarray) -> np.ndarray:
    return array.view(f"u{array.dtype.name}")


@pytest.mark.parametrize("cpu", ["native", "x86-64"])
@pytest.mark.parametrize("kind", FLOATS)
def test_float_arithmetic(kind: str, cpu: str) -> None:
    def binary(op: str, function: Callable[..., np.ndarray]) -> Checked:
        return ([f"%r = arith.{op} %a, %b : {kind}"], kind), lambda a, b, c: function(a, b)

    def remainder(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.fmod(a.astype(np.float64), b.astype(np.float64))

    cases = [
        binary("addf", np.add),
        binary("subf", np.subtract),
        binary("mulf", np.multiply),
        binary("divf", np.divide),
        binary("maximumf", np.maximum),
        binary("minimumf", np.minimum),
        binary("remf", remainder),
        (([f"%r = arith.negf %a : {kind}"], kind), lambda a, b, c: -a),
        (([f"%r = arith.cmpf olt, %a, %b : {kind}"], "i1"), lambda a, b, c: a < b),
        (([f"%r = math.isinf %a : {kind}"], "i1"), lambda a, b, c: np.isinf(a)),
        (([f"%r = math.isnan %a : {kind}"], "i1"), lambda a, b, c: np.isnan(a)),
        (([f"%r = arith.select %c, %a, %b : {kind}"], kind), lambda a, b, c: np.where(c, a, b)),
        (
            ([f"%k = arith.constant 1.5 : {kind}", f"%r = arith.addf %a, %k : {kind}"], kind),
            lambda a, b, c: a + a.dtype.type(1.5),
        ),
    ]
    check({"a": kind, "b": kind, "c": "i1"}, cases, 0, cpu)


@pytest.mark.parametrize("cpu", ["native", "x86-64"])
@pytest.mark.parametrize("kind", FLOATS)
def test_conversions(kind: str, cpu: str) -> None:
    width = np.dtype(FLOATS[kind]).itemsize
    cases: list[Checked] = []
    for other, dtype in FLOATS.items():
        if np.dtype(dtype).itemsize != width:
            op = "extf" if np.dtype(dtype).itemsize > width else "truncf"
            case = ([f"%r = arith.{op} %a : {kind} to {other}"], other)
            cases.append((case, lambda a, dtype=dtype: a.astype(dtype)))
    for other, dtype in INTS.items():
        cases.append((([f"%r = arith.fptosi %a : {kind} to {other}"], other), lambda a, d=dtype: a.astype(d)))
        body = [f"%m = math.absf %a : {kind}", f"%r = arith.fptoui %m : {kind} to {other}"]
        cases.append(((body, other), lambda a, d=dtype: abs(a).astype(d)))
    check({"a": kind}, cases, 0, cpu)
    for other in INTS:
        check(
            {"a": other},
            [
                (([f"%r = arith.sitofp %a : {other} to {kind}"], kind), lambda a: a.astype(FLOATS[kind])),
                (([f"%r = arith.uitofp %a : {other} to {kind}"], kind), lambda a: unsigned(a).astype(FLOATS[kind])),
            ],
            0,
            cpu,
        )


FUNCTIONS: dict[str, Callable[..., np.ndarray]] = {
    **{name: getattr(np, name) for name in ("exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "tanh", "sin")},
    **{name: getattr(np, name) for name in ("cos", "tan", "sinh", "cosh", "sqrt", "cbrt", "floor", "ceil", "trunc")},
    **{name: getattr(np, f"arc{name[1:]}") for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")},
    "erf": np.vectorize(math.erf, otypes=[float]),
    "rsqrt": lambda a: 1 / np.sqrt(a),
    "roundeven": np.rint,
    "absf": np.abs,
}


@pytest.mark.parametrize("kind", FLOATS)
def test_functions(kind: str) -> None:
    def unary(name: str, function: Callable[..., np.ndarray]) -> Checked:
        return ([f"%r = math.{name} %a : {kind}"], kind), lambda a: function(a.astype(np.float64))

    def power(a: np.ndarray) -> np.ndarray:
        return (np.abs(a.astype(np.float64)) ** a.astype(np.float64)).astype(a.dtype)

    cases = [unary(name, function) for name, function in FUNCTIONS.items()]
    cases.append((([f"%m = math.absf %a : {kind}", f"%r = math.powf %m, %a : {kind}"], kind), power))
    check({"a": kind}, cases, TOLERANCE[kind], "native")


def test_approximations_are_accurate_everywhere() -> None:
    rng = np.random.default_rng(5)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 88.72283, 88.73, -87.4, -104, 1e-45, 1e-40, 3.4e38, -3.4e38]
    scales = (1e-30, 1e-6, 1e-3, 0.1, 1, 10, 50, 1e4)
    x = np.concatenate([np.array(special), *(rng.normal(size=5000) * scale for scale in scales)]).astype(np.float32)
    names = [name.removeprefix("math.") for name in APPROXIMATED]
    cases = [([f"%r = math.{name} %a : f32"], "f32") for name in names]
    results = compile_te(elementwise({"a": "f32"}, cases, [x.size])).run({"a": x})
    functions = {**FUNCTIONS, "erfc": np.vectorize(math.erfc, otypes=[float])}
    for index, name in enumerate(names):
        with np.errstate(all="ignore"):
            want = functions[name](x.astype(np.float64))
            rounded = want.astype(np.float32)
        # Results that are not normal numbers may be off by the smallest normal one.
        want = np.where(np.isinf(rounded), rounded, want)
        np.testing.assert_allclose(results[f"r{index}"], want, rtol=1e-6, atol=1.2e-38, err_msg=name)


@pytest.mark.parametrize("kind", INTS)
def test_integer_arithmetic(kind: str) -> None:
    def binary(op: str, function: Callable[..., np.ndarray]) -> Checked:
        return ([f"%r = arith.{op} %a, %b : {kind}"], kind), lambda a, b, c: function(a, b)

    def divided(op: str, function: Callable[..., np.ndarray]) -> Checked:
        body = [
            f"%k = arith.constant 1 : {kind}",
            f"%d = arith.ori %b, %k : {kind}",
            f"%r = arith.{op} %a, %d : {kind}",
        ]
        return (body, kind), lambda a, b, c: function(a, b | 1)

    cases = [
        binary("addi", np.add),
        binary("muli", np.multiply),
        binary("maxsi", np.maximum),
        binary("minui", lambda a, b: np.minimum(unsigned(a), unsigned(b)).view(a.dtype)),
        divided("divsi", lambda a, b: np.trunc(a / b.astype(np.float64))),
        divided("remui", lambda a, b: (unsigned(a) % unsigned(b)).view(a.dtype)),
        divided("floordivsi", np.floor_divide),
        (([f"%r = arith.cmpi ult, %a, %b : {kind}"], "i1"), lambda a, b, c: unsigned(a) < unsigned(b)),
        (([f"%r = arith.extui %c : i1 to {kind}"], kind), lambda a, b, c: c),
        (([f"%r = math.absi %a : {kind}"], kind), lambda a, b, c: np.abs(a)),
        ((["%r = arith.xori %c, %c : i1"], "i1"), lambda a, b, c: c ^ c),
    ]
    check({"a": kind, "b": kind, "c": "i1"}, cases, 0, "native")


@pytest.mark.parametrize("shape", [[], [0], [3, 0, 2], [1], [1, 1, 1]])
def test_scalars_and_empty_tensors(shape: list[int]) -> None:
    for kind, dtype in TYPES.items():
        op = "arith.addf" if kind in FLOATS else "arith.addi"
        model = compile_te(elementwise({"a": kind}, [([f"%r = {op} %a, %a : {kind}"], kind)], shape))
        x = np.ones(shape, dtype)
        got = model.run({"a": x})["r0"]
        assert got.shape == tuple(shape) and got.dtype == x.dtype
        np.testing.assert_array_equal(got, np.logical_xor(x, x) if kind == "i1" else x + x)
