"""The interpreter of the levels between the graph and instructions: after every pass it makes of a model what runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest

from acc import ir
from acc.compiler import make_pipeline, resolve_targets
from acc.inspect.bisection import random_inputs
from acc.inspect.interpreter import Interpreter
from acc.inspect.passes import Recording, record
from acc.pipeline import Options
from float_networks import FloatNetwork
from qdq_models import QdqModel, random_network

SMALL = {
    **{"TARGET": "sim", "HW_VER": "0.0.2", "LOG_INP_WIDTH": 3, "LOG_WGT_WIDTH": 3, "LOG_ACC_WIDTH": 5, "LOG_BATCH": 0},
    **{"LOG_BLOCK": 3, "LOG_UOP_BUFF_SIZE": 12, "LOG_INP_BUFF_SIZE": 11, "LOG_WGT_BUFF_SIZE": 13},
    **{"LOG_ACC_BUFF_SIZE": 12, "ALU_OPCODE_4": "MUL", "ALU_REQUANTIZE": 1},
}


def small_network() -> onnx.ModelProto:
    net = QdqModel(np.random.default_rng(7))
    x = net.conv(net.input((1, 9, 7, 6)), 17, (3, 2), (2, 1), pads=(1, 0, 0, 1), activation="relu", per_channel=True)
    return net.build(net.gemm(net.flatten(x), 5))


def float_network() -> onnx.ModelProto:
    net = FloatNetwork((2, 3, 6, 6))
    x = net.add("Relu", [net.batch_norm(net.conv("x", 3, 5), 5)])
    x = net.add("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x = net.gelu(net.linear(net.add("Reshape", [x, net.constant(np.array([2, 45]))]), 45, 7))
    return net.build(net.add("Softmax", [x], axis=-1))


def readable(recording: Recording, first: str) -> tuple[Sequence[str], Sequence[str]]:
    """The passes after which a model can be interpreted, from one on, and those after which it cannot.

    All of them make the same numbers.
    """
    inputs = random_inputs(recording.graph.inputs, 1)
    labels = [moment.label for moment in recording.moments]
    (expected,) = recording.run_plainly(labels.index(first), inputs)
    kept: dict[bytes, Any] = {}
    read, others = [], []
    for index, moment in enumerate(recording.moments):
        if index < labels.index(first) or moment.step is None or moment.step.stage == "llvm":
            continue
        try:
            (results,) = recording.interpret(index, inputs, kept)
        except NotImplementedError:
            others.append(moment.label)
            continue
        read.append(moment.label)
        for name, array in expected.items():
            tolerance = 0 if array.dtype.kind in "iu" else 1e-5
            np.testing.assert_allclose(results[name], array, rtol=tolerance, atol=tolerance, err_msg=moment.label)
    return read, others


UNREAD = ["vta-expand", "vta-drop-loads", "vta-write-borders", "vta-join-buffers", "vta-chain-programs"]


@pytest.mark.parametrize("config", [None, SMALL])
def test_an_accelerator(config: dict[str, Any] | None) -> None:
    recording = record(make_pipeline(resolve_targets("vta", config), Options()), small_network())
    read, others = readable(recording, "graph-legalize-quantization")
    # Programs whose micro-ops are in no scratchpad yet are the only ones that cannot be.
    assert others == UNREAD and {"te-cache", "te-lower-vthread", "vta-allocate-scratchpads"} <= set(read)


@pytest.mark.parametrize("model", [small_network, float_network])
def test_native_code(model: Any) -> None:
    recording = record(make_pipeline(resolve_targets("cpu"), Options()), model())
    read, others = readable(recording, "graph-to-linalg")
    assert not others and {"host-form-contractions", "host-pack-weights", "host-bufferize"} <= set(read)


@pytest.mark.long
@pytest.mark.parametrize("target", ["cpu", "vta"])
@pytest.mark.parametrize("seed", range(6))
def test_random_networks(target: str, seed: int) -> None:
    config = SMALL if target == "vta" and seed % 2 else None
    recording = record(make_pipeline(resolve_targets(target, config), Options()), random_network(seed))
    assert readable(recording, "graph-legalize-quantization")[1] == (UNREAD if target == "vta" else [])


MAIN = """
func.func @main(%x: tensor<2x3xi32> {graph.name = "x"}) -> (tensor<2x3xi32> {graph.name = "y"}) {
  BODY
}
"""


def run_text(body: str, x: np.ndarray) -> np.ndarray:
    from acc.container import TensorInfo

    module = ir.Module.parse(MAIN.replace("BODY", body), context=ir.Context())
    return Interpreter(module).run({"x": x}, [TensorInfo("y", "int32", (2, 3))])["y"]


def test_integers_wrap_and_divide_as_mlir_does() -> None:
    x = np.array([[7, -7, 2**31 - 1], [-(2**31), 5, -1]], np.int32)
    for op, expected in [
        ("arith.addi %a, %a : i32", x + x),
        ("arith.divsi %a, %c : i32", np.trunc(x / 3).astype(np.int32)),
        ("arith.remsi %a, %c : i32", np.fmod(x, 3)),
        ("arith.floordivsi %a, %c : i32", x // 3),
        ("arith.ceildivsi %a, %c : i32", -(-x.astype(np.int64) // 3)),
        ("arith.shrui %a, %c : i32", (x.view(np.uint32) >> 3).view(np.int32)),
        ("arith.minui %a, %c : i32", np.minimum(x.view(np.uint32), 3).astype(np.int32)),
    ]:
        body = f"""
          %c = arith.constant 3 : i32
          %y = linalg.generic {{indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
              iterator_types = ["parallel", "parallel"]}} ins(%x : tensor<2x3xi32>) outs(%x : tensor<2x3xi32>) {{
          ^bb0(%a: i32, %b: i32):
            %r = {op}
            linalg.yield %r : i32
          }} -> tensor<2x3xi32>
          return %y : tensor<2x3xi32>"""
        np.testing.assert_array_equal(run_text(body, x), expected, err_msg=op)


def test_what_is_not_known_is_named() -> None:
    with pytest.raises(NotImplementedError, match=r"math\.ctpop"):
        run_text("%y = math.ctpop %x : tensor<2x3xi32>\n return %y : tensor<2x3xi32>", np.zeros((2, 3), np.int32))
