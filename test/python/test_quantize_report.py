"""`acc quantize --report`: what became of every layer, and the sentence that a person needs."""

from __future__ import annotations

import dataclasses
import functools
import html
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from acc.cli import main
from acc.quantization.layer_reports import LayerReport, Report
from acc.quantization.page import to_html
from acc.quantization.report import make_report
from browser import Balance, look

# Without the methods that even out the very things that are reported.
PLAIN: dict[str, Any] = {"equalize": False, "smooth": False, "rescale_outputs": False}


def network(weights: list[np.ndarray], bias: np.ndarray | None = None) -> onnx.ModelProto:
    """1x1 convolutions conv0, conv1, ... with Relu between them: float32 (1, C, 8, 8)."""
    nodes, constants, x = [], {}, "x"
    for index, weight in enumerate(weights):
        name = f"conv{index}"
        constants[f"{name}.w"] = weight[:, :, None, None].astype(np.float32)
        inputs = [x, f"{name}.w"]
        if index == 0 and bias is not None:
            constants["bias"] = bias.astype(np.float32)
            inputs.append("bias")
        nodes.append(helper.make_node("Conv", inputs, [f"{name}.y"], name=name))
        x = f"{name}.y"
        if index < len(weights) - 1:
            nodes.append(helper.make_node("Relu", [x], [f"relu{index}.y"], name=f"relu{index}"))
            x = f"relu{index}.y"
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, weights[0].shape[1], 8, 8))],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, (1, weights[-1].shape[0], 8, 8))],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def drawn(*sizes: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(0, b**-0.5, (a, b)) for b, a in itertools.pairwise(sizes)]


def images(channels: int, count: int = 8) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 1, (count, channels, 8, 8)).astype(np.float32)


def report(layers: list[np.ndarray], **choices: Any) -> Report:
    x = images(layers[0].shape[1])
    return make_report(acc.quantize(network(layers), {"x": x}, **PLAIN, **choices), {"x": x})


def layer(found: Report, name: str) -> LayerReport:
    return next(item for item in found.layers if item.name == name)


@functools.cache
def uneven() -> Report:
    """Channel 12 behind conv0 is 40 times as large as the others, for which conv1 makes up."""
    first, second, third = drawn(3, 24, 17, 5)
    first[12] *= 40
    second[:, 12] /= 40
    return report([first, second, third])


def test_measures() -> None:
    found = report(drawn(3, 24, 17, 5))
    assert [item.name for item in found.layers] == ["conv0", "conv1", "conv2"] and found.measured == 8
    for item in found.layers:
        assert item.sqnr is not None and 25 < item.sqnr < 60 and item.cosine is not None and item.cosine > 0.998
        assert item.weight_sqnr is not None and item.weight_sqnr > 35 and item.weight_bits == 8
        assert item.worst_sqnr is not None and item.worst_sqnr <= item.sqnr
        assert 0.9 < item.used <= 1 and item.clipped < 0.01 and item.ties == 0
        assert item.histogram is not None and abs(sum(item.histogram.shares) - 1) < 1e-6
        assert len(item.channels) == len(item.weight_channels) == {"conv0": 24, "conv1": 17, "conv2": 5}[item.name]
    assert found.outputs[0].sqnr == found.layers[-1].sqnr
    rough = report(drawn(3, 24, 17, 5), weights="int4")
    assert all((item.sqnr or 0) < (other.sqnr or 0) for item, other in zip(rough.layers, found.layers, strict=True))
    assert "weights of 4 bits cause most of its noise" in rough.to_text()


def test_a_channel_of_large_numbers_is_named() -> None:
    found = layer(uneven(), "conv0")
    assert found.widest == 12 and found.spread is not None and 25 < found.spread < 60
    sentence = found.sentence
    assert sentence.startswith("conv0: channel 12 has ") and "times the range of the others" in sentence
    assert "equalisation with conv1" in sentence and sentence in uneven().to_text()


def test_weights_that_share_a_scale() -> None:
    first, second = drawn(3, 24, 5)
    second[3] *= 30
    found = layer(report([first, second], per_channel=False), "conv1")
    assert found.weight_widest == 3 and "weights of channel 3 are" in found.sentence
    assert "weights per channel" in found.sentence


def test_an_outlier_among_weights() -> None:
    first, second = drawn(64, 256, 5)
    second[2, 200] = 1.6
    found = layer(report([first, second], round_weights="nearest", weights="int4", block=0, wide_share=0), "conv1")
    assert found.outlier_channel == 2 and found.outlier is not None and found.outlier > 12
    assert "one of channel 2 is" in found.sentence and "gptq" in found.sentence


def test_numbers_beyond_the_range_and_rare_ones() -> None:
    weights = drawn(3, 24, 5)
    x = images(3)
    result = acc.quantize(network(weights), {"x": x}, ranges="minmax", **PLAIN)
    name = result.layers[0].output
    facts = result.tensors[name]
    cut = {**result.tensors, name: dataclasses.replace(facts, range=(0.0, facts.range[1] / 3), clipped=0.02)}
    found = layer(make_report(dataclasses.replace(result, tensors=cut), {"x": x}), "conv0")
    assert "2.0 % of its numbers are cut off" in found.sentence or (found.own or 99) > 40
    x = images(3, 40)
    x[0, :, 0, 0] = 400
    rare = layer(make_report(acc.quantize(network(weights), {"x": x}, ranges="minmax", **PLAIN), {"x": x[1:]}), "conv0")
    assert rare.dense < 0.1 and "99.9 % of its numbers are within" in rare.sentence


def test_constant_outputs_and_exact_layers() -> None:
    first, second = drawn(3, 8, 5)
    found = report([np.zeros_like(first), second])
    assert "its output was 0 for every sample" in layer(found, "conv0").sentence
    json.dumps(found.to_dict(), allow_nan=False)
    assert "exact" in found.to_text() and "exact" in to_html(found, "model.onnx")


def test_ties_of_powers_of_two() -> None:
    x = images(3)
    result = acc.quantize(network([np.eye(3), *drawn(3, 4, 5)]), {"x": x}, symmetric=True, **PLAIN)
    # Weights of an identity have a scale of 1 / 127; with 127 of them, requantization divides by 4.
    source, output = result.layers[0].inputs[0], result.layers[0].output
    scale = next(
        onnx.numpy_helper.to_array(item)
        for item in result.model.graph.initializer
        if item.name.endswith("conv0.w_scale")
    ).reshape(-1)[0]
    tensors = {
        **result.tensors,
        source: dataclasses.replace(result.tensors[source], scale=1.0),
        output: dataclasses.replace(result.tensors[output], scale=float(np.float32(scale)) * 4),
    }
    assert layer(make_report(dataclasses.replace(result, tensors=tensors), {"x": x}), "conv0").ties == 0.25


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(network(drawn(3, 8, 5)), tmp_path / "m.onnx")
    np.savez(tmp_path / "x.npz", x=images(3))
    arguments = [
        "quantize",
        str(tmp_path / "m.onnx"),
        "-o",
        str(tmp_path / "q.onnx"),
        "--data",
        str(tmp_path / "x.npz"),
    ]
    for suffix in ("html", "json", "txt"):
        assert main([*arguments, "--report", str(tmp_path / f"r.{suffix}")]) == 0
    assert len(json.loads((tmp_path / "r.json").read_text())["layers"]) == 2
    assert "Most noise comes from" in (tmp_path / "r.txt").read_text()
    capsys.readouterr()
    (tmp_path / "q.onnx").unlink()
    for name, said in (("r.pdf", ".html, .json or .txt"), ("none/r.html", "cannot write")):
        assert main([*arguments, "--report", str(tmp_path / name)]) == 2
        assert said in capsys.readouterr().err and not (tmp_path / "q.onnx").exists()


def test_page_is_whole_and_on_its_own() -> None:
    page = to_html(uneven(), "<b>&'model'.onnx")
    balance = Balance()
    balance.feed(page)
    assert not balance.open and not balance.outside and balance.links <= {f"#{name}" for name in balance.ids}
    assert "<b>&amp;" not in page and "&lt;b&gt;&amp;" in page and "<script" not in page
    assert html.escape("conv0: channel 12 has")[:5] in page and page.count("<svg") == 1 + 3 * len(uneven().layers)


def deep(count: int) -> Report:
    """The report of a network of so many layers, with names as exporters make them."""
    report = uneven()
    layers = (report.layers[index % len(report.layers)] for index in range(count))
    return dataclasses.replace(
        report,
        layers=tuple(
            dataclasses.replace(
                layer,
                name=f"/encoder/layer.{index}/attention/self/query/MatMul",
                own=None if layer.own is None else layer.own + index % 7,
            )
            for index, layer in enumerate(layers)
        ),
    )


def test_of_many_sentences_those_of_the_loudest_layers_come_first() -> None:
    report = deep(60)
    page = to_html(report, "model.onnx")
    first = page[page.index("What would help") : page.index(" more</summary>")]
    told = [layer for layer in report.layers if layer.sentence]
    assert first.count("<li>") == 12 < len(told) and f"{len(told) - 12}" in first
    assert first.count("</summary>") == 0
    least = min(layer.own for layer in told if layer.own is not None)
    assert next(layer.name for layer in told if layer.own == least) in first


@pytest.mark.parametrize(("width", "count"), [(360, 3), (1280, 3), (360, 400)])
def test_page_in_a_browser(browser: str, width: int, count: int, tmp_path: Path) -> None:
    """No column is wider than the window, plots have a size, and every text is within the page."""
    report = uneven() if count == 3 else deep(count)
    probe = """(() => {
      const all = [...page.querySelectorAll('svg')];
      page.querySelectorAll('details').forEach(item => item.open = true);
      const sizes = all.map(svg => svg.getBoundingClientRect());
      return {
        scroll: page.documentElement.scrollWidth, inner: inner.innerWidth, plots: sizes.length,
        least: Math.min(...sizes.map(size => Math.min(size.width, size.height))),
        bars: page.querySelectorAll('rect').length, font: inner.getComputedStyle(page.body).fontSize};
    })()"""
    facts = look(browser, to_html(report, "model.onnx"), probe, width, tmp_path)
    assert facts["inner"] == width and facts["scroll"] <= width, facts
    assert facts["plots"] == 1 + 3 * count and facts["least"] > 50 and facts["bars"] > 100, facts
    assert facts["font"] == "16px"
