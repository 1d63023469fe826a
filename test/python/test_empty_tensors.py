"""Tensors without elements: sizes of results that another size of 0 does not tell, against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from graph_as_onnx import run


def make_model(
    node: onnx.NodeProto, arrays: dict[str, np.ndarray], opens: bool, constants: dict[str, np.ndarray] | None = None
) -> onnx.ModelProto:
    """A model of one node; with `opens`, none of the sizes of its inputs is known."""
    infos = [
        helper.make_tensor_value_info(
            name,
            helper.np_dtype_to_tensor_dtype(array.dtype),
            [f"{name}{axis}" if opens else size for axis, size in enumerate(array.shape)],
        )
        for name, array in arrays.items()
    ]
    outputs = [helper.make_value_info(name, onnx.TypeProto()) for name in node.output]
    for output in outputs:
        output.type.tensor_type.elem_type = TensorProto.UNDEFINED
    tensors = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    graph = helper.make_graph([node], "empty", infos, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def floats(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


MASK = np.array([1, 0, 1], bool)
CASES = {
    "compress another axis": ("Compress", {"x": floats(0, 3), "c": MASK}, {"axis": 1}, 1),
    "compress the axis": ("Compress", {"x": floats(0, 3), "c": MASK[:0]}, {"axis": 0}, 1),
    "compress all": ("Compress", {"x": floats(2, 0), "c": MASK[:0]}, {}, 1),
    "unique": ("Unique", {"x": floats(0)}, {}, 4),
    "unique slices": ("Unique", {"x": floats(0, 3)}, {"axis": 0}, 4),
    "non zero": ("NonZero", {"x": floats(0, 3)}, {}, 1),
    "non zero last": ("NonZero", {"x": floats(3, 0)}, {}, 1),
    "flatten": ("Flatten", {"x": floats(0, 3, 2)}, {"axis": 1}, 1),
    "flatten last": ("Flatten", {"x": floats(4, 3, 0)}, {"axis": 1}, 1),
    "transpose": ("Transpose", {"x": floats(0, 3)}, {}, 1),
    "concat": ("Concat", {"x": floats(0, 3), "y": floats(2, 3)}, {"axis": 0}, 1),
    "softmax": ("Softmax", {"x": floats(0, 3)}, {}, 1),
    "product": ("MatMul", {"x": floats(2, 0), "y": floats(0, 3)}, {}, 1),
    "add": ("Add", {"x": floats(0, 3), "y": floats(1, 3)}, {}, 1),
}


@pytest.mark.parametrize("opens", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_empty_operand(name: str, opens: bool) -> None:
    op_type, arrays, attributes, outputs = CASES[name]
    node = helper.make_node(op_type, [*arrays], [f"r{index}" for index in range(outputs)], **attributes)
    model = make_model(node, arrays, opens)
    actual, expected = acc.compile(model).run(arrays), run(model, arrays)
    for output, wanted in expected.items():
        assert actual[output].shape == wanted.shape, output
        np.testing.assert_array_equal(actual[output], wanted)


@pytest.mark.parametrize("value", [3, 0])
def test_non_zero_of_a_scalar(value: int) -> None:
    """There are no indices, as often as it is not zero; ONNX Runtime counts an axis that a scalar does not have."""
    model = make_model(helper.make_node("NonZero", ["x"], ["r"]), {"x": np.float32(value).reshape(())}, False)
    assert acc.compile(model).run({"x": np.float32(value)})["r"].shape == (0, 1 if value else 0)


@pytest.mark.parametrize(("size", "start", "end"), [(5, 5, 7), (0, 0, 3)])
def test_slice_behind_the_end(size: int, start: int, end: int) -> None:
    """Whose number of elements only a run knows."""
    arrays = {"x": floats(size), "e": np.array([end], np.int64)}
    node = helper.make_node("Slice", ["x", "s", "e"], ["r"])
    model = make_model(node, arrays, False, {"s": np.array([start], np.int64)})
    assert acc.compile(model).run(arrays)["r"].shape == (0,)
