"""The option `ties`: what lies halfway between two integers goes up in the whole model, on every target alike."""

from __future__ import annotations

import pathlib

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc
from acc.cli import main
from acc.errors import CompileError
from acc.targets.vta import Vta, VtaOptions
from qdq_models import power_of_two_network, random_network
from test_quantized_zoo import feeds


def run(model: onnx.ModelProto, x: dict[str, np.ndarray], target: str | Vta, **options: object) -> np.ndarray:
    with acc.compile(model, target, **options) as exe:  # type: ignore[arg-type]
        return next(iter(exe.run(x).values()))


@pytest.mark.parametrize("seed", range(2))
def test_targets_agree_with_ties_up(seed: int) -> None:
    for model in (power_of_two_network(seed), random_network(seed)):
        x = feeds(model, seed)
        native = run(model, x, "cpu", ties="up")
        np.testing.assert_array_equal(native, run(model, x, "vta", ties="up"))
        np.testing.assert_array_equal(native, run(model, x, "vta", ties="up", vta_dialect="public"))


def halves(size: int | str) -> onnx.ModelProto:
    """The mean of images of 1 x `size` integers, whose scales do not change."""
    constants = {"scale": np.float32(1), "zero": np.int8(1)}
    graph = helper.make_graph(
        [
            helper.make_node("DequantizeLinear", ["x", "scale", "zero"], ["real"]),
            helper.make_node("GlobalAveragePool", ["real"], ["mean"]),
            helper.make_node("QuantizeLinear", ["mean", "scale", "zero"], ["y"]),
        ],
        "halves",
        [helper.make_tensor_value_info("x", TensorProto.INT8, [1, 256, 1, size])],
        [helper.make_tensor_value_info("y", TensorProto.INT8, [1, 256, 1, 1])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("size", [2, "n"])
@pytest.mark.parametrize("ties", ["even", "up"])
def test_means_of_open_size_round_as_others(size: int | str, ties: str) -> None:
    values = np.arange(-128, 128).reshape(1, 256, 1, 1).astype(np.int8)
    pairs = np.concatenate([values, np.minimum(values, 126) + 1], axis=3)
    mean = pairs.astype(float).mean(axis=3, keepdims=True)
    expected = np.floor(mean + 0.5) if ties == "up" else np.round(mean - 1) + 1
    np.testing.assert_array_equal(run(halves(size), {"x": pairs}, "cpu", ties=ties), expected)


def test_the_command_line_says_so(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(power_of_two_network(1), tmp_path / "m.onnx")
    command = ["compile", f"{tmp_path}/m.onnx", "-o", f"{tmp_path}/m.so", "--target", "vta", "--option"]
    assert main([*command, "ties=odd"]) == 2
    assert "choose one of even, up" in capsys.readouterr().err
    assert not (tmp_path / "m.so").exists()
    for options, said in ((["ties=even"], False), (["ties=up"], True)):
        assert main([*command, *options]) == 0
        assert main(["info", f"{tmp_path}/m.so"]) == 0
        assert ("one half up" in capsys.readouterr().out) == said
    assert main(["info", f"{tmp_path}/m.onnx", "--target", "cpu", "--option", "ties=up"]) == 0
    assert "one half up" in capsys.readouterr().out


def test_an_object_asks_for_the_whole_model() -> None:
    with pytest.raises(CompileError, match="choose one of even, up"):
        VtaOptions(ties="down")
    model = power_of_two_network(2)
    x = feeds(model, 2)
    asked = run(model, x, Vta(VtaOptions(ties="up")))
    np.testing.assert_array_equal(asked, run(model, x, "cpu", ties="up"))
