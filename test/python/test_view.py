"""Stages in Model Explorer: what is shown of a module, cycles on it, and the extension."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from acc.cli import main
from acc.model_explorer.graphs import MAIN, View, read_views, views_of
from acc.model_explorer.overlay import Figure, figures
from qdq_models import QdqModel


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled network of two layers, and its stages."""
    folder = tmp_path_factory.mktemp("stages")
    net = QdqModel(np.random.default_rng(3))
    x = net.conv(net.input((1, 3, 6, 5)), 17, (3, 3), pads=(2, 0, 0, 1), activation="Relu")
    onnx.save(net.build(net.gemm(net.flatten(x), 7)), folder / "m.onnx")
    stages = ["--dump-stages", str(folder / "stages")]
    assert main(["compile", str(folder / "m.onnx"), "--target", "vta", "-o", str(folder / "m.so"), *stages]) == 0
    return folder


def stage(folder: Path, name: str) -> Path:
    (path,) = (folder / "stages").glob(f"*/*-{name}.mlir")
    return path


def by_label(view: View, values: dict[str, float]) -> dict[str, float]:
    labels = {node.id: node.label for node in view.nodes}
    return {labels[node]: value for node, value in values.items()}


def test_every_stage_is_shown_with_its_layers(folder: Path) -> None:
    for path in sorted((folder / "stages").glob("*/*.mlir")):
        views = read_views(path)
        layers = {layer for view in views for node in view.nodes for layer in node.layers}
        assert any(layer.startswith("conv") for layer in layers), path
        for view in views:
            ids = [node.id for node in view.nodes]
            assert len(set(ids)) == len(ids) and len(ids) > 0
            # Edges come from what is there, and name an output that the source has.
            outputs = {node.id: len(node.outputs) for node in view.nodes}
            assert all(edge.output <= max(outputs[edge.source] - 1, 0) for node in view.nodes for edge in node.edges)
            assert set(opened for node in view.nodes for opened in node.opens) <= {view.id for view in views}


def test_cycles_are_at_launches_and_in_programs(folder: Path) -> None:
    rows = [Figure("conv_16", ("conv_16",), 10), Figure("gemm_38", ("gemm_38",), 5)]
    views = read_views(stage(folder, "te-merge-operands"))
    found = figures(views, rows)
    assert by_label(views[0], found[MAIN]) == {"conv_16": 10, "gemm_38": 5} and set(found) == {
        MAIN,
        "conv_16",
        "gemm_38",
    }
    views = {view.id: view for view in read_views(stage(folder, "vta.program-vta-hoist-loads"))}
    found = figures(list(views.values()), rows)
    (program,) = set(found) - {MAIN}
    assert sum(found[MAIN].values()) == sum(found[program].values()) == 15
    assert all(label.startswith("vta.insn.") for label in by_label(views[program], found[program]))
    # The graph has no kernels yet: layers are known by their ONNX nodes.
    views_of_graph = read_views(stage(folder, "func.func-graph-legalize-quantization"))
    assert sorted(figures(views_of_graph, rows)[MAIN].values()) == [5, 10]


def test_groups_and_many_instructions(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    from acc import ir
    from acc.model_explorer import graphs

    text = """
    module {
      func.func @main(%x: tensor<2xf32> {graph.name = "x"}) -> (tensor<2xf32> {graph.name = "y"}) {
        %0 = graph.relu %x : (tensor<2xf32>) -> tensor<2xf32> loc("/block1/conv/Relu")
        return %0 : tensor<2xf32>
      }
    }"""
    (view,) = views_of(ir.Module.parse(text, context=ir.Context()))
    assert [(node.label, node.group) for node in view.nodes[:2]] == [("x", ""), ("graph.relu", "block1/conv/Relu")]
    assert view.nodes[1].edges[0].source == view.nodes[0].id
    monkeypatch.setattr(graphs, "MOST_EFFECTS", 10)
    views = read_views(stage(folder, "vta.program-vta-hoist-loads"))
    program = next(view for view in views if view.id.endswith("_chain"))
    labels = [node.label for node in program.nodes]
    assert len(labels) < 12 and any(label.startswith("vta.insn.gemm x ") for label in labels)


def stand_in() -> types.ModuleType:
    """What of Model Explorer the extension uses."""
    module = types.ModuleType("model_explorer")
    fields: dict[str, list[str]] = {
        "Graph": ["id", "nodes"],
        "GraphCollection": ["label", "graphs", "graphSorting"],
        "GraphNode": ["id", "label", "namespace", "subgraphIds", "attrs", "incomingEdges", "outputsMetadata"],
        "IncomingEdge": ["sourceNodeId", "sourceNodeOutputId", "targetNodeInputId"],
        "KeyValue": ["key", "value"],
        "MetadataItem": ["id", "attrs"],
    }
    builder = types.SimpleNamespace(**{name: dataclasses.make_dataclass(name, names) for name, names in fields.items()})
    metadata = dataclasses.make_dataclass("AdapterMetadata", ["id", "name", "description", "fileExts"])
    vars(module).update(Adapter=type("Adapter", (), {}), AdapterMetadata=metadata, graph_builder=builder)
    return module


@pytest.mark.parametrize("real", [False, True])
def test_the_extension(real: bool, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if real:
        pytest.importorskip("model_explorer", reason="Model Explorer is the extra 'view'")
    else:
        monkeypatch.setitem(sys.modules, "model_explorer", stand_in())
    monkeypatch.delitem(sys.modules, "acc.model_explorer.main", raising=False)
    extension: Any = importlib.import_module("acc.model_explorer.main")
    monkeypatch.delitem(sys.modules, "acc.model_explorer.main")
    (collection,) = extension.AccAdapter().convert(str(stage(folder, "te-merge-operands")), {})["graphCollections"]
    graphs = {graph.id: graph for graph in collection.graphs}
    launch = next(node for node in graphs[MAIN].nodes if node.label == "conv_16")
    assert launch.subgraphIds == ["conv_16"] and launch.namespace == "conv_16" and launch.incomingEdges
    text = json.dumps([dataclasses.asdict(graph) for graph in collection.graphs])
    assert "linalg.generic" in text and "tensor<" in text


def test_command(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = str(stage(folder, "te-merge-operands"))
    assert main(["view", shown, "--model", str(folder / "m.so"), "-o", "cycles.json"]) == 0
    data = json.loads(Path("cycles.json").read_text())
    assert data[MAIN]["name"] == "cycles" and all(item["value"] > 0 for item in data[MAIN]["results"].values())
    Path("bad.mlir").write_text("module {")
    Path("empty.mlir").write_text("module {}")
    # As if it were not installed.
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for arguments, said in [
        ([shown], "acc-compiler[view]"),
        ([shown, "-o", "x.json"], "give --model"),
        (["none.mlir", "--model", str(folder / "m.so"), "-o", "x.json"], "none.mlir"),
        (["bad.mlir", "--model", str(folder / "m.so"), "-o", "x.json"], "not IR that acc can read"),
        (["empty.mlir", "--model", str(folder / "m.so"), "-o", "x.json"], "no function"),
        ([shown, "--model", "none.so", "-o", "x.json"], "none.so"),
        ([shown, "--model", str(folder / "m.so"), "-o", shown], "would replace"),
        ([shown, "--model", str(folder / "m.so"), "-o", "x.json", "--port", "70000"], "1 to 65535"),
    ]:
        assert main(["view", *arguments]) == 2, arguments
        assert said in capsys.readouterr().err, arguments
        assert not Path("x.json").exists()
