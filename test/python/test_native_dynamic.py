"""Native code of modules whose sizes are known at run time only."""

from __future__ import annotations

import numpy as np
import pytest

import acc
from acc.errors import RunError
from native_te import compile_te

TEXT = """
#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (j)>
te.kernel @k(%x: tensor<?x?xf32>, %s: f32, %n: index, %out: tensor<?x?xf32>) -> tensor<?x?xf32>
    attributes {target = #te.host} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%n) : tensor<?xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<?x?xf32>) outs(%init : tensor<?xf32>) {
  ^bb0(%a: f32, %o: f32):
    %1 = arith.addf %a, %o : f32
    linalg.yield %1 : f32
  } -> tensor<?xf32>
  %0 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %sum : tensor<?x?xf32>, tensor<?xf32>) outs(%out : tensor<?x?xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %1 = arith.mulf %a, %s : f32
    %2 = arith.addf %1, %b : f32
    linalg.yield %2 : f32
  } -> tensor<?x?xf32>
  te.return %0 : tensor<?x?xf32>
}
func.func @main(%x: tensor<?x?xf32> {graph.name = "x", graph.dims = ["batch", "n"]},
                %y: tensor<?x4xf32> {graph.name = "y", graph.dims = ["batch", ""]})
    -> (tensor<?x?xf32> {graph.name = "twice", graph.dims = ["batch", "n"]}, tensor<?xf32> {graph.name = "flat"},
        tensor<?x2x2xf32> {graph.name = "split", graph.dims = ["batch", "", ""]},
        tensor<?x2xf32> {graph.name = "slice"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %s = arith.constant 2.0 : f32
  %b = tensor.dim %x, %c0 : tensor<?x?xf32>
  %n = tensor.dim %x, %c1 : tensor<?x?xf32>
  %ok = arith.cmpi ule, %b, %n : index
  cf.assert %ok, "batch must not exceed n"
  %e = tensor.empty(%b, %n) : tensor<?x?xf32>
  %once = te.launch @k ins(%x, %s, %n : tensor<?x?xf32>, f32, index) outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  %f = tensor.empty(%b, %n) : tensor<?x?xf32>
  %twice = te.launch @k ins(%once, %s, %n : tensor<?x?xf32>, f32, index) outs(%f : tensor<?x?xf32>) -> tensor<?x?xf32>
  %flat = tensor.collapse_shape %once [[0, 1]] : tensor<?x?xf32> into tensor<?xf32>
  %split = tensor.expand_shape %y [[0], [1, 2]] output_shape [%b, 2, 2] : tensor<?x4xf32> into tensor<?x2x2xf32>
  %slice = tensor.extract_slice %y[0, 1] [%b, 2] [1, 1] : tensor<?x4xf32> to tensor<?x2xf32>
  return %twice, %flat, %split, %slice : tensor<?x?xf32>, tensor<?xf32>, tensor<?x2x2xf32>, tensor<?x2xf32>
}"""


@pytest.fixture(scope="module")
def model() -> acc.Executable:
    return compile_te(TEXT)


def test_names_of_sizes_are_known(model: acc.Executable) -> None:
    assert [info.shape for info in model.inputs] == [("batch", "n"), ("batch", 4)]
    assert [info.shape for info in model.outputs] == [("batch", "n"), ("?",), ("batch", 2, 2), ("?", 2)]


@pytest.mark.parametrize("batch, n", [(2, 3), (5, 70), (1, 1), (0, 4), (0, 0), (64, 300), (2, 3)])
def test_runs_at_any_size(model: acc.Executable, batch: int, n: int) -> None:
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(batch, n)).astype(np.float32), rng.normal(size=(batch, 4)).astype(np.float32)
    results = model.run({"x": x, "y": y})
    once = 2 * x + x.sum(0)
    np.testing.assert_allclose(results["flat"], once.reshape(-1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(results["twice"], 2 * once + once.sum(0), rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(results["split"], y.reshape(batch, 2, 2))
    np.testing.assert_array_equal(results["slice"], y[:, 1:3])


@pytest.mark.parametrize(
    "x, y, reason",
    [
        ((3, 2), (3, 4), "batch must not exceed n"),
        ((3, 3), (2, 4), r"input 'y' of shape \[batch, 4\] has 2 for 'batch', but input 'x' has 3"),
        ((3, 3), (3, 5), r"input 'y' must have shape \[batch, 4\], but the array has \[3, 5\]"),
        ((3, 3, 1), (3, 4), "input 'x' must have shape"),
    ],
)
def test_refuses_sizes_that_do_not_fit(
    model: acc.Executable, x: tuple[int, ...], y: tuple[int, ...], reason: str
) -> None:
    with pytest.raises(RunError, match=reason):
        model.run({"x": np.zeros(x, np.float32), "y": np.zeros(y, np.float32)})


SIZED = """
te.kernel @fill(%n: index, %out: tensor<?x?xf32>) -> tensor<?x?xf32> attributes {target = #te.host} {
  %one = arith.constant 1.0 : f32
  %0 = linalg.fill ins(%one : f32) outs(%out : tensor<?x?xf32>) -> tensor<?x?xf32>
  te.return %0 : tensor<?x?xf32>
}
func.func @main(%size: tensor<2xi64> {graph.name = "size"}) -> (tensor<?x?xf32> {graph.name = "y"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = tensor.extract %size[%c0] : tensor<2xi64>
  %b = tensor.extract %size[%c1] : tensor<2xi64>
  %i = arith.index_cast %a : i64 to index
  %j = arith.index_cast %b : i64 to index
  %e = tensor.empty(%i, %j) : tensor<?x?xf32>
  %y = te.launch @fill ins(%i : index) outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}"""


def test_sizes_may_be_data() -> None:
    model = compile_te(SIZED)
    for shape in ((2, 3), (0, 5), (100, 1)):
        got = model.run({"size": np.array(shape)})["y"]
        np.testing.assert_array_equal(got, np.ones(shape, np.float32))
    for absurd in ((1 << 40, 1 << 40), (1 << 20, 1 << 24), (1 << 62, 4)):
        with pytest.raises(RunError, match="there is no memory for a tensor of shape"):
            model.run({"size": np.array(absurd)})
    with pytest.raises(RunError, match=r"a tensor would have the shape \[-1, 3\]"):
        model.run({"size": np.array([-1, 3])})


JOINED = """
te.kernel @join(%x: tensor<?x?xf32>, %y: tensor<?x?xf32>, %n: index, %out: tensor<?x?xf32>) -> tensor<?x?xf32>
    attributes {target = #te.host} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?xf32>
  %m = tensor.dim %y, %c1 : tensor<?x?xf32>
  %0 = tensor.insert_slice %x into %out[0, 0] [%b, %n] [1, 1] : tensor<?x?xf32> into tensor<?x?xf32>
  %1 = tensor.insert_slice %y into %0[0, %n] [%b, %m] [1, 1] : tensor<?x?xf32> into tensor<?x?xf32>
  te.return %1 : tensor<?x?xf32>
}
func.func @main(%x: tensor<?x?xf32> {graph.name = "x"}, %y: tensor<?x?xf32> {graph.name = "y"})
    -> (tensor<?x?xf32> {graph.name = "z"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?xf32>
  %n = tensor.dim %x, %c1 : tensor<?x?xf32>
  %m = tensor.dim %y, %c1 : tensor<?x?xf32>
  %all = arith.addi %n, %m : index
  %e = tensor.empty(%b, %all) : tensor<?x?xf32>
  %z = te.launch @join ins(%x, %y, %n : tensor<?x?xf32>, tensor<?x?xf32>, index) outs(%e : tensor<?x?xf32>)
      -> tensor<?x?xf32>
  return %z : tensor<?x?xf32>
}"""


def test_slices_of_buffers() -> None:
    model = compile_te(JOINED)
    rng = np.random.default_rng(1)
    for batch, n, m in ((3, 5, 40), (1, 0, 17), (4, 16, 16), (0, 2, 3), (7, 33, 1)):
        x, y = (rng.normal(size=(batch, size)).astype(np.float32) for size in (n, m))
        np.testing.assert_array_equal(model.run({"x": x, "y": y})["z"], np.concatenate([x, y], 1))
