"""`acc compare`: the layer where two ways of running a model part is named, and can be run alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from acc.cli import main
from acc.comparison import CompareError, Criteria, Side, compare, extract, parse_side
from acc.layerwise import all_layers
from networks import quantize
from qdq_models import random_network


def save(model: onnx.ModelProto, path: Path) -> Path:
    onnx.save(model, path)
    return path


def samples(model: onnx.ModelProto, path: Path, count: int = 2) -> Path:
    rng = np.random.default_rng(0)
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input}
    np.savez(path, **{name: rng.normal(0, 1, (count, *shape)).astype(np.float32) for name, shape in shapes.items()})
    return path


def build(nodes: list[onnx.NodeProto], output: str, constants: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """A model with the input "input", float32 (1, 3, 8, 8)."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, (1, 3, 8, 8))],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def chain(count: int = 3) -> onnx.ModelProto:
    """Convolutions conv0, conv1, ... with a Relu behind each but the last."""
    rng = np.random.default_rng(1)
    nodes, constants, x = [], {}, "input"
    for index in range(count):
        name = f"conv{index}"
        constants[f"{name}.weight"] = rng.normal(
            0, 0.4, (7 if index < count - 1 else 5, 3 if index == 0 else 7, 3, 3)
        ).astype(np.float32)
        nodes.append(helper.make_node("Conv", [x, f"{name}.weight"], [f"{name}.out"], name=name, pads=[1] * 4))
        x = f"{name}.out"
        if index < count - 1:
            nodes.append(helper.make_node("Relu", [x], [f"relu{index}.out"], name=f"relu{index}"))
            x = f"relu{index}.out"
    return build(nodes, x, constants)


@pytest.fixture
def quantized(tmp_path: Path) -> tuple[Path, Path]:
    model = random_network(3)
    return save(model, tmp_path / "q.onnx"), samples(model, tmp_path / "x.npz")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict]:
    code = main(["compare", *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_equal_sides(quantized: tuple[Path, Path], capsys: pytest.CaptureFixture[str]):
    model, data = quantized
    code, facts = run(capsys, f"{model}@onnxruntime", f"{model}@vta", "--data", data)
    assert code == 0 and facts["equal"] and facts["first"] is None and facts["samples"] == 2
    assert all(row["is_integer"] for row in facts["layers"][:-1]) and len(facts["layers"]) > 3
    code, facts = run(capsys, f"{model}@cpu", f"{model}@vta:csim:latency=32", "--data", data, "--samples", 1)
    assert code == 0 and all(row["equal"] == 1 for row in facts["layers"] + facts["outputs"])
    assert "integers equal" in facts["criterion"]
    assert main(["compare", f"{model}@cpu", f"{model}@onnxruntime:optimized", "--data", str(data)]) == 0
    assert "Nothing diverges" in capsys.readouterr().out


def test_extracted_layer_reproduces_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    gelu = [
        helper.make_node("Erf", ["input"], ["erf.out"], name="erf"),
        helper.make_node("Mul", ["input", "erf.out"], ["out"], name="mul"),
    ]
    model = build(gelu, "out", {})
    path, data = save(model, tmp_path / "m.onnx"), samples(model, tmp_path / "x.npz")
    folder = tmp_path / "cut"
    # Implementations of erf differ in the last bit.
    sides = f"{path}@onnxruntime", f"{path}@cpu"
    assert main(["compare", *sides, "--data", str(data), "--tolerance", "0", "--extract", str(folder)]) == 1
    text = capsys.readouterr().out
    assert "The first layer that diverges is erf (Erf)" in text and str(folder) in text
    assert [node.op_type for node in onnx.load(folder / "model.onnx").graph.node] == ["Erf"]
    command = (folder / "README.md").read_text().strip().splitlines()[-1].split()
    assert command[:2] == ["acc", "compare"]
    monkeypatch.chdir(folder)
    assert main([*command[1:], "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["first"]["name"] == "erf (Erf)"
    with np.load("inputs.npz") as inputs, np.load("expected.npz") as expected, np.load("actual.npz") as actual:
        (x,), (y,), (z,) = inputs.values(), expected.values(), actual.values()
    assert x.shape == y.shape == z.shape == (1, 1, 3, 8, 8) and 0 < np.abs(y - z).max() < 1e-6


def test_float_and_quantized(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    model = chain()
    path, data = save(model, tmp_path / "float.onnx"), samples(model, tmp_path / "x.npz", 8)
    with np.load(data) as file:
        good = quantize(model, file["input"][:, 0], per_channel=True)
    code, facts = run(capsys, path, f"{save(good, tmp_path / 'good.onnx')}@vta", "--data", data)
    assert code == 0 and min(row["sqnr"] for row in facts["layers"]) > 25
    assert [row["tensor"] for row in facts["layers"]] == ["relu0.out", "relu1.out", "conv2.out"]

    # Weights of one layer are taken for others than they are.
    bad = onnx.ModelProto()
    bad.CopyFrom(good)
    scale = next(item for item in bad.graph.initializer if item.name == "conv1.weight_scale")
    scale.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(scale) * np.float32(1.5), scale.name))
    folder = tmp_path / "cut"
    arguments = [path, f"{save(bad, tmp_path / 'bad.onnx')}@cpu", "--data", data]
    code, facts = run(capsys, *arguments, "--extract", folder)
    assert (
        code == 1
        and facts["first"]["name"] == "conv1 (Conv)"
        and facts["first"]["tensor"] == "relu1.out"
        and facts["extracted"] == str(folder)
    )
    assert min(facts["layers"], key=lambda row: row["own"] or 99)["tensor"] == "relu1.out"
    monkeypatch.chdir(folder)
    assert {node.name for node in onnx.load("a.onnx").graph.node} == {"conv1", "relu1"}
    command = Path("README.md").read_text().strip().splitlines()[-1].split()
    assert main(command[1:]) == 1
    assert "The first layer that diverges is relu1 (Relu)" in capsys.readouterr().out


def test_noise_that_adds_up_is_cut_out_with_the_layers_that_add_it(tmp_path: Path):
    model = chain(4)
    path, data = save(model, tmp_path / "float.onnx"), samples(model, tmp_path / "x.npz", 8)
    with np.load(data) as file:
        rough = quantize(model, file["input"][:, 0])
    sides = parse_side(str(path)), parse_side(str(save(rough, tmp_path / "q.onnx")))
    rows = compare(*sides, data).rows
    assert rows[-1].sqnr is not None and rows[0].sqnr is not None and rows[-1].sqnr < rows[0].sqnr
    bound = rows[-1].sqnr + 0.01
    if min(row.sqnr or 99 for row in rows[:-1]) > bound:
        result = compare(*sides, data, Criteria(sqnr=bound))
        assert result.first is not None and result.first.tensor == "conv3.out" and result.make_piece is not None
        piece = result.make_piece()
        assert len(piece.layers) > 1 and piece.layers[-1] == "conv3 (Conv)"


class Faulty(Side):
    """A side that adds 1 to the output of a node, in models that have it together with another."""

    node, other, wrong = "", "", 1.0

    def load(self, model: onnx.ModelProto):
        run = super().load(model)
        names = {node.name for node in model.graph.node}
        outputs = next((list(node.output) for node in model.graph.node if node.name == self.node), [])
        # Layers that are taken apart do not read each other.
        apart = any("/computed" in name for name in outputs)
        if not outputs or (self.other and (apart or self.other not in names)):
            return run
        return lambda feeds: {name: value + self.wrong * (name in outputs) for name, value in run(feeds).items()}


@pytest.fixture
def faulty(tmp_path: Path) -> tuple[Side, Faulty, Path]:
    model = chain(4)
    path = save(model, tmp_path / "m.onnx")
    return parse_side(f"{path}@cpu"), Faulty(f"{path}@cpu", path, "cpu"), samples(model, tmp_path / "x.npz")


def test_a_wrong_layer_is_named_and_later_ones_are_not(faulty: tuple[Side, Faulty, Path]):
    good, bad, data = faulty
    bad.__class__.node, bad.__class__.other = "relu1", ""
    result = compare(good, bad, data)
    assert result.first is not None and result.first.name == "relu1 (Relu)"
    assert [row.tensor for row in result.rows if row.diverges] == ["relu1.out"]
    assert not result.together


def test_layers_that_are_wrong_together_only(faulty: tuple[Side, Faulty, Path], tmp_path: Path):
    good, bad, data = faulty
    bad.__class__.node, bad.__class__.other = "conv3", "conv1"
    result = compare(good, bad, data)
    assert result.together and result.first is not None and result.first.name == "conv3.out"
    assert not any(row.diverges for row in result.rows) and result.make_piece is not None
    assert result.make_piece().layers == ("conv1", "relu1", "conv2", "relu2", "conv3")
    extract(result, tmp_path / "cut")
    assert "diverge together" in (tmp_path / "cut" / "README.md").read_text()


def test_compiled_models_and_recorded_tensors(
    quantized: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    model, data = quantized
    acc.compile(model, target="vta").save(tmp_path / "m.so")
    code, facts = run(capsys, f"{model}@cpu", f"{tmp_path / 'm.so'}@csim", "--data", data)
    assert code == 0 and facts["layers"] == [] and len(facts["outputs"]) == 1
    tensors = tmp_path / "tensors.npz"
    assert run(capsys, f"{model}@cpu", f"{model}@vta", "--data", data, "--record", tensors)[0] == 0
    code, facts = run(capsys, f"{model}@onnxruntime", tensors, "--data", data)
    assert code == 0 and len(facts["layers"]) > 3
    code, facts = run(capsys, tmp_path / "m.so", tensors, "--data", data)
    assert code == 0 and len(facts["outputs"]) == 1
    with np.load(tensors) as file:
        changed = {name: file[name] for name in file.files}
    name = facts["outputs"][0]["tensor"]
    changed[name] = changed[name] + 1
    np.savez(tensors, **changed)
    code, facts = run(capsys, tmp_path / "m.so", tensors, "--data", data)
    assert code == 1 and facts["first"]["tensor"] == name
    assert (
        main(["compare", str(tmp_path / "m.so"), str(tensors), "--data", str(data), "--extract", str(tmp_path / "z")])
        == 2
    )
    assert "no layer can be cut out" in capsys.readouterr().err and not (tmp_path / "z").exists()


def test_layers_of_any_model(tmp_path: Path):
    """Shapes that are computed, several outputs, branches that read tensors from outside, sequences."""
    then = helper.make_graph(
        [helper.make_node("Relu", ["part1"], ["yes"], name="then")],
        "then",
        [],
        [helper.make_empty_tensor_value_info("yes")],
    )
    other = helper.make_graph(
        [helper.make_node("Neg", ["part1"], ["no"], name="else")],
        "else",
        [],
        [helper.make_empty_tensor_value_info("no")],
    )
    nodes = [
        helper.make_node("Shape", ["input"], ["shape"], name="shape"),
        helper.make_node("Gather", ["shape", "places"], ["sizes"], name="sizes"),
        helper.make_node("Concat", ["sizes", "rest"], ["new"], name="new", axis=0),
        helper.make_node("Reshape", ["input", "new"], ["flat"], name="flat"),
        helper.make_node("Split", ["flat"], ["part0", "part1"], name="split", axis=2, num_outputs=2),
        helper.make_node("ReduceSum", ["flat"], ["sum"], name="sum", keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["positive"], name="positive"),
        helper.make_node("If", ["positive"], ["branch"], name="if", then_branch=then, else_branch=other),
        helper.make_node("SequenceConstruct", ["part0", "branch"], ["sequence"], name="sequence"),
        helper.make_node("ConcatFromSequence", ["sequence"], ["out"], name="out", axis=1),
    ]
    constants = {"places": np.array([0, 1]), "rest": np.array([-1]), "zero": np.float32(0)}
    model = build(nodes, "out", constants)
    model.opset_import[0].version = 18
    layers = {layer.output: layer for layer in all_layers(model)}
    assert set(layers["branch"].inputs) == {"positive", "part1"}
    assert set(layers["out"].inputs) == {"part0", "branch"} and "sequence" not in layers
    path, data = save(model, tmp_path / "m.onnx"), samples(model, tmp_path / "x.npz")
    result = compare(parse_side(f"{path}@onnxruntime"), parse_side(f"{path}@onnxruntime:optimized"), data)
    assert result.is_equal and len(result.rows) == len(layers)
    # What acc wants to know before it compiles, such as the sizes of a Reshape, it is told.
    del model.graph.node[7:]
    model.graph.output[0].name = "part1"
    path = save(model, tmp_path / "n.onnx")
    result = compare(parse_side(f"{path}@onnxruntime"), parse_side(f"{path}@cpu"), data)
    assert result.is_equal and {row.tensor for row in result.rows} >= {"flat", "part1"}


def test_bad_input(quantized: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    model, data = quantized
    other = save(chain(), tmp_path / "other.onnx")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    np.savez(tmp_path / "wrong.npz", y=np.zeros((1, 3)))
    rest = ["--data", str(data)]
    for arguments, said in (
        (["none.onnx", f"{model}", *rest], "no such file"),
        ([f"{model}@onnxruntime:fast", f"{model}", *rest], "only 'optimized'"),
        ([f"{model}@nowhere", f"{model}", *rest], "nowhere"),
        ([f"{model}@vta:nosim", f"{model}", *rest], "nosim"),
        ([f"{model}", f"{other}", *rest], "no tensor of the same name"),
        ([f"{model}", f"{model}", "--data", str(tmp_path / "wrong.npz")], "the inputs of the model are"),
        ([f"{model}", f"{model}", "--data", str(tmp_path / "none.npz")], "cannot read"),
        ([f"{model}", f"{model}", *rest, "--extract", str(tmp_path / "full")], "not an empty folder"),
        ([f"{model}", f"{model}", *rest, "--samples", "0"], "--samples"),
        ([f"{model}", f"{model}", *rest, "--tolerance", "nan"], "--tolerance"),
        ([f"{data}", f"{data}", *rest], "both sides are recorded"),
        ([f"{data}@cpu", f"{model}", *rest], "nothing runs recorded tensors"),
    ):
        assert main(["compare", *arguments]) == 2, said
        error = capsys.readouterr().err
        assert error.startswith("acc: error: ") and said in error and "fault of acc" not in error, error


def test_without_onnx_runtime(quantized: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch):
    model, data = quantized
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(CompareError, match="pip install onnxruntime"):
        compare(parse_side(f"{model}@onnxruntime"), parse_side(str(model)), data)
