"""Operations in a row that share one loop over chunks: padded convolutions and pools, of known and open sizes."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from acc.targets.cpu import chunks
from acc.targets.cpu.schedule import Processor


def _layers(channels: int, kernel: int, stride: int, batch: int, size: int, opened: bool) -> onnx.ModelProto:
    """A pool and a depthwise convolution, padded by more on one side, with what follows them."""
    r = np.random.default_rng(channels)
    weights = numpy_helper.from_array(r.standard_normal((channels, 1, kernel, kernel)).astype(np.float32), "w")
    bias = numpy_helper.from_array(r.standard_normal(channels).astype(np.float32), "b")
    pads = [kernel // 2, 0, kernel // 2, kernel - 1]
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], group=channels, strides=[stride] * 2, pads=pads),
        helper.make_node("Sigmoid", ["c"], ["s"]),
        helper.make_node("Mul", ["c", "s"], ["y"]),
        helper.make_node("MaxPool", ["x"], ["m"], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads),
        helper.make_node("AveragePool", ["x"], ["a"], kernel_shape=[kernel] * 2, pads=pads, count_include_pad=1),
    ]
    shape = ["n", channels, "h", "w"] if opened else [batch, channels, size, size]
    graph = helper.make_graph(
        nodes,
        "layers",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "yma"],
        [weights, bias],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


CASES = [(3, 3, 2, 1, 31), (7, 5, 1, 2, 18), (17, 3, 1, 1, 23), (32, 3, 2, 3, 16), (1, 3, 1, 4, 20)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_groups(case: tuple[int, int, int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    # All groups are joined, and have several chunks.
    choose, found = chunks.choose_groups, []

    def small(nests: list, processor: Processor) -> list:
        groups = choose(nests, dataclasses.replace(processor, l2_bytes=1 << 15))
        found.extend(groups)
        return groups

    monkeypatch.setattr(chunks, "choose_groups", small)
    monkeypatch.setattr(chunks, "LEAST_CYCLES", 0)
    monkeypatch.setattr(chunks, "MANY_CACHES", 0)
    batch, size = case[-2:]
    feeds = {"x": np.random.default_rng(0).standard_normal((batch, case[0], size, size)).astype(np.float32)}
    session = onnxruntime.InferenceSession(_layers(*case, opened=False).SerializeToString())
    expected = dict(zip("yma", session.run(None, feeds), strict=True))
    for opened in (False, True):
        results = []
        for threads in (1, 2, 3):
            with acc.compile(_layers(*case, opened=opened), threads=threads) as executable:
                results.append(executable.run(feeds))
        for name, value in expected.items():
            np.testing.assert_allclose(results[0][name], value, rtol=1e-5, atol=1e-5)
            for other in results[1:]:
                np.testing.assert_array_equal(other[name], results[0][name])
    assert found or case[0] == 1, "nothing was joined"
