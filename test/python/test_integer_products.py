"""MatMulInteger and ConvInteger, with zero points that are known, computed, or one for each row or column."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx.reference
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from native_levels import runnable

_TYPES = {np.dtype(np.int8): TensorProto.INT8, np.dtype(np.uint8): TensorProto.UINT8}


def _integers(rng: np.random.Generator, dtype: Any, shape: tuple[int, ...]) -> np.ndarray:
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max + 1, shape).astype(dtype)


class Model:
    """One operator; operands named in `known` are constants, and the first axis of the others may be open."""

    def __init__(
        self, op: str, values: dict[str, np.ndarray], known: str, is_open: bool = False, **attributes: Any
    ) -> None:
        self.values = values
        self.feeds = {name: value for name, value in values.items() if name not in known.split()}

        def info(name: str) -> onnx.ValueInfoProto:
            shape: list[Any] = list(values[name].shape)
            if is_open and shape and name in ("x",):
                shape[0] = "n"
                if op == "ConvInteger":
                    shape[2] = "h"
            return helper.make_tensor_value_info(name, _TYPES[values[name].dtype], shape)

        graph = helper.make_graph(
            [helper.make_node(op, list(values), ["y"], **attributes)],
            "integers",
            [info(name) for name in self.feeds],
            [helper.make_tensor_value_info("y", TensorProto.INT32, None)],
            [numpy_helper.from_array(values[name], name) for name in known.split()],
        )
        self.proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def run(self, cpu: str | None = None) -> np.ndarray:
        with acc.compile(self.proto, **({"cpu": cpu} if cpu else {})) as executable:
            return executable.run(self.feeds)["y"]


def _centred(values: dict[str, np.ndarray], name: str, zero: str, axis: int) -> np.ndarray:
    value, point = values[name].astype(np.int64), np.asarray(values.get(zero, np.int64(0))).astype(np.int64)
    if point.ndim == 1 and point.size > 1:
        point = point.reshape([-1 if a == axis else 1 for a in range(value.ndim)])
    return value - (point if point.size > 1 else point.reshape(()))


# Shapes of both operands, of their zero points, and which of all are constants.
PRODUCTS = {
    "dynamically quantized": ((7, 13), (13, 21), (), (), "w wz"),
    "zero point per column": ((7, 13), (13, 21), (), (21,), "w wz"),
    "all constant but the input": ((9, 64), (64, 40), (), (), "w xz wz"),
    "all computed": ((5, 6), (6, 7), (), (), ""),
    "zero point per row": ((5, 6), (6, 7), (5,), (7,), "w"),
    "sequence": ((2, 3, 12), (12, 18), (), (18,), "w wz"),
    "stacks": ((2, 3, 5, 8), (2, 3, 8, 4), (), (), ""),
    "stacks that broadcast": ((3, 5, 8), (2, 1, 8, 4), (), (), "w wz"),
    "one row": ((1, 33), (33, 65), (), (), "w wz"),
    "rows times one vector": ((5, 6), (6,), (), (), "w wz"),
}


@pytest.mark.parametrize(
    "types", [(np.uint8, np.int8), (np.uint8, np.uint8), (np.int8, np.int8)], ids=["u8s8", "u8u8", "s8s8"]
)
@pytest.mark.parametrize("name", PRODUCTS)
def test_mat_mul_integer(name: str, types: tuple[Any, Any]) -> None:
    x, w, xz, wz, known = PRODUCTS[name]
    rng = np.random.default_rng(len(name))
    values = {
        "x": _integers(rng, types[0], x),
        "w": _integers(rng, types[1], w),
        "xz": _integers(rng, types[0], xz),
        "wz": _integers(rng, types[1], wz),
    }
    if types == (np.uint8, np.int8):
        values["wz"] = np.zeros_like(values["wz"])
    expected = _centred(values, "x", "xz", len(x) - 2) @ _centred(values, "w", "wz", len(w) - 1)
    got = Model("MatMulInteger", values, known).run()
    np.testing.assert_array_equal(got, expected)


def test_open_rows() -> None:
    rng = np.random.default_rng(2)
    values = {
        "x": _integers(rng, np.uint8, (3, 5, 24)),
        "w": _integers(rng, np.uint8, (24, 10)),
        "xz": _integers(rng, np.uint8, ()),
        "wz": _integers(rng, np.uint8, (10,)),
    }
    expected = _centred(values, "x", "xz", 1) @ _centred(values, "w", "wz", 1)
    np.testing.assert_array_equal(Model("MatMulInteger", values, "w wz", is_open=True).run(), expected)


@pytest.mark.parametrize("cpu", runnable())
@pytest.mark.parametrize("rows", [1, 3, 8, 19])
def test_every_instruction_set(rows: int, cpu: str) -> None:
    """The extremes of both operands, in sums of any length."""
    rng = np.random.default_rng(rows)
    for depth in (1, 3, 4, 130):
        values = {
            "x": rng.choice(np.array([0, 1, 127, 128, 255], np.uint8), (rows, depth)),
            "w": rng.choice(np.array([-128, -127, 0, 127], np.int8), (depth, 37)),
            "xz": rng.choice(np.array([0, 128, 255], np.uint8), ()),
        }
        expected = _centred(values, "x", "xz", 0) @ values["w"].astype(np.int64)
        np.testing.assert_array_equal(Model("MatMulInteger", values, "w").run(cpu), expected)


CONVOLUTIONS = {
    "padded": ((2, 3, 7, 9), (5, 3, 3, 3), {"pads": [1, 0, 2, 1]}),
    "groups": ((1, 6, 6, 5), (4, 3, 2, 3), {"pads": [1, 1, 1, 1], "group": 2, "strides": [2, 1]}),
    "depthwise": ((1, 5, 6, 6), (5, 1, 3, 3), {"pads": [1, 1, 1, 1], "group": 5}),
    "signal": ((1, 3, 11), (7, 3, 4), {"dilations": [2], "auto_pad": "SAME_UPPER"}),
    "point": ((1, 9, 4, 4), (6, 9, 1, 1), {}),
}


@pytest.mark.parametrize("known", ["w wz", "w wz xz"])
@pytest.mark.parametrize("kind", ["s8", "u8", "u8 per channel"])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_conv_integer(name: str, kind: str, known: str) -> None:
    x, w, attributes = CONVOLUTIONS[name]
    rng = np.random.default_rng(len(name))
    dtype = np.int8 if kind == "s8" else np.uint8
    values = {
        "x": _integers(rng, np.uint8, x),
        "w": _integers(rng, dtype, w),
        "xz": _integers(rng, np.uint8, ()),
        "wz": _integers(rng, dtype, (w[0],) if "channel" in kind else ()),
    }
    info = [helper.make_tensor_value_info(n, TensorProto.DOUBLE, None) for n in ("x", "w", "y")]
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"], **attributes)], "g", info[:2], info[2:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    feeds = {"x": _centred(values, "x", "xz", 1).astype(float), "w": _centred(values, "w", "wz", 0).astype(float)}
    (expected,) = onnx.reference.ReferenceEvaluator(proto).run(None, feeds)
    for is_open in (False, True):
        got = Model("ConvInteger", values, known, is_open, **attributes).run()
        np.testing.assert_array_equal(got, expected, err_msg=f"open: {is_open}")


def test_dynamic_quantization() -> None:
    """What quantize_dynamic makes of a product, beside ONNX Runtime; NaN, and ranges of nothing, included."""
    rng = np.random.default_rng(4)
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "w", "z"], ["i"]),
        helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["s", "ws"], ["scale"]),
        helper.make_node("Mul", ["f", "scale"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "dynamic",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 24])],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 10]),
            helper.make_tensor_value_info("q", TensorProto.UINT8, ["n", 24]),
        ],
        [
            numpy_helper.from_array(_integers(rng, np.int8, (24, 10)), "w"),
            numpy_helper.from_array(rng.uniform(0.01, 0.1, 10).astype(np.float32), "ws"),
        ],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    with acc.compile(proto) as executable:
        for rows in (1, 7, 130):
            for shift in (0, 3, -3):
                x = rng.normal(shift, 1, (rows, 24)).astype(np.float32)
                y, q = session.run(None, {"x": x})
                got = executable.run({"x": x})
                np.testing.assert_array_equal(got["q"], q)
                np.testing.assert_allclose(got["y"], y, rtol=1e-6, atol=1e-6 * float(np.abs(y).max()))
