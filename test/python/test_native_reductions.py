"""Reductions along rows, static and of unknown sizes, of every kind of combination."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from native_te import compile_te

DTYPES = {"f32": np.float32, "f64": np.float64, "i32": np.int32, "i8": np.int8, "i64": np.int64, "i1": np.bool_}
CASES: list[tuple[str, str, Callable[..., np.ndarray], str]] = [
    ("addf", "f32", np.sum, "0.0 : f32"),
    ("mulf", "f64", np.prod, "1.0 : f64"),
    ("maximumf", "f32", np.max, "0xFF800000 : f32"),
    ("addi", "i32", np.sum, "0 : i32"),
    ("maxsi", "i8", np.max, "-128 : i8"),
    ("minsi", "i64", np.min, "9223372036854775807 : i64"),
    ("andi", "i1", np.all, "true"),
    ("ori", "i1", np.any, "false"),
]
SHAPES = [(2, 3, 5), (1, 1, 1), (4, 7, 64), (3, 2, 200), (2, 2, 17), (0, 3, 4), (2, 0, 4), (2, 3, 0)]


def module(op: str, kind: str, init: str, shape: tuple[int, ...], dynamic: bool) -> str:
    a, b, c = ("?", "?", "?") if dynamic else shape
    x, y = f"tensor<{a}x{b}x{c}x{kind}>", f"tensor<{a}x{b}x{kind}>"
    sizes = f"%d0 = tensor.dim %x, %c0 : {x}\n  %d1 = tensor.dim %x, %c1 : {x}" if dynamic else ""
    return f"""
te.kernel @k(%x: {x}, %out: {y}) -> {y} attributes {{target = #te.host}} {{
  %z = arith.constant {init}
  %f = linalg.fill ins(%z : {kind}) outs(%out : {y}) -> {y}
  %0 = linalg.generic {{indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j)>],
      iterator_types = ["parallel", "parallel", "reduction"]}} ins(%x : {x}) outs(%f : {y}) {{
  ^bb0(%a: {kind}, %o: {kind}):
    %1 = arith.{op} %a, %o : {kind}
    linalg.yield %1 : {kind}
  }} -> {y}
  te.return %0 : {y}
}}
func.func @main(%x: {x} {{graph.name = "x"}}) -> ({y} {{graph.name = "y"}}) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  {sizes}
  %e = tensor.empty({"%d0, %d1" if dynamic else ""}) : {y}
  %y = te.launch @k ins(%x : {x}) outs(%e : {y}) -> {y}
  return %y : {y}
}}"""


def expected(reduction: Callable[..., np.ndarray], init: str, x: np.ndarray) -> np.ndarray:
    if x.shape[-1]:
        return reduction(x, axis=-1)
    value = -np.inf if init.startswith("0xFF") else init.split()[0] == "true" if x.dtype == bool else init.split()[0]
    return np.full(x.shape[:-1], value).astype(x.dtype)


@pytest.mark.parametrize("op, kind, reduction, init", CASES)
@pytest.mark.parametrize("dynamic", [False, True])
def test_rows(op: str, kind: str, reduction: Callable[..., np.ndarray], init: str, dynamic: bool) -> None:
    rng = np.random.default_rng(7)
    model = None
    for shape in SHAPES:
        if model is None or not dynamic:
            model = compile_te(module(op, kind, init, shape, dynamic))
        x = (rng.normal(size=shape) * 20).astype(DTYPES[kind])
        if kind == "i1":
            x = rng.integers(0, 12, shape) > (0 if op == "andi" else 10)
        got = model.run({"x": x})["y"]
        np.testing.assert_allclose(got, expected(reduction, init, x), rtol=1e-5, atol=1e-4, err_msg=str(shape))
