"""Inputs that numpy did not align: what code reads a few times is read where it is, the rest is copied."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from acc.container import read_model

OFFSETS = (0, 1, 2, 4, 16, 36)


def at(offset: int, array: np.ndarray) -> np.ndarray:
    """A copy that begins `offset` bytes behind a multiple of 64."""
    memory = np.empty(array.nbytes + 128, np.uint8)
    start = -memory.ctypes.data % 64 + offset
    placed = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    placed[...] = array
    return placed


def model(
    nodes: list[onnx.NodeProto], shapes: dict[str, list[int | str]], weights: dict[str, np.ndarray] | None = None
) -> onnx.ModelProto:
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    constants = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
    graph = helper.make_graph(nodes, "inputs", given, [onnx.ValueInfoProto(name="y")], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


WEIGHT = np.random.default_rng(1).standard_normal((5, 3, 3, 3)).astype(np.float32)

CASES = {
    "elementwise": (model([helper.make_node("Tanh", ["x"], ["y"])], {"x": [7, 33]}), [True]),
    "open": (model([helper.make_node("Tanh", ["x"], ["y"])], {"x": ["n", 33]}), [True]),
    "pool": (
        model([helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2])], {"x": [1, 3, 15, 17]}),
        [True],
    ),
    "convolution": (model([helper.make_node("Conv", ["x", "w"], ["y"])], {"x": [1, 3, 15, 17]}, {"w": WEIGHT}), [True]),
    # The second factor is copied to panels once; of batches, its vectors are read for every row of the first.
    "product": (model([helper.make_node("MatMul", ["a", "b"], ["y"])], {"a": [40, 33], "b": [33, 50]}), [True, True]),
    "batches": (
        model([helper.make_node("MatMul", ["a", "b"], ["y"])], {"a": [2, 40, 33], "b": [2, 33, 50]}),
        [False, False],
    ),
    "open batches": (
        model([helper.make_node("MatMul", ["a", "b"], ["y"])], {"a": [2, "m", 33], "b": [2, 33, 50]}),
        [False, False],
    ),
    "twice": (
        model(
            [helper.make_node("MatMul", ["a", "b"], ["p"]), helper.make_node("Add", ["p", "b"], ["y"])],
            {"a": [33, 33], "b": [33, 33]},
        ),
        [True, False],
    ),
}


@pytest.mark.parametrize("name", list(CASES))
def test_results_do_not_depend_on_where_inputs_are(name: str, tmp_path: Path) -> None:
    proto, wanted = CASES[name]
    random = np.random.default_rng(2)
    path = tmp_path / "model.so"
    acc.compile(proto, target="cpu").save(path)
    said = [info.anywhere for info in read_model(path).inputs]
    assert said == wanted
    arrays = {
        value.name: random.standard_normal([d.dim_value or 9 for d in value.type.tensor_type.shape.dim]).astype(
            np.float32
        )
        for value in proto.graph.input
    }
    with acc.load(path) as executable:
        results = [
            executable.run({key: at(offset, array) for key, array in arrays.items()})["y"].tobytes()
            for offset in OFFSETS
        ]
    assert len(set(results)) == 1


def test_guards_need_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    proto, _ = CASES["elementwise"]
    x = np.random.default_rng(3).standard_normal((7, 33)).astype(np.float32)
    free = acc.compile(proto, target="cpu")
    monkeypatch.setenv("ACC_GUARD", "1")
    with acc.compile(proto, target="cpu") as guarded, free:
        assert guarded.run({"x": at(4, x)})["y"].tobytes() == free.run({"x": x})["y"].tobytes()


def test_the_file_says_it(tmp_path: Path) -> None:
    path = tmp_path / "model.so"
    acc.compile(CASES["elementwise"][0], target="cpu").save(path)
    (entry,) = read_model(path).metadata["inputs"]
    assert json.loads(json.dumps(entry)) == {"name": "x", "dtype": "float32", "shape": [7, 33], "anywhere": True}
