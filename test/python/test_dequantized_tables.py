"""Constants that are dequantized and then gathered from: they stay integers, and mean what DequantizeLinear says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import acc

KINDS = {"int8": np.int8, "uint8": np.uint8, "int4": ml_dtypes.int4, "uint4": ml_dtypes.uint4, "int2": ml_dtypes.int2}


class Table:
    """A random table of integers with scales and zero points: one of each, or by an axis or by blocks along it."""

    def __init__(
        self, kind: str, shape: Sequence[int], axis: int | None, block: int = 0, scale: type = np.float32, seed: int = 0
    ) -> None:
        random = np.random.default_rng(seed)
        self.axis, self.block = axis, block
        self.dtype = np.dtype(KINDS[kind])
        limits = ml_dtypes.iinfo(self.dtype)
        low, high = int(limits.min), int(limits.max) + 1
        count: list[int] = []
        if axis is not None:
            blocks = -(-shape[axis] // block) if block else shape[axis]
            count = [*shape[:axis], blocks, *shape[axis + 1 :]] if block else [blocks]
        self.integers = random.integers(low, high, shape)
        self.zeros = random.integers(low, high, count)
        self.scales = np.asarray(random.uniform(0.01, 0.5, count), scale)

    @property
    def reals(self) -> np.ndarray:
        scales, zeros = self.scales, self.zeros
        if self.axis is not None and self.block:
            of = np.arange(self.integers.shape[self.axis]) // self.block
            scales, zeros = np.take(scales, of, self.axis), np.take(zeros, of, self.axis)
        elif self.axis is not None:
            along = [1] * self.integers.ndim
            along[self.axis] = -1
            scales, zeros = scales.reshape(along), zeros.reshape(along)
        reals = (self.integers - zeros).astype(np.float32) * scales.astype(np.float32)
        return reals.astype(self.scales.dtype)

    def model(self, gather_axis: int, sizes: Sequence[int | str], outputs: Sequence[str] = ("y",)) -> onnx.ModelProto:
        attributes: dict[str, Any] = {} if self.axis is None else {"axis": self.axis}
        if self.block:
            attributes["block_size"] = self.block
        arrays = {"q": self.integers.astype(self.dtype), "s": self.scales, "z": self.zeros.astype(self.dtype)}
        nodes = [
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"], "dequantize", **attributes),
            helper.make_node("Gather", ["w", "i"], ["y"], "gather", axis=gather_axis),
        ]
        graph = helper.make_graph(
            nodes,
            "table",
            [helper.make_tensor_value_info("i", onnx.TensorProto.INT64, sizes)],
            [onnx.ValueInfoProto(name=name) for name in outputs],
            [numpy_helper.from_array(array, name) for name, array in arrays.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 25)], ir_version=11)


@pytest.mark.parametrize(
    ("kind", "shape", "axis", "block", "gather_axis"),
    [
        ("int8", (9, 7), None, 0, 0),
        ("uint8", (9, 7), 0, 0, 0),
        ("int8", (9, 7), 1, 0, -2),
        ("int4", (9, 7), 0, 0, 0),
        ("int4", (9, 7), 1, 0, 0),
        ("uint4", (9, 40), 1, 16, 0),
        ("int4", (3, 33, 5), 1, 16, 2),
        ("int4", (3, 33, 5), 1, 16, 0),
        ("int2", (5, 4, 18), 2, 7, 1),
        # A block may be longer than the axis.
        ("uint4", (4, 6), 1, 1 << 40, 0),
        # Blocks along the axis of the indices are dequantized first.
        ("int4", (33, 4), 0, 16, 0),
    ],
)
def test_what_is_gathered_is_what_dequantization_makes(
    kind: str, shape: Sequence[int], axis: int | None, block: int, gather_axis: int
) -> None:
    table = Table(kind, shape, axis, block)
    indices = np.random.default_rng(1).integers(-shape[gather_axis], shape[gather_axis], (2, 3))
    for sizes in ((2, 3), ("a", "b")):
        (result,) = acc.compile(table.model(gather_axis, sizes)).run({"i": indices}).values()
        np.testing.assert_array_equal(result, np.take(table.reals, indices, gather_axis))


def test_scales_of_float16_make_float16() -> None:
    table = Table("int4", (9, 32), 1, 16, np.float16)
    (result,) = acc.compile(table.model(0, [3])).run({"i": np.array([8, 0, -1])}).values()
    np.testing.assert_array_equal(result, table.reals[[8, 0, -1]])


def test_indices_may_be_constants() -> None:
    table = Table("int4", (9, 32), 0)
    graph = acc.compile(table.model(0, [2]), values={"i": np.array([8, -9])})
    (result,) = graph.run({}).values()
    np.testing.assert_array_equal(result, table.reals[[8, -9]])


def test_tables_may_be_results_of_constant_nodes() -> None:
    table = Table("uint4", (9, 32), 1, 16)
    graph = (model := table.model(0, [2])).graph
    nodes = [helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in graph.initializer]
    nodes.extend(graph.node)
    for field, content in (("initializer", []), ("node", nodes)):
        graph.ClearField(field)
        getattr(graph, field).extend(content)
    (result,) = acc.compile(model).run({"i": np.array([8, 0])}).values()
    np.testing.assert_array_equal(result, table.reals[[8, 0]])


def test_one_index_may_be_a_scalar() -> None:
    table = Table("int4", (9, 32), 1, 16)
    (result,) = acc.compile(table.model(0, [])).run({"i": np.array(4)}).values()
    np.testing.assert_array_equal(result, table.reals[4])


@pytest.mark.parametrize(("axis", "block"), [(0, 0), (None, 0), (1, 32)])
def test_four_bits_stay_four_bits(tmp_path: Path, axis: int | None, block: int) -> None:
    table = Table("int4", (2000, 128), axis, block)
    path = tmp_path / "model.so"
    compiled = acc.compile(table.model(0, ["n"]))
    compiled.save(path)
    # Two integers share a byte; zero points have a byte each.
    parameters = table.scales.size * 5 if table.scales.size > 1 else 0
    assert path.stat().st_size < table.integers.size // 2 + parameters + 32768


def test_a_table_that_is_wanted_itself_is_dequantized() -> None:
    table = Table("int8", (9, 8), 0)
    results = acc.compile(table.model(0, [2], ("w", "y"))).run({"i": np.array([1, 3])})
    np.testing.assert_array_equal(results["w"], table.reals)
    np.testing.assert_array_equal(results["y"], table.reals[[1, 3]])


def test_a_scale_that_is_no_number_is_refused() -> None:
    table = Table("int8", (9, 8), 0)
    table.scales[3] = np.nan
    with pytest.raises(acc.ModelError, match="scale 's' holds nan, which is not a finite number"):
        acc.compile(table.model(0, [2]))


@pytest.mark.parametrize(
    ("node", "attribute", "message"),
    [
        ("dequantize", {"axis": 0.5}, "attribute 'axis'"),
        ("gather", {"axis": "rows"}, "attribute 'axis'"),
        ("gather", {"other": 1}, "attribute 'other'"),
        ("gather", {"axis": 2}, "axis"),
        ("dequantize", {"axis": 1}, "there are 9 scales but axis 1 has 8 elements"),
        ("dequantize", {"block_size": 4}, "scales"),
    ],
)
def test_what_is_wrong_is_said_of_the_nodes(node: str, attribute: dict[str, Any], message: str) -> None:
    model = Table("int8", (9, 8), 0).model(0, [2])
    (found,) = (each for each in model.graph.node if each.name == node)
    ((name, value),) = attribute.items()
    kept = [each for each in found.attribute if each.name != name]
    found.ClearField("attribute")
    found.attribute.extend([*kept, helper.make_attribute(name, value)])
    with pytest.raises(acc.ModelError, match=rf"node '{node}'.*{message}"):
        acc.compile(model)
