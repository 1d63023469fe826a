"""Compilations that stop after a stage and go on from a file: the model is the same, and other files are refused."""

from __future__ import annotations

import random
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import acc
from acc import stages
from acc.cli import main
from acc.compiler import compile_graph, compile_kernels, make_pipeline, resolve_targets
from acc.container import ModelContents
from acc.pipeline import Options
from qdq_models import random_network
from test_session import affine

GRAPH = """
func.func @main(%x: tensor<?x3xf32> {graph.name = "x", graph.dims = ["n", ""]})
    -> (tensor<?x3xf32> {graph.name = "y"}) {
  %y = graph.relu %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}
"""


def finish(path: Path) -> ModelContents:
    """Compiles what a file holds, for the targets that it says."""
    read = stages.read(path)
    pipeline = make_pipeline(resolve_targets(read.targets), Options())
    begun = stages.start(pipeline, read)
    graph = begun.graph or pipeline.simplify(begun.module)
    if begun.kernels is not None:
        return compile_kernels(pipeline, graph, begun.kernels).contents
    return compile_graph(pipeline, graph).contents


def facts(contents: ModelContents) -> tuple[Any, ...]:
    constants = [np.asarray(getattr(item, "element", item)).tobytes() for item in contents.constants]
    programs = [program.data for program in contents.programs]
    return contents.image, programs, constants, contents.inputs, contents.outputs, contents.metadata


def models() -> list[tuple[str, onnx.ModelProto]]:
    return [
        ("cpu", affine("rows")[0]),
        ("vta", random_network(0)),
        ("vta", random_network(5)),
        ("cpu", random_network(3)),
    ]


@pytest.mark.parametrize("index", range(4))
def test_the_model_is_the_same(index: int, tmp_path: Path) -> None:
    """Code, programs, constants, and what a model says of itself, from every stage that compiling goes on from."""
    target, model = models()[index]
    expected = facts(acc.compiler.compile_contents(model, target).contents)
    for stage in stages.STARTS:
        pipeline = make_pipeline(resolve_targets(target), Options())
        begun = stages.Start(pipeline.import_module(model))
        stages.write_after(pipeline, begun, stage, tmp_path / "first.mlir")
        assert facts(finish(tmp_path / "first.mlir")) == expected
        # Nothing is lost where one file is made of another.
        read = stages.read(tmp_path / "first.mlir")
        again = stages.start(make_pipeline(resolve_targets(target), Options()), read)
        stages.write_after(make_pipeline(resolve_targets(target), Options()), again, "te", tmp_path / "second.mlir")
        assert facts(finish(tmp_path / "second.mlir")) == expected


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(random_network(0), "m.onnx")
    assert main(["compile", "m.onnx", "--target", "vta", "-o", "m.so"]) == 0
    assert main(["import", "m.onnx", "--target", "vta", "-o", "import.mlir"]) == 0
    assert main(["compile", "--from", "import.mlir", "--to", "te.mlir"]) == 0
    assert main(["compile", "--from", "te.mlir", "-o", "n.so"]) == 0
    assert Path("m.so").read_bytes() == Path("n.so").read_bytes()
    for name, inside in (
        *(("vta.mlir", "vta.program"), ("llvm.mlir", "llvm.func"), ("kernels.mlir", "vta.")),
        *(("buffers.mlir", "memref"), ("graph.mlir", "graph.requantize")),
    ):
        begin = ["m.onnx", "--target", "vta"] if name == "graph.mlir" else ["--from", "te.mlir"]
        assert main(["compile", *begin, "--to", name]) == 0
        text = Path(name).read_text()
        assert inside in text and "conv_16" in text and "__elided__" not in text
    assert main(["compile", "--from", "te.mlir", "--to", "any.txt", "--stop", "vta"]) == 0
    assert capsys.readouterr() == ("", "")
    texts = []
    for options in ([], ["--simplify"]):
        assert main(["import", "m.onnx", *options]) == 0
        texts.append(capsys.readouterr().out)
        assert "__elided__" in texts[-1] and len(texts[-1]) < 100_000
    assert ["graph.requantize" in text for text in texts] == [False, True]


def test_a_graph_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "g.mlir").write_text(GRAPH)
    assert main(["compile", "--from", str(tmp_path / "g.mlir"), "-o", str(tmp_path / "g.so")]) == 0
    x = np.array([[-1, 2, -3], [4, -5, 6]], np.float32)
    np.testing.assert_array_equal(acc.load(tmp_path / "g.so").run({"x": x})["y"], np.maximum(x, 0))


def test_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(random_network(0), "m.onnx")
    assert main(["compile", "m.onnx", "--target", "vta", "--to", "te.mlir"]) == 0
    assert main(["compile", "m.onnx", "--to", "llvm.mlir"]) == 0
    Path("g.mlir").write_text(GRAPH)
    Path("nameless.mlir").write_text(GRAPH.replace('graph.name = "x", ', ""))
    Path("cut.mlir").write_text(Path("te.mlir").read_text()[:-400])
    Path("wrong.mlir").write_text(GRAPH.replace("-> tensor<?x3xf32>\n", "-> tensor<?x4xf32>\n"))
    Path("stage.mlir").write_text(f"module attributes {{acc.stage = 7}} {{ {GRAPH} }}")
    Path("other.mlir").write_text("module { te.kernels }")
    before = sorted(Path().iterdir())
    out = ["-o", "x.so"]
    for arguments, said in [
        ([*out], "name an ONNX model (model.onnx)"),
        (["m.onnx", "--from", "te.mlir", *out], "one model"),
        (["m.onnx"], "one thing is written"),
        (["m.onnx", *out, "--to", "te.mlir"], "one thing is written"),
        (["m.onnx", "--to", "x.mlir"], "no stage 'x' to stop after"),
        (["m.onnx", "--to", "vta.mlir"], "no stage 'vta' to stop after"),
        (["m.onnx", "--to", "x.mlir", "--stop", "instructions"], "without an accelerator"),
        (["m.onnx", *out, "--stop", "te"], "--to is not given"),
        (["m.onnx", "--to", "none/te.mlir"], "no folder 'none'"),
        (["--from", "none.mlir", *out], "cannot read 'none.mlir'"),
        (["--from", ".", *out], "cannot read '.'"),
        (["--from", "m.onnx", *out], "not IR that acc can read"),
        (["--from", "cut.mlir", *out], "not IR that acc can read"),
        (["--from", "wrong.mlir", *out], "not IR that acc can read"),
        (["--from", "other.mlir", *out], "not IR that acc can read"),
        (["--from", "nameless.mlir", *out], "graph.name"),
        (["--from", "stage.mlir", *out], "which stage it is"),
        (["--from", "llvm.mlir", *out], "which is for reading"),
        (["--from", "te.mlir", *out, "--target", "cpu"], "made for 'vta', and not for 'cpu'"),
        (["--from", "te.mlir", *out, "--vta-dialect", "public"], "'vta' with other options"),
        (["--from", "te.mlir", "--to", "graph.mlir"], "past the stage 'graph'"),
        (["--from", "te.mlir", *out, "--shape", "x=1"], "--shape and --value are for ONNX models"),
        (["--from", "g.mlir", "--to", "te.mlir", "--json"], "--json describes"),
    ]:
        assert main(["compile", *arguments]) == 2, arguments
        printed = capsys.readouterr()
        assert said in printed.err and printed.err.startswith("acc: error: ") and not printed.out, printed.err
        assert "fault of acc" not in printed.err
    assert sorted(Path().iterdir()) == before
    assert main(["import", "te.mlir"]) == 2 and "not an ONNX model" in capsys.readouterr().err


def test_what_a_file_says_may_be_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys and values of the attribute that are gone or others: an error, or the same model; never a fault."""
    pipeline = make_pipeline(resolve_targets("vta"), Options())
    model = random_network(0)
    stages.write_after(pipeline, stages.Start(pipeline.import_module(model)), "te", tmp_path / "te.mlir")
    text = (tmp_path / "te.mlir").read_text()
    start = text.index("acc.stage")
    end = text.index("} {", start)
    state = text[start:end]
    words = sorted(
        set(re.findall(r"\b(?:name|kernel|layers|macs|reason|inputs|outputs|shape|fixed|target|te)\b", state))
    )
    rng = random.Random(0)
    refused = 0
    for word in words:
        places = [match.start() for match in re.finditer(rf"\b{word}\b", state)]
        at = rng.choice(places)
        damaged = state[:at] + "zzz" + state[at + len(word) :]
        (tmp_path / "bad.mlir").write_text(text[:start] + damaged + text[end:])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = main(["compile", "--from", str(tmp_path / "bad.mlir"), "-o", str(tmp_path / "x.so")])
        said = capsys.readouterr().err
        assert code in (0, 2) and "Traceback" not in said and "fault of acc" not in said, (word, said)
        refused += code == 2
    assert refused >= len(words) // 2
