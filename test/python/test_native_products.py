"""Products of matrices whose sizes, all or some, are known at run time only."""

from __future__ import annotations

import numpy as np
import pytest

from native_te import compile_te

Size = int | str


def tensor(*sizes: Size, kind: str = "f32") -> str:
    return f"tensor<{''.join(f'{size}x' for size in sizes)}{kind}>"


def batched(b: Size, m: Size, k: Size, n: Size, kind: str = "f32") -> str:
    """x (b, m, k) times y (b, k, n)."""
    x, y, z = tensor(b, m, k, kind=kind), tensor(b, k, n, kind=kind), tensor(b, m, n, kind=kind)
    unknown = [(f"%d{i}", v, axis, t) for i, (s, v, axis, t) in enumerate(
        [(b, "%x", 0, x), (m, "%x", 1, x), (n, "%y", 2, y)]) if s == "?"]  # fmt: skip
    dims = "\n".join(f"  {name} = tensor.dim {value}, %c{axis} : {t}" for name, value, axis, t in unknown)
    return f"""
te.kernel @k(%x: {x}, %y: {y}, %out: {z}) -> {z} attributes {{target = #te.host}} {{
  %zero = arith.constant 0.0 : {kind}
  %f = linalg.fill ins(%zero : {kind}) outs(%out : {z}) -> {z}
  %0 = linalg.batch_matmul ins(%x, %y : {x}, {y}) outs(%f : {z}) -> {z}
  te.return %0 : {z}
}}
func.func @main(%x: {x} {{graph.name = "x"}}, %y: {y} {{graph.name = "y"}}) -> ({z} {{graph.name = "z"}}) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
{dims}
  %e = tensor.empty({", ".join(name for name, *_ in unknown)}) : {z}
  %z = te.launch @k ins(%x, %y : {x}, {y}) outs(%e : {z}) -> {z}
  return %z : {z}
}}"""


def weighted(m: Size, weights: np.ndarray) -> str:
    """x (m, k) times constant weights, plus y (m, n)."""
    k, n = weights.shape
    x, w, z = tensor(m, k), tensor(k, n), tensor(m, n)
    ident = "affine_map<(i, j) -> (i, j)>"
    return f"""
te.kernel @k(%x: {x}, %w: {w}, %y: {z}, %out: {z}) -> {z} attributes {{target = #te.host}} {{
  %zero = arith.constant 0.0 : f32
  %f = linalg.fill ins(%zero : f32) outs(%out : {z}) -> {z}
  %0 = linalg.matmul ins(%x, %w : {x}, {w}) outs(%f : {z}) -> {z}
  %1 = linalg.generic {{indexing_maps = [{ident}, {ident}, {ident}], iterator_types = ["parallel", "parallel"]}}
      ins(%0, %y : {z}, {z}) outs(%out : {z}) {{
  ^bb0(%a: f32, %b: f32, %o: f32):
    %2 = arith.addf %a, %b : f32
    linalg.yield %2 : f32
  }} -> {z}
  te.return %1 : {z}
}}
func.func @main(%x: {x} {{graph.name = "x"}}, %y: {z} {{graph.name = "y"}}) -> ({z} {{graph.name = "z"}}) {{
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : {x}
  %w = graph.constant dense<"0x{weights.tobytes().hex().upper()}"> : {w} : {w}
  %e = tensor.empty(%m) : {z}
  %z = te.launch @k ins(%x, %w, %y : {x}, {w}, {z}) outs(%e : {z}) -> {z}
  return %z : {z}
}}"""


SIZES = [(1, 1, 1, 1), (2, 9, 5, 33), (3, 17, 8, 16), (3, 7, 8, 100), (3, 8, 8, 1)]
EMPTY = [(0, 2, 3, 4), (2, 0, 3, 4), (2, 3, 0, 4), (2, 3, 4, 0)]


@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_batches_of_any_size(kind: str) -> None:
    rng = np.random.default_rng(1)
    dtype = {"f32": np.float32, "f64": np.float64}[kind]
    model = compile_te(batched("?", "?", "?", "?", kind))
    rows = compile_te(batched(3, "?", 8, "?", kind))
    for b, m, k, n in SIZES + EMPTY:
        x, y = rng.normal(size=(b, m, k)).astype(dtype), rng.normal(size=(b, k, n)).astype(dtype)
        for candidate in (model, rows) if (b, k) == (3, 8) else (model,):
            np.testing.assert_allclose(candidate.run({"x": x, "y": y})["z"], x @ y, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("b, m, k, n", SIZES + EMPTY)
def test_static_batches(b: int, m: int, k: int, n: int) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(b, m, k)).astype(np.float32), rng.normal(size=(b, k, n)).astype(np.float32)
    got = compile_te(batched(b, m, k, n)).run({"x": x, "y": y})["z"]
    np.testing.assert_allclose(got, x @ y, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("k, n", [(5, 7), (64, 33), (3, 128)])
def test_any_number_of_rows(k: int, n: int) -> None:
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(k, n)).astype(np.float32)
    model = compile_te(weighted("?", weights))
    for m in (0, 1, 2, 3, 5, 8, 13, 14, 15, 27, 100):
        x, y = rng.normal(size=(m, k)).astype(np.float32), rng.normal(size=(m, n)).astype(np.float32)
        np.testing.assert_allclose(model.run({"x": x, "y": y})["z"], x @ weights + y, rtol=1e-4, atol=1e-4)
