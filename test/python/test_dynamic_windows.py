"""Convolutions, pools, products and samples of sizes that are known at run time only, against ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

import acc

RNG = np.random.default_rng(11)
Arrays = dict[str, np.ndarray]


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def images(channels: int, *sizes: tuple[int, int, int]) -> list[Arrays]:
    """Inputs of several batch and image sizes."""
    return [{"x": floats(n, channels, h, w)} for n, h, w in sizes]


def node_model(
    op_type: str,
    inputs: Mapping[str, Sequence[int | str]],
    constants: Mapping[str, np.ndarray | None],
    dtypes: Mapping[str, Any],
    **attributes: Any,
) -> onnx.ModelProto:
    """One node on inputs of these sizes, then the constants; None leaves an input out."""
    infos = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(np.dtype(dtypes.get(name, np.float32))), shape
        )
        for name, shape in inputs.items()
    ]
    names = [name if value is not None else "" for name, value in constants.items()]
    node = helper.make_node(op_type, [*inputs, *names], ["y"], name="node", **attributes)
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items() if value is not None]
    graph = helper.make_graph([node], "graph", infos, [helper.make_empty_tensor_value_info("y")], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def case(
    op_type: str,
    inputs: Mapping[str, Sequence[int | str]],
    constants: Mapping[str, np.ndarray | None],
    feeds: list[Arrays],
    **attributes: Any,
) -> tuple[onnx.ModelProto, list[Arrays]]:
    dtypes = {name: array.dtype for name, array in feeds[0].items()}
    return node_model(op_type, inputs, constants, dtypes, **attributes), feeds


def image(channels: int) -> dict[str, Sequence[int | str]]:
    return {"x": ["n", channels, "h", "w"]}


TWO = images(2, (1, 8, 9), (2, 6, 7))
FOUR = images(4, (1, 8, 7), (2, 5, 9))
POOL: dict[str, Any] = {"kernel_shape": [3, 3], "strides": [2, 2]}
PADDED: dict[str, Any] = {**POOL, "pads": [1, 1, 1, 1]}

CASES = {
    "conv": case("Conv", image(4), {"w": floats(5, 4, 3, 3), "b": floats(5)}, FOUR, pads=[1, 0, 1, 2], strides=[2, 1]),
    "conv same": case("Conv", image(4), {"w": floats(5, 4, 3, 3)}, FOUR, auto_pad="SAME_UPPER"),
    "conv in groups": case("Conv", image(4), {"w": floats(6, 2, 3, 3)}, FOUR, group=2),
    "conv of each channel": case("Conv", image(4), {"w": floats(4, 1, 3, 3)}, FOUR, group=4),
    "conv of lines": case(
        "Conv", {"x": ["n", 4, "l"]}, {"w": floats(6, 2, 3)}, [{"x": floats(1, 4, 8)}, {"x": floats(2, 4, 5)}], group=2
    ),
    "conv_transpose": case(
        "ConvTranspose",
        image(4),
        {"w": floats(4, 3, 3, 3), "b": floats(3)},
        FOUR,
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        output_padding=[1, 1],
    ),
    "conv_transpose same": case(
        "ConvTranspose", image(4), {"w": floats(4, 3, 3, 3)}, FOUR, strides=[2, 2], auto_pad="SAME_UPPER"
    ),
    "max_pool": case("MaxPool", image(2), {}, TWO, ceil_mode=1, **POOL),
    "average_pool": case("AveragePool", image(2), {}, TWO, **PADDED),
    "average_pool with padding": case("AveragePool", image(2), {}, TWO, count_include_pad=1, **PADDED),
    "lp_pool": case("LpPool", image(2), {}, TWO, **POOL),
    "global_average_pool": case("GlobalAveragePool", image(2), {}, TWO),
    "global_max_pool": case("GlobalMaxPool", image(2), {}, TWO),
    "gemm": case(
        "Gemm", {"a": ["m", 5]}, {"b": floats(5, 3), "c": floats(3)}, [{"a": floats(2, 5)}, {"a": floats(7, 5)}]
    ),
    "mat_mul": case(
        "MatMul",
        {"a": ["n", "s", 5], "b": ["n", 5, "t"]},
        {},
        [{"a": floats(2, 3, 5), "b": floats(2, 5, 4)}, {"a": floats(1, 6, 5), "b": floats(1, 5, 2)}],
    ),
    "mat_mul of rows": case(
        "MatMul", {"a": ["n", "s", 5]}, {"b": floats(5, 4)}, [{"a": floats(2, 3, 5)}, {"a": floats(1, 6, 5)}]
    ),
    "mat_mul that may broadcast": case(
        "MatMul",
        {"a": ["n", "s", 5], "b": ["k", 5, "t"]},
        {},
        [
            {"a": floats(2, 3, 5), "b": floats(1, 5, 4)},
            {"a": floats(1, 6, 5), "b": floats(3, 5, 2)},
            {"a": floats(3, 6, 5), "b": floats(3, 5, 2)},
        ],
    ),
    "resize nearest": case(
        "Resize",
        image(2),
        {"roi": None, "scales": np.array([1, 1, 2, 1.5], np.float32)},
        TWO,
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    ),
    "resize linear": case(
        "Resize", image(2), {"roi": None, "scales": np.array([1, 1, 2, 0.5], np.float32)}, TWO, mode="linear"
    ),
    "resize to sizes": case(
        "Resize",
        {"x": [1, 2, "h", "w"]},
        {"roi": None, "scales": None, "sizes": np.array([1, 2, 7, 5])},
        images(2, (1, 4, 6), (1, 3, 9)),
        mode="cubic",
    ),
    "grid_sample": case(
        "GridSample",
        {**image(2), "grid": ["n", "p", "q", 2]},
        {},
        [{**TWO[0], "grid": floats(1, 3, 4, 2)}, {**TWO[1], "grid": floats(2, 2, 5, 2)}],
    ),
    "depth_to_space": case("DepthToSpace", image(4), {}, FOUR, blocksize=2),
}


@pytest.mark.parametrize("name", CASES)
def test_sizes_known_at_run_time(name: str) -> None:
    model, feeds = CASES[name]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    executable = acc.compile(model, target="cpu")
    for inputs in feeds:
        (expected,) = session.run(None, inputs)
        (result,) = executable.run(inputs).values()
        assert result.shape == expected.shape
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)
