"""Convolutions and pools with random windows: padding, ceil mode and dilation mean what they mean in ONNX."""

from __future__ import annotations

import numpy as np
import onnx
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import acc
from graph_as_onnx import node_model, operators, run, to_onnx

AUTO_PADS = ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]


def small(least: int, most: int, rank: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(least, most), min_size=rank, max_size=rank)


@st.composite
def windows(draw: st.DrawFn) -> tuple[list[int], dict[str, object]]:
    """Spatial sizes and the attributes of windows that fit into them."""
    rank = draw(st.integers(1, 2))
    sizes, kernel = draw(small(1, 12, rank)), draw(small(1, 4, rank))
    strides = draw(small(1, 4, rank))
    attributes: dict[str, object] = {"kernel_shape": kernel, "strides": strides}
    auto_pad = draw(st.sampled_from(AUTO_PADS))
    dilations = draw(small(1, 3, rank)) if auto_pad == "NOTSET" else [1] * rank
    attributes["dilations"] = dilations
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    pads = [0] * 2 * rank
    if auto_pad == "NOTSET":
        pads = [draw(st.integers(0, k - 1)) for k in kernel * 2]
        attributes["pads"] = pads
    else:
        attributes["auto_pad"] = auto_pad
        # Where windows skip elements, ONNX Runtime arrives at negative padding.
        attributes["strides"] = [min(pair) for pair in zip(strides, kernel, strict=True)]
    room = [n + pads[i] + pads[i + rank] for i, n in enumerate(sizes)]
    assume(auto_pad.startswith("SAME") or all(n >= span for n, span in zip(room, spans, strict=True)))
    return sizes, attributes


def check(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> None:
    try:
        module = acc.import_onnx(model)
    except acc.ModelError as error:
        # The only thing that acc refuses where ONNX Runtime returns an arbitrary number.
        assert "holds nothing but padding" in str(error)
        return
    (expected,) = run(model, inputs).values()
    (result,) = run(to_onnx(module), inputs).values()
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


@given(windows(), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_conv(window: tuple[list[int], dict[str, object]], seed: int) -> None:
    sizes, attributes = window
    rng = np.random.default_rng(seed)
    kernel = attributes["kernel_shape"]
    assert isinstance(kernel, list)
    x = rng.standard_normal((1, 2, *sizes)).astype(np.float32)
    w = rng.standard_normal((3, 2, *kernel)).astype(np.float32)
    check(node_model("Conv", {"x": x}, {"w": w}, **attributes), {"x": x})


@given(windows(), st.booleans(), st.integers(0, 2**32))
@settings(max_examples=80, deadline=None)
def test_max_pool(window: tuple[list[int], dict[str, object]], ceil: bool, seed: int) -> None:
    sizes, attributes = window
    x = np.random.default_rng(seed).standard_normal((1, 2, *sizes)).astype(np.float32)
    check(node_model("MaxPool", {"x": x}, ceil_mode=int(ceil), **attributes), {"x": x})


@given(windows(), st.booleans(), st.booleans(), st.integers(0, 2**32))
@settings(max_examples=80, deadline=None)
def test_average_pool(window: tuple[list[int], dict[str, object]], ceil: bool, include: bool, seed: int) -> None:
    sizes, attributes = window
    x = np.random.default_rng(seed).standard_normal((1, 2, *sizes)).astype(np.float32)
    flags = {"ceil_mode": int(ceil), "count_include_pad": int(include)}
    check(node_model("AveragePool", {"x": x}, **flags, **attributes), {"x": x})


def test_no_window_attributes_remain_unresolved() -> None:
    x = np.zeros((1, 1, 5, 5), np.float32)
    model = node_model("MaxPool", {"x": x}, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    (pool,) = operators(acc.import_onnx(model))
    assert pool.attributes["pads"].value == [0, 0, 1, 1]
    assert pool.results[0].type.shape == [1, 1, 3, 3]
