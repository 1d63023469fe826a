"""acc quantize: what becomes integers, and how far from the float model the result is, in acc and in ONNX Runtime."""

from __future__ import annotations

import pathlib
from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from acc.pipeline import Options, Pipeline
from acc.quantization import Quantized
from float_networks import FloatNetwork, convolutional, images, transformer

FLOAT = TensorProto.FLOAT


def onnx_runtime(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    """The last output, computed operator by operator."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[-1])


def native(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    return list(acc.compile(model).run({"x": x}).values())[-1]


def sqnr(exact: np.ndarray, other: np.ndarray) -> float:
    """The ratio of signal to error, in decibels."""
    return float(10 * np.log10((exact**2).sum() / ((exact - other) ** 2).sum()))


def operators(model: onnx.ModelProto) -> Counter[str]:
    """What acc makes of a model on the graph level, by name of the operator."""
    pipeline = Pipeline(Options())
    graph = pipeline.import_graph(model)
    body = next(op for op in graph.module.body.operations if op.name == "func.func").regions[0].blocks[0]
    return Counter(op.name.removeprefix("graph.") for op in body.operations)


def quantize(model: onnx.ModelProto, x: np.ndarray, **choices) -> Quantized:
    return acc.quantize(model, {"x": x}, **choices)


def test_convolutional_network_is_integers_throughout() -> None:
    model = convolutional()
    result = quantize(model, images(12))
    assert result.left_in_float == (("softmax32", "Softmax: Softmax is computed in float"),)
    found = operators(result.model)
    assert not found.keys() & {"conv", "conv_transpose", "gemm", "mat_mul", "add", "mul", "global_average_pool"}, found
    x = images(1, seed=2)
    exact = onnx_runtime(model, x)
    assert sqnr(exact, native(result.model, x)) > 25
    assert sqnr(exact, onnx_runtime(result.model, x)) > 25


@pytest.mark.parametrize("open_sizes", [False, True])
def test_transformer(open_sizes: bool) -> None:
    model = transformer(open_sizes=open_sizes)
    result = quantize(model, images(48, (12, 32)))
    found = operators(result.model)
    # acc multiplies no integers where only a run knows how many are added.
    assert found["gemm_integer"] == 6 and found["matmul_integer"] == 2 - open_sizes, found
    shape = (3, 7, 32) if open_sizes else (1, 12, 32)
    x = images(shape[0], shape[1:], seed=3)
    exact = onnx_runtime(model, x)
    assert sqnr(exact, native(result.model, x)) > 28
    assert sqnr(exact, onnx_runtime(result.model, x)) > 28


@pytest.mark.parametrize(
    ("choices", "least"),
    [
        ({"activations": "uint8"}, 25),
        ({"symmetric": True}, 22),
        ({"per_channel": False}, 20),
        ({"ranges": "minmax"}, 24),
        ({"ranges": "percentile", "percentile": 99.9}, 20),
        ({"ranges": "entropy"}, 15),
        ({"ranges": "mse"}, 25),
        ({"fold_batch_norm": False}, 24),
        ({"correct_bias": False}, 25),
        ({"float_outputs": True}, 26),
        ({"weights": "int4"}, 8),
        ({"weights": "int4", "block": 0, "per_channel": False}, 8),
    ],
)
def test_choices(choices: dict[str, object], least: float) -> None:
    net = FloatNetwork((2, 5, 8, 8), 3)
    y = net.add("Relu", [net.batch_norm(net.conv("x", 5, 16, bias=False), 16)])
    y = net.add("Add", [y, net.conv(y, 16, 16, group=16)])
    model = net.build(net.add("Gemm", [net.add("Flatten", [y]), net.weight(16 * 64, 10)]))
    x = images(24, (5, 8, 8), seed=2)
    result = quantize(model, images(300, (5, 8, 8)), **choices)
    exact, found = (
        np.concatenate([onnx_runtime(m, x[i : i + 2]) for i in range(0, 24, 2)]) for m in (model, result.model)
    )
    assert sqnr(exact, found) > least


def test_the_same_data_give_the_same_model() -> None:
    first, second = (quantize(transformer(), images(6, (12, 32))).model.SerializeToString() for _ in range(2))
    assert first == second


def test_nothing_is_quantized_between_an_operator_and_its_activation() -> None:
    net = FloatNetwork((1, 4, 8, 8))
    y = net.add("Relu", [net.conv("x", 4, 8)])
    result = quantize(net.build(net.conv(y, 8, 4)), images(4, (4, 8, 8)))
    kinds = [node.op_type for node in result.model.graph.node]
    at = kinds.index("Relu")
    assert kinds[at - 1] == "Conv" and kinds[at + 1] == "QuantizeLinear"
    relu = result.tensors["relu1_out"]
    assert relu.zero_point == -128 and relu.seen[0] == 0


def test_movements_keep_the_scale() -> None:
    net = FloatNetwork((1, 4, 8, 8))
    y = net.add("MaxPool", [net.conv("x", 4, 8)], kernel_shape=[2, 2], strides=[2, 2])
    y = net.add("Transpose", [y], perm=[0, 1, 3, 2])
    result = quantize(net.build(net.conv(y, 8, 4)), images(4, (4, 8, 8)))
    scales = {
        (result.tensors[name].scale, result.tensors[name].zero_point) for name in ("conv0_out", "maxpool1_out", y)
    }
    assert len(scales) == 1


def test_parts_of_a_concatenation_share_its_scale() -> None:
    net = FloatNetwork((1, 4, 8, 8))
    parts = net.conv("x", 4, 8), net.conv("x", 4, 3)
    whole = net.add("Concat", parts, axis=1)
    result = quantize(net.build(net.conv(whole, 11, 4)), images(4, (4, 8, 8)))
    assert len({result.tensors[name].scale for name in (*parts, whole)}) == 1


def test_multiples_are_exact() -> None:
    net = FloatNetwork((1, 12, 16))
    y = net.add("Mul", [net.linear("x", 16, 16), net.constant(np.float32(0.25))])
    result = quantize(net.build(net.linear(y, 16, 8)), images(4, (12, 16)), smooth=False)
    assert result.tensors[y].scale == result.tensors["add1_out"].scale / 4


def test_sums_that_nothing_reads_as_integers_stay_float() -> None:
    result = quantize(transformer(), images(4, (12, 32)))
    sums = [name for name, reason in result.left_in_float if reason.startswith("Add")]
    assert len(sums) == 2


def test_outputs_keep_their_names_and_types() -> None:
    model = convolutional()
    result = quantize(model, images(2))
    assert [(o.name, o.type.tensor_type.elem_type) for o in result.model.graph.output] == [
        (o.name, FLOAT) for o in model.graph.output
    ]
    assert [i.name for i in result.model.graph.input] == ["x"]


def test_int4_weights_are_stored_in_four_bits() -> None:
    net = FloatNetwork((2, 64))
    model = net.build(net.add("Gemm", [net.linear("x", 64, 96), net.weight(10, 96)], transB=1))
    result = quantize(model, images(16, (64,)), weights="int4")
    weights = [
        item for item in result.model.graph.initializer if item.data_type == TensorProto.INT4 and len(item.dims) == 2
    ]
    assert [(list(item.dims), len(item.raw_data)) for item in weights if np.prod(item.dims) > 500] == [
        ([64, 96], 3072),
        ([10, 96], 480),
    ]
    blocks = [n for n in result.model.graph.node for a in n.attribute if a.name == "block_size" and a.i == 32]
    assert len(blocks) == 2
    x = images(2, (64,), seed=4)
    exact = onnx_runtime(model, x)
    assert sqnr(exact, native(result.model, x)) > 13
    assert sqnr(exact, onnx_runtime(result.model, x)) > 13


def test_what_cannot_be_quantized_is_listed() -> None:
    net = FloatNetwork((5, 1, 8))
    w, r = net.constant(net.rng.normal(0, 0.3, (1, 16, 8)).astype(np.float32)), net.weight(1, 16, 4)
    net.nodes.append(helper.make_node("LSTM", ["x", w, r], ["sequence"], name="lstm", hidden_size=4))
    flat = net.add("Reshape", ["sequence", net.constant(np.array([5, 4], np.int64))])
    model = net.build(net.add("Gemm", [flat, net.weight(4, 4)]))
    result = quantize(model, images(64, (5, 1, 8)))
    assert ("lstm", "LSTM: LSTM is computed in float") in result.left_in_float
    x = images(1, (5, 1, 8), seed=3)[0]
    assert sqnr(onnx_runtime(model, x), native(result.model, x)) > 25


@pytest.mark.parametrize("kind", ["operator", "subgraph"])
def test_what_acc_cannot_run_stays_in_float(kind: str) -> None:
    """Nothing that is quantized depends on it: an operator of somebody else's, a condition that only a run knows."""
    net = FloatNetwork((2, 8))
    y = net.linear("x", 8, 8)
    if kind == "operator":
        model = net.build(y)
        model.graph.node.append(helper.make_node("Own", [y], ["z"], name="end", domain="own"))
        model.graph.output[0].name = "z"
        model.opset_import.append(helper.make_opsetid("own", 1))
    else:
        condition = net.add("Greater", [net.add("ReduceMean", ["x"], keepdims=0), net.constant(np.float32(0))])
        branches = [
            helper.make_graph(
                [helper.make_node(op, [y], [f"{op}_out"])],
                op,
                [],
                [helper.make_tensor_value_info(f"{op}_out", FLOAT, (2, 8))],
            )
            for op in ("Neg", "Abs")
        ]
        node = helper.make_node("If", [condition], ["z"], name="end", then_branch=branches[0], else_branch=branches[1])
        net.nodes.append(node)
        model = net.build("z")
    result = quantize(model, images(8, (8,)))
    assert len(result.layers) == 1 and "end" in [name for name, _ in result.left_in_float]


@pytest.mark.parametrize("weights", ["int8", "int4"])
def test_tables_are_integers(weights: str) -> None:
    """Rows of embeddings are gathered as int8 and dequantized by column; what else reads a table keeps it in float."""
    net = FloatNetwork(("n", 32))
    words, shared = net.weight(200, 32), net.weight(150, 32)
    net.inputs = [helper.make_tensor_value_info("x", TensorProto.INT64, ("n", 6))]
    net.constants[words][:, 5] *= 50
    y = net.add("Add", [net.add("Gather", [words, "x"]), net.add("Gather", [shared, "x"])])
    model = net.build(net.add("Einsum", [net.linear(y, 32, 32), shared], equation="nsk,vk->nsv"))
    ids = np.random.default_rng(0).integers(0, 150, (40, 6))
    result = acc.quantize(model, {"x": ids}, weights=weights)
    stored = {item.name: (item.data_type, tuple(item.dims)) for item in result.model.graph.initializer}
    assert (TensorProto.INT8, (200, 32)) in stored.values() and (TensorProto.FLOAT, (200, 32)) not in stored.values()
    gathers = [name for name, reason in result.left_in_float if reason.startswith("Gather")]
    assert len(gathers) == 1
    x = ids[:3]
    exact = onnx_runtime(model, x)
    assert sqnr(exact, onnx_runtime(result.model, x)) > (28 if weights == "int8" else 15)
    assert sqnr(exact, native(result.model, x)) > (28 if weights == "int8" else 15)
    kept = acc.quantize(model, {"x": ids}, tables=False)
    assert (TensorProto.FLOAT, (200, 32)) in [(i.data_type, tuple(i.dims)) for i in kept.model.graph.initializer]


def test_excluded_nodes_stay_float() -> None:
    result = quantize(convolutional(), images(2), exclude=("conv0", "Gemm"))
    excluded = [name for name, reason in result.left_in_float if reason.endswith("excluded")]
    assert excluded == ["conv0", "gemm31"]
    assert "gemm" in operators(result.model)


def test_constant_channels_weights_and_tensors() -> None:
    """Scales of zero exist nowhere: not of weights that are all zero, nor of tensors that are."""
    net = FloatNetwork((1, 4, 6, 6))
    y = net.conv("x", 4, 8)
    net.constants["c0"][3] = 0
    net.constants["c1"][3] = 1000.0
    dead = net.add("Mul", [net.add("Relu", [net.conv(y, 8, 4)]), net.constant(np.float32(0))])
    z = net.add("Add", [net.conv(dead, 4, 4, bias=False), net.conv(y, 8, 4)])
    model = net.build(net.conv(z, 4, 2))
    result = quantize(model, images(4, (4, 6, 6)))
    assert any("constant" in note for note in result.notes)
    for item in result.model.graph.initializer:
        if item.name.endswith("_scale"):
            assert (numpy_helper.to_array(item) > 0).all(), item.name
    x = images(1, (4, 6, 6), seed=2)
    assert sqnr(onnx_runtime(model, x), native(result.model, x)) > 20


def test_bias_correction_mends_the_mean() -> None:
    """Weights of one bit more than none move the mean of the outputs; the bias takes it back."""
    net = FloatNetwork((8, 64))
    model = net.build(net.add("Gemm", [net.add("Relu", ["x"]), net.weight(64, 16)]))
    x = images(64, (64,))
    exact = onnx_runtime(model, x[:8])
    errors = []
    for corrected in (False, True):
        result = quantize(model, x, weights="int4", block=0, correct_bias=corrected, round_weights="nearest")
        found = np.concatenate([onnx_runtime(result.model, x[i : i + 8]) for i in range(0, 64, 8)])
        exact = np.concatenate([onnx_runtime(model, x[i : i + 8]) for i in range(0, 64, 8)])
        errors.append(np.abs((found - exact).mean(0)).mean())
    assert errors[1] < 0.3 * errors[0]


def test_old_models_are_brought_to_a_newer_operator_set() -> None:
    net = FloatNetwork((1, 4, 8, 8), opset=9)
    old = net.build(net.add("Relu", [net.conv("x", 4, 8)]))
    result = quantize(old, images(2, (4, 8, 8)))
    assert result.model.opset_import[0].version == 13


def test_weights_shared_and_computed_from_constants() -> None:
    net = FloatNetwork((3, 8))
    weight = net.weight(8, 8)
    turned = net.add("Transpose", [weight], perm=[1, 0])
    model = net.build(net.add("MatMul", [net.add("MatMul", ["x", turned]), turned]))
    result = quantize(model, images(9, (8,)), equalize=False)
    assert len(result.layers) == 2
    assert (
        sum(item.data_type == TensorProto.INT8 and len(item.dims) == 2 for item in result.model.graph.initializer) == 1
    )


def test_functions_of_the_model_are_expanded() -> None:
    net = FloatNetwork((3, 8))
    weight = net.weight(8, 8)
    function = helper.make_function(
        "own",
        "layer",
        ["a", "w"],
        ["b"],
        [helper.make_node("MatMul", ["a", "w"], ["b"])],
        [helper.make_opsetid("", 17)],
    )
    net.nodes.append(helper.make_node("layer", ["x", weight], ["y"], name="call", domain="own"))
    graph = helper.make_graph(
        net.nodes,
        "g",
        net.inputs,
        [helper.make_tensor_value_info("y", FLOAT, (3, 8))],
        [numpy_helper.from_array(v, n) for n, v in net.constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, opset_imports=opsets, functions=[function], ir_version=8)
    assert len(quantize(model, images(9, (8,))).layers) == 1


def test_sums_and_products_per_channel_become_part_of_the_layer() -> None:
    net = FloatNetwork((1, 4, 8, 8))
    y = net.add("Identity", [net.conv("x", 4, 8, bias=False)])
    y = net.add("Add", [y, net.constant(net.rng.normal(0, 1, (1, 8, 1, 1)).astype(np.float32))])
    y = net.add("Div", [net.add("Mul", [net.constant(np.float32(2)), y]), net.constant(np.float32(3))])
    y = net.batch_norm(net.add("Sub", [y, net.vector(1)]), 8)
    model = net.build(net.conv(y, 8, 4))
    result = quantize(model, images(24, (4, 8, 8)))
    assert [layer.op_type for layer in result.layers] == ["Conv", "Conv"]
    assert len(result.tensors) == 3
    x = images(1, (4, 8, 8), seed=2)
    assert sqnr(onnx_runtime(model, x), onnx_runtime(result.model, x)) > 28
    np.testing.assert_allclose(onnx_runtime(result.float_model, x), onnx_runtime(model, x), rtol=1e-4, atol=1e-4)


def test_shapes_that_are_computed_of_known_sizes() -> None:
    net = FloatNetwork((2, 3, 8))
    parts = [net.add("Gather", [net.add("Shape", ["x"]), net.constant(np.array([i], np.int64))]) for i in (0, 1)]
    shape = net.add("Concat", [*parts, net.constant(np.array([2, 4], np.int64))], axis=0)
    y = net.add("Transpose", [net.add("Reshape", [net.linear("x", 8, 8), shape])], perm=[0, 2, 1, 3])
    model = net.build(net.add("MatMul", [y, net.add("Transpose", [y], perm=[0, 1, 3, 2])]))
    result = quantize(model, images(8, (3, 8)))
    assert sorted(layer.op_type for layer in result.layers if layer.op_type == "MatMul") == ["MatMul", "MatMul"]


def outlying(seed: int = 0) -> onnx.ModelProto:
    """What transformers have: channels of a normalization and of a residual that are a hundred times the others."""
    net = FloatNetwork((1, 8, 32), seed)
    scale = np.ones(32, np.float32)
    scale[[3, 17]] = 60
    x = net.add("LayerNormalization", ["x", net.constant(scale), net.vector(32)], axis=-1)
    y = net.add("Relu", [net.linear(x, 32, 64)])
    weight = net.rng.normal(0, 0.1, (64, 32)).astype(np.float32)
    weight[:, 5] *= 200
    y = net.add("Add", [net.add("MatMul", [y, net.constant(weight)]), net.vector(32)])
    z = net.add("LayerNormalization", [y, net.vector(32, 0.1, 1.0), net.vector(32)], axis=-1)
    return net.build(net.add("Mul", [z, net.constant((np.arange(32) != 5).astype(np.float32))]))


def test_outlying_channels() -> None:
    """Smoothing helps before the first product, scales per channel behind the second; the float model is the same."""
    model, x = outlying(), images(1, (8, 32), seed=9)
    exact = onnx_runtime(model, x)
    found = {}
    for smooth in (False, True):
        for rescale in (False, True):
            choices = {"smooth": smooth, "rescale_outputs": rescale, "float_sums": False}
            result = quantize(model, images(64, (8, 32)), **choices)
            np.testing.assert_allclose(onnx_runtime(result.float_model, x), exact, rtol=1e-3, atol=1e-3)
            found[smooth, rescale] = sqnr(exact, onnx_runtime(result.model, x))
    assert found[True, True] > found[False, True] + 3 and found[True, True] > found[True, False] + 3, found
    # Sums that floats read need no scales at all.
    result = quantize(model, images(64, (8, 32)), rescale_outputs=False)
    assert sqnr(exact, onnx_runtime(result.model, x)) > found[True, True] - 0.5
    assert sum(tensor.in_float for tensor in result.tensors.values()) == 1
    assert found[True, True] > 30, found


def test_equalisation_between_layers() -> None:
    """Channels of very different size between two layers cost little, depthwise ones in between included."""
    net = FloatNetwork((1, 4, 8, 8))
    y = net.add("Relu", [net.conv("x", 4, 16)])
    factors = (10.0 ** np.linspace(-1.5, 1.5, 16)).astype(np.float32)
    net.constants["c0"] *= factors[:, None, None, None]
    net.constants["c1"] *= factors
    z = net.add("Relu", [net.conv(y, 16, 16, group=16, bias=False)])
    model = net.build(net.conv(z, 16, 4))
    net.constants["c3"] /= factors[None, :, None, None]
    model = net.build(model.graph.output[0].name)
    x = images(1, (4, 8, 8), seed=5)
    exact = onnx_runtime(model, x)
    without, result = (quantize(model, images(32, (4, 8, 8)), equalize=equalize) for equalize in (False, True))
    np.testing.assert_allclose(onnx_runtime(result.float_model, x), exact, rtol=1e-3, atol=1e-4)
    assert sqnr(exact, onnx_runtime(result.model, x)) > sqnr(exact, onnx_runtime(without.model, x)) + 10


def test_gptq_makes_less_of_an_error_than_rounding_to_nearest() -> None:
    """On inputs that go together, as they do everywhere; in convolutions with groups, strides and paddings too."""
    net = FloatNetwork((1, 6, 9, 9))
    weight, bias = net.weight(8, 3, 3, 3), net.vector(8)
    attributes = {"kernel_shape": [3, 3], "strides": [2, 1], "pads": [1, 0, 0, 2], "group": 2}
    model = net.build(net.add("Conv", ["x", weight, bias], **attributes))
    mix = np.random.default_rng(8).normal(0, 1, (6, 2))
    samples = np.einsum("ck,nkhw->nchw", mix, images(64, (2, 9, 9), seed=3)) + 0.1 * images(64, (6, 9, 9))
    samples = samples.astype(np.float32)
    exact = np.concatenate([onnx_runtime(model, x[None]) for x in samples])
    found = []
    for rounding in ("nearest", "gptq"):
        result = quantize(model, samples, weights="int4", round_weights=rounding)
        found.append(sqnr(exact, np.concatenate([onnx_runtime(result.model, x[None]) for x in samples])))
    assert found[1] > found[0] + 1.5, found


def test_a_residual_stream_is_scaled_as_a_whole() -> None:
    """Sums, pools and gates hand the numbers of channels on from layer to layer."""
    net = FloatNetwork((1, 4, 8, 8))
    factors = (10.0 ** np.linspace(-1, 1, 16)).astype(np.float32)

    def branch(x: str, inputs: int) -> str:
        y = net.conv(x, inputs, 16)
        weight, bias = net.nodes[-1].input[1:]
        net.constants[weight] *= factors[:, None, None, None]
        net.constants[bias] *= factors
        return y

    def divided(x: str, outputs: int) -> str:
        y = net.conv(x, 16, outputs)
        net.constants[net.nodes[-1].input[1]] /= factors[None, :, None, None]
        return y

    x = branch("x", 4)
    gate = net.add("HardSigmoid", [divided(net.add("GlobalAveragePool", [x]), 16)])
    x = net.add("Mul", [x, gate])
    x = net.add("Add", [branch(net.add("Relu", [divided(x, 8)]), 8), x])
    model = net.build(divided(net.add("Relu", [x]), 4))
    x = images(1, (4, 8, 8), seed=5)
    exact = onnx_runtime(model, x)
    without, result = (quantize(model, images(64, (4, 8, 8)), equalize=equalize) for equalize in (False, True))
    np.testing.assert_allclose(onnx_runtime(result.float_model, x), exact, rtol=1e-3, atol=1e-4)
    assert sqnr(exact, onnx_runtime(result.model, x)) > sqnr(exact, onnx_runtime(without.model, x)) + 6


@pytest.mark.parametrize("weights", ["int8", "int4"])
def test_a_file_has_the_bytes_of_the_model(tmp_path: pathlib.Path, weights: str) -> None:
    """It is written in parts, so that it is not in memory once more."""
    result = acc.quantize(convolutional(), images(2, (3, 16, 16)), weights=weights)
    result.model.graph.doc_string, result.model.doc_string, result.model.model_version = "about it", "as well", 3
    result.save(tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_bytes() == result.model.SerializeToString(deterministic=True)
    for layer in result.layers:
        if layer.weight is not None:
            assert layer.quantized_weight is not None and layer.quantized_weight.shape == layer.weight.shape
            assert np.abs(layer.quantized_weight - layer.weight).max() < np.abs(layer.weight).max() / 2


def test_weights_that_are_all_zero_behind_a_layer() -> None:
    """Nothing says how channels should be scaled for them; and an output without a shape gets the one that it has."""
    net = FloatNetwork((1, 4, 8))
    hidden = net.add("Relu", [net.linear("x", 8, 8)])
    model = net.build(net.add("MatMul", [hidden, net.constant(np.zeros((8, 4), np.float32))]))
    model.graph.output[-1].type.tensor_type.ClearField("shape")
    for weights in ("int8", "int4"):
        quantized = quantize(model, images(8, (4, 8)), weights=weights).model
        onnx.checker.check_model(quantized, full_check=True)
        assert not native(quantized, images(1, (4, 8))).any()
