"""Operators that move, choose and find elements, on random shapes, types and attributes, next to numpy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import acc
from acc.pipeline import Options, Pipeline
from graph_as_onnx import operators, run

TYPES = [np.float32, np.float64, np.float16, np.int8, np.uint8, np.int32, np.int64, np.uint64, np.bool_]
ROUNDS = 12


def random_array(rng: np.random.Generator, shape: list[int], dtype: object) -> np.ndarray:
    return (rng.standard_normal(shape) * 4).astype(np.int64).astype(np.dtype(dtype))


def random_shape(rng: np.random.Generator, least: int = 1, most: int = 4) -> list[int]:
    return [int(size) for size in rng.integers(1, 6, rng.integers(least, most + 1))]


def node_model(
    op_type: str,
    inputs: Mapping[str, np.ndarray],
    constants: Mapping[str, np.ndarray],
    outputs: Mapping[str, object],
    opset: int = 21,
    **attributes: object,
) -> onnx.ModelProto:
    """One node on run-time inputs, then constants; the outputs have the dtypes given and unknown shapes."""
    node = helper.make_node(op_type, [*inputs, *constants], list(outputs), **attributes)

    def info(name: str, dtype: object, shape: list[int] | None) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)

    graph = helper.make_graph(
        [node],
        "graph",
        [info(name, array.dtype, list(array.shape)) for name, array in inputs.items()],
        [info(name, dtype, None) for name, dtype in outputs.items()],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def check(
    op_type: str,
    inputs: Mapping[str, np.ndarray],
    constants: Mapping[str, np.ndarray],
    outputs: Mapping[str, object],
    opset: int = 21,
    expected: list[np.ndarray] | None = None,
    runtime: bool = False,
    **attributes: object,
) -> None:
    """Compiled, the node computes what is expected: bit for bit, since nothing is computed but sums of integers."""
    model = node_model(op_type, inputs, constants, outputs, opset, **attributes)
    if expected is None and runtime:
        expected = list(run(model, dict(inputs)).values())
    elif expected is None:
        expected = ReferenceEvaluator(model).run(None, dict(inputs))
    results = acc.compile(model).run(dict(inputs))
    for name, array in zip(outputs, expected, strict=True):
        np.testing.assert_array_equal(results[name], array, err_msg=f"{op_type} {attributes}")
        assert results[name].dtype == outputs[name]
        assert results[name].shape == np.shape(array)


@pytest.mark.parametrize("length", [1, 2, 5])
@pytest.mark.parametrize("bounds", [(-9, -(1 << 40), -1), (-9, -(1 << 40), -2), (-7, -9, -1), (-9, 0, -1), (9, -9, -3)])
def test_slices_backwards_from_in_front(length: int, bounds: tuple[int, int, int]) -> None:
    """They start at the first element, as the standard says; the reference implementation takes none."""
    constants = [numpy_helper.from_array(np.array([n]), f"c{k}") for k, n in enumerate((*bounds[:2], 0, bounds[2]))]
    x = np.arange(length, dtype=np.float32)
    node = helper.make_node("Slice", ["x", *(constant.name for constant in constants)], ["y"])
    results = []
    for size in (length, "n"):
        info = [helper.make_tensor_value_info(name, 1, [dim]) for name, dim in (("x", size), ("y", None))]
        graph = helper.make_graph([node], "slice", info[:1], info[1:], constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        results.append(acc.compile(model).run({"x": x})["y"])
    (theirs,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    for ours in results:
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_slice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = random_shape(rng)
    x = random_array(rng, shape, TYPES[seed % len(TYPES)])
    axes = rng.permutation(len(shape))[: rng.integers(1, len(shape) + 1)]
    starts, ends = rng.integers(-8, 9, len(axes)), rng.integers(-8, 9, len(axes))
    steps = np.where(rng.random(len(axes)) < 0.5, -1, 1) * rng.integers(1, 4, len(axes))
    wide = rng.random(len(axes)) < 0.3
    ends = np.where(wide, np.where(steps > 0, np.iinfo(np.int64).max, np.iinfo(np.int64).min + 1), ends)
    axes = np.where(rng.random(len(axes)) < 0.5, axes - len(shape), axes)
    chosen: list[slice] = [slice(None)] * len(shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        start = max(start, -shape[axis]) if step < 0 else start
        chosen[axis] = slice(*slice(int(start), int(end), int(step)).indices(shape[axis]))
        if step < 0 and chosen[axis].stop < 0:
            chosen[axis] = slice(chosen[axis].start, None, int(step)) if chosen[axis].start >= 0 else slice(0, 0)
    constants = {"starts": starts, "ends": ends, "axes": axes, "steps": steps}
    check("Slice", {"x": x}, constants, {"y": x.dtype}, expected=[x[tuple(chosen)]])


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_expand_and_tile(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = random_shape(rng)
    x = random_array(rng, [size if rng.random() < 0.5 else 1 for size in shape], TYPES[seed % len(TYPES)])
    wanted = [1 if rng.random() < 0.2 else size for size in [*random_shape(rng, 0, 2), *shape]]
    check("Expand", {"x": x}, {"shape": np.array(wanted, np.int64)}, {"y": x.dtype})
    repeats = rng.integers(0 if seed % 4 == 0 else 1, 4, x.ndim)
    check("Tile", {"x": x}, {"repeats": repeats}, {"y": x.dtype}, expected=[np.tile(x, repeats)])


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_split_and_concat(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = random_shape(rng)
    x = random_array(rng, shape, TYPES[seed % len(TYPES)])
    axis = int(rng.integers(-len(shape), len(shape)))
    parts = rng.multinomial(shape[axis], [1 / 3] * 3)
    wanted = np.split(x, np.cumsum(parts)[:-1], axis)
    outputs = {f"y{index}": x.dtype for index in range(3)}
    check("Split", {"x": x}, {"split": parts}, outputs, expected=wanted, axis=axis)
    inputs = {f"x{index}": part for index, part in enumerate(wanted)}
    if all(part.size for part in wanted):
        check("Concat", inputs, {}, {"y": x.dtype}, expected=[x], axis=axis)


@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.parametrize("upper", [0, 1])
def test_trilu(seed: int, upper: int) -> None:
    rng = np.random.default_rng(seed)
    x = random_array(rng, random_shape(rng, 2, 4), TYPES[seed % len(TYPES)])
    k = np.array(rng.integers(-7, 8))
    wanted = np.triu(x, k) if upper else np.tril(x, k)
    check("Trilu", {"x": x}, {"k": k}, {"y": x.dtype}, expected=[wanted], upper=upper)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_gather(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = random_shape(rng)
    x = random_array(rng, shape, TYPES[seed % len(TYPES)])
    axis = int(rng.integers(-len(shape), len(shape)))
    size = shape[axis]
    dtype = np.int32 if seed % 2 else np.int64
    indices = rng.integers(-size, size, random_shape(rng, 0, 2)).astype(dtype)
    check("Gather", {"x": x, "i": indices}, {}, {"y": x.dtype}, expected=[np.take(x, indices, axis)], axis=axis)
    fewer = [int(rng.integers(1, size + 1)) for size in shape]
    fewer[axis] = int(rng.integers(1, 5))
    indices = rng.integers(-size, size, fewer).astype(dtype)
    cut = x[tuple(slice(None) if at == axis % x.ndim else slice(n) for at, n in enumerate(fewer))]
    wanted = np.take_along_axis(cut, indices, axis)
    check("GatherElements", {"x": x, "i": indices}, {}, {"y": x.dtype}, expected=[wanted], axis=axis)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_gather_nd(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = random_shape(rng, 2, 4)
    x = random_array(rng, shape, TYPES[seed % len(TYPES)])
    batch = int(rng.integers(0, len(shape) - 1))
    count = int(rng.integers(1, len(shape) - batch + 1))
    places = [*shape[:batch], *random_shape(rng, 0, 2)]
    indices = np.stack([rng.integers(-size, size, places) for size in shape[batch : batch + count]], axis=-1)
    wanted = np.empty([*places, *shape[batch + count :]], x.dtype)
    for place in np.ndindex(*places):
        wanted[place] = x[place[:batch] + tuple(indices[place])]
    check("GatherND", {"x": x, "i": indices}, {}, {"y": x.dtype}, expected=[wanted], batch_dims=batch)


REDUCTIONS = {"none": lambda a, b: b, "add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_scatter(seed: int, reduction: str) -> None:
    rng = np.random.default_rng(seed)
    shape = random_shape(rng)
    dtype = TYPES[seed % (len(TYPES) - 1)]
    x, combine = random_array(rng, shape, dtype), REDUCTIONS[reduction]
    axis = int(rng.integers(-len(shape), len(shape)))
    fewer = [int(rng.integers(1, size + 1)) for size in shape]
    indices = rng.integers(-shape[axis], shape[axis], fewer)
    updates = random_array(rng, fewer, dtype)
    wanted = x.copy()
    with np.errstate(over="ignore"):
        for place in np.ndindex(*fewer):
            at = list(place)
            at[axis] = indices[place]
            wanted[tuple(at)] = combine(wanted[tuple(at)], updates[place])
    inputs = {"x": x, "i": indices, "u": updates}
    check("ScatterElements", inputs, {}, {"y": x.dtype}, expected=[wanted], opset=18, axis=axis, reduction=reduction)

    count = int(rng.integers(1, len(shape) + 1))
    places = random_shape(rng, 0, 2)
    indices = np.stack([rng.integers(-size, size, places) for size in shape[:count]], axis=-1)
    updates = random_array(rng, [*places, *shape[count:]], dtype)
    wanted = x.copy()
    with np.errstate(over="ignore"):
        for place in np.ndindex(*places):
            at = tuple(indices[place])
            wanted[at] = combine(wanted[at], updates[place])
    inputs = {"x": x, "i": indices, "u": updates}
    check("ScatterND", inputs, {}, {"y": x.dtype}, expected=[wanted], opset=18, reduction=reduction)


def test_indices_that_do_not_exist() -> None:
    """Reads take the nearest element, writes do not happen."""
    x = np.arange(5, dtype=np.float32)
    far = np.array([-(1 << 62), -6, -5, 4, 5, 1 << 62])
    check("Gather", {"x": x, "i": far}, {}, {"y": np.float32}, expected=[x[[0, 0, 0, 4, 4, 4]]])
    check("GatherElements", {"x": x, "i": far}, {}, {"y": np.float32}, expected=[x[[0, 0, 0, 4, 4, 4]]])
    check("GatherND", {"x": x, "i": far[:, None]}, {}, {"y": np.float32}, expected=[x[[0, 0, 0, 4, 4, 4]]])
    updates = np.full(6, 9, np.float32)
    inputs = {"x": x, "i": far, "u": updates}
    check("ScatterElements", inputs, {}, {"y": np.float32}, expected=[np.float32([9, 1, 2, 3, 9])])
    inputs = {"x": x, "i": far[:, None], "u": updates}
    check("ScatterND", inputs, {}, {"y": np.float32}, expected=[np.float32([9, 1, 2, 3, 9])])


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_one_hot(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape, depth = random_shape(rng, 0, 3), int(rng.integers(1, 6))
    indices = rng.integers(-depth - 2, depth + 2, shape)
    axis = int(rng.integers(-len(shape) - 1, len(shape) + 1))
    values = random_array(rng, [2], TYPES[seed % len(TYPES)])
    ranges = np.expand_dims(np.where(indices < 0, indices + depth, indices), axis) == np.arange(depth).reshape(
        [depth if at == axis % (len(shape) + 1) else 1 for at in range(len(shape) + 1)]
    )
    model_inputs = {"i": indices.astype(np.float32 if seed % 3 == 0 else np.int64)}
    constants = {"depth": np.array(depth), "values": values}
    wanted = np.where(ranges, values[1], values[0])
    check("OneHot", model_inputs, constants, {"y": values.dtype}, expected=[wanted], axis=axis)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_top_k(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = random_shape(rng)
    x = random_array(rng, shape, [np.float32, np.int32, np.int64, np.float64, np.uint8][seed % 5])
    axis = int(rng.integers(-len(shape), len(shape)))
    k, largest = int(rng.integers(0 if seed % 6 == 0 else 1, shape[axis] + 1)), int(seed % 2)
    key = -x.astype(np.int64) if largest else x.astype(np.int64)
    order = np.take(np.argsort(key, axis, kind="stable"), np.arange(k), axis)
    wanted = [np.take_along_axis(x, order, axis), order]
    outputs = {"y": x.dtype, "i": np.dtype(np.int64)}
    check("TopK", {"x": x}, {"k": np.array([k])}, outputs, expected=wanted, axis=axis, largest=largest)


def test_top_k_of_many() -> None:
    rng = np.random.default_rng(0)
    x = rng.permutation(3000).astype(np.float32).reshape(3, 1000)
    order = np.argsort(-x, 1, kind="stable")[:, :100]
    wanted = [np.take_along_axis(x, order, 1), order]
    check("TopK", {"x": x}, {"k": np.array([100])}, {"y": np.float32, "i": np.int64}, expected=wanted)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_non_zero_and_compress(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = random_array(rng, random_shape(rng), TYPES[seed % len(TYPES)])
    x[rng.random(x.shape) < seed / ROUNDS] = 0
    check("NonZero", {"x": x}, {}, {"y": np.int64}, expected=[np.array(np.nonzero(x))])
    axis = int(rng.integers(-x.ndim, x.ndim))
    condition = rng.random(x.shape[axis]) < 0.5
    wanted = [np.compress(condition, x, axis)]
    check("Compress", {"x": x, "c": condition}, {}, {"y": x.dtype}, expected=wanted, axis=axis)
    condition = rng.random(rng.integers(1, x.size + 1)) < 0.5
    check("Compress", {"x": x, "c": condition}, {}, {"y": x.dtype}, expected=[np.compress(condition, x)])


@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.parametrize("is_sorted", [0, 1])
def test_unique(seed: int, is_sorted: int) -> None:
    rng = np.random.default_rng(seed)
    x = random_array(rng, random_shape(rng), [np.float32, np.int64, np.int8, np.uint8, np.float64][seed % 5])
    x = np.clip(x, 0, 2)
    attributes = {} if seed % 3 == 0 else {"axis": int(rng.integers(-x.ndim, x.ndim))}
    axis = attributes.get("axis")
    found, firsts, inverse, counts = np.unique(x, True, True, True, axis)
    inverse = inverse.reshape(-1)
    if not is_sorted:
        order = np.argsort(firsts)
        found = np.take(found, order, 0 if axis is None else axis)
        firsts, counts, inverse = firsts[order], counts[order], np.argsort(order)[inverse]
    outputs = {"y": x.dtype, "firsts": np.int64, "inverse": np.int64, "counts": np.int64}
    wanted = [found, firsts, inverse, counts]
    check("Unique", {"x": x}, {}, outputs, expected=wanted, sorted=is_sorted, **attributes)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_non_max_suppression(seed: int) -> None:
    rng = np.random.default_rng(seed)
    batches, classes, count = (int(size) for size in rng.integers([1, 1, 1], [3, 4, 30]))
    boxes = rng.random((batches, count, 4)).astype(np.float32)
    scores = rng.random((batches, classes, count)).astype(np.float32)
    limits = {
        "most": np.array([rng.integers(0, 6)]),
        "iou": np.array([rng.random()], np.float32),
        "score": np.array([rng.random() / 2], np.float32),
    }
    inputs = {"boxes": boxes, "scores": scores, **limits}
    check("NonMaxSuppression", inputs, {}, {"y": np.int64}, runtime=True, center_point_box=seed % 2)


def test_tree_ensemble_and_terms_are_written_with_other_operators() -> None:
    """What has no operator of its own leaves none behind."""
    x = np.array([[1, 2, 1, 2, 3], [3, 1, 2, 0, 0]], np.int64)
    attributes = {
        **{"mode": "TF", "min_gram_length": 1, "max_gram_length": 2, "max_skip_count": 1},
        **{"ngram_counts": [0, 2], "ngram_indexes": [2, 0, 1], "pool_int64s": [1, 3, 1, 2]},
    }
    # Two ones and one three, and 1-2 twice side by side and never with one between.
    wanted = [np.array([[1, 2, 2], [1, 1, 1]], np.float32)]
    check("TfIdfVectorizer", {"x": x}, {}, {"y": np.float32}, expected=wanted, **attributes)


def test_transposes_meet() -> None:
    """Between two that undo each other element-wise operators leave none."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=[0, 2, 3, 1]),
        helper.make_node("Mul", ["a", "scale"], ["b"]),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("Transpose", ["c"], ["y"], perm=[0, 3, 1, 2]),
    ]
    scale = np.array([1, -2, 3], np.float32)
    info = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2, 3, 4, 5]) for name in "xy"]
    graph = helper.make_graph(nodes, "graph", info[:1], info[1:], [onnx.numpy_helper.from_array(scale, "scale")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    module = Pipeline(Options()).import_graph(model).module
    names = [op.name for op in operators(module)]
    assert names == ["graph.mul", "graph.relu"]
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    wanted = np.maximum(x * scale[:, None, None], 0)
    np.testing.assert_allclose(acc.compile(model).run({"x": x})["y"], wanted, rtol=1e-6)
