"""Models with loops and branches, run by acc and by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnxruntime
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

import acc

N = helper.make_node
F, I64, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
Shape = Sequence[int | str]
Arrays = Mapping[str, np.ndarray]
RNG = np.random.default_rng(7)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def info(name: str, type: int = F, shape: Shape | None = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, type, shape)


def body(
    nodes: Sequence[NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    **constants: np.ndarray,
) -> GraphProto:
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    return helper.make_graph(nodes, "body", inputs, outputs, tensors)


def model(
    nodes: Sequence[NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    **constants: np.ndarray,
) -> onnx.ModelProto:
    graph = body(nodes, inputs, outputs, **constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def check(proto: onnx.ModelProto, *feeds: Arrays, tolerance: float = 1e-5) -> list[str]:
    """Runs the model with all feeds, one after the other; returns the operators of its graph."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    with acc.compile(proto) as executable:
        for feed in feeds:
            results = executable.run(dict(feed))
            for name, expected in zip(names, map(np.asarray, session.run(names, dict(feed))), strict=True):
                assert results[name].dtype == expected.dtype
                assert results[name].shape == expected.shape
                np.testing.assert_allclose(results[name], expected, rtol=tolerance, atol=tolerance)
    return [op.name for op in acc.import_onnx(proto, symbolic=True).body.operations[0].regions[0].blocks[0].operations]


def loop(
    nodes: Sequence[NodeProto], states: Sequence[str], slices: Mapping[str, Shape] | None = None, **types: int
) -> GraphProto:
    """A body with states NAME, which go on as NAME_out, the condition `on`, and slices of these shapes."""
    return body(
        nodes,
        [info("number", I64, []), info("was_on", B, []), *(info(s, types.get(s, F)) for s in states)],
        [
            info("on", B, []),
            *(info(f"{s}_out", types.get(s, F)) for s in states),
            *(info(name, F, shape) for name, shape in (slices or {}).items()),
        ],
    )


GO_ON = N("Identity", ["was_on"], ["on"])


def branches(then: Sequence[NodeProto], other: Sequence[NodeProto], name: str, **types: int) -> NodeProto:
    """An If on `c` whose branches make `t` and `e`."""
    return N(
        "If",
        ["c"],
        [name],
        name=f"if_{name}",
        then_branch=body(then, [], [info("t", types.get("t", F))]),
        else_branch=body(other, [], [info("e", types.get("e", F))]),
    )
