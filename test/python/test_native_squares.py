"""Loops that turn squares of operands round in registers: transposes, alone and in what they are fused with."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import acc
from acc.targets.cpu.vectors import Square, choose_square

KINDS = {
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
    TensorProto.INT8: np.int8,
    TensorProto.UINT8: np.uint8,
    TensorProto.INT64: np.int64,
    TensorProto.BOOL: np.bool_,
}


def _transposes(kind: int, cases: list[tuple[list[int], list[int], bool]], opened: bool) -> onnx.ModelProto:
    """A transpose per case of sizes and permutation, some of them added to a tensor in the result's order."""
    nodes, inputs, outputs = [], [], []
    for n, (shape, permutation, added) in enumerate(cases):
        result = [shape[axis] for axis in permutation]
        names = [f"d{n}_{axis}" if opened and axis % 2 == 0 else size for axis, size in enumerate(shape)]
        inputs.append(helper.make_tensor_value_info(f"x{n}", kind, names))
        outputs.append(helper.make_tensor_value_info(f"y{n}", kind, None))
        nodes.append(helper.make_node("Transpose", [f"x{n}"], [f"t{n}" if added else f"y{n}"], perm=permutation))
        if added:
            other = [names[axis] for axis in permutation]
            inputs.append(helper.make_tensor_value_info(f"z{n}", kind, other if opened else result))
            nodes.append(helper.make_node("Add", [f"t{n}", f"z{n}"], [f"y{n}"]))
    graph = helper.make_graph(nodes, "transposes", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("cpu", ["native", "x86-64-v3", "x86-64"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: TensorProto.DataType.Name(kind).lower())
def test_transposes(kind: int, cpu: str) -> None:
    r = np.random.default_rng([kind, len(cpu)])
    sizes = [1, 2, 3, 4, 7, 15, 16, 17, 33, 64]
    cases = []
    for rank in (2, 2, 3, 3, 4):
        shape = [int(size) for size in r.choice(sizes, rank)]
        permutation = [int(axis) for axis in r.permutation(rank)]
        cases.append((shape, permutation, kind not in (TensorProto.BOOL,) and bool(r.random() < 0.5)))
    feeds = {}
    for n, (shape, permutation, added) in enumerate(cases):
        feeds[f"x{n}"] = (r.standard_normal(shape) * 50).astype(KINDS[kind])
        if added:
            feeds[f"z{n}"] = (r.standard_normal([shape[axis] for axis in permutation]) * 50).astype(KINDS[kind])
    for opened in (False, True):
        with acc.compile(_transposes(kind, cases, opened), cpu=cpu) as executable:
            got = executable.run(feeds)
        for n, (_, permutation, added) in enumerate(cases):
            expected = feeds[f"x{n}"].transpose(permutation)
            if added:
                expected = expected + feeds[f"z{n}"]
            np.testing.assert_array_equal(got[f"y{n}"], expected)


@pytest.mark.parametrize("shape", [(1024, 513), (1000, 1000)])
def test_threads_share_no_square(shape: tuple[int, int]) -> None:
    feeds = {"x0": np.random.default_rng(0).standard_normal(shape).astype(np.float32)}
    model = _transposes(TensorProto.FLOAT, [(list(shape), [1, 0], False)], False)
    with acc.compile(model, threads=3) as executable:
        np.testing.assert_array_equal(executable.run(feeds)["y0"], feeds["x0"].T)


def test_choice() -> None:
    def transpose(rows: int, columns: int, bits: int = 32) -> Square | None:
        read, written = (False, bits, [1, rows]), (True, bits, [columns, 1])
        return choose_square([(rows, True), (columns, True)], [read, written], 64)

    assert transpose(768, 768) == Square(results=1, reads=0, side=16)
    assert transpose(768, 768, bits=64) == Square(results=1, reads=0, side=8)
    # What is shorter than a square has a smaller one.
    assert transpose(768, 3) == Square(results=1, reads=0, side=4)
    assert transpose(768, 1) is None
    # Elements that are not far from each other come out of one read.
    assert transpose(3, 768) is None
