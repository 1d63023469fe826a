"""Convolutions of images whose number, height or width is known at run time only."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from native_te import compile_te

Sizes = tuple[int | None, int | None, int | None]


def _tensor(*sizes: int | None) -> str:
    return f"tensor<{''.join('?x' if size is None else f'{size}x' for size in sizes)}f32>"


def module(sizes: Sizes, weights: np.ndarray, pad: int, stride: int) -> str:
    """relu(conv(pad(x)) + b), with sizes (batch, height, width) that are None where unknown."""
    batch, *image = sizes
    outputs, channels, kernel, _ = weights.shape
    padded = [None if size is None else size + 2 * pad for size in image]
    made = [None if size is None else (size - kernel) // stride + 1 for size in padded]
    x, p, y = _tensor(batch, channels, *image), _tensor(batch, channels, *padded), _tensor(batch, outputs, *made)
    w, b = _tensor(*weights.shape), _tensor(outputs)
    lines, arguments = [], []
    if batch is None:
        lines.append(f"%n = tensor.dim %x, %c0 : {x}")
        arguments.append("%n")
    for axis, size in zip((2, 3), image, strict=True):
        if size is None:
            lines += [
                f"%i{axis} = tensor.dim %x, %c{axis} : {x}",
                f"%p{axis} = arith.addi %i{axis}, %over : index",
                f"%q{axis} = arith.divsi %p{axis}, %stride : index",
                f"%o{axis} = arith.addi %q{axis}, %c1 : index",
            ]
            arguments.append(f"%o{axis}")
    ident, row = "affine_map<(n, c, h, w) -> (n, c, h, w)>", "affine_map<(n, c, h, w) -> (c)>"
    return f"""
te.kernel @k(%x: {x}, %w: {w}, %b: {b}, %out: {y}) -> {y} attributes {{target = #te.host}} {{
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 0, {pad}, {pad}] high[0, 0, {pad}, {pad}] {{
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  }} : {x} to {p}
  %f = linalg.fill ins(%zero : f32) outs(%out : {y}) -> {y}
  %0 = linalg.conv_2d_nchw_fchw {{strides = dense<{stride}> : vector<2xi64>, dilations = dense<1> : vector<2xi64>}}
      ins(%p, %w : {p}, {w}) outs(%f : {y}) -> {y}
  %1 = linalg.generic {{indexing_maps = [{ident}, {row}, {ident}],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}}
      ins(%0, %b : {y}, {b}) outs(%out : {y}) {{
  ^bb0(%u: f32, %v: f32, %o: f32):
    %s = arith.addf %u, %v : f32
    %r = arith.maximumf %s, %zero : f32
    linalg.yield %r : f32
  }} -> {y}
  te.return %1 : {y}
}}
func.func @main(%x: {x} {{graph.name = "x"}}, %b: {b} {{graph.name = "b"}}) -> ({y} {{graph.name = "y"}}) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %over = arith.constant {2 * pad - kernel} : index
  %stride = arith.constant {stride} : index
  {chr(10).join(lines)}
  %w = graph.constant dense<"0x{weights.tobytes().hex().upper()}"> : {w} : {w}
  %e = tensor.empty({", ".join(arguments)}) : {y}
  %y = te.launch @k ins(%x, %w, %b : {x}, {w}, {b}) outs(%e : {y}) -> {y}
  return %y : {y}
}}"""


def reference(weights: np.ndarray, pad: int, stride: int) -> onnxruntime.InferenceSession:
    outputs, channels = weights.shape[:2]
    conv = helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[pad] * 4, strides=[stride] * 2)
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [conv, helper.make_node("Relu", ["c"], ["y"])],
        "reference",
        [info("x", onnx.TensorProto.FLOAT, ["n", channels, "h", "w"]), info("b", onnx.TensorProto.FLOAT, [outputs])],
        [info("y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    return onnxruntime.InferenceSession(model.SerializeToString())


@pytest.mark.parametrize(
    "channels, outputs, kernel, pad, stride", [(3, 5, 3, 1, 1), (8, 20, 3, 1, 2), (5, 33, 1, 0, 1)]
)
@pytest.mark.parametrize(
    "sizes, runs",
    [
        ((None, 9, 9), [(2, 9, 9), (1, 9, 9), (0, 9, 9)]),
        ((2, None, None), [(2, 7, 30), (2, 3, 3), (2, 20, 64)]),
        ((None, None, None), [(1, 5, 6), (3, 40, 17)]),
    ],
)
def test_convolutions(
    channels: int, outputs: int, kernel: int, pad: int, stride: int, sizes: Sizes, runs: list[tuple[int, int, int]]
) -> None:
    rng = np.random.default_rng(11)
    weights = rng.normal(size=(outputs, channels, kernel, kernel)).astype(np.float32)
    bias = rng.normal(size=outputs).astype(np.float32)
    model, session = compile_te(module(sizes, weights, pad, stride)), reference(weights, pad, stride)
    for batch, height, width in runs:
        x = rng.normal(size=(batch, channels, height, width)).astype(np.float32)
        got = model.run({"x": x, "b": bias})["y"]
        if batch:
            np.testing.assert_allclose(got, session.run(None, {"x": x, "b": bias})[0], rtol=1e-4, atol=1e-4)
        else:
            assert got.shape[0] == 0
