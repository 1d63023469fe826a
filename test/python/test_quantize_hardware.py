"""Scales that an accelerator needs fewer steps for: what is chosen, what it costs, and that it is bounded."""

from __future__ import annotations

import pathlib
from fractions import Fraction

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import acc
from acc.cli import main
from acc.quantization import Quantized, QuantizeError
from acc.quantization.methods import hardware
from acc.targets.vta import Vta, VtaOptions
from float_networks import FloatNetwork, images


def residual(channels: int = 17, seed: int = 0) -> onnx.ModelProto:
    """Two residual blocks, a concatenation, and convolutions with and without borders."""
    net = FloatNetwork((1, 3, 12, 12), seed)
    x = net.add("Relu", [net.conv("x", 3, channels)])
    for _ in range(2):
        branch = net.conv(net.add("Relu", [net.conv(x, channels, channels)]), channels, channels, kernel=1)
        x = net.add("Relu", [net.add("Add", [branch, x])])
    y = net.add("Concat", [net.conv(x, channels, 5), net.conv(x, channels, 8, kernel=1)], axis=1)
    return net.build(net.conv(y, 13, 7))


def make(model: onnx.ModelProto, **choices: object) -> Quantized:
    return acc.quantize(model, images(16, (3, 12, 12)), **choices)  # type: ignore[arg-type]


def noise(quantized: Quantized) -> float:
    """Of the outputs, in parts of the float ones."""
    (output,) = (value.name for value in quantized.model.graph.output)
    found, wanted = acc.compile(quantized.model), acc.compile(quantized.float_model)
    errors = powers = 0.0
    for x in images(8, (3, 12, 12), seed=3):
        real = wanted.run({"x": x[None]})[output].astype(np.float64)
        errors += float(((found.run({"x": x[None]})[output] - real) ** 2).sum())
        powers += float((real**2).sum())
    return errors / powers


def ratios(quantized: Quantized) -> dict[str, np.ndarray]:
    """Of every convolution, the scales of its sums over that of its results, as ONNX Runtime computes them."""
    constants = {item.name: numpy_helper.to_array(item) for item in quantized.model.graph.initializer}
    producers = {name: node for node in quantized.model.graph.node for name in node.output}
    found = {}
    for layer in quantized.layers:
        if layer.op_type != "Conv":
            continue
        node = next(node for node in quantized.model.graph.node if node.name == layer.name)
        weight = constants[producers[node.input[1]].input[1]]
        source, result = (np.float32(quantized.tensors[name].scale) for name in (layer.inputs[0], layer.output))
        found[layer.name] = (source * weight) / result
    return found


def is_power_of_two(value: np.float32) -> bool:
    fraction = Fraction(float(value))
    return fraction.numerator == 1 and fraction.denominator & (fraction.denominator - 1) == 0


@pytest.mark.parametrize(("channels", "ties"), [(1, "up"), (7, "even"), (17, "up")])
def test_what_is_chosen(channels: int, ties: str) -> None:
    model = residual(channels)
    plain, friendly = make(model), make(model, hardware_friendly=True, ties=ties)
    chosen = friendly.hardware
    assert plain.hardware is None and chosen is not None
    assert chosen.single and bool(chosen.equal) == (channels > 1)
    for layer in friendly.layers:
        scales = {friendly.tensors[name].scale for name in (*layer.inputs, layer.output)}
        if layer.name in chosen.equal:
            assert len(scales) == 1
        if layer.name in chosen.single:
            assert ratios(friendly)[layer.name].size == 1
    assert all(friendly.tensors[name].zero_point == 0 for name in chosen.zeros)
    assert bool(chosen.powers) == (ties == "up")
    for name in chosen.powers:
        assert all(is_power_of_two(value) for value in np.atleast_1d(ratios(friendly)[name]))
    # Errors of layers are at most twice what they were, and those of the outputs are sums of them.
    assert noise(friendly) <= 2.2 * noise(plain)
    onnx.checker.check_model(friendly.model)


def test_nothing_is_chosen_that_costs_more_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    model = residual()
    monkeypatch.setattr(hardware, "MOST", 1.0)
    plain, friendly = make(model), make(model, hardware_friendly=True, ties="up")
    assert noise(friendly) <= 1.05 * noise(plain)


@pytest.mark.parametrize(
    "choices",
    [
        {"weights": "int4"},
        {"symmetric": True},
        {"activations": "uint8"},
        {"per_channel": False, "round_weights": "gptq"},
    ],
)
def test_with_other_choices(choices: dict[str, object]) -> None:
    """It is valid whatever else is chosen, and native code computes what the accelerator does."""
    friendly = make(residual(7), hardware_friendly=True, ties="up", **choices)
    x = images(1, (3, 12, 12), seed=9)
    native = acc.compile(friendly.model, ties="up").run({"x": x})
    there = acc.compile(friendly.model, Vta(VtaOptions(ties="up"))).run({"x": x})
    for name, array in native.items():
        np.testing.assert_array_equal(array, there[name])


def test_the_target_decides() -> None:
    model = residual()
    assert make(model).hardware is None
    assert make(model, target="vta").hardware is not None
    assert make(model, target="vta", hardware_friendly=False).hardware is None
    up = make(model, target=Vta(VtaOptions(ties="up")))
    assert up.options.ties == "up" and up.hardware is not None and up.hardware.powers
    with pytest.raises(acc.AccError, match="ties do not go 'down'"):
        make(model, hardware_friendly=True, ties="down")
    with pytest.raises(QuantizeError, match="hardware_friendly"):
        make(model, hardware_friendly="yes")


def test_what_functions_make_has_one_scale_for_all_channels() -> None:
    """Otherwise they would be tables for each channel, which the host looks up in: convolutions stay one program."""
    net = FloatNetwork((1, 3, 12, 12), seed=5)
    x = net.conv("x", 3, 24)
    x = net.conv(net.add("Mul", [x, net.add("Sigmoid", [x])]), 24, 24, group=24)
    model = net.build(net.conv(net.add("HardSwish", [x]), 24, 7, kernel=1))
    config = {"ALU_REQUANTIZE": 1, "ALU_TABLE": 1}
    quantized = make(model, target="vta", config=config)
    assert len(acc.compiler.compile_contents(quantized.model, "vta", config).contents.programs) == 1


def test_fewer_cycles(tmp_path: pathlib.Path) -> None:
    model = residual(32)

    def cycles(quantized: Quantized, ties: str) -> int:
        target = Vta(VtaOptions(ties=ties))
        acc.compile(quantized.model, target).save(tmp_path / "model.so")
        return sum(target.count_cycles(tmp_path / "model.so").values())

    plain = cycles(make(model), "even")
    even, up = (cycles(make(model, hardware_friendly=True, ties=ties), ties) for ties in ("even", "up"))
    assert up < even < plain


def test_a_bound_that_scales_for_the_accelerator_break_is_kept_without_them() -> None:
    model = residual(7)
    friendly, plain = (
        make(model, target="vta", accuracy="sqnr >= 0 dB", hardware_friendly=choice).search for choice in (True, False)
    )
    assert friendly is not None and plain is not None
    decibels = [search.points[0].sqnr for search in (friendly, plain)]
    assert decibels[0] + 0.2 < decibels[1]
    found = make(model, target="vta", accuracy=f"sqnr >= {np.mean(decibels):.2f} dB")
    assert found.search is not None and found.search.points[0].sqnr == decibels[1]
    assert found.hardware is None and not found.search.points[0].raised


def test_command(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(residual(), tmp_path / "model.onnx")
    np.savez(tmp_path / "data.npz", x=images(8, (3, 12, 12)))
    command = ["quantize", str(tmp_path / "model.onnx"), "-o", str(tmp_path / "q.onnx"), "--data"]
    command += [str(tmp_path / "data.npz"), "--target", "vta"]
    assert main([*command, "--option", "ties=up"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("for the accelerator: ") and "results are shifted" in printed
    assert main([*command, "--without", "hardware-friendly"]) == 0
    assert "for the accelerator" not in capsys.readouterr().out
    assert main([*command, "--option", "ties=down"]) == 2
    assert "ties do not go 'down'" in capsys.readouterr().err
