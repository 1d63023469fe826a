"""A constant computes what an input of the same value computes, bit for bit, whoever evaluates it.

What moves elements and integer arithmetic is evaluated by the importer's table (`acc.frontend.exact`), all other
operators by native code at compile time (`acc.frontend.folding`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, defs, helper, numpy_helper

import acc
import size_graphs
from acc import evaluate
from acc.frontend import exact
from acc.frontend.model import Node, read_nodes
from constants_as_inputs import compute, describe, differences, operator_cases, run_all, with_initializers

SAMPLE = (
    *("test_argmax_keepdims_example", "test_attention_4d_with_qk_matmul_softcap", "test_averagepool_2d_same_lower"),
    *("test_basic_conv_with_padding", "test_bitshift_left_uint8", "test_cast_FLOAT_to_FLOAT8E4M3FN", "test_celu"),
    *("test_clip", "test_compress_0", "test_convinteger_with_padding", "test_convtranspose_output_shape"),
    *("test_cumsum_2d_axis_0", "test_dynamicquantizelinear", "test_einsum_batch_matmul", "test_gelu_tanh_1"),
    *(
        "test_globalmaxpool",
        "test_gru_defaults",
        "test_hardmax_axis_0",
        "test_isnan",
        "test_layer_normalization_4d_axis1",
    ),
    *("test_logsoftmax_large_number", "test_lrn", "test_l1normalization_axis_0", "test_matmulinteger"),
    *("test_maxpool_2d_same_lower", "test_mod_mixed_sign_float32", "test_nonzero_example", "test_onehot_with_axis"),
    *("test_pow", "test_qlinearconv", "test_qlinearmatmul_2D_uint8_float32", "test_quantizelinear_axis"),
    *("test_range_float_type_positive_delta", "test_reduce_log_sum_exp_default_axes_keepdims_random"),
    *("test_resize_upsample_scales_linear", "test_rms_normalization_2d_axis0", "test_roialign_aligned_false"),
    *("test_scatter_elements_with_reduction_max", "test_softmax_axis_1", "test_split_variable_parts_2d_opset18"),
    *("test_top_k", "test_unique_not_sorted_without_axis", "test_where_example"),
)


@pytest.fixture(scope="module")
def cases() -> dict[str, tuple[onnx.ModelProto, Mapping[str, np.ndarray]]]:
    return operator_cases()


@pytest.mark.parametrize("name", SAMPLE)
def test_operators(name: str, cases: Mapping[str, tuple[onnx.ModelProto, Mapping[str, np.ndarray]]]) -> None:
    count, found = differences(*cases[name])
    assert count > 0 and not found


@pytest.mark.long
def test_all_operators() -> None:
    wrong = {outcome.name: outcome.reason for outcome in run_all() if outcome.failed}
    assert not wrong


def model_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, np.ndarray],
    outputs: Mapping[str, np.ndarray | None],
    opset: int = 21,
) -> onnx.ModelProto:
    """A model whose outputs have the types of the arrays, float32 where there is none."""

    def info(name: str, array: np.ndarray | None, shape: bool = True) -> onnx.ValueInfoProto:
        kind = TensorProto.FLOAT if array is None else helper.np_dtype_to_tensor_dtype(array.dtype)
        return helper.make_tensor_value_info(name, kind, None if array is None or not shape else array.shape)

    graph = helper.make_graph(
        nodes,
        "constants",
        [info(name, array) for name, array in inputs.items()],
        [info(name, array, False) for name, array in outputs.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


RANDOM = np.random.default_rng(7)


def floats(*shape: int, dtype: object = np.float32) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(dtype)  # pyright: ignore[reportArgumentType]


def bytes_(*shape: int, dtype: object = np.uint8) -> np.ndarray:
    return RANDOM.integers(0, 100, shape).astype(dtype)  # pyright: ignore[reportArgumentType]


X = np.arange(12, dtype=np.float32).reshape(2, 3, 2) / 4
OLD = [("Softmax", np.float32), ("LogSoftmax", np.float32), ("Hardmax", np.float32)]
NODES: dict[str, tuple[onnx.NodeProto, dict[str, np.ndarray], int]] = {
    **{
        f"{name}-{opset} axis {axis}": (helper.make_node(name, ["x"], ["y"], axis=axis), {"x": X}, opset)
        for name, _ in OLD
        for opset, axis in ((9, 1), (11, 0), (11, -1), (13, 1))
    },
    "LogSoftmax of large numbers": (
        helper.make_node("LogSoftmax", ["x"], ["y"]),
        {"x": np.array([[0, 300, -1000]], np.float32)},
        13,
    ),
    "LRN": (helper.make_node("LRN", ["x"], ["y"], size=3, alpha=0.5), {"x": floats(1, 5, 2, 2)}, 13),
    "LpNormalization p=1": (helper.make_node("LpNormalization", ["x"], ["y"], p=1, axis=0), {"x": floats(5)}, 21),
    "GlobalMaxPool of rank 3": (helper.make_node("GlobalMaxPool", ["x"], ["y"]), {"x": floats(2, 3, 5)}, 21),
    "RoiAlign-10": (
        helper.make_node("RoiAlign", ["x", "r", "i"], ["y"], output_height=2, output_width=2, sampling_ratio=2),
        {"x": floats(1, 2, 6, 6), "r": np.array([[0, 0, 4, 4]], np.float32), "i": np.array([0])},
        10,
    ),
    "MatMulInteger of zero points per row": (
        helper.make_node("MatMulInteger", ["a", "b", "z"], ["y"]),
        {"a": bytes_(2, 3), "b": bytes_(3, 4, dtype=np.int8), "z": bytes_(2)},
        21,
    ),
    "ConvTranspose with output_shape": (
        helper.make_node(
            "ConvTranspose", ["x", "w"], ["y"], output_shape=[10, 8], strides=[3, 2], auto_pad="SAME_LOWER"
        ),
        {"x": floats(1, 1, 3, 3), "w": floats(1, 2, 3, 3)},
        11,
    ),
    "ConvTranspose with output_padding": (
        helper.make_node("ConvTranspose", ["x", "w"], ["y"], output_padding=[1, 1], strides=[2, 2]),
        {"x": floats(1, 1, 3, 3), "w": floats(1, 2, 3, 3)},
        11,
    ),
    "LayerNormalization of large halves": (
        helper.make_node("LayerNormalization", ["x", "s"], ["y"]),
        {"x": np.array([[300, -300, 100]], np.float16), "s": np.ones(3, np.float16)},
        21,
    ),
    "RMSNormalization of large halves": (
        helper.make_node("RMSNormalization", ["x", "s"], ["y"]),
        {"x": np.array([[300, -300]], np.float16), "s": np.ones(2, np.float16)},
        23,
    ),
    "MaxPool of NaN": (
        helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[3], strides=[2], auto_pad="SAME_LOWER"),
        {"x": np.array([[[1, np.nan, 2, -np.inf, 3, 4]]], np.float32)},
        13,
    ),
    "AveragePool SAME_LOWER": (
        helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[3, 2], strides=[2, 2], auto_pad="SAME_LOWER"),
        {"x": floats(1, 2, 6, 5)},
        13,
    ),
    "OneHot of negative indices": (
        helper.make_node("OneHot", ["i", "d", "v"], ["y"], axis=0),
        {"i": np.array([[0, -1], [7, -9]]), "d": np.array(4), "v": np.array([2, 5], np.float32)},
        13,
    ),
    "QLinearConv": (
        helper.make_node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["y"], pads=[1] * 4),
        {
            "x": bytes_(1, 2, 5, 5),
            "xs": np.float32(0.02),
            "xz": np.uint8(50),
            "w": bytes_(3, 2, 3, 3, dtype=np.int8),
            "ws": np.array([0.01, 0.02, 0.03], np.float32),
            "wz": np.zeros(3, np.int8),
            "ys": np.float32(0.5),
            "yz": np.uint8(10),
            "b": RANDOM.integers(-100, 100, 3).astype(np.int32),
        },
        13,
    ),
    "Attention, product before softcap": (
        helper.make_node("Attention", ["q", "k", "v"], ["o", "", "", "y"], softcap=2.0, qk_matmul_output_mode=0),
        {name: floats(1, 2, 3, 4) for name in "qkv"},
        23,
    ),
}


@pytest.mark.parametrize("name", NODES)
def test_forms_that_evaluators_get_wrong(name: str) -> None:
    """What ONNX's reference implementation computes otherwise than its specification says."""
    node, feeds, opset = NODES[name]
    outputs = {name: None for name in node.output if name}
    feeds = {name: np.asarray(array) for name, array in feeds.items()}
    model = model_of([node], feeds, outputs, opset)
    count, found = differences(model, feeds)
    assert count > 0 and not found


def import_constants(model: onnx.ModelProto, values: Mapping[str, np.ndarray]) -> list[str]:
    """The names of the operators that are left of a model on constants."""
    module = acc.import_onnx(with_initializers(model, values))
    (function,) = (op for op in module.body if op.name == "func.func")
    return [op.name for op in function.regions[0].blocks[0]]


def test_values_that_floats_decide_on_are_known() -> None:
    """A shape computed by way of floats, one compilation for all that compute it alike."""
    nodes = []
    for index in range(3):
        nodes += [
            helper.make_node("Cast", [f"n{index}"], [f"f{index}"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"f{index}", "half"], [f"h{index}"]),
            helper.make_node("Floor", [f"h{index}"], [f"r{index}"]),
            helper.make_node("Cast", [f"r{index}"], [f"i{index}"], to=TensorProto.INT64),
            helper.make_node("Reshape", ["x", f"i{index}"], [f"y{index}"]),
        ]
    model = model_of(nodes, {"x": floats(6)}, {f"y{index}": None for index in range(3)})
    shapes = ([4, 6], [5, 7], [12, 2])
    model = with_initializers(
        model, {f"n{index}": np.array(shape) for index, shape in enumerate(shapes)} | {"half": np.float32([0.5])}
    )
    evaluate._compile.cache_clear()
    function = str(acc.import_onnx(model))
    assert all(f"tensor<{a // 2}x{b // 2}xf32>" in function for a, b in shapes)
    assert "graph.mul" not in function
    assert evaluate._compile.cache_info().misses == 1


def test_condition_of_floats() -> None:
    branches = {
        name: helper.make_graph(
            [helper.make_node(op, ["x"], ["z"])],
            name,
            [],
            [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
        )
        for name, op in (("then_branch", "Neg"), ("else_branch", "Abs"))
    }
    nodes = [helper.make_node("Less", ["a", "b"], ["c"]), helper.make_node("If", ["c"], ["y"], **branches)]
    model = model_of(nodes, {"x": floats(2)}, {"y": None})
    constants = {"a": np.float32(1), "b": np.float32(2)}
    (result,) = compute(with_initializers(model, constants), {"x": np.array([1, -2], np.float32)})
    np.testing.assert_array_equal(result, np.array([-1, 2], np.float32))


def test_all_that_is_left_is_folded_at_once() -> None:
    """Constants that no decision depends on are folded too, but for large ones and for quantized ones."""
    nodes = [
        helper.make_node("Exp", ["a"], ["b"]),
        helper.make_node("Sqrt", ["b"], ["c"]),
        helper.make_node("Add", ["x", "c"], ["d"]),
        helper.make_node("Mul", ["d", "b"], ["y"]),
    ]
    model = model_of(nodes, {"x": floats(4)}, {"y": None})
    left = ["func.return", "graph.add", "graph.constant", "graph.constant", "graph.mul"]
    assert sorted(import_constants(model, {"a": floats(4)})) == left
    large = model_of([helper.make_node("Exp", ["a"], ["y"])], {}, {"y": None})
    assert "graph.exp" in import_constants(large, {"a": np.zeros(1 << 17, np.float32)})
    quantized = model_of([helper.make_node("DequantizeLinear", ["a", "s"], ["y"])], {}, {"y": None})
    assert "graph.dequantize_linear" in import_constants(quantized, {"a": bytes_(4), "s": np.float32([0.5])})


def test_what_cannot_be_computed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that native code cannot compute is an error where the import depends on it; else nothing is folded."""

    def fail(*_: object) -> list[np.ndarray]:
        raise acc.CompileError("no such instruction")

    monkeypatch.setattr(evaluate, "evaluate", fail)
    nodes = [
        helper.make_node("Exp", ["t"], ["f"]),
        helper.make_node("Cast", ["f"], ["s"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["x", "s"], ["y"], name="shaped"),
    ]
    model = model_of(nodes, {"x": floats(1)}, {"y": None})
    with pytest.raises(acc.ModelError, match=r"'shaped' \(Reshape\): .* 's' .* computed: no such instruction"):
        acc.import_onnx(with_initializers(model, {"t": np.zeros(1, np.float32)}))
    model = model_of(nodes[:1], {}, {"f": None})
    assert import_constants(model, {"t": np.zeros(1, np.float32)}) == ["graph.constant", "graph.exp", "func.return"]


def test_old_models_with_initializers_that_are_no_inputs() -> None:
    model = model_of([helper.make_node("Add", ["x", "c"], ["y"])], {"x": floats(2)}, {"y": None}, opset=7)
    (result,) = compute(with_initializers(model, {"c": np.float32([1, 2])}), {"x": np.float32([3, 4])})
    np.testing.assert_array_equal(result, np.float32([4, 6]))


# The table of exact operators


def node_of(proto: onnx.NodeProto, opset: int) -> Node:
    return read_nodes([proto], {"": opset})[0]


def test_table_is_written_for_the_newest_versions() -> None:
    """A new version of an operator is not evaluated before somebody has looked at it."""
    for name, evaluator in exact.EVALUATORS.items():
        schema = defs.get_schema(name)
        assert evaluator.newest >= schema.since_version, name
        assert evaluator.inputs >= min(schema.max_input, exact.MAX_ELEMENTS), name
        old = {attribute for version in range(9, schema.since_version) for attribute in _attributes(name, version)}
        assert set(evaluator.attributes) <= old | set(schema.attributes), name


def _attributes(name: str, opset: int) -> Sequence[str]:
    try:
        return list(defs.get_schema(name, opset).attributes)
    except defs.SchemaError:
        return []


def test_what_the_table_does_not_understand_is_declined(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = np.arange(3)
    reduce = helper.make_node("ReduceSum", ["x"], ["y"], noop_with_empty_axes=1)
    (result,) = exact.evaluate(node_of(reduce, 18), [numbers]) or ()
    np.testing.assert_array_equal(result, numbers)

    def forgetful(**changes: object) -> None:
        known = dataclasses.replace(exact.EVALUATORS["ReduceSum"], **changes)  # pyright: ignore[reportArgumentType]
        monkeypatch.setattr(exact, "EVALUATORS", {"ReduceSum": known})

    plain = helper.make_node("ReduceSum", ["x"], ["y"], noop_with_empty_axes=0)
    with_axes = helper.make_node("ReduceSum", ["x", "a"], ["y"])
    forgetful(attributes=("axes", "keepdims"))
    assert exact.evaluate(node_of(reduce, 18), [numbers]) is None
    assert exact.evaluate(node_of(plain, 18), [numbers]) is not None
    forgetful(inputs=1)
    assert exact.evaluate(node_of(with_axes, 18), [numbers, np.array([0])]) is None
    forgetful(newest=11)
    assert exact.evaluate(node_of(plain, 18), [numbers]) is None
    assert exact.evaluate(node_of(helper.make_node("ReduceSum", ["x"], ["y"]), 11), [numbers]) is not None


DTYPES = (
    *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "bfloat16", "float32", "float64"),
)


def dtype_nodes(dtype: np.dtype) -> list[tuple[onnx.NodeProto, dict[str, np.ndarray]]]:
    """Nodes on operands of an element type, with extreme values."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        some = [0, 1, 2, 7, limits.max, limits.min, limits.max - 1, 5]
        other = [3, limits.max, 1, 2, 7, limits.max, limits.min + 1 or 4, 3]
    elif dtype == np.bool_:
        some, other = [0, 1, 1, 0, 1, 0, 0, 1], [1, 1, 0, 0, 1, 0, 1, 1]
    else:
        some, other = [0, -0.0, 1.5, np.nan, np.inf, -np.inf, 3e-8, 7], [2, 3, np.nan, 1, 0, -1, 2, 5]
    # Without a detour by floats, which do not hold the largest integers.
    a, b = (np.array(numbers, dtype if dtype.kind in "iu" else None) for numbers in (some, other))
    a, b = a.astype(dtype).reshape(2, 4), b.astype(dtype).reshape(2, 4)
    i = np.array([[1, -1], [0, 3]])
    truth = np.array([[1, 0, 1, 1], [0, 0, 1, 0]], bool)
    moved: list[tuple[onnx.NodeProto, dict[str, np.ndarray]]] = [
        (helper.make_node("Concat", ["a", "b"], ["y"], axis=-1), {"a": a, "b": b}),
        (helper.make_node("Expand", ["a", "s"], ["y"]), {"a": a, "s": np.array([3, 1, 4])}),
        (helper.make_node("Flatten", ["a"], ["y"], axis=0), {"a": a}),
        (helper.make_node("Gather", ["a", "i"], ["y"], axis=1), {"a": a, "i": i}),
        (helper.make_node("GatherElements", ["a", "i"], ["y"], axis=1), {"a": a, "i": i}),
        (helper.make_node("GatherND", ["a", "i"], ["y"]), {"a": a, "i": np.array([[1, -1], [0, 3]])}),
        (helper.make_node("Reshape", ["a", "s"], ["y"]), {"a": a, "s": np.array([0, -1, 2])}),
        (helper.make_node("ScatterElements", ["a", "i", "b"], ["y"], axis=1), {"a": a, "i": i, "b": b[:, :2]}),
        (helper.make_node("ScatterND", ["a", "i", "b"], ["y"]), {"a": a, "i": np.array([[-1]]), "b": b[:1]}),
        (
            helper.make_node("Slice", ["a", "f", "t", "x", "k"], ["y"]),
            {"a": a, "f": np.array([-1]), "t": np.array([-9]), "x": np.array([1]), "k": np.array([-2])},
        ),
        (helper.make_node("Split", ["a"], ["y", "z"], axis=1, num_outputs=2), {"a": a}),
        (helper.make_node("Squeeze", ["a"], ["y"]), {"a": a.reshape(2, 1, 4, 1)}),
        (helper.make_node("Tile", ["a", "r"], ["y"]), {"a": a, "r": np.array([2, 1])}),
        (helper.make_node("Transpose", ["a"], ["y"]), {"a": a}),
        (helper.make_node("Unsqueeze", ["a", "x"], ["y"]), {"a": a, "x": np.array([-1, 0])}),
        (helper.make_node("Where", ["c", "a", "b"], ["y"]), {"c": truth, "a": a, "b": b[:1]}),
    ]
    calculated: list[tuple[onnx.NodeProto, dict[str, np.ndarray]]] = []
    if dtype == np.bool_:
        for name in ("And", "Or", "Xor", "Equal"):
            calculated.append((helper.make_node(name, ["a", "b"], ["y"]), {"a": a, "b": b}))
        calculated.append((helper.make_node("Not", ["a"], ["y"]), {"a": a}))
    if dtype.kind in "iu":
        for name in ("Add", "Sub", "Mul", "Div", "Min", "Max"):
            calculated.append((helper.make_node(name, ["a", "b"], ["y"]), {"a": a, "b": b}))
        for name in ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"):
            calculated.append((helper.make_node(name, ["a", "b"], ["y"]), {"a": a, "b": b}))
        for fmod in (0, 1):
            calculated.append((helper.make_node("Mod", ["a", "b"], ["y"], fmod=fmod), {"a": a, "b": b}))
        for name in ("Abs", "Neg")[: 2 if dtype.kind == "i" else 1]:
            calculated.append((helper.make_node(name, ["a"], ["y"]), {"a": a}))
        for name in ("ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"):
            calculated.append((helper.make_node(name, ["a", "x"], ["y"]), {"a": a, "x": np.array([-1])}))
        for reduction in ("add", "mul", "min", "max"):
            node = helper.make_node("ScatterElements", ["a", "i", "b"], ["y"], axis=1, reduction=reduction)
            calculated.append((node, {"a": a, "i": i % 2, "b": b[:, :2]}))
        calculated.append((helper.make_node("NonZero", ["a"], ["y"]), {"a": a}))
    if dtype in (np.int16, np.int32, np.int64):
        numbers = {name: np.asarray(number, dtype) for name, number in (("f", 9), ("t", -5), ("k", -4))}
        calculated.append((helper.make_node("Range", ["f", "t", "k"], ["y"]), numbers))
    if dtype.kind in "biu":
        for to in DTYPES[:9]:
            kind = helper.np_dtype_to_tensor_dtype(np.dtype(to))
            calculated.append((helper.make_node("Cast", ["a"], ["y"], to=kind), {"a": a}))
    return moved + calculated


@pytest.mark.parametrize("name", DTYPES)
def test_table_computes_what_native_code_does(name: str) -> None:
    """All nodes of an element type in one model, whose data are inputs and whose axes and the like are constants."""
    dtype = np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)
    protos, feeds, constants = [], {}, {}
    evaluated: dict[str, np.ndarray] = {}
    for number, (node, operands) in enumerate(dtype_nodes(dtype)):
        results = exact.evaluate(node_of(node, 21), list(operands.values()))
        assert results is not None, node
        proto = helper.make_node(node.op_type, [], [f"{output}{number}" for output in node.output])
        proto.attribute.extend(node.attribute)
        for operand, array in operands.items():
            proto.input.append(f"{operand}{number}")
            is_data = operand in "abi" or (node.op_type == "Where" and operand == "c")
            (feeds if is_data else constants)[proto.input[-1]] = array
        protos.append(proto)
        evaluated |= zip(proto.output, results, strict=True)
    model = with_initializers(model_of(protos, {**feeds, **constants}, evaluated, 21), constants)
    found = acc.compile(model).run(feeds)
    for output, wanted in evaluated.items():
        assert not describe([wanted], [found[output]]), next(node for node in protos if output in node.output)


def check_known(seed: int) -> None:
    """A graph on a known shape is evaluated by the table alone, and as native code computes it."""
    graph = size_graphs.random_graph(seed)
    sources = {name: graph.one(name) for name in ("shape", "part") if name in graph.values}
    nodes = [node for node in graph.nodes if node.op_type != "Shape"]
    outputs = {name: graph.one(name) for node in nodes for name in node.output}
    model = with_initializers(
        model_of(nodes, {**sources, **graph.constants}, outputs, size_graphs.OPSET), graph.constants
    )
    assert not set(import_constants(model, sources)) - {"graph.constant", "func.return"}, f"seed {seed}"
    known = compute(with_initializers(model, sources), {})
    difference = describe(known, compute(model, sources))
    assert not difference, f"seed {seed}: {difference}"


@pytest.mark.parametrize("seed", range(4))
def test_known_shapes(seed: int) -> None:
    check_known(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 300))
def test_known_shapes_long(seed: int) -> None:
    check_known(seed)


def check_open(seed: int) -> None:
    """Shape arithmetic on sizes that are open agrees with ONNX Runtime at any sizes."""
    graph = size_graphs.random_graph(seed)
    model = graph.model(list(graph.values))
    with acc.compile(model) as executable:
        for shape in graph.shapes:
            feeds = {"x": np.zeros(shape, np.float32)}
            found = list(executable.run(feeds).values())
            difference = describe(found, size_graphs.run(model, feeds))
            assert not difference, f"seed {seed}, {shape}: {difference}"


@pytest.mark.parametrize("seed", range(6))
def test_open_sizes(seed: int) -> None:
    check_open(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 400))
def test_open_sizes_long(seed: int) -> None:
    check_open(seed)


def shaped(*nodes: onnx.NodeProto, constants: Mapping[str, np.ndarray], opset: int = 18) -> onnx.ModelProto:
    """Ones of the shape "p" that the nodes compute from the shape "s" of an input of two open sizes."""
    every = [
        helper.make_node("Shape", ["x"], ["s"]),
        *nodes,
        helper.make_node("Expand", ["one", "p"], ["y"]),
    ]
    initializers = {"one": np.ones(1, np.float32), **constants}
    graph = helper.make_graph(
        every,
        "shaped",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["a", "b"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in initializers.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


make = helper.make_node
ATTRIBUTES: dict[str, tuple[Sequence[onnx.NodeProto], dict[str, np.ndarray], Callable[[int, int], tuple[int, ...]]]] = {
    "nothing to reduce": ([make("ReduceProd", ["s"], ["p"], noop_with_empty_axes=1)], {}, lambda a, b: (a, b)),
    "no axes to reduce": (
        [make("ReduceMax", ["s", "i"], ["p"], noop_with_empty_axes=1)],
        {"i": np.zeros(0, np.int64)},
        lambda a, b: (a, b),
    ),
    "all axes to reduce": (
        [make("ReduceSum", ["s", "i"], ["p"])],
        {"i": np.zeros(0, np.int64)},
        lambda a, b: (a + b,),
    ),
    **{
        f"{op} {reduction}": (
            [make(op, ["s", "i", "u"], ["p"], reduction=reduction)],
            {"i": np.array([0] if op == "ScatterElements" else [[0]]), "u": np.array([3])},
            compute_shape,
        )
        for op in ("ScatterElements", "ScatterND")
        for reduction, compute_shape in (
            ("none", lambda a, b: (3, b)),
            ("add", lambda a, b: (a + 3, b)),
            ("mul", lambda a, b: (a * 3, b)),
            ("max", lambda a, b: (max(a, 3), b)),
            ("min", lambda a, b: (min(a, 3), b)),
        )
    },
    "quotient of negative numbers": (
        [make("Neg", ["s"], ["n"]), make("Div", ["n", "u"], ["p"])],
        {"u": np.array([-2])},
        lambda a, b: (a // 2, b // 2),
    ),
    "remainder of the dividend's sign": (
        [make("Sub", ["s", "u"], ["n"]), make("Mod", ["n", "v"], ["m"], fmod=1), make("Abs", ["m"], ["p"])],
        {"u": np.array([9]), "v": np.array([4])},
        lambda a, b: ((9 - a) % 4, (9 - b) % 4),
    ),
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes_count_on_open_sizes(name: str) -> None:
    nodes, constants, wanted = ATTRIBUTES[name]
    with acc.compile(shaped(*nodes, constants=constants)) as executable:
        for shape in ((2, 5), (7, 1)):
            assert executable.run({"x": np.zeros(shape, np.float32)})["y"].shape == wanted(*shape)
