"""Padding: positions that a mask keeps apart do not count when a model is quantized."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import acc
from acc.errors import AccError
from acc.quantization.calibration import input_infos
from acc.quantization.positions import Positions

LENGTH, WIDTH, WORDS = 6, 8, 20
PADDING = 0


def attention(batch: int = 1, *, of_flags: bool = False, pooled: bool = False) -> onnx.ModelProto:
    """A layer of attention over embeddings, of which that of padding is fifty times as large as the others.

    of_flags: the mask is a bool that is true where a position is padding, as PyTorch has it. pooled: a second output
    is the mean over all positions.
    """
    random = np.random.default_rng(3)
    words = random.normal(0, 1, (WORDS, WIDTH)).astype(np.float32)
    words[PADDING] *= 50
    constants = {
        "words": words,
        "kinds": random.normal(0, 1, (2, WIDTH)).astype(np.float32),
        "wq": random.normal(0, 0.3, (WIDTH, WIDTH)).astype(np.float32),
        "wk": random.normal(0, 0.3, (WIDTH, WIDTH)).astype(np.float32),
        "wv": random.normal(0, 0.3, (WIDTH, WIDTH)).astype(np.float32),
        "one": np.float32(1),
        "much": np.float32(-1e4),
        "axes": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["words", "ids"], ["word"]),
        helper.make_node("Gather", ["kinds", "kind_ids"], ["kind"]),
        helper.make_node("Add", ["word", "kind"], ["x"], name="sum"),
        helper.make_node("MatMul", ["x", "wq"], ["q"], name="queries"),
        helper.make_node("MatMul", ["x", "wk"], ["k"], name="keys"),
        helper.make_node("MatMul", ["x", "wv"], ["v"], name="values"),
        helper.make_node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "kt"], ["scores"], name="scores"),
        helper.make_node("Unsqueeze", ["mask", "axes"], ["wide"]),
        helper.make_node("Cast", ["wide"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["one", "numbers"], ["absent"]),
        helper.make_node("Mul", ["numbers" if of_flags else "absent", "much"], ["far"]),
        helper.make_node("Add", ["scores", "far"], ["masked"]),
        helper.make_node("Softmax", ["masked"], ["shares"], axis=-1),
        helper.make_node("MatMul", ["shares", "v"], ["y"], name="context"),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, LENGTH, WIDTH])]
    if pooled:
        nodes.append(helper.make_node("ReduceMean", ["y"], ["mean"], axes=[1], keepdims=0))
        outputs.append(helper.make_tensor_value_info("mean", TensorProto.FLOAT, [batch, WIDTH]))
    inputs = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, [batch, LENGTH]),
        helper.make_tensor_value_info("kind_ids", TensorProto.INT64, [batch, LENGTH]),
        helper.make_tensor_value_info("mask", TensorProto.BOOL if of_flags else TensorProto.INT64, [batch, LENGTH]),
    ]
    initializers = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "attention", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def sentences(batch: int = 1, *, of_flags: bool = False, count: int = 6) -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(11)
    samples = []
    for _ in range(count):
        lengths = random.integers(2, LENGTH, (batch, 1))
        there = np.arange(LENGTH) < lengths
        ids = np.where(there, random.integers(1, WORDS, (batch, LENGTH)), PADDING)
        kinds = np.where(there, random.integers(0, 2, (batch, LENGTH)), 0)
        samples.append({"ids": ids, "kind_ids": kinds, "mask": ~there if of_flags else there.astype(np.int64)})
    return samples


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("of_flags", [False, True])
def test_ranges_are_those_of_what_counts(batch: int, of_flags: bool) -> None:
    model, samples = attention(batch, of_flags=of_flags), sentences(batch, of_flags=of_flags)
    quantized = acc.quantize(model, samples, smooth=False)
    everything = acc.quantize(model, samples, smooth=False, mask="")
    assert any("'mask' is" in note and "padding" in note for note in quantized.notes), quantized.notes
    words = {name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer if (name := tensor.name)}
    seen = np.concatenate(
        [
            (words["words"][sample["ids"]] + words["kinds"][sample["kind_ids"]])[sample["mask"] == (not of_flags)]
            for sample in samples
        ]
    )
    assert quantized.tensors["x"].seen == pytest.approx((seen.min(), seen.max()))
    assert quantized.tensors["x"].statistics.elements == seen.size
    # Scores have queries and keys, each with padding of its own.
    assert everything.tensors["x"].scale > 10 * quantized.tensors["x"].scale
    assert everything.tensors["q"].scale > 3 * quantized.tensors["q"].scale


def test_quantized_sentences_are_nearer_to_float() -> None:
    model, samples = attention(), sentences(count=12)
    errors = {}
    for mask in (None, "mask", ""):
        made = acc.compile(acc.quantize(model, samples, mask=mask).model)
        reference = acc.compile(model)
        errors[mask] = sum(
            float(np.square(made.run(one)["y"] - reference.run(one)["y"])[one["mask"] == 1].sum()) for one in samples
        )
    assert errors[None] == errors["mask"] < errors[""] / 2, errors


def test_an_input_that_reaches_other_positions_is_no_mask() -> None:
    # Kinds of words have two values, too, and a mean over all positions is one over padding.
    assert not any("padding" in note for note in acc.quantize(attention(pooled=True), sentences()).notes)
    for name in ("kind_ids", "mask"):
        with pytest.raises(AccError, match=f"'{name}' is no mask"):
            acc.quantize(attention(pooled=True), sentences(), mask=name)
    with pytest.raises(AccError, match="'nothing' is no input"):
        acc.quantize(attention(), sentences(), mask="nothing")
    with pytest.raises(AccError, match="mask is the name of an input"):
        acc.quantize(attention(), sentences(), mask=3)


def test_samples_without_padding_count_as_they_are() -> None:
    samples = [one | {"mask": np.ones_like(one["mask"])} for one in sentences()]
    assert (
        acc.quantize(attention(), samples, smooth=False).tensors["x"].statistics.elements
        == len(samples) * LENGTH * WIDTH
    )


def test_positions_along_one_axis_of_all_sequences() -> None:
    """Tensors (sequences * positions, channels), and (positions, sequences, channels)."""
    kept = np.array([[True, True, False], [True, False, False]])
    given = {"ids": np.arange(6).reshape(2, 3), "mask": kept.astype(np.int64)}

    class Runner:
        def run(self, sample: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            ids = sample["ids"].astype(np.float32)
            return {"flat": ids.reshape(6, 1) * [1, 2], "turned": ids.T[..., None] * [1, 2], "mean": ids.mean(1)}

    infos = input_infos(attention(2))
    positions = Positions([info for info in infos if info.name != "kind_ids"], ["flat"])
    values = Runner().run(given)
    counted = positions.counted(Runner(), given, values)
    assert positions.mask == "mask" and positions.ignored == 0
    assert np.concatenate(list(counted("flat", values["flat"])))[:, 0].tolist() == [0, 1, 3]
    assert sorted(np.concatenate([part.reshape(-1, 2) for part in counted("turned", values["turned"])])[:, 0]) == [
        0,
        1,
        3,
    ]
    # A mean over all positions counts as it is.
    assert [part.shape for part in counted("mean", values["mean"])] == [(2,)]
