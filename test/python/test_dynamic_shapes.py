"""Models with sizes that are known at run time only: compiled once, run at many sizes, compared with ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc

RNG = np.random.default_rng(7)


def model(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, list[int | str]],
    outputs: list[str],
    weights: dict[str, np.ndarray] | None = None,
    types: dict[str, int] | None = None,
) -> onnx.ModelProto:
    """A model of float inputs, unless `types` says otherwise, whose outputs are of any shape."""
    types = types or {}
    infos = [helper.make_tensor_value_info(n, types.get(n, TensorProto.FLOAT), shape) for n, shape in inputs.items()]
    results = [helper.make_tensor_value_info(name, types.get(name, TensorProto.FLOAT), None) for name in outputs]
    tensors = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
    graph = helper.make_graph(nodes, "dynamic", infos, results, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def check(proto: onnx.ModelProto, feeds: list[dict[str, np.ndarray]], rtol: float = 1e-4) -> acc.Executable:
    """Compiles once and compares every run with ONNX Runtime."""
    executable = acc.compile(proto)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for feed in feeds:
        names = [output.name for output in proto.graph.output]
        expected = dict(zip(names, session.run(names, feed), strict=True))
        actual = executable.run(feed)
        for name in names:
            assert actual[name].shape == expected[name].shape, name
            np.testing.assert_allclose(actual[name], expected[name], rtol=rtol, atol=1e-5)
    return executable


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape, dtype=np.float32)


def test_elementwise_and_movement() -> None:
    nodes = [
        helper.make_node("Add", ["x", "y"], ["a"]),
        helper.make_node("Transpose", ["a"], ["t"], perm=[1, 0, 2]),
        helper.make_node("Relu", ["t"], ["r"]),
        helper.make_node("Concat", ["r", "t"], ["out"], axis=2),
    ]
    proto = model(nodes, {"x": ["n", "m", 4], "y": [1, "m", 1]}, ["out"])
    check(proto, [{"x": floats(n, m, 4), "y": floats(1, m, 1)} for n, m in ((1, 1), (3, 5), (2, 1), (0, 3), (7, 0))])


def test_concat_of_nothing() -> None:
    proto = model([helper.make_node("Concat", ["x", "y"], ["z"], axis=0)], {"x": ["n", 3, 0], "y": [2, 3, "m"]}, ["z"])
    check(proto, [{"x": floats(n, 3, 0), "y": floats(2, 3, 0)} for n in (1, 4)])


def test_broadcast_of_unrelated_sizes() -> None:
    proto = model([helper.make_node("Mul", ["x", "y"], ["z"])], {"x": ["a", 3], "y": ["b", "c"]}, ["z"])
    sizes = [((1, 3), (4, 3)), ((4, 3), (1, 1)), ((4, 3), (4, 3)), ((1, 3), (1, 1)), ((0, 3), (1, 1))]
    executable = check(proto, [{"x": floats(*x), "y": floats(*y)} for x, y in sizes])
    with pytest.raises(acc.RunError, match="broadcast"):
        executable.run({"x": floats(2, 3), "y": floats(3, 3)})


def test_expand_to_numbers_that_only_a_run_knows() -> None:
    """They broadcast with the sizes of the input in both directions, or the run is refused."""
    node = helper.make_node("Expand", ["x", "s"], ["y"], name="expand_it")
    proto = model([node], {"x": [3, 2], "s": [3]}, ["y"], types={"s": TensorProto.INT64})
    shapes = ([1, 3, 2], [4, 1, 2], [2, 3, 1], [0, 3, 2], [5, 1, 1])
    executable = check(proto, [{"x": floats(3, 2), "s": np.array(shape)} for shape in shapes])
    for shape in ([2, 3, 4], [1, 5, 2], [1, 3, 0], [1, 3, -2], [-1, 3, 2]):
        with pytest.raises(acc.RunError, match="expand_it"):
            executable.run({"x": floats(3, 2), "s": np.array(shape)})


def test_expand_to_the_shape_of_another_input() -> None:
    nodes = [helper.make_node("Shape", ["z"], ["s"]), helper.make_node("Expand", ["x", "s"], ["y"], name="expand_it")]
    proto = model(nodes, {"x": ["a", 2], "z": ["b", 2]}, ["y"])
    pairs = ((1, 5), (5, 1), (3, 3), (1, 0), (0, 1))
    executable = check(proto, [{"x": floats(a, 2), "z": floats(b, 2)} for a, b in pairs])
    for a, b in ((3, 5), (5, 0), (0, 4)):
        with pytest.raises(acc.RunError, match="expand_it"):
            executable.run({"x": floats(a, 2), "z": floats(b, 2)})


def test_reverse_sequence_has_a_length_for_each() -> None:
    """No run reads lengths that are not there."""
    node = helper.make_node("ReverseSequence", ["x", "l"], ["y"], name="reverse_it", batch_axis=1, time_axis=0)
    proto = model([node], {"x": ["t", "b"], "l": ["n"]}, ["y"], types={"l": TensorProto.INT64})
    executable = check(proto, [{"x": floats(4, n), "l": np.arange(1, n + 1)} for n in (1, 4)])
    for lengths in (3, 5):
        with pytest.raises(acc.RunError, match="reverse_it"):
            executable.run({"x": floats(4, 4), "l": np.ones(lengths, np.int64)})


def test_equal_names_are_equal_sizes() -> None:
    proto = model([helper.make_node("Add", ["x", "y"], ["z"])], {"x": ["n", 3], "y": ["n", 3]}, ["z"])
    executable = check(proto, [{"x": floats(n, 3), "y": floats(n, 3)} for n in (1, 6)])
    with pytest.raises(acc.RunError, match="'n'"):
        executable.run({"x": floats(2, 3), "y": floats(1, 3)})


def reshape_nodes(source: str, target: str, parts: list[str], extra: int = -1) -> list[onnx.NodeProto]:
    """Reshape to the first two sizes of `source` and `parts`, as exporters write it."""
    nodes = [helper.make_node("Shape", [source], [f"{target}_shape"])]
    picked = []
    for axis in range(2):
        picked.append(f"{target}_size{axis}")
        nodes.append(helper.make_node("Gather", [f"{target}_shape", f"index{axis}"], [f"{target}_at{axis}"], axis=0))
        nodes.append(helper.make_node("Unsqueeze", [f"{target}_at{axis}", "index0"], [picked[-1]]))
    nodes.append(helper.make_node("Concat", [*picked, *parts], [f"{target}_sizes"], axis=0))
    return nodes


INDICES = {"index0": np.array([0]), "index1": np.array([1])}


def test_shape_arithmetic() -> None:
    nodes = [
        *reshape_nodes("x", "y", ["heads", "minus_one"]),
        helper.make_node("Reshape", ["x", "y_sizes"], ["y"]),
        helper.make_node("Transpose", ["y"], ["z"], perm=[0, 2, 1, 3]),
        helper.make_node("Transpose", ["z"], ["back"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["back", "flat"], ["out"]),
    ]
    weights = INDICES | {"heads": np.array([2]), "minus_one": np.array([-1]), "flat": np.array([-1, 8])}
    # Scalars pick sizes one at a time.
    weights |= {"index0": np.array(0), "index1": np.array(1)}
    for node in nodes:
        if node.op_type == "Unsqueeze":
            node.input[1] = "axes0"
    weights["axes0"] = np.array([0])
    proto = model(nodes, {"x": ["batch", "seq", 8]}, ["z", "out"], weights)
    check(proto, [{"x": floats(b, s, 8)} for b, s in ((1, 1), (2, 5), (3, 7))])


def test_reshape_by_values_of_a_run() -> None:
    proto = model(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        {"x": ["n", 6], "shape": [3]},
        ["y"],
        types={"shape": TensorProto.INT64},
    )
    shapes = [(2, 3, 4), (4, -1, 2), (0, 3, -1), (-1, 1, 1)]
    executable = check(proto, [{"x": floats(4, 6), "shape": np.array(shape)} for shape in shapes])
    with pytest.raises(acc.RunError, match="elements"):
        executable.run({"x": floats(4, 6), "shape": np.array([5, 1, 1])})


def agree_on_refusal(proto: onnx.ModelProto, feeds: list[dict[str, np.ndarray]], match: str) -> None:
    """Every run gives what ONNX Runtime gives, or is refused where ONNX Runtime refuses it; both happen."""
    executable = acc.compile(proto)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names, refused = [output.name for output in proto.graph.output], 0
    for feed in feeds:
        try:
            expected = session.run(names, feed)
        except Exception:
            refused += 1
            with pytest.raises(acc.RunError, match=match):
                executable.run(feed)
            continue
        actual = executable.run(feed)
        for name, array in zip(names, expected, strict=True):
            np.testing.assert_array_equal(actual[name], array)
    assert 0 < refused < len(feeds)


@pytest.mark.parametrize("rest", [[], [3], [1, 7]])
@pytest.mark.parametrize("again", [False, True])
def test_a_reshape_to_the_size_of_another_input_is_checked(rest: list[int], again: bool) -> None:
    """The types before and behind it are the same, though the sizes may not be."""
    nodes = [helper.make_node("Shape", ["y"], ["sizes"]), helper.make_node("Reshape", ["x", "sizes"], ["z"])]
    if again:
        nodes += [helper.make_node("Reshape", ["z", "sizes"], ["w"]), helper.make_node("Relu", ["w"], ["v"])]
    proto = model(nodes, {"x": ["n", *rest], "y": ["m", *rest]}, ["v" if again else "z"])
    feeds = [{"x": floats(n, *rest), "y": floats(m, *rest)} for n in (1, 2, 5) for m in (1, 2, 5)]
    agree_on_refusal(proto, feeds, "elements")


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize(("count", "axis"), [(2, 0), (3, 1), (5, -1)])
def test_equal_parts_of_an_open_axis(opset: int, count: int, axis: int) -> None:
    """Where something would be left over, the run is refused."""
    shape: list[int | str] = [2, 3, 4]
    shape[axis] = "n"
    names = [f"part{index}" for index in range(count)]
    proto = model([helper.make_node("Split", ["x"], names, axis=axis)], {"x": shape}, names)
    proto.opset_import[0].version = opset
    feeds = [{"x": floats(*(n if size == "n" else int(size) for size in shape))} for n in (*range(9), 15, 30)]
    agree_on_refusal(proto, feeds, "elements")


@pytest.mark.parametrize(
    ("start", "end", "step"), [(1, 2**31 - 1, 1), (-3, 2**63 - 1, 1), (0, -1, 2), (-1, -(2**63), -2)]
)
def test_slices(start: int, end: int, step: int) -> None:
    weights = {"s": np.array([start]), "e": np.array([end]), "a": np.array([1]), "d": np.array([step])}
    proto = model([helper.make_node("Slice", ["x", "s", "e", "a", "d"], ["y"])], {"x": [2, "n"]}, ["y"], weights)
    check(proto, [{"x": floats(2, n)} for n in (1, 2, 3, 8, 9)])


def test_convolutional_network() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["p", "v"], ["d"], group=2),
        helper.make_node("Add", ["d", "p"], ["s"]),
        helper.make_node("GlobalAveragePool", ["s"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "m", "o"], ["y"], transB=1),
    ]
    weights = {"w": floats(8, 3, 3, 3), "b": floats(8), "v": floats(8, 4, 1, 1), "m": floats(5, 8), "o": floats(5)}
    proto = model(nodes, {"x": ["batch", 3, 20, 22]}, ["y"], weights)
    check(proto, [{"x": floats(n, 3, 20, 22)} for n in (1, 2, 5)], rtol=1e-3)
    proto = model(nodes, {"x": ["batch", 3, "height", "width"]}, ["y"], weights)
    check(proto, [{"x": floats(n, 3, h, w)} for n, h, w in ((1, 20, 22), (3, 9, 31), (2, 5, 5))], rtol=1e-3)


def test_attention_block() -> None:
    def heads(name: str) -> list[onnx.NodeProto]:
        return [
            helper.make_node("MatMul", ["x", f"w_{name}"], [f"{name}_flat"]),
            helper.make_node("Reshape", [f"{name}_flat", "sizes"], [f"{name}_split"]),
            helper.make_node(
                "Transpose", [f"{name}_split"], [name], perm=[0, 2, 1, 3] if name != "k" else [0, 2, 3, 1]
            ),
        ]

    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "first"], ["leading"], axis=0),
        helper.make_node("Concat", ["leading", "split"], ["sizes"], axis=0),
        helper.make_node("Concat", ["leading", "width"], ["merged"], axis=0),
        *heads("q"),
        *heads("k"),
        *heads("v"),
        helper.make_node("MatMul", ["q", "k"], ["scores"]),
        helper.make_node("Mul", ["scores", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "mask"], ["masked"]),
        helper.make_node("Softmax", ["masked"], ["weights"], axis=-1),
        helper.make_node("MatMul", ["weights", "v"], ["mixed"]),
        helper.make_node("Transpose", ["mixed"], ["order"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["order", "merged"], ["joined"]),
        helper.make_node("MatMul", ["joined", "w_o"], ["projected"]),
        helper.make_node("Add", ["projected", "x"], ["y"]),
    ]
    weights = {f"w_{name}": floats(12, 12) for name in "qkvo"}
    weights |= {"first": np.array([0, 1]), "split": np.array([3, 4]), "width": np.array([12])}
    weights |= {"scale": np.array(0.5, np.float32)}
    proto = model(nodes, {"x": ["batch", "seq", 12], "mask": ["batch", 1, 1, "seq"]}, ["y"], weights)
    sizes = [(1, 1), (2, 7), (3, 16)]
    check(proto, [{"x": floats(b, s, 12), "mask": floats(b, 1, 1, s)} for b, s in sizes], rtol=1e-3)


def test_accelerator_needs_sizes() -> None:
    proto = model([helper.make_node("Relu", ["x"], ["y"])], {"x": ["batch", 3, "h", 8]}, ["y"])
    with pytest.raises(acc.NeedsShape, match=r"input 'x'.*unknown sizes \(batch, 3, h, 8\).*--shape x=1,3,224,8"):
        acc.compile(proto, target="vta")
    executable = acc.compile(proto, shapes={"x": (2, 3, 4, 8)})
    assert executable.inputs[0].shape == (2, 3, 4, 8)


@pytest.mark.parametrize("seed", range(6))
def test_random_chains(seed: int) -> None:
    """Random operators one after the other, whose sizes follow from two open ones."""
    random = np.random.default_rng(seed)
    nodes: list[onnx.NodeProto] = []
    weights: dict[str, np.ndarray] = {}
    name, rank = "x", 3

    def add(op_type: str, inputs: list[str], **attributes: object) -> str:
        nodes.append(helper.make_node(op_type, inputs, [f"v{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    def constant(value: object, dtype: type = np.int64) -> str:
        weights[f"c{len(weights)}"] = np.asarray(value, dtype)
        return f"c{len(weights) - 1}"

    for _ in range(7):
        match random.integers(6):
            case 0:
                name = add("Transpose", [name], perm=[1, 0, *range(2, rank)])
            case 1:
                name = add("Concat", [name, name], axis=int(random.integers(rank)))
            case 2:
                name = add("Add", [name, add("ReduceMax", [name], axes=[int(random.integers(rank))], keepdims=1)])
            case 3:
                sizes = add("Shape", [name])
                flat = add("Reshape", [name, constant([-1])])
                name = add("Mul", [add("Reshape", [flat, sizes]), name])
            case 4:
                bounds = [constant([0]), constant([-1]), constant([0]), constant([1])]
                front = add("Slice", [name, *bounds])
                name = add("Concat", [name, front], axis=0)
            case _:
                half = add("Mul", [add("Shape", [name]), constant([2] + [1] * (rank - 1))])
                doubled = add("Concat", [name, name], axis=0)
                name = add("Relu", [add("Reshape", [doubled, half])])
    proto = model(nodes, {"x": ["n", "m", 4]}, [name], weights)
    check(proto, [{"x": floats(n, m, 4)} for n, m in ((1, 1), (2, 3), (5, 2), (3, 3))])
